"""The descriptors that are open, and what they are: at the start, in between and at the end."""
import atexit
import os
import sys
import threading
import time


def look(when):
    out = []
    for name in sorted(os.listdir("/proc/self/fd"), key=int):
        try:
            out.append((int(name), os.readlink("/proc/self/fd/" + name).split(":")[0]))
        except OSError:
            pass  # the folder that was listed
    print(when, out, "next", os.dup(0))


atexit.register(look, "end")
look("start")
end = time.process_time() + 0.3
while time.process_time() < end:
    sum(range(500))
thread = threading.Thread(target=look, args=("thread",))
thread.start()
thread.join()
look("later")
sys.stdout.flush()
