"""Runs commands and says what they cost."""
import multiprocessing
import os
import re
import resource
import subprocess
import time

from .common import die, say

ALL_CORES = "all cores"
ONE_CORE = "one core"


def core_words(cores):
    """The words in front of a command that is to run on all cores, or on one."""
    if cores == ALL_CORES:
        return []
    return ["taskset", "-c", str(max(os.sched_getaffinity(0)))]


def start(argv, env=None):
    with open(os.devnull, "r+b") as null:
        return subprocess.Popen(argv, stdin=null, stdout=null, stderr=subprocess.PIPE, env=env)


def cpu_clock(pid):
    """The clock of a process's CPU time, as clock_getcpuclockid(3) makes its number."""
    return ~pid << 3 | 2


def finish(child, argv, begun):
    """Waits for a command's end: its cost as a dict of seconds and bytes.

    `own_cpu` is of the command's own process, `cpu` has the processes it waited for as well. `rss`
    is the largest resident size of any of them; None where it is too small to be seen."""
    errors = child.stderr.read()
    # Ended but not yet collected: its clock still tells its own CPU time, of all its threads.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    wall = time.monotonic() - begun
    own_cpu = time.clock_gettime(cpu_clock(child.pid))
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stderr.close()
    if child.returncode != 0:
        die("%s: exit code %d\n%s" % (" ".join(argv), child.returncode,
                                      errors.decode(errors="replace")))
    # A process begins with the peak of the one it was started from, so less than ours is not seen.
    seen = usage.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"wall": wall, "own_cpu": own_cpu, "cpu": usage.ru_utime + usage.ru_stime,
            "rss": usage.ru_maxrss * 1024 if seen else None}


def measure(argv, env=None, cores=ALL_CORES):
    """Runs a command, its output thrown away, and says what it cost."""
    argv = [*core_words(cores), *argv]
    begun = time.monotonic()
    return finish(start(argv, env), argv, begun)


MEMORY = re.compile(rb"^(VmRSS|RssAnon|RssShmem):\s+(\d+)", re.MULTILINE)


def watch(argv, env=None, pause=0.0005):
    """As measure(), with two more figures of the command's own process: `anonymous`, the most
    memory that is no file's, looked at every `pause` seconds, and `resident`, its largest resident
    size. Memory that it shares with others is in neither: the recorder's ring is of one size, and
    in memory as far as it was written to. Looking costs time, so the times of such a run are not
    for comparing."""
    begun = time.monotonic()
    child = start(argv, env)
    anonymous = resident = 0
    # Popen() comes back when the new program has begun: nothing of ours is seen here.
    with open("/proc/%d/status" % child.pid, "rb", buffering=0) as file:
        while True:
            found = {key: int(value) for key, value in MEMORY.findall(os.pread(file.fileno(), 4096, 0))}
            if not found:  # it has ended
                break
            anonymous = max(anonymous, found[b"RssAnon"])
            resident = max(resident, found[b"VmRSS"] - found[b"RssShmem"])
            time.sleep(pause)
    cost = finish(child, argv, begun)
    cost.update(anonymous=anonymous * 1024, resident=resident * 1024)
    return cost


def take_turns(jobs, rounds, about):
    """Runs each of `jobs` (name -> what to call) once a round, and returns the list of results of
    each. Each round begins with another one, so that none always comes after the same."""
    found = {name: [] for name in jobs}
    names = list(jobs)
    for i in range(rounds):
        say("%s: round %d of %d" % (about, i + 1, rounds))
        for name in names[i % len(names):] + names[:i % len(names)]:
            found[name].append(jobs[name]())
    return found


def compare(commands, rounds, about, settings=(ALL_CORES, ONE_CORE)):
    """Measures commands (name -> argv) in turns, on all cores and on one: setting -> name -> costs."""
    def job(argv, cores):
        return lambda: measure(argv, cores=cores)

    jobs = {(cores, name): job(argv, cores)
            for name, argv in commands.items() for cores in settings}
    found = take_turns(jobs, rounds, about)
    return {cores: {name: found[cores, name] for name in commands} for cores in settings}


def apart(function, *args):
    """Calls a function in a process of its own, whose memory is gone afterwards: what is started
    from a large process seems to be large itself."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(function, args)
