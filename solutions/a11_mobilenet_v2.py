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
# # Assignment 11 · MobileNetV2 (20 points)
#
# The notebook `11_mobilenet_v2` built the inverted residual and derived what a ReLU destroys. Here
# you write a general rounding rule, and a block that always has a shortcut. You compute how much
# information a ReLU loses in any dimension. At the end you compute a block in parts, for a small
# memory.
#
# | | exercise | points |
# |---|---|---|
# | 1 | Rounded widths | 3 |
# | 2 | A shortcut everywhere | 5 |
# | 3 | What a ReLU destroys | 5 |
# | 4 | What the expansion costs | 2 |
# | 5 | A block in parts | 3 |
# | 6 | Linear, and thin | 2 |
#
# Replace each `raise NotImplementedError`. The cell below it is for your own prints and drawings
# and is not graded. The *visible* tests give some of the points, and you can run them. After you
# hand in, *hidden* tests ask the same function about other inputs; the first line of a hidden test
# says which. Images are (N, C, H, W) throughout. All of it computes in a few seconds.
#
# "The paper" is Sandler et al., *MobileNetV2*,
# [arXiv:1801.04381](https://arxiv.org/abs/1801.04381).

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import check, data, flops, notebook

mobilenet = notebook.load("11_mobilenet_v2")

# %% [markdown]
# ### 1 · Rounded widths (3 points)
#
# The notebook's `round_channels` knows one rule: the nearest multiple of 8, but not below 90 % of
# the width. Other hardware needs other numbers. Write the rule for any of them.
#
# **Contract.** `rounded(channels, divisor, share)` returns an `int`. This is the multiple of
# `divisor` that is nearest to `channels` (a float; halfway goes up), and at least `divisor`. If it
# is less than `share · channels`, the function returns the next larger multiple instead. It raises
# `ValueError` when `channels` is not positive, `divisor` is less than 1, or `share` is not in [0, 1].
# The notebook's rule and torchvision's may not be called.
#
# *Hint:* `math.floor(x + 0.5)` rounds halves up; Python's `round` does not always.
# *To see it:* which widths from 8 to 40 does the 90 % rule change?

# %% nbgrader={"grade": false, "grade_id": "rounded", "locked": false, "schema_version": 3, "solution": true, "task": false}
def rounded(channels: float, divisor: int = 8, share: float = 0.9) -> int:
    """Return the nearest multiple of `divisor` that keeps `share` of `channels`.

    Raises ValueError unless channels > 0, divisor >= 1 and 0 <= share <= 1.
    """
    ### BEGIN SOLUTION
    if channels <= 0 or divisor < 1 or not 0 <= share <= 1:
        raise ValueError(f"no multiple of {divisor} keeps {share} of {channels}")
    nearest = max(divisor, math.floor(channels / divisor + 0.5) * divisor)
    return nearest + divisor if nearest < share * channels else nearest
    ### END SOLUTION

# %%
# Yours: the widths that the 90 % rule changes.

# %% nbgrader={"grade": true, "grade_id": "rounded_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
RULES = "notebook_11_mobilenet_v2.round_channels", "torchvision.models._utils._make_divisible"
for channels, true, hint in [
    (32, 32, "a multiple stays"),
    (33.6, 32, "the nearest multiple, not the next larger one"),
    (70, 72, "the nearest multiple, not the next smaller one"),
    (11, 16, "8 is nearest, but less than 90 % of 11"),
    (12, 16, "halfway goes up"),
    (68, 72, "halfway goes up: Python's round goes to the even number"),
    (2.4, 8, "at least the divisor"),
]:
    with check.without(*RULES):
        mine = rounded(channels)
    assert mine is not None, "your function returns None: is there a `return`?"
    assert mine % 8 == 0, f"rounded({channels}) is {mine}: without `divisor` it is a multiple of 8"
    assert mine == true, f"rounded({channels}) is {mine}, expected {true}: {hint}"
    assert isinstance(mine, int), f"rounded({channels}) is {mine!r}: an int, please"

