"""An experiment's table: a CSV file in data/results/ that grows by a row a run.

The first columns are the fields of a run, by which it is found again.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from course_lib.files import replacing


def read(table: Path) -> list[dict[str, str]]:
    """Return the table's rows, or none when there is no table yet."""
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def find(table: Path, run: NamedTuple) -> dict[str, str] | None:
    """Return the row of a run, or None when it has none yet."""
    wanted = {name: str(value) for name, value in run._asdict().items()}
    for row in read(table):
        if wanted.items() <= row.items():
            return row
    return None


def append(table: Path, run: NamedTuple, found: NamedTuple) -> None:
    """Write a run and what came out of it as the table's last row, all or nothing."""
    row = run._asdict() | found._asdict()
    before = read(table)
    with replacing(table) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerows([*before, row])


def fill(table: Path, runs: Iterable[NamedTuple], train: Callable) -> None:
    """Append a row for each run that has none yet; print it. train(run): the row."""
    for run in runs:
        if not find(table, run):
            append(table, run, row := train(run))
            print(*run, *row, flush=True)
