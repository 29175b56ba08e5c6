-- Sudoku by backtracking: the first empty cell tries every digit that its row, column and box do not have.
local puzzles = {
  "6.....8.3.4.7.................5.4.7.3..2.....1.6.......2.....5.....8.6......1....",
  "8..........36......7..9.2...5...7.......457.....1...3...1....68..85...1..9....4..",
  "4..7..2..89..6...........3..6.......5..1............8.7..2..5...3....1.....4.....",
}
local floor = math.floor
local size = 9
local cells, rows, columns, boxes = {}, {}, {}, {}
local tried = 0

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

local function read_puzzle(puzzle)
  for i = 0, 89 do rows[i], columns[i], boxes[i] = false, false, false end
  for cell = 0, 80 do cells[cell] = 0 end
  for cell = 0, 80 do
    local digit = tonumber(puzzle:sub(cell + 1, cell + 1))
    if digit then
      cells[cell] = digit
      mark(cell, digit, true)
    end
  end
end

local solutions = {}
for i, puzzle in ipairs(puzzles) do
  read_puzzle(puzzle)
  solve(0)
  solutions[i] = table.concat(cells, "", 0, 80)
end
print(table.concat(solutions, " ") .. " " .. tried)
