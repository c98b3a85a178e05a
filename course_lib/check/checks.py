"""The checks of shape, size, values, gradients and learning."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.check import hints
from course_lib.errors import CheckFailed


def shape(net: nn.Module, input_shape: tuple, output_shape: tuple) -> None:
    """Check that images of `input_shape` become an output of `output_shape`."""
    outputs: list[tuple[str, tuple]] = []
    running: list[str] = []
    hooks = hints.trace(net, running, outputs)
    try:
        with unchanged(net), torch.no_grad():
            actual = tuple(net.eval()(_zeros(net, input_shape)).shape)
    except (RuntimeError, ValueError, IndexError) as error:
        where = f"`{running[-1]}`" if running and running[-1] else "forward"
        raise CheckFailed(
            f"{where} cannot take what reaches it, for images {tuple(input_shape)}: "
            f"{str(error).splitlines()[0]}.\n{hints.shapes(outputs)}"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    if actual != tuple(output_shape):
        raise CheckFailed(
            f"the output is {actual}, not {tuple(output_shape)}"
            f"{hints.shape_hint(actual, tuple(output_shape), input_shape[0])}.\n"
            f"{hints.shapes(outputs)}"
        )


def params(net: nn.Module, expected: int) -> None:
    """Check the number of parameters; a failure names the layer that explains it."""
    actual = sum(p.numel() for p in net.parameters())
    if actual == expected:
        return
    off = actual - expected
    reasons = hints.params_reasons(net, off)[:3] or [
        "no single layer explains this number"
    ]
    raise CheckFailed(
        f"{actual:,} parameters, expected {expected:,}: {abs(off):,} "
        f"{'too many' if off > 0 else 'fewer'}.\n"
        + "\n".join(f"  perhaps: {reason}" for reason in reasons)
        + f"\n{hints.params_table(net)}"
    )


def macs(net: nn.Module, input_shape: tuple, expected: int) -> None:
    """Check the multiply-accumulates (1 MAC = 2 FLOPs) of one forward pass."""
    from course_lib.flops import count

    cost = count(net, input_shape)
    if cost.macs == expected:
        return
    hint = hints.macs_hint(cost.macs, expected, input_shape)
    raise CheckFailed(
        f"{cost.macs:,} multiply-accumulates, expected {expected:,}: "
        f"{abs(cost.macs - expected):,} "
        f"{'too many' if cost.macs > expected else 'fewer'}.{hint}\n{cost}"
    )


def close(actual, expected, rtol=1e-4, atol=1e-6, what: str = "the answer") -> None:
    """Check |actual - expected| <= atol + rtol |expected|, entry by entry.

    Takes tensors, arrays, numbers or nested lists of them; nan is never close.
    """
    actual, expected = _float64(actual), _float64(expected)
    if actual.shape != expected.shape:
        raise CheckFailed(
            f"{what} has the shape {tuple(actual.shape)}, expected "
            f"{tuple(expected.shape)}"
            f"{hints.shape_hint(tuple(actual.shape), tuple(expected.shape))}"
        )
    wrong = ~((actual - expected).abs() <= atol + rtol * expected.abs())
    wrong &= actual != expected  # infinities of one sign agree
    if not wrong.any():
        return
    error = torch.where(wrong, (actual - expected).abs(), -1.0).nan_to_num(math.inf)
    # not unravel_index, which imports SymPy: half a second for each first mistake
    worst = tuple(int(i) for i in (error == error.max()).nonzero()[0])
    first = tuple(int(i) for i in wrong.nonzero()[0])
    index = "".join(f"[{', '.join(map(str, worst))}]") if worst else ""
    raise CheckFailed(
        f"{what}{index} is {actual[worst].item():.6g}, expected "
        f"{expected[worst].item():.6g} (the largest of {int(wrong.sum()):,} differences"
        f" in {wrong.numel():,} values{f'; the first is at {first}' if first else ''})."
        f"{hints.close_hint(actual, expected)}"
    )


def gradients(net: nn.Module, input_shape: tuple) -> None:
    """Check that every parameter receives a finite gradient that is not all zero.

    Weights that start at zero on purpose (a ViT's head, the last gamma of a residual
    block) would hide what lies before them: they are re-drawn in the copy that is used.
    """
    probe = copy.deepcopy(net).train().requires_grad_(True)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad(), _fixed_random():
        for weight in probe.parameters():
            if weight.count_nonzero() == 0:
                weight.copy_(0.1 * torch.randn(weight.shape, generator=generator))
    with _fixed_random():
        images = torch.randn(input_shape, generator=generator).to(_zeros(net, (1,)))
        outputs = [y for y in _tensors(probe(images)) if y.requires_grad]
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
    log K, the loss of a network that guesses. The weights are put back afterwards.
    """
    _check_labels(net, images, labels)
    with unchanged(net), _fixed_random():
        net.train()
        net.requires_grad_(True)
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


# --- the network is left as it was ---------------------------------------------------


@contextlib.contextmanager
def _fixed_random() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@contextlib.contextmanager
def unchanged(net: nn.Module) -> Iterator[None]:
    """Put back weights, buffers, gradients, requires_grad and train/eval afterwards."""
    state = {k: v.detach().clone() for k, v in net.state_dict().items()}
    tensors = [(p, p.grad, p.requires_grad) for p in net.parameters()]
    modes = [(module, module.training) for module in net.modules()]
    try:
        yield
    finally:
        net.load_state_dict(state)
        for weight, grad, requires_grad in tensors:
            weight.grad = grad
            weight.requires_grad_(requires_grad)
        for module, training in modes:
            module.training = training


def _zeros(net: nn.Module, shape: tuple) -> Tensor:
    like = next(net.parameters(), torch.zeros(()))
    return torch.zeros(shape, dtype=like.dtype, device=like.device)


def _tensors(output) -> list[Tensor]:
    """Return the tensors in an output that may be a tuple, a list or a dict."""
    from torch.utils._pytree import tree_leaves

    return [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]


def _float64(value) -> Tensor:
    if isinstance(value, (list, tuple)) and any(isinstance(v, Tensor) for v in value):
        value = torch.stack([torch.as_tensor(v) for v in value])
    return torch.as_tensor(value).detach().cpu().double()


def _check_labels(net: nn.Module, images: Tensor, labels: Tensor) -> None:
    if len(images) != len(labels):
        raise CheckFailed(f"{len(images)} images, but {len(labels)} labels")
    with unchanged(net), torch.no_grad():
        logits = _tensors(net.eval()(images))[0]
    if logits.ndim != 2 or len(logits) != len(images):
        raise CheckFailed(
            f"the network answers {tuple(logits.shape)}, not ({len(images)}, classes)"
        )
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise CheckFailed(
            f"labels run from {labels.min()} to {labels.max()}, but the network has "
            f"{logits.shape[1]} classes, 0 to {logits.shape[1] - 1}"
        )
