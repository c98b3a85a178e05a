"""What an instructor reads of a class: tests, points, nearly the same answers."""

from __future__ import annotations

import ast
import csv
import io
import json
import shutil
import tokenize

import nbformat
import numpy as np
import pytest
from typer.testing import CliRunner

from course_grader import export
from course_grader.report import items, similar
from course_grader.store.gradebook import Writer
from course_lib.__main__ import app
from course_lib.errors import CourseError
from course_lib.files import ROOT
from tests import execute
from tests.assignments import cases

from .conftest import TINY
from .test_totals import late  # noqa: F401

FAILED = {
    "ada": (),
    "bo": ("double_hidden",),
    "cy": ("double_hidden",),
    "di": ("double_visible", "double_hidden"),
}


@pytest.fixture
def graded(tiny, bundle, verdict):
    with Writer(tiny, TINY, bundle) as writer:
        for student, failed in FAILED.items():
            writer.write(verdict(student, failed))
    return tiny


def run(course, *words: str) -> str:
    command = ["statistics", TINY, "--course", str(course), *words]
    done = CliRunner().invoke(app, command)
    assert done.exception is None, done.exception
    return done.output


def item(course, name: str) -> items.Item:
    (one,) = [i for i in items.statistics(TINY, course).items if i.cell == name]
    return one


def test_nobody_graded_is_said(tiny):
    with pytest.raises(CourseError, match="nobody is graded yet: run `course grade"):
        items.statistics(TINY, tiny)


def test_a_test_has_its_failures_and_what_was_said_most(graded):
    one = item(graded, "double_hidden")
    assert (one.failed, one.difficulty) == (0.75, 0.25)
    assert (one.told, one.message) == (3, "two doubled is four")
    assert item(graded, "double_visible").failed == 0.25
    assert item(graded, "share").told == 0


def test_discrimination_is_the_correlation_with_all_other_points(graded):
    visible, hidden, share = [2, 2, 2, 0], [3, 0, 0, 0], [4, 4, 4, 4]
    expected = np.corrcoef(hidden, np.add(visible, share))[0, 1]
    assert item(graded, "double_hidden").discrimination == pytest.approx(expected)
    assert item(graded, "share").discrimination is None  # all have the same


def test_an_unread_answer_is_neither_failed_nor_counted(graded):
    one = item(graded, "why")
    assert (one.failed, one.difficulty, one.discrimination) == (None, None, None)
    assert one.waiting == 4


def test_sentences_that_differ_in_numbers_are_one():
    said = ["expected 3, got 4.5", "no tensor", "expected 3, got 1e-05"]
    assert items.most_said(said) == (said[0], 2)
    assert items.most_said([]) == ("", 0)


def test_the_totals_are_those_of_the_export(late):  # noqa: F811
    with open(export(late / "all.csv", late), newline="") as file:
        rows = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert items.statistics(TINY, late).totals == rows == {"ada": 6}


@pytest.mark.slow
def test_the_command_shows_writes_and_prints_json(graded, tmp_path):
    said = run(graded)
    assert "4 students, points of 20: mean 6.2, median 6" in said
    assert "double_hidden: 3 × two doubled is four\n" in said
    assert sum(n for *_, n in json.loads(run(graded, "--json"))["histogram"]) == 4
    run(graded, "--out", str(tmp_path / "s.csv"))
    with open(tmp_path / "s.csv", newline="") as file:
        rows = {row["cell"]: row for row in csv.DictReader(file)}
    assert rows["double_hidden"]["failed"] == "0.75"
    run(graded, "--out", str(tmp_path / "s.html"))
    page = (tmp_path / "s.html").read_text()
    assert "two doubled is four" in page
    assert "12345" not in page  # a hidden test's own lines
    with pytest.raises(CourseError, match="is neither a"):
        items.write(items.statistics(TINY, graded), tmp_path / "s.pdf")
    assert not (tmp_path / "s.pdf").exists()


VGG = "a05_vgg"


