"""The speed recipe: each part does what it says, and a run can be stopped anywhere."""

import ast
import importlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import ttest_rel
from torch import nn

from course_lib import data, flops, progress
from course_lib.files import ROOT
from tests.tiers import rest_is_slow

sys.path.append(str(ROOT / "experiments"))
speedrun, speed, speed_page = map(
    importlib.import_module, ("speedrun", "speed", "speed_page")
)
Recipe, Training, moved = speedrun.Recipe, speedrun.Training, speedrun.moved
SMALL = Recipe(epochs=3, batch_size=50, width=8, precision="float32")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits() -> tuple[data.Images, data.Images]:
    train, test = (
        data.load("digits", split, size=32, channels=3) for split in ("train", "test")
    )
    return train.take(600), test.take(180)


@pytest.fixture(scope="module")
def few(digits) -> tuple[data.Images, data.Images]:
    """Four steps an epoch."""
    return digits[0].take(200), digits[1].take(60)


@pytest.fixture(scope="module")
def whole(few) -> list:
    """The weights that the whole recipe ends with."""
    return weights(SMALL, few[0])


@pytest.fixture
def pixels():
    chance = torch.Generator().manual_seed(0)
    return torch.randint(256, (12, 3, 7, 9), generator=chance, dtype=torch.uint8)


def test_whitened_patches_have_the_identity_as_second_moments():
    chance = torch.Generator().manual_seed(0)
    mixed = torch.randn(50, 3, 9, 9, generator=chance)
    mixed = F.avg_pool2d(mixed, 2, stride=1) + mixed.mean(1, keepdim=True)[..., 1:, 1:]
    layer = nn.Conv2d(3, 24, 2, bias=False).double()
    speedrun.whiten(layer, mixed.double(), epsilon=0.0)
    found = layer(mixed.double()).transpose(0, 1).flatten(1)  # (24, places)
    power = found[:12] @ found[:12].T / found.shape[1]
    assert torch.allclose(power, torch.eye(12, dtype=torch.float64), atol=1e-9)
    assert torch.equal(layer.weight[12:], -layer.weight[:12])
    assert not layer.weight.requires_grad


def test_epsilon_bounds_what_a_direction_without_power_becomes():
    layer = nn.Conv2d(3, 24, 2, bias=False)
    speedrun.whiten(layer, torch.ones(4, 3, 5, 5))
    assert layer.weight.abs().max() <= 5e-4**-0.5


@pytest.mark.parametrize(("channels", "width"), [(24, 64), (24, 16), (16, 16)])
def test_a_dirac_kernel_copies_its_channels(channels, width):
    images = torch.randn(2, channels, 6, 6)
    found, same = speedrun.conv(channels, width, True)(images), min(channels, width)
    assert torch.allclose(found[:, :same], images[:, :same], atol=1e-6)
    assert not torch.allclose(speedrun.conv(channels, width, False)(images), found)


def slowly_moved(image, down, right, mirrored, pad=3):
    """Pad one image by reflection, cut at a place, turn it round."""
    height, width = image.shape[1:]
    padded = F.pad(image[None].float(), (pad,) * 4, mode="reflect")[0]
    cut = padded[:, pad + down : pad + down + height, pad + right : pad + right + width]
    return (cut.flip(-1) if mirrored else cut).to(image.dtype)


def test_one_gather_is_the_slow_loop(pixels):
    chance = torch.Generator().manual_seed(1)
    shifts = torch.randint(-3, 4, (2, len(pixels)), generator=chance)
    mirrored = torch.rand(len(pixels), generator=chance) < 0.5
    found = moved(pixels, *shifts, mirrored)
    every = zip(pixels, *shifts.tolist(), mirrored.tolist(), strict=True)
    assert torch.equal(found, torch.stack([slowly_moved(*one) for one in every]))


