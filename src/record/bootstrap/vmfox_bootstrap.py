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
# The channel is one end of a SOCK_SEQPACKET pair.  VMProf writes its records into it; packets that
# begin with CONTROL are messages of ours.  The file is compiled with the name "<vmfox>", by which
# the reader knows its frames.
import os
import sys

CONTROL = b"\xffvmfox"
THREAD_ROOT = "vmfox_thread_"
ROOT_SOURCE = """
def %s(*args, **options):
    enter(number, function)
    try:
        return function(*args, **options)
    finally:
        leave(number, function)
"""


class Recorder(object):
    """The recording of this process: what is started, and how it is ended."""

    def __init__(self, settings):
        self.settings = settings
        self.pid = os.getpid()
        self.fd = int(settings["fd"])
        self.jitlog_fd = int(settings["jitlog"])
        self.period = float(settings["period"])
        self.real_time = int(settings["real_time"])
        self.native = int(settings["native"])
        self.lines = int(settings["lines"])
        self.memory = int(settings["memory"])
        self.pypylog = "set_PYPYLOG" in settings
        self.is_pypy = "__pypy__" in sys.builtin_module_names
        self.vmprof = None
        self.jitlog = None
        self.numbers = iter(range(1, 1 << 60))  # of threads; next() is one step, also between threads
        self.waiting = []  # messages that could not be sent yet
        # CPython's code is told by its address: that of a thread's root must not be used again.
        self.roots = []
        self.names = {}  # thread id -> name, as last told

    # ---- the channel ----

    def send(self, packet):
        while True:
            try:
                return os.write(self.fd, packet)
            except BlockingIOError:
                import select

                select.select([], [self.fd], [], 1.0)

    def tell(self, *words):
        """A message: words separated by NUL, none of which holds one."""
        self.send(self.message(words))

    def tell_soon(self, *words):
        """As tell(), but never waits and never fails: what can't be sent now goes with the next
        message, and none is sent into a channel that is gone."""
        if not is_channel(self.settings):
            return
        self.waiting.append(self.message(words))
        while self.waiting:
            try:
                packet = self.waiting.pop(0)
            except IndexError:
                return  # another thread has sent it
            try:
                os.write(self.fd, packet)
            except OSError:
                self.waiting.insert(0, packet)
                return

    def message(self, words):
        text = "\0".join(str(word).replace("\0", "")[:1000] for word in words)
        return CONTROL + text.encode("utf-8", "backslashreplace")

    # ---- start ----

    def start(self):
        """True when the program is being profiled; False when it can't be (told why)."""
        if self.is_pypy:
            version = "%d.%d.%d" % sys.pypy_version_info[:3]
        else:
            version = "%d.%d.%d" % sys.version_info[:3]
        python = "%d.%d.%d" % sys.version_info[:3]
        self.tell("hello", "pypy" if self.is_pypy else "cpython", version, python, self.pid)
        try:
            import _vmprof
        except ImportError as error:
            self.tell("failed", "no-vmprof", error)
            return False
        self.vmprof = _vmprof
        lines = 0 if self.is_pypy else self.lines
        memory = 0 if self.is_pypy else self.memory
        try:
            self.watch_threads()
            self.watch_forks()
            self.watch_posix()
            if self.native and self.load_libunwind():
                self.tell("innermost")
            else:  # libunwind itself is not let near the program's descriptors
                self.native = 0
            before = descriptors()
            _vmprof.enable(self.fd, self.period, memory, lines, self.native, self.real_time)
            for fd in descriptors() - before:  # VMProf's own: for the process's memory
                keep_from_children(fd)
        except Exception as error:
            self.tell("failed", "enable", error)
            return False
        self.start_jitlog()
        import atexit

        atexit.register(self.finish)
        self.calibrate()
        return True

    def load_libunwind(self):
        """Loads vmfox's libunwind.so (see inside/unwind.h there), for VMProf to find it under
        that name, and keeps it. Nothing of it can be seen in sys.modules."""
        path = os.path.join(self.settings["folder"], "libunwind.so")
        if not os.path.exists(path) or os.path.getsize(path) == 0:
            return False
        try:
            if not self.is_pypy:
                return self.load_as_extension(path)
            known = set(sys.modules)
            import _rawffi

            self.libunwind = _rawffi.CDLL(path)
            for name in set(sys.modules) - known:
                del sys.modules[name]
            return True
        except Exception:  # a temporary folder that nothing may be run from
            return False

    def load_as_extension(self, path):
        """CPython leaves a library loaded in which it has missed a module's entry point."""
        import _imp

        class Spec(object):
            name = "vmfox_libunwind"
            origin = path

        try:
            _imp.create_dynamic(Spec)
        except ImportError as error:
            return "PyInit_vmfox_libunwind" in str(error)
        return False

    def start_jitlog(self):
        if self.jitlog_fd < 0:
            return
        try:
            import _jitlog

            _jitlog.enable(self.jitlog_fd)
            self.jitlog = _jitlog
        except Exception:
            pass  # CPython, or a PyPy without a JIT

    def calibrate(self):
        """Lets vmfox find out how this interpreter lays out code objects in memory, so that it can
        name functions by itself when the program dies before finish()."""
        if self.is_pypy or sys.version_info < (3, 8):
            return
        name, file = "vmfox_calibration_name", "<vmfox calibration file>"
        code = compile("0", file, "exec").replace(co_name=name, co_firstlineno=0x5EAF17)
        if hasattr(code, "co_qualname"):
            code = code.replace(co_qualname="vmfox calibration")
        self.roots.append(code)
        self.tell("layout", id(code), id(code.co_name), code.co_name, id(code.co_filename),
                  code.co_filename, code.co_firstlineno)

    # ---- threads ----

    def watch_threads(self):
        """Gives each thread a root frame whose code carries a number: PyPy's samples name no thread,
        and CPython's only the address of its state."""
        import _thread

        known = sys.modules.get("threading")
        for name in ("start_new_thread", "start_new", "start_joinable_thread"):
            original = getattr(_thread, name, None)
            if original is None:
                continue
            patched = self.starter(original)
            setattr(_thread, name, patched)
            if known is not None and getattr(known, "_" + name, None) is original:
                setattr(known, "_" + name, patched)

    def starter(self, original):
        def start(function, *rest, **options):
            if callable(function) and os.getpid() == self.pid:
                function = self.threaded(function)
            return original(function, *rest, **options)

        start.__name__ = original.__name__
        start.__qualname__ = original.__qualname__
        start.__doc__ = original.__doc__
        start.__module__ = original.__module__
        return start

    def threaded(self, function):
        """A function in place of `function`, whose code is this thread's alone.  It is made in the
        starting thread, so that it is the very first frame of the new one."""
        number = next(self.numbers)
        code = root_code(THREAD_ROOT + str(number))
        if not self.is_pypy:
            self.roots.append(code)
        scope = {"function": function, "number": number, "enter": self.enter_thread,
                 "leave": self.leave_thread}
        return type(descriptors)(code, scope)

    def enter_thread(self, number, function):
        try:
            self.name_thread(number, function)
            if self.real_time and hasattr(self.vmprof, "insert_real_time_thread"):
                self.vmprof.insert_real_time_thread()
        except Exception:
            pass  # the thread's own function runs whatever happens here

    def leave_thread(self, number, function):
        try:
            self.name_thread(number, function)
            self.names.pop(thread_id(), None)
        except Exception:
            pass

    def name_thread(self, number, function):
        """Tells which thread this is, and its name; again when the name has changed.  Nothing of the
        program's own is called: neither its attributes' getters nor its classes' methods."""
        if os.getpid() != self.pid:
            return
        ident = thread_id()
        threading = sys.modules.get("threading")
        name = ""
        if type(function) is type(self.tell):
            owner = function.__self__
            if threading is not None and isinstance(owner, threading.Thread):
                name = vars(owner).get("_name")
        if not name and type(function) in (type(descriptors), type(self.tell)):
            name = function.__name__
        if type(name) is not str:
            name = ""
        if self.names.get(ident) != (number, name):
            self.names[ident] = (number, name)
            self.tell_soon("thread", number, ident, name)

    # ---- forks ----

    def watch_forks(self):
        if self.is_pypy and self.pypylog:
            from __pypy__ import debug_start, debug_stop

            self.debug_start, self.debug_stop = debug_start, debug_stop
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self.before_fork, after_in_parent=self.forked,
                                after_in_child=self.in_child)

    def before_fork(self):
        """PyPy opens its log anew in a child, by an environment variable that is gone by then: it
        would go to standard error.  It may do so before any code of ours runs there."""
        if self.pypylog:
            os.putenv("PYPYLOG", "none:" + os.devnull)

    def forked(self):
        if self.pypylog:
            os.unsetenv("PYPYLOG")
        if os.getpid() == self.pid:
            self.tell("forked")

    def in_child(self):
        """A child is not profiled.  PyPy's VMProf would go on to note new code in it, into a file
        that is closed, and in the end wait for room that never comes."""
        if not self.is_pypy:
            return
        if self.jitlog is not None:
            lead_nowhere(self.jitlog_fd)
        if self.pypylog:
            self.debug_start("vmfox")  # makes PyPy look now, and take the variable away again
            self.debug_stop("vmfox")
            os.unsetenv("PYPYLOG")
        try:
            self.vmprof.disable()
        except Exception:
            pass

    # ---- calls that VMProf does not survive ----

    def watch_posix(self):
        import posix

        for name, make in (("execv", self.executer), ("execve", self.executer),
                           ("closerange", self.closer)):
            original = getattr(posix, name)
            patched = make(original)
            patched.__name__ = patched.__qualname__ = name
            patched.__doc__ = original.__doc__
            patched.__module__ = original.__module__
            setattr(posix, name, patched)
            setattr(os, name, patched)

    def executer(self, original):
        """VMProf's timer goes on in the program that takes this one's place, and ends it."""
        import _signal

        timer = _signal.ITIMER_REAL if self.real_time else _signal.ITIMER_PROF

        def execute(*args, **options):
            if os.getpid() != self.pid:
                return original(*args, **options)
            self.tell_soon("exec", args[0] if args and isinstance(args[0], str) else "")
            was = _signal.setitimer(timer, 0)
            try:
                return original(*args, **options)
            finally:
                _signal.setitimer(timer, *was)

        return execute

    def closer(self, original):
        """A program that closes all it has not opened itself would close the channel too; PyPy's
        VMProf then waits half a minute for room at the next import."""

        def closerange(fd_low, fd_high):
            if os.getpid() != self.pid:
                return original(fd_low, fd_high)
            for mine in sorted(fd for fd in (self.fd, self.jitlog_fd) if fd_low <= fd < fd_high):
                original(fd_low, mine)
                fd_low = mine + 1
            return original(fd_low, fd_high)

        return closerange

    # ---- end ----

    def finish(self):
        """Runs last of all exit functions, and must not be noticed whatever happens: the program
        may have closed the channel, or stopped VMProf itself."""
        if os.getpid() != self.pid:
            return
        try:
            if is_channel(self.settings):
                self.end_recording()
            else:
                self.abandon()
        except BaseException as error:
            self.tell_soon("trouble", error)

    def abandon(self):
        """The program has closed the channel.  VMProf would wait for room in it as CPython frees its
        code objects; so it gets a file that takes everything, unless the number is in use again."""
        try:
            os.fstat(self.fd)
        except OSError:
            lead_nowhere(self.fd)
            self.vmprof.disable()

    def end_recording(self):
        self.vmprof.stop_sampling()
        for packet in self.waiting:
            self.send(packet)
        threading = sys.modules.get("threading")
        if threading is not None:
            for thread in list(threading.enumerate()):
                native = getattr(thread, "native_id", None) or thread.ident
                number, name = self.names.get(native, (0, None))
                if native is not None and name != thread.name:
                    self.tell("thread", number, native, thread.name)
        self.tell_long_files()
        self.tell("ending")
        addresses = self.read_addresses()
        os.set_blocking(self.fd, True)  # from here on nothing may be dropped
        self.write_native_names(addresses)
        if not self.is_pypy:
            self.vmprof.write_all_code_objects(set(addresses))
        self.vmprof.disable()
        if self.jitlog is not None:
            self.jitlog.disable()

    def tell_long_files(self):
        """PyPy cuts file names in its records; the whole ones let vmfox find the sources."""
        if not self.is_pypy:
            return
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and len(file) > 110:
                self.tell("file", file)

    def read_addresses(self):
        """The answer to "ending": the addresses seen in samples, in packets of 8-byte numbers, and
        an empty-bodied packet behind the last one."""
        os.set_blocking(self.fd, True)
        addresses = []
        while True:
            packet = os.read(self.fd, 65536)
            if len(packet) < 8:
                return addresses
            for at in range(0, len(packet) - 7, 8):
                addresses.append(int.from_bytes(packet[at:at + 8], "little", signed=True))

    def write_native_names(self, addresses):
        """What vmprof.disable() writes: names for the native functions in the stacks."""
        natives = [a for a in addresses if a > 0 and a & 1]
        for address, (name, line, file) in self.resolve(natives):
            text = "n:%s:%d:%s" % (name, line or 0, file or "-")
            data = text.encode("utf-8", "replace")
            self.send(b"\x08" + address.to_bytes(8, "little") + len(data).to_bytes(8, "little")
                      + data)

    def resolve(self, addresses):
        many = getattr(self.vmprof, "resolve_many_addr", None)
        one = getattr(self.vmprof, "resolve_addr", None)
        if many is not None:
            found = many(addresses)
        elif one is not None:
            found = {address: one(address) for address in addresses}
        else:
            found = {}
        return [(address, names) for address, names in found.items() if names and names[0]]


