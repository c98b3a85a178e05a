"""Real images as tensors, split by a fixed rule, and batches of them from a seed.

Shapes: N images, C channels, H rows, W columns, K classes, B images of a batch.

Splits. "test" is only for reporting. A split that the source does not bring is cut from
its training images, by place and not by chance, so it is the same on every machine: of
each class, in the order of the source, the first of every ten images is "val" and the
second of every ten "test". CIFAR-10, Fashion-MNIST and Imagenette bring a test split
(Imagenette calls it val), so only val is cut from them; the digits bring neither.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.download import DataError, available, data_root, fetch
from course_lib.sources import SPLITS, cut, decode, read

__all__ = ["DataError", "Images", "augment", "available", "batches", "fetch", "load"]
__all__ += ["NORMALISATION", "SPLITS", "cut_out", "normalise"]


# Mean and standard deviation per channel, fractions in [0, 1], at the original size:
# over all pixels of the 1,429 images that train on digits, and of the 60,000 and 50,000
# that Fashion-MNIST and CIFAR-10 bring for training; a test computes them again. (The
# mean of the deviations within single images is another number: the 0.2023, 0.1994,
# 0.2010 that is often copied for CIFAR-10.)
NORMALISATION = {
    "digits": ((0.3054,), (0.3760,)),
    "fashion-mnist": ((0.2860,), (0.3530,)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
}


@dataclass(frozen=True, eq=False)
class Images:
    """One split of a data set, held whole in memory.

    images: uint8 (N, C, H, W). labels: int64 (N,), in [0, K). classes: K names.
    mean, std: per channel, of the training split, fractions in [0, 1].
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    name: str
    split: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device) -> Images:
        """Return the same images on `device`."""
        return replace(
            self, images=self.images.to(device), labels=self.labels.to(device)
        )

    def take(self, which: int | Tensor) -> Images:
        """Return the first `which` images, or those of indices (n,) or a mask (N,)."""
        if isinstance(which, int):
            if not 0 < which <= len(self):
                raise DataError(
                    f"{which} images asked of {self.name} {self.split}, which has "
                    f"{len(self)}: take 1 to {len(self)}"
                )
            return replace(self, images=self.images[:which], labels=self.labels[:which])
        which = torch.as_tensor(which, device=self.images.device)
        return replace(self, images=self.images[which], labels=self.labels[which])

    @cached_property
    def digest(self) -> str:
        """The sha256, in hex, of shape, pixels, labels and class names."""
        sha = hashlib.sha256(repr((tuple(self.images.shape), self.classes)).encode())
        for tensor in (self.images, self.labels):
            sha.update(tensor.cpu().contiguous().numpy())
        return sha.hexdigest()


def load(
    name: str | Path,
    split: str = "train",
    *,
    size: int | None = None,
    channels: int | None = None,
    root: str | Path | None = None,
) -> Images:
    """Return one split of a known data set, a folder of images, or an .npz file.

    name: "digits", "fashion-mnist", "cifar10", "imagenette", or a path, as it stands or
        under `root`. A folder holds train/CLASS/ and perhaps val/ and test/, or CLASS/
        alone; a file holds train_images, train_labels, test_images, test_labels and
        classes.
    split: "train", "val" or "test"; the top of this module says how they are cut.
    size: resize to size x size pixels (bilinear, antialiased; squashes if need be).
    channels: 3 repeats a grey plane, 1 averages colour, None leaves them.
    root: where data sets are and where downloads go: $COURSE_DATA, or else data/.

    A set that is not there is downloaded. DataError says what is wrong with which file.
    """
    if split not in SPLITS:
        raise DataError(f"no split is named {split!r}: take train, val or test")
    if channels not in (None, 1, 3) or (size is not None and size < 1):
        raise DataError(
            f"size {size}, channels {channels}: size is 1 or more, channels is 1 or 3"
        )
    where, parts, classes = read(str(name), data_root(root))
    parts = cut(parts, classes, where)
    pixels, labels = parts[split]
    images = _pixels(pixels, size, channels)
    if str(name) in NORMALISATION and images.shape[1:] == pixels.shape[1:]:
        mean, std = NORMALISATION[str(name)]
    else:
        train = images if split == "train" else None
        mean, std = _train_moments(parts["train"][0], size, channels, train)
    return Images(images, labels, classes, str(name), split, mean, std)


def _pixels(pixels: Tensor | np.ndarray, size: int | None, channels: int | None):
    """Return uint8 (N, C, H, W) of the size and the channels that are asked."""
    if isinstance(pixels, np.ndarray):
        pixels = decode(pixels, size)
    elif size is not None and pixels.shape[2:] != (size, size):
        pixels = F.interpolate(pixels, (size, size), mode="bilinear", antialias=True)
    if channels == 1 and pixels.shape[1] == 3:
        pixels = pixels.float().mean(1, keepdim=True).round().to(torch.uint8)
    elif channels == 3:
        pixels = pixels.expand(-1, 3, -1, -1)
    return pixels.contiguous()


_DECODED: dict = {}  # moments of the files that this process has decoded to train on


