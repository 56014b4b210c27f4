"""The JIT's traces: as frames, as listings, as graphs, and in the terminal."""
import collections
import json
import re
import subprocess
import urllib.request

import pytest

import support
from test_profile import front  # noqa: F401 (a fixture)

RECURSIVE = ("behind_a_for", "behind_a_while", "loop_at_the_start")


def trace_frames(profile):
    return [frame for frame in profile.frames if frame.lib == "PyPy JIT"]


# ---- frames -------------------------------------------------------------------------------------


def test_every_address_has_its_trace(pypy, recorder):
    for program in ("lines.py", "depths.py", "shares.py"):
        profile = recorder(pypy, program).profile
        assert len(trace_frames(profile)) > 3
        for frame in profile.frames:
            assert "of no known trace" not in frame.name
        for frame in trace_frames(profile):
            assert re.fullmatch(r"(loop|entry bridge|bridge) \d+( .+:\d+)?|bridge \d+ of "
                                r"(loop|entry bridge) \d+", frame.name), frame.name
            assert frame.category == "JIT"
            assert frame.subcategory == ("Bridge" if frame.name.startswith("bridge") else "Loop")
            assert frame.file.startswith("jit/") and frame.file.endswith(".iongraph.json")


def test_traces_are_functions_of_a_library(pypy, recorder):
    profile = recorder(pypy, "depths.py").profile
    shared = profile.shared
    lib = next(i for i, lib in enumerate(profile.data["libs"]) if lib["name"] == "PyPy JIT")
    assert profile.data["libs"][lib]["codeId"] and profile.data["libs"][lib]["breakpadId"]
    natives, ranges = shared["nativeSymbols"], []
    for i in range(natives["length"]):
        if natives["libIndex"][i] == lib:
            start, size = natives["address"][i], natives["functionSize"][i]
            assert size > 0
            ranges.append((start, start + size))
    ranges.sort()
    assert len(ranges) > 3
    for (_, end), (start, _) in zip(ranges, ranges[1:]):
        assert end <= start, "traces lie one behind the other"
    frames = shared["frameTable"]
    for i, frame in enumerate(profile.frames):
        if frame.lib == "PyPy JIT":
            native = frames["nativeSymbol"][i]
            offset = frames["address"][i] - natives["address"][native]
            assert 0 <= offset < natives["functionSize"][native]


@pytest.mark.parametrize("options", [(), ("--no-native",)])
def test_a_function_is_shown_as_often_as_it_was_called(pypy, recorder, options):
    """VMProf repeats a function that goes on in another trace, and makes up frames; without native
    frames its innermost trace is made up, and the instruction tells the right one."""
    made = recorder(pypy, "depths.py", "--period", "0.001", *options)
    depth = made.told["depth"] + 1
    found = collections.Counter()
    for sample in made.profile.samples():
        names = collections.Counter(frame.name for frame in sample.stack)
        if names["spin"]:
            found[tuple((name, names[name]) for name in RECURSIVE + ("spin",) if names[name])] += 1
    right = sum(found[((name, depth), ("spin", 1))] for name in RECURSIVE)
    assert all(found[((name, depth), ("spin", 1))] > 10 for name in RECURSIVE)
    assert right >= 0.99 * sum(found.values()), found
    facts = made.profile.facts()
    assert facts["Activations that went on in another trace"]
    named = int(re.match(r"\d+", facts.get("Trace named by the instruction", "0"))[0])
    inside = int(re.match(r"\d+", facts["In the trace at work"])[0])
    assert (named > 0.5 * inside > 100) if options else named < 0.1 * inside


def test_traces_can_be_hidden(pypy, recorder):
    made = recorder(pypy, "depths.py")
    hidden = support.convert(made.capture, made.folder, "--no-traces")
    shown = [[f.name for f in s.stack if f.lib != "PyPy JIT"] for s in made.profile.samples()]
    assert [[f.name for f in s.stack] for s in hidden.samples()] == shown


def test_a_log_of_another_run_is_noticed(pypy, recorder, tmp_path):
    first, second = recorder(pypy, "lines.py"), recorder(pypy, "depths.py")
    (tmp_path / "x.prof").write_bytes(support.member(first.capture, "profile.prof"))
    (tmp_path / "x.jitlog").write_bytes(support.member(second.capture, "profile.jitlog"))
    done = support.vmfox("convert", "x.prof", "--jitlog", "x.jitlog", "-o", "x.json", cwd=tmp_path)
    assert done.code == 0 and "another run" in done.err
    profile = support.load_profile(tmp_path / "x.json")
    assert not trace_frames(profile)
    assert profile.facts()["JIT log"].startswith("of another run")
    assert support.vmfox("jit", "x.prof", "--jitlog", "x.jitlog", cwd=tmp_path).code == 1


