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
# # Assignment 12 · EfficientNet (20 points)
#
# The notebook `12_efficientnet` built MBConv and scaled one table to eight networks. Here you
# compute depths that spend exactly what was asked for, and write MobileNetV3's block. A drop-path
# that saves time follows, and a search for what fits a budget.
#
# | | exercise | points |
# |---|---|---|
# | 1 | Blocks without excess | 3 |
# | 2 | MobileNetV3's block | 5 |
# | 3 | A drop-path that saves time | 3 |
# | 4 | Under a budget | 5 |
# | 5 | What the gate costs | 2 |
# | 6 | Why all three? | 2 |
#
# Replace each `raise NotImplementedError`. The cell below it is for your own prints and drawings
# and is not graded. The *visible* tests give some of the points, and you can run them. After you
# hand in, *hidden* tests ask the same function about other inputs; the first line of a hidden test
# says which. Images are (N, C, H, W) throughout. All of it computes in a few seconds.
#
# "The paper" is Tan and Le, *EfficientNet*, [arXiv:1905.11946](https://arxiv.org/abs/1905.11946).

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import check, data, flops, notebook

efficientnet = notebook.load("12_efficientnet")

# %% [markdown]
# ### 1 · Blocks without excess (3 points)
#
# EfficientNet rounds the blocks of each stage up. B1 asks for 1.1 times the 16 blocks of B0, which
# is 17.6, and gets 23. Share the blocks out so that the sum is right.
#
# **Contract.** `shared_blocks(blocks, depth)` takes the blocks of each stage, a list of `int`, and
# returns a list as long. Its sum is `depth · sum(blocks)`, rounded to the nearest whole number
# (halfway goes up). Stage i first gets `depth · blocks[i]`, rounded *down*. The blocks that are
# then left go, one each, to the stages with the largest fractional parts. Of equal ones the earlier
# comes first. It raises `ValueError` when `depth` is less than 1 or a stage has no block.
#
# *Hint:* use `fractions.Fraction(str(depth))`, as 1.1 · 10 is not 11 in floats. *To see it:*
# compare with `efficientnet.scaled` for the depths of B1 to B7.

# %% nbgrader={"grade": false, "grade_id": "shared", "locked": false, "schema_version": 3, "solution": true, "task": false}
def shared_blocks(blocks: list[int], depth: float) -> list[int]:
    """Return the blocks of each stage, `depth` times as many in sum.

    Raises ValueError for a depth below 1 and for a stage without a block.
    """
    ### BEGIN SOLUTION
    from fractions import Fraction

    if depth < 1 or min(blocks) < 1:
        raise ValueError(f"depth {depth} of {blocks}: expected at least 1 of each")
    wishes = [Fraction(str(depth)) * count for count in blocks]
    given = [math.floor(wish) for wish in wishes]
    left = math.floor(sum(wishes) + Fraction(1, 2)) - sum(given)
    order = sorted(range(len(blocks)), key=lambda i: given[i] - wishes[i])
    return [count + (i in order[:left]) for i, count in enumerate(given)]
    ### END SOLUTION

# %%
# Yours: for example, B1 to B7 by both rules.

# %% nbgrader={"grade": true, "grade_id": "shared_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
B0 = [stage.blocks for stage in efficientnet.STAGES]
for blocks, depth, true, hint in [
    ([2, 4, 1], 1.0, [2, 4, 1], "depth 1 changes nothing"),
    ([2, 4, 1], 2.0, [4, 8, 2], "whole wishes are granted"),
    ([1, 2, 2], 1.4, [1, 3, 3], "7 in sum: 1, 2, 2 rounded down, and 2 left for the parts .8"),
    ([7], 1.3, [9], "the sum 9.1 is rounded to the nearest number, not up"),
    ([3, 3, 3, 2], 1.2, [4, 4, 3, 2], "two are left for three equal parts: the earlier stage comes first"),
    ([3, 3], 1.5, [5, 4], "equal parts: the earlier stage comes first"),
    ([1], 1.5, [2], "the sum is rounded, halfway up"),
    ([1], 2.5, [3], "halfway goes up, also from an even number; Python's `round(2.5)` is 2"),
    ([10], 1.1, [11], "1.1 · 10 is 11"),
    ([2, 7], 1.3, [3, 9], "2.6 and 9.1: the larger *part* gets the block, not the longer stage"),
    ([1, 6], 1.6, [2, 9], "the parts .6 are equal; only in floats is that of 9.6 larger"),
    (B0, 1.1, [1, 2, 2, 4, 3, 5, 1], "18 in sum: the parts .4 and .3 get the last two"),
]:
    mine = shared_blocks(list(blocks), depth)
    assert mine is not None, "your function returns None: is there a `return`?"
    assert isinstance(mine, list), f"a list is asked for, not a {type(mine).__name__}"
    for rounded, words in [
        (math.ceil, "each stage is rounded up, which is the excess"),
        (math.floor, "each stage is rounded down, and what is left is not shared out"),
        (round, "each stage is rounded by itself, which does not give the sum asked for"),
    ]:
        wrong = [rounded(depth * count) for count in blocks]
        assert mine != wrong or wrong == true, f"{blocks}, depth {depth}: {words}; {hint}"
    assert mine == true, f"shared_blocks({blocks}, {depth}) is {mine}, expected {true}: {hint}"