def root_code(name, template=[]):
    """Code for a thread's root: compiled once and renamed, where Python can do that."""
    if template and hasattr(template[0], "replace"):
        return template[0].replace(co_name=name)
    scope = {}
    exec(compile(ROOT_SOURCE % name, "<vmfox>", "exec"), scope)
    template[:] = [scope[name].__code__]
    return template[0]


def descriptors():
    """The open descriptors; one of them, the folder's own, is gone again."""
    return {int(name) for name in os.listdir("/proc/self/fd")}


def lead_nowhere(fd):
    """What is written to the descriptor from here on is taken and forgotten."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, fd, inheritable=False)
    os.close(null)


def thread_id():
    import _thread

    return getattr(_thread, "get_native_id", _thread.get_ident)()


def keep_from_children(fd):
    try:
        os.set_inheritable(fd, False)
    except OSError:
        pass


# ---- in place of sitecustomize --------------------------------------------------------------------


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


def is_channel(settings):
    """False where a program between vmfox and the interpreter has closed our descriptors, and
    perhaps opened its own under their numbers."""
    try:
        return os.fstat(int(settings["fd"])).st_ino == int(settings["inode"])
    except OSError:
        return False


def begin():
    """Starts the recording; the settings, or None in a process that is not the program."""
    settings = parse_settings()
    if settings is None:
        return None
    folder = settings["folder"]
    for path in [p for p in sys.path if p == folder]:
        sys.path.remove(path)
    sys.path_importer_cache.pop(folder, None)
    if not is_channel(settings):
        return None
    if sys.version_info < (3, 6):
        os.write(int(settings["fd"]), CONTROL + b"failed\0old-python\0" + sys.version.encode())
        os._exit(1)
    for fd in (int(settings["fd"]), int(settings["jitlog"])):
        if fd >= 0:
            os.set_inheritable(fd, False)
    if not Recorder(settings).start():
        os._exit(1)
    return settings


def as_sitecustomize():
    begin()
    # Now what Python would have imported, had we not stood in front of it.  When there is nothing,
    # the ImportError goes on to site.py, which knows it.
    del sys.modules["sitecustomize"]
    import sitecustomize  # noqa: F401
