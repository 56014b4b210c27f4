"""What is converted: three real recordings, and larger ones made of them."""
import array
import json
import os
import re
import zipfile

from . import prof
from .common import BENCH, TEXT, WORDCOUNT, die, say
from .cost import apart, measure

# Ten seconds or so each, so that there are some thousand samples.
RECORDINGS = {
    "word count": [WORDCOUNT, *[TEXT] * 6],
    "deep stacks": [os.path.join(BENCH, "deep.py"), "60"],
    "compiles": [os.path.join(BENCH, "compiles.py"), "60", "6"],
}
CONVERTED = ("word count", "deep stacks")


def path_of(options, name, ending):
    return os.path.join(options.work, name.replace(" ", "-") + ending)


def recording(options, name):
    """The .vmfox of one of RECORDINGS; it is recorded once in each run of the bench."""
    path = path_of(options, name, ".vmfox")
    if name not in options.recorded:
        say("recording: " + name)
        measure([options.vmfox, "record", "-q", "-o", path, "--", options.pypy,
                 *RECORDINGS[name]])
        options.recorded.add(name)
    return path


def part_of(options, name, member, ending):
    """A member of such a recording, as a file."""
    capture, path = recording(options, name), path_of(options, name, ending)
    with zipfile.ZipFile(capture) as zipped:
        if member not in zipped.namelist():
            die("%s has no %s" % (capture, member))
        with open(path, "wb") as file:
            file.write(zipped.read(member))
    return path


def prof_of(options, name):
    return part_of(options, name, "profile.prof", ".prof")


def large_prof(options, name, size, times=None):
    """A plain .prof of about `size` bytes (0: each sample once), or with each sample so many times.
    Its path, and what it holds."""
    path = path_of(options, name, ".large.prof")
    return path, apart(prof.repeat, prof_of(options, name), path, size, times)


# ---- a large .vmfox ------------------------------------------------------------------------------


def later_info(text, more):
    """capture.json of a run that takes `more` nanoseconds longer."""
    info = json.loads(text)
    for key in ("end_realtime_ns", "end_monotonic_ns"):
        info[key] += more
    return json.dumps(info).encode()


def later_stamps(stamps, count):
    """The times of `count` samples, going on where those of the recording ended, and how much longer
    that is."""
    one = array.array("q", stamps)
    length = round((one[-1] - one[0]) * len(one) / max(1, len(one) - 1))
    out = array.array("q")
    for at in range(0, count, len(one)):
        later = at // len(one) * length
        out.extend([stamp + later for stamp in one[:count - at]])
    return out.tobytes(), out[-1] - one[-1]


STORED_FROM = 1 << 20  # src/record/save.c
PARTS = ("profile.prof", "profile.jitlog", "profile.pypylog", "capture.json")


def packing(size):
    return zipfile.ZIP_STORED if size >= STORED_FROM else zipfile.ZIP_DEFLATED


def write_bundle(capture, large, count, out, parts_only=False):
    """A recording with the `count` samples of `large` in place of its own; all else is as it was,
    and packed as the recorder packs it: large members stored, others deflated at the lightest level.
    `parts_only`: with nothing in it but the profile and the two logs, which are its parts."""
    with zipfile.ZipFile(capture) as old, \
            zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        stamps, more = later_stamps(old.read("stamps.i64"), count)
        for name in old.namelist():
            if parts_only and name not in PARTS:
                continue
            if name == "profile.prof":
                new.write(large, name, packing(os.path.getsize(large)))
                continue
            data = old.read(name)
            if name == "stamps.i64":
                data = stamps
            elif name == "interrupted.i64":  # two numbers for each sample
                data = data * (16 * count // max(len(data), 1) + 1)
                data = data[:16 * count]
            elif name == "capture.json":
                data = b'{"version": 1}' if parts_only else later_info(data, more)
            new.writestr(name, data, packing(len(data)))


def large_bundle(options, name, large, count, parts_only=False):
    """A .vmfox with the `count` samples of `large`, a .prof made of the same recording."""
    path = path_of(options, name, ".parts.vmfox" if parts_only else ".large.vmfox")
    apart(write_bundle, recording(options, name), large, count, path, parts_only)
    return path


# ---- a long log of PyPy's ------------------------------------------------------------------------

STAMPED = re.compile(rb"\[([0-9a-f]+)(\] .*)", re.DOTALL)
# Loops and bridges are numbered through, from 1.
NUMBERED = re.compile(rb"(allocating (?:Bridge # \d+ of )?Loop # |(?:# )?Loop )(\d+)(.*)", re.DOTALL)
TOTAL = re.compile(rb"(TOTAL:\s+)([0-9.]+)(.*)", re.DOTALL)


def cut_log(lines):
    """What PyPy writes when it begins, what comes again and again, its summary. A log with the
    whole in it twice would be two logs, of which vmfox shows the first."""
    begun = ended = 0
    for i, line in enumerate(lines):
        if b"gc-set-nursery-size}" in line:
            begun = i + 1
        if b"{jit-summary" in line:
            ended = i
    if not begun < ended:
        die("PyPy's log is not as expected: a beginning, sections, a summary")
    return lines[:begun], lines[begun:ended], lines[ended:]


def move_on(lines, ticks, loops):
    """The same lines, so many ticks and loops later."""
    out = []
    for line in lines:
        match = STAMPED.fullmatch(line)
        if match:
            line = b"[%x%s" % (int(match[1], 16) + ticks, match[2])
        else:
            match = NUMBERED.fullmatch(line)
            if match:
                line = b"%s%d%s" % (match[1], int(match[2]) + loops, match[3])
        out.append(line)
    return b"".join(out)


def stamps_of(lines):
    return [int(match[1], 16) for match in map(STAMPED.fullmatch, lines) if match]


def longer_total(line, times):
    """The line of the summary by which the log's seconds are known."""
    match = TOTAL.fullmatch(line)
    return b"%s%f%s" % (match[1], float(match[2]) * times, match[3]) if match else line


def write_log(source, out, size):
    """Writes the log of a run that goes on until it has `size` bytes: a real one's sections again
    and again, with stamps and numbers of loops that go on. Returns how often they are in it."""
    with open(source, "rb") as file:
        head, body, tail = cut_log(file.read().splitlines(keepends=True))
    stamps = stamps_of(body)
    length = max(stamps) - min(stamps) + 1
    loops = max([int(match[2]) for match in map(NUMBERED.fullmatch, body) if match], default=0)
    times = max(1, round((size - sum(map(len, head + tail))) / sum(map(len, body))))
    with open(out, "wb") as file:
        file.write(b"".join(head))
        for i in range(times):
            file.write(move_on(body, i * length, i * loops))
        file.write(move_on([longer_total(line, times) for line in tail], (times - 1) * length, 0))
    return times
