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
# # 13 · EfficientNetV2
#
# Put full convolutions back where depthwise ones are slow, and let images and regularisation grow together. The aim is training
# time, not the number of multiplications.
#
# | | |
# |---|---|
# | paper | Tan and Le, *EfficientNetV2* [1] |
# | year | 2021 |
# | parameters | S 21,458,488; M 54,139,356; L 118,515,272 |
# | MACs | S 8,365,617,152 at 384×384 |
# | published top-1 | S 83.9 %, M 85.1 %, L 85.7 % (ILSVRC-2012 validation) |
# | time here | 1 to 2 minutes on two CPU cores |
#
# **You need** inverted residuals (unit 11) and what a depthwise layer costs in time (unit 10). A MAC is a multiply-accumulate.
#
# **You will be able to** say where a fused block pays, and build S, M and L from one table. You will train with growing images, and rank
# networks by a reward.

# %% tags=["check"]
import csv

import matplotlib.pyplot as plt
import torch

from course_lib import check, data, flops, notebook, page, plot, results
from course_lib.latency import milliseconds
from course_lib.train import Recipe, fit

# %% [markdown]
# ## Where we stand
#
# MobileNetV2's block (unit 11) is thin → wide → thin, with a depthwise layer where it is wide. It has few MACs. Where does it spend its
# *time*? One block of 24 channels on maps of 56×56 pixels, eight images, measured now:

# %% tags=["nbval-ignore-output"]
block = notebook.load("11_mobilenet_v2").InvertedResidual(24, 24).eval()
x, rows = torch.randn(8, 24, 56, 56), []
with torch.inference_mode():
    for name in ("expand", "filter", "project"):
        layer = getattr(block, name)
        rows.append((name, flops.count(layer, tuple(x.shape)).macs, milliseconds(layer, x)))
        x = layer(x)
macs, time = (sum(column) for column in list(zip(*rows, strict=True))[1:])
for name, m, t in rows:
    print(f"{name:8}{m / macs:5.0%} of the MACs,{t / time:4.0%} of the time")

# %% [markdown]
# The first two layers write the wide map. They have 58 % of the MACs, and a larger share of the time. Fewer MACs were the aim of units 10 to 12. Training
# time is what a large network costs its makers. What changes if *time* is the aim?
#
# ## Idea
#
# **Fused-MBConv.** Replace the first two layers of the block, the 1×1 that expands and the depthwise 3×3, by one full 3×3 that expands.
# For C to C channels, expansion t and maps of F×F pixels (squeeze-and-excite aside):
#
# $$\underbrace{F^2\, tC\,(C + 9 + C)}_{\text{MBConv}} \qquad\qquad \underbrace{F^2\, tC\,(9C + C)}_{\text{fused}}$$
#
# The ratio is $10\,C/(2C + 9)$: the fused block has 3.9 times the MACs at C = 16, and 4.9 times at C = 256. But these are MACs of a kind that
# processors do fast. Which wins?

# %% jupyter={"source_hidden": true} tags=["thumbnail"]
figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 2.8))
layers = ["conv 1×1, C → tC", "BN SiLU", "conv depthwise 3×3", "BN SiLU"]
excite = ["conv squeeze-and-excite", "conv 1×1, tC → C", "BN"]
plot.block(left, "MBConv", [*layers, *excite])
plot.block(right, "Fused-MBConv", ["conv full 3×3, C → tC", "BN SiLU", "conv 1×1, tC → C", "BN"])
plt.show()

# %% [markdown]
# ## Implementation
#
# Unit 12's network is made of MBConv, too. This unit builds its own, so that it stands alone. Three details of the authors' code matter
# for equal logits. Batch normalisation has ε = 0.001. The activation is SiLU ($x \cdot \mathrm{sigmoid}(x)$, also called swish). Squeeze-and-excite
# has a quarter of the block's *input* channels, not of the expanded ones.
#
# **Drop-path** is dropout for whole blocks: in training, a block's branch is left out for an image with probability p, so only the shortcut
# remains. The kept ones are divided by 1 − p, as in dropout. Block i of n has the probability 0.2·i/n.
#
# The networks S, M and L are one table below. (Table 4 of the paper has S.) They are fused in the first three stages and MBConv in the others.

