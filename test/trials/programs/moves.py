"""moves.py HOW: what can happen to folders while a program is recorded."""
import os
import shutil
import sys

import work

work.say("begins")
work.steps(work.moment())
how, folder = sys.argv[1:3]
if how == "remove":
    shutil.rmtree(folder)
elif how == "rename":
    os.rename(folder, folder + ".moved")
elif how == "forbid":
    os.chmod(folder, 0o500)
elif how == "here":
    here = os.getcwd()
    os.chdir("/")
    shutil.rmtree(here)
elif how == "fill":
    with open(os.path.join(folder, "filler"), "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
work.steps(0.3)
work.say("done", how)
sys.exit(int(sys.argv[3]))
