"""watchers.py HOW: watches itself in one of the ways that debuggers and coverage tools use, and
prints what it saw: as without vmfox, and nothing of vmfox's."""
import gc
import os
import sys
import threading
import traceback

import work

seen = set()


def short(path):
    return os.path.basename(path)


def note(event, code):
    # What threading itself does depends on who comes first.
    if short(code.co_filename) not in ("threading.py", "_weakrefset.py"):
        seen.add((event, short(code.co_filename), code.co_name))


def trace(frame, event, _arg):
    note(event, frame.f_code)
    return trace


def profile(frame, event, _arg):
    if not event.startswith("c_"):
        note(event, frame.f_code)


def target(x):
    return work.churn(50) + x


def use_threads():
    threads = [threading.Thread(target=target, args=(i,), name="t%d" % i) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def by_settrace():
    threading.settrace(trace)
    sys.settrace(trace)
    target(1)
    use_threads()
    sys.settrace(None)
    threading.settrace(None)


def by_setprofile():
    threading.setprofile(profile)
    sys.setprofile(profile)
    target(1)
    use_threads()
    sys.setprofile(None)
    threading.setprofile(None)


def by_trace_in_a_thread():
    import _thread

    done = threading.Event()

    def raw():
        sys.settrace(trace)
        target(2)
        sys.settrace(None)
        done.set()

    _thread.start_new_thread(raw, ())
    done.wait(20)


def by_monitoring():
    monitoring = sys.monitoring
    monitoring.use_tool_id(3, "trial")
    events = monitoring.events

    def on_call(code, *_rest):
        note("event", code)

    for event in (events.PY_START, events.PY_RETURN, events.LINE):
        monitoring.register_callback(3, event, on_call)
    monitoring.set_events(3, events.PY_START | events.PY_RETURN | events.LINE)
    target(1)
    use_threads()
    monitoring.set_events(3, 0)
    monitoring.free_tool_id(3)


def by_coverage():
    """As coverage.py does: all lines of all files, in all threads, from early on to exit."""
    lines = {}

    def line(frame, event, _arg):
        lines.setdefault(frame.f_code.co_filename, set()).add(frame.f_lineno)
        return line

    threading.settrace(line)
    sys.settrace(line)
    target(1)
    use_threads()
    work.new_code(1)
    sys.settrace(None)
    threading.settrace(None)
    for path, numbers in lines.items():
        if short(path) not in ("threading.py", "_weakrefset.py"):
            seen.add((short(path), len(numbers)))


def by_frames():
    """The stacks of all threads, as faulthandler, debuggers and servers' debug pages show them."""
    gate, ready = threading.Event(), threading.Barrier(4)

    def waits():
        ready.wait()
        gate.wait()

    threads = [threading.Thread(target=waits) for _ in range(3)]
    for thread in threads:
        thread.start()
    ready.wait()
    for frame in sys._current_frames().values():
        for entry in traceback.extract_stack(frame):
            if short(entry.filename) == "threading.py":
                continue
            seen.add((short(entry.filename), entry.name))
    gate.set()
    for thread in threads:
        thread.join()


def by_faulthandler():
    import faulthandler

    gate, ready = threading.Event(), threading.Barrier(2)

    def waits():
        ready.wait()
        gate.wait()

    thread = threading.Thread(target=waits)
    thread.start()
    ready.wait()
    try:
        with open("dump.txt", "w+") as file:
            faulthandler.dump_traceback(file, all_threads=True)
            file.seek(0)
            for row in file:
                row = row.strip()
                if row.startswith("File") and "threading.py" not in row:
                    name = short(row.split('"')[1]) if '"' in row else row
                    seen.add((name, row.rsplit(" in ", 1)[-1]))
    finally:
        gate.set()
    thread.join()


def by_objects():
    """Functions, code and modules that the collector knows."""
    use_threads()
    for thing in gc.get_objects():
        code = getattr(thing, "__code__", None)
        where = getattr(code, "co_filename", None) or getattr(thing, "__file__", None)
        if isinstance(where, str) and "vmfox" in where.replace(os.getcwd(), ""):
            seen.add(("object", type(thing).__name__, getattr(thing, "__name__", "?")))
    for name in sys.modules:
        if "vmfox" in name:
            seen.add(("module", name))


def by_tracemalloc():
    import tracemalloc

    tracemalloc.start(5)
    target(1)
    use_threads()
    kept = [work.new_code(i) for i in range(50)]
    for statistic in tracemalloc.take_snapshot().statistics("filename"):
        name = statistic.traceback[0].filename
        if "vmfox" in name.replace(os.getcwd(), ""):
            seen.add(("allocated", name))
    seen.add(("kept", len(kept)))


def by_exceptions():
    """The traceback of a thread that raises."""
    def broken():
        raise ValueError("in a thread")

    def hook(args):
        for entry in traceback.extract_tb(args.exc_traceback):
            seen.add((short(entry.filename), entry.name))

    threading.excepthook = hook
    thread = threading.Thread(target=broken)
    thread.start()
    thread.join()


def by_surroundings():
    """What a curious program prints of its surroundings."""
    seen.add(("path", tuple(short(entry) for entry in sys.path if "vmfox" in short(entry))))
    seen.add(("environment", tuple(name for name in os.environ if "VMFOX" in name.upper()
                                   and name not in ("VMFOX_TRIAL", "VMFOX_CHECK"))))
    seen.add(("pythonpath", os.environ.get("PYTHONPATH"), os.environ.get("PYPYLOG")))
    seen.add(("threads", threading.active_count(), len(os.listdir("/proc/self/task"))))
    seen.add(("main", tuple(sorted(vars(sys.modules["__main__"])))[:3], tuple(sys.argv[1:])))
    seen.add(("hooks", sys.excepthook is sys.__excepthook__, sys.gettrace(), sys.getprofile()))


WAYS = {"settrace": by_settrace, "setprofile": by_setprofile, "raw-thread": by_trace_in_a_thread,
        "monitoring": by_monitoring, "coverage": by_coverage, "frames": by_frames,
        "faulthandler": by_faulthandler, "get_objects": by_objects, "tracemalloc": by_tracemalloc,
        "exceptions": by_exceptions, "surroundings": by_surroundings}

if __name__ == "__main__":
    work.steps(0.2)
    if sys.argv[1] == "monitoring" and not hasattr(sys, "monitoring"):
        work.say("no sys.monitoring")
        sys.exit(3)
    if sys.argv[1] == "tracemalloc":
        try:
            import tracemalloc  # noqa: F401
        except ImportError:
            work.say("no tracemalloc")
            sys.exit(3)
    WAYS[sys.argv[1]]()
    work.steps(0.05)
    for row in sorted(map(repr, seen)):
        work.say(row)
    sys.exit(3)
