"""The gradebook's cells: which are graded, their points, their tests."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from course_lib.errors import CourseError

SCHEMA = 3  # of nbgrader's cell metadata
ENDS = ("_visible", "_hidden", "_why", "_refuses")


def notebook_in(path: Path) -> NotebookNode:
    """Read a notebook of the course; CourseError if it is none: a conflict of git's."""
    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        reason = str(error)[:100]
        raise CourseError(
            f"{path} is no notebook ({reason}): take it from git again, or make it anew"
        ) from error


def released_cells(source) -> dict[str, NotebookNode]:
    """Return the gradebook's cells by grade id, in the order of the notebook."""
    points = {cell.name: cell.max_score for cell in source.grade_cells}
    points |= {cell.name: cell.max_score for cell in source.task_cells}
    solutions = {cell.name for cell in source.solution_cells}
    tasks = {cell.name for cell in source.task_cells}
    cells = {}
    for row in source.source_cells:
        facts = {
            "grade_id": row.name,
            "grade": row.name in points and row.name not in tasks,
            "solution": row.name in solutions,
            "task": row.name in tasks,
            "locked": row.locked,
            "cell_type": row.cell_type,
            "checksum": row.checksum,
            "schema_version": SCHEMA,
        }
        if row.name in points:
            facts["points"] = points[row.name]
        new = new_code_cell if row.cell_type == "code" else new_markdown_cell
        cells[row.name] = new(row.source, metadata={"nbgrader": facts})
    return cells


def grade_id(cell: NotebookNode) -> str | None:
    """Return the cell's name in the gradebook, whatever its metadata looks like."""
    facts = cell.metadata.get("nbgrader")
    name = facts.get("grade_id") if isinstance(facts, dict) else None
    return name if isinstance(name, str) else None


def exercise(name: str) -> str:
    """Return a cell's name without its last words: "lrn" of "lrn_hidden"."""
    while name.endswith(ENDS):
        name = name[: name.rfind("_")]
    return name
