"""Derivatives across the two sides, as the student's side works them out."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from course_grader.engine.common.plain import Decoder, Encoder
from course_grader.engine.common.shared import graph_of
from course_grader.engine.common.wire import Channel

from .objects import Objects


class Graphs:
    """The graphs of calls: what they began with, what came of them."""

    def __init__(self, channel: Channel):
        self.channel = channel
        self.cutting = False  # the judge asks for a derivative: stop at what it passed
        self._calls: dict[int, tuple] = {}  # inputs, outputs, rules

    def keep(
        self,
        call: int,
        passed: dict[int, object],
        outputs: list[Tensor],
        objects: Objects,
        rules: list[str],
    ) -> list[list[int]]:
        """Remember what outputs were computed from; return its numbers and handles.

        rules: that hold for their derivatives, too.
        """
        leaves, nodes = graph_of(outputs)
        given = [
            (n, value)
            for n, value in passed.items()
            if isinstance(value, Tensor)
            and value.requires_grad
            and (id(value) in leaves or value.grad_fn in nodes)
        ]
        own = objects.leaves(leaves)
        inputs = [value for _, value in given + own]
        self._calls[call] = inputs, list(outputs), rules
        return [[n for n, _ in given], [number for number, _ in own]]

    def differentiate(
        self, call: int, outs: list[int], grads: list[Tensor | None], keep: bool
    ) -> list[Tensor | None]:
        """Return the gradients of a call's inputs, given those of its outputs."""
        inputs, outputs, _ = self._calls[call]
        pairs = [
            (outputs[n], grad)
            for n, grad in zip(outs, grads, strict=True)
            if grad is not None
        ]
        self.cutting = True
        try:
            found = torch.autograd.grad(
                [output for output, _ in pairs],
                inputs,
                [grad for _, grad in pairs],
                retain_graph=keep,
                allow_unused=True,
            )
        finally:
            self.cutting = False
        return list(found)

    def rules(self, call: int) -> list[str]:
        """Return the functions that the answer of a call must do without."""
        return self._calls[call][2]

    def drop(self, calls: Iterable[int]) -> None:
        """Forget the graphs that nobody differentiates any more."""
        for call in calls:
            self._calls.pop(call, None)

    def from_judge(self, number: int, data: Tensor, leaves: list[Tensor]) -> Tensor:
        """Return a tensor whose gradients the judge works out, back to these leaves."""
        others = torch.zeros((), requires_grad=True)
        return FromJudge.apply(self, number, data, others, *leaves)

    def ask(self, number: int, grad: Tensor, keep: bool, others: bool) -> list:
        """Let the judge differentiate a tensor that it passed."""
        to = Encoder()
        question = {"callback": number, "grad": to.node(grad)}
        self.channel.send(question | {"keep": keep, "others": others}, to.blobs)
        answer, blobs = self.channel.receive()
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return Decoder(blobs).value(answer["grads"])


class FromJudge(torch.autograd.Function):
    """The part of a graph that lies on the judge's side, seen from here."""

    @staticmethod
    def forward(ctx, graphs: Graphs, number, data, others, *leaves):
        """`others` stands for all leaves that the judge has and did not pass."""
        ctx.graphs, ctx.number, ctx.leaves = graphs, number, len(leaves)
        ctx.others = torch.autograd.graph.get_gradient_edge(others).node
        ctx.save_for_backward(data.new_empty(0))
        return data.clone()

    @staticmethod
    def backward(ctx, grad):
        _ = ctx.saved_tensors  # raises when the graph was freed
        if ctx.graphs.cutting:
            return None, None, None, None, *(None,) * ctx.leaves
        keep = torch._C._autograd._get_current_graph_task_keep_graph()
        others = torch._C._will_engine_execute_node(ctx.others)  # by .backward()
        found = ctx.graphs.ask(ctx.number, grad, keep, others)
        return None, None, None, None, *found
