"""Dense descriptors against loops over pixels and against Sift; lazy sequences."""

from __future__ import annotations

import math
import pickle
import threading

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_sample_images
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.utils import estimator_checks

from course_lib.classical import (
    BagOfWords,
    DenseSift,
    FisherVector,
    ImageError,
    Patches,
    Sift,
    dense,
)
from course_lib.classical.batches import side_by_side
from course_lib.classical.describe import describe
from course_lib.classical.keypoints import Points
from course_lib.classical.scale_space import CAMERA, blur

PHOTO = load_sample_images().images[0][200:260, 300:371]
GREY = PHOTO @ np.array([0.299, 0.587, 0.114]) / 255
EXTRACTORS = [DenseSift(step=7), DenseSift(colour=True), Patches(step=5), Patches(3)]


def slow(image: np.ndarray, x: float, y: float, cell: float) -> np.ndarray:
    """Section 6.1 by a loop over all pixels of a grey image, for an upright window."""
    histogram = np.zeros((4, 4, 8))
    for row, column in np.ndindex(*image.shape):
        dx = dy = 0.0
        if 0 < column < image.shape[1] - 1:
            dx = image[row, column + 1] - image[row, column - 1]
        if 0 < row < image.shape[0] - 1:
            dy = image[row + 1, column] - image[row - 1, column]
        u, v = (column - x) / cell, (row - y) / cell
        weight = math.hypot(dx, dy) * math.exp(-(u * u + v * v) / 8)
        turn = -math.atan2(dy, dx) / (2 * math.pi) * 8 % 8
        low = math.floor(turn)
        for i, j in np.ndindex(4, 4):
            share = max(0, 1 - abs(v - (i - 1.5))) * max(0, 1 - abs(u - (j - 1.5)))
            histogram[i, j, low % 8] += weight * share * (1 + low - turn)
            histogram[i, j, (low + 1) % 8] += weight * share * (turn - low)
    entries = histogram.flatten()
    entries = np.minimum(entries / np.linalg.norm(entries), 0.2)
    return entries / np.linalg.norm(entries)


@pytest.mark.slow
@pytest.mark.parametrize("cell", [3, 4.5])
def test_descriptors_are_those_of_a_loop_over_pixels(cell):
    options = {"step": 13, "cells": (cell,), "smooth": 1 / 3, "root": False}
    ((keypoints, descriptors),) = DenseSift(**options).transform([GREY])
    image = torch.tensor(GREY, dtype=torch.float32)[None]
    blurred = blur(image, (math.sqrt((cell / 3) ** 2 - CAMERA**2),))[0, 0].numpy()
    for number in (0, 7, 12, len(keypoints) - 1):
        x, y, scale, angle = keypoints[number]
        assert (scale, angle) == (pytest.approx(cell / 3), 0)
        expected = slow(blurred, x, y, cell)
        np.testing.assert_allclose(descriptors[number], expected, atol=1e-4)


def test_an_upright_keypoint_of_sift_is_described_alike():
    """Sift samples its window, DenseSift takes every pixel of it."""
    cell = 6.0
    found = DenseSift(8, (cell,), smooth=1 / 3, border=16, root=False)
    ((keypoints, descriptors),) = found.transform([GREY])
    x, y, scale, angle = torch.tensor(keypoints).T
    image = torch.tensor(GREY, dtype=torch.float32)[None]
    level = blur(image, (math.sqrt(scale[0] ** 2 - CAMERA**2),))
    zero = torch.zeros(len(x), dtype=torch.int64)
    expected = describe(level, Points(zero, zero, x, y, scale, scale), angle)
    cosine = (expected.numpy() * descriptors).sum(1)
    assert len(cosine) > 10
    assert cosine.min() > 0.97


@pytest.mark.parametrize("shape", [(21, 30), (8, 8), (1, 1), (2, 50)])
@pytest.mark.parametrize(("step", "border"), [(4, 0), (3.5, 4), (50, 0), (4, 40)])
def test_the_grid_is_centred_and_inside(shape, step, border):
    extractor = DenseSift(step, (4, 8), border=border)
    ((keypoints, descriptors),) = extractor.transform([np.resize(GREY, shape)])
    height, width = shape
    assert len(keypoints) == len(descriptors) >= 2
    assert np.isfinite(descriptors).all()
    for values, side in ((keypoints[:, 0], width), (keypoints[:, 1], height)):
        places = np.unique(values)
        np.testing.assert_allclose(places + places[::-1], side - 1, atol=1e-5)
        np.testing.assert_allclose(np.diff(places), step, atol=1e-5)
        assert len(places) == 1 or border <= places[0] < border + step
    assert sorted(set(keypoints[:, 2])) == pytest.approx([4 / 3, 8 / 3])


