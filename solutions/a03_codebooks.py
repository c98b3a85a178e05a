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
# # Assignment 3 · Codebooks (20 points)
#
# The notebook `03_codebooks` built the histogram, VLAD and the Fisher vector. It left out three
# things that later papers added: soft assignment, the spatial pyramid, and normalisations that
# reduce the effect of bursts. Here you write them, and measure what a burst is.
#
# | | exercise | points |
# |---|---|---|
# | 1 | Soft assignment | 4 |
# | 2 | Where in the image? The spatial pyramid | 5 |
# | 3 | Histogram intersection | 2 |
# | 4 | Power and intra normalisation | 4 |
# | 5 | Bursts, measured | 3 |
# | 6 | When does it hurt? | 2 |
#
# Replace each `raise NotImplementedError`. The cell below it is for your own prints and drawings
# and is not graded. The *visible* tests give some of the points, and you can run them. After you
# hand in, *hidden* tests ask the same function about other inputs; the first line of a hidden test
# says which. Loops are fine everywhere: no test has more than a few thousand numbers. All of it
# computes in seconds.

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math

import numpy as np
import torch
from torch import Tensor

from course_lib import check, data, notebook
from course_lib.classical import DenseSift

codebooks = notebook.load("03_codebooks")

# %% [markdown]
# ### 1 · Soft assignment (4 points)
#
# A descriptor between two words counts for one of them alone, and a little noise decides which.
# *Codeword uncertainty* (van Gemert et al., ECCV 2008, section 2.2) lets it count for all words.
# The weights of a descriptor sum to 1 and fall with the distance:
#
# $$h_k = \frac1n \sum_{i=1}^n \frac{\exp(-|x_i - c_k|^2 / 2\sigma^2)}{\sum_j \exp(-|x_i - c_j|^2 / 2\sigma^2)}$$
#
# **Contract.** `soft_histogram(descriptors, codebook, sigma)` takes (n, D) and (K, D) and returns
# (K,), of the same dtype. Its sum is 1; for n = 0 it is all zeros. For $\sigma = 0$ return the
# limit, the hard histogram: each descriptor gives its one vote to the nearest word. However small
# $\sigma$ and however far the words, nothing is nan. A negative $\sigma$ raises `ValueError`.
#
# The given `soft_spec` is the formula, number by number, for $\sigma$ that is not too small. Your
# function may run neither it nor `np.ndindex`, which it uses.
#
# *Hint:* $\exp(-1000) = 0$, and 0/0 is nan; `torch.softmax` avoids this. *To see it:* take one
# descriptor and three words, with $\sigma$ from 0.01 to 100.

# %% nbgrader={"grade": false, "grade_id": "soft_spec", "locked": true, "schema_version": 3, "solution": false, "task": false}
def soft_spec(descriptors: Tensor, codebook: Tensor, sigma: float) -> Tensor:
    """Codeword uncertainty, one descriptor and one word at a time."""
    weights = np.zeros((len(descriptors), len(codebook)))
    for i, k in np.ndindex(weights.shape):
        pairs = zip(descriptors[i].tolist(), codebook[k].tolist(), strict=True)
        squared = sum((a - b) ** 2 for a, b in pairs)
        weights[i, k] = math.exp(-squared / (2 * sigma**2))
    shares = weights / weights.sum(axis=1, keepdims=True)
    return torch.tensor(shares.mean(axis=0), dtype=descriptors.dtype)

# %% nbgrader={"grade": false, "grade_id": "soft", "locked": false, "schema_version": 3, "solution": true, "task": false}
def soft_histogram(descriptors: Tensor, codebook: Tensor, sigma: float) -> Tensor:
    """Return the words' shares (K,) of descriptors (n, D), by codeword uncertainty.

    sigma: at least 0, where the nearest word has all; else ValueError. No descriptors:
    zeros. Source: van Gemert et al., ECCV 2008, section 2.2.
    """
    ### BEGIN SOLUTION
    if sigma < 0:
        raise ValueError(f"sigma is {sigma}: expected 0 or more")
    if sigma == 0:
        return codebooks.histogram(descriptors, codebook)
    squared = codebooks.squared_distances(descriptors, codebook)
    nearer = squared.amin(dim=1, keepdim=True) - squared  # 0 for the nearest
    weights = (nearer / (2 * sigma**2)).softmax(dim=1)
    return weights.sum(dim=0) / max(len(descriptors), 1)
    ### END SOLUTION

# %%
# Yours: for example, one descriptor, three words, and sigma from 0.01 to 100.

