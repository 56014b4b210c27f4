"""The server under attack: what is refused, with nothing told, and what it survives.

The attackers are other programs of this machine and web pages of others; docs/security.md has the
promises.  How long something takes is never asserted."""
import json
import os
import re
import resource

import pytest

import builder
import support
import viewing
from viewing import FORBIDDEN, NOT_FOUND, ORIGIN, request, status

SOURCE = "/made/up.py"
TEXT = "# the source\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the server runs: with a secret beside the profile."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "secret.py").write_text("the secret")
    builder.write_zip(folder / "x.zip", {"dict.json": {"prof": "a", SOURCE: "s"},
                                         "a": builder.small_prof(), "s": TEXT})
    return folder


@pytest.fixture(scope="module")
def server(folder):
    with viewing.View("x.zip", folder) as view:
        yield view


@pytest.fixture(autouse=True)
def still_serving(server):
    """Whatever was tried, the next one gets what is his."""
    yield
    assert server.source(SOURCE)["source"] == TEXT
    profile = server.ask("GET", server.path)
    assert status(profile) == 200
    support.check_structure(support.profile_of(body_of(profile)))


def body_of(answer):
    return answer.partition(b"\r\n\r\n")[2]


def headers_of(answer):
    lines = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return [tuple(line.split(": ", 1)) for line in lines]


# ---- who asks -----------------------------------------------------------------------------------


def test_other_hosts(server):
    lines = ["evil.example", "evil.example:%d" % server.port, "127.0.0.1.evil.example",
             "localhost:%d" % (server.port + 1), "localhost.", "127.0.0.1, evil.example",
             "evil.example@127.0.0.1", "127.0.0.1:%d:%d" % (server.port, server.port),
             "0.0.0.0", "127.1", "2130706433", "[::]", "[::ffff:127.0.0.1]", " ", "\x80"]
    for host in lines:
        for path in (server.path, server.api, "/"):
            assert server.ask("GET", path, host=host) == FORBIDDEN, (host, path)


def test_no_host_and_two(server):
    right = "127.0.0.1:%d" % server.port
    for version in ("1.0", "1.1"):
        line = "GET %s HTTP/%s\r\n" % (server.path, version)
        for hosts in ([], [right, right], [right, "evil.example"], ["evil.example", right]):
            head = line + "".join("Host: %s\r\n" % host for host in hosts)
            assert server.talk(head.encode() + b"\r\n") == FORBIDDEN, (version, hosts)


def test_other_origins(server):
    others = ["null", "http://evil.example", "https://profiler.firefox.com.evil.example",
              "https://evil.example#" + ORIGIN, "http://profiler.firefox.com", ORIGIN + ":443",
              ORIGIN + "/", ORIGIN.upper(), "http://127.0.0.1:%d" % server.port, "", "*"]
    for origin in others:
        for method, path in (("GET", server.path), ("POST", server.api), ("OPTIONS", server.api),
                             ("OPTIONS", server.path), ("GET", "/"), ("PUT", server.path)):
            answer = server.ask(method, path, headers=["Origin: " + origin])
            assert answer == FORBIDDEN, (origin, method, path)
    two = ["Origin: " + ORIGIN, "Origin: " + ORIGIN]
    assert server.ask("GET", server.path, headers=two) == FORBIDDEN


def test_a_page_whose_name_comes_to_point_here(server):
    """DNS rebinding: its own name first, then on the same connection the right one."""
    first = request("GET", server.path, host="evil.example:%d" % server.port)
    evil = ["Origin: http://evil.example:%d" % server.port]
    second = request("GET", server.path, host="127.0.0.1:%d" % server.port, headers=evil)
    assert server.talk(first, more=second) == FORBIDDEN
    assert server.talk(first + second) == FORBIDDEN
    assert server.talk(second, more=first) == FORBIDDEN
    assert server.talk(second) == FORBIDDEN
    good = request("GET", server.path)
    assert server.talk(second, more=good) == FORBIDDEN


