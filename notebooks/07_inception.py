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
# # 07 · Inception v2 and v3
#
# Batch normalisation, kernels cut into smaller ones and softer targets took GoogLeNet's 29.0 % top-1 error to 21.2 %, for
# three times its multiply-adds.
#
# | | |
# |---|---|
# | paper | Szegedy, Vanhoucke, Ioffe, Shlens, Wojna [1] |
# | year | 2015 |
# | parameters | 23,834,568; with auxiliary head 27,161,264 |
# | MACs | 5,713,216,096 at 299×299 |
# | published error | top-1 21.2 %, top-5 5.6 % (one crop, ILSVRC-2012 validation) |
# | time here | 2 minutes on two CPU cores |
#
# **You need** GoogLeNet's module (unit 06). A MAC is a multiply-accumulate; papers also call it a multiply-add.
#
# **You will be able to** derive batch normalisation, split large kernels, smooth labels, and build Inception v3.
#
# ## Where we stand
#
# GoogLeNet is lean, but how does one make it larger? Twice the width is four times the work, and its paper [3] does
# not say which of its parts the accuracy depends on. Between it and v3 lie seven changes. Which bought what (Table 3
# of [1]; "factorised 7×7" includes the first convolution, "BN-auxiliary" is below)?

# %%
import csv

import matplotlib.pyplot as plt

from course_lib import data, flops, page, plot, results
from course_lib.train import Recipe, fit

LADDER = {  # Table 3 of [1]: top-1 error (%), billion multiply-adds
    "GoogLeNet": (29.0, 1.5), "with batch norm": (26.8, 1.5), "BN-Inception": (25.2, 2.0),
    "Inception-v2": (23.4, 3.8), "+ RMSProp": (23.1, 3.8), "+ label smoothing": (22.8, 3.8),
    "+ factorised 7×7": (21.6, 4.8), "+ BN-auxiliary = v3": (21.2, 4.8),
}
figure, ax = plt.subplots(figsize=(4.8, 1.9))
for row, (error, billion) in enumerate(LADDER.values()):
    ax.plot(error, row, "o", color="C0")
    ax.annotate(f"  {billion}", (error, row), va="center", fontsize=8)
ax.set_yticks(range(len(LADDER)), LADDER, fontsize=8)
ax.set(xlabel="top-1 error (%); beside it: 10⁹ multiply-adds", xlim=(18, 31))
ax.invert_yaxis()
plt.show()

# %% [markdown]
# Two networks are called v2. **BN-Inception** [2] is GoogLeNet with batch normalisation and two 3×3 for each 5×5;
# many libraries name it `inception_v2`. In [1] **Inception-v2** is the wider and deeper network of its Table 1, and v3 the
# same with all four additions. We take them in turn: batch normalisation first, on which the rest stands.
#
# ## Batch normalisation
#
# For each channel, over the $m = N \cdot H \cdot W$ values $x_i$ of a batch (N, C, H, W) [2]:
#
# $$\mu = \frac 1m \sum_i x_i, \qquad \sigma^2 = \frac 1m \sum_i (x_i - \mu)^2, \qquad y_i = \gamma\,\frac{x_i - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta$$
#
# $\gamma, \beta$: (C,), learnt; $\varepsilon = 0.001$. A bias before it would be subtracted with $\mu$: there is none. At
# test time $\mu$ and $\sigma^2$ are running means of the training's: an answer may not depend on who else is in the batch.
#
# In unit 04 the initial weights decided whether a signal reached the head. Here, weights multiplied by 10 give the
# same output: $\mu$ and $\sigma$ are ten times as large too. What is left of a signal after 1 to 20 layers whose weights are
# half as large as they should be? And what if the weights are as they should be, or half as large again?

# %% tags=["export"]
from typing import NamedTuple

import torch
from torch import Tensor, nn


def conv_bn(channels, width, kernel_size=1, stride=1, padding="same"):
    """Return convolution without bias, batch normalisation, ReLU.

    kernel_size: a number, or (rows, columns); padding: "same" or "valid" (none).
    """
    conv = nn.Conv2d(channels, width, kernel_size, stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(width, eps=0.001), nn.ReLU())


# %% tags=["check"]
from course_lib import check

torch.manual_seed(0)
conv, norm, relu = conv_bn(3, 8, (1, 7)).train()
x = conv(torch.randn(4, 3, 9, 9))
mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
check.close(norm(x), (x - mean) / (var + 0.001).sqrt(), what="the normalised batch")
check.params(conv, 3 * 8 * 7)
print("✓ each channel has mean 0 and variance 1 over the batch · no bias: 168 weights")

# %%
def spread(scale: float, normalised: bool) -> list[float]:
    """Return the std after each of 20 layers of 32 channels; scale: of He's weights."""
    torch.manual_seed(0)
    x, found = torch.randn(8, 32, 8, 8), []
    for _ in range(20):
        conv, norm, relu = conv_bn(32, 32, 3)
        nn.init.normal_(conv.weight, std=scale * (2 / (32 * 9)) ** 0.5)
        x = relu(norm(conv(x))) if normalised else relu(conv(x))
        found.append(x.std().item())
    return found


