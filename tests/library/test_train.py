"""The trainer: what a recipe means, that it resumes exactly, and what it refuses."""

import copy
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from torch import nn

from course_lib import data, train
from course_lib.recipe import make_optimizer, rate_at
from course_lib.train import Recipe, TrainingError

QUICK = Recipe(epochs=2, batch_size=64, learning_rate=0.05, seed=3)


def network() -> nn.Module:
    """A small network with all that could spoil an exact resume."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(8 * 9, 10),
    )


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", "train", size=8), data.load("digits", "val", size=8)


def weights(model) -> list[torch.Tensor]:
    return [tensor.clone() for tensor in model.state_dict().values()]


def same(left, right) -> bool:
    return all(map(torch.equal, weights(left), weights(right)))


def test_learns_digits(digits):
    model, recipe = network(), Recipe(epochs=8, batch_size=64, learning_rate=0.1)
    history = train.fit(model, *digits, recipe, quiet=True)
    assert history[-1].val_top1 > 0.9
    assert history[-1].train_loss < history[0].train_loss
    assert train.evaluate(model, digits[1]).top1 == history[-1].val_top1


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "adamw", "learning_rate": 1e-3, "clip_norm": 1.0},
        {"ema_decay": 0.9, "label_smoothing": 0.1, "crop_padding": 1},
        {"precision": "bfloat16", "channels_last": True},
        {"optimizer": "rmsprop", "epsilon": 1.0, "schedule": "exponential"},
    ],
    ids=str,
)
def test_same_seed_same_weights_and_another_seed_others(digits, changes):
    recipe = replace(QUICK, **changes)
    first, second, other = network(), network(), network()
    history = train.fit(first, *digits, recipe, quiet=True)
    again = train.fit(second, *digits, recipe, quiet=True)
    train.fit(other, *digits, replace(recipe, seed=4), quiet=True)
    assert same(first, second)
    assert not same(first, other)
    assert history.column("train_loss") == again.column("train_loss")


def test_global_random_state_is_left_alone(digits):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    train.fit(network_with_seed_kept(), *digits, replace(QUICK, epochs=1), quiet=True)
    assert torch.equal(torch.rand(3), expected)


def network_with_seed_kept() -> nn.Module:
    with torch.random.fork_rng():
        return network()


KILLED_RUN = """
import sys, time
import torch
from course_lib import checkpoints, data, train
sys.path.insert(0, {here!r})
from test_train import QUICK, network
from dataclasses import replace
train.CHECKPOINT_SECONDS = 0  # after every step
torch.set_num_threads(1)
step = train.train_step
def slow_step(*args):  # so that the kill falls between the first step and the last
    time.sleep(0.02)
    return step(*args)
