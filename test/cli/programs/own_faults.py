"""What the program has set for faults, its alternate stack and errno are as they were."""
import ctypes
import faulthandler
import signal
import sys
import threading
import time

libc = ctypes.CDLL(None)
ACTION_BYTES = 152  # struct sigaction of x86-64 and aarch64
faults = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT)
others = (signal.SIGPROF, signal.SIGALRM, signal.SIGVTALRM, signal.SIGIO, signal.SIGCHLD)


def actions(numbers):
    out = []
    for number in numbers:
        action = ctypes.create_string_buffer(ACTION_BYTES)
        libc.sigaction(int(number), None, action)
        out.append(action.raw[:8] + action.raw[136:140])  # the handler and the flags
    return out


def alternate_stack():
    stack = ctypes.create_string_buffer(24)
    libc.sigaltstack(None, stack)
    return stack.raw


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(500))


print("others", [int.from_bytes(action[:8], sys.byteorder) for action in actions(others)])
plain = actions(faults)
faulthandler.enable()
was = actions(faults), alternate_stack()
burn(0.3)
print("same", was == (actions(faults), alternate_stack()))

done = []
thread = threading.Thread(target=lambda: (burn(0.5), done.append(1)))
thread.start()
while not done:  # set and taken back while another thread is sampled
    faulthandler.disable()
    faulthandler.enable()
thread.join()
print("same", was == (actions(faults), alternate_stack()))
faulthandler.disable()
print("as before", plain == actions(faults))

errno = libc.__errno_location
errno.restype = ctypes.POINTER(ctypes.c_int)
place, room, kept = errno(), ctypes.create_string_buffer(16 << 20), 0
for i in range(150):
    place[0] = 77
    libc.memset(room, i & 255, len(room))
    kept += place[0] == 77
print("errno kept", kept)
