"""What all tests share: skips that say why, and images in the data folder or not."""

import os
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from course_lib import __main__


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def pytest_collection_modifyitems(items):
    data = Path(os.environ.get("COURSE_DATA", "nowhere"))
    reasons = {
        "gpu": None if torch.cuda.is_available() else "no CUDA device here",
        "real_data": None
        if data.is_dir()
        else "COURSE_DATA names no folder of real images",
    }
    for item in items:
        for marker, reason in reasons.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def one_thread():
    """Start from seed 0, on one thread: two test processes have two cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def run_course(monkeypatch, capsys):
    """run_course("data", "list"): the command, in this process, which has torch."""

    def run(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["course", *words])
        monkeypatch.setenv("COLUMNS", "100")
        with pytest.raises(SystemExit) as stop:
            __main__.main()
        return Done(stop.value.code or 0, *capsys.readouterr())

    return run
