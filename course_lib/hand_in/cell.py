"""What nbgrader's metadata says of a cell: a student need not have nbgrader itself.

Source: nbgrader.utils, whose functions these equal on every cell; a test compares.
"""

from __future__ import annotations

import hashlib

from nbformat import NotebookNode


def is_solution(cell: NotebookNode) -> bool:
    """Does a student answer in it?"""
    return _facts(cell).get("solution", False)


def is_grade(cell: NotebookNode) -> bool:
    return _facts(cell).get("grade", False)


def is_locked(cell: NotebookNode) -> bool:
    """Is it replaced by the released one before it is graded?"""
    locked = is_grade(cell) or _facts(cell).get("locked", False)
    return not is_solution(cell) and locked


def checksum(cell: NotebookNode) -> str:
    """Return the md5 that a release stores, which tells a cell that was changed."""
    facts = _facts(cell)
    parts = [cell.source, cell.cell_type]
    parts += [str(ask(cell)) for ask in (is_grade, is_solution, is_locked)]
    parts.append(facts["grade_id"])
    if is_grade(cell):
        parts.append(str(float(facts["points"])))
    return hashlib.md5("".join(parts).encode("utf-8", "replace")).hexdigest()


def as_released(cell: NotebookNode) -> bool:
    """Is it, by its checksum, what the assignment's release holds?"""
    return checksum(cell) == _facts(cell).get("checksum")


def _facts(cell: NotebookNode) -> dict:
    return cell.metadata.get("nbgrader", {})
