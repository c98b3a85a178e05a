"""Look at a network before it is trained: say in a sentence why it cannot be."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from course_lib.data import Images, batches
from course_lib.precision import autocast
from course_lib.recipe_fields import TrainingError

MEMORY = "can't allocate memory", "not enough memory", "out of memory"


def require_trainable(model: nn.Module) -> None:
    """Raise TrainingError where no step could be taken, whatever the images."""
    parameters = dict(model.named_parameters())
    lazy = [name for name, p in parameters.items() if nn.parameter.is_lazy(p)]
    if lazy:
        raise TrainingError(
            f"{lazy[0]} has no shape yet, as its layer is lazy: call the network once "
            "on a batch of images before you train it"
        )
    if not any(p.requires_grad for p in parameters.values()):
        raise TrainingError(
            "the network has no parameter that learns (requires_grad is False for all "
            f"{len(parameters)}): unfreeze those that shall"
        )
    for name, p in parameters.items():
        if p.dtype != torch.float32:
            raise TrainingError(
                f"{name} is {p.dtype}: expected float32, so call model.float(); the "
                "recipe's `precision` chooses in what steps are computed"
            )


def last_batch(images: Images, size: int) -> int:
    return min(size, len(images) % size or size)


def require_shares(images: Images, size: int, processes: int) -> None:
    """Raise TrainingError where a process would have no image of the last batch."""
    smallest = last_batch(images, size)
    if smallest < processes:
        raise TrainingError(
            f"{len(images)} images in batches of {size} leave {smallest} for the last "
            f"batch, and {processes} processes need one each: try batch_size "
            f"{another(len(images), size, processes)}"
        )


def try_out(run) -> None:
    """Ask the network for the logits of a few training images; leave it as it was.

    TrainingError: it does not take the images, its answer is of another shape, or its
    batch normalisation would meet a last batch of one image.
    """
    size, together = run.recipe.batch_size, run.world.size
    smallest = last_batch(run.train, size)
    count = 1 if smallest // together == 1 else 2
    images, _ = next(batches(run.train.take(min(count, len(run.train))), count))
    mixed = autocast(run.recipe, run.device)
    kept = {name: buffer.clone() for name, buffer in run.model.named_buffers()}
    cuda = [run.device.index or 0] if run.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(cuda), torch.no_grad(), mixed:
            answer = run.model(images)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise TrainingError(
            f"{len(run.train)} images in batches of {size} leave one image for the "
            "last batch, and batch normalisation needs two: try "
            f"batch_size {another(len(run.train), size, 2 * together)}"
        ) from error
    finally:
        for name, buffer in run.model.named_buffers():
            buffer.copy_(kept[name])
    heads = answer if isinstance(answer, tuple) else (answer,)
    for head in heads:
        require_logits(head, len(images), run.train, training=True)


def another(count: int, size: int, least: int = 2) -> int:
    """Return the batch size next to `size` whose last batch holds `least` or none."""
    sizes = range(least, 2 * max(size, least) + 3)
    sizes = sorted(sizes, key=lambda other: abs(other - size))
    return next(other for other in sizes if not 0 < count % other < least)


def require_logits(logits, count: int, images: Images, training=False) -> None:
    """Raise TrainingError unless these are logits (count, K), K classes or more."""
    if not isinstance(logits, Tensor):
        mode = "train" if training else "eval"
        raise TrainingError(
            f"in {mode} mode the network answers a {type(logits).__name__}: expected "
            "its logits alone (auxiliary heads are for training)"
        )
    classes = len(images.classes)
    if logits.ndim != 2 or len(logits) != count or logits.shape[1] < classes:
        raise TrainingError(
            f"the network answers {tuple(logits.shape)} to {count} images of "
            f"{images.name}: expected logits ({count}, {classes}), one a class"
        )


@contextmanager
def explained(run, attempt: Callable[[int], None]):
    """Turn an error for want of memory into a sentence with the batch that fits.

    attempt: does what a step does to the memory, with so many images.
    """
    try:
        yield
    except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
        if not of_memory(error):
            raise
        size, rate = run.recipe.batch_size, run.recipe.learning_rate
        words = f"batches of {size} do not fit into the memory of {run.device}: "
        fits = largest(size, attempt)
        if fits < 1:
            words += "not even one image does; take smaller images or another device"
        else:
            words += (
                f"{fits} is about the largest that does; take batch_size {fits} with "
                f"learning_rate {rate * fits / size:.3g}, or smaller images"
            )
        raise TrainingError(words) from error


def of_memory(error: BaseException) -> bool:
    full = isinstance(error, (torch.OutOfMemoryError, MemoryError))
    return full or any(part in str(error) for part in MEMORY)


def largest(size: int, attempt: Callable[[int], None]) -> int:
    """Return the largest batch below `size` that fits, to an eighth; 0 for none."""
    fits, fails = 0, size
    while fails - fits > max(1, fits // 8):
        middle = (fits + fails) // 2
        gc.collect()  # what the failed step still holds
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            attempt(middle)
            fits = middle
        except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
            if not of_memory(error):
                raise
            fails = middle
    return fits
