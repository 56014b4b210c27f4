"""The line of progress, on a real terminal; and what is left of a file that was being written when
a signal came."""
import collections
import fcntl
import gzip
import http.server
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest

import builder
import native
import support
from test_recover import make_remains

WIPE = "\r\x1b[K"
LINE = re.compile(r"\rvmfox: ([^\r\x1b]*)\x1b\[K")
LEFT = re.compile(r"(?:(\d+) %)?  [\d.]+ [kMGT]?\S+(?: samples)?/s  \d+ (?:s|min) left$")

Done = collections.namedtuple("Done", "code said")


# ---- work that takes long -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("progress")


@pytest.fixture(scope="module")
def long_prof(folder):
    """Some 200 MB: names of functions, all of which are looked up as they are read, and the samples
    of the story, again and again."""
    empty = builder.small_prof(stacks=())
    end = len(builder.words(0, 0, 0)) + 1
    samples = builder.small_prof()[len(empty) - end:-end]
    record = struct.Struct("<cqq16s").pack
    names = b"".join(record(b"\x02", i << 12, 16, b"py:f:%07d:/a.p" % i)
                     for i in range(16, 500000))
    file = folder / "long.prof"
    with open(file, "wb") as out:
        out.write(empty[:-end])
        for _ in range(10):
            out.write(names)
        for _ in range(300):
            out.write(samples * 500)
        out.write(empty[-end:])
    return file


@pytest.fixture(scope="module")
def long_gzip(folder, long_prof):
    file = folder / "packed.prof.gz"
    with gzip.open(file, "wb", 1) as out:
        out.write(long_prof.read_bytes())
    return file


class Terminal:
    """A command whose standard error, and input, is a terminal.  It is held again and again, so
    that what it does takes long enough on any machine, until it is let go."""

    def __init__(self, *words, cwd, columns=80, term="xterm", env=None, **options):
        env = dict(support.environment(cwd) if env is None else env)
        if term:
            env["TERM"] = term
        self.said, self.held = b"", True
        self.terminal, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", theirs)
        self.child = subprocess.Popen([str(word) for word in (support.VMFOX,) + words], cwd=cwd,
                                      env=env, stdin=theirs, start_new_session=True, **options)
        os.close(theirs)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self.terminal)

    def _read(self, wait):
        try:
            while select.select([self.terminal], [], [], wait)[0]:
                piece = os.read(self.terminal, 65536)
                if not piece:
                    return
                self.said += piece
                wait = 0
        except OSError:  # nobody has it open any more
            pass

    def text(self):
        return self.said.decode()

    def lines(self):
        """What was shown, one after the other."""
        return LINE.findall(self.text())

    def until(self, found, hold=0.05):
        """Goes on, held, until found(self), or the end; what `found` came to."""
        end = time.monotonic() + support.PATIENCE
        while self.child.poll() is None and not found(self):
            assert time.monotonic() < end, self.text()
            if self.held:
                self.child.send_signal(signal.SIGSTOP)
            self._read(hold)
            self.child.send_signal(signal.SIGCONT)
            self._read(0.0005)
        self._read(0)
        return found(self)

    def end(self):
        """Lets it go to its end."""
        self.held = False
        code = self.child.wait(support.PATIENCE)
        self._read(0)
        return Done(code, self.text())


def has_time_left(stage):
    return lambda t: any(line.startswith(stage) and LEFT.search(line) for line in t.lines())


def slow(t):
    """Holds it for longer than work goes on without a line."""
    end = time.monotonic() + 1.6
    t.until(lambda _: time.monotonic() > end)
    return t.end()


# ---- the line -----------------------------------------------------------------------------------


def test_a_long_conversion_shows_how_far_it_is(long_prof, tmp_path):
    with Terminal("convert", long_prof, "-o", "out.json.gz", cwd=tmp_path) as t:
        assert t.until(has_time_left("reading long.prof")), t.text()
        done = t.end()
    assert done.code == 0
    shown = [line for line in t.lines() if line.startswith("reading long.prof")]
    parts = [int(re.search(r"(\d+) %", line).group(1)) for line in shown]
    assert parts == sorted(parts) and parts[-1] <= 100 and len(set(parts)) >= 2
    assert all(len("vmfox: " + line) < 80 for line in t.lines())
    # It is gone before the message, and behind that there is nothing.
    before, message = done.said.rsplit(WIPE, 1)
    assert re.fullmatch(r"vmfox: wrote out.json.gz \([\d.]+ kB\)\r\n", message)
    assert "\n" not in before


