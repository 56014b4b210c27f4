"""Run by pdb, with commands on its standard input."""
import threading


def inner(x):
    y = x + 1
    return y


def outer(x):
    return inner(x) * 2


thread = threading.Thread(target=outer, args=(1,))
thread.start()
thread.join()
print(outer(3))
