# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,nbgrader,-all
#     notebook_metadata_filter: kernelspec,jupytext,-all
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
# # Assignment 6 · GoogLeNet (20 points)
#
# The notebook `06_googlenet` built the modules and the network. Here you compute what a module
# costs before it is built, and write a module with other kernels. You also write a loss with
# auxiliary heads, whose weight falls during training.
#
# | | exercise | points | minutes of computing |
# |---|---|---|---|
# | 1 | What a module costs | 5 | – |
# | 2 | Two estimates | 2 | – |
# | 3 | A module with any kernels | 4 | – |
# | 4 | The auxiliary loss and its schedule | 4 | – |
# | 5 | Whose gradient is it? | 3 | – |
# | 6 | Are the heads needed? | 2 | – |
#
# Replace each `raise NotImplementedError`. The cell below it is for your own prints and drawings
# and is not graded. The *visible* tests give some of the points, and you can run them. After you
# hand in, *hidden* tests ask the same function about other inputs; the first line of a hidden test
# says which. Images and maps are (N, C, H, W) throughout.
#
# ["The paper"](https://arxiv.org/abs/1409.4842) is Szegedy et al., *Going Deeper with
# Convolutions*, 2014.

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import copy
import itertools
import math
import random

import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt  # noqa: F401 (for your drawings)
from torch import Tensor, nn

from course_lib import check, data, flops, notebook

googlenet = notebook.load("06_googlenet")

# %% [markdown]
# ### 1 · What a module costs (5 points)
#
# A designer of networks computes before building. A module has `channels` input channels and the
# six widths of Table 1: one, reduce3, three, reduce5, five, project.
#
# **Contract.** `module_cost(channels, widths, side, naive)` returns two numbers, both `int`, for an
# Inception module on maps of `side` x `side`. The first is its parameters, biases included. The
# second is its multiply-accumulates, without those of the biases. The module has reductions and a
# projection, unless it is naive: then only one, three and five count. It raises `ValueError` unless
# there are six widths and all numbers are 1 or more. Use arithmetic: build no module.
#
# `widest_reduction(channels, width, kernel_size, side, budget)` looks at one branch: a 1x1
# reduction to r channels, then a convolution of `kernel_size` to `width`. It returns the largest r
# for which both together cost at most `budget` multiply-accumulates. The answer is never more than
# `channels`: beyond that, nothing is reduced. It raises `ValueError` when even r = 1 costs more.
#
# *Hint:* pooling multiplies nothing. What weights does a convolution have, and what does it compute
# at each pixel? *To see it:* print both numbers for 3a and compare with the notebook.


# %% nbgrader={"grade": false, "grade_id": "cost", "locked": false, "schema_version": 3, "solution": true, "task": false}
def module_cost(
    channels: int, widths: tuple[int, ...], side: int, naive: bool = False
) -> tuple[int, int]:
    """Return parameters (with biases) and MACs of an Inception module.

    widths: one, reduce3, three, reduce5, five, project, as in Table 1 of the paper; a
    naive module uses one, three and five. side: height and width of the maps.
    Raises ValueError unless there are six widths and every number is 1 or more.
    """
    ### BEGIN SOLUTION
    if len(widths) != 6 or min(channels, side, *widths) < 1:
        raise ValueError(f"{channels} channels, {widths}, {side}: six widths, all > 0")
    one, reduce3, three, reduce5, five, project = widths
    layers = [  # kernel size, channels, width
        (1, channels, one),
        (1, channels, reduce3),
        (3, reduce3, three),
        (1, channels, reduce5),
        (5, reduce5, five),
        (1, channels, project),
    ]
    if naive:
        layers = [(1, channels, one), (3, channels, three), (5, channels, five)]
    weights = sum(k * k * before * after for k, before, after in layers)
    biases = sum(after for _, _, after in layers)
    return weights + biases, weights * side * side
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "widest", "locked": false, "schema_version": 3, "solution": true, "task": false}
def widest_reduction(
    channels: int, width: int, kernel_size: int, side: int, budget: int
) -> int:
    """Return the most channels, at most `channels`, that a reduction may leave.

    The 1x1 reduction and the convolution after it, to `width` channels, cost at most
    `budget` MACs together on maps of side x side. Raises ValueError when one is too
    many.
    """
    ### BEGIN SOLUTION
    each = side**2 * (channels + kernel_size**2 * width)  # MACs for one channel more
    if budget < each:
        raise ValueError(f"one channel costs {each:,} MACs, the budget is {budget:,}")
    return min(channels, budget // each)
    ### END SOLUTION


# %%
# Yours: module_cost(192, (64, 96, 128, 16, 32, 32), 28), naive and not.

# %% nbgrader={"grade": true, "grade_id": "cost_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for channels, widths, side, naive in [
    (192, (64, 96, 128, 16, 32, 32), 28, False),
    (192, (64, 96, 128, 16, 32, 32), 28, True),
    (832, (384, 192, 384, 48, 128, 128), 7, False),
]:
    called = f"module_cost({channels}, {widths}, {side}, naive={naive})"
    with check.without("torch.nn.Module.__init__"):  # no module is built to be counted
        found = module_cost(channels, widths, side, naive)
    assert isinstance(found, tuple), f"{called} is {found!r}: expected (params, macs)"
    with torch.device("meta"):
        modules = [kind(channels, googlenet.Widths(*widths)) for kind in (googlenet.Inception, googlenet.NaiveInception)]
    other, module = modules if naive else modules[::-1]
    true, others = flops.count(module, (1, channels, side, side)), sum(p.numel() for p in other.parameters())
    params, macs, weights = true.params, true.macs, true.macs // side**2
    assert found != (macs, params), f"{called}: parameters come first, then MACs"
    _, reduce3, three, reduce5, five, project = widths
    before = (channels, channels) if naive else (reduce3, reduce5)  # what 3x3 and 5x5 read
    more3, more5 = 9 * (channels - reduce3) * three, 25 * (channels - reduce5) * five
    both = {  # off by so many weights, in parameters and MACs alike
        -channels * project: "the projection after the pooling?",
        more3 + more5: "the 3x3 and 5x5 see what the reductions leave",
        more3: "the 3x3 sees what its reduction leaves",
        more5: "the 5x5 sees what its reduction leaves",
        -6 * before[0] * three - 20 * before[1] * five: "a kernel has k·k pixels, not k",
        -8 * before[0] * three - 24 * before[1] * five: "a kernel has k·k pixels",
        channels * project: "a naive module projects nothing",
    }
    hints = {weights + off + sign * project: words for off, words in both.items() for sign in (-1, 0, 1)}
    hints = {n + params - weights: words for n, words in hints.items()}
    hints |= {weights: "the biases are missing", others: "is `naive` used?"}
    hint = hints.get(found[0], "sum k·k·(channels in)·(channels out) + channels out")
    assert found[0] == params, f"{called} has {found[0]:,} parameters, the module {params:,}: {hint}"
    hints = {(weights + off) * side**2: words for off, words in both.items()} | {
        params * side**2: "adding a bias multiplies nothing",
        macs // side: "a map has side · side pixels",
        weights: "every weight multiplies once at *each* of side · side pixels",
        2 * macs: "2 FLOPs are one MAC",
    }
    hint = hints.get(found[1], "every weight multiplies once at every pixel")
    assert found[1] == macs, f"{called} has {found[1]:,} MACs, the module {macs:,}: {hint}"

