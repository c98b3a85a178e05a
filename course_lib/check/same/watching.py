"""Watch a network at the level of PyTorch's dispatcher, where its layers have no names.

A convolution is a convolution there, whatever module, function or parameter list it
comes from. `Watch` takes each operation that owns parameters apart into steps (a linear
map, a scale, an addition, ...); a subclass says what to do with one.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakIdKeyDictionary

TOLERANCE = 1e-9  # relative to the largest value, in float64
SETTINGS = re.compile(r", (?![^(]*\))")  # a comma that stands in no parentheses


class Label(str):
    """A layer's path and the beginning of its settings; `.settings` has all of them."""

    settings: str = ""


def label(name: str, module: nn.Module) -> Label:
    """Return a module's path and a short description: `stem.0` Conv2d(3, 96, …)."""
    settings = module.extra_repr()
    parts = SETTINGS.split(settings)
    if isinstance(module, nn.Linear):
        parts = [str(module.in_features), str(module.out_features)]
    words = ", ".join(parts if len(parts) < 4 else [*parts[:2], "…"])
    name, kind = f"`{name or 'the network'}`", type(module).__name__
    short = Label(f"{name} {kind}({words})" if words else f"{name} {kind}")
    short.settings = settings
    return short


class NoDropout(TorchFunctionMode):
    """Make functional dropout return its input."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if "dropout" in getattr(func, "__name__", "") and args:
            return args[0]
        if "dropout_p" in kwargs:
            kwargs = kwargs | {"dropout_p": 0.0}
        return func(*args, **kwargs)


# --- comparing what two operations saw -----------------------------------------------


def close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool(
        (a - b).abs().max() <= TOLERANCE * b.abs().max() + 1e-300
    )


def channels_last(x: Tensor) -> Tensor:
    """(N, C, ...) as rows (N * ..., C)."""
    return x.movedim(1, -1).reshape(-1, x.shape[1])


class Order:
    """Where rows and columns of yours are in theirs; None: in the same place."""

    def __init__(self, rows: Tensor | None = None, columns: Tensor | None = None):
        self.rows, self.columns = rows, columns

    def __call__(self, theirs: Tensor) -> Tensor:
        return self.pick(theirs if self.rows is None else theirs[self.rows])

    def pick(self, theirs: Tensor) -> Tensor:
        """Reorder the columns, axis 1, alone."""
        return theirs if self.columns is None else theirs[:, self.columns]


def align(yours: Tensor, theirs: Tensor) -> Order | None:
    """Find the order in which rows (R, F) of yours are those of theirs, if they are.

    Tokens may run image by image or place by place; channels may be concatenated in
    another order; patches may be flattened (c, y, x) or (y, x, c).
    """
    if yours.shape != theirs.shape:
        return None
    size = theirs.square().sum()
    if (yours.square().sum() - size).abs() > 1e-7 * size:
        return None
    if close(yours, theirs):
        return Order()
    weights = torch.linspace(1, 2, yours.shape[1]).to(yours).square()
    rows = _ordered(yours @ weights, theirs @ weights)
    if close(yours, theirs[rows]):
        return Order(rows)
    weights = torch.linspace(1, 2, len(yours)).to(yours).square()
    columns = _ordered(weights @ yours, weights @ theirs)
    if close(yours, theirs[:, columns]):
        return Order(None, columns)
    rows = _ordered(yours.abs().pow(3).sum(1), theirs.abs().pow(3).sum(1))
    moved = theirs[rows]
    columns = _ordered(weights @ yours, weights @ moved)
    return Order(rows, columns) if close(yours, moved[:, columns]) else None


def _ordered(yours: Tensor, theirs: Tensor) -> Tensor:
    """Return the index for which theirs[index] is sorted as yours is."""
    index = torch.empty_like(yours, dtype=torch.long)
    index[yours.argsort()] = theirs.argsort()
    return index


def places(x: Tensor, y: Tensor) -> Tensor | None:
    """Return for each value of `x` where it is in `y`, if they hold the same values."""
    x, y = x.flatten(), y.flatten()
    if x.shape != y.shape:
        return None
    if close(x, y):
        return torch.arange(len(x), device=x.device)
    if abs(x.sum() - y.sum()) > 1e-7 * x.abs().sum():
        return None
    place = _ordered(x, y)
    return place if close(x, y[place]) else None


@dataclass
class Step:
    """One operation that owns parameters: what it saw, and what it answered."""

    kind: str  # "linear", "scale", "add", "join" or the name of another operation
    name: str
    x: Tensor  # a convolution's padded map (N, C, H, W); otherwise rows (R, F)
    weight: Tensor | None = None  # linear (O, F) or (O, C, kh, kw); others as rows
    bias: Tensor | None = None  # (O,)
    y: Tensor | None = None  # rows (R, O), before the bias
    conv: dict = field(default_factory=dict)  # stride, padding, dilation, groups
    before: Tensor | None = None  # of a norm: its input, where x is the normalised one
    stats: tuple[Tensor, ...] = ()  # of a BatchNorm: running mean and variance ...
    after: tuple[Tensor, ...] = ()  # ... and the same after the pass
    whole: Tensor | None = None  # of one tower of a grouped convolution: all it saw
    used: Tensor | None = None  # which of the O outputs have been handed over

    @cached_property
    def rows(self) -> Tensor | None:
        """What each output place saw, (R, F): a convolution's patches."""
        if not self.conv:
            return self.x
        if self.depthwise:
            return None
        kernel, walk = self.weight.shape[2:], (self.conv["dilation"], 0)
        patches = F.unfold(self.x, kernel, *walk, self.conv["stride"])
        return patches.mT.reshape(-1, patches.shape[1])

    @property
    def saw(self) -> Tensor:
        """The input: of a norm before it normalises, of a convolution unpadded."""
        if self.before is not None:
            return self.before
        if self.whole is not None or not self.conv:
            return self.x if self.whole is None else self.whole
        (h, w), (height, width) = self.conv["padding"], self.x.shape[2:]
        return self.x[:, :, h : height - h, w : width - w]

    @property
    def depthwise(self) -> bool:
        """Tell a depthwise convolution; towers are taken apart before."""
        return bool(self.conv) and self.x.shape[1] > self.weight.shape[1]

    @property
    def features(self) -> int:
        return self.weight[0].numel()


