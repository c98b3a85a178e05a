"""All parameters of a network in one vector, followed through views and copies."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from course_lib.check.labels import label
from course_lib.check.same.compare import close


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