def test_the_front_end_lists_them(pypy, recorder, front, tmp_path):  # noqa: F811
    made = recorder(pypy, "lines.py")
    path = tmp_path / "x.json"
    assert support.vmfox("convert", "-q", made.capture, "-o", path, cwd=tmp_path).code == 0
    front.load(path)
    functions = front.functions("MainThread")
    loops = [name for name in functions if re.match(r"loop \d+ lines.py:\d+", name)]
    assert loops and max(functions[name]["totalPercentage"] for name in loops) > 50


# ---- graphs -------------------------------------------------------------------------------------


def graphs(profile):
    return {name: json.loads(text) for name, text in profile.sources().items()
            if name.startswith("jit/") and text}


def test_traces_have_graphs(pypy, recorder):
    for program in ("lines.py", "depths.py"):
        profile = recorder(pypy, program).profile
        found = graphs(profile)
        assert {frame.file for frame in trace_frames(profile)} == set(found)
        for graph in found.values():
            ids = [ins["id"] for block in graph["functions"][0]["passes"][0]["lir"]["blocks"]
                   for ins in block["instructions"]]
            assert len(ids) == len(set(ids))
        for frame in trace_frames(profile):
            if frame.line:
                passes = found[frame.file]["functions"][0]["passes"]
                assert frame.line in {ins["id"] for block in passes[0]["lir"]["blocks"]
                                      for ins in block["instructions"]}


def test_hits_are_on_the_operation_that_divides(pypy, recorder):
    made = recorder(pypy, "lines.py")
    if not made.profile.knows_instructions():
        pytest.skip("the kernel gives no instruction addresses here")
    hits = collections.Counter(
        (s.stack[-1].file, s.stack[-1].line)
        for s in support.with_instructions(made.profile)
        if s.stack[-1].lib == "PyPy JIT")
    rows = {}
    for name, graph in graphs(made.profile).items():
        for block in graph["functions"][0]["passes"][0]["lir"]["blocks"]:
            for ins in block["instructions"]:
                rows[name, ins["id"]] = ins["opcode"]
    divisions = [key for key, text in rows.items() if "float_truediv" in text]
    near = set(divisions) | {(name, line + 1) for name, line in divisions}
    (hottest, _), = hits.most_common(1)
    assert hottest in near, rows[hottest]
    assert sum(hits[key] for key in near) > 2 / 3 * sum(hits.values())


def test_no_graphs(pypy, recorder):
    made = recorder(pypy, "lines.py")
    profile = support.convert(made.capture, made.folder, "--no-graphs")
    assert trace_frames(profile) and not graphs(profile)
    assert all(frame.file is None for frame in trace_frames(profile))


# ---- the assembly view --------------------------------------------------------------------------


def ask_server(capture, folder, questions):
    server = subprocess.Popen([support.VMFOX, "view", "-n", "--profiler-url",
                               "http://127.0.0.1:4242", capture], cwd=folder,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = server.stdout.readline().strip()
        base = urllib.request.unquote(url.split("symbolServer=")[1])
        answers = []
        for question in questions:
            request = urllib.request.Request(base + "/asm/v1", json.dumps(question).encode())
            answers.append(json.load(urllib.request.urlopen(request, timeout=30)))
        return answers
    finally:
        server.terminate()
        server.wait(10)


def test_the_server_lists_every_trace(pypy, recorder):
    made = recorder(pypy, "lines.py")
    profile = made.profile
    lib = next(lib for lib in profile.data["libs"] if lib["name"] == "PyPy JIT")
    index = profile.data["libs"].index(lib)
    natives = profile.shared["nativeSymbols"]
    traces = [i for i in range(natives["length"]) if natives["libIndex"][i] == index]

    def question(address, **other):
        return dict({"name": lib["name"], "codeId": lib["codeId"], "debugName": lib["debugName"],
                     "debugId": lib["breakpadId"], "startAddress": hex(address),
                     "size": "0x10"}, **other)

    asked = [question(natives["address"][i]) for i in traces]
    bad = [question(0), question(natives["address"][traces[0]] + 1),
           question(natives["address"][traces[0]], codeId="00"),
           question(natives["address"][traces[0]], debugName="libc.so.6"),
           question(natives["address"][traces[0]], startAddress=16)]
    answers = ask_server(made.capture, made.folder, asked + bad)
    texts = ""
    for i, answer in zip(traces, answers):
        assert answer["startAddress"] == hex(natives["address"][i])
        assert int(answer["size"], 16) == natives["functionSize"][i]
        rows = answer["instructions"]
        assert [row[0] for row in rows] == sorted(row[0] for row in rows)
        texts += "\n".join(row[1] for row in rows)
    for answer in answers[len(traces):]:
        assert list(answer) == ["error"]
    # From the Python line down to the instruction.
    assert "# the hot line" in texts and "BINARY_TRUE_DIVIDE" in texts
    assert re.search(r"LOAD_FAST value\n", texts) and re.search(r"f\d+ = float_truediv\(", texts)
    assert re.search(r"divsd xmm\d", texts) and re.search(r"guard_true\(i\d+\) -> bridge \d+, "
                                                          r"taken [\d,]+ times", texts)


# ---- vmfox jit ----------------------------------------------------------------------------------


def jit(made, *args):
    return support.vmfox("jit", made.capture, *args, cwd=made.folder)


def table_rows(text):
    lines = text.split("\n\n")[0].splitlines()
    return [line.split() for line in lines[1:]]


def test_the_table(pypy, recorder):
    made = recorder(pypy, "lines.py")
    done = jit(made)
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out, "plain in a pipe"
    rows = table_rows(done.out)
    shares = [float(row[0]) for row in rows]
    assert shares == sorted(shares, reverse=True) and shares[0] > 50
    assert rows[0][9] == "loop" and rows[0][-1] == "work"
    assert re.search(r"`work` line \d+: guard_true failed [\d,]+ times into bridge \d+", done.out)
    total = sum(s.weight for s in made.profile.samples())
    hot = sum(s.weight for s in made.profile.samples()
              if [f.name for f in s.stack if f.lib == "PyPy JIT"][-1:] == [
                  "loop %s %s" % (rows[0][10], rows[0][11])])
    assert shares[0] == pytest.approx(100 * hot / total, abs=0.01)


def test_one_trace(pypy, recorder):
    made = recorder(pypy, "lines.py")
    number = table_rows(jit(made).out)[0][10]
    done = jit(made, number)
    assert done.code == 0 and done.out.startswith("loop %s " % number)
    assert jit(made, "loop", number).out == done.out
    assert "# the hot line" in done.out and "divsd" in done.out
    if made.profile.knows_instructions():
        # The operation with most hits is a division, or the one behind it.
        operations = [line for line in done.out.splitlines() if re.search(r" [ifp]\d+ = |\(", line)
                      and re.match(r" *\d+ +[\d.]+% \+0x\w+ +\S+( = \w+)?\(", line)]
        near = [i for i, line in enumerate(operations) if "float_truediv(" in line]
        hits = [int(line.split()[0]) for line in operations]
        assert hits.index(max(hits)) in {i + step for i in near for step in (0, 1)}
        assert sum(hits[i] for i in {i + step for i in near for step in (0, 1)}
                   if i < len(hits)) > 2 / 3 * sum(hits)
    only = jit(made, number, "--op", "float_*").out
    assert "float_truediv" in only and "int_add" not in only
    for stage in ("recorded", "optimised"):
        listed = jit(made, number, "--stage", stage).out
        assert "guard_true" in listed and "divsd" not in listed


def test_choices(pypy, recorder):
    made = recorder(pypy, "depths.py")
    everything = len(table_rows(jit(made).out))
    some = table_rows(jit(made, "--function", "spin").out)
    assert 0 < len(some) < everything
    assert "(no trace fits)" in jit(made, "--function", "nowhere").out
    assert "(no trace fits)" in jit(made, "--op", "no_such_*").out
    assert len(table_rows(jit(made, "--op", "jump").out)) > 1
    assert jit(made, "--aborted").code == 0


@pytest.mark.parametrize("words,code,said", [
    (("99999",), 1, "no trace 99999"), (("x",), 2, "no trace's number"),
    (("--stage", "x"), 2, "--stage takes"), ((), 0, "")])
def test_rude_words(pypy, recorder, words, code, said):
    done = jit(recorder(pypy, "lines.py"), *words)
    assert done.code == code and said in done.err


def test_files_without_a_log(cpython, recorder, tmp_path):
    made = recorder(cpython, "shares.py")
    done = jit(made)
    assert done.code == 1 and "no JIT log" in done.err
    (tmp_path / "x.json").write_text("{}")
    assert support.vmfox("jit", "x.json", cwd=tmp_path).code == 1
    assert support.vmfox("jit", tmp_path, cwd=tmp_path).code == 1
    assert support.vmfox("jit", cwd=tmp_path).code == 2


def test_a_cut_log(pypy, recorder, tmp_path):
    made = recorder(pypy, "lines.py")
    log = support.member(made.capture, "profile.jitlog")
    (tmp_path / "x.prof").write_bytes(support.member(made.capture, "profile.prof"))
    for part in range(1, 12):
        (tmp_path / "x.jitlog").write_bytes(log[:len(log) * part // 12 + part])
        done = support.vmfox("jit", "x.prof", "--jitlog", "x.jitlog", cwd=tmp_path)
        assert done.code in (0, 1) and "JIT log" in done.err
        done = support.vmfox("convert", "x.prof", "--jitlog", "x.jitlog", "-o", "x.json",
                             cwd=tmp_path)
        assert done.code == 0
        support.check_structure(json.loads((tmp_path / "x.json").read_text()))


def test_bytecode_of_functions_alike(pypy, tmp_path):
    """Nested functions, methods, lambdas, comprehensions, two of one name: each has its own."""
    (tmp_path / "p.py").write_text(
        "def make(step):\n"
        "    def work(n):\n"
        "        total = 0\n"
        "        for i in range(n): total += i * step\n"
        "        return total\n"
        "    return work\n"
        "class Thing:\n"
        "    def work(self, n):\n"
        "        self.sum = 0\n"
        "        for i in range(n): self.sum += i\n"
        "        return self.sum\n"
        "twice = lambda x: x * 2\n"
        "for k in range(300):\n"
        "    make(3)(3000); Thing().work(3000); [twice(j) for j in range(3000)]\n")
    assert support.record(pypy, "p.py", cwd=tmp_path).code == 0
    text = support.member(tmp_path / "x.vmfox", "bytecode.txt").decode()
    for wanted in ("code\twork\t2\n", "code\twork\t8\n", "LOAD_DEREF\tstep", "STORE_ATTR\tsum",
                   "code\t<listcomp>\t14\n", "to "):
        assert wanted in text, wanted


def test_bytecode_of_code_on_the_command_line(pypy, tmp_path):
    """And where the recorder's folder is somebody else's by then: that one is neither read nor
    removed."""
    code = ("import glob, os\n"
            "def hot(n):\n"
            "    total = 0\n"
            "    for i in range(n): total += i % 7\n"
            "    return total\n"
            "hot(300000)\n"
            "folder, = glob.glob(os.environ['TMPDIR'] + '/vmfox-*')\n"
            "os.rename(folder, folder + '-moved')\n"
            "os.mkdir(folder, 0o700)\n"
            "open(folder + '/precious', 'w').close()\n"
            "hot(20000000)\n")
    assert support.record(pypy, "-c", code, cwd=tmp_path).code == 0
    text = support.member(tmp_path / "x.vmfox", "bytecode.txt").decode()
    assert text.startswith("file\t<string>\ncode\thot\t2\n")
    left = [file for file in (tmp_path / "tmp").rglob("*") if file.is_file()]
    assert [file.name for file in left] == ["precious"]


def test_a_source_that_changes_tells_nothing_wrong(pypy, tmp_path):
    (tmp_path / "p.py").write_text(
        "import time\n"
        "open(__file__, 'w').write('# gone\\n' * 5)\n"
        "def work(n):\n"
        "    total = 0\n"
        "    while n: total += n % 3; n -= 1\n"
        "    return total\n"
        "end = time.process_time() + 0.4\n"
        "while time.process_time() < end: work(100000)\n")
    assert support.record(pypy, "p.py", cwd=tmp_path).code == 0
    done = support.vmfox("jit", "x.vmfox", cwd=tmp_path)
    assert done.code == 0
    number = table_rows(done.out)[0][10]
    listing = support.vmfox("jit", "x.vmfox", number, cwd=tmp_path).out
    assert "LOAD_FAST" in listing and "LOAD_FAST n" not in listing
