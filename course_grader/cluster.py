"""Workers, through Dask: threads of this process, or machines behind a scheduler.

A submission goes to a worker as bytes and its verdict comes back as bytes; a worker
needs the packages of the course and nothing of its files. Each worker process keeps a
warm process for the assignment at hand.

When a worker dies, every submission that it had is suspect, and so is one whose own
process was killed from outside or kept from the CPU. They are graded again at the end,
one at a time, so that nobody is marked for what a neighbour did.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

from course_lib.errors import CourseError

from .assignment.bundle import Bundle, Submission, Verdict
from .engine.launcher import Died, Engine

ENDED = (
    "grading it ended the grader's process twice, the second time with no other "
    "submission under way: look at what it does"
)
IDLE = {  # a local cluster looks at itself fifty times a second: 5 % of a core
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
}
_engines: dict[str, Engine] = {}
_lock = threading.Lock()


class Cluster:
    """Grades submissions on a Dask cluster; a context manager."""

    def __init__(self, bundle: Bundle, workers: int, scheduler: str | None, level):
        self.bundle, self.workers = bundle, workers
        self.scheduler, self.level = scheduler, level
        self.key = f"{bundle.assignment}-{os.urandom(8).hex()}"

    def __enter__(self) -> Cluster:
        import distributed  # noqa: F401  (its defaults first, or the end takes them out)
        from dask import config

        with contextlib.ExitStack() as stack:
            stack.enter_context(config.set(IDLE))
            address = self.scheduler or stack.enter_context(self._local())
            self.client = stack.enter_context(self._connect(address))
            self.threads = self.client.nthreads()  # by address of the worker
            if not self.threads:
                raise CourseError(
                    f"the scheduler {self.scheduler} has no workers: start some with "
                    f"`dask worker {self.scheduler}`."
                )
            # what a worker's end means is decided here: Dask does not try again
            stack.callback(self._allow_failures, self._allow_failures(0))
            # a task's value, unlike scattered data, outlives the workers that hold it
            data = pickle.dumps((self.bundle, self.level))
            self.shipped = self.client.submit(bytes, data, pure=False)
            stack.callback(self.client.run, forget, self.key, on_error="ignore")
            self.closing = stack.pop_all()
        return self

    def __exit__(self, *error) -> None:
        self.closing.close()

    def _local(self):
        from distributed import LocalCluster

        return LocalCluster(
            n_workers=1,
            threads_per_worker=self.workers,
            processes=False,
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
        )

    def _connect(self, address):
        from distributed import Client

        try:
            return Client(address, timeout=10, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise CourseError(
                f"no Dask scheduler answers at {self.scheduler}: start one with "
                f"`dask scheduler` and workers with `dask worker ADDRESS` ({error})"
            ) from error

    def _allow_failures(self, count: int) -> int:
        """Let a task take so many workers along; return how many it was allowed."""

        def exchange(dask_scheduler):  # local, so that it travels by value
            before, dask_scheduler.allowed_failures = (
                dask_scheduler.allowed_failures,
                count,
            )
            return before

        return self.client.run_on_scheduler(exchange)

    def remarks(self) -> list[str]:
        """Start all warm processes; return what to tell the instructor first."""
        from distributed import as_completed

        how = {"pure": False, "allow_other_workers": True}
        said = [
            self.client.submit(remarks, self.key, self.shipped, workers=[one], **how)
            for one in self.threads
        ]
        return next(as_completed(said, loop=self.client.loop)).result()

    def grade(
        self, submissions: Iterator[Submission], started: Callable[[str], None]
    ) -> Iterator[Verdict]:
        """Yield a verdict for each submission, in the order in which they are ready.

        Few are read ahead, two for each thread of a worker, so that a large class needs
        no large memory.
        """
        suspects = []
        ahead = 2 * sum(self.threads.values())
        for submission, verdict in self._answers(submissions, ahead, started):
            if verdict is None or verdict.again:
                why = verdict.again if verdict else "grading it ended the grader"
                note = f"mended: graded once more, alone: {why}"
                notes = (*submission.notes, note)
                suspects.append(replace(submission, notes=notes))
            else:
                yield verdict
        for submission, verdict in self._answers(iter(suspects), 1, started):
            yield verdict or Verdict(
                submission.student,
                submission.assignment,
                reason=ENDED,
                notes=submission.notes,
                digest=submission.digest,
            )

    def _answers(
        self, submissions: Iterator[Submission], ahead: int, started
    ) -> Iterator[tuple[Submission, Verdict | None]]:
        """Yield each with its verdict, None if its worker or warm process ended."""
        from distributed import as_completed

        waiting: dict[str, Submission] = {}
        ready = as_completed(loop=self.client.loop)
        more = self._send(submissions, ready, waiting, ahead, started)
        for future in ready:
            submission = waiting.pop(future.key)
            yield submission, self._verdict(future, submission)
            if more:
                more = self._send(submissions, ready, waiting, 1, started)

    def _send(self, submissions, ready, waiting, count: int, started) -> bool:
        """Hand in up to `count` submissions; False when there are no more."""
        for _ in range(count):
            submission = next(submissions, None)
            if submission is None:
                return False
            data = pickle.dumps(submission)
            future = self.client.submit(
                grade_bytes, self.key, self.shipped, data, pure=False
            )
            waiting[future.key] = submission
            started(submission.student)
            ready.add(future)
        return True

    def _verdict(self, future, submission: Submission) -> Verdict | None:
        from distributed.scheduler import KilledWorker

        try:
            verdict = pickle.loads(future.result())
        except (KilledWorker, Died):
            return None
        return replace(verdict, files=self.bundle.files | submission.files)


def grade_bytes(key: str, shipped: bytes, submission: bytes) -> bytes:
    """Grade a pickled submission on a worker; return the pickled verdict."""
    engine = engine_for(key, shipped)
    try:
        verdict = engine.grade(pickle.loads(submission))
    except Died:
        forget(key, engine)
        raise
    return pickle.dumps(replace(verdict, files={}))


def remarks(key: str, shipped: bytes) -> list[str]:
    """Return what a worker's warm process has found about the assignment."""
    return engine_for(key, shipped).remarks()


def engine_for(key: str, shipped: bytes) -> Engine:
    """Return this process's warm process for a run; idle ones of others are ended."""
    with _lock:
        if key not in _engines:
            for other in [k for k, engine in _engines.items() if not engine.waiting]:
                _engines.pop(other).close()
            _engines[key] = Engine(*pickle.loads(shipped), threads_here()).start()
        return _engines[key]


def threads_here() -> int:
    """Return how many submissions this Dask worker grades at a time."""
    from distributed import get_worker

    return get_worker().state.nthreads


def forget(key: str, engine: Engine | None = None) -> None:
    """End the warm process of a run, unless another has taken its place already."""
    with _lock:
        if key in _engines and engine in (None, _engines[key]):
            _engines.pop(key).close()


@atexit.register
def _close() -> None:
    for key in list(_engines):
        forget(key)


@contextlib.contextmanager
def quiet_dask():
    """Keep Dask's remarks on ports and garbage out of the grader's output."""
    import logging

    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
