"""Functions that an answer must do without, noticed when they are called.

Not the text of an answer is searched: a function counts when it runs, whatever name it
goes by. PyTorch's are seen by its own function mode, all others by Python's profiler.
`check.without` is what a test says; a grader reads `ACTIVE` and enforces the rule where
the answer runs.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
import types
from collections.abc import Iterable

import torch
from torch.overrides import TorchFunctionMode

from course_lib.errors import CheckFailed

ACTIVE: list[str] = []  # the names that the present test forbids
HERE = [True]  # do answers run in this process?
GUARD = "sys.setprofile"  # to call it is to look for a way around


class Broken(BaseException):
    """A call that the exercise forbids. No `except Exception` of an answer hides it."""


def find(name: str):
    """Return the function or class of a dotted name, e.g. torch.nn.functional.elu.

    Raises LookupError if there is none, or if its calls go unnoticed.
    """
    parts = name.split(".")
    for split in range(len(parts) - 1, 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:split]))
        except ImportError:
            continue
        for part in parts[split:]:
            found = getattr(found, part, None)
        if found is not None:
            break
    else:
        raise LookupError(f"no function is called {name}")
    if not _noticed(found):
        raise LookupError(
            f"nothing tells when {name} is called: forbid what is written in Python, a "
            "builtin function or PyTorch's"
        )
    return found


def _noticed(found) -> bool:
    """Does the watch see it called? It does not see NumPy's ufuncs, or classes in C."""
    kind = getattr(found, "__objclass__", None)  # of a method in C
    of_tensors = kind is not None and issubclass(torch.Tensor, kind)
    builtin = isinstance(found, types.BuiltinFunctionType)
    return builtin or of_tensors or bool(_codes(found))


@contextlib.contextmanager
def without(*names: str):
    """Check that what runs in this block calls none of these functions.

    names: dotted, e.g. "torch.nn.functional.elu"; nn.ELU and every other way to it
    count, too. Raises CheckFailed when one is called, LookupError for a name that does
    not exist.
    """
    for name in names:
        find(name)
    ACTIVE.extend(names)
    broken: list[str] = []
    try:
        with contextlib.suppress(Broken), enforced(names if HERE[0] else ()) as broken:
            yield
    finally:
        del ACTIVE[-len(names) :]
    if broken:
        raise CheckFailed(f"{broken[0]} was called: solve this without it")


class _Watch(TorchFunctionMode):
    def __init__(self, names: dict, broken: list[str]):
        super().__init__()
        self.names, self.broken = names, broken

    def __torch_function__(self, function, types, args=(), kwargs=None):
        _stop(self.names.get(function), self.broken)
        return function(*args, **(kwargs or {}))


@contextlib.contextmanager
def enforced(rules: Iterable[str]):
    """Raise Broken in this block when a function of these names runs.

    Yields the list in which the names of those that ran gather.
    """
    broken: list[str] = []
    names = {}
    for rule in rules:
        with contextlib.suppress(LookupError, AttributeError):
            names[find(rule)] = rule
    if not names:
        yield broken
        return
    codes = {code: rule for f, rule in names.items() for code in _codes(f)}
    codes[threading.setprofile.__code__] = names[sys.setprofile] = GUARD

    def profile(frame, event, arg):
        if event == "call":
            _stop(codes.get(frame.f_code), broken)
        elif event == "c_call" and not isinstance(arg, type):
            with contextlib.suppress(TypeError):
                _stop(names.get(arg), broken)

    _set_profile(profile)
    try:
        with _Watch(names, broken):
            yield broken
    finally:
        if sys.getprofile() is not profile:
            broken.append(GUARD)
        names.clear(), codes.clear()  # the next line is ours
        _set_profile(None)


def _set_profile(profile) -> None:
    """Watch this thread and those it starts."""
    threading.setprofile(profile)
    sys.setprofile(profile)


def _codes(function) -> list:
    """Return the code that a Python function, or a class when it is used, runs."""
    if isinstance(function, type):
        own = [vars(function).get(name) for name in ("__init__", "forward")]
    else:
        own = [function, getattr(function, "__wrapped__", None)]  # NumPy's dispatchers
    return [f.__code__ for f in own if hasattr(f, "__code__")]


def _stop(rule: str | None, broken: list[str]) -> None:
    if rule:
        broken.append(rule)
        raise Broken(f"{rule} was called; this exercise is to be solved without it")
