"""What GoogLeNet's notebook exports, against the paper's figures and other code."""

from __future__ import annotations

import csv
import re

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.googlenet import BasicConv2d, InceptionAux

from course_lib import check, data, flops, notebook, results
from course_lib.train import Recipe, fit

GOOGLENET = notebook.load("06_googlenet")

ROWS = [  # Table 1 of arXiv:1409.4842: what leaves it; weights and MACs of its widths
    ("3a", (256, 28, 28), 163_328, 128_049_152),
    ("3b", (480, 28, 28), 388_096, 304_267_264),
    ("4a", (512, 14, 14), 375_552, 73_608_192),
    ("4b", (512, 14, 14), 448_512, 87_908_352),
    ("4c", (512, 14, 14), 509_440, 99_850_240),
    ("4d", (528, 14, 14), 604_672, 118_515_712),
    ("4e", (832, 14, 14), 867_328, 169_996_288),
    ("5a", (832, 7, 7), 1_042_432, 51_079_168),
    ("5b", (1024, 7, 7), 1_442_816, 70_697_984),
]


@pytest.fixture(scope="module")
def meta() -> nn.Module:
    with torch.device("meta"):
        return GOOGLENET.googlenet()


def weights(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.ndim > 1)


def test_the_network_has_the_papers_parameters_and_work(meta):
    with torch.device("meta"):
        check.params(GOOGLENET.googlenet(aux=False), 6_998_552)
    check.params(meta, 13_378_280)
    check.macs(meta, (1, 3, 224, 224), 1_582_671_872)


def test_every_row_of_table_1(meta):
    shape = tuple(meta.stem(torch.empty(1, 3, 224, 224, device="meta")).shape)
    assert shape == (1, 192, 28, 28)
    assert weights(meta.stem[:1]) == 9_408
    assert weights(meta.stem[1:]) == 114_688
    rows = iter(ROWS)
    for name, part in meta.stages.items():
        cost = flops.count(part, shape)
        shape = tuple(part(torch.empty(shape, device="meta")).shape)
        if not name.startswith("pool"):
            assert (name, shape[1:], weights(part), cost.macs) == next(rows)
    assert weights(meta.head) == 1_024_000


def test_22_layers_with_weights_on_the_longest_way(meta):
    stem = sum(isinstance(layer, nn.Conv2d) for layer in meta.stem.modules())
    deepest = [
        max(
            sum(isinstance(layer, nn.Conv2d) for layer in branch.modules())
            for branch in meta.stages[name].branches
        )
        for name in GOOGLENET.GOOGLENET_WIDTHS
    ]
    assert (stem, deepest) == (3, [2] * 9)
    assert stem + sum(deepest) + 1 == 22


def test_naive_and_reduced_module_of_the_lecture():
    row = GOOGLENET.GOOGLENET_WIDTHS["3a"]
    with torch.device("meta"):
        naive = GOOGLENET.NaiveInception(192, row)
        reduced = GOOGLENET.Inception(192, row)
    maps = 1, 192, 28, 28
    check.macs(naive.branches[2], maps, 120_422_400)
    check.macs(reduced.branches[2], maps, 12_443_648)
    check.macs(naive, maps, 303_464_448)
    check.shape(naive, maps, (1, 416, 28, 28))
    check.shape(reduced, maps, (1, 256, 28, 28))


@pytest.mark.parametrize("side", [1, 2, 5, 8])
def test_a_module_is_its_four_branches_side_by_side(side):
    row = GOOGLENET.Widths(3, 2, 4, 1, 5, 2)
    module = GOOGLENET.Inception(6, row)
    x = torch.randn(2, 6, side, side + 1)
    (a, _), ((c, _), (d, _)), ((e, _), (f, _)), (pool, (g, _)) = module.branches
    assert pool(x).shape == x.shape
    branches = [a(x), d(c(x).relu()), f(e(x).relu()), g(pool(x))]
    assert [maps.shape[1] for maps in branches] == [3, 4, 5, 2]
    assert sum((3, 4, 5, 2)) == row.out
    check.close(module(x), torch.cat(branches, 1).relu(), what="the module's maps")


def test_heads_answer_in_train_mode_only_and_in_order():
    net = GOOGLENET.googlenet_small()
    images = torch.randn(2, 3, 32, 32)
    assert list(net.auxiliary) == ["4a", "4d"]
    answer = net.train()(images)
    assert isinstance(answer, tuple)
    assert [tuple(each.shape) for each in answer] == [(2, 10)] * 3
    assert isinstance(net.eval()(images), torch.Tensor)
    bare = GOOGLENET.googlenet_small(aux=False)
    assert isinstance(bare.train()(images), torch.Tensor)


def test_heads_are_those_of_section_5(meta):
    for name, channels in (("4a", 512), ("4d", 528)):
        pool, (conv, _), _, hidden, _, dropout, last = meta.auxiliary[name]
        assert (pool.kernel_size, pool.stride) == (5, 3)
        assert (conv.in_channels, conv.out_channels) == (channels, 128)
        assert (hidden.in_features, hidden.out_features) == (4 * 4 * 128, 1024)
        assert dropout.p == 0.7
        assert last.out_features == 1000
    assert [m.p for m in meta.head if isinstance(m, nn.Dropout)] == [0.4]


