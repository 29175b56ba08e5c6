# Closures: functions that make functions, variables that outlive their call, Church's numerals.
import sys
from functools import reduce

sys.setrecursionlimit(10000)


def make_counter():
    n = 0

    def count(by):
        nonlocal n
        n += by
        return n
    return count


def compose(f, g):
    return lambda x: f(g(x))


def adder(n):
    return lambda x: x + n


def count_with(counters, turns):
    for i in range(turns):
        for counter in counters:
            counter(i)
    return sum(counter(0) for counter in counters)


def chain(n):
    return reduce(lambda f, i: compose(adder(i), f), range(n), adder(0))


def run_chains(times):
    return sum(chain(500)(i) for i in range(times, 0, -1))


def church(n):
    return lambda f: lambda x: x if n == 0 else f(church(n - 1)(f)(x))


def plus(a, b):
    return lambda f: lambda x: a(f)(b(f)(x))


def mult(a, b):
    return lambda f: a(b(f))


def unchurch(n):
    return n(lambda x: x + 1)(0)


print(count_with([make_counter() for _ in range(100)], 20000) + run_chains(1500)
      + unchurch(mult(mult(church(60), church(100)), plus(church(50), church(40)))))
