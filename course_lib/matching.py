"""The engine behind `check.matches`: is this the same network?

Both networks are watched at the level of PyTorch's dispatcher, where a convolution is a
convolution whatever module, function or parameter list it came from. The reference runs
once: each operation that owns parameters becomes a `Step`, with what it saw and what it
answered; its parameters are re-drawn as it runs. Then the candidate runs: an operation
that sees what a step saw is handed that step's weights, and must answer the same.
"""

from __future__ import annotations

import bisect
import contextlib
import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakIdKeyDictionary

TOLERANCE = 1e-9  # relative to the largest value, in float64
ATTEMPTS = 64  # runs of the candidate to find which of several like layers is which
WINDOW = 24  # layers within which a wrong choice shows
SETTINGS = re.compile(r", (?![^(]*\))")  # a comma that stands in no parentheses


class CheckFailed(AssertionError):
    """A check does not hold; the message names the likely mistake and its place."""


class Parted(Exception):
    """The candidate leaves the reference here; the message says where and how."""


@dataclass(frozen=True)
class Match:
    """Two networks are the same: layers as (yours, theirs) in order of execution."""

    error: float  # largest difference of the outputs over the largest output
    params: int
    layers: tuple[tuple[str, str], ...] = field(repr=False)

    def __repr__(self) -> str:
        return f"Match({len(self.layers)} layers, {self.params:,} parameters)"


def matches(
    candidate: nn.Module, reference: nn.Module, images: Tensor, *, train: bool = False
) -> Match:
    """Answer whether two networks are the same, whatever their layers are called.

    images: (N, C, H, W), N at least 2 (4 or more in train mode), not constant. Small
    ones are quicker; all activations of the reference are kept, in float64.
    train: BatchNorm uses the batch, and its running statistics are compared afterwards;
    dropout and stochastic depth are switched off either way.
    Raises CheckFailed that names, on both sides, the first layer where the two part.
    Neither network is touched: copies are re-drawn, handed weights and run.
    """
    images = images.detach().double()
    if len(images) < 2 or images[0].std() == 0 or torch.equal(images[0], images[1]):
        raise ValueError(
            "check.matches needs two or more different images that are not constant; "
            "torch.randn(2, 3, 64, 64) will do"
        )
    theirs, yours = (_prepared(net, train, images) for net in (reference, candidate))
    with _watching():
        record = Record(theirs)
        expected = _run(record, theirs, images)
        best, plan = (-1, ""), []
        for _ in range(ATTEMPTS):
            hand = Hand(yours, record, plan)
            try:
                return hand.verdict(_run(hand, yours, images), expected)
            except Parted as parted:
                best = max(best, (len(hand.layers), str(parted)), key=lambda b: b[0])
            plan = hand.next_plan(best[0])
            if plan is None:
                break
    raise CheckFailed(best[1])


class Label(str):
    """A layer's path and the beginning of its settings; `.settings` has all of them."""

    settings: str = ""


def label(name: str, module: nn.Module) -> Label:
    """Return a module's path and a short description: `stem.0` Conv2d(3, 96, …)."""
    settings = module.extra_repr()
    parts = SETTINGS.split(settings)
    words = ", ".join(parts if len(parts) < 4 else [*parts[:3], "…"])
    name, kind = f"`{name or 'the network'}`", type(module).__name__
    short = Label(f"{name} {kind}({words})" if words else f"{name} {kind}")
    short.settings = settings
    return short


def _prepared(net: nn.Module, train: bool, images: Tensor) -> nn.Module:
    """Return a float64 copy on the images' device, dropout off."""
    net = copy.deepcopy(net).to(images.device, torch.float64).train(train)
    for module in net.modules():
        kind = type(module).__name__.lower()
        if "drop" in kind or "stochasticdepth" in kind:
            for attribute in {"p", "drop_prob"} & vars(module).keys():
                setattr(module, attribute, 0.0)
        if isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
    return net


def _run(mode: TorchDispatchMode, net: nn.Module, images: Tensor) -> list[Tensor]:
    with mode, NoDropout():
        output = net(images.clone())
    if isinstance(output, dict):
        output = list(output.values())
    return [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]


