"""The folder on disk of a box that has no file system of its own."""

from __future__ import annotations

import collections
import contextlib
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from . import limits

PREFIX = "course-box-"
FEW = 1_000  # files, which are removed at once
YOUNG = 60  # seconds; a folder that new may be about to be locked


class Folder:
    """A new folder with "work" and "tmp" in it, locked for as long as it is used.

    A worker that is killed leaves its folders behind, but no longer locked: the next
    worker removes them.
    """

    def __init__(self):
        sweep()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        for name in ("work", "tmp"):
            (self.path / name).mkdir(mode=0o700)
        self._lock = os.open(self.path, os.O_RDONLY)
        lock(self._lock)

    def remove(self) -> None:
        clear(self.path, self._lock)


def lock(descriptor: int) -> None:
    """Lock a folder; OSError if another process has."""
    import fcntl  # not on Windows

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@cache
def sweep() -> None:
    """Remove, once a process, what killed workers left."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another's, or in use
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            with contextlib.ExitStack() as unless_ours:
                unless_ours.callback(os.close, descriptor)
                if time.time() - os.fstat(descriptor).st_mtime > YOUNG:
                    lock(descriptor)
                    unless_ours.pop_all()
                    clear(path, descriptor)


def clear(folder: Path, locked: int) -> None:
    """Remove a folder and close its lock; of very many files, leave that to a child.

    The next submission does not wait for what this one has left.
    """
    steps = removing(folder)
    try:
        if next(itertools.islice(steps, FEW, None), "done") != "done":
            leave(steps, locked)
    finally:
        os.close(locked)


def leave(steps: Iterator[None], keep: int) -> None:
    """Go on with something in a process that is nobody's child and has no hurry."""
    pid = os.fork()
    if pid == 0:
        try:
            if os.fork() == 0:
                limits.close_descriptors([keep])
                os.nice(19)
                collections.deque(steps, maxlen=0)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def removing(folder: Path) -> Iterator[None]:
    """Remove a folder step by step, however deep and whatever modes are in it.

    Nested folders are moved up first: no path gets long, no recursion deep.
    """
    moved = itertools.count()
    while some := first_of(folder):
        for entry in some:
            yield
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            os.chmod(entry.path, 0o700)
            while nested := first_of(entry.path):
                for inner in nested:
                    yield
                    if inner.is_dir(follow_symlinks=False):
                        os.chmod(inner.path, 0o700)  # or it could not be moved
                        os.rename(inner.path, folder / f".moved-{next(moved)}")
                    else:
                        os.unlink(inner.path)
            os.rmdir(entry.path)
    os.rmdir(folder)


def first_of(folder: Path | str) -> list[os.DirEntry]:
    with os.scandir(folder) as found:
        return list(itertools.islice(found, FEW))
