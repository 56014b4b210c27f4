"""A running `vmfox view`, and requests to it byte by byte."""
import json
import re
import socket
import subprocess
import urllib.parse

import support

ORIGIN = "https://profiler.firefox.com"


class View:
    """`vmfox view --no-open OPTIONS... FILE`; port, token, name as they stand in the URL it
    prints."""

    def __init__(self, file, folder, *options):
        (folder / "tmp").mkdir(exist_ok=True)
        self.child = subprocess.Popen([support.VMFOX, "view", "--no-open", *options, file],
                                      cwd=folder, env=support.environment(folder / "tmp"),
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.url = self.child.stdout.readline().decode().strip()
        place = urllib.parse.unquote(re.search("/from-url/([^/]+)/", self.url).group(1))
        found = re.fullmatch(r"http://127\.0\.0\.1:([0-9]+)/([0-9a-f]{32})/([^/]+)", place)
        self.port, self.token, self.name = int(found[1]), found[2], found[3]
        self.path = "/%s/%s" % (self.token, self.name)
        self.api = "/%s/source/v1" % self.token

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        code = self.stop()
        assert kind or code == 0

    def stop(self):
        """Ctrl-C; its exit code."""
        self.child.terminate()
        self.child.stdout.close()
        return self.child.wait(support.PATIENCE)

    def memory(self):
        """The most it ever had, in bytes."""
        with open("/proc/%d/status" % self.child.pid, encoding="ascii") as status:
            return 1024 * int(re.search(r"VmHWM:\s+([0-9]+) kB", status.read()).group(1))

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=support.PATIENCE)

    def talk(self, data, more=b""):
        """Sends `data` and, once an answer has come, `more`: all that comes back.  That the server
        closes before all of it is sent is no error."""
        with self.connect() as sock:
            answer = b""
            try:
                sock.sendall(data)
                if more:
                    answer = sock.recv(65536)
                    sock.sendall(more)
            except OSError:
                pass
            try:
                while True:
                    piece = sock.recv(65536)
                    if not piece:
                        return answer
                    answer += piece
            except ConnectionError:
                return answer

    def ask(self, method, path, body=None, host=None, headers=()):
        return self.talk(request(method, path, body, host or "127.0.0.1:%d" % self.port, headers))

    def source(self, file):
        """The answer to the question for a source."""
        body = json.dumps({"file": file}).encode()
        answer = self.ask("POST", self.api, body)
        assert status(answer) == 200
        return json.loads(answer.partition(b"\r\n\r\n")[2])


def request(method, path, body=None, host="localhost", headers=()):
    lines = ["%s %s HTTP/1.1" % (method, path)] + (["Host: " + host] if host else [])
    lines += ["Content-Length: %d" % len(body)] if body is not None else []
    head = "\r\n".join(lines + list(headers)) + "\r\n\r\n"
    return head.encode("latin-1") + (body or b"")


def status(answer):
    found = re.match(rb"HTTP/1\.[01] ([0-9]{3}) ", answer)
    return int(found[1]) if found else None


FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