# %% nbgrader={"grade": true, "grade_id": "soft_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
rng = torch.Generator().manual_seed(1)
for n, words, sigma in [(1, 3, 1.0), (7, 4, 0.7), (20, 5, 2.0)]:
    x = torch.randn(n, 6, generator=rng).double()
    c = torch.randn(words, 6, generator=rng).double()
    spec = soft_spec(x, c, sigma)
    with check.without("numpy.ndindex"):  # on which the specification stands
        answer = soft_histogram(x, c, sigma)
    assert answer is not None, "your function returns None: is there a `return`?"
    squared = torch.cdist(x, c) ** 2
    kernel = torch.exp(-squared / (2 * sigma**2))
    likely = {
        "the distance is not squared": torch.exp(-squared.sqrt() / (2 * sigma**2)),
        "sigma is not squared": torch.exp(-squared / (2 * sigma)),
        "the 2 of 2σ² is missing": torch.exp(-squared / sigma**2),
        "far words get more than near ones: the exponent is negative": 1 / kernel,
    }
    for mistake, wrong in likely.items():
        wrong = (wrong / wrong.sum(dim=1, keepdim=True)).mean(dim=0)
        if not torch.allclose(wrong, spec, rtol=1e-3):
            same = answer.shape == wrong.shape and torch.allclose(answer, wrong)
            assert not same, mistake
    total = answer.sum().item()
    assert abs(total - 1) < 1e-6 or abs(total - n) > 1e-6, (
        f"the sum is {total:.3g}: a mean over the descriptors, not a sum"
    )
    assert abs(total - 1) < 1e-6, (
        f"the sum is {total:.3g}: each descriptor's weights are to have the sum 1"
    )
    each = kernel.mean(dim=0) / kernel.mean(dim=0).sum()
    if n > 1:
        assert not torch.allclose(answer, each), (
            "only the whole is made of sum 1; each descriptor has the same say"
        )
    check.close(answer, spec, what=f"the shares of {n} descriptors, {sigma = }")

# %% nbgrader={"grade": true, "grade_id": "soft_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: other sizes, float32, one word, wide sigma, inputs left alone; no descriptors.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(2)
for n, words, width, sigma in [(9, 1, 4, 1.0), (30, 12, 2, 0.5), (4, 3, 9, 50.0)]:
    x, c = (torch.randn(size, width, generator=rng) for size in (n, words))
    before = x.clone(), c.clone()
    called = f"{n} descriptors, {words} words"
    with check.without("numpy.ndindex"):
        answer = soft_histogram(x, c, sigma)
    same = torch.equal(x, before[0]) and torch.equal(c, before[1])
    assert same, "your function changed its input in place"
    assert answer.dtype == torch.float32, f"float32 became {answer.dtype}"
    check.close(answer, soft_spec(x, c, sigma), rtol=1e-3, atol=1e-5, what=called)
answer = soft_histogram(torch.zeros(0, 5), torch.randn(4, 5), 1.0)
zeros = answer.tolist() == [0, 0, 0, 0]
assert zeros, f"no descriptors give zeros, not 0 / 0: {answer.tolist()}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "soft_limit_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: sigma 0 and nearly 0, words far away: the hard histogram, nothing nan.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(3)
x = torch.randn(40, 3, generator=rng).double()
for c in (x[:6] + 0.01, 100 * torch.randn(6, 3, generator=rng).double()):
    hard = torch.zeros(6, dtype=torch.float64)
    for row in x:
        hard[(row - c).square().sum(dim=1).argmin()] += 1 / 40
    for sigma in (1e-3, 1e-8, 0, 0.0):
        answer = soft_histogram(x, c, sigma)
        assert not answer.isnan().any(), f"{sigma = }: nan; exp underflows to 0 / 0"
        total = answer.sum().item()
        lost = f"{sigma = }: the sum is {total:.2g}, since exp underflows to 0"
        assert total > 0.5, f"{lost}: subtract the smallest distance first"
        check.close(answer, hard, atol=1e-4, what=f"{sigma = }, the limit")
    alike = torch.full((6,), 1 / 6, dtype=torch.float64)
    what = "sigma = 1e6, where all words are as good"
    check.close(soft_histogram(x, c, 1e6), alike, atol=1e-4, what=what)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "soft_refuses_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
codebook = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
answer = soft_histogram(torch.tensor([[1.0, 0.0], [3.0, 0.5]]), codebook, 0)
expected = [0.5, 0.5, 0.0]
assert not answer.isnan().any(), "sigma = 0 divides by 0: it is a case of its own"
farthest = answer.tolist() == [0.0, 0.0, 1.0]
assert not farthest, "sigma = 0: the vote goes to the nearest word, not the farthest"
assert answer.tolist() == expected, f"sigma = 0: {answer.tolist()}, expected {expected}"
refused = None
try:
    soft_histogram(torch.zeros(2, 2), codebook, -1.0)
except Exception as error:
    refused = error
right = isinstance(refused, ValueError)
assert right, f"sigma = -1: a ValueError is expected, not {refused!r}"

