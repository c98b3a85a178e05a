"""The warm process: `python -m course_lib.grading.engine.zygote FD`.

It imports PyTorch once and forks S and T of each submission from two copies of itself:
the one that S comes from has never seen a test. It runs on one thread, so that it may
fork, and serves any number of submissions at a time.
"""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import selectors
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

from ...errors import CourseError
from ...notebook import NOTEBOOKS, ROOT
from .. import sandbox
from ..bundle import Bundle, Submission
from . import guard, student
from .folder import Folder
from .judge import Judge
from .plan import Plan, plan
from .shell import Shell, captured, make
from .wire import Channel, Gone, Late, Malformed

FACTS = "seconds", "notes", "used", "modules"
REPLY = 60.0  # seconds within which a process of the grader's own must answer


@dataclass
class Job:
    """A notebook that is being graded."""

    number: int
    submission: Submission
    lesson: str
    control: socket.socket
    judge: sandbox.Box
    ends: float  # time.monotonic() at which it is given up
    student: int | None = None  # number of its S in the nursery
    start: float = field(default_factory=time.perf_counter)


class Nursery:
    """The process that S's are forked from, seen from the main one."""

    def __init__(self, shell: Shell):
        ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            try:
                nursery(theirs, shell)
            finally:
                os._exit(0)
        theirs.close()
        self.end = ours
        self.channel = Channel(ours)

    def ask(self, blobs: list = (), fd: int | None = None, **message) -> dict:
        """Send a request, with a descriptor if there is one, and return the answer."""
        self.channel.send(message, blobs)
        if fd is not None:
            socket.send_fds(self.end, [b"."], [fd])
        answer, _ = self.channel.receive(time.monotonic() + REPLY)
        if "error" in answer:
            raise CourseError(answer["error"])
        return answer


def nursery(end: socket.socket, shell: Shell) -> None:
    """Serve the main process: get warm, fork an S, end one."""
    channel, boxes, policy, level = Channel(end), {}, None, None
    files: dict[str, bytes] = {}
    while True:
        try:
            message, blobs = channel.receive()
        except (Gone, Malformed):
            for box in boxes.values():
                box.kill()
            return
        try:
            if message["op"] == "warm":
                facts = message["policy"]
                policy = sandbox.Policy(**facts | {"read": tuple(facts["read"])})
                level = message["level"]
                names = message["files"]
                files = {n: bytes(b) for n, b in zip(names, blobs, strict=True)}
                warm(shell, message["cells"], files)
                answer = {}
            elif message["op"] == "start":
                _, fds, _, _ = socket.recv_fds(end, 1, 1)
                number = max(boxes, default=0) + 1
                boxes[number] = start_student(policy, level, fds[0], shell, files)
                answer = {"box": number}
            elif message["op"] == "import":
                import_all(message["modules"])
                answer = {}
            else:
                box = boxes.pop(message["box"])
                box.kill()
                used = box.usage()
                answer = {"cpu": used.cpu, "memory": used.memory}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        channel.send(answer)


def start_student(policy, level, fd: int, shell: Shell, files) -> sandbox.Box:
    """Fork an S that talks over `fd`."""

    def run() -> None:
        student.main(socket.socket(fileno=fd), shell, files)

    try:
        return sandbox.start(policy, run, keep=[fd], level=level)
    finally:
        os.close(fd)


def warm(shell: Shell, cells: list[str], files: dict[str, bytes]) -> None:
    """Run the given cells once for what they import and load; forget their names."""
    before, path = os.getcwd(), list(sys.path)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Folder(Path(folder)).apply(files, [])
        sys.path.insert(0, folder)
        known = set(sys.modules)
        with captured(shell):
            for cell in cells:
                shell.run_cell(cell, store_history=False)
            shell.reset(new_session=True)
        for name in set(sys.modules) - known:  # a student may hand in another one
            file = getattr(sys.modules[name], "__file__", None) or ""
            if file.startswith(folder):
                del sys.modules[name]
        os.chdir(before)
    sys.path[:] = path
    gc.collect()
    gc.freeze()


def import_all(names: list[str]) -> None:
    """Import modules, so that no submission has to."""
    for name in names:
        if name not in sys.modules:
            with suppress(Exception):
                importlib.import_module(name)
    gc.collect()
    gc.freeze()


