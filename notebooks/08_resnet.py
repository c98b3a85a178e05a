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
#
# Let each block add to what it receives instead of replacing it, and a network of 152 layers trains
# as readily as one of 18.
#
# | paper | year | parameters | MACs at 224×224 | published error | this notebook |
# |---|---|---|---|---|---|
# | He, Zhang, Ren, Sun [1] | 2015 | 25,557,032 (ResNet-50) | 3,857,973,248; with the stride of today's libraries 4,089,184,256 | top-1 22.85 %, top-5 6.71 % (ILSVRC-2012 validation, ten crops) | 2 minutes on two CPU cores |

# %%
import csv

import matplotlib.pyplot as plt

from course_lib import data, flops, results
from course_lib.train import Recipe, evaluate, fit

plt.style.use("course_lib.course")

# %% [markdown]
# ## Where we stand
#
# VGG grew from 11 to 19 weight layers, GoogLeNet has 22, and depth paid each time. Batch normalisation [2] keeps the
# activations at variance 1 however many layers follow. So why not 56? Below: the training error of networks of
# 3×3 convolutions, 20 and 56 layers deep, on all 50,000 training images of CIFAR-10
# (`python experiments/degradation.py`; one seed, four epochs).

# %%
with open(results.RESULTS / "08_resnet-degradation.csv", encoding="utf-8") as file:
    record = [row for row in csv.DictReader(file) if row["epochs"] == "4"]


def draw_errors(ax, network: str, column: str = "train_error") -> None:
    """Draw the error (%) of one kind of network by epoch, a line a depth."""
    runs = [row for row in record if row["network"] == network]
    for number, depth in enumerate(sorted({row["depth"] for row in runs})):
        error = [100 * float(row[column]) for row in runs if row["depth"] == depth]
        line = ".-" if column == "train_error" else ".:"
        ax.plot(range(1, len(error) + 1), error, line, color=f"C{number}")
        if column == "train_error":
            end, side = (len(error), error[-1]), ("top", "bottom")[number]
            ax.annotate(f" {depth} layers", end, color=f"C{number}", va=side)
    ax.set(xlabel="epoch", xticks=range(1, 5), xlim=(0.8, 5.8), title=network)


figure, ax = plt.subplots(figsize=(4.2, 2))
draw_errors(ax, "plain")
ax.set(ylabel="training error (%)", ylim=(0, 100))
plt.show()

# %% [markdown]
# The deeper network is worse on the very images that it trains on: this is not overfitting. Nor is it a matter of what it
# could do: take the 20 layers, let the other 36 pass their input on, and it equals the shallow one. Gradient descent
# does not find this solution. The paper calls it **degradation**. (Four epochs alone could show a slow start; in
# the paper's 164 the gap is smaller, and stays: Figure 6, left.)
#
# ## Idea
#
# If passing on is hard to learn, make it the default. A block computes what is to be *added* to its input:
#
# $$x_{l+1} = \mathrm{ReLU}\big(x_l + \mathcal F(x_l, W_l)\big), \qquad x_l \text{ and } \mathcal F: (N, C, H, W)$$
#
# To pass $x_l$ on, $\mathcal F$ has to be 0, and weights of 0 are where weight decay pulls anyway. And the gradient of the loss
# $\mathcal E$? Leave the ReLU out, as section 2 of [3] does; then from any block $l$ to any later $L$:
#
# $$x_L = x_l + \sum_{i=l}^{L-1} \mathcal F(x_i, W_i), \qquad \frac{\partial \mathcal E}{\partial x_l} = \frac{\partial \mathcal E}{\partial x_L}\left(1 + \frac{\partial}{\partial x_l} \sum_{i=l}^{L-1} \mathcal F(x_i, W_i)\right)$$
#
# A plain network has a product of $L - l$ Jacobians in the bracket; here stands a 1 plus something, at any depth. What do such
# blocks look like? Input on top; a plain block is one whose wire is cut.

# %%
COLORS = {"conv": "#9ecae1", "BN": "#c7e9c0", "ReLU": "#fdd0a2", "+": "white"}


