"""Every mistake that can be planted in a solution, in the order of its lines."""

from __future__ import annotations

import ast
import difflib
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from course_lib.errors import CourseError

from .changes import KINDS

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
EXERCISE = re.compile(r"^#+ (\d+) · ", re.M)


class Cell(NamedTuple):
    """A code cell of a solution."""

    name: str  # its grade id, or its place
    source: str
    kind: str  # given, solution, test
    exercise: int  # the number of the heading above it; 0 before the first
    line: int  # of its first line, in the file it is edited in


class Mutant(NamedTuple):
    """A solution's cell with one mistake."""

    cell: str
    exercise: int
    kind: str  # e.g. "whole_number"
    line: int  # where it is, in the file that is edited
    before: str  # the lines that change
    after: str
    source: str  # of the whole cell

    @property
    def key(self) -> tuple[str, str, str]:
        """What names it as long as its lines stay what they are."""
        return self.cell, self.before, self.after


def cells(file: Path) -> list[Cell]:
    """Read the code cells of a solution, a .ipynb or jupytext's .py.

    Raises CourseError if there is no such file.
    """
    import jupytext

    if not file.is_file():
        raise CourseError(f"{file} is missing: name an assignment with a solution")
    found, exercise, text = [], 0, file.read_text("utf-8")
    place = 0
    for number, cell in enumerate(jupytext.read(file).cells):
        if cell.cell_type != "code":
            heading = EXERCISE.search(cell.source)
            exercise = int(heading[1]) if heading else exercise
            continue
        facts = cell.metadata.get("nbgrader", {})
        kind = "test" if facts.get("grade") else "given"
        kind = "solution" if facts.get("solution") else kind
        place = max(text.find(cell.source, place), place)
        line = text.count("\n", 0, place) + 1 if file.suffix == ".py" else 1
        name = facts.get("grade_id") or f"cell {number}"
        found.append(Cell(name, cell.source, kind, exercise, line))
    return found


def mutants(found: list[Cell]) -> list[Mutant]:
    """Return every mutant of the solution cells, in the order of the lines."""
    answers = [cell for cell in found if cell.kind == "solution"]
    by_key = {mutant.key: mutant for cell in answers for mutant in _of(cell)}
    return sorted(by_key.values(), key=lambda mutant: mutant.line)


def sample(found: list[Mutant], size: int | None, seed: int = 0) -> list[Mutant]:
    """Return `size` of the mutants, always the same, in their order; None is all."""
    if size is None or size >= len(found):
        return found
    chosen = random.Random(seed).sample(range(len(found)), size)
    return [found[place] for place in sorted(chosen)]


def _of(cell: Cell) -> Iterator[Mutant]:
    try:
        wrapper = MetadataWrapper(cst.parse_module(cell.source))
    except cst.ParserSyntaxError:  # a magic: IPython's, not Python's
        return
    lines = _solved(cell.source)
    places = wrapper.resolve(PositionProvider)
    finder = _Finder()
    wrapper.module.visit(finder)
    for node in sorted(finder.nodes, key=lambda n: _start(places[n])):
        for change in KINDS[type(node)]:
            for other in change(node):
                changed = wrapper.module.deep_replace(node, other).code
                if changed != wrapper.module.code and _is_python(changed):
                    mutant = _mutant(cell, change.__name__, changed)
                    if mutant.line - cell.line + 1 in lines:
                        yield mutant


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _start(place) -> tuple[int, int]:
    return place.start.line, place.start.column


def _mutant(cell: Cell, kind: str, changed: str) -> Mutant:
    old, new = cell.source.splitlines(), changed.splitlines()
    same = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    rows = [row for row in same if row[0] != "equal"]
    first, last = rows[0], rows[-1]
    before = " ⏎ ".join(text.strip() for text in old[first[1] : last[2]])
    after = " ⏎ ".join(text.strip() for text in new[first[3] : last[4]])
    line = cell.line + first[1]
    return Mutant(cell.name, cell.exercise, kind, line, before, after, changed)


def _solved(source: str) -> set[int]:
    """Return the numbers of the lines that students write."""
    lines, inside = set(), False
    for number, text in enumerate(source.splitlines(), 1):
        inside = (inside or BEGIN in text) and END not in text
        lines |= {number} if inside else set()
    return lines


class _Finder(cst.CSTVisitor):
    """Gathers the nodes that a mistake can be made with.

    Messages and annotations are left alone: no test shall depend on them.
    """

    def __init__(self):
        super().__init__()
        self.nodes: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        skipped = (cst.Raise, cst.Annotation, cst.FormattedString, cst.Import)
        if isinstance(node, skipped):
            return False
        if type(node) in KINDS:
            self.nodes.append(node)
        return True
