"""How should threads wait? Images a second of a training, on idle and on busy cores.

    python benchmarks/threads.py [--seconds 8] [--rounds 3]

Trains ResNet-20 of notebook 08 with as many threads as there are cores, each time in a
process of its own: its threads spin, sleep, or wait as `course_lib.waiting` has it.
"Busy" is so many other programs that compute all the time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

from rich.console import Console
from rich.progress import track
from rich.table import Table

from course_lib import waiting

CHOSEN = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS")
WAYS = {
    "spin": {},
    "sleep": {"OMP_WAIT_POLICY": "passive"},
    "ours": {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": str(waiting.SPINS)},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
OTHERS = (0, 1, 2, 4)  # programs
COMPUTE = """
import os
parent = os.getppid()
while os.getppid() == parent:
    sum(range(10_000))
"""


def train(seconds: float) -> float:
    """Train on random images; return images a second, after a few steps."""
    import torch

    from course_lib import notebook

    torch.manual_seed(0)
    net = notebook.load("08_resnet").resnet_small(depth=20)
    optimizer = torch.optim.SGD(net.parameters(), 0.05)
    images, labels = torch.randn(64, 3, 32, 32), torch.randint(10, (64,))
    steps, start = -3, time.perf_counter()
    while steps < 1 or time.perf_counter() < start + seconds:
        if steps == 0:
            start = time.perf_counter()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()
        steps += 1
    return steps * len(images) / (time.perf_counter() - start)


@contextmanager
def busy(programs: int) -> Iterator[None]:
    """Let so many other programs compute meanwhile."""
    running = [
        # a session of its own, as another program has: cores are shared by sessions
        subprocess.Popen([sys.executable, "-c", COMPUTE], start_new_session=True)
        for _ in range(programs)
    ]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def measured(way: str, programs: int, seconds: float) -> float:
    """Return images a second of a training in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in CHOSEN}
    command = [sys.executable, __file__, "--train", "--seconds", str(seconds)]
    with busy(programs):
        done = subprocess.run(
            command, env=kept | WAYS[way], check=True, stdout=subprocess.PIPE, text=True
        )
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8, help="of each training")
    parser.add_argument("--rounds", type=int, default=3, help="the median counts")
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        print(train(options.seconds))
        return
    found = {pair: [] for pair in product(OTHERS, WAYS)}
    for pair in track(list(found) * options.rounds):
        programs, way = pair
        found[pair].append(measured(way, programs, options.seconds))
    table = Table("other programs", *WAYS, title="images a second, median")
    for programs in OTHERS:
        row = (statistics.median(found[programs, way]) for way in WAYS)
        table.add_row(str(programs), *(f"{rate:.0f}" for rate in row))
    Console().print(table)


if __name__ == "__main__":
    main()
