"""What a compiled function was compiled from: the lines that its graph remembers.

A scripted, traced or exported function runs operations and no line of Python. A
composition such as F.local_response_norm is no operation, but each node of the graph
tells the file and line that it came from, in a function that was saved and loaded, too.
"""

from __future__ import annotations

import contextlib
import re
import types
from collections.abc import Callable

import torch

from .dispatched import told

# "# /…/functional.py:3080:11", "/…/functional.py(3080): name", 'File "/…", line 3080'
PLACE = re.compile(r"([^\s\"]+\.py)(?::|\(|\", line )(\d+)")
EXPORTED = re.compile(r"'function\.(\w+)'")  # PyTorch's, as torch.export notes it
GENERATED = "<eval_with_key>"  # the file of the code that torch.fx writes


class Origins:
    """Where the code of some functions stands, and the rule of each."""

    def __init__(self, codes: dict[types.CodeType, str]):
        self.spans = [(c.co_filename, _span(c), rule) for c, rule in codes.items()]
        rules = [rule for rule in codes.values() if rule.startswith("torch.")]
        self.names = {rule.rpartition(".")[2]: rule for rule in rules}

    def rule(self, text: str) -> str | None:
        """Return the rule of a function that a graph, as text, came from."""
        for file, number in PLACE.findall(text) if self.spans else ():
            for name, lines, rule in self.spans:
                if file == name and int(number) in lines:
                    return rule
        found = (self.names.get(name) for name in EXPORTED.findall(text))
        return next(filter(None, found), None)


def _span(code: types.CodeType) -> range:
    lines = [line for _, _, line in code.co_lines() if line is not None]
    return range(code.co_firstlineno, max(lines, default=code.co_firstlineno) + 1)


def text_of(frame: types.FrameType) -> str:
    """Return where the nodes of a torch.fx graph came from, if this frame runs one."""
    if not frame.f_code.co_filename.startswith(GENERATED):
        return ""
    graph = getattr(frame.f_locals.get("self"), "graph", None)
    nodes = getattr(graph, "nodes", ())
    told = [(n.meta.get("stack_trace"), n.meta.get("torch_fn")) for n in nodes]
    return "\n".join(f"{lines}\n{name}" for lines, name in told)


def watched(called: Callable[[str], None]) -> contextlib.AbstractContextManager:
    """In this block, let `called` have the graph of what runs of TorchScript's."""
    kinds = torch._C.ScriptFunction, torch._C.ScriptMethod
    return told([(kind, "__call__", _graph) for kind in kinds], called)


def _graph(function) -> str:
    return str(function.inlined_graph)
