"""A new unit for its author: a small example that passes every test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from course_lib import notebook
from course_lib.errors import CourseError
from course_lib.files import ROOT

from .key import execute
from .release import release

TEMPLATES = Path(__file__).parent / "unit"
NAME = re.compile(r"(\d\d)_([a-z][a-z0-9]*(?:_[a-z0-9]+)*)")
README, ROWS = ROOT / "README.md", ROOT / "course_lib/records/rows.py"
UNITS_ROW = (
    "| [@UNIT@](notebooks/@UNIT@.ipynb) | a layer, a network of two of them | its "
    "parameters | [@ASSIGNMENT@](assignments/@ASSIGNMENT@/@ASSIGNMENT@.ipynb) |\n"
)
RECORD = '    Row("@UNIT@-@NAME@_small-cifar10", "@UNIT@", "@NAME@_small", SHORT),\n'


def new_unit(unit: str) -> Iterator[Path]:
    """Lay out a unit called like "16_demo"; yield each path that is written.

    Notebook and twin, solution and release, tests of both, a row in the queue of
    records, a row in the README. Runs both notebooks. CourseError if the name is no
    unit's, or a file is there already; then nothing is written.
    """
    known = NAME.fullmatch(unit)
    if not known:
        raise CourseError(f"a unit is called like 16_demo, not {unit!r}")
    number, name = known.groups()
    words = {"UNIT": unit, "NN": number, "NAME": name, "ASSIGNMENT": f"a{unit}"}
    words["TITLE"] = name.replace("_", " ").capitalize()
    files = {
        "notebook": ROOT / "notebooks" / f"{unit}.py",
        "solution": ROOT / "solutions" / f"a{unit}.py",
        "test_notebook": ROOT / "tests/notebooks" / f"test_{unit}.py",
        "test_assignment": ROOT / "tests/assignments" / f"a{unit}.py",
    }
    require_new(number, name, files.values())
    for template, path in files.items():
        text = (TEMPLATES / f"{template}.py.txt").read_text("utf-8")
        path.write_text(filled(text, words), "utf-8")
        yield path
    yield after_last(README, r"^\| \[\d\d_.*\n", filled(UNITS_ROW, words))
    yield after_last(ROWS, r"^    \w+,\n(?=\])", filled(RECORD, words))
    yield from release([f"a{unit}"], ROOT, database=False)
    yield notebook.run(unit)
    yield execute(f"a{unit}")


def require_new(number: str, name: str, paths) -> None:
    for unit in notebook.units():
        if unit.startswith(f"{number}_") or unit.partition("_")[2] == name:
            raise CourseError(f"there is a unit {unit}: take another number and name")
    for path in paths:
        if path.exists():
            raise CourseError(f"{path} is there already")


def filled(text: str, words: dict[str, str]) -> str:
    return re.sub(r"@([A-Z]+)@", lambda match: words[match[1]], text)


def after_last(path: Path, row: str, new: str) -> Path:
    """Write `new` behind the last line that matches `row`."""
    text = path.read_text("utf-8")
    *_, last = re.finditer(row, text, re.M)
    path.write_text(text[: last.end()] + new + text[last.end() :], "utf-8")
    return path
