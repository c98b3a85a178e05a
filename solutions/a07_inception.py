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
# # Assignment 7 · Inception v2 and v3 (20 points)
#
# The notebook `07_inception` built the network. Here you write what it only used or explained. You
# write a grid reduction for maps of any size, and label smoothing towards any distribution. Then
# you search for the cheapest stack of kernels and the best pairs of 1-D kernels.
#
# | | exercise | points | minutes of computing |
# |---|---|---|---|
# | 1 | A grid reduction for every size | 5 | – |
# | 2 | Label smoothing towards a prior | 5 | – |
# | 3 | The cheapest stack of kernels | 4 | – |
# | 4 | The best pairs for a kernel | 3 | – |
# | 5 | What seven costs | 1 | – |
# | 6 | A loss that went up | 2 | – |
#
# Replace each `raise NotImplementedError`. The cell below it is for your own prints and drawings
# and is not graded. The *visible* tests give some of the points, and you can run them. After you
# hand in, *hidden* tests ask the same function about other inputs; the first line of a hidden test
# says which. Images and maps are (N, C, H, W) throughout.
#
# ["The paper"](https://arxiv.org/abs/1512.00567) is Szegedy, Vanhoucke, Ioffe, Shlens and Wojna,
# *Rethinking the Inception Architecture for Computer Vision*, 2015.

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import itertools
import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt
from torch import Tensor, nn

from course_lib import check, notebook

inception = notebook.load("07_inception")

# %% [markdown]
# ### 1 · A grid reduction for every size (5 points)
#
# Inception v3 halves 35 to 17 and 17 to 8 without padding. On an even side this loses pixels. A
# window of three columns with stride two never sees the last of 16 columns. Write the reduction of
# Figure 10 of the paper with padding, so that a side of H becomes $\lceil H / 2 \rceil$ and every
# pixel is used.
#
# **Contract.** `GridReduction(channels, width)` is a network that maps (N, channels, H, W) to (N, 2
# · width + channels, ⌈H/2⌉, ⌈W/2⌉). Three branches see the same maps; their outputs are joined in
# this order:
#
# | branch | layers | channels |
# |---|---|---|
# | direct | 3×3 with stride 2 | `width` |
# | deep | 1×1 to `width / 2`, 3×3 to `width / 2`, 3×3 with stride 2 | `width` |
# | pooled | 3×3 max pooling with stride 2 | `channels` |
#
# Every 3×3 window is padded by one on each side. No convolution has a bias; each is followed by
# batch normalisation with ε = 0.001, then ReLU. It raises `ValueError` unless `channels` is 1 or
# more and `width` is even and 2 or more. You may not use the notebook's `Mixed`, nor torchvision's
# `InceptionB`.
#
# *Hint:* `inception.conv_bn` takes a number for its padding, too. *To see it:* print the shape for
# 16×16 and 17×17.