# %% [markdown]
# ### 2 · Where in the image? The spatial pyramid (5 points)
#
# A histogram does not know where in the image a word occurs: the sky above, the ground below.
# Lazebnik, Schmid and Ponce (CVPR 2006) cut the image into g × g cells, for g = 1, 2, 4, …, $2^L$.
# They append the histograms of all cells of all levels. Two keypoints in the same fine cell are in
# the same coarse cells, too. To make this agreement count more, level $l$ (g = $2^l$) has the
# weight
#
# $$\frac{1}{2^{L}} \;\text{ for } l = 0, \qquad \frac{1}{2^{L - l + 1}} \;\text{ for } l \ge 1.$$
#
# **Contract.** `cell_of(keypoints, height, width, g)` returns for each keypoint the number of its
# cell, (n,), int64. Cells are numbered row by row from the top left. Keypoints are (n, 2) or more
# columns, x and y first, in pixels. The centre of the first pixel is x = y = 0. So the image
# reaches from -1/2 to width - 1/2, and from -1/2 to height - 1/2.
#
# - A keypoint on the border of two cells belongs to the cell on the right, or below.
# - A keypoint on the right or bottom border of the image belongs to the last cell.
# - A keypoint outside of the image raises `ValueError`.
#
# `pyramid(keypoints, words, height, width, finest, K)` also takes each keypoint's word (n,) in [0,
# K), and L = `finest`. It returns a float64 row of $K\,(1 + 4 + … + 4^L)$ entries: coarse levels
# first, within a level cell by cell, within a cell word by word. To get an entry, count the
# keypoints of that word in that cell. Divide by *all* n keypoints of the image, and multiply by the
# level's weight. The row has the sum 1, or is all zeros for n = 0.
#
# *Hint:* x decides the column. `torch.bincount(…, minlength=…)` of `cell * K + word`.
# *To see it:* draw the cells of a grid of keypoints as an image.

# %% nbgrader={"grade": false, "grade_id": "cell", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cell_of(keypoints: Tensor, height: int, width: int, g: int) -> Tensor:
    """Return the cell (n,), row by row, of keypoints (n, 2 or more) in a g × g grid.

    Raises ValueError for a keypoint outside of the image.
    """
    ### BEGIN SOLUTION
    x = (keypoints[:, 0] + 0.5) / width
    y = (keypoints[:, 1] + 0.5) / height
    if ((x < 0) | (x > 1) | (y < 0) | (y > 1)).any():
        raise ValueError(f"a keypoint lies outside of {height} × {width} pixels")
    column = (x * g).long().clamp(max=g - 1)
    row = (y * g).long().clamp(max=g - 1)
    return row * g + column
    ### END SOLUTION

# %%
# Yours: for example, the cells of all pixels of a 6 × 9 image, g = 2.

# %% nbgrader={"grade": true, "grade_id": "cell_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
rows, columns = 8, 12  # of pixels: each cell of a 4 × 4 grid has 2 × 3
pixels = torch.tensor([[x, y, 1.6] for y in range(rows) for x in range(columns)])
last = torch.tensor([[11.5, 7.5], [-0.5, -0.5], [2.5, 1.5]]).double()
try:
    answer, ends = (cell_of(x, rows, columns, 4) for x in (pixels.double(), last))
except ValueError as error:
    inside = "all keypoints are inside: x + 1/2 of the width, y + 1/2 of the height"
    raise AssertionError(f"{inside}. Your function says: {error}") from error
assert answer.dtype == torch.int64, f"cells are int64, not {answer.dtype}"
assert answer.shape == (96,), f"a cell for each of 96 keypoints, not {answer.shape}"
picture = answer.view(rows, columns)
expected = torch.arange(16).view(4, 4).repeat_interleave(2, 0).repeat_interleave(3, 1)
turned = torch.arange(16).view(4, 4).T.repeat_interleave(2, 0).repeat_interleave(3, 1)
assert not torch.equal(picture, turned), "x and y are swapped: x decides the column"
rounded = ((torch.arange(columns) + 0.5) / 3).round().clamp(max=3)
assert not torch.equal(picture[0] % 4, rounded.long()), "round down, not to the nearest"
assert answer.max() < 16, f"cell {answer.max()}, but 4 × 4 cells are numbered 0 to 15"
assert torch.equal(picture, expected), f"the cells of 8 × 12 pixels are\n{picture}"
answer = ends.tolist()
assert answer[0] == 15, f"the last border belongs to the last cell, 15, not {answer[0]}"
assert answer[1] == 0, f"x = y = -1/2 is the first corner: cell 0, not {answer[1]}"
assert answer[2] == 5, f"a border belongs to the next cell, here 5, not {answer[2]}"
for x, y in [[12.0, 1.0], [1.0, 8.0], [-1.0, 1.0], [1.0, -0.6]]:
    refused = None
    try:
        cell_of(torch.tensor([[3.0, 3.0], [x, y]]), rows, columns, 4)
    except Exception as error:
        refused = error
    what = f"x = {x}, y = {y} is outside of 8 × 12 pixels: a ValueError is expected"
    assert isinstance(refused, ValueError), f"{what}, not {refused!r}"