train.train_step = slow_step
images = [data.load("digits", split, size=8) for split in ("train", "val")]
recipe = replace(QUICK, ema_decay=0.9, optimizer={optimizer!r}, learning_rate=0.01)
train.fit(network(), *images, recipe, checkpoint={path!r}, quiet=True)
print("done")
"""


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_killed_run_resumes_to_the_same_weights(digits, tmp_path, optimizer):
    """SIGKILL at three moments; then the same command runs to its end."""
    path = tmp_path / "run.pt"
    here = os.path.dirname(__file__)
    code = KILLED_RUN.format(here=here, path=str(path), optimizer=optimizer)
    steps = []
    for kill_at in (3, 17, 30):
        process = subprocess.Popen([sys.executable, "-c", code])
        while process.poll() is None and reached(path) < kill_at:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the run ended before it was killed"
        steps.append(reached(path))
    assert steps == sorted(steps)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    recipe = replace(QUICK, ema_decay=0.9, optimizer=optimizer, learning_rate=0.01)
    resumed, whole = network(), network()
    history = train.fit(resumed, *digits, recipe, checkpoint=path, quiet=True)
    expected = train.fit(whole, *digits, recipe, quiet=True)
    torch.set_num_threads(threads)
    assert steps[-1] < 2 * math.ceil(len(digits[0]) / 64)
    assert same(resumed, whole)
    for name in ("train_loss", "train_top1", "val_loss", "val_top1", "learning_rate"):
        assert history.column(name) == expected.column(name)


def reached(path) -> int:
    return torch.load(path, weights_only=True)["step"] if path.exists() else 0


def test_a_finished_run_does_nothing_more(digits, tmp_path):
    path, first, second = tmp_path / "run.pt", network(), network()
    recipe = replace(QUICK, ema_decay=0.9)
    train.fit(first, *digits, recipe, checkpoint=path, quiet=True)
    before = path.read_bytes()
    history = train.fit(second, *digits, recipe, checkpoint=path, quiet=True)
    assert same(first, second)
    assert len(history) == 2
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run.pt"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:500]), "is no checkpoint"),
        (lambda path: path.write_text("hello"), "is no checkpoint"),
    ],
)
def test_a_broken_checkpoint_is_named(digits, tmp_path, spoil, said):
    path = tmp_path / "run.pt"
    train.fit(network(), *digits, replace(QUICK, epochs=1), checkpoint=path, quiet=True)
    spoil(path)
    with pytest.raises(TrainingError, match=said) as caught:
        train.fit(network(), *digits, QUICK, checkpoint=path, quiet=True)
    assert str(path) in str(caught.value)


def test_a_checkpoint_of_another_run_is_refused(digits, tmp_path):
    path = tmp_path / "run.pt"
    train.fit(network(), *digits, QUICK, checkpoint=path, quiet=True)
    faster = replace(QUICK, learning_rate=0.1)
    with pytest.raises(TrainingError, match=r"learning_rate is 0\.05 there, 0\.1 here"):
        train.fit(network(), *digits, faster, checkpoint=path, quiet=True)
    fewer = digits[0].take(100)
    with pytest.raises(TrainingError, match="other images"):
        train.fit(network(), fewer, None, QUICK, checkpoint=path, quiet=True)
    with pytest.raises(TrainingError, match="another network"):
        train.fit(network()[:-1], *digits, QUICK, checkpoint=path, quiet=True)


def test_a_loss_that_is_not_finite_stops_and_says_where(digits):
    recipe = replace(QUICK, learning_rate=1e6, momentum=0.99)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Linear(64, 10))
    with pytest.raises(TrainingError, match=r"in epoch 1, step \d+.*learning_rate"):
        train.fit(model, *digits, recipe, quiet=True)


@pytest.mark.parametrize(
    "wrong",
    [{"optimizer": "adam"}, {"schedule": "step"}, {"precision": "int8"}, {"epochs": 0}],
    ids=str,
)
def test_a_recipe_refuses_what_it_does_not_know(wrong):
    with pytest.raises(TrainingError, match=next(iter(wrong))):
        Recipe(**wrong)


def test_evaluate_weighs_an_uneven_last_batch_by_its_images(digits):
    model = network()
    with pytest.raises(data.DataError, match="batch_size is 0"):
        train.evaluate(model, digits[1], batch_size=0)
    whole = train.evaluate(model, digits[1], batch_size=len(digits[1]))
    parts = train.evaluate(model, digits[1], batch_size=7)
    assert parts.top1 == whole.top1
    assert parts.loss == pytest.approx(whole.loss, rel=1e-5)
    assert model.training


def test_sgd_is_the_textbook_s(digits):
    """One epoch of plain SGD on a linear model against its update written out."""
    few = digits[0].take(100)
    recipe = Recipe(
        epochs=1, batch_size=32, learning_rate=0.1, momentum=0.9, weight_decay=0.01
    )
    recipe = replace(recipe, schedule="constant")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    weight, bias = (p.detach().clone() for p in model.parameters())
    speed = [torch.zeros_like(weight), torch.zeros_like(bias)]
    for images, labels in data.batches(few, 32, shuffle=True, seed=0, epoch=0):
        pixels = images.flatten(1)
        probabilities = (pixels @ weight.T + bias).softmax(dim=1)
        error = probabilities - nn.functional.one_hot(labels, 10)
        gradient = error.T @ pixels / len(labels) + 0.01 * weight
        speed[0] = 0.9 * speed[0] + gradient
        speed[1] = 0.9 * speed[1] + error.mean(dim=0)
        weight, bias = weight - 0.1 * speed[0], bias - 0.1 * speed[1]
    train.fit(model, few, None, recipe, quiet=True)
    torch.testing.assert_close(model[1].weight, weight, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(model[1].bias, bias, rtol=1e-4, atol=1e-6)


def test_weight_decay_spares_biases_and_norms():
    decayed, free = make_optimizer(network(), Recipe(weight_decay=0.1)).param_groups
    assert [p.ndim for p in decayed["params"]] == [4, 2]
    assert {p.ndim for p in free["params"]} == {1}
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.1, 0.0)


def test_schedule_warms_up_to_1_and_falls_to_0():
    recipe = Recipe(epochs=10, warmup_epochs=2)
    rates = [rate_at(epoch / 10, recipe) for epoch in range(101)]
    assert rates[0] < 0.01
    assert rates[20] == 1
    assert rates[60] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0)
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)


def rates(schedule: str, **fields) -> list[float]:
    recipe = Recipe(epochs=8, schedule=schedule, **fields)
    return [rate_at(epoch, recipe) for epoch in range(8)]


def test_published_schedules():
    assert rates("constant", warmup_epochs=1)[1:] == [1] * 7
    expected = [1] * 4 + [0.1] * 2 + [0.01] * 2  # arXiv:1512.03385, section 4.2
    assert rates("steps") == pytest.approx(expected)
    expected = [0.94 ** (epoch // 2) for epoch in range(8)]  # arXiv:1512.00567
    assert rates("exponential") == pytest.approx(expected)


def test_rmsprop_divides_by_the_running_root_mean_square():
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    fields = {"momentum": 0.0, "weight_decay": 0.0, "epsilon": 1.0}
    optimizer = make_optimizer(model, Recipe(optimizer="rmsprop", **fields))
    square = 0.0
    expected = 1.0
    for gradient in (3.0, -1.0, 2.0):
        model.weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
        square = 0.9 * square + 0.1 * gradient**2
        expected -= 0.1 * gradient / (square**0.5 + 1.0)
    assert model.weight.item() == pytest.approx(expected)


class TwoHeads(nn.Module):
    """Logits, and in train mode those of an auxiliary head too."""

    def __init__(self, always: bool = False):
        super().__init__()
        self.always = always
        self.head, self.auxiliary = nn.Linear(64, 10), nn.Linear(64, 10)

    def forward(self, images):
        pixels = images.flatten(1)
        if self.training or self.always:
            return self.head(pixels), self.auxiliary(pixels)
        return self.head(pixels)


def test_auxiliary_heads_learn_at_their_weight(digits):
    """Two heads that share nothing: each learns as if it were alone."""
    torch.manual_seed(0)
    start = TwoHeads()
    plain = {"momentum": 0.0, "weight_decay": 0.0, "schedule": "constant"}
    recipe = replace(QUICK, auxiliary_weight=0.25, **plain)
    both = copy.deepcopy(start)
    train.fit(both, *digits, recipe, quiet=True)
    rate = recipe.learning_rate
    for head, scale in (("head", 1), ("auxiliary", 0.25)):
        alone = nn.Sequential(nn.Flatten(), copy.deepcopy(getattr(start, head)))
        own = replace(recipe, learning_rate=rate * scale)
        train.fit(alone, *digits, own, quiet=True)
        torch.testing.assert_close(getattr(both, head).weight, alone[1].weight)


def test_a_network_that_answers_a_tuple_in_eval_mode_is_refused(digits):
    with pytest.raises(TrainingError, match="its logits alone"):
        train.evaluate(TwoHeads(always=True), digits[1])


def test_averaged_weights_are_the_exponential_average(digits):
    """Decay 0 keeps the last step's weights, decay 1 those after the first step."""
    few = digits[0].take(64)  # one step an epoch
    one, two, last, first = network(), network(), network(), network()
    train.fit(one, few, None, replace(QUICK, epochs=1), quiet=True)
    train.fit(two, few, None, QUICK, quiet=True)
    train.fit(last, few, None, replace(QUICK, ema_decay=1e-12), quiet=True)
    train.fit(first, few, None, replace(QUICK, ema_decay=1.0), quiet=True)
    for average, expected in ((last, two), (first, one)):
        for a, b in zip(average.parameters(), expected.parameters(), strict=True):
            torch.testing.assert_close(a, b)


def test_until_stops_after_the_epoch_that_satisfies_it(digits):
    recipe = replace(QUICK, epochs=50)
    history = train.fit(
        network(), *digits, recipe, quiet=True, until=lambda e: e.train_top1 > 0.8
    )
    assert len(history) < 50
    assert history[-1].train_top1 > 0.8
    assert all(epoch.train_top1 <= 0.8 for epoch in history[:-1])


@pytest.mark.slow
@pytest.mark.skipif(
    not shutil.which("g++"), reason="torch.compile needs a C++ compiler"
)
def test_compile_gives_the_same_training(digits):
    """Without dropout, whose random numbers compiled code draws otherwise."""
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    compiled = copy.deepcopy(plain)
    recipe = replace(QUICK, epochs=1)
    few = digits[0].take(128)
    train.fit(plain, few, None, recipe, quiet=True)
    train.fit(compiled, few, None, replace(recipe, compile=True), quiet=True)
    for a, b in zip(plain.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_history_survives_json(digits):
    history = train.fit(network(), *digits, replace(QUICK, epochs=1), quiet=True)
    assert json.loads(json.dumps(history)) == [list(history[0])]
