# ---
# jupyter:
#   jupytext:
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
# # 02 · SIFT
#
# Search for points in scale as well as in x and y, and describe each in a frame of its own. After turns and zooms
# that leave raw pixels with 4 to 7 %, about 70 % of the points are found and recognised again.
#
# | | |
# |---|---|
# | paper | Lowe [1] |
# | year | 2004 |
# | detects | blobs: extrema of a difference of Gaussians in x, y and scale |
# | descriptor | 4 × 4 cells × 8 orientations = 128 numbers |
# | published | about 2000 features in a photo of 500×500; in another, 832 extrema of which 536 are kept (Figure 5) |
# | time here | half a minute on two CPU cores |
#
# **You need** convolution, the Gaussian blur and gradients of an image.
#
# **You will be able to** find SIFT's keypoints and descriptors, match two views of a scene, and measure how many matches are right.

# %%
import matplotlib.pyplot as plt
import numpy as np
from matplotlib_inline.backend_inline import set_matplotlib_formats
from sklearn.datasets import load_sample_images

from course_lib import check, plot
from course_lib.classical import Sift

plt.style.use("course_lib.course")
set_matplotlib_formats("jpeg", pil_kwargs={"quality": 68, "optimize": True})
SMOOTH = {"interpolation": "antialiased"}  # photos that are drawn smaller than they are

# %% [markdown]
# ## Where we stand
#
# How do we know that two photos show the same thing? Compare the pixels around a point. How far does that go? We need
# two views of which the truth is known. So we turn, zoom and tilt a photo ourselves, and keep the **homography**.
# This 3×3 matrix $H$ sends a point $(x, y)$ of the first view to $(u/w,\, v/w)$ in the second, where $(u, v, w) = H
# (x, y, 1)$. The first pixel has its centre at $x = y = 0$; $y$ points down, so angles run clockwise on the
# screen.
#
# The experiment: 300 places with some texture, of each the 16×16 pixels around it, made free of brightness and contrast
# (mean 0, length 1). In the second view we even *give away* where each place went. Is the patch there more like its first
# view than like the other 299?

# %% tags=["export"]
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


def sample(images: Tensor, x: Tensor, y: Tensor, mode="bilinear", outside="zeros"):
    """Return what images (C, H, W) show at x, y (both of one shape S): (C, *S)."""
    height, width = images.shape[-2:]
    grid = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], dim=-1)
    options = {"mode": mode, "padding_mode": outside, "align_corners": True}
    found = F.grid_sample(images[None], grid.reshape(1, -1, 1, 2).to(images), **options)
    return found.reshape(-1, *x.shape)


