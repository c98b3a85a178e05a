"""How values leave the student's side, and how what the judge sends is read."""

from __future__ import annotations

import io
import math
import pickle
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from course_grader.engine.common import kinds, records
from course_grader.engine.common.abilities import abilities
from course_grader.engine.common.plain import Decoder, Encoder, is_plain_tensor
from course_grader.engine.common.shared import aliases, apply, module_facts

from .gradients import Graphs
from .objects import Objects

MESSAGE = 10_000  # characters of a docstring


class Exporter(Encoder):
    """Encodes for the judge: what it passed is named, what is not plain is a handle."""

    def __init__(self, objects: Objects, passed: dict[int, object]):
        super().__init__()
        self.objects = objects
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
        number = self.objects.copied(value)
        if number is not None:
            return {"k": "own", "h": number}
        if isinstance(value, nn.Module):
            return self.module(value)
        kind = type(value)
        if kind is SimpleNamespace or kind.__qualname__ in self.objects.given:
            found = self.record(value)
            if found is not None:
                return found
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
        """Let the judge have a copy that is kept in step with this tensor."""
        number = self.objects.share(value)
        gradient = None if value.grad is None else self.node(value.grad)
        node.update(h=number, g=gradient)
        return node

    def member(self, value: Tensor | None):
        """Return the node of a module's tensor."""
        if is_lazy(value):
            kind = "parameter" if isinstance(value, nn.Parameter) else "buffer"
            return {"k": "lazy", "t": kind, "grad": value.requires_grad}
        if value is None or not is_plain_tensor(value):
            return None
        if id(value) in self.seen:
            return {"k": "ref", "i": self.seen[id(value)][0]}
        return self.special(value) or self.export(value, Encoder.tensor(self, value))

    def module(self, module: nn.Module) -> dict:
        """Describe a module: class, tensors, children and plain attributes."""
        number = self.objects.share(module)
        facts = module_facts(self, module) | {"k": "module", "h": number}
        return facts | {"can": abilities(type(module))}

    def record(self, value) -> dict | None:
        """Describe an object of a class of the instructor's; the judge has it, too."""
        kind = type(value)
        name = None if kind is SimpleNamespace else kind.__qualname__
        facts = self.stand_in(value) | {"c": name}
        if records.is_member(value):
            name = value._name_
            return facts | {"k": "member", "n": name} if isinstance(name, str) else None
        if not records.is_plain(kind):
            return None
        facts |= {"k": "record", "i": self.number(value)}
        if records.is_kept(kind):
            self.objects.share(value)
        fields = records.fields_of(value).items()
        return facts | {"v": [[name, self.node(item)] for name, item in fields]}

    def other(self, value) -> dict:
        return kinds.write(self, value) or self.stand_in(value)

    def stand_in(self, value) -> dict:
        """Describe an object that stays here, by its handle."""
        facts = {"k": "handle", "h": self.objects.handle(value), "t": "object"}
        kind = value if isinstance(value, type) else type(value)
        facts["class"] = str(kind.__qualname__)[:200]
        facts["can"] = abilities(type(value))
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
    """Decodes what the judge sends: plain data, pickles, and objects of our own."""

    most = math.inf

    def __init__(
        self, objects: Objects, graphs: Graphs, space: dict, blobs: list, message: dict
    ):
        """space: the names of the notebook."""
        super().__init__(blobs)
        self.objects, self.graphs, self.space = objects, graphs, space
        objects.given |= set(message.get("given", ()))
        for node in message.get("tensors", []):  # first: all else refers to them
            self.value(node)
        for number, change in message.get("sync", []):
            apply(objects[number], change, self)
            objects.renew(number)

    def other(self, node):
        return getattr(self, f"read_{node['k']}")(node)

    def tensor(self, node) -> Tensor:
        value = super().tensor(node | {"grad": False})
        if node.get("param"):
            value = nn.Parameter(value, requires_grad=bool(node.get("grad")))
        elif node.get("reach") is not None:
            leaves = [self.made[n] for n in node["reach"]]
            with torch.enable_grad():
                value = self.graphs.from_judge(node["i"], value, leaves)
        elif node.get("grad"):
            value.requires_grad_(True)
        if node.get("g") is not None:
            value.grad = self.value(node["g"])
        return value

    def read_handle(self, node):
        return self.objects[node["h"]]

    read_own = read_handle

    def read_record(self, node):
        made = self.keep(node, records.new(records.find(self.space, node["c"])))
        records.fill(made, {name: self.value(item) for name, item in node["v"]})
        return made

    def read_member(self, node):
        return records.member(self.space[node["c"]], node["n"])

    def read_pickle(self, node):
        value = Unpickler(self, bytes(self.blobs[node["b"]])).load()
        return self.keep(node, value) if "i" in node else value

    def read_filled(self, node):
        made = self.read_pickle(node)
        apply(made, node["v"], self)
        return made

    read_module = read_pickle

    def read_generator(self, node):
        generator = torch.Generator()
        generator.set_state(self.value(node["v"]))
        return self.keep(node, generator)

    def read_iter(self, node):
        return iter(self.values(node["v"]))


class Unpickler(pickle.Unpickler):
    """Reads what the judge pickled. The judge is the trusted one: it may send code."""

    def __init__(self, of: Importer, data: bytes):
        super().__init__(io.BytesIO(data))
        self.of = of

    def persistent_load(self, name):
        kind, key = name
        if kind == "tensor":
            return self.of.made[key]
        if kind == "name":
            return self.of.space[key]
        return self.of.objects[key]


def _known_bases(kind: type) -> list[str]:
    names = [b.__name__ for b in kind.__mro__[1:] if b.__module__ == "builtins"]
    return (["Module"] if issubclass(kind, nn.Module) else []) + names
