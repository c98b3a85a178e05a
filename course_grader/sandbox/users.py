"""Whose processes a box's are: root's boxes are each a user that nobody else is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from . import kernel

# Source: systemd's UIDS-GIDS, from 1879048192 on "Unused"
TOP = 1879048192 + 2**22
FEWEST = 2**15  # ids; with fewer, two boxes could too easily be the same user
READ_ALL, SET_GROUP, SET_USER = 2, 6, 7  # CAP_DAC_READ_SEARCH, CAP_SETGID, CAP_SETUID


@cache
def strangers() -> tuple[int, int] | None:
    """Return the highest id and the number of ids that boxes may have, if any."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(OSError):
        rows = Path("/proc/self/status").read_text().splitlines()
        able = int(dict(row.split(":", 1) for row in rows)["CapEff"], 16)
        first, count = widest("uid")
        both = able >> SET_USER & able >> SET_GROUP & 1
        if both and count >= FEWEST and (first, count) == widest("gid"):
            return min(first + count - 1, TOP), count // 2
    return None


def widest(kind: str) -> tuple[int, int]:
    """Return start and length of the longest range of ids that exist here."""
    rows = Path(f"/proc/self/{kind}_map").read_text().splitlines()
    ranges = [tuple(map(int, row.split())) for row in rows]
    return max(((first, count) for first, _, count in ranges), key=lambda r: r[1])


def stranger(pid: int) -> int | None:
    """Return the id of user and group for one box; None if it stays who we are."""
    if strangers() is None:
        return None
    highest, count = strangers()
    return highest - pid % count


def closed(paths: Iterable[str]) -> list[str]:
    """Return the files and folders that no stranger may read, where boxes are such."""
    if strangers() is None:
        return []
    needed = {path: 0o5 if os.path.isdir(path) else 0o4 for path in paths}
    return [path for path, bits in needed.items() if bits & ~os.stat(path).st_mode]


def become_stranger(folder: Path) -> None:
    """Become the box's user, owner of its folder, and give up all capabilities.

    Reading what root may read is kept where it can be: Landlock says which files.
    """
    user = stranger(os.getpid())
    if user is None:
        kernel.drop_capabilities()
        return
    for path in (folder, *folder.iterdir()):
        os.chown(path, user, user)
    kernel.prctl(kernel.PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    try:
        kernel.drop_capabilities(kept=1 << READ_ALL)
    except PermissionError:
        kernel.drop_capabilities()
