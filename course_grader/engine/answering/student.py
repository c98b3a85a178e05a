"""The process that runs a student's code. It computes, and judges nothing.

It answers the judge's requests over one socket: run a cell, call a function,
differentiate. What it says is believed by nobody: the judge checks every size and takes
plain data only.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from course_grader.engine.common import waiting
from course_grader.engine.common.folder import Folder
from course_grader.engine.common.plain import Decoder, Encoder
from course_grader.engine.common.shared import Shared
from course_grader.engine.common.shell import Shell, TimeIsUp, captured, time_limit
from course_grader.engine.common.warm import installed
from course_grader.engine.common.wire import Channel, Gone, Malformed
from course_lib.check import forbidden

from .crossing import Exporter, Importer
from .gradients import Graphs
from .objects import Objects
from .operations import OPERATIONS
from .telling import told, warned
from .watching import enforced, tell_of_threads


class Student:
    """The student's names, the objects the judge holds handles of, and the socket."""

    def __init__(self, shell: Shell, channel: Channel, folder: Path):
        self.shell, self.channel = shell, channel
        self.folder = Folder(folder)
        self.objects = Objects()
        self.graphs = Graphs(channel)

    def serve(self) -> None:
        """Answer requests until the judge hangs up."""
        while True:
            try:
                message, blobs = self.channel.receive()
            except (Gone, Malformed):
                return
            answer, parts = self.answer(message, blobs)
            try:
                self.channel.send(answer, parts)
            except Malformed as error:
                self.channel.send({"error": self.told(error)})

    def answer(self, message: dict, blobs: list) -> tuple[dict, list]:
        """Carry out one request; whatever goes wrong becomes part of the answer."""
        try:
            waited = waiting.since_now()
            with time_limit(message["seconds"], message["limit"], waited):
                handles, calls = message.get("dropped", ((), ()))
                self.objects.drop(handles)
                self.graphs.drop(calls)
                return getattr(self, f"on_{message['op']}")(message, blobs)
        except BaseException as error:
            return {"error": self.told(error)}, []

    def on_place(self, message: dict, blobs: list) -> tuple[dict, list]:
        """Take the student's files."""
        self.take_files(message, blobs)
        return {}, []

    def on_run(self, message: dict, blobs: list) -> tuple[dict, list]:
        """Run a cell; answer with its outputs."""
        self.take_files(message, blobs)
        with captured(self.shell) as outputs:
            result = self.shell.run_cell(message["source"], store_history=True)
            flush()
        answer = {"outputs": list(outputs), "failed": not result.success}
        answer["dtype"] = str(torch.get_default_dtype())[6:]
        late = isinstance(result.error_in_exec, TimeIsUp)
        parts: list = []
        self.give_files(answer, parts)
        return answer | {"late": late}, parts

    def on_names(self, message: dict, blobs: list) -> tuple[dict, list]:
        """Answer with the values of those names that are there."""
        self.objects.given |= set(message["given"])
        space, to = self.shell.user_ns, Exporter(self.objects, {})
        found = {n: to.node(space[n]) for n in message["names"] if n in space}
        return {"values": found}, to.blobs

    def on_bind(self, message: dict, blobs: list) -> tuple[dict, list]:
        """Bind and delete names, as a test does in a notebook with one kernel."""
        of = self.reader(message, blobs)
        for name, node in message["names"].items():
            self.shell.user_ns[name] = of.value(node)
        for name in message["gone"]:
            self.shell.user_ns.pop(name, None)
        return {}, []

    def on_invoke(self, message: dict, blobs: list) -> tuple[dict, list]:
        """Apply an operation to values; answer with its value and all that changed."""
        self.take_files(message, blobs)
        of = self.reader(message, blobs)
        args, kwargs = of.value(message["args"]), of.value(message["kwargs"])
        function = OPERATIONS[message["f"]]
        lazy = self.objects.lazy.get(self.objects.known(args[0]), {})
        before = {n: Shared(value) for n, value in of.made.items()} | lazy
        passed = {n: shared.value for n, shared in before.items()}
        answer: dict = {}
        to = Exporter(self.objects, passed)
        around = setting(message["setting"], blobs)
        with captured(self.shell) as outputs, warned() as seen, around:
            try:
                with enforced(message["rules"]) as broken:
                    result = function(*args, **kwargs)
            except BaseException as error:
                answer["error"] = self.told(error)
        if broken:
            answer["rule"] = broken[0]
        streams = [o for o in outputs if o["output_type"] == "stream"]
        answer["out"] = [[o["name"], o["text"]] for o in streams]
        answer["warnings"] = seen
        answer["changed"] = [
            {"i": n, "v": change}
            for n, shared in before.items()
            if (change := shared.change(to)) is not None
        ]
        answer["sync"] = self.objects.out_of_step(to)
        if "error" not in answer:  # last: it may name what has changed
            try:
                answer["value"] = to.node(result)
                if isinstance(result, Iterator):
                    self.objects.keep_passed(result, before)
            except BaseException as error:
                answer["error"] = self.told(error)
        if to.outputs:
            kept = message["call"], passed, to.outputs, self.objects
            answer["inputs"] = self.graphs.keep(*kept, message["rules"])
        parts = to.blobs
        self.give_files(answer, parts)
        return answer, parts

    def on_modules(self, message: dict, blobs: list) -> tuple[dict, list]:
        """Answer which modules are imported; asked of the model solution alone."""
        return {"modules": installed()}, []

    def on_vjp(self, message: dict, blobs: list) -> tuple[dict, list]:
        """Answer with the gradients of a call's inputs, given those of its outputs."""
        grads = Decoder(blobs).value(message["grads"])
        facts = message["call"], message["outs"], grads, message["keep"]
        to, found = Encoder(), None
        with enforced(self.graphs.rules(message["call"])) as broken:
            with contextlib.suppress(forbidden.Broken):
                found = self.graphs.differentiate(*facts)
        rule = broken[0] if broken else None
        return {"grads": to.node(found), "rule": rule}, to.blobs

    def reader(self, message: dict, blobs: list) -> Importer:
        space = self.shell.user_ns
        return Importer(self.objects, self.graphs, space, blobs, message)

    def take_files(self, message: dict, blobs: list) -> None:
        changed, gone = message["files"]
        data = {name: bytes(blobs[place]) for name, place in changed.items()}
        self.folder.apply(data | self.moved(data), gone)

    def moved(self, data: dict[str, bytes]) -> dict[str, bytes]:
        """Return the test's files by their names below where the student has gone."""
        inside = self.inside()
        return {f"{inside}/{name}": content for name, content in data.items() if inside}

    def inside(self) -> str:
        """Return the present folder below the work folder, "" if it is that."""
        here, root = os.getcwd(), self.folder.root
        if here == str(root) or not Path(here).is_relative_to(root):
            return ""
        return Path(here).relative_to(root).as_posix()

    def give_files(self, answer: dict, parts: list) -> None:
        changed, gone = self.folder.changes()
        inside = f"{self.inside()}/"
        if inside != "/":  # a test opens what lies there by its short name
            below = [name for name in changed if name.startswith(inside)]
            changed |= {name[len(inside) :]: changed[name] for name in below}
        places = {}
        for name, data in changed.items():
            places[name] = len(parts)
            parts.append(data)
        answer["files"] = [places, gone]

    def told(self, error: BaseException) -> dict:
        """Describe an exception, and its class by the handle that the judge has."""
        given = (
            kind.__qualname__
            for kind in type(error).__mro__
            if kind.__module__ == "__main__" and kind.__qualname__ in self.objects.given
        )
        facts = {"h": self.objects.known(type(error)), "given": next(given, None)}
        return told(error) | facts


