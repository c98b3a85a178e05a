"""A test reads files that the student wrote; no program among them runs here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

WORDS = "is a program of the student's, which no test runs: read plain data"


def against_programs(folder: Path, released: frozenset[str]) -> None:
    """From now on, let this process run no file of a folder but the released ones.

    Source (runpy, %run, exec of what is compiled by its name), libraries (ctypes) and
    TorchScript; for pickles see `guard`.
    """
    root = os.path.realpath(folder)
    kept = {os.path.join(root, name) for name in released}

    def audit(event: str, args: tuple) -> None:
        if event in ("compile", "ctypes.dlopen"):
            name = args[1] if event == "compile" else args[0]
            if not isinstance(name, (str, bytes, os.PathLike)) or not name:
                return
            path = os.path.realpath(os.fsdecode(name))
            inside = path.startswith(root + os.sep) and path not in kept
            if inside and os.path.isfile(path):
                raise ValueError(f"{os.path.basename(path)} {WORDS}")

    def refuse(file, *args, **kwargs):
        raise ValueError(f"TorchScript {WORDS} or safetensors")

    sys.addaudithook(audit)
    torch.jit.load = refuse
