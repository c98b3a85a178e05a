"""The one writer of grades: a verdict becomes rows and files, all of them or none.

The rows of a submission are one transaction, in any database that nbgrader takes. The
files are complete beside their place before it commits, under a token that it records,
and are moved after it. So a run killed before the commit leaves what was there, and one
killed after it leaves what the next run moves. A table of ours, `course_verdict`, lies
beside nbgrader's and says which submission was graded, and what it was found to be.

SQLite keeps the journal that the course chose: its WAL would save half a millisecond of
a commit's one, and must not lie on a network's disk, where many courses do.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import nbformat
from filelock import FileLock, Timeout
from nbformat import NotebookNode
from nbgrader.api import SubmittedAssignment
from nbgrader.converters import Autograde
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.utils import parse_utc
from sqlalchemy import Column, MetaData, String, Table, Text, delete, select
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from course_grader.assignment.bundle import Bundle, Verdict
from course_grader.assignment.course import Course
from course_lib.errors import CourseError

from . import folders
from .kept import Keeper, leave_others, restored
from .marks import Marks, mark
from .outcomes import NAME, Result, Unfit, as_result, keep, log_path, storable
from .rows import Rows, Sheet

VERDICTS = Table(
    "course_verdict",
    MetaData(),
    Column("assignment_id", String(32), primary_key=True),
    Column("student", String(NAME), primary_key=True),
    Column("digest", String(64), nullable=False),  # of the files; "" if refused
    Column("token", String(32), nullable=False),  # of the folder; "" if refused
    Column("result", Text, nullable=False),  # JSON
)


class Writer:
    """The one writer of an assignment's grades; a context manager, for one thread."""

    def __init__(
        self,
        course: Course | Path,
        assignment: str,
        bundle: Bundle,
        only: frozenset[str] = frozenset(),
    ):
        """only: tests to count anew where the same files were graded before."""
        self.only = only
        self.course, self.assignment = Course.open(course), assignment
        self.bundle, config = bundle, self.course.config
        self.nbgrader = Autograde(coursedir=self.course.folder, config=config)
        self.most, self.version = sum(bundle.points.values()), bundle.version
        self._keepers = {
            name: Keeper(lesson, config) for name, lesson in bundle.lessons.items()
        }

    def __enter__(self) -> Writer:
        with ExitStack() as stack:
            stack.enter_context(alone(self.assignment, self.course))
            self.engine = stack.enter_context(self.course.gradebook()).engine
            VERDICTS.create(self.engine, checkfirst=True)
            self.late = _late(self.course)
            self._load()
            self._open = stack.pop_all()
        return self

    def __exit__(self, *error) -> None:
        with self._open:
            keep(self.assignment, self.course, list(self._results.values()))

    def done(self, student: str, digest: str) -> bool:
        """Is there a grade already, of this very submission by this assignment?

        digest: sha256 of the files as they were handed in.
        """
        same = self._same(student, digest)
        return same and self._results[student].version == self.version

    def older(self, student: str, digest: str) -> bool:
        """Was this very submission graded, by another version of the assignment?"""
        return not self.done(student, digest) and self._same(student, digest)

    def _same(self, student: str, digest: str) -> bool:
        same = digest != "" and self._digests.get(student) == digest
        return same and self._target(student).is_dir()

    def kept(self, student: str) -> Result:
        """Return what an earlier run found, with the points as they are today."""
        found = self._results[student]
        score = self._scores.get(student, 0.0)
        now = found._replace(status="already graded", score=score, before=None)
        if self._seconds.get(student) or now.penalty:
            now = self._charged(now)
        self._results[student] = now._replace(status=found.status)
        return now

    def _charged(self, result: Result) -> Result:
        """Count anew what is off for being late: a deadline or a score has changed."""
        with Session(self.engine) as session, session.begin():
            submission = self.rows.submission(session, result.student, create=False)
            late, penalty = _seconds_late(submission), 0.0
            for name in self.rows.notebooks:
                sheet = self.rows.sheet(session, submission, name)
                off = self._penalty(result.student, sheet.score, late)
                sheet.notebook.late_submission_penalty = off
                penalty += off or 0.0
            now = result._replace(penalty=penalty, late=late)
            mine = VERDICTS.c.assignment_id == self.rows.id
            mine &= VERDICTS.c.student == storable(result.student)
            text = json.dumps(now._replace(status="graded")._asdict())
            session.execute(VERDICTS.update().where(mine).values(result=text))
        return now

    def write(self, verdict: Verdict) -> Result:
        """Store a verdict: rows and files, or neither; CourseError if the disk fails.

        A refused one changes no grade; the reason is kept. One that the gradebook
        cannot take (a name too long, a student it may not add) is refused, too.
        """
        try:
            if verdict.reason:
                return self._refused(verdict, verdict.reason)
            return self._graded(verdict)
        except (IntegrityError, OperationalError) as error:
            raise CourseError(
                f"the gradebook {self.engine.url} cannot be written ({error.orig}): "
                "close what holds it and repeat the command; what is graded is kept."
            ) from error

    def _graded(self, verdict: Verdict) -> Result:
        try:
            return self._stored(verdict)
        except DataError as error:
            reason = f"the gradebook cannot store it: {error.orig}".splitlines()[0]
        except (Unfit, UnicodeError) as error:
            reason = str(error)
        return self._refused(verdict, reason)

    def _load(self) -> None:
        with Session(self.engine) as session:
            self.rows = Rows(session, self.assignment)
            self._scores = self.rows.scores(session)
            mine = VERDICTS.c.assignment_id == self.rows.id
            found = session.execute(select(VERDICTS).where(mine)).all()
            where = SubmittedAssignment.assignment_id == self.rows.id
            handed_in = session.scalars(select(SubmittedAssignment).where(where)).all()
            self._seconds = {one.student_id: _seconds_late(one) for one in handed_in}
            there = set(self._seconds)
        results = [as_result(json.loads(row.result)) for row in found]
        self._results = {result.student: result for result in results}
        graded = [row for row in found if row.student in there]
        self._digests = {row.student: row.digest for row in graded}
        folders.repair(
            self.course.folder, self.assignment, {row.token for row in found}
        )

    def _stored(self, verdict: Verdict) -> Result:
        lessons = self.bundle.lessons
        notebooks = {
            name: restored(notebook, lessons[name])
            for name, notebook in verdict.notebooks.items()
            if name in lessons
        }
        if self.only and self._same(verdict.student, verdict.digest):
            self._leave_others(verdict.student, notebooks)
        marks = {name: mark(notebook) for name, notebook in notebooks.items()}
        files = _others(verdict, lessons)
        for name, notebook in notebooks.items():
            files[f"{name}.ipynb"] = self._keepers[name].text(notebook)
        target, token = self._target(verdict.student), uuid4().hex
        mode, shared = (
            int(str(self.nbgrader.permissions), 8),
            self.course.folder.groupshared,
        )
        new = folders.stage(target, token, files, mode, shared)
        try:
            with Session(self.engine) as session, session.begin():
                result = self._mark(session, verdict, marks)
                self._record(session, result, verdict.digest, token)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        folders.publish(new, target)
        return self._remember(result, verdict.digest)

    def _leave_others(self, student: str, notebooks: dict[str, NotebookNode]) -> None:
        """Give each test that is not in `only` what it said in autograded/."""
        for name, notebook in notebooks.items():
            path = self._target(student) / f"{name}.ipynb"
            if path.is_file():
                kept = nbformat.read(path, as_version=4).cells
                leave_others(notebook, kept, self.only)

    def _mark(
        self, session: Session, verdict: Verdict, marks: dict[str, Marks]
    ) -> Result:
        student, create = verdict.student, self.nbgrader.create_student
        submission = self.rows.submission(session, student, create)
        if verdict.timestamp is not None:
            submission.timestamp = parse_utc(verdict.timestamp)
        late, score, penalty = _seconds_late(submission), 0.0, 0.0
        same = self._same(student, verdict.digest)
        for name in self.rows.notebooks:
            sheet = self.rows.sheet(session, submission, name)
            _fill(sheet, marks.get(name), same)
            _cap(sheet, {c: m for (n, c), m in self.bundle.points.items() if n == name})
            off = self._penalty(student, sheet.score, late)
            sheet.notebook.late_submission_penalty = off
            score, penalty = score + sheet.score, penalty + (off or 0.0)
        unclear = [
            f"repaired: {cell} gave no number of its points, read it"
            for mark in marks.values()
            for cell in mark.unclear
        ]
        notes = (*verdict.notes, *unclear)
        result = self._as_result(verdict, "graded", score, notes=notes)
        more = {"penalty": penalty, "version": self.version, "late": late}
        if same:
            earlier = self._results[student]._replace(score=self._scores[student])
            more["before"] = earlier.total
            if self.only:  # the other tests are as that version had them
                more["version"] = earlier.version
        return result._replace(**more)

    def _penalty(self, student: str, score: float, late: float) -> float | None:
        """Ask the course's plugin, and keep its answer between 0 and the points."""
        if late == 0:
            return None
        with _plugin_of(self.course):
            off = self.late.plugin_inst.late_submission_penalty(student, score, late)
            off = off if off is None else float(off)
        return None if off is None else min(max(off, 0), score)

    def _refused(self, verdict: Verdict, reason: str) -> Result:
        score = self._scores.get(verdict.student, 0.0)
        result = self._as_result(verdict, "refused", score, reason=reason)
        if earlier := self._results.get(verdict.student):  # its grade stands
            result = result._replace(penalty=earlier.penalty)
        with Session(self.engine) as session, session.begin():
            self._record(session, result, digest="", token="")
        return self._remember(result, digest="")

    def _as_result(self, verdict: Verdict, status: str, score: float, **more) -> Result:
        by_cell, cost = dict(verdict.seconds), dict(verdict.cost)
        facts = {
            "notes": tuple(verdict.notes),
            "seconds": cost.get("wall", sum(by_cell.values())),
            "by_cell": by_cell,
            "cost": cost,
        }
        return Result(verdict.student, status, score, self.most, **(facts | more))

    def _record(
        self, session: Session, result: Result, digest: str, token: str
    ) -> None:
        key = {"assignment_id": self.rows.id, "student": storable(result.student)}
        same = [VERDICTS.c[name] == value for name, value in key.items()]
        text = json.dumps(result._asdict())
        session.execute(delete(VERDICTS).where(*same))
        row = VERDICTS.insert().values(**key, digest=digest, token=token, result=text)
        session.execute(row)

    def _remember(self, result: Result, digest: str) -> Result:
        self._results[result.student] = result
        self._digests[result.student] = digest
        self._scores[result.student] = result.score
        return result

    def _target(self, student: str) -> Path:
        if student in ("", ".", "..") or "/" in student or "\0" in student:
            raise Unfit(f"{student!r} cannot be a folder's name")
        return self.course.autograded(student, self.assignment)


