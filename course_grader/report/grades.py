"""All grades of a course as a table that a spreadsheet or an LMS can take in."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from nbgrader.api import (
    Assignment,
    Gradebook,
    MissingEntry,
    Student,
    SubmittedAssignment,
)

from course_grader.assignment.course import Course
from course_grader.store.outcomes import last_run
from course_grader.store.sections import sections
from course_lib.errors import CourseError
from course_lib.files import replacing

COLUMNS = (  # nbgrader's own
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name"),
    *("email", "raw_score", "late_submission_penalty", "score", "max_score"),
)
FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # how one begins in a spreadsheet, Japan's too


def export(path: Path, course: Course | Path, form: str = "csv") -> Path:
    """Write all grades of the course as CSV.

    form: "csv", a row for each student and assignment with the columns of nbgrader's
    export; "moodle" or "canvas", what these import: a row for each student, a column
    for each assignment, empty where nothing was handed in.
    Any name stays in its field. Text that a spreadsheet would take for a formula is
    written with an apostrophe before it.
    """
    if form not in FORMS:
        raise CourseError(f"format is {form!r}: expected one of {', '.join(FORMS)}")
    if Path(path).suffix.lower() != ".csv":
        raise CourseError(f"{path} is no .csv: name a file like grades.csv")
    with Course.open(course).gradebook() as gradebook, replacing(path) as part:
        rows = list(FORMS[form](gradebook))
        with open(part, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]) if rows else COLUMNS)
            writer.writeheader()
            for row in rows:
                writer.writerow({name: as_field(value) for name, value in row.items()})
    return Path(path)


def without(course: Course | Path) -> Iterator[tuple[str, str, str]]:
    """Yield who has no grade, or keeps an earlier one: assignment, student, why.

    An assignment that nobody has handed in is left out.
    """
    course = Course.open(course)
    with course.gradebook() as gradebook:
        for one in gradebook.assignments:
            refused = {
                row.student: row.reason
                for row in last_run(one.name, course)
                if row.status == "refused"
            }
            for student, reason in refused.items():
                yield one.name, student, f"refused: {reason}"
            came = {of.student.id for of in one.submissions if handed_in(of)}
            for student in everybody(gradebook) if came else ():
                if student.id not in came | set(refused):
                    yield one.name, student.id, "handed nothing in"


def everybody(gradebook: Gradebook) -> list[Student]:
    """Return the class in the order of `course roster`."""
    return sorted(gradebook.students, key=lambda one: one.id)


def _long(gradebook: Gradebook) -> Iterator[dict]:
    for assignment in gradebook.assignments:
        for student in everybody(gradebook):
            row = _row(gradebook, assignment, student)
            yield {name: row.get(name) for name in COLUMNS}


def _moodle(gradebook: Gradebook) -> Iterator[dict]:
    for student in everybody(gradebook):
        yield {
            "First name": student.first_name or student.id,  # not on a roster
            "Last name": student.last_name,
            "ID number": student.lms_user_id,
            "Email address": student.email,
        } | _totals(gradebook, student)


def _canvas(gradebook: Gradebook) -> Iterator[dict]:
    """Canvas reads a first line of points, and knows a student by ID."""
    known = dict.fromkeys(("Student", "ID", "SIS User ID", "SIS Login ID", "Section"))
    most = {one.name: one.max_score for one in gradebook.assignments}
    yield known | {"Student": "Points Possible"} | most
    section = sections(gradebook)
    for student in everybody(gradebook):
        last, first = student.last_name or student.id, student.first_name
        name = f"{last}, {first}" if first else last
        person = {"Student": name, "ID": student.lms_user_id}
        person["Section"] = section.get(student.id)
        yield known | person | _totals(gradebook, student)


FORMS = {"csv": _long, "moodle": _moodle, "canvas": _canvas}


def _totals(gradebook: Gradebook, student: Student) -> dict[str, float | None]:
    """Return a student's total by assignment; None where nothing was handed in."""
    rows = [_row(gradebook, one, student) for one in gradebook.assignments]
    return {
        row["assignment"]: row["score"] if row["handed_in"] else None for row in rows
    }


def handed_in(submission: SubmittedAssignment) -> bool:
    """Is it more than an extension? A grade may be of work whose time nobody knows."""
    if submission.extension is None or submission.timestamp is not None:
        return True
    grades = [grade for one in submission.notebooks for grade in one.grades]
    scores = [score for one in grades for score in (one.auto_score, one.manual_score)]
    return any(score is not None for score in scores)


def totals(gradebook: Gradebook, assignment: str) -> dict[str, float]:
    """Return the total of each graded student of one assignment, as `export` has it."""
    one = gradebook.find_assignment(assignment)
    graded = [of.student for of in one.submissions if handed_in(of)]
    rows = [_row(gradebook, one, student) for student in graded]
    return {row["student_id"]: row["score"] for row in rows}


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
        return row | none | {"handed_in": False}
    score, penalty = found.score, found.late_submission_penalty
    points = {"raw_score": score, "late_submission_penalty": penalty}
    points["score"] = max(0.0, score - penalty)
    more = {"timestamp": found.timestamp, "handed_in": handed_in(found)}
    return row | points | more


def as_field(value) -> object:
    """Return a value as no spreadsheet takes it for a formula."""
    formula = isinstance(value, str) and value.startswith(FORMULA)
    return f"'{value}" if formula else value
