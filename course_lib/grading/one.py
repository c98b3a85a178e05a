"""Grade one submission, in a process of its own: `python -m course_lib.grading.one`.

This is the seam between collecting grades and executing a student's code. What `grade`
needs is the JSON line that this program prints last; another engine (a container, a
sandbox, another machine) only has to print the same.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nbformat
from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute
from traitlets.config import Config

from ..errors import CourseError
from .cells import Restore, WarningsAreNoErrors, tampering
from .course import convert, directory, settings

TIMEOUT = 180  # seconds a cell, unless the course's own configuration says


def grade_one(course: Path, assignment: str, student: str, force: bool) -> dict:
    """Autograde one submission into gradebook.db and autograded/.

    Returns {"reason": why it could not be graded, or "", "notes": what was tampered}.
    """
    notes = []
    try:
        notes = check(course, assignment, student)
        convert(Autograde, course, assignment, student, steps(course, force))
    except CourseError as error:
        return {"reason": plain(str(error)), "notes": notes}
    return {"reason": "", "notes": notes}


def plain(reason: str) -> str:
    """Say on one line, in an instructor's words, why nbgrader gave up."""
    if "DeadKernelError" in reason:
        return "its code ended the kernel (an exit call, or more memory than there is)"
    return " ".join(reason.split())


def steps(course: Path, force: bool) -> Config:
    """nbgrader's own steps, ours before its first and after the execution."""
    config = Config()
    clean = Autograde.sanitize_preprocessors.default()
    score = Autograde.autograde_preprocessors.default()
    score.insert(score.index(Execute) + 1, WarningsAreNoErrors)
    config.Autograde.sanitize_preprocessors = [Restore, *clean]
    config.Autograde.autograde_preprocessors = score
    config.Autograde.force = force
    if "timeout" not in settings(course).Execute:
        config.Execute.timeout = TIMEOUT
    return config


def check(course: Path, assignment: str, student: str) -> list[str]:
    """Return what was tampered with; CourseError when there is nothing to grade."""
    if set(student) & set("*?["):
        raise CourseError(f"nbgrader cannot read a name with *, ? or [: {student}")
    folder = directory(course)
    steps = folder.submitted_directory, folder.release_directory
    mine, released = (
        Path(folder.format_path(step, who, assignment))
        for step, who in zip(steps, (student, "."), strict=True)
    )
    notes = []
    for path in sorted(released.glob("*.ipynb")):
        if not (mine / path.name).is_file():
            raise CourseError(f"there is no {path.name} in the submission")
        notes += tampering(read(mine / path.name), read(path))
    return notes


def read(path: Path) -> nbformat.NotebookNode:
    """Read a notebook of any version 4; CourseError says what else the file is."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise CourseError(f"{path.name} is not UTF-8 text") from None
    if not text.strip():
        raise CourseError(f"{path.name} is empty")
    if "<<<<<<< " in text:
        raise CourseError(f"{path.name} holds merge-conflict markers (<<<<<<<)")
    try:
        notebook = json.loads(text)
        version = notebook["nbformat"]
        if version != 4:
            raise CourseError(f"{path.name} is of notebook format {version}, not 4")
        return nbformat.reads(text, as_version=4)
    except CourseError:
        raise
    except Exception as error:
        raise CourseError(f"{path.name} is not a notebook: {error}") from None


def main(course: str, assignment: str, student: str, force: str = "") -> None:
    result = grade_one(Path(course), assignment, student, bool(force))
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
