"""How a check leaves no trace: it runs a copy, and puts the random state back."""

from __future__ import annotations

import contextlib
import copy
import random
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_iter

from course_lib.errors import CheckFailed


def copied(net: nn.Module) -> nn.Module:
    """Return a copy of the network: weights, buffers, hooks, modes and all it holds.

    Raises CheckFailed for a network that cannot be copied.
    """
    held = [x for module in net.modules() for x in tree_iter(vars(module))]
    loose = [x for x in held if isinstance(x, Tensor) and not x.is_leaf]
    memo = {id(x): x.detach().clone() for x in loose}  # PyTorch copies leaves alone
    try:
        twin = copy.deepcopy(net, memo)
        if not isinstance(twin, nn.Module):
            raise TypeError(f"its copy is a {type(twin).__name__}")
    except Exception as error:
        raise CheckFailed(
            f"{type(net).__name__} cannot be copied, and a check runs a copy, so that "
            f"your network stays as it is: {first_line(error)}"
        ) from error
    return twin


def sized(net: nn.Module) -> nn.Module:
    """Return the network, or raise CheckFailed if a layer has no size yet."""
    for name, parameter in net.named_parameters():
        if nn.parameter.is_lazy(parameter):
            raise CheckFailed(
                f"`{name}` has no size until its layer has seen images: run the "
                "network on one batch, then check it"
            )
    return net


@contextlib.contextmanager
def fixed_random() -> Iterator[None]:
    """Draw from seed 0 in this block: PyTorch (CPU and CUDA), NumPy and Python."""
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    python, arrays = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(list(gpus)):
            torch.default_generator.manual_seed(0)
            if gpus:
                torch.cuda.manual_seed_all(0)
            random.seed(0)
            np.random.seed(0)  # noqa: NPY002
            yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)  # noqa: NPY002


def first_line(error: Exception) -> str:
    """Return what an error says, on one line; its kind if it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
