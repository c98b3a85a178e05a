"""A warm process, started and served from here: jobs in, verdicts out."""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future
from multiprocessing.connection import Connection

import nbformat

from ...errors import CourseError
from ..bundle import Bundle, Submission, Verdict

START = 300  # seconds that a warm process may take to get ready


class Died(RuntimeError):
    """The warm process ended before it gave a verdict."""


class Engine:
    """Grades submissions of one assignment in a warm process; of many threads' use."""

    def __init__(self, bundle: Bundle, level: str | None = None):
        self.bundle, self.level = bundle, level
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.waiting: dict[int, Future] = {}
        self.fair: dict[str, dict] = {}
        self.unfit: dict[str, str] = {}  # test: why the model solution fails it
        self.process: subprocess.Popen | None = None

    def start(self) -> Engine:
        """Start the warm process and try the model solution on it."""
        ours, theirs = socket.socketpair()
        threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.zygote", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, **threads, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self.connection = Connection(ours.detach())
        self.connection.send_bytes(pickle.dumps((self.bundle, self.level)))
        if not self.connection.poll(START):
            self.close()
            raise CourseError(f"the grader was not ready after {START} s")
        try:
            word, detail = self.connection.recv()
        except EOFError:
            word, detail = "failed", "its process ended; what it said is above"
        if word != "ready":
            self.close()
            raise CourseError(f"the grader could not start: {detail}")
        self.level = detail
        threading.Thread(target=self._listen, daemon=True).start()
        self._try_model()
        return self

    def __enter__(self) -> Engine:
        return self.start()

    def __exit__(self, *error) -> None:
        self.close()

    def close(self) -> None:
        """End the warm process and every submission it is at."""
        with contextlib.suppress(OSError, AttributeError):
            self.connection.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def grade(self, submission: Submission) -> Verdict:
        """Grade one submission; Died when the warm process ends meanwhile."""
        answers = {
            name: self._ask(submission, name).result()
            for name in submission.notebooks
            if name in self.bundle.lessons
        }
        return self._verdict(submission, answers)

    def _verdict(self, submission: Submission, answers: dict[str, dict]) -> Verdict:
        about = {
            "student": submission.student,
            "assignment": submission.assignment,
            "files": submission.files,
            "timestamp": submission.timestamp,
            "digest": submission.digest,
        }
        reasons = [answer["reason"] for answer in answers.values() if answer["reason"]]
        notes = [
            note for answer in answers.values() for note in answer.get("notes", ())
        ]
        costs = [answer["cost"] for answer in answers.values() if "cost" in answer]
        cost = {key: sum(c[key] for c in costs) for key in ("cpu", "wall")}
        cost["memory"] = max((c["memory"] for c in costs), default=0)
        about |= {"notes": (*submission.notes, *notes), "cost": cost}
        if reasons:
            return Verdict(**about, reason=reasons[0])
        notebooks = {
            name: nbformat.reads(answer["notebook"].decode(), as_version=4)
            for name, answer in answers.items()
        }
        seconds = {k: v for a in answers.values() for k, v in a["seconds"].items()}
        return Verdict(**about, notebooks=notebooks, seconds=seconds)

    def _ask(self, submission: Submission, lesson: str, fair: bool = True) -> Future:
        future: Future = Future()
        with self.lock:
            number = next(self.numbers)
            self.waiting[number] = future
            facts = {"submission": submission, "lesson": lesson, "fair": fair}
            try:
                self.connection.send({"op": "grade", "number": number, **facts})
            except OSError as error:
                del self.waiting[number]
                raise Died("the warm process is gone") from error
        return future

    def _listen(self) -> None:
        """Hand each answer to who waits for it; if the process ends, tell them all."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                number, answer = self.connection.recv()
                with self.lock:
                    future = self.waiting.pop(number)
                future.set_result(answer)
        with self.lock:
            left, self.waiting = list(self.waiting.values()), {}
        for future in left:
            future.set_exception(Died("the warm process ended"))

    def _try_model(self) -> None:
        """Grade the model solution; learn what its tests do with what it returns."""
        notebooks = {n: lesson.solution for n, lesson in self.bundle.lessons.items()}
        modules = []
        model = Submission("model solution", self.bundle.assignment, notebooks, {})
        for name in notebooks:
            answer = self._ask(model, name, fair=False).result()
            if answer["reason"]:
                raise CourseError(f"the model solution of {name}: {answer['reason']}")
            notebook = nbformat.reads(answer["notebook"].decode(), as_version=4)
            self._learn(answer, notebook)
            modules.append(answer["modules"])
        with self.lock:
            self.connection.send({"op": "fair", "fair": self.fair, "modules": modules})

    def _learn(self, answer: dict, notebook) -> None:
        for cell in notebook.cells:
            facts = cell.metadata.get("nbgrader", {})
            name = facts.get("grade_id")
            if name not in answer["used"]:
                continue
            errors = [o for o in cell.outputs if o.output_type == "error"]
            if errors:
                self.unfit[name] = f"{errors[0].ename}: {errors[0].evalue}"
            self.fair[name] = {"used": answer["used"][name]}


__all__ = ["Died", "Engine"]
