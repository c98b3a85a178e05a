"""Where a training step's time goes: parts that add up, operations by their kind."""

import pytest
import torch
from torch import nn

from course_lib import data
from course_lib.profiling import in_words, multiplies, profile
from course_lib.recipe_fields import TrainingError
from course_lib.train import Recipe

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def images():
    return data.load("digits", "train", channels=3)


def test_parts_are_all_of_a_step_and_operations_all_of_the_computing(images):
    layers = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8, 10))
    before = torch.random.get_rng_state()
    found = profile(net, images, Recipe(batch_size=64), steps=4)
    assert list(found.phases) == ["data", "forward", "backward", "optimiser"]
    assert all(time > 0 for time in found.phases.values())
    assert found.images_per_second == pytest.approx(
        64 * 1000 / sum(found.phases.values())
    )
    assert sum(found.operations.values()) == pytest.approx(1)
    shares = list(found.operations.values())
    assert shares == sorted(shares, reverse=True)
    assert any("conv" in name for name in found.operations)
    assert any("batch_norm" in name for name in found.operations)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_network_of_products_computes_and_one_of_sums_moves_memory(images):
    wide = nn.Sequential(nn.Flatten(), *[nn.Linear(192, 192) for _ in range(4)])
    tall = nn.Sequential(*[nn.Sigmoid() for _ in range(60)], nn.Flatten())
    small = nn.Sequential(tall, nn.Linear(192, 10))
    recipe = Recipe(batch_size=512)
    products, sums = (profile(net, images, recipe, steps=3) for net in (wide, small))
    assert products.memory_bound < sums.memory_bound


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("mkldnn_convolution", True),
        ("convolution_backward", True),
        ("addmm", True),
        ("bmm", True),
        ("native_batch_norm", False),
        ("add", False),
        ("copy", False),
        ("max_pool2d_with_indices", False),
    ],
)
def test_what_multiplies_is_told_from_what_moves(operation, expected):
    assert multiplies(operation) is expected


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ("mkldnn_convolution", "convolution"),
        ("native_batch_norm_backward", "batch normalisation, backward"),
        ("threshold_backward", "ReLU, backward"),
        ("log_softmax", "log softmax"),
    ],
)
def test_an_operation_is_called_as_a_student_calls_it(operation, words):
    assert in_words(operation) == words


def test_the_command_prints_it_and_trains_no_record(run_course, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path))
    done = run_course("train", "04_alexnet", "--profile", "--set", "batch_size=16")
    assert done.returncode == 0, done.stderr
    for word in ("forward", "backward", "optimiser", "images/s", "Most time goes to"):
        assert word in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_trained_is_said(images):
    with pytest.raises(TrainingError, match="no parameter that learns"):
        profile(nn.Flatten(), images, Recipe())
