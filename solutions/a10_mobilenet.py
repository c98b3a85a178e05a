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
# # Assignment 10 · MobileNet (20 points)
#
# The notebook `10_mobilenet` built the network. Here you merge two kernels into one, and write a
# block with several filters for each channel. You compute parameters and MACs
# (multiply-accumulates) in closed form, and find the widest network within a budget. At the end you
# make a table of where the work is.
#
# | | exercise | points |
# |---|---|---|
# | 1 | The kernel that two kernels hide | 3 |
# | 2 | Several filters for each channel | 5 |
# | 3 | The price of the family | 4 |
# | 4 | Within a budget | 3 |
# | 5 | Which layers dominate? | 3 |
# | 6 | Fewer multiplications, and time | 2 |
#
# Replace each `raise NotImplementedError`. The cell below it is for your own prints and drawings
# and is not graded. The *visible* tests give some of the points, and you can run them. After you
# hand in, *hidden* tests ask the same function about other inputs; the first line of a hidden test
# says which. Images are (N, C, H, W) throughout. All of it computes in a few seconds.
#
# "The paper" is Howard et al., *MobileNets*, [arXiv:1704.04861](https://arxiv.org/abs/1704.04861).

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import check, data, flops, notebook  # noqa: F401 (flops is for your own cells)

mobilenet = notebook.load("10_mobilenet")

# %% [markdown]
# ### 1 · The kernel that two kernels hide (3 points)
#
# A depthwise convolution followed by a pointwise one, with nothing between them, equals *one*
# standard convolution. Which one? Compute its kernel.
#
# **Contract.** `merge(depthwise, pointwise)` takes kernels (M, 1, K, K) and (N, M, 1, 1) and
# returns one kernel (N, M, K, K). A standard convolution with it gives the same as
# `separable_spec`. It raises `ValueError` when the shapes do not fit. There are three cases: the
# depthwise kernel has more than one channel, the pointwise one is not 1×1, or their M differ.
#
# *Hint:* write output n at one pixel as a sum over m. *To see it:* print the kernel for M = 1 and N
# = 2.

# %% nbgrader={"grade": false, "grade_id": "separable_spec", "locked": true, "schema_version": 3, "solution": false, "task": false}
def separable_spec(x: Tensor, depthwise: Tensor, pointwise: Tensor) -> Tensor:
    """Filter each channel alone, then mix: two convolutions, no padding."""
    planes = [
        F.conv2d(x[:, [m]], kernel[None]) for m, kernel in enumerate(depthwise)
    ]
    return F.conv2d(torch.cat(planes, dim=1), pointwise)

# %% nbgrader={"grade": false, "grade_id": "merge", "locked": false, "schema_version": 3, "solution": true, "task": false}
def merge(depthwise: Tensor, pointwise: Tensor) -> Tensor:
    """Return the kernel (N, M, K, K) of both: (M, 1, K, K), then (N, M, 1, 1).

    Raises ValueError when the shapes do not fit. Source: section 3.1 of the paper.
    """
    ### BEGIN SOLUTION
    if depthwise.ndim != 4 or depthwise.shape[1] != 1:
        raise ValueError(f"depthwise is {tuple(depthwise.shape)}: expected (M, 1, K, K)")
    if pointwise.shape[1:] != (len(depthwise), 1, 1):
        raise ValueError(f"pointwise is {tuple(pointwise.shape)}: expected (N, M, 1, 1)")
    return pointwise * depthwise[:, 0]
    ### END SOLUTION

# %%
# Yours: for example, the kernel for M = 1 and N = 2.

