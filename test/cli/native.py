"""What the tests of native functions share: C extensions and recordings of them, what binutils say
of a library, the profile with its addresses, and the front-end's questions to the server."""
import collections
import json
import re
import shutil
import subprocess
import uuid

import pytest

import support
import viewing

Frame = collections.namedtuple("Frame", support.Frame._fields + ("address", "depth", "symbol"))
Symbol = collections.namedtuple("Symbol", "name lib address size")  # a row of nativeSymbols
Made = collections.namedtuple("Made", "folder library source capture profile")

# What a function must never be called: an address that is another one in the next run.
BARE = re.compile(r"(0x)?[0-9a-f]*[0-9][0-9a-f]*|.*native code 0x.*")
# What is in a stack only because a sample was taken.
SAMPLER = re.compile(r"__restore(_rt)?|sigprof_handler|get_stack_trace|_?vmprof_.*|vmp_.*|"
                     r"__vmprof_eval_vmprof")
# The C library's own name for one of several memmove() and the like.
VARIANT = re.compile("_(avx|sse|ssse|evex|erms|unaligned)")


class Profile(support.Profile):
    """Its frames have address, inline depth and native symbol too."""

    def _frame(self, i):
        frames, natives = self.shared["frameTable"], self.shared["nativeSymbols"]
        row = frames["nativeSymbol"][i]
        symbol = None
        if row is not None:
            symbol = Symbol(self.strings[natives["name"][row]],
                            self.data["libs"][natives["libIndex"][row]]["name"],
                            natives["address"][row], natives["functionSize"][row])
        return Frame(*super()._frame(i), frames["address"][i], frames["inlineDepth"][i], symbol)

    def lib(self, name):
        (found,) = [lib for lib in self.data["libs"] if lib["name"] == name]
        return found

    def symbols(self, lib=None):
        """The native symbols of a library, or all, that frames have."""
        return sorted({f.symbol for f in self.frames if f.symbol and lib in (None, f.symbol.lib)})

    def of_lib(self, lib):
        return [frame for frame in self.frames if frame.lib == lib]


def convert(capture, *options, env=None):
    done = support.vmfox("convert", "-q", capture, "-o", "-", *options, cwd=capture.parent,
                         env=env)
    assert (done.code, done.err) == (0, "")
    return Profile(json.loads(done.out))


# ---- extensions ---------------------------------------------------------------------------------


def tool(*words, **options):
    """The output of a compiler's or binutils' program."""
    return subprocess.run([str(word) for word in words], check=True, timeout=support.PATIENCE,
                          stdout=subprocess.PIPE, text=True, **options).stdout


def build(folder, *flags, source="hot.c", compiler=None):
    """Compiles a source of test/cli/programs in `folder`, beside itself; the library.  It has no
    stubs (.plt), so that nothing is seen at work but the source's functions."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / source).write_bytes((support.PROGRAMS / source).read_bytes())
    library = (folder / source).with_suffix(".so")
    python_h = tool(support.CPYTHON, "-c",
                    "import sysconfig; print(sysconfig.get_paths()['include'])").strip()
    tool(compiler or ("g++" if source.endswith(".cpp") else "gcc"), "-O2", "-fPIC", "-fno-plt", "-shared",
         "-Wl,--build-id=sha1", "-I" + python_h, *flags, source, "-o", library, cwd=folder)
    return library


def record(python, library, *options, seconds=0.5, **more):
    """Records spin.py, beside the library, with the time spent in that; the capture."""
    folder = library.parent
    shutil.copy(support.PROGRAMS / "spin.py", folder)
    done = support.record(*options, python, folder / "spin.py", library.stem, seconds, cwd=folder,
                          **more)
    assert (done.code, done.err) == (0, "")
    return folder / more.get("out", "x.vmfox")


def made_of(python, library, *options, **more):
    capture = record(python, library, *options, **more)
    return Made(library.parent, library, library.with_suffix(".c"), capture, convert(capture))


def spread(profile):
    """How often each native function is in the program's samples, in each sample once."""
    return collections.Counter(f.name for s in profile.all_samples()
                               for f in {f.name: f for f in s.stack}.values()
                               if f.category == "Native")


def need_addresses(made):
    """Without instructions a function's frames are of its first byte only."""
    if not made.profile.knows_instructions():
        pytest.skip("the kernel gives no instruction addresses here")
    return made


def assert_debug_info(profile, source):
    """It has all that only debug info tells."""
    line = support.lines_of(source)
    found = {(f.name, f.file, f.func_line) for f in profile.of_lib("hot.so")}
    for name in ("spin", "outer"):
        assert (name, str(source), line[name]) in found
    if profile.knows_instructions():
        inside = range(line["loop"], line["loop-last"] + 1)
        lines = [f.line for f in profile.of_lib("hot.so") if f.name == "inner"]
        assert lines and all(number in inside for number in lines)


