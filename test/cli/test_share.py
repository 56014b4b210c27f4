"""A file made for upload: what comes through, what is told of its maker, and what is said."""
import gzip
import json
import os
import re

import pytest

import builder
import support
from test_profile import front  # noqa: F401 (a fixture)

NO_BREAK = "\u00a0"
TABLE = "JIT listing"

PROGRAM = '''
import sys, threading, time
from x.part import work
from y.part import work as work_too

def spin(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        work(20000)
        work_too(20000)

HOME = %(home)r
other = threading.Thread(target=spin, args=(0.3,), name="tailor")
other.start()
spin(1)
other.join()
'''
PART = '''
def work(n):
    total = 0
    for i in range(n):
        total += len("%(home)s/secret") + i // 3  # see %(home)s, or ask %(host)s
    return total
'''


def share(capture, folder, *options, env=None):
    """The profile that `vmfox share` writes, and what it says."""
    out = folder / "out.share.json.gz"
    done = support.vmfox("share", capture, "-o", out, *options, cwd=folder, env=env)
    assert (done.code, done.out) == (0, "")
    text = gzip.decompress(out.read_bytes()).decode()
    profile = support.Profile(json.loads(text))
    support.check_structure(profile.data)
    return profile, text, done.err


def uploaded(profile):
    """As the front-end uploads it: sanitizePII() in its profile-logic/sanitize.ts nulls all contents
    of sources, whatever else is chosen there."""
    data = json.loads(json.dumps(profile.data))
    sources = data["shared"]["sources"]
    sources["content"] = [None] * sources["length"]
    return support.Profile(data)


def listings(profile):
    thread = profile.runtime or profile.thread("MainThread")
    return profile.markers(TABLE, thread)


# ---- listings -----------------------------------------------------------------------------------


def test_listings_come_through_an_upload(pypy, recorder):
    made = recorder(pypy, "lines.py")
    profile, _, _ = share(made.capture, made.folder)
    assert not any(profile.sources().values()), "sources are not in it"
    found = listings(uploaded(profile))
    assert found and all(marker.start == 0 and marker.end > 1000 for marker in found)
    shares = [marker.data["samples"] for marker in found]
    assert shares == sorted(shares, reverse=True) and shares[0] > 0.5
    hottest = found[0].data
    number = re.match(r"loop (\d+) lines.py:\d+$", hottest["what"])[1]
    printed = support.vmfox("jit", made.capture, number, cwd=made.folder).out
    texts = [row[2].replace(NO_BREAK, " ") for row in hottest["listing"]]
    for wanted in ("# the hot line", "BINARY_TRUE_DIVIDE", "float_truediv(", "divsd xmm"):
        assert any(wanted in text for text in texts), wanted
    listed = printed.split("share at", 1)[1].splitlines()[1:]
    assert [line[24:].strip() for line in listed] == [text.strip() for text in texts]
    assert all(not text.startswith(" ") for row in hottest["listing"] for text in row[2:])
    assert all(cell for row in hottest["listing"] for cell in row), "no cell is (empty)"
    if made.profile.knows_instructions():
        instructions = [row for row in hottest["listing"] if row[2].startswith(NO_BREAK * 8)]
        hits = sum(int(row[0].replace(",", "")) for row in instructions if row[0] != NO_BREAK)
        assert 0 < hits <= hottest["hits"]


def test_only_share_adds_them(pypy, recorder):
    made = recorder(pypy, "lines.py")
    assert not listings(made.profile)
    schemas = [schema["name"] for schema in made.profile.meta["markerSchema"]]
    assert "JitListing" not in schemas


def test_the_front_end_shows_them(pypy, recorder, front, tmp_path):  # noqa: F811
    made = recorder(pypy, "lines.py")
    profile, _, _ = share(made.capture, made.folder, "--no-paths", "--no-arguments", "--no-env")
    path = tmp_path / "uploaded.json"
    path.write_text(json.dumps(uploaded(profile).data))
    found = front.load(path).ask("profile", "markers", "--search", TABLE, "--limit", 0)["markers"]
    assert len(found) == len(listings(profile)) > 0
    shown = front.run("marker", "info", found[0]["handle"])
    assert "float_truediv" in shown and "# the hot line" in shown
    assert front.ask("profile", "markers", "--search", "float_truediv", "--limit", 0)["markers"]


def test_without_traces_there_are_no_listings(cpython, recorder):
    made = recorder(cpython, "shares.py")
    profile, _, said = share(made.capture, made.folder)
    assert not listings(profile) and "listings of" not in said
    assert not any(profile.sources().values())
    assert [sample.stack[-1].name for sample in profile.samples() if sample.stack] == [
        sample.stack[-1].name for sample in made.profile.samples() if sample.stack]


