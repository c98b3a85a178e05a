"""Real images as tensors, split by a fixed rule, and batches of them from a seed.

Shapes: N images, C channels, H rows, W columns, K classes, B images of a batch.

Splits. "test" is only for reporting. A split that the source does not bring is cut from
its training images, by place and not by chance, so it is the same on every machine: of
each class, in the order of the source, the first of every ten images is "val" and the
second of every ten "test". CIFAR-10, Fashion-MNIST and Imagenette bring a test split
(Imagenette calls it val), so only val is cut from them; the digits bring neither.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import pickle
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.download import DataError, available, data_root, fetch, find

__all__ = ["DataError", "Images", "augment", "available", "batches", "fetch", "load"]
__all__ += ["NORMALISATION", "READERS", "SPLITS", "data_root", "normalise"]

SPLITS = ("train", "val", "test")
EXTENSIONS = {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels", "classes")

# Mean and standard deviation per channel, fractions in [0, 1], at the original size: over
# all pixels of the 1,429 images that train on digits, and of the 60,000 and 50,000 that
# Fashion-MNIST and CIFAR-10 bring for training; tests/library/test_data.py computes them
# again. The standard deviation is over all pixels: the mean of those within single images
# is the 0.2023, 0.1994, 0.2010 that is often copied for CIFAR-10.
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
        alone; a file holds the five arrays that ARRAYS names.
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
    where, parts, classes = _open(str(name), data_root(root))
    parts = _cut(parts, classes, where)
    pixels, labels = parts[split]
    images = _pixels(pixels, size, channels)
    if name in NORMALISATION and images.shape[1:] == pixels.shape[1:]:
        mean, std = NORMALISATION[name]
    else:
        train = (
            images if split == "train" else _pixels(parts["train"][0], size, channels)
        )
        mean, std = _moments(train)
    return Images(images, labels, classes, str(name), split, mean, std)


# Each reader returns (where, {split: (pixels, labels)}, classes). Pixels are either
# uint8 (N, C, H, W), or an array of N paths that are decoded when they are asked for.


def _open(name: str, root: Path):
    if name in READERS:
        return READERS[name](root)
    for path in (Path(name).expanduser(), root / name):
        if path.is_dir():
            return _folder(path)
        if path.is_file():
            return _npz(path)
    if "/" in name or os.sep in name or name.endswith(".npz"):
        raise DataError(f"no folder and no file at {name}: check the path")
    close = difflib.get_close_matches(name.lower(), READERS, 1, 0.5)
    meant = f"did you mean {close[0]!r}? There are" if close else "there are"
    raise DataError(
        f"no data set is named {name!r}: {meant} {', '.join(READERS)}, "
        "or the path of a folder of images or of an .npz file"
    )


def _digits(_root: Path):
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    classes = tuple(map(str, range(10)))
    return "digits", {"train": _checked(images, digits.target, 10, "digits")}, classes


def _cifar10(root: Path):
    path = find("cifar10", root) or fetch("cifar10", root)
    if path.suffix == ".npz":
        return _npz(path)
    from torchvision.datasets import CIFAR10

    return _torchvision(CIFAR10, path.parent, path)


def _fashion_mnist(root: Path):
    from torchvision.datasets import FashionMNIST

    path = find("fashion-mnist", root) or fetch("fashion-mnist", root)
    return _torchvision(FashionMNIST, path.parent.parent, path)


def _torchvision(dataset: type, root: Path, path: Path):
    """Read a torchvision data set, which has been found at `path`, below `root`."""
    try:
        train, test = (dataset(str(root), train=train) for train in (True, False))
    except (RuntimeError, ValueError, OSError, EOFError, pickle.PickleError) as error:
        raise DataError(
            f"{path} is not a whole {dataset.__name__} ({error}): delete it and "
            "fetch it again with `course data`"
        ) from error
    classes = tuple(train.classes)
    parts = {
        split: _checked(
            np.asarray(part.data), np.asarray(part.targets), len(classes), path
        )
        for split, part in (("train", train), ("test", test))
    }
    return path, parts, classes


def _imagenette(root: Path):
    from torchvision.datasets import Imagenette

    path, parts, classes = _folder(
        find("imagenette", root) or fetch("imagenette", root)
    )
    parts["test"] = parts.pop("val")  # the official held-out images: only for reporting
    names = Imagenette._WNID_TO_CLASS
    return path, parts, tuple(names.get(wnid, (wnid,))[0] for wnid in classes)


READERS = {
    "digits": _digits,
    "fashion-mnist": _fashion_mnist,
    "cifar10": _cifar10,
    "imagenette": _imagenette,
}


def _npz(path: Path):
    """Read images and labels from one file; nothing in it is ever executed."""
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in ARRAYS if key not in file.files]
            if missing:
                raise DataError(
                    f"{path} lacks {', '.join(missing)}: it needs {', '.join(ARRAYS)} "
                    f"and has {', '.join(file.files) or 'nothing'}"
                )
            arrays = {key: file[key] for key in ARRAYS}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path} cannot be read ({error}): write it again with numpy.savez, plain "
            "arrays only, no objects"
        ) from error
    classes = tuple(map(str, arrays["classes"].reshape(-1)))
    parts = {
        split: _checked(
            arrays[f"{split}_images"],
            arrays[f"{split}_labels"],
            len(classes),
            f"{path}, {split}_images and {split}_labels",
        )
        for split in ("train", "test")
    }
    return path, parts, classes


def _checked(images: np.ndarray, labels: np.ndarray, classes: int, where):
    """Return uint8 (N, C, H, W) and int64 (N,), or say what is wrong with which."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or 0 in images.shape:
        raise DataError(
            f"{where}: images are {images.dtype} {images.shape}, not uint8 with values "
            "0 to 255 as (N, H, W), (N, H, W, C) or (N, C, H, W)"
        )
    if images.ndim == 3:
        images = images[:, None]
    elif images.shape[1] not in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    if images.shape[1] not in (1, 3):
        raise DataError(f"{where}: images {images.shape} have neither 1 nor 3 channels")
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise DataError(
            f"{where}: labels are {labels.dtype} {labels.shape}, not one whole number "
            f"for each of the {len(images)} images"
        )
    if labels.min() < 0 or labels.max() >= classes:
        bad = labels.min() if labels.min() < 0 else labels.max()
        raise DataError(
            f"{where}: label {bad} is outside 0 to {classes - 1}: the first of the "
            f"{classes} classes is 0"
        )
    images = np.ascontiguousarray(images)
    return torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))


