"""A small course of one assignment, released once and copied for each test."""

from __future__ import annotations

import re
import shutil
from datetime import datetime
from pathlib import Path

import nbformat
import nbgrader.api
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.api import Gradebook

from course_grader import release
from course_grader.assignment.bundle import Bundle, Verdict, load
from course_grader.assignment.course import Course
from course_grader.store.gradebook import Writer

ASKED = nbgrader.api.get_alembic_version


def newest() -> str:
    """Return the newest form of a gradebook: the one that no other form follows."""
    folder = Path(nbgrader.api.__file__).parent / "alembic" / "versions"
    text = "".join(path.read_text("utf-8") for path in folder.glob("*.py"))
    forms, followed = (
        set(re.findall(rf"^{word} = '(\w+)'", text, re.M))
        for word in ("revision", "down_revision")
    )
    (found,) = forms - followed
    return found


# for each new gradebook nbgrader starts Alembic: three seconds for the same answer
nbgrader.api.get_alembic_version = newest

TINY = "tiny"
TEST = {"grade": True, "locked": True}
CONFIG = """c = get_config()
c.CourseDirectory.course_id = "tiny"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "assignments"
"""


def facts(name: str, points: float | None = None, **more: bool) -> dict:
    """nbgrader's metadata of a source cell."""
    kind = {"grade": False, "solution": False, "locked": False, "task": False} | more
    found = {"grade_id": name, "schema_version": 3, **kind}
    return {"nbgrader": found if points is None else found | {"points": points}}


def code(source: str, *args, **more):
    return new_code_cell(source, metadata=facts(*args, **more))


def words(source: str, *args, **more):
    return new_markdown_cell(source, metadata=facts(*args, **more))


HIDDEN = (
    "assert double(2) == 4, 'two doubled is four'\n"
    "### BEGIN HIDDEN TESTS\nsecret = 12345\n"
    "assert double(secret) == 24690, 'a larger one'\n### END HIDDEN TESTS"
)


def source():
    """The instructor's notebook: 2 + 3 + 4 points by tests, 5 + 6 by a person."""
    return new_notebook(
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
            "language_info": {"name": "python"},
        },
        cells=[
            new_markdown_cell("# Doubling <details>of ours</details>"),
            code(
                "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n"
                "    ### END SOLUTION",
                "double",
                solution=True,
            ),
            code(
                "assert double(1) == 2", "double_visible", 2.0, grade=True, locked=True
            ),
            code(HIDDEN, "double_hidden", 3.0, grade=True, locked=True),
            code("4 * (double(1) == 2)", "share", 4.0, grade=True, locked=True),
            words(
                "### BEGIN SOLUTION\nBecause.\n### END SOLUTION",
                "why",
                5.0,
                grade=True,
                solution=True,
            ),
            words("Draw it.", "drawing", 6.0, task=True, locked=True),
        ],
    )


@pytest.fixture(scope="session")
def released(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "nbgrader_config.py").write_text(CONFIG)
    there = folder / "solutions" / TINY
    there.mkdir(parents=True)
    nbformat.write(source(), there / f"{TINY}.ipynb")
    release([TINY], folder)
    return folder


@pytest.fixture
def tiny(released, tmp_path) -> Path:
    """A course whose one assignment, `tiny`, is released; nobody handed in."""
    return Path(shutil.copytree(released, tmp_path / "course"))


@pytest.fixture
def bundle(tiny) -> Bundle:
    return load(TINY, tiny)


@pytest.fixture
def submission(bundle):
    """submission(answer, why): the notebook handed in, as `intake` would restore it."""

    def made(answer: str = "def double(x):\n    return 2 * x", why: str = "Because."):
        notebook = nbformat.from_dict(bundle.lessons[TINY].released)
        for cell in notebook.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id")
            if name == "double":
                cell.source = answer
            if name == "why" and why:
                cell.source = why
            if name and cell.metadata.nbgrader.locked:
                cell.source = bundle.lessons[TINY].cells[name].source
        return notebook

    return made


@pytest.fixture
def verdict(submission):
    """verdict(student, failed, …): what the engine would say of a submission."""

    def made(student: str = "ada", failed: tuple[str, ...] = (), **more) -> Verdict:
        notebook = more.pop("notebook", None) or submission()
        for cell in notebook.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id")
            if name in failed:
                text = "AssertionError: two doubled is four"
                cell.outputs = [error("AssertionError", "two doubled is four", text)]
            elif name == "share":
                cell.outputs = [result("4")]
        return Verdict(
            student,
            TINY,
            {TINY: notebook},
            files=more.pop("files", {"helper.py": b"x = 1\n"}),
            timestamp=more.pop("timestamp", datetime(2026, 1, 2, 3, 4, 5)),
            digest=more.pop("digest", "d" * 64),
            **more,
        )

    return made


def error(name: str, text: str, *lines: str):
    return new_output("error", ename=name, evalue=text, traceback=list(lines))


def result(text: str):
    return new_output("execute_result", data={"text/plain": text}, execution_count=1)


@pytest.fixture
def writer(tiny, bundle):
    with Writer(tiny, TINY, bundle) as open_one:
        yield open_one


@pytest.fixture
def gradebook():
    """gradebook(course): nbgrader's own view of its database."""
    return _gradebook


def _gradebook(course: Path) -> Gradebook:
    return Course.open(course).gradebook()


@pytest.fixture
def rows():
    """rows(course): all that nbgrader shows of each submission, without random ids."""

    def read(course: Path) -> dict:
        found = {}
        with _gradebook(course) as book:
            for one in book.assignment_submissions(TINY):
                facts = one.to_dict() | {"late": one.late_submission_penalty}
                for notebook in one.notebooks:
                    facts[notebook.name] = notebook.to_dict()
                    for row in (*notebook.grades, *notebook.comments):
                        facts[type(row).__name__, row.name] = row.to_dict()
                found[one.student.id] = _without_ids(facts)
        return found

    return read


def _without_ids(facts: dict) -> dict:
    inner = {k: _without_ids(v) if isinstance(v, dict) else v for k, v in facts.items()}
    return {k: v for k, v in inner.items() if k != "id"}
