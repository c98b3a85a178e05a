"""Reversing a sequence with attention, and through one vector of fixed size.

    python experiments/reverse.py

Both networks of the notebook have the same layers and parameters, the same sequences
and steps. Three paired seeds; the score is of 1,000 new sequences, each network reading
what it wrote itself. A row of data/results/00_attention-reverse.csv is a run; a run
with a row is not repeated.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import table
import torch

from course_lib import notebook, results

ATTENTION = notebook.load("00_attention")
TABLE = results.RESULTS / "00_attention-reverse.csv"
SYMBOLS = 20


class Run(NamedTuple):
    """One training."""

    fixed: bool
    length: int
    steps: int
    seed: int


class Row(NamedTuple):
    """Fractions: of symbols, of whole sequences; weights one place to the right."""

    symbols_right: float
    sequences_right: float
    wanted: float  # largest weight at the place of the wanted symbol
    beside: float  # largest weight one place to the right of it
    seconds: float  # of the processor


def train(run: Run) -> Row:
    torch.manual_seed(run.seed)
    net, start = ATTENTION.Reverser(SYMBOLS, run.fixed), time.process_time()
    ATTENTION.train_reverser(net, run.length, run.steps)
    seconds = time.process_time() - start
    tokens = torch.randint(SYMBOLS, (1_000, run.length))
    with torch.inference_mode():
        logits, weights = net(tokens)
    right = logits.argmax(dim=2) == tokens.flip(1)
    offset = weights.argmax(dim=2) - torch.arange(run.length).flip(0)
    shares = right, right.all(dim=1), offset == 0, offset == 1
    found = [round(share.float().mean().item(), 4) for share in shares]
    if run.fixed:
        found[2:] = [0.0, 0.0]  # it has one key
    return Row(*found, round(seconds, 1))


def main() -> None:
    runs = [Run(fixed, 12, 600, seed) for seed in range(3) for fixed in (False, True)]
    table.fill(TABLE, runs, train)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
