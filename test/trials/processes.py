"""Finding, ending and collecting processes. Each run has a mark in its environment, which all that
it starts inherit."""
import ctypes
import os
import signal
import time

MARK = "VMFOX_TRIAL"
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """From here on a process whose parent ended is a child of this one, so that its exit code can
    be told."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def stat_of(pid):
    """(state, parent, start time) or None."""
    text = read("/proc/%d/stat" % pid)
    if not text:
        return None
    fields = text[text.rindex(b")") + 2:].split()
    return fields[0].decode(), int(fields[1]), int(fields[19])


def marked(mark):
    """Living processes with this mark, and what they started without it."""
    word = ("%s=%s" % (MARK, mark)).encode()
    found = {pid for pid in all_pids()
             if word in read("/proc/%d/environ" % pid).split(b"\0")}
    stats = {pid: stat_of(pid) for pid in all_pids()}
    grown = True
    while grown:
        more = {pid for pid, stat in stats.items() if stat and stat[1] in found} - found
        found |= more
        grown = bool(more)
    return sorted(pid for pid in found if (stats.get(pid) or stat_of(pid) or "Z")[0] not in "ZX")


def exe_of(pid):
    try:
        return os.path.realpath(os.readlink("/proc/%d/exe" % pid))
    except OSError:
        return None


def children_of(pid):
    found = []
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            found += map(int, read("/proc/%d/task/%s/children" % (pid, task)).split())
    except OSError:
        pass
    return found


def find_program(root, exe, patience, living):
    """The first process below `root` that runs the interpreter, or None if `living()` turns false
    before."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        level = [root]
        while level:
            for pid in level:
                if exe_of(pid) == exe:
                    return pid
            level = [child for pid in level for child in children_of(pid)]
        if not living():
            return None
        time.sleep(0.001)
    return None


def send(pid, number):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def code_of(status):
    """As a shell tells it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def collect(pid, patience):
    """Waits for an adopted process: its exit code, or None if it goes on for too long."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:  # its parent, which still lives, has it
            if stat_of(pid) is None:
                return None
        else:
            if found:
                return code_of(status)
        time.sleep(0.005)
    return None


def name_of(pid):
    return read("/proc/%d/cmdline" % pid).replace(b"\0", b" ").decode(errors="replace").strip()


def sweep(mark):
    """Ends all that have the mark; what they were."""
    names = {}
    for _ in range(200):
        found = marked(mark)
        for pid in found:
            names[pid] = name_of(pid)
            send(pid, signal.SIGKILL)
            send(pid, signal.SIGCONT)
        collect_all()
        if not found:
            break
        time.sleep(0.01)
    return list(names.values())


def collect_all():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
