"""Where a course keeps things, and how one of nbgrader's steps is run on it."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from nbgrader.converters.base import BaseConverter, NbGraderException
from nbgrader.coursedir import CourseDirectory
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


def settings(course: Path) -> Config:
    """Read the course's own nbgrader_config.py."""
    if not (course / CONFIG).is_file():
        raise CourseError(
            f"{course} is no nbgrader course: it has no {CONFIG}. "
            "Name the course's folder with --course."
        )
    return PyFileConfigLoader(CONFIG, path=str(course)).load_config()


def directory(course: Path, config: Config | None = None) -> CourseDirectory:
    """Return nbgrader's view of the course; a busy gradebook is waited for."""
    course = Path(course).resolve()
    folder = CourseDirectory(config=config or settings(course), root=str(course))
    if folder.db_url.startswith("sqlite:") and "?" not in folder.db_url:
        folder.db_url += "?timeout=60"  # seconds; two graders write in turn
    return folder


def find_tools() -> None:
    """nbgrader calls `alembic` from PATH: let it be this environment's."""
    tools = str(Path(sys.prefix) / "bin")
    if tools not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = tools + os.pathsep + os.environ.get("PATH", "")


def convert(
    step: type[BaseConverter],
    course: Path,
    assignment: str,
    student: str = "*",
    config: Config | None = None,
) -> list[str]:
    """Run one step of nbgrader and return what it logged; CourseError says what failed.

    student: one student's name, or "*" for all.
    config: added to, and stronger than, the course's own settings.
    """
    find_tools()
    merged = settings(Path(course))
    merged.merge(config or Config())
    folder = directory(course, merged)
    folder.assignment_id = assignment
    folder.student_id = student
    log = Log()
    try:
        step(coursedir=folder, config=merged, log=log.logger).start()
    except NbGraderException as error:
        raise CourseError(reason(log.messages) or str(error)) from error
    return log.messages


def reason(messages: list[str]) -> str:
    """Return the last line of the last traceback in nbgrader's log, or ''."""
    traces = [text for text in messages if text.startswith("Traceback")]
    return traces[-1].strip().splitlines()[-1] if traces else ""