def blur(image: Tensor, sigma: float) -> Tensor:
    """Convolve (H, W) with a Gaussian of `sigma` pixels; the border repeats outside."""
    radius = math.ceil(4 * sigma)
    kernel = torch.exp(-(torch.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).to(image)
    for _ in range(2):  # a Gaussian of x and y is a product: rows, then columns
        padded = F.pad(image[None], (radius, radius), mode="replicate")[0]
        image = (padded.unfold(1, len(kernel), 1) @ kernel).T
    return image


# %% tags=["export"]
CAMERA = 0.5  # blur that a photo is assumed to have, in pixels; section 3.3


def project(homography: Tensor, points: Tensor) -> Tensor:
    """Send points (n, 2), x and y, through a homography (3, 3)."""
    u, v, w = homography @ F.pad(points.to(homography), (0, 1), value=1.0).T
    return torch.stack([u / w, v / w], dim=1)


def view(image: Tensor, degrees=0.0, zoom=1.0, tilt=0.0) -> tuple[Tensor, Tensor]:
    """Return (H, W), in [0, 1], seen otherwise, and the homography (3, 3) to there.

    tilt: how much nearer the right side is than the left. Beyond the border the photo
    is mirrored. Before it shrinks it is blurred, so that the camera's blur stays.
    """
    shape = [round(zoom * side) for side in image.shape]
    cos, sin = (zoom * f(math.radians(degrees)) for f in (math.cos, math.sin))
    turn = [[cos, -sin, 0], [sin, cos, 0], [-tilt / image.shape[1], 0, 1]]
    before, after = (torch.eye(3, dtype=torch.float64) for _ in range(2))
    before[:2, 2] = -(torch.tensor(image.shape[::-1]) - 1) / 2
    after[:2, 2] = (torch.tensor(shape[::-1]) - 1) / 2
    homography = after @ torch.tensor(turn, dtype=torch.float64) @ before
    places = torch.cartesian_prod(*(torch.arange(side) for side in shape)).flip(1)
    x, y = project(homography.inverse(), places).T
    sharp = blur(image, CAMERA * math.sqrt(1 / zoom**2 - 1)) if zoom < 1 else image
    seen = sample(sharp[None], x, y, "bicubic", "reflection")
    return seen.view(shape).clamp(0, 1), homography


# %% tags=["check"]
square = torch.rand(21, 21)
turned, homography = view(square, degrees=90)
check.close(turned, square.rot90(-1), atol=1e-4, what="a quarter turn, clockwise")
check.close(view(square)[0], square, atol=1e-4, what="no turn at all")
corners = torch.tensor([[0.0, 0], [20, 0], [20, 20]])
there = project(homography, corners)
check.close(there, [[20, 0], [20, 20], [0, 20]], atol=1e-9, what="three corners")
check.close(project(homography.inverse(), there), corners, what="and back")

# %%
LUMA = np.array([0.299, 0.587, 0.114])  # of red, green and blue; Rec. 601
china = torch.tensor(load_sample_images().images[0] @ LUMA / 255).float()


def patches(image: Tensor, points: Tensor, side: int = 16) -> Tensor:
    """Return the pixels around points (n, 2), mean 0 and length 1: (n, side²)."""
    ticks = torch.arange(side) - (side - 1) / 2
    offset = torch.cartesian_prod(ticks, ticks).flip(1)  # x, y; row by row
    found = sample(image[None], *(points[:, None] + offset).unbind(-1))[0]
    return F.normalize(found - found.mean(dim=1, keepdim=True), dim=1)


def places(image: Tensor, count: int) -> Tensor:
    """Return `count` random places (n, 2) with texture that no turn moves outside."""
    generator, (height, width) = torch.Generator().manual_seed(0), image.shape
    reach = min(height, width) / 2 - 40
    offset = 2 * reach * torch.rand(20 * count, 2, generator=generator) - reach
    points = offset[offset.norm(dim=1) < reach] + torch.tensor([width / 2, height / 2])
    rough = (image - blur(image, 4)).abs()
    return points[sample(rough[None], *points.T)[0] > 0.05][:count]


def recognised(degrees: float = 0.0, zoom: float = 1.0) -> float:
    """Return the share (%) of patches most like themselves in the second view."""
    second, homography = view(china, degrees, zoom)
    there = project(homography, points).float()
    nearest = (patches(china, points) @ patches(second, there).T).argmax(dim=1)
    return 100 * (nearest == torch.arange(len(points))).float().mean().item()


# %%
points = places(china, 300)
angles, zooms = range(0, 91, 10), (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.4, 1.7, 2)
figure, axes = plt.subplots(1, 3, figsize=(6.4, 2.1), width_ratios=(1, 1.5, 1.5))
spot = torch.tensor([[304.0, 148]])  # a corner of the roof
tiles = [patches(china, spot, 60)]
for options in ({"degrees": 30}, {"zoom": 1.7}):
    second, homography = view(china, **options)
    tiles.append(patches(second, project(homography, spot).float(), 60))
tiles = [F.pad(tile.view(60, 60), (0, 0, 2, 2), value=1.0) for tile in tiles]
axes[0].imshow(torch.cat(tiles), vmin=-0.04, vmax=0.04)
axes[0].grid(False)
axes[0].set(yticks=(31, 94, 157), yticklabels=("first", "30°", "×1.7"), xticks=())
axes[1].plot(angles, [recognised(degrees=angle) for angle in angles], ".-")
axes[2].semilogx(zooms, [recognised(zoom=zoom) for zoom in zooms], ".-")
axes[1].set(xlabel="turned by (degrees)", ylabel="recognised (%)", ylim=(0, 103))
axes[2].set(xlabel="zoomed by", ylim=(0, 103))
axes[2].set_xticks((0.5, 1, 2), ("½", "1", "2"))
axes[2].minorticks_off()
plt.show()
print(f"recognised after a turn of 30°: {recognised(degrees=30):.0f} %")
print(f"recognised at half the size:    {recognised(zoom=0.5):.0f} %")

# %% [markdown]
# A turn of 30° is enough, or half the size: almost none are recognised. The window is at fault: it stays upright and 16
# pixels wide while what it shows turns and shrinks. And in practice nobody gives away the places.
#
# ## Idea
#
# Let the image itself say how large the window is and which way is up. SIFT does so in four steps, sections 3 to 6 of
# the paper. Find points that stand out in $x$, $y$ *and scale* $\sigma$; drop the unreliable ones; give each an
# orientation; describe its gradients in that frame. A **difference of Gaussians** measures how much a point stands out,
#
# $$D(x, y, \sigma) = \big(G(k\sigma) - G(\sigma)\big) * I \;\approx\; (k - 1)\, \sigma^2 \nabla^2 G * I, \qquad k = 2^{1/3},$$
#
# with the image $I$ (H, W) and $G(\sigma)$ a Gaussian of that width. The factor $\sigma^2$ makes scales comparable. Take a Gaussian blob of
# width $b$ and height 1. Blurred by $\sigma$ its centre has the height $b^2/(b^2+\sigma^2)$, and so
#
# $$D(0, 0, \sigma) = \frac{b^2}{b^2 + k^2\sigma^2} - \frac{b^2}{b^2 + \sigma^2}, \qquad \frac{\partial D}{\partial \sigma} = 0 \;\text{ at }\; \sigma = \frac{b}{\sqrt k}.$$
#
# Does the scale of the strongest answer tell the size of the blob?

# %% jupyter={"source_hidden": true}
K = 2 ** (1 / 3)
figure, ax = plt.subplots(figsize=(4.6, 2))
scales = torch.logspace(0, 5, 200, base=2)
for number, width in enumerate((2, 4, 8)):
    answer = 1 / (1 + (K * scales / width) ** 2) - 1 / (1 + (scales / width) ** 2)
    ax.semilogx(scales, answer, base=2)
    ax.plot(width / K**0.5, answer.min(), f"C{number}o")
    place = width / K**0.5, -0.128
    ax.annotate(f"b = {width}", place, color=f"C{number}", ha="center")
ax.set(xlabel="scale σ (pixels)", ylabel="D at the centre", ylim=(-0.135, 0.003))
ax.set_xticks((1, 2, 4, 8, 16, 32), ("1", "2", "4", "8", "16", "32"))
plt.show()

# %% [markdown]
# It does: each curve is the same, shifted, and the dot marks $b/\sqrt k$. (A bright blob is a minimum, a dark one a maximum.)
#
# ## Scale space (section 3)
#
# Blur, more and more, three levels to every doubling of $\sigma$. To blur by $\sigma_1$ and then by $\sigma_2$ is to blur by
# $\sqrt{\sigma_1^2 + \sigma_2^2}$, so each level is made from the one before. Once $\sigma$ has doubled, every other
# pixel is enough: a new **octave** begins at half the size. Each octave has three levels more than its three, since
# differences and their neighbours are needed on both sides. The first octave is the photo at twice its size, so that
# the smallest details have a neighbour in scale, too.
#
# What does the scale space look like? The figure draws octaves 1, 2 and 3 at one size, more and more blurred from left
# to right. Their differences follow, dark where they are negative.

# %% tags=["export"]
INTERVALS = 3  # scales an octave; section 3.2
SIGMA = 1.6  # blur of the first level of an octave, in its pixels; section 3.3


class Octave(NamedTuple):
    gaussians: Tensor  # (6, H, W); level l has the blur SIGMA * 2 ** (l / 3)
    differences: Tensor  # (5, H, W); level l + 1 minus level l
    spacing: float  # of its pixels, in pixels of the photo


def scale_space(image: Tensor) -> list[Octave]:
    """Return the octaves of (H, W), finest first; none has a side of less than 8."""
    size = [2 * side - 1 for side in image.shape]  # old pixel i is new pixel 2i
    options = {"mode": "bilinear", "align_corners": True}
    doubled = F.interpolate(image[None, None], size, **options)
    first = blur(doubled[0, 0], math.sqrt(SIGMA**2 - (2 * CAMERA) ** 2))
    spacing, octaves = 0.5, []
    while min(first.shape) >= 8:
        levels = [first]
        for level in range(1, INTERVALS + 3):
            before, after = (SIGMA * 2 ** (i / INTERVALS) for i in (level - 1, level))
            levels.append(blur(levels[-1], math.sqrt(after**2 - before**2)))
        gaussians = torch.stack(levels)
        octaves.append(Octave(gaussians, gaussians.diff(dim=0), spacing))
        first, spacing = levels[INTERVALS][::2, ::2], 2 * spacing
    return octaves


# %% tags=["check"]
dot = torch.zeros(81, 81)
dot[40, 40] = 1
away = torch.arange(81) - 40.0
line = torch.exp(-(away**2) / (2 * 5**2)) / (math.sqrt(2 * math.pi) * 5)
check.close(blur(blur(dot, 3), 4), line.outer(line), atol=1e-5, what="3² + 4² = 5²")
octaves = scale_space(torch.rand(60, 101))
sizes = [tuple(o.gaussians.shape[1:]) for o in octaves]
assert sizes == [(119, 201), (60, 101), (30, 51), (15, 26), (8, 13)]
begins = octaves[0].gaussians[3, ::2, ::2]
check.close(octaves[1].gaussians[0], begins, what="where an octave begins")

# %% jupyter={"source_hidden": true}
octaves = scale_space(china)
figure, axes = plt.subplots(6, 1, figsize=(6.4, 4.6))
for number in (1, 2, 3):
    levels = octaves[number].gaussians, 0.5 + octaves[number].differences / 0.12
    for ax, stack in zip((axes[number - 1], axes[number + 2]), levels, strict=True):
        tiles = F.interpolate(stack[:, None], (107, 160), mode="area")
        plot.images(ax, tiles)
plt.show()

# %% [markdown]
# The texture of the leaves is gone after one octave, the windows after three, and each difference holds the structures of one size.
#
# ## Extrema, and which to trust (sections 3.1 and 4)
#
# A pixel of $D$ is a candidate if it is larger, or smaller, than all its 26 neighbours. They are 8 in its level, 9 above and 9 below. Then
# two tests. **Contrast**: a faint extremum is noise; $|D|$ must reach $0.04 / 3$, for an image in [0, 1] (0.03 in the
# paper). **Edges**: along an edge $D$ hardly changes, and the extremum may slide. The second derivatives
#
# $$\mathbf H = \begin{pmatrix} D_{xx} & D_{xy} \\ D_{xy} & D_{yy} \end{pmatrix}, \qquad \frac{(\mathrm{Tr}\, \mathbf H)^2}{\mathrm{Det}\, \mathbf H} = \frac{(r + 1)^2}{r},$$
#
# have the principal curvatures as eigenvalues. Their ratio $r$ must be below 10; no eigenvalue need be computed. (A negative
# determinant is a saddle.) The paper also moves each extremum between pixels and levels, by a parabola through the 27 values.
# The assignment asks for that step.
#
# There are two checks. The first uses a slow loop over a cube of noise, and blobs of known width at known places. The second compares with the keypoints of
# `course_lib.classical.Sift`, a full implementation. At scales from 2 on, 90 % of its keypoints must have one of ours within a level
# and a pixel of the octave. The reverse must hold, too. (Finer details depend on how sharp the camera is taken to be.)
#
# Then the photo. How many extrema does each test take, and where? (Figure 5 of the paper.) And which keypoints belong to which scale?


# %% tags=["export"]
def extrema(differences: Tensor) -> Tensor:
    """Return (n, 3): level, row, column of the pixels beyond all 26 neighbours.

    Positive maxima and negative minima alone; the outermost levels and pixels have no
    26 neighbours.
    """
    inner = differences[1:-1, 1:-1, 1:-1]
    highest = F.max_pool3d(differences[None], 3, stride=1)[0]
    lowest = -F.max_pool3d(-differences[None], 3, stride=1)[0]
    found = ((inner == highest) & (inner > 0)) | ((inner == lowest) & (inner < 0))
    return found.nonzero() + 1


def edge_ratio(differences: Tensor, places: Tensor) -> Tensor:
    """Return (Tr H)² / Det H at places (n, 3) of `extrema`; infinite for a saddle."""
    level, row, column = places.T

    def at(down: int, right: int) -> Tensor:
        return differences[level, row + down, column + right]

    dxx = at(0, 1) - 2 * at(0, 0) + at(0, -1)
    dyy = at(1, 0) - 2 * at(0, 0) + at(-1, 0)
    dxy = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
    determinant = dxx * dyy - dxy**2
    ratio = (dxx + dyy) ** 2 / determinant
    return torch.where(determinant > 0, ratio, torch.inf)


# %% tags=["export"]
def survivors(differences: Tensor, contrast=0.04, edge=10.0) -> list[Tensor]:
    """Return the places (n, 3) after each test: all extrema, contrast, edges."""
    everything = extrema(differences)
    strong = differences[tuple(everything.T)].abs() >= contrast / INTERVALS
    compact = edge_ratio(differences, everything) < (edge + 1) ** 2 / edge
    return [everything, everything[strong], everything[strong & compact]]


def to_keypoints(places: Tensor, spacing: float) -> Tensor:
    """Return x, y and scale (n, 3), in pixels of the photo, of places in an octave."""
    level, row, column = places.T
    scale = SIGMA * 2 ** (level / INTERVALS)
    return spacing * torch.stack([column, row, scale], dim=1)


def detect(octaves: list[Octave], **tests) -> Tensor:
    """Return the keypoints (n, 3): x, y and scale, in pixels of the photo."""
    found = [torch.zeros(0, 3)]
    for octave in octaves:
        places = survivors(octave.differences, **tests)[-1]
        found.append(to_keypoints(places, octave.spacing))
    return torch.cat(found)


# %% tags=["check"]
noise = torch.randn(5, 9, 11)
found = {tuple(place) for place in extrema(noise).tolist()}
for s, y, x in np.ndindex(3, 7, 9):
    cube = noise[s : s + 3, y : y + 3, x : x + 3]
    extreme = cube[1, 1, 1] == (cube.max() if cube[1, 1, 1] > 0 else cube.min())
    assert ((s + 1, y + 1, x + 1) in found) == extreme
rows, columns = torch.meshgrid(torch.arange(160.0), torch.arange(200.0), indexing="ij")
for x, y, width in ((60.0, 80, 3.0), (110.25, 70.75, 6.5), (100, 80, 14)):
    blob = 0.9 * torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2))
    keypoints = detect(scale_space(blob))
    assert len(keypoints) == 1
    scale = (width**2 - CAMERA**2) ** 0.5 / 2 ** (1 / 6)  # b / √k
    check.close(keypoints[0, :2], [x, y], rtol=0, atol=0.3 * scale, what="place")
    check.close(3 * math.log2(keypoints[0, 2] / scale), 0, atol=0.51, what="levels off")

