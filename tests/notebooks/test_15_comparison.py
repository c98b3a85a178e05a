"""The comparison: every network of the course is in it, with its published numbers."""

from __future__ import annotations

import pytest
import torch
import torchvision

from course_lib import flops, notebook
from course_lib.published import NETWORKS, weights

UNIT = notebook.load("15_comparison")
BY_NAME = {network.name: network for network in UNIT.COURSE}


def on_meta(network):
    with torch.device("meta"):
        return network.build()


@pytest.mark.slow
def test_every_unit_with_a_network_is_in_it():
    modules = {type(on_meta(network)).__module__ for network in UNIT.COURSE}
    units = {module.removeprefix("notebook_") for module in modules}
    assert units == {unit for unit in notebook.units() if "04" <= unit < "15"}


@pytest.mark.slow
def test_parameters_and_macs_are_torchvisions_at_the_same_size():
    theirs = {
        "VGG-16": "vgg16",
        "ResNet-50": "resnet50",
        "MobileNetV2 1.0": "mobilenet_v2",
        "EfficientNet B4": "efficientnet_b4",
        "EfficientNetV2 S": "efficientnet_v2_s",
    }
    for name, model in theirs.items():
        ours = BY_NAME[name]
        with torch.device("meta"):
            net = getattr(torchvision.models, model)()
        expected = flops.count(net, (1, 3, ours.side, ours.side))
        found = flops.count(on_meta(ours), (1, 3, ours.side, ours.side))
        assert (found.params, found.macs) == (expected.params, expected.macs)
        assert ours.params == expected.params


def test_the_printed_accuracies_are_near_those_of_torchvisions_weights():
    """Other recipes, the same networks: a wrong row would be far off."""
    same = {
        "VGG-16": "05_vgg.D",
        "GoogLeNet": "06_googlenet",
        "ResNet-50": "08_resnet.50",
        "ResNet-152": "08_resnet.152",
        "MobileNetV2 1.0": "11_mobilenet_v2",
        **{f"EfficientNet B{n}": f"12_efficientnet.B{n}" for n in range(8)},
        **{f"EfficientNetV2 {size}": f"13_efficientnet_v2.{size}" for size in "SML"},
    }
    for name, ours in same.items():
        metrics = weights(NETWORKS[ours]).meta["_metrics"]["ImageNet-1K"]
        assert BY_NAME[name].top1 == pytest.approx(metrics["acc@1"], abs=1.5), name


def test_the_front_has_no_network_that_another_beats():
    across = {network.name: network.params for network in UNIT.COURSE}
    found = UNIT.front(UNIT.COURSE, across)
    for network in UNIT.COURSE:
        beaten = any(
            other.top1 >= network.top1 and across[other.name] <= across[network.name]
            for other in UNIT.COURSE
            if other is not network
        )
        assert (network.name in found) == (not beaten), network.name
    assert found[0] == "MobileNet 0.25"
    assert found[-1] == "EfficientNetV2 L"


def test_the_choice_keeps_both_limits_and_prefers_accuracy():
    ms = {network.name: 10.0 for network in UNIT.COURSE} | {"EfficientNet B0": 99.0}
    small = UNIT.choose(UNIT.COURSE, ms, most_ms=50, most_mb=22)
    assert [network.name for network in small[:2]] == [
        "MobileNetV2 1.0",
        "MobileNet 1.0",
    ]
    assert UNIT.choose(UNIT.COURSE, ms, most_mb=22)[0].name == "EfficientNet B0"
    assert UNIT.choose(UNIT.COURSE, ms, most_ms=1) == []


@pytest.mark.slow
def test_cells_that_check_run_without_data(monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    names: dict = {}
    for cell in notebook.cells(notebook.source("15_comparison").read_text("utf-8")):
        if {"export", "check"} & set(cell.tags):
            exec(cell.source, names)
    assert set(names["costs"]) == set(BY_NAME)