def answers(name: str) -> dict[str, str]:
    """The model's code by grade id, without nbgrader's marks."""
    cells = execute.named(execute.notebook(name).cells)
    code = {k: c for k, c in cells.items() if c.cell_type == "code"}
    solved = {k: c for k, c in code.items() if c.metadata.nbgrader.solution}
    return {name: unmarked(cell.source) for name, cell in solved.items()}


def unmarked(source: str) -> str:
    return "\n".join(line for line in source.splitlines() if "### " not in line)


def differently(name: str, number: int = 0) -> dict[str, str]:
    """Right answers, each written another way than the model's where one is known."""
    others: dict[str, list[str]] = {}
    for cell, source in cases.right(name).values():
        others.setdefault(cell, []).append(unmarked(source))
    return answers(name) | {k: v[number % len(v)] for k, v in others.items()}


def renamed(source: str) -> str:
    """Give every variable and argument another name."""
    nodes = list(ast.walk(ast.parse(source)))
    names = {n.arg for n in nodes if isinstance(n, ast.arg)}
    names |= {
        n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return tokenize.untokenize(
        (kind, f"{text}_mine" if text in names else text) for kind, text, *_ in tokens
    )


def commented(source: str) -> str:
    return "\n".join(f"{line}  # as I see it" for line in source.splitlines())


def hand_in(folder, student: str, name: str, code: dict[str, str]) -> None:
    """Lay a graded notebook with these answers where `course grade` has it.

    As there, the hidden tests are in it.
    """
    there = folder / "autograded" / student / name
    there.mkdir(parents=True)
    notebook = nbformat.reads(execute.released(name).decode(), 4)
    model = execute.named(execute.notebook(name).cells)
    for grade_id, cell in execute.named(notebook.cells).items():
        if cell.metadata.nbgrader.locked:
            cell.source = model[grade_id].source
        cell.source = code.get(grade_id, cell.source)
    nbformat.write(notebook, there / f"{name}.ipynb")


def empty_course(folder, name: str):
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    release = folder / "assignments" / name
    release.mkdir(parents=True)
    (release / f"{name}.ipynb").write_bytes(execute.released(name))
    return folder


def test_four_of_twelve_have_the_same_answers(tmp_path):
    course, model = empty_course(tmp_path, VGG), answers(VGG)
    hand_in(course, "ada", VGG, model)
    hand_in(course, "bo", VGG, model)
    hand_in(course, "cy", VGG, {k: renamed(v) for k, v in model.items()})
    hand_in(course, "di", VGG, {k: commented(v) for k, v in model.items()})
    for number in range(2):
        hand_in(course, f"honest_{number}", VGG, differently(VGG, number))
    for number in range(6):
        hand_in(course, f"untouched_{number}", VGG, {})
    found = similar.similar(VGG, course)
    assert {(one, other) for one, other, _ in found} == {
        *(("ada", "bo"), ("ada", "cy"), ("ada", "di")),
        *(("bo", "cy"), ("bo", "di"), ("cy", "di")),
    }


@pytest.mark.slow
@cases.each_assignment
def test_right_answers_written_differently_are_not_flagged(name, tmp_path):
    course = empty_course(tmp_path, name)
    hand_in(course, "ada", name, answers(name))
    hand_in(course, "bo", name, differently(name))
    assert similar.similar(name, course, alike=0.3) == []


@pytest.mark.slow
def test_similar_is_asked_for_and_says_what_it_proves(graded):
    assert "same answers" not in run(graded)
    assert "No two students have nearly the same answers" in run(graded, "--similar")
    assert json.loads(run(graded, "--json", "--similar"))["similar"] == []


def test_a_match_is_no_verdict(graded, monkeypatch):
    """Answers of one line are compared here, which else are too short."""
    monkeypatch.setattr(similar, "LEAST", 1)
    monkeypatch.setattr(similar, "K", 5)
    said = run(graded, "--similar")
    assert "100%" in said
    assert "a reason to ask, not a verdict" in said
