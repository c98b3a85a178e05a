"""What a submission may not decide: which cells are graded, their points, their tests.

nbgrader restores the text of locked cells. It believes the rest of a submission's
metadata, so that one tag (`skip-execution`) on a test cell is full marks; `Restore`
takes all metadata from the gradebook instead.
"""

from __future__ import annotations

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor

SCHEMA = 3  # of nbgrader's cell metadata


class Restore(NbGraderPreprocessor):
    """Give every cell the metadata of the release, and put removed tests back."""

    def preprocess(self, notebook: NotebookNode, resources: dict):
        here = resources["nbgrader"]
        with Gradebook(here["db_url"]) as gradebook:
            source = gradebook.find_notebook(here["notebook"], here["assignment"])
            known = released_cells(source)
        free = dict(known)
        for cell in reversed(notebook.cells):  # of two with one name the last counts
            name, cell.metadata = grade_id(cell), NotebookNode()
            if name in free:
                cell.metadata["nbgrader"] = free.pop(name).metadata.nbgrader
        _put_back(notebook.cells, known)
        return notebook, resources


class WarningsAreNoErrors(NbGraderPreprocessor):
    """Let a test that passes pass, though the answer it calls printed a warning.

    nbgrader gives 0 points to a test cell with anything on stderr.
    """

    def preprocess_cell(self, cell: NotebookNode, resources: dict, index: int):
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.name = "stdout"
        return cell, resources


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


def _put_back(cells: list[NotebookNode], known: dict[str, NotebookNode]) -> None:
    """Insert the locked cells that are gone, each after the cell it followed."""
    place = 0
    for name, cell in known.items():
        at = [n for n, other in enumerate(cells) if grade_id(other) == name]
        if at:
            place = at[-1] + 1
        elif cell.metadata.nbgrader.locked:
            cells.insert(place, cell)
            place += 1


def grade_id(cell: NotebookNode) -> str | None:
    """Return the cell's name in the gradebook, whatever its metadata looks like."""
    facts = cell.metadata.get("nbgrader")
    name = facts.get("grade_id") if isinstance(facts, dict) else None
    return name if isinstance(name, str) else None


def tampering(submitted: NotebookNode, released: NotebookNode) -> list[str]:
    """Say what was done to protected parts of the release, a phrase for each kind."""
    found: dict[str, list[str]] = {}
    handed_in: dict[str, NotebookNode] = {}
    for cell in submitted.cells:
        name = grade_id(cell)
        if "skip-execution" in cell.metadata.get("tags", []):
            found.setdefault("tagged skip-execution", []).append(name or "a cell")
        if name in handed_in:
            found.setdefault("there twice", []).append(name)
        if name:
            handed_in[name] = cell
    for cell in released.cells:
        name = grade_id(cell)
        for kind in _changes(cell, handed_in.get(name)) if name else []:
            found.setdefault(kind, []).append(name)
    return [f"{kind}: {_listed(names)}" for kind, names in found.items()]


def _changes(cell: NotebookNode, mine: NotebookNode | None) -> list[str]:
    facts = cell.metadata["nbgrader"]
    locked = facts.get("locked")
    if mine is None:
        return ["locked but removed"] if locked else []
    edited = locked and mine.source.split() != cell.source.split()
    kinds = ["locked but edited"] if edited else []
    for key in ("points", "grade", "solution", "locked"):
        value = mine.metadata["nbgrader"].get(key)
        if value != facts.get(key):
            kinds.append(f"{key} set to {value!r}")
    return kinds


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
