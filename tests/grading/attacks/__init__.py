"""Attacks on the grader and bad luck of honest students, on exercises of ours.

A case is a submission: what it puts in the place of answers, between the cells and
beside the notebook, and the points that it deserves by exercise. The modules sort them
by what they reach for; `course` builds the assignment, `class_of` the class.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

POINTS = {
    "stack": {"stack_visible": 1, "stack_hidden": 2, "stack_refuses_visible": 1},
    "best": {"best_hidden": 1},
    "smoothing": {
        "smoothing_visible": 1,
        "smoothing_hidden": 2,
        "smoothing_refuses_visible": 1,
    },
    "reduction": {
        "reduction_visible": 1,
        "reduction_hidden": 2,
        "reduction_eval_hidden": 1,
        "reduction_refuses_visible": 1,
    },
    "lrn": {"lrn_visible": 1, "lrn_hidden": 2, "lrn_refuses_visible": 1},
    "total": {"total_visible": 1, "total_hidden": 1},
    "norms": {"norms_visible": 1, "norms_hidden": 2},
    "hand_in": {"hand_in_visible": 1, "hand_in_hidden": 2},
}
RIGHT = object()  # an answer that is the model solution's


class Case(NamedTuple):
    """A submission. Exercises that are not named are left as they were released."""

    name: str
    what: str  # it does, in a sentence
    answers: dict[str, object] = {}  # by exercise: source, or RIGHT
    before: dict[str, str] = {}  # a cell of its own before an exercise's answer
    files: dict[str, bytes] = {}
    deserves: dict[str, object] = {}  # by exercise: points, or RIGHT for all of them
    change: Callable[[NotebookNode, Path], None] | None = (
        None  # the rest, in its folder
    )
    refused: str = ""  # words of the reason, if it is not graded at all
    said: tuple[str, ...] = ()  # words that must be among the notes
    shows: str = (
        ""  # words that its own cells print, if what it looked for is not there
    )

    @property
    def points(self) -> dict[str, float]:
        """The deserved points by grade id."""
        found = {}
        for exercise, cells in POINTS.items():
            given = self.deserves.get(exercise, {})
            given = cells if given is RIGHT else given
            found |= {name: given.get(name, 0) for name in cells}
        return found


def right(*exercises: str) -> dict[str, object]:
    """Answers, or points, of exercises that are solved as the model solves them."""
    return dict.fromkeys(exercises, RIGHT)
