"""How a class did on an assignment, and how each of its tests told students apart."""

from __future__ import annotations

import csv
import io
import re
from base64 import b64encode
from collections import Counter, defaultdict
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np

from course_grader.assignment.cells import grade_id, notebook_in
from course_grader.assignment.course import Course
from course_grader.store import folders
from course_grader.store.sections import members
from course_lib.errors import CourseError
from course_lib.files import replacing

from . import figure, page
from .facts import Points, points
from .grades import as_field, totals
from .opening import failure

BINS = 10  # bars of the histogram
NUMBER = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?")


class Item(NamedTuple):
    """One graded cell over the class; None where the class cannot tell.

    Source of `discrimination`: Henrysson 1963, Psychometrika 28, pages 211 to 218, the
    correlation of an item with the total of all others. For an item that is right or
    wrong, Pearson's correlation is the point-biserial one.
    """

    cell: str
    exercise: str
    max_score: float
    failed: float | None  # share of students below full points; None: a person reads it
    difficulty: float | None  # mean share of the points: 1 is an item that all can do
    discrimination: float | None  # correlation in [-1, 1]
    message: str  # what most of those who failed were told
    told: int  # students who were told that, whatever the numbers in it
    waiting: int  # answers that nobody has read


class Statistics(NamedTuple):
    """What is known of a graded class."""

    assignment: str
    max_score: float
    totals: dict[str, float]  # by student, as `course export` has them
    mean: float
    median: float
    std: float  # of the class, so divided by n
    histogram: list[tuple[float, float, int]]  # from, to, students
    items: list[Item]
    section: str = ""  # of the class; "" is everybody


def statistics(assignment: str, course: Course | Path, section: str = "") -> Statistics:
    """Read the gradebook and autograded/; CourseError if nobody is graded yet.

    section: count its students alone.
    """
    course = Course.open(course)
    rows = points(assignment, course)
    if section:
        with course.gradebook() as gradebook:
            mine = members(gradebook, section)
        rows = [row for row in rows if row.student in mine]
    if not rows:
        raise CourseError(
            f"nobody is graded yet: run `course grade {assignment}` first, for "
            f"{course}, and ask again"
        )
    with course.gradebook() as gradebook:
        students = {row.student for row in rows}
        every = totals(gradebook, assignment)
        total = {name: sum_ for name, sum_ in every.items() if name in students}
        read = _read_by_people(gradebook, assignment)
        most = gradebook.find_assignment(assignment).max_score
    values = np.array(list(total.values()))
    counts, edges = np.histogram(values, BINS, (0, max(most, values.max()) or 1))
    spans = zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    middle = float(values.mean()), float(np.median(values)), float(values.std())
    found = _items(rows, read, messages(assignment, course, students))
    return Statistics(assignment, most, total, *middle, list(spans), found, section)


def _read_by_people(gradebook, assignment: str) -> set[str]:
    """Return the names of the graded cells that no test judges."""
    names = set()
    for notebook in gradebook.find_assignment(assignment).notebooks:
        names |= {cell.name for cell in notebook.solution_cells}
        names |= {cell.name for cell in notebook.task_cells}
    return names


def _items(rows: list[Points], read: set[str], said: dict[str, list]) -> list[Item]:
    by_cell: dict[str, list[Points]] = defaultdict(list)
    for row in rows:
        by_cell[row.cell].append(row)
    unread = {row.cell for row in rows if row.waits}
    counted = defaultdict(float)  # by student, of the cells that are read of everybody
    for row in rows:
        counted[row.student] += row.score if row.cell not in unread else 0.0
    found = []
    for cell, all_ in by_cell.items():
        done, most = [row for row in all_ if not row.waits], all_[0].max_score
        own = np.array([row.score for row in done])
        whole = np.array([counted[row.student] for row in done])
        found.append(
            Item(
                cell,
                all_[0].exercise,
                most,
                None if cell in read or not done else float((own < most).mean()),
                float(own.mean() / most) if most and done else None,
                correlation(own, whole if cell in unread else whole - own),
                *most_said(said.get(cell, [])),
                waiting=len(all_) - len(done),
            )
        )
    return found


def most_said(sentences: list[str]) -> tuple[str, int]:
    """Return the most frequent sentence, and how often; its numbers may differ."""
    kinds = Counter(NUMBER.sub("#", one) for one in sentences)
    if not kinds:
        return "", 0
    (kind, number), *_ = kinds.most_common(1)
    return next(one for one in sentences if NUMBER.sub("#", one) == kind), number


def correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Return Pearson's correlation, or None if one of both is the same for all."""
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def messages(
    assignment: str, course: Course, students: set[str]
) -> dict[str, list[str]]:
    """Return, by test, the first line of what each student's failure said."""
    found: dict[str, list[str]] = defaultdict(list)
    for student, folder in folders.graded(course.folder, assignment).items():
        for path in folder.glob("*.ipynb") if student in students else ():
            for cell in notebook_in(path).cells:
                name, said = grade_id(cell), failure(cell).strip()
                if name and said:
                    found[name].append(said.splitlines()[0])
    return found


def share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def table(found: Statistics) -> page.Table:
    """Return a row a test: who failed it, how it tells apart, what was said most."""
    header = ["test", "points", "failed", "difficulty", "discrimination", "said most"]
    rows = []
    for one in found.items:
        apart = "" if one.discrimination is None else f"{one.discrimination:.2f}"
        text = f"{one.told} × {one.message}" if one.told else ""
        text = f"{one.waiting} not read" if one.waiting else text
        shares = share(one.failed), share(one.difficulty)
        rows.append([one.cell, f"{one.max_score:g}", *shares, apart, text])
    return header, rows


def write(found: Statistics, path: Path) -> Path:
    """Write the statistics: .csv, a row a test; .html, a page that stands alone."""
    if path.suffix not in (".csv", ".html"):
        raise CourseError(f"{path} is neither a .csv nor an .html")
    with replacing(path) as part:
        text = _csv(found) if path.suffix == ".csv" else _html(found)
        part.write_text(text, "utf-8", "replace", newline="")
    return path


def _csv(found: Statistics) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, Item._fields)
    writer.writeheader()
    for one in found.items:
        writer.writerow({k: as_field(v) for k, v in one._asdict().items()})
    return text.getvalue()


def _html(found: Statistics) -> str:
    image = b64encode(figure.spread(found.totals.values(), found.max_score)).decode()
    body = f"""<p>{escape(summary(found))}</p>
<img alt="students by points" src="data:image/png;base64,{image}">
<h2>Tests</h2>
{page.as_table(*table(found))}"""
    return page.alone(f"{found.assignment}: statistics", body)


def summary(found: Statistics) -> str:
    of = f" of section {found.section}" if found.section else ""
    return (
        f"{len(found.totals)} students{of}, points of {found.max_score:g}: "
        f"mean {found.mean:.1f}, median {found.median:g}, "
        f"standard deviation {found.std:.1f}"
    )
