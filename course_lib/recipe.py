"""What decides a training, and what comes out of it: plain values, no behaviour."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import nn

from course_lib import recipe_fields
from course_lib.recipe_fields import TrainingError

__all__ = ["Epoch", "History", "Recipe", "Score", "TrainingError"]


@dataclass(frozen=True)
class Recipe:
    """All that decides a training, besides the network and the images.

    epochs: passes over the training images.  batch_size: images a step.
    learning_rate: the highest, reached after warmup_epochs (may be a fraction).
    optimizer: "sgd" (with momentum), "rmsprop" (with momentum; its decay is 0.9) or
        "adamw" (its betas are 0.9 and 0.999).
    epsilon: what rmsprop and adamw add to the root of the mean square.
    weight_decay: on weights of two or more dimensions; biases and norms go free.
    schedule: after the warm-up, "cosine" falls to 0 at the end, "constant" stays,
        "steps" divides by 10 after a half and three quarters of the epochs
        (arXiv:1512.03385, section 4.2), "exponential" multiplies by 0.94 every two
        epochs (arXiv:1512.00567, section 8).
    label_smoothing: probability spread over all classes, in [0, 1).
    auxiliary_weight: of the loss of each auxiliary head (arXiv:1409.4842, section 5),
        where the model in train mode answers (logits, *auxiliary logits).
    clip_norm: largest gradient norm, or None.  ema_decay: a step, e.g. 0.999, or None.
    precision: "float32", or "bfloat16" / "float16" for mixed precision.
    channels_last: NHWC in memory, faster for most convolutions.
    flip: mirror half of the images.  crop_padding: pixels of a random shift.
    cutout: pixels a side of a grey square at a random place, 0 for none.
    seed: of order, augmentation and dropout; initialisation is the caller's.

    TrainingError: a value that `recipe_fields.FIELDS` does not allow.
    """

    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 0.1
    optimizer: str = "sgd"
    momentum: float = 0.9
    nesterov: bool = False
    epsilon: float = 1e-8
    weight_decay: float = 5e-4
    schedule: str = "cosine"
    warmup_epochs: float = 0.0
    label_smoothing: float = 0.0
    auxiliary_weight: float = 0.3
    clip_norm: float | None = None
    ema_decay: float | None = None
    precision: str = "float32"
    channels_last: bool = False
    compile: bool = False
    flip: bool = False
    crop_padding: int = 0
    cutout: int = 0
    seed: int = 0

    def __post_init__(self):
        recipe_fields.check(asdict(self))
        if self.nesterov and (self.optimizer != "sgd" or not self.momentum):
            raise TrainingError("nesterov is True: it needs optimizer sgd and momentum")


class Epoch(NamedTuple):
    """What one pass over the training images gave; val_* are nan without val images.

    train_loss and train_top1 are means over the epoch, while the weights still moved.
    """

    epoch: int  # from 1
    train_loss: float  # nats an image, of the main head, with label smoothing if any
    train_top1: float  # fraction in [0, 1]
    val_loss: float
    val_top1: float
    learning_rate: float  # of the last step
    seconds: float  # of training, without validation


class Score(NamedTuple):
    loss: float  # mean cross-entropy, nats an image
    top1: float  # fraction in [0, 1]


class History(list):
    """The epochs of a run, first to last."""

    def column(self, name: str) -> list[float]:
        """Return one field of every epoch, e.g. `history.column("val_top1")`."""
        return [getattr(epoch, name) for epoch in self]


def rate_at(epoch: float, recipe: Recipe) -> float:
    """Return the learning rate after `epoch` epochs, as a fraction of the highest."""
    if epoch < recipe.warmup_epochs:
        return (epoch + 1e-3) / (recipe.warmup_epochs + 1e-3)
    return SCHEDULES[recipe.schedule](epoch, recipe)


def cosine(epoch: float, recipe: Recipe) -> float:
    done = (epoch - recipe.warmup_epochs) / (recipe.epochs - recipe.warmup_epochs)
    return 0.5 * (1 + math.cos(math.pi * done))


SCHEDULES = {
    "cosine": cosine,
    "constant": lambda epoch, recipe: 1.0,
    "steps": lambda epoch, recipe: (
        0.1 ** sum(epoch >= part * recipe.epochs for part in (0.5, 0.75))
    ),
    "exponential": lambda epoch, recipe: 0.94 ** (epoch // 2),
}


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1]},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    shared = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, eps=recipe.epsilon, **shared)
    shared["momentum"] = recipe.momentum
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, alpha=0.9, eps=recipe.epsilon, **shared)
    return torch.optim.SGD(groups, nesterov=recipe.nesterov, **shared)
