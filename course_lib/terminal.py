"""The machine that a command runs on: its device."""

from __future__ import annotations

import torch


def best_device(device: str | torch.device | None = None) -> torch.device:
    """Return the given device, else CUDA where there is one, else the CPU."""
    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
