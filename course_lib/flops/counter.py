"""What a network costs: parameters, multiply-accumulates, memory, receptive field.

Not the layers are read but every operation that the network dispatches to PyTorch, so
functional calls, einsum, attention and grouped convolution count whatever module they
hide in. Nothing is computed: what runs is a copy whose tensors are mere shapes (on the
meta device), so ViT-H takes no memory and the network itself is not touched.
"""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils.rnn import PackedSequence
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map_only
from torch.utils.weak import WeakTensorKeyDictionary

from course_lib.errors import CourseError
from course_lib.flops import receptive, rules
from course_lib.flops.table import Cost, Layer

DEPENDS = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
EXPECTS = {
    "embed_dim",
    "in_channels",
    "in_features",
    "normalized_shape",
    "num_features",
}
CONVOLUTIONS = {
    *(torch.conv1d, torch.conv2d, torch.conv3d),
    *(torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d),
}


class CountError(CourseError, ValueError):
    """A network cannot be counted on this input."""


class _Counter(TorchDispatchMode):
    """Apply the rules to each operation, in the name of the module that runs it."""

    def __init__(self, model: nn.Module, inputs: list[Tensor]):
        super().__init__()
        self.names = {module: name for name, module in model.named_modules()}
        self.layers: dict[nn.Module, Layer] = {}
        self.running: list[tuple[nn.Module, tuple]] = [(model, ())]  # and their inputs
        self.unused = {id(p): p.numel() for p in model.parameters()}
        self.fields = WeakTensorKeyDictionary()  # tensor: its receptive field
        self.widest: int | None = None
        self.uncounted: set[str] = set()
        self.known: dict[tuple, Any] = {}  # operation and shapes: what it returns
        self.complex = _ComplexConvolution()
        for x in inputs:
            if (x.is_floating_point() or x.is_complex()) and x.ndim > 2:
                self.fields[x] = receptive.of_image(x)
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
        if DEPENDS & set(func.tags) and not _picks_by_number(func, args):
            raise CountError(
                f"{self.where()} looks at a value ({func.overloadpacket.__name__}), so "
                "its cost depends on the data; counting knows shapes only"
            )
        kwargs = kwargs or {}
        if not all(x.is_meta for x in _tensors((args, kwargs))):
            args, kwargs = tree_map_only(Tensor, self.shadow, (args, kwargs))
        if "device" in kwargs:
            kwargs = kwargs | {"device": "meta"}
        output = self.shapes(func, args, kwargs)
        name = func.overloadpacket.__name__.removesuffix("_")
        outputs = list(_tensors(output))
        inputs = {id(x): x for x in _tensors((args, kwargs))}
        if outputs:
            a = _named(func, args, kwargs)
            macs = self.macs(func, name, a, args, kwargs, output)
            self.count(func, name, macs or 0, outputs, inputs)
            self.follow(name, a, outputs, list(inputs.values()), macs is not None)
        return output

    def shadow(self, x: Tensor) -> Tensor:
        """Replace a tensor that is no part of the model, such as a global constant."""
        return x if x.is_meta else _meta(x)

    def shapes(self, func, args: tuple, kwargs: dict) -> Any:
        """Run an operation; one that ran on such shapes before is not asked again."""
        if _gives_back(func):
            return func(*args, **kwargs)
        key = _described((func, args, tuple(kwargs.items())))
        if key not in self.known:
            output = func(*args, **kwargs)
            self.known[key] = tree_map_only(Tensor, _blank, output)
            return output
        return tree_map_only(Tensor, _blank, self.known[key])

    def macs(self, func, name, a, args, kwargs, output) -> int | None:
        """Return the MACs of an operation; one that nobody knows is remembered."""
        if func.is_view or name in rules.VIEWS:
            return 0
        macs = rules.macs_of(func, name, a, args, kwargs, output)
        if macs is None:
            self.uncounted.add(str(func.overloadpacket))
        return self.complex.once(macs) if name == "convolution" else macs

    def count(self, func, name, macs, outputs, inputs) -> None:
        layer = self.layer(self.running[-1][0])
        layer.params += sum(self.unused.pop(key, 0) for key in inputs)
        if func.is_view or name in rules.VIEWS:
            return
        written = outputs[:1] if len(func._schema.returns) > 1 else outputs
        read = list(inputs.values())
        if name in rules.PICKS:  # the rows that were asked for, and the indices
            read = outputs + read[1:]
        layer.ops[name] = layer.ops.get(name, 0) + macs
        layer.macs += macs
        layer.activations += sum(x.numel() for x in written)
        layer.bytes_moved += sum(x.numel() * x.element_size() for x in read + written)

    def follow(self, name, a, outputs, inputs, known: bool) -> None:
        seen = [(x, self.fields[x]) for x in inputs if x in self.fields]
        if not seen:
            return
        for y in outputs:
            field = receptive.receptive(name, a, y, seen)
            self.fields[y] = field if known else receptive.EVERYTHING
        layer = self.layer(self.running[-1][0])
        field = self.fields[outputs[0]]
        layer.receptive_field = receptive.pixels(field)
        if field != receptive.EVERYTHING and (
            self.widest or receptive.windows_of(name, a)
        ):
            self.widest = max(self.widest or 0, layer.receptive_field)