# %% nbgrader={"grade": true, "grade_id": "merge_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
rng = torch.Generator().manual_seed(1)
depthwise = torch.randn(4, 1, 3, 3, generator=rng)
pointwise = torch.randn(4, 4, 1, 1, generator=rng)
x = torch.randn(2, 4, 6, 5, generator=rng)
spec = separable_spec(x, depthwise, pointwise)
before = depthwise.clone(), pointwise.clone()
kernel = merge(depthwise, pointwise)
assert kernel is not None, "your function returns None: is there a `return`?"
same = all(map(torch.equal, (depthwise, pointwise), before))
assert same, "your function changed its input in place"
shape, hint = tuple(kernel.shape), "a convolution adds over m itself, so the kernel keeps m"
assert shape == (4, 4, 3, 3), f"the kernel is {shape}, expected (N, M, K, K): {hint}"
likely = {
    "input and output channels are exchanged: pointwise is (N, M)": (
        pointwise.transpose(0, 1) * depthwise[:, 0]
    ),
    "the depthwise kernel belongs to the input channel m, not to the output n": (
        pointwise * depthwise
    ),
    "the kernel is mirrored: conv2d does not flip kernels": (
        pointwise * depthwise[:, 0].flip(1, 2)
    ),
    "rows and columns of each kernel are exchanged": pointwise * depthwise[:, 0].mT,
    "the kernel is (M, N, K, K); the outputs come first": (
        (pointwise * depthwise[:, 0]).transpose(0, 1)
    ),
    "the two are added; the mix multiplies": pointwise + depthwise[:, 0],
}
for mistake, wrong in likely.items():
    assert not torch.allclose(kernel, wrong), mistake
check.close(F.conv2d(x, kernel), spec, 1e-3, 1e-4, what="one convolution with your kernel")
assert kernel.dtype == x.dtype, f"float32 became {kernel.dtype}"

# %% nbgrader={"grade": true, "grade_id": "merge_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other M, N and K, also one channel; float64; shapes that do not fit.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(2)
for channels, width, side in [(1, 5, 3), (6, 1, 3), (3, 8, 5), (7, 2, 1)]:
    depthwise = torch.randn(channels, 1, side, side, generator=rng).double()
    pointwise = torch.randn(width, channels, 1, 1, generator=rng).double()
    x = torch.randn(2, channels, 7, 6, generator=rng).double()
    spec = separable_spec(x, depthwise, pointwise)
    kernel = merge(depthwise, pointwise)
    called = f"merge for M = {channels}, N = {width}, K = {side}"
    assert kernel.dtype == torch.float64, f"{called} turns float64 into {kernel.dtype}"
    check.close(F.conv2d(x, kernel), spec, what=called)
for first, second in [
    ((4, 4, 3, 3), (8, 4, 1, 1)),
    ((4, 1, 3, 3), (8, 5, 1, 1)),
    ((4, 1, 3, 3), (8, 4, 3, 3)),
    ((4, 1, 3, 3), (8, 1, 1, 1)),
]:
    refused = None
    try:
        merge(torch.zeros(first), torch.zeros(second))
    except Exception as error:
        refused = error
    what = f"merge of {first} and {second}: a ValueError is expected, not {refused!r}"
    assert isinstance(refused, ValueError), what
### END HIDDEN TESTS

# %% [markdown]
# ### 2 · Several filters for each channel (5 points)
#
# MobileNet gives each channel one kernel. Why not several? With a *depth multiplier* D, every input
# channel is filtered by D kernels of its own. The maps of channel 0 come first, then those of
# channel 1, and so on. The pointwise convolution mixes all C·D maps.
#
# **Contract.** `Multiplied(channels, width, multiplier, stride)` is an `nn.Module`. Its layers are
# attributes with the names `filter, filter_norm, mix, mix_norm`. The layer `filter` is 3×3 and has
# the stride. After each norm comes a ReLU6. No convolution has a bias. It raises `ValueError` when
# `multiplier` or `stride` is less than 1. The block runs neither `multiplied_spec`, which is for your
# tests, nor the notebook's `Separable`.
#
# *Hint:* in `nn.Conv2d`, `groups` may be smaller than the number of output channels.
# *To see it:* how many parameters does the block have with D = 1, 2 and 4?

# %% nbgrader={"grade": false, "grade_id": "multiplied_spec", "locked": true, "schema_version": 3, "solution": false, "task": false}
def multiplied_spec(x: Tensor, weights: dict, stride: int, train: bool) -> Tensor:
    """The block, with weights by name as in `state_dict()`: one kernel at a time."""
    def norm(x: Tensor, name: str) -> Tensor:
        mean, variance, gamma, beta = (
            weights[f"{name}.{part}"].clone()
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, variance, gamma, beta, training=train)

    kernels, maps = weights["filter.weight"], []
    for (number,) in np.ndindex(len(kernels)):
        channel = number // (len(kernels) // x.shape[1])
        one = F.conv2d(x[:, [channel]], kernels[[number]], stride=stride, padding=1)
        maps.append(one)
    filtered = norm(torch.cat(maps, dim=1), "filter_norm").clamp(0, 6)
    return norm(F.conv2d(filtered, weights["mix.weight"]), "mix_norm").clamp(0, 6)


