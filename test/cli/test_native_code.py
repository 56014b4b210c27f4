"""What the server answers of native functions: machine code and symbols; and what is left of them
when the files they came from have changed or are gone."""
import collections
import re
import shutil

import pytest

import native
import support
from native import NOT_THERE, code, need_addresses, served


def symbol_of(made, name):
    (found,) = [s for s in made.profile.symbols("hot.so") if s.name == name]
    return found


def hits(profile, symbol):
    """{offset: how often an instruction of the function was seen there}."""
    return collections.Counter(
        sample.stack[-1].address - symbol.address
        for sample in support.with_instructions(profile) if sample.stack[-1].symbol == symbol)


def lines_of_code(answer):
    """{offset: (inlined function or None, line)} of the instructions, from the rows above them."""
    out, place = {}, None
    for at, text in answer["instructions"]:
        row = re.fullmatch(r"hot\.c:(\d+)(?:  \((\w+), inlined\))?", text)
        if row:
            place = (row[2], int(row[1]))
        elif text.startswith("    "):
            out[at] = place
    return out


def addr2line(library, address):
    """[(function, line)], innermost first."""
    rows = native.tool("addr2line", "-i", "-f", "-e", library, hex(address)).splitlines()
    return [(name, int(re.search(r":(\d+)", place)[1]))
            for name, place in zip(rows[::2], rows[1::2])]


# ---- machine code -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["outer", "spin"])
def test_a_listing_has_the_instructions_of_objdump(hot, hot_view, name):
    symbol = symbol_of(hot, name)
    answer = hot_view.assembly(hot.profile, symbol)
    assert (answer["startAddress"], answer["size"]) == (hex(symbol.address), hex(symbol.size))
    assert answer["arch"] == support.capture_info(hot.capture)["arch"]
    known = native.instructions(hot.library, symbol.address, symbol.size)
    rows = native.code_rows(answer)
    assert [at for at, _ in rows] == sorted(known)
    for at, text in rows:
        assert re.fullmatch(r"[a-z][a-z0-9.]*( .*)?", text), text
        assert ("call" in text) == ("call" in known[at]), (text, known[at])


def test_numbers_are_as_they_are(hot, hot_view):
    """A constant may happen to lie where the function does."""
    for name in ("outer", "spin"):
        answer = hot_view.assembly(hot.profile, symbol_of(hot, name))
        assert not [text for _, text in native.code(answer) if "+0x" in text]


def test_every_address_is_that_of_an_instruction(hot, hot_view):
    """So each hit has a row in the assembly view."""
    for symbol in hot.profile.symbols("hot.so"):
        rows = {at for at, _ in native.code_rows(hot_view.assembly(hot.profile, symbol))}
        for frame in hot.profile.frames:
            if frame.symbol == symbol:
                assert frame.address - symbol.address in rows


def test_most_hits_lie_on_the_loops_instructions(hot, hot_view):
    need_addresses(hot)
    line, symbol = support.lines_of(hot.source), symbol_of(hot, "outer")
    answer = hot_view.assembly(hot.profile, symbol)
    places = lines_of_code(answer)
    found = hits(hot.profile, symbol)
    inside = sum(count for at, count in found.items() if places[at][0] == "inner" and
                 line["loop"] <= places[at][1] <= line["loop-last"])
    assert inside > 0.95 * sum(found.values()) > 100


def test_lines_in_a_listing_are_those_of_addr2line(hot, hot_view):
    symbol = symbol_of(hot, "outer")
    for at, place in lines_of_code(hot_view.assembly(hot.profile, symbol)).items():
        name, number = addr2line(hot.library, symbol.address + at)[0]
        assert place == (name if name != "outer" else None, number), hex(at)


def test_a_call_says_what_it_calls(hot, hot_view):
    calls = {"outer": "step", "spin": "outer"}
    for caller, called in calls.items():
        rows = native.code_rows(hot_view.assembly(hot.profile, symbol_of(hot, caller)))
        address = native.functions(hot.library)[called][0]
        assert [text for _, text in rows if text.endswith("0x%x  <%s>" % (address, called))]


