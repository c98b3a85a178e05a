"""Workers on other machines, behind a Dask scheduler.

A submission goes to a worker as bytes and its verdict comes back as bytes; a worker
needs the packages of the course and nothing of its files. Each worker process keeps a
warm process for the assignment at hand.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import threading
from collections.abc import Iterator
from dataclasses import replace

from course_lib.errors import CourseError

from .assignment.bundle import Bundle, Submission, Verdict
from .engine.launcher import Died, Engine
from .workers import Started, Workers

_engines: dict[str, Engine] = {}
_lock = threading.Lock()


class Cluster(Workers):
    """The workers of a Dask cluster."""

    def __init__(self, bundle: Bundle, scheduler: str, level: str | None = None):
        self.bundle, self.scheduler, self.level = bundle, scheduler, level
        self.key = f"{bundle.assignment}-{os.urandom(8).hex()}"

    def __enter__(self) -> Cluster:
        with contextlib.ExitStack() as stack:
            stack.enter_context(quiet_dask())
            self.client = stack.enter_context(self._connect())
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

    def at_a_time(self) -> int:
        return sum(self.threads.values())

    def _connect(self):
        from distributed import Client

        try:
            return Client(self.scheduler, timeout=10, set_as_default=False)
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

    def answers(
        self, submissions: Iterator[Submission], ahead: int, started: Started
    ) -> Iterator[tuple[Submission, Verdict | None]]:
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
