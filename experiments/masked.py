"""A masked language model on Python's help pages, trained for longer.

    python experiments/masked.py

The network and the text are the notebook's. Short runs compare lengths and shares of
masked tokens at equal tokens a step. The long runs are compared with a trigram that
sees both neighbours: at equal sight, and with one token masked at a time, so that they
see all neighbours, too. They go on where they were stopped. A row of
data/results/00_attention-masked.csv is a run; a run with a row is not repeated.
"""

from __future__ import annotations

import platform
import time
from typing import NamedTuple

import table
import torch

from course_lib import checkpoints, notebook, results, text

ATTENTION = notebook.load("00_attention")
TABLE = results.RESULTS / "00_attention-masked.csv"
TOP = 4e-3


class Run(NamedTuple):
    """One training."""

    length: int  # tokens
    share: float  # of tokens that are masked in training
    steps: int
    seed: int


class Row(NamedTuple):
    """What came out: fractions of the masked tokens, validation; nats; seconds."""

    accuracy: float
    alone: float  # where no other token is masked
    loss: float
    unigram: float
    left: float
    right: float
    trigram: float
    python: str
    seconds: float  # of the processor


class Training:
    """A training that can be stopped: all that its next step depends on."""

    def __init__(self, run: Run):
        torch.manual_seed(run.seed)
        self.net = ATTENTION.MaskedLanguageModel(1_000, 64, 2, 4, run.length, True)
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), lr=TOP, weight_decay=0.01, fused=True
        )
        self.step, self.seconds, self.losses = 0, 0.0, []
        self.path = checkpoints.folder() / f"masked-{'-'.join(map(str, run))}.pt"
        if self.path.exists():
            self.load()

    def load(self) -> None:
        found = torch.load(self.path, weights_only=True)
        self.net.load_state_dict(found["net"])
        self.optimizer.load_state_dict(found["optimizer"])
        self.step, self.seconds, self.losses = found["progress"]
        torch.set_rng_state(found["random"])

    def save(self) -> None:
        parts = {"net": self.net.state_dict(), "random": torch.get_rng_state()}
        parts["optimizer"] = self.optimizer.state_dict()
        parts["progress"] = self.step, self.seconds, self.losses
        checkpoints.write(parts, self.path)


@torch.inference_mode()
def accuracy_alone(net, tokens: torch.Tensor, length: int) -> float:
    """Return the share of tokens (T,) guessed right, each masked in a piece of its own.

    It stands in the middle of `length` tokens; the few at both ends are not asked.
    """
    pieces, middle = tokens.unfold(0, length, 1).clone(), length // 2
    wanted = pieces[:, middle].clone()
    pieces[:, middle] = len(net.bias) - 1
    guessed = net.eval()(pieces)[:, middle].argmax(dim=1)
    net.train()
    return (guessed == wanted).float().mean().item()


def train(run: Run) -> Row:
    words, unseen = text.help_pages()
    vocabulary = text.Vocabulary(words, 1_000)
    tokens, val = vocabulary.encode(words), vocabulary.encode(unseen)
    contexts = text.CONTEXTS.values()
    counted = [text.counting_accuracy(tokens, val, where) for where in contexts]
    state, pieces = Training(run), tokens.unfold(0, run.length, 1)
    while state.step < run.steps:
        start = time.process_time()
        for _ in range(min(250, run.steps - state.step)):
            state.step += 1
            parts = state.net, state.optimizer, pieces, state.step / run.steps
            state.losses.append(ATTENTION.masked_step(*parts, TOP, run.share))
        state.seconds += time.process_time() - start
        state.save()
    accuracy = ATTENTION.masked_accuracy(state.net, val, run.length)
    alone = accuracy_alone(state.net, val, run.length)
    loss = sum(state.losses[-100:]) / 100
    found = [round(share, 4) for share in (accuracy, alone, loss, *counted)]
    state.path.unlink()
    return Row(*found, platform.python_version(), round(state.seconds, 1))


def main() -> None:
    runs = [Run(length, share, 700, 0) for length in (16, 32) for share in (0.3, 0.15)]
    runs += [Run(16, 0.3, steps, 0) for steps in (8_000, 24_000)]
    table.fill(TABLE, runs, train)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
