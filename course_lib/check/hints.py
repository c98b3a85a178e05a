"""What a failed check says: the mistakes that would explain what it found."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from course_lib.check.labels import label

# --- shapes -------------------------------------------------------------------


def trace(net: nn.Module, running: list, outputs: list) -> None:
    """Hook each module: the names of those that run, and (name, shape) of each leaf."""

    def hook(name: str, module: nn.Module) -> None:
        def leave(_module, _args, output):
            running.pop()
            if not list(module.children()) and isinstance(output, Tensor):
                outputs.append((label(name, module), tuple(output.shape)))

        module.register_forward_pre_hook(lambda *_: running.append(name))
        module.register_forward_hook(leave)

    for name, module in net.named_modules():
        hook(name, module)


def shapes(outputs: list[tuple[str, tuple]]) -> str:
    """Return the last layers that ran and their output shapes, a line each."""
    lines = [f"  {name}  ->  {shape}" for name, shape in outputs[-8:]]
    return "\n".join(["the last layers that ran:", *lines]) if lines else ""


def shape_hint(actual: tuple, expected: tuple, images: int | None = None) -> str:
    if len(actual) > len(expected) and actual[: len(expected)] == expected:
        return ": the trailing ones are not flattened away"
    if actual[::-1] == expected or sorted(actual) == sorted(expected):
        return ": the same numbers in another order, so two axes are swapped"
    if images and actual and actual[0] != images:
        return (
            f": the first axis was {images} images; flatten from axis 1 "
            "(`flatten(1)`), not from 0"
        )
    if math.prod(actual) == math.prod(expected):
        return ": the same number of values, so a reshape or flatten is missing"
    if len(actual) == len(expected) == 2 and actual[0] == expected[0]:
        return ": is `num_classes` handed on to the last layer?"
    if len(actual) == len(expected) and actual[:2] == expected[:2]:
        return ": look at strides, padding and pooling"
    return ""


def answer_hint(answer) -> str:
    """Say what an answer that is no tensor means, and what to do."""
    if answer is None:
        return "None: is the `return` of forward missing?"
    kind, words = type(answer).__name__, ""
    if isinstance(answer, (tuple, list, dict)):
        parts = list(answer.values() if isinstance(answer, dict) else answer)
        shapes = [tuple(p.shape) if isinstance(p, Tensor) else p for p in parts[:4]]
        words = f" of {len(parts)}: {', '.join(map(str, shapes))}"
    return (
        f"a {kind}{words}, not one tensor. Auxiliary heads belong to train mode: "
        "return the main logits alone when `self.training` is False."
        if words
        else f"a {kind}, not a tensor."
    )


# --- values, gradients, learning ----------------------------------------------


def close_hint(actual: Tensor, expected: Tensor) -> str:
    """Name the transformation that would make the two agree, if one does."""
    if actual.isnan().any() and not expected.isnan().any():
        return (
            f"\n  {int(actual.isnan().sum()):,} values are nan: 0/0, log(0), inf-inf?"
        )
    if actual.isinf().any() and not expected.isinf().any():
        return (
            "\n  some values are infinite: a division by 0, or exp without max-shift?"
        )

    kind = torch.promote_types(actual.dtype, expected.dtype)
    actual, expected = actual.to(kind), expected.to(kind)

    def same(x: Tensor) -> bool:
        return x.shape == expected.shape and torch.allclose(
            x, expected, rtol=1e-3, atol=1e-6, equal_nan=True
        )

    if kind.is_complex:
        if same(actual.conj()):
            return "\n  it is the complex conjugate of what is expected."
        if same(actual.real + 1j * expected.imag):
            return "\n  the real part is right, the imaginary part is not."

    if same(-actual):
        return "\n  the sign is wrong everywhere."
    if actual.ndim >= 2 and same(actual.transpose(-1, -2)):
        return "\n  it is transposed: swap the last two axes."
    for axis in range(actual.ndim):
        for shift in (1, -1):
            if actual.shape[axis] > 2 and same(actual.roll(shift, axis)):
                return f"\n  it is shifted by one along axis {axis}."
        if actual.shape[axis] > 1 and same(actual.flip(axis)):
            return f"\n  it is reversed along axis {axis}."
    ratio = (actual * expected.conj()).sum() / expected.abs().square().sum()
    if ratio.abs() > 1e-9 and same(actual / ratio):
        return f"\n  it is {ratio.item():.6g} times what is expected, everywhere."
    offset = (actual - expected).mean()
    if actual.numel() > 1 and same(actual - offset):
        return f"\n  it is larger by {offset.item():.6g} everywhere."
    if kind.is_complex:
        return ""
    if actual.numel() > 1 and same(actual.flatten().sort()[0].view_as(actual)):
        return "\n  the values are right, their order is not."
    return ""


def no_numbers(value) -> str:
    """Say what a value is that should be a number, or an array of them."""
    if value is None:
        return "None: is a `return` missing?"
    if isinstance(value, str):
        return f"the string {value[:40]!r}, not a number"
    if any(isinstance(leaf, int) for leaf in tree_leaves(value)):
        return "not made of numbers, or holds an integer of more than 63 bits"
    return f"a {type(value).__name__}, not numbers"


def gradient_fault(grad: Tensor | None) -> str | None:
    if grad is None:
        return (
            "no gradient arrives: forward never uses it, or it stands before a "
            "`detach()`, `torch.no_grad()`, `.item()` or `argmax`"
        )
    if not grad.isfinite().all():
        return "the gradient is not finite: a division by 0, sqrt(0) or log(0) after it"
    if grad.count_nonzero() == 0:
        return (
            "the gradient is 0 everywhere: what follows is multiplied by 0, or is a "
            "ReLU that is never on, or does not depend on it (a softmax over one entry)"
        )
    return None


def learns_hint(net, images, labels, logits: Tensor, losses: list[float]) -> str:
    """Say what a loss that does not fall means; nearest cause first."""
    guess = math.log(logits.shape[1])
    if not math.isfinite(losses[-1]):
        return "the loss is not finite: log(0) or a division by 0, or too large steps."
    if not logits.requires_grad:
        return (
            "no gradient reaches the weights: forward runs under torch.no_grad(), or "
            "detaches, or goes through numpy."
        )
    sums = logits.detach().sum(dim=1)
    if logits.min() >= 0 and torch.allclose(sums, torch.ones_like(sums), atol=1e-4):
        return (
            "each row of the output is ≥ 0 and sums to 1: a softmax stands before the "
            "cross-entropy, which has its own. Return the logits."
        )
    spread = logits.detach().std(dim=0).max().item() if len(images) > 1 else 1.0
    if spread < 1e-6 and (images.flatten(1).std(dim=0) > 0).any():
        return (
            f"every image gets the same logits, and a constant answer costs about log "
            f"{logits.shape[1]} = {guess:.3f}: no image gets through. Are weights "
            "zero-initialised, or ReLUs dead, or is a gate closed?"
        )
    gradless = [n for n, p in net.named_parameters() if p.grad is None]
    idle = [
        n for n, p in net.named_parameters() if p.grad is not None and not p.grad.any()
    ]
    if gradless or idle:
        names = ", ".join(f"`{name}`" for name in (gradless + idle)[:4])
        return f"{len(gradless + idle)} parameters get no gradient: {names}, …"
    if torch.unique(images, dim=0).shape[0] < len(images):
        return "some images are the same but have different labels: are they shuffled?"
    if abs(losses[-1] - guess) < 0.1 * guess:
        return (
            f"it stays at log {logits.shape[1]} = {guess:.3f}, the loss of a guess: "
            "the logits hardly depend on the image. Activations that vanish "
            "(initialisation, a missing norm), steps too small, or labels that do not "
            "belong to the images?"
        )
    return "it falls, but slowly: more `steps`, or another `learning_rate`?"
