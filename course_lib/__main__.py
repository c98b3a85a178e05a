"""The command line: `course …`. Each command is a few lines over the library."""

from __future__ import annotations

import os
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich import filesize
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from course_lib.errors import CourseError
from course_lib.notebook import ROOT

app = typer.Typer(
    help="Image classification from SIFT to the Vision Transformer: the tools.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console()
STUDENTS, AUTHORS, INSTRUCTORS = "Everyone", "Authors", "Instructors"


@app.callback()
def options(debug: Annotated[bool, typer.Option(help="Show tracebacks.")] = False):
    """Set what holds for every command; `main` reads --debug itself."""


@app.command(rich_help_panel=STUDENTS)
def doctor():
    """Look whether this machine is ready; every line says what to do if it is not."""
    from course_lib.doctor import examine

    show_findings(examine())
    console.print("[green]Ready.[/] Next: `make lab`, or `course train 04_alexnet`")


def show_findings(findings: list) -> None:
    """Print findings with their advice; CourseError if one must be put right."""
    marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "wrong": "[red]wrong[/]"}
    wrong = 0
    for finding in findings:
        wrong += finding.state == "wrong"
        console.print(f"{marks[finding.state]:<18} [bold]{finding.what}[/]", end=": ")
        console.print(finding.found, markup=False, highlight=False, soft_wrap=True)
        if finding.advice:
            console.print(f"         → {finding.advice}", markup=False, highlight=False)
    if wrong:
        raise CourseError(f"{wrong} of these must be put right first")


@app.command(rich_help_panel=STUDENTS)
def data(
    names: Annotated[
        list[str] | None, typer.Argument(help="data sets to fetch")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Show what is here.")] = False,
):
    """Fetch data sets, verified; a download that was cut off goes on where it stopped.

    They go to $COURSE_DATA, or to data/ of this checkout. Example: course data cifar10
    """
    from course_lib import data

    for name in names or []:
        console.print(f"{name}: {data.fetch(name)}", highlight=False, soft_wrap=True)
    if show or not names:
        for row in data.available():
            size, where = filesize.decimal(row.size), row.path or f"not here: {row.how}"
            console.print(f"[bold]{row.name}[/] {size}, {row.terms}", highlight=False)
            console.print(f"  {where}", highlight=False, soft_wrap=True)


@app.command(rich_help_panel=STUDENTS)
def train(
    unit: Annotated[str, typer.Argument(help="a notebook, e.g. 04_alexnet")],
    data: Annotated[
        str, typer.Option(help="a data set's name, a folder or an .npz")
    ] = "digits",
    network: Annotated[
        str | None, typer.Option(help="constructor; default: the unit's …_small")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="passes over the images")] = None,
    seed: Annotated[int, typer.Option(help="of weights, order and dropout")] = 0,
    size: Annotated[int, typer.Option(help="pixels a side")] = 32,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 …")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="another field of the recipe, e.g. learning_rate=0.02"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="folder for checkpoint, weights and record")
    ] = None,
    note: Annotated[str, typer.Option(help="a sentence to keep in the record")] = "",
):
    """Train a notebook's network outside Jupyter and write a training record.

    The recipe is the notebook's own for this data set. Stop it when you like: the same
    command goes on from the last checkpoint, at most a minute back.

    Example: course train 04_alexnet --data cifar10
    """
    from course_lib.recipe_fields import assignment
    from course_lib.run import train_unit

    changes = {} if epochs is None else {"epochs": epochs}
    changes |= dict(assignment(text) for text in set_ or [])
    choices = (network, size, seed, changes, device, out, note)
    try:
        path, record = train_unit(unit, data, *choices, say=console.print)
    except KeyboardInterrupt as stop:
        message = "stopped; the same command goes on from the last checkpoint"
        raise CourseError(message) from stop
    console.print(record.summary, soft_wrap=True)
    console.print(f"record: {path}", highlight=False, soft_wrap=True)


