"""Read the files of images: uint8 (N, 3, H, W), whatever Pillow can read.

Every image becomes RGB, 8 bits a channel. A photo is turned upright as its camera noted
(EXIF). Grey, palette and CMYK are converted, colour profiles are not applied. What is
transparent is laid on white. Of several frames (.gif, .tif, .webp) the first is read.
16 bits become 8, and so do the 12 bits of a .tif: the whole range, black to white.
Of integers of 32 bits and of floats no file tells which is white: they are refused, and
so are files of 16 bits whose values need no more than 12.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course_lib.data.download import DataError

EXTENSIONS = {".apng", ".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg"}
EXTENSIONS |= {".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff"}
EXTENSIONS |= {".webp"}
# images, too, for which Pillow needs a plug-in: they are named, not left out
OTHERS = {".dng", ".exr", ".heic", ".heif", ".jxl", ".svg"}
ORIENTATION = 0x0112  # of EXIF; 5 and more lie on their side
BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262  # of a TIFF; photometric 0: 0 is white
EIGHT = "bring all images in the same way to 8 bits, 0 black and 255 white"


def decode(files: np.ndarray, size: int | None) -> Tensor:
    """Decode N image files in threads to uint8 (N, 3, H, W), all of one size.

    size: of the square that each becomes; None: they must have one size, which is
    looked up in all files before the first is decoded.
    """
    height, width = (size, size) if size else common_size(files)
    try:
        pixels = np.empty((len(files), height, width, 3), np.uint8)
    except MemoryError as error:
        need = len(files) * height * width * 3 / 1e9
        raise DataError(
            f"{len(files)} images of {height} x {width} pixels, such as {files[0]}, "
            f"need {need:.0f} GB of memory: pass a smaller size="
        ) from error

    def fill(number: int) -> None:
        array = decode_file(files[number], size)
        same_size(files, number, array.shape[:2], (height, width))
        pixels[number] = array

    for _ in side_by_side(fill, range(len(files)), "decode"):
        pass
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def common_size(files: np.ndarray) -> tuple[int, int]:
    """Return the height and width that all files have, as their headers say."""
    sizes = list(side_by_side(size_of, files, "look at sizes"))
    for number, size in enumerate(sizes):
        same_size(files, number, size, sizes[0])
    return sizes[0]


def same_size(files, number: int, size, expected) -> None:
    if tuple(size) != tuple(expected):
        (h, w), (h0, w0) = size, expected
        raise DataError(
            f"{files[number]} has {h} x {w} pixels, {files[0]} has {h0} x {w0}: "
            "pass size= to bring all to one size"
        )


def side_by_side(work, items, title: str) -> Iterator:
    """Yield work(item) of each item, in order; a bar on a terminal if they are many."""
    from rich.console import Console
    from rich.progress import track

    console = Console(file=sys.stdout)
    quiet = not console.is_terminal or len(items) < 1000
    options = {"console": console, "disable": quiet, "transient": True}
    with ThreadPoolExecutor() as pool:
        try:
            yield from track(pool.map(work, items), title, len(items), **options)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def size_of(file: Path) -> tuple[int, int]:
    """Return height and width of an image as it is seen upright, from its header."""
    from PIL import ImageOps

    with opened(file) as image:
        width, height = image.size
        # a PNG that says nothing up to its pixels would be decoded for what is behind
        known = {"exif", "Raw profile type exif"} & set(image.info)
        if image.format == "PNG" and not known:
            return height, width
        turned = image.getexif().get(ORIENTATION, 1) >= 5
        if turned and image.format == "TIFF":  # some versions of Pillow have turned it
            width, height = ImageOps.exif_transpose(image).size
            return height, width
        return (width, height) if turned else (height, width)


def decode_file(file: Path, size: int | None) -> np.ndarray:
    """Return one image as uint8 (H, W, 3); the top of this module says how."""
    from PIL import Image, ImageOps

    with opened(file) as image:
        ends = range_of(image, file)
        image = ImageOps.exif_transpose(image)
        image = as_rgb(eight_bits(image, *ends, file) if ends else image)
        if size is not None:
            image = image.resize((size, size), Image.Resampling.BILINEAR)
        return np.asarray(image)


@contextmanager
def opened(file: Path):
    """Open an image; DataError says what Pillow has against it."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            yield image
    except DataError:
        raise
    except Exception as error:  # Pillow has many for one thing: this is no whole image
        raise DataError(
            f"{file} cannot be read as an image ({error}): convert it to .png or .jpg, "
            "or replace or remove it"
        ) from error


def range_of(image, file: Path) -> tuple[int, int] | None:
    """Return the values of black and white in an image of 12 or 16 bits, None of 8.

    Pillow has 16 bits as I;16, and as I what a .pgm or, in former versions, a .png
    holds; of colour it keeps the upper 8 bits itself.
    """
    if not image.mode.startswith("I") and image.mode != "F":
        return None
    if image.mode.startswith("I;16"):
        tags = getattr(image, "tag_v2", {})
        most = 2 ** tags.get(BITS_PER_SAMPLE, (16,))[0] - 1
        return (most, 0) if tags.get(PHOTOMETRIC) == 0 else (0, most)
    if image.mode == "I" and image.format in ("PNG", "PPM"):
        return 0, 2**16 - 1
    what = "floats" if image.mode == "F" else "32-bit integers"
    raise DataError(f"{file} has {what} (mode {image.mode}): {EIGHT}")


def eight_bits(image, black: int, white: int, file: Path):
    """Return a grey image of the values from black to white as one of 0 to 255."""
    from PIL import Image

    values = np.asarray(image).astype(np.int64)
    largest, most = int(values.max()), max(black, white)
    if 0 < largest <= most >> 4:
        raise DataError(
            f"{file} has values up to {largest} (mode {image.mode}) of {most}: of 256 "
            f"greys it would have 16; {EIGHT}"
        )
    share = (values - black) / (white - black)
    return Image.fromarray(np.rint(255 * share).astype(np.uint8))


def as_rgb(image):
    """Return an image as RGB, laid on white where it is transparent."""
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")
