"""A program that keeps the JIT busy: much different Python code, none of it running for long.

    compiles.py [MODULES [TIMES]]

Tokenizes, parses, dumps, compares and wraps the first modules of the standard library: some 400
traces, a quarter of the time goes to making them. It does so TIMES times, each time with code that
is loaded anew: to the JIT that is other code, so it is compiled anew."""
import glob
import importlib.util
import io
import os
import sys

TOOLS = ("tokenize", "json.encoder", "ast", "difflib", "textwrap")


def load(name):
    """The module once more, whether it has been imported or not."""
    spec = importlib.util.find_spec(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def work_on(source, tokenize, json, ast, difflib, textwrap):
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    size = len(json.JSONEncoder(indent=1).encode([list(token[:2]) for token in tokens]))
    size += len(ast.dump(ast.parse(source)))
    lines = source.splitlines()[:80]
    other = [line.upper() if i % 7 == 0 else line for i, line in enumerate(lines)]
    size += sum(1 for _ in difflib.unified_diff(lines, other))
    return size + len(textwrap.fill(source[:20000]))


def main(modules, times):
    folder = os.path.dirname(os.__file__)
    for _ in range(times):
        tools = [load(name) for name in TOOLS]
        size = 0
        for name in sorted(glob.glob(os.path.join(folder, "*.py")))[:modules]:
            with open(name, encoding="utf-8", errors="replace") as file:
                size += work_on(file.read(), *tools)
        print(size)


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    main(*words, *(60, 1)[len(words):])
