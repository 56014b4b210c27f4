"""A program of many functions and deep stacks: it walks a tree whose nodes are handled by 800
generated functions, down to 150 nodes deep.

    deep.py [TIMES]

Each function does a little work of one of eight kinds and hands on to the functions of the node's
children, as parsers, compilers and page renderers do. So a sample's stack has 10 to 150 functions,
and nearly every sample another stack.
"""
import random
import sys

FUNCTIONS = 800
TREES = 40
LEAVES = 60  # of each tree

# What a function does before its children: eight kinds of work, with numbers of its own.
WORK = [
    "for i in range({a}):\n        total += i * {b} % 7",
    "total += sum(part * {b} for part in range({a}) if part & 1)",
    "words = '{a} {b} node'.split()\n    total += len(words) + len('-'.join(words))",
    "seen = {{}}\n    for i in range({a}):\n        seen[i % {b}] = i\n    total += len(seen)",
    "row = sorted(range({a}), key=lambda i: i * {b} % 11)\n    total += row[0]",
    "text = str(node.depth) * {b}\n    total += text.count('1')",
    "while total % {b} > 2:\n        total += 1",
    "try:\n        total += [{a}, {b}][node.depth % 3]\n    except IndexError:\n        total += {a}",
]
FUNCTION = """
def handle_{number}(node, total):
    {work}
    for child in node.children:
        total = child.handle(child, total % 1000003)
    return total
"""


class Node(object):
    def __init__(self, handle, depth):
        self.handle = handle
        self.depth = depth
        self.children = []


def make_functions(dice):
    functions = []
    for number in range(FUNCTIONS):
        work = WORK[number % len(WORK)].format(a=dice.randrange(3, 40), b=dice.randrange(2, 9))
        scope = {}
        text = FUNCTION.format(number=number, work=work)
        # A file for each sixteen of them, as in a program of many modules.
        exec(compile(text, "generated_%d.py" % (number // 16), "exec"), scope)
        functions.append(scope["handle_%d" % number])
    return functions


def make_tree(dice, functions):
    """Branches of different length, each grown from somewhere on the ones before."""
    root = Node(dice.choice(functions), 0)
    nodes = [root]
    for _ in range(LEAVES):
        node = dice.choice(nodes)
        depth = dice.randrange(10, 150)
        while node.depth < depth:
            child = Node(dice.choice(functions), node.depth + 1)
            node.children.append(child)
            nodes.append(child)
            node = child
    return root


def main(times):
    dice = random.Random(1)
    functions = make_functions(dice)
    trees = [make_tree(dice, functions) for _ in range(TREES)]
    total = 0
    for _ in range(times):
        for tree in trees:
            total = tree.handle(tree, total)
    print(total)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
