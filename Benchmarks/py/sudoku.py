# Sudoku by backtracking: the first empty cell tries every digit that its row, column and box do not have.
PUZZLE = "..53.....8......2..7..1.5..4....53...1..7...6..32...8..6.5....9..4....3......97.."
SIZE = 9
cells = [0] * 81
rows = [False] * 90
columns = [False] * 90
boxes = [False] * 90
tried = 0


def row_of(cell, digit):
    return 10 * (cell // SIZE) + digit


def column_of(cell, digit):
    return 10 * (cell % SIZE) + digit


def box_of(cell, digit):
    return 10 * (3 * (cell // 27) + cell % SIZE // 3) + digit


def mark(cell, digit, used):
    rows[row_of(cell, digit)] = used
    columns[column_of(cell, digit)] = used
    boxes[box_of(cell, digit)] = used


def free(cell, digit):
    return not (rows[row_of(cell, digit)] or columns[column_of(cell, digit)] or boxes[box_of(cell, digit)])


def solve(start):
    global tried
    if start == 81:
        return True
    if cells[start] > 0:
        return solve(start + 1)
    for digit in range(1, 10):
        if free(start, digit):
            tried += 1
            cells[start] = digit
            mark(start, digit, True)
            if solve(start + 1):
                return True
            mark(start, digit, False)
            cells[start] = 0
    return False


for cell, text in enumerate(PUZZLE):
    if text != ".":
        cells[cell] = int(text)
        mark(cell, int(text), True)
solved = solve(0)
print(str(solved).lower(), tried, "".join(map(str, cells)))
