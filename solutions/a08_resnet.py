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
# # Assignment 8 · ResNet (20 points)
#
# The notebook `08_resnet` built the networks. Here you write variations of them. You start with
# another shortcut without parameters, and a pre-activation block with nothing on its shortcut path.
# You initialise a network so that every block passes its input on. Then you compute the parameters
# and MACs (multiply-accumulates) of a whole family, and measure how much each block contributes.
#
# | | exercise | points |
# |---|---|---|
# | 1 | A shortcut without parameters | 4 |
# | 2 | The pre-activation bottleneck | 4 |
# | 3 | Every block starts as the identity | 4 |
# | 4 | The price of depth | 3 |
# | 5 | How much does a block say? | 3 |
# | 6 | Depth that does no harm | 2 |
#
# Replace each `raise NotImplementedError`. The cell below it is for your own prints and drawings
# and is not graded. The *visible* tests give some of the points, and you can run them. After you
# hand in, *hidden* tests ask the same function about other inputs; the first line of a hidden test
# says which. Images are (N, C, H, W) throughout. All of it computes in a few seconds.
#
# "The paper" is He, Zhang, Ren and Sun, *Deep Residual Learning for Image Recognition*,
# [arXiv:1512.03385](https://arxiv.org/abs/1512.03385).

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import check, data, flops, notebook

resnet = notebook.load("08_resnet")

# %% [markdown]
# ### 1 · A shortcut without parameters (4 points)
#
# At the beginning of a stage, H and W are divided by the stride, and the channels grow from C to
# `width`. The paper's option A takes every `stride`-th pixel in both directions, starting with the
# first. It fills the new channels with zeros. The notebook appends all new channels at the end.
# Here they go on *both sides* of the old channels, as many before as after. If their number is odd,
# one more goes after.
#
# **Contract.** `pad_shortcut(x, width, stride)` takes (N, C, H, W) and returns
# (N, width, ⌈H/stride⌉, ⌈W/stride⌉), of the same dtype. Gradients flow through it. It raises
# `ValueError` when `x` does not have four dimensions, `width` is less than C, or `stride` is less
# than 1. The given `shortcut_spec` is the same, one number at a time. Write it yourself: do not run
# `np.ndindex`, which `shortcut_spec` uses, or the notebook's `PadShortcut`.
#
# *Hint:* a slice has a step, and `F.pad` pads the *last* dimension first. *To see it:* feed three
# channels of 1, 2 and 3, and print the channels of one pixel of the answer.