def test_listings_are_bounded(pypy, tmp_path):
    """Many long traces: the hottest are in it, and what is not is said."""
    body = "".join("        a = (a * %d + b) ^ (a >> %d); b = (b + a * i) & 0xffff\n" % (n + 3, n % 7)
                   for n in range(60))
    (tmp_path / "p.py").write_text("".join(
        "def f%d(n):\n    a = b = 1\n    for i in range(n):\n%s        a &= 0xffff\n    return a\n"
        "f%d(%d)\n" % (k, body, k, 40000 if k == 7 else 4000) for k in range(16)))
    assert support.record("--jitlog", pypy, "p.py", cwd=tmp_path).code == 0
    profile, _, said = share(tmp_path / "x.vmfox", tmp_path)
    found = listings(profile)
    size = sum(len(cell.encode()) for marker in found for row in marker.data["listing"]
               for cell in row)
    assert size <= 8000000
    facts = profile.facts()
    listed, sampled = map(int, re.match(r"(\d+) of (\d+) sampled", facts["Listings of traces"])
                          .groups())
    assert listed == len(found)
    assert "listings of %d of the %d sampled traces are in it" % (listed, sampled) in said
    assert 4000000 < size and listed < sampled
    assert found[0].data["what"].endswith("p.py:%d" % (7 * 66 + 3)), "f7 has run ten times as long"
    assert "left out, for want of room: %d listings" % (sampled - listed) in said
    assert facts["Listings left out"].startswith("%d, for want of room" % (sampled - listed))


# ---- what is told of its maker ------------------------------------------------------------------


@pytest.fixture(scope="module")
def personal(pypy, tmp_path_factory):
    """(recording, folder, environment, forbidden): one that names home, user, host and arguments."""
    folder = tmp_path_factory.mktemp("personal")
    home = folder / "home" / "ada_l"
    project = home / "mine"
    for part in ("x", "y"):
        (project / part).mkdir(parents=True)
        (project / part / "__init__.py").write_text("")
        (project / part / "part.py").write_text(PART % {"home": home, "host": os.uname().nodename})
    (project / "prog.py").write_text(PROGRAM % {"home": str(home)})
    env = support.environment(folder, HOME=str(home), USER="ada_l")
    done = support.record(pypy, project / "prog.py", "--token=s3cret", home / "in" / "data.csv",
                          "-I%s/inc" % home, cwd=project, out=folder / "x.vmfox", env=env)
    assert (done.code, done.err) == (0, "")
    return folder / "x.vmfox", folder, env


def words(text):
    return set(re.findall(r"[\w.-]+", text))


def test_without_the_options_all_is_there(personal):
    capture, folder, env = personal
    _, text, said = share(capture, folder, env=env)
    for wanted in (str(folder / "home/ada_l/mine/prog.py"), "s3cret", '"Working folder"', "CPUName"):
        assert wanted in text
    for option in ("--no-paths", "--no-arguments", "--no-env"):
        assert "(%s)" % option in said


def test_nothing_personal_is_left(personal):
    capture, folder, env = personal
    profile, text, said = share(capture, folder, "--no-paths", "--no-arguments", "--no-env", env=env)
    info = support.capture_info(capture)
    forbidden = [str(folder), str(folder / "home"), "/home", "ada_l", "s3cret", "data.csv", "inc\"",
                 info["cpu"], info["os"], info["working_dir"], info["interpreter_path"],
                 os.uname().release, '"/', "CPUName", "oscpu", "logicalCPUs", "mainMemory"]
    for part in forbidden:
        assert part not in text, part
    assert info["host"] not in words(text)
    assert profile.meta["startTime"] == 0 and profile.meta["arguments"] == "prog"
    for label in ("Host", "Working folder", "Interpreter path"):
        assert label not in profile.facts()
    assert "--no-" not in said
    # What it is shared for is still there.
    assert profile.names() == ["MainThread", "tailor"]
    assert [s.time for s in profile.samples()] and listings(profile)
    assert {"prog.py", "x/part.py", "y/part.py"} <= set(profile.sources())
    assert any("secret" in row[2] for m in listings(profile) for row in m.data["listing"])