def test_colour_is_three_greys():
    ((_, descriptors),) = DenseSift(colour=True).transform([PHOTO])
    for channel in range(3):
        ((_, expected),) = DenseSift().transform([PHOTO[..., channel]])
        part = descriptors[:, 128 * channel : 128 * (channel + 1)]
        np.testing.assert_allclose(part, expected, atol=1e-5)
    ((_, grey),) = DenseSift(colour=True).transform([GREY])
    assert grey.shape == (len(descriptors), 384)


def test_root_turns_the_dot_product_into_hellinger_s_kernel():
    ((_, plain),) = DenseSift(root=False).transform([GREY])
    ((_, root),) = DenseSift().transform([GREY])
    share = plain / plain.sum(axis=1, keepdims=True)
    hellinger = np.sqrt(share[:20, None] * share[None, :20]).sum(2)
    np.testing.assert_allclose(root[:20] @ root[:20].T, hellinger, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(root, axis=1), 1, atol=1e-5)


def test_patches_are_the_pixels_of_mean_0_and_variance_1():
    ((keypoints, descriptors),) = Patches(side=5, step=4).transform([PHOTO])
    rows, columns = range(0, 60 - 4, 4), range(0, 71 - 4, 4)
    assert len(keypoints) == len(descriptors) == len(rows) * len(columns)
    for number in (0, 20, len(keypoints) - 1):
        x, y = (keypoints[number, :2] - 2).astype(int)
        patch = PHOTO[y : y + 5, x : x + 5].transpose(2, 0, 1).flatten() / 255
        patch -= patch.mean()
        patch /= np.sqrt(patch.var(ddof=1) + 10 / 255**2)
        np.testing.assert_allclose(descriptors[number], patch, atol=1e-4)


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_batches_threads_and_sizes_change_nothing(extractor):
    images = [PHOTO, PHOTO[:30], PHOTO[:30] / 255, PHOTO[::-1], GREY, PHOTO[:, :40]]
    expected = [extractor.transform([image])[0] for image in images]
    for size in (1, 2, 100):
        many = clone(extractor).set_params(batch_size=size).transform(images)
        for found, one in zip(many, expected, strict=True):
            np.testing.assert_allclose(found.descriptors, one.descriptors, atol=1e-4)
            np.testing.assert_array_equal(found.keypoints, one.keypoints)


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_a_constant_or_tiny_image_gives_finite_descriptors(extractor):
    for shape in ((1, 1), (3, 3), (2, 40), (16, 16, 3)):
        (found,) = extractor.transform([np.full(shape, 0.5)])
        assert np.isfinite(found.descriptors).all()
        assert len(found.keypoints) == len(found.descriptors)


@pytest.mark.usefixtures("one_thread")
def test_the_sequence_is_lazy_and_can_be_gone_through_again():
    done = []

    class Counting(Patches):
        def _describe(self):
            def describe(images):
                done.append(len(images))
                return dense.grid([0], [0], 1), torch.zeros(len(images), 1, 2)

            return describe

    images = np.zeros((40, 9, 9), np.uint8)
    lazy = Counting(batch_size=5).transform(images)
    assert (len(lazy), len(lazy[3:7]), len(lazy[-3:]), done) == (40, 4, 3, [])
    next(iter(lazy))
    assert sum(done) <= 40 / 2  # a few batches ahead, no more
    done.clear()
    assert len(list(lazy)) == sum(done) == 40
    assert len(list(lazy)) == sum(done) - 40 == 40
    with pytest.raises(IndexError):
        lazy[40]
    assert list(Patches().transform([])) == []


def test_a_parameter_that_changes_later_changes_nothing():
    extractor = DenseSift(step=8)
    before = extractor.transform([GREY])
    expected = before[0].descriptors
    extractor.set_params(step=4)
    np.testing.assert_array_equal(before[0].descriptors, expected)


