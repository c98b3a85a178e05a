"""S: the process that runs a student's code. It computes, and judges nothing.

It answers requests of T over one socket: run a cell, call a function, differentiate.
What it says is believed by nobody: T checks every size and takes plain data only.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import socket
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course_lib.check import forbidden

from .crossing_s import Exporter, FromT, Importer
from .folder import Folder
from .operations import OPERATIONS
from .plain import Decoder, Encoder
from .shared import Shared, graph_of
from .shell import Shell, TimeIsUp, captured, time_limit
from .wire import Channel, Gone, Malformed

MESSAGE = 10_000  # characters of an exception's text


class Student:
    """The student's names, the objects T holds handles of, and the socket to T."""

    def __init__(self, shell: Shell, channel: Channel, folder: Path):
        self.shell, self.channel = shell, channel
        self.folder = Folder(folder)
        self.objects: dict[int, object] = {}  # by handle
        self.handles: dict[int, int] = {}  # by id
        self.exported: dict[int, Shared] = {}  # tensors T has copies of, by handle
        self.modules: dict[int, bool] = {}  # handle: was it in train mode?
        self.graphs: dict[int, tuple[list, list]] = {}  # call: inputs, outputs
        self.cutting = False  # T asks for a derivative: stop at what T passed in

    def serve(self) -> None:
        """Answer requests until T hangs up."""
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
            with time_limit(message["seconds"]):
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
        late = isinstance(result.error_in_exec, TimeIsUp)
        parts: list = []
        self.give_files(answer, parts)
        return answer | {"late": late}, parts

    def on_names(self, message: dict, blobs: list) -> tuple[dict, list]:
        """Answer with the values of those names that are there."""
        space, to = self.shell.user_ns, Exporter(self, {})
        found = {n: to.node(space[n]) for n in message["names"] if n in space}
        return {"values": found}, to.blobs

    def on_bind(self, message: dict, blobs: list) -> tuple[dict, list]:
        """Bind and delete names, as a test does in a notebook with one kernel."""
        of = Importer(self, blobs, message)
        for name, node in message["names"].items():
            self.shell.user_ns[name] = of.value(node)
        for name in message["gone"]:
            self.shell.user_ns.pop(name, None)
        return {}, []

    def on_invoke(self, message: dict, blobs: list) -> tuple[dict, list]:
        """Apply an operation to values; answer with its value and all that changed."""
        self.take_files(message, blobs)
        of = Importer(self, blobs, message)
        args, kwargs = of.value(message["args"]), of.value(message["kwargs"])
        function = OPERATIONS[message["f"]]
        before = [Shared(value) for value in of.made.values()]
        answer: dict = {}
        to = Exporter(self, of.made)
        with captured(self.shell) as outputs, warned() as seen, self.setting(message):
            try:
                with forbidden.enforced(message["rules"]) as broken:
                    result = function(*args, **kwargs)
                answer["value"] = to.node(result)
            except BaseException as error:
                answer["error"] = self.told(error)
        if broken:
            answer["rule"] = broken[0]
        answer["out"] = "".join(o.get("text", "") for o in outputs)[:MESSAGE]
        answer["warnings"] = seen
        answer["changed"] = [
            {"i": n, "v": change}
            for n, shared in zip(of.made, before, strict=True)
            if (change := shared.change(to)) is not None
        ]
        answer["sync"] = self.out_of_step(to)
        self.keep_graph(message, of, to, answer)
        parts = to.blobs
        self.give_files(answer, parts)
        return answer, parts

    def on_modules(self, message: dict, blobs: list) -> tuple[dict, list]:
        """Answer which modules are imported; asked of the model solution alone."""
        return {"modules": installed()}, []

    def on_vjp(self, message: dict, blobs: list) -> tuple[dict, list]:
        """Answer with the gradients of a call's inputs, given those of its outputs."""
        inputs, outputs = self.graphs[message["call"]]
        grads = Decoder(blobs).value(message["grads"])
        pairs = [
            (outputs[n], g)
            for n, g in zip(message["outs"], grads, strict=True)
            if g is not None
        ]
        self.cutting = True
        try:
            found = torch.autograd.grad(
                [output for output, _ in pairs],
                inputs,
                [g for _, g in pairs],
                retain_graph=message["keep"],
                allow_unused=True,
            )
        finally:
            self.cutting = False
        to = Encoder()
        return {"grads": to.node(list(found))}, to.blobs

    def on_drop(self, message: dict, blobs: list) -> tuple[dict, list]:
        """Forget what T does not hold any more."""
        for handle in message["handles"]:
            value = self.objects.pop(handle, None)
            self.handles.pop(id(value), None)
            self.exported.pop(handle, None)
            self.modules.pop(handle, None)
        for call in message["calls"]:
            self.graphs.pop(call, None)
        return {}, []

    # --- what surrounds a call --------------------------------------------------------

    @contextlib.contextmanager
    def setting(self, message: dict):
        """Compute under T's gradient mode, default type and random state."""
        of = message["setting"]
        if of["random"] is not None:
            torch_state, numpy_state, python_state = pickle.loads(
                bytes(self.blobs_of_message[of["random"]])
            )
            torch.set_rng_state(torch_state)
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)
        torch.set_default_dtype(getattr(torch, of["dtype"]))
        with torch.set_grad_enabled(of["grad"]):
            yield

    def take_files(self, message: dict, blobs: list) -> None:
        self.blobs_of_message = blobs
        changed, gone = message["files"]
        data = {name: bytes(blobs[place]) for name, place in changed.items()}
        self.folder.apply(data, gone)

    def give_files(self, answer: dict, parts: list) -> None:
        changed, gone = self.folder.changes()
        places = {}
        for name, data in changed.items():
            places[name] = len(parts)
            parts.append(data)
        answer["files"] = [places, gone]

    def told(self, error: BaseException) -> dict:
        """Describe an exception; its class by the handle that T has of it, if any."""
        return _told(error) | {"h": self.handles.get(id(type(error)))}

    def handle(self, value) -> int:
        """Return the handle of an object; it lives until T drops it."""
        if id(value) not in self.handles:
            number = len(self.handles) + 1
            while number in self.objects:
                number += 1
            self.handles[id(value)], self.objects[number] = number, value
        return self.handles[id(value)]

    def out_of_step(self, to: Exporter) -> list:
        """Return the new state of tensors and modules that T has copies of."""
        found = []
        for number, shared in list(self.exported.items()):
            change = shared.change(to)
            if change is not None:
                found.append({"h": number, "v": change})
        for number, mode in self.modules.items():
            module = self.objects[number]
            if module.training != mode:
                self.modules[number] = module.training
                found.append({"h": number, "training": module.training})
        return found

    def keep_graph(self, message, of: Importer, to: Exporter, answer: dict) -> None:
        """Remember what the result was computed from, for `on_vjp`."""
        if not to.outputs:
            return
        leaves, nodes = graph_of(to.outputs)
        passed = [
            (n, value)
            for n, value in of.made.items()
            if isinstance(value, Tensor)
            and value.requires_grad
            and (id(value) in leaves or value.grad_fn in nodes)
        ]
        own = [
            (number, shared.value)
            for number, shared in self.exported.items()
            if id(shared.value) in leaves and shared.value.is_leaf
        ]
        inputs = [value for _, value in passed] + [value for _, value in own]
        self.graphs[message["call"]] = inputs, list(to.outputs)
        answer["inputs"] = [[n for n, _ in passed], [number for number, _ in own]]

    def from_t(self, number: int, data: Tensor, leaves: list[Tensor]) -> Tensor:
        """Return a tensor whose gradients T works out, back to the leaves it passed."""
        others = torch.zeros((), requires_grad=True)
        return FromT.apply(self, number, data, others, *leaves)


