"""What SIFT's notebook exports, against closed forms, loops and exact symmetries."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from sklearn.datasets import load_sample_images

from course_lib import notebook
from course_lib.classical import Sift
from tests.tiers import rest_is_slow

SIFT = notebook.load("02_sift")
pytestmark = pytest.mark.usefixtures("one_thread")
LUMA = np.array([0.299, 0.587, 0.114])


def grey(number: int) -> torch.Tensor:
    return torch.tensor(load_sample_images().images[number] @ LUMA / 255).float()


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    """Return a part of the temple, (193, 241)."""
    return grey(0)[120:313, 100:341]


# --- two views -----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 7), (1, 9), (40, 3)])
def test_sampling_is_bilinear_and_zero_outside(shape):
    images = torch.rand(2, *shape)
    y = torch.rand(50) * (shape[0] + 3) - 2
    x = torch.rand(50) * (shape[1] + 3) - 2
    if 1 in shape:
        y, x = torch.zeros(50), x.clamp(0, shape[1] - 1)
        images = images.expand(2, 1, shape[1])
        expected = [np.interp(x, range(shape[1]), image[0]) for image in images]
        found = SIFT.sample(images.repeat(1, 2, 1), x, y)
    else:
        found = SIFT.sample(images, x, y)
        where = np.stack([y, x]) + 1
        expected = [
            ndimage.map_coordinates(np.pad(image, 1), where, order=1, cval=0)
            for image in images.numpy()
        ]
    torch.testing.assert_close(
        found, torch.tensor(np.array(expected)).float(), rtol=1e-4, atol=1e-4
    )


def test_a_homography_divides_by_its_third_coordinate():
    matrix = torch.tensor([[2.0, 0, 1], [0, 3, -1], [0.1, 0, 1]]).double()
    found = SIFT.project(matrix, torch.tensor([[10.0, 4], [0, 0]]))
    expected = torch.tensor([[21 / 2, 11 / 2], [1, -1]]).double()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("shape", [(30, 30), (31, 31)])
def test_a_quarter_turn_moves_pixels_to_pixels(degrees, shape):
    image = torch.rand(shape)
    turned, homography = SIFT.view(image, degrees)
    expected = image.rot90(-degrees // 90)
    torch.testing.assert_close(turned, expected, rtol=1e-3, atol=1e-3)
    corner = SIFT.project(homography, torch.tensor([[0.0, 0]]))[0]
    last = shape[0] - 1
    places = {0: (0, 0), 90: (last, 0), 180: (last, last), 270: (0, last)}
    assert corner.tolist() == pytest.approx(places[degrees], abs=1e-9)


@pytest.mark.parametrize(
    "options",
    [{"degrees": 33}, {"zoom": 0.6}, {"zoom": 1.5}, {"tilt": 0.3, "degrees": 20}],
)
def test_the_second_view_shows_what_the_homography_says(options):
    """A smooth function, so that no blur before shrinking can matter."""
    rows, columns = torch.meshgrid(
        torch.arange(80.0), torch.arange(120.0), indexing="ij"
    )
    wave = 0.5 + 0.2 * torch.sin(columns / 12) + 0.2 * torch.cos(rows / 15)
    seen, homography = SIFT.view(wave, **options)
    points = torch.rand(200, 2) * torch.tensor([60.0, 40]) + torch.tensor([30.0, 20])
    x, y = SIFT.project(homography, points).float().T
    inside = (x > 1) & (y > 1) & (x < seen.shape[1] - 2) & (y < seen.shape[0] - 2)
    assert inside.sum() > 60
    there = SIFT.sample(seen[None], x, y)[0]
    here = SIFT.sample(wave[None], *points.T)[0]
    torch.testing.assert_close(there[inside], here[inside], rtol=0, atol=0.01)


def test_a_tilt_brings_the_right_side_nearer():
    _, homography = SIFT.view(torch.rand(50, 80), tilt=0.3)
    corners = torch.tensor([[0.0, 0], [0, 49], [79, 0], [79, 49]])
    heights = SIFT.project(homography, corners)[:, 1].view(2, 2).diff().flatten()
    assert heights[0] < 49 < heights[1]


# --- scale space ---------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.6, 1.25, 3.1])
@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (65, 33)])
def test_blur_is_a_gaussian(sigma, shape):
    image = torch.rand(shape, dtype=torch.float64)
    options = {"mode": "nearest", "radius": math.ceil(4 * sigma)}
    expected = ndimage.gaussian_filter(image.numpy(), sigma, **options)
    torch.testing.assert_close(
        SIFT.blur(image, sigma), torch.tensor(expected), rtol=1e-6, atol=1e-7
    )


def test_levels_have_the_blur_they_are_said_to_have(photo):
    """Each level equals one Gaussian of the doubled photo, away from the border."""
    size = tuple(2 * side - 1 for side in photo.shape)
    start = np.zeros(size)
    start[::2, ::2] = photo
    start[1::2, ::2] = (photo[:-1] + photo[1:]) / 2
    start[:, 1::2] = (start[:, :-2:2] + start[:, 2::2]) / 2
    for number, octave in enumerate(SIFT.scale_space(photo)[:2]):
        assert octave.spacing == 0.5 * 2**number
        for level in range(6):
            sigma = 1.6 * 2 ** (number + level / 3)
            once = ndimage.gaussian_filter(start, math.sqrt(sigma**2 - 1), truncate=5)
            once = once[:: 2**number, :: 2**number]
            found = octave.gaussians[level].numpy()
            assert np.abs(found - once)[20:-20, 20:-20].max() < 2e-3
        torch.testing.assert_close(
            octave.differences, octave.gaussians[1:] - octave.gaussians[:-1]
        )


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (4, 4), (5, 9), (60, 33)])
def test_a_small_photo_has_few_octaves_and_perhaps_no_keypoints(shape):
    octaves = SIFT.scale_space(torch.full(shape, 0.5))
    assert all(min(octave.gaussians.shape[1:]) >= 8 for octave in octaves)
    assert len(octaves) == max(0, math.ceil(math.log2((2 * min(shape) - 1) / 7)))
    keypoints, descriptors = SIFT.sift(torch.full(shape, 0.5))
    assert (keypoints.shape, descriptors.shape) == ((0, 4), (0, 128))


# --- keypoints -----------------------------------------------------------------------


def every_extremum(differences: np.ndarray) -> set[tuple[int, ...]]:
    """The pixels that are strictly positive maxima or negative minima of their cube."""
    found = set()
    for place in np.ndindex(*(side - 2 for side in differences.shape)):
        cube = differences[tuple(slice(i, i + 3) for i in place)]
        others = np.delete(cube.flatten(), 13)
        value = cube[1, 1, 1]
        high, low = (
            value > 0 and value >= others.max(),
            value < 0 and value <= others.min(),
        )
        if high or low:
            found.add(tuple(i + 1 for i in place))
    return found


@pytest.mark.parametrize("shape", [(5, 9, 11), (3, 3, 3), (5, 20, 4), (4, 3, 30)])
def test_extrema_are_those_of_a_loop(shape):
    for seed, shift in enumerate((0, 0, -4, 4)):  # all negative: minima alone
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(shape, generator=generator) + shift
        found = {tuple(place) for place in SIFT.extrema(noise).tolist()}
        assert found == every_extremum(noise.numpy())


def test_the_edge_ratio_is_that_of_the_eigenvalues():
    noise = torch.randn(5, 30, 30, generator=torch.Generator().manual_seed(1)).double()
    places = torch.cartesian_prod(*(torch.arange(1, n - 1) for n in noise.shape))
    for place, ratio in zip(
        places.tolist(), SIFT.edge_ratio(noise, places), strict=True
    ):
        level, row, column = place
        patch = noise[level, row - 1 : row + 2, column - 1 : column + 2].numpy()
        bend, step = np.array([1, -2, 1]), np.array([-0.5, 0, 0.5])
        xy = step @ patch @ step
        one, other = np.linalg.eigvalsh(
            [[patch[1] @ bend, xy], [xy, patch[:, 1] @ bend]]
        )
        expected = (one + other) ** 2 / (one * other) if one * other > 0 else math.inf
        assert ratio.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("width", rest_is_slow([1.5, 4.7, 2.2, 3, 8, 11.5], 2))
@pytest.mark.parametrize("height", [0.9, -0.9])
def test_a_blob_is_found_at_its_centre_and_scale(width, height):
    """Of a blob b wide, D is extreme at σ = b / √k, the camera's blur aside."""
    rows, columns = torch.meshgrid(
        torch.arange(140.0), torch.arange(160.0), indexing="ij"
    )
    x, y = 80.2, 66.7  # half way between no two samples of any octave
    blob = torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2))
    (keypoint,) = SIFT.detect(SIFT.scale_space((height < 0) + height * blob))
    scale = math.sqrt(width**2 - 0.5**2) / 2 ** (1 / 6)
    spacing = 2 ** max(-1, math.floor(math.log2(keypoint[2] / 1.6)))
    assert keypoint[:2].tolist() == pytest.approx([x, y], abs=0.51 * spacing)
    assert abs(math.log2(keypoint[2] / scale)) < 0.51 / 3


