"""What do depthwise convolutions in float32 buy a training in bfloat16 on a CPU?

    python benchmarks/depthwise.py [--seconds 60] [--images 128]

First single layers, forward and backward, in bfloat16 and in float32. Then training
steps of the small networks of units 09 to 13, with `torch.autocast` alone and as this
library computes them (course_lib/precision.py). The two ways take turns, on one core,
in one process. A cell is the best round.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from course_lib import notebook
from course_lib.precision import autocast
from course_lib.recipe import Recipe

CPU = torch.device("cpu")
WAYS = {
    "autocast alone": lambda: torch.autocast("cpu", torch.bfloat16),
    "ours": lambda: autocast(Recipe(precision="bfloat16"), CPU),
}
LAYERS = [  # channels, pixels a side, kernel, stride
    *((64, 32, 3, 2), (256, 8, 3, 2), (144, 32, 5, 2), (240, 16, 5, 2)),
    *((144, 32, 5, 1), (240, 16, 5, 1), (240, 16, 7, 1)),
    *((64, 32, 3, 1), (256, 8, 3, 1)),  # left in bfloat16
]
NETWORKS = {
    "xception_small": "09_xception",
    "mobilenet_small": "10_mobilenet",
    "mobilenet_v2_small": "11_mobilenet_v2",
    "efficientnet_small": "12_efficientnet",
    "efficientnet_v2_small": "13_efficientnet_v2",
}


def best(works: list[Callable], seconds: float) -> list[float]:
    """Return the shortest time of each, in seconds, after a round to warm up."""
    rounds, end = [], time.perf_counter() + seconds
    while len(rounds) < 3 or time.perf_counter() < end:
        rounds.append([clocked(work) for work in works])
    return [min(times) for times in zip(*rounds[1:], strict=True)]


def clocked(work: Callable) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def layer(channels: int, side: int, kernel: int, stride: int, images: int, dtype):
    """Return a depthwise layer's forward and backward pass, to call."""
    filters = nn.Conv2d(
        *(channels, channels, kernel, stride, kernel // 2),
        groups=channels,
        bias=False,
        dtype=dtype,
    ).to(memory_format=torch.channels_last)
    x = torch.randn(images, channels, side, side, dtype=dtype)
    x = x.to(memory_format=torch.channels_last).requires_grad_()
    return lambda: filters(x).sum().backward()


def step(net: nn.Module, pixels: Tensor, labels: Tensor, way: Callable) -> None:
    with way():
        logits = net(pixels)
    F.cross_entropy(logits.float(), labels).backward()


def network(name: str, images: int) -> list[Callable]:
    """Return a network's training step in each way, to call."""
    net = getattr(notebook.load(NETWORKS[name]), name)().train()
    net = net.to(memory_format=torch.channels_last)
    pixels = torch.randn(images, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.arange(images) % 10
    return [lambda way=way: step(net, pixels, labels, way) for way in WAYS.values()]


def main(seconds: float, images: int) -> None:
    each = seconds / (len(LAYERS) + len(NETWORKS))
    table = Table(
        "channels, pixels, kernel, stride", "bfloat16 ms", "float32 ms", "ratio"
    )
    for shape in LAYERS:
        dtypes = torch.bfloat16, torch.float32
        half, full = best([layer(*shape, images, dtype) for dtype in dtypes], each)
        row = f"{1e3 * half:.1f}", f"{1e3 * full:.1f}", f"{half / full:.2f}"
        table.add_row(", ".join(map(str, shape)), *row)
    Console().print(table)
    table = Table("images/s", *WAYS, "ratio")
    for name in NETWORKS:
        alone, ours = best(network(name, images), each)
        rates = f"{images / alone:.0f}", f"{images / ours:.0f}", f"{alone / ours:.2f}"
        table.add_row(name, *rates)
    Console().print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="of measuring")
    parser.add_argument("--images", type=int, default=128, help="a step")
    torch.set_num_threads(1)
    main(**vars(parser.parse_args()))
