"""What EfficientNet's notebook exports, against the paper, torchvision and timm."""

from __future__ import annotations

import csv

import pytest
import timm
import torch
import torchvision
from torch import nn
from torchvision.models._utils import _make_divisible
from torchvision.ops import StochasticDepth

from course_lib import check, flops, notebook, results
from tests.tiers import rest_is_slow

NET = notebook.load("12_efficientnet")
COUNTED = {  # variant: parameters, MACs
    "B0": (5_288_548, 385_814_752),
    "B1": (7_794_184, 686_802_832),
    "B2": (9_109_994, 993_561_872),
    "B3": (12_233_232, 1_827_141_392),
    "B4": (19_341_616, 4_393_771_024),
    "B5": (30_389_784, 10_266_384_752),
    "B6": (43_040_704, 19_067_593_536),
    "B7": (66_347_960, 37_745_884_192),
}


@pytest.mark.parametrize("variant", rest_is_slow(COUNTED))
def test_parameters_and_macs_are_the_published_ones(variant):
    side = NET.FAMILY[variant][2]
    with torch.device("meta"):
        cost = flops.count(NET.efficientnet(variant), (1, 3, side, side))
    assert (cost.params, cost.macs) == COUNTED[variant]


@pytest.mark.parametrize("variant", rest_is_slow(COUNTED))
def test_drop_path_dropout_and_epsilon_are_torchvisions(variant):
    with torch.device("meta"):
        ours = NET.efficientnet(variant)
        theirs = getattr(torchvision.models, f"efficientnet_{variant.lower()}")()
    mine = [block.drop.p for block in ours.stages]
    true = [part.p for part in theirs.modules() if isinstance(part, StochasticDepth)]
    assert mine == pytest.approx(true)
    assert ours.head[3].p == theirs.classifier[0].p
    norms = [
        {part.eps for part in net.modules() if isinstance(part, nn.BatchNorm2d)}
        for net in (ours, theirs)
    ]
    assert norms[0] == norms[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "train"), [("B0", False), ("B0", True), ("B5", False)]
)
def test_same_logits_as_torchvision(variant, train):
    ours = NET.efficientnet(variant)
    theirs = getattr(torchvision.models, f"efficientnet_{variant.lower()}")()
    images = torch.randn(4, 3, 65, 70, generator=torch.Generator().manual_seed(0))
    match = check.matches(ours, theirs, images, train=train)
    assert match.error < 1e-9
    assert match.params == COUNTED[variant][0]


@pytest.mark.slow
@pytest.mark.parametrize("side", [64, 75])
def test_lite0_has_timms_logits_with_padding_same(side):
    ours, theirs = NET.efficientnet_lite0(), timm.create_model("tf_efficientnet_lite0")
    check.params(ours, 4_652_008)
    images = torch.randn(2, 3, side, side + 3)
    assert check.matches(ours, theirs, images).error < 1e-9


@pytest.mark.parametrize("divisor", [4, 8, 16])
def test_channels_round_as_torchvisions(divisor):
    for wish in [divisor / 3, *(x / 10 for x in range(10, 3000, 7))]:
        assert NET.round_channels(wish, divisor) == _make_divisible(wish, divisor)


def test_blocks_round_up_and_floats_do_not_add_one():
    stages = [NET.Stage(1, 3, 1, 8, n) for n in (1, 5, 10)]
    assert [s.blocks for s in NET.scaled(stages, 1.0, 1.2)] == [2, 6, 12]
    assert [s.blocks for s in NET.scaled(stages, 1.0, 1.0)] == [1, 5, 10]


def test_same_padding_puts_the_odd_zero_below_and_right():
    conv = NET.SameConv2d(1, 1, 3, stride=2, bias=False)
    nn.init.ones_(conv.weight)
    seen = conv(torch.ones(1, 1, 4, 5))[0, 0]
    assert seen.tolist() == [[6, 9, 6], [4, 6, 4]]


def test_drop_path_drops_whole_images_and_keeps_the_mean():
    x = torch.ones(20_000, 2, 2, 2)
    torch.manual_seed(0)
    dropped = NET.DropPath(0.3).train()(x)
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert (dropped.flatten(1).std(dim=1) == 0).all()
    assert dropped.mean() == pytest.approx(1, abs=0.02)
    assert NET.DropPath(0.3).eval()(x) is x


def test_unknown_variants_are_named():
    with pytest.raises(ValueError, match=r"variant is 'B8': expected one of B0, B1"):
        NET.efficientnet("B8")


def test_the_small_network_has_its_size():
    check.params(NET.efficientnet_small(), 336_810)
    check.macs(NET.efficientnet_small(), (1, 3, 32, 32), 42_362_112)
    assert NET.efficientnet_small(7)(torch.randn(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.slow
def test_the_recorded_networks_cost_the_same():
    with open(
        results.RESULTS / "12_efficientnet-scaling.csv", encoding="utf-8"
    ) as file:
        rows = list(csv.DictReader(file))
    seeds = {row["seed"] for row in rows}
    arms = {row["arm"] for row in rows}
    assert len(arms) == 8
    assert len(rows) == 8 * len(seeds)
    keys = "arm", "blocks", "width", "pixels", "macs"
    for row in {tuple(row[key] for key in keys) for row in rows}:
        arm, blocks, width, pixels, macs = row
        with torch.device("meta"):
            net = NET.scaled_small(int(blocks), float(width))
            found = flops.count(net, (1, 3, int(pixels), int(pixels))).macs
        assert found == int(macs)
        budget = 2_707_248 * (1 if arm == "base" else 2)
        assert found == pytest.approx(budget, rel=0.02)