def test_it_listens_on_one_address(server):
    sockets = set()
    fds = "/proc/%d/fd/" % server.child.pid
    for fd in os.listdir(fds):
        sockets.update(re.findall(r"socket:\[([0-9]+)\]", os.readlink(fds + fd)))
    listening = []
    for table in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        if not os.path.exists("/proc/net/" + table):
            continue
        with open("/proc/net/" + table, encoding="ascii") as rows:
            rows = [row.split() for row in list(rows)[1:]]
        listening += [(table, row[1]) for row in rows
                      if row[9] in sockets and (row[3] == "0A" or not table.startswith("tcp"))]
    assert listening == [("tcp", "0100007F:%04X" % server.port)]


# ---- what is asked for --------------------------------------------------------------------------


def test_a_wrong_token_gets_one_answer(server):
    token, name = server.token, server.name
    wrong = ["", "x", token[:1], token[:16], token[:-1], token + "0", "0" * 32, token[::-1] + "x",
             token.upper(), token.title(), "%%%02x%s" % (ord(token[0]), token[1:]), token * 2,
             " ".join(token).replace(" ", "+"), "../" + token, "./" + token, "x/../" + token,
             "/" + token, "\\" + token, "*", "x" * 2000]
    for at, digit in enumerate(token):
        wrong.append(token[:at] + ("1" if digit == "0" else "0") + token[at + 1:])
    methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"]
    tails = ["", "/", "/" + name, "/source/v1", "/asm/v1", "/etc/passwd", "?x=1"]
    answers = set()
    for text in wrong:
        for tail in tails:
            answers.add(server.ask("GET", "/" + text + tail))
    for method in methods:
        for tail in tails:
            for more in ([], ["Origin: " + ORIGIN], ["Connection: keep-alive"],
                         ["Expect: 100-continue"], ["Upgrade: websocket", "Connection: upgrade"]):
                answers.add(server.ask(method, "/" + wrong[-1] + tail, headers=more))
            answers.add(server.ask(method, "/" + wrong[3] + tail, b'{"file": "/made/up.py"}'))
    assert answers == {NOT_FOUND}


def test_paths_behind_the_token(server):
    token, name = server.token, server.name
    tails = ["", "/", "/.", "/..", "/../" + name, "/x/../" + name, "/./" + name, "//" + name,
             "/" + name + "/", "/" + name + "/.", "/%2e%2e/" + name, "/%2E/" + name,
             "/%252e%252e/" + name, "/..%2f" + name, "/..%252f" + name, "/..\\" + name,
             "\\" + name, "/%5c" + name, "/" + name + "%00", "/" + name + "%00.html",
             "/" + name + "%20", "/" + name.replace("p", "%70", 1), "/" + name.upper(),
             "/" + name[:-3], "/etc/passwd", "//etc/passwd", "/../../../../etc/passwd",
             "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/%2fetc%2fpasswd", "/file:///etc/passwd",
             "/secret.py", "/x.zip", "/source/v1/", "/source/v1/../v1", "/source%2fv1",
             "/SOURCE/v1", "/source/v1/secret.py", "/source/v1;x", "/" + name + ";x"]
    for tail in tails:
        for method in ("GET", "HEAD", "POST", "OPTIONS"):
            assert server.ask(method, "/" + token + tail) == NOT_FOUND, (method, tail)
    for path in ("http://127.0.0.1:%d%s" % (server.port, server.path), "*", token, name):
        assert server.ask("GET", path) == NOT_FOUND, path
    for raw in ("\0", "\x7f", "\xe9", "\t", "\r"):
        assert server.ask("GET", server.path + raw) == FORBIDDEN


