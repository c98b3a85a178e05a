"""Grade a class of cases in one run, and watch what happens around it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import psutil
import pytest

from course_grader import grade
from course_grader.assignment.cells import grade_id
from course_grader.assignment.course import Course, find_tools
from course_grader.store.outcomes import Result

from . import Case, course

WRITTEN = "autograded", "gradebook.db", "reports", "feedback"  # by the grader


@dataclass
class Run:
    """What became of the class."""

    course: Path
    results: dict[str, Result]
    points: dict[str, dict[str, float | None]]  # by student, by grade id
    before: dict[str, str]  # sha256 of each file that no grader should change
    callers: list = field(default_factory=list)  # who came to the listener
    processes: set = field(default_factory=set)  # all that were started
    temporary: Path | None = None  # the grader's folder for temporary files


def watched(cases: Iterable[Case], place: Path, temporary: Path, config="", **options):
    """Grade the cases in a new course; return the Run.

    config: more lines of the course's nbgrader_config.py; options: of `grade`.
    """
    find_tools()
    place = place / "course"
    course.build(place)
    with open(place / "nbgrader_config.py", "a") as file:
        file.write(config)
    model = course.solutions(place)
    with listener() as (port, callers), children() as processes, at(temporary):
        for case in cases:
            course.hand_in(case, place, model, port)
        before = tree(place)
        results = grade(course.NAME, place, workers=2, **options)
    found = {result.student: result for result in results}
    return Run(place, found, points(place), before, callers, processes, temporary)


def check(run: Run, case: Case) -> None:
    """Fail unless this student got what the case deserves, and saw what it may see."""
    result = run.results[case.name]
    if case.refused:
        assert result.status == "refused", result
        assert case.refused in result.reason
        return
    assert result.status == "graded", result.reason
    given = run.points[case.name]
    wrong = {name: (given[name], most) for name, most in case.points.items()}
    wrong = {name: both for name, both in wrong.items() if both[0] != both[1]}
    assert not wrong, f"{case.what}: (given, deserved) {wrong}"
    for words in case.said:
        assert any(words in note for note in result.notes), (words, result.notes)
    if case.shows:
        assert case.shows in shown(run, case.name)


def shown(run: Run, student: str) -> str:
    """Return what a student's own cells have printed; nothing found means 0 found."""
    path = run.course / "autograded" / student / course.NAME / f"{course.NAME}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    texts = [
        output.get("text", "")
        for cell in notebook.cells
        if cell.cell_type == "code" and grade_id(cell) is None
        for output in cell.outputs
    ]
    assert not re.search(r"\b[1-9]\d* found", "".join(texts)), texts
    return "".join(texts)


@contextlib.contextmanager
def listener():
    """Listen on this machine; yield the port and the list of those who call."""
    callers: list = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            with contextlib.suppress(OSError):
                while True:
                    callers.append(server.accept()[1])

        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1], callers


@contextlib.contextmanager
def children():
    """Yield the set in which all processes gather that begin below this one.

    joblib's workers idle on after the test that asked for them: those are not ours.
    """
    seen: set = set()
    done = threading.Event()
    here = psutil.Process()
    before = set(here.children(recursive=True))

    def watch() -> None:
        while not done.wait(0.2):
            with contextlib.suppress(psutil.Error):
                seen.update(set(here.children(recursive=True)) - before)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


@contextlib.contextmanager
def at(temporary: Path):
    """Let temporary files lie in this folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        patch.setattr(tempfile, "tempdir", None)
        yield


def tree(place: Path) -> dict[str, str]:
    """Return the sha256, or the target, of each file that the grader does not write."""
    found = {}
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        if name.startswith(WRITTEN) or path.is_fifo():
            continue
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def points(place: Path) -> dict[str, dict[str, float | None]]:
    """Return what the gradebook says of everybody's cells."""
    found = {}
    with Course.open(place).gradebook() as book:
        for submission in book.assignment_submissions(course.NAME):
            grades = [g for notebook in submission.notebooks for g in notebook.grades]
            found[submission.student.id] = {g.name: g.auto_score for g in grades}
    return found
