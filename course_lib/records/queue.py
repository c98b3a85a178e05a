"""The queue of training records: one table, computed one after another.

A row is a training. `run` takes those that have no record yet, or a stale one; it may
be killed at any moment and started again, here or in another checkout of the same code.
It needs torch and numpy, no Jupyter. What it leaves in the folder of runs (see
`checkpoints.folder`): a checkpoint of each unfinished training, `speed.json`, and which
training is at work.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import hashlib
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import torch
from filelock import FileLock, Timeout
from torch import nn

from course_lib import checkpoints, data, identity, notebook, results, train
from course_lib.errors import CourseError
from course_lib.files import replacing
from course_lib.records import speed
from course_lib.records.rows import ROWS, Row
from course_lib.terminal import best_device

TABLE = "records.csv"
AT_WORK = "at_work"  # in the folder of runs: the name of the job that is computed
SHOWN = (
    "The history's val_* are of the test images: nothing was chosen by them. "
    "It was trained in the time that other programs left."
)


class Job(NamedTuple):
    """A row with one of its seeds."""

    row: Row
    seed: int

    @property
    def name(self) -> str:
        return f"{self.row.name}-seed{self.seed}"

    @property
    def recipe(self) -> train.Recipe:
        return train.Recipe(**self.row.recipe, seed=self.seed)

    @property
    def record(self) -> Path:
        return results.RESULTS / f"{self.name}.json"

    @property
    def checkpoint(self) -> Path:
        """The file of this training as the code, recipe and images are now."""
        text = json.dumps(wanted(self), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        return checkpoints.folder() / f"{self.name}-{digest}.pt"

    def build(self) -> nn.Module:
        """Return the network with the weights that it starts from."""
        torch.manual_seed(self.seed)
        module = notebook.load(self.row.unit)
        return getattr(module, self.row.network)(**self.row.arguments)


class Unfinished(CourseError):
    """Some records could not be made, and the rest is done."""


class State(NamedTuple):
    """How far a job is."""

    word: str  # "done", "running", "begun", "stale", "missing" or "damaged"
    why: str  # a stale one: what changed since; a damaged one: what is wrong
    epochs: int  # that are trained
    top1: float | None  # on test, of the record; fraction
    seconds_left: float | None  # None where nothing was measured


def jobs(names: list[str] | None = None) -> list[Job]:
    """Return the jobs in their order: all, or those of rows or records of that name."""
    found = [Job(row, seed) for row in ROWS for seed in row.seeds]
    known = {name for job in found for name in (job.row.name, job.name)}
    for name in names or []:
        if name not in known:
            text = ", ".join(dict.fromkeys(job.row.name for job in found))
            raise CourseError(f"no record is called {name!r}; there are {text}")
    return [j for j in found if not names or {j.name, j.row.name} & set(names)]


@functools.lru_cache(maxsize=2)
def everything(name: str, size: int | None = None) -> tuple[data.Images, data.Images]:
    """Return all training images of a set, first train, then val, and its test images.

    Nothing is chosen here, so no image is put aside to choose by.
    """
    form = {"size": size, "channels": 3}
    train_, val = (data.load(name, part, **form) for part in ("train", "val"))
    images = torch.cat([train_.images, val.images])
    labels = torch.cat([train_.labels, val.labels])
    both = replace(train_, images=images, labels=labels)
    return both, data.load(name, "test", **form)


@functools.lru_cache(maxsize=4)
def images(
    name: str, count: int | None, size: int | None
) -> tuple[data.Images, data.Images]:
    """Return a set's first `count` training images, or all, and its test images."""
    train_, test = everything(name, size)
    return (train_ if count is None else train_.take(count)), test


@functools.lru_cache(maxsize=8)
def here(name: str) -> bool:
    """Say whether a set of images is on this machine; a path counts as here."""
    known = {found.name: found for found in data.available()}
    return name not in known or known[name].how != f"course data {name}"


def wanted(job: Job) -> dict:
    """Return what a record must agree with, or it is stale.

    The precision is not in it: it is what is fastest where the training runs.
    """
    recipe = asdict(job.recipe)
    del recipe["precision"]
    found = {
        "code": identity.of_code(job.row.unit, job.row.network),
        "network": [job.row.network, job.row.arguments],
        "recipe": recipe,
    }
    if here(job.row.data):
        train_, test = images(job.row.data, job.row.images, job.row.size)
        found["images"] = [train_.digest, test.digest]
    return json.loads(json.dumps(found))  # tuples are lists, as in a file


def changed(job: Job, record: results.Record) -> list[str]:
    """Return what is otherwise now than when the record was made."""
    recipe = asdict(record.recipe)
    del recipe["precision"]
    theirs = {
        "code": record.code,
        "network": [record.network, record.arguments],
        "recipe": recipe,
        "images": [record.images["train"], record.images["test"]],
    }
    return [name for name, value in wanted(job).items() if theirs[name] != value]


def state(job: Job, at_work: str | None = None) -> State:
    """Return how far a job is; at_work: the name of the job that is running."""
    try:
        record = results.read(job.record) if job.record.exists() else None
    except results.ResultsError as error:
        return State("damaged", str(error), 0, None, None)
    why = changed(job, record) if record else []
    if record and not why:
        return State("done", "", len(record.history), record.test_top1, 0.0)
    history = checkpoints.history(job.checkpoint)
    epochs = job.recipe.epochs - len(history)
    count = job.row.images or (
        len(everything(job.row.data)[0]) if here(job.row.data) else 0
    )
    seconds = sum(epoch.seconds for epoch in history)
    rate = count * len(history) / seconds if seconds else speed.remembered(job.row)
    word = "stale" if record else "begun" if history else "missing"
    return State(
        "running" if job.name == at_work else word,
        " and ".join(why),
        len(history),
        record and record.test_top1,
        epochs * count / rate if rate else None,
    )


