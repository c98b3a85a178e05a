"""Descriptors of all places of an image, computed when they are gone through."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

import joblib
import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor

from course_lib.classical.batches import side_by_side
from course_lib.classical.inputs import checked
from course_lib.classical.transformer import Features, ImageTransformer
from course_lib.terminal import best_device

PIXELS = 64_000  # of a batch on a CPU: what it needs fits the cache
Describe = Callable[[Tensor], "tuple[np.ndarray, Tensor]"]


class DenseTransformer(ImageTransformer):
    """A transformer whose keypoints depend on an image's size alone.

    Has the parameters memory, batch_size and device: see DenseSift.
    """

    def transform(self, images) -> Descriptions:
        """Return a sequence with (keypoints, descriptors) of each image.

        images: a list of (H, W), (H, W, 3) or (3, H, W); uint8, or float in [0, 1].
        The sequence is lazy: images are described when it is gone through, so that
        those of a large data set need not fit into memory.
        Raises ImageError that names an image which is none of these.
        """
        self._check()
        # a clone: parameters that change later change nothing here
        return Descriptions(clone(self), checked(images))

    def _describe(self) -> Describe:
        """Return what turns images (N, C, H, W) into (n, 4) keypoints, (N, n, D)."""
        raise NotImplementedError


class Descriptions(Sequence):
    """The descriptors of images, computed batch by batch when they are asked for."""

    def __init__(self, extractor: DenseTransformer, images: list[Tensor]):
        self.extractor, self.images = extractor, images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, which):
        """Return one image's Features, or the Descriptions of a slice of images."""
        if isinstance(which, slice):
            return Descriptions(self.extractor, self.images[which])
        return next(iter(Descriptions(self.extractor, [self.images[which]])))

    def __iter__(self) -> Iterator[Features]:
        """Yield (keypoints, descriptors) of each image, in order."""
        device, memory = best_device(self.extractor.device), self.extractor.memory
        work = functools.partial(described, self.extractor._describe(), device=device)
        if memory is not None:
            if not isinstance(memory, joblib.Memory):
                memory = joblib.Memory(str(memory), verbose=0)
            kept = memory.cache(described, ignore=["device"])
            work = functools.partial(one_by_one, kept, *work.args, device=device)
        batches = self._batches(1 if device.type == "cpu" else 32)
        for keypoints, descriptors in side_by_side(work, batches, device):
            for own in descriptors:
                yield Features(keypoints, own)

    def _batches(self, factor: int) -> Iterator[np.ndarray]:
        """Yield neighbours of one size and kind together, (N, C, H, W)."""
        held: list[Tensor] = []
        for image in self.images:
            most = self.extractor.batch_size or factor * PIXELS // image.numel()
            other = held and (image.shape, image.dtype) != (
                held[0].shape,
                held[0].dtype,
            )
            if held and (other or len(held) >= most):
                yield torch.stack(held).cpu().numpy()
                held = []
            held.append(image)
        if held:
            yield torch.stack(held).cpu().numpy()

    def __repr__(self) -> str:
        return f"Descriptions of {len(self)} images, computed when they are asked for"


@torch.no_grad()
def described(describe: Describe, images: np.ndarray, device: torch.device):
    """Return keypoints (n, 4) and descriptors (N, n, D) of images (N, C, H, W)."""
    keypoints, descriptors = describe(torch.from_numpy(images).to(device))
    return keypoints, descriptors.cpu().numpy()


def one_by_one(kept: Callable, describe: Describe, images: np.ndarray, device):
    """Do what `described` does, by `kept`, which remembers single images."""
    found = [kept(describe, image[None], device) for image in images]
    return found[0][0], np.concatenate([descriptors for _, descriptors in found])
