"""The process that students' processes are forked from; it has never seen a test."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

import numpy  # noqa: F401  (these are what is warm)

from course_grader import sandbox
from course_lib.errors import CourseError

from .answering import student
from .common.folder import Folder
from .common.shell import Shell, captured
from .common.warm import import_all, keep_all, practise
from .common.wire import Channel, Gone, Late, Malformed

REPLY = 60.0  # seconds within which a process of the grader's own must answer
BEHIND = 1  # how far a student's process stands back: little, limits are wall-clock


class Nursery:
    """The process that students' processes are forked from, seen from the main one."""

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
        self.asked = 0  # requests so far; each answer has its request's number

    def ask(
        self,
        blobs: list = (),
        fd: int | None = None,
        seconds: float = REPLY,
        **message,
    ) -> dict:
        """Send a request, with a descriptor if there is one, and return the answer.

        CourseError if there is none within `seconds`, or says what went wrong.
        """
        self.asked += 1
        self.channel.send(message | {"number": self.asked}, blobs)
        if fd is not None:
            socket.send_fds(self.end, [b"."], [fd])
        try:
            answer = self._answer(time.monotonic() + seconds)
        except Late:
            raise CourseError(
                f"the grader's own process did not {message['op']} within "
                f"{seconds:.0f} s: give it less to do at a time, or grade again."
            ) from None
        if "error" in answer:
            raise CourseError(answer["error"])
        return answer

    def _answer(self, deadline: float) -> dict:
        """Return the answer to the last request, not one that comes late."""
        while True:
            answer, _ = self.channel.receive(deadline)
            if answer["number"] == self.asked:
                return answer
            if "box" in answer:  # nobody waits for it any more
                end = {"op": "end", "box": answer["box"], "number": 0}
                self.channel.send(end)


def nursery(end: socket.socket, shell: Shell) -> None:
    """Serve the main process: get warm, fork a student's process, end one."""
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
                read = {"read": tuple(facts["read"]), "nice": BEHIND}
                policy = sandbox.Policy(**facts | read)
                level = message["level"]
                names = message["files"]
                files = {n: bytes(b) for n, b in zip(names, blobs, strict=True)}
                shell.translate(message["shown"])
                warm(shell, message["cells"], files)
                answer = {}
            elif message["op"] == "start":
                _, fds, _, _ = socket.recv_fds(end, 1, 1)
                number = max(boxes, default=0) + 1
                boxes[number] = start_student(policy, level, fds[0], shell, files)
                answer = {"box": number, "pid": boxes[number].pid}
            elif message["op"] == "import":
                import_all(message["modules"])
                answer = {}
            else:
                box = boxes.pop(message["box"])
                box.kill()
                answer = box.usage()._asdict()
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        channel.send(answer | {"number": message["number"]})


def start_student(policy, level, fd: int, shell: Shell, files) -> sandbox.Box:
    """Fork a student's process that talks over `fd`."""

    def run() -> None:
        student.main(socket.socket(fileno=fd), shell, files)

    try:
        return sandbox.start(policy, run, keep=[fd], level=level)
    finally:
        os.close(fd)


def warm(shell: Shell, cells: list[str], files: dict[str, bytes]) -> None:
    """Run the given cells once for what they import and load; forget their names."""
    with contextlib.suppress(CourseError):  # it is said to who keeps a rule
        practise()
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
    keep_all()
