"""What a submission may not decide: which cells are graded, their tests, their points.

nbgrader restores the text of locked cells and believes the rest of a submission's
metadata, so that one tag (`skip-execution`) on a test cell is full marks. Here all of
it comes from the release and the gradebook. Metadata that an editor stripped is
recovered from what the cells hold, and where they stand.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise, takewhile
from typing import NamedTuple

from nbformat import NotebookNode

from course_grader.assignment.bundle import Lesson
from course_grader.assignment.cells import grade_id
from course_grader.assignment.editions import FACTS, facts, text_mark
from course_lib.hand_in.ipynb import new_cell, unique_ids

OLDER = "graded by the present one"
BOUND = re.compile(r"^(?:async +)?(?:def|class) +(\w+)", re.M)


class Part(NamedTuple):
    """One cell of the release."""

    name: str | None  # its grade id; None if nbgrader does not know the cell
    cell: NotebookNode  # as students got it
    true: NotebookNode | None  # as the gradebook has it, hidden tests inside

    @property
    def locked(self) -> bool:
        return self.true is not None and self.true.metadata.nbgrader.locked

    @property
    def tests(self) -> bool:
        return self.locked and self.true.metadata.nbgrader.grade

    @property
    def answers(self) -> bool:
        return self.true is not None and not self.locked

    @property
    def facts(self) -> NotebookNode:
        """The gradebook's; an answer's checksum is that of the cell as released."""
        facts = deepcopy(self.true.metadata.nbgrader)
        released = self.cell.metadata.get("nbgrader", {})
        if self.answers and "checksum" in released:
            facts.checksum = released["checksum"]
        return facts


Match = dict[int, int]  # the place of a part in the release -> of a cell handed in


def parts(lesson: Lesson) -> list[Part]:
    """Return the cells of the release in order; what only the gradebook has is last."""
    found = []
    for cell in lesson.released.cells:
        name = grade_id(cell)
        name = name if name in lesson.cells else None
        found.append(Part(name, cell, lesson.cells.get(name)))
    names = {part.name for part in found}
    rest = {name: cell for name, cell in lesson.cells.items() if name not in names}
    return found + [Part(name, cell, cell) for name, cell in rest.items()]


Earlier = Sequence[dict[str, list]]  # releases before this one: `Edition.cells`


def restore(
    submitted: NotebookNode, lesson: Lesson, earlier: Earlier = ()
) -> tuple[NotebookNode, list[str]]:
    """Put a student's notebook in order; return it, and notes on what was changed.

    submitted: as `ipynb.parse` returns it; it is left alone.
    earlier: the notebook in releases before this one; what they said is not tampering.
    Locked cells come from the gradebook, each once, in the release's order; all cells
    that the release knows get its metadata, and a missing answer its place back. A
    student's own cells keep source and place, without metadata. A note begins with
    "tampered: " or "repaired: ".
    """
    release, cells = parts(lesson), submitted.cells
    claimed = by_name(cells, release)
    match = dict(claimed)
    by_text(cells, release, match)
    by_bound_names(cells, release, match)
    doubtful = by_place(cells, release, match)
    notes = [f"tampered: {text}" for text in tampering(cells, release, match, earlier)]
    if earlier and (old := outdated(cells, release, earlier)):
        notes.append(f"repaired: from an earlier release, {OLDER}: {listed(old)}")
    named = [at for at in match if release[at].name and at not in claimed]
    if named:
        notes.append(f"repaired: nbgrader's metadata of {len(named)} cells recovered")
    if doubtful:
        notes.append(f"repaired: answers not told apart, read all: {listed(doubtful)}")
    restored, more = _assembled(cells, release, match)
    notes += [f"repaired: {text}" for text in more]
    notebook = NotebookNode(submitted | {"cells": restored})
    notebook.metadata = deepcopy(lesson.released.metadata)
    return notebook, notes


def likeness(submitted: NotebookNode, lesson: Lesson) -> float:
    """Return the fraction of the release's named cells that are recognised."""
    release = parts(lesson)
    match = by_name(submitted.cells, release)
    by_text(submitted.cells, release, match)
    return len([at for at in match if release[at].name]) / max(1, len(lesson.cells))


