"""What changes during a term: deadlines, extensions, and who is in the class.

nbgrader's gradebook keeps all of it. Its times have no zone and mean UTC.
"""

from __future__ import annotations

import difflib
import re
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nbgrader.api import Assignment, Gradebook, MissingEntry
from sqlalchemy import delete, inspect, make_url

from course_grader.assignment.course import Course
from course_lib.errors import CourseError

from .gradebook import VERDICTS
from .outcomes import storable
from .sections import put

YEARS = range(1970, 8000)  # to the end of the calendar is room for any extension
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def deadline(
    assignment: str, when: str | None, zone: str | None, course: Course | Path
) -> datetime | None:
    """Set until when an assignment can be handed in, and return it with its zone.

    when: "2026-12-01 23:59"; "none" for no deadline; None changes nothing.
    zone: of `when`, such as "Europe/Berlin"; None is this machine's.
    What is graded already is charged anew by the next `course grade`.
    """
    place = zone_of(zone)
    with Course.open(course).gradebook() as gradebook:
        found = released(gradebook, assignment)
        if when is not None:
            found.duedate = None if when == "none" else utc(when, place)
            gradebook.db.commit()
        due = found.duedate
    return due and due.replace(tzinfo=timezone.utc).astimezone(place)


def deadlines(course: Course | Path) -> dict[str, datetime]:
    """Return the deadline of each assignment that has one, in UTC."""
    course = Course.open(course)
    url = make_url(course.folder.db_url)
    if url.drivername == "sqlite" and not Path(url.database).exists():
        return {}  # nothing is released yet; nbgrader would make an empty one
    with course.gradebook() as gradebook:
        due = {one.name: one.duedate for one in gradebook.assignments if one.duedate}
    return {name: when.replace(tzinfo=timezone.utc) for name, when in due.items()}


def zone_of(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CourseError(
            f"no time zone is called {name!r}: expected one like Europe/Berlin or UTC"
        ) from error


def utc(when: str, zone: ZoneInfo | None) -> datetime:
    """Return a time without a zone, in UTC, as nbgrader stores it."""
    try:
        time = datetime.fromisoformat(when)
        if time.year not in YEARS:
            raise ValueError(f"the year {time.year}")
    except ValueError as error:
        raise CourseError(
            f"{when!r} is no time: expected one like '2026-12-01 23:59', or none"
        ) from error
    if time.tzinfo is None:  # a day without an hour ends at midnight
        if len(when.strip()) <= len("2026-12-01"):
            time = time.replace(hour=23, minute=59)
        time = time.replace(tzinfo=zone) if zone else time.astimezone()
    return time.astimezone(timezone.utc).replace(tzinfo=None)


def extend(
    assignment: str, student: str, time: str, course: Course | Path
) -> timedelta | None:
    """Give a student more time, before or after the work is handed in; return it.

    time: "90m", "12h", "3d" or "1w" after the deadline, in place of what was given
    before; "0" takes it back.
    """
    match = re.fullmatch(r"([0-9]{1,5})([mhdw])|0", time)
    if not match:
        raise CourseError(f"{time!r} is no time: expected one like 3d, 12h, 90m or 0")
    more = timedelta(**{UNITS[match[2]]: int(match[1])}) if match[2] else None
    course = Course.open(course)
    with course.gradebook() as gradebook:
        if not released(gradebook, assignment).duedate:
            raise CourseError(
                f"{assignment} has no deadline: set one with course deadline first"
            )
        require(student, gradebook, course)
        gradebook.update_or_create_student(student)
        with gradebook.db.no_autoflush:  # or SQLAlchemy warns of half-made rows
            submission = gradebook.update_or_create_submission(assignment, student)
        submission.extension = more or timedelta(0)  # see `rows.extended_alone`
        gradebook.db.commit()
    return more or None


def remove(student: str, course: Course | Path) -> Path:
    """Take a student out of gradebook and folders; return where the folders are now.

    Nothing is lost but the rows of the gradebook: submitted/, autograded/ and feedback/
    of that name move to removed/.
    """
    course = Course.open(course)
    with course.gradebook() as gradebook:
        require(student, gradebook, course)
        target = unused(course.root / "removed" / student)
        target.mkdir(parents=True)  # without files, too: `removed` reads who left
        for step in ("submitted", "autograded", "feedback"):
            folder = getattr(course, step)(student, ".")
            if folder.is_dir():
                shutil.move(folder, target / step)
        if any(one.id == student for one in gradebook.students):
            gradebook.remove_student(student)
        put(gradebook, student, "")
        if inspect(gradebook.engine).has_table(VERDICTS.name):
            mine = VERDICTS.c.student == storable(student)
            gradebook.db.execute(delete(VERDICTS).where(mine))
            gradebook.db.commit()
    return target


def removed(course: Course) -> set[str]:
    """Return who was taken out of the class and is not in the gradebook again."""
    names = {folder.name for folder in (course.root / "removed").glob("*/")}
    if names:
        with course.gradebook() as gradebook:
            names -= {one.id for one in gradebook.students}
    return names


def unused(path: Path) -> Path:
    """Return the path, or the first of path-2, path-3, … that does not exist."""
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found


def released(gradebook: Gradebook, assignment: str) -> Assignment:
    try:
        return gradebook.find_assignment(assignment)
    except MissingEntry as error:
        known = ", ".join(sorted(one.name for one in gradebook.assignments)) or "none"
        raise CourseError(
            f"the gradebook has no {assignment}: release it first. It has {known}"
        ) from error


def require(student: str, gradebook: Gradebook, course: Course) -> None:
    """Refuse a name that neither the gradebook nor submitted/ knows."""
    names = {one.id for one in gradebook.students}
    folder = course.submitted(".", ".")
    names |= {path.name for path in folder.glob("*") if path.is_dir()}
    if student not in names:
        close = difflib.get_close_matches(student, names, 1, 0.4)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise CourseError(f"no student is called {student!r}{hint}")
