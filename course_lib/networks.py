"""What `course train` and `course cost` do with a notebook's networks."""

from __future__ import annotations

import inspect
import re
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch
from torch import nn

from course_lib import (
    checkpoints,
    data,
    flops,
    notebook,
    parallel,
    recipe_fields,
    results,
    train,
)
from course_lib.errors import CourseError

SMALL = "_small", "_fine", "_wide"  # how a network's name ends that is for 32x32 images


def train_unit(
    unit: str,
    data_name: str = "digits",
    network: str | None = None,
    size: int = 32,
    seed: int = 0,
    changes: dict | None = None,
    device: str | None = None,
    out: Path | None = None,
    note: str = "",
    say=print,
) -> tuple[Path, results.Record | None]:
    """Train a unit's network on a data set; return the record and where it is.

    Of many processes the first writes it; the others return None for the record.

    changes: fields of the recipe to set otherwise than the notebook does.
    say: is told in a sentence what starts.  Raises CourseError for what does not exist.
    """
    name, build, model, images, recipe = prepared(
        unit, data_name, network, size, {"seed": seed} | (changes or {})
    )
    classes = images["train"].classes
    label = file_name(notebook.source(unit).stem, build, images["train"])
    path = (out or checkpoints.folder()) / f"{label}-seed{recipe.seed}.json"
    say = say if parallel.here().first else lambda text: None
    say(
        f"{name} on {images['train'].name}: {len(images['train']):,} training, "
        f"{len(images['val']):,} validation, {len(images['test']):,} test images, "
        f"{len(classes)} classes, {recipe.epochs} epochs"
    )
    history = train.fit(
        model,
        images["train"],
        images["val"],
        recipe,
        checkpoint=path.with_suffix(".pt"),
        device=device,
        title=name,
    )
    if not parallel.here().first:
        return path, None
    record = results.save(
        path,
        model,
        history,
        recipe,
        images["train"],
        images["test"],
        unit=notebook.source(unit).stem,
        network=build.func.__name__,
        arguments=build.keywords | {"num_classes": len(classes)},
        note=note,
    )
    return path, record


class Prepared(NamedTuple):
    """A network that can be trained now, and what on."""

    name: str
    build: partial
    model: nn.Module
    images: dict[str, data.Images]  # by split
    recipe: train.Recipe


def prepared(
    unit: str, data_name: str, network: str | None, size: int, changes: dict
) -> Prepared:
    """Build a unit's network and load the images; see `train_unit`."""
    module = notebook.load(unit)
    name = network or small_network(module)
    build = chosen(unit, module, name)[name]
    images = {
        split: data.load(data_name, split, size=size, channels=3)
        for split in ("train", "val", "test")
    }
    recipe = recipe_for(module, images["train"].name, changes)
    torch.manual_seed(recipe.seed)
    model = build(num_classes=len(images["train"].classes))
    return Prepared(name, build, model, images, recipe)


def file_name(unit: str, build: partial, images: data.Images) -> str:
    """Return a name for a training's files: no part of it is a folder.

    Two folders of images may be called alike: their names end in what is in them.
    """
    known = images.name in [row.name for row in data.available()]
    source = images.name if known else f"{Path(images.name).stem}-{images.digest[:8]}"
    words = unit, build.func.__name__, *map(str, build.keywords.values()), source
    return "-".join(re.sub(r"[^\w.+-]+", "-", word) for word in words)


def networks(module: ModuleType) -> dict[str, partial]:
    """Return the networks of a module by name: "resnet_small", or "resnet(50)".

    A function that builds networks takes `num_classes` and has a default for every
    argument; where the module's VARIANTS lists values of the first, each is a network.
    """
    found, variants = {}, getattr(module, "VARIANTS", {})
    for name, value in vars(module).items():
        if not inspect.isfunction(value):
            continue
        wanted = inspect.signature(value).parameters
        if "num_classes" not in wanted:
            continue
        if not any(must_be_given(parameter) for parameter in wanted.values()):
            for variant in variants.get(name, ()):
                first = {next(iter(wanted)): variant}
                found[f"{name}({variant})"] = partial(value, **first)
            if name not in variants:
                found[name] = partial(value)
    return found


def must_be_given(parameter: inspect.Parameter) -> bool:
    variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and not variable


def chosen(unit: str, module: ModuleType, name: str) -> dict[str, partial]:
    """Return the network of that name, or all variants of it and the default one."""
    found = networks(module)
    like = {label: net for label, net in found.items() if name == net.func.__name__}
    if name in found:
        return {name: found[name]}
    if not like:
        known = ", ".join(found)
        raise CourseError(f"{unit} has no network {name!r}; it has {known}")
    return {name: partial(next(iter(like.values())).func)} | like


def small_network(module: ModuleType) -> str:
    """Return the first …_small constructor: the one for 32x32 images."""
    names = [net.func.__name__ for net in networks(module).values()]
    small = [name for name in names if name.endswith("_small")]
    if not names:
        raise CourseError(
            f"{module.__file__} builds no network: there is none to train"
        )
    if not small:
        raise CourseError(f"{module.__file__} exports no …_small network; name one")
    return small[0]


def recipe_for(module: ModuleType, images: str, changes: dict) -> train.Recipe:
    """Return the notebook's recipe for these images, or for its first set, changed."""
    recipes = getattr(module, "RECIPES", {"any": {}})
    row = recipes.get(images) or next(iter(recipes.values()))
    for name in changes:
        recipe_fields.known(name)
    return train.Recipe(**(row | changes))


def costs(name: str, size: int | None = None) -> dict[str, flops.Cost]:
    """Return the cost of each network of a unit, or of one ("04_alexnet.alexnet")."""
    unit, _, wanted = name.partition(".")
    module = notebook.load(unit)
    found = chosen(unit, module, wanted) if wanted else networks(module)
    if not found:
        raise CourseError(f"{unit} builds no network: there is nothing to count")
    if len(found) > 1:
        found.pop(wanted, None)  # the default is one of the variants
    rows = {}
    for label, build in found.items():
        small = build.func.__name__.endswith(SMALL)
        side = size or (32 if small else getattr(module, "IMAGE_SIZE", 224))
        rows[f"{label} at {side}x{side}"] = cost(build, side)
    return rows


def cost(build, side: int) -> flops.Cost:
    """Count on the meta device, which allocates nothing."""
    with torch.device("meta"):
        model: nn.Module = build()
        return flops.count(model, (1, 3, side, side))
