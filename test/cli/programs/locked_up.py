"""A program that shuts itself off: others may not look into it any more."""
import ctypes
import os
import sys
import threading
import time


def burn():
    end = time.process_time() + 0.3
    while time.process_time() < end:
        sum(range(500))


burn()
if "prctl" in sys.argv:
    print(ctypes.CDLL(None).prctl(4, 0, 0, 0, 0))  # PR_SET_DUMPABLE
if "chroot" in sys.argv:
    os.chroot(".")
    os.chdir("/")
if "setuid" in sys.argv:
    os.setgid(65534)
    os.setuid(65534)
thread = threading.Thread(target=burn, name="late")
thread.start()
thread.join()
burn()
print("done")
