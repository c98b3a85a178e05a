"""What a student's code raised, raised again here as a class that a test can catch."""

from __future__ import annotations

import builtins
import contextlib
import sys

from course_grader.engine.common.plain import Decoder
from course_grader.engine.common.shared import is_simple
from course_grader.engine.common.wire import Malformed

OURS = "course_lib.", "torch", "numpy", "sklearn.exceptions", "notebook_"
LIBRARY = {  # modules whose exceptions mean nothing to whoever runs a test
    *("_csv", "_pickle", "_queue", "binascii", "configparser", "copy", "csv"),
    *("dataclasses", "decimal", "graphlib", "ipaddress", "json", "queue", "re"),
    *("shutil", "statistics", "struct", "subprocess", "zipfile", "zlib", "zoneinfo"),
}
MESSAGE = 10_000  # characters of an exception's text


class Stopped(BaseException):
    """The student's side was too slow or is gone: the test ends here."""

    _course_remote = True

    def __init__(self, text: str = "", late: bool = False):
        super().__init__(text)
        self.late = late  # was it too slow?


@contextlib.contextmanager
def reading():
    """Stop the test if an answer cannot be read; all of it may be made up."""
    try:
        yield
    except Exception as error:
        text = str(error) if isinstance(error, Malformed) else repr(error)
        raise Stopped(f"your code's answer cannot be read: {text[:300]}") from None


class Exceptions:
    """The classes that stand for exceptions of the student's, by handle."""

    def __init__(self, given: dict[str, type]):
        """given: classes that both sides have, by name."""
        self.given = given
        self.classes: dict[int, type] = {}

    def own(self, handle: int, node: dict) -> type:
        """Return a class that `except` takes, for an exception class of theirs."""
        if handle not in self.classes:
            known = [getattr(builtins, str(n), None) for n in node["bases"]]
            base = next((b for b in known if isinstance(b, type)), Exception)
            base = base if issubclass(base, Exception) else Exception
            made = exception_class(base, str(node["class"]))
            made._course_handle = handle
            self.classes[handle] = made
        return self.classes[handle]

    def raised(self, told: dict) -> tuple[BaseException, str]:
        """Return the exception to raise for one that was raised there, and its text."""
        text = str(told["text"])[:MESSAGE]
        if told.get("late"):
            return Stopped(f"your code was stopped: {text}", late=True), ""
        words, base = text, getattr(builtins, str(told["builtin"]), Exception)
        if not (isinstance(base, type) and issubclass(base, Exception)):
            words = f"your code raised {told['class']} {text}".strip()
            base = RuntimeError
        given = self.given.get(told.get("given"), object)
        given = given if issubclass(given, Exception) else None
        known = self.classes.get(told.get("h")) or given or known_class(told, base)
        args = told.get("args") if words == text else None
        args = (words,) if args is None else tuple(Decoder([]).values(args))
        kind = exception_class(known or base, str(told["class"]))
        error = made(kind, args)
        if known is None and kind.__name__ == kind.__base__.__name__:
            plain = made(kind.__base__, args)
            error = plain if str(plain) == words else error
        error._course_remote, error._course_said = True, words
        if words == text:
            fill(error, told)
        for line in told.get("lines", [])[:5]:
            if hasattr(error, "add_note"):
                error.add_note(f"in your code, {str(line)[:300]}")
        return error, text


def lasting(error: BaseException | None) -> BaseException | None:
    """Return an error that ends no loop of the test's in its stead.

    To `map` and `all` a StopIteration is the end of what they walk through.
    """
    if not isinstance(error, (StopIteration, StopAsyncIteration)):
        return error
    word = next(k for k in type(error).__mro__ if vars(builtins).get(k.__name__))
    return RuntimeError(f"your code raised {word.__name__} {error}".strip())


def exception_class(base: type, name: str) -> type:
    """Return a class of this name; of a group of exceptions, one without members."""
    if issubclass(base, getattr(builtins, "BaseExceptionGroup", ())):
        base = Exception

    def shown(self):
        said = str(self.args[0]) if self.args else ""
        return getattr(self, "_course_said", said)

    fields = {"__str__": shown, "__module__": "builtins"}
    return type(name[:100] or "Exception", (base,), fields)


def made(kind: type, args: tuple) -> BaseException:
    """Return an exception set up as the builtin class above it does it, and no other.

    An OSError has its number then, and a StopIteration the value without which
    `yield from` ends the process. A SyntaxError gets no place: the line that stands
    there would be shown, and it may be a hidden test's.
    """
    near = next(k for k in kind.__mro__ if vars(builtins).get(k.__name__) is k)
    args = args[:1] if issubclass(near, SyntaxError) else args
    error = near.__new__(kind)
    error.args = args
    with contextlib.suppress(TypeError):
        error = near.__new__(kind, *args)
        near.__init__(error, *args)
    return error


def known_class(told: dict, base: type) -> type | None:
    """Return our own class of this name, e.g. course_lib.errors.CourseError."""
    where = str(told["module"])
    ours = where.startswith(OURS) or where.partition(".")[0] in LIBRARY
    module = sys.modules.get(where) if ours else None
    found = getattr(module, str(told["class"]), None)
    if isinstance(found, type) and issubclass(found, base):
        return found if found.__module__ == where else None  # it may import others'
    return None


def fill(error: BaseException, told: dict) -> None:
    """Give an exception the fields that it had there, if plain data."""
    for name, node in dict(told.get("fields", {})).items():
        value = Decoder([]).value(node)
        if name.startswith(("__", "_course")) or not is_simple(value):
            raise Malformed(f"the field {name[:40]!r} of an exception")
        error.__dict__[name] = value