# %% tags=["export"]
from typing import NamedTuple

import torch
from torch import Tensor, nn


def conv_bn(channels, width, kernel_size, stride=1, groups=1, activate=True):
    """Convolution, batch normalisation (epsilon 0.001) and, if `activate`, SiLU."""
    shape = channels, width, kernel_size, stride, kernel_size // 2
    conv = nn.Conv2d(*shape, groups=groups, bias=False)
    end = [nn.SiLU()] if activate else []
    return nn.Sequential(conv, nn.BatchNorm2d(width, eps=1e-3), *end)


class DropPath(nn.Module):
    """In train mode, replace each image's map by 0 with probability `p`, and scale the others."""

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        kept = torch.empty(len(x), 1, 1, 1, dtype=x.dtype, device=x.device)
        return x * kept.bernoulli_(1 - self.p).div_(1 - self.p)

# %% tags=["export"]
class SqueezeExcite(nn.Module):
    """Scale each channel by a number in (0, 1) that depends on the means of all of them."""

    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(2, 3), keepdim=True)
        return x * torch.sigmoid(self.excite(nn.functional.silu(self.squeeze(mean))))

# %% tags=["export"]
class Inverted(nn.Module):
    """Layers from C to `width` channels, and a shortcut where the shape stays."""

    def __init__(self, layers, keeps_shape: bool, drop: float):
        super().__init__()
        self.layers, self.keeps_shape = nn.Sequential(*layers), keeps_shape
        self.drop = DropPath(drop)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.drop(self.layers(x)) if self.keeps_shape else self.layers(x)