def sides(images, recipe, epoch):
    """Return which images an epoch mirrors; an image's label is its place."""
    places = torch.arange(len(images))
    found = torch.zeros(len(images), dtype=torch.bool)
    recipe = replace(recipe, left_out=(*recipe.left_out, "shifts"))
    for batch, which in speedrun.batches(replace(images, labels=places), recipe, epoch):
        whole = speedrun.normalised(images.images[which], images)
        found[which] = (batch == whole.flip(-1)).flatten(1).all(1)
    return found


def test_alternation_shows_both_sides_in_two_epochs(digits):
    train, _ = digits
    first, second, third = (sides(train, SMALL, epoch) for epoch in range(3))
    assert torch.equal(first, ~second)
    assert torch.equal(first, third)
    assert 0.4 < first.float().mean() < 0.6


def test_without_alternation_chance_decides_in_each_epoch(digits):
    recipe = replace(SMALL, left_out=("alternation",))
    first, second = (sides(digits[0], recipe, epoch) for epoch in range(2))
    assert 0.4 < (first == second).float().mean() < 0.6
    assert not sides(digits[0], replace(SMALL, left_out=("flips",)), 1).any()


def test_what_is_left_out_changes_no_other_chance(digits):
    whole, without = SMALL, replace(SMALL, left_out=("flips", "smoothing"))
    for one, other in zip(
        speedrun.batches(digits[0], whole, 1),
        speedrun.batches(digits[0], without, 1),
        strict=True,
    ):
        assert torch.equal(one[1], other[1])


@pytest.fixture
def kernel():
    torch.manual_seed(0)
    found = nn.Parameter(torch.randn(8, 5, 3, 3).to(memory_format=torch.channels_last))
    found.grad = torch.randn(8, 5, 3, 3)  # of another order in memory
    return found


def test_a_step_of_muon_has_equal_singular_values(kernel):
    muon = speedrun.KernelMuon([kernel], SMALL)
    muon.param_groups[0]["lr"] = 1.0
    before = kernel.detach() * 8**0.5 / kernel.detach().norm()
    muon.step()
    taken = (before - kernel.detach()).flatten(1)
    values = torch.linalg.svdvals(taken)
    assert 0.6 < values.min() < values.max() < 1.3
    whole = torch.linalg.svd(kernel.grad.flatten(1), full_matrices=False)
    nearest = whole.U @ whole.Vh  # the orthogonal matrix closest to the gradient
    assert (taken * nearest).sum() > 0.98 * taken.norm() * nearest.norm()


def test_muon_keeps_the_norm_of_a_kernel(kernel):
    muon = speedrun.KernelMuon([kernel], SMALL)
    muon.param_groups[0]["lr"] = 0.0
    direction = kernel.detach() / kernel.detach().norm()
    muon.step()
    assert torch.allclose(kernel.detach(), direction * 8**0.5, atol=1e-6)


def test_muon_s_momentum_is_nesterov_s(kernel):
    muon = speedrun.KernelMuon([kernel], SMALL)
    muon.param_groups[0]["lr"] = 0.1
    gradients, buffer = torch.randn(2, 8, 5, 3, 3), torch.zeros(8, 5, 3, 3)
    for gradient in gradients:
        kernel.grad = gradient
        before = kernel.detach() * 8**0.5 / kernel.detach().norm()
        muon.step()
        buffer = SMALL.kernel_momentum * buffer + gradient
    whole = torch.linalg.svd(
        (gradient + SMALL.kernel_momentum * buffer).flatten(1), full_matrices=False
    )
    taken, nearest = (before - kernel.detach()).flatten(1), whole.U @ whole.Vh
    assert (taken * nearest).sum() > 0.98 * taken.norm() * nearest.norm()


def test_every_weight_is_trained_by_one_optimizer(few):
    training = Training(SMALL, few[0])
    sgd, muon = training.optimizers
    taken = [p for group in sgd.param_groups for p in group["params"]] + muon.kernels
    trained = [p for p in training.net.parameters() if p.requires_grad]
    assert sorted(map(id, taken)) == sorted(map(id, trained))
    assert [kernel.shape[2:] for kernel in muon.kernels] == [(3, 3)] * 6


