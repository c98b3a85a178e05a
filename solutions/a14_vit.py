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
# # Assignment 14 · The Vision Transformer (20 points)
#
# The notebook `14_vit` cut images with `F.unfold`, learned one table of positions, and read the
# class token. Here you write patches without a convolution and the way back, and positions for
# another image size. You also write other ways to make one vector of many tokens.
#
# | | exercise | points |
# |---|---|---|
# | 1 | Patches without convolution | 3 |
# | 2 | Back to the image | 2 |
# | 3 | Positions for another grid | 3 |
# | 4 | A network for another image size | 2 |
# | 5 | Which tokens to read | 2 |
# | 6 | Attention as a pool | 4 |
# | 7 | What a longer sequence costs | 2 |
# | 8 | When to choose it | 2 |
#
# Replace each `raise NotImplementedError`. The cell below it is for your own prints and drawings
# and is not graded. The *visible* tests give some of the points, and you can run them. After you
# hand in, *hidden* tests ask the same function about other inputs; the first line of a hidden test
# says which. All of it computes in a few seconds.
#
# "The paper" is Dosovitskiy et al., *An Image is Worth 16x16 Words*,
# [arXiv:2010.11929](https://arxiv.org/abs/2010.11929).

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import check, flops, notebook

vits = notebook.load("14_vit")

# %% [markdown]
# ### 1 · Patches without convolution (3 points)
#
# The notebook's `unfold` puts a patch's numbers in the order channel, row, column. Masked
# autoencoders and JAX code use another one: row, column, channel. Only shapes have to change for
# it.
#
# **Contract.** `patchify(images, height, width)` takes images (N, C, H, W). It returns
# (N, T, height·width·C): the patches row by row from the top left, not overlapping. In a patch, the
# first C numbers are the channels of its top left pixel, the next C those of the pixel to the
# right. Patches need not be square. A `ValueError` is raised unless `height` divides H and `width`
# divides W.
#
# *Hint:* make six axes of the four, exchange them, and make three of the six. *To see it:* patches
# of a tensor that counts 0, 1, 2 ….

