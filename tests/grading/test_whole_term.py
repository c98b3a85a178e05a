"""A term of a class of twelve, two assignments long: one total everywhere.

Six come from Moodle and six from Canvas. Some are late, one has more time, one leaves,
one hands in again, one hands in the wrong notebook, one hands nothing in, and a test
that was wrong is repaired.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from course_grader import export, feedback, grade, release, summarise
from course_grader.assignment.course import Course
from course_grader.intake.collect import collect
from course_grader.intake.roster import import_roster
from course_grader.reading.answers import Desk, waiting
from course_grader.report import for_moodle
from course_grader.report.facts import facts
from course_grader.report.grades import without
from course_grader.report.page import students
from course_grader.store import term
from course_grader.store.outcomes import Result, last_run

from .conftest import CONFIG, code, words
from .test_gradebook import LATE

ONE, TWO = "one", "two"
WRONG, MENDED = "double(2.5) == 5.0", "double(25) == 50"  # whole numbers are asked for
RIGHT, SHIFT, PLUS, NONE = "return 2 * x", "return x << 1", "return x + 1", ""
MOODLE = {  # student: answer to the first assignment, hours after noon
    "Ada Byron": (RIGHT, -1),
    "Bo Chen": (SHIFT, -1),
    "Cy Diaz": (PLUS, -1),
    "Dee Eze": (NONE, -1),
    "Eli Fox": (RIGHT, 3),
    "Flo Gray": (RIGHT, 2),
}
CANVAS = {
    "hallgus": (RIGHT, -1),
    "imanhal": (SHIFT, -1),
    "jonesivy": (RIGHT, -1),
    "kleinjo": (PLUS, -2),
    "longkim": (PLUS, 1),
}
EVERYBODY = [*MOODLE, *CANVAS, "mayliv"]
# points by tests + 4 of 5 by a reader - hours late; who wrote nothing is not read
TOTALS = {
    ONE: {
        "Ada Byron": 5 + 4,
        "Bo Chen": 5 + 4,
        "Cy Diaz": 2 + 4,
        "Dee Eze": 0,
        "Eli Fox": 5 + 4 - 3,
        "Flo Gray": 5 + 4,
        "hallgus": 5 + 4,
        "imanhal": 5 + 4,
        "kleinjo": 5 + 4,
        "longkim": 2 + 4 - 1,
    },
    TWO: {name: 9 for name in EVERYBODY if name not in ("Dee Eze", "jonesivy")},
}
pytestmark = pytest.mark.slow


def lesson(name: str):
    """The instructor's notebook: 2 + 3 points by tests, 5 by a reader."""
    solution = "    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
    hidden = f"### BEGIN HIDDEN TESTS\nassert {WRONG}, 'doubled'\n### END HIDDEN TESTS"
    test = {"grade": True, "locked": True}
    kernel = {"name": "python3", "display_name": "Python 3"}
    answer = "### BEGIN SOLUTION\nx + x is 2x.\n### END SOLUTION"
    return new_notebook(
        metadata={"kernelspec": kernel, "language_info": {"name": "python"}},
        cells=[
            new_markdown_cell("## 1 · Double a whole number (5 points)"),
            code(f"def double(x):\n{solution}", f"{name}_double", solution=True),
            code("assert double(1) == 2", f"{name}_visible", 2.0, **test),
            code(hidden, f"{name}_hidden", 3.0, **test),
            new_markdown_cell("## 2 · Why? (5 points)"),
            words(answer, f"{name}_why", 5.0, grade=True, solution=True),
        ],
    )


def handed_in(course: Path, name: str, answer: str) -> bytes:
    """The released notebook, answered; untouched without an answer."""
    notebook = nbformat.read(course / "assignments" / name / f"{name}.ipynb", 4)
    for cell in notebook.cells if answer else ():
        if cell.metadata.get("nbgrader", {}).get("solution"):
            written = cell.cell_type == "markdown"
            cell.source = "Sum." if written else f"def double(x):\n    {answer}"
    return nbformat.writes(notebook).encode()


