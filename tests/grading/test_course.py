"""Commands on what is not there end with one sentence."""

from __future__ import annotations

import pytest

from course_grader import new_course, sample_class
from course_grader.assignment import course, release
from course_lib.errors import CourseError

NAME = "a04_alexnet"


def test_no_course_no_assignment_no_release(tmp_path):
    with pytest.raises(CourseError, match=r"no nbgrader course.*nbgrader_config"):
        course.settings(tmp_path)
    folder = new_course(tmp_path / "course", [NAME])
    with pytest.raises(CourseError, match="a05_unknown"):
        release.build("a05_unknown", folder)
    with pytest.raises(CourseError, match=f"run `course release {NAME}`"):
        sample_class(NAME, folder)