# %% nbgrader={"grade": true, "grade_id": "shared_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other stages and depths, against a slow rule; many stages; bad values.
### BEGIN HIDDEN TESTS
from fractions import Fraction

rng = torch.Generator().manual_seed(1)
cases = [([1, 1, 1, 1], 1.25), ([1, 2, 2, 3, 3, 4, 1], 1.1), ([7, 7, 7], 1.3), ([5], 3.7)]
for _ in range(30):
    count = int(torch.randint(1, 9, (), generator=rng))
    blocks = torch.randint(1, 12, (count,), generator=rng).tolist()
    cases.append((blocks, 1 + int(torch.randint(0, 300, (), generator=rng)) / 100))
for blocks, depth in cases:
    exact = Fraction(str(depth))
    wishes = [exact * count for count in blocks]
    true = [math.floor(wish) for wish in wishes]
    parts = [wish - math.floor(wish) for wish in wishes]
    while sum(true) < math.floor(sum(wishes) + Fraction(1, 2)):
        best = max(range(len(parts)), key=lambda i: (parts[i], -i))
        true[best], parts[best] = true[best] + 1, Fraction(-1)
    mine = shared_blocks(list(blocks), depth)
    assert mine == true, f"shared_blocks({blocks}, {depth}) is {mine}, expected {true}"
for blocks, depth in [([1, 2], 0.9), ([1, 0], 1.5), ([-1, 3], 2.0)]:
    try:
        found = shared_blocks(blocks, depth)
    except ValueError:
        continue
    except Exception as error:
        found = repr(error)
    raise AssertionError(f"shared_blocks({blocks}, {depth}) raised no ValueError, but gave {found}")
### END HIDDEN TESTS

# %% [markdown]
# ### 2 · MobileNetV3's block (5 points)
#
# MobileNetV3 ([arXiv:1905.02244](https://arxiv.org/abs/1905.02244)) took swish and the gate to
# phones, where an exponential is slow. It replaced both sigmoids by a straight line, limited to 0
# and 1:
#
# $$\mathrm{hsigmoid}(x) = \tfrac{1}{6}\,\mathrm{ReLU6}(x + 3), \qquad \mathrm{hswish}(x) = x \cdot \mathrm{hsigmoid}(x)$$
#
# Its gate squeezes to a quarter of the *expanded* width, rounded by `efficientnet.round_channels`,
# with a ReLU between the two layers.
#
# **Contract.** `HardBlock(channels, width, kernel_size, stride, expansion)` is an `nn.Module`. Its
# layer `expand` is 1×1 to `expansion`·C channels. Its `filter` is depthwise, with the stride and
# half a kernel of zeros. The gate's two 1×1 convolutions, `squeeze` and `excite`, have biases. The
# last layer, `project`, is 1×1 to `width`. Norms are `norm1`, `norm2`, `norm3`; the other
# convolutions have no bias. The gate multiplies the filtered map *after* its activation.
# Activations are hswish. The projection is linear, and a shortcut is there where stride is 1 and C
# equals `width`. It raises `ValueError` when the kernel is even.
#
# *Hint:* `hard_spec` may be called with `block.state_dict()`, in your tests: the block runs neither it
# nor the blocks of the notebook and of torchvision. *To see it:* draw hswish and swish.

# %% nbgrader={"grade": false, "grade_id": "hard_spec", "locked": true, "schema_version": 3, "solution": false, "task": false}
def hard_spec(x, weights: dict, stride: int, train: bool, **other) -> Tensor:
    """The block, one layer at a time, with weights by name as in `state_dict()`.

    other: what tests put in the place of swish, second, inner, gate, pool, join, last.
    """
    def norm(x: Tensor, name: str) -> Tensor:
        mean, variance, gamma, beta = (
            weights[f"{name}.{part}"].clone()
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, variance, gamma, beta, training=train)

    def line(x: Tensor) -> Tensor:
        return (x + 3).clamp(0, 6) / 6

    swish = other.get("swish", lambda x: x * line(x))
    inner = other.get("inner", lambda x: x.clamp(min=0))
    second, last = other.get("second", swish), other.get("last", lambda x: x)
    pool, join = other.get("pool", torch.mean), other.get("join", torch.mul)
    wide = swish(norm(F.conv2d(x, weights["expand.weight"]), "norm1"))
    kernels = weights["filter.weight"]
    zeros = kernels.shape[-1] // 2
    planes = [
        F.conv2d(wide[:, [c]], kernels[[c]], stride=stride, padding=zeros)
        for (c,) in np.ndindex(len(kernels))
    ]
    wide = second(norm(torch.cat(planes, dim=1), "norm2"))
    z = pool(wide, dim=(2, 3), keepdim=True)
    z = inner(F.conv2d(z, weights["squeeze.weight"], weights["squeeze.bias"]))
    z = F.conv2d(z, weights["excite.weight"], weights["excite.bias"])
    gate = other.get("gate", line)(z)
    thin = last(norm(F.conv2d(join(wide, gate), weights["project.weight"]), "norm3"))
    return x + thin if x.shape == thin.shape and stride == 1 else thin

