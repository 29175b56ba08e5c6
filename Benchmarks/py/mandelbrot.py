# Mandelbrot: float arithmetic in loops without any memory.
def steps(cr, ci, limit):
    n, zr, zi = 0, 0.0, 0.0
    while True:
        rr, ii = zr * zr, zi * zi
        if n == limit or rr + ii > 4.0:
            return n
        n, zr, zi = n + 1, rr - ii + cr, 2.0 * zr * zi + ci


def mandelbrot(size, limit):
    total = 0
    for y in range(size):
        for x in range(size):
            total += steps(2.0 * x / size - 1.5, 2.0 * y / size - 1.0, limit)
    return total


print(mandelbrot(600, 100))
