"""Quality and speed of SIFT: ours against OpenCV, VLFeat and scikit-image.

    python benchmarks/sift.py

Pairs of views with a known homography: warps of scikit-learn's sample photos, and
Oxford's graf and boat where COURSE_DATA has them. Of the keypoints that both views can
see, repeatability is the share with a keypoint of the other view within 1.5 pixels and
a factor of 1.5 in scale; the matching score asks that their descriptors are also
nearest neighbours, mutually; the error is the median distance of those, in pixels.
Then the cosine between our descriptors and OpenCV's of the same keypoints, and the time
for eight photos of 640x480, as each is called: ours with the list, the others image by
image, all with the threads they take by themselves; the best of three, in turn.
VLFeat's row needs the package vlsift, which has no wheel for every machine.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from skimage.feature import SIFT as SkimageSift
from sklearn.datasets import load_sample_images

from course_lib.classical import Sift
from course_lib.classical.describe import descriptors
from course_lib.classical.keypoints import Points
from course_lib.classical.scale_space import INTERVALS, SIGMA, octaves

try:
    from vlsift.sift.sift import sift as vl_sift
except ImportError:
    vl_sift = None

NEAR = 1.5  # pixels, and the factor in scale


class Pair(NamedTuple):
    name: str
    first: np.ndarray  # (H, W) uint8
    second: np.ndarray
    homography: np.ndarray  # (3, 3), from x, y of the first to x, y of the second


class Score(NamedTuple):
    keypoints: int
    repeatability: float
    matching: float
    error: float  # pixels


def ours(image):
    (found,) = Sift().transform([image])
    return found.keypoints[:, :3], found.descriptors


def opencv(image):
    found, descriptors = cv2.SIFT_create().detectAndCompute(image, None)
    rows = [(*point.pt, point.size / 2) for point in found]
    return np.array(rows, np.float32).reshape(-1, 3), descriptors


def opencv_shifted(image):
    """OpenCV moves every keypoint by a quarter of a pixel: undone."""
    keypoints, descriptors = opencv(image)
    return keypoints - np.float32([0.25, 0.25, 0]), descriptors


def skimage(image):
    sift = SkimageSift()
    sift.detect_and_extract(image)
    rows = np.column_stack([sift.positions[:, ::-1], sift.sigmas])
    return rows.astype(np.float32), sift.descriptors.astype(np.float32)


def vlfeat(image):
    options = {"first_octave": -1, "peak_thresh": 0.04 / 3, "edge_thresh": 10}
    frames, descriptors = vl_sift(
        image.astype(np.float32) / 255, compute_descriptor=True, **options
    )
    return frames[:, [1, 0, 2]].astype(np.float32), descriptors.astype(np.float32)


METHODS = {"ours": ours, "OpenCV": opencv, "OpenCV - 1/4 px": opencv_shifted}
METHODS |= {"VLFeat": vlfeat} if vl_sift else {}
METHODS |= {"scikit-image": skimage}


def rotation(degrees: float, scale: float, tilt: float, shape) -> np.ndarray:
    """Return a homography about the centre: turned, scaled, seen at an angle."""
    height, width = shape
    to_centre = np.eye(3)
    to_centre[:2, 2] = -(width - 1) / 2, -(height - 1) / 2
    angle = np.deg2rad(degrees)
    turn = np.eye(3)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turn[:2, :2] *= scale
    turn[2, 0] = tilt / width
    return np.linalg.inv(to_centre) @ turn @ to_centre


WARPS = [(10, 1.0, 0.0), (45, 0.9, 0.1), (0, 0.6, 0.0), (25, 0.75, 0.25)]


def pairs() -> list[Pair]:
    found = []
    for name, photo in zip(
        ("china", "flower"), load_sample_images().images, strict=True
    ):
        first = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
        for degrees, scale, tilt in WARPS:
            matrix = rotation(degrees, scale, tilt, first.shape)
            size = first.shape[::-1]
            # twice the samples, then the mean of 2x2: no aliasing where it shrinks
            double = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1.0]]) @ matrix
            large = tuple(2 * side for side in size)
            second = cv2.warpPerspective(first, double, large, flags=cv2.INTER_CUBIC)
            second = cv2.resize(second, size, interpolation=cv2.INTER_AREA)
            found.append(
                Pair(f"{name} {degrees}° x{scale} {tilt}", first, second, matrix)
            )
    return found


def oxford() -> list[Pair]:
    folder = Path(os.environ.get("COURSE_DATA", "data")) / "oxford-affine"
    found = []
    for scene in ("graf", "boat"):
        images = sorted((folder / scene).glob("img*"))
        for number, path in enumerate(images[1:4], start=2):
            first, second = (cv2.imread(str(p), 0) for p in (images[0], path))
            matrix = np.loadtxt(folder / scene / f"H1to{number}p")
            found.append(Pair(f"{scene} 1-{number}", first, second, matrix))
    return found


def project(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Map keypoints (n, 3), x, y and scale, through a homography."""
    x, y, scale = points.T
    u, v, w = matrix @ np.stack([x, y, np.ones_like(x)])
    area = np.abs(np.linalg.det(matrix) / w**3)  # of a small square
    return np.stack([u / w, v / w, scale * np.sqrt(area)], axis=1)


