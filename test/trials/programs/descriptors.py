"""descriptors.py HOW: closes what is open in that way, then opens files, a pipe and a pair of
sockets of its own, writes to each often, and compares. The last line begins with `files:`."""
import ctypes
import os
import socket
import subprocess
import sys
import threading

import work

FILES = 8
ROUNDS = 40
PART = b"12345678\n"
LAST = 1024
CLOSE_RANGE = 436  # its number on all machines


def quietly(call, *args):
    try:
        call(*args)
    except OSError:
        pass


def by_loop():
    for fd in range(3, LAST):
        quietly(os.close, fd)


def by_listing():
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            quietly(os.close, int(name))


def by_range():
    os.closerange(3, 65536)


def by_system_call():
    ctypes.CDLL(None).syscall(CLOSE_RANGE, 3, ctypes.c_uint(0xffffffff), 0)


def by_closefrom():
    ctypes.CDLL(None).closefrom(3)


def by_library():
    ctypes.CDLL(os.environ["TRIAL_LIBRARY"]).close_all(3, LAST)


def by_extension():
    sys.path.insert(0, os.environ["TRIAL_EXTENSIONS"])
    import closing_module

    closing_module.close_all(3, LAST)


def own_file(name="dup.dat"):
    return os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)


def dup_onto_all():
    """A file of its own onto every number that is open."""
    mine = own_file()
    os.write(mine, b"mine\n")
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd > 2 and fd != mine:
            try:
                os.fstat(fd)
                os.dup2(mine, fd)
            except OSError:
                pass


def dup_everywhere():
    mine = own_file()
    os.write(mine, b"mine\n")
    for fd in range(3, 256):
        if fd != mine:
            os.dup2(mine, fd)
    by_loop()


def lower_limit():
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
    by_loop()


def in_a_thread():
    thread = threading.Thread(target=by_loop)
    thread.start()
    thread.join()


def by_subprocess():
    done = subprocess.run(["/bin/sh", "-c", "cat; exec 7>sub.dat; echo mine >&7"], input=PART * 50,
                          stdout=subprocess.PIPE, close_fds=True)
    assert done.stdout == PART * 50
    by_loop()


def nothing():
    pass


WAYS = {
    "loop": by_loop, "listing": by_listing, "closerange": by_range, "close_range": by_system_call,
    "closefrom": by_closefrom, "library": by_library, "extension": by_extension,
    "dup2": dup_onto_all, "dup2-everywhere": dup_everywhere, "rlimit": lower_limit,
    "thread": in_a_thread, "subprocess": by_subprocess, "none": nothing,
}


class Mine:
    """Files, a pipe and two sockets of the program's own."""

    def __init__(self, way):
        self.way = way
        self.names = ["w%d.dat" % i for i in range(FILES)]
        self.open_files(os.O_TRUNC)
        self.written = 0
        self.wrong = []

    def open_files(self, more):
        self.files = [os.open(name, os.O_RDWR | os.O_CREAT | more, 0o600) for name in self.names]
        self.pipe = os.pipe()
        self.sockets = socket.socketpair()

    def try_one(self, what, call):
        try:
            return call()
        except (OSError, ValueError) as error:
            self.wrong.append("%s: %s" % (what, error))
            return None

    def write_all(self):
        for name, fd in zip(self.names, self.files):
            done = self.try_one(name, lambda: os.write(fd, PART))
            if done is not None and done != len(PART):
                self.wrong.append("%s: %d bytes written" % (name, done))
        self.written += 1
        self.try_one("pipe", lambda: os.write(self.pipe[1], PART))
        self.try_one("socket", lambda: self.sockets[0].sendall(PART))
        if self.try_one("pipe", lambda: os.read(self.pipe[0], 4096)) != PART:
            self.wrong.append("pipe: other bytes")
        if self.try_one("socket", lambda: self.sockets[1].recv(4096)) != PART:
            self.wrong.append("socket: other bytes")

    def close_again(self):
        """All once more, its own as well, and the files opened again at their ends."""
        for end in self.sockets:
            end.detach()
        for fd in self.files:
            quietly(os.close, fd)
        self.way()
        self.open_files(os.O_APPEND)

    def compare(self):
        for name, fd in zip(self.names, self.files):
            self.try_one(name, lambda: os.close(fd))
            with open(name, "rb") as file:
                found = file.read()
            if found != PART * self.written:
                self.wrong.append("%s: %d bytes, %d expected" % (
                    name, len(found), len(PART) * self.written))
        if os.path.exists("dup.dat"):
            with open("dup.dat", "rb") as file:
                if file.read() != b"mine\n":
                    self.wrong.append("dup.dat: other bytes")
        return self.wrong


def open_now():
    """The numbers of all open descriptors, but that of the listing."""
    return sorted(int(name) for name in os.listdir("/proc/self/fd")
                  if os.path.exists("/proc/self/fd/" + name))


def main(how):
    again = how.endswith("-again")
    way = WAYS[how[:-len("-again")] if again else how]
    work.say("open at first", open_now())
    work.steps(0.05)
    way()
    mine = Mine(way)
    for number in range(ROUNDS):
        mine.write_all()
        if again and number % 10 == 9:
            mine.close_again()
        work.steps(0.008)
    wrong = mine.compare()
    work.say("files:", "; ".join(wrong[:4]) if wrong else "intact")
    sys.exit(4 if wrong else 3)


if __name__ == "__main__":
    main(sys.argv[1])
