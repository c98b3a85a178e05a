"""One split of a data set in memory: `Images`.

Shapes: N images, C channels, H rows, W columns, K classes.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from course_lib.data.download import DataError


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
        if (count := whole_number(which)) is not None:
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


def whole_number(which) -> int | None:
    """Return a whole number of any type, or None for what is none: True is none."""
    if getattr(which, "ndim", 0) or "bool" in str(getattr(which, "dtype", type(which))):
        return None
    try:
        return operator.index(which)
    except TypeError:
        return None


def moments_of(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
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
