"""Who counts multiply-accumulates exactly? Ours against four counters, side by side.

    python benchmarks/flops.py [--seconds 75]

Each counts the same network in eval mode on one image, in turn, in one process, for up
to three rounds. A cell is the count / the exact figure (or their difference, when that
would read 1.0000), and the median time of a count in milliseconds; "exact" means equal
to the last digit. Peers run the network on the CPU, as their manuals show. The exact
figures are of torchvision 0.29 and timm 1.0, counted by two independent means (formulas
on hooks; torch's own counter without fused attention).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import logging
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from course_lib.flops import count


class EinsumAttention(nn.Module):
    """Self-attention without a layer in sight: all four products are einsums."""

    def __init__(self, width: int = 192, heads: int = 3):
        super().__init__()
        self.qkv = nn.Parameter(torch.randn(3, heads, width // heads, width) / 14)
        self.project = nn.Parameter(torch.randn(width, heads, width // heads) / 14)

    def forward(self, tokens: Tensor) -> Tensor:  # (N, T, D)
        q, k, v = torch.einsum("ntd,xhed->xnhte", tokens, self.qkv)
        scores = torch.einsum("nhqe,nhke->nhqk", q, k) / q.shape[-1] ** 0.5
        mixed = torch.einsum("nhqk,nhke->nqhe", scores.softmax(-1), v)
        return torch.einsum("nqhe,dhe->nqd", mixed, self.project)


ROUNDS = 3
IMAGE = (1, 3, 224, 224)
NETWORKS = [  # name, library, constructor, options, input shape, exact MACs
    ("AlexNet", "torchvision", "alexnet", {}, IMAGE, 714_188_480),
    ("VGG-16", "torchvision", "vgg16", {}, IMAGE, 15_470_264_320),
    (
        "GoogLeNet",
        "torchvision",
        "googlenet",
        {"init_weights": False},
        IMAGE,
        1_498_376_192,
    ),
    (
        "Inception v3",
        "torchvision",
        "inception_v3",
        {"init_weights": False},
        (1, 3, 299, 299),
        5_713_216_096,
    ),
    ("ResNet-50", "torchvision", "resnet50", {}, IMAGE, 4_089_184_256),
    ("MobileNetV1", "timm", "mobilenetv1_100", {}, IMAGE, 568_740_352),
    ("MobileNetV2", "torchvision", "mobilenet_v2", {}, IMAGE, 300_774_272),
    ("Xception", "timm", "legacy_xception", {}, (1, 3, 299, 299), 8_357_403_496),
    ("EfficientNet-B0", "torchvision", "efficientnet_b0", {}, IMAGE, 385_814_752),
    (
        "EfficientNetV2-S",
        "torchvision",
        "efficientnet_v2_s",
        {},
        (1, 3, 384, 384),
        8_365_617_152,
    ),
    ("ViT-B/16", "torchvision", "vit_b_16", {}, IMAGE, 17_563_828_224),
    ("ViT-B/16 (timm)", "timm", "vit_base_patch16_224", {}, IMAGE, 17_563_828_224),
    # 4 T D² + 2 T² D
    (
        "einsum attention",
        "",
        "",
        {},
        (1, 196, 192),
        4 * 196 * 192**2 + 2 * 196**2 * 192,
    ),
]


def ours(net: nn.Module, shape: tuple) -> int:
    return count(net, shape).macs


def fvcore(net: nn.Module, shape: tuple) -> int:
    from fvcore.nn import FlopCountAnalysis

    return int(FlopCountAnalysis(net, torch.zeros(shape)).total())


def ptflops(net: nn.Module, shape: tuple) -> int:
    from ptflops import get_model_complexity_info

    options = {"as_strings": False, "print_per_layer_stat": False}
    return int(get_model_complexity_info(net, shape[1:], **options)[0])


def torchinfo(net: nn.Module, shape: tuple) -> int:
    from torchinfo import summary

    return summary(net, shape, verbose=0, device="cpu").total_mult_adds


def torch_counter(net: nn.Module, shape: tuple) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        net(torch.zeros(shape))
    return counter.get_total_flops() // 2


PEERS = {  # name: (function, what to install)
    "ours": (ours, "torch"),
    "FlopCounterMode": (torch_counter, "torch"),
    "fvcore": (fvcore, "fvcore"),
    "ptflops": (ptflops, "ptflops"),
    "torchinfo": (torchinfo, "torchinfo"),
}


def build(library: str, constructor: str, options: dict) -> nn.Module:
    if not library:
        return EinsumAttention().eval()
    if library == "timm":
        return importlib.import_module("timm").create_model(constructor).eval()
    models = importlib.import_module("torchvision.models")
    return getattr(models, constructor)(**options).eval()


@contextlib.contextmanager
def silence():
    """Keep the peers' warnings and remarks off the table."""
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    logging.disable(logging.NOTSET)


def measure(peers: dict, net: nn.Module, shape: tuple, share: float) -> dict:
    """Return {peer: (MACs or the error, median seconds)}, the peers taking turns.

    share: seconds after which no further round starts.
    """
    begin = time.perf_counter()
    counted: dict[str, int | str] = {}
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    for done in range(ROUNDS):
        if done and time.perf_counter() - begin > share * done / (done + 1):
            break  # one more round would not fit
        for name, function in peers.items():
            start = time.perf_counter()
            try:
                counted[name] = function(net, shape)
            except Exception as error:
                counted[name] = type(error).__name__
            seconds[name].append(time.perf_counter() - start)
    return {name: (counted[name], statistics.median(seconds[name])) for name in peers}


def verdict(macs: int | str, exact: int) -> str:
    if isinstance(macs, str):
        return macs
    if macs == exact:
        return "exact"
    near = abs(macs / exact - 1) < 5e-5
    return f"{macs - exact:+,}" if near else f"{macs / exact:.4f}"


def available() -> tuple[dict[str, Callable], list[str]]:
    found, missing = {}, []
    for name, (function, package) in PEERS.items():
        try:
            with silence():
                importlib.import_module(package)
            found[name] = function
        except ImportError:
            missing.append(f"{name}: skipped, pip install {package}")
    return found, missing


def main(seconds: float) -> None:
    torch.manual_seed(0)
    peers, remarks = available()
    table = Table(title="MACs / exact figure, and milliseconds a count")
    for column in ("network", "exact MACs", *peers):
        table.add_column(
            column, justify="left" if column == "network" else "right", no_wrap=True
        )
    right, slower = dict.fromkeys(peers, 0), {name: [] for name in peers}
    rows = 0
    for name, library, constructor, options, shape, exact in NETWORKS:
        try:
            with silence():
                net = build(library, constructor, options)
        except ImportError:
            remarks.append(f"{name}: skipped, pip install {library}")
            continue
        with silence():
            found = measure(peers, net, shape, seconds / len(NETWORKS))
        rows += 1
        cells = []
        for peer, (macs, spent) in found.items():
            right[peer] += macs == exact
            slower[peer].append(spent / found["ours"][1])
            cells.append(f"{verdict(macs, exact)} {1000 * spent:5.0f}")
        table.add_row(name, f"{exact:,}", *cells)
    table.add_section()
    table.add_row("exact", "", *[f"{n} of {rows}" for n in right.values()])
    ratios = [f"{statistics.median(times):.2f}x" for times in slower.values()]
    table.add_row("time / ours, median", "", *ratios)
    console = Console(width=max(Console().width, 130))
    console.print(table)
    for remark in remarks:
        console.print(remark)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=75, help="about how long")
    main(parser.parse_args().seconds)
