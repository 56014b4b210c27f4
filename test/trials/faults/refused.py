"""System calls that a sandbox refuses (programs/refuse.c)."""
from .. import places
from ..registry import fault
from ..trial import RECORDING

GROUP = "System calls refused, as in sandboxes"


WAYS = {"channel": ("ring", "socket"), "stamps": ("program", "kernel", "arrival"),
        "timer": ("perf", "ticks", "posix", "recorder")}


def untold(info):
    """What a recording does not say of how it was made (docs/formats/vmfox.md)."""
    wrong = ["capture.json has %s %r" % (key, info.get(key)) for key, known in WAYS.items()
             if info.get(key) not in known]
    if info.get("channel") == "socket" and not info.get("channel_why"):
        wrong.append("capture.json does not say why there was no ring")
    return wrong


def refused(name, said, *calls, options=()):
    @fault(name, GROUP, said)
    def run(trial):
        before = (places.built("refuse.c"), *calls, "--")
        alone = trial.alone("steady.py", "0.5")
        result = trial.finish(trial.record("steady.py", "0.5", before=before, options=options))
        trial.same(alone, result)
        trial.no_stall()
        opened = trial.opens(whole=True, real_time="--real-time" in options)
        if opened is not None:
            trial.check(RECORDING, opened.count() > 0, "the recording is empty")
            for text in untold(opened.info):
                trial.check(RECORDING, False, text)
        trial.nothing_left()


refused("no-memfd", "memfd_create: EPERM", "memfd_create")
refused("no-memfd-known", "memfd_create: ENOSYS", "memfd_create=ENOSYS")
refused("no-timer", "timer_create: EPERM, `--real-time`", "timer_create", options=("--real-time",))
refused("no-timer-cpu", "timer_create: EPERM", "timer_create")
refused("no-perf", "perf_event_open: EPERM, `--period 0.001`", "perf_event_open",
        options=("--period", "0.001"))
refused("no-perf-known", "perf_event_open: ENOSYS, `--period 0.001`", "perf_event_open=ENOSYS",
        options=("--period", "0.001"))
refused("no-stamps", "SO_TIMESTAMPNS: EPERM", "SO_TIMESTAMPNS")
refused("no-stamps-no-memfd", "SO_TIMESTAMPNS and memfd_create", "SO_TIMESTAMPNS", "memfd_create")
refused("no-readv", "process_vm_readv, ptrace: EPERM", "process_vm_readv", "ptrace")
refused("nothing-allowed", "all of these", "memfd_create", "timer_create", "perf_event_open",
        "SO_TIMESTAMPNS", "process_vm_readv", "ptrace", "pidfd_open", "shmget", "mincore")
