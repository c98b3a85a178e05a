"""What a network costs: parameters, multiply-accumulates, memory, receptive field.

Not the layers are read but every operation that the network dispatches to PyTorch, so
functional calls, einsum, attention and grouped convolution count whatever module they
hide in. Nothing is computed: what runs is a copy whose tensors are mere shapes (on the
meta device), so ViT-H takes no memory and the network itself is not touched.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map_only
from torch.utils.weak import WeakTensorKeyDictionary

from course_lib.errors import CourseError


class CountError(CourseError, ValueError):
    """A network cannot be counted on this input."""


# Operation: MACs, from its arguments `a` (named as in its schema) and its output `y`.
MACS = {
    "convolution": lambda a, y: (
        (a.input if a.transposed else y).numel() * a.weight[0].numel()
    ),
    "linear": lambda a, y: y.numel() * a.weight.shape[-1],
    "mm": lambda a, y: y.numel() * a.self.shape[-1],
    "bmm": lambda a, y: y.numel() * a.self.shape[-1],
    "addmm": lambda a, y: y.numel() * a.mat1.shape[-1],
    "_addmm_activation": lambda a, y: y.numel() * a.mat1.shape[-1],
    "baddbmm": lambda a, y: y.numel() * a.batch1.shape[-1],
    "addbmm": lambda a, y: a.batch1.numel() * a.batch2.shape[-1],
    "addmv": lambda a, y: a.mat.numel(),
    "mv": lambda a, y: a.self.numel(),
    "dot": lambda a, y: a.self.numel(),
    "vdot": lambda a, y: a.self.numel(),
    # nn.Bilinear: weight (K, C1, C2) times x2 for each row of x1, then times x1
    "_trilinear": lambda a, y: y.shape[0] * (a.i2.numel() + a.i2[..., 0].numel()),
}


def _attention_macs(a: SimpleNamespace) -> int:
    """Count q @ k.mT and scores @ v for every pair of tokens, masked or not."""
    pairs = a.query.shape[:-1].numel() * a.key.shape[-2]
    return pairs * (a.query.shape[-1] + a.value.shape[-1])


FREE = {  # these make a tensor, but no element is read or written
    "_reshape_alias", "_unsafe_view", "alias", "detach", "empty", "empty_like",
    "empty_strided", "lift_fresh", "new_empty", "new_empty_strided", "unsafe_chunk",
    "unsafe_split", "unsafe_split_with_sizes",
}  # fmt: skip
DEPENDS = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
EXPECTS = {
    "embed_dim",
    "in_channels",
    "in_features",
    "normalized_shape",
    "num_features",
}
PICKS = {"embedding", "gather", "index", "index_select"}  # read only what they return

MATMULS = MACS.keys() - {"convolution"}
EVERYTHING = math.inf  # the receptive field of what sees the whole image
MIXES = {"_safe_softmax", "_softmax", "cumsum", "flip", "roll", "sort", "topk"}


class Span(NamedTuple):
    """Along one side, position i sees the pixels i * jump + low to i * jump + high."""

    jump: float = 1
    low: float = 0
    high: float = 0

    def window(self, kernel: int, stride: float, padding: int, dilation=1) -> Span:
        low = self.low - padding * self.jump
        high = self.high + (dilation * (kernel - 1) - padding) * self.jump
        return Span(self.jump * stride, low, high)

    def slice(self, start: int, step: int = 1) -> Span:
        moved = start * self.jump
        return Span(self.jump * step, self.low + moved, self.high + moved)

    def union(self, other: Span) -> Span:
        return Span(
            max(self.jump, other.jump),
            min(self.low, other.low),
            max(self.high, other.high),
        )


def _windows(name: str, a: SimpleNamespace, sides: int) -> list[tuple] | None:
    """Return (kernel, stride, padding, dilation) of each side, if the op has them."""

    def each(values, default=()):
        values = values if isinstance(values, (list, tuple)) else [values]
        return (list(values or default) * sides)[-sides:]

    if name == "convolution" and not a.transposed:
        kernel, stride = list(a.weight.shape[2:]), a.stride
    elif name.startswith(("max_pool", "avg_pool")):
        kernel, stride = a.kernel_size, a.stride or a.kernel_size
    elif "adaptive" in name:
        sizes = zip(a.self.shape[-sides:], each(a.output_size), strict=True)
        return [
            (-(-old // new) + (old % new > 0), old / new, 0, 1) for old, new in sizes
        ]
    else:
        return None
    dilation = getattr(a, "dilation", 1)
    four = each(kernel), each(stride), each(a.padding), each(dilation)
    return list(zip(*four, strict=True))


def _receptive(name: str, a: SimpleNamespace, y: Tensor, inputs: list):
    """Return the field of an output: a span for each side, EVERYTHING, or None.

    inputs: (tensor, field) of each input that depends on the image.
    An operation without a rule that changes the sides is taken to see everything.
    """
    if not inputs:
        return None
    if name in MATMULS or any(seen == EVERYTHING for _, seen in inputs):
        return EVERYTHING
    x, spans = inputs[0]
    sides = len(spans)
    first_side = x.ndim - sides
    dim = a.dim % x.ndim if isinstance(getattr(a, "dim", None), int) else -1
    if windows := _windows(name, a, sides):
        reach = zip(windows, x.shape[-sides:], y.shape[-sides:], strict=True)
        if all(new == 1 < old <= window[0] for window, old, new in reach):
            return EVERYTHING  # global pooling, or a convolution used as linear layer
        return tuple(s.window(*w) for s, w in zip(spans, windows, strict=True))
    if "_pad" in name:
        before = [*(a.pad if hasattr(a, "pad") else a.padding)][::2] + [0] * sides
        before = before[:sides][::-1]  # the last side comes first
        return tuple(s.slice(-p) for s, p in zip(spans, before, strict=True))
    if name == "slice" and dim >= first_side:
        side, start = dim - first_side, (a.start or 0) % max(x.shape[dim], 1)
        return (*spans[:side], spans[side].slice(start, a.step), *spans[side + 1 :])
    if name in MIXES and (dim < 0 or dim >= first_side):
        return EVERYTHING
    if name == "permute" and list(a.dims[-sides:]) != list(range(x.ndim))[-sides:]:
        return EVERYTHING
    if any(t.shape[-sides:] != y.shape[-sides:] for t, _ in inputs):
        return EVERYTHING
    for _, others in inputs[1:]:
        spans = tuple(s.union(o) for s, o in zip(spans, others, strict=True))
    return spans


@dataclass
class Layer:
    """What one module did itself, summed over its calls; its children have their own.

    name: as in `model.get_submodule`. params: those first used here.
    receptive_field: pixels along the longer side; inf: the whole image; None: no image.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...] = ()
    params: int = 0
    macs: int = 0
    activations: int = 0
    bytes_moved: int = 0
    receptive_field: float | None = None
    calls: int = 0
    ops: dict[str, int] = field(default_factory=dict)  # MACs of each; views left out


