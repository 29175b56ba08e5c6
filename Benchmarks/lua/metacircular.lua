-- An evaluator for a small Lisp, in the shape every textbook has, running fib. Symbols are strings; an environment is {names, values, outer}.
local evaluate

local function lookup(name, env)
  while env do
    local names = env[1]
    for i = 1, #names do
      if names[i] == name then return env[2][i] end
    end
    env = env[3]
  end
  error("unbound: " .. name)
end

local function call(f, arguments)
  if type(f) == "table" then
    return evaluate(f[3], {f[2], arguments, f[4]})
  end
  return f(table.unpack(arguments))
end
table.unpack = table.unpack or unpack

function evaluate(x, env)
  local kind = type(x)
  if kind == "string" then return lookup(x, env) end
  if kind ~= "table" then return x end
  local head = x[1]
  if head == "if" then
    if evaluate(x[2], env) then return evaluate(x[3], env) end
    return evaluate(x[4], env)
  elseif head == "lambda" then
    return {"closure", x[2], x[3], env}
  elseif head == "letrec" then
    local frame = {{x[2]}, {false}, env}
    frame[2][1] = evaluate(x[3], frame)
    return evaluate(x[4], frame)
  end
  local f, arguments = evaluate(head, env), {}
  for i = 2, #x do arguments[i - 1] = evaluate(x[i], env) end
  return call(f, arguments)
end

local primitives = {
  {"+", "-", "<"},
  {function(a, b) return a + b end, function(a, b) return a - b end, function(a, b) return a < b end},
}

print(evaluate(
  {"letrec", "fib", {"lambda", {"n"}, {"if", {"<", "n", 2}, "n", {"+", {"fib", {"-", "n", 1}}, {"fib", {"-", "n", 2}}}}},
    {"fib", 24}},
  primitives))
