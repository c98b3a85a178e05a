"""How values leave T and what S says is read: plain data, copies, gradients."""

from __future__ import annotations

import io
import itertools
import pickle
import weakref
from collections.abc import Iterator, KeysView, ValuesView
from typing import TYPE_CHECKING

import cloudpickle
import torch
from torch import Tensor, nn

from .plain import Decoder, Encoder, is_plain_tensor
from .proxies import Remote, fact, remote
from .raised import Stopped
from .shared import graph_of
from .wire import Malformed

if TYPE_CHECKING:
    from .link import Link

ITERATOR = 100_000  # most items of an iterator that is passed on


class ToStudent(Encoder):
    """Encodes anything of T's; tensors are gathered, leaves first."""

    def __init__(self, link: Link):
        super().__init__()
        self.link = link
        self.tensors: list[tuple[dict, Tensor]] = []

    def special(self, value):
        if isinstance(value, Remote):
            return {"k": "handle", "h": fact(value, "handle")}
        if id(value) in self.link.own:
            return {"k": "own", "h": self.link.own[id(value)]}
        handle = (
            getattr(value, "_course_handle", None) if isinstance(value, type) else None
        )
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
                node["reach"] = self.reach(passed, value)
        return [
            node for node, _ in sorted(self.tensors, key=lambda t: not t[1].is_leaf)
        ]

    @staticmethod
    def reach(passed: dict[int, object], value: Tensor) -> list[int]:
        """Return the numbers of the passed leaves that a tensor was computed from."""
        leaves, _ = graph_of([value])
        return [number for number, leaf in passed.items() if id(leaf) in leaves]

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
    """Pickles by value what S lacks, and by name what both sides have."""

    def __init__(self, to: ToStudent, file):
        super().__init__(file)
        self.to = to

    def persistent_id(self, value):
        if isinstance(value, Remote):
            return "object", fact(value, "handle")
        if id(value) in self.to.link.own:
            return "object", self.to.link.own[id(value)]
        if id(value) in self.to.link.given:
            return "name", self.to.link.given[id(value)]
        if isinstance(value, Tensor) and is_plain_tensor(value):
            return "tensor", self.to.node(value)["i"]
        return None


class FromStudent(Decoder):
    """Decodes what S says; what is no plain data becomes a Remote."""

    def __init__(self, link: Link, blobs: list, call: int = 0, inputs=None):
        super().__init__(blobs)
        self.link, self.call, self.inputs, self.token = link, call, [], None
        for number in inputs[0] if inputs else []:
            self.inputs.append(link.passed[number])
        for handle in inputs[1] if inputs else []:
            self.inputs.append(link.copies[handle]())
        if not all(isinstance(t, Tensor) and t.requires_grad for t in self.inputs):
            raise Malformed("a graph that begins at no tensor of T's")

    def other(self, node):
        kind, link = node["k"], self.link
        if kind == "yours":
            return link.passed[node["i"]]
        if kind == "own":
            value = link.copies[node["h"]]()
            if value is None:
                raise Malformed("an object that is gone")
            return value
        if kind == "handle":
            return remote(link, node)
        if kind == "module":
            from .modules import rebuild

            return rebuild(self, node)
        return super().other(node)

    def tensor(self, node) -> Tensor:
        if "out" not in node:
            value = super().tensor(node)
            if node.get("g") is not None:
                value.grad = super().tensor(node["g"])
            return self.link.adopt(int(node["h"]), value) if "h" in node else value
        data = super().tensor(node | {"grad": False, "param": False})
        if not self.inputs:
            return data.requires_grad_(True)
        with torch.enable_grad():
            if self.token is None:
                self.token = Token()
                weakref.finalize(self.token, self.link.ended.append, self.call)
            where = self.link, self.call, int(node["out"]), self.token
            return Bridge.apply(where, data, *self.inputs)


class Token:
    """Lives as long as any tensor of a call that can be differentiated."""


class Bridge(torch.autograd.Function):
    """The part of a graph that lies in S, seen from T."""

    @staticmethod
    def forward(ctx, where, data, *inputs):
        ctx.link, ctx.call, ctx.out, ctx.token = where
        ctx.count = len(inputs)
        ctx.like = [(tuple(i.shape), i.dtype) for i in inputs]
        ctx.save_for_backward(data.new_empty(0))
        return data.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        _ = ctx.saved_tensors  # raises when the graph was freed
        found = ctx.link.vjp(ctx.call, ctx.out, grad, ctx.count)
        for value, (shape, dtype) in zip(found, ctx.like, strict=True):
            fits = value is None or (
                type(value) is Tensor and tuple(value.shape) == shape
            )
            if not fits or (value is not None and value.dtype != dtype):
                raise Stopped("your code returned gradients of another shape")
        return None, None, *found
