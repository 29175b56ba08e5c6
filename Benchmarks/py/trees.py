# Binary trees: allocation of small cells that live for different times.
def make_tree(depth):
    if depth == 0:
        return (None, None)
    return (make_tree(depth - 1), make_tree(depth - 1))


def check(tree):
    left, right = tree
    if left is None:
        return 1
    return 1 + check(left) + check(right)


def main(max_depth):
    long_lived = make_tree(max_depth)
    total = 0
    for depth in range(4, max_depth + 1, 2):
        for _ in range(2 ** (4 + max_depth - depth)):
            total += check(make_tree(depth))
    print(total + check(long_lived))


main(15)