class _Counter(TorchDispatchMode):
    """Apply the rules to each operation, in the name of the module that runs it."""

    def __init__(self, model: nn.Module, inputs: list[Tensor]):
        super().__init__()
        self.names = {module: name for name, module in model.named_modules()}
        self.layers: dict[nn.Module, Layer] = {}
        self.running: list[tuple[nn.Module, tuple]] = [(model, ())]  # and their inputs
        self.unused = {id(p): p.numel() for p in model.parameters()}
        self.fields = WeakTensorKeyDictionary()  # tensor: spans or EVERYTHING
        self.widest: int | None = None
        self.foreign: set[str] = set()
        for x in inputs:
            if x.is_floating_point() and x.ndim > 2:
                self.fields[x] = (Span(),) * (x.ndim - 2)
        for module in self.names:
            module.register_forward_pre_hook(self.enter)
            module.register_forward_hook(self.leave)

    def layer(self, module: nn.Module) -> Layer:
        kind = type(module).__name__
        return self.layers.setdefault(module, Layer(self.names[module], kind))

    def enter(self, module: nn.Module, args: tuple) -> None:
        self.running.append((module, args))
        if not any(module.children()):
            self.layer(module)

    def leave(self, module: nn.Module, args: tuple, output: Any) -> None:
        while self.running.pop()[0] is not module:  # a child stopped by an exception
            pass
        shapes = [x.shape for x in tree_iter(output) if isinstance(x, Tensor)]
        if module in self.layers and shapes:
            self.layers[module].output_shape = tuple(shapes[0])
            self.layers[module].calls += 1

    def where(self) -> str:
        module = self.running[-1][0]
        name = self.names[module]
        kind = type(module).__name__
        return f"layer {name} ({kind})" if name else f"the network ({kind})"

    def refusal(self) -> str:
        """Say which module refused which input, and what it expects."""
        module, args = self.running[-1]
        shapes = [tuple(x.shape) for x in tree_iter(args) if isinstance(x, Tensor)]
        expects = [f"{k} = {v}" for k, v in vars(module).items() if k in EXPECTS]
        said = f"{self.where()} refused its input, {', '.join(map(str, shapes))}"
        return said + (f"; it expects {', '.join(expects)}" if expects else "")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == "prim":  # a question about a tensor, such as its device
            return func(*args, **(kwargs or {}))
        if DEPENDS & set(func.tags):
            raise CountError(
                f"{self.where()} looks at a value ({func.overloadpacket.__name__}), so "
                "its cost depends on the data; counting knows shapes only"
            )
        args, kwargs = tree_map_only(Tensor, self.shadow, (args, kwargs or {}))
        if "device" in kwargs:
            kwargs = kwargs | {"device": "meta"}
        output = func(*args, **kwargs)
        name = func.overloadpacket.__name__.removesuffix("_")
        outputs = [x for x in tree_iter(output) if isinstance(x, Tensor)]
        inputs = {id(x): x for x in tree_iter((args, kwargs)) if isinstance(x, Tensor)}
        if outputs:
            a = _named(func, args, kwargs)
            self.count(func, name, a, outputs, inputs)
            self.follow(name, a, outputs, list(inputs.values()))
        return output

    def shadow(self, x: Tensor) -> Tensor:
        """Replace a tensor that is no part of the model, such as a global constant."""
        return x if x.is_meta else _meta(x)

    def count(self, func, name, a, outputs, inputs) -> None:
        layer = self.layer(self.running[-1][0])
        layer.params += sum(self.unused.pop(key, 0) for key in inputs)
        if func.is_view or name in FREE:
            return
        if func.namespace != "aten":
            self.foreign.add(str(func))
        if name.startswith("_scaled_dot_product"):
            macs = _attention_macs(a)
        else:
            macs = MACS[name](a, outputs[0]) if name in MACS else 0
        written = outputs[:1] if len(func._schema.returns) > 1 else outputs
        read = list(inputs.values())
        if name in PICKS:  # the rows of the table that were asked for, and the indices
            read = outputs + read[1:]
        layer.ops[name] = layer.ops.get(name, 0) + macs
        layer.macs += macs
        layer.activations += sum(x.numel() for x in written)
        layer.bytes_moved += sum(x.numel() * x.element_size() for x in read + written)

    def follow(self, name, a, outputs, inputs) -> None:
        seen = [(x, self.fields[x]) for x in inputs if x in self.fields]
        spans = _receptive(name, a, outputs[0], seen)
        if spans is None:
            return
        for y in outputs:
            self.fields[y] = spans
        layer = self.layer(self.running[-1][0])
        layer.receptive_field = _pixels(spans)
        if spans != EVERYTHING and (self.widest or _windows(name, a, len(spans))):
            self.widest = max(self.widest or 0, layer.receptive_field)