@app.command(rich_help_panel=STUDENTS)
def cost(
    units: Annotated[list[str], typer.Argument(help="units, or unit.network")],
    size: Annotated[
        int | None, typer.Option(help="pixels a side; default: the network's own")
    ] = None,
    layers: Annotated[bool, typer.Option(help="Show every layer.")] = False,
):
    """Print what networks cost: parameters, multiply-accumulates, memory, by layer.

    Example: course cost 04_alexnet --layers; course cost 04_alexnet.alexnet_small
    """
    from course_lib import flops
    from course_lib.run import costs

    found = {name: row for unit in units for name, row in costs(unit, size).items()}
    if layers:
        for name, row in found.items():
            console.rule(name)
            console.print(row)
    console.print(flops.compare(found))


@app.command(rich_help_panel=STUDENTS)
def demo(
    folder: Annotated[Path | None, typer.Option(help="default: demo/")] = None,
):
    """Show the whole course in two minutes: train, count, release, grade, hand back."""
    from course_lib.demo import FOLDER, demo

    demo(folder or FOLDER, console)


Assignment = Annotated[str, typer.Argument(help="e.g. a04_alexnet")]
Course = Annotated[
    Path, typer.Option("--course", help="a folder with an nbgrader_config.py")
]


@app.command(rich_help_panel=STUDENTS)
def submit(
    assignment: Assignment,
    name: Annotated[
        str, typer.Option(help="yours, as your instructor knows it; default: login")
    ] = "",
    folder: Annotated[
        Path | None, typer.Option(help="with the notebook; default: it is looked for")
    ] = None,
    out: Annotated[Path, typer.Option(help="folder for the zip")] = Path(),
):
    """Make the zip that you hand in, after a look at what is still missing.

    It holds the notebook and what lies beside it: code, records, weights, pictures, but
    no data sets and no checkpoints. A warning keeps nobody from handing in.

    Example: course submit a04_alexnet --name "Ada Byron"
    """
    from course_lib.submit import submit

    made = submit(assignment, name, folder, out)
    for text in made.warnings:
        console.print(f"[yellow]note[/] {escape(text)}", highlight=False)
    for inside, size in made.files.items():
        console.print(f"  {escape(inside)}  {filesize.decimal(size)}", highlight=False)
    if made.left_out:
        names = escape(", ".join(made.left_out))
        console.print(f"  left out: {names}", highlight=False)
    console.print(f"hand in: {escape(str(made.path))}", highlight=False, soft_wrap=True)


@app.command(rich_help_panel=INSTRUCTORS)
def collect(
    sources: Annotated[list[Path], typer.Argument(help="folders or zips")],
    assignment: Annotated[
        str | None, typer.Option(help="default: what folders and notebooks say")
    ] = None,
    course: Course = ROOT,
):
    """Put what students handed in into submitted/NAME/ASSIGNMENT, ready to be graded.

    A download of all submissions from Moodle or Canvas, a folder or a zip for each
    student, and the zips of `course submit` are understood. An older submission never
    replaces a newer one. Who is refused is named, with the reason.

    Example: course collect moodle.zip --assignment a04_alexnet

    Example: course collect inbox/*.zip
    """
    from course_lib.grading import collect

    rows = collect.collect(sources, assignment, course)
    table = Table("student", "assignment", "", "remarks")
    for row in rows:
        table.add_row(*map(escape, row[:4]))
    console.print(table)
    refused = sum(row.status == "refused" for row in rows)
    console.print(f"{len(rows) - refused} of {len(rows)} in place, {refused} refused")


@app.command(rich_help_panel=INSTRUCTORS)
def release(
    assignments: Annotated[
        list[str] | None, typer.Argument(help="default: all")
    ] = None,
    course: Course = ROOT,
):
    """Make what students get from the solutions: answers and hidden tests removed."""
    from course_lib import grading

    for path in grading.release(assignments, course):
        console.print(f"released {path}", highlight=False, soft_wrap=True)


