"""How a message names a layer: its path and a short description."""

from __future__ import annotations

import re

from torch import nn

SETTINGS = re.compile(r", (?![^(]*\))")  # a comma that stands in no parentheses


class Label(str):
    """A layer's path and the beginning of its settings; `.settings` has all of them."""

    settings: str = ""


def label(name: str, module: nn.Module) -> Label:
    """Return a module's path and a short description: `stem.0` Conv2d(3, 96, …)."""
    settings = module.extra_repr()
    if "\n" in settings:  # a ParameterList, a row for each: their number is enough
        settings = f"{len(settings.splitlines())} parameters"
    parts = SETTINGS.split(settings)
    if isinstance(module, nn.Linear):
        parts = [str(module.in_features), str(module.out_features)]
    words = ", ".join(parts if len(parts) < 4 else [*parts[:2], "…"])
    name, kind = f"`{name or 'the network'}`", type(module).__name__
    short = Label(f"{name} {kind}({words})" if words else f"{name} {kind}")
    short.settings = settings
    return short
