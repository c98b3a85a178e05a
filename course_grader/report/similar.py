"""Answers that are nearly the same, by copydetect: a reason to ask, and no verdict.

copydetect (Lingenfelter) takes names, strings, comments and white space out of the code
and compares its pieces of K characters. Pieces of the release count for nobody.
Source: Schleimer, Wilkerson, Aiken 2003, Winnowing, SIGMOD.
"""

from __future__ import annotations

import io
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from course_grader.assignment.course import Course
from course_grader.store import folders
from course_lib.errors import CourseError

K = 25  # characters of a piece, after names are one letter each: a line or so
LEAST = 100  # pieces of one's own below which answers are too short to compare
ALIKE = 0.8  # share of the shorter's pieces; two right answers of ours have up to 0.29
FAIR = (
    "A match is a reason to ask, not a verdict: short exercises have few answers, and "
    "students may have worked together as you allowed. Look at both, then ask."
)


class Pair(NamedTuple):
    """Two students whose answers are nearly the same."""

    one: str
    other: str
    share: float  # of the shorter answers' pieces that the other has, too


def similar(assignment: str, course: Course | Path, alike: float = ALIKE) -> list[Pair]:
    """Return the pairs, most alike first; needs copydetect, which runs here alone."""
    course = Course.open(course)
    given = _pieces(_notebooks(course.released(assignment)))
    own = {}
    for student, folder in folders.graded(course.folder, assignment).items():
        mine = _pieces(_open(_notebooks(folder))) - given
        if len(mine) >= LEAST:
            own[student] = mine
    pairs = [Pair(a, b, overlap(own[a], own[b])) for a, b in combinations(own, 2)]
    return sorted((p for p in pairs if p.share >= alike), key=lambda p: -p.share)


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


def _pieces(notebooks: list[NotebookNode]) -> set[int]:
    """Return the pieces of all code, cell by cell."""
    cells = (cell for notebook in notebooks for cell in notebook.cells)
    return set().union(*(pieces(c.source) for c in cells if c.cell_type == "code"))


def _open(notebooks: list[NotebookNode]) -> list[NotebookNode]:
    """Return the notebooks without locked cells: autograded/ has hidden tests there."""
    return [
        NotebookNode(cells=[c for c in notebook.cells if not _is_locked(c)])
        for notebook in notebooks
    ]


def _is_locked(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("locked"))


def _notebooks(folder: Path) -> list[NotebookNode]:
    paths = sorted(folder.glob("*.ipynb"))
    return [nbformat.read(path, as_version=4) for path in paths]
