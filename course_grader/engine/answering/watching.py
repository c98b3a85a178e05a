"""What the watch on forbidden functions would not see by itself, on the student's side.

Python's profiler tells of calls out of Python, in threads that `threading` starts.
"""

from __future__ import annotations

import _thread
import contextlib
import functools
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator

from course_lib.check import forbidden

RAW = "start_new_thread", "start_new"  # a thread that `threading` knows nothing of


@contextlib.contextmanager
def enforced(rules: Iterable[str]) -> Iterator[list[str]]:
    """As `forbidden.enforced`; a builtin function is seen if C calls it, too.

    `map(math.log, xs)` finds a function of Python's by that name, which calls the
    builtin. Whoever took the builtin itself before, and lets C call it, is not seen.
    """
    ours = [found for rule in set(rules) if (found := _builtin(rule))]
    with forbidden.enforced(rules) as broken:  # from here on, we call none of them
        for inside, name, _, function in ours:
            inside[name] = function
        try:
            yield broken
        finally:
            for inside, name, before, _ in ours:
                inside[name] = before


def _builtin(rule: str) -> tuple[dict, str, Callable, Callable] | None:
    """Return where a builtin function stands, if a rule names one: it, and ours."""
    where, _, name = rule.rpartition(".")
    with contextlib.suppress(LookupError, AttributeError):
        found = forbidden.find(rule)
        if type(found) is types.BuiltinFunctionType and not where.startswith("torch"):
            return vars(sys.modules[where]), name, found, _in_python(found)
    return None


def _in_python(function):
    @functools.wraps(function)
    def called(*args, **kwargs):
        return function(*args, **kwargs)

    return called


def tell_of_threads() -> None:
    """Let every thread that a student's code starts be one of `threading`'s."""

    def start(function, args, kwargs=None) -> int:
        thread = threading.Thread(
            target=function, args=args, kwargs=kwargs, daemon=True
        )
        thread.start()
        return thread.ident

    for name in RAW:
        setattr(_thread, name, start)
