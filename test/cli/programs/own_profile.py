"""own_profile.py FILE: stops the VMProf that it finds running, as a library of its own might, works
on, and records a part of itself with it.  Prints what came of that, which differs with vmfox in one
word: whether one was running."""
import os
import sys
import threading
import time

import _vmprof


def work(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        for i in range(300):
            i * i


beside = threading.Thread(target=work, args=(0.9,))
beside.start()
work(0.7)
try:
    _vmprof.disable()
    print("was running")
except Exception as error:
    print("was not", type(error).__name__)
work(0.6)
beside.join()
with open(sys.argv[1], "w+b") as file:
    _vmprof.enable(file.fileno(), 0.004, 0, 0, 0, 0)
    work(0.3)
    _vmprof.disable()
work(0.3)
print(os.path.getsize(sys.argv[1]) > 1000, "end")
