"""`course grade` against `nbgrader autograde`: the same class, in turn, on two CPUs.

    python benchmarks/grading.py [--submissions 40] [--rounds 2]

The class hands in an assignment of ours: of eight, three are right, two half done, two
have a mistake, one is not begun. Each grader is its own command, unmodified, on its own
copy of the course, and gets it with an empty gradebook each time. CPU seconds are of
all processes that a command starts. Both must give every student the same points in
every cell, or there is no result. nbgrader takes some 5 CPU seconds a submission.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from itertools import islice
from pathlib import Path

import classes
from measured import Cost, measured
from nbgrader.api import Gradebook
from rich.console import Console
from rich.table import Table

from course_lib import grading
from course_lib.grading.course import directory

ASSIGNMENT = "a07_inception"
MISTAKES = [
    ("reduction", "nn.MaxPool2d", "nn.AvgPool2d"),
    ("smoothing", "return -(", "return ("),
    ("reduction", " or width % 2", ""),
    ("best", "(logits - logits.mean())", "logits"),
    ("smoothing", ".sum(dim=1).mean()", ".sum()"),
]
TOOLS = Path(sys.prefix) / "bin"
COMMANDS = {
    "nbgrader autograde": [TOOLS / "nbgrader", "autograde", ASSIGNMENT],
    "course grade": [TOOLS / "course", "grade", ASSIGNMENT, "--workers", "2"],
}


def make(folder: Path, submissions: int) -> Path:
    """Make a course of ours whose class has handed in."""
    course = grading.new_course(folder, [ASSIGNMENT])
    grading.release([ASSIGNMENT], course)
    kinds = classes.answers(course, ASSIGNMENT, MISTAKES)
    for number, answers in enumerate(islice(kinds, submissions)):
        classes.hand_in(course, ASSIGNMENT, f"student{number:03}", answers)
    return course


def points(course: Path) -> dict[tuple[str, str], float | None]:
    """Return the points that a grader gave, by student and cell."""
    folder = directory(course)
    with Gradebook(folder.db_url, folder.course_id) as gradebook:
        return {
            (submission.student.id, grade.name): grade.auto_score
            for submission in gradebook.assignment_submissions(ASSIGNMENT)
            for notebook in submission.notebooks
            for grade in notebook.grades
        }


def grade(name: str, made: Path, folder: Path) -> tuple[Cost, dict]:
    """Run one grader on a fresh copy of the course; return its cost and points."""
    course = shutil.copytree(made, folder / name.split()[0])
    place = ["--course", str(course)] if name.startswith("course") else []
    cost = measured([*map(str, COMMANDS[name]), *place], course)
    found = points(course)
    shutil.rmtree(course)
    return cost, found


def race(made: Path, folder: Path, rounds: int, console: Console) -> dict:
    """Run both in turn; return their costs. They must give the same points."""
    costs: dict[str, list[Cost]] = {name: [] for name in COMMANDS}
    for number in range(rounds):
        given = {}
        for name in COMMANDS:
            cost, given[name] = grade(name, made, folder)
            costs[name].append(cost)
            load = os.getloadavg()[0]
            said = f"{cost.wall:.0f} s, {cost.cpu:.0f} CPU s, load {load:.1f}"
            console.print(f"round {number + 1}, {name}: {said}", highlight=False)
        stock, ours = given.values()
        apart = {key for key in {*stock, *ours} if stock.get(key) != ours.get(key)}
        assert not apart, f"the graders differ: {sorted(apart)[:5]}"
        console.print(f"the same points in {len(ours)} graded cells")
    return costs


def show(costs: dict[str, list[Cost]], submissions: int, console: Console) -> None:
    medians = {
        name: [statistics.median(cost[of] for cost in found) for of in (0, 1)]
        for name, found in costs.items()
    }
    rounds = len(next(iter(costs.values())))
    table = Table(title=f"{submissions} submissions, median of {rounds} rounds")
    for head in ("", "wall s", "CPU s", "wall s each", "CPU s each"):
        table.add_column(head, justify="right" if head else "left")
    for name, found in medians.items():
        each = [f"{value / submissions:.2f}" for value in found]
        table.add_row(name, *(f"{value:.0f}" for value in found), *each)
    stock, ours = medians.values()
    ratios = [f"{s / o:.1f}x" for s, o in zip(stock, ours, strict=True)]
    table.add_row("ours is cheaper by", *ratios)
    console.print(table)


def main(submissions: int, rounds: int) -> None:
    console = Console()
    os.environ["PATH"] = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        made = make(Path(folder) / "made", submissions)
        show(race(made, Path(folder), rounds, console), submissions, console)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=Path(__file__).stem)
    parser.add_argument("--submissions", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=2)
    chosen = parser.parse_args()
    main(chosen.submissions, chosen.rounds)
