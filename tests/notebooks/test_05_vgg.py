"""What VGG's notebook exports, against the paper's tables and other constructions."""

from __future__ import annotations

import csv

import pytest
import torch
from torch import nn
from torchvision.models import get_model
from torchvision.models.vgg import cfgs, make_layers

from course_lib import check, data, flops, notebook, results
from course_lib.train import Recipe, fit

VGG = notebook.load("05_vgg")

PUBLISHED = {  # weight layers, parameters, MACs at 224, field of the last stage
    "A": (11, 132_863_336, 7_609_090_048, 150),
    "A-LRN": (11, 132_863_336, 7_609_090_048, 150),
    "B": (13, 133_047_848, 11_308_466_176, 156),
    "C": (16, 133_638_952, 11_770_888_192, 156),
    "D": (16, 138_357_544, 15_470_264_320, 212),
    "E": (19, 143_667_240, 19_632_062_464, 268),
}
WITH_BATCH_NORM = {  # torchvision's vgg11_bn and so on
    "A": 132_868_840,
    "B": 133_053_736,
    "D": 138_365_992,
    "E": 143_678_248,
}
TORCHVISION = {"A": 11, "B": 13, "D": 16, "E": 19}


@pytest.fixture(scope="module")
def nets() -> dict[str, nn.Module]:
    with torch.device("meta"):
        return {config: VGG.vgg(config) for config in VGG.VGG_STAGES}


@pytest.mark.parametrize("config", PUBLISHED)
def test_each_configuration_is_the_papers(config, nets):
    layers, params, macs, field = PUBLISHED[config]
    assert len(VGG.learnt(nets[config])) == layers
    cost = flops.count(nets[config], (1, 3, 224, 224))
    assert (cost.params, cost.macs) == (params, macs)
    stages = flops.count(nets[config].stages, (1, 3, 448, 448))
    assert stages.receptive_field == field


@pytest.mark.parametrize("config", WITH_BATCH_NORM)
def test_batch_norm_adds_two_parameters_a_channel(config):
    with torch.device("meta"):
        check.params(VGG.vgg(config, batch_norm=True), WITH_BATCH_NORM[config])


def test_the_default_is_d_and_other_names_are_refused(nets):
    with torch.device("meta"):
        assert str(VGG.vgg()) == str(nets["D"])
        with pytest.raises(KeyError):
            VGG.vgg("F")


def test_what_table_1_does_not_print_is_section_2_1(nets):
    for config, net in nets.items():
        convs = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
        assert {conv.stride for conv in convs} == {(1, 1)}
        for conv in convs:
            assert conv.padding == (1, 1) if conv.kernel_size == (3, 3) else (0, 0)
            assert conv.bias is not None
        ones = [number for number, c in enumerate(convs) if c.kernel_size == (1, 1)]
        assert ones == ([6, 9, 12] if config == "C" else [])
        pools = [layer for layer in net.modules() if isinstance(layer, nn.MaxPool2d)]
        facts = {(p.kernel_size, p.stride, p.padding, p.ceil_mode) for p in pools}
        assert (len(pools), facts) == (5, {(2, 2, 0, False)})
        assert [stage[-1] for stage in net.stages] == pools
        kinds = [type(layer).__name__ for layer in net.modules()]
        assert kinds.count("ReLU") == len(VGG.learnt(net)) - 1
        assert kinds.count("LocalResponseNorm") == (config == "A-LRN")
        assert [d.p for d in net.head if isinstance(d, nn.Dropout)] == [0.5, 0.5]


def test_the_norm_of_a_lrn_is_alexnets_and_follows_the_first_relu(nets):
    first = nets["A-LRN"].stages[0]
    kinds = [type(layer).__name__ for layer in first]
    assert kinds == ["Conv2d", "ReLU", "LocalResponseNorm", "MaxPool2d"]
    norm = first[2]
    assert (norm.n, norm.k, norm.alpha, norm.beta) == (5, 2.0, 1e-4, 0.75)


def head(side: int, hidden: int = 16) -> list[nn.Module]:
    layers = [nn.Flatten()]
    for size in ((512 * side**2, hidden), (hidden, hidden), (hidden, 10)):
        layers += [nn.Linear(*size), nn.ReLU(), nn.Dropout()]
    return layers[:-2]


