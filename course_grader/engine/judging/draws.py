"""The random state: it goes along with each call, and does not come back."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterable

import numpy as np
import torch


class Draws:
    """What the student's side knows of our random state."""

    def __init__(self):
        self.known: tuple | None = None

    def news(self) -> bytes | None:
        """Return the random state if we have drawn or seeded since it was told."""
        now = _state()
        if self.known is not None and _same(now, self.known):
            return None
        return pickle.dumps(now)

    def stir(self, values: Iterable) -> None:
        """Draw once from every source, so that both sides do not draw alike any more.

        The student's state is never taken over: a student could choose what we draw.
        """
        torch.rand(1), np.random.random(), random.random()  # noqa: NPY002
        self.known = _state()
        for value in values:
            if isinstance(value, torch.Generator):
                torch.rand(1, generator=value)


def _state() -> tuple:
    return torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002


def _same(a: tuple, b: tuple) -> bool:
    numpy_alike = a[1][2] == b[1][2] and np.array_equal(a[1][1], b[1][1])
    return torch.equal(a[0], b[0]) and numpy_alike and a[2] == b[2]
