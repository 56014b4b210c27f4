# Written by vmfox into a temporary folder; see vmfox_bootstrap.py beside it.
import os as _os
import sys as _sys
_folder = _os.path.dirname(__file__)
# Also where nothing is recorded: a subinterpreter gets the folder from the first one.
_sys.path[:] = [_item for _item in _sys.path if _item != _folder]
_sys.path_importer_cache.pop(_folder, None)
_path = _os.path.join(_folder, "vmfox_bootstrap.py")
_scope = {"__name__": "sitecustomize"}
with open(_path, "rb") as _file:
    exec(compile(_file.read(), "<sitecustomize>", "exec"), _scope)
_scope["as_sitecustomize"]()