# %% nbgrader={"grade": false, "grade_id": "patchify", "locked": false, "schema_version": 3, "solution": true, "task": false}
def patchify(images: Tensor, height: int, width: int) -> Tensor:
    """Return the patches (N, T, height·width·C) of images (N, C, H, W).

    Raises ValueError when the patches do not fill the image.
    """
    ### BEGIN SOLUTION
    count, channels, rows, columns = images.shape
    if rows % height or columns % width:
        raise ValueError(f"patches of {height}×{width} do not fill {rows}×{columns}")
    cut = images.reshape(count, channels, rows // height, height, columns // width, width)
    return cut.permute(0, 2, 4, 3, 5, 1).reshape(count, -1, height * width * channels)
    ### END SOLUTION

# %%
# Yours: for example, the patches of torch.arange(48).view(1, 3, 4, 4).

# %% nbgrader={"grade": true, "grade_id": "patchify_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
counting = torch.arange(72.0).view(1, 3, 4, 6)
try:
    mine = patchify(counting, 2, 3)
except NotImplementedError:
    raise
except RuntimeError as error:
    raise AssertionError(f"{error!r}: does `height` cut the rows, and `width` the columns?") from error
assert mine is not None, "your function returns None: is there a `return`?"
for shape, words in [
    ((1, 18, 4), "the tokens come before their numbers: exchange the last two axes"),
    ((4, 18), "images and patches have an axis each"),
    ((1, 6, 12), "these patches are 2×2: `width` is 3, and patches need not be square"),
]:
    assert tuple(mine.shape) != shape, f"the patches are {shape}, expected (1, 4, 18): {words}"
assert tuple(mine.shape) == (1, 4, 18), f"the patches are {tuple(mine.shape)}, expected (1, 4, 18)"
first = mine[0, 0].tolist()
assert first != list(range(18)), "reshape alone leaves the order of the image: permute the axes before"
assert first[:4] != [0, 1, 2, 24], "channels stand between rows and columns: here they come last"
assert first[:3] != [0, 1, 2], "channels come first in your patches: here they come last"
assert first[:6] != [0, 24, 48, 6, 30, 54], "columns before rows: a patch is read row by row"
assert first[:6] == [0, 24, 48, 1, 25, 49], f"the first patch begins with {first[:6]}"
assert mine[0, 1, 0] != 12, "the second patch is to the right of the first, not below it"
starts = mine[0, :, 0].tolist()
assert starts == [0, 3, 12, 15], f"the patches begin at {starts}, expected 0, 3, 12, 15"

# %% nbgrader={"grade": true, "grade_id": "patchify_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other sizes, one channel, several images, images that patches do not fill.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(1)
for count, channels, height, width, down, right in [
    (2, 3, 2, 2, 3, 2), (3, 1, 1, 4, 5, 2), (1, 5, 3, 2, 1, 4), (2, 2, 4, 1, 2, 3),
]:
    images = torch.randn(count, channels, down * height, right * width, generator=rng)
    before = images.clone()
    mine = patchify(images, height, width)
    assert torch.equal(images, before), "your function changed its input in place"
    called = f"patchify of {tuple(images.shape)} with {height}, {width}"
    shape = count, down * right, height * width * channels
    assert tuple(mine.shape) == shape, f"{called} is {tuple(mine.shape)}, expected {shape}"
    for n in range(count):
        for patch in range(down * right):
            top, left = patch // right * height, patch % right * width
            part = images[n, :, top : top + height, left : left + width]
            true = [part[:, y, x] for y in range(height) for x in range(width)]
            assert torch.equal(mine[n, patch], torch.cat(true)), f"{called}: patch {patch}"
strided = torch.randn(2, 4, 6, 3, generator=rng).permute(0, 3, 1, 2)
assert torch.equal(patchify(strided, 2, 3), patchify(strided.contiguous(), 2, 3))
for height, width in [(3, 2), (2, 4), (5, 1)]:
    try:
        found = patchify(torch.zeros(1, 3, 4, 6), height, width)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"patches of {height}, {width} in images of 4, 6 raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% [markdown]
# ### 2 · Back to the image (2 points)
#
# A network that predicts patches must put an image together again.
#
# **Contract.** `unpatchify(patches, height, width, columns)` undoes `patchify`: patches
# (N, T, height·width·C), of which `columns` lie side by side, become images (N, C, H, W). A
# `ValueError` is raised when `columns` does not divide T or height·width does not divide the length
# of a patch.
#
# *Hint:* the same six axes, in the other order. *To see it:* a photo, cut and put together with its
# patches in reverse.

# %% nbgrader={"grade": false, "grade_id": "back", "locked": false, "schema_version": 3, "solution": true, "task": false}
def unpatchify(patches: Tensor, height: int, width: int, columns: int) -> Tensor:
    """Return the images (N, C, H, W) that have these patches, `columns` in a row.

    Raises ValueError when there is no such image.
    """
    ### BEGIN SOLUTION
    count, tokens, length = patches.shape
    if tokens % columns or length % (height * width):
        raise ValueError(f"no image has {tokens} patches of {length} in {columns} columns")
    cut = patches.reshape(count, tokens // columns, columns, height, width, -1)
    side = tokens // columns * height, columns * width
    return cut.permute(0, 5, 1, 3, 2, 4).reshape(count, -1, *side)
    ### END SOLUTION

# %%
# Yours: for example, an image whose patches are in another order.

# %% nbgrader={"grade": true, "grade_id": "back_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
patches = torch.arange(72.0).view(1, 6, 12)
mine = unpatchify(patches, 2, 3, 2)
assert mine is not None, "your function returns None: is there a `return`?"
for shape, words in [
    ((1, 2, 4, 9), "2 columns of patches, not 2 rows"),
    ((1, 2, 9, 4), "the patches are 2 high and 3 wide, not the other way round"),
    ((1, 6, 6, 2), "the channels of an image come before its rows"),
    ((2, 6, 6), "the axis of the images is missing"),
]:
    assert tuple(mine.shape) != shape, f"the image is {shape}, expected (1, 2, 6, 6): {words}"
assert tuple(mine.shape) == (1, 2, 6, 6), f"the image is {tuple(mine.shape)}, expected (1, 2, 6, 6)"
row = mine[0, 0, 0].tolist()
for wrong, words in [
    ([0, 1, 2, 3, 4, 5], "reshape alone leaves the order of the patches: permute the axes"),
    ([0, 1, 2, 12, 13, 14], "in a patch the channels come last"),
    ([0, 4, 8, 12, 16, 20], "columns before rows: a patch is read row by row"),
    ([0, 2, 4, 36, 38, 40], "the second patch lies to the right of the first, not below it"),
    ([60, 62, 64, 48, 50, 52], "the patches are in reverse"),
]:
    assert row != wrong, f"the first row of channel 0 is {row}: {words}"
assert row == [0, 2, 4, 12, 14, 16], f"the first row of channel 0 is {row}"

# %% nbgrader={"grade": true, "grade_id": "back_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: there and back for other sizes; patches that make no image.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(2)
for count, channels, height, width, down, right in [
    (2, 3, 2, 2, 3, 2), (3, 1, 1, 4, 5, 2), (1, 5, 3, 2, 1, 4), (2, 2, 4, 1, 2, 3),
]:
    images = torch.randn(count, channels, down * height, right * width, generator=rng)
    places = [(n // right * height, n % right * width) for n in range(down * right)]
    parts = [images[:, :, y : y + height, x : x + width] for y, x in places]
    patches = torch.stack([part.movedim(1, 3).flatten(1) for part in parts], dim=1)
    mine = unpatchify(patches, height, width, right)
    called = f"unpatchify(…, {height}, {width}, {right})"
    assert mine.shape == images.shape, f"{called} is {tuple(mine.shape)}"
    assert torch.equal(mine, images), f"{called} is not the image"
for shape, height, width, columns in [
    ((1, 6, 4), 2, 2, 4), ((1, 6, 4), 3, 1, 2), ((1, 5, 4), 1, 1, 2), ((1, 6, 6), 2, 2, 3),
]:
    try:
        found = unpatchify(torch.zeros(shape), height, width, columns)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"{shape} with {height}, {width}, {columns} raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% [markdown]
# ### 3 · Positions for another grid (3 points)
#
# A network was trained on G×G patches, and now gets images with another number of them. The paper
# (section 3.2) interpolates the learned positions **in two dimensions**.
#
# **Contract.** `resize_positions(position, rows, columns)` takes (1, 1 + G², D), the class token's
# position first. It returns (1, 1 + rows·columns, D). The first one stays as it is. The others are
# a grid of G×G vectors, row by row, interpolated bilinearly. The new place (i, j) lies in the old
# grid at
#
# $$y = (i + \tfrac12)\,\frac{G}{\mathrm{rows}} - \tfrac12, \qquad x = (j + \tfrac12)\,\frac{G}{\mathrm{columns}} - \tfrac12,$$
#
# both limited to [0, G − 1]. It is a new tensor. A `ValueError` is raised when the old ones are no
# square or `rows` or `columns` is below 1.
#
# *Hint:* `F.interpolate` wants (N, C, H, W); `align_corners=False` is the formula above.
# *To see it:* one of the D numbers as an image, before and after.

# %% nbgrader={"grade": false, "grade_id": "positions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def resize_positions(position: Tensor, rows: int, columns: int) -> Tensor:
    """Return positions (1, 1 + rows·columns, D) from (1, 1 + G², D), bilinear.

    Raises ValueError unless the old grid is square and the new one has 1 place or more.
    """
    ### BEGIN SOLUTION
    side = math.isqrt(position.shape[1] - 1)
    if side**2 != position.shape[1] - 1 or rows < 1 or columns < 1:
        raise ValueError(f"{position.shape[1] - 1} positions to {rows}×{columns}")
    grid = position[:, 1:].mT.unflatten(2, (side, side))
    grid = F.interpolate(grid, (rows, columns), mode="bilinear", align_corners=False)
    return torch.cat([position[:, :1], grid.flatten(2).mT], dim=1)
    ### END SOLUTION

# %%
# Yours: a number of the positions as an image, before and after.

# %% nbgrader={"grade": true, "grade_id": "positions_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
position = torch.tensor([9.0, 0, 4, 8, 12]).view(1, 5, 1)
mine = resize_positions(position, 4, 4)
assert mine is not None, "your function returns None: is there a `return`?"
assert tuple(mine.shape) != (1, 16, 1), "the class token's position is lost: it comes first"
assert tuple(mine.shape) == (1, 17, 1), f"the positions are {tuple(mine.shape)}, expected (1, 17, 1)"
assert mine[0, 0, 0] == 9, "the class token's position stays as it is"
grid = mine[0, 1:, 0].view(4, 4)
line = F.interpolate(position[:, 1:].mT, 16, mode="linear")[0, 0]
assert not torch.allclose(grid.flatten(), line, atol=1e-4), (
    "positions are interpolated in 2-D: yours are one line of 16"
)
assert not torch.equal(grid[:2, :2], torch.zeros(2, 2)), "the nearest is no interpolation"
cubic = F.interpolate(position[:, 1:].view(1, 1, 2, 2), (4, 4), mode="bicubic")[0, 0]
assert not torch.allclose(grid, cubic, atol=1e-4), "bicubic: bilinear is asked for"
corner = grid[1, 1].item()
assert abs(corner - 4) > 1e-4, "`align_corners` is not the formula"
check.close(grid[0], [0.0, 1.0, 3.0, 4.0], what="the first row")
check.close(grid[:, 0], [0.0, 2.0, 6.0, 8.0], what="the first column")
assert mine.dtype == position.dtype, f"the positions are {mine.dtype}, expected {position.dtype}"
flat = resize_positions(position, 1, 4)[0, 1:, 0]
assert not torch.allclose(flat, torch.tensor([2.0, 4, 8, 10])), "rows and columns are exchanged"
check.close(flat, [4.0, 5.0, 7.0, 8.0], what="a grid of one row and four columns")
mine = resize_positions(torch.arange(10.0).view(1, 5, 2), 2, 2)[0, 1:]
assert torch.equal(mine[:, 1] - mine[:, 0], torch.ones(4)), "the D numbers of a position were torn apart: transpose, then unflatten"
old = torch.randn(1, 17, 1, generator=torch.Generator().manual_seed(1))
smooth = F.interpolate(old[:, 1:].view(1, 1, 4, 4), (1, 1), mode="bilinear", antialias=True)
assert not torch.isclose(resize_positions(old, 1, 1)[0, 1, 0], smooth.squeeze()), "smoothed when it shrinks: the formula reads four places, so no `antialias`"

# %% nbgrader={"grade": true, "grade_id": "positions_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other grids, not square, smaller ones, the same one; a grid that is no square.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(3)


def between(line: Tensor, place: float) -> Tensor:
    """The value at a place between the numbers of a line (G, …)."""
    place = min(max(place, 0.0), len(line) - 1.0)
    low = min(int(place), max(len(line) - 2, 0))
    high = min(low + 1, len(line) - 1)
    return line[low] + (place - low) * (line[high] - line[low])


for side, rows, columns, width in [(3, 5, 2, 4), (4, 4, 4, 3), (5, 2, 7, 2), (1, 3, 2, 3), (6, 3, 3, 1), (3, 1, 1, 2)]:
    position = torch.randn(1, 1 + side**2, width, generator=rng)
    before, mine = position.clone(), resize_positions(position, rows, columns)
    assert torch.equal(position, before), "your function changed its input in place"
    called = f"resize_positions of {side}×{side} to {rows}×{columns}"
    shape = 1, 1 + rows * columns, width
    assert tuple(mine.shape) == shape, f"{called} is {tuple(mine.shape)}, expected {shape}"
    assert torch.equal(mine[:, 0], position[:, 0]), f"{called}: the class token's position"
    grid, true = position[0, 1:].view(side, side, width), []
    for i in range(rows):
        row = between(grid, (i + 0.5) * side / rows - 0.5)
        true += [between(row, (j + 0.5) * side / columns - 0.5) for j in range(columns)]
    check.close(mine[0, 1:], torch.stack(true), 1e-4, 1e-5, what=called)
for tokens, rows, columns in [(7, 2, 2), (5, 0, 2), (5, 2, 0), (5, 2, -1), (4, 2, 2)]:
    try:
        found = resize_positions(torch.zeros(1, tokens, 2), rows, columns)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"{tokens} positions to {rows}×{columns} raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% [markdown]
# ### 4 · A network for another image size (2 points)
#
# Pre-train at 224 pixels, fine-tune at 384: the same patches, more of them.
#
# **Contract.** `at_size(net, image_size)` takes a `ViT` of the notebook. It returns a *new* one for
# square images of `image_size` pixels, with the positions of exercise 3 and all other weights
# equal. The old network stays as it is, and the two share no memory. Its positions can be trained.
# If the patch size does not divide `image_size`, it raises `ValueError`.
#
# *Hint:* `copy.deepcopy`; the patch size is in `net.stem.project`. *To see it:* logits of an image
# and of the same one at twice the size.

# %% nbgrader={"grade": false, "grade_id": "resized", "locked": false, "schema_version": 3, "solution": true, "task": false}
def at_size(net: nn.Module, image_size: int) -> nn.Module:
    """Return a copy of a ViT for images of another size.

    Raises ValueError when patches do not fill it.
    """
    ### BEGIN SOLUTION
    patch_size = net.stem.project.kernel_size[0]
    if image_size % patch_size:
        raise ValueError(f"patches of {patch_size} pixels do not fill {image_size}")
    new, side = copy.deepcopy(net), image_size // patch_size
    new.stem.image_size = image_size
    new.stem.position = nn.Parameter(resize_positions(net.stem.position.detach(), side, side))
    return new
    ### END SOLUTION

# %%
# Yours: for example, the logits at two sizes.

# %% nbgrader={"grade": true, "grade_id": "resized_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(4)
net = vits.ViT(8, 2, vits.Row(depth=1, width=12, hidden=16, heads=3), 5).eval()
new = at_size(net, 12)
assert new is not None, "your function returns None: is there a `return`?"
assert new is not net, "return a new network, and leave the old one as it is"
assert tuple(net.stem.position.shape) == (1, 17, 12), "the old network has changed"
trained = {name: tuple(value.shape) for name, value in new.named_parameters()}
assert "stem.position" in trained, "the positions can no longer be trained: make them an nn.Parameter"
assert new.stem.position.requires_grad, "the positions can no longer be trained: they are frozen"
shape = trained["stem.position"]
assert shape != (1, 145, 12), "a place for each of the 144 pixels: count patches, 6·6"
assert shape != (1, 36, 12), "the class token's position is lost: use exercise 3"
assert shape == (1, 37, 12), f"the positions are {shape}, expected (1, 37, 12)"
equal = torch.allclose(new.stem.position, resize_positions(net.stem.position, 6, 6), atol=1e-5)
assert equal, "the positions are not those of exercise 3: were they drawn anew?"
for name, value in net.state_dict().items():
    equal = name == "stem.position" or torch.equal(new.state_dict()[name], value)
    assert equal, f"{name} is not that of the old network: copy all weights"
try:
    new(torch.zeros(1, 3, 12, 12))
except ValueError as error:
    raise AssertionError(f"{error!r}: the new stem still has the old image_size") from error
check.shape(new, (2, 3, 12, 12), (2, 5))
check.gradients(new, (2, 3, 12, 12))
assert tuple(net.stem.position.shape) == (1, 17, 12), "the old network has changed"

# %% nbgrader={"grade": true, "grade_id": "resized_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: weights equal and not shared, the same size, a smaller one; sizes that patches do not fill.
### BEGIN HIDDEN TESTS
torch.manual_seed(5)
for size, patch, other in [(9, 3, 15), (8, 2, 8), (16, 4, 8)]:
    net = vits.ViT(size, patch, vits.Row(1, 8, 8, 2), 3).eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    new = at_size(net, other)
    for name, value in new.state_dict().items():
        if name != "stem.position":
            assert torch.equal(value, before[name]), f"{name} is not that of the old network"
    side, old = other // patch, before["stem.position"]
    true = resize_positions(old, side, side)  # yours, of exercise 3
    what = f"positions of {size} pixels at {other}"
    mine = new.state_dict()["stem.position"]
    check.close(mine, true, 1e-4, 1e-5, what=what)
    assert tuple(new(torch.randn(2, 3, other, other)).shape) == (2, 3)
    new.load_state_dict({name: value + 1 for name, value in new.state_dict().items()})
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), f"{name} of the old network: shared memory"
    try:
        found = type(at_size(net, other + 1)).__name__
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"{other + 1} pixels with patches of {patch} raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% [markdown]
# ### 5 · Which tokens to read (2 points)
#
# The class token is a habit of BERT. Later networks read the mean of the patches.
#
# **Contract.** `logits_from(net, images, pool)` runs the notebook's `ViT`, with `pool` in place of
# its class token. "class" reads the class token. "mean" reads the mean of the patch tokens,
# *without* the class token. "all" is the mean of all tokens. "max" is the largest number over the
# patch tokens, for each of the D entries. The final layer norm comes *before* the pool, the linear
# layer after it. Another word is a `ValueError`.
#
# *Hint:* `net.stem`, `net.stages` (which ends with the norm), `net.head`. *To see it:* which pools
# agree on a random network?

# %% nbgrader={"grade": false, "grade_id": "pooled", "locked": false, "schema_version": 3, "solution": true, "task": false}
def logits_from(net: nn.Module, images: Tensor, pool: str) -> Tensor:
    """Return the logits (N, K) from the tokens that `pool` names.

    Raises ValueError unless it is "class", "mean", "all" or "max".
    """
    ### BEGIN SOLUTION
    tokens = net.stages(net.stem(images))
    pools = {
        "class": lambda: tokens[:, 0],
        "mean": lambda: tokens[:, 1:].mean(dim=1),
        "all": lambda: tokens.mean(dim=1),
        "max": lambda: tokens[:, 1:].amax(dim=1),
    }
    if pool not in pools:
        raise ValueError(f"pool is {pool!r}: expected one of {[*pools]}")
    return net.head(pools[pool]())
    ### END SOLUTION

# %%
# Yours: the four answers for one image.

# %% nbgrader={"grade": true, "grade_id": "pooled_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(6)
net = vits.ViT(6, 2, vits.Row(1, 12, 16, 2), 4).eval()
with torch.no_grad():
    net.stages[-1].weight.uniform_(0.2, 2.0)
    net.stages[-1].bias.normal_()
    net.stem.class_token.normal_()
images = torch.randn(3, 3, 6, 6)
pools = {
    "class": lambda z: z[:, 0],
    "mean": lambda z: z[:, 1:].mean(dim=1),
    "all": lambda z: z.mean(dim=1),
    "max": lambda z: z[:, 1:].amax(dim=1),
}
norm, head = net.stages[-1], net.head
with torch.no_grad():
    bare = net.stages[:-1](net.stem(images))
    tokens = norm(bare)
    for pool, read in pools.items():
        mine = logits_from(net, images, pool)
        assert mine is not None, "your function returns None: is there a `return`?"
        assert tuple(mine.shape) != (3, 12), f"{pool}: the linear layer is missing at the end"
        assert tuple(mine.shape) == (3, 4), f"{pool}: {tuple(mine.shape)}, expected (3, 4)"
        right = head(read(tokens))
        for wrong, words in [
            (head(read(bare)), "the norm is missing"),
            (head(norm(read(bare))), "the norm comes before the pool"),
            (head(norm(read(tokens))), "the norm is applied twice: `net.stages` ends with it"),
            (head(tokens[:, 0]), "this is the class token"),
            (head(tokens[:, -1]), "this is the last token; the class token is the first"),
            (head(tokens[:, 1:].mean(dim=1)), "the class token counts, too"),
            (head(tokens.mean(dim=1)), "the class token is no patch"),
            (head(tokens.amax(dim=1)), "the class token is no patch"),
            (head(tokens)[:, 1:].amax(dim=1), "the linear layer comes after the pool"),
        ]:
            same = torch.allclose(wrong, right, atol=1e-4)
            assert same or not torch.allclose(mine, wrong, atol=1e-5), f"{pool}: {words}"
        check.close(mine, right, 1e-4, 1e-5, what=f"logits from {pool!r}")

# %% nbgrader={"grade": true, "grade_id": "pooled_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: another network, each pool against the definition, number by number; another word.
### BEGIN HIDDEN TESTS
torch.manual_seed(7)
net = vits.ViT(8, 4, vits.Row(1, 8, 12, 4), 3).eval()
images = torch.randn(5, 3, 8, 8)
with torch.no_grad():
    net.stages[-1].weight.uniform_(0.2, 2.0)
    net.stages[-1].bias.normal_()
    tokens = net.stages(net.stem(images)).tolist()
    for pool, choose in {
        "class": lambda column: column[0],
        "mean": lambda column: sum(column[1:]) / len(column[1:]),
        "all": lambda column: sum(column) / len(column),
        "max": lambda column: max(column[1:]),
    }.items():
        vectors = [[choose(column) for column in zip(*rows, strict=True)] for rows in tokens]
        true = net.head(torch.tensor(vectors))
        check.close(logits_from(net, images, pool), true, 1e-4, 1e-5, what=f"logits from {pool!r}")
for word in ("token", "", "Mean"):
    try:
        found = logits_from(net, images, word)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"the pool {word!r} raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% [markdown]
# ### 6 · Attention as a pool (4 points)
#
# A mean gives each token the same weight. A learned query can choose: *one* query attends to all
# tokens, in h heads.
#
# $$p_t = \mathrm{softmax}_t\!\left(\frac{q \cdot k_t}{\sqrt{D/h}}\right), \qquad y = \mathrm{project}\Big(\sum_t p_t\, v_t\Big)$$
#
# **Contract.** `AttentionPool(width, heads)` is an `nn.Module` that maps tokens (N, T, D) to
# (N, D). The parameter `query` (D,) is normally distributed with standard deviation 0.02. The
# linear layer `key_value` makes 2D numbers of D: the first D are the key, the others the value. The
# linear layer `project` makes D of D. Both have biases. In query, keys and values the first D/h
# numbers belong to the first head, and so on. If `heads` does not divide `width`, it raises
# `ValueError`.
#
# *Hint:* the notebook's `Attention` has the shapes; here one row of scores is left for each head.
# *To see it:* draw p on a photo.

# %% nbgrader={"grade": false, "grade_id": "attend", "locked": false, "schema_version": 3, "solution": true, "task": false}
class AttentionPool(nn.Module):
    """Pool tokens (N, T, width) to (N, width) with one learned query in `heads` heads.

    Raises ValueError unless heads divides width.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        ### BEGIN SOLUTION
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width}")
        self.heads = heads
        self.query = nn.Parameter(0.02 * torch.randn(width))
        self.key_value = nn.Linear(width, 2 * width)
        self.project = nn.Linear(width, width)
        ### END SOLUTION

    def forward(self, tokens: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        keys, values = self.key_value(tokens).chunk(2, dim=-1)
        keys, values = (x.unflatten(-1, (self.heads, -1)) for x in (keys, values))
        query = self.query.unflatten(0, (self.heads, -1))
        scores = (keys * query).sum(dim=-1) / query.shape[-1] ** 0.5
        weights = scores.softmax(dim=1)
        return self.project((weights[..., None] * values).sum(dim=1).flatten(1))
        ### END SOLUTION

# %%
# Yours: for example, the weights of a trained pool on a photo.

# %% nbgrader={"grade": false, "grade_id": "attend_spec", "locked": true, "schema_version": 3, "solution": false, "task": false}
def by_number(state: dict, tokens: Tensor, heads: int, scale: float) -> Tensor:
    """The pool's formula, number by number, with weights by name as in `state_dict()`."""
    width, own = tokens.shape[2], tokens.shape[2] // heads
    made = F.linear(tokens, state["key_value.weight"], state["key_value.bias"]).tolist()
    query, answer = state["query"].tolist(), []
    for rows in made:
        mixed = []
        for n in range(width):
            part = range(n // own * own, n // own * own + own)
            scores = [math.exp(scale * sum(query[i] * row[i] for i in part)) for row in rows]
            values = [row[width + n] for row in rows]
            weighted = [s * v for s, v in zip(scores, values, strict=True)]
            mixed.append(sum(weighted) / sum(scores))
        answer.append(mixed)
    return F.linear(torch.tensor(answer), state["project.weight"], state["project.bias"])


def redrawn(state: dict, seed: int) -> dict:
    """Return a state_dict with other numbers in it."""
    rng = torch.Generator().manual_seed(seed)
    return {name: torch.randn(value.shape, generator=rng) for name, value in state.items()}

# %% nbgrader={"grade": false, "grade_id": "attend_likely", "locked": true, "schema_version": 3, "solution": false, "task": false}
def mistaken(state: dict, tokens: Tensor) -> dict[str, Tensor]:
    """Return likely wrong answers of AttentionPool(6, 2), by what is wrong in them."""
    likely = {
        "the scale √(D/h) is forgotten": by_number(state, tokens, 2, 1.0),
        "the scale is √(D/h) of a head, not √D": by_number(state, tokens, 2, 6**-0.5),
        "one head over the whole width": by_number(state, tokens, 1, 6**-0.5),
        "the scale is the root of D/h, not D/h itself": by_number(state, tokens, 2, 1 / 3),
        "multiplied by √(D/h): divide by it": by_number(state, tokens, 2, 3**0.5),
    }
    turned = torch.arange(6).view(3, 2).T.flatten()  # channels dealt out to the heads in turn
    for words, rows in [
        ("values come before keys: the first D numbers are the key", torch.arange(12).roll(6)),
        ("keys and values in turn: the first D numbers are the key", torch.arange(12).view(6, 2).T.flatten()),
        ("a head has D/h numbers side by side: unflatten to (h, D/h)", torch.cat([turned, 6 + turned])),
    ]:
        other = {name: state[name][rows] for name in ("key_value.weight", "key_value.bias")}
        likely[words] = by_number(state | other, tokens, 2, 3**-0.5)
    for words, weight in [
        ("the layer `project` is missing", torch.eye(6)),
        ("the heads are joined in another order than they were cut", state["project.weight"][:, turned]),
    ]:
        bias = state["project.bias"] * (weight.count_nonzero() > 6)
        other = {"project.weight": weight, "project.bias": bias}
        likely[words] = by_number(state | other, tokens, 2, 3**-0.5)
    flat = state | {"query": torch.zeros(6)}
    likely["all tokens have the same weight"] = by_number(flat, tokens, 2, 1.0)
    grown = tokens.shape[1] * (likely["all tokens have the same weight"] - state["project.bias"])
    likely["softmax on the wrong axis"] = grown + state["project.bias"]
    return likely

# %% nbgrader={"grade": true, "grade_id": "attend_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
pool = AttentionPool(6, 2)
shapes = {name: tuple(value.shape) for name, value in pool.state_dict().items()}
expected = {
    "query": (6,), "key_value.weight": (12, 6), "key_value.bias": (12,),
    "project.weight": (6, 6), "project.bias": (6,),
}
assert shapes.keys() == expected.keys(), f"the parameters are {[*shapes]}, expected {[*expected]}: this is no attention of a library or the notebook"
assert shapes == expected, f"the parameters are {shapes}, expected {expected}"
state = redrawn(pool.state_dict(), 8)
pool.load_state_dict(state)
tokens = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(9))
answer = pool(tokens).detach()
assert tuple(answer.shape) == (3, 6), f"the output is {tuple(answer.shape)}, expected (3, 6)"
alone = pool(tokens[:1]).detach()
same = torch.allclose(answer[:1], alone, atol=1e-4)
assert same, "softmax on the wrong axis: an answer depends on the other images"
for mistake, wrong in mistaken(state, tokens).items():
    assert not torch.allclose(answer, wrong, atol=1e-4), mistake
check.close(answer, by_number(state, tokens, 2, 3**-0.5), 1e-3, 1e-4, what="AttentionPool(6, 2)")
fresh = AttentionPool(6, 2)
fresh(tokens).square().sum().backward()
assert fresh.query.grad is not None, "the query gets no gradient: was it cut off?"
check.gradients(AttentionPool(6, 2), (2, 3, 6))
assert any(weight.requires_grad for weight in pool.parameters()), "nothing can learn"

# %% nbgrader={"grade": true, "grade_id": "attend_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other widths and heads, one token, shuffled tokens, the initialisation; heads that do not divide.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(9)
for width, heads, count, length in [(8, 4, 2, 5), (6, 1, 3, 2), (9, 3, 1, 7), (4, 4, 2, 3), (4, 2, 3, 1)]:
    pool, tokens = AttentionPool(width, heads), torch.randn(count, length, width, generator=rng)
    state = redrawn(pool.state_dict(), 10 * width + heads)
    pool.load_state_dict(state)
    both = torch.cat([tokens, tokens.flip(1)])
    before, (mine, shuffled) = both.clone(), pool(both).detach().chunk(2)
    assert torch.equal(both, before), "your pool changed its input in place"
    true = by_number(state, tokens, heads, (width // heads) ** -0.5)
    what = f"AttentionPool({width}, {heads}) of {length} tokens"
    check.close(mine, true, 1e-3, 1e-4, what=what)
    check.close(shuffled, mine, 1e-3, 1e-4, what=f"{what}, shuffled")
check.gradients(pool, (2, 3, 4))
spread = AttentionPool(400, 2).query.std().item()
assert abs(spread - 0.02) < 0.004, f"the query's standard deviation is {spread:.3f}, expected 0.02"
for width, heads in [(6, 4), (8, 3), (2, 4)]:
    try:
        found = type(AttentionPool(width, heads)).__name__
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"AttentionPool({width}, {heads}) raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "attend_learns", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(10)
pixels, labels = torch.randn(8, 3, 8, 8), torch.arange(8)
pool = AttentionPool(16, 4)
net = nn.Sequential(vits.PatchEmbedding(8, 2, 16), pool, nn.GELU(), nn.Linear(16, 10))
check.gradients(net, (4, 3, 8, 8))
check.learns(net, pixels, labels, learning_rate=0.02)
total = sum(p.numel() for p in pool.parameters())
assert total == 832, f"the pool has {total:,} parameters, expected 832"

# %% [markdown]
# ### 7 · What a longer sequence costs (2 points)
#
# **Expect, then compute.** DeiT-S has 12 blocks of width 384, 6 heads, a perceptron of 1,536,
# patches of 16, 1,000 classes. How many parameters does it have for images of 224 pixels? How many
# tokens (class token included) at 224 and at 448? And how many MACs are spent in all its blocks on
# *pairs* of tokens (scores and their use of the values) at 448? Write the four numbers down, as
# arithmetic.
#
# *Hint:* a block has two layer norms, and every layer has a bias. *To see it:* `flops.count` tells,
# after you have written your numbers.

# %% nbgrader={"grade": false, "grade_id": "expect", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expected_costs() -> tuple[int, int, int, int]:
    """Return the parameters at 224, tokens at 224, tokens at 448, MACs for pairs at 448."""
    ### BEGIN SOLUTION
    width, hidden = 384, 1536
    attention, norms = 3 * width * width + 3 * width + width * width + width, 2 * 2 * width
    block = attention + norms + 2 * width * hidden + hidden + width
    small, large = 1 + 14 * 14, 1 + 28 * 28
    stem = 3 * 16 * 16 * width + width + width + small * width
    params = stem + 12 * block + 2 * width + 1000 * width + 1000
    return params, small, large, 12 * 2 * large * large * width
    ### END SOLUTION

# %%
# Yours: did you expect it?

# %% nbgrader={"grade": true, "grade_id": "expect_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: your four numbers, against the notebook's network and the counter.
### BEGIN HIDDEN TESTS
row = vits.Row(depth=1, width=384, hidden=1536, heads=6)
with torch.device("meta"):  # with one block; eleven more are like it
    nets = [vits.ViT(side, 16, row, 1000) for side in (224, 448)]
counted = flops.count(nets[1], (1, 3, 448, 448)).macs
layers = sum(p.numel() for p in nets[1].stages.parameters() if p.ndim == 2)
tokens = [net.stem.position.shape[1] for net in nets]
linear = tokens[1] * layers + (tokens[1] - 1) * 3 * 256 * 384 + 384 * 1000
net, block = (sum(p.numel() for p in m.parameters()) for m in (nets[0], nets[0].stages[0]))
true = [net + 11 * block, *tokens, 12 * (counted - linear)]
with check.without("torch.nn.Module.__init__"):  # a pencil builds no network
    mine = list(expected_costs())
names = "parameters", "tokens at 224", "tokens at 448", "MACs for pairs"
D, pairs = 384, 12 * 785**2 * 384
likely = {
    true[0] - 12 * 4 * D: "a block has two layer norms, with a gain and a bias each",
    true[0] - 12 * 2 * D: "queries, keys and values have a bias each",
    true[0] - D: "the class token has a vector and a position",
    true[0] - 2 * D: "the final norm, or the class token with its position, is missing",
    true[0] - 197 * D: "the positions are learned, too",
    true[0] - 1000 * D - 1000: "the head is missing",
    true[0] - 1000: "the head has biases",
    true[0] - 3 * 256 * D - D: "the patch embedding is missing",
    196: "the class token is a token, too",
    784: "the class token is a token, too",
    2 * 197: "twice as many pixels a side are four times as many patches",
    pairs: "scores and their use of the values: two products",
    12 * pairs: "the heads divide the channels: their number cancels out",
    4 * pairs: "a multiplication and an addition are one MAC",
    pairs // 6: "twelve blocks, not one",
    2 * 12 * 785 * D: "each token is paired with all 785",
}
for name, found, number in zip(names, mine, true, strict=True):
    said = f"{name}: you expected {found:,}, there are {number:,}"
    assert found == number, f"{said}: {likely.get(found, 'write down each layer')}"
### END HIDDEN TESTS

# %% [markdown]
# ### 8 · When to choose it (2 points)
#
# "Transformers are better than convolutional networks." A friend has 5,000 labelled photos, a
# laptop, and wants a classifier. When is the sentence right, when is it wrong, and what do you tell
# your friend? Answer in two to four sentences. Give one number that the notebook shows.

# %% [markdown] nbgrader={"grade": true, "grade_id": "when_why", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# The notebook's ViT had no advantage on up to 5,000 images: at equal MACs the residual network was
# 5.2 to 7.5 points better. Attention must learn from data that neighbours belong together; a
# convolution has it built in. With much data, for example JFT's 303 million images, L/16 reaches
# 87.1 % on ImageNet, and with ImageNet alone 76.5 %, less than the smaller B/16. So the friend
# trains a convolutional network from scratch, or fine-tunes a transformer that someone else has
# pre-trained.
#
# **Marking scheme.** 1 point: the amount of (pre-training) data decides, with what convolutions
# have built in as the reason. 1 point: a number from the notebook and an advice that follows from
# it.
# ### END SOLUTION
