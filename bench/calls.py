"""A program that does little but call: recursion, methods, generators, a callback.

    calls.py [TIMES]
"""
import sys


class Node(object):
    def __init__(self, depth):
        self.left = Node(depth - 1) if depth else None
        self.right = Node(depth - 1) if depth else None
        self.value = depth

    def visit(self, visitor):
        total = visitor(self)
        if self.left is not None:
            total += self.left.visit(visitor)
            total += self.right.visit(visitor)
        return total


def weigh(node):
    return node.value % 3 + 1


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def numbers(n):
    for i in range(n):
        yield i * i % 7


def main(times):
    tree = Node(12)
    total = 0
    for _ in range(times):
        total += tree.visit(weigh)
        total += fib(20)
        total += sum(numbers(1000))
    print(total)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
