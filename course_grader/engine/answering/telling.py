"""What a student's code raised and warned, as plain text for the judge."""

from __future__ import annotations

import builtins
import contextlib
import traceback
import warnings

from course_grader.engine.common.plain import Encoder
from course_grader.engine.common.shared import is_simple
from course_grader.engine.common.shell import TimeIsUp

MESSAGE = 10_000  # characters of an exception's text
WARNINGS, FRAMES, FIELDS = 100, 50, 20


@contextlib.contextmanager
def warned():
    """Gather warnings as [category, text]."""
    seen: list = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield seen
        finally:
            seen += [
                [builtin(w.category), str(w.message)[:MESSAGE]]
                for w in caught[:WARNINGS]
            ]


def told(error: BaseException) -> dict:
    """Say what was raised: class, nearest builtin class, text, the student's line."""
    try:
        text = str(error)[:MESSAGE]
    except BaseException:
        text = ""
    kind = type(error)
    args, fields = _data(error)
    return {
        "class": str(kind.__name__)[:200],
        "builtin": builtin(kind),
        "module": str(kind.__module__)[:200],
        "text": text,
        "args": args,
        "fields": fields,
        "lines": _lines(error),
        "late": isinstance(error, TimeIsUp),
    }


def _data(error: BaseException) -> tuple[list | None, dict]:
    """Return an exception's arguments and fields, of both what is small plain data."""
    to, near = Encoder(), getattr(builtins, builtin(type(error)))
    given = list(near.__reduce__(error)[1])  # the name of a file is in no `args`
    args = to.node(given)["v"] if _is_small(given) else None
    fields = {
        name: to.node(value)
        for name, value in list(vars(error).items())[:FIELDS]
        if not name.startswith("__") and _is_small(value)
    }
    return args, fields


def _is_small(value) -> bool:
    return is_simple(value) and len(repr(value)) <= MESSAGE


def builtin(kind: type) -> str:
    """Return the name of the nearest builtin class."""
    near = [base for base in kind.__mro__ if base.__module__ == "builtins"]
    return near[0].__name__ if near else "Exception"


def _lines(error: BaseException) -> list[str]:
    """Return the last lines of the student's own that the traceback names."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return [
        f"line {frame.lineno} of {frame.name}: {frame.line or ''}"[:300]
        for frame in frames
        if frame.filename.startswith("<ipython-input") or "ipykernel_" in frame.filename
    ][-5:]
