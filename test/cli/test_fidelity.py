"""The program gets what it would have without vmfox: every program here runs once by itself and once
under `vmfox record -q`, and what it prints, what it reports and its exit code must be the same."""
import os
import re
import zipapp

import pytest

import support

# What a program finds loaded in addition.
ALLOWED_MODULES = {"atexit"}


@pytest.fixture
def compare(python, tmp_path):
    """compare(words...) runs them both ways and returns the result."""

    def both(*words, stdin=b"", env=None, crashes=False):
        full = support.environment(tmp_path / "tmp", **(env or {}))
        direct = support.run((python,) + words, tmp_path, stdin=stdin, env=full)
        words = ("record", "-q", "-o", "x.vmfox", python) + words
        for _ in range(3):
            under = support.run((support.VMFOX,) + words, tmp_path, stdin=stdin, env=full)
            if under.code != 139 or crashes:
                break
        code = direct.code if direct.code >= 0 else 128 - direct.code
        assert (under.code, under.out, under.err) == (code, direct.out, direct.err)
        assert os.listdir(tmp_path / "tmp") == []
        assert (tmp_path / "x.vmfox").stat().st_size > 0
        return under

    return both


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return name


# ---- what a program sees ------------------------------------------------------------------------

SURROUNDINGS = r"""
import os, sys
print(sys.argv, sys.path, sys.flags, sys.executable, sys.prefix)
print(sys.warnoptions, sys._xoptions if hasattr(sys, '_xoptions') else '')
main = sys.modules['__main__']
print(__name__, globals().get('__file__'), globals().get('__cached__'), __package__)
print(__spec__ and (__spec__.name, __spec__.origin, __spec__.cached, __spec__.parent))
print(sorted(main.__dict__), type(__loader__).__name__, type(__builtins__).__name__)
print(os.getcwd(), sorted(os.environ.items()))
print(sys.getrecursionlimit(), sys.gettrace(), sys.getprofile(), sys.excepthook is sys.__excepthook__)
print(sys.stdin.isatty(), sys.stdout.encoding, sys.stderr.errors, sys.getfilesystemencoding())
print(os.getpgid(0) == os.getpgid(os.getppid()), os.umask(0o22), 'site' in sys.modules)
import signal
print([(n, str(signal.getsignal(n))) for n in range(1, 32) if n != signal.SIGPROF])
"""

FORMS = {
    "script": ("see.py",),
    "script with arguments": ("see.py", "a", "-m", "--", "-o", "", "\u00e9 'x\""),
    "absolute script": ("{folder}/see.py", "1"),
    "script in a folder": ("sub/see.py",),
    "linked script": ("link.py",),
    "module": ("-m", "see", "-x", "y"),
    "module, one word": ("-msee", "y"),
    "package": ("-m", "pack", "y"),
    "submodule": ("-m", "pack.part"),
    "folder": ("pack", "1"),
    "zip": ("app.pyz", "-c"),
    "-O": ("-O", "see.py"),
    "-OO -B": ("-OO", "-B", "see.py"),
    "-W": ("-W", "error", "-Wignore::DeprecationWarning", "see.py"),
    "-X": ("-X", "utf8", "see.py"),
    "-s -u": ("-su", "see.py"),
    "-E": ("-E", "see.py", "a"),
    "-I": ("-I", "see.py", "a"),
    "-I module": ("-Im", "json.tool", "--help"),
    "-E module": ("-E", "-m", "see", "a"),
    "-E package": ("-E", "-m", "pack"),
    "-E folder": ("-E", "pack"),
    "-E zip": ("-E", "app.pyz"),
    "-E script in a folder": ("-E", "sub/see.py"),
}


@pytest.mark.parametrize("form", FORMS)
def test_surroundings(compare, tmp_path, form):
    for name in ("see.py", "sub/see.py", "pack/__init__.py", "pack/part.py", "pack/__main__.py",
                 "zipped/__main__.py"):
        write(tmp_path, name, SURROUNDINGS if name != "pack/__init__.py" else "")
    os.symlink("sub/see.py", tmp_path / "link.py")
    zipapp.create_archive(tmp_path / "zipped", tmp_path / "app.pyz")
    done = compare(*[word.format(folder=tmp_path) for word in FORMS[form]],
                   env={"OWN": "1", "PYTHONPATH": "", "EMPTY": ""})
    assert done.code == 0 and done.out


