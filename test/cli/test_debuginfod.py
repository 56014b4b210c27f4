"""Debug info from a server in $DEBUGINFOD_URLS: Debian's debuginfod, started here, and servers that
give something else, or nothing."""
import http.server
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

import native
import support


@pytest.fixture(scope="module")
def bare(cpython, tmp_path_factory):
    """An extension without symbols, its recording, and the folder with its debug info, which nobody
    knows of."""
    library = native.build(tmp_path_factory.mktemp("bare"), "-g")
    debug = tmp_path_factory.mktemp("debug")
    shutil.copy(native.split(library, debug), debug / "hot.debug")
    shutil.rmtree(debug / ".build-id")
    return native.made_of(cpython, library, seconds=0.4), debug


def environment(folder, url, **more):
    """Each with a cache of its own."""
    return support.environment(folder, DEBUGINFOD_URLS=url,
                               DEBUGINFOD_CACHE_PATH=str(folder / "cache"), **more)


def cached(folder):
    """The build ids that were asked for; what was not found is kept too, without bytes."""
    return {file.parent.name for file in (folder / "cache").glob("*/debuginfo")}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def is_answered(url):
    try:
        with urllib.request.urlopen(url, timeout=support.PATIENCE) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.fixture(scope="module")
def server(bare, tmp_path_factory):
    """The URL of a debuginfod that has read the folder with the debug info."""
    made, debug = bare
    if not shutil.which("debuginfod"):
        pytest.skip("debuginfod is not installed")
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    url = "http://127.0.0.1:%d" % port
    wanted = url + "/buildid/" + native.build_id(made.library) + "/debuginfo"
    with open(folder / "log", "wb") as log:
        child = subprocess.Popen(["debuginfod", "-F", "-d", ":memory:", "-p", str(port), debug],
                                 cwd=folder, env=support.environment(folder), stdout=log,
                                 stderr=log, stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + support.PATIENCE
        while not is_answered(wanted):
            assert child.poll() is None and time.monotonic() < until, \
                (folder / "log").read_text(errors="replace")
            time.sleep(0.05)
        yield url
    finally:
        child.terminate()
        child.wait(support.PATIENCE)


# ---- a server that has it -----------------------------------------------------------------------


def test_without_a_server_there_are_no_names(bare):
    made, _ = bare
    native.assert_places(made)


def test_a_server_is_asked_while_recording(cpython, bare, server, tmp_path):
    made, _ = bare
    capture = native.record(cpython, made.library, out="asked.vmfox",
                            env=environment(tmp_path, server))
    native.assert_debug_info(native.convert(capture), made.source)
    assert native.build_id(made.library) in cached(tmp_path)


def test_a_server_is_asked_for_an_old_recording(bare, server, tmp_path):
    made, _ = bare
    profile = native.convert(made.capture, env=environment(tmp_path, server))
    native.assert_debug_info(profile, made.source)


def test_a_server_is_asked_for_a_finished_profile(bare, server, tmp_path):
    made, _ = bare
    env = environment(tmp_path, server)
    for words in (("convert", "--no-debuginfod", made.capture, "-o", "old.json.gz"),
                  ("symbolicate", "old.json.gz", "-o", "new.json.gz")):
        assert support.vmfox(*words, cwd=tmp_path, env=env).code == 0
    old, new = (native.Profile(support.load_profile(tmp_path / name).data)
                for name in ("old.json.gz", "new.json.gz"))
    native.assert_places(made._replace(profile=old))
    native.assert_debug_info(new, made.source)


def test_a_server_is_asked_when_the_library_is_gone(bare, server, tmp_path):
    made, _ = bare
    away = made.library.rename(tmp_path / "hot.so")
    try:
        profile = native.convert(made.capture, env=environment(tmp_path, server))
    finally:
        away.rename(made.library)
    native.assert_debug_info(profile, made.source)


def test_the_view_asks_a_server(bare, server, tmp_path, monkeypatch):
    """For lines of listings too."""
    made, _ = bare
    env = environment(tmp_path, server)
    monkeypatch.setattr(support, "environment", lambda folder: env)
    symbol = next(f.symbol for f in made.profile.samples()[-1].stack if f.lib == "hot.so")
    with native.View(made.capture, made.folder) as view:
        profile = native.Profile(view.profile())
        native.assert_debug_info(profile, made.source)
        texts = [text for _, text in view.assembly(profile, symbol)["instructions"]]
    assert [text for text in texts if text.startswith("hot.c:")]


def test_the_program_sees_the_variable(cpython, bare, server, tmp_path):
    """It is its own affair whom it asks, also where vmfox asks nobody."""
    made, _ = bare
    script = shutil.copy(support.PROGRAMS / "spin.py", made.folder)
    for options in ((), ("--no-debuginfod",)):
        done = support.record(*options, cpython, script, "hot", "0", cwd=made.folder,
                              out="seen.vmfox", env=environment(tmp_path, server))
        assert (done.code, done.out, done.err) == (0, server + "\n", "")


# ---- servers that are not asked, or do no good --------------------------------------------------


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(200 if self.server.content else 404)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *words):
        pass


