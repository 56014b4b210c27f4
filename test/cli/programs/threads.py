"""Two named threads that are alive together and work in turn, one that gets its name late, and one
that the threading module knows nothing of.  Prints ids, names and CPU times."""
import _thread
import json
import os
import threading
import time

told = {"pid": os.getpid(), "threads": {}}
turn = [threading.Event() for _ in range(4)]


def spin(seconds):
    end = time.process_time() + seconds
    total = 0
    while time.process_time() < end:
        for i in range(300):
            total += i * i % 7
    return total


def work(name, seconds):
    before = time.process_time()
    spin(seconds)
    told["threads"][name] = [int(os.readlink("/proc/thread-self").split("/")[-1]),
                             time.process_time() - before]


def tailor():
    turn[0].set()
    turn[1].wait()
    work("tailor", 0.3)
    turn[2].set()


def soldier():
    turn[0].wait()
    work("soldier \u00e9\"", 0.2)
    turn[1].set()
    turn[2].wait()


def spy():
    threading.current_thread().name = "spy"
    work("spy", 0.1)


def bare():
    work("bare", 0.1)
    turn[3].set()


threads = [threading.Thread(target=tailor, name="tailor"),
           threading.Thread(target=soldier, name="soldier \u00e9\"")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
late = threading.Thread(target=spy, name="not yet")
late.start()
late.join()
_thread.start_new_thread(bare, ())
turn[3].wait()
work("MainThread", 0.1)
print(json.dumps(told))
