"""A thread that C code starts, which calls Python: no module of Python's knows of it.  The main
thread works beside it, or with `idle` waits."""
import ctypes
import json
import sys
import time

libc = ctypes.CDLL(None)
told = {}


def spin(seconds):
    end = time.thread_time() + seconds
    turns = 0
    while time.thread_time() < end:
        turns += 1
    return turns


@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
def in_thread(_):
    told["tid"] = libc.gettid()
    spin(0.6)
    return 0


thread = ctypes.c_ulong()
assert libc.pthread_create(ctypes.byref(thread), None, in_thread, None) == 0
if sys.argv[1:] != ["idle"]:
    spin(0.4)
libc.pthread_join(thread, None)
print(json.dumps(told))
