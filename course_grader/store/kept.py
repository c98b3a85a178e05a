"""A graded notebook as it is kept in autograded/, safe in nbgrader's formgrader.

formgrader cleans nothing of what it shows in the instructor's browser. So what a
student wrote or printed is made harmless here, and the metadata is the gradebook's and
the release's.
"""

from __future__ import annotations

import re
from html import escape

from nbformat import NotebookNode, v4
from nbgrader.preprocessors import IgnorePattern, LimitOutput
from traitlets.config import Config

from course_grader.assignment.bundle import Lesson
from course_grader.assignment.cells import grade_id
from course_grader.report import sanitise
from course_grader.report.feedback import is_remote

CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def restored(notebook: NotebookNode, lesson: Lesson) -> NotebookNode:
    """Return a copy whose metadata is the gradebook's, and marks what was `remote`."""
    cells = []
    for cell in notebook.cells:
        known, metadata = lesson.cells.get(grade_id(cell)), NotebookNode()
        if known is not None:
            metadata["nbgrader"] = NotebookNode(known.metadata.nbgrader)
        if is_remote(cell):
            metadata["course"] = NotebookNode(remote=True)
        cells.append(NotebookNode(cell, metadata=metadata))
    return NotebookNode(notebook, cells=cells)


def leave_others(
    notebook: NotebookNode, kept: list[NotebookNode], only: frozenset[str]
) -> None:
    """Give the tests of a `restored` notebook that are not in `only` their old outputs.

    kept: the cells of the same notebook, as it was graded before.
    """
    before = {grade_id(cell): cell for cell in kept}
    for cell in notebook.cells:
        name = grade_id(cell)
        if name in before and name not in only and cell.get("outputs") is not None:
            facts = cell.metadata.nbgrader
            if facts.grade and not facts.solution:
                cell.outputs = before[name].outputs
                cell.metadata.pop("course", None)
                cell.metadata |= {
                    k: v for k, v in before[name].metadata.items() if k == "course"
                }


class Keeper:
    """Turns the graded notebooks of one lesson into files."""

    def __init__(self, lesson: Lesson, config: Config):
        ours = [*lesson.released.cells, *lesson.cells.values()]
        self.ours = {cell.source for cell in ours}
        known = lesson.released.metadata
        names = "kernelspec", "language_info"
        self.metadata = NotebookNode({n: known[n] for n in names if n in known})
        steps = IgnorePattern(config=config), LimitOutput(config=config)
        self.steps = [step for step in steps if step.enabled]

    def text(self, notebook: NotebookNode) -> bytes:
        """Return the file of a `restored` notebook, harmless and not too long."""
        taken: set[str] = set()
        heavy = sanitise.heavy(notebook)
        whole = NotebookNode(
            cells=[self._cell(cell, taken, heavy) for cell in notebook.cells],
            metadata=self.metadata,
            nbformat=4,
            nbformat_minor=5,
        )
        return v4.writes(whole).encode("utf-8", "replace") + b"\n"

    def _cell(self, cell: NotebookNode, taken: set[str], heavy: bool) -> NotebookNode:
        new = NotebookNode(
            cell_type=cell.cell_type,
            id=_name(cell.get("id"), taken),
            metadata=cell.metadata,
            source=cell.source if cell.source in self.ours else _source(cell),
        )
        if cell.cell_type == "code":
            count = cell.get("execution_count")
            new.execution_count = count if type(count) is int else None
            new.outputs = [NotebookNode(output) for output in cell.outputs]
            for step in self.steps:
                step.preprocess_cell(new, {}, 0)
            new.outputs = sanitise.outputs(new.outputs, text=heavy)
        elif "attachments" in cell:
            new.attachments = sanitise.attached(cell.attachments)
        return new


def _source(cell: NotebookNode) -> str:
    if cell.cell_type == "markdown":
        attachments = sanitise.attached(cell.get("attachments"))
        return sanitise.markdown(cell.source, attachments)
    return cell.source if cell.cell_type == "code" else escape(cell.source)


def _name(name: object, taken: set[str]) -> str:
    """Return the cell's id if it is one, and no other cell's; else a new one."""
    if not (isinstance(name, str) and CELL_ID.fullmatch(name)) or name in taken:
        name = f"cell-{len(taken)}"
    while name in taken:
        name += "x"
    taken.add(name)
    return name
