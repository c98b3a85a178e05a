"""What PyTorch's dispatcher runs: every operation, by whatever name it was called.

`F.elu`, `torch._C._nn.elu`, `torch.ops.aten.elu`, `torch.celu` and a scripted function
all end in the operation aten::elu. PyTorch's own recorder of operations sees it there.
"""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache

import torch

from course_lib.errors import CourseError

NEEDED = {  # names that PyTorch does not promise; they were looked up in 2.0 and 2.15
    "torch.autograd": ("_enable_profiler_legacy", "_disable_profiler_legacy"),
    "torch._C._autograd": ("_disable_profiler",),
    "torch._C._profiler": (
        *("ProfilerConfig", "ProfilerState", "RecordScope", "_ExperimentalConfig"),
    ),
    "torch._C": ("_dispatch_get_all_op_names", "ScriptFunction", "ScriptMethod"),
}
PAUSES = "_enable_record_function", "_clear_callbacks"  # for a while, or from then on
OTHER_WORDS = {  # functions of torch.nn.functional whose operation is called otherwise
    "torch.nn.functional.unfold": "im2col",
    "torch.nn.functional.fold": "col2im",
    "torch.nn.functional.grid_sample": "grid_sampler",
}
VARIANT = re.compile(
    r"^(?:_|native_|cudnn_|mkldnn_|mkl_|miopen_)+|(?:_|_loss|_with_indices)+$"
)
BACKWARD = re.compile(r"Backward\d+$")  # PyTorch's own derivatives


def word(name: str) -> str:
    """Return what the variants of an operation share: aten::elu_.out is "elu"."""
    return VARIANT.sub("", name.rpartition("::")[2].partition(".")[0])


class _Recorder:
    """PyTorch's recorder of operations, as it is called in this version."""

    def __init__(self):
        found = {
            name: _named(where, name) for where in NEEDED for name in NEEDED[where]
        }
        self.enable = found["_enable_profiler_legacy"]
        self.disable = found["_disable_profiler_legacy"]
        pauses = (getattr(torch._C._autograd, name, None) for name in PAUSES)
        self.off = {self.disable, found["_disable_profiler"], *pauses} - {None}
        self.function = int(found["RecordScope"].FUNCTION)
        state, more = found["ProfilerState"].CPU, found["_ExperimentalConfig"]()
        self.setting = found["ProfilerConfig"](state, *[False] * 5, more)
        self.words = frozenset(map(word, found["_dispatch_get_all_op_names"]()))

    def check(self) -> None:
        """Raise CourseError unless what runs is recorded, and nothing beside it."""
        self.enable(self.setting)
        torch.zeros(1).cosh()
        seen = set(_counted(self.disable(), self.function))
        if "aten::cosh" not in seen or "aten::elu" in seen:
            raise _unknown(f"it recorded {sorted(seen)} where torch.cosh ran")


def _named(where: str, name: str):
    found = getattr(importlib.import_module(where), name, None)
    if found is None:
        raise _unknown(f"{where}.{name} is missing")
    return found


def _unknown(what: str) -> CourseError:
    return CourseError(
        f"PyTorch {torch.__version__} does not tell which operations run ({what}), so "
        "no rule on forbidden functions can be kept: install one from 2.11 to 2.15"
    )


@cache
def recorder() -> _Recorder:
    """Return the recorder, tried once; CourseError where PyTorch has changed it."""
    try:
        made = _Recorder()
        made.check()
    except (ImportError, TypeError, AttributeError, ValueError) as error:
        raise _unknown(f"{type(error).__name__}: {error}") from error
    return made


def operation(rule: str) -> str | None:
    """Return the word of the operation that a function of PyTorch's is, if it is one.

    rule: its dotted name. A composition such as F.normalize has none.
    """
    own = word(OTHER_WORDS.get(rule, rule.rpartition(".")[2]))
    return own if rule.startswith("torch.") and own in recorder().words else None


def start() -> None:
    """Record this thread's operations from now on."""
    of = recorder()
    of.enable(of.setting)


def stop() -> set[str]:
    """Return the words of the operations that ran in this thread since `start`.

    Raises RuntimeError if somebody else has stopped the recorder.
    """
    of = recorder()
    return {word(name) for name in _counted(of.disable(), of.function)}


def unrecorded(called: Callable[[str], None]) -> contextlib.AbstractContextManager:
    """In this block, let `called` have the word of what runs past the recorder.

    An operation can go on to a kernel, or be one that was taken out of its table.
    """
    core = torch._C
    ways = [
        (getattr(core, "_DispatchOperatorHandle", None), "redispatch_boxed", _schema),
        (
            getattr(core, "_SafeKernelFunction", None),
            "call_boxed",
            lambda kernel: _schema(kernel.op_handle),
        ),
    ]
    return told([way for way in ways if hasattr(*way[:2])], called)


def _schema(handle) -> str:
    return word(handle.schema().name)


@contextlib.contextmanager
def told(methods: Iterable[tuple], called: Callable[[str], None]) -> Iterator[None]:
    """In this block, tell of each call of some methods before it is made.

    methods: (class, name of its method, what of the object `called` gets) of each.
    """
    found = [(kind, name, getattr(kind, name), of) for kind, name, of in methods]
    for kind, name, method, of in found:
        setattr(kind, name, _telling(method, of, called))
    try:
        yield
    finally:
        for kind, name, method, _ in found:
            setattr(kind, name, method)


def _telling(method, of, called):
    def run(self, *args, **kwargs):
        called(of(self))
        return method(self, *args, **kwargs)

    return run


class _Node:
    def __init__(self, name: str, scope=None):
        self.name, self.scope, self.inside = name, scope, []


def _counted(threads, function: int) -> Iterator[str]:
    """Yield the operations that were called, and those that one consists of alone.

    threads: events of the recorder; function: the scope of those that are operations.

    celu is elu and nothing else, so that to call the one is to call the other. A
    convolution that pads its input is more than padding.
    """
    top = _Node("")
    for events in threads:
        path = [top]
        for event in events:
            kind = event.kind()
            if kind == "push":
                node = _Node(event.name(), event.scope())
                path[-1].inside.append(node)
                path.append(node)
            elif kind == "pop" and len(path) > 1:
                path.pop()
    todo = [top]
    while todo:
        node = todo.pop()
        is_operation = node.scope == function and "::" in node.name
        if is_operation:
            yield node.name
        transparent = not is_operation or len(node.inside) == 1
        if transparent and not BACKWARD.search(node.name):
            todo += node.inside
