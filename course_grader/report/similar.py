"""Answers that are nearly the same, by copydetect: a reason to ask, and no verdict.

copydetect (Lingenfelter) takes names, strings, comments and white space out of the code
and compares its pieces of K characters. Pieces of the release count for nobody.
Source: Schleimer, Wilkerson, Aiken 2003, Winnowing, SIGMOD.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from course_grader.assignment.cells import exercise, notebook_in
from course_grader.assignment.course import Course
from course_grader.store import folders
from course_grader.store.sections import members
from course_lib.errors import CourseError
from course_lib.hand_in import guide

K = 25  # characters of a piece, after names are one letter each: a line or so
LEAST = 100  # pieces of one's own below which answers are too short to compare
ALIKE = 0.8  # share of the shorter's pieces; two right answers of ours: below 0.4
WHOLE = ""  # all exercises together
FAIR = (
    "A match is a reason to ask, not a verdict: short exercises have few answers, and "
    "students may have worked together as you allowed. In one exercise alone it says "
    "less than in all. Look at both, then ask."
)


class Pair(NamedTuple):
    """Two students whose answers are nearly the same."""

    one: str
    other: str
    share: float  # of the shorter answers' pieces that the other has, too
    exercise: str = WHOLE


def similar(
    assignment: str, course: Course | Path, alike: float = ALIKE, section: str = ""
) -> list[Pair]:
    """Return the pairs, most alike first; needs copydetect, which runs here alone.

    Who is alike as a whole comes first, then who is in one exercise alone.
    section: one of the two is in it.
    """
    course = Course.open(course)
    released = [cell.source for cell in _code(course.released(assignment))]
    given = set().union(*map(pieces, [*released, guide.CHECK]))
    own: dict[str, dict[str, set[int]]] = defaultdict(dict)
    for student, folder in folders.graded(course.folder, assignment).items():
        for name, mine in _by_exercise(folder).items():
            if len(mine - given) >= LEAST:
                own[name][student] = mine - given
    pairs = [
        Pair(a, b, overlap(of[a], of[b]), name)
        for name, of in own.items()
        for a, b in combinations(of, 2)
    ]
    pairs = [pair for pair in pairs if pair.share >= alike]
    if section:
        with course.gradebook() as gradebook:
            inside = members(gradebook, section)
        pairs = [pair for pair in pairs if inside & set(pair[:2])]
    whole = {pair[:2] for pair in pairs if pair.exercise == WHOLE}
    found = [pair for pair in pairs if pair.exercise == WHOLE or pair[:2] not in whole]
    return sorted(found, key=lambda pair: (pair.exercise != WHOLE, -pair.share))


def overlap(one: set[int], other: set[int]) -> float:
    """Return the share of the shorter's pieces that the longer has, too."""
    return len(one & other) / min(len(one), len(other))


def pieces(code: str) -> set[int]:
    """Return the pieces of some code, as numbers that are the same in this process."""
    try:
        from copydetect import CodeFingerprint
    except ModuleNotFoundError as error:
        raise CourseError(
            "this needs copydetect, which is not installed: pip install copydetect"
        ) from error

    text = io.StringIO(code)
    return CodeFingerprint("answer.py", K, 1, language="python", fp=text).hashes


def _by_exercise(folder: Path) -> dict[str, set[int]]:
    """Return the pieces of what a student could write; autograded/ has tests, too."""
    found: dict[str, set[int]] = defaultdict(set)
    for cell in _code(folder):
        facts = cell.metadata.get("nbgrader", {})
        if not facts.get("locked"):
            mine = pieces(cell.source)
            found[WHOLE] |= mine
            if name := facts.get("grade_id"):
                found[exercise(name)] |= mine
    return found


def _code(folder: Path) -> Iterator[NotebookNode]:
    for path in sorted(folder.glob("*.ipynb")):
        cells = notebook_in(path).cells
        yield from (cell for cell in cells if cell.cell_type == "code")
