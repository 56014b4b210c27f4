"""What the tests of the commands share: running things, recording, and reading a profile.

VMFOX is the program to test (default: build/dev/vmfox), VMFOX_TEST_CPYTHON a CPython that has the
vmprof package (default: build/venv/bin/python), pypy3 comes from PATH.
"""
import atexit
import collections
import ctypes
import errno
import functools
import gzip
import json
import os
import shutil
import struct
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pytest

import slabs

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).resolve().parent / "programs"
DATA = ROOT / "test" / "data"
VMFOX = Path(os.environ.get("VMFOX") or ROOT / "build/dev/vmfox").resolve()
CPYTHON = Path(os.environ.get("VMFOX_TEST_CPYTHON") or ROOT / "build/venv/bin/python").absolute()

# Nothing here waits for this long unless it hangs.
PATIENCE = 120

# The grey category is the front-end's default one.
CATEGORIES = {"Other": "grey", "Python": "yellow", "JIT": "purple", "Native": "blue",
              "Garbage collection": "green"}

Frame = collections.namedtuple("Frame", "name file line func_line category subcategory lib")
Sample = collections.namedtuple("Sample", "time stack weight")  # the stack is root first
Marker = collections.namedtuple("Marker", "name start end data")  # ms
Result = collections.namedtuple("Result", "code out err")


# ---- running ------------------------------------------------------------------------------------


# Where `run` keeps its recordings, of which the user has been told.
CACHE = Path(tempfile.mkdtemp(prefix="test-cache-"))
atexit.register(shutil.rmtree, CACHE, ignore_errors=True)
(CACHE / "vmfox" / "recordings").mkdir(parents=True)
(CACHE / "vmfox" / "recordings" / "README").touch()


def environment(tmp, **extra):
    """An environment of few and known variables; temporary files go below `tmp`.  PyPy's nursery is
    as large as the processor's cache makes it on most machines: on one with 300 MB of cache there
    would hardly be a collection."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp), "LC_ALL": "C.UTF-8", "TZ": "UTC",
           "XDG_CACHE_HOME": str(CACHE), "PYPY_GC_NURSERY": "4M"}
    for name, value in os.environ.items():
        if name.endswith("SAN_OPTIONS") or name in ("LD_LIBRARY_PATH", "VMFOX_CHECK"):
            env[name] = value
    env["TMPDIR"] = str(tmp)
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    env.update(extra)
    return env


def run(words, cwd, stdin=b"", env=None, **options):
    """Runs a command to its end; output as bytes."""
    temp = Path(cwd) / "tmp"
    temp.mkdir(exist_ok=True)
    done = subprocess.run([str(word) for word in words], cwd=cwd, input=stdin,
                          env=environment(temp) if env is None else env, timeout=PATIENCE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    return Result(done.returncode, done.stdout, done.stderr)


def vmfox(*words, cwd, **options):
    """Runs vmfox; output as text."""
    done = run((VMFOX,) + words, cwd, **options)
    return Result(done.code, done.out.decode("utf-8", "surrogateescape"),
                  done.err.decode("utf-8", "surrogateescape"))


def vmfox_apart(*words, cwd, **extra):
    """Runs vmfox where /tmp is the folder `tmp` below `cwd` and /var/tmp is empty: for what looks
    through these, in which there may be something of the user's.  Names must be relative."""
    # By its descriptor, for the project itself may lie below /tmp.
    script = ('exec 9<"$0" && mount --bind tmp /tmp && mount -t tmpfs none /var/tmp && '
              'exec /proc/self/fd/9 "$@"')
    apart = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    (Path(cwd) / "tmp").mkdir(exist_ok=True)
    if subprocess.run(apart + ["sh", "-c", script, shutil.which("true")], cwd=cwd,
                      capture_output=True).returncode != 0:
        pytest.skip("no mount namespace can be made here")
    env = environment("/tmp", XDG_CACHE_HOME="/tmp/cache", **extra)
    done = run(apart + ["sh", "-c", script, VMFOX] + list(words), cwd, env=env)
    return Result(done.code, done.out.decode(), done.err.decode())


def without_unnamed_files():
    """A seccomp filter that makes open() know no O_TMPFILE, like a file system without it."""
    libc = ctypes.CDLL(None, use_errno=True)
    filters = b"".join(struct.pack("<HBBI", *row) for row in (
        (0x20, 0, 0, 0), (0x15, 0, 3, 257),                      # openat
        (0x20, 0, 0, 32), (0x45, 0, 1, 0o20000000),              # its flags
        (0x06, 0, 0, 0x00050000 + errno.EOPNOTSUPP), (0x06, 0, 0, 0x7fff0000)))
    text = ctypes.create_string_buffer(filters)
    program = struct.pack("<HxxxxxxQ", 6, ctypes.addressof(text))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, program, 0, 0) == 0


@functools.lru_cache(None)
def pc_thread():
    """What samples instructions a second time, for a thread of their own."""
    told = subprocess.run([VMFOX, "help", "record"], capture_output=True, text=True).stdout
    return ("--pc-thread",) if "--pc-thread" in told else ()


