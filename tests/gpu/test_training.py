"""Training where there is a GPU: the same code, faster, and as trustworthy."""

import importlib
from dataclasses import replace

import pytest
import torch
from torch import nn

from course_lib import data, networks, notebook, results, train
from course_lib.files import ROOT
from course_lib.train import Recipe

pytestmark = pytest.mark.gpu
RECIPE = Recipe(epochs=10, batch_size=32, learning_rate=0.03, crop_padding=2)


@pytest.fixture(scope="module")
def digits() -> dict[str, data.Images]:
    return {s: data.load("digits", s, size=32, channels=3) for s in data.SPLITS}


def network() -> nn.Module:
    torch.manual_seed(0)
    return notebook.load("04_alexnet").alexnet_small()


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_network_learns_in_every_precision(digits, precision):
    recipe = replace(RECIPE, precision=precision, channels_last=True)
    model = network()
    train.fit(model, digits["train"], digits["val"], recipe, device="cuda", quiet=True)
    assert next(model.parameters()).is_cuda
    assert train.evaluate(model, digits["test"]).top1 > 0.9


@pytest.mark.parametrize("unit", notebook.units())
def test_a_unit_s_own_recipe_works_there(digits, unit):
    module = notebook.load(unit)
    if not hasattr(module, "RECIPES"):
        pytest.skip("the unit trains no network")
    torch.manual_seed(0)
    model = getattr(module, networks.small_network(module))()
    recipe = networks.recipe_for(module, "digits", {"precision": "bfloat16"})
    train.fit(model, digits["train"], digits["val"], recipe, device="cuda", quiet=True)
    assert train.evaluate(model, digits["test"]).top1 > 0.85


def test_a_record_made_on_a_gpu_verifies_on_the_cpu(digits, tmp_path):
    model = network()
    history = train.fit(model, digits["train"], None, RECIPE, device="cuda", quiet=True)
    images = digits["train"], digits["test"]
    names = {"unit": "04_alexnet", "network": "alexnet_small"}
    record = results.save(
        tmp_path / "gpu.json", model, history, RECIPE, *images, **names
    )
    assert record.device == torch.cuda.get_device_name()
    assert results.verify(tmp_path / "gpu.json").ok


def test_a_checkpoint_of_the_gpu_goes_on_there(digits, tmp_path):
    path, whole = tmp_path / "networks.pt", replace(RECIPE, epochs=2)
    device = {"device": "cuda", "quiet": True, "checkpoint": path}
    once = train.fit(network(), digits["train"], None, whole, **device)
    again = train.fit(network(), digits["train"], None, whole, **device)
    assert again == once


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_speed_recipe_learns_there(digits, precision, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    speedrun = importlib.import_module("speedrun")
    how = {"rate": 15.0, "left_out": ("flips",), "precision": precision}
    recipe = speedrun.Recipe(epochs=4, batch_size=50, width=8, **how)
    training = speedrun.Training(recipe, digits["train"].to("cuda"))
    losses = [training.epoch() for _ in range(recipe.epochs)]
    assert losses[-1] < losses[0]
    test = digits["test"].to("cuda")
    logits = speedrun.predict(training.net, test, recipe)
    assert logits.is_cuda
    assert speedrun.top1(logits, test.labels, speedrun.WEIGHTS["top1"]) > 0.8