def test_an_edge_is_refused_and_a_square_is_not():
    edge, square = torch.zeros(2, 64, 64)
    edge[:, 32:] = 1
    square[28:37, 26:35] = 1
    counts = [
        len(SIFT.detect(SIFT.scale_space(SIFT.blur(image, 1))))
        for image in (edge, square)
    ]
    assert counts[0] == 0 < counts[1]


@pytest.mark.slow
def test_each_test_leaves_a_part_of_what_came_before(photo):
    for octave in SIFT.scale_space(photo):
        stages = [
            set(map(tuple, s.tolist())) for s in SIFT.survivors(octave.differences)
        ]
        assert stages[0] >= stages[1] >= stages[2]
    octaves = SIFT.scale_space(photo)
    counts = [len(SIFT.detect(octaves, contrast=c)) for c in (0, 0.02, 0.04, 0.08, 3)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[2] > counts[-1] == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_keypoints_are_the_librarys_on_a_grid(number):
    """From a scale of 2 on: below, the camera's blur decides, and it may differ."""
    image = grey(number)
    ours = SIFT.detect(SIFT.scale_space(image))
    (full,) = Sift(device="cpu").transform([image.numpy()])
    theirs = torch.tensor(np.unique(full.keypoints[:, :3], axis=0))
    near = torch.cdist(theirs[:, :2], ours[:, :2]) < theirs[:, 2:] / 1.6
    near &= (theirs[:, 2:] / ours[:, 2]).log2().abs() < 1.01 / 3
    assert (theirs[:, 2] > 2).sum() > 100
    assert near[theirs[:, 2] > 2].any(dim=1).float().mean() > 0.9
    assert near[:, ours[:, 2] > 2].any(dim=0).float().mean() > 0.9


# --- orientation and descriptor ------------------------------------------------------


@pytest.mark.parametrize("degrees", [0, 37, 124, 201, 358])
def test_gradients_are_seen_in_the_keypoints_frame(degrees):
    """On a ramp every gradient has one angle; a turned keypoint sees it turned back."""
    rows, columns = torch.meshgrid(
        torch.arange(90.0), torch.arange(110.0), indexing="ij"
    )
    slope = math.radians(degrees)
    ramp = (columns * math.cos(slope) + rows * math.sin(slope)) / 400 + 0.4
    octaves = SIFT.scale_space(ramp)
    turn = 0.8
    keypoints = torch.tensor([[50.3, 44.1, 2.0, 0.0], [50.3, 44.1, 2.0, turn]])
    offsets = torch.cartesian_prod(torch.arange(-3.0, 4), torch.arange(-3.0, 4))
    magnitude, angle = SIFT.gradients_around(octaves, keypoints, offsets)
    assert magnitude.shape == angle.shape == (2, 49)
    assert magnitude.std() < 1e-3 * magnitude.mean()
    for row, expected in zip(angle, (slope, slope - turn), strict=True):
        assert (row - expected).cos().min() > 0.9999


@pytest.mark.parametrize("degrees", range(0, 360, 24))
def test_a_ramp_points_up_its_slope_to_the_nearest_bin(degrees):
    rows, columns = torch.meshgrid(
        torch.arange(90.0), torch.arange(110.0), indexing="ij"
    )
    slope = math.radians(degrees)
    ramp = (columns * math.cos(slope) + rows * math.sin(slope)) / 400 + 0.4
    place = torch.tensor([[50.3, 44.1, 3.0]])
    (found,) = SIFT.oriented(SIFT.scale_space(ramp), place)
    assert found[:3].tolist() == pytest.approx(place[0].tolist())
    assert 0 <= found[3] < 2 * math.pi
    assert math.cos(found[3] - slope) > math.cos(math.radians(5.1))


def test_a_peak_of_four_fifths_is_a_second_keypoint():
    """Left a ramp to the right, right a ramp downwards of 0.7 or 1.05 of its slope."""
    rows, columns = torch.meshgrid(*[torch.arange(-40.0, 41)] * 2, indexing="ij")
    for second, expected in ((0.7, [0]), (1.05, [0, 90])):
        image = 0.5 + torch.where(columns < 0, columns, second * rows) / 200
        octaves = SIFT.scale_space(image)
        found = SIFT.oriented(octaves, torch.tensor([[40.0, 40.0, 3.0]]))
        # where the ramps meet they do not fit, and both are pulled a bin or so
        assert found[:, 3].rad2deg().tolist() == pytest.approx(expected, abs=15)


def slow_histogram(level, x, y, sigma) -> np.ndarray:
    """Section 5 by a loop over all pixels near, then a binomial of five bins."""
    histogram = np.zeros(36)
    for row in range(1, level.shape[0] - 1):
        for column in range(1, level.shape[1] - 1):
            dx, dy = (column - x) / sigma, (row - y) / sigma
            if max(abs(dx), abs(dy)) > 4.75:
                continue
            gx = level[row, column + 1] - level[row, column - 1]
            gy = level[row + 1, column] - level[row - 1, column]
            weight = math.hypot(gx, gy) * math.exp(-(dx * dx + dy * dy) / 4.5)
            place = math.atan2(gy, gx) / (2 * math.pi) * 36 % 36
            low = math.floor(place)
            histogram[low % 36] += weight * (low + 1 - place)
            histogram[(low + 1) % 36] += weight * (place - low)
    return ndimage.convolve1d(histogram, np.array([1, 4, 6, 4, 1]) / 16, mode="wrap")


def test_orientation_histograms_are_those_of_a_loop_over_pixels(photo):
    octaves = SIFT.scale_space(photo[:80, :80])
    keypoints = SIFT.detect(octaves)
    keypoints = keypoints[keypoints[:, 2] < 1.6][:10]
    cosines = []
    found = SIFT.orientation_histogram(octaves, keypoints)
    for (x, y, scale), histogram in zip(keypoints.tolist(), found, strict=True):
        level = octaves[0].gaussians[round(3 * math.log2(2 * scale / 1.6))].numpy()
        expected = slow_histogram(level, 2 * x, 2 * y, 2 * scale)
        cosine = expected @ histogram.numpy() / np.linalg.norm(expected)
        cosines.append(cosine / histogram.norm().item())
    assert len(cosines) == 10
    assert min(cosines) > 0.995


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
                share = (1 - abs(v + 2.5 - i - a)) * (1 - abs(u + 2.5 - j - b))
                share *= 1 - abs(turn - k - c)
                histogram[i + a, j + b, (k + c) % 8] += weight * share
    entries = histogram[1:5, 1:5].flatten()
    return entries / np.linalg.norm(entries)


def test_descriptors_are_those_of_a_loop_over_pixels(photo):
    octaves = SIFT.scale_space(photo[:80, :80])
    keypoints, described = SIFT.sift(photo[:80, :80])
    first = (keypoints[:, 2] < 1.6).nonzero().flatten()[:10]
    cosines = []
    for number in first:
        x, y, scale, angle = keypoints[number].tolist()
        level = octaves[0].gaussians[round(3 * math.log2(2 * scale / 1.6))].numpy()
        expected = slow_descriptor(level, 2 * x, 2 * y, 2 * scale, angle)
        cosines.append(expected @ described[number].numpy())
    assert len(cosines) == 10
    assert np.median(cosines) > 0.997
    assert min(cosines) > 0.99


@pytest.mark.parametrize("turns", rest_is_slow([1, 2, 3]))
def test_a_turned_photo_has_the_same_features_turned(photo, turns):
    """A quarter turn maps pixels to pixels, so nothing may be lost but rounding."""
    image = photo[:, :193]  # 2ⁿ k + 1 a side: halving keeps the symmetry
    keypoints, described = SIFT.sift(image)
    turned, again = SIFT.sift(image.rot90(-turns))
    assert len(keypoints) == len(turned) > 50
    x, y, scale, angle = keypoints.T
    for _ in range(turns):
        x, y = 192 - y, x
    expected = torch.stack([x, y, scale], dim=1)
    apart = torch.cdist(expected, turned[:, :3])
    angles = angle[:, None] + turns * math.pi / 2 - turned[:, 3]
    distance, partner = (apart + 1 - angles.cos()).min(dim=1)
    assert len(partner.unique()) == len(partner)
    assert distance.max() < 1e-2
    assert (described * again[partner]).sum(dim=1).min() > 0.999


@pytest.mark.parametrize(
    ("gain", "offset"), rest_is_slow([(0.5, 0.2), (0.1, 0.0), (0.9, 0.1)])
)
def test_descriptors_do_not_see_affine_light(photo, gain, offset):
    octaves = SIFT.scale_space(photo)
    keypoints = SIFT.oriented(octaves, SIFT.detect(octaves))
    lit = SIFT.scale_space(gain * photo + offset)
    found, expected = SIFT.describe(lit, keypoints), SIFT.describe(octaves, keypoints)
    assert len(keypoints) > 100
    assert (found * expected).sum(dim=1).min() > 0.9999
    assert found.norm(dim=1).allclose(torch.ones(len(found)))


def test_windows_over_the_border_count_what_they_see(photo):
    """Beyond the photo gradients are 0, and a descriptor is still of length 1."""
    octaves = SIFT.scale_space(photo)
    corners = torch.tensor([[0.0, 0, 4, 1], [240, 192, 8, 2], [120, 0, 16, 3]])
    found = SIFT.describe(octaves, corners)
    assert found.isfinite().all()
    assert found.norm(dim=1).allclose(torch.ones(3))


# --- matching ------------------------------------------------------------------------


def test_matches_are_those_of_a_loop():
    for seed, (n, k) in enumerate([(20, 30), (1, 7), (7, 1), (30, 12)]):
        generator = torch.Generator().manual_seed(seed)
        first = torch.rand(n, 5, generator=generator)
        second = torch.rand(k, 5, generator=generator)
        apart = [[math.dist(a, b) for b in second.tolist()] for a in first.tolist()]
        expected = [
            [i, j]
            for i, j in np.ndindex(n, k)
            if apart[i][j] == min(apart[i]) == min(row[j] for row in apart)
        ]
        assert SIFT.match(first, second).tolist() == expected
    for n, k in ((0, 5), (5, 0), (0, 0)):
        assert SIFT.match(torch.rand(n, 3), torch.rand(k, 3)).shape == (0, 2)


def test_errors_are_distances_in_the_second_view():
    shift = torch.tensor([[1.0, 0, 10], [0, 1, 0], [0, 0, 1]]).double()
    first, second = torch.tensor([[1.0, 2, 9, 9]]), torch.tensor([[14.0, 6, 1, 1]])
    assert SIFT.errors(first, second, shift).tolist() == pytest.approx([5])


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    "options",
    [
        {"degrees": 40, "zoom": 0.7, "tilt": 0.15},
        {"degrees": 145},
        {"zoom": 0.5},
        {"zoom": 1.6, "degrees": -30},
    ],
)
def test_most_matches_of_two_views_are_right(number, options):
    image = grey(number)[:320, :420]
    second, homography = SIFT.view(image, **options)
    (first, described), (there, of_there) = SIFT.sift(image), SIFT.sift(second)
    pairs = SIFT.match(described, of_there)
    error = SIFT.errors(first[pairs[:, 0]], there[pairs[:, 1]], homography)
    limit = 3 * max(1, options.get("zoom", 1))
    assert len(pairs) > 60
    assert (error < limit).float().mean() > 0.7
    ratio = there[pairs[:, 1], 2] / first[pairs[:, 0], 2]
    assert ratio[error < limit].median() == pytest.approx(
        options.get("zoom", 1), rel=0.15
    )
