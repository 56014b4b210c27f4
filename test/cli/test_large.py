"""Recordings of a size that a service makes in a day: bounds of memory, totals, and what is stored."""
import collections
import os
import resource
import struct
import subprocess
import zipfile

import pytest

import slabs
import support
from support import vmfox

MB = 1000 * 1000
# Beyond the input, for each sample.
BYTES_A_SAMPLE = 100


@pytest.fixture(scope="module")
def parts():
    """What a real VMProf file is made of: what stands before the samples, the samples, the rest."""
    with zipfile.ZipFile(support.DATA / "pypy.vmfox") as zipped:
        data = zipped.read("profile.prof")
    before, samples, at = [data[:40]], [], 40
    while data[at] != 3:
        start, kind = at, data[at]
        if kind == 1:
            at += 25 + 8 * struct.unpack_from("<Q", data, at + 9)[0]
        elif kind in (2, 8):
            at += 17 + struct.unpack_from("<Q", data, at + 9)[0]
        elif kind == 5:
            at += 5 + data[at + 4]
        elif kind == 6:
            at += 25
        else:
            assert kind == 7
            at += 1
            for _ in range(2):
                at += 8 + struct.unpack_from("<Q", data, at)[0]
        (samples if kind == 1 else before).append(data[start:at])
    return b"".join(before), samples, data[at:]


def make(path, parts, size, samples=None):
    """A file of at least `size` bytes; returns how often the samples are in it."""
    before, own, after = parts
    block = b"".join(samples or own)
    times = -(-size // len(block))
    with open(path, "wb") as file:
        file.write(before)
        step = max(1, 8 * MB // len(block))
        many, left = block * step, times
        while left:
            now = min(left, step)
            file.write(many[:now * len(block)])
            left -= now
        file.write(after)
    return times


def limited(limit, *words):
    """Runs vmfox with so many bytes of addresses; its exit code."""
    return subprocess.run([str(support.VMFOX), *map(str, words)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
                          check=False).returncode


@pytest.mark.parametrize("ending", ["jslb.gz", "json.gz", "jslb", "json"])
def test_memory_is_bounded_by_the_number_of_samples(parts, tmp_path, ending):
    one, large, out = tmp_path / "one.prof", tmp_path / "large.prof", tmp_path / ("x." + ending)
    make(one, parts, 1)
    times = make(large, parts, 100 * MB)
    convert = ("convert", "-q", "-o", out)
    # What it takes without any samples to speak of: its libraries, a thread.
    fixed = next(limit for limit in range(8 * MB, 512 * MB, 4 * MB)
                 if limited(limit, *convert, one) == 0)
    size, samples = os.path.getsize(large), times * len(parts[1])
    assert limited(fixed + size + BYTES_A_SAMPLE * samples, *convert, large) == 0
    # The limit is one: without room for the input it fails.
    assert limited(fixed + size // 2, *convert, large) != 0


def test_a_gigabyte_has_the_totals_of_its_parts(parts, tmp_path):
    one, large = tmp_path / "one.prof", tmp_path / "large.prof"
    make(one, parts, 1)
    times = make(large, parts, 1000 * MB)

    def counts(path):
        out = tmp_path / "x.jslb"
        assert vmfox("convert", "-q", path, "-o", out, cwd=tmp_path).code == 0
        profile = support.Profile(slabs.decode(out.read_bytes()))
        found = collections.Counter()
        for thread in profile.threads:
            for stack, count in collections.Counter(thread["samples"]["stack"]).items():
                found[None if stack is None else profile.stacks[stack]] += count
        return found

    expected = {stack: count * times for stack, count in counts(one).items()}
    assert sum(expected.values()) == times * len(parts[1]) > 1000000
    assert counts(large) == expected


def test_more_than_a_page_can_hold_is_said(parts, tmp_path):
    shortest = min(parts[1], key=len)
    path, out = tmp_path / "many.prof", tmp_path / "x.jslb"
    times = make(path, parts, 10000001 * len(shortest), [shortest])
    done = vmfox("convert", path, "-o", out, cwd=tmp_path)
    assert done.code == 0
    assert "%d samples are more than a page can hold well; --max-samples 5000000" % times in done.err
    done = vmfox("convert", "--max-samples", "5000000", path, "-o", out, cwd=tmp_path)
    assert done.code == 0 and "more than a page" not in done.err
    profile = slabs.decode(out.read_bytes())
    samples = profile["threads"][0]["samples"]
    assert samples["length"] <= 5000000 and sum(samples["weight"]) == times


def store(path, members, method):
    with zipfile.ZipFile(path, "w", method) as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)


@pytest.fixture
def members(parts, tmp_path):
    """A recording's members, with a VMProf file of 3 MB."""
    prof = tmp_path / "large.prof"
    make(prof, parts, 3 * MB)
    with zipfile.ZipFile(support.DATA / "pypy.vmfox") as zipped:
        found = {name: zipped.read(name) for name in zipped.namelist()}
    found["profile.prof"] = prof.read_bytes()
    del found["stamps.i64"]
    return found


def test_stored_members_are_read_as_packed_ones(members, tmp_path):
    made = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        store(tmp_path / "x.vmfox", members, method)
        out = tmp_path / "x.json"
        done = vmfox("convert", "-q", tmp_path / "x.vmfox", "-o", out, cwd=tmp_path)
        assert (done.code, done.err) == (0, "")
        made.append(out.read_bytes())
    assert made[0] == made[1]


def test_a_damaged_stored_member_is_said_and_used(members, tmp_path):
    path = tmp_path / "x.vmfox"
    store(path, members, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    at = data.index(members["profile.prof"][:4096]) + len(members["profile.prof"]) // 2
    data[at] ^= 1
    path.write_bytes(data)
    done = vmfox("convert", path, "-o", tmp_path / "x.json", cwd=tmp_path)
    assert done.code == 0
    assert "member profile.prof is damaged: its checksum is not that of the zip" in done.err
    assert support.load_profile(tmp_path / "x.json").threads
    done = vmfox("symbolicate", path, "-o", tmp_path / "y.vmfox", cwd=tmp_path)
    assert "member profile.prof is damaged" in done.err


def test_a_cut_zip_of_stored_members_is_refused(members, tmp_path):
    path = tmp_path / "x.vmfox"
    store(path, members, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes()[:-MB])
    done = vmfox("convert", path, "-o", tmp_path / "x.json", cwd=tmp_path)
    assert done.code == 1 and "zip" in done.err