def test_the_rates_fall_to_zero_in_a_line(few):
    training = Training(replace(SMALL, epochs=2), few[0])
    seen = []
    for step in (0, 2, 6):
        training.step = step
        training.before_step()
        groups = [g for o in training.optimizers for g in o.param_groups]
        seen.append([group["lr"] / group["peak"] for group in groups])
    assert seen == [[1.0] * 3, [0.75] * 3, [0.25] * 3]


def test_biases_learn_faster_and_decay_alike():
    groups = speedrun.sgd(speedrun.SpeedNet(8), [], SMALL).param_groups
    others, biases = groups
    assert biases["peak"] == pytest.approx(64 * others["peak"])
    lost = [group["peak"] * group["weight_decay"] for group in groups]
    assert lost[0] == pytest.approx(lost[1])
    assert [p.ndim for p in biases["params"]] == [1] * 6


def test_the_stem_s_bias_rests_after_three_tenths(few):
    training = Training(replace(SMALL, epochs=10), few[0])
    bias, seen = training.net.stem[0].bias, []
    for _ in range(4):
        training.epoch()
        seen.append(bias.detach().clone())
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[1], seen[2])
    assert not bias.requires_grad


def test_a_mirrored_image_gets_the_same_answer_once_both_are_seen(few):
    training, test = Training(SMALL, few[0]), few[1]
    training.epoch()
    turned = replace(test, images=test.images.flip(-1))
    here, there = (
        speedrun.predict(training.net, images, SMALL, speedrun.VIEWS[:2])
        for images in (test, turned)
    )
    assert not torch.allclose(here[0], there[0], atol=1e-3)
    assert torch.allclose(here.mean(0), there.mean(0), atol=1e-5)


@pytest.mark.parametrize("way", speedrun.WEIGHTS)
def test_views_are_weighed(way):
    weights = speedrun.WEIGHTS[way]
    assert sum(weights) == 1
    logits, labels = torch.randn(6, 50, 10), torch.arange(50) % 10
    mean = sum(w * view for w, view in zip(weights, logits, strict=False))
    right = (mean.argmax(1) == labels).float().mean().item()
    assert speedrun.top1(logits, labels, weights) == right


def test_the_six_views_are_the_image_its_neighbours_and_their_mirrors(few):
    training, test = Training(SMALL, few[0]), few[1]
    found = speedrun.predict(training.net, test, SMALL)
    for logits, (shift, mirrored) in zip(found, speedrun.VIEWS, strict=True):
        seen = [slowly_moved(i, shift, shift, mirrored) for i in test.images]
        alone = replace(test, images=torch.stack(seen))
        (same,) = speedrun.predict(training.net, alone, SMALL, speedrun.VIEWS[:1])
        assert torch.allclose(logits, same, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("precision", speed.PRECISIONS)
def test_it_learns_in_few_steps(digits, precision):
    train, test = digits
    how = {"epochs": 4, "rate": 15.0, "left_out": ("flips",)}  # no digit is its mirror
    recipe = replace(SMALL, precision=precision, **how)
    training = Training(recipe, train)
    losses = [training.epoch() for _ in range(recipe.epochs)]
    assert losses[-1] < losses[0]
    assert speed.scores(training, test, "top1")[0] > 0.8


@pytest.mark.parametrize("part", rest_is_slow(["everything", *speedrun.PARTS]))
def test_it_trains_without_each_part(few, whole, part):
    left_out = tuple(speedrun.PARTS) if part == "everything" else (part,)
    recipe = replace(SMALL, left_out=left_out)
    assert weights(recipe, few[0]) != whole


def weights(recipe: Recipe, images: data.Images) -> list:
    training = Training(recipe, images)
    for _ in range(recipe.epochs):
        training.epoch()
    return [value.tolist() for value in training.net.state_dict().values()]


def test_a_seed_is_a_run(few, whole):
    assert weights(SMALL, few[0]) == whole
    assert weights(replace(SMALL, seed=1), few[0]) != whole


class Stops(progress.Silent):
    """A screen on which someone presses Ctrl-C when an epoch has begun."""

    interval = 0.0

    def __init__(self, after: float = float("inf")):
        self.after, self.seen = after, []

    def update(self, now: progress.Now) -> None:
        self.seen.append(now.epoch)
        if now.epoch > self.after:
            raise KeyboardInterrupt


def test_a_stopped_run_goes_on_after_its_last_epoch(few, tmp_path, monkeypatch):
    run = speed.Run("nothing", 3, 50, 8, 200, 60, "float32", "here", 0)
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path / "once"))
    once = speed.train(run, *few, quiet=True)
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path / "twice"))
    monkeypatch.setattr(progress, "show", lambda *told: Stops(after=2.3))
    with pytest.raises(KeyboardInterrupt):
        speed.train(run, *few)
    shown = Stops()
    monkeypatch.setattr(progress, "show", lambda *told: shown)
    twice = speed.train(run, *few)
    assert min(shown.seen) > 2
    assert (twice.curve, twice.views, twice.steps) == (once.curve, once.views, 12)
    assert list((tmp_path / "twice").iterdir()) == []