class Zygote:
    """The main process: it holds the assignment, forks T's and hands them their S's."""

    def __init__(self, reader: Connection, writer: Connection):
        self.reader, self.writer = reader, writer
        self.shell = make()
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
        self.plans = {n: plan(lesson) for n, lesson in bundle.lessons.items()}
        read = [str(Path(__file__).parents[2]), str(NOTEBOOKS), str(ROOT / "data")]
        read += [os.environ[k] for k in ("COURSE_DATA",) if os.environ.get(k)]
        read += map(str, bundle.options.get("read", ()))
        limits = bundle.options.get("limits", {})
        read = [path for path in read if os.path.exists(path)]
        policy = {"read": read, **limits}
        Folder(self.folder).apply(bundle.files, [])
        for path in self.folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        self.policy = sandbox.Policy(
            read=(*read, str(self.folder)), memory=4 << 30, scratch=512 << 20
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
            files=list(bundle.files),
        )
        sys.path.insert(0, str(self.folder))
        before = os.getcwd()
        os.chdir(self.folder)
        with captured(self.shell):
            for cell in cells:
                self.shell.run_cell(cell, store_history=False)
        os.chdir(before)
        gc.collect()
        gc.freeze()

    def serve(self) -> None:
        """Take jobs and give verdicts until the other end hangs up."""
        while True:
            for key, _ in self.selector.select(timeout=1):
                if key.fileobj is self.reader:
                    try:
                        self.take(self.reader.recv())
                    except (EOFError, OSError):
                        return
                elif key.data in self.jobs:
                    self.listen(self.jobs[key.data])
            for job in list(self.jobs.values()):
                if time.monotonic() > job.ends:
                    self.finish(job, reason="grading it took longer than may be")

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
            self.writer.send((number, {"reason": str(error), "grader": True}))
            return
        finally:
            theirs.close()
        ends = time.monotonic() + self.bundle.options.get("seconds", 1800)
        self.jobs[number] = Job(number, submission, lesson, ours, box, ends)
        self.selector.register(ours, selectors.EVENT_READ, number)

    def listen(self, job: Job) -> None:
        """Serve a T: a new S, or its result."""
        try:
            deadline = time.monotonic() + REPLY
            message, blobs = Channel(job.control).receive(deadline)
            if message["op"] == "connect":
                self.connect(job)
                return
            result = {k: message[k] for k in FACTS}
            result["notebook"] = bytes(blobs[0])
            self.finish(job, result)
        except (Gone, Late, Malformed, KeyError, OSError, CourseError) as error:
            reason = f"the process that tests the answers ended ({error})"
            self.finish(job, reason=f"{reason}: look at what they return")

    def connect(self, job: Job) -> None:
        """Give a T a fresh S, and end the S it had."""
        self.end_student(job)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            answer = self.nursery.ask(fd=theirs.fileno(), op="start")
            job.student = answer["box"]
            socket.send_fds(job.control, [b"."], [ours.fileno()])

    def end_student(self, job: Job) -> dict:
        if job.student is None:
            return {"cpu": 0.0, "memory": 0}
        box, job.student = job.student, None
        return self.nursery.ask(op="end", box=box)

    def finish(self, job: Job, result: dict | None = None, reason: str = "") -> None:
        """End a job's processes and send what came of it."""
        self.selector.unregister(job.control)
        job.control.close()
        job.judge.kill()
        used, own = self.end_student(job), job.judge.usage()
        cost = {"cpu": used["cpu"] + own.cpu, "memory": max(used["memory"], own.memory)}
        cost["wall"] = time.perf_counter() - job.start
        del self.jobs[job.number]
        answer = {"cost": cost, "reason": reason, "grader": bool(reason)}
        self.writer.send((job.number, answer | (result or {})))


def judge_main(
    zygote: Zygote, control: socket.socket, submission, lesson, fair
) -> None:
    """Be T: grade one notebook and report."""
    channel = Channel(control)
    bundle = zygote.bundle

    def connect() -> socket.socket:
        channel.send({"op": "connect"})
        control.settimeout(REPLY)
        _, fds, _, _ = socket.recv_fds(control, 1, 1)
        if not fds:
            raise Gone("there is no new process for the student")
        return socket.socket(fileno=fds[0])

    folder = Folder(Path.cwd())
    folder.apply(submission.files, [])
    folder.apply(bundle.files, [])
    torch.set_num_threads(1)
    guard.against_pickles()
    judge = Judge(
        zygote.plans[lesson],
        zygote.shell,
        connect,
        cell_seconds=bundle.cell_seconds,
        files=submission.files | bundle.files,
        released=frozenset(bundle.files),
        fair=fair,
        rules=bundle.options.get("forbidden", {}),
        warm=zygote.warmed,
    )
    notebook = judge.run(submission.notebooks[lesson])
    text = nbformat.v4.writes(notebook).encode("utf-8", "replace")  # lone surrogates
    facts = {"seconds": judge.seconds, "notes": judge.notes, "used": judge.used}
    facts["modules"] = judge.modules() if fair is None else []
    channel.send({"op": "done", **facts}, [text])


def main(where: str) -> None:
    """Serve over an inherited socket or "stdio": first the bundle, then jobs."""
    torch.set_num_threads(1)
    here = {"", os.getcwd()}
    sys.path[:] = [path for path in sys.path if path not in here]
    if where == "stdio":
        reader = Connection(os.dup(0), writable=False)
        writer = Connection(os.dup(1), readable=False)
        os.dup2(2, 1)  # what anything prints is no verdict
    else:
        reader = writer = Connection(int(where))
    zygote = Zygote(reader, writer)
    bundle, level = pickle.loads(reader.recv_bytes())
    try:
        zygote.prepare(bundle, level)
    except Exception as error:
        writer.send(("failed", f"{type(error).__name__}: {error}"))
        return
    writer.send(("ready", zygote.level))
    with suppress(KeyboardInterrupt):
        zygote.serve()


if __name__ == "__main__":
    main(sys.argv[1])
