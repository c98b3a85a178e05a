"""What a training refuses, and in what words; what a kill or a full disk leaves."""

import copy
import functools
import itertools
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from course_lib import (
    checkpoints,
    data,
    identity,
    networks,
    preflight,
    progress,
    results,
    train,
)
from course_lib.files import ROOT
from course_lib.precision import DTYPES
from course_lib.recipe import SCHEDULES
from course_lib.recipe_fields import FIELDS, assignment
from course_lib.results import ResultsError
from course_lib.train import Epoch, Recipe, TrainingError

QUICK = Recipe(epochs=1, batch_size=64, learning_rate=0.05)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", "train", size=8).take(256)


class Layer(nn.Module):
    """Pixels through a function that is given."""

    def __init__(self, function, scale=1.0):
        super().__init__()
        self.function, self.scale = function, scale
        self.first, self.head = nn.Linear(64, 16), nn.Linear(16, 10)

    def forward(self, images):
        return self.head(self.function(self.scale * self.first(images.flatten(1))))


def twice(x):
    return 2 * x


def doubled(x):
    return twice(x)


def seeded(build) -> nn.Module:
    torch.manual_seed(0)
    return build()


ACTIVATIONS = {
    "a class": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.ReLU()),
    "another class": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.Tanh()),
    "a function of torch": lambda: Layer(torch.relu),
    "another": lambda: Layer(torch.tanh),
    "a lambda": lambda: Layer(lambda x: x.relu()),
    "another lambda": lambda: Layer(lambda x: x.tanh()),
    "a constant in a lambda": lambda: Layer(lambda x: x * 2),
    "another constant": lambda: Layer(lambda x: x * 3),
    "a function": lambda: Layer(twice),
    "one that calls it": lambda: Layer(doubled),
    "a partial": lambda: Layer(partial(torch.clamp, min=0)),
    "another partial": lambda: Layer(partial(torch.clamp, min=1)),
    "a setting": lambda: Layer(torch.relu, scale=2.0),
    "frozen": lambda: Layer(torch.relu).requires_grad_(False),
}


def test_networks_of_one_shape_are_told_apart_by_what_they_do():
    found = {name: identity.of_model(build()) for name, build in ACTIVATIONS.items()}
    assert len(set(found.values())) == len(ACTIVATIONS)
    again = {name: identity.of_model(build()) for name, build in ACTIVATIONS.items()}
    assert found == again


def test_a_change_in_what_forward_calls_is_another_network(monkeypatch):
    before = identity.of_model(Layer(doubled))
    monkeypatch.setitem(globals(), "twice", lambda x: 3 * x)
    assert identity.of_model(Layer(doubled)) != before


@pytest.mark.parametrize(
    ("kept", "other"),
    [("a class", "another class"), ("a lambda", "another lambda")],
)
def test_a_checkpoint_is_not_taken_up_by_another_network(digits, tmp_path, kept, other):
    path = tmp_path / "run.pt"
    train.fit(ACTIVATIONS[kept](), digits, None, QUICK, checkpoint=path, quiet=True)
    with pytest.raises(TrainingError, match="is of another network"):
        train.fit(ACTIVATIONS[other](), digits, None, QUICK, checkpoint=path)
    history = train.fit(ACTIVATIONS[kept](), digits, None, QUICK, checkpoint=path)
    assert len(history) == 1


def test_a_training_that_changes_a_setting_still_resumes(digits, tmp_path):
    class Counting(Layer):
        def forward(self, images):
            self.scale += 0.0
            self.calls = getattr(self, "calls", 0) + 1
            return super().forward(images)

    path, recipe = tmp_path / "run.pt", replace(QUICK, epochs=2)
    first = train.fit(Counting(torch.relu), digits, digits, recipe, checkpoint=path)
    again = train.fit(Counting(torch.relu), digits, digits, recipe, checkpoint=path)
    assert again == first


def frozen_norm() -> nn.Sequential:
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 10)
    )
    net[1].eval()
    return net


