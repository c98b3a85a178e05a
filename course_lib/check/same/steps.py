"""What a network does, as steps: one for each operation that owns parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch.nn.functional as F
from torch import Tensor

from course_lib.check.same.compare import close


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


def same_input(yours: Step, theirs: Step) -> bool:
    """Tell whether two layers see the same, whatever they then make of it."""
    a, b = yours.saw, theirs.saw
    return a.shape == b.shape and close(a, b)


def same_size(yours: Step, theirs: Step) -> bool:
    if yours.weight is None or theirs.weight is None or yours.kind != "linear":
        return yours.x.shape[-1] == theirs.x.shape[-1]
    return yours.weight.numel() == theirs.weight.numel()
