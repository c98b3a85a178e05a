"""A course folder: its configuration, where it keeps things, nbgrader's steps on it."""

from __future__ import annotations

import copy
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.converters.base import BaseConverter, NbGraderException
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from traitlets.config import Config, PyFileConfigLoader

from course_lib.errors import CourseError

CONFIG = "nbgrader_config.py"


class Log(logging.Handler):
    """What nbgrader says, kept as a list of messages instead of written to stderr."""

    def __init__(self):
        super().__init__()
        self.messages: list[str] = []
        self.logger = logging.Logger("nbgrader", logging.INFO)
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


class Course:
    """A course, opened once and handed on; a path wherever one is expected."""

    def __init__(self, root: Path, config: Config):
        self.root, self.config = root, config
        self.folder = self._folder(config)

    @classmethod
    def open(cls, course: Course | str | Path) -> Course:
        """Execute the nbgrader_config.py of a folder; an open course is what it is."""
        if isinstance(course, Course):
            return course
        root = Path(course).resolve()
        if not (root / CONFIG).is_file():
            raise CourseError(
                f"{root} is no nbgrader course: it has no {CONFIG}. "
                "Name the course's folder with --course."
            )
        find_tools()
        try:
            config = PyFileConfigLoader(CONFIG, path=str(root)).load_config()
        except Exception as error:  # whatever an instructor's own code raises
            kind = type(error).__name__
            raise CourseError(f"{root / CONFIG} fails: {kind}: {error}") from error
        return cls(root, config)

    def __fspath__(self) -> str:
        return str(self.root)

    def __str__(self) -> str:
        return str(self.root)

    def _folder(self, config: Config) -> CourseDirectory:
        """Return nbgrader's view of the course; a busy gradebook is waited for."""
        folder = CourseDirectory(config=config, root=str(self.root))
        if folder.db_url.startswith("sqlite:") and "?" not in folder.db_url:
            folder.db_url += "?timeout=60"  # seconds; two graders write in turn
        return folder

    def _place(self, step: str, student: str, assignment: str) -> Path:
        return Path(self.folder.format_path(step, student, assignment))

    def source(self, assignment: str) -> Path:
        return self._place(self.folder.source_directory, ".", assignment)

    def released(self, assignment: str) -> Path:
        return self._place(self.folder.release_directory, ".", assignment)

    def submitted(self, student: str, assignment: str) -> Path:
        return self._place(self.folder.submitted_directory, student, assignment)

    def autograded(self, student: str, assignment: str) -> Path:
        return self._place(self.folder.autograded_directory, student, assignment)

    def feedback(self, student: str, assignment: str) -> Path:
        return self._place(self.folder.feedback_directory, student, assignment)

    @contextmanager
    def gradebook(self) -> Iterator[Gradebook]:
        """Open nbgrader's view of its database; CourseError if it cannot be used."""
        url, name = self.folder.db_url, self.folder.course_id
        with usable(url), Gradebook(url, name) as gradebook:
            yield gradebook

    def convert(
        self,
        step: type[BaseConverter],
        assignment: str,
        student: str = "*",
        config: Config | None = None,
    ) -> list[str]:
        """Run one step of nbgrader and return what it logged.

        student: one student's name, or "*" for all.
        config: added to, and stronger than, the course's own settings.
        CourseError says what failed.
        """
        merged = copy.deepcopy(self.config)
        merged.merge(config or Config())
        folder, log = self._folder(merged), Log()
        folder.assignment_id, folder.student_id = assignment, student
        try:
            with usable(folder.db_url):
                step(coursedir=folder, config=merged, log=log.logger).start()
        except NbGraderException as error:
            raise CourseError(reason(log.messages) or str(error)) from error
        return log.messages


@contextmanager
def usable(url: str) -> Iterator[None]:
    """Raise CourseError where a database refuses: locked, read-only, or none at all."""
    try:
        yield
    except DBAPIError as error:
        raise CourseError(
            f"the gradebook {make_url(url)!r} cannot be used ({error.orig}): close "
            "what holds it, let yourself write there, or put a whole copy in its place."
        ) from error


def find_tools() -> None:
    """nbgrader calls `alembic` from PATH: let it be this environment's."""
    tools = str(Path(sys.prefix) / "bin")
    if tools not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = tools + os.pathsep + os.environ.get("PATH", "")


def reason(messages: list[str]) -> str:
    """Return the last line of the last traceback in nbgrader's log, or ''."""
    traces = [text for text in messages if text.startswith("Traceback")]
    return traces[-1].strip().splitlines()[-1] if traces else ""
