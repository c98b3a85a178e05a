"""Objects of a subclass of plain data's: what of them is plain data.

What they add is their author's: methods, attributes, another `==`. What the class below
holds is data, and is read past all that they say of themselves.
"""

from __future__ import annotations

import collections
import collections.abc
import pathlib
import types
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from .wire import Malformed

MANY = 10_000
WHOLE = slice(None)
BOOKKEEPING = {  # what every class has, whether or not it adds anything
    *("__module__", "__doc__", "__dict__", "__weakref__", "__qualname__", "__slots__"),
    *("__annotations__", "__firstlineno__", "__static_attributes__"),
}


def _dense(value: Tensor) -> Tensor:
    with torch._C.DisableTorchFunctionSubclass():
        return value.as_subclass(Tensor)


def _counted(value: collections.OrderedDict) -> collections.OrderedDict:
    keys = collections.OrderedDict.__iter__(value)
    return collections.OrderedDict((k, dict.__getitem__(value, k)) for k in keys)


def _default(value: collections.defaultdict) -> collections.defaultdict:
    return collections.defaultdict(value.default_factory, dict.items(value))


def _few(value):
    """Return a collection of the student's own making, unless it is a data set."""
    if len(value) > MANY:
        raise Malformed(f"more than {MANY:,} entries")
    return value


INSIDE: dict[type, Callable] = {  # a class of plain data: what an object holds of it
    collections.OrderedDict: _counted,
    collections.defaultdict: _default,
    collections.Counter: lambda v: collections.Counter(dict(dict.items(v))),
    collections.deque: lambda v: collections.deque(
        collections.deque.__iter__(v), v.maxlen
    ),
    list: lambda v: [*list.__iter__(v)],
    tuple: lambda v: tuple.__getitem__(v, WHOLE),
    dict: lambda v: dict(dict.items(v)),
    set: lambda v: {*set.__iter__(v)},
    frozenset: lambda v: frozenset(frozenset.__iter__(v)),
    str: str.__str__,
    bytes: lambda v: bytes.__getitem__(v, WHOLE),
    int: int.__int__,
    float: float.__float__,
    complex: lambda v: complex(complex.real.__get__(v), complex.imag.__get__(v)),
    Fraction: lambda v: Fraction(v._numerator, v._denominator),
    Decimal: lambda v: Decimal(v.as_tuple()),
    np.ma.MaskedArray: lambda v: np.ma.MaskedArray.view(v, np.ma.MaskedArray),
    np.ndarray: lambda v: np.ndarray.view(v, np.ndarray),
    Tensor: _dense,
    collections.UserDict: lambda v: dict(v.data),
    collections.UserList: lambda v: list(v.data),
    collections.UserString: lambda v: str(v.data),
    collections.ChainMap: dict,
    types.MappingProxyType: dict,
    pathlib.PurePosixPath: lambda v: pathlib.PurePosixPath(pathlib.PurePath.__str__(v)),
    pathlib.PureWindowsPath: lambda v: pathlib.PureWindowsPath(
        pathlib.PurePath.__str__(v)
    ),
    collections.abc.Mapping: lambda v: {key: v[key] for key in _few(v)},
    collections.abc.Set: lambda v: {*_few(v)},
}
ALIKE = {  # classes whose objects are that and nothing else, and compare as that
    *(collections.UserDict, collections.UserList, collections.UserString),
    *(collections.ChainMap, types.MappingProxyType, np.memmap),
}


def base_of(kind: type) -> type | None:
    """Return the class of plain data that a class is derived from, or is."""
    return next((base for base in kind.__mro__ if base in INSIDE), None)


def is_bare(value) -> bool:
    """Is an object data in all but its class's name?"""
    kind = type(value)
    if kind in ALIKE:
        return True
    above = kind.__mro__[: kind.__mro__.index(base_of(kind))]
    adds = any(set(vars(base)) - BOOKKEEPING for base in above)
    return not adds and not getattr(value, "__dict__", None)