# %% nbgrader={"grade": false, "grade_id": "shortcut_spec", "locked": true, "schema_version": 3, "solution": false, "task": false}
def shortcut_spec(x: Tensor, width: int, stride: int) -> Tensor:
    """Option A, one number at a time."""
    images, channels, height, columns = x.shape
    sides = -(-height // stride), -(-columns // stride)  # rounded up
    answer, before = x.new_zeros(images, width, *sides), (width - channels) // 2
    for image, c, i, j in np.ndindex(images, channels, *sides):
        answer[image, before + c, i, j] = x[image, c, i * stride, j * stride]
    return answer

# %% nbgrader={"grade": false, "grade_id": "pad", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pad_shortcut(x: Tensor, width: int, stride: int = 1) -> Tensor:
    """Return every `stride`-th pixel of x between channels of zeros, as `shortcut_spec`.

    (N, C, H, W) to (N, width, ⌈H/stride⌉, ⌈W/stride⌉). Raises ValueError unless x has
    four dimensions, width >= C and stride >= 1. Source: section 4.1 of the paper.
    """
    ### BEGIN SOLUTION
    if x.ndim != 4:
        raise ValueError(f"x has the shape {tuple(x.shape)}: expected (N, C, H, W)")
    added = width - x.shape[1]
    if added < 0 or stride < 1:
        raise ValueError(f"no way from {tuple(x.shape)} to {width} by {stride}")
    x = x[:, :, ::stride, ::stride]
    return F.pad(x, (0, 0, 0, 0, added // 2, added - added // 2))
    ### END SOLUTION

# %%
# Yours: for example, one pixel of three channels 1, 2, 3.

# %% nbgrader={"grade": true, "grade_id": "pad_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
rng = torch.Generator().manual_seed(1)
for channels, width, stride, side in [(3, 6, 2, 6), (4, 8, 1, 5), (2, 2, 2, 4)]:
    x = torch.randn(2, channels, side, side, generator=rng)
    before = x.clone()
    with check.without("numpy.ndindex", "notebook_08_resnet.PadShortcut"):
        answer = pad_shortcut(x, width, stride)
    assert torch.equal(x, before), "your function changed its input in place"
    assert answer is not None, "your function returns None: is there a `return`?"
    spec, full = shortcut_spec(x, width, stride), shortcut_spec(x, width, 1)
    old = shortcut_spec(torch.ones_like(x), width, stride)  # 1 in the old channels
    added, half = width - channels, (width - channels) // 2
    mean, most = (pool(x, stride, ceil_mode=True) for pool in (F.avg_pool2d, F.max_pool2d))
    likely = {
        "the stride is missing: height and width must shrink": full,
        "the stride acts on the rows alone": full[:, :, ::stride],
        "the stride acts on the columns alone": full[..., ::stride],
        "the first pixel is left out: option A starts with it": shortcut_spec(
            x[:, :, stride - 1 :, stride - 1 :], width, stride
        ),
        "pixels are averaged; option A takes every stride-th": shortcut_spec(mean, width, 1),
        "the largest pixels are taken; option A takes every stride-th": shortcut_spec(most, width, 1),
        "all zeros are after the old channels; half belong before": spec.roll(-half, 1),
        "all zeros are before the old channels; half belong after": spec.roll(added - half, 1),
        "of an odd number of zeros, one more goes after": spec.roll(added % 2, 1),
        "the new channels are ones; they are zeros": spec + (1 - old),
        "the new channels repeat the old ones; they are zeros": spec + spec.roll(channels, 1) * (1 - old),
        "zeros went to a side of the image; the channels are dimension 1": F.pad(
            x[:, :, ::stride, ::stride], (half, added - half)
        ),
    }
    for mistake, wrong in likely.items():
        same = answer.shape == wrong.shape and torch.equal(answer, wrong)
        assert not same or torch.equal(wrong, spec), mistake
    check.close(answer, spec, what=f"pad_shortcut of a {tuple(x.shape)} tensor, {width = }, {stride = }")

# %% nbgrader={"grade": true, "grade_id": "pad_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: odd numbers of new channels, odd and unequal sides, stride 3; dtype, gradient.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(2)
for _ in range(12):
    images, channels, added, stride = torch.randint(1, 5, (4,), generator=rng).tolist()
    height, columns = torch.randint(1, 10, (2,), generator=rng).tolist()
    x = torch.randn(images, channels, height, columns, generator=rng).double()
    x.requires_grad_(True)
    with check.without("numpy.ndindex", "notebook_08_resnet.PadShortcut"):
        answer = pad_shortcut(x, channels + added, stride)
    called = f"pad_shortcut of {tuple(x.shape)} to {channels + added}, {stride = }"
    assert answer.dtype == x.dtype, f"{called} turns {x.dtype} into {answer.dtype}"
    taken = x.detach()[:, :, ::stride, ::stride]
    assert answer.shape[2:] == taken.shape[2:], f"{called} is {tuple(answer.shape)}"
    expected = taken.new_zeros(images, channels + added, *taken.shape[2:])
    expected[:, added // 2 : added // 2 + channels] = taken
    check.close(answer, expected, what=called)
    assert answer.requires_grad, f"{called}: no gradient flows through the answer"
    (slope,) = torch.autograd.grad(answer.sum(), x)
    assert slope.sum() == taken.numel(), f"{called}: the gradient is not 1 where taken"
x = torch.ones(1, 4, 3, 3)
assert torch.equal(pad_shortcut(x, 4, 1), x), "same width, stride 1: the identity"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "pad_refuses_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for shape, width, stride in [((3, 8, 8), 8, 1), ((2, 8, 4, 4), 7, 2), ((2, 8, 4, 4), 16, 0)]:
    try:
        found = pad_shortcut(torch.zeros(shape), width, stride)
        found = f"an answer of the shape {tuple(found.shape)}"
    except ValueError:
        continue
    except Exception as error:
        found = repr(error)
    raise AssertionError(f"{shape} to {width} by {stride} raised no ValueError, but gave {found}")
with check.without("numpy.ndindex", "notebook_08_resnet.PadShortcut"):
    answer = pad_shortcut(torch.zeros(2, 8, 4, 4), 8, 1)
assert answer is not None, "what is no mistake gets an answer"

# %% [markdown]
# ### 2 · The pre-activation bottleneck (4 points)
#
# In the notebook's `PreactBlock` the projection takes the activated input. So wherever the shape
# changes, a norm and a ReLU lie on the shortcut path. Build a bottleneck whose shortcut path is
# free of them. The input itself goes through `pad_shortcut`, and the residual is
#
# $\mathcal F(x) = \mathrm{conv3}(\mathrm{relu}(\mathrm{norm3}(\mathrm{conv2}(\mathrm{relu}(\mathrm{norm2}(\mathrm{conv1}(\mathrm{relu}(\mathrm{norm1}(x)))))))))$.
#
# Here conv1 is 1×1 to a quarter of `width`, conv2 is 3×3 with the stride, and conv3 is 1×1 to
# `width`. A side divided by the stride is rounded up. Nothing comes after the addition.
#
# **Contract.** `PreactBottleneck(channels, width, stride)` is an `nn.Module`. Its layers are
# attributes with the names `norm1, conv1, …, norm3, conv3`. No convolution has a bias, and there
# are no other parameters. It raises `ValueError` when 4 does not divide `width`, or `width` is less
# than `channels`.
#
# *Hint:* the given `bottleneck_spec` takes the weights as a dict: call it with
# `block.state_dict()`. Its last argument says whether the batch's statistics are used. It is for
# your own comparisons: your block may not run `np.ndindex`, which it uses. Nor may it be the
# notebook's `PreactBlock` or the bottleneck of torchvision.
# *To see it:* set conv3 to zero and compare input and output.

# %% nbgrader={"grade": false, "grade_id": "bottleneck_spec", "locked": true, "schema_version": 3, "solution": false, "task": false}
def bottleneck_spec(x: Tensor, weights: dict, stride: int, train: bool, **other) -> Tensor:
    """The formula, with weights by name as in `state_dict()`.

    other: what tests put in the place of the three strides, and of what stands before
    and after each norm.
    """
    strides, around = other.get("strides", (1, stride, 1)), other.get("around", {})
    signal = x
    for number, step in enumerate(strides, start=1):
        before, after = around.get(number, (torch.clone, torch.relu))
        norm = {name: weights[f"norm{number}.{name}"] for name in ("weight", "bias")}
        mean = weights[f"norm{number}.running_mean"].clone()
        variance = weights[f"norm{number}.running_var"].clone()
        signal = F.batch_norm(before(signal), mean, variance, **norm, training=train)
        kernel = weights[f"conv{number}.weight"]
        padding = kernel.shape[-1] // 2
        signal = F.conv2d(after(signal), kernel, stride=step, padding=padding)
    return shortcut_spec(x, signal.shape[1], stride) + signal


def redrawn(state: dict, seed: int) -> dict:
    """Return a state_dict with other numbers in it; variances stay positive."""
    rng = torch.Generator().manual_seed(seed)
    new = {}
    for name, value in state.items():
        new[name] = value.clone()
        if value.is_floating_point():
            new[name] = torch.randn(value.shape, generator=rng).to(value.dtype)
            if name.endswith("running_var"):
                new[name] = new[name].abs() + 0.5
    return new


LIKELY = {  # mistakes, as changes of the formula
    **{
        f"there is no ReLU before conv{n}": {"around": {n: (torch.clone, torch.clone)}}
        for n in (1, 2, 3)
    },
    **{
        f"norm{n} comes after its ReLU (order: norm, ReLU, convolution)": {
            "around": {n: (torch.relu, torch.clone)}
        }
        for n in (1, 2, 3)
    },
    "the stride is on conv1; conv2 has it": {"strides": (2, 1, 1)},
}

# %% nbgrader={"grade": false, "grade_id": "preact", "locked": false, "schema_version": 3, "solution": true, "task": false}
class PreactBottleneck(nn.Module):
    """Norm, ReLU and convolution, three times, beside an untouched highway.

    (N, channels, H, W) to (N, width, ⌈H/stride⌉, ⌈W/stride⌉). Raises ValueError unless
    4 divides width and width >= channels. Source: arXiv:1603.05027, Figure 4 (e).
    """

    def __init__(self, channels: int, width: int, stride: int = 1):
        super().__init__()
        ### BEGIN SOLUTION
        if width % 4 or width < channels:
            raise ValueError(f"no bottleneck from {channels} to {width} channels")
        narrow = width // 4
        self.width, self.stride = width, stride
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, narrow, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(narrow)
        self.conv2 = nn.Conv2d(narrow, narrow, 3, stride, padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(narrow)
        self.conv3 = nn.Conv2d(narrow, width, 1, bias=False)
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        signal = self.conv1(torch.relu(self.norm1(x)))
        signal = self.conv2(torch.relu(self.norm2(signal)))
        signal = self.conv3(torch.relu(self.norm3(signal)))
        return pad_shortcut(x, self.width, self.stride) + signal
        ### END SOLUTION

# %%
# Yours: for example, a block with conv3 set to zero, on numbers of both signs.

# %% nbgrader={"grade": true, "grade_id": "preact_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
block = PreactBottleneck(8, 16, stride=2)
state = block.state_dict()
shapes = {name: tuple(v.shape) for name, v in state.items() if v.ndim > 1}
expected = {
    "conv1.weight": (4, 8, 1, 1),
    "conv2.weight": (4, 4, 3, 3),
    "conv3.weight": (16, 4, 1, 1),
}
biases = [name for name in state if name.startswith("conv") and name.endswith("bias")]
assert not biases, f"{biases}: a norm follows, so no convolution needs a bias"
assert shapes.keys() == expected.keys(), f"the layers are {[*shapes]}, expected {[*expected]}: this is no block of the notebook"
assert shapes["conv1.weight"] != (2, 8, 1, 1), "conv1 goes to a quarter of `width`, not of `channels`"
assert shapes == expected, f"the convolutions are {shapes}, expected {expected}"
sizes = {name.split(".")[0]: len(v) for name, v in state.items() if name.endswith("running_mean")}
assert sizes == {"norm1": 8, "norm2": 4, "norm3": 4}, f"channels of the norms: {sizes}; each norms what its convolution reads"
total = sum(v.numel() for name, v in state.items() if name.endswith(("weight", "bias")))
assert total == 240 + 32, f"{total} parameters, expected 272: pad_shortcut has none"
x = torch.randn(4, 8, 6, 6, generator=torch.Generator().manual_seed(3))
state = redrawn(state, 4)
block.load_state_dict(state)
try:
    with check.without("numpy.ndindex"):
        answer = block.eval()(x).detach()
except RuntimeError as error:
    raise AssertionError(f"{error!r}: only conv2 has the stride, and a padding of 1") from error
spec, way = bottleneck_spec(x, state, 2, train=False), shortcut_spec(x, 16, 2)
assert answer.shape == spec.shape, f"{tuple(answer.shape)}: expected (4, 16, 3, 3)"
active = shortcut_spec(torch.relu(block.norm1(x).detach()), 16, 2)
likely = {words: bottleneck_spec(x, state, 2, False, **change) for words, change in LIKELY.items()}
likely |= {
    "there is a ReLU after the addition; the highway must keep negative numbers": spec.relu(),
    "the shortcut is missing": spec - way,
    "the ReLU of norm1 also acts on the shortcut; x itself goes around": spec - way + way.relu(),
    "the shortcut gets what norm1 and the ReLU made; x itself goes around": spec - way + active,
}
for mistake, wrong in likely.items():
    assert wrong.shape != answer.shape or not torch.allclose(answer, wrong, atol=1e-3), mistake
check.close(answer, spec, rtol=1e-3, atol=1e-4, what="PreactBottleneck(8, 16, 2) in eval mode")
assert any(weight.requires_grad for weight in block.parameters()), "nothing can learn"

# %% nbgrader={"grade": true, "grade_id": "preact_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other sizes and strides, train mode, running statistics; a silent residual.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(5)
for channels, width, stride, height, columns in [
    (4, 4, 1, 5, 5),
    (8, 8, 2, 7, 4),
    (3, 12, 2, 6, 9),
    (5, 8, 1, 4, 3),
    (16, 64, 3, 7, 5),
]:
    block = PreactBottleneck(channels, width, stride)
    state = redrawn(block.state_dict(), seed=channels)
    block.load_state_dict(state)
    x = torch.randn(3, channels, height, columns, generator=rng)
    called = f"PreactBottleneck({channels}, {width}, {stride})"
    for train in (False, True):
        block.train(train)
        what = f"{called} of {tuple(x.shape)} in {'train' if train else 'eval'} mode"
        spec = bottleneck_spec(x, state, stride, train)
        with check.without("numpy.ndindex"):
            answer = block(x).detach()
        check.close(answer, spec, rtol=1e-3, atol=1e-3, what=what)
    mean = block.state_dict()["norm1.running_mean"]
    expected = 0.9 * state["norm1.running_mean"] + 0.1 * x.mean((0, 2, 3))
    check.close(mean, expected, rtol=1e-3, atol=1e-4, what=f"running mean of {called}")
    silent = dict(state, **{"conv3.weight": torch.zeros_like(state["conv3.weight"])})
    block.load_state_dict(silent)
    what = f"{called} with conv3 = 0, which leaves the highway alone"
    check.close(block(x).detach(), shortcut_spec(x, width, stride), what=what)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "preact_refuses_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for channels, width in [(4, 6), (16, 8)]:
    try:
        found = type(PreactBottleneck(channels, width)).__name__
    except ValueError:
        continue
    except Exception as error:
        found = repr(error)
    raise AssertionError(f"PreactBottleneck({channels}, {width}) raised no ValueError, but gave {found}")
ready = "notebook_08_resnet.PreactBlock", "torchvision.models.resnet.Bottleneck"
with check.without("numpy.ndindex", *ready):
    block = PreactBottleneck(8, 8)
    block(torch.zeros(2, 8, 4, 4))
assert isinstance(block, nn.Module), "what is no mistake is built"

# %% [markdown]
# ### 3 · Every block starts as the identity (4 points)
#
# If the last layer of every residual branch is initialised with zeros, every block starts as its
# shortcut. So a network of any depth starts as a shallow one ([Goyal et al.,
# 2017](https://arxiv.org/abs/1706.02677), section 5.1). In `BasicBlock` and `Bottleneck` the last
# layer is a norm: its γ becomes 0. In a pre-activation block it is a convolution: its weight
# becomes 0. There, a γ of 0 *before* a ReLU would stay 0 for ever. This is why the form "ReLU
# before addition" is not asked for.
#
# **Contract.** `zero_init(net)` changes a network of the notebook in place. A block is a module
# with both `residual` and `shortcut`. In every block, set the `weight` of one layer to zero: the
# last layer of `residual` that has a weight. Change *nothing else*: not β, not the norm of a
# projection, not the stem. The function returns how many layers it changed.
#
# It raises `ValueError` when there is no such block, or when a shortcut is a `resnet.Cut`. Without
# a shortcut, such a network would pass on nothing.
#
# *Hint:* `net.modules()` visits outer modules before inner ones, and a module's layers in order.
# *To see it:* how large are the logits of `resnet.resnet_small(110)` before and after?

# %% nbgrader={"grade": false, "grade_id": "zero", "locked": false, "schema_version": 3, "solution": true, "task": false}
def zero_init(net: nn.Module) -> int:
    """Zero the weight of the last layer of every residual branch; return how many.

    Raises ValueError when there is no residual block, or one without a shortcut; then
    nothing has changed. Source: arXiv:1706.02677, section 5.1.
    """
    ### BEGIN SOLUTION
    blocks = [
        module
        for module in net.modules()
        if hasattr(module, "residual") and hasattr(module, "shortcut")
    ]
    if not blocks or any(isinstance(b.shortcut, resnet.Cut) for b in blocks):
        raise ValueError("there is no block, or one whose shortcut is cut")
    for block in blocks:
        last = [x for x in block.residual.modules() if hasattr(x, "weight")][-1]
        nn.init.zeros_(last.weight)
    return len(blocks)
    ### END SOLUTION

# %%
# Yours: for example, the logits of a deep network before and after.

# %% nbgrader={"grade": true, "grade_id": "zero_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(6)
for options in ({"depth": 14}, {"depth": 8, "option": "B"}):
    net = resnet.resnet_small(**options)
    net.load_state_dict(redrawn(net.state_dict(), 6))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    count, blocks = zero_init(net), (options["depth"] - 2) // 2
    after = net.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    expected = {name for name in before if name.endswith("residual.2.1.weight")}
    missing, wrong = sorted(expected - changed), sorted(changed - expected)
    assert not missing, f"still as it was: {missing[0]}, the last norm of its branch"
    hint = "β, the norm's bias, is kept" if wrong[:1] and wrong[0].endswith("bias") else "only the last norm's weight"
    assert not wrong, f"{wrong[0]} must stay as it was: {hint}"
    zeros = all(after[name].count_nonzero() == 0 for name in expected)
    assert zeros, "the last norm's weight must be zero everywhere"
    assert count is not None, "your function returns None: return how many layers it changed"
    assert count == blocks, f"your count is {count}: resnet_small({options}) has {blocks} blocks, and a layer in each"

# %% nbgrader={"grade": true, "grade_id": "zero_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: bottlenecks, options A to C, five forms; what the network then computes.
### BEGIN HIDDEN TESTS
def zeroed(net: nn.Module, ending: str, blocks: int, what: str) -> None:
    net.load_state_dict(redrawn(net.state_dict(), 7))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    count, hint = zero_init(net), "only the last layer with a weight, norm or convolution, becomes zero"
    assert count == blocks, f"{count} layers of {blocks} blocks in {what}"
    for name, value in net.state_dict().items():
        if ".residual." in name and name.endswith(ending):
            assert value.count_nonzero() == 0, f"{name} of {what} is not zero: {hint}"
        else:
            same = torch.equal(value, before[name])
            assert same, f"{name} of {what} must stay as it was: {hint}"


torch.manual_seed(7)
for option in ("A", "B", "C"):

    def block(*shape):
        return resnet.Bottleneck(*shape, option=option)  # noqa: B023

    net = resnet.ResNet(resnet.conv_bn(3, 16, 3), 16, block, (32, 64), (2, 1), 10)
    zeroed(net, "residual.4.1.weight", 3, f"bottlenecks with option {option}")
for form, last in {
    "original": 4, "BN after addition": 3, "ReLU before addition": 4,
    "ReLU-only pre-activation": 5, "full pre-activation": 5,
}.items():
    zeroed(resnet.form_small(form, 8), f"residual.{last}.weight", 3, f"the form {form!r}")
net, images = resnet.resnet_small(14).eval(), torch.randn(8, 3, 8, 8)
zero_init(net)
signal = net.stem(images)
for width, stride in ((16, 1), (32, 2), (64, 2)):
    padding = (0, 0, 0, 0, 0, width - signal.shape[1])
    signal = F.pad(signal[:, :, ::stride, ::stride], padding)
with torch.no_grad():
    what = "the logits of 14 layers whose blocks pass their input on"
    check.close(net(images), net.head(signal), what=what)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "zero_refuses_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
plain = resnet.plain_small(8)
before = {name: value.clone() for name, value in plain.state_dict().items()}
mixed = resnet.resnet_small(8)
mixed.stages[1][0].shortcut = copy.deepcopy(plain.stages[1][0].shortcut)
for net, what in [
    (nn.Linear(3, 3), "no block at all"),
    (plain, "cut shortcuts"),
    (mixed, "one cut shortcut"),
]:
    try:
        found = zero_init(net)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"a network with {what} raised no ValueError, but gave {found!r}")
zero_init(resnet.resnet_small(8))  # what is no mistake is not refused
after = plain.state_dict()
same = all(torch.equal(before[name], after[name]) for name in before)
assert same, "a network that is refused must stay as it was"

# %% [markdown]
# ### 4 · The price of depth (3 points)
#
# The CIFAR family of section 4.2 begins with a 3×3 stem of 16 channels. Three stages of n blocks
# follow, with 16, 32 and 64 channels on 32×32, 16×16 and 8×8 pixels, and shortcuts of option A. The
# head is a global average and one linear layer. The depth is 6n + 2. A norm has two parameters for
# each channel and no MACs. A shortcut of option A has neither parameters nor MACs.
#
# **Contract.** Start with a pencil. How many parameters and how many MACs does `resnet_small(26)`
# have *more* than `resnet_small(20)`? Let `predicted_growth` return these two numbers.
#
# Then write `small_cost(depth, classes)`, which returns parameters and MACs of any member in closed
# form. Do not build or count a network. It raises `ValueError` when depth is not 6n + 2 with n at
# least 1.
#
# *Hint:* the deeper network has one more block in each stage. A convolution of C to D channels with
# k×k kernels has k²·C·D weights, and as many MACs at each pixel of its output. *To see it:* how
# deep is the deepest member with less than a million parameters?

# %% nbgrader={"grade": false, "grade_id": "predict", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predicted_growth() -> tuple[int, int]:
    """Return the parameters and MACs that 26 layers have more than 20."""
    ### BEGIN SOLUTION
    params = 2 * 9 * (16**2 + 32**2 + 64**2) + 2 * 2 * (16 + 32 + 64)
    macs = 3 * 2 * 9 * 16**2 * 32**2  # alike in every stage: 4 times the weights,
    return params, macs  # a quarter of the pixels
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "cost", "locked": false, "schema_version": 3, "solution": true, "task": false}
def small_cost(depth: int, classes: int = 10) -> tuple[int, int]:
    """Return (parameters, MACs) of `resnet_small(depth, classes)` on 32×32 pixels.

    Raises ValueError unless depth is 6n + 2, n at least 1. Source: section 4.2.
    """
    ### BEGIN SOLUTION
    if depth < 8 or depth % 6 != 2:
        raise ValueError(f"depth is {depth}: expected 8, 14, 20, …")
    blocks, channels = (depth - 2) // 6, 16
    params, macs = 9 * 3 * 16 + 2 * 16, 9 * 3 * 16 * 32**2
    for width, side in ((16, 32), (32, 16), (64, 8)):
        weights = 9 * channels * width + 9 * (2 * blocks - 1) * width**2
        params += weights + 2 * blocks * 2 * width
        macs += weights * side**2
        channels = width
    return params + (64 + 1) * classes, macs + 64 * classes
    ### END SOLUTION

# %%
# Yours: did you expect it? How deep with less than a million parameters?

# %% nbgrader={"grade": true, "grade_id": "predict_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: your two numbers against the networks' own.
### BEGIN HIDDEN TESTS
with torch.device("meta"):
    deep, shallow = (
        flops.count(resnet.resnet_small(d), (1, 3, 32, 32)) for d in (26, 20)
    )
with check.without("torch.nn.Module.__init__"):  # a pencil builds no network
    mine = tuple(predicted_growth())
assert len(mine) == 2, f"{mine}: two numbers, parameters and MACs"
true = deep.params - shallow.params, deep.macs - shallow.macs
assert mine != true[::-1], "parameters come first, then MACs"
kernels, norms, stage = 2 * 9 * (16**2 + 32**2 + 64**2), 4 * 112, 2 * 9 * 16**2 * 32**2
hints = [
    {
        kernels: "norms have parameters, too",
        kernels + norms // 2: "a norm has γ and β, and a block has two norms",
        (kernels + norms) // 2: "a block has two convolutions and two norms",
        kernels + 2 * 112 + 2 * 112 + 2 * 112: "no convolution has a bias: a norm follows",
        2 * 9 * 16**2 + 4 * 16: "each of the three stages has one more block",
        2 * 9 * 64**2 + 4 * 64: "each of the three stages has one more block",
        deep.params: "how many *more*: subtract those of 20 layers",
        kernels + norms + 16 * 32 + 32 * 64: "option A has no projections",
        (kernels + norms) * 6: "6 layers more are one block in each stage",
    },
    {
        true[1] // 3: "each of the three stages has one more block",
        true[1] // 2: "a block has two convolutions",
        2 * true[1]: "2 FLOPs are one MAC",
        kernels * 32**2: "the maps of the stages have 32×32, 16×16 and 8×8 pixels",
        kernels: "a weight multiplies once at each pixel",
        deep.macs: "how many *more*: subtract those of 20 layers",
        true[1] // 9: "a kernel has 3×3 pixels",
    },
]
for name, guess, right, known in zip(("parameters", "MACs"), mine, true, hints, strict=True):
    hint = known.get(guess, "one block of two 3×3 convolutions more in each stage")
    assert guess == right, f"you expected {guess:,} more {name}, it is {right:,}: {hint}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "cost_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for depth, true in {20: (269_722, 40_551_040), 110: (1_727_962, 252_887_680)}.items():
    with check.without("torch.nn.Module.__init__"):  # no network is built to be counted
        mine = small_cost(depth)
    assert tuple(mine) != true[::-1], "parameters come first, then MACs"
    n = (depth - 2) // 6
    block, widened = 112 * 4, 9 * (16 * 32 + 32 * 64)  # norms of a block; wider kernels
    hints = [
        {
            true[0] - 10: "the linear layer has a bias",
            true[0] - 650: "the linear layer is missing",
            true[0] - 2 * 16: "the stem has a norm, too",
            true[0] - 9 * 3 * 16 - 2 * 16: "the stem is missing",
            true[0] - n * block // 2: "each norm has γ and β",
            true[0] - n * block - 32: "norms have parameters, too",
            true[0] + n * block // 2 + 16: "no convolution has a bias: a norm follows",
            true[0] + widened: "the first convolution of a stage reads fewer channels",
            true[0] - (n - 1) * widened: "only the first block of a stage reads fewer channels",
            true[0] + 16 * 32 + 32 * 64: "option A: no projections",
        },
        {
            2 * true[1]: "2 FLOPs are one MAC",
            true[1] - 640: "the linear layer multiplies, too",
            true[1] - 9 * 3 * 16 * 32**2: "the stem multiplies, too",
            true[1] + 2 * 3 * 9 * 16 * 32 * 16**2: "the stride comes first: a convolution counts at its *output* pixels",
            true[1] + 10: "a bias multiplies nothing",
        },
    ]
    for name, guess, right, known in zip(("parameters", "MACs"), mine, true, hints, strict=True):
        hint = known.get(guess, "a MAC for each weight and *output* pixel" if name == "MACs" else "three stages of n blocks, two convolutions and two norms in each")
        assert guess == right, f"small_cost({depth}) counts {guess:,} {name} of {right:,}: {hint}"

# %% nbgrader={"grade": true, "grade_id": "cost_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: other depths up to 1202, other classes; depths that are no members.
### BEGIN HIDDEN TESTS
for depth, classes in [(8, 1), (14, 100)]:
    with torch.device("meta"):
        net = resnet.resnet_small(depth, classes)
        true = flops.count(net, (1, 3, 32, 32))
    with check.without("torch.nn.Module.__init__"):
        mine, called = small_cost(depth, classes), f"small_cost({depth}, {classes})"
    expected = true.params, true.macs
    hint = ": the linear layer has 64 · classes weights and `classes` biases" * (classes != 10)
    assert tuple(mine) == expected, f"{called} is {mine}, the network has {expected}{hint}"
mine = small_cost(1202)
assert tuple(mine) == (19_421_274, 2_829_238_912), f"small_cost(1202) is {mine}"
for depth in (2, 18, 21, 52, -4):
    try:
        found = small_cost(depth)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"depth {depth} raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% [markdown]
# ### 5 · How much does a block say? (3 points)
#
# Figure 7 of the paper shows the standard deviations of layer responses. The responses of residual
# branches are smaller than those of plain layers, and smaller still in deeper networks. This
# supports the idea that residual branches only modify what passes. Measure it for the blocks of a
# network.
#
# **Contract.** `responses(net, images)` returns a list with one number for each block, first to
# last. The number is a ratio of two standard deviations, each over all entries of a tensor. The
# numerator is that of the output of `block.residual`; the denominator is that of the output of the
# whole block. The network sees the images in *train* mode (batch statistics). The function takes no
# gradients, and leaves the network as it was: weights, running statistics, train or eval mode of
# every module, and no hooks.
#
# *Hint:* `register_forward_hook` returns a handle with `remove()`. You may change a copy made by
# `copy.deepcopy` as you like. *To see it:* draw the ratios for 20 and 56 layers in the free cell.

# %% nbgrader={"grade": false, "grade_id": "responses", "locked": false, "schema_version": 3, "solution": true, "task": false}
def responses(net: nn.Module, images: Tensor) -> list[float]:
    """Return std(residual) / std(output) of every block of `net`, first to last.

    A block is a module with `residual` and `shortcut`. The network is left as it was.
    Source: Figure 7 of the paper.
    """
    ### BEGIN SOLUTION
    probe, ratios, answered = copy.deepcopy(net).train(), [], []

    def keep(module, args, output):
        answered.append(output.std())

    def compare(module, args, output):
        ratios.append((answered.pop() / output.std()).item())

    for block in probe.modules():
        if hasattr(block, "residual") and hasattr(block, "shortcut"):
            block.residual.register_forward_hook(keep)
            block.register_forward_hook(compare)
    with torch.no_grad():
        probe(images)
    return ratios
    ### END SOLUTION

# %%
digits = data.load("digits", "train", size=8, channels=3)
batch, labels = next(data.batches(digits, 64))
# Yours: plot responses(net, batch) for resnet.resnet_small(20) and (56).

# %% nbgrader={"grade": true, "grade_id": "responses_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(8)
images, rows = torch.randn(16, 3, 8, 8), []
net = resnet.resnet_small(14).eval()
before = {name: value.clone() for name, value in net.state_dict().items()}
for twin in (copy.deepcopy(net).train(), net):
    signal = twin.stem(images)
    for block in [block for stage in twin.stages for block in stage]:
        residual, way = block.residual(signal), block.shortcut(signal)
        parts = residual, way, way + residual, torch.relu(way + residual), signal
        rows.append([part.std().item() for part in parts])
        signal = parts[3]
residual, way, total, output, inside = torch.tensor(rows[:6]).T
still, expected = torch.tensor(rows[6:]).T, residual / output
answer = responses(net, images.clone())
assert answer is not None, "your function returns None: is there a `return`?"
assert len(answer) == 6, f"{len(answer)} numbers, but resnet_small(14) has 6 blocks"
numbers = all(isinstance(ratio, float) for ratio in answer)
assert numbers, f"a list of floats, please; the first is {answer[0]!r}"
after = net.state_dict()
changed = [name for name in before if not torch.equal(before[name], after[name])]
assert not changed, f"{changed[0]} changed: work on a copy, or put it back"
training = [name for name, module in net.named_modules() if module.training]
assert not training, "the network was in eval mode and is left in train mode"
for wrong, words in [
    (still[0] / still[3], "that is eval mode: the network sees the images in train mode"),
    (residual, "the responses are not divided by the std of the block's output"),
    (expected**2, "a ratio of variances: a standard deviation is their root"),
    (1 / expected, "upside down: the residual is above"),
    (expected.flip(0), "the last block comes first"),
    (residual / way, "divided by the shortcut: by the output of the whole block"),
    (residual / total, "divided by the sum before the last ReLU: by the output of the whole block"),
    (residual / inside, "divided by the block's input: by its output"),
    (way / output, "that is the shortcut's response: the residual's is above"),
    (total / output, "that is the sum before the ReLU: the residual's is above"),
]:
    assert not torch.allclose(torch.tensor(answer), wrong, rtol=1e-3), words
check.close(answer, expected, rtol=1e-3, what="std(residual) / std(output)")
net.load_state_dict(before)
assert len(responses(net, images)) == 6, "a second call finds more blocks: were hooks left?"

# %% nbgrader={"grade": true, "grade_id": "responses_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: bottlenecks, plain and pre-activation networks, silent branches; what is left.
### BEGIN HIDDEN TESTS
torch.manual_seed(9)
images, kinds = 3 * torch.randn(8, 3, 12, 10) + 1, ((32, 64), (2, 1), 10)
for net, blocks in [
    (resnet.resnet_small(8, option="C"), 3),
    (resnet.ResNet(resnet.conv_bn(3, 16, 3), 16, resnet.Bottleneck, *kinds), 3),
    (resnet.form_small("full pre-activation", 8), 3),
    (resnet.form_small("BN after addition", 8), 3),
]:
    net.stem.eval()  # the modes of modules may differ
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    hooks = [len(module._forward_hooks) for module in net.modules()]
    with torch.no_grad():
        twin, expected = copy.deepcopy(net).train(), []
        signal = twin.stem(images)
        for stage in twin.stages:
            for block in stage:
                residual = block.residual(signal)
                signal = block.shortcut(signal) + residual
                finish = getattr(block, "after", torch.relu)
                signal = finish(signal)
                expected.append((residual.std() / signal.std()).item())
    answer = responses(net, images.clone())
    assert modes == [m.training for m in net.modules()], "train or eval mode changed"
    same = all(torch.equal(v, before[name]) for name, v in net.state_dict().items())
    assert same, "weights or running statistics changed"
    left = hooks != [len(module._forward_hooks) for module in net.modules()]
    assert not left, "hooks were left in the network"
    assert all(weight.grad is None for weight in net.parameters()), "gradients left"
    assert len(answer) == blocks, f"{len(answer)} numbers for {blocks} blocks"
    check.close(answer, expected, rtol=1e-3, what="std(residual) / std(output)")
net = resnet.resnet_small(8)
for stage in net.stages:
    for block in stage:
        nn.init.zeros_(block.residual[2][1].weight)
answer = list(responses(net, images))
assert answer == [0.0] * 3, f"branches whose last γ is 0 answer nothing, not {answer}"
### END HIDDEN TESTS

# %% [markdown]
# ### 6 · Depth that does no harm (2 points)
#
# "A deeper network can copy a shallower one, so it should never have a higher training error."
# Plain-56 can represent everything that a shallow network computes. Why does it have a higher
# training error all the same? What does a shortcut change about this, and what does a zero last γ
# change? Answer in two to four sentences. Give one number from this assignment or from the notebook
# that supports your answer.

# %% [markdown] nbgrader={"grade": true, "grade_id": "harm_why", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# The claim is about what can be represented; degradation is about what gradient descent finds. To
# copy their input, 36 plain layers of convolution, norm and ReLU would have to become the identity,
# and no usual initialisation is near it. Untrained plain layers do the opposite: they make all
# images alike. After ten blocks the nearest neighbour of a digit has the right label for less than
# one digit in five. With shortcuts it still has for nine of ten. Gradients
# of unequal size cannot be the whole cause: AdamW, which scales the step of each weight, leaves
# plain-56 at 83 to 87 % training error. A shortcut makes the identity the case in which the branch is 0.
# With a zero last γ the network is that case at initialisation, whatever its depth. Then
# `responses` gives 0 for every block, and the logits are those of stem and head alone.
#
# **Marking scheme.** 1 point: it is optimisation, not capacity and not overfitting (the *training*
# error is higher), with a mechanism. The identity is hard to reach, or the images become alike.
# "The gradients differ in size, so no learning rate fits" earns the point only with the remark that
# AdamW does not cure it. 1 point: the effects of shortcut and zero γ are distinguished, with a
# number that was measured. The shortcut decides what can be learnt easily; the zero γ decides where
# learning begins.
# ### END SOLUTION
