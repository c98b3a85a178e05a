"""A course is opened once; commands on what is not there end with one sentence."""

from __future__ import annotations

import os

import nbformat
import pytest

from course_grader import export, feedback, grade, new_course, sample_class, summarise
from course_grader.assignment import release
from course_grader.assignment.course import Course
from course_grader.intake.collect import collect
from course_lib.errors import CourseError

from .conftest import TINY

pytestmark = pytest.mark.slow

NAME = "a04_alexnet"


def test_no_course_no_assignment_no_release(tmp_path):
    with pytest.raises(CourseError, match=r"no nbgrader course.*nbgrader_config"):
        Course.open(tmp_path)
    folder = new_course(tmp_path / "course", [NAME])
    with pytest.raises(CourseError, match="a05_unknown"):
        release.build("a05_unknown", folder)
    with pytest.raises(CourseError, match=f"run `course release {NAME}`"):
        sample_class(NAME, folder)


@pytest.fixture
def counted(tiny):
    """A course whose configuration counts, in a file, how often it is executed."""
    with open(tiny / "nbgrader_config.py", "a") as file:
        file.write(f"open({str(tiny / 'executed')!r}, 'a').write('x')\n")
    return tiny


def executed(course, command) -> int:
    """Return how often a command executes the configuration."""
    path = course / "executed"
    path.write_text("")
    command()
    return path.stat().st_size


def test_each_command_executes_the_configuration_once(counted, submission, run_course):
    inbox = counted / "inbox" / "ada" / TINY
    inbox.mkdir(parents=True)
    nbformat.write(submission(), inbox / f"{TINY}.ipynb")
    commands = {
        "collect": lambda: collect([counted / "inbox"], TINY, counted),
        "grade": lambda: run_course("grade", TINY, "--course", str(counted)),
        "feedback": lambda: feedback(TINY, counted),
        "export": lambda: export(counted / "grades.csv", counted),
        "summarise": lambda: summarise(TINY, counted),
        "release": lambda: release.release([TINY], counted),
    }
    assert {name: executed(counted, run) for name, run in commands.items()} == (
        dict.fromkeys(commands, 1)
    )


def test_an_open_course_is_handed_on(counted, submission):
    course = Course.open(counted)
    (counted / "executed").unlink()
    folder = course.submitted("ada", TINY)
    folder.mkdir(parents=True)
    nbformat.write(submission(), folder / f"{TINY}.ipynb")
    assert [row.status for row in grade(TINY, course, level="none")] == ["graded"]
    pages = feedback(TINY, course)
    assert pages == [course.feedback("ada", TINY) / f"{TINY}.html"]
    assert export(counted / "grades.csv", course).is_file()
    assert summarise(TINY, course).is_file()
    assert not (counted / "executed").exists()
    assert os.fspath(course) == str(counted)
