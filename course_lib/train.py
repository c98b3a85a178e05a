"""Train and evaluate a classifier: functions of their arguments, nothing global.

Step s of a run with seed r sees the same images, the same crops and the same dropout
whatever ran before it. That is why a run that was killed and started again ends, on the
CPU, in the same weights to the last bit.
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from course_lib import checkpoints, identity, parallel, preflight, progress
from course_lib.data import Images, batches
from course_lib.precision import autocast
from course_lib.recipe import (
    Epoch,
    History,
    Recipe,
    Score,
    TrainingError,
    make_optimizer,
    rate_at,
)
from course_lib.terminal import best_device

__all__ = ["Epoch", "History", "Recipe", "Score", "TrainingError", "evaluate", "fit"]

CHECKPOINT_SECONDS = 60  # the most work that a kill can cost
TOGETHER = 50  # steps after which many processes ask whether to write it


def fit(
    model: nn.Module,
    train: Images,
    val: Images | None,
    recipe: Recipe,
    *,
    checkpoint: str | Path | None = None,
    device: str | torch.device | None = None,
    until: Callable[[Epoch], bool] | None = None,
    title: str = "training",
    quiet: bool = False,
) -> History:
    """Train `model` in place and return the history.

    A layer that is in eval mode while the model is in train mode stays so: frozen.
    checkpoint: a file, written at least every minute and at each epoch's end; if it
        exists, the run goes on from there. It must be of the same recipe, images and
        network, down to the code of its layers.
    device: default is CUDA where there is one, else the CPU.
    Under torchrun every process takes its share of each batch, see `parallel`; the
        first one alone shows progress and writes the checkpoint.
    until: stop after the first epoch for which it is true.
    Raises TrainingError when the network does not fit the images, the loss is not
    finite, the memory too small, or the checkpoint another run's.
    """
    device = best_device(device)
    world = parallel.join(device)
    preflight.require_trainable(model)
    preflight.require_shares(train, recipe.batch_size, world.size)
    if not model.training:
        model.train()
    memory_format = torch.channels_last if recipe.channels_last else None
    model.to(device, memory_format=memory_format or torch.preserve_format)
    train, val = train.to(device), val and val.to(device)
    run = Run(model, train, recipe, device, world)
    explained = partial(preflight.explained, run, partial(fill_memory, run))
    with explained():
        preflight.try_out(run)
    if checkpoint:
        checkpoints.load(run, Path(checkpoint))
    history = run.history
    quiet = quiet or not world.first
    shown = progress.show(title, recipe.epochs, history, device, recipe.seed, quiet)
    cuda = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(cuda), shown, explained():
        while not run.finished(until):
            train_epoch(run, shown, checkpoint)
            score = Score(math.nan, math.nan)
            if val is not None:
                tested = run.averaged or model
                score = evaluate(tested, val, device=device, world=world)
            run.end_epoch(score)
            checkpoints.save(run, checkpoint)
    if run.averaged:
        model.load_state_dict(run.averaged.module.state_dict())
    return history


class Run:
    """The state of a training: all that a checkpoint holds."""

    def __init__(
        self, model, train: Images, recipe: Recipe, device, world=parallel.ALONE
    ):
        self.model, self.train, self.recipe = model, train, recipe
        self.device, self.world = device, world
        layers, code = identity.of_model(model)
        self.identity = asdict(recipe) | {"network": layers, "code": code}
        self.identity |= {
            "images": train.digest,
            "python": ".".join(platform.python_version_tuple()[:2]),
        }
        self.steps = math.ceil(len(train) / recipe.batch_size)  # an epoch
        self.forward = world.shared(model, device)
        self.optimizer = make_optimizer(model, recipe)
        self.scaler = torch.amp.GradScaler(
            device.type, enabled=recipe.precision == "float16"
        )
        self.averaged = None
        if recipe.ema_decay:
            average = get_ema_multi_avg_fn(recipe.ema_decay)
            self.averaged = AveragedModel(model, multi_avg_fn=average, use_buffers=True)
        if recipe.compile:
            self.forward = torch.compile(self.forward)
        self.history = History()
        self.step = 0  # over all epochs
        self.seconds = 0.0  # in this epoch
        # loss, correct, images: of this process
        self.totals = torch.zeros(3, dtype=torch.float64)
        self.saved = time.perf_counter()

    def parts(self) -> dict:
        """Return those members that have a state_dict."""
        found = {"model": self.model, "optimizer": self.optimizer}
        if self.scaler.is_enabled():
            found["scaler"] = self.scaler
        if self.averaged:
            found["averaged"] = self.averaged
        return found

    def state_dict(self) -> dict:
        """Return all that another run of the same identity needs to go on from here.

        Every process must ask, as each has its share of the totals.
        """
        state = {name: part.state_dict() for name, part in self.parts().items()}
        state |= {"identity": self.identity, "history": [*map(tuple, self.history)]}
        return state | {
            "step": self.step,
            "seconds": self.seconds,
            "totals": self.world.sum(self.totals),
        }

    def load_state_dict(self, state: dict) -> None:
        """Go where the other run was."""
        for name, part in self.parts().items():
            part.load_state_dict(state[name])
        self.history.extend(Epoch(*epoch) for epoch in state["history"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.totals = state["totals"].cpu() * self.world.first

    def weight(self, count: int) -> float:
        """Return by what the mean loss of `count` images here counts in the batch's.

        The gradients of all processes are averaged, whatever their shares.
        """
        first = self.step % self.steps * self.recipe.batch_size
        whole = min(self.recipe.batch_size, len(self.train) - first)
        return count * self.world.size / whole

    def finished(self, until) -> bool:
        stopped = until and self.history and until(self.history[-1])
        return bool(stopped) or len(self.history) >= self.recipe.epochs

    def end_epoch(self, score: Score) -> None:
        loss, correct, images = self.world.sum(self.totals).tolist()
        rate = self.optimizer.param_groups[0]["lr"]
        means = loss / images, correct / images
        self.history.append(
            Epoch(len(self.history) + 1, *means, *score, rate, self.seconds)
        )
        self.totals, self.seconds = torch.zeros_like(self.totals), 0.0


def train_epoch(run: Run, shown, checkpoint) -> None:
    """Take the steps that this epoch still lacks."""
    epoch = len(run.history)
    pending, looked = torch.zeros(3, device=run.device), time.perf_counter()
    for images, labels in epoch_batches(run, epoch, run.step - epoch * run.steps):
        pending += train_step(run, images, labels)
        run.step += 1
        now = time.perf_counter()
        last = run.step == (epoch + 1) * run.steps
        save = checkpoint is not None and due(run, now)
        look = last or save or now - looked > shown.interval
        if look or run.device.type == "cpu":
            run.totals += pending.double().cpu()  # which waits until it is computed
            pending.zero_()
            require_finite(run)
        if look:
            now = time.perf_counter()
            run.seconds, looked = run.seconds + now - looked, now
            shown.update(where(run))
        if save and not last:
            checkpoints.save(run, checkpoint)


def epoch_batches(run: Run, epoch: int, start: int = 0) -> Iterator:
    """Yield this process's share of an epoch's batches, from the `start`-th on."""
    recipe = run.recipe
    chosen = {
        "shuffle": True,
        "flip": recipe.flip,
        "crop_padding": recipe.crop_padding,
        "cutout": recipe.cutout,
        "seed": recipe.seed,
    }
    where = {"epoch": epoch, "start": start, "share": run.world}
    return batches(run.train, recipe.batch_size, **chosen, **where)


def due(run: Run, now: float) -> bool:
    """Say whether a checkpoint is due; of many processes the first one's clock says."""
    late = now - run.saved > CHECKPOINT_SECONDS
    if run.world.size == 1:
        return late
    return run.step % TOGETHER == 0 and run.world.told(lambda: late)


