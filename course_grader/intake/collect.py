"""Submissions into place: from an LMS's download to submitted/NAME/ASSIGNMENT/.

Understood are nbgrader's own layout (NAME/ASSIGNMENT/…, which `course submit` writes),
a folder or a zip for each student, and the names that Moodle
(`Ada Byron_123_assignsubmission_file_/…`) and Canvas (`byronada_LATE_12_345_x.ipynb`)
give to the files of a class. Nothing in a notebook is run here.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from nbgrader.utils import parse_utc

from course_grader.assignment.bundle import contents as files_under
from course_grader.assignment.course import Course
from course_lib.errors import CourseError
from course_lib.hand_in.ipynb import Refused, parse
from course_lib.hand_in.submit import as_folder

from .submission import TIMESTAMP, base, is_notebook
from .unpack import Entry, Listing, contents, listing, shown

CLASS_FILES = 500_000  # of a whole class
MOODLE = re.compile(r"(.+?)_(\d+)_assignsubmission_[a-z]+_?(.*)")
CANVAS = re.compile(r"([^_]+)(?:_LATE)?_(\d+)_\d+_(.+)")


class Collected(NamedTuple):
    """What became of one student's files."""

    student: str
    assignment: str
    status: str  # "collected", "unchanged", "older" (what is there is newer), "refused"
    reason: str = ""  # why it was refused, or will be when it is graded
    path: Path | None = None  # where it is now


class Group(NamedTuple):
    """Files of one student, not read yet."""

    student: str
    assignment: str  # "" if no folder says
    number: str  # an LMS's, or ""
    entries: list[Entry]
    skipped: dict[str, str]


class HandedIn(NamedTuple):
    """A submission as it will be written: below the folder that holds the notebook."""

    student: str
    assignment: str
    files: dict[str, bytes]
    times: dict[str, float]  # s since 1970

    @property
    def time(self) -> datetime:
        """When it was handed in, UTC: what timestamp.txt says, else the last change."""
        return _time(self.files.get(TIMESTAMP, b""), self.times)


def collect(
    sources: list[Path], assignment: str | None, course: Course | Path
) -> list[Collected]:
    """Put submissions into submitted/NAME/ASSIGNMENT/, never an older over a newer.

    sources: folders and zips.
    assignment: None is the one that folders or notebooks say.
    """
    course = Course.open(course)
    known = notebooks(course)
    if assignment and assignment not in known:
        raise CourseError(
            f"no assignment is called {assignment}: {', '.join(known) or 'none'} "
            "released; see `course release`."
        )
    results = []
    for source in map(Path, sources):
        if not source.exists():
            raise CourseError(f"{source} does not exist: name a folder or a zip.")
        try:
            groups = grouped(source, set(known))
        except Refused as error:
            name = shown(source.name)
            results.append(Collected(name, assignment or "", "refused", str(error)))
            continue
        numbers = defaultdict(list)
        for group in groups:
            numbers[group[:2]].append(group.number)
        for group in groups:
            if group.assignment in ("", assignment) or not assignment:
                alike = numbers[group[:2]]
                results.append(_collect(group, assignment, known, course, alike))
    return results


def notebooks(course: Course) -> dict[str, set[str]]:
    """Return the names of each released assignment's notebooks, as x.ipynb."""
    release = course.released("x").parent
    found = defaultdict(set)
    for path in sorted(release.glob("*/*.ipynb")):
        found[path.parent.name].add(path.name)
    return dict(found)


def grouped(source: Path, known: set[str]) -> list[Group]:
    """Say whose each file is, without reading it."""
    source = source.resolve() if source.is_dir() else source
    found = listing(source, CLASS_FILES)
    names = [entry.name for entry in found.entries] + list(found.skipped)
    wrapper = _wrapper(names, known)
    groups: dict[tuple, Group] = {}

    def group(name: str) -> tuple[Group, str]:
        student, number, path = _whose(name[len(wrapper) :])
        first, slash, inner = path.partition("/")
        assigned, path = (first, inner) if slash and first in known else ("", path)
        if not number and student in known and not assigned:
            student, assigned = "", student
        key = student, assigned, number
        return groups.setdefault(key, Group(*key, [], {})), path

    for entry in found.entries:
        mine, path = group(entry.name)
        mine.entries.append(entry._replace(name=path))
    for name, why in found.skipped.items():
        mine, path = group(name if "/" in name else f"{name}/{name}")
        mine.skipped[path] = why
    whole = [one for one in groups.values() if one.student or _matters(one)]
    whole = whole or list(groups.values())
    stem = source.name if source.is_dir() else source.stem
    return [one._replace(student=one.student or stem) for one in whole]


def _whose(name: str) -> tuple[str, str, str]:
    """Return the student, their number in an LMS, and the path of their file.

    The student is "" where the source as a whole must say whose it is.
    """
    first, slash, inner = name.partition("/")
    if found := MOODLE.fullmatch(first):
        student, number, rest = found.groups()
        return student, number, f"{rest}/{inner}" if rest and slash else rest or inner
    if slash:
        return first, "", inner
    if found := CANVAS.fullmatch(first):
        return found.groups()
    if name.lower().endswith(".zip"):
        return name[:-4], "", name
    return "", "", name


