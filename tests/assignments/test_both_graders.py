"""Each assignment gives the same points in stock nbgrader's kernel and in ours.

Ours runs answers in one process and tests in another; nbgrader runs both in one.
"""

from __future__ import annotations

import pytest
from nbgrader.converters import Autograde

from course_grader import grade, new_course, release, sample_class
from course_grader.assignment.course import Course
from course_grader.report import summary
from tests import execute
from tests.assignments import cases

HONEST = {"ada_right", "bo_partly"}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),
]


def mistake(assignment: str) -> tuple[str, str, str]:
    """The last of the answers that are code returns nothing."""
    cells = execute.named(execute.notebook(assignment).cells)
    answers = [
        name
        for name, cell in cells.items()
        if cell.cell_type == "code"
        and cell.metadata["nbgrader"]["solution"]
        and "\n    return " in cell.source
    ]
    return answers[-1], "\n    return ", "\n    return None and "


def points(assignment: str, course) -> dict[tuple[str, str], float]:
    rows = summary.points(assignment, course)
    return {(r.student, r.cell): r.score for r in rows if r.student in HONEST}


@pytest.mark.by_turns(5)
@cases.each_assignment
def test_both_give_the_same_points(name, tmp_path):
    ours, stock = (new_course(tmp_path / who, [name]) for who in ("ours", "stock"))
    for course in (ours, stock):
        release([name], course)
        sample_class(name, course, mistake(name))
    grade(name, ours)
    for student in sorted(HONEST):
        Course.open(stock).convert(Autograde, name, student)
    mine = points(name, ours)
    assert mine == points(name, stock)
    right = sum(v for (who, _), v in mine.items() if who == "ada_right")
    assert right == 18
    assert 0 < sum(v for (who, _), v in mine.items() if who == "bo_partly") < right
