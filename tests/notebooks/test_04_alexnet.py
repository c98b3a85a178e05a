"""What AlexNet's notebook exports, against the paper's figures and slower answers."""

from __future__ import annotations

import csv
import math
from itertools import product

import pytest
import torch
from torch import nn

from course_lib import check, data, flops, notebook, results
from course_lib.train import Epoch, Recipe, fit

ALEXNET = notebook.load("04_alexnet")

LAYERS = [  # Figure 2 and section 3.5: output, weights with biases, MACs
    ((96, 55, 55), 34_944, 105_415_200),
    ((256, 27, 27), 307_456, 223_948_800),
    ((384, 13, 13), 885_120, 149_520_384),
    ((384, 13, 13), 663_936, 112_140_288),
    ((256, 13, 13), 442_624, 74_760_192),
    ((4096,), 37_752_832, 37_748_736),
    ((4096,), 16_781_312, 16_777_216),
    ((1000,), 4_097_000, 4_096_000),
]


@pytest.fixture(scope="module")
def cost() -> flops.Cost:
    with torch.device("meta"):
        return flops.count(ALEXNET.alexnet(), (1, 3, 227, 227))


def test_the_full_network_is_the_papers_layer_by_layer(cost):
    learnt = [layer for layer in cost.layers if layer.params]
    found = [(layer.output_shape[1:], layer.params, layer.macs) for layer in learnt]
    assert found == LAYERS
    assert (cost.params, cost.macs) == (60_965_224, 724_406_816)


@pytest.mark.slow
def test_it_starts_as_section_5_says():
    net = ALEXNET.alexnet(num_classes=10)
    layers = [layer for layer in net.modules() if hasattr(layer, "weight")]
    biases = [layer.bias.unique().tolist() for layer in layers]
    assert biases == [[0.0], [1.0], [0.0], [1.0], [1.0], [1.0], [1.0], [0.0]]
    for layer in layers:
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.03)


def norm_of_the_formula(a, n, k, alpha, beta):
    """Section 3.3 of the paper, one number at a time; a: (N, C, H, W)."""
    b = torch.empty_like(a)
    channels = a.shape[1]
    for image, i, y, x in torch.cartesian_prod(*map(torch.arange, a.shape)).tolist():
        near = range(max(0, i - n // 2), min(channels - 1, i + n // 2) + 1)
        energy = sum(a[image, j, y, x].item() ** 2 for j in near)
        b[image, i, y, x] = a[image, i, y, x] / (k + alpha * energy) ** beta
    return b


@pytest.mark.parametrize("n", [1, 3, 5, 9])
@pytest.mark.parametrize("channels", [1, 2, 7])
def test_the_norm_is_the_formula(n, channels):
    a = 50 * torch.randn(2, channels, 2, 3, dtype=torch.float64)
    chosen = {"n": n, "k": 1.5, "alpha": 2e-3, "beta": 0.6}
    expected = norm_of_the_formula(a, **chosen)
    check.close(ALEXNET.LocalResponseNorm(**chosen)(a), expected, rtol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 4, 5])  # an even n reaches further back
def test_the_norm_is_pytorchs_with_n_times_alpha(n):
    a = 100 * torch.randn(2, 8, 3, 5, dtype=torch.float64)
    theirs = nn.LocalResponseNorm(n, alpha=n * 1e-4, beta=0.75, k=2.0)
    check.close(ALEXNET.LocalResponseNorm(n)(a), theirs(a), rtol=1e-12)


def seen(net: nn.Module, channels: int, output: int) -> list[int]:
    """Return the input channels that output channel `output` depends on."""
    maps = torch.randn(1, channels, 9, 9, requires_grad=True)
    net(maps)[0, output].sum().backward()
    return maps.grad.abs().sum((0, 2, 3)).nonzero().flatten().tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "meets"), [(1, False), (2, True), (3, False), (4, False)]
)
def test_the_towers_meet_only_in_the_third_stage(number, meets):
    conv = ALEXNET.alexnet(num_classes=2).stages[number][0]
    every = list(range(2 * conv.weight.shape[1])) if not meets else list(range(256))
    half = len(every) // 2
    first, last = seen(conv, len(every), 0), seen(conv, len(every), -1)
    assert first == (every if meets else every[:half])
    assert last == (every if meets else every[half:])