def test_calls_of_other_libraries_have_names(cpython, tmp_path):
    """They go through stubs that no symbol table has."""
    library = native.build(tmp_path, "-fplt")
    made = native.made_of(cpython, library)
    symbol = symbol_of(made, "spin")
    told = native.instructions(library, symbol.address, symbol.size)
    want = {at: re.search(r"<(\w+@plt)>", text)[1] for at, text in told.items() if "@plt" in text}
    with native.View(made.capture, tmp_path) as view:
        rows = dict(native.code_rows(view.assembly(made.profile, symbol)))
    assert len(want) > 1
    for at, name in want.items():
        assert rows[at].endswith("  <%s>" % name)


def test_functions_without_symbols_have_listings(cpython, tmp_path):
    """They end where the tables for unwinding say it."""
    library = native.build(tmp_path)
    whole = shutil.copy(library, tmp_path / "with_symbols.so")
    made = native.made_of(cpython, native.strip(library))
    with native.View(made.capture, tmp_path) as view:
        for symbol in made.profile.symbols("hot.so"):
            rows = native.code_rows(view.assembly(made.profile, symbol))
            known = native.instructions(whole, symbol.address, symbol.size)
            assert [at for at, _ in rows] == sorted(known) != []


# ---- symbols ------------------------------------------------------------------------------------


def test_an_address_is_symbolicated(hot, hot_view):
    need_addresses(hot)
    symbol, line = symbol_of(hot, "outer"), support.lines_of(hot.source)
    debug_id = native.breakpad_id(native.build_id(hot.library))
    ((at, _),) = hits(hot.profile, symbol).most_common(1)
    address = symbol.address + at
    (frame,), found = hot_view.symbolicate("hot.so", debug_id, address)
    assert found == {"hot.so/" + debug_id: True}
    (inlined,) = frame.pop("inlines")
    assert frame == {"frame": 0, "module": "hot.so", "module_offset": hex(address),
                     "function": "outer", "function_offset": hex(at),
                     "function_size": hex(symbol.size), "file": str(hot.source),
                     "line": line["call"]}
    assert (inlined["function"], inlined["file"]) == ("inner", str(hot.source))
    assert line["loop"] <= inlined["line"] <= line["loop-last"]


def test_symbolicating_again_changes_nothing(hot, hot_view):
    """What a profile has of an instruction is what the server answers."""
    for lib in hot.profile.data["libs"]:
        found = collections.defaultdict(dict)
        for frame in hot.profile.of_lib(lib["name"]):
            if frame.symbol and (frame.address > frame.symbol.address or not frame.line):
                found[frame.address][frame.depth] = frame
        if not found or not lib["breakpadId"]:
            continue  # without an id, as [vdso], nobody asks
        stack, _ = hot_view.symbolicate(lib["name"], lib["breakpadId"], *found)
        for answer, frames in zip(stack, found.values()):
            places = [answer] + answer.get("inlines", [])[::-1]
            assert [(place["function"], place.get("file"), place.get("line")) for place in places] \
                == [(f.name, f.file, f.line) for _, f in sorted(frames.items())]
            symbol = frames[0].symbol
            assert answer["function_offset"] == hex(frames[0].address - symbol.address)
            assert answer.get("function_size") == (symbol.size and hex(symbol.size))


def test_functions_that_were_never_seen_are_symbolicated(hot, hot_view):
    """As long as the library is there.  Where it has no function there is the library's name."""
    line = support.lines_of(hot.source)
    debug_id = native.breakpad_id(native.build_id(hot.library))
    address, size = native.functions(hot.library)["step"]
    stack, _ = hot_view.symbolicate("hot.so", debug_id, address, address + size - 1, 0x7ffffff0)
    assert [frame["function"] for frame in stack] == ["step", "step", "hot.so"]
    assert [frame["frame"] for frame in stack] == [0, 1, 2]
    assert [frame.get("function_size") for frame in stack] == [hex(size), hex(size), None]
    # At its first byte the function as a whole is meant.
    assert "line" not in stack[0] and stack[0]["file"] == str(hot.source)
    assert line["step"] < stack[1]["line"] < line["inner"]


def test_instructions_that_were_never_seen_are_symbolicated(hot, hot_view):
    """Each of the function's is in the same place as addr2line has it."""
    symbol = symbol_of(hot, "outer")
    debug_id = native.breakpad_id(native.build_id(hot.library))
    offsets = sorted(native.instructions(hot.library, symbol.address, symbol.size))[1:]
    stack, _ = hot_view.symbolicate("hot.so", debug_id, *(symbol.address + at for at in offsets))
    for at, answer in zip(offsets, stack):
        places = answer.get("inlines", []) + [answer]
        assert [(place["function"], place["line"]) for place in places] == \
            addr2line(hot.library, symbol.address + at), hex(at)


