"""What vmfox writes, loaded by the Firefox Profiler's own code (profiler-cli) and asked; and the
file's own rules."""
import json
import os
import subprocess
import time

import pytest

import builder
import support

CLI = support.ROOT / "test/browser/node_modules/.bin/profiler-cli"


class Front:
    """A profiler-cli that has one profile loaded at a time."""

    def __init__(self, folder):
        self.folder = folder
        self.env = dict(os.environ)
        self.env.setdefault("PROFILER_CLI_SESSION_DIR", str(folder))
        self.loaded = None

    def run(self, *words):
        done = subprocess.run([CLI] + [str(word) for word in words], cwd=self.folder, env=self.env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=support.PATIENCE)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def load(self, path):
        if self.loaded != path:
            if self.loaded:
                self.run("stop")
            self._start(path)
            self.loaded = path
        return self

    def _start(self, path):
        """Its daemon must answer within half a second, or it is given up: on a busy machine it
        needs another try."""
        for _ in range(10):
            done = subprocess.run([CLI, "load", path], cwd=self.folder, env=self.env,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=support.PATIENCE)
            if b"did not become ready" not in done.stderr:
                break
            time.sleep(1)
        assert done.returncode == 0, done.stderr.decode()
        assert "Session started" in done.stdout.decode()

    def ask(self, *words):
        return json.loads(self.run(*words, "--json"))

    def threads(self):
        return {thread["name"]: thread for thread in self.ask("thread", "list")["threads"]}

    def functions(self, thread):
        handle = self.threads()[thread]["threadHandle"]
        answer = self.ask("thread", "functions", "--thread", handle, "--limit", 0)
        return {function["name"]: function for function in answer["functions"]}


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    if not CLI.exists():
        pytest.skip("profiler-cli is not installed: npm ci in test/browser")
    cli = Front(tmp_path_factory.mktemp("front"))
    os.makedirs(cli.env["PROFILER_CLI_SESSION_DIR"], exist_ok=True)
    yield cli
    cli.run("stop", "--all")


@pytest.fixture(scope="module")
def written(tmp_path_factory, recorder):
    """written(python, program): the recording of a program, as `vmfox convert` writes it."""
    made = {}

    def write(python, program):
        if (python, program) not in made:
            recorded = recorder(python, program)
            path = tmp_path_factory.mktemp("written") / "profile.jslb.gz"
            done = support.vmfox("convert", "-q", recorded.capture, "-o", path,
                                 cwd=recorded.folder)
            assert (done.code, done.err) == (0, "")
            made[python, program] = path, recorded
        return made[python, program]

    return write


# ---- asked through the front-end ----------------------------------------------------------------


def test_json_and_slabs_are_the_same_to_the_front_end(front, written, python, tmp_path):
    path, recorded = written(python, "threads.py")
    plain = tmp_path / "profile.json"
    assert support.vmfox("convert", "-q", recorded.capture, "-o", plain, cwd=tmp_path).code == 0
    questions = (("profile", "info"), ("thread", "list"), ("thread", "samples"),
                 ("thread", "functions"), ("thread", "markers"), ("counter", "list"))
    said = [[front.load(shape).run(*words) for words in questions] for shape in (path, plain)]
    assert said[0] == said[1]


def test_threads_in_the_front_end(front, written, python):
    path, recorded = written(python, "threads.py")
    threads = front.load(path).threads()
    told = recorded.told["threads"]
    if recorded.profile.runtime:
        assert threads.pop("PyPy runtime")["tid"] == "runtime"
    if recorded.profile.addresses:
        assert threads.pop("Machine code (pc samples)")["tid"] == "pc"
    assert {name: thread["tid"] for name, thread in threads.items()} == {
        name: tid for name, (tid, _) in told.items()}
    assert {thread["pid"] for thread in threads.values()} == {str(recorded.told["pid"])}


def test_functions_in_the_front_end(front, written, python):
    path, recorded = written(python, "threads.py")
    front.load(path)
    for thread, function in (("tailor", "tailor"), ("soldier \u00e9\"", "soldier")):
        functions = front.functions(thread)
        assert functions[function]["totalPercentage"] > 90
        assert functions["spin"]["totalPercentage"] > 90
        assert not [name for name in functions if "vmfox" in name]


def test_shares_in_the_front_end(front, written, python):
    path, recorded = written(python, "shares.py")
    functions = front.load(path).functions("MainThread")
    whole = functions["main"]["totalSamples"]
    for name, seconds in recorded.told["spent"].items():
        share = 100 * functions[name]["totalSamples"] / whole
        assert abs(share - 100 * seconds / recorded.told["whole"]) <= 5, name


def test_categories_in_the_front_end(front, written, python, pypy):
    path, _ = written(python, "shares.py")
    front.load(path)
    handle = front.threads()["MainThread"]["threadHandle"]
    breakdown = front.ask("thread", "samples", "--thread", handle)["categoryBreakdown"]
    found = {row["name"]: row["percentage"] for row in breakdown["categories"]}
    if python == pypy:
        assert found["JIT"] > 20
    else:
        assert found["Native"] > 5 and "JIT" not in found
        assert found["Python"] > 5


