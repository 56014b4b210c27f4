"""Uses the CPU for a while, compiles much where there is a JIT, and does what it is told in the
middle: busy.py SECONDS [EXIT CODE [WHAT [NAME]]]."""
import os
import shutil
import sys
import time


def work(n):
    total = 0
    for i in range(n):
        total += i * i % 7
    return total


def busy(seconds):
    end, number = time.process_time() + seconds, 0
    while time.process_time() < end:
        scope = {}
        exec("def step%d(n):\n    t = 0\n    for i in range(n): t += i * %d\n    return t\n"
             % (number, number), scope)
        scope["step%d" % number](2000)
        work(2000)
        number += 1


def main():
    seconds = float(sys.argv[1])
    code = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    what, name = (sys.argv[3:] + ["", ""])[:2]
    busy(seconds / 2)
    if what == "remove":
        shutil.rmtree(name)
    elif what == "renew":
        shutil.rmtree(name)
        os.mkdir(name)
    elif what == "rename":
        os.rename(name, name + "-2")
    elif what == "leave":
        here = os.getcwd()
        os.chdir("/")
        shutil.rmtree(here)
    elif what == "folder":
        os.mkdir(name)
    busy(seconds / 2)
    print("finished")
    sys.exit(code)


main()
