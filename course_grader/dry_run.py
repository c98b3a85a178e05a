"""What `course grade` would do with each submission; it grades and writes nothing."""

from __future__ import annotations

import json
from pathlib import Path

from nbgrader.api import SubmittedAssignment
from sqlalchemy import Engine, create_engine, inspect, select
from sqlalchemy.orm import Session

from course_lib.errors import CourseError

from .assignment import bundle, editions
from .assignment.course import Course, usable
from .autograde import OLDER, Run, require_sandbox, wanted
from .engine.launcher import Engine as Launched
from .store.folders import graded
from .store.gradebook import VERDICTS
from .store.outcomes import Result, as_result
from .store.rows import Rows


def preview(
    assignment: str,
    course: Course | Path,
    students: list[str] | None = None,
    *,
    force: bool = False,
) -> list[Result]:
    """Return a result a student: "to grade", "already graded" or "refused".

    students, force: as for `grade`.  Raises CourseError before the first release, for
    what can be graded is measured by the release.
    """
    course = Course.open(course)
    names = wanted(students, assignment, course)
    earlier = Earlier(assignment, course)
    assigned = bundle.load(assignment, course)
    assigned = editions.with_earlier(assigned, course, remember=False)
    earlier.version = assigned.version
    run = Run(assignment, course, assigned, earlier, force)
    refused, todo = run.sort(names)
    most, scores = sum(assigned.points.values()), earlier.scores
    found = dict(run.results)
    for one in refused:
        score = scores.get(one.student, 0.0)
        found[one.student] = Result(one.student, "refused", score, most, one.reason)
    for name in todo:
        notes = (OLDER,) if name in run.older else ()
        score = scores.get(name, 0.0)
        found[name] = Result(name, "to grade", score, most, notes=notes)
    return [found[name] for name in names]


def tried(
    assignment: str, course: Course | Path, level: str | None = None
) -> list[str]:
    """Try the model solution as `grade` does first; return what it would say of it.

    Raises CourseError where `grade` would grade nobody.
    """
    require_sandbox(level)
    with Launched(bundle.load(assignment, course), level) as engine:
        return engine.remarks()


class Earlier:
    """What earlier runs left, only read: what `Run.sort` asks of a `Writer`."""

    version = ""  # of the assignment as it is now

    def __init__(self, assignment: str, course: Course):
        url = course.folder.db_url
        with usable(url), Session(existing(url, assignment)) as session:
            rows = Rows(session, assignment)
            self.scores = rows.scores(session)
            mine = VERDICTS.c.assignment_id == rows.id
            known = inspect(session.get_bind()).has_table(VERDICTS.name)
            found = session.execute(select(VERDICTS).where(mine)) if known else ()
            where = SubmittedAssignment.assignment_id == rows.id
            there = set(
                session.scalars(select(SubmittedAssignment.student_id).where(where))
            )
            self.rows = {row.student: row for row in found if row.student in there}
        self.folders = graded(course.folder, assignment)

    def done(self, student: str, digest: str) -> bool:
        return self._same(student, digest) and self._version(student) == self.version

    def older(self, student: str, digest: str) -> bool:
        return self._same(student, digest) and self._version(student) != self.version

    def _same(self, student: str, digest: str) -> bool:
        row = self.rows.get(student)
        same = row is not None and digest != "" and row.digest == digest
        return same and student in self.folders

    def _version(self, student: str) -> str:
        return as_result(json.loads(self.rows[student].result)).version

    def kept(self, student: str) -> Result:
        row, score = self.rows[student], self.scores.get(student, 0.0)
        result = as_result(json.loads(row.result))
        return result._replace(status="already graded", score=score)


def existing(url: str, assignment: str) -> Engine:
    """Open a gradebook that is there; SQLite would make a new one."""
    engine = create_engine(url)
    file = engine.url.database
    if engine.dialect.name == "sqlite" and file and not Path(file).is_file():
        raise CourseError(
            f"there is no gradebook {file} yet: release {assignment} first, which "
            "`course grade` would do, too."
        )
    return engine
