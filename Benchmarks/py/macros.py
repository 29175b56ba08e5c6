# Metaprogramming: 3,000 functions made from a template, each compiled, then called a hundred times.
# A function that sums the values of a polynomial at 0, 1, … , n - 1.
TEMPLATE = """
def polynomial(n):
    total = 0
    x = 0
    while x < n:
        square = x * x
        value = {a} * square + {b} * x + {c}
        if value % 3 == 0:
            total += value
        elif value < 10:
            total += 1
        else:
            total += value % 10
        x += 1
    return total
"""


def polynomial(a, b, c):
    names = {}
    exec(TEMPLATE.format(a=a, b=b, c=c), names)
    return names["polynomial"]


def main():
    total = 0
    for i in range(3000):
        f = polynomial(i % 7, i % 11, i)
        for _ in range(100):
            total += f(10)
    print(total)


main()
