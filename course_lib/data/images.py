"""Real images as tensors, split by a fixed rule: `load` and `Images`.

Data sets are read by `readers` (known ones, .npz files), `folders` and `decode`.

Shapes: N images, C channels, H rows, W columns, K classes, B images of a batch.

Splits. "test" is only for reporting. A split that the source does not bring is cut from
its training images, by place and not by chance, so it is the same on every machine: of
each class, in the order of the source, the first of every ten images is "val" and the
second of every ten "test". CIFAR-10, Fashion-MNIST and Imagenette bring a test split
(Imagenette calls it val), so only val is cut from them; the digits bring neither.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.data.decode import decode
from course_lib.data.download import DataError, data_root
from course_lib.data.folders import SPLITS
from course_lib.data.readers import read

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

    def take(self, which: int | Sequence[int] | Tensor) -> Images:
        """Return the first `which` images, or those of indices (n,) or a mask (N,).

        A number may be of any integral type; negative indices count from the end.
        """
        which = self._places(which)
        return replace(self, images=self.images[which], labels=self.labels[which])

    def _places(self, which) -> slice | Tensor:
        """Return what to index the images with, or say what is wrong with `which`."""
        here, has = f"{self.name} {self.split}", f"which has {len(self)}"
        if (count := _count(which)) is not None:
            if not 0 < count <= len(self):
                raise DataError(
                    f"{count} images asked of {here}, {has}: take 1 to {len(self)}"
                )
            return slice(count)
        if isinstance(which, np.ndarray):  # in the order of bytes that torch knows
            which = np.array(which, which.dtype.newbyteorder("="), order="C")
        try:
            places = torch.as_tensor(which)
        except (TypeError, ValueError, RuntimeError):
            places = torch.tensor(0.0)
        if places.shape == (0,):
            places = places.long()
        if places.ndim != 1 or places.is_floating_point() or places.is_complex():
            raise DataError(
                f"{which!r:.60} asked of {here}: take a number of images, whole "
                "numbers (n,), or a mask of True and False, one an image"
            )
        if places.dtype == torch.bool:
            if len(places) != len(self):
                raise DataError(f"a mask of {len(places)} asked of {here}, {has}")
            return places.to(self.images.device)
        places = places.long()  # bytes would be taken for a mask
        if len(places) and not -len(self) <= places.min() <= places.max() < len(self):
            bad = places.min() if places.min() < -len(self) else places.max()
            raise DataError(
                f"image {bad} asked of {here}, {has}: the last one is {len(self) - 1}"
            )
        return places.to(self.images.device)

    @cached_property
    def digest(self) -> str:
        """The sha256, in hex, of shape, pixels, labels and class names."""
        sha = hashlib.sha256(repr((tuple(self.images.shape), self.classes)).encode())
        for tensor in (self.images, self.labels):
            sha.update(tensor.cpu().contiguous().numpy())
        return sha.hexdigest()


def _count(which) -> int | None:
    """Return a whole number of any type, or None for what is none: True is none."""
    if getattr(which, "ndim", 0) or "bool" in str(getattr(which, "dtype", type(which))):
        return None
    try:
        return operator.index(which)
    except TypeError:
        return None


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
        alone, and images of any kind: `folders` and `decode` say how they are read
        (upright as EXIF says, in RGB, on white where transparent, 8 bits); a file holds
        train_images, train_labels, test_images, test_labels and classes: `readers`.
    split: "train", "val" or "test"; the top of this module says how they are cut.
    size: resize to size x size pixels (bilinear, antialiased; squashes if need be);
        None: the images must be of one size.
    channels: 3 repeats a grey plane, 1 averages colour, None leaves them.
    root: where data sets are and where downloads go: $COURSE_DATA, or else data/.

    A set that is not there is downloaded. DataError says what is wrong with which file.
    """
    if split not in SPLITS:
        raise DataError(f"no split is named {split!r}: take train, val or test")
    asked = f"size {size!r}, channels {channels!r}"
    size, channels = (None if n is None else _count(n) or 0 for n in (size, channels))
    if channels not in (None, 1, 3) or (size is not None and size < 1):
        raise DataError(f"{asked}: size is 1 or more, channels is 1 or 3")
    where, parts, classes = read(str(name), data_root(root))
    parts = _cut(parts, classes, where)
    pixels, labels = parts[split]
    images = _pixels(pixels, size, channels)
    if str(name) in NORMALISATION and images.shape[1:] == pixels.shape[1:]:
        mean, std = NORMALISATION[str(name)]
    else:
        train = images if split == "train" else None
        mean, std = _train_moments(parts["train"][0], size, channels, train)
    return Images(images, labels, classes, str(name), split, mean, std)


def _cut(parts: dict, classes: tuple[str, ...], where) -> dict:
    """Cut the splits that are missing from train: the top of this module says how."""
    pixels, labels = parts["train"]
    place = torch.empty_like(labels)  # of each image among those of its class
    for label in range(len(classes)):
        members = labels == label
        place[members] = torch.arange(int(members.sum()))
    turns = {"val": 0, "test": 1}  # of every ten
    chosen = {s: place % 10 == turn for s, turn in turns.items() if s not in parts}
    chosen["train"] = ~sum(chosen.values(), torch.zeros_like(labels, dtype=torch.bool))
    left = labels[chosen["train"]].bincount(minlength=len(classes))
    if 0 in left:
        poor = int(left.argmin())
        count = int((labels == poor).sum())
        raise DataError(
            f"{where}: class {classes[poor]!r} has {count} training images, of which "
            "none is left after val and test are cut: give it 3 or more"
        )
    return parts | {s: (pixels[m.numpy()], labels[m]) for s, m in chosen.items()}


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
