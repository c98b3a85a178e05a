"""A class list from an LMS into the gradebook: names, e-mail, number and section.

A student's id is the name that `course collect` gives to the folder in submitted/, so
that who hands something in is the one on the list.
"""

from __future__ import annotations

import csv
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
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            kind = form(path, rows.fieldnames or [])
            found = [(rows.line_num, kind(row)) for row in rows if any(row.values())]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CourseError(f"{path} cannot be read as CSV: {error}") from error
    people: dict[str, Person] = {}
    for line, person in found:
        if person is None:  # Canvas's line of points
            continue
        if not person.id:
            raise CourseError(f"{path}, line {line}: nobody is named there")
        if person.id in people:
            raise CourseError(
                f"{path}, line {line}: {person.id} is on the list twice. Two people of "
                "one name need two folders: use a list with an id for each"
            )
        people[person.id] = person
    if not people:
        raise CourseError(f"{path} names nobody")
    return list(people.values())


def form(path: Path, columns: list[str]):
    """Return the function that reads a row of this table."""
    names = {name.strip() for name in columns}
    if {"Student", "ID", "SIS Login ID"} <= names:
        return canvas
    if "First name" in names and names & {"Last name", "Surname"}:
        return moodle
    if "id" in names:
        return plain
    raise CourseError(
        f"{path} has the columns {', '.join(columns) or 'none'}: expected those of "
        "Moodle (First name, Last name), Canvas (Student, ID, SIS Login ID), or id"
    )


def moodle(row: dict[str, str]) -> Person:
    first = cell(row, "First name")
    last = cell(row, "Last name") or cell(row, "Surname")
    name = f"{first} {last}".strip()
    email = cell(row, "Email address") or cell(row, "Email")
    more = cell(row, "ID number"), cell(row, "Groups")
    return Person(name and as_folder(name), first, last, email, *more)


def canvas(row: dict[str, str]) -> Person | None:
    """Canvas names files by "Byron, Ada" without what is no letter: byronada."""
    name = cell(row, "Student")
    if name in ("", "Points Possible") or name == "Student, Test":
        return None
    last, _, first = (part.strip() for part in name.partition(","))
    login = cell(row, "SIS Login ID")
    email = login if "@" in login else ""
    folder = re.sub(r"[\W_]", "", name).lower()
    return Person(folder, first, last, email, cell(row, "ID"), cell(row, "Section"))


def plain(row: dict[str, str]) -> Person:
    values = {name: cell(row, name) for name in Person._fields}
    return Person(**values)._replace(id=values["id"] and as_folder(values["id"]))


def cell(row: dict[str, str], name: str) -> str:
    return (row.get(name) or "").strip()
