# Written by vmfox into a temporary folder; see vmfox_bootstrap.py beside it.
import os as _os
_path = _os.path.join(_os.path.dirname(__file__), "vmfox_bootstrap.py")
_scope = {"__name__": "vmfox_bootstrap"}
with open(_path, "rb") as _file:
    exec(compile(_file.read(), "<vmfox>", "exec"), _scope)
_scope["as_sitecustomize"]()