# what an answer does without; the specification stands on the first
NOT_YOURS = "numpy.ndindex", "notebook_10_mobilenet.Separable"


def redrawn(state: dict, seed: int) -> dict:
    """Return a state_dict with other numbers in it; variances stay positive."""
    rng = torch.Generator().manual_seed(seed)
    new = {name: value.clone() for name, value in state.items()}
    for name, value in new.items():
        if value.is_floating_point():
            new[name] = 3 * torch.randn(value.shape, generator=rng)
            if name.endswith("running_var"):
                new[name] = new[name].abs() + 0.5
    return new

# %% nbgrader={"grade": false, "grade_id": "block", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Multiplied(nn.Module):
    """Filter each channel by `multiplier` kernels, then mix the maps.

    (N, channels, H, W) to (N, width, ⌈H/stride⌉, ⌈W/stride⌉). Raises ValueError when
    multiplier or stride is less than 1.
    """

    def __init__(self, channels: int, width: int, multiplier: int = 1, stride: int = 1):
        super().__init__()
        ### BEGIN SOLUTION
        if multiplier < 1 or stride < 1:
            raise ValueError(f"{multiplier = }, {stride = }: both are 1 or more")
        maps = channels * multiplier
        self.filter = nn.Conv2d(
            channels, maps, 3, stride, padding=1, groups=channels, bias=False
        )
        self.filter_norm = nn.BatchNorm2d(maps)
        self.mix = nn.Conv2d(maps, width, 1, bias=False)
        self.mix_norm = nn.BatchNorm2d(width)
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        filtered = F.relu6(self.filter_norm(self.filter(x)))
        return F.relu6(self.mix_norm(self.mix(filtered)))
        ### END SOLUTION

# %%
# Yours: for example, the parameters for D = 1, 2 and 4.

# %% nbgrader={"grade": true, "grade_id": "block_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
block = Multiplied(4, 6, multiplier=2, stride=2)
state = block.state_dict()
shapes = {name: tuple(v.shape) for name, v in state.items() if v.ndim > 1}
expected = {"filter.weight": (8, 1, 3, 3), "mix.weight": (6, 8, 1, 1)}
layers = {name.split(".")[0] for name in state}
named = "filter", "filter_norm", "mix", "mix_norm"
assert layers == set(named), f"your layers are {sorted(layers)}, the contract's are {named}"
assert shapes.get("filter.weight") != (8, 4, 3, 3), "the filter reads all channels: groups?"
assert shapes.get("filter.weight") != (4, 1, 3, 3), "one kernel for each channel: multiplier?"
assert shapes == expected, f"the convolutions are {shapes}, expected {expected}"
assert "filter.bias" not in state, "a norm follows, so no convolution needs a bias"
state = redrawn(state, 3)
block.eval().load_state_dict(state)
x = torch.randn(3, 4, 6, 5, generator=torch.Generator().manual_seed(4))
with check.without(*NOT_YOURS):
    answer = block(x).detach()
spec = multiplied_spec(x, state, 2, train=False)
hint = "where is the stride?" if answer.shape[2] > 3 else "where is the padding?"
assert answer.shape == spec.shape, f"{tuple(answer.shape)}, expected (3, 6, 3, 3): {hint}"
with torch.no_grad():
    norm, end = block.filter_norm, block.mix_norm
    mix = lambda y: F.conv2d(y, state["mix.weight"])  # noqa: E731
    maps = F.conv2d(x, state["filter.weight"], None, 2, 1, groups=4)
    turned = F.conv2d(x.repeat(1, 2, 1, 1), state["filter.weight"], None, 2, 1, groups=8)
    turned = F.relu6(end(mix(F.relu6(norm(turned)))))
    likely = {
        "the activations are ReLU; the paper's code has ReLU6": end(mix(norm(maps).relu())).relu(),
        "the activations are Swish, not ReLU6": F.silu(end(mix(F.silu(norm(maps))))),
        "the activation between filter and mix is missing": F.relu6(end(mix(norm(maps)))),
        "the last activation is missing": end(mix(F.relu6(norm(maps)))),
        "ReLU6 comes before its norm; it comes after": F.relu6(end(mix(norm(F.relu6(maps))))),
        "first come all maps of channel 0, not the first map of each channel": turned,
    }