@pytest.mark.parametrize("options", [(), ("-E",), ("-I",), ("-O",)], ids=lambda o: "".join(o) or "-")
def test_surroundings_of_code(compare, options):
    assert compare(*options, "-c", SURROUNDINGS, "a", "-b").code == 0


@pytest.mark.parametrize("options", [(), ("-E",)], ids=lambda o: "".join(o) or "-")
def test_surroundings_from_standard_input(compare, options):
    assert compare(*options, "-", "a", stdin=SURROUNDINGS.encode()).code == 0


def test_no_script_means_standard_input_too(tmp_path, python):
    done = support.vmfox("record", "-q", python, cwd=tmp_path, stdin=b"print(1)")
    assert done.code == 2 and "-m MODULE" in done.err


def test_without_site(pypy, tmp_path):
    # Here the bootstrap stands in for the interpreter; the program is still the same to itself.
    write(tmp_path, "see.py", "import sys\n"
          "print(sys.argv, __name__, __file__, sys.flags, 'site' in sys.modules)\n"
          "1 / 0\n")
    direct = support.run((pypy, "-S", "see.py", "a"), tmp_path)
    under = support.record(pypy, "-S", "see.py", "a", cwd=tmp_path)
    assert (under.code, under.out.encode(), under.err.encode()) == direct
    assert direct.code == 1


def test_modules(compare, tmp_path, python):
    write(tmp_path, "see.py", "import sys\nprint(*sorted(sys.modules))\n")
    direct = set(support.run((python, "see.py"), tmp_path).out.decode().split())
    under = set(support.record(python, "see.py", cwd=tmp_path).out.split())
    assert direct <= under and under - direct == ALLOWED_MODULES


@pytest.mark.parametrize("path", [None, "lib", "lib:other", ":lib", "", "{folder}/lib"])
def test_python_path_is_kept(compare, tmp_path, path):
    write(tmp_path, "lib/helper.py", "print('helper')\n")
    write(tmp_path, "see.py", "import os, sys\n"
          "print(sys.path, os.environ.get('PYTHONPATH'))\n"
          "try:\n"
          "    import helper\n"
          "except ImportError:\n"
          "    print('none')\n")
    env = {} if path is None else {"PYTHONPATH": path.format(folder=tmp_path)}
    done = compare("see.py", env=env)
    assert (b"helper" in done.out) == bool(path)


@pytest.mark.parametrize("text", ["print('mine', __name__, __file__)\nimport sys\nsys.mine = 1\n",
                                  "raise ImportError('not me')\n", "1 / 0\n"])
def test_the_users_sitecustomize_still_runs(compare, tmp_path, text):
    write(tmp_path, "lib/sitecustomize.py", text)
    write(tmp_path, "see.py", "import sys\n"
          "print(getattr(sys, 'mine', 0), 'sitecustomize' in sys.modules)\n")
    assert compare("see.py", env={"PYTHONPATH": "lib"}).code == 0


# ---- streams and files --------------------------------------------------------------------------


def test_standard_input_is_the_programs(compare, tmp_path):
    write(tmp_path, "read.py", "import sys\nprint(repr(sys.stdin.buffer.read()))\n")
    done = compare("read.py", stdin=bytes(range(256)) * 1000)
    assert len(done.out) > 256000


def test_descriptors(compare, tmp_path):
    """The program gets the numbers that it would get alone."""
    write(tmp_path, "open.py", "import os, sys\n"
          "first = os.open('/dev/null', os.O_RDONLY)\n"
          "print(first, [os.open('/dev/null', os.O_RDONLY) for _ in range(5)])\n"
          "print(os.fstat(0).st_mode, os.fstat(1).st_mode, os.fstat(2).st_mode)\n")
    assert re.match(rb"\d+ \[", compare("open.py").out)


