"""One epoch as batches: order, augmentation and normalisation, all from a seed.

Shapes: N images, C channels, H rows, W columns, B images of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.data.download import DataError
from course_lib.data.images import Images


def batches(
    data: Images,
    batch_size: int,
    *,
    seed: int = 0,
    epoch: int = 0,
    shuffle: bool = False,
    flip: bool = False,
    crop_padding: int = 0,
    cutout: int = 0,
    start: int = 0,
    device=None,
    share: tuple[int, int] = (0, 1),
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield one epoch as normalised float32 (B, C, H, W) and labels (B,) on the device.

    The last batch holds what is left. All chance is a function of (seed, epoch, step),
    drawn on the CPU: the same on every device, and `start` skips steps exactly.
    flip, crop_padding: see `augment`.  cutout: see `cut_out`.
    data: a split in memory, or one in shards, which draws its own (`stream.Shards`).
    share: (r, n) yields the images r, r + n, r + 2n … of each batch, as they are in it.
    """
    if not isinstance(data, Images):  # a stream draws its own
        chosen = {"flip": flip, "crop_padding": crop_padding, "cutout": cutout}
        chosen |= {"seed": seed, "epoch": epoch, "start": start, "shuffle": shuffle}
        yield from data.batches(batch_size, **chosen, device=device, share=share)
        return
    if batch_size < 1:
        raise DataError(f"batch_size is {batch_size}: take 1 or more")
    order = torch.arange(len(data))
    if shuffle:
        order = torch.randperm(len(data), generator=generator_of(seed, epoch, 0))
    order = order.to(data.images.device)
    for step in range(start, -(-len(data) // batch_size)):
        chosen = order[step * batch_size : (step + 1) * batch_size]
        draw = Draw(generator_of(seed, epoch, step + 1), len(chosen), *share)
        chosen = chosen[draw.mine]
        images = data.images.index_select(0, chosen).to(device or order.device)
        labels = data.labels.index_select(0, chosen).to(device or order.device)
        if flip or crop_padding:
            images = augment(
                images, flip=flip, crop_padding=crop_padding, generator=draw
            )
        images = normalise(images, data.mean, data.std)
        yield (cut_out(images, cutout, draw) if cutout else images), labels


class Draw:
    """Chance of a whole batch, of which every n-th image is here, from the r-th on."""

    def __init__(self, generator: torch.Generator, whole: int, r: int = 0, n: int = 1):
        self.generator, self.whole, self.mine = generator, whole, slice(r, None, n)

    def whole_number(self, low: int, high: int) -> Tensor:
        """Return a number in [low, high) for each image here, int64 (B, 1)."""
        shape = (self.whole, 1)
        return torch.randint(low, high, shape, generator=self.generator)[self.mine]

    def fractions(self, count: int) -> Tensor:
        """Return `count` numbers in [0, 1) for each image here, float32 (B, count)."""
        shape = (self.whole, count)
        return torch.rand(shape, generator=self.generator)[self.mine]


def generator_of(seed: int, epoch: int, draw: int) -> torch.Generator:
    """Return a CPU generator that is a function of three whole numbers, 0 or more."""
    mixed = np.random.SeedSequence([seed, epoch, draw]).generate_state(1)
    return torch.Generator().manual_seed(int(mixed[0]))


def augment(
    images: Tensor,
    *,
    flip: bool = False,
    crop_padding: int = 0,
    generator: torch.Generator | Draw,
) -> Tensor:
    """Mirror half of the images (N, C, H, W), and shift each by up to `crop_padding`.

    A shift is a crop of the same size from the image with a black border. Each image
    has its own draw; those of `flip` and `crop_padding` do not depend on each other.
    """
    n, channels, height, width = images.shape
    draw = generator if isinstance(generator, Draw) else Draw(generator, n)
    mirrored = draw.whole_number(0, 2) * int(flip)
    shift = [draw.whole_number(0, 2 * crop_padding + 1) for _ in range(2)]
    rows = torch.arange(height) + shift[0]  # (N, H)
    columns = torch.arange(width)
    columns = torch.where(mirrored == 1, columns.flip(0), columns) + shift[1]  # (N, W)
    wide = width + 2 * crop_padding
    places = (rows[:, :, None] * wide + columns[:, None]).flatten(1)  # (N, H W)
    places = places.to(images.device)[:, None].expand(-1, channels, -1)
    padded = F.pad(images, [crop_padding] * 4)
    return padded.flatten(2).gather(2, places).view(images.shape)


def cut_out(images: Tensor, side: int, generator: torch.Generator | Draw) -> Tensor:
    """Return images (N, C, H, W) with a square of 0, the mean colour, in each.

    The square's centre is any pixel, so a part of it may lie outside.
    Source: arXiv:1708.04552.
    """
    draw = generator if isinstance(generator, Draw) else Draw(generator, len(images))
    inside = []
    for length in images.shape[2:]:
        first = draw.whole_number(0, length)
        places = torch.arange(length) - first + side // 2  # (N, length)
        inside.append((places >= 0) & (places < side))
    square = inside[0][:, None, :, None] & inside[1][:, None, None, :]  # (N, 1, H, W)
    return images.masked_fill(square.to(images.device), 0.0)


def normalise(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]):
    """Return (x / 255 - mean) / std per channel, float32, of uint8 (N, C, H, W)."""
    scale, offset = affine(tuple(mean), tuple(std), images.device)
    return images.to(torch.float32, copy=True).mul_(scale).add_(offset)


@lru_cache(maxsize=16)  # or each batch would wait for two copies to the GPU
@torch.inference_mode(False)  # what is kept must serve a later training, too
def affine(mean: tuple, std: tuple, device: torch.device) -> tuple[Tensor, Tensor]:
    mean, std = torch.tensor([mean, std], dtype=torch.float64)[:, :, None, None]
    std = torch.where(std > 0, std, 1)  # a plane of one colour becomes 0
    return tuple(t.to(device, torch.float32) for t in (1 / (255 * std), -mean / std))