def _wrapper(names: list[str], known: set[str]) -> str:
    """Return the folder around a whole class, as "submissions/", or ""."""
    tops = {name.partition("/")[0] for name in names}
    inner = [name.partition("/")[2] for name in names]
    if len(tops) != 1 or not all(inner) or MOODLE.fullmatch(*tops):
        return ""
    below = {name.partition("/")[0] for name in inner}
    people = {
        name for name in below if MOODLE.fullmatch(name) or CANVAS.fullmatch(name)
    }
    deeper = {name.split("/")[1] for name in inner if name.count("/") > 1}
    loose = any(is_notebook(name) for name in below - people)
    several = len(below) > 1 and not loose and not below & known
    return f"{tops.pop()}/" if people or several or deeper & known else ""


def _matters(loose: Group) -> bool:
    """Is there a submission among the files that are in no student's folder?"""
    names = [*loose.skipped, *(entry.name for entry in loose.entries)]
    return bool(loose.assignment) or any(map(is_notebook, names))


def _collect(group, assignment, known, course: Course, numbers: list[str]) -> Collected:
    """Read and place one group; `numbers` are those of all who have its name."""
    try:
        if len(numbers) > 1:
            raise Refused(
                f"{len(numbers)} people are called {group.student} (numbers "
                f"{', '.join(numbers)}): give each a folder with another name."
            )
        found = _read(group, assignment, known)
        return _place(found, course)
    except CourseError as error:
        where = assignment or group.assignment
        return Collected(group.student, where, "refused", str(error))


def _read(group: Group, assignment: str | None, known) -> HandedIn:
    here = Listing(group.entries, group.skipped, [])
    files, skipped = contents(here)
    student, assigned = group.student, assignment or group.assignment
    zips = [name for name in files if name.lower().endswith(".zip")]
    if not any(map(is_notebook, files)) and len(zips) == 1:
        here = listing(files[zips[0]])
        files, skipped = contents(here)
        inner = {tuple(name.split("/")[:2]) for name in files if name.count("/") > 1}
        if len(inner) == 1 and (own := inner.pop())[1] in known:
            student = student if group.number else own[0]
            assigned = assigned or own[1]
    if not any(map(is_notebook, files)):
        for name, why in skipped.items():
            raise Refused(f"{shown(name)} {why}: hand in the file itself.")
        there = ", ".join([*map(shown, files)][:3]) or "nothing"
        raise Refused(f"there is no notebook, only {there}: hand it in too.")
    assigned = assigned or _assigned(files, known)
    top = base(files, known[assigned])
    times = {entry.name: entry.time for entry in here.entries}
    files = {name: data for name, data in files.items() if name.startswith(top)}
    times = {name.removeprefix(top): times[name] for name in files}
    files = {name.removeprefix(top): data for name, data in files.items()}
    return HandedIn(as_folder(student), assigned, files, times)


def _assigned(files: dict[str, bytes], known: dict[str, set[str]]) -> str:
    """Return the assignment that folders or notebooks name."""
    mine = [name for name in files if is_notebook(name)]
    steps = {step for name in mine for step in name.split("/")[:-1]} & set(known)
    names = {name.rpartition("/")[2].casefold() for name in mine}
    found = steps or {
        one for one, own in known.items() if {n.casefold() for n in own} & names
    }
    found = found or {
        one
        for one, own in known.items()
        if any(n[:-6].casefold() in name for n in own for name in names)
    }
    if len(found) != 1:
        raise Refused(
            f"{', '.join(sorted(map(shown, mine))[:3])} does not say of which "
            "assignment it is: say it with --assignment."
        )
    return found.pop()


def _place(found: HandedIn, course: Course) -> Collected:
    """Write a submission, unless what is there is the same or newer."""
    path = course.submitted(found.student, found.assignment)
    row = Collected(found.student, found.assignment, "collected", _doubts(found), path)
    files = {TIMESTAMP: f"{found.time:%Y-%m-%d %H:%M:%S} UTC".encode()} | found.files
    if path.is_dir():
        there = files_under(path)
        if there == files:
            return row._replace(status="unchanged")
        times = {name: (path / name).stat().st_mtime for name in there}
        if _time(there.get(TIMESTAMP, b""), times) > found.time:
            reason = "a newer one is in place, and stays"
            return row._replace(status="older", reason=reason)
    _replace(path, files, found.times)
    return row


def _doubts(found: HandedIn) -> str:
    """Say why a notebook will be refused when it is graded, if it will."""
    for name, data in found.files.items():
        if is_notebook(name) and "/" not in name:
            try:
                parse(data, shown(name))
            except Refused as error:
                return str(error)
    return ""


def _time(timestamp: bytes, times: dict[str, float]) -> datetime:
    last = datetime.fromtimestamp(max(times.values(), default=0), timezone.utc)
    try:
        said = parse_utc(timestamp[:100].decode().strip()) if timestamp else None
    except (ValueError, OverflowError, TypeError, AttributeError):
        said = None
    return said or last.replace(tzinfo=None, microsecond=0)


def _replace(path: Path, files: dict[str, bytes], times: dict[str, float]) -> None:
    """Write a folder beside its place, then swap: a reader meets no half of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        for name, data in files.items():
            file = part / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            if times.get(name):
                os.utime(file, (times[name], times[name]))
        if path.exists():
            os.replace(path, old)
        os.replace(part, path)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        if old.exists() and not path.exists():
            os.replace(old, path)
        shutil.rmtree(part, ignore_errors=True)
