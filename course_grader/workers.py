"""Who grades a class: threads of this process, and one warm process that they ask.

When a warm process dies, every submission that it had is suspect, and so is one whose
own process was killed from outside or kept from the CPU. They are graded again at the
end, one at a time, so that nobody is marked for what a neighbour did.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import islice

from .assignment.bundle import Bundle, Submission, Verdict
from .engine.launcher import Died, Engine

ENDED = (
    "grading it ended the grader's process twice, the second time with no other "
    "submission under way: look at what it does"
)
Started = Callable[[str], None]  # is told whose submission is under way


class Workers:
    """Grades submissions, several at a time; a context manager.

    A kind of it says how many it takes at a time, and how they are answered.
    """

    def at_a_time(self) -> int:
        raise NotImplementedError

    def answers(
        self, submissions: Iterator[Submission], ahead: int, started: Started
    ) -> Iterator[tuple[Submission, Verdict | None]]:
        """Yield each with its verdict, None if its worker or warm process ended.

        ahead: how many are under way or wait in line.
        """
        raise NotImplementedError

    def grade(
        self, submissions: Iterator[Submission], started: Started
    ) -> Iterator[Verdict]:
        """Yield a verdict for each submission, in the order in which they are ready.

        Few are read ahead, two for each that is graded at a time, so that a large class
        needs no large memory.
        """
        suspects = []
        ahead = 2 * self.at_a_time()
        for submission, verdict in self.answers(submissions, ahead, started):
            if verdict is None or verdict.again:
                why = verdict.again if verdict else "grading it ended the grader"
                note = f"repaired: graded once more, alone: {why}"
                notes = (*submission.notes, note)
                suspects.append(replace(submission, notes=notes))
            else:
                yield verdict
        for submission, verdict in self.answers(iter(suspects), 1, started):
            yield verdict or Verdict(
                submission.student,
                submission.assignment,
                reason=ENDED,
                notes=submission.notes,
                digest=submission.digest,
            )


class Here(Workers):
    """Threads of this process, which share a warm process; if it dies, a new one."""

    def __init__(self, bundle: Bundle, workers: int, level: str | None = None):
        self.bundle, self.workers, self.level = bundle, workers, level
        self.engine: Engine | None = None
        self.lock = threading.Lock()

    def __enter__(self) -> Here:
        self.pool = ThreadPoolExecutor(self.workers)
        return self

    def __exit__(self, *error) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.end()

    def at_a_time(self) -> int:
        return self.workers

    def remarks(self) -> list[str]:
        """Start the warm process; return what to tell the instructor first."""
        return self.warm().remarks()

    def answers(
        self, submissions: Iterator[Submission], ahead: int, started: Started
    ) -> Iterator[tuple[Submission, Verdict | None]]:
        waiting: dict[Future, Submission] = {}

        def send(count: int) -> None:
            for submission in islice(submissions, count):
                waiting[self.pool.submit(self.verdict, submission)] = submission
                started(submission.student)

        send(ahead)
        while waiting:
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(future), future.result()
                send(1)

    def verdict(self, submission: Submission) -> Verdict | None:
        """Grade a submission; None if that ended the warm process."""
        engine = self.warm()
        try:
            verdict = engine.grade(submission)
        except Died:
            self.end(engine)
            return None
        return replace(verdict, files=self.bundle.files | submission.files)

    def warm(self) -> Engine:
        """Return the warm process, started now if there is none."""
        with self.lock:
            if self.engine is None:
                made = Engine(self.bundle, self.level, self.workers)
                self.engine = made.start()
            return self.engine

    def end(self, engine: Engine | None = None) -> None:
        """End the warm process, unless another has taken this one's place already."""
        with self.lock:
            if self.engine and engine in (None, self.engine):
                self.engine.close()
                self.engine = None