def draw(ax, title: str, residual: list, after: list = (), wire: bool = True) -> None:
    """Draw a block from top to bottom, the shortcut beside it."""
    boxes, end = [*residual, *(["+"] if wire else []), *after], -len(residual)
    ax.plot([0, 0], [0.8, -len(boxes) + 0.2], color="0.5", zorder=0)
    for row, word in enumerate(boxes):
        box = {"boxstyle": "round", "fc": COLORS[word.split()[0]], "ec": "0.5"}
        ax.text(0, -row, word, ha="center", va="center", bbox=box, fontsize=7)
    if wire:
        ax.plot([0, 1, 1, 0], [0.6, 0.6, end, end], color="k", lw=1.5, zorder=0)
    ax.set(xlim=(-1, 1.2), ylim=(-9.8, 1), title=title)
    ax.set_axis_off()


basic = ["conv 3×3, 64", "BN", "ReLU", "conv 3×3, 64", "BN"]
deep = ["conv 1×1, 64", "BN", "ReLU", *basic[:3], "conv 1×1, 256", "BN"]
figure, axes = plt.subplots(1, 3, figsize=(6.4, 2.7))
draw(axes[0], "plain", basic, ["ReLU"], wire=False)
draw(axes[1], "basic block", basic, ["ReLU"])
draw(axes[2], "bottleneck", deep, ["ReLU"])

# %% [markdown]
# ## Shortcuts and blocks
#
# Up to 34 layers a block has two 3×3 convolutions; from 50 on three, of which only the narrow one is 3×3. At 256
# channels two 3×3 have 1,179,648 weights, the bottleneck 69,632.
#
# A sum needs two tensors of one shape, but where a stage begins, H and W halve and the channels double. Section 4.1 of
# the paper tries three ways around: **A**, every second pixel, and zeros for the new channels: no parameters; **B**, a 1×1
# convolution there and the identity elsewhere; **C**, a 1×1 convolution everywhere.

# %% tags=["export"]
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv_bn(channels: int, width: int, kernel_size: int, stride: int = 1):
    """Convolution that keeps H and W (up to the stride); BatchNorm holds its bias."""
    shape = channels, width, kernel_size, stride, kernel_size // 2
    return nn.Sequential(nn.Conv2d(*shape, bias=False), nn.BatchNorm2d(width))


class PadShortcut(nn.Module):
    """Option A: every `stride`-th pixel, and zeros for the new channels."""

    def __init__(self, added: int, stride: int):
        super().__init__()
        self.added, self.stride = added, stride

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.added))


# %% tags=["export"]
class Cut(nn.Module):
    """No shortcut: 0, whatever comes in."""

    def forward(self, x: Tensor) -> float:
        return 0.0


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


# %% tags=["check"]
from course_lib import check

x = torch.randn(2, 64, 7, 9)  # odd sides: a stride of 2 leaves 4 and 5
padded = shortcut(64, 128, 2, "A")(x)
check.close(padded[:, :64], x[:, :, ::2, ::2], what="the channels that were there")
check.close(padded[:, 64:], torch.zeros(2, 64, 4, 5), what="the new channels")
assert shortcut(64, 64, 1, "A")(x) is shortcut(64, 64, 1, "B")(x) is x
projection = 64 * 128 + 2 * 128  # weights, gammas and betas
for option, params in {"none": 0, "A": 0, "B": projection, "C": projection}.items():
    check.params(shortcut(64, 128, 2, option), params)
check.params(shortcut(64, 64, 1, "C"), 64 * 64 + 2 * 64)

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

    stride_on: kernel size of the convolution that strides: 1 in the paper, 3 in
    today's libraries.
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


# %% tags=["check"]
for block in (BasicBlock(64, 128, 2), Bottleneck(64, 128, 2, stride_on=1)):
    check.shape(block, (2, 64, 7, 9), (2, 128, 4, 5))
    check.gradients(block, (2, 64, 7, 9))
check.params(BasicBlock(256, 256), 1_179_648 + 2 * (256 + 256))  # γ and β of each norm
check.params(Bottleneck(256, 256), 69_632 + 2 * (64 + 64 + 256))

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