# %% nbgrader={"grade": true, "grade_id": "rounded_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other divisors and shares; widths that are not whole; bad values.
### BEGIN HIDDEN TESTS
for channels, divisor, share, true in [
    (5, 1, 1.0, 5),
    (9.9, 4, 0.9, 12),
    (10, 4, 0.0, 12),
    (17, 4, 0.95, 20),
    (17, 4, 0.9, 16),
    (20, 16, 0.5, 16),
    (20, 16, 0.81, 32),
    (5.4, 1, 1.0, 6),
    (70, 64, 0.0, 64),
    (0.3, 32, 0.9, 32),
    (3, 8, 0.0, 8),
    (44.8, 8, 0.9, 48),
]:
    with check.without(*RULES):
        mine = rounded(channels, divisor, share)
    hints = {8: "is `divisor` used?", 0: "never below the divisor"}
    if true == share * channels:
        hints[true + divisor] = "exactly the share is not less than the share"
    hint = hints.get(mine, "is `share` used? is the *nearest* multiple tried first?")
    called = f"rounded({channels}, {divisor}, {share})"
    assert mine == true, f"{called} is {mine}, expected {true}: {hint}"
for channels, divisor, share in [(0, 8, 0.9), (-3, 8, 0.9), (9, 0, 0.9), (9, 8, 1.1), (9, 8, -0.1)]:
    try:
        mine = rounded(channels, divisor, share)
    except Exception as error:
        mine = error
    what = f"rounded({channels}, {divisor}, {share}): a ValueError is expected"
    assert isinstance(mine, ValueError), f"{what}, not {mine!r}"
### END HIDDEN TESTS

# %% [markdown]
# ### 2 · A shortcut everywhere (5 points)
#
# MobileNetV2 has a shortcut only where the shape stays the same: in 10 of its 17 blocks. Give
# *every* block one, without parameters. If the stride is 2, the shortcut averages 2×2 pixels. If
# the channels increase, it fills the new ones with zeros. If the channels decrease, it drops the
# last ones.
#
# $$y = \mathrm{shortcut}(x) + \mathrm{norm3}(\mathrm{project}(\mathrm{relu6}(\mathrm{norm2}(\mathrm{filter}(\mathrm{relu6}(\mathrm{norm1}(\mathrm{expand}(x))))))))$$
#
# **Contract.** `Everywhere(channels, width, stride, expansion)` is an `nn.Module`. Its layers are
# attributes with the names of the formula.
#
# - `expand` is 1×1 from C to `expansion`·C channels.
# - `filter` is depthwise 3×3 with the stride.
# - `project` is 1×1 to `width`.
# - No convolution has a bias, and nothing comes after the addition.
#
# H and W are even where the stride is 2. It raises `ValueError` when the stride is neither 1 nor 2.
#
# *Hint:* your tests may call `everywhere_spec` with `block.state_dict()`. The block itself may run
# neither it nor the inverted residual of the notebook or of torchvision. *To see it:* set norm3's
# weight to zero and compare input and output.

