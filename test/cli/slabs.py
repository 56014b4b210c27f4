"""Reads and writes JSON Slabs (.jslb, .jslb.gz) by itself, from the description in
docs/formats/firefox-profiler.md: what a program that knows only the format makes of a file."""
import array
import gzip
import json
import struct

MAGIC = b"\xdc\xdf\x4aSLB\x01\x00"
TYPES = "bBhHiIfdqQ"  # by the container's number; 10 is JSON text
JSON_TYPE = 10


def read_container(data):
    """The slabs, as arrays or bytes, and the number of the root."""
    assert data[:8] == MAGIC, data[:8]
    version, count, root = struct.unpack_from("<3I", data, 8)
    assert version == 1 and root < count
    slabs, spans = [], []
    for i in range(count):
        kind, start, length = struct.unpack_from("<3I", data, 20 + 12 * i)
        assert 20 + 12 * count <= start and start + length <= len(data), (i, start, length)
        spans.append((start, start + length))
        piece = data[start:start + length]
        if kind == JSON_TYPE:
            slabs.append(piece)
            continue
        column = array.array(TYPES[kind])
        assert start % column.itemsize == 0, "slab %d is not aligned" % i
        column.frombytes(piece)
        slabs.append(column)
    # Nothing but zeros lies between them, and nothing overlaps.
    at = 20 + 12 * count
    for start, end in sorted(spans):
        assert start >= at and not any(data[at:start]), (at, start)
        at = end
    assert at == len(data)
    return slabs, root


def write_container(slabs):
    """A file of arrays, and of bytes, which are JSON text; the last one is the root."""
    table, at = b"", 20 + 12 * len(slabs)
    body = bytes(at)
    for slab in slabs:
        text = isinstance(slab, bytes)
        start = -(-at // (1 if text else slab.itemsize)) * (1 if text else slab.itemsize)
        piece = slab if text else slab.tobytes()
        kind = JSON_TYPE if text else TYPES.index(slab.typecode)
        table += struct.pack("<3I", kind, start, len(piece))
        body += bytes(start - at) + piece
        at = start + len(piece)
    head = MAGIC + struct.pack("<3I", 1, len(slabs), len(slabs) - 1) + table
    return head + body[len(head):]


def expand(value, slabs, used):
    if isinstance(value, dict):
        if set(value) == {"$s"}:
            used.append(value["$s"])
            slab = slabs[value["$s"]]
            return expand(json.loads(slab), slabs, used) if isinstance(slab, bytes) else list(slab)
        return {key: expand(item, slabs, used) for key, item in value.items()}
    if isinstance(value, list):
        return [expand(item, slabs, used) if isinstance(item, (dict, list)) else item
                for item in value]
    return value


def decode_any(data):
    """What others have written: slabs in any number, whatever they are of."""
    slabs, root = read_container(data)
    return expand(json.loads(slabs[root]), slabs, [])


def decode(data):
    """The profile in the bytes of a .jslb or .jslb.gz."""
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    slabs, root = read_container(data)
    root_text = json.loads(slabs[root])
    assert isinstance(root_text["libs"], list)
    used = [root]
    profile = expand(root_text, slabs, used)
    assert sorted(used) == list(range(len(slabs))), "each slab is meant once"
    return profile


def as_json(profile):
    """The same profile as JSON has it: there a marker without an end has null for it."""
    for thread in profile["threads"]:
        markers = thread["markers"]
        markers["endTime"] = [None if phase == 0 else end
                              for end, phase in zip(markers["endTime"], markers["phase"])]
    return profile
