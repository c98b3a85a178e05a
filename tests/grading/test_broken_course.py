"""What breaks in a course's folder is named in a sentence, and costs nothing more."""

from __future__ import annotations

import shutil

import nbformat
import pytest

from course_grader import export, feedback, grade, preview, release
from course_grader.assignment.course import Course
from course_grader.assignment.publish import publish
from course_grader.assignment.release import build, known
from course_grader.intake import collect
from course_grader.report.items import statistics, table
from course_grader.store import term
from course_grader.store.gradebook import Writer
from course_grader.store.outcomes import last_run
from course_lib.errors import CourseError

from .conftest import CONFIG, TINY, code, result

CONFLICT = "<<<<<<< HEAD\n"


def hand_in(course, student: str = "ada") -> None:
    shutil.copytree(
        course / "assignments" / TINY, course / "submitted" / student / TINY
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda course: export(course / "grades.csv", course),
        lambda course: term.deadline(TINY, "2026-12-01", None, course),
        lambda course: preview(TINY, course),
        lambda course: feedback(TINY, course),
        lambda course: release([TINY], course),
    ],
)
def test_a_gradebook_that_is_no_database_is_named(tiny, call):
    hand_in(tiny)
    (tiny / "gradebook.db").write_bytes(b"no database" * 100)
    with pytest.raises(CourseError, match=r"gradebook\.db.*file is not a database"):
        call(tiny)


def test_a_gradebook_that_another_program_holds_is_named(tiny):
    course = Course.open(tiny)
    course.folder.db_url = course.folder.db_url.replace("timeout=60", "timeout=0")
    with course.gradebook() as other:
        other.db.connection().exec_driver_sql("BEGIN EXCLUSIVE")
        with pytest.raises(CourseError, match=r"gradebook\.db.*locked.*close"):
            term.deadline(TINY, "2026-12-01", None, course)


@pytest.mark.parametrize("text", ["c = get_confi()", "c = (", "import nowhere_at_all"])
def test_a_configuration_that_fails_is_named(tmp_path, text):
    (tmp_path / "nbgrader_config.py").write_text(text)
    with pytest.raises(CourseError, match=r"nbgrader_config\.py fails: \w+Error: "):
        Course.open(tmp_path)


def test_a_release_with_a_conflict_is_named_and_made_anew(tiny):
    hand_in(tiny)
    path = tiny / "assignments" / TINY / f"{TINY}.ipynb"
    text = path.read_text()
    path.write_text(CONFLICT + text)
    for call in (grade, preview, feedback):
        with pytest.raises(
            CourseError, match=r"assignments/tiny/tiny\.ipynb is no note"
        ):
            call(TINY, tiny)
    release([TINY], tiny)
    assert path.read_text() == text


def test_a_built_solution_with_a_conflict_is_built_anew(tmp_path):
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "a1.py").write_text("# %%\nx = 1\n")
    whole = build("a1", tmp_path).read_text()
    path = tmp_path / "solutions" / "a1" / "a1.ipynb"
    path.write_text(CONFLICT + whole)
    build("a1", tmp_path)
    assert path.read_text() == whole


@pytest.mark.parametrize("wrong", ["another cell", "a conflict"])
def test_a_release_that_fails_leaves_what_students_have(tiny, bundle, verdict, wrong):
    """nbgrader adds no test once somebody has handed in, and empties the folder."""
    with Writer(tiny, TINY, bundle) as writer:
        writer.write(verdict())
    there = tiny / "assignments" / TINY
    (there / "helper.py").write_text("x = 1\n")
    before = {path.name: path.read_bytes() for path in there.iterdir()}
    path = tiny / "solutions" / TINY / f"{TINY}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(code("assert True", "newer", 7.0, grade=True, locked=True))
    text = nbformat.writes(notebook)
    path.write_text(text if wrong == "another cell" else CONFLICT + text)
    with pytest.raises(CourseError):
        release([TINY], tiny)
    assert {path.name: path.read_bytes() for path in there.iterdir()} == before


def test_what_jupyter_and_other_programs_leave_is_no_assignment(tiny):
    """JupyterLab keeps a checkpoint of a notebook that lay beside the folders."""
    for step in ("solutions", "assignments"):
        there = tiny / step / ".ipynb_checkpoints"
        there.mkdir()
        nbformat.write(nbformat.v4.new_notebook(), there / "draft-checkpoint.ipynb")
    (tiny / "solutions" / "auto.py").write_text("x = 1\n")
    assert known(tiny / "solutions") == [TINY]
    assert set(collect.notebooks(Course.open(tiny))) == {TINY}


def test_a_course_without_assignments_says_so(tmp_path):
    (tmp_path / "nbgrader_config.py").write_text(CONFIG)
    with pytest.raises(CourseError, match="holds no assignment"):
        release(None, tmp_path)


def test_a_mistyped_student_is_named_and_leaves_no_trace(tiny):
    hand_in(tiny)
    for call in (grade, preview):
        with pytest.raises(
            CourseError, match="'adaa' did not hand in tiny; did you me"
        ):
            call(TINY, tiny, ["ada", "adaa"])
    assert last_run(TINY, tiny) == []


def test_a_test_that_waits_for_a_person_is_failed_by_nobody(tiny, bundle, verdict):
    """Its number of points was none of them, for the only student there is."""
    one = verdict()
    for cell in one.notebooks[TINY].cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "share":
            cell.outputs = [result("-3")]
    with Writer(tiny, TINY, bundle) as writer:
        writer.write(one)
    found = statistics(TINY, tiny)
    (item,) = [item for item in found.items if item.cell == "share"]
    assert (item.failed, item.difficulty, item.waiting) == (None, None, 1)
    assert "nan" not in str(table(found))


def test_an_edition_with_a_conflict_in_its_note_is_named(tmp_path):
    (tmp_path / ".edition.json").write_text(CONFLICT + "{}")
    with pytest.raises(CourseError, match=r"\.edition\.json cannot be read"):
        publish(tmp_path)
