"""The faults, a file each kind. To import them puts them into registry.FAULTS; the table has the
same order."""
from . import (ends, gone, told, descriptors, limits, disk, many, watchers, signalled,  # noqa: F401
               refused)