# %% tags=["export"]
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


# %% [markdown]
# ## Against the paper
#
# Three checks: the parameters of all five depths; the same logits as torchvision's, 18 in eval and 50 in train mode
# (`check.matches` re-draws the weights, hands them over, compares in float64; the tests do all five in both); and Table 1 of
# the paper, rebuilt from the networks. What the paper calls FLOPs are MACs.
#
# Two choices move the numbers: the shortcut, and which convolution of a bottleneck strides. If it is the
# 1×1, as in the paper, it skips three of four pixels; if the 3×3, every pixel is read, for 6 % more work at 50 layers. What does each cost?

# %% tags=["check"]
import torchvision

with torch.device("meta"):
    params = 11_689_512, 21_797_672, 25_557_032, 44_549_160, 60_192_808
    for depth, expected in zip(TABLE_1, params, strict=True):
        check.params(resnet(depth), expected)
    check.params(plain(34), 21_623_848)
images = torch.randn(4, 3, 33, 35)
for depth, train in ((18, False), (50, True)):
    reference = getattr(torchvision.models, f"resnet{depth}")()
    assert check.matches(resnet(depth), reference, images, train=train).error < 1e-9

# %%
def paper(depth: int) -> flops.Cost:
    """Count the network as the paper built it: option A, or the stride on the 1×1."""
    with torch.device("meta"):
        net = resnet(depth, option="A") if depth < 50 else resnet(depth, stride_on=1)
        return flops.count(net, (1, 3, 224, 224))


def widths(depth: int, stage: int) -> str:
    with torch.device("meta"):
        layers = resnet(depth).stages[stage][1].residual.modules()
    convs = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    return "  ".join(f"{c.kernel_size[0]}×{c.kernel_size[1]},{c.out_channels}" for c in convs)


costs = {depth: paper(depth) for depth in TABLE_1}
outputs = {layer.name: layer.output_shape[-2:] for layer in costs[50].layers}
print(f"stage    output   {'block':18}18  34   {'block':27}50 101 152")
for stage in range(4):
    side = outputs[f"stages.{stage}.0.residual.4.1"][0]
    counts = [f"{row.blocks[stage]:4}" for row in TABLE_1.values()]
    row = f"conv{stage + 2}_x  {side:>3}×{side:<3}  {widths(18, stage):16}"
    print(row + "".join(counts[:2]) + f"   {widths(50, stage):25}" + "".join(counts[2:]))
print("G MACs, computed:", *(f"{cost.macs / 1e9:.3f}" for cost in costs.values()))
print("G MACs, printed: ", *("1.8  ", "3.6  ", "3.8  ", "7.6  ", "11.3"))

# %%
def line(name: str, published: str, **choice) -> None:
    with torch.device("meta"):
        cost = flops.count(resnet(**choice), (1, 3, 224, 224))
    print(f"{name:24}{cost.params:12,}{cost.macs / 1e9:8.3f} G   {published}".rstrip())


print(f"{'ResNet':24}{'parameters':>12}{'MACs':>10}   top-1 error of the paper (ten crops)")
for option, error in {"none": "28.54", "A": "25.03", "B": "24.52", "C": "24.19"}.items():
    name = "34, plain" if option == "none" else f"34, option {option}"
    line(name, f"{error} %", depth=34, option=option)
for depth, error in {50: "22.85", 101: "21.75", 152: "21.43"}.items():
    line(f"{depth}, stride on 1×1", f"{error} %", depth=depth, stride_on=1)
    line(f"{depth}, stride on 3×3", "", depth=depth)

# %% [markdown]
# 3.858 is printed as 3.8; the others are the computed number, rounded. Of the errors the cut wire costs 3.5 points, the choice
# of the shortcut less than one. 152 layers of bottlenecks do less work than VGG-16 (15.5 G MACs).
#
# ## The CIFAR family
#
# For 32×32 pixels section 4.2 takes a 3×3 stem without pooling and three stages of n basic blocks, 16, 32 and 64 wide: 6n + 2
# layers. All shortcuts are of option A, so plain and residual networks have the very same parameters: what
# differs is one addition a block.

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