def by_name(cells: list[NotebookNode], release: list[Part]) -> Match:
    """Match by grade id. Of two copies the last counts, as it does when they run."""
    claims = defaultdict(list)
    for place, cell in enumerate(cells):
        claims[grade_id(cell)].append(place)
    match = {}
    for at, part in enumerate(release):
        if part.name and (places := claims[part.name]):
            whole = [n for n in places if words(cells[n]) == words(part.cell)]
            match[at] = (whole if part.locked and whole else places)[-1]
    return match


def by_text(cells: list[NotebookNode], release: list[Part], match: Match) -> None:
    """Match what is as released, whatever the white space; add to `match`.

    A text that is there more or less often than in the release says nothing, except
    that a locked cell was copied.
    """
    taken, waiting, free = set(match.values()), defaultdict(list), defaultdict(list)
    for at, part in enumerate(release):
        if at not in match:
            waiting[words(part.cell)].append(at)
    for place, cell in enumerate(cells):
        if place not in taken:
            free[words(cell)].append(place)
    for text, ats in waiting.items():
        places = free[text]
        if release[ats[0]].locked:
            places = places[-len(ats) :]
        if len(ats) == len(places):
            match |= zip(ats, places, strict=True)


def by_bound_names(
    cells: list[NotebookNode], release: list[Part], match: Match
) -> None:
    """Match answers by the functions and classes they define; add to `match`.

    Of two cells that define the same the last counts, as it does when they run.
    """
    taken = set(match.values())
    for at, part in enumerate(release):
        names = bound(part.cell)
        if at in match or not part.answers or not names:
            continue
        places = [n for n, cell in enumerate(cells) if names <= bound(cell)]
        if free := [n for n in places if n not in taken]:
            match[at] = free[-1]
            taken.add(free[-1])


def by_place(cells: list[NotebookNode], release: list[Part], match: Match) -> list[str]:
    """Match answers by what stands before and after; add to `match`.

    A lone answer in its gap is the longest cell there; of several answers each gets a
    cell if there is one for each. Returns the names of the others.
    """
    doubtful, taken = [], set(match.values())
    for part_gap, cell_gap in gaps(anchors(match), len(release), len(cells)):
        groups = defaultdict(list)
        for at in part_gap:
            if at not in match and release[at].answers:
                groups[release[at].true.cell_type].append(at)
        for kind, ats in groups.items():
            free = [n for n in cell_gap if n not in taken and cells[n].source.strip()]
            free = [n for n in free if cells[n].cell_type == kind]
            if free and len(ats) == 1:
                free = [max(free, key=lambda n: len(cells[n].source))]
            if len(free) == len(ats):
                match |= zip(ats, free, strict=True)
            elif free:
                doubtful += [release[at].name for at in ats]
    return doubtful


def anchors(match: Match) -> list[tuple[int, int]]:
    """Return the most pairs of a match that are in order on both sides."""
    ends, tails, before = [], [], {}
    for at, place in sorted(match.items()):
        length = bisect_left(ends, place)
        ends[length : length + 1], tails[length : length + 1] = [place], [at]
        before[at] = tails[length - 1] if length else None
    found, at = [], tails[-1] if tails else None
    while at is not None:
        found.append((at, match[at]))
        at = before[at]
    return found[::-1]


def gaps(fixed: list[tuple[int, int]], parts: int, cells: int):
    """Yield what lies between anchors: a range of parts, a range of cells."""
    ends = [(-1, -1), *fixed, (parts, cells)]
    for (at, place), (next_at, next_place) in pairwise(ends):
        yield range(at + 1, next_at), range(place + 1, next_place)


def _assembled(cells, release: list[Part], match: Match):
    """Return the cells in order, and phrases on what was put back."""
    fixed = anchors(match)
    here = dict(fixed)
    moved = {at for at in match if release[at].locked and at not in here}
    gone = {match[at] for at in moved}
    owner = {place: release[at] for at, place in match.items() if place not in gone}
    names = {name for cell in cells for name in bound(cell)}
    restored, absent = [], []
    for part_gap, cell_gap in gaps(fixed, len(release), len(cells)):
        back = [release[at] for at in part_gap if at not in match or at in moved]
        back = [part for part in back if part.name]
        early = list(takewhile(lambda part: not part.tests, back))
        restored += [_put_back(part, names) for part in early]
        restored += [_given(cells[n], owner.get(n)) for n in cell_gap if n not in gone]
        restored += [_put_back(part, names) for part in back[len(early) :]]
        if cell_gap.stop < len(cells):
            restored.append(_given(cells[cell_gap.stop], owner[cell_gap.stop]))
        absent += [part.name for part in back if part.answers]
    first = [cell for cell in restored if "nbgrader" in cell.metadata]
    unique_ids(first + [cell for cell in restored if "nbgrader" not in cell.metadata])
    kinds = [
        release[at].name
        for at, place in match.items()
        if release[at].answers and release[at].true.cell_type != cells[place].cell_type
    ]
    phrases = {
        "locked cells put back in order": [release[at].name for at in sorted(moved)],
        "answers missing, put back empty": absent,
        "answers given the release's cell type": kinds,
    }
    return restored, [f"{text}: {listed(who)}" for text, who in phrases.items() if who]


