#!/usr/bin/env python3
"""summary.py FILE: prints what `vmfox convert` makes of a recording, in short."""
import json
import sys

import support


def summary(profile):
    threads = []
    for thread in profile.threads:
        samples = profile.samples_of(thread)
        categories = {}
        for sample in samples:
            category = sample.stack[-1].category
            categories[category] = categories.get(category, 0) + 1
        threads.append({
            "name": thread["name"], "tid": thread["tid"], "main": thread["isMainThread"],
            "samples": len(samples), "weight": round(sum(s.weight for s in samples), 3),
            "first ms": round(samples[0].time, 3), "last ms": round(samples[-1].time, 3),
            "roots": sorted({s.stack[0].name for s in samples}),
            "deepest": max(len(s.stack) for s in samples),
            "categories": categories,
            "self": dict(sorted(support.self_counts(samples).items(),
                                key=lambda item: (-item[1], item[0]))[:6]),
            "whole": {name: sum(any(f.name == name for f in s.stack) for s in samples)
                      for name in ("main", "squares", "text", "helper")},
        })
    counters = []
    for counter in profile.counters:
        levels = [level for _, level in profile.levels(counter)]
        counters.append({"name": counter["name"], "rows": len(levels), "first": levels[0],
                         "most": max(levels), "last": levels[-1]})
    runtime = None
    if profile.runtime:
        names = [marker.name for marker in profile.markers()]
        runtime = {"phases": profile.runtime["samples"]["length"],
                   "ms": round(sum(profile.runtime["samples"]["weight"]), 2),
                   "markers": {name: names.count(name) for name in sorted(set(names))}}
    return {
        "product": profile.meta["product"],
        "arguments": profile.meta["arguments"],
        "end ms": round(profile.meta["profilingEndTime"], 3),
        "sources": sorted(name for name, text in profile.sources().items() if text is not None),
        "lines": sorted({f.line for f in profile.frames if f.name == "squares" and f.line}),
        "libraries": sorted(lib["name"] for lib in profile.data["libs"]),
        "threads": threads,
        "runtime": runtime,
        "counters": counters,
    }


if __name__ == "__main__":
    json.dump(summary(support.convert(sys.argv[1], ".")), sys.stdout, indent=1,
              ensure_ascii=False)
    print()
