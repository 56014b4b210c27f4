"""steady.py SECONDS: works, imports some more, and ends with exit code 3."""
import sys

import work

work.say("begins")
work.steps(float(sys.argv[1]))
import argparse  # noqa: E402
import decimal  # noqa: E402
import email.mime.text  # noqa: E402
import unittest  # noqa: E402
work.say("ends", decimal.Decimal(2) ** 40, len([argparse, email, unittest]))
sys.exit(3)
