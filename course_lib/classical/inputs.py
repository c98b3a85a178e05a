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


def checked(images: Sequence) -> list[Tensor]:
    """Return each image as (C, H, W), 1 or 3 channels, uint8 or float as it came.

    images: a list, or an array or tensor with one image a row. An image is (H, W),
    (H, W, 1 or 3) or (1 or 3, H, W); uint8, or float in [0, 1].
    Raises ImageError that names the first image which is none of these.
    """
    if isinstance(images, str) or not is_sequence(images):
        raise ImageError(
            f"images is a {type(images).__name__}: expected a list of images"
        )
    if getattr(images, "ndim", 4) < 4:
        refuse_single(tuple(images.shape))
    return [as_planes(image, f"image {number}") for number, image in enumerate(images)]


def is_sequence(values) -> bool:
    """Say whether values have a length and can be gone through again."""
    through = hasattr(values, "__iter__") or hasattr(values, "__getitem__")
    return through and hasattr(values, "__len__")


def refuse_single(shape: tuple[int, ...]) -> None:
    """Refuse an array that is one image, or may be one; (1, H, W) is one either way."""
    colour = len(shape) == 3 and (shape[2] in (1, 3) or shape[0] == 3)
    if len(shape) < 3 or colour:
        may = "may be one image in colour" if colour else "is no list"
        raise ImageError(
            f"images has the shape {shape}, which {may}: expected a list of images; "
            "for a single one, [image]; for several that are grey, list(images)"
        )


def as_planes(image, name: str) -> Tensor:
    if not isinstance(image, Tensor):
        image = as_tensor(image, name)
    if image.ndim == 2 and image.shape[1] == 3 < image.shape[0]:
        raise ImageError(
            f"{name} has the shape {tuple(image.shape)}, as a row of an image in "
            "colour has: expected a list of images; for a single one, [image]"
        )
    image = image.detach()
    planes = image[None] if image.ndim == 2 else image
    if planes.ndim != 3 or not planes.numel():
        raise ImageError(
            f"{name} has the shape {tuple(image.shape)}: expected (H, W), (H, W, 3) or "
            "(3, H, W), all at least 1"
        )
    if image.ndim == 3 and image.shape[2] in (1, 3):
        planes = image.permute(2, 0, 1)
    if len(planes) not in (1, 3):
        raise ImageError(
            f"{name} has the shape {tuple(image.shape)}: expected 1 or 3 channels, "
            "first or last"
        )
    if image.dtype == torch.uint8:
        return planes
    if not image.is_floating_point():
        raise ImageError(f"{name} is {image.dtype}: expected uint8, or float in [0, 1]")
    low, high = image.aminmax()
    if not (low >= -1e-6 and high <= 1 + 1e-6):  # NaN too
        raise ImageError(
            f"{name} has values from {low:.4g} to {high:.4g}: floats must lie in "
            "[0, 1]; divide by 255, or pass uint8"
        )
    return planes


def as_tensor(image, name: str) -> Tensor:
    """Return a copy of an array, of Pillow's grey or RGB image or of nested lists."""
    if getattr(image, "mode", "RGB") not in ("L", "RGB"):
        raise ImageError(
            f"{name} is an image of mode {image.mode}: expected L or RGB; pass "
            'image.convert("RGB")'
        )
    try:
        array = np.array(image)  # a copy: it may be read-only
        native = array.dtype.newbyteorder("=")
        return torch.from_numpy(array.astype(native, copy=False))
    except (TypeError, ValueError):
        raise ImageError(f"{name} is no array of numbers: {image!r:.60}") from None


def grey(planes: Tensor) -> Tensor:
    """Return the luminance (…, H, W), float32 in [0, 1], of (…, 1 or 3, H, W)."""
    planes = fractions(planes)
    if planes.shape[-3] == 1:
        return planes.squeeze(-3)
    return torch.einsum("...chw,c->...hw", planes, torch.tensor(LUMA).to(planes))


def fractions(planes: Tensor) -> Tensor:
    """Return planes as float32 in [0, 1]."""
    return planes.float() / 255 if planes.dtype == torch.uint8 else planes.float()