# %% nbgrader={"grade": false, "grade_id": "everywhere_spec", "locked": true, "schema_version": 3, "solution": false, "task": false}
def shortcut_spec(x: Tensor, width: int, stride: int) -> Tensor:
    """The way around, one pixel and one channel at a time."""
    images, channels, height, columns = x.shape
    answer = x.new_zeros(images, width, height // stride, columns // stride)
    for i, j in np.ndindex(height // stride, columns // stride):
        square = x[:, :, i * stride : (i + 1) * stride, j * stride : (j + 1) * stride]
        for c in range(min(channels, width)):
            answer[:, c, i, j] = square[:, c].mean(dim=(1, 2))
    return answer


def everywhere_spec(x: Tensor, weights: dict, stride: int, train: bool, **other) -> Tensor:
    """The formula, with weights by name as in `state_dict()`.

    other: what tests put in the place of the activations first and second, and of none.
    """
    def norm(x: Tensor, name: str) -> Tensor:
        mean, variance, gamma, beta = (
            weights[f"{name}.{part}"].clone()
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, variance, gamma, beta, training=train)

    first, second = other.get("first", F.relu6), other.get("second", F.relu6)
    wide = first(norm(F.conv2d(x, weights["expand.weight"]), "norm1"))
    kernels = weights["filter.weight"]
    planes = [
        F.conv2d(wide[:, [c]], kernels[[c]], stride=stride, padding=1)
        for (c,) in np.ndindex(len(kernels))
    ]
    filtered = second(norm(torch.cat(planes, dim=1), "norm2"))
    thin = norm(F.conv2d(filtered, weights["project.weight"]), "norm3")
    thin = other.get("last", torch.clone)(thin)
    return shortcut_spec(x, thin.shape[1], stride) + thin


# what an answer does without; the specification stands on the first
NOT_YOURS = (
    "numpy.ndindex",
    "notebook_11_mobilenet_v2.InvertedResidual",
    "torchvision.models.mobilenetv2.InvertedResidual",
)
LIKELY = {  # mistakes, as changes of the formula
    "ReLU for ReLU6": {"first": F.relu, "second": F.relu},
    "Swish for ReLU6": {"first": F.silu, "second": F.silu},
    "there is no activation between expand and filter": {"first": torch.clone},
    "there is no activation between filter and project": {"second": torch.clone},
    "there is an activation on the linear bottleneck": {"last": F.relu6},
    "there is a ReLU on the linear bottleneck": {"last": F.relu},
}


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

# %% nbgrader={"grade": false, "grade_id": "everywhere", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Everywhere(nn.Module):
    """An inverted residual with a shortcut that fits any shape and has no parameters.

    (N, channels, H, W) to (N, width, H/stride, W/stride). Raises ValueError unless the
    stride is 1 or 2. Source: Figure 4 (d) of the paper; the shortcut is ours.
    """

    def __init__(self, channels: int, width: int, stride: int = 1, expansion: int = 6):
        super().__init__()
        ### BEGIN SOLUTION
        if stride not in (1, 2):
            raise ValueError(f"stride is {stride}: expected 1 or 2")
        hidden = expansion * channels
        self.stride, self.width = stride, width
        self.expand = nn.Conv2d(channels, hidden, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(hidden)
        self.filter = nn.Conv2d(
            hidden, hidden, 3, stride, padding=1, groups=hidden, bias=False
        )
        self.norm2 = nn.BatchNorm2d(hidden)
        self.project = nn.Conv2d(hidden, width, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(width)
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        wide = F.relu6(self.norm1(self.expand(x)))
        filtered = F.relu6(self.norm2(self.filter(wide)))
        thin = self.norm3(self.project(filtered))
        way = F.avg_pool2d(x, self.stride)[:, : self.width]
        return thin + F.pad(way, (0, 0, 0, 0, 0, self.width - way.shape[1]))
        ### END SOLUTION

# %%
# Yours: for example, a block with norm3's weight set to zero.

# %% nbgrader={"grade": true, "grade_id": "everywhere_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
block = Everywhere(4, 6, stride=2, expansion=3)
state = block.state_dict()
shapes = {name: tuple(v.shape) for name, v in state.items() if v.ndim > 1}
expected = {"expand.weight": (12, 4, 1, 1), "filter.weight": (12, 1, 3, 3), "project.weight": (6, 12, 1, 1)}
first = shapes.get("expand.weight")
assert first != (18, 4, 1, 1), "expanded to a multiple of `width`: the *input's* channels count"
assert first != (4, 4, 1, 1), "nothing is expanded: 4 channels with expansion 3 become 12"
assert shapes.get("filter.weight") != (12, 12, 3, 3), "the filter reads all channels: groups?"
assert shapes == expected, f"the convolutions are {shapes}, expected {expected}"
biases = [name for name in state if name.split(".")[0] in ("expand", "filter", "project")]
biases = [name for name in biases if name.endswith("bias")]
assert not biases, f"{biases}: a norm follows, so no convolution needs a bias"
state = redrawn(state, 3)
block.load_state_dict(state)
x = torch.randn(3, 4, 6, 4, generator=torch.Generator().manual_seed(4))
before = x.clone()
spec = everywhere_spec(x, state, 2, train=False)
with check.without(*NOT_YOURS):
    answer = block.eval()(x).detach()
assert torch.equal(x, before), "your block changed its input in place"
shape = tuple(answer.shape)
assert shape == (3, 6, 3, 2), f"the output is {shape}, expected (3, 6, 3, 2)"
way = shortcut_spec(x, 6, 2)
taken = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, 2))
likely = {words: everywhere_spec(x, state, 2, False, **change) for words, change in LIKELY.items()}
likely |= {
    "there is an activation after the addition": spec.clamp(0, 6),
    "there is a ReLU after the addition": spec.relu(),
    "the shortcut is missing": spec - way,
    "the shortcut takes every second pixel; it averages 2×2": spec - way + taken,
    "the shortcut takes the largest of 2×2 pixels; it averages": spec - way + F.pad(F.max_pool2d(x, 2), (0, 0, 0, 0, 0, 2)),
    "the zeros come first; they belong after the old channels": (
        spec - way + way.roll(2, dims=1)
    ),
}
for mistake, wrong in likely.items():
    assert not torch.allclose(answer, wrong, atol=1e-2), mistake
check.close(answer, spec, 1e-3, 1e-2, what="Everywhere(4, 6, 2, 3) in eval mode")
assert any(weight.requires_grad for weight in block.parameters()), "nothing can learn"

# %% nbgrader={"grade": true, "grade_id": "everywhere_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: more and fewer channels, both strides, t = 1, train mode; a silent branch; bad strides.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(5)
for channels, width, stride, expansion, height, columns in [
    (3, 3, 1, 2, 5, 4),
    (5, 2, 1, 1, 4, 3),
    (2, 7, 1, 6, 3, 3),
    (6, 4, 2, 2, 6, 8),
    (4, 4, 2, 4, 2, 4),
]:
    block = Everywhere(channels, width, stride, expansion)
    called = f"Everywhere({channels}, {width}, {stride}, {expansion})"
    hidden = len(block.state_dict()["expand.weight"])
    assert hidden == expansion * channels, (
        f"{called} expands to {hidden} channels, expected {expansion * channels}"
    )
    state = redrawn(block.state_dict(), seed=channels)
    block.load_state_dict(state)
    x = torch.randn(6, channels, height, columns, generator=rng)
    for train in (False, True):
        block.train(train)
        what = f"{called} of {tuple(x.shape)} in {'train' if train else 'eval'} mode"
        what += " (`filter` strides, and the last channels are dropped)"
        spec = everywhere_spec(x, state, stride, train)
        with check.without(*NOT_YOURS):
            answer = block(x).detach()
        check.close(answer, spec, rtol=1e-3, atol=1e-2, what=what)
    silent = {**state, "norm3.weight": torch.zeros(width), "norm3.bias": torch.zeros(width)}
    block.load_state_dict(silent)
    what = f"{called} whose branch is 0, which leaves the shortcut"
    check.close(block(x).detach(), shortcut_spec(x, width, stride), atol=1e-5, what=what)
for stride in (0, 3, -1):
    refused = None
    try:
        Everywhere(4, 4, stride)
    except Exception as error:
        refused = error
    what = f"stride {stride}: a ValueError is expected, not {refused!r}"
    assert isinstance(refused, ValueError), what
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "everywhere_learns", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
digits = data.load("digits", "train", size=8, channels=3)
pixels, labels = next(data.batches(digits, 16))
torch.manual_seed(6)
stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
with check.without(*NOT_YOURS):
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10)
    net = nn.Sequential(stem, Everywhere(8, 12, 1, 4), *head)
    check.gradients(net, (4, 3, 8, 8))
check.learns(net, pixels, labels, steps=20, learning_rate=0.1)
total = sum(p.numel() for p in net.parameters())
assert total == 1_434, f"the network has {total:,} parameters, expected 1,434"

# %% [markdown]
# ### 3 · What a ReLU destroys (5 points)
#
# The notebook had a signal of two dimensions. Let the signal have d dimensions, and go through a
# matrix $T$ (n, d) and a ReLU. A unit is active at a point $x$ if $T_i x > 0$. At $x$ the map is
# linear, with the active rows: those rows of $T$ whose unit is active. It can be inverted there
# when these rows have rank d.
#
# **Contract.** `chance_lost(n, d)` returns a probability, as a float: that fewer than d of n units
# are active. Each unit is active with probability 1/2, independently of the others. The result is
# exact to 12 digits, also for n = 2,000, where $2^n$ is too large for a float.
#
# `share_lost(T, x)` takes T (n, d) and points x (N, d). It returns, as a float, the share of the
# points at which the map cannot be inverted. There the *rank* of the active rows is less than d.
# Rows may be equal or dependent: counting them is not enough.
#
# *Hint:* `math.comb` is exact, and Python divides large integers well. *To see it:* draw
# `chance_lost(n, 8)` by n beside `share_lost` of random matrices.

# %% nbgrader={"grade": false, "grade_id": "chance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def chance_lost(n: int, d: int) -> float:
    """Return the probability that fewer than d of n units are active.

    Source: Lemma 2 of the paper's appendix A asks for d active units.
    """
    ### BEGIN SOLUTION
    return sum(math.comb(n, k) for k in range(d)) / 2**n
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "share", "locked": false, "schema_version": 3, "solution": true, "task": false}
def share_lost(T: Tensor, x: Tensor) -> float:
    """Return the share of the points x (N, d) where ReLU(T x) cannot be inverted.

    T: (n, d).
    """
    ### BEGIN SOLUTION
    active = (x @ T.T > 0).to(T.dtype)  # (N, n)
    rows = active[:, :, None] * T  # (N, n, d): inactive rows are 0
    ranks = torch.linalg.matrix_rank(rows)
    return (ranks < T.shape[1]).double().mean().item()
    ### END SOLUTION

