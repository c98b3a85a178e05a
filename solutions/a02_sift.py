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
# # Assignment 2 · SIFT (20 points)
#
# The notebook `02_sift` built the detector and the descriptor, and left four things out on purpose.
# Keypoints lie on the pixel grid of their octave, and orientations in the middle of a bin. Large
# entries of a descriptor are not cut, and every mutual nearest neighbour is accepted as a match.
# Here you add all four, and measure the effect of the last one.
#
# | | exercise | points |
# |---|---|---|
# | 1 | Between pixels and levels | 5 |
# | 2 | Which extrema to keep | 3 |
# | 3 | Between two bins | 3 |
# | 4 | Normalised, cut, normalised | 2 |
# | 5 | The ratio test | 3 |
# | 6 | How strict? A measured curve | 2 |
# | 7 | Why a ratio? | 2 |
#
# Replace each `raise NotImplementedError`. The cell below it is for your own prints and drawings
# and is not graded. The *visible* tests give some of the points, and you can run them. After you
# hand in, *hidden* tests ask the same function about other inputs; the first line of a hidden test
# says which. Loops are fine everywhere: no test has more than a few thousand numbers. All of it
# computes in seconds.
#
# "The paper" is Lowe, *Distinctive Image Features from Scale-Invariant Keypoints*, IJCV 2004.

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_sample_images
from torch import Tensor

from course_lib import check, notebook
from course_lib.classical import Sift

sift = notebook.load("02_sift")

# %% [markdown]
# ### 1 · Between pixels and levels (5 points)
#
# The notebook finds an extremum of the differences $D$ at a pixel of a level. The true extremum,
# here called the *top*, lies between pixels and between levels. Section 4 of the paper fits a
# quadratic function to the 3×3×3 values around the pixel. The offset $\mathbf u = (x, y, s)$ is
# counted from that pixel, with $s$ in levels:
#
# $$D(\mathbf u) = D + \mathbf g^\top \mathbf u + \tfrac12 \mathbf u^\top \mathbf H \mathbf u, \qquad \hat{\mathbf u} = -\mathbf H^{-1} \mathbf g, \qquad D(\hat{\mathbf u}) = D + \tfrac12 \mathbf g^\top \hat{\mathbf u}.$$
#
# The gradient $\mathbf g$ and the Hessian $\mathbf H$ are differences of pixels, as in the
# notebook's `edge_ratio`: $D_x = (D_{+} - D_{-})/2$, $D_{xx} = D_{+} - 2D + D_{-}$, and
# $D_{xy} = (D_{++} - D_{+-} - D_{-+} + D_{--})/4$.
#
# **Contract.** `fit(cubes)` takes (n, 3, 3, 3), indexed by level, row and column. It returns the
# offsets $\hat{\mathbf u}$ (n, 3), in the order x, y, s, and the values $D(\hat{\mathbf u})$ (n,).
# Both have the dtype of the cubes. If the $\mathbf H$ of a cube has no inverse, its offset and its
# value are nan; other rows are not affected. The given `cube_of` makes cubes with a known answer.
#
# *Hint:* the *last* index of a cube is x. `torch.linalg.solve_ex` does not raise.
# *To see it:* the fit of `cube_of((0.3, -0.2, 0.1), torch.eye(3), 5)`.

# %% nbgrader={"grade": false, "grade_id": "cube_of", "locked": true, "schema_version": 3, "solution": false, "task": false}
def cube_of(top, hessian: Tensor, value: float) -> Tensor:
    """Return the cube (3, 3, 3) of a quadratic function with its `top` (x, y, s) there."""
    cube = torch.zeros(3, 3, 3, dtype=torch.float64)
    for s, y, x in np.ndindex(3, 3, 3):
        u = torch.tensor([x - 1, y - 1, s - 1], dtype=torch.float64) - torch.tensor(top)
        cube[s, y, x] = value + 0.5 * u @ hessian.double() @ u
    return cube

