"""Five shortcuts to each answer earn nothing: `shortcuts/` holds them.

One run of an assignment's cells tries one shortcut of each answer at once, so that the
five runs of an assignment try them all.
"""

from __future__ import annotations

import pytest

from course_lib.files import ROOT
from tests import execute
from tests.assignments import cases
from tests.assignments.shortcuts import KINDS, SHORTCUTS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
RECORDED = {"hand_in"}  # a record of a training: test_a04_record.py tries to forge it
each_kind = pytest.mark.parametrize("kind", KINDS)


def worth_of(name: str, cell: str) -> set[str]:
    """Return the test cells that are named after an answer: of their points it is."""
    answers = [
        key for key, text in cases.sources(name).items() if "### BEGIN SOL" in text
    ]
    longer = [key for key in answers if key.startswith(cell) and key != cell]
    return {
        test
        for test in execute.points(name)
        if test.startswith(f"{cell}_")
        and not any(test.startswith(f"{other}_") for other in longer)
    }


def taken(source: str, way: str) -> str:
    """Return a cell with a shortcut: what has a name of its own stands below, last."""
    if "\nclass " in f"\n{way}" or "\ndef " in f"\n{way}":
        return f"{source}\n\n\n{way}"
    return execute.rewritten(source, way)


@cases.each_assignment
def test_each_answer_has_five_shortcuts_or_a_reason(name):
    answers = [
        cell for cell, text in cases.sources(name).items() if "### BEGIN SOL" in text
    ]
    tested = {cell for cell in answers if worth_of(name, cell)}
    assert set(SHORTCUTS[name]) == tested - RECORDED
    for cell, ways in SHORTCUTS[name].items():
        assert tuple(ways) == KINDS, cell


def test_page_counts_the_answers_that_have_shortcuts():
    text = (ROOT / "docs" / "exercises.md").read_text("utf-8")
    assert f"For each of {sum(map(len, SHORTCUTS.values()))} functions" in text


@each_kind
@pytest.mark.parametrize("name", SHORTCUTS)
def test_shortcut_earns_nothing(name, kind, lost):
    sources, changes = cases.sources(name), {}
    for cell, ways in SHORTCUTS[name].items():
        if "return" in ways[kind]:
            changes[cell] = taken(sources[cell], ways[kind])
    if not changes:
        pytest.skip("no answer of this assignment has such a shortcut")
    found, errors = lost(changes)
    for cell in changes:
        worth = worth_of(name, cell)
        assert found >= worth, (cell, worth - found, errors)
