"""Memory of a stream, by how many images it has given: flat, or not.

    python benchmarks/stream_memory.py [--images 1000000]

A thousand small photos are written as one shard; hard links make it as many shards as
are asked for, so a million images take one shard's place on the disk. One epoch is
streamed, shuffled and cropped as in training, and the resident memory of the process
is read ten times on the way.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
from PIL import Image
from rich.console import Console
from rich.table import Table

from course_lib import data
from course_lib.data.shards import finish

PHOTOS, SIDE, BATCH, READINGS = 1_000, 16, 256, 10


def photos(folder: Path) -> Path:
    """Write squares of a real photo, in two classes."""
    from sklearn.datasets import load_sample_images

    photo, chance = load_sample_images().images[0], np.random.default_rng(0)
    for number in range(PHOTOS):
        top, left = chance.integers(0, 400, 2)
        square = Image.fromarray(photo[top : top + SIDE, left : left + SIDE])
        place = folder / "train" / ("even", "odd")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        square.save(place / f"{number:05}.jpg")
    return folder


def many(out: Path, images: int) -> None:
    """Make one shard as many, by hard links."""
    first = data.write_shards(photos(out.parent / "photos"), out, images=PHOTOS)[0]
    shards = [first]
    for number in range(1, -(-images // first.images)):
        shards.append(replace(first, file=f"train-{number:06}.tar"))
        os.link(out / first.file, out / shards[-1].file)
    finish(shards, ("even", "odd"), out)


def main(images: int) -> None:
    table = Table("images", "resident MB", "images/s")
    process, start, seen = psutil.Process(), time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "shards"
        many(out, images)
        stream = data.load(out, "train", size=SIDE)
        chance = {"shuffle": True, "flip": True, "crop_padding": 1}
        due = images // READINGS
        for batch, _ in stream.batches(BATCH, **chance):
            seen += len(batch)
            if seen >= due:
                rate = seen / (time.perf_counter() - start)
                memory = process.memory_info().rss / 1e6
                table.add_row(f"{seen:,}", f"{memory:,.0f}", f"{rate:,.0f}")
                due += images // READINGS
    Console().print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=Path(__file__).stem)
    parser.add_argument("--images", type=int, default=1_000_000)
    main(**vars(parser.parse_args()))
