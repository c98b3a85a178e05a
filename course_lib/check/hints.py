"""What a failed check says: the mistakes that would explain what it found."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby, pairwise

import torch
from torch import Tensor, nn

from course_lib.check.labels import label

# --- shapes -------------------------------------------------------------------


def trace(net: nn.Module, running: list, outputs: list) -> list:
    """Hook each module: the names of those that run, and (name, shape) of each leaf."""

    def hook(name: str, module: nn.Module) -> Iterator:
        def leave(_module, _args, output):
            running.pop()
            if not list(module.children()) and isinstance(output, Tensor):
                outputs.append((label(name, module), tuple(output.shape)))

        yield module.register_forward_pre_hook(lambda *_: running.append(name))
        yield module.register_forward_hook(leave)

    return [h for name, m in net.named_modules() for h in hook(name, m)]


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


# --- parameters ---------------------------------------------------------------


def params_reasons(net: nn.Module, off: int) -> list[str]:
    """Explain `off` parameters too many (or, negative, too few), likeliest first."""
    layers = [(n, m) for n, m in net.named_modules() if _own(m)]
    reasons = list(_hidden_reasons(net, off))
    for name, layer in layers:
        reasons += _layer_reasons(label(name, layer), layer, off)
    reasons += _sum_reasons([m for _, m in layers], off)
    reasons += _classes_reasons(layers, off)
    for name, module in net.named_modules():
        if name and abs(off) == _numel(module):
            reasons.append(
                f"all of {label(name, module)}"
                + (", which should not be there" if off > 0 else ": once more needed")
            )
    for name, layer in layers:
        reasons += _size_reasons(label(name, layer), layer, off)
    return reasons


def _own(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters(recurse=False))


def _numel(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _hidden_reasons(net: nn.Module, off: int) -> Iterator[str]:
    """Find modules and tensors kept in a plain list or dict, where PyTorch is blind."""
    known = {id(p) for p in net.parameters()}
    for name, module in net.named_modules():
        for attribute, value in vars(module).items():
            if attribute.startswith("_") or not isinstance(value, (list, tuple, dict)):
                continue
            items = value.values() if isinstance(value, dict) else value
            found = [
                p for m in items if isinstance(m, nn.Module) for p in m.parameters()
            ]
            found += [t for t in items if isinstance(t, nn.Parameter)]
            hidden = sum(p.numel() for p in found if id(p) not in known)
            if hidden and off < 0:
                path = f"{name}.{attribute}" if name else attribute
                yield (
                    f"`{path}` is a plain {type(value).__name__} that hides {hidden:,} "
                    "parameters: use nn.ModuleList, nn.ModuleDict or nn.ParameterList"
                )


def _layer_reasons(name: str, layer: nn.Module, off: int) -> Iterator[str]:
    """Explain by one layer's bias, its affine parameters or its groups."""
    weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
    conv, linear = isinstance(layer, nn.Conv2d), isinstance(layer, nn.Linear)
    if (conv or linear) and bias is None and -off == weight.shape[0]:
        yield f"that is the bias of {name}"
    if (conv or linear) and bias is not None and off == bias.numel():
        yield f"that is the bias of {name}: one too many"
    norm = hasattr(layer, "eps") and weight is not None
    if norm and abs(off) in (weight.numel(), 2 * weight.numel()):
        yield f"that is the {'bias' if off % 2 else 'gamma and beta'} of {name}" + (
            ": one norm too many" if off > 0 else ": one more such norm is needed"
        )
    if conv and layer.in_channels > 1:
        whole = weight.numel() * layer.groups
        channels = layer.in_channels, layer.out_channels
        for groups in {1, 2, 4, 8, 32, layer.in_channels} - {layer.groups}:
            if any(c % groups for c in channels):
                continue
            if weight.numel() - whole // groups == off:
                yield f"groups={groups} in {name}, which now has {layer.groups}"


def _size_reasons(name: str, layer: nn.Module, off: int) -> Iterator[str]:
    """Explain by another kernel size or another number of inputs or outputs."""
    if isinstance(layer, nn.Conv2d):
        area = math.prod(layer.kernel_size)
        for size in (1, 2, 3, 4, 5, 7, 11):
            if layer.weight.numel() // area * (area - size * size) == off:
                yield f"a {size}x{size} kernel in {name}"
    if isinstance(layer, nn.Linear) and off % layer.out_features == 0:
        inputs = layer.in_features - off // layer.out_features
        if 0 < inputs <= 4 * layer.in_features:
            yield (
                f"{inputs:,} instead of {layer.in_features:,} inputs of {name}: does "
                "the map before it have the right size?"
            )