@pytest.fixture
def false_server():
    """Gives `content` for every question, and notes in `asked` what was asked for."""
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    made.content, made.asked, made.url = b"", [], "http://127.0.0.1:%d" % made.server_address[1]
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def record_with(cpython, made, server, tmp_path, *options):
    capture = native.record(cpython, made.library, *options, seconds=0.2, out="false.vmfox",
                            env=environment(tmp_path, server.url))
    return made._replace(capture=capture, profile=native.convert(capture))


def test_nobody_is_asked_where_nobody_shall_be(cpython, bare, false_server, tmp_path):
    made, _ = bare
    recorded = record_with(cpython, made, false_server, tmp_path, "--no-debuginfod")
    native.assert_places(recorded)
    env = environment(tmp_path, false_server.url)
    native.convert(made.capture, "--no-debuginfod", env=env)
    assert false_server.asked == [] and not (tmp_path / "cache").exists()


def test_servers_are_asked_for_build_ids_and_told_nothing_else(cpython, bare, false_server,
                                                               tmp_path):
    made, _ = bare
    recorded = record_with(cpython, made, false_server, tmp_path)
    native.assert_places(recorded)
    ids = {module.get("build_id") for module in support.capture_info(recorded.capture)["modules"]}
    asked = {path.split("/")[2] for path in false_server.asked}
    assert native.build_id(made.library) in asked <= ids
    assert set(false_server.asked) == {"/buildid/%s/debuginfo" % digits for digits in asked}
    assert len(false_server.asked) == len(asked), "each once"


@pytest.mark.parametrize("kind", ["another build", "cut", "text"])
def test_what_is_not_the_debug_file_is_not_used(cpython, bare, false_server, tmp_path, kind):
    made, debug = bare
    if kind == "another build":
        other = native.build(tmp_path / "other", "-g", "-O1")
        native.tool("objcopy", "--only-keep-debug", other, tmp_path / "other.debug")
        false_server.content = (tmp_path / "other.debug").read_bytes()
    elif kind == "cut":
        content = (debug / "hot.debug").read_bytes()
        false_server.content = content[:len(content) // 2]
    else:
        false_server.content = b"<html>Please log in</html>\n"
    recorded = record_with(cpython, made, false_server, tmp_path)
    assert false_server.asked
    native.assert_places(recorded)


def test_a_server_that_is_not_there(cpython, bare, tmp_path):
    made, _ = bare
    env = environment(tmp_path, "http://127.0.0.1:%d" % free_port())
    capture = native.record(cpython, made.library, seconds=0.2, out="none.vmfox", env=env)
    native.assert_places(made._replace(capture=capture, profile=native.convert(capture)))


def test_a_server_that_never_answers(cpython, bare, tmp_path):
    """$DEBUGINFOD_TIMEOUT is the limit, in seconds, for all that is asked for.  A server that is
    over it is not asked for the next library."""
    made, _ = bare
    script, connections = shutil.copy(support.PROGRAMS / "spin.py", made.folder), []
    with socket.create_server(("127.0.0.1", 0)) as sock:
        def take():
            try:
                while True:
                    connections.append(sock.accept()[0])
            except OSError:
                pass

        thread = threading.Thread(target=take)
        thread.start()
        env = environment(tmp_path, "http://127.0.0.1:%d" % sock.getsockname()[1],
                          DEBUGINFOD_TIMEOUT="1", DEBUGINFOD_RETRY_LIMIT="0")
        done = support.vmfox("record", "-o", "mute.vmfox", cpython, script, "hot", "0.2",
                             cwd=made.folder, env=env)
        sock.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in connections:
        connection.close()
    assert done.code == 0
    warnings = [line for line in done.err.splitlines() if "debug info" in line]
    assert len(warnings) == 1 and "--no-debuginfod" in warnings[0]
    assert 1 <= len(connections) <= 2
    capture = made.folder / "mute.vmfox"
    native.assert_places(made._replace(capture=capture, profile=native.convert(capture)))
