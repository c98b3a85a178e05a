"""A class list from an LMS into the gradebook: names, e-mail, number and section.

A student's id is the name that `course collect` gives to the folder in submitted/, so
that who hands something in is the one on the list.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from pathlib import Path
from typing import NamedTuple

from nbgrader.api import Gradebook

from course_grader.assignment.course import Course
from course_grader.store.sections import members, put, sections
from course_lib.errors import CourseError
from course_lib.hand_in.submit import as_folder


class Person(NamedTuple):
    """A student, as the gradebook keeps one."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_user_id: str = ""
    section: str = ""  # of Moodle, the groups


UNIQUE = {  # what tells people apart, and what to do if it does not
    "id": "Two people of one name need two folders: use a list with an id for each",
    "lms_user_id": "Give each person a number, or leave the field empty",
    "email": "Give each person an address, or leave the field empty",
}


class Change(NamedTuple):
    """What an import did with a student."""

    student: str
    status: str  # "new", "changed", "as before" or "not on the list"


def import_roster(path: Path, course: Course | Path) -> list[Change]:
    """Put everybody of a class list into the gradebook; nobody is removed from it.

    path: a CSV of Moodle's participants, of Canvas's gradebook, or with the columns id,
    first_name, last_name, email, lms_user_id and section; only id is needed.
    CourseError: another table, a line without a name, or two people with one id.
    """
    people = read(path)
    changes = []
    with Course.open(course).gradebook() as gradebook:
        before = {person.id: person for person in _people(gradebook)}
        for person in people:
            given = {k: v for k, v in person._asdict().items() if v}
            old = before.pop(person.id, None)
            new = (old or person)._replace(**given)  # an empty cell takes nothing away
            if new != old:
                section = given.pop("section", "")
                gradebook.update_or_create_student(given.pop("id"), **given)
                if section:
                    put(gradebook, person.id, section)
            status = "as before" if new == old else "changed" if old else "new"
            changes.append(Change(person.id, status))
    return changes + [Change(name, "not on the list") for name in before]


def roster(course: Course | Path, section: str = "") -> list[Person]:
    """Return the class, in order of the ids.

    section: the name of one; "" is everybody.
    """
    with Course.open(course).gradebook() as gradebook:
        people = _people(gradebook)
        mine = members(gradebook, section) if section else None
    return [one for one in people if mine is None or one.id in mine]


def _people(gradebook: Gradebook) -> list[Person]:
    section = sections(gradebook)
    fields = Person._fields[:-1]
    found = [
        Person(*(getattr(one, name) or "" for name in fields), section.get(one.id, ""))
        for one in gradebook.students
    ]
    return sorted(found)


def read(path: Path) -> list[Person]:
    """Return the people of a class list, in its order."""
    try:
        rows = table(path)
        kind = form(path, rows.fieldnames)
        found = [
            (rows.line_num, row)
            for row in rows
            if any(cell(row, name) for name in rows.fieldnames)
        ]
    except (OSError, UnicodeError, csv.Error) as error:
        raise CourseError(
            f"{path} cannot be read as CSV ({error}): save the list as CSV, UTF-8"
        ) from error
    people = []
    for line, row in found:
        try:
            people.append((line, person(kind, row)))
        except CourseError as error:
            raise CourseError(f"{path}, line {line}: {error}") from error
    people = [(line, one) for line, one in people if one is not None]
    apart(path, people)
    if not people:
        raise CourseError(f"{path} names nobody")
    return [one for _, one in people]


def table(path: Path) -> csv.DictReader:
    """Read a CSV as a spreadsheet writes it, with "," or ";" or tabs between fields."""
    data = Path(path).read_bytes()
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16" if wide else "utf-8-sig")
    first = text.lstrip().partition("\n")[0]
    rows = csv.DictReader(
        io.StringIO(text, newline=""),
        delimiter=max(",;\t", key=first.count),
        skipinitialspace=True,
        strict=True,  # a quote that never ends is an error
    )
    rows.fieldnames = list(map(known, rows.fieldnames or []))
    return rows


def known(column: str) -> str:
    """Return a column's name without what differs between spreadsheets."""
    return column.strip().casefold().replace("_", " ")


def form(path: Path, columns: list[str]):
    """Return the function that reads a row of this table."""
    names = set(columns)
    if {"student", "id", "sis login id"} <= names:
        return canvas
    if "id" in names:
        return plain
    if "first name" in names and names & {"last name", "surname"}:
        return moodle
    raise CourseError(
        f"{path} has the columns {', '.join(columns) or 'none'}: expected those of "
        "Moodle (First name, Last name), Canvas (Student, ID, SIS Login ID), or id"
    )


def person(kind, row: dict[str, str]) -> Person | None:
    """Read a row; CourseError if it says of nobody who it is."""
    if more := ", ".join(row.get(None, [])).strip(", "):
        raise CourseError(
            f"{more!r} is in no column: put quotes around a field with a comma"
        )
    found = kind(row)
    if found is not None and not found.id:
        raise CourseError("nobody is named there")
    return found


def apart(path: Path, people: list[tuple[int, Person]]) -> None:
    """Refuse a list that has one id, number or e-mail on two lines."""
    seen = set()
    for line, one in people:
        for name, advice in UNIQUE.items():
            value = getattr(one, name)
            key = name, value.casefold() if name == "email" else value
            if value and key in seen:
                raise CourseError(
                    f"{path}, line {line}: {value} is on the list twice. {advice}"
                )
            seen.add(key)


def moodle(row: dict[str, str]) -> Person:
    first = cell(row, "first name")
    last = cell(row, "last name") or cell(row, "surname")
    name = f"{first} {last}".strip()
    email = cell(row, "email address") or cell(row, "email")
    more = cell(row, "id number"), cell(row, "groups")
    return Person(name and as_folder(name), first, last, email, *more)


def canvas(row: dict[str, str]) -> Person | None:
    """Canvas names files by "Byron, Ada" without what is no letter: byronada."""
    name = cell(row, "student")
    if name in ("", "Points Possible", "Student, Test"):
        return None
    last, _, first = (part.strip() for part in name.partition(","))
    login = cell(row, "sis login id")
    email = login if "@" in login else ""
    folder = re.sub(r"[\W_]", "", name).lower()
    return Person(folder, first, last, email, cell(row, "id"), cell(row, "section"))


def plain(row: dict[str, str]) -> Person:
    values = {name: cell(row, known(name)) for name in Person._fields}
    return Person(**values)._replace(id=values["id"] and as_folder(values["id"]))


def cell(row: dict[str, str], name: str) -> str:
    return (row.get(name) or "").strip()
