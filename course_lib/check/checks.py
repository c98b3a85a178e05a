"""The checks of shape, size, values, gradients and learning."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_iter

from course_lib.check import hints, sizes
from course_lib.check.untouched import copied, first_line, fixed_random, sized
from course_lib.errors import CheckFailed


def shape(net: nn.Module, input_shape: tuple, output_shape: tuple) -> None:
    """Check that images of `input_shape` become an output of `output_shape`."""
    outputs: list[tuple[str, tuple]] = []
    running: list[str] = []
    probe = copied(net).eval()
    hints.trace(probe, running, outputs)
    try:
        with fixed_random(), torch.no_grad():
            answer = probe(_zeros(net, input_shape))
    except (RuntimeError, ValueError, IndexError) as error:
        where = f"`{running[-1]}`" if running and running[-1] else "forward"
        raise CheckFailed(
            f"{where} cannot take what reaches it, for images {tuple(input_shape)}: "
            f"{first_line(error)}.\n{hints.shapes(outputs)}"
        ) from error
    if not isinstance(answer, Tensor):
        raise CheckFailed(
            f"in eval mode the network answers {hints.answer_hint(answer)}\n"
            f"{hints.shapes(outputs)}"
        )
    actual = tuple(answer.shape)
    if actual != tuple(output_shape):
        raise CheckFailed(
            f"the output is {actual}, not {tuple(output_shape)}"
            f"{hints.shape_hint(actual, tuple(output_shape), input_shape[0])}.\n"
            f"{hints.shapes(outputs)}"
        )


def params(net: nn.Module, expected: int) -> None:
    """Check the number of parameters; a failure names the layer that explains it."""
    actual = sum(p.numel() for p in sized(net).parameters())
    if actual == expected:
        return
    off = actual - expected
    reasons = sizes.params_reasons(net, off)[:3] or [
        "no single layer explains this number"
    ]
    raise CheckFailed(
        f"{actual:,} parameters, expected {expected:,}: {abs(off):,} "
        f"{'too many' if off > 0 else 'fewer'}.\n"
        + "\n".join(f"  perhaps: {reason}" for reason in reasons)
        + f"\n{sizes.params_table(net)}"
    )


def macs(net: nn.Module, input_shape: tuple, expected: int) -> None:
    """Check the multiply-accumulates (1 MAC = 2 FLOPs) of one forward pass."""
    from course_lib.flops import count

    with fixed_random():
        cost = count(net, input_shape)
    if cost.macs == expected:
        return
    hint = sizes.macs_hint(cost.macs, expected, input_shape)
    raise CheckFailed(
        f"{cost.macs:,} multiply-accumulates, expected {expected:,}: "
        f"{abs(cost.macs - expected):,} "
        f"{'too many' if cost.macs > expected else 'fewer'}.{hint}\n{cost}"
    )


def close(actual, expected, rtol=1e-4, atol=1e-6, what: str = "the answer") -> None:
    """Check |actual - expected| <= atol + rtol |expected|, entry by entry.

    Takes tensors, arrays, numbers or nested lists of them, real or complex; nan is
    never close, and an infinity is close to itself alone.
    """
    actual, expected = _values(actual, what), _values(expected, "what is expected")
    if actual.shape != expected.shape:
        raise CheckFailed(
            f"{what} has the shape {tuple(actual.shape)}, expected "
            f"{tuple(expected.shape)}"
            f"{hints.shape_hint(tuple(actual.shape), tuple(expected.shape))}"
        )
    error = _distance(actual, expected)
    wrong = ~(error <= atol + rtol * _float(expected).abs()) | expected.isinf()
    wrong &= actual != expected  # infinities of one sign agree
    if not wrong.any():
        return
    error = torch.where(wrong, error, -1.0).nan_to_num(math.inf)
    # not unravel_index, which imports SymPy: half a second for each first mistake
    worst = tuple(int(i) for i in (error == error.max()).nonzero()[0])
    first = tuple(int(i) for i in wrong.nonzero()[0])
    found, right = _shown(actual[worst].item(), expected[worst].item())
    raise CheckFailed(
        f"{what}{f' at {list(worst)}' if worst else ''} is {found}, expected {right} "
        f"(the largest of {int(wrong.sum()):,} differences in {wrong.numel():,} values"
        f"{f'; the first is at {first}' if first else ''})."
        f"{hints.close_hint(_float(actual), _float(expected))}"
    )


def gradients(net: nn.Module, input_shape: tuple) -> None:
    """Check that every parameter receives a finite gradient that is not all zero.

    Weights that start at zero on purpose (a ViT's head, the last gamma of a residual
    block) would hide what lies before them: they are re-drawn in the copy that is used.
    """
    probe = _thawed(copied(sized(net)).train())
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad(), fixed_random():
        for weight in probe.parameters():
            if weight.count_nonzero() == 0:
                weight.copy_(0.1 * torch.randn(weight.shape, generator=generator))
    with torch.enable_grad(), fixed_random():
        images = torch.randn(input_shape, generator=generator).to(_zeros(net, (1,)))
        outputs = [_real(y) for y in _tensors(probe(images)) if y.requires_grad]
        total = sum((y * torch.randn(y.shape).to(y)).sum() for y in outputs)
    if outputs:
        total.backward()
    faults = [
        f"  `{name}` {tuple(weight.shape)}: {fault}"
        for name, weight in probe.named_parameters()
        if (fault := hints.gradient_fault(weight.grad))
    ]
    if faults:
        more = f"\n  … and {len(faults) - 8} more" if len(faults) > 8 else ""
        raise CheckFailed(
            f"{len(faults)} of {len(list(net.parameters()))} parameters learn nothing:"
            + "\n"
            + "\n".join(faults[:8])
            + more
        )


def learns(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    steps: int = 100,
    learning_rate: float = 1e-3,
) -> None:
    """Check that the network can learn one batch by heart.

    images: (N, C, H, W) float, N up to about 64. labels: (N,), integers in [0, K).
    Adam takes up to `steps` steps; the loss (nats an image) must fall below a fifth of
    log K, the loss of a network that guesses. It is a copy that learns.
    """
    _check_labels(net, images, labels)
    with torch.enable_grad(), fixed_random():
        net = _thawed(copied(net).train())
        optimizer = torch.optim.Adam(net.parameters(), lr=learning_rate)
        losses: list[float] = []
        for _ in range(steps):
            logits = _tensors(net(images))[0]
            loss = F.cross_entropy(logits, labels)
            losses.append(loss.item())
            goal = math.log(max(logits.shape[1], 2)) / 5
            if losses[-1] < goal:
                return
            if not math.isfinite(losses[-1]) or not loss.requires_grad:
                break
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        reason = hints.learns_hint(net, images, labels, logits, losses)
    raise CheckFailed(
        f"one batch of {len(images)} images cannot be learnt by heart: after "
        f"{len(losses)} steps the loss is {losses[-1]:.3f} nats, it began at "
        f"{losses[0]:.3f} and should be below {goal:.3f}.\n  {reason}"
    )


# --- networks, their inputs and answers ----------------------------------------------


def _thawed(net: nn.Module) -> nn.Module:
    for weight in net.parameters():
        weight.requires_grad_(weight.is_floating_point() or weight.is_complex())
    return net


def _zeros(net: nn.Module, shape: tuple) -> Tensor:
    kinds = [p for p in net.parameters() if p.is_floating_point() or p.is_complex()]
    like = next(iter(kinds), torch.zeros(()))
    return torch.zeros(shape, dtype=like.dtype, device=like.device)


def _tensors(output) -> list[Tensor]:
    """Return the tensors in an output that may be a tuple, a list or a dict."""
    return [leaf for leaf in tree_iter(output) if isinstance(leaf, Tensor)]


def _real(x: Tensor) -> Tensor:
    return torch.view_as_real(x) if x.is_complex() else x


def _check_labels(net: nn.Module, images: Tensor, labels: Tensor) -> None:
    if len(images) != len(labels):
        raise CheckFailed(f"{len(images)} images, but {len(labels)} labels")
    if not any(True for _ in sized(net).parameters()):
        raise CheckFailed("the network has no parameters, so it cannot learn")
    with fixed_random(), torch.no_grad():
        answer = copied(net).eval()(images)
    if not _tensors(answer):
        raise CheckFailed(f"the network answers {hints.answer_hint(answer)}")
    logits = _tensors(answer)[0]
    if logits.ndim != 2 or len(logits) != len(images):
        raise CheckFailed(
            f"the network answers {tuple(logits.shape)}, not ({len(images)}, classes)"
        )
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise CheckFailed(
            f"labels run from {labels.min()} to {labels.max()}, but the network has "
            f"{logits.shape[1]} classes, 0 to {logits.shape[1] - 1}"
        )


# --- values ------------------------------------------------------------------------


def _values(value, what: str) -> Tensor:
    """Return numbers as a tensor, nothing lost: int64, float64 or complex128."""
    if isinstance(value, (list, tuple)) and _tensors(value):
        parts = [_values(part, what) for part in value]
        if len({part.shape for part in parts}) > 1:
            shapes = ", ".join(str(tuple(part.shape)) for part in parts[:4])
            raise CheckFailed(f"{what} is a list of different shapes: {shapes}, …")
        return torch.stack(parts)
    if not isinstance(value, Tensor):
        value = _array(value, what)
    value = value.detach().cpu()
    if value.is_floating_point():
        return value.double()
    if value.is_complex():
        return value.to(torch.complex128)
    whole = value.long()
    if value.dtype == torch.uint64 and (whole < 0).any():
        raise CheckFailed(f"{what} holds an integer of more than 63 bits")
    return whole


def _array(value, what: str) -> Tensor:
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise CheckFailed(f"{what} is no array of numbers: {error}") from error
    wide = {"b": np.int64, "i": np.int64, "u": np.uint64, "f": np.float64}
    kind = (wide | {"c": np.complex128}).get(array.dtype.kind)
    if kind is None:
        raise CheckFailed(f"{what} is {hints.no_numbers(value)}")
    return torch.from_numpy(np.array(array, dtype=kind, order="C"))


def _float(values: Tensor) -> Tensor:
    return values if values.is_complex() else values.double()


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Return |a - b|; of integers exactly, where it fits."""
    far = (_float(a) - _float(b)).abs()
    if a.dtype == b.dtype == torch.int64:
        return torch.where(far < 2**62, (a - b).abs().double(), far)
    return far


def _shown(actual, expected) -> tuple[str, str]:
    """Write two numbers with as many digits as tell them apart."""
    texts = [f"{x:,}" if isinstance(x, int) else f"{x:.6g}" for x in (actual, expected)]
    if texts[0] == texts[1]:
        texts = [str(x) for x in (actual, expected)]
    return texts[0], texts[1]