def test_other_methods(server):
    for method in ("TRACE", "PUT", "DELETE", "PATCH", "CONNECT", "PROPFIND", "get", "X", "PRI"):
        for path in (server.path, server.api):
            answer = server.ask(method, path, b"X-Echo: 1", headers=["X-Echo: 1"])
            assert status(answer) == 405 and body_of(answer) == b"", (method, path)
            assert b"X-Echo" not in answer and server.token.encode() not in answer
    assert server.ask("CONNECT", "127.0.0.1:%d" % server.port) == NOT_FOUND
    for method in ("X" * 17, "X" * 70000, "G\0T", "", "(GET)"):
        assert server.ask(method, server.path) == FORBIDDEN, method


def test_what_is_no_plain_request(server):
    get, host = "GET %s HTTP/1.1\r\n" % server.path, "Host: localhost\r\n"
    post = "POST %s HTTP/1.1\r\n%s" % (server.api, host)
    for text in [
            "GET %s\r\n" % server.path, "GET %s\r\n\r\n" % server.path,  # HTTP/0.9
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\0\0\0\4\0\0\0\0\0",
            "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "r" * 32,  # TLS
            "\x80\x2e\x01\x00\x02", "\x05\x01\x00", "SSH-2.0-x\r\n", "HELO x\r\n", "\r\n",
            "\0" * 99,
            get.replace("1.1", "9.9") + host + "\r\n", get.replace("1.1", "1.2") + host + "\r\n",
            get.replace("\r", "") + "Host: localhost\n\n", get + host + " folded\r\n\r\n",
            get + "Host : localhost\r\n\r\n", get + host + "no colon\r\n\r\n",
            get + host + "X: a\0b\r\n\r\n", get + host + "X: a\rb\r\n\r\n", get + "\r\n" + host,
            "GET %s%s HTTP/1.1\r\n%s\r\n" % (server.path, "x" * (1 << 20), host),
            "GET /%s HTTP/1.1\r\n%s\r\n" % ("x" * (1 << 20), host),
            get + host + "X: y\r\n" * 200 + "\r\n", get + host + "X: y\r\n" * 100000 + "\r\n",
            get + host + "X: %s\r\n\r\n" % ("y" * 100000), get + host + "y" * 100000,
            post + "Content-Length: -1\r\n\r\n", post + "Content-Length: 2 2\r\n\r\n{}",
            post + "Content-Length: 99999999999999999999\r\n\r\n",
            post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            post + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            post + "Transfer-Encoding: x\r\nContent-Length: 2\r\n\r\n{}"]:
        for data in (text, text.replace(server.token, "0" * 32)):
            assert server.talk(data.encode("latin-1")) == FORBIDDEN, text[:80]


def test_many_fields_of_a_plain_request(server):
    """libmicrohttpd has its own page for what it has no memory for; it must never run out."""
    query = "?" + "a&" * 1990
    for headers in (["Cookie: " + "a;" * 5500], ["Cookie: " + "a=;" * 3600], ["a:"] * 98,
                    ["Cookie: =\";,"], ["Authorization: Digest =,"], ["Connection: a, b, c"]):
        assert status(server.ask("GET", server.path + query, headers=headers)) == 200
        assert server.ask("GET", "/" + query, headers=headers) == NOT_FOUND


def test_garbage_behind_a_good_request(server):
    get = request("GET", server.path)
    for garbage in (b"junk\r\n\r\n" * 1000, b"\0" * 100000, get * 50, b"GET /x HTTP/9.9\r\n\r\n",
                    request("GET", server.path, host="evil.example")):
        answer = server.talk(get + garbage)
        assert answer.count(b"HTTP/1.1 ") == 1 and status(answer) == 200
        support.profile_of(body_of(answer))


def test_what_a_good_answer_tells(server):
    for answer in (server.ask("GET", server.path, headers=["Accept-Encoding: gzip"]),
                   server.ask("POST", server.api, b"{}"),
                   server.ask("OPTIONS", server.api, headers=["Origin: " + ORIGIN])):
        names = [name.lower() for name, _ in headers_of(answer)]
        assert len(set(names)) == len(names), names
        assert not {"server", "date", "x-powered-by", "etag", "last-modified"} & set(names)
        assert dict(headers_of(answer))["Connection"] == "close"
        assert not re.search(b"microhttpd|vmfox", answer.partition(b"\r\n\r\n")[0], re.I)


