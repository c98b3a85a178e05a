"""Which modules a process has, and how the ones after it begin with them."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from course_lib.check import forbidden

COMPILED = "TORCHINDUCTOR_CACHE_DIR"  # an import of PyTorch sets it and makes it


def installed() -> list[str]:
    """Return the imported modules of the environment, not those of the work folder."""
    here = str(Path.cwd())
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and not file.startswith(here) and not name.startswith("__"):
            found.append(name)
    return found


def practise() -> None:
    """Do once what takes a process some milliseconds the first time."""
    with torch.random.fork_rng(devices=[]):
        if "torch._dynamo" in sys.modules:  # else it would be imported now
            torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten())
        loss = F.cross_entropy(net(torch.ones(2, 1, 3, 3)), torch.tensor([0, 1]))
    loss.backward()
    with forbidden.enforced(["torch.nn.functional.elu"]):
        loss.relu()
    if "matplotlib.pyplot" in sys.modules:
        draw()


def draw() -> None:
    """Draw a figure as a notebook shows it: fonts are read, and texts are measured."""
    from IPython.core.pylabtools import print_figure
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    axes.plot([0, 1], label="a line")
    axes.set_title("0.0 to 1.0")
    axes.legend()
    print_figure(figure)


def import_all(names: Iterable[str]) -> None:
    """Import modules, so that no submission has to; leave no empty folder behind."""
    before = os.environ.get(COMPILED)
    for name in names:
        if name not in sys.modules:
            with suppress(Exception):
                importlib.import_module(name)
    if before is None and COMPILED in os.environ:
        with suppress(OSError):  # it is in use
            os.rmdir(os.environ.pop(COMPILED))
    gc.freeze()


def keep_all() -> None:
    """Look for garbage from now on, but never among what there is: all is to stay.

    Whoever is forked from here shares its memory as long as nobody touches it.
    """
    gc.freeze()
    gc.enable()
