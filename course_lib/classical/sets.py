"""What counts as a list of descriptor sets; passes through it, batch by batch.

A list of sets may be lazy and larger than memory: it is only ever gone through in
order, and one batch of it is held at a time.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_lib.classical.inputs import is_sequence
from course_lib.errors import CourseError

LARGEST = 1e9  # of descriptors: float32 holds 1e38, a sum of squares of a million 1e24


class CodebookError(CourseError, ValueError):
    """Descriptors that cannot be encoded, or a codebook that cannot be learnt."""


class Batch(NamedTuple):
    """Some images in a row, their descriptors one below the other."""

    descriptors: Tensor  # (m, D)
    lengths: Tensor  # (N,) int64 on the CPU, of sum m: descriptors an image
    keypoints: Tensor | None  # (m, 4) where they are asked for


class Set(NamedTuple):
    descriptors: np.ndarray | Tensor  # (n, D)
    keypoints: np.ndarray | Tensor | None  # (n, 4)


def batches(
    sets,
    rows: int,
    images: int | None = None,
    width: int | None = None,
    keypoints: bool = False,
    dtype: torch.dtype = torch.float32,
    device="cpu",
    title: str | None = None,
) -> Iterator[Batch]:
    """Go through sets in order, so many together as have at most `rows` descriptors.

    sets: a sequence with an item an image: (keypoints, descriptors), or descriptors
        alone, (n, D); n may be 0. A set of more than `rows` is a batch of its own.
    images: at most so many together.  width: D, where it is known.
    title: of a progress bar, or None for none.
    Raises CodebookError that names the first image which is none of these.
    """
    check(sets)
    held, count, number, total = [], 0, -1, len(sets)
    for number, item in enumerate(shown(sets, title, total)):
        if number == total:
            break
        one = as_set(item, number, keypoints)
        length = len(one.descriptors)
        if length:
            width = width or one.descriptors.shape[1]
            if one.descriptors.shape[1] != width:
                raise CodebookError(
                    f"the descriptors of image {number} have "
                    f"{one.descriptors.shape[1]} entries: expected {width}, as before"
                )
        if held and (count + length > rows or len(held) == images):
            yield stacked(held, number - len(held), width, dtype, device)
            held, count = [], 0
        held.append(one)
        count += length
    if number + 1 != total:
        gave = "more" if number == total else number + 1
        raise CodebookError(
            f"the sequence says that it has {total} images, but gave {gave}: expected "
            "a __len__ and an __iter__ that agree"
        )
    if held:
        yield stacked(held, number + 1 - len(held), width, dtype, device)


def check(sets) -> None:
    if isinstance(sets, (str, bytes)) or not is_sequence(sets):
        raise CodebookError(
            f"the descriptors are a {type(sets).__name__}: expected a sequence with "
            "one set an image, that can be gone through again; make it a list"
        )
    if isinstance(sets, tuple) and hasattr(sets, "keypoints"):  # Features
        raise CodebookError(
            "these are the features of one image: expected a list; pass [features]"
        )
    if getattr(sets, "ndim", 1) == 2:
        raise CodebookError(
            f"the descriptors are one array {tuple(sets.shape)}: expected a list of "
            "sets; for a single image, [descriptors]"
        )
    if getattr(sets, "ndim", 1) == 3 and sets.shape[2] in (1, 3):
        raise CodebookError(
            f"the descriptors are one array {tuple(sets.shape)}, as a photo has: "
            "expected what Sift or DenseSift give for a list of images; of sets that "
            "are so narrow pass list(sets)"
        )


def as_set(item, number: int, keypoints: bool) -> Set:
    points = None
    if isinstance(item, tuple):
        if len(item) != 2:
            raise CodebookError(
                f"image {number} is a tuple of {len(item)}: expected (keypoints, "
                "descriptors)"
            )
        points, item = item
    elif keypoints:
        raise CodebookError(
            f"image {number} has descriptors alone: a pyramid asks where they are; "
            "pass (keypoints, descriptors), as Sift gives them"
        )
    descriptors = as_rows(item, f"the descriptors of image {number}")
    if not keypoints:
        return Set(descriptors, None)
    points = as_rows(points, f"the keypoints of image {number}")
    if len(points) != len(descriptors) or (len(points) and points.shape[1] < 2):
        raise CodebookError(
            f"image {number} has keypoints {tuple(points.shape)} for "
            f"{len(descriptors)} descriptors: expected a row each, x and y first"
        )
    return Set(descriptors, points)


def as_rows(values, name: str) -> np.ndarray | Tensor:
    """Return values as they are, if they are numbers in rows."""
    if isinstance(values, Tensor):
        numbers = not (values.is_complex() or values.dtype == torch.bool)
    else:
        try:
            values = np.asarray(values)
        except ValueError:  # a list of unequal lists
            values = np.asarray(None)
        numbers = values.dtype.kind in "fiu"
        if not values.dtype.isnative:
            values = values.astype(values.dtype.newbyteorder("="))
    if not numbers:
        raise CodebookError(f"{name} are no array of numbers: expected (n, D)")
    if values.ndim == 1 and len(values) == 0:
        return values.reshape(0, 0)
    if values.ndim != 2:
        raise CodebookError(
            f"{name} have the shape {tuple(values.shape)}: expected (n, D), a row a "
            "descriptor"
        )
    return values


def stacked(held: list[Set], first: int, width, dtype, device) -> Batch:
    lengths = torch.tensor([len(one.descriptors) for one in held])
    full = [one for one in held if len(one.descriptors)]
    descriptors = joined([one.descriptors for one in full], width or 0, dtype, device)
    found = {"descriptors": descriptors}
    if held[0].keypoints is not None:
        places = [one.keypoints[:, :2] for one in full]
        found["keypoints"] = joined(places, 2, dtype, device)
    for what, values in found.items():
        if not within(values):
            refuse_infinite(values, lengths, first, what)
    return Batch(descriptors, lengths, found.get("keypoints"))


def joined(parts: list, width: int, dtype: torch.dtype, device) -> Tensor:
    if not parts:
        return torch.zeros(0, width, dtype=dtype, device=device)
    if any(isinstance(part, Tensor) for part in parts):
        options = {"dtype": dtype, "device": device}
        return torch.cat(
            [torch.as_tensor(part).detach().to(**options) for part in parts]
        )
    kind = str(dtype).removeprefix("torch.")
    # a copy, so that read-only arrays (memory maps) stay what they are
    return torch.from_numpy(np.concatenate(parts, dtype=kind, casting="unsafe")).to(
        device
    )


def within(values: Tensor) -> bool:
    """Say whether all are numbers of at most LARGEST; NaN is not."""
    if not values.numel():
        return True
    low, high = values.aminmax()
    return bool((low >= -LARGEST) & (high <= LARGEST))


def refuse_infinite(values: Tensor, lengths: Tensor, first: int, what: str) -> None:
    for number, part in enumerate(values.split(lengths.tolist()), first):
        if not part.isfinite().all():
            raise CodebookError(
                f"the {what} of image {number} hold NaN or infinity: expected finite "
                "numbers; see how they were made"
            )
        if not within(part):
            raise CodebookError(
                f"the {what} of image {number} reach {part.abs().max():.3g}: expected "
                f"at most {LARGEST:.0e}, whose squares can be summed; divide all by "
                "one number"
            )


def shown(items: Iterable, title: str | None, total: int) -> Iterator:
    """Give items one by one; with a title, behind a progress bar on stdout."""
    if title is None:
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=sys.stdout)) as bar:
        yield from bar.track(items, total=total, description=title)


def whole(name: str, value, low: int = 1) -> None:
    """Refuse a parameter that is no integer of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < low:
        raise CodebookError(
            f"{name} is {value!r}: expected an integer of at least {low}"
        )


def real(name: str, value, low: float = 0, high: float = math.inf) -> None:
    """Refuse a parameter that does not lie in [low, high]."""
    if not isinstance(value, Real) or not low <= value <= high:
        raise CodebookError(
            f"{name} is {value!r}: expected a number from {low} to {high}"
        )


def one_of(name: str, value, choices: tuple) -> None:
    """Refuse a parameter that is none of the choices."""
    if value not in choices:
        listed = ", ".join(map(repr, choices))
        raise CodebookError(f"{name} is {value!r}: expected one of {listed}")