@pytest.mark.slow
def test_a_state_of_another_recipe_is_not_gone_on_from(few, tmp_path, monkeypatch):
    run = speed.Run("nothing", 2, 50, 8, 200, 60, "float32", "here", 0)
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path))
    monkeypatch.setattr(progress, "show", lambda *told: Stops(after=1.3))
    with pytest.raises(KeyboardInterrupt):
        speed.train(run, *few)
    shown = Stops()
    monkeypatch.setattr(progress, "show", lambda *told: shown)
    other = replace(few[0], images=few[0].images.flip(-1))
    speed.train(run, other, few[1])
    assert min(shown.seen) < 1


@pytest.mark.slow
def test_the_command_fills_its_table_once(tmp_path):
    chance, arrays = np.random.default_rng(0), {}
    for split, count in (("train", 120), ("test", 40)):
        arrays[f"{split}_images"] = chance.integers(
            0, 256, (count, 32, 32, 3), np.uint8
        )
        arrays[f"{split}_labels"] = np.arange(count) % 10
    np.savez(tmp_path / "cifar10.npz", classes=[*"abcdefghij"], **arrays)
    table = tmp_path / "speed.csv"
    command = [
        sys.executable,
        ROOT / "experiments/speed.py",
        "--small",
        "--epochs",
        "1",
    ]
    command += ["--images", "110", "--test", "40", "--batch", "50", "--width", "8"]
    command += ["--leave-out", "shifts", "whitening", "--table", str(table)]
    place = {"COURSE_DATA": str(tmp_path), "COURSE_RUNS": str(tmp_path / "runs")}
    for seeds in ("1", "2"):
        command_now = [*command, "--precision", "float32", "--seeds", seeds]
        subprocess.run(command_now, check=True, env=place, capture_output=True)
    rows = speed.table.read(table)
    assert [row["seed"] for row in rows] == ["0", "1"]
    assert {row["left_out"] for row in rows} == {"whitening+shifts"}
    assert {row["steps"] for row in rows} == {"2"}


def test_network_and_recipe_are_under_200_lines_of_code():
    text = (ROOT / "experiments/speedrun.py").read_text("utf-8")
    tree, lines = ast.parse(text), text.splitlines()
    code = sum(bool(line.strip()) for line in lines)
    for node in ast.walk(tree):
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
        if isinstance(node, documented) and ast.get_docstring(node):
            first, last = node.body[0].lineno, node.body[0].end_lineno
            code -= sum(bool(line.strip()) for line in lines[first - 1 : last])
    assert code < 200


