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
# # Assignment 9 · Xception (20 points)
#
# The notebook `09_xception` built the two ends of a line: Inception's few segments, and one segment
# for each channel. Here you work along that line. You find widths for a budget, build segments of
# any size, split a kernel in the other order, and fold a layer into one convolution.
#
# | | exercise | points |
# |---|---|---|
# | 1 | As wide as the budget allows | 3 |
# | 2 | Segments of any size | 5 |
# | 3 | The nearest kernel, in the other order | 4 |
# | 4 | One convolution of three layers | 4 |
# | 5 | What a middle block costs | 2 |
# | 6 | Equal parameters | 2 |
#
# Replace each `raise NotImplementedError`. The cell below it is for your own prints and drawings
# and is not graded. The *visible* tests give some of the points, and you can run them. After you
# hand in, *hidden* tests ask the same function about other inputs; the first line of a hidden test
# says which. Images are (N, C, H, W) throughout. All of it computes in a few seconds.
#
# "The paper" is Chollet, *Xception*, [arXiv:1610.02357](https://arxiv.org/abs/1610.02357).

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import check, data, notebook

xception = notebook.load("09_xception")

# %% [markdown]
# ### 1 · As wide as the budget allows (3 points)
#
# A module mixes C channels to W by 1×1 and filters them by 3×3 in S segments. It has
# $C\,W + 9\,W^2/S$ weights. The notebook's widths for 60,000 parameters were found by trying.
# Compute them.
#
# **Contract.** `widest(channels, segments, budget)` returns the largest width W (an `int`) that
# `segments` divides and whose module has at most `budget` weights. The argument `segments` is an
# `int`, or `None` for one segment for each channel (S = W). The answer is exact for budgets up to
# 10¹⁵. It raises `ValueError` when not even the smallest width fits, or when `channels` or
# `segments` is below 1.
#
# *Hint:* W = S·k. The inequality in k is quadratic, and `math.isqrt` has no rounding error.
# *To see it:* draw the width by S for C = 64 and a budget of 20,000.