figure, axes = plt.subplots(1, 2, figsize=(5.2, 1.8), sharey=True)
for ax, normalised in zip(axes, (False, True), strict=True):
    for scale, line in ((0.5, "-"), (1.0, "--"), (1.5, ":")):
        stds = spread(scale, normalised)
        ax.semilogy(range(1, 21), stds, line, label=f"weights × {scale}")
    ax.set(xlabel="layer", title="with batch norm" if normalised else "without")
axes[0].set_ylabel("std of the output")
axes[0].legend(fontsize=8)
plt.show()

# %% [markdown]
# Left, a factor of one half a layer becomes six orders of magnitude; right, the three lines lie on one another. So the
# signal survives deep stacks of thin layers, and large kernels may be cut into such stacks.
#
# ## Factorised convolutions
#
# A convolution n×n from C to C channels costs $n^2 C^2$ multiplications a position. Two ways to see as far for less
# (sections 3.1 and 3.2): a stack of $(n-1)/2$ kernels 3×3, or a pair, 1×n then n×1:
#
# $$n^2 C^2 \;\longrightarrow\; 9\,\tfrac{n-1}{2}\,C^2 \qquad\text{or}\qquad n^2 C^2 \;\longrightarrow\; 2n\,C^2$$
#
# How much is saved, counted on the layers themselves?

# %%
def macs(*kernels) -> int:
    """Return the MACs of a stack of kernels, 16 to 16 channels, on a 17×17 map."""
    stack = nn.Sequential(*(conv_bn(16, 16, kernel) for kernel in kernels))
    return flops.count(stack, (1, 16, 17, 17)).macs


