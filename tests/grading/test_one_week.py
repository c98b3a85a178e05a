"""docs/one_week.md, followed word by word on a class of two."""

from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from course_grader import new_course, release, sample_class
from course_lib.files import ROOT

NAME = "a04_alexnet"
PAGE = (ROOT / "docs/one_week.md").read_text(encoding="utf-8")
ELSEWHERE = "doctor", "publish"  # commands that take no course
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A course with nothing in its gradebook, and what two students handed in."""
    course = new_course(tmp_path_factory.mktemp("term") / "course", [NAME])
    release([NAME], course)
    sample_class(NAME, course)
    with zipfile.ZipFile(course / "moodle.zip", "w") as archive:
        for student, sample in (("ada", "ada_right"), ("bob", "cy_untouched")):
            source = course / "submitted" / sample / NAME / f"{NAME}.ipynb"
            archive.write(source, f"{student}/{NAME}.ipynb")
    (course / "participants.csv").write_text("id,email\nada,ada@example.org\nbob,\n")
    shutil.rmtree(course / "submitted")
    (course / "gradebook.db").unlink()
    return course


@pytest.fixture(scope="module")
def said(folder) -> dict[str, str]:
    """What each command of the page printed, in the page's order."""
    blocks = re.findall(r"^ *```\n(.*?)^ *```$", PAGE, re.M | re.S)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return {line: run(line, folder) for line in lines}


def run(line: str, folder: Path) -> str:
    words = shlex.split(line, comments=True)
    if words[0] == "course":
        words = [sys.executable, "-m", "course_lib", *words[1:]]
        if not set(words) & set(ELSEWHERE):
            words += ["--course", str(folder)]
    who = {"GIT_AUTHOR_NAME": "T", "GIT_AUTHOR_EMAIL": "t@example.org"}
    who |= {"GIT_COMMITTER_NAME": "T", "GIT_COMMITTER_EMAIL": "t@example.org"}
    env = os.environ | who | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    done = subprocess.run(  # who reads gives the first answer two points
        words,
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        input="2 Well argued.\n",
    )
    nothing_new = "nothing to commit" in done.stdout  # the edition was up to date
    assert done.returncode == 0 or nothing_new, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_each_command_of_the_page_works(said):
    commands = {words.split()[1] for words in said if words.startswith("course ")}
    assert commands >= {"publish", "roster", "release", "deadline", "collect", "grade"}
    assert commands >= {"read", "feedback", "export"}


def test_the_answer_that_waits_is_named_read_and_in_the_page(said, folder):
    lines = [line for line in said if line.startswith(f"course grade {NAME}")]
    assert f"1 answer to read: course read {NAME}" in said[lines[1]]
    (line,) = [line for line in said if line.startswith("course read")]
    assert "1 read, 0 left to read" in said[line]
    assert "to read" not in said[lines[2]]
    page = folder / "feedback/ada" / NAME / f"{NAME}.html"
    assert "Well argued." in page.read_text("utf-8")
    assert "20 of 20 points" in page.read_text("utf-8")


def test_the_class_is_graded_and_gets_its_pages(said, folder):
    with open(folder / "reports/grades.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    scores = {row["First name"]: float(row[NAME]) for row in rows}
    assert {row["Email address"] for row in rows} == {"ada@example.org", ""}
    assert scores["ada"] > scores["bob"]
    for student in ("ada", "bob"):
        assert (folder / "feedback" / student / NAME / f"{NAME}.html").exists()
    assert (folder / "reports" / NAME / "summary.html").exists()


def test_what_the_text_names_between_the_commands_works(said, folder):
    run(f"course extend {NAME} ada 3d", folder)
    run("course remove bob", folder)
    assert (folder / "removed/bob/submitted").is_dir()


def test_the_deadline_is_shown_in_the_zone_it_was_given(said):
    (line,) = [words for words in said if words.startswith("course deadline")]
    assert said[line] == f"{NAME}: 2026-12-06 23:59 CET\n"
