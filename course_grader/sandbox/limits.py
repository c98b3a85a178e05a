"""What holds at every level: limits, environment, descriptors, no new privileges."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import tempfile
from collections.abc import Collection
from pathlib import Path

from . import kernel

try:
    import resource
except ImportError:  # Windows, where no box is started
    resource = None

KEPT = {"COURSE_DATA", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TORCH_HOME", "TZ"}
KEPT |= {"NBGRADER_EXECUTION"}
KEPT_FAMILIES = ("PYTHON", "OMP_", "MKL_", "OPENBLAS_", "MPL")


def measure() -> tuple[int, int]:
    """Return this process's virtual size and its data in bytes; zeros if unknown."""
    try:
        pages = Path("/proc/self/statm").read_text().split()
    except OSError:
        return 0, 0
    size = resource.getpagesize()
    return int(pages[0]) * size, int(pages[5]) * size


def threads_of_user() -> int:
    """Count the threads of this process's user on the whole machine."""
    count = 0
    for path in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            rows = dict(row.split(":", 1) for row in path.read_text().splitlines())
            if int(rows["Uid"].split()[0]) == os.getuid():
                count += int(rows["Threads"])
    return count


def limit(policy, used: tuple[int, int], threads: int) -> None:
    """Set the kernel's limits for this process and all it will start.

    used: bytes that it has (see `measure`); threads: that its user has.
    """
    seconds = math.ceil(policy.cpu)
    size, data = used
    values = {
        "AS": size + policy.memory,
        "DATA": data + policy.memory,
        "CPU": (seconds, seconds + 1),  # a signal, a second later the end
        "NPROC": threads + policy.processes,
        "NOFILE": policy.files,
        "FSIZE": policy.file_size,
        "CORE": 0,
        "MEMLOCK": 0,
        "MSGQUEUE": 0,
    }
    for name, value in values.items():
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is not None:
            lower(number, *(value if isinstance(value, tuple) else (value, value)))


def lower(number: int, soft: int, hard: int) -> None:
    """Set a limit, but never above the one that holds already."""
    ceiling = resource.getrlimit(number)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(number, (soft, hard))


def forget_signals() -> None:
    """Drop the worker's handlers, wake-up descriptor and blocked signals."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def close_descriptors(keep: Collection[int]) -> None:
    """Close all but `keep`; 0, 1 and 2, unless kept, read and write nothing."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in {0, 1, 2} - set(keep):
        if number != null:
            os.dup2(null, number)
        os.set_inheritable(number, True)
    first = 3
    for number in sorted(number for number in keep if number >= 3):
        os.closerange(first, number)
        first = number + 1
    os.closerange(first, 1 << 20)


def scrub_environment(folder: str, temporary: str) -> None:
    """Keep what tools need of the environment, in the process's memory as well."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or name.startswith(KEPT_FAMILIES)
    }
    kept |= {"HOME": temporary, "TMPDIR": temporary, "USER": "student", "PWD": folder}
    os.environ.clear()
    wipe_first_environment()
    os.environ.update(kept)
    tempfile.tempdir = None  # the worker's choice is not ours


def wipe_first_environment() -> None:
    """Overwrite the block of memory that the kernel shows as /proc/self/environ."""
    import ctypes

    with contextlib.suppress(OSError):
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[47]), int(fields[48])  # env_start, env_end
        if end > start:
            ctypes.memset(start, 0, end - start)


def die_with_parent() -> None:
    """End with the worker; a change of user would undo this."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


def stand_back(nice: int) -> None:
    """Let others go first, as a process and as a session.

    Linux divides the CPU between sessions first (sched(7), "autogroup"): however many
    processes a box has, they share what is one session's, since none may begin its own.
    """
    if nice:
        os.nice(nice)
        with contextlib.suppress(OSError):  # another system, or too many at a time
            Path("/proc/self/autogroup").write_text(str(nice))


def be_first_to_go() -> None:
    """Let the kernel, short of memory, end this process before any other."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
