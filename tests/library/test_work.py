"""A student's way: begin a copy, check it, hand it in; nothing of theirs is lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import zipfile

import nbformat
import pytest

from course_lib.errors import CourseError
from course_lib.files import ROOT
from course_lib.hand_in import checked, guide, overview, submit, work

NAME = "a06_googlenet"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """work/ in a folder of its own."""
    monkeypatch.setattr(work, "WORK", tmp_path / "work")
    monkeypatch.chdir(tmp_path)


def test_a_copy_is_begun_once_and_stays_when_begun_again(run_course):
    done = run_course("start", NAME)
    assert done.returncode == 0, done
    copy = work.WORK / NAME / f"{NAME}.ipynb"
    mine = nbformat.read(copy, 4).cells
    released = nbformat.read(ROOT / "assignments" / NAME / copy.name, 4).cells
    assert mine[0].source.startswith(released[0].source)
    assert mine[1:-1] == released[1:]
    copy.write_text("mine")
    assert "there already" in run_course("start", NAME).stdout
    assert copy.read_text() == "mine"
    again = work.start(NAME, again=True)
    assert again.is_new
    assert (again.aside / copy.name).read_text() == "mine"
    assert copy.read_text() != "mine"
    assert [p.name for p in work.WORK.iterdir() if p.name.startswith(".")] == []


@pytest.fixture
def machine_in_berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def begun(folder, **edition) -> list:
    """The cells of a working copy, as this edition of the course begins it."""
    (folder / guide.EDITION).write_text(json.dumps(edition))
    path = folder / f"{NAME}.ipynb"
    shutil.copy(ROOT / "assignments" / NAME / path.name, path)
    guide.add(path, folder)
    return nbformat.read(path, 4).cells


def test_a_copy_says_how_to_check_to_hand_in_and_to_ask(tmp_path, machine_in_berlin):
    due = {NAME: "2026-12-01T22:59:00+00:00"}
    where = "https://git.example.org/me/course.git"
    said = begun(tmp_path, deadlines=due, repository=where)[0].source
    assert f"`course check {NAME}`" in said
    assert f"`course submit {NAME}` makes until 01 December 2026, 23:59 CET." in said
    assert "**Questions**: https://git.example.org/me/course/issues." in said
    said = begun(tmp_path)[0].source  # nothing is known
    assert f"`course submit {NAME}` makes. **Questions**: your instructor." in said


@pytest.mark.slow
def test_the_last_cell_checks_in_jupyter_and_does_nothing_elsewhere(
    tmp_path, monkeypatch, capsys
):
    """Run while it is checked, it would check itself, and so on."""
    path = tmp_path / f"{NAME}.ipynb"
    cells = notebook("def double(x):\n    return 5").cells
    cells.append(begun(tmp_path)[-1])
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    monkeypatch.delenv(checked.IN_LAB, raising=False)
    exec(cells[-1].source, {})
    assert capsys.readouterr().out == ""
    monkeypatch.setenv(checked.IN_LAB, str(path))
    exec(cells[-1].source, {})
    said = capsys.readouterr().out
    assert "✗  visible: twice 2 is 4, not 5" in said
    assert "✓  waits_visible" in said
    assert said.count("from the top") == 1


def test_what_is_no_assignment_and_what_lost_its_notebook_are_said():
    with pytest.raises(CourseError, match="did you mean a06_googlenet"):
        work.start("a06")
    (work.WORK / NAME).mkdir(parents=True)
    with pytest.raises(CourseError, match=f"has no {NAME}.ipynb"):
        work.start(NAME)


def test_progress_says_what_is_answered_and_handed_in(run_course):
    def now():
        return overview.row(NAME, "2026-12-01T22:59:00+00:00")

    assert (now().notebook, now().answered, now().handed_in) == (None, 0, "")
    assert "December 2026" in now().due
    copy = work.start(NAME).notebook
    assert (now().notebook, now().answered, now().changed) == (copy, 0, False)
    shutil.copyfile(ROOT / "solutions" / NAME / copy.name, copy)
    assert now().answered == now().answers > 5
    zipped = submit.submit(NAME, "ada").path
    assert re.fullmatch(r"\d\d \w+ \d{4}, \d\d:\d\d", now().handed_in)
    assert not now().changed
    os.utime(copy, ns=(zipped.stat().st_mtime_ns + 10**9,) * 2)
    assert now().changed
    copy.write_text("<<<<<<< mine")
    assert f"{copy.name}" in now().problem
    said = run_course("progress").stdout
    assert "not begun" in said
    (row,) = (
        row
        for row in json.loads(run_course("progress", "--json").stdout)
        if row["assignment"] == NAME
    )
    assert row["notebook"] == str(copy)


@pytest.mark.parametrize("ask", ["check", "submit", "progress"])
def test_a_renamed_copy_is_named_and_the_release_is_not_taken_for_it(run_course, ask):
    copy = work.start(NAME).notebook
    copy.rename(copy.with_name("mine.ipynb"))
    said = f"has no {NAME}.ipynb, only mine.ipynb: give the notebook this name"
    if ask == "progress":
        assert said in overview.row(NAME).problem
        return
    done = run_course(ask, NAME, *(["--student", "ada"] if ask == "submit" else []))
    assert done.returncode == 1
    assert said in done.stderr
    assert list(work.WORK.glob("*.zip")) == []


def test_progress_counts_an_answer_whose_cell_is_gone():
    copy = work.start(NAME).notebook
    answers = overview.row(NAME).answers
    notebook = nbformat.read(copy, 4)
    cells = notebook.cells
    notebook.cells = cells[
        : next(n for n, c in enumerate(cells) if "nbgrader" in c.metadata)
    ]
    nbformat.write(notebook, copy)
    assert (overview.row(NAME).answered, overview.row(NAME).answers) == (0, answers)
    assert answers > 5


def test_git_ignores_work():
    assert "/work/" in (ROOT / ".gitignore").read_text().split()


CELLS = [
    ("markdown", "## 1 · Doubling (3 points)", {}),
    ("code", "import time", {"grade_id": "setup", "locked": True}),
    ("code", "ANSWER", {"grade_id": "double", "solution": True}),
    ("code", "assert double(2) == 4, 'twice 2 is 4, not\\n5'", {"grade_id": "visible"}),
    ("code", "# Hidden: other numbers", {"grade_id": "hidden"}),
    ("markdown", "## 2 · Waiting (3 points)", {}),
    ("code", "double(0) or time.sleep(0.1)", {"grade_id": "waits_visible"}),
    ("markdown", "Because.", {"grade_id": "why", "solution": True}),
]


def notebook(answer: str):
    cells = []
    for kind, source, facts in CELLS:
        new = getattr(nbformat.v4, f"new_{kind}_cell")
        cell = new(source.replace("ANSWER", answer))
        if facts:
            grade = kind != "code" or not {"solution", "locked"} & set(facts)
            cell.metadata["nbgrader"] = {"grade": grade, "points": 1, **facts}
            cell.metadata["nbgrader"].setdefault("solution", False)
            cell.metadata["nbgrader"].setdefault("locked", grade)
            cell.metadata["nbgrader"]["checksum"] = ""
        cells.append(cell)
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture
def answered(tmp_path):
    def write(answer: str):
        path = tmp_path / "tiny.ipynb"
        nbformat.write(notebook(answer), path)
        before = path.read_bytes()
        rows = checked.check_notebook(path, seconds=5)
        assert path.read_bytes() == before
        return {row.cell: row for row in rows}

    return write


@pytest.mark.slow
def test_each_visible_test_has_a_row_with_its_reason(answered):
    rows = answered("def double(x):\n    return 5")
    assert list(rows) == ["visible", "waits_visible", "why"]
    said = "twice 2 is 4, not 5"
    assert rows["visible"] == ("1 · Doubling", "visible", "failed", said)
    assert rows["waits_visible"].status == "passed"
    assert rows["waits_visible"].exercise == "2 · Waiting"
    assert rows["why"].status == "written"


@pytest.mark.slow
def test_an_answer_that_is_missing_breaks_or_never_ends_is_said(answered):
    rows = answered("def double(x):\n    raise NotImplementedError")
    assert rows["visible"].status == "unanswered"
    rows = answered("def double(x):\n    return x.shape")
    expected = "AttributeError: 'int' object has no attribute 'shape'"
    assert rows["visible"][2:] == ("failed", expected)
    rows = answered("def double(x):\n    while True: pass")
    assert rows["visible"].message == "it took more than 5 seconds and was stopped"
    with pytest.raises(CourseError, match="Python ended while a cell ran"):
        answered("import os; os._exit(1)")


@pytest.mark.slow
def test_the_model_solution_passes_its_check(run_course):
    work.start(NAME)
    solution = ROOT / "solutions" / NAME / f"{NAME}.ipynb"
    shutil.copy(solution, work.WORK / NAME)
    done = run_course("check", NAME, "--json")
    rows = json.loads(done.stdout)
    assert {row["status"] for row in rows} <= {"passed", "written", "unanswered"}
    assert sum(row["status"] == "passed" for row in rows) > 5


@pytest.mark.slow
def test_an_untouched_assignment_is_unanswered_and_ends_in_3(run_course):
    work.start(NAME)
    done = run_course("check", NAME)
    assert done.returncode == 3
    assert "not answered yet" in done.stdout
    assert "✓" not in done.stdout


def test_handing_in_again_keeps_the_earlier_zip_and_prints_a_receipt(run_course):
    copy = work.start(NAME).notebook
    done = run_course("submit", NAME, "--student", "Ada Byron")
    assert done.returncode == 0, done
    path = work.WORK / f"{NAME}_Ada_Byron.zip"
    first = path.read_bytes()
    assert f"Ada Byron/{NAME}/{NAME}.ipynb" in zipfile.ZipFile(path).namelist()
    assert re.search(r"receipt: \d{4}-.* [+-]\d{4}, sha256 [0-9a-f]{64}", done.stdout)
    run_course("submit", NAME, "--student", "Ada Byron")
    assert list(work.WORK.glob("*.zip")) == [path], "the same again is the same file"
    copy.write_text(
        copy.read_text().replace("raise NotImplementedError", "return 1", 1)
    )
    done = run_course("submit", NAME, "--student", "Ada Byron")
    assert "your earlier one is kept" in done.stdout
    (kept,) = set(work.WORK.glob("*.zip")) - {path}
    assert kept.read_bytes() == first
    assert path.read_bytes() != first
