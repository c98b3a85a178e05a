"""SIFT against closed forms, slow specifications and exact symmetries."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from sklearn.base import clone
from sklearn.datasets import load_sample_images
from sklearn.pipeline import make_pipeline

from course_lib.classical import ImageError, Sift, keypoints, scale_space
from course_lib.classical.describe import orientations

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """Return a grey photo of 200x241 pixels, in [0, 1]."""
    image = load_sample_images().images[0][100:300, 200:441]
    return image @ np.array([0.299, 0.587, 0.114]) / 255


@pytest.mark.parametrize("sigma", [0.6, 1.25, 3.1])
@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (65, 33)])
def test_blur_is_a_gaussian(sigma, shape):
    images = torch.rand(2, *shape, dtype=torch.float64)
    radius = 2 * math.ceil(2 * sigma)
    options = {"mode": "nearest", "radius": radius, "axes": (1, 2)}
    expected = ndimage.gaussian_filter(images.numpy(), sigma, **options)
    found = scale_space.blur(images, (sigma, 0.0))
    torch.testing.assert_close(
        found[:, 0], torch.tensor(expected), rtol=1e-10, atol=1e-12
    )
    torch.testing.assert_close(found[:, 1], images, rtol=0, atol=0)


def doubled(images):
    """Return (N, 2H - 1, 2W - 1): a new pixel between any two, interpolated."""
    sides = [2 * side - 1 for side in images.shape[-2:]]
    options = {"mode": "bilinear", "align_corners": True}
    return F.interpolate(images[:, None], sides, **options)[:, 0]


@pytest.mark.parametrize("shape", [(1, 1), (2, 17), (16, 33), (50, 31)])
def test_doubling_and_blurring_are_two_steps_in_one(shape):
    images = torch.rand(2, *shape, dtype=torch.float64)
    found = scale_space.blur(images, (0.0, 1.2, 4.9), double=True)
    torch.testing.assert_close(found[:, 0], doubled(images))
    torch.testing.assert_close(found[:, 0, ::2, ::2], images)
    expected = scale_space.blur(doubled(images), (1.2, 4.9))
    torch.testing.assert_close(found[:, 1:], expected)


def test_levels_have_the_blur_they_are_said_to_have(photo):
    """Each level equals one Gaussian of the doubled image, away from the border."""
    image = torch.tensor(photo)[None]
    start, camera = doubled(image)[0].numpy(), 2 * scale_space.CAMERA
    for number, octave in zip(range(2), scale_space.octaves(image), strict=False):
        for level in range(6):
            sigma = 1.6 * 2 ** (number + level / 3)
            more = math.sqrt(sigma**2 - camera**2)
            once = ndimage.gaussian_filter(start, more, truncate=5)
            once = once[:: 2**number, :: 2**number]
            inner = slice(20, -20)
            found = octave.gaussians[0, level].numpy()
            assert np.abs(found - once)[inner, inner].max() < 2e-3


def every_extremum(differences, threshold) -> set[tuple[int, ...]]:
    found = set()
    for place in np.ndindex(*differences.shape):
        n, s, y, x = place
        cube = differences[n, s - 1 : s + 2, y - 1 : y + 2, x - 1 : x + 2]
        if min(s, y, x) < 1 or cube.shape != (3, 3, 3):
            continue
        value, others = differences[place], np.delete(cube.flatten(), 13)
        if value > max(threshold, others.max()) or value < min(
            -threshold, others.min()
        ):
            found.add(place)
    return found


@pytest.mark.parametrize("threshold", [0.0, 1.0])
@pytest.mark.parametrize("strip", [1, 4, 10, 256])
def test_extrema_are_those_of_a_loop_over_all_pixels(threshold, strip, monkeypatch):
    monkeypatch.setattr(keypoints, "STRIP", strip)
    gaussians = torch.randn(2, 6, 12, 17)
    found = keypoints.extrema(gaussians, threshold)
    expected = every_extremum(gaussians.diff(dim=1).numpy(), threshold)
    assert len(found) == len(expected)
    assert {tuple(row) for row in found.tolist()} == expected
    assert len(expected) > 10


def test_refinement_is_exact_for_a_parabola():
    """3 - (p - top)ᵀ A (p - top), whose top lies between pixels, two of them away."""
    top = torch.tensor([2.3, 7.6, 4.8], dtype=torch.float64)  # level, y, x
    root = torch.tensor([[1.0, 0.2, 0.1], [0.0, 0.9, -0.3], [0.0, 0.0, 1.1]]).double()
    axes = [torch.arange(size).double() for size in (5, 14, 11)]
    from_top = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1) - top
    differences = 3 - ((from_top @ root.T) ** 2).sum(-1)[None]
    gaussians = F.pad(differences.cumsum(dim=1), (0, 0, 0, 0, 1, 0))
    start = torch.tensor([[0, 1, 6, 6]])
    place, offset, value, curvature = keypoints.refine(gaussians, start)
    assert offset.abs().max() <= keypoints.REST
    torch.testing.assert_close(place[0, 1:] + offset[0].flip(0), top)
    assert value.item() == pytest.approx(3)
    hessian = -2 * root.T @ root
    expected = [hessian[2, 2], hessian[1, 1], hessian[1, 2]]
    torch.testing.assert_close(curvature[0], torch.stack(expected))


def blob(x: float, y: float, sigma: float, side: int = 96) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side]
    square = (columns - x) ** 2 + (rows - y) ** 2
    return 0.5 + 0.5 * np.exp(-square / (2 * sigma**2))


@pytest.mark.parametrize("sigma", [2.5, 4.0, 7.0])
def test_a_blob_is_found_where_it_is_and_as_large_as_it_is(sigma):
    x, y = 47.3, 41.8
    (found,) = Sift(contrast=0.02).transform([blob(x, y, sigma)])
    best = found.keypoints[np.hypot(*(found.keypoints[:, :2] - [x, y]).T).argmin()]
    assert best[:2] == pytest.approx([x, y], abs=0.03)
    # of a blob G(ks) - G(s), k³ = 2, is extreme where k s² = σ² - the camera's blur²
    blurred = sigma**2 - scale_space.CAMERA**2
    assert best[2] == pytest.approx(math.sqrt(blurred / 2 ** (1 / 3)), rel=0.05)


def test_an_edge_is_refused_and_a_square_is_not():
    edge, square = np.zeros((2, 64, 64))
    edge[:, 32:] = 1
    square[28:37, 26:35] = 1
    images = [ndimage.gaussian_filter(image, 1) for image in (edge, square)]
    found = Sift().transform(images)
    assert len(found[0].keypoints) == 0
    assert len(found[1].keypoints) > 0
    (everything,) = Sift(edge=1e6, contrast=0).transform(images[:1])
    assert np.isfinite(everything.descriptors).all()


@pytest.mark.parametrize("angle", [0.0, 0.4, 2.0, 4.4, 6.1])
def test_a_ramp_points_upwards_its_slope(angle):
    rows, columns = torch.meshgrid(*[torch.arange(64.0)] * 2, indexing="ij")
    ramp = (columns * math.cos(angle) + rows * math.sin(angle)) / 100
    one = torch.ones(1)
    zero = torch.zeros(1, dtype=torch.int64)
    points = keypoints.Points(zero, zero, 31.2 * one, 30.7 * one, 2 * one, one)
    which, found = orientations(ramp[None, None], points)
    assert which.tolist() == [0]
    assert math.cos(found.item() - angle) > math.cos(0.02)


def test_a_turned_photo_gives_the_same_descriptors_turned(photo):
    """A quarter turn maps pixels to pixels, so nothing may be lost but rounding."""
    image = photo[:193, :193]  # 2ⁿ k + 1 a side: halving keeps the symmetry
    straight, turned = Sift().transform([image, np.rot90(image)])
    assert len(straight.keypoints) == len(turned.keypoints) > 50
    x, y, scale, angle = straight.keypoints.T
    expected = np.stack([y, 192 - x, scale, (angle - np.pi / 2) % (2 * np.pi)], axis=1)
    distance = np.abs(expected[:, None, :3] - turned.keypoints[None, :, :3]).sum(2)
    apart = expected[:, None, 3] - turned.keypoints[None, :, 3]
    partner = (distance + 1 - np.cos(apart)).argmin(axis=1)
    assert len(set(partner)) == len(partner)
    assert np.abs(expected - turned.keypoints[partner])[:, :3].max() < 1e-2
    cosine = (straight.descriptors * turned.descriptors[partner]).sum(1)
    assert cosine.min() > 0.999


def slow_descriptor(level, x, y, sigma, angle) -> np.ndarray:
    """Section 6.1 by a loop over all pixels near: every pixel votes in 2x2x2 bins."""
    histogram = np.zeros((6, 6, 8))
    for row in range(1, level.shape[0] - 1):
        for column in range(1, level.shape[1] - 1):
            dx, dy = column - x, row - y
            u = (dx * math.cos(angle) + dy * math.sin(angle)) / (3 * sigma)
            v = (-dx * math.sin(angle) + dy * math.cos(angle)) / (3 * sigma)
            if max(abs(u), abs(v)) >= 2.5:
                continue
            gx = level[row, column + 1] - level[row, column - 1]
            gy = level[row + 1, column] - level[row - 1, column]
            weight = math.hypot(gx, gy) * math.exp(-(u * u + v * v) / 8)
            turn = (angle - math.atan2(gy, gx)) / (2 * math.pi) * 8 % 8
            j, i, k = math.floor(u + 2.5), math.floor(v + 2.5), math.floor(turn)
            for a, b, c in np.ndindex(2, 2, 2):
                share = 1 - abs(v + 2.5 - i - a)
                share *= 1 - abs(u + 2.5 - j - b)
                share *= 1 - abs(turn - k - c)
                histogram[i + a, j + b, (k + c) % 8] += weight * share
    entries = histogram[1:5, 1:5].flatten()
    entries = np.minimum(entries / np.linalg.norm(entries), 0.2)
    return entries / np.linalg.norm(entries)


@pytest.mark.slow
def test_descriptors_are_those_of_a_loop_over_pixels(photo):
    image = photo[:120, :120]
    octave = next(scale_space.octaves(torch.tensor(image, dtype=torch.float32)[None]))
    (found,) = Sift().transform([image])
    x, y, scale, _ = found.keypoints.T
    first = scale < 1.6 * 2 ** (3.4 / 3) / 2  # of the first octave
    first &= np.minimum.reduce([x, y, 119 - x, 119 - y]) > 11 * scale  # seen whole
    cosines = []
    for (x, y, scale, angle), entries in list(
        zip(found.keypoints[first], found.descriptors[first], strict=True)
    )[:12]:
        level = round(3 * math.log2(2 * scale / 1.6))
        blurred = octave.gaussians[0, level].numpy()
        expected = slow_descriptor(blurred, 2 * x, 2 * y, 2 * scale, angle)
        cosines.append(expected @ entries)
    assert len(cosines) == 12
    assert np.median(cosines) > 0.99
    assert min(cosines) > 0.95


def test_descriptors_have_length_1_and_keypoints_lie_in_the_image(photo):
    (found,) = Sift().transform([photo])
    assert np.linalg.norm(found.descriptors, axis=1) == pytest.approx(1, abs=1e-5)
    assert found.descriptors.min() >= 0
    x, y, scale, angle = found.keypoints.T
    height, width = photo.shape
    assert ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).all()
    assert ((angle >= 0) & (angle < 2 * np.pi) & (scale > 0.8)).all()
    assert found.descriptors.dtype == found.keypoints.dtype == np.float32


def test_a_batch_is_its_images_and_sizes_may_mix(photo):
    images = [photo, photo[:90], photo[::-1], photo[:, :100]]
    together = Sift(batch_size=3).transform(images)
    for image, found in zip(images, together, strict=True):
        (alone,) = Sift().transform([image])
        np.testing.assert_allclose(found.keypoints, alone.keypoints, atol=1e-3)
        np.testing.assert_allclose(found.descriptors, alone.descriptors, atol=1e-3)


def test_every_form_of_one_image_gives_the_same(photo):
    grey = (255 * photo).round().astype(np.uint8)
    forms = [grey, grey / 255, grey[..., None], torch.tensor(grey), grey[None] / 255]
    colour = np.repeat(grey[..., None], 3, axis=2)
    forms += [colour, colour.transpose(2, 0, 1), torch.tensor(colour).movedim(2, 0)]
    (expected,) = Sift().transform(forms[:1])
    for form in forms:
        (found,) = Sift().transform([form])
        np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=1e-2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (3, 50), (5, 5), (1, 1, 3)])
@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_nothing_to_see_gives_nothing(shape, value):
    (found,) = Sift().transform([np.full(shape, float(value))])
    assert found.keypoints.shape == (0, 4)
    assert found.descriptors.shape == (0, 128)


def test_no_images_give_an_empty_list():
    assert Sift().transform([]) == []


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([np.full((9, 9), np.nan)], "image 0 has values from nan"),
        ([np.zeros((9, 9)), np.full((9, 9), 255.0)], "image 1 has values from 255"),
        ([np.zeros((9, 9, 2))], "expected 1 or 3 channels"),
        ([np.zeros((9, 9, 3, 1))], "expected \\(H, W\\)"),
        ([np.zeros((0, 9))], "all at least 1"),
        ([np.zeros((9, 9), np.int64)], "expected uint8, or float"),
        ([np.array([["a"]])], "image 0 is no array of numbers"),
        ([None], "image 0 is no array of numbers"),
        (np.zeros((9, 9)), "for a single one"),
        ("photo.jpg", "expected a list of images"),
        (3, "expected a list of images"),
    ],
)
def test_what_is_no_image_is_named(images, words):
    with pytest.raises(ImageError, match=words):
        Sift().transform(images)


def test_it_is_a_transformer(photo):
    sift = Sift(max_keypoints=7, contrast=0.03)
    copied = pickle.loads(pickle.dumps(clone(sift).fit([photo])))
    assert copied.get_params() == sift.get_params()
    chain = make_pipeline(copied).set_output(transform="pandas")
    (found,) = chain.fit_transform([photo])
    (every,) = Sift(contrast=0.03).transform([photo])
    assert found.keypoints.shape == (7, 4)
    np.testing.assert_array_equal(found.keypoints, every.keypoints[:7])
