# In place of the interpreter's own start, with -E, -I or -S: run by the `-c` that vmfox puts in the
# script's place (record/child.c), in the scope of vmfox_bootstrap.py.


def vmfox_main(kind, target, arguments):
    """Runs the program as `python -m`, `-c` or `python FILE` does.  The functions here have names
    that begin with vmfox_main, by which the reader leaves their frames out."""
    main = sys.modules["__main__"].__dict__
    for name in [name for name in main if not name.startswith("__")]:
        del main[name]
    main.setdefault("__annotations__", {})
    settings = begin()
    isolated = settings is None or settings.get("safe_path") == "1"
    sys.argv[:] = ["-c" if kind == "c" else "-m" if kind == "m" else target] + arguments
    try:
        if kind == "m":
            import runpy

            set_path(None if isolated else os.getcwd())
            runpy._run_module_as_main(target)
        elif kind == "c":
            vmfox_main_exec(target, "<string>")
        elif target == "-":
            main.update(__file__="<stdin>", __cached__=None)
            vmfox_main_exec(sys.stdin.read(), "<stdin>")
        else:
            vmfox_main_file(target, isolated)
    except SystemExit:
        raise
    except BaseException:
        kind, value, trace = sys.exc_info()
        while trace is not None and trace.tb_frame.f_code.co_filename == "<sitecustomize>":
            trace = trace.tb_next
        try:
            sys.stdout.flush()
        except Exception:
            pass
        sys.excepthook(kind, value.with_traceback(trace), trace)
        sys.exit(130 if kind is KeyboardInterrupt else 1)


def vmfox_main_exec(source, name):
    exec(compile(source, name, "exec", dont_inherit=True), sys.modules["__main__"].__dict__)


def set_path(folder):
    """sys.path[0] as Python would set it; `-c` has put "" there unless the path is a safe one."""
    if folder is not None:
        if sys.path and sys.path[0] == "":
            del sys.path[0]
        sys.path.insert(0, folder)


def vmfox_main_file(path, isolated):
    import io

    if sys.version_info >= (3, 9):
        path = os.path.abspath(path)
    if os.path.isdir(path) or path.endswith((".zip", ".pyz")):
        import runpy

        set_path(path)
        return runpy._run_module_as_main("__main__", False)
    set_path(None if isolated else os.path.dirname(os.path.realpath(path)))
    with io.open_code(path) if hasattr(io, "open_code") else open(path, "rb") as file:
        source = file.read()
    import importlib.machinery

    main = sys.modules["__main__"]
    main.__file__ = path
    main.__cached__ = None
    main.__loader__ = importlib.machinery.SourceFileLoader("__main__", path)
    vmfox_main_exec(source, path)
