"""What Xception's notebook exports, against the paper and timm."""

from __future__ import annotations

import csv

import pytest
import torch
from torch import nn

from course_lib import check, flops, notebook, results

XCEPTION = notebook.load("09_xception")


def test_parameters_and_macs_are_the_published_ones():
    with torch.device("meta"):
        cost = flops.count(XCEPTION.xception(), (1, 3, 299, 299))
    assert (cost.params, cost.macs) == (22_855_952, 8_357_403_496)


@pytest.mark.slow
@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
def test_same_logits_as_timm(train):
    timm = pytest.importorskip("timm")
    theirs = timm.create_model("legacy_xception")
    images = torch.randn(2, 3, 71, 64, generator=torch.Generator().manual_seed(0))
    match = check.matches(XCEPTION.xception(), theirs, images, train=train)
    assert match.error < 1e-9
    assert match.params == 22_855_952


def test_nothing_stands_between_the_two_steps():
    kinds = [type(layer) for layer in XCEPTION.separable(4, 6)]
    assert kinds == [nn.Conv2d, nn.Conv2d, nn.BatchNorm2d]


def test_the_flows_are_those_of_figure_5():
    blocks = XCEPTION.xception().stages[:12]
    assert [len(block.branch) for block in blocks] == [4, 5, 5, *[6] * 8, 5]
    kept = [isinstance(block.shortcut, nn.Identity) for block in blocks]
    assert kept == [False] * 3 + [True] * 8 + [False]


def test_the_small_network_is_for_32_pixels():
    small = XCEPTION.xception_small()
    cost = flops.count(small, (1, 3, 32, 32))
    assert (cost.params, cost.macs) == (695_738, 66_064_128)
    assert small.stages(small.stem(torch.zeros(1, 3, 32, 32))).shape[2:] == (4, 4)


@pytest.mark.parametrize("segments", XCEPTION.WIDTHS)
def test_networks_along_the_line_have_equal_parameters(segments):
    net = XCEPTION.spectrum(segments)
    params = sum(p.numel() for p in net.parameters())
    assert params == pytest.approx(60_000, rel=0.05)
    groups = {layer.groups for layer in net.modules() if isinstance(layer, nn.Conv2d)}
    assert groups == {1, XCEPTION.WIDTHS["all"] if segments == "all" else segments}


def test_an_activation_between_adds_no_parameter():
    for between in (None, nn.ReLU, nn.ELU):
        net = XCEPTION.spectrum("all", between)
        assert sum(p.numel() for p in net.parameters()) == 62_520
        if between:
            kinds = [type(layer) for layer in net.modules()]
            assert kinds.count(between) == 3 + 4 * (between is nn.ReLU)


def test_an_unknown_number_of_segments_is_refused():
    with pytest.raises(ValueError, match="expected one of"):
        XCEPTION.spectrum(3)


def test_the_table_of_the_line_is_whole():
    path = results.RESULTS / "09_xception-spectrum.csv"
    with open(path, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    arms = [(segments, "none") for segments in ("1", "2", "4", "8", "all")]
    arms += [("all", "ReLU"), ("all", "ELU")]
    runs = [(row["segments"], row["between"], row["seed"]) for row in rows]
    assert runs == [(*arm, str(seed)) for seed in range(5) for arm in arms]


@pytest.mark.slow
def test_cells_that_check_run_without_data(monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    names: dict = {}
    for cell in notebook.cells(notebook.source("09_xception").read_text("utf-8")):
        if {"export", "check"} & set(cell.tags):
            exec(cell.source, names)
    assert names["RECIPES"]
