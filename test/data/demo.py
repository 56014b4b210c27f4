"""The program of the recordings here: two functions, a pause, a thread."""
import time
import _thread


def squares(seconds):
    end = time.process_time() + seconds
    total = 0
    while time.process_time() < end:
        for i in range(300):
            total += i * i % 7
    return total


def text(seconds):
    end = time.process_time() + seconds
    parts = []
    while time.process_time() < end:
        parts = parts[-50:]
        for i in range(300):
            parts.append(str(i))
    return len("".join(parts))


def helper():
    squares(0.04)
    lock.release()


def main():
    squares(0.08)
    time.sleep(0.15)
    text(0.06)
    _thread.start_new_thread(helper, ())
    lock.acquire()


lock = _thread.allocate_lock()
lock.acquire()
main()
