# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% tags=["export"]
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate in (0, 1), computed from all channels' means.

    Source: arXiv:1709.01507, Figure 2; with swish for its ReLU.
    """

    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        mean, down, up = nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
        self.gate = nn.Sequential(mean, down, nn.SiLU(), up, nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)  # (N, C, H, W) times (N, C, 1, 1)


# %% tags=["export"]
class DropPath(nn.Module):
    """In training, set the whole map of an image to 0 with probability `p`.

    What is kept is divided by 1 - p, so the mean stays. Source: arXiv:1603.09382.
    """

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.p
        return x * kept / (1 - self.p)


# %% tags=["export"]
class SameConv2d(nn.Conv2d):
    """TensorFlow's padding "same": ⌈H/stride⌉ rows; an odd zero lies below and right."""

    def forward(self, x: Tensor) -> Tensor:
        zeros = []
        for axis in (1, 0):  # F.pad begins with the columns
            side, kernel, stride = x.shape[2 + axis], self.kernel_size[axis], self.stride[axis]
            more = max(0, (-(-side // stride) - 1) * stride + kernel - side)
            zeros += [more // 2, more - more // 2]
        return super().forward(F.pad(x, zeros))


class Style(NamedTuple):
    """In what the blocks of the family differ."""

    activation: type[nn.Module] = nn.SiLU
    epsilon: float = 1e-5  # of batch normalisation
    same: bool = False  # TensorFlow's padding
    squeeze: bool = True


PLAIN = Style()
LITE = Style(nn.ReLU6, 1e-3, same=True, squeeze=False)


# %% tags=["export"]
def conv_bn(channels, width, kernel_size, stride=1, groups=1, style=PLAIN, activate=True):
    """Convolution, batch normalisation and, if `activate`, the style's activation."""
    conv, padding = (SameConv2d, 0) if style.same else (nn.Conv2d, kernel_size // 2)
    layer = conv(channels, width, kernel_size, stride, padding, groups=groups, bias=False)
    end = [style.activation()] if activate else []
    return nn.Sequential(layer, nn.BatchNorm2d(width, eps=style.epsilon), *end)


class Stage(NamedTuple):
    expansion: int
    kernel_size: int
    stride: int  # of the first block; the others keep the resolution
    width: int
    blocks: int


# %% tags=["export"]
class MBConv(nn.Module):
    """Expand, filter each channel, squeeze and excite, project; a shortcut where it fits.

    stage: one block of it, with its stride. drop: the probability of DropPath.
    """

    def __init__(self, channels: int, stage: Stage, style=PLAIN, drop: float = 0.0):
        super().__init__()
        hidden = stage.expansion * channels
        layers = [conv_bn(channels, hidden, 1, style=style)] if stage.expansion > 1 else []
        layers += [conv_bn(hidden, hidden, stage.kernel_size, stage.stride, hidden, style)]
        layers += [SqueezeExcite(hidden, max(1, channels // 4))] if style.squeeze else []
        layers += [conv_bn(hidden, stage.width, 1, style=style, activate=False)]
        self.residual, self.drop = nn.Sequential(*layers), DropPath(drop)
        self.keeps_shape = stage.stride == 1 and channels == stage.width

    def forward(self, x: Tensor) -> Tensor:
        out = self.residual(x)
        return x + self.drop(out) if self.keeps_shape else out


# %% tags=["export"]
class EfficientNet(nn.Module):
    """Map images (N, 3, H, W) to logits (N, num_classes).

    channels: after the stem. end: channels before the linear layer. stride: of the
    stem. drop_path: of a block after the last one; it grows linearly from 0.
    """

    def __init__(self, stages, channels, end, num_classes, stride=2, style=PLAIN,
                 dropout=0.2, drop_path=0.2):
        super().__init__()
        self.stem, blocks = conv_bn(3, channels, 3, stride, style=style), []
        step = drop_path / sum(stage.blocks for stage in stages)
        for stage in stages:
            for stride in [stage.stride] + [1] * (stage.blocks - 1):
                row = stage._replace(stride=stride)
                blocks.append(MBConv(channels, row, style, step * len(blocks)))
                channels = stage.width
        self.stages = nn.Sequential(*blocks)
        pool = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout)
        self.head = nn.Sequential(conv_bn(channels, end, 1, style=style), *pool, nn.Linear(end, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(images)))


# %% tags=["export"]
def scaled_small(blocks: int = 4, width: float = 1.0, num_classes: int = 10) -> EfficientNet:
    """Return a network of two stages whose widths round to 1 channel, not to 8.

    blocks: of each stage. width: the multiplier of all widths.
    """
    stem, first, second, end = (max(1, round(width * w)) for w in (16, 16, 32, 128))
    stages = [Stage(4, 3, 1, first, blocks), Stage(4, 3, 2, second, blocks)]
    return EfficientNet(stages, stem, end, num_classes, dropout=0.0, drop_path=0.0)


# %% tags=["export"]
STAGES = [  # Table 1 of arXiv:1905.11946
    Stage(1, 3, 1, 16, 1), Stage(6, 3, 2, 24, 2), Stage(6, 5, 2, 40, 2), Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3), Stage(6, 5, 2, 192, 4), Stage(6, 3, 1, 320, 1),
]
FAMILY = {  # width, depth, pixels, dropout: the released code; not printed in the paper
    "B0": (1.0, 1.0, 224, 0.2), "B1": (1.0, 1.1, 240, 0.2), "B2": (1.1, 1.2, 260, 0.3),
    "B3": (1.2, 1.4, 300, 0.3), "B4": (1.4, 1.8, 380, 0.4), "B5": (1.6, 2.2, 456, 0.4),
    "B6": (1.8, 2.6, 528, 0.5), "B7": (2.0, 3.1, 600, 0.5),
}


def round_channels(channels: float, divisor: int = 8) -> int:
    """Return the nearest multiple of `divisor` that is not below 90 % of `channels`."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def scaled(stages: list[Stage], width: float, depth: float) -> list[Stage]:
    """Return the stages with widths multiplied and rounded, blocks multiplied and raised."""
    return [
        stage._replace(width=round_channels(width * stage.width), blocks=-int(-depth * stage.blocks // 1))
        for stage in stages
    ]


# %% tags=["export"]
def efficientnet(variant: str = "B0", num_classes: int = 1000) -> EfficientNet:
    """Return B0 to B7 for images (N, 3, H, H); H is the third number of FAMILY."""
    if variant not in FAMILY:
        raise ValueError(f"variant is {variant!r}: expected one of {', '.join(FAMILY)}")
    width, depth, _, dropout = FAMILY[variant]
    stages, stem = scaled(STAGES, width, depth), round_channels(32 * width)
    style = Style(epsilon=1e-3 if variant in ("B5", "B6", "B7") else 1e-5)
    return EfficientNet(stages, stem, 4 * stages[-1].width, num_classes, style=style, dropout=dropout)


def efficientnet_lite0(num_classes: int = 1000) -> EfficientNet:
    """Return B0 with ReLU6, TensorFlow's padding and without squeeze-and-excite."""
    return EfficientNet(STAGES, 32, 1280, num_classes, style=LITE)
