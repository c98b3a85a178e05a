"""How values leave the judge's side, and how what the student's says is read."""

from __future__ import annotations

import io
import itertools
import pickle
import weakref
from collections.abc import Iterator, KeysView, ValuesView

import cloudpickle
import torch
from torch import Tensor, nn

from course_grader.engine.common import kinds
from course_grader.engine.common.plain import Decoder, Encoder, is_plain_tensor
from course_grader.engine.common.wire import Malformed

from .asking import Asking
from .gradients import Bridge, Token, reach
from .held import Held
from .modules import rebuild
from .proxies import Remote, fact, remote

ITERATOR = 100_000  # most items of an iterator that is passed on


class ToStudent(Encoder):
    """Encodes anything of the test's; tensors are gathered, leaves first."""

    def __init__(self, held: Held):
        super().__init__()
        self.held = held
        self.tensors: list[tuple[dict, Tensor]] = []

    def special(self, value):
        if isinstance(value, Remote):
            return {"k": "handle", "h": fact(value, "handle")}
        own = self.held.handle(value)
        if own is not None:
            return {"k": "own", "h": own}
        kind = value if isinstance(value, type) else None  # an exception of theirs
        handle = getattr(kind, "_course_handle", None)
        return None if handle is None else {"k": "handle", "h": handle}

    def tensor(self, value: Tensor) -> dict:
        node = super().tensor(value)
        if value.is_leaf and value.grad is not None:
            node["g"] = self.raw(value.grad)
        self.tensors.append((node, value))
        return {"k": "ref", "i": node["i"]}

    def in_order(self) -> list[dict]:
        """Return the nodes of all tensors, leaves first, each with its leaves."""
        passed = {number: value for number, value in self.seen.values()}
        for node, value in self.tensors:
            if not value.is_leaf:
                node["reach"] = reach(passed, value)
        return [
            node for node, _ in sorted(self.tensors, key=lambda t: not t[1].is_leaf)
        ]

    def other(self, value) -> dict:
        if isinstance(value, torch.Generator):
            state = self.raw(value.get_state())
            return {"k": "generator", "i": self.number(value), "v": state}
        if isinstance(value, (KeysView, ValuesView)):
            return self.node(list(value))
        if isinstance(value, Iterator) and not isinstance(value, io.IOBase):
            items = list(itertools.islice(value, ITERATOR))
            return {"k": "iter", "v": [self.node(item) for item in items]}
        if isinstance(value, nn.Module):
            number = self.number(value)
            return {"k": "module", "i": number, "b": self.blob(self.pickled(value))}
        return {"k": "pickle", "b": self.blob(self.pickled(value))}

    def pickled(self, value) -> bytes:
        file = io.BytesIO()
        try:
            Pickler(self, file).dump(value)
        except (
            pickle.PicklingError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            kind = type(value).__name__
            raise TypeError(f"a {kind} cannot be sent to the answer: {error}") from None
        return file.getvalue()


class Pickler(cloudpickle.Pickler):
    """Pickles by value what the student lacks, and by name what both sides have."""

    def __init__(self, to: ToStudent, file):
        super().__init__(file)
        self.to = to

    def persistent_id(self, value):
        if isinstance(value, Remote):
            return "object", fact(value, "handle")
        held = self.to.held
        own = held.handle(value)
        if own is not None:
            return "object", own
        if id(value) in held.given:
            return "name", held.given[id(value)]
        if isinstance(value, Tensor) and is_plain_tensor(value):
            return "tensor", self.to.node(value)["i"]
        return None


class FromStudent(Decoder):
    """Decodes what a student's process says; what is not plain becomes a Remote."""

    def __init__(self, asking: Asking, blobs: list, call: int = 0, inputs=None):
        super().__init__(blobs)
        self.asking, self.held = asking, asking.held
        self.call, self.inputs, self.token = call, [], None
        for number in inputs[0] if inputs else []:
            self.inputs.append(self.held.passed[number])
        for handle in inputs[1] if inputs else []:
            self.inputs.append(self.held[handle])
        if not all(isinstance(t, Tensor) and t.requires_grad for t in self.inputs):
            raise Malformed("a graph that begins at no tensor of the test's")

    def other(self, node):
        kind = node["k"]
        if kind == "yours":
            return self.held.passed[node["i"]]
        if kind == "own":
            value = self.held[node["h"]]
            if value is None:
                raise Malformed("an object that is gone")
            return value
        if kind == "handle":
            return remote(self.asking, node)
        if kind == "module":
            return rebuild(self, node)
        if kind in kinds.READERS:
            return kinds.READERS[kind](self, node)
        return super().other(node)

    def tensor(self, node) -> Tensor:
        if "out" not in node:
            value = super().tensor(node)
            if node.get("g") is not None:
                value.grad = super().tensor(node["g"])
            return self.held.adopt(int(node["h"]), value) if "h" in node else value
        data = super().tensor(node | {"grad": False, "param": False})
        if not self.inputs:
            return data.requires_grad_(True)
        with torch.enable_grad():
            if self.token is None:
                self.token = Token()
                weakref.finalize(self.token, self.held.end, self.call)
            where = self.asking, self.call, int(node["out"]), self.token
            return Bridge.apply(where, data, *self.inputs)
