"""Whether a recording opens, and whether what is in it can be."""
import collections
import json
import os
import zipfile

# Profiles have threads that are no threads of the program.
NOT_SAMPLED = ("runtime", "pc")
TICK_MS = 4.0  # the kernel's, where the timer is bound to it

Progress = collections.namedtuple("Progress", "begun_ns begun_cpu_ns now_ns now_cpu_ns longest_ns")


def progress(folder):
    """What the program last told of itself (programs/work.py), or None."""
    try:
        words = (folder / "progress").read_bytes().split()
    except OSError:
        return None
    return Progress(*map(int, words)) if len(words) == 5 else None


class Opened:
    """The profile that vmfox convert made of a recording."""

    def __init__(self, capture, text):
        self.data = json.loads(text)
        with zipfile.ZipFile(capture) as bundle:
            self.info = json.loads(bundle.read("capture.json"))
            self.damaged = bundle.testzip()
        self.shared = self.data["shared"]
        self.threads = [thread for thread in self.data["threads"]
                        if thread["tid"] not in NOT_SAMPLED]
        self.strings = self.shared["stringArray"]

    def count(self):
        return sum(thread["samples"]["length"] for thread in self.threads)

    def last_ms(self):
        last = 0.0
        for thread in self.threads:
            last = max(last, sum(thread["samples"]["timeDeltas"]))
        return last

    def stacks_with(self, names):
        """Which stacks have one of these functions."""
        funcs, frames = self.shared["funcTable"], self.shared["frameTable"]
        wanted = {i for i, name in enumerate(funcs["name"])
                  if self.strings[name].split("(")[0] in names}
        table, found = self.shared["stackTable"], []
        for i, (frame, offset) in enumerate(zip(table["frame"], table["prefixOffset"])):
            found.append(frames["func"][frame] in wanted or bool(offset and found[i - offset]))
        return found

    def share_of(self, names):
        """The part of the samples that have one of these functions on their stack."""
        found, whole, part = self.stacks_with(names), 0, 0
        for thread in self.threads:
            for stack in thread["samples"]["stack"]:
                whole += 1
                part += stack is not None and found[stack]
        return part / whole if whole else 0.0

    def function_names(self):
        return [self.strings[name] for name in self.shared["funcTable"]["name"]]


def plausible(opened, told, real_time=False, whole=True,
              functions=("churn", "steps", "new_code", "one")):
    """What is wrong with a recording of a program of programs/work.py, as a list of texts. `whole`:
    it goes to the end of what was told, but for what a timer's period leaves; else up to a second
    less, and no more."""
    wrong = []
    if opened.damaged:
        wrong.append("the zip's member %s is damaged" % opened.damaged)
    if any("<vmfox>" in name or name.startswith("vmfox_thread") for name in opened.function_names()):
        wrong.append("functions of the recorder are in the profile")
    if told is None:
        return wrong
    count, cpu_ms = opened.count(), (told.now_cpu_ns - told.begun_cpu_ns) / 1e6
    wall_ms = (told.now_ns - told.begun_ns) / 1e6
    lost_ms = 200 if whole else 1000
    least = max(0, (wall_ms if real_time else cpu_ms) - lost_ms) / TICK_MS * 0.5
    if count < int(least):
        wrong.append("%d samples of %.0f ms of CPU time, %.0f ms of wall time" % (
            count, cpu_ms, wall_ms))
    if count >= 20 and opened.share_of(functions) < 0.5:
        wrong.append("only %.0f %% of %d samples are in the program's work" % (
            100 * opened.share_of(functions), count))
    end_ms = (told.now_ns - opened.info["start_monotonic_ns"]) / 1e6
    # A program that works in bursts far shorter than a tick, on CPUs that others keep busy, has no
    # samples for a while: then little CPU time is without them.
    idle = not real_time and cpu_ms - count * TICK_MS < lost_ms / 4
    if wall_ms > lost_ms and not idle and \
            end_ms - opened.last_ms() > (400 if whole else lost_ms):
        wrong.append("the last sample is %.0f ms before the program's last step" % (
            end_ms - opened.last_ms()))
    return wrong


def size_of(path):
    try:
        return os.path.getsize(path)
    except OSError:
        return None
