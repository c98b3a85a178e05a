"""The folder on disk of a box that has no file system of its own."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from functools import cache
from pathlib import Path

PREFIX = "course-box-"
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
        remove(self.path)
        os.close(self._lock)


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
            try:
                if time.time() - os.fstat(descriptor).st_mtime > YOUNG:
                    lock(descriptor)
                    remove(path)
            finally:
                os.close(descriptor)


def remove(folder: Path) -> None:
    """Remove a folder, however deep and whatever modes and links are in it.

    Nested folders are moved up first: no path gets long, no recursion deep.
    """
    moved = 0
    while True:
        nested = []
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False):
                nested.append(entry.path)
            else:
                os.unlink(entry.path)
        if not nested:
            break
        for path in nested:
            os.chmod(path, 0o700)
            for entry in list(os.scandir(path)):
                if entry.is_dir(follow_symlinks=False):
                    os.chmod(entry.path, 0o700)  # or it could not be moved
                    moved += 1
                    os.rename(entry.path, folder / f".moved-{moved}")
                else:
                    os.unlink(entry.path)
            os.rmdir(path)
    os.rmdir(folder)