def test_evaluate_puts_each_layer_back_into_its_own_mode(digits):
    net = frozen_norm()
    train.evaluate(net, digits)
    assert [layer.training for layer in net] == [True, False, True, True]


def test_evaluate_puts_the_modes_back_when_the_network_fails(digits):
    net = nn.Sequential(nn.Flatten(), nn.Linear(63, 10))
    with pytest.raises(RuntimeError):
        train.evaluate(net, digits)
    assert net.training


def test_a_frozen_norm_stays_frozen_through_a_training(digits):
    net = frozen_norm()
    train.fit(net, digits, digits, replace(QUICK, epochs=2), quiet=True)
    assert torch.equal(net[1].running_mean, torch.zeros(4))
    assert not net[1].training


def test_a_network_in_eval_mode_is_trained_in_train_mode(digits):
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10)).eval()
    train.fit(net, digits, None, QUICK, quiet=True)
    assert not torch.equal(net[1].running_mean, torch.zeros(64))


def test_every_field_of_a_recipe_has_its_kind_and_range():
    assert list(FIELDS) == [field.name for field in fields(Recipe)]
    assert FIELDS["precision"].choices == tuple(DTYPES)
    assert FIELDS["schedule"].choices == tuple(SCHEDULES)


@pytest.mark.parametrize(
    "text",
    """epochs=abc epochs=0 epochs=1.5 epochs=true batch_size=0 learning_rate=nan
    learning_rate=-1 momentum=1 weight_decay=-1 warmup_epochs=-1 label_smoothing=7
    label_smoothing=1 auxiliary_weight=-1 clip_norm=0 ema_decay=2 precision=half
    channels_last=1 flip=yes crop_padding=-1 cutout=-1 seed=-1 schedule=step
    nesterov=none epochs=none""".split(),
)
def test_a_value_outside_its_range_is_refused_with_what_was_expected(text):
    name, value = assignment(text)
    with pytest.raises(TrainingError, match=f"^{name} is .*: expected ."):
        Recipe(**{name: value})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("flip=false", False),
        ("channels_last=True", True),
        ("epochs=3", 3),
        ("learning_rate=1e-2", 0.01),
        ("clip_norm=none", None),
        ("clip_norm=2", 2.0),
        ("optimizer = adamw ", "adamw"),
    ],
)
def test_field_and_value_are_read_by_the_kind_of_the_field(text, value):
    name, found = assignment(text)
    assert (found, type(found)) == (value, type(value))
    assert getattr(Recipe(**{name: found}), name) == value


def test_the_words_for_a_range():
    assert str(FIELDS["label_smoothing"]) == "a number, 0 or more and below 1"
    assert str(FIELDS["clip_norm"]) == "a number above 0, or none"
    assert str(FIELDS["epochs"]) == "a whole number, 1 or more"


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.head, self.auxiliary = nn.Linear(64, 10), nn.Linear(64, 10)
        self.auxiliary.requires_grad_(False)

    def forward(self, images):
        pixels = images.flatten(1)
        head = self.head(pixels)
        return (head, self.auxiliary(pixels)) if self.training else head


def test_training_loss_is_of_the_main_head(digits):
    """A head that learns nothing leaves the curve of the other as it is alone."""
    both = seeded(TwoHeads)
    alone = nn.Sequential(nn.Flatten(), copy.deepcopy(both.head))
    with_head = train.fit(both, digits, None, QUICK, quiet=True)
    expected = train.fit(alone, digits, None, QUICK, quiet=True)
    assert with_head.column("train_loss") == expected.column("train_loss")


def test_an_auxiliary_loss_that_is_not_finite_is_noticed(digits):
    net = seeded(TwoHeads)
    nn.init.constant_(net.auxiliary.weight, float("inf"))
    with pytest.raises(TrainingError, match="in epoch 1, step 1"):
        train.fit(net, digits, None, QUICK, quiet=True)


def narrow() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 8), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 10)
    )


