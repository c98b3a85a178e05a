"""Run the candidate, and hand each operation the weights of the reference."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_lib.check.same.compare import align, channels_last, close, layouts, places
from course_lib.check.same.fill import Filling, fillings, same_maps, same_rows
from course_lib.check.same.plan import Plan
from course_lib.check.same.record import Record
from course_lib.check.same.steps import Step, same_input, same_size
from course_lib.check.same.watch import Watch
from course_lib.check.same.words import against, hint


class Parted(Exception):
    """The candidate leaves the reference here; the message says where and how."""


class Differs(Parted):
    """The same input for sure, and another answer: no other choice can mend it."""


class Owed(NamedTuple):
    """A bias that theirs has inside a layer, and that yours has not added yet."""

    rows: Tensor
    bias: Tensor
    yours: str
    theirs: str

    def words(self) -> str:
        return f"{self.yours} has no bias; theirs, {self.theirs}, has one."


class Hand(Watch):
    """Run the candidate: hand each operation the weights of the step that saw the same.

    Where several steps did, `plan` says which to take.
    """

    def __init__(self, net: nn.Module, record: Record, plan: Plan):
        super().__init__(net)
        self.record, self.plan = record, plan
        self.layers: list[tuple[str, str]] = []
        self.owed: list[Owed] = []
        for step in record.steps:
            outputs = len(step.weight) if step.kind == "linear" else 1
            step.used = torch.zeros(outputs, dtype=torch.bool)

    def choose(self, options: list):
        return self.plan.choose(options, len(self.layers))

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

    # -- what is said ------------------------------------------------------------------

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
