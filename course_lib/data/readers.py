"""Read data sets: those the course knows, and .npz files; folders: see `folders`.

An .npz holds train_images, train_labels, test_images, test_labels and classes. Images
are uint8, 0 black and 255 white, as (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3
channels; labels are whole numbers of any width and byte order, from 0; classes are
names, in the order of the labels. Floats, wider integers and objects are refused.
"""

from __future__ import annotations

import difflib
import functools
import os
import pickle
from pathlib import Path

import numpy as np
import torch

from course_lib.data.download import DataError, fetch
from course_lib.data.folders import read_folder

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels", "classes")

# Each reader returns (where, {split: (pixels, labels)}, classes). Pixels are either
# uint8 (N, C, H, W), or an array of N paths that are decoded when they are asked for.


def read(name: str, root: Path):
    """Return what the reader of a known name, or of a path, makes of it."""
    if name in READERS:
        return READERS[name](root)
    for path in (Path(os.path.expanduser(name)), root / name):
        if os.path.isdir(path):
            return read_folder(path)
        if os.path.isfile(path):
            return _npz(path)
    if "/" in name or os.sep in name or name.endswith(".npz"):
        raise DataError(
            f"no folder and no file at {name} that you may read: check the path"
        )
    close = difflib.get_close_matches(name.lower(), READERS, 1, 0.5)
    meant = f"did you mean {close[0]!r}? There are" if close else "there are"
    raise DataError(
        f"no data set is named {name!r}: {meant} {', '.join(READERS)}, "
        "or the path of a folder of images or of an .npz file, "
        f"as it stands or in {root}"
    )


def _digits(_root: Path):
    classes = tuple(map(str, range(10)))
    return "digits", {"train": _scikit_learns()}, classes


@functools.cache
def _scikit_learns():
    """Read scikit-learn's digits, a text file, once; to be copied, not changed."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    return _checked(images, digits.target, 10, "digits")


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

    path, parts, classes = read_folder(fetch("imagenette", root))
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
    arrays = _arrays(path)
    classes = _names(arrays["classes"], f"{path}, classes")
    parts = {
        split: _checked(
            arrays[f"{split}_images"],
            arrays[f"{split}_labels"],
            len(classes),
            f"{path}, {split}_images and {split}_labels",
        )
        for split in ("train", "test")
    }
    train, test = (tuple(parts[split][0].shape[1:]) for split in ("train", "test"))
    if train != test:
        raise DataError(
            f"{path}: train_images are {train} (channels, height, width) and "
            f"test_images {test}: bring them to one form"
        )
    return path, parts, classes


def _arrays(path: Path) -> dict[str, np.ndarray]:
    key = "it"
    try:
        with np.load(path, allow_pickle=False) as file:
            if missing := [key for key in ARRAYS if key not in file.files]:
                has = ", ".join(file.files[:5]) or "nothing"
                more = " and more" if len(file.files) > 5 else ""
                raise DataError(
                    f"{path} lacks {', '.join(missing)}: it needs {', '.join(ARRAYS)} "
                    f"and has {has}{more}"
                )
            arrays = {}
            for key in ARRAYS:
                arrays[key] = file[key]
            return arrays
    except DataError:
        raise
    except Exception as error:  # a damaged file fails in many ways
        raise DataError(
            f"{path} cannot be read ({key}: {error}): write it again with numpy.savez, "
            "plain arrays only, no objects (classes: numpy.array(names, dtype=str))"
        ) from error


def _names(values: np.ndarray, where) -> tuple[str, ...]:
    """Return the names of classes, in order: text, or whole numbers."""
    if values.dtype.kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: not UTF-8 text ({error})") from error
    if values.dtype.kind not in "Uiu" or values.ndim > 1:
        raise DataError(f"{where}: {values.dtype} {values.shape}, not a row of names")
    names = tuple(values.reshape(-1).astype(str).tolist())
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{where}: {twice[0]!r} is there twice: name each class apart")
    return names


def _checked(images: np.ndarray, labels: np.ndarray, classes: int, where):
    """Return uint8 (N, C, H, W) and int64 (N,), or say what is wrong with which."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or 0 in images.shape:
        raise DataError(
            f"{where}: images are {images.dtype} {images.shape}, not uint8 with values "
            "0 to 255 as (N, H, W), (N, H, W, C) or (N, C, H, W); of floats from 0 to "
            "1 make (255 * images).round().astype('uint8')"
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
