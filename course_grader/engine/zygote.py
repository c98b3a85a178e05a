"""The warm process: `python -m course_grader.engine.zygote FD [MODULE ...]`.

It imports PyTorch once and forks the judge's and the student's process of each
submission from two copies of itself: the one that students' processes come from has
never seen a test. It runs on one thread, so that it may fork, and serves any number of
submissions at a time.
"""

# ruff: noqa: E402
from __future__ import annotations

import gc

gc.disable()  # imports leave no garbage, and looking for it takes time

import os
import pickle
import selectors
import shutil
import socket
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import nbformat
import numpy  # noqa: F401  (these are what is warm)
import torch

from course_grader import sandbox
from course_grader.assignment.bundle import Bundle, Submission
from course_lib.check import dispatched, forbidden
from course_lib.errors import CourseError

from .common import waiting
from .common.folder import Folder
from .common.shell import MOST, captured, make
from .common.warm import import_all, keep_all, practise
from .common.wire import Channel, Gone, Late, Malformed
from .judging import guard, layers, programs
from .judging.judge import Judge
from .judging.oracles import comparisons
from .nursery import REPLY, Nursery
from .plan import Plan, plan

FACTS = "seconds", "notes", "used", "modules"


@dataclass
class Job:
    """A notebook that is being graded."""

    number: int
    submission: Submission
    lesson: str
    control: socket.socket
    judge: sandbox.Box
    ends: float  # time.monotonic() at which it is given up
    student: int | None = None  # number of the student's process in the nursery
    cpu: float = 0.0  # seconds of processes that have ended
    memory: int = 0  # bytes, of the largest of them
    waited: float = 0.0  # seconds that they stood in the queue for a CPU
    taken: bool = False  # was one ended, or not to be had, through no doing of theirs?
    start: float = field(default_factory=time.perf_counter)

    def add(self, cpu: float, memory: int, waited: float, taken: bool) -> None:
        """Note what one of the job's processes has used, now that it has ended."""
        self.cpu, self.memory = self.cpu + cpu, max(self.memory, memory)
        self.waited, self.taken = self.waited + waited, self.taken or taken


class Zygote:
    """The main process: it holds the assignment and forks judges, one for each job."""

    def __init__(self, reader: Connection, writer: Connection, ahead=()):
        self.reader, self.writer = reader, writer
        self.shell = make()
        import_all(ahead)  # after `make`, which says how figures are drawn
        self.nursery = Nursery(self.shell)
        self.jobs: dict[int, Job] = {}
        self.selector = selectors.DefaultSelector()
        self.selector.register(reader, selectors.EVENT_READ)
        self.folder = Path(tempfile.mkdtemp(prefix="course-released-"))
        self.folder.chmod(0o755)
        self.fair: dict | None = None

    def prepare(self, bundle: Bundle, level: str | None) -> None:
        """Take an assignment in: analyse its cells, warm up, on both sides."""
        self.bundle, self.level = bundle, level or sandbox.best()
        dispatched.recorder()  # CourseError: no rule could be kept
        for names in bundle.options.get("forbidden", {}).values():
            for name in names:
                forbidden.find(name)  # LookupError: a rule that would be none
        self.plans = {n: plan(one).work_out() for n, one in bundle.lessons.items()}
        sources = {s.source for p in self.plans.values() for s in p.steps}
        self.shell.translate(sources)
        for source in sources:
            comparisons(source)
        read = bundle.readable
        policy = {"read": read, **bundle.options.get("limits", {})}
        Folder(self.folder).apply(bundle.files, [])
        for path in self.folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        self.policy = sandbox.Policy(
            read=(*read, str(self.folder)),
            memory=4 << 30,
            scratch=512 << 20,
            processes=1024,  # with one user for both sides, the student's count, too
        )
        alone = next(iter(self.plans.values())) if len(self.plans) == 1 else Plan([])
        self.warmed = {i for i in alone.warm}
        cells = [alone.steps[i].source for i in alone.warm]
        self.nursery.ask(
            list(bundle.files.values()),
            op="warm",
            policy=policy,
            level=self.level,
            cells=cells,
            shown=[c.source for one in bundle.lessons.values() for c in one.shown],
            files=list(bundle.files),
            seconds=REPLY + len(cells) * bundle.cell_seconds,
        )
        sys.path.insert(0, str(self.folder))
        before = os.getcwd()
        os.chdir(self.folder)
        with captured(self.shell):
            for cell in cells:
                self.shell.run_cell(cell, store_history=False)
        os.chdir(before)
        practise()
        keep_all()

    def serve(self) -> None:
        """Take jobs and give verdicts until the other end hangs up."""
        while True:
            for key, _ in self.selector.select(timeout=1):
                if key.fileobj is self.reader:
                    try:
                        message = self.reader.recv()
                    except (EOFError, OSError):
                        return
                    if message["op"] == "end":
                        return
                    self.take(message)
                elif key.data in self.jobs:
                    self.listen(self.jobs[key.data])
            for job in list(self.jobs.values()):
                if time.monotonic() > job.ends:
                    seconds = f"{self.bundle.seconds:.0f} s that a notebook may take"
                    words = "grading it took longer than the"
                    self.finish(job, reason=f"{words} {seconds}, and did not stop")

    def take(self, message: dict) -> None:
        """Begin a job, or learn what the model solution needed."""
        if message["op"] == "fair":
            self.fair = message["fair"]
            for mine, theirs in message["modules"]:
                import_all(mine)
                self.nursery.ask(op="import", modules=theirs)
            return
        ours, theirs = socket.socketpair()
        number, submission = message["number"], message["submission"]
        lesson, fair = message["lesson"], self.fair if message["fair"] else None

        def run() -> None:
            judge_main(self, theirs, submission, lesson, fair)

        try:
            box = sandbox.start(self.policy, run, [theirs.fileno()], self.level)
        except CourseError as error:
            facts = {"reason": str(error), "grader": True, "taken": True}
            self.writer.send((number, facts))
            return
        finally:
            theirs.close()
        # the judge stops by itself before; a cell under way is waited for
        seconds = 2 * self.bundle.seconds + (1 + MOST) * self.bundle.cell_seconds
        ends = time.monotonic() + seconds + REPLY
        self.jobs[number] = Job(number, submission, lesson, ours, box, ends)
        self.selector.register(ours, selectors.EVENT_READ, number)

    def listen(self, job: Job) -> None:
        """Serve a judge: a new process of the student's, or its result."""
        try:
            deadline = time.monotonic() + REPLY
            message, blobs = Channel(job.control).receive(deadline)
            if message["op"] == "connect":
                self.connect(job)
                return
            result = {k: message[k] for k in FACTS}
            result["notebook"] = bytes(blobs[0])
            self.finish(job, result)
        except CourseError as error:  # the machine's: no box, or no answer
            job.taken = True
            self.finish(job, reason=str(error))
        except (Gone, Late, Malformed, KeyError, OSError) as error:
            reason = f"the process that tests the answers ended ({error})"
            self.finish(job, reason=f"{reason}: look at what they return")

    def connect(self, job: Job) -> None:
        """Give a judge a fresh process of the student's, and end the one it had."""
        self.end_student(job)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            answer = self.nursery.ask(fd=theirs.fileno(), op="start")
            job.student = answer["box"]
            schedule = waiting.opened(answer["pid"])
            fds = [ours.fileno(), *([] if schedule is None else [schedule])]
            socket.send_fds(job.control, [b"."], fds)
            for fd in fds[1:]:
                os.close(fd)

    def end_student(self, job: Job) -> None:
        """End a job's student's process, and note what it has used."""
        if job.student is not None:
            box, job.student = job.student, None
            used = self.nursery.ask(op="end", box=box)
            job.add(**{name: used[name] for name in sandbox.Usage._fields})

    def finish(self, job: Job, result: dict | None = None, reason: str = "") -> None:
        """End a job's processes and send what came of it."""
        self.selector.unregister(job.control)
        job.control.close()
        job.judge.kill()
        self.end_student(job)
        job.add(**job.judge.usage()._asdict())
        cost = {"cpu": job.cpu, "memory": job.memory}
        cost["wall"] = time.perf_counter() - job.start
        del self.jobs[job.number]
        answer = {"cost": cost, "reason": reason, "grader": bool(reason)}
        answer |= {"waited": job.waited, "taken": job.taken}
        self.writer.send((job.number, answer | (result or {})))