# %% nbgrader={"grade": false, "grade_id": "widest", "locked": false, "schema_version": 3, "solution": true, "task": false}
def widest(channels: int, segments: int | None, budget: int) -> int:
    """Return the largest width whose module has at most `budget` weights.

    segments: a divisor of the width, or None for one segment a channel. Raises
    ValueError when no width fits, or an argument is below 1.
    """
    ### BEGIN SOLUTION
    if channels < 1 or (segments is not None and segments < 1):
        raise ValueError(f"{channels} channels, {segments} segments: expected 1 or more")
    if segments is None:
        width = budget // (channels + 9)
    else:
        mixed = channels * segments
        root = math.isqrt(mixed**2 + 36 * segments * max(budget, 0))
        width = segments * ((root - mixed) // (18 * segments))
    if width < 1:
        raise ValueError(f"no width has at most {budget} weights")
    return width
    ### END SOLUTION

# %%
# Yours: for example, the width by the number of segments.

# %% nbgrader={"grade": true, "grade_id": "widest_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for channels, segments, budget, true, hint in [
    (1, 1, 10, 1, "1·1 + 9·1²/1 = 10 is *at most* 10"),
    (64, 1, 60_000, 78, "64·78 + 9·78² = 59,748, and 79 has 61,225: round down"),
    (64, 4, 60_000, 148, "a filter in S segments has 9·W²/S weights; 4 divides W"),
    (16, None, 60_000, 2_400, "one segment a channel: 16·W + 9·W"),
    (3, 8, 600, 16, "3·16 + 9·16²/8 = 336; 24 has 720, and W must be a multiple of 8"),
]:
    mine = widest(channels, segments, budget)
    assert mine is not None, "your function returns None: is there a `return`?"
    called, step = f"widest({channels}, {segments}, {budget}) is {mine}, expected {true}", segments or 1
    for words, mixing, filters in [
        ("the 1×1 costs C·W, too", 0, 9),
        ("the 3×3 costs nine times W²/S", channels, 1),
        ("the 1×1 has no segments: it costs C·W", channels / step, 9),
        ("the filters are in S segments: 9·W²/S", channels, 9 * step),
    ]:
        counts = range(step, 7000, step)
        prices = [mixing * w + filters * (w * w // step if segments else w) for w in counts]
        wrong = step * sum(price <= budget for price in prices)
        assert wrong == true or mine != wrong, f"{called}: {words}"
    assert mine % step == 0, f"{called}: {step} divides W"
    assert mine == true, f"{called}: {hint}"
    assert isinstance(mine, int), f"a width of {mine!r}: an int, please"

# %% nbgrader={"grade": true, "grade_id": "widest_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: the next width does not fit, also for huge budgets; exact fits; what must be refused.
### BEGIN HIDDEN TESTS
def weights_of(channels: int, segments: int | None, width: int) -> int:
    return channels * width + (9 * width if segments is None else 9 * width**2 // segments)


for channels, segments, budget in [
    (64, 1, 20_000),
    (64, 3, 20_000),
    (728, None, 5_000_000),
    (7, 5, 10**15),
    (1, None, 10**15 + 7),
    (10**6, 2, 10**13 + 1),
    (12, 6, weights_of(12, 6, 42)),
    (12, 6, weights_of(12, 6, 42) - 1),
    (5, None, weights_of(5, None, 1)),
    (3, 1, weights_of(3, 1, 30_000_001) - 1),
]:
    mine, called = widest(channels, segments, budget), f"widest({channels}, {segments}, {budget})"
    step = segments or 1
    assert mine % step == 0, f"{called} is {mine}, which {step} does not divide"
    weights = weights_of(channels, segments, mine)
    assert weights <= budget, f"{called} is {mine}: {weights:,} weights are too many; round down, and take whole numbers, whose roots are exact"
    weights = weights_of(channels, segments, mine + step)
    assert weights > budget, f"{called} is {mine}: {mine + step} fits, too"
for channels, segments, budget in [
    (4, 2, 25), (4, None, 12), (0, 1, 99), (-1, None, 99), (4, 0, 99), (4, -2, 99), (2, 1, 0),
    (2, None, -5),
]:
    try:
        found = widest(channels, segments, budget)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"widest({channels}, {segments}, {budget}) raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% [markdown]
# ### 2 · Segments of any size (5 points)
#
# The segments of the notebook are equal. Those of a real Inception module are not: a narrow one
# sees 5×5 pixels, a wide one 3×3. Write the general module: one 1×1 convolution for all, then a
# convolution of its own for each segment.
#
# $$y = \mathrm{relu}(\mathrm{norm}(\mathrm{concat}_s\; \mathrm{filters}_s(\mathrm{mix}(x)_s)))$$
#
# **Contract.** `Segmented(channels, segments)` is an `nn.Module`. The list `segments` holds
# (width, kernel_size) of each: consecutive channels of the mixed map. The layer `mix` is 1×1 from C
# to the sum of the widths. An `nn.ModuleList` called `filters` holds full convolutions, width to
# width, that keep H and W. The layer `norm` is a batch normalisation of the whole. No convolution
# has a bias, and nothing stands between `mix` and `filters`. An even kernel size, a width below 1
# or no segment at all is a `ValueError`. The module does not run `segmented_spec`, which is for your
# tests.
#
# *Hint:* `Tensor.split` takes a list of sizes. *To see it:* with kernels of 1×1 in one segment,
# what does the module become?

# %% nbgrader={"grade": false, "grade_id": "segmented_spec", "locked": true, "schema_version": 3, "solution": false, "task": false}
def segmented_spec(x: Tensor, weights: dict, sizes: list[int], train: bool) -> Tensor:
    """The formula, one output channel at a time; weights by name as in `state_dict()`."""
    mix = weights["mix.weight"][..., None]  # (M, C, 1, 1, 1)
    mixed = sum(x[:, [m]] * mix[:, m, 0] for (m,) in np.ndindex(x.shape[1]))
    planes, first = [], 0
    for number, size in enumerate(sizes):
        kernels = weights[f"filters.{number}.weight"]
        own = mixed[:, first : first + len(kernels)]
        planes += [F.conv2d(own, kernel[None], padding=size // 2) for kernel in kernels]
        first += len(kernels)
    mean, variance, gamma, beta = (
        weights[f"norm.{part}"].clone()
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    whole = torch.cat(planes, dim=1)
    return F.batch_norm(whole, mean, variance, gamma, beta, training=train).clamp(min=0)


# what an answer does without; the specification stands on the first
NOT_YOURS = "numpy.ndindex", "notebook_09_xception.segments_block"


def redrawn(state: dict, seed: int) -> dict:
    """Return a state_dict with other numbers in it; variances stay positive."""
    rng = torch.Generator().manual_seed(seed)
    new = {name: value.clone() for name, value in state.items()}
    for name, value in new.items():
        if value.is_floating_point():
            new[name] = torch.randn(value.shape, generator=rng)
            if name.endswith("running_var"):
                new[name] = new[name].abs() + 0.5
    return new

# %% nbgrader={"grade": false, "grade_id": "segmented", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Segmented(nn.Module):
    """Mix by 1×1, then filter segments of any width by kernels of any odd size.

    (N, channels, H, W) to (N, sum of widths, H, W). segments: (width, kernel_size) of
    each. Raises ValueError for an even kernel, a width below 1, or no segment. Source: Figure 1
    and 3 of the paper.
    """

    def __init__(self, channels: int, segments: list[tuple[int, int]]):
        super().__init__()
        ### BEGIN SOLUTION
        if not segments or any(width < 1 or size % 2 == 0 for width, size in segments):
            raise ValueError(f"segments {segments}: expected widths and odd kernel sizes")
        self.widths = [width for width, _ in segments]
        self.mix = nn.Conv2d(channels, sum(self.widths), 1, bias=False)
        self.filters = nn.ModuleList(
            nn.Conv2d(width, width, size, padding=size // 2, bias=False)
            for width, size in segments
        )
        self.norm = nn.BatchNorm2d(sum(self.widths))
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        parts = self.mix(x).split(self.widths, dim=1)
        filtered = [layer(part) for layer, part in zip(self.filters, parts, strict=True)]
        return F.relu(self.norm(torch.cat(filtered, dim=1)))
        ### END SOLUTION

# %%
# Yours: for example, the shapes of all weights.

# %% nbgrader={"grade": false, "grade_id": "segmented_likely", "locked": true, "schema_version": 3, "solution": false, "task": false}
@torch.no_grad()
def mistaken(module: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Return likely wrong answers of Segmented(5, [(4, 3), (2, 5)]), by what is wrong."""
    parts = module.mix(x).split([4, 2], dim=1)
    bare = torch.cat([f(part) for f, part in zip(module.filters, parts, strict=True)], dim=1)
    active = torch.cat([f(p.relu()) for f, p in zip(module.filters, parts, strict=True)], dim=1)
    last_first = module.mix(x).split([2, 4], dim=1)[::-1]
    swapped = torch.cat(
        [f(part) for f, part in zip(module.filters, last_first, strict=True)], dim=1
    )
    likely = {
        "the ReLU at the end is missing": module.norm(bare),
        "the norm is missing": bare.relu(),
        "swish for ReLU": F.silu(module.norm(bare)),
        "the ReLU stands before the norm": module.norm(bare.relu()),
        "there is an activation between mix and filters": module.norm(active).relu(),
        "the segments are in the wrong order": module.norm(swapped).relu(),
    }
    return likely

# %% nbgrader={"grade": true, "grade_id": "segmented_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
module = Segmented(5, [(4, 3), (2, 5)])
state = module.state_dict()
shapes = {name: tuple(v.shape) for name, v in state.items() if v.ndim > 1}
expected = {
    "mix.weight": (6, 5, 1, 1),
    "filters.0.weight": (4, 4, 3, 3),
    "filters.1.weight": (2, 2, 5, 5),
}
assert shapes.get("filters.0.weight") != (4, 1, 3, 3), "a filter is a full convolution: no groups"
assert shapes.get("filters.0.weight") != (4, 6, 3, 3), "a filter reads its own segment alone"
assert shapes.get("filters.0.weight") != (4, 5, 3, 3), "a filter reads the mixed map, not x"
assert shapes.get("filters.1.weight") != (2, 2, 3, 3), "each segment has a kernel size of its own"
assert shapes.keys() == expected.keys(), f"the layers are {[*shapes]}, expected {[*expected]}: this is no module of the notebook"
assert shapes == expected, f"the convolutions are {shapes}, expected {expected}"
biases = [name for name in state if name.endswith("bias") and not name.startswith("norm")]
assert not biases, f"{biases}: a norm follows, so no convolution needs a bias"
state = redrawn(state, 3)
module.load_state_dict(state)
x = torch.randn(3, 5, 6, 7, generator=torch.Generator().manual_seed(4))
before = x.clone()
for layer, (width, size) in zip(module.filters, [(4, 3), (2, 5)], strict=True):
    shape = tuple(layer(x[:, :width]).shape[2:])
    assert shape == (6, 7), f"a filter of {size}×{size} makes 6×7 pixels {shape}: zeros of half a kernel keep H and W"
with check.without(*NOT_YOURS):
    try:
        answer = module.eval()(x).detach()
    except NotImplementedError:
        raise
    except RuntimeError as error:
        raise AssertionError(f"forward fails: {error}; are the segments joined along the channels?") from error
spec = segmented_spec(x, state, [3, 5], train=False)
assert torch.equal(x, before), "your module changed its input in place"
shape = tuple(answer.shape)
assert shape == (3, 6, 6, 7), f"the output is {shape}, expected (3, 6, 6, 7): padding?"
for mistake, wrong in mistaken(module, x).items():
    assert not torch.allclose(answer, wrong, atol=1e-3), mistake
check.close(answer, spec, 1e-3, 1e-4, what="Segmented(5, [(4, 3), (2, 5)]) in eval mode")
assert any(weight.requires_grad for weight in module.parameters()), "nothing can learn"

# %% nbgrader={"grade": true, "grade_id": "segmented_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: one segment and many, kernels of 1 to 7, train mode; what must be refused.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(5)
for channels, segments in [
    (3, [(4, 1)]),
    (2, [(1, 3), (1, 3), (1, 3), (1, 3)]),
    (4, [(2, 7), (5, 1), (3, 3)]),
    (1, [(3, 5), (1, 1)]),
    (6, [(8, 3)]),
]:
    module, called = Segmented(channels, segments), f"Segmented({channels}, {segments})"
    state = redrawn(module.state_dict(), seed=channels)
    module.load_state_dict(state)
    x = torch.randn(4, channels, 8, 5, generator=rng)
    for train in (False, True):
        module.train(train)
        spec = segmented_spec(x, state, [size for _, size in segments], train)
        what = f"{called} in {'train' if train else 'eval'} mode"
        with check.without(*NOT_YOURS):
            answer = module(x).detach()
        check.close(answer, spec, rtol=1e-3, atol=1e-3, what=what)
for segments in ([], [(4, 2)], [(4, 3), (2, 4)], [(0, 3)], [(3, 3), (-1, 3)]):
    try:
        found = Segmented(4, segments)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"Segmented(4, {segments}) raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "segmented_learns", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
digits = data.load("digits", "train", size=8, channels=3)
pixels, labels = next(data.batches(digits, 8))
before = pixels.clone()
torch.manual_seed(6)
with check.without(*NOT_YOURS):
    first, second = Segmented(3, [(8, 3), (4, 5)]), Segmented(12, [(8, 3), (8, 3), (4, 1)])
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(20, 10)
    net = nn.Sequential(first, nn.MaxPool2d(2), second, *head)
    check.gradients(net, (4, 3, 8, 8))
check.learns(net, pixels, labels, steps=20, learning_rate=0.1)
assert torch.equal(pixels, before), "your module changed the images in place"
total = sum(p.numel() for p in net.parameters())
assert total == 2_694, f"the network has {total:,} parameters, expected 2,694"

# %% [markdown]
# ### 3 · The nearest kernel, in the other order (4 points)
#
# The notebook found, for each *input* channel, the patterns that explain a full kernel best: a
# depthwise convolution, then a pointwise one. Inception has the other order: the 1×1 comes first,
# and each *output* channel has its own patterns:
#
# $$W_{nm} \approx \sum_{r} p_{nrm}\; d_{nr}$$
#
# **Contract.** `nearest(weight, patterns)` takes a kernel (N, M, K, K) and returns `(mix, filters)`
# of shapes (N·patterns, M, 1, 1) and (N, patterns, K, K). Let `patterns` be R. A 1×1 convolution
# with `mix`, followed by one with `filters` in N groups, has the least squared error to a
# convolution with `weight`. Rows n·R to n·R + R − 1 of `mix` belong to output n. `weight` is
# unchanged; the answers carry no gradient. It raises `ValueError` unless 1 ≤ patterns ≤ min(M, K²).
#
# *Hint:* for each output a matrix (M, K²), and `torch.linalg.svd` takes a batch of them.
# *To see it:* print the error by R for the first layer of a recorded network.

# %% nbgrader={"grade": false, "grade_id": "nearest", "locked": false, "schema_version": 3, "solution": true, "task": false}
@torch.no_grad()
def nearest(weight: Tensor, patterns: int) -> tuple[Tensor, Tensor]:
    """Return mix (N·patterns, M, 1, 1) and filters (N, patterns, K, K) nearest to `weight`.

    weight: (N, M, K, K). Raises ValueError unless 1 <= patterns <= min(M, K²).
    Source: the order of Figure 4 of the paper.
    """
    ### BEGIN SOLUTION
    N, M, K, _ = weight.shape
    if not 1 <= patterns <= min(M, K * K):
        raise ValueError(f"{patterns} patterns: expected 1 to {min(M, K * K)}")
    left, values, right = torch.linalg.svd(weight.flatten(2), full_matrices=False)
    mix = (left * values[:, None])[..., :patterns].transpose(1, 2)  # (N, patterns, M)
    filters = right[:, :patterns]  # (N, patterns, K²)
    return mix.reshape(N * patterns, M, 1, 1), filters.reshape(N, patterns, K, K)
    ### END SOLUTION

# %%
# Yours: for example, the squared error by the number of patterns.

# %% nbgrader={"grade": true, "grade_id": "nearest_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
rng = torch.Generator().manual_seed(7)
drawn = {"generator": rng, "dtype": torch.float64}
weight = torch.randn(3, 4, 1, 1, **drawn) * torch.randn(3, 1, 3, 3, **drawn)
before = weight.clone()
found = nearest(weight, 1)
assert found is not None, "your function returns None: is there a `return`?"
mix, filters = found
assert torch.equal(weight, before), "your function changed the weight"
shapes = tuple(mix.shape), tuple(filters.shape)
assert shapes[0] != (3, 4), "mix is the weight of a 1×1 convolution: four dimensions"
assert shapes == ((3, 4, 1, 1), (3, 1, 3, 3)), f"mix and filters are {shapes}, expected (3, 4, 1, 1) and (3, 1, 3, 3)"
x = torch.randn(2, 4, 6, 5, **drawn)
made = mix * filters
assert made.abs().max() > 1e-9, "the smallest singular values were taken: the largest come first"
assert not torch.allclose(filters[0], filters[1]), "all outputs have the same pattern: each output has its own"
size = torch.linalg.matrix_norm(weight.flatten(2))[:, None, None, None]  # the singular value
for wrong, words in [
    (weight / size, "the singular values are forgotten"),
    (weight * size, "the singular values are in both factors"),
    (-weight, "one factor has the wrong sign"),
]:
    assert not torch.allclose(made, wrong), words
answer = F.conv2d(F.conv2d(x, mix), filters, padding=1, groups=3)
check.close(answer, F.conv2d(x, weight, padding=1), 1e-6, 1e-9, what="a kernel that is separable already")
by_input = torch.randn(3, 4, 1, 1, **drawn) * torch.randn(1, 4, 3, 3, **drawn)
mix, filters = nearest(by_input, 1)
gap = (by_input - mix.view(3, 4, 1, 1) * filters).square().sum() / by_input.square().sum()
assert gap > 1e-3, "a pattern for each input is no pattern for each output: wrong order?"
mix, filters = nearest(by_input, 2)
u, values, v = torch.linalg.svd(by_input.flatten(2), full_matrices=False)
best = ((u * values[:, None])[..., :2] @ v[:, :2]).view(by_input.shape)
for rows, words in [
    (mix.reshape(3, 4, 2).mT, "a row of mix belongs to one pattern and holds M numbers: transpose before you reshape"),
    (mix.reshape(2, 3, 4).transpose(0, 1), "rows n·R to n·R + R − 1 of mix belong to output n: outputs first, then patterns"),
]:
    wrong = (rows.mT @ filters.flatten(2)).view(best.shape)
    assert not torch.allclose(wrong, best), words
made = (mix.reshape(3, 2, 4).mT @ filters.flatten(2)).view(best.shape)
check.close(made, best, 1e-6, 1e-9, what="two patterns: the two largest of each output")
assert mix.dtype == by_input.dtype, f"mix is of {mix.dtype}, expected {by_input.dtype}"

# %% nbgrader={"grade": true, "grade_id": "nearest_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: more patterns, other kernels, the smallest error that is possible; what must be refused.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(8)
for N, M, K, patterns in [(5, 4, 3, 2), (2, 9, 3, 9), (3, 12, 3, 4), (1, 6, 5, 3), (4, 2, 1, 1)]:
    weight = torch.randn(N, M, K, K, generator=rng, dtype=torch.float64)
    called = f"nearest of {(N, M, K, K)} with {patterns} patterns"
    mix, filters = nearest(weight.clone().requires_grad_(), patterns)
    assert not any(part.requires_grad for part in (mix, filters)), f"{called} carries gradients"
    shapes = tuple(mix.shape), tuple(filters.shape)
    assert shapes == ((N * patterns, M, 1, 1), (N, patterns, K, K)), f"{called}: {shapes}"
    x = torch.randn(1, M, 7, 6, generator=rng, dtype=torch.float64)
    made = torch.zeros_like(weight)
    for n in range(N):
        for r in range(patterns):
            made[n] += mix[n * patterns + r, :, :, :] * filters[n, r]
    pad = K // 2
    answer = F.conv2d(F.conv2d(x, mix), filters, padding=pad, groups=N)
    check.close(answer, F.conv2d(x, made, padding=pad), 1e-6, 1e-9, what=called)
    least = sum(
        (torch.linalg.svdvals(weight[n].flatten(1))[patterns:] ** 2).sum() for n in range(N)
    )
    error = (weight - made).square().sum()
    assert error < least + 1e-9 * weight.square().sum(), (
        f"{called} has the squared error {error:.4f}; the least is {least:.4f}"
    )
for N, M, K, patterns in [(3, 4, 3, 0), (3, 4, 3, 5), (3, 20, 3, 10), (3, 4, 3, -1)]:
    try:
        found = [tuple(part.shape) for part in nearest(torch.randn(N, M, K, K), patterns)]
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"{patterns} patterns of {(N, M, K, K)} raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% [markdown]
# ### 4 · One convolution of three layers (4 points)
#
# Nothing stands between the two convolutions of the notebook's `separable`, and in eval mode its
# batch normalisation is linear, too. So the whole layer is *one* convolution with a bias.
#
# **Contract.** `folded(layer)` takes a `separable(C, W)` in eval mode: a sequence of depthwise
# convolution, pointwise convolution and `BatchNorm2d`. It returns a new
# `nn.Conv2d(C, W, 3, padding=1)` with a bias and the same answers, in the layer's dtype. The layer
# stays as it was. It raises `ValueError` when the layer is in train mode.
#
# *Hint:* the norm is $\gamma\,(y - \mathrm{mean})/\sqrt{\mathrm{var} + \epsilon} + \beta$, with
# `layer[2].eps`. *To see it:* time both with `course_lib.latency.milliseconds`. Is one layer faster
# than three?

# %% nbgrader={"grade": false, "grade_id": "folded", "locked": false, "schema_version": 3, "solution": true, "task": false}
@torch.no_grad()
def folded(layer: nn.Sequential) -> nn.Conv2d:
    """Return one 3×3 convolution that answers as a `separable` layer does in eval mode.

    Raises ValueError in train mode.
    """
    ### BEGIN SOLUTION
    depthwise, pointwise, norm = layer
    if norm.training:
        raise ValueError("in train mode the norm depends on the batch: call eval() first")
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    kernel = pointwise.weight * depthwise.weight.transpose(0, 1)  # (W, C, 3, 3)
    conv = nn.Conv2d(depthwise.in_channels, pointwise.out_channels, 3, padding=1)
    conv.to(kernel.dtype)
    conv.weight.copy_(scale[:, None, None, None] * kernel)
    conv.bias.copy_(norm.bias - scale * norm.running_mean)
    return conv
    ### END SOLUTION

# %%
# Yours: which of the two is faster?

# %% nbgrader={"grade": true, "grade_id": "folded_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
layer = xception.separable(4, 6)
layer.load_state_dict(redrawn(layer.state_dict(), 10))
layer.eval()[2].eps = 0.25
x = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(9))
before = {name: value.clone() for name, value in layer.state_dict().items()}
spec = layer(x).detach()
conv = folded(layer)
for name, value in layer.state_dict().items():
    assert torch.equal(value, before[name]), f"{name} of the layer has changed: it stays as it was"
assert isinstance(conv, nn.Conv2d), f"a {type(conv).__name__}: expected an nn.Conv2d" + ": is there a `return`?" * (conv is None)
assert conv.weight.shape == (6, 4, 3, 3), f"the kernel is {tuple(conv.weight.shape)}, expected (6, 4, 3, 3)"
assert conv.bias is not None, "the norm moves its input: the convolution needs a bias"
assert conv(x).shape == spec.shape, f"6×5 pixels become {tuple(conv(x).shape)}: the layer keeps H and W, so padding=1"
with torch.no_grad():
    answer, norm = conv(x), layer[2]
    kernel, variance = layer[1].weight * layer[0].weight.transpose(0, 1), norm.running_var
    right = conv.weight * ((variance + norm.eps).sqrt() / norm.weight)[:, None, None, None]
    for wrong, words in [
        (conv.weight, "the kernel is not scaled by the norm"),
        (conv.weight * ((variance + norm.eps) / norm.weight)[:, None, None, None], "divided by the variance: it is its root"),
        (conv.weight * ((variance + 1e-5).sqrt() / norm.weight)[:, None, None, None], "the root is of variance + ε, and ε is `layer[2].eps`"),
        (conv.weight * (variance + norm.eps).sqrt()[:, None, None, None], "γ, the norm's weight, is forgotten"),
        (right.flip(2, 3), "the kernel is flipped: a layer of PyTorch does not flip it"),
    ]:
        assert not torch.allclose(wrong, kernel, rtol=1e-3, atol=1e-3), words
    if torch.allclose(right, kernel, atol=1e-4):
        scale = norm.weight / (variance + norm.eps).sqrt()
        for wrong, words in [
            (norm.bias, "it is β alone; the mean moves it, too"),
            (norm.bias - norm.running_mean, "the mean is scaled, too"),
            (norm.bias + scale * norm.running_mean, "the mean is subtracted"),
        ]:
            assert not torch.allclose(conv.bias, wrong), f"the kernel is right, the bias is not: {words}"
        assert torch.allclose(answer, spec, atol=1e-3), "the kernel is right, the bias is not"
check.close(answer, spec, 1e-3, 1e-4, what="the folded layer")
try:
    found = folded(xception.separable(2, 2).train())
except Exception as error:
    found = error
assert isinstance(found, ValueError), f"a layer in train mode raised no ValueError, but gave {found!r}"

# %% nbgrader={"grade": true, "grade_id": "folded_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: other widths, a large epsilon, tiny variances, float64; what is left of the layer.
### BEGIN HIDDEN TESTS
torch.manual_seed(11)
for channels, width, eps in [(1, 1, 1e-5), (5, 3, 0.7), (3, 8, 1e-3)]:
    layer = xception.separable(channels, width).double()
    layer[2].eps = eps
    layer.load_state_dict(redrawn(layer.state_dict(), channels))
    layer[2].running_var.mul_(0.01)
    layer.eval()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    conv, what = folded(layer), f"separable({channels}, {width}), epsilon {eps}, folded"
    x = torch.randn(2, channels, 7, 8, dtype=torch.float64)
    assert conv.weight.dtype == torch.float64, f"{what}: {conv.weight.dtype}"
    with torch.no_grad():
        check.close(conv(x), layer(x), 1e-8, 1e-8, what=what)
        layer[0].weight.zero_()
        assert conv.weight.abs().sum() > 0, f"{what}: it shares its weights with the layer"
    layer.load_state_dict(before)
    conv = folded(layer)
    same = all(torch.equal(v, before[name]) for name, v in layer.state_dict().items())
    assert same, f"{what}: the layer's weights or statistics changed"
    assert not layer.training, f"{what}: the layer is left in train mode"
    assert sum(p.numel() for p in conv.parameters()) == width * (9 * channels + 1)
### END HIDDEN TESTS

# %% [markdown]
# ### 5 · What a middle block costs (2 points)
#
# **Expect, then compute.** A block of the middle flow has three layers of 728 to 728 channels. How
# many weights do its convolutions have? Norms do not count. Write down three numbers, as
# arithmetic:
#
# 1. with separable layers,
# 2. with full 3×3 convolutions,
# 3. with modules of a 1×1 convolution and a 3×3 in four segments.
#
# *Hint:* a convolution of C to D channels with k×k kernels in g groups has k²·C·D/g weights.
# *To see it:* `check.params` on a layer tells, after you have written your numbers.

# %% nbgrader={"grade": false, "grade_id": "expect", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expected_weights() -> tuple[int, int, int]:
    """Return the weights of three layers: separable, full 3×3, 1×1 and 3×3 in four segments."""
    ### BEGIN SOLUTION
    mix, filters = 728 * 728, 9 * 728 * 728
    return 3 * (9 * 728 + mix), 3 * filters, 3 * (mix + filters // 4)
    ### END SOLUTION

# %%
# Yours: did you expect it?

# %% nbgrader={"grade": true, "grade_id": "expect_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: your three numbers, against the layers themselves.
### BEGIN HIDDEN TESTS
with torch.device("meta"):
    mixing = nn.Conv2d(728, 728, 1, bias=False)
    filtering = [nn.Conv2d(728, 728, 3, groups=g, bias=False) for g in (728, 1, 4)]
layers = [mixing, filtering[0]], [filtering[1]], [mixing, filtering[2]]
true = [3 * sum(layer.weight.numel() for layer in some) for some in layers]
with check.without("course_lib.flops.count", "torch.nn.Conv2d", "torch.nn.Module.parameters"):
    mine = list(expected_weights())
W = 728
likely = {  # of one layer: what is wrong
    W * W: "the depthwise 3×3 has 9 weights a channel",
    9 * W: "the pointwise convolution mixes all channels",
    9 * W + W * W + 2 * W: "norms do not count",
    9 * W + W * W + W: "no convolution has a bias",
    9 * W * W + W * W: "a full 3×3 alone, without a 1×1 and without segments",
    9 * W * W + 2 * W: "norms do not count",
    9 * W * W + W: "no convolution has a bias",
    9 * W * W // 4: "the 1×1 before the segments is missing",
    W * W + 36 * W * W: "four segments have a quarter of the weights",
    W * W + 9 * W * W // 16: "of W²/S² weights there are S: W²/S",
    (W * W + 9 * W * W) // 4: "the 1×1 has no segments",
    W * W + 9 * W * W // 4 + 2 * W: "norms do not count",
}
for name, found, weights in zip(("separable", "full", "four segments"), mine, true, strict=True):
    said = f"{name}: you expected {found:,} weights, there are {weights:,}"
    assert 3 * found != weights, f"{said}: a block has three layers"
    assert found == weights, f"{said}: {likely.get(found / 3, 'count one layer, then three')}"
### END HIDDEN TESTS

# %% [markdown]
# ### 6 · Equal parameters (2 points)
#
# "Depthwise separable convolutions are better than full ones, because the notebook's network with
# one segment a channel has the highest accuracy." What was held equal in that experiment, and what
# was not? What else could explain the result than the hypothesis about decoupled correlations? Name
# one experiment that would tell. Answer in two to four sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "equal_why", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# Parameters, depth, images and epochs were equal. The width was not: 162 channels against 45.
# Neither were the MACs, which fell. So the higher accuracy may come from more channels, whatever
# the filter is. One experiment compares networks of equal *width*; then the full one has far more
# weights. Another gives the narrow network the wide one's number of channels by 1×1 layers alone.
#
# **Marking scheme.** 1 point: parameters were equal, width (or MACs) was not. 1 point: an
# explanation by width with an experiment that separates the two.
# ### END SOLUTION