def test_a_last_batch_of_one_image_is_said_before_the_training(digits):
    recipe, net = replace(QUICK, batch_size=16), narrow()
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(TrainingError, match=r"49 images in batches of 16 .*_size 15"):
        train.fit(net, digits.take(49), None, recipe, quiet=True)
    assert all(torch.equal(net.state_dict()[name], before[name]) for name in before)
    other = replace(recipe, batch_size=15)
    assert len(train.fit(net, digits.take(49), None, other, quiet=True)) == 1


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(10)), "its layer is lazy"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double(), "float64: e"),
        (ACTIVATIONS["frozen"], "no parameter that learns"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 9)), r"logits \(2, 10\)"),
        (lambda: nn.Conv2d(1, 10, 3), r"answers \(2, 10, 6, 6\) to 2 images of digits"),
        (
            lambda: nn.Sequential(nn.Flatten()).append(nn.LSTM(64, 10)),
            "answers a tuple",
        ),
    ],
)
def test_a_network_that_cannot_be_trained_is_told_why(digits, net, said):
    with pytest.raises(TrainingError, match=said):
        train.fit(net(), digits, None, QUICK, quiet=True)


@pytest.mark.slow
def test_want_of_memory_says_what_to_try(digits):
    """A layer whose maps would need 2 PB."""

    class Huge(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(64, 10)

        def forward(self, images):
            size = len(images) * 10**13 if len(images) > 2 else 1
            return self.head(images.flatten(1)) + torch.empty(size)[0]

    told = r"64 do not fit .* 2 is about the largest .* batch_size 2 with learning_rate"
    with pytest.raises(TrainingError, match=told):
        train.fit(Huge(), digits, None, QUICK, quiet=True)


@pytest.mark.slow
@pytest.mark.parametrize("most", [0, 1, 2, 37, 63])
def test_the_largest_batch_that_fits_is_found_to_an_eighth(most):
    tried = []

    def attempt(size):
        tried.append(size)
        if size > most:
            raise MemoryError

    found = preflight.largest(64, attempt)
    assert most - max(1, most // 8) < found <= most or found == most
    assert len(tried) <= 8


def test_an_error_in_the_network_is_shown_as_it_is(digits):
    net = nn.Sequential(nn.Flatten(), nn.Linear(63, 10))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        train.fit(net, digits, None, QUICK, quiet=True)


FULL_DISK = """
import resource, signal, sys
import torch
from torch import nn
from course_lib import data, results, train
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
digits = data.load("digits", "train", size=8).take(256)
recipe = train.Recipe(epochs=1, batch_size=64, learning_rate=0.05)
torch.manual_seed(0)
net = nn.Sequential(nn.Flatten(), nn.Linear(64, 600), nn.Linear(600, 10))
history = train.fit(net, digits, None, recipe)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    {action}
except Exception as error:
    print(type(error).__name__, error)
"""
SAVE = 'results.save({!r}, net, history, recipe, digits, digits, unit="x", network="y")'


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("train.fit(net, digits, None, recipe, checkpoint={!r})", "TrainingError"),
        (SAVE, "ResultsError"),
    ],
)
def test_a_full_disk_is_a_sentence_and_keeps_what_was_there(tmp_path, action, error):
    """A file may not grow beyond 20 kB: the same as a disk that is full."""
    path = tmp_path / "run.json"
    path.write_text("the one before")
    code = FULL_DISK.format(action=action.format(str(path)))
    if error == "TrainingError":
        path.unlink()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(error), done.stdout + done.stderr
    assert "run.json" in done.stdout or "run.safetensors" in done.stdout
    assert "cannot be written" in done.stdout
    left = {file.name for file in tmp_path.iterdir()}
    assert left == ({"run.json"} if error == "ResultsError" else set())
    if left:
        assert path.read_text() == "the one before"


def linear() -> nn.Sequential:
    return seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))


def trained(digits, epochs: int):
    net, recipe = linear(), replace(QUICK, epochs=epochs)
    return net, train.fit(net, digits, None, recipe, quiet=True), recipe


