"""Native functions: names, lines, inlined functions, source and machine code, with debug info and
without, and of a recording that is all that is left."""
import os
import re
import shutil

import pytest

import native
import support
from native import need_addresses


@pytest.fixture(scope="module")
def plain(cpython, tmp_path_factory):
    """The same without debug info."""
    return native.made_of(cpython, native.build(tmp_path_factory.mktemp("plain")))


@pytest.fixture(scope="module")
def bare(cpython, tmp_path_factory):
    """The same without any symbols that strip can take away; with_symbols.so has them."""
    library = native.build(tmp_path_factory.mktemp("bare"))
    shutil.copy(library, library.with_name("with_symbols.so"))
    return native.made_of(cpython, native.strip(library))


def samples_in(profile, name):
    return [s for s in profile.samples() if any(f.name == name for f in s.stack)]


# ---- names and lines ----------------------------------------------------------------------------


def test_functions_and_inlined_functions_have_their_names(hot):
    need_addresses(hot)
    stacks = {tuple(f.name for f in s.stack) for s in samples_in(hot.profile, "inner")}
    assert stacks
    for stack in stacks:
        assert stack[0] == "<module>" and "work" in stack
        assert stack[-3:] == ("spin", "outer", "inner")
    for frame in hot.profile.of_lib("hot.so"):
        assert frame.name in ("spin", "outer", "inner", "step")
        assert frame.category == "Native"


def test_most_samples_are_in_the_inlined_function(hot):
    need_addresses(hot)
    samples = samples_in(hot.profile, "outer")
    assert len(samples) > 0.9 * len(samples_in(hot.profile, "work"))
    # Which samples get an instruction is a question of how busy the machine is.
    assert support.self_counts(samples)["inner"] > 0.3 * len(samples)
    assert all(s.stack[-1].name in ("inner", "outer", "step") for s in samples)
    seen = [s for s in support.with_instructions(hot.profile)
            if any(f.name == "outer" for f in s.stack)]
    assert support.self_counts(seen)["inner"] > 0.9 * len(seen) > 100


def test_the_sampler_is_not_in_the_samples(hot, bare):
    for made in (hot, bare):
        native.assert_no_sampler(made.profile)


def test_an_inlined_function_has_lines_of_its_own(hot):
    need_addresses(hot)
    line = support.lines_of(hot.source)
    pairs = {s.stack[-2:] for s in samples_in(hot.profile, "inner")}
    for outer, inner in pairs:
        assert (inner.file, outer.file) == (str(hot.source), str(hot.source))
        assert line["loop"] <= inner.line <= line["loop-last"]
        assert outer.line == line["call"]
        assert (outer.depth, inner.depth) == (0, 1)
        assert outer.address == inner.address and outer.symbol == inner.symbol
    assert len({inner.line for _, inner in pairs}) > 2


def test_functions_have_their_first_line(hot):
    line = support.lines_of(hot.source)
    found = {(f.name, f.file, f.func_line) for f in hot.profile.of_lib("hot.so")}
    names = {"spin", "outer"} | {f.name for f in hot.profile.of_lib("hot.so")}
    assert found == {(name, str(hot.source), line[name]) for name in names}


def test_the_source_is_in_the_profile_and_on_the_server(hot, hot_view):
    text = hot.source.read_text()
    assert hot.profile.sources()[str(hot.source)] == text
    assert hot_view.source(str(hot.source))["source"] == text


def test_addresses_are_those_of_the_library(hot):
    lib, digits = hot.profile.lib("hot.so"), native.build_id(hot.library)
    assert (lib["path"], lib["debugPath"]) == (str(hot.library), str(hot.library))
    assert (lib["codeId"], lib["breakpadId"]) == (digits, native.breakpad_id(digits))
    known = native.functions(hot.library)
    symbols = hot.profile.symbols("hot.so")
    assert {"spin", "outer"} <= {symbol.name for symbol in symbols}
    for symbol in symbols:
        assert (symbol.address, symbol.size) == known[symbol.name]
    for frame in hot.profile.of_lib("hot.so"):
        assert 0 <= frame.address - frame.symbol.address < frame.symbol.size


