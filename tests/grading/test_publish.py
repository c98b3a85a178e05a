"""The students' edition: complete for a student, without an answer, kept up to date."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

from course_grader.assignment import publish
from course_lib.errors import CourseError
from course_lib.files import ROOT
from course_lib.hand_in import guide

WITHOUT_GRADER = (
    "import sys; sys.modules['course_grader'] = None; "
    "from course_lib.__main__ import main; main()"
)


@pytest.fixture(scope="module")
def edition(tmp_path_factory):
    folder = tmp_path_factory.mktemp("students") / "course"
    publish.publish(folder)
    return folder


def course(folder: Path, *words: str):
    """Run `course` as the edition has it: without the grader."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_GRADER, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "100"},
        capture_output=True,
        text=True,
    )


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_no_answer_is_in_it(edition):
    found = files(edition)
    tops = {name.partition("/")[0] for name in found}
    assert not tops & {"solutions", "tests", "course_grader", "docs", ".ci"}
    marks = b"BEGIN SOLUTION", b"BEGIN HIDDEN TESTS", b"BEGIN MARK SCHEME"
    for name, content in found.items():
        assert not any(mark in content for mark in marks), name


def test_all_that_a_student_needs_is_in_it(edition):
    for folder in ("notebooks", "assignments", "course_lib", "data/results"):
        ours = {path.name for path in (ROOT / folder).iterdir() if path.is_file()}
        assert ours <= {path.name for path in (edition / folder).iterdir()}
    assert os.access(edition / ".binder/postBuild", os.X_OK)


def test_the_readme_speaks_to_students_alone(edition):
    text = (edition / "README.md").read_text(encoding="utf-8")
    assert "make demo" in text
    assert "course check" in text
    for words in ("course grade", "make test", "solutions/", "Teach with it"):
        assert words not in text
    for link in re.findall(r"\]\(([^)#]+)[)#]", text):
        assert "://" in link or (edition / link).exists(), link


def test_make_offers_what_the_edition_has(edition):
    done = subprocess.run(["make", "help"], cwd=edition, capture_output=True, text=True)
    targets = [line.split()[0] for line in done.stdout.splitlines()]
    assert targets == ["help", "demo", "lab", "notebooks", "env"]


@pytest.mark.slow
def test_its_commands_are_the_students(edition):
    told = course(edition, "--help").stdout
    assert " check " in told
    assert " grade " not in told
    done = course(edition, "start", "a04_alexnet")
    assert done.returncode == 0, done.stderr
    done = course(edition, "check", "a04_alexnet")
    assert "✗" in done.stdout, done.stderr


@pytest.fixture
def small(tmp_path):
    """A repository with the files that an edition is made of, each of a line."""
    root = tmp_path / "private"
    for name in ("README.md", "Makefile", "notebooks/n.py", "solutions/a.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{name}\n")
    for words in (["init", "-q"], ["add", "--all"]):
        subprocess.run(["git", "-C", root, *words], check=True)
    return root


def test_the_second_run_brings_it_up_to_date_and_touches_nothing_else(small, tmp_path):
    folder = tmp_path / "students"
    first = publish.publish(folder, small)
    assert sorted(first.written) == ["Makefile", "README.md", "notebooks/n.py"]
    (folder / "notes.md").write_text("the class's own")
    assert publish.publish(folder, small) == ([], [], [])
    (small / "notebooks/n.py").write_text("changed\n")
    assert publish.publish(folder, small).written == ["notebooks/n.py"]
    assert (folder / "notes.md").read_text() == "the class's own"


def test_an_edition_says_until_when_and_where_to_ask(small, tmp_path):
    due = {"a04_alexnet": datetime(2026, 12, 1, 23, 59, tzinfo=timezone.utc)}
    address = "https://git.example.org/course.git"
    publish.publish(tmp_path / "students", small, address, due)
    said = guide.facts(tmp_path / "students")
    assert said["deadlines"] == {"a04_alexnet": "2026-12-01T23:59:00+00:00"}
    assert said["repository"] == address


def test_a_deleted_file_is_named_before_anything_is_written(small, tmp_path):
    (small / "notebooks/n.py").unlink()
    with pytest.raises(CourseError, match=r"n\.py is deleted and not committed"):
        publish.publish(tmp_path / "students", small)
    assert not (tmp_path / "students").exists()


