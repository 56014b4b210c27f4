"""`vmfox symbolicate`: names for recordings and finished profiles that were made without debug
info, and the front-end's own way to them."""
import collections
import gzip
import json
import shutil
import zipfile

import pytest

import native
import slabs
import support
from test_profile import front  # noqa: F401

Bare = collections.namedtuple("Bare", "folder library source capture debug finished")


@pytest.fixture(scope="module")
def bare(cpython, tmp_path_factory):
    """A recording of a stripped extension with its machine code, the finished profile made of it,
    and a folder with the debug file, which is found only by who is told."""
    folder = tmp_path_factory.mktemp("bare") / "work"
    library = native.build(folder, "-g")
    source = library.with_suffix(".c")
    debug = folder.parent / "debug"
    native.split(library, debug)
    capture = native.record(cpython, library, "--share")
    finished = folder / "finished.json.gz"
    done = support.vmfox("convert", "-q", capture, "-o", finished, cwd=folder)
    assert (done.code, done.err) == (0, "")
    return Bare(folder, library, source, capture, debug, finished)


@pytest.fixture(params=["x.jslb", "x.jslb.gz"])
def in_slabs(request, bare):
    """The same finished profile in JSON Slabs."""
    done = support.vmfox("convert", "-q", bare.capture, "-o", request.param, cwd=bare.folder)
    assert (done.code, done.err) == (0, "")
    return request.param


def symbolicate(bare, file, *options, code=0):
    """What it says; the output is out.json or out.vmfox."""
    out = "out.vmfox" if str(file).endswith(".vmfox") else "out.json"
    done = support.vmfox("symbolicate", file, "-o", out, *options, cwd=bare.folder)
    assert done.code == code, done.err
    return done.err


def load(bare, name="out.json"):
    profile = native.Profile(support.load_profile(bare.folder / name).data)
    support.check_structure(profile.data)
    return profile


def stacks(profile):
    """All samples of all threads, by what a user sees of them.  A function's first byte may be the
    function or the instruction there; a profile without names does not tell these apart."""
    def line_of(frame):
        return frame.line if not frame.symbol or frame.address != frame.symbol.address else "first"
    return [[(s.time, s.weight, [(f.name, f.file, line_of(f), f.func_line, f.lib, f.depth)
                                 for f in s.stack])
             for s in profile.samples_of(thread)] for thread in profile.data["threads"]]


def test_a_finished_profile_gets_names(bare):
    before = native.Profile(support.load_profile(bare.finished).data)
    assert {f.name.split("+")[0] for f in before.of_lib("hot.so")} == {"hot.so"}
    said = symbolicate(bare, bare.finished, "--debug-dir", bare.debug)
    after = load(bare)
    native.assert_debug_info(after, bare.source)
    assert "functions got a name" in said and "vmfox view out.json" in said
    # Just as the recording would be converted now.
    assert stacks(after) == stacks(native.convert(bare.capture, "--debug-dir", bare.debug))
    assert "got a name" in after.facts()["Symbols"]
    left = int(before.facts()["Functions without a symbol"])
    assert int(after.facts()["Functions without a symbol"]) < left


def test_nothing_else_changes(bare):
    """What is not about names is the same, also in what vmfox does not know of."""
    data = support.load_profile(bare.finished).data
    data["own"] = {"a": [1.50, "\u00e9", None, True]}
    data["threads"][0]["own"] = "kept"
    data["shared"]["frameTable"]["own"] = list(range(data["shared"]["frameTable"]["length"]))
    (bare.folder / "in.json").write_text(json.dumps(data))
    symbolicate(bare, "in.json", "--debug-dir", bare.debug)
    after = load(bare).data
    assert after["own"] == data["own"]
    own = after["shared"]["frameTable"]["own"]
    assert own[:len(data["shared"]["frameTable"]["own"])] == data["shared"]["frameTable"]["own"]
    assert len(own) == after["shared"]["frameTable"]["length"]
    for one in (data, after):
        one.pop("shared")
        one["meta"].pop("extra")
        for thread in one["threads"]:
            thread["samples"].pop("stack")
    assert after == data


