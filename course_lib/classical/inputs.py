"""What counts as a list of images, and one clear sentence for what does not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from course_lib.errors import CourseError

LUMA = (0.299, 0.587, 0.114)  # of red, green, blue; Rec. 601


class ImageError(CourseError, ValueError):
    """An image that no descriptor can be taken of."""


def grey(images: Sequence) -> list[Tensor]:
    """Return each image as float32 (H, W) in [0, 1].

    images: a list, or an array or tensor with one image a row. An image is (H, W),
    (H, W, 1 or 3) or (1 or 3, H, W); uint8, or float in [0, 1].
    Raises ImageError that names the first image which is none of these.
    """
    if isinstance(images, str) or not hasattr(images, "__len__"):
        raise ImageError(
            f"images is a {type(images).__name__}: expected a list of images"
        )
    if getattr(images, "ndim", 3) < 3:
        raise ImageError(
            f"images has the shape {tuple(images.shape)}: expected a list of images; "
            "for a single one, [image]"
        )
    return [as_grey(image, f"image {number}") for number, image in enumerate(images)]


def as_grey(image, name: str) -> Tensor:
    if not isinstance(image, Tensor):
        try:
            image = torch.tensor(np.ascontiguousarray(image))
        except TypeError:
            raise ImageError(f"{name} is no array of numbers: {image!r:.60}") from None
    if image.ndim == 3:
        image = mixed(image, name)
    if image.ndim != 2 or not image.numel():
        raise ImageError(
            f"{name} has the shape {tuple(image.shape)}: expected (H, W), (H, W, 3) or "
            "(3, H, W), all at least 1"
        )
    if image.dtype == torch.uint8:
        return image.float() / 255
    if not image.is_floating_point():
        raise ImageError(f"{name} is {image.dtype}: expected uint8, or float in [0, 1]")
    low, high = image.aminmax()
    if not (low >= -1e-6 and high <= 1 + 1e-6):  # NaN too
        raise ImageError(
            f"{name} has values from {low:.4g} to {high:.4g}: floats must lie in "
            "[0, 1]; divide by 255, or pass uint8"
        )
    return image.float()


def mixed(image: Tensor, name: str) -> Tensor:
    """Return the luminance (H, W) of an image with a channel axis, first or last."""
    for axis in (2, 0):
        if image.shape[axis] == 1:
            return image.select(axis, 0)
        if image.shape[axis] == 3:
            whole = image.float() / 255 if image.dtype == torch.uint8 else image
            weights = torch.tensor(LUMA).to(whole)
            return torch.tensordot(whole, weights, dims=([axis], [0]))
    raise ImageError(
        f"{name} has the shape {tuple(image.shape)}: expected 1 or 3 channels, first "
        "or last"
    )