def test_the_line_fits_into_the_terminal(long_prof, tmp_path):
    with Terminal("convert", long_prof, "-o", "out.json.gz", cwd=tmp_path, columns=24) as t:
        assert t.until(lambda t: len(t.lines()) > 3)
        assert t.end().code == 0
    assert {len("vmfox: " + line) for line in t.lines()
            if line.startswith("reading")} == {23}
    assert all(len("vmfox: " + line) < 24 for line in t.lines())


def test_a_gzip_file_is_unpacked(long_gzip, tmp_path):
    with Terminal("convert", long_gzip, "-o", "out.json.gz", cwd=tmp_path) as t:
        assert t.until(has_time_left("unpacking packed.prof.gz")), t.text()
        assert t.end().code == 0


def test_a_recording_is_unpacked(long_prof, tmp_path):
    bundle = builder.write_zip(tmp_path / "long.zip",
                               {"dict.json": {"prof": "a", "times": [0, 1]},
                                "a": long_prof.read_bytes()})
    with Terminal("convert", bundle, "-o", "out.json.gz", cwd=tmp_path) as t:
        assert t.until(has_time_left("unpacking long.zip")), t.text()
        assert t.end().code == 0


@pytest.mark.parametrize("words", [("share", "-o", "out.json.gz"), ("convert", "-o", "out.jslb"),
                                   ("convert", "-o", "-")])
def test_other_commands_show_it_too(long_prof, tmp_path, words):
    with Terminal(*words, long_prof, cwd=tmp_path) as t:
        assert t.until(lambda t: t.lines()), t.text()
        assert t.end().code == 0


def test_the_view_shows_it_until_it_serves(long_prof, tmp_path):
    read, write = os.pipe()
    with Terminal("view", "-n", long_prof, cwd=tmp_path, stdout=write) as t:
        os.close(write)
        assert t.until(lambda t: t.lines()), t.text()
        with open(read) as out:
            assert "127.0.0.1" in out.readline()
        assert t.until(lambda t: t.text().endswith(WIPE))
        t.child.send_signal(signal.SIGINT)
        assert t.end().code == 0
    assert t.text().endswith(WIPE)


def test_a_message_has_a_line_of_its_own(long_prof, tmp_path):
    """Here a warning, which comes while the work goes on."""
    cut = tmp_path / "cut.prof"
    cut.write_bytes(long_prof.read_bytes()[:-60])
    with Terminal("convert", cut, "-o", "out.json", cwd=tmp_path) as t:
        assert t.until(lambda t: t.lines()), t.text()
        said = slow(t).said
    assert re.search(r"\r\x1b\[Kvmfox: warning: [^\r]*cut.prof: [^\r]*\r\n", said)
    assert said.count("\n") == 2


def test_short_work_shows_nothing(tmp_path):
    (tmp_path / "a.prof").write_bytes(builder.small_prof())
    with Terminal("convert", "a.prof", cwd=tmp_path) as t:
        t.held = False
        done = t.end()
    assert done.code == 0
    assert re.fullmatch(r"vmfox: wrote a.json.gz \([\d.]+ kB\)\r\n", done.said)


def test_nothing_is_shown_with_q(long_prof, tmp_path):
    with Terminal("convert", "-q", long_prof, "-o", "out.json.gz", cwd=tmp_path) as t:
        assert slow(t) == (0, "")


@pytest.mark.parametrize("term", [None, "dumb"])
def test_nothing_is_shown_where_a_line_can_not_be_wiped(long_prof, tmp_path, term):
    with Terminal("convert", long_prof, "-o", "out.json.gz", cwd=tmp_path, term=term) as t:
        done = slow(t)
    assert done.code == 0 and re.fullmatch(r"vmfox: wrote [^\r]*\r\n", done.said)


def test_nothing_is_shown_in_a_pipe(long_prof, tmp_path):
    with Terminal("convert", long_prof, "-o", "out.json.gz", cwd=tmp_path,
                  stderr=subprocess.PIPE) as t:
        assert slow(t) == (0, "")
        assert re.fullmatch(rb"vmfox: wrote out.json.gz \([\d.]+ kB\)\n", t.child.stderr.read())


def test_a_name_is_no_command_to_the_terminal(long_prof, tmp_path):
    os.link(long_prof, tmp_path / "a\x1b]0;b\x07.prof")
    with Terminal("convert", "a\x1b]0;b\x07.prof", "-o", "out.json.gz", cwd=tmp_path) as t:
        assert t.until(lambda t: t.lines()), t.text()
        assert t.end().code == 0
    assert "reading a\\x1b]0;b\\x07.prof" in t.text()


