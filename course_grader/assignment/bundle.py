"""What travels between the grader and its workers: assignment, submission, verdict.

All three are plain data that pickle, so that a worker on another machine needs no disk
in common with the course.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nbformat import NotebookNode

from course_lib.errors import CourseError
from course_lib.files import ROOT, replacing

if TYPE_CHECKING:
    from .course import Course

CELL_SECONDS = 30  # a cell may take, as in nbgrader, unless c.Execute.timeout says
CELLS = 10  # that may all take so long, unless c.CourseGrade.seconds says


@dataclass(frozen=True)
class Lesson:
    """One notebook of an assignment, as three people know it."""

    name: str  # of the file, without .ipynb
    cells: dict[str, NotebookNode]  # gradebook's, by grade id, hidden tests inside
    released: NotebookNode  # what students got
    solution: NotebookNode  # the instructor's, model solutions inside

    @property
    def shown(self) -> list[NotebookNode]:
        """The code cells that students got."""
        return [cell for cell in self.released.cells if cell.cell_type == "code"]


@dataclass(frozen=True)
class Bundle:
    """An assignment, with all that a worker must know to grade it."""

    assignment: str
    lessons: dict[str, Lesson]  # by name
    files: dict[str, bytes]  # released beside the notebooks, by relative POSIX path
    cell_seconds: float = CELL_SECONDS
    options: dict = field(default_factory=dict)  # c.CourseGrade of nbgrader_config.py
    others: dict[str, set[str]] = field(default_factory=dict)  # grade ids elsewhere
    earlier: tuple = ()  # of `editions.Edition`: the releases before this one

    @property
    def version(self) -> str:
        """A digest of what decides a grade: code, tests, points and released files."""
        parts = dict(self.files)
        for lesson in self.lessons.values():
            for name, cell in lesson.cells.items():
                facts = cell.metadata.nbgrader
                if cell.cell_type == "code" or "points" in facts:
                    what = [facts.get(key) for key in ("points", "grade", "solution")]
                    text = f"{float(what[0] or 0)!r} {what[1:]}\0{cell.source}"
                    parts[f"{lesson.name}\0{name}"] = text.encode()
        return digest(parts)

    @property
    def seconds(self) -> float:
        """How long a whole notebook may take."""
        return self.options.get("seconds") or CELLS * self.cell_seconds

    @property
    def points(self) -> dict[tuple[str, str], float]:
        """Most points by (notebook, grade id)."""
        return {
            (lesson.name, name): cell.metadata.nbgrader.points
            for lesson in self.lessons.values()
            for name, cell in lesson.cells.items()
            if "points" in cell.metadata.nbgrader
        }

    @property
    def readable(self) -> list[str]:
        """Files and folders that students' cells and tests may read, if they exist."""
        names = "course_lib", "course_grader", "notebooks", "data"
        course = [ROOT / name for name in names]
        own = os.environ.get("COURSE_DATA"), *self.options.get("read", ())
        return [
            path
            for path in map(str, filter(None, (*course, *own)))
            if os.path.exists(path)
        ]


@dataclass(frozen=True)
class Submission:
    """What one student handed in, put in order by `intake.read`."""

    student: str
    assignment: str
    notebooks: dict[str, NotebookNode]  # by name; locked cells and metadata restored
    files: dict[str, bytes]  # the student's other files, by relative POSIX path
    timestamp: datetime | None = None
    notes: tuple[str, ...] = ()  # what was tampered with or repaired, for the report
    digest: str = ""  # sha256 of the files as handed in


@dataclass(frozen=True)
class Verdict:
    """What became of one submission."""

    student: str
    assignment: str
    notebooks: dict[str, NotebookNode] = field(default_factory=dict)  # with outputs
    files: dict[str, bytes] = field(default_factory=dict)
    timestamp: datetime | None = None
    reason: str = ""  # why it was refused: one sentence to the student; "" if graded
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)  # by cell, wall
    cost: dict[str, float] = field(default_factory=dict)  # "wall", "cpu" s, "memory" B
    digest: str = ""
    again: str = ""  # why it may deserve better, graded once more, with none beside it


def load(assignment: str, course: Course | Path) -> Bundle:
    """Read an assignment from the gradebook, its release and its source."""
    from .cells import notebook_in, released_cells
    from .course import Course

    course = Course.open(course)
    config, lessons = course.config, {}
    release, source = course.released(assignment), course.source(assignment)
    with course.gradebook() as gradebook:
        others = _others(gradebook, assignment)
        for notebook in gradebook.find_assignment(assignment).notebooks:
            paths = [where / f"{notebook.name}.ipynb" for where in (release, source)]
            for path in paths:
                if not path.is_file():
                    raise CourseError(f"{path} is missing: release {assignment} again.")
            files = map(notebook_in, paths)
            cells = released_cells(notebook)
            lessons[notebook.name] = Lesson(notebook.name, cells, *files)
    limit = config.Execute.get("timeout", config.ExecutePreprocessor.get("timeout"))
    return Bundle(
        assignment,
        lessons,
        contents(release, skip={f"{name}.ipynb" for name in lessons}),
        limit or CELL_SECONDS,
        config.get("CourseGrade", {}).copy(),
        others,
    )


def _others(gradebook, assignment: str) -> dict[str, set[str]]:
    """Return the names of all cells of the course's other assignments."""
    from nbgrader.api import Assignment, BaseCell, Notebook
    from sqlalchemy import select

    query = (
        select(Assignment.name, BaseCell.name)
        .join(Notebook, Notebook.assignment_id == Assignment.id)
        .join(BaseCell, BaseCell.notebook_id == Notebook.id)
        .where(Assignment.name != assignment)
    )
    found: dict[str, set[str]] = {}
    for other, cell in gradebook.db.execute(query):
        found.setdefault(other, set()).add(cell)
    return found


def with_secret(bundle: Bundle, course: Course) -> Bundle:
    """Return the bundle with the secret of its random draws, kept beside its report.

    What a test draws after it has called an answer follows from this file, and the same
    is drawn as long as it lies there.
    """
    path = course.root / "reports" / bundle.assignment / "draws.key"
    if not path.is_file():
        with replacing(path) as part:  # a kill leaves no empty one
            part.touch(mode=0o600)
            part.write_bytes(secrets.token_bytes(32))
    return replace(bundle, options=bundle.options | {"secret": path.read_bytes()})


def contents(folder: Path, skip: set[str] = frozenset()) -> dict[str, bytes]:
    """Return the regular files under a folder; links are not followed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.is_symlink() and name not in skip:
            found[name] = path.read_bytes()
    return found


def digest(files: dict[str, bytes]) -> str:
    """Return the sha256 of files with their names."""
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return whole.hexdigest()
