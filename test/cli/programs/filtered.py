"""filtered.py: forbids itself, on pain of death, the system calls that a program like it has no use
for (seccomp), and works."""
import ctypes
import struct
import time

# linux/filter.h, linux/seccomp.h; asm/unistd_64.h
LOAD, JUMP_EQUAL, RETURN, ALLOW, KILL = 0x20, 0x15, 0x06, 0x7FFF0000, 0x80000000
FORBIDDEN = {"gettid": 186, "kill": 62, "tgkill": 234, "timer_settime": 223, "open": 2, "socket": 41}


def work(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for i in range(300):
            i * i


work(0.2)
rules = [(LOAD, 0, 0, 0)]
rules += [rule for number in FORBIDDEN.values()
          for rule in ((JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, KILL))]
rules.append((RETURN, 0, 0, ALLOW))
text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
program = ctypes.create_string_buffer(
    struct.pack("HxxxxxxP", len(rules), ctypes.addressof(text)))
libc = ctypes.CDLL(None)
print(libc.prctl(38, 1, 0, 0, 0), libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(program)), 0, 0))
work(0.6)
print("end")
