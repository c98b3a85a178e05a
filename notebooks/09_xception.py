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
# # 09 · Xception
#
# Look for patterns in each channel alone, and mix channels at single pixels: with the parameters of Inception v3, Xception is
# 0.8 points better.
#
# | | |
# |---|---|
# | paper | Chollet, *Xception* [1] |
# | year | 2016 |
# | parameters | 22,855,952 |
# | MACs | 8,357,403,496 at 299×299 |
# | published top-1 | 79.0 % (ILSVRC-2012 validation) |
# | time here | 1 to 2 minutes on two CPU cores |
#
# **You need** the Inception module (units 06 and 07), shortcuts (unit 08) and the singular values of a matrix. A MAC is a
# multiply-accumulate.
#
# **You will be able to** place a layer on the line from Inception to Xception, build the network, and test its hypothesis on trained
# kernels.

# %% tags=["check"]
import csv

import matplotlib.pyplot as plt
import torch

from course_lib import check, data, flops, notebook, page, plot, results
from course_lib.latency import milliseconds
from course_lib.train import Recipe, evaluate, fit

# %% [markdown]
# ## Where we stand
#
# Units 05 to 08 ended with networks of very different sizes. What does a parameter buy? The accuracies are those of Table 1 of the
# paper; the first three networks are ours, counted.

# %%
SO_FAR = {  # name: unit, constructor, its arguments, printed top-1 (%)
    "VGG-16": ("05_vgg", "vgg", {"config": "D"}, 71.5),
    "ResNet-152": ("08_resnet", "resnet", {"depth": 152}, 77.0),
    "Inception v3": ("07_inception", "inception_v3", {"aux": False}, 78.2),
}
figure, ax = plt.subplots(figsize=(6.4, 2.2))
for name, (unit, build, arguments, top1) in SO_FAR.items():
    with torch.device("meta"):
        net = getattr(notebook.load(unit), build)(**arguments)
    params = sum(p.numel() for p in net.parameters()) / 1e6
    ax.plot(params, top1, "o")
    ax.annotate(f"  {name}", (params, top1), va="top")
ax.plot(22.9, 79.0, "k*", ms=10)
ax.annotate("  Xception", (22.9, 79.0), va="bottom")
ax.set(xlabel="parameters (millions)", ylabel="printed top-1 (%)", xlim=(0, 170), ylim=(70, 81))
plt.show()

# %% [markdown]
# Inception v3 and Xception have nearly the same number of parameters. So Xception is not better because it is larger. It spends
# its parameters in another way. Which way is that?
#
# ## Idea: a line of modules
#
# A convolution does two things at once. It looks for a *spatial* pattern, and it *mixes channels*. An Inception module takes
# the two apart, in part. First 1×1 convolutions mix the channels. Then the result is cut into three or four **segments**, and a 3×3
# convolution looks at each segment alone.
#
# Why three or four? Let there be $S$ segments. The map has $C$ channels, the 1×1 convolution gives $W$, and each segment has
# $W/S$ of them. The weights are
#
# $$\underbrace{C\,W}_{\text{mix: } 1\times1} + \underbrace{9\,W^2/S}_{\text{filter: } 3\times3 \text{ in } S \text{ groups}}$$
#
# With $S = 1$ the filter is a full convolution. With $S = W$ there is one segment for each channel: the paper calls this the *extreme*
# version of Inception. It is a depthwise separable convolution with its two steps in the other order. Between $S = 1$ and $S = W$ lies a line
# of modules. The figure shows which channels a 3×3 kernel reads, for W = 24.

