"""Many threads: one after another, and at once."""
import sys
import threading
import time

count, at_once = int(sys.argv[1]), int(sys.argv[2])
ran = []


def short():
    ran.append(1)


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(300))


def long_one(number):
    begin.wait()
    burn(float(sys.argv[3]))
    threading.current_thread().name = "renamed \u0416 %d" % number


threading.stack_size(64 * 1024)
for i in range(count):
    thread = threading.Thread(target=short)
    thread.start()
    thread.join()
begin = threading.Event()
threads = [threading.Thread(target=long_one, args=(i,), name="long \xe9 %d" % i)
           for i in range(at_once)]
for thread in threads:
    thread.start()
begin.set()
for thread in threads:
    thread.join()
print(len(ran), len(threads))