@contextlib.contextmanager
def setting(of: dict, blobs: list):
    """Compute under the judge's gradient mode, default type and random state."""
    sys.modules.setdefault("torch", torch)  # an answer forgot it: PyTorch needs itself
    if of["random"] is not None:
        states = pickle.loads(bytes(blobs[of["random"]]))
        torch_state, (key, *rest), python_state = states
        torch.set_rng_state(torch.frombuffer(bytearray(torch_state), dtype=torch.uint8))
        key = np.frombuffer(key, np.uint32)
        np.random.set_state(("MT19937", key, *rest))  # noqa: NPY002
        random.setstate(python_state)
    own = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, of["dtype"]))
    try:
        with torch.set_grad_enabled(of["grad"]):
            yield
    finally:
        sys.modules.setdefault("torch", torch)
        torch.set_default_dtype(own)


def flush() -> None:
    """Show the figures that a cell has drawn, as a kernel does."""
    from IPython import get_ipython

    get_ipython().events.trigger("post_execute")


def main(end: socket.socket, shell: Shell, files: dict[str, bytes]) -> None:
    """Be the student's process: write the files into the present folder, and serve."""
    here = Path.cwd()
    folder = Folder(here)
    folder.apply(files, [])
    sys.path.insert(0, str(here))
    os.environ["PWD"] = str(here)
    torch.set_num_threads(1)
    tell_of_threads()
    Student(shell, Channel(end), here).serve()
