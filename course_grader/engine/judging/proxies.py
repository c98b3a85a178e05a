"""Stand-ins for the student's objects: nothing that decides is done on them here.

A `Remote` is what is no plain data: a function, a class, any other object. What a test
may do with one is what it did with the model solution's, and what only fetches data.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from torch import Tensor, nn

from course_grader.engine.common.abilities import METHODS, SWAPPED
from course_grader.engine.common.wire import Malformed

from .asking import Asking

FREE = {"call", "iter", "next", "len", "getitem"}  # they give data, not verdicts

PROPERTIES = {"training"} | {  # what a tensor or array says of itself without a call
    name
    for kind in (Tensor, np.ndarray, nn.Module)
    for name in dir(kind)
    if not callable(getattr(kind, name, None))
}


def fact(value, field: str):
    """Read a field of a Remote without asking anybody; None of anything else."""
    if not isinstance(value, Remote):
        return None
    return object.__getattribute__(value, "_facts").get(field)


def note(value, field: str, content) -> None:
    object.__getattribute__(value, "_facts")[field] = content


def _ask(operation: str, value, *args, **kwargs):
    """Let the student's side act on an object, if a fair test may want that."""
    __tracebackhide__ = True
    if operation == "exit":
        args = *args[:2], None  # a traceback shows the test, and goes nowhere
    asking = fact(value, "asking")
    detail = (
        f"{operation}:{args[0]}" if operation in ("getattr", "setattr") else operation
    )
    if operation not in FREE and not asking.terms.use(detail):
        if operation == "getattr" and args[0] not in PROPERTIES:
            found = asking.invoke(operation, value, *args)
            if not callable(found) and not isinstance(found, Remote):
                return found  # data
        raise _refused(operation, value, args)
    return asking.invoke(operation, value, *args, **kwargs)


def _fair(value, operation: str) -> bool:
    return fact(value, "asking").terms.allow(operation)


def _refused(operation: str, value, args) -> Exception:
    kind = fact(value, "class")
    if operation == "getattr":
        return AttributeError(f"{kind!r} object has no attribute {args[0]!r} to grade")
    return TypeError(
        f"an object of type {kind!r} is no plain data: {operation} is not graded"
    )


class Remote:
    """An object of the student's that is no plain data: a function, a class, others."""

    __slots__ = ("__weakref__", "_facts")

    def __init__(self, asking: Asking, facts: dict):
        object.__setattr__(self, "_facts", {"asking": asking, **facts})

    def __getattr__(self, name: str):
        __tracebackhide__ = True
        if name in ("__name__", "__qualname__", "__doc__"):
            text = fact(self, "__doc__" if name == "__doc__" else "__name__")
            if text is not None or name == "__doc__":
                return text
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return _ask("getattr", self, name)

    def __setattr__(self, name: str, value):
        _ask("setattr", self, name, value)

    def __delattr__(self, name: str):
        _ask("delattr", self, name)

    def __repr__(self):
        if _fair(self, "repr"):
            return _ask("repr", self)
        return f"<{fact(self, 'class')} of the student's>"

    def __str__(self):
        return _ask("str", self) if _fair(self, "str") else repr(self)

    def __instancecheck__(self, instance):
        asking = fact(self, "asking")
        handle = fact(instance, "handle") or asking.held.handle(instance)
        known = handle is not None and asking.terms.use("isinstance")
        return known and asking.invoke("isinstance", instance, self) is True

    def __eq__(self, other):
        return _compared("eq", self, other, self is other)

    def __ne__(self, other):
        return _compared("ne", self, other, self is not other)

    def __hash__(self):
        return id(self)

    def __bool__(self):
        return bool(_ask("bool", self)) if _fair(self, "bool") else True

    def __reduce_ex__(self, protocol):
        raise TypeError("an object of the student's is not pickled")


def _compared(operation: str, one: Remote, other, default: bool):
    if _fair(one, operation):
        answer = _ask(operation, one, other)
        return answer if isinstance(answer, bool) else default
    return default


def _contains(self, item):
    if fact(self, "asking").terms.use("contains"):
        return bool(_ask("contains", self, item))
    return any(item is one or item == one for one in iter(self))


def _forward(operation: str, reflected: bool = False):
    operation = f"{operation}_" if operation in ("and", "or") else operation

    def method(self, *args, **kwargs):
        __tracebackhide__ = True
        return _ask(operation, self, *args, **kwargs)

    def swapped(self, other):
        __tracebackhide__ = True
        asking = fact(self, "asking")
        if not asking.terms.use(operation):
            raise _refused(operation, self, ())
        return asking.invoke(operation, other, self)

    return swapped if reflected else method


Remote.__doc__ = property(lambda self: fact(self, "__doc__"))
for _name in "lt le gt ge".split():
    setattr(Remote, f"__{_name}__", _forward(_name))


@cache
def able(can: frozenset[str]) -> type:
    """Return the class of those stand-ins with which Python may do this, and no more.

    What cannot be called is not callable here, and what has no length has none.
    """
    if not can <= METHODS.keys():
        raise Malformed("an object that can do what no object can")
    made = {METHODS[w]: _forward(SWAPPED.get(w, w), w in SWAPPED) for w in can}
    if "contains" in can:
        made["__contains__"] = _contains
    made |= {"__slots__": (), "__doc__": vars(Remote)["__doc__"]}
    return type("Remote", (Remote,), made)


def remote(asking: Asking, node: dict):
    """Return the Remote of a handle, the same one each time while a test holds it."""
    handle = int(node["h"])
    known = asking.held[handle]
    if known is not None:
        return known
    if node.get("t") == "class" and "BaseException" in (node.get("bases") or ()):
        return asking.exceptions.own(handle, node)
    facts = {"handle": handle, "class": str(node["class"]), "name": None}
    for word in ("__name__", "__doc__"):
        text = node.get(word)
        facts[word] = text if isinstance(text, str) else None
    kind = able(frozenset(map(str, node.get("can", ()))))
    return asking.held.stand_in(handle, kind(asking, facts))
