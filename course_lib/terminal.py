"""What a terminal shows safely, and which device this machine computes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_lib.errors import CourseError

if TYPE_CHECKING:
    import torch


def printable(text: str, instead: str = "?") -> str:
    """Return text that stays on one line: no control, escape or direction marks."""
    return "".join(letter if letter.isprintable() else instead for letter in text)


def best_device(device: str | torch.device | None = None) -> torch.device:
    """Return the given device, else CUDA where there is one, else the CPU.

    Raises CourseError for a device that this machine does not have.
    """
    import torch

    cuda = torch.cuda.device_count()
    device = device or ("cuda" if cuda else "cpu")
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError) as error:
        there = ["cpu", *(f"cuda:{number}" for number in range(cuda))]
        raise CourseError(
            f"no device {str(device)!r} on this machine: take {' or '.join(there)}"
        ) from error
    return found