# %% tags=["check"]
keypoints = detect(octaves)
(library,) = Sift(device="cpu").transform([china.numpy()])
theirs = torch.tensor(np.unique(library.keypoints[:, :3], axis=0))  # orientations aside
near = torch.cdist(theirs[:, :2], keypoints[:, :2]) < theirs[:, 2:] / SIGMA
near &= (theirs[:, 2:] / keypoints[:, 2]).log2().abs() < 1.01 / INTERVALS
assert near[theirs[:, 2] > 2].any(dim=1).float().mean() > 0.9  # of theirs are ours
assert near[:, keypoints[:, 2] > 2].any(dim=0).float().mean() > 0.9  # and vice versa

# %% jupyter={"source_hidden": true}
every, strong, kept = (
    torch.cat([to_keypoints(survivors(o.differences)[test], o.spacing) for o in octaves])
    for test in range(3)
)
figure, axes = plt.subplots(1, 2, figsize=(6.4, 2.4))
steps = (every, strong, "contrast"), (strong, kept, "edges")
for ax, (before, after, test) in zip(axes, steps, strict=True):
    ax.imshow(china, alpha=0.5, **SMOOTH)
    for found, color in ((before, "C1"), (after, "C0")):
        ax.scatter(found[:, 0], found[:, 1], s=4, color=color, linewidths=0)
    ax.set_title(f"{test}: {len(before)} → {len(after)}", fontsize=9)
    ax.set_axis_off()
