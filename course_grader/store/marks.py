"""From executed cells to points and comments: nbgrader's rules, said once."""

from __future__ import annotations

from typing import NamedTuple

from nbformat import NotebookNode
from nbgrader.utils import (
    compute_checksum,
    determine_grade,
    is_grade,
    is_solution,
    is_task,
)


class Marks(NamedTuple):
    """What one notebook gets, by name of the cell."""

    points: dict[str, float | None]  # None: a person has to read it
    comments: dict[str, str | None]
    unclear: list[str]  # tests whose result is no number of their points


def mark(notebook: NotebookNode) -> Marks:
    """Mark every cell that has nbgrader's metadata, all of it from the gradebook."""
    cells = {c.metadata.nbgrader.grade_id: c for c in named(notebook)}
    graded = {name: points(c) for name, c in cells.items() if is_grade(c)}
    answers = {n: c for n, c in cells.items() if is_solution(c) or is_task(c)}
    unclear = [
        name
        for name, score in graded.items()
        if score is None and not is_solution(cells[name])
    ]
    return Marks(graded, {n: comment(c) for n, c in answers.items()}, unclear)


def named(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if "nbgrader" in cell.metadata]


def points(cell: NotebookNode) -> float | None:
    """Return the points of a graded cell, by nbgrader; None: a person has to read it.

    Two cases differ from nbgrader. Text on stderr is no error: a right answer may warn.
    And a test whose last value is no number from 0 to its points is read by a person;
    nbgrader gives full marks for a negative one or NaN, and stops at one too large.
    """
    outputs = [o for o in cell.get("outputs", []) if o.get("name") != "stderr"]
    try:
        score, most = determine_grade(NotebookNode(cell, outputs=outputs))
        results = [o for o in outputs if o.output_type == "execute_result"]
        if results and score == most and not _in_range(results[0], most):
            return None
        return score
    except (KeyError, ValueError):  # no text to read the number from; too large
        return None


def _in_range(result: NotebookNode, most: float) -> bool:
    try:
        return 0 <= float(result.data["text/plain"]) <= most
    except ValueError:  # words, which nbgrader takes for "passed"
        return True


def comment(cell: NotebookNode) -> str | None:
    """Return nbgrader's own remark on an answer that is as it was released."""
    untouched = cell.metadata.nbgrader.get("checksum") == compute_checksum(cell)
    return "No response." if untouched and not is_task(cell) else None
