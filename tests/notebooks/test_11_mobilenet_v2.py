"""What MobileNetV2's notebook exports, against the paper and torchvision."""

from __future__ import annotations

import csv

import pytest
import torch
import torchvision
from torch import nn

from course_lib import check, flops, notebook, results
from tests.tiers import rest_is_slow

V2 = notebook.load("11_mobilenet_v2")

COUNTED = {  # width: (parameters, MACs) at 224x224, as torchvision's network has them
    0.35: (1_677_128, 59_285_808),
    0.5: (1_968_680, 97_131_840),
    0.75: (2_636_424, 209_069_792),
    1.0: (3_504_872, 300_774_272),
    1.3: (5_386_792, 509_374_560),
    1.4: (6_108_776, 582_195_824),
}


@pytest.mark.parametrize("width", rest_is_slow(COUNTED))
def test_parameters_and_macs_are_the_published_ones(width):
    with torch.device("meta"):
        cost = flops.count(V2.mobilenet_v2(width), (1, 3, 224, 224))
    assert (cost.params, cost.macs) == COUNTED[width]


@pytest.mark.slow
@pytest.mark.parametrize("width", [1.0, 0.35])
@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
def test_same_logits_as_torchvision(width, train):
    ours = V2.mobilenet_v2(width)
    theirs = torchvision.models.mobilenet_v2(width_mult=width)
    ours.head[3].p = theirs.classifier[0].p = 0.0
    images = torch.randn(4, 3, 65, 71, generator=torch.Generator().manual_seed(0))
    match = check.matches(ours, theirs, images, train=train)
    assert match.error < 1e-9
    assert match.params == COUNTED[width][0]


def test_rounding_is_that_of_the_published_networks():
    from torchvision.models._utils import _make_divisible

    for tenths in range(1, 4000):
        width = tenths / 10
        assert V2.round_channels(width) == _make_divisible(width, 8), width


def test_a_width_of_nothing_and_an_unknown_wire_are_refused():
    with pytest.raises(ValueError, match="more than 0"):
        V2.mobilenet_v2(0)
    with pytest.raises(ValueError, match="'thin', 'wide' or 'none'"):
        V2.wired("thick")


def test_seventeen_blocks_of_which_ten_have_a_shortcut():
    blocks = V2.mobilenet_v2(1.0, 10).stages
    assert len(blocks) == 17
    assert sum(block.keeps_shape for block in blocks) == 10


def test_the_bottleneck_is_linear_and_may_be_made_otherwise():
    x = torch.randn(2, 4, 5, 5)
    for linear in (True, False):
        block = V2.InvertedResidual(4, 6, linear=linear)
        kinds = [type(layer) for layer in block.modules()]
        assert kinds.count(nn.ReLU6) == (2 if linear else 3)
        assert (block(x) < 0).any() == linear


def test_the_small_network_is_for_32_pixels():
    small = V2.mobilenet_v2_small()
    assert flops.count(small, (1, 3, 32, 32)).macs == 26_324_224
    assert sum(p.numel() for p in small.parameters()) == 590_410
    assert small.stages(small.stem(torch.zeros(1, 3, 32, 32))).shape[2:] == (4, 4)


def test_wires_are_where_their_names_say():
    """With the branches silenced, only a wire carries the signal on."""
    x = torch.randn(2, 4, 8, 8)
    plain = {}
    for wire in ("thin", "wide", "none"):
        torch.manual_seed(0)
        net = V2.wired(wire).eval()
        net.stem, net.head = nn.Identity(), nn.Identity()
        net.stages = net.stages[:3]
        for block in list(net.stages)[1:]:
            nn.init.zeros_(
                block.filter[0].weight
            )  # nothing wide but what the wire adds
        plain[wire] = [net(x), net(2 * x)]
    assert torch.equal(*plain["none"])
    for wire in ("thin", "wide"):
        assert not torch.equal(*plain[wire])
    assert not torch.equal(plain["thin"][0], plain["wide"][0])


def test_the_table_of_bottlenecks_is_whole():
    path = results.RESULTS / "11_mobilenet_v2-bottlenecks.csv"
    with open(path, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    arms = "linear, thin", "ReLU6, thin", "linear, wide", "linear, none"
    pairs = [(row["arm"], row["seed"]) for row in rows]
    assert pairs == [(arm, str(seed)) for seed in range(5) for arm in arms]


@pytest.mark.slow
def test_cells_that_check_run_without_data(monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    names: dict = {}
    for cell in notebook.cells(notebook.source("11_mobilenet_v2").read_text("utf-8")):
        if {"export", "check"} & set(cell.tags):
            exec(cell.source, names)
    assert names["RECIPES"]
