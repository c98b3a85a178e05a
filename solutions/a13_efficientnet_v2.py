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
# # Assignment 13 · EfficientNetV2 (20 points)
#
# The notebook `13_efficientnet_v2` built the network, trained with growing images and ranked
# candidates. Here you write a fused block as the paper's Figure 2 draws it, and the schedule of
# Algorithm 1. A small search follows, and a count of what drop-path leaves of a network.
#
# | | exercise | points |
# |---|---|---|
# | 1 | Fused, with squeeze-and-excite | 5 |
# | 2 | A schedule that grows | 4 |
# | 3 | A random search | 4 |
# | 4 | The blocks that remain | 3 |
# | 5 | What fusing costs | 2 |
# | 6 | MACs and time | 2 |
#
# Replace each `raise NotImplementedError`. The cell below it is for your own prints and drawings
# and is not graded. The *visible* tests give some of the points, and you can run them. After you
# hand in, *hidden* tests ask the same function about other inputs; the first line of a hidden test
# says which. Images are (N, C, H, W) throughout. All of it computes in a few seconds.
#
# "The paper" is Tan and Le, *EfficientNetV2*, [arXiv:2104.00298](https://arxiv.org/abs/2104.00298).

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import itertools
import math
import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import check, data, flops, notebook

v2 = notebook.load("13_efficientnet_v2")

# %% [markdown]
# ### 1 · Fused, with squeeze-and-excite (5 points)
#
# The paper's Figure 2 draws a squeeze-and-excite in the fused block, too. Its code, and the
# notebook, leave it out. Build the block of the figure.
#
# $$z = \mathrm{silu}(\mathrm{norm1}(\mathrm{expand}(x))), \quad g = \mathrm{sigmoid}(\mathrm{excite}(\mathrm{silu}(\mathrm{squeeze}(\mathrm{mean}_{HW}(z)))))$$
# $$y = \mathrm{norm2}(\mathrm{project}(g \cdot z)) \quad (+\; x)$$
#
# **Contract.** `FusedExcite(channels, width, stride, expansion, drop)` is an `nn.Module`. The layer
# `expand` is a full 3×3 from C to `expansion`·C channels with the stride. Two 1×1 layers with
# biases, `squeeze` and `excite`, go to max(1, C // 4) channels and back. The layer `project` is 1×1
# to `width`. The other convolutions have no biases. Both norms have ε = 0.001. Where the stride is
# 1 and `width` is C, the input is added. In train mode this branch is then 0 for an image with
# probability `drop`, and divided by 1 − drop for the others. A stride that is not 1 or 2, or a
# `drop` outside [0, 1), is a `ValueError`.
#
# The block runs neither `fused_spec`, which is for your tests, nor a block of the notebook or of
# torchvision.
#
# *Hint:* `v2.DropPath` is the notebook's. *To see it:* in train mode with drop = 0.5, how many of 8
# images come out as they went in?

# %% nbgrader={"grade": false, "grade_id": "fused_spec", "locked": true, "schema_version": 3, "solution": false, "task": false}
def fused_spec(x, weights: dict, stride: int, train: bool, **other) -> Tensor:
    """The formula without drop-path, with weights by name as in `state_dict()`.

    other: what tests put in the place of swish, inner, gate, pool, join, eps.
    """
    def norm(x: Tensor, name: str) -> Tensor:
        mean, variance, gamma, beta = (
            weights[f"{name}.{part}"].clone()
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, variance, gamma, beta, training=train, eps=eps)

    eps, inner = other.get("eps", 1e-3), other.get("inner", lambda x: x * torch.sigmoid(x))
    pool, join = other.get("pool", torch.mean), other.get("join", torch.mul)
    z = norm(F.conv2d(x, weights["expand.weight"], stride=stride, padding=1), "norm1")
    z = other.get("swish", lambda x: x * torch.sigmoid(x))(z)
    gated = torch.empty_like(z)
    for (n,) in np.ndindex(len(z)):
        small = weights["squeeze.weight"].flatten(1) @ pool(z[n], dim=(1, 2))
        small = inner(small + weights["squeeze.bias"])
        gate = weights["excite.weight"].flatten(1) @ small + weights["excite.bias"]
        gated[n] = join(z[n], other.get("gate", torch.sigmoid)(gate[:, None, None]))
    y = norm(F.conv2d(gated, weights["project.weight"]), "norm2")
    return x + y if stride == 1 and y.shape == x.shape else y

