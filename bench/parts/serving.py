"""`vmfox view`, started and asked."""
import json
import re
import subprocess
import time
import urllib.parse
import urllib.request

from .common import die


class View:
    """A `vmfox view` of a file, until it is closed. `started` is how many seconds it took from its
    start to the URL on its standard output."""

    def __init__(self, vmfox, path):
        argv = [vmfox, "view", "-q", "--no-open", path]
        begun = time.monotonic()
        self.child = subprocess.Popen(argv, stdout=subprocess.PIPE)
        self.url = self.child.stdout.readline().decode().strip()
        self.started = time.monotonic() - begun
        if not self.url:
            die("%s printed no URL" % " ".join(argv))
        self.server = urllib.parse.unquote(re.search("symbolServer=([^&]*)", self.url)[1])
        self.profile = urllib.parse.unquote(re.search("/from-url/([^/]*)", self.url)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        self.child.stdout.close()
        self.child.wait()

    def fetch(self):
        """How many bytes the profile has as the page gets it, and the seconds until it has."""
        start = time.monotonic()
        with urllib.request.urlopen(self.profile) as answer:
            size = len(answer.read())
        return size, time.monotonic() - start

    def ask(self, path, question):
        """The server's answer, and how many seconds it took."""
        request = urllib.request.Request(self.server + path, json.dumps(question).encode())
        start = time.monotonic()
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text), time.monotonic() - start
