"""The queue of records as a table for a terminal."""

from __future__ import annotations

from rich.table import Table

from course_lib import progress
from course_lib.records import queue

COLOURS = {"done": "green", "running": "cyan", "begun": "cyan", "stale": "yellow"}


def table(jobs: list[queue.Job]) -> Table:
    """Return a row a job, and in the foot the time that all of them still take."""
    at_work, left, unknown = queue.at_work(), 0.0, 0
    shown = Table()
    for title in ("record", "", "epochs", "test top-1", "bar", "time left"):
        name = title == "record"
        shown.add_column(title, no_wrap=not name, overflow="fold" if name else "crop")
    for job in jobs:
        state = queue.state(job, at_work)
        left += state.seconds_left or 0.0
        unknown += state.seconds_left is None
        shown.add_row(*cells(job, state))
    more = f", and {unknown} not measured yet" if unknown else ""
    shown.caption = f"{progress.clock(left)} left{more}"
    return shown


def cells(job: queue.Job, state: queue.State) -> list[str]:
    word = f"[{COLOURS.get(state.word, 'white')}]{state.word}[/]"
    if state.why:
        word += f": {state.why} changed"
    bar = job.row.bar
    top1 = "" if state.top1 is None else f"{state.top1:.2%}"
    if bar is not None and state.top1 is not None and state.top1 < bar:
        top1 = f"[red]{top1}[/]"
    left = "" if state.seconds_left is None else progress.clock(state.seconds_left)
    return [
        job.name,
        word,
        f"{state.epochs}/{job.recipe.epochs}",
        top1,
        "" if bar is None else f"{bar:.1%}",
        "" if state.word == "done" else left,
    ]
