"""Answers that wait for a reader, in the gradebook and in autograded/.

Points and comment stand where nbgrader's formgrader writes them, too. A table of ours,
`course_reading`, lies beside nbgrader's and says who gave them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader import api
from sqlalchemy import Column, MetaData, String, Table, delete, func, or_, select
from sqlalchemy.orm import Session

from course_grader.assignment import bundle
from course_grader.assignment.bundle import Lesson
from course_grader.assignment.cells import grade_id
from course_grader.assignment.course import Course, usable
from course_grader.store.outcomes import NAME
from course_grader.store.rows import extended_alone
from course_grader.store.sections import members
from course_lib.errors import CourseError

READINGS = Table(
    "course_reading",
    MetaData(),
    Column("grade_id", String(32), primary_key=True),
    Column("reader", String(NAME), nullable=False),
)
MARKS = re.compile(r"^.*\b(BEGIN|END) (SOLUTION|MARK SCHEME)\b.*\n?", re.M)


@dataclass(frozen=True)
class Answer:
    """One student's answer to one question."""

    id: str  # of the gradebook's grade
    student: str
    notebook: str
    question: str  # the cell's name
    waits: bool  # for a reader
    points: float | None  # a reader's
    comment: str = ""
    reader: str = ""


@dataclass(frozen=True)
class Question:
    """What the answers to one question are read by; texts are Markdown."""

    text: str  # as students got it
    scheme: str  # model answer and marking scheme
    max_score: float


class Desk:
    """One reader's place at an assignment's answers; a context manager."""

    def __init__(self, assignment: str, course: Course | Path, reader: str):
        self.assignment, self.course = assignment, Course.open(course)
        self.reader = reader

    def __enter__(self) -> Desk:
        with ExitStack() as stack:
            book = stack.enter_context(self.course.gradebook())
            self.engine, self.book = book.engine, book
            READINGS.create(self.engine, checkfirst=True)
            self.key = assignment_key(book, self.assignment)
            found = bundle.load(self.assignment, self.course)
            self.questions = {  # in the order of the notebooks
                (lesson.name, cell): asked(lesson, cell, found.points)
                for lesson in found.lessons.values()
                for cell in map(grade_id, lesson.released.cells)
                if (lesson.name, cell) in found.points
            }
            self._open = stack.pop_all()
        return self

    def __exit__(self, *error) -> None:
        self._open.close()

    def answers(
        self,
        question: str = "",
        share: tuple[int, int] = (1, 1),
        again: bool = False,
        section: str = "",
    ) -> list[Answer]:
        """Return the answers that wait, question by question, in no order of names.

        question: the name of its cell; "" is all of them.
        share: (2, 3) is the second of three equal parts of the class, for one reader.
        again: also those that a person has read.
        section: only its students, and then the parts are of them.
        """
        names = [cell for _, cell in self.questions]
        if question and question not in names:
            raise CourseError(
                f"{self.assignment} has no question {question!r}; its graded cells "
                f"are {', '.join(names)}"
            )
        with self._session() as session:
            everybody = session.scalars(select(api.Student.id))
            rank = ranks(members(self.book, section) if section else everybody)
            found = [one for one in self._all(session) if one.waits or again]
        number, parts = share
        mine = [
            one
            for one in found
            if question in ("", one.question)
            and one.student in rank
            and rank[one.student] % parts == number - 1
        ]
        order = {key: place for place, key in enumerate(self.questions)}
        return sorted(
            mine, key=lambda one: (order[one.notebook, one.question], rank[one.student])
        )

    def now(self, answer: Answer) -> Answer | None:
        """Return an answer as it is now; None if its student was removed."""
        with self._session() as session:
            return self._now(session, answer)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """Open a session; CourseError if the database refuses meanwhile."""
        with usable(self.course.folder.db_url), Session(self.engine) as session:
            yield session

    def _now(self, session: Session, answer: Answer) -> Answer | None:
        return next(iter(self._all(session, api.Grade.id == answer.id)), None)

    def _all(self, session: Session, *where) -> list[Answer]:
        grade, part, whole = api.Grade, api.SubmittedNotebook, api.SubmittedAssignment
        remark = (  # on the cell of the same name: a question is two cells to nbgrader
            select(
                api.Comment.notebook_id, api.BaseCell.name, api.Comment.manual_comment
            )
            .join(api.BaseCell, api.BaseCell.id == api.Comment.cell_id)
            .subquery()
        )
        same = remark.c.notebook_id == grade.notebook_id
        same &= remark.c.name == api.BaseCell.name
        query = (
            select(
                grade.id,
                whole.student_id,
                api.Notebook.name,
                api.BaseCell.name,
                grade.needs_manual_grade,
                grade.manual_score,
                func.coalesce(remark.c.manual_comment, ""),
                func.coalesce(READINGS.c.reader, ""),
            )
            .join(part, part.id == grade.notebook_id)
            .join(whole, whole.id == part.assignment_id)
            .join(api.Notebook, api.Notebook.id == part.notebook_id)
            .join(api.BaseCell, api.BaseCell.id == grade.cell_id)
            .outerjoin(remark, same)
            .outerjoin(READINGS, READINGS.c.grade_id == grade.id)
            .where(whole.assignment_id == self.key, ~extended_alone(), *where)
            .where(or_(grade.needs_manual_grade, grade.manual_score.is_not(None)))
        )
        return [Answer(*row) for row in session.execute(query)]

    def give(self, answer: Answer, points: float, comment: str = "") -> Answer:
        """Write points and a comment into the gradebook, in place of earlier ones.

        points: from 0 to the question's. comment: Markdown; "" leaves none.
        Returns the answer as it is then. CourseError: it is no longer as it was seen.
        """
        most = self.questions[answer.notebook, answer.question].max_score
        if not 0 <= points <= most:
            raise CourseError(f"{points:g} points: expected 0 to {most:g}")
        mine = {"waits": False, "reader": self.reader[:NAME]}
        given = replace(answer, points=points, comment=comment, **mine)
        self.change(answer, given)
        return given

    def change(self, old: Answer, new: Answer) -> None:
        """Write what is given for an answer; CourseError if it is no longer `old`."""
        with self._session() as session, session.begin():
            now = self._now(session, old)
            if now is None:
                raise CourseError("this answer is gone: its student was removed")
            if now != old:
                raise CourseError(f"meanwhile it is {standing(now)}")
            grade = session.get(api.Grade, old.id)
            remark = self._remark(session, grade, old.question)
            if remark is None and new.comment:
                raise CourseError(f"{old.question} is a test: it takes no comment")
            if remark is not None:
                remark.manual_comment = new.comment or None
            grade.manual_score, grade.needs_manual_grade = new.points, new.waits
            session.execute(delete(READINGS).where(READINGS.c.grade_id == grade.id))
            if new.reader:
                row = {"grade_id": grade.id, "reader": new.reader}
                session.execute(READINGS.insert().values(**row))

    @staticmethod
    def _remark(session: Session, grade: api.Grade, cell: str) -> api.Comment | None:
        query = select(api.Comment).join(
            api.BaseCell, api.BaseCell.id == api.Comment.cell_id
        )
        mine = api.Comment.notebook_id == grade.notebook_id
        return session.scalars(query.where(mine, api.BaseCell.name == cell)).first()

    def text(self, answer: Answer) -> str:
        """Return what the student wrote, as text."""
        return "\n\n".join(map(shown, self.cells(answer)))

    def cells(self, answer: Answer) -> list[NotebookNode]:
        """Return what the student wrote, as it was graded."""
        folder = self.course.autograded(answer.student, self.assignment)
        path = folder / f"{answer.notebook}.ipynb"
        if not path.is_file():
            missing = "its notebook is missing in autograded/: grade again with --force"
            return [new_markdown_cell(f"({missing})")]
        return written(nbformat.read(path, as_version=4).cells, answer.question)


