"""Tracers, debuggers, and what looks into the interpreter."""
from .. import places
from ..registry import fault
from ..trial import PROGRAM

GROUP = "Tracing and debugging"


def no_trace(trial, result):
    if result is not None:
        text = result.out + result.err
        trial.check(PROGRAM, b"<vmfox>" not in text and b"vmfox_thread" not in text,
                    "<vmfox> is seen")


def not_in_pypy(trial):
    """PyPy's faulthandler asks its VMProf for names, which knows none of what was made after it was
    started: docs/recording.md says so."""
    if trial.python.name.startswith("PyPy"):
        raise places.Absent("a faulthandler that knows code made while VMProf is on")


def watches(name, how, said, able=None):
    @fault(name, GROUP, said)
    def run(trial):
        if able:
            able(trial)
        alone = trial.alone("watchers.py", how)
        if alone.out.startswith(b"no "):
            raise places.Absent(alone.out.decode()[3:].strip() + " in this interpreter")
        result = trial.finish(trial.record("watchers.py", how))
        trial.same(alone, result)
        no_trace(trial, result)
        trial.opens(whole=True)
        trial.nothing_left()


watches("settrace", "settrace", "`sys.settrace`, `threading.settrace`")
watches("setprofile", "setprofile", "`sys.setprofile`, `threading.setprofile`")
watches("settrace-raw-thread", "raw-thread", "`sys.settrace` in a thread of `_thread`")
watches("monitoring", "monitoring", "`sys.monitoring`")
watches("coverage", "coverage", "all lines of all files, as coverage.py counts them")
watches("frames", "frames", "`sys._current_frames` of all threads")
watches("dump-traceback", "faulthandler", "`faulthandler.dump_traceback` of all threads",
        not_in_pypy)
watches("get_objects", "get_objects", "`gc.get_objects`, `sys.modules`")
watches("tracemalloc", "tracemalloc", "`tracemalloc`")
watches("thread-exception", "exceptions", "the traceback of a thread that raises")
watches("surroundings", "surroundings", "sys.path, the environment, hooks, the number of threads")


@fault("pdb", GROUP, "pdb, with a breakpoint in a function that a thread calls as well")
def pdb(trial):
    given = trial.shared / "pdb-commands"
    own = trial.folder / "pdb-commands"  # another run may be reading the one that all have
    own.write_text("b inner\nc\nwhere\nup\nc\nc\nq\n")
    own.replace(given)
    alone = trial.alone("debugger.py", stdin=str(given))
    result = trial.finish(trial.record("debugger.py", stdin=str(given)))
    trial.same(alone, result)
    no_trace(trial, result)
    trial.nothing_left()
