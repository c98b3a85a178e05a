"""What the tests caught, summed up; and the mistakes that are none, with the reason."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from course_lib.errors import CourseError
from course_lib.files import replacing

from .kill import Verdict
from .plant import Mutant

TABLE = "equivalent.csv"  # beside the solutions
MARKS = "<!-- mutants -->", "<!-- end -->"  # of the table in a page
COLUMNS = "assignment", "cell", "before", "after", "reason"


class Row(NamedTuple):
    """One exercise, or all of an assignment: how many mistakes were planted."""

    exercise: str
    planted: int
    killed: int
    equivalent: int  # survived, and the table says why that is right
    survived: int  # survived otherwise

    @property
    def share(self) -> float:
        """The killed ones among those that are mistakes, a fraction."""
        mistakes = self.planted - self.equivalent
        return self.killed / mistakes if mistakes else 1.0


class Outcome(NamedTuple):
    """What `mutate` found out of one assignment."""

    assignment: str
    rows: list[Row]  # by exercise, and "all"
    verdicts: list[Verdict]  # in the order of the lines
    excused: dict[tuple, str]  # why a mutant that survives is no mistake, by its key
    stale: list[tuple]  # rows of the table that fit no line any more

    @property
    def survivors(self) -> list[Mutant]:
        """The mistakes that no test catches."""
        alive = [v.mutant for v in self.verdicts if not v.killed_by]
        return [mutant for mutant in alive if mutant.key not in self.excused]


def equivalent(sources: Path, assignment: str) -> dict[tuple, str]:
    """Return the reason of each mutant that answers as the solution does, by its key.

    Raises CourseError for a table that cannot be read and for a row without a reason.
    """
    file = sources / TABLE
    if not file.is_file():
        return {}
    with file.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    for number, row in enumerate(rows, 2):
        if any(not (row.get(column) or "").strip() for column in COLUMNS):
            raise CourseError(
                f"{file}, line {number}: each of {', '.join(COLUMNS)} needs a word"
            )
    return {
        (row["cell"], row["before"], row["after"]): row["reason"]
        for row in rows
        if row["assignment"] == assignment
    }


def stale(known: dict[tuple, str], mutants: list[Mutant]) -> list[tuple]:
    """Return the table's rows that no mutant is any more: their line was changed."""
    planted = {mutant.key for mutant in mutants}
    return [key for key in known if key not in planted]


def summed(verdicts: Iterable[Verdict], known: dict[tuple, str]) -> list[Row]:
    """Return a row for each exercise, and "all"."""
    verdicts = list(verdicts)
    numbers = sorted({v.mutant.exercise for v in verdicts})
    groups = {str(n): [v for v in verdicts if v.mutant.exercise == n] for n in numbers}
    return [_row(name, of, known) for name, of in (*groups.items(), ("all", verdicts))]


def _row(name: str, verdicts: list[Verdict], known: dict[tuple, str]) -> Row:
    alive = [v for v in verdicts if not v.killed_by]
    excused = sum(v.mutant.key in known for v in alive)
    killed = len(verdicts) - len(alive)
    return Row(name, len(verdicts), killed, excused, len(alive) - excused)


def facts(outcome: Outcome) -> dict:
    """Return an outcome as plain data; of a mutant not its whole source."""
    return {
        "assignment": outcome.assignment,
        "exercises": [row._asdict() | {"share": row.share} for row in outcome.rows],
        "mutants": [
            {key: value for key, value in v.mutant._asdict().items() if key != "source"}
            | {"killed_by": v.killed_by, "reason": v.reason}
            | {"equivalent": outcome.excused.get(v.mutant.key)}
            for v in outcome.verdicts
        ],
        "stale": outcome.stale,
    }


def write_table(found: list[Outcome], page: Path) -> Path:
    """Put a row for each assignment into a Markdown page, between its two marks.

    The rows of other assignments stay. Raises CourseError for a page without the marks.
    """
    text = page.read_text("utf-8") if page.is_file() else f"{MARKS[0]}\n{MARKS[1]}\n"
    before, one, rest = text.partition(MARKS[0])
    kept, two, after = rest.partition(MARKS[1])
    if not one or not two:
        raise CourseError(f"{page} has no lines {MARKS[0]} and {MARKS[1]}: add them")
    rows = dict(re.findall(r"^\| (a\d\S*) \| (.*) \|$", kept, re.M))
    for outcome in found:
        row = outcome.rows[-1]
        rows[outcome.assignment] = " | ".join([*map(str, row[1:]), f"{row.share:.1%}"])
    lines = ["| assignment | planted | killed | equivalent | survived | caught |"]
    lines += ["|---|---|---|---|---|---|"]
    lines += [f"| {name} | {numbers} |" for name, numbers in sorted(rows.items())]
    table = "\n".join(["", "", *lines, "", ""])
    with replacing(page) as part:
        part.write_text(before + one + table + two + after, "utf-8")
    return page