# %% nbgrader={"grade": true, "grade_id": "cell_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random keypoints, odd sides, three cells a side, one cell, no keypoints.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(4)
for height, width, g in [(7, 5, 2), (31, 100, 3), (10, 4, 8), (5, 9, 1)]:
    points = torch.rand(60, 4, generator=rng).double()
    points[:, 0] = points[:, 0] * width - 0.5
    points[:, 1] = points[:, 1] * height - 0.5
    answer = cell_of(points, height, width, g)
    for (x, y, *_), cell in zip(points.tolist(), answer.tolist(), strict=True):
        column, row = math.floor((x + 0.5) / width * g), math.floor((y + 0.5) / height * g)
        called = f"x = {x:.2f}, y = {y:.2f} of {height} × {width} pixels, {g = }"
        assert cell == row * g + column, f"{called}: cell {cell}, not {row * g + column}"
assert cell_of(torch.zeros(0, 2), 5, 5, 2).shape == (0,), "no keypoints have no cells"
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "pyramid", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pyramid(
    keypoints: Tensor, words: Tensor, height: int, width: int, finest: int, K: int
) -> Tensor:
    """Return the weighted histograms of all cells of levels 0 to `finest`, one row.

    (n, 2 or more) and (n,) to K (1 + 4 + … + 4^finest), float64, of sum 1; zeros for
    no keypoints. Source: Lazebnik, Schmid, Ponce, CVPR 2006, equation 3.
    """
    ### BEGIN SOLUTION
    parts = []
    for level in range(finest + 1):
        g = 2**level
        place = cell_of(keypoints, height, width, g) * K + words
        counts = torch.bincount(place, minlength=g * g * K).double()
        weight = 2.0 ** -(finest - level + 1) if level else 2.0**-finest
        parts.append(weight * counts / max(len(words), 1))
    return torch.cat(parts)
    ### END SOLUTION

# %%
# Yours: for example, the row of two keypoints, finest = 1, K = 2, as five histograms.

# %% nbgrader={"grade": true, "grade_id": "pyramid_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
keypoints = torch.tensor([[1.0, 1.0], [8.0, 1.0], [9.0, 6.0], [9.0, 5.0]])
words = torch.tensor([0, 1, 1, 1])
answer = pyramid(keypoints, words, 8, 12, 1, 2)
coarse, fine = [1, 3], [1, 0, 0, 1, 0, 0, 0, 2]
assert len(answer) == 10, f"1 + 4 cells of 2 words have 10 entries, not {len(answer)}"
answer = answer.double()
assert not answer.isnan().any(), "nan: an empty cell has zeros"
expected = torch.tensor([*coarse, *fine]).double() / 4 / 2
grouped = torch.tensor([*coarse, 1, 0, 0, 0, 0, 1, 0, 2]).double() / 8
light = torch.cat([expected[:2] / 2, expected[2:]])
each = torch.tensor([1, 3, 4, 0, 0, 4, 0, 0, 0, 4]).double() / 8
likely = {
    "levels have no weights: with finest = 1 both count 1/2": 2 * expected,
    "level 0 has a weight of its own, 1 / 2^L, not half of that": light,
    "counts are not divided by the number of all keypoints": 4 * expected,
    "each cell is divided by its own keypoints; the contract says by all n": each,
    "fine levels come first: coarse ones should": torch.cat([expected[2:], expected[:2]]),
    "in a level: cell by cell, and in a cell word by word": grouped,
}
for mistake, wrong in likely.items():
    assert not torch.allclose(answer, wrong), mistake
check.close(answer, expected, what="pyramid of four keypoints, finest = 1")
answer = pyramid(torch.zeros(1, 2), torch.tensor([0]), 4, 4, 2, 1)
entries = "1 + 4 + 16 cells of one word have 21 entries, the empty ones too"
assert len(answer) == 21, f"{entries}: not {len(answer)}; is g = 2^l?"
weights = answer[[0, 1, 5]].tolist()
reversed_ = weights == [0.5, 0.25, 0.25]
assert not reversed_, "the levels' weights are reversed: the finest counts most, 1/2"
assert weights == [0.25, 0.25, 0.5], f"weights of three levels: {weights}"

# %% nbgrader={"grade": true, "grade_id": "pyramid_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random keypoints and words, up to four levels; nesting; sum 1; no keypoints.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(5)
for height, width, finest, K in [(20, 33, 0, 5), (9, 7, 1, 3), (64, 48, 3, 4)]:
    n = 50
    points = torch.rand(n, 3, generator=rng) * torch.tensor([width - 1, height - 1, 1])
    words = torch.randint(K, (n,), generator=rng)
    called = f"pyramid of {height} × {width} pixels, {finest = }, {K = }"
    size = K * (4 ** (finest + 1) - 1) // 3
    spec, begin = torch.zeros(size, dtype=torch.float64), 0
    for level in range(finest + 1):
        g = 2**level
        weight = 1 / 2**finest if level == 0 else 1 / 2 ** (finest - level + 1)
        for (x, y, _), word in zip(points.tolist(), words.tolist(), strict=True):
            column, row = int((x + 0.5) / width * g), int((y + 0.5) / height * g)
            spec[begin + (row * g + column) * K + word] += weight / n
        begin += g * g * K
    answer = pyramid(points.clone(), words.clone(), height, width, finest, K)
    assert answer.shape == (size,), f"{called}: {tuple(answer.shape)}, not ({size},)"
    check.close(answer, spec, what=called)
    check.close(answer.sum(), 1.0, what=f"the sum of the {called}")