def judge_main(
    zygote: Zygote, control: socket.socket, submission, lesson, fair
) -> None:
    """Be the judge: grade one notebook and report."""
    channel = Channel(control)
    bundle = zygote.bundle

    def connect() -> tuple[socket.socket, int | None]:
        channel.send({"op": "connect"})
        control.settimeout(REPLY)
        _, fds, _, _ = socket.recv_fds(control, 1, 2)
        if not fds:
            raise Gone("there is no new process for the student")
        return socket.socket(fileno=fds[0]), fds[1] if fds[1:] else None

    folder = Folder(Path.cwd())
    folder.apply(submission.files, [])
    folder.apply(bundle.files, [])
    torch.set_num_threads(1)
    guard.against_pickles()
    programs.against_programs(Path.cwd(), frozenset(bundle.files))
    judge = Judge(
        zygote.plans[lesson],
        zygote.shell,
        connect,
        cell_seconds=bundle.cell_seconds,
        seconds=bundle.seconds,
        files=submission.files | bundle.files,
        released=frozenset(bundle.files),
        fair=fair,
        rules=bundle.options.get("forbidden", {}),
        warm=zygote.warmed,
        secret=bundle.options.get("secret", b""),
    )
    layers.obey_rules(lambda: judge.link)
    notebook = judge.run(submission.notebooks[lesson])
    text = nbformat.v4.writes(notebook).encode("utf-8", "replace")  # lone surrogates
    facts = {"seconds": judge.seconds, "notes": judge.notes, "used": judge.used}
    facts["modules"] = judge.modules() if fair is None else []
    channel.send({"op": "done", **facts}, [text])


def main(where: str, *ahead: str) -> None:
    """Serve over an inherited socket or "stdio": first the bundle, then jobs.

    ahead: modules to import before the first fork, which both copies will need.
    """
    torch.set_num_threads(1)
    here = {"", os.getcwd()}
    sys.path[:] = [path for path in sys.path if path not in here]
    if where == "stdio":
        reader = Connection(os.dup(0), writable=False)
        writer = Connection(os.dup(1), readable=False)
        os.dup2(2, 1)  # what anything prints is no verdict
    else:
        reader = writer = Connection(int(where))
    os.environ["NBGRADER_EXECUTION"] = "autograde"  # as nbgrader tells a notebook
    zygote = Zygote(reader, writer, ahead)
    bundle, level = pickle.loads(reader.recv_bytes())
    try:
        zygote.prepare(bundle, level)
    except CourseError as error:
        writer.send(("failed", str(error)))
        return
    except Exception as error:
        writer.send(("failed", f"{type(error).__name__}: {error}"))
        return
    writer.send(("ready", zygote.level))
    with suppress(KeyboardInterrupt):
        zygote.serve()
    shutil.rmtree(zygote.folder, ignore_errors=True)
    os._exit(0)  # its boxes go with it, and no library has anything to tidy up


if __name__ == "__main__":
    main(*sys.argv[1:])
