"""What ten crops buy, and what five guesses forgive: a real network on real photos.

    python experiments/crops.py

EfficientNet-Lite0 with published weights (unit 12) names each test image of Imagenette,
ten of ImageNet's thousand classes, among all thousand. The images have 160 pixels and
are enlarged to 256; a crop has 224. One crop is the centre; ten are the corners, the
centre and their mirrors, of which the probabilities are averaged (AlexNet, section 4.1)
or the logits. A row of data/results/01_imagenet-crops.csv is an image, with the five
likeliest classes of each way, the first the likeliest.
"""

from __future__ import annotations

from typing import NamedTuple

import table
import torch
from torchvision.transforms import v2

from course_lib import data, published, results

TABLE = results.RESULTS / "01_imagenet-crops.csv"
TEN = {"tench": 0, "English springer": 217, "cassette player": 482, "chain saw": 491,
       "church": 497, "French horn": 566, "garbage truck": 569, "gas pump": 571,
       "golf ball": 574, "parachute": 701}  # fmt: skip


class Run(NamedTuple):
    """An image, by its place in the test split."""

    image: int


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
    images = data.load("imagenette", "test", size=160)
    net = published.network("12_efficientnet.lite0")

    def classify(run: Run) -> Row:
        label = TEN[images.classes[images.labels[run.image]]]
        return Row(label, *five(net, images.images[run.image]))

    table.fill(TABLE, map(Run, range(len(images))), classify)


if __name__ == "__main__":
    main()
