"""How long an answer and a whole notebook may take.

An answer that has run out of time before gets a tenth of it, each time: one endless
loop would otherwise cost the time of a cell in every test that calls it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from .line import Line
from .outputs import stopped
from .raised import Stopped


class Patience:
    """What is known of the student's functions in all processes of a notebook."""

    def __init__(self, seconds: float, notebook: float = float("inf")):
        """seconds: that a cell may take; notebook: that all cells together may."""
        self.seconds, self.notebook = seconds, notebook
        self.ends = time.monotonic() + notebook
        self.latest = self.ends + notebook
        self.late: Counter[str] = Counter()  # by name: how often it was too slow

    def outputs_over(self) -> list[dict]:
        """Return the outputs of a cell for which the notebook has no time left."""
        if time.monotonic() < self.ends:
            return []
        words = f"the notebook's {self.notebook:.0f} s were used up before this cell"
        return [stopped(words)]

    def add(self, seconds: float) -> None:
        """Give the notebook what a cell waited for a CPU, at most its time again."""
        self.ends = min(self.ends + seconds, self.latest)

    @contextmanager
    def with_(self, name: str | None, line: Line) -> Iterator[None]:
        """Give a call of this name, if it has one, the time that it may still take."""
        times = self.late[name] if name else 0
        limit = self.seconds / 10**times
        try:
            with line.within(limit) if times and line.left > limit else nullcontext():
                yield
        except Stopped as stop:
            if name and stop.late:
                self.late[name] += 1
            raise
