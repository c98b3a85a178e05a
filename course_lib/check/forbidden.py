"""Functions that an answer must do without, noticed when they are called.

Not the text of an answer is searched: a function counts when it runs, whatever name it
goes by. PyTorch's are seen by its own function mode and by what it dispatches
(`dispatched`), all others by Python's profiler. `check.without` is what a test says; a
grader reads `ACTIVE` and enforces the rule where the answer runs.
"""

from __future__ import annotations

import concurrent.futures.thread
import contextlib
import importlib
import inspect
import math
import os
import sys
import threading
import types
from collections.abc import Callable, Iterable

import torch
from torch.overrides import TorchFunctionMode

from course_lib.errors import CheckFailed

from . import compiled, dispatched, unimported

ACTIVE: list[str] = []  # the names that the present test forbids
HERE = [True]  # do answers run in this process?
GUARD = "sys.setprofile"  # to call it is to look for a way around
MANY = 20_000  # calls after which the record of operations is read, and begins anew
TORCH = os.path.dirname(torch.__file__)
COPIES = tuple(  # where PyTorch has a second form of its functions, in Python
    os.path.join(TORCH, name) for name in ("_refs", "_decomp")
)


class Broken(BaseException):
    """A call that the exercise forbids. No `except Exception` of an answer hides it."""

    watch: Watch | None = None  # the block whose rule it was


def find(name: str):
    """Return the function or class of a dotted name, e.g. torch.nn.functional.elu.

    Of a package that nobody has imported: its code. Raises LookupError if there is
    none, or if its calls go unnoticed.
    """
    if codes := unimported.codes(name):
        return codes
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
    if not names:
        raise LookupError("check.without needs the name of a function")
    for name in names:
        find(name)
    before = len(ACTIVE)
    ACTIVE.extend(names)
    broken: list[str] = []
    try:
        with enforced(names if HERE[0] else ()) as broken:
            yield
    except Broken as error:
        if error.watch is None or error.watch.broken is not broken:
            raise  # of a block around this one
    finally:
        del ACTIVE[before:]
    if broken:
        raise CheckFailed(f"{broken[0]} was called: solve this without it")


class Watch(TorchFunctionMode):
    """The rules of one block: the functions, their code, and which of them ran."""

    def __init__(self, rules: Iterable[str]):
        super().__init__()
        self.broken: list[str] = []
        self.names: dict = {}
        self.words: dict[str, str] = {}  # of operations: the rule
        for rule in rules:
            with contextlib.suppress(LookupError, AttributeError):
                found = find(rule)
                self.names[found] = rule
                word = None if isinstance(found, type) else dispatched.operation(rule)
                self.words |= {word: rule} if word else {}
        self.codes: dict[types.CodeType, list] = {}  # what it must have kept, its rule
        self.methods: dict[str, tuple] = {}  # in C: the class, the rule
        for found, rule in self.names.items():
            for code, kept in _codes(found):
                self.codes.setdefault(code, []).append((kept, rule))
            if kind := getattr(found, "__objclass__", None):
                self.methods[found.__name__] = kind, rule
        own = [(c, r) for c, some in self.codes.items() for kept, r in some if not kept]
        self.origins = compiled.Origins(dict(own))
        if self.names:
            self.codes[threading.setprofile.__code__] = [({}, GUARD)]
            self.names |= dict.fromkeys(
                (sys.setprofile, *dispatched.recorder().off), GUARD
            )

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.stop(self.names.get(function))
        return function(*args, **(kwargs or {}))

    def stop(self, rule: str | None) -> None:
        if rule:
            self.broken.append(rule)
            error = Broken(f"{rule} was called: this exercise forbids it")
            error.watch = self
            raise error

    def called(self, frame: types.FrameType) -> None:
        """Stop at a function of Python's, or at what was compiled from one."""
        code = frame.f_code
        self.stop(self.origins.rule(compiled.text_of(frame)))
        for kept, rule in self.codes.get(code, ()):
            inside = frame.f_locals if kept else {}
            if all(inside.get(name) is value for name, value in kept.items()):
                self.stop(rule)
        if code.co_name in self.words and code.co_filename.startswith(COPIES):
            self.stop(self.words[code.co_name])

    def called_in_c(self, function, by: types.CodeType) -> None:
        """Stop at a builtin function, or at a method of an object's own.

        PyTorch's own code may use a method: to print a tensor takes its `tolist`.
        """
        with contextlib.suppress(TypeError):
            self.stop(self.names.get(function))
        kind, rule = self.methods.get(function.__name__, ((), None))
        mine = issubclass(type(function.__self__), kind)
        if mine and not by.co_filename.startswith(TORCH):
            self.stop(rule)


