"""A folder or a zip from a stranger, as files in memory; no link is followed.

`listing` says what there is without reading it; `contents` reads, within limits.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, tzinfo
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from course_lib.hand_in.ipynb import Refused
from course_lib.terminal import printable

LIMIT = 200 * 2**20  # bytes of all files of a submission, unpacked
FILES = 2_000
JUNK = {"__MACOSX", "__pycache__", "Thumbs.db", "desktop.ini"}
LONGEST = 240, 1_000  # bytes of a file's name, of its path
BROKEN = (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, ValueError)
BROKEN += (NotImplementedError, RuntimeError, OSError)


class Entry(NamedTuple):
    """A file that is there, not read yet."""

    name: str  # relative, with /
    size: int  # bytes
    time: float  # of its last change, s since 1970
    read: Callable[[], bytes]


class Listing(NamedTuple):
    entries: list[Entry]
    skipped: dict[str, str]  # name -> why, as "is a link"
    notes: list[str]  # what is odd about an entry


def listing(
    source: Path | bytes, most: int = FILES, zone: tzinfo | None = None
) -> Listing:
    """List a folder or a zip (a path, or its bytes), hidden files and the like aside.

    most: files; more are Refused, and so are a zip that is broken, has a password or
    names places outside itself.
    zone: of the clock in a zip; None is this machine's.
    """
    if isinstance(source, bytes):
        return _zip(io.BytesIO(source), source, most, zone)
    if source.is_symlink():
        raise Refused(f"{shown(source.name)} is a link: hand in the files themselves.")
    if source.is_dir():
        return _folder(source, most)
    if not source.is_file():
        raise Refused(f"{shown(source.name)} is neither a folder nor a zip.")
    if source.stat().st_size <= LIMIT:
        return listing(source.read_bytes(), most, zone)
    return _zip(source, b"", most, zone)


def contents(found: Listing) -> tuple[dict[str, bytes], dict[str, str]]:
    """Read all that is listed; return the files, and the skipped ones with the why."""
    total = sum(entry.size for entry in found.entries)
    if total > LIMIT:
        raise Refused(
            f"what was handed in has {total / 2**20:.0f} MB, more than {LIMIT >> 20}: "
            "leave out data sets and checkpoints."
        )
    files, skipped = {}, dict(found.skipped)
    for entry in found.entries:
        try:
            files[entry.name] = entry.read()
        except OSError:  # no right to, or gone, or a link since it was listed
            skipped[entry.name] = "cannot be read"
    return files, skipped


def shown(name: str) -> str:
    """Return a name as it may be printed: short, and on one line."""
    name = printable(name)
    return name if len(name) <= 60 else f"{name[:40]}…{name[-15:]}"


def is_junk(name: str) -> bool:
    """Is it hidden, or what an operating system or Python leaves behind?"""
    return any(one.startswith(".") or one in JUNK for one in name.split("/"))


def _folder(root: Path, most: int) -> Listing:
    found, waiting, seen = Listing([], {}, []), [(root, "")], 0
    while waiting:
        folder, prefix = waiting.pop()
        try:
            items = sorted(os.scandir(folder), key=lambda item: item.name)
        except PermissionError:
            found.skipped[prefix.rstrip("/") or "the folder"] = "cannot be read"
            continue
        for item in items:
            name = prefix + os.fsencode(item.name).decode("utf-8", "backslashreplace")
            if is_junk(name):
                continue
            seen += 1
            if seen > most:
                raise Refused(_too_many(most))
            if item.is_dir(follow_symlinks=False):
                waiting.append((Path(item.path), name + "/"))
            else:
                _add(found, name, item.stat(follow_symlinks=False), item.path)
    return found._replace(entries=sorted(found.entries, key=lambda entry: entry.name))


def _add(found: Listing, name: str, facts: os.stat_result, path: str) -> None:
    if stat.S_ISLNK(facts.st_mode):
        found.skipped[name] = "is a link"
    elif not stat.S_ISREG(facts.st_mode):
        found.skipped[name] = "is no regular file"
    elif _fits(found, name):
        if facts.st_nlink > 1:
            found.notes.append(f"{shown(name)} has a second place on the disk")

        def read() -> bytes:
            return _read(path, facts.st_size)

        found.entries.append(Entry(name, facts.st_size, facts.st_mtime, read))


def _fits(found: Listing, name: str) -> bool:
    sizes = len(name.rpartition("/")[2].encode()), len(name.encode())
    fits = all(size <= most for size, most in zip(sizes, LONGEST, strict=True))
    if not fits:
        found.skipped[name] = "has too long a name"
    return fits


def _read(path: str, size: int) -> bytes:
    """Read at most `size` bytes of a regular file, and never through a link."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb") as file:
        return file.read(size)


