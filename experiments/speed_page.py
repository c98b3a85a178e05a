"""The tables and the picture of docs/speed.md, from the table of `speed.py`.

    python experiments/speed_page.py

Accuracies are in percent. An interval is of Student's t, at 95 %; two networks are
compared seed by seed.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import table

from course_lib.files import ROOT, replacing

TABLE, PAGE = ROOT / "data/results/speed.csv", ROOT / "docs/speed.md"
PICTURE = PAGE.with_suffix(".svg")
FEWEST = 3  # seeds to compare by
FULL = {"width": "64", "images": "50000", "epochs": "10", "test": "10000"}
SETTING = "epochs batch width images test precision device".split()
ANCHORS = """| who | top-1 | GPU | seconds | FLOPs | source |
|---|---|---|---|---|---|
| D. Page, 2018 | 94 % | V100 | 26 | | airbench's README |
| hlb-CIFAR10, 2023 | 94 % | A100 | 6.3 | | airbench's README |
| airbench94, 2024 | 94.01 % | A100 | 3.83 | 3.6e14 | airbench's README |
| airbench94, compiled | 94.01 % | A100 | 3.29 | 3.6e14 | arXiv:2404.00498 |
| airbench94_muon, 2024 | 94.01 % | A100 | 2.59 | 2.9e14 | airbench's README |
| Hiverge, October 2025 | 94 % | A100 | 1.99 | | hiverge.ai/blog/cifar-speedrun |
"""


def settings(rows: list[dict]) -> Iterator[tuple[dict, dict]]:
    """Yield each setting, and its rows by what is left out, each by seed."""
    keys = dict.fromkeys(tuple(row[name] for name in SETTING) for row in rows)
    for key in keys:
        arms: dict[str, dict[int, dict]] = {}
        for row in rows:
            if tuple(row[name] for name in SETTING) == key:
                arms.setdefault(row["left_out"], {})[int(row["seed"])] = row
        yield dict(zip(SETTING, key, strict=True)), arms


def percents(arm: dict[int, dict], column: str, seeds=None) -> list[float]:
    return [100 * float(arm[seed][column]) for seed in seeds or sorted(arm)]


def spread(values: list[float], digits: int = 2) -> str:
    """Return mean ± standard deviation, or the one value."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return (
        f"{statistics.mean(values):.{digits}f} ± {statistics.stdev(values):.{digits}f}"
    )


def reached(rows: list[dict]) -> str:
    """Return the table of what the whole recipe reached, a row a setting."""
    head = "width images epochs precision device threads seeds".split()
    head += ["top-1 (%)", "with six views (%)", "seconds", "core-seconds"]
    lines = [head, ["---"] * len(head)]
    for setting, arms in settings(rows):
        whole = arms.get("nothing")
        if not whole:
            continue
        first = next(iter(whole.values()))
        cells = [setting["width"], f"{int(setting['images']):,}", setting["epochs"]]
        cells += [setting["precision"], setting["device"], first["threads"]]
        cells += [str(len(whole))]
        cells += [spread(percents(whole, column)) for column in ("top1", "views")]
        for column in ("seconds", "core_seconds"):
            values = [float(row[column]) for row in whole.values()]
            cells.append(f"{statistics.mean(values):.0f}")
        lines.append(cells)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def gain(more: list[float], less: list[float]) -> tuple[float, float]:
    """Return the mean of more - less, and half of its 95 % interval."""
    from scipy.stats import t  # a machine for `make gpu` may lack it

    gaps = [a - b for a, b in zip(more, less, strict=True)]
    spread = statistics.stdev(gaps) / len(gaps) ** 0.5
    return statistics.mean(gaps), float(t.ppf(0.975, len(gaps) - 1)) * spread


def gains(arms: dict) -> list[tuple[str, int, float, float, float]]:
    """Return part, seeds, top-1 without it, gain and half interval, largest gain first.

    Parts of the training are compared by the image itself, from three pairs of seeds
    on; views by the same networks.
    """
    whole, found = arms["nothing"], []
    for part, arm in arms.items():
        seeds = sorted(whole.keys() & arm.keys())
        if part == "nothing" or len(seeds) < FEWEST:
            continue
        less = percents(arm, "top1", seeds)
        both = gain(percents(whole, "top1", seeds), less)
        name = "all of these" if "+" in part else part
        found.append((name, len(seeds), statistics.mean(less), *both))
    for name, column, before in (
        ("the mirrored view", "mirror", "top1"),
        ("four more views", "views", "mirror"),
    ):
        if found and len(whole) >= FEWEST:
            less = percents(whole, before)
            both = gain(percents(whole, column), less)
            found.append((name, len(whole), statistics.mean(less), *both))
    return sorted(found, key=lambda row: -row[3])