def test_paths(personal):
    capture, folder, env = personal
    whole, _, _ = share(capture, folder, env=env)
    profile, text, _ = share(capture, folder, "--no-paths", env=env)
    assert "ada_l" not in text and str(folder) not in text
    assert profile.meta["arguments"].endswith("prog.py --token=s3cret data.csv -Iinc")
    names, before = list(profile.sources()), list(whole.sources())
    assert len(set(names)) == profile.shared["sources"]["length"] == len(before)
    for name, path in zip(names, before):
        assert path.endswith(name), (name, path)
    assert not [lib["path"] for lib in profile.data["libs"] if lib["path"].startswith("/")]
    # Standing in for each other, name by name, the stacks are the same.
    renamed = dict(zip(before, names))
    assert [[(f.name, renamed.get(f.file), f.line) for f in s.stack] for s in whole.samples()] == [
        [(f.name, f.file, f.line) for f in s.stack] for s in profile.samples()]
    assert profile.meta["startTime"] > 0 and "CPUName" in profile.meta


def test_arguments(personal):
    capture, folder, env = personal
    profile, text, said = share(capture, folder, "--no-arguments", env=env)
    assert "s3cret" not in text and "data.csv" not in text
    assert profile.meta["arguments"] == "prog"
    assert "(--no-arguments)" not in said and "(--no-paths)" in said


def test_environment(personal):
    capture, folder, env = personal
    profile, text, _ = share(capture, folder, "--no-env", env=env)
    assert "ada_l" not in text and "CPUName" not in text
    assert profile.meta["arguments"] == "pypy3 ~/mine/prog.py --token=s3cret ~/in/data.csv -I~/inc" \
        or profile.meta["arguments"].endswith(" ~/mine/prog.py --token=s3cret ~/in/data.csv -I~/inc")
    assert "~/mine/x/part.py" in profile.sources()


# ---- the command --------------------------------------------------------------------------------


def test_what_it_says(tmp_path):
    (tmp_path / "x.prof").write_bytes(builder.small_prof())
    done = support.vmfox("share", "x.prof", cwd=tmp_path)
    assert (done.code, done.out) == (0, "")
    written = (tmp_path / "x.share.json.gz").read_bytes()
    sizes = re.search(r"wrote x.share.json.gz: ([\d.]+) kB compressed.*; ([\d.]+) kB plain", done.err)
    assert float(sizes[1]) == pytest.approx(len(written) / 1e3, abs=0.051)
    assert float(sizes[2]) == pytest.approx(len(gzip.decompress(written)) / 1e3, abs=0.051)
    for part in ("nothing was sent", "vmfox view x.share.json.gz", "Upload Local Profile",
                 "https://profiler.firefox.com", "Load a profile from file", "whoever has the link"):
        assert part in done.err


def test_names_of_outputs(tmp_path):
    (tmp_path / "x.prof").write_bytes(builder.small_prof())
    done = support.vmfox("share", "-q", "x.prof", "-o", "y.json", cwd=tmp_path)
    assert done == (0, "", "")
    plain = json.loads((tmp_path / "y.json").read_text())
    done = support.vmfox("share", "-q", "x.prof", "-o", "-", cwd=tmp_path)
    assert (done.code, done.err) == (0, "") and json.loads(done.out) == plain
    assert support.vmfox("share", "x.prof", "-o", "y.txt", cwd=tmp_path).code == 2
    done = support.vmfox("share", "x.prof", "-o", "nowhere/y.json", cwd=tmp_path)
    assert done.code == 1 and "nowhere" in done.err
    os.link(tmp_path / "x.prof", tmp_path / "same.json")
    done = support.vmfox("share", "x.prof", "-o", "same.json", cwd=tmp_path)
    assert done.code == 1 and "is the input" in done.err


def test_a_plain_recording_with_its_log(pypy, recorder, tmp_path):
    made = recorder(pypy, "lines.py")
    (tmp_path / "x.prof").write_bytes(support.member(made.capture, "profile.prof"))
    (tmp_path / "x.jitlog").write_bytes(support.member(made.capture, "profile.jitlog"))
    profile, _, _ = share("x.prof", tmp_path, "--jitlog", "x.jitlog")
    assert listings(profile)
    profile, _, _ = share("x.prof", tmp_path)
    assert not listings(profile)


def test_a_finished_profile_is_refused(tmp_path):
    (tmp_path / "x.prof").write_bytes(builder.small_prof())
    assert support.vmfox("convert", "-q", "x.prof", cwd=tmp_path).code == 0
    done = support.vmfox("share", "x.json.gz", cwd=tmp_path)
    assert (done.code, done.out) == (1, "") and done.err.count("\n") == 1
    assert "share the recording that it was made from" in done.err
    assert not (tmp_path / "x.share.json.gz").exists()
