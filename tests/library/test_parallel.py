"""Two processes train what one trains; torchrun starts them again after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from course_lib import data, parallel, results, train
from course_lib.files import ROOT
from course_lib.preflight import another
from course_lib.recipe_fields import TrainingError

pytestmark = pytest.mark.slow


def trained(folder: Path | None = None, until=None):
    """Train on batches that two cannot halve, 61 and at last 29; return all of it."""
    torch.manual_seed(0)
    # smooth, so that rounding does not grow: no ReLU, no pooling
    layers = nn.Linear(3 * 32 * 32, 32), nn.Tanh(), nn.Linear(32, 10)
    net = nn.Sequential(nn.Flatten(), *layers)
    images, test = (
        data.load("digits", s, size=32, channels=3) for s in ("train", "test")
    )
    changes = {"flip": True, "crop_padding": 2, "cutout": 4, "ema_decay": 0.9}
    recipe = train.Recipe(epochs=3, batch_size=61, learning_rate=0.02, **changes)
    options = {"checkpoint": folder and folder / "run.pt", "until": until}
    history = train.fit(net, images.take(700), test, recipe, quiet=True, **options)
    return history, net


def work(folder: Path) -> None:
    """Be one of two processes; the second is killed once, after two epochs."""
    world = parallel.here()

    def until(epoch) -> bool:
        if world.first and epoch.epoch == 1 and not (folder / "first").exists():
            (folder / "first").write_text(json.dumps(epoch))
        if not world.first and epoch.epoch == 2 and not (folder / "killed").exists():
            (folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    history, net = trained(folder, until)
    weights = [p.detach().flatten() for p in net.parameters()]
    torch.save(
        (list(map(tuple, history)), torch.cat(weights)), folder / f"{world.rank}"
    )


def test_two_processes_one_of_them_killed_train_what_one_trains(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "--max-restarts", "1"]
    done = subprocess.run(
        [*command, __file__, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "killed").exists()
    (rows, weights), (others, their_weights) = (
        torch.load(tmp_path / str(rank)) for rank in (0, 1)
    )
    # after the kill the first epoch came from the checkpoint: its seconds are the same
    assert json.loads((tmp_path / "first").read_text()) == list(rows[0])
    assert torch.equal(weights, their_weights)
    history, net = trained()
    alone = torch.cat([p.detach().flatten() for p in net.parameters()])
    torch.testing.assert_close(weights, alone, atol=1e-5, rtol=0)
    for epoch, row, other in zip(history, rows, others, strict=True):
        assert row[:6] == other[:6]
        torch.testing.assert_close(row[1:5], epoch[1:5], atol=1e-5, rtol=0)


def test_the_command_writes_and_says_once_what_two_processes_did(tmp_path):
    """The record's score is over all test images, though their shares are uneven."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "course_lib", "train", "04_alexnet"]
    done = subprocess.run(
        [*command, "--epochs", "1", "--out", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("record:") == done.stdout.count("test top-1") == 1
    (path,) = tmp_path.glob("*.json")
    suffixes = sorted(file.suffix for file in tmp_path.iterdir())
    assert suffixes == [".json", ".pt", ".safetensors"]
    record = results.read(path)
    assert record.device.startswith("2 x ")
    assert results.verify(path).ok
    val = data.load("digits", "val", size=32, channels=3)
    assert len(val) % 2 == 1
    share = record.history[-1].val_top1 * len(val)
    assert share == pytest.approx(round(share), abs=1e-9)


def test_shares_of_a_batch_are_the_batch():
    images = data.load("digits", "test", size=32, channels=3)
    options = {"shuffle": True, "flip": True, "crop_padding": 3, "cutout": 5, "seed": 4}
    whole = data.batches(images, 50, **options)
    shares = [data.batches(images, 50, share=(r, 3), **options) for r in range(3)]
    for (pixels, labels), *parts in zip(whole, *shares, strict=True):
        for r, (some, theirs) in enumerate(parts):
            assert torch.equal(some, pixels[r::3])
            assert torch.equal(theirs, labels[r::3])


def test_a_last_batch_that_gives_a_process_nothing_is_named(monkeypatch):
    monkeypatch.setattr(parallel, "join", lambda device: parallel.World(0, 4))
    images = data.load("digits", "train", size=32, channels=3).take(103)
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 1024, 10))
    with pytest.raises(TrainingError, match=r"leave 3 .* 4 processes .* batch_size 49"):
        train.fit(net, images, None, train.Recipe(batch_size=50), quiet=True)
    assert another(103, 50, 4) == 49  # which leaves 5 for the last batch


if __name__ == "__main__":
    work(Path(sys.argv[1]))
