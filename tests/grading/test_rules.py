"""A forbidden function counts wherever it runs: in a layer, in a loop, in a thread."""

from __future__ import annotations

import pytest

from .rule_cases import EXERCISES, RULES
from .test_judge import engine_of, graded_by

pytestmark = pytest.mark.slow
BY_NAME = {exercise.name: exercise for exercise in EXERCISES}
LIES = [(e.name, n) for e in EXERCISES for n in range(len(e.lies))]
RIGHT = [(e.name, n) for e in EXERCISES for n in range(len(e.right))]


@pytest.fixture(scope="module")
def engine():
    with engine_of("ruled", EXERCISES, 20, {"forbidden": RULES}) as started:
        yield started


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