assert answer.dtype == torch.float64, f"float64, not {answer.dtype}"
answer = pyramid(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64), 8, 8, 1, 3)
zeros = answer.tolist() == [0.0] * 15
assert zeros, f"no keypoints give 15 zeros, not 0 / 0: {answer.tolist()}"
### END HIDDEN TESTS

# %% [markdown]
# ### 3 · Histogram intersection (2 points)
#
# How similar are two rows? The kernel of Lazebnik et al. is the mass that they share,
# $\sum_k \min(a_k, b_k)$. For rows of a pyramid, with the weights above, it is the *pyramid match
# kernel*. An SVM takes it directly (`SVC(kernel="precomputed")`).
#
# **Contract.** `intersection(left, right)` takes (n, D) and (m, D) and returns (n, m), of the same
# dtype. It raises `ValueError` when D differs, or when an input does not have two dimensions.
#
# *Hint:* a dimension of length 1 is repeated. *To see it:* a row of sum 1 with itself.

# %% nbgrader={"grade": false, "grade_id": "intersection", "locked": false, "schema_version": 3, "solution": true, "task": false}
def intersection(left: Tensor, right: Tensor) -> Tensor:
    """Return Σ min(a, b) of every row a of (n, D) and b of (m, D): (n, m).

    Raises ValueError unless both have two dimensions and one D.
    """
    ### BEGIN SOLUTION
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        raise ValueError(f"no intersection of {left.shape} and {right.shape}")
    return torch.minimum(left[:, None], right).sum(dim=2)
    ### END SOLUTION

# %%
# Yours: for example, the kernel of three histograms with themselves.

# %% nbgrader={"grade": true, "grade_id": "intersection_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
left = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.2, 0.6]])
right = torch.tensor([[0.5, 0.5, 0.0], [0.1, 0.1, 0.8], [0.0, 0.3, 0.3]])
answer = intersection(left.clone(), right.clone())
assert answer is not None, "your function returns None: is there a `return`?"
assert answer.shape == (2, 3), f"(n, m) is (2, 3) here, not {tuple(answer.shape)}"
assert answer.dtype == left.dtype, f"float32 became {answer.dtype}"
pairs = {
    "that is a maximum: shared is the smaller one": torch.maximum(left[:, None], right),
    "that is a product, as in a linear kernel": left[:, None] * right,
    "that is a distance": (left[:, None] - right).abs(),
    "1 - distance / 2 is right for rows of sum 1 alone": (
        1 / 3 - (left[:, None] - right).abs() / 2
    ),
}
likely = {mistake: values.sum(dim=2) for mistake, values in pairs.items()}
shared = torch.minimum(left[:, None], right)
scaled = "rows are not divided by their sum: the mass that they share, as it is"
likely |= {
    "summed over the rows of `right`, not over the D entries": shared.sum(dim=1),
    "a mean over the entries; the kernel is their sum": shared.mean(dim=2),
    scaled: shared.sum(dim=2) / left.sum(dim=1, keepdim=True),
    f"{scaled}, also those of `right`": shared.sum(dim=2) / right.sum(dim=1),
}
for mistake, wrong in likely.items():
    assert not torch.allclose(answer, wrong), mistake
expected = [[1.0, 0.2, 0.3], [0.2, 0.7, 0.5]]
check.close(answer, expected, what="the intersection of two and three rows")
assert answer.shape == (2, 3), "a number for each pair of rows is expected"

# %% nbgrader={"grade": true, "grade_id": "intersection_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random rows, float64; the pyramid match, level by level; what is refused.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(6)
left, right = (torch.rand(n, 17, generator=rng).double() for n in (5, 8))
spec = [[sum(map(min, a, b)) for b in right.tolist()] for a in left.tolist()]
answer = intersection(left.clone(), right.clone())
assert answer.dtype == torch.float64, f"float64 became {answer.dtype}"
check.close(answer, spec, what="the intersection of 5 and 8 rows")
rows = torch.eye(4).double().repeat_interleave(2, 0)
answer = intersection(rows.clone(), rows.clone())
check.close(answer, rows @ rows.T, what="rows of a single word")
for shapes in [((3, 4), (3, 5)), ((4,), (2, 4)), ((2, 3, 4), (2, 4)), ((2, 4), (2, 4, 4))]:
    refused = None
    try:
        intersection(*(torch.zeros(shape) for shape in shapes))
    except Exception as error:
        refused = error
    what = f"{shapes[0]} and {shapes[1]}: a ValueError is expected, not {refused!r}"
    assert isinstance(refused, ValueError), what
### END HIDDEN TESTS

