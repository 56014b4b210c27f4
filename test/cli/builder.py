"""Small input files, byte by byte: VMProf files and zips, also such as no zip program writes."""
import collections
import json
import struct
import zipfile
import zlib

CODE, JITTED, NATIVE = 1, 3, 7
NAMES = {0x1000: "py:<module>:1:/made/up.py", 0x2000: "py:f\u00e9:3:/made/up.py",
         0x3000: "py:g:7:/made/up.py"}
# Leaf first, as they stand in the file: six samples, f\u00e9 in four of them and g in two.
STACKS = [(0x2000, 0x1000), (0x2000, 0x1000), (0x3000, 0x2000, 0x1000), (0x1000,), (0x1000,),
          (0x3000, 0x2000, 0x1000)]


def words(*numbers):
    return struct.pack("<%dq" % len(numbers), *numbers)


def small_prof(version=6, period_us=1000, stacks=STACKS, names=NAMES):
    """A file of PyPy.  From version 6 it has its start and end: two seconds."""
    out = words(0, 3, 0, period_us, 0) + b"\x05" + struct.pack(">H", version)
    out += (b"\x08" if version >= 4 else b"") + b"\x04pypy"
    if version >= 6:
        out += b"\x06" + words(1600000000, 0, 0)
    for address, text in names.items():
        out += b"\x02" + words(address, len(text.encode())) + text.encode()
    for stack in stacks:
        frames = [word for address in stack for word in (CODE, address)]
        out += b"\x01" + words(1, len(frames), *frames)
        out += words(0) if version >= 1 else b""
    return out + b"\x03" + (words(1600000002, 0, 0) if version >= 5 else b"")


def write_zip(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as bundle:
        for name, content in members.items():
            if not isinstance(content, (bytes, str)):
                content = json.dumps(content)
            bundle.writestr(name, content)
    return path


def lie_about_size(path, name, size):
    """Writes another uncompressed size into the headers of a member."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as bundle:
        info = bundle.getinfo(name)
        local, central = info.header_offset, bundle.start_dir
    struct.pack_into("<I", data, local + 22, size)
    at = central
    while data[at:at + 4] == b"PK\x01\x02":
        name_len, extra_len, comment_len = struct.unpack_from("<3H", data, at + 28)
        if data[at + 46:at + 46 + name_len] == name.encode():
            struct.pack_into("<I", data, at + 24, size)
        at += 46 + name_len + extra_len + comment_len
    path.write_bytes(data)


# ---- zips as an attacker writes them ------------------------------------------------------------

STORED, DEFLATED = 0, 8
ENCRYPTED = 1  # flag
SYMLINK = 0o120777 << 16  # mode of Unix in the external attributes

# `at`: the index of another member whose bytes are this one's too.
Raw = collections.namedtuple("Raw", "name packed size crc method flags mode at")


def raw(name, content, method=DEFLATED, flags=0, mode=0, at=None):
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    packed = content
    if method == DEFLATED:
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = deflate.compress(content) + deflate.flush()
    return Raw(name, packed, len(content), zlib.crc32(content), method, flags, mode, at)


def raw_bomb(name, size, before=b""):
    """A member that unpacks to `before` and `size` zeros, made of one packed piece many times."""
    step = 1 << 26
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = deflate.compress(before) + deflate.flush(zlib.Z_FULL_FLUSH)
    piece = deflate.compress(bytes(step)) + deflate.flush(zlib.Z_FULL_FLUSH)
    packed = start + piece * (size // step) + deflate.flush()
    return Raw(name, packed, len(before) + size // step * step, 0, DEFLATED, 0, 0, None)


def write_raw_zip(path, members):
    """In zip64, with whatever the members say of themselves."""
    offsets, directory = [], bytearray()
    with open(path, "wb") as out:
        for member in members:
            name, sizes = member.name.encode(), (member.size, len(member.packed))
            extra = struct.pack("<2H2Q", 1, 16, *sizes)
            fields = (45, member.flags, member.method, 0, 33, member.crc, 0xFFFFFFFF, 0xFFFFFFFF,
                      len(name))
            offsets.append(out.tell() if member.at is None else offsets[member.at])
            if member.at is None:
                out.write(b"PK\x03\x04" + struct.pack("<5H3I2H", *fields, len(extra)))
                out.write(name + extra + member.packed)
            extra = struct.pack("<2H3Q", 1, 24, *sizes, offsets[-1])
            directory += b"PK\x01\x02" + struct.pack("<H", 3 << 8 | 45)
            directory += struct.pack("<5H3I5H2I", *fields, len(extra), 0, 0, 0, member.mode,
                                     0xFFFFFFFF) + name + extra
        at, count = out.tell(), len(members)
        out.write(directory + b"PK\x06\x06")
        out.write(struct.pack("<Q2H2I4Q", 44, 45, 45, 0, 0, count, count, len(directory), at))
        out.write(b"PK\x06\x07" + struct.pack("<IQI", 0, at + len(directory), 1))
        out.write(b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF,
                                              0xFFFFFFFF, 0))
    return path