def assert_places(made):
    """It has nothing of its functions but where they are in the library."""
    frames = made.profile.of_lib("hot.so")
    assert len({f.name for f in frames}) > 1
    for frame in frames:
        assert frame.name == "hot.so+0x%x" % frame.symbol.address
        assert (frame.file, frame.line, frame.depth) == (None, None, 0)


def assert_no_sampler(profile):
    for sample in profile.all_samples():
        for frame in sample.stack:
            assert not SAMPLER.fullmatch(frame.name), frame
            assert not (frame.lib or "").startswith("_vmprof"), frame
        assert not sample.stack or not (sample.stack[-1].lib or "").startswith("libunwind")


# ---- debug files --------------------------------------------------------------------------------


def strip(library, *options):
    """All that strip can take away; functions stay where they are, and the build id too."""
    tool("strip", *(options or ("-s",)), library)
    return library


def split(library, folder):
    """Strips the library; its debug info goes to DIR/.build-id/ab/cdef.debug, below `folder`."""
    digits = build_id(library)
    debug = folder / ".build-id" / digits[:2] / (digits[2:] + ".debug")
    debug.parent.mkdir(parents=True)
    tool("objcopy", "--only-keep-debug", library, debug)
    strip(library)
    return debug


def build_id(file):
    return re.search(r"Build ID: ([0-9a-f]+)", tool("readelf", "-n", file))[1]


def breakpad_id(digits):
    """The first 16 bytes of a build id as a GUID, whose first fields are little-endian, and an age
    of 0."""
    return uuid.UUID(bytes_le=bytes.fromhex(digits)[:16]).hex.upper() + "0"


def functions(library):
    """{name: (address, size)} of the symbol table."""
    rows = re.findall(r"^([0-9a-f]+) ([0-9a-f]+) [tT] (\S+)$", tool("nm", "-S", library), re.M)
    return {name: (int(address, 16), int(size, 16)) for address, size, name in rows}


def instructions(library, start, size):
    """{offset: text} of a function, from objdump."""
    text = tool("objdump", "-d", "-w", "--no-show-raw-insn", "--start-address=%d" % start,
                "--stop-address=%d" % (start + size), library)
    rows = re.findall(r"^ *([0-9a-f]+):\t(.*)$", text, re.M)
    return {int(address, 16) - start: rest for address, rest in rows}


# ---- the server ---------------------------------------------------------------------------------

NOT_THERE = {"error": "This profile has no machine code of that function."}


def is_gone(answer, lib):
    return answer == {"error": "%s is not on this machine, and its machine code is not in the "
                               "recording (vmfox record --share keeps it)." % lib}


def is_changed(answer, lib):
    return answer == {"error": "%s on this machine is another build than the recorded one." % lib}


class View(viewing.View):
    """Asks as the front-end does."""

    def profile(self):
        body = self.ask("GET", self.path).partition(b"\r\n\r\n")[2]
        return support.profile_of(body)

    def post(self, path, question):
        answer = self.ask("POST", "/%s/%s" % (self.token, path), json.dumps(question).encode())
        assert viewing.status(answer) == 200
        return json.loads(answer.partition(b"\r\n\r\n")[2])

    def assembly(self, profile, symbol):
        lib = profile.lib(symbol.lib)
        return self.post("asm/v1", {
            "name": lib["name"], "codeId": lib["codeId"], "debugName": lib["debugName"],
            "debugId": lib["breakpadId"], "startAddress": hex(symbol.address),
            "size": hex(symbol.size or 1)})

    def symbolicate(self, name, debug_id, *addresses):
        (result,) = self.post("symbolicate/v5", {"jobs": [{
            "memoryMap": [[name, debug_id]],
            "stacks": [[[0, address] for address in addresses]]}]})["results"]
        (stack,) = result["stacks"]
        return stack, result["found_modules"]


def code_rows(answer):
    """(offset, text) of the instructions: other rows are lines of source and a note."""
    return [(at, text.strip()) for at, text in answer["instructions"] if text.startswith("    ")]


def code(answer):
    """The instructions without the names of what they call."""
    return [(at, text.partition("  <")[0]) for at, text in code_rows(answer)]


def served(made, largest=2000):
    """What a browser can get of a recording: the profile, each source, and the listing of each
    function that has no more bytes than `largest`, for the long ones take their time."""
    profile, listings = convert(made.capture), {}
    with View(made.capture, made.capture.parent) as view:
        for symbol in profile.symbols():
            if profile.lib(symbol.lib).get("codeId") and (symbol.size or 0) <= largest:
                listings[symbol] = view.assembly(profile, symbol)
        sources = {name: view.source(name).get("source") for name in profile.sources()}
    return profile, sources, listings
