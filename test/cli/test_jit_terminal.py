"""`vmfox jit` against another reading of the same log, on a terminal, and where things go wrong."""
import collections
import fcntl
import os
import pty
import random
import re
import signal
import struct
import subprocess
import termios

import pytest

import jitlog_reader
import support

STAGES = ("recorded", "optimised", "assembled")
FIELDS = "samples addresses runs recorded optimised assembled guards bridges bytes".split()
Row = collections.namedtuple("Row", FIELDS + ["name", "extra"])
NAME = r"(?:entry bridge|bridge|loop) (\d+).*"


@pytest.fixture(scope="module")
def made(pypy, recorder):
    return recorder(pypy, "traces.py")


@pytest.fixture(scope="module")
def log(made):
    found = jitlog_reader.traces(support.member(made.capture, "profile.jitlog"))
    assert len(found) > 8
    return {trace.id: trace for trace in found}


def jit(made, *words, **options):
    return support.vmfox("jit", made.capture, *words, cwd=made.folder, **options)


def out_of(made, *words):
    done = jit(made, *words)
    assert (done.code, done.err) == (0, "")
    return done.out


def rows(text, extra=0):
    """The table's rows by the traces' ids."""
    found = {}
    for line in text.split("\n\n")[0].splitlines()[1:]:
        words = line.split(None, len(FIELDS) + extra)
        number = int(re.fullmatch(NAME, words[-1]).group(1))
        assert number not in found
        found[number] = Row(*words[:len(FIELDS)], words[-1],
                            [int(word) for word in words[len(FIELDS):-1]])
    return found


def plain(number):
    return int(number.replace(",", ""))


# ---- the table ----------------------------------------------------------------------------------


def test_each_figure_is_the_logs(made, log):
    found = rows(out_of(made))
    bridges = jitlog_reader.bridges(log.values())
    assert set(found) == {number for number, trace in log.items() if not trace.aborted}
    for number, row in found.items():
        trace = log[number]
        expected = [len(trace.ops[stage]) for stage in STAGES]
        expected += [trace.guards(), bridges[number], trace.bytes]
        assert [int(cell) for cell in row[3:9]] == expected
        assert plain(row.runs) == trace.runs
        kind = "bridge" if trace.guard else "entry bridge" if trace.kind == "bridge" else "loop"
        assert row.name.startswith("%s %d" % (kind, number))
        if trace.points:
            assert row.name.endswith(trace.points[0][2])


def test_bridges_say_what_they_belong_to(made, log):
    text = out_of(made)
    assert re.search(r"bridge \d+ of loop \d+ +traces\.py:\d+ +branches", text)
    assert re.search(r"bridge \d+ of entry bridge \d+ +traces\.py:\d+ +fib", text)


def test_the_order_and_the_sum(made, log):
    text = out_of(made)
    found = rows(text)
    heat = [(float(row.samples), float(row.addresses), plain(row.runs)) for row in found.values()]
    # Shares are rounded where they are printed: equal ones need not be, but nothing is nothing.
    for before, after in zip(heat, heat[1:]):
        assert before[0] >= after[0]
        if before[0] == 0:
            assert before[1] >= after[1]
        if before[:2] == (0, 0):
            assert before[2] >= after[2]
    (total,) = [line.split() for line in text.splitlines() if "in all: " in line]
    alive = [trace for trace in log.values() if not trace.aborted]
    assert float(total[0]) == pytest.approx(sum(h[0] for h in heat), abs=0.01 * len(heat))
    assert plain(total[2]) == sum(trace.runs for trace in alive)
    for i, stage in enumerate(STAGES):
        assert int(total[3 + i]) == sum(len(trace.ops[stage]) for trace in alive)
    assert int(total[8]) == sum(trace.bytes for trace in alive)
    aborted = len(log) - len(alive)
    assert aborted and "; %d given up (--aborted)" % aborted in text


