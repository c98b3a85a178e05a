"""SIFT and codebooks on a GPU: what the CPU finds, for many images together."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from course_lib.classical import BagOfWords, DenseSift, FisherVector, Patches, Sift

pytestmark = pytest.mark.gpu
PHOTOS = load_sample_images().images
CROPS = [
    photo[y : y + 128, x : x + 160]
    for photo in PHOTOS
    for y in (0, 150, 290)
    for x in (0, 200, 450)
]


def test_the_same_keypoints_are_found():
    ours = Sift(device="cuda").transform(CROPS)
    for found, expected in zip(ours, Sift(device="cpu").transform(CROPS), strict=True):
        assert abs(len(found.keypoints) - len(expected.keypoints)) <= 2
        apart = found.keypoints[:, None] - expected.keypoints[None]
        apart[..., 3] = 1 - np.cos(apart[..., 3])
        nearest = np.abs(apart).sum(2).argmin(1)
        near = np.abs(apart[np.arange(len(nearest)), nearest]).max(1) < 0.01
        assert near.mean() > 0.97
        cosine = (found.descriptors * expected.descriptors[nearest]).sum(1)
        assert np.median(cosine) > 0.9999


@pytest.mark.parametrize("extractor", [DenseSift(step=8), Patches(step=4)])
def test_the_same_descriptors_are_computed(extractor):
    there = extractor.set_params(device="cuda").transform(CROPS)
    here = extractor.set_params(device="cpu").transform(CROPS)
    for found, expected in zip(there, here, strict=True):
        np.testing.assert_array_equal(found.keypoints, expected.keypoints)
        np.testing.assert_allclose(found.descriptors, expected.descriptors, atol=1e-3)


@pytest.mark.parametrize("encoder", [FisherVector(8, pca=16), BagOfWords(20)])
def test_what_was_learnt_there_encodes_here(encoder):
    sets = DenseSift(step=8, device="cpu").transform(CROPS)
    encoder.set_params(device="cuda", random_state=0).fit(sets)
    expected = encoder.transform(sets)
    again = pickle.loads(pickle.dumps(encoder)).set_params(device="cpu")
    np.testing.assert_allclose(again.transform(sets), expected, atol=1e-3)
