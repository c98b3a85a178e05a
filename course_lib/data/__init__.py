"""Real images as tensors: `load` a split, `batches` of an epoch, `fetch` a data set.

images says what a split is; readers reads known data sets and .npz files, folders a
folder for each class, decode the files in it; download brings known data sets here;
batching makes an epoch of batches.
"""

from course_lib.data.batching import augment, batches, cut_out, normalise
from course_lib.data.download import DataError, available, data_root, fetch
from course_lib.data.folders import SPLITS
from course_lib.data.images import NORMALISATION, Images, load

__all__ = [
    "NORMALISATION",
    "SPLITS",
    "DataError",
    "Images",
    "augment",
    "available",
    "batches",
    "cut_out",
    "data_root",
    "fetch",
    "load",
    "normalise",
]