# %% nbgrader={"grade": false, "grade_id": "reduction", "locked": false, "schema_version": 3, "solution": true, "task": false}
class GridReduction(nn.Module):
    """Halve the sides of (N, channels, H, W) and widen it to 2 width + channels.

    Raises ValueError unless channels is 1 or more and width even and 2 or more.
    Source: Figure 10 of the paper, with padding.
    """

    ### BEGIN SOLUTION
    def __init__(self, channels: int, width: int):
        super().__init__()
        if channels < 1 or width < 2 or width % 2:
            raise ValueError(f"{channels} channels, width {width}: expected 1+, even 2+")
        self.direct = inception.conv_bn(channels, width, 3, stride=2, padding=1)
        self.deep = nn.Sequential(
            inception.conv_bn(channels, width // 2, 1),
            inception.conv_bn(width // 2, width // 2, 3, padding=1),
            inception.conv_bn(width // 2, width, 3, stride=2, padding=1),
        )
        self.pooled = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        branches = self.direct, self.deep, self.pooled
        return torch.cat([branch(x) for branch in branches], dim=1)

    ### END SOLUTION


# %%
# Yours: for example, the shapes for 16x16 and 17x17.

# %% nbgrader={"grade": true, "grade_id": "reduction_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
rng = torch.Generator().manual_seed(1)
for channels, width, height, columns in [(3, 8, 16, 17), (5, 4, 7, 10)]:
    net = GridReduction(channels, width)
    x = torch.randn(2, channels, height, columns, generator=rng) - 1
    try:
        answer = net(x.clone())
    except RuntimeError as error:
        hint = "are all branches padded, the pooling's too, and joined along dim=1?"
        raise AssertionError(f"{error!r}: {hint}") from error
    assert answer is not None, "forward returns None: is there a `return`?"
    shape = 2, 2 * width + channels, (height + 1) // 2, (columns + 1) // 2
    what = f"GridReduction{channels, width} makes {tuple(answer.shape)} of {tuple(x.shape)}"
    hint = "pad the 3×3 windows, the pooling's too" if answer.shape[2] < shape[2] else "strides?"
    assert answer.shape == shape, f"{what}, expected {shape}: {hint}"
    half = width // 2
    kernels = 9 * channels * width + channels * half + 9 * half * half + 9 * half * width
    norms = 2 * (width + half + half + width)
    found = sum(p.numel() for p in net.parameters())
    hints = {
        kernels: "batch normalisation is missing",
        kernels + norms // 2: "biases in place of batch normalisation",
        kernels + norms + norms // 2: "the convolutions have biases",
        kernels + norms - half * (9 * half + 2): "the deep branch has three layers",
        kernels + norms + half * (channels + 27 * half + 9 * width + 4): "1×1 to width / 2",
    }
    hint = hints.get(found, "are the widths those of the table?")
    assert found == kernels + norms, f"{found:,} parameters, not {kernels + norms:,}: {hint}"
    y = answer[:, -channels:].detach()
    likely = {
        "the pooled branch takes maxima, not means": F.avg_pool2d(x, 3, 2, 1),
        "no ReLU comes before the pooling": F.max_pool2d(x.relu(), 3, 2, 1),
        "windows of 3×3, not of 2×2": F.max_pool2d(x, 2, ceil_mode=True),
        "a border of zeros is larger than negative maps: let the pooling pad": (
            F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2)
        ),
    }
    for mistake, wrong in likely.items():
        assert not torch.allclose(y, wrong, atol=1e-5), mistake
    check.close(y, F.max_pool2d(x, 3, 2, 1), what="the pooled channels, which come last")
    assert answer[:, :-channels].min() >= 0, "a ReLU is missing: each convolution has one"

# %% nbgrader={"grade": true, "grade_id": "reduction_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: all values in train mode, from your own kernels, on odd, even and tiny maps.
### BEGIN HIDDEN TESTS
def reduction_kernels(net, channels, width):
    """Find the four kernels by their shapes, whatever they are called."""
    half, found = width // 2, {tuple(t.shape): t for t in net.state_dict().values() if t.ndim == 4}
    wanted = [(width, channels, 3, 3), (half, channels, 1, 1), (half, half, 3, 3), (width, half, 3, 3)]
    missing = [shape for shape in wanted if shape not in found]
    assert not missing, f"no kernel has the shape {missing[0]}; yours: {list(found)}"
    return [found[shape].clone() for shape in wanted]


def reduction_reference(x, kernels, moments=()):
    """Compute the branches, by each layer's own moments or the given; and its own."""
    given, own = iter(moments), []
    def layer(x, kernel, stride=1):
        windows = F.unfold(x, kernel.shape[-1], 1, kernel.shape[-1] // 2, stride)
        y = (kernel.flatten(1) @ windows).unflatten(2, (-1, (x.shape[-1] - 1) // stride + 1))
        spread = [y.var((0, 2, 3), correction=c, keepdim=True) for c in (0, 1)]
        own.append((y.mean((0, 2, 3), keepdim=True), *spread))
        mean, var, _ = next(given, own[-1])
        return ((y - mean) / (var + 1e-3).sqrt()).relu()
    direct, first, second, third = kernels
    deep = layer(layer(layer(x, first), second), third, 2)
    windows = F.pad(x, (1, 1, 1, 1), value=-math.inf).unfold(2, 3, 2).unfold(3, 3, 2)
    return (layer(x, direct, 2), deep, windows.amax(dim=(4, 5))), own


torch.manual_seed(2)
for channels, width, height, columns in [(3, 8, 9, 9), (7, 4, 12, 8), (1, 12, 5, 14), (2, 6, 2, 1)]:
    net = GridReduction(channels, width).train()
    x = 2 * torch.randn(4, channels, height, columns) - 3  # no window's maximum is 0
    parts, _ = reduction_reference(x, reduction_kernels(net, channels, width))
    answer, shape = net(x.clone()).detach(), tuple(torch.cat(parts, dim=1).shape)
    assert answer.shape == shape, f"the shape is {tuple(answer.shape)}, expected {shape}"
    swapped = torch.allclose(answer[:, : 2 * width], torch.cat(parts[1::-1], dim=1), rtol=1e-3, atol=1e-4)
    assert not swapped, "the deep branch comes before the direct one: direct, deep, pooled"
    for name, mine, part in zip(("direct", "deep", "pooled"), answer.split([width, width, channels], dim=1), parts, strict=True):
        what = f"the {name} branch (its last layer strides) on {height}x{columns}"
        check.close(mine, part, rtol=1e-3, atol=1e-4, what=what)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "reduction_eval_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: eval mode after one batch in train mode; one image answers as it does in four.
### BEGIN HIDDEN TESTS
torch.manual_seed(3)
for channels, width, side in [(3, 8, 10), (5, 6, 7)]:
    net = GridReduction(channels, width).train()
    seen = 2 * torch.randn(8, channels, side, side) + 1
    x = torch.randn(4, channels, side, side)
    net(seen)
    net.eval()
    with torch.no_grad():
        answer, alone = net(x), net(x[:1])
    what = "one image of four, alone (in eval mode the running statistics are used)"
    check.close(alone, answer[:1], rtol=1e-3, atol=1e-4, what=what)
    kernels = reduction_kernels(net, channels, width)
    _, own = reduction_reference(seen, kernels)
    running = [(0.1 * mean, 0.9 + 0.1 * var, None) for mean, _, var in own]  # momentum 0.1
    parts, _ = reduction_reference(x, kernels, running)
    check.close(answer, torch.cat(parts, dim=1), rtol=1e-3, atol=1e-4, what="the answer in eval mode")
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "reduction_refuses_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for channels, width in [(0, 8), (4, 7), (4, 0), (-2, 4)]:
    refused = None
    try:
        GridReduction(channels, width)
    except Exception as error:
        refused = error
    what = f"GridReduction({channels}, {width}): a ValueError is expected, not {refused!r}"
    assert isinstance(refused, ValueError), what
with check.without("notebook_07_inception.Mixed", "torchvision.models.inception.InceptionB"):
    net = GridReduction(1, 2)
assert isinstance(net, nn.Module), "GridReduction(1, 2) is no mistake"

# %% [markdown]
# ### 2 · Label smoothing towards a prior (5 points)
#
# Section 7 of the paper mixes the label with a distribution $u$ over the classes:
# $q'(k) = (1 - \varepsilon)\,\delta_{k,y} + \varepsilon\,u(k)$. The paper takes $u(k) = 1/K$. Here
# $u$ is any distribution, called the prior. If every second image is a cat, the prior may say so.
#
# **Contract.** `smoothed_cross_entropy(logits, labels, epsilon, prior)` takes logits (N, K), labels
# (N,) and a prior (K,), where `None` means uniform. It returns the mean over the images of
# $-\sum_k q'(k) \log p(k)$, where $p$ is the softmax of the logits. The answer is a tensor that
# gradients flow back from, and it is finite for logits up to ±10,000. It raises `ValueError` in
# three cases:
#
# - ε is not in [0, 1];
# - a label is not in [0, K);
# - the prior does not have K entries, has a negative entry, or does not sum to 1.
#
# Do not use PyTorch's `label_smoothing=`: it knows no prior. The given `smoothing_spec` is for your
# prints. Your function may not run `np.ndindex`, which it uses.
#
# `best_logits(label, epsilon, prior)` returns the logits (K,) with **mean 0** that make the loss of
# an image with this label least. It raises `ValueError` where there are none, because some class
# has $q'(k) = 0$.
#
# *Hint:* use `log_softmax`, which never takes the logarithm of 0. *To see it:* draw `best_logits`
# for ε from 0.01 to 0.99.


# %% nbgrader={"grade": false, "grade_id": "smoothing_spec", "locked": true, "schema_version": 3, "solution": false, "task": false}
def smoothing_spec(logits, labels, epsilon: float, prior) -> float:
    """The definition, one number at a time."""
    total, rows = 0.0, logits.tolist()
    for image, k in np.ndindex(*logits.shape):
        whole = sum(math.exp(logit) for logit in rows[image])
        target = (1 - epsilon) * (k == int(labels[image])) + epsilon * float(prior[k])
        total -= target * math.log(math.exp(rows[image][k]) / whole)
    return total / len(labels)


# %% nbgrader={"grade": false, "grade_id": "smoothing", "locked": false, "schema_version": 3, "solution": true, "task": false}
def smoothed_cross_entropy(
    logits: Tensor, labels: Tensor, epsilon: float = 0.1, prior: Tensor | None = None
) -> Tensor:
    """Return the mean cross-entropy (nats) of logits (N, K) against smoothed labels (N,).

    prior: (K,), None for uniform. Raises ValueError unless epsilon is in [0, 1], labels
    in [0, K), and the prior a distribution over K classes. Source: section 7.
    """
    ### BEGIN SOLUTION
    classes = logits.shape[1]
    if prior is None:
        prior = torch.full((classes,), 1 / classes)
    if not 0 <= epsilon <= 1:
        raise ValueError(f"epsilon is {epsilon}: expected 0 to 1")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels are not all in 0 to {classes - 1}")
    if prior.shape != (classes,) or (prior < 0).any() or abs(prior.sum() - 1) > 1e-4:
        raise ValueError(f"the prior is no distribution over {classes} classes")
    target = (1 - epsilon) * F.one_hot(labels, classes) + epsilon * prior  # (N, K)
    return -(target * logits.log_softmax(dim=1)).sum(dim=1).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "smoothing_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
rng = torch.Generator().manual_seed(4)
for images, classes, epsilon in [(5, 3, 0.1), (2, 10, 0.3), (7, 2, 0.0)]:
    logits = 2 * torch.randn(images, classes, generator=rng)
    labels = torch.randint(classes, (images,), generator=rng)
    prior = torch.rand(classes, generator=rng) ** 2 + 0.01
    prior /= prior.sum()
    spec = smoothing_spec(logits, labels, epsilon, prior)
    uniform = smoothing_spec(logits, labels, epsilon, [1 / classes] * classes)
    plain = smoothing_spec(logits, labels, 0.0, prior)
    theirs = F.cross_entropy(logits, labels, label_smoothing=epsilon)
    with check.without("numpy.ndindex"):  # on which the specification stands
        answer = smoothed_cross_entropy(logits.clone(), labels.clone(), epsilon, prior)
    assert isinstance(answer, Tensor), f"the answer is {answer!r}, not a tensor"
    assert answer.ndim == 0, f"the answer is {tuple(answer.shape)}, not one number"
    aside = smoothing_spec(logits, labels, 1.0, prior)  # the prior's own cross-entropy
    crossed = -(F.one_hot(labels, classes) * logits.log_softmax(0)).sum(1).mean().item()
    crossed = (1 - epsilon) * crossed - epsilon * (prior * logits.log_softmax(0)).sum(1).mean()
    likely = {
        "it is the sum over the images, not the mean": images * spec,
        "the sign is wrong": -spec,
        "it divides by the classes too": spec / classes,
        "the prior is ignored": uniform,
        "ε has no effect": plain,
        "ε and 1 − ε are exchanged": (1 - epsilon) * aside + epsilon * plain,
        "the label keeps all of its weight: it has 1 − ε": plain + epsilon * aside,
        "the softmax goes over the images; it goes over the classes": crossed.item(),
    }
    for mistake, wrong in likely.items():
        same = abs(wrong - spec) > 1e-3 and abs(answer.item() - wrong) < 1e-4
        assert not same, mistake
    what = f"smoothed_cross_entropy of {images} images, {classes} classes, ε = {epsilon}"
    check.close(answer, spec, what=what)
    mine = smoothed_cross_entropy(logits, labels, epsilon, None)
    check.close(mine, theirs, what=f"{what}, without a prior (uniform),")

# %% nbgrader={"grade": true, "grade_id": "smoothing_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random sizes; priors with zeros; ε of 0 and 1; large logits; the gradient.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(5)
for _ in range(4):
    images, classes = torch.randint(1, 12, (2,), generator=rng).tolist()
    classes += 1
    logits = 3 * torch.randn(images, classes, generator=rng)
    labels = torch.randint(classes, (images,), generator=rng)
    prior = torch.rand(classes, generator=rng)
    prior[0] = 0.0
    prior /= prior.sum()
    for epsilon in (0.0, 1.0, 0.25):
        leaf = logits.clone().requires_grad_()
        called = f"{images} images, {classes} classes, {epsilon = }"
        spec = smoothing_spec(logits, labels, epsilon, prior)
        answer = smoothed_cross_entropy(leaf, labels.clone(), epsilon, prior.clone())
        check.close(answer.detach(), spec, what=f"the loss of {called}")
        assert answer.requires_grad, "no gradient flows back: detach, item or numpy?"
    (slope,) = torch.autograd.grad(answer, leaf)
    target = epsilon * prior.repeat(images, 1)
    target[torch.arange(images), labels] += 1 - epsilon
    expected = (logits.softmax(dim=1) - target) / images
    check.close(slope, expected, atol=1e-5, what=f"the gradient of {called}")
logits = torch.tensor([[10_000.0, -10_000.0, 0.0]])
answer = smoothed_cross_entropy(logits, torch.tensor([0]), 0.3, None).item()
assert math.isfinite(answer), f"logits of ±10,000 give {answer}: use log_softmax"
expected = 0.1 * 20_000 + 0.1 * 10_000
assert abs(answer - expected) < 1, f"logits of ±10,000 give {answer}, not {expected}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "smoothing_refuses_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
logits, labels = torch.zeros(2, 3), torch.tensor([0, 2])
for what, arguments in {
    "ε of 1.5": (logits, labels, 1.5, None),
    "ε of -0.1": (logits, labels, -0.1, None),
    "a label of 3, of 3 classes": (logits, torch.tensor([0, 3]), 0.1, None),
    "a label of -1": (logits, torch.tensor([-1, 0]), 0.1, None),
    "a prior with sum 2": (logits, labels, 0.1, torch.tensor([1.0, 0.5, 0.5])),
    "a prior with sum 0.5": (logits, labels, 0.1, torch.tensor([0.25, 0.25, 0.0])),
    "a prior of 4 classes": (logits, labels, 0.1, torch.full((4,), 0.25)),
    "a negative prior": (logits, labels, 0.1, torch.tensor([1.2, -0.4, 0.2])),
}.items():
    refused = None
    try:
        smoothed_cross_entropy(*arguments)
    except Exception as error:
        refused = error
    said = f"{what}: a ValueError is expected, not {refused!r}"
    assert isinstance(refused, ValueError), said
answer = smoothed_cross_entropy(logits, labels, 0.1, None)
assert answer is not None, "what is no mistake gets an answer"


# %% nbgrader={"grade": false, "grade_id": "best", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best_logits(label: int, epsilon: float, prior: Tensor) -> Tensor:
    """Return the logits (K,), with mean 0, that make the smoothed loss least.

    prior: (K,). Raises ValueError where some class has the target 0.
    """
    ### BEGIN SOLUTION
    target = epsilon * prior.double()
    target[label] += 1 - epsilon
    if (target <= 0).any():
        raise ValueError("a class has the target 0: its logit would be minus infinity")
    logits = target.log()
    return (logits - logits.mean()).float()
    ### END SOLUTION


# %%
# Yours: draw the best logits for ε from 0.01 to 0.99.

# %% nbgrader={"grade": true, "grade_id": "best_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random priors; softmax gives the target, the mean is 0; targets of 0 refused.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(6)
for classes, epsilon in [(2, 0.3), (10, 0.1), (1000, 0.1), (5, 1.0)]:
    prior = torch.rand(classes, generator=rng) + 0.1
    prior /= prior.sum()
    label = int(torch.randint(classes, (), generator=rng))
    own, before = F.one_hot(torch.tensor(label), classes), prior.clone()
    target = (1 - epsilon) * own + epsilon * prior
    answer = best_logits(label, epsilon, prior)
    what = f"best_logits({label}, {epsilon}, a prior of {classes})"
    assert answer is not None, "your function returns None: is there a `return`?"
    assert isinstance(answer, Tensor), f"{what} is a {type(answer).__name__}, not a tensor"
    assert torch.equal(prior, before), "your function changed the prior in place"
    assert tuple(answer.shape) == (classes,), f"{what} is {tuple(answer.shape)}"
    likely = {
        "these are probabilities: logits are their logarithms": target.exp(),
        "the sign is wrong: a more probable class has a larger logit": 1 / target,
        "logarithms to base 2: softmax takes powers of e": target ** (1 / math.log(2)),
        "the prior is ignored": (1 - epsilon) * own + epsilon / classes,
        "the label is ignored": prior,
        "ε and 1 − ε are exchanged": epsilon * own + (1 - epsilon) * prior,
        "the label keeps all of its weight: it has 1 − ε": own + epsilon * prior,
        "the label gets 1 − ε *and* its share of the prior": torch.where(own > 0, 1 - epsilon, epsilon * prior),
    }
    found = answer.to(prior.dtype).softmax(0)
    for mistake, wrong in likely.items():
        right = torch.allclose(wrong / wrong.sum(), target, rtol=1e-3)
        assert right or not torch.allclose(found, wrong / wrong.sum(), rtol=1e-4), mistake
    check.close(found, target, rtol=1e-3, what=f"the softmax of {what}")
    what = f"the mean of {what} (a shift changes no loss, so subtract the mean)"
    check.close(answer.to(prior.dtype).mean(), 0.0, atol=1e-4, what=what)
for epsilon, prior in [(0.0, [0.5, 0.5]), (0.1, [1.0, 0.0])]:
    try:
        answer = best_logits(0, epsilon, torch.tensor(prior))
    except Exception as error:
        answer = error
    what = f"ε = {epsilon}, prior {prior}: a class has the target 0, so a ValueError is due"
    assert isinstance(answer, ValueError), f"{what}, not {answer!r}"
### END HIDDEN TESTS

# %% [markdown]
# ### 3 · The cheapest stack of kernels (4 points)
#
# Two 3×3 kernels see as far as one 5×5. For each input and output channel they have 18 weights
# instead of 25, if all layers have the same width. A 1×5 and a 5×1 have 10. Which stack is the
# cheapest, if you may use only some kernels and only so many layers?
#
# **Contract.** `cheapest_stack(field, layers, menu)` returns a list of kernels (rows, columns) from
# `menu`, in any order. Each kernel may occur several times. There are at most `layers` of them, all
# with stride 1. Together they see exactly field × field pixels with the fewest weights. The number
# of weights is the sum of rows × columns. If several stacks are cheapest, return any one. It raises
# `ValueError` if no stack sees this field.
#
# The given `cheapest_spec` tries every stack. It is right, and far too slow for a field of 61.
#
# *Hint:* a kernel of r rows adds r − 1 rows to what is seen. After a first kernel, the same
# question remains with smaller numbers. Remember the answers (`functools.cache`) or fill a table.
# *To see it:* draw the weights by the field, for `layers` of 2, 4 and 8.


# %% nbgrader={"grade": false, "grade_id": "cheapest_spec", "locked": true, "schema_version": 3, "solution": false, "task": false}
def sees(stack) -> tuple[int, int]:
    """Return the rows and columns of the receptive field of a stack of kernels."""
    return 1 + sum(r - 1 for r, _ in stack), 1 + sum(c - 1 for _, c in stack)


def weights(stack) -> int:
    return sum(rows * columns for rows, columns in stack)


def cheapest_spec(field: int, layers: int, menu) -> int | None:
    """Return the weights of the cheapest stack, or None; tries all of them."""
    stacks = (
        stack
        for depth in range(1, layers + 1)
        for stack in itertools.combinations_with_replacement(menu, depth)
    )
    return min((weights(s) for s in stacks if sees(s) == (field, field)), default=None)


V3 = [(1, 1), (3, 3), (5, 5), (1, 3), (3, 1), (1, 7), (7, 1)]
SQUARE = [(3, 3), (5, 5), (7, 7)]


# %% nbgrader={"grade": false, "grade_id": "stack", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cheapest_stack(
    field: int, layers: int, menu: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return the cheapest stack of at most `layers` kernels that sees field x field.

    menu: kernels (rows, columns). Raises ValueError where there is no such stack.
    """
    ### BEGIN SOLUTION
    best = {(1, 1): (0, [])}  # what the layers so far can see: weights, kernels
    found = []
    for _ in range(layers):
        after = {}
        for (rows, columns), (cost, stack) in best.items():
            for r, c in menu:
                seen = rows + r - 1, columns + c - 1
                price = cost + r * c
                if max(seen) <= field and price < after.get(seen, (math.inf,))[0]:
                    after[seen] = price, [*stack, (r, c)]
        best = after
        if (field, field) in best:
            found.append(best[field, field])
    if not found:
        raise ValueError(f"no {layers} of these kernels see {field} x {field}")
    return min(found)[1]
    ### END SOLUTION


# %%
# Yours: weights by field, for 2, 4 and 8 layers.

# %% nbgrader={"grade": true, "grade_id": "stack_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for field, layers, menu in [
    *((9, 4, V3), (7, 3, V3), (7, 3, SQUARE), (5, 2, V3)),
    *((5, 2, SQUARE), (5, 1, SQUARE), (7, 2, V3), (1, 2, V3)),
]:
    called = f"cheapest_stack({field}, {layers}, {menu})"
    depths, given = range(1, layers + 1), list(menu)
    every = [s for n in depths for s in itertools.combinations_with_replacement(menu, n)]
    every = [stack for stack in every if sees(stack) == (field, field)]
    least, fewest = min(map(weights, every)), min(map(len, every))
    try:
        answer = cheapest_stack(field, layers, given)
    except ValueError as error:
        hint = f"a stack has {least} weights: a kernel of r rows adds r - 1, the first too"
        raise AssertionError(f"{called} raised {error!r}, but {hint}") from error
    assert answer is not None, "your function returns None: is there a `return`?"
    assert not isinstance(answer, int), f"{called} is {answer}: name the kernels, not their weights"
    assert given == list(menu), "your function changed the menu in place"
    stack = [tuple(kernel) for kernel in answer]
    assert stack, f"{called} is empty: no layer sees nothing, not 1 x 1"
    strange = [kernel for kernel in stack if kernel not in menu]
    assert not strange, f"{called} uses {strange}, which is not on the menu"
    assert len(stack) <= layers, f"{called} has {len(stack)} layers, at most {layers} are allowed: {stack}"
    seen = f"{called}: {stack} sees {sees(stack)}, not {field} x {field}"
    assert max(sees(stack)) <= field, f"{seen}: it sees exactly the field, and no more"
    assert sees(stack) == (field, field), f"{seen}: a kernel of r rows adds r - 1, the first too"
    likely = {
        "fewer layers than allowed can be cheaper": [s for s in every if len(s) == layers],
        "kernels that are not square count, too": [s for s in every if all(r == c for r, c in s)],
        "a kernel may occur several times": [s for s in every if len({*s}) == len(s)],
        "these are the fewest layers, not the fewest weights": [s for s in every if len(s) == fewest],
    }
    hints = {min(map(weights, some), default=0): hint for hint, some in likely.items()}
    hints[max(map(weights, every))] = "these are the most weights; the fewest are asked for"
    hint = hints.get(weights(stack), "a kernel has rows × columns weights")
    hint = f"{called}: {stack} has {weights(stack)} weights, {least} are enough: {hint}"
    assert weights(stack) == least, hint

# %% nbgrader={"grade": true, "grade_id": "stack_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random menus with even and oblong kernels; a field of 61 within seconds.
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(7)
for _ in range(16):
    menu = [tuple(map(int, rng.integers(1, 5, 2))) for _ in range(rng.integers(2, 6))]
    field, layers = int(rng.integers(2, 8)), int(rng.integers(1, 6))
    least = cheapest_spec(field, layers, menu)
    called = f"cheapest_stack({field}, {layers}, {menu})"
    try:
        stack = [tuple(kernel) for kernel in cheapest_stack(field, layers, list(menu))]
    except ValueError:
        assert least is None, f"{called} raised, but {least} weights are enough"
        continue
    assert least is not None, f"{called} is {stack}, but there is none: ValueError"
    good = sees(stack) == (field, field) and len(stack) <= layers
    good = good and set(stack) <= set(menu)
    assert good, f"{called} is {stack}, which sees {sees(stack)}"
    hint = f"{called}: {stack} has {weights(stack)} weights, {least} are enough"
    assert weights(stack) == least, hint
start = time.perf_counter()
SIXES = list(itertools.product((1, 7, 13), repeat=2))  # three million stacks of 17
MIXED = [(7, 7), (1, 5), (5, 1)]
for field, layers, menu, least in [(31, 9, MIXED, 177), (21, 6, V3, 78), (61, 17, SIXES, 130)]:
    stack = [tuple(kernel) for kernel in cheapest_stack(field, layers, list(menu))]
    called = f"cheapest_stack({field}, {layers}, {menu})"
    assert sees(stack) == (field, field), f"{called} sees {sees(stack)}"
    assert len(stack) <= layers, f"{called} has {len(stack)} layers"
    hint = f"{called} has {weights(stack)} weights, {least} are enough"
    assert weights(stack) == least, hint
seconds = time.perf_counter() - start
assert seconds < 5, f"{seconds:.0f} s for a field of 61: remember what was found"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "stack_refuses_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for field, layers, menu in [(4, 9, SQUARE), (11, 1, SQUARE), (3, 5, [(1, 3)]), (3, 0, V3)]:
    answer, called = None, f"cheapest_stack({field}, {layers}, {menu})"
    try:
        answer = cheapest_stack(field, layers, list(menu))
    except Exception as error:
        answer = error
    said = f"{called}: no stack does that, so a ValueError is expected, not {answer!r}"
    assert isinstance(answer, ValueError), said
answer = cheapest_stack(3, 1, [(3, 3)])
assert answer is not None, "what is no mistake gets an answer"

# %% [markdown]
# ### 4 · The best pairs for a kernel (3 points)
#
# A column times a row is a kernel of rank 1. A sum of `channels` such pairs is a kernel of rank
# `channels` at most. Find the best pairs.
#
# **Contract.** `separable(kernel, channels)` takes a kernel (n, m). It returns `columns`
# (channels, n) and `rows` (channels, m). The sum $\sum_i$ `columns[i]` ⊗ `rows[i]` has the least
# squared error to the kernel of all such sums. If `channels` is more than needed, the shapes stay
# the same and the sum is the kernel itself. The kernel is not changed. It raises `ValueError`
# unless the kernel is 2-D and `channels` is 1 or more.
#
# *Hint:* `torch.linalg.svd` sorts by size. *To see it:* draw `torch.eye(5)`, and its sums of 1, 2,
# … pairs.


# %% nbgrader={"grade": false, "grade_id": "separable", "locked": false, "schema_version": 3, "solution": true, "task": false}
def separable(kernel: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Return columns (channels, n) and rows (channels, m) nearest to a kernel (n, m).

    Raises ValueError unless the kernel is 2-D and channels is 1 or more.
    """
    ### BEGIN SOLUTION
    if kernel.ndim != 2 or channels < 1:
        raise ValueError(f"kernel {tuple(kernel.shape)}, {channels} channels")
    u, s, vt = torch.linalg.svd(kernel, full_matrices=False)
    columns, rows = (u * s).T[:channels], vt[:channels]
    missing = channels - len(rows)
    if missing > 0:
        columns, rows = (F.pad(part, (0, 0, 0, missing)) for part in (columns, rows))
    return columns, rows
    ### END SOLUTION


# %%
kernel = torch.tensor([[0.0, 1, 2], [-1, 0, 1], [-2, -1, 0]])  # a diagonal edge
fig, ax = plt.subplots(figsize=(2, 2))
ax.imshow(kernel, cmap="RdBu")
# Yours: the sums of one and of two pairs beside it.
plt.show()

# %% nbgrader={"grade": true, "grade_id": "separable_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
rng = torch.Generator().manual_seed(8)
for shape, channels in [((3, 3), 1), ((5, 5), 2), ((3, 7), 3), ((7, 3), 2)]:
    kernel = torch.randn(shape, generator=rng)
    before, size = kernel.clone(), f"{shape[0]}x{shape[1]}"
    try:
        answer = separable(kernel, channels)
    except RuntimeError as error:
        raise AssertionError(f"{size}: {error}; did you say full_matrices=False?") from error
    assert answer is not None, "your function returns None: is there a `return`?"
    assert not isinstance(answer, Tensor), "return columns and rows, not one tensor"
    columns, rows = answer
    assert torch.equal(kernel, before), "your function changed the kernel"
    shapes, expected = (columns.shape, rows.shape), ((channels, shape[0]), (channels, shape[1]))
    swapped = shapes == expected[::-1] and shape[0] != shape[1]
    assert shapes == expected or swapped, f"the shapes are {shapes}, expected {expected}"
    u, s, v = torch.linalg.svd(kernel, full_matrices=False)
    kept, square = slice(channels), shape[0] == shape[1]
    nearest = u[:, kept] * s[kept] @ v[kept]
    swapped = torch.allclose(rows.T @ columns, nearest, atol=1e-4) if square else swapped
    assert not swapped, "columns and rows are exchanged: columns (channels, n) come first"
    likely = {
        "the singular values are missing": u[:, kept] @ v[kept],
        "the singular values enter twice": u[:, kept] * s[kept] ** 2 @ v[kept],
        "the root of a singular value enters once: it belongs to both": u[:, kept] * s[kept].sqrt() @ v[kept],
        "these are the smallest singular values; the largest matter": u[:, -channels:] * s[-channels:] @ v[-channels:],
        "rows of U: its columns belong to the singular values": (u * s)[kept].T @ v[kept] if square else nearest,
        "columns of V: its rows (of Vᵀ) belong to the singular values": u[:, kept] * s[kept] @ v.T[kept] if square else nearest,
        "only the first pair: there are `channels` of them": u[:, :1] * s[:1] @ v[:1],
        "the first column and row are not the best pair": kernel[:, :1] @ kernel[:1],
    }
    total = columns.T @ rows
    for mistake, wrong in likely.items():
        right = torch.allclose(wrong, nearest, atol=1e-4)
        assert right or not torch.allclose(total, wrong, atol=1e-4), mistake
    error, least = (total - kernel).square().sum(), s[channels:].square().sum()
    what = f"the squared error of {channels} pairs for a {size} kernel"
    check.close(error, least, rtol=1e-3, atol=1e-4, what=what)

# %% nbgrader={"grade": true, "grade_id": "separable_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: as two convolutions on images; more channels than needed; rank 1; bad input.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(9)
for _ in range(6):
    n, m, channels = torch.randint(1, 7, (3,), generator=rng).tolist()
    kernel = torch.randn(n, m, generator=rng)
    if channels == 3:
        kernel = kernel[:, :1] @ kernel[:1]  # rank 1
    before, called = kernel.clone(), f"separable of {n}x{m}, {channels} channels"
    try:
        columns, rows = separable(kernel, channels)
    except ValueError as error:
        raise AssertionError(f"{called}: more than needed are no mistake: {error}") from error
    shapes = tuple(columns.shape), tuple(rows.shape)
    right = shapes == ((channels, n), (channels, m))
    assert right, f"{called} gives {shapes}: pairs that are not needed are zeros"
    u, s, vt = torch.linalg.svd(kernel)
    kept = min(channels, n, m)
    nearest = (u[:, :kept] * s[:kept]) @ vt[:kept]
    x = torch.randn(2, 1, 9, 9, generator=rng)
    across = F.conv2d(x, rows[:, None, None, :])  # (N, channels, ...)
    mine = F.conv2d(across, columns[None, :, :, None])
    theirs = F.conv2d(x, nearest[None, None])
    check.close(mine, theirs, rtol=1e-3, atol=1e-3, what=f"{called}, on images")
    assert torch.equal(kernel, before), f"{called} changed the kernel"
for shape, channels in [((3, 3), 0), ((3,), 1), ((1, 3, 3), 1)]:
    try:
        answer = separable(torch.ones(shape), channels)
    except Exception as error:
        answer = error
    what = f"shape {shape}, {channels} channels: a ValueError is expected, not {answer!r}"
    assert isinstance(answer, ValueError), what
### END HIDDEN TESTS

# %% [markdown]
# ### 5 · What seven costs (1 point)
#
# Use paper and pencil. The longest branch of a module B with `inner = 160` has four kernels after
# its 1×1. They are 7×1, 1×7 and 7×1, each with 160 → 160 channels, and 1×7 with 160 → 192. How many
# weights do these four have together? And how many do two 7×7 in their place have, with 160 → 160
# and 160 → 192? Write down your two numbers, without batch normalisation; the test of these numbers
# is hidden.


# %% nbgrader={"grade": false, "grade_id": "predict", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predicted_weights() -> tuple[int, int]:
    """Return what you expect of the four kernels of 7, and of two 7x7."""
    ### BEGIN SOLUTION
    return 752_640, 2_759_680  # 7·160·(3·160 + 192) and 49·160·(160 + 192)
    ### END SOLUTION


# %%
# Yours: `inception.Mixed(768, inception.module_b(160))` knows. Did you expect it?

# %% nbgrader={"grade": true, "grade_id": "predict_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: your two numbers against the layers' own.
### BEGIN HIDDEN TESTS
with check.without("torch.nn.Module.__init__"):  # a pencil builds no layer
    pairs, whole = predicted_weights()
with torch.device("meta"):  # sizes alone
    branch = inception.Mixed(768, inception.module_b(160)).branches[2]
    layers = nn.Conv2d(160, 160, 7, bias=False), nn.Conv2d(160, 192, 7, bias=False)
kernels = [p for p in branch.parameters() if p.ndim == 4][1:]
four, two = sum(p.numel() for p in kernels), sum(layer.weight.numel() for layer in layers)
hints = {
    two: "the four kernels come first, then the two 7×7",
    7 * 160 * 4 * 160: "the last kernel has 192 outputs, not 160",
    7 * 160 * 3 * 160: "the fourth kernel is missing: 1×7 with 192 outputs",
    7 * four: "a 7×1 kernel has 7 places, not 49",
    four // 7: "a 7×1 kernel has 7 places",
    four // 160: "each output reads 160 channels",
    four + 160 * 768: "the 1×1 before them does not count",
    four + 160 * 3 + 192: "no convolution has a bias",
    four + 2 * (160 * 3 + 192): "batch normalisation does not count",
}
hint = hints.get(pairs, "7 · 160 for each output: three times 160, once 192")
assert pairs == four, f"the pairs: you expected {pairs:,}, they have {four:,}: {hint}"
hints = {
    49 * 160 * 160: "one 7×7 is missing: that with 192 outputs",
    49 * 160 * 192: "one 7×7 is missing: that with 160 outputs",
    49 * 160 * 2 * 160: "the last 7×7 has 192 outputs, not 160",
    two // 7: "a 7×7 kernel has 49 places",
    two // 49: "a 7×7 kernel has 49 places",
    two // 160: "each output reads 160 channels",
    two + 160 + 192: "no convolution has a bias",
}
hint = hints.get(whole, "49 · 160 for each output: 160 and 192")
assert whole == two, f"two 7×7: you expected {whole:,}, they have {two:,}: {hint}"
### END HIDDEN TESTS

# %% [markdown]
# ### 6 · A loss that went up (2 points)
#
# A fellow student adds label smoothing with ε = 0.1 to a network for 10 classes. The validation
# accuracy stays at 95 %. But the validation loss, plain cross-entropy, rises from 0.17 to 0.27
# nats, and so she removes the smoothing again. Imagine a network that has learnt the smoothed
# targets perfectly. How low can its plain cross-entropy be (a number)? And what would you compare
# instead? Answer in two to four sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "loss_went_up_why", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# A network that answers the smoothed targets gives the right class a probability of 0.91. So its
# plain cross-entropy is −log 0.91 = 0.094 nats on every image that it classifies correctly, however
# good it is. The rise says that it aims at other probabilities, not that it sees less. Compare what
# the network is for: accuracy over several seeds. If probabilities matter, compare each network's
# loss or calibration after a temperature fitted on validation.
#
# **Marking scheme.** 1 point: the floor, −log(0.9 + 0.01) = 0.094 (or the formula with the
# logarithm), and that a rise is therefore expected. 1 point: a comparison that smoothing does not
# bias, or a reason why the loss matters for her use. Examples of such a comparison are accuracy
# with its random variation named, calibration, or a temperature.
# ### END SOLUTION
