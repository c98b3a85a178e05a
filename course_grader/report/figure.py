"""The report's picture: who has which points, or how they spread in a large class."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from course_lib.files import replacing
from course_lib.terminal import printable

FEW = 40  # students, each with a row of the picture


def draw(found: dict, path: Path) -> None:
    """Draw the points of `facts` into a PNG file."""
    from matplotlib.figure import Figure

    students, exercises = found["students"], found["exercises"]
    few = len(students) <= FEW
    wide, high = 2.5 + 0.8 * len(exercises), 1.6 + 0.32 * len(students)
    size = (max(wide, 4), high) if few else (9.6, 1.6 + max(2.4, 0.3 * len(exercises)))
    sheet = Figure(figsize=size, dpi=100, layout="constrained")
    if few:
        _grid(sheet.subplots(), students, exercises)
    else:
        left, right = sheet.subplots(1, 2)
        _spread(left, students, exercises)
        _shares(right, exercises)
    sheet.suptitle(f"{found['assignment']}: points by exercise", x=0.01, ha="left")
    with replacing(path) as part:
        sheet.savefig(part, format="png")


def _grid(ax, students: list[dict], exercises: list[dict]) -> None:
    """A row a student, a column an exercise, darker for more points."""
    names = [one["exercise"] for one in exercises]
    most = {one["exercise"]: one["max_score"] or 1 for one in exercises}
    if students:
        shares = [[s["points"].get(n, 0) / most[n] for n in names] for s in students]
        lines = {"edgecolors": "white", "linewidth": 2}
        ax.pcolormesh(shares, cmap="Blues", vmin=0, vmax=2, **lines)
    labels = [f"{_plain(name)} ({most[name]:g})" for name in names]
    ax.set_xticks([i + 0.5 for i in range(len(names))], labels, rotation=30, ha="right")
    people = [_plain(one["student"])[:24] for one in students]
    ax.set_yticks([i + 0.5 for i in range(len(people))], people)
    ax.invert_yaxis()
    for y, one in enumerate(students):
        for x, name in enumerate(names):
            unread = name in one["waiting"]
            text = "unread" if unread else f"{one['points'].get(name, 0):g}"
            ax.text(x + 0.5, y + 0.5, text, ha="center", va="center")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def spread(totals: Iterable[float], most: float) -> bytes:
    """Return a PNG of how many students have how many points, of `most`."""
    from matplotlib.figure import Figure

    sheet, file = Figure(figsize=(6.4, 3.6), dpi=100, layout="constrained"), BytesIO()
    _spread(sheet.subplots(), [{"total": one} for one in totals], [{"max_score": most}])
    sheet.savefig(file, format="png")
    return file.getvalue()


def _spread(ax, students: list[dict], exercises: list[dict]) -> None:
    most = sum(one["max_score"] for one in exercises) or 1
    ax.hist([one["total"] for one in students], bins=20, range=(0, most))
    ax.set_xlabel(f"points of {most:g}")
    ax.set_ylabel(f"students of {len(students):,}")
    ax.yaxis.get_major_locator().set_params(integer=True)
    ax.spines[["top", "right"]].set_visible(False)


def _shares(ax, exercises: list[dict]) -> None:
    names = [f"{_plain(one['exercise'])} ({one['max_score']:g})" for one in exercises]
    bars = ax.barh(names, [100 * one["share"] for one in exercises])
    ax.bar_label(bars, fmt="%.0f %%", padding=3)
    ax.set_xlim(0, 115)
    ax.set_xlabel("mean share of the points, percent")
    ax.invert_yaxis()
    ax.spines[["top", "right"]].set_visible(False)


def _plain(name: str) -> str:
    """Return a name that Matplotlib draws as it is: a dollar would start a formula."""
    shown = printable(name)
    return shown.replace("$", r"\$")
