"""`course statistics`: how a class did, test by test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from course_lib.commands.shared import (
    Assignment,
    Course,
    Json,
    Section,
    console,
    line,
    print_json,
    shown,
)
from course_lib.files import ROOT

WIDE = 40  # characters of the histogram's longest bar
SMALL = 30  # students below which a correlation is mostly chance


def statistics(
    assignment: Assignment,
    out: Annotated[
        Path | None, typer.Option(help="also write a .csv or an .html page")
    ] = None,
    alike: Annotated[
        bool, typer.Option("--similar", help="Also look for nearly the same answers.")
    ] = False,
    section: Section = "",
    course: Course = ROOT,
    as_json: Json = False,
):
    """Say how a graded class did: points, each test's failures, nearly equal answers.

    "failed" is the share below full points, "difficulty" the mean share of the points.
    "discrimination" correlates a test with the total of all others: near 0 it tells
    nobody apart, below 0 the better students fail it. For the instructor: sentences of
    hidden tests are quoted. --similar compares submissions as a whole and exercise by
    exercise, on this machine alone; it proves nothing. With --section, one of the two
    is in that section.

    Example: course statistics a05_vgg --out reports/a05_vgg/statistics.html

    Example: course statistics a05_vgg --similar

    Example: course statistics a05_vgg --section "Group A"
    """
    from course_grader.report import items, similar

    found = items.statistics(assignment, course, section)
    pairs = similar.similar(assignment, course, section=section) if alike else None
    if out:
        items.write(found, out)
    if as_json:
        more = {} if pairs is None else {"similar": pairs, "fair": similar.FAIR}
        print_json(found._asdict() | more)
        return
    show(found, *items.table(found))
    if pairs is not None:
        show_pairs(pairs, similar.FAIR)
    if out:
        line(f"wrote {shown(out)}")


def show(found, header: list[str], rows: list[list[str]]) -> None:
    """Print the points as a histogram, a row a test, and what was said most."""
    from course_grader.report.items import summary

    line(shown(summary(found)))
    most = max(count for _, _, count in found.histogram)
    last = found.histogram[-1][1]
    for low, high, count in found.histogram:
        to = f"{high:g} " if high == last else f"{high:g})"
        line(f"{low:5g} to {to:<6} {'█' * round(WIDE * count / most)} {count}")
    table = Table(*header[:-1])
    for row in rows:
        table.add_row(*map(shown, row[:-1]))
    console.print(table)
    for cell, *_, said in rows:
        if said:
            line(f"{shown(cell)}: {shown(said)}")
    if len(found.totals) < SMALL:
        line(f"Below {SMALL} students, discrimination is mostly chance.")


def show_pairs(pairs: list, fair: str) -> None:
    """Print who has nearly the same answers as whom, and what that does not mean."""
    if not pairs:
        line("No two students have nearly the same answers.")
        return
    table = Table("student", "student", "exercise", "in common")
    for pair in pairs:
        names = pair.one, pair.other, pair.exercise or "all"
        table.add_row(*map(shown, names), f"{pair.share:.0%}")
    console.print(table)
    line(fair)