# %% nbgrader={"grade": false, "grade_id": "hard_rules", "locked": true, "schema_version": 3, "solution": false, "task": false}
# what an answer does without; the specification stands on the first
NOT_YOURS = (
    "numpy.ndindex",
    "notebook_12_efficientnet.MBConv",
    "torchvision.models.mobilenetv3.InvertedResidual",
)


def redrawn(state: dict, seed: int) -> dict:
    """Return a state_dict with other numbers in it; variances stay positive."""
    rng = torch.Generator().manual_seed(seed)
    new = {name: value.clone() for name, value in state.items()}
    for name, value in new.items():
        if value.is_floating_point():
            size = value[0].numel() ** -0.5 if value.ndim > 1 else 1
            new[name] = 2 * size * torch.randn(value.shape, generator=rng)
            if name.endswith("running_var"):
                new[name] = new[name].abs() + 0.5
    return new

# %% nbgrader={"grade": false, "grade_id": "hard_likely", "locked": true, "schema_version": 3, "solution": false, "task": false}
LIKELY = {  # mistakes, as changes of the specification
    "swish for hswish": {"swish": F.silu},
    "ReLU6 for hswish": {"swish": F.relu6},
    "ReLU for hswish": {"swish": F.relu},
    "hsigmoid for hswish: the x before it is missing": {"swish": F.hardsigmoid},
    "no activation follows the filter": {"second": lambda x: x},
    "the gate has a sigmoid, not hsigmoid": {"gate": torch.sigmoid},
    "the gate has hswish, not hsigmoid": {"gate": F.hardswish},
    "no activation stands between the gate's two layers": {"inner": lambda x: x},
    "between the gate's layers stands swish, as in the notebook; here: ReLU": {"inner": F.silu},
    "between the gate's layers stands hswish; here: ReLU": {"inner": F.hardswish},
    "the gate reads the largest number of a map, not the mean": {"pool": torch.amax},
    "the gate reads the sum of a map, not the mean": {"pool": torch.sum},
    "there is no gate": {"join": lambda wide, gate: wide},
    "the gate is added: it multiplies": {"join": torch.add},
    "the gate stands before the filter's activation": {
        "second": lambda x: x,
        "join": lambda wide, gate: F.hardswish(wide * gate),
    },
    "the stride is on `project`: it belongs to `filter`": {
        "stride": 1,
        "join": lambda wide, gate: (wide * gate)[..., ::2, ::2],
    },
    "there is an activation on the linear bottleneck": {"last": F.hardswish},
    "there is a ReLU on the linear bottleneck": {"last": F.relu},
}