# %%
# Yours: for example, both by n at d = 8.

# %% nbgrader={"grade": true, "grade_id": "chance_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for n, d, true in [(7, 3, 29 / 128), (5, 2, 6 / 32), (2, 2, 0.75), (3, 2, 0.5), (4, 3, 11 / 16), (1, 1, 0.5)]:
    mine = chance_lost(n, d)
    assert mine is not None, "your function returns None: is there a `return`?"
    cases = round(true * 2**n)
    likely = {
        "this is the probability that nothing is lost": 1 - true,
        "exactly d are active; asked is: fewer than d": math.comb(n, d) / 2**n,
        "d active units are enough: fewer than d are not": true + math.comb(n, d) / 2**n,
        "no active unit is a case, too": true - 1 / 2**n,
        "that is the notebook's formula, for two dimensions": (n + 1) / 2**n,
        "which units are active counts, not their order": sum(math.perm(n, k) for k in range(d)) / 2**n,
        "a number of cases: divide by all 2ⁿ": cases,
        "there are 2ⁿ cases, not n²": cases / n**2,
        "there are 2ⁿ cases, not 2 · n": cases / (2 * n),
        "// leaves the whole number: divide by /": cases // 2**n,
        "a probability, not percent": 100 * true,
    }
    hints = {wrong: hint for hint, wrong in likely.items() if wrong != true}
    near = "exact to 12 digits: add the cases up, do not draw them" if abs(mine - true) < 0.05 else ""
    hint = hints.get(mine, near or f"add the cases of 0 to {d - 1} active units")
    assert abs(mine - true) < 1e-12, f"chance_lost({n}, {d}) is {mine}, expected {true}: {hint}"

