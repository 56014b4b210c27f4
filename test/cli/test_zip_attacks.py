"""Zips that no zip program writes: made to fill the disk or the memory, to get files written or
read that are none of their business, or to be two things at once."""
import os
import resource
import struct

import pytest

import builder
import support
from builder import DEFLATED, ENCRYPTED, STORED, SYMLINK, raw, raw_bomb
from test_convert import PROF, check_small

INFO = raw("capture.json", {"version": 1})
GB = 1 << 30


def limits():
    """Whoever writes a file of 2 GiB is killed, and who asks for 768 MiB gets none."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * GB, 2 * GB))
    resource.setrlimit(resource.RLIMIT_DATA, (3 * GB // 4, 3 * GB // 4))


def convert(tmp_path, members):
    """`vmfox convert` within these limits.  Nothing is left but what was asked for."""
    work = tmp_path / "deep" / "work"
    work.mkdir(parents=True, exist_ok=True)
    (work / "x.json").unlink(missing_ok=True)
    path = builder.write_raw_zip(work / "x.zip", members)
    done = support.vmfox("convert", path, "-o", "x.json", cwd=work, preexec_fn=limits)
    path.unlink()
    expected = ["tmp", "x.json"] if done.code == 0 else ["tmp"]
    assert sorted(os.listdir(work)) == expected and os.listdir(work / "tmp") == []
    assert os.listdir(tmp_path) == ["deep"] and os.listdir(tmp_path / "deep") == ["work"]
    assert done.out == ""
    return done


def refused(tmp_path, members, said):
    done = convert(tmp_path, members)
    assert done.code == 1 and done.err.startswith("vmfox: ") and done.err.count("\n") == 1
    assert said in done.err


def taken(tmp_path, members, *said):
    """The small profile is read; `said` are parts of the warnings, one each."""
    done = convert(tmp_path, members)
    assert done.code == 0, done.err
    profile = support.load_profile(tmp_path / "deep/work/x.json")
    check_small(profile)
    warnings = [line for line in done.err.splitlines() if line.startswith("vmfox: warning: ")]
    assert len(warnings) == len(said), done.err
    for warning, part in zip(warnings, said):
        assert part in warning
    return profile


# ---- bombs --------------------------------------------------------------------------------------


def test_a_profile_of_10_gb(tmp_path):
    bomb = raw_bomb("profile.prof", 10 * GB, PROF)
    assert len(bomb.packed) < 11 << 20
    refused(tmp_path, [INFO, bomb], "profile.prof in the zip can't be read: unpacks to more than")


def test_a_profile_of_10_gb_packed_twice(tmp_path):
    packed = raw_bomb("", 10 * GB, PROF).packed
    gzipped = b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + packed + struct.pack("<2I", 0, 10 * GB & 0xFFFFFFFF)
    refused(tmp_path, [raw("dict.json", {"prof": "a"}), raw("a", gzipped)], "limit")


def test_logs_and_sources_of_more_than_1_gb_each(tmp_path):
    """All together have one limit, and what is left is read without them."""
    names = ["stamps.i64", "cpu.i64", "clock.i64", "profile.jitlog", "profile.pypylog"]
    size = 5 * GB // 4
    info = raw("capture.json", {"version": 1, "sources": [{"path": "/a.py", "member": "s"}]})
    taken(tmp_path, [info, raw("profile.prof", PROF), raw_bomb("s", size)] +
          [raw_bomb(name, size) for name in names],
          "member stamps.i64 unpacks to more than",
          *["member %s is left out" % name for name in names[1:] + ["s"]])


def test_a_capture_json_of_1_gb(tmp_path):
    refused(tmp_path, [raw_bomb("capture.json", GB), raw("profile.prof", PROF)],
            "capture.json in the zip can't be read: unpacks to more than 16777216 bytes")
    refused(tmp_path, [raw_bomb("dict.json", GB), raw("a", PROF)], "dict.json in the zip")


@pytest.mark.parametrize("value", [b"{}", b"[]", b'""', b"0"])
def test_a_capture_json_of_millions_of_values(tmp_path, value):
    text = b'{"version": 1, "x": [' + (value + b",") * ((15 << 20) // (len(value) + 1)) + b"0]}"
    refused(tmp_path, [raw("capture.json", text), raw("profile.prof", PROF)],
            "holds more than 1000000 values, the limit")


def test_members_that_overlap(tmp_path):
    """Thousands of names for the same packed bytes."""
    table = {"/s/%d.py" % i: "s%d" % i for i in range(9000)}
    members = [raw("dict.json", dict(table, prof="a")), raw("a", PROF),
               raw_bomb("s0", 1 << 26, b"# source\n")]
    members += [members[2]._replace(name="s%d" % i, at=2) for i in range(1, 9000)]
    done = convert(tmp_path, members)
    assert done.code == 0 and "unpacks to more than" in done.err
    check_small(support.load_profile(tmp_path / "deep/work/x.json"))
    # A profile that lies in the middle of another member.
    inner = raw("profile.prof", PROF, STORED)
    taken(tmp_path, [INFO, inner] + [inner._replace(name="m%d" % i, at=1) for i in range(1000)])


# ---- many ---------------------------------------------------------------------------------------


def test_ten_thousand_members(tmp_path):
    table = {"/s/%d.py" % i: "s%d" % i for i in range(10000)}
    members = [raw("s%d" % i, b"# %d\n" % i) for i in range(10000)]
    taken(tmp_path, [raw("dict.json", dict(table, prof="a")), raw("a", PROF)] + members)


@pytest.mark.parametrize("count", [25000, 200000])
def test_more_members_than_the_limit(tmp_path, count):
    refused(tmp_path, [INFO, raw("profile.prof", PROF)] +
            [raw("m%d" % i, b"", STORED) for i in range(count - 2)],
            "the zip has %d members, more than 20000, the limit" % count)


# ---- what they say of themselves ----------------------------------------------------------------


def test_links_are_not_followed(tmp_path):
    (tmp_path / "deep/work").mkdir(parents=True)
    secret = tmp_path / "deep/work/tmp"
    table = {"/made/up.py": "link", "/b.py": "folder/b.py", "prof": "a"}
    links = [raw("link", b"/etc/passwd", STORED, mode=SYMLINK),
             raw("folder", b"../..", STORED, mode=SYMLINK), raw("folder/b.py", b"# b\n"),
             raw("x.json", b"/etc/passwd", STORED, mode=SYMLINK),
             raw("../x.json", bytes(str(secret), "utf-8"), STORED, mode=SYMLINK)]
    profile = taken(tmp_path, [raw("dict.json", table), raw("a", PROF)] + links)
    assert set(profile.sources().values()) <= {"/etc/passwd", "# b\n", None}
    refused(tmp_path, [INFO, raw("profile.prof", b"/made/up.prof", STORED, mode=SYMLINK)],
            "expected a VMProf header")


def test_names_do_not_talk_to_the_terminal(tmp_path):
    name = "\x1b[31mgone\nvmfox: all is well\r\x07\x7f"
    taken(tmp_path, [raw("dict.json", {"prof": "a", "/a.py": name}), raw("a", PROF)],
          "member ?[31mgone?vmfox: all is well??? of /a.py is not in the zip")


def test_a_zip_in_a_zip_is_not_opened(tmp_path):
    inner = builder.write_raw_zip(tmp_path / "in.zip", [INFO, raw("profile.prof", PROF)])
    content = inner.read_bytes()
    inner.unlink()
    refused(tmp_path, [INFO, raw("profile.prof", content)], "expected a VMProf header")
    refused(tmp_path, [raw("x.vmfox", content)], "expected capture.json")
    refused(tmp_path, [raw("capture.json", content)], "is not JSON")


def test_a_name_that_is_there_twice(tmp_path):
    """One of them is taken as a whole, and it is said."""
    good = [INFO, raw("profile.prof", PROF)]
    taken(tmp_path, good + [raw("capture.json", {"version": 3})],
          "member capture.json is in the zip more than once; one of them is read")
    taken(tmp_path, good + [raw("profile.prof", b"x" * 99)],
          "member profile.prof is in the zip more than once; one of them is read")
    refused(tmp_path, [raw("capture.json", {"version": 3})] + good, "says version 3")
    refused(tmp_path, [raw("profile.prof", b"x" * 99)] + good, "expected a VMProf header")


def test_members_that_are_encrypted(tmp_path):
    locked = raw("profile.prof", PROF, flags=ENCRYPTED)
    refused(tmp_path, [INFO, locked], "profile.prof in the zip can't be read: ")
    refused(tmp_path, [INFO._replace(flags=ENCRYPTED), raw("profile.prof", PROF)],
            "capture.json in the zip can't be read: ")
    refused(tmp_path, [raw("dict.json", {"prof": "profile.prof"}), locked], "can't be read: ")
    taken(tmp_path, [INFO, raw("profile.prof", PROF), raw("maps.txt", b"x", flags=ENCRYPTED)],
          "member maps.txt can't be read")


@pytest.mark.parametrize("method", [STORED, DEFLATED])
@pytest.mark.parametrize("size", [0, 10, 10 * GB, 1 << 62, (1 << 64) - 1])
def test_a_lie_about_a_size_in_zip64(tmp_path, method, size):
    done = convert(tmp_path, [INFO, raw("profile.prof", PROF, method)._replace(size=size)])
    assert done.code in (0, 1) and done.err.startswith("vmfox: ")
    if done.code == 0:
        support.check_structure(support.load_profile(tmp_path / "deep/work/x.json").data)
