"""Which modules a process has, and how the ones after it begin with them."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def installed() -> list[str]:
    """Return the imported modules of the environment, not those of the work folder."""
    here = str(Path.cwd())
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and not file.startswith(here) and not name.startswith("__"):
            found.append(name)
    return found


def import_all(names: Iterable[str]) -> None:
    """Import modules, so that no submission has to."""
    for name in names:
        if name not in sys.modules:
            with suppress(Exception):
                importlib.import_module(name)
    gc.collect()
    gc.freeze()
