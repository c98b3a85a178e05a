"""What a working copy says besides its assignment: how to check, to hand in, to ask.

`course start` adds it, so that a release and its tests stay as they are. When and where
is said by the edition that students clone, see `course publish`.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import nbformat

from course_lib.errors import CourseError
from course_lib.files import ROOT

EDITION = ".edition.json"  # its repository, and deadlines by assignment
HOW = """

**Check** what is right so far: save, then run the last cell. `course check {name}` in a
terminal (File → New → Terminal) says the same. **Hand in** the zip that
`course submit {name}` makes{until}. **Questions**: {ask}."""
CHECK = """# What is right so far? Save (Ctrl+S), then run this cell in JupyterLab.
from course_lib.hand_in.checked import show

show("{name}")"""


def add(notebook: Path, root: Path = ROOT) -> None:
    """Say in a working copy's first cell what to do; add a last cell that checks it."""
    name = notebook.stem
    said = facts(root)
    due = said.get("deadlines", {}).get(name)
    until = f" until {local(due)}" if due else ""
    ask = "your instructor"
    if (address := said.get("repository", "")).startswith("https://"):
        ask = f"{address.removesuffix('.git').rstrip('/')}/issues"
    book = nbformat.read(notebook, as_version=4)
    book.cells[0].source += HOW.format(name=name, until=until, ask=ask)
    check = CHECK.format(name=name)
    book.cells.append(nbformat.v4.new_code_cell(check, id="check"))
    nbformat.write(book, notebook)


def facts(root: Path) -> dict:
    """Return what an edition says of itself; nothing if this is none."""
    path = root / EDITION
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> CourseError:
    return CourseError(
        f"{path} cannot be read ({error}): take it from git there, as the last "
        "publication wrote it"
    )


def local(due: str) -> str:
    """Return a deadline, kept in UTC, as the clock of this machine shows it."""
    return f"{datetime.fromisoformat(due).astimezone():%d %B %Y, %H:%M %Z}"
