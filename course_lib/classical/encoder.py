"""What all encoders share: how they are fitted, and how sets become rows.

An encoder works in three steps, each on many images at once: every descriptor is
*assigned* to words; assignments are *pooled* (summed) over the descriptors of a
segment, which is an image or a cell of it; the sums of a segment are *encoded* as a
row. Sums can be added, so that a spatial pyramid assigns once and pools once.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from course_lib.classical.sampling import Source, draw
from course_lib.classical.sets import Batch, CodebookError, batches, one_of, real, whole
from course_lib.terminal import best_device

ROW_BYTES = {"cpu": 2**22, "cuda": 2**26}  # made at once: a CPU's cache holds few
SEEDS_A_WORD = 32  # descriptors from which the first words are chosen
NOTHING = 60  # nats: a share of e⁻⁶⁰ changes no digit of a sum, in float64 either


class Coder(Protocol):
    """The three steps, with what was learnt as tensors on the device.

    m descriptors, S segments: images, or cells of them.
    """

    dtype: torch.dtype

    def assign(self, descriptors: Tensor) -> tuple[Tensor, ...]:
        """Return tensors with a row a descriptor: (m, …)."""

    def pool(self, assigned: tuple[Tensor, ...], lengths: Tensor) -> tuple[Tensor, ...]:
        """Return their sums over segments of so many rows: (S, …)."""

    def encode(self, sums: tuple[Tensor, ...]) -> Tensor:
        """Return a row (dims,) a segment; zeros where it has no descriptor.

        The sums may be overwritten.
        """


class SetTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Turns a sequence of descriptor sets into a row an image."""

    needs_keypoints = False

    @torch.inference_mode()
    def transform(self, sets) -> np.ndarray:
        """Return the encoding of each image, (N, dims).

        sets: a sequence with an item an image: (keypoints, descriptors) as Sift gives,
        or descriptors alone, (n, D). An image without descriptors gets zeros.
        Raises CodebookError that names an image which is none of these.
        """
        check_is_fitted(self)
        coder, settings = self._coder(), self._settings()
        device = settings._device()
        room = ROW_BYTES.get(device.type, ROW_BYTES["cpu"])
        options = {
            "rows": settings.batch_size,
            "images": max(1, room // (4 * self._n_features_out)),
            "width": self.n_features_in_,
            "keypoints": self.needs_keypoints,
            "dtype": coder.dtype,
            "device": device,
            "title": f"{type(self).__name__}: encode" if settings.verbose else None,
        }
        begin, rows = 0, None
        for batch in batches(sets, **options):
            if rows is None:  # after the sets were found to be sets
                rows = self._empty(len(sets), coder)
            end = begin + len(batch.lengths)
            rows[begin:end] = self._rows(coder, batch).cpu().numpy()
            begin = end
        return self._empty(0, coder) if rows is None else rows

    def _empty(self, images: int, coder: Coder) -> np.ndarray:
        kind = str(coder.dtype).removeprefix("torch.")
        return np.empty((images, self._n_features_out), kind)

    def _rows(self, coder: Coder, batch: Batch) -> Tensor:
        assigned = coder.assign(batch.descriptors)
        return coder.encode(coder.pool(assigned, batch.lengths))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


class Encoder(SetTransformer):
    """A transformer that learns words from descriptors.

    Its parameters, beside those of its own, are

    words: how many.
    samples: of so many descriptors, drawn uniformly, the words are learnt; None: of
        all, which are gone through again in every iteration and never held.
    max_iter, tol: of learning.  random_state: as everywhere in scikit-learn.
    batch_size: descriptors that are worked on at once.
    device: default is CUDA where there is one, else the CPU.
    verbose: whether progress is shown, on stdout.
    """

    def fit(self, sets, y=None):
        """Learn the words; sets as in `transform`.

        Raises CodebookError, also for fewer descriptors than words.
        """
        return self._fit(sets, keypoints=False)

    @torch.inference_mode()
    def _fit(self, sets, keypoints: bool):
        self._check()
        random = check_random_state(self.random_state)
        options = {"rows": self.batch_size, "device": self._device()}
        options |= {"keypoints": keypoints, "title": self._title("draw descriptors")}
        seeds = max(SEEDS_A_WORD * self.words, 4096)
        source = draw(sets, self.samples, seeds, random, **options)
        if source.count < self.words:
            raise CodebookError(
                f"{self.words} words cannot be learnt of {source.count} descriptors: "
                "expected as many at least; ask for fewer words, or pass more images"
            )
        self.n_features_in_ = source.seeds.shape[1]
        self._learn(source, random)
        return self

    def _learn(self, source: Source, random: np.random.RandomState) -> None:
        raise NotImplementedError

    def _check(self) -> None:
        whole("words", self.words)
        whole("max_iter", self.max_iter)
        real("tol", self.tol)
        whole("batch_size", self.batch_size)
        one_of("verbose", self.verbose, (False, True))
        if self.samples is not None:
            whole("samples", self.samples)

    def _settings(self) -> Encoder:
        return self

    def _device(self) -> torch.device:
        return best_device(self.device)

    def _title(self, what: str) -> str | None:
        return f"{type(self).__name__}: {what}" if self.verbose else None


def segment_of(lengths: Tensor, device) -> Tensor:
    """Return the segment (m,) of each row."""
    return torch.arange(len(lengths)).repeat_interleave(lengths).to(device)


def sums_of_rows(rows: Tensor, lengths: Tensor) -> Tensor:
    """Return the sum over each segment: rows (m, K) -> (S, K)."""
    sums = rows.new_zeros(len(lengths), rows.shape[1])
    return sums.index_add_(0, segment_of(lengths, rows.device), rows)


def sums_of_products(left: Tensor, right: Tensor, lengths: Tensor) -> Tensor:
    """Return Σ leftᵢ ⊗ rightᵢ over each segment: (m, K), (m, D) -> (S, K, D).

    One product of matrices for all segments of one length: never (m, K, D).
    """
    if len(lengths) and lengths[0] and (lengths == lengths[0]).all():
        shape = len(lengths), int(lengths[0]), -1
        return torch.bmm(left.view(shape).mT, right.view(shape))
    sums = left.new_zeros(len(lengths), left.shape[1], right.shape[1])
    begins = lengths.cumsum(0) - lengths
    for length in lengths[lengths > 0].unique().tolist():
        which = (lengths == length).nonzero().flatten()
        if len(which) == 1:
            rows = slice(int(begins[which]), int(begins[which]) + length)
            torch.mm(left[rows].T, right[rows], out=sums[int(which)])
        else:
            rows = (
                (begins[which, None] + torch.arange(length)).flatten().to(left.device)
            )
            shape = len(which), length, -1
            products = torch.bmm(left[rows].view(shape).mT, right[rows].view(shape))
            sums[which.to(left.device)] = products
    return sums


def softmax_(scores: Tensor) -> Tensor:
    """Return the softmax of each row, in the place of the scores; none is below e⁻⁶⁰.

    Of hundreds of words most would get less than float32 can write in full (1e-38), and
    a product of matrices with such subnormal numbers takes twenty times as long.
    """
    least = scores.amax(dim=1, keepdim=True) - NOTHING
    torch.maximum(scores, least, out=scores)
    return torch.softmax(scores, dim=1, out=scores)


def signed_power(values: Tensor, power: float) -> Tensor:
    """Return sign(v) |v|ᵖ: power normalisation."""
    if power == 1:
        return values
    if power == 0:
        return values.sign()  # 0⁰ is 1, but 0 has no sign
    size = values.abs()
    size = size.sqrt_() if power == 0.5 else size.pow_(power)
    return size.copysign_(values)


def unit(values: Tensor) -> Tensor:
    """Return rows of length 1 along the last axis; zeros stay zeros."""
    length = torch.linalg.vector_norm(values, dim=-1, keepdim=True)
    return values / torch.where(length > 0, length, 1)