# %% nbgrader={"grade": false, "grade_id": "hard", "locked": false, "schema_version": 3, "solution": true, "task": false}
class HardBlock(nn.Module):
    """MobileNetV3's block: MBConv with hswish and a gate without exponentials.

    (N, channels, H, W) to (N, width, ⌈H/stride⌉, ⌈W/stride⌉). Raises ValueError for an
    even kernel. Source: arXiv:1905.02244, sections 5.2 and 5.3.
    """

    def __init__(self, channels: int, width: int, kernel_size=3, stride=1, expansion=6):
        super().__init__()
        ### BEGIN SOLUTION
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size is {kernel_size}: expected an odd one")
        hidden = expansion * channels
        squeezed = efficientnet.round_channels(hidden / 4)
        self.expand = nn.Conv2d(channels, hidden, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(hidden)
        shape = hidden, hidden, kernel_size, stride, kernel_size // 2
        self.filter = nn.Conv2d(*shape, groups=hidden, bias=False)
        self.norm2 = nn.BatchNorm2d(hidden)
        self.squeeze = nn.Conv2d(hidden, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, hidden, 1)
        self.project = nn.Conv2d(hidden, width, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(width)
        self.keeps_shape = stride == 1 and channels == width
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        wide = F.hardswish(self.norm1(self.expand(x)))
        wide = F.hardswish(self.norm2(self.filter(wide)))
        mean = wide.mean(dim=(2, 3), keepdim=True)
        gate = F.hardsigmoid(self.excite(self.squeeze(mean).relu()))
        thin = self.norm3(self.project(wide * gate))
        return x + thin if self.keeps_shape else thin
        ### END SOLUTION

# %%
# Yours: for example, hswish and swish from -5 to 5.

# %% nbgrader={"grade": true, "grade_id": "hard_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
block = HardBlock(16, 6, kernel_size=5, stride=2, expansion=3)
shapes = {name: tuple(v.shape) for name, v in block.state_dict().items() if v.ndim > 1}
expected = {
    f"{name}.weight": (*channels, size, size)
    for name, channels, size in [
        ("expand", (48, 16), 1), ("filter", (48, 1), 5), ("squeeze", (16, 48), 1),
        ("excite", (48, 16), 1), ("project", (6, 48), 1),
    ]
}
assert shapes.keys() == expected.keys(), f"the layers are {[*shapes]}, expected {[*expected]}: this is no block of the notebook"
assert shapes["expand.weight"] != (18, 16, 1, 1), "expanded is the input's width, not the output's"
assert shapes["filter.weight"] != (48, 48, 5, 5), "the filter reads all channels: groups?"
assert shapes["squeeze.weight"] != (8, 48, 1, 1), "squeezed to a quarter of the *input*; here: of the expanded"
assert shapes["squeeze.weight"] != (12, 48, 1, 1), "the squeezed width is not rounded to 8"
assert shapes == expected, f"the convolutions are {shapes}, expected {expected}"
biases = {name.split(".")[0] for name in block.state_dict() if name.endswith("bias")}
assert not biases & {"expand", "filter", "project"}, "a norm follows: no bias before it"
assert biases >= {"squeeze", "excite"}, "the gate's two layers have biases"
state = redrawn(block.state_dict(), 3)
block.load_state_dict(state)
x = torch.randn(3, 16, 7, 5, generator=torch.Generator().manual_seed(4))
before = x.clone()
with check.without(*NOT_YOURS):
    answer = block.eval()(x).detach()
spec = hard_spec(x, state, 2, train=False)
assert torch.equal(x, before), "your block changed its input in place"
shape = tuple(answer.shape)
assert shape == (3, 6, 4, 3), f"the output is {shape}, expected (3, 6, 4, 3): half a kernel of zeros at each edge, and the stride once"
for mistake, change in LIKELY.items():
    wrong = hard_spec(x, state, **{"stride": 2, "train": False} | change)
    assert not torch.allclose(answer, wrong, rtol=1e-4, atol=1e-3), mistake
check.close(answer, spec, 1e-3, 1e-2, what="HardBlock(16, 6, 5, 2, 3) in eval mode")
assert any(weight.requires_grad for weight in block.parameters()), "nothing can learn"

# %% nbgrader={"grade": true, "grade_id": "hard_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: other widths, kernels, strides and expansions, eval and train mode; shortcuts; even kernels.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(5)
for channels, width, kernel, stride, expansion, height, columns in [
    (8, 8, 3, 1, 4, 5, 4),
    (8, 8, 3, 2, 4, 6, 5),
    (16, 8, 5, 1, 6, 4, 6),
    (3, 3, 7, 1, 1, 7, 4),
    (5, 9, 1, 2, 2, 5, 5),
    (20, 8, 3, 2, 8, 4, 4),
]:
    block = HardBlock(channels, width, kernel, stride, expansion)
    called = f"HardBlock({channels}, {width}, {kernel}, {stride}, {expansion})"
    hidden, squeezed = expansion * channels, len(block.state_dict()["squeeze.bias"])
    assert len(block.state_dict()["expand.weight"]) == hidden, f"{called}: expanded width"
    true = efficientnet.round_channels(hidden / 4)
    assert squeezed == true, f"{called} squeezes to {squeezed} channels, expected {true}"
    state = redrawn(block.state_dict(), seed=channels)
    block.load_state_dict(state)
    x = torch.randn(6, channels, height, columns, generator=rng)
    for train in (False, True):
        block.train(train)
        what = f"{called} of {tuple(x.shape)} in {'train' if train else 'eval'} mode"
        spec = hard_spec(x, state, stride, train)
        with check.without(*NOT_YOURS):
            answer = block(x).detach()
        if spec.shape == x.shape and stride == 1:
            mine = answer + x
            assert not torch.allclose(mine, spec, 1e-3, 2e-2), f"{what}: the shortcut is missing"
        check.close(answer, spec, rtol=1e-3, atol=2e-2, what=what)
for kernel in (2, 4):
    try:
        found = type(HardBlock(4, 4, kernel)).__name__
    except ValueError:
        continue
    except Exception as error:
        found = repr(error)
    raise AssertionError(f"kernel_size {kernel} raised no ValueError, but gave {found}")
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "hard_learns", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
digits = data.load("digits", "train", size=8, channels=3)
pixels, labels = next(data.batches(digits, 16))
torch.manual_seed(6)
stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
with check.without(*NOT_YOURS):
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10)
    net = nn.Sequential(stem, HardBlock(8, 12, 3, 1, 3), *head)
    check.gradients(net, (4, 3, 8, 8))
check.learns(net, pixels, labels, steps=20, learning_rate=0.1)
total = sum(p.numel() for p in net.parameters())
assert total == 1_586, f"the network has {total:,} parameters, expected 1,586"

# %% [markdown]
# ### 3 · A drop-path that saves time (3 points)
#
# The notebook's drop-path computes a branch for all images, and then throws some away. Compute it
# only for those that stay.
#
# **Contract.** `kept_path(branch, x, p, training)` returns `x + branch(x)` in eval mode. In
# training it draws, for each image by itself, whether its branch is dropped (probability p). A
# dropped image comes back as it was. The others, together in one call of `branch`, in their order,
# become `x + branch(x) / (1 − p)`. When no image is kept, the branch is not called. x is not
# changed, and gradients flow. It raises `ValueError` unless 0 ≤ p < 1.
#
# *Hint:* a boolean mask indexes the batch; `torch.index_add` or `clone` and assignment put the
# answers back. *To see it:* draw the means of a thousand runs.

# %% nbgrader={"grade": false, "grade_id": "kept", "locked": false, "schema_version": 3, "solution": true, "task": false}
def kept_path(branch, x: Tensor, p: float, training: bool) -> Tensor:
    """Return x plus the branch of the images that keep it. x: (N, C, H, W).

    Raises ValueError unless 0 <= p < 1. Source: arXiv:1603.09382, for images alone.
    """
    ### BEGIN SOLUTION
    if not 0 <= p < 1:
        raise ValueError(f"p is {p}: expected 0 <= p < 1")
    if not training:
        return x + branch(x)
    kept = (torch.rand(len(x), device=x.device) >= p).nonzero().flatten()
    if not len(kept):
        return x.clone()
    return torch.index_add(x, 0, kept, branch(x[kept]) / (1 - p))
    ### END SOLUTION

# %%
# Yours: for example, how many images a branch sees in ten runs.

# %% nbgrader={"grade": true, "grade_id": "kept_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(7)
x, seen = torch.randn(400, 2, 3, 1), []


def counted(part: Tensor) -> Tensor:
    seen.append(part.clone())
    return 3 * part + 1


before = x.clone()
mine = kept_path(counted, x, 0.25, training=False)
assert mine is not None, "your function returns None: is there a `return`?"
assert not torch.allclose(mine, x + (3 * x + 1) / 0.75), "divided by 1 − p in eval mode, too"
check.close(mine, 4 * x + 1, what="in eval mode, nothing is dropped or divided")
seen.clear()
mine = kept_path(counted, x, 0.25, training=True)
assert torch.equal(x, before), "x was changed"
assert (mine.shape, mine.dtype) == (x.shape, x.dtype), f"the answer is {tuple(mine.shape)} of {mine.dtype}, expected {tuple(x.shape)} of {x.dtype}"
assert not (mine == 0).flatten(1).all(dim=1).any(), "a dropped image comes back as x, not as zeros"
same = (mine == x).flatten(1).all(dim=1)
assert 0 < same.sum() < 400, f"{same.sum()} of 400 images were dropped: is there a draw for each image?"
assert same.sum() < 250, f"{same.sum()} of 400 images were dropped: p is the share that is dropped, not kept"
assert 50 < same.sum() < 150, f"{same.sum()} of 400 images were dropped; about 100 are expected"
sizes = [len(part) for part in seen]
assert sizes != [400], "the branch was computed for all images: only those that stay"
assert sizes == [400 - int(same.sum())], f"the branch saw {sizes} images: one call of the kept"
assert torch.equal(seen[0], x[~same]), "the branch's answers went to other images than it saw"
for wrong, words in [
    (4 * x + 1, "what is kept is divided by 1 − p"),
    (x + (3 * x + 1) / 0.25, "divided by p: the share that is kept is 1 − p"),
    ((4 * x + 1) / 0.75, "x itself was divided: only the branch is"),
    (x + (3 * x + 1) * 0.75, "multiplied by 1 − p: what is kept becomes larger"),
    *((y, "the branch alone came back: x is added to it") for y in (3 * x + 1, 4 * x + 4 / 3)),
]:
    assert not torch.allclose(mine[~same], wrong[~same]), words
check.close(mine[~same], (x + (3 * x + 1) / 0.75)[~same], what="the kept images")
seen.clear()
for _ in range(8):
    kept_path(counted, x[:1], 0.8, training=True)
assert all(map(len, seen)), "no image was kept, and the branch was called with none"

# %% nbgrader={"grade": true, "grade_id": "kept_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: branches that mix the kept images; other p; nothing kept; gradients; bad p.
### BEGIN HIDDEN TESTS
torch.manual_seed(8)
for count, p in [(300, 0.5), (200, 0.1), (50, 0.0), (1, 0.0)]:
    x = torch.randn(count, 1, 2, 2) + 5
    mine = kept_path(lambda part: part - part.mean(dim=0) + 1, x.clone(), p, training=True)
    kept = (mine != x).flatten(1).any(dim=1)
    share = 1 - kept.float().mean().item()
    assert abs(share - p) < 0.12, f"p = {p}: a share of {share:.2f} was dropped"
    spec = x[kept] + (x[kept] - x[kept].mean(dim=0) + 1) / (1 - p)
    check.close(mine[kept], spec, 1e-4, 1e-4, what=f"{count} images, p = {p}: those that are kept")
    rest = kept_path(lambda part: part - part.mean(dim=0), x, p, training=False)
    check.close(rest, 2 * x - x.mean(dim=0), 1e-4, 1e-4, what=f"eval mode, p = {p}")
x = torch.randn(1, 1, 2, 2)
found = [torch.equal(kept_path(lambda part: part + 1, x, 0.9, True), x) for _ in range(20)]
assert sum(found) >= 10, f"one image, p = 0.9: dropped {sum(found)} times of 20"
weight = torch.ones(3, requires_grad=True)
x = torch.ones(64, 3, 1, 1, requires_grad=True)
mine = kept_path(lambda part: part * weight[:, None, None], x, 0.5, training=True)
mine.sum().backward()
kept = (mine.detach() != 1).flatten(1).any(dim=1)
check.close(weight.grad, torch.full((3,), 2.0 * kept.sum()), what="the gradient of a weight")
check.close(x.grad[:, 0, 0, 0], 1 + 2.0 * kept, what="the gradient of x")
for p in (1.0, -0.1, 1.5):
    try:
        found = kept_path(lambda part: part, x, p, True)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"p = {p} raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% [markdown]
# ### 4 · Under a budget (5 points)
#
# Write two searches: first for the triples $(\alpha, \beta, \gamma)$ that a budget allows, then for
# the largest image that a network may have.
#
# **Contract.** `triples(growth, step, steps, tolerance)` returns a list of tuples
# $(\alpha, \beta, \gamma)$ of floats. Each number is $1 + k \cdot$ `step` with k from 0 to `steps`,
# and $|\alpha\,\beta^2\,\gamma^2 - \mathrm{growth}| \le$ `tolerance`. They are sorted by the
# distance $|\alpha\,\beta^2\,\gamma^2 - \mathrm{growth}|$, nearest first. Equal distances are
# sorted by the tuple.
#
# The second function, `largest_side(macs, budget, least, most)`, takes a function `macs(side)` that
# never falls. It returns the largest whole side from `least` to `most` with `macs(side) <= budget`.
# It calls `macs` at most 2 + ⌈log₂(most − least + 1)⌉ times, as counting a large network takes a
# second. It raises `ValueError` when not even `least` fits.
#
# *Hint:* halve the range until one side is left. *To see it:* how large may B0's images be for the
# MACs of B3?

# %% nbgrader={"grade": false, "grade_id": "triples", "locked": false, "schema_version": 3, "solution": true, "task": false}
def triples(growth: float, step: float, steps: int, tolerance: float) -> list[tuple]:
    """Return the (α, β, γ) of a grid that multiply MACs by `growth`, nearest first.

    Source: equation 3 of the paper.
    """
    ### BEGIN SOLUTION
    values = [1 + k * step for k in range(steps + 1)]
    found = []
    for a in values:
        for b in values:
            for g in values:
                distance = abs(a * b**2 * g**2 - growth)
                if distance <= tolerance:
                    found.append((distance, (a, b, g)))
    return [triple for _, triple in sorted(found)]
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "side", "locked": false, "schema_version": 3, "solution": true, "task": false}
def largest_side(macs, budget: int, least: int, most: int) -> int:
    """Return the largest side from `least` to `most` whose MACs fit the budget.

    Raises ValueError when `least` does not fit.
    """
    ### BEGIN SOLUTION
    if macs(least) > budget:
        raise ValueError(f"{least} pixels already cost more than {budget:,} MACs")
    fits, fails = least, most + 1
    while fails - fits > 1:
        middle = (fits + fails) // 2
        if macs(middle) <= budget:
            fits = middle
        else:
            fails = middle
    return fits
    ### END SOLUTION

