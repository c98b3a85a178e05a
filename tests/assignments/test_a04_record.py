"""Assignment 4 asks for a training record: forged, swapped and untrained ones lose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from course_lib import data, notebook, results
from course_lib.train import History, Recipe
from tests import execute
from tests.assignments import cases

NAME = "a04_alexnet"
# slow: the solution trains, once
pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("one_thread"),
]
SOLVED = cases.sources(NAME)
HAND_IN = {"hand_in_visible", "hand_in_hidden"}


@pytest.fixture
def name() -> str:
    return NAME


def test_hand_in_is_trained_from_nothing(tmp_path):
    run = execute.score(NAME, tmp_path, skip=["race_visible"])
    assert run.errors == {}
    assert (tmp_path / "record.safetensors").exists()


def forge(folder: Path, **facts) -> None:
    path = folder / "record.json"
    row = json.loads(path.read_text("utf-8"))
    for key, value in facts.items():
        row[key] = row[key] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(row), "utf-8")


@pytest.mark.parametrize(
    ("facts", "cost", "words"),
    [
        ({"test_top1": 0.9999}, {"hand_in_hidden"}, "claims 100.0%"),
        ({"test_top1": 0.9}, HAND_IN, "90.0% of the test images, not 93 %"),
        ({"network": "alexnet"}, {"hand_in_visible"}, "04_alexnet.alexnet was trained"),
        ({"images": {"test": "0"}}, {"hand_in_hidden"}, "of other images than TEST"),
    ],
    ids=["claim too high", "claim too low", "another network", "other test images"],
)
def test_forged_record(folder, lost, facts, cost, words):
    forge(folder, **facts)
    found, errors = lost({}, HAND_IN)
    assert found == cost
    assert any(words in errors[cell] for cell in cost)


def test_training_on_the_test_images(folder, lost):
    test = data.load("digits", "test", size=32, channels=3)
    forge(folder, images={"train": test.digest})
    found, errors = lost({}, HAND_IN)
    assert found == {"hand_in_hidden"}
    assert "TRAIN" in errors["hand_in_hidden"]


def test_weights_of_another_training(folder, lost):
    network = notebook.load("04_alexnet").alexnet_small()
    results.save_weights(folder / "record.safetensors", network)
    found, errors = lost({}, HAND_IN)
    assert found == {"hand_in_hidden"}
    assert "is not the file that" in errors["hand_in_hidden"]


def test_weights_not_handed_in(folder, lost):
    (folder / "record.safetensors").unlink()
    found, errors = lost({}, HAND_IN)
    assert found == {"hand_in_hidden"}
    assert "record.safetensors is missing" in errors["hand_in_hidden"]


def test_more_epochs_than_allowed(folder, lost):
    history = json.loads((folder / "record.json").read_text("utf-8"))["history"]
    forge(folder, history=history + history[-1:])
    found, errors = lost({}, HAND_IN)
    assert found == {"hand_in_visible"}
    assert "at most five are allowed" in errors["hand_in_visible"]


def test_recipe_of_the_notebook_needs_more_than_five_epochs(tmp_path):
    changed = execute.edited(
        SOLVED["hand_in"],
        'Recipe(5, 16, 1e-3, optimizer="adamw", warmup_epochs=0.5)',
        'Recipe(**alexnet.RECIPES["digits"] | {"epochs": 5})',
    )
    run = execute.score(NAME, tmp_path, {"hand_in": changed}, skip=["race_visible"])
    assert run.lost == HAND_IN
    assert "of the test images, not 93 %" in run.errors["hand_in_visible"]


def test_untrained_network_honestly_recorded(folder, lost):
    torch.manual_seed(0)
    network = notebook.load("04_alexnet").alexnet_small()
    train, test = (
        data.load("digits", part, size=32, channels=3) for part in ("train", "test")
    )
    history = History(results.read(folder / "record.json").history[:1])
    facts = {"unit": "04_alexnet", "network": "alexnet_small"}
    results.save(folder / "record", network, history, Recipe(1), train, test, **facts)
    found, errors = lost({}, HAND_IN)
    assert found == HAND_IN
    assert "of the test images, not 93 %" in errors["hand_in_visible"]


CHOSEN = """
trained = []
for rate in (5e-4, 2e-3):
    torch.manual_seed(0)
    network = alexnet.alexnet_small()
    recipe = Recipe(5, 32, rate, optimizer="adamw", warmup_epochs=0.5)
    history = fit(network, TRAIN, VAL, recipe, title="")
    trained.append((history[-1].val_top1, rate, network, history, recipe))
_, _, network, history, recipe = max(trained)
"""
SMALLER = """
network = alexnet.alexnet_small()
recipe = Recipe(5, 8, 1e-3, optimizer="adamw", warmup_epochs=0.5, seed=1)
history = fit(network, TRAIN, VAL, recipe, title="")
"""
LARGER = """
torch.manual_seed(2)
network = alexnet.alexnet_small(num_classes=len(TRAIN.classes))
recipe = Recipe(epochs=5, batch_size=32, learning_rate=2e-3, optimizer="adamw")
history = fit(network, TRAIN, VAL, replace(recipe, warmup_epochs=0.5), title="")
"""


@pytest.mark.parametrize("recipe", [CHOSEN, SMALLER, LARGER], ids=["chosen", "8", "32"])
def test_other_recipes_keep_every_point(recipe, tmp_path):
    saved = (
        "results.save(path, network, history, recipe, TRAIN, TEST, "
        "unit='04_alexnet', network='alexnet_small')"
    )
    body = f"from dataclasses import replace\n{recipe.strip()}\n{saved}"
    changed = execute.rewritten(SOLVED["hand_in"], body)
    run = execute.score(NAME, tmp_path, {"hand_in": changed}, skip=["race_visible"])
    assert run.lost == set(), run.errors
