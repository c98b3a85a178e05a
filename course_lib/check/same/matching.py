"""Are two networks the same? `matches` runs one after the other, and answers.

The reference runs once: each operation that owns parameters becomes a `Step`, with what
it saw and what it answered; its parameters are re-drawn as it runs. Then the candidate
runs: an operation that sees what a step saw is handed that step's weights, and must
answer the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from course_lib.check.same.compare import TOLERANCE, relative
from course_lib.check.same.hand import Differs, Hand, Parted
from course_lib.check.same.plan import Plan
from course_lib.check.same.record import Record
from course_lib.check.same.watch import NoDropout, Watch
from course_lib.check.same.words import hint
from course_lib.check.untouched import copied, fixed_random, sized
from course_lib.errors import CheckFailed

ATTEMPTS = 64  # runs of the candidate to find which of several like layers is which


@dataclass(frozen=True)
class Match:
    """Two networks are the same: layers as (yours, theirs) in order of execution."""

    error: float  # largest difference of the outputs over the largest output
    params: int
    layers: tuple[tuple[str, str], ...] = field(repr=False)

    def __repr__(self) -> str:
        return f"Match({len(self.layers)} layers, {self.params:,} parameters)"


def matches(
    candidate: nn.Module, reference: nn.Module, images: Tensor, *, train: bool = False
) -> Match:
    """Answer whether two networks are the same, whatever their layers are called.

    images: (N, C, H, W), N at least 2 (4 or more in train mode), not constant. Small
    ones are quicker; all activations of the reference are kept, in float64.
    train: BatchNorm uses the batch, and its running statistics are compared afterwards;
    dropout and stochastic depth are switched off either way.
    Raises CheckFailed that names, on both sides, the first layer where the two part.
    Neither network is touched: copies are re-drawn, handed weights and run.
    """
    images = images.detach().double()
    if len(images) < 2 or images[0].std() == 0 or torch.equal(images[0], images[1]):
        raise ValueError(
            "check.matches needs two or more different images that are not constant; "
            "torch.randn(2, 3, 64, 64) will do"
        )
    theirs, yours = (_prepared(net, train, images) for net in (reference, candidate))
    with _watching():
        record = Record(theirs)
        expected = _run(record, theirs, images)
        best, plan = (-1, ""), Plan()
        for _ in range(ATTEMPTS):
            hand = Hand(yours, record, plan)
            try:
                return _verdict(hand, _run(hand, yours, images), expected)
            except Parted as parted:
                best = max(best, (len(hand.layers), str(parted)), key=lambda b: b[0])
                if isinstance(parted, Differs):
                    break
            except (RuntimeError, ValueError, IndexError) as error:
                after = hand.last()[0]
                message = f"yours cannot take these images, after {after}: {error}"
                raise CheckFailed(message) from error
            plan = plan.next(best[0])
            if plan is None:
                break
    raise CheckFailed(best[1])


def _verdict(hand: Hand, outputs: list[Tensor], expected: list[Tensor]) -> Match:
    """Return the Match, or raise Parted for what only the end of the run shows."""
    if hand.owed:
        raise Parted(hand.owed[0].words())
    rest = [s for s in hand.record.steps if not s.used.all()]
    if rest:
        raise Parted(
            f"yours ends after {hand.last()[0]}, but theirs goes on with "
            f"{rest[0].name}."
        )
    where = "everything agrees up to the last layer, {} (theirs {}), but the outputs"
    where = where.format(*hand.last())
    if [y.shape for y in outputs] != [y.shape for y in expected]:
        shapes = ([tuple(y.shape) for y in ys] for ys in (outputs, expected))
        raise Parted("{} are {}, theirs {}.".format(where, *shapes))
    pairs = zip(outputs, expected, strict=True)
    error = max((relative(y, e) for y, e in pairs), default=0.0)
    if not error < TOLERANCE:
        raise Parted(f"{where} differ: {hint(outputs[0], expected[0])}.")
    return Match(error, hand.compare_params(), tuple(dict.fromkeys(hand.layers)))


def _prepared(net: nn.Module, train: bool, images: Tensor) -> nn.Module:
    """Return a float64 copy on the images' device, dropout off."""
    if any(p.is_complex() for p in sized(net).parameters()):
        raise CheckFailed("check.matches compares networks of real numbers alone")
    net = copied(net).to(images.device, torch.float64).train(train)
    for module in net.modules():
        kind = type(module).__name__.lower()
        if "drop" in kind or "stochasticdepth" in kind:
            for attribute in {"p", "drop_prob"} & vars(module).keys():
                setattr(module, attribute, 0.0)
        if isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
    return net


def _run(mode: Watch, net: nn.Module, images: Tensor) -> list[Tensor]:
    with mode, NoDropout():
        output = net(images.clone())
    if isinstance(output, dict):
        output = list(output.values())
    return [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]


@contextlib.contextmanager
def _watching() -> Iterator[None]:
    """No gradients, no random state used up, no fused kernels that hide layers."""
    fast = torch.backends.mha.get_fastpath_enabled()
    with torch.no_grad(), fixed_random(), torch.backends.cudnn.flags(False):
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
