"""What the writer leaves is what nbgrader leaves, and nbgrader goes on from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import datetime
from functools import partial
from glob import glob
from pathlib import Path

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from nbgrader.converters import Autograde
from nbgrader.server_extensions.formgrader import handlers
from traitlets.config import Config

from course_grader import release
from course_grader.assignment.bundle import load
from course_grader.assignment.course import Course
from course_grader.store.gradebook import Writer

from .conftest import ASKED, newest

NAME = "tiny"
ANSWERS = {  # what students hand in: answer, reason
    "right": ("def double(x):\n    return 2 * x", "Because."),
    "wrong": ("def double(x):\n    return 2", "Because."),
    "untouched": (None, ""),
    "loud": ("def double(x):\n    print('twice')\n    return x + x", "I think so."),
}


@pytest.fixture
def stock(tiny, submission, gradebook) -> Path:
    """The course of four honest students, graded by nbgrader itself."""
    for student, (answer, why) in ANSWERS.items():
        there = tiny / "submitted" / student / NAME
        there.mkdir(parents=True)
        released = tiny / "assignments" / NAME / f"{NAME}.ipynb"
        notebook = submission(answer, why) if answer else nbformat.read(released, 4)
        nbformat.write(notebook, there / f"{NAME}.ipynb")
        (there / "timestamp.txt").write_text("2026-01-02 05:04:05 UTC\n")
    with gradebook(tiny) as book:
        book.update_or_create_assignment(NAME, duedate=datetime(2026, 1, 2, 4))
    with open(tiny / "nbgrader_config.py", "a") as file:
        file.write("c.LateSubmissionPlugin.penalty_method = 'zero'\n")
    Course.open(tiny).convert(Autograde, NAME)
    return tiny


@pytest.mark.slow
def test_the_newest_form_of_a_gradebook_is_the_one_that_alembic_names():
    assert ASKED.__module__ == "nbgrader.api"
    assert newest() == ASKED()


@pytest.mark.slow
def test_rows_are_those_of_nbgrader(stock, verdict, gradebook, rows):
    """Also when it is handed in again, after a person gave points and a comment."""
    assert rows(stock)["right"]["score"] == 9
    ours = Path(shutil.copytree(stock, stock.with_name("ours")))
    folders = stock / "autograded"
    graded_by_nbgrader = {
        name: nbformat.read(folders / name / NAME / f"{NAME}.ipynb", 4)
        for name in ANSWERS
    }
    with gradebook(ours) as book:
        for student in ANSWERS:
            book.remove_submission(NAME, student)
        for student in list(book.students):
            book.remove_student(student.id)
    write(ours, verdict, graded_by_nbgrader)
    assert rows(ours) == rows(stock)
    for course in (stock, ours):
        with gradebook(course) as book:
            book.find_grade("why", NAME, NAME, "right").manual_score = 4
            book.find_grade("why", NAME, NAME, "right").needs_manual_grade = False
            book.find_grade("share", NAME, NAME, "right").extra_credit = 1
            book.find_grade("double_hidden", NAME, NAME, "wrong").manual_score = 2
            book.find_grade("drawing", NAME, NAME, "loud").manual_score = 6
            book.find_grade("drawing", NAME, NAME, "loud").needs_manual_grade = False
            book.find_comment("why", NAME, NAME, "right").manual_comment = "Good."
            book.db.commit()
    config = Config()
    config.Autograde.force = True
    Course.open(stock).convert(Autograde, NAME, config=config)
    write(ours, verdict, graded_by_nbgrader, digest="e" * 64)
    assert rows(ours)["right"]["score"] == 14
    assert rows(ours) == rows(stock)


def write(course: Path, verdict, notebooks: dict, **more) -> None:
    with Writer(course, NAME, load(NAME, course)) as writer:
        for student, notebook in notebooks.items():
            moment = datetime(2026, 1, 2, 5, 4, 5)
            made = verdict(student, timestamp=moment, **more)
            writer.write(replace(made, notebooks={NAME: notebook}))


@pytest.mark.slow
def test_nbgraders_own_commands_work_on_what_was_written(tiny, bundle, verdict):
    with Writer(tiny, NAME, bundle) as writer:
        for student in ("ada", "bo"):
            writer.write(verdict(student, failed=("double_visible",)))
    nbgrader = [sys.executable, "-m", "nbgrader"]
    for words in (["db", "upgrade"], ["generate_feedback", NAME], ["export"]):
        ran = subprocess.run(
            [*nbgrader, *words], cwd=tiny, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stderr
    page = tiny / "feedback" / "ada" / NAME / f"{NAME}.html"
    assert "Score: 7.0 / 20.0" in page.read_text()
    assert "tiny,,2026-01-02 03:04:05,bo" in (tiny / "grades.csv").read_text()


def test_formgrader_shows_what_was_written(writer, verdict, tiny):
    page = formgrader_page(writer, verdict(failed=("double_hidden",)), tiny)
    assert "two doubled is four" in page
    assert 'id="why-comment"' in page
    assert "BEGIN HIDDEN TESTS" in page  # it is the instructor's page


def formgrader_page(writer, made, course: Path) -> str:
    """Return the page that nbgrader's server makes of a submission."""
    writer.write(made)
    config = Config()
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [handlers.template_path]
    facts = {"base_url": "", "submission_id": "1", "notebook_id": NAME, "index": 0}
    facts |= {"total": 1, "student": made.student, "assignment_id": NAME}
    path = course / "autograded" / made.student / NAME / f"{NAME}.ipynb"
    exporter = HTMLExporter(config=config)
    return exporter.from_filename(str(path), resources=facts)[0]


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """The URL of a PostgreSQL server of our own, on a socket, stopped at the end."""
    pytest.importorskip("psycopg", reason="psycopg or its libpq is not installed")
    found = shutil.which("initdb") or next(
        iter(sorted(glob("/usr/lib/postgresql/*/bin/initdb"))), None
    )
    if found is None:
        pytest.skip("no PostgreSQL server (initdb) is installed here")
    user = "nobody" if os.getuid() == 0 else None  # it refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path is short
    if user:
        shutil.chown(folder, user)
    binaries, data = Path(found).resolve().parent, folder / "data"
    run = partial(subprocess.run, check=True, capture_output=True, user=user)
    run([binaries / "initdb", "-D", data, "-U", "course", "-A", "trust"], cwd=folder)
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    log = folder / "log"
    run([binaries / "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start"])
    yield f"postgresql+psycopg://course@/postgres?host={folder}"
    run([binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"])
    shutil.rmtree(folder)


@pytest.mark.slow
def test_postgresql_holds_the_same_rows(
    postgres, tiny, bundle, verdict, gradebook, rows
):
    made = [verdict("ada", failed=("double_hidden",)), verdict("bo", reason="no")]
    with Writer(tiny, NAME, bundle) as writer:
        for one in made:
            writer.write(one)
    sqlite = rows(tiny)
    shutil.rmtree(tiny / "autograded")
    with open(tiny / "nbgrader_config.py", "a") as file:
        file.write(f"c.CourseDirectory.db_url = {postgres!r}\n")
    release([NAME], tiny)
    with Writer(tiny, NAME, load(NAME, tiny)) as writer:
        for one in made:
            writer.write(one)
        assert writer.write(verdict("n" * 200)).status == "refused"  # 128 at most
        assert writer.write(verdict(os.fsdecode(b"caf\xe9"))).status == "refused"
    assert rows(tiny) == sqlite
    with Writer(tiny, NAME, load(NAME, tiny)) as writer:
        assert writer.done("ada", "d" * 64)
        writer.write(verdict("ada"))
    assert rows(tiny)["ada"]["score"] == 9
    with gradebook(tiny) as book:
        assert book.engine.dialect.name == "postgresql"
