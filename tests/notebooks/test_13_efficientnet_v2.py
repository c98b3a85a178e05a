"""What EfficientNetV2's notebook exports, against the paper and torchvision."""

from __future__ import annotations

import csv
from itertools import count

import pytest
import torch
import torchvision
from torch import nn
from torchvision.ops import StochasticDepth

from course_lib import check, flops, notebook, results
from tests.tiers import rest_is_slow

V2 = notebook.load("13_efficientnet_v2")
COUNTED = {  # variant: pixels a side, parameters, MACs
    "S": (384, 21_458_488, 8_365_617_152),
    "M": (480, 54_139_356, 24_582_460_384),
    "L": (480, 118_515_272, 56_079_699_008),
}


@pytest.mark.parametrize("variant", rest_is_slow(COUNTED))
def test_parameters_and_macs_are_the_published_ones(variant):
    side, *expected = COUNTED[variant]
    with torch.device("meta"):
        cost = flops.count(V2.efficientnet_v2(variant), (1, 3, side, side))
    assert [cost.params, cost.macs] == expected


@pytest.mark.slow
@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
def test_same_logits_as_torchvision(train):
    ours = V2.efficientnet_v2("S")
    theirs = torchvision.models.efficientnet_v2_s()
    images = torch.randn(2, 3, 65, 70, generator=torch.Generator().manual_seed(0))
    match = check.matches(ours, theirs, images, train=train)
    assert match.error < 1e-9
    assert match.params == COUNTED["S"][1]


@pytest.mark.parametrize("variant", rest_is_slow(COUNTED))
def test_drop_path_and_dropout_are_torchvisions(variant):
    with torch.device("meta"):
        ours = V2.efficientnet_v2(variant)
        theirs = getattr(torchvision.models, f"efficientnet_v2_{variant.lower()}")()
    mine = [block.drop.p for block in ours.stages]
    true = [part.p for part in theirs.modules() if isinstance(part, StochasticDepth)]
    assert mine == pytest.approx(true)
    assert ours.head[3].p == theirs.classifier[0].p


def test_drop_path_draws_as_torchvisions_does():
    x = torch.randn(64, 3, 4, 4)
    torch.manual_seed(0)
    ours = V2.DropPath(0.3).train()(x)
    torch.manual_seed(0)
    assert torch.equal(ours, StochasticDepth(0.3, "row").train()(x))
    assert torch.equal(V2.DropPath(0.3).eval()(x), x)


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant", ["S", *(pytest.param(v, marks=pytest.mark.thorough) for v in "ML")]
)
def test_seeded_training_mode_gives_torchvisions_logits(variant):
    ours = V2.efficientnet_v2(variant)
    theirs = getattr(torchvision.models, f"efficientnet_v2_{variant.lower()}")()
    weights = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
    for mine, true in weights:
        assert mine.shape == true.shape
        mine.copy_(true)
    images = torch.randn(2, 3, 64, 64).double()
    answers = []
    with torch.no_grad():
        for net in (ours.double(), theirs.double()):
            torch.manual_seed(1)
            answers.append(net.train()(images))
    assert (answers[0] - answers[1]).abs().max() < 1e-9


def test_an_unknown_variant_and_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="'S', 'M' or 'L'"):
        V2.efficientnet_v2("XL")
    for kinds in ("FF", "FFMM", "FXM"):
        with pytest.raises(ValueError, match="three letters"):
            V2.candidate(kinds)


def test_squeezed_channels_are_a_quarter_of_the_input_and_at_least_one():
    for channels, squeezed in ((2, 1), (16, 4), (18, 4)):
        (excite,) = (
            part
            for part in V2.mbconv(channels, 8).modules()
            if isinstance(part, V2.SqueezeExcite)
        )
        assert excite.squeeze.out_channels == squeezed


def test_the_small_network_is_for_32_pixels():
    small = V2.efficientnet_v2_small()
    cost = flops.count(small, (1, 3, 32, 32))
    assert (cost.params, cost.macs) == (663_414, 37_572_864)
    assert small.stages(small.stem(torch.zeros(1, 3, 32, 32))).shape[2:] == (4, 4)


@pytest.mark.parametrize("kinds", ["FFF", "FMF", "MMM"])
def test_candidates_are_of_the_kinds_in_their_names(kinds):
    blocks = V2.candidate(kinds).stages
    groups = [max(c.groups for c in convs(block)) > 1 for block in blocks]
    assert groups == [kind == "M" for kind in (kinds[0], kinds[1], kinds[2], kinds[2])]


def convs(block: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]


def test_phases_share_the_time_and_set_size_and_dropout():
    net, sizes, strengths = V2.racer(), [], []
    net.register_forward_pre_hook(lambda _, x: sizes.append(x[0].shape[2]))
    net.register_forward_hook(lambda *_: strengths.append(net.head[3].p))
    asked = []

    def batches(epoch: int, padding: int):
        asked.append((epoch, padding))
        yield torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 3])

    phases = [V2.Phase(16, 0.0, 0), V2.Phase(32, 0.5, 4)]
    ticks = count()
    seen = V2.train_phases(net, batches, phases, 24, lambda: next(ticks))
    assert seen == [4 * sizes.count(16), 4 * sizes.count(32)]
    assert abs(seen[0] - seen[1]) <= 4 < sum(seen)  # up to one batch
    assert sizes == sorted(sizes)
    assert strengths == [0.0 if size == 16 else 0.5 for size in sizes]
    assert [epoch for epoch, _ in asked] == list(range(len(asked)))
    assert {padding for _, padding in asked} == {0, 4}


def test_the_reward_is_that_of_the_paper():
    assert V2.reward(0.8, 2.0, 3) == pytest.approx(0.8 * 2**-0.07 * 3**-0.05)


def rows(name: str) -> list[dict]:
    path = results.RESULTS / f"13_efficientnet_v2-{name}.csv"
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_of_progressive_training_is_whole_and_of_equal_time():
    found = rows("progressive")
    arms = {(row["stride"], row["size"], row["regularisation"]) for row in found}
    assert len(arms) == 8
    assert len(found) == 40
    assert {row["seed"] for row in found} == set("01234")
    assert all(40 <= float(row["seconds"]) < 43 for row in found)


def test_the_table_of_candidates_is_whole():
    found = [(row["kinds"], row["seed"]) for row in rows("candidates")]
    kinds = [a + b + c for a in "FM" for b in "FM" for c in "FM"]
    assert found == [(kind, str(seed)) for seed in range(3) for kind in kinds]


@pytest.mark.slow
def test_cells_that_check_run_without_data(monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    names: dict = {}
    for cell in notebook.cells(
        notebook.source("13_efficientnet_v2").read_text("utf-8")
    ):
        if {"export", "check"} & set(cell.tags):
            exec(cell.source, names)
    assert names["RECIPES"]