# ---- sources ------------------------------------------------------------------------------------


def test_sources_that_are_not_in_the_profile(server, folder):
    names = ["/etc/passwd", "/etc/hostname", "secret.py", "./secret.py", str(folder / "secret.py"),
             "x.zip", "../" + folder.name + "/secret.py", "/made/../made/up.py", "/made//up.py",
             "/made/up.py/", "/made/up.py\0", "/made/up.py\0/etc/passwd", "made/up.py", "up.py",
             "/made/up", "/MADE/up.py", "\\made\\up.py", "file:///made/up.py", "%2fmade%2fup.py",
             "/proc/self/environ", "/proc/self/fd/0", "", ".", "/", "s", "a", "dict.json",
             "x" * 500000]
    for name in names:
        assert list(server.source(name)) == ["error"], name


@pytest.mark.parametrize("how", ["file", "link"])
def test_a_source_that_becomes_a_link_to_a_secret(tmp_path, python, how):
    """The answer is what the profile holds, whatever has become of the file."""
    text = ("import time\nend = time.process_time() + 0.2\n"
            "while time.process_time() < end: pass\n")
    (tmp_path / "real.py").write_text(text)
    (tmp_path / "secret").write_text("the secret")
    script = tmp_path / "script.py"
    if how == "file":
        script.write_text(text)
    else:
        script.symlink_to("real.py")
    assert support.record("--no-native", python, script, cwd=tmp_path).code == 0
    with viewing.View("x.vmfox", tmp_path) as view:
        for target in ("secret", "/etc/passwd", "nothing", "script.py", "secret"):
            script.unlink()
            script.symlink_to(target)
            assert view.source(str(script))["source"] == text
            assert list(view.source(str(tmp_path / "secret"))) == ["error"]
            assert list(view.source(str(tmp_path / "real.py"))) == ["error"]
    # Now it is such a link before the server starts.
    with viewing.View("x.vmfox", tmp_path) as view:
        assert view.source(str(script))["source"] == text


def test_a_profile_that_is_replaced_or_cut(tmp_path):
    """A finished profile is mapped: a new file in its place is not seen, a cut one does no harm."""
    (tmp_path / "x.prof").write_bytes(builder.small_prof())
    assert support.vmfox("convert", "-q", "x.prof", "-o", "x.json", cwd=tmp_path).code == 0
    whole = (tmp_path / "x.json").read_bytes()
    (tmp_path / "secret").write_text("the secret")
    with viewing.View("x.json", tmp_path) as view:
        (tmp_path / "x.json").rename(tmp_path / "kept")
        (tmp_path / "x.json").symlink_to("secret")
        assert body_of(view.ask("GET", view.path)) == whole
        os.truncate(tmp_path / "kept", 0)
        assert b"secret" not in view.ask("GET", view.path)
        assert view.ask("GET", "/") == NOT_FOUND


def test_every_promise_has_its_tests():
    """The tests that docs/security.md names are there."""
    text = (support.ROOT / "docs/security.md").read_text(encoding="utf-8")
    named = re.findall(r"`([a-z]+/[\w.]+)::([^`]+)`", text)
    assert len(named) > 40
    for file, test in named:
        content = (support.ROOT / "test" / file).read_text(encoding="utf-8")
        found = ["def %s(" % test, "void %s(void **state)" % test, "test('%s'" % test]
        assert any(line in content for line in found), (file, test)


# ---- recordings ---------------------------------------------------------------------------------


def test_nobody_else_sees_what_is_being_recorded(tmp_path, python):
    """All that has a name while the program runs lies in a folder of the user's own."""
    (tmp_path / "look.py").write_text(
        "import json, os, stat\n"
        "top = os.environ['TMPDIR']\n"
        "print(json.dumps([stat.S_IMODE(os.lstat(os.path.join(top, name)).st_mode)\n"
        "                  for name in os.listdir(top)]))\n")
    done = support.vmfox("record", "-q", "-o", "x.vmfox", python, "look.py", cwd=tmp_path,
                         umask=0)
    assert (done.code, json.loads(done.out)) == (0, [0o700])
    assert os.listdir(tmp_path / "tmp") == []


