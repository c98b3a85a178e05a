"""What became of each submission: the record that a run leaves for the report."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

from course_lib.files import replacing

NAME = 255  # characters of a student's name that the record is found by


class Unfit(Exception):
    """Say in a sentence to the student why a submission cannot be stored."""


class Result(NamedTuple):
    """What became of one submission."""

    student: str
    status: str  # "graded", "already graded" or "refused"
    score: float  # points so far; a question read by a person counts when it is read
    max_score: float
    reason: str = ""  # why it was refused
    notes: tuple[str, ...] = ()  # what was tampered with or repaired
    seconds: float = 0.0
    by_cell: dict[str, float] = {}  # s
    cost: dict[str, float] = {}  # "wall" and "cpu" s, "memory" B
    penalty: float = 0.0  # for being late; not taken off `score`
    version: str = ""  # `Bundle.version` of the assignment that gave the score
    before: float | None = None  # total of the same files in an earlier run, if again
    late: float = 0.0  # s after the deadline, with the student's extension

    @property
    def total(self) -> float:
        """The points that count, as `course export` and nbgrader's pages have them."""
        return max(0.0, self.score - self.penalty)

    @property
    def remarks(self) -> list[str]:
        """What there is to say of it, in the order of its weight."""
        said = [self.reason] if self.reason else []
        if self.late:
            off = f", {self.penalty:g} points off" if self.penalty else ""
            said.append(f"{round(self.late / 3600, 1):g} h late{off}")
        return [*said, *self.notes]


def log_path(assignment: str, course: Path) -> Path:
    return Path(course) / "reports" / assignment / "grading.json"


def keep(assignment: str, course: Path, results: list[Result]) -> None:
    """Write what all runs so far found, in order of the students."""
    rows = [row._asdict() for row in sorted(results, key=lambda row: row.student)]
    with replacing(log_path(assignment, course)) as part:
        part.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


def last_run(assignment: str, course: Path) -> list[Result]:
    """Return the results of the runs so far, the latest of each student."""
    path = log_path(assignment, course)
    rows = json.loads(path.read_text("utf-8")) if path.is_file() else []
    return [as_result(row) for row in rows]


def as_result(row: dict) -> Result:
    """Return the Result of its JSON object.

    A run of before the notes' word "repaired" wrote "mended".
    """
    notes = (re.sub("^mended: ", "repaired: ", note) for note in row["notes"])
    return Result(**{**row, "notes": tuple(notes)})


def storable(student: str) -> str:
    """Return a name as a database takes it: a folder's name need not be UTF-8."""
    text = student.encode("utf-8", "backslashreplace").decode()
    return text.replace("\0", "\\0")[:NAME]