def mbconv(channels, width, stride=1, expansion=4, drop=0.0) -> Inverted:
    """Expand 1×1, filter depthwise 3×3, squeeze-and-excite, project 1×1."""
    hidden = expansion * channels
    expand = [conv_bn(channels, hidden, 1)] if expansion > 1 else []
    depthwise = conv_bn(hidden, hidden, 3, stride, groups=hidden)
    excite, project = SqueezeExcite(hidden, max(1, channels // 4)), conv_bn(hidden, width, 1, activate=False)
    layers = *expand, depthwise, excite, project
    return Inverted(layers, stride == 1 and channels == width, drop)


def fused_mbconv(channels, width, stride=1, expansion=4, drop=0.0) -> Inverted:
    """Expand by a full 3×3, project 1×1; with expansion 1 a 3×3 alone."""
    hidden = expansion * channels
    if expansion == 1:
        layers = [conv_bn(channels, width, 3, stride)]
    else:
        layers = [conv_bn(channels, hidden, 3, stride), conv_bn(hidden, width, 1, activate=False)]
    return Inverted(layers, stride == 1 and channels == width, drop)

# %% tags=["check"]
for build, macs in ((mbconv, 14 * 14 * 96 * (24 + 9 + 32)), (fused_mbconv, 14 * 14 * 96 * (9 * 24 + 32))):
    check.shape(build(8, 12, stride=2), (2, 8, 7, 9), (2, 12, 4, 5))
    check.gradients(build(8, 8), (2, 8, 7, 9))
    excite = 2 * 96 * 6 if build is mbconv else 0
    check.macs(build(24, 32), (1, 24, 14, 14), macs + excite)
x = torch.ones(10_000, 1, 2, 2)
dropped = DropPath(0.2).train()(x)
assert set(dropped.unique().tolist()) == {0.0, 1.25}
assert abs(dropped.mean() - 1) < 0.02
assert torch.equal(DropPath(0.2).eval()(x), x)
print("Both blocks cost what the formulas say; drop-path keeps the mean, and rests in eval mode.")

# %% tags=["export"]
class Stage(NamedTuple):
    """A line of Table 4 of arXiv:2104.00298."""

    block: str  # "fused" or "mb"
    expansion: int
    width: int
    blocks: int
    stride: int  # of the first block; the others keep the resolution


BLOCKS = {"fused": fused_mbconv, "mb": mbconv}
STAGES = {
    "S": [
        Stage("fused", 1, 24, 2, 1), Stage("fused", 4, 48, 4, 2), Stage("fused", 4, 64, 4, 2),
        Stage("mb", 4, 128, 6, 2), Stage("mb", 6, 160, 9, 1), Stage("mb", 6, 256, 15, 2),
    ],
    "M": [
        Stage("fused", 1, 24, 3, 1), Stage("fused", 4, 48, 5, 2), Stage("fused", 4, 80, 5, 2),
        Stage("mb", 4, 160, 7, 2), Stage("mb", 6, 176, 14, 1), Stage("mb", 6, 304, 18, 2),
        Stage("mb", 6, 512, 5, 1),
    ],
    "L": [
        Stage("fused", 1, 32, 4, 1), Stage("fused", 4, 64, 7, 2), Stage("fused", 4, 96, 7, 2),
        Stage("mb", 4, 192, 10, 2), Stage("mb", 6, 224, 19, 1), Stage("mb", 6, 384, 25, 2),
        Stage("mb", 6, 640, 7, 1),
    ],
}
DROPOUT = {"S": 0.2, "M": 0.3, "L": 0.4}

# %% tags=["export"]
class EfficientNetV2(nn.Module):
    """Map images (N, 3, H, W) to logits (N, num_classes).

    end: channels before the linear layer. stride: of the stem. drop: block i of n, from 0,
    has the drop-path probability drop·i/n.
    """

    def __init__(self, stages, end, num_classes, stride=2, dropout=0.2, drop=0.2):
        super().__init__()
        channels, total = stages[0].width, sum(stage.blocks for stage in stages)
        self.stem, blocks = conv_bn(3, channels, 3, stride), []
        for stage in stages:
            for step in [stage.stride] + [1] * (stage.blocks - 1):
                shape = channels, stage.width, step, stage.expansion
                blocks.append(BLOCKS[stage.block](*shape, drop * len(blocks) / total))
                channels = stage.width
        self.stages = nn.Sequential(*blocks)
        pool = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout)
        self.head = nn.Sequential(conv_bn(channels, end, 1), *pool, nn.Linear(end, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(images)))


def efficientnet_v2(variant: str = "S", num_classes: int = 1000) -> EfficientNetV2:
    """Return "S", "M" or "L" for images of 384, 480 or 480 pixels; else a ValueError."""
    if variant not in STAGES:
        raise ValueError(f"variant is {variant!r}: expected 'S', 'M' or 'L'")
    return EfficientNetV2(STAGES[variant], 1280, num_classes, dropout=DROPOUT[variant])

# %% [markdown]
# ## Against the paper
#
# Parameters and MACs first, at 384, 480 and 480 pixels. Then come the same logits as torchvision's network. `check.matches` gives both the same new weights.
# It compares them in float64, in eval mode and in train mode, with everything random off in both. (The paper's table prints 8.8, 24 and 53 billion
# MACs. The authors' README [2] prints 8.4, 24.7 and 56.3, and our counts agree with it to 1 %.)
#
# The cell below the counts fills S with the weights that torchvision publishes, once they are here, and shows what it sees on two photos. Then: where are the MACs of S, and the time? The last cell takes one stage at a time, for one image of 224×224 pixels. It prints millions of MACs, and billions of them in a second.

# %% tags=["check"]
import torchvision

COUNTED = {  # variant: pixels a side, parameters, MACs
    "S": (384, 21_458_488, 8_365_617_152),
    "M": (480, 54_139_356, 24_582_460_384),
    "L": (480, 118_515_272, 56_079_699_008),
}
for variant, (side, params, macs) in COUNTED.items():
    with torch.device("meta"):
        check.params(efficientnet_v2(variant), params)
        check.macs(efficientnet_v2(variant), (1, 3, side, side), macs)
ours, theirs = efficientnet_v2("S"), torchvision.models.efficientnet_v2_s()
for train in (False, True):
    assert check.matches(ours, theirs, torch.randn(2, 3, 64, 64), train=train).error < 1e-9
print("S, M and L to the parameter and the MAC; S has the logits of torchvision's.")

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
from course_lib import classify

classify.show("13_efficientnet_v2")

# %% tags=["nbval-ignore-output"]
net, x = efficientnet_v2("S").eval(), torch.randn(1, 3, 224, 224)
with torch.inference_mode():
    x, first = net.stem(x), 0
    for number, stage in enumerate(STAGES["S"], start=1):
        part = net.stages[first : first + stage.blocks]
        cost, time = flops.count(part, tuple(x.shape)), milliseconds(part, x, repeats=3)
        x, first = part(x), first + stage.blocks
        speed = f"{cost.macs / 1e6:5.0f} M in {time:5.1f} ms: {cost.macs / time / 1e6:3.0f} G/s"
        print(f"{number} {stage.block:5} {x.shape[2]:3}² {speed}")

# %% [markdown]
# The last column is the answer to "fewer MACs". On the machine that made this page, the fused stages 2 and 3 are faster. They do about twice as many
# MACs in a second as the stages with depthwise layers. The fused stage 1 is about as fast as those.
#
# ## Fused or not, stage by stage
#
# Put the same block in both forms at seven places, from early to late in a network. A *training* step of eight images, forward and backward, is timed on one thread.

# %% tags=["export"]
from course_lib.latency import timer


def step_milliseconds(net: nn.Module, images: Tensor, repeats: int = 5) -> float:
    """Return the shortest time (ms) of a forward and a backward pass, after one not counted."""
    images = images.to(memory_format=torch.channels_last)
    net.to(memory_format=torch.channels_last).train()
    times = []
    for _ in range(repeats + 1):
        start = timer()
        net.zero_grad()
        net(images).square().mean().backward()
        times.append(1e3 * (timer() - start))
    return min(times[1:])

# %% tags=["nbval-ignore-output"]
PLACES = [(16, 56), (24, 28), (48, 28), (64, 14), (128, 14), (160, 7), (256, 7)]  # channels, side
threads, found = torch.get_num_threads(), []
torch.set_num_threads(1)
for channels, side in PLACES:
    x = torch.randn(8, channels, side, side)
    blocks = [build(channels, channels) for build in (mbconv, fused_mbconv)]
    plain, fused = (step_milliseconds(block, x) for block in blocks)
    more = flops.count(blocks[1], x.shape).macs / flops.count(blocks[0], x.shape).macs
    found.append(plain / fused)
    print(f"{channels:3} at {side:2}²: {more:.1f} × the MACs; time ratio {plain / fused:.2f}")
torch.set_num_threads(threads)
figure, ax = plt.subplots(figsize=(6.4, 2.2))
ax.plot(found, "o-")
ax.axhline(1, color="0.5", ls="--")
ax.set(ylabel="time of MBConv /\ntime of fused", xlabel="channels at pixels", ylim=(0, None))
ax.set_xticks(range(len(PLACES)), [f"{c} at {s}²" for c, s in PLACES], fontsize=8)
plt.show()

# %% [markdown]
# Above the dashed line the fused block is faster, with about four times the MACs. The ratio is highest on the left; where it
# crosses 1 depends on the machine and the number format.
#
# Unit 10 suggests a reason. Early, maps are large and channels few. The depthwise layer and the two norms of the wide map move many numbers
# and multiply little. Late, the map is small and channels are many. Then the full 3×3 has $9\,C \cdot tC$ weights and really must multiply. So: fuse early, do not
# fuse late. The search of the paper found the same.
#
# ## Progressive training
#
# The other half of the paper. Time falls with the pixels, so train with small images first. This was tried before, and lost accuracy. The paper's
# reason: on small images a network has less capacity and needs *weak* regularisation; on large ones it needs strong. Let both grow. For S
# its Table 6 has 128 → 300 pixels, dropout 0.1 → 0.3, RandAugment 5 → 15.
#
# The last of the six cells below trains the small network on the 1,429 digits of 8×8 pixels, six epochs, one seed. Expected: half a minute or less, and
# 90 % of the validation digits or more.

# %% tags=["export"]
import math


class Phase(NamedTuple):
    """What a part of the training sees, and how strongly it is regularised."""

    size: int  # pixels a side
    dropout: float
    crop_padding: int  # pixels of a random shift


def rate(done: float) -> float:
    """Return the learning rate after a fraction of the training: warm-up, then cosine."""
    return 0.1 * min(1.0, done / 0.05) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))

