"""A bank of comments with points beside them: a CSV beside the assignment's solution.

It names no student, so that a team can commit it, and next year's readers have it.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from course_grader.assignment.course import Course
from course_lib.errors import CourseError

COLUMNS = "question", "points", "comment"


class Remark(NamedTuple):
    """A comment that several answers may get."""

    question: str  # the cell's name
    points: float
    comment: str  # Markdown


def path(assignment: str, course: Course | Path) -> Path:
    return Course.open(course).source(assignment).parent / f"{assignment}.comments.csv"


def bank(assignment: str, course: Course | Path) -> list[Remark]:
    """Return the comments kept so far; none if there is no file yet."""
    file = path(assignment, course)
    try:
        with open(file, encoding="utf-8-sig", newline="") as opened:
            rows = list(csv.DictReader(opened))
        return [Remark(r["question"], float(r["points"]), r["comment"]) for r in rows]
    except FileNotFoundError:
        return []
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise CourseError(
            f"{file} is no bank of comments: expected the columns {', '.join(COLUMNS)}"
            f" and a number as points ({error})"
        ) from error


def add(remark: Remark, assignment: str, course: Course | Path) -> None:
    """Append a comment to the bank, unless it stands there."""
    if remark in bank(assignment, course):
        return
    file = path(assignment, course)
    new = not file.exists()
    with open(file, "a", encoding="utf-8", newline="") as opened:
        if not new and not file.read_bytes().endswith((b"\n", b"\r")):
            opened.write("\n")  # an editor left the last line open
        writer = csv.writer(opened)
        writer.writerows([COLUMNS] if new else [])
        writer.writerow(remark)
