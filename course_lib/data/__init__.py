"""Real images as tensors: `load` a split, `batches` of an epoch, `fetch` a data set.

images says what a split is; loading finds it: readers reads known data sets and .npz
files, folders a folder for each class, decode the files in it; download brings known
data sets here; batching makes an epoch of batches. For what is too large for memory,
shards writes a folder as a few large files, which stream reads.
"""

from course_lib.data.batching import augment, batches, cut_out, normalise
from course_lib.data.download import DataError, available, data_root, fetch
from course_lib.data.folders import SPLITS
from course_lib.data.images import Images
from course_lib.data.loading import NORMALISATION, load
from course_lib.data.shards import verify_shards, write_shards
from course_lib.data.stream import Shards

__all__ = [
    "NORMALISATION",
    "SPLITS",
    "DataError",
    "Images",
    "Shards",
    "augment",
    "available",
    "batches",
    "cut_out",
    "data_root",
    "fetch",
    "load",
    "normalise",
    "verify_shards",
    "write_shards",
]
