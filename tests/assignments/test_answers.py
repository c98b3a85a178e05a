"""The same questions to every assignment: the solution passes, mistakes cost right.

On each push one planted mistake for every graded cell and one unusual right answer for
every exercise are tried; `make test-all` tries all of them.
"""

from __future__ import annotations

import pytest

from tests import execute
from tests.assignments import cases
from tests.rules import rule

# slow: a mistake in one cell runs the test cells of all that use it
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
# a record and its weights are forged in test_a04_record.py
SOLVED = "The solution gets every point, and an empty answer fails every test cell."
ELSEWHERE = {"a04_alexnet": {"hand_in_visible", "hand_in_hidden"}}


def each(of, costs):
    """Parametrize by (assignment, case); what a push need not try is `thorough`."""
    rows = []
    for name in cases.NAMES:
        found = of(name)
        few = cases.chosen({case: costs(row) for case, row in found.items()})
        for case in found:
            marks = [] if case in few else [pytest.mark.thorough]
            rows.append(pytest.param(name, case, id=f"{name}-{case}", marks=marks))
    return pytest.mark.parametrize(("name", "case"), rows)


@cases.each_assignment
def test_solution_gets_every_point(name, solved):
    assert solved.errors == {}, f"{solved.errors}: {rule(SOLVED)}"
    assert solved.points == execute.points(name)


@cases.each_assignment
def test_empty_answer_fails_every_test_cell(name, tmp_path):
    changes = {key: execute.cleared(text) for key, text in cases.sources(name).items()}
    lost = execute.score(name, tmp_path, changes).lost
    assert lost == set(execute.points(name)), rule(SOLVED)


@each(cases.wrong, lambda row: row.lost)
def test_mistake_costs_its_points_and_no_others(name, case, lost):
    row = cases.wrong(name)[case]
    found, errors = lost({row.cell: row.source})
    assert found == row.lost, f"{errors}: " + rule(
        "A mistake costs the test cells that its row names, and no others."
    )
    for cell, words in row.words:
        assert words in errors[cell]


@each(cases.right, lambda row: {row[0]})
def test_unusual_right_answer_keeps_every_point(name, case, lost):
    cell, source = cases.right(name)[case]
    found, errors = lost({cell: source})
    assert (found, errors) == (set(), {}), rule(
        "A right answer that is written differently keeps every point."
    )


@cases.each_assignment
def test_every_graded_cell_has_a_mistake_that_it_catches(name):
    known = set().union(*(row.lost for row in cases.wrong(name).values()))
    missed = set(execute.points(name)) - ELSEWHERE.get(name, set()) - known
    assert not missed, f"{missed}: " + rule(
        "Every graded cell has a mistake in `tests/assignments/aNN_name.py` that it "
        "catches."
    )
