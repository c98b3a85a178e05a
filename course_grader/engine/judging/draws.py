"""The random state: it goes along with each call, and does not come back."""

from __future__ import annotations

import hashlib
import hmac
import pickle
import random
import struct
from collections.abc import Iterable

import numpy as np
import torch

GENERATORS = torch.Generator, np.random.Generator, np.random.RandomState, random.Random


class Draws:
    """What the student's side knows of our random state.

    secret: the student's side has seen our state, and what we draw afterwards must not
    follow from it. With the same secret and tests, the same is drawn.
    """

    def __init__(self, secret: bytes = b""):
        self.secret = secret
        self.known: tuple | None = None  # our state if nothing was drawn since a call
        self.told: tuple = ()  # our state at the last call

    def news(self) -> bytes | None:
        """Return the random state if we have drawn or seeded since it was told."""
        self.told = _state()
        if self.told == self.known:
            return None
        self.known = None
        return pickle.dumps(self.told)

    def stir(self, values: Iterable) -> None:
        """Seed anew, from its state and the secret, what the student's side was told.

        The student's state is never taken over: a student could choose what we draw.
        """
        if self.known is None:
            torch_state, numpy_state, python_state = self.told
            torch.default_generator.manual_seed(self._seed(torch_state))
            numbers = np.random.default_rng(self._seed(numpy_state[0]))
            np.random.seed(numbers.integers(2**32, size=4))  # noqa: NPY002
            random.seed(self._seed(struct.pack("625I", *python_state[1])))
            self.known = _state()
        for value in values:
            self._stir(value)

    def _stir(self, value) -> None:
        if isinstance(value, torch.Generator):
            value.manual_seed(self._seed(value.get_state().numpy().tobytes()))
        elif isinstance(value, np.random.Generator):
            source = value.bit_generator
            seed = self._seed(pickle.dumps(source.state))
            source.state = type(source)(seed).state
        elif isinstance(value, np.random.RandomState):
            seed = self._seed(pickle.dumps(value.get_state()))
            value.seed(seed % 2**32)
        elif isinstance(value, random.Random):
            value.seed(self._seed(repr(value.getstate()).encode()))

    def _seed(self, state: bytes) -> int:
        found = hmac.digest(self.secret, state, hashlib.sha256)
        return int.from_bytes(found[:8], "little", signed=True) & (2**63 - 1)


def _state() -> tuple:
    """Return the state of PyTorch's, NumPy's and Python's generator, as plain data."""
    _, key, *rest = np.random.get_state()  # noqa: NPY002
    torch_state = torch.get_rng_state().numpy().tobytes()
    return torch_state, (key.tobytes(), *rest), random.getstate()