def test_the_findings_are_those_of_the_profile(made, log):
    text, facts = out_of(made), made.profile.facts()
    found = re.findall(r"^ ?(\d+)\. (.*)$", text, re.M)
    assert [number for number, _ in found] == [str(i + 1) for i in range(len(found))]
    assert 3 < len(found) <= 10
    for number, finding in found:
        assert facts[number] == finding
        guard = re.match(r"`(\S+)` line (\d+): (\w+) failed (\S+) times into bridge (\d+)", finding)
        if not guard:
            continue
        bridge = log[int(guard.group(5))]
        assert bridge.runs == plain(guard.group(4))
        assert any((guard.group(3), bridge.guard) == op[:2]
                   for trace in log.values() for op in trace.ops["assembled"])
        assert any((guard.group(1), int(guard.group(2))) == (function, line)
                   for trace in log.values() for _, line, function in trace.points)
    markers = made.profile.markers("JIT finding")
    assert [marker.data["finding"] for marker in markers] == [finding for _, finding in found]
    end = max(marker.end for marker in markers)
    assert all((marker.start, marker.end) == (0, end) for marker in markers)
    # The branch that is taken every third time: 40,000 times 1,000.
    often = re.search(r"`branches` line \d+: guard_true failed (\S+) times", found[0][1]).group(1)
    assert 39_900_000 < plain(often) < 40_000_000


def test_operations_are_counted_in_each_stage(made, log):
    for pattern, fits in (("new*", lambda name: name.startswith("new")),
                          ("guard_tru?", lambda name: name == "guard_true")):
        found = rows(out_of(made, "--op", pattern), 3)
        expected = {}
        for number, trace in log.items():
            counts = [sum(fits(op[0]) for op in trace.ops[stage]) for stage in STAGES]
            if any(counts) and not trace.aborted:
                expected[number] = counts
        assert {number: row.extra for number, row in found.items()} == expected


def test_a_function_that_a_trace_comes_through(made, log):
    for function in ("fib", "toggle", "<module>"):
        found = rows(out_of(made, "--function", function))
        assert set(found) == {number for number, trace in log.items() if not trace.aborted and
                              any(function == point[2] for point in trace.points)}
        assert found


def test_traces_that_were_given_up(made, log):
    text = out_of(made, "--aborted")
    (aborted,) = [trace for trace in log.values() if trace.aborted]
    assert re.search(r"^ +1 +%d +%d +loop +traces\.py:\d+ +toggle$" %
                     (len(aborted.ops["recorded"]), aborted.id), text, re.M)
    assert "(no trace fits)" in out_of(made, "--aborted", "--function", "fib")
    listing = out_of(made, str(aborted.id))
    assert "given up" in listing and "guard_true" in listing


def test_tracing_that_was_given_up_has_its_reason(pypy, recorder):
    long = recorder(pypy, "toolong.py")
    text = out_of(long, "--aborted")
    told = [marker for marker in long.profile.markers("Trace aborted")
            if marker.data["reason"] == "trace too long"]
    assert told
    found = re.findall(r"^ +(\d+) +[\d.]+ trace too long +long\.py:\d+ +long$", text, re.M)
    assert sum(int(count) for count in found) == len(told)
    assert re.search(r"`long`: tracing was given up .* \(trace too long\)", out_of(long))
    assert "trace too long" not in out_of(long, "--aborted", "--function", "nobody")


# ---- one trace ----------------------------------------------------------------------------------


def listed(text):
    """(depth, hits, offset, text) of each line of a listing."""
    out = []
    for line in text.split("\n\n", 1)[1].splitlines()[1:]:
        heat, at, words = line[:15].split(), line[15:24].strip(), line[24:]
        depth = (len(words) - len(words.lstrip(" "))) // 2
        out.append((depth, int(heat[0]) if heat else 0, int(at[1:], 16), words.strip()))
    return out


def operation(text):
    return re.match(r"(?:\w+ = )?(\w+)\(", text).group(1)