# %%
# Yours: for example, B0 with the MACs of B3.

# %% nbgrader={"grade": true, "grade_id": "triples_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
mine = triples(2.0, 0.25, 4, 0.05)
assert mine is not None, "your function returns None: is there a `return`?"
assert all(len(row) == 3 for row in mine), "a list of triples is asked for, without their distances"
highest = max((max(row) for row in mine), default=2)
assert highest > 1.75, "no number is as large as 1 + steps · step = 2: k goes from 0 to `steps`"
assert (2.0, 1.0, 1.0) in mine, "depth alone, (2, 1, 1), costs exactly twice as much: α is not squared"
assert (1.0, 2.0, 1.0) not in mine, "width counts squared: (1, 2, 1) costs four times as much"
assert (1.0, 1.0, 2.0) not in mine, "resolution counts squared: (1, 1, 2) costs four times"
assert (1.0, 1.0, 1.0) not in mine, "(1, 1, 1) is 1 below the growth: the distance is an absolute value"
assert mine[0] != (1.25, 1.25, 1.0), "the farthest comes first: sort the other way"
assert mine[0] == (2.0, 1.0, 1.0), f"nearest first: (2, 1, 1) hits 2 exactly, yours begins {mine[0]}"
true = [(2.0, 1.0, 1.0), (1.25, 1.0, 1.25), (1.25, 1.25, 1.0)]
mine = [tuple(map(float, triple)) for triple in mine]
assert mine == true, f"growth 2, steps of 0.25: yours are {mine}, expected {true}"

