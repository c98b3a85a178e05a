"""What came before learnt features: SIFT, as scikit-learn transformers.

scale_space, keypoints and describe are sections 3 to 6 of Lowe's paper, in this order;
sift puts them together; inputs says what counts as an image.
"""

from course_lib.classical.inputs import ImageError
from course_lib.classical.sift import Features, Sift

__all__ = ["Features", "ImageError", "Sift"]
