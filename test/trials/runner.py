"""Runs faults, a process each, and keeps what came of them."""
import collections
import multiprocessing
import multiprocessing.connection
import shutil
import signal
import tempfile
import time
import traceback
from pathlib import Path

from . import faults, places, processes, registry  # noqa: F401
from .trial import Trial

HARD_LIMIT = 240.0  # seconds for one run, all its waiting included

Job = collections.namedtuple("Job", "fault python number seed")
# `absent`: why it could not be tried. `checked`: the aspects that were looked at. `wrong`: aspect ->
# what was not as it should be.
Outcome = collections.namedtuple("Outcome", "job absent checked wrong")


def seed_of(job):
    return "%s/%s/%d/%d" % (job.fault.name, job.python.name, job.seed, job.number)


def how_to_repeat(job):
    return "scripts/trials faults --only %s --python %s --seed %d --from %d --runs 1" % (
        job.fault.name, job.python.path, job.seed, job.number)


def run_here(job, scratch, pipe):
    """One run, in a process of its own, which takes in what loses its parent."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):  # as nohup(1)
        signal.signal(number, signal.SIG_DFL)
    processes.adopt_orphans()
    folder = Path(tempfile.mkdtemp(dir=scratch))
    shared = Path(scratch) / "alone"
    shared.mkdir(exist_ok=True)
    absent, trial = None, None
    try:
        trial = Trial(job.python, folder, shared, seed_of(job), job.number)
        job.fault.run(trial)
    except places.Absent as error:
        absent = str(error)
    except Exception:  # a fault of the trial's own is no success
        if trial is None:
            raise
        trial.check("program", False, "the trial itself failed: %s" % traceback.format_exc())
    finally:
        if trial is not None:
            trial.close()
    pipe.send((absent, trial.checked, trial.wrong))
    shutil.rmtree(folder, ignore_errors=True)


class Slot:
    """A run that is going on."""

    def __init__(self, job, scratch):
        context = multiprocessing.get_context("fork")
        self.job = job
        self.pipe, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=run_here, args=(job, scratch, theirs))
        self.process.start()
        theirs.close()
        self.end = time.monotonic() + HARD_LIMIT

    def outcome(self):
        """None while it goes on."""
        if self.pipe.poll():
            try:
                found = self.pipe.recv()
            except EOFError:
                found = (None, ["program"], {"program": ["the trial itself ended early"]})
            self.process.join()
            return Outcome(self.job, *found)
        if time.monotonic() < self.end:
            return None
        self.process.kill()
        self.process.join()
        processes.sweep(Trial.mark_of(seed_of(self.job), self.process.pid))
        return Outcome(self.job, None, ["time"], {"time": ["stopped after %.0f s" % HARD_LIMIT]})


def run_all(jobs, at_once=2):
    """Runs all jobs, so many at a time, and yields the outcome of each as it ends."""
    waiting, slots = collections.deque(jobs), []
    scratch = tempfile.mkdtemp(prefix="trials-")
    try:
        while waiting or slots:
            while waiting and len(slots) < at_once:
                slots.append(Slot(waiting.popleft(), scratch))
            multiprocessing.connection.wait([slot.pipe for slot in slots], 1.0)
            for slot in list(slots):
                outcome = slot.outcome()
                if outcome:
                    slots.remove(slot)
                    yield outcome
    finally:
        for slot in slots:
            slot.process.kill()
            slot.process.join()
            processes.sweep(Trial.mark_of(seed_of(slot.job), slot.process.pid))
        shutil.rmtree(scratch, ignore_errors=True)


def failures(outcome):
    """What was wrong, a text each."""
    return ["%s: %s" % (aspect, text) for aspect, texts in outcome.wrong.items() for text in texts]
