"""Images that are too many for memory, read from shards as a stream: `Shards`.

A shard is a tar file in WebDataset's form: image n is 0000000n.jpg, and 0000000n.cls is
its label. It is read from end to end, so that a disk or a network never has to look for
one image. In memory are SHUFFLED encoded images and AHEAD batches, however many images
there are. `shards` writes them.

Step s of a run with seed r sees the same images and the same crops whatever ran before.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import random
import tarfile
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from course_lib.data.batching import Draw, affine, cut_out, generator_of, normalise
from course_lib.data.decode import ORIENTATION, decode_file, opened
from course_lib.data.download import DataError
from course_lib.data.images import Images
from course_lib.parallel import cores

INDEX, FORM = "index.json", "shards of images, 1"
SHUFFLED = 1000  # encoded images, of which the next one is drawn
AHEAD = 2  # batches that are decoded while the network trains
LEFT_OUT = 100  # images an epoch that may be broken
AREA, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)  # of a crop: arXiv:1409.4842, section 6
CENTRE = 0.875  # of the shorter side, for evaluation: 224 of 256 (arXiv:1409.1556)


class Encoded(io.BytesIO):
    """A file's bytes; as text it is the place where they are."""

    def __init__(self, data: bytes, place: str):
        super().__init__(data)
        self.place = place

    def __str__(self) -> str:
        return self.place


