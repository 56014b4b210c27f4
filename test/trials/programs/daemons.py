"""daemons.py HOW: becomes a daemon (two forks, setsid), which closes everything in one of the ways
of descriptors.py and then works on files of its own. `HOW` with `fork-` in front: a forked child does
that, and the parent waits for it."""
import os
import sys

import descriptors
import work


def child_of(how):
    """Its output goes into the file daemon.out."""
    out = os.open("daemon.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(out, 1)
    os.close(out)
    way = descriptors.WAYS[how]
    work.steps(0.02)
    way()
    mine = descriptors.Mine(way)
    for _ in range(descriptors.ROUNDS):
        mine.write_all()
        work.churn(20000)
    wrong = mine.compare()
    work.say("files:", "; ".join(wrong[:4]) if wrong else "intact")
    sys.stdout.flush()
    os._exit(4 if wrong else 0)


def main(how):
    work.say("begins")
    work.steps(0.1)
    if how.startswith("fork-"):
        pid = os.fork()
        if pid == 0:
            child_of(how[len("fork-"):])
        work.steps(0.3)
        work.say("the child's status", os.waitpid(pid, 0)[1])
        sys.exit(3)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            child_of(how)
        os._exit(0)
    work.steps(0.2)
    work.say("the daemon is on its way")


main(sys.argv[1])