for mistake, wrong in likely.items():
    assert not torch.allclose(answer, wrong, atol=1e-3), mistake
check.close(answer, spec, 1e-3, 1e-3, what="Multiplied(4, 6, 2, 2) in eval mode")
with check.without(*NOT_YOURS):
    answer = block.train()(x).detach()
same = torch.allclose(answer, multiplied_spec(x, state, 2, train=True), atol=1e-3)
assert same, "wrong in train mode alone: does the pointwise convolution stride? `filter` does"

# %% nbgrader={"grade": true, "grade_id": "block_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: other sizes, multipliers and strides, train mode, running statistics; bad values.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(5)
for channels, width, multiplier, stride, height, columns in [
    (1, 3, 1, 1, 5, 4),
    (3, 2, 4, 1, 6, 6),
    (5, 8, 1, 2, 7, 4),
    (2, 6, 3, 3, 9, 8),
]:
    block = Multiplied(channels, width, multiplier, stride)
    called = f"Multiplied({channels}, {width}, {multiplier}, {stride})"
    total = sum(p.numel() for p in block.parameters())
    maps = channels * multiplier
    true = 9 * maps + 2 * maps + maps * width + 2 * width
    assert total == true, f"{called} has {total} parameters, expected {true}"
    state = redrawn(block.state_dict(), seed=channels)
    block.load_state_dict(state)
    x = torch.randn(6, channels, height, columns, generator=rng)
    for train in (False, True):
        block.train(train)
        what = f"{called} of {tuple(x.shape)} in {'train' if train else 'eval'} mode"
        spec = multiplied_spec(x, state, stride, train)
        with check.without(*NOT_YOURS):
            answer = block(x).detach()
        check.close(answer, spec, rtol=1e-3, atol=1e-3, what=what)
    moved = block.state_dict()["filter_norm.running_mean"]
    assert not torch.equal(moved, state["filter_norm.running_mean"]), (
        f"{called}: the running mean did not move in train mode"
    )
for multiplier, stride in [(0, 1), (1, 0), (-2, 1)]:
    refused = None
    try:
        Multiplied(4, 4, multiplier, stride)
    except Exception as error:
        refused = error
    what = f"{multiplier = }, {stride = }: a ValueError is expected, not {refused!r}"
    assert isinstance(refused, ValueError), what
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "block_learns", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
digits = data.load("digits", "train", size=8, channels=3)
pixels, labels = next(data.batches(digits, 8))
torch.manual_seed(6)
stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
with check.without(*NOT_YOURS):
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)
    net = nn.Sequential(stem, Multiplied(8, 16, 2), *head)
    check.gradients(net, (4, 3, 8, 8))
check.learns(net, pixels, labels, steps=20, learning_rate=0.1)
assert sum(p.numel() for p in net.parameters()) == 858, "the network has another size"

# %% [markdown]
# ### 3 · The price of the family (4 points)
#
# **First expect, then compute.** The width multiplier α goes from 1 to 0.5. Three counts are then
# each divided by a whole number:
#
# 1. the MACs of the pointwise layers,
# 2. the MACs of the depthwise layers,
# 3. the *weights* (no biases) of the linear layer.
#
# By which? Write the three numbers into `expected_factors`, in this order, before you go on.
#
# Then compute the parameters and MACs of any member, without building it.
#
# **Contract.** `price(width, side, classes)` returns `(parameters, MACs)` of
# `mobilenet.mobilenet(width, classes)` for one image of side×side pixels. Use arithmetic alone:
# build no network, and call no counter. Channels are cut to whole numbers, as in the notebook:
# `int(32 * width)`. Every side is rounded up when halved.
#
# *Hint:* `mobilenet.BLOCKS` has the width and stride of the 13 blocks. A norm has two parameters
# for each channel and no MACs. *To see it:* which α halves the MACs?