def test_the_environment_is_not_recorded(tmp_path, python):
    (tmp_path / "tmp").mkdir()
    env = support.environment(tmp_path / "tmp", API_KEY="the-secret-key")
    done = support.vmfox("record", "-q", "-o", "x.vmfox", python, "-c", "pass", cwd=tmp_path,
                         env=env)
    assert done.code == 0
    for name in support.members(tmp_path / "x.vmfox"):
        content = support.member(tmp_path / "x.vmfox", name)
        assert b"the-secret-key" not in content and b"API_KEY" not in content, name


# ---- too much -----------------------------------------------------------------------------------


def test_large_bodies(server):
    before, body = server.memory(), b'{"file": "' + b"x" * (10 << 20)
    for path in (server.api, server.path, "/", "/%s/source/v1" % ("0" * 32)):
        # The server does not wait for all of it, so the answer may be lost with the connection.
        assert status(server.ask("POST", path, body)) in (403, 404, 405, 413, None), path
        chunk = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
        head = request("POST", path, headers=["Transfer-Encoding: chunked"])
        assert server.talk(head + chunk) in (FORBIDDEN, b""), path
        # Nor for any of it.
        head = request("POST", path, headers=["Content-Length: %d" % (10 << 20)])
        assert status(server.talk(head)) == {server.api: 413, server.path: 405}.get(path, 404)
    assert server.memory() - before < 32 << 20


def test_bodies_of_deep_or_many_values(server):
    for body in (b"[" * 500000, b'{"file":' * 100000, b"[" * 2000 + b"]" * 2000,
                 b'{"file":' * 1000 + b'""' + b"}" * 1000, b"[" + b"{}," * 340000 + b"{}]",
                 b'{"file":"' + b"\\u0000" * 170000 + b'"}', b'{"file":1e' + b"9" * 100000 + b"}",
                 b'{"file":"\xff"}', b"", b"{", b"null"):
        answer = server.ask("POST", server.api, body)
        assert status(answer) == 200 and list(json.loads(body_of(answer))) == ["error"]
    assert server.memory() < 256 << 20


def test_a_thousand_connections_that_wait(server):
    """Half of them say nothing, half of them half a head; the next one gets his answer."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most[1] < 1200:
        pytest.skip("this system lets nobody open 1,200 files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most[0], 1200), most[1]))
    before, held = server.memory(), []
    try:
        for i in range(1000):
            held.append(server.connect())
            if i % 2:
                try:
                    held[-1].sendall(b"GET %s HTTP/1.1\r\nHost: lo" % server.path.encode())
                except ConnectionError:
                    pass  # it was the oldest
        assert status(server.ask("GET", server.path)) == 200
        assert len(os.listdir("/proc/%d/fd" % server.child.pid)) < 400
    finally:
        for sock in held:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
    assert server.memory() - before < 16 << 20


def test_clients_that_take_nothing(server):
    """More of them than places: they asked for what fits into the system's buffers."""
    held = []
    try:
        for _ in range(200):
            held.append(server.connect())
            held[-1].sendall(request("GET", "/"))
        assert status(server.ask("GET", server.path)) == 200
        assert {sock.recv(65536) for sock in held} == {NOT_FOUND}
    finally:
        for sock in held:
            sock.close()


def test_slow_writers_keep_nobody_out(server):
    """That they are dropped in the end is in test/unit/test_serve.c, with a shorter limit."""
    with server.connect() as slow:
        for byte in b"GET / HTTP/1.1\r\nHost":
            slow.sendall(bytes([byte]))
            assert server.ask("GET", "/") == NOT_FOUND
        slow.sendall(b": localhost\r\n\r\n")
        assert slow.recv(65536) == NOT_FOUND
