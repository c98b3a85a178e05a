"""Upright SIFT descriptors on a grid, at several scales: what codebooks learn from."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence

import joblib
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator, TransformerMixin
from torch import Tensor

from course_lib.classical.batches import side_by_side, target
from course_lib.classical.describe import ANGLES, CELL_WIDTH, CELLS, clipped
from course_lib.classical.inputs import ImageError, checked, fractions, grey
from course_lib.classical.scale_space import CAMERA, blur
from course_lib.classical.sift import Features

PIXELS = 64_000  # of a batch on a CPU: what it needs fits the cache


class DenseSift(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """Turn images into descriptors at all points of a grid, at several scales.

    step: pixels between two points of the grid, which is centred on the image.
    cells: widths of a cell in pixels, one a scale; a descriptor is 4 cells wide.
    smooth: blur of the image in cell widths; 1/3 is that of SIFT's keypoints.
    border: pixels at each side where no point lies.
    colour: describe red, green and blue apart: descriptors are (n, 384).
    root: RootSIFT, the square root of entries that sum to 1, for which the dot product
        is Hellinger's kernel (Arandjelović and Zisserman, CVPR 2012).
    memory: a folder (or joblib.Memory) in which each image's descriptors are kept, so
        that the next run, or the next fold, reads them.
    batch_size: images of one size that are worked on at once; by default as many as
        suit the device.
    device: default is CUDA where there is one, else the CPU.

    A descriptor is that of Sift for a keypoint of a scale of a third of the cell and of
    orientation 0, computed from every pixel of its window.
    Source: Lazebnik, Schmid, Ponce, CVPR 2006, section 4; Lowe, IJCV 2004, section 6.
    """

    def __init__(
        self,
        step=4,
        cells=(4, 6, 8),
        smooth=1 / 6,
        border=0,
        colour=False,
        root=True,
        memory=None,
        batch_size=None,
        device=None,
    ):
        self.step = step
        self.cells = cells
        self.smooth = smooth
        self.border = border
        self.colour = colour
        self.root = root
        self.memory = memory
        self.batch_size = batch_size
        self.device = device

    def fit(self, images, y=None):
        """Learn nothing: images are only checked."""
        self._images(images)
        return self

    def transform(self, images) -> Descriptions:
        """Return a sequence with (keypoints, descriptors) of each image.

        images: a list of (H, W), (H, W, 3) or (3, H, W); uint8, or float in [0, 1].
        The sequence is lazy: images are described when it is gone through, so that
        those of a large data set need not fit into memory.
        Raises ImageError that names an image which is none of these.
        """
        return Descriptions(self, self._images(images))

    def _images(self, images) -> list[Tensor]:
        sizes = (self.step, *self.cells, self.smooth)
        if not self.cells or min(sizes) <= 0 or self.border < 0:
            raise ImageError(
                f"step {self.step}, cells {self.cells}, smooth {self.smooth}, border "
                f"{self.border}: expected numbers above 0 (border: or 0)"
            )
        return checked(images)

    def _settings(self) -> tuple:
        cells = tuple(map(float, self.cells))
        rest = float(self.smooth), float(self.border), bool(self.root)
        return float(self.step), cells, *rest, bool(self.colour)

    def set_output(self, *, transform=None):
        """Do nothing: a sequence of arrays of unlike length fits in no table."""
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


class Descriptions(Sequence):
    """The descriptors of images, computed batch by batch when they are asked for."""

    def __init__(self, extractor: DenseSift, images: list[Tensor]):
        self.extractor, self.images = extractor, images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, which):
        """Return one image's Features, or the Descriptions of a slice of images."""
        if isinstance(which, slice):
            return Descriptions(self.extractor, self.images[which])
        return next(iter(Descriptions(self.extractor, [self.images[which]])))

    def __iter__(self) -> Iterator[Features]:
        """Yield (keypoints, descriptors) of each image, in order."""
        if not self.images:
            return
        options, device = self.extractor, target(self.extractor.device)
        settings = options._settings()
        batches = list(self._in_order(device))
        if options.memory is None:
            work = functools.partial(described, settings=settings, device=device)
        else:
            memory = joblib.Memory(options.memory, verbose=0)
            if isinstance(options.memory, joblib.Memory):
                memory = options.memory
            work = functools.partial(kept, memory, settings=settings, device=device)
        stacks = (torch.stack(self.images[start:end]) for start, end in batches)
        for keypoints, descriptors in side_by_side(work, stacks, device):
            for own in descriptors:
                yield Features(keypoints, own)

    def _in_order(self, device: torch.device) -> Iterator[tuple[int, int]]:
        """Yield where batches start and end: neighbours of one size."""
        start = 0
        for end in range(1, len(self.images) + 1):
            first = self.images[start]
            most = self.extractor.batch_size or max(
                1, (1 if device.type == "cpu" else 32) * PIXELS // first.numel()
            )
            last = end == len(self.images) or self.images[end].shape != first.shape
            if last or end - start == most:
                yield start, end
                start = end

    def __repr__(self) -> str:
        return f"Descriptions of {len(self)} images, computed when they are asked for"