@contextlib.contextmanager
def _watching() -> Iterator[None]:
    """No gradients, no random state used up, no fused kernels that hide layers."""
    fast = torch.backends.mha.get_fastpath_enabled()
    with torch.no_grad(), torch.random.fork_rng(), torch.backends.cudnn.flags(False):
        torch.manual_seed(0)
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)


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
        first = tensor[(slice(0, 1),) * tensor.ndim]
        index = int(self.ids(tensor).flatten()[0]) if first.numel() else 0
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


class Record(Watch):
    """Run the reference: re-draw its parameters as they are met, and keep each step.

    A weight is scaled by what it answers on these images, so that activations neither
    vanish nor explode through any number of layers: the standard deviation is 2, enough
    for ReLU6 to differ from ReLU and little enough for hard-swish to differ from swish.
    """

    def __init__(self, net: nn.Module):
        super().__init__(net)
        self.steps: list[Step] = []
        for p in net.parameters():
            fan_in = p[0].numel() if p.ndim > 1 else 1
            p.normal_().div_(fan_in**0.5)

    def draw(self, weight: Tensor, low: float | None = None, high: float = 0) -> None:
        """Re-draw once: uniform from `low` to `high`, or normal."""
        if not self.weights.is_done(weight):
            values = torch.randn_like(weight)
            if low is not None:
                values = low + (high - low) * torch.rand_like(weight)
            ids = self.weights.ids(weight).flatten()
            self.weights.flat[ids] = values.flatten()
            self.weights.done[ids] = True

    def linear(self, x, weight, bias, run, conv=None):
        own = self.weights.read(weight)
        answer = run(own)
        if not self.weights.is_done(weight):
            factor = 2 / answer.std().clamp_min(1e-12)
            self.weights.write(weight, own * factor)
            answer = run(self.weights.read(weight))
        rows = channels_last(answer) if conv else answer
        name = self.weights.label(weight)
        step = Step("linear", name, x.clone(), y=rows.clone(), conv=conv or {})
        step.whole = self.whole if conv else None
        step.weight = self.weights.read(weight).clone()
        self.steps.append(step)
        if bias is None:
            return answer
        self.draw(bias)
        step.bias = self.weights.read(bias).clone()
        return answer + (step.bias[:, None, None] if conv else step.bias)

    def normalised(self, before, name, affine, run, rows, stats):
        self.draw_stats(before, *stats)
        drawn = tuple(s.clone() for s in stats)
        x, *rest = run()
        x = rows(x).clone()
        step = Step("scale", name, x, before=before, stats=drawn, y=x)
        step.after = tuple(s.clone() for s in stats)
        self.steps.append(step)
        weight, bias = affine
        if weight is not None:
            self.draw(weight, 0.5, 4)
            step.weight = self.weights.read(weight).flatten().clone().expand_as(x)
            step.y = x * step.weight
        if bias is None:
            return step.y.clone(), rest
        self.draw(bias)
        step.bias = self.weights.read(bias).flatten().clone()
        return step.y + step.bias, rest

    def draw_stats(self, before: Tensor, *stats: Tensor) -> None:
        """Re-draw running mean and variance near what the batch has."""
        if stats:
            mean, var = stats
            spread = before.var(0, unbiased=False)
            spread = spread.clamp_min(1e-3 * spread.mean() + 1e-12)
            mean.copy_(before.mean(0) + 0.3 * spread.sqrt() * torch.randn_like(mean))
            var.copy_(spread * (0.5 + torch.rand_like(var)))

    def pointwise(self, kind, x, w, run):
        self.draw(w, *((0.5, 1.5) if kind == "scale" else ()))
        w_read = self.weights.read(w)
        answer = run(x, w_read)
        wide, w_wide = x.expand_as(answer), w_read.expand_as(answer)
        rows, _ = next(layouts(wide))
        values, _ = next(layouts(w_wide))
        if kind == "add" and self.is_bias(wide, w_wide):
            return answer
        name = self.weights.label(w)
        step = Step(kind, name, rows.clone(), weight=values.clone())
        step.y = rows * values if kind == "scale" else None
        self.steps.append(step)
        return answer

    def is_bias(self, x: Tensor, w: Tensor) -> bool:
        """Give a bias that is added by hand to the step that it completes."""
        for step in reversed(self.steps[-8:]):
            if step.bias is not None or step.y is None:
                continue
            place = places(step.y, x)
            if place is None:
                continue
            values = w.flatten()[place].view(step.y.shape)
            if close(values, values[:1].expand_as(values)):
                step.bias = values[0].clone()
                return True
        return False

    def simple(self, kind, x, owned):
        for weight in owned:
            self.draw(weight, *((0.5, 1.5) if kind != "join" else ()))
        name = self.weights.label(owned[0])
        values = torch.cat([self.weights.read(w).flatten() for w in owned])
        self.steps.append(Step(kind, name, x, weight=values[None]))


