"""What MobileNet's notebook exports, against the paper's tables and another library."""

from __future__ import annotations

import csv

import pytest
import torch
from torch import nn

from course_lib import check, flops, notebook, results
from tests.tiers import rest_is_slow

MOBILENET = notebook.load("10_mobilenet")


def cost(net: nn.Module, side: int) -> tuple[int, int]:
    found = flops.count(net, (1, 3, side, side))
    return found.params, found.macs


FAMILY = {  # (width, side): (parameters, MACs); Tables 6 and 7 of arXiv:1704.04861
    (1.0, 224): (4_231_976, 568_740_352),
    (0.75, 224): (2_585_560, 325_400_448),
    (0.5, 224): (1_331_592, 149_497_088),
    (0.25, 224): (470_072, 41_030_272),
    (1.0, 192): (4_231_976, 418_121_728),
    (1.0, 160): (4_231_976, 290_675_200),
    (1.0, 128): (4_231_976, 186_400_768),
    (0.5, 160): (1_331_592, 76_524_800),  # Table 9
}


@pytest.mark.parametrize(("width", "side"), rest_is_slow(FAMILY, 2))
def test_the_family_is_that_of_the_tables(width, side):
    with torch.device("meta"):
        assert cost(MOBILENET.mobilenet(width), side) == FAMILY[width, side]


def test_full_and_shallow_networks_are_those_of_tables_4_and_5():
    with torch.device("meta"):
        full, shallow = MOBILENET.mobilenet_full(), MOBILENET.mobilenet_shallow()
        assert cost(full, 224) == (29_294_088, 4_867_293_184)
        assert cost(shallow, 224) == (2_887_976, 307_323_392)


def test_the_small_network_is_for_32_pixels():
    small = MOBILENET.mobilenet_small()
    assert cost(small, 32) == (823_722, 45_310_976)
    assert small.stages(small.stem(torch.zeros(1, 3, 32, 32))).shape[2:] == (4, 4)


@pytest.mark.parametrize("width", [0, -1, 1 / 33])
def test_a_width_that_leaves_no_channel_is_refused(width):
    with pytest.raises(ValueError, match="no channel"):
        MOBILENET.mobilenet(width)


@pytest.mark.slow
@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
def test_same_logits_as_timm(train):
    timm = pytest.importorskip("timm")
    reference = timm.create_model("mobilenetv1_100", num_classes=1000)
    images = torch.randn(4, 3, 65, 71, generator=torch.Generator().manual_seed(0))
    match = check.matches(MOBILENET.mobilenet(), reference, images, train=train)
    assert match.error < 1e-9
    assert match.params == 4_231_976


def test_table_1_as_printed_is_another_network():
    """The last depthwise layer is printed with stride 2: 7x7 would become 4x4."""
    misprinted = MOBILENET.PRINTED[25]
    assert (misprinted.kind, misprinted.stride, misprinted.side) == ("dw", 2, 7)
    fits = [line for line in MOBILENET.TABLE_1 if line.stride == 2]
    assert [line.side for line in fits] == [224, 112, 56, 28, 14]
    with torch.device("meta"):
        assert cost(MOBILENET.flat(MOBILENET.PRINTED), 224)[1] == 533_833_216


def test_every_activation_is_relu6_and_no_convolution_has_a_bias():
    net = MOBILENET.mobilenet_small(0.25)
    kinds = [type(layer) for layer in net.modules()]
    assert kinds.count(nn.ReLU6) == kinds.count(nn.BatchNorm2d) == 27
    assert nn.ReLU not in kinds
    convs = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    assert all(conv.bias is None for conv in convs)


def test_the_depthwise_layer_strides_and_reads_a_channel_each():
    block = MOBILENET.Separable(6, 10, stride=2)
    assert block.depthwise[0].stride == (2, 2)
    assert block.pointwise[0].stride == (1, 1)
    x = torch.zeros(1, 6, 5, 5)
    x[0, 2] = 1
    seen = block.depthwise[0](x)[0].flatten(1).abs().sum(dim=1)
    assert seen.nonzero().flatten().tolist() == [2]


def test_the_table_of_separable_against_full_is_whole():
    path = results.RESULTS / "10_mobilenet-separable.csv"
    with open(path, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    pairs = {(row["arm"], row["seed"]) for row in rows}
    assert pairs == {(arm, str(n)) for arm in ("full", "separable") for n in range(5)}
    stated = {(row["arm"], int(row["params"]), int(row["macs"])) for row in rows}
    with torch.device("meta"):
        for arm, *counted in stated:
            net = MOBILENET.mobilenet_small(0.25, separable=arm == "separable")
            assert [*cost(net, 8)] == counted


@pytest.mark.slow
def test_cells_that_check_run_without_data(monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    names: dict = {}
    for cell in notebook.cells(notebook.source("10_mobilenet").read_text("utf-8")):
        if {"export", "check"} & set(cell.tags):
            exec(cell.source, names)
    assert names["RECIPES"]
