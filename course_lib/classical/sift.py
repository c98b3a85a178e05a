"""SIFT as a scikit-learn transformer: Lowe, *Distinctive Image Features from
Scale-Invariant Keypoints*, IJCV 2004."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.classical.batches import batched, side_by_side
from course_lib.classical.describe import descriptors, orientations
from course_lib.classical.inputs import checked, grey
from course_lib.classical.keypoints import detect
from course_lib.classical.scale_space import INTERVALS, Octave, octaves
from course_lib.classical.transformer import Features, ImageTransformer
from course_lib.terminal import best_device


class Sift(ImageTransformer):
    """Turn images into keypoints and descriptors that survive rotation and scale.

    contrast: least contrast of a keypoint, times the intervals of an octave, for images
        in [0, 1].  edge: largest ratio of its principal curvatures; section 4.1.
    max_keypoints: keep so many of the strongest, or None for all.
    batch_size: images of one size that are worked on at once: by default 32 on a GPU,
        and one or two on a CPU, where each thread takes its own.
    device: default is CUDA where there is one, else the CPU.

    Keypoints are (n, 4): x and y in pixels, (0, 0) the centre of the first pixel, x to
    the right and y down; scale, the blur in pixels at which it was found; orientation
    in radians from the x axis towards the y axis, in [0, 2π).
    """

    def __init__(
        self, contrast=0.04, edge=10.0, max_keypoints=None, batch_size=None, device=None
    ):
        self.contrast = contrast
        self.edge = edge
        self.max_keypoints = max_keypoints
        self.batch_size = batch_size
        self.device = device

    def transform(self, images) -> list[Features]:
        """Return (keypoints, descriptors) of each image.

        images: a list of (H, W), (H, W, 3) or (3, H, W); uint8, or float in [0, 1].
        Raises ImageError that names an image which is none of these.
        """
        images, device = checked(images), best_device(self.device)
        batches = batched(images, self.batch_size or usual(len(images), device))

        def work(numbers: list[int]) -> list[Features]:
            planes = torch.stack([images[number] for number in numbers])
            return self.extract(grey(planes.to(device)))

        found: list[Features | None] = [None] * len(images)
        done = side_by_side(work, batches, device)
        for numbers, features in zip(batches, done, strict=True):
            for number, one in zip(numbers, features, strict=True):
                found[number] = one
        return found

    @torch.no_grad()
    def extract(self, images: Tensor) -> list[Features]:
        """Return the features of a batch (N, H, W), grey, float in [0, 1]."""
        found = list(map(self.features, octaves(images)))
        if not found:
            return [Features.none() for _ in images]
        parts = [torch.cat(part) for part in zip(*found, strict=True)]
        return [self.strongest(number, *parts) for number in range(len(images))]

    def features(self, octave: Octave) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return of each keypoint: its image, response, keypoint (4,), descriptor."""
        points = detect(octave, self.contrast / INTERVALS, self.edge)
        which, angle = orientations(octave.gaussians, points)
        points = points.where(which)
        place = torch.stack([points.x, points.y, points.sigma], 1) * octave.spacing
        keypoints = torch.cat([place, angle[:, None]], dim=1)
        described = descriptors(octave.gaussians, points, angle)
        return octave.first + points.image, points.response.abs(), keypoints, described

    def strongest(self, number, image, response, keypoints, described) -> Features:
        own = (image == number).nonzero().flatten()
        order = response[own].argsort(descending=True, stable=True)
        own = own[order[: self.max_keypoints]]
        return Features(keypoints[own].cpu().numpy(), described[own].cpu().numpy())


def usual(images: int, device: torch.device) -> int:
    """Return how many of so many images are best worked on at once.

    On a CPU two share what a step costs beside its pixels, and more need more memory
    than malloc keeps for the next.
    """
    return min(2, -(-images // torch.get_num_threads())) if device.type == "cpu" else 32
