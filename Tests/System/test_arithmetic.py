"""Random arithmetic, compared with Python's integers and fractions. All of it is evaluated by one process.

The seed is fixed, so every run is the same; SX_SEED=n tries other expressions, and a failure names the seed.
"""

import math
import os
import random
from fractions import Fraction

SEED = int(os.environ.get("SX_SEED", "20240611"))
CASES = 4000
LEAST, MOST = -(2**63), 2**63 - 1
EDGES = [0, 1, -1, 2, -2, 3, 10, 2**31, -(2**31), 2**53, 2**53 + 1, -(2**53) - 1, 2**61, 2**62 - 1, 2**62, -(2**62), -(2**62) - 1, MOST, MOST - 1, LEAST, LEAST + 1]


def fits(x: Fraction) -> bool:
    return LEAST <= x.numerator <= MOST and x.denominator <= MOST


def written(x: Fraction) -> str:
    return str(x.numerator) if x.denominator == 1 else f"{x.numerator}/{x.denominator}"


def exact(x: Fraction) -> str | tuple[str, float]:
    """What `inspect` shows for an exact result: itself, or the nearest float when 64 bits do not hold it."""
    return written(x) if fits(x) else shown(nearest(x))


def nearest(x: Fraction) -> float:
    return x.numerator / x.denominator          # Python divides integers correctly rounded


def shown(d: float) -> tuple[str, float]:
    return ("float", d)


def integer(rng: random.Random) -> int:
    if rng.random() < 0.3:
        return rng.choice(EDGES)
    return rng.randint(-(2 ** rng.choice([3, 8, 31, 62, 63])), 2 ** rng.choice([3, 8, 31, 62]) - 1)


def number(rng: random.Random) -> Fraction:
    if rng.random() < 0.4:
        return Fraction(integer(rng))
    while True:
        x = Fraction(integer(rng), abs(integer(rng)) or 1)
        if fits(x):
            return x


def truncated(x: Fraction) -> int:
    return math.trunc(x)


def case(rng: random.Random):
    """An expression and what it has to give: a text, ("float", value), or None for an error."""
    a, b = number(rng), number(rng)
    whole = a.denominator == b.denominator == 1
    x, y = written(a), written(b)
    match rng.randrange(11):
        case 0:
            return f"(+ {x} {y})", exact(a + b)
        case 1:
            return f"(- {x} {y})", exact(a - b)
        case 2:
            return f"(* {x} {y})", exact(a * b)
        case 3:
            if b == 0:
                return f"(/ {x} {y})", None
            q = a / b
            return f"(/ {x} {y})", shown(nearest(q)) if whole and q.denominator != 1 else exact(q)
        case 4:
            return f"(quotient {x} {y})", None if b == 0 else exact(Fraction(truncated(a / b)))
        case 5:
            return f"(remainder {x} {y})", None if b == 0 else exact(a - b * truncated(a / b))
        case 6:
            return f"(mod {x} {y})", None if b == 0 else exact(a - b * math.floor(a / b))
        case 7:
            relations = {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "=": a == b}
            name = rng.choice(list(relations))
            return f"({name} {x} {y})", "true" if relations[name] else "false"
        case 8:
            functions = {"floor": math.floor, "ceil": math.ceil, "truncate": math.trunc, "round": round}
            name = rng.choice(list(functions))
            return f"({name} {x})", exact(Fraction(functions[name](a)))
        case 9:
            # An exact number beside the nearest float, or beside one of its neighbours: compared exactly.
            d = nearest(a)
            d = rng.choice([d, math.nextafter(d, math.inf), math.nextafter(d, -math.inf)])
            name, holds = rng.choice([("<", a < Fraction(d)), ("=", a == Fraction(d)), (">", a > Fraction(d))])
            return f"({name} {x} {d!r})", "true" if holds else "false"
        case _:
            return f"(exact->inexact {x})", shown(nearest(a))


def test_random_arithmetic_agrees_with_python(sx):
    rng = random.Random(SEED)
    cases = [case(rng) for _ in range(CASES)]
    lines = [f'(println (guard (e (true "error")) (inspect {expression})))' for expression, _ in cases]
    sx.write("arithmetic.sx", "\n".join(lines) + "\n")
    outcome = sx("run", "arithmetic.sx")
    assert outcome.status == 0, outcome.err
    results = outcome.out.splitlines()
    assert len(results) == CASES
    wrong = []
    for (expression, wanted), got in zip(cases, results):
        if wanted is None:
            good = got == "error"
        elif isinstance(wanted, tuple):
            good = ("." in got or "e" in got) and got != "error" and float(got) == wanted[1]
        else:
            good = got == wanted
        if not good:
            wrong.append(f"{expression}: expected {wanted}, got {got}")
    assert not wrong, f"seed {SEED}: {len(wrong)} of {CASES} differ\n" + "\n".join(wrong[:20])