def test_counters_in_the_front_end(front, written, cpython):
    path, recorded = written(cpython, "memory.py")
    (counter,) = front.load(path).ask("counter", "list")["counters"]
    assert (counter["name"], counter["unit"]) == ("Memory", "bytes")
    levels = [level for _, level in recorded.profile.levels(recorded.profile.counters[0])]
    assert counter["stats"][0]["value"] >= max(levels) - min(levels)
    assert max(counter["graph"]) == max(levels)


def test_counters_of_pypy_in_the_front_end(front, written, pypy):
    path, recorded = written(pypy, "shares.py")
    counters = front.load(path).ask("counter", "list")["counters"]
    assert {counter["name"]: counter["unit"] for counter in counters} == {
        "Heap in use": "bytes", "Survivors": "bytes", "Machine code": "bytes",
        "Loops alive": "number", "Bridges alive": "number", "Memory": "bytes"}
    for counter, mine in zip(counters, recorded.profile.counters):
        levels = [level for _, level in recorded.profile.levels(mine)]
        if counter["name"] in ("Machine code", "Loops alive", "Bridges alive"):
            assert max(counter["graph"]) == max(levels), counter["name"]
        else:  # the graph has a point for several rows
            assert 0 < max(counter["graph"]) <= max(levels), counter["name"]


def test_profile_info_in_the_front_end(front, written, python):
    path, recorded = written(python, "threads.py")
    info = front.load(path).ask("profile", "info")
    assert info["name"].startswith("threads on " + recorded.profile.facts()["Interpreter"])
    own = [recorded.profile.runtime, recorded.profile.addresses]
    assert info["threadCount"] == 5 + sum(thread is not None for thread in own)
    assert info["processCount"] == 1
    assert info["processes"][0]["pid"] == str(recorded.told["pid"])


def test_small_and_odd_files_load(front, tmp_path):
    for number, prof in enumerate((builder.small_prof(), builder.small_prof(stacks=[]),
                                   builder.small_prof(version=2)[:300])):
        (tmp_path / "x.prof").write_bytes(prof)
        path = tmp_path / ("%d.json" % number)
        assert support.vmfox("convert", "-q", "x.prof", "-o", path, cwd=tmp_path).code == 0
        info = front.load(path).ask("profile", "info")
        assert info["threadCount"] == len(support.load_profile(path).threads)
        if number == 0:
            functions = front.functions("MainThread")
            assert (functions["g"]["selfSamples"], functions["g"]["totalSamples"]) == (2, 2)
            assert (functions["f\u00e9"]["selfSamples"],
                    functions["f\u00e9"]["totalSamples"]) == (2, 4)


# ---- the file's own rules -----------------------------------------------------------------------


@pytest.mark.parametrize("program", ["shares.py", "threads.py", "memory.py"])
def test_structure(written, python, program):
    _, recorded = written(python, program)
    support.check_structure(recorded.profile.data)


def test_names_and_files_are_not_repeated(written, python):
    """A function is a name, a file and a line; a stack a parent and a frame."""
    _, recorded = written(python, "threads.py")
    shared = recorded.profile.shared
    stacks, funcs = shared["stackTable"], shared["funcTable"]
    parents = [i - offset if offset else None for i, offset in enumerate(stacks["prefixOffset"])]
    pairs = list(zip(parents, stacks["frame"]))
    assert len(set(pairs)) == len(pairs)
    rows = list(zip(funcs["name"], funcs["source"], funcs["lineNumber"], funcs["resource"]))
    assert len(set(rows)) == len(rows)


def test_kinds_of_functions(written, python):
    _, recorded = written(python, "shares.py")
    profile = recorded.profile
    shared = profile.shared
    for frame, func in zip(profile.frames, shared["frameTable"]["func"]):
        is_js = shared["funcTable"]["isJS"][func]
        # Of libraries only these two, which are none, have functions that are not native.
        assert is_js == (frame.lib in (None, "Python", "PyPy JIT")), frame
    for thread in profile.threads:
        assert thread["processType"] == "default" and thread["samples"]["weightType"] == "samples"
        assert thread["registerTime"] <= profile.samples_of(thread)[0].time + 0.001


def test_native_frames_have_an_address_in_their_library(written, python):
    _, recorded = written(python, "shares.py")
    shared = recorded.profile.shared
    frames, natives = shared["frameTable"], shared["nativeSymbols"]
    found = 0
    columns = (frames["address"], frames["nativeSymbol"], frames["func"], recorded.profile.frames)
    for address, symbol, func, frame in zip(*columns):
        if frame.lib == "Python":  # so that the page asks the server for their sources
            assert symbol is None and address == frame.func_line
        else:
            assert (address == -1) == (symbol is None)
        if symbol is not None:
            found += 1
            assert natives["address"][symbol] <= address
            size = natives["functionSize"][symbol]
            assert size is None or address < natives["address"][symbol] + size
            lib = shared["resourceTable"]["lib"][shared["funcTable"]["resource"][func]]
            assert natives["libIndex"][symbol] == lib
    assert found > 0
