"""An assignment's rows in nbgrader's database, found by its indices and by no scan.

nbgrader's own methods commit after every step and look a grade up in seven tables. Here
the master cells are read once, a student's rows with five queries, and nothing commits.
"""

from __future__ import annotations

from typing import NamedTuple

from nbgrader import api
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from course_lib.errors import CourseError

from .outcomes import Unfit


class Cells(NamedTuple):
    """The master cells of a notebook, name: id."""

    id: str
    grades: dict[str, str]  # test cells, questions and tasks
    comments: dict[str, str]  # solutions and tasks


class Rows:
    """The master rows of one assignment."""

    def __init__(self, session: Session, assignment: str):
        found = select(api.Assignment).where(api.Assignment.name == assignment)
        master = session.scalars(found).one_or_none()
        if master is None:
            raise CourseError(
                f"the gradebook has no assignment {assignment}: release it first."
            )
        self.id = master.id
        self.notebooks = {one.name: _cells(one) for one in master.notebooks}

    def submission(
        self, session: Session, student: str, create: bool
    ) -> api.SubmittedAssignment:
        """Return a student's submission, made now if there is none.

        create: whether a student whom the gradebook lacks is added, or Unfit.
        """
        if session.get(api.Student, student) is None:
            if not create:
                raise Unfit(f"the gradebook has no student {student!r}: add them")
            session.add(api.Student(id=student))
        kind = api.SubmittedAssignment
        return _one(session, kind, assignment_id=self.id, student_id=student)

    def sheet(
        self, session: Session, submission: api.SubmittedAssignment, notebook: str
    ) -> Sheet:
        """Return the rows of one notebook of a submission; what is missing is made."""
        cells = self.notebooks[notebook]
        kind = api.SubmittedNotebook
        row = _one(session, kind, notebook_id=cells.id, assignment_id=submission.id)
        grades = _by_cell(session, api.Grade, cells.grades, row.id)
        comments = _by_cell(session, api.Comment, cells.comments, row.id)
        return Sheet(row, grades, comments)

    def scores(self, session: Session) -> dict[str, float]:
        """Return the points of every student, as nbgrader adds them up."""
        query = (
            select(api.SubmittedAssignment.student_id, func.sum(api.Grade.score))
            .join(
                api.SubmittedNotebook,
                api.SubmittedNotebook.assignment_id == api.SubmittedAssignment.id,
            )
            .join(api.Grade, api.Grade.notebook_id == api.SubmittedNotebook.id)
            .where(api.SubmittedAssignment.assignment_id == self.id)
            .group_by(api.SubmittedAssignment.student_id)
        )
        return dict(session.execute(query).all())


def extended_alone():
    """Return the SQL of a submission that is an extension and no work yet.

    nbgrader gives it the rows of a submission, all of them to be read by a person.
    """
    whole, part, grade = api.SubmittedAssignment, api.SubmittedNotebook, api.Grade
    scored = grade.auto_score.is_not(None) | grade.manual_score.is_not(None)
    mine = (part.assignment_id == whole.id) & (grade.notebook_id == part.id) & scored
    any_ = exists(select(1).select_from(part).join(grade).where(mine).correlate(whole))
    return whole.extension.is_not(None) & whole.timestamp.is_(None) & ~any_


class Sheet(NamedTuple):
    """A student's rows of one notebook."""

    notebook: api.SubmittedNotebook
    grades: dict[str, api.Grade]  # by name of the cell
    comments: dict[str, api.Comment]

    @property
    def score(self) -> float:
        """The points, a person's before the grader's, as nbgrader's `Grade.score`."""
        return sum(_score(grade) for grade in self.grades.values())


def _score(grade: api.Grade) -> float:
    found = grade.auto_score if grade.manual_score is None else grade.manual_score
    return 0.0 if found is None else found + (grade.extra_credit or 0.0)


def _cells(notebook: api.Notebook) -> Cells:
    tasks = {cell.name: cell.id for cell in notebook.task_cells}
    grades = {cell.name: cell.id for cell in notebook.grade_cells}
    solutions = {cell.name: cell.id for cell in notebook.solution_cells}
    return Cells(notebook.id, grades | tasks, solutions | tasks)


def _one(session: Session, kind: type, **key: str):
    """Return the row with this unique key, added if it is not there."""
    where = [getattr(kind, name) == value for name, value in key.items()]
    row = session.scalars(select(kind).where(*where)).one_or_none()
    if row is None:
        row = kind(id=api.new_uuid())
        for name, value in key.items():
            setattr(row, name, value)
        session.add(row)
        session.flush()
    return row


def _by_cell(
    session: Session, kind: type, cells: dict[str, str], notebook: str
) -> dict:
    where = kind.cell_id.in_(cells.values()), kind.notebook_id == notebook
    found = {row.cell_id: row for row in session.scalars(select(kind).where(*where))}
    for cell in set(cells.values()) - set(found):
        found[cell] = kind(cell_id=cell, notebook_id=notebook)
        session.add(found[cell])
    return {name: found[cell] for name, cell in cells.items()}