def visible(points: np.ndarray, shape) -> np.ndarray:
    height, width = shape
    x, y = points[:, 0], points[:, 1]
    return (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)


def compare(pair: Pair, method) -> Score:
    (first, d1), (second, d2) = method(pair.first), method(pair.second)
    there = project(first, pair.homography)
    back = project(second, np.linalg.inv(pair.homography))
    seen = visible(there, pair.second.shape)
    first, d1, there = first[seen], d1[seen], there[seen]
    seen = visible(back, pair.first.shape)
    second, d2 = second[seen], d2[seen]
    distance = np.hypot(*(there[:, None, :2] - second[None, :, :2]).transpose(2, 0, 1))
    factor = np.abs(np.log(there[:, None, 2] / second[None, :, 2]))
    same = (distance <= NEAR) & (factor <= np.log(1.5))
    apart = torch.cdist(torch.tensor(d1), torch.tensor(d2)).numpy()
    nearest, back_again = apart.argmin(1), apart.argmin(0)
    mutual = back_again[nearest] == np.arange(len(nearest))
    right = mutual & same[np.arange(len(nearest)), nearest]
    fewer = min(len(first), len(second))
    error = np.median(distance[np.arange(len(nearest)), nearest][right])
    return Score(len(first), same.any(1).sum() / fewer, right.sum() / fewer, error)


def quality(found: list[Pair], title: str, console: Console) -> None:
    table = Table(
        "", "keypoints", "repeatability", "matching score", "error (px)", title=title
    )
    for name, method in METHODS.items():
        scores = [compare(pair, method) for pair in found]
        count, repeatability, matching, error = np.mean(scores, axis=0)
        row = f"{count:.0f}", f"{repeatability:.3f}", f"{matching:.3f}", f"{error:.3f}"
        table.add_row(name, *row)
    console.print(table)


def agreement(console: Console) -> None:
    """Print how like our descriptors are to OpenCV's, for OpenCV's keypoints."""
    cosines = []
    for image in photos()[::4]:
        found, theirs = cv2.SIFT_create().detectAndCompute(image, None)
        rows = [(*point.pt, point.size / 2, np.deg2rad(point.angle)) for point in found]
        keypoints = np.float32(rows) - np.float32([0.25, 0.25, 0, 0])
        ours = at_keypoints(image, torch.tensor(keypoints))
        theirs = torch.nn.functional.normalize(torch.tensor(theirs), dim=1)
        cosines.append((ours * theirs).sum(1))
    cosine = torch.cat(cosines)
    console.print(
        f"cosine with OpenCV's descriptors of the same {len(cosine):,} keypoints: "
        f"median {cosine.median():.4f}, worst twentieth {cosine.quantile(0.05):.4f}"
    )


def at_keypoints(image: np.ndarray, keypoints: torch.Tensor) -> torch.Tensor:
    """Return our descriptors (n, 128) of given keypoints (n, 4)."""
    result = torch.zeros(len(keypoints), 128)
    pixels = torch.tensor(image)[None].float() / 255
    for octave in octaves(pixels):
        x, y, sigma, angle = keypoints.T
        sigma = sigma / octave.spacing
        level = (INTERVALS * torch.log2(sigma / SIGMA)).round().long()
        own = (level >= 1) & (level <= INTERVALS)
        place = Points(
            0 * level, level, x / octave.spacing, y / octave.spacing, sigma, x
        )
        result[own] = descriptors(octave.gaussians, place.where(own), angle[own])
    return result


def photos() -> list[np.ndarray]:
    """Return eight grey photos of 640x480: two, as they are, mirrored and turned."""
    found = []
    for photo in load_sample_images().images:
        grey = cv2.resize(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (640, 480))
        found += [grey, grey[:, ::-1], grey[::-1], grey[::-1, ::-1]]
    return [np.ascontiguousarray(image) for image in found]


def speed(console: Console) -> None:
    images, best = photos(), {}
    methods = {name: method for name, method in METHODS.items() if "px" not in name}
    for _ in range(3):
        for name, method in methods.items():
            begin, cpu = time.perf_counter(), time.process_time()
            if method is ours:
                Sift().transform(images)
            else:
                for image in images:
                    method(image)
            took = time.perf_counter() - begin, time.process_time() - cpu
            best[name] = min(best.get(name, took), took)
    title = f"an image of 640x480, {os.cpu_count()} cores"
    table = Table("", "ms", "CPU ms", "time / ours", title=title)
    for name, (wall, cpu) in best.items():
        each = f"{1000 * wall / len(images):.0f}", f"{1000 * cpu / len(images):.0f}"
        table.add_row(name, *each, f"{wall / best['ours'][0]:.2f}")
    console.print(table)


if __name__ == "__main__":
    out = Console()
    quality(pairs(), "eight warps of two photos", out)
    if real := oxford():
        quality(real, "Oxford: graf and boat, 1-2 to 1-4", out)
    agreement(out)
    speed(out)