# %% tags=["check"]
from course_lib.data import batches, load

TABLE_6 = {20: 0.27, 32: 0.46, 44: 0.66, 56: 0.85, 110: 1.7}  # millions of parameters
for depth, millions in TABLE_6.items():
    found = sum(p.numel() for p in resnet_small(depth).parameters())
    assert abs(found / 1e6 - millions) < (0.05 if depth == 110 else 0.005)
    check.params(plain_small(depth), found)
check.params(resnet_small(), 269_722)
check.macs(resnet_small(), (1, 3, 32, 32), 40_551_040)
torch.manual_seed(0)
batch, labels = next(batches(load("digits", size=8, channels=3), 128))
check.learns(resnet_small(), batch[:16], labels[:16])

# %% tags=["export"]
VARIANTS = {"resnet": tuple(TABLE_1), "plain": tuple(TABLE_1), "preact_resnet": tuple(TABLE_1),
            "resnet_small": (20, 32, 44, 56, 110), "plain_small": (20, 32, 44, 56, 110)}
RECIPES = {  # keyword arguments of course_lib.train.Recipe
    "digits": {"epochs": 5, "batch_size": 64, "learning_rate": 0.05, "warmup_epochs": 0.5,
               "weight_decay": 1e-4, "channels_last": True},
    "cifar10": {"epochs": 4, "batch_size": 128, "learning_rate": 0.1,
                "weight_decay": 1e-4, "schedule": "steps", "warmup_epochs": 0.25,
                "flip": True, "crop_padding": 4, "precision": "bfloat16",
                "channels_last": True},
}

# %% [markdown]
# ## Training: degradation, here and now
#
# The four networks on 1,429 digits of 8×8 pixels, their own resolution: five epochs, in all about half a minute. Expected:
# 20 layers learn the digits with and without shortcuts; of the two with 56, only the residual one does (one seed).

# %% tags=["nbval-ignore-output"]
train, val = (load("digits", part, size=8, channels=3) for part in ("train", "val"))
recipe = Recipe(**RECIPES["digits"])
trained, histories = {}, {}
for build, kind in ((plain_small, "plain"), (resnet_small, "residual")):
    for depth in (20, 56):
        torch.manual_seed(0)
        name = f"{kind}-{depth}"
        trained[name] = build(depth)
        histories[name] = fit(trained[name], train, val, recipe, quiet=True)
        last = histories[name][-1]
        print(f"{name}: training error {1 - last.train_top1:.1%}, val top-1 {last.val_top1:.1%}")
assert histories["plain-56"][-1].train_top1 < histories["residual-56"][-1].train_top1
figure, axes = plt.subplots(1, 3, figsize=(6.4, 2.3), sharey=True)
for name, history in histories.items():
    error = [100 - 100 * top1 for top1 in history.column("train_top1")]
    style = ("C0" if "20" in name else "C1") + ("--" if "plain" in name else "-")
    axes[0].plot(history.column("epoch"), error, style, label=name)
axes[0].set(xlabel="epoch", ylabel="training error (%)", title="digits, 8×8", ylim=(0, 100))
axes[0].legend(fontsize=6)
for ax, network in zip(axes[1:], ("plain", "resnet"), strict=True):
    draw_errors(ax, network)
    draw_errors(ax, network, "test_error")
    ax.set_title(f"CIFAR-10, {network}")
plt.show()

# %% [markdown]
# Middle and right, the record on CIFAR-10 (dotted: test error). 36 more layers raise the training error of the plain network
# from 35.8 to 64.4 %, and that of the residual one from 26.9 to 27.6 %. So the harm is gone, and at equal depth the shortcut
# alone is worth 9 points; four epochs are too few to see depth *pay*. In the paper's 164 it does: 8.75 %
# test error with 20 layers, 6.97 % with 56 (Table 6; `--epochs 164` repeats it on a GPU).
#
# ## The gradient on its way back
#
# Why does the plain network fail? Batch normalisation keeps the *forward* signal at variance 1. Take networks as they are
# initialised, one batch of 128 digits, and measure the norm of the loss's gradient at the output of every block.

