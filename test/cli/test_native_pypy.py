"""Native functions of PyPy, whose library Debian strips: the same names in every run, and no need
of the library afterwards."""
import json
import re
import shutil
import zipfile

import pytest

import native
import support


@pytest.fixture(scope="module")
def runs(pypy, tmp_path_factory):
    """Two recordings of a program that works in PyPy's own functions; the first has their code."""
    made = []
    for options in (("--share",), ()):
        folder = tmp_path_factory.mktemp("heavy")
        script = shutil.copy(support.PROGRAMS / "heavy.py", folder)
        done = support.record(*options, pypy, script, cwd=folder)
        assert (done.code, done.err) == (0, "")
        capture = folder / "x.vmfox"
        made.append(native.Made(folder, None, folder / "heavy.py", capture,
                                native.convert(capture)))
    return made


def native_frames(profile):
    return [f for f in profile.frames if f.lib not in (None, "PyPy JIT", "PyPy runtime")]


def pypys_own(profile):
    """The name of the library PyPy is in, as it is found in its samples."""
    libs = {f.lib for f in native_frames(profile) if re.match(r"(lib)?pypy", f.lib)}
    return max(libs, key=lambda lib: len(profile.of_lib(lib)))


def test_no_function_is_a_bare_number(runs):
    for made in runs:
        frames = native_frames(made.profile)
        assert len({f.name for f in frames}) > 50
        for frame in made.profile.frames:
            assert not native.BARE.fullmatch(frame.name), frame


def test_a_function_without_a_symbol_is_its_place_in_the_library(runs):
    for made in runs:
        lib = pypys_own(made.profile)
        for frame in made.profile.of_lib(lib):
            place = re.fullmatch(re.escape(lib) + r"\+0x([0-9a-f]+)", frame.name)
            if place:
                assert int(place[1], 16) == frame.symbol.address <= frame.address
            elif frame.symbol:
                assert re.fullmatch(r"[A-Za-z_][\w.]*( \[cold\]|@plt)?", frame.name), frame.name


def test_functions_have_the_same_name_in_every_run(runs):
    first, second = (native.spread(made.profile) for made in runs)
    often = {name for name, count in first.items() if count >= 10}
    assert len(often) > 10
    assert len(often & set(second)) > 0.8 * len(often)
    hottest = [name for name, _ in first.most_common(5)]
    assert set(hottest) <= set(second)
    one, other = ({(f.lib, f.name): f.symbol.address for f in native_frames(made.profile)
                   if f.symbol} for made in runs)
    common = set(one) & set(other)
    assert {name for _, name in common} >= set(hottest)
    assert all(one[key] == other[key] for key in common)
    assert runs[0].profile.lib(pypys_own(runs[0].profile))["codeId"] == \
        runs[1].profile.lib(pypys_own(runs[1].profile))["codeId"]


def test_the_sampler_is_not_in_the_samples(runs):
    for made in runs:
        native.assert_no_sampler(made.profile)


def test_functions_of_the_c_library_have_plain_names(runs):
    """Of some it has several, one for each kind of processor."""
    for made in runs:
        names = {f.name for f in made.profile.of_lib("libc.so.6")}
        assert names & {"memmove", "memcpy", "memset"}
        assert not [name for name in names if native.VARIANT.search(name)]


# ---- a recording is whole by itself -------------------------------------------------------------


def say_gone(capture, out):
    """Writes the recording as one from a machine whose files are all below /gone."""
    def with_gone(path):
        return "/gone" + path if path.startswith("/") else path

    with zipfile.ZipFile(capture) as bundle, zipfile.ZipFile(out, "w") as other:
        for name in bundle.namelist():
            content = bundle.read(name)
            if name == "capture.json":
                info = json.loads(content)
                info["interpreter_path"] = with_gone(info["interpreter_path"])
                for module in info["modules"]:
                    module["path"] = with_gone(module["path"])
                content = json.dumps(info)
            elif name == "symbols.json":
                symbols = json.loads(content)
                for library in symbols["libraries"]:
                    library["path"] = with_gone(library["path"])
                content = json.dumps(symbols)
            elif name == "maps.txt":
                content = re.sub(rb"(?m) /(.*)$", rb" /gone/\1", content)
            other.writestr(name, content)
    return out


@pytest.fixture(scope="module")
def gone(runs, tmp_path_factory):
    """The first run, and what is served of it; the same without any file it came from."""
    made = runs[0]
    before = native.served(made)
    capture = say_gone(made.capture, tmp_path_factory.mktemp("gone") / "x.vmfox")
    away = made.source.rename(tmp_path_factory.mktemp("away") / "heavy.py")
    try:
        after = native.served(made._replace(capture=capture))
    finally:
        away.rename(made.source)
    return made, before, after


def test_names_need_no_files(gone):
    _, (before, _, _), (after, _, _) = gone
    lib = after.lib(pypys_own(after))
    assert lib["path"].startswith("/gone/usr/") and lib == dict(
        before.lib(lib["name"]), path=lib["path"], debugPath=lib["debugPath"])
    assert [f._replace(symbol=None) for f in after.frames] == \
        [f._replace(symbol=None) for f in before.frames]
    assert after.symbols() == before.symbols()
    assert after.shared["stackTable"] == before.shared["stackTable"]


def test_sources_and_graphs_need_no_files(gone):
    made, (before, sources, _), (after, sources_after, _) = gone
    assert sources_after == sources
    assert sources[str(made.source)] == made.source.read_text()
    graphs = {name for name in after.sources() if name.endswith(".iongraph.json")}
    assert graphs and all(after.sources()[name] for name in graphs)
    assert after.sources() == before.sources()


def test_listings_of_traces_need_no_files(gone):
    _, (_, _, before), (_, _, after) = gone
    traces = [symbol for symbol in before if symbol.lib == "PyPy JIT"]
    assert len(traces) > 3
    for trace in traces:
        assert len(before[trace]["instructions"]) > 5
        assert after[trace] == before[trace]


def test_machine_code_needs_no_files(gone):
    made, (_, _, before), (_, _, after) = gone
    own = [symbol for symbol in before if symbol.lib == pypys_own(made.profile)]
    assert len(own) > 50 and set(after) == set(before)
    for symbol in before:
        if symbol.lib != "PyPy JIT":
            assert native.code(after[symbol]) == native.code(before[symbol]) != [], symbol


def test_without_the_code_it_is_said(runs, tmp_path):
    made = runs[1]
    capture = say_gone(made.capture, tmp_path / "x.vmfox")
    profile, _, listings = native.served(made._replace(capture=capture))
    for symbol, answer in listings.items():
        if symbol.lib == "PyPy JIT":
            assert answer["instructions"]
        else:
            assert native.is_gone(answer, symbol.lib)
    assert [f.name for f in profile.frames] == [f.name for f in made.profile.frames]