def test_an_interrupted_run_is_taken_up_by_the_same_command(
    small, tmp_path, monkeypatch
):
    folder = tmp_path / "students"

    def stop(source, _):
        if source.name != "Makefile":  # the first file is written
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(publish.shutil, "copymode", stop)
        with pytest.raises(KeyboardInterrupt):
            publish.publish(folder, small)
    assert (folder / "Makefile").exists()
    done = publish.publish(folder, small)
    assert (sorted(done.written), done.kept) == (["README.md", "notebooks/n.py"], [])


def test_a_file_that_left_the_course_leaves_the_edition(small, tmp_path):
    folder = tmp_path / "students"
    publish.publish(folder, small)
    subprocess.run(["git", "-C", small, "rm", "-qf", "notebooks/n.py"], check=True)
    assert publish.publish(folder, small).removed == ["notebooks/n.py"]
    assert not (folder / "notebooks/n.py").exists()


def test_a_file_of_somebody_else_is_kept_and_named(small, tmp_path):
    folder = tmp_path / "students"
    publish.publish(folder, small)
    (folder / "LICENSE").write_text("the university's")
    (small / "LICENSE").write_text("ours")
    subprocess.run(["git", "-C", small, "add", "--all"], check=True)
    for _ in range(2):
        assert publish.publish(folder, small).kept == ["LICENSE"]
    assert (folder / "LICENSE").read_text() == "the university's"


def test_a_folder_that_is_no_edition_is_refused(small, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter.tex").write_text("mine")
    with pytest.raises(CourseError, match=r"holds chapter.tex and no edition"):
        publish.publish(tmp_path / "thesis", small)
    with pytest.raises(CourseError, match="lies in this repository"):
        publish.publish(small / "students", small)


def test_without_git_it_says_so(tmp_path):
    with pytest.raises(CourseError, match="git does not know"):
        publish.publish(tmp_path / "students", tmp_path / "nowhere")


# a notebook's first cell in a Python that has no course, as Colab's
ON_COLAB = """
import json, sys
from importlib.util import find_spec
cells = json.load(open(sys.argv[1]))["cells"]
first = next(cell for cell in cells if cell["cell_type"] == "code")
assert find_spec("course_lib") is None
exec("".join(first["source"]))
print(find_spec("course_lib").origin)
"""


def cloned(edition: Path, folder: Path) -> str:
    """Make the edition a repository that can be cloned; return its address."""
    shutil.copytree(edition, folder)
    for words in (["init", "-q"], ["add", "--all"], ["commit", "-qm", "edition"]):
        author = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", folder, *author, *words], check=True)
    return folder.as_uri()


@pytest.mark.slow
def test_on_colab_a_notebook_installs_the_course_first(edition, tmp_path):
    address = cloned(edition, tmp_path / "course.git")
    publish.publish(tmp_path / "students", repository=address)
    notebook = tmp_path / "students/notebooks/05_vgg.ipynb"
    python = tmp_path / "colab/bin/python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "colab"], check=True)
    path = f"{python.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [python, "-c", ON_COLAB, notebook],
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "PIP_NO_DEPS": "1", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    expected = tmp_path / "course/course_lib/__init__.py"
    assert done.stdout.splitlines()[-1:] == [str(expected)], done.stderr


@pytest.mark.slow
def test_the_cell_for_colab_is_in_both_twins_of_a_notebook(tmp_path):
    folder = tmp_path / "students"
    publish.publish(folder, repository="https://git.example.org/course.git")
    text = (folder / "notebooks/05_vgg.py").read_text(encoding="utf-8")
    assert text.count("https://git.example.org/course.git") == 1
    assert text.index("# 05 · VGG") < text.index("On Colab")
    done = course(folder, "notebooks", "check")
    assert "16 notebooks in step" in done.stdout, done.stderr
    assert publish.publish(folder) == ([], [], [])  # the address is kept


def test_an_address_that_nobody_can_clone_is_refused(tmp_path):
    with pytest.raises(CourseError, match="is no address to clone from"):
        publish.publish(tmp_path / "students", repository='x"; import os')