# %% nbgrader={"grade": false, "grade_id": "expect", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expected_factors() -> tuple[int, int, int]:
    """Return by what α = 0.5 divides pointwise MACs, depthwise MACs, linear weights."""
    ### BEGIN SOLUTION
    return 4, 2, 2  # M·N; M alone; 1024 inputs, the classes stay
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "price", "locked": false, "schema_version": 3, "solution": true, "task": false}
def price(width: float, side: int, classes: int = 1000) -> tuple[int, int]:
    """Return (parameters, MACs) of `mobilenet(width, classes)` at side x side pixels.

    Source: Table 1 of the paper, with its misprint corrected.
    """
    ### BEGIN SOLUTION
    channels, side = int(32 * width), -(-side // 2)
    params, macs = 27 * channels + 2 * channels, 27 * channels * side**2
    for full, stride in mobilenet.BLOCKS:
        wide, side = int(full * width), -(-side // stride)
        weights = 9 * channels + channels * wide
        params += weights + 2 * channels + 2 * wide
        macs += weights * side**2
        channels = wide
    return params + (channels + 1) * classes, macs + channels * classes
    ### END SOLUTION

# %%
# Yours: which α halves the MACs?

# %% nbgrader={"grade": true, "grade_id": "expect_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: your three numbers, against the layers of the networks.
### BEGIN HIDDEN TESTS
pixels, x = [], torch.zeros(1, 3, 224, 224)  # of a map, which no α changes
for layer in mobilenet.mobilenet(1 / 32).eval().modules():
    if not any(layer.children()):
        x = layer(x).detach()
        pixels += [x[0, 0].numel()] * isinstance(layer, (nn.Conv2d, nn.Linear))
names, found = ("pointwise", "depthwise", "head"), []
for width in (1.0, 0.5):
    with torch.device("meta"):
        weights = dict(mobilenet.mobilenet(width).named_parameters()).items()
    weights = [(key, w.numel()) for key, w in weights if w.ndim > 1]
    macs = [(key, n * p) for (key, n), p in zip(weights, pixels, strict=True)]
    found.append([sum(n for key, n in macs if name in key) for name in names])
factors = [whole / half for whole, half in zip(*found, strict=True)]
with check.without("course_lib.flops.count", "torch.nn.Module.__init__"):
    mine = list(expected_factors())
assert len(mine) == 3, f"{mine}: three numbers, please"
reasons = {
    "pointwise": "M inputs and N outputs both halve",
    "depthwise": "one kernel for each channel, so α enters once",
    "head": "the inputs of the linear layer halve, its classes stay",
}
whole, half = found
for name, guess, true, a, b in zip(names, mine, factors, whole, half, strict=True):
    hints = {
        1 / true: "divided by, not multiplied by",
        8: "the maps keep their size: α divides channels, not pixels",
        16: "the maps keep their size: α divides channels, not pixels",
        true - 1: "what is left is a share of the whole: divide the whole by it",
        1: "α changes it: the channels halve",
        100 / true: "a factor, not percent",
        a: "a ratio, not the number of the whole network",
        b: "a ratio, not the number of the half network",
        a - b: "a ratio, not a difference",
    }
    said = f"{name}: you expected {guess}, the networks have {true:g}: {reasons[name]}"
    assert guess == true, f"{said}; {hints[guess]}" if guess in hints else said
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "price_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for width, side, true in [
    (1.0, 224, (4_231_976, 568_740_352)),
    (0.5, 128, (1_331_592, 49_160_192)),
]:
    with check.without("course_lib.flops.count", "torch.nn.Module.__init__"):
        mine = price(width, side)
    called = f"price({width}, {side})"
    assert mine is not None, "your function returns None: is there a `return`?"
    norms = 2 * int(10_912 * width)  # those of the blocks
    hints = {
        true[0] - 1000: "the linear layer has a bias",
        true[0] - norms: "each norm has γ and β",
        true[0] - norms // 2: "each norm has γ *and* β",
        true[0] - int(64 * width): "the stem has a norm, too",
        true[0] - norms - int(64 * width): "each norm has γ and β",
        true[0] - 864 * width: "the stem has weights, too",
    }
    hint = hints.get(mine[0], "no convolution has a bias, each has a norm")
    assert mine[0] == true[0], f"{called} counts {mine[0]:,} parameters of {true[0]:,}: {hint}"
    if side == 224:
        hints = {
            578_900_992: "the depthwise layer strides, so it already works on the small map",
            568_740_352 * 2: "one multiply-accumulate is one, not two",
            567_716_352: "the linear layer multiplies, too",
            557_902_336: "the stem multiplies, too",
            533_833_216: "the last depthwise convolution has stride 1, not 2 as printed",
        }
        hint = hints.get(mine[1], "a MAC for each weight and *output* pixel")
    assert mine[1] == true[1], f"{called} counts {mine[1]:,} MACs of {true[1]:,}: {hint}"

# %% nbgrader={"grade": true, "grade_id": "price_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other α, odd sides, other classes; no network is built, nothing counts for you.
### BEGIN HIDDEN TESTS
for case in [(0.25, 96, 1000), (0.3, 97, 10), (1.1, 33, 7), (0.1, 129, 2), (0.5, 1, 1)]:
    width, side, classes = case
    net, x, macs = mobilenet.mobilenet(width, classes).eval(), torch.zeros(1, 3, side, side), 0
    for layer in (part for part in net.modules() if not any(part.children())):
        x = layer(x).detach()  # one after the other
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            macs += x.numel() * layer.weight[0].numel()
    true = sum(p.numel() for p in net.parameters()), macs
    with check.without("course_lib.flops.count", "torch.nn.Module.__init__"):
        mine = price(*case)
    what = f"price{case} is {mine}, the network has {true}"
    assert mine[0] == true[0], f"{what}: channels are cut by int, and `classes` counts"
    assert mine[1] == true[1], f"{what}: is every side rounded up when it is halved?"
### END HIDDEN TESTS

# %% [markdown]
# ### 4 · Within a budget (3 points)
#
# A phone allows only so many MACs for an image. Which α fits?
#
# **Contract.** `widest(side, budget)` returns the largest α of 1/32, 2/32, …, 64/32 whose network
# needs at most `budget` MACs. The network has 1,000 classes, and the MACs are those of one image of
# side×side pixels. It raises `ValueError` when even the smallest α needs more. No network is built
# here, either.
#
# *Hint:* wider is never cheaper. *To see it:* draw α over side at the budget of 150 million MACs.
# Which of these networks would you take?

# %% nbgrader={"grade": false, "grade_id": "widest", "locked": false, "schema_version": 3, "solution": true, "task": false}
def widest(side: int, budget: int) -> float:
    """Return the largest α, of n/32 with n from 1 to 64, that keeps within `budget` MACs.

    Raises ValueError when 1/32 needs more.
    """
    ### BEGIN SOLUTION
    fitting = [n / 32 for n in range(1, 65) if price(n / 32, side)[1] <= budget]
    if not fitting:
        raise ValueError(f"even α = 1/32 needs {price(1 / 32, side)[1]:,} MACs")
    return fitting[-1]
    ### END SOLUTION

# %%
# Yours: for example, α by side within 150 million MACs.

# %% nbgrader={"grade": true, "grade_id": "widest_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
exact = 568_740_352  # of α = 1 at 224 pixels
with check.without("course_lib.flops.count", "torch.nn.Module.__init__"):
    answer = widest(224, exact)
assert answer is not None, "your function returns None: is there a `return`?"
hints = {
    31 / 32: "a network that needs exactly the budget keeps within it",
    1 / 32: "that is the smallest that fits; the largest is asked for",
    2.0: "does every α fit? the MACs are the second number of `price`",
    32: "α is n/32, not n",
}
said = f"α = 1 needs {exact:,} MACs; widest(224, {exact:,}) is {answer}"
assert answer == 1.0, f"{said}: {hints.get(answer, 'is `price` right? is the side used?')}"
answer = widest(224, exact - 1)
hint = "the nearest is above the budget" if answer == 1 else "α goes in steps of 1/32"
assert answer == 31 / 32, f"one MAC less: expected 31/32 = {31 / 32}, not {answer}: {hint}"
refused = None
try:
    refused = widest(224, 1000)
except Exception as error:
    refused = error
said = "no network of the family needs 1,000 MACs: a ValueError is expected"
assert isinstance(refused, ValueError), f"{said}, not {refused!r}"

# %% nbgrader={"grade": true, "grade_id": "widest_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other sides and budgets; one that every α keeps.
### BEGIN HIDDEN TESTS
for side, budget, true in [
    (128, 150_000_000, 0.875),
    (160, 41_000_000, 0.34375),
    (97, 20_000_000, 0.34375),
    (320, 2_000_000, None),
    (192, 418_121_728, 1.0),
    (128, 49_160_191, 15 / 32),
    (224, 10**12, 2.0),
    (32, price(1 / 32, 32)[1], 1 / 32),
]:
    try:
        with check.without("course_lib.flops.count", "torch.nn.Module.__init__"):
            mine = widest(side, budget)
    except ValueError:
        mine = None
    except Exception as error:
        mine = repr(error)
    said = f"widest({side}, {budget:,}) is {mine}, expected {true} (None: a ValueError)"
    assert mine == true, f"{said}; α is 1/32 to 64/32, for this side"
### END HIDDEN TESTS

# %% [markdown]
# ### 5 · Which layers dominate? (3 points)
#
# Table 2 of the paper says where MobileNet's work and weights are. Make this table for *any*
# network of convolutions and linear layers.
#
# **Contract.** `shares(net, images)` runs `net` once on images (N, C, H, W) and returns a dict. Its
# keys are four kinds of layers:
#
# - `"pointwise"`: 1×1 convolutions with one group;
# - `"depthwise"`: convolutions with as many groups as input channels, and more than one;
# - `"full"`: every other convolution;
# - `"linear"`: linear layers.
#
# Each value is a pair of fractions: of all MACs, and of all parameters of these layers, biases
# included. Norms do not count. A layer that runs twice counts its MACs twice and its parameters
# once. A kind that does not occur has (0.0, 0.0). Call no counter: `flops.count` is forbidden. No
# hook is left in the network.
#
# *Hint:* a convolution has `weight[0].numel()` MACs for each number of its output.
# *To see it:* compare MobileNet, ResNet-18 and VGG-16.

# %% nbgrader={"grade": false, "grade_id": "shares", "locked": false, "schema_version": 3, "solution": true, "task": false}
def shares(net: nn.Module, images: Tensor) -> dict[str, tuple[float, float]]:
    """Return the fractions of MACs and of parameters by kind of layer.

    Source: Table 2 of the paper.
    """
    ### BEGIN SOLUTION
    macs = dict.fromkeys(("pointwise", "depthwise", "full", "linear"), 0)
    params, hooks, seen = dict(macs), [], set()

    def kind(layer: nn.Module) -> str:
        if isinstance(layer, nn.Linear):
            return "linear"
        if 1 < layer.groups == layer.in_channels:
            return "depthwise"
        small = tuple(layer.kernel_size) == (1, 1) and layer.groups == 1
        return "pointwise" if small else "full"

    def count(layer, args, output):
        macs[kind(layer)] += output.numel() * layer.weight[0].numel()
        if layer not in seen:
            seen.add(layer)
            params[kind(layer)] += sum(p.numel() for p in layer.parameters())

    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            hooks.append(layer.register_forward_hook(count))
    with torch.no_grad():
        net(images)
    for hook in hooks:
        hook.remove()
    whole = sum(macs.values()), sum(params.values())
    return {name: (macs[name] / whole[0], params[name] / whole[1]) for name in macs}
    ### END SOLUTION

# %%
# Yours: for example, MobileNet and ResNet-18 side by side.

# %% nbgrader={"grade": true, "grade_id": "shares_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
with torch.device("meta"):
    net = mobilenet.mobilenet().eval()
    image = torch.zeros(1, 3, 224, 224)
with check.without("course_lib.flops.count"):
    shares(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 1)), torch.zeros(1, 1, 4, 4))
