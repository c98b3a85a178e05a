"""Descriptors to learn from: a uniform sample held in memory, or all, as a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from course_lib.classical.sets import Batch, CodebookError, batches


class Source:
    """Descriptors to learn from, that can be gone through again and again.

    Iterating gives them in parts (m, D).  seeds: (s, D), a few of them, drawn
    uniformly.  count: how many there are.
    """

    def __init__(self, parts: Iterable[Tensor], seeds: Tensor, count: int):
        self.parts, self.seeds, self.count = parts, seeds, count

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.parts)

    def mapped(self, change) -> Source:
        """Return the descriptors as `change` makes them; memory stays what it is."""
        held = isinstance(self.parts, tuple)
        parts = tuple(map(change, self)) if held else Stream(self, change)
        return Source(parts, change(self.seeds), self.count)


class Stream:
    """An iterable that makes its parts anew each time it is gone through."""

    def __init__(self, parts: Iterable, change):
        self.parts, self.change = parts, change

    def __iter__(self):
        return map(self.change, self.parts)


class Passes:
    """The batches of `batches(**options)`, as often as they are asked for."""

    def __init__(self, **options):
        self.options = options

    def __iter__(self) -> Iterator[Batch]:
        return batches(**self.options)


def draw(
    sets, samples: int | None, seeds: int, random: np.random.RandomState, **options
) -> Source:
    """Draw `samples` descriptors, or take all (None), to learn from.

    Which are drawn, and which of them are seeds, depends on `random` alone, not on how
    the descriptors are split into images or batches.
    options: as of `batches`.
    """
    title, device = options.pop("title"), options.pop("device")
    through = Passes(sets=sets, title=title, **options)
    kept, keys, count = reservoir(through, samples or seeds, random)
    few = kept[smallest(keys, seeds)].to(device)
    if samples is None:
        stream = Passes(sets=sets, device=device, **options)
        return Source(Stream(stream, lambda batch: batch.descriptors), few, count)
    return Source(kept.to(device).split(options["rows"]), few, len(kept))


def reservoir(
    through: Iterable[Batch], size: int, random: np.random.RandomState
) -> tuple[Tensor, np.ndarray, int]:
    """Return `size` descriptors drawn uniformly in one pass, keys, and how many passed.

    Every descriptor gets a random key, and the smallest keys stay (Efraimidis and
    Spirakis, 2006, all weights 1): exact, and without a loop over descriptors.
    """
    kept, keys, count, limit = [], [], 0, 1.0
    for batch in through:
        key = random.random_sample(len(batch.descriptors))
        low = key < limit
        kept.append(batch.descriptors[torch.from_numpy(low)])
        keys.append(key[low])
        count += len(key)
        if sum(map(len, keys)) > 2 * size:
            kept, keys = trimmed(kept, keys, size)
            limit = keys[0].max()
    if not count:
        raise CodebookError("no image has a descriptor: there is nothing to learn from")
    kept, keys = trimmed(kept, keys, size)
    return kept[0], keys[0], count


def trimmed(kept: list[Tensor], keys: list[np.ndarray], size: int):
    rows = [part for part in kept if len(part)]
    rows, key = torch.cat(rows), np.concatenate(keys)
    chosen = smallest(key, size)
    return [rows[chosen]], [key[chosen]]


def smallest(keys: np.ndarray, size: int) -> np.ndarray:
    """Return the places of the smallest keys, in order of place."""
    if len(keys) <= size:
        return np.arange(len(keys))
    return np.sort(np.argpartition(keys, size - 1)[:size])
