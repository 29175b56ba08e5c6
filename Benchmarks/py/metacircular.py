# An evaluator for a small Lisp, in the shape every textbook has, running fib. Symbols are strings; an environment is (names, values, outer).
from operator import add, lt, sub


def lookup(name, env):
    while env is not None:
        names, values, outer = env
        for i, n in enumerate(names):
            if n == name:
                return values[i]
        env = outer
    raise NameError(name)


def evaluate(x, env):
    if isinstance(x, str):
        return lookup(x, env)
    if not isinstance(x, list):
        return x
    head = x[0]
    if head == "if":
        return evaluate(x[2] if evaluate(x[1], env) else x[3], env)
    if head == "lambda":
        return ["closure", x[1], x[2], env]
    if head == "letrec":
        frame = ([x[1]], [None], env)
        frame[1][0] = evaluate(x[2], frame)
        return evaluate(x[3], frame)
    return call(evaluate(head, env), [evaluate(y, env) for y in x[1:]])


def call(f, arguments):
    if isinstance(f, list):
        return evaluate(f[2], (f[1], arguments, f[3]))
    return f(*arguments)


PRIMITIVES = (["+", "-", "<"], [add, sub, lt], None)

print(evaluate(
    ["letrec", "fib", ["lambda", ["n"], ["if", ["<", "n", 2], "n", ["+", ["fib", ["-", "n", 1]], ["fib", ["-", "n", 2]]]]],
     ["fib", 24]],
    PRIMITIVES))