def test_closed_streams(compare, tmp_path):
    write(tmp_path, "close.py", "import os, sys\n"
          "sys.stdout.write('x')\n"
          "sys.stdout.flush()\n"
          "os.close(1)\n"
          "os.close(0)\n"
          "print(os.open('/dev/null', os.O_RDONLY), file=sys.stderr)\n")
    compare("close.py")


def test_a_program_that_closes_every_descriptor(compare, tmp_path):
    write(tmp_path, "close.py", "import os, time\n"
          "os.closerange(3, 4096)\n"
          "end = time.process_time() + 0.05\n"
          "while time.process_time() < end: pass\n"
          "print('still here')\n")
    assert compare("close.py").out == b"still here\n"


def test_few_descriptors(compare, tmp_path):
    write(tmp_path, "few.py", "import resource\n"
          "resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))\n"
          "files = [open('/dev/null') for _ in range(8)]\n"
          "print(len(files))\n")
    compare("few.py")


def test_temporary_files_and_folders(compare, tmp_path):
    write(tmp_path, "temp.py", "import os, tempfile\n"
          "print(tempfile.gettempdir())\n"
          "with tempfile.NamedTemporaryFile() as f: print(f.write(b'x'))\n")
    compare("temp.py")


# ---- how it ends --------------------------------------------------------------------------------

ENDS = {
    "SystemExit 0": "import sys; sys.exit(0)",
    "SystemExit 3": "import sys; sys.exit(3)",
    "SystemExit 300": "import sys; sys.exit(300)",
    "SystemExit -1": "import sys; sys.exit(-1)",
    "SystemExit text": "import sys; sys.exit('message \u00e9')",
    "SystemExit None": "raise SystemExit",
    "_exit": "import os; print('lost?', flush=True); os._exit(7)",
    "exception": "def f(n):\n    if n: f(n - 1)\n    raise KeyError('x')\nf(3)",
    "chained": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    [][0]",
    "syntax error": "print(1)\nif if\n",
    "interrupt": "import os, signal; os.kill(os.getpid(), signal.SIGINT)\n"
                 "for i in range(10**9): pass",
    "own interrupt": "raise KeyboardInterrupt",
    "excepthook": "import sys\nsys.excepthook = lambda *a: print('hook', a[0])\n1 / 0",
    "recursion": "import sys\nsys.setrecursionlimit(80)\ndef f(): f()\nf()",
    "print_stack": "import traceback\ndef f(): traceback.print_stack()\nf()",
    "frames": "import sys\nf = sys._getframe()\n"
              "while f: print(f.f_code.co_name, f.f_code.co_filename, f.f_lineno); f = f.f_back",
    "atexit": "import atexit\nfor i in range(3): atexit.register(print, i)\nprint('end')",
    "atexit raises": "import atexit\natexit.register(int, 'no')\natexit.register(print, 'x')",
    "atexit cleared": "import atexit\natexit.register(print, 1)\natexit._clear()\nprint(2)",
    "thread raises": "import threading\ndef f(): 1 / 0\nt = threading.Thread(target=f, name='t')\n"
                     "t.start(); t.join()\nprint(threading.active_count())",
    "thread stack": "import threading, traceback\n"
                    "def f(): print([s.name for s in traceback.extract_stack()][-2:])\n"
                    "t = threading.Thread(target=f); t.start(); t.join()",
    "threads that stay": "import threading, time\n"
                         "t = threading.Thread(target=time.sleep, args=(60,), daemon=True)\n"
                         "t.start(); print(t.name, t.daemon)",
    "warnings": "import warnings\nwarnings.warn('careful')\nwarnings.warn('old', DeprecationWarning)",
    "unicode": "print('\u00e9\u20ac')\nraise ValueError('\u00e9')",
    "exec": "import os, sys\nsys.stdout.flush()\n"
            "os.execv(sys.executable, [sys.executable, '-c', 'print(1); raise SystemExit(4)'])",
}


@pytest.mark.parametrize("end", ENDS)
def test_end(compare, tmp_path, end):
    write(tmp_path, "end.py", ENDS[end])
    compare("end.py")


@pytest.mark.parametrize("options", [("-E", "end.py"), ("-E", "-c", "{code}"), ("-E", "-"),
                                     ("-c", "{code}"), ("-m", "end"), ("-E", "-m", "end")],
                         ids=" ".join)
