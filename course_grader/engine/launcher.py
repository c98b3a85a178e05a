"""A warm process, started and served from here: jobs in, verdicts out."""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import re
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future
from multiprocessing.connection import Connection
from pathlib import Path

import nbformat

from course_grader import sandbox
from course_grader.assignment.bundle import Bundle, Submission, Verdict
from course_lib.errors import CourseError
from course_lib.files import ROOT

from .plan import modules, plan
from .remarks import refuse_hidden, remarks

SETTINGS = {  # large pages: a fork, which copies a table of pages, is cheaper
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
SLOW = (  # how the error of a test begins that ran out of time
    *("TimeIsUp: ", "Stopped: no time was left", "Stopped: your code took too long"),
    *("Stopped: your code was stopped", "Stopped: the notebook's"),
)
AHEAD = {  # in a cell: what it will import, a second of CPU in each process
    r"optim|check\.learns": "torch._dynamo",
    r"(import|from) torchvision": "torchvision",
    r"load\(.digits|sklearn": "sklearn.datasets",
}
START = 300  # seconds that a warm process may take to get ready, but for its cells
END = 5  # seconds that it may take to clean up
KEPT = 4  # whoever waited for a CPU so long, as a part of a cell's time, was hindered


class Died(RuntimeError):
    """The warm process ended before it gave a verdict."""


class Engine:
    """Grades submissions of one assignment in a warm process; of many threads' use.

    jobs: how many there may be at a time, which a container must have room for.
    """

    def __init__(self, bundle: Bundle, level: str | None = None, jobs: int = 1):
        self.bundle, self.level, self.jobs = bundle, level, jobs
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.waiting: dict[int, Future] = {}
        self.fair: dict[str, dict] = {}
        self.unfit: dict[str, str] = {}  # test: why the model solution fails it
        self.alone: dict[str, str] = {}  # test that runs on the student's side: why
        self.late: list[str] = []  # cells of the model solution that ran out of time
        self.process: subprocess.Popen | None = None
        self.container: str | None = None  # its name, if the process is in one

    def start(self) -> Engine:
        """Start the warm process and try the model solution on it."""
        self._spawn()
        try:
            self.writer.send_bytes(pickle.dumps((self.bundle, self.level)))
            seconds = START + 2 * self.bundle.cell_seconds * self._cells()
            ready = self.reader.poll(seconds)
            late = "failed", f"it was not ready within {seconds:.0f} s"
            word, detail = self.reader.recv() if ready else late
        except (EOFError, OSError):
            word, detail = "failed", "its process ended; what it said is above"
        if word != "ready":
            self.close()
            raise CourseError(f"the grader could not start: {detail}")
        self.level = detail
        threading.Thread(target=self._listen, daemon=True).start()
        self._try_model()
        try:
            refuse_hidden(sorted(self._hidden() - set(self.named)), self.alone)
        except CourseError:
            self.close()
            raise
        return self

    @property
    def named(self) -> list[str]:
        """The tests that the course lets run in the student's process."""
        return self.bundle.options.get("beside", [])

    def _hidden(self) -> set[str]:
        """Return the tests that go to the student's process and are hidden."""
        plans = [plan(one) for one in self.bundle.lessons.values() if self.alone]
        places = [(p, name) for p in plans for name in self.alone if name in p.places]
        return {name for p, name in places if p.is_hidden(p.places[name])}

    def _cells(self) -> int:
        """Return how many cells may have to run, on both sides, to get warm."""
        notebooks = (lesson.solution for lesson in self.bundle.lessons.values())
        return sum(c.cell_type == "code" for one in notebooks for c in one.cells)

    def _spawn(self) -> None:
        """Start the process: over a socket here, over pipes in a container."""
        if (self.level or sandbox.best()) == "container":
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self.container = f"course-grader-{os.urandom(8).hex()}"
            command = container_command(self.bundle, self.jobs, self.container)
            self.process = subprocess.Popen(command, **pipes)
            reader, writer = self.process.stdout, self.process.stdin
            self.reader = Connection(os.dup(reader.fileno()), writable=False)
            self.writer = Connection(os.dup(writer.fileno()), readable=False)
            reader.close(), writer.close()
            self.level = None  # the best that there is inside
            return
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, *zygote(self.bundle, theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, **SETTINGS, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self.reader = self.writer = Connection(ours.detach())

    def __enter__(self) -> Engine:
        return self.start()

    def __exit__(self, *error) -> None:
        self.close()

    def close(self) -> None:
        """End the warm process and every submission it is at."""
        if self.process is None:
            return
        with contextlib.suppress(OSError, ValueError, subprocess.TimeoutExpired):
            with self.lock:
                self.writer.send({"op": "end"})
            self.process.wait(END)
        self.process.kill()
        self.process.wait()
        if self.container:  # which outlives the program that started it
            sandbox.container.remove(self.container)
        with contextlib.suppress(OSError):
            self.writer.close()
            self.reader.close()

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
        notebooks = {
            name: nbformat.v4.reads(answer["notebook"].decode())
            for name, answer in answers.items()
            if not answer["reason"]
        }
        about["again"] = self._again(list(answers.values()), notebooks)
        if reasons:
            return Verdict(**about, reason=reasons[0])
        seconds = {k: v for a in answers.values() for k, v in a["seconds"].items()}
        return Verdict(**about, notebooks=notebooks, seconds=seconds)

    def _again(self, answers: list[dict], notebooks: dict) -> str:
        """Say what neighbours, or the machine, may have cost this submission, or ""."""
        if any(answer.get("taken") for answer in answers):
            return "one of its processes was killed from outside, or could not be made"
        late = len(notebooks) < len(answers) or any(map(is_late, notebooks.values()))
        waited = max((answer.get("waited", 0.0) for answer in answers), default=0.0)
        if late and waited > self.bundle.cell_seconds / KEPT:
            return f"it ran out of time, of which it waited {waited:.0f} s for a CPU"
        return ""

    def _ask(self, submission: Submission, lesson: str, fair: bool = True) -> Future:
        future: Future = Future()
        with self.lock:
            number = next(self.numbers)
            self.waiting[number] = future
            facts = {"submission": submission, "lesson": lesson, "fair": fair}
            try:
                self.writer.send({"op": "grade", "number": number, **facts})
            except OSError as error:
                del self.waiting[number]
                raise Died("the warm process is gone") from error
        return future

    def _listen(self) -> None:
        """Hand each answer to who waits for it; if the process ends, tell them all."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                number, answer = self.reader.recv()
                with self.lock:
                    future = self.waiting.pop(number)
                future.set_result(answer)
        with self.lock:
            left, self.waiting = list(self.waiting.values()), {}
        for future in left:
            future.set_exception(Died("the warm process ended"))

    def _try_model(self) -> None:
        """Grade the model solution; learn what its tests do with what it returns.

        A test that it fails here is tried again in the student's process, as in a
        notebook with one kernel; if it passes there, that is where it is run. Not so
        one that took too long: on another day it would not.
        """
        first = self._model()
        slow = {name: error for name, error in first.items() if error.startswith(SLOW)}
        if self.late:  # what fails may lack what such a cell would have made
            slow = {name: error for name, error in first.items() if error}
        self.unfit |= slow
        failed = {name for name, error in first.items() if error} - set(slow)
        if not failed:
            return
        alone: set[str] = set()
        while alone != failed:  # one may need what another has bound
            alone = set(failed)
            for name in alone:
                self.fair[name]["alone"] = True
            self._tell()
            second = self._model(fair=True)
            missing = {n: e for n, e in second.items() if e.startswith("NameError")}
            first |= {n: e for n, e in missing.items() if n not in alone}
            failed |= set(missing)
        for name in failed:
            if second[name]:
                self.unfit[name] = first[name]
                self.fair[name]["alone"] = False
            else:
                self.alone[name] = first[name]
        self._tell()

    def _model(self, fair: bool = False) -> dict[str, str]:
        """Grade the model solution; return what each test of it raised, or ""."""
        notebooks = {
            name: nbformat.from_dict(lesson.solution)
            for name, lesson in self.bundle.lessons.items()
        }
        model = Submission("model solution", self.bundle.assignment, notebooks, {})
        raised: dict[str, str] = {}
        modules = []
        for name in notebooks:
            answer = self._ask(model, name, fair).result()
            if answer["reason"]:
                raise CourseError(f"the model solution of {name}: {answer['reason']}")
            notebook = nbformat.v4.reads(answer["notebook"].decode())
            raised |= errors(notebook, answer["used"])
            self.late += [] if fair else late_cells(notebook)
            modules.append(answer["modules"])
            if not fair:
                self.fair |= {k: {"used": used} for k, used in answer["used"].items()}
        if not fair:
            self._tell(modules)
        return raised

    def _tell(self, modules: list = ()) -> None:
        with self.lock:
            self.writer.send({"op": "fair", "fair": self.fair, "modules": modules})

    def remarks(self) -> list[str]:
        """Say what an instructor should know about the assignment's tests."""
        said = remarks(self.unfit, self.fair, self.alone, self.late, self.named)
        if self.level != "namespaces":  # only there may a box read less than we
            return said
        return said + [
            f"{path} is closed to the user that answers run as, so no answer can read "
            f"it: chmod -R o+rX {path}, or unset COURSE_DATA if none needs it"
            for path in sandbox.closed(self.bundle.readable)
        ]


def is_late(notebook) -> bool:
    """Did a cell of it run out of time?"""
    outputs = (o for cell in notebook.cells for o in cell.get("outputs", ()))
    raised = (o for o in outputs if o.output_type == "error")
    return any(f"{o.ename}: {o.evalue}".startswith(SLOW) for o in raised)


def errors(notebook, names) -> dict[str, str]:
    """Return what each of these tests raised, "" for those that raised nothing."""
    found = dict.fromkeys(names, "")
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in found:
            raised = [o for o in cell.outputs if o.output_type == "error"]
            if raised:
                found[name] = f"{raised[0].ename}: {raised[0].evalue}"
    return found


def late_cells(notebook) -> list[str]:
    """Return the cells of answers that ran out of time, by name."""
    return [
        cell.metadata.get("nbgrader", {}).get("grade_id", "without a name")
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "error" and output.ename == "TimeIsUp"
        if not cell.metadata.get("nbgrader", {}).get("grade")
    ]


def zygote(bundle: Bundle, where: int | str) -> list[str]:
    """Return the arguments of Python that start a warm process."""
    steps = [step for one in bundle.lessons.values() for step in plan(one).steps]
    source = "".join(step.source for step in steps)
    ahead = [module for text, module in AHEAD.items() if re.search(text, source)]
    given = (modules(step.source) for step in steps if step.kind == "given")
    own = {Path(name).parts[0].removesuffix(".py") for name in bundle.files}
    found = dict.fromkeys(name for names in given for name in names)
    ahead += [name for name in found if name.partition(".")[0] not in own]
    return ["-m", f"{__package__}.zygote", str(where), *ahead]


def container_command(bundle: Bundle, jobs: int, name: str) -> list[str]:
    """Return the command that runs a warm process in docker or podman."""
    limits = bundle.options.get("limits", {})
    policy = sandbox.Policy(**{"read": tuple(bundle.readable), **limits})
    settings = {"PYTHONPATH": ROOT, **SETTINGS}
    if os.environ.get("COURSE_DATA"):
        settings["COURSE_DATA"] = os.path.abspath(os.environ["COURSE_DATA"])
    worker = ["env", *(f"{name}={value}" for name, value in settings.items())]
    worker += ["python3", *zygote(bundle, "stdio")]
    image = bundle.options.get("image", sandbox.container.IMAGE)
    return sandbox.container.command(policy, worker, image, jobs=jobs, name=name)


__all__ = ["Died", "Engine"]
