# What vmfox runs inside the profiled interpreter, before the program's first line.
#
# It is written into a temporary folder as sitecustomize.py, and that folder is put in front of
# PYTHONPATH: the interpreter then runs the very command line the user gave, so that sys.argv,
# __main__, tracebacks and all the rest are the program's own.  With -E, -I or -S the interpreter
# looks at no PYTHONPATH or no sitecustomize; then it is started with `-c` and vmfox_main() does what
# the interpreter would have done.
#
# The environment variable VMFOX_BOOTSTRAP holds what to do (see record/child.c).  It, the folder
# and every trace in sys.modules and os.environ are taken away again here.
#
# It loads one library (src/inside), which maps the ring that the recorder reads and is led to by the
# numbers below in place of descriptors; the ring's own descriptor is closed here.  What happens
# while the program runs happens in that library.  On PyPy, which has no C functions to put in the
# place of its own, a few Python functions are left (vmfox_in_pypy.py).
#
# The files are compiled with names that begin with "<sitecustomize", by which the reader knows their
# frames.
import os
import sys

EBUSY = 16  # without a module that the program has not imported
# inside.h
CONTROL, VMPROF, JITLOG = 0x7FFFF0F0, 0x7FFFF0F1, 0x7FFFF0F2


class Refused(Exception):
    """Why nothing is recorded: a word for the recorder, and a text."""


class Unfit(Refused):
    """The interpreter can't be recorded at all.  Where it is what the user has asked for, the program
    is not run."""


def message(*words):
    """Words separated by NUL, none of which holds one."""
    text = []
    for word in words:  # a generator would be a function of its own, which tracing sees
        text.append(str(word).replace("\0", "")[:4000])
    return "\0".join(text).encode("utf-8", "backslashreplace")


# ---- the library ------------------------------------------------------------------------------


def load_in_pypy(path):
    """The library's one function, as a Python function that takes bytes."""
    known = set(sys.modules)
    import _rawffi

    for name in set(sys.modules) - known:
        del sys.modules[name]
    library = _rawffi.CDLL(path)
    function = library.ptr("vmfox_call", ["P", "l"], "l")
    chars, pointers, longs = _rawffi.Array("c"), _rawffi.Array("P"), _rawffi.Array("l")

    def call(words):
        text = chars(len(words), words, autofree=True)
        pointer, count = pointers(1, autofree=True), longs(1, autofree=True)
        pointer[0], count[0] = text, len(words)
        return function(pointer, count)[0]

    return call


def load_extension(path, name):
    """CPython leaves a library loaded in which it has missed a module's entry point, or whose entry
    point has failed.  The error's text."""
    import _imp

    class Spec(object):
        origin = path

    Spec.name = name
    try:
        _imp.create_dynamic(Spec)
    except ImportError as error:
        return str(error)
    return ""


def is_own(settings, word):
    """False where code that ran before this has closed the descriptor (a program between vmfox and the
    interpreter, a .pth file), and perhaps opened its own under the number."""
    try:
        return os.fstat(int(settings[word])).st_ino == int(settings[word + "_inode"])
    except OSError:
        return False


def library(settings, word, name):
    """Where a library is: in the folder, or where nothing there can be run, in a descriptor."""
    if word not in settings:
        return os.path.join(settings["folder"], name)
    if not is_own(settings, word):
        raise Refused("library", "its descriptor was closed before the program began")
    return "/proc/self/fd/" + settings[word]


def load_inside(settings, is_pypy):
    path = library(settings, "inside", "vmfox_inside.so")
    try:
        if is_pypy:
            return load_in_pypy(path)
        text = load_extension(path, "vmfox_inside")
        call = sys.__dict__.pop("vmfox_inside", None)
    except Exception as error:
        raise Refused("library", error)
    if call is None:
        raise Refused("library", text)
    return call


