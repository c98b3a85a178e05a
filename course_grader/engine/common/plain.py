"""Plain data and tensors as a JSON tree with raw buffers: all that the student may say.

A value is a JSON scalar or an object whose "k" says its kind. Mutable values carry a
number, so that one object seen twice stays one object. What is not plain is left to the
two ends: `Encoder.other` and `Decoder.other`.
"""

from __future__ import annotations

import collections
import keyword
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .strides import dense_order, laid
from .wire import Malformed

DTYPES = {
    name: getattr(torch, name)
    for name in (
        "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 bfloat16 "
        "float32 float64 complex64 complex128"
    ).split()
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
ARRAYS = "?bhilqBHILQefdgFDG"  # numpy's codes of plain numbers
DEPTH, ITEMS = 100, 10_000_000


class Encoder:
    """Turns values into nodes; buffers gather in `blobs`, objects in `seen`."""

    def __init__(self):
        self.blobs: list = []
        self.seen: dict[int, tuple[int, object]] = {}  # by id; keeps the object alive
        self.open: set[int] = set()  # ids of objects whose data is being written
        self.depth = 0

    def node(self, value):
        kind = type(value)
        if value is None or kind is bool or kind is str or kind is float:
            return value
        if kind is int:
            small = -(2**63) <= value < 2**63
            return value if small else {"k": "int", "v": hex(value)}
        if id(value) in self.seen:
            return {"k": "ref", "i": self.seen[id(value)][0]}
        self.depth += 1
        if self.depth > DEPTH:
            raise Malformed(f"data nested more than {DEPTH} deep")
        try:
            special = self.special(value)
            if special is not None:
                return special
            write = WRITERS.get(kind) or (_named if _is_named(kind) else None)
            return write(self, value) if write else self.other(value)
        finally:
            self.depth -= 1

    def number(self, value) -> int:
        """Give a mutable object its number in this message."""
        index = len(self.seen)
        self.seen[id(value)] = index, value
        return index

    def blob(self, data) -> int:
        self.blobs.append(data)
        return len(self.blobs) - 1

    def special(self, value):
        """Return a node for a value that this end knows in its own way, or None."""
        return None

    def other(self, value):
        """Return a node for what is not plain."""
        return self.stand_in(value)

    def stand_in(self, value) -> dict:
        """Return a node for an object that stays at this end."""
        raise Malformed(f"a {type(value).__name__} is not plain data")

    def tensor(self, value: Tensor) -> dict:
        """Return the node of a dense tensor, numbered."""
        return self.raw(value) | {
            "k": "tensor",
            "i": self.number(value),
            "grad": value.requires_grad,
            "param": type(value) is nn.Parameter,
        }

    def raw(self, value: Tensor) -> dict:
        """Return the node of a tensor's entries; they are copied to the CPU first."""
        value = value.detach().cpu().resolve_conj().resolve_neg()
        order = dense_order(value.shape, value.stride(), 1)
        flat = (value if order is None else value.permute(order)).reshape(-1)
        if flat.numel() and flat.stride(0) != 1:
            flat = torch.empty(flat.shape, dtype=flat.dtype).copy_(flat)
        data = flat.view(torch.uint8).numpy() if flat.numel() else b""
        facts = {"dtype": NAMES[value.dtype], "shape": list(value.shape)}
        facts |= {} if order is None else {"order": order}
        return {"k": "raw", **facts, "b": self.blob(data)}


def is_plain_tensor(value) -> bool:
    """A dense tensor of torch's own class: no subclass has a say in what it does."""
    return (
        type(value) in (Tensor, nn.Parameter)
        and value.layout is torch.strided
        and value.dtype in NAMES
        and value.device.type != "meta"
    )


def _list(to: Encoder, value) -> dict:
    index = to.number(value)
    return {"k": "list", "i": index, "v": [to.node(item) for item in value]}


def _tuple(to: Encoder, value) -> dict:
    return {"k": "tuple", "v": [to.node(item) for item in value]}


def _dict(to: Encoder, value) -> dict:
    index, kind = to.number(value), type(value)
    pairs = [[to.node(key), to.node(item)] for key, item in value.items()]
    return {"k": "dict", "i": index, "v": pairs, "c": KINDS_OF_DICT[kind]}


def _set(to: Encoder, value) -> dict:
    items = [to.node(item) for item in value]
    return {"k": "set", "i": to.number(value), "v": items}


def _array(to: Encoder, value: np.ndarray):
    if value.dtype.char not in ARRAYS:
        return to.other(value)
    index = to.number(value)
    order = dense_order(value.shape, value.strides, value.itemsize)
    data = np.ascontiguousarray(value if order is None else value.transpose(order))
    facts = {"dtype": value.dtype.char, "shape": list(value.shape)}
    facts |= {} if order is None else {"order": order}
    facts["swapped"] = not value.dtype.isnative
    data = data.reshape(-1).view(np.uint8) if data.size else b""
    return {"k": "array", "i": index, **facts, "b": to.blob(data)}


def _tensor(to: Encoder, value: Tensor):
    return to.tensor(value) if is_plain_tensor(value) else to.other(value)


def _is_named(kind: type) -> bool:
    return issubclass(kind, tuple) and isinstance(getattr(kind, "_fields", 0), tuple)


def _named(to: Encoder, value) -> dict:
    fields = [str(field) for field in type(value)._fields]
    values = [to.node(item) for item in tuple.__iter__(value)]
    return {"k": "named", "name": type(value).__name__, "fields": fields, "v": values}


KINDS_OF_DICT = {
    dict: "dict",
    collections.OrderedDict: "ordered",
    collections.Counter: "counter",
}
DICTS = {name: kind for kind, name in KINDS_OF_DICT.items()}
WRITERS: dict[type, Callable] = {
    list: _list,
    tuple: _tuple,
    torch.Size: lambda to, value: {"k": "size", "v": list(value)},
    **dict.fromkeys(KINDS_OF_DICT, _dict),
    set: _set,
    frozenset: lambda to, v: {"k": "frozenset", "v": [to.node(i) for i in v]},
    complex: lambda to, value: {"k": "complex", "v": [value.real, value.imag]},
    bytes: lambda to, value: {"k": "bytes", "b": to.blob(value)},
    bytearray: lambda to, value: {
        "k": "bytearray",
        "i": to.number(value),
        "b": to.blob(bytes(value)),
    },
    range: lambda to, v: {"k": "range", "v": [v.start, v.stop, v.step]},
    slice: lambda to, v: {
        "k": "slice",
        "v": [to.node(part) for part in (v.start, v.stop, v.step)],
    },
    type(...): lambda to, value: {"k": "ellipsis"},
    type(NotImplemented): lambda to, value: {"k": "notimplemented"},
    torch.dtype: lambda to, value: {"k": "dtype", "v": str(value)[6:]},
    torch.device: lambda to, value: {"k": "device", "v": str(value)},
    np.ndarray: _array,
    Tensor: _tensor,
    nn.Parameter: _tensor,
    **{kind: lambda to, v: {"k": "path", "v": str(v)} for kind in {type(Path())}},
    **{
        np.dtype(code).type: lambda to, value: {
            "k": "scalar",
            "dtype": value.dtype.char,
            "b": to.blob(value.tobytes()),
        }
        for code in ARRAYS
    },
}


HOLDERS = "list", "dict", "set", "record"  # what contains others and can be referred to
ODD = LookupError, TypeError, ValueError, ArithmeticError, RuntimeError, AttributeError


class Decoder:
    """Turns nodes back into values. Whatever is odd in them raises Malformed."""

    most = ITEMS

    def __init__(self, blobs: list[memoryview]):
        self.blobs = blobs
        self.made: dict[int, object] = {}  # by number
        self.sizes: dict[int, int] = {}  # items inside, by number
        self.items = 0  # as many as there are when all is written out
        self.depth = 0

    def value(self, node):
        if node is None or isinstance(node, (bool, int, float, str)):
            return node
        before = self.items
        self.depth += 1
        try:
            self.count(1)
            read = READERS.get(node["k"])
            value = read(self, node) if read else self.other(node)
            if node["k"] in HOLDERS:
                self.sizes[int(node["i"])] = self.items - before
            return value
        except ODD as error:
            if isinstance(error, Malformed):
                raise
            raise Malformed(f"{type(error).__name__}: {error}") from None
        finally:
            self.depth -= 1

    def values(self, nodes) -> list:
        if not isinstance(nodes, list):
            raise Malformed("a list was expected")
        self.count(len(nodes))
        return [self.value(node) for node in nodes]

    def count(self, more: int) -> None:
        """Count items; Malformed when there are too many, or they lie too deep."""
        self.items += more
        if self.items > self.most or self.depth > 2 * DEPTH:
            raise Malformed("more or deeper data than may be sent")

    def blob(self, node) -> memoryview:
        """Return a node's bytes; 128 of them count as an item."""
        data = self.blobs[node["b"]]
        self.count(len(data) >> 7)
        return data

    def keep(self, node, value):
        """Remember a numbered value; return it."""
        self.made[int(node["i"])] = value
        return value

    def named(self, name: str, fields: list[str], values: list) -> tuple:
        """Return a named tuple."""
        return named_type(name, fields)(*values)

    def other(self, node):
        """Return the value of a kind that only this end knows."""
        raise Malformed(f"a value of unknown kind {str(node['k'])[:40]!r}")

    def tensor(self, node) -> Tensor:
        """Return a tensor with memory of its own."""
        dtype, shape = DTYPES[node["dtype"]], _shape(node["shape"])
        data = bytearray(self.blob(node))
        count = math.prod(shape)
        if count * dtype.itemsize != len(data):
            raise Malformed(f"{len(data)} bytes for a {dtype} tensor of shape {shape}")
        flat = (
            torch.frombuffer(data, dtype=dtype)
            if count
            else torch.empty(0, dtype=dtype)
        )
        value = laid(flat, node, shape)
        if node.get("param"):
            return nn.Parameter(value, requires_grad=bool(node.get("grad")))
        if node.get("grad") and (dtype.is_floating_point or dtype.is_complex):
            value.requires_grad_(True)
        return value


def _shape(numbers) -> tuple[int, ...]:
    shape = tuple(numbers)
    if len(shape) > 64 or any(type(n) is not int or not 0 <= n < 2**40 for n in shape):
        raise Malformed(f"the shape {str(shape)[:80]}")
    return shape


def _read_list(of: Decoder, node) -> list:
    made = of.keep(node, [])
    made.extend(of.values(node["v"]))
    return made


def _read_dict(of: Decoder, node):
    made = of.keep(node, DICTS[node["c"]]())
    of.count(2 * len(node["v"]))
    for key, value in node["v"]:
        made[of.value(key)] = of.value(value)
    return made


def _read_set(of: Decoder, node) -> set:
    return of.keep(node, set(of.values(node["v"])))


def _read_ref(of: Decoder, node):
    of.count(of.sizes.get(node["i"], 0))  # what is there ten times counts ten times
    return of.made[node["i"]]


def _read_range(of: Decoder, node) -> range:
    made = range(*map(int, node["v"]))
    of.count(len(made))
    return made


def _dtype(code: str) -> np.dtype:
    if not isinstance(code, str) or len(code) != 1 or code not in ARRAYS:
        raise Malformed("an array of no plain type")
    return np.dtype(code)


def _tensor_type(word) -> torch.dtype:
    found = getattr(torch, word, None) if isinstance(word, str) else None
    if not isinstance(found, torch.dtype):
        raise Malformed("a type of no tensor")
    return found


def _read_array(of: Decoder, node) -> np.ndarray:
    data = bytearray(of.blob(node))
    dtype = _dtype(node["dtype"])
    flat = np.frombuffer(data, dtype.newbyteorder() if node.get("swapped") else dtype)
    return of.keep(node, laid(flat, node, _shape(node["shape"])))


_named_types: dict[tuple, type] = {}


def named_type(name: str, fields: list[str]) -> type:
    """Return a namedtuple class of this name and these fields, always the same one."""
    words = (name, *fields)
    if len(words) > 200 or not all(
        isinstance(w, str) and w.isidentifier() and not keyword.iskeyword(w)
        for w in words
    ):
        raise Malformed("a namedtuple with odd field names")
    if words not in _named_types:
        _named_types[words] = collections.namedtuple(name, fields)
    return _named_types[words]


READERS: dict[str, Callable] = {
    "int": lambda of, node: int(node["v"], 16),
    "ref": _read_ref,
    "list": _read_list,
    "tuple": lambda of, node: tuple(of.values(node["v"])),
    "named": lambda of, node: of.named(
        node["name"], node["fields"], of.values(node["v"])
    ),
    "size": lambda of, node: torch.Size(_shape(node["v"])),
    "dict": _read_dict,
    "set": _read_set,
    "frozenset": lambda of, node: frozenset(of.values(node["v"])),
    "complex": lambda of, node: complex(*map(float, node["v"])),
    "bytes": lambda of, node: bytes(of.blob(node)),
    "bytearray": lambda of, node: of.keep(node, bytearray(of.blob(node))),
    "range": _read_range,
    "slice": lambda of, node: slice(*of.values(node["v"])),
    "ellipsis": lambda of, node: ...,
    "notimplemented": lambda of, node: NotImplemented,
    "dtype": lambda of, node: _tensor_type(node["v"]),
    "device": lambda of, node: torch.device(str(node["v"])),
    "array": _read_array,
    "scalar": lambda of, node: np.frombuffer(
        bytes(of.blob(node)), _dtype(node["dtype"]), 1
    )[0],
    "tensor": lambda of, node: of.keep(node, of.tensor(node)),
    "raw": lambda of, node: of.tensor(node),
    "path": lambda of, node: type(Path())(str(node["v"])),
}
