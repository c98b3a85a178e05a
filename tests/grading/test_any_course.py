"""Courses that are not ours: nbgrader's own example, and one that draws."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.converters import Autograde

from course_grader import grade, release
from course_grader.assignment.course import Course, find_tools

from .conftest import CONFIG, code

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),
]


def points(assignment: str, course: Path) -> dict[tuple[str, str], float | None]:
    found = {}
    with Course.open(course).gradebook() as gradebook:
        for submission in gradebook.assignment_submissions(assignment):
            for notebook in submission.notebooks:
                for row in notebook.grades:
                    found[submission.student.id, row.name] = row.auto_score
    return found


def hand_in(course: Path, student: str, source: Path) -> Path:
    target = course / "submitted" / student / source.name
    return Path(shutil.copytree(source, target))


def test_nbgraders_own_example_gives_the_same_points(tmp_path):
    """Two notebooks, a picture, and a test that deletes a function for a moment."""
    find_tools()
    program = [sys.executable, "-m", "nbgrader", "quickstart", "ours"]
    subprocess.run(program, cwd=tmp_path, check=True, capture_output=True)
    ours = tmp_path / "ours"
    release(["ps1"], ours)
    hand_in(ours, "ada", ours / "source" / "ps1")
    hand_in(ours, "bo", ours / "release" / "ps1")
    own_way = hand_in(ours, "cy", ours / "source" / "ps1") / "problem1.ipynb"
    mine = "sum(i * i for i in range(n + 1))"
    own_way.write_text(own_way.read_text().replace("sum(squares(n))", mine))
    stock = Path(shutil.copytree(ours, tmp_path / "stock"))
    results = grade("ps1", ours)
    assert {row.status for row in results} == {"graded"}
    for student in ("ada", "bo", "cy"):
        Course.open(stock).convert(Autograde, "ps1", student)
    mine = points("ps1", ours)
    assert mine == points("ps1", stock)
    assert mine["cy", "correct_sum_of_squares"] == 0.5
    assert mine["cy", "sum_of_squares_uses_squares"] == 0


def test_a_course_that_draws_on_what_a_test_passes(tmp_path):
    """Axes cannot cross and come back: such a test runs on the student's side."""
    answer = (
        "def draw(ax):\n    ### BEGIN SOLUTION\n    ax.plot([1, 2], [1, 4])\n"
        "    ax.set_title('squares')\n    ### END SOLUTION"
    )
    test = (
        "figure, ax = plt.subplots()\ndraw(ax)\nplt.close(figure)\n"
        "assert ax.get_title() == 'squares' and len(ax.lines) == 1"
    )
    setup = "%matplotlib inline\nfrom matplotlib import pyplot as plt"
    there = tmp_path / "solutions" / "drawing"
    there.mkdir(parents=True)
    (tmp_path / "nbgrader_config.py").write_text(CONFIG)
    cells = [
        nbformat.v4.new_code_cell(setup),
        code(answer, "draw", solution=True),
        code(test, "drawn", 2.0, grade=True, locked=True),
    ]
    notebook = nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "P"}}
    )
    nbformat.write(notebook, there / "drawing.ipynb")
    release(["drawing"], tmp_path)
    hand_in(tmp_path, "ada", there)
    hand_in(tmp_path, "bo", tmp_path / "assignments" / "drawing")
    scores = {row.student: row.score for row in grade("drawing", tmp_path)}
    assert scores == {"ada": 2, "bo": 0}