def zipped(files: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return whole.getvalue()


def download(course: Path, name: str, answers: dict, *, canvas: bool) -> Path:
    """What the LMS hands out of a class: Moodle's folders, or Canvas's loose files."""
    files = {}
    for student, (answer, hours) in answers.items():
        number = EVERYBODY.index(student) + 1
        mine = {
            f"{name}.ipynb": handed_in(course, name, answer),
            "timestamp.txt": f"2026-01-15 {12 + hours}:00:00 UTC".encode(),
        }
        if canvas:
            late = "_LATE" if hours > 0 else ""
            files[f"{student}{late}_{number}_7_work.zip"] = zipped(mine)
        else:
            folder = f"{student}_{number}_assignsubmission_file_"
            files |= {f"{folder}/{path}": data for path, data in mine.items()}
    path = course / f"{'canvas' if canvas else 'moodle'}.zip"
    path.write_bytes(zipped(files))
    return path


class Term(NamedTuple):
    """What the term left behind."""

    course: Path
    first: dict[str, Result]  # of the first run, before the test was repaired
    second: dict[str, Result]
    refused: list[Result]
    waited: int  # answers, after the second run


def graded(name: str, course: Path) -> dict[str, Result]:
    found = {row.student: row for row in grade(name, course, workers=1, level="none")}
    summarise(name, course)
    return found


def read(name: str, course: Path) -> None:
    with Desk(name, course, "kim") as desk:
        for answer in desk.answers():
            desk.give(answer, 4, "Sums, *yes*.")


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Term:
    course = new_term(tmp_path_factory.mktemp("term"))
    moodle = download(course, ONE, MOODLE, canvas=False)
    canvas = download(course, ONE, CANVAS, canvas=True)
    collect([moodle, canvas], ONE, course)
    first = graded(ONE, course)

    again = download(course, ONE, {"kleinjo": (RIGHT, -1)}, canvas=True)
    collect([again], ONE, course)
    term.extend(ONE, "Flo Gray", "1d", course)
    term.remove("jonesivy", course)
    source = course / "solutions" / ONE / f"{ONE}.ipynb"
    source.write_text(source.read_text().replace(WRONG, MENDED))
    release([ONE], course)
    second = graded(ONE, course)
    waited = waiting(ONE, course)
    read(ONE, course)
    graded(ONE, course)

    refused = second_assignment(course)
    for name in (ONE, TWO):
        feedback(name, course)
    return Term(course, first, second, refused, waited)


def new_term(course: Path) -> Path:
    """Two assignments released, twelve on the roster, a deadline for both."""
    late = "c.AssignLatePenalties.plugin_class = 'term_late.Hours'\n"
    (course / "nbgrader_config.py").write_text(CONFIG + late)
    (course / "term_late.py").write_text(LATE)
    for name in (ONE, TWO):
        (course / "solutions" / name).mkdir(parents=True)
        nbformat.write(lesson(name), course / "solutions" / name / f"{name}.ipynb")
    release([ONE, TWO], course)
    people = "".join(f"{name},{n}\n" for n, name in enumerate(EVERYBODY, 1))
    (course / "list.csv").write_text(f"id,lms_user_id\n{people}")
    import_roster(course / "list.csv", course)
    for name in (ONE, TWO):
        term.deadline(name, "2026-01-15 12:00", "UTC", course)
    return course


def second_assignment(course: Path) -> list[Result]:
    """All are right and in time, but for one who hands in the first notebook."""
    left = [name for name in EVERYBODY if name != "jonesivy"]
    answers = {name: (RIGHT, -1) for name in left}
    moodle = {name: answers[name] for name in MOODLE}
    canvas = {name: answers[name] for name in left if name not in MOODLE}
    collect([download(course, TWO, moodle, canvas=False)], TWO, course)
    collect([download(course, TWO, canvas, canvas=True)], TWO, course)
    wrong = course / "submitted" / "Dee Eze" / TWO / f"{TWO}.ipynb"
    wrong.write_bytes(handed_in(course, ONE, RIGHT))
    found = graded(TWO, course)
    read(TWO, course)
    graded(TWO, course)
    return [row for row in found.values() if row.status == "refused"]


def table(path: Path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def exported(course: Path, name: str, form: str) -> dict[str, float]:
    """Each student's total in an export; who handed nothing in is left out."""
    rows = table(export(course / f"{form}.csv", course, form))
    if form == "csv":
        mine = [row for row in rows if row["assignment"] == name and row["timestamp"]]
        return {row["student_id"]: float(row["score"]) for row in mine}
    who = "First name" if form == "moodle" else "Student"
    rows = [row for row in rows if row[name] and row[who] != "Points Possible"]
    return {row[who]: float(row[name]) for row in rows}


def fed_back(course: Path, name: str) -> dict[str, float]:
    """Each student's total at the top of the feedback page."""
    found = {}
    for page in (course / "feedback").glob(f"*/{name}/{name}.html"):
        said = re.search(r'class="lead">(.*): (\S+) of 10 points<', page.read_text())
        assert said[1] == page.parent.parent.name
        found[said[1]] = float(said[2])
    return found


@pytest.mark.parametrize("name", [ONE, TWO])
def test_one_total_is_everywhere(done, name):
    expected = TOTALS[name]
    run = last_run(name, done.course)
    assert {row.student: row.total for row in run if not row.reason} == expected
    found = facts(name, done.course)
    assert {row["student"]: row["total"] for row in found["students"]} == expected
    shown = {row[0]: float(row[-1]) for row in students(found)[1]}
    assert shown == expected
    for form in ("csv", "moodle", "canvas"):
        assert exported(done.course, name, form) == expected, form
    assert fed_back(done.course, name) == expected
    page = (done.course / "reports" / name / "summary.html").read_text()
    rows = re.findall(r"<tr><td>([^<]*)</td>.*?<td>([^<]*)</td></tr>", page)
    assert {k: float(v) for k, v in rows if k in expected} == expected


def test_a_mended_test_changes_whom_it_had_judged(done):
    assert {name: row.score for name, row in done.first.items()} == {
        **dict.fromkeys(["Ada Byron", "Eli Fox", "Flo Gray", "hallgus", "jonesivy"], 5),
        **dict.fromkeys(["Bo Chen", "imanhal", "Cy Diaz", "kleinjo", "longkim"], 2),
        "Dee Eze": 0,
    }
    again = {name: row for name, row in done.second.items() if row.before is not None}
    changed = {name for name, row in again.items() if row.before != row.total}
    assert changed == {"Bo Chen", "imanhal", "Flo Gray"}  # her with an extension
    assert set(done.second) - set(again) == {"kleinjo"}  # a new submission


def test_nobody_is_called_tampered_for_an_earlier_release(done):
    notes = [note for row in done.second.values() for note in row.notes]
    assert not any("tampered" in note for note in notes)


def test_being_late_is_said_and_an_extension_counts(done):
    late = {name: row.late / 3600 for name, row in done.second.items() if row.late}
    assert late == {"Eli Fox": 3, "longkim": 1}
    page = done.course / "feedback" / "Eli Fox" / ONE / f"{ONE}.html"
    assert "<td>Late</td><td>−3</td>" in page.read_text()


def test_each_answer_is_read_once(done):
    assert done.waited == 9  # the untouched one has no answer
    assert waiting(ONE, done.course) == waiting(TWO, done.course) == 0
    with Desk(ONE, done.course, "kim") as desk:
        assert {one.reader for one in desk.answers(again=True)} == {"kim"}
    page = done.course / "feedback" / "Ada Byron" / ONE / f"{ONE}.html"
    assert "Sums, <em>yes</em>." in page.read_text()


def test_moodle_gets_feedback_under_the_names_it_gave(done):
    every = sorted((done.course / "feedback").glob(f"*/{ONE}/{ONE}.html"))
    pages = [page for page in every if page.parent.parent.name in MOODLE]
    made = for_moodle.write(pages, ONE, done.course)
    with zipfile.ZipFile(made.path) as archive:
        names = {name.partition("/")[0] for name in archive.namelist()}
        assert all(name.endswith(f"/{ONE}.html") for name in archive.namelist())
    with zipfile.ZipFile(done.course / "moodle.zip") as archive:
        came = {name.partition("/")[0] for name in archive.namelist()}
    assert len(names) == len(pages) > 3
    assert names <= came
    assert made.left_out == []


def test_who_left_is_nowhere_and_the_files_are_kept(done):
    assert (done.course / "removed" / "jonesivy" / "submitted" / ONE).is_dir()
    assert not list(done.course.glob("*/jonesivy"))[1:]  # in removed/ alone
    with Course.open(done.course).gradebook() as gradebook:
        assert {one.id for one in gradebook.students} == set(EVERYBODY) - {"jonesivy"}


def test_the_wrong_notebook_is_refused_by_name(done):
    (row,) = done.refused
    assert row.student == "Dee Eze"
    assert "this is one" in row.reason


def test_who_is_missing_has_an_empty_field(done):
    rows = table(export(done.course / "moodle.csv", done.course, "moodle"))
    empty = {
        (row["First name"], name)
        for row in rows
        for name in (ONE, TWO)
        if not row[name]
    }
    assert empty == {("mayliv", ONE), ("Dee Eze", TWO)}
    absent, refused = without(done.course)
    assert absent == (ONE, "mayliv", "handed nothing in")
    assert refused[:2] == (TWO, "Dee Eze")
    assert refused[2].startswith("refused: this is one")
