"""Workers, through Dask: threads of this process, or machines behind a scheduler.

A submission goes to a worker as bytes and its verdict comes back as bytes; a worker
needs the packages of the course and nothing of its files. Each worker process keeps one
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

from ..errors import CourseError
from .bundle import Bundle, Submission, Verdict
from .engine.launcher import Died, Engine

LIVES = 2  # a submission that ends so many workers is not tried again
_engines: dict[str, Engine] = {}
_lock = threading.Lock()


class Cluster:
    """Grades submissions on a Dask cluster; a context manager."""

    def __init__(self, bundle: Bundle, workers: int, scheduler: str | None, level):
        self.bundle, self.workers = bundle, workers
        self.scheduler, self.level = scheduler, level

    def __enter__(self) -> Cluster:
        from dask import config
        from distributed import Client, LocalCluster

        config.set({"distributed.scheduler.allowed-failures": LIVES - 1})
        self.closing = contextlib.ExitStack()
        address = self.scheduler
        if address is None:
            local = LocalCluster(
                n_workers=1,
                threads_per_worker=self.workers,
                processes=False,
                dashboard_address=None,
                memory_limit=0,
            )
            address = self.closing.enter_context(local)
        try:
            self.client = Client(address, timeout=20, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            self.closing.close()
            raise CourseError(
                f"no Dask scheduler answers at {self.scheduler}: start one with "
                f"`dask scheduler` and workers with `dask worker ADDRESS` ({error})"
            ) from error
        self.closing.callback(self.client.close)
        data = pickle.dumps((self.bundle, self.level))
        self.key = f"{self.bundle.assignment}-{os.urandom(8).hex()}"
        self.shipped = self.client.scatter(data, broadcast=True, hash=False)
        return self

    def __exit__(self, *error) -> None:
        self.closing.close()
        forget(self.key)

    @property
    def capacity(self) -> int:
        """How many submissions may be under way: two for each thread of a worker."""
        threads = sum(self.client.nthreads().values())
        if not threads:
            raise CourseError(f"the scheduler {self.scheduler} has no workers")
        return 2 * threads

    def remarks(self) -> list[str]:
        """Start a worker's warm process; return what to tell the instructor first."""
        started = self.client.submit(remarks, self.key, self.shipped, pure=False)
        return started.result()

    def grade(self, submissions: Iterator[Submission], started) -> Iterator[Verdict]:
        """Yield a verdict for each submission, in the order in which they are ready.

        Few are read ahead, so that a large class needs no large memory.
        """
        from distributed import as_completed

        waiting: dict[str, Submission] = {}
        ready = as_completed(loop=self.client.loop)
        more = self._send(submissions, ready, waiting, self.capacity, started)
        for future in ready:
            submission = waiting.pop(future.key)
            yield self._verdict(future, submission)
            if more:
                more = self._send(submissions, ready, waiting, 1, started)

    def _send(self, submissions, ready, waiting, count: int, started) -> bool:
        """Hand in up to `count` submissions; False when there are no more."""
        for _ in range(count):
            submission = next(submissions, None)
            if submission is None:
                return False
            future = self.client.submit(
                grade_bytes,
                self.key,
                self.shipped,
                pickle.dumps(submission),
                pure=False,
            )
            waiting[future.key] = submission
            started(submission.student)
            ready.add(future)
        return True

    def _verdict(self, future, submission: Submission) -> Verdict:
        from distributed.scheduler import KilledWorker

        who = submission.student, submission.assignment
        digest = {"notes": submission.notes, "digest": submission.digest}
        try:
            verdict = pickle.loads(future.result())
        except KilledWorker:
            reason = f"grading it ended {LIVES} workers: look at what it does"
            return Verdict(*who, reason=reason, **digest)
        except Died:
            reason = f"grading it ended the grader {LIVES} times: look at what it does"
            return Verdict(*who, reason=reason, **digest)
        return replace(verdict, files=submission.files)


def grade_bytes(key: str, shipped: bytes, submission: bytes) -> bytes:
    """Grade a pickled submission on a worker; return the pickled verdict."""
    handed_in = pickle.loads(submission)
    for life in range(LIVES):
        engine = engine_for(key, shipped)
        try:
            verdict = engine.grade(handed_in)
            return pickle.dumps(replace(verdict, files={}))
        except Died:
            forget(key, engine)
            if life == LIVES - 1:
                raise
    raise AssertionError


def remarks(key: str, shipped: bytes) -> list[str]:
    """Return what a worker's warm process has found about the assignment."""
    return engine_for(key, shipped).remarks()


def engine_for(key: str, shipped: bytes) -> Engine:
    """Return this process's warm process for an assignment; one is kept at a time."""
    with _lock:
        if key not in _engines:
            for other in list(_engines):
                _engines.pop(other).close()
            _engines[key] = Engine(*pickle.loads(shipped)).start()
        return _engines[key]


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