def test_a_finished_profile_in_slabs_becomes_what_one_in_json_does(bare, in_slabs):
    """To the byte; also where nothing more is known."""
    for options in ((), ("--debug-dir", bare.debug),
                    ("--debug-dir", bare.debug, "--sources", bare.folder)):
        said = symbolicate(bare, bare.finished, *options)
        want = (bare.folder / "out.json").rename(bare.folder / "want.json").read_bytes()
        assert symbolicate(bare, in_slabs, *options) == said
        assert (bare.folder / "out.json").read_bytes() == want
    native.assert_debug_info(load(bare), bare.source)
    done = support.vmfox("symbolicate", "-q", in_slabs, *options, cwd=bare.folder)
    assert (done.code, done.err) == (0, "")
    assert gzip.decompress((bare.folder / "x.symbols.json.gz").read_bytes()) == want


def test_a_recording_gets_names(bare):
    symbolicate(bare, bare.capture, "--debug-dir", bare.debug)
    made = native.convert(bare.folder / "out.vmfox")
    native.assert_debug_info(made, bare.source)
    assert stacks(made) == stacks(native.convert(bare.capture, "--debug-dir", bare.debug))
    old, new = (set(support.members(bare.folder / name)) for name in ("x.vmfox", "out.vmfox"))
    assert old == new
    for name in old - {"symbols.json", "code.bin"}:
        assert support.member(bare.capture, name) == support.member(bare.folder / "out.vmfox", name)


def test_machine_code_goes_along(bare, tmp_path):
    """The library is gone when the recording is viewed: its code is in it, and lines now too."""
    symbolicate(bare, bare.capture, "--debug-dir", bare.debug)
    moved = shutil.move(bare.library, tmp_path / "elsewhere.so")
    try:
        profile = native.convert(bare.folder / "out.vmfox")
        (outer,) = [s for s in profile.symbols("hot.so") if s.name == "outer"]
        with native.View(bare.folder / "out.vmfox", bare.folder) as view:
            answer = view.assembly(profile, outer)
        want = native.instructions(moved, outer.address, outer.size)
        assert [at for at, _ in native.code(answer)] == sorted(want)
        assert any("hot.c:" in text for _, text in answer["instructions"])
    finally:
        shutil.move(moved, bare.library)


@pytest.mark.parametrize("kind", ["finished", "capture"])
def test_sources_come_along_from_a_folder_that_is_named(bare, kind):
    text = bare.source.read_text()
    file = getattr(bare, kind)
    for folder, expected in ((bare.folder, text), (bare.debug, None)):
        symbolicate(bare, file, "--debug-dir", bare.debug, "--sources", folder)
        made = load(bare) if kind == "finished" else native.convert(bare.folder / "out.vmfox")
        assert made.sources()[str(bare.source)] == expected


def test_where_nothing_more_is_known_all_stays(bare):
    said = symbolicate(bare, bare.finished)
    assert said.startswith("vmfox: 0 of ")
    assert (bare.folder / "out.json").read_bytes() == gzip.decompress(bare.finished.read_bytes())
    symbolicate(bare, bare.finished, "--debug-dir", bare.debug)
    first = (bare.folder / "out.json").rename(bare.folder / "first.json")
    symbolicate(bare, first, "--debug-dir", bare.debug)
    assert (bare.folder / "out.json").read_bytes() == first.read_bytes()
    # Its library and debug file are gone: what is in the file stays.
    moved = shutil.move(bare.library, bare.folder / "moved.so")
    symbolicate(bare, first)
    shutil.move(moved, bare.library)
    assert (bare.folder / "out.json").read_bytes() == first.read_bytes()


def test_another_build_names_nothing(bare, tmp_path):
    """A library of other code has come in the place of the one that was recorded."""
    other = native.build(tmp_path, "-g", "-O0")
    kept = shutil.move(bare.library, bare.folder / "kept.so")
    shutil.copy(other, bare.library)
    try:
        symbolicate(bare, bare.finished)
    finally:
        shutil.move(kept, bare.library)
    assert (bare.folder / "out.json").read_bytes() == gzip.decompress(bare.finished.read_bytes())