def _train_moments(pixels, size: int | None, channels: int | None, images=None):
    """Return `_moments` of the training images, for which files are decoded once."""
    key = None
    if isinstance(pixels, np.ndarray):
        times = tuple(file.stat().st_mtime_ns for file in pixels)
        key = tuple(pixels), times, size, channels
    if key is None or key not in _DECODED:
        images = _pixels(pixels, size, channels) if images is None else images
        _DECODED[key] = _moments(images)
    return _DECODED[key]


def _moments(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation per channel, over all pixels of all images.

    images: uint8 (N, C, H, W). The results are fractions in [0, 1], exact: they are
    taken from how often each of the 256 values occurs.
    """
    values = torch.arange(256, dtype=torch.float64) / 255
    counts = [
        torch.bincount(plane.flatten(), minlength=256) for plane in images.unbind(1)
    ]
    share = torch.stack(counts).double() / counts[0].sum()  # (C, 256)
    mean = share @ values
    std = (share @ values**2 - mean**2).clamp(min=0).sqrt()
    return tuple(mean.tolist()), tuple(std.tolist())


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
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield one epoch as normalised float32 (B, C, H, W) and labels (B,) on the device.

    The last batch holds what is left. All chance is a function of (seed, epoch, step),
    drawn on the CPU: the same on every device, and `start` skips steps exactly.
    flip, crop_padding: see `augment`.  cutout: see `cut_out`.
    """
    if batch_size < 1:
        raise DataError(f"batch_size is {batch_size}: take 1 or more")
    order = torch.arange(len(data))
    if shuffle:
        order = torch.randperm(len(data), generator=_generator(seed, epoch, 0))
    order = order.to(data.images.device)
    for step in range(start, -(-len(data) // batch_size)):
        chosen = order[step * batch_size : (step + 1) * batch_size]
        images = data.images.index_select(0, chosen).to(device or order.device)
        labels = data.labels.index_select(0, chosen).to(device or order.device)
        generator = _generator(seed, epoch, step + 1)
        if flip or crop_padding:
            images = augment(
                images, flip=flip, crop_padding=crop_padding, generator=generator
            )
        images = normalise(images, data.mean, data.std)
        yield (cut_out(images, cutout, generator) if cutout else images), labels


def _generator(seed: int, epoch: int, draw: int) -> torch.Generator:
    """Return a CPU generator that is a function of three whole numbers, 0 or more."""
    mixed = np.random.SeedSequence([seed, epoch, draw]).generate_state(1)
    return torch.Generator().manual_seed(int(mixed[0]))


def augment(
    images: Tensor,
    *,
    flip: bool = False,
    crop_padding: int = 0,
    generator: torch.Generator,
) -> Tensor:
    """Mirror half of the images (N, C, H, W), and shift each by up to `crop_padding`.

    A shift is a crop of the same size from the image with a black border. Each image
    has its own draw; those of `flip` and `crop_padding` do not depend on each other.
    """
    n, channels, height, width = images.shape
    mirrored = torch.randint(0, 2, (n, 1), generator=generator) * int(flip)
    shift = torch.randint(0, 2 * crop_padding + 1, (2, n, 1), generator=generator)
    rows = torch.arange(height) + shift[0]  # (N, H)
    columns = torch.arange(width)
    columns = torch.where(mirrored == 1, columns.flip(0), columns) + shift[1]  # (N, W)
    wide = width + 2 * crop_padding
    places = (rows[:, :, None] * wide + columns[:, None]).flatten(1)  # (N, H W)
    places = places.to(images.device)[:, None].expand(-1, channels, -1)
    padded = F.pad(images, [crop_padding] * 4)
    return padded.flatten(2).gather(2, places).view(images.shape)


def cut_out(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Return images (N, C, H, W) with a square of 0, the mean colour, in each.

    The square's centre is any pixel, so a part of it may lie outside.
    Source: arXiv:1708.04552.
    """
    inside = []
    for length in images.shape[2:]:
        first = torch.randint(0, length, (len(images), 1), generator=generator)
        places = torch.arange(length) - first + side // 2  # (N, length)
        inside.append((places >= 0) & (places < side))
    square = inside[0][:, None, :, None] & inside[1][:, None, None, :]  # (N, 1, H, W)
    return images.masked_fill(square.to(images.device), 0.0)


def normalise(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]):
    """Return (x / 255 - mean) / std per channel, float32, of uint8 (N, C, H, W)."""
    scale, offset = _affine(tuple(mean), tuple(std), images.device)
    return images.to(torch.float32, copy=True).mul_(scale).add_(offset)


@lru_cache(maxsize=16)  # or each batch would wait for two copies to the GPU
@torch.inference_mode(False)  # what is kept must serve a later training, too
def _affine(mean: tuple, std: tuple, device: torch.device) -> tuple[Tensor, Tensor]:
    mean, std = torch.tensor([mean, std], dtype=torch.float64)[:, :, None, None]
    std = torch.where(std > 0, std, 1)  # a plane of one colour becomes 0
    return tuple(t.to(device, torch.float32) for t in (1 / (255 * std), -mean / std))
