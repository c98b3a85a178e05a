"""A student's own copies of the assignments: work/, which git ignores."""

from __future__ import annotations

import difflib
import shutil
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from course_lib.errors import CourseError
from course_lib.files import ROOT
from course_lib.hand_in import guide

WORK = ROOT / "work"
RELEASED = ROOT / "assignments"


class Started(NamedTuple):
    """A working copy: where it is, whether it was made now, and what was put aside."""

    notebook: Path
    is_new: bool
    aside: Path | None = None


def start(assignment: str, again: bool = False, to: Path | None = None) -> Started:
    """Copy an assignment into work/, whole or not at all. What is there stays.

    The copy's first cell says how to go on, too, and its last one checks it.

    again: begin anew; the copy that is there is put aside, never removed.
    to: another folder than work/.
    CourseError: no assignment has this name.
    """
    to = to or WORK
    source, place = RELEASED / assignment, to / assignment
    notebook = place / f"{assignment}.ipynb"
    if not (source / notebook.name).is_file():
        raise CourseError(unknown(assignment))
    if place.exists() and not again:
        if not notebook.is_file():
            raise CourseError(
                f"{place} has no {notebook.name}: put it back, or add --again, which "
                "puts the folder aside and begins anew"
            )
        return Started(notebook, False)
    to.mkdir(exist_ok=True)
    aside = put_aside(place) if place.exists() else None
    with tempfile.TemporaryDirectory(dir=to, prefix=".") as folder:
        copy = Path(folder) / assignment
        hidden = shutil.ignore_patterns(".*", "__pycache__")
        shutil.copytree(source, copy, ignore=hidden)
        guide.add(copy / notebook.name)
        copy.rename(place)
    return Started(notebook, True, aside)


def put_aside(place: Path) -> Path:
    """Rename a file or folder after its last change, so that nothing in it is lost."""
    when = time.strftime("%Y-%m-%d_%H-%M-%S", time.localtime(place.stat().st_mtime))
    suffix = place.suffix if place.is_file() else ""
    stem = place.name.removesuffix(suffix)
    names = (place.with_name(f"{stem}.{when}{n or ''}{suffix}") for n in range(1000))
    aside = next(name for name in names if not name.exists())
    return place.rename(aside)


def unknown(assignment: str) -> str:
    """Say that no assignment has this name, and which one may be meant."""
    names = sorted(path.name for path in RELEASED.glob("*/") if path.name[0] != ".")
    close = [name for name in names if name.startswith(assignment[:3])]
    close += difflib.get_close_matches(assignment, names, 1, 0.4)
    meant = f"did you mean {close[0]}? There are " if close else "there are "
    return f"no assignment is called {assignment!r}: {meant}{', '.join(names)}"
