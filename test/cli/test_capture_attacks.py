"""Recordings and finished profiles by somebody who wants a file of this machine: through the paths
of libraries and of sources that they name."""
import gzip
import json
import os
import shutil
import struct
import zipfile

import pytest

import native
import slabs
import support

SECRET = "the-secret-of-this-machine"


@pytest.fixture(scope="module")
def hot(cpython, tmp_path_factory):
    library = native.build(tmp_path_factory.mktemp("attacked") / "work", "-g")
    return native.made_of(cpython, library)


def changed(capture, out, **changes):
    """A copy of a recording; `changes`: member (with _ for .) -> what becomes of its bytes."""
    with zipfile.ZipFile(capture) as bundle, zipfile.ZipFile(out, "w") as other:
        for name in bundle.namelist():
            content = bundle.read(name)
            change = changes.get(name.replace(".", "_"))
            content = change(content) if change else content
            if content is not None:
                other.writestr(name, content)
    return out


def with_path(hot, out, path, symbols=True):
    """The recording, its extension being at another place."""
    old, new = str(hot.library), str(path)

    def swap(content):
        return content.replace(json.dumps(old).encode(), json.dumps(new).encode())
    return changed(hot.capture, out, capture_json=swap,
                   symbols_json=swap if symbols else lambda content: None,
                   maps_txt=lambda content: content.replace(old.encode(), new.encode()))


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "text", "other library", "itself",
                                  "relative", "link"])
def test_a_path_of_a_library_that_is_none(hot, tmp_path, kind):
    """It is not read, not waited for, and nothing of it is told."""
    place = tmp_path / "place.so"
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "device":
        place = "/dev/zero"
    elif kind == "folder":
        place.mkdir()
    elif kind == "text":
        place.write_text(SECRET)
    elif kind == "other library":
        shutil.copy(native.build(tmp_path / "other", "-g", "-O0"), place)
    elif kind == "itself":
        place = "/proc/self/mem"
    elif kind == "relative":
        place = "../place.so"
    elif kind == "link":
        (tmp_path / "secret").write_text(SECRET)
        place.symlink_to(tmp_path / "secret")
    capture = with_path(hot, tmp_path / "x.vmfox", place, symbols=False)
    profile = native.convert(capture)
    assert not {"outer", "inner", "spin"} & {frame.name for frame in profile.frames}
    assert SECRET not in json.dumps(profile.data)
    with native.View(capture, tmp_path) as view:
        for symbol in profile.symbols(os.path.basename(place)):
            answer = view.assembly(profile, symbol)
            if kind == "other library":
                assert native.is_changed(answer, symbol.lib)
            else:
                assert native.is_gone(answer, symbol.lib)
    done = support.vmfox("symbolicate", capture, "-o", "y.vmfox", cwd=tmp_path)
    assert done.code == 0
    assert SECRET.encode() not in support.member(tmp_path / "y.vmfox", "symbols.json")


def question(profile, name, file):
    """As the front-end asks for a source, with the library and an address of its function."""
    frame = next(f for f in profile.frames if f.name == name and f.symbol)
    lib = profile.lib(frame.symbol.lib)
    return {"debugName": lib["debugName"], "debugId": lib["breakpadId"],
            "moduleOffset": hex(frame.address), "file": str(file)}


def finished(hot, folder):
    """A finished profile without sources, as the page saves it."""
    path = folder / "profile.json.gz"
    done = support.vmfox("convert", "-q", "--no-embed-sources", hot.capture, "-o", path, cwd=folder)
    assert (done.code, done.err) == (0, "")
    return path


def test_a_source_that_debug_files_of_this_machine_name(hot, tmp_path):
    """For the library and the address of the question, and no other."""
    (hot.folder / "secret.c").write_text(SECRET)
    text = hot.source.read_text()
    with native.View(finished(hot, tmp_path), tmp_path) as view:
        def ask(name, file, **other):
            return view.post("source/v1", dict(question(hot.profile, name, file), **other))
        assert ask("outer", hot.source)["source"] == text
        refused = [
            ask("outer", hot.folder / "secret.c"),
            ask("outer", "/etc/passwd"),
            ask("outer", "%s/../work/hot.c" % hot.folder),
            ask("outer", "hot.c"),
            ask("outer", hot.source, moduleOffset="0x0"),
            ask("outer", hot.source, moduleOffset="hot"),
            ask("outer", hot.source, debugId="0" * 33),
            ask("outer", hot.source, debugName="libm.so.6"),
            ask("outer", ""),
        ]
    for answer in refused:
        assert answer == {"error": "This profile holds no source of that file."}


