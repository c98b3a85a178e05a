"""What `course mutate` says of our own assignments: mistakes made by a machine.

On each push a few of one assignment's mistakes are tried, those of another the next
day; `make test-all` tries all. docs/exercises.md holds the table of the last full run.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest

from course_grader import mutate as mutating
from course_grader.mutate import plant
from course_grader.mutate.verdicts import equivalent, stale
from course_lib.files import ROOT
from tests import execute
from tests.assignments import cases
from tests.rules import rule

LEAST = 0.95  # of the mistakes are caught, by each assignment
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
PAGE = ROOT / "docs" / "exercises.md"
RECORDED = {"hand_in"}  # test_a04_record.py has its mistakes and its right recipes


def planted(name: str) -> list:
    return plant.mutants(plant.cells(mutating.solution(name, ROOT)))


@pytest.mark.by_turns(7)
@cases.each_assignment
def test_a_sample_of_mistakes_is_caught(name):
    found = mutating.mutate(name, ROOT, size=10)
    assert found.survivors == []


@pytest.mark.thorough
@cases.each_assignment
def test_mistakes_are_caught(name):
    found = mutating.mutate(name, ROOT)
    assert found.stale == []
    assert found.rows[-1].share >= LEAST, found.survivors


@pytest.mark.by_turns(3)
@cases.each_assignment
def test_no_explanation_is_stale_and_the_page_is_of_these_mistakes(name):
    mutants, known = planted(name), equivalent(ROOT / "solutions", name)
    assert stale(known, mutants) == []
    page = PAGE.read_text("utf-8").partition("## Named mistakes")[0]
    row = re.search(rf"^\| {name} \| (.*) \|$", page, re.M)
    if row is None:
        pytest.skip(f"no full run of {name} is on the page yet")
    count, killed, excused, survived = map(int, row[1].split(" | ")[:4])
    assert (count, excused) == (len(mutants), len(known))
    assert killed + excused + survived == count
    assert killed >= LEAST * (count - excused)


@cases.each_assignment
def test_each_function_names_ten_mistakes_and_has_three_right_answers(name):
    page = PAGE.read_text("utf-8").partition("## Named mistakes")[2]
    row = re.search(rf"^\| {name} \| (\d+) \| (\d+) \| (\d+) \|$", page, re.M)
    if row is None:
        pytest.skip(f"{name} is not on the page yet")
    named, right = by_function(name)
    few = {cell for cell in named if named[cell] < 10 or right[cell] < 3}
    assert not few - RECORDED, f"{few}: " + rule(
        "Of each function ten mistakes get a message that names them (`WORDS`), and "
        "three right answers stand beside the solution."
    )
    counts = len(named.keys() - RECORDED), named.total(), right.total()
    assert tuple(map(int, row.groups())) == counts


def by_function(name: str) -> tuple[Counter, Counter]:
    """Count, by function, the mistakes that a message names and the right answers."""
    solved = {c for c, text in cases.sources(name).items() if "### BEGIN SOL" in text}
    none = dict.fromkeys(solved - set(execute.points(name, manual=True)), 0)
    named, right = Counter(none), Counter(none)
    named.update(row.cell for row in cases.wrong(name).values() if row.words)
    right.update(cell for cell, _ in cases.right(name).values())
    return named, right