figure, ax = plt.subplots(figsize=(4.8, 1.8))
sides = range(3, 13, 2)
stacks = {"3×3 kernels": lambda n: [3] * (n // 2), "1×n, n×1": lambda n: [(1, n), (n, 1)]}
for name, stack in stacks.items():
    saved = [100 - 100 * macs(*stack(n)) / macs(n) for n in sides]
    ax.plot(sides, saved, "o-", label=name)
    print(f"{name}:", *(f"{value:.1f} %" for value in saved))
ax.set(xlabel="side n of the kernel replaced", ylabel="saved (%)", xticks=sides)
ax.legend()
plt.show()

# %% [markdown]
# The paper's numbers are 28 % for 5×5, 33 % for 3×3 as a pair (two 2×2 would save 11 %). The network v3 takes 3×3 in
# place of large kernels early on, and pairs of 7 on its 17×17 maps. The authors found pairs poor in early layers and
# very good on maps with sides of 12 to 20 (section 3.2).
#
# ## What a pair can and cannot represent
#
# A column $c$ (n×1) after a row $r$ (1×n) is one kernel: the outer product $K = c\,r^T$, a matrix of **rank 1**. A kernel of
# higher rank equals no pair; the nearest pair is $\sigma_1 u_1 v_1^T$ of its singular value decomposition, which keeps
# $\sigma_1^2 / \sum_i \sigma_i^2$ of its energy. How much is that, for kernels one would like to have?

# %%
KERNELS = {
    "mean": [[1, 1, 1], [1, 1, 1], [1, 1, 1]], "edge": [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
    "Laplace": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    "diagonal edge": [[0, 1, 2], [-1, 0, 1], [-2, -1, 0]],
    "diagonal line": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
}
figure, axes = plt.subplots(2, 5, figsize=(6.4, 2.9))
for (top, bottom), (name, kernel) in zip(axes.T, KERNELS.items(), strict=True):
    u, s, vt = torch.linalg.svd(torch.tensor(kernel, dtype=torch.float32))
    top.set_title(f"{name}\nrank {(s > 1e-5).sum()}", fontsize=9)
    bottom.set_title(f"pair: {s[0] ** 2 / s.square().sum():.0%}", fontsize=9)
    for ax, picture in ((top, kernel), (bottom, s[0] * u[:, :1] @ vt[:1])):
        ax.imshow(picture, cmap="RdBu", vmin=-2, vmax=2)
        ax.set_axis_off()

# %% [markdown]
# Horizontal and vertical structure survives, diagonals do not. But a layer has more than one channel between row and
# column. With M of them, $K = \sum_{m=1}^{M} c_m r_m^T$: any single 3×3 kernel from M = 3 on. And all kernels of a layer
# at once, C channels to C? Lay them out as one matrix, (output · row) × (input · column), 3C × 3C. A pair with M
# channels between is a product of 3C × M and M × 3C. So it reaches **rank M**, one third of full rank for M = C.
# Below: the theory, and what gradient descent finds, for 8 channels of random kernels.

# %%
torch.manual_seed(0)
kernels = torch.randn(8, 8, 3, 3)  # output, input, row, column
matrix = kernels.permute(0, 2, 1, 3).reshape(24, 24)
energy = torch.linalg.svdvals(matrix).square()
theory = 1 - energy.cumsum(0) / energy.sum()
x = torch.randn(16, 8, 12, 12)
target = nn.functional.conv2d(x, kernels)
found = {}
for between in (2, 8, 16, 24):
    pair = nn.Sequential(nn.Conv2d(8, between, (1, 3)), nn.Conv2d(between, 8, (3, 1)))
    optimizer = torch.optim.Adam(pair.parameters(), lr=0.02)
    for _ in range(250):
        error = (pair(x) - target).square().mean() / target.square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    found[between] = 100 * error.item()
figure, ax = plt.subplots(figsize=(4.6, 1.8))
print(f"the best of rank 8 misses {theory[7]:.0%}")
ax.plot(range(1, 25), 100 * theory, label="best of rank M")
ax.plot(found.keys(), found.values(), "o", label="trained pair")
ax.set(xlabel="channels M between row and column", ylabel="energy missed (%)")
ax.legend()
plt.show()

# %% [markdown]
# With as many channels between as outside, M = 8, a pair misses a quarter of the energy of *random* kernels. It need not
# imitate them: v3's pairs have batch normalisation and a **ReLU** between, so they compute what no single kernel can. The ReLU need
# not lose anything: since $\max(0, z) - \max(0, -z) = z$, twice the channels restore the linear pair. In [1] a ReLU between two 3×3
# kernels gave 77.2 % top-1 accuracy where none gave 76.2 % (Figure 2).
#
# ## Modules
#
# A module is a table: branches side by side, each a list of layers; a branch may fork at its end.
# Three kinds, for three sizes of map. **A** at 35×35: Figure 5 of [1], two 3×3 in a row. **B** at 17×17: Figure 6, pairs of
# 7. **C** at 8×8: Figure 7, where row and column stand side by side instead of one behind the other. That gives
# more channels, where maps are small and widths are cheap.

# %% tags=["export"]
class Conv(NamedTuple):
    """A row of a branch: what `conv_bn` makes of it; kernels are (rows, columns)."""

    width: int
    kernel_size: int | tuple = 1
    stride: int = 1
    padding: str = "same"


class Chain(nn.Sequential):
    """Layers in a row: a Conv, a list of branches, or a function that makes a pooling.

    share: of the widths in the rows; `width`: channels of the output.
    """

    def __init__(self, channels, rows, share=1.0):
        layers = []
        for row in rows:
            if isinstance(row, Conv):
                width = int(share * row.width)
                layers.append(conv_bn(channels, width, *row[1:]))
                channels = width
            elif isinstance(row, list):
                layers.append(Mixed(channels, row, share))
                channels = layers[-1].width
            else:
                layers.append(row())
        super().__init__(*layers)
        self.width = channels


# %% tags=["export"]
class Mixed(nn.Module):
    """Branches that see the same maps; their channels are joined."""

    def __init__(self, channels, branches, share=1.0):
        super().__init__()
        self.branches = nn.ModuleList(Chain(channels, rows, share) for rows in branches)
        self.width = sum(branch.width for branch in self.branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


# %% tags=["export"]
def average():
    return nn.AvgPool2d(3, stride=1, padding=1)


def module_a(pooled):
    """Branches at 35×35: 224 channels and `pooled` more."""
    return [
        [Conv(64)],
        [Conv(48), Conv(64, 5)],  # Figure 5: 3×3; the released network: 5×5
        [Conv(64), Conv(96, 3), Conv(96, 3)],
        [average, Conv(pooled)],
    ]


def module_b(inner):
    """Branches at 17×17: 768 channels; `inner` inside the pairs of 7."""
    row, column = Conv(inner, (1, 7)), Conv(inner, (7, 1))
    return [
        [Conv(192)],
        [Conv(inner), row, column._replace(width=192)],
        [Conv(inner), column, row, column, row._replace(width=192)],
        [average, Conv(192)],
    ]


FORK = [[Conv(384, (1, 3))], [Conv(384, (3, 1))]]
DEEP = [Conv(448), Conv(384, 3), FORK]  # branches at 8×8: 2048 channels
MODULE_C = [[Conv(320)], [Conv(384), FORK], DEEP, [average, Conv(192)]]

# %% [markdown]
# ## A smaller grid without a bottleneck
#
# Between the kinds the map is halved and widened, here from $d^2 C$ values to $\frac{d^2}{4} 2C$. **Pooling, then a
# convolution** costs $2(\frac d2)^2 C^2$, but all that arrives must pass $\frac{d^2}{4} C$ values. **A convolution,
# then pooling** has no such bottleneck, and costs four times as much: $2 d^2 C^2$. **Both side by side**, a convolution with
# stride 2 and a pooling, joined (section 5 of [1], Figure 10), costs half of the first. (For 3×3 kernels, multiply each cost by 9.)
#
# What does the bottleneck do? A network passes on how its input changes: the rank of its Jacobian matrix counts the
# directions of change that survive.

# %% jupyter={"source_hidden": true}
def conv(width, stride=1):
    return nn.Conv2d(4, width, 3, stride, padding=1, bias=False)


torch.manual_seed(0)
DESIGNS = {
    "pool, then conv": nn.Sequential(nn.MaxPool2d(2), conv(8)),
    "conv, then pool": nn.Sequential(conv(8), nn.MaxPool2d(2)),
    "side by side": Mixed(4, [[lambda: conv(4, stride=2)], [lambda: nn.MaxPool2d(2)]]),
}
x = torch.randn(1, 4, 8, 8)  # 256 values become 128
figure, axes = plt.subplots(1, 2, figsize=(6.4, 1.7), sharey=True)
for row, design in enumerate(DESIGNS.values()):
    jacobian = torch.autograd.functional.jacobian(design, x).reshape(128, 256)
    rank = torch.linalg.matrix_rank(jacobian).item()
    cost = flops.count(design, (1, 4, 8, 8)).macs
    for ax, value in zip(axes, (cost, rank), strict=True):
        ax.barh(row, value)
        ax.annotate(f" {value:,}", (value, row), va="center")
axes[0].set_yticks(range(3), DESIGNS)
axes[0].set(xlabel="MACs", xlim=(0, 23_000))
axes[1].set(xlabel="rank, of 128", xlim=(0, 150))
axes[0].invert_yaxis()
plt.show()

# %% tags=["export"]
def halve():
    return nn.MaxPool2d(3, stride=2)


def half(width):
    """A row that halves the map: 35 to 17, 17 to 8."""
    return Conv(width, 3, 2, "valid")


REDUCTION_A = [[half(384)], [Conv(64), Conv(96, 3), half(96)], [halve]]
PAIR = [Conv(192, (1, 7)), Conv(192, (7, 1))]
REDUCTION_B = [[Conv(192), half(320)], [Conv(192), *PAIR, half(192)], [halve]]

# %% tags=["check"]
for table, channels, side, shape in (
    (module_a(32), 192, 35, (256, 35, 35)),
    (REDUCTION_A, 288, 35, (768, 17, 17)),
    (module_b(160), 768, 17, (768, 17, 17)),
    (REDUCTION_B, 768, 17, (1280, 8, 8)),
    (MODULE_C, 1280, 8, (2048, 8, 8)),
):
    check.shape(Mixed(channels, table), (2, channels, side, side), (2, *shape))
print("✓ two reductions and A, B and C: 256 channels at 35×35, 768 at 17×17, up to 2,048 at 8×8")

# %% [markdown]
# Pooling first leaves 64 directions however wide the convolution after it. Side by side, all 128 survive, for an eighth
# of the price of the convolution first. There are two such places in v3, with a second, deeper convolution branch in each.
#
# What do the five modules look like? The figure is drawn from the tables above. A column is a branch, a box is
# a layer with its width, from bottom to top; /2 is a stride of 2.

# %% jupyter={"source_hidden": true} tags=["thumbnail"]
def words(row) -> str:
    """Return what stands in a layer's box."""
    if isinstance(row, list):
        return "1×3 | 3×1\n384 + 384"
    if isinstance(row, Conv):
        n = row.kernel_size
        size = "×".join(map(str, n if isinstance(n, tuple) else (n, n)))
        return f"{size}{' /2' if row.stride == 2 else ''}\n{row.width}"
    return "mean\n3×3" if row is average else "max\n3×3 /2"


figure = plt.figure(figsize=(6.4, 4))
panels = [("A (35×35)", module_a(64)), ("35 to 17", REDUCTION_A), ("C (8×8)", MODULE_C),
          ("B (17×17)", module_b(160)), ("17 to 8", REDUCTION_B)]
grid = figure.add_gridspec(2, 12, height_ratios=(3, 5))
places = [grid[0, :4], grid[0, 4:7], grid[0, 7:], grid[1, :5], grid[1, 6:10]]
for color, (place, (title, table)) in enumerate(zip(places, panels, strict=True)):
    ax = figure.add_subplot(place, title=title, xlim=(-0.5, len(table) - 0.5))
    ax.set(ylim=(-0.5, 2.5 if color < 3 else 4.5))
    for x, rows in enumerate(table):
        ax.plot([x, x], [0, len(rows) - 1], color=f"C{color}", lw=1, zorder=0)
        for y, row in enumerate(rows):
            box = {"fc": "white", "ec": f"C{color}", "pad": 2}
            ax.text(x, y, words(row), ha="center", va="center", fontsize=6, bbox=box)
    ax.set_axis_off()

# %% [markdown]
# ## The network
#
# A stem of five convolutions and two poolings leads from 299×299 to 35×35. Then come three modules A, four B, two C,
# and a linear classifier on the mean of the last maps. An **auxiliary head** looks at the last 17×17 maps while training.
# GoogLeNet had two, to bring gradients to early layers. The authors now find that a head changes nothing early in
# training and adds a little at its end. It adds more when all of it is batch-normalised, also its hidden fully
# connected layer (in our code the 5×5 convolution on 5×5 maps). They call it a regulariser (section 4).

# %% tags=["export"]
class Inception(nn.Module):
    """Map images (N, 3, S, S) to logits (N, num_classes); (logits, auxiliary) in training.

    early, late: tables of the modules before and after the place where the auxiliary
    head `side` looks; share: of all widths but the stem's; aux: whether to have the head.
    """

    def __init__(
        self, stem, early, late, side, num_classes, share=1.0, aux=True, dropout=0.0
    ):
        super().__init__()
        self.stem = Chain(3, stem)
        before = Chain(self.stem.width, early, share)
        after = Chain(before.width, late, share)
        self.stages = nn.Sequential(before, after)
        self.head = classifier(after.width, [], num_classes, dropout=dropout)
        self.auxiliary = classifier(before.width, side, num_classes, share) if aux else None

    def forward(self, images: Tensor):
        before, after = self.stages
        maps = before(self.stem(images))
        logits = self.head(after(maps))
        if self.training and self.auxiliary is not None:
            return logits, self.auxiliary(maps)
        return logits


# %% tags=["export"]
def classifier(channels, rows, num_classes, share=1.0, dropout=0.0):
    """Return layers, the mean over all positions, and a linear layer."""
    chain = Chain(channels, rows, share)
    mean = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout)
    return nn.Sequential(chain, *mean, nn.Linear(chain.width, num_classes))


IMAGE_SIZE = 299  # pixels
V3_STEM = [
    Conv(32, 3, 2, "valid"), Conv(32, 3, 1, "valid"), Conv(64, 3), halve,
    Conv(80), Conv(192, 3, 1, "valid"), halve,
]
V3_EARLY = [
    module_a(32), module_a(64), module_a(64),
    REDUCTION_A, module_b(128), module_b(160), module_b(160), module_b(192),
]
V3_LATE = [REDUCTION_B, MODULE_C, MODULE_C]
V3_SIDE = [lambda: nn.AvgPool2d(5, stride=3), Conv(128), Conv(768, 5, 1, "valid")]


def inception_v3(num_classes: int = 1000, aux: bool = True) -> Inception:
    """Return the network for images (N, 3, 299, 299).

    23,834,568 parameters and 5,713,216,096 MACs at 1000 classes; the auxiliary head adds
    3,326,696 parameters, and nothing in eval mode. With it, training needs 299 pixels.
    """
    tables = V3_STEM, V3_EARLY, V3_LATE, V3_SIDE
    return Inception(*tables, num_classes, aux=aux, dropout=0.2)


# %% [markdown]
# ## Against the paper
#
# We check parameters and MACs to the last one, and the logits against torchvision's network. `check.matches` draws
# new weights for it, copies them to ours, and compares in float64. In train mode it also compares the running means
# of the batch normalisations. At 139×139 pixels this is quick. The head is compared on its own. Then our network takes the
# weights that torchvision publishes, and looks at two photos.
#
# The released network, which every library copies, is not quite the paper's Table 1. Its stem has a max pooling where
# the table has a convolution with stride 2. Its modules A keep one 5×5 where Figure 5 has 3×3. Its longest path has
# 48 layers with weights where the paper counts 42, and its operations are 5.7 billion, not 4.8. The figure after the photos
# shows where its weights are, and where its work.

# %% tags=["check"]
from torchvision.models import inception_v3 as torchvision_s

with torch.device("meta"):
    check.params(inception_v3(), 27_161_264)
    check.params(inception_v3(aux=False), 23_834_568)
    check.macs(inception_v3(), (1, 3, 299, 299), 5_713_216_096)
theirs = torchvision_s(init_weights=False)
net, images = inception_v3(), torch.randn(4, 3, 139, 139)
assert check.matches(net, theirs, images).error < 1e-9
maps = torch.randn(4, 768, 17, 17)
assert check.matches(net.auxiliary, theirs.AuxLogits, maps, train=True).error < 1e-9
net.auxiliary = theirs.AuxLogits = None
theirs.aux_logits = False
assert check.matches(net, theirs, images, train=True).error < 1e-9
print("✓ 23,834,568 parameters, 27,161,264 with the head · 5.713 G MACs")
print("✓ logits and head as torchvision's within 1e-9, in both modes")

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
from course_lib import classify

classify.show("07_inception")

# %% jupyter={"source_hidden": true}
net = inception_v3(aux=False).to("meta")  # nothing is computed, only counted
x, sizes = torch.zeros(1, 3, 299, 299, device="meta"), []
kinds, parts = "stem A A A ½ B B B B ½ C C", [net.stem, *net.stages[0], *net.stages[1]]
color = {"A": "C0", "B": "C3", "C": "C2", "½": "C1", "stem": "0.6"}
figure, axes = plt.subplots(2, 1, figsize=(6.4, 2.9), sharex=True)
for place, (kind, part) in enumerate(zip(kinds.split(), parts, strict=True)):
    cost, x = flops.count(part, tuple(x.shape)), part(x)
    for ax, name in zip(axes, ("params", "macs"), strict=True):
        ax.bar(place, getattr(cost, name) / 1e6, color=color[kind])
        ax.set_ylabel(f"{name} (M)")
    sizes.append(f"{kind}\n{x.shape[2]}²\n×{x.shape[1]}")
axes[1].set_xticks(range(len(parts)), sizes, fontsize=8)
plt.show()
print(f"the stem does {flops.count(net.stem, (1, 3, 299, 299)).macs / 5_713_216_096:.0%} of the work")

# %% [markdown]
# *From stem to head: kind of module (½ halves the map), side of its map, channels.*
#
# Weights gather where maps are small, work where they are large: the five convolutions of the stem do 23 % of it.
#
# ## For 32×32 pixels
#
# | | v3 | `inception_small` | why |
# |---|---|---|---|
# | stem | 5 convolutions, 299 to 35 | 2 convolutions, 32 to 15 | few pixels to give away |
# | modules | 3 A, 4 B, 2 C | one of each, both reductions | minutes on one core |
# | widths | 32 to 2048 | an eighth (stem: 16, 32) | 0.18 million parameters |
# | auxiliary head | mean of 5×5, kernel 5×5 | mean of 3×3, kernel 3×3 | its maps are 7×7, not 17×17 |
# | dropout | 0.2 before the last layer | none | 8 epochs overfit little |

# %% tags=["export"]
SMALL_STEM = [Conv(16, 3), Conv(32, 3, 2, "valid")]  # widths are not shared out
SMALL_SIDE = [lambda: nn.AvgPool2d(3, stride=2), Conv(128), Conv(768, 3, 1, "valid")]
SHARE = 1 / 8  # of v3's widths


def inception_small(num_classes: int = 10, aux: bool = True) -> Inception:
    """Return a network of one A, B and C for images (N, 3, 32, 32), an eighth as wide.

    Maps are 15×15, 7×7 and 3×3. 180,016 parameters, of which the auxiliary head has 16,554.
    """
    early, late = [module_a(64), REDUCTION_A, module_b(160)], [REDUCTION_B, MODULE_C]
    return Inception(SMALL_STEM, early, late, SMALL_SIDE, num_classes, SHARE, aux)


PAPER = {"optimizer": "rmsprop", "epsilon": 1.0, "learning_rate": 0.045, "batch_size": 32,
         "schedule": "exponential", "clip_norm": 2.0, "label_smoothing": 0.1}  # section 8
FAST = {"crop_padding": 2, "channels_last": True, "precision": "bfloat16"}
RECIPES = {  # keyword arguments of course_lib.train.Recipe
    "digits": {**PAPER, **FAST, "epochs": 6},
    "cifar10": {**PAPER, **FAST, "epochs": 8, "batch_size": 64, "schedule": "cosine",
                "flip": True},
}

# %% tags=["check"]
from course_lib.data import batches, load

torch.manual_seed(0)
small, batch = inception_small(), next(batches(load("digits", size=32, channels=3), 32))
check.params(small, 180_016)
check.params(inception_small(aux=False), 163_462)
check.macs(small, (1, 3, 32, 32), 6_284_336)
check.gradients(small, (4, 3, 32, 32))
check.learns(small, *batch, learning_rate=3e-3)
print("✓ 180,016 parameters · 6.28 M MACs · every one gets a gradient, 32 digits are learned")

# %% [markdown]
# ## Label smoothing
#
# Cross-entropy with a label is least when the logit of the label is infinitely larger than all others. The logits grow
# and grow, and the network becomes too sure (section 7). So give every class ε/K of the target probability, and the true class the rest:
#
# $$q'(k) = (1 - \varepsilon)\,\delta_{k,y} + \frac{\varepsilon}{K}, \qquad \text{loss} = -\sum_{k=1}^{K} q'(k) \log p(k), \qquad \varepsilon = 0.1$$
#
# $y$: the label, $K$: classes, $p$: softmax of the logits. The gradient by the logits is $p - q'$: zero where
# $p = q'$, all wrong logits equal and the right one larger by a finite gap, $\log(1 + K (1 - \varepsilon) / \varepsilon)$.
# How does the loss depend on that gap?

# %%
import math

gap = torch.linspace(-2, 14, 161)
figure, ax = plt.subplots(figsize=(4.8, 1.9))
logits, label = nn.functional.pad(gap[:, None], (0, 9)), torch.zeros(161, dtype=int)
ax.plot(gap, nn.functional.cross_entropy(logits, label, reduction="none"), label="ε = 0")
for epsilon in (0.01, 0.1, 0.3):
    smooth = nn.CrossEntropyLoss(label_smoothing=epsilon, reduction="none")
    (line,) = ax.plot(gap, smooth(logits, label), label=f"ε = {epsilon}")
    best = math.log(1 + 10 * (1 - epsilon) / epsilon)
    ax.plot(best, smooth(logits, label).min(), "o", color=line.get_color())
ax.set(xlabel="right logit − wrong logits, 10 classes", ylabel="loss (nats)", ylim=(0, 3))
ax.legend(fontsize=8)
plt.show()

# %% [markdown]
# At ε = 0.1 the best gap is 4.51 for 10 classes and 9.11 for 1000, and more than that is punished. The paper gains 0.2 %
# in top-1 and in top-5 error.
#
# ## RMSProp, slowed down
#
# The recipe of section 8 has batches of 32 and RMSProp with a decay of 0.9 and ε = 1.0. The learning rate is 0.045,
# × 0.94 every two epochs; gradients are clipped to a norm of 2.0. RMSProp divides each gradient by the root of its mean square $v$:
#
# $$v \leftarrow 0.9\,v + 0.1\,g^2, \qquad w \leftarrow w - \eta\,\frac{g}{\sqrt{v + \varepsilon}}\ \text{(TensorFlow)} \quad\text{or}\quad w - \eta\,\frac{g}{\sqrt v + \varepsilon}\ \text{(PyTorch)}$$
#
# With the usual ε of 10⁻⁸ every weight steps equally far. What does ε = 1 do? The figure draws the step for a steady gradient
# $g$. The grey band shows how large the gradients of the small network are before training.

# %%
nn.functional.cross_entropy(small.train()(batch[0])[0], batch[1]).backward()
grads = [p.grad for p in small.parameters() if p.grad is not None]
sizes = torch.cat([grad.abs().flatten() for grad in grads])
g = torch.logspace(-6, 1, 100)
steps = {"ε = 10⁻⁸": g / (g + 1e-8), "ε = 1, TensorFlow": g / (g.square() + 1).sqrt(),
         "ε = 1, PyTorch": g / (g + 1), "no division (SGD)": g}
figure, ax = plt.subplots(figsize=(5.2, 2.2))
for (name, step), style in zip(steps.items(), ("-", "-", "--", ":"), strict=True):
    ax.loglog(g, step, style, label=name)
low, high = sizes[sizes > 0].quantile(torch.tensor([0.05, 0.95])).tolist()
ax.axvspan(low, high, color="0.9", label="90 % of gradients")
ax.set(xlabel="gradient g", ylabel="step / learning rate")
ax.legend(fontsize=7)
plt.show()

# %% [markdown]
# Nearly all gradients are far below 1: there RMSProp with ε = 1 **is** SGD, and differs only where a gradient is large, which
# it tames. Inside the root or outside hardly matters then; for ε = 0.001 it would, as $\sqrt{0.001} = 0.03$. (Our trainer takes PyTorch's.)
#
# ## Training
#
# The paper's recipe as it stands, on 1,429 digits, with ε = 0.1 and without. Expected: six epochs in about 15 seconds each
# way, 95 % validation top-1 or more (one seed; of 185 images, so ± 2 % is chance).
#
# And what does smoothing do to the logits? For each validation digit we measure how far the right logit stands above the
# mean of the nine others. We also measure how much these nine differ among themselves.

# %% tags=["nbval-ignore-output"]
train, val, test = (load("digits", part, size=32, channels=3) for part in data.SPLITS)
trained, histories = {}, {}
for epsilon in (0.1, 0.0):
    torch.manual_seed(0)
    trained[epsilon] = inception_small()
    recipe = Recipe(**RECIPES["digits"] | {"label_smoothing": epsilon})
    histories[f"ε = {epsilon}"] = fit(trained[epsilon], train, val, recipe, quiet=True)
figure, ax = plt.subplots(figsize=(4.8, 1.9))
plot.curves(ax, histories)
print(*(f"{name}: {history[-1].val_top1:.1%}" for name, history in histories.items()), sep=", ")
assert all(history[-1].val_top1 > 0.9 for history in histories.values())

# %% tags=["nbval-ignore-output"] jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 2, figsize=(5.6, 1.9))
for epsilon, net in trained.items():
    logits = net.eval()(next(batches(val, len(val)))[0]).detach()
    right = nn.functional.one_hot(val.labels, 10).bool()
    wrong = logits[~right].view(-1, 9)
    gaps, spreads = logits[right] - wrong.mean(dim=1), wrong.std(dim=1)
    axes[0].hist(gaps.numpy(), bins=40, range=(-2, 18), alpha=0.6, label=f"ε = {epsilon}")
    axes[1].hist(spreads.numpy(), bins=40, range=(0, 4), alpha=0.6)
    print(f"ε = {epsilon}: gap {gaps.mean():.1f} ± {gaps.std():.1f}, std {spreads.mean():.2f}")
axes[0].axvline(math.log(91), color="0.3", lw=1, ls="--")  # the target
axes[0].set(xlabel="right logit − mean of the others", ylabel="digits")
axes[1].set(xlabel="std of the nine wrong logits")
figure.legend(loc="upper right")
plt.show()

# %% [markdown]
# Smoothed, the right logit stands near its target of 4.5 above the others (dashed), and these are nearly equal. Without,
# the gap is more than twice as large, and the wrong logits differ: they say which other class an image
# resembles. Smoothing wipes most of that out.
#
# ## Does the head help? Is smoothing worth it?
#
# `python experiments/smoothing.py` trained the small network on 5,000 images of CIFAR-10 for 12 epochs. It had the head of
# v3, the same head without its batch normalisation, or none; and once ε = 0.

# %% jupyter={"source_hidden": true}
with open(results.RESULTS / "07_inception-smoothing.csv", newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
top1, gap = {}, {}  # by head and smoothing: test top-1 (%) and mean gap of each seed
for row in rows:
    arm = f"head {row['head']}, ε = {row['smoothing']}"
    top1.setdefault(arm, []).append(100 * float(row["test_top1"]))
    gap.setdefault(arm, []).append(float(row["gap_mean"]))
whole, *others = top1
names = "smoothing", "the head", "the head's normalisation"
pairs = {name: (top1[whole], top1[arm]) for name, arm in zip(names, others, strict=True)}
for arm, scores in top1.items():
    print(f"{arm}: {sum(scores) / 5:.1f} %, gap {sum(gap[arm]) / 5:.1f}")
print(*(f"{name}: {page.paired(*pair)} points" for name, pair in pairs.items()), sep="\n")

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(5, 1.5))
page.gains(ax, pairs)
ax.set_xlabel("gain in test top-1 (points)")
plt.show()

# %% [markdown]
# Five paired seeds cannot tell: every interval contains 0. The paper finds gains of 0.2 % and 0.4 %, on 1.2 million images after 100
# epochs, the head's near the end. Our intervals are one to two points wide on either side, so they neither show such gains nor exclude them.
# What smoothing does to the gap of logits shows here too: its mean is 3.1 with smoothing, and 4.9 without.
#
# ## Looking inside
#
# Are kernels that training made nearer to what pairs represent than random ones? Left: the small network's training
# on CIFAR-10. Right: the energy that the best pair keeps of each 3×3 layer, laid out as above. The pair has as many
# channels between as the layer has on its narrower side.

# %% tags=["nbval-ignore-output"]
path = results.RESULTS / "07_inception-inception_small-cifar10-long-seed0.json"
record = results.read(path)
net = results.load_weights(path.with_suffix(".safetensors"), inception_small())
print(f"test top-1 {record.test_top1:.2%} after {len(record.history)} epochs, one seed")
if any(row.name == "cifar10" and row.path for row in data.available()):
    verified = results.verify(path)
    print(f"measured again from the stored weights: {verified.measured.top1:.2%}")
    assert verified.ok
figure, (left, right) = plt.subplots(1, 2, figsize=(6, 1.9))
for split in ("train", "val"):
    top1 = [100 * value for value in record.history.column(f"{split}_top1")]
    left.plot(record.history.column("epoch"), top1, label=split)
left.set(xlabel="epoch", ylabel="top-1 (%)")
left.legend()
banks = [p.detach() for p in net.parameters() if p.shape[2:] == (3, 3)]
for name, marker in (("trained", "o"), ("random", "x")):
    kept = []
    for bank in banks:
        bank = bank if name == "trained" else torch.randn_like(bank)
        matrix = bank.permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
        energy = torch.linalg.svdvals(matrix).square()
        kept.append(100 * energy[: min(bank.shape[:2])].sum() / energy.sum())
    right.plot(range(1, 1 + len(banks)), kept, marker, label=name)
    print(f"{name} kernels: the best pair misses {100 - max(kept):.0f} to {100 - min(kept):.0f} % of the energy")
right.set(xlabel="3×3 layer, from stem to head", ylabel="energy kept (%)", ylim=(0, 100))
right.legend()
plt.show()

# %% [markdown]
# In this one network they are: in every layer, a pair loses less energy than with random kernels. But a twentieth to
# a third would still be lost: v3 does not split trained kernels, it trains pairs.
#
# ## Take-aways
#
# - **Seven changes brought 7.8 points.** The top-1 error falls from 29.0 to 21.2 %, for three times the multiply-adds (Table 3 of [1]).
# - **Small kernels are cheaper.** A pair of 3×3 saves 28 % against 5×5, and a 1×7 with a 7×1 saves 71 % against 7×7.
# - **A pair has a price.** It reaches one third of full rank. Of random kernels the best pair with 8 channels misses 24 %.
# - **Smoothed labels keep logits small.** On digits the gap between the true logit and the others is 4.9 with ε = 0.1, and 11.9 without smoothing (one seed).
#
# ## Before and after
#
# GoogLeNet (unit 06) had 5×5 kernels and no batch normalisation. Inception v4 and Inception-ResNet (2016) added shortcuts. Xception (2016) replaced the modules by depthwise
# separable convolutions. Label smoothing stayed: many later recipes use it, DeiT's for the Vision Transformer among them.
#
# ## Questions
#
# **1.** A module B with `inner = 160` has 1,691,008 parameters. With a 7×7 for each pair? Predict, then build it.
# <details><summary>Answer</summary>
# 4,808,128: a pair of 7 costs two sevenths, the 1×1 convolutions around it stay what they are.
# </details>
#
# **2.** Which gap of logits does ε = 0.1 aim at with 1000 classes, and which probability has the right class there?
# <details><summary>Answer</summary>
# log(1 + 1000 · 0.9 / 0.1) = log 9001 = 9.11; q'(y) = 0.9 + 0.0001 = 0.9001.
# </details>
#
# **3.** `inception_v3().train()` cannot take images of 139×139, in eval mode it can. Which is the smallest side in training?
# <details><summary>Answer</summary>
# 299. The head needs 17×17: (17 − 5) / 3 + 1 = 5 for its 5×5 kernel. Backwards through the reduction 17 ← 35, the pooling
# 35 ← 71, the stem 71 ← 73 ← 147 ← 149 and the first convolution 149 ← 299. Not one pixel less will do.
# </details>
#
# **4.** torchvision's average pooling counts the zeros of the padding; the released TensorFlow code does not. Where would the
# two networks differ, given the same weights?
# <details><summary>Answer</summary>
# Along the borders only, where 3 or 5 of 9 values are padding. `nn.AvgPool2d(count_include_pad=False)` is the other one. At
# 8×8, 28 of 64 positions are border.
# </details>
#
# **5.** (open) Where do pairs of 7 stop paying? Put them into the module at 15×15, or 7×7 kernels into the one at 7×7.
# <details><summary>A start</summary>
# Change `early` in `inception_small`, keep the parameters about equal, and train three seeds each: one seed moves by a
# point or two.
# </details>
#
# ## References
#
# 1. C. Szegedy et al., *Rethinking the Inception Architecture for Computer Vision*, arXiv:1512.00567, 2015: the network;
#    sections, figures and tables named here are its.
# 2. S. Ioffe, C. Szegedy, *Batch Normalization*, arXiv:1502.03167, 2015: the norm and BN-Inception.
# 3. C. Szegedy et al., *Going Deeper with Convolutions*, arXiv:1409.4842, 2014: GoogLeNet.