# %%
def gradient_norms(net: ResNet) -> list[float]:
    """Return |∂E/∂x| at the output x of each block, first to last."""
    maps = []

    def keep(block, args, output):
        output.retain_grad()
        maps.append(output)

    for stage in net.stages:
        for block in stage:
            block.register_forward_hook(keep)
    F.cross_entropy(net.train()(batch), labels).backward()
    return [x.grad.norm().item() for x in maps]


# %%
figure, axes = plt.subplots(1, 2, figsize=(6.4, 2.3), sharey=True)
for ax, build in zip(axes, (plain_small, resnet_small), strict=True):
    for depth in (20, 56, 110):
        torch.manual_seed(0)
        norms = gradient_norms(build(depth))
        ax.semilogy(range(1, len(norms) + 1), norms, label=f"{depth} layers")
    ax.set(xlabel="block, first to last", title=build.__name__.removesuffix("_small"))
axes[0].set_ylabel("norm of the gradient")
axes[0].legend()
plt.show()

# %% [markdown]
# It does not vanish, it explodes: on its way to the input it grows by a factor of millions through 110 plain layers, and of less
# than a hundred through as many residual ones. Batch normalisation itself is the cause, as mean-field theory
# found [4]: it undoes the damping of each ReLU on the way forward, and so amplifies on the way back. One
# learning rate has to serve a first and a last layer whose gradients differ by six orders of magnitude. (The
# paper reports "healthy norms" for its plain networks and leaves the reason of degradation open. Ours are norms at the start, of one batch.)
#
# ## Five forms of a block
#
# With a ReLU after the addition the highway is not clean: nothing negative passes. What belongs before, what after the
# sum? [3] compares five orders of the same layers (its Figure 4). As a table, from which the networks follow.
#
# Which learns fastest? Below, left: here, 56 layers, three epochs on the digits, one seed; right: the record of
# `python experiments/residual_forms.py`, five epochs, three seeds.

# %% tags=["export"]
class Form(NamedTuple):
    """The layers, in words; a convolution is 3×3."""

    stem: str  # after the first convolution
    residual: str
    after: str  # after the addition: on the highway
    end: str  # after the last block


FORMS = {  # Figure 4 of arXiv:1603.05027, a to e
    "original": Form("BN ReLU", "conv BN ReLU conv BN", "ReLU", ""),
    "BN after addition": Form("BN ReLU", "conv BN ReLU conv", "BN ReLU", ""),
    "ReLU before addition": Form("BN ReLU", "conv BN ReLU conv BN ReLU", "", ""),
    "ReLU-only pre-activation": Form("BN", "ReLU conv BN ReLU conv BN", "", "ReLU"),
    "full pre-activation": Form("", "BN ReLU conv BN ReLU conv", "", "BN ReLU"),
}


def layers(words: str, channels: int, width: int, stride: int = 1) -> list[nn.Module]:
    """Return the layers that `words` name; the first convolution changes the shape."""
    made = []
    for word in words.split():
        if word == "conv":
            made.append(nn.Conv2d(channels, width, 3, stride, 1, bias=False))
            channels, stride = width, 1
        else:
            made.append(nn.BatchNorm2d(channels) if word == "BN" else nn.ReLU())
    return made


