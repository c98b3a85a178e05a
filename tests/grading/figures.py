"""How the grader was tried: `python -m tests.grading.figures` writes the page.

The numbers are counted in the suites, and the seconds read from the benchmark's table,
so that neither can be older than what it tells of.
"""

from __future__ import annotations

import csv
import inspect
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from . import (
    engine_cases,
    judge_cases,
    object_cases,
    rule_cases,
    test_attacks,
    test_hidden,
    value_cases,
)

ROOT = Path(__file__).parents[2]
PAGE, SPEED = ROOT / "docs" / "grading_figures.md", ROOT / "docs" / "grading_speed.csv"
HOSTILE = Path(__file__).parent / "hostile" / "deserved.json"
HEAD = """# How the grader was tried

Written by `python -m tests.grading.figures`, from the suites in `tests/grading`; a test
fails when they have changed and this page has not. A case that is hostile or unlucky
gets what it deserves, and an honest one all its points. Values of unusual classes, and
what is run in two processes, pass in one kernel as well, in the same test.

| what is tried | hostile or unlucky | honest |
|---|---|---|
"""
SPEEDS = """
Against `nbgrader autograde`, the same submissions in turn, starting up included; CPU
seconds of all processes (`benchmarks/grading.py --table docs/grading_speed.csv`).

| assignment | submissions | stock: wall, CPU | ours: wall, CPU | less wall | less CPU |
|---|---|---|---|---|---|
"""


def exercises(found: Iterable) -> tuple[int, int]:
    """Return the number of lies and of right answers, the model solutions' not."""
    found = list(found)
    return sum(len(e.lies) for e in found), sum(len(e.right) for e in found)


def counts() -> Iterator[tuple[str, int, int]]:
    """Yield what a suite tries, and how many cases are hostile and how many honest."""
    for kind in test_attacks.KINDS:
        what = inspect.getdoc(kind).partition("\n")[0].rstrip(".")
        hostile = 0 if kind is test_attacks.honest else len(kind.CASES)
        yield what, hostile, len(kind.CASES) - hostile
    yield "A small course of another kind", len(json.loads(HOSTILE.read_text())), 5
    yield "Objects that would decide", *exercises(judge_cases.EXERCISES)
    yield "Networks and other objects", *exercises(object_cases.EXERCISES)
    yield "Values of unusual classes", *exercises(value_cases.EXERCISES)
    yield "Forbidden functions, out of sight", *exercises(rule_cases.EXERCISES)
    yield "Tests in two processes as in one", 0, len(engine_cases.CASES)
    yield "Hidden tests that would move", len(test_hidden.MOVES), len(test_hidden.STAYS)
    along, nothing = test_hidden.TAKES_ALONG, test_hidden.TAKES_NOTHING
    yield "Functions that take something along", len(along), len(nothing)


def page() -> str:
    """Return the page's text."""
    rows = list(counts())
    rows.append(("together", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    text = HEAD + "".join(f"| {what} | {a} | {b} |\n" for what, a, b in rows)
    if SPEED.exists():
        with SPEED.open(newline="") as file:
            text += SPEEDS + "".join(map(speed, csv.DictReader(file)))
    return text


def speed(row: dict[str, str]) -> str:
    wall, cpu = (float(row[f"stock_{of}"]) / float(row[of]) for of in ("wall", "cpu"))
    stock = f"{float(row['stock_wall']):.0f} s, {float(row['stock_cpu']):.0f} s"
    ours = f"{float(row['wall']):.0f} s, {float(row['cpu']):.0f} s"
    name = f"{row['assignment']} (load {row['load']})"
    less = f"{wall:.1f}× | {cpu:.1f}×"
    return f"| {name} | {row['submissions']} | {stock} | {ours} | {less} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