# %% [markdown]
# ### 4 · Power and intra normalisation (4 points)
#
# A brick wall has the same corner a thousand times, and its word dominates all others: a *burst*.
# There are two remedies for the residuals of a VLAD, (K, D), applied in this order:
#
# 1. **Power**: each entry $v$ becomes $\mathrm{sign}(v)\,|v|^\alpha$ (Perronnin et al., ECCV 2010).
# 2. **Intra**: the part of each *word* is divided by its length (Arandjelović and Zisserman, CVPR
#    2013).
#
# At the end the whole row is divided by its length, so that it has length 1.
#
# **Contract.** `normalise(residuals, power, intra)` takes (K, D), the power $0 \le \alpha \le 1$
# and the bool `intra`. Without `intra` the second step is left out. It returns the row (K · D,),
# first word first, of length 1. Zeros stay zeros at every step. This holds also for α = 0, where
# all other entries become 1 or -1. The part of a word without descriptors stays zero, and so does a
# row of zeros. A power outside of [0, 1] raises `ValueError`.
#
# *Hint:* `(-2) ** 0.5` is nan; $0^0$ is 1. *To see it:* `[[100., 0.], [1., -1.]]`, step by step.

# %% nbgrader={"grade": false, "grade_id": "normalise", "locked": false, "schema_version": 3, "solution": true, "task": false}
def normalise(residuals: Tensor, power: float = 0.5, intra: bool = True) -> Tensor:
    """Return sign(v) |v|^power, each word's part of length 1 (if `intra`), then the row.

    (K, D) to (K D,); zeros stay zeros. Raises ValueError unless 0 <= power <= 1.
    """
    ### BEGIN SOLUTION
    if not 0 <= power <= 1:
        raise ValueError(f"power is {power}: expected 0 to 1")
    values = residuals.sign() * residuals.abs() ** power
    if intra:
        length = values.norm(dim=1, keepdim=True)
        values = values / torch.where(length > 0, length, 1)
    row = values.flatten()
    return row / row.norm() if row.any() else row
    ### END SOLUTION

# %%
# Yours: for example, [[100., 0.], [1., -1.]], step by step.

# %% nbgrader={"grade": true, "grade_id": "normalise_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
rng = torch.Generator().manual_seed(7)
v = 5 * torch.randn(3, 4, generator=rng).double() * torch.tensor([[9.0], [1], [0.1]])
root = v.sign() * v.abs().sqrt()


def unit(values: Tensor, dim: int) -> Tensor:
    return values / values.norm(dim=dim, keepdim=True)


before, answer = v.clone(), normalise(v, 0.5, True)
assert torch.equal(v, before), "your function changed its input in place"
assert not answer.isnan().any(), "nan: the root is of |v|, and the sign comes back"
assert answer.shape == (12,), f"a row of 12, not {tuple(answer.shape)}"
spec = unit(unit(root, 1).flatten(), 0)
likely = {
    "the power is missing: sign(v) |v|^power": unit(unit(v, 1).flatten(), 0),
    "the sign is lost: |v|^power has none": unit(unit(root.abs(), 1).flatten(), 0),
    "intra is missing: each word's part gets length 1": unit(root.flatten(), 0),
    "intra along the wrong axis: over the entries of each word": unit(
        unit(root, 0).flatten(), 0
    ),
    "the last step is missing: the whole row gets length 1": unit(root, 1).flatten(),
    "order: power first, then the words' lengths": unit(
        (unit(v, 1).sign() * unit(v, 1).abs().sqrt()).flatten(), 0
    ),
    "word after word: the row is residuals.flatten()": unit(unit(root, 1).T.flatten(), 0),
}
for mistake, wrong in likely.items():
    assert not torch.allclose(answer, wrong), mistake
check.close(answer, spec, what="normalise(v, 0.5, True)")
for power, spec in ((0.5, root), (1.0, v)):
    answer, what = normalise(v, power, False), f"normalise(v, {power}, False)"
    each = unit(unit(spec, 1).flatten(), 0)
    assert not torch.allclose(answer, each), f"{what}: without intra, no word's length is 1"
    check.close(answer, unit(spec.flatten(), 0), what=what)

# %% nbgrader={"grade": true, "grade_id": "normalise_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other powers, 0 and 1 too; words and entries of zeros; nothing at all.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(8)
for power in (1, 0.5, 0.3, 0.0):
    for intra in (True, False):
        v = torch.randn(5, 3, generator=rng).double() * 7
        v[1], v[3, 0] = 0, 0
        parts = []
        for part in v.tolist():
            part = [math.copysign(abs(e) ** power, e) if e else 0.0 for e in part]
            length = math.sqrt(sum(e * e for e in part)) if intra else 1.0
            parts += [e / (length or 1.0) for e in part]
        length = math.sqrt(sum(e * e for e in parts))
        answer, called = normalise(v, power, intra), f"{power = }, {intra = }"
        assert not answer.isnan().any(), f"{called}: nan where a word has no descriptors"
        zeros = not answer.view(5, 3)[v == 0].any()
        assert zeros, f"{called}: zeros stay zeros, and 0 ** 0 is 1"
        check.close(answer, [e / length for e in parts], what=called)
