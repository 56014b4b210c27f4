"""JSON Slabs hold what JSON holds, to the last number."""
import gzip
import json
import os
import zlib

import pytest

import slabs
import support
from support import vmfox

DATA = os.path.join(support.ROOT, "test", "data")
CAPTURES = sorted(name for name in os.listdir(DATA) if name.endswith(".vmfox"))


def convert(source, out, *options):
    done = vmfox("convert", "-q", *options, source, "-o", out, cwd=os.path.dirname(out))
    assert done.code == 0, done.err
    with open(out, "rb") as file:
        return file.read()


def assert_same(source, folder, *options):
    """All four shapes of a recording hold the same."""
    plain = convert(source, folder / "x.json", *options)
    assert gzip.decompress(convert(source, folder / "x.json.gz", *options)) == plain
    binary = convert(source, folder / "x.jslb", *options)
    assert gzip.decompress(convert(source, folder / "x.jslb.gz", *options)) == binary
    profile = support.profile_of(plain)
    assert slabs.as_json(slabs.decode(binary)) == profile
    return profile, binary


@pytest.mark.parametrize("name", CAPTURES)
def test_all_shapes_of_a_recording_hold_the_same(name, tmp_path):
    profile, _ = assert_same(os.path.join(DATA, name), tmp_path)
    assert sum(thread["samples"]["length"] for thread in profile["threads"]) > 10


def test_also_with_traces_markers_and_counters(recorder, pypy, tmp_path):
    made = recorder(pypy, "shares.py")
    profile, _ = assert_same(made.capture, tmp_path)
    assert any(thread["markers"]["length"] for thread in profile["threads"])
    assert profile["counters"]
    assert_same(made.capture, tmp_path, "--no-traces", "--no-phases", "--no-embed-sources")


def test_what_is_large_is_binary(tmp_path):
    """The columns that the front-end takes as they are: types/profile.ts."""
    _, binary = assert_same(os.path.join(DATA, CAPTURES[0]), tmp_path)
    columns, root = slabs.read_container(binary)
    profile = json.loads(columns[root])
    stacks, frames = profile["shared"]["stackTable"], profile["shared"]["frameTable"]
    samples = profile["threads"][0]["samples"]
    for column, kind in ((stacks["frame"], "i"), (stacks["prefixOffset"], "i"),
                         (frames["address"], "i"), (frames["func"], "i"),
                         (frames["inlineDepth"], "B"), (samples["timeDeltas"], "d")):
        assert columns[column["$s"]].typecode == kind
    # In a binary column the front-end's null would be a 0.
    assert isinstance(columns[samples["stack"]["$s"]], bytes)


def test_an_empty_recording(tmp_path):
    """A header and a trailer, and nothing between them."""
    words = b"".join(n.to_bytes(8, "little") for n in (0, 3, 0, 1000, 0))
    path = tmp_path / "empty.prof"
    path.write_bytes(words + b"\x05\x00\x06\x08\x04pypy" + b"\x03" + bytes(24))
    profile, _ = assert_same(path, tmp_path)
    assert profile["threads"][0]["samples"]["length"] == 0


def test_a_gzipped_file_is_one_member(tmp_path):
    """The page hangs at a second one."""
    packed = convert(os.path.join(DATA, CAPTURES[0]), tmp_path / "x.jslb.gz")
    unpacker = zlib.decompressobj(31)
    unpacker.decompress(packed)
    assert unpacker.eof and unpacker.unused_data == b""
