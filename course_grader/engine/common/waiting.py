"""How long a process stood in the queue for a CPU: no time of its own.

Source: Linux, Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat
"""

from __future__ import annotations

import os
from collections.abc import Callable


def opened(pid: int | str = "self") -> int | None:
    """Return a descriptor of what the kernel tells of a process's main thread."""
    try:
        return os.open(f"/proc/{pid}/schedstat", os.O_RDONLY)
    except OSError:  # another system
        return None


def read(descriptor: int | None) -> float:
    """Return the seconds that it has waited since it began; 0 where nobody knows."""
    try:
        return int(os.pread(descriptor, 100, 0).split()[1]) / 1e9
    except (OSError, TypeError, ValueError, IndexError):
        return 0.0


def since_now(descriptor: int | None = None) -> Callable[[], float]:
    """Return a function that tells how long a process, else this one, waits from now.

    Only what is asked for costs: one reading now, one for each question.
    """
    start = _here() if descriptor is None else read(descriptor)

    def waited() -> float:
        return (_here() if descriptor is None else read(descriptor)) - start

    return waited


def _here() -> float:
    descriptor = opened()
    try:
        return read(descriptor)
    finally:
        if descriptor is not None:
            os.close(descriptor)
