"""Photos a second: our shards against ImageFolder with a DataLoader, in turn.

    python benchmarks/shards.py [FOLDER] [--photos 2000] [--sizes 64 128 224]

Both draw a crop of 8 to 100 % of each photo's area, resize it to a square, mirror half
of them, normalise, and hand out batches of 64 in random order. FOLDER holds a folder of
images for each class; without one, photos of 500 x 375 pixels, ImageNet's usual size,
are cut from scikit-learn's two. Each is measured `--rounds` times after a first pass.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from course_lib import data

BATCH = 64


def photos(folder: Path, count: int) -> Path:
    """Write crops of two real photos, turned and mirrored by chance, as JPEG."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    chance = np.random.default_rng(0)
    for number in range(count):
        image = Image.fromarray(load_sample_images().images[number % 2])
        left, top = chance.integers(0, 140), chance.integers(0, 52)
        image = image.crop((left, top, left + 500, top + 375))
        place = folder / "train" / ("china", "flower")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        image.save(place / f"{number:05}.jpg", quality=int(chance.integers(85, 97)))
    return folder


def peer(folder: Path, size: int) -> DataLoader:
    steps = [
        v2.RandomResizedCrop(size),
        v2.RandomHorizontalFlip(),
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
    images = ImageFolder(folder, v2.Compose(steps))
    workers = os.cpu_count()
    options = {"num_workers": workers, "persistent_workers": True, "shuffle": True}
    return DataLoader(images, BATCH, **options)


def a_second(epoch) -> float:
    start, count = time.perf_counter(), 0
    for images, _ in epoch:
        count += len(images)
    return count / (time.perf_counter() - start)


def compare(folder: Path, out: Path, size: int, rounds: int) -> tuple[list, list]:
    shards = data.load(out, "train", size=size)
    chance = {"shuffle": True, "flip": True, "crop_padding": 1}
    loader = peer(folder / "train", size)
    ours, theirs = [], []
    for number in range(rounds + 1):
        ours.append(a_second(shards.batches(BATCH, epoch=number, **chance)))
        theirs.append(a_second(loader))
    return ours[1:], theirs[1:]


def main(folder: Path | None, photos_: int, sizes: list[int], rounds: int) -> None:
    table = Table(title=f"photos a second, {os.cpu_count()} cores")
    for head in ("size", "shards", "ImageFolder + DataLoader", "ratio"):
        table.add_column(head, justify="right")
    with tempfile.TemporaryDirectory() as place:
        folder = folder or photos(Path(place) / "photos", photos_)
        out = Path(place) / "shards"
        data.write_shards(folder, out)
        for size in sizes:
            ours, theirs = map(statistics.median, compare(folder, out, size, rounds))
            row = f"{size}", f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}"
            table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=Path(__file__).stem)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--photos", dest="photos_", type=int, default=2000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 224])
    parser.add_argument("--rounds", type=int, default=2)
    main(**vars(parser.parse_args()))
