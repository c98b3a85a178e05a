"""A run as it goes: a table in a terminal, plain lines in a file or a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live as Screen
from rich.table import Table
from rich.text import Text

from course_lib.console import Terminal
from course_lib.terminal import printable

from .store.outcomes import Result

NAMES = 6  # of those running that the table has room for
EVERY = 30.0  # s between plain lines, if a tenth of the class takes longer


class Live:
    """Shows graded, running, refused, mean points, rate and time left; `with Live(…)`.

    total: submissions of this run, `already` (graded before it) not counted.
    """

    def __init__(
        self,
        assignment: str,
        total: int,
        already: int = 0,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.assignment, self.total, self.already = assignment, total, already
        self.console = console or Terminal(soft_wrap=True)
        self.clock, self.began = clock, clock()
        self.running: dict[str, float] = {}  # student: when it began
        self.done = self.refused = self._before = 0
        self.points = 0.0
        self.most = 0.0
        self._said, self._tenth = self.began, 0
        screen = self.console.is_terminal and not self.console.is_jupyter
        options = {"console": self.console, "get_renderable": self.table}
        self._screen = Screen(**options, refresh_per_second=4) if screen else None

    def __enter__(self) -> Live:
        if self._screen:
            self._screen.__enter__()
        return self

    def __exit__(self, *error) -> None:
        if self._screen:
            self._screen.__exit__(*error)
        elif self.done < self.total:
            self.say(self.line())

    def ready(self) -> None:
        """Measure from now on: workers are warm, whoever could not be read is out."""
        self.running.clear()
        self.began, self._before = self.clock(), self.done

    def started(self, student: str) -> None:
        self.running[student] = self.clock()

    def finished(self, result: Result) -> None:
        self.running.pop(result.student, None)
        self.done += 1
        if result.status == "refused":
            self.refused += 1
            self.say(f"{result.student}: refused: {result.reason}")
        else:
            self.points, self.most = self.points + result.total, result.max_score
        tenth, now = 10 * self.done // max(self.total, 1), self.clock()
        if not self._screen and (tenth > self._tenth or now - self._said >= EVERY):
            self._tenth, self._said = tenth, now
            self.say(self.line())

    @property
    def graded(self) -> int:
        return self.done - self.refused

    @property
    def left(self) -> float | None:
        """Seconds until the end at the rate so far; None where the rate says nothing.

        It does not before the first result, nor of those who take longer than all who
        are done.
        """
        passed, done = self.clock() - self.began, self.done - self._before
        todo = self.total - self.done
        known = done and (todo > len(self.running) or not todo)
        return passed / done * todo if known else None

    def facts(self) -> dict[str, str]:
        """Return what is known by now, in the words of the table."""
        minutes = (self.clock() - self.began) / 60
        found = {
            "graded": f"{self.graded} of {self.total}",
            "graded before": str(self.already),
            "refused": str(self.refused),
        }
        if self.graded:
            found["mean points"] = f"{self.points / self.graded:.1f} of {self.most:g}"
        done = self.done - self._before
        if done and minutes > 0:
            found["a minute"] = f"{done / minutes:.0f}"
        if self.left is not None:
            found["time left"] = span(self.left)
        return found

    def line(self) -> str:
        """Return the facts on one line, and who is still running if nobody else is."""
        parts = [f"{what} {value}" for what, value in self.facts().items()]
        if self.running and self.left is None:
            parts.append(f"running {', '.join(self.longest())}")
        return f"{self.assignment}: {', '.join(parts)}"

    def longest(self) -> list[str]:
        """Return who is running, and for how long: first who began first."""
        now, names = self.clock(), list(self.running.items())
        shown = [
            f"{printable(name)} {span(now - since)}" for name, since in names[:NAMES]
        ]
        return shown + ([f"and {len(names) - NAMES} more"] if names[NAMES:] else [])

    def table(self) -> Table:
        """Return the facts as a table, with the longest running submissions."""
        rows = Table(show_header=False, title=Text(printable(self.assignment)))
        for what, value in self.facts().items():
            rows.add_row(what, Text(value))
        rows.add_row("running", Text("\n".join(self.longest())))
        return rows

    def say(self, text: str) -> None:
        """Print a line above what is live."""
        text = printable(text)
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def span(seconds: float) -> str:
    """Return "8 s", "3:05 min" or "2:10 h"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h"
