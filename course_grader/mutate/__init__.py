"""Tests the tests: plants mistakes in the model solutions and sees which are caught.

Read in this order. `changes` says what may go wrong with one node of the syntax,
`plant` makes every mistake of a solution's cells, `kill` runs the tests of each in a
process of its own, `verdicts` sums up and knows the mistakes that are none.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from course_grader.assignment.course import Course
from course_lib.errors import CourseError

from .kill import judged
from .plant import cells, mutants, sample
from .verdicts import Outcome, equivalent, facts, stale, summed, write_table

__all__ = ["Outcome", "facts", "mutate", "solution", "write_table"]


def mutate(
    assignment: str,
    course: Course | Path,
    *,
    size: int | None = None,
    seed: int = 0,
    workers: int = 1,
    told: Callable[[int, int], None] = lambda done, all: None,
) -> Outcome:
    """Plant mistakes in an assignment's solution; nothing of the course is written.

    size: how many, drawn with `seed`; None is all of them.
    told: is called with how many are judged, and of how many, after each.
    Raises CourseError if there is no such solution or if it fails its own tests.
    """
    file = solution(assignment, course)
    found = cells(file)
    planted = mutants(found)
    if not planted:
        raise CourseError(f"{file} has no solution region with something to get wrong")
    sources = file.parent if file.suffix == ".py" else file.parent.parent
    chosen, known = sample(planted, size, seed), equivalent(sources, assignment)
    verdicts = []
    told(0, len(chosen))
    with tempfile.TemporaryDirectory(prefix="course-mutate-") as folder:
        for verdict in judged(found, chosen, Path(folder), workers):
            verdicts.append(verdict)
            told(len(verdicts), len(chosen))
    place = {mutant.key: number for number, mutant in enumerate(chosen)}
    verdicts.sort(key=lambda verdict: place[verdict.mutant.key])
    rows = summed(verdicts, known)
    return Outcome(assignment, rows, verdicts, known, stale(known, planted))


def solution(assignment: str, course: Course | Path) -> Path:
    """Return the file in which an assignment's solution is edited."""
    folder = Course.open(course).source(assignment)
    source = folder.with_name(f"{assignment}.py")
    return source if source.is_file() else folder / f"{assignment}.ipynb"
