"""What was measured, when and on what."""
import datetime
import json
import os
import platform
import subprocess

PYPY_VERSION = ("import sys; print('PyPy %d.%d.%d' % sys.pypy_version_info[:3], "
                "'(Python %d.%d)' % sys.version_info[:2])")


def cpu_name():
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown CPU"


def memory_bytes():
    with open("/proc/meminfo") as file:
        return int(file.readline().split()[1]) * 1024


def system_name():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (AttributeError, OSError, KeyError):
        return "Linux"


def said_by(argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def describe(options):
    return {"date": datetime.date.today().isoformat(),
            "vmfox": said_by([options.vmfox, "--version"]),
            "machine": "%s, %d cores, %.0f GB; %s, Linux %s; %s" % (
                cpu_name(), len(os.sched_getaffinity(0)), memory_bytes() / 2**30, system_name(),
                ".".join(platform.release().split(".")[:2]),
                said_by([options.pypy, "-c", PYPY_VERSION])),
            "load": "%.1f" % os.getloadavg()[0]}


def not_optimised(vmfox):
    """How the program was built, if that is not for release; None if it was, or isn't known."""
    path = os.path.join(os.path.dirname(vmfox), "meson-info", "intro-buildoptions.json")
    try:
        with open(path) as file:
            found = {option["name"]: option["value"] for option in json.load(file)}
    except (OSError, ValueError):
        return None
    if found.get("buildtype") == "release" and found.get("b_sanitize", "none") == "none":
        return None
    return "%s, sanitizers %s" % (found.get("buildtype"), found.get("b_sanitize"))