# --- watching a network --------------------------------------------------------------


class Weights:
    """All parameters of a network in one vector, and which of them a tensor holds."""

    def __init__(self, net: nn.Module):
        self.net = net
        named = list(net.named_parameters())
        self.names = [name for name, _ in named]
        self.flat = torch.cat(
            [p.detach().flatten() for _, p in named] or [torch.empty(0)]
        )
        self.starts = [0]
        for _, p in named:
            end = self.starts[-1] + p.numel()
            p.data = self.flat[self.starts[-1] : end].view(p.shape)
            self.starts.append(end)
        self.done = torch.zeros_like(self.flat, dtype=torch.bool)
        self.copies = WeakIdKeyDictionary()  # a rearranged copy -> the indices it holds

    def views(self, tensor: Tensor) -> bool:
        ours = self.flat.untyped_storage().data_ptr()
        return tensor.untyped_storage().data_ptr() == ours

    def __contains__(self, tensor) -> bool:
        return isinstance(tensor, Tensor) and (
            tensor in self.copies or (len(self.flat) > 0 and self.views(tensor))
        )

    @cached_property
    def _count(self) -> Tensor:
        return torch.arange(len(self.flat), device=self.flat.device)

    def ids(self, tensor: Tensor) -> Tensor:
        """Return, for each entry, its index in the vector."""
        if self.views(tensor):
            layout = tensor.shape, tensor.stride(), tensor.storage_offset()
            return self._count.as_strided(*layout)
        return self.copies[tensor]

    def follow(self, move: Callable, tensor: Tensor) -> Tensor:
        """Return `tensor` moved, and remember which parameters the answer holds."""
        answer = move(tensor)
        if answer not in self:
            self.copies[answer] = move(self.ids(tensor))
        return answer

    def read(self, tensor: Tensor) -> Tensor:
        return tensor if self.views(tensor) else self.flat[self.ids(tensor)]

    def is_done(self, tensor: Tensor) -> bool:
        return bool(self._mask(tensor).any())

    def _mask(self, tensor: Tensor) -> Tensor:
        if self.views(tensor):
            layout = tensor.shape, tensor.stride(), tensor.storage_offset()
            return self.done.as_strided(*layout)
        return self.done[self.ids(tensor)]

    def write(self, tensor: Tensor, values: Tensor) -> bool:
        """Set the parameters that `tensor` holds; False if they cannot all be so."""
        if self.is_done(tensor):
            return close(self.read(tensor), values)
        expanded = any(
            s == 0 and n > 1 for s, n in zip(tensor.stride(), tensor.shape, strict=True)
        )
        if self.views(tensor) and not expanded:
            tensor.copy_(values)
            self._mask(tensor).fill_(True)
            return True
        ids = self.ids(tensor)
        self.flat[ids.flatten()] = values.flatten()
        self.done[ids.flatten()] = True
        return close(self.flat[ids], values)

    def idle_names(self) -> str:
        """Name the modules whose parameters never ran."""
        spans = zip(self.names, self.starts, self.starts[1:], strict=False)
        idle = [name for name, start, end in spans if not self.done[start:end].all()]
        return ", ".join(dict.fromkeys(f"`{n.split('.')[0]}`" for n in idle)) or "none"

    def label(self, tensor: Tensor) -> str:
        """Name the layer that owns the first entry of `tensor`."""
        if self.views(tensor):
            index = tensor.storage_offset()
        else:
            index = int(self.copies[tensor].flatten()[0])
        name = self.names[bisect.bisect_right(self.starts, index) - 1]
        path, _, attribute = name.rpartition(".")
        module = self.net.get_submodule(path)
        if attribute in ("weight", "bias", "in_proj_weight", "in_proj_bias") and path:
            return label(path, module)
        shape = tuple(module.get_parameter(attribute).shape)
        return f"`{name}` Parameter{shape}"


