"""`course grade --dry-run`: what would be graded, and nothing is."""

import hashlib
import json
from pathlib import Path

import nbformat
import pytest

from course_grader.assignment.bundle import digest
from course_grader.dry_run import preview
from course_grader.store.gradebook import Writer
from course_lib.errors import CourseError

from .conftest import CONFIG, TINY

pytestmark = pytest.mark.slow


@pytest.fixture
def course(tiny, bundle, submission, verdict):
    """ada is graded, bo handed in again, cy is not graded, di handed in no notebook."""
    handed_in = {"ada": submission(), "bo": submission(), "cy": submission()}
    for name, notebook in handed_in.items():
        hand_in(tiny, name, nbformat.writes(notebook))
    with Writer(tiny, TINY, bundle) as writer:
        for name in ("ada", "bo"):
            writer.write(verdict(name, digest=of(tiny, name)))
    hand_in(tiny, "bo", nbformat.writes(submission("def double(x):\n    return 4")))
    hand_in(tiny, "di", "no notebook")
    return tiny


def hand_in(course: Path, student: str, text: str) -> None:
    path = course / "submitted" / student / TINY / f"{TINY}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def of(course: Path, student: str) -> str:
    name = f"{TINY}.ipynb"
    path = course / "submitted" / student / TINY / name
    return digest({name: path.read_bytes()})


def everything(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def test_it_says_what_would_happen_to_each(course):
    found = {row.student: row for row in preview(TINY, course)}
    assert {name: row.status for name, row in found.items()} == {
        "ada": "already graded",
        "bo": "to grade",
        "cy": "to grade",
        "di": "refused",
    }
    assert found["di"].reason.endswith(".")
    assert found["ada"].score == 9
    assert {row.max_score for row in found.values()} == {20}


def test_force_and_students_are_heeded(course):
    (row,) = preview(TINY, course, ["ada"], force=True)
    assert (row.student, row.status) == ("ada", "to grade")


def test_nothing_is_written(course):
    before = everything(course)
    preview(TINY, course)
    preview(TINY, course, force=True)
    assert everything(course) == before


def test_before_the_first_grading_everybody_is_to_be_graded(tiny, submission):
    hand_in(tiny, "ada", nbformat.writes(submission()))
    (row,) = preview(TINY, tiny)
    assert (row.status, row.score) == ("to grade", 0)


def test_before_the_release_it_says_so_and_makes_no_gradebook(tmp_path):
    (tmp_path / "nbgrader_config.py").write_text(CONFIG)
    hand_in(tmp_path, "ada", "{}")
    before = everything(tmp_path)
    with pytest.raises(CourseError, match=f"release {TINY} first"):
        preview(TINY, tmp_path)
    assert everything(tmp_path) == before


def test_the_command_prints_json_and_ends_with_3(course, run_course):
    done = run_course("grade", TINY, "--course", str(course), "--dry-run", "--json")
    rows = {row["student"]: row["status"] for row in json.loads(done.stdout)}
    assert rows["di"] == "refused"
    assert done.returncode == 3
    assert "1 of 4" in done.stderr


@pytest.mark.slow
def test_grading_prints_json_alone_and_ends_with_3(course, run_course):
    words = ["grade", TINY, "--course", str(course), "--workers", "1", "--json"]
    done = run_course(*words)
    rows = {row["student"]: row for row in json.loads(done.stdout)}
    assert {name: row["status"] for name, row in rows.items()} == {
        "ada": "already graded",
        "bo": "graded",
        "cy": "graded",
        "di": "refused",
    }
    assert rows["cy"]["score"] == 9
    assert done.returncode == 3
    assert "summary: " in done.stderr


def test_collecting_prints_json_alone_and_ends_with_3(tiny, tmp_path, run_course):
    inbox = tmp_path / "inbox"
    hand_in(inbox, "ada", nbformat.writes(nbformat.v4.new_notebook()))
    (inbox / "submitted" / "bo.zip").write_text("no zip")
    words = ["collect", str(inbox / "submitted"), "--course", str(tiny), "--json"]
    done = run_course(*words)
    rows = {row["student"]: row for row in json.loads(done.stdout)}
    assert rows["ada"]["status"] == "collected"
    assert Path(rows["ada"]["path"]).is_dir()
    assert rows["bo"]["status"] == "refused"
    assert done.returncode == 3
    assert (
        run_course(*words[:1], str(inbox / "submitted" / "ada"), *words[2:]).returncode
        == 0
    )
