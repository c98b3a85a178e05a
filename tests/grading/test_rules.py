"""A forbidden function counts wherever it runs: in a layer, in a loop, in a thread."""

from __future__ import annotations

import pytest
from nbformat.v4 import new_code_cell

from course_grader.assignment.bundle import Bundle
from course_grader.engine.launcher import Engine

from .judge_cases import SETUP
from .rule_cases import EXERCISES, RULES
from .test_engine import cell, lesson
from .test_judge import graded_by

pytestmark = pytest.mark.slow
BY_NAME = {exercise.name: exercise for exercise in EXERCISES}
LIES = [(e.name, n) for e in EXERCISES for n in range(len(e.lies))]
RIGHT = [(e.name, n) for e in EXERCISES for n in range(len(e.right))]


@pytest.fixture(scope="module")
def engine():
    cells = [new_code_cell(SETUP)]
    for one in EXERCISES:
        cells += [cell(f"{one.name}_answer", one.model), cell(one.name, one.test, 1)]
    made = lesson("ruled", cells)
    with Engine(
        Bundle("ruled", {"ruled": made}, {}, 20, {"forbidden": RULES})
    ) as found:
        yield found


@pytest.fixture(scope="module")
def graded(engine):
    return graded_by(engine, EXERCISES)


def test_the_model_keeps_the_rules(engine):
    assert engine.unfit == {}
    assert engine.alone == {}


@pytest.mark.parametrize(("name", "number"), LIES)
def test_a_forbidden_function_is_noticed(graded, name, number):
    assert graded("lies", number)[name] != ""


@pytest.mark.parametrize(("name", "number"), RIGHT)
def test_who_does_without_keeps_the_point(graded, name, number):
    assert graded("right", number)[name] == ""