# %% jupyter={"source_hidden": true} tags=["thumbnail", "nbval-ignore-output"]
def draw_segments(ax, segments: int, width: int = 24) -> None:
    """Draw which inputs (columns) each output (row) of the grouped 3×3 layer reads."""
    side = width // segments
    row, column = torch.meshgrid(torch.arange(width), torch.arange(width), indexing="ij")
    reads = row // side == column // side
    ax.imshow(reads, cmap="Blues", vmin=0, vmax=1.5)
    weights = 9 * int(reads.sum())
    ax.set_title(f"{segments} segment{'s' * (segments > 1)}\n{weights:,} weights", fontsize=9)
    ax.set(xticks=(), yticks=(), xlabel="reads channel")


figure, axes = plt.subplots(1, 5, figsize=(6.4, 1.9))
for ax, segments in zip(axes, (1, 2, 4, 8, 24), strict=True):
    draw_segments(ax, segments)
axes[0].set_ylabel("output")
plt.show()
divisors = [1, 2, 3, 4, 6, 8, 12, 24]
plot.slider(
    lambda n: draw_segments(plt.subplots(figsize=(3, 3))[1], divisors[n - 1]), "divisor of 24", (1, 8)
)

# %% [markdown]
# Behind Inception stands a hypothesis: channels and space are so far decoupled that it is better not to map their correlations
# together. Behind Xception stands its strongest form: the two *can be entirely decoupled*. This notebook tests it twice. We train along the line, and we look into the kernels of networks that were
# free to couple the two.
#
# ## Implementation
#
# The network has the common order: depthwise first, then pointwise. Two more differences to Inception: nothing stands
# between the two steps, no activation and no normalisation; and there are shortcuts.
#
# With nothing between them the two steps are one linear map. So a separable convolution *is* a full one, whose kernel for output n
# and input m has the form $p_{nm}\, d_m$. It is a number times a pattern that belongs to the input channel. The check says so.

# %% tags=["export"]
from typing import NamedTuple

from torch import Tensor, nn


def separable(channels: int, width: int) -> nn.Sequential:
    """Depthwise 3×3, pointwise 1×1, batch normalisation; no activation between."""
    depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
    return nn.Sequential(depthwise, nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width))


# %% tags=["check"]
layer, x = separable(4, 6), torch.randn(2, 4, 5, 7)
d, p = layer[0].weight, layer[1].weight  # (4, 1, 3, 3), (6, 4, 1, 1)
full = torch.empty(6, 4, 3, 3)
for n in range(6):
    for m in range(4):
        full[n, m] = p[n, m] * d[m, 0]
check.close(layer[:2](x), nn.functional.conv2d(x, full, padding=1), atol=1e-5, what="the two steps")
check.params(separable(728, 728), 728 * 9 + 728 * 728 + 2 * 728)
print(f"The two steps are one 3×3 convolution with {full.numel()} numbers made from {d.numel() + p.numel()}.")

# %% [markdown]
# A block is two or three such layers, each behind a ReLU, and a shortcut. Where the map shrinks, a max-pooling ends
# the block and the shortcut is a 1×1 convolution of stride 2. As in unit 08's pre-activation, no ReLU follows the addition.
#
# The whole network is Figure 5. Two full convolutions are the stem. Then follow an *entry flow* of three blocks that shrink the map, a *middle flow*
# of eight equal blocks, and an *exit flow*. The table below the block says it.

# %% tags=["export"]
class Block(nn.Module):
    """Separable layers, each behind a ReLU, and a linear shortcut around them: Figure 5.

    widths: of the layers. stride: of the pooling at the end; with 1 there is none.
    relu: whether a ReLU comes first.
    """

    def __init__(self, channels: int, widths: tuple[int, ...], stride: int = 1, relu: bool = True):
        super().__init__()
        layers = []
        for before, width in zip((channels, *widths), widths, strict=False):
            layers += [nn.ReLU(), separable(before, width)]
        pool = [nn.MaxPool2d(3, stride, padding=1)] if stride > 1 else []
        self.branch = nn.Sequential(*layers[0 if relu else 1 :], *pool)
        self.shortcut = nn.Identity()
        if stride > 1 or channels != widths[-1]:
            conv = nn.Conv2d(channels, widths[-1], 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(widths[-1]))

    def forward(self, x: Tensor) -> Tensor:
        return self.branch(x) + self.shortcut(x)


