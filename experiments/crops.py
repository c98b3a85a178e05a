"""What ten crops buy, and what five guesses forgive: a real network on real photos.

    python experiments/crops.py

EfficientNet-Lite0 with published weights (unit 12) names images of Imagenette, ten of
ImageNet's thousand classes, among all thousand: those of its val folder, and those of
its train folder that ImageNet has for validation (their names say so). Most of val are
training images of ImageNet, which the network has seen. The images have 160 pixels and
are enlarged to 256; a crop has 224. One crop is the centre; ten are the corners, the
centre and their mirrors, of which the probabilities are averaged (AlexNet, section 4.1)
or the logits. A row of data/results/01_imagenet-crops.csv is an image, with the five
likeliest classes of each way, the first the likeliest.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import table
import torch
from PIL import Image
from torchvision.transforms import v2

from course_lib import published, results
from course_lib.data import download

TABLE = results.RESULTS / "01_imagenet-crops.csv"
TEN = {"n01440764": 0, "n02102040": 217, "n02979186": 482, "n03000684": 491,
       "n03028079": 497, "n03394916": 566, "n03417042": 569, "n03425413": 571,
       "n03445777": 574, "n03888257": 701}  # fmt: skip


class Run(NamedTuple):
    """An image of Imagenette."""

    file: str  # split/class/name


class Row(NamedTuple):
    """Its class and the likeliest five, by number among ImageNet's thousand."""

    label: int
    one: str  # crop
    ten: str  # mean of ten crops' probabilities
    ten_logits: str  # mean of their logits


@torch.inference_mode()
def five(net: torch.nn.Module, image: torch.Tensor) -> list[str]:
    """Return the likeliest five classes of an image (3, H, W), in three ways."""
    large = v2.functional.resize(image, [256, 256], antialias=True).float() / 127.5 - 1
    logits = net(torch.stack(v2.functional.ten_crop(large, [224, 224])))  # (10, 1000)
    scores = logits[4], logits.softmax(dim=1).mean(dim=0), logits.mean(dim=0)
    return [" ".join(map(str, found.topk(5).indices.tolist())) for found in scores]


def main() -> None:
    folder = download.fetch("imagenette")
    net = published.network("12_efficientnet.lite0")

    def classify(run: Run) -> Row:
        path = Path(folder, run.file)
        image = v2.functional.pil_to_tensor(Image.open(path).convert("RGB"))
        return Row(TEN[path.parent.name], *five(net, image))

    files = sorted(folder.glob("val/*/*.JPEG"))
    files += sorted(folder.glob("train/*/ILSVRC2012_val_*.JPEG"))
    runs = (Run(path.relative_to(folder).as_posix()) for path in files)
    table.fill(TABLE, runs, classify)


if __name__ == "__main__":
    main()