def test_several_jobs_are_answered_in_order(hot, hot_view):
    debug_id = native.breakpad_id(native.build_id(hot.library))
    known = native.functions(hot.library)
    jobs = [{"memoryMap": [["nothing.so", "0" * 33], ["hot.so", debug_id]],
             "stacks": [[[1, known[name][0]], [0, 16], [-1, 16]]]} for name in ("spin", "outer")]
    results = hot_view.post("symbolicate/v5", {"jobs": jobs})["results"]
    for result, name in zip(results, ("spin", "outer")):
        (stack,) = result["stacks"]
        assert [frame.get("function") for frame in stack] == [name, None, None]
        assert result["found_modules"] == {"nothing.so/" + "0" * 33: False,
                                           "hot.so/" + debug_id: True}
    assert len(results) == 2


def test_other_builds_and_other_libraries_are_not_found(hot, hot_view):
    """Also such as lie on this machine: only the profile's own are looked into."""
    digits = native.build_id(hot.library)
    address = native.functions(hot.library)["outer"][0]
    libm = native.tool("gcc", "-print-file-name=libm.so.6").strip()
    assert "libm.so.6" not in [lib["name"] for lib in hot.profile.data["libs"]]
    libm_id = native.breakpad_id(native.build_id(libm))
    for name, debug_id in (("hot.so", native.breakpad_id(digits[::-1])), ("hot.so", ""),
                           (str(hot.library), native.breakpad_id(digits)), ("libm.so.6", libm_id),
                           (libm, libm_id), ("nothing.so", native.breakpad_id(digits))):
        (frame,), found = hot_view.symbolicate(name, debug_id, address)
        assert found == {name + "/" + debug_id: False}
        assert frame == {"frame": 0, "module": name, "module_offset": hex(address)}
        asked = {"name": name, "debugName": name, "debugId": debug_id,
                 "startAddress": hex(address), "size": "0x10"}
        assert hot_view.post("asm/v1", asked) == NOT_THERE
        assert hot_view.post("asm/v1", dict(asked, codeId=native.build_id(libm))) == NOT_THERE