# %% nbgrader={"grade": true, "grade_id": "cost_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random channels, widths and sides, and all of 1; naive and not; bad numbers.
### BEGIN HIDDEN TESTS
rng = random.Random(1)
for trial in range(10):
    channels, side, *widths = (rng.randint(1, 70 if trial > 1 else 1) for _ in range(8))
    widths, naive = tuple(widths), trial % 2 == 1
    kind = googlenet.NaiveInception if naive else googlenet.Inception
    with torch.device("meta"):
        module = kind(channels, googlenet.Widths(*widths))
    weights = sum(p.numel() for p in module.parameters() if p.ndim == 4)
    with check.without("torch.nn.Module.__init__"):
        found = tuple(module_cost(channels, widths, side, naive=naive))
    called = f"module_cost({channels}, {widths}, {side}, {naive=})"
    expected = sum(p.numel() for p in module.parameters()), weights * side**2
    assert found == expected, f"{called} is {found}, expected {expected}"
    assert all(type(number) is int for number in found), f"{called}: ints, not {found}"
good = 8, (1, 2, 3, 4, 5, 6), 7
for bad in [
    (0, good[1], 7),
    (8, (1, 2, 3, 4, 5), 7),
    (8, (1, 2, 3, 4, 5, 6, 7), 7),
    (8, (1, 2, 3, 4, 5, 0), 7),
    (8, (1, -2, 3, 4, 5, 6), 7),
    (8, good[1], 0),
]:
    try:
        found = module_cost(*bad)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"module_cost{bad} raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "widest_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
