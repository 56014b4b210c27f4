# What vmfox leaves in a program under PyPy, in the scope that vmfox_bootstrap.py makes for it.
#
# There no function of C can take the place of a Python function, so these are Python's; they are
# hidden_applevel, as PyPy's own are: tracing, profiling and tracebacks do not show them.  They talk
# to the library in the program by writing to a number that is no descriptor (inside/control.c).
# What they call is kept here, for a program may put other functions in the modules.
import sys

import _thread
from __pypy__ import hidden_applevel
from posix import getpid, write

modules = sys.modules
get_tid = getattr(_thread, "get_native_id", _thread.get_ident)


@hidden_applevel
def tell(*words):
    """A message: words separated by NUL, none of which holds one.  False: it was not taken."""
    text = []
    for word in words:
        text.append(str(word).replace("\0", "")[:4000])
    try:
        write(CONTROL, "\0".join(text).encode("utf-8", "backslashreplace"))
    except OSError:
        return False
    return True


# ---- threads ----------------------------------------------------------------------------------


class Here(object):
    def method(self):
        pass


method, function_types = type(Here().method), (type(tell), type(Here().method))
del Here


@hidden_applevel
def thread_of(function):
    """The threading.Thread that begins with this function, or None."""
    threading = modules.get("threading")
    if type(function) is method and threading is not None:
        owner = function.__self__
        if isinstance(owner, threading.Thread):
            return owner
    return None


@hidden_applevel
def name_of(function):
    """Nothing of the program's own is called: neither its attributes' getters nor its methods."""
    thread = thread_of(function)
    name = vars(thread).get("_name") if thread is not None else None
    if type(name) is not str and type(function) in function_types:
        name = function.__name__
    return name if type(name) is str else ""


@hidden_applevel
def renaming(function):
    """Thread._bootstrap, and then the thread's name if it was changed."""
    before = name_of(function)

    @hidden_applevel
    def run_thread(*args, **options):
        try:
            return function(*args, **options)
        finally:
            after = name_of(function)
            if after != before:
                tell("name", get_tid(), after)

    return run_thread


@hidden_applevel
def starter(original):
    @hidden_applevel
    def start_new_thread(function, *rest, **options):
        if callable(function):
            tell("!name", name_of(function))
            if thread_of(function) is not None:
                function = renaming(function)
        return original(function, *rest, **options)

    start_new_thread.__doc__ = original.__doc__
    start_new_thread.__name__ = start_new_thread.__qualname__ = original.__name__
    start_new_thread.__module__ = original.__module__
    return start_new_thread


def watch_threads():
    """Tells the name of each thread that begins."""
    threading = modules.get("threading")
    for name in ("start_new_thread", "start_new"):
        original = getattr(_thread, name)
        ours = starter(original)
        setattr(_thread, name, ours)
        if threading is not None and getattr(threading, "_" + name, None) is original:
            setattr(threading, "_" + name, ours)


# ---- the end ----------------------------------------------------------------------------------


@hidden_applevel
def tell_living():
    threading = modules.get("threading")
    for thread in list(threading._active.values()) if threading is not None else ():
        name, tid = vars(thread).get("_name"), vars(thread).get("_native_id", thread.ident)
        if type(name) is str and type(tid) is int:
            tell("name", tid, name)


@hidden_applevel
def tell_long_files():
    """PyPy cuts file names in its records; the whole ones let vmfox find the sources.  What the
    program has put among the modules is not asked: it may load things, or fail."""
    for module in list(modules.values()):
        if issubclass(type(module), type(sys)):
            file = object.__getattribute__(module, "__dict__").get("__file__")
            if type(file) is str and len(file) > 110:
                tell("file", file)


def watch_end(vmprof, jitlog):
    """An exit function, the first that is registered and so the last that runs."""
    import atexit

    pid = getpid()

    @hidden_applevel
    def finish():
        if getpid() != pid:
            return
        running = tell("!stop")  # else the program has stopped it, and what runs now is its own
        try:
            tell_living()
            tell_long_files()
            tell("!window", "1")
            if running:
                vmprof.disable()
            if jitlog is not None:
                jitlog.disable()
        except Exception as error:
            if "not enabled" not in str(error):  # the program has stopped it itself
                tell("trouble", "%s: %s" % (type(error).__name__, error))
        tell("!window", "0")
        tell("ended")

    atexit.register(finish)
