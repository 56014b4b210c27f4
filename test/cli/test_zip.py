"""Zips: those of vmprof-firefox-converter, our own captures, and hostile ones."""
import gzip
import json
import os
import zipfile

import pytest

import builder
import support
from support import vmfox
from test_convert import PROF, check_small

OLD = builder.small_prof(version=4)  # no start and end of its own


def bundle(tmp_path, members, name="x.zip"):
    return builder.write_zip(tmp_path / name, members)


# ---- of the converter ---------------------------------------------------------------------------


def test_a_zip_of_the_converter(tmp_path):
    path = bundle(tmp_path, {
        "dict.json": {"prof": "a.prof", "/made/up.py": "file_0.py", "jitlog": "j", "pypylog": "p"},
        "a.prof": PROF, "file_0.py": "# \u00e9 source\n", "j": b"\0", "p": "[1] {gc\n"})
    profile = support.convert(path, tmp_path)
    check_small(profile)
    assert profile.sources() == {"/made/up.py": "# \u00e9 source\n"}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_gzipped_profile_in_a_zip(tmp_path, method):
    path = builder.write_zip(tmp_path / "x.zip", {"dict.json": {"prof": "a"},
                                                  "a": gzip.compress(PROF)}, method)
    check_small(support.convert(path, tmp_path))


def test_times_of_the_converter(tmp_path):
    path = bundle(tmp_path, {"dict.json": {"prof": "a", "times": [1700000000.25, 1700000003.25]},
                             "a": OLD})
    profile = support.convert(path, tmp_path)
    assert profile.meta["startTime"] == 1700000000250
    times = [sample.time for sample in profile.samples()]
    assert abs(times[-1] - times[0] - 3000 * 5 / 6) < 0.01
    assert profile.facts()["Sample times"].startswith("ESTIMATE")


@pytest.mark.parametrize("times", [[], [1], [2, 1], ["a", "b"], "x", None, [1e300, 2e300],
                                   [-1e18, 1e18], {"a": 1}])
