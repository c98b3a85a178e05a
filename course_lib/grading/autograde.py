"""Grade a class: every submission that is new, two at a time, none lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..errors import CourseError
from ..files import replacing
from .course import directory, find_tools

LIMIT = 1800  # seconds a submission may take in all


class Result(NamedTuple):
    """What became of one submission."""

    student: str
    status: str  # "graded", "already graded" or "refused"
    score: float  # points so far; a question read by a person counts when it is read
    max_score: float
    reason: str = ""  # why it was refused
    notes: tuple[str, ...] = ()  # what was tampered with, and put right
    seconds: float = 0.0


def grade(
    assignment: str,
    course: Path,
    students: list[str] | None = None,
    *,
    force: bool = False,
    workers: int = 2,
    engine: Callable[..., dict] | None = None,
) -> list[Result]:
    """Autograde submitted/*/<assignment> into autograded/ and gradebook.db.

    students: their names; None is everyone who handed in.
    force: grade again what is graded; otherwise only what was handed in since.
    engine: grades one submission; `in_own_process` unless said otherwise.
    A submission that fails is refused with a reason, and the others go on.
    """
    find_tools()
    course = Path(course).resolve()
    names = students or submitted(assignment, course)
    todo = [name for name in names if force or is_new(assignment, course, name)]
    register(assignment, course)
    run = engine or in_own_process
    results: dict[str, Result] = {}
    with ThreadPoolExecutor(workers) as pool, progress(assignment, len(todo)) as show:
        jobs = [pool.submit(_timed, run, course, assignment, n, workers) for n in todo]
        for job in as_completed(jobs):
            name, answer, seconds = job.result()
            results[name] = _result(assignment, course, name, answer, seconds)
            show(results[name])
    for name in set(names) - set(todo):
        answer = {"reason": "", "notes": kept_notes(assignment, course, name)}
        done = _result(assignment, course, name, answer, 0.0)
        results[name] = done._replace(status="already graded")
    ordered = [results[name] for name in names]
    keep(assignment, course, ordered)
    return ordered


def submitted(assignment: str, course: Path) -> list[str]:
    """Return the names of those who handed in, in order."""
    folder = directory(course)
    root = Path(course) / folder.submitted_directory
    names = [path.parent.name for path in sorted(root.glob(f"*/{assignment}"))]
    if not names:
        raise CourseError(
            f"nobody handed in {assignment}: {root}/NAME/{assignment}/ holds each "
            "student's notebook; put the submissions there."
        )
    return names


def is_new(assignment: str, course: Path, student: str) -> bool:
    """Is there no grade yet, or was something handed in after it?"""
    folder = directory(course)
    there = Path(folder.format_path(folder.submitted_directory, student, assignment))
    done = Path(folder.format_path(folder.autograded_directory, student, assignment))
    graded = [path.stat().st_mtime for path in done.glob("*.ipynb")]
    handed_in = [path.stat().st_mtime for path in there.rglob("*") if path.is_file()]
    return not graded or max(handed_in, default=0.0) > min(graded)


def register(assignment: str, course: Path) -> None:
    """Tell the gradebook the assignment's cells, unless it knows them already."""
    from nbgrader.api import Gradebook, MissingEntry

    from .sources import release

    folder = directory(course)
    with Gradebook(folder.db_url, folder.course_id) as gradebook:
        try:
            if gradebook.find_assignment(assignment).notebooks:
                return
        except MissingEntry:
            pass
    release([assignment], course)


def in_own_process(course: Path, assignment: str, student: str, threads: int) -> dict:
    """Grade one submission in a process, ended with its children when it is late."""
    command = [sys.executable, "-m", "course_lib.grading.one"]
    command += [str(course), assignment, student, "force"]
    limit = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    child = subprocess.Popen(
        command,
        env={**os.environ, **limit},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = child.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return {"reason": f"grading took longer than {LIMIT} s", "notes": []}
    if child.returncode:
        last = (errors.strip().splitlines() or ["no message"])[-1]
        return {"reason": f"the grader stopped: {last}", "notes": []}
    return json.loads(output.splitlines()[-1])


def _timed(run, course: Path, assignment: str, name: str, workers: int):
    start = time.perf_counter()
    threads = max(1, (os.cpu_count() or 1) // workers)
    answer = run(course, assignment, name, threads)
    return name, answer, time.perf_counter() - start


def _result(assignment, course, student, answer: dict, seconds: float) -> Result:
    from nbgrader.api import Gradebook, MissingEntry

    folder = directory(course)
    with Gradebook(folder.db_url, folder.course_id) as gradebook:
        most = gradebook.find_assignment(assignment).max_score
        try:
            score = gradebook.find_submission(assignment, student).score
        except MissingEntry:
            score = 0.0
    status = "refused" if answer["reason"] else "graded"
    notes = tuple(answer["notes"])
    return Result(student, status, score, most, answer["reason"], notes, seconds)


@contextmanager
def progress(assignment: str, total: int) -> Iterator[Callable[[Result], None]]:
    """Show a bar in a terminal, and a line for each submission that was refused."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    times = TimeElapsedColumn(), TimeRemainingColumn()
    console = Console()
    with Progress(*columns, *times, console=console, disable=not _live(console)) as bar:
        task = bar.add_task(f"grading {assignment}", total=total)

        def show(result: Result) -> None:
            bar.advance(task)
            if result.reason:
                bar.print(f"{result.student}: refused: {result.reason}", markup=False)

        yield show


def _live(console) -> bool:
    return console.is_terminal and not console.is_jupyter


def log_path(assignment: str, course: Path) -> Path:
    return Path(course) / "reports" / assignment / "grading.json"


def keep(assignment: str, course: Path, results: list[Result]) -> None:
    """Remember reasons and notes, which the gradebook has no place for."""
    path = log_path(assignment, course)
    kept = {row.student: row for row in last_run(assignment, course)}
    kept |= {row.student: row for row in results}
    text = json.dumps([kept[name]._asdict() for name in sorted(kept)], indent=1)
    with replacing(path) as part:
        part.write_text(text + "\n", "utf-8")


def last_run(assignment: str, course: Path) -> list[Result]:
    """Return the results of the runs so far, the latest of each student."""
    path = log_path(assignment, course)
    rows = json.loads(path.read_text("utf-8")) if path.is_file() else []
    return [Result(**{**row, "notes": tuple(row["notes"])}) for row in rows]


def kept_notes(assignment: str, course: Path, student: str) -> tuple[str, ...]:
    rows = last_run(assignment, course)
    return next((row.notes for row in rows if row.student == student), ())