plt.show()

# %% tags=["nbval-ignore-output"] jupyter={"source_hidden": true}
def draw_scale(ax, level: int) -> None:
    """Draw the differences at one of 15 levels, and the keypoints found in it."""
    scale = SIGMA / 2 * 2 ** (level / INTERVALS)
    here = keypoints[(keypoints[:, 2] / scale - 1).abs() < 0.01]
    shown = octaves[(level - 1) // INTERVALS].differences[(level - 1) % INTERVALS + 1]
    ax.imshow(shown, vmin=-0.06, vmax=0.06, extent=(0, 640, 427, 0), **SMOOTH)
    plot.keypoints(ax, here, lw=0.8)
    ax.set(title=f"σ = {scale:.1f}: {len(here)} keypoints", xticks=(), yticks=())


for ax, level in zip(plt.subplots(1, 3, figsize=(6.4, 1.8))[1], (6, 9, 12), strict=True):
    draw_scale(ax, level)
plt.show()
plot.slider(lambda n: draw_scale(plt.subplots(figsize=(3.2, 2.4))[1], n), "level", (1, 15), frames=4)

# %% [markdown]
# Blue stays, orange goes: the sky at the first test, contours of roofs and rails at the second. (Lowe's photo, of 233×189
# pixels: 832, then 729, then 536.) Below are three levels of the 15, and with a live Jupyter a slider for all. Circles are as wide
# as the window that will be described.
#
# ## Which way is up (section 5)
#
# From here on everything reads gradients, in the level at which the keypoint was found. The places that are read move with the
# keypoint: they lie at an offset of $(u, v)$ *scales*, turned by its orientation. One function does this for all that follows.
#
# The orientation is where most gradients point. A histogram of 36 bins of 10° shows it. Each gradient counts with its magnitude and a
# Gaussian of 1.5 scales around the keypoint. The highest bin wins; another peak of at least 80 % makes another
# keypoint at the same place. We take the middle of the bin, so we are up to 5° off; a parabola through three bins
# (assignment) does better.


# %% tags=["export"]
def gradients_around(octaves: list[Octave], keypoints: Tensor, offsets: Tensor):
    """Return magnitude and angle (n, S) of gradients at offsets (S, 2) from keypoints.

    keypoints: (n, 4), x, y, scale, orientation. Offsets are in scales, in its frame; so
    is the angle, in radians. Outside of the photo the gradient is 0.
    """
    x, y, scale, turn = keypoints[:, :, None].unbind(1)  # each (n, 1)
    (u, v), cos, sin = offsets.T, turn.cos(), turn.sin()
    x, y = x + scale * (cos * u - sin * v), y + scale * (sin * u + cos * v)  # (n, S)
    number = (INTERVALS * (2 * scale[:, 0] / SIGMA).log2()).round().long() - 1
    number = number.clamp(0, INTERVALS * len(octaves) - 1)
    dx, dy = torch.zeros(2, *x.shape)
    for own in number.unique():
        octave, level = octaves[own // INTERVALS], own % INTERVALS + 1
        there = number == own
        places = x[there] / octave.spacing, y[there] / octave.spacing
        slopes = torch.gradient(octave.gaussians[level])  # of rows, of columns
        dy[there], dx[there] = sample(torch.stack(slopes), *places)
    return torch.hypot(dx, dy), torch.atan2(dy, dx) - turn


# %% tags=["export"]
def orientation_histogram(octaves: list[Octave], keypoints: Tensor) -> Tensor:
    """Return (n, 36) of keypoints (n, 3): bin b holds the angles around 10° · b."""
    ticks = torch.arange(-9, 10) / 2  # in scales: 3 times the Gaussian's 1.5
    offsets = torch.cartesian_prod(ticks, ticks)
    upright = F.pad(keypoints, (0, 1))
    magnitude, angle = gradients_around(octaves, upright, offsets)  # (n, 361)
    weight = magnitude * torch.exp(-offsets.square().sum(dim=1) / (2 * 1.5**2))
    place = angle * (36 / (2 * math.pi))
    low = place.floor()
    histogram = torch.zeros(len(keypoints), 36)
    for bins, share in ((low, low + 1 - place), (low + 1, place - low)):
        histogram.scatter_add_(1, bins.long() % 36, weight * share)
    smooth = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    return sum(w * histogram.roll(i - 2, dims=1) for i, w in enumerate(smooth))


def oriented(octaves: list[Octave], keypoints: Tensor) -> Tensor:
    """Return (m, 4) for keypoints (n, 3): x, y, scale and an orientation, m >= n."""
    histogram = orientation_histogram(octaves, keypoints)
    peak = (histogram > histogram.roll(1, 1)) & (histogram >= histogram.roll(-1, 1))
    peak &= histogram >= 0.8 * histogram.amax(dim=1, keepdim=True)
    which, bins = peak.nonzero().T
    return torch.cat([keypoints[which], bins[:, None] * (2 * math.pi / 36)], dim=1)


# %% tags=["check"]
for degrees in (0, 50, 130, 340):  # a ramp points up its slope
    u, v = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    ramp = scale_space((columns * u + rows * v) / 500 + 0.4)
    (found,) = oriented(ramp, torch.tensor([[90.3, 71.6, 4.0]]))
    cosine = found[3].cos() * u + found[3].sin() * v
    check.close(cosine, 1, what=f"cosine to {degrees}°")
exact = torch.tensor(library.keypoints)
found = orientation_histogram(octaves, exact[:, :3])
bins = (exact[:, 3:] * (36 / (2 * math.pi))).round().long()  # of the library's peaks
near = found.gather(1, (bins + torch.tensor([-1, 0, 1])) % 36)
assert (near.amax(dim=1) > 0.75 * found.amax(dim=1)).float().mean() > 0.95

# %% tags=["nbval-ignore-output"] jupyter={"source_hidden": true}
turned = oriented(octaves, keypoints)
_, counts = turned[:, :3].unique(dim=0, return_counts=True)
print(f"more than one orientation: {100 * (counts > 1).float().mean():.0f} %")
one = turned[(turned[:, :2] - spot).norm(dim=1).argmin()]  # at the corner of the roof
votes = orientation_histogram(octaves, one[None, :3])[0]
figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 2.3), width_ratios=(1.4, 1))
left.imshow(china, alpha=0.6, **SMOOTH)
left.set(xlim=(20, 380), ylim=(260, 20), xticks=(), yticks=())
plot.keypoints(left, turned[(turned[:, 2] - 4).abs() < 0.1], lw=0.8)  # of one level
plot.keypoints(left, one[None], "C0", lw=2)
right.bar(range(0, 360, 10), votes, width=8)
right.axhline(0.8 * votes.max(), color="0.5", ls=":")
right.set(xlabel="gradient points to (degrees)", ylabel="votes", yticks=())
plt.show()