table = shares(net, image)
assert table is not None, "your function returns None: is there a `return`?"
kinds = ["depthwise", "full", "linear", "pointwise"]
assert sorted(table) == kinds, f"the keys are {sorted(table)}, expected {kinds}"
assert max(share for pair in table.values() for share in pair) <= 1, "fractions, not percent"
printed = {"pointwise": (0.9486, 0.7457), "depthwise": (0.0306, 0.0106),
           "full": (0.0191, 0.0002), "linear": (0.0018, 0.2435)}
for name, (work, weights) in printed.items():
    mine = table[name]
    said = f"{name}: {mine[0]:.2%} of the MACs and {mine[1]:.2%} of the parameters"
    hints = {
        (0.7457, 0.9486): "the MACs come first, then the parameters",
        (0.1117, 0.7457): "each output reads the channels of its own group alone",
        (0.9357, 0.7457): "MACs are counted at the pixels of the *output*",
        (0.9486, 0.7459): "a bias is a parameter, too",
    }
    near = [text for pair, text in hints.items() if np.allclose(mine, pair, atol=5e-5)]
    hint = near[0] if near else "are norms left out, and layers inside of layers found?"
    right = abs(mine[0] - work) < 1e-4 and abs(mine[1] - weights) < 1e-4
    assert right, f"{said}; expected {work:.2%} and {weights:.2%} ({hint})"

