"""What counts as images for Sift, DenseSift and Patches; what does not is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from course_lib.classical import DenseSift, ImageError, Patches, Sift

pytestmark = pytest.mark.usefixtures("one_thread")


def pillow(mode):
    return Image.new("RGB", (9, 9), "red").convert(mode)


class Unordered:
    """What has a length, but no images in order."""

    def __len__(self):
        return 3


ONE = "may be one image in colour.*for a single one, \\[image\\]"
EXTRACTORS = [Sift(), DenseSift(), Patches(3)]
PHOTO = load_sample_images().images[0][100:164, 200:264].mean(axis=2) / 255


@pytest.mark.parametrize("extractor", EXTRACTORS)
@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((427, 640, 3), np.uint8), rf"\(427, 640, 3\), which {ONE}"),
        (torch.zeros(3, 427, 640), rf"\(3, 427, 640\), which {ONE}"),
        (np.zeros((427, 640, 1)), ONE),
        (np.zeros((427, 640)), r"\(427, 640\), which is no list.*\[image\]"),
        (np.zeros(640), "is no list"),
        (list(np.zeros((427, 640, 3), np.uint8)), r"image 0 .*\(640, 3\), as a row"),
        (pillow("RGB"), "images is a Image: expected a list"),
        ([pillow("P")], r"image 0 is an image of mode P.*convert\(\"RGB\"\)"),
        ([pillow("CMYK")], "mode CMYK"),
        ([pillow("HSV")], "mode HSV"),
        ([[[1, 2], [3]]], "image 0 is no array of numbers"),
        (Unordered(), "images is a Unordered: expected a list"),
    ],
)
def test_a_single_image_in_place_of_a_list_is_named(extractor, images, words):
    for call in (extractor.fit, extractor.transform):
        with pytest.raises(ImageError, match=words):
            call(images)


def test_an_image_a_row_of_an_array_is_a_list():
    grey = (255 * PHOTO).round().astype(np.uint8)
    (expected,) = Sift().transform([grey])
    for images in (grey[None], np.stack([grey] * 4), np.stack([grey[..., None]] * 3)):
        found = Sift().transform(images)
        assert len(found) == len(images)
        np.testing.assert_allclose(
            found[0].descriptors, expected.descriptors, atol=1e-3
        )


@pytest.mark.parametrize("kind", [">f4", ">f8", "<f4", "f2"])
def test_width_and_order_of_bytes_do_not_matter(kind):
    image = PHOTO.astype("f2")
    (expected,) = Sift().transform([image.astype("f4")])
    (found,) = Sift().transform([image.astype(kind)])
    np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=1e-4)
    for extractor in EXTRACTORS[1:]:
        (found,), (expected,) = map(
            extractor.transform, ([image.astype(kind)], [image])
        )
        np.testing.assert_allclose(found.descriptors, expected.descriptors, atol=1e-5)


def test_images_of_pillow_and_of_a_gradient_are_read():
    grey = (255 * PHOTO).round().astype(np.uint8)
    tensor = torch.tensor(grey / 255, requires_grad=True)
    (expected,) = DenseSift().transform([grey])
    for image in (Image.fromarray(grey), tensor):
        (found,) = DenseSift().transform([image])
        np.testing.assert_allclose(found.descriptors, expected.descriptors, atol=1e-5)
