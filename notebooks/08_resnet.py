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

# %% [markdown]
# # 08 · ResNet

# %% tags=["export"]
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv_bn(channels: int, width: int, kernel_size: int, stride: int = 1):
    """Convolution that keeps H and W (up to the stride); BatchNorm holds its bias."""
    shape = channels, width, kernel_size, stride, kernel_size // 2
    return nn.Sequential(nn.Conv2d(*shape, bias=False), nn.BatchNorm2d(width))


# %% tags=["export"]
class PadShortcut(nn.Module):
    """Option A: every `stride`-th pixel, and zeros for the new channels."""

    def __init__(self, added: int, stride: int):
        super().__init__()
        self.added, self.stride = added, stride

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.added))


class Cut(nn.Module):
    """No shortcut: 0, whatever comes in."""

    def forward(self, x: Tensor) -> float:
        return 0.0


# %% tags=["export"]
def shortcut(channels: int, width: int, stride: int, option: str) -> nn.Module:
    """Return the way around a block, (N, channels, H, W) to (N, width, H/s, W/s).

    option: "A" pads with zeros, "B" projects where the shape changes, "C" projects
    everywhere, "none" cuts. Source: section 4.1 of arXiv:1512.03385, Table 3.
    """
    if option == "none":
        return Cut()
    if option == "C" or (option == "B" and (stride != 1 or channels != width)):
        return conv_bn(channels, width, 1, stride)
    if option == "A" and (stride != 1 or channels != width):
        return PadShortcut(width - channels, stride)
    return nn.Identity()


# %% tags=["export"]
class BasicBlock(nn.Module):
    """Two 3×3 convolutions and the way around them: Figure 5, left."""

    def __init__(self, channels, width, stride=1, option="B"):
        super().__init__()
        self.residual = nn.Sequential(
            conv_bn(channels, width, 3, stride), nn.ReLU(), conv_bn(width, width, 3)
        )
        self.shortcut = shortcut(channels, width, stride, option)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.shortcut(x) + self.residual(x))


# %% tags=["export"]
class Bottleneck(nn.Module):
    """1×1 to a quarter of the width, 3×3 there, 1×1 back: Figure 5, right.

    stride_on: kernel size of the convolution that strides: 1 in the paper, 3 in every
    library since 2016.
    """

    def __init__(self, channels, width, stride=1, option="B", stride_on=3):
        super().__init__()
        narrow = width // 4
        first, second = (stride, 1) if stride_on == 1 else (1, stride)
        self.residual = nn.Sequential(
            conv_bn(channels, narrow, 1, first), nn.ReLU(),
            conv_bn(narrow, narrow, 3, second), nn.ReLU(),
            conv_bn(narrow, width, 1),
        )
        self.shortcut = shortcut(channels, width, stride, option)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.shortcut(x) + self.residual(x))


# %% tags=["export"]
class ResNet(nn.Module):
    """Map images (N, 3, H, W) to logits (N, num_classes).

    block: called with channels, width and stride. widths and blocks: one of each a
    stage; the first block of every stage but the first halves H and W.
    end: layers between the last block and the average over H and W.
    """

    def __init__(self, stem, channels, block, widths, blocks, num_classes, end=()):
        super().__init__()
        self.stem, stages = stem, []
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            rows = [block(channels, width, 2 if stage else 1)]
            rows += [block(width, width, 1) for _ in range(count - 1)]
            stages.append(nn.Sequential(*rows))
            channels = width
        self.stages = nn.Sequential(*stages)
        pool = *end, nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.head = nn.Sequential(*pool, nn.Linear(channels, num_classes))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(images)))


# %% tags=["export"]
class Row(NamedTuple):
    block: type
    blocks: tuple[int, ...]  # in conv2_x to conv5_x


WIDTHS = {BasicBlock: (64, 128, 256, 512), Bottleneck: (256, 512, 1024, 2048)}
TABLE_1 = {  # of arXiv:1512.03385, by depth
    18: Row(BasicBlock, (2, 2, 2, 2)),
    34: Row(BasicBlock, (3, 4, 6, 3)),
    50: Row(Bottleneck, (3, 4, 6, 3)),
    101: Row(Bottleneck, (3, 4, 23, 3)),
    152: Row(Bottleneck, (3, 8, 36, 3)),
}


def resnet(depth: int = 50, num_classes: int = 1000, option: str = "B", **more):
    """Return the network of Table 1 for images (N, 3, 224, 224).

    depth: 18, 34, 50, 101 or 152. option: of the shortcuts, see `shortcut`.
    more: `stride_on` of the bottlenecks.
    """
    kind, blocks = TABLE_1[depth]

    def block(*shape: int) -> nn.Module:
        return kind(*shape, option=option, **more)

    pool = nn.MaxPool2d(3, stride=2, padding=1)
    stem = nn.Sequential(conv_bn(3, 64, 7, stride=2), nn.ReLU(), pool)
    return ResNet(stem, 64, block, WIDTHS[kind], blocks, num_classes)


def plain(depth: int = 34, num_classes: int = 1000) -> ResNet:
    """Return the same network with every shortcut cut: the paper's baseline."""
    return resnet(depth, num_classes, option="none")


# %% tags=["export"]
def resnet_small(depth: int = 20, num_classes: int = 10, option: str = "A") -> ResNet:
    """Return a network of section 4.2 for images (N, 3, 32, 32).

    depth: 6n + 2 for n blocks a stage: 20, 32, 44, 56, 110; anything else is a
    ValueError. 269,722 parameters at 20.
    """
    if depth < 8 or depth % 6 != 2:
        raise ValueError(f"depth is {depth}: expected 6n + 2, such as 20 or 56")

    def block(*shape: int) -> nn.Module:
        return BasicBlock(*shape, option=option)

    stem = nn.Sequential(conv_bn(3, 16, 3), nn.ReLU())
    blocks = [(depth - 2) // 6] * 3
    return ResNet(stem, 16, block, (16, 32, 64), blocks, num_classes)


def plain_small(depth: int = 20, num_classes: int = 10) -> ResNet:
    """Return the same network with every shortcut cut."""
    return resnet_small(depth, num_classes, option="none")


# %% tags=["export"]
RECIPES = {  # keyword arguments of course_lib.train.Recipe
    "digits": {"epochs": 8, "batch_size": 64, "learning_rate": 0.05,
               "crop_padding": 2, "weight_decay": 1e-4, "channels_last": True},
    "cifar10": {"epochs": 4, "batch_size": 128, "learning_rate": 0.1,
                "weight_decay": 1e-4, "schedule": "steps", "warmup_epochs": 0.25,
                "flip": True, "crop_padding": 4, "precision": "bfloat16", "channels_last": True},
}