# %% nbgrader={"grade": true, "grade_id": "chance_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: n less than d, d = 0, and n in the thousands.
### BEGIN HIDDEN TESTS
for n, d, true in [
    (3, 5, 1.0),
    (7, 0, 0.0),
    (30, 2, 31 / 2**30),
    (2000, 1000, 0.49108049442707286),
    (1500, 700, 0.004545001635745942),
]:
    hint = "divide integers by an integer" if n > 1000 else "d may be 0, or more than n"
    try:
        mine = chance_lost(n, d)
    except Exception as error:
        raise AssertionError(f"chance_lost({n}, {d}): {error!r}; {hint}") from error
    right = abs(mine - true) <= 1e-12 * max(true, 1e-3)
    assert right, f"chance_lost({n}, {d}) is {mine}, expected {true} to 12 digits; {hint}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "share_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
axes = torch.eye(2, dtype=torch.float64)
corners = torch.tensor([[1.0, 1], [-1, 1], [1, -1], [-1, -1]], dtype=torch.float64)
mine = share_lost(axes, corners)
assert mine is not None, "your function returns None: is there a `return`?"
assert isinstance(mine, float), f"a share is a float, not {mine!r}"
hints = {
    0.25: "this is the share at which *nothing* is lost, or at which all units rest",
    0.0: "the rank of T itself: only the rows that are active at a point count",
    3.0: "a share of the points, not their number",
    75.0: "a fraction, not percent",
    1.0: "the share of points whose rank is below d, not a mean of ranks",
    0.5: "the share of points whose rank is below d, not what their ranks lack",
}
hint = hints.get(mine, "the rank of the active rows, compared with d")
assert mine == 0.75, f"two axes: lost at 3 of 4 corners, your share is {mine}: {hint}"
mine = share_lost(torch.cat([axes, -axes]), corners)
assert mine == 0.0, f"with T and −T nothing is lost, your share is {mine}: a rank is compared with d, not with n"
assert share_lost(axes, corners[:1]) == 0.0, "the rows that are active count, T x > 0, not those at rest"
twice = torch.cat([axes, axes])
mine = share_lost(twice, corners)
assert mine == 0.75, f"a row that stands twice adds no rank: expected 0.75, not {mine}"
mine = share_lost(axes, axes)  # each point lies on the border of one unit
assert mine == 1.0, f"a unit is active where T x > 0, not where it is 0: {mine}, expected 1.0"

