"""A class graded for real: nbgrader, kernels, gradebook, feedback, summary."""

from __future__ import annotations

import csv
import re
import shutil
from html import unescape
from pathlib import Path

import nbformat
import pytest

from course_grader import (
    autograde,
    export,
    feedback,
    grade,
    new_course,
    release,
    sample_class,
    summarise,
)
from course_grader.report import summary
from course_lib.errors import CourseError
from tests import execute

NAME = "a04_alexnet"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    folder = new_course(tmp_path_factory.mktemp("course"), [NAME])
    release([NAME], folder)
    return folder


@pytest.fixture(scope="module")
def results(course) -> dict[str, autograde.Result]:
    """Four sample students, and a fifth whose notebook cannot be read."""
    sample_class(NAME, course)
    broken = course / "submitted" / "zoe_broken" / NAME
    broken.mkdir(parents=True)
    (broken / f"{NAME}.ipynb").write_text("<<<<<<< HEAD", "utf-8")
    return {row.student: row for row in grade(NAME, course)}


def test_each_gets_what_the_answers_deserve(results):
    assert {name: row.score for name, row in results.items()} == {
        "ada_right": 18,
        "bo_partly": 16,
        "cy_untouched": 0,
        "mal_hostile": 4,
        "zoe_broken": 0,
    }
    assert {row.max_score for row in results.values()} == {20}


def test_the_mistake_costs_its_own_cells(course, results):
    rows = [row for row in summary.points(NAME, course) if not row.waits]
    lost = {(r.student, r.cell) for r in rows if r.score < r.max_score}
    expected = {"fancy_visible", "fancy_hidden"}
    assert {cell for student, cell in lost if student == "bo_partly"} == expected
    assert {cell for student, cell in lost if student == "ada_right"} == set()


def test_tampering_is_named_and_put_right(course, results):
    notes = "; ".join(results["mal_hostile"].notes)
    for kind in ("skip-execution", "locked but edited", "points set to 100"):
        assert kind in notes
    assert results["ada_right"].notes == ()
    path = course / "autograded" / "mal_hostile" / NAME / f"{NAME}.ipynb"
    cells = execute.named(nbformat.read(path, as_version=4).cells)
    assert "BEGIN HIDDEN TESTS" in cells["lrn_hidden"].source
    assert cells["colours_visible"].outputs[0].output_type == "error"
    assert cells["lrn_visible"].metadata["nbgrader"]["points"] == 1


def test_submissions_are_left_as_they_were(course, results):
    path = course / "submitted" / "mal_hostile" / NAME / f"{NAME}.ipynb"
    cells = execute.named(nbformat.read(path, as_version=4).cells)
    assert cells["lrn_visible"].source == "pass"


def test_refused_one_is_named_with_the_reason(course, results):
    assert results["zoe_broken"].status == "refused"
    assert "merge-conflict" in results["zoe_broken"].reason
    assert not (course / "autograded" / "zoe_broken").exists()


def test_right_answers_leave_nothing_on_stderr(course, results):
    path = course / "autograded" / "ada_right" / NAME / f"{NAME}.ipynb"
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", output.text
            assert output.output_type != "error", output.evalue


def test_quick_harness_agrees_with_nbgrader(course, results, tmp_path):
    """On the partly right student's own cells, each test cell's points."""
    shutil.copytree(course / "autograded" / "ada_right" / NAME, tmp_path / "files")
    path = course / "submitted" / "bo_partly" / NAME / f"{NAME}.ipynb"
    mine = execute.named(nbformat.read(path, as_version=4).cells)
    changes = {
        name: one.source
        for name, one in mine.items()
        if one.metadata["nbgrader"]["solution"] and one.cell_type == "code"
    }
    run = execute.score(NAME, tmp_path / "files", changes)
    rows = [row for row in summary.points(NAME, course) if row.student == "bo_partly"]
    assert run.points == {row.cell: row.score for row in rows if not row.waits}


def test_feedback_for_each_graded_one_without_running_their_markup(course, results):
    pages = {page.parent.parent.name: page for page in feedback(NAME, course)}
    assert set(pages) == {"ada_right", "bo_partly", "cy_untouched", "mal_hostile"}
    text = pages["mal_hostile"].read_text("utf-8")
    assert "<script>document.title" not in text
    assert "&lt;script&gt;document.title" in text
    mistaken = pages["bo_partly"].read_text("utf-8")
    assert "√λ stands for λ" in mistaken
    assert "the covariance of α / 0.1" in mistaken  # said by a hidden test


def test_feedback_keeps_hidden_tests_hidden(course, results):
    for page in feedback(NAME, course):
        text = unescape(re.sub(r"<[^>]*>", "", page.read_text("utf-8")))
        assert "# Hidden: n of 1, even n" in text
        for word in ("BEGIN HIDDEN", "lrn_reference", "again = fancy_pca"):
            assert word not in text


def test_export_has_a_row_for_each_graded_one(course, results, tmp_path):
    with open(export(tmp_path / "grades.csv", course), newline="") as file:
        rows = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    graded = {n: r.score for n, r in results.items() if r.status == "graded"}
    assert rows == graded


def test_summary_says_points_refusals_and_the_hardest_exercise(course, results):
    page = summarise(NAME, course)
    text = page.with_suffix(".md").read_text("utf-8")
    assert "| bo_partly | 4 | 2 | 0 | 1 | 2 | 1 | 2 | 1 | 3 | 0 … | 16 |" in text
    assert "zoe_broken was refused" in text
    assert "Hardest exercise: fancy, 25% of its points" in text
    assert (page.parent / "points.png").read_bytes().startswith(b"\x89PNG")
    assert "mal_hostile" in page.read_text("utf-8")


def test_second_run_grades_nothing_but_what_is_new(course, results):
    before = {p: p.stat().st_mtime_ns for p in course.glob("autograded/*/*/*.ipynb")}
    shutil.rmtree(course / "submitted" / "zoe_broken")
    again = grade(NAME, course)
    assert {row.status for row in again} == {"already graded"}
    assert [(r.student, r.score, r.notes) for r in again] == [
        (r.student, r.score, r.notes) for r in results.values() if not r.reason
    ]
    after = {p: p.stat().st_mtime_ns for p in course.glob("autograded/*/*/*.ipynb")}
    assert after == before
    late = course / "submitted" / "cy_untouched" / NAME / f"{NAME}.ipynb"
    notebook = nbformat.read(late, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("1 + 1"))
    nbformat.write(notebook, late)
    again = grade(NAME, course)
    assert [r.student for r in again if r.status == "graded"] == ["cy_untouched"]


def test_nobody_handed_in(tmp_path):
    folder = new_course(tmp_path, [NAME])
    with pytest.raises(CourseError, match="nobody handed in"):
        grade(NAME, folder)