# %% nbgrader={"grade": false, "grade_id": "fused_rules", "locked": true, "schema_version": 3, "solution": false, "task": false}
# what an answer does without; the specification stands on the first
NOT_YOURS = (
    "numpy.ndindex",
    "notebook_13_efficientnet_v2.Inverted",
    "torchvision.models.efficientnet.FusedMBConv",
)


def redrawn(state: dict, seed: int) -> dict:
    """Return a state_dict with other numbers in it; variances stay positive and small."""
    rng = torch.Generator().manual_seed(seed)
    new = {name: value.clone() for name, value in state.items()}
    for name, value in new.items():
        if value.is_floating_point():
            new[name] = torch.randn(value.shape, generator=rng)
            if name.endswith("running_var"):
                new[name] = new[name].abs() + 0.01
    return new

# %% nbgrader={"grade": false, "grade_id": "fused_likely", "locked": true, "schema_version": 3, "solution": false, "task": false}
LIKELY = {  # mistakes, as changes of the specification
    "ReLU6 for swish after the expansion": {"swish": F.relu6},
    "ReLU for swish after the expansion": {"swish": F.relu},
    "no activation follows the expansion": {"swish": lambda x: x},
    "between squeeze and excite stands ReLU; here: swish": {"inner": F.relu},
    "no activation stands between squeeze and excite": {"inner": lambda x: x},
    "the gate has no sigmoid": {"gate": lambda x: x},
    "the gate has MobileNetV3's hard sigmoid": {"gate": F.hardsigmoid},
    "the gate reads the largest number of a map, not the mean": {"pool": torch.amax},
    "the gate reads the sum of a map, not the mean": {"pool": torch.sum},
    "the gate is added: it multiplies": {"join": torch.add},
    "there is no gate: that is the notebook's fused block": {"join": lambda z, gate: z},
    "both norms have ε = 0.001, not the usual 1e-5": {"eps": 1e-5},
}