def load_libunwind(settings, is_pypy):
    """Loads vmfox's libunwind.so (inside/unwind.h), for VMProf to find it under that name, and keeps
    it."""
    try:
        path = library(settings, "unwind", "libunwind.so")
        if os.path.getsize(path) == 0:
            return False
        if not is_pypy:
            return "PyInit_vmfox_libunwind" in load_extension(path, "vmfox_libunwind")
        known = set(sys.modules)
        import _rawffi

        for name in set(sys.modules) - known:
            del sys.modules[name]
        _rawffi.CDLL(path)
        return True
    except Exception:  # a machine whose stacks it can't walk
        return False


# ---- the start --------------------------------------------------------------------------------


def import_vmprof(is_pypy):
    try:
        import _vmprof
    except ImportError as error:
        is_missing = getattr(error, "name", None) == "_vmprof" and error.path is None
        raise Unfit("pypy-without" if is_pypy else "no-vmprof" if is_missing else "broken-vmprof",
                    error)
    return _vmprof


def forget_refusal(settings):
    """Of an interpreter that the same script has run before."""
    try:
        os.remove(os.path.join(settings["folder"], "failed"))
    except OSError:
        pass


def check(done, what):
    if done < 0:
        raise Refused("inside", "%s: %d" % (what, done))


def start(settings):
    """Starts the recording; nothing that is called later stays behind but what is named here."""
    if sys.version_info < (3, 6):
        raise Unfit("old-python", sys.version)
    known = set(sys.modules)
    try:
        start_sampling(settings, "__pypy__" in sys.builtin_module_names)
    finally:
        for name in set(sys.modules) - known - {"atexit"}:  # the program has not imported them
            del sys.modules[name]


def start_sampling(settings, is_pypy):
    vmprof = import_vmprof(is_pypy)  # before the ring is taken, and what was recorded forgotten
    call = load_inside(settings, is_pypy)
    done = call(message("!open", settings["ring"]))
    if done == -EBUSY:  # another interpreter of the same script is the program
        return
    check(done, "the ring can't be mapped")
    forget_refusal(settings)
    python = "%d.%d.%d" % sys.version_info[:3]
    version = "%d.%d.%d" % sys.pypy_version_info[:3] if is_pypy else python
    call(message("hello", "pypy" if is_pypy else "cpython", version, python, os.getpid()))
    # libunwind itself is not let near the program's descriptors.
    native = int(settings["native"] == "1" and load_libunwind(settings, is_pypy) and
                 call(message("!unwind")) >= 0)
    if native:
        call(message("innermost"))
    done = call(message("!attach", "" if is_pypy else vmprof.__file__))
    if done < 0 and not is_pypy:  # under another name that leads to it
        done = call(message("!attach", os.path.realpath(vmprof.__file__)))
    check(done, "VMProf's calls can't be led to vmfox")
    enable(call, vmprof, settings, is_pypy, native)
    if is_pypy:
        leave_in_pypy(call, vmprof, settings)
    else:
        leave_in_cpython(call, vmprof)
        calibrate(call)
    check(call(message("!start")), "the signal's handler can't be set")


def enable(call, vmprof, settings, is_pypy, native):
    lines = 0 if is_pypy else int(settings["lines"])
    call(message("!window", "1"))
    try:
        vmprof.enable(VMPROF, float(settings["period"]), 0, lines, native, 0)
    except Exception as error:
        raise Refused("enable", error)
    finally:
        call(message("!window", "0"))


def calibrate(call):
    """Lets vmfox find out how this interpreter lays out code objects and strings in memory, so that it
    can name functions by itself."""
    if sys.version_info < (3, 8):
        return
    name, file = "calibration_name", "<calibration file>"
    code = compile("0", file, "exec").replace(co_name=name, co_firstlineno=0x5EAF17)
    if hasattr(code, "co_qualname"):
        code = code.replace(co_qualname="calibration")
    call(code)
    call(message("layout", id(code), id(code.co_name), code.co_name, id(code.co_filename),
                 code.co_filename, code.co_firstlineno))
    for text in ("calibration\xe9\xe8", "calibration\u0416\u0434", "calibration\U0001d538\U0001d539"):
        code = code.replace(co_name=text)
        call(code)
        call(message("string", id(code.co_name), text))