class Choice(NamedTuple):
    """Which of several options was taken, and after how many layers."""

    taken: int
    start: int  # the first that was tried
    options: int
    layer: int


class Owed(NamedTuple):
    """A bias that theirs has inside a layer, and that yours has not added yet."""

    rows: Tensor
    bias: Tensor
    yours: str
    theirs: str

    def words(self) -> str:
        return f"{self.yours} has no bias; theirs, {self.theirs}, has one."


class Filling(NamedTuple):
    """Outputs of one or several steps that together make a linear layer of yours."""

    order: Order
    parts: list[tuple[Step, Tensor]]  # a step, and which of its outputs
    by_maps: bool
    shuffle: Tensor | None = None

    def values(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return weight, answer and bias that yours should have, in its own order."""
        order, parts = self.order, self.parts
        weights = [
            s.weight[o] if self.by_maps else s.weight[o].flatten(1) for s, o in parts
        ]
        weight, answer = torch.cat(weights), torch.cat([s.y[:, o] for s, o in parts], 1)
        biases = [s.bias[o] for s, o in parts if s.bias is not None]
        bias = torch.cat(biases)[None] if biases else None
        outputs = Order(order.rows, self.shuffle)
        if self.by_maps and parts[0][0].depthwise:  # an output a channel
            outputs = Order(None, order.columns)
        else:
            weight = order.pick(weight)
        weight = weight if outputs.columns is None else weight[outputs.columns]
        return weight, outputs(answer), None if bias is None else outputs.pick(bias)[0]


def fillings(family: list, yours: Step, by_maps: bool) -> Iterator[Filling]:
    """Yield the ways to make `yours` from (step, order) with its input.

    First whole steps, in the order in which they ran; then several as one (q, k and v
    of theirs are one layer of yours), then a part of one.
    """
    outputs = len(yours.weight)
    free = [(s, (~s.used).nonzero().flatten()) for s, _ in family if not s.used.all()]
    order = family[0][1] if family else None
    found = [[part] for part in free if len(part[1]) == outputs]
    for several in range(2, min(len(free), 4) + 1):
        for parts in permutations(free, several):
            if sum(len(o) for _, o in parts) == outputs:
                found.append(list(parts))
    for step, left in free:
        if len(left) > outputs and len(left) % outputs == 0:
            found += [[(step, part)] for part in left.split(outputs)]
    yield from (Filling(order, parts, by_maps) for parts in found)
    if found and not yours.conv and outputs == 3 * yours.features:
        for shuffle in interleavings(outputs):
            yield Filling(order, found[0], by_maps, shuffle)


def interleavings(outputs: int) -> Iterator[Tensor]:
    """Yield the orders in which q, k and v of each head can lie in one layer."""
    index = torch.arange(outputs)
    for heads in (2, 3, 4, 6, 8, 12, 16):
        if outputs % (3 * heads) == 0:
            yield index.view(3, heads, -1).transpose(0, 1).flatten()
            yield index.view(heads, 3, -1).transpose(0, 1).flatten()


def same_maps(yours: Step, theirs: Step) -> Order | None:
    """Compare two convolutions with one kernel by their inputs."""
    if not (yours.conv and theirs.conv) or yours.x.shape != theirs.x.shape:
        return None
    if yours.weight.shape[1:] != theirs.weight.shape[1:]:
        return None
    order = align(channels_last(yours.x), channels_last(theirs.x))
    return order if order and order.rows is None else None


def same_rows(yours: Step, theirs: Step) -> Order | None:
    """Compare any two linear layers by the patches they see."""
    if yours.features != theirs.features or yours.rows is None or theirs.rows is None:
        return None
    return align(yours.rows, theirs.rows)


class Hand(Watch):
    """Run the candidate: hand each operation the weights of the step that saw the same.

    Where several steps did, `plan` says which to take; those not in it take what
    was right the last time, or the first.
    """

    def __init__(self, net: nn.Module, record: Record, plan: list[Choice]):
        super().__init__(net)
        self.record, self.plan = record, plan
        self.choices: list[Choice] = []
        self.layers: list[tuple[str, str]] = []
        self.owed: list[Owed] = []
        for step in record.steps:
            outputs = len(step.weight) if step.kind == "linear" else 1
            step.used = torch.zeros(outputs, dtype=torch.bool)

    def next_plan(self, furthest: int) -> list[Choice] | None:
        """Return the choices of the next attempt: the last that has an alternative."""
        choices = list(self.choices)
        while choices:
            last = choices.pop()
            if last.layer < furthest - WINDOW:
                return None
            if (last.taken + 1) % last.options != last.start:
                taken = (last.taken + 1) % last.options
                return [*choices, last._replace(taken=taken)]
        return None

    def choose(self, options: list):
        if len(options) == 1:
            return options[0]
        if len(self.choices) < len(self.plan):
            choice = self.plan[len(self.choices)]
        else:
            like = [c.taken for c in self.choices if c.options == len(options)]
            start = like[-1] if like else 0
            choice = Choice(start, start, len(options), len(self.layers))
        self.choices.append(choice)
        return options[choice.taken]

    def write(self, weight: Tensor, values: Tensor, yours: str, theirs: str) -> Tensor:
        """Hand over, and return the weight as it now is."""
        if not self.weights.write(weight, values.reshape(weight.shape)):
            raise Parted(
                f"{yours} shares parameters between places where theirs, {theirs}, "
                "has different ones."
            )
        return self.weights.read(weight)

    # -- linear layers -----------------------------------------------------------------

    def linear(self, x, weight, bias, run, conv=None):
        yours = Step("linear", self.weights.label(weight), x, weight, conv=conv or {})
        yours.whole = self.whole if conv else None
        options = self.options(yours)
        if not options:
            raise Parted(self.unknown(yours))
        filling = self.choose(options)
        theirs = " + ".join(dict.fromkeys(step.name for step, _ in filling.parts))
        values, expected, biases = filling.values()
        answer = run(self.write(weight, values, yours.name, theirs))
        rows = channels_last(answer) if conv else answer
        if not close(rows, expected):
            raise Parted(self.differ(yours, filling.parts[0][0], rows, expected))
        for step, outputs in filling.parts:
            step.used[outputs] = True
        self.layers.append((yours.name, theirs))
        shift = self.shift(rows, bias, biases, yours.name, theirs)
        return answer + (shift[:, None, None] if conv else shift)

    def shift(self, rows, bias, expected, yours, theirs) -> Tensor:
        """Hand over a bias; one that yours lacks may still be added by hand."""
        if bias is None:
            if expected is not None:
                self.owed.append(Owed(rows.clone(), expected, yours, theirs))
            return rows.new_zeros(rows.shape[1])
        if expected is None:
            raise Parted(f"{yours} has a bias that theirs, {theirs}, has not.")
        return self.write(bias, expected, yours, theirs).flatten()

    def options(self, yours: Step) -> list[Filling]:
        """Return the ways to fill `yours` from steps with its input, best first."""
        linear = [s for s in self.record.steps if s.kind == "linear"]
        for by_maps, seen in ((True, same_maps), (False, same_rows)):
            family = [(s, order) for s in linear if (order := seen(yours, s))]
            options = list(fillings(family, yours, by_maps))
            if options:
                return options
        return []

    # -- norms and bare parameters -----------------------------------------------------

    def normalised(self, before, name, affine, run, rows, stats):
        theirs, order, by_input = self.find_norm(before, name, run, rows, stats)
        for mine, drawn in zip(stats, theirs.stats, strict=False):
            mine.copy_(order.pick(drawn[None])[0])
        x, *rest = run()
        x = rows(x)
        yours = Step("scale", name, x, before=before)
        if by_input and not close(x, order(theirs.x)):
            raise Parted(self.differ(yours, theirs, x, order(theirs.x)))
        for mine, after in zip(stats, theirs.after, strict=False):
            if not close(mine, order.pick(after[None])[0]):
                raise Parted(
                    f"{name} and theirs, {theirs.name}, see the same batch but keep "
                    f"other running statistics{against(yours, theirs)}."
                )
        weight, bias = affine
        if weight is None and theirs.weight is not None:
            return (
                x.clone(),
                rest,
            )  # theirs is handed over when yours multiplies by hand
        return self.scaled(x, weight, bias, order, yours, theirs), rest

    def scaled(self, x, weight, bias, order, yours: Step, theirs: Step) -> Tensor:
        if weight is not None:
            if theirs.weight is None:
                raise Parted(
                    f"{yours.name} has a gamma; theirs, {theirs.name}, has not."
                )
            values = order.pick(theirs.weight[:1])[0]
            x = x * self.write(weight, values, yours.name, theirs.name).flatten()
        theirs.used[:] = True
        self.layers.append((yours.name, theirs.name))
        shift = theirs.bias if theirs.bias is None else order.pick(theirs.bias[None])[0]
        return x + self.shift(x, bias, shift, yours.name, theirs.name)

    def find_norm(self, before, name, run, rows, stats) -> tuple[Step, Order, bool]:
        """Find the step with this input, or a norm that theirs does by hand."""
        steps = [s for s in self.record.steps if s.kind == "scale" and not s.used.any()]
        norms = [s for s in steps if s.before is not None]
        found = [(s, o, True) for s in norms if (o := align(before, s.before))]
        if not found and not stats:
            x = rows(run()[0])
            found = [(s, o, False) for s in steps if (o := align(x, s.x))]
        if not found:
            raise Parted(self.unknown(Step("scale", name, before, before=before)))
        return self.choose(found)

    def pointwise(self, kind, x, w, run):
        shape = torch.broadcast_shapes(x.shape, w.shape)
        wide = x.expand(shape)
        w_wide = self.weights.follow(lambda w: w.expand(shape), w)
        name = self.weights.label(w)
        values = self.owing(wide) if kind == "add" else None
        for rows, back in layouts(wide):
            if values is None:
                values = self.find_pointwise(kind, rows, name)
                values = values if values is None else back(values)
        if values is not None:
            self.write(w_wide, values, name, self.layers[-1][1])
            return run(x, self.weights.read(w))
        rows, _ = next(layouts(wide))
        raise Parted(self.unknown(Step(kind, name, rows.clone(), weight=w)))

    def owing(self, x: Tensor) -> Tensor | None:
        """Return the bias that theirs adds to these values inside its layer, if one."""
        for owed in self.owed:
            place = places(x, owed.rows)
            if place is not None:
                self.owed.remove(owed)
                return owed.bias.expand_as(owed.rows).flatten()[place].view(x.shape)
        return None

    def find_pointwise(self, kind: str, rows: Tensor, name: str) -> Tensor | None:
        """Return what theirs multiplies with, or adds to, these rows."""
        steps = [s for s in self.record.steps if s.kind == kind and not s.used.any()]
        steps = [s for s in steps if s.weight is not None]
        found = [(s, order) for s in steps if (order := align(rows, s.x))]
        if not found:
            return None
        step, order = self.choose(found)
        step.used[:] = True
        self.layers.append((name, step.name))
        values = order(step.weight)
        if step.bias is not None:
            bias = order.pick(step.bias[None])[0]
            self.owed.append(Owed(rows * values, bias, name, step.name))
        return values

    def simple(self, kind, x, owned):
        name = self.weights.label(owned[0])
        numel = sum(w.numel() for w in owned)
        steps = [s for s in self.record.steps if s.kind == kind and not s.used.any()]
        found = [s for s in steps if s.weight.numel() == numel]
        found = [s for s in found if x.numel() == 0 == s.x.numel() or align(x, s.x)]
        if not found:
            raise Parted(self.unknown(Step(kind, name, x, weight=owned[0])))
        step = self.choose(found)
        step.used[:] = True
        values = step.weight[0].split([w.numel() for w in owned])
        for weight, part in zip(owned, values, strict=True):
            self.write(weight, part, name, step.name)
        self.layers.append((name, step.name))

    # -- the answer --------------------------------------------------------------------

    def verdict(self, outputs: list[Tensor], expected: list[Tensor]) -> Match:
        """Return the Match, or raise Parted for what only the end of the run shows."""
        if self.owed:
            raise Parted(self.owed[0].words())
        rest = [s for s in self.record.steps if not s.used.all()]
        if rest:
            raise Parted(
                f"yours ends after {self.last()[0]}, but theirs goes on with "
                f"{rest[0].name}."
            )
        where = (
            "everything agrees up to the last layer, {} (theirs {}), but the outputs"
        )
        where = where.format(*self.last())
        if [y.shape for y in outputs] != [y.shape for y in expected]:
            shapes = ([tuple(y.shape) for y in ys] for ys in (outputs, expected))
            raise Parted("{} are {}, theirs {}.".format(where, *shapes))
        pairs = zip(outputs, expected, strict=True)
        error = max((relative(y, e) for y, e in pairs), default=0.0)
        if not error < TOLERANCE:
            raise Parted(
                f"{where} differ by {error:.1e}:{hint(outputs[0], expected[0])}."
            )
        return Match(error, self.compare_params(), tuple(self.layers))

    def compare_params(self) -> int:
        """Return how many parameters ran; those that did not must agree in number."""
        sides = self.weights, self.record.weights
        (ran, idle), (theirs_ran, theirs_idle) = (
            (int(w.done.sum()), int((~w.done).sum())) for w in sides
        )
        if ran != theirs_ran:
            raise Parted(
                f"the outputs agree, but {ran:,} parameters of yours take part and "
                f"{theirs_ran:,} of theirs: are some shared between layers?"
            )
        if idle != theirs_idle:
            names = [w.idle_names() for w in sides]
            raise Parted(
                f"the outputs agree, but {idle:,} parameters of yours never run "
                f"({names[0]}) and {theirs_idle:,} of theirs ({names[1]}). An "
                "auxiliary head runs in train mode alone: compare with train=True."
            )
        return ran + idle

    def last(self) -> tuple[str, str]:
        return self.layers[-1] if self.layers else ("the input", "the input")

    def unknown(self, yours: Step) -> str:
        """Say where the two part when no step saw what `yours` sees."""
        if self.owed:
            return self.owed[0].words()
        steps = self.record.steps
        for step in steps:
            if step.kind == yours.kind and same_input(yours, step):
                return (
                    f"{yours.name} and theirs, {step.name}, see the same input but are "
                    f"different layers{against(yours, step)}."
                )
        rest = [s for s in steps if not s.used.all()]
        like = [s for s in rest if s.kind == yours.kind and same_size(yours, s)]
        after = "the two part after {} (theirs: {}).".format(*self.last())
        if not rest:
            return f"{after} Theirs ends there, yours goes on with {yours.name}."
        theirs = rest[0]
        words = f"{after} Yours goes on with {yours.name}, theirs with {theirs.name}"
        if not like:
            return (
                f"{words}, and no layer of theirs that is still to come is like yours."
            )
        if like[0] is not theirs:
            words += (
                f"; {like[0].name} is the first like yours, but sees something else"
            )
        else:
            words += ", and these see different things"
        return f"{words}:{hint(yours.saw, like[0].saw)}."

    def differ(self, yours: Step, theirs: Step, rows: Tensor, expected: Tensor) -> str:
        """Say how two layers differ that see the same and answer differently."""
        words = (
            f"{yours.name} and theirs, {theirs.name}, see the same input and hold the "
            f"same weights but answer differently{against(yours, theirs)}"
        )
        if rows.shape != expected.shape:
            return f"{words}. {len(rows)} places against {len(expected)}."
        if yours.conv:
            return f"{words}."
        return f"{words}.{hint(rows, expected).capitalize()}."


def against(yours: Step, theirs: Step) -> str:
    """Set the settings of two layers side by side where they differ."""
    a, b = (s.conv or _settings(s.name) for s in (yours, theirs))
    words = [
        f"{key}={a.get(key, 'none')} against {b.get(key, 'none')}"
        for key in {**a, **b}
        if str(a.get(key)) != str(b.get(key))
    ]
    if yours.conv and theirs.conv:
        kernels = [tuple(s.weight.shape[2:]) for s in (yours, theirs)]
        if kernels[0] != kernels[1]:
            words.insert(0, "kernel_size={} against {}".format(*kernels))
    return f": {', '.join(words)}" if words else ""


def _settings(name: str) -> dict:
    """Return `in_features=3, bias=True` as a dict; what has no name gets its place."""
    parts = SETTINGS.split(getattr(name, "settings", ""))
    pairs = (p.split("=", 1) if "=" in p else (i, p) for i, p in enumerate(parts))
    return dict(pairs)


def relative(yours: Tensor, theirs: Tensor) -> float:
    return ((yours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-300)).item()


def same_input(yours: Step, theirs: Step) -> bool:
    """Tell whether two layers see the same, whatever they then make of it."""
    a, b = yours.saw, theirs.saw
    return a.shape == b.shape and close(a, b)


def same_size(yours: Step, theirs: Step) -> bool:
    if yours.weight is None or theirs.weight is None or yours.kind != "linear":
        return yours.x.shape[-1] == theirs.x.shape[-1]
    return yours.weight.numel() == theirs.weight.numel()


def hint(yours: Tensor, theirs: Tensor) -> str:
    """Guess from two tensors, which should be the same, what comes between them."""
    if yours.shape != theirs.shape:
        return (
            f" {tuple(yours.shape)} against {tuple(theirs.shape)}. Look at the "
            "strides, padding and pooling (ceil_mode) between, and for a missing layer"
        )
    if not yours.isfinite().all():
        return " yours is not finite"
    wrong = (yours - theirs).abs() > TOLERANCE * theirs.abs().max()
    size = f" (relative error {relative(yours, theirs):.1e})"
    ratio = ((yours * theirs).sum() / theirs.square().sum()).item()
    if abs(ratio) > 1e-6 and close(yours / ratio, theirs):
        return f" yours is {ratio:.6g} times theirs"
    if yours.max() <= 6 < theirs.max():
        return f" yours never exceeds 6: ReLU6 where theirs has ReLU?{size}"
    if theirs.max() <= 6 < yours.max():
        return f" theirs never exceeds 6: ReLU where theirs has ReLU6?{size}"
    if yours.min() >= 0 > theirs.min():
        return f" yours is never negative: a ReLU too many, or too late?{size}"
    if theirs.min() >= 0 > yours.min():
        return f" theirs is never negative: a ReLU is missing, or too early?{size}"
    if yours.ndim == 4 and min(yours.shape[2:]) > 4:
        inside = wrong[:, :, 2:-2, 2:-2]
        if not inside.any():
            return (
                " they differ at the border alone: padding, or pooling's "
                f"count_include_pad or ceil_mode?{size}"
            )
    if relative(yours, theirs) < 0.02:
        return (
            f" nearly the same: an epsilon, a constant, or an approximate activation "
            f"(tanh GELU, hard-swish)?{size}"
        )
    return (
        " an operation is missing, or too many, or out of order (shortcut, activation, "
        f"norm, pooling, gate)?{size}"
    )
