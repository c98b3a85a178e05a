"""A work folder kept alike on both sides: what changed here, and changes from there."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from pathlib import Path, PurePosixPath

from .wire import Malformed

FILES, BYTES, DEPTH = 2_000, 256 << 20, 8


class Folder:
    """The regular files under a folder, and how they looked when last compared."""

    def __init__(self, root: Path, ignored: frozenset[str] = frozenset()):
        self.root = Path(root)
        self.ignored = ignored  # names that the other side may not change here
        self.known: dict[str, tuple] = {}
        self.known = self._look()

    def changes(self) -> tuple[dict[str, bytes], list[str]]:
        """Return the files that are new or changed since the last call; those gone."""
        now = self._look()
        if now == self.known:
            return {}, []
        changed, total = {}, 0
        for name, facts in now.items():
            if facts != self.known.get(name) and total + facts[1] <= BYTES:
                data = self._read(name)
                if data is not None:
                    changed[name] = data
                    total += len(data)
        gone = [name for name in self.known if name not in now]
        self.known = now
        return changed, gone

    def apply(self, changed: dict[str, bytes], gone: list[str]) -> None:
        """Make here what changed there. Names that leave the folder raise Malformed."""
        for name in (*changed, *gone):
            if not _fits(name):
                raise Malformed(f"a file called {str(name)[:80]!r}")
        if len(changed) > FILES:
            raise Malformed(f"{len(changed):,} files, more than {FILES:,}")
        for name, data in changed.items():
            if name not in self.ignored:
                path = self.root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.unlink(missing_ok=True)
                path.write_bytes(data)
        for name in gone:
            if name not in self.ignored and (self.root / name).is_file():
                (self.root / name).unlink()
        if changed or gone:
            self.known = self._look()

    def _look(self) -> dict[str, tuple]:
        found: dict[str, tuple] = {}
        todo = [("", 0)]
        while todo:
            inside, depth = todo.pop()
            here = f"{self.root}/{inside}"
            with contextlib.suppress(OSError), os.scandir(here) as all_:
                for entry in itertools.islice(all_, FILES):
                    name = f"{inside}/{entry.name}" if inside else entry.name
                    facts = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(facts.st_mode) and depth < DEPTH:
                        if entry.name != "__pycache__" and len(todo) < FILES:
                            todo.append((name, depth + 1))
                    elif stat.S_ISREG(facts.st_mode) and self._may(name):
                        found[name] = facts.st_mtime_ns, facts.st_size, facts.st_ino
                    if len(found) == FILES:
                        return found
        return found

    def _may(self, name: str) -> bool:
        return name in self.known or _fits(name)

    def _read(self, name: str) -> bytes | None:
        try:
            how = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            file = os.open(f"{self.root}/{name}", how)
        except OSError:
            return None
        with open(file, "rb") as data:
            return data.read(BYTES)


def _fits(name) -> bool:
    """Is it a name, on any system, of something inside the folder?"""
    parts = PurePosixPath(name).parts if isinstance(name, str) else ()
    odd = not parts or len(parts) > DEPTH + 1 or {"..", "/", "."} & set(parts)
    if odd or "\0" in name or "\\" in name:
        return False
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
