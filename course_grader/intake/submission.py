"""A submission as it comes, put in order: what is graded, or one sentence why not.

Everything that counts (which cells, their tests, their points) comes from the release
and the gradebook; the student's files only bring answers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from importlib.machinery import PathFinder
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nbformat import NotebookNode
from nbgrader.utils import parse_utc

from course_grader.assignment.bundle import Bundle, Lesson, Submission, digest
from course_grader.assignment.cells import grade_id
from course_grader.assignment.editions import file_mark
from course_lib.hand_in.ipynb import Refused, parse

from .restore import likeness, listed, restore
from .unpack import contents, listing, shown

__all__ = ["Refused", "read"]

TIMESTAMP = "timestamp.txt"
STARTUP = {"sitecustomize", "usercustomize", "conftest"}  # run before any cell does
FIRST_YEAR = 2015  # of nbgrader; no submission is older
SLACK = timedelta(days=1)  # zips know no time zone, clocks are wrong


class Found(NamedTuple):
    """What was handed in, below the folder that holds the notebook."""

    files: dict[str, bytes]
    skipped: dict[str, str]  # name -> why
    times: dict[str, float]  # of the last change, s since 1970
    notes: list[str]


def read(source: Path | bytes, bundle: Bundle, student: str) -> Submission:
    """Read a folder or a zip (a path, or its bytes) and put it in order.

    The notes say what was changed, each "tampered: …" or "repaired: …".
    Raises Refused, one sentence to the student.
    """
    if not student.strip(". ") or set(student) & {"/", "\\", "\0"}:
        raise Refused(f"nobody can be called {shown(student)!r}: use a folder's name.")
    found = _unpacked(source if isinstance(source, bytes) else Path(source))
    found = _rebased(found, {f"{name}.ipynb" for name in bundle.lessons})
    notebooks, notes, used = {}, [], set()
    for lesson in bundle.lessons.values():
        path, more = _find(lesson, found, bundle)
        submitted = NotebookNode(nbformat=4, nbformat_minor=5, cells=[])
        if path:
            submitted, repaired = parse(found.files[path], shown(path))
            more += [f"repaired: {text}" for text in repaired]
            if other := _another(submitted, bundle):
                raise Refused(f"this is {other}: hand in {lesson.name}.ipynb.")
        before = [one.cells.get(lesson.name, {}) for one in bundle.earlier]
        notebooks[lesson.name], changed = restore(submitted, lesson, before)
        notes += more + (changed if path else [])
        used.add(path)
    if used == {None}:
        raise Refused(_nothing(bundle, found))
    time, late = _time(found, used)
    files = {name: data for name, data in found.files.items() if name not in used}
    files, odd = _own_files(files, bundle)
    return Submission(
        student,
        bundle.assignment,
        notebooks,
        files,
        time,
        tuple(found.notes + notes + odd + late),
        digest(found.files),
    )


def _unpacked(source: Path | bytes) -> Found:
    """Read all files; a zip in place of the notebook is unpacked once more."""
    here = listing(source)
    files, skipped = contents(here)
    zips = [name for name in files if name.lower().endswith(".zip")]
    if not any(map(is_notebook, [*files, *skipped])) and len(zips) == 1:
        here = listing(files[zips[0]])
        files, skipped = contents(here)
    times = {entry.name: entry.time for entry in here.entries}
    notes = [f"tampered: {text}" for text in here.notes]
    for name, why in skipped.items():
        kind = "repaired" if why == "cannot be read" else "tampered"
        notes.append(f"{kind}: {shown(name)} {why}, and was left out")
    return Found(files, skipped, times, notes)


def is_notebook(name: str) -> bool:
    return name.lower().endswith(".ipynb")


def base(names: Iterable[str], wanted: set[str]) -> str:
    """Return the folder that holds the notebook, as "" or "outer/inner/".

    wanted: names that the notebook should have; otherwise it is the outermost.
    """
    wanted = {name.casefold() for name in wanted}

    def rank(name: str):
        path = PurePosixPath(name)
        return path.name.casefold() not in wanted, len(path.parts), name

    best = min(filter(is_notebook, names), key=rank, default="")
    return best[: best.rfind("/") + 1]


def _rebased(found: Found, wanted: set[str]) -> Found:
    top = base([*found.files, *found.skipped], wanted)
    files, skipped, times = (
        {name.removeprefix(top): v for name, v in some.items() if name.startswith(top)}
        for some in (found.files, found.skipped, found.times)
    )
    notes, outside = list(found.notes), len(found.files) - len(files)
    if outside:
        notes.append(f"repaired: {outside} files beside the notebook's folder left out")
    return Found(files, skipped, times, notes)


def _find(lesson: Lesson, found: Found, bundle: Bundle) -> tuple[str | None, list[str]]:
    """Return where a lesson's notebook is, None if nowhere, and notes."""
    name = f"{lesson.name}.ipynb"
    others = {f"{other}.ipynb" for other in bundle.lessons if other != lesson.name}
    near = [path for path in found.files if is_notebook(path) and "/" not in path]
    near = [path for path in near if path not in others | set(bundle.files)]
    exact = [path for path in near if path.casefold() == name.casefold()]
    if exact:
        best = name if name in exact else exact[0]
        rest = [path for path in near if path != best] if not others else []
        left = f"repaired: {name} is graded, not {listed([*map(shown, rest)])}"
        return best, [left] if rest else []
    if name in found.skipped:
        raise Refused(f"{name} {found.skipped[name]}: hand in the file itself.")
    if len(near) > 1 or others:
        near = [path for path in near if _alike(found.files[path], path, lesson)]
    if len(near) > 1:
        raise Refused(
            f"there are {len(near)} notebooks ({listed([*map(shown, near)])}) and none "
            f"is called {name}: give that name to the one that counts."
        )
    if near:
        return near[0], [f"repaired: {shown(near[0])} was taken for {name}"]
    return None, [f"repaired: there is no {name}, so it counts as unanswered"]