zeros = normalise(torch.zeros(2, 3), 0.5, True)
assert zeros.tolist() == [0.0] * 6, f"a row of zeros stays zero: {zeros.tolist()}"
answer = normalise(torch.tensor([[3.0, 4.0]]), 1.0, True)
assert answer.dtype == torch.float32, f"float32 became {answer.dtype}"
short = normalise(torch.tensor([[0.03, 0.04], [0.0, 2.0]]), 1.0, True)
what = "two words, of length 0.05 and 2, power 1, intra"
check.close(short, torch.tensor([0.6, 0.8, 0.0, 1.0]) / math.sqrt(2), what=what)
same = torch.allclose(answer, torch.tensor([0.6, 0.8]))
assert same, f"one word, (3, 4), power 1: {answer.tolist()}, expected 0.6 and 0.8"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "normalise_refuses_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for power in (-0.5, 1.5):
    refused = None
    try:
        normalise(torch.ones(2, 2), power)
    except Exception as error:
        refused = error
    right = isinstance(refused, ValueError)
    assert right, f"{power = }: a ValueError is expected, not {refused!r}"
zero = normalise(torch.tensor([[2.0, 0.0], [0.0, 0.0]]), 0.0, False).tolist()
assert zero == [1.0, 0.0, 0.0, 0.0], f"power 0, zeros stay zeros: {zero}"

# %% [markdown]
# ### 5 · Bursts, measured (3 points)
#
# How uneven are the VLADs of real images? Measure the *share of energy* in the m largest entries,
# $\sum_{\text{largest } m} v_i^2 / \sum_i v_i^2$. If all entries had the same size, the largest
# tenth of them would hold a tenth of the energy.
#
# **Contract.** `energy(rows, share)` takes (N, D) and a share in (0, 1]. For each row it computes
# the share of energy in the m largest entries by absolute value, where m is share · D, *rounded
# up*. It returns the mean over the rows, a float in [0, 1]. A row of zeros has no share and is left
# out of the mean.
#
# `burst_curve(sets, codebook, powers, share)` takes a list of N descriptor sets and returns a list
# with one number for each power. It is the `energy` of the images' VLADs after `normalise` with
# that power, *without* intra normalisation. The residuals are the notebook's:
# `codebooks.residuals(descriptors, codebook)`.
#
# *Hint:* `Tensor.topk`. Before you run it, write down what you expect at power 0.
# *To see it:* draw the curve of `digit_sets` for powers from 0 to 1.

# %% nbgrader={"grade": false, "grade_id": "energy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def energy(rows: Tensor, share: float = 0.1) -> float:
    """Return the mean share of the squared length in the largest entries of (N, D).

    share: of the D entries, rounded up. Rows of zeros are left out.
    """
    ### BEGIN SOLUTION
    squares = rows.square()
    total, count = squares.sum(dim=1), math.ceil(share * rows.shape[1])
    largest = squares.topk(count, dim=1).values.sum(dim=1)
    return (largest[total > 0] / total[total > 0]).mean().item()
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "curve", "locked": false, "schema_version": 3, "solution": true, "task": false}
def burst_curve(sets: list, codebook: Tensor, powers: list, share: float = 0.1) -> list:
    """Return the energy of the sets' VLADs for each power, without intra normalisation."""
    ### BEGIN SOLUTION
    residuals = [codebooks.residuals(rows, codebook) for rows in sets]
    curve = []
    for power in powers:
        rows = torch.stack([normalise(part, power, intra=False) for part in residuals])
        curve.append(energy(rows, share))
    return curve
    ### END SOLUTION

# %%
images = data.load("digits", "train", size=32).images[:60, 0]
found = DenseSift(step=4, cells=(5,), border=4, device="cpu").transform(list(images))
digit_sets = [torch.tensor(rows) for _, rows in found]
together = torch.cat(digit_sets)
digit_words = codebooks.kmeans(together, codebooks.first_words(together, 8), 10)
# Yours: the curve of digit_sets for powers from 0 to 1. What did you expect at 0?

# %% nbgrader={"grade": true, "grade_id": "energy_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
rows = torch.tensor([[3.0, 0, 0, -4, 0], [2, 1, -1, 1, 1], [0, 0, 0, 0, 0]])
answer = energy(rows, 0.2)
assert isinstance(answer, float), f"a float, not {type(answer).__name__}"
likely = {
    "nan: a row of zeros has no share, leave it out": math.nan,
    "a row of zeros counts as 0: leave it out of the mean": (0.64 + 0.5) / 3,
    "entries are squared: energy, not size": (4 / 7 + 2 / 6) / 2,
    "largest by absolute value: -4 is larger than 3": (0.36 + 0.5) / 2,
    "one mean over the rows' shares, not a share of all rows' energy": 20 / 33,
    "the largest entries, not the smallest": (0 + 1 / 8) / 2,
    "energy is the squared length: no root": (4 / 5 + 2 / math.sqrt(8)) / 2,
    "a share of energy: divide by the row's energy": (16 + 4) / 2,
}
for mistake, wrong in likely.items():
    both = math.isnan(answer) and math.isnan(wrong)
    same = both or abs(answer - wrong) < 1e-6
    assert not same, mistake
