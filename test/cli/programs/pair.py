"""A thread that allocates and one that does not, at once.  Prints their CPU times."""
import json
import threading
import time

SECONDS = 0.5
spent = {}


def maker():
    kept = [None] * 5000
    end = time.thread_time() + SECONDS
    while time.thread_time() < end:
        for i in range(20000):
            kept[i % 5000] = str(i)


def thinker():
    total = 0
    end = time.thread_time() + SECONDS
    while time.thread_time() < end:
        for i in range(100000):
            total = (total * 31 + i) & 0xffff


threads = [threading.Thread(target=function, name=function.__name__)
           for function in (maker, thinker)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"seconds": SECONDS}))
