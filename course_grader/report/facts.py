"""What a run found, as plain data: the report's one source, and its JSON file."""

from __future__ import annotations

import shlex
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

from course_grader.assignment.cells import exercise
from course_grader.assignment.course import Course
from course_grader.store.outcomes import Result, last_run
from course_grader.store.rows import extended_alone
from course_lib.errors import CourseError


class Points(NamedTuple):
    """One graded cell of one student."""

    student: str
    cell: str
    score: float
    max_score: float
    waits: bool  # for a person to read it

    @property
    def exercise(self) -> str:
        return exercise(self.cell)


def points(assignment: str, course: Course | Path) -> list[Points]:
    """Read every graded cell of every submission from the gradebook, in two queries."""
    from nbgrader import api
    from sqlalchemy import select

    with Course.open(course).gradebook() as gradebook:
        cells = _cells(gradebook, assignment)
        grade, of = api.Grade, api.SubmittedAssignment
        query = (
            select(of.student_id, grade.cell_id, grade.score, grade.needs_manual_grade)
            .join(api.SubmittedNotebook, api.SubmittedNotebook.id == grade.notebook_id)
            .join(of, of.id == api.SubmittedNotebook.assignment_id)
            .join(api.Assignment, api.Assignment.id == of.assignment_id)
            .where(api.Assignment.name == assignment)
            .where(~extended_alone())
        )
        found = gradebook.db.execute(query).all()
    order = {cell: number for number, cell in enumerate(cells)}
    found.sort(key=lambda row: (row[0], order[row[1]]))
    rows = []
    for student, cell, score, waits in found:
        name, most = cells[cell]
        rows.append(Points(student, name, float(score), float(most), bool(waits)))
    return rows


def _cells(gradebook, assignment: str) -> dict[str, tuple[str, float]]:
    """Return id: (name, points) of the graded cells, in order of the notebooks."""
    from nbgrader.api import MissingEntry

    try:
        notebooks = gradebook.find_assignment(assignment).notebooks
    except MissingEntry:
        return {}
    cells = {}
    for notebook in notebooks:
        order = [cell.name for cell in notebook.source_cells]
        graded = [*notebook.grade_cells, *notebook.task_cells]
        for cell in sorted(graded, key=lambda cell: order.index(cell.name)):
            cells[cell.id] = cell.name, cell.max_score
    return cells


def facts(assignment: str, course: Course | Path) -> dict:
    """Return what the report says, as lists of objects, one a line of a table.

    "students", "exercises", "refused", "tampered", "rule", "repaired", "cells":
    "exercises" has each one's share of its points over the class, as a fraction.
    "cost" is one object; times are in seconds and memory is in bytes. CourseError if
    nothing was graded or refused.
    """
    course = Course.open(course)
    rows, results = points(assignment, course), last_run(assignment, course)
    if not rows and not results:
        raise CourseError(
            f"nothing of {assignment} is graded in {course}: "
            f"run `course grade {assignment} --course {shlex.quote(str(course))}` "
            "first."
        )
    refused = [row for row in results if row.status == "refused"]
    return {
        "assignment": assignment,
        "students": _students(rows, results),
        "exercises": _exercises(rows),
        "refused": [{"student": r.student, "reason": r.reason} for r in refused],
        **{kind: _noted(results, kind) for kind in ("tampered", "rule", "repaired")},
        "cells": _times(results),
        "cost": _cost(results),
    }


def _students(rows: list[Points], results: list[Result]) -> list[dict]:
    penalties = {result.student: result.penalty for result in results}
    found: dict[str, dict] = {}
    for row in rows:
        one = found.setdefault(row.student, {"student": row.student, "points": {}})
        one["points"].setdefault(row.exercise, 0.0)
        one["points"][row.exercise] += row.score
        one.setdefault("waiting", [])
        if row.waits and row.exercise not in one["waiting"]:
            one["waiting"].append(row.exercise)
    for name, one in found.items():
        one["score"] = sum(one["points"].values())
        one["penalty"] = penalties.get(name, 0.0)
        one["total"] = max(0.0, one["score"] - one["penalty"])
    return list(found.values())


def _exercises(rows: list[Points]) -> list[dict]:
    found: dict[str, dict] = {}
    for row in rows:
        empty = {"exercise": row.exercise, "max_score": 0.0, "share": 0.0, "waiting": 0}
        one = found.setdefault(row.exercise, empty)
        one["max_score"] += row.max_score  # of the class, until below
        one["share"] += row.score
        one["waiting"] += row.waits
    students = len({row.student for row in rows})
    for one in found.values():
        one["share"] /= one["max_score"] or 1.0
        one["max_score"] /= students
    return list(found.values())


def _noted(results: list[Result], kind: str) -> list[dict]:
    """Return who has notes of a kind, the first word of each, and what they say."""
    found = []
    for result in results:
        parts = [note.partition(": ") for note in result.notes]
        what = [text for first, _, text in parts if first == kind]
        if what:
            found.append({"student": result.student, "what": what})
    return found


def _times(results: list[Result]) -> list[dict]:
    """Return each cell's median and longest time, slowest cell first."""
    taken: dict[str, dict[str, float]] = {}
    for result in results:
        for cell, seconds in result.by_cell.items():
            taken.setdefault(cell, {})[result.student] = seconds
    rows = []
    for cell, times in taken.items():
        student = max(times, key=times.get)
        slowest = {"longest": times[student], "student": student}
        rows.append({"cell": cell, "median": median(times.values())} | slowest)
    return sorted(rows, key=lambda row: -row["median"])


def _cost(results: list[Result]) -> dict:
    """Return means of a submission's wall and CPU time, and the largest memory."""
    costs = [result.cost for result in results if result.cost]
    if not costs:
        return {}
    found = {"submissions": len(costs)}
    for name in ("wall", "cpu"):
        found[name] = fmean(cost.get(name, 0.0) for cost in costs)
    return found | {"memory": max(cost.get("memory", 0) for cost in costs)}