def _named(func, args: tuple, kwargs: dict) -> SimpleNamespace:
    """Return the arguments by the names in the schema, defaults filled in."""
    names = func._schema.arguments
    values = {x.name: x.default_value for x in names if x.has_default_value()}
    values.update(zip((x.name for x in names), args, strict=False))
    return SimpleNamespace(**values | kwargs)


def _pixels(spans) -> float:
    if spans == EVERYTHING:
        return EVERYTHING
    return max(math.ceil(s.high - s.low) + 1 for s in spans)


def _meta(x: Tensor) -> Tensor:
    empty = torch.empty_like(x.detach(), device="meta")
    return (
        nn.Parameter(empty, x.requires_grad) if isinstance(x, nn.Parameter) else empty
    )


def _twin(model: nn.Module) -> nn.Module:
    """Copy the modules, not the numbers: the copy's tensors are on the meta device."""
    held = [x for module in model.modules() for x in tree_iter(vars(module))]
    twins = {id(x): _meta(x) for x in held if isinstance(x, Tensor)}
    try:
        twin = copy.deepcopy(model, twins).eval()
    except Exception as error:
        kind = type(model).__name__
        raise CountError(f"{kind} cannot be copied, so not counted: {error}") from error
    for module in twin.modules():
        module._forward_hooks.clear()  # who listens to the model should not hear this
    return twin


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Write attention out as matmuls: the same operations on every machine."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@torch.inference_mode(False)  # which would hide how operations decompose
def count(model: nn.Module, *inputs, **kwargs) -> Cost:
    """Count what `model.eval()(*inputs, **kwargs)` costs, without computing it.

    inputs: a shape, such as (1, 3, 224, 224), or a tensor for each argument; a tuple of
        these is taken apart. A shape stands for a tensor of the model's own type.
    Nothing of the model or of the random state is changed. A parameter counts once,
    however often it is used; a module that runs twice does its MACs twice.
    Raises CountError, which names the layer that refused its input.
    """
    model = getattr(model, "_orig_mod", model)  # of torch.compile
    if any(nn.parameter.is_lazy(p) for p in model.parameters()):
        raise CountError("the network is lazy: run it on one batch, then count")
    twin = _twin(model)
    floats = (p.dtype for p in twin.parameters() if p.is_floating_point())
    dtype = next(floats, torch.get_default_dtype())
    tensors = [
        _meta(x)
        if isinstance(x, Tensor)
        else torch.empty(x, dtype=dtype, device="meta")
        for x in _apart(inputs)
    ]
    counter = _Counter(twin, tensors)
    try:
        with torch.no_grad(), _plain_attention(), counter:
            twin(*tensors, **kwargs)
    except CountError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        raise CountError(f"{counter.refusal()}: {_first_line(error)}") from error
    return _summary(twin, counter)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _apart(inputs: tuple) -> list:
    """Return a list of shapes and tensors."""
    if isinstance(inputs, Tensor):
        return [inputs]
    if not isinstance(inputs, (tuple, list)):
        raise CountError(f"{inputs!r} is no input: give a shape, as (1, 3, 224, 224)")
    if inputs and all(isinstance(n, int) for n in inputs):
        return [inputs]
    return [x for item in inputs for x in _apart(item)]


