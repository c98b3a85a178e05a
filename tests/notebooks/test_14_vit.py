"""What the Vision Transformer's notebook exports, against the paper and torchvision."""

from __future__ import annotations

import csv

import pytest
import torch
import torchvision
from torchvision.models.vision_transformer import VisionTransformer

from course_lib import check, flops, notebook, results
from tests.tiers import rest_is_slow

VITS = notebook.load("14_vit")
COUNTED = {  # parameters, MACs at 224 pixels
    "B/16": (86_567_656, 17_563_828_224),
    "B/32": (88_224_232, 4_409_186_304),
    "L/16": (304_326_632, 61_554_712_576),
    "L/32": (306_535_400, 15_377_539_072),
    "H/14": (632_045_800, 167_295_109_120),
}


@pytest.mark.parametrize("variant", rest_is_slow(COUNTED))
def test_parameters_and_macs_are_the_published_ones(variant):
    with torch.device("meta"):
        cost = flops.count(VITS.vit(variant), (1, 3, 224, 224))
    assert (cost.params, cost.macs) == COUNTED[variant]


def test_another_image_size_and_number_of_classes():
    with torch.device("meta"):
        cost = flops.count(VITS.vit("B/16", image_size=384), (1, 3, 384, 384))
        head = VITS.vit("B/32", num_classes=7).head
    assert (cost.params, cost.macs) == (86_859_496, 55_484_350_464)
    assert head.out_features == 7


@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
def test_same_logits_as_torchvisions_shallow_network(train):
    ours = VITS.ViT(48, 16, VITS.Row(3, 64, 128, 4), 10)
    theirs = VisionTransformer(48, 16, 3, 4, 64, 128, num_classes=10)
    images = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    assert check.matches(ours, theirs, images, train=train).error < 1e-9


def test_torchvisions_state_hands_over_in_its_order():
    ours = VITS.ViT(32, 8, VITS.Row(2, 12, 20, 3), 5).eval()
    theirs = VisionTransformer(32, 8, 2, 3, 12, 20, num_classes=5).eval()
    weights = list(theirs.state_dict().values())
    for mine, true in zip(in_their_order(ours), weights, strict=True):
        assert mine.shape == true.shape
        mine.data.copy_(true.normal_())
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)


def in_their_order(net) -> list[torch.Tensor]:
    stem, rest = net.stem, []
    for block in net.stages[:-1]:
        for part in (block.norm1, block.attention, block.norm2, block.mlp):
            rest += part.parameters()
    first = [stem.class_token, *stem.project.parameters(), stem.position]
    return [*first, *rest, *net.stages[-1].parameters(), *net.head.parameters()]


@pytest.mark.slow
def test_same_logits_as_torchvisions_b_32():
    ours, theirs = VITS.vit("B/32"), torchvision.models.vit_b_32()
    match = check.matches(ours, theirs, torch.randn(2, 3, 224, 224))
    assert match.error < 1e-9
    assert match.params == COUNTED["B/32"][0]


def test_what_cannot_be_built_or_read_is_refused():
    with pytest.raises(ValueError, match="expected one of"):
        VITS.vit("B/14")
    with pytest.raises(ValueError, match="do not fill 225"):
        VITS.vit_small(image_size=225)
    with pytest.raises(ValueError, match="32 pixels a side"):
        VITS.vit_small()(torch.zeros(1, 3, 32, 36))


def test_attention_is_pytorchs():
    layer, theirs = VITS.Attention(12, 3), torch.nn.MultiheadAttention(12, 3)
    theirs.load_state_dict(
        {
            "in_proj_weight": layer.qkv.weight,
            "in_proj_bias": layer.qkv.bias,
            "out_proj.weight": layer.project.weight,
            "out_proj.bias": layer.project.bias,
        }
    )
    x = torch.randn(7, 2, 12)  # (T, N, D), PyTorch's order
    torch.testing.assert_close(
        layer(x.transpose(0, 1)).transpose(0, 1), theirs(x, x, x)[0]
    )


def test_logits_of_shuffled_patches_are_the_same_if_positions_follow():
    torch.manual_seed(0)
    net, order = VITS.vit_small(image_size=8, patch_size=2).eval(), torch.randperm(16)
    images = torch.randn(2, 3, 8, 8)
    tiles = images.unfold(2, 2, 2).unfold(3, 2, 2).flatten(2, 3)[:, :, order]
    jigsaw = tiles.unflatten(2, (4, 4)).transpose(3, 4).reshape(2, 3, 8, 8)
    with torch.no_grad():
        before = net(images)
        assert not torch.allclose(net(jigsaw), before, atol=1e-4)
        net.stem.position[:, 1:] = net.stem.position[:, 1:][:, order]
        torch.testing.assert_close(net(jigsaw), before, rtol=1e-4, atol=1e-5)


def test_rollout_of_one_block_is_half_its_mean_attention():
    torch.manual_seed(0)
    net = VITS.ViT(8, 4, VITS.Row(1, 8, 8, 2), 3)
    images = torch.randn(2, 3, 8, 8)
    block, tokens = net.stages[0], net.stem(images)
    x = block.norm1(tokens).transpose(0, 1)
    layer = torch.nn.MultiheadAttention(8, 2)
    layer.in_proj_weight.data.copy_(block.attention.qkv.weight)
    layer.in_proj_bias.data.copy_(block.attention.qkv.bias)
    mean = layer(x, x, x)[1]
    torch.testing.assert_close(VITS.rollout(net, images), (mean + torch.eye(5)) / 2)


def test_the_small_network_is_for_32_pixels():
    cost = flops.count(VITS.vit_small(), (1, 3, 32, 32))
    assert (cost.params, cost.macs) == (311_338, 22_709_952)


def rows(name: str) -> list[dict]:
    with open(results.RESULTS / f"14_vit-{name}.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_by_images_is_whole_and_of_equal_macs():
    found = rows("data_size")
    arms = {}
    for row in found:
        arm = row["network"], int(row["images"]), row["how"]
        arms.setdefault(arm, []).append(row["seed"])
    sizes = (500, 1_000, 2_000, 5_000, 10_000, 45_000)
    plain = {(name, n, "plain") for name in ("vit", "resnet") for n in sizes}
    changed = {("vit", "augmented"), ("resnet", "augmented"), ("vit", "distilled")}
    assert set(arms) == plain | {(name, 2_000, how) for name, how in changed}
    for (_, images, _), seeds in arms.items():
        assert sorted(seeds) == [*("012" if images == 45_000 else "01234")]
    macs = [int(row["macs"]) for row in found]
    assert max(macs) < 1.01 * min(macs)


def test_the_learning_rates_of_the_table_are_the_best_of_three():
    tried = rows("rates")
    for network in ("vit", "resnet"):
        own = [row for row in tried if row["network"] == network]
        best = max(own, key=lambda row: float(row["val_top1"]))["rate"]
        used = {row["rate"] for row in rows("data_size") if row["network"] == network}
        assert len(own) == 3
        assert used == {best}


@pytest.mark.slow
def test_cells_that_check_run_without_data(monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    names: dict = {}
    for cell in notebook.cells(notebook.source("14_vit").read_text("utf-8")):
        if {"export", "check"} & set(cell.tags):
            exec(cell.source, names)
    assert names["RECIPES"]
