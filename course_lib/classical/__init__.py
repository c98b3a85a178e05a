"""What came before learnt features: SIFT, as scikit-learn transformers.

scale_space, keypoints and describe are sections 3 to 6 of Lowe's paper, in this order;
sift puts them together. dense (SIFT) and patches (pixels) describe every place of an
image, lazily: lazy. inputs says what counts as an image, batches how images are worked
on side by side, transformer what scikit-learn expects.

words, fisher and pyramid turn an image's descriptors into one row for a classifier:
encoder is what they share, kmeans and mixture learn their words of what sampling draws,
sets says what counts as a list of descriptor sets.
"""

from course_lib.classical.dense import DenseSift
from course_lib.classical.fisher import FisherVector
from course_lib.classical.inputs import ImageError
from course_lib.classical.patches import Patches
from course_lib.classical.pyramid import SpatialPyramid
from course_lib.classical.sets import CodebookError
from course_lib.classical.sift import Sift
from course_lib.classical.transformer import Features
from course_lib.classical.words import BagOfWords, Vlad

__all__ = [
    "BagOfWords",
    "CodebookError",
    "DenseSift",
    "Features",
    "FisherVector",
    "ImageError",
    "Patches",
    "Sift",
    "SpatialPyramid",
    "Vlad",
]
