"""For instructors: release, collect, grade, hand back. The grader does the work."""

from __future__ import annotations

import shlex
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from course_lib.commands import complete
from course_lib.commands.shared import (
    Assignment,
    Assignments,
    Course,
    Incomplete,
    Json,
    aside,
    at_a_time,
    command,
    console,
    line,
    print_json,
    shown,
)
from course_lib.errors import CourseError
from course_lib.files import ROOT


def release(
    assignments: Assignments = None,
    execute: Annotated[
        bool, typer.Option(help="Run the solutions, too: they then show all outputs.")
    ] = False,
    course: Course = ROOT,
):
    """Make what students get from the solutions: answers and hidden tests removed.

    Example: course release a04_alexnet

    Example: course release --execute a04_alexnet   # renews the answer key
    """
    import course_grader as grading

    for path in grading.release(assignments, course):
        line(f"released {shown(path)}")
        if execute:
            line(f"executed {shown(answer_key(path.name, course))}")


def answer_key(assignment: str, course: Path) -> Path:
    """Run a solution under a progress bar; return where its notebook is."""
    from rich.progress import Progress

    from course_grader.assignment import key
    from course_lib.commands.notebooks import show_cell

    with Progress(console=console) as bar:
        task = bar.add_task(assignment)
        path = key.execute(assignment, course, partial(show_cell, bar, task))
        bar.update(task, completed=1, total=1)
    return path


def publish(
    folder: Annotated[Path, typer.Argument(help="new, empty, or an earlier edition")],
    repository: Annotated[
        str, typer.Option(help="where students clone it: opens notebooks on Colab, too")
    ] = "",
):
    """Write the repository that students clone: notebooks and assignments, no answers.

    Solutions, hidden tests, marking schemes and the grader stay here. The same command
    again brings the edition up to date, and touches nothing else in its folder: make it
    a git repository of its own, and commit there. With its address, which is kept, each
    notebook gets a first cell that installs the course on Colab. A student's working
    copy says the deadline that an assignment has now, and where to ask.

    Example: course publish ../course-students

    Example: course publish ../course-students --repository https://github.com/me/course
    """
    from course_grader.assignment.publish import publish as write
    from course_grader.store import term

    done = write(folder, repository=repository, deadlines=term.deadlines(ROOT))
    for name in done.kept:
        line(f"not touched, as it was there before: {shown(folder / name)}")
    line(
        f"{shown(folder)}: {len(done.written)} files written, {len(done.removed)} "
        f"removed. Next: commit them there "
        f"(git -C {shown(shlex.quote(str(folder)))} add --all)"
    )


def collect(
    sources: Annotated[list[Path], typer.Argument(help="folders or zips")],
    assignment: Annotated[
        str | None,
        typer.Option(
            help="default: what folders and notebooks say",
            autocompletion=complete.assignments,
        ),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(help="of the LMS: Europe/Berlin, say; default: this machine's"),
    ] = None,
    course: Course = ROOT,
    as_json: Json = False,
):
    """Put what students handed in into submitted/NAME/ASSIGNMENT, ready to be graded.

    Understood are all submissions as Moodle, Canvas, Blackboard, Brightspace or Google
    Classroom hands them out, a folder or a zip for each student, and the zips of
    `course submit`. An older submission never replaces a newer one. What Canvas marks
    LATE is late. Who is refused is named, with the reason, and so is each notebook that
    is left out.

    Example: course collect moodle.zip --assignment a04_alexnet

    Example: course collect inbox/*.zip
    """
    from course_grader.intake import collect

    with aside(as_json):
        rows = collect.collect(sources, assignment, course, zone)
    refused = sum(row.status == "refused" for row in rows)
    if as_json:
        print_json(rows)
    else:
        table = Table("student", "assignment", "", "remarks")
        for row in rows:
            table.add_row(*map(shown, row[:4]))
        console.print(table)
        line(f"{len(rows) - refused} of {len(rows)} in place, {refused} refused")
    report_refused(refused, len(rows))