class _ComplexConvolution(TorchFunctionMode):
    """Know that PyTorch does a convolution of complex numbers as three of real ones."""

    def __init__(self):
        super().__init__()
        self.done: int | None = None

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function not in CONVOLUTIONS:
            return function(*args, **(kwargs or {}))
        tensors = [x for x in tree_iter((args, kwargs)) if isinstance(x, Tensor)]
        self.done = 0 if any(x.is_complex() for x in tensors) else None
        try:
            return function(*args, **(kwargs or {}))
        finally:
            self.done = None

    def once(self, macs: int) -> int:
        """Return the MACs of the first of the three, and 0 for the others."""
        if self.done is None:
            return macs
        self.done += 1
        return macs if self.done == 1 else 0


def _tensors(x) -> Iterator[Tensor]:
    """Yield the tensors of what an operation takes or returns."""
    if isinstance(x, Tensor):
        yield x
    elif isinstance(x, (tuple, list)):
        for one in x:
            yield from _tensors(one)
    elif isinstance(x, dict):
        yield from _tensors(list(x.values()))


@functools.cache
def _gives_back(func) -> bool:
    """Does an operation return, or change, what it was given?"""
    schema = func._schema
    return any(x.alias_info for x in (*schema.arguments, *schema.returns))


def _described(x) -> Any:
    """Return what tells one call from another: of a tensor its form, no numbers."""
    if isinstance(x, Tensor):
        return x.shape, x.stride(), x.storage_offset(), x.dtype
    if isinstance(x, (tuple, list)):
        return tuple(map(_described, x))
    return type(x), x


def _blank(x: Tensor) -> Tensor:
    return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device="meta")


def _picks_by_number(func, args: tuple) -> bool:
    """Tell `x[:, [2, 1, 0]]`, of known shape, from a choice by a mask."""
    if func.overloadpacket.__name__ != "index":
        return False
    indices = [index for index in args[1] if index is not None]
    return all(index.dtype not in (torch.bool, torch.uint8) for index in indices)


def _named(func, args: tuple, kwargs: dict) -> SimpleNamespace:
    """Return the arguments by the names in the schema, defaults filled in."""
    names = func._schema.arguments
    values = {x.name: x.default_value for x in names if x.has_default_value()}
    values.update(zip((x.name for x in names), args, strict=False))
    return SimpleNamespace(**values | kwargs)


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

    inputs: a shape, such as (1, 3, 224, 224), a tensor or a dict of these for each
        argument; a tuple of them is taken apart. A shape stands for a tensor of the
        model's own type.
    Nothing of the model or of the random state is changed. A parameter counts once,
    however often it is used; a module that runs twice does its MACs twice.
    Raises CountError, which names the layer that refused its input.
    """
    model = getattr(model, "_orig_mod", model)  # of torch.compile
    _refuse(model, inputs)
    twin = _twin(model)
    kinds = (torch.is_floating_point, torch.is_complex)
    floats = (p.dtype for p in twin.parameters() if any(kind(p) for kind in kinds))
    dtype = next(floats, torch.get_default_dtype())
    tensors = [_empty(x, dtype) for x in _apart(inputs)]
    counter = _Counter(twin, [x for x in tree_iter(tensors) if isinstance(x, Tensor)])
    try:
        with torch.no_grad(), _plain_attention(), counter.complex, counter:
            twin(*tensors, **kwargs)
    except CountError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        said = f"{counter.refusal()}: {_first_line(error)}"
        if re.search(r"\bmeta\b", str(error), re.IGNORECASE):
            said = (
                f"{counter.where()} needs the numbers themselves, and counting knows "
                f"shapes only: {_first_line(error)}"
            )
        raise CountError(said) from error
    return _summary(twin, counter)


def _refuse(model: nn.Module, inputs: tuple) -> None:
    """Raise CountError for what has no shapes to follow."""
    if any(nn.parameter.is_lazy(p) for p in model.parameters()):
        raise CountError("the network is lazy: run it on one batch, then count")
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise CountError(
                f"{f'layer {name}' if name else 'the network'} is compiled by "
                "TorchScript, which hides its layers: count the network that it was "
                "made from"
            )
    if any(isinstance(x, PackedSequence) for x in inputs):
        raise CountError(
            "the cost of a packed sequence depends on its lengths: count the padded "
            "tensor, given by its shape"
        )


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _apart(inputs: tuple) -> list:
    """Return a list of shapes, tensors and dictionaries of them."""
    if isinstance(inputs, (Tensor, dict)):
        return [inputs]
    if not isinstance(inputs, (tuple, list)):
        raise CountError(f"{inputs!r} is no input: give a shape, as (1, 3, 224, 224)")
    if inputs and all(isinstance(n, int) for n in inputs):
        return [inputs]
    return [x for item in inputs for x in _apart(item)]


def _empty(x, dtype: torch.dtype):
    """Return a tensor without numbers for a shape or a tensor; of a dict, for each."""
    if isinstance(x, dict):
        parts = {key: [_empty(p, dtype) for p in _apart(v)] for key, v in x.items()}
        return {key: p[0] if len(p) == 1 else p for key, p in parts.items()}
    if isinstance(x, Tensor):
        return _meta(x)
    return torch.empty(x, dtype=dtype, device="meta")


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
        uncounted=tuple(sorted(counter.uncounted)),
        **sums,
    )
