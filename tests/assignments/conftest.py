"""The solution's run, computed once a process, and what a change to it costs."""

from __future__ import annotations

import hashlib
import shutil
from functools import cache
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from course_lib import notebook
from tests import execute
from tests.assignments import cases

TRAINS = {"a04_alexnet": ("04_alexnet", ("setup", "splits", "hand_in"))}


@pytest.fixture(scope="session")
def handed_in(request):
    """Return the folder of what an assignment's solution writes: None for most.

    It is trained once for all workers, and again when what it is made from changes.
    """

    @cache
    def handed_in(name: str) -> Path | None:
        if name not in TRAINS:
            return None
        unit, cells = TRAINS[name]
        made_from = [cases.sources(name)[cell] for cell in cells]
        made_from += [notebook.source(unit).read_text("utf-8"), torch.__version__]
        key = hashlib.sha256("".join(made_from).encode()).hexdigest()[:16]
        folder = Path(request.config.cache.mkdir(f"{name}-{key}"))
        with FileLock(f"{folder}.lock"):
            if not (folder / "record.json").exists():
                torch.set_num_threads(1)
                space: dict = {}
                for cell in cells:
                    exec(cases.sources(name)[cell], space)
                space["hand_in"](folder / "record.json")
        return folder

    return handed_in


@pytest.fixture(scope="session")
def runs(handed_in, tmp_path_factory):
    """Return the solution's run, whose results stand where a mistake cannot reach."""

    @cache
    def runs(name: str) -> execute.Run:
        torch.set_num_threads(1)
        return execute.score(name, handed_in(name) or tmp_path_factory.mktemp(name))

    return runs


@pytest.fixture
def solved(name, runs) -> execute.Run:
    return runs(name)


@pytest.fixture
def folder(name, handed_in, tmp_path) -> Path:
    """A work folder with what the assignment's solution writes."""
    if made := handed_in(name):
        shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def lost(name, folder, solved):
    """Return what a change costs: the test cells without points, and the errors."""

    def lost(changes: dict[str, str], again=()) -> tuple[set, dict]:
        run = execute.score(name, folder, changes, after=solved, again=again)
        return run.lost, run.errors

    return lost
