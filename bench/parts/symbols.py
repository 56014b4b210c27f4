"""What names and machine code of native functions cost."""
import json
import os
import zipfile

from . import figures
from .common import TEXT, WORDCOUNT, remove, say
from .cost import measure
from .serving import View

HEADING = "Native functions"


def longest_functions(profile, count):
    """Size, address and library of the longest native functions in a profile."""
    libs, table = profile["libs"], profile["shared"]["nativeSymbols"]
    rows = [(table["functionSize"][i], table["address"][i], libs[table["libIndex"][i]])
            for i in range(table["length"])
            if table["functionSize"][i] and libs[table["libIndex"][i]]["name"] != "PyPy JIT"]
    rows.sort(key=lambda row: (-row[0], row[1]))
    return rows[:count]


def measure_listings(options, capture, count=5):
    """The machine code of the longest functions in a recording, as the browser asks for it."""
    out = os.path.join(options.work, "symbols.json")
    measure([options.vmfox, "convert", "-q", "-o", out, capture])
    with open(out) as file:
        rows = longest_functions(json.load(file), count)
    os.unlink(out)
    listings = []
    with View(options.vmfox, capture) as view:
        for size, address, lib in rows:
            question = {"name": lib["name"], "codeId": lib["codeId"],
                        "debugName": lib["debugName"], "debugId": lib["breakpadId"],
                        "startAddress": hex(address), "size": hex(size)}
            answer, first = view.ask("/asm/v1", question)
            times = [view.ask("/asm/v1", question)[1] for _ in range(3)]
            listings.append({"lib": lib["name"], "size": size, "first": first,
                             "time": figures.median(times), "rows": len(answer["instructions"])})
    return listings


def measure_part(options):
    say("names and machine code of native functions")
    work = {name: os.path.join(options.work, name) for name in
            ("plain.vmfox", "share.vmfox", "again.vmfox", "in.json", "again.json")}
    record = [options.vmfox, "record", "-q"]
    program = ["--", options.pypy, WORDCOUNT, TEXT]
    measure([*record, "-o", work["plain.vmfox"], *program])
    measure([*record, "--share", "-o", work["share.vmfox"], *program])
    sizes = {name: os.path.getsize(work[name]) for name in ("plain.vmfox", "share.vmfox")}
    with zipfile.ZipFile(work["share.vmfox"]) as zipped:
        code = zipped.getinfo("code.bin").file_size
        symbols = json.loads(zipped.read("symbols.json"))
    measure([options.vmfox, "convert", "-q", "-o", work["in.json"], work["plain.vmfox"]])
    symbolicate = [options.vmfox, "symbolicate", "-q", "-o"]
    jobs = {"a recording": [*symbolicate, work["again.vmfox"], work["plain.vmfox"]],
            "a finished profile": [*symbolicate, work["again.json"], work["in.json"]]}
    again = {name: [measure(argv) for _ in range(options.rounds)] for name, argv in jobs.items()}
    listings = measure_listings(options, work["plain.vmfox"])
    remove(*work.values())
    return {"sizes": sizes, "code": code, "again": again, "listings": listings,
            "functions": sum(len(lib["functions"]) for lib in symbols["libraries"]),
            "libraries": len(symbols["libraries"])}


def report(out, found):
    figures.section(out, HEADING, found["about"])
    sizes = found["sizes"]
    out += ["The word count under PyPy. Its recording has %.0f kB, with `--share` %.0f kB: machine "
            "code of %.0f kB. There are %d functions in it, of %d libraries. Median, least and most "
            "of %d runs." % (sizes["plain.vmfox"] / 1000, sizes["share.vmfox"] / 1000,
                             found["code"] / 1000, found["functions"], found["libraries"],
                             len(found["again"]["a recording"])), ""]
    rows = []
    for name, runs in found["again"].items():
        walls = figures.column(runs, "wall")
        rows.append([name, figures.seconds(figures.median(walls)), figures.spread(walls),
                     figures.seconds(figures.median(figures.column(runs, "cpu")))])
    figures.table(out, ["`vmfox symbolicate`", "time", "least to most", "CPU"], rows)
    figures.table(out, ["listing of a function of", "bytes", "rows", "first time", "then"],
                  [["`%s`" % row["lib"], figures.count(row["size"]), figures.count(row["rows"]),
                    figures.seconds(row["first"]), figures.seconds(row["time"])]
                   for row in found["listings"]])
