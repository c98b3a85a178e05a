"""What is known of each assignment: wrong answers with their price, and right ones.

`aNN_name.py` beside this file holds them, by name:

MISTAKES       (cell, what stands there, what stands there instead, test cells it costs)
BODIES         (cell, another body for its function, test cells it costs)
SOURCES        (cell, its whole source, test cells it costs)
WORDS          rows of (mistake, test cell, words that its message must hold)
RIGHT          (cell, another body), which costs nothing
RIGHT_SOURCES  (cell, its whole source), which costs nothing
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import NamedTuple

import pytest

from course_lib.files import ROOT
from tests import execute

NAMES = sorted(path.stem for path in (ROOT / "solutions").glob("a[0-9]*.py"))
each_assignment = pytest.mark.parametrize("name", NAMES)


class Wrong(NamedTuple):
    """An answer with one mistake."""

    cell: str
    source: str
    lost: set[str]  # the test cells that it costs, and no others
    words: tuple[tuple[str, str], ...]  # (test cell, what its message must hold)


@cache
def sources(name: str) -> dict[str, str]:
    """Return the solution's cells by grade id."""
    cells = execute.named(execute.notebook(name).cells)
    return {key: cell.source for key, cell in cells.items()}


@cache
def wrong(name: str) -> dict[str, Wrong]:
    """Return every planted mistake of an assignment, by its name."""
    known, solved, found = module(name), sources(name), {}
    for mistake, (cell, old, new, lost) in known.MISTAKES.items():
        found[mistake] = cell, execute.edited(solved[cell], old, new), lost
    for mistake, (cell, body, lost) in getattr(known, "BODIES", {}).items():
        found[mistake] = cell, execute.rewritten(solved[cell], body), lost
    found |= getattr(known, "SOURCES", {})
    words = {mistake: [] for mistake in found}
    for mistake, cell, text in known.WORDS:
        words[mistake].append((cell, text))
    return {m: Wrong(*row, tuple(words[m])) for m, row in found.items()}


@cache
def right(name: str) -> dict[str, tuple[str, str]]:
    """Return (cell, source) of every unusual right answer, by its name."""
    known, solved = module(name), sources(name)
    found = {
        answer: (cell, execute.rewritten(solved[cell], body))
        for answer, (cell, body) in known.RIGHT.items()
    }
    return found | getattr(known, "RIGHT_SOURCES", {})


def module(name: str):
    return importlib.import_module(f"tests.assignments.{name}")


def chosen(costs: dict[str, set[str]]) -> set[str]:
    """Return few of the cases, such that every cell that any costs is among theirs.

    costs: by case, the cells it says something of. Greedy: the most new ones first.
    """
    open_, picked = set().union(*costs.values()), set()
    while open_:
        best = max(costs, key=lambda case: len(costs[case] & open_))
        picked.add(best)
        open_ -= costs[best]
    return picked
