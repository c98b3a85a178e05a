"""Who decides: the judge, of whatever the student's objects are and say."""

from __future__ import annotations

import contextlib
import io

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from course_grader.assignment.bundle import Bundle, Submission
from course_grader.engine.launcher import Engine

from .judge_cases import DECIDED, EXERCISES, SETUP
from .test_engine import cell, error_of, lesson

pytestmark = pytest.mark.slow
ALL = [*EXERCISES, *DECIDED]
LIES = [(e.name, n) for e in ALL for n in range(len(e.lies))]
RIGHT = [(e.name, n) for e in ALL for n in range(len(e.right))]
BY_NAME = {exercise.name: exercise for exercise in ALL}


@pytest.fixture(scope="module")
def engine():
    cells = [new_code_cell(SETUP)]
    for one in ALL:
        cells += [cell(f"{one.name}_answer", one.model), cell(one.name, one.test, 1)]
    made = lesson("judged", cells)
    with Engine(Bundle("judged", {"judged": made}, {}, 10)) as started:
        yield started


@pytest.fixture(scope="module")
def graded(engine):
    """graded(kind, n): the errors of a student whose answers are the n-th ones."""
    known: dict = {}

    def found(kind: str, number: int) -> dict[str, str]:
        if (kind, number) not in known:
            answers = {}
            for one in ALL:
                given = getattr(one, kind)
                if number < len(given):
                    answers[f"{one.name}_answer"] = given[number]
            known[kind, number] = grade(engine, answers)
        return known[kind, number]

    return found


def grade(engine, answers: dict[str, str]) -> dict[str, str]:
    (made,) = engine.bundle.lessons.values()
    notebook = nbformat.from_dict(made.solution)
    for one in notebook.cells:
        name = one.metadata.get("nbgrader", {}).get("grade_id")
        one.source = answers.get(name, one.source)
    notebooks = {made.name: notebook}
    verdict = engine.grade(Submission("ada", made.name, notebooks, {}))
    assert not verdict.reason
    return {one.name: error_of(verdict.notebooks[made.name], one.name) for one in ALL}


def in_one_kernel(exercise, answer: str) -> None:
    space: dict = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        for source in (SETUP, answer, exercise.test):
            exec(compile(source, exercise.name, "exec", dont_inherit=True), space)


def test_the_judge_runs_every_test(engine):
    assert engine.unfit == {}
    assert engine.alone == {}


@pytest.mark.parametrize(("name", "number"), LIES)
def test_what_lies_earns_nothing(graded, name, number):
    assert graded("lies", number)[name] != ""


@pytest.mark.parametrize(("name", "number"), RIGHT)
def test_what_is_right_earns_all(graded, name, number):
    in_one_kernel(BY_NAME[name], BY_NAME[name].right[number])
    assert graded("right", number)[name] == ""


def test_what_the_students_objects_decide_is_told(engine):
    found = engine.remarks()
    assert len(found) == len(DECIDED), found
    assert "the test bag lets the student's own objects decide (" in found[0]


# --- cells take effect in the notebook's order ----------------------------------------

REFERENCE = "def sized(n):\n    return [n] * n\nbase = 10"
ORDER = [
    new_code_cell("import math\nsetting = 1\ndef look(): return setting"),
    cell("double_answer", "def double(x):\n    return 2 * x"),
    cell(
        "binds",
        "base = 3\nsized = double\nassert double(base) == 6 and look() == 1\n"
        "### BEGIN HIDDEN TESTS\nimport inspect, textwrap as wrapping\n"
        "from collections import Counter\nsecret = 4\n"
        "def counted(xs):\n    return Counter(xs)\n"
        "assert double(secret) == 8\n### END HIDDEN TESTS",
        1,
    ),
    new_code_cell(REFERENCE),
    new_code_cell("setting = 2"),
    cell("later", "assert sized(2) == [2, 2] and double(base) == 20", 1),
    cell("looks", "assert look() == 2 and setting == 2", 1),
    cell("source", "assert '2 * x' in inspect.getsource(double)\nhidden = secret", 1),
    cell("counts", "import dis\nassert counted([1])[1] == 1 and double.__code__", 1),
    cell("after", "assert hidden == 4 and double(hidden) == 8", 1),
    cell("net_answer", "def half(x):\n    return x / 2\nnet = half"),
    cell("net", "assert net(4) == 2", 1),
    new_code_cell("def net(x):\n    return 'reference'"),
    cell("reference", "assert net(4) == 'reference' and half(2) == 1", 1),
]


@pytest.fixture(scope="module")
def order():
    made = lesson("order", ORDER)
    with Engine(Bundle("order", {"order": made}, {}, 10)) as started:
        yield started


def test_given_cells_take_effect_where_they_stand(order):
    assert order.unfit == {}
    assert {"later", "looks", "net", "reference", "binds"} & set(order.alone) == set()


def test_a_test_on_the_students_side_has_what_hidden_parts_bound(order):
    assert {"source", "counts"} <= set(order.alone)
    notebook = nbformat.from_dict(order.bundle.lessons["order"].solution)
    verdict = order.grade(Submission("ada", "order", {"order": notebook}, {}))
    found = verdict.notebooks["order"]
    tests = [c.metadata.nbgrader.grade_id for c in ORDER if "nbgrader" in c.metadata]
    assert {name: error_of(found, name) for name in tests} == dict.fromkeys(tests, "")
