"""Write a folder of images as shards: a few large files in place of millions.

Each shard is made whole or not at all, from images that were decoded first, so that the
same command goes on where it was stopped. `stream` reads them and says what is in them.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch

from course_lib.data.decode import decode_file
from course_lib.data.download import DataError
from course_lib.data.folders import SPLITS, read_folder
from course_lib.data.images import moments_of
from course_lib.data.loading import cut_splits
from course_lib.data.stream import FORM, INDEX, Shard, Shards, index, to_pairs
from course_lib.files import replacing

IMAGES = 1000  # a shard: 100 MB of ImageNet
SAMPLE, SIDE = 2048, 64  # images, pixels a side, that mean and deviation are taken from
NOTE = ".json"  # beside a shard while others are not made yet


class Plan(NamedTuple):
    """What one shard is to hold: the files, and the number and label of each."""

    file: str
    split: str
    images: list[tuple[int, Path, int]]
    source: str


def write_shards(
    folder: str | Path,
    out: str | Path,
    *,
    images: int = IMAGES,
    skip: int = 100,
    workers: int | None = None,
) -> list[Shard]:
    """Write a folder of images as shards in `out`, and return what they are.

    folder: of classes, with or without splits, as `data.load` reads it.
    images: of each shard.  skip: how many broken images may be left out; each is named
    in index.json.  workers: processes, default one a core.

    What is there already, from the same files, stays. DataError: more are broken, or
    `out` holds other files.
    """
    folder, out = Path(folder).expanduser(), Path(out).expanduser()
    if images < 1:
        raise DataError(f"{images} images a shard: take 1 or more")
    classes, plans = planned(folder, images)
    old = there(out, folder)
    out.mkdir(parents=True, exist_ok=True)
    done = {p.file: old[p.file] for p in plans if is_made(p, old.get(p.file), out)}
    found = list(done.values())
    require_few(found, skip)
    for shard in packed([p for p in plans if p.file not in done], out, workers):
        found.append(shard)
        require_few(found, skip)
    found.sort(key=lambda shard: (SPLITS.index(shard.split), shard.file))
    finish(found, classes, out)
    return found


def planned(folder: Path, images: int) -> tuple[tuple[str, ...], list[Plan]]:
    """Say which image goes into which shard: shuffled once, always in the same way."""
    where, parts, classes = read_folder(folder)
    plans = []
    for split, (files, labels) in cut_splits(parts, classes, where).items():
        order = torch.randperm(len(files), generator=torch.Generator().manual_seed(0))
        rows = [(n, files[i], int(labels[i])) for n, i in enumerate(order.tolist())]
        for number in range(-(-len(rows) // images)):
            some = rows[number * images : (number + 1) * images]
            name = f"{split}-{number:06}.tar"
            plans.append(Plan(name, split, some, source_of(some, folder)))
    return classes, plans


def source_of(rows, folder: Path) -> str:
    """Return a digest of files by name, size, time and label."""
    sha = hashlib.sha256()
    for number, file, label in rows:
        facts = file.stat()
        name = file.relative_to(folder).as_posix()
        sha.update(
            repr((number, name, facts.st_size, facts.st_mtime_ns, label)).encode()
        )
    return sha.hexdigest()


def there(out: Path, folder: Path) -> dict[str, Shard]:
    """Return the shards that an earlier run has made in `out`, by file name."""
    if out.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{out} lies in {folder}, which is read: name another folder")
    if not out.exists():
        return {}
    names = {path.name for path in out.iterdir()}
    if names and INDEX not in names and not any(n.endswith(".tar") for n in names):
        raise DataError(f"{out} holds other files: name an empty or a new folder")
    found = index(out)["shards"] if INDEX in names else []
    notes = [read_note(out / name) for name in names if name.endswith(".tar" + NOTE)]
    return {shard.file: shard for shard in [*found, *filter(None, notes)]}


def read_note(path: Path) -> Shard | None:
    try:
        row = json.loads(path.read_text("utf-8"))
        return Shard(**row | {"skipped": to_pairs(row)})
    except (ValueError, TypeError, KeyError):
        return None  # the shard is made again


def is_made(plan: Plan, shard: Shard | None, out: Path) -> bool:
    file = out / plan.file
    if shard is None or shard.source != plan.source or not file.is_file():
        return False
    return file.stat().st_size == shard.bytes


def packed(plans: list[Plan], out: Path, workers: int | None) -> Iterator[Shard]:
    """Make shards in many processes; yield each when it is whole."""
    from joblib import Parallel, cpu_count, delayed
    from rich.console import Console
    from rich.progress import track

    many = Parallel(workers or cpu_count(), return_as="generator_unordered")
    console = Console(file=sys.stdout)
    options = {"console": console, "disable": not console.is_terminal}
    made = many(delayed(pack)(plan, out) for plan in plans)
    yield from track(made, "shards", len(plans), transient=True, **options)


def pack(plan: Plan, out: Path) -> Shard:
    """Write one shard, read it back, and note it."""
    from webdataset import TarWriter

    skipped = []
    with replacing(out / plan.file) as part:
        settings = {"encoder": False, "user": "", "group": "", "mtime": 0}
        with open(part, "wb") as file, TarWriter(file, **settings) as tar:
            for number, image, label in plan.images:
                try:
                    decode_file(image, None)
                    kind, content = image.suffix[1:].lower(), image.read_bytes()
                except (DataError, OSError) as error:
                    skipped.append((str(image), str(error)))
                    continue
                cls = str(label).encode()
                tar.write({"__key__": f"{number:08}", kind: content, "cls": cls})
        sha, size = sha256(part), part.stat().st_size
    count = len(plan.images) - len(skipped)
    facts = plan.file, plan.split, count, size, sha, plan.source
    shard = Shard(*facts, tuple(skipped))
    with replacing(out / (plan.file + NOTE)) as part:
        part.write_text(json.dumps(asdict(shard)), "utf-8")
    return shard


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        sha = hashlib.sha256()
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


def require_few(shards: list[Shard], skip: int) -> None:
    """Raise DataError when more images are broken than may be."""
    broken = [pair for shard in shards for pair in shard.skipped]
    if len(broken) > skip:
        first = "; ".join(reason for _, reason in broken[:3])
        raise DataError(
            f"{len(broken)} images are broken, {skip} may be: {first}. Repair or "
            "remove them, or allow more with --skip; what was written stays"
        )


def finish(shards: list[Shard], classes: tuple[str, ...], out: Path) -> None:
    """Write index.json, last of all, and remove what is no part of it."""
    train = tuple(shard for shard in shards if shard.split == "train")
    nothing = (0.0,) * 3, (1.0,) * 3
    seen = Shards(out, train, classes, str(out), "train", *nothing, SIDE)
    mean, std = moments_of(seen.take(min(SAMPLE, len(seen))).images)
    rows = [asdict(shard) for shard in shards]
    facts = {"form": FORM, "classes": classes, "mean": mean, "std": std}
    with replacing(out / INDEX) as part:
        part.write_text(json.dumps(facts | {"shards": rows}, indent=1), "utf-8")
    for file in [*out.glob(f"*.tar{NOTE}"), *out.glob("*.tar")]:
        if file.name not in {shard.file for shard in shards}:
            file.unlink()


def verify_shards(out: str | Path) -> list[Shard]:
    """Read all shards again. DataError names those that are not what they were."""
    out = Path(out).expanduser()
    found = index(out)["shards"]
    wrong = [
        shard.file
        for shard in found
        if not (out / shard.file).is_file() or sha256(out / shard.file) != shard.sha256
    ]
    if wrong:
        raise DataError(
            f"{', '.join(wrong[:3])} in {out} differ from {INDEX} ({len(wrong)} of "
            f"{len(found)}): remove them and run the same `course shards` again"
        )
    return found
