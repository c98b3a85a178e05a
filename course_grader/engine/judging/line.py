"""Requests to the student's side and its answers, each within its time."""

from __future__ import annotations

import time
from collections.abc import Callable

from course_grader.engine.common.wire import Channel, Gone, Late, Malformed

from .raised import Stopped

GRACE = 2.0  # seconds that the student's process gets to stop by itself
START = 60.0  # seconds until somebody sets a deadline


class Line:
    """The socket to one student's process; `derive` answers its questions meanwhile."""

    def __init__(self, channel: Channel, derive: Callable[[dict, list], tuple]):
        self.channel, self.derive = channel, derive
        self.deadline = time.monotonic() + START
        self.lost = False  # is the process late, dead or out of step?

    def give(self, seconds: float) -> None:
        """Give all that follows so long."""
        self.deadline = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self.deadline - time.monotonic()

    def request(self, op: str, parts: list = (), **fields) -> tuple[dict, list]:
        """Ask, serve questions meanwhile, return the answer.

        Raises Stopped when it is late or gone.
        """
        left = self.left
        if left <= 0:
            raise Stopped("no time was left for this test")
        if self.lost:
            raise Stopped("your code's process is gone")
        self.lost = True  # until the answer is here, whatever interrupts this
        try:
            message = {"op": op, "seconds": left, **fields}
            self.channel.send(message, parts, self.deadline + GRACE)
            while True:
                answer, blobs = self.channel.receive(self.deadline + GRACE)
                if "callback" not in answer:
                    self.lost = False
                    return answer, blobs
                found = self.derive(answer, blobs)
                self.channel.send(*found, self.deadline + GRACE)
        except Late:
            raise Stopped("your code took too long and did not stop") from None
        except Gone:
            raise Stopped("your code ended its process") from None
        except Malformed as error:
            raise Stopped(f"your code answered in its own words: {error}") from None
