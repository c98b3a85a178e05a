"""One limit on the memory of all processes of a box, where a cgroup is delegated.

systemd marks a cgroup that it leaves to a command, and nobody else touches that:

    systemd-run --user --scope --property=Delegate=yes course grade a04_alexnet

A cgroup gives its controllers to others only while it has no process itself, so that
the command's own move into one below it, beside the boxes'.
Source: Linux, Documentation/admin-guide/cgroup-v2.rst; systemd, CGROUP_DELEGATION.md
"""

from __future__ import annotations

import contextlib
import os
from functools import cache
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MARKS = "trusted.delegate", "user.delegate"  # attributes that systemd sets to "1"
OWN, BOX = "course-grader", "course-box-{}"


def trouble(root: Path = ROOT, own: str | None = None) -> str:
    """Return why boxes have no cgroup of their own here, or "" if they have."""
    folder = delegated(root, own)
    if folder is None:
        return "no cgroup (version 2) is delegated to this command"
    controllers = (folder / "cgroup.controllers").read_text().split()
    return "" if "memory" in controllers else "the cgroup has no memory controller"


def delegated(root: Path = ROOT, own: str | None = None) -> Path | None:
    """Return the cgroup that this process may divide, if there is one.

    own: the path of the process's own below the root; the kernel says which.
    """
    with contextlib.suppress(OSError, StopIteration):
        own = own_path() if own is None else own
        folder = root / own.strip("/")
        folder = folder.parent if folder.name == OWN else folder
        if is_delegated(folder) and os.access(folder / "cgroup.procs", os.W_OK):
            return folder
    return None


def own_path() -> str:
    """Return the path of this process's cgroup of version 2."""
    rows = Path("/proc/self/cgroup").read_text().splitlines()
    return next(row.partition("::")[2] for row in rows if row.startswith("0::"))


def is_delegated(folder: Path) -> bool:
    for mark in MARKS:
        with contextlib.suppress(OSError):
            if os.getxattr(folder, mark).strip() == b"1":
                return True
    return False


@cache
def parent() -> Path | None:
    """Return the cgroup whose children boxes become, made ready for them, once."""
    if trouble():
        return None
    folder = delegated()
    with contextlib.suppress(OSError):
        (folder / OWN).mkdir(exist_ok=True)
        for pid in (folder / "cgroup.procs").read_text().split():
            (folder / OWN / "cgroup.procs").write_text(pid)
        (folder / "cgroup.subtree_control").write_text("+memory")
        return folder
    return None


class Group:
    """The cgroup of one box."""

    def __init__(self, folder: Path, pid: int, most: int):
        """most: bytes that its processes, and what they write to memory, may have."""
        self.path = folder / BOX.format(pid)
        self.path.mkdir()
        for name, value in {
            "memory.max": str(most),
            "memory.swap.max": "0",
            "memory.oom.group": "1",  # all of the box, and nobody beside it
            "cgroup.procs": str(pid),
        }.items():
            (self.path / name).write_text(value)

    def overdrew(self) -> bool:
        """Did the kernel end the box since it wanted more than it may have?"""
        with contextlib.suppress(OSError, ValueError):
            rows = (self.path / "memory.events").read_text().splitlines()
            facts = dict(row.split() for row in rows)
            return int(facts.get("oom_kill", 0)) > 0
        return False

    def end(self) -> None:
        """End what still runs in it, and remove it."""
        with contextlib.suppress(OSError):
            (self.path / "cgroup.kill").write_text("1")
        with contextlib.suppress(OSError):  # not empty yet: the next run's to remove
            self.path.rmdir()


def group_of(pid: int, most: int) -> Group | None:
    """Put a box that has just begun into a cgroup of its own, if there can be one."""
    folder = parent()
    if folder is None:
        return None
    with contextlib.suppress(OSError):
        return Group(folder, pid, most)
    return None