def record(*words, cwd, out="x.vmfox", crashes=False, **options):
    """`vmfox record -q -o OUT WORDS...`.  The vmprof package crashes some versions of CPython now and
    then; a program that died of that, and is not meant to, is run again."""
    for _ in range(3):
        done = vmfox("record", "-q", "-o", out, *words, cwd=cwd, **options)
        if done.code != 139 or crashes:
            break
    return done


def lines_of(file):
    """The numbers of the lines that end in a comment `# line: WORD`, by that word."""
    text = Path(file).read_text(encoding="utf-8").splitlines()
    return {line.rsplit("# line: ", 1)[1].strip(): number
            for number, line in enumerate(text, 1) if "# line: " in line}


# ---- profiles -----------------------------------------------------------------------------------


def convert(path, cwd, *options):
    """The Firefox Profiler file that `vmfox convert` makes of `path`, checked and wrapped."""
    done = vmfox("convert", "-q", path, "-o", "-", *options, cwd=cwd)
    assert (done.code, done.err) == (0, "")
    return Profile(json.loads(done.out))


def load_profile(path):
    return Profile(profile_of(Path(path).read_bytes()))


def profile_of(raw):
    """What is in a Firefox Profiler file of any shape."""
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    return slabs.as_json(slabs.decode(raw)) if raw[:8] == slabs.MAGIC else json.loads(raw)


class Profile:
    """A Firefox Profiler file with its tables joined."""

    def __init__(self, data):
        self.data = data
        self.meta = data["meta"]
        # PyPy's runtime and the instruction addresses are threads of their own kind.
        self.runtime = next((t for t in data["threads"] if t["tid"] == "runtime"), None)
        self.addresses = next((t for t in data["threads"] if t["tid"] == "pc"), None)
        self.threads = [t for t in data["threads"] if t["tid"] not in ("runtime", "pc")]
        self.counters = data["counters"]
        self.shared = data["shared"]
        self.strings = self.shared["stringArray"]
        self.frames = [self._frame(i) for i in range(self.shared["frameTable"]["length"])]
        self.stacks = []
        table = self.shared["stackTable"]
        for i, (frame, offset) in enumerate(zip(table["frame"], table["prefixOffset"])):
            before = self.stacks[i - offset] if offset else ()
            self.stacks.append(before + (self.frames[frame],))

    def _frame(self, i):
        frames, funcs = self.shared["frameTable"], self.shared["funcTable"]
        func = frames["func"][i]
        category = self.meta["categories"][frames["category"][i]]
        source, resource = funcs["source"][func], funcs["resource"][func]
        lib = None
        if resource != -1:
            lib = self.data["libs"][self.shared["resourceTable"]["lib"][resource]]["name"]
        file = None
        if source is not None:
            file = self.strings[self.shared["sources"]["filename"][source]]
        return Frame(self.strings[funcs["name"][func]], file, frames["line"][i],
                     funcs["lineNumber"][func], category["name"],
                     category["subcategories"][frames["subcategory"][i]], lib)

    def names(self):
        return [thread["name"] for thread in self.threads]

    def thread(self, name):
        found = [thread for thread in self.threads if thread["name"] == name]
        assert len(found) == 1, "%r in %r" % (name, self.names())
        return found[0]

    def samples(self, name="MainThread"):
        return self.samples_of(self.thread(name))

    def samples_of(self, thread):
        rows, time, out = thread["samples"], 0.0, []
        weights = rows["weight"] or [1] * rows["length"]
        for stack, delta, weight in zip(rows["stack"], rows["timeDeltas"], weights):
            time += delta
            out.append(Sample(time, () if stack is None else self.stacks[stack], weight))
        return out

    def all_samples(self):
        return [sample for thread in self.threads for sample in self.samples_of(thread)]

    def markers(self, name=None, thread=None):
        """The markers of a thread (the runtime's): those called `name`, or all."""
        thread = thread or self.runtime
        if thread is None:
            return []
        rows = thread["markers"]
        texts = {}
        for schema in self.meta["markerSchema"]:
            texts[schema["name"]] = {field["key"] for field in schema["fields"]
                                     if field["format"] == "unique-string"}
        out = []
        for at, start, end, data in zip(rows["name"], rows["startTime"], rows["endTime"],
                                        rows["data"]):
            unique = texts[data["type"]]
            fields = {key: self.strings[value] if key in unique else value
                      for key, value in data.items()}
            out.append(Marker(self.strings[at], start, start if end is None else end, fields))
        return [marker for marker in out if name in (None, marker.name)]

    def sources(self):
        table = self.shared["sources"]
        return {self.strings[name]: text
                for name, text in zip(table["filename"], table["content"])}

    def facts(self):
        """Profile Info's own rows, by label."""
        return {entry["label"]: entry["value"]
                for section in self.meta["extra"] for entry in section["entries"]}

    def knows_instructions(self):
        """Whether samples, or addresses beside them, say at which instructions the program was."""
        return self.addresses is not None or "Samples with their instruction" in self.facts()

    def levels(self, counter):
        """(time, level) of a counter; the file holds differences, the first of them unused."""
        rows, level, out = counter["samples"], 0, []
        for time, count in list(zip(rows["time"], rows["count"]))[1:]:
            level += count
            out.append((time, level))
        return out


