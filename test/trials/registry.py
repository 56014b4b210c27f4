"""The list of faults."""
import collections

# `name` is one word; `group` a heading of the table, `said` its row; `run(trial)` makes it once.
Fault = collections.namedtuple("Fault", "name group said run")

FAULTS = {}


def fault(name, group, said):
    """Puts a function into the list."""
    def add(function):
        if name in FAULTS:
            raise ValueError("two faults are called " + name)
        FAULTS[name] = Fault(name, group, said, function)
        return function
    return add
