"""What is on a photo, among the 1,000 classes of ImageNet? `course classify`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from course_lib import published
from course_lib.data.decode import decode_file
from course_lib.errors import CourseError
from course_lib.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Likely(NamedTuple):
    """A class that a photo may be of."""

    name: str
    probability: float


class Answer(NamedTuple):
    """The likeliest classes of a photo, the likeliest first."""

    network: str
    pixels: np.ndarray  # (H, W, 3), bytes
    likely: list[Likely]


def classify(photo: Path, network: str, most: int = 5) -> Answer:
    """Ask a network of the course, with its published weights, what is on a photo.

    Raises CourseError: no such network, no photo, or the weights cannot be had.
    """
    if not photo.is_file():
        raise CourseError(f"{photo} is no file: name a photo, such as a .jpg")
    return look([decode_file(photo, None)], published.full_name(network), most)[0]


def look(photos: Sequence[np.ndarray], name: str, most: int = 5) -> list[Answer]:
    """Ask the network of that full name about photos (H, W, 3), bytes."""
    import torch
    from PIL import Image

    row, net = published.NETWORKS[name], published.network(name)
    classes, view = published.weights(row).meta["categories"], published.transform(row)
    answers = []
    for pixels in photos:
        with torch.inference_mode():
            scores = net(view(Image.fromarray(pixels))[None]).softmax(dim=1)[0]
        found = zip(*(part.tolist() for part in scores.topk(most)), strict=True)
        likely = [Likely(classes[number], share) for share, number in found]
        answers.append(Answer(name, pixels, likely))
    return answers


def draw(answer: Answer, path: Path) -> None:
    """Write a PNG: the photo, and a bar for each of its classes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 2.6), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw(answer, left, right)
    right.set_title(answer.network)
    with replacing(path) as part:
        figure.savefig(part, format="png")


def _draw(answer: Answer, left: Axes, right: Axes) -> None:
    left.imshow(answer.pixels)
    left.set_axis_off()
    classes, shares = zip(*answer.likely, strict=True)
    right.barh(range(len(classes)), [100 * share for share in shares])
    right.set_yticks(range(len(classes)), classes)
    right.set(xlabel="probability (%)", xlim=(0, 100))
    right.invert_yaxis()
    right.spines[["top", "right"]].set_visible(False)


def show(network: str) -> None:
    """Draw, in a notebook, what a network sees on scikit-learn's two photos.

    It downloads nothing. Where the weights are not, it prints how to get them.
    """
    from matplotlib import pyplot as plt
    from sklearn.datasets import load_sample_images

    name = published.full_name(network)
    row = published.NETWORKS[name]
    if not row.package and not published.place(row).exists():
        print(
            f"The weights of {name} are not here. Fetch these "
            f"{published.weights(row).meta['_file_size']:,.0f} MB once, with "
            f"`course classify PHOTO --network {network}`, and run this cell again."
        )
        return
    _, axes = plt.subplots(2, 2, figsize=(6.4, 3.6), layout="constrained")
    for answer, (left, right) in zip(
        look(load_sample_images().images, name), axes, strict=True
    ):
        _draw(answer, left, right)
    plt.show()
