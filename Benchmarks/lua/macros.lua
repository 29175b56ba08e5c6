-- Metaprogramming: 3,000 functions made from a template, each compiled, then called a hundred times.
local load = loadstring or load
-- A function that sums the values of a polynomial at 0, 1, … , n - 1.
local template = [[
return function(n)
  local sum = 0
  local x = 0
  while x < n do
    local square = x * x
    local value = $a * square + $b * x + $c
    if value % 3 == 0 then
      sum = sum + value
    elseif value < 10 then
      sum = sum + 1
    else
      sum = sum + value % 10
    end
    x = x + 1
  end
  return sum
end]]

local function polynomial(a, b, c)
  local source = template:gsub("%$(%l)", {a = a, b = b, c = c})
  return load(source)()
end

local total = 0
for i = 0, 2999 do
  local f = polynomial(i % 7, i % 11, i)
  for _ = 1, 100 do total = total + f(10) end
end
print(total)