def test_without_debug_info_there_are_names_and_no_lines(plain):
    frames = plain.profile.of_lib("hot.so")
    assert {"spin", "outer"} <= {f.name for f in frames} <= {"spin", "outer", "step"}
    assert all((f.file, f.line, f.func_line, f.depth) == (None, None, None, 0) for f in frames)
    assert len(samples_in(plain.profile, "outer")) > 0.9 * len(samples_in(plain.profile, "work"))


def test_without_symbols_a_function_is_its_place_in_the_library(bare):
    known = native.functions(bare.library.with_name("with_symbols.so"))
    names = {name: "hot.so+0x%x" % known[name][0] for name in ("spin", "outer", "step")}
    frames = bare.profile.of_lib("hot.so")
    assert {names["spin"], names["outer"]} <= {f.name for f in frames} <= set(names.values())
    for frame in frames:
        assert (frame.file, frame.line, frame.depth) == (None, None, 0)
        assert frame.symbol.name == frame.name
        # The end is where the unwinding tables have it.
        assert (frame.symbol.address, frame.symbol.size) in known.values()
    inside = samples_in(bare.profile, names["outer"])
    assert len(inside) > 0.9 * len(samples_in(bare.profile, "work"))


def test_without_symbols_exported_functions_have_names(bare):
    address, size = native.functions(bare.library.with_name("with_symbols.so"))["PyInit_hot"]
    with native.View(bare.capture, bare.folder) as view:
        debug_id = bare.profile.lib("hot.so")["breakpadId"]
        ((frame,), _) = view.symbolicate("hot.so", debug_id, address + 4)
    assert frame["function"] == "PyInit_hot"
    assert (frame["function_offset"], frame["function_size"]) == ("0x4", hex(size))


@pytest.mark.parametrize("compiler, flags", [
    ("clang", ()),  # writes no index of its units' addresses
    ("gcc", ("-gdwarf-4",)), ("gcc", ("-gsplit-dwarf",)), ("gcc", ("-gz", "-flto")),
    ("gcc", ("-falign-functions=1",)),  # VMProf marks native functions in the lowest bit
], ids=str)
def test_debug_info_of_all_kinds(cpython, tmp_path, compiler, flags):
    if not shutil.which(compiler):
        pytest.skip("%s is not installed" % compiler)
    library = native.build(tmp_path, "-g", *flags, compiler=compiler)
    made = native.made_of(cpython, library)
    native.assert_debug_info(made.profile, made.source)
    calls = {(one.name, other.name) for s in made.profile.samples()
             for one, other in zip(s.stack, s.stack[1:]) if other.lib == one.lib == "hot.so"}
    assert ("spin", "outer") in calls
    assert calls <= {("spin", "outer"), ("outer", "inner"), ("outer", "step")}
    start, size = native.functions(library)["outer"]
    with native.View(made.capture, tmp_path) as view:
        symbol = next(s for s in made.profile.symbols("hot.so") if s.name == "outer")
        rows = dict(native.code_rows(view.assembly(made.profile, symbol)))
    assert sorted(rows) == sorted(native.instructions(library, start, size))


def test_names_of_cpp_are_readable(cpython, tmp_path):
    library = native.build(tmp_path, source="deep.cpp")
    profile = native.convert(native.record(cpython, library))
    (name,) = {f.name for f in profile.of_lib("deep.so") if "work" in f.name}
    assert re.fullmatch(r"(unsigned long )?deep::work<unsigned long>\(unsigned long, long\)", name)
    assert len(samples_in(profile, name)) > 0.9 * len(samples_in(profile, "work"))
    # The linker's name stays too.
    (symbol,) = {f.symbol for f in profile.frames if f.name == name}
    assert symbol.name.startswith("_ZN4deep") and symbol.name in native.functions(library)