# ---- a file in work -----------------------------------------------------------------------------


ENDINGS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def parts(folder):
    return [name for name in os.listdir(folder) if name != "in"]


def assert_leaves_nothing(number, *words, cwd, began):
    """Ends the command when `began`, which is held so that it can't be over by then."""
    with Terminal(*words, cwd=cwd) as t:
        assert t.until(lambda t: began(), hold=0.001), t.text()
        t.child.send_signal(number)
        done = t.end()
    assert done.code == -number
    assert not t.lines() or done.said.endswith(WIPE)
    assert "\n" not in done.said
    return done


@pytest.mark.parametrize("number", ENDINGS)
def test_a_signal_leaves_no_part_of_a_file(long_prof, tmp_path, number):
    """It ends the command as it would any other."""
    assert_leaves_nothing(number, "convert", long_prof, "-o", "out.json", cwd=tmp_path,
                          began=lambda: parts(tmp_path))
    assert parts(tmp_path) == []


def test_a_signal_leaves_the_old_file(long_prof, tmp_path):
    (tmp_path / "out.json").write_text("old")
    assert_leaves_nothing(signal.SIGINT, "convert", long_prof, "-o", "out.json", cwd=tmp_path,
                          began=lambda: len(parts(tmp_path)) > 1)
    assert parts(tmp_path) == ["out.json"] and (tmp_path / "out.json").read_text() == "old"


def test_ctrl_c_wipes_the_line_away(long_prof, tmp_path):
    with Terminal("convert", long_prof, "-o", "out.json", cwd=tmp_path) as t:
        assert t.until(lambda t: t.lines()), t.text()
        t.child.send_signal(signal.SIGINT)
        assert t.end() == (-signal.SIGINT, t.text())
    assert t.text().endswith(WIPE) and "\n" not in t.text()
    assert parts(tmp_path) == []


def test_an_ignored_signal_stays_so(long_prof, tmp_path):
    with Terminal("convert", "-q", long_prof, "-o", "out.json", cwd=tmp_path,
                  preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as t:
        assert t.until(lambda t: parts(tmp_path), hold=0.001)
        t.child.send_signal(signal.SIGHUP)
        assert t.end().code == 0
    assert parts(tmp_path) == ["out.json"]


def test_a_file_that_is_cut_while_it_is_read(long_prof, tmp_path):
    shutil.copy(long_prof, tmp_path / "in")
    with Terminal("convert", "in", "-o", "out.json", cwd=tmp_path) as t:
        assert t.until(lambda t: t.lines()), t.text()
        os.truncate(tmp_path / "in", 4096)
        done = t.end()
    assert done.code == 1 and done.said.count("\n") == 1
    assert done.said.endswith(WIPE + "vmfox: a file was cut short while it was read, or its disk "
                              "can't be read\r\n")
    assert parts(tmp_path) == []


def test_a_reader_that_goes_away_leaves_no_line(long_prof, tmp_path):
    read, write = os.pipe()
    with Terminal("convert", long_prof, "-o", "-", cwd=tmp_path, stdout=write) as t:
        os.close(write)
        assert t.until(lambda t: t.lines()), t.text()
        os.close(read)
        assert t.end().code == -signal.SIGPIPE
    assert t.text().endswith(WIPE)


# ---- fetching -----------------------------------------------------------------------------------


class Drops(http.server.BaseHTTPRequestHandler):
    """Gives what it was asked for bit by bit, until it has been seen enough."""

    def do_GET(self):
        if self.path.split("/")[2] != self.server.build_id:
            self.send_error(404)
            return
        total = 4000000
        self.send_response(200)
        self.send_header("Content-Length", str(total))
        self.send_header("X-DEBUGINFOD-SIZE", str(total))
        self.end_headers()
        for sent in range(0, total, 20000):
            self.wfile.write(b"\0" * 20000)
            self.server.enough.wait(0.02)

    def log_message(self, *words):
        pass


@pytest.fixture
def dripping():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Drops)
    made.build_id, made.enough = "", threading.Event()
    made.url = "http://127.0.0.1:%d" % made.server_address[1]
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.enough.set()
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture(scope="module")
def bare(cpython, tmp_path_factory):
    """A recording of an extension whose debug info is nowhere."""
    library = native.build(tmp_path_factory.mktemp("bare"), "-g")
    native.split(library, tmp_path_factory.mktemp("debug"))
    return library, native.record(cpython, library, "--share", seconds=0.4)