def narrow(config: str, side: int, batch_norm: bool = False) -> nn.Module:
    """Return all convolutions in their full width, with a small head."""
    table, options = VGG.VGG_STAGES[config], {"batch_norm": batch_norm}
    return VGG.VGG(table, VGG.WIDTHS, side, 16, 10, **options)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "norm"])
@pytest.mark.parametrize("config", TORCHVISION)
def test_logits_are_torchvisions(config, batch_norm, train):
    stages = make_layers(cfgs[config], batch_norm=batch_norm)
    reference = nn.Sequential(stages, *head(1))
    images = torch.randn(4, 3, 32, 32)
    ours = narrow(config, 1, batch_norm)
    assert check.matches(ours, reference, images, train=train).error < 1e-9


def by_hand(*layers) -> nn.Sequential:
    """Convolutions as (channels, width, kernel); "N": the norm; "M": the pooling."""
    made = []
    for layer in layers:
        if isinstance(layer, tuple):
            made += [nn.Conv2d(*layer, padding="same"), nn.ReLU()]
        elif layer == "N":
            made.append(nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2.0))
        else:
            made.append(nn.MaxPool2d(2))
    return nn.Sequential(*made)


BY_HAND = {
    "A-LRN": by_hand(
        *((3, 64, 3), "N", "M", (64, 128, 3), "M", (128, 256, 3), (256, 256, 3), "M"),
        *((256, 512, 3), (512, 512, 3), "M", (512, 512, 3), (512, 512, 3), "M"),
    ),
    "C": by_hand(
        *((3, 64, 3), (64, 64, 3), "M", (64, 128, 3), (128, 128, 3), "M"),
        *((128, 256, 3), (256, 256, 3), (256, 256, 1), "M"),
        *((256, 512, 3), (512, 512, 3), (512, 512, 1), "M"),
        *((512, 512, 3), (512, 512, 3), (512, 512, 1), "M"),
    ),
}


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("config", BY_HAND)
def test_logits_of_c_and_a_lrn_are_a_list_s(config, train):
    reference = nn.Sequential(BY_HAND[config], *head(2))
    images = 3 * torch.randn(4, 3, 64, 64)
    ours = narrow(config, 2)
    assert check.matches(ours, reference, images, train=train).error < 1e-9


def test_a_missing_norm_or_padding_is_found():
    """The check is worth something: it fails where the networks are not the same."""
    small = {"widths": (4, 4, 4, 4, 4), "side": 1, "hidden": 8, "num_classes": 5}
    images = 30 * torch.randn(2, 3, 32, 32)
    net = VGG.VGG(VGG.VGG_STAGES["A-LRN"], **small)
    with pytest.raises(check.CheckFailed):
        check.matches(net, VGG.VGG(VGG.VGG_STAGES["A"], **small), images)
    check.matches(net, VGG.VGG(VGG.VGG_STAGES["A-LRN"], **small), images)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_the_full_network_with_torchvisions_weights_gives_its_logits():
    theirs, ours = get_model("vgg11").eval(), VGG.vgg("A").eval()
    pairs = zip(VGG.learnt(ours), VGG.learnt(theirs), strict=True)
    with torch.inference_mode():
        for mine, other in pairs:
            nn.init.kaiming_normal_(other.weight, nonlinearity="relu")
            other.bias.normal_()
            mine.load_state_dict(other.state_dict())
        images = torch.randn(1, 3, 224, 224)
        check.close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)


SMALL = {
    "A": 382_450,
    "A-LRN": 382_450,
    "B": 388_966,
    "C": 409_942,
    "D": 575_830,
    "E": 762_694,
}


@pytest.mark.parametrize("config", SMALL)
def test_the_small_networks_are_the_same_table(config):
    net = VGG.vgg_small(config)
    check.params(net, SMALL[config])
    check.shape(VGG.vgg_small(config, num_classes=7), (2, 3, 32, 32), (2, 7))
    with torch.device("meta"):
        full = VGG.learnt(VGG.vgg(config))
    for mine, other in zip(VGG.learnt(net), full, strict=True):
        if isinstance(mine, nn.Conv2d):
            assert mine.kernel_size == other.kernel_size
            assert mine.out_channels * 16 == other.out_channels * 3


