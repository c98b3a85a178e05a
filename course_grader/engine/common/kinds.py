"""Values of an answer that are data, too: they compare in the judge's process as here.

What the student's side holds may be richer than what is sent (a factory, a class's
name); the judge gets what its own comparisons look at.
"""

from __future__ import annotations

import collections
import math
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np

from .wire import Malformed

BUILTINS = str, int, float, complex, bytes, list, tuple, dict, set, frozenset
BOOKKEEPING = {  # what every class has, whether or not it adds anything
    *("__module__", "__doc__", "__dict__", "__weakref__", "__qualname__", "__slots__"),
    *("__annotations__", "__firstlineno__", "__static_attributes__"),
}
FACTORIES = {kind.__name__: kind for kind in (int, float, str, list, dict, set, bool)}
DIGITS = 10_000  # of a decimal, and of its exponent
TEXT = re.compile(r"[<>|]([US])\d{1,6}")  # NumPy's types of text and bytes


def write(to, value) -> dict | None:
    """Return the node of such a value, made by the encoder `to`, else None."""
    kind = type(value)
    if kind in WRITERS:
        return WRITERS[kind](to, value)
    if kind is np.ndarray and TEXT.fullmatch(value.dtype.str) and value.dtype.itemsize:
        data = np.ascontiguousarray(value).tobytes()
        facts = {"dtype": value.dtype.str, "shape": list(value.shape)}
        return {"k": "texts", **facts, "b": to.blob(data)}
    if kind.__module__ == "torch.return_types":
        values = [to.node(item) for item in tuple(value)]
        fields = [str(field) for field in kind.__match_args__]
        return {"k": "named", "name": kind.__name__, "fields": fields, "v": values}
    base = bare(kind)
    if base is None or getattr(value, "__dict__", None):
        return None
    return _wrapped(to.node(base(value)))


def bare(kind: type) -> type | None:
    """Return the builtin class that a class is in all but its name, if it is one."""
    for base in kind.__mro__:
        if base in BUILTINS:
            return base
        if set(vars(base)) - BOOKKEEPING:
            return None
    return None


def _wrapped(node) -> dict:
    return node if isinstance(node, dict) else {"k": "just", "v": node}


def _default(to, value) -> dict:
    factory = getattr(value.default_factory, "__name__", None)
    known = FACTORIES.get(factory) is value.default_factory
    pairs = [[to.node(key), to.node(item)] for key, item in value.items()]
    return {"k": "default", "v": pairs, "f": factory if known else None}


def _items(to, value, kind: str) -> dict:
    return {"k": kind, "v": [to.node(item) for item in value]}


WRITERS = {
    collections.defaultdict: _default,
    collections.deque: lambda to, v: _items(to, v, "deque") | {"most": v.maxlen},
    Fraction: lambda to, v: _items(to, (v.numerator, v.denominator), "fraction"),
    Decimal: lambda to, v: {"k": "decimal", "v": str(v)},
    np.str_: lambda to, v: {"k": "text", "v": str(v)},
    memoryview: lambda to, v: _wrapped(to.node(v.tobytes())),
    type({}.keys()): lambda to, v: _items(to, v, "keys"),
    type({}.values()): lambda to, v: _items(to, v, "values"),
    type({}.items()): lambda to, v: _items(to, v, "items"),
}


def _read_default(of, node) -> collections.defaultdict:
    of.count(2 * len(node["v"]))
    made = collections.defaultdict(FACTORIES.get(node["f"]))
    for key, item in node["v"]:
        made[of.value(key)] = of.value(item)
    return made


def _read_decimal(of, node) -> Decimal:
    if not isinstance(node["v"], str) or len(node["v"]) > DIGITS:
        raise Malformed("a decimal of too many digits")
    try:
        made = Decimal(node["v"])
    except ArithmeticError:
        raise Malformed("a decimal that is none") from None
    if made.is_finite() and abs(made.adjusted()) > DIGITS:
        raise Malformed("a decimal of too many digits")
    return made


def _read_fraction(of, node) -> Fraction:
    above, below = of.values(node["v"])
    if type(above) is not int or type(below) is not int or below < 1:
        raise Malformed("a fraction that is none")
    return Fraction(above, below)


def _read_texts(of, node) -> np.ndarray:
    if not isinstance(node["dtype"], str) or not TEXT.fullmatch(node["dtype"]):
        raise Malformed("an array of no plain text")
    dtype, shape = np.dtype(node["dtype"]), tuple(node["shape"])
    data = bytearray(of.blob(node))
    if dtype.itemsize * math.prod(shape) != len(data) or len(shape) > 64:
        raise Malformed("an array of text of another size")
    if dtype.kind == "U" and data:
        letters = np.frombuffer(data, np.dtype("u4").newbyteorder(dtype.byteorder))
        if letters.max() > 0x10FFFF:
            raise Malformed("an array of letters that are none")
    return np.frombuffer(data, dtype).reshape(shape)


def _read_deque(of, node) -> collections.deque:
    most = node["most"]
    if most is not None and (type(most) is not int or most < 0):
        raise Malformed("a deque of no length")
    return collections.deque(of.values(node["v"]), most)


READERS = {
    "default": _read_default,
    "deque": _read_deque,
    "fraction": _read_fraction,
    "decimal": _read_decimal,
    "just": lambda of, node: of.value(node["v"]),
    "text": lambda of, node: np.str_(node["v"]),
    "texts": _read_texts,
    "keys": lambda of, node: dict.fromkeys(of.values(node["v"])).keys(),
    "values": lambda of, node: dict(enumerate(of.values(node["v"]))).values(),
    "items": lambda of, node: dict(of.values(node["v"])).items(),
}