# %% tags=["check"]
check.shape(Block(4, (6, 8), stride=2), (2, 4, 9, 7), (2, 8, 5, 4))
check.gradients(Block(4, (6, 8), stride=2), (2, 4, 9, 7))
block = Block(4, (4, 4, 4)).eval()
nn.init.zeros_(block.branch[-1][2].weight)
x = torch.randn(2, 4, 5, 5)
assert torch.equal(block(x), x)
kinds = [type(part) for part in Block(4, (4, 4, 4)).modules()]
assert kinds.count(nn.ReLU) == kinds.count(nn.BatchNorm2d) == 3
print("The block halves odd sides upwards, and passes its input on when the branch is silent.")

# %% tags=["export"]
class Row(NamedTuple):
    """A block of Figure 5 of arXiv:1610.02357."""

    widths: tuple[int, ...]
    stride: int = 1


FIGURE_5 = [
    Row((128, 128), 2), Row((256, 256), 2), Row((728, 728), 2),  # entry flow
    *[Row((728, 728, 728))] * 8,  # middle flow
    Row((728, 1024), 2),  # exit flow
]


def conv_bn(channels: int, width: int, stride: int, padding: int) -> nn.Sequential:
    """Full 3×3 convolution, batch normalisation, ReLU."""
    conv = nn.Conv2d(channels, width, 3, stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU())


# %% tags=["export"]
class Xception(nn.Module):
    """Map images (N, 3, H, W) to logits (N, num_classes).

    stem, end: widths of the full convolutions before and of the separable ones behind
    the blocks. stride, padding: of the first, and of both convolutions of the stem.
    """

    def __init__(self, stem, rows, end, num_classes, stride=2, padding=0):
        super().__init__()
        first, channels = stem
        self.stem = nn.Sequential(conv_bn(3, first, stride, padding), conv_bn(first, channels, 1, padding))
        layers = []
        for number, row in enumerate(rows):
            layers.append(Block(channels, *row, relu=number > 0))
            channels = row.widths[-1]
        for width in end:
            layers += [separable(channels, width), nn.ReLU()]
            channels = width
        self.stages = nn.Sequential(*layers)
        pool = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.head = nn.Sequential(*pool, nn.Linear(channels, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(images)))


def xception(num_classes: int = 1000) -> Xception:
    """Return the network of Figure 5 for images (N, 3, 299, 299)."""
    return Xception((32, 64), FIGURE_5, (1536, 2048), num_classes)


# %% [markdown]
# ## Against the paper
#
# Table 3 prints 22,855,952 parameters. Is our network the paper's? The reference below is written flat, a word for each layer of Figure 5, without our blocks.
# `check.matches` gives both networks the same new weights and compares their logits in float64. (The tests also hold ours
# against timm's.)
#
# Equal parameters are not equal work. Inception v3 needs 5.7 billion MACs, Xception 8.4. The last cell of this section says where they are,
# and what they cost in time. (The paper, too, found Xception a little slower: 28 training steps a second against 31.)

# %% tags=["check"]
PROGRAM = """
conv 3 32 2 relu conv 32 64 1 relu
save 64 128 sep 64 128 relu sep 128 128 pool add
save 128 256 relu sep 128 256 relu sep 256 256 pool add
save 256 728 relu sep 256 728 relu sep 728 728 pool add
""" + "keep relu sep 728 728 relu sep 728 728 relu sep 728 728 add\n" * 8 + """
save 728 1024 relu sep 728 728 relu sep 728 1024 pool add
sep 1024 1536 relu sep 1536 2048 relu
"""
ARGUMENTS = {"conv": 3, "save": 2, "sep": 2, "relu": 0, "pool": 0, "add": 0, "keep": 0}