def _alike(data: bytes, path: str, lesson: Lesson) -> bool:
    try:
        return likeness(parse(data, path)[0], lesson) >= 0.5
    except Refused:
        return False


def _another(notebook: NotebookNode, bundle: Bundle) -> str:
    """Return the assignment that most cells are named after, "" if it is this one."""
    names = {grade_id(cell) for cell in notebook.cells}
    counts = {other: len(names & cells) for other, cells in bundle.others.items()}
    most = max(counts, key=counts.get, default="")
    mine = any(names & set(one.cells) for one in bundle.lessons.values())
    return most if counts.get(most) and not mine else ""


def _nothing(bundle: Bundle, found: Found) -> str:
    names = " and ".join(f"{name}.ipynb" for name in bundle.lessons)
    there = listed([*map(shown, found.files)]) or "nothing at all"
    return f"there is no {names} in what was handed in, only {there}: hand it in too."


def _time(found: Found, used: set) -> tuple[datetime | None, list[str]]:
    """Return what timestamp.txt says, and whether the files say otherwise.

    Files that were all written at the same moment are copies, and say nothing.
    """
    if TIMESTAMP not in found.files:
        return None, []
    text = found.files[TIMESTAMP][:100].decode("utf-8", "replace").strip()
    try:
        time = parse_utc(text)
        changed = max(found.times[name] for name in used if name)
        last = datetime.fromtimestamp(changed, timezone.utc).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError, TypeError, AttributeError):
        return None, [f"repaired: {TIMESTAMP} holds no time: {shown(text)!r}"]
    times = found.times.values()
    if time.year < FIRST_YEAR:
        return time, [f"tampered: {TIMESTAMP} says {time}, long before this course"]
    if max(times) - min(times) > 60 and last > time + SLACK:
        return time, [
            f"tampered: {TIMESTAMP} says {time}, but the notebook changed at {last}"
        ]
    return time, []


def _own_files(files: dict[str, bytes], bundle: Bundle):
    """Return the student's own files, and notes on those that hide others.

    Files of the release are the release's. What stands in for one of them, or runs
    when Python starts, is left out; another module's namesake only fools its author.
    """
    released = bundle.files
    edited = [
        name
        for name, data in files.items()
        if name in released
        and data.split() != released[name].split()
        and all(one.files.get(name) != file_mark(data) for one in bundle.earlier)
    ]
    notes = [f"tampered: {name} edited, the released one is used" for name in edited]
    files = {n: d for n, d in files.items() if n not in released and n != TIMESTAMP}
    startup = STARTUP | {module(name) for name in released if name.endswith(".py")}
    stems = {name: module(name) for name in files}
    out = {name for name, stem in stems.items() if stem in startup}
    out |= {name for name in files if name.endswith(".pth")}
    notes += [f"tampered: {shown(name)} was left out" for name in sorted(out)[:10]]
    for stem in sorted({stems[name] for name in set(files) - out if stems[name]}):
        if importable(stem):
            notes.append(f"tampered: own files hide the module {shown(stem)}")
    return {name: data for name, data in files.items() if name not in out}, notes


def module(name: str) -> str | None:
    """Return the module that a file beside the notebook would be imported as."""
    first, inner, _ = name.partition("/")
    if inner:
        return first if first.isidentifier() else None
    stem, _, suffix = first.partition(".")
    python = suffix.rpartition(".")[2] in ("py", "pyc", "pyd", "so")
    return stem if python else None


def importable(name: str) -> bool:
    """Is there a module of this name on the grader's machine?"""
    if name in sys.stdlib_module_names:
        return True
    places = [place for place in sys.path if place]
    found = PathFinder.find_spec(name, places)
    return found is not None and found.origin is not None