# %% nbgrader={"grade": true, "grade_id": "shares_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: groups, biases, a batch, a layer that runs twice, missing kinds; what is left.
### BEGIN HIDDEN TESTS
class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Conv2d(6, 6, 1)
        self.grouped = nn.Conv2d(6, 12, 1, groups=2)
        self.filter = nn.Conv2d(12, 24, (3, 1), stride=2, groups=12)
        self.norm, self.head = nn.BatchNorm2d(24), nn.Linear(24, 5)

    def forward(self, x):
        x = self.norm(self.filter(self.grouped(self.mix(self.mix(x)))))
        return self.head(x.mean((2, 3)))


net, x = Twice(), torch.randn(3, 6, 9, 8)
before = [len(module._forward_hooks) for module in net.modules()]
with check.without("course_lib.flops.count"):
    table = shares(net, x)
every = set(table) == {"pointwise", "full", "depthwise", "linear"}
assert every, f"the kinds are {list(table)}"
left = before != [len(module._forward_hooks) for module in net.modules()]
assert not left, "hooks were left in the network"
work = {"pointwise": 2 * 36 * 72, "full": 36 * 72, "depthwise": 72 * 16, "linear": 120}
held = {"pointwise": 42, "full": 48, "depthwise": 96, "linear": 125}
for name in work:
    expected = work[name] / sum(work.values()), held[name] / sum(held.values())
    what = f"{name}, where 1×1 in two groups is full and a layer runs twice,"
    check.close(table[name], expected, what=what)
net = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 3))
net.extend([nn.Conv2d(2, 2, 3, padding=1, groups=2), nn.Conv2d(2, 1, 1)])
table = shares(net, torch.randn(2, 1, 5, 5))
expected = {"pointwise": (118 / 928, 11 / 105), "full": (648 / 928, 74 / 105)}
expected["depthwise"] = 162 / 928, 20 / 105
for name in work:
    assert name in table, f"{name} does not occur: it has (0.0, 0.0), not no entry"
    pair = expected.get(name, (0.0, 0.0))
    what = f"{name}, of a 1×1 and a 3×3 convolution (one group is not depthwise)"
    check.close(table[name], pair, what=what)
### END HIDDEN TESTS

# %% [markdown]
# ### 6 · Fewer multiplications, and time (2 points)
#
# "MobileNet has 8.6 times fewer multiply-accumulates than the same network with full convolutions,
# so it is 8.6 times faster." What is wrong with this, and which layers are the reason? What would
# you measure to convince the person who said it? Answer in two to four sentences, with one number
# that you measured.

# %% [markdown] nbgrader={"grade": true, "grade_id": "time_why", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# A layer takes time for its multiplications *and* for moving its numbers. A depthwise 3×3
# convolution does nine MACs for each number that it reads. This is about one MAC for each byte,
# where a full convolution does dozens. So it waits for memory and for the start of each operation,
# and does few MACs a second. I would time both networks, then a depthwise layer with a 3×3 and with
# a 7×7 kernel. Here 5.4 times the MACs took 1.7 to 2.7 times as long, so the layer does not wait
# for its MACs. (Measured here: 1/8.6 of the MACs, 1/6.5 of the time.)
#
# **Marking scheme.** 1 point: time also goes into moving numbers, and depthwise layers have a low
# intensity (MACs for each byte). 1 point: a measurement that separates the two causes, with a
# number from the student's own machine.
# ### END SOLUTION