def test_the_start_keeps_the_signal_and_the_loss_at_log_k():
    torch.manual_seed(0)
    net = GOOGLENET.googlenet_small(batch_norm=False).eval()
    with torch.no_grad():
        maps = net.stem(torch.randn(8, 3, 32, 32))
        first = maps.std()
        for module in net.stages.values():
            maps = module(maps)
        logits = net.head(maps)
    assert 0.2 < maps.std() / first < 5
    assert logits.std() < 1
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            assert not layer.bias.any()


def test_the_small_network_keeps_the_ideas_and_is_small():
    net = GOOGLENET.googlenet_small()
    check.params(net, 458_582)
    check.params(GOOGLENET.googlenet_small(batch_norm=False), 456_698)
    check.params(GOOGLENET.googlenet_small(aux=False, batch_norm=False), 377_126)
    check.macs(net, (1, 3, 32, 32), 24_809_984)
    check.shape(GOOGLENET.googlenet_small(7), (3, 3, 32, 32), (3, 7))
    kernels = [m.kernel_size[0] for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert kernels.count(5) == 9


ALONE = {"1x1": 1, "3x3": 3, "5x5": 5}  # networks with kernels of one size


@pytest.mark.parametrize("side", [16, 32])
@pytest.mark.parametrize("kernel_size", ALONE.values())
def test_one_size_of_kernels_costs_what_the_mix_does(kernel_size, side):
    image = 1, 3, side, side
    mixed, alone = map(GOOGLENET.four_modules, (None, kernel_size))
    cost, other = flops.count(mixed, image), flops.count(alone, image)
    assert other.params == pytest.approx(cost.params, rel=0.02)
    assert other.macs == pytest.approx(cost.macs, rel=0.02)
    maps = torch.randn(2, 48, 5, 6)
    assert mixed.stages["3a"](maps).shape == alone.stages["3a"](maps).shape
    for module in (alone.stages[name] for name in ("3a", "3b", "4a", "4b")):
        convs = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
        sizes = [conv.kernel_size[0] for conv in convs]
        assert sizes == [1, kernel_size, 1]  # reduction, kernels, pooling's projection


def test_four_modules_with_all_sizes_are_those_of_the_small_network():
    net, small = GOOGLENET.four_modules(None), GOOGLENET.googlenet_small(aux=False)
    names = "3a", "3b", "pool4", "4a", "4b"
    assert tuple(net.stages) == names
    for name in names:
        assert str(net.stages[name]) == str(small.stages[name])


def test_the_table_of_kernels_is_whole_and_of_these_networks():
    path = results.RESULTS / "06_googlenet-kernels.csv"
    with open(path, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    runs = [(row["kernels"], row["seed"]) for row in rows]
    arms = {"mixed": None} | ALONE
    assert runs == [(arm, str(seed)) for seed in range(5) for arm in arms]
    for row in rows:
        net = GOOGLENET.four_modules(arms[row["kernels"]])
        cost = flops.count(net, (1, 3, 16, 16))
        assert (row["params"], row["macs"]) == (str(cost.params), str(cost.macs))


class Head(InceptionAux):
    def forward(self, maps):
        return super().forward(nn.functional.avg_pool2d(maps, 5, stride=3))


def with_biases_and_norms(net: nn.Module) -> None:
    for block in net.modules():
        if isinstance(block, BasicConv2d):
            old, block.bn = block.conv, nn.Identity()
            shape = old.in_channels, old.out_channels, old.kernel_size, old.stride
            block.conv = nn.Conv2d(*shape, old.padding)
    norm = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
    net.maxpool1 = nn.Sequential(net.maxpool1, norm)
    net.maxpool2 = nn.Sequential(norm, net.maxpool2)


def with_large_kernels(net: nn.Module) -> None:
    for name, block in net.named_modules():
        if name.endswith("branch3.1"):
            old = block.conv
            block.conv = nn.Conv2d(old.in_channels, old.out_channels, 5, padding=2)


def with_large_pooling(net: nn.Module) -> None:
    net.maxpool4 = nn.MaxPool2d(3, stride=2, ceil_mode=True)


def with_papers_heads(net: nn.Module) -> None:
    net.aux1.__class__ = net.aux2.__class__ = Head


REPAIRS = with_biases_and_norms, with_large_kernels, with_large_pooling
REPAIRS += (with_papers_heads,)


def torchvisions() -> nn.Module:
    net = torchvision.models.googlenet(
        weights=None, aux_logits=True, init_weights=False
    )
    net.eager_outputs = lambda logits, second, first: (logits, first, second)
    return net


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_torchvision_departs_from_the_paper_where_the_notebook_says():
    net, theirs = GOOGLENET.googlenet(), torchvisions()
    page = " ".join(notebook.source("06_googlenet").read_text("utf-8").split())
    small, images = torch.randn(2, 3, 64, 64), torch.randn(4, 3, 224, 224)
    for repair in REPAIRS:
        train = repair is with_papers_heads  # only in train mode the heads run
        with pytest.raises(check.CheckFailed) as failed:
            check.matches(net, theirs, images if train else small, train=train)
        said = re.split(r"\.? \(relative|\. Yours|\.$", str(failed.value))[0]
        assert f"| {said} |" in page
        repair(theirs)
    for train, layers in ((False, 58), (True, 64)):
        match = check.matches(net, theirs, images, train=train)
        assert match.error < 1e-9
        assert len(match.layers) == layers


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_small_network_is_the_same_network_however_it_is_written(batch_norm):
    def block(channels, width, k):
        norm = [nn.BatchNorm2d(width)] if batch_norm else []
        conv = nn.Conv2d(channels, width, k, padding="same", bias=not batch_norm)
        return nn.Sequential(conv, *norm, nn.ReLU())

    class Module(nn.Module):
        def __init__(self, channels, a, b, c, d, e, f):
            super().__init__()
            self.four = block(channels, f, 1)
            self.three = nn.Sequential(block(channels, d, 1), block(d, e, 5))
            self.two = nn.Sequential(block(channels, b, 1), block(b, c, 3))
            self.one = block(channels, a, 1)

        def forward(self, x):
            pooled = nn.functional.max_pool2d(x, 3, 1, 1)
            return torch.hstack(
                [self.one(x), self.two(x), self.three(x), self.four(pooled)]
            )

    class Reference(nn.Module):
        def __init__(self):
            super().__init__()
            self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
            self.stem = nn.Sequential(
                block(3, 16, 3), self.pool, block(16, 16, 1), block(16, 48, 3)
            )
            rows = [
                [48, 16, 24, 32, 4, 8, 8],
                [64, 32, 32, 48, 8, 24, 16],
                [120, 48, 24, 52, 4, 12, 16],
                [128, 40, 28, 56, 6, 16, 16],
                [128, 32, 32, 64, 6, 16, 16],
                [128, 28, 36, 72, 8, 16, 16],
                [132, 64, 40, 80, 8, 32, 32],
                [208, 64, 40, 80, 8, 32, 32],
                [208, 96, 48, 96, 12, 32, 32],
            ]
            self.inner = nn.ModuleList([Module(*row) for row in rows])
            self.first, self.second = self.side(128), self.side(132)
            self.last = nn.Linear(256, 10)

        def side(self, channels):
            return nn.Sequential(
                nn.AvgPool2d(5, 3), block(channels, 32, 1), nn.Flatten(),
                nn.Linear(128, 256), nn.ReLU(), nn.Dropout(0.7), nn.Linear(256, 10),
            )  # fmt: skip

        def forward(self, x):
            x, others = self.stem(x), []
            for place, module in enumerate(self.inner):
                x = module(self.pool(x) if place in (2, 7) else x)
                if self.training and place in (2, 5):
                    others.append((self.first if place == 2 else self.second)(x))
            logits = self.last(x.mean((2, 3)))
            return (logits, *others) if self.training else logits

    net = GOOGLENET.googlenet_small(batch_norm=batch_norm)
    for train in (False, True):
        match = check.matches(net, Reference(), torch.randn(6, 3, 32, 32), train=train)
        assert match.error < 1e-9


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_the_small_network_learns_the_digits():
    train, val = (data.load("digits", s, size=32, channels=3) for s in ("train", "val"))
    recipe = Recipe(**GOOGLENET.RECIPES["digits"] | {"epochs": 2})
    torch.manual_seed(0)
    history = fit(GOOGLENET.googlenet_small(), train, val, recipe, quiet=True)
    assert history[-1].val_top1 > 0.6  # 0.1 is chance


RECORDS = sorted(results.RESULTS.glob("06_googlenet-googlenet_small*.json"))


def test_the_grid_of_heads_has_five_paired_seeds_of_one_recipe_each():
    grid = {}
    for path in results.RESULTS.glob("06_googlenet-a*-seed*.json"):
        record = results.read(path)
        arm = record.arguments["aux"], record.arguments["batch_norm"]
        grid.setdefault(arm, []).append((record.recipe.seed, record.recipe.epochs))
    assert set(grid) == {(aux, norm) for aux in (True, False) for norm in (True, False)}
    for runs in grid.values():
        assert sorted(runs) == [(seed, 12) for seed in range(5)]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_fits_its_network_and_is_light(path):
    record, stored = results.read(path), path.with_suffix(".safetensors")
    net = getattr(GOOGLENET, record.network)(**record.arguments)
    results.load_weights(stored, net)
    assert results.sha256(stored) == record.weights
    assert sum(p.numel() for p in net.parameters()) == record.params
    assert stored.stat().st_size < 1_500_000


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_cells_that_check_run_without_data(monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    names: dict = {}
    for cell in notebook.cells(notebook.source("06_googlenet").read_text("utf-8")):
        if {"export", "check"} & set(cell.tags):
            exec(cell.source, names)
    assert names["RECIPES"]
