"""Requests to the student's side and its answers, each within its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from course_grader.engine.common import waiting
from course_grader.engine.common.shell import MOST, TICK
from course_grader.engine.common.wire import Channel, Gone, Late, Malformed

from .raised import Stopped

GRACE = 2.0  # seconds that the student's process gets to stop by itself
START = 60.0  # seconds until somebody sets a deadline


class Line:
    """The socket to one student's process."""

    def __init__(
        self,
        channel: Channel,
        derive: Callable[[dict, list], tuple],
        dropped: Callable[[], dict],
    ):
        """derive: answers its questions; dropped: says what it may forget by now."""
        self.channel, self.derive, self.dropped = channel, derive, dropped
        self.schedule: int | None = None  # what the kernel tells of its waiting
        self.extended: Callable[[], None] = lambda: None  # called when it gets more
        self.give(START)
        self.lost = False  # is the process late, dead or out of step?

    def give(self, seconds: float) -> None:
        """Give all that follows so long, and what it waits for a CPU meanwhile."""
        self.limit, self.deadline = seconds, time.monotonic() + seconds
        self.added = 0.0  # to the deadline, for waiting
        self._waited = [waiting.since_now()]
        if self.schedule is not None:
            self._waited.append(waiting.since_now(self.schedule))

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Give what follows in this block so long, and then what there was before."""
        before = self.limit, self.deadline, self.added, self._waited
        self.give(seconds)
        try:
            yield
        finally:
            self.limit, self.deadline, self.added, self._waited = before

    def waited(self) -> float:
        """Return how long both sides have waited for a CPU since time was given."""
        return sum(waited() for waited in self._waited)

    @property
    def left(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self.deadline - time.monotonic()

    def request(self, op: str, parts: list = (), **fields) -> tuple[dict, list]:
        """Ask, serve questions meanwhile, return the answer.

        Raises Stopped when it is late or gone.
        """
        if self.left <= 0 and not self._extend():
            raise Stopped("no time was left for this test")
        left = self.left
        if self.lost:
            raise Stopped("your code's process is gone")
        self.lost = True  # until the answer is here, whatever interrupts this
        try:
            message = {"op": op, "seconds": left, "limit": self.limit, **fields}
            message |= self.dropped()
            self.channel.send(message, parts, self.deadline + GRACE)
            while True:
                answer, blobs = self._receive()
                if "callback" not in answer:
                    self.lost = False
                    return answer, blobs
                found = self.derive(answer, blobs)
                self.channel.send(*found, self.deadline + GRACE)
        except Late:
            words = (
                f"your code took too long (over {self.limit:.3g} s) and did not stop"
            )
            raise Stopped(words, late=True) from None
        except Gone:
            raise Stopped("your code ended its process") from None
        except Malformed as error:
            raise Stopped(f"your code answered in its own words: {error}") from None

    def _receive(self) -> tuple[dict, list]:
        """Return what is said next; the deadline moves for who waits for a CPU."""
        while not self.channel.is_ready(self.deadline + GRACE):
            if not self._extend():
                raise Late
        return self.channel.receive(self.deadline + GRACE)

    def _extend(self) -> bool:
        """Add to the deadline what was waited since; False if that is nothing."""
        more = min(self.waited(), MOST * (self.limit + GRACE)) - self.added
        if more < TICK:
            return False
        self.added, self.deadline = self.added + more, self.deadline + more
        self.extended()
        return self.left > 0