# %% tags=["export"]
class FormBlock(nn.Module):
    """A basic block of any form, with option A."""

    def __init__(self, channels, width, stride, form: Form):
        super().__init__()
        self.residual = nn.Sequential(*layers(form.residual, channels, width, stride))
        self.shortcut = shortcut(channels, width, stride, "A")
        self.after = nn.Sequential(*layers(form.after, width, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.shortcut(x) + self.residual(x))


def form_small(form: str = "full pre-activation", depth: int = 20, num_classes: int = 10):
    """Return a network of the CIFAR family whose blocks have one of the five FORMS."""
    row = FORMS[form]

    def block(*shape: int) -> nn.Module:
        return FormBlock(*shape, form=row)

    stem = nn.Sequential(*layers(f"conv {row.stem}", 3, 16))
    blocks, end = [(depth - 2) // 6] * 3, layers(row.end, 64, 64)
    return ResNet(stem, 16, block, (16, 32, 64), blocks, num_classes, end)


# %% tags=["check"]
images = torch.randn(4, 3, 8, 8)
check.matches(form_small("original"), resnet_small(), images, train=True)
for form in FORMS:
    check.gradients(form_small(form, depth=8), (4, 3, 8, 8))

# %%
figure, axes = plt.subplots(1, 5, figsize=(6.4, 2.2))
for ax, (name, form) in zip(axes, FORMS.items(), strict=True):
    draw(ax, name.replace(" ", "\n", 1), form.residual.split(), form.after.split())
    ax.title.set_fontsize(7)
    ax.set_ylim(-8, 1)

# %% tags=["nbval-ignore-output"]
raced = {}
for form in FORMS:
    torch.manual_seed(0)
    short = Recipe(**RECIPES["digits"] | {"epochs": 3})
    raced[form] = fit(form_small(form, depth=56), train, None, short, quiet=True)
    print(f"{form}: training error {1 - raced[form][-1].train_top1:.1%}")

with open(results.RESULTS / "08_resnet-forms.csv", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 2.1), sharey=True)
for number, (form, history) in enumerate(raced.items()):
    losses = [float(row["train_loss"]) for row in rows if row["form"] == form]
    left.semilogx(history[-1].train_loss, number, f"C{number}o")
    right.semilogx(losses, [number] * len(losses), f"C{number}o")
left.set_yticks(range(5), FORMS)
left.set(xlabel="training loss (nats)", title="here, one seed", xlim=(0.005, 5))
right.set(xlabel="training loss (nats)", title="record, three seeds", xlim=(0.005, 5))
left.invert_yaxis()
plt.show()

# %% [markdown]
# Two forms hardly learn. With a norm after the addition the highway is rescaled at every block; with a ReLU at the end of
# the branch nothing negative can be added, so the signal only grows. The other three learn, and which of them is
# best three seeds and five epochs do not tell. The paper's test errors (Table 2 of [3], ResNet-110 on CIFAR-10, trained to the end) are 6.61,
# 8.17, 7.84, 6.71 and 6.37 % in this order: the same two behind, and full pre-activation, which
# leaves the highway alone and normalises what every convolution reads, ahead.
#
# ## Pre-activation, full size
#
# Full pre-activation, as bottlenecks: the form of the authors' networks of 200 and 1001 layers. Where the shape changes, the projection sees the activated input, as in the authors' code;
# the network ends with a norm and a ReLU, since nothing after the last sum would activate it. torchvision has no such
# network; the tests hold ours against timm's `resnetv2_50`.

# %% tags=["export"]
class PreactBlock(nn.Module):
    """BatchNorm and ReLU before each convolution, nothing after the addition.

    kernels: (3, 3), or (1, 3, 1) with a quarter of the width inside. The 3×3 strides.
    """

    def __init__(self, channels, width, stride=1, kernels=(1, 3, 1)):
        super().__init__()
        inside = width // 4 if len(kernels) == 3 else width
        widths = [channels, *[inside] * (len(kernels) - 1), width]
        strides = [1, stride, 1] if len(kernels) == 3 else [stride, 1]
        self.activate = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
        made = []
        rows = zip(kernels, strides, widths, widths[1:], strict=False)
        for kernel, step, before, after in rows:
            made += [nn.BatchNorm2d(before), nn.ReLU()] if made else []
            made.append(nn.Conv2d(before, after, kernel, step, kernel // 2, bias=False))
        self.residual = nn.Sequential(*made)
        self.projection = None
        if stride != 1 or channels != width:
            self.projection = nn.Conv2d(channels, width, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        activated = self.activate(x)
        way = self.projection(activated) if self.projection else x
        return way + self.residual(activated)


# %% tags=["export"]
def preact_resnet(depth: int = 50, num_classes: int = 1000) -> ResNet:
    """Return the pre-activation network, with the depths and widths of Table 1.

    Source: arXiv:1603.05027; the stride is on the 3×3. 25,549,352 parameters at 50.
    """
    kind, blocks = TABLE_1[depth]
    kernels = (3, 3) if kind is BasicBlock else (1, 3, 1)

    def block(*shape: int) -> nn.Module:
        return PreactBlock(*shape, kernels=kernels)

    pool = nn.MaxPool2d(3, stride=2, padding=1)
    stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), pool)
    end = nn.BatchNorm2d(WIDTHS[kind][-1]), nn.ReLU()
    return ResNet(stem, 64, block, WIDTHS[kind], blocks, num_classes, end)


# %% tags=["check"]
with torch.device("meta"):
    for depth, params in {50: 25_549_352, 101: 44_541_480, 152: 60_185_128}.items():
        check.params(preact_resnet(depth), params)
    check.macs(preact_resnet(50), (1, 3, 224, 224), 4_089_184_256)

# %% [markdown]
# ## Looking inside: the loss around a solution, and blocks taken out
#
# How does the loss look from where training ended? Li et al. [5] walk from the weights $\theta$ along two random directions,
# $\mathcal E(\theta + a\,\delta + b\,\eta)$. As a ReLU network with batch normalisation does not notice the length of a filter,
# a fixed step would be long for a short filter and short for a long one; so every filter of $\delta$ gets the norm of its
# filter in $\theta$. Here: the digits' networks of above, 185 validation images.
#
# And what does a single block matter? If a residual block only adds, the network should survive without any one of
# them; a plain network, whose layers each replace their input, should not [6]. Replace one block by the
# identity, where the shape permits, and measure again.

# %%
def direction(net: nn.Module, seed: int) -> dict[str, Tensor]:
    """Return a random direction, each filter as long as the one it belongs to."""
    generator, found = torch.Generator().manual_seed(seed), {}
    for name, weight in net.named_parameters():
        if weight.ndim > 1:  # biases and norms stay where they are
            step = torch.randn(weight.shape, generator=generator).flatten(1)
            step *= weight.flatten(1).norm(dim=1, keepdim=True) / step.norm(dim=1, keepdim=True)
            found[name] = step.view_as(weight)
    return found


@torch.inference_mode()
def surface(net: nn.Module, images: data.Images, sides: Tensor) -> Tensor:
    """Return the loss (nats) at every pair of steps, (sides, sides)."""
    pixels, labels = next(batches(images, len(images)))
    first, second = direction(net, 1), direction(net, 2)
    weights, losses = dict(net.named_parameters()), torch.empty(len(sides), len(sides))
    for i, a in enumerate(sides):
        for j, b in enumerate(sides):
            moved = {n: weights[n] + a * first[n] + b * second[n] for n in first}
            logits = torch.func.functional_call(net.eval(), moved, (pixels,))
            losses[i, j] = F.cross_entropy(logits, labels)
    return losses


# %% tags=["nbval-ignore-output"]
sides = torch.linspace(-1, 1, 9)
figure, axes = plt.subplots(1, 3, figsize=(6.4, 2.3), sharey=True)
for ax, name in zip(axes, ("plain-20", "plain-56", "residual-56"), strict=True):
    losses = surface(trained[name], val, sides)
    print(name, f"{losses[4, 4]:.3f} nats at the centre, median {losses.median():.2f}")
    drawn = ax.contourf(sides, sides, losses.T.clamp(0.03, 30).log10(), torch.linspace(-1.5, 1.5, 13))
    ax.set(title=name, xlabel="a", aspect="equal")
axes[0].set_ylabel("b")
figure.colorbar(drawn, ax=axes, label="log₁₀ of the loss (nats)", shrink=0.8)
plt.show()

# %%
def without_each(net: ResNet) -> list[float]:
    """Return top-1 (%) without each block that keeps the shape, first to last."""
    top1 = []
    for stage_number, stage in enumerate(net.stages):
        for number, block in enumerate(stage):
            if number or not stage_number:
                stage[number] = nn.Identity()
                top1.append(100 * evaluate(net, val).top1)
                stage[number] = block
    return top1


# %% tags=["nbval-ignore-output"]
figure, ax = plt.subplots(figsize=(5.6, 2.2))
for name in ("plain-20", "residual-20", "residual-56"):
    whole, top1 = 100 * evaluate(trained[name], val).top1, without_each(trained[name])
    places = torch.linspace(0, 1, len(top1))
    ax.plot(places, top1, ".-", label=f"{name}, whole {whole:.0f} %")
ax.set(xlabel="place of the missing block, 0 the first, 1 the last", ylim=(0, 102))
ax.set_ylabel("validation top-1 (%)")
ax.legend()
plt.show()

# %% [markdown]
# **The surface.** With shortcuts 56 layers have a basin as wide and as round as 20 layers without; plain-56 stands on a small
# plateau at the loss of guessing, $\log 10 = 2.3$, among walls of thousands of nats: from there no direction looks promising.
# (Li et al. train on CIFAR-10 to the end and see the same order, their plain-56 chaotic.)
#
# **The missing block.** Plain-20 falls below one half without any one of its blocks. Residual-56 loses little, most of it at
# the first few, on which all others build; residual-20 needs its first. They behave less like a chain than like
# a vote of many shallower networks.
#
# ## Questions
#
# **1.** ResNet-34 has 3, 4, 6 and 3 basic blocks. Which layers make 34, and how many has ResNet-152?
# <details><summary>Answer</summary>
# 2 · (3 + 4 + 6 + 3) = 32 convolutions in the blocks, conv1 and the linear layer. 3 · (3 + 8 + 36 + 3) + 2 = 152. The 1×1
# shortcuts do not count.
# </details>
#
# **2.** Why has no convolution here a bias?
# <details><summary>Answer</summary>
# Batch normalisation follows and subtracts the mean of each channel, and with it any bias; its β takes the bias's place. In
# the pre-activation block the last convolution has no norm after it; there the next block's norm does it.
# </details>
#
# **3.** In the original form the input of every block is never negative. What can a block then not do, and in which form may it?
# <details><summary>Answer</summary>
# Its sum may be lowered only to 0: after the ReLU the highway carries no sign. In the "ReLU before addition" form F is never
# negative, so that the signal can only grow from block to block. Pre-activation restricts neither.
# </details>
#
# **4.** With plain networks the gradient explodes. Would gradient clipping cure degradation?
# <details><summary>Answer</summary>
# Hardly: it scales all layers' gradients by one factor, and their ratio, millions at 110 layers, remains. Try
# `clip_norm=1` in the recipe.
# </details>
#
# **5.** (open) Train plain-56 until it equals plain-20, by any learning rate, schedule or start you like. What did it take?
# <details><summary>A start</summary>
# A start at which the blocks pass their input on, such as Dirac kernels (`nn.init.dirac_`); or many more epochs at a small
# learning rate.
# </details>
#
# ## References
#
# 1. K. He, X. Zhang, S. Ren, J. Sun, *Deep Residual Learning for Image Recognition*, arXiv:1512.03385, 2015: the networks;
#    sections, figures and tables named here are its, unless another is named.
# 2. S. Ioffe, C. Szegedy, *Batch Normalization*, arXiv:1502.03167, 2015.
# 3. K. He, X. Zhang, S. Ren, J. Sun, *Identity Mappings in Deep Residual Networks*, arXiv:1603.05027, 2016: the five forms.
# 4. G. Yang et al., *A Mean Field Theory of Batch Normalization*, arXiv:1902.08129, 2019: why the gradient explodes.
# 5. H. Li et al., *Visualizing the Loss Landscape of Neural Nets*, arXiv:1712.09913, 2017: filter-normalised directions.
# 6. A. Veit, M. Wilber, S. Belongie, *Residual Networks Behave Like Ensembles of Relatively Shallow Networks*,
#    arXiv:1605.06431, 2016: taking a block out.