def fetching(server, folder):
    return dict(support.environment(folder), DEBUGINFOD_URLS=server.url,
                DEBUGINFOD_CACHE_PATH=str(folder / "cache"))


def test_a_download_shows_how_far_it_is(bare, dripping, tmp_path):
    library, capture = bare
    dripping.build_id = native.build_id(library)
    with Terminal("convert", capture, "-o", "out.json", cwd=tmp_path,
                  env=fetching(dripping, tmp_path)) as t:
        t.held = False
        assert t.until(has_time_left("fetching debug info")), t.text()
        dripping.enough.set()
        done = t.end()
    assert done.code == 0
    assert re.search(r"\r\x1b\[Kvmfox: wrote out.json [^\r]*\r\n$", done.said)


def test_a_download_shows_nothing_with_q(bare, dripping, tmp_path):
    library, capture = bare
    dripping.build_id = native.build_id(library)
    with Terminal("convert", "-q", capture, "-o", "out.json", cwd=tmp_path,
                  env=fetching(dripping, tmp_path)) as t:
        t.held = False
        assert slow(t) == (0, "")


# ---- a recording that is written anew -----------------------------------------------------------


@pytest.mark.parametrize("number", ENDINGS)
def test_a_signal_leaves_no_part_of_a_recording(bare, tmp_path, number):
    """With a member so large that copying it takes a while."""
    _, capture = bare
    long = tmp_path / "in"
    with open(long, "wb") as out:
        out.write(capture.read_bytes())
    with builder.zipfile.ZipFile(long, "a") as bundle:
        bundle.writestr("large", os.urandom(1 << 20) * 300)
    assert_leaves_nothing(number, "symbolicate", long, "-o", "out.vmfox", cwd=tmp_path,
                          began=lambda: len(parts(tmp_path)) > 1)
    assert parts(tmp_path) == []


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the call's number is that of x86-64")
@pytest.mark.parametrize("number", ENDINGS)
def test_a_signal_leaves_no_part_of_what_is_recovered(tmp_path, number):
    """Where what is written has a name from the start."""
    remains = make_remains(support.DATA / "pypy.vmfox", tmp_path / "tmp" / "vmfox-AbC123")
    with open(remains / "profile.jitlog", "ab") as log:
        log.write(os.urandom(1 << 20) * 300)
    out = tmp_path / "out"
    out.mkdir()
    with Terminal("recover", "-o", out / "x.vmfox", remains, cwd=tmp_path,
                  preexec_fn=support.without_unnamed_files) as t:
        assert t.until(lambda _: os.listdir(out), hold=0.001), t.text()
        t.child.send_signal(number)
        assert t.end().code == -number
    assert os.listdir(out) == [] and (remains / "profile.prof").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_names_are_looked_up_leaves_nothing(cpython, tmp_path, number):
    """It waits until the recording is written, which then nobody needs."""
    temp = tmp_path / "tmp"
    temp.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as never_answers:
        never_answers.settimeout(support.PATIENCE)
        url = "http://127.0.0.1:%d" % never_answers.getsockname()[1]
        env = dict(support.environment(temp), DEBUGINFOD_URLS=url,
                   DEBUGINFOD_CACHE_PATH=str(tmp_path / "cache"))
        with Terminal("run", "--no-serve", "--no-keep", "-o", "out.json", cpython,
                      support.PROGRAMS / "busy.py", "0.3", cwd=tmp_path, env=env) as t:
            t.held = False
            asks, _ = never_answers.accept()
            t.child.send_signal(number)
            code = t.end().code
            asks.close()
    assert code == -number, t.text()
    assert os.listdir(temp) == [] and not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_after_the_program_leaves_nothing(cpython, tmp_path, number):
    """While its recording is kept, read or written: nothing waits for it any more."""
    def is_over(t):
        with open("/proc/%d/task/%d/children" % (t.child.pid, t.child.pid)) as children:
            return started and not children.read()

    temp, started = tmp_path / "tmp", False
    temp.mkdir()
    with Terminal("run", "--no-serve", "-o", "out.json", cpython, "-c",
                  "open('started', 'w'); sum(range(10**7))", cwd=tmp_path,
                  env=support.environment(temp)) as t:
        t.until(lambda _: (tmp_path / "started").exists(), hold=0)
        started = True
        t.until(is_over, hold=0.001)
        t.child.send_signal(number)
        code = t.end().code
    assert code in (0, -number)  # 0: it came at the very end of the program
    left = ["out.json", "started", "tmp"] if code == 0 else ["started", "tmp"]
    assert sorted(os.listdir(tmp_path)) == left and os.listdir(temp) == []
