"""Values of an answer that are data, too: they compare in the judge's process as here.

What the student's side holds may be richer than what is sent (a factory, a class's
name); the judge gets what its own comparisons look at.
"""

from __future__ import annotations

import builtins
import collections
import datetime
import enum
import re
import uuid
import zoneinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np
import torch

from . import arrays, subclasses
from .plain import ARRAYS
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
    if kind is type:
        return _type(to, value)
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
    except Exception:  # too deep, or its author's own iteration fails
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
    if base is None or not plain or said or not _is_name(value._name_):
        return None  # `Access.READ | Access.WRITE` has no name of its own
    return {
        "k": "enum",
        "t": base,
        "c": kind.__name__,
        "n": value._name_,
        "v": value._value_,
    }


def _is_name(name) -> bool:
    """Can a member of an enumeration be called so?"""
    word = isinstance(name, str) and name.isidentifier() and len(name) <= 200
    return word and not name.startswith("_") and name != "mro"


def _wrapped(node) -> dict:
    return node if isinstance(node, dict) else {"k": "just", "v": node}


def _default(to, value) -> dict:
    factory = getattr(value.default_factory, "__name__", None)
    known = FACTORIES.get(factory) is value.default_factory
    pairs = [[to.node(key), to.node(item)] for key, item in value.items()]
    return {"k": "default", "v": pairs, "f": factory if known else None}


def _moment(to, value) -> dict:
    facts = {"k": "moment", "t": type(value).__name__, "v": value.isoformat()}
    if type(value) is datetime.date:
        return facts
    return facts | {"fold": value.fold, "zone": to.node(value.tzinfo)}


def _zone(to, value) -> dict:
    """A zone by its key, or by seconds and name."""
    if isinstance(value, zoneinfo.ZoneInfo):
        return {"k": "zone", "v": value.key} if value.key else to.stand_in(value)
    seconds = value.utcoffset(None) / datetime.timedelta(seconds=1)
    return {"k": "zone", "v": value.tzname(None), "s": seconds}


def _type(to, value: type) -> dict | None:
    """A class of plain data or of its exceptions, by its name."""
    word = f"{value.__module__}.{value.__qualname__}"
    return {"k": "type", "v": word} if TYPES.get(word) is value else None


def _items(to, value, kind: str) -> dict:
    return {"k": kind, "v": [to.node(item) for item in value]}


def _path(to, value) -> dict:
    return {"k": "pure", "t": type(value).__name__, "v": str(value)}


PATHS = {"PurePosixPath": PurePosixPath, "PureWindowsPath": PureWindowsPath}
TYPES = {
    f"{kind.__module__}.{kind.__qualname__}": kind
    for kind in (
        *(k for k in vars(builtins).values() if isinstance(k, type)),
        *(np.dtype(code).type for code in ARRAYS + "USMmOV"),
        *(np.ndarray, torch.Tensor, type(None)),
    )
}
WRITERS = {
    collections.defaultdict: _default,
    collections.deque: lambda to, v: _items(to, v, "deque") | {"most": v.maxlen},
    Fraction: lambda to, v: _items(to, (v.numerator, v.denominator), "fraction"),
    Decimal: lambda to, v: {"k": "decimal", "v": str(v)},
    np.str_: lambda to, v: {"k": "text", "v": str(v)},
    np.matrix: lambda to, v: {"k": "matrix", "v": to.node(np.asarray(v))},
    **{kind: _moment for kind in (datetime.date, datetime.datetime, datetime.time)},
    datetime.timezone: _zone,
    zoneinfo.ZoneInfo: _zone,
    re.Pattern: lambda to, v: {"k": "pattern", "v": to.node(v.pattern), "f": v.flags},
    **dict.fromkeys(PATHS.values(), _path),
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
    name, value = node["n"], node["v"]
    base = ENUMS.get(node["t"])
    if base is None or type(value) is not (str if node["t"] == "str" else int):
        raise Malformed("a member of no enumeration")
    if not _is_name(name):
        raise Malformed("a member without a name")
    key = node["t"], str(node["c"])[:200], name, value
    if key not in _members:
        _members[key] = base(key[1], {name: value})(value)
    return _members[key]


_members: dict[tuple, enum.Enum] = {}
MOMENTS = {k.__name__: k for k in (datetime.date, datetime.datetime, datetime.time)}


def _read_moment(of, node):
    made = MOMENTS[node["t"]].fromisoformat(node["v"])
    if type(made) is datetime.date:
        return made
    zone = of.value(node["zone"])
    if isinstance(zone, datetime.tzinfo):
        made = made.replace(tzinfo=zone)
    return made.replace(fold=int(node["fold"]))


def _read_zone(of, node) -> datetime.tzinfo:
    if "s" not in node:
        return zoneinfo.ZoneInfo(str(node["v"])[:80])
    return datetime.timezone(datetime.timedelta(seconds=node["s"]), str(node["v"]))


def _read_pattern(of, node) -> re.Pattern:
    text = of.value(node["v"])
    if type(text) not in (str, bytes) or len(text) > DIGITS:
        raise Malformed("a pattern that is none")
    return re.compile(text, node["f"] & ~re.DEBUG)


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
    "moment": _read_moment,
    "zone": _read_zone,
    "pattern": _read_pattern,
    "pure": lambda of, node: PATHS[node["t"]](str(node["v"])),
    "type": lambda of, node: TYPES[node["v"]],
    "uuid": lambda of, node: uuid.UUID(str(node["v"])),
    "span": lambda of, node: datetime.timedelta(*map(int, of.values(node["v"]))),
    "keys": lambda of, node: dict.fromkeys(of.values(node["v"])).keys(),
    "values": lambda of, node: dict(enumerate(of.values(node["v"]))).values(),
    "items": lambda of, node: dict(of.values(node["v"])).items(),
}
