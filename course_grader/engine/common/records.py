"""Objects that are their fields: those of classes that the instructor has defined.

Both sides have such a class, so that its name and the fields are enough: the judge
makes an object of its own, whose methods are the instructor's.
"""

from __future__ import annotations

import enum
import functools
import types

import numpy as np
from torch import Tensor, nn

from .wire import Malformed

BASES = {"builtins", "typing", "abc", "__main__"}  # modules of what a plain class is of
METHODS = {  # what a test may ask of data: no field that acts may be called so
    name
    for kind in (Tensor, np.ndarray, nn.Module, str, list, tuple, dict, set, float)
    for name in dir(kind)
}


def is_plain(kind: type) -> bool:
    """Is a class of the notebook's its fields and methods, and nothing else?"""
    if kind is types.SimpleNamespace:
        return True
    own = kind.__module__ == "__main__" and type(kind).__module__ in BASES
    builtin = [base for base in kind.__mro__ if base.__module__ == "builtins"]
    return (
        own
        and builtin == [object]
        and all(base.__module__ in BASES for base in kind.__mro__)
    )


def find(classes: dict[str, type], name: str | None) -> type | None:
    """Return the class of a record by the name that `name_of` gave it."""
    return types.SimpleNamespace if name is None else classes.get(name)


def is_member(value) -> bool:
    """Is it a member of an enumeration that the notebook defines?"""
    return isinstance(value, enum.Enum) and type(value).__module__ == "__main__"


def fields_of(value) -> dict[str, object]:
    """Return the fields of an object, those in slots too."""
    found = {}
    for name in _slots(type(value)):
        try:
            found[name] = object.__getattribute__(value, name)
        except AttributeError:
            continue
    return found | dict(getattr(value, "__dict__", {}))


def fill(made, fields: dict[str, object]) -> None:
    """Give an object these fields and no others.

    Raises Malformed for one that would stand in the place of a method.
    """
    kind, slots = type(made), _slots(type(made))
    kept: dict[str, object] = {}
    for name, value in fields.items():
        if not isinstance(name, str) or len(name) > 200:
            raise Malformed("a field without a name")
        known = getattr(kind, name, None)
        acts = hasattr(known, "__get__") or callable(known)
        field = name in slots or name in getattr(kind, "__dataclass_fields__", ())
        if acts and not field:  # a field may have a function for its default
            if isinstance(known, functools.cached_property):
                continue  # it is worked out here
            raise Malformed(f"{kind.__name__}.{name[:40]} is a method, and no field")
        refuse_acting(kind.__name__, name, value)
        kept[name] = value
    for name in slots:
        if name in kept:
            object.__setattr__(made, name, kept.pop(name))
    if hasattr(made, "__dict__"):
        made.__dict__.clear()
        made.__dict__.update(kept)


def refuse_acting(kind: str, name: str, value) -> None:
    """Raise Malformed if a field could answer for a method of plain data's."""
    if name in METHODS and (callable(value) or isinstance(value, nn.Module)):
        raise Malformed(
            f"{kind[:40]} has a field {name!r} that is a function: arrays, lists and "
            "others have a method of this name, so call yours something else"
        )


def _slots(kind: type) -> list[str]:
    """Return the names of the slots of a class and its bases."""
    return [
        name
        for base in kind.__mro__
        for name, value in vars(base).items()
        if isinstance(value, types.MemberDescriptorType) and name != "__dict__"
    ]


def is_kept(kind: type) -> bool:
    """Can the judge's copy of an object be told from others, and be found again?"""
    return bool(kind.__weakrefoffset__)


def new(kind: type):
    """Return an object of a class of the notebook's, without fields; runs no code."""
    if not is_plain(kind):
        raise Malformed(f"an object of {kind.__name__[:40]}, which is no plain class")
    return kind() if kind is types.SimpleNamespace else object.__new__(kind)


def member(kind: type, name):
    """Return a member of an enumeration by its name."""
    found = kind.__members__.get(name) if issubclass(kind, enum.Enum) else None
    if found is None:
        raise Malformed(f"{kind.__name__[:40]} has no member {str(name)[:40]!r}")
    return found
