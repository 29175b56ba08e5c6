-- Binary trees: allocation of small cells that live for different times.
local function make_tree(depth)
  if depth == 0 then return {} end
  return {make_tree(depth - 1), make_tree(depth - 1)}
end
local function check(tree)
  local left = tree[1]
  if left then return 1 + check(left) + check(tree[2]) end
  return 1
end
local max_depth = 15
local long_lived = make_tree(max_depth)
local total = 0
for depth = 4, max_depth, 2 do
  for _ = 1, 2 ^ (4 + max_depth - depth) do
    total = total + check(make_tree(depth))
  end
end
print(total + check(long_lived))
