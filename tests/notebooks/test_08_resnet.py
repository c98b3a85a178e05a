"""What ResNet's notebook exports, against the papers' figures and other libraries."""

from __future__ import annotations

import csv
from functools import partial

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from course_lib import check, data, flops, notebook, results
from course_lib.train import Recipe, fit

RESNET = notebook.load("08_resnet")
DEPTHS = tuple(RESNET.TABLE_1)


def cost(build, side: int = 224) -> tuple[int, int]:
    with torch.device("meta"):
        found = flops.count(build(), (1, 3, side, side))
    return found.params, found.macs


PUBLISHED = {  # (parameters, MACs) at 224x224; to the digit where a library has it too
    ("resnet", 18): (11_689_512, 1_814_073_344),
    ("resnet", 34): (21_797_672, 3_663_761_408),
    ("resnet", 50): (25_557_032, 4_089_184_256),
    ("resnet", 101): (44_549_160, 7_801_405_440),
    ("resnet", 152): (60_192_808, 11_513_626_624),
    ("plain", 18): (11_515_688, 1_794_805_760),
    ("plain", 34): (21_623_848, 3_644_493_824),
    ("preact_resnet", 50): (25_549_352, 4_089_184_256),
    ("preact_resnet", 101): (44_541_480, 7_801_405_440),
    ("preact_resnet", 152): (60_185_128, 11_513_626_624),
}


def deep_is_slow(*cases):
    """Mark the cases of more than 34 layers: counting them takes its time."""
    rows = [case if isinstance(case, tuple) else (case,) for case in cases]
    slow = pytest.mark.slow
    return [pytest.param(*row, marks=[slow] if row[-1] > 34 else []) for row in rows]


@pytest.mark.parametrize(("name", "depth"), deep_is_slow(*PUBLISHED))
def test_parameters_and_macs_are_the_published_ones(name, depth):
    build = partial(getattr(RESNET, name), depth)
    assert cost(build) == PUBLISHED[name, depth]


TABLE_1 = {18: 1.8, 34: 3.6, 50: 3.8, 101: 7.6, 152: 11.3}  # printed, 10^9


@pytest.mark.parametrize("depth", deep_is_slow(*TABLE_1))
def test_the_papers_own_choices_give_its_table(depth):
    """Option A below 50 layers, the stride on the 1x1 from there on."""
    chosen = {"option": "A"} if depth < 50 else {"stride_on": 1}
    params, macs = cost(partial(RESNET.resnet, depth, **chosen))
    assert macs / 1e9 == pytest.approx(TABLE_1[depth], abs=0.06)  # 3.858 for 3.8
    exact = {18: 1_794_805_760, 50: 3_857_973_248, 152: 11_282_415_616}
    assert exact.get(depth, macs) == macs
    without = {18: 11_515_688, 34: 21_623_848}
    assert without.get(depth, PUBLISHED["resnet", depth][0]) == params


TABLE_6 = {  # depth: parameters, MACs at 32x32
    20: (269_722, 40_551_040),
    32: (464_154, 68_862_592),
    44: (658_586, 97_174_144),
    56: (853_018, 125_485_696),
    110: (1_727_962, 252_887_680),
}


@pytest.mark.parametrize("depth", deep_is_slow(*TABLE_6))
@pytest.mark.parametrize("name", ["resnet_small", "plain_small"])
def test_the_cifar_family_is_that_of_table_6(name, depth):
    assert cost(partial(getattr(RESNET, name), depth), side=32) == TABLE_6[depth]


@pytest.mark.parametrize("depth", [0, 2, 18, 22, -4])
def test_a_depth_that_is_no_member_is_refused(depth):
    with pytest.raises(ValueError, match="6n"):
        RESNET.resnet_small(depth)


@pytest.mark.slow
def test_variants_are_what_can_be_built():
    for name, values in RESNET.VARIANTS.items():
        with torch.device("meta"):
            for value in values:
                assert isinstance(getattr(RESNET, name)(value), RESNET.ResNet)


IMAGES = torch.randn(4, 3, 33, 35, generator=torch.Generator().manual_seed(0))


@pytest.mark.slow
@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_same_logits_as_torchvision(depth, train):
    reference = getattr(torchvision.models, f"resnet{depth}")()
    match = check.matches(RESNET.resnet(depth), reference, IMAGES, train=train)
    assert match.error < 1e-9
    assert match.params == PUBLISHED["resnet", depth][0]


