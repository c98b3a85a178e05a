"""Courses to grade, with classes of any size, made up: what other benchmarks work on.

`small` is a course of one assignment in PyTorch that takes a few milliseconds; how many
points each answer is worth is known. `answers` are those to an assignment of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

import course_grader as grading

SMALL = "small"
CONFIG = """c = get_config()
c.CourseDirectory.course_id = "small"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "assignments"
"""


class Exercise(NamedTuple):
    """A solution cell and its test; what comes after `hidden` is not released."""

    points: int
    test: str
    hidden: str
    answers: dict[str, bool]  # right ones and wrong ones; the first is the model's


EXERCISES = {
    "affine": Exercise(
        2,
        "assert affine(torch.ones(2, 3), torch.ones(4, 3), torch.zeros(4)).sum() == 24",
        "x, w, b = torch.randn(5, 3), torch.randn(4, 3), torch.randn(4)\n"
        "assert torch.allclose(affine(x, w, b), F.linear(x, w, b), atol=1e-6)",
        {
            "def affine(x, w, b):\n    return x @ w.T + b": True,
            "def affine(x, w, b):\n    return torch.addmm(b, x, w.T)": True,
            "def affine(x, w, b):\n    return x @ w.T": False,
            "def affine(x, w, b):\n    return x @ w + b": False,
            "def affine(x, w, b):\n    raise NotImplementedError": False,
        },
    ),
    "Net": Exercise(
        3,
        "net = Net(4)\nassert net(torch.ones(2, 4)).shape == (2, 3)",
        "torch.manual_seed(1)\nnet, x = Net(5), torch.randn(64, 5)\n"
        "labels = (x[:, 0] > 0).long()\n"
        "optimiser = torch.optim.SGD(net.parameters(), 0.5)\n"
        "for _ in range(20):\n    optimiser.zero_grad()\n"
        "    loss = F.cross_entropy(net(x), labels)\n"
        "    loss.backward()\n    optimiser.step()\nassert loss < 0.5, loss",
        {
            "class Net(nn.Module):\n    def __init__(self, width):\n"
            "        super().__init__()\n        self.head = nn.Linear(width, 3)\n\n"
            "    def forward(self, x):\n        return self.head(x)": True,
            "def Net(width):\n    return nn.Sequential(nn.Linear(width, 3))": True,
            "class Net(nn.Module):\n    def __init__(self, width):\n"
            "        super().__init__()\n        self.head = nn.Linear(width, 3)\n\n"
            "    def forward(self, x):\n        return self.head(x).detach()": False,
            "Net = None": False,
        },
    ),
    "macs": Exercise(
        1,
        "assert isinstance(macs(3, 4), int)",
        "assert [macs(c, k) for c, k in [(1, 1), (3, 8), (64, 10)]] == [1, 24, 640]",
        {
            "def macs(channels, classes):\n    return channels * classes": True,
            "def macs(channels, classes):\n    return (channels + 1) * classes": False,
            "def macs(channels, classes):\n    return 1 / 0": False,
        },
    ),
}
SETUP = "import torch\nimport torch.nn.functional as F\nfrom torch import nn"


def small(folder: Path) -> Path:
    """Make the small course, its assignment released."""
    source = Path(folder) / "solutions" / SMALL / f"{SMALL}.ipynb"
    source.parent.mkdir(parents=True)
    (Path(folder) / "nbgrader_config.py").write_text(CONFIG)
    cells = [new_code_cell(SETUP)]
    for name, exercise in EXERCISES.items():
        model = next(iter(exercise.answers))
        hidden = f"### BEGIN HIDDEN TESTS\n{exercise.hidden}\n### END HIDDEN TESTS"
        cells += [
            cell(name, f"### BEGIN SOLUTION\n{model}\n### END SOLUTION"),
            cell(f"test_{name}", f"{exercise.test}\n{hidden}", exercise.points),
        ]
    nbformat.write(new_notebook(cells=cells), source)
    grading.release([SMALL], folder)
    return Path(folder)


def cell(name: str, source: str, points: int | None = None) -> NotebookNode:
    """Return a solution cell, or a test cell if it is worth points."""
    facts = {"grade_id": name, "schema_version": 3, "task": False}
    facts |= {"grade": points is not None, "solution": points is None}
    facts |= {"locked": points is not None} | ({"points": points} if points else {})
    return new_code_cell(source, metadata={"nbgrader": facts})


def small_class(course: Path, students: int) -> dict[str, float]:
    """Hand in answers of every kind; return the points that each student deserves."""
    names, points = list(EXERCISES), {}
    for number in range(students):
        rest, chosen, deserved = number, {}, 0
        for name, exercise in EXERCISES.items():
            rest, which = divmod(rest, len(exercise.answers))
            answer = list(exercise.answers)[which]
            chosen[name] = f"{answer}\n# student {number}"
            deserved += exercise.points * exercise.answers[answer]
        student = f"student{number:06}"
        hand_in(course, SMALL, student, {name: chosen[name] for name in names})
        points[student] = float(deserved)
    return points


def hand_in(
    course: Path,
    assignment: str,
    student: str,
    answers: dict[str, str],
    files: dict[str, bytes] | None = None,
) -> None:
    """Put the release, some of its solution cells replaced, into submitted/.

    files: what lies beside the notebook, bytes by name.
    """
    where = Path("assignments") / assignment / f"{assignment}.ipynb"
    notebook = nbformat.read(Path(course) / where, as_version=4)
    for one in notebook.cells:
        name = one.metadata.get("nbgrader", {}).get("grade_id")
        one.source = answers.get(name, one.source)
    target = Path(course) / "submitted" / student / assignment
    target.mkdir(parents=True)
    for path in (Path(course) / where).parent.iterdir():
        if path.suffix != ".ipynb":
            (target / path.name).write_bytes(path.read_bytes())
    for name, content in (files or {}).items():
        (target / name).write_bytes(content)
    nbformat.write(notebook, target / where.name)


def answers(
    course: Path, assignment: str, mistakes: list[tuple[str, str, str]]
) -> Iterator[dict[str, str]]:
    """Yield answers to an assignment of ours, without end.

    Of eight, three are the model's, two answer every other exercise, two make one of
    the mistakes (grade id, in the solution, instead of it), each in turn, one is not
    begun.
    """
    path = Path(course) / "solutions" / assignment / f"{assignment}.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    facts = [(cell.metadata.get("nbgrader", {}), cell.source) for cell in cells]
    model = {
        fact["grade_id"]: source.partition("**Marking scheme")[0]
        for fact, source in facts
        if fact.get("solution")
    }
    even, odd = (dict(islice(model.items(), start, None, 2)) for start in (0, 1))
    wrong = cycle(mistakes)
    while True:
        yield from (model, even, model, {}, model, odd)
        for name, old, new in islice(wrong, 2):
            yield model | {name: changed(model[name], old, new)}


def changed(source: str, old: str, new: str) -> str:
    """Return a solution with a mistake; ValueError if there is nothing to change."""
    if old not in source:
        raise ValueError(f"{old!r} is not in the solution")
    return source.replace(old, new)
