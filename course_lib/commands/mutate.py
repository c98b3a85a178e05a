"""For authors: do an assignment's tests catch what students get wrong?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from course_lib.commands.shared import (
    Assignments,
    Course,
    Incomplete,
    Json,
    aside,
    at_a_time,
    console,
    line,
    print_json,
    shown,
)
from course_lib.files import ROOT


def mutate(
    assignments: Assignments = None,
    every: Annotated[bool, typer.Option("--all", help="Every assignment.")] = False,
    sample: Annotated[
        int | None, typer.Option(help="only so many mistakes of each", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="of the sample", min=0)] = 0,
    workers: Annotated[
        int, typer.Option(help="mistakes at a time; default: one a core", min=0)
    ] = 0,
    report: Annotated[
        Path | None, typer.Option(help="put rows of the table into this page")
    ] = None,
    course: Course = ROOT,
    as_json: Json = False,
):
    """Plant mistakes in the solutions and show which ones no test catches.

    A mistake is one change: an operator, a number, an axis, the order of arguments,
    an activation, a check that is forgotten, … Each runs the tests that it can reach.
    Survivors that are no mistakes stand in solutions/equivalent.csv with the reason.
    Any other survivor, or a row there that fits no line any more, ends the command
    with 3. --report writes each assignment's row when it is done, and keeps the others.

    Example: course mutate a08_resnet

    Example: course mutate --all --sample 20
    """
    from course_grader import mutate as mutating

    names = chosen(assignments, every, course)
    options = {"size": sample, "seed": seed, "workers": at_a_time(workers)}
    with aside(as_json):
        found = []
        for name in names:
            found.append(judged(name, course, options, as_json))
            if report:
                line(f"wrote {shown(mutating.write_table(found[-1:], report))}")
    if as_json:
        print_json([mutating.facts(outcome) for outcome in found])
    open_ = sum(len(outcome.survivors) + len(outcome.stale) for outcome in found)
    if open_:
        raise Incomplete(
            f"{open_} mistakes survive or are explained in vain: write a test that "
            "catches them, or repair solutions/equivalent.csv"
        )


def chosen(assignments: list[str] | None, every: bool, course: Path) -> list[str]:
    from course_grader import Course
    from course_grader.assignment.release import known

    if bool(assignments) == every:
        raise typer.BadParameter("name assignments, or take --all")
    return assignments or known(Course.open(course).source("."))


def judged(name: str, course: Path, options: dict, as_json: bool):
    """Judge one assignment's mutants under a progress bar and print what was found."""
    from course_grader import mutate as mutating

    with Progress(console=console, transient=True, disable=as_json) as bar:
        task = bar.add_task(shown(name))

        def told(done: int, all_: int) -> None:
            bar.update(task, completed=done, total=all_)

        outcome = mutating.mutate(name, course, told=told, **options)
    show(outcome)
    return outcome


def show(outcome) -> None:
    """Print the survivors with their lines, and a row an exercise."""
    for mutant in outcome.survivors:
        line(
            f"[red]survived[/] {outcome.assignment}:{mutant.line} "
            f"({shown(mutant.cell)}, {mutant.kind})\n  - {shown(mutant.before)}\n"
            f"  + {shown(mutant.after)}"
        )
    for cell, before, after in outcome.stale:
        line(
            f"[yellow]stale[/] solutions/equivalent.csv: {outcome.assignment}, "
            f"{shown(cell)}: {shown(before)} → {shown(after)}"
        )
    table = Table("exercise", "planted", "killed", "equivalent", "survived", "caught")
    for row in outcome.rows:
        table.add_row(row.exercise, *map(str, row[1:]), f"{row.share:.1%}")
    table.title = outcome.assignment
    console.print(table)
