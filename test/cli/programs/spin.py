"""MODULE SECONDS: lets a C extension that lies beside this file work for so much CPU time, and
prints $DEBUGINFOD_URLS as a program sees it."""
import importlib
import os
import sys
import time

module = importlib.import_module(sys.argv[1])


def work(end):
    while time.process_time() < end:
        module.spin(20000)


print(os.environ.get("DEBUGINFOD_URLS", "none"))
work(time.process_time() + float(sys.argv[2]))
