"""What do depthwise convolutions in float32 buy a training in bfloat16 on a CPU?

    python benchmarks/depthwise.py [--seconds 60]

The small networks of units 09 to 13 take training steps of 128 images on one core.
One round is a step with `torch.autocast` alone and a step as this library computes
it (course_lib/precision.py), in turn, in one process. A cell is the best round.
"""

from __future__ import annotations

import argparse
import time

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table

from course_lib import notebook
from course_lib.precision import autocast
from course_lib.recipe import Recipe

CPU = torch.device("cpu")
IMAGES = 128
WAYS = {
    "autocast alone": lambda: torch.autocast("cpu", torch.bfloat16),
    "ours": lambda: autocast(Recipe(precision="bfloat16"), CPU),
}
NETWORKS = {
    "xception_small": "09_xception",
    "mobilenet_small": "10_mobilenet",
    "mobilenet_v2_small": "11_mobilenet_v2",
    "efficientnet_small": "12_efficientnet",
    "efficientnet_v2_small": "13_efficientnet_v2",
}


def step(net, pixels, labels, way: str) -> float:
    start = time.perf_counter()
    with WAYS[way]():
        logits = net(pixels)
    F.cross_entropy(logits.float(), labels).backward()
    return time.perf_counter() - start


def measure(name: str, seconds: float) -> dict[str, float]:
    """Return images/s by way."""
    net = getattr(notebook.load(NETWORKS[name]), name)().train()
    net = net.to(memory_format=torch.channels_last)
    pixels = torch.randn(IMAGES, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.arange(IMAGES) % 10
    rounds, end = [], time.perf_counter() + seconds
    while len(rounds) < 3 or time.perf_counter() < end:
        rounds.append({way: step(net, pixels, labels, way) for way in WAYS})
    return {way: IMAGES / min(times[way] for times in rounds[1:]) for way in WAYS}


def main(seconds: float) -> None:
    table = Table("images/s", *WAYS, "ratio")
    for name in NETWORKS:
        rates = measure(name, seconds / len(NETWORKS))
        alone, ours = rates.values()
        table.add_row(name, f"{alone:.0f}", f"{ours:.0f}", f"{ours / alone:.2f}")
    Console().print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="of measuring")
    torch.set_num_threads(1)
    main(parser.parse_args().seconds)