def test_the_small_network_s_cost_and_variants():
    check.params(VGG.vgg_small(), 575_830)
    check.macs(VGG.vgg_small(), (1, 3, 32, 32), 11_337_600)
    check.gradients(VGG.vgg_small(batch_norm=True), (4, 3, 32, 32))
    assert VGG.VARIANTS["vgg"] == tuple(PUBLISHED)
    for recipe in VGG.RECIPES.values():
        Recipe(**recipe)


def test_weights_start_with_variance_2_by_fan_in_or_as_asked():
    net = VGG.vgg_small("D")
    for layer in VGG.learnt(net):
        expected = (2 / layer.weight[0].numel()) ** 0.5
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.15)
        assert not layer.bias.any()
    VGG.initialise(net, 0.3)
    assert VGG.learnt(net)[5].weight.std().item() == pytest.approx(0.3, rel=0.05)


def test_the_weak_start_scales_as_the_full_network_s():
    """σ √fan-in is the same, but for the first layer, which sees smaller pixels."""
    net = VGG.vgg_small("D")
    VGG.start_like(net, "D", 0.01)
    fans = [27, 576, 576, 1152, 1152, 2304, 2304, 2304, *[4608] * 5, 25_088, 4096, 4096]
    for number, (layer, fan) in enumerate(zip(VGG.learnt(net), fans, strict=True)):
        gain = layer.weight.std().item() * layer.weight[0].numel() ** 0.5
        expected = 0.01 * fan**0.5 * (62 if number == 0 else 1)
        assert gain == pytest.approx(expected, rel=0.15), number


def test_a_fills_the_layers_of_section_3_1_and_no_others():
    torch.manual_seed(0)
    deep, shallow = VGG.vgg_small("E"), VGG.vgg_small("A")
    before = [layer.weight.clone() for layer in VGG.learnt(deep)]
    VGG.fill(deep, shallow)
    after, given = VGG.learnt(deep), VGG.learnt(shallow)
    moved = [n for n, w in enumerate(before) if not torch.equal(w, after[n].weight)]
    assert moved == [0, 2, 4, 5, 16, 17, 18]
    for mine, other in zip(moved, (0, 1, 2, 3, 8, 9, 10), strict=True):
        assert torch.equal(after[mine].weight, given[other].weight)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_the_small_network_learns_the_digits():
    train, val = (data.load("digits", s, size=32, channels=3) for s in ("train", "val"))
    recipe = Recipe(**VGG.RECIPES["digits"] | {"epochs": 4})
    history = fit(VGG.vgg_small("A"), train, val, recipe, quiet=True)
    assert history[-1].val_top1 > 0.7  # 0.1 is chance


RECORDS = sorted(results.RESULTS.glob("05_vgg*.json"))


def test_there_is_a_record():
    assert RECORDS


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_fits_its_network_and_is_light(path):
    record, weights = results.read(path), path.with_suffix(".safetensors")
    net = getattr(VGG, record.network)(**record.arguments)
    results.load_weights(weights, net)
    assert results.sha256(weights) == record.weights
    assert sum(p.numel() for p in net.parameters()) == record.params
    assert weights.stat().st_size < 2.1 * record.params + 20_000  # float16


def test_the_stagewise_table_has_two_seeds_or_five_where_top1_is_compared():
    path = results.RESULTS / "05_vgg-stagewise.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    trials = {}
    for row in rows:
        trial = row["question"], row["network"], row["start"]
        trials.setdefault(trial, set()).add(row["seed"])
        assert len(row["train_loss"].split()) in (0, int(row["epochs"]))
    assert len(trials) == 9
    for (question, *_), seeds in trials.items():
        assert len(seeds) == (5 if question in ("norm", "kernels") else 2)


def test_on_a_sheet_with_zeros_between_digits_are_read_as_if_alone():
    path = results.RESULTS / "05_vgg-sheets.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    top1 = {(row["seed"], row["margin"]): row["top1"] for row in rows}
    assert len(top1) == len(rows) == 5 * 6
    for seed in "01234":
        assert top1[seed, "64, zeros"] == top1[seed, "alone"] > top1[seed, "64"]


@pytest.mark.slow
def test_cells_that_check_run_without_data(monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    names: dict = {}
    for cell in notebook.cells(notebook.source("05_vgg").read_text("utf-8")):
        if {"export", "check"} & set(cell.tags):
            exec(cell.source, names)
    assert names["RECIPES"]