@app.command(rich_help_panel=INSTRUCTORS)
def grade(
    assignment: Annotated[
        str | None, typer.Argument(help="e.g. a04_alexnet", show_default=False)
    ] = None,
    course: Course = ROOT,
    student: Annotated[list[str] | None, typer.Option(help="only these")] = None,
    force: Annotated[bool, typer.Option(help="Also what is graded already.")] = False,
    workers: Annotated[
        int, typer.Option(help="submissions at a time; default: one a core")
    ] = 0,
    scheduler: Annotated[
        str | None, typer.Option(help="of a Dask cluster, e.g. tcp://10.0.0.1:8786")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Say what this machine can lock in; no more."),
    ] = False,
    no_sandbox: Annotated[
        bool, typer.Option("--no-sandbox", help="Grade code you trust, not locked in.")
    ] = False,
):
    """Autograde submitted/NAME/ASSIGNMENT, in parallel and locked in.

    A student's code runs in one process, the tests in another that never runs it.

    What is graded already is not graded again: stop it when you like, the same command
    goes on. Who cannot be graded is named with the reason, and stops no other.

    Example: course grade a04_alexnet

    Example: course grade ps1 --course ~/my-nbgrader-course --workers 8
    """
    from course_lib import grading

    if check:
        show_findings(grading.findings())
        return
    if assignment is None:
        raise CourseError("name the assignment: course grade a04_alexnet")
    if no_sandbox:
        console.print(f"[yellow]note[/] {grading.UNPROTECTED}", highlight=False)
    level = "none" if no_sandbox else None
    at_a_time = workers or os.cpu_count() or 1
    options = {"force": force, "workers": at_a_time, "scheduler": scheduler}
    try:
        found = grading.grade(assignment, course, student, level=level, **options)
    except KeyboardInterrupt as stop:
        message = "stopped; what is graded is kept: the same command goes on"
        raise CourseError(message) from stop
    show_grades(found)
    page = grading.report(assignment, course)
    console.print(f"summary: {page}", highlight=False, soft_wrap=True)


def show_grades(found: list, most: int = 60) -> None:
    """Print a row a student; of a large class, those that need a look."""
    table = Table("student", "", "points so far", "remarks")
    rows = [row for row in found if row.reason or row.notes] if found[most:] else found
    for row in rows[:500]:
        remarks = "; ".join(filter(None, (row.reason, *row.notes)))
        points = f"{row.score:g} of {row.max_score:g}"
        table.add_row(escape(row.student), row.status, points, escape(remarks))
    console.print(table)
    counts = Counter(row.status for row in found)
    console.print(", ".join(f"{n} {status}" for status, n in counts.items()))


@app.command(rich_help_panel=INSTRUCTORS)
def feedback(assignment: Assignment, course: Course = ROOT):
    """Write an HTML page for each graded student."""
    from course_lib import grading

    for page in grading.feedback(assignment, course):
        console.print(page, highlight=False, soft_wrap=True)


@app.command(rich_help_panel=INSTRUCTORS)
def export(
    path: Annotated[Path, typer.Argument(help="a .csv")] = Path("grades.csv"),
    course: Course = ROOT,
):
    """Write all grades as CSV, for a learning management system."""
    from course_lib import grading

    console.print(f"wrote {grading.export(path, course)}", highlight=False)


notebooks = typer.Typer(
    no_args_is_help=True, help="Execute, compare and test notebooks."
)
app.add_typer(notebooks, name="notebooks", rich_help_panel=AUTHORS)
UnitNames = Annotated[list[str] | None, typer.Argument(help="default: all units")]


