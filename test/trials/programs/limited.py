"""limited.py: works under limits of the shell: writes a file of its own, opens some, ends with 3."""
import sys

import work

work.say("begins")
for number in range(4):
    with open("own%d.dat" % number, "wb") as file:
        file.write(b"12345678\n" * 100)
    work.steps(0.15)
import decimal  # noqa: E402
work.say("ends", decimal.Decimal(2) ** 10)
sys.exit(3)
