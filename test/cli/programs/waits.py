"""System calls of C code that wait, made by a thread that does little, beside one that works; how
often they end early."""
import ctypes
import os
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
done = []
pipe_read, pipe_write = os.pipe()


def work():
    end = time.process_time() + 1
    while time.process_time() < end and not done:
        sum(range(500))


def write_late():
    for _ in range(10):
        time.sleep(0.03)
        os.write(pipe_write, b"x")


def count_early(call, rounds=10):
    return sum(call() < 0 for _ in range(rounds))


times = (ctypes.c_long * 2)(0, 20000000)
micros = (ctypes.c_long * 2)
byte = ctypes.create_string_buffer(1)
threads = [threading.Thread(target=work), threading.Thread(target=write_late)]
for thread in threads:
    thread.start()
early = {"read": count_early(lambda: libc.read(pipe_read, byte, 1))}
if "reads" not in sys.argv:
    early["nanosleep"] = count_early(lambda: libc.nanosleep(times, None))
    early["select"] = count_early(lambda: libc.select(0, None, None, None, micros(0, 20000)))
    early["poll"] = count_early(lambda: libc.poll(None, 0, 20))
done.append(1)
for thread in threads:
    thread.join()
print(sum(early.values()), early)