# %% nbgrader={"grade": true, "grade_id": "side_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
called = []


def square(side: int) -> int:
    called.append(side)
    assert side == int(side), f"macs was asked about {side!r}: a side is a whole number"
    return side * side


for budget, least, most, true, hint in [
    (10_000, 1, 500, 100, "100² is exactly the budget: it fits"),
    (10_200, 1, 500, 100, "101² is 10,201: too much"),
    (10**9, 32, 600, 600, "all fit: the largest"),
    (1_024, 32, 600, 32, "only the smallest fits"),
]:
    called.clear()
    mine = largest_side(square, budget, least, most)
    assert mine is not None, "your function returns None: is there a `return`?"
    assert mine == true, f"budget {budget:,}: your side is {mine}, expected {true}: {hint}"
    allowed = 2 + math.ceil(math.log2(most - least + 1))
    assert len(called) <= allowed, f"macs was called {len(called)} times; {allowed} are enough"
    assert all(least <= n <= most for n in called), f"sides {called} are outside the range"

# %% nbgrader={"grade": true, "grade_id": "triples_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: other grids; sorted by distance; a growth that no triple has.
### BEGIN HIDDEN TESTS
for growth, step, steps, tolerance in [(2.0, 0.1, 6, 0.08), (1.5, 0.2, 3, 0.2), (4.0, 0.5, 4, 0.0)]:
    values = [1 + k * step for k in range(steps + 1)]
    every = [(a, b, g) for a in values for b in values for g in values]
    cost = {t: abs(t[0] * t[1] ** 2 * t[2] ** 2 - growth) for t in every}
    true = sorted((t for t in every if cost[t] <= tolerance), key=lambda t: (cost[t], t))
    mine = [tuple(map(float, t)) for t in triples(growth, step, steps, tolerance)]
    said = f"triples({growth}, {step}, {steps}, {tolerance})"
    edge = sum(cost[t] == tolerance for t in true)
    assert not edge or len(mine) != len(true) - edge, f"{said}: a distance of exactly the tolerance is allowed"
    assert len(mine) == len(true), f"{said} has {len(mine)} triples, expected {len(true)}"
    flat = torch.tensor(mine, dtype=torch.float64), torch.tensor(true, dtype=torch.float64)
    near = torch.tensor([abs(a * b**2 * g**2 - growth) for a, b, g in mine])
    assert (near.diff() >= -1e-9).all(), f"{said} is not sorted by distance"
    ours, theirs = ({tuple(round(x, 6) for x in t) for t in found} for found in (mine, true))
    assert ours == theirs, f"{said} holds other triples"
