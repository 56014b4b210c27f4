"""vmfox convert: every kind of input, the names of outputs, and messages for what can't be read."""
import gzip
import json
import os
import subprocess

import pytest

import builder
import support
import viewing
from support import vmfox

PROF = builder.small_prof()


def put(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    return name


def check_small(profile, function="f\u00e9"):
    support.check_structure(profile.data)
    samples = profile.samples()
    assert len(samples) == 6
    assert [f.name for f in samples[2].stack] == ["<module>", function, "g"]
    assert support.self_counts(samples) == {function: 2, "g": 2, "<module>": 2}
    assert {f.file for f in profile.frames if f.file} == {"/made/up.py"}


# ---- inputs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x.prof", "x.json.gz", "x", "x.zip", "x.vmfox"])
def test_the_content_decides_not_the_name(tmp_path, name):
    check_small(support.convert(put(tmp_path, name, PROF), tmp_path))
    check_small(support.convert(put(tmp_path, name, gzip.compress(PROF)), tmp_path))


@pytest.mark.parametrize("version", [1, 2, 4, 5, 6])
def test_versions(tmp_path, version):
    put(tmp_path, "x.prof", builder.small_prof(version))
    profile = support.convert("x.prof", tmp_path)
    check_small(profile)
    assert profile.facts()["File format"] == "VMProf version %d" % version


def test_times_are_spread_and_that_is_said(tmp_path):
    profile = support.convert(put(tmp_path, "x.prof", PROF), tmp_path)
    assert profile.meta["startTime"] == 1600000000000
    times = [sample.time for sample in profile.samples()]
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert all(abs(gap - 2000 / 6) < 0.001 for gap in gaps)
    assert 0 <= times[0] and times[-1] <= 2000
    assert profile.facts()["Sample times"].startswith("ESTIMATE")


def test_gzip_with_several_parts(tmp_path):
    halves = gzip.compress(PROF[:200]) + gzip.compress(PROF[200:])
    check_small(support.convert(put(tmp_path, "x.prof.gz", halves), tmp_path))


def test_companions_are_accepted(tmp_path):
    put(tmp_path, "x.prof", PROF)
    put(tmp_path, "x.log", b"[1] {jit-summary\n[2] jit-summary}\n")
    done = vmfox("convert", "-q", "x.prof", "--jitlog", "x.log", "--pypylog", "x.log", "-o", "-",
                 cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    check_small(support.Profile(json.loads(done.out)))
    done = vmfox("convert", "-q", "x.prof", "--jitlog", "missing.log", cwd=tmp_path)
    assert (done.code, done.err) == (1, "vmfox: missing.log: can't be opened: "
                                        "No such file or directory\n")


def test_sources_of_a_plain_file(tmp_path):
    code = tmp_path / "code"
    (code / "in").mkdir(parents=True)
    (code / "in" / "up.py").write_text("# the source\n")
    (tmp_path / "secret.py").write_text("# the secret\n")
    os.symlink("../secret.py", code / "link.py")
    for name, text in (("./in/up.py", "# the source\n"), ("../secret.py", None),
                       ("link.py", None), (str(tmp_path / "secret.py"), None),
                       (str(code / "in/up.py"), "# the source\n")):
        prof = builder.small_prof(names={key: value.replace("/made/up.py", name)
                                         for key, value in builder.NAMES.items()})
        put(tmp_path, "x.prof", prof)
        done = vmfox("convert", "-q", "--sources", "code", "x.prof", "-o", "-", cwd=tmp_path)
        assert (done.code, done.err) == (0, "")
        assert support.Profile(json.loads(done.out)).sources() == {name: text}
        done = vmfox("convert", "-q", "x.prof", "-o", "-", cwd=tmp_path)
        assert support.Profile(json.loads(done.out)).sources() == {name: None}


def test_a_source_that_is_cut_is_shown_as_it_was(tmp_path):
    (tmp_path / "up.py").write_text("# the source\n" * 10000)
    put(tmp_path, "x.prof", builder.small_prof(names={
        key: value.replace("/made/up.py", "up.py") for key, value in builder.NAMES.items()}))
    with viewing.View("x.prof", tmp_path, "--sources", ".") as view:
        (tmp_path / "up.py").write_text("")
        assert view.source("up.py")["source"] == "# the source\n" * 10000


# ---- outputs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, expected", [
    ("x.prof", "x.json.gz"), ("x.prof.gz", "x.json.gz"), ("x", "x.json.gz"),
    ("a.b.prof", "a.b.json.gz"), ("sub.d/x", "sub.d/x.json.gz"), (".prof", ".prof.json.gz"),
])
def test_default_name(tmp_path, name, expected):
    (tmp_path / "sub.d").mkdir()
    put(tmp_path, name, PROF)
    done = vmfox("convert", name, cwd=tmp_path)
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("vmfox: wrote %s (" % expected) and done.err.count("\n") == 1
    assert (tmp_path / expected).read_bytes()[:2] == b"\x1f\x8b"
    check_small(support.load_profile(tmp_path / expected))
    assert (tmp_path / name).read_bytes() == PROF