def layers_of(word: str, a: int = 0, b: int = 0, stride: int = 1) -> list[nn.Module]:
    """Return what a word of the program does to the map, or to the shortcut."""
    if word == "sep":
        convs = nn.Conv2d(a, a, 3, 1, 1, 1, a, bias=False), nn.Conv2d(a, b, 1, bias=False)
        return [*convs, nn.BatchNorm2d(b)]
    shape = {"conv": (3, stride), "save": (1, 2)}.get(word)
    if shape:
        return [nn.Conv2d(a, b, *shape, bias=False), nn.BatchNorm2d(b)]
    return [nn.ReLU()] if word == "relu" else [nn.MaxPool2d(3, 2, 1)] if word == "pool" else []


# %% tags=["check"]
class Flat(nn.Module):
    """Figure 5 as a program: `save` and `keep` put a shortcut aside, `add` adds it."""

    def __init__(self, program: str, num_classes: int = 1000):
        super().__init__()
        words, self.words, parts = program.split(), [], []
        while words:
            word = words.pop(0)
            self.words.append(word)
            numbers = [int(words.pop(0)) for _ in range(ARGUMENTS[word])]
            parts.append(nn.Sequential(*layers_of(word, *numbers)))
        self.parts, self.head = nn.ModuleList(parts), nn.Linear(2048, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        for word, part in zip(self.words, self.parts, strict=True):
            if word in ("save", "keep"):
                aside = part(x)
            else:
                x = x + aside if word == "add" else part(x)
        return self.head(x.mean(dim=(2, 3)))


with torch.device("meta"):
    check.params(xception(), 22_855_952)
    check.macs(xception(), (1, 3, 299, 299), 8_357_403_496)
images = torch.randn(2, 3, 64, 64)
for train in (False, True):
    assert check.matches(xception(), Flat(PROGRAM), images, train=train).error < 1e-9
print("Xception to the parameter and the MAC; the same logits in eval and train mode.")

# %% tags=["nbval-ignore-output"]
image = torch.randn(1, 3, 299, 299)
inception_v3 = notebook.load("07_inception").inception_v3(aux=False)
for name, net in {"Inception v3": inception_v3, "Xception": xception()}.items():
    cost, time = flops.count(net, image.shape), milliseconds(net.eval(), image, repeats=2)
    print(f"{name}: {cost.params:,} parameters\n  {cost.macs:,} MACs, {time:.0f} ms an image")
convs = [(net.get_submodule(r.name), r.macs) for r in cost.layers if r.macs]
for name, side in (("depthwise 3×3", 3), ("pointwise 1×1", 1)):
    own = [m for layer, m in convs if getattr(layer, "kernel_size", 0) == (side, side)
           and (layer.groups > 1 or side == 1)]
    print(f"Xception's {name}: {sum(own) / cost.macs:5.1%} of its MACs")

# %% [markdown]
# ## Training along the line
#
# The experiment: networks of three blocks, each a 1×1 convolution followed by a 3×3 in $S$ groups. All have 60,000
# parameters, up to 5 %. The weights that the filter saves are spent on width. So the widths are 45 at S = 1 and 162 at one segment
# a channel.
#
# The second cell has the small Xception for 32×32 pixels: its stem keeps the sides, and its middle flow has three blocks, not eight.

# %% tags=["export"]
WIDTHS = {1: 45, 2: 62, 4: 80, 8: 104, "all": 162}  # by segments: 60,000 parameters


def segments_block(channels, width, segments, between):
    """Mix to `width` channels by 1×1, filter by 3×3 in `segments` groups: Figure 3."""
    mix = nn.Conv2d(channels, width, 1, bias=False)
    filters = nn.Conv2d(width, width, 3, padding=1, groups=segments, bias=False)
    middle = [between()] if between else []
    return nn.Sequential(mix, *middle, filters, nn.BatchNorm2d(width), nn.ReLU())


def spectrum(segments=1, between=None, num_classes: int = 10) -> nn.Sequential:
    """Return a network of three blocks for images of 16 pixels, 60,000 parameters.

    segments: 1, 2, 4, 8, or "all" for one a channel. between: the class of an activation.
    """
    if segments not in WIDTHS:
        raise ValueError(f"segments is {segments!r}: expected one of {[*WIDTHS]}")
    width = WIDTHS[segments]
    groups = width if segments == "all" else segments
    stem = nn.Conv2d(3, 16, 3, 2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()
    stages = [segments_block(c, width, groups, between) for c in (16, width, width)]
    pools = nn.MaxPool2d(2), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)
    body = [part for pair in zip(stages, pools, strict=True) for part in pair]
    return nn.Sequential(*stem, *body, nn.Flatten(), nn.Linear(width, num_classes))


# %% tags=["export"]
SMALL = [Row((96, 96), 2), Row((192, 192), 2), *[Row((192, 192, 192))] * 3, Row((192, 256), 2)]


def xception_small(num_classes: int = 10) -> Xception:
    """Return the network for images (N, 3, 32, 32): stride 8, not 32."""
    return Xception((16, 32), SMALL, (384,), num_classes, stride=1, padding=1)


RECIPES = {  # keyword arguments of course_lib.train.Recipe
    "digits": {"epochs": 4, "batch_size": 64, "learning_rate": 0.1, "warmup_epochs": 1.0,
               "weight_decay": 1e-4},
    "cifar10": {"epochs": 30, "batch_size": 128, "learning_rate": 0.1, "nesterov": True,
                "warmup_epochs": 1.0, "weight_decay": 5e-4, "flip": True, "crop_padding": 4},
}

# %% tags=["check"]
small = xception_small()
check.params(small, 695_738)
check.macs(small, (1, 3, 32, 32), 66_064_128)
torch.manual_seed(0)
digits = data.load("digits", size=8, channels=3)
batch, labels = next(data.batches(digits, 16))
check.learns(xception_small(), batch, labels)
print("segments  width  parameters       MACs   3×3")
for segments, width in WIDTHS.items():
    net = spectrum(segments)
    cost = flops.count(net, (1, 3, 16, 16))
    assert abs(cost.params / 60_000 - 1) < 0.05
    filters = 27 * width**2 // (width if segments == "all" else segments)
    print(f"{segments:>8}{width:7}{cost.params:12,}{cost.macs:11,}{filters / cost.params:6.0%}")

# %% [markdown]
# At equal parameters the MACs fall along the line: the first block works on the largest map, and there the grouped filter saves most. So a win at the end of
# the line would not be bought with more work. (The last column is the share of the 3×3 convolutions in the parameters.)
#
# First the small Xception, here and now: 1,429 digits of 8×8 pixels, four epochs, one seed. Expected: half a minute or less, and 90 % of
# the validation digits or more.

# %% tags=["nbval-ignore-output"]
val = data.load("digits", "val", size=8, channels=3)
torch.manual_seed(0)
net = xception_small()
history = fit(net, digits, val, Recipe(**RECIPES["digits"]), quiet=True)
plot.training(history)

# %% [markdown]
# Now the line. Five paired seeds of each network were trained on 5,000 images of CIFAR-10 at 16×16 pixels, six epochs each, by
# `python experiments/spectrum.py`: about 20 minutes. Does the extreme end win?

# %%
with open(results.RESULTS / "09_xception-spectrum.csv", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
top1 = {}
for row in rows:
    top1.setdefault((row["segments"], row["between"]), []).append(100 * float(row["test_top1"]))
line = {s: torch.tensor(runs) for (s, between), runs in top1.items() if between == "none"}
figure, ax = plt.subplots(figsize=(6.4, 2.4))
for number, runs in enumerate(line.values()):
    ax.plot([number] * len(runs), runs, "C0o", alpha=0.5)
ax.plot([runs.mean() for runs in line.values()], "C0-")
ax.set(xlabel="segments", ylabel="test top-1 (%)")
ax.set_xticks(range(len(line)), line)
plt.show()

for segments, runs in line.items():
    if segments != "1":
        print(f"{segments:>3} segments against 1: {page.paired(runs, line['1'])} points")
for between in ("ReLU", "ELU"):
    gap = page.paired(top1["all", between], line["all"])
    print(f"{between} between the two steps against nothing: {gap} points")

# %% [markdown]
# The accuracy rises along the whole line: 49.0, 50.0, 51.2, 52.5 and 56.1 %. One segment a channel is 7.1 ± 0.3 points better than one
# segment for all, at equal parameters and half of the MACs. (Two segments against one stays open: the interval contains 0.) With the
# cut comes width: 162 channels against 45. What the cut alone does, at equal width, this experiment does not say.
#
# And the activation between? Figure 10 of the paper finds that none is better than ELU or ReLU. Here a ReLU costs 2.9 ± 0.9 points. The ELU
# does not set negative values to zero, and five seeds show no loss: −0.3 ± 1.2. So it is not non-linearity as such that hurts here. This
# fits the paper's guess that a ReLU loses information where a filter reads one channel alone. Unit 11 turns the guess into a formula.
#
# The small network was trained to the end on the 50,000 images of CIFAR-10. This is a record of the queue (`course records`): 89.8 % of the test images
# after 12 epochs, one seed.

# %%
page.record("09_xception-xception_small-cifar10-long-seed0")

# %% [markdown]
# ## Looking inside: do free kernels decouple?
#
# If the hypothesis is true, full convolutions that were free to couple space and channels should have learnt kernels of the form $p_{nm}\,d_m$.
# How near are they? For each input channel m, write its kernels as a matrix (width, 9): a row for each output. Decoupled means that all rows are multiples
# of one pattern: rank one. The largest singular value says which share of the squared weights the best pattern explains:
#
# $$\text{share} = \sum_m \sigma_1(W_m)^2 \Big/ \sum_m \sum_i \sigma_i(W_m)^2$$
#
# Random kernels have a share above 1/9, too. So each trained layer stands beside a random one of the same shape. The trained networks are the records of units
# 05, 06 and 08.

# %% tags=["check"]
def share_explained(weight: Tensor, rank: int = 1) -> float:
    """Return the share of squared weights (N, M, K, K) that `rank` patterns for each m explain."""
    by_input = weight.detach().double().transpose(0, 1).flatten(2)  # (M, N, K²)
    squares = torch.linalg.svdvals(by_input) ** 2
    return (squares[:, :rank].sum() / squares.sum()).item()


decoupled = torch.randn(6, 4, 1, 1) * torch.randn(1, 4, 3, 3)
assert abs(share_explained(decoupled) - 1) < 1e-6
assert abs(share_explained(torch.randn(8, 5, 3, 3), rank=9) - 1) < 1e-12
print("A separable kernel is explained by one pattern for each input channel, any by nine.")

# %%
TRAINED = {
    "VGG": "05_vgg-vgg_small-cifar10-long-seed0",
    "GoogLeNet": "06_googlenet-googlenet_small-cifar10-long-seed0",
    "ResNet-20": "08_resnet-resnet_small-20-cifar10-long-seed0",
}


def both_shares(record_name: str) -> list[tuple[float, float]]:
    """Return the shares, trained and random, of a recorded network's 3×3 and 5×5 layers."""
    path = results.RESULTS / f"{record_name}.json"
    record = results.read(path)
    net = getattr(notebook.load(record.unit), record.network)(**record.arguments)
    results.load_weights(path.with_suffix(".safetensors"), net)
    torch.manual_seed(0)
    found = []
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size > (1, 1) and layer.in_channels > 3:
            random = torch.randn(layer.weight.shape)
            found.append((share_explained(layer.weight), share_explained(random)))
    return found


shares = {name: both_shares(path) for name, path in TRAINED.items()}
for name, found in shares.items():
    trained, random = torch.tensor(found).mean(dim=0)
    above = sum(a > b for a, b in found)
    print(f"{name:10}{trained:.3f}, random {random:.3f}; above in {above} of {len(found)}")

# %%
figure, axes = plt.subplots(1, 3, figsize=(6.4, 2.3), sharey=True)
for ax, (name, found) in zip(axes, shares.items(), strict=True):
    trained, random = zip(*found, strict=True)
    ax.plot(trained, "C0o-", ms=3)
    ax.plot(random, "0.6", marker="o", ms=3)
    ax.set(title=name, xlabel="layer", ylim=(0, 1))
axes[0].set_ylabel("share of one pattern")
axes[0].annotate("trained", (5, 0.34), color="C0")
axes[0].annotate("random", (5, 0.06), color="0.4")
plt.show()

# %% [markdown]
# Training moves every layer of all three networks towards decoupling. But it does not go far: one pattern explains 28 to 44 % of the
# squared weights on average, not all.
#
# A share of weights is not a share of accuracy. So intervene: train a network with *full* 3×3 convolutions on the digits. Then replace
# each kernel by its best approximation with r patterns for each input channel. If the coupling that is cut away did not matter, the accuracy
# would not fall, even with r = 1.

# %% tags=["check"]
def with_patterns(weight: Tensor, rank: int) -> Tensor:
    """Return the nearest weight (N, M, K, K) that has `rank` patterns for each input channel."""
    by_input = weight.transpose(0, 1).flatten(2)
    left, values, right = torch.linalg.svd(by_input, full_matrices=False)
    near = left[..., :rank] * values[:, None, :rank] @ right[:, :rank]
    return near.view(weight.shape[1], weight.shape[0], *weight.shape[2:]).transpose(0, 1)


weight = torch.randn(8, 5, 3, 3, dtype=torch.float64)
gap = (weight - with_patterns(weight, 2)).square().sum() / weight.square().sum()
assert abs(1 - gap - share_explained(weight, 2)) < 1e-12
print("What two patterns leave over is what their share says.")

# %% tags=["nbval-ignore-output"]
import copy

torch.manual_seed(0)
full = spectrum(1)
fit(full, digits, val, Recipe(**RECIPES["digits"]), quiet=True)
pixels, labels = next(data.batches(digits, len(digits)))
print("patterns  weights   top-1  new statistics")
with torch.no_grad():
    for rank in (1, 2, 3, 5, 9):
        near, explained = copy.deepcopy(full), []
        for layer in near.modules():
            if isinstance(layer, nn.Conv2d) and layer.in_channels > 3 and layer.kernel_size > (1, 1):
                explained.append(share_explained(layer.weight, rank))
                layer.weight.copy_(with_patterns(layer.weight, rank))
        before = evaluate(near, val).top1
        for layer in near.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.reset_running_stats()
                layer.momentum = None  # the mean of all batches
        near.train()(pixels)
        after = evaluate(near, val).top1
        print(f"{rank:8}{sum(explained) / len(explained):9.0%}{before:8.1%}{after:16.1%}")

# %% [markdown]
# One column is the share of the weights that r patterns explain. The others are the validation top-1 with the old and with new statistics of the norms.
# With the old ones and r = 1 the network guesses: the kernels are changed, and the norms still subtract the means of the old maps. With statistics of the new maps the same weights know most digits. Always say which statistics a changed network uses.
#
# Then the hypothesis. One pattern for each channel explains less than half of the weights, and costs clearly: the coupling that training used
# was not for nothing. But two or three patterns of nine are nearly enough. So none of these free networks decoupled by itself (one seed each). A
# network that *must* decouple can spend the saved weights on width. Above, such networks were the better ones.
#
# Of which wrong answers is the small Xception most sure?

# %% tags=["nbval-ignore-output"]
pixels, _ = next(data.batches(val, len(val)))
with torch.inference_mode():
    logits = net.eval()(pixels)
figure, axes = plt.subplots(1, 6, figsize=(6.4, 1.7))
plot.mistakes(axes, val, logits)
for ax in axes:
    ax.set_axis_off()
plt.show()

# %% [markdown]
# ## Take-aways
#
# 1. Xception has the parameters of Inception v3, 22,855,952, and 0.8 points more. It takes 1.5 times the MACs.
# 2. A separable convolution is the end of a line of segments. At equal parameters the accuracy rises along it, by 7.1 ± 0.3 points in
#    five paired runs on small CIFAR-10 images.
# 3. A ReLU between the two steps costs 2.9 ± 0.9 points there. For an ELU no loss shows.
# 4. Trained full kernels are nearer to separable ones than random kernels, in 49 of 49 layers. But one pattern explains only 28 to 44 % of the
#    squared weights on average.
# 5. 93 % of Xception's MACs are in 1×1 convolutions.
#
# ## Before and after
#
# The module with segments is Inception's (units 06 and 07), the shortcut ResNet's (unit 08). Depthwise separable convolutions were in L. Sifre's
# thesis of 2014 [2]. Xception used them for accuracy at equal parameters. MobileNet (unit 10) appeared half a year later. It used the same layer to
# be small, with an activation after each of the two steps. From there on, through MobileNetV2 and EfficientNet, "cheap" networks are made of depthwise layers.
#
# ## Questions
#
# **1.** How many parameters has a middle block of 728 channels? What would it have with full 3×3 convolutions?
# <details><summary>Answer</summary>
# 3 · (9 · 728 + 728² + 2 · 728) = 1,613,976. With full convolutions 3 · (9 · 728² + 2 · 728) = 14,313,936, almost nine times as many.
# </details>
#
# **2.** With S = 1 and nothing between the steps, what does the 1×1 convolution add? Is our comparison fair to that end of the line?
# <details><summary>Answer</summary>
# Nothing: a 1×1 followed by a full 3×3 is one full 3×3 convolution. With these alone, 27 % of the weights could go. From 16 to 45 channels
# it takes 6,480 weights in place of 18,945, and each later block needs 2,025 fewer. So 60,000 parameters would allow 53 channels, not 45, and the
# comparison is not quite fair. With an activation between, as in Inception, the 1×1 would not be wasted.
# </details>
#
# **3.** Why does a random kernel of shape (64, 64, 3, 3) have a share of about 0.2, and not of 1/9?
# <details><summary>Answer</summary>
# Of 9 random squared singular values the largest is above their mean. With more rows than 64 they become equal, and the share falls
# towards 1/9.
# </details>
#
# **4.** ReLU after the addition would be one more non-linearity. Why does Figure 5 have none there?
# <details><summary>Answer</summary>
# The shortcut would no longer pass its input on unchanged. Unit 08 calls the form with the ReLU at the start of the branch pre-activation.
# </details>
#
# **5.** (open) The hypothesis could hold better for some layers than for others. Keep full kernels in one block of the trained network and
# one pattern in the others: where does coupling matter most?
# <details><summary>A start</summary>
# In the figure, the early layers of VGG are further above random than the late ones. In ResNet-20 the last layer stands out. Use `with_patterns` on one layer at a time.
# </details>
#
# ## References
#
# 1. F. Chollet, *Xception: Deep Learning with Depthwise Separable Convolutions*, arXiv:1610.02357, 2016: the network; tables and
#    figures named here are its.
# 2. L. Sifre, *Rigid-Motion Scattering for Image Classification*, PhD thesis, 2014: depthwise separable convolutions.
