"""How values leave the judge's side, and how what the student's says is read."""

from __future__ import annotations

import array
import copy
import io
import itertools
import pickle
import types
import weakref
from collections import defaultdict, deque
from collections.abc import Iterator, KeysView, ValuesView
from functools import cached_property

import cloudpickle
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from course_grader.engine.common import kinds, records
from course_grader.engine.common.plain import Decoder, Encoder, is_plain_tensor
from course_grader.engine.common.shared import FILES, contents
from course_grader.engine.common.wire import Malformed

from .asking import Asking
from .draws import GENERATORS
from .gradients import Bridge, Token, reach
from .held import Held
from .modules import rebuild
from .proxies import PROPERTIES, Remote, fact, remote
from .shipped import along

ITERATOR = 100_000  # most items of an iterator that is passed on
ATOMS = {type(None), bool, int, float, complex, str, bytes}


class ToStudent(Encoder):
    """Encodes anything of the test's; tensors are gathered, leaves first."""

    def __init__(self, held: Held, concealed: set[str] = frozenset()):
        """concealed: names that only hidden parts of tests bind."""
        super().__init__()
        self.held, self.concealed = held, concealed
        self.along: list[str] = []  # of them, and kept variables: what goes, too
        self.tensors: list[tuple[dict, Tensor]] = []
        self.generators: list = []  # of random numbers

    def special(self, value):
        if isinstance(value, Remote):
            return {"k": "handle", "h": fact(value, "handle")}
        own = self.held.handle(value)
        if own is not None:
            return {"k": "own", "h": own}
        name = self.held.given.get(id(type(value)))
        if name is not None and records.is_member(value) and value._name_ is not None:
            return {"k": "member", "c": name, "n": value._name_}
        plain = name is not None and records.is_plain(type(value))
        if plain or type(value) is types.SimpleNamespace:
            facts = {"k": "record", "i": self.number(value), "c": name}
            fields = records.fields_of(value).items()
            return facts | {"v": [[word, self.node(item)] for word, item in fields]}
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
        if isinstance(value, GENERATORS):
            self.generators.append(value)
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
        if type(value) in (defaultdict, deque):
            shell, number = copy.copy(value), self.number(value)
            shell.clear()
            node = {"k": "filled", "i": number, "b": self.blob(self.pickled(shell))}
            return node | {"v": contents(value, self)}
        node = {"k": "pickle", "b": self.blob(self.pickled(value))}
        told = isinstance(value, (np.ndarray, array.array, *FILES))  # of changes in it
        return node | ({"i": self.number(value)} if told else {})

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

    def reducer_override(self, value):
        if isinstance(value, types.FunctionType):
            self.to.along += along(value, self.to.concealed)
        return super().reducer_override(value)

    def persistent_id(self, value):
        if type(value) in ATOMS:  # most of what is asked about
            return None
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

    def __init__(
        self, asking: Asking, blobs: list, call: int = 0, inputs=None, name=None
    ):
        """name: of the student's function or value that this is the value of."""
        super().__init__(blobs)
        self.name = name
        self.asking, self.held = asking, asking.held
        self.call, self.token = call, None
        self.begins = inputs

    @cached_property
    def inputs(self) -> list[Tensor]:
        """The tensors that the answer's graph begins at; some come with the answer."""
        numbers, handles = self.begins or ([], [])
        found = [self.held.passed[number] for number in numbers]
        found += [self.held[handle] for handle in handles]
        if not all(isinstance(t, Tensor) and t.requires_grad for t in found):
            raise Malformed("a graph that begins at no tensor of the test's")
        return found

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
            return self.handle(node)
        if kind == "module":
            return self.module(node)
        if kind == "record":
            return self.record(node)
        if kind == "lazy":
            parameter = node["t"] == "parameter"
            return UninitializedParameter() if parameter else UninitializedBuffer()
        if kind == "member":
            known = self.held.classes.get(node["c"])
            if known is None:
                return remote(self.asking, node)
            return records.member(known, node["n"])
        if kind == "masked" and "v" in node and not self.asking.terms.use("masked"):
            return self.value(node["v"])  # what is masked would equal anything
        if kind in kinds.READERS:
            return kinds.READERS[kind](self, node)
        return super().other(node)

    def handle(self, node):
        """Return the stand-in of an object, its data where the model gave data."""
        terms, is_object = self.asking.terms, node.get("t") == "object"
        if is_object and "data" in node and not terms.may_be_object(self.name):
            return self.keep(node, self.value(node["data"]))
        if is_object:
            terms.gives_object(self.name)
        made = remote(self.asking, node)
        return self.keep(node, made) if "data" in node else made

    def named(self, name: str, fields: list[str], values: list) -> tuple:
        """Return a named tuple, of the instructor's class if it is one of his.

        Where a field could answer for a tensor, only the values come, in order.
        """
        try:
            for field, value in zip(fields, values, strict=False):
                self.check_field(str(name), field, value)
        except Malformed:
            return tuple(values)
        kind = self.held.classes.get(name)
        if kind and issubclass(kind, tuple) and list(kind._fields) == list(fields):
            return tuple.__new__(kind, values)
        return super().named(name, fields, values)

    def record(self, node):
        """Return an object of the instructor's class, made here of its fields."""
        kind = records.find(self.held.classes, node["c"])
        if kind is None:
            return self.keep(node, remote(self.asking, node))
        made = self.keep(node, records.new(kind))
        fields = {name: self.value(item) for name, item in node["v"]}
        for name, value in fields.items():
            self.check_field(kind.__name__, name, value)
        records.fill(made, fields)
        return self.held.adopt(int(node["h"]), made) if records.is_kept(kind) else made

    def check_field(self, kind: str, name, value) -> None:
        """Raise Malformed if a field could answer for what a tensor says of itself.

        Where the model solution has such a field, so may everybody.
        """
        records.refuse_acting(kind, str(name), value)
        if name in PROPERTIES and not self.asking.terms.use(f"field:{name}"):
            raise Malformed(f"{kind[:40]} has a field {name!r}, which a tensor has")

    def module(self, node):
        """Return a network where the model solution gave one, else a stand-in.

        A network's parts have names of its author's choice: one called `equal` must not
        decide for a tensor.
        """
        if self.asking.terms.may_be_network(self.name):
            return rebuild(self, node)
        self.held.leave(node)
        return remote(self.asking, node | {"class": str(node["class"][1])})

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
