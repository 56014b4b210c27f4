# Written by vmfox into a temporary folder; see vmfox_bootstrap.py beside it.
import os as _os
import sys as _sys
_folder = _os.path.dirname(__file__)
# Also where nothing is recorded: a subinterpreter gets the folder from the first one.
_sys.path[:] = [_item for _item in _sys.path if _item != _folder]
_sys.path_importer_cache.pop(_folder, None)
# What is allocated here is not to be seen, and no single trace can be taken back: where memory is
# traced from the interpreter's start it is traced from here on.
_frames = 0
if "_tracemalloc" in _sys.builtin_module_names and (
        "tracemalloc" in _sys._xoptions or _os.environ.get("PYTHONTRACEMALLOC")):
    import _tracemalloc
    if _tracemalloc.is_tracing():
        _frames = _tracemalloc.get_traceback_limit()
        _tracemalloc.stop()
_path = _os.path.join(_folder, "vmfox_bootstrap.py")
_scope = {"__name__": "sitecustomize"}
try:
    with open(_path, "rb") as _file:
        exec(compile(_file.read(), "<sitecustomize>", "exec"), _scope)
    _scope["as_sitecustomize"]()
finally:
    if _frames and not _tracemalloc.is_tracing():
        _tracemalloc.start(_frames)