# %% nbgrader={"grade": true, "grade_id": "share_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random and dependent matrices in 2 to 6 dimensions, against a loop; one unit.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(7)
for n, d in [(3, 2), (5, 3), (12, 6), (1, 2), (8, 4)]:
    T = torch.randn(n, d, generator=rng).double()
    x = torch.randn(60, d, generator=rng).double()
    for kind in ("random", "dependent"):
        if kind == "dependent":
            T[-1] = T[0] * 2 if n > 1 else 0
            T[:, -1] = T[:, 0]
        lost = 0
        for point in x:
            rows = T[T @ point > 0]
            rank = int(torch.linalg.matrix_rank(rows)) if len(rows) else 0
            lost += rank < d
        mine = share_lost(T.clone(), x.clone())
        said = f"share_lost of a {kind} matrix ({n}, {d}) is {mine}"
        assert abs(mine - lost / 60) < 1e-9, f"{said}, expected {lost / 60}"
### END HIDDEN TESTS

# %% [markdown]
# ### 4 · What the expansion costs (2 points)
#
# **Expect, then compute.** Take a block of the notebook from 24 to 24 channels on a map of 56×56
# pixels, with stride 1 and t = 6. How many MACs does it have? How many would one standard 3×3
# convolution from 24 to 24 channels have? And how many would one between the *wide* maps have, from
# 144 to 144? Write the three numbers down, as arithmetic.
#
# *Hint:* a convolution of C to D channels with k×k kernels in g groups has k²·C·D/g MACs for each
# pixel of its output. *To see it:* call `flops.count` after you have written your numbers.

# %% nbgrader={"grade": false, "grade_id": "expect", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expected_macs() -> tuple[int, int, int]:
    """Return MACs: the block, a 3×3 from 24 to 24, a 3×3 from 144 to 144 channels."""
    ### BEGIN SOLUTION
    pixels = 56 * 56
    return pixels * 144 * (24 + 9 + 24), pixels * 9 * 24 * 24, pixels * 9 * 144 * 144
    ### END SOLUTION

# %%
# Yours: did you expect it?

# %% nbgrader={"grade": true, "grade_id": "expect_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: your three numbers, against the counter.
### BEGIN HIDDEN TESTS
nets = mobilenet.InvertedResidual(24, 24), *(nn.Conv2d(c, c, 3, padding=1) for c in (24, 144))
true = [flops.count(net, (1, net_in, 56, 56)).macs for net, net_in in zip(nets, (24, 24, 144), strict=True)]
with check.without("course_lib.flops.count", "torch.nn.Module.__init__"):
    mine = list(expected_macs())
