"""Find a data set and read one split of it: `load`.

Data sets are read by `readers` (known ones, .npz files), `folders` and `decode`;
shards, for what is too large for memory, by `stream`.

Shapes: N images, C channels, H rows, W columns, K classes.

Splits. "test" is only for reporting. A split that the source does not bring is cut from
its training images, by place and not by chance, so it is the same on every machine: of
each class, in the order of the source, the first of every ten images is "val" and the
second of every ten "test". CIFAR-10, Fashion-MNIST and Imagenette bring a test split
(Imagenette calls it val), so only val is cut from them; the digits bring neither.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.data import stream
from course_lib.data.decode import decode
from course_lib.data.download import DataError, data_root
from course_lib.data.folders import SPLITS
from course_lib.data.images import Images, moments_of, whole_number
from course_lib.data.readers import READERS, read
from course_lib.data.stream import Shards

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


def load(
    name: str | Path,
    split: str = "train",
    *,
    size: int | None = None,
    channels: int | None = None,
    root: str | Path | None = None,
) -> Images | Shards:
    """Return one split of a known data set, a folder of images or shards, or an .npz.

    name: "digits", "fashion-mnist", "cifar10", "imagenette", or a path, as it stands or
        under `root`. A folder holds train/CLASS/ and perhaps val/ and test/, or CLASS/
        alone, and images of any kind: `folders` and `decode` say how they are read
        (upright as EXIF says, in RGB, on white where transparent, 8 bits); a file holds
        train_images, train_labels, test_images, test_labels and classes: `readers`.
        Of a folder of shards, the images stay in it: see `stream`.
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
    size, channels = (
        None if n is None else whole_number(n) or 0 for n in (size, channels)
    )
    if channels not in (None, 1, 3) or (size is not None and size < 1):
        raise DataError(f"{asked}: size is 1 or more, channels is 1 or 3")
    known = str(name) in READERS  # is never looked for among shards
    if not known and (folder := stream.find(str(name), data_root(root))):
        if channels == 1:
            raise DataError(f"{folder} holds colour photos: channels is 3")
        return stream.open_shards(folder, str(name), split, size)
    where, parts, classes = read(str(name), data_root(root))
    parts = cut_splits(parts, classes, where)
    pixels, labels = parts[split]
    images = _pixels(pixels, size, channels)
    if str(name) in NORMALISATION and images.shape[1:] == pixels.shape[1:]:
        mean, std = NORMALISATION[str(name)]
    else:
        train = images if split == "train" else None
        mean, std = _train_moments(parts["train"][0], size, channels, train)
    return Images(images, labels, classes, str(name), split, mean, std)


def cut_splits(parts: dict, classes: tuple[str, ...], where) -> dict:
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
    """Return `moments_of` of the training images, for which files are decoded once."""
    key = None
    if isinstance(pixels, np.ndarray):
        times = tuple(file.stat().st_mtime_ns for file in pixels)
        key = tuple(pixels), times, size, channels
    if key is None or key not in _DECODED:
        images = _pixels(pixels, size, channels) if images is None else images
        _DECODED[key] = moments_of(images)
    return _DECODED[key]
