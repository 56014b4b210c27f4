"""ends.py HOW: works, then ends in that way."""
import ctypes
import os
import sys
import threading
import time

import work


def in_a_thread():
    thread = threading.Thread(target=sys.exit, args=(5,))
    thread.start()
    thread.join()
    work.steps(0.1)
    work.say("the thread is gone")
    sys.exit(4)


def os_exit_in_a_thread():
    threading.Thread(target=os._exit, args=(6,)).start()
    time.sleep(30)


def beside_daemons():
    for _ in range(4):
        threading.Thread(target=work.churn, args=(10 ** 12,), daemon=True).start()
    time.sleep(0.1)
    sys.exit(8)


def raises():
    raise ValueError("not caught")


def becomes_another():
    sys.stdout.flush()
    os.execv("/bin/sh", ["sh", "-c", "echo became; exit 9"])


WAYS = {
    "segv": lambda: ctypes.string_at(16),
    "_exit": lambda: os._exit(7),
    "abort": os.abort,
    "thread": in_a_thread,
    "thread-_exit": os_exit_in_a_thread,
    "daemons": beside_daemons,
    "raises": raises,
    "execv": becomes_another,
    "kill": lambda: os.kill(os.getpid(), 9),
}
work.say("begins")
work.steps(work.moment())
work.say("now", sys.argv[1])
WAYS[sys.argv[1]]()