@dataclass(frozen=True)
class Shard:
    """One tar file. skipped: (file, reason) of the images that are not in it."""

    file: str
    split: str
    images: int
    bytes: int
    sha256: str
    source: str  # digest of the names, sizes and times of the files it was made of
    skipped: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Shards:
    """One split of a data set in shards; it stands where `Images` stands.

    size: of the squares (3, size, size) that its batches hold. classes, name, split,
    mean, std: as in `Images`.
    """

    folder: Path
    shards: tuple[Shard, ...]
    classes: tuple[str, ...]
    name: str
    split: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int
    device: torch.device | str = "cpu"

    def __len__(self) -> int:
        return sum(shard.images for shard in self.shards)

    def to(self, device) -> Shards:
        """Return the same, whose batches are on `device`."""
        return replace(self, device=device)

    @cached_property
    def digest(self) -> str:
        """The sha256, in hex, of all shards, the class names and the size."""
        facts = [shard.sha256 for shard in self.shards], self.classes, self.size
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def take(self, count: int) -> Images:
        """Return the first `count` images, decoded as for evaluation, in memory."""
        if not 0 < count <= len(self):
            raise DataError(
                f"{count} images asked of {self.name} {self.split}, which has "
                f"{len(self)}: take 1 to {len(self)}"
            )
        first = list(islice(self._samples(None), count))
        pixels = np.stack([cropped(*sample[:1], None, self.size) for sample in first])
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
        labels = torch.tensor([label for _, label in first])
        moments = self.mean, self.std
        images = Images(images, labels, self.classes, self.name, self.split, *moments)
        return images.to(self.device)

    def batches(
        self,
        batch_size: int,
        *,
        seed: int = 0,
        epoch: int = 0,
        shuffle: bool = False,
        flip: bool = False,
        crop_padding: int = 0,
        cutout: int = 0,
        start: int = 0,
        device=None,
        share: tuple[int, int] = (0, 1),
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield one epoch, as `data.batches` does.

        crop_padding: if it is not 0, each image is a random part of the photo: 8 to
            100 % of its area, sides as 3 to 4 up to 4 to 3. Else the centre is taken.
        An image that cannot be decoded is named in a warning and left out; DataError
        when they are more than LEFT_OUT.
        """
        chance, broken = random.Random(f"{seed} {epoch}"), []
        samples = self._samples(chance if shuffle else None)
        ahead: deque[tuple[Draw, np.ndarray, list[Future], list[int]]] = deque()
        device = torch.device(device or self.device)
        kind = np.float32 if device.type == "cpu" else np.uint8  # a GPU normalises
        pool = ThreadPoolExecutor(cores())
        try:
            for step, found in enumerate(chunks(samples, batch_size)):
                if step < start:
                    continue
                draw = Draw(generator_of(seed, epoch, step + 1), len(found), *share)
                mine = found[draw.mine]
                same = [None] * len(mine)
                parts = draw.fractions(4).tolist() if crop_padding else same
                turned = draw.whole_number(0, 2)[:, 0].tolist() if flip else same
                batch = np.empty((len(mine), self.size, self.size, 3), kind)
                work = [
                    pool.submit(self._fill, *one)
                    for one in zip(batch, mine, parts, turned, strict=True)
                ]
                ahead.append((draw, batch, work, [label for _, label in mine]))
                if len(ahead) > AHEAD:
                    yield self._whole(*ahead.popleft(), broken, cutout, device)
            while ahead:
                yield self._whole(*ahead.popleft(), broken, cutout, device)
        finally:
            pool.shutdown(cancel_futures=True)

    @cached_property
    def _affine(self) -> tuple[np.ndarray, np.ndarray]:
        """Scale and offset of each value in a row: NumPy is slow on rows of 3."""
        pair = affine(self.mean, self.std, torch.device("cpu"))
        return tuple(np.tile(one.numpy().ravel(), self.size) for one in pair)

    def _fill(self, place: np.ndarray, sample: tuple, part, turned) -> None:
        """Put an image at its place in a batch; normalised, if that holds floats."""
        pixels = cropped(sample[0], part, self.size)
        place[:] = pixels[:, ::-1] if turned else pixels
        if place.dtype == np.float32:
            scale, offset = self._affine
            rows = place.reshape(self.size, -1)
            rows *= scale
            rows += offset

    def _whole(self, draw: Draw, batch, work, labels, broken, cutout, device):
        """Wait for a batch; return it normalised (B, 3, size, size), and its labels."""
        kept = []
        for number, one in enumerate(work):
            try:
                one.result()
                kept.append(number)
            except DataError as error:
                warnings.warn(f"left out: {error}", stacklevel=3)
                broken.append(error)
                if len(broken) > LEFT_OUT:
                    raise DataError(
                        f"{len(broken)} images of {self.folder} cannot be read, the "
                        f"last one is {error}; make these shards again"
                    ) from error
        batch = batch if len(kept) == len(batch) else batch[kept]
        images = torch.from_numpy(batch).permute(0, 3, 1, 2).to(device)
        if images.dtype == torch.uint8:
            images = normalise(images, self.mean, self.std)
        images = cut_out(images, cutout, draw) if cutout else images
        return images, torch.tensor(labels)[kept].to(device)

    def _samples(self, chance: random.Random | None) -> Iterator[tuple[Encoded, int]]:
        """Yield each encoded image and its label; in order, or shuffled by `chance`."""
        import webdataset

        files = [self.folder / shard.file for shard in self.shards]
        if chance:
            chance.shuffle(files)
        samples = webdataset.tariterators.tarfile_samples(
            {"url": str(file)} for file in files
        )
        if chance:
            shuffle = webdataset.shuffle(SHUFFLED, initial=SHUFFLED, rng=chance)
            samples = shuffle(samples)
        try:
            for sample in samples:
                yield self._sample(sample)
        except (OSError, tarfile.TarError) as error:
            raise DataError(
                f"{self.folder}: a shard cannot be read ({error}): compare them, "
                f"`course shards --verify {self.folder}`, and make them again"
            ) from error

    def _sample(self, sample: dict) -> tuple[Encoded, int]:
        place = f"{sample['__url__']}, image {sample['__key__']}"
        images = [v for k, v in sample.items() if not k.startswith("__") and k != "cls"]
        label = sample.get("cls", b"").decode(errors="replace").strip()
        if len(images) != 1 or not label.isdecimal():
            raise DataError(f"{place}: expected one image and, in .cls, its label")
        if int(label) >= len(self.classes):
            raise DataError(f"{place}: class {label} of {len(self.classes)}")
        return Encoded(images[0], place), int(label)


def chunks(samples: Iterator, size: int) -> Iterator[list]:
    if size < 1:
        raise DataError(f"batch_size is {size}: take 1 or more")
    while found := list(islice(samples, size)):
        yield found


def cropped(file: Encoded, part: list[float] | None, size: int) -> np.ndarray:
    """Return a part of an image as uint8 (size, size, 3); None: its centre.

    part: four numbers in [0, 1) that choose area, shape and place. A JPEG is decoded at
    a half, a quarter or an eighth of its size where the crop has pixels enough.
    """
    pixels, width, height = decoded(file, part, size)
    left, top, right, bottom = box_of(part, width, height)
    rows = whole(top, bottom, height, pixels.shape[0])
    columns = whole(left, right, width, pixels.shape[1])
    found = torch.from_numpy(pixels[rows, columns]).permute(2, 0, 1)[None]
    found = interpolate(found, (size, size), mode="bilinear", antialias=True)
    return found[0].permute(1, 2, 0).numpy()


def whole(start: float, end: float, side: int, pixels: int) -> slice:
    """Return the pixels, one at least, of a part of a side that may be reduced."""
    first = min(round(start * pixels / side), pixels - 1)
    return slice(first, max(round(end * pixels / side), first + 1))


def decoded(file: Encoded, part, size: int) -> tuple[np.ndarray, int, int]:
    """Return the whole image as uint8 (H, W, 3); its width and height, not reduced."""
    with opened(file) as image:
        width, height = image.size
        mode = image.mode in ("RGB", "L") and not image.has_transparency_data
        if mode and image.getexif().get(ORIENTATION, 1) == 1:
            left, top, right, bottom = box_of(part, width, height)
            least = size / min(right - left, bottom - top)
            if image.format == "JPEG":
                with suppress(ValueError):  # what is damaged Pillow decides
                    return jpeg(file, least * width, least * height), width, height
            return np.array(image.convert("RGB")), width, height
    file.seek(0)
    pixels = decode_file(file, None).copy()
    return pixels, pixels.shape[1], pixels.shape[0]


def jpeg(file: Encoded, width: float, height: float) -> np.ndarray:
    """Return a JPEG as uint8 (H, W, 3), at least as large; Pillow takes longer."""
    from simplejpeg import decode_jpeg

    least = {"min_width": math.ceil(width), "min_height": math.ceil(height)}
    return decode_jpeg(file.getbuffer(), **least, min_factor=2)


def box_of(part: list[float] | None, width: int, height: int) -> tuple[float, ...]:
    """Return left, top, right and bottom, in pixels, of the part that is taken."""
    if part is None:
        w = h = CENTRE * min(width, height)
        x = y = 0.5
    else:
        area, ratio, x, y = part
        area = (AREA[0] + area * (AREA[1] - AREA[0])) * width * height
        low, high = map(math.log, RATIO)
        ratio = math.exp(low + ratio * (high - low))
        w, h = min(width, math.sqrt(area * ratio)), min(height, math.sqrt(area / ratio))
    left, top = x * (width - w), y * (height - h)
    return left, top, left + w, top + h


def find(name: str, root: Path) -> Path | None:
    """Return the folder of shards that a name means, or None if it means none."""
    for folder in (Path(os.path.expanduser(name)), root / name):
        with suppress(OSError):
            if FORM in (folder / INDEX).read_text("utf-8", "replace")[:100]:
                return folder
        if os.path.exists(folder):  # Path.exists raises where a folder is closed
            return None
    return None


def index(folder: Path) -> dict:
    """Return what stands in the index of shards."""
    file = folder / INDEX
    try:
        found = json.loads(file.read_text("utf-8"))
        rows = [Shard(**row | {"skipped": to_pairs(row)}) for row in found["shards"]]
        moments = tuple(found["mean"]), tuple(found["std"])
        return {"shards": rows, "classes": tuple(found["classes"]), "moments": moments}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{file} is not the index of shards ({error!r}): make the shards again"
        ) from error


def to_pairs(row: dict) -> tuple[tuple[str, str], ...]:
    return tuple((str(file), str(reason)) for file, reason in row["skipped"])


def open_shards(folder: Path, name: str, split: str, size: int | None) -> Shards:
    """Return one split. DataError: a shard is missing, or of another length."""
    if size is None:
        raise DataError(f"{folder} holds photos of many sizes: pass size=")
    found = index(folder)
    rows = tuple(shard for shard in found["shards"] if shard.split == split)
    for shard in rows:
        file = folder / shard.file
        there = file.stat().st_size if file.is_file() else None
        if there != shard.bytes:
            what = "is missing" if there is None else f"has {there} bytes"
            raise DataError(
                f"{file} {what}, {INDEX} says {shard.bytes}: copy it again, or run "
                "the same `course shards` again"
            )
    return Shards(folder, rows, found["classes"], name, split, *found["moments"], size)
