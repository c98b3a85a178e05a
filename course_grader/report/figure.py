"""The report's pictures: who has which points, or how they spread in a large class.

They are SVG, which is text: importing Matplotlib took longer than grading three
submissions.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from html import escape
from pathlib import Path

from course_lib.files import replacing
from course_lib.terminal import printable

FEW = 40  # students, each with a row of the picture
BINS = 20
ROW, LETTER, MARGIN = 30, 7, 12  # pixels; a letter is seldom wider
WIDE, HIGH = 360, 240  # pixels between the axes
PALE, FULL = (247, 251, 255), (107, 174, 214)  # no points, all points
BLUE = "#4878a8"


def draw(found: dict, path: Path) -> None:
    """Draw the points of `facts` into an SVG file."""
    students, exercises = found["students"], found["exercises"]
    if len(students) <= FEW:
        parts = _grid(students, exercises)
    else:
        most = sum(one["max_score"] for one in exercises)
        parts = _beside(
            _spread([one["total"] for one in students], most), _shares(exercises)
        )
    with replacing(path) as part:
        title = f"{_plain(found['assignment'])}: points by exercise"
        part.write_text(_sheet(title, *parts), "utf-8", "replace")


def spread(totals: Iterable[float], most: float) -> str:
    """Return a picture of how many students have how many points, of `most`."""
    return _sheet("students by points", *_spread([*totals], most))


def embedded(picture: str, alt: str) -> str:
    """Return the HTML of a picture that comes with its page."""
    data = b64encode(picture.encode("utf-8", "replace")).decode()
    return f'<img alt="{alt}" src="data:image/svg+xml;base64,{data}">'


Drawing = tuple[float, float, list[str]]  # width, height, elements


def _sheet(title: str, wide: float, high: float, parts: list[str]) -> str:
    wide, high = max(wide, len(title) * 1.3 * LETTER) + 2 * MARGIN, high + 5 * MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:.0f}" '
            f'height="{high:.0f}" font-family="sans-serif" font-size="12">',
            f'<title>{title}</title><rect width="100%" height="100%" fill="white"/>',
            f'<text x="{MARGIN}" y="{2 * MARGIN}" font-size="15">{title}</text>',
            _moved(MARGIN, 4 * MARGIN, parts),
            "</svg>\n",
        ]
    )


def _moved(x: float, y: float, parts: list[str]) -> str:
    return f'<g transform="translate({x:.1f} {y:.1f})">{"".join(parts)}</g>'


def _beside(left: Drawing, right: Drawing) -> Drawing:
    (wide, high, parts), (more, other, theirs) = left, right
    gap = wide + 3 * MARGIN
    return gap + more, max(high, other), [*parts, _moved(gap, 0, theirs)]


def _grid(students: list[dict], exercises: list[dict]) -> Drawing:
    """A row a student, a column an exercise, darker for more points."""
    people = [_plain(one["student"][:24]) for one in students]
    heads = [_labelled(one) for one in exercises]
    start = LETTER * max(map(len, people), default=0) + MARGIN
    wide = max(64, LETTER * max(map(len, heads), default=0) + MARGIN)
    places = [start + wide * column for column in range(len(exercises))]
    parts = [_text(x + wide / 2, 16, h) for x, h in zip(places, heads, strict=True)]
    for y, (one, name) in enumerate(zip(students, people, strict=True), 1):
        parts.append(_text(start - MARGIN / 2, y * ROW + 14, name, "end"))
        for x, of in zip(places, exercises, strict=True):
            points = one["points"].get(of["exercise"], 0)
            unread = of["exercise"] in one["waiting"]
            share = min(max(points / (of["max_score"] or 1), 0), 1)
            parts.append(_bar(x, y * ROW - 4, wide - 2, ROW - 2, _shade(share)))
            said = "unread" if unread else f"{points:g}"
            parts.append(_text(x + wide / 2, y * ROW + 14, said))
    return start + wide * len(exercises), (len(students) + 1) * ROW, parts


def _spread(totals: list[float], most: float) -> Drawing:
    """Bars of how many students have so many points."""
    most = most or 1
    bins = Counter(
        min(int(BINS * total / most), BINS - 1) for total in totals if total >= 0
    )
    left, top = 50, max(bins.values(), default=1)
    parts = []
    for number, count in bins.items():
        wide, high = WIDE / BINS, HIGH * count / top
        parts.append(_bar(left + number * wide, HIGH - high, wide - 1, high, BLUE))
    for value in _ticks(most):
        parts.append(_text(left + WIDE * value / most, HIGH + 16, f"{value:g}"))
    for value in _ticks(top):
        parts.append(
            _text(left - 6, HIGH - HIGH * value / top + 4, f"{value:g}", "end")
        )
    across, up = f"points of {most:g}", f"students of {len(totals):,}"
    parts += [_text(left + WIDE / 2, HIGH + 36, across), _text(left, -6, up, "start")]
    return left + WIDE, HIGH + 40, parts


def _shares(exercises: list[dict]) -> Drawing:
    """A bar an exercise: the class's share of its points."""
    heads = [_labelled(one) for one in exercises]
    left = LETTER * max(map(len, heads), default=0) + MARGIN
    parts = [_text(0, -6, "mean share of the points, percent", "start")]
    for row, (one, head) in enumerate(zip(exercises, heads, strict=True)):
        long = max(WIDE * one["share"] * 0.8, 0)
        parts.append(_text(left - MARGIN / 2, row * ROW + 18, head, "end"))
        parts.append(_bar(left, row * ROW + 2, long, ROW - 6, BLUE))
        said = f"{100 * one['share']:.0f} %"
        parts.append(_text(left + long + 5, row * ROW + 18, said, "start"))
    return left + WIDE, len(exercises) * ROW, parts


def _ticks(most: float) -> list[float]:
    """Return some round numbers from 0 to `most`, whole ones from 5 on."""
    step = 10 ** math.floor(math.log10(most))
    step = next(s for s in (step / 5, step / 2, step, 2 * step) if most / s <= 6)
    return [n * step for n in range(int(most / step) + 1)]


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'


def _bar(x: float, y: float, wide: float, high: float, colour: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" '
        f'fill="{colour}"/>'
    )


def _shade(share: float) -> str:
    mixed = (p + share * (f - p) for p, f in zip(PALE, FULL, strict=True))
    return "#" + "".join(f"{round(part):02x}" for part in mixed)


def _labelled(exercise: dict) -> str:
    return f"{_plain(exercise['exercise'])} ({exercise['max_score']:g})"


def _plain(name: str) -> str:
    """Return a name as text: no markup, no marks that turn its direction."""
    return escape(printable(name), quote=False)