for share, true in ((0.2, (16 / 25 + 4 / 8) / 2), (0.3, (1 + 5 / 8) / 2)):
    what = f"energy(rows, {share}); of five entries 0.3 are 1.5, rounded up 2"
    check.close(energy(rows, share), true, what=what)

# %% nbgrader={"grade": true, "grade_id": "energy_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random rows, shares up to 1; entries that are alike.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(9)
rows = torch.randn(20, 30, generator=rng).double() ** 3
for share in (0.01, 0.1, 0.5, 0.95, 1):
    spec = []
    for row in rows.tolist():
        squares = sorted((e * e for e in row), reverse=True)
        spec.append(sum(squares[: math.ceil(share * 30)]) / sum(squares))
    check.close(energy(rows, share), sum(spec) / 20, what=f"energy of 20 rows, {share = }")
answer = energy(torch.ones(3, 40), 0.25)
assert abs(answer - 0.25) < 1e-6, f"a quarter of entries that are alike: {answer}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "curve_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: the curve of 60 digits, against residuals summed in loops; its direction.
### BEGIN HIDDEN TESTS
def tenth(rows, power):  # the mean share of energy in the largest tenth, by power
    found = []
    for row in rows:
        squares = np.sort(np.abs(row.ravel()) ** (2 * power))[::-1]
        found.append(squares[: math.ceil(0.1 * len(squares))].sum() / squares.sum())
    return np.mean(found)


powers, sums = [1.0, 0.5, 0.2, 0.0], np.zeros((len(digit_sets), *digit_words.shape))
for part, descriptors in zip(sums, digit_sets, strict=True):
    for x in descriptors.numpy():
        apart = x - digit_words.numpy()
        nearest = (apart**2).sum(axis=1).argmin()
        part[nearest] += apart[nearest]
intra = [part / np.maximum(np.linalg.norm(part, axis=1)[:, None], 1e-9) for part in sums]
curve = burst_curve(digit_sets, digit_words, powers, 0.1)
assert curve is not None, "your function returns None: is there a `return`?"
assert not isinstance(curve, float), f"a list, one number for each power, not {curve}"
assert len(curve) == 4, f"{len(curve)} numbers for 4 powers: for each power a mean over the images"
assert curve[0] != curve[1], "every power gives the same: does `normalise` get it?"
(half,) = burst_curve(digit_sets, digit_words, [1.0], 0.5)
assert half > curve[0], f"half of the entries hold {half}, a tenth {curve[0]}: use `share`"
others = burst_curve(digit_sets[:20], digit_words, powers), burst_curve(digit_sets, digit_words[:4], powers)
for name, other in zip(("sets", "codebook"), others, strict=True):
    assert other != curve, f"another `{name}` gives the same curve: is it used?"
likely = {  # what the curve is at a power
    "that is with intra normalisation, which is left out here": (0, tenth(intra, 1.0)),
    "one VLAD of all images together: each image has its own": (0, tenth([sum(sums)], 1.0)),
    "a share in [0, 1], not percent": (0, 100 * tenth(sums, 1.0)),
    "the power is applied twice": (1, tenth(sums, 0.25)),
}
for mistake, (place, wrong) in likely.items():
    assert abs(curve[place] - wrong) > 1e-4, mistake
assert curve[0] > curve[-1], f"in the order of `powers`, here 1 first: {curve}"
for power, mine in zip(powers[:3], curve[:3], strict=True):
    check.close(mine, tenth(sums, power), rtol=5e-4, what=f"the energy at {power = }")
assert curve[0] > curve[1] > curve[2] > curve[3], f"the smaller the power, the more even the entries: {curve}"
### END HIDDEN TESTS

# %% [markdown]
# ### 6 · When does it hurt? (2 points)
#
# Intra normalisation gives the part of every word that occurs in the image the same length. Name a
# kind of image or a task for which that helps, and one for which it loses something important. Also
# say what a codebook with very many words does to it. Answer in two to four sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "hurt_why", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# It helps where one texture covers the image and says little about its class: the bricks of a wall,
# the leaves around a temple. The word of the one window then counts as much as theirs. It loses
# *how much* of a word there is, which matters in a scene that is recognised by amounts (how much
# sky, how much foliage). And some words have one or two descriptors, by noise or by a wrong
# assignment. Their part gets the same length as a part on which hundreds agree. The more words
# there are, the worse this is, since most parts then rest on a handful of descriptors.
#
# *Marking.* 1 point: a repeated texture (burst) that would dominate is reduced to the level of the
# others, with an example. 1 point: amount (or reliability) is lost, so that rare, noisy parts are
# amplified, *and* many words with few descriptors each make it worse. No points for "it normalises"
# or "it prevents overfitting" alone.
