"""Submissions into place: from an LMS's download to submitted/NAME/ASSIGNMENT/.

`layouts` says whose each file is; here each student's files are read, and written
beside one another. No two people ever get one folder, and files that could be a whole
class are nobody's. Nothing in a notebook is run here.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import defaultdict
from contextlib import suppress
from datetime import datetime, timedelta, timezone, tzinfo
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from nbgrader.utils import parse_utc

from course_grader.assignment.bundle import contents as files_under
from course_grader.assignment.course import Course
from course_grader.store import term
from course_lib.errors import CourseError
from course_lib.hand_in.ipynb import Refused, parse
from course_lib.hand_in.submit import as_folder

from .layouts import Group, grouped, is_canvas_file
from .owners import Names, Owner
from .restore import listed
from .roster import roster
from .submission import TIMESTAMP, base, is_notebook
from .unpack import Listing, check_tree, contents, listing, shown

SOON = 60  # seconds between files that were written at one go
GONE = "removed from the class: put them on the roster (course roster import) first."
STRANGER = "nobody on the roster has this name (course roster shows it)"
NUMBERED = re.compile(r"(.+) ?\(\d+\)\.ipynb")  # as browsers and Drive name the next


class Collected(NamedTuple):
    """What became of one student's files."""

    student: str
    assignment: str
    status: str  # "collected", "unchanged", "older" (what is there is newer), "refused"
    reason: str = ""  # why it was refused, or will be; what else came and stays out
    path: Path | None = None  # where it is now


class HandedIn(NamedTuple):
    """A submission as it will be written: below the folder that holds the notebook."""

    student: str
    assignment: str
    files: dict[str, bytes]
    times: dict[str, float]  # s since 1970
    remark: str = ""

    @property
    def time(self) -> datetime:
        """When it was handed in, UTC: what timestamp.txt says, else the last change."""
        return _time(self.files.get(TIMESTAMP, b""), self.times)


def collect(
    sources: list[Path],
    assignment: str | None,
    course: Course | Path,
    zone: str | None = None,
) -> list[Collected]:
    """Put submissions into submitted/NAME/ASSIGNMENT/, never an older over a newer.

    sources: folders and zips.
    assignment: None is the one that folders or notebooks say.
    zone: of the clocks in names and zips, "Europe/Berlin"; None is this machine's.
    """
    course, place = Course.open(course), term.zone_of(zone)
    due = cache(partial(_due, course))
    known, gone = notebooks(course), term.removed(course)
    people = {person.id for person in roster(course)}
    if assignment and assignment not in known:
        raise CourseError(
            f"no assignment is called {assignment}: {', '.join(known) or 'none'} "
            "released; see `course release`."
        )
    results, groups = [], []
    for source in map(Path, sources):
        if not source.exists():
            raise CourseError(f"{source} does not exist: name a folder or a zip.")
        try:
            found = grouped(source, known, place)
        except Refused as error:
            name = shown(source.name)
            results.append(Collected(name, assignment or "", "refused", str(error)))
            continue
        mine = {"", assignment} if assignment else {"", *known}
        found = [group for group in found if group.assignment in mine]
        if not found:
            reason = f"nothing of {assignment or 'any assignment'} is in it."
            name = shown(source.name)
            results.append(Collected(name, assignment or "", "refused", reason))
        groups.append(found)
    everybody = {one.student for some in groups for one in some}
    for some in groups:
        told = Names(some, everybody)
        alone = len({one.student for one in some}) == 1
        for group, older in newest(some):
            try:
                if group.stray:
                    raise Refused(_strays(group))
                told.check(group)
                mine = _read(group, assignment, known, alone, place)
                if mine.student in gone:
                    raise Refused(GONE)
                if group.late:
                    mine = _marked(mine, due(mine.assignment))
                row = _place(mine, group, course)
                if people and row.student not in people:
                    row = row._replace(reason=_joined(row.reason, STRANGER))
            except CourseError as error:
                where = assignment or group.assignment
                row = Collected(group.student, where, "refused", str(error))
            results.append(row._replace(reason=_joined(row.reason, older)))
    return results


def notebooks(course: Course) -> dict[str, set[str]]:
    """Return the names of each released assignment's notebooks, as x.ipynb."""
    release = course.released("x").parent
    found = defaultdict(set)
    for path in sorted(release.glob("[!.]*/*.ipynb")):
        found[path.parent.name].add(path.name)
    return dict(found)


def newest(groups: list[Group]) -> list[tuple[Group, str]]:
    """Return each student's last attempt, and words on those before it."""
    attempts: dict[tuple, list[Group]] = defaultdict(list)
    for group in groups:
        attempts[group[:3]].append(group)
    found = []
    for some in attempts.values():
        *older, last = sorted(some, key=lambda group: group.time)
        times = [minute(one.time) for one in older]
        said = f"older attempts stay out: {listed(times)}" if times else ""
        found.append((last, said))
    return found


def minute(seconds: float) -> str:
    return f"{_moment(seconds):%Y-%m-%d %H:%M}"


def _joined(*remarks: str) -> str:
    return "; ".join(filter(None, remarks))