def verdict(mean: float, half: float) -> str:
    if abs(mean) <= half:
        return "cannot tell"
    return "helps" if mean > 0 else "harms"


def compared(rows: list[dict]) -> list[tuple[dict, dict]]:
    """Return the settings in which parts were left out, the shortest training first."""
    found = [pair for pair in settings(rows) if "nothing" in pair[1] and gains(pair[1])]
    return sorted(found, key=lambda pair: steps(pair[1]))


def steps(arms: dict) -> int:
    return int(next(iter(arms["nothing"].values()))["steps"])


def worth(rows: list[dict]) -> str:
    """Return a table for each setting: what each part is worth, in points."""
    text = ""
    for setting, arms in compared(rows):
        images, batch = int(setting["images"]), int(setting["batch"])
        text += f"**{setting['epochs']} epochs of {images:,} images in batches of "
        text += f"{batch:,}: {steps(arms)} steps**\n\n"
        text += "| part | seeds | top-1 without (%) | gain (points) | |\n"
        text += "|---|---|---|---|---|\n"
        for part, seeds, without, by, half in gains(arms):
            points = f"{by:+.1f} ± {half:.1f} | {verdict(by, half)}"
            text += f"| {part} | {seeds} | {without:.1f} | {points} |\n"
        text += f"\n{said(arms)}\n"
    return text


def said(arms: dict) -> str:
    """Return a table's outcome in words."""
    sentences = {
        "helps": "Top-1 is higher with: {}.",
        "harms": "It is lower with: {}.",
        "cannot tell": "We cannot tell, as the interval holds zero, for: {}.",
    }
    text, found = "", gains(arms)
    for word, sentence in sentences.items():
        names = [part for part, *_, by, half in found if verdict(by, half) == word]
        if names:
            text += sentence.format(", ".join(names)) + "\n"
    return text


def missing(rows: list[dict]) -> str:
    """Say how many full runs there are, where."""
    counts = {
        setting["device"]: len(arms["nothing"])
        for setting, arms in settings(rows)
        if FULL.items() <= setting.items() and "nothing" in arms
    }
    if not counts:
        return "No full run has been made yet: 94 % is not shown here, by any row.\n"
    parts = (f"{count} on {device}" for device, count in counts.items())
    return f"Full runs so far: {', '.join(parts)}.\n"


def page(text: str, rows: list[dict]) -> str:
    """Return the page with every table between its marks anew."""
    parts = {"reached": reached, "worth": worth, "missing": missing}
    parts["anchors"] = lambda rows: ANCHORS
    for name, made in parts.items():
        first, last = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(first)
        text = before + first + made(rows) + last + rest.partition(last)[2]
    return text


def summary(rows: list[dict]) -> str:
    """Return what was reached, beside what others report, for a terminal."""
    return f"{reached(rows)}\nOthers, by their own reports:\n{ANCHORS}"


def draw(rows: list[dict]) -> None:
    """Draw top-1 by time in the longest training, the mean of its seeds."""
    from matplotlib import pyplot as plt

    from course_lib import plot

    arms, ends = compared(rows)[-1][1], []
    everything = next((arm for arm in arms if "+" in arm), None)
    figure, ax = plt.subplots(figsize=(6.4, 3.0))
    for arm, name in (("nothing", "whole recipe"), (everything, "without all")):
        if arm is not None:
            times, top1 = (mean(arms[arm], column) for column in ("times", "curve"))
            (line,) = ax.plot(times, [100 * x for x in top1], marker=".")
            ends.append((times[-1], 100 * top1[-1], name, line.get_color()))
    ax.set(xlabel="training time (core-seconds)", ylabel="top-1 (%)")
    plot.name_ends(ax, ends)
    with replacing(PICTURE) as part:
        figure.savefig(part, format="svg", metadata={"Date": None})


def mean(arm: dict[int, dict], column: str) -> list[float]:
    """Return the mean over seeds of a column of numbers with spaces between them."""
    every = zip(*(map(float, row[column].split()) for row in arm.values()), strict=True)
    return [statistics.mean(values) for values in every]


def main() -> None:
    rows = table.read(TABLE)
    with replacing(PAGE) as part:
        part.write_text(page(PAGE.read_text("utf-8"), rows), "utf-8")
    draw(rows)


if __name__ == "__main__":
    main()