@contextlib.contextmanager
def warned():
    """Gather warnings as [category, text]."""
    seen: list = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield seen
        finally:
            seen += [
                [_builtin(w.category), str(w.message)[:MESSAGE]] for w in caught[:100]
            ]


def installed() -> list[str]:
    """Return the imported modules of the environment, not those of the work folder."""
    here = str(Path.cwd())
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and not file.startswith(here) and not name.startswith("__"):
            found.append(name)
    return found


def flush() -> None:
    """Show the figures that a cell has drawn, as a kernel does."""
    from IPython import get_ipython

    get_ipython().events.trigger("post_execute")


def _builtin(kind: type) -> str:
    """Return the name of the nearest builtin class."""
    near = [base for base in kind.__mro__ if base.__module__ == "builtins"]
    return near[0].__name__ if near else "Exception"


def _told(error: BaseException) -> dict:
    """Say what was raised: class, nearest builtin class, text, the student's line."""
    try:
        text = str(error)[:MESSAGE]
    except BaseException:
        text = ""
    lines = []
    for frame in traceback.extract_tb(error.__traceback__)[-50:]:
        if (
            frame.filename.startswith("<ipython-input")
            or "ipykernel_" in frame.filename
        ):
            lines.append(
                f"line {frame.lineno} of {frame.name}: {frame.line or ''}"[:300]
            )
    kind = type(error)
    return {
        "class": str(kind.__name__)[:200],
        "builtin": _builtin(kind),
        "module": str(kind.__module__)[:200],
        "text": text,
        "lines": lines[-5:],
        "late": isinstance(error, TimeIsUp),
    }


def main(end: socket.socket, shell: Shell, files: dict[str, bytes]) -> None:
    """Be S: write the student's files into the present folder, and serve."""
    here = Path.cwd()
    folder = Folder(here)
    folder.apply(files, [])
    sys.path.insert(0, str(here))
    os.environ["PWD"] = str(here)
    torch.set_num_threads(1)
    Student(shell, Channel(end), here).serve()
