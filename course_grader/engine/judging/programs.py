"""A test reads files that the student wrote; no program among them runs here."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

WORDS = "is a program of the student's, which no test runs: read plain data"


STARTS = "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"
SCRIPTS = (".py", ".sh", ".ipynb", ".pl", ".R")


def _is_data(path: str) -> bool:
    return not path.endswith(SCRIPTS) and not os.access(path, os.X_OK)


def _words(command) -> Iterator[str]:
    """Yield what a command and its arguments are made of."""
    if isinstance(command, (list, tuple)):
        for part in command:
            yield from _words(part)
    elif isinstance(command, (str, bytes, os.PathLike)):
        text = os.fsdecode(command)
        yield text
        yield from re.split(r"[\s;|&<>()'\"]+", text)


def against_programs(folder: Path, released: frozenset[str]) -> None:
    """From now on, let this process run no file of a folder but the released ones.

    Source (runpy, %run, exec of what is compiled by its name), libraries (ctypes),
    scripts that another program is started for, and TorchScript; for pickles see
    `guard`.
    """
    root = os.path.realpath(folder)
    kept = {os.path.join(root, name) for name in released}

    def refuse_mine(name, data: bool = False) -> None:
        """data: let files pass that are no program by their name or rights."""
        if not isinstance(name, (str, bytes, os.PathLike)) or not name:
            return
        path = os.path.realpath(os.fsdecode(name))
        inside = path.startswith(root + os.sep) and path not in kept
        if inside and os.path.isfile(path) and not (data and _is_data(path)):
            raise ValueError(f"{os.path.basename(path)} {WORDS}")

    def audit(event: str, args: tuple) -> None:
        if event in ("compile", "ctypes.dlopen"):
            refuse_mine(args[1] if event == "compile" else args[0])
        elif event in STARTS:
            for word in _words(args[:2]):
                refuse_mine(word, data=True)

    def refuse(file, *args, **kwargs):
        raise ValueError(f"TorchScript {WORDS} or safetensors")

    sys.addaudithook(audit)
    torch.jit.load = refuse
