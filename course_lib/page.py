"""What several notebooks show: tables for a phone, a record, paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

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
        same_length(row, header)
        lines.append(written(row))
    return Markdown("\n".join(lines))


def written(row: Sequence) -> str:
    cells = [f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


SORT = """
const head = event.target.closest('th');
if (!head) return;
const up = head.ariaSort !== 'ascending', body = this.parentNode.tBodies[0];
const value = row => row.cells[head.cellIndex].dataset.value;
const order = (a, b) => isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
const rows = [...body.rows].sort((x, y) => {
  const a = value(x), b = value(y);
  return (a === '') - (b === '') || (up ? order(a, b) : order(b, a));
});
for (const cell of head.parentNode.cells) cell.removeAttribute('aria-sort');
head.ariaSort = up ? 'ascending' : 'descending';
body.append(...rows);
"""  # one listener for all heads; where scripts are closed, the rows stay as they are
BUTTON = "font: inherit; color: inherit; background: none; border: 0; cursor: pointer"


def sortable(columns: dict[str, str], rows: Iterable[Sequence]):
    """Return a table that a click on a head sorts, for the end of a cell.

    columns: name of each and how it writes a value, such as ",.1f"; "" for words.
    rows: a value for each column; None leaves the cell empty and last in any order.
    CourseError: a row that is longer or shorter than the columns.
    """
    from IPython.display import HTML

    heads = "".join(
        f'<th scope="col"><button type="button" style="{BUTTON}">{escape(name)} ⇅'
        "</button></th>"
        for name in columns
    )
    body = []
    for row in rows:
        same_length(row, columns)
        cells = zip(row, columns.values(), strict=True)
        body.append(f"<tr>{''.join(cell(*of) for of in cells)}</tr>")
    return HTML(
        f'<table><thead onclick="{escape(SORT)}"><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def cell(value, written_as: str) -> str:
    if value is None:
        return '<td data-value=""></td>'
    side = "left" if isinstance(value, str) else "right"
    text = escape(format(value, written_as))
    raw = escape(str(value))
    return f'<td data-value="{raw}" style="text-align: {side}">{text}</td>'


def same_length(row: Sequence, header: Iterable[str]) -> None:
    header = list(header)
    if len(row) != len(header):
        raise CourseError(
            f"a row has {len(row)} cells, the header {len(header)}: {row!r}; give "
            "each column a cell"
        )


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
    mean, half = interval(torch.as_tensor(first) - torch.as_tensor(second))
    return f"{mean:+.1f} ± {half:.1f}"


def interval(gaps: torch.Tensor) -> tuple[float, float]:
    """Return the mean of a value a seed, and half of its 95 % interval."""
    from scipy.stats import t

    half = t.ppf(0.975, len(gaps) - 1) * gaps.std() / len(gaps) ** 0.5
    return gaps.mean().item(), half.item()


def gains(ax, pairs: dict[str, tuple[Sequence[float], Sequence[float]]]) -> None:
    """Draw first - second of each pair in a row: a dot a seed, mean, 95 % interval."""
    for number, (first, second) in enumerate(pairs.values()):
        gaps = torch.as_tensor(first) - torch.as_tensor(second)
        mean, half = interval(gaps)
        ax.plot(gaps, [number] * len(gaps), "C0o", alpha=0.3)
        ax.errorbar(mean, number, xerr=half, fmt="C0D", capsize=4)
    ax.axvline(0, color="0.5", lw=1)
    ax.set_yticks(range(len(pairs)), pairs)
    ax.set(ylim=(len(pairs) - 0.5, -0.5), title="mean and 95 % interval, a dot a seed")