def test_copies_have_plain_names(cpython, tmp_path):
    """The C library has several, one for each kind of processor."""
    done = support.record(cpython, support.PROGRAMS / "copies.py", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    profile = native.convert(tmp_path / "x.vmfox")
    leaves = {s.stack[-1].name for s in profile.samples() if s.stack[-1].lib == "libc.so.6"}
    assert leaves & {"memmove", "memcpy"}
    for frame in profile.of_lib("libc.so.6"):
        assert not native.VARIANT.search(frame.name), frame.name


# ---- where debug info is found ------------------------------------------------------------------


def test_a_debug_file_beside_the_library(cpython, tmp_path):
    library = native.build(tmp_path, "-g")
    (tmp_path / ".debug").mkdir()
    native.tool("objcopy", "--only-keep-debug", library, tmp_path / ".debug/hot.debug")
    native.tool("objcopy", "--strip-all", "--add-gnu-debuglink=.debug/hot.debug", library,
                cwd=tmp_path)
    made = native.made_of(cpython, library)
    native.assert_debug_info(made.profile, made.source)
    assert made.profile.sources()[str(made.source)] == made.source.read_text()


@pytest.fixture(scope="module")
def parted(cpython, tmp_path_factory):
    """(recording without debug info, folder of debug files by build id)."""
    library = native.build(tmp_path_factory.mktemp("parted"), "-g")
    debug = tmp_path_factory.mktemp("debug")
    native.split(library, debug)
    return native.made_of(cpython, library), debug


def test_a_folder_of_debug_files_while_recording(cpython, parted):
    made, debug = parted
    capture = native.record(cpython, made.library, "--debug-dir", debug, out="with.vmfox")
    native.assert_debug_info(native.convert(capture), made.source)


def test_a_folder_of_debug_files_later(parted):
    made, debug = parted
    address = [f.symbol.address for f in made.profile.of_lib("hot.so")][0]
    assert "hot.so+0x%x" % address in {f.name for f in made.profile.frames}
    native.assert_debug_info(native.convert(made.capture, "--debug-dir", debug), made.source)


def test_a_folder_of_debug_files_when_the_library_is_gone(parted, tmp_path):
    """It may be named as seen from where the command runs."""
    made, debug = parted
    away = made.library.rename(tmp_path / "hot.so")
    try:
        relative = os.path.relpath(debug, made.folder)
        native.assert_debug_info(native.convert(made.capture, "--debug-dir", relative), made.source)
    finally:
        away.rename(made.library)


def test_a_folder_of_debug_files_that_is_none(parted, tmp_path):
    made, _ = parted
    (tmp_path / "file").write_text("")
    for command in ("convert", "view"):
        for place in ("nothing", "file"):
            done = support.vmfox(command, made.capture, "--debug-dir", place, cwd=tmp_path)
            assert (done.code, done.out) == (2, "") and done.err.count("\n") == 1
            assert "--debug-dir " + place in done.err


def test_a_debug_file_of_another_build_is_not_used(cpython, parted, tmp_path):
    made, _ = parted
    digits = native.build_id(made.library)
    other = native.build(tmp_path / "other", "-g", "-O1")
    wrong = tmp_path / ".build-id" / digits[:2] / (digits[2:] + ".debug")
    wrong.parent.mkdir(parents=True)
    native.tool("objcopy", "--only-keep-debug", other, wrong)
    profile = native.convert(made.capture, "--debug-dir", tmp_path)
    assert {f.name for f in profile.frames} == {f.name for f in made.profile.frames}
    assert all(f.file is None for f in profile.of_lib("hot.so"))


def test_small_debug_info_of_distributions(cpython, tmp_path):
    """.gnu_debugdata: a symbol table of the functions that are not exported, packed with xz."""
    if not shutil.which("xz"):
        pytest.skip("xz is not installed")
    library = native.build(tmp_path, "-g")
    exported = set(native.tool("nm", "-D", "-f", "posix", "--defined-only", library).split())
    (tmp_path / "keep").write_text("".join(
        name + "\n" for name in native.functions(library) if name not in exported))
    native.tool("objcopy", "-S", "--remove-section", ".gdb_index", "--remove-section", ".comment",
                "--keep-symbols=" + str(tmp_path / "keep"), library, tmp_path / "mini")
    native.tool("xz", tmp_path / "mini")
    native.strip(library, "--strip-all", "-R", ".comment")
    native.tool("objcopy", "--add-section", ".gnu_debugdata=" + str(tmp_path / "mini.xz"), library)
    profile = native.made_of(cpython, library).profile
    names = {f.name for f in profile.of_lib("hot.so")}
    assert {"spin", "outer"} <= names <= {"spin", "outer", "step"}
