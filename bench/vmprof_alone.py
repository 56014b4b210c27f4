"""Runs a script with PyPy's own _vmprof writing into a file: what recording costs without vmfox.

    vmprof_alone.py PROFILE PERIOD NATIVE SCRIPT [args]
"""
import sys

import _vmprof


def vmprof_alone():
    profile, period, native, script = sys.argv[1:5]
    sys.argv[:] = sys.argv[4:]
    with open(script, "rb") as file:
        code = compile(file.read(), script, "exec")
    with open(profile, "wb") as out:
        # descriptor, period, memory, lines, native, real time
        _vmprof.enable(out.fileno(), float(period), 0, 0, int(native), 0)
        try:
            # In the real __main__: PyPy is faster with a module's globals than with other dicts.
            exec(code, sys.modules["__main__"].__dict__)
        finally:
            _vmprof.disable()


vmprof_alone()
