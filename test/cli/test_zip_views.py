"""A zip of vmprof-firefox-converter has the views that the recording itself has: sources, graphs and
listings of the JIT's traces."""
import pytest

import builder
import native
import support


@pytest.fixture(scope="module")
def both(pypy, recorder, tmp_path_factory):
    """What is served of a recording and of the zip that the converter would have made of it: VMProf's
    file, the two logs and the sources, and nothing of what vmfox adds."""
    made = recorder(pypy, "lines.py", "--no-native")
    folder = tmp_path_factory.mktemp("zip")
    members = {"profile.prof": support.member(made.capture, "profile.prof"),
               "profile.prof.jit": support.member(made.capture, "profile.jitlog"),
               "profile.log": support.member(made.capture, "profile.pypylog")}
    table = {"prof": "profile.prof", "jitlog": "profile.prof.jit", "pypylog": "profile.log"}
    for i, source in enumerate(support.capture_info(made.capture)["sources"]):
        table[source["path"]] = "file_%d.py" % i
        members["file_%d.py" % i] = support.member(made.capture, source["member"])
    path = builder.write_zip(folder / "x.zip", dict(members, **{"dict.json": table}))
    one = native.Made(made.folder, None, None, made.capture, None)
    return native.served(one), native.served(one._replace(folder=folder, capture=path)), made


def test_sources(both):
    (_, sources, _), (profile, zipped, _), made = both
    python = {name: text for name, text in sources.items() if name.endswith(".py")}
    assert python[str(made.script)] == made.script.read_text()
    assert {name: zipped[name] for name in python} == python
    assert all(profile.sources()[name] == text for name, text in python.items())


def test_graphs(both):
    """Of the traces that samples are in: others only an instruction address tells of."""
    (profile, _, _), (zipped, _, _), _ = both
    names, found = ({name for name in one.sources() if name.endswith(".iongraph.json")}
                    for one in (profile, zipped))
    assert found and found <= names
    assert all(zipped.sources()[name] for name in found)


def instructions(listing):
    """Rows of machine code: what the bytecode was is not in such a zip, nor which instruction was hit
    of those whose bytes the log does not hold."""
    return [(at, text) for at, text in listing["instructions"]
            if text.startswith("        ") and text.strip() != "(not in the log)"]


def test_listings(both):
    (_, _, listings), (_, _, zipped), _ = both
    traces = {symbol.name: listing for symbol, listing in listings.items()
              if symbol.lib == "PyPy JIT"}
    found = {symbol.name: listing for symbol, listing in zipped.items()
             if symbol.lib == "PyPy JIT"}
    # Traces that only an instruction address was in are not known there.
    assert found and set(found) <= set(traces)
    for name, listing in found.items():
        assert len(instructions(listing)) > 5
        assert instructions(listing) == instructions(traces[name])