@pytest.mark.slow
def test_pooling_overlaps_and_dropout_is_in_both_hidden_layers():
    for net, count in (
        (ALEXNET.alexnet(num_classes=2), 3),
        (ALEXNET.alexnet_small(), 2),
    ):
        pools = [layer for layer in net.modules() if isinstance(layer, nn.MaxPool2d)]
        assert [(pool.kernel_size, pool.stride) for pool in pools] == [(3, 2)] * count
        drops = [layer.p for layer in net.head if isinstance(layer, nn.Dropout)]
        assert drops == [0.5, 0.5]


def test_the_small_network_keeps_the_ideas_and_is_small():
    net = ALEXNET.alexnet_small()
    check.params(net, 302_538)
    check.macs(net, (1, 3, 32, 32), 3_137_920)
    check.shape(ALEXNET.alexnet_small(7), (3, 3, 32, 32), (3, 7))
    convs = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    assert [conv.groups for conv in convs] == [1, 2, 1, 2, 2]
    kinds = [type(layer).__name__ for layer in net.modules()]
    assert kinds.count("LocalResponseNorm") == 2


@pytest.mark.slow
def test_the_small_network_learns_the_digits():
    train, val = (data.load("digits", s, size=32, channels=3) for s in ("train", "val"))
    recipe = Recipe(**ALEXNET.RECIPES["digits"] | {"epochs": 4})
    torch.manual_seed(0)
    history = fit(ALEXNET.alexnet_small(), train, val, recipe, quiet=True)
    assert history[-1].val_top1 > 0.85  # 0.94 in one run; 0.1 is chance


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, "ReLU", "Tanh", nn.GELU])
def test_the_races_network_has_four_layers(activation):
    net = ALEXNET.race_network(activation)
    assert [type(x).__name__ for x in net if hasattr(x, "weight")] == [
        *["Conv2d"] * 3,
        "Linear",
    ]
    kind = getattr(nn, activation) if isinstance(activation, str) else activation
    assert sum(isinstance(layer, kind) for layer in net) == 3
    check.params(net, 89_578)
    check.shape(net, (2, 3, 32, 32), (2, 10))


def history(*errors: float) -> list[Epoch]:
    return [Epoch(n, 0, 1 - error, 0, 0, 0, 0) for n, error in enumerate(errors, 1)]


def test_the_race_ends_where_the_error_crosses():
    assert ALEXNET.epochs_to(history(0.5, 0.3, 0.2)) == pytest.approx(2.5)
    assert ALEXNET.epochs_to(history(0.5, 0.25)) == pytest.approx(2)
    assert ALEXNET.epochs_to(history(0.2)) == pytest.approx(0.75 / 0.8)
    assert math.isnan(ALEXNET.epochs_to(history(0.5, 0.3)))
    assert ALEXNET.epochs_to(history(0.5, 0.3), error=0.4) == pytest.approx(1.5)


def test_the_table_of_dropout_is_a_whole_grid():
    path = results.RESULTS / "04_alexnet-dropout.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    runs = [(row["seed"], row["dropout"], row["augmented"]) for row in rows]
    grid = product("01234", ("0.5", "0.0"), ("True", "False"))
    assert runs == list(grid)
    assert {row["epochs"] for row in rows} == {"40"}


RECORDS = sorted(results.RESULTS.glob("04_alexnet*.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_fits_its_network_and_is_light(path):
    record, weights = results.read(path), path.with_suffix(".safetensors")
    net = getattr(ALEXNET, record.network)(**record.arguments)
    results.load_weights(weights, net)
    assert results.sha256(weights) == record.weights
    assert sum(p.numel() for p in net.parameters()) == record.params
    assert weights.stat().st_size < 2.1 * record.params + 20_000  # float16


@pytest.mark.slow
def test_cells_that_check_run_without_data(monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    names: dict = {}
    for cell in notebook.cells(notebook.source("04_alexnet").read_text("utf-8")):
        if {"export", "check"} & set(cell.tags):
            exec(cell.source, names)
    assert names["RECIPES"]
