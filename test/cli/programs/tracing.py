"""Everything by which a program can look at what runs; what it sees of vmfox."""
import atexit
import faulthandler
import gc
import io
import os
import pdb
import sys
import tempfile
import threading
import time
import types

WORDS = ("vmfox", "<sitecustomize")
seen = set()


def look(what, text):
    if any(word in str(text) for word in WORDS):
        seen.add((what, str(text)))


def trace(frame, event, arg):
    look("trace " + event, frame.f_code.co_filename)
    return trace


def profile(frame, event, arg):
    look("profile " + event, frame.f_code.co_filename)
    look("profile " + event, getattr(arg, "__name__", ""))


def work():
    end = time.process_time() + 0.1
    while time.process_time() < end:
        sum(range(300))


def run_threads():
    for name in ("one", "two"):
        thread = threading.Thread(target=work, name=name)
        thread.start()
        thread.name += " renamed"
        thread.join()


def monitor():
    events = sys.monitoring.events
    sys.monitoring.use_tool_id(3, "tool")
    for event in (events.PY_START, events.PY_RETURN, events.LINE):
        sys.monitoring.register_callback(
            3, event, lambda code, *rest: look("monitoring", code.co_filename))
    sys.monitoring.register_callback(
        3, events.CALL, lambda code, at, function, arg: look("monitoring call", function))
    sys.monitoring.set_events(3, events.PY_START | events.PY_RETURN | events.LINE | events.CALL)
    run_threads()
    sys.monitoring.set_events(3, 0)


def objects():
    for item in gc.get_objects():
        if isinstance(item, (types.FunctionType, types.CodeType)):
            code = getattr(item, "__code__", item)
            look("object", getattr(code, "co_filename", ""))
        elif isinstance(item, types.ModuleType):
            look("module", item.__name__)
        elif isinstance(item, types.BuiltinFunctionType):
            look("builtin", item.__name__)


def dumped():
    with tempfile.TemporaryFile() as file:
        thread = threading.Thread(target=work)
        thread.start()
        faulthandler.dump_traceback(file, all_threads=True)
        thread.join()
        file.seek(0)
        look("dump", file.read())


def debugged():
    out = io.StringIO()
    pdb.Pdb(stdin=io.StringIO("step\nwhere\nstep\nwhere\ncontinue\n"), stdout=out).runcall(work)
    look("pdb", out.getvalue())


def allocated():
    import tracemalloc

    if not tracemalloc.is_tracing():
        tracemalloc.start(10)
    run_threads()
    for trace in tracemalloc.take_snapshot().traces:
        for frame in trace.traceback:
            look("tracemalloc", frame.filename)


for tracer, in_threads in ((sys.settrace, threading.settrace),
                           (sys.setprofile, threading.setprofile)):
    function = trace if tracer is sys.settrace else profile
    tracer(function)
    in_threads(function)
    run_threads()
    os.system("true")
    tracer(None)
    in_threads(None)
if hasattr(sys, "monitoring"):
    monitor()
if "__pypy__" not in sys.builtin_module_names:
    objects()
    allocated()
dumped()
debugged()
for name, value in list(os.environ.items()) + list(sys.modules.items()):
    look("environment", name)
for place in sys.path:
    look("path", place)
atexit.register(lambda: print(sorted(seen)))
sys.settrace(trace)
sys.setprofile(profile)
