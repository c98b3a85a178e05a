"""What each field of a recipe may be: one table, for checking and for reading."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import NamedTuple

from course_lib.errors import CourseError


class TrainingError(CourseError, ValueError):
    """A recipe, checkpoint or loss that training cannot go on with."""


class Field(NamedTuple):
    """The values of a field: numbers from least up to most, or one of choices."""

    kind: type  # int, float, bool or str
    least: float = -math.inf
    most: float = math.inf
    open: str = ""  # "least", "most": that end is itself no value
    choices: tuple[str, ...] = ()
    optional: bool = False  # None is a value

    def __str__(self) -> str:
        if self.kind is bool:
            return "true or false"
        if self.choices:
            return "one of " + ", ".join(self.choices)
        words = "a whole number" if self.kind is int else "a number"
        if math.isfinite(self.least):
            words += f" above {self.least}" if "least" in self.open else ""
            words += f", {self.least} or more" if "least" not in self.open else ""
        if math.isfinite(self.most):
            words += f" and below {self.most}" if "most" in self.open else ""
            words += f" and at most {self.most}" if "most" not in self.open else ""
        return words + (", or none" if self.optional else "")

    def holds(self, value) -> bool:
        """Say whether this is a value of the field."""
        if value is None:
            return self.optional
        if self.kind is str:
            return value in self.choices
        if self.kind is bool or isinstance(value, bool):
            return self.kind is bool and isinstance(value, bool)
        number = Integral if self.kind is int else Real
        if not isinstance(value, number) or not math.isfinite(value):
            return False
        above = value > self.least or (value == self.least and "least" not in self.open)
        below = value < self.most or (value == self.most and "most" not in self.open)
        return above and below

    def read(self, text: str):
        """Return the value that is written; the text itself where it is none."""
        word = text.strip()
        if self.optional and word.lower() in ("none", "null", ""):
            return None
        if self.kind is bool:
            return {"true": True, "false": False}.get(word.lower(), word)
        try:
            return self.kind(word)
        except ValueError:
            return word


FIELDS = {
    "epochs": Field(int, 1),
    "batch_size": Field(int, 1),
    "learning_rate": Field(float, 0, open="least"),
    "optimizer": Field(str, choices=("sgd", "rmsprop", "adamw")),
    "momentum": Field(float, 0, 1, open="most"),
    "nesterov": Field(bool),
    "epsilon": Field(float, 0, open="least"),
    "weight_decay": Field(float, 0),
    "schedule": Field(str, choices=("cosine", "constant", "steps", "exponential")),
    "warmup_epochs": Field(float, 0),
    "label_smoothing": Field(float, 0, 1, open="most"),
    "auxiliary_weight": Field(float, 0),
    "clip_norm": Field(float, 0, open="least", optional=True),
    "ema_decay": Field(float, 0, 1, optional=True),
    "precision": Field(str, choices=("float32", "bfloat16", "float16")),
    "channels_last": Field(bool),
    "compile": Field(bool),
    "flip": Field(bool),
    "crop_padding": Field(int, 0),
    "cutout": Field(int, 0),
    "seed": Field(int, 0, 2**63 - 1),
}


def known(name: str) -> Field:
    """Return the field of that name; TrainingError if a recipe has none."""
    if name not in FIELDS:
        raise TrainingError(
            f"a recipe has no field {name!r}; it has {', '.join(FIELDS)}"
        )
    return FIELDS[name]


def check(values: dict) -> None:
    """Raise TrainingError for the first value that its field cannot have."""
    for name, value in values.items():
        if not known(name).holds(value):
            raise TrainingError(f"{name} is {value!r}: expected {FIELDS[name]}")


def assignment(text: str) -> tuple[str, object]:
    """Return ("learning_rate", 0.02) for "learning_rate=0.02", by the field's kind."""
    name, equals, value = text.partition("=")
    if not equals:
        raise TrainingError(f"{text!r}: expected FIELD=VALUE, as in momentum=0.9")
    return name.strip(), known(name.strip()).read(value)
