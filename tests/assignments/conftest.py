"""What an assignment's tests ask: the solution's run, and what a change to it costs.

A test module names its assignment in NAME; one that needs more, overrides these.
"""

from __future__ import annotations

import pytest
import torch

from tests import execute


@pytest.fixture(scope="module")
def solved(request, tmp_path_factory) -> execute.Run:
    """The solution's run, whose results stand where a mistake cannot reach."""
    torch.set_num_threads(1)
    name = request.module.NAME
    return execute.score(name, tmp_path_factory.mktemp(name))


@pytest.fixture
def lost(request, tmp_path, solved):
    """Return what a change costs: the test cells without points, and the errors."""

    def lost(changes: dict[str, str]) -> tuple[set, dict]:
        run = execute.score(request.module.NAME, tmp_path, changes, after=solved)
        return run.lost, run.errors

    return lost
