"""All grades of a course as a table that a spreadsheet or an LMS can take in."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from nbgrader.api import Assignment, Gradebook, MissingEntry, Student

from course_grader.assignment.course import Course
from course_lib.files import replacing

COLUMNS = (  # nbgrader's own
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name"),
    *("email", "raw_score", "late_submission_penalty", "score", "max_score"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # how one begins in a spreadsheet


def export(path: Path, course: Course | Path) -> Path:
    """Write all grades of the course as CSV, with the columns of nbgrader's export.

    Any name stays in its field. Text that a spreadsheet would take for a formula is
    written with an apostrophe before it.
    """
    with Course.open(course).gradebook() as gradebook, replacing(path) as part:
        with open(part, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(_rows(gradebook))
    return Path(path)


def _rows(gradebook: Gradebook) -> Iterator[dict]:
    for assignment in gradebook.assignments:
        for student in gradebook.students:
            row = _row(gradebook, assignment, student)
            yield {name: _field(value) for name, value in row.items()}


def _row(gradebook: Gradebook, assignment: Assignment, student: Student) -> dict:
    """Return the points of one student; who handed nothing in has none."""
    row = {
        "assignment": assignment.name,
        "duedate": assignment.duedate,
        "student_id": student.id,
        "last_name": student.last_name,
        "first_name": student.first_name,
        "email": student.email,
        "max_score": assignment.max_score,
    }
    try:
        found = gradebook.find_submission(assignment.name, student.id)
    except MissingEntry:
        none = dict.fromkeys(("raw_score", "late_submission_penalty", "score"), 0.0)
        return row | none
    score, penalty = found.score, found.late_submission_penalty
    points = {"raw_score": score, "late_submission_penalty": penalty}
    points["score"] = max(0.0, score - penalty)
    return row | points | {"timestamp": found.timestamp}


def _field(value) -> object:
    formula = isinstance(value, str) and value.startswith(FORMULA)
    return f"'{value}" if formula else value
