"""The code of a function whose package nobody has imported, read from its file.

A function is known by its code, which is the same whoever imports it, and later. To
forbid a class of torchvision's therefore needs no import, which would take a second.
"""

from __future__ import annotations

import dis
import inspect
import sys
from functools import cache
from importlib.machinery import PathFinder
from types import CodeType


@cache
def codes(name: str) -> tuple[CodeType, ...]:
    """Return the code that a function, or a class when it is used, runs.

    name: dotted. Empty if its package is imported, or is not found, or if no module of
    it defines this name in Python, once and for all.
    """
    parts = name.split(".")
    code, names = _module(parts) if parts[0] not in sys.modules else (None, [])
    for part in names:
        code = _defined(code, part)
    if code is None or code.co_flags & inspect.CO_NEWLOCALS:
        return (code,) if code else ()
    own = (one for one in _inner(code) if one.co_varnames[:1] == ("self",))
    return tuple(one for one in own if acts(one.co_name))


def acts(method: str) -> bool:
    """Does a method of this name make or use an object, and not only describe it?"""
    told = method.startswith("__") or method == "extra_repr"
    return method in ("__init__", "__call__") or not told


def _module(parts: list[str]) -> tuple[CodeType | None, list[str]]:
    """Return the code of the innermost module on the way, and the names within it."""
    found, path = None, None
    for count in range(1, len(parts)):
        spec = PathFinder.find_spec(".".join(parts[:count]), path)
        if spec is None:
            break
        found, path, names = spec, spec.submodule_search_locations or (), parts[count:]
    read = getattr(found and found.loader, "get_code", None)
    return (read(found.name), names) if read else (None, [])


def _defined(code: CodeType | None, name: str) -> CodeType | None:
    """Return what a module or class defines by this name, if nothing else may bind it.

    Python's own heapq defines heappush, and then imports another one in C over it.
    """
    if code is None or ("*",) in code.co_consts:  # from … import *
        return None
    stores = [i for i in dis.get_instructions(code) if i.opname.startswith("STORE_")]
    found = [one for one in _inner(code) if one.co_name == name]
    once = sum(store.argval == name for store in stores) == len(found) == 1
    return found[0] if once else None


def _inner(code: CodeType | None) -> list[CodeType]:
    return [one for one in getattr(code, "co_consts", ()) if isinstance(one, CodeType)]
