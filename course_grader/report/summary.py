"""What an instructor reads of a graded class: one page, with its picture."""

from __future__ import annotations

import json
from pathlib import Path

from course_grader.assignment.course import Course
from course_lib.files import replacing

from . import figure, page
from .facts import facts, points

__all__ = ["points", "summarise"]


def summarise(assignment: str, course: Course | Path) -> Path:
    """Write summary.html, .md, points.png and report.json into reports/<assignment>.

    They say points by exercise, who was refused and why, what was tampered with, which
    exercise was hardest and what took the time. Returns the page, which stands alone.
    """
    found = facts(assignment, course)
    folder = Path(course) / "reports" / assignment
    with replacing(folder / "report.json") as part:
        part.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    picture = folder / "points.png"
    figure.draw(found, picture)
    with replacing(folder / "summary.md") as part:
        part.write_text(page.markdown(found), "utf-8", "replace")
    whole = folder / "summary.html"
    with replacing(whole) as part:
        part.write_text(page.html(found, picture.read_bytes()), "utf-8", "replace")
    return whole
