"""Derivatives across the two sides, as the judge's side works them out."""

from __future__ import annotations

import torch
from torch import Tensor

from course_grader.engine.common.plain import Decoder, Encoder
from course_grader.engine.common.shared import graph_of

from .asking import Asking
from .raised import Stopped


class Token:
    """Lives as long as any tensor of a call that can be differentiated."""


class Bridge(torch.autograd.Function):
    """The part of a graph that lies on the student's side, seen from here."""

    @staticmethod
    def forward(ctx, where: tuple[Asking, int, int, Token], data, *inputs):
        ctx.asking, ctx.call, ctx.out, ctx.token = where
        ctx.count = len(inputs)
        ctx.like = [(tuple(i.shape), i.dtype) for i in inputs]
        ctx.save_for_backward(data.new_empty(0))
        return data.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        _ = ctx.saved_tensors  # raises when the graph was freed
        found = ctx.asking.vjp(ctx.call, ctx.out, grad, ctx.count)
        for value, (shape, dtype) in zip(found, ctx.like, strict=True):
            fits = value is None or (
                type(value) is Tensor and tuple(value.shape) == shape
            )
            if not fits or (value is not None and value.dtype != dtype):
                raise Stopped("your code returned gradients of another shape")
        return None, None, *found


def reach(passed: dict[int, object], value: Tensor) -> list[int]:
    """Return the numbers of the passed leaves that a tensor was computed from."""
    leaves, _ = graph_of([value])
    return [number for number, leaf in passed.items() if id(leaf) in leaves]


def derivative(
    passed: dict[int, object], question: dict, blobs: list
) -> tuple[dict, list]:
    """Differentiate a tensor that we passed, for an answer that asks for it."""
    try:
        tensor = passed[question["callback"]]
        numbers = reach(passed, tensor)
        leaves = [passed[number] for number in numbers]
        if question["others"]:
            known = {id(leaf) for leaf in leaves}
            all_leaves = graph_of([tensor])[0].items()
            leaves += [leaf for key, leaf in all_leaves if key not in known]
        grad = Decoder(blobs).value(question["grad"])
        keep = bool(question["keep"])
        options = {"retain_graph": keep, "allow_unused": True}
        found = torch.autograd.grad(tensor, leaves, grad, **options)
        count = len(numbers)
        for leaf, value in zip(leaves[count:], found[count:], strict=True):
            if value is not None:
                leaf.grad = value if leaf.grad is None else leaf.grad + value
        to = Encoder()
        return {"grads": to.node(list(found[:count]))}, to.blobs
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}, []