_watches: list[Watch] = []  # of the blocks that we are in, the innermost last
_records = threading.local()  # `calls` of this thread since its record began
_ENDS = {  # the code of what a thread does last, and of one task in a pool of threads
    threading.Thread._bootstrap_inner.__code__,
    concurrent.futures.thread._WorkItem.run.__code__,
}
_OURS = {f.__code__ for f in (dispatched.stop, dispatched._counted, dispatched.word)}


def _profile(frame, event, arg) -> None:
    if event == "call":
        for watch in reversed(_watches):
            watch.called(frame)
        _records.calls += 1
        if _records.calls > MANY:
            _read_record()
    elif event == "c_call" and not isinstance(arg, type) and frame.f_code not in _OURS:
        for watch in reversed(_watches):
            watch.called_in_c(arg, frame.f_code)


def _compiled(text: str) -> None:
    for watch in reversed(_watches):
        watch.stop(watch.origins.rule(text))


def _unrecorded(word: str) -> None:
    for watch in reversed(_watches):
        watch.stop(watch.words.get(word))


def _profile_thread(frame, event, arg) -> None:
    """As `_profile`, in a thread that was started meanwhile: it has its own record."""
    if not _watches:
        return
    if not hasattr(_records, "calls"):
        _begin_record()
    last = frame.f_code in _ENDS or (frame.f_back and frame.f_back.f_code in _ENDS)
    if event == "return" and last:
        _read_record()
    _profile(frame, event, arg)


def _begin_record() -> None:
    _records.calls = 0
    dispatched.start()


def _read_record(go_on: bool = True) -> None:
    """Note which rules the operations broke that ran in this thread."""
    _records.calls = -math.inf  # reading calls functions, too
    try:
        words = dispatched.stop()
    except RuntimeError:  # an answer has stopped it
        words = set()
        _watches[-1].broken.append(GUARD)
    for watch in _watches:
        watch.broken += [rule for word, rule in watch.words.items() if word in words]
    if go_on:
        _begin_record()


@contextlib.contextmanager
def enforced(rules: Iterable[str]):
    """Raise Broken in this block when a function of these names runs.

    Yields the list in which the names of those that ran gather; an operation that no
    call in Python shows is there at the block's end. Blocks may be nested: one profiler
    and one record of operations serve all.
    """
    watch = Watch(rules)
    if not watch.names:
        yield watch.broken
        return
    found = sys.getprofile(), threading.getprofile()
    outermost = not _watches
    if outermost:
        _begin_record()
        _set_profile(_profile, _profile_thread)
    else:
        _read_record()
    _watches.append(watch)
    try:
        past = dispatched.unrecorded(_unrecorded)
        with watch, compiled.watched(_compiled), past:
            yield watch.broken
        if sys.getprofile() is not _profile:  # an alarm that rings in it ends it, too
            watch.broken.append(GUARD)
    finally:
        _read_record(go_on=not outermost)
        _watches.pop()  # the next line is ours
        if outermost:
            _set_profile(*found)


def _set_profile(ours, of_threads) -> None:
    """Watch this thread and those it starts."""
    threading.setprofile(of_threads)
    sys.setprofile(ours)


def _codes(function) -> list[tuple[types.CodeType, dict]]:
    """Return the code that a Python function, or a class when it is used, runs.

    With it goes what it must have kept to be this one: one wrapper's code is that of
    all the functions that are wrapped alike.
    function: or that code, as `find` has it.
    """
    if isinstance(function, tuple):
        return [(code, {}) for code in function]
    own = [function]
    if isinstance(function, type):
        of_class = vars(function).items()
        own = [f for word, f in of_class if unimported.acts(word)]
        own = [f for f in own if isinstance(f, types.FunctionType)]  # none is static
    both = [one for f in own for one in (f, inspect.unwrap(f))]
    return [(f.__code__, _kept(f)) for f in both if hasattr(f, "__code__")]


def _kept(function) -> dict[str, Callable]:
    """Return the functions among the variables that a function has kept."""
    found = {}
    pairs = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in pairs:
        with contextlib.suppress(ValueError):  # nothing is in it yet
            found[name] = cell.cell_contents
    return {n: f for n, f in found.items() if callable(f) and not isinstance(f, type)}
