"""VMProf files of PyPy: taken to pieces, and written again with more samples in another order."""
import os
import random
import struct

from .common import MB, die

SEED = 20240229
BLOCK_BYTES = 32 * MB


class Recording:
    """A VMProf file of PyPy (version 6, 64 bits): what stands before the samples, a list of the
    samples, the trailer. Names go in front of all samples."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        self.size = len(data)
        self.before = [data[:40]]
        self.samples = []
        self.start = None
        self.trailer = None
        at = 40
        while at < len(data) and self.trailer is None:
            end = record_end(data, at)
            self.add(data[at], data[at:end])
            at = end
        if self.trailer is None:
            die("%s has no trailer" % path)

    def add(self, kind, record):
        if kind == 3:
            self.trailer = record
        elif kind == 1:
            self.samples.append(record)
        else:
            self.before.append(record)
            if kind == 6:
                self.start = record

    def later_trailer(self, times):
        """The end of a run that takes so many times as long."""
        start = read_time(self.start)
        end = start + round(times * (read_time(self.trailer) - start))
        return b"\x03" + struct.pack("<qqq", end // 1000000, end % 1000000, 0)


def record_end(data, at):
    kind = data[at]
    if kind == 1:
        return at + 25 + 8 * struct.unpack_from("<Q", data, at + 9)[0]
    if kind in (2, 8):
        return at + 17 + struct.unpack_from("<Q", data, at + 9)[0]
    if kind in (3, 6):
        return at + 25
    if kind == 5:
        return at + 5 + data[at + 4]
    if kind == 7:
        for _ in range(2):
            at += 8 + struct.unpack_from("<Q", data, at + 1)[0]
        return at + 1
    return die("byte %d: marker %d is none of a PyPy profile" % (at, kind))


def read_time(record):
    """Microseconds since the epoch."""
    whole, micro = struct.unpack_from("<qq", record, 1)
    return whole * 1000000 + micro


def repeat(source, out, size, times=None):
    """Writes the samples of a recording so often that the file has about `size` bytes, each at
    least once, or so many times; in an order that is drawn anew over all of them. The end of the
    run moves on, so that the samples are as far apart as they were."""
    one = Recording(source)
    dice = random.Random(SEED)
    each = sum(map(len, one.samples)) / len(one.samples)
    rest = sum(map(len, one.before)) + len(one.trailer)
    count = times * len(one.samples) if times else \
        max(len(one.samples), round((size - rest) / each))
    whole, more = divmod(count, len(one.samples))
    order = one.samples * whole + dice.sample(one.samples, more)
    dice.shuffle(order)
    step = max(1, round(BLOCK_BYTES / each))
    with open(out, "wb") as file:
        file.write(b"".join(one.before))
        for at in range(0, count, step):
            file.write(b"".join(order[at:at + step]))
        file.write(one.later_trailer(count / len(one.samples)))
    return {"samples": count, "size": os.path.getsize(out)}


def describe(path):
    """What a recording is like: how many samples, how many different stacks, how deep."""
    one = Recording(path)
    depths = sorted((len(sample) - 25) // 16 for sample in one.samples)
    return {"size": one.size, "samples": len(one.samples), "stacks": len(set(one.samples)),
            "depths": [depths[len(depths) // 10], depths[len(depths) // 2],
                       depths[9 * len(depths) // 10]]}
