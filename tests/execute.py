"""Score an assignment's cells without a kernel: quick enough for one mistake a test.

The cells of the built solution run in order, in a plain namespace and in a folder of
their own. A test cell gives its points when it neither raises nor writes to stderr,
which is nbgrader's rule; a slow test holds this module against nbgrader itself.

Given an earlier `Run`, only what a change can reach runs again: the changed cells, and
every cell that uses a name which such a cell binds.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import symtable
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from course_grader.mutate.kill import inside, run
from course_lib.notebook import ROOT

SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION$.*?^ *### END SOLUTION$", re.M | re.S)


class Run(NamedTuple):
    """What came out of an assignment's cells."""

    points: dict[str, float]  # by test cell, of those that ran
    errors: dict[str, str]  # by cell, of those that raised or wrote to stderr
    space: dict  # the names they left

    @property
    def lost(self) -> set[str]:
        """The test cells that gave nothing."""
        return {name for name, points in self.points.items() if points == 0}


def notebook(assignment: str):
    """Return the built solution of an assignment."""
    import nbformat

    return nbformat.read(ROOT / "solutions" / assignment / f"{assignment}.ipynb", 4)


def released(assignment: str) -> bytes:
    """Return the notebook that students get, even where one has begun to solve it."""
    path = f"assignments/{assignment}/{assignment}.ipynb"
    found = [text for text in versions(path) if text and not begun(text)]
    return found[0] if found else (ROOT / path).read_bytes()


def versions(path: str) -> list[bytes]:
    """Return a file of the checkout as it lies there, and as git has it."""
    shown = subprocess.run(["git", "show", f":{path}"], cwd=ROOT, capture_output=True)
    return [(ROOT / path).read_bytes(), shown.stdout]


def begun(text: bytes) -> bool:
    """Say whether a release has been run, or has an answer in one of its code cells."""
    for cell in json.loads(text)["cells"]:
        answer = cell["metadata"].get("nbgrader", {}).get("solution")
        if cell["cell_type"] == "code" and (
            cell["execution_count"]
            or (answer and "raise NotImplementedError" not in "".join(cell["source"]))
        ):
            return True
    return False


def named(cells) -> dict:
    """Return grade id: cell, of the cells that have one."""
    facts = ((cell.metadata.get("nbgrader", {}), cell) for cell in cells)
    return {fact["grade_id"]: cell for fact, cell in facts if fact.get("grade_id")}


def points(assignment: str, manual: bool = False) -> dict[str, float]:
    """Return the points of each test cell, or of each question that a person reads."""
    cells = named(notebook(assignment).cells)
    facts = {name: cell.metadata["nbgrader"] for name, cell in cells.items()}
    return {
        name: fact["points"]
        for name, fact in facts.items()
        if fact["grade"] and fact["solution"] == manual
    }


def cleared(source: str) -> str:
    """Return a cell as it is released, its solution regions cleared."""
    return SOLUTION.sub(r"\1raise NotImplementedError", source)


def edited(source: str, old: str, new: str) -> str:
    """Return a cell with one mistake; `old` must be there, or it would be none."""
    if old not in source:
        raise ValueError(f"{old!r} is not in the solution")
    return source.replace(old, new)


def rewritten(source: str, body: str) -> str:
    """Return a function's cell with another body in place of its solution region."""
    lines = "\n".join("    " + line if line else "" for line in body.split("\n"))
    return SOLUTION.sub(lambda match: lines, source)


def score(
    assignment: str,
    folder: Path,
    changes: dict[str, str] | None = None,
    *,
    skip: Iterable[str] = (),
    after: Run | None = None,
    again: Iterable[str] = (),
) -> Run:
    """Run the solution, in `folder`, with some of its cells changed.

    changes: grade id: new source. skip: cells left out, for time.
    after: a run without changes, whose results stand where no change reaches.
    again: cells to run in any case, since they read a file that was changed.
    """
    cells = _sources(assignment, changes or {})
    reached = (
        set(cells) if after is None else _reached(cells, {*(changes or {}), *again})
    )
    errors = {} if after is None else dict(after.errors)
    space = {"__name__": "__main__"} if after is None else dict(after.space)
    with inside(folder):
        for name, source in cells.items():
            if name in reached and name not in skip:
                errors[name] = run(source, name, space)
    errors = {name: error for name, error in errors.items() if error}
    most = {n: p for n, p in points(assignment).items() if n not in skip}
    return Run({n: 0.0 if n in errors else p for n, p in most.items()}, errors, space)


def _sources(assignment: str, changes: dict[str, str]) -> dict[str, str]:
    """Return the code cells in order, by grade id or by place."""
    sources = {}
    for number, cell in enumerate(notebook(assignment).cells):
        if cell.cell_type == "code":
            name = cell.metadata.get("nbgrader", {}).get("grade_id", f"cell {number}")
            sources[name] = changes.get(name, cell.source)
    return sources


def _reached(cells: dict[str, str], changed: set[str]) -> set[str]:
    """Return the changed cells and those that, over any way, use a name of theirs."""
    reached, names = set(), set()
    for name, source in cells.items():
        table = symtable.symtable(source, name, "exec").get_symbols()
        binds = {s.get_name() for s in table if s.is_assigned() or s.is_imported()}
        nodes = (node for node in ast.walk(ast.parse(source)) if type(node) is ast.Name)
        uses = {node.id for node in nodes if isinstance(node.ctx, ast.Load)} - binds
        if name in changed or uses & names:
            reached.add(name)
            names |= binds
    return reached
