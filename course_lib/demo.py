"""The whole course in two minutes: train, draw, count, release, grade, hand back."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from course_lib.console import Terminal
from course_lib.errors import CourseError
from course_lib.files import ROOT

FOLDER = ROOT / "demo"
UNIT, ASSIGNMENT = "04_alexnet", "a04_alexnet"
Files = dict[str, Path]  # what it is -> where it is


def demo(folder: Path = FOLDER, console: Console | None = None) -> Files:
    """Run every part of the course on its embedded data; return the files that it made.

    What an earlier demo left in `folder` is replaced; anything else is not touched.
    """
    console, started = console or Terminal(), time.perf_counter()
    marker = folder / ".made-by-course-demo"
    if folder.exists() and any(folder.iterdir()):
        if not marker.exists():
            raise CourseError(f"{folder} holds other files: name another with --out")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()
    files: Files = {}
    parts: list[tuple[str, Callable]] = [
        ("Train a network from scratch on scanned digits", train_digits),
        ("Count what it costs", count_cost),
    ]
    if find_spec("course_grader"):  # the students' edition has none
        parts.append(("Release an assignment and grade a class of four", grade_class))
    for number, (title, part) in enumerate(parts, start=1):
        console.rule(f"{number} of {len(parts)}: {title}", align="left")
        files |= part(folder, console)
    console.rule("What was made", align="left")
    for what, path in files.items():
        console.print(f"{what:<22}", path, soft_wrap=True, highlight=False)
    console.print(f"All this took {time.perf_counter() - started:.0f} s.")
    return files


def train_digits(folder: Path, console: Console) -> Files:
    """Train the unit's small network; draw its curves with the headless backend."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    from course_lib import plot
    from course_lib.networks import train_unit

    path, record = train_unit(UNIT, "digits", out=folder, say=console.print)
    console.print(record.summary, soft_wrap=True)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
    plot.curves(left, {"training": record.history}, "train_loss")
    plot.curves(right, {record.network: record.history}, "val_top1")
    figure.suptitle(f"{record.network} on scikit-learn's digits, seed 0")
    figure.savefig(folder / "curve.png")
    plt.close(figure)
    weights = path.with_suffix(".safetensors")
    return {
        "training curve": folder / "curve.png",
        "training record": path,
        "trained weights": weights,
    }


def count_cost(folder: Path, console: Console) -> Files:
    from course_lib import flops
    from course_lib.networks import costs

    found = costs(UNIT)
    small = next(cost for name, cost in found.items() if "_small" in name)
    console.print(small, flops.compare(found))
    path = folder / "cost.txt"
    path.write_text(f"{small}\n\n{flops.compare(found)}\n", encoding="utf-8")
    return {"cost table": path}


def grade_class(folder: Path, console: Console) -> Files:
    """Grade four submissions: one right, one partly, one untouched, one hostile."""
    import course_grader as grading

    course = grading.new_course(folder / "course", [ASSIGNMENT])
    (released,) = grading.release([ASSIGNMENT], course)
    students = grading.sample_class(ASSIGNMENT, course)
    console.print(f"released {released.name}; handed in by {', '.join(students)}")
    results = grading.grade(ASSIGNMENT, course)
    for result in results:
        notes = f"  ({'; '.join(result.notes)})" if result.notes else ""
        points = f"{result.total:g} of {result.max_score:g}"
        console.print(f"{result.student:<14} {points:>9}{notes}", highlight=False)
    pages = grading.feedback(ASSIGNMENT, course)
    return {
        "released assignment": released,
        "gradebook": course / "gradebook.db",
        "grades for an LMS": grading.export(course / "grades.csv", course),
        "summary": grading.summarise(ASSIGNMENT, course),
        **{f"feedback {page.parent.parent.name}": page for page in pages},
    }
