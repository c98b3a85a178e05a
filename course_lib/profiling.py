"""Where the time of a training step goes: measured, in a student's words."""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from functools import partial
from typing import NamedTuple

import torch
from torch import nn
from torch.profiler import ProfilerActivity

from course_lib import preflight, train
from course_lib.data import Images
from course_lib.recipe import Recipe
from course_lib.terminal import best_device

WARM_UP, STEPS = 3, 20
# what multiplies each value that it reads many times; all else mostly moves memory
MULTIPLIES = ("conv", "mm", "linear", "matmul", "attention", "einsum", "gemm")

WORDS = {  # what a student calls PyTorch's operations, without "_backward"
    "add": "sum, as of a shortcut",
    "addmm": "linear layer",
    "cat": "branches joined",
    "clamp_min": "ReLU",
    "copy": "copy to another layout or precision",
    "cudnn_batch_norm": "batch normalisation",
    "cudnn_convolution": "convolution",
    "fill": "zeros written",
    "gather": "images shifted and mirrored",
    "max_pool2d_with_indices": "max pooling",
    "mkldnn_convolution": "convolution",
    "mm": "linear layer, backward",
    "mul": "product of single values",
    "native_batch_norm": "batch normalisation",
    "native_layer_norm": "layer normalisation",
    "threshold": "ReLU",
}


class Profile(NamedTuple):
    """Milliseconds a step by phase; shares of the computing time by operation."""

    phases: dict[str, float]  # "data", "forward", "backward", "optimiser"
    operations: dict[str, float]  # largest first; all together are 1
    images_per_second: float

    @property
    def memory_bound(self) -> float:
        """Share of the computing time that mostly moves memory, in [0, 1]."""
        return sum(s for name, s in self.operations.items() if not multiplies(name))


def multiplies(operation: str) -> bool:
    return any(word in operation for word in MULTIPLIES)


def in_words(operation: str) -> str:
    """Return what a student calls an operation; PyTorch's own name if there is none."""
    name = operation.removesuffix("_backward")
    words = WORDS.get(name, name.replace("_", " "))
    return words if name == operation else f"{words}, backward"


def profile(
    model: nn.Module, images: Images, recipe: Recipe, device=None, steps: int = STEPS
) -> Profile:
    """Train `model` for a few steps and return where their time went.

    It is trained by them. Raises TrainingError when it cannot be trained.
    """
    device = best_device(device)
    preflight.require_trainable(model)
    memory_format = torch.channels_last if recipe.channels_last else None
    model.train().to(device, memory_format=memory_format or torch.preserve_format)
    run = train.Run(model, images.to(device), recipe, device)
    with torch.random.fork_rng([device.index or 0] if device.type == "cuda" else []):
        with preflight.explained(run, partial(train.fill_memory, run)):
            preflight.try_out(run)
            take(run, WARM_UP)
            phases, count = timed(run, steps)
            operations = by_operation(run, max(2, steps // 5))
    seconds = sum(phases.values())
    each = {name: 1000 * total / steps for name, total in phases.items()}
    return Profile(each, operations, count / seconds)


def endless(run):
    """Yield batches as training does, epoch after epoch."""
    for epoch in itertools.count():
        yield from train.epoch_batches(run, epoch)


def take(run, steps: int, mark=lambda phase: None) -> int:
    """Take steps; say when the batch is there and when the step is over."""
    count = 0
    for images, labels in itertools.islice(endless(run), steps):
        mark("data")
        train.train_step(run, images, labels)
        mark("optimiser")
        count += len(labels)
    return count


def timed(run, steps: int) -> tuple[dict[str, float], int]:
    """Return seconds by phase, and how many images were trained on."""
    phases = dict.fromkeys(("data", "forward", "backward", "optimiser"), 0.0)
    last = 0.0

    def mark(phase: str) -> None:
        nonlocal last
        if run.device.type == "cuda":
            torch.cuda.synchronize(run.device)
        now = time.perf_counter()
        phases[phase] += now - last
        last = now

    hooks = [
        run.model.register_forward_hook(lambda *args: mark("forward")),
        run.optimizer.register_step_pre_hook(lambda *args: mark("backward")),
    ]
    last = time.perf_counter()
    count = take(run, steps, mark)
    for hook in hooks:
        hook.remove()
    return phases, count


def by_operation(run, steps: int) -> dict[str, float]:
    """Return each operation's share of the time that operations take themselves."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or it reports to the terminal
    cuda = run.device.type == "cuda"
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * cuda
    with torch.profiler.profile(activities=activities) as profiler:
        take(run, steps)
    times: Counter = Counter()
    for event in profiler.key_averages():
        if event.key.startswith("aten::"):
            name = event.key.removeprefix("aten::").strip("_")
            spent = event.self_device_time_total if cuda else event.self_cpu_time_total
            times[name] += spent
    total = sum(times.values())
    return {name: spent / total for name, spent in times.most_common() if spent}
