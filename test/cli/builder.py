"""Small input files, byte by byte: VMProf files and zips of vmprof-firefox-converter."""
import json
import struct
import zipfile

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