def run(names: list[str] | None = None, say=print) -> int:
    """Compute every record that is missing or stale, in order; return how many.

    Takes only time that nobody else wants.  say: is told a line at each step.
    Raises CourseError when another process works in the same folder of runs, and
    Unfinished at the end when a record could not be made: `say` was told why.
    """
    folder, jobs_, done = checkpoints.folder(), jobs(names), {}
    folder.mkdir(parents=True, exist_ok=True)
    give_way()
    try:
        with FileLock(folder / "lock", timeout=0.1):  # `at_work` holds it for a moment
            (folder / AT_WORK).unlink(missing_ok=True)
            for job in jobs_:
                for left in folder.glob(f"{job.name}-*.part"):  # of a write, by a kill
                    left.unlink(missing_ok=True)
                if (now := state(job)).word == "done":
                    job.checkpoint.unlink(missing_ok=True)  # a kill may have left it
                else:
                    done[job.name] = attempt(job, now, say)
    except Timeout as error:
        raise CourseError(
            f"another process computes records in {folder}: wait for it, or set "
            "COURSE_RUNS to another folder"
        ) from error
    write_table(results.RESULTS)
    if not all(done.values()):
        failed = ", ".join(name for name, made in done.items() if not made)
        raise Unfinished(f"{sum(done.values())} records made, but not {failed}")
    return len(done)


def attempt(job: Job, now: State, say) -> bool:
    """Compute a job; if it cannot be, say why and let the next one have its turn."""
    if now.word == "damaged":  # a person may want to repair it
        say(f"{job.name}: {now.why}; remove it, and this computes it again")
        return False
    try:
        (checkpoints.folder() / AT_WORK).write_text(job.name)
        compute(job, say)
    except (CourseError, OSError) as error:
        say(f"{job.name}: {error}")
        return False
    except RuntimeError as error:  # PyTorch's, as of too little memory
        say(f"{job.name}: {checkpoints.reason(error)}")
        return False
    return True


def compute(job: Job, say) -> None:
    """Train a job to its end, from its checkpoint if there is one; write its record."""
    row, checkpoint = job.row, job.checkpoint
    train_, test = images(row.data, row.images, row.size)
    device = best_device()
    precision = speed.precision(row, job, train_, device, say)
    precision = checkpoints.recipe(checkpoint).get("precision", precision)
    recipe = replace(job.recipe, precision=precision)
    say(f"{job.name}: {recipe.epochs} epochs in {precision}")

    def enough(epoch: train.Epoch) -> bool:
        torch.set_num_threads(speed.free_cores())
        say(
            f"{job.name}: epoch {epoch.epoch}, training loss {epoch.train_loss:.4f}, "
            f"top-1 {epoch.train_top1:.2%}, test {epoch.val_top1:.2%}, "
            f"{epoch.seconds:.0f} s; now {torch.get_num_threads()} threads"
        )
        return row.until is not None and epoch.train_top1 >= row.until

    torch.set_num_threads(speed.free_cores())
    model = job.build()
    told = {"checkpoint": checkpoint, "title": job.name, "until": enough}
    history = train.fit(model, train_, test, recipe, device=device, **told)
    record = results.save(
        job.record,
        model,
        history,
        recipe,
        train_,
        test,
        unit=row.unit,
        network=row.network,
        arguments=row.arguments,
        note=f"{row.why} {SHOWN}".strip(),
        keep=row.keep,
    )
    write_table(results.RESULTS)
    checkpoint.unlink(missing_ok=True)
    bar = "" if row.bar is None else f", bar {row.bar:.1%}"
    say(f"{job.name}: {record.summary}{bar}")


def give_way() -> None:
    """Let this process run only when no other wants the CPU, as far as can be asked.

    Linux divides the CPU between sessions first (sched(7), "autogroup"), so a session
    of its own (`setsid course records run`) is made the last one, too.
    """
    try:
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setscheduler(int(thread.name), os.SCHED_IDLE, os.sched_param(0))
    except (AttributeError, OSError):  # another system, or a box that forbids it
        if hasattr(os, "nice"):
            os.nice(19)
    if hasattr(os, "getsid") and os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text("19")


def at_work() -> str | None:
    """Return the name of the job that some process is computing now."""
    folder = checkpoints.folder()
    if not (folder / AT_WORK).exists():
        return None
    try:
        with FileLock(folder / "lock", timeout=0):
            return None
    except Timeout:
        return (folder / AT_WORK).read_text()


def write_table(folder: Path) -> None:
    """Write records.csv: a line for each finished job of the table."""
    rows = []
    for job in jobs():
        path = folder / f"{job.name}.json"
        with contextlib.suppress(results.ResultsError):  # missing or damaged
            rows.append(line(job, results.read(path)))
    if rows:
        with replacing(folder / TABLE) as part:
            with part.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, rows[0], lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)


def line(job: Job, record: results.Record) -> dict:
    """Return a record as a line of the table; top-1 and errors are fractions."""
    last = record.history[-1]
    return {
        "record": job.name,
        "unit": record.unit,
        "network": record.network,
        "arguments": json.dumps(record.arguments),
        "seed": job.seed,
        "params": record.params,
        "train_images": record.images["train_images"],
        "epochs": len(record.history),
        "train_loss": round(last.train_loss, 4),
        "train_top1": round(last.train_top1, 4),
        "test_loss": round(record.test_loss, 4),
        "test_top1": round(record.test_top1, 4),
        "bar": job.row.bar,
        "precision": record.recipe.precision,
        "device": record.device,
        "seconds": record.seconds,
        "made": record.made,
    }