def test_every_operation_is_listed_with_its_code(made, log):
    for trace in log.values():
        if not trace.ops["assembled"]:
            continue
        lines = listed(out_of(made, str(trace.id)))
        operations = [(operation(text), at) for depth, _, at, text in lines if depth == 3]
        expected = trace.ops["assembled"]
        assert [name for name, _ in operations] == [name for name, _, _ in expected]
        instructions = [at for depth, _, at, _ in lines if depth == 4]
        assert instructions == sorted(instructions)
        seen = set(instructions)
        assert max(seen) < trace.bytes
        for (_, at), (_, _, code) in zip(operations, expected):
            if code and code[1]:
                assert code[0] == at and at in seen
        # No gap in which code would be missing: an instruction has at most 15 bytes.
        first = next(code[0] for _, _, code in expected if code and code[1])
        inside = [at for at in instructions if at >= first] + [trace.bytes]
        assert max(b - a for a, b in zip(inside, inside[1:])) <= 15


def test_hits_are_those_of_the_trace(made, log):
    hits = 0
    for row in rows(out_of(made)).values():
        text = out_of(made, re.match(NAME, row.name).group(1))
        told = int(re.search(r"instruction addresses: (\d+) of (\d+)", text).group(1))
        lines = listed(text)
        assert sum(count for depth, count, _, _ in lines if depth == 4) == told
        assert sum(count for depth, count, _, _ in lines if depth in (0, 3)) == told
        hits += told
    if not made.profile.knows_instructions():
        pytest.skip("the kernel gives no instruction addresses here")
    assert hits > 20


@pytest.mark.parametrize("stage", STAGES[:2])
def test_the_other_stages(made, log, stage):
    for trace in log.values():
        text = out_of(made, str(trace.id), "--stage", stage)
        operations = re.findall(r"^    (?:\w+ = )?(\w+)\(", text, re.M)
        assert operations == [name for name, _, _ in trace.ops[stage]]
    assert "traces.py:8 branches  for number in numbers:" in text or "fib" in text


def test_only_the_operations_that_fit(made, log):
    (loop,) = [trace for trace in log.values()
               if trace.kind == "loop" and trace.points and trace.points[0][2] == "branches"]
    text = out_of(made, str(loop.id), "--op", "guard_*")
    lines = listed(text)
    assert [operation(text) for depth, _, _, text in lines if depth == 3] == [
        name for name, _, _ in loop.ops["assembled"] if name.startswith("guard_")]
    assert any("if number % 3:" in text for depth, _, _, text in lines if depth == 1)
    ends = max(code[0] + code[1] for name, _, code in loop.ops["assembled"]
               if name.startswith("guard_") and code)
    assert max(at for depth, _, at, _ in lines if depth == 4) < ends, "no exits"
    text = out_of(made, str(loop.id), "--op", "getfield*", "--stage", "recorded")
    text = text.split("\n\n", 1)[1]
    names = re.findall(r"^    (?:\w+ = )?(\w+)\(", text, re.M)
    assert names == [name for name, _, _ in loop.ops["recorded"] if name.startswith("getfield")]
    # Each with its line and bytecode, and none that has no such operation.
    assert re.match(r"traces\.py:\d+ branches  .*\n  \d+ [A-Z_]+.*\n    ", text)
    assert not re.search(r"^  \d.*\n(?:  \d|traces)", text, re.M)


def test_the_head_says_where_it_hangs(made, log):
    bridge = max((trace for trace in log.values() if trace.guard), key=lambda trace: trace.runs)
    text = out_of(made, "bridge", str(bridge.id))
    assert re.search(r"^hangs on +guard_true, branches line \d+, of loop \d+ traces\.py:\d+$", text,
                     re.M)
    parent = re.search(r"of loop (\d+)", text).group(1)
    above = out_of(made, parent)
    assert re.search(r"^bridge %d +at guard_true, branches line \d+: entered %s times$" %
                     (bridge.id, format(bridge.runs, ",")), above, re.M)


def test_names_as_they_are_shown_are_understood(made, log):
    for row in rows(out_of(made)).values():
        name = re.match(r"(?:(?:entry )?(?:bridge|loop)) \d+(?: of (?:entry bridge|loop) \d+)?",
                        row.name).group(0)
        number = re.search(r"\d+", name).group(0)
        text = out_of(made, number)
        assert text.startswith(name)
        assert out_of(made, *name.split()) == text
        if name.startswith("entry"):
            assert out_of(made, *name.split()[1:]) == text


# ---- a terminal ---------------------------------------------------------------------------------


def on_terminal(words, cwd, lines=20, **extra):
    """What a command writes to a terminal with so many lines."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, 100, 0, 0))
    temp = cwd / "tmp"
    temp.mkdir(exist_ok=True)
    env = dict(support.environment(temp), TERM="xterm", VMFOX_PAGER="")
    env.update(extra)
    process = subprocess.Popen([str(word) for word in (support.VMFOX,) + words], cwd=cwd, env=env,
                               stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    out = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError: # the other end was closed
            break
        if not part:
            break
        out += part
    os.close(ours)
    err = process.stderr.read()
    process.stderr.close()
    return support.Result(process.wait(support.PATIENCE), out.decode().replace("\r\n", "\n"),
                          err.decode())


def bare(text):
    return re.sub("\x1b\\[[0-9;]*m", "", text)


def test_colours_on_a_terminal_alone(made):
    text = out_of(made)
    assert "\x1b" not in text
    words = ("jit", made.capture)
    colored = on_terminal(words, made.folder)
    assert colored.code == 0 and "\x1b[1m" in colored.out
    assert bare(colored.out) == text
    for extra in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
        assert on_terminal(words, made.folder, **extra).out == text


def test_a_pager_where_it_is_long(made, tmp_path):
    words = ("jit", made.capture)
    text = out_of(made)
    pager = "cat > %s/paged" % tmp_path
    done = on_terminal(words, made.folder, VMFOX_PAGER=pager, PAGER="false")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert bare((tmp_path / "paged").read_text()) == text
    (tmp_path / "paged").unlink()
    assert bare(on_terminal(words, made.folder, lines=500, VMFOX_PAGER=pager).out) == text
    assert not (tmp_path / "paged").exists(), "it is short enough"
    support.run((support.VMFOX,) + words, made.folder,
                env=dict(support.environment(made.folder / "tmp"), VMFOX_PAGER=pager))
    assert not (tmp_path / "paged").exists(), "no terminal"


def test_a_pager_that_is_not_there_or_leaves_early(made):
    words = ("jit", made.capture)
    text = out_of(made)
    done = on_terminal(words, made.folder, VMFOX_PAGER="/nonexistent/pager")
    assert done.code == 0 and bare(done.out) == text
    done = on_terminal(words, made.folder, VMFOX_PAGER="true")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_readers_that_go_away_and_disks_that_are_full(made):
    process = subprocess.Popen([support.VMFOX, "jit", made.capture], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.wait(support.PATIENCE) in (0, -signal.SIGPIPE) and process.stderr.read() == b""
    process.stderr.close()
    with open("/dev/full", "wb") as full:
        done = subprocess.run([support.VMFOX, "jit", made.capture], stdout=full,
                              stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "No space left" in done.stderr


# ---- rude input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("words, code, said", [
    (("loop", "99999"), 1, "there is no trace 99999 in it"),
    (("18446744073709551616",), 2, "is no trace's number"),
    (("-1",), 2, "there is no option -1"),
    (("0x4",), 2, "is no trace's number"),
    (("4", "--aborted"), 2, "name none with them"),
    (("4", "--function", "f"), 2, "name none with them"),
    (("--stage", "recorded"), 2, "name one"),
])
def test_words_that_name_nothing(made, words, code, said):
    done = jit(made, *words)
    assert (done.code, done.out) == (code, "") and said in done.err and done.err.count("\n") == 1


def test_a_loop_that_is_a_bridge(made, log):
    number = next(trace.id for trace in log.values() if trace.guard)
    done = jit(made, "loop", str(number))
    assert done.code == 1 and "trace %d is bridge %d of " % (number, number) in done.err
    assert jit(made, "entry", "bridge", str(number)).code == 1


def test_names_that_would_command_the_terminal(pypy, tmp_path):
    evil = "e\x1b[31m\u202e\x9b5m\n.py"
    (tmp_path / evil).write_text(
        "import time\n"
        "def work(n):\n"
        "    total = 0\n"
        "    while n: total += n % 3; n -= 1\n"
        "    return total\n"
        "end = time.process_time() + 0.4\n"
        "while time.process_time() < end: work(100000)\n")
    assert support.record(pypy, evil, cwd=tmp_path, out="e\x1b[31m.vmfox").code == 0
    done = support.vmfox("jit", "e\x1b[31m.vmfox", cwd=tmp_path)
    assert done.code == 0
    number = re.search(r"loop (\d+) e\\x1b\[31m\\u202e\\x9b5m\\x0a\.py:4  work", done.out).group(1)
    for words in ((), (number,), (number, "--stage", "optimised"), ("--aborted",)):
        words = ("jit", "e\x1b[31m.vmfox") + words
        for text in (support.vmfox(*words, cwd=tmp_path).out, bare(on_terminal(words, tmp_path).out)):
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    for words in ((), ("x\x1b[31m",), ("99999",)):
        done = support.vmfox("jit", "e\x1b[31m.vmfox", *words, cwd=tmp_path)
        assert "\x1b" not in done.err
    (tmp_path / "n\x1b[31m").write_text("no recording")
    done = support.vmfox("jit", "n\x1b[31m", cwd=tmp_path)
    assert done.code == 1 and "\x1b" not in done.err and "n\\x1b[31m: " in done.err


def test_a_program_that_was_killed_has_no_runs(pypy, tmp_path):
    (tmp_path / "p.py").write_text(
        "import os, signal, time\n"
        "def work(n):\n"
        "    total = 0\n"
        "    while n: total += n % 3; n -= 1\n"
        "    return total\n"
        "end = time.process_time() + 0.4\n"
        "while time.process_time() < end: work(100000)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n")
    support.record(pypy, "p.py", cwd=tmp_path)
    done = support.vmfox("jit", "x.vmfox", cwd=tmp_path)
    assert done.code == 0 and "runs: not known" in done.out
    found = rows(done.out)
    assert found and all(row.runs == "?" for row in found.values())
    assert " failed " not in done.out and "never entered" not in done.out


def test_a_damaged_log(made, tmp_path):
    whole = support.member(made.capture, "profile.jitlog")
    (tmp_path / "x.prof").write_bytes(support.member(made.capture, "profile.prof"))
    chance = random.Random(4)
    for _ in range(25):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 20, 2000))):
            damaged[chance.randrange(30, len(damaged))] = chance.randrange(256)
        (tmp_path / "x.jitlog").write_bytes(damaged)
        words = ("jit", "-q", "x.prof", "--jitlog", "x.jitlog")
        for more in ((), ("4",), ("--op", "guard*"), ("--function", "fib"), ("--aborted",)):
            done = support.vmfox(*words, *more, cwd=tmp_path)
            assert done.code in (0, 1)
            assert "\x1b" not in done.out and (done.out or done.err)


def test_a_log_that_is_none(made, tmp_path):
    (tmp_path / "x.prof").write_bytes(support.member(made.capture, "profile.prof"))
    (tmp_path / "x.jitlog").write_bytes(b"\x1eno log at all")
    done = support.vmfox("jit", "x.prof", "--jitlog", "x.jitlog", cwd=tmp_path)
    assert (done.code, done.out) == (1, "") and "JIT log" in done.err


def test_help(tmp_path):
    done = support.vmfox("help", "jit", cwd=tmp_path)
    for option in ("--op PATTERN", "--function NAME", "--aborted", "--stage STAGE", "--jitlog FILE",
                   "--sources DIR"):
        assert option in done.out