# %% [markdown]
# The circles are as wide as the window, the rays point where the gradients do (orange: one level of the 15). Right: the votes of
# the blue one, and 80 % of the highest, dotted. (Lowe counts about 15 % of keypoints with more than one orientation.)
#
# ## The descriptor (section 6)
#
# Over the keypoint lies a square of 4×4 cells, each 3 scales wide, turned with it. In every cell the gradients are counted by
# orientation, in 8 bins, with their magnitude and a Gaussian as wide as half the square. A gradient between the centres of
# two cells counts for both, in proportion, and one between two bins counts for both bins. Nothing jumps when the window is a pixel off. Of
# the 4·4·8 = 128 numbers only the direction matters, so they are divided by their length. That cancels contrast;
# brightness went with the gradient. (Lowe then cuts entries above 0.2 and divides once more, so that a few
# huge gradients do not decide alone: left to the assignment.)
#
# To **match**, pair two descriptors if each is the nearest of all to the other. Two checks follow. At the library's own
# keypoints, ours and its descriptors differ by its cut alone. A photo turned by 90°, where no pixel is interpolated, has the
# same keypoints, turned, and the same descriptors.

# %% tags=["export"]
CELLS, ANGLES, CELL_WIDTH = 4, 8, 3.0  # cells a side, bins of each, width in scales
SAMPLES = 4  # a cell, along one side


def window() -> tuple[Tensor, Tensor]:
    """Return where a descriptor looks, (S, 2) in cells, and its weights (S, 16)."""
    count = (CELLS + 1) * SAMPLES  # half a cell more on each side
    ticks = (torch.arange(count) + 0.5) / SAMPLES - (CELLS + 1) / 2
    centres = torch.arange(CELLS) - (CELLS - 1) / 2
    share = (1 - (ticks[:, None] - centres).abs()).clamp(min=0)
    share = share * torch.exp(-(ticks**2) / (2 * (CELLS / 2) ** 2))[:, None]  # (20, 4)
    places = torch.cartesian_prod(ticks, ticks).flip(1)  # x, y; row by row
    return places, torch.einsum("yi,xj->yxij", share, share).reshape(len(places), -1)


def describe(octaves: list[Octave], keypoints: Tensor) -> Tensor:
    """Return (n, 128) of length 1 for (n, 4): rows of cells, cells of a row, angles.

    Angles are counted counter-clockwise on the screen from the keypoint's orientation.
    """
    places, cells = window()
    magnitude, angle = gradients_around(octaves, keypoints, CELL_WIDTH * places)
    place = angle * (-ANGLES / (2 * math.pi)) % ANGLES
    apart = (place[..., None] - torch.arange(ANGLES)).abs()  # (n, S, 8)
    bins = (1 - torch.minimum(apart, ANGLES - apart)).clamp(min=0)
    votes = torch.einsum("ns,nsa,sc->nca", magnitude, bins, cells)
    return F.normalize(votes.flatten(1), dim=1)