# %% nbgrader={"grade": false, "grade_id": "fit", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fit(cubes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the offsets (n, 3), x, y, s, and values (n,) at the tops of (n, 3, 3, 3).

    Rows whose Hessian has no inverse are nan. Source: section 4, eq. 2 and 3.
    """
    ### BEGIN SOLUTION
    def at(s: int, y: int, x: int) -> Tensor:
        return cubes[:, 1 + s, 1 + y, 1 + x]

    axes = [(0, 0, 1), (0, 1, 0), (1, 0, 0)]  # of x, y, s in a cube
    gradient, hessian = cubes.new_zeros(len(cubes), 3), cubes.new_zeros(len(cubes), 3, 3)
    middle = at(0, 0, 0)
    for i, a in enumerate(axes):
        minus = [-k for k in a]
        gradient[:, i] = (at(*a) - at(*minus)) / 2
        hessian[:, i, i] = at(*a) - 2 * middle + at(*minus)
        for j, b in enumerate(axes[:i]):
            both = [p + q for p, q in zip(a, b, strict=True)]
            apart = [p - q for p, q in zip(a, b, strict=True)]
            mixed = at(*both) + at(*[-k for k in both])
            mixed = mixed - at(*apart) - at(*[-k for k in apart])
            hessian[:, i, j] = hessian[:, j, i] = mixed / 4
    offset, failed = torch.linalg.solve_ex(hessian, -gradient)
    offset = torch.where(failed[:, None] == 0, offset, torch.nan)
    return offset, middle + 0.5 * (gradient * offset).sum(dim=1)
    ### END SOLUTION

# %%
# Yours: for example, a known top, found.

# %% nbgrader={"grade": true, "grade_id": "fit_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
hessian = torch.tensor([[-4.0, 0.5, 0.3], [0.5, -3.0, -0.6], [0.3, -0.6, -2.0]])
tops = [(0.3, -0.2, 0.1), (-0.4, 0.1, 0.25)]
cubes = torch.stack([cube_of(top, hessian, 5.0) for top in tops])
before, answer = cubes.clone(), fit(cubes)
assert torch.equal(cubes, before), "your function changed its input in place"
assert len(answer) == 2, f"expected offsets and values, not {len(answer)} things"
offset, value = answer
assert offset.dtype == cubes.dtype, f"{cubes.dtype} became {offset.dtype}"
true = torch.tensor(tops, dtype=torch.float64)
gradient = -true @ hessian.double()
middle, bend = cubes[:, 1, 1, 1], 0.5 * (gradient * true).sum(dim=1)


def bent(second: float, mixed: float, more: float = 0.0) -> Tensor:
    wrong = torch.full((3, 3), mixed).fill_diagonal_(second) * hessian.double()
    return -torch.linalg.solve(wrong, (gradient + more * hessian.diagonal()).T).T


likely = {
    "the offset points the other way: u = -H⁻¹ g": -true,
    "x and s are swapped: x is the last index of a cube": true.flip(1),
    "x and y are swapped: x is the last index, y the one before": true[:, [1, 0, 2]],
    "the gradient is twice too long: neighbours are two pixels apart": 2 * true,
    "the gradient is half the difference of *both* neighbours": bent(1.0, 1.0, 0.5),
    "a mixed derivative is divided by 4": bent(1.0, 4.0),
    "a mixed derivative is divided by 4, not by 2": bent(1.0, 2.0),
    "a mixed derivative has the wrong sign: plus for both ++ and --": bent(1.0, -1.0),
    "mixed derivatives are missing": bent(1.0, 0.0),
    "a second derivative has no ½: D₊ - 2D + D₋": bent(0.5, 1.0),
}
for mistake, wrong in likely.items():
    same = offset.shape == wrong.shape and torch.allclose(offset, wrong, atol=1e-6)
    assert not same, mistake
check.close(offset, true, atol=1e-8, what="the offset")
assert not torch.allclose(value, middle), "the value of the pixel: add ½ g·u"
assert not torch.allclose(value, middle + 2 * bend), "the value has a ½: D + ½ g·u"
assert not torch.allclose(value, middle - bend), "the value has a plus: D + ½ g·u"
check.close(value, [5.0, 5.0], what="the value at the top")
assert value.shape == (2,), "one value for each cube is expected"

# %% nbgrader={"grade": true, "grade_id": "fit_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random cubes, also saddles and minima; cubes without a top; no cubes at all.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(1)
tops = torch.rand(20, 3, generator=rng, dtype=torch.float64) * 4 - 2
hessians = torch.randn(20, 3, 3, generator=rng, dtype=torch.float64)
hessians = hessians + hessians.mT
values = torch.randn(20, generator=rng, dtype=torch.float64)
cubes = [cube_of(t.tolist(), h, v) for t, h, v in zip(tops, hessians, values, strict=True)]
flat, ridge = torch.full((3, 3, 3), 2.0).double(), torch.zeros(3, 3, 3).double()
ridge[:, :, 1] = 1  # nothing changes along y and s
slope = cube_of((0, 0, 0), torch.diag(torch.tensor([-1.0, -1, 0])), 0.0)
slope += torch.arange(3.0)[:, None, None]  # a top along x and y, a gradient along s
offset, value = fit(torch.stack([*cubes, flat, ridge, slope, cubes[0]]))
assert not offset[:20].isnan().any(), "a cube without a top makes no other row nan"
check.close(offset[:20], tops, rtol=1e-5, atol=1e-6, what="the offset of a random cube")
check.close(value[:20], values, rtol=1e-5, atol=1e-6, what="the value of a random cube")
nans = offset[20:23].isnan().all() and value[20:23].isnan().all()
what = f"{offset[20:23].tolist()} with {value[20:23].tolist()}"
assert nans, f"a flat cube, a ridge and a slope have no top: nan, not {what}"
check.close(offset[23], tops[0], rtol=1e-5, atol=1e-6, what="the row after a flat cube")
offset, value = fit(torch.zeros(0, 3, 3, 3))
shapes = tuple(offset.shape), tuple(value.shape)
assert shapes == ((0, 3), (0,)), f"no cubes give offsets and values of {shapes}"
### END HIDDEN TESTS

# %% [markdown]
# If the top is more than half a pixel or half a level away, the fit was made around the wrong
# pixel. In that case, move there and fit again.
#
# **Contract.** `refine(differences, place)` takes all levels (L, H, W) of an octave and one place
# (level, row, column). It returns four floats `(x, y, s, value)`, or `None`. Here x, y and s are
# counted from the first pixel and the first level.
#
# 1. Fit at the place.
# 2. If no offset is over 0.5 in absolute value, the answer is the place plus the offset.
# 3. Otherwise move the place by *one* in each of the three directions whose offset is over 0.5 in
#    absolute value. Then fit again, at most five fits in all.
#
# The answer is `None` in three cases. An offset is still over 0.5 after five fits. There is no top
# (nan). Or a place, possibly the first one, lies on the border, where it has fewer than 26
# neighbours.
#
# *To see it:* `sift.detect` finds the notebook's blobs on the grid. How far off are these points,
# and how far after `refine`?

# %% nbgrader={"grade": false, "grade_id": "refine", "locked": false, "schema_version": 3, "solution": true, "task": false}
def refine(differences: Tensor, place: tuple[int, int, int]):
    """Return (x, y, s, value) of the top near a place (level, row, column), or None.

    Five fits at most, a move of one pixel or level between them. Source: section 4.
    """
    ### BEGIN SOLUTION
    for _ in range(5):
        level, row, column = place
        inside = [1 <= p < n - 1 for p, n in zip(place, differences.shape, strict=True)]
        if not all(inside):
            return None
        cube = differences[level - 1 : level + 2, row - 1 : row + 2, column - 1 : column + 2]
        offset, value = fit(cube[None])
        x, y, s = offset[0].tolist()
        if math.isnan(x + y + s):
            return None
        if max(abs(x), abs(y), abs(s)) <= 0.5:
            return column + x, row + y, level + s, value.item()
        steps = [(u > 0.5) - (u < -0.5) for u in (s, y, x)]
        place = tuple(p + step for p, step in zip(place, steps, strict=True))
    return None
    ### END SOLUTION

# %%
# Yours: for example, a blob at a place between pixels.

# %% nbgrader={"grade": true, "grade_id": "refine_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def paraboloid(shape, top, hessian) -> Tensor:
    """Return (L, H, W) of a quadratic function with its `top` (x, y, s) of height 3."""
    grids = torch.meshgrid(*(torch.arange(n).double() for n in shape), indexing="ij")
    u = torch.stack(grids[::-1], dim=-1) - torch.tensor(top, dtype=torch.float64)
    return 3 + 0.5 * torch.einsum("...i,ij,...j", u, hessian.double(), u)


hessian = torch.tensor([[-1.0, 0.2, 0.1], [0.2, -0.8, 0.1], [0.1, 0.1, -0.5]])
top = 6.3, 4.1, 1.8
hill = paraboloid((5, 9, 12), top, hessian)
found = refine(hill, (2, 4, 6))
assert found is not None, "None for a place right beside the top: do you return the fit?"
assert len(found) == 4, f"expected (x, y, s, value), not {found!r}"
swapped = [found[i] for i in (1, 0, 2)]
close = np.allclose(swapped, top, atol=1e-6) and not np.allclose(found[:3], top, atol=1e-6)
assert not close, "x and y are swapped: the place is (level, row, column), x is the column"
added = np.allclose(found[:3], np.subtract(top, (6, 4, 2)), atol=1e-6)
assert not added, "the offset alone: add the place"
check.close(found, [*top, 3.0], atol=1e-6, what="(x, y, s, value), at the nearest pixel")
least = refine(paraboloid((3, 3, 3), (1.2, 0.9, 1.1), hessian), (1, 1, 1))
assert least is not None, "None in the middle of 3×3×3: it has all 26 neighbours"
found = refine(hill, (1, 3, 4))
assert found is not None, "None two pixels away: move by one where the offset is over 0.5"
check.close(found, [*top, 3.0], atol=1e-6, what="(x, y, s, value), two pixels away")
assert refine(hill, (2, 0, 5)) is None, "row 0 has no neighbours above: None"

# %% nbgrader={"grade": true, "grade_id": "refine_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: many tops and starts; five fits and no more; borders, ridges; tops outside.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(2)
for trial in range(10):
    level, row, column = (torch.randint(2, n, (1,), generator=rng).item() for n in (3, 8, 10))
    shift = torch.rand(3, generator=rng).mul(0.9).sub(0.45).tolist()
    top = column + shift[0], row + shift[1], level + shift[2]
    axes = torch.linalg.qr(torch.randn(3, 3, generator=rng)).Q
    hessian = axes @ torch.diag(torch.tensor([-1.0, -0.7, -1.4])) @ axes.T
    hill = paraboloid((5, 11, 13), top, hessian)
    away = torch.randint(-1, 2, (3,), generator=rng).tolist()
    start = level + away[0], row + away[1], column + away[2]
    start = tuple(min(max(p, 1), n - 2) for p, n in zip(start, hill.shape, strict=True))
    found, called = refine(hill, start), f"refine(…, {start}), top at {top}"
    assert found is not None, f"{called} is None"
    check.close(found, [*top, 3.0], atol=1e-6, what=called)
    if trial % 3 == 0:
        found = refine(-hill, start)
        assert found is not None, f"{called}, upside down, is None"
        check.close(found, [*top, -3.0], atol=1e-6, what=f"{called}, upside down")
bowl = paraboloid((5, 9, 24), (12.2, 4.1, 2.1), -torch.eye(3))
for start, finds in ((8, True), (9, True), (16, True), (7, False), (17, False)):
    found, called = refine(bowl, (2, 4, start)), f"refine from column {start}, top at 12.2"
    assert (found is not None) == finds, f"{called} gives {found}: five fits are four moves"
for top, start in (
    ((30.0, 4.0, 2.0), (2, 4, 20)),  # leaves over the right border
    ((12.0, 4.0, 7.0), (2, 4, 12)),  # leaves over the last level
    ((12.0, 0.2, 2.0), (2, 1, 12)),  # its pixel is on the border
    ((12.0, 4.0, 0.2), (1, 4, 12)),  # its level is the first
    ((0.2, 4.0, 2.0), (2, 4, 1)),  # its column is the first
):
    slope = paraboloid((5, 9, 24), top, torch.eye(3))
    found = refine(slope, start)
    assert found is None, f"a top outside, {top}, was found from {start}: {found}"
for start in ((0, 4, 12), (4, 4, 12), (2, 8, 12), (2, 4, 0), (2, 4, 23)):
    assert refine(bowl, start) is None, f"{start} lies on the border of (5, 9, 24)"
assert refine(torch.ones(5, 9, 9), (2, 4, 4)) is None, "a flat octave has no top"
### END HIDDEN TESTS

# %% [markdown]
# ### 2 · Which extrema to keep (3 points)
#
# An extremum is kept if it passes two tests on its refined value and its curvatures. First, the
# absolute value is at least `contrast`. Second, it does not lie on an edge. This means that its two
# principal curvatures have the same sign, and the larger is less than `edge` times the smaller,
# both in absolute value. The principal curvatures are the eigenvalues of
# $\begin{pmatrix} D_{xx} & D_{xy} \\ D_{xy} & D_{yy}\end{pmatrix}$.
#
# **Contract.** `keep(value, curvature, contrast, edge)` takes (n,) and (n, 3), with the columns
# $D_{xx}, D_{yy}, D_{xy}$, and returns booleans (n,). It raises `ValueError` when `edge` is below
# 1, when `contrast` is negative, or when the two tensors have different numbers of rows. The given
# `keep_spec` computes the same, one extremum at a time. Your function may call neither `keep_spec`
# nor `np.linalg.eigvalsh`. You need no eigenvalues: use the notebook's formula.
#
# *Hint:* what is the sign of the determinant of a saddle? Do not divide by it.
# *To see it:* how many of all extrema of a photo does each test remove?

# %% nbgrader={"grade": false, "grade_id": "keep_spec", "locked": true, "schema_version": 3, "solution": false, "task": false}
def keep_spec(value: Tensor, curvature: Tensor, contrast: float, edge: float) -> Tensor:
    """Tell which extrema stay, one at a time."""
    answer = []
    for number, (xx, yy, xy) in zip(value.tolist(), curvature.tolist(), strict=True):
        small, large = sorted(np.linalg.eigvalsh([[xx, xy], [xy, yy]]), key=abs)
        round_ = small * large > 0 and abs(large) < edge * abs(small)
        answer.append(abs(number) >= contrast and round_)
    return torch.tensor(answer, dtype=torch.bool)

# %% nbgrader={"grade": false, "grade_id": "keep", "locked": false, "schema_version": 3, "solution": true, "task": false}
def keep(
    value: Tensor, curvature: Tensor, contrast: float = 0.04 / 3, edge: float = 10.0
) -> Tensor:
    """Tell which extrema (n,) have contrast and lie off edges, as `keep_spec`.

    curvature: (n, 3), Dxx, Dyy, Dxy. Raises ValueError unless edge >= 1, contrast >= 0
    and there are as many rows of each. Source: sections 4 and 4.1.
    """
    ### BEGIN SOLUTION
    if edge < 1 or contrast < 0:
        raise ValueError(f"edge is {edge} and contrast {contrast}: expected >= 1 and >= 0")
    if len(value) != len(curvature):
        raise ValueError(f"{len(value)} values, but {len(curvature)} rows of curvature")
    xx, yy, xy = curvature.unbind(dim=1)
    trace, determinant = xx + yy, xx * yy - xy**2
    compact = (determinant > 0) & (edge * trace**2 < (edge + 1) ** 2 * determinant)
    return (value.abs() >= contrast) & compact
    ### END SOLUTION

# %%
# Yours: for example, the extrema of one octave of a photo.

# %% nbgrader={"grade": true, "grade_id": "keep_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
table = {  # value, Dxx, Dyy, Dxy: what goes wrong when the answer is another
    (0.5, -1.0, -1.0, 0.0): "a round, bright blob stays",
    (-0.5, 1.0, 2.0, 0.3): "a dark blob stays: compare absolute values",
    (0.001, -1.0, -1.0, 0.0): "too little contrast",
    (-0.001, 1.0, 1.0, 0.0): "too little contrast, and negative",
    (0.5, -20.0, -1.0, 0.0): "an edge: its curvatures are 20 and 1",
    (0.5, -9.0, -1.0, 0.0): "curvatures of 9 and 1 stay: the bound is (r + 1)² / r",
    (0.5, -1.0, -1.0, 0.95): "an edge along a diagonal: use Dxy",
    (0.5, 1.0, -0.99, 0.0): "a saddle: the determinant must be positive",
    (0.5, 5.0, -1.0, 0.0): "a steep saddle: the determinant must be positive",
}
rows = torch.tensor(list(table))
spec = keep_spec(rows[:, 0], rows[:, 1:], 0.01, 10.0)
with check.without("numpy.linalg.eigvalsh"):  # on which the specification stands
    answer = keep(rows[:, 0].clone(), rows[:, 1:].clone(), 0.01, 10.0)
assert answer.shape == spec.shape, f"{tuple(answer.shape)}: expected one answer a row"
assert answer.dtype == torch.bool, f"booleans, please, not {answer.dtype}"
for (row, reason), mine, true in zip(table.items(), answer, spec, strict=True):
    assert mine == true, f"{row}: {reason} ({bool(mine)}, expected {bool(true)})"

# %% nbgrader={"grade": true, "grade_id": "keep_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random extrema and bounds, near the bounds, too; no extrema.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(3)
for edge, contrast in ((10.0, 0.5), (1.5, 0.0), (4.0, 1.0), (100.0, 0.2)):
    ratio = edge ** (2 * torch.rand(80, generator=rng).double())
    ratio[:20] = edge * torch.tensor([0.99, 1.01]).repeat(10)
    first = torch.randn(80, generator=rng).double()
    second = first * ratio * torch.randn(80, generator=rng).sign()
    cos, sin = (f(7 * torch.arange(80).double()) for f in (torch.cos, torch.sin))
    curvature = [first * cos**2 + second * sin**2, first * sin**2 + second * cos**2]
    curvature = torch.stack([*curvature, (first - second) * cos * sin], dim=1)
    value = torch.randn(80, generator=rng).double()
    spec = keep_spec(value, curvature, contrast, edge)
    with check.without("numpy.linalg.eigvalsh"):
        answer = keep(value.clone(), curvature.clone(), contrast, edge)
    ten = edge != 10 and torch.equal(answer, keep_spec(value, curvature, contrast, 10))
    assert not ten, f"edge {edge}: your bound is 10 all the same: use `edge`"
    wrong = (answer != spec).nonzero().flatten().tolist()
    assert not wrong, (
        f"edge {edge}, contrast {contrast}: value {value[wrong[0]]:.3f}, curvature "
        f"{curvature[wrong[0]].tolist()} gives {bool(answer[wrong[0]])}"
    )
one = torch.tensor([0.25, -0.25])
round_ = torch.tensor([[1.0, 1.0, 0.0]] * 2)
answer = keep(one.clone(), round_.clone(), 0.25, 10.0)
assert answer.all(), "a value that just reaches the contrast stays"
assert tuple(keep(one[:0], round_[:0]).shape) == (0,), "no extrema, no answers"
assert not keep(one, round_, 0.0, 1.0).any(), "edge 1: 1 is not less than 1 times 1"
zero = torch.zeros(2, 3)
assert not keep(one, zero, 0.0, 10.0).any(), "no curvature at all is no blob"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "keep_refuses_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for rows, columns, contrast, edge in [(2, 2, 0.1, 0.5), (2, 2, -0.1, 10.0), (3, 2, 0.1, 10.0)]:
    refused = None
    try:
        keep(torch.ones(rows), torch.ones(columns, 3), contrast, edge)
    except Exception as error:
        refused = error
    what = f"{rows} values, {columns} curvatures, {contrast = }, {edge = }"
    right = isinstance(refused, ValueError)
    assert right, f"{what}: a ValueError is expected, not {refused!r}"
for contrast, edge in ((0.1, 10.0), (0.0, 1.0)):  # what is no mistake gets an answer
    with check.without("numpy.linalg.eigvalsh"):
        answer = keep(torch.ones(2), torch.ones(2, 3), contrast, edge)
    assert len(answer) == 2, f"{contrast = }, {edge = }: an answer a row, please"

# %% [markdown]
# ### 3 · Between two bins (3 points)
#
# The notebook takes the middle of the highest bin of the orientation histogram. This is up to 5°
# off. Section 5 of the paper fits a parabola to the bin and its two neighbours. If their heights
# from left to right are $l, m, r$, the top lies $\tfrac12 (l - r) / (l - 2m + r)$ bins from the
# middle bin.
#
# **Contract.** `peaks(histogram)` takes (B,) for any B ≥ 3. Bin $b$ stands for the angle
# $2\pi b / B$, and the bin after the last is the first. A peak is higher than the bin before it and
# at least as high as the bin after it. It has at least 0.8 times the height of the highest bin. The
# function returns the angles of all peaks in radians, (m,), in [0, 2π), in any order.
#
# *Hint:* `roll`. *To see it:* draw `sift.orientation_histogram` of a keypoint as bars, and mark
# your angles.

# %% nbgrader={"grade": false, "grade_id": "peaks", "locked": false, "schema_version": 3, "solution": true, "task": false}
def peaks(histogram: Tensor) -> Tensor:
    """Return the angles (m,), radians in [0, 2π), of the peaks of (B,) circular bins.

    Those of at least 0.8 of the highest, each at the top of a parabola. Source: section 5.
    """
    ### BEGIN SOLUTION
    left, right = histogram.roll(1), histogram.roll(-1)
    peak = (histogram > left) & (histogram >= right)
    peak = peak & (histogram >= 0.8 * histogram.max())
    shift = 0.5 * (left - right) / (left - 2 * histogram + right)
    bins = torch.arange(len(histogram), device=histogram.device) + shift
    return (bins[peak] * (2 * math.pi / len(histogram))) % (2 * math.pi)
    ### END SOLUTION

# %%
# Yours: for example, bars and angles of one keypoint.

# %% nbgrader={"grade": true, "grade_id": "peaks_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def bump(tops: dict[float, float], bins: int = 36) -> Tensor:
    """Return (bins,): parabolas 3 bins wide, at places (in bins) and of heights."""
    place = torch.arange(bins).double()
    histogram = torch.zeros(bins, dtype=torch.float64)
    for top, height in tops.items():
        away = (place - top + bins / 2) % bins - bins / 2
        histogram = torch.maximum(histogram, height - away**2)
    return histogram


width = 2 * math.pi / 36
answer = torch.as_tensor(peaks(bump({7.3: 9.0}))).double()
assert answer.shape == (1,), f"one peak has one angle, not {tuple(answer.shape)}"
likely = {
    "the middle of the bin: the parabola is missing": 7.0,
    "the parabola's shift has the wrong sign": 6.7,
    "the shift is twice too long: ½ (l - r) / (l - 2m + r)": 7.6,
    "a bin too far: bin 0 stands for the angle 0": 8.3,
    "half a bin off: the middle of bin b is the angle 2π b / B": 7.8,
}
for mistake, wrong in likely.items():
    assert abs(answer.item() - wrong * width) > 1e-6, mistake
degrees = 73.0, 73.0 % (2 * math.pi)
assert min(abs(answer.item() - d) for d in degrees) > 1e-3, "degrees; radians, please"
check.close(answer, [7.3 * width], what="the angle of a peak at bin 7.3")
answer = sorted(peaks(bump({5.2: 9.0, 20.4: 8.0, 30.0: 6.0})))
what = "two peaks of 9 and 8, and one of 6, less than 0.8 of the highest"
check.close(answer, [5.2 * width, 20.4 * width], what=what)
(answer,) = peaks(bump({35.8: 9.0}))
close = abs(float(answer) - 35.8 * width) < 1e-6
assert answer >= 0, f"a peak at bin 35.8 is at {float(answer):.4f}: angles are in [0, 2π)"
assert close, f"a peak at bin 35.8 is at {float(answer):.4f}, expected {35.8 * width:.4f}"

# %% nbgrader={"grade": true, "grade_id": "peaks_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other numbers of bins, peaks around 0, in [0, 2π); plateaus; none; float32.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(4)
for bins in (36, 8, 12, 72):
    for _ in range(5):
        top = bins * torch.rand(1, generator=rng).item()
        answer = peaks(bump({top: 8.0}, bins))
        called = f"a peak at bin {top:.2f} of {bins}"
        check.close(answer, [2 * math.pi * top / bins], atol=1e-6, what=called)
width = 2 * math.pi / 36
for tops in ({0.3: 9.0, 12.0: 9.0}, {11.6: 7.5, 35.7: 9.0}, {4.0: 8.0, 17.2: 7.0, 28.4: 8.5}):
    answer = torch.as_tensor(peaks(bump(tops))).tolist()
    expected = sorted(top * width for top in tops)
    close = len(answer) == len(expected) and np.allclose(sorted(answer), expected)
    assert close, f"peaks at bins {list(tops)}: {answer}, expected {expected}"
for top in (-0.2, 35.7):
    (answer,) = peaks(bump({top: 9.0}))
    assert 0 <= answer < 2 * math.pi, f"a peak at bin {top} gives {answer}, not in [0, 2π)"
two = torch.tensor([0.0, 4, 4, 0, 0, 0])
check.close(peaks(two), [math.pi / 2], what="two equal bins: between them, once")
assert len(peaks(torch.ones(9))) == 0, "a flat histogram has no peak"
assert len(peaks(torch.tensor([9.0, 1, 7.1, 1, 7.3, 1]))) == 2, "7.1 is not 0.8 of 9; 7.3 is"
assert len(peaks(torch.tensor([10.0, 1, 8, 1, 1]))) == 2, "8 is 0.8 of 10: at least 0.8"
### END HIDDEN TESTS

# %% [markdown]
# ### 4 · Normalised, cut, normalised (2 points)
#
# A light that overexposes one side of an object makes a few very large gradients. They should not
# decide a match alone. Section 6.1 of the paper therefore divides a descriptor by its length, cuts
# every entry above 0.2 to 0.2, and divides by the new length. After the second division an entry
# may be above 0.2 again.
#
# **Contract.** `normalise(entries)` takes (n, D), with no negative entry, and returns (n, D) of the
# same dtype. A row of zeros stays zero: no nan. The input does not change.
#
# *To see it:* take the notebook's `lights`. How similar is a descriptor to its overexposed self,
# with and without the cut? After `from course_lib import plot`, `plot.descriptor(ax, entries)`
# draws a descriptor.

# %% nbgrader={"grade": false, "grade_id": "normalise", "locked": false, "schema_version": 3, "solution": true, "task": false}
def normalise(entries: Tensor) -> Tensor:
    """Return rows (n, D) of length 1, cut at 0.2 and again of length 1; zeros stay.

    Source: section 6.1.
    """
    ### BEGIN SOLUTION
    entries = F.normalize(entries, dim=1)
    return F.normalize(entries.clamp(max=0.2), dim=1)
    ### END SOLUTION

# %%
# Yours: for example, a descriptor before and after.

# %% nbgrader={"grade": true, "grade_id": "normalise_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
rows = torch.tensor([[9.0, 3, 1, 0] + [2.0] * 60, [1.0] * 64, [0.0] * 64])
before, answer = rows.clone(), normalise(rows)
assert torch.equal(rows, before), "your function changed its input in place"
unit = rows[:1] / rows[:1].norm()
cut = unit.clamp(max=0.2)
likely = {
    "the cut is missing": unit,
    "the second division is missing": cut,
    "cut before the first division": F.normalize(rows[:1].clamp(max=0.2)),
    "the sum was divided by; the length is the root of the sum of squares": (
        F.normalize(rows[:1] / rows[:1].sum(), p=1)
    ),
    "cut at 0.2 of the largest entry": F.normalize(rows[:1].clamp(max=0.2 * 9.0)),
    "columns were divided by their length: each row is a descriptor": (
        F.normalize(F.normalize(rows, dim=0).clamp(max=0.2), dim=0)[:1]
    ),
    "large entries became 0; they become 0.2": F.normalize(unit * (unit <= 0.2)),
}
for mistake, wrong in likely.items():
    same = answer[:1].shape == wrong.shape and torch.allclose(answer[:1], wrong, atol=1e-6)
    assert not same, mistake
check.close(answer[:1], cut / cut.norm(), what="the first row")
check.close(answer[1], torch.full((64,), 1 / 8), what="64 ones")
zeros = answer[2].tolist()
assert zeros == [0.0] * 64, f"a row of zeros became {zeros[0]}, …: its length is 0"

# %% nbgrader={"grade": true, "grade_id": "normalise_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random rows of other lengths and sizes, float64; tiny entries; no rows.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(5)
for count, size in ((7, 128), (1, 128), (20, 8), (0, 128)):
    rows = torch.rand(count, size, generator=rng, dtype=torch.float64) ** 6
    answer = normalise(rows)
    assert answer.dtype == rows.dtype, f"{rows.dtype} became {answer.dtype}"
    expected = []
    for row in rows.numpy():
        row = np.minimum(row / math.sqrt((row**2).sum()), 0.2)
        expected.append(row / math.sqrt((row**2).sum()))
    expected = torch.tensor(np.array(expected).reshape(count, size))
    check.close(answer, expected, what=f"{count} rows of {size}")
    check.close(normalise(1000 * rows), expected, what="rows, a thousand times as large")
    check.close(normalise(1e-3 * rows), expected, what="rows, a thousandth as large")
mixed = torch.rand(5, 128, generator=rng)
mixed[2] = 0
answer = normalise(mixed)
lengths = answer.norm(dim=1).tolist()
assert np.allclose(lengths, [1, 1, 0, 1, 1], atol=1e-4), f"lengths of five rows: {lengths}"
### END HIDDEN TESTS

# %% [markdown]
# ### 5 · The ratio test (3 points)
#
# Many points of one view have no partner in the other view, and their nearest neighbour is wrong.
# Section 7.1 of the paper compares the distance to the nearest with the distance to the second
# nearest. A right match is much nearer than anything else; a wrong match has rivals.
#
# **Contract.** `ratio_matches(first, second, ratio)` takes descriptors (n, D) and (k, D). It
# returns pairs of row numbers (m, 2), integers, in the order of `first`. Row i of `first` is
# matched with its nearest row j of `second` under two conditions. First, the distance to j is
# *less* than `ratio` times the distance to the second nearest row of `second`. Second, no other row
# of `first` is nearer to j.
#
# Distances are Euclidean and not squared. If two rows of `second` are at the same distance, they
# are nearest and second nearest, so a tie is no match. With fewer than two rows in `second` there
# is nothing to compare with, and no match. It raises `ValueError` unless 0 < ratio ≤ 1.
#
# *Hint:* `torch.cdist`, `topk`. *To see it:* make small examples with `on_a_line`. Which matches of
# two views are left at 0.8, and which at 0.6?

# %% nbgrader={"grade": false, "grade_id": "line", "locked": true, "schema_version": 3, "solution": false, "task": false}
def on_a_line(*numbers: float) -> Tensor:
    """Return descriptors of one number each, (n, 1): distances are plain to see."""
    return torch.tensor(numbers, dtype=torch.float64)[:, None]

# %% nbgrader={"grade": false, "grade_id": "ratio", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ratio_matches(first: Tensor, second: Tensor, ratio: float = 0.8) -> Tensor:
    """Return pairs of rows (m, 2) that are nearest by far, and mutually.

    (n, D) and (k, D). Raises ValueError unless 0 < ratio <= 1. Source: section 7.1.
    """
    ### BEGIN SOLUTION
    if not 0 < ratio <= 1:
        raise ValueError(f"ratio is {ratio}: expected 0 < ratio <= 1")
    if len(first) == 0 or len(second) < 2:
        return torch.zeros(0, 2, dtype=torch.int64)
    distance = torch.cdist(first, second)  # (n, k)
    nearest, partner = distance.topk(2, dim=1, largest=False)
    own = torch.arange(len(first))
    good = nearest[:, 0] < ratio * nearest[:, 1]
    good &= distance.amin(dim=0)[partner[:, 0]] >= nearest[:, 0]
    return torch.stack([own, partner[:, 0]], dim=1)[good]
    ### END SOLUTION

# %%
# Yours: for example, matches of two views of a photo.

# %% nbgrader={"grade": true, "grade_id": "ratio_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
second = on_a_line(0.0, 10.0, 20.0)
answer = ratio_matches(on_a_line(1.0, 11.0, 19.0), second, 0.8)
assert answer is not None, "your function returns None: is there a `return`?"
assert len(answer), "no match of three: the nearest is *less* than ratio times the second"
rivals = answer.tolist() == [[0, 1], [1, 2], [2, 1]]
assert not rivals, "the second nearest is matched: it is there to compare with"
for numbers, ratio, expected, reason in [
    ((1.0, 11.0, 19.0), 0.8, [[0, 0], [1, 1], [2, 2]], "all three are nearest by far"),
    ((4.9,), 0.8, [], "4.9 is 4.9 from 0 and 5.1 from 10: the ratio is 0.96"),
    ((4.2,), 0.8, [[0, 0]], "4.2 / 5.8 = 0.72 < 0.8: distances are not squared"),
    ((4.6,), 0.8, [], "4.6 / 5.4 = 0.85, squared 0.73: distances are not squared"),
    ((5.0,), 1.0, [], "a tie between 0 and 10"),
    ((19.0, 1.0), 0.8, [[0, 2], [1, 0]], "pairs in the order of `first`: (row, row)"),
    ((9.0, 10.5), 0.8, [[1, 1]], "10.5 is nearer to 10 than 9 is: mutual"),
    ((12.0,), 0.1, [], "2 / 8 is not less than 0.1: use `ratio`"),
]:
    answer = ratio_matches(on_a_line(*numbers), second, ratio)
    assert tuple(answer.shape[1:]) == (2,), f"{tuple(answer.shape)}: expected (m, 2)"
    pairs = answer.tolist()
    assert pairs == expected, f"{numbers}, {ratio = }: {pairs}, expected {expected}; {reason}"
empty = ratio_matches(on_a_line(1.0), on_a_line(1.0))
assert tuple(empty.shape) == (0, 2), "one candidate: nothing to compare with, no match"
for ratio in (0.0, -1.0, 1.5):
    refused = None
    try:
        ratio_matches(second, second, ratio)
    except Exception as error:
        refused = error
    right = isinstance(refused, ValueError)
    assert right, f"{ratio = }: a ValueError is expected, not {refused!r}"

# %% nbgrader={"grade": true, "grade_id": "ratio_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random descriptors and ratios; twins; few candidates; none at all.
### BEGIN HIDDEN TESTS
def ratio_spec(first: np.ndarray, second: np.ndarray, ratio: float) -> list[list[int]]:
    pairs = []
    for i, row in enumerate(first):
        distance = np.sqrt(((second - row) ** 2).sum(axis=1))
        order = np.argsort(distance, kind="stable")
        j = order[0]
        back = np.sqrt(((first - second[j]) ** 2).sum(axis=1))
        if distance[j] < ratio * distance[order[1]] and back.min() >= back[i] - 1e-12:
            pairs.append([i, int(j)])
    return pairs


rng = np.random.default_rng(6)
for n, k, size in ((40, 30, 4), (3, 50, 8), (60, 5, 2), (10, 2, 3), (1, 9, 2)):
    second = rng.random((k, size))
    first = second[rng.integers(k, size=n)] + 0.2 * rng.standard_normal((n, size))
    for ratio in (0.5, 0.8, 1.0):
        answer = ratio_matches(torch.tensor(first), torch.tensor(second), ratio).tolist()
        expected = ratio_spec(first, second, ratio)
        assert answer == expected, (
            f"{n} and {k} descriptors, {ratio = }: {len(answer)} pairs, expected {len(expected)}"
        )
rows = torch.tensor([[0.0, 0], [3, 4], [9, 9]])
twins = torch.cat([rows, rows[:1]])
pairs = ratio_matches(rows, twins, 0.9).tolist()
assert pairs == [[1, 1], [2, 2]], f"row 0 has twins in `second`, no match: {pairs}"
assert ratio_matches(rows, rows, 0.8).tolist() == [[0, 0], [1, 1], [2, 2]], "itself, at 0"
for first, second in ((rows[:0], rows), (rows, rows[:0]), (rows, rows[:1])):
    shape = tuple(ratio_matches(first, second).shape)
    called = f"{len(first)} and {len(second)} descriptors"
    assert shape == (0, 2), f"{called} give {shape}, expected (0, 2)"
for others in (rows, rows[:1]):
    whole = not ratio_matches(rows, others).is_floating_point()
    assert whole, f"{len(others)} candidates: rows are numbered by integers"
### END HIDDEN TESTS

# %% [markdown]
# ### 6 · How strict? A measured curve (2 points)
#
# A smaller ratio leaves fewer matches, and a larger share of them is right. How many are left, and
# how much larger is the share? The free cell takes a photo and makes a second view of it: rotated,
# smaller and tilted. So the homography between the two is known. First write down the shares of
# right matches that you expect: at 1.0, which leaves all mutual nearest neighbours, and at 0.8.
#
# **Contract.** `curve(first, second, homography, ratios)` takes the features of two views, each a
# pair (keypoints (n, 4), descriptors (n, 128)). The matrix `homography` maps points of the first
# view to the second, and `ratios` is a list. The function returns a list with two integers
# `(matches, right)` for each ratio. The first is the number of matches that `ratio_matches` leaves.
# The second counts those whose point in the second view lies within 3 pixels of where the
# homography maps their point of the first.
#
# *Hint:* `sift.errors`. *To see it:* use the free cell. Draw the share that is right against the
# number of matches, one dot for each ratio.

# %% nbgrader={"grade": false, "grade_id": "curve", "locked": false, "schema_version": 3, "solution": true, "task": false}
def curve(first, second, homography: Tensor, ratios: list[float]) -> list[tuple[int, int]]:
    """Return (matches, right matches) for each ratio.

    first, second: (keypoints (n, 4), descriptors (n, 128)). Right: within 3 pixels.
    """
    ### BEGIN SOLUTION
    (points, of_points), (others, of_others) = first, second
    counts = []
    for ratio in ratios:
        pairs = ratio_matches(of_points, of_others, ratio)
        error = sift.errors(points[pairs[:, 0]], others[pairs[:, 1]], homography)
        counts.append((len(pairs), int((error < 3).sum())))
    return counts
    ### END SOLUTION

# %%
LUMA = np.array([0.299, 0.587, 0.114])
china = torch.tensor(load_sample_images().images[0][::2, ::2] @ LUMA / 255).float()
small, homography = sift.view(china, degrees=40, zoom=0.7, tilt=0.15)
features = Sift(max_keypoints=300, device="cpu").transform([china.numpy(), small.numpy()])
first, second = (tuple(map(torch.tensor, found)) for found in features)
# Yours: curve(first, second, homography, [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]), and a drawing.

# %% nbgrader={"grade": true, "grade_id": "curve_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
moved = torch.tensor([[1.0, 0, 50], [0, 2, 0], [0, 0, 1]], dtype=torch.float64)
points = torch.tensor([[10.0, 10, 2, 0], [20, 40, 2, 0], [30, 5, 2, 0], [8, 8, 2, 0]])
others = torch.tensor([[60.0, 20], [70, 82], [80, 13.5], [58, 17], [5, 5]])
others = F.pad(others, (0, 2), value=2.0)
mine = on_a_line(0.0, 11.0, 22.0, 34.2)
there = on_a_line(0.0, 10.0, 20.0, 30.0, 39.0)
answer = curve((points, mine), (others, there), moved, [0.2, 0.8, 1.0])
assert len(answer) == 3, f"{len(answer)} pairs of counts for three ratios"
tensors = [n for pair in answer for n in pair if isinstance(n, Tensor)]
assert not tensors, f"{tensors[:1]} is a tensor: two integers, please, by int(…)"
shares = [n for pair in answer for n in pair if isinstance(n, float)]
assert not shares, f"{shares[:1]} is a share: two numbers of matches, please"
matches, right = zip(*answer, strict=True)
assert matches != (2, 2, 3), "the right ones come second, after the number of matches"
assert matches != (3, 3, 3), "always 0.8: use the ratios that are asked for"
check.close(matches, [2, 3, 4], what="the number of matches at 0.2, 0.8 and 1.0")
assert right != (0, 0, 0), "none is right: the homography sends the *first* view's points"
assert right[0] != 1, "2 pixels away is right, too: within 3"
assert right != (0, 1, 1), "these are the wrong ones: count errors below 3 pixels"
assert right != matches, "some matches are wrong: compare with where the homography sends them"
assert right == (2, 2, 3), f"{right} right matches at 0.2, 0.8 and 1.0: it is (2, 2, 3)"

# %% nbgrader={"grade": true, "grade_id": "curve_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: two views of a photo against a slow count; fewer matches, more of them right.
### BEGIN HIDDEN TESTS
LUMA = np.array([0.299, 0.587, 0.114])
photo = torch.tensor(load_sample_images().images[0][:160, :240] @ LUMA / 255).float()
changed, sent = sift.view(photo, degrees=25, zoom=0.75, tilt=0.2)
found = Sift(max_keypoints=100, device="cpu").transform([photo.numpy(), changed.numpy()])
one, two = (tuple(map(torch.tensor, features)) for features in found)
ratios = [0.6, 0.8, 1.0]
answer = curve(one, two, sent, ratios)
for ratio, (matches, right) in zip(ratios, answer, strict=True):
    pairs = ratio_spec(one[1].double().numpy(), two[1].double().numpy(), ratio)
    count = 0
    for i, j in pairs:
        x, y, w = sent @ torch.tensor([*one[0][i, :2].tolist(), 1.0], dtype=torch.float64)
        u, v = two[0][j, :2].tolist()
        count += math.hypot(x / w - u, y / w - v) < 3
    assert abs(matches - len(pairs)) <= 1, f"{matches} matches at {ratio}, not {len(pairs)}"
    assert abs(right - count) <= 1, f"{right} right at {ratio}, not {count}"
shares = [right / matches for matches, right in answer]
assert answer[0][0] < answer[1][0] < answer[2][0], f"matches at {ratios}: {answer}"
assert min(shares[:2]) > shares[2], f"share that is right at {ratios}: {shares}"
### END HIDDEN TESTS

# %% [markdown]
# ### 7 · Why a ratio? (2 points)
#
# Why does Lowe compare with the second nearest, instead of asking for a small distance? And what
# does the ratio test do to right matches on a facade with a hundred equal windows? Answer in two to
# four sentences, with one number from your curve.

# %% [markdown] nbgrader={"grade": true, "grade_id": "why", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# How far away a right partner is depends on the descriptor. Rich texture, blur or a change of the
# view move it far; a patch with little texture hardly moves, but there every descriptor is near. So
# no single distance separates right from wrong. If the nearest is right, the second nearest is
# certainly wrong: it tells how near wrong ones come *for this very descriptor*. In the curve above,
# the share that is right rises from about 78 % at a ratio of 1.0 to 98 % at 0.8. Of 114 right
# matches 5 are lost. Among equal windows the second nearest is as near as the first. Right matches
# then have a ratio near 1 and are all rejected, however small the distance.
#
# **Marking scheme.** 1 point: the scale of distances differs between descriptors, and the second
# nearest measures it. 1 point: repeated structure loses its right matches, with a number that was
# measured. (The test asks whether a match is unique, not whether it is similar.)
# ### END SOLUTION