@pytest.mark.parametrize("end", ["SystemExit text", "SystemExit 3", "exception", "syntax error",
                                 "own interrupt", "_exit", "atexit"])
def test_end_of_other_forms(compare, tmp_path, options, end):
    write(tmp_path, "end.py", ENDS[end])
    compare(*[word.format(code=ENDS[end]) for word in options], stdin=ENDS[end].encode())


@pytest.mark.parametrize("number", [1, 2, 6, 9, 11, 13, 15])
def test_killed_by_a_signal(compare, tmp_path, number):
    write(tmp_path, "die.py", "import os, signal\n"
          "if %d not in (9,): signal.signal(%d, signal.SIG_DFL)\n"
          "os.kill(os.getpid(), %d)\n" % (number, number, number))
    assert compare("die.py", crashes=True).code == 128 + number


# ---- children -----------------------------------------------------------------------------------

CHILDREN = {
    "subprocess": "import os, subprocess, sys\n"
                  "print(subprocess.check_output([sys.executable, '-c',\n"
                  "    'import os, sys; print(sorted(os.environ), sys.path)']))\n"
                  "print(subprocess.check_output(['env']).count(b'VMFOX'))\n"
                  "print(subprocess.call(['sh', '-c', 'exit 3']))\n"
                  "print(os.system('exit 4'))",
    "descriptors of a child": "import subprocess\n"
                              "subprocess.check_call('ls -l /proc/self/fd | wc -l', shell=True,"
                              " close_fds=False)",
    "fork": "import os, sys\n"
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    print('child', flush=True)\n"
            "    sys.exit(5)\n"
            "print('parent', os.waitpid(pid, 0)[1], flush=True)",
    "fork and exit quickly": "import os\n"
                             "for n in range(20):\n"
                             "    pid = os.fork()\n"
                             "    if pid == 0: os._exit(n)\n"
                             "    print(os.waitpid(pid, 0)[1])",
    "child that imports": "import os\n"
                          "pid = os.fork()\n"
                          "if pid == 0:\n"
                          "    import asyncio, decimal, email.message, fractions, json, logging\n"
                          "    import sqlite3, unittest, xml.dom.minidom, http.server, pydoc\n"
                          "    for i in range(3000):\n"
                          "        exec('def f%d(): return %d\\nf%d()' % (i, i, i))\n"
                          "    print('imported', flush=True)\n"
                          "    os._exit(0)\n"
                          "print(os.waitpid(pid, 0)[1])",
    "fork in a thread": "import os, threading\n"
                        "def f():\n"
                        "    pid = os.fork()\n"
                        "    if pid == 0:\n"
                        "        t = threading.Thread(target=print, args=('deep',))\n"
                        "        t.start(); t.join(); os._exit(2)\n"
                        "    print(os.waitpid(pid, 0)[1])\n"
                        "t = threading.Thread(target=f); t.start(); t.join()",
    "parent goes first": "import os, sys, time\n"
                         "r, w = os.pipe()\n"
                         "if os.fork() == 0:\n"
                         "    os.close(w)\n"
                         "    os.read(r, 1)\n"
                         "    os._exit(0)\n"
                         "print('gone')",
}

POOL = """
import multiprocessing, os, sys

def square(n):
    return n * n, sorted(k for k in os.environ if 'VMFOX' in k), __name__

if __name__ == '__main__':
    multiprocessing.set_start_method(sys.argv[1])
    with multiprocessing.Pool(2) as pool:
        print(pool.map(square, range(6)))
    child = multiprocessing.Process(target=sys.exit, args=(9,))
    child.start()
    child.join()
    print(child.exitcode, os.environ.get('PYTHONPATH'))
"""


@pytest.mark.parametrize("kind", CHILDREN)
def test_children(compare, tmp_path, kind):
    write(tmp_path, "child.py", CHILDREN[kind])
    assert compare("child.py").code == 0


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(compare, tmp_path, method):
    write(tmp_path, "pool.py", POOL)
    assert compare("pool.py", method).code == 0
