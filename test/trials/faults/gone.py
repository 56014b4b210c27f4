"""The end, or a pause, of vmfox; of both."""
import signal
import time

from .. import processes, recording
from ..processes import send
from ..registry import fault
from ..trial import LEFT, PATIENCE, PROGRAM, STALL, TIME
from .descriptors import compare_files
from .ends import wait_until

GROUP = "vmfox killed or stopped"
SECONDS = 2.0
# Written at least twice a second; less than that may not have been worth a word.
SOON_NS = 1e9


def killed(trial, program, *args, options=(), both=False):
    alone = trial.alone(program, *args)
    running = trial.record(program, *args, options=options)
    pid = running.program()
    wait_until(running.begun + trial.dice.uniform(0.05, 0.95) * alone.seconds)
    told = recording.progress(trial.folder)
    victims = [running.pid] + ([pid] if both and pid else [])
    trial.dice.shuffle(victims)
    send(running.pid, signal.SIGSTOP)  # it takes in no end of the program while that is looked at
    ended = pid is not None and processes.stat_of(pid) is None
    for victim in victims:
        send(victim, signal.SIGKILL)
    code = running.wait()
    if code == 137 and ended:  # its exit code is lost with vmfox
        trial.same(alone, running.result(alone.code))
    elif code == 137 and pid is not None and not both:
        end = time.monotonic()
        code = processes.collect(pid, PATIENCE)
        trial.check(TIME, code is not None, "the program never ended")
        trial.check(TIME, time.monotonic() - end < 3 * alone.seconds + 10,
                    "the program ended %.0f s after vmfox" % (time.monotonic() - end))
        if code is None:
            processes.sweep(trial.mark)
        result = running.result(code if code is not None else -1)
        trial.same(alone, result)
        trial.check(PROGRAM, not trial.own_lines, "in its stderr: %s" % trial.said())
    elif both and code == 137:
        trial.same_so_far(alone, running.result(137), 137)
    else:  # vmfox had ended before
        trial.same(alone, running.result(code))
    trial.no_stall()
    let_go(trial)
    recovered(trial, told)


def let_go(trial):
    """A keeper of vmfox's may still be at its work."""
    trial.wait_for_daemons(5)
    alive = [processes.name_of(pid) for pid in processes.marked(trial.mark)]
    trial.check(LEFT, not alive, "still running: %s" % ", ".join(alive))


def recovered(trial, told):
    """What is left is one folder that recover opens, and then removes."""
    if trial.capture.exists():
        trial.opens(whole=False, told=told)
    else:
        soon = told is None or told.now_ns - told.begun_ns < SOON_NS
        if trial.remains() or not soon:
            # Named: without a name it takes all that is left on this machine.
            trial.recover(*trial.remains()[:1], must=not soon, told=told)
    trial.nothing_left()


def vmfox_killed(name, said, program, *args, options=()):
    @fault(name, GROUP, said)
    def run(trial):
        killed(trial, program, *args, options=options)


vmfox_killed("vmfox-killed", "vmfox gets SIGKILL; the program makes code objects and imports more",
             "steady.py", str(SECONDS))
vmfox_killed("vmfox-killed-real-time", "the same with `--real-time`", "steady.py", str(SECONDS),
             options=("--real-time",))
vmfox_killed("vmfox-killed-threads", "the same, and 400 threads come and go", "many.py",
             "come-and-go")
vmfox_killed("vmfox-killed-forks", "the same, and four threads fork", "many.py", "fork-in-threads")


@fault("vmfox-killed-descriptors", GROUP, "the same, and `os.close` of 3 to 1023 again and again")
def vmfox_killed_descriptors(trial):
    killed(trial, "descriptors.py", "loop-again")
    compare_files(trial, ended=True)


@fault("both-killed", GROUP, "vmfox and the program get SIGKILL, in any order")
def both_killed(trial):
    killed(trial, "steady.py", str(SECONDS), both=True)


@fault("vmfox-stopped", GROUP, "vmfox gets SIGSTOP, and SIGCONT 2.5 to 3.5 s later: the program goes on")
def vmfox_stopped(trial):
    alone = trial.alone("steady.py", "1.2")
    running = trial.record("steady.py", "1.2")
    running.program()
    wait_until(running.begun + trial.dice.uniform(0.1, 0.8) * alone.seconds)
    send(running.pid, signal.SIGSTOP)
    time.sleep(trial.dice.uniform(1.25, 1.75) * STALL)  # who waits for it takes a step as long
    send(running.pid, signal.SIGCONT)
    trial.same(alone, trial.finish(running))
    trial.no_stall()
    trial.opens(whole=True)
    trial.nothing_left()


@fault("program-stopped", GROUP, "the program gets SIGSTOP, and SIGCONT 0.3 to 1 s later")
def program_stopped(trial):
    stopped(trial, lambda running, pid, number: send(pid, number))


@fault("group-stopped", GROUP, "the same of both, as by Ctrl-Z and fg")
def group_stopped(trial):
    stopped(trial, lambda running, pid, number: send(-running.pid, number))


def stopped(trial, to):
    alone = trial.alone("steady.py", "0.5")
    running = trial.record("steady.py", "0.5")
    pid = running.program()
    wait_until(running.begun + trial.dice.uniform(0.1, 0.8) * alone.seconds)
    if pid is not None:
        to(running, pid, signal.SIGSTOP)
        time.sleep(trial.dice.uniform(0.3, 1.0))
        to(running, pid, signal.SIGCONT)
    trial.same(alone, trial.finish(running))
    trial.opens(whole=True)
    trial.nothing_left()
