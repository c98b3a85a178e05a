"""The README's table of what was trained on CIFAR-10, the codebooks among it."""

from __future__ import annotations

import csv
from statistics import mean

from course_lib import results

HEAD = (
    "| network | parameters | images | epochs | test top-1 |",
    "|---|--:|--:|--:|--:|",
)


def markdown() -> str:
    """Return the small network of each unit, trained longest, the best first."""
    longest: dict[tuple, results.Record] = {}
    for path in sorted(results.RESULTS.glob("*-*_small*-cifar10*.json")):
        record = results.read(path)
        key = record.network, record.arguments.get("batch_norm", False)
        before = longest.get(key)
        if before is None or len(record.history) > len(before.history):
            longest[key] = record
    rows = [(codebooks(), f"**{link('03_codebooks')}, Fisher vectors** | | 50,000 | ")]
    for record in longest.values():
        counts = f"{record.params:,} | {record.images['train_images']:,}"
        epochs = len(record.history)
        rows.append((record.test_top1, f"{named(record)} | {counts} | {epochs}"))
    best = sorted(rows, reverse=True)
    lines = [f"| {words} | {top1:.1%} |" for top1, words in best]
    return "\n".join([*HEAD, *lines])


def named(record: results.Record) -> str:
    norm = ", batch normalisation" * record.arguments.get("batch_norm", False)
    return f"{link(record.unit)}: `{record.network}`{norm}"


def link(unit: str) -> str:
    return f"[{unit}](notebooks/{unit}.ipynb)"


def codebooks() -> float:
    """Return the best pipeline's mean top-1 on all training images, as a fraction."""
    arms: dict[tuple, list[float]] = {}
    with open(results.RESULTS / "03_codebooks-cifar10.csv", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["train_images"] == "50000":
                arm = arms.setdefault((row["pipeline"], row["words"]), [])
                arm.append(float(row["top1"]))
    return max(map(mean, arms.values()))
