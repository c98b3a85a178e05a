"""Run an assignment's visible tests as `course check` shows them: exercise by exercise.

The notebook is run from its first cell to its last in a new kernel, as "Restart Kernel
and Run All Cells" does, but goes on after an error. The student's file is only read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode
from rich.markup import escape
from rich.table import Table

from course_lib import kernel
from course_lib.hand_in.cell import as_released, is_grade, is_solution
from course_lib.hand_in.ipynb import parse
from course_lib.terminal import printable

SECONDS = 300  # a cell
EXERCISE = re.compile(r"^#+ +(\d+ · .*?)(?: \(\d+ points?\))?$", re.M)
STOPPED = "it took more than {} seconds and was stopped"
IN_LAB = "JPY_SESSION_NAME"  # Jupyter's server sets it for the kernels that it starts
PASSED, FAILED, UNANSWERED, WRITTEN = "passed", "failed", "unanswered", "written"
SIGNS = {PASSED: "[green]✓[/]", FAILED: "[red]✗[/]"}
SIGNS |= {UNANSWERED: "[yellow]✗[/]", WRITTEN: "·"}
WORDS = {UNANSWERED: "not answered yet", WRITTEN: "a person reads it"}


class Check(NamedTuple):
    """What became of one visible test, or of one answer in words."""

    exercise: str
    cell: str
    status: str  # PASSED, FAILED or UNANSWERED; WRITTEN: a person will read it
    message: str  # why, in the test's own words


def check_notebook(
    path: Path,
    seconds: int = SECONDS,
    on_cell: Callable[[int, int], None] = lambda done, cells: None,
) -> list[Check]:
    """Run a notebook; return what its visible tests say, in their order.

    seconds: a cell may take.  on_cell(done, cells): called before each code cell.
    CourseError: there is no kernel, or it died.
    """
    from nbclient import NotebookClient

    notebook, _ = parse(path.read_bytes(), path.name)
    asked = tests_of(notebook)
    untouched = {name for name, cell in answers(notebook).items() if as_released(cell)}
    client = NotebookClient(
        notebook,
        timeout=seconds,
        startup_timeout=SECONDS,  # 60 s, the default, are few on a busy laptop
        interrupt_on_timeout=True,
        allow_errors=True,
        kernel_name="python3",
        record_timing=False,
        extra_arguments=["--log-level=40"],  # errors: a warning is not for students
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.on_cell_start = lambda cell, cell_index: on_cell(
        cell_index, len(notebook.cells)
    )
    with kernel.running(path.name):
        client.execute(env={k: v for k, v in os.environ.items() if k != IN_LAB})
    return [outcome(exercise, cell, untouched, seconds) for exercise, cell in asked]


def show(assignment: str) -> None:
    """In JupyterLab, print what the visible tests of the saved notebook say.

    Elsewhere nothing: who checks or grades a notebook runs the cell that calls this.
    """
    if IN_LAB not in os.environ:
        return
    from rich import print

    from course_lib.hand_in.submit import named

    path = named(Path.cwd(), assignment)
    print(f"Running {path.name} from the top, as it is saved …")
    print(table(check_notebook(path)))


def table(rows: list[Check]) -> Table:
    """Return a row for each exercise's name and one for each of its tests."""
    found, before = Table(show_header=False, box=None), None
    for row in rows:
        if row.exercise != before:
            found.add_row("", f"[bold]{shown(row.exercise)}[/]")
        before = row.exercise
        reason = WORDS.get(row.status) or row.message
        reason = f": {shown(reason)}" if reason else ""
        found.add_row(SIGNS[row.status], f"{shown(row.cell)}{reason}")
    return found


def shown(text: str) -> str:
    return escape(printable(text))


def answers(notebook: NotebookNode) -> dict[str, NotebookNode]:
    return {name_of(cell): cell for cell in notebook.cells if is_solution(cell)}


def name_of(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def tests_of(notebook: NotebookNode) -> list[tuple[str, NotebookNode]]:
    """Return each graded cell that has something in it, with its exercise."""
    exercise, found = "", []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (heading := EXERCISE.search(cell.source)):
            exercise = heading[1]
        if not is_grade(cell):
            continue
        code = re.sub(r"(?m)^\s*(#.*)?$", "", cell.source).strip()
        if is_solution(cell) or code:  # a hidden test's cell is empty here
            found.append((exercise or name_of(cell), cell))
    return found


def outcome(exercise: str, cell, untouched: set[str], seconds: int) -> Check:
    """Read what a cell left behind when it was run."""
    name = name_of(cell)
    if is_solution(cell):
        return Check(exercise, name, UNANSWERED if name in untouched else WRITTEN, "")
    errors = [out for out in cell.get("outputs", []) if out.output_type == "error"]
    if not errors:
        return Check(exercise, name, PASSED, "")
    kind, message = errors[0].ename, " ".join(errors[0].evalue.split())
    if kind == "NotImplementedError":
        return Check(exercise, name, UNANSWERED, message)
    if kind == "KeyboardInterrupt":
        return Check(exercise, name, FAILED, STOPPED.format(seconds))
    if kind in ("AssertionError", "CheckFailed") and message:
        return Check(exercise, name, FAILED, message)
    return Check(exercise, name, FAILED, f"{kind}: {message}".rstrip(": "))
