"""One run of one fault: a folder, the program alone and under vmfox, and what is compared."""
import fcntl
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import termios
import time
import zipfile
from pathlib import Path

from . import places, processes, recording

# What is looked at; a column each in the table.
PROGRAM, FILES, RECORDING, LEFT, TIME = ASPECTS = ("program", "files", "recording", "left", "time")

SPARE = Path("/var/tmp")  # where vmfox goes when the temporary folder takes nothing
PATIENCE = 30.0  # seconds; nothing here runs so long unless it hangs
STALL = 2.0  # seconds that no step of a program takes, on however busy a machine
SLOWER = 4  # times as long is no chance any more
OWN_LINE = re.compile(rb"^vmfox: .*\n?", re.MULTILINE)
# What differs from run to run without vmfox as well.
CHANGING = re.compile(rb"0x[0-9a-f]{6,16}")


class Result:
    """How a run of the program ended."""

    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    @classmethod
    def load(cls, path):
        row = json.loads(path.read_text())
        return cls(row["code"], row["out"].encode("latin-1"), row["err"].encode("latin-1"),
                   row["seconds"])

    def save(self, path):
        part = path.with_suffix(".%d.part" % os.getpid())
        part.write_text(json.dumps({"code": self.code, "out": self.out.decode("latin-1"),
                                    "err": self.err.decode("latin-1"), "seconds": self.seconds}))
        part.rename(path)


class Running:
    """A command that was started; `program()` finds the interpreter below it."""

    def __init__(self, trial, words, env, limits, folder, stdin):
        self.trial, self.folder = trial, folder
        self.out_path, self.err_path = folder / "stdout", folder / "stderr"
        self.begun = time.monotonic()
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err, \
                open(stdin or os.devnull, "rb") as given:
            self.process = subprocess.Popen(
                [str(word) for word in words], cwd=folder, env=env, stdin=given, stdout=out,
                stderr=err, start_new_session=True, preexec_fn=lambda: set_limits(limits))

    @property
    def pid(self):
        return self.process.pid

    def living(self):
        return self.process.poll() is None

    def program(self):
        return processes.find_program(self.pid, self.trial.python.exe, 20, self.living)

    def wait(self, patience=PATIENCE):
        """The exit code, or None if it hangs."""
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            return None
        return code if code >= 0 else 128 - code

    def result(self, code):
        return Result(code, self.out_path.read_bytes(), self.err_path.read_bytes(),
                      time.monotonic() - self.begun)


