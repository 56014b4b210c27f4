"""Runs a script with PyPy's own _vmprof writing into a file: what recording costs without vmfox.

    vmprof_alone.py PROFILE PERIOD NATIVE JITLOG SCRIPT [args]

JITLOG is a file for the JIT's log, which is then switched on as vmfox does it, or `-`. PyPy's text
log is asked for by PYPYLOG in the environment.
"""
import os
import sys

import _vmprof


def start_jitlog(path):
    if path == "-":
        return None
    import _jitlog

    # disable() closes it.
    _jitlog.enable(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
    return _jitlog


def vmprof_alone():
    profile, period, native, jitlog_path, script = sys.argv[1:6]
    sys.argv[:] = sys.argv[5:]
    with open(script, "rb") as file:
        code = compile(file.read(), script, "exec")
    with open(profile, "w+b") as out:  # CPython's wants to read it as well
        # descriptor, period, memory, lines, native, real time
        _vmprof.enable(out.fileno(), float(period), 0, 0, int(native), 0)
        jitlog = start_jitlog(jitlog_path)
        try:
            # In the real __main__: PyPy is faster with a module's globals than with other dicts.
            exec(code, sys.modules["__main__"].__dict__)
        finally:
            _vmprof.disable()
            if jitlog is not None:
                jitlog.disable()


vmprof_alone()
