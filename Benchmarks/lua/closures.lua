-- Closures: functions that make functions, variables that outlive their call, Church's numerals.
local function make_counter()
  local n = 0
  return function(by) n = n + by; return n end
end
local function compose(f, g) return function(x) return f(g(x)) end end
local function adder(n) return function(x) return x + n end end

local function count_with(counters, turns)
  for i = 0, turns - 1 do
    for _, counter in ipairs(counters) do counter(i) end
  end
  local sum = 0
  for _, counter in ipairs(counters) do sum = sum + counter(0) end
  return sum
end

local function chain(n)
  local f = adder(0)
  for i = 0, n - 1 do f = compose(adder(i), f) end
  return f
end
local function run_chains(times)
  local sum = 0
  for i = times, 1, -1 do sum = sum + chain(500)(i) end
  return sum
end

local function church(n)
  return function(f)
    return function(x)
      if n == 0 then return x end
      return f(church(n - 1)(f)(x))
    end
  end
end
local function plus(a, b) return function(f) return function(x) return a(f)(b(f)(x)) end end end
local function mult(a, b) return function(f) return a(b(f)) end end
local function unchurch(n) return n(function(x) return x + 1 end)(0) end

local counters = {}
for i = 1, 100 do counters[i] = make_counter() end
print(count_with(counters, 20000) + run_chains(1500) + unchurch(mult(mult(church(60), church(100)), plus(church(50), church(40)))))