assert triples(0.5, 0.5, 3, 0.1) == [], "no triple shrinks a network"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "side_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other budgets and ranges; a real network; one side alone; nothing fits.
### BEGIN HIDDEN TESTS
def cubed(side: int) -> int:
    return 7 * side**3 + side // 2


for budget, least, most in [(10**6, 1, 1000), (7, 1, 1), (12_345, 5, 12), (10**7, 96, 96 + 37)]:
    fitting = [side for side in range(least, most + 1) if cubed(side) <= budget]
    if not fitting:
        continue
    mine = largest_side(cubed, budget, least, most)
    assert mine == fitting[-1], f"budget {budget:,}: {mine}, expected {fitting[-1]}"
net, budget = efficientnet.MBConv(3, efficientnet.STAGES[1]), 430_000
mine = largest_side(lambda side: flops.count(net, (1, 3, side, side)).macs, budget, 16, 64)
fits, next_fits = (flops.count(net, (1, 3, n, n)).macs <= budget for n in (mine, mine + 1))
assert fits, f"an MBConv of {mine} pixels needs more than {budget:,} MACs"
assert not next_fits, f"an MBConv fits the budget with more than {mine} pixels, too"
for least in (11, 20):
    try:
        found = largest_side(cubed, 1_000, least, 40)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"from {least} on nothing fits: no ValueError was raised, but {found!r} came")