def share(samples, name, within=None):
    """The part, in percent, of the samples that have a function of that name on their stack."""
    chosen = [s for s in samples if within is None or any(f.name == within for f in s.stack)]
    whole = sum(s.weight for s in chosen)
    assert whole > 0
    return 100 * sum(s.weight for s in chosen if any(f.name == name for f in s.stack)) / whole


def with_instructions(profile):
    """The samples that say it: those of the thread of addresses, else the program's own."""
    if profile.addresses:
        return profile.samples_of(profile.addresses)
    return [sample for sample in profile.all_samples() if sample.stack]


def self_counts(samples):
    return collections.Counter(s.stack[-1].name for s in samples if s.stack)


# ---- the file's own rules -----------------------------------------------------------------------


def check_table(table, but=()):
    for name, column in table.items():
        if name not in ("length", "weightType") + tuple(but) and column is not None:
            assert len(column) == table["length"], name


def check_indices(column, length, none=()):
    for value in column:
        assert value in none or 0 <= value < length


def check_structure(data):
    """What the front-end counts on without looking."""
    meta, shared = data["meta"], data["shared"]
    assert meta["preprocessedProfileVersion"] == 69
    assert "grey" in [category["color"] for category in meta["categories"]]
    for category in meta["categories"]:
        assert category["subcategories"][0] == "Other"
    tables = ["stackTable", "frameTable", "funcTable", "resourceTable", "nativeSymbols", "sources",
              "sourceLocationTable"]
    for name in tables:
        check_table(shared[name])
    stacks, frames, funcs = (shared[name] for name in tables[:3])
    resources, natives, sources = (shared[name] for name in tables[3:6])
    strings, libs = len(shared["stringArray"]), len(data["libs"])
    for i, offset in enumerate(stacks["prefixOffset"]):
        assert 0 <= offset <= i, "a parent stands before its children"
    check_indices(stacks["frame"], frames["length"])
    check_indices(frames["func"], funcs["length"])
    check_indices(frames["nativeSymbol"], natives["length"], (None,))
    for category, subcategory in zip(frames["category"], frames["subcategory"]):
        assert 0 <= category < len(meta["categories"])
        assert 0 <= subcategory < len(meta["categories"][category]["subcategories"])
    check_indices(funcs["name"], strings)
    check_indices(funcs["resource"], resources["length"], (-1,))
    check_indices(funcs["source"], sources["length"], (None,))
    check_indices(resources["lib"], libs)
    check_indices(resources["name"], strings)
    check_indices(natives["libIndex"], libs)
    check_indices(natives["name"], strings)
    check_indices(sources["filename"], strings)
    assert len(set(shared["stringArray"])) == strings, "a string twice"
    for thread in data["threads"]:
        check_thread(thread, stacks["length"])
    assert sum(thread["isMainThread"] for thread in data["threads"]) <= 1
    for counter in data["counters"]:
        rows = counter["samples"]
        check_table(rows)
        assert rows["time"] == sorted(rows["time"])
        assert 0 <= counter["mainThreadIndex"] < len(data["threads"])
        assert counter["pid"] in [thread["pid"] for thread in data["threads"]]


def check_thread(thread, stack_count):
    rows = thread["samples"]
    check_table(rows)
    check_indices(rows["stack"], stack_count, (None,))
    assert isinstance(thread["pid"], str)
    assert all(delta >= 0 for delta in rows["timeDeltas"])
    check_table(thread["markers"])
    if "nativeAllocations" in thread:
        check_table(thread["nativeAllocations"])
        assert thread["nativeAllocations"]["time"] == sorted(thread["nativeAllocations"]["time"])


# ---- files --------------------------------------------------------------------------------------


def member(capture, name):
    with zipfile.ZipFile(capture) as bundle:
        return bundle.read(name)


def members(capture):
    with zipfile.ZipFile(capture) as bundle:
        return bundle.namelist()


def capture_info(capture):
    return json.loads(member(capture, "capture.json"))


def find_pypy():
    return shutil.which("pypy3")


def with_path_file(python, tmp_path, line):
    """An interpreter that runs a line of Python from a .pth file, which is before anything of vmfox."""
    made = subprocess.run([python, "-m", "venv", "--without-pip", "venv"], cwd=tmp_path,
                          capture_output=True, check=False)
    look = ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = subprocess.run([tmp_path / "venv/bin/python", *look], capture_output=True, text=True,
                          check=False).stdout.strip()
    if made.returncode != 0 or not site:
        pytest.skip("%s makes no environments: %s" % (python, made.stderr.decode()))
    of_python = subprocess.run([python, *look], capture_output=True, text=True,
                               check=True).stdout.strip()
    os.makedirs(site, exist_ok=True)
    with open(os.path.join(site, "seen.pth"), "w", encoding="utf-8") as file:
        file.write(line + "\n")
        if "pypy" not in str(python):
            file.write(of_python + "\n")
    return tmp_path / "venv/bin/python"