def kept(memory: joblib.Memory, images: Tensor, settings: tuple, device):
    """Return what `described` does, reading from `memory` what was computed before."""
    cached = memory.cache(described_one, ignore=["device"])
    found = [cached(image.numpy(), settings, device) for image in images]
    return found[0][0], np.stack([descriptors for _, descriptors in found])


def described_one(image: np.ndarray, settings: tuple, device):
    keypoints, descriptors = described(torch.from_numpy(image)[None], settings, device)
    return keypoints, descriptors[0]


@torch.no_grad()
def described(images: Tensor, settings: tuple, device) -> tuple[np.ndarray, np.ndarray]:
    """Return keypoints (n, 4) and descriptors (N, n, D) of images (N, C, H, W)."""
    step, cells, smooth, border, root, colour = settings
    images = images.to(device)
    if colour:
        images = fractions(images).expand(-1, 3, -1, -1)
    else:
        images = grey(images)[:, None]
    height, width = images.shape[-2:]
    xs, ys = ticks(width, step, border), ticks(height, step, border)
    places, parts = [], []
    for cell in cells:
        sigma = math.sqrt(max((smooth * cell) ** 2 - CAMERA**2, 0))
        planes = blur(images.flatten(0, 1), (sigma,))[:, 0]
        down, across = (
            pooling(side, at, cell).to(planes)
            for side, at in ((height, tuple(ys)), (width, tuple(xs)))
        )
        entries = pooled(planes, down, across)  # (N C, points, 128)
        entries = rooted(clipped(entries)) if root else clipped(entries)
        entries = entries.unflatten(0, (len(images), -1))  # (N, C, points, 128)
        parts.append(entries.transpose(1, 2).flatten(2))
        y, x = np.meshgrid(ys, xs, indexing="ij")
        scale = np.full_like(x, cell / CELL_WIDTH)
        places.append(np.stack([x, y, scale, 0 * x], axis=-1).reshape(-1, 4))
    keypoints = np.concatenate(places).astype(np.float32)
    return keypoints, torch.cat(parts, dim=1).cpu().numpy()


def ticks(side: int, step: float, border: float) -> list[float]:
    """Return the places of a centred grid along one side; the middle if none fit."""
    steps = max(0, math.floor((side - 1 - 2 * border) / step))
    return [
        (side - 1 - steps * step) / 2 + number * step for number in range(steps + 1)
    ]


@functools.lru_cache(maxsize=256)
def pooling(side: int, places: tuple[float, ...], cell: float) -> Tensor:
    """Return (4 n, side): what each pixel of a line counts for four cells at n places.

    Less the further it is from a cell's centre, linearly, and from the descriptor's:
    Gaussian, half its width wide; section 6.1. The product of a row's and a column's
    weight is that of a pixel.
    """
    away = (
        torch.arange(side) - torch.tensor(places, dtype=torch.float64)[:, None]
    ) / cell
    centres = torch.arange(CELLS) - (CELLS - 1) / 2
    weights = (1 - (away[:, None] - centres[:, None]).abs()).clamp_min(
        0
    )  # (n, 4, side)
    weights = weights * torch.exp(-0.5 * (away / (CELLS / 2)) ** 2)[:, None]
    return weights.flatten(0, 1)


def pooled(planes: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Return (N, points, 128): gradients of (N, H, W) by cell row, column and angle."""
    dx, dy = torch.zeros_like(planes), torch.zeros_like(planes)
    torch.sub(planes[..., 2:], planes[..., :-2], out=dx[..., 1:-1])
    torch.sub(planes[..., 2:, :], planes[..., :-2, :], out=dy[..., 1:-1, :])
    magnitude = torch.hypot(dx, dy)
    angle = torch.atan2(dy, dx).mul_(-ANGLES / (2 * math.pi))  # -4 to 4
    bins = torch.arange(ANGLES, device=angle.device)[:, None, None] - ANGLES // 2
    apart = (angle[:, None] - bins).abs()  # (N, 8, H, W)
    share = (1 - torch.minimum(apart, ANGLES - apart)).clamp_min_(0)
    share *= magnitude[:, None]
    cells = down @ (share @ across.T)  # (N, 8, 4 rows, 4 columns)
    cells = cells.unflatten(3, (-1, CELLS)).unflatten(2, (-1, CELLS))
    cells = cells.roll(ANGLES // 2, dims=1).permute(0, 2, 4, 3, 5, 1)
    return cells.flatten(3).flatten(1, 2)


def rooted(descriptors: Tensor) -> Tensor:
    """Return the square roots of entries scaled to sum 1; zeros stay."""
    return F.normalize(descriptors, p=1, dim=-1).sqrt_()