def test_the_network_costs_what_the_page_says():
    cost = flops.count(speedrun.SpeedNet(), (1, 3, 32, 32))
    text = speed_page.PAGE.read_text("utf-8")
    assert f"{cost.params:,} parameters" in text
    assert f"{cost.macs / 1e6:.0f} million multiply-accumulates" in text
    full = Recipe()
    trained = 50_000 * full.epochs * cost.macs * 2 * 3  # forward, and twice it back
    assert f"{50_000 // full.batch_size * full.epochs} steps" in text
    assert f"{trained:.1e}".replace("+", "") in text


def test_the_page_s_tables_are_those_of_the_table():
    text, rows = speed_page.PAGE.read_text("utf-8"), speed.table.read(speed.TABLE)
    assert speed_page.page(text, rows) == text, "python experiments/speed_page.py"


def test_what_was_reached_is_said_as_the_table_has_it():
    text, rows = speed_page.PAGE.read_text("utf-8"), speed.table.read(speed.TABLE)
    full = [row for row in rows if row["width"] == "64" and row["seed"] == "0"]
    said = {row["epochs"]: f"{100 * float(row['views']):.1f} %" for row in full}
    words = f"reaches {said['10']} with six views after ten epochs and {said['12']}"
    assert words in " ".join(text.split())
    assert f"({said['10']} here, one seed)" in (ROOT / "README.md").read_text("utf-8")


def test_the_page_s_settings_are_those_of_the_small_runs():
    text, small = speed_page.PAGE.read_text("utf-8"), speed.SMALL
    for words in (
        f"on the first {small['images']:,} training images, for {small['epochs']} "
        f"epochs with batches of {small['batch']}.",
        f"on the first {small['test']:,} test images",
    ):
        assert words in " ".join(text.split())
    for part in speedrun.PARTS:
        assert f"| {part} | " in text


def row(left_out: str, seed: int, top1: float, **more) -> dict:
    """Return a row of the table, as it is read."""
    size = dict.fromkeys(speed_page.SETTING, "1")
    found = {"left_out": left_out, "seed": str(seed), "top1": str(top1)}
    found |= {
        "steps": "9",
        "mirror": str(top1 + 0.01),
        "views": str(top1 + 0.01 * (seed + 1)),
    }
    return size | found | {"threads": "1", "seconds": "3", "core_seconds": "2"} | more


def test_a_gain_is_paired_by_seed_with_students_interval():
    whole, without = [0.5, 0.6, 0.7, 0.9], [0.45, 0.52, 0.66, 0.83]
    rows = [row("nothing", seed, top1) for seed, top1 in enumerate(whole)]
    rows += [row("dirac", seed, top1) for seed, top1 in enumerate(without)]
    ((_, arms),) = speed_page.compared(rows)
    found = {part: numbers for part, *numbers in speed_page.gains(arms)}
    seeds, less, mean, half = found["dirac"]
    low, high = ttest_rel(whole, without).confidence_interval()
    assert (seeds, less) == (4, pytest.approx(61.5))
    assert (mean - half, mean + half) == pytest.approx((100 * low, 100 * high))
    assert found["the mirrored view"][2] == pytest.approx(1)
    assert found["four more views"][2] == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("mean", "half", "word"),
    [(1.0, 0.9, "helps"), (0.5, 0.9, "cannot tell"), (-1.0, 0.9, "harms")],
)
def test_a_part_helps_when_its_interval_says_so(mean, half, word):
    assert speed_page.verdict(mean, half) == word


def test_a_part_with_fewer_than_three_seeds_has_no_interval():
    rows = [row("nothing", seed, 0.5) for seed in range(4)]
    rows += [row("dirac", seed, 0.4) for seed in range(2)]
    assert speed_page.compared(rows) == []


def test_only_full_runs_of_the_whole_recipe_count_as_full():
    full = row("nothing", 0, 0.9, **speed_page.FULL)
    small, without = row("nothing", 0, 0.9), full | {"left_out": "dirac"}
    assert speed_page.missing([small, without]).startswith("No full run")
    assert speed_page.missing([small, full]) == "Full runs so far: 1 on 1.\n"
