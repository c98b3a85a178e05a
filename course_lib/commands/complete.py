"""What a shell offers after TAB; it imports nothing heavy, to answer at once."""

from __future__ import annotations

import ast
from pathlib import Path

import typer

from course_lib import notebook
from course_lib.errors import CourseError
from course_lib.files import ROOT
from course_lib.published import NETWORKS

DATA_SETS = ("digits", "fashion-mnist", "cifar10", "imagenette")  # a test compares
PLACES = ("solutions/*/", "assignments/*/", "source/*/", "release/*/", "submitted/*/*/")


def units(incomplete: str) -> list[str]:
    return starting(incomplete, notebook.units())


def units_and_networks(incomplete: str) -> list[str]:
    """Offer units, and after "08_resnet." the networks of that one."""
    unit, dot, _ = incomplete.partition(".")
    if not dot:
        return units(incomplete)
    return starting(incomplete, [f"{unit}.{name}" for name in network_names(unit)])


def networks(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the networks of the unit; after a bare option it is in `ctx.args` still."""
    words = [ctx.params.get("unit"), *ctx.args]
    names = [name for word in words if word for name in network_names(word)]
    return starting(incomplete, names)


def published_networks(incomplete: str) -> list[str]:
    """Offer the networks that `course classify` can fill."""
    return starting(incomplete, NETWORKS)


def data_sets(incomplete: str) -> list[str]:
    return starting(incomplete, DATA_SETS)


def data_words(incomplete: str) -> list[str]:
    return starting(incomplete, ("list", *DATA_SETS))


def assignments(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer what has a folder in the course, in nbgrader's layout or in ours."""
    course = Path(ctx.params.get("course") or ROOT)
    found = {path.name for place in PLACES for path in course.glob(place)}
    return starting(incomplete, (name for name in found if name[0] != "."))


def students(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer those who handed in."""
    course = Path(ctx.params.get("course") or ROOT)
    return starting(incomplete, {path.name for path in course.glob("submitted/*/")})


def starting(incomplete: str, names) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def network_names(unit: str) -> list[str]:
    """Return the functions of a unit's exported cells that build a network.

    The source is read and not run, which would import torch. Such a function takes
    `num_classes` and has a default for every argument.
    """
    try:
        text = notebook.source(unit).read_text("utf-8")
        cells = [cell.source for cell in notebook.cells(text) if "export" in cell.tags]
        tree = ast.parse("\n".join(cells))
    except (CourseError, OSError, SyntaxError):
        return []
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [one.name for one in functions if builds_network(one.args)]


def builds_network(wanted: ast.arguments) -> bool:
    names = [one.arg for one in (*wanted.posonlyargs, *wanted.args, *wanted.kwonlyargs)]
    given = len(wanted.defaults) + sum(one is not None for one in wanted.kw_defaults)
    return "num_classes" in names and given == len(names)
