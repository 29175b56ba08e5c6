# Spectral norm: nested float loops over lists.
from math import sqrt


def element(i, j):
    return 1.0 / ((i + j) * (i + j + 1) // 2 + i + 1)


def transposed(i, j):
    return element(j, i)


def times(n, v, out, at):
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += at(i, j) * v[j]
        out[i] = total


def power(n, v, out, buffer):
    times(n, v, buffer, element)
    times(n, buffer, out, transposed)


def spectral_norm(n):
    u, v, buffer = [1.0] * n, [0.0] * n, [0.0] * n
    for _ in range(10):
        power(n, u, v, buffer)
        power(n, v, u, buffer)
    return sqrt(sum(a * b for a, b in zip(u, v)) / sum(b * b for b in v))


print(f"{spectral_norm(400):.15g}")
