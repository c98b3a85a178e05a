"""A release that changes: whose grade is old, what is tampering, what stays read."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from course_grader import feedback, grade, preview, release
from course_grader.assignment import editions
from course_grader.assignment.bundle import load
from course_grader.assignment.course import Course
from course_grader.autograde import chosen
from course_grader.intake import submission as intake
from course_grader.reading.answers import Desk, standing
from course_grader.store.gradebook import Writer
from course_lib.__main__ import app
from course_lib.errors import CourseError

from .conftest import TINY


def changed(course: Path, name: str, old: str, new: str, points=None) -> None:
    """Change a cell of the instructor's notebook, and release it."""
    path = course / "solutions" / TINY / f"{TINY}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        facts = cell.metadata.get("nbgrader", {})
        if facts.get("grade_id") == name:
            assert old in cell.source
            cell.source = cell.source.replace(old, new)
            facts["points"] = points or facts["points"]
    nbformat.write(notebook, path)
    release([TINY], course)


def hand_in(course: Path, student: str = "ada", answer: str = "return 2 * x") -> Path:
    """Hand in what is released now, with an answer."""
    path = course / "submitted" / student / TINY / f"{TINY}.ipynb"
    path.parent.mkdir(parents=True)
    shutil.copy(course / "assignments" / TINY / f"{TINY}.ipynb", path)
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "double":
            cell.source = f"def double(x):\n    {answer}"
    nbformat.write(notebook, path)
    return path


def opened(course: Path):
    """What intake reads of ada's submission, by the present release."""
    course = Course.open(course)
    bundle = editions.with_earlier(load(TINY, course), course)
    return intake.read(course.submitted("ada", TINY), bundle, "ada")


def test_a_submission_of_an_earlier_release_is_no_tampering(tiny):
    hand_in(tiny)
    assert opened(tiny).notes == ()
    changed(tiny, "double_visible", "double(1) == 2", "double(3) == 6", points=4)
    (note,) = opened(tiny).notes
    assert note.startswith("repaired: from an earlier release")
    assert note.endswith("double_visible")


def test_a_test_that_no_release_had_is_tampering_still(tiny):
    path = hand_in(tiny)
    changed(tiny, "double_visible", "double(1) == 2", "double(3) == 6", points=4)
    text = path.read_text().replace("assert double(1) == 2", "assert True")
    path.write_text(text.replace('"points": 2.0', '"points": 99.0'))
    assert set(opened(tiny).notes) == {
        "tampered: locked but edited: double_visible",
        "tampered: points set to 99.0: double_visible",
    }


@pytest.mark.slow
def test_a_release_before_releases_were_kept_is_kept_by_the_next(tiny):
    hand_in(tiny)
    with Course.open(tiny).gradebook() as gradebook:
        editions.RELEASES.drop(gradebook.engine)
    changed(tiny, "double_visible", "double(1) == 2", "double(3) == 6")
    assert opened(tiny).notes[0].startswith("repaired: from an earlier release")


@pytest.mark.slow
def test_prose_and_the_model_solution_change_no_version(tiny):
    before = load(TINY, tiny).version
    path = tiny / "solutions" / TINY / f"{TINY}.ipynb"
    text = path.read_text().replace("# Doubling", "# Twice")
    path.write_text(text.replace("return 2 * x", "return x + x"))
    release([TINY], tiny)
    assert load(TINY, tiny).version == before
    changed(tiny, "double_hidden", "a larger one", "a large one")
    assert load(TINY, tiny).version != before


@pytest.mark.slow
def test_a_read_answer_stays_read_when_the_same_files_are_graded(tiny, verdict, rows):
    with Writer(tiny, TINY, load(TINY, tiny)) as writer:
        writer.write(verdict())
    with Course.open(tiny).gradebook() as gradebook:
        found = gradebook.find_grade("why", TINY, TINY, "ada")
        found.manual_score, found.needs_manual_grade = 4.0, False
        gradebook.db.commit()
    with Writer(tiny, TINY, load(TINY, tiny)) as writer:
        again = writer.write(verdict())
    assert (again.before, again.score) == (13, 13)
    assert not rows(tiny)["ada"]["Grade", "why"]["needs_manual_grade"]
    with Writer(tiny, TINY, load(TINY, tiny)) as writer:
        assert writer.write(verdict(digest="e" * 64)).before is None
    assert rows(tiny)["ada"]["Grade", "why"]["needs_manual_grade"]


def test_a_read_answer_above_a_later_release_s_points_waits_again(tiny, verdict, rows):
    with Writer(tiny, TINY, load(TINY, tiny)) as writer:
        writer.write(verdict())
    with Desk(TINY, tiny, "kim") as desk:
        for answer in desk.answers("why"):
            desk.give(answer, 4, "Which?")
    changed(tiny, "why", "", "", points=3)
    with Writer(tiny, TINY, load(TINY, tiny)) as writer:
        again = writer.write(verdict())
    assert (again.before, again.total) == (9 + 4, 9 + 3)
    with Desk(TINY, tiny, "lee") as desk:
        (answer,) = desk.answers("why")
        assert standing(answer) == "read by kim, and waits again: 3 Which?"
        desk.give(answer, 2)
        assert desk.answers("why") == []


