"""The answer key: a solution's notebook with what comes out of it."""

from __future__ import annotations

import nbformat
import pytest

from course_grader import release
from course_grader.assignment.key import execute
from course_lib.errors import CourseError

SOURCE = """# %%
from pathlib import Path

Path("record.json").write_text("mine")
print("before")

# %% nbgrader={{"grade": false, "grade_id": "f", "locked": false, "schema_version": 3, "solution": true, "task": false}}
def f():
    ### BEGIN SOLUTION
    return {answer}
    ### END SOLUTION

# %% nbgrader={{"grade": true, "grade_id": "f_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
print(f())
"""  # noqa: E501
CONFIG = """c = get_config()
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "assignments"
"""
pytestmark = pytest.mark.slow


@pytest.fixture
def course(tmp_path):
    (tmp_path / "solutions").mkdir()
    (tmp_path / "nbgrader_config.py").write_text(CONFIG)
    (tmp_path / "solutions/a1.py").write_text(SOURCE.format(answer=42))
    return tmp_path


def outputs(path) -> list[str]:
    cells = nbformat.read(path, as_version=4).cells
    return ["".join(o.get("text", "") for o in cell.outputs) for cell in cells]


def test_it_shows_what_comes_out_and_the_release_does_not(course):
    path = execute("a1", course)
    assert outputs(path) == ["before\n", "", "42\n"]
    assert [one.name for one in path.parent.iterdir()] == ["a1.ipynb"]
    (released,) = release(["a1"], course)
    assert outputs(released / "a1.ipynb") == ["", "", ""]
    assert outputs(path) == ["before\n", "", "42\n"]


def test_a_solution_that_fails_is_named_and_nothing_new_is_kept(course):
    path = execute("a1", course)
    (course / "solutions/a1.py").write_text(SOURCE.format(answer="1 / 0"))
    with pytest.raises(CourseError, match=r"the solution a1\.ipynb fails"):
        execute("a1", course)
    assert outputs(path) == ["before\n", "", ""]  # of the code that stayed