def _read(
    group: Group, assignment: str | None, known, alone: bool, zone: tzinfo | None
) -> HandedIn:
    """Read one student's files; `alone`: nobody else's came in the same source."""
    here = Listing(group.entries, group.skipped, [])
    files, skipped = contents(here)
    assigned = assignment or group.assignment
    zips = [name for name in files if name.lower().endswith(".zip")]
    if not any(map(is_notebook, files)) and len(zips) == 1:
        here = listing(files[zips[0]], zone=zone)
        files, skipped = contents(here)
        inner = {tuple(name.split("/")[:2]) for name in files if name.count("/") > 1}
        if len(inner) == 1 and (own := inner.pop())[1] in known:
            assigned = assigned or own[1]
    if not any(map(is_notebook, files)):
        for name, why in skipped.items():
            raise Refused(f"{shown(name)} {why}: hand in the file itself.")
        there = ", ".join([*map(shown, files)][:3]) or "nothing"
        raise Refused(f"there is no notebook, only {there}: hand it in too.")
    assigned = assigned or _assigned(files, known)
    times = {entry.name: entry.time for entry in here.entries}
    mine = {name: times[name] for name in filter(is_notebook, files)}
    remark = one_student(mine, known[assigned], alone)
    top = base(files, known[assigned])
    files = {name: data for name, data in files.items() if name.startswith(top)}
    times = {name.removeprefix(top): times[name] for name in files}
    files = {name.removeprefix(top): data for name, data in files.items()}
    check_tree([*files, TIMESTAMP])
    return HandedIn(as_folder(group.student), assigned, files, times, remark)


def one_student(mine: dict[str, float], wanted: set[str], alone: bool) -> str:
    """Refuse notebooks that may be a class's; say which others are there.

    mine: paths of all notebooks, with the time of each; wanted: names of the
    assignment's.
    """
    names = {name.casefold() for name in wanted}
    exact = [path for path in mine if _last(path) in names]
    depth = min((path.count("/") for path in exact or mine), default=0)
    outer = [path for path in exact or mine if path.count("/") == depth]
    stems = {name.removesuffix(".ipynb") for name in names}
    copies = [
        path
        for path in mine
        if (found := NUMBERED.fullmatch(_last(path))) and found[1].strip() in stems
    ]
    by_canvas = [path for path in mine if is_canvas_file(path)]
    folders = {path.rpartition("/")[0] for path in outer}
    several = (copies and len(mine) > 1) or len(by_canvas) > 1
    whole_class = len(folders) > 1 or (alone and several)
    if whole_class or (not exact and len(outer) > len(wanted)):
        raise Refused(
            f"{len(mine)} notebooks came in ({listed([*map(shown, mine)])}) and "
            "nothing says whose each is: give each student a folder with their name, "
            f"or call the one that counts {min(wanted)}."
        )
    last = max((mine[path] for path in outer), default=0.0)
    others = [
        shown(path) + (" (newer)" if time > last + SOON else "")
        for path, time in mine.items()
        if path not in outer
    ]
    return f"there too, and not graded: {listed(others)}" if others else ""


def _strays(group: Group) -> str:
    names = listed([shown(entry.name) for entry in group.entries])
    return (
        f"nothing says whose {names} is, beside the others' folders or files: put it "
        "into a folder with the student's name."
    )


def _last(path: str) -> str:
    return path.rpartition("/")[2].casefold()


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


def _due(course: Course, assignment: str) -> datetime | None:
    """Return the deadline, UTC, or None where there is none."""
    with course.gradebook() as gradebook, suppress(CourseError):
        return term.released(gradebook, assignment).duedate
    return None


def _marked(found: HandedIn, due: datetime | None) -> HandedIn:
    """Count as late what the LMS marks so, whatever the clock in its files says.

    That clock is the student's, or has the time at which the work was packed.
    """
    if due is None or found.time > due:
        return found
    after = f"{due + timedelta(seconds=1):%Y-%m-%d %H:%M:%S} UTC"
    said = "marked LATE by the LMS: it counts as handed in just after the deadline"
    return found._replace(
        files=found.files | {TIMESTAMP: after.encode()},
        remark=_joined(found.remark, said),
    )


def _place(found: HandedIn, group: Group, course: Course) -> Collected:
    """Write a submission, unless what is there is the same or newer."""
    path = course.submitted(found.student, found.assignment)
    whose = Owner.of(path.parent)
    whose.check(group, found.assignment)
    row = Collected(found.student, found.assignment, "collected", path=path)
    files = {TIMESTAMP: f"{found.time:%Y-%m-%d %H:%M:%S} UTC".encode()} | found.files
    before = ""
    if path.is_dir():
        there = files_under(path)
        if there == files:
            return row._replace(status="unchanged", reason=_doubts(found))
        times = {name: (path / name).stat().st_mtime for name in there}
        time = _time(there.get(TIMESTAMP, b""), times)
        if time > found.time:
            reason = "a newer one is in place, and stays"
            return row._replace(status="older", reason=reason)
        before = f"replaces the attempt of {time:%Y-%m-%d %H:%M}"
    _replace(path, files, found.times)
    whose.note(group, found.assignment)
    return row._replace(reason=_joined(_doubts(found), found.remark, before))


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
    last = _moment(max(times.values(), default=0))
    try:
        said = parse_utc(timestamp[:100].decode().strip()) if timestamp else None
    except (ValueError, OverflowError, TypeError, AttributeError):
        said = None
    return said or last.replace(tzinfo=None, microsecond=0)


def _moment(seconds: float) -> datetime:
    """Return a time, UTC; a file may claim one that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, timezone.utc)


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