assert len(mine) == 3, f"{mine}: three numbers, please"
assert mine != true[::-1], "the block comes first, then 24 to 24, then 144 to 144"
pixels = 56 * 56
for place, (name, found, macs) in enumerate(zip(("block", "24 to 24", "144 to 144"), mine, true, strict=True)):
    hints = {2 * macs: "2 FLOPs are one MAC", macs // pixels: "every weight multiplies once at each of 56 · 56 pixels"}
    hints |= {macs // 56: "a map has 56 · 56 pixels", macs // 9: "a kernel has 3·3 pixels", macs // 3: "a kernel has 3·3 pixels"}
    if place == 0:
        hints |= {
            pixels * 144 * (24 + 9 * 144 + 24): "the depthwise layer has one kernel for each channel",
            pixels * 144 * (24 + 24): "the depthwise layer multiplies, too",
            pixels * 144 * (24 + 1 + 24): "a depthwise kernel has 3·3 pixels",
            pixels * 144 * (9 + 24): "expansion and projection are two 1×1 convolutions: both multiply, too",
            pixels * 24 * (24 + 9 + 24): "the block expands to 6 · 24 = 144 channels",
            pixels * 144 * (9 * 24 + 9 + 24): "the expansion is 1×1",
            macs + pixels * 312: "a norm counts no MACs",
        }
    hints |= {pixels * 9 * (24, 24, 144)[place]: "each output reads every input channel: no groups"}
    hint = hints.get(found, "a MAC is one multiplication; the depthwise layer has 9 for each channel")
    said = f"{name}: you expected {found:,} MACs, the counter finds {macs:,}"
    assert found == macs, f"{said} ({hint})"
### END HIDDEN TESTS

# %% [markdown]
# ### 5 · A block in parts (3 points)
#
# The wide map of a block has six times as many channels as its input and output. It need not exist
# at once. Every expanded channel is filtered alone, and the projection *adds* over channels.
# Section 5.1 of the paper computes the block as a sum over groups of expanded channels, with a
# fraction of the memory.
#
# **Contract.** `parts(block, x, splits)` takes an `InvertedResidual` of the notebook in *eval*
# mode. It returns a list of `splits` tensors (N, width, H', W'), one for each group of consecutive
# expanded channels. The groups have equal size. A tensor is what its group adds to the output of
# the projecting *convolution*, before its norm. To get `block(x)`, put the sum of the list through
# the norm of `block.project`, and add x where `block.keeps_shape`.
#
# The function takes no gradients and does not change the block. It raises `ValueError` when
# `splits` does not divide the number of expanded channels, or the block is in train mode.
#
# *Hint:* `block.expand` is a sequence: convolution, norm, ReLU6. With t = 1 it is an identity
# instead. Slice weights and statistics. *To see it:* how many numbers are in memory at once for 1
# and for 6 splits?

# %% nbgrader={"grade": false, "grade_id": "parts", "locked": false, "schema_version": 3, "solution": true, "task": false}
@torch.no_grad()
def parts(block: nn.Module, x: Tensor, splits: int) -> list[Tensor]:
    """Return what each of `splits` groups of expanded channels adds to the projection.

    Raises ValueError when the groups are not equal, or in train mode. Source: section
    5.1 of the paper.
    """
    ### BEGIN SOLUTION
    hidden = block.filter[0].in_channels
    if block.training or splits < 1 or hidden % splits:
        raise ValueError(f"no {splits} equal parts of {hidden} channels in eval mode")

    def activated(x: Tensor, norm: nn.Module, chosen: slice) -> Tensor:
        names = "running_mean", "running_var", "weight", "bias"
        numbers = (getattr(norm, name)[chosen] for name in names)
        return F.relu6(F.batch_norm(x, *numbers, eps=norm.eps))

    found, size = [], hidden // splits
    for first in range(0, hidden, size):
        chosen = slice(first, first + size)
        wide = x[:, chosen]
        if not isinstance(block.expand, nn.Identity):
            wide = F.conv2d(x, block.expand[0].weight[chosen])
            wide = activated(wide, block.expand[1], chosen)
        kernels, stride = block.filter[0].weight[chosen], block.filter[0].stride
        wide = F.conv2d(wide, kernels, stride=stride, padding=1, groups=size)
        wide = activated(wide, block.filter[1], chosen)
        found.append(F.conv2d(wide, block.project[0].weight[:, chosen]))
    return found
    ### END SOLUTION

# %%
# Yours: for example, the largest difference between block(x) and the sum.

# %% nbgrader={"grade": true, "grade_id": "parts_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(8)
block = mobilenet.InvertedResidual(4, 4)
block.load_state_dict(redrawn(block.state_dict(), 9))
block.eval()
x = torch.randn(2, 4, 6, 5)
found = parts(block, x.clone(), 3)
assert found is not None, "your function returns None: is there a `return`?"
assert len(found) == 3, f"{len(found)} parts, expected 3"
shape = tuple(found[0].shape)
assert shape == (2, 4, 6, 5), f"a part is {shape}: after the projection it is (2, 4, 6, 5)"
with torch.no_grad():
    (expand, norm1, _), (depthwise, norm2, _) = block.expand, block.filter
    project, norm3 = block.project
    wide, thirds = block.filter(block.expand(x)), torch.arange(24)[:, None, None] // 8
    true = [project(wide * (thirds == third)) for third in range(3)]
    likely = {
        "the parts already hold norm and shortcut; these come after the sum": block(x),
        "each part went through the last norm; it comes once, after the sum": sum(map(norm3, true)),
        "each part holds the parts before it, too": 3 * true[0] + 2 * true[1] + true[2],
        "each part is the whole": 3 * sum(true),
        "an activation is missing: ReLU6 comes after each of the two norms": project(norm2(depthwise(norm1(expand(x))))),
        "ReLU for ReLU6": project(norm2(depthwise(norm1(expand(x)).relu())).relu()),
        "the norms of expansion and filter are missing": project(F.relu6(depthwise(F.relu6(expand(x))))),
    }
for mistake, wrong in likely.items():
    assert not torch.allclose(sum(found), wrong, atol=1e-2), mistake
what = "the sum of three parts (each norm takes the numbers of the group's own channels)"
check.close(sum(found), sum(true), 1e-3, 1e-2, what=what)
assert not torch.allclose(found[0], found[1]), "the parts are equal: groups of channels differ"
for splits, train in [(5, False), (0, False), (3, True)]:
    try:
        answer = parts(block.train(train), x, splits)
    except Exception as error:
        answer = error
    what = f"{splits} splits, {train = }: a ValueError is expected, not {type(answer).__name__}"
    assert isinstance(answer, ValueError), what

# %% nbgrader={"grade": true, "grade_id": "parts_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: each part by itself, other shapes and strides, t = 1; what is left of the block.
### BEGIN HIDDEN TESTS
torch.manual_seed(10)
for channels, width, stride, expansion, splits in [
    (4, 6, 2, 6, 4),
    (6, 6, 1, 1, 3),
    (3, 3, 1, 2, 6),
    (2, 5, 1, 4, 1),
]:
    block = mobilenet.InvertedResidual(channels, width, stride, expansion)
    block.load_state_dict(redrawn(block.state_dict(), channels))
    block.eval()
    before = {name: value.clone() for name, value in block.state_dict().items()}
    x = torch.randn(2, channels, 6, 8)
    called = f"{splits} parts, {channels} to {width} channels, t = {expansion}, stride {stride}"
    try:
        found = parts(block, x.clone(), splits)
    except (TypeError, AttributeError) as error:
        hint = "with t = 1 `expand` is an identity"
        raise AssertionError(f"{called}: {error!r}; {hint}") from error
    assert len(found) == splits, f"{called}: {len(found)} were returned"
    shape, size = (2, width, 6 // stride, 8 // stride), channels * expansion // splits
    same = tuple(found[0].shape) == shape
    assert same, f"{called}: a part is {tuple(found[0].shape)}, not {shape}; does the filter stride?"
    assert not found[0].requires_grad, "the parts carry gradients"
    same = all(torch.equal(v, before[name]) for name, v in block.state_dict().items())
    assert same, "weights or statistics of the block changed"
    assert not block.training, "the block was in eval mode and is left in train mode"
    with torch.no_grad():
        wide, group = block.filter(block.expand(x)), torch.arange(splits * size)[:, None, None]
        mixed = block.project[0](wide * (group % splits == 0))
        for number, part in enumerate(found):
            alone = block.project[0](wide * (group // size == number))
            apart = number or torch.allclose(mixed, alone, atol=1e-2) or not torch.allclose(part, mixed, atol=1e-2)
            assert apart, f"a group is consecutive channels, not every {splits}th"
            check.close(part, alone, 1e-3, 1e-2, what=f"part {number} of {called}")
### END HIDDEN TESTS

# %% [markdown]
# ### 6 · Linear, and thin (2 points)
#
# "A ReLU is what makes a network more than a linear map, so a layer without one is wasted." Why
# does the bottleneck of MobileNetV2 have no ReLU, and where is the network's non-linearity? How
# wide would a map have to be before a ReLU on it is harmless? Answer in two to four sentences. Give
# one number from this assignment or the notebook.

# %% [markdown] nbgrader={"grade": true, "grade_id": "linear_why", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# A ReLU on a map that is as thin as the signal destroys part of it. If the map has n = d units, all
# of them must be active. This has probability 2⁻ᵈ, so `chance_lost(d, d)` is nearly 1. The
# non-linearity is the two ReLU6 inside the block, where the map is six times as wide. There it
# hardly ever happens that fewer than d of 6d units are active (`chance_lost(144, 24)` is below
# 10⁻¹⁶). For a signal of 24 dimensions, 66 units lose less than one percent, and 92 less than one
# in a million.
#
# **Marking scheme.** 1 point: the thin map has no room, since information is lost where fewer than
# d units are active. The non-linearity is inside, on the wide map. 1 point: a width with a number,
# computed or measured.
# ### END SOLUTION