# %% tags=["export"]
def train_phases(net, batches, phases, seconds: float, clock) -> list[int]:
    """Train `net` for equal times in each phase; return the images seen in each.

    batches: called with an epoch's number and a crop padding, yields images and labels. clock:
    returns seconds, for example time.process_time.
    """
    optimizer = torch.optim.SGD(net.parameters(), 0.1, 0.9, weight_decay=5e-4, nesterov=True)
    start, seen, epoch = clock(), [0] * len(phases), 0
    dropout = next(layer for layer in net.head if isinstance(layer, nn.Dropout))
    net.train()
    for number, phase in enumerate(phases):
        dropout.p = phase.dropout
        end = start + seconds * (number + 1) / len(phases)
        while clock() < end:
            for images, labels in batches(epoch, phase.crop_padding):
                if clock() >= end:
                    break
                optimizer.param_groups[0]["lr"] = rate((clock() - start) / seconds)
                shown = nn.functional.interpolate(images, size=phase.size, mode="bilinear", antialias=True)
                loss = nn.functional.cross_entropy(net(shown), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                seen[number] += len(images)
            epoch += 1
    return seen

# %% tags=["export"]
def candidate(kinds: str = "FFM", num_classes: int = 10) -> EfficientNetV2:
    """Return a network of three stages for images of 16 to 32 pixels.

    kinds: a letter a stage, "F" for fused blocks and "M" for MBConv.
    """
    if len(kinds) != 3 or set(kinds) - {"F", "M"}:
        raise ValueError(f"kinds is {kinds!r}: expected three letters, F or M")
    words = {"F": "fused", "M": "mb"}
    shapes = zip(kinds, (16, 32, 64), (1, 1, 2), (2, 2, 1), strict=True)
    stages = [Stage(words[kind], 4, *shape) for kind, *shape in shapes]
    return EfficientNetV2(stages, 128, num_classes, dropout=0.0, drop=0.0)


# %% tags=["export"]
def racer(stride: int = 1, num_classes: int = 10) -> EfficientNetV2:
    """Return a fused network for images of 16 to 32 pixels; stride: of the stem, 1 or 2."""
    if stride == 2:
        return candidate("FFF", num_classes)
    stages = [Stage("fused", 1, 8, 1, 1), Stage("fused", 4, 16, 1, 2), Stage("fused", 4, 32, 2, 2)]
    return EfficientNetV2(stages, 128, num_classes, stride=1, dropout=0.0, drop=0.0)


SMALL = [
    Stage("fused", 1, 24, 1, 1), Stage("fused", 4, 32, 2, 2), Stage("fused", 4, 48, 2, 2),
    Stage("mb", 4, 64, 3, 2), Stage("mb", 6, 80, 3, 1),
]


def efficientnet_v2_small(num_classes: int = 10) -> EfficientNetV2:
    """Return the network for images (N, 3, 32, 32): stride 8, not 32."""
    return EfficientNetV2(SMALL, 640, num_classes, stride=1, drop=0.1)


VARIANTS = {"efficientnet_v2": tuple(STAGES)}
RECIPES = {  # keyword arguments of course_lib.train.Recipe
    "digits": {"epochs": 6, "batch_size": 64, "learning_rate": 0.1, "warmup_epochs": 1.0,
               "weight_decay": 1e-4},
    "cifar10": {"epochs": 40, "batch_size": 128, "learning_rate": 0.1, "nesterov": True,
                "warmup_epochs": 1.0, "weight_decay": 5e-4, "flip": True, "crop_padding": 4},
}

# %% tags=["check"]
small = efficientnet_v2_small()
check.params(small, 663_414)
check.macs(small, (1, 3, 32, 32), 37_572_864)
torch.manual_seed(0)
digits = data.load("digits", size=8, channels=3)
batch, labels = next(data.batches(digits, 16))
check.learns(candidate("FFM"), batch, labels)
net, ticks = candidate("FFF"), iter(range(100))
phases = [Phase(8, 0.0, 0), Phase(16, 0.3, 2)]
seen = train_phases(net, lambda epoch, padding: [(batch, labels)], phases, 20, lambda: next(ticks))
assert (seen, net.head[3].p) == ([48, 48], 0.3)
assert rate(0) == rate(1) == 0 < 0.099 < rate(0.05)
print("The small network has its size; each phase gets its share of the time.")

# %% tags=["nbval-ignore-output"]
val = data.load("digits", "val", size=8, channels=3)
torch.manual_seed(0)
net = efficientnet_v2_small()
history = fit(net, digits, val, Recipe(**RECIPES["digits"]), quiet=True)
plot.training(history)

# %% [markdown]
# Does growing help, and which of the two? We run a full grid. Images have 32 pixels throughout or 16 → 24 → 32. The strongest
# regularisation holds throughout or it grows (dropout 0 → 0.15 → 0.3, random shifts of 0 → 2 → 4 pixels). Every run had 40 seconds of a processor, on 5,000 images of
# CIFAR-10: equal time, not equal epochs. There are five paired seeds of each, from `python experiments/progressive.py`. Two networks were trained:
# one whose stem keeps the pixels, so that its time follows them, and one whose stem halves the sides.

# %%
with open(results.RESULTS / "13_efficientnet_v2-progressive.csv", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
top1, seen = {}, {}
for row in rows:
    arm = int(row["stride"]), row["size"], row["regularisation"]
    top1.setdefault(arm, []).append(100 * float(row["test_top1"]))
    seen.setdefault(arm, []).append(int(row["images_seen"]))
figure, axes = plt.subplots(1, 2, figsize=(6.4, 2.0), sharey=True)
choices = [("fixed", "fixed"), ("fixed", "growing"), ("growing", "fixed"), ("growing", "growing")]
for ax, stride in zip(axes, (1, 2), strict=True):
    for number, choice in enumerate(choices):
        runs = top1[(stride, *choice)]
        ax.plot(runs, [number] * len(runs), f"C{number}o", alpha=0.7)
    ax.set(title=f"stem of stride {stride}", xlabel="test top-1 (%)", ylim=(3.5, -0.5))
axes[0].set_yticks(range(4), [f"size {size}, reg. {strength}" for size, strength in choices])
plt.show()

# %%
def against(stride: int, first: tuple, second: tuple) -> str:
    """Return the mean of five paired differences with its 95 % interval."""
    return page.paired(top1[(stride, *first)], top1[(stride, *second)])


neither, strength, size, both = choices
for stride in (1, 2):
    more = sum(seen[(stride, *both)]) / sum(seen[(stride, *neither)])
    print(f"stem of stride {stride}: {more:.1f} times as many images")
    print("  both against neither: ", against(stride, both, neither))
    print("  only the size:        ", against(stride, size, neither))
    print("  only the strength:    ", against(stride, strength, neither))
    print("  strength, sizes grow: ", against(stride, both, size))
    print("  size, strengths grow: ", against(stride, both, strength))

# %% [markdown]
# The numbers are points of test top-1 with 95 % intervals; the last two lines of each add one choice to the other. Where the time follows the
# pixels (stem of stride 1), both choices help. The size gains 4.9 ± 1.6 points, the strength 3.2 ± 1.5, and together
# they gain 8.2 ± 1.7. With growing images the network sees 1.8 times as many images in the same time. With stride 2 the time follows the pixels less, and
# the network sees 1.5 times as many. There the size gains nothing that five seeds show: +0.9 ± 1.0 alone, −1.4 ± 2.0 where the strength grows. That fits a
# gain of time. It is no proof: the two networks differ in more than the stem.
#
# The paper adds that growing images *need* growing regularisation. In these short trainings growing regularisation helps at a fixed size, too, by 3.2 ± 1.5 and
# 4.1 ± 3.1 points. With stride 1 the two gains add up. With stride 2 their sum is 5.0 and both together gain 2.7 ± 1.2: the intervals are too wide
# to say more. What the paper reports of long trainings is not tested here.
#
# The full training on CIFAR-10 is a record of the queue (`course records`): 50,000 images, one seed. The same recipe was run for
# 15 epochs and for 20. The longer run ends at 88.8 % of the test images, the shorter at 87.6 %.

# %% tags=["nbval-ignore-output"]
for name in ("15-epochs", "long"):
    page.record(f"13_efficientnet_v2-efficientnet_v2_small-cifar10-{name}-seed0")

# %% [markdown]
# ## The reward of the search
#
# Who chose "fused in stages 1 to 3"? A search. It trains candidates for a short time and ranks them by a reward. The reward joins accuracy A, time S of
# a training step and number of parameters P:
#
# $$A \cdot S^{w} \cdot P^{v}, \qquad w = -0.07,\quad v = -0.05$$
#
# Ten times faster is worth $10^{0.07}$, that is 17 % more accuracy. Our search space has three stages, each fused (F) or MBConv
# (M). Its eight networks were trained for four epochs with three seeds (`python experiments/candidates.py`).

# %% tags=["export"]
def reward(top1: float, step: float, params: int, w: float = -0.07, v: float = -0.05) -> float:
    """Return A · S^w · P^v; the units of step and params do not change the ranking."""
    return top1 * step**w * params**v


# %% tags=["check"]
assert reward(0.5, 1, 1) == 0.5
faster, smaller = reward(0.5, 1, 10) / reward(0.5, 10, 10), reward(0.5, 3, 1) / reward(0.5, 3, 10)
check.close([faster, smaller], [10**0.07, 10**0.05])
print(f"Ten times faster: {faster - 1:.0%} more reward. Ten times smaller: {smaller - 1:.0%}.")
with open(results.RESULTS / "13_efficientnet_v2-candidates.csv", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
tried = {}
for row in rows:
    tried.setdefault(row["kinds"], []).append([float(row[n]) for n in ("test_top1", "step_ms", "params")])
means, spread = {}, {}
for kinds, runs in tried.items():
    top1, step, params = torch.tensor(runs).T
    means[kinds], spread[kinds] = (top1.mean().item(), step.min().item(), params[0].item()), top1.std()
print("     top-1 (%)  step   params  reward  rank")
by_top1 = sorted(means, key=lambda kinds: -means[kinds][0])
for kinds in sorted(means, key=lambda kinds: -reward(*means[kinds])):
    top1, step, params = means[kinds]
    print(f"{kinds}{100 * top1:6.1f} ± {100 * spread[kinds]:.1f}{step:5.0f}{params:9,.0f}"
          f"{reward(*means[kinds]):8.4f}{by_top1.index(kinds) + 1:5}")


# %% tags=["nbval-ignore-output"]
def draw_ranking(hundredths: int) -> None:
    """Draw the rewards with w = −hundredths/100, best first."""
    _, ax = plt.subplots(figsize=(6.4, 2.0))
    scores = {kinds: reward(*row, w=-hundredths / 100) for kinds, row in means.items()}
    best = sorted(scores, key=lambda kinds: -scores[kinds])
    ax.plot(best, [scores[kinds] / scores[best[0]] for kinds in best], "o")
    ax.set(ylabel="reward / best", title=f"w = −{hundredths / 100:.2f}")


draw_ranking(7)
plt.show()
plot.slider(draw_ranking, "−100·w", (0, 50))

# %% [markdown]
# The step is in milliseconds; the rank is that of top-1 alone. The four networks that are fused in the *last* stage come last, with three times the parameters. The best two by the reward are fused in the
# second stage and not in the third. Move the slider: the more time counts, the better is FFM, fused early and MBConv late. That is the form
# of S, M and L. (The standard deviations are those of three seeds: differences of a point or less decide nothing.)
#
# ## Looking inside
#
# Squeeze-and-excite is a gate for each channel, in (0, 1), and it depends on the image. Does it, after training? For the MBConv blocks of the small
# network we print the mean gate, and how much a gate varies between the validation digits. Then each gate is set to its mean: what does
# the validation top-1 become? The figure shows the network's most confident mistakes.

# %% tags=["nbval-ignore-output"]
from course_lib.train import evaluate

gates = [layer for layer in net.modules() if isinstance(layer, SqueezeExcite)]
pixels, _ = next(data.batches(val, len(val)))
seen, hooks = [], []
for gate in gates:
    hooks.append(gate.excite.register_forward_hook(lambda _, x, y: seen.append(y.sigmoid())))
with torch.inference_mode():
    logits = net.eval()(pixels)
for hook in hooks:
    hook.remove()
for number, gate in enumerate(seen, start=1):
    print(f"MBConv {number}: gates {gate.mean():.2f} ± {gate.std(dim=0).mean():.3f}")
print(f"validation top-1 {evaluate(net, val).top1:.1%}")
for gate, values in zip(gates, seen, strict=True):
    mean = values.mean(dim=0, keepdim=True)
    gate.forward = lambda x, mean=mean: x * mean
print(f"with constant gates {evaluate(net, val).top1:.1%}")
figure, axes = plt.subplots(1, 6, figsize=(6.4, 1.7))
plot.mistakes(axes, val, logits)
for ax in axes:
    ax.set_axis_off()
plt.show()

# %% [markdown]
# On so small images and after so short a training, the gates differ little between digits, and constant ones do about as well. (The statistics of
# the norms are the old ones in both.) What they do on ImageNet, only a network trained without them tells.
#
# ## Take-aways
#
# 1. A fused block has 3.9 to 4.9 times the MACs of MBConv. Where maps are large and channels few, it may still be the faster one; late in the network
#    it is mostly slower.
# 2. S, M and L are one table: fused in three stages, then MBConv. S has 21,458,488 parameters and 8.4 billion MACs at 384 pixels.
# 3. In equal time, growing images and regularisation gained 8.2 ± 1.7 points with a stem of stride 1. With a stem of stride 2,
#    growing images alone show no gain.
# 4. The reward A · S^−0.07 · P^−0.05 values ten times less time like 17 % more accuracy. In our space of eight, fusing the last stage is worst.
#
# ## Before and after
#
# The block is MobileNetV2's (unit 11), squeeze-and-excite and the scaling are EfficientNet's (unit 12), drop-path is from the stochastic depth of
# Huang et al. [3]. Many later recipes train small and finish large, too. The Vision
# Transformer (unit 14), which appeared a few months before, has no convolutions to fuse. It is pre-trained at 224 pixels and finished at 384.
#
# ## Questions
#
# **1.** How many MACs has a fused block of 24 to 24 channels, t = 4, on 28×28 pixels? And MBConv without squeeze-and-excite?
# <details><summary>Answer</summary>
# 28² · 96 · (9 · 24 + 24) = 18,063,360, and 28² · 96 · (24 + 9 + 24) = 4,290,048: 4.2 times as many.
# </details>
#
# **2.** Why is 1 − p in the denominator of drop-path, and not in the forward pass of eval mode?
# <details><summary>Answer</summary>
# The mean over the draws is then that of the whole branch, so nothing has to be changed at evaluation.
# </details>
#
# **3.** Images grow from 16 to 32 pixels in three phases of equal time. Why are most images seen in the first phase?
# <details><summary>Answer</summary>
# A quarter of the pixels takes about a quarter of the time for each image, if the time follows the pixels.
# </details>
#
# **4.** A candidate is twice as fast as another and has the same size. How much less accuracy may it have for the same reward?
# <details><summary>Answer</summary>
# A factor of 2^−0.07 = 0.953: 4.7 % of the accuracy, for example 81.0 in place of 85.0.
# </details>
#
# **5.** (open) Fuse by the measured time: for your machine, choose F or M for each of the six stages of S. Which network do you get, and how long does a
# step take against S?
# <details><summary>A start</summary>
# `step_milliseconds` of one block at each stage's channels and side. Keep an eye on the parameters: late fused blocks are large.
# </details>
#
# ## References
#
# 1. M. Tan, Q. V. Le, *EfficientNetV2: Smaller Models and Faster Training*, arXiv:2104.00298, 2021: the network; tables named here are its.
# 2. google/automl, `efficientnetv2/README.md`: MACs and accuracies of the published weights.
# 3. G. Huang et al., *Deep Networks with Stochastic Depth*, arXiv:1603.09382, 2016: drop-path.
