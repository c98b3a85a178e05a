"""Which section of the class a student is in: a group of Moodle, a section of Canvas.

nbgrader keeps names, e-mail and the LMS's number, and no section. So a table of ours,
`course_section`, lies beside its own. It holds the text as the LMS wrote it, which may
name several.
"""

from __future__ import annotations

import re

from nbgrader.api import Gradebook
from sqlalchemy import Column, MetaData, String, Table, delete, inspect, select

from course_lib.errors import CourseError

from .outcomes import NAME, storable

SECTIONS = Table(
    "course_section",
    MetaData(),
    Column("student", String(NAME), primary_key=True),
    Column("section", String(NAME), nullable=False),
)
BETWEEN = re.compile(r",\s*(?:and\s+)?|\s+and\s+")  # "A, B" or "A and B"


def sections(gradebook: Gradebook) -> dict[str, str]:
    """Return the section of each student that has one."""
    if not inspect(gradebook.engine).has_table(SECTIONS.name):
        return {}
    return dict(gradebook.db.execute(select(SECTIONS)).all())


def put(gradebook: Gradebook, student: str, section: str) -> None:
    """Put a student into a section, in place of an earlier one; "" is in none."""
    SECTIONS.create(gradebook.engine, checkfirst=True)
    name = storable(student)
    gradebook.db.execute(delete(SECTIONS).where(SECTIONS.c.student == name))
    if section:
        row = {"student": name, "section": section[:NAME]}
        gradebook.db.execute(SECTIONS.insert().values(**row))
    gradebook.db.commit()


def members(gradebook: Gradebook, section: str) -> set[str]:
    """Return the students of a section; CourseError if there is none of that name."""
    known = sections(gradebook)
    found = {name for name, text in known.items() if section in names(text)}
    if not found:
        every = sorted(set().union(*map(names, known.values())))
        there = f"there are {', '.join(every)}" if every else "no student has one"
        raise CourseError(
            f"no section is called {section!r}: {there} (course roster import)"
        )
    return found


def names(text: str) -> set[str]:
    """Return the names of sections in an LMS's text, which may be one name itself."""
    return {text, *filter(None, BETWEEN.split(text))}
