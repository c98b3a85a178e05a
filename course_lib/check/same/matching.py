"""The engine behind `check.matches`: is this the same network?

The reference runs once: each operation that owns parameters becomes a `Step`, with what
it saw and what it answered; its parameters are re-drawn as it runs. Then the candidate
runs: an operation that sees what a step saw is handed that step's weights, and must
answer the same. How operations are seen, whatever they are called: `watching`.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import permutations
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from course_lib.check.same.watching import (
    SETTINGS,
    TOLERANCE,
    NoDropout,
    Order,
    Step,
    Watch,
    align,
    channels_last,
    close,
    layouts,
    places,
)
from course_lib.errors import CheckFailed

ATTEMPTS = 64  # runs of the candidate to find which of several like layers is which
WINDOW = 16  # layers within which a wrong choice of branches shows
NEAR = 3  # the same for the order of heads: the projection after them shows it


class Parted(Exception):
    """The candidate leaves the reference here; the message says where and how."""


class Differs(Parted):
    """The same input for sure, and another answer: no other choice can mend it."""


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
        best, plan = (-1, ""), []
        for _ in range(ATTEMPTS):
            hand = Hand(yours, record, plan)
            try:
                return hand.verdict(_run(hand, yours, images), expected)
            except Parted as parted:
                best = max(best, (len(hand.layers), str(parted)), key=lambda b: b[0])
                if isinstance(parted, Differs):
                    break
            except (RuntimeError, ValueError, IndexError) as error:
                after = hand.last()[0]
                message = f"yours cannot take these images, after {after}: {error}"
                raise CheckFailed(message) from error
            plan = hand.next_plan(best[0])
            if plan is None:
                break
    raise CheckFailed(best[1])


def _prepared(net: nn.Module, train: bool, images: Tensor) -> nn.Module:
    """Return a float64 copy on the images' device, dropout off."""
    net = copy.deepcopy(net).to(images.device, torch.float64).train(train)
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
    with torch.no_grad(), torch.random.fork_rng(), torch.backends.cudnn.flags(False):
        torch.manual_seed(0)
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)


