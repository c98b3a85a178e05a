"""`course grade` against `nbgrader autograde`: the same class, in turn, on two CPUs.

    python benchmarks/grading.py [ASSIGNMENT ...] [--submissions 40] [--rounds 2]
                                 [--table docs/grading_speed.csv]

The class hands in an assignment: `small`, whose answers take milliseconds, or one of
ours. Of eight, three are right, two half done, two have a mistake of those that
`tests/assignments` knows, one is not begun. Each grader is its own command, unmodified,
on its own copy of the course with nothing graded in it. CPU seconds are of all
processes that a command starts, starting up included. Both must give every student the
same points in every cell, or there is no result. A table keeps a row for each
assignment, the last measured. Four minutes an assignment and round.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import os
import shutil
import statistics
import sys
import tempfile
from itertools import islice
from pathlib import Path

import classes
from measured import Cost, measured
from rich.console import Console
from rich.table import Table

import course_grader as grading
from course_grader.assignment.course import Course
from course_lib.files import ROOT, replacing

OURS = "a07_inception"
TOOLS = Path(sys.prefix) / "bin"
sys.path.insert(0, str(ROOT))  # where `tests` lies
COMMANDS = {
    "nbgrader autograde": ["nbgrader", "autograde"],
    "course grade": ["course", "grade", "--workers", "2", "--course", "{course}"],
}


def make(assignment: str, folder: Path, submissions: int) -> Path:
    """Make a course whose class has handed in."""
    if assignment == classes.SMALL:
        classes.small_class(classes.small(folder), submissions)
        return folder
    course = grading.new_course(folder, [assignment])
    grading.release([assignment], course)
    kinds = classes.answers(course, assignment, mistakes(assignment))
    files = written(assignment)
    for number, answers in enumerate(islice(kinds, submissions)):
        beside = files if answers else {}  # who has not begun has none
        classes.hand_in(course, assignment, f"student{number:03}", answers, beside)
    return course


def written(assignment: str) -> dict[str, bytes]:
    """Return what a right answer writes beside its notebook, by name: a record."""
    execute = importlib.import_module("tests.execute")
    with tempfile.TemporaryDirectory() as folder:
        errors = execute.score(assignment, Path(folder)).errors
        assert not errors, f"the solution fails: {errors}"
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def mistakes(assignment: str) -> list[tuple[str, str, str]]:
    """Return the named mistakes of an assignment: cell, what stands there, instead."""
    known = importlib.import_module(f"tests.assignments.{assignment}")
    return [(cell, old, new) for cell, old, new, _ in known.MISTAKES.values()]


def points(course: Path, assignment: str) -> dict[tuple[str, str], float | None]:
    """Return the points that a grader gave, by student and cell."""
    with Course.open(course).gradebook() as gradebook:
        return {
            (submission.student.id, grade.name): grade.auto_score
            for submission in gradebook.assignment_submissions(assignment)
            for notebook in submission.notebooks
            for grade in notebook.grades
        }


def grade(name: str, assignment: str, made: Path) -> tuple[Cost, dict]:
    """Run one grader on a fresh copy of the course; return its cost and points."""
    with tempfile.TemporaryDirectory() as folder:
        course = shutil.copytree(made, Path(folder) / "course")
        command = [word.format(course=course) for word in COMMANDS[name]]
        cost = measured([*command, assignment], course)
        return cost, points(course, assignment)


def race(assignment: str, made: Path, rounds: int, console: Console) -> dict:
    """Run both in turn; return their costs. They must give the same points."""
    costs: dict[str, list[Cost]] = {name: [] for name in COMMANDS}
    for number in range(rounds):
        given = {}
        for name in COMMANDS:
            cost, given[name] = grade(name, assignment, made)
            costs[name].append(cost)
            load = os.getloadavg()[0]
            said = f"{cost.wall:.0f} s, {cost.cpu:.0f} CPU s, load {load:.1f}"
            console.print(f"round {number + 1}, {name}: {said}", highlight=False)
        stock, ours = given.values()
        apart = {key for key in {*stock, *ours} if stock.get(key) != ours.get(key)}
        assert not apart, f"the graders differ: {sorted(apart)[:5]}"
        console.print(f"the same points in {len(ours)} graded cells", highlight=False)
    return costs


def show(title: str, costs: dict, submissions: int, console: Console) -> None:
    medians = {
        name: [statistics.median(cost[of] for cost in found) for of in (0, 1)]
        for name, found in costs.items()
    }
    rounds = len(next(iter(costs.values())))
    table = Table(title=f"{title}, {submissions} submissions, median of {rounds}")
    for head in ("", "wall s", "CPU s", "wall s each", "CPU s each"):
        table.add_column(head, justify="right" if head else "left")
    for name, found in medians.items():
        each = [f"{value / submissions:.2f}" for value in found]
        table.add_row(name, *(f"{value:.0f}" for value in found), *each)
    stock, ours = medians.values()
    ratios = [f"{s / o:.1f}x" for s, o in zip(stock, ours, strict=True)]
    table.add_row("ours is cheaper by", *ratios)
    console.print(table)


def keep(table: Path, assignment: str, submissions: int, costs: dict) -> None:
    """Write a row of medians into a table of all assignments."""
    head = "assignment submissions stock_wall stock_cpu wall cpu load".split()
    known = {}
    if table.exists():
        with table.open(newline="") as file:
            known = {row["assignment"]: row for row in csv.DictReader(file)}
    both = [
        statistics.median(c[of] for c in costs[n]) for n in COMMANDS for of in (0, 1)
    ]
    seconds = [f"{value:.1f}" for value in both]
    row = [assignment, submissions, *seconds, f"{os.getloadavg()[2]:.1f}"]
    known[assignment] = dict(zip(head, row, strict=True))
    with replacing(table) as part, part.open("w", newline="") as file:
        writer = csv.DictWriter(file, head, lineterminator="\n")
        writer.writeheader()
        writer.writerows(known[name] for name in sorted(known))


def main(
    assignments: list[str], submissions: int, rounds: int, table: Path | None
) -> None:
    console = Console()
    os.environ["PATH"] = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    for assignment in assignments:
        with tempfile.TemporaryDirectory() as folder:
            made = make(assignment, Path(folder) / "made", submissions)
            costs = race(assignment, made, rounds, console)
            show(assignment, costs, submissions, console)
            if table:
                keep(table, assignment, submissions, costs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=Path(__file__).stem)
    parser.add_argument("assignments", nargs="*", default=[classes.SMALL, OURS])
    parser.add_argument("--submissions", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--table", type=Path, help="of all assignments, as CSV")
    main(**vars(parser.parse_args()))