def set_limits(limits):
    """In the new process, before the command."""
    for name, value in limits.items():
        hard = resource.getrlimit(getattr(resource, name))[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(getattr(resource, name), (value, value))
    if os.isatty(0):  # the new session's own, whose keys send signals to its group
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores these two, and so would children
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


class Trial:
    """`dice` is random but can be repeated, `number` counts the runs of a fault from 0."""

    def __init__(self, python, folder, shared, seed, number):
        self.python, self.shared, self.number = python, shared, number
        self.vmfox = places.vmfox()
        self.dice = random.Random(seed)
        self.mark = self.mark_of(seed, os.getpid())
        self.folder = folder / "run"
        self.tmp, self.home = folder / "tmp", folder / "home"
        for path in (self.folder, self.tmp, self.home):
            path.mkdir(parents=True)
        self.capture = self.folder / "x.vmfox"
        self.checked, self.wrong = [], {}
        self.own_lines = []
        self.mounts, self.elsewhere = [], []
        self.last_opened = None
        self.begun = time.time()

    @staticmethod
    def mark_of(seed, pid):
        return "%s-%d" % (hashlib.sha256(seed.encode()).hexdigest()[:16], pid)

    # ---- what was found ---------------------------------------------------------------------------

    def check(self, aspect, held, text):
        if aspect not in self.checked:
            self.checked.append(aspect)
        if not held:
            self.wrong.setdefault(aspect, []).append(text)
        return held

    # ---- running ----------------------------------------------------------------------------------

    def environment(self, extra):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "TMPDIR": str(self.tmp),
               "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1",
               "TRIAL_MOMENT": "0.4", processes.MARK: self.mark}
        for name, value in os.environ.items():
            if name.endswith("SAN_OPTIONS") or name in ("LD_LIBRARY_PATH", "VMFOX_CHECK"):
                env[name] = value
        env.update(extra)
        return env

    def alone(self, program, *args, limits=None, stdin=None, env=None, before=()):
        """The program without vmfox. It is run once for all runs that ask for the same."""
        limits, env = limits or {}, env or {}
        key = repr((before, self.python.path, program, args, sorted(limits.items()), stdin,
                    sorted(env.items())))
        saved = self.shared / (hashlib.sha256(key.encode()).hexdigest() + ".json")
        if saved.exists():
            return Result.load(saved)
        folder = self.folder.parent / "alone"
        folder.mkdir()
        running = Running(self, [*before, self.python.path, places.PROGRAMS / program, *args],
                          self.environment(env), limits, folder, stdin)
        code = running.wait()
        if code is None:
            raise places.Absent("%s does not end without vmfox either" % program)
        self.wait_for_daemons()
        result = running.result(code)
        shutil.rmtree(folder)
        for path in self.tmp.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        result.save(saved)
        return result

    def wait_for_daemons(self, patience=PATIENCE):
        """What the program left running on purpose comes to its end by itself."""
        end = time.monotonic() + patience
        while processes.marked(self.mark) and time.monotonic() < end:
            time.sleep(0.01)

    def record(self, program, *args, options=(), limits=None, stdin=None, env=None, before=(),
               moment=None, output=None):
        """Starts `vmfox record` of a program in programs/. `before` are words in front of vmfox."""
        env = dict(env or {})
        if moment is not None:
            env["TRIAL_MOMENT"] = "%.4f" % moment
        return Running(self, [*before, self.vmfox, "record", "-q", *options, "-o",
                              output or self.capture, "--", self.python.path,
                              places.PROGRAMS / program, *args],
                       self.environment(env), limits or {}, self.folder, stdin)

    def finish(self, running, patience=PATIENCE):
        """Waits for its end. None, and noted, if it hangs."""
        code = running.wait(patience)
        self.check(TIME, code is not None, "still running after %.0f s" % patience)
        if code is None:
            processes.sweep(self.mark)
            return None
        self.wait_for_daemons(10)
        return running.result(code)

    # ---- comparing --------------------------------------------------------------------------------

    def same(self, alone, result, code=None, out=None):
        """Output, errors and exit code are those of the program alone; lines of vmfox's own are set
        aside. `code`, `out`: expected in place of the program's."""
        if result is None:
            return
        self.own_lines = OWN_LINE.findall(result.err)
        self.check(TIME, result.seconds < SLOWER * max(1.0, alone.seconds) + 8,
                   "%.0f s, alone %.1f s" % (result.seconds, alone.seconds))
        err = CHANGING.sub(b"0x", OWN_LINE.sub(b"", result.err))
        code = alone.code if code is None else code
        self.check(PROGRAM, result.code == code, "exit code %d, alone %d%s" % (
            result.code, code, " (%s)" % self.said() if self.own_lines else ""))
        out = alone.out if out is None else out
        self.check(PROGRAM, CHANGING.sub(b"0x", result.out) == CHANGING.sub(b"0x", out),
                   "stdout %s, alone %s" % differ(result.out, out))
        alone_err = CHANGING.sub(b"0x", alone.err)
        self.check(PROGRAM, err == alone_err, "stderr %s, alone %s" % differ(err, alone_err))

    def same_so_far(self, alone, result, code):
        """The same of a program that was ended in its middle: what it wrote is how it begins."""
        if result is None:
            return
        self.check(PROGRAM, alone.out.startswith(result.out),
                   "stdout %s, alone %s" % differ(result.out, alone.out))
        self.same(Result(code, b"", b"", 0), result, code=code, out=result.out)

    def said(self):
        return b"".join(self.own_lines).decode(errors="replace").strip()

    def one_line(self):
        """vmfox said what happened, and no more than that."""
        self.check(RECORDING, 1 <= len(self.own_lines) <= 2,
                   "vmfox said %d lines: %s" % (len(self.own_lines), self.said()))

    def no_stall(self, told=None):
        told = told or recording.progress(self.folder)
        if told:
            self.check(TIME, told.longest_ns < STALL * 1e9,
                       "a step took %.1f s" % (told.longest_ns / 1e9))

    # ---- the recording ----------------------------------------------------------------------------

    def convert(self, capture):
        """The opened recording, or None and what vmfox said."""
        out = self.folder.parent / "opened.json"
        # The user has made room meanwhile.
        roomy = self.folder.parent / "roomy"
        roomy.mkdir(exist_ok=True)
        done = subprocess.run([str(self.vmfox), "convert", "-q", "-o", str(out), str(capture)],
                              cwd=self.folder.parent, env=self.environment({"TMPDIR": str(roomy)}),
                              capture_output=True, timeout=PATIENCE)
        if done.returncode != 0:
            return None, done.stderr.decode(errors="replace").strip()
        opened = recording.Opened(capture, out.read_text(encoding="utf-8", errors="surrogatepass"))
        out.unlink()
        return opened, ""

    def opens(self, capture=None, told=None, **expected):
        """The recording is there, opens, and its samples are plausible."""
        capture = capture or self.capture
        if not self.check(RECORDING, os.path.exists(capture), "there is no recording%s" % (
                " (%s)" % self.said() if self.own_lines else "")):
            return None
        opened, said = self.convert(capture)
        if not self.check(RECORDING, opened is not None, "it does not open: %s" % said):
            return None
        told = told or recording.progress(self.folder)
        for text in recording.plausible(opened, told, **expected):
            self.check(RECORDING, False, text)
        self.last_opened = opened
        return opened

    def words(self):
        return [word.strip("'\"`,.:;()") for word in self.said().split()]

    def recover_named(self):
        """The folder that stays beside a recording that had no room for all."""
        for word in self.words():
            if "/" in word and self.is_folder_of_remains(self.folder / word):
                self.recover(self.folder / word)

    def kept(self, **expected):
        """The recording lies where it was asked for, or where a line of vmfox's says."""
        if self.capture.exists():
            self.recover_named()
            return self.opens(**expected)
        for word in self.words():
            path = self.folder / word
            if "/" in word and path.is_file() and self.is_recording(path):
                self.note_elsewhere(path)
                opened = self.opens(path, **expected)
                if self.tmp in path.parents:  # where it was to be found, and not left behind
                    path.unlink()
                return opened
            if "/" in word and self.is_folder_of_remains(path):
                self.note_elsewhere(path)
                return self.recover(path, **expected)
        self.check(RECORDING, False, "not kept: %s" % (self.said() or "not a word of it"))
        return None

    def is_new(self, path):
        return not path.is_symlink() and path.stat().st_mtime >= self.begun

    def is_recording(self, path):
        """One that this trial made. Other files that vmfox names are the user's."""
        return path.suffix == ".vmfox" and self.is_new(path)

    def is_folder_of_remains(self, path):
        return path.name.startswith("vmfox-") and path.is_dir() and self.is_new(path)

    def note_elsewhere(self, path):
        """A recording that was kept outside of the trial's folders is removed at the end."""
        if self.folder.parent not in path.parents:
            self.elsewhere.append(path)

    def remains(self):
        return sorted(path for path in self.tmp.iterdir() if path.name.startswith("vmfox"))

    def recover(self, *folders, must=True, told=None, whole=False, **expected):
        """`vmfox recover` opens what is left; with `must` there has to be something."""
        if not folders:
            self.check(RECORDING, not must, "nothing is left that could be recovered")
            return None
        out = self.folder.parent / "recovered.vmfox"
        done = subprocess.run([str(self.vmfox), "recover", "-q", "-o", str(out), *map(str, folders)],
                              cwd=self.folder.parent, env=self.environment({}),
                              capture_output=True, timeout=PATIENCE)
        said = done.stderr.decode(errors="replace").strip().splitlines()
        self.check(RECORDING, not must or (done.returncode == 0 and out.exists()),
                   "vmfox recover: exit code %d: %s" % (done.returncode, (said or [""])[0]))
        if out.exists():
            return self.opens(out, told=told, whole=whole, **expected)
        return None

    # ---- what is left -----------------------------------------------------------------------------

    def nothing_left(self):
        """No process and no file of vmfox's, but what it has named."""
        alive = [processes.name_of(pid) for pid in processes.marked(self.mark)]
        self.check(LEFT, not alive, "still running: %s" % ", ".join(alive))
        left = sorted(str(path.relative_to(self.tmp)) for path in self.tmp.rglob("*")
                      if not self.is_named(path))
        self.check(LEFT, not left, "left in the temporary folder: %s" % ", ".join(left[:6]))
        left = sorted(str(path.relative_to(self.home)) for path in self.home.rglob("*vmfox*")
                      if not self.is_named(path))
        self.check(LEFT, not left, "left at home: %s" % ", ".join(left[:6]))
        left = sorted(path.name for path in SPARE.glob("*vmfox*")
                      if self.is_mine(path) and not self.is_named(path))
        self.check(LEFT, not left, "left in %s: %s" % (SPARE, ", ".join(left)))
        parts = sorted(path.name for path in {*self.folder.glob("*"), *self.capture.parent.glob("*")}
                       if "vmfox" in path.name and path != self.capture and not self.is_named(path))
        self.check(LEFT, not parts, "left beside the recording: %s" % ", ".join(parts))

    def is_named(self, path):
        """Where vmfox says that something is kept, and what is in it."""
        named = {self.folder / word.strip("'\"`,.:;()") for word in self.said().split() if "/" in word}
        return not named.isdisjoint({path, *path.parents} - set(self.folder.parents) -
                                    {self.folder, self.tmp, self.home, SPARE})

    def is_mine(self, path):
        """A recording, or what is left of one, that this trial made: others are at work there too."""
        try:
            if path.is_dir():
                info = json.loads((path / "session.json").read_text())
            else:
                with zipfile.ZipFile(path) as bundle:
                    info = json.loads(bundle.read("capture.json"))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return False  # not to be told
        return Path(info.get("working_dir", "/")).is_relative_to(self.folder)

    # ---- folders of a small size ------------------------------------------------------------------

    def small_disk(self, path, size):
        """Mounts a tmpfs of so many bytes there."""
        if os.geteuid() != 0:
            raise places.Absent("root, to mount a small tmpfs")
        path.mkdir(exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d,mode=700" % size,
                               "vmfox-trial", str(path)], capture_output=True, text=True)
        if done.returncode:
            raise places.Absent("a tmpfs could not be mounted: %s" % done.stderr.strip())
        self.mounts.append(path)

    def close(self):
        """Ends and removes all that is left, whatever happened."""
        processes.sweep(self.mark)
        for path in self.mounts:
            subprocess.run(["umount", "-l", str(path)], capture_output=True)
        for path in self.elsewhere:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def differ(a, b):
    """Two texts from where they differ on, short."""
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    start = max(0, a.rfind(b"\n", 0, at) + 1)
    return repr(a[start:start + 160].decode(errors="replace")), \
        repr(b[start:start + 160].decode(errors="replace"))
