"""What papers print of their networks, beside what ours have, counted anew."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType
from typing import NamedTuple

import torch
from torch import nn

from course_lib import flops, notebook
from course_lib.files import ROOT

PRINTED = ROOT / "docs/papers.csv"
CLOSE = {4: 0.02, 9: 0.001}  # digits in print at most: how far apart, as a share


class Claim(NamedTuple):
    """A number in print, and the same number of our network."""

    unit: str  # of the course
    source: str
    what: str
    printed: str
    computed: float
    why: str  # what is known, where the two do not agree

    @property
    def difference(self) -> float:
        """Return by which share of the printed number ours is larger."""
        return self.computed / float(self.printed) - 1

    @property
    def agrees(self) -> bool:
        """Say whether ours rounds to what is printed, or nearly so: see CLOSE."""
        decimals = len(self.printed.partition(".")[2])
        rounds = abs(self.computed - float(self.printed)) <= 0.5 * 10**-decimals
        digits = len(self.printed.replace(".", "").strip("0"))
        close = next(share for most, share in CLOSE.items() if digits <= most)
        return rounds or abs(self.difference) <= close


def claims() -> Iterator[Claim]:
    """Yield all numbers of papers.csv, then those that need a sentence of their own.

    MACs are in millions; parameters, too, or of a part of a network, without its
    biases, in units of 1,024.
    """
    with open(PRINTED, encoding="utf-8") as file:
        for row in csv.DictReader(file):
            about = row["unit"], row["source"]
            for quantity in ("params", "macs"):
                if row[quantity]:
                    count = counted(row["unit"], row["built"], row["side"], quantity)
                    what = f"{row['name']}: {count.unit}"
                    yield Claim(*about, what, row[quantity], count.value, row["why"])
    for unit, source, what, printed, computed, why in OTHERS:
        value = computed(notebook.load(unit))
        yield Claim(unit, source, what, printed, value, why)


class Count(NamedTuple):
    value: float
    unit: str


def counted(unit: str, built: str, side: str, quantity: str) -> Count:
    """Count what "resnet 50 stride_on=1" builds, or the parts named behind it."""
    words = built.split()
    parts = tuple(f"{word}." for word in words if word.startswith(("stem.", "stages.")))
    net = network(unit, *words[: len(words) - len(parts)])
    if quantity == "macs":
        rows = [row for row in cost(net, int(side)).layers if inside(row.name, parts)]
        return Count(sum(row.macs for row in rows) / 1e6, "million MACs")
    total = sum(
        weights.numel()
        for name, weights in net.named_parameters()
        if inside(name, parts) and (weights.ndim > 1 or not parts)
    )
    if parts:
        return Count(total / 1024, "1,024 weights")
    return Count(total / 1e6, "million parameters")


def inside(name: str, parts: tuple[str, ...]) -> bool:
    return not parts or f"{name}.".startswith(parts)


@cache
def network(unit: str, constructor: str, *words: str) -> nn.Module:
    """Return a unit's network, of shapes without numbers."""
    named = dict(word.split("=") for word in words if "=" in word)
    plain = [value(word) for word in words if "=" not in word]
    with torch.device("meta"):
        build = getattr(notebook.load(unit), constructor)
        return build(*plain, **{name: value(word) for name, word in named.items()})


def value(word: str) -> int | float | bool | str:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            pass
    return {"True": True, "False": False}.get(word, word)


@cache
def cost(net: nn.Module, side: int) -> flops.Cost:
    with torch.device("meta"):
        return flops.count(net, (1, 3, side, side))


def neurons_of_conv1(unit: ModuleType) -> float:
    with torch.device("meta"):
        return cost(unit.alexnet(), 227).layers[0].activations


def share_of_stem(unit: ModuleType) -> float:
    """Return the MACs of MobileNet's one full 3×3 convolution, in % of all."""
    found = cost(network("10_mobilenet", "mobilenet"), 224)
    return 100 * found.layers[0].macs / found.macs


def side_of_last_map(unit: ModuleType) -> float:
    line = unit.PRINTED[25]
    return -(-line.side // line.stride)


def blocks(unit: ModuleType) -> float:
    return sum(stage.blocks for stage in unit.STAGES)


OTHERS: list[tuple[str, str, str, str, Callable[[ModuleType], float], str]] = [
    (
        *("04_alexnet", "Krizhevsky et al. 2012, section 3.5"),
        *("AlexNet: neurons of the first layer", "253440", neurons_of_conv1),
        "The paper's images of 224 pixels do not give its own maps of 55×55; 227 do.",
    ),
    (
        *("10_mobilenet", "arXiv:1704.04861, Table 2"),
        *("MobileNet: % of the MACs in 3×3 convolutions", "1.19", share_of_stem),
        "Two digits are exchanged; with ours the printed column sums to 100.",
    ),
    (
        *("10_mobilenet", "arXiv:1704.04861, Table 1"),
        *("MobileNet: side of the last map", "7", side_of_last_map),
        "The stride printed for the last depthwise layer is 2; it must be 1.",
    ),
    (
        *("11_mobilenet_v2", "arXiv:1801.04381, section 4"),
        *("MobileNetV2: residual blocks", "19", blocks),
        "The text says 19; the paper's own Table 2 has fewer.",
    ),
]


def page() -> str:
    """Return the page of all claims: those that do not agree first, with the reason."""
    every = list(claims())
    agree = [claim for claim in every if claim.agrees]
    lines = [
        "# Against the papers",
        "",
        INTRODUCTION.format(len(every), len(agree)),
        "",
    ]
    for title, some in (
        ("What does not agree", [claim for claim in every if not claim.agrees]),
        ("What agrees", agree),
    ):
        lines += [f"## {title}", "", *HEADER, *map(row, some), ""]
    return "\n".join(lines)


INTRODUCTION = """Papers print parameters and multiply-accumulates (MACs). The
networks of this course are built from the same papers. This page counts them anew each
time the site is built: of {} printed numbers, {} agree. A number agrees when ours
rounds to it, or differs by 2 % at most. (If a paper prints more than four digits, by
0.1 %.) Parts of GoogLeNet are counted as in its Table 1: weights without biases, in
units of 1,024."""
HEADER = "| what | printed | ours | larger by | source |", "|---|--:|--:|--:|---|"


def row(claim: Claim) -> str:
    printed = float(claim.printed)
    decimals = len(claim.printed.partition(".")[2])
    ours = f"{claim.computed:,.{decimals + (printed < 100)}f}"
    parts = f"[{claim.what}](notebooks/{claim.unit}.ipynb)", f"{printed:,.{decimals}f}"
    parts += ours, f"{claim.difference:+.1%}", claim.source
    known = "" if claim.agrees or not claim.why else f". {claim.why}"
    return f"| {' | '.join(parts)}{known} |"
