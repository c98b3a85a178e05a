"""Which cases of a test run after each edit, and which only in `make test`."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def rest_is_slow(cases: Iterable, first: int = 1) -> list:
    """Return a test's cases; all after the first ones are `slow`."""
    rows = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [
        pytest.param(*row, marks=[pytest.mark.slow] if place >= first else [])
        for place, row in enumerate(rows)
    ]
