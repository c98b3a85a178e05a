"""The spatial pyramid: where in an image its visual words are.

Lazebnik, Schmid and Ponce, *Beyond Bags of Features*, CVPR 2006.
"""

from __future__ import annotations

import torch
from sklearn.base import clone
from torch import Tensor

from course_lib.classical.encoder import Coder, Encoder, SetTransformer, segment_of
from course_lib.classical.sets import Batch, CodebookError, one_of, whole


class SpatialPyramid(SetTransformer):
    """Encodes the cells of grids over an image, one after the other.

    encoder: a BagOfWords, Vlad or FisherVector; it learns from whole images.
    levels: cells a side of each grid.
    size: (height, width) of the images in pixels; None: the box about the keypoints of
        each image, which suits dense grids and images of mixed sizes.
    weights: None, or "pyramid": a row's parts are weighted so that the histogram
        intersection of two rows of frequencies, Σ min, is the paper's pyramid match
        kernel: each cell by its share of the image's descriptors, and each level by
        1/2^(L-l+1), the coarsest by 1/2^L (equations 2 and 3).
    Learnt: encoder_.

    A row is the encodings of level after level; in a level, of row after row of cells,
    from the top left.
    """

    needs_keypoints = True

    def __init__(self, encoder, levels=(1, 2, 4), size=None, weights=None):
        self.encoder = encoder
        self.levels = levels
        self.size = size
        self.weights = weights

    def fit(self, sets, y=None):
        """Learn the words of whole images; sets as in `transform`."""
        self._check()
        self.encoder_ = clone(self.encoder)._fit(sets, keypoints=True)
        self.n_features_in_ = self.encoder_.n_features_in_
        return self

    def _check(self) -> None:
        if not isinstance(self.encoder, Encoder):
            raise CodebookError(
                f"encoder is {self.encoder!r}: expected a BagOfWords, Vlad or "
                "FisherVector"
            )
        try:
            levels = tuple(self.levels)
        except TypeError:
            levels = ()
        for level in levels:
            whole("a level", level)
        if not levels or list(levels) != sorted(set(levels)):
            raise CodebookError(
                f"levels is {self.levels!r}: expected cells a side, rising, such as "
                "(1, 2, 4)"
            )
        if self.size is not None:
            if not isinstance(self.size, (tuple, list)) or len(self.size) != 2:
                raise CodebookError(f"size is {self.size!r}: expected (height, width)")
            for side in self.size:
                whole("a side of size", side)
        one_of("weights", self.weights, (None, "pyramid"))

    def _settings(self) -> Encoder:
        return self.encoder_

    def _coder(self) -> Coder:
        return self.encoder_._coder()

    @property
    def _n_features_out(self) -> int:
        cells = sum(level**2 for level in self.levels)
        return cells * self.encoder_._n_features_out

    def _rows(self, coder: Coder, batch: Batch) -> Tensor:
        images = len(batch.lengths)
        parts = []
        for level, (lengths, sums) in zip(
            self.levels, self._pooled(coder, batch), strict=True
        ):
            rows = coder.encode(sums)  # (images x cells, dims)
            if self.weights is not None:
                share = lengths.view(images, -1) / batch.lengths.clamp(min=1)[:, None]
                share = share.to(rows).view(-1, 1)
                rows = rows * share * level_weight(self.levels, level)
            parts.append(rows.view(images, -1))
        return torch.cat(parts, dim=1)

    def _pooled(self, coder: Coder, batch: Batch) -> list[tuple[Tensor, tuple]]:
        """Return of each level how many descriptors a cell has, and their sums.

        Descriptors are assigned once, and pooled where a level's cells are not unions
        of those of a finer one, whose sums can be added.
        """
        assigned = coder.assign(batch.descriptors)
        place = places(batch, self.size)
        found = {}
        for level in sorted(self.levels, reverse=True):
            finer = next((other for other in found if other % level == 0), None)
            if finer:
                found[level] = merged(*found[finer], finer, level)
            else:
                found[level] = pooled(coder, assigned, batch.lengths, place, level)
        return [found[level] for level in self.levels]


def pooled(coder: Coder, assigned, lengths: Tensor, place: Tensor, level: int):
    cell = (place * level).long().clamp(max=level - 1)  # (m, 2): column, row
    segment = segment_of(lengths, place.device) * level**2
    segment += cell[:, 1] * level + cell[:, 0]
    counts = torch.bincount(segment, minlength=len(lengths) * level**2).cpu()
    order = segment.argsort(stable=True)
    if level > 1:
        assigned = tuple(rows[order] for rows in assigned)
    return counts, coder.pool(assigned, counts)


def merged(counts: Tensor, sums: tuple[Tensor, ...], finer: int, level: int):
    """Return the sums of a grid of level x level cells from those of a finer one."""
    block = finer // level

    def add(values: Tensor) -> Tensor:  # (images x finer², …)
        grid = values.view(-1, level, block, level, block, *values.shape[1:])
        cells = [grid[:, :, i, :, j] for i in range(block) for j in range(block)]
        return sum(cells[1:], cells[0]).flatten(0, 2)  # grid.sum((2, 4)), but fast

    return add(counts), tuple(map(add, sums))


def places(batch: Batch, size: tuple[int, int] | None) -> Tensor:
    """Return where in its image each keypoint is: x and y in [0, 1], (m, 2)."""
    points, lengths = batch.keypoints, batch.lengths
    if size is not None:
        sides = points.new_tensor(size[::-1])  # width, height
        place = (points + 0.5) / sides  # pixel 0 reaches from -1/2 to 1/2
        outside = ((place < 0) | (place > 1)).any(dim=1)
        if outside.any():
            x, y = points[outside][0].tolist()
            raise CodebookError(
                f"a keypoint is at x = {x:g}, y = {y:g}, outside of images of height "
                f"{size[0]} and width {size[1]}: expected size=(height, width) in the "
                "keypoints' pixels, or None"
            )
        return place
    image = segment_of(lengths, points.device)
    index = image[:, None].expand(-1, 2)
    corners = points.new_zeros(len(lengths), 2)
    low = corners.scatter_reduce(0, index, points, "amin", include_self=False)
    high = corners.scatter_reduce(0, index, points, "amax", include_self=False)
    extent = high - low
    return (points - low[image]) / torch.where(extent > 0, extent, 1)[image]


def level_weight(levels: tuple[int, ...], level: int) -> float:
    """Return what a match in this level counts beyond one in the next coarser level.

    A match in a grid of g cells a side counts g / finest: the paper's 1/2^(L-l).
    """
    coarser = max((other for other in levels if other < level), default=0)
    return (level - coarser) / max(levels)