def train_step(run: Run, images: Tensor, labels: Tensor) -> Tensor:
    """Take one step; return the main head's loss, correct answers and images, summed.

    That loss stands for the whole one as long as the whole one is finite.
    """
    recipe, device = run.recipe, run.device
    seed_dropout(recipe.seed * 1_000_003 + run.step + (run.world.rank << 40), device)
    for group in run.optimizer.param_groups:
        group["lr"] = recipe.learning_rate * rate_at(run.step / run.steps, recipe)
    loss, main, logits = losses(run, run.forward, images, labels)
    run.optimizer.zero_grad()
    run.scaler.scale(loss * run.weight(len(labels))).backward()
    if recipe.clip_norm:
        run.scaler.unscale_(run.optimizer)
        nn.utils.clip_grad_norm_(run.model.parameters(), recipe.clip_norm)
    run.scaler.step(run.optimizer)
    run.scaler.update()
    if run.averaged:
        run.averaged.update_parameters(run.model)
    correct = (logits.argmax(dim=1) == labels).sum()
    count = len(labels)
    shown = torch.where(loss.isfinite(), main, loss).detach()
    return torch.stack([shown * count, correct, correct.new_tensor(count)])


def losses(run: Run, network, images: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """Return the whole loss, that of the main head, and its logits (N, K)."""
    recipe = run.recipe
    if recipe.channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    with autocast(recipe, run.device):
        answer = network(images)
    logits, *auxiliary = answer if isinstance(answer, tuple) else (answer,)
    loss = main = smoothed(logits, labels, recipe)
    for head in auxiliary:
        loss = loss + recipe.auxiliary_weight * smoothed(head, labels, recipe)
    return loss, main, logits


def fill_memory(run: Run, size: int) -> None:
    """Do what a step of `size` images needs memory for; take no step."""
    try:
        loss, *_ = losses(run, run.model, *next(batches(run.train, size)))
        loss.backward()
    finally:
        run.optimizer.zero_grad()


def smoothed(logits: Tensor, labels: Tensor, recipe: Recipe) -> Tensor:
    smoothing = recipe.label_smoothing
    return F.cross_entropy(logits.float(), labels, label_smoothing=smoothing)


def seed_dropout(seed: int, device: torch.device) -> None:
    """Do what torch.manual_seed does, which takes 0.2 ms to note who called it."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def require_finite(run: Run) -> None:
    if math.isfinite(run.totals[0]):
        return
    now, highest = run.optimizer.param_groups[0]["lr"], run.recipe.learning_rate
    raise TrainingError(
        f"the loss is {run.totals[0].item()} in epoch {len(run.history) + 1}, step "
        f"{run.step}, where the learning rate was {now:.3g}: lower learning_rate "
        f"(try {highest / 10:.3g}), add warmup_epochs, or set clip_norm=1"
    )


def where(run: Run) -> progress.Now:
    loss, correct, images = run.totals.tolist()
    speed = run.world.size * images / max(run.seconds, 1e-9)
    to_do = run.recipe.epochs * run.steps - run.step
    left = to_do * run.recipe.batch_size / speed
    return progress.Now(
        run.step / run.steps, loss / images, correct / images, speed, left
    )


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    images: Images,
    *,
    batch_size: int | None = None,
    device=None,
    world: parallel.World = parallel.ALONE,
) -> Score:
    """Return loss and top-1 over all images, in eval mode; all modes are put back.

    Sums over images, one division: a smaller last batch weighs what it holds.
    batch_size: default is 1,000 images on a GPU and 32 on a CPU. There, larger batches
        need new memory for each layer, and most of the time goes into getting it.
    device: default is where the model is.
    world: with other processes, each of which takes its share and gets the same answer.
    """
    device = device or next((p.device for p in model.parameters()), "cpu")
    if batch_size is None:
        batch_size = 32 if torch.device(device).type == "cpu" else 1000
    loss, correct = 0.0, 0
    with evaluating(model):
        for batch, labels in batches(images.to(device), batch_size, share=world):
            if not len(labels):
                continue
            logits = model(batch)
            preflight.require_logits(logits, len(batch), images)
            loss += F.cross_entropy(logits.float(), labels, reduction="sum").item()
            correct += (logits.argmax(dim=1) == labels).sum().item()
    sums = world.sum(torch.tensor([loss, correct], dtype=torch.float64))
    return Score(*(sums / len(images)).tolist())


@contextmanager
def evaluating(model: nn.Module):
    """Put the model into eval mode, and each of its layers back into its own."""
    modes = {layer: layer.training for layer in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for layer, training in modes.items():
            layer.training = training
