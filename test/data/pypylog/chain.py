"""The program of the logs here: chains of objects are made, walked and dropped."""


class Node(object):
    def __init__(self, value, next):
        self.value = value
        self.next = next


class Settings(object):
    step = 3


def make(count):
    chain = None
    for i in range(count):
        chain = Node(i, chain)
    return chain


def walk(node):
    total = 0
    while node is not None:
        if node.value % 7 == Settings.step:
            total += 2
        total += node.value
        node = node.next
    return total


def main():
    for turn in range(5):
        walk(make(20000))
        Settings.step = turn % 4


main()