branch = 192, 32, 5, 28  # the 5x5 branch of 3a
for budget in (12_443_648, 12_443_647, 100_000_000, 777_728):
    found = widest_reduction(*branch, budget=budget)
    called = f"widest_reduction{branch} under {budget:,}"
    assert isinstance(found, int), f"{called} is {found!r}: a whole number of channels"
    prices = {
        784 * 25 * 32: "the reduction multiplies, too",
        784 * 192: "the convolution after the reduction multiplies, too",
        784 * (192 + 5 * 32): "a kernel has k·k pixels",
        784 * (192 + 32): "a kernel has k·k pixels",
        784 * (192 + 25 * 192): "the convolution goes to `width` channels",
        28 * (192 + 25 * 32): "a map has side · side pixels",
        192 + 25 * 32: "every weight multiplies once at *each* of side · side pixels",
    }
    hints = {min(192, budget // price): words for price, words in prices.items()}
    hint = hints.get(found, "round down: the budget is kept")
    cost = 28 * 28 * (192 * found + 25 * found * 32)
    assert cost <= budget, f"{called} is {found}, which costs {cost:,}: {hint}"
    more = 28 * 28 * (192 + 25 * 32) * (found + 1)
    hint = hints.get(found, "a budget may be met exactly")
    assert more > budget, f"{called} is {found}, but {found + 1} cost {more:,}: {hint}"
found = widest_reduction(*branch, budget=10**9)
assert found == 192, f"with a billion MACs it is {found}: 192 channels, all there are"

# %% nbgrader={"grade": true, "grade_id": "widest_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random branches against a search; budgets that are met exactly, or too small.
### BEGIN HIDDEN TESTS
rng = random.Random(2)
for trial in range(30):
    channels, width, side = rng.randint(1, 40), rng.randint(1, 40), rng.randint(1, 20)
    k = rng.choice([1, 3, 5, 7])
    prices = [
        side * side * (channels * r + k * k * r * width) for r in range(1, channels + 1)
    ]
    price = rng.choice(prices) if trial % 5 else prices[0]
    budget = price + rng.choice([0, 0, -1, 1, rng.randint(0, prices[-1])])
    called = f"widest_reduction({channels}, {width}, kernel_size={k}, {side}, {budget})"
    expected = sum(price <= budget for price in prices) or "a ValueError"
    try:
        found = widest_reduction(channels, width, k, side, budget)
    except ValueError:
        found = "a ValueError"
    except Exception as error:
        found = error
    assert found == expected, f"{called} gave {found!r}, expected {expected!r}"
### END HIDDEN TESTS

# %% [markdown]
# ### 2 · Two estimates (2 points)
#
# Use paper and pencil, before you run anything. The tests of these numbers are hidden.
#
# **Contract.** `expected_macs()` returns two numbers: the multiply-accumulates of the 5x5 branch of
# module 4e, first *without* its reduction, then with it. The maps are 14x14 with 528 channels; the
# branch reduces them to 32 channels and returns 128.
#
# `expected_params()` returns one number: the parameters of the auxiliary head behind 4d, which has
# 528 channels, for *ten* classes. The widths are the paper's: 128 convolutions 1x1 on 4x4 maps,
# then 1024 hidden units, biases everywhere.
#
# *Hint:* 14² = 196; the average pooling of the head has no weights. *To see it:* afterwards,
# compare with `flops.count` and `googlenet.auxiliary_head`.


# %% nbgrader={"grade": false, "grade_id": "expect_macs", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expected_macs() -> tuple[int, int]:
    """Return the MACs of 4e's 5x5 branch that you expect: without reduction, with."""
    ### BEGIN SOLUTION
    return 331_161_600, 23_382_016  # 196·25·528·128 and 196·(528·32 + 25·32·128)
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "expect_params", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expected_params() -> int:
    """Return the parameters that you expect of the head behind 4d, for ten classes."""
    ### BEGIN SOLUTION
    return 2_176_138  # 528·128 + 128, then 2048·1024 + 1024, then 1024·10 + 10
    ### END SOLUTION


# %%
# Yours: did you expect it? Where are the head's parameters?

# %% nbgrader={"grade": true, "grade_id": "expect_macs_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: your two numbers against the layers' own.
### BEGIN HIDDEN TESTS
with torch.device("meta"):
    module = googlenet.Inception(528, googlenet.GOOGLENET_WIDTHS["4e"])
    direct = nn.Conv2d(528, 128, 5, padding=2)
with check.without("torch.nn.Module.__init__"):  # a pencil builds no layer
    mine = tuple(expected_macs())
assert len(mine) == 2, f"{mine}: two numbers, without reduction and with it"
true = [flops.count(layer, (1, 528, 14, 14)).macs for layer in (direct, module.branches[2])]
assert mine != tuple(true[::-1]), "the number without reduction comes first"
thin, wide = 528 * 32, 25 * 32 * 128  # weights of the reduction, and of what follows it
hints = [
    {
        true[0] // 25: "a 5x5 kernel has 25 pixels",
        true[0] // 5: "a 5x5 kernel has 25 pixels",
        true[0] // 196: "every weight multiplies once at each of 14 · 14 pixels",
        true[0] // 14: "a map has 14 · 14 pixels",
        2 * true[0]: "2 FLOPs are one MAC",
        true[0] + 196 * 128: "adding a bias multiplies nothing",
    },
    {
        196 * wide: "the reduction itself multiplies, too",
        196 * thin: "the 5x5 convolution behind the reduction multiplies, too",
        196 * (thin + wide // 25): "a 5x5 kernel has 25 pixels",
        196 * (25 * thin + wide): "the reduction is 1x1",
        196 * (thin + 25 * 528 * 128): "the 5x5 convolution reads what the reduction leaves",
        thin + wide: "every weight multiplies once at each of 14 · 14 pixels",
        2 * true[1]: "2 FLOPs are one MAC",
        true[1] + 196 * 160: "adding a bias multiplies nothing",
    },
]
for name, found, right, known in zip(("without", "with"), mine, true, hints, strict=True):
    hint = known.get(found, "k·k·(channels in)·(channels out) at each pixel")
    assert found == right, f"{name} reduction you expected {found:,}, it has {right:,}: {hint}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "expect_params_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: your number against the head's own.
### BEGIN HIDDEN TESTS
with torch.device("meta"):
    head = googlenet.auxiliary_head(528, 128, 1024, side=4, num_classes=10)
true = sum(p.numel() for p in head.parameters())
with check.without("torch.nn.Module.__init__"):
    mine = expected_params()
hints = {
    true - 128 - 1024 - 10: "each layer has biases",
    true - 128: "the 1x1 convolutions have biases, too",
    true - 1024: "the hidden units have biases, too",
    true - 10: "the classes have biases, too",
    true - 15 * 128 * 1024: "the hidden units read 128 maps of 4x4 numbers each",
    true + (14 * 14 - 16) * 128 * 1024: "the average pooling leaves 4x4 maps",
    true + 990 * 1025: "ten classes, not a thousand",
    true - 528 * 128 - 128: "the 1x1 convolutions have parameters, too",
    true - 1024 * 10 - 10: "the last layer, to the classes, is missing",
    true - 16 * 128: "528 channels come in: 4d's, not 4a's 512",
    true + 15 * 528 * 128: "the kernels of the 128 convolutions are 1x1",
}
hint = hints.get(mine, "three layers: 1x1 convolutions, hidden units, classes")
assert mine == true, f"you expected {mine:,} parameters, the head has {true:,}: {hint}"
### END HIDDEN TESTS

# %% [markdown]
# ### 3 · A module with any kernels (4 points)
#
# Why only 3x3 and 5x5? Write the forward pass of a module with any number of branches, as a
# function of its weights. It can use either pooling: the maximum, as in the paper, or the average,
# as in some modules of its successors.
#
# **Contract.** `inception(x, one, branches, project, pool)` maps (N, C, H, W) to (N, sum of the
# widths, H, W). The 1x1 branch comes first, then `branches` in their order, last the projection of
# the pooled maps.
#
# - A layer is a pair (weight, bias) of tensors. Its weight is (width, channels, k, k) with k odd.
# - `one` and `project` are layers with k = 1.
# - `branches` is a list of pairs (reduction, convolution), two layers each.
# - A ReLU follows *every* convolution, and every convolution keeps H and W.
# - `pool` is `"max"` or `"average"`, over 3x3 pixels with stride 1. At the border it uses only
#   pixels inside the map.
#
# It raises `ValueError` for an even k or another pool.
#
# *Hint:* where maps are negative, a border of zeros changes the maximum. *To see it:* a single
# bright pixel in the middle shows how far each branch reaches.


# %% nbgrader={"grade": false, "grade_id": "inception", "locked": false, "schema_version": 3, "solution": true, "task": false}
def inception(
    x: Tensor, one: tuple, branches: list, project: tuple, pool: str = "max"
) -> Tensor:
    """Return the concatenated branches of an Inception module.

    x: (N, C, H, W). one, project: layers, each (weight (width, C, 1, 1), bias (width,)).
    branches: pairs (reduction, convolution) of layers, with kernels k x k, k odd.
    pool: "max" or "average" over the pixels of a 3x3 window that exist, stride 1.
    Returns (N, sum of the widths, H, W). Raises ValueError for an even k, another pool.
    """
    ### BEGIN SOLUTION
    if pool not in ("max", "average"):
        raise ValueError(f"pool is {pool!r}: expected max or average")

    def layer(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if weight.shape[-1] % 2 == 0:
            raise ValueError(f"a kernel of {weight.shape[-1]} pixels has no middle")
        return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2).relu()

    if pool == "max":
        pooled = F.max_pool2d(x, 3, stride=1, padding=1)
    else:
        pooled = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    maps = [layer(x, *one)]
    for reduction, convolution in branches:
        maps.append(layer(layer(x, *reduction), *convolution))
    maps.append(layer(pooled, *project))
    return torch.cat(maps, dim=1)
    ### END SOLUTION


# %%
# Yours: a bright pixel, kernels 3 and 7, and `plt.imshow` of a map of each branch.

# %% nbgrader={"grade": true, "grade_id": "inception_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(3)
for widths in [(4, 3, 4, 2, 4, 4), (5, 2, 6, 3, 1, 7)]:
    module = googlenet.Inception(6, googlenet.Widths(*widths))  # the notebook's
    layers = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    for conv in layers:
        nn.init.normal_(conv.bias)
    one, *inner, project = [(m.weight.detach(), m.bias.detach()) for m in layers]
    x = torch.randn(2, 6, 7, 5)
    expected = module(x).detach()
    arguments = x, one, [tuple(inner[:2]), tuple(inner[2:])], project
    try:
        answer = inception(*copy.deepcopy(arguments))
    except RuntimeError as error:
        mind = "maps that keep H and W (padding k // 2), concatenated along dim=1?"
        raise AssertionError(f"{error!r}: {mind}") from error
    assert answer is not None, "your function returns None: is there a `return`?"
    shape = tuple(answer.shape)
    what = f"the maps are {shape}, expected {tuple(expected.shape)}"
    assert shape == expected.shape, f"{what}: concatenate channels, which are dim=1"
    assert answer.min() >= 0, "negative maps: a ReLU follows every convolution"
    a, b, c, d = expected.split([widths[0], *widths[2::2], widths[5]], dim=1)
    reduced = [F.conv2d(x, *inner[0]), F.conv2d(x, *inner[2])]
    bare = [F.conv2d(r, *w, padding="same").relu() for r, w in zip(reduced, inner[1::2], strict=True)]
    edge = F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, stride=1)
    for parts, words in [
        ([a, *bare, d], "the reductions have no ReLU: one follows *every* convolution"),
        ([d, a, b, c], "the projection comes last"),
        ([a, c, b, d], "the branches come in their order"),
        ([b, c, a, d], "the 1x1 branch comes first"),
        ([a, b, c, F.max_pool2d(F.conv2d(x, *project).relu(), 3, 1, 1)], "you project, then pool: pool the maps first, then project them"),
        ([a, b, c, F.conv2d(x, *project).relu()], "the maps are projected, but not pooled"),
        ([a, b, c, F.conv2d(edge, *project).relu()], "a border of zeros is larger than negative maps: pool pixels inside the map alone"),
        ([a, b, c, F.conv2d(F.avg_pool2d(x, 3, 1, 1, count_include_pad=False), *project).relu()], "that is an average: without `pool` it is the maximum"),
    ]:
        assert not torch.allclose(answer, torch.cat(parts, dim=1), atol=1e-5), words
    check.close(answer, expected, rtol=1e-4, atol=1e-5, what="the maps of the module")

# %% nbgrader={"grade": true, "grade_id": "inception_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: no, one or three branches, kernels 1 to 9; both poolings; maps all negative.
### BEGIN HIDDEN TESTS
def conv_spec(x, weight, bias):
    """A sum over the kernel's pixels: each times the maps, moved by as much."""
    k, (height, width) = weight.shape[-1], x.shape[2:]
    wide, y = F.pad(x, (k // 2,) * 4), bias[:, None, None]
    for u, v in itertools.product(range(k), repeat=2):
        part = wide[:, :, u : u + height, v : v + width]
        y = y + torch.einsum("nchw,dc->ndhw", part, weight[:, :, u, v])
    return y.clamp(min=0)


def draw_layer(channels, k):
    width = rng.randint(1, 4)
    return torch.randn(width, channels, k, k).double(), torch.randn(width).double()


rng = random.Random(4)
torch.manual_seed(4)
for trial in range(8):
    channels, pool = rng.randint(1, 4), ("max", "average")[trial // 4 % 2]
    x = torch.randn(rng.randint(1, 2), channels, rng.randint(1, 6), rng.randint(1, 6)).double()
    x = x if trial % 3 else -x.abs()
    kernels = [rng.choice([1, 3, 5, 7, 9]) for _ in range(trial % 4)]
    one, project = draw_layer(channels, 1), draw_layer(channels, 1)
    reductions = [draw_layer(channels, 1) for _ in kernels]
    branches = [(r, draw_layer(len(r[0]), k)) for r, k in zip(reductions, kernels, strict=True)]
    answer = inception(*copy.deepcopy((x, one, branches, project)), pool=pool)
    parts = [conv_spec(x, *one), *(conv_spec(conv_spec(x, *a), *b) for a, b in branches)]
    windows = F.pad(x, (1,) * 4, value=math.nan).unfold(2, 3, 1).unfold(3, 3, 1).flatten(4)
    most, zeros = windows.nan_to_num(-math.inf).amax(4), windows.nan_to_num(0.0)
    pooled, other = (most, windows.nanmean(4))[:: 1 if pool == "max" else -1]
    edge = zeros.amax(4) if pool == "max" else zeros.mean(4)
    expected, swapped, bordered = (torch.cat([*parts, conv_spec(p, *project)], dim=1) for p in (pooled, other, edge))
    what = f"the maps for x {tuple(x.shape)}, kernels {kernels}, pool {pool!r}"
    for wrong, words in [(swapped, "this is the other pooling"), (bordered, "a border of zeros is pooled, too: only pixels inside the map")]:
        same = answer.shape == wrong.shape and torch.allclose(answer, wrong)
        assert not same or torch.allclose(wrong, expected), f"{what}: {words}"
    check.close(answer, expected, what=what)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "inception_refuses_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
layers = {k: (torch.ones(2, 2, k, k), torch.ones(2)) for k in (1, 2, 3, 4)}
x = torch.ones(1, 2, 5, 5)
for kernel, pool in [(2, "max"), (4, "average"), (3, "min"), (3, None)]:
    try:
        found = inception(x, layers[1], [(layers[1], layers[kernel])], layers[1], pool)
        found = f"maps of the shape {tuple(found.shape)}"
    except ValueError:
        continue
    except Exception as error:
        found = repr(error)
    raise AssertionError(f"kernel {kernel} with pool {pool!r} raised no ValueError, but gave {found}")
answer = inception(x, layers[1], [(layers[1], layers[3])], layers[1], "average")
assert answer is not None, "what is no mistake gets an answer"

# %% [markdown]
# ### 4 · The auxiliary loss and its schedule (4 points)
#
# The paper adds 0.3 of each auxiliary loss from the first step to the last. But a head that helps a
# network to start may hinder it later: the maps of 4a then have to serve two classifiers. So let
# the weight fall to 0.
#
# **Contract.** `auxiliary_weight(step, steps, first, hold)` returns the weight at a step, 0 <= step
# <= steps. The weight is `first` as long as step <= hold · steps. From there it falls on a straight
# line to 0 at step = steps. It raises `ValueError` for steps below 1, a step outside [0, steps], or
# a hold outside [0, 1).
#
# `total_loss(answer, labels, weight)` returns the loss for what GoogLeNet returned. In train mode
# that `answer` is a tuple: the logits, then the auxiliary logits. The loss is the mean
# cross-entropy of the logits, plus `weight` times the *sum* of the mean cross-entropies of the
# auxiliary logits. In eval mode `answer` is the logits alone, and the loss is their mean
# cross-entropy. Gradients reach all of the logits. It raises `ValueError` for a negative weight, or
# when the numbers of labels and logits differ.
#
# *Hint:* `isinstance(answer, Tensor)`. *To see it:* draw the weight by step.


# %% nbgrader={"grade": false, "grade_id": "schedule", "locked": false, "schema_version": 3, "solution": true, "task": false}
def auxiliary_weight(
    step: int, steps: int, first: float = 0.3, hold: float = 0.5
) -> float:
    """Return `first` up to hold · steps, then a straight line to 0 at `steps`.

    Raises ValueError unless steps >= 1, 0 <= step <= steps and 0 <= hold < 1.
    """
    ### BEGIN SOLUTION
    if steps < 1 or not 0 <= step <= steps:
        raise ValueError(f"step {step} of {steps}: expected 0 to {steps}, steps > 0")
    if not 0 <= hold < 1:
        raise ValueError(f"hold is {hold}: expected 0 or more, below 1")
    left = (1 - step / steps) / (1 - hold)  # of the fall, 1 at its start
    return first * min(1.0, left)
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "total", "locked": false, "schema_version": 3, "solution": true, "task": false}
def total_loss(answer, labels: Tensor, weight: float) -> Tensor:
    """Return the loss (nats, mean over the images) of an answer of GoogLeNet.

    answer: logits (N, K), or a tuple of them: the head's, then the auxiliary heads'.
    labels: (N,). weight: of the sum of the auxiliary losses.
    Raises ValueError when weight < 0 or N differs.
    """
    ### BEGIN SOLUTION
    logits, *others = (answer,) if isinstance(answer, Tensor) else answer
    if weight < 0:
        raise ValueError(f"weight is {weight}: expected 0 or more")
    if len(logits) != len(labels):
        raise ValueError(f"{len(logits)} logits, but {len(labels)} labels")
    loss = F.cross_entropy(logits, labels)
    for other in others:
        loss = loss + weight * F.cross_entropy(other, labels)
    return loss
    ### END SOLUTION


# %%
# Yours: plt.plot of the weight over 1000 steps, with hold 0, 0.5 and 0.9.

# %% nbgrader={"grade": true, "grade_id": "schedule_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for step, expected in [(0, 0.3), (25, 0.3), (50, 0.3), (75, 0.15), (90, 0.06), (100, 0)]:
    found = auxiliary_weight(step, 100)
    assert found is not None, "your function returns None: is there a `return`?"
    hints = {
        0.3 * (1 - step / 100): "it holds for the first half, then falls",
        0.6 * (1 - step / 100): "never above `first`",
        0.3: "after `hold` it falls, to 0 at the last step",
        0.3 * max(0, 1 - step / 50): "it falls after the first part, not in it",
        0.0: "it is `first` up to hold · steps, then falls on a line, not at once",
        0.15 * (1 + math.cos(math.pi * max(0, step - 50) / 50)): "a straight line, not a cosine",
        expected / 0.3: "`first` is missing: 0.3 here",
        0.3 - (step - 50) / 50: "from `first` to 0, not from `first` down by 1",
    }
    hint = [words for value, words in hints.items() if abs(value - found) < 1e-9]
    what = f"auxiliary_weight({step}, 100) is {found:.4g}, expected {expected}"
    assert abs(found - expected) < 1e-9, f"{what}: {hint[0] if hint else 'a straight line from `first` to 0 at `steps`'}"

# %% nbgrader={"grade": true, "grade_id": "schedule_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random steps, first and hold, hold = 0, a single step; what must be refused.
### BEGIN HIDDEN TESTS
rng = random.Random(5)
for _ in range(50):
    steps = rng.choice([1, 2, 7, 64, 1000])
    step = rng.choice([0, steps, rng.randint(0, steps)])
    first, hold = rng.uniform(0, 2), rng.choice([0.0, 0.5, 0.9, rng.uniform(0, 0.99)])
    start = hold * steps
    expected = first if step <= start else first * (steps - step) / (steps - start)
    found = auxiliary_weight(step, steps, first=first, hold=hold)
    called = f"auxiliary_weight({step}, {steps}, first={first:.3g}, hold={hold:.3g})"
    half = min(1.0, 2 * (1 - step / steps))
    for wrong, words in [
        (first * min(1.0, half * (hold < 1)), "`hold` is 0.5 whatever is asked"),
        (0.3 * expected / first, "`first` is 0.3 whatever is asked"),
    ]:
        assert abs(found - wrong) > 1e-9 or abs(wrong - expected) < 1e-9, f"{called}: {words}"
    close = abs(found - expected) < 1e-9
    assert close, f"{called} is {found:.4g}, expected {expected:.4g}"
for bad in [(0, 0), (-1, 10), (11, 10), (5, 10, 0.3, 1.0), (5, 10, 0.3, -0.1), (0, -5)]:
    try:
        found = auxiliary_weight(*bad)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"auxiliary_weight{bad} raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "total_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(6)
logits, first, second = (torch.randn(5, 7, requires_grad=True) for _ in range(3))
labels = torch.tensor([0, 6, 2, 2, 3])
parts = [F.cross_entropy(each, labels).item() for each in (logits, first, second)]
twice = [F.cross_entropy(each.softmax(1), labels).item() for each in (logits, first, second)]
found = total_loss((logits, first, second), labels, 0.3)
assert isinstance(found, Tensor), f"total_loss is {found!r}: a tensor, for `backward`"
main, side = parts[0], parts[1] + parts[2]
hints = {
    0.3 * (main + side): "the head's own loss keeps its full weight",
    main + 0.3 * side / 2: "the *sum* of the auxiliary losses, not their mean",
    main + side: "`weight` is missing",
    main: "the auxiliary losses are missing",
    main + 0.3 * parts[1]: "every auxiliary head counts, not only the first",
    main + 0.3 * parts[2]: "every auxiliary head counts, not only the last",
    parts[1] + 0.3 * (main + parts[2]): "the head's own logits come first in the tuple",
    parts[2] + 0.3 * (main + parts[1]): "the head's own logits come first in the tuple",
    0.7 * main + 0.3 * side: "the head's own loss keeps its full weight",
    main + 0.3 * 5 * side: "the mean over the images, not their sum",
    5 * (main + 0.3 * side): "the mean over the images, not their sum",
    twice[0] + 0.3 * side: "cross-entropy takes logits: it has a softmax of its own",
    twice[0] + 0.3 * (twice[1] + twice[2]): "cross-entropy takes logits: it has a softmax of its own",
}
hint = [words for value, words in hints.items() if abs(value - found.item()) < 1e-5]
what = f"the loss is {found.item():.5f}, expected {main + 0.3 * side:.5f}"
right = abs(found.item() - main - 0.3 * side) < 1e-5
assert right, f"{what}: {hint[0] if hint else 'cross-entropies, means over images'}"
try:
    found = total_loss(logits, labels, 0.3).item()
except Exception as error:
    raise AssertionError(f"logits alone, as in eval mode, gave {error!r}: that is no tuple") from error
what = f"logits alone, as in eval mode, give {found:.5f}, expected {main:.5f}"
assert abs(found - main) < 1e-5, f"{what}: there are no heads to add"

# %% nbgrader={"grade": true, "grade_id": "total_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random sizes and numbers of heads, weight 0; gradients; the network; refusals.
### BEGIN HIDDEN TESTS
rng = random.Random(7)
torch.manual_seed(7)
for trial in range(8):
    images, classes, heads = rng.randint(1, 6), rng.randint(2, 9), trial % 4
    weight = (0.3, rng.uniform(0, 2), 0.0)[trial % 3]
    answer = torch.randn(1 + heads, images, classes).double().requires_grad_(True)
    labels = torch.randint(classes, (images,))
    loss = total_loss(tuple(answer), labels, weight)
    own = answer.gather(2, labels.expand(1 + heads, -1)[..., None])[..., 0]
    losses = (answer.logsumexp(2) - own).mean(1)
    expected = losses[0] + weight * losses[1:].sum()
    what = f"the loss of {heads} heads, weight {weight:.3g}, ({images}, {classes})"
    check.close(loss, expected, what=what)
    (slopes,), (wanted,) = (torch.autograd.grad(y, answer) for y in (loss, expected))
    for place in range(1 + heads):
        what = f"the gradient of logits {place} (0: the head), weight {weight:.3g}"
        cut = weight and not slopes[place].any()
        assert not cut, f"{what}, is 0: gradients reach all of the logits"
        check.close(slopes[place], wanted[place], what=what)
stem, widths = googlenet.conv(3, 8, 3), dict.fromkeys(["3a", "4a", "4d", "5b"], googlenet.Widths(*[8] * 6))
net = googlenet.GoogLeNet(stem, 8, widths, {"4a": (8, 64, 1), "4d": (8, 64, 1)}, num_classes=10)
batch, labels = torch.randn(2, 3, 10, 10), torch.tensor([1, 2])
total_loss(net.train()(batch), labels, 0.3).backward()
for name, head in net.auxiliary.items():
    reached = all(p.grad is not None and p.grad.any() for p in head[-1].parameters())
    assert reached, f"no gradient reaches the auxiliary head {name}"
logits = net.eval()(batch).detach()
what = "the loss of the network in eval mode"
check.close(total_loss(logits, labels, 0.3), F.cross_entropy(logits, labels), what=what)
for answer, weight in [(torch.zeros(3, 4), 0.3), ((torch.zeros(2, 4),) * 3, -0.1)]:
    try:
        found = total_loss(answer, labels, weight)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"{len(answer)} logits, 2 labels, weight {weight} raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% [markdown]
# ### 5 · Whose gradient is it? (3 points)
#
# The gradient of the stem is a sum: the gradient of the head's loss, and 0.3 times that of each
# auxiliary loss. How large is each on its own?
#
# **Contract.** `gradient_norms(losses, parameters)` takes scalar losses of one forward pass and a
# list of parameters. It returns a list of floats, for each loss the length of its gradient. The
# length is the root of the sum of squares over all numbers of all parameters together. A parameter
# on which a loss does not depend counts 0. The parameters' `.grad` do not change, and the losses
# can still be used for `backward`.
#
# *Hint:* `torch.autograd.grad` returns gradients and does not touch `.grad`; look at its arguments.
# *To see it:* the free cell below.


# %% nbgrader={"grade": false, "grade_id": "norms", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gradient_norms(losses: list[Tensor], parameters: list[Tensor]) -> list[float]:
    """Return for each loss the norm of its gradient over all parameters together.

    losses: scalars of one forward pass; they stay usable. `.grad` is left as it was.
    """
    ### BEGIN SOLUTION
    norms = []
    for loss in losses:
        chosen = {"retain_graph": True, "allow_unused": True}
        slopes = torch.autograd.grad(loss, parameters, **chosen)
        squares = [slope.square().sum() for slope in slopes if slope is not None]
        norms.append(float(sum(squares)) ** 0.5)
    return norms
    ### END SOLUTION


# %%
def stem_gradients(start: str) -> list[float]:
    """Return the norms at the stem of the head's loss, 4a's and 4d's, at the start."""
    torch.manual_seed(0)
    net = googlenet.googlenet_small(batch_norm=False).train()
    for layer in net.modules():
        if start == "PyTorch" and hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    digits = data.load("digits", "train", size=32, channels=3)
    images, labels = next(data.batches(digits, 64))
    losses = [F.cross_entropy(logits, labels) for logits in net(images)]
    return gradient_norms(losses, list(net.stem.parameters()))


# Yours: print stem_gradients("2 / fan-in") and stem_gradients("PyTorch").

# %% nbgrader={"grade": true, "grade_id": "norms_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
a = torch.tensor([3.0, 4.0], requires_grad=True)
b = torch.tensor([[2.0]], requires_grad=True)
a.grad = torch.tensor([7.0, 7.0])
losses = [a.square().sum() / 2, (a * b).sum(), 5 * b.sum()]  # slopes: a; b, b, 7; 5
try:
    found = gradient_norms(losses, [a, b])
except RuntimeError as error:
    hint = "are the losses used again (retain_graph), and may a loss not depend on a parameter (allow_unused)?"
    raise AssertionError(f"{error!r}: {hint}") from error
assert isinstance(found, list), f"gradient_norms is {found!r}: expected a list"
assert all(isinstance(n, float) for n in found), f"{found}: floats, as of `.item()`"
assert len(found) == 3, f"{found}: a number for each of three losses"
expected = [5.0, math.sqrt(4 + 4 + 49), 5.0]
hints = {
    "the root of the sum of squares is missing": [n * n for n in expected],
    "one root over all parameters, not a sum of norms": [5, math.sqrt(8) + 7, 5],
    "a gradient was added to the one before": [5, math.sqrt(25 + 64 + 49 - 8), 5],
    "all parameters count, not only the last": [0, 7, 5],
    "all parameters count, not only the first": [5, math.sqrt(8), 0],
    "the largest number of a gradient is not its length": [4, 7, 5],
    "the sum of absolute values is not its length": [7, 11, 5],
    "a mean of squares is not their sum": [n / math.sqrt(3) for n in expected],
}
for words, wrong in hints.items():
    same = all(abs(x - y) < 1e-4 for x, y in zip(found, wrong, strict=True))
    assert not same, f"{found}: {words}"
kept = a.grad is not None and torch.equal(a.grad, torch.tensor([7.0, 7.0]))
assert kept, f"a.grad was [7, 7] and is {a.grad}: leave it as it was"
check.close(found, expected, what="the norms")
assert b.grad is None, f"b.grad was None and is {b.grad}: leave it as it was"

# %% nbgrader={"grade": true, "grade_id": "norms_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random networks, their norms by differences; losses used again; GoogLeNet.
### BEGIN HIDDEN TESTS
torch.manual_seed(8)
for inputs, hidden, outputs in [(2, 3, 2), (4, 1, 3), (1, 5, 2)]:
    weights = [torch.randn(n, dtype=torch.float64) for n in (hidden * inputs, outputs * hidden)]
    x, labels = torch.randn(6, inputs).double(), torch.randint(outputs, (6,))

    def loss_list(first, second, x=x, labels=labels, sizes=(hidden, inputs, outputs)):
        maps = (x @ first.view(sizes[:2]).T).tanh()
        return [F.cross_entropy(maps @ second.view(sizes[2], -1).T, labels), maps.square().mean()]

    squares = torch.zeros(2)
    for which, flat in enumerate(weights):  # the slope of each number, by moving it
        for i in range(len(flat)):
            moved = [w.clone() for w in weights], [w.clone() for w in weights]
            moved[0][which][i] += 1e-5
            moved[1][which][i] -= 1e-5
            above, below = (torch.stack(loss_list(*part)) for part in moved)
            squares = squares + ((above - below) / 2e-5) ** 2
    parameters = [w.clone().requires_grad_(True) for w in weights]
    losses = loss_list(*parameters)
    what = f"the norms of two losses of a {inputs}-{hidden}-{outputs} network"
    check.close(gradient_norms(losses, parameters), squares.sqrt(), rtol=1e-4, what=what)
    assert all(p.grad is None for p in parameters), "`.grad` was None: leave it so"
    try:
        (losses[0] + losses[1]).backward()
    except RuntimeError as error:
        raise AssertionError("the losses cannot be used again: retain_graph") from error
stem, widths = googlenet.conv(3, 8, 3), dict.fromkeys(["3a", "4a", "4d", "5b"], googlenet.Widths(*[8] * 6))
net = googlenet.GoogLeNet(stem, 8, widths, {"4a": (8, 64, 1), "4d": (8, 64, 1)}, num_classes=10)
losses = [y.logsumexp(1).mean() for y in net(torch.randn(2, 3, 10, 10))]
found = gradient_norms(losses, list(net.stages["5b"].parameters()))
assert found[0] > 0, "the head's loss has a gradient in 5b"
assert found[1:] == [0.0, 0.0], f"{found}: the heads behind 4a and 4d do not see 5b"
stem = list(net.stem.parameters())
for norm, loss in zip(gradient_norms(losses, stem), losses, strict=True):
    slopes = torch.autograd.grad(loss, stem, retain_graph=True)
    length = torch.cat([slope.flatten() for slope in slopes]).norm()
    check.close(norm, length, what="the norm at GoogLeNet's stem")
### END HIDDEN TESTS

# %% [markdown]
# ### 6 · Are the heads needed? (2 points)
#
# The authors added the heads because they feared that the gradient would vanish. The conference
# version of the paper reports that the heads give about 0.5 %, and that one head would be enough.
# Run `stem_gradients` of exercise 5 for both initialisations and give your numbers. When do
# auxiliary heads matter for the stem, and when do they not? Why does a weight that falls to 0 do no
# harm? Answer in two to four sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "heads_why", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# From PyTorch's initialisation, the gradient that the stem gets from the head's loss is hundreds of
# times smaller than the one from 4a's. Nearly all that reaches the stem comes through 4a, and
# without it the stem would hardly move. With variance 2 / fan-in the three gradients have about the
# same size: the heads add less than the main path already gives. For either initialisation 4d
# matters less than 4a, since it is six modules away instead of three. So one head does nearly the
# same as two. Once the weights have grown, the head's own gradient arrives and the auxiliary heads
# are no longer needed. They can then only pull the early maps towards classes too soon.
#
# **Marking scheme.** 1 point: numbers of both initialisations, and that the ratio of the auxiliary
# gradient to the head's depends on them. 1 point: the mechanism. Factors below 1 are multiplied
# along the depth, and a head shortens the way. Later the main path carries the gradient itself.
# ### END SOLUTION
