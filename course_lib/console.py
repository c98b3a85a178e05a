"""The console that all commands print to."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.segment import Segment

from course_lib.terminal import printable


class Terminal(Console):
    """A console to which no text gives orders: rich's own colours alone are escapes.

    Whatever is printed may hold a stranger's name, path or reason.
    """

    def render(self, renderable, options=None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            lines = text if control else "\n".join(map(printable, text.split("\n")))
            yield Segment(lines, style, control)
