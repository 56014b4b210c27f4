"""Forks by several threads at once."""
import os
import threading


def fork_some():
    for _ in range(6):
        pid = os.fork()
        if pid == 0:
            x = [str(i) * 3 for i in range(2000)]
            os._exit(len(x) & 1)
        os.waitpid(pid, 0)


threads = [threading.Thread(target=fork_some) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
