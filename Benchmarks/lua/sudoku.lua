-- Sudoku by backtracking: the first empty cell tries every digit that its row, column and box do not have.
local puzzle = "..53.....8......2..7..1.5..4....53...1..7...6..32...8..6.5....9..4....3......97.."
local floor = math.floor
local size = 9
local cells, rows, columns, boxes = {}, {}, {}, {}
local tried = 0
for i = 0, 80 do cells[i] = 0 end
for i = 0, 89 do rows[i], columns[i], boxes[i] = false, false, false end

local function row_of(cell, digit) return 10 * floor(cell / size) + digit end
local function column_of(cell, digit) return 10 * (cell % size) + digit end
local function box_of(cell, digit)
  return 10 * (3 * floor(cell / 27) + floor(cell % size / 3)) + digit
end

local function mark(cell, digit, used)
  rows[row_of(cell, digit)] = used
  columns[column_of(cell, digit)] = used
  boxes[box_of(cell, digit)] = used
end

local function free(cell, digit)
  return not (rows[row_of(cell, digit)] or columns[column_of(cell, digit)] or boxes[box_of(cell, digit)])
end

local function solve(from)
  if from == 81 then return true end
  if cells[from] > 0 then return solve(from + 1) end
  for digit = 1, 9 do
    if free(from, digit) then
      tried = tried + 1
      cells[from] = digit
      mark(from, digit, true)
      if solve(from + 1) then return true end
      mark(from, digit, false)
      cells[from] = 0
    end
  end
  return false
end

for cell = 0, 80 do
  local text = puzzle:sub(cell + 1, cell + 1)
  if text ~= "." then
    cells[cell] = tonumber(text)
    mark(cell, tonumber(text), true)
  end
end
local solved = solve(0)
print(tostring(solved) .. " " .. tried .. " " .. table.concat(cells, "", 0, 80))
