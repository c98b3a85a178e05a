"""What every floor may raise or say: sentences for the user, not bugs."""

from __future__ import annotations

from typing import NamedTuple


class CourseError(Exception):
    """Say what is wrong, what was expected and what to do: `course` prints that."""


class CheckFailed(AssertionError):
    """A check does not hold; the message names the likely mistake and its place."""


class Finding(NamedTuple):
    """One line of `course doctor`: what was looked at, and what to do about it."""

    what: str
    state: str  # "ok", "note" (works, but read this) or "wrong"
    found: str
    advice: str = ""