class Record(Watch):
    """Run the reference: re-draw its parameters as they are met, and keep each step.

    A weight is scaled by what it answers on these images, so that activations neither
    vanish nor explode through any number of layers: the standard deviation is 2, enough
    for ReLU6 to differ from ReLU and little enough for hard-swish to differ from swish.
    """

    def __init__(self, net: nn.Module):
        super().__init__(net)
        self.steps: list[Step] = []
        for p in net.parameters():
            fan_in = p[0].numel() if p.ndim > 1 else 1
            p.normal_().div_(fan_in**0.5)

    def draw(self, weight: Tensor, low: float | None = None, high: float = 0) -> None:
        """Re-draw once: uniform from `low` to `high`, or normal."""
        if not self.weights.is_done(weight):
            values = torch.randn_like(weight)
            if low is not None:
                values = low + (high - low) * torch.rand_like(weight)
            self.weights.write(weight, values)

    def linear(self, x, weight, bias, run, conv=None):
        own = self.weights.read(weight)
        answer = run(own)
        if not self.weights.is_done(weight):
            factor = 2 / answer.std().clamp_min(1e-12)
            self.weights.write(weight, own * factor)
            answer = answer * factor
        rows = channels_last(answer) if conv else answer
        name = self.weights.label(weight)
        step = Step("linear", name, x.clone(), y=rows.clone(), conv=conv or {})
        step.whole = self.whole if conv else None
        step.weight = self.weights.read(weight)
        self.steps.append(step)
        if bias is None:
            return answer
        self.draw(bias)
        step.bias = self.weights.read(bias).clone()
        return answer + (step.bias[:, None, None] if conv else step.bias)

    def normalised(self, before, name, affine, run, rows, stats):
        self.draw_stats(before, *stats)
        drawn = tuple(s.clone() for s in stats)
        x, *rest = run()
        x = rows(x).clone()
        step = Step("scale", name, x, before=before, stats=drawn, y=x)
        step.after = tuple(s.clone() for s in stats)
        self.steps.append(step)
        weight, bias = affine
        if weight is not None:
            self.draw(weight, 0.5, 4)
            step.weight = self.weights.read(weight).flatten().clone().expand_as(x)
            step.y = x * step.weight
        if bias is None:
            return step.y.clone(), rest
        self.draw(bias)
        step.bias = self.weights.read(bias).flatten().clone()
        return step.y + step.bias, rest

    def draw_stats(self, before: Tensor, *stats: Tensor) -> None:
        """Re-draw running mean and variance near what the batch has.

        A channel that hardly varies is given a tenth of the mean variance: dividing by
        less would enlarge rounding errors, layer by layer, until networks seem to part.
        """
        if stats:
            mean, var = stats
            spread = before.var(0, unbiased=False)
            spread = spread.clamp_min(0.1 * spread.mean() + 1e-12)
            mean.copy_(before.mean(0) + 0.3 * spread.sqrt() * torch.randn_like(mean))
            var.copy_(spread * (0.5 + torch.rand_like(var)))

    def pointwise(self, kind, x, w, run):
        self.draw(w, *((0.5, 1.5) if kind == "scale" else ()))
        w_read = self.weights.read(w)
        answer = run(x, w_read)
        wide, w_wide = x.expand_as(answer), w_read.expand_as(answer)
        rows, _ = next(layouts(wide))
        values, _ = next(layouts(w_wide))
        if kind == "add" and self.is_bias(wide, w_wide):
            return answer
        name = self.weights.label(w)
        step = Step(kind, name, rows.clone(), weight=values.clone())
        step.y = rows * values if kind == "scale" else None
        self.steps.append(step)
        return answer

    def is_bias(self, x: Tensor, w: Tensor) -> bool:
        """Give a bias that is added by hand to the step that it completes."""
        for step in reversed(self.steps[-8:]):
            if step.bias is not None or step.y is None:
                continue
            place = places(step.y, x)
            if place is None:
                continue
            values = w.flatten()[place].view(step.y.shape)
            if close(values, values[:1].expand_as(values)):
                step.bias = values[0].clone()
                return True
        return False

    def simple(self, kind, x, owned):
        for weight in owned:
            self.draw(weight, *((0.5, 1.5) if kind != "join" else ()))
        name = self.weights.label(owned[0])
        values = torch.cat([self.weights.read(w).flatten() for w in owned])
        self.steps.append(Step(kind, name, x, weight=values[None]))


class Choice(NamedTuple):
    """Which of several options was taken, and after how many layers."""

    taken: int
    start: int  # the first that was tried
    options: int
    layer: int
    window: int  # how many layers later a failure may still be its fault


class Owed(NamedTuple):
    """A bias that theirs has inside a layer, and that yours has not added yet."""

    rows: Tensor
    bias: Tensor
    yours: str
    theirs: str

    def words(self) -> str:
        return f"{self.yours} has no bias; theirs, {self.theirs}, has one."


class Filling(NamedTuple):
    """Outputs of one or several steps that together make a linear layer of yours."""

    order: Order
    parts: list[tuple[Step, Tensor]]  # a step, and which of its outputs
    by_maps: bool
    shuffle: Tensor | None = None

    def values(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return weight, answer and bias that yours should have, in its own order."""
        order, parts = self.order, self.parts
        weights = [
            s.weight[o] if self.by_maps else s.weight[o].flatten(1) for s, o in parts
        ]
        weight, answer = torch.cat(weights), torch.cat([s.y[:, o] for s, o in parts], 1)
        biases = [s.bias[o] for s, o in parts if s.bias is not None]
        bias = torch.cat(biases)[None] if biases else None
        outputs = Order(order.rows, self.shuffle)
        if self.by_maps and parts[0][0].depthwise:  # an output a channel
            outputs = Order(None, order.columns)
        else:
            weight = order.pick(weight)
        weight = weight if outputs.columns is None else weight[outputs.columns]
        return weight, outputs(answer), None if bias is None else outputs.pick(bias)[0]


def fillings(family: list, yours: Step, by_maps: bool) -> Iterator[Filling]:
    """Yield the ways to make `yours` from (step, order) with its input.

    First whole steps, in the order in which they ran; then several as one (q, k and v
    of theirs are one layer of yours), then a part of one.
    """
    outputs = len(yours.weight)
    free = [(s, (~s.used).nonzero().flatten()) for s, _ in family if not s.used.all()]
    order = family[0][1] if family else None
    found = [[part] for part in free if len(part[1]) == outputs]
    if not found:
        for several in range(2, min(len(free), 4) + 1):
            found += [
                list(parts)
                for parts in permutations(free, several)
                if sum(len(o) for _, o in parts) == outputs
            ]
        for step, left in free:
            if len(left) % outputs == 0:
                found += [[(step, part)] for part in left.split(outputs)]
    yield from (Filling(order, parts, by_maps) for parts in found)
    if found and not yours.conv and outputs == 3 * yours.features:
        for shuffle in interleavings(outputs):
            yield Filling(order, found[0], by_maps, shuffle)


def interleavings(outputs: int) -> Iterator[Tensor]:
    """Yield the orders in which q, k and v of each head can lie in one layer."""
    index = torch.arange(outputs)
    for heads in (2, 3, 4, 6, 8, 12, 16):
        if outputs % (3 * heads) == 0:
            yield index.view(3, heads, -1).transpose(0, 1).flatten()
            yield index.view(heads, 3, -1).transpose(0, 1).flatten()


def same_maps(yours: Step, theirs: Step) -> Order | None:
    """Compare two convolutions with one kernel by their inputs."""
    if not (yours.conv and theirs.conv) or yours.x.shape != theirs.x.shape:
        return None
    if yours.weight.shape[1:] != theirs.weight.shape[1:]:
        return None
    order = align(channels_last(yours.x), channels_last(theirs.x))
    return order if order and order.rows is None else None


def same_rows(yours: Step, theirs: Step) -> Order | None:
    """Compare any two linear layers by the patches they see."""
    if yours.features != theirs.features or yours.depthwise or theirs.depthwise:
        return None
    both = yours.conv and theirs.conv and yours.x.shape == theirs.x.shape
    if both and yours.weight.shape[1:] == theirs.weight.shape[1:]:
        return None  # their inputs have been compared as maps
    if not yours.conv and len(yours.x) != len(theirs.y):
        return None
    return align(yours.rows, theirs.rows)


class Hand(Watch):
    """Run the candidate: hand each operation the weights of the step that saw the same.

    Where several steps did, `plan` says which to take; those not in it take what
    was right the last time, or the first.
    """

    def __init__(self, net: nn.Module, record: Record, plan: list[Choice]):
        super().__init__(net)
        self.record, self.plan = record, plan
        self.choices: list[Choice] = []
        self.layers: list[tuple[str, str]] = []
        self.owed: list[Owed] = []
        for step in record.steps:
            outputs = len(step.weight) if step.kind == "linear" else 1
            step.used = torch.zeros(outputs, dtype=torch.bool)

    def next_plan(self, furthest: int) -> list[Choice] | None:
        """Return the choices of the next attempt: the last that has an alternative."""
        choices = list(self.choices)
        while choices:
            last = choices.pop()
            open_ = (last.taken + 1) % last.options != last.start
            if open_ and last.layer >= furthest - last.window:
                taken = (last.taken + 1) % last.options
                return [*choices, last._replace(taken=taken)]
        return None

    def choose(self, options: list):
        if len(options) == 1:
            return options[0]
        if len(self.choices) < len(self.plan):
            choice = self.plan[len(self.choices)]
        else:
            like = [c.taken for c in self.choices if c.options == len(options)]
            start = like[-1] if like else 0
            shuffled = getattr(options[-1], "shuffle", None) is not None
            window = NEAR if shuffled else WINDOW
            choice = Choice(start, start, len(options), len(self.layers), window)
        self.choices.append(choice)
        return options[choice.taken]

    def write(self, weight: Tensor, values: Tensor, yours: str, theirs: str) -> Tensor:
        """Hand over, and return the weight as it now is."""
        if not self.weights.write(weight, values.reshape(weight.shape)):
            raise Parted(
                f"{yours} shares parameters between places where theirs, {theirs}, "
                "has different ones."
            )
        return self.weights.read(weight)

    # -- linear layers -----------------------------------------------------------------

    def linear(self, x, weight, bias, run, conv=None):
        yours = Step("linear", self.weights.label(weight), x, weight, conv=conv or {})
        yours.whole = self.whole if conv else None
        options = self.options(yours)
        if not options:
            raise Parted(self.unknown(yours))
        filling = self.choose(options)
        theirs = " + ".join(dict.fromkeys(step.name for step, _ in filling.parts))
        values, expected, biases = filling.values()
        answer = run(self.write(weight, values, yours.name, theirs))
        rows = channels_last(answer) if conv else answer
        if not close(rows, expected):
            kind = Differs if len(options) == 1 else Parted
            raise kind(self.differ(yours, filling.parts[0][0], rows, expected))
        for step, outputs in filling.parts:
            step.used[outputs] = True
        self.layers.append((yours.name, theirs))
        shift = self.shift(rows, bias, biases, yours.name, theirs)
        return answer + (shift[:, None, None] if conv else shift)

    def shift(self, rows, bias, expected, yours, theirs) -> Tensor:
        """Hand over a bias; one that yours lacks may still be added by hand."""
        if bias is None:
            if expected is not None:
                self.owed.append(Owed(rows.clone(), expected, yours, theirs))
            return rows.new_zeros(rows.shape[1])
        if expected is None:
            raise Parted(f"{yours} has a bias that theirs, {theirs}, has not.")
        return self.write(bias, expected, yours, theirs).flatten()

    def options(self, yours: Step) -> list[Filling]:
        """Return the ways to fill `yours` from steps with its input, best first."""
        linear = [s for s in self.record.steps if s.kind == "linear"]
        for by_maps, seen in ((True, same_maps), (False, same_rows)):
            family = [(s, order) for s in linear if (order := seen(yours, s))]
            options = list(fillings(family, yours, by_maps))
            if options:
                return options
        return []

    # -- norms and bare parameters -----------------------------------------------------

    def normalised(self, before, name, affine, run, rows, stats):
        found = self.find_norms(before, name, run, rows, stats)
        theirs, order, by_input = self.choose(found)
        for mine, drawn in zip(stats, theirs.stats, strict=False):
            mine.copy_(order.pick(drawn[None])[0])
        x, *rest = run()
        x = rows(x)
        yours = Step("scale", name, x, before=before)
        if by_input and not close(x, order(theirs.x)):
            kind = Differs if len(found) == 1 else Parted
            raise kind(self.differ(yours, theirs, x, order(theirs.x)))
        for mine, after in zip(stats, theirs.after, strict=False):
            if not close(mine, order.pick(after[None])[0]):
                raise Parted(
                    f"{name} and theirs, {theirs.name}, see the same batch but keep "
                    f"other running statistics{against(yours, theirs)}."
                )
        weight, bias = affine
        if weight is None and theirs.weight is not None:
            return (
                x.clone(),
                rest,
            )  # theirs is handed over when yours multiplies by hand
        return self.scaled(x, weight, bias, order, yours, theirs), rest

    def scaled(self, x, weight, bias, order, yours: Step, theirs: Step) -> Tensor:
        if weight is not None:
            if theirs.weight is None:
                raise Parted(
                    f"{yours.name} has a gamma; theirs, {theirs.name}, has not."
                )
            values = order.pick(theirs.weight[:1])[0]
            x = x * self.write(weight, values, yours.name, theirs.name).flatten()
        theirs.used[:] = True
        self.layers.append((yours.name, theirs.name))
        shift = theirs.bias if theirs.bias is None else order.pick(theirs.bias[None])[0]
        return x + self.shift(x, bias, shift, yours.name, theirs.name)

    def find_norms(self, before, name, run, rows, stats) -> list:
        """Find the steps with this input, or the norms that theirs does by hand."""
        steps = [s for s in self.record.steps if s.kind == "scale" and not s.used.any()]
        norms = [s for s in steps if s.before is not None]
        found = [(s, o, True) for s in norms if (o := align(before, s.before))]
        if not found and not stats:
            x = rows(run()[0])
            found = [(s, o, False) for s in steps if (o := align(x, s.x))]
        if not found:
            raise Parted(self.unknown(Step("scale", name, before, before=before)))
        return found

    def pointwise(self, kind, x, w, run):
        shape = torch.broadcast_tensors(x, w)[0].shape
        wide = x.expand(shape)
        w_wide = self.weights.follow(lambda w: w.expand(shape), w)
        name = self.weights.label(w)
        values = self.owing(wide) if kind == "add" else None
        for rows, back in layouts(wide):
            if values is None:
                values = self.find_pointwise(kind, rows, name)
                values = values if values is None else back(values)
        if values is not None:
            self.write(w_wide, values, name, self.layers[-1][1])
            return run(x, self.weights.read(w))
        rows, _ = next(layouts(wide))
        raise Parted(self.unknown(Step(kind, name, rows.clone(), weight=w)))

    def owing(self, x: Tensor) -> Tensor | None:
        """Return the bias that theirs adds to these values inside its layer, if one."""
        for owed in self.owed:
            place = places(x, owed.rows)
            if place is not None:
                self.owed.remove(owed)
                return owed.bias.expand_as(owed.rows).flatten()[place].view(x.shape)
        return None

    def find_pointwise(self, kind: str, rows: Tensor, name: str) -> Tensor | None:
        """Return what theirs multiplies with, or adds to, these rows."""
        steps = [s for s in self.record.steps if s.kind == kind and not s.used.any()]
        steps = [s for s in steps if s.weight is not None]
        found = [(s, order) for s in steps if (order := align(rows, s.x))]
        if not found:
            return None
        step, order = self.choose(found)
        step.used[:] = True
        self.layers.append((name, step.name))
        values = order(step.weight)
        if step.bias is not None:
            bias = order.pick(step.bias[None])[0]
            self.owed.append(Owed(rows * values, bias, name, step.name))
        return values

    def simple(self, kind, x, owned):
        name = self.weights.label(owned[0])
        numel = sum(w.numel() for w in owned)
        steps = [s for s in self.record.steps if s.kind == kind and not s.used.any()]
        found = [s for s in steps if s.weight.numel() == numel]
        found = [s for s in found if x.numel() == 0 == s.x.numel() or align(x, s.x)]
        if not found:
            raise Parted(self.unknown(Step(kind, name, x, weight=owned[0])))
        step = self.choose(found)
        step.used[:] = True
        values = step.weight[0].split([w.numel() for w in owned])
        for weight, part in zip(owned, values, strict=True):
            self.write(weight, part, name, step.name)
        self.layers.append((name, step.name))

    # -- the answer --------------------------------------------------------------------

    def verdict(self, outputs: list[Tensor], expected: list[Tensor]) -> Match:
        """Return the Match, or raise Parted for what only the end of the run shows."""
        if self.owed:
            raise Parted(self.owed[0].words())
        rest = [s for s in self.record.steps if not s.used.all()]
        if rest:
            raise Parted(
                f"yours ends after {self.last()[0]}, but theirs goes on with "
                f"{rest[0].name}."
            )
        where = (
            "everything agrees up to the last layer, {} (theirs {}), but the outputs"
        )
        where = where.format(*self.last())
        if [y.shape for y in outputs] != [y.shape for y in expected]:
            shapes = ([tuple(y.shape) for y in ys] for ys in (outputs, expected))
            raise Parted("{} are {}, theirs {}.".format(where, *shapes))
        pairs = zip(outputs, expected, strict=True)
        error = max((relative(y, e) for y, e in pairs), default=0.0)
        if not error < TOLERANCE:
            raise Parted(f"{where} differ: {hint(outputs[0], expected[0])}.")
        return Match(error, self.compare_params(), tuple(dict.fromkeys(self.layers)))

    def compare_params(self) -> int:
        """Return how many parameters ran; those that did not must agree in number."""
        sides = self.weights, self.record.weights
        ran, theirs_ran = (int(w.done.count_nonzero()) for w in sides)
        idle, theirs_idle = len(sides[0].done) - ran, len(sides[1].done) - theirs_ran
        if ran != theirs_ran:
            raise Parted(
                f"the outputs agree, but {ran:,} parameters of yours take part and "
                f"{theirs_ran:,} of theirs: are some shared between layers?"
            )
        if idle != theirs_idle:
            names = [w.idle_names() for w in sides]
            raise Parted(
                f"the outputs agree, but {idle:,} parameters of yours never run "
                f"({names[0]}) and {theirs_idle:,} of theirs ({names[1]}). An "
                "auxiliary head runs in train mode alone: compare with train=True."
            )
        return ran + idle

    def last(self) -> tuple[str, str]:
        return self.layers[-1] if self.layers else ("the input", "the input")

    def unknown(self, yours: Step) -> str:
        """Say where the two part when no step saw what `yours` sees."""
        if self.owed:
            return self.owed[0].words()
        steps = self.record.steps
        for step in sorted(steps, key=lambda s: bool(s.used.all())):
            if step.kind == yours.kind and same_input(yours, step):
                if step.used.all():
                    return f"{yours.name} sees what in theirs only {step.name} sees."
                return (
                    f"{yours.name} and theirs, {step.name}, see the same input but are "
                    f"different layers{against(yours, step)}."
                )
        rest = [s for s in steps if not s.used.all()]
        like = [s for s in rest if s.kind == yours.kind and same_size(yours, s)]
        after = "the two part after {} (theirs: {}).".format(*self.last())
        if not rest:
            return f"{after} Theirs ends there, yours goes on with {yours.name}."
        theirs = rest[0]
        words = f"{after} Yours goes on with {yours.name}, theirs with {theirs.name}"
        if not like:
            return (
                f"{words}, and no layer of theirs that is still to come is like yours."
            )
        if like[0] is not theirs:
            words += (
                f"; {like[0].name} is the first like yours, but sees something else"
            )
        else:
            words += ", and these see different things"
        return f"{words}: {hint(yours.saw, like[0].saw)}."

    def differ(self, yours: Step, theirs: Step, rows: Tensor, expected: Tensor) -> str:
        """Say how two layers differ that see the same and answer differently."""
        words = (
            f"{yours.name} and theirs, {theirs.name}, see the same input and hold the "
            f"same weights but answer differently{against(yours, theirs)}"
        )
        if rows.shape != expected.shape:
            return f"{words}. {len(rows)} places against {len(expected)}."
        known = yours.conv or against(yours, theirs)
        return f"{words}." if known else f"{words}: {hint(rows, expected)}."


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


def relative(yours: Tensor, theirs: Tensor) -> float:
    return ((yours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-300)).item()


def same_input(yours: Step, theirs: Step) -> bool:
    """Tell whether two layers see the same, whatever they then make of it."""
    a, b = yours.saw, theirs.saw
    return a.shape == b.shape and close(a, b)


def same_size(yours: Step, theirs: Step) -> bool:
    if yours.weight is None or theirs.weight is None or yours.kind != "linear":
        return yours.x.shape[-1] == theirs.x.shape[-1]
    return yours.weight.numel() == theirs.weight.numel()


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
