"""How fast a network trains here, and how many cores are free for it: measured."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import replace

import torch

from course_lib import checkpoints, data, results, train
from course_lib.files import replacing
from course_lib.parallel import cores
from course_lib.terminal import best_device

ROUNDS, STEPS = 4, 3  # the fastest of the rounds counts


def key(row) -> str:
    """Return a name for this network on this machine."""
    device = best_device()
    where = results.device_name(device).partition(", ")[0]
    arguments = json.dumps(row.arguments, sort_keys=True)
    return (
        f"{row.unit}.{row.network} {arguments}, batch {row.recipe.get('batch_size')}, "
        f"{where}, {os.cpu_count()} cores {platform.node()}, torch {torch.__version__}"
    )


def measured() -> dict[str, dict[str, float]]:
    """Return images/s on one core, or a GPU, by `key`, then by precision."""
    path = checkpoints.folder() / "speed.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def remembered(row) -> float | None:
    """Return the images/s of the fastest way, if it was measured."""
    found = measured().get(key(row))
    return max(found.values()) if found else None


def precision(row, job, images: data.Images, device: torch.device, say) -> str:
    """Return the fastest precision for a job, measured unless that was done before."""
    known = measured()
    if key(row) not in known:
        known[key(row)] = measure(job, images, device)
        with replacing(checkpoints.folder() / "speed.json") as part:
            part.write_text(json.dumps(known, indent=1), encoding="utf-8")
    rates = known[key(row)]
    say(", ".join(f"{name} {rate:,.0f} images/s" for name, rate in rates.items()))
    return max(rates, key=rates.get)


def free_cores() -> int:
    """Return how many cores nobody else used in the last minute, 1 or more.

    More threads than that wait for each other: on two cores of which one was busy, two
    threads trained at less than half the speed of one.
    """
    if not hasattr(os, "getloadavg"):
        return cores()
    others = max(0.0, os.getloadavg()[0] - torch.get_num_threads())
    return max(1, int(cores() - others + 0.3))


def measure(job, images: data.Images, device: torch.device) -> dict[str, float]:
    """Return images/s of training by precision, on one core or a GPU.

    On a CPU by the time that it worked for us: what others do there does not count.
    """
    size = job.recipe.batch_size
    few = images.take(min(size, len(images))).to(device)
    batch, runs = next(data.batches(few, size)), {}
    for precision in ("float32", "bfloat16"):
        model = job.build().to(device, memory_format=torch.channels_last)
        recipe = replace(job.recipe, precision=precision)
        runs[precision] = train.Run(model.train(), few, recipe, device)
    best, threads = dict.fromkeys(runs, 0.0), torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng([device.index or 0] if device.type == "cuda" else []):
        for attempt in range(ROUNDS):
            for precision, run in runs.items():
                rate = len(few) / seconds_a_step(run, batch)
                if attempt:  # the first warms up
                    best[precision] = max(best[precision], rate)
    torch.set_num_threads(threads)
    return best


def seconds_a_step(run: train.Run, batch) -> float:
    clock = time.process_time if run.device.type == "cpu" else time.perf_counter
    start = clock()
    for _ in range(STEPS):
        taken = train.train_step(run, *batch)
    taken.sum().item()  # on a GPU: wait for it
    return (clock() - start) / STEPS