def leave_in_cpython(call, vmprof):
    import _thread
    import atexit

    threading = sys.modules.get("threading")
    for name in ("start_new_thread", "start_new", "start_joinable_thread"):
        original = getattr(_thread, name, None)
        if original is None:
            continue
        ours = call((_thread, original))
        setattr(_thread, name, ours)
        if threading is not None and getattr(threading, "_" + name, None) is original:
            setattr(threading, "_" + name, ours)
    atexit.register(call(vmprof.disable))


def start_jitlog(call):
    """Switches it on, off and on, for vmfox to find out by which variable PyPy knows that it is."""
    try:
        import _jitlog

        for step in range(4):
            call(message("!jitlog", step))
            if step == 1:
                _jitlog.disable()
            elif step < 3:
                _jitlog.enable(JITLOG)
        return _jitlog
    except Exception:  # a PyPy without a JIT
        return None


def take_log(call, sections):
    """Switches PyPy's log on; what it has said at its start, and is needed, is said again."""
    if call(message("!log", sections)) < 0:
        call(message("trouble", "PyPy's log can't be switched on"))
        return
    try:
        import __pypy__
        import gc

        size = "nursery size: %d" % gc.get_stats()._s.nursery_size
    except Exception:  # a PyPy that counts it in another way, or not at all
        return
    __pypy__.debug_start("gc-set-nursery-size")
    __pypy__.debug_print(size)
    __pypy__.debug_stop("gc-set-nursery-size")


def leave_in_pypy(call, vmprof, settings):
    jitlog = start_jitlog(call) if settings["jitlog"] == "1" else None
    if "set_PYPYLOG" in settings:
        take_log(call, settings["set_PYPYLOG"])
    scope = {"CONTROL": CONTROL}
    with open(os.path.join(settings["folder"], "vmfox_in_pypy.py"), "rb") as file:
        exec(compile(file.read(), "<sitecustomize thread>", "exec"), scope)
    scope["watch_threads"]()
    scope["watch_end"](vmprof, jitlog)


# ---- in place of sitecustomize ----------------------------------------------------------------


def parse_settings():
    text = os.environ.pop("VMFOX_BOOTSTRAP", None)
    if text is None:
        return None
    settings = dict(item.split("=", 1) for item in text.split("\x1f"))
    for name in ("PYTHONPATH", "PYPYLOG"):
        if "had_" + name in settings:
            os.environ[name] = settings["had_" + name]
        elif name in os.environ and "set_" + name in settings:
            del os.environ[name]
    return settings


def is_ring(settings):
    return settings["ring"].startswith("shm") or is_own(settings, "ring")


def close_own(settings, word):
    if word + "_inode" in settings and is_own(settings, word):
        os.close(int(settings[word]))


def is_asked_for(settings):
    """False where a script has started this interpreter on its way to the program, perhaps."""
    return os.getppid() == int(settings["parent"])


def refuse(settings, why):
    """Tells why nothing is recorded in a file, for there may be no other way.  The program is run all
    the same, but where it is clear that nobody wants that."""
    runs = not isinstance(why, Unfit) or not is_asked_for(settings)
    words = why.args + ((sys.executable or "python",) if runs else ())
    try:
        with open(os.path.join(settings["folder"], "failed"), "wb") as file:
            file.write(message(*words))
    except OSError:
        pass
    if not runs:
        os._exit(1)


def begin():
    """Starts the recording; the settings, or None in a process that is not the program."""
    settings = parse_settings()
    if settings is None:
        return None
    folder = settings["folder"]
    for path in [p for p in sys.path if p == folder]:
        sys.path.remove(path)
    sys.path_importer_cache.pop(folder, None)
    if not is_ring(settings):
        return None
    try:
        start(settings)
    except Refused as why:
        refuse(settings, why)
        close_own(settings, "ring")
    finally:
        close_own(settings, "inside")
        close_own(settings, "unwind")
    return settings


def as_sitecustomize():
    begin()
    # Now what Python would have imported, had we not stood in front of it.  When there is nothing,
    # the ImportError goes on to site.py, which knows it.
    del sys.modules["sitecustomize"]
    import sitecustomize  # noqa: F401
