"""many.py HOW: programs of many threads and processes."""
import multiprocessing
import os
import sys
import threading

import work

lock = threading.Lock()
results = []


def note(value):
    with lock:
        results.append(value)


def at_once(count=200):
    gate = threading.Barrier(count)

    def one(number):
        gate.wait()
        for _ in range(5):
            work.new_code(number)
        note(work.churn(4000) + number)

    run_all(threading.Thread(target=one, args=(number,)) for number in range(count))


def come_and_go():
    for number in range(100):
        run_all(threading.Thread(target=lambda: note(work.churn(2000) + number), name="w%d" % i)
                for i in range(4))


def fork_in_threads():
    def one(_number):
        for code in range(5):
            pid = os.fork()
            if pid == 0:
                work.churn(20000)
                os._exit(code)
            note(os.waitpid(pid, 0)[1] >> 8)

    run_all(threading.Thread(target=one, args=(number,)) for number in range(4))


def fork_and_go_on():
    """Children that go on as Python programs of their own, to their end."""
    pids = []
    for number in range(4):
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            work.churn(100000)
            thread = threading.Thread(target=work.churn, args=(100000,))
            thread.start()
            thread.join()
            sys.exit(number)
        pids.append(pid)
    for pid in pids:
        note(os.waitpid(pid, 0)[1] >> 8)


def pool():
    with multiprocessing.get_context("fork").Pool(3) as workers:
        results.extend(workers.map(work.churn, [20000 + i for i in range(20)]))


def run_all(threads):
    threads = list(threads)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


WAYS = {"at-once": at_once, "come-and-go": come_and_go, "fork-in-threads": fork_in_threads,
        "fork-and-go-on": fork_and_go_on, "pool": pool}

if __name__ == "__main__":
    work.say("begins")
    work.steps(0.2)
    WAYS[sys.argv[1]]()
    work.steps(0.1)
    work.say(len(results), sum(results), sorted(results)[:3])
    sys.exit(3)
