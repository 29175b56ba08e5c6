# Sudoku by backtracking: the first empty cell tries every digit that its row, column and box do not have.
PUZZLES = [
    "6.....8.3.4.7.................5.4.7.3..2.....1.6.......2.....5.....8.6......1....",
    "8..........36......7..9.2...5...7.......457.....1...3...1....68..85...1..9....4..",
    "4..7..2..89..6...........3..6.......5..1............8.7..2..5...3....1.....4.....",
]
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


def read_puzzle(puzzle):
    for used in rows, columns, boxes:
        used[:] = [False] * 90
    cells[:] = [0] * 81
    for cell, text in enumerate(puzzle):
        if text != ".":
            cells[cell] = int(text)
            mark(cell, int(text), True)


def solution(puzzle):
    read_puzzle(puzzle)
    solve(0)
    return "".join(map(str, cells))


solutions = [solution(puzzle) for puzzle in PUZZLES]
print(" ".join(solutions), tried)
