"""Watch a network at the level of PyTorch's dispatcher, where its layers have no names.

A convolution is a convolution there, whatever module, function or parameter list it
comes from. `Watch` takes each operation that owns parameters apart into steps (a linear
map, a scale, an addition, ...); a subclass says what to do with one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from course_lib.check.labels import label
from course_lib.check.same.compare import channels_last
from course_lib.check.same.weights import Weights

COPYING = {  # operations that only move entries, into a tensor of their own
    *("clone", "cat", "stack", "repeat", "index", "index_select", "embedding", "roll"),
    *("flip", "_to_copy", "gather", "_unsafe_view"),
}
NORMS = {"native_batch_norm", "native_layer_norm", "native_group_norm"}


class NoDropout(TorchFunctionMode):
    """Make functional dropout return its input."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if "dropout" in getattr(func, "__name__", "") and args:
            return args[0]
        if "dropout_p" in kwargs:
            kwargs = kwargs | {"dropout_p": 0.0}
        return func(*args, **kwargs)


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
