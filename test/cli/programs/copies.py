"""Copies memory for half a second of CPU time."""
import time

whole = bytearray(4 << 20)
end = time.process_time() + 0.5
while time.process_time() < end:
    bytes(whole)