def _folder(path: Path):
    """List the images of a folder in ImageFolder layout, without opening them."""
    given = {split: path / split for split in SPLITS if (path / split).is_dir()}
    if "train" not in given:
        given = {"train": path}
    classes = tuple(_classes(given["train"]))
    if not classes:
        raise DataError(
            f"no folders in {given['train']}: put the images of each class in a folder "
            "of their own, named after the class"
        )
    parts = {}
    for split, folder in given.items():
        if strange := set(_classes(folder)) - set(classes):
            raise DataError(
                f"{folder / min(strange)} is a class that {given['train']} lacks: "
                "remove it, or add training images"
            )
        files = [_image_files(folder / name) for name in classes]
        labels = torch.arange(len(classes)).repeat_interleave(
            torch.tensor([len(of_class) for of_class in files])
        )
        parts[split] = np.array([*chain.from_iterable(files)], dtype=object), labels
        if not len(labels):
            kinds = " ".join(sorted(EXTENSIONS))
            raise DataError(f"no images in the class folders of {folder} ({kinds})")
    return path, parts, classes


def _classes(folder: Path) -> list[str]:
    folders = (path.name for path in folder.iterdir() if path.is_dir())
    return sorted(name for name in folders if not name.startswith("."))


def _image_files(folder: Path) -> list[Path]:
    files = (f for f in folder.rglob("*") if f.suffix.lower() in EXTENSIONS)
    return sorted(file for file in files if not file.name.startswith("."))


