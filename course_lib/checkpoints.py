"""Write the state of a training to a file, and go on from it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch

from course_lib.files import ROOT, replacing
from course_lib.recipe import Epoch, TrainingError


def folder() -> Path:
    """Return where trainings keep their state: $COURSE_RUNS, or else data/runs/."""
    return Path(os.environ.get("COURSE_RUNS") or ROOT / "data" / "runs")


def peek(path: Path, name: str, missing):
    """Return one part of a checkpoint, or `missing` where there is none to read."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)[name]
    except Exception:  # missing or broken: `load` says which
        return missing


def history(path: Path) -> list[Epoch]:
    """Return the epochs that a checkpoint holds; none where there is no checkpoint."""
    return [Epoch(*epoch) for epoch in peek(path, "history", [])]


def recipe(path: Path) -> dict:
    """Return the recipe of a checkpoint's run; empty where there is no checkpoint."""
    return peek(path, "identity", {})


def save(run, path: str | Path | None) -> None:
    """Write the run to `path`, if there is one; of many processes the first does.

    TrainingError: it cannot be written. The file that was there stays as it was.
    """
    run.saved = time.perf_counter()
    if path is None:
        return
    state = run.state_dict()
    run.world.told(lambda: write(state, path))


def write(state: dict, path: str | Path) -> None:
    """Write a state whole; TrainingError when that cannot be."""
    try:
        with replacing(path) as part:
            torch.save(state, part)
    except (OSError, RuntimeError) as error:  # torch's own where a disk is full
        kept = f"the last state is still in {path}" if Path(path).exists() else ""
        advice = "make room there, or name another checkpoint; " + kept
        raise TrainingError(
            f"{path} cannot be written ({reason(error)}): {advice.rstrip('; ')}"
        ) from error


def load(run, path: Path) -> None:
    """Put the run where the checkpoint was, if there is one.

    TrainingError: the file is broken, or of another recipe, network or images.
    """
    start_anew = f"delete {path} to start anew, or name another checkpoint"
    state = run.world.told(lambda: of_run(run, path, start_anew))
    if state is None:
        return
    try:
        run.load_state_dict(state)
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        message = f"{path} is damaged ({reason(error)}): {start_anew}"
        raise TrainingError(message) from error


def of_run(run, path: Path, start_anew: str) -> dict | None:
    """Return a checkpoint's state, None where there is none; it must be of this run."""
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        theirs = state["identity"]
    except Exception as error:
        message = f"{path} is no checkpoint ({reason(error)}): {start_anew}"
        raise TrainingError(message) from error
    for field, value in run.identity.items():
        if theirs.get(field) == value or not comparable(field, theirs, run.identity):
            continue
        values = f"{field} is {theirs.get(field)!r} there, {value!r} here"
        other = OTHERWISE.get(field, f"another run: {values}")
        raise TrainingError(f"{path} is of {other}; {start_anew}")
    return state


OTHERWISE = {  # than a field of the recipe
    "network": "another network",
    "code": "another network: the code of its layers is not the same",
    "images": "other images",
}


def comparable(field: str, theirs: dict, ours: dict) -> bool:
    """Say whether a difference counts: two Pythons compile the same code otherwise."""
    same = theirs.get("python") == ours["python"]
    return field != "python" and (field != "code" or same)


def reason(error: BaseException) -> str:
    """Return an error in one short line: torch's go over many."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:120]