@notebooks.command("run")
def notebooks_run(
    units: UnitNames = None,
    force: Annotated[bool, typer.Option(help="Also those in step already.")] = False,
):
    """Execute the notebooks whose .py changed and write their .ipynb twins."""
    from rich.progress import Progress

    from course_lib import notebook

    names = [notebook.source(unit).stem for unit in units or notebook.units()]
    changed = [name for name in names if force or notebook.drift(name)]
    for name in changed:
        with Progress(console=console) as bar:
            task = bar.add_task(name)
            path = notebook.run(name, on_cell=partial(show_cell, bar, task))
            bar.update(task, completed=1, total=1)
        console.print(f"wrote {path}", highlight=False, soft_wrap=True)
    console.print(f"{len(names) - len(changed)} of {len(names)} were in step already")


def show_cell(bar, task, done: int, cells: int) -> None:
    bar.update(task, completed=done, total=cells)


@notebooks.command("check")
def notebooks_check(units: UnitNames = None):
    """Compare each .py with its executed twin, without executing."""
    from course_lib import notebook

    names = [notebook.source(unit).stem for unit in units or notebook.units()]
    apart = {name: found for name in names if (found := notebook.drift(name))}
    for name, found in apart.items():
        for problem in found:
            console.print(f"{name}: {problem}", markup=False)
    if apart:
        raise CourseError(f"run `course notebooks run {' '.join(apart)}`")
    console.print(f"{len(names)} notebooks in step")


@notebooks.command("test")
def notebooks_test(units: UnitNames = None):
    """Execute the notebooks again and compare each output with the stored one."""
    import subprocess

    from course_lib import notebook

    paths = [
        str(notebook.source(unit).with_suffix(".ipynb"))
        for unit in units or notebook.units()
    ]
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", *paths]
    raise typer.Exit(subprocess.run(command, cwd=notebook.ROOT).returncode)


@app.command(rich_help_panel=STUDENTS)
def results(
    action: Annotated[str, typer.Argument(help="list or verify")] = "list",
    records: Annotated[
        list[Path] | None, typer.Argument(help="default: all in data/results")
    ] = None,
):
    """Show the training records; `verify` measures their weights again."""
    from course_lib import results

    if action not in ("list", "verify"):
        raise CourseError(f"course results {action}: expected list or verify")
    paths = records or sorted(results.RESULTS.glob("*.json"))
    wrong = 0
    for path in paths:
        record = results.read(path)
        console.print(f"[bold]{path.stem}[/]", highlight=False)
        console.print(f"  {record.summary}", soft_wrap=True)
        if action == "verify":
            found = results.verify(path)
            verdict = "confirmed" if found.ok else "NOT confirmed"
            if not found.same_images:
                verdict = "other images than the record's, so not comparable"
            console.print(f"  measured here: {found.measured.top1:.2%}, {verdict}")
            wrong += not found.ok
    if wrong:
        raise CourseError(f"{wrong} of {len(paths)} records were not confirmed")


@app.command(rich_help_panel=AUTHORS)
def records(
    action: Annotated[str, typer.Argument(help="show or run")] = "show",
    names: Annotated[
        list[str] | None, typer.Argument(help="default: the whole table")
    ] = None,
):
    """Show the queue of training records; `run` computes what is missing or stale.

    It takes only time that nobody else wants; kill it when you like, the same command
    goes on. Checkpoints are in $COURSE_RUNS, or else in data/runs/.

    Example: course records run 04_alexnet-alexnet_small-cifar10-long
    """
    from course_lib import records
    from course_lib.records_view import table

    if action == "run":
        made = records.run(names, say=partial(print, flush=True))
        console.print(f"{made} records made")
    elif action == "show":
        console.print(table(records.jobs(names)))
    else:
        raise CourseError(f"course records {action}: expected show or run")


def main() -> None:
    """Run a command; a CourseError is one sentence, a traceback needs --debug."""
    words = [word for word in sys.argv[1:] if word != "--debug"]
    debug, errors = len(words) < len(sys.argv) - 1, Console(stderr=True)
    try:
        app(words)
    except CourseError as error:
        if debug:
            raise
        errors.print(f"[red]error:[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