def _sum_reasons(layers: list[nn.Module], off: int) -> Iterator[str]:
    """Explain by a whole kind of layers: all biases, all those before a norm, ..."""
    convs = [m for m in layers if isinstance(m, nn.Conv2d)]
    linears = [m for m in layers if isinstance(m, nn.Linear)]
    norms = [m for m in layers if hasattr(m, "eps") and m.weight is not None]
    followed = [
        a for a, b in pairwise(layers) if isinstance(a, nn.Conv2d) and hasattr(b, "eps")
    ]
    kinds = [
        (followed, "convolutions that a norm follows (the norm holds their bias)"),
        (convs, "convolutions"),
        (linears, "linear layers"),
        (convs + linears, "convolutions and linear layers"),
    ]
    for group, words in kinds:
        group = [m for m in group if (m.bias is None) == (off < 0)]
        if len(group) > 1 and sum(m.weight.shape[0] for m in group) == abs(off):
            yield f"the biases of all {len(group)} {words}" + (
                ": pass bias=False" if off > 0 else ""
            )
            break
    if len(norms) > 1 and sum(_own(m) for m in norms) == off:
        yield f"the parameters of all {len(norms)} norms"


def _classes_reasons(layers: list[tuple[str, nn.Module]], off: int) -> Iterator[str]:
    """Explain by another number of classes of the last layer."""
    heads = [(n, m) for n, m in layers if isinstance(m, (nn.Linear, nn.Conv2d))][-1:]
    for name, head in heads:
        each = _own(head) // head.weight.shape[0]
        classes = head.weight.shape[0] - off // each
        if off % each == 0 and classes in (2, 10, 20, 37, 100, 102, 200, 1000, 21843):
            yield (
                f"{classes:,} classes, where {label(name, head)} has "
                f"{head.weight.shape[0]:,}: hand num_classes on"
            )


def params_table(net: nn.Module) -> str:
    """Return the parameters of each child; like neighbours are joined."""
    rows = [(n, type(m).__name__, _numel(m)) for n, m in net.named_children()]
    while len(rows) == 1:  # a wrapper says nothing: show what is in it
        (name, _, _), net = rows[0], next(net.children())
        rows = [
            (f"{name}.{n}", type(m).__name__, _numel(m))
            for n, m in net.named_children()
        ]
        if not rows:
            return ""
    lines = []
    for (kind, numel), run in groupby(rows, key=lambda row: row[1:]):
        names = [name for name, _, _ in run]
        span = names[0] if len(names) == 1 else f"{names[0]}…{names[-1]} (each)"
        lines.append(f"  {span:<24} {kind:<16} {numel:>14,}")
    return "\n".join(lines)


def macs_hint(actual: int, expected: int, input_shape: tuple) -> str:
    if actual * 2 == expected:
        return " Exactly half: the expected number is in FLOPs (1 MAC = 2 FLOPs)."
    if actual == expected * 2:
        return " Exactly twice: is something run two times, or FLOPs counted?"
    if actual == expected * input_shape[0]:
        return f" Exactly {input_shape[0]} times: the batch; count one image."
    if 0.99 < actual / expected < 1.01:
        return " Within 1 %: look at biases, norms, pooling or one small layer."
    side = input_shape[-1] * math.sqrt(expected / actual)
    if abs(side - round(side / 16) * 16) < 1 and round(side) != input_shape[-1]:
        return (
            f" The ratio is that of {round(side / 16) * 16} to {input_shape[-1]} "
            "pixels: is it the image size, or a stride in the stem?"
        )
    return " If the parameters are right, look at strides and at where they are."


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

    def same(x: Tensor) -> bool:
        return x.shape == expected.shape and torch.allclose(
            x, expected, rtol=1e-3, atol=1e-6, equal_nan=True
        )

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
    ratio = (actual * expected).sum() / expected.square().sum()
    if ratio.abs() > 1e-9 and same(actual / ratio):
        return f"\n  it is {ratio.item():.6g} times what is expected, everywhere."
    offset = (actual - expected).mean()
    if actual.numel() > 1 and same(actual - offset):
        return f"\n  it is larger by {offset.item():.6g} everywhere."
    if actual.numel() > 1 and same(actual.flatten().sort()[0].view_as(actual)):
        return "\n  the values are right, their order is not."
    return ""


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
