# What vmfox runs in the interpreter once the profiled program has ended, in a process of its own:
# the bytecode of the functions that the JIT has traced.
#
# It reads the sources and compiles them; nothing of the program is imported or run.  Standard input
# is a list: a line `file<TAB>name<TAB>path` for each source (the name that the JIT's log has, and
# where its text lies), all escaped as below; `function<TAB>name` lines behind it are the functions
# wanted of it.  Standard output is what docs/formats/vmfox.md calls bytecode.txt.
import dis
import sys

TEXT_MAX = 60


def escape(text):
    for char, word in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(char, word)
    return text


def unescape(text):
    out, parts = [], iter(text)
    for char in parts:
        if char == "\\":
            char = {"t": "\t", "n": "\n", "r": "\r"}.get(next(parts, ""), "\\")
        out.append(char)
    return "".join(out)


def codes_of(code):
    waiting = [code]
    while waiting:
        code = waiting.pop()
        yield code
        waiting.extend(const for const in code.co_consts if hasattr(const, "co_code"))


def words(instruction):
    """The argument as people read it."""
    if instruction.arg is None:
        return ""
    if instruction.opcode in dis.hasjrel or instruction.opcode in dis.hasjabs:
        return "to %s" % instruction.argval
    text = instruction.argrepr
    if hasattr(instruction.argval, "co_code"):
        text = "code of %s" % instruction.argval.co_name
    if not text:
        text = str(instruction.arg)
    return text if len(text) <= TEXT_MAX else text[:TEXT_MAX - 3] + "..."


def tell(code, write):
    write("code\t%s\t%d\n" % (escape(code.co_name), code.co_firstlineno))
    line = code.co_firstlineno
    for instruction in dis.get_instructions(code):
        if instruction.starts_line:
            line = instruction.starts_line
        write("%d\t%d\t%s\t%s\n" % (instruction.offset, line, instruction.opname,
                                    escape(words(instruction))))


def tell_file(name, path, functions, write):
    try:
        with open(path, "rb") as file:
            code = compile(file.read(), name, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError, MemoryError, RecursionError):
        return
    write("file\t%s\n" % escape(name))
    for part in codes_of(code):
        if part.co_name in functions:
            tell(part, write)


def main():
    read = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")

    def write(text):
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))

    wanted = []
    for line in read.split("\n"):
        kind, _, rest = line.partition("\t")
        if kind == "file":
            name, _, path = rest.partition("\t")
            wanted.append((unescape(name), unescape(path), set()))
        elif kind == "function" and wanted:
            wanted[-1][2].add(unescape(rest))
    for name, path, functions in wanted:
        tell_file(name, path, functions, write)
    sys.stdout.flush()


main()
