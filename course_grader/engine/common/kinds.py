"""Values of an answer that are data, too: they compare in the judge's process as here.

What the student's side holds may be richer than what is sent (a factory, a class's
name); the judge gets what its own comparisons look at.
"""

from __future__ import annotations

import collections
import datetime
import enum
import uuid
from decimal import Decimal
from fractions import Fraction

import numpy as np

from . import arrays, subclasses
from .wire import Malformed

FACTORIES = {kind.__name__: kind for kind in (int, float, str, list, dict, set, bool)}
DIGITS = 10_000  # of a decimal, and of its exponent
ENUMS = {
    "int": enum.IntEnum,
    "flag": enum.IntFlag,
    "str": getattr(enum, "StrEnum", None),
}


def write(to, value) -> dict | None:
    """Return the node of such a value, made by the encoder `to`, else None."""
    kind = type(value)
    if kind in WRITERS:
        return WRITERS[kind](to, value)
    found = arrays.write(to, value)
    if found is not None:
        return found
    if isinstance(value, enum.Enum):
        return _member(value) or _derived(to, value)
    if kind.__module__ == "torch.return_types":
        values = [to.node(item) for item in tuple(value)]
        fields = [str(field) for field in kind.__match_args__]
        return {"k": "named", "name": kind.__name__, "fields": fields, "v": values}
    return _derived(to, value)


def _derived(to, value) -> dict | None:
    """Return the node of what an object of a subclass holds; a handle if it adds more.

    The judge takes the data unless the model solution gave an object here.
    """
    base = subclasses.base_of(type(value))
    if base in (None, type(value)) and type(value) not in subclasses.ALIKE:
        return None  # no subclass, or of a kind that stays: quantized, say
    if id(value) in to.open:
        return None
    to.open.add(id(value))
    try:
        node = to.node(subclasses.INSIDE[base](value))
    except Malformed:  # too deep
        return None
    finally:
        to.open.discard(id(value))
    if subclasses.is_bare(value):
        return _wrapped(node)
    return to.stand_in(value) | {"i": to.number(value), "data": node}


def _member(value: enum.Enum) -> dict | None:
    """Return the node of a member that compares as the number or text that it is."""
    kind, own = type(value), type(value)._member_type_
    said = [name for name in ("__eq__", "__lt__", "__hash__") if name in vars(kind)]
    base = next((word for word, base in ENUMS.items() if base in kind.__mro__), None)
    plain = type(value._value_) in (int, str) and own in (int, str)
    if base is None or not plain or said or not isinstance(value._name_, str):
        return None
    return {
        "k": "enum",
        "t": base,
        "c": kind.__name__,
        "n": value._name_,
        "v": value._value_,
    }


def _wrapped(node) -> dict:
    return node if isinstance(node, dict) else {"k": "just", "v": node}


def _default(to, value) -> dict:
    factory = getattr(value.default_factory, "__name__", None)
    known = FACTORIES.get(factory) is value.default_factory
    pairs = [[to.node(key), to.node(item)] for key, item in value.items()]
    return {"k": "default", "v": pairs, "f": factory if known else None}


def _moment(to, value) -> dict:
    return {"k": "moment", "t": type(value).__name__, "v": value.isoformat()}


def _items(to, value, kind: str) -> dict:
    return {"k": kind, "v": [to.node(item) for item in value]}


WRITERS = {
    collections.defaultdict: _default,
    collections.deque: lambda to, v: _items(to, v, "deque") | {"most": v.maxlen},
    Fraction: lambda to, v: _items(to, (v.numerator, v.denominator), "fraction"),
    Decimal: lambda to, v: {"k": "decimal", "v": str(v)},
    np.str_: lambda to, v: {"k": "text", "v": str(v)},
    np.matrix: lambda to, v: {"k": "matrix", "v": to.node(np.asarray(v))},
    **{kind: _moment for kind in (datetime.date, datetime.datetime, datetime.time)},
    datetime.timedelta: lambda to, v: _items(
        to, (v.days, v.seconds, v.microseconds), "span"
    ),
    uuid.UUID: lambda to, v: {"k": "uuid", "v": v.hex},
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


def _read_enum(of, node):
    """Return a member of an enumeration made for it: value, name, and class's name."""
    name, value = str(node["n"])[:200], node["v"]
    base = ENUMS.get(node["t"])
    if base is None or type(value) is not (str if node["t"] == "str" else int):
        raise Malformed("a member of no enumeration")
    if not name.isidentifier() or name.startswith("_") or name == "mro":
        raise Malformed("a member without a name")
    key = node["t"], str(node["c"])[:200], name, value
    if key not in _members:
        _members[key] = base(key[1], {name: value})(value)
    return _members[key]


_members: dict[tuple, enum.Enum] = {}
MOMENTS = {k.__name__: k for k in (datetime.date, datetime.datetime, datetime.time)}


def _read_deque(of, node) -> collections.deque:
    most = node["most"]
    if most is not None and (type(most) is not int or most < 0):
        raise Malformed("a deque of no length")
    return collections.deque(of.values(node["v"]), most)


READERS = {
    **arrays.READERS,
    "default": _read_default,
    "deque": _read_deque,
    "fraction": _read_fraction,
    "decimal": _read_decimal,
    "just": lambda of, node: of.value(node["v"]),
    "text": lambda of, node: np.str_(node["v"]),
    "enum": _read_enum,
    "moment": lambda of, node: MOMENTS[node["t"]].fromisoformat(node["v"]),
    "uuid": lambda of, node: uuid.UUID(str(node["v"])),
    "span": lambda of, node: datetime.timedelta(*map(int, of.values(node["v"]))),
    "keys": lambda of, node: dict.fromkeys(of.values(node["v"])).keys(),
    "values": lambda of, node: dict(enumerate(of.values(node["v"]))).values(),
    "items": lambda of, node: dict(of.values(node["v"])).items(),
}
