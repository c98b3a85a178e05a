"""What would explain a wrong number of parameters or of multiply-accumulates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby, pairwise

from torch import nn
from torch.utils._pytree import tree_leaves

from course_lib.check.labels import label


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
            items = tree_leaves(value)
            found = [
                p for m in items if isinstance(m, nn.Module) for p in m.parameters()
            ]
            found += [t for t in items if isinstance(t, nn.Parameter)]
            sizes = {id(p): p.numel() for p in found if not nn.parameter.is_lazy(p)}
            hidden = sum(n for key, n in sizes.items() if key not in known)
            if hidden and off < 0:
                path = f"{name}.{attribute}" if name else attribute
                yield (
                    f"`{path}` is a plain {type(value).__name__} that hides {hidden:,} "
                    "parameters: use nn.ModuleList, nn.ModuleDict or nn.ParameterList"
                )


def _is_norm(layer: nn.Module) -> bool:
    """Tell a layer that normalises: it has an epsilon and, perhaps, gains and shifts.

    A norm of one's own may call them `scale` and `offset`, and have one of them alone.
    """
    return hasattr(layer, "eps") and _own(layer) > 0


def _weighted(layer: nn.Module, *kinds: type) -> bool:
    """Tell a layer of these kinds whose weight is a parameter of its own."""
    return isinstance(layer, kinds) and "weight" in layer._parameters


def _layer_reasons(name: str, layer: nn.Module, off: int) -> Iterator[str]:
    """Explain by one layer's bias, its affine parameters or its groups."""
    conv = _weighted(layer, nn.Conv2d)
    if conv or _weighted(layer, nn.Linear):
        if layer.bias is None and -off == layer.weight.shape[0]:
            yield f"that is the bias of {name}"
        if layer.bias is not None and off == layer.bias.numel():
            yield f"that is the bias of {name}: one too many"
    if _is_norm(layer):
        yield from _norm_reasons(name, layer, off)
    if conv:
        yield from _groups_reasons(name, layer, off)


def _norm_reasons(name: str, layer: nn.Module, off: int) -> Iterator[str]:
    sizes = {n: p.numel() for n, p in layer.named_parameters(recurse=False)}
    more = ": one norm too many" if off > 0 else ": one more such norm is needed"
    if abs(off) == sum(sizes.values()):
        known = {"weight": "gamma", "bias": "beta"}
        names = " and ".join(known.get(n, f"`{n}`") for n in sizes)
        yield f"that is the {names} of {name}{more}"
    elif off in sizes.values():
        names = [f"`{n}`" for n, size in sizes.items() if size == off]
        yield f"that is the {' or '.join(names)} of {name}: one too many"
    elif -off in sizes.values():
        yield f"that is as many as {name} has channels: a gamma or beta is missing"


def _groups_reasons(name: str, layer: nn.Conv2d, off: int) -> Iterator[str]:
    weight = layer.weight
    if layer.in_channels > 1:
        whole = weight.numel() * layer.groups
        channels = layer.in_channels, layer.out_channels
        for groups in {1, 2, 4, 8, 32, layer.in_channels} - {layer.groups}:
            if any(c % groups for c in channels):
                continue
            if weight.numel() - whole // groups == off:
                yield f"groups={groups} in {name}, which now has {layer.groups}"


def _size_reasons(name: str, layer: nn.Module, off: int) -> Iterator[str]:
    """Explain by another kernel size or another number of inputs or outputs."""
    if _weighted(layer, nn.Conv2d):
        area = math.prod(layer.kernel_size)
        for size in (1, 2, 3, 4, 5, 7, 11):
            if layer.weight.numel() // area * (area - size * size) == off:
                yield f"a {size}x{size} kernel in {name}"
    if _weighted(layer, nn.Linear) and off % layer.out_features == 0:
        inputs = layer.in_features - off // layer.out_features
        if 0 < inputs <= 4 * layer.in_features:
            yield (
                f"{inputs:,} instead of {layer.in_features:,} inputs of {name}: does "
                "the map before it have the right size?"
            )


def _sum_reasons(layers: list[nn.Module], off: int) -> Iterator[str]:
    """Explain by a whole kind of layers: all biases, all those before a norm, ..."""
    convs = [m for m in layers if _weighted(m, nn.Conv2d)]
    linears = [m for m in layers if _weighted(m, nn.Linear)]
    norms = [m for m in layers if _is_norm(m)]
    followed = [a for a, b in pairwise(layers) if a in convs and _is_norm(b)]
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
    heads = [(n, m) for n, m in layers if _weighted(m, nn.Linear, nn.Conv2d)][-1:]
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
    if not actual:
        return " Nothing multiplies: no convolution, linear layer or attention ran."
    if not expected > 0:
        return ""
    if actual * 2 == expected:
        return " Exactly half: the expected number is in FLOPs (1 MAC = 2 FLOPs)."
    if actual == expected * 2:
        return " Exactly twice: is something run two times, or FLOPs counted?"
    image = len(input_shape) > 1 and all(isinstance(n, int) for n in input_shape)
    if image and actual == expected * input_shape[0]:
        return f" Exactly {input_shape[0]} times: the batch; count one image."
    if 0.99 < actual / expected < 1.01:
        return " Within 1 %: look at biases, norms, pooling or one small layer."
    pixels = input_shape[-1] if image else 0
    side = pixels * math.sqrt(expected / actual)
    nearest = round(side / 16) * 16
    if image and abs(side - nearest) < 1 and round(side) != pixels:
        return (
            f" The ratio is that of {nearest} to {pixels} pixels: is it the image "
            "size, or a stride in the stem?"
        )
    return " If the parameters are right, look at strides and at where they are."
