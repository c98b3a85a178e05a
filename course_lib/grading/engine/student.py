"""S: the process that runs a student's code. It computes, and judges nothing.

It answers requests of T over one socket: run a cell, call a function, differentiate.
What it says is believed by nobody: T checks every size and takes plain data only.
"""

from __future__ import annotations

import contextlib
import io
import math
import operator
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
from torch import Tensor, nn

from ... import forbidden
from .folder import Folder
from .plain import Decoder, Encoder, is_plain_tensor
from .shared import Shared, aliases, apply, graph_of, module_facts
from .shell import Shell, TimeIsUp, captured, time_limit
from .wire import Channel, Gone, Malformed

MESSAGE = 10_000  # characters of an exception's text
OPERATIONS = {
    "call": lambda function, *args, **kwargs: function(*args, **kwargs),
    "getattr": getattr,
    "setattr": setattr,
    "delattr": delattr,
    "iter": iter,
    "next": next,
    "len": len,
    "isinstance": isinstance,
    "str": str,
    "repr": repr,
    "float": float,
    "int": int,
    "complex": complex,
    "bool": bool,
    "hash": hash,
    "round": round,
    "enter": lambda value: type(value).__enter__(value),
    "exit": lambda value, *args: type(value).__exit__(value, *args),
    **{
        name: getattr(operator, name)
        for name in (
            "getitem setitem delitem contains index eq ne lt le gt ge add sub mul "
            "truediv floordiv mod pow matmul neg pos abs invert and_ or_ xor lshift "
            "rshift"
        ).split()
    },
}


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


class FromT(torch.autograd.Function):
    """The part of a graph that lies in T, seen from S."""

    @staticmethod
    def forward(ctx, student, number, data, others, *leaves):
        """`others` stands for all leaves that T has and did not pass."""
        ctx.student, ctx.number, ctx.leaves = student, number, len(leaves)
        ctx.others = torch.autograd.graph.get_gradient_edge(others).node
        ctx.save_for_backward(data.new_empty(0))
        return data.clone()

    @staticmethod
    def backward(ctx, grad):
        _ = ctx.saved_tensors  # raises when the graph was freed
        nothing = (None,) * ctx.leaves
        if ctx.student.cutting:
            return None, None, None, None, *nothing
        to = Encoder()
        question = {
            "callback": ctx.number,
            "grad": to.node(grad),
            "keep": torch._C._autograd._get_current_graph_task_keep_graph(),
            "others": torch._C._will_engine_execute_node(ctx.others),  # .backward()
        }
        ctx.student.channel.send(question, to.blobs)
        answer, blobs = ctx.student.channel.receive()
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return None, None, None, None, *Decoder(blobs).value(answer["grads"])


class Exporter(Encoder):
    """Encodes for T: objects it passed are named, all that is not plain is a handle."""

    def __init__(self, student: Student, passed: dict[int, object]):
        super().__init__()
        self.student = student
        self.passed = {id(value): (value, n) for n, value in passed.items()}
        self.outputs: list[Tensor] = []
        self.memory = {
            aliases(value): n
            for value, n in self.passed.values()
            if isinstance(value, Tensor) and not value.requires_grad
        }

    def special(self, value):
        if id(value) in self.passed:
            return {"k": "yours", "i": self.passed[id(value)][1]}
        number = self.student.handles.get(id(value))
        if number in self.student.exported or number in self.student.modules:
            return {"k": "own", "h": number}
        if isinstance(value, nn.Module):
            return self.module(value)
        if type(value) is Tensor and not value.requires_grad:
            number = self.memory.get(aliases(value) or 0)
            if number is not None:
                return {"k": "yours", "i": number}
        return None

    def tensor(self, value: Tensor) -> dict:
        node = super().tensor(value)
        if value.requires_grad and not value.is_leaf:
            node["out"] = len(self.outputs)
            self.outputs.append(value)
        elif value.requires_grad:
            self.export(value, node)
        return node

    def export(self, value: Tensor, node: dict) -> dict:
        """Let T have a copy that is kept in step with this tensor."""
        number = self.student.handle(value)
        self.student.exported[number] = Shared(value)
        gradient = None if value.grad is None else self.node(value.grad)
        node.update(h=number, g=gradient)
        return node

    def member(self, value: Tensor | None):
        """Return the node of a module's tensor."""
        if value is None or not is_plain_tensor(value):
            return None
        if id(value) in self.seen:
            return {"k": "ref", "i": self.seen[id(value)][0]}
        return self.special(value) or self.export(value, Encoder.tensor(self, value))

    def module(self, module: nn.Module) -> dict:
        """Describe a module: class, tensors, children and plain attributes."""
        number = self.student.handle(module)
        self.student.modules[number] = bool(module.training)
        return module_facts(self, module) | {"k": "module", "h": number}

    def other(self, value) -> dict:
        facts = {"k": "handle", "h": self.student.handle(value), "t": "object"}
        kind = value if isinstance(value, type) else type(value)
        facts["class"] = str(kind.__qualname__)[:200]
        if isinstance(value, type):
            facts["t"] = "class"
            facts["bases"] = _known_bases(value)
        elif callable(value):
            facts["t"] = "callable"
        for word in ("__name__", "__doc__"):
            text = getattr(value, word, None) if callable(value) else None
            facts[word] = text[:MESSAGE] if isinstance(text, str) else None
        return facts


class Importer(Decoder):
    """Decodes what T sends: plain data, pickles, and references to S's own objects."""

    most = math.inf

    def __init__(self, student: Student, blobs: list, message: dict):
        super().__init__(blobs)
        self.student = student
        for number, change in message.get("sync", []):
            apply(student.objects[number], change, self)
            if number in student.exported:
                student.exported[number] = Shared(student.objects[number])
        for node in message.get("tensors", []):
            self.value(node)

    def other(self, node):
        return getattr(self, f"read_{node['k']}")(node)

    def tensor(self, node) -> Tensor:
        value = super().tensor(node | {"grad": False})
        if node.get("param"):
            value = nn.Parameter(value, requires_grad=bool(node.get("grad")))
        elif node.get("reach") is not None:
            leaves = [self.made[n] for n in node["reach"]]
            with torch.enable_grad():
                value = self.student.from_t(node["i"], value, leaves)
        elif node.get("grad"):
            value.requires_grad_(True)
        if node.get("g") is not None:
            value.grad = self.value(node["g"])
        return value

    def read_handle(self, node):
        return self.student.objects[node["h"]]

    read_own = read_handle

    def read_pickle(self, node):
        return Unpickler(self, bytes(self.blobs[node["b"]])).load()

    def read_module(self, node):
        return self.keep(node, self.read_pickle(node))

    def read_generator(self, node):
        generator = torch.Generator()
        generator.set_state(self.value(node["v"]))
        return self.keep(node, generator)

    def read_iter(self, node):
        return iter(self.values(node["v"]))


class Unpickler(pickle.Unpickler):
    """Reads what T pickled. S may read anything of T's: T is the trusted one."""

    def __init__(self, of: Importer, data: bytes):
        super().__init__(io.BytesIO(data))
        self.of = of

    def persistent_load(self, name):
        kind, key = name
        if kind == "tensor":
            return self.of.made[key]
        if kind == "name":
            return self.of.student.shell.user_ns[key]
        return self.of.student.objects[key]


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


def _known_bases(kind: type) -> list[str]:
    names = [b.__name__ for b in kind.__mro__[1:] if b.__module__ == "builtins"]
    return (["Module"] if issubclass(kind, nn.Module) else []) + names


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
