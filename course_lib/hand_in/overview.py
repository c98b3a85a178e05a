"""How far a student is with each assignment: `course progress`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from course_lib.errors import CourseError
from course_lib.files import ROOT
from course_lib.hand_in import guide, work
from course_lib.hand_in.cell import is_solution
from course_lib.hand_in.ipynb import parse
from course_lib.hand_in.submit import answers, is_answered, named


class Row(NamedTuple):
    """One assignment. Times are those of this machine's clock."""

    assignment: str
    notebook: Path | None  # that the student works in; none: not begun
    answered: int
    answers: int
    handed_in: str  # when the newest zip was made, or ""
    changed: bool  # since then
    due: str
    problem: str = ""  # why the notebook cannot be read


def overview(root: Path = ROOT) -> list[Row]:
    """Return a row for each assignment; the copy in work/ comes before the release."""
    due = guide.facts(root).get("deadlines", {})
    folders = sorted(work.RELEASED.glob("*"))
    names = [path.name for path in folders if (path / f"{path.name}.ipynb").is_file()]
    return [row(name, due.get(name, "")) for name in names]


def row(name: str, due: str = "") -> Row:
    """Look at one assignment; an answer is one that is not as it was released."""
    copy = work.WORK / name / f"{name}.ipynb"
    path = copy if copy.parent.is_dir() else work.RELEASED / name / copy.name
    problem, done = "", 0
    try:
        cells = parse(named(path.parent, name).read_bytes(), path.name)[0].cells
        done = sum(is_answered(cell) for cell in cells if is_solution(cell))
    except CourseError as error:
        problem = str(error)
    begun = path == copy or done
    zips = [zipped.stat().st_mtime for zipped in work.WORK.glob(f"{name}_*.zip")]
    newest = max(zips, default=0.0)
    handed_in = time.strftime("%d %B %Y, %H:%M", time.localtime(newest)) if zips else ""
    changed = bool(zips) and path.is_file() and path.stat().st_mtime > newest
    counts = done, len(answers(name))
    due = guide.local(due) if due else ""
    return Row(name, path if begun else None, *counts, handed_in, changed, due, problem)