def test_cells_stay_once_somebody_is_graded_and_the_release_says_so(tiny, verdict):
    with Writer(tiny, TINY, load(TINY, tiny)) as writer:
        writer.write(verdict())
    path = tiny / "solutions" / TINY / f"{TINY}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    del notebook.cells[2]
    nbformat.write(notebook, path)
    released = (tiny / "assignments" / TINY / f"{TINY}.ipynb").read_bytes()
    with pytest.raises(CourseError, match="tiny is graded for somebody already, and"):
        release([TINY], tiny)
    assert (tiny / "assignments" / TINY / f"{TINY}.ipynb").read_bytes() == released


def test_one_test_alone_is_counted_anew(tiny, bundle, verdict, rows):
    with Writer(tiny, TINY, bundle) as writer:
        writer.write(verdict(failed=("double_visible",)))
    opposite = verdict(failed=("double_hidden",))
    with Writer(tiny, TINY, bundle, frozenset({"double_hidden"})) as writer:
        again = writer.write(opposite)
        assert (again.before, again.score) == (7, 4)
        assert writer.write(replace(opposite, student="bo")).score == 6  # a new one
    found = rows(tiny)["ada"]
    scores = [
        found["Grade", f"double_{end}"]["auto_score"] for end in ("visible", "hidden")
    ]
    assert scores == [0, 0]
    path = tiny / "autograded" / "ada" / TINY / f"{TINY}.ipynb"
    kept = {cell.id: cell for cell in nbformat.read(path, as_version=4).cells}
    failed = [c for c in kept.values() if "AssertionError" in str(c.get("outputs"))]
    assert len(failed) == 2  # what a student reads agrees with the points


@pytest.mark.slow
def test_one_test_alone_makes_no_old_grade_a_new_one(tiny, verdict):
    with Writer(tiny, TINY, load(TINY, tiny)) as writer:
        writer.write(verdict())
    changed(tiny, "double_visible", "double(1) == 2", "double(3) == 6")
    changed(tiny, "double_hidden", "a larger one", "a large one")
    only = frozenset({"double_hidden"})
    with Writer(tiny, TINY, load(TINY, tiny), only) as writer:
        writer.write(verdict())
        assert writer.older("ada", "d" * 64)


def test_a_test_or_an_exercise_is_named(bundle):
    assert chosen(bundle, ["double_hidden"]) == {"double_hidden"}
    assert chosen(bundle, ["double"]) == {"double_hidden", "double_visible"}
    with pytest.raises(CourseError, match="no test 'why': it has double_visible, "):
        chosen(bundle, ["why"])


@pytest.mark.slow
def test_after_a_release_the_class_is_graded_again_and_changes_are_listed(tiny, capfd):
    hand_in(tiny, "ada")
    hand_in(tiny, "bo", "return x + 1")
    level = "none"
    first = {row.student: row.score for row in grade(TINY, tiny, level=level)}
    assert first == {"ada": 9, "bo": 6}
    changed(tiny, "double_visible", "double(1) == 2", "double(3) == 6", points=4)
    planned = preview(TINY, tiny)
    assert {row.status for row in planned} == {"to grade"}
    assert all("earlier version" in row.notes[0] for row in planned)
    capfd.readouterr()
    words = ["grade", TINY, "--course", str(tiny), "--no-sandbox", "--workers", "1"]
    said = CliRunner().invoke(app, words).output + "".join(capfd.readouterr())
    assert "2 graded by an earlier version of the assignment" in said
    assert "2 graded again, 2 scores changed" in said
    assert "11 of 22" in said
    assert "tampered" not in said
    assert {row.status for row in grade(TINY, tiny, level=level)} == {"already graded"}
    changed(tiny, "double_hidden", "== 24690", "== 0")
    words += ["--cell", "share"]
    assert "0 scores changed" in CliRunner().invoke(app, words).output
    assert "1 score changed" in CliRunner().invoke(app, words[:-2]).output  # ada


def test_a_solution_without_a_kernel_is_released_for_python(tiny):
    source = "# %% [markdown]\n# Read this.\n"
    (tiny / "solutions" / "a1.py").write_text(source)
    (path,) = release(["a1"], tiny)
    found = nbformat.read(path / "a1.ipynb", as_version=4)
    assert found.metadata.kernelspec.name == "python3"


@pytest.mark.slow
def test_feedback_goes_on_after_a_student_was_removed(tiny, verdict):
    with Writer(tiny, TINY, load(TINY, tiny)) as writer:
        for student in ("ada", "bo"):
            writer.write(verdict(student))
    with Course.open(tiny).gradebook() as gradebook:
        gradebook.remove_student("ada")
    (page,) = feedback(TINY, tiny)
    assert page.parent.parent.name == "bo"