### END HIDDEN TESTS

# %% [markdown]
# ### 5 · What the gate costs (2 points)
#
# **Expect, then compute.** The widest MBConv of B0 has 192 input channels, expansion 6 and 192
# output channels, on maps of 7×7 pixels. How many parameters does its gate (squeeze-and-excite)
# have? How many MACs does the gate have? And how many MACs does the projection have, the last 1×1
# convolution? Write the three numbers down, as arithmetic.
#
# *Hint:* the gate squeezes to a quarter of the *input* width, and works on one number a channel.
# *To see it:* `flops.count` tells, after you have written your numbers.

# %% nbgrader={"grade": false, "grade_id": "expect", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expected_costs() -> tuple[int, int, int]:
    """Return the gate's parameters and MACs, and the MACs of the projection."""
    ### BEGIN SOLUTION
    hidden, squeezed = 6 * 192, 48  # a quarter of the input's width
    weights = 2 * hidden * squeezed
    return weights + squeezed + hidden, weights, 7 * 7 * hidden * 192
    ### END SOLUTION

# %%
# Yours: did you expect it?

# %% nbgrader={"grade": true, "grade_id": "expect_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: your three numbers, against the counter.
### BEGIN HIDDEN TESTS
with torch.device("meta"):
    gate, project = efficientnet.SqueezeExcite(1152, 48), nn.Conv2d(1152, 192, 1, bias=False)
true = [sum(p.numel() for p in gate.parameters())]
for part in (gate, project):
    true.append(flops.count(part, (1, 1152, 7, 7)).macs)
with check.without("torch.nn.Module.__init__"):  # a pencil builds no network
    mine = list(expected_costs())
names = "parameters of the gate", "MACs of the gate", "MACs of the projection"
likely = {
    2 * 1152 * 48: "each layer has biases, too",
    2 * 1152 * 48 + 1152: "the first layer has biases, too",
    2 * 1152 * 48 + 48: "the second layer has biases, too",
    2 * 1152 * 48 + 1152 + 48: "a bias is added, not multiplied: it is no MAC",
    1152 * 48: "the gate has two layers",
    2 * 1152 * 288 + 1152 + 288: "it squeezes to a quarter of the input's width, not of the expanded",
    2 * 192 * 48 + 192 + 48: "the gate works on the expanded width",
    2 * 1152 * 48 * 49: "the gate works on one number a channel, not at every pixel",
    2 * 1152 * 288: "it squeezes to a quarter of the input's width, not of the expanded",
    4 * 1152 * 48: "a multiplication and an addition are one MAC",
    2 * 1152 * 192 * 49: "a multiplication and an addition are one MAC",
    1152 * 192: "the projection works at each of the 7×7 pixels",
    192 * 192 * 49: "the projection reads the expanded width",
    9 * 1152 * 192 * 49: "the projection is 1×1",
}
for name, found, number in zip(names, mine, true, strict=True):
    said = f"{name}: you expected {found:,}, there are {number:,}"
    assert found == number, f"{said}: {likely.get(found, 'write down each layer')}"
### END HIDDEN TESTS

# %% [markdown]
# ### 6 · Why all three? (2 points)
#
# "Larger images alone are the simplest way to scale: no layer changes." What does a network lack
# when only its images grow? How does the notebook's own experiment agree or disagree with the
# paper's Table 3? Answer in two to four sentences. Give one number with its interval from the
# notebook.

# %% [markdown] nbgrader={"grade": true, "grade_id": "why", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# When only the images grow, an object covers more pixels, but the receptive field and the number of
# patterns stay. Depth makes the receptive field larger, and channels hold the finer patterns, so
# balance should gain. In the paper's Table 3 MobileNetV2 has 74.8 % with r = 2 and 77.4 % with all
# three. The notebook's experiment disagrees on its small base. Resolution alone gains 2.9 ± 1.1
# points over the base, and the compound is below "width, resolution" by 1.8 ± 0.2 points. Images of
# 22 pixels lack resolution first.
#
# **Marking scheme.** 1 point: a reason for balance (a larger image needs a larger receptive field,
# that is depth, and more channels for finer patterns). 1 point: a number with its interval, read
# rightly, from the notebook's experiment.
# ### END SOLUTION