def grade(
    assignment: Assignment,
    course: Course = ROOT,
    student: Annotated[
        list[str] | None,
        typer.Option(help="only these", autocompletion=complete.students),
    ] = None,
    force: Annotated[bool, typer.Option(help="Also what is graded already.")] = False,
    cell: Annotated[
        list[str] | None,
        typer.Option(help="Count this test or exercise anew, the others as before."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be graded; grade nothing.")
    ] = False,
    workers: Annotated[
        int, typer.Option(help="submissions at a time; default: one a core", min=0)
    ] = 0,
    scheduler: Annotated[
        str | None, typer.Option(help="of a Dask cluster, e.g. tcp://10.0.0.1:8786")
    ] = None,
    no_sandbox: Annotated[
        bool, typer.Option("--no-sandbox", help="Grade code you trust, not locked in.")
    ] = False,
    as_json: Json = False,
):
    """Autograde submitted/NAME/ASSIGNMENT, in parallel and locked in.

    A student's code runs in one process, the tests in another that never runs it.

    What is graded already is not graded again: stop it when you like, the same command
    goes on. Who cannot be graded is named with the reason, and stops no other. After a
    release that changed a test or points, who was graded by the earlier one is graded
    again, and each changed score is listed.

    Example: course grade a04_alexnet

    Example: course grade a04_alexnet --cell lrn_hidden

    Example: course grade ps1 --course ~/my-nbgrader-course --workers 8
    """
    import course_grader as grading

    level = "none" if no_sandbox else None
    with aside(as_json):
        opened = grading.Course.open(course)
        if dry_run:
            found = grading.preview(
                assignment, opened, student, force=force or bool(cell)
            )
            if scheduler is None and any(row.status == "to grade" for row in found):
                for remark in grading.tried(assignment, opened, level):
                    line(shown(remark))
        else:
            if no_sandbox:
                line(f"[yellow]note[/] {grading.UNPROTECTED}")
            options = {"force": force, "cells": cell, "scheduler": scheduler}
            options["workers"] = at_a_time(workers)
            found = graded(assignment, opened, student, level=level, **options)
    if as_json:
        print_json(found)
    else:
        show_grades(found)
        if not dry_run:
            show_waiting(assignment, opened)
    report_refused(sum(row.status == "refused" for row in found), len(found))


def graded(assignment: str, opened, student, **options) -> list:
    """Grade and write the summary; return what became of each submission."""
    import course_grader as grading

    try:
        found = grading.grade(assignment, opened, student, **options)
    except KeyboardInterrupt as stop:
        message = "stopped; what is graded is kept: the same command goes on"
        raise CourseError(message) from stop
    line(f"summary: {shown(grading.summarise(assignment, opened))}")
    return found


def show_grades(found: list, most: int = 60) -> None:
    """Print a row a student; of a large class, those that need a look."""
    table = Table("student", "", "points so far", "remarks")
    rows = [row for row in found if row.remarks] if found[most:] else found
    for row in rows[:500]:
        remarks = "; ".join(row.remarks)
        points = f"{row.total:g} of {row.max_score:g}"
        table.add_row(shown(row.student), row.status, points, shown(remarks))
    console.print(table)
    counts = Counter(row.status for row in found)
    line(", ".join(f"{n} {status}" for status, n in counts.items()))
    show_changes(found)


def show_changes(found: list) -> None:
    """Print whose score is another one than before, of those graded again."""
    again = [row for row in found if row.before is not None]
    changed = [row for row in again if row.before != row.total]
    if not again:
        return
    scores = "1 score" if len(changed) == 1 else f"{len(changed)} scores"
    line(f"{len(again)} graded again, {scores} changed")
    table = Table("student", "before", "now")
    for row in changed:
        now = f"{row.total:g} of {row.max_score:g}"
        table.add_row(shown(row.student), f"{row.before:g}", now)
    if changed:
        console.print(table)


def show_waiting(assignment: str, opened) -> None:
    """Print how many answers wait for a reader, and what shows them."""
    from course_grader.reading.answers import waiting

    number = waiting(assignment, opened)
    if number:
        answers = "1 answer" if number == 1 else f"{number} answers"
        line(f"{answers} to read: {command(f'read {assignment}', opened.root)}")


def report_refused(refused: int, among: int) -> None:
    if refused:
        raise Incomplete(f"{refused} of {among} submissions refused, the others done")


def feedback(
    assignment: Assignment,
    for_moodle: Annotated[
        bool, typer.Option("--for-moodle", help="Also one zip that Moodle takes.")
    ] = False,
    course: Course = ROOT,
):
    """Write an HTML page for each graded student.

    The zip for Moodle has the names of its own download: give it to "Upload multiple
    feedback files in a zip".

    Example: course feedback a04_alexnet --for-moodle
    """
    import course_grader as grading
    from course_grader.report import for_moodle as moodle

    pages = grading.feedback(assignment, course)
    for page in pages:
        line(shown(page))
    if for_moodle:
        made = moodle.write(pages, assignment, course)
        for student in made.left_out:
            line(f"not in the zip, as it came without a number: {shown(student)}")
        line(shown(made.path))


def export(
    path: Annotated[Path | None, typer.Argument(hidden=True)] = None,
    out: Annotated[
        Path | None, typer.Option(help="a .csv; default: reports/grades.csv")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="csv (nbgrader's own), moodle or canvas")
    ] = "csv",
    course: Course = ROOT,
):
    """Write all grades as CSV, for a learning management system.

    For Moodle and Canvas a student is a row and an assignment a column; where nothing
    was handed in, the field is empty. Who handed nothing in or was refused is
    named. `course roster import` brings the numbers and sections they need.

    Example: course export

    Example: course export --format canvas --out canvas.csv
    """
    import course_grader as grading
    from course_grader.report.grades import without

    if path and out:
        raise CourseError(f"{path} or --out {out}? Name one file: --out {out}.")
    target = path or out or Path(course) / "reports/grades.csv"
    written = grading.export(target, course, form)
    for assignment, student, why in without(course):
        line(f"{assignment}: {shown(student)} {shown(why)}")
    line(f"wrote {shown(written)}")
