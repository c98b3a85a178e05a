"""Real images as tensors: `load` a split, `batches` of an epoch, `fetch` a data set."""

from course_lib.data.batching import augment, batches, normalise
from course_lib.data.download import DataError, available, data_root, fetch
from course_lib.data.images import NORMALISATION, Images, load
from course_lib.data.readers import SPLITS

__all__ = [
    "NORMALISATION",
    "SPLITS",
    "DataError",
    "Images",
    "augment",
    "available",
    "batches",
    "data_root",
    "fetch",
    "load",
    "normalise",
]
