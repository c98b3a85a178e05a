"""Which of several like steps to take, and what to try next when that was wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

WINDOW = 16  # layers within which a wrong choice of branches shows
NEAR = 3  # the same for the order of heads: the projection after them shows it


class Choice(NamedTuple):
    """Which of several options was taken, and after how many layers."""

    taken: int
    start: int  # the first that was tried
    options: int
    layer: int
    window: int  # how many layers later a failure may still be its fault


class Plan:
    """The choices of one attempt: first those given, then what was right the last time.

    The first option is taken where nothing is known.
    """

    def __init__(self, given: Iterable[Choice] = ()):
        self.given = list(given)
        self.choices: list[Choice] = []

    def choose(self, options: list, layer: int):
        if len(options) == 1:
            return options[0]
        if len(self.choices) < len(self.given):
            choice = self.given[len(self.choices)]
        else:
            like = [c.taken for c in self.choices if c.options == len(options)]
            start = like[-1] if like else 0
            shuffled = getattr(options[-1], "shuffle", None) is not None
            window = NEAR if shuffled else WINDOW
            choice = Choice(start, start, len(options), layer, window)
        self.choices.append(choice)
        return options[choice.taken]

    def next(self, furthest: int) -> Plan | None:
        """Return the plan of the next attempt: the last choice with an alternative.

        furthest: the layers that the best attempt got through.
        """
        choices = list(self.choices)
        while choices:
            last = choices.pop()
            taken = (last.taken + 1) % last.options
            if taken != last.start and last.layer >= furthest - last.window:
                return Plan([*choices, last._replace(taken=taken)])
        return None