# %% nbgrader={"grade": false, "grade_id": "fused", "locked": false, "schema_version": 3, "solution": true, "task": false}
class FusedExcite(nn.Module):
    """A fused inverted residual with squeeze-and-excite: Figure 2 of the paper, right.

    (N, channels, H, W) to (N, width, H/stride, W/stride), rounded up. drop: probability that an
    image's branch is left out in train mode. Raises ValueError unless the stride is 1 or 2
    and 0 <= drop < 1.
    """

    def __init__(
        self, channels: int, width: int, stride: int = 1, expansion: int = 4, drop: float = 0.0
    ):
        super().__init__()
        ### BEGIN SOLUTION
        if stride not in (1, 2) or not 0 <= drop < 1:
            raise ValueError(f"stride {stride}, drop {drop}: expected 1 or 2, and [0, 1)")
        hidden, squeezed = expansion * channels, max(1, channels // 4)
        self.expand = nn.Conv2d(channels, hidden, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(hidden, eps=1e-3)
        self.squeeze = nn.Conv2d(hidden, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, hidden, 1)
        self.project = nn.Conv2d(hidden, width, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width, eps=1e-3)
        self.keeps_shape = stride == 1 and width == channels
        self.drop = v2.DropPath(drop)
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        z = F.silu(self.norm1(self.expand(x)))
        mean = z.mean(dim=(2, 3), keepdim=True)
        gate = torch.sigmoid(self.excite(F.silu(self.squeeze(mean))))
        y = self.norm2(self.project(gate * z))
        return x + self.drop(y) if self.keeps_shape else y
        ### END SOLUTION

# %%
# Yours: for example, which images come out unchanged in train mode.

# %% nbgrader={"grade": true, "grade_id": "fused_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
block = FusedExcite(8, 8, 1, 3, 0.5)
state = block.state_dict()
shapes = {name: tuple(v.shape) for name, v in state.items() if v.ndim > 1}
expected = {
    "expand.weight": (24, 8, 3, 3),
    "squeeze.weight": (2, 24, 1, 1),
    "excite.weight": (24, 2, 1, 1),
    "project.weight": (8, 24, 1, 1),
}
squeezed = shapes.get("squeeze.weight")
assert squeezed != (6, 24, 1, 1), "a quarter of the block's *input* channels, not of the expanded"
assert shapes.get("expand.weight") != (24, 1, 3, 3), "fused is a full 3×3: no groups"
assert shapes.keys() == expected.keys(), f"the layers are {[*shapes]}, expected {[*expected]}: this is no block of the notebook"
assert shapes == expected, f"the convolutions are {shapes}, expected {expected}"
biases = {name for name in state if name.endswith("bias") and not name.startswith("norm")}
assert biases == {"squeeze.bias", "excite.bias"}, f"convolutions with a bias: {sorted(biases)}"
state = redrawn(state, 4)
block.load_state_dict(state)
x = torch.randn(4, 8, 5, 6, generator=torch.Generator().manual_seed(4))
before = x.clone()
with check.without(*NOT_YOURS):
    answer = block.eval()(x).detach()
spec = fused_spec(x, state, 1, train=False)
assert torch.equal(x, before), "your block changed its input in place"
shape = tuple(answer.shape)
assert shape == (4, 8, 5, 6), f"the output is {shape}, expected (4, 8, 5, 6)"
same = [torch.equal(answer[n], x[n]) for n in range(4)]
assert not any(same), "in eval mode no branch is dropped: drop-path at evaluation?"
likely = {
    **{words: fused_spec(x, state, 1, False, **change) for words, change in LIKELY.items()},
    "the shortcut is missing": spec - x,
    "there is an activation on the linear bottleneck": x + F.silu(spec - x),
    "there is an activation after the addition": F.silu(spec),
    "in eval mode the branch is not scaled: drop-path at evaluation?": x + (spec - x) / 2,
    "in eval mode the branch is not divided by 1 − drop": x + (spec - x) * 2,
}
for mistake, wrong in likely.items():
    assert not torch.allclose(answer, wrong, atol=1e-3), mistake
check.close(answer, spec, 1e-3, 1e-3, what="FusedExcite(8, 8, 1, 3) in eval mode")
assert any(weight.requires_grad for weight in block.parameters()), "nothing can learn"

# %% nbgrader={"grade": true, "grade_id": "fused_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: other shapes, strides and expansions, train mode; how often an image's branch is dropped.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(5)
for channels, width, stride, expansion, height, columns in [(3, 3, 1, 2, 5, 4), (8, 5, 1, 1, 4, 3), (9, 12, 2, 4, 7, 8), (4, 4, 2, 3, 6, 6), (2, 2, 1, 6, 3, 3)]:
    block = FusedExcite(channels, width, stride, expansion)
    called = f"FusedExcite({channels}, {width}, {stride}, {expansion})"
    state = redrawn(block.state_dict(), seed=channels)
    hidden, squeezed = len(state["expand.weight"]), len(state["squeeze.weight"])
    assert hidden == expansion * channels, f"{called} expands to {hidden} channels"
    right = max(1, channels // 4)
    assert squeezed == right, f"{called} squeezes to {squeezed} channels, expected {right}"
    block.load_state_dict(state)
    x = torch.randn(5, channels, height, columns, generator=rng)
    for train in (False, True):
        block.train(train)
        what = f"{called} of {tuple(x.shape)} in {'train' if train else 'eval'} mode"
        with check.without(*NOT_YOURS):
            answer = block(x).detach()
        check.close(answer, fused_spec(x, state, stride, train), 1e-3, 1e-3, what=what)
torch.manual_seed(6)
block = FusedExcite(4, 4, 1, 2, 0.25)
state = redrawn(block.state_dict(), 7)
block.load_state_dict(state)
few = torch.randn(20, 4, 2, 2, generator=rng)
x, spec = (y.repeat(100, 1, 1, 1) for y in (few, fused_spec(few, state, 1, train=True)))
found = block.train()(x).detach()
share = (out := (found == x).flatten(1).all(dim=1)).double().mean().item()
assert abs(share - 0.25) < 0.05, f"drop = 0.25: {share:.1%} of the images are without branch; each is drawn by itself, and 25 % are dropped"
check.close(found[~out], (x + (spec - x) / 0.75)[~out], 1e-3, 2e-3, what="the kept branches, divided by 0.75")
empty = (FusedExcite(4, 6, 1, 2, 0.9).train()(x[:50]) == 0).flatten(1).all(dim=1)
assert not empty.any(), "without a shortcut nothing may be dropped"
for stride, drop in [(0, 0.0), (3, 0.0), (1, 1.0), (1, -0.1), (1, 1.5)]:
    try:
        found = type(FusedExcite(4, 4, stride, 4, drop)).__name__
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"stride {stride}, drop {drop} raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "fused_learns", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
digits = data.load("digits", "train", size=8, channels=3)
pixels, labels = next(data.batches(digits, 16))
torch.manual_seed(8)
stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
with check.without(*NOT_YOURS):
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10)
    net = nn.Sequential(stem, FusedExcite(8, 12, 1, 4), *head)
    check.gradients(net, (4, 3, 8, 8))
check.learns(net, pixels, labels, steps=20, learning_rate=0.1)
total = sum(p.numel() for p in net.parameters())
assert total == 3_292, f"the network has {total:,} parameters, expected 3,292"

# %% [markdown]
# ### 2 · A schedule that grows (4 points)
#
# Algorithm 1 of the paper: the training has M stages. From the first to the last, image size and
# every strength of regularisation grow linearly:
#
# $$S_i = S_0 + (S_e - S_0)\,\frac{i}{M - 1}, \qquad \Phi_i = \Phi_0 + (\Phi_e - \Phi_0)\,\frac{i}{M - 1}$$
#
# **Contract.** `schedule(steps, stages, sizes, strengths)` returns a list of `stages` tuples
# `(steps_i, size_i, strengths_i)`. `sizes` is (S_0, S_e), and `strengths` is a dictionary: name to
# (Φ_0, Φ_e). The steps add up to `steps` and differ by at most one; the earlier stages have the
# longer ones. A size is an `int`, the nearest multiple of 8 (halfway goes up). With one stage,
# everything is as at the *end*. It raises `ValueError` when `stages` is below 1 or above `steps`,
# or a size is below 8.
#
# *Hint:* `divmod(steps, stages)`; `math.floor(x + 0.5)` rounds halves up. *To see it:* print the
# schedule of Table 6 for S, in four stages. It goes from 128 to 300 pixels, dropout 0.1 to 0.3,
# RandAugment 5 to 15.

# %% nbgrader={"grade": false, "grade_id": "schedule", "locked": false, "schema_version": 3, "solution": true, "task": false}
def schedule(steps: int, stages: int, sizes: tuple, strengths: dict) -> list[tuple]:
    """Return (steps, size, {name: strength}) of each stage, from the first to the last.

    Raises ValueError unless 1 <= stages <= steps and sizes are 8 or more. Source:
    Algorithm 1 of the paper.
    """
    ### BEGIN SOLUTION
    if not 1 <= stages <= steps or min(sizes) < 8:
        raise ValueError(f"{stages} stages of {steps} steps, sizes {sizes}")
    each, more = divmod(steps, stages)
    found = []
    for i in range(stages):
        part = i / (stages - 1) if stages > 1 else 1.0
        size = math.floor((sizes[0] + (sizes[1] - sizes[0]) * part) / 8 + 0.5) * 8
        strong = {name: a + (b - a) * part for name, (a, b) in strengths.items()}
        found.append((each + (i < more), size, strong))
    return found
    ### END SOLUTION

# %%
# Yours: the schedule of Table 6.

# %% nbgrader={"grade": true, "grade_id": "schedule_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
found = schedule(350, 4, (128, 300), {"dropout": (0.1, 0.3), "RandAugment": (5, 15)})
assert found is not None, "your function returns None: is there a `return`?"
assert len(found) == 4, f"{len(found)} stages, expected 4"
steps = [row[0] for row in found]
assert sum(steps) == 350, f"the steps add up to {sum(steps)}, not to 350"
assert steps == [88, 88, 87, 87], f"the steps are {steps}, expected [88, 88, 87, 87]: the earlier stages have the longer ones"
sizes = [row[1] for row in found]
assert sizes[:1] != [168], "the first stage has the first size: i begins at 0"
assert sizes[-1] != 256, "the last stage has the last size: divide by M − 1"
assert not any(size % 8 for size in sizes), "sizes are rounded to multiples of 8"
for wrong, words in [
    ([304] * 4, "the sizes do not grow"),
    ([128, 184, 240, 296], "rounded down: 300 lies halfway, and halfway goes up"),
    ([128, 192, 248, 304], "rounded up: the nearest multiple of 8 is asked for"),
    ([304, 240, 184, 128], "the images get smaller: the first size comes first"),
]:
    assert sizes != wrong, f"the sizes are {sizes}: {words}"
assert sizes == [128, 184, 240, 304], f"the sizes are {sizes}, expected [128, 184, 240, 304]"
dropout = [row[2]["dropout"] for row in found]
assert len(set(dropout)) > 1, "the regularisation does not grow"
assert dropout[0] < dropout[-1], "the regularisation falls: the first strength comes first"
check.close(dropout, [0.1, 1 / 6, 0.7 / 3, 0.3], what="dropout in four stages")
augment = [row[2]["RandAugment"] for row in found]
check.close(augment, [5, 25 / 3, 35 / 3, 15], what="RandAugment in four stages")
assert all(isinstance(size, int) for size in sizes), f"the sizes are {sizes}: an int each"
found = schedule(2, 2, (20, 28), {})
assert found[0][1] == 24, f"20 pixels become {found[0][1]}: Python's `round` goes to the even multiple; halfway goes up"
found = schedule(3, 1, (8, 16), {"a": (0, 1)})
assert found == [(3, 16, {"a": 1})], f"one stage is {found}: everything is as at the end, 16 and 1"

# %% nbgrader={"grade": true, "grade_id": "schedule_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: one stage and many, halves, strengths that fall or stay, none at all; bad values.
### BEGIN HIDDEN TESTS
for steps, stages, sizes, true in [
    (10, 1, (128, 224), [(10, 224)]),
    (7, 3, (16, 32), [(3, 16), (2, 24), (2, 32)]),
    (5, 5, (32, 32), [(1, 32)] * 5),
    (9, 2, (12, 20), [(5, 16), (4, 24)]),
    (11, 4, (64, 96), [(3, 64), (3, 72), (3, 88), (2, 96)]),
    (3, 3, (40, 8), [(1, 40), (1, 24), (1, 8)]),
]:
    strengths = {"a": (0.5, 0.1), "b": (2, 2), "c": (0, 1)}
    found = schedule(steps, stages, sizes, strengths)
    called = f"schedule({steps}, {stages}, {sizes}, …)"
    mine = [(row[0], row[1]) for row in found]
    assert mine == true, f"{called}: steps and sizes are {mine}, expected {true}"
    assert all(isinstance(size, int) for _, size in mine), f"{called}: a size is no int"
    for name, (first, last) in strengths.items():
        values = [row[2][name] for row in found]
        line = torch.linspace(first, last, stages).tolist() if stages > 1 else [last]
        check.close(values, line, what=f"{name} in {called}")
    assert [set(row[2]) for row in found] == [set("abc")] * stages
assert schedule(2, 2, (8, 16), {}) == [(1, 8, {}), (1, 16, {})]
for steps, stages, sizes in [(3, 4, (8, 16)), (3, 0, (8, 16)), (3, -1, (8, 16)), (3, 2, (4, 16)),
                             (3, 2, (16, 7))]:
    try:
        found = schedule(steps, stages, sizes, {})
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"schedule({steps}, {stages}, {sizes}, {{}}) raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% [markdown]
# ### 3 · A random search (4 points)
#
# The paper searches in a space of block types, kernel sizes, expansions and numbers of layers. The
# space is so small, it says, that even a *random* search will do (section 3.3). Write it.
#
# **Contract.** `search(space, measure, trials, seed)` draws `trials` *different* architectures from
# `space`, a dictionary of name to list of options. An architecture is a dictionary that has one
# option for each name. It calls `measure(architecture)` once for each, which returns
# (top1, step, params). The answer is a list of `(reward, architecture)`, the highest reward first,
# with the notebook's reward. Equal seeds give equal answers, whatever was drawn before, and the
# global random state stays as it was. All architectures are equally likely. It raises `ValueError`
# when `trials` is below 1 or above the number of architectures.
#
# *Hint:* `random.Random(seed).sample` and `itertools.product`. *To see it:* the best reward found
# by the number of trials.

# %% nbgrader={"grade": false, "grade_id": "search", "locked": false, "schema_version": 3, "solution": true, "task": false}
def search(space: dict, measure, trials: int, seed: int = 0) -> list[tuple[float, dict]]:
    """Return (reward, architecture) of `trials` different architectures, best first.

    measure(architecture): (top1, step, params). Raises ValueError when there are not so
    many architectures, or trials < 1. Source: section 3.3 of the paper.
    """
    ### BEGIN SOLUTION
    every = [dict(zip(space, options, strict=True)) for options in itertools.product(*space.values())]
    if not 1 <= trials <= len(every):
        raise ValueError(f"{trials} trials of {len(every)} architectures")
    drawn = random.Random(seed).sample(every, trials)
    rated = [(v2.reward(*measure(architecture)), architecture) for architecture in drawn]
    return sorted(rated, key=lambda row: -row[0])
    ### END SOLUTION

# %%
# Yours: for example, the best reward by the number of trials.

# %% nbgrader={"grade": true, "grade_id": "search_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
space = {"block": ["fused", "mb"], "layers": [1, 2, 3]}
asked = []


def toy(architecture: dict) -> tuple[float, float, int]:
    asked.append(dict(architecture))
    layers, fused = architecture["layers"], architecture["block"] == "fused"
    return 0.5 + 0.05 * layers + 0.02 * fused, 10.0 * layers, 1000 * layers * (3 if fused else 1)


state = random.getstate()
found = search(space, toy, 6)
assert found is not None, "your function returns None: is there a `return`?"
assert len(found) == 6, f"{len(found)} architectures, expected 6"
assert all(len(row) == 2 and isinstance(row[1], dict) for row in found), f"a row is (reward, architecture); yours begins with {found[0]}"
assert len(asked) == 6, f"`measure` was called {len(asked)} times for 6 architectures"
drawn = {tuple(sorted(architecture.items())) for _, architecture in found}
assert len(drawn) == 6, "an architecture was drawn twice"
assert random.getstate() == state, "the global random state has changed"
rewards = [reward for reward, _ in found]
assert rewards != sorted(rewards), "the highest reward comes first"
assert rewards == sorted(rewards, reverse=True), "the answers are not in order: sort by the reward"
for reward, architecture in found:
    top1, step, params = toy(architecture)
    assert reward != top1, "this is the accuracy: the reward is A · S^w · P^v"
    for wrong, words in [
        (top1 * step**0.07 * params**0.05, "a slow or large network earns more: w and v are negative"),
        (top1 * step**-0.05 * params**-0.07, "w belongs to the step and v to the parameters"),
        (top1 * step**-0.07, "the parameters are forgotten"),
        (top1 * params**-0.05, "the time of a step is forgotten"),
    ]:
        assert abs(reward - wrong) > 1e-9, words
    check.close(reward, top1 * step**-0.07 * params**-0.05, what=f"the reward of {architecture}")

# %% nbgrader={"grade": true, "grade_id": "search_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: other spaces, fewer trials, seeds, what is drawn how often; bad values.
### BEGIN HIDDEN TESTS
def kind(architecture: dict) -> tuple:
    return tuple(architecture[name] for name in ("a", "b", "c"))


def score(architecture: dict) -> tuple[float, float, int]:
    a, b, c = (architecture[name] for name in "abc")
    return 0.4 + 0.1 * (a == "x") + 0.05 * c, b, 100 + architecture.get("d", 0)


wide = {"a": ["x", "y"], "b": [1, 2, 3], "c": [True, False]}
first = search(wide, score, 4, seed=1)
assert len(first) == len({kind(one) for _, one in first}) == 4, "4 different ones, each once"
assert search(wide, score, 4, seed=1) == first, "the same seed, and another answer"
others = [search(wide, score, 4, seed=n) for n in range(2, 5)]
assert any(other != first for other in others), "every seed gives the same architectures"
for (reward, architecture), after in itertools.pairwise([*first, (0.0, {})]):
    assert set(architecture) == set(wide), f"{architecture} has other names than the space"
    assert all(architecture[name] in wide[name] for name in wide), f"{architecture}: its options"
    check.close(reward, v2.reward(*score(architecture)), what=f"the reward of {architecture}")
    assert reward >= after[0], "the answers are not in order"
assert len({kind(one) for _, one in search(wide, score, 12)}) == 12, "12 trials find all 12"
deep, drawn = wide | {"d": list(range(25))}, []
for seed in range(20):
    some = [(*kind(one), one["d"]) for _, one in search(deep, score, 60, seed=seed)]
    assert len(set(some)) == 60, "an architecture was drawn twice"
    drawn += [one[:3] for one in some]
times = [drawn.count(one) for one in itertools.product(*wide.values())]
assert max(times) < 2 * min(times), "some architectures are drawn more often than others"
assert len(search({"a": [1]}, lambda one: (0.5, 1.0, 1), 1)) == 1
for trials in (0, 13, -1):
    try:
        found = search(wide, score, trials)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"{trials} trials of 12 architectures raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% [markdown]
# ### 4 · The blocks that remain (3 points)
#
# With drop-path a network is shorter in training than at evaluation. By how much?
#
# **Contract.** `remaining(stages, last)` takes a list of the notebook's `Stage` and the probability
# `last`. Block number i of n, counted from 0 over all stages, has the drop probability last·i/n.
# But a block without a shortcut is never dropped. That is the first block of a stage when it
# strides or changes the width. Before the first stage there are as many channels as that stage has.
# The answer is the expected number of branches that run for an image, a float. `last` outside [0,
# 1) is a `ValueError`.
#
# *Hint:* the notebook's `EfficientNetV2.__init__` has the same loop. *To see it:* how many of the
# 40 blocks of S run?

# %% nbgrader={"grade": false, "grade_id": "remaining", "locked": false, "schema_version": 3, "solution": true, "task": false}
def remaining(stages: list, last: float) -> float:
    """Return the expected number of blocks whose branch runs in train mode.

    Raises ValueError unless 0 <= last < 1.
    """
    ### BEGIN SOLUTION
    if not 0 <= last < 1:
        raise ValueError(f"last is {last}: expected a probability below 1")
    total, number, channels, expected = sum(s.blocks for s in stages), 0, stages[0].width, 0.0
    for stage in stages:
        for step in [stage.stride] + [1] * (stage.blocks - 1):
            rests = step == 1 and channels == stage.width
            expected += 1 - last * number / total if rests else 1
            channels, number = stage.width, number + 1
    return expected
    ### END SOLUTION

# %%
# Yours: S, M and L.

# %% nbgrader={"grade": true, "grade_id": "remaining_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
stages = [v2.Stage("fused", 1, 8, 2, 1), v2.Stage("mb", 4, 16, 2, 2)]
mine = remaining(stages, 0.4)
assert mine is not None, "your function returns None: is there a `return`?"
for wrong, words in [
    (3.4, "block 2 strides, so it never rests"),
    (0.4, "this is the number of branches that rest, not of those that run"),
    (1 + (1 - 0.4 / 3) + 1 + 0.6, "the probability is last·i/n: divide by n, not by n − 1"),
    (0.9 + 0.8 + 1 + 0.6, "block number i is counted from 0"),
    (1 + 0.9 + 1 + 0.9, "i is counted over all stages, not anew in each"),
    (0.6 + 0.6 + 1 + 0.6, "the probability grows from block to block: last·i/n"),
    (1 + 0.9 + 1 + 0.8, "a block that never rests is counted, too"),
    (1 + 0.9 + 0.7, "a block that never rests runs, and counts as 1"),
]:
    assert abs(mine - wrong) > 1e-9, words
assert abs(mine - (1 + 0.9 + 1 + 0.7)) < 1e-9, f"0, 0.1, never, 0.3: expected 3.6, not {mine}"
assert remaining(stages, 0.0) == 4, "without drop-path all four run"
wider = [v2.Stage("mb", 4, 8, 1, 1), v2.Stage("mb", 4, 16, 1, 1)]
assert abs(remaining(wider, 0.4) - 2) < 1e-9, "block 1 changes the width, so it never rests"
smaller = [v2.Stage("mb", 4, 8, 1, 1), v2.Stage("mb", 4, 8, 1, 2)]
assert abs(remaining(smaller, 0.4) - 2) < 1e-9, "block 1 strides, so it never rests, also where it keeps the width"

# %% nbgrader={"grade": true, "grade_id": "remaining_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: S, M and L, one stage, stages that only change the width, against the notebook's own networks.
### BEGIN HIDDEN TESTS
tables = [*v2.STAGES.values(), v2.SMALL, [v2.Stage("mb", 4, 8, 3, 1)]]
tables.append([v2.Stage("mb", 4, 8, 3, 2), v2.Stage("mb", 4, 8, 2, 2), v2.Stage("mb", 4, 9, 1, 1)])
for number, stages in enumerate(tables):
    widths = sorted({stage.width for stage in stages})  # 1, 2, 3, … channels for these
    light = [v2.Stage("fused", 1, 1 + widths.index(s.width), *s[3:]) for s in stages]
    blocks = v2.EfficientNetV2(light, 8, 2, drop=1).stages  # of drop-path as in the full one
    for last in (0.2, 0.75):
        true = sum(1 - last * block.drop.p if block.keeps_shape else 1 for block in blocks)
        mine = remaining(stages, last)
        assert abs(mine - true) < 1e-9, f"table {number}, last = {last}: {mine}, expected {true}"
for last in (1.0, -0.1, 2):
    try:
        found = remaining(v2.SMALL, last)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"last = {last} raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% [markdown]
# ### 5 · What fusing costs (2 points)
#
# **Expect, then compute.** Take the notebook's blocks from 160 to 160 channels, stride 1, t = 4, on
# a map of 14×14 pixels. How many MACs does `mbconv` have, squeeze-and-excite included? How many
# does `fused_mbconv` have? And how many *weights* of convolutions does each have (biases and norms
# aside)? Write the four numbers down, as arithmetic.
#
# *Hint:* squeeze-and-excite works on one pixel: two 1×1 layers, from tC to C/4 channels and back.
# *To see it:* `flops.count` tells, after you have written your numbers.

# %% nbgrader={"grade": false, "grade_id": "expect", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expected_costs() -> tuple[int, int, int, int]:
    """Return MACs of mbconv and of fused_mbconv, then the weights of both."""
    ### BEGIN SOLUTION
    pixels, hidden, excite = 14 * 14, 4 * 160, 2 * 4 * 160 * 40
    plain, fused = hidden * (160 + 9 + 160), hidden * (9 * 160 + 160)
    return pixels * plain + excite, pixels * fused, plain + excite, fused
    ### END SOLUTION

# %%
# Yours: did you expect it?

# %% nbgrader={"grade": true, "grade_id": "expect_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: your four numbers, against the counter and the blocks themselves.
### BEGIN HIDDEN TESTS
with torch.device("meta"):
    blocks = [build(160, 160) for build in (v2.mbconv, v2.fused_mbconv)]
true = [flops.count(block, (1, 160, 14, 14)).macs for block in blocks]
true += [sum(p.numel() for p in block.parameters() if p.ndim == 4) for block in blocks]
with check.without("torch.nn.Module.__init__"):  # a pencil builds no network
    mine = list(expected_costs())
names = "MACs of mbconv", "MACs of fused", "weights of mbconv", "weights of fused"
wide, gate, one = 640, 2 * 640 * 40, 160 * 640
likely = {
    196 * wide * 329: "squeeze-and-excite is missing",
    196 * wide * 329 + 2 * 640 * 160: "it squeezes to a quarter of C, not of tC",
    196 * wide * 329 + gate // 2: "squeeze-and-excite has two layers",
    196 * (wide * 329 + gate): "squeeze-and-excite works on one pixel",
    196 * 2 * one + gate: "the depthwise 3×3 is missing",
    196 * (2 * one + 9 * wide * wide) + gate: "its 3×3 is depthwise",
    2 * 196 * wide * 329 + gate: "a multiplication and an addition are one MAC",
    2 * true[0]: "a multiplication and an addition are one MAC",
    2 * true[1]: "a multiplication and an addition are one MAC",
    196 * 9 * one: "the last 1×1 is missing",
    196 * 10 * one + gate: "the notebook's fused block has no squeeze-and-excite",
    196 * (9 * wide + one): "its 3×3 is a full one, from 160 to 640 channels",
    wide * 329: "squeeze-and-excite is missing",
    true[2] + 640 + 40: "biases are left aside",
    9 * one: "the last 1×1 is missing",
    10 * one + gate: "the notebook's fused block has no squeeze-and-excite",
}
for name, found, number in zip(names, mine, true, strict=True):
    said = f"{name}: you expected {found:,}, there are {number:,}"
    assert found == number, f"{said}: {likely.get(found, 'write down each layer')}"
### END HIDDEN TESTS

# %% [markdown]
# ### 6 · MACs and time (2 points)
#
# "A fused block has four to five times the MACs of an MBConv, so a network of fused blocks is
# slower." Where in the network is that wrong, where is it right, and what decides? Answer in two to
# four sentences. Give one number that you measured or that the notebook shows.

# %% [markdown] nbgrader={"grade": true, "grade_id": "time_why", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# It is wrong in the early stages. There maps are large and channels few. The depthwise layer and
# its norms move many numbers for few multiplications, so its time follows the bytes. A fused block
# of 16 channels on 56×56 pixels took about three quarters of MBConv's training time, with 3.9 times
# the MACs. It is right in late stages. At 128 channels on 14×14 pixels the full 3×3 spends most of
# its time on multiplications, and the fused block took almost twice as long.
#
# **Marking scheme.** 1 point: early against late, with bytes (or arithmetic intensity) against MACs
# as the reason. 1 point: a number, measured or from the notebook.
# ### END SOLUTION
