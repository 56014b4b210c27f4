"""JSON Slabs hold what JSON holds, to the last number, and can be made JSON again."""
import array
import gzip
import json
import os
import random
import struct
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
    """All four shapes of a recording hold the same, and JSON made of slabs is the recording's."""
    plain = convert(source, folder / "x.json", *options)
    assert gzip.decompress(convert(source, folder / "x.json.gz", *options)) == plain
    binary = convert(source, folder / "x.jslb", *options)
    assert gzip.decompress(convert(source, folder / "x.jslb.gz", *options)) == binary
    for shape in ("x.jslb", "x.jslb.gz"):
        assert convert(folder / shape, folder / "again.json") == plain
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


# ---- slabs to JSON ------------------------------------------------------------------------------


def test_slabs_become_json_where_it_is_asked_for(tmp_path):
    binary = tmp_path / "x.jslb.gz"
    convert(os.path.join(DATA, CAPTURES[0]), binary)
    plain = convert(os.path.join(DATA, CAPTURES[0]), tmp_path / "plain.json")
    done = vmfox("convert", binary, cwd=tmp_path)
    assert done.code == 0 and "wrote %s" % (tmp_path / "x.json.gz") in done.err
    assert gzip.decompress((tmp_path / "x.json.gz").read_bytes()) == plain
    done = vmfox("convert", binary, "-o", "-", cwd=tmp_path)
    assert (done.code, done.err) == (0, "") and done.out.encode() == plain


def test_files_of_others(tmp_path):
    """Numbers of every type and any size, and texts in texts."""
    rng = random.Random(1)
    bits = [rng.getrandbits(64) for _ in range(5000)]
    doubles = list(struct.unpack("<5000d", struct.pack("<5000Q", *bits)))
    doubles += [n / 1e6 for n in bits] + [(n >> 40) / 1e6 for n in bits]
    doubles = [value for value in doubles if abs(value) < float("inf")]
    floats = [value for value in struct.unpack("<10000f", struct.pack("<5000Q", *bits))
              if abs(value) < float("inf")]
    edges = {kind: (-(1 << size - 1), (1 << size - 1) - 1) if kind.islower() else (0, (1 << size) - 1)
             for kind, size in zip("bBhHiIqQ", (8, 8, 16, 16, 32, 32, 64, 64))}
    columns = [array.array(kind, values) for kind, values in edges.items()]
    columns += [array.array("d", doubles), array.array("f", floats), array.array("B")]
    texts = [json.dumps("\u00e9{\"$s\":0}").encode(), b'[ {"$s":11}, 1, { "$s" : 0 } ]']
    root = {"libs": [], "columns": [{"$s": k} for k in range(11)], "text": {"$s": 12},
            "$s": 3, "more": {"$s": 1, "x": "$s"}}
    data = slabs.write_container(columns + texts + [json.dumps(root).encode()])
    (tmp_path / "in.jslb").write_bytes(data)
    made = json.loads(convert(tmp_path / "in.jslb", tmp_path / "out.json"))
    assert made == slabs.decode_any(data)
    assert made["columns"][8] == doubles and made["columns"][9] == floats


def test_not_a_number_is_null(tmp_path):
    column = array.array("d", [float("nan"), float("inf"), -float("inf"), 1.5])
    (tmp_path / "in.jslb").write_bytes(slabs.write_container([column, b'{"x":{"$s":0}}']))
    made = json.loads(convert(tmp_path / "in.jslb", tmp_path / "out.json"))
    assert made == {"x": [None, None, None, 1.5]}


ALREADY = "is a Firefox Profiler file already"
BOMB = slabs.write_container([array.array("B", bytes(1 << 20)),
                              b"[" + b",".join([b'{"$s":0}'] * 100000) + b"]"])


@pytest.mark.parametrize("words, code, said", [
    (["x.jslb", "-o", "y.jslb"], 1, ALREADY + "; see it with: vmfox view"),
    (["x.jslb.gz", "-o", "y.jslb"], 1, ALREADY + "; see it with: vmfox view"),
    (["x.json", "-o", "y.jslb"], 1, ALREADY + "; see it with: vmfox view"),
    (["x.json", "-o", "y.json"], 1, ALREADY + "; see it with: vmfox view"),
    (["x.jslb", "-o", "y.json", "--no-embed-sources"], 1,
     ALREADY + ": --no-embed-sources needs the recording"),
    (["x.jslb", "-o", "y.json", "--sources", "."], 1, ALREADY + ": --sources needs the recording"),
    (["x.jslb", "-o", "x.jslb"], 1, "is the input"),
    (["x.jslb", "-o", "no/such/y.json"], 1, "No such file"),
    (["cut.jslb", "-o", "y.json"], 1, "cut.jslb: byte 0x"),
    (["cut.jslb.gz", "-o", "y.json"], 1, "cut.jslb.gz: byte 0x"),
    (["head.jslb", "-o", "y.json"], 1, "head.jslb: byte 0x8: expected a header of 20 bytes"),
    (["bomb.jslb", "-o", "y.json"], 1, "found slabs that are meant again and again"),
    (["bomb.jslb.gz", "-o", "y.json.gz"], 1, "found slabs that are meant again and again"),
    (["circle.jslb", "-o", "y.json"], 1, "expected another slab than 0"),
])
def test_what_it_refuses(tmp_path, words, code, said):
    """With words that say where, and nothing is left behind."""
    source = os.path.join(DATA, CAPTURES[0])
    text, binary = (convert(source, tmp_path / name) for name in ("x.json", "x.jslb"))
    convert(source, tmp_path / "x.jslb.gz")
    packed = gzip.compress(binary)
    (tmp_path / "cut.jslb").write_bytes(binary[:len(binary) // 2])
    (tmp_path / "cut.jslb.gz").write_bytes(packed[:len(packed) // 2])
    (tmp_path / "head.jslb").write_bytes(binary[:8])
    (tmp_path / "bomb.jslb").write_bytes(BOMB)
    (tmp_path / "bomb.jslb.gz").write_bytes(gzip.compress(BOMB))
    (tmp_path / "circle.jslb").write_bytes(slabs.write_container([b'[{"$s":0}]']))
    before = sorted(os.listdir(tmp_path))
    done = vmfox("convert", *words, cwd=tmp_path)
    assert done.code == code and said in done.err, done.err
    assert [name for name in sorted(os.listdir(tmp_path)) if name != "tmp"] == \
        [name for name in before if name != "tmp"]
    assert os.listdir(tmp_path / "tmp") == []
    assert (tmp_path / "x.json").read_bytes() == text
