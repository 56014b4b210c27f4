"""What PyPy does in functions of its own, and a loop for its JIT: 1.5 s of CPU time."""
import gc
import json
import re
import time

PAIR = re.compile(r"([a-z]+) (\d+)(?:,|$)")
TEXT = ", ".join("word %d" % i for i in range(20000))


def sort():
    return sorted([str(i * 7919 % 10007) for i in range(30000)])


def join():
    return "".join([str(i) for i in range(50000)]).replace("12", "xyz").split("x")


def match():
    return PAIR.findall(TEXT)


def collect():
    rings = [[i] for i in range(100000)]
    gc.collect()
    return rings


def text():
    return json.loads(json.dumps([{"n": i, "s": str(i)} for i in range(10000)]))


def count():
    total = 0
    for i in range(3000000):
        total += i % 7
    return total


end = time.process_time() + 1.5
while time.process_time() < end:
    for function in sort, join, match, collect, text, count:
        function()