def _cut(parts: dict, classes: tuple[str, ...], where) -> dict:
    """Cut the splits that are missing from train: see the top of this module."""
    pixels, labels = parts["train"]
    place = torch.empty_like(labels)  # of each image among those of its class
    for label in range(len(classes)):
        members = labels == label
        place[members] = torch.arange(int(members.sum()))
    left = torch.ones_like(labels, dtype=torch.bool)
    cut = dict(parts)
    for split, turn in (("val", 0), ("test", 1)):
        if split not in parts:
            chosen = place % 10 == turn
            cut[split] = pixels[chosen.numpy()], labels[chosen]
            left &= ~chosen
    cut["train"] = pixels[left.numpy()], labels[left]
    counts = torch.bincount(cut["train"][1], minlength=len(classes))
    if 0 in counts:
        few = int(counts.argmin())
        raise DataError(
            f"{where}: class {classes[few]!r} has {int((labels == few).sum())} training "
            "images, none after val and test are cut from them: give it 3 or more"
        )
    return cut


def _pixels(pixels: Tensor | np.ndarray, size: int | None, channels: int | None):
    """Return uint8 (N, C, H, W) of the size and the channels that are asked."""
    if isinstance(pixels, np.ndarray):
        pixels = _decode(pixels, size)
    elif size is not None and pixels.shape[2:] != (size, size):
        pixels = F.interpolate(pixels, (size, size), mode="bilinear", antialias=True)
    if channels == 1 and pixels.shape[1] == 3:
        pixels = pixels.float().mean(1, keepdim=True).round().to(torch.uint8)
    elif channels == 3:
        pixels = pixels.expand(-1, 3, -1, -1)
    return pixels.contiguous()


def _decode(files: np.ndarray, size: int | None) -> Tensor:
    """Decode N image files in threads to uint8 (N, 3, H, W), all of one size."""
    from rich.console import Console
    from rich.progress import track

    console = Console(file=sys.stdout)
    with ThreadPoolExecutor() as pool:
        decoded = pool.map(lambda file: _decode_file(file, size), files)
        quiet = not console.is_terminal or len(files) < 1000
        arrays = track(
            decoded,
            "decode",
            len(files),
            console=console,
            disable=quiet,
            transient=True,
        )
        pixels = None
        for i, array in enumerate(arrays):
            if pixels is None:
                pixels = np.empty((len(files), *array.shape), np.uint8)
            if array.shape != pixels.shape[1:]:
                (h, w), (h0, w0) = array.shape[:2], pixels.shape[1:3]
                raise DataError(
                    f"{files[i]} has {h} x {w} pixels, {files[0]} has {h0} x {w0}: "
                    "pass size= to bring all to one size"
                )
            pixels[i] = array
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def _decode_file(file: Path, size: int | None) -> np.ndarray:
    """Return one image as uint8 (H, W, 3), turned upright as its camera says."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
    except Exception as error:  # Pillow has many for one thing: this is no whole image
        raise DataError(
            f"{file} cannot be read as an image ({error}): replace or remove it"
        ) from error
    if size is not None:
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image)


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
    start: int = 0,
    device=None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield one epoch as normalised float32 (B, C, H, W) and labels (B,) on the device.

    The last batch holds what is left. All chance is a function of (seed, epoch, step),
    drawn on the CPU: the same on every device, and `start` skips steps exactly.
    flip, crop_padding: see `augment`.
    """
    if batch_size < 1:
        raise DataError(f"batch_size is {batch_size}: take 1 or more")
    order = torch.arange(len(data))
    if shuffle:
        order = torch.randperm(len(data), generator=_generator(seed, epoch))
    order = order.to(data.images.device)
    for step in range(start, -(-len(data) // batch_size)):
        chosen = order[step * batch_size : (step + 1) * batch_size]
        images = data.images.index_select(0, chosen).to(device or order.device)
        labels = data.labels.index_select(0, chosen).to(device or order.device)
        if flip or crop_padding:
            generator = _generator(seed, epoch, step)
            images = augment(
                images, flip=flip, crop_padding=crop_padding, generator=generator
            )
        yield normalise(images, data.mean, data.std), labels


def _generator(*numbers: int) -> torch.Generator:
    """Return a CPU generator for these numbers, unlike that of their neighbours."""
    seed = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(seed >> np.uint64(1)))


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


def normalise(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]):
    """Return (x / 255 - mean) / std per channel, float32, of uint8 (N, C, H, W)."""
    mean, std = torch.tensor([mean, std], dtype=torch.float64)[:, :, None, None]
    scale, offset = 1 / (255 * std), -mean / std
    scale, offset = (t.to(images.device, torch.float32) for t in (scale, offset))
    return images.to(torch.float32).mul_(scale).add_(offset)
