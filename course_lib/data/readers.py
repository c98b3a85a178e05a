"""Read data sets: those the course knows, folders of images, and .npz files."""

from __future__ import annotations

import difflib
import os
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course_lib.data.download import DataError, fetch

SPLITS = ("train", "val", "test")
EXTENSIONS = {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels", "classes")

# Each reader returns (where, {split: (pixels, labels)}, classes). Pixels are either
# uint8 (N, C, H, W), or an array of N paths that are decoded when they are asked for.


def read(name: str, root: Path):
    """Return what the reader of a known name, or of a path, makes of it."""
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
    path = fetch("cifar10", root)
    if path.suffix == ".npz":
        return _npz(path)
    from torchvision.datasets import CIFAR10

    return _torchvision(CIFAR10, path.parent, path)


def _fashion_mnist(root: Path):
    from torchvision.datasets import FashionMNIST

    path = fetch("fashion-mnist", root)
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

    path, parts, classes = _folder(fetch("imagenette", root))
    if "val" not in parts:
        raise DataError(f"{path} has no folder val: delete it and fetch it again")
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
    except DataError:
        raise
    except Exception as error:  # a damaged file fails in many ways
        raise DataError(
            f"{path} cannot be read ({error}): write it again with numpy.savez, plain "
            "arrays only, no objects"
        ) from error
    classes = tuple(arrays["classes"].reshape(-1).astype(str).tolist())
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


def cut(parts: dict, classes: tuple[str, ...], where) -> dict:
    """Cut the splits that are missing from train: the top of `data.py` says how."""
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


def decode(files: np.ndarray, size: int | None) -> Tensor:
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
