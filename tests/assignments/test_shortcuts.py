"""Five shortcuts to each answer earn nothing: `shortcuts.py` holds them.

One run of an assignment's cells tries one shortcut of each answer at once, so that the
five runs of an assignment try them all.
"""

from __future__ import annotations

import pytest

from tests import execute
from tests.assignments import cases
from tests.assignments.shortcuts import KINDS, SHORTCUTS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
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


@pytest.mark.parametrize("name", SHORTCUTS)
def test_each_answer_has_five_shortcuts_or_a_reason(name):
    for cell, ways in SHORTCUTS[name].items():
        assert tuple(ways) == KINDS, cell
        assert worth_of(name, cell), cell


@each_kind
@pytest.mark.parametrize("name", SHORTCUTS)
def test_shortcut_earns_nothing(name, kind, lost):
    sources, changes = cases.sources(name), {}
    for cell, ways in SHORTCUTS[name].items():
        if "return" in ways[kind]:
            changes[cell] = execute.rewritten(sources[cell], ways[kind])
    if not changes:
        pytest.skip("no answer of this assignment has such a shortcut")
    found, errors = lost(changes)
    for cell in changes:
        worth = worth_of(name, cell)
        assert found >= worth, (cell, worth - found, errors)