@pytest.mark.slow
@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("depth", [18, 50])
def test_same_logits_as_timms_pre_activation_network(depth, train):
    timm = pytest.importorskip("timm")
    reference = timm.create_model(f"resnetv2_{depth}", num_classes=1000)
    match = check.matches(RESNET.preact_resnet(depth), reference, IMAGES, train=train)
    assert match.error < 1e-9


class Slow(nn.Module):
    """A network of basic blocks written out flat, for any option or none."""

    def __init__(self, option: str, widths=(16, 32, 64), blocks=(1, 2, 1), stem=16):
        super().__init__()
        self.option, self.strides = option, []
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        self.ways = nn.ModuleDict()
        self.conv, self.norm = (
            nn.Conv2d(3, stem, 3, 1, 1, bias=False),
            nn.BatchNorm2d(stem),
        )
        self.linear, channels = nn.Linear(widths[-1], 10), stem
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            for number in range(count):
                stride = 2 if stage and not number else 1
                changes = stride == 2 or channels != width
                if option == "C" or (option == "B" and changes):
                    way = nn.Conv2d(channels, width, 1, stride, bias=False)
                    self.ways[str(len(self.strides))] = nn.Sequential(
                        way, nn.BatchNorm2d(width)
                    )
                self.strides.append(stride)
                for c, s in ((channels, stride), (width, 1)):
                    self.convs.append(nn.Conv2d(c, width, 3, s, 1, bias=False))
                    self.norms.append(nn.BatchNorm2d(width))
                channels = width

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu(self.norm(self.conv(images)))
        for block, stride in enumerate(self.strides):
            first, second = 2 * block, 2 * block + 1
            y = F.relu(self.norms[first](self.convs[first](x)))
            y = self.norms[second](self.convs[second](y))
            if str(block) in self.ways:
                y = y + self.ways[str(block)](x)
            elif self.option != "none":
                way = torch.zeros_like(y)
                way[:, : x.shape[1]] = x[:, :, ::stride, ::stride]
                y = y + way
            x = F.relu(y)
        return self.linear(x.mean((2, 3)))


@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("option", ["none", "A", "B", "C"])
def test_every_shortcut_as_written_out_by_hand(option, train):
    def block(*shape):
        return RESNET.BasicBlock(*shape, option=option)

    stem = nn.Sequential(RESNET.conv_bn(3, 16, 3), nn.ReLU())
    ours = RESNET.ResNet(stem, 16, block, (16, 32, 64), (1, 2, 1), 10)
    images = torch.randn(4, 3, 9, 7, generator=torch.Generator().manual_seed(1))
    assert check.matches(ours, Slow(option), images, train=train).error < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("option", ["none", "A", "C"])
def test_torchvisions_network_with_another_shortcut(option):
    """ResNet-18 with its downsampling replaced: options A and C, and cut."""
    reference = torchvision.models.resnet18()
    for number in range(1, 5):
        for block in getattr(reference, f"layer{number}"):
            width, channels = block.conv2.out_channels, block.conv1.in_channels
            chosen = {
                "none": RESNET.Cut(),
                "A": Pad(width - channels, block.stride),
                "C": nn.Sequential(
                    nn.Conv2d(channels, width, 1, block.stride, bias=False),
                    nn.BatchNorm2d(width),
                ),
            }
            block.downsample = chosen[option]
    ours = RESNET.resnet(18, option=option)
    for train in (False, True):
        assert check.matches(ours, reference, IMAGES, train=train).error < 1e-9


class Pad(nn.Module):
    """Option A by average pooling over one pixel, as Torch7's code has it."""

    def __init__(self, added: int, stride: int):
        super().__init__()
        self.added, self.pool = added, nn.AvgPool2d(1, stride)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(x)
        return torch.cat([x, x.new_zeros(len(x), self.added, *x.shape[2:])], dim=1)


@pytest.mark.slow
def test_the_papers_stride_is_found_by_the_check():
    theirs = torchvision.models.resnet50()
    with pytest.raises(check.CheckFailed, match="stride"):
        check.matches(RESNET.resnet(50, stride_on=1), theirs, IMAGES)
    for layers in (theirs.layer2, theirs.layer3, theirs.layer4):
        layers[0].conv1.stride, layers[0].conv2.stride = (2, 2), (1, 1)
    match = check.matches(RESNET.resnet(50, stride_on=1), theirs, IMAGES)
    assert match.error < 1e-9


def test_no_convolution_has_a_bias_and_the_last_relu_comes_after_the_sum():
    for net in (RESNET.resnet_small(8), RESNET.form_small(depth=8)):
        convs = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
        assert all(conv.bias is None for conv in convs)
    block = RESNET.BasicBlock(4, 4)
    nn.init.zeros_(block.residual[2][1].weight)
    x = torch.randn(3, 4, 5, 5)
    assert torch.equal(block(x), x.relu())


