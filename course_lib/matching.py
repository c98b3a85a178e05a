"""The engine behind `check.matches`: is this the same network?"""

from __future__ import annotations

from torch import nn


class CheckFailed(AssertionError):
    """A check does not hold; the message names the likely mistake and its place."""


class Match:
    """Placeholder until the engine stands."""


def label(name: str, module: nn.Module) -> str:
    """Return a module's path and a short description: `stem.0` Conv2d(3, 96, …)."""
    words = module.extra_repr().replace(", device=None", "")
    if len(words) > 48:
        words = words[:48].rsplit(",", 1)[0] + ", …"
    kind = type(module).__name__
    return f"`{name or 'the network'}` {kind}({words})" if words else f"`{name}` {kind}"


def matches(candidate: nn.Module, reference: nn.Module, images) -> Match:
    raise NotImplementedError
