"""The queue of records as a table for a terminal, and as JSON."""

from __future__ import annotations

from rich.table import Table

from course_lib import progress
from course_lib.records import queue

COLOURS = {"done": "green", "running": "cyan", "begun": "cyan", "stale": "yellow"}
COLOURS |= {"damaged": "red"}


def rows(jobs: list[queue.Job]) -> list[dict]:
    """Return a row a job, for JSON: fractions, and seconds left."""
    at_work = queue.at_work()
    found = []
    for job in jobs:
        state = queue.state(job, at_work)._asdict()
        row = {"record": job.name, "state": state.pop("word")} | state
        found.append(row | {"of_epochs": job.recipe.epochs, "bar": job.row.bar})
    return found


def table(rows: list[dict]) -> Table:
    """Return the rows for a terminal; the foot says the time that all still take."""
    shown = Table()
    for title in ("record", "", "epochs", "test top-1", "bar", "time left"):
        name = title == "record"
        shown.add_column(title, no_wrap=not name, overflow="fold" if name else "crop")
    for row in rows:
        shown.add_row(*cells(row))
    left = [row["seconds_left"] for row in rows]
    unknown = left.count(None)
    more = f", and {unknown} not measured yet" if unknown else ""
    shown.caption = f"{progress.clock(sum(filter(None, left)))} left{more}"
    return shown


def cells(row: dict) -> list[str]:
    word = f"[{COLOURS.get(row['state'], 'white')}]{row['state']}[/]"
    if row["state"] == "stale":
        word += f": {row['why']} changed"
    bar, left = row["bar"], row["seconds_left"]
    top1 = "" if row["top1"] is None else f"{row['top1']:.2%}"
    if bar is not None and row["top1"] is not None and row["top1"] < bar:
        top1 = f"[red]{top1}[/]"
    return [
        row["record"],
        word,
        f"{row['epochs']}/{row['of_epochs']}",
        top1,
        "" if bar is None else f"{bar:.1%}",
        "" if left is None or row["state"] == "done" else progress.clock(left),
    ]