def keep(path, digits, training) -> None:
    named = {"unit": "00_test", "network": "linear"}
    results.save(path, *training, digits, digits, **named)


def killed_before(moment: int, folder, save) -> bool:
    """Save in a process that is killed before that operation on a file there."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] != 0
    operations = itertools.count(1)

    def watch(event, arguments):
        counted = event in ("os.rename", "open", "os.remove")
        if counted and folder in str(arguments[0]) and next(operations) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    save()
    os._exit(0)


def kill_everywhere(folder: str) -> None:
    """Print the epochs of the record that is there after a kill at each moment."""
    torch.set_num_threads(1)
    digits = data.load("digits", "train", size=8).take(256)
    old, new = (trained(digits, epochs) for epochs in (1, 2))
    path, found, killed = Path(folder) / "record.json", [], True
    while killed:
        keep(path, digits, old)
        killed = killed_before(len(found) + 1, folder, partial(keep, path, digits, new))
        assert results.verify(path, linear(), digits).ok
        found.append(len(results.read(path).history))
    print(json.dumps(found))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_record_is_the_old_one_or_the_new_one_whenever_the_kill_comes(tmp_path):
    """SIGKILL before each operation on a file that a save makes, one after another."""
    here = os.path.dirname(__file__)
    code = f"import sys; sys.path.insert(0, {here!r})\n"
    code += f"import test_training_faults as t; t.kill_everywhere({str(tmp_path)!r})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found == sorted(found), "first the old record, then the new one"
    assert len(found) > 4
    assert (found[0], found[-1]) == (1, 2)


@pytest.fixture
def record(digits, tmp_path):
    keep(tmp_path / "record.json", digits, trained(digits, epochs=3))
    return tmp_path / "record.json"


def test_a_record_is_read_by_the_names_of_its_fields(record):
    before = results.read(record)
    row = json.loads(record.read_text())
    record.write_text(json.dumps(row, sort_keys=True))
    after = results.read(record)
    assert after.history.column("train_top1") == before.history.column("train_top1")
    assert max(after.history.column("train_top1")) <= 1
    assert after.recipe == before.recipe


def without(row: dict, name: str) -> dict:
    return {key: value for key, value in row.items() if key != name}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: without(row, "weights"), "the record lacks weights"),
        (lambda row: row | {"top1": 1}, "the record has no field top1"),
        (
            lambda row: row | {"test_top1": 81.2},
            "its test_top1 is 81.2: no number from",
        ),
        (lambda row: row | {"test_loss": "low"}, "its test_loss is 'low'"),
        (lambda row: row | {"history": "x"}, "its history is no list of epochs"),
        (
            lambda row: row | {"history": [{"epoch": 1}]},
            "epoch 1 of its history is not",
        ),
        (lambda row: row | {"recipe": 3}, "its recipe is no table"),
        (
            lambda row: row | {"recipe": {"epochs": -1}},
            "epochs is -1: expected a whole",
        ),
        (lambda row: row | {"images": {}}, "its images lack name"),
        (lambda row: [row], "the record is no table"),
    ],
)
def test_a_record_edited_by_hand_is_one_sentence(record, change, said):
    record.write_text(json.dumps(change(json.loads(record.read_text()))))
    with pytest.raises(ResultsError, match=rf"record\.json is no .*{said}") as caught:
        results.read(record)
    assert "\n" not in str(caught.value)


BROKEN = {"cut": lambda whole: whole[:300], "binary": lambda whole: b"\xff\xfe"}


@pytest.mark.parametrize("how", BROKEN)
def test_a_record_that_is_not_json_is_one_sentence(record, how):
    record.write_bytes(BROKEN[how](record.read_bytes()))
    with pytest.raises(
        ResultsError, match=r"record\.json is no training record"
    ) as told:
        results.read(record)
    assert "\n" not in str(told.value)


def test_every_record_of_the_course_is_read():
    paths = sorted(results.RESULTS.glob("*.json"))
    assert paths
    for path in paths:
        assert 0 < results.read(path).history[-1].train_top1 < 1


def test_a_truncated_checkpoint_is_one_short_sentence(digits, tmp_path):
    path = tmp_path / "run.pt"
    train.fit(linear(), digits, None, QUICK, checkpoint=path, quiet=True)
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(TrainingError, match="is no checkpoint") as caught:
            train.fit(linear(), digits, None, QUICK, checkpoint=path, quiet=True)
        assert "\n" not in str(caught.value)
        assert len(path.read_bytes()) == length


def test_files_of_a_training_lie_in_its_folder(digits):
    """B/16 is no folder B; two folders of one name are two sets of images."""

    def vit(variant="B/16", num_classes=10):
        return variant

    name = functools.partial(networks.file_name, "14_vit", partial(vit, variant="B/16"))
    assert name(digits) == "14_vit-vit-B-16-digits"
    first = replace(digits, name="/home/ada/photos")
    second = replace(digits.take(100), name="/home/bob/photos")
    assert name(first).startswith("14_vit-vit-B-16-photos-")
    assert name(first) != name(second)


def test_a_run_gives_its_state_and_takes_it(digits):
    recipe = replace(QUICK, epochs=2, ema_decay=0.9)
    cpu = torch.device("cpu")
    one, two = (train.Run(linear(), digits, recipe, cpu) for _ in range(2))
    train.train_epoch(one, progress.Silent(), None)
    one.end_epoch(train.Score(1.0, 0.5))
    two.load_state_dict(one.state_dict())
    assert (two.step, two.history) == (one.step, one.history)
    for a, b in zip(one.averaged.parameters(), two.averaged.parameters(), strict=True):
        assert torch.equal(a, b)
    assert one.identity.keys() >= {"network", "code", "images", *asdict(recipe)}


class Display:
    """Where a panel is shown: it counts what it is given."""

    def __init__(self):
        self.shown = []

    def update(self, content, raw):
        self.shown.append(content)


def test_the_panel_draws_its_curves_once_an_epoch(monkeypatch):
    drawn = []
    monkeypatch.setattr(progress, "draw", lambda *what: drawn.append(what) or b"<svg/>")
    history = [Epoch(1, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0)]
    panel = progress.Panel("a net", 3, history, "cpu")
    panel.display, panel.interval = Display(), -1.0
    for _ in range(5):
        panel.update(progress.Now(1.5, 1.0, 0.5, 100.0, 3.0))
    history.append(history[0]._replace(epoch=2))
    panel.update(progress.Now(2.0, 1.0, 0.5, 100.0, 3.0))
    assert len(panel.display.shown) == 6
    assert len(drawn) == 2


def test_the_panel_shows_its_title_as_text():
    panel = progress.Panel('<b>"x" & y</b>', 3, [], "cpu")
    content = panel.content()
    assert "<b>" not in content["text/html"]
    assert "&lt;b&gt;&quot;x&quot; &amp; y&lt;/b&gt;" in content["text/html"]
    assert '<b>"x" & y</b>' in content["text/plain"]


def test_cutout_puts_one_grey_square_into_each_image(digits):
    chosen = {"shuffle": True, "seed": 1, "epoch": 2}
    plain, _ = next(data.batches(digits, 64, **chosen))
    cut, _ = next(data.batches(digits, 64, cutout=3, **chosen))
    other = (cut != plain) & (cut != 0)
    assert not other.any()
    gone = (cut == 0).flatten(1).sum(1)  # of 64 pixels; a part may lie outside
    assert gone.min() >= 4
    assert gone.max() <= 9
    assert len({tuple(image.flatten().tolist()) for image in (cut == 0)}) > 20


def test_the_queue_s_folder_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path))
    assert checkpoints.folder() == tmp_path
    monkeypatch.delenv("COURSE_RUNS")
    assert checkpoints.folder() == ROOT / "data" / "runs"
