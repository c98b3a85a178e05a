"""What a terminal shows safely, and which device this machine computes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def printable(text: str, instead: str = "?") -> str:
    """Return text that stays on one line: no control, escape or direction marks."""
    return "".join(letter if letter.isprintable() else instead for letter in text)


def best_device(device: str | torch.device | None = None) -> torch.device:
    """Return the given device, else CUDA where there is one, else the CPU."""
    import torch

    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