def _zip(
    file: Path | io.BytesIO, data: bytes, most: int, zone: tzinfo | None
) -> Listing:
    """List a zip. `data`, where it is in memory, is looked at before it is parsed."""
    if data.count(zipfile.stringCentralDir) > 10 * most:
        raise Refused(_too_many(most))
    try:
        archive = zipfile.ZipFile(file)
        members = [one for one in archive.infolist() if not one.is_dir()]
    except BROKEN as error:
        raise Refused(f"the zip cannot be read ({error}): make it again.") from None
    members = [(_name(one), one) for one in members]
    members = [(name, one) for name, one in members if not is_junk(name)]
    if len(members) > most:
        raise Refused(_too_many(most))
    found, entries = Listing([], {}, []), []
    for name, member in members:
        if stat.S_ISLNK(member.external_attr >> 16):
            found.skipped[name] = "is a link"
        elif _fits(found, name):
            entries.append(Entry(name, *_facts(archive, member, zone)))
    entries = apart(entries)
    check_tree(entry.name for entry in entries)
    return found._replace(entries=sorted(entries, key=lambda entry: entry.name))


def apart(entries: Iterable[Entry]) -> list[Entry]:
    """Number the files of one name, x (1).ipynb and so on; the last one keeps it."""
    kept: dict[str, Entry] = {}
    for entry in entries:
        if entry.name in kept:
            number, (stem, dot, kind) = len(kept), entry.name.rpartition(".")
            while (other := f"{stem or dot + kind} ({number}){dot}{kind}") in kept:
                number += 1
            kept[other] = kept[entry.name]._replace(name=other)
        kept[entry.name] = entry
    return list(kept.values())


def _name(member: zipfile.ZipInfo) -> str:
    """Return a member's path with /; Refused if it leads out of the zip."""
    name = member.filename
    if not member.flag_bits & 0x800:  # not said to be UTF-8, but macOS writes it so
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    name = name.replace("\\", "/")
    steps = name.split("/")
    if not steps[0] or ".." in steps or ":" in steps[0][1:2]:
        raise Refused(
            f"the zip names a place outside itself ({shown(name)}): make it again."
        )
    if member.flag_bits & 1:
        raise Refused("the zip has a password: make one without.")
    return "/".join(step for step in steps if step not in ("", "."))


def _facts(archive: zipfile.ZipFile, member: zipfile.ZipInfo, zone: tzinfo | None):
    def read() -> bytes:
        try:
            with archive.open(member) as file:
                return file.read(member.file_size)
        except BROKEN as error:
            raise Refused(f"the zip is damaged ({error}): make it again.") from None

    return member.file_size, _time(member, zone), read


def _time(member: zipfile.ZipInfo, zone: tzinfo | None) -> float:
    """Return when a file changed, s since 1970; 0 where its clock shows no time.

    Most programs add that number beside the clock, whose zone nobody knows.
    Source: Info-ZIP, APPNOTE "Extended Timestamp Extra Field" 0x5455
    """
    extra = member.extra
    with suppress(struct.error, IndexError):  # cut short
        while extra:
            kind, size = struct.unpack_from("<HH", extra)
            if kind == 0x5455 and extra[4] & 1:
                return float(struct.unpack_from("<i", extra, 5)[0])
            extra = extra[4 + size :]
    with suppress(ValueError, OverflowError, OSError):
        return datetime(*member.date_time, tzinfo=zone).timestamp()
    return 0.0


def check_tree(names: Iterable[str]) -> None:
    """Refuse files of which one's name is a folder's, too."""
    names = set(names)
    folders = {str(folder) for name in names for folder in PurePosixPath(name).parents}
    if both := folders & names:
        raise Refused(
            f"there is a file and a folder called {shown(min(both))}: hand in one."
        )


def _too_many(most: int) -> str:
    return (
        f"more than {most} files were handed in: leave out data sets, environments "
        "and checkpoints."
    )
