"""What PyTorch's dispatcher runs: every operation, by whatever name it was called.

`F.elu`, `torch._C._nn.elu`, `torch.ops.aten.elu`, `torch.celu` and a scripted function
all end in the operation aten::elu. PyTorch's own recorder of operations sees it there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import torch
from torch._C._profiler import (
    ProfilerConfig,
    ProfilerState,
    RecordScope,
    _ExperimentalConfig,
)
from torch.autograd import _disable_profiler_legacy, _enable_profiler_legacy

SETTING = ProfilerConfig(
    ProfilerState.CPU, False, False, False, False, False, _ExperimentalConfig()
)
OFF = _disable_profiler_legacy, torch._C._autograd._disable_profiler
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


@cache
def _words() -> frozenset[str]:
    return frozenset(map(word, torch._C._dispatch_get_all_op_names()))


def operation(rule: str) -> str | None:
    """Return the word of the operation that a function of PyTorch's is, if it is one.

    rule: its dotted name. A composition such as F.normalize has none.
    """
    own = word(OTHER_WORDS.get(rule, rule.rpartition(".")[2]))
    return own if rule.startswith("torch.") and own in _words() else None


def start() -> None:
    """Record this thread's operations from now on."""
    _enable_profiler_legacy(SETTING)


def stop() -> set[str]:
    """Return the words of the operations that ran in this thread since `start`.

    Raises RuntimeError if somebody else has stopped the recorder.
    """
    return {word(name) for name in _counted(_disable_profiler_legacy())}


class _Node:
    def __init__(self, name: str, scope=None):
        self.name, self.scope, self.inside = name, scope, []

    @property
    def is_operation(self) -> bool:
        return self.scope == _FUNCTION and "::" in self.name


_FUNCTION = int(RecordScope.FUNCTION)


def _counted(threads) -> Iterator[str]:
    """Yield the operations that were called, and those that one consists of alone.

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
        if node.is_operation:
            yield node.name
        transparent = not node.is_operation or len(node.inside) == 1
        if transparent and not BACKWARD.search(node.name):
            todo += node.inside