def test_useless_times_do_no_harm(tmp_path, times):
    path = bundle(tmp_path, {"dict.json": {"prof": "a", "times": times}, "a": OLD})
    done = vmfox("convert", "-q", path, "-o", "-", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    check_small(support.Profile(json.loads(done.out)))


def test_members_that_are_not_there(tmp_path):
    path = bundle(tmp_path, {"dict.json": {"prof": "a", "/made/up.py": "gone", "other": 3},
                             "a": PROF})
    done = vmfox("convert", path, "-o", "x.json", cwd=tmp_path)
    assert done.code == 0
    assert "gone" in done.err and "/made/up.py" in done.err and "other" in done.err
    check_small(support.load_profile(tmp_path / "x.json"))


@pytest.mark.parametrize("content, said", [
    ({"dict.json": "{ no json"}, "is not JSON"),
    ({"dict.json": "[1]"}, "expected an object"),
    ({"dict.json": ""}, "JSON"),
    ({"dict.json": {}}, "prof"),
    ({"dict.json": {"prof": "gone"}}, "prof"),
    ({"dict.json": {"prof": 7}}, "prof"),
    ({"dict.json": {"prof": "a"}, "a": "this is only a text, no profile"}, "expected"),
    ({"other.json": {}}, "dict.json"),
    ({}, "dict.json"),
    ({"capture.json": "x"}, "is not JSON"),
    ({"capture.json": {"version": 1}}, "profile.prof"),
    ({"capture.json": {"version": 99}, "profile.prof": PROF}, "version"),
    ({"capture.json": {}, "profile.prof": PROF}, "version"),
    ({"capture.json": {"version": 1}, "profile.prof": ""}, "byte 0x0"),
])
def test_zips_that_can_not_be_used(tmp_path, content, said):
    path = bundle(tmp_path, content)
    done = vmfox("convert", path, "-o", "x.json", cwd=tmp_path)
    assert (done.code, done.out) == (1, "")
    last = done.err.splitlines()[-1]
    assert last.startswith("vmfox: %s: " % path) and said in last
    assert not (tmp_path / "x.json").exists()


# ---- our own ------------------------------------------------------------------------------------


def capture_of(recorded):
    with zipfile.ZipFile(recorded.capture) as source:
        return {name: source.read(name) for name in source.namelist()}


def test_a_capture_with_parts_missing(tmp_path, pypy, recorder):
    members = capture_of(recorder(pypy, "nap.py"))
    for gone in ("stamps.i64", "maps.txt", "profile.jitlog", "sources/00000.py"):
        rest = {name: content for name, content in members.items() if name != gone}
        path = bundle(tmp_path, rest, "x.vmfox")
        profile = support.convert(path, tmp_path)
        support.check_structure(profile.data)
        assert support.share(profile.samples(), "toil", within="<module>") > 50
        estimate = profile.facts()["Sample times"].startswith("ESTIMATE")
        assert estimate == (gone == "stamps.i64")


def test_a_capture_with_too_few_stamps(tmp_path, pypy, recorder):
    members = capture_of(recorder(pypy, "nap.py"))
    members["stamps.i64"] = members["stamps.i64"][:84]
    path = bundle(tmp_path, members, "x.vmfox")
    done = vmfox("convert", path, "-o", "x.json", cwd=tmp_path)
    assert done.code == 0 and "10 arrival stamps for" in done.err
    support.check_structure(support.load_profile(tmp_path / "x.json").data)


WRONG = [None, 0, -1, 1e99, 2 ** 62, "text", [], [[]], {}, True]


@pytest.mark.parametrize("key", ["command", "program", "pid", "threads", "modules", "sources",
                                 "start_realtime_ns", "start_monotonic_ns", "end_monotonic_ns",
                                 "exit_code", "exit_signal", "cpu_count", "memory_bytes"])
def test_a_capture_with_wrong_facts(tmp_path, pypy, recorder, key):
    members = capture_of(recorder(pypy, "nap.py"))
    info = json.loads(members["capture.json"])
    for value in WRONG:
        info[key] = value
        members["capture.json"] = json.dumps(info)
        path = bundle(tmp_path, members, "x.vmfox")
        done = vmfox("convert", "-q", path, "-o", "-", cwd=tmp_path)
        assert (done.code, done.err) == (0, ""), value
        support.check_structure(json.loads(done.out))


# ---- hostile ones -------------------------------------------------------------------------------

NAMES = ["../../escape.prof", "/absolute/escape.prof", "a/../../escape.prof", "..", "/",
         "C:\\escape.prof", "line\nbreak", "x" * 5000]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_names_are_no_paths(tmp_path, name):
    work = tmp_path / "deep" / "work"
    work.mkdir(parents=True)
    path = bundle(work, {"dict.json": {"prof": name, "../../../up.py": name + "2"},
                         name: PROF, name + "2": "# source\n"})
    done = vmfox("convert", "-q", path, "-o", "x.json", cwd=work)
    assert (done.code, done.err) == (0, "")
    check_small(support.load_profile(work / "x.json"))
    assert sorted(os.listdir(work)) == ["tmp", "x.json", "x.zip"]
    assert os.listdir(work / "tmp") == [] and os.listdir(tmp_path) == ["deep"]


@pytest.mark.parametrize("name", ["secret.py", "../work/secret.py", "{folder}/secret.py",
                                  "./secret.py"])
def test_nothing_is_read_from_the_disk(tmp_path, name):
    work = tmp_path / "work"
    work.mkdir()
    (work / "secret.py").write_text("# the secret\n")
    (work / "a.prof").write_bytes(PROF)
    member = name.format(folder=work)
    path = bundle(work, {"dict.json": {"prof": "in.prof", "/made/up.py": member, member: member,
                                       "jitlog": member}, "in.prof": PROF})
    done = vmfox("convert", path, "-o", "-", cwd=work)
    assert done.code == 0 and "the secret" not in done.out
    for prof in ("a.prof", str(work / "a.prof"), "../work/a.prof"):
        path = bundle(work, {"dict.json": {"prof": prof}})
        assert vmfox("convert", path, "-o", "-", cwd=work).code == 1


def test_too_many_members(tmp_path):
    members = {"dict.json": {"prof": "a"}, "a": PROF}
    members.update(("m%05d" % i, "") for i in range(30000))
    path = builder.write_zip(tmp_path / "x.zip", members, zipfile.ZIP_STORED)
    done = vmfox("convert", path, "-o", "x.json", cwd=tmp_path)
    assert done.code == 1 and "30002 members" in done.err


def test_a_source_named_often(tmp_path):
    table = {"/s/%d.py" % i: "s" for i in range(1400)}
    path = bundle(tmp_path, {"dict.json": dict(table, prof="a"), "a": PROF, "s": "x" * 200000})
    done = vmfox("convert", path, "-o", "x.json", cwd=tmp_path)
    assert done.code == 0
    assert (tmp_path / "x.json").stat().st_size < 1 << 20
    check_small(support.load_profile(tmp_path / "x.json"))


@pytest.mark.parametrize("size", [0, 1, 100, 0x7FFFFFFF, 0xFFFFFFFE])
@pytest.mark.parametrize("name", ["a", "dict.json"])
def test_a_lie_about_a_size(tmp_path, name, size):
    path = bundle(tmp_path, {"dict.json": {"prof": "a"}, "a": PROF})
    builder.lie_about_size(path, name, size)
    done = vmfox("convert", path, "-o", "x.json", cwd=tmp_path)
    assert done.code in (0, 1) and done.out == ""
    assert done.err.startswith("vmfox: ")
    if done.code == 0:
        support.check_structure(support.load_profile(tmp_path / "x.json").data)
    else:
        assert not (tmp_path / "x.json").exists()


def test_a_cut_zip(tmp_path):
    whole = bundle(tmp_path, {"dict.json": {"prof": "a"}, "a": PROF}).read_bytes()
    path = tmp_path / "cut.zip"
    for cut in range(4, len(whole), 11):
        path.write_bytes(whole[:cut])
        done = vmfox("convert", path, "-o", "x.json", cwd=tmp_path)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("vmfox: %s: the zip can't be read: " % path)


def test_a_zip_with_damage(tmp_path):
    whole = bundle(tmp_path, {"dict.json": {"prof": "a", "/made/up.py": "s"}, "a": PROF,
                              "s": "# source\n"}).read_bytes()
    path = tmp_path / "bad.zip"
    for at in range(0, len(whole), 5):
        damaged = bytearray(whole)
        damaged[at] ^= 0x55
        path.write_bytes(damaged)
        done = vmfox("convert", path, "-o", "-", cwd=tmp_path)
        assert done.code in (0, 1), at
        if done.code == 0:
            support.check_structure(json.loads(done.out))
        else:
            assert done.err.startswith("vmfox: "), at
