"""Names of the student's in T: objects on which T does nothing that decides.

A `Remote` is what is no plain data: a function, a class, any other object. What a test
may do with one is what it did with the model solution's, and what only fetches data.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from .raised import own_exception

if TYPE_CHECKING:
    from .link import Link

FREE = {"call", "iter", "next", "len", "getitem"}  # they give data, not verdicts


def fact(value, field: str):
    """Read a field of a Remote without asking S; None of anything else."""
    if not isinstance(value, Remote):
        return None
    return object.__getattribute__(value, "_facts").get(field)


def note(value, field: str, content) -> None:
    object.__getattribute__(value, "_facts")[field] = content


def _ask(operation: str, value, *args, **kwargs):
    """Let S do something with an object of its own, if a fair test may want that."""
    __tracebackhide__ = True
    link = fact(value, "link")
    detail = (
        f"{operation}:{args[0]}" if operation in ("getattr", "setattr") else operation
    )
    if operation not in FREE:
        if link.allowed is None:
            link.used.add(detail)
        elif detail not in link.allowed:
            raise _refused(operation, value, args)
    return link.invoke(operation, value, *args, **kwargs)


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

    def __init__(self, link: Link, facts: dict):
        object.__setattr__(self, "_facts", {"link": link, **facts})

    def __call__(self, *args, **kwargs):
        __tracebackhide__ = True
        return _ask("call", self, *args, **kwargs)

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
        link = fact(self, "link")
        fair = link.allowed is None or "repr" in link.allowed
        return (
            _ask("repr", self) if fair else f"<{fact(self, 'class')} of the student's>"
        )

    def __str__(self):
        link = fact(self, "link")
        fair = link.allowed is None or "str" in link.allowed
        return _ask("str", self) if fair else repr(self)

    def __instancecheck__(self, instance):
        handle = fact(instance, "handle") or fact(self, "link").own.get(id(instance))
        return (
            handle is not None
            and fact(self, "link").invoke("isinstance", instance, self) is True
        )

    def __eq__(self, other):
        return _compared("eq", self, other, self is other)

    def __ne__(self, other):
        return _compared("ne", self, other, self is not other)

    def __hash__(self):
        return id(self)

    def __bool__(self):
        link = fact(self, "link")
        fair = link.allowed is None or "bool" in link.allowed
        return bool(_ask("bool", self)) if fair else True

    def __reduce_ex__(self, protocol):
        raise TypeError("an object of the student's is not pickled")


def _compared(operation: str, one: Remote, other, default: bool):
    link = fact(one, "link")
    if link.allowed is None or operation in link.allowed:
        answer = _ask(operation, one, other)
        return answer if isinstance(answer, bool) else default
    return default


def _forward(operation: str, reflected: bool = False):
    def method(self, *args):
        __tracebackhide__ = True
        return _ask(operation, self, *args)

    def swapped(self, other):
        __tracebackhide__ = True
        link = fact(self, "link")
        if link.allowed is not None and operation not in link.allowed:
            raise _refused(operation, self, ())
        link.used.add(operation)
        return link.invoke(operation, other, self)

    return swapped if reflected else method


Remote.__doc__ = property(lambda self: fact(self, "__doc__"))
ITEMS = "getitem setitem delitem len iter next lt le gt ge enter exit index"
for _name in ITEMS.split():
    setattr(Remote, f"__{_name}__", _forward(_name))
for _name in "float int complex round neg pos abs invert".split():
    setattr(Remote, f"__{_name}__", _forward(_name))
for _name in "add sub mul truediv floordiv mod pow matmul and or xor".split():
    _operation = f"{_name}_" if _name in ("and", "or") else _name
    setattr(Remote, f"__{_name}__", _forward(_operation))
    setattr(Remote, f"__r{_name}__", _forward(_operation, reflected=True))


def remote(link: Link, node: dict):
    """Return the Remote of a handle, the same one each time while T holds it."""
    handle = int(node["h"])
    known = link.copies.get(handle)
    if known is not None and known() is not None:
        return known()
    if node.get("t") == "class" and "BaseException" in (node.get("bases") or ()):
        return own_exception(link, handle, node)
    facts = {"handle": handle, "class": str(node["class"]), "name": None}
    for word in ("__name__", "__doc__"):
        text = node.get(word)
        facts[word] = text if isinstance(text, str) else None
    made = Remote(link, facts)
    link.copies[handle] = weakref.ref(made)
    weakref.finalize(made, link._forget, handle, id(made)).atexit = False
    return made
