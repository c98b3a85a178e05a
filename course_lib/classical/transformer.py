"""What all transformers of images share: Features, and scikit-learn's manners."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from course_lib.classical.inputs import checked


class Features(NamedTuple):
    """What an image has: float32 arrays, a row a keypoint."""

    keypoints: np.ndarray  # (n, 4): x, y, scale in pixels, orientation in radians
    descriptors: np.ndarray  # (n, D); Sift's are (n, 128), each of length 1

    @classmethod
    def none(cls) -> Features:
        return cls(np.zeros((0, 4), np.float32), np.zeros((0, 128), np.float32))


class ImageTransformer(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """A transformer of images that learns nothing and gives a sequence of Features."""

    def fit(self, images, y=None):
        """Learn nothing: there are no parameters to fit. Images are only checked."""
        self._check()
        checked(images)
        return self

    def _check(self) -> None:
        """Raise where a parameter makes no sense."""

    def set_output(self, *, transform=None):
        """Do nothing: a sequence of arrays of unlike length fits in no table."""
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags
