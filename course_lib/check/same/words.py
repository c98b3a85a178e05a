"""What is said where two networks part: the settings and causes that explain it."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.check.labels import SETTINGS
from course_lib.check.same.compare import TOLERANCE, close, relative
from course_lib.check.same.steps import Step


def against(yours: Step, theirs: Step) -> str:
    """Set the settings of two layers side by side where they differ."""
    a, b = (s.conv or _settings(s.name) for s in (yours, theirs))
    words = [
        f"{key}={a.get(key, 'none')} against {b.get(key, 'none')}"
        for key in {**a, **b}
        if str(a.get(key)) != str(b.get(key))
    ]
    if yours.conv and theirs.conv:
        kernels = [tuple(s.weight.shape[2:]) for s in (yours, theirs)]
        if kernels[0] != kernels[1]:
            words.insert(0, "kernel_size={} against {}".format(*kernels))
    return f": {', '.join(words)}" if words else ""


def _settings(name: str) -> dict:
    """Return `in_features=3, bias=True` as a dict; what has no name gets its place."""
    parts = SETTINGS.split(getattr(name, "settings", ""))
    pairs = (p.split("=", 1) if "=" in p else (i, p) for i, p in enumerate(parts))
    return dict(pairs)


def hint(yours: Tensor, theirs: Tensor) -> str:
    """Guess from two tensors, which should be the same, what comes between them."""
    if yours.shape != theirs.shape:
        return (
            f"{tuple(yours.shape)} against {tuple(theirs.shape)}. Look at the strides, "
            "padding and pooling (ceil_mode) between, and for a missing layer"
        )
    if not yours.isfinite().all():
        return "yours is not finite"
    error = relative(yours, theirs)
    words = [words for words, holds in CAUSES.items() if holds(yours, theirs)]
    nearly = "nearly the same: an epsilon, a constant, or an approximate activation?"
    other = (
        "an operation is missing, or too many, or out of order (shortcut, activation, "
        "norm, pooling, gate)?"
    )
    words.append(nearly if error < 0.02 else other)
    return f"{words[0]} (relative error {error:.1e})"


def _scaled(yours: Tensor, theirs: Tensor) -> bool:
    ratio = ((yours * theirs).sum() / theirs.square().sum()).item()
    return abs(ratio) > 1e-6 and close(yours / ratio, theirs)


def _clipped(yours: Tensor, theirs: Tensor) -> bool:
    return abs(yours.max() - 6) < 1e-9 and bool(theirs.max() > 6)


def _at_border(yours: Tensor, theirs: Tensor) -> bool:
    if yours.ndim != 4 or min(yours.shape[2:]) < 5:
        return False
    wrong = (yours - theirs).abs() > TOLERANCE * theirs.abs().max()
    return not wrong[:, :, 2:-2, 2:-2].any()


def _rows_of_one(yours: Tensor, theirs: Tensor) -> bool:
    sums = yours.sum(-1)
    return bool(yours.min() >= 0) and close(sums, torch.ones_like(sums))


CAUSES = {  # what is wrong, and when to say so
    "yours sums to 1: return the logits, without softmax": _rows_of_one,
    "yours is theirs times a constant: a scale is missing or too many": _scaled,
    "yours never exceeds 6: ReLU6 where theirs has ReLU?": _clipped,
    "theirs never exceeds 6: ReLU where theirs has ReLU6?": lambda y, t: _clipped(t, y),
    "yours is never negative: a ReLU too many, or too late?": (
        lambda y, t: bool(y.min() >= 0 > t.min())
    ),
    "theirs is never negative: a ReLU is missing, or too early?": (
        lambda y, t: bool(t.min() >= 0 > y.min())
    ),
    "they differ at the border alone: padding, or pooling's count_include_pad or "
    "ceil_mode?": _at_border,
}
