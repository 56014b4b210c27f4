"""Many threads that all work: by the wall clock each of them is sampled.

    crowd.py [THREADS [ROUNDS]]

Prints the CPU time of the work in seconds."""
import sys
import threading
import time


def work(rounds):
    total = 0
    for i in range(rounds):
        total = (total * 3 + i) & 0xffffff
    return total


def main(threads, rounds):
    crowd = [threading.Thread(target=work, args=(rounds,)) for _ in range(threads)]
    begin = time.process_time()
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    print(time.process_time() - begin)


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    main(*words, *(64, 10_000_000)[len(words):])