def test_endings(tmp_path):
    put(tmp_path, "x.prof", PROF)
    assert vmfox("convert", "-q", "x.prof", "-o", "a.json", cwd=tmp_path) == (0, "", "")
    assert vmfox("convert", "-q", "x.prof", "-o", "a.json.gz", cwd=tmp_path) == (0, "", "")
    plain = (tmp_path / "a.json").read_bytes()
    assert gzip.decompress((tmp_path / "a.json.gz").read_bytes()) == plain
    done = vmfox("convert", "-q", "-o", "-", "x.prof", cwd=tmp_path)
    assert done == (0, plain.decode(), "")
    for wrong in ("a.gz", "a.txt", "a", "json"):
        done = vmfox("convert", "x.prof", "-o", wrong, cwd=tmp_path)
        assert (done.code, done.out) == (2, "") and ".json.gz" in done.err
        assert not (tmp_path / wrong).exists()


def test_an_output_that_can_not_be_written(tmp_path):
    put(tmp_path, "x.prof", PROF)
    for out in ("nowhere/a.json", "x.prof/a.json"):
        done = vmfox("convert", "x.prof", "-o", out, cwd=tmp_path)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("vmfox: %s: can't be written: " % out)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([support.VMFOX, "convert", "x.prof", "-o", "-"], stdout=full,
                                      stderr=subprocess.PIPE, cwd=tmp_path)
    assert done.returncode == 1 and b"No space left" in done.stderr


def test_a_good_output_stays_when_the_input_is_bad(tmp_path):
    put(tmp_path, "a.json", b"precious")
    put(tmp_path, "bad.prof", b"no such format, twenty bytes")
    assert vmfox("convert", "bad.prof", "-o", "a.json", cwd=tmp_path).code == 1
    assert (tmp_path / "a.json").read_bytes() == b"precious"
    assert sorted(os.listdir(tmp_path)) == ["a.json", "bad.prof", "tmp"]


# ---- what can't be read -------------------------------------------------------------------------


@pytest.mark.parametrize("content, said", [
    (b"", "byte 0x0: expected a VMProf header, found an empty file"),
    (b"Hello, this is a text and no profile at all.\n", "byte 0x0: expected a VMProf file"),
    (b"\x7fELF" + bytes(100), "byte 0x0: expected a VMProf file"),
    (b"[1, 2, 3]" + b" " * 40, "byte 0x0: expected a VMProf file"),
    (b"short", "byte 0x"),
    (PROF[:20], "byte 0x"),
    (b"\x1f\x8b\x08not really gzip", "gzip"),
    (gzip.compress(b""), "byte 0x0: expected a VMProf header"),
    (b"PK\x03\x04 no zip", "zip"),
    (b"PK\x05\x06" + bytes(18), "zip"),
    (bytes(7) + b"\x00" + bytes(7) + b"\x03" + bytes(24), "big-endian"),
])
def test_unusable_content(tmp_path, content, said):
    put(tmp_path, "x.prof", content)
    done = vmfox("convert", "x.prof", cwd=tmp_path)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("vmfox: x.prof: ") and done.err.count("\n") == 1
    assert said in done.err
    assert not (tmp_path / "x.json.gz").exists()


