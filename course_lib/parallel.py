"""Many processes that train one network: started by `torchrun`, or one alone.

    torchrun --nproc-per-node 4 -m course_lib train 08_resnet --data cifar10

Each takes its share of every batch, and the gradients are averaged, so the curve is
that of one process with the same batch size. Two things are not the same: dropout draws
its own zeros in each process, and on a CPU, where PyTorch has no synchronised batch
normalisation, a layer of it sees one process's share.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class World(NamedTuple):
    """This process among all that train; the first, of rank 0, alone writes files."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over all processes, on the CPU; each of them must ask."""
        if self.size == 1:
            return values
        device = "cpu" if dist.get_backend() == "gloo" else "cuda"
        total = values.to(device, copy=True)
        dist.all_reduce(total)
        return total.cpu()

    def told(self, compute: Callable):
        """Return what `compute()` gives in the first process; raise what it raises."""
        if self.size == 1:
            return compute()
        answer = [None, None]
        if self.first:
            try:
                answer[0] = compute()
            except Exception as error:
                answer[1] = error
        dist.broadcast_object_list(answer)
        if answer[1] is not None:
            raise answer[1]
        return answer[0]

    def shared(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Return a module whose backward pass averages gradients over processes."""
        if self.size == 1:
            return model
        if device.type == "cuda":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
            return DistributedDataParallel(model, [device.index])
        return DistributedDataParallel(model)


ALONE = World()


def here() -> World:
    """Return who this process is, from what torchrun has put into its environment."""
    rank, size = (int(os.environ.get(name, 0)) for name in ("RANK", "WORLD_SIZE"))
    return World(rank, size) if size > 1 else ALONE


def join(device: torch.device) -> World:
    """Meet the other processes, once, and return who this one is."""
    world = here()
    if world.size > 1 and not dist.is_initialized():
        if device.type == "cuda":
            torch.cuda.set_device(device)
        store, rank, size = next(dist.rendezvous("env://"))
        # after a restart the addresses of killed processes are in the store, too
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        store = dist.PrefixStore(f"attempt {attempt}", store)
        backend = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=size)
        atexit.register(leave)
    return world


def leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
