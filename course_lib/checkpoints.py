"""Write the state of a training to a file, and go on from it."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path

import torch

from course_lib import notebook
from course_lib.files import replacing
from course_lib.recipe import Epoch, TrainingError


def folder() -> Path:
    """Return where trainings keep their state: $COURSE_RUNS, or else data/runs/."""
    return Path(os.environ.get("COURSE_RUNS") or notebook.ROOT / "data" / "runs")


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


def parts(run) -> dict:
    """Return those members of a `train.Run` that have a state_dict."""
    found = {"model": run.model, "optimizer": run.optimizer}
    if run.scaler.is_enabled():
        found["scaler"] = run.scaler
    if run.averaged:
        found["averaged"] = run.averaged
    return found


def identity(run) -> dict:
    """Return what two runs must share for one to go on from the other's state."""
    return asdict(run.recipe) | {"images": run.train.digest}


def save(run, path: str | Path | None) -> None:
    """Write the run to `path`, if there is one."""
    run.saved = time.perf_counter()
    if path is None:
        return
    state = {name: part.state_dict() for name, part in parts(run).items()}
    state |= {"identity": identity(run), "history": [*map(tuple, run.history)]}
    state |= {"step": run.step, "seconds": run.seconds, "totals": run.totals}
    with replacing(path) as part:
        torch.save(state, part)


def load(run, path: Path) -> None:
    """Put the run where the checkpoint was.

    TrainingError: the file is broken, or of another recipe, network or images.
    """
    start_anew = f"delete {path} to start anew, or name another checkpoint"
    try:
        state = torch.load(path, map_location=run.device, weights_only=True)
        theirs = state["identity"]
    except Exception as error:
        message = f"{path} is no checkpoint ({error}): {start_anew}"
        raise TrainingError(message) from error
    for field, value in identity(run).items():
        if theirs.get(field) != value:
            other = f"{field} is {theirs.get(field)!r} there, {value!r} here"
            raise TrainingError(f"{path} is of another run: {other}; {start_anew}")
    try:
        for name, part in parts(run).items():
            part.load_state_dict(state[name])
    except (KeyError, RuntimeError, ValueError) as error:
        message = f"{path} is of another network ({error}): {start_anew}"
        raise TrainingError(message) from error
    run.history.extend(Epoch(*epoch) for epoch in state["history"])
    run.step, run.seconds = state["step"], state["seconds"]
    run.totals = state["totals"].cpu()
