"""What several notebooks show: tables for a phone, a record, paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from course_lib.errors import CourseError


def table(header: Sequence[str], rows: Iterable[Sequence]):
    """Return a table for the end of a cell, from rows as long as the header.

    Whole numbers get commas; other numbers are written by the caller, who knows how
    many digits hold. CourseError: a row that is longer or shorter than the header.
    """
    from IPython.display import Markdown

    lines = [written(header), "|".join(["", *["---"] * len(header), ""])]
    for row in rows:
        if len(row) != len(header):
            raise CourseError(
                f"a row has {len(row)} cells, the header {len(header)}: {row!r}; give "
                "each column a cell"
            )
        lines.append(written(row))
    return Markdown("\n".join(lines))


def written(row: Sequence) -> str:
    cells = [f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def record(name: str) -> None:
    """Print what a record of the queue reached and draw its curve; or how to make it.

    name: as `course records` lists it, with the seed.
    """
    from matplotlib import pyplot as plt

    from course_lib import plot, results

    path = results.RESULTS / f"{name}.json"
    if not path.exists():
        print(f"Not computed yet: `course records run {name.rpartition('-seed')[0]}`.")
        return
    found = results.read(path)
    print(f"CIFAR-10: test top-1 {found.test_top1:.1%}, one seed, {found.device}")
    ax = plt.subplots(figsize=(6.4, 2.3))[1]
    plot.curves(ax, {"CIFAR-10": found.history}, "train_top1")
    plt.show()


def paired(first: Sequence[float], second: Sequence[float]) -> str:
    """Return the mean of first - second, a pair a seed, with its 95 % interval.

    By Student's t, for differences that are nearly normal: "+1.0 ± 0.3".
    """
    from scipy.stats import t

    gaps = torch.as_tensor(first) - torch.as_tensor(second)
    half = t.ppf(0.975, len(gaps) - 1) * gaps.std() / len(gaps) ** 0.5
    return f"{gaps.mean():+.1f} ± {half:.1f}"