# %% tags=["export"]
def sift(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return keypoints (n, 4), x, y, scale, orientation, and descriptors (n, 128)."""
    octaves = scale_space(image)
    keypoints = oriented(octaves, detect(octaves))
    return keypoints, describe(octaves, keypoints)


def match(first: Tensor, second: Tensor) -> Tensor:
    """Return (m, 2): pairs of rows that are mutually nearest; (n, D) and (k, D)."""
    if len(first) == 0 or len(second) == 0:
        return torch.zeros(0, 2, dtype=torch.int64)
    distance = torch.cdist(first, second)
    there, back = distance.argmin(dim=1), distance.argmin(dim=0)
    own = torch.arange(len(first))
    mutual = back[there] == own
    return torch.stack([own[mutual], there[mutual]], dim=1)


def errors(first: Tensor, second: Tensor, homography: Tensor) -> Tensor:
    """Return how far (pixels) each second point lies from where its first goes."""
    return (project(homography, first[:, :2]) - second[:, :2]).norm(dim=1)


# %% tags=["check"]
ours, full = describe(octaves, exact), torch.tensor(library.descriptors)
below, large = (ours < 0.19).float(), exact[:, 2] > 2
assert (ours * full).sum(dim=1)[large].median() > 0.93
assert F.cosine_similarity(below * ours, below * full)[large].median() > 0.97
small = china[150:343, 200:393]  # 2ⁿ·k + 1 a side: halving keeps the symmetry
(straight, described), (quarter, again) = sift(small), sift(small.rot90(-1))
assert len(straight) == len(quarter) > 50
x, y, scale, angle = straight.T
angle = (angle + math.pi / 2) % (2 * math.pi)
apart, partner = torch.cdist(torch.stack([192 - y, x, scale, angle], 1), quarter).min(1)
assert apart.max() < 0.01
assert (described * again[partner]).sum(dim=1).min() > 0.999
row, column = torch.tensor([[0.0], [5], [9]]), torch.tensor([[5.5], [1], [4]])
assert match(row, column).tolist() == [[0, 1], [1, 0]]  # 9 is nearest to none


# %% tags=["nbval-ignore-output"]
def upright(image: Tensor, keypoint: Tensor, side: int = 96) -> Tensor:
    """Return the square (side, side) of a keypoint (4,), turned upright."""
    ticks = torch.linspace(-6, 6, side)
    v, u = torch.meshgrid(ticks, ticks, indexing="ij")
    x, y, scale, turn = keypoint
    column, row = u * turn.cos() - v * turn.sin(), u * turn.sin() + v * turn.cos()
    return sample(image[None], x + scale * column, y + scale * row)[0]

second, homography = view(china, degrees=40, zoom=0.7, tilt=0.15)
there, of_there = sift(second)
described = describe(octaves, turned)
cosine = of_there @ described[(turned == one).all(dim=1)][0]  # to the blue keypoint above
nearest = cosine.argmax()
print(f"the nearest of {len(there)} descriptors has a cosine of {cosine.max():.2f}")

# %% jupyter={"source_hidden": true} tags=["thumbnail"]
figure, axes = plt.subplots(2, 3, figsize=(5.4, 3.6))
for row, image, keypoint in zip(axes, (china, second), (one, there[nearest]), strict=True):
    x, y, scale, turn = keypoint.tolist()
    u = 6 * scale * torch.tensor([0, 1.0, 1, -1, -1, 1, 1])  # to the edge, and around
    v = 6 * scale * torch.tensor([0, 0.0, -1, -1, 1, 1, 0])
    cos, sin = math.cos(turn), math.sin(turn)
    row[0].imshow(image, **SMOOTH)
    row[0].plot(x + u * cos - v * sin, y + u * sin + v * cos, "C1")
    reach = 12 * scale
    row[0].set(xlim=(x - reach, x + reach), ylim=(y + reach, y - reach))
    row[0].set_axis_off()
    row[1].imshow(upright(image, keypoint), vmin=0, vmax=1, extent=(-6, 6, 6, -6))
    row[1].set(xticks=range(-6, 7, 3), yticks=range(-6, 7, 3))
    row[1].grid(True, color="C1")
    row[1].tick_params(labelbottom=False, labelleft=False, length=0)
    plot.descriptor(row[2], describe(scale_space(image), keypoint[None])[0])
titles = "window in the photo", "turned upright, cells", "descriptor"
for ax, title in zip(axes[0], titles, strict=True):
    ax.set_title(title, fontsize=9)
plt.show()

# %% [markdown]
# A corner of the roof, found in both views by itself. The axis of the window is the orientation, and lies to the right once
# upright. Of all descriptors of the second view its own is the nearest, with a cosine of 0.99.
#
# What else does a descriptor survive? Below the same keypoints are described in the same photo under another light, and keypoints
# are searched there anew.

# %% tags=["nbval-ignore-output"]
lights = {
    "half the contrast, a I + b": 0.5 * china + 0.2,
    "a shadow, a I": 0.2 * china,
    "gamma, √I": china.sqrt(),
    "overexposed, min(2 I, 1)": (2 * china).clamp(max=1),
    "light from the left": china * torch.linspace(1, 0.3, 640),
    "noise": china + 0.2 * torch.rand(427, 640, generator=torch.manual_seed(0)) - 0.1,
}
print(f"{'':28}median cosine  worst 5 %  keypoints of {len(keypoints)}")
for name, lit in lights.items():
    changed = scale_space(lit)
    cosine = (described * describe(changed, turned)).sum(dim=1)
    middle, worst = cosine.median(), cosine.quantile(0.05)
    print(f"{name:28}{middle:13.4f}{worst:11.4f}{len(detect(changed)):11}")

# %% [markdown]
# What is affine cancels to the last digit; what bends the curve of brightness, or cuts it off, costs little. The *detector* is
# not invariant: its contrast test is absolute, and in a shadow most keypoints fall below it.
#
# ## Two views
#
# How many of the mutually nearest pairs are right? A pair is right if its second point lies within 3 pixels of where the homography sends its first.

# %% jupyter={"source_hidden": true}
pairs = match(described, of_there)
right = errors(turned[pairs[:, 0]], there[pairs[:, 1]], homography) < 3
figure, ax = plt.subplots(figsize=(6.4, 2.6))
(height, width), gap = china.shape, 20
below = (0, 0, 0, height - second.shape[0])
both = torch.cat([F.pad(china, (0, gap), value=1.0), F.pad(second, below, value=1.0)], 1)
ax.imshow(both, vmin=0, vmax=1, alpha=0.7, **SMOOTH)
for number in range(0, len(pairs), 4):
    (x, y), (u, v) = turned[pairs[number, 0], :2], there[pairs[number, 1], :2]
    ax.plot([x, u + width + gap], [y, v], "C0" if right[number] else "C1", lw=0.5)
share = f"{100 * right.float().mean():.0f} % right"
ax.set_title(f"{len(pairs)} matches, {share} (every fourth drawn)", fontsize=9)
ax.set_axis_off()
plt.show()

# %% [markdown]
# Blue is right, orange wrong. The second view is turned by 40°, at 0.7 of the size, and tilted. Raw pixels recognised 4 %
# after a turn of 30° alone, with the places given away.
#
# ## Which part does the work: points, frame or descriptor?
#
# SIFT brings three things at once: where to look, a frame (scale and orientation), and a descriptor. Exchange one at a time. **Points**:
# SIFT's, or as many of Harris's corners [2], the classical detector of one scale. **Frame**: the keypoint's own, or an upright
# window of 16×16 pixels. **Descriptor**: SIFT's 128 numbers, or the pixels themselves. A corner has no scale of its own, so its
# frame is 2 pixels wide, turned by SIFT's rule.
#
# Turn and shrink the photo, and measure among the points that both views can see. **Repeatability**: the share found again
# within 1.5 pixels of where the homography sends it. **Matched**: the share whose mutually nearest descriptor is within 3
# pixels of there. Random places, as many, show what chance would give.


# %%
def harris(image: Tensor, count: int) -> Tensor:
    """Return the `count` strongest corners (n, 2), by det M - 0.05 (Tr M)²."""
    dy, dx = torch.gradient(blur(image, 1))
    xx, yy, xy = blur(dx * dx, 2), blur(dy * dy, 2), blur(dx * dy, 2)
    strength = xx * yy - xy**2 - 0.05 * (xx + yy) ** 2
    top = F.max_pool2d(strength[None], 3, stride=1, padding=1)[0] == strength
    best = (strength * top).flatten().topk(count).indices
    return torch.stack([best % image.shape[1], best // image.shape[1]], dim=1).float()


# %%
def seen(points: Tensor, homography: Tensor, image: Tensor) -> Tensor:
    """Return which points (n, 2) the homography sends into the image."""
    x, y = project(homography, points).T
    return (x >= 0) & (y >= 0) & (x < image.shape[1]) & (y < image.shape[0])


def compared(images, features, homography) -> tuple[float, float]:
    """Return repeatability and matched (%) of (points, descriptors) of two images."""
    (first, of_first), (second, of_second) = features
    a = seen(first, homography, images[1])
    b = seen(second, homography.inverse(), images[0])
    first, second, fewer = first[a], second[b], min(a.sum(), b.sum())
    apart = torch.cdist(project(homography, first), second.double())
    repeated = min((apart.amin(dim=axis) < 1.5).sum() for axis in (0, 1))
    pairs = match(of_first[a], of_second[b])
    matched = (errors(first[pairs[:, 0]], second[pairs[:, 1]], homography) < 3).sum()
    return 100 * (repeated / fewer).item(), 100 * (matched / fewer).item()


# %%
def framed(octaves: list[Octave], keypoints: Tensor, side: int = 16) -> Tensor:
    """Return the pixels of SIFT's own windows, mean 0 and length 1: (n, side²)."""
    ticks = torch.linspace(-6, 6, side)  # in scales
    found = torch.zeros(len(keypoints), side * side)
    x, y, scale, turn = keypoints[:, :, None].unbind(1)
    u, v = torch.cartesian_prod(ticks, ticks).T
    x = x + scale * (turn.cos() * u - turn.sin() * v)
    y = y + scale * (turn.sin() * u + turn.cos() * v)
    number = (2 * scale[:, 0] / SIGMA).log2().round().long().clamp(0, len(octaves) - 1)
    for own in number.unique():
        octave, there = octaves[own], number == own
        places = x[there] / octave.spacing, y[there] / octave.spacing
        found[there] = sample(octave.gaussians[:1], *places)[0]
    return F.normalize(found - found.mean(dim=1, keepdim=True), dim=1)


# %%
def features(image: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Return points and descriptors by six ways, about as many of each."""
    octaves = scale_space(image)
    keypoints = oriented(octaves, detect(octaves))
    corners = harris(image, len(keypoints))
    random = torch.rand(len(keypoints), 2) * torch.tensor(image.shape[::-1])
    turned = oriented(octaves, F.pad(corners, (0, 1), value=2.0))
    points = keypoints[:, :2]
    return {
        "SIFT points, SIFT": (points, describe(octaves, keypoints)),
        "SIFT points, pixels in the frame": (points, framed(octaves, keypoints)),
        "SIFT points, upright pixels": (points, patches(image, points)),
        "corners, SIFT": (turned[:, :2], describe(octaves, turned)),
        "corners, upright pixels": (corners, patches(image, corners)),
        "chance": (random, patches(image, random)),
    }


# %%
torch.manual_seed(0)
trials = {
    "degrees": (0, 10, 20, 30, 45, 60, 90, 135, 180),
    "zoom": (1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4),
}
reference, measured = features(china), {}
for key, values in trials.items():
    for value in values:
        changed, moved = view(china, **{key: value})
        for name, found in features(changed).items():
            both = compared((china, changed), (reference[name], found), moved)
            measured[name, key, value] = both

# %% jupyter={"source_hidden": true}
shown = [("degrees", angle) for angle in (10, 20, 60)]
shown += [("zoom", zoom) for zoom in (0.9, 0.7, 0.5)]
print("repeatability / matched (%)         10°    20°    60°   ×0.9   ×0.7   ×0.5")
for name in reference:
    both = ["{:4.0f}/{:2.0f}".format(*measured[name, key, value]) for key, value in shown]
    print(f"{name:32}" + "".join(both))

# %% jupyter={"source_hidden": true}
options = {"sharex": "col", "sharey": True, "layout": "constrained"}
figure, axes = plt.subplots(2, 2, figsize=(6.4, 4.8), **options)
DETECTORS = {  # key: name and colour
    "SIFT points, SIFT": ("SIFT", "C0"),
    "corners, SIFT": ("corners", "C3"),
    "chance": ("chance", "0.6"),
}
for name in reference:
    for column, (key, values) in enumerate(trials.items()):
        both = [measured[name, key, value] for value in values]
        repeated, matched = zip(*both, strict=True)
        if name in DETECTORS:
            label, colour = DETECTORS[name]
            axes[0, column].plot(values, repeated, ".-", c=colour, label=label)
        if name != "chance":
            axes[1, column].plot(values, matched, ".-", label=name)
axes[1, 0].set(xlabel="turned by (degrees)", xticks=range(0, 181, 45), ylim=(0, 103))
axes[1, 1].set(xlabel="zoomed by", xlim=(1.03, 0.37))
axes[0, 0].set_ylabel("repeatability (%)")
axes[1, 0].set_ylabel("matched (%)")
axes[0, 0].legend(fontsize=8)
lines = axes[1, 0].get_legend_handles_labels()
figure.legend(*lines, fontsize=8, ncols=2, loc="outside lower center")
plt.show()

# %% [markdown]
# **The frame does most of the work.** The same points with upright pixels are lost after 20°. Pixels in SIFT's frame keep more than
# 60 % at any angle and size. In the columns of the table, SIFT's 128 numbers add 4 to 8 points.
#
# **A detector without scale fails at a change of size, and only there.** Corners with SIFT's descriptor are better than SIFT's own
# points at any angle: 84 % at 20° and 80 % at 60°. At half the size 2 % are left, since their frame stays 2 pixels wide, and only 37 % of
# them are found again. SIFT finds its points in another octave. The price is the dip at the smallest change: any new grid of pixels
# costs a fifth of the keypoints.
#
# ## What is left
#
# Two things of the paper are still missing, both for the assignment. **Between the pixels** (section 4): our keypoints lie on
# the grid of their octave. **The ratio test** (section 7.1): a keypoint without a partner has a nearest neighbour all the
# same, but then a second one hardly further away. How far are right matches off with and without refinement? And does
# the ratio of the two distances tell right from wrong (Figure 11 of the paper)?

# %% tags=["nbval-ignore-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 2.3))
views = [china.numpy(), second.numpy()]
full = [map(torch.tensor, found) for found in Sift(device="cpu").transform(views)]
ways = {"on the grid": (sift(china), sift(second)), "refined (library)": full}
for name, ((first, of_first), (there, of_there)) in ways.items():
    pairs = match(of_first, of_there)
    error = errors(first[pairs[:, 0]], there[pairs[:, 1]], homography)
    good = error[error < 3]
    label = f"{name}: median {good.median():.2f}"
    left.plot(good.sort().values, torch.linspace(0, 100, len(good)), label=label)
distance, partner = torch.cdist(of_first, of_there).topk(2, largest=False)
ratio = distance[:, 0] / distance[:, 1]
correct = errors(first, there[partner[:, 0]], homography) < 3
for which, name in ((correct, "right"), (~correct, "wrong")):
    right.hist(ratio[which], np.linspace(0, 1, 26), histtype="step", lw=1.8, label=name)
    share = (ratio[which] < 0.8).float().mean()
    print(f"{name}: {which.sum()} nearest neighbours, {100 * share:.0f} % below 0.8")
right.axvline(0.8, color="0.5", ls=":")
left.set(xlabel="error of a right match (pixels)", ylabel="share with less (%)")
right.set(xlabel="nearest / second nearest distance", ylabel="keypoints")
left.legend(fontsize=7)
right.legend(fontsize=7, loc="upper left")
plt.show()

# %% [markdown]
# Refinement takes the median error to less than half. And below a ratio of 0.8 lie nearly all right matches and hardly
# a wrong one. Lowe loses less than 5 % of the right ones and 90 % of the wrong.
#
# ## Take-aways
#
# - **A frame of its own makes a descriptor robust.** Pixels in an upright window recognise 4 % of 300 places after a turn of 30°, and 7 % at half
#   the size. SIFT's keypoints are found and recognised in about 70 % of the cases, at any angle and size.
# - **Points, frame and descriptor have different tasks.** Corners in a turned frame are matched even better than SIFT's points (80 % at 60°). At half the size
#   2 % are left, because corners have no scale.
# - **The ratio of the two nearest distances tells right from wrong.** 95 % of the right matches lie below 0.8, and 4 % of the wrong ones.
#
# ## Before and after
#
# Before SIFT, Harris corners (1988) were matched by the pixels around them, at one scale. Lindeberg's theory of scale space (1998) said how to choose a scale.
# SURF (2006) made SIFT faster with box filters. ORB (2011) compares bits. Dense SIFT, on a grid, feeds the codebooks of the next notebook. Since 2018
# learned features, such as SuperPoint, replace both halves.
#
# ## Questions
#
# **1.** A photo of 640×480: how many octaves, how many Gaussian levels, and how many pixels in all of them?
# <details><summary>Answer</summary>
# The first octave has 1279×959 pixels, and each has half the side. Then 480, 240, 120, 60, 30, 15 and 8 rows follow: 8 octaves, 48 levels.
# A level of the first has 1.23 million pixels, and 1 + 1/4 + 1/16 + … = 4/3, so 6 · 1.23 · 4/3 = 9.8 million. That is 32
# times the photo, three quarters of it in the doubled octave.
# </details>
#
# **2.** Why does an octave need six Gaussians for three scales?
# <details><summary>Answer</summary>
# An extremum needs a difference above and one below, so three scales need five differences, and five differences need six Gaussians. The
# fourth (blurred twice as much as the first) begins the next octave.
# </details>
#
# **3.** The descriptor's length is 1 and no entry is negative. Between which values does the distance of two descriptors lie?
# <details><summary>Answer</summary>
# Their cosine lies between 0 and 1, and the squared distance is 2 - 2 cos: between 0 and √2. (With entries of either sign it would be 2.)
# </details>
#
# **4.** A print of a face and its mirror image: does SIFT match them?
# <details><summary>Answer</summary>
# No. The window turns but never flips: in the mirror the cells' columns change places and angles run the other way.
# Keypoints are found at the same places; sorting the 128 numbers anew makes the descriptors those of the mirror.
# </details>
#
# **5.** (open) Faint keypoints go first in a shadow. Make the contrast test relative (to the local spread of
# brightness, say). What do you win on `lights`, and what do you lose in the sky?
# <details><summary>A start</summary>
# `china / blur(china, 20)` (scaled into [0, 1]) before everything else makes the light from the left affine; look at where the new keypoints lie.
# </details>
#
# ## References
#
# 1. D. G. Lowe, *Distinctive Image Features from Scale-Invariant Keypoints*, International Journal of Computer Vision 60(2),
#    2004: everything here; sections and figures named are its.
# 2. C. Harris, M. Stephens, *A Combined Corner and Edge Detector*, Alvey Vision Conference, 1988: the corners.
# 3. T. Lindeberg, *Feature Detection with Automatic Scale Selection*, International Journal of Computer Vision 30(2), 1998:
#    why $\sigma^2 \nabla^2 G$ compares scales.
# 4. K. Mikolajczyk, C. Schmid, *A Performance Evaluation of Local Descriptors*, IEEE PAMI 27(10), 2005: repeatability and
#    matching as they are measured today.