def test_what_is_no_file(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, said in (("folder", "is a directory"), ("pipe", "is not a regular file"),
                       ("missing", "No such file"), ("/dev/zero", "is not a regular file")):
        done = vmfox("convert", name, "-o", "x.json", cwd=tmp_path)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("vmfox: %s: " % name) and said in done.err
        assert done.err.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path):
    put(tmp_path, "x.prof", PROF)
    (tmp_path / "x.prof").chmod(0)
    done = vmfox("convert", "x.prof", cwd=tmp_path)
    assert done.code == 1 and "Permission denied" in done.err


def test_a_finished_profile_is_not_converted_again(tmp_path):
    put(tmp_path, "x.prof", PROF)
    assert vmfox("convert", "x.prof", cwd=tmp_path).code == 0
    done = vmfox("convert", "x.json.gz", "-o", "y.json", cwd=tmp_path)
    assert done.code == 1 and "vmfox view" in done.err


# ---- what is cut --------------------------------------------------------------------------------


def test_a_cut_file_keeps_every_whole_sample(tmp_path):
    first = PROF.index(b"\x01" + builder.words(1))
    ends, at = [], first
    for stack in builder.STACKS:
        at += 1 + 8 * (2 + 2 * len(stack) + 1)
        ends.append(at)
    for cut in range(first, len(PROF) - 25, 7):
        put(tmp_path, "x.prof", PROF[:cut])
        done = vmfox("convert", "x.prof", "-o", "-", cwd=tmp_path)
        assert done.code == 0
        whole = sum(end <= cut for end in ends)
        assert sum(t["samples"]["length"] for t in json.loads(done.out)["threads"]) == whole
        record = ends[whole - 1] if whole else first
        if cut != record:
            # the offset lies in the record that is not whole
            offset = int(done.err.split("byte 0x")[1].split(":")[0], 16)
            assert record <= offset <= cut, done.err
        assert "warning: x.prof: " in done.err
        assert vmfox("convert", "-q", "x.prof", "-o", "-", cwd=tmp_path) == (0, done.out, "")


def test_an_unknown_record_ends_the_file_there(tmp_path):
    at = PROF.index(b"\x01" + builder.words(1)) + 2 * (1 + 8 * 7)
    put(tmp_path, "x.prof", PROF[:at] + b"\x42" + PROF[at:])
    done = vmfox("convert", "x.prof", "-o", "-", cwd=tmp_path)
    assert done.code == 0 and "warning: x.prof: byte 0x%x: " % at in done.err
    assert json.loads(done.out)["threads"][0]["samples"]["length"] == 2


def test_a_cut_gzip_file_keeps_what_can_be_unpacked(tmp_path):
    long = builder.small_prof(stacks=builder.STACKS * 500)
    packed = gzip.compress(long)
    put(tmp_path, "x.prof.gz", packed[:len(packed) // 2])
    done = vmfox("convert", "x.prof.gz", "-o", "-", cwd=tmp_path)
    assert done.code == 0 and "warning: x.prof.gz: " in done.err
    assert 100 < json.loads(done.out)["threads"][0]["samples"]["length"] < 3000


def test_a_wrong_checksum_is_said(tmp_path):
    packed = bytearray(gzip.compress(PROF))
    packed[-8] ^= 1
    put(tmp_path, "x.prof.gz", bytes(packed))
    done = vmfox("convert", "x.prof.gz", "-o", "-", cwd=tmp_path)
    assert done.code == 0 and "warning" in done.err
    check_small(support.Profile(json.loads(done.out)))
