"""What is on a photo, among the 1,000 classes of ImageNet? `course classify`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from course_lib import published
from course_lib.data.decode import decode_file
from course_lib.errors import CourseError
from course_lib.files import replacing


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
    import torch
    from PIL import Image

    name = published.full_name(network)
    row = published.NETWORKS[name]
    if not photo.is_file():
        raise CourseError(f"{photo} is no file: name a photo, such as a .jpg")
    pixels = decode_file(photo, None)
    image = published.transform(row)(Image.fromarray(pixels))
    with torch.inference_mode():
        scores = published.network(name)(image[None]).softmax(dim=1)[0].topk(most)
    classes = published.weights(row).meta["categories"]
    found = zip(scores.indices.tolist(), scores.values.tolist(), strict=True)
    return Answer(name, pixels, [Likely(classes[n], p) for n, p in found])


def draw(answer: Answer, path: Path) -> None:
    """Write a PNG: the photo, and a bar for each of its classes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 2.6), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.imshow(answer.pixels)
    left.set_axis_off()
    classes, shares = zip(*answer.likely, strict=True)
    right.barh(range(len(classes)), [100 * share for share in shares])
    right.set_yticks(range(len(classes)), classes)
    right.set(xlabel="probability (%)", xlim=(0, 100), title=answer.network)
    right.invert_yaxis()
    right.spines[["top", "right"]].set_visible(False)
    with replacing(path) as part:
        figure.savefig(part, format="png")
