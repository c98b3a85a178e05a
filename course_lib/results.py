"""Training records: what was trained on what, what came out, and the weights as proof.

A record is `NAME.json` beside `NAME.safetensors`. Its test score is that of the stored
weights, so that `verify` can measure it again.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import platform
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as encoded
from torch import nn

from course_lib import identity, notebook, parallel
from course_lib.checkpoints import reason
from course_lib.data import Images, load
from course_lib.errors import CourseError
from course_lib.files import ROOT, replacing
from course_lib.train import Epoch, History, Recipe, Score, evaluate

RESULTS = ROOT / "data" / "results"
TOLERANCE = Score(loss=0.01, top1=0.002)  # other hardware rounds otherwise


class ResultsError(CourseError, ValueError):
    """A record that is missing, damaged or not true."""


@dataclass(frozen=True)
class Record:
    """One training; `Record.history` and `.recipe` are those of `train`.

    unit, network, arguments: `notebook.load(unit).network(**arguments)` is the model.
    images: name, size and channels for `data.load`, with the digest of each split.
    seconds: of training.  test_loss: nats an image.  test_top1: fraction.
    weights: sha256 of the .safetensors; parameters in float16, buffers as they are.
        Empty where none were kept: such a record cannot be verified.
    code: `identity.of_code` of the network when it was trained; empty in old records.
    """

    unit: str
    network: str
    arguments: dict
    images: dict
    recipe: Recipe
    history: History
    seconds: float
    test_loss: float
    test_top1: float
    params: int
    device: str
    versions: dict
    weights: str
    made: str = field(default_factory=lambda: date.today().isoformat())
    note: str = ""
    code: str = ""

    @property
    def summary(self) -> str:
        """The record in a line."""
        return (
            f"test top-1 {self.test_top1:.2%} on {self.images['name']}, loss "
            f"{self.test_loss:.3f} nats, {len(self.history)} epochs in "
            f"{self.seconds:.0f} s on {self.device}, {self.params:,} parameters"
        )

    @property
    def score(self) -> Score:
        return Score(self.test_loss, self.test_top1)


class Verified(NamedTuple):
    """What a record says against what its weights do here."""

    claimed: Score
    measured: Score
    same_images: bool

    @property
    def ok(self) -> bool:
        near = zip(self.claimed, self.measured, TOLERANCE, strict=True)
        return self.same_images and all(abs(a - b) <= most for a, b, most in near)


def save(
    path: str | Path,
    model: nn.Module,
    history: History,
    recipe: Recipe,
    train: Images,
    test: Images,
    *,
    unit: str,
    network: str,
    arguments: dict | None = None,
    note: str = "",
    keep: bool = True,
) -> Record:
    """Write the record `path` (.json) and its weights beside it; return the record.

    The weights are stored first and scored as stored. `test` is used for nothing else.
    The model is left as it was.  keep: whether the weights stay beside the record.
    """
    path = Path(path).with_suffix(".json")
    settle(path)
    weights = pending(path.with_suffix(".safetensors"))
    digest = save_weights(weights, model)
    score = evaluate(load_weights(weights, copy.deepcopy(model)), test)
    if not keep:
        weights.unlink()
    record = Record(
        unit=unit,
        network=network,
        arguments=arguments or {},
        images=describe(train, test),
        recipe=recipe,
        history=history,
        seconds=round(sum(history.column("seconds")), 1),
        test_loss=score.loss,
        test_top1=score.top1,
        params=sum(p.numel() for p in model.parameters()),
        device=device_name(next(model.parameters()).device),
        versions={"python": platform.python_version(), "torch": torch.__version__},
        weights=digest if keep else "",
        note=note,
        code=identity.of_code(unit, network) if unit in notebook.units() else "",
    )
    with writing(pending(path)) as part:
        rows = [{k: none_for_nan(v) for k, v in e._asdict().items()} for e in history]
        text = json.dumps(asdict(record) | {"history": rows}, indent=1, allow_nan=False)
        part.write_text(text + "\n", encoding="utf-8")
    settle(path)
    return record


def pending(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def settle(path: Path) -> None:
    """Let a new record and its weights take their places, both or none.

    They are whole once the record is written. If a kill fell between the two moves,
    whoever reads the record next makes the second one.
    """
    if pending(path).exists():
        weights = path.with_suffix(".safetensors")
        if pending(weights).exists():
            pending(weights).replace(weights)
        pending(path).replace(path)


@contextmanager
def writing(path: Path):
    """Yield a file to write, as `replacing` does; ResultsError when it cannot be."""
    try:
        with replacing(path) as part:
            yield part
    except (OSError, SafetensorError) as error:
        raise ResultsError(
            f"{path} cannot be written ({reason(error)}): make room there, or name "
            "another folder; an older record there is as it was"
        ) from error


def read(path: str | Path) -> Record:
    """Read a record; ResultsError names the file when it is missing or damaged."""
    path = Path(path).with_suffix(".json")
    settle(path)
    if not path.exists():
        known = ", ".join(p.stem for p in sorted(path.parent.glob("*.json")))
        raise ResultsError(f"{path} does not exist; records here: {known or 'none'}")
    try:
        return record_of(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, OSError) as error:
        raise ResultsError(
            f"{path} is no training record ({reason(error)}): take it from the "
            "repository again, or train anew"
        ) from error


def record_of(row: dict) -> Record:
    """Return the record that a JSON object holds; ValueError says what is wrong."""
    named(row, Record, "the record")
    named(row["recipe"], Recipe, "its recipe")
    if not isinstance(row["history"], list):  # an empty one: it was not trained
        raise ValueError("its history is no list of epochs")
    for name in ("images", "arguments", "versions"):
        if not isinstance(row[name], dict):
            raise ValueError(f"its {name} is no table of names and values")
    if not {"name", "size", "channels", "train", "test"} <= row["images"].keys():
        raise ValueError("its images lack name, size, channels or a digest")
    number("test_top1", row["test_top1"], 1)
    number("test_loss", row["test_loss"])
    history = History(epoch(k, line) for k, line in enumerate(row["history"], 1))
    return Record(**row | {"recipe": Recipe(**row["recipe"]), "history": history})


def named(row, kind: type, what: str) -> None:
    """ValueError unless `row` has the fields of a dataclass that have no default."""
    if not isinstance(row, dict):
        raise ValueError(f"{what} is no table of names and values")
    known = {field.name: field for field in fields(kind)}
    needed = {n for n, f in known.items() if f.default is f.default_factory is MISSING}
    for problem, names in (
        ("lacks", needed - row.keys()),
        ("has no field", row.keys() - known.keys()),
    ):
        if names:
            raise ValueError(f"{what} {problem} {', '.join(sorted(names))}")


def number(name: str, value, most: float = math.inf) -> None:
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not real or not 0 <= value <= most:
        raise ValueError(f"its {name} is {value!r}: no number from 0 to {most}")


def epoch(place: int, row: dict) -> Epoch:
    """Return an epoch of a record, by the names of its fields; null is nan."""
    if not isinstance(row, dict) or row.keys() != {*Epoch._fields}:
        raise ValueError(f"epoch {place} of its history is not of {Epoch._fields}")
    for name, value in row.items():
        if value is not None:
            number(f"{name} in epoch {place}", value, 1 if "top1" in name else math.inf)
    return Epoch(**{k: math.nan if v is None else v for k, v in row.items()})


def verify(
    path: str | Path, model: nn.Module | None = None, test: Images | None = None
) -> Verified:
    """Load a record's weights, measure them again and return both scores.

    model: where the weights go; default is the network that the record names.
    test: default is the test split that the record names.
    Raises ResultsError when the weights are missing, changed or of another network.
    """
    path = Path(path).with_suffix(".json")
    record, weights = read(path), path.with_suffix(".safetensors")
    if not record.weights:
        raise ResultsError(f"{path} was kept without weights: it cannot be verified")
    if not weights.exists():
        raise ResultsError(f"{weights} is missing: the record cannot be verified")
    if sha256(weights) != record.weights:
        raise ResultsError(f"{weights} is not the file that {path.name} was made from")
    if model is None:
        model = getattr(notebook.load(record.unit), record.network)(**record.arguments)
    if test is None:
        form = {key: record.images[key] for key in ("size", "channels")}
        test = load(record.images["name"], "test", **form)
    same = test.digest == record.images["test"]
    return Verified(record.score, evaluate(load_weights(weights, model), test), same)


def none_for_nan(value: float) -> float | None:
    """JSON knows no nan, which stands for an epoch without validation."""
    return None if math.isnan(value) else value


def describe(train: Images, test: Images) -> dict:
    """Return what `data.load` needs to find the same images, and their digests."""
    channels, size = train.take(1).images.shape[1:3]
    form = {"name": train.name, "size": size, "channels": channels}
    counts = {"train_images": len(train), "test_images": len(test)}
    return form | counts | {"train": train.digest, "test": test.digest}


def save_weights(path: Path, model: nn.Module) -> str:
    """Write parameters in float16 and buffers as they are; return the file's sha256."""
    parameters = {name for name, _ in model.named_parameters()}
    tensors = {
        name: value.half() if name in parameters else value
        for name, value in model.state_dict().items()
    }
    tensors = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    with writing(path) as part:
        part.write_bytes(encoded(tensors))  # save_file would make it the owner's alone
    return sha256(path)


def load_weights(path: Path, model: nn.Module) -> nn.Module:
    """Fill `model` from a .safetensors file and return it."""
    try:
        model.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ResultsError(f"{path} does not fit this network: {error}") from error
    return model


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def device_name(device: torch.device) -> str:
    """Return a GPU's name, or the CPU's architecture with the threads in use.

    Many processes that trained together are counted before it.
    """
    size = parallel.here().size
    many = f"{size} x " if size > 1 else ""
    if device.type == "cuda":
        return many + torch.cuda.get_device_name(device)
    return f"{many}CPU ({platform.machine()}, {torch.get_num_threads()} threads)"