@pytest.mark.parametrize("kind", ["link", "binary", "folder", "gone"])
def test_a_source_that_became_something_else(hot, tmp_path, kind):
    kept = hot.source.rename(hot.folder / "kept.c")
    try:
        if kind == "link":
            (hot.folder / "secret.txt").write_text(SECRET)
            hot.source.symlink_to(hot.folder / "secret.txt")
        elif kind == "binary":
            hot.source.write_bytes(b"\0" + SECRET.encode())
        elif kind == "folder":
            hot.source.mkdir()
        with native.View(finished(hot, tmp_path), tmp_path) as view:
            answer = view.post("source/v1", question(hot.profile, "outer", hot.source))
        assert answer == {"error": "This profile holds no source of that file."}
    finally:
        if kind == "folder":
            hot.source.rmdir()
        elif kind != "gone":
            hot.source.unlink()
        kept.rename(hot.source)


def test_a_recordings_own_symbols_name_no_file_to_read(hot, tmp_path):
    """It calls the file of its functions as it likes."""
    secret = tmp_path / "secret.c"
    secret.write_text(SECRET)

    def swap(content):
        return content.replace(json.dumps(str(hot.source)).encode(),
                               json.dumps(str(secret)).encode())
    capture = changed(hot.capture, tmp_path / "x.vmfox", symbols_json=swap)
    profile = native.convert(capture)
    assert str(secret) in profile.sources() and profile.sources()[str(secret)] is None
    with native.View(capture, tmp_path) as view:
        answer = view.post("source/v1", question(profile, "outer", secret))
        assert answer == {"error": "This profile holds no source of that file."}
    for options in ((), ("--sources", hot.folder)):
        support.vmfox("symbolicate", capture, "-o", "y.vmfox", *options, cwd=tmp_path)
        with zipfile.ZipFile(tmp_path / "y.vmfox") as bundle:
            assert not any(SECRET.encode() in bundle.read(name) for name in bundle.namelist())


def test_a_damaged_library_does_no_harm(hot, tmp_path):
    """With the recorded build id still in it: any other byte may be wrong."""
    kept = hot.library.read_bytes()
    note = kept.index(bytes.fromhex(native.build_id(hot.library)))
    start = struct.unpack_from("<Q", kept, 0x28)[0]  # of the section headers
    places = list(range(0x10, 0x40)) + list(range(start, len(kept), 41))
    places += list(range(0x40, len(kept), len(kept) // 120))
    capture = changed(hot.capture, tmp_path / "x.vmfox", symbols_json=lambda content: None)
    try:
        for i, place in enumerate(places):
            if not note <= place < note + 20:
                data = bytearray(kept)
                data[place] ^= (0xFF, 0x80, 0x01)[i % 3]
                hot.library.write_bytes(data)
                done = support.vmfox("convert", "-q", capture, "-o", "-", cwd=tmp_path)
                assert done.code == 0, (place, done.err)
    finally:
        hot.library.write_bytes(kept)


def test_a_finished_profile_with_hostile_libraries(hot, tmp_path):
    data = support.load_profile(finished(hot, tmp_path)).data
    os.mkfifo(tmp_path / "fifo.so")
    paths = ["/dev/zero", str(tmp_path / "fifo.so"), "/proc/self/mem", "", "x" * 100000, "/",
             "/etc/passwd\0.so"]
    for lib, path in zip(data["libs"] * 3, paths):
        lib.update(path=path, codeId="00" * 20)
    text = json.dumps(data).encode()
    for content in (text, gzip.compress(text), slabs.write_container([text])):
        (tmp_path / "in.json").write_bytes(content)
        done = support.vmfox("symbolicate", "in.json", "-o", "out.json", cwd=tmp_path)
        assert done.code == 0 and done.err.startswith("vmfox: 0 of ")
        with native.View("in.json", tmp_path) as view:
            assert view.ask("GET", view.path).startswith(b"HTTP/1.1 200 ")
