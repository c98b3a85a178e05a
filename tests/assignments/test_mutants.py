"""What `course mutate` says of our own assignments: mistakes made by a machine.

On each push a few of one assignment's mistakes are tried, those of another the next
day; `make test-all` tries all. docs/exercises.md holds the table of the last full run.
"""

from __future__ import annotations

import re

import pytest

from course_grader import mutate as mutating
from course_grader.mutate import plant
from course_grader.mutate.verdicts import equivalent, stale
from course_lib.files import ROOT
from tests.assignments import cases

LEAST = 0.95  # of the mistakes are caught, by each assignment
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
PAGE = ROOT / "docs" / "exercises.md"


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
    page = PAGE.read_text("utf-8").partition("## Right answers")[0]
    row = re.search(rf"^\| {name} \| (.*) \|$", page, re.M)
    if row is None:
        pytest.skip(f"no full run of {name} is on the page yet")
    count, killed, excused, survived = map(int, row[1].split(" | ")[:4])
    assert (count, excused) == (len(mutants), len(known))
    assert killed + excused + survived == count
    assert killed >= LEAST * (count - excused)


def test_page_counts_the_right_answers():
    text = PAGE.read_text("utf-8").partition("## Right answers")[2]
    for name in cases.NAMES:
        answers = cases.right(name)
        (found,) = re.findall(rf"^\| {name} \| (\d+) \| (\d+) \|$", text, re.M)
        assert found == (str(len(answers)), str(len({c for c, _ in answers.values()})))
