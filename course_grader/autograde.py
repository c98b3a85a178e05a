"""Grade a class: every submission that is new, in parallel, none lost."""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from course_lib.errors import CourseError

from . import sandbox
from .assignment import bundle, editions
from .assignment.bundle import Submission, Verdict
from .assignment.cells import exercise
from .assignment.course import Course
from .cluster import Cluster
from .intake import submission
from .live import Live
from .store.gradebook import Writer, alone
from .store.outcomes import Result
from .workers import Here

OLDER = "graded by an earlier version of the assignment"


def grade(
    assignment: str,
    course: Course | Path,
    students: list[str] | None = None,
    *,
    force: bool = False,
    cells: list[str] | None = None,
    workers: int = 2,
    scheduler: str | None = None,
    level: str | None = None,
) -> list[Result]:
    """Autograde submitted/*/<assignment> into autograded/ and the gradebook.

    students: their names; None is everyone who handed in.
    force: grade again what is graded; otherwise only what was handed in since, and
    what an earlier version of the assignment (a test, a cell's points) had graded.
    cells: tests, or exercises, to count anew; each other test keeps what it said of the
    same files. Who was not graded yet, or handed in since, is graded whole.
    workers: submissions at a time, on this machine.
    scheduler: address of a Dask scheduler, e.g. "tcp://10.0.0.1:8786", to use instead.
    level: of the sandbox; None is the best that the machine offers, "none" is none.
    A submission that cannot be graded is refused with a reason, and the others go on.
    A run that is killed loses nothing: repeat it, and it goes on.
    """
    course = Course.open(course)
    if scheduler is None:
        require_sandbox(level)
    register(assignment, course)
    names = wanted(students, assignment, course)
    assigned = editions.with_earlier(bundle.load(assignment, course), course)
    assigned = bundle.with_secret(assigned, course)
    only = chosen(assigned, cells or [])
    with Writer(course, assignment, assigned, only) as writer:
        run = Run(assignment, course, assigned, writer, force or bool(only))
        refused, todo = run.sort(names)
        with Live(assignment, len(todo) + len(refused), len(run.results)) as live:
            for verdict in refused:
                run.keep(verdict, live.finished)
            if run.older:
                then = "these tests count anew" if only else "they are graded again"
                live.say(f"{len(run.older)} {OLDER}: {then}")
            if todo:
                with (
                    Here(assigned, workers, level)
                    if scheduler is None
                    else Cluster(assigned, scheduler, level)
                ) as graders:
                    live.started("(the model solution, to begin with)")
                    for remark in graders.remarks():
                        live.say(remark)
                    live.ready()
                    read = run.read(todo, live.finished)
                    for verdict in graders.grade(read, live.started):
                        run.keep(verdict, live.finished)
        return [run.results[name] for name in names]


class Run:
    """One run of the grader over a class."""

    def __init__(self, assignment: str, course: Course, assigned, writer, force: bool):
        self.assignment, self.course, self.assigned = assignment, course, assigned
        self.writer, self.force = writer, force
        self.results: dict[str, Result] = {}
        self.older: list[str] = []  # whose grade an earlier version of it gave

    def sort(self, names: list[str]) -> tuple[list[Verdict], list[str]]:
        """Return verdicts of those refused at once, and names of those to grade."""
        refused, todo = [], []
        for name in names:
            found = self.open(name)
            if isinstance(found, Verdict):
                refused.append(found)
            elif not self.force and self.writer.done(name, found.digest):
                self.results[name] = self.writer.kept(name)
            else:
                todo.append(name)
                if self.writer.older(name, found.digest):
                    self.older.append(name)
        return refused, todo

    def open(self, name: str) -> Submission | Verdict:
        """Read what a student handed in, or say why it cannot be graded."""
        place = self.course.submitted(name, self.assignment)
        try:
            return submission.read(place, self.assigned, name)
        except submission.Refused as error:
            return Verdict(name, self.assignment, reason=str(error))

    def read(self, names: list[str], finished: Callable) -> Iterator[Submission]:
        """Yield the submissions one by one, so that few are in memory."""
        for name in names:
            found = self.open(name)
            if isinstance(found, Verdict):  # it has changed since it was sorted
                self.keep(found, finished)
            else:
                yield found

    def keep(self, verdict: Verdict, finished: Callable) -> None:
        """Write a verdict and show it."""
        result = self.writer.write(verdict)
        self.results[verdict.student] = result
        finished(result)


def chosen(assigned: bundle.Bundle, names: list[str]) -> frozenset[str]:
    """Return the tests that have one of these names, or belong to such an exercise."""
    known = [
        cell
        for lesson in assigned.lessons.values()
        for cell, one in lesson.cells.items()
        if one.metadata.nbgrader.grade and not one.metadata.nbgrader.solution
    ]
    for name in names:
        if not any(name in (cell, exercise(cell)) for cell in known):
            raise CourseError(
                f"{assigned.assignment} has no test {name!r}: it has {', '.join(known)}"
            )
    return frozenset(c for c in known if {c, exercise(c)} & set(names))


def require_sandbox(level: str | None) -> None:
    """Raise CourseError where students' code could not be locked in."""
    if level is None and sandbox.best() == "none":
        raise CourseError(
            "this machine offers no sandbox: a submission could do whatever you may. "
            "`course doctor --grading` says what is missing; --no-sandbox grades anyway"
        )


def wanted(students: list[str] | None, assignment: str, course: Course) -> list[str]:
    """Return these students, or all who handed in; CourseError for who did not."""
    for name in students or ():
        if not os.path.lexists(course.submitted(name, assignment)):
            close = difflib.get_close_matches(name, submitted(assignment, course), 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise CourseError(f"{name!r} did not hand in {assignment}{hint}")
    return list(dict.fromkeys(students or submitted(assignment, course)))


def submitted(assignment: str, course: Course) -> list[str]:
    """Return the names of those who handed in, in order."""
    root = course.root / course.folder.submitted_directory
    found = sorted(root.glob(f"*/{glob.escape(assignment)}"))
    names = [path.parent.name for path in found]
    if not names:
        raise CourseError(
            f"nobody handed in {assignment}: {root}/NAME/{assignment}/ holds each "
            "student's notebook; put the submissions there, or use `course collect`."
        )
    return names


def register(assignment: str, course: Course) -> None:
    """Tell the gradebook the assignment's cells, unless it knows them already.

    CourseError while another run is at it: the first would be told them twice.
    """
    from nbgrader.api import MissingEntry

    from .assignment.release import release

    with alone(assignment, course):
        with course.gradebook() as gradebook, suppress(MissingEntry):
            if gradebook.find_assignment(assignment).notebooks:
                return
        release([assignment], course)