@pytest.mark.parametrize("shape", ["x.json.gz", "x.jslb", "x.jslb.gz"])
def test_a_finished_profile_of_any_shape_is_answered(hot, hot_view, tmp_path, shape):
    """Machine code, symbols and sources, as where the recording is viewed."""
    done = support.vmfox("convert", "-q", "--no-embed-sources", hot.capture, "-o",
                         tmp_path / shape, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    lib, symbols = hot.profile.lib("hot.so"), hot.profile.symbols("hot.so")
    outer = symbol_of(hot, "outer")
    with native.View(tmp_path / shape, tmp_path) as view:
        assert view.name == "profile" + shape[1:]
        for symbol in symbols:
            assert view.assembly(hot.profile, symbol) == hot_view.assembly(hot.profile, symbol)
        for at in {frame.address for frame in hot.profile.of_lib("hot.so")}:
            asked = ("hot.so", lib["breakpadId"], at)
            assert view.symbolicate(*asked) == hot_view.symbolicate(*asked)
        answer = view.post("source/v1", {
            "debugName": "hot.so", "debugId": lib["breakpadId"],
            "moduleOffset": hex(outer.address), "file": str(hot.source)})
        assert answer["source"] == hot.source.read_text()
        assert view.post("source/v1", {"file": "/etc/passwd"}).get("source") is None


# ---- a library that has changed -----------------------------------------------------------------


@pytest.fixture(scope="module")
def rebuilt(cpython, tmp_path_factory):
    """(recording without machine code, recording with it), of a library that was built anew since
    with other code."""
    library = native.build(tmp_path_factory.mktemp("rebuilt"), "-g")
    shared = native.record(cpython, library, "--share", seconds=0.3, out="shared.vmfox")
    made = native.made_of(cpython, library, seconds=0.3)
    before = native.build_id(library)
    text = made.source.read_text()
    native.build(library.parent, "-g", "-O1")
    assert native.build_id(library) != before
    assert made.source.read_text() == text
    return made, made._replace(capture=shared, profile=native.convert(shared))


def test_names_stay_when_a_library_has_changed(rebuilt):
    made, _ = rebuilt
    assert native.convert(made.capture).data == made.profile.data
    assert {"spin", "outer"} <= {f.name for f in made.profile.of_lib("hot.so")}


def test_code_of_another_build_is_not_shown(rebuilt):
    made, _ = rebuilt
    now = native.breakpad_id(native.build_id(made.library))
    symbol = symbol_of(made, "outer")
    with native.View(made.capture, made.folder) as view:
        assert native.is_changed(view.assembly(made.profile, symbol), "hot.so")
        asked = {"name": "hot.so", "codeId": native.build_id(made.library), "debugName": "hot.so",
                 "debugId": now, "startAddress": hex(symbol.address), "size": hex(symbol.size)}
        assert view.post("asm/v1", asked) == NOT_THERE
        before = made.profile.lib("hot.so")["breakpadId"]
        (frame,), _ = view.symbolicate("hot.so", before, symbol.address)
        assert frame["function"] == "outer" and frame["function_size"] == hex(symbol.size)
        (frame,), found = view.symbolicate("hot.so", now, symbol.address)
        assert "function" not in frame and found == {"hot.so/" + now: False}


def test_the_code_that_ran_is_shown_when_it_was_kept(rebuilt, hot, hot_view):
    """The same code as in the other folder: only the paths in its debug info are others."""
    _, shared = rebuilt
    with native.View(shared.capture, shared.folder) as other:
        for name in ("outer", "spin"):
            answer = other.assembly(shared.profile, symbol_of(shared, name))
            assert code(answer) == code(hot_view.assembly(hot.profile, symbol_of(hot, name))) != []


# ---- a recording is whole by itself -------------------------------------------------------------


@pytest.fixture(scope="module")
def gone(cpython, tmp_path_factory):
    """(recording, what was served while all its files were there, what is without them)."""
    folder = tmp_path_factory.mktemp("gone") / "project"
    library = native.build(folder, "-g")
    capture = native.record(cpython, library, "--share")
    capture = capture.rename(folder.parent / "x.vmfox")
    made = native.Made(folder, library, folder / "hot.c", capture, native.convert(capture))
    before = served(made)
    texts = {str(file): file.read_text() for file in (made.source, folder / "spin.py")}
    shutil.rmtree(folder)
    return made, texts, before, served(made)


def test_names_and_sources_need_no_files(gone):
    _, texts, (before, sources, _), (after, sources_after, _) = gone
    assert after.data == before.data
    assert sources_after == sources
    for name, text in texts.items():
        assert sources[name] == after.sources()[name] == text


def test_machine_code_needs_no_files(gone):
    _, _, (_, _, before), (_, _, after) = gone
    assert {symbol.name for symbol in before if symbol.lib == "hot.so"} >= {"spin", "outer"}
    assert set(after) == set(before)
    for symbol in before:
        assert code(after[symbol]) == code(before[symbol]) != [], symbol


def test_a_listing_without_files_is_the_whole_listing(gone):
    """Lines of source and names of what is called, too."""
    made, _, (_, _, before), (_, _, after) = gone
    for symbol in made.profile.symbols("hot.so"):
        assert after[symbol] == before[symbol]


def test_symbols_need_no_files(gone):
    made, _, _, _ = gone
    need_addresses(made)
    line, symbol = support.lines_of(support.PROGRAMS / "hot.c"), symbol_of(made, "outer")
    ((at, _),) = hits(made.profile, symbol).most_common(1)
    with native.View(made.capture, made.capture.parent) as view:
        (frame,), _ = view.symbolicate("hot.so", made.profile.lib("hot.so")["breakpadId"],
                                       symbol.address + at)
    assert (frame["function"], frame["file"]) == ("outer", str(made.source))
    (inlined,) = frame["inlines"]
    assert inlined["function"] == "inner" and frame["line"] == line["call"]
    assert line["loop"] <= inlined["line"] <= line["loop-last"]


def test_without_the_code_names_and_sources_are_left(cpython, tmp_path):
    library = native.build(tmp_path / "project", "-g")
    made = native.made_of(cpython, library, seconds=0.3)
    assert "code.bin" not in support.members(made.capture)
    text = made.source.read_text()
    capture = made.capture.rename(tmp_path / "x.vmfox")
    shutil.rmtree(made.folder)
    profile, sources, listings = served(made._replace(capture=capture))
    assert profile.data == made.profile.data
    assert sources[str(made.source)] == profile.sources()[str(made.source)] == text
    for symbol in profile.symbols("hot.so"):
        assert native.is_gone(listings[symbol], "hot.so")
