"""Run the reference once, and keep each step that it takes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.check.same.compare import channels_last, close, layouts, places
from course_lib.check.same.steps import Step
from course_lib.check.same.watch import Watch


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
