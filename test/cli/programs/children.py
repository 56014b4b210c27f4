"""Children made in every way; each does what it would do."""
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

CODE = "import signal; print('child', signal.getsignal(16), len(signal.pthread_sigmask(0, [])))"


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(500))


def square(x):
    burn(0.02)
    return x * x


def double_fork(path):
    """A daemon: closes all, and writes a file of its own."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    os.closerange(0, 1024)
    burn(0.05)
    file = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(file, b"daemon's own %d\n" % file)
    os.rename(path + ".new", path)
    os._exit(0)


def main():
    words = [sys.executable, "-c", CODE]
    burn(0.2)
    print(subprocess.run(words, stdout=subprocess.PIPE).stdout)
    print(subprocess.run(words, stdout=subprocess.PIPE, start_new_session=True,
                         preexec_fn=lambda: None).stdout)
    sys.stdout.flush()
    if hasattr(os, "posix_spawn"):
        print(os.waitpid(os.posix_spawn(sys.executable, words, os.environ), 0)[1])
    print(os.system("exit 3"), os.WEXITSTATUS(os.spawnv(os.P_WAIT, "/bin/false", ["false"]) << 8))
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, pool.map(square, range(5)))
    threads = [threading.Thread(target=square, args=(3,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    pids = []
    for i in range(8):
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            burn(0.01)
            inner = threading.Thread(target=square, args=(3,))
            inner.start()
            inner.join()
            os._exit(i)
        pids.append(pid)
    print([os.waitpid(pid, 0)[1] >> 8 for pid in pids])
    for thread in threads:
        thread.join()
    double_fork("daemon.txt")
    end = time.monotonic() + 60
    while not os.path.exists("daemon.txt") and time.monotonic() < end:
        time.sleep(0.01)
    print(open("daemon.txt").read())


if __name__ == "__main__":
    main()