@pytest.mark.parametrize("form", RESNET.FORMS)
def test_a_form_does_what_its_words_say(form):
    """Block by block, by a reader of the table that knows nothing of the layers."""
    row, x = RESNET.FORMS[form], torch.randn(4, 6, 8, 8)
    block = RESNET.FormBlock(6, 10, 2, row)
    convs = iter([layer for layer in block.modules() if isinstance(layer, nn.Conv2d)])
    strides, signal = iter((2, 1)), x

    def follow(words: str, signal: Tensor) -> Tensor:
        for word in words.split():
            if word == "conv":
                weight, stride = next(convs).weight, next(strides)
                signal = F.conv2d(signal, weight, stride=stride, padding=1)
            elif word == "BN":
                signal = F.batch_norm(signal, None, None, training=True)
            else:
                signal = signal.relu()
        return signal

    signal = follow(row.residual, signal)
    signal = signal + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, 4))
    expected = follow(row.after, signal)
    check.close(block(x), expected, rtol=1e-3, atol=1e-4, what=form)
    names = [layer.strip() for words in row for layer in words.split()]
    assert names.count("conv") == 2
    assert 3 <= names.count("BN") <= 4


def test_the_original_form_is_the_resnet_of_the_family():
    images = torch.randn(4, 3, 8, 8)
    for train in (False, True):
        forms = RESNET.form_small("original", 8), RESNET.resnet_small(8)
        assert check.matches(*forms, images, train=train).error < 1e-9


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_56_residual_layers_learn_the_digits_and_56_plain_ones_do_not():
    train, val = (data.load("digits", s, size=8, channels=3) for s in ("train", "val"))
    recipe = Recipe(**RESNET.RECIPES["digits"] | {"epochs": 4})
    top1 = {}
    for name in ("plain_small", "resnet_small"):
        torch.manual_seed(0)
        history = fit(getattr(RESNET, name)(56), train, val, recipe, quiet=True)
        top1[name] = history[-1].train_top1
    assert top1["resnet_small"] > 0.8
    assert top1["plain_small"] < 0.5


RECORDS = sorted(results.RESULTS.glob("08_resnet*.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_fits_its_network_and_is_light(path):
    record, weights = results.read(path), path.with_suffix(".safetensors")
    net = getattr(RESNET, record.network)(**record.arguments)
    results.load_weights(weights, net)
    assert results.sha256(weights) == record.weights
    assert sum(p.numel() for p in net.parameters()) == record.params
    assert weights.stat().st_size < 2_000_000


def test_both_plain_networks_train_and_the_deeper_one_is_behind():
    """Degradation, and no failure to start; the records that the notebook draws."""
    ends = {}
    for path in results.RESULTS.glob("08_resnet-degradation-*.json"):
        record = results.read(path)
        assert record.images["train_images"] == 50_000
        ends[path.stem.split("-")[2]] = 1 - record.history[-1].train_top1
    assert sorted(ends) == ["plain20", "plain56", "resnet20", "resnet56"]
    assert ends["plain20"] + 0.02 < ends["plain56"] < 0.5
    assert ends["resnet56"] < ends["resnet20"] + 0.02


def test_depth_harms_each_plain_network_and_no_residual_one():
    """Twelve more layers, paired: the table that the notebook averages."""
    with open(results.RESULTS / "08_resnet-depth.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["epochs"] == "5"]
    error = {
        (row["network"], row["depth"], row["seed"]): float(row["train_error"])
        for row in rows
    }
    for seed in map(str, range(5)):
        plain, resnet = (
            error[network, "32", seed] - error[network, "20", seed]
            for network in ("plain", "resnet")
        )
        assert plain > 0.05
        assert resnet < 0.01
    assert len(rows) == len(error) == 20


def test_no_other_size_of_step_cures_the_plain_network():
    with open(results.RESULTS / "08_resnet-cures.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    error = {
        (row["network"], row["depth"], row["cure"], row["seed"]): row for row in rows
    }
    assert len(error) == len(rows) == 6 * 3
    for (network, depth, *_), row in error.items():
        if (network, depth) == ("plain", "56"):
            assert float(row["train_error"]) > 0.5
        else:
            assert float(row["train_error"]) < 0.05


@pytest.mark.slow
def test_cells_that_check_run_without_data(monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    names: dict = {}
    for cell in notebook.cells(notebook.source("08_resnet").read_text("utf-8")):
        if {"export", "check"} & set(cell.tags):
            exec(cell.source, names)
    assert names["RECIPES"]
