"""For authors: execute notebooks, compare them with their sources, test them."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from course_lib.commands.shared import Units, console, line, shown
from course_lib.errors import CourseError
from course_lib.files import ROOT

notebooks = typer.Typer(
    no_args_is_help=True, help="Execute, compare and test notebooks."
)


@notebooks.command("run")
def notebooks_run(
    units: Units = None,
    force: Annotated[bool, typer.Option(help="Also those in step already.")] = False,
):
    """Execute the notebooks whose .py changed and write their .ipynb twins.

    Example: course notebooks run 04_alexnet --force
    """
    names = chosen(units)
    changed = [name for name in names if force or drift(name)]
    for name in changed:
        line(f"wrote {shown(execute(name))}")
    line(f"{len(names) - len(changed)} of {len(names)} were in step already")


def execute(unit: str) -> Path:
    """Execute one notebook under a progress bar; return where its twin is."""
    from rich.progress import Progress

    from course_lib import kernel, notebook

    with Progress(console=console) as bar:
        task = bar.add_task(unit)
        with kernel.running(unit):
            path = notebook.run(unit, on_cell=partial(show_cell, bar, task))
        bar.update(task, completed=1, total=1)
    return path


def show_cell(bar, task, done: int, cells: int) -> None:
    bar.update(task, completed=done, total=cells)


@notebooks.command("check")
def notebooks_check(units: Units = None):
    """Compare each .py with its executed twin, without executing.

    Example: course notebooks check
    """
    names = chosen(units)
    apart = {name: found for name in names if (found := drift(name))}
    for name, found in apart.items():
        for problem in found:
            line(f"{name}: {shown(problem)}")
    if apart:
        raise CourseError(f"run `course notebooks run {' '.join(apart)}`")
    line(f"{len(names)} notebooks in step")


@notebooks.command("test")
def notebooks_test(units: Units = None):
    """Execute the notebooks again and compare each output with the stored one.

    Those that hold are noted as verified: until something that they reach changes,
    `make test` leaves them out. Each runs on one thread, as there.

    Example: course notebooks test 04_alexnet
    """
    import os
    import subprocess
    from importlib.util import find_spec

    from course_lib import notebook

    if find_spec("nbval") is None:
        raise ModuleNotFoundError(name="nbval")
    command = [sys.executable, "-m", "pytest", "--nbval", "-q"]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    moved = []
    for name in chosen(units):
        twin = notebook.source(name).with_suffix(".ipynb")
        done = subprocess.run([*command, str(twin)], cwd=ROOT, env=one_thread)
        if done.returncode:
            moved.append(name)
        else:
            notebook.verified(name)
    if moved:
        raise CourseError(f"other outputs than stored: {', '.join(moved)}")


def drift(unit: str) -> list[str]:
    """Return in what a notebook and its twin differ; CourseError for no notebook."""
    from course_lib import notebook

    try:
        return notebook.drift(unit)
    except ValueError as error:  # no JSON, no UTF-8
        raise CourseError(
            f"{notebook.source(unit).with_suffix('.ipynb')} is no notebook ({error}): "
            f"remove it, and `course notebooks run {unit}` makes it anew"
        ) from error


def chosen(units: list[str] | None) -> list[str]:
    """Return the full names of the units, of all if none is named."""
    from course_lib import notebook

    return [notebook.source(unit).stem for unit in units or notebook.units()]
