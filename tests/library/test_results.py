"""Training records say what happened, and are found out when they do not."""

import json
import math

import pytest
import torch
from torch import nn

from course_lib import data, results, train
from course_lib.commands import training
from course_lib.results import ResultsError
from course_lib.train import Recipe


def network(num_classes: int = 10) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 9, num_classes),
    )


@pytest.fixture(scope="module")
def images():
    return {s: data.load("digits", s, size=8, channels=1) for s in ("train", "test")}


@pytest.fixture(scope="module")
def kept(images, tmp_path_factory):
    """A trained network with its record."""
    torch.manual_seed(0)
    model = network()
    recipe = Recipe(epochs=3, batch_size=64, learning_rate=0.1)
    history = train.fit(model, images["train"], None, recipe, quiet=True)
    path = tmp_path_factory.mktemp("records") / "digits.json"
    record = results.save(
        path,
        model,
        history,
        recipe,
        images["train"],
        images["test"],
        unit="00_test",
        network="network",
    )
    return path, record, model


@pytest.fixture
def copy(kept, tmp_path):
    for name in ("digits.json", "digits.safetensors"):
        (tmp_path / name).write_bytes((kept[0].parent / name).read_bytes())
    return tmp_path / "digits.json"


def test_a_record_reads_back_as_it_was_saved(kept):
    read = results.read(kept[0])
    assert read.recipe == kept[1].recipe
    assert all(map(math.isnan, read.history.column("val_top1")))  # it had no val images
    assert "NaN" not in kept[0].read_text()  # which is no JSON
    assert read.history.column("train_loss") == kept[1].history.column("train_loss")
    assert (read.weights, read.score, read.images) == (
        kept[1].weights,
        kept[1].score,
        kept[1].images,
    )


def test_verify_measures_what_the_record_says(kept):
    found = results.verify(kept[0], network())
    assert found.ok
    assert found.measured == pytest.approx(found.claimed, abs=1e-5)
    assert found.claimed.top1 > 0.8


def test_stored_weights_are_the_model_s_within_half_precision(kept):
    stored = results.load_weights(kept[0].with_suffix(".safetensors"), network())
    for a, b in zip(stored.parameters(), kept[2].parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)
    assert torch.equal(stored[1].running_var, kept[2][1].running_var)


def test_a_claim_that_the_weights_do_not_keep_is_not_ok(copy):
    row = json.loads(copy.read_text())
    row["test_top1"] += 0.01
    copy.write_text(json.dumps(row))
    assert not results.verify(copy, network()).ok


def test_other_weights_are_refused(copy):
    weights = copy.with_suffix(".safetensors")
    spoiled = bytearray(weights.read_bytes())
    spoiled[-1] ^= 1
    weights.write_bytes(spoiled)
    with pytest.raises(ResultsError, match="is not the file that digits"):
        results.verify(copy, network())
    weights.unlink()
    with pytest.raises(ResultsError, match=r"digits\.safetensors is missing"):
        results.verify(copy, network())


def test_another_network_and_other_images_are_said(copy, images):
    with pytest.raises(ResultsError, match="does not fit this network"):
        results.verify(copy, network(num_classes=7))
    fewer = images["test"].take(50)
    assert not results.verify(copy, network(), fewer).same_images


def test_a_damaged_record_is_named(copy):
    copy.write_text("{")
    with pytest.raises(ResultsError, match=r"digits\.json is no training record"):
        results.read(copy)
    with pytest.raises(ResultsError, match="does not exist; records here: digits"):
        results.read(copy.with_name("other.json"))


RECORDS = [
    path
    for path in sorted(results.RESULTS.glob("*.json"))
    if results.read(path).weights  # a short run of a grid is kept without them
]


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.by_turns(3)
@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_every_record_of_the_course_holds(path):
    found = results.verify(path)
    assert found.same_images, "other images than those of the record"
    assert found.ok, found


def test_verify_asks_each_record_that_should_have_weights(copy, monkeypatch):
    bare = json.loads(copy.read_text()) | {"weights": ""}
    copy.with_name("bare.json").write_text(json.dumps(bare))
    copy.with_name("damaged.json").write_text("{")
    monkeypatch.setattr(results, "RESULTS", copy.parent)
    asked = []
    verdict = {"confirmed": True, "verdict": ""}
    monkeypatch.setattr(training, "measure", lambda p: asked.append(p.stem) or verdict)
    training.results_verify()
    assert asked == ["damaged", "digits"]
    training.results_verify([copy.with_name("bare.json")])
    assert asked[2:] == ["bare"]


def test_weights_may_be_read_by_whoever_may_read_the_record(kept):
    files = kept[0], kept[0].with_suffix(".safetensors")
    assert len({file.stat().st_mode for file in files}) == 1


def test_a_record_of_the_course_is_known_by_its_name(run_course):
    name = RECORDS[0].stem
    done = run_course("results", "list", name)
    assert done.returncode == 0, done
    assert done.stdout.startswith(name)
