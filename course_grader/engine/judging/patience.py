"""How long an answer may take that has run out of time before: a tenth, each time.

One endless loop would otherwise cost the time of a cell in every test that calls it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from .line import Line
from .raised import Stopped


class Patience:
    """What is known of the student's functions in all processes of a notebook."""

    def __init__(self, seconds: float):
        self.seconds = seconds  # of a cell
        self.late: Counter[str] = Counter()  # by name: how often it was too slow

    @contextmanager
    def with_(self, name: str | None, line: Line) -> Iterator[None]:
        """Give a call of this name, if it has one, the time that it may still take."""
        before, times = (line.limit, line.deadline), self.late[name] if name else 0
        if times and line.left > (limit := self.seconds / 10**times):
            line.give(limit)
        try:
            yield
        except Stopped as stop:
            if name and stop.late:
                self.late[name] += 1
            raise
        finally:
            line.limit, line.deadline = before