def test_memory_keeps_what_was_described(tmp_path, monkeypatch):
    options = {"step": 9, "cells": (4,), "memory": str(tmp_path)}
    first = list(DenseSift(**options).transform([PHOTO, GREY]))
    monkeypatch.setattr(dense, "pooled", None)  # whoever computes fails
    again = list(DenseSift(**options).transform([GREY, PHOTO]))
    for found, expected in zip(again, first[::-1], strict=True):
        np.testing.assert_array_equal(found.descriptors, expected.descriptors)
    with pytest.raises(TypeError):
        list(DenseSift(**options | {"step": 8}).transform([GREY]))
    memory = joblib.Memory(str(tmp_path), verbose=0)
    assert len(list(DenseSift(**options | {"memory": memory}).transform([GREY]))) == 1


def test_batches_come_in_order_a_few_ahead_and_threads_are_given_back():
    threads, started = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:

        def work(number):
            started.append(number)
            return number, torch.get_num_threads(), threading.current_thread().name

        found = side_by_side(work, range(50), torch.device("cpu"))
        number, inner, name = next(found)
        assert (number, inner) == (0, 1)
        assert name != threading.main_thread().name
        assert len(started) < 10
        assert [row[0] for row in found] == list(range(1, 50))
        assert torch.get_num_threads() == 2

        alone = list(side_by_side(work, iter([7]), torch.device("cpu")))
        assert alone == [(7, 2, threading.main_thread().name)]  # all threads share it
        assert list(side_by_side(work, [], torch.device("cpu"))) == []

        def fails(number):
            raise ValueError(f"batch {number}")

        with pytest.raises(ValueError, match="batch 0"):
            list(side_by_side(fails, range(3), torch.device("cpu")))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("extractor", "words"),
    [
        (DenseSift(step=0), "step 0"),
        (DenseSift(cells=()), "expected numbers above 0"),
        (DenseSift(cells=(4, -1)), "cells"),
        (DenseSift(border=-1), "border -1"),
        (Patches(side=0), "side is 0"),
        (Patches(step=1.5), "step is 1.5: expected an integer"),
    ],
)
def test_a_parameter_without_sense_is_named(extractor, words):
    for call in (extractor.fit, extractor.transform):
        with pytest.raises(ImageError, match=words):
            call([GREY])


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_images_that_are_none_are_named_at_once(extractor):
    with pytest.raises(ImageError, match="image 1 has values from nan"):
        extractor.transform([GREY, np.full((9, 9), np.nan)])


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_they_are_transformers(extractor):
    copied = pickle.loads(pickle.dumps(clone(extractor).fit([PHOTO])))
    assert copied.get_params() == extractor.get_params()
    copied.set_output(transform="pandas")
    (found,) = copied.fit_transform([PHOTO])
    (expected,) = extractor.transform([PHOTO])
    np.testing.assert_array_equal(found.descriptors, expected.descriptors)


@pytest.mark.parametrize("extractor", [Sift(), *EXTRACTORS[:2], Patches()])
@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_set_params,
    ],
)
def test_scikit_learn_s_own_checks_that_suit_lists_of_images(check, extractor):
    """The other checks of check_estimator pass a table of numbers."""
    check(type(extractor).__name__, clone(extractor))


@pytest.mark.slow
@pytest.mark.parametrize("extractor", [DenseSift(step=8), Patches(step=4)])
@pytest.mark.parametrize("encoder", [FisherVector(4, pca=8), BagOfWords(20)])
def test_a_pipeline_fits_scores_and_cross_validates(extractor, encoder):
    """300 crops of two photos, to be told apart: by chance half of them are."""
    china, flower = load_sample_images().images
    places = [(y, x) for y in range(0, 390, 40) for x in range(0, 600, 40)]
    crops = [p[y : y + 32, x : x + 32] for p in (china, flower) for y, x in places]
    labels = np.repeat(["china", "flower"], len(places))
    encoder = clone(encoder).set_params(random_state=0)
    pipeline = make_pipeline(extractor, encoder, LinearSVC())
    assert pipeline.fit(crops[::2], labels[::2]).score(crops[1::2], labels[1::2]) > 0.7
    again = pickle.loads(pickle.dumps(pipeline))
    assert (again.predict(crops) == pipeline.predict(crops)).all()
    assert cross_val_score(pipeline, np.stack(crops), labels, cv=3).mean() > 0.7