def _given(cell: NotebookNode, part: Part | None) -> NotebookNode:
    """Return a cell handed in as it is graded."""
    if part and part.locked:
        return _put_back(part, set())
    kind = part.true.cell_type if part and part.name else cell.cell_type
    mine = new_cell(kind, cell.source, cell.id)
    if kind != "code" and "attachments" in cell:
        mine.attachments = deepcopy(cell.attachments)
    if part and part.name:
        mine.metadata.nbgrader = part.facts
    return mine


def _put_back(part: Part, names: set[str]) -> NotebookNode:
    """Return the release's own cell; empty if its names are defined elsewhere."""
    source = part.true.source if part.locked else part.cell.source
    if part.answers and bound(part.cell) & names:
        source = ""
    cell = new_cell(part.true.cell_type, source, part.cell.get("id", ""))
    if part.locked:
        cell.metadata = deepcopy(part.cell.metadata)
    cell.metadata.nbgrader = part.facts
    return cell


def tampering(
    cells, release: list[Part], match: Match, earlier: Earlier = ()
) -> list[str]:
    """Say what was done to protected parts of the release, a phrase for each kind."""
    found: dict[str, list[str]] = defaultdict(list)
    known = {part.name: part for part in release if part.name}
    texts = {words(part.cell): part.name for part in release if part.locked}
    chosen = set(match.values())
    for place, cell in enumerate(cells):
        name = grade_id(cell)
        if "skip-execution" in cell.metadata.get("tags", []):
            found["tagged skip-execution"].append(name or "a cell")
        if name not in known:
            continue
        if place not in chosen:
            found["grade ids there twice"].append(name)
        elif _edited(cell, known[name], earlier):
            kind = "grade ids swapped" if words(cell) in texts else "locked but edited"
            found[kind].append(name)
        said, now = facts(cell), facts(known[name].cell)
        if said not in [before[name][1:] for before in earlier if name in before]:
            for key, one, other in zip(FACTS, said, now, strict=True):
                if one != other:
                    found[f"{key} set to {one!r:.40}"].append(name)
    missing = [at for at, part in enumerate(release) if part.locked and at not in match]
    missing = [a for a in missing if all(release[a].name in one for one in earlier)]
    found["locked but removed"] += [release[at].name for at in missing]
    return [f"{kind}: {listed(names)}" for kind, names in found.items() if names]


def outdated(cells, release: list[Part], earlier: Earlier) -> list[str]:
    """Return the names of cells that say what only an earlier release said."""
    known, found = {part.name: part for part in release if part.name}, []
    for cell in cells:
        part, name = known.get(grade_id(cell)), grade_id(cell)
        if part is None:
            continue
        text = part.locked and words(cell) != words(part.cell)
        if text and not _edited(cell, part, earlier):
            found.append(name)
        elif facts(cell) != facts(part.cell):
            old = [before[name][1:] for before in earlier if name in before]
            found += [name] if facts(cell) in old else []
    return found


def _edited(cell: NotebookNode, part: Part, earlier: Earlier) -> bool:
    """Is this the text of a locked cell that no release had?"""
    if not part.locked or words(cell) == words(part.cell):
        return False
    old = [before[part.name][0] for before in earlier if part.name in before]
    return not old or text_mark(cell) not in old


def words(cell: NotebookNode) -> tuple[str, str]:
    """Return a cell's type and its text without white space."""
    return cell.cell_type, "".join(cell.source.split())


def bound(cell: NotebookNode) -> set[str]:
    """Return the names of the functions and classes that a code cell defines."""
    return set(BOUND.findall(cell.source)) if cell.cell_type == "code" else set()


def listed(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
