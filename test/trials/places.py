"""Where things are, and the interpreters."""
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).resolve().parent / "programs"
BUILD = ROOT / "build" / "trials"

FACTS = ("import sys, platform; print(platform.python_implementation(), "
         "'%d.%d.%d' % getattr(sys, 'pypy_version_info', sys.version_info)[:3])")


class Absent(Exception):
    """What a trial needs is not here; the text says what."""


def vmfox():
    """The program to try: $VMFOX, else the newest of the usual builds."""
    named = os.environ.get("VMFOX")
    if named:
        return Path(named).resolve()
    found = [path for path in (ROOT / "build/vmfox", ROOT / "build/dev/vmfox") if path.is_file()]
    if not found:
        raise Absent("there is no build/vmfox; build it, or name another in VMFOX")
    return max(found, key=lambda path: path.stat().st_mtime)


class Interpreter:
    """One that programs are run by: `path` as named, `exe` the file behind it, `name` as people
    say it ("PyPy 7.3.11")."""

    def __init__(self, path):
        found = shutil.which(str(path))
        if not found:
            raise Absent("there is no %s" % path)
        self.path = os.path.abspath(found)
        done = subprocess.run([self.path, "-c", FACTS], capture_output=True, text=True)
        if done.returncode:
            raise Absent("%s does not run: %s" % (path, done.stderr.strip()))
        self.name = done.stdout.strip()
        self.exe = os.path.realpath(subprocess.run(
            [self.path, "-c", "import os; print(os.readlink('/proc/self/exe'))"],
            capture_output=True, text=True, check=True).stdout.strip())
        self.pypy = self.name.startswith("PyPy")

    def can_be_recorded(self):
        return self.pypy or subprocess.run([self.path, "-c", "import _vmprof"],
                                           capture_output=True).returncode == 0


def interpreters(named=()):
    """Those named, else pypy3 and the CPython of the tests."""
    words = list(named) or [
        "pypy3", os.environ.get("VMFOX_TEST_CPYTHON") or str(ROOT / "build/venv/bin/python")]
    found = [Interpreter(word) for word in words]
    for interpreter in found:
        if not interpreter.can_be_recorded():
            raise Absent("%s has no vmprof" % interpreter.path)
    return found


def compiler():
    found = shutil.which(os.environ.get("CC") or "cc")
    if not found:
        raise Absent("there is no C compiler")
    return found


def built(source, *words, shared=False):
    """A program or library made of programs/SOURCE, compiled when it is older than its source."""
    path = PROGRAMS / source
    out = BUILD / (path.stem + (".so" if shared else ""))
    if out.is_file() and out.stat().st_mtime >= path.stat().st_mtime:
        return str(out)
    BUILD.mkdir(parents=True, exist_ok=True)
    part = BUILD / ("%s.%d.part" % (out.name, os.getpid()))
    flags = ["-shared", "-fPIC"] if shared else []
    subprocess.run([compiler(), "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", *flags,
                    "-o", str(part), str(path), *words], check=True)
    part.rename(out)  # two trials may build it at once
    return str(out)


def extension(interpreter, source):
    """A CPython extension module made of programs/SOURCE, and the folder it lies in."""
    if interpreter.pypy:
        raise Absent("an extension for CPython")
    include = subprocess.run(
        [interpreter.path, "-c", "import sysconfig; print(sysconfig.get_path('include'))"],
        capture_output=True, text=True, check=True).stdout.strip()
    if not (Path(include) / "Python.h").is_file():
        raise Absent("%s has no headers (Debian: python3-dev)" % interpreter.name)
    suffix = subprocess.run(
        [interpreter.path, "-c", "import sysconfig; print(sysconfig.get_config_var('EXT_SUFFIX'))"],
        capture_output=True, text=True, check=True).stdout.strip()
    folder = BUILD / interpreter.name.replace(" ", "-")
    out = folder / (Path(source).stem + suffix)
    if not out.is_file() or out.stat().st_mtime < (PROGRAMS / source).stat().st_mtime:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / ("%s.%d.part" % (out.name, os.getpid()))
        subprocess.run([compiler(), "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-I", include,
                        "-o", str(part), str(PROGRAMS / source)], check=True)
        part.rename(out)
    return str(folder)