COPYING = {  # operations that only move entries, into a tensor of their own
    *("clone", "cat", "stack", "repeat", "index", "index_select", "embedding", "roll"),
    *("flip", "_to_copy", "gather", "_unsafe_view"),
}
NORMS = {"native_batch_norm", "native_layer_norm", "native_group_norm"}


class Watch(TorchDispatchMode):
    """Take every operation that owns parameters apart into steps."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.weights = Weights(net)
        self.net = net

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here; True would import torch._dynamo (10 s)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name in NORMS:
            return getattr(self, name)(func, *args)
        tensors = [t for t in tree_leaves(args) if isinstance(t, Tensor)]
        owned = [t for t in tensors if t in self.weights]
        if not owned:
            return func(*args, **kwargs)
        floating = [t for t in tensors if t.is_floating_point()]
        if len(owned) == len(floating):
            return self.rearrange(func, name, args, kwargs)
        rule = getattr(self, f"op_{name.rstrip('_')}", None)
        if rule:
            answer = rule(*args, **kwargs)
            return args[0].copy_(answer) if name.endswith("_") else answer
        return self.other(func, name, args, kwargs)

    def rearrange(self, func, name: str, args, kwargs):
        """Follow parameters through views and copies; treat the rest as operations."""
        answer = func(*args, **kwargs)
        if all(t in self.weights for t in tree_leaves(answer)):
            return answer
        if name not in COPYING and not func.is_view:
            return self.other(func, name, args, kwargs)

        def ids(leaf):
            return self.weights.ids(leaf) if leaf in self.weights else leaf

        moved = tree_map(ids, args)
        indices = moved[0].clone() if name == "_to_copy" else func(*moved, **kwargs)
        for tensor, held in zip(tree_leaves(answer), tree_leaves(indices), strict=True):
            self.weights.copies[tensor] = held
        return answer

    # -- operations, each as steps. x (R, F), weight (O, F), answer (R, O) -------------

    def op_mm(self, x: Tensor, w: Tensor) -> Tensor:
        if w not in self.weights:
            return self.op_mm(w.mT, self.turned(x)).mT
        return self.linear(x, self.turned(w), None, lambda w: x @ w.mT)

    def turned(self, w: Tensor) -> Tensor:
        return self.weights.follow(lambda w: w.mT, w)

    def op_addmm(self, bias: Tensor, x: Tensor, w: Tensor, **scales) -> Tensor:
        if w in self.weights and bias in self.weights and not scales and bias.ndim == 1:
            return self.linear(x, self.turned(w), bias, lambda w: x @ w.mT)
        answer = self.op_mm(x, w) if w in self.weights or x in self.weights else x @ w
        return self.op_add(answer, bias) if bias in self.weights else answer + bias

    def op_bmm(self, x: Tensor, w: Tensor) -> Tensor:
        """Batches that share a weight are one linear layer; others are several."""
        if w not in self.weights:
            return self.op_bmm(w.mT, self.turned(x)).mT
        owner = self.weights.ids(w)[:, 0, 0]
        answer = x.new_empty(*x.shape[:2], w.shape[2])
        for first in owner.unique():
            batch = (owner == first).nonzero().flatten()
            rows = x[batch].flatten(0, 1)
            one = int(batch[0])
            y = self.op_mm(rows, self.weights.follow(lambda w, one=one: w[one], w))
            answer[batch] = y.view(len(batch), -1, y.shape[1])
        return answer

    def op_convolution(
        self, x, weight, bias, stride, padding, dilation, transposed, _extra, groups
    ) -> Tensor:
        if x.ndim == 3 and not transposed:  # along a line: a map one pixel wide
            weight = self.weights.follow(lambda w: w.unsqueeze(-1), weight)
            walk = [*stride, 1], [*padding, 0], [*dilation, 1], False, _extra, groups
            return self.op_convolution(x.unsqueeze(-1), weight, bias, *walk).squeeze(-1)
        if x in self.weights or weight not in self.weights or transposed or x.ndim > 4:
            rest = stride, padding, dilation, transposed, _extra, groups
            func = torch.ops.aten.convolution.default
            return self.other(func, "convolution", (x, weight, bias, *rest), {})
        conv = {"stride": tuple(stride), "padding": tuple(padding)}
        conv |= {"dilation": tuple(dilation), "groups": groups}
        self.whole = x.clone() if 1 < groups < x.shape[1] else None
        padding = [p for side in reversed(padding) for p in (side, side)]
        x = F.pad(x, padding) if any(padding) else x
        towers = 1 if groups == x.shape[1] else groups
        walk = {"stride": stride, "dilation": dilation, "groups": groups // towers}
        answers = []
        parts = [x.chunk(towers, 1), self.parted(weight, towers)]
        parts.append([None] * towers if bias is None else self.parted(bias, towers))
        for maps, own, shift in zip(*parts, strict=True):
            answers.append(
                self.linear(
                    maps, own, shift, lambda w, x=maps: F.conv2d(x, w, **walk), conv
                )
            )
        return answers[0] if towers == 1 else torch.cat(answers, 1)

    def parted(self, w: Tensor, parts: int) -> list[Tensor]:
        follow = self.weights.follow
        return [follow(lambda w, i=i: w.chunk(parts)[i], w) for i in range(parts)]

    def native_batch_norm(self, func, x, w, b, mean, var, *settings):
        stats = tuple(s for s in (mean, var) if s is not None)
        run = lambda: func(x, None, None, mean, var, *settings)  # noqa: E731
        return self.norm(x, (w, b), run, channels_last, stats)

    def native_layer_norm(self, func, x, shape, w, b, eps):
        run = lambda: func(x, shape, None, None, eps)  # noqa: E731
        features = torch.Size(shape).numel()
        return self.norm(x, (w, b), run, lambda x: x.reshape(-1, features))

    def native_group_norm(self, func, x, w, b, *sizes):
        run = lambda: func(x, None, None, *sizes)  # noqa: E731
        return self.norm(x, (w, b), run, channels_last)

    def norm(self, x, affine, run, rows, stats=()):
        """Normalise, scale and shift: three things that can go wrong by themselves."""
        if not stats and not any(w in self.weights for w in affine):
            return run()
        name = self.name_of(*affine, *stats)
        before = rows(x).clone()
        answer, rest = self.normalised(before, name, affine, run, rows, stats)
        if rows is channels_last:
            answer = answer.reshape(x.movedim(1, -1).shape).movedim(-1, 1)
        return answer.reshape(x.shape), *rest

    def name_of(self, *tensors: Tensor | None) -> str:
        """Name the layer that owns the first of these parameters or buffers."""
        for tensor in tensors:
            if tensor in self.weights:
                return self.weights.label(tensor)
        for name, buffer in self.net.named_buffers():
            if any(buffer is tensor for tensor in tensors):
                path = name.rpartition(".")[0]
                return label(path, self.net.get_submodule(path))
        return "a layer without parameters"

    def op_mul(self, x: Tensor, w: Tensor) -> Tensor:
        x, w = (x, w) if w in self.weights else (w, x)
        return self.pointwise("scale", x, w, torch.mul)

    def op_add(self, x: Tensor, w: Tensor, alpha=1) -> Tensor:
        if alpha != 1:
            return self.other(torch.add, "add", (x, w), {"alpha": alpha})
        x, w = (x, w) if w in self.weights else (w, x)
        return self.pointwise("add", x, w, torch.add)

    def op_cat(self, tensors, dim=0) -> Tensor:
        saw = torch.cat([t for t in tensors if t not in self.weights], dim)
        for tensor in tensors:
            if tensor in self.weights:
                self.simple("join", saw.reshape(-1, saw.shape[-1]).clone(), [tensor])
        return torch.cat(
            [self.weights.read(t) if t in self.weights else t for t in tensors], dim
        )

    def other(self, func, name: str, args, kwargs):
        """Any operation: the parameters it holds are one step, by shape."""
        leaves = [t for t in tree_leaves(args) if isinstance(t, Tensor)]
        owned = [t for t in leaves if t in self.weights]
        saw = [t for t in leaves if t not in self.weights]
        x = (
            saw[0].reshape(1, -1).double().clone()
            if saw
            else self.weights.flat[:0][None]
        )
        self.simple(name, x, owned)
        read = lambda t: self.weights.read(t) if t in self.weights else t  # noqa: E731
        return func(*tree_map(read, args), **kwargs)


# Layouts of (N, ..., ...) in which the last axis may be the features.
LAYOUTS = {2: [(0, 1)], 3: [(0, 1, 2), (0, 2, 1)], 4: [(0, 2, 3, 1), (0, 1, 2, 3)]}


def layouts(x: Tensor) -> Iterator[tuple[Tensor, Callable[[Tensor], Tensor]]]:
    """Yield `x` as rows (R, F) for each layout, and the way back."""
    for axes in LAYOUTS.get(x.ndim, [tuple(range(x.ndim))]):
        moved = x.permute(axes)
        back = [axes.index(axis) for axis in range(x.ndim)]
        shape = moved.shape
        yield (
            moved.reshape(-1, shape[-1]),
            lambda rows, shape=shape, back=back: rows.reshape(shape).permute(back),
        )