@contextmanager
def alone(assignment: str, course: Course) -> Iterator[None]:
    """Hold the lock of an assignment; CourseError if another run has it."""
    path = log_path(assignment, course).with_name(".grading.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=0):
            yield
    except Timeout:
        raise CourseError(
            f"another run is grading {assignment} in {course}: wait for it or stop it."
        ) from None


def _late(course: Course) -> AssignLatePenalties:
    """Return nbgrader's step with the course's plugin, which may lie in its folder."""
    sys.path.insert(0, str(course))
    try:
        with _plugin_of(course):
            late = AssignLatePenalties(config=course.config)
            late.init_plugin()
        return late
    finally:
        sys.path.remove(str(course))


@contextmanager
def _plugin_of(course: Course):
    try:
        yield
    except Exception as error:
        raise CourseError(
            f"{course}: the plugin for late work (AssignLatePenalties.plugin_class in "
            f"nbgrader_config.py) fails: {type(error).__name__}: {error}. Repair it "
            "and grade again; what is graded so far is kept."
        ) from error


def _seconds_late(submission: SubmittedAssignment) -> float:
    due, came = submission.assignment.duedate, submission.timestamp
    if due is None or came is None:
        return 0.0
    if submission.extension is not None:
        due += submission.extension
    return max(0.0, (came - due).total_seconds())


def _others(verdict: Verdict, lessons: Iterable[str]) -> dict[str, bytes]:
    """Return the other files, without any that nbgrader would take for one of its own.

    Those are further notebooks, a page called like the feedback's, and the timestamp,
    which is written anew: nbgrader stops at one that it cannot read.
    """
    pages = {f"{name}.html" for name in lessons}
    files = {
        name: content
        for name, content in verdict.files.items()
        if "/" in name or not (name.endswith(".ipynb") or name in pages)
    }
    files.pop("timestamp.txt", None)
    if verdict.timestamp is not None:
        moment = parse_utc(verdict.timestamp)
        files["timestamp.txt"] = f"{moment:%Y-%m-%d %H:%M:%S.%f} UTC\n".encode()
    return files


def _fill(sheet: Sheet, marks: Marks | None, same: bool) -> None:
    """Set what the grader decides, and leave what a person did, as nbgrader does.

    marks: None if the notebook was not handed in, which is worth nothing.
    same: the files are those graded before, so an answer that was read stays read.
    """
    for name, grade in sheet.grades.items():
        if marks is None:
            grade.auto_score, grade.needs_manual_grade = 0.0, False
        elif name in marks.points:
            read = same and grade.manual_score is not None
            read = read and not grade.needs_manual_grade
            read = read and grade.auto_score == marks.points[name]
            grade.auto_score = marks.points[name]
            unread = grade.auto_score is None or grade.manual_score is not None
            grade.needs_manual_grade = unread and not read
    for name, comment in sheet.comments.items():
        comment.auto_comment = marks.comments.get(name) if marks else None


def _cap(sheet: Sheet, most: dict[str, float]) -> None:
    """Let a person read again what has more points than a later release gives."""
    for name, grade in sheet.grades.items():
        if grade.manual_score is not None and grade.manual_score > most[name]:
            grade.manual_score, grade.needs_manual_grade = float(most[name]), True
