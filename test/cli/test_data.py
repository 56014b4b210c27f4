"""The recordings in test/data: read as they always were, and cut in many places.

VMFOX_SAN is a vmfox built with sanitizers, for the cuts."""
import concurrent.futures
import json
import os
from pathlib import Path

import pytest

import support
import summary

FILES = sorted(support.DATA.glob("*.vmfox"), key=lambda file: file.stem)
SAN = Path(os.environ.get("VMFOX_SAN") or support.VMFOX).resolve()
STEP = 97


def test_there_is_one_for_each_mode():
    assert [file.stem for file in FILES] == [
        "cpython", "cpython-plain", "cpython-real-time", "pypy", "pypy-no-native",
        "pypy-real-time"]
    assert all(file.stat().st_size < 80000 for file in FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recording_is_read_as_before(tmp_path, file):
    golden = json.loads(file.with_suffix(".golden.json").read_text(encoding="utf-8"))
    profile = support.convert(file, tmp_path)
    support.check_structure(profile.data)
    assert summary.summary(profile) == golden


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_vmprof_file_inside_says_the_same(tmp_path, file):
    """Without what the recorder adds there are no times and no names of threads, but the same
    samples."""
    (tmp_path / "x.prof").write_bytes(support.member(file, "profile.prof"))
    options = ()
    if "profile.jitlog" in support.members(file):
        (tmp_path / "x.jitlog").write_bytes(support.member(file, "profile.jitlog"))
        options = ("--jitlog", "x.jitlog")
    whole, bare = support.convert(file, tmp_path), support.convert("x.prof", tmp_path, *options)
    support.check_structure(bare.data)

    def stacks(profile):
        return sorted([f.name for f in s.stack if f.category != "Native" and
                       f.lib != "PyPy runtime"] for s in profile.all_samples())

    assert stacks(bare) == stacks(whole)
    assert bare.meta["product"] in ("PyPy", "CPython")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_cut_file_gives_what_was_whole(tmp_path, file):
    prof = support.member(file, "profile.prof")
    samples = json.loads(file.with_suffix(".golden.json").read_text(encoding="utf-8"))
    most = sum(thread["samples"] for thread in samples["threads"])
    cuts = range(STEP, len(prof), STEP)
    assert len(cuts) > 30

    def convert(cut):
        name = "%d.prof" % cut
        (tmp_path / name).write_bytes(prof[:cut])
        done = support.run((SAN, "convert", name, "-o", "-"), tmp_path)
        (tmp_path / name).unlink()
        return done

    (tmp_path / "tmp").mkdir()
    before = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for cut, done in zip(cuts, pool.map(convert, cuts)):
            said = done.err.decode()
            assert done.code == 0, (cut, said)
            assert said.startswith("vmfox: warning: %d.prof: byte 0x" % cut), (cut, said)
            assert said.count("\n") <= 2, (cut, said)
            data = json.loads(done.out)
            support.check_structure(data)
            found = sum(thread["samples"]["length"] for thread in data["threads"])
            assert before <= found <= most, cut
            before = found
    assert before > 0.9 * most - 1