def test_names_of_outputs(bare):
    for name, made in (("finished.json.gz", "finished.symbols.json.gz"),
                       ("x.vmfox", "x.symbols.vmfox")):
        done = support.vmfox("symbolicate", name, cwd=bare.folder)
        assert done.code == 0 and (bare.folder / made).is_file()
    packed = (bare.folder / "finished.symbols.json.gz").read_bytes()
    assert gzip.decompress(packed) == gzip.decompress(bare.finished.read_bytes())
    done = support.vmfox("symbolicate", "finished.json.gz", "-o", "-", "-q", cwd=bare.folder)
    assert (done.code, done.err) == (0, "") and json.loads(done.out)


def test_the_output_keeps_its_rights_and_its_place(bare):
    """A private recording stays one, and a link leads to where it led."""
    private, link = bare.folder / "private.vmfox", bare.folder / "link.vmfox"
    private.write_bytes(b"")
    private.chmod(0o600)
    link.symlink_to(private)
    done = support.vmfox("symbolicate", bare.capture, "-o", link, cwd=bare.folder)
    assert done.code == 0 and link.is_symlink()
    assert private.stat().st_mode & 0o777 == 0o600 and private.stat().st_size > 1000


def test_a_recording_that_does_not_list_its_libraries(bare):
    """Its own symbols say of which builds they are."""
    symbolicate(bare, bare.capture, "--debug-dir", bare.debug)
    named, bundle = bare.folder / "named.vmfox", bare.folder / "bundle.vmfox"
    (bare.folder / "out.vmfox").rename(named)
    with zipfile.ZipFile(named) as old, zipfile.ZipFile(bundle, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "capture.json":
                info = json.loads(content)
                del info["modules"]
                content = json.dumps(info)
            new.writestr(name, content)
    symbolicate(bare, bundle)
    before, after = (json.loads(support.member(file, "symbols.json"))
                     for file in (bundle, bare.folder / "out.vmfox"))
    libraries = {lib["path"]: lib["functions"] for lib in before["libraries"]}
    again = {lib["path"]: lib["functions"] for lib in after["libraries"]}
    assert len(again[str(bare.library)]) == len(libraries[str(bare.library)])
    assert "code.bin" in support.members(bare.folder / "out.vmfox")


@pytest.mark.parametrize("words, code, said", [
    ([], 2, "name a file to symbolicate"),
    (["a", "b"], 2, "symbolicate takes one file"),
    (["missing.json"], 1, "No such file"),
    (["finished.json.gz", "-o", "finished.json.gz"], 1, "is the input"),
    (["finished.json.gz", "-o", "x.html"], 2, "must end in .json or .json.gz"),
    (["finished.json.gz", "-o", "x.jslb"], 2, "must end in .json or .json.gz, as JSON is what"),
    (["whole.jslb", "-o", "x.jslb.gz"], 2, "must end in .json or .json.gz, as JSON is what"),
    (["whole.jslb", "-o", "whole.jslb"], 2, "must end in .json or .json.gz, as JSON is what"),
    (["cut.jslb", "-o", "x.json"], 1, "cut.jslb: byte 0x"),
    (["cut.jslb.gz", "-o", "x.json"], 1, "cut.jslb.gz: byte 0x"),
    (["number.jslb", "-o", "x.json"], 1, "number.jslb: byte 0x0: expected a JSON object"),
    (["circle.jslb", "-o", "x.json"], 1, "circle.jslb: byte 0x20: expected another slab"),
    (["x.vmfox", "-o", "y.json"], 2, "must end in .vmfox"),
    (["x.vmfox", "-o", "-"], 2, "must end in .vmfox"),
    (["x.vmfox", "-o", "no/such/y.vmfox"], 1, "No such file"),
    (["finished.json.gz", "--debug-dir", "nowhere"], 2, "is no folder"),
    (["plain.prof"], 1, "does not say which builds of its libraries"),
    (["cut.json"], 1, "byte 0x"),
    (["cut.json.gz"], 1, "cut.json.gz: "),
    (["old.json"], 1, "expected format version 69 or later, found 40"),
    (["new.json"], 1, "expected format version 69 or 70, found 75"),
    (["else.json"], 1, "expected meta.preprocessedProfileVersion"),
])
def test_what_it_refuses(bare, words, code, said):
    text = gzip.decompress(bare.finished.read_bytes())
    folder = bare.folder
    (folder / "plain.prof").write_bytes(support.member(bare.capture, "profile.prof"))
    (folder / "cut.json").write_bytes(text[:len(text) // 2])
    packed = gzip.compress(text)
    (folder / "cut.json.gz").write_bytes(packed[:len(packed) // 2])
    support.vmfox("convert", "-q", bare.capture, "-o", "whole.jslb", cwd=folder)
    binary = (folder / "whole.jslb").read_bytes()
    (folder / "cut.jslb").write_bytes(binary[:len(binary) // 2])
    (folder / "cut.jslb.gz").write_bytes(gzip.compress(binary)[:-len(binary) // 20])
    (folder / "number.jslb").write_bytes(slabs.write_container([b"12"]))
    (folder / "circle.jslb").write_bytes(slabs.write_container([b'{"$s":0}']))
    (folder / "old.json").write_text('{"meta": {"preprocessedProfileVersion": 40}}')
    (folder / "new.json").write_text('{"meta": {"preprocessedProfileVersion": 75}}')
    (folder / "else.json").write_text('{"meta": {}, "libs": []}')
    done = support.vmfox("symbolicate", *words, cwd=folder)
    assert done.code == code and said in done.err, done.err
    assert not (folder / "cut.symbols.json.gz").exists()


# ---- the front-end's own re-symbolication -------------------------------------------------------


def unsymbolicated(bare, file):
    """A copy that the front-end looks symbols up for as soon as it is loaded."""
    data = support.load_profile(file).data
    data["meta"]["symbolicated"] = False
    copy = bare.folder / ("copy-" + file.name)
    copy.write_bytes(gzip.compress(json.dumps(data).encode()))
    return copy


def shown(front, file, *options):  # noqa: F811
    """Functions of the program's thread in the front-end, with their times."""
    if front.loaded:
        front.run("stop")
    front.loaded = file
    assert "Session started" in front.run("load", file, *options)
    return {name: (f["selfSamples"], f["totalSamples"])
            for name, f in front.functions("MainThread").items()}


def test_the_front_end_gets_names_from_the_server(bare, front):  # noqa: F811
    """As its button "Re-symbolicate profile" does: an old profile, viewed where debug info is."""
    symbolicate(bare, bare.finished, "--debug-dir", bare.debug)
    want = shown(front, bare.folder / "out.json")
    with native.View(bare.finished, bare.folder, "--debug-dir", bare.debug) as view:
        server = "http://127.0.0.1:%d/%s" % (view.port, view.token)
        have = shown(front, unsymbolicated(bare, bare.finished), "--symbol-server", server)
    assert {"outer", "inner", "spin"} <= set(have)
    assert have == want


def test_the_front_end_changes_nothing_that_is_known(bare, front, pypy, recorder):  # noqa: F811
    """Native functions, PyPy's traces and Python's: after the button all are what they were."""
    captures = [recorder(pypy, "shares.py").capture, bare.capture]
    for capture in captures:
        file = bare.folder / (capture.parent.name + ".json.gz")
        options = ("--debug-dir", bare.debug)
        done = support.vmfox("convert", "-q", capture, "-o", file, *options, cwd=bare.folder)
        assert (done.code, done.err) == (0, "")
        before = shown(front, file)
        with native.View(capture, bare.folder, *options) as view:
            server = "http://127.0.0.1:%d/%s" % (view.port, view.token)
            assert shown(front, unsymbolicated(bare, file), "--symbol-server", server) == before