class Table(NamedTuple):
    """Rows of text: plain by str, HTML in a notebook, a rich table in a terminal."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]  # the last one is the sum, if `summed`
    texts: int = 1  # the columns from the left that are words; the others are numbers
    summed: bool = False

    def __str__(self) -> str:
        columns = zip(self.columns, *self.rows, strict=True)
        widths = [max(map(len, column)) for column in columns]
        line = "-" * (sum(widths) + 2 * len(widths) - 2)
        lines = [self._line(row, widths) for row in (self.columns, *self.rows)]
        lines.insert(1, line)
        if self.summed:
            lines.insert(-1, line)
        return "\n".join([self.title, *lines])

    def _line(self, row: tuple[str, ...], widths: list[int]) -> str:
        cells = enumerate(zip(row, widths, strict=True))
        return "  ".join(
            cell.ljust(width) if i < self.texts else cell.rjust(width)
            for i, (cell, width) in cells
        ).rstrip()

    def _repr_html_(self) -> str:
        def line(row: tuple[str, ...], tag: str) -> str:
            sides = ["left"] * self.texts + ["right"] * (len(row) - self.texts)
            return "".join(
                f'<{tag} style="text-align: {side}">{escape(cell)}</{tag}>'
                for cell, side in zip(row, sides, strict=True)
            )

        rows = "".join(f"<tr>{line(row, 'td')}</tr>" for row in self.rows)
        return (
            f"<table><caption>{escape(self.title)}</caption>"
            f"<thead><tr>{line(self.columns, 'th')}</tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )

    def __rich_console__(self, console, options):
        """Draw for a terminal; where it is narrow, columns go rather than digits."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table as RichTable

        columns = zip(self.columns, *self.rows, strict=True)
        widths = {column[0]: max(map(len, column)) + 2 for column in columns}
        for name in ("bytes moved", "activations", "field", "output"):
            if sum(widths.values()) + 2 > options.max_width:
                widths.pop(name, None)
        table = RichTable(title=self.title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        shown = [i for i, name in enumerate(self.columns) if name in widths]
        for i in shown:
            side = "left" if i < self.texts else "right"
            table.add_column(self.columns[i], justify=side, no_wrap=True)
        for row in self.rows:
            last = self.summed and row is self.rows[-1]
            table.add_row(*(row[i] for i in shown), style="bold" if last else None)
        yield table


@dataclass(frozen=True)
class Cost:
    """What one forward pass in eval mode costs.

    params: elements of all parameters, those of parts that do not run included.
    macs: multiply-accumulates of convolutions, linear layers and attention; no bias,
        normalisation, pooling or activation function. 1 MAC = 2 FLOPs.
    activations: elements that all operations write; views write none.
    bytes_moved: bytes that all operations read (weights included) and write, each
        operation on its own, nothing kept in a cache or fused.
    receptive_field: pixels along the longer side that a position of the last feature
        map sees before anything global (global pooling, squeeze-and-excitation,
        flattening, attention); borders are not cut off; None without convolution.
    layers: a row for each module that does something itself, in the order they start.
    uncounted: operations from outside PyTorch that no rule covers; they count 0 MACs.
    """

    name: str
    params: int
    macs: int
    activations: int
    bytes_moved: int
    receptive_field: int | None
    layers: list[Layer]
    uncounted: tuple[str, ...] = ()

    def table(self) -> Table:
        rows = [
            (
                r.name or "(itself)",
                r.kind,
                "x".join(map(str, r.output_shape)),
                *_cells(r),
            )
            for r in self.layers
        ]
        rows.append(("sum", "", "", *_cells(self)))
        title = f"{self.name}: {self.params:,} parameters, {self.macs:,} MACs"
        if self.uncounted:
            title += f"; not counted: {', '.join(self.uncounted)}"
        return Table(title, ("layer", "kind", "output", *NUMBERS), rows, 3, summed=True)

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __rich__(self) -> Table:
        return self.table()


NUMBERS = ("params", "MACs", "activations", "bytes moved", "field")


def _cells(x: Layer | Cost) -> tuple[str, ...]:
    seen = {None: "", EVERYTHING: "all"}
    pixels = seen.get(x.receptive_field) or f"{x.receptive_field or 0} px"
    numbers = x.params, x.macs, x.activations, x.bytes_moved
    return (*(f"{n:,}" for n in numbers), pixels if x.receptive_field else "")


def compare(costs: dict[str, Cost]) -> Table:
    """Set networks side by side, a row each, with the MACs for each parameter."""
    rows = [
        (name, *_cells(cost), f"{cost.macs / max(cost.params, 1):,.1f}")
        for name, cost in costs.items()
    ]
    return Table("Cost of one forward pass", ("network", *NUMBERS, "MACs/param"), rows)


def _summary(model: nn.Module, counter: _Counter) -> Cost:
    layers = []
    for module, layer in counter.layers.items():
        if any(module.children()):
            named = sorted(layer.ops, key=lambda op: layer.ops[op] == 0)  # MACs first
            layer.kind += f": {', '.join(named[:3])}"
        if layer.ops or layer.params or not any(module.children()):
            layers.append(layer)
    for name, module in model.named_modules():
        own = module.parameters(recurse=False)
        if idle := sum(counter.unused.pop(id(p), 0) for p in own):
            layers.append(Layer(name, f"{type(module).__name__}: not run", params=idle))
    sums = {
        key: sum(getattr(layer, key) for layer in layers)
        for key in ("params", "macs", "activations", "bytes_moved")
    }
    return Cost(
        name=type(model).__name__,
        receptive_field=counter.widest,
        layers=layers,
        uncounted=tuple(sorted(counter.foreign)),
        **sums,
    )
