"""A program that keeps the JIT busy: much different Python code, none of it running for long.

    compiles.py [MODULES]

Tokenizes, parses, dumps, compares and wraps the first modules of the standard library: some 400
traces, a quarter of the time goes to making them."""
import ast
import difflib
import glob
import io
import json
import os
import sys
import textwrap
import tokenize


def work_on(source):
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    size = len(json.dumps([list(token[:2]) for token in tokens], indent=1))
    size += len(ast.dump(ast.parse(source)))
    lines = source.splitlines()[:80]
    other = [line.upper() if i % 7 == 0 else line for i, line in enumerate(lines)]
    size += sum(1 for _ in difflib.unified_diff(lines, other))
    return size + len(textwrap.fill(source[:20000]))


def main(modules):
    folder = os.path.dirname(os.__file__)
    size = 0
    for name in sorted(glob.glob(os.path.join(folder, "*.py")))[:modules]:
        with open(name, encoding="utf-8", errors="replace") as file:
            size += work_on(file.read())
    print(size)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