def standing(answer: Answer) -> str:
    """Return what was given for an answer and by whom, or that it waits."""
    if answer.points is None:
        return "not read"
    since = ", and waits again" if answer.waits else ""
    said = f"{answer.points:g} {answer.comment}".strip()
    return f"read by {answer.reader or 'formgrader'}{since}: {said}"


def waiting(assignment: str, course: Course | Path) -> int:
    """Return how many answers of an assignment wait for a reader."""
    part, whole = api.SubmittedNotebook, api.SubmittedAssignment
    with Course.open(course).gradebook() as book:
        query = (
            select(func.count())
            .select_from(api.Grade)
            .join(part, part.id == api.Grade.notebook_id)
            .join(whole, whole.id == part.assignment_id)
            .join(api.Assignment, api.Assignment.id == whole.assignment_id)
            .where(api.Assignment.name == assignment, api.Grade.needs_manual_grade)
            .where(~extended_alone())
        )
        return book.db.scalar(query)


def assignment_key(book: api.Gradebook, assignment: str) -> str:
    """Return an assignment's key; CourseError if nobody handed anything in."""
    try:
        found = book.find_assignment(assignment)
    except api.MissingEntry:
        found = None
    if found is None or not found.submissions:
        raise CourseError(
            f"nothing of {assignment} is graded: run `course grade {assignment}` first"
        )
    return found.id


def ranks(names: Iterable[str]) -> dict[str, int]:
    """Return a number for each student, which tells nothing of a name."""
    order = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    return {name: number for number, name in enumerate(order)}


def asked(lesson: Lesson, cell: str, points: dict) -> Question:
    """Return a question with its scheme, from the released and the solved notebook."""
    text, scheme = "", ""
    for one in lesson.released.cells:
        if grade_id(one) == cell:
            if one.metadata.nbgrader.get("task"):
                text = one.source
            break
        if one.cell_type == "markdown":
            text = one.source
    for one in lesson.solution.cells:
        if grade_id(one) == cell:
            scheme = MARKS.sub("", one.source).strip()
    return Question(text.strip(), scheme, float(points[lesson.name, cell]))


def written(cells: list[NotebookNode], name: str) -> list[NotebookNode]:
    """Return a graded cell with its outputs; of a task, the cells after it."""
    names = [grade_id(cell) for cell in cells]
    if name not in names:
        return [new_markdown_cell("(the answer's cell is missing in the notebook)")]
    first = names.index(name)
    if not cells[first].metadata.nbgrader.get("task"):
        return [cells[first]]
    last = first = first + 1
    while last < len(cells) and names[last] is None:
        last += 1
    return cells[first:last] or [new_markdown_cell("(nothing)")]


def shown(cell: NotebookNode) -> str:
    """Return a cell's source and, of its outputs, the text."""
    parts = [cell.source]
    for output in cell.get("outputs", []):
        found = output.get("text") or output.get("data", {}).get("text/plain")
        if output.output_type == "error":
            found = f"{output.ename}: {output.evalue}"
        parts += [found] if found else []
    pictures = cell.get("attachments") or {}
    outputs = (output.get("data", {}) for output in cell.get("outputs", []))
    number = len(pictures) + sum("image/png" in data for data in outputs)
    parts += (
        [f"(pictures: {number}; course read --browser shows them)"] if number else []
    )
    return "\n".join(parts)
