"""Score an assignment's cells without a kernel: quick enough for a mistake a test.

The cells of the built solution run in a plain namespace, in order, in a folder of their
own. A test cell gives its points when it neither raises nor writes to stderr, which is
nbgrader's rule; a slow test holds this harness against nbgrader itself.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterable
from pathlib import Path

import matplotlib
import nbformat

ROOT = Path(__file__).parents[2]
SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION$.*?^ *### END SOLUTION$", re.M | re.S)


def notebook(assignment: str, folder: str = "solutions"):
    """Return a built notebook: of "solutions" or of "assignments"."""
    return nbformat.read(ROOT / folder / assignment / f"{assignment}.ipynb", 4)


def named(cells) -> dict:
    """Return grade id: cell."""
    facts = ((cell.metadata.get("nbgrader", {}), cell) for cell in cells)
    return {fact["grade_id"]: cell for fact, cell in facts if fact.get("grade_id")}


def points(assignment: str, manual: bool = False) -> dict[str, float]:
    """Return the points of each test cell (or of each question read by a person)."""
    cells = named(notebook(assignment).cells)
    facts = {name: cell.metadata["nbgrader"] for name, cell in cells.items()}
    return {
        name: fact["points"]
        for name, fact in facts.items()
        if fact["grade"] and fact["solution"] == manual
    }


def cleared(source: str) -> str:
    """Return a cell as nbgrader releases it, its solution regions cleared."""
    return SOLUTION.sub(r"\1raise NotImplementedError", source)


def edited(source: str, old: str, new: str) -> str:
    """Return a solution cell with one mistake; `old` must be there, or it is none."""
    assert old in source, f"{old!r} is not in the solution"
    return source.replace(old, new)


def rewritten(source: str, body: str) -> str:
    """Return a solution cell with another body between its solution marks."""
    lines = "\n".join("    " + line if line else "" for line in body.split("\n"))
    return SOLUTION.sub(lambda match: lines, source)


def score(
    assignment: str,
    folder: Path,
    changes: dict[str, str] | None = None,
    skip: Iterable[str] = (),
) -> tuple[dict[str, float], dict[str, str]]:
    """Run the solution with some cells changed; return points and errors by cell name.

    changes: grade id: the cell's new source. skip: test cells not to run, for time.
    """
    matplotlib.use("Agg")
    errors: dict[str, str] = {}
    possible = points(assignment)
    space: dict = {"__name__": "__main__"}
    with inside(folder):
        for number, cell in enumerate(notebook(assignment).cells):
            name = cell.metadata.get("nbgrader", {}).get("grade_id", f"cell {number}")
            if cell.cell_type != "code" or name in skip:
                continue
            source = (changes or {}).get(name, cell.source)
            if error := _run(source, name, space):
                errors[name] = error
    ran = {name: most for name, most in possible.items() if name not in skip}
    return {name: 0.0 if name in errors else most for name, most in ran.items()}, errors


def _run(source: str, name: str, space: dict) -> str:
    """Run one cell; return what it raised or wrote to stderr, or ''."""
    written = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(written):
        try:
            exec(compile(source, name, "exec"), space)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return written.getvalue()


@contextlib.contextmanager
def inside(folder: Path):
    """Work in a folder; contextlib.chdir, which Python 3.10 has not."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
