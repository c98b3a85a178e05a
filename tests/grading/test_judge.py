"""Who decides: the judge, of whatever the student's objects are and say."""

from __future__ import annotations

import contextlib
import io

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from course_grader.assignment.bundle import Bundle, Submission
from course_grader.engine.launcher import Engine

from . import object_cases, value_cases
from .judge_cases import DECIDED, EXERCISES, SETUP
from .test_engine import cell, error_of, lesson

pytestmark = pytest.mark.slow
ALL = [*EXERCISES, *value_cases.EXERCISES, *object_cases.EXERCISES, *DECIDED]
LIES = [(e.name, n) for e in ALL for n in range(len(e.lies))]
RIGHT = [(e.name, n) for e in ALL for n in range(len(e.right))]
BY_NAME = {exercise.name: exercise for exercise in ALL}


def engine_of(name: str, exercises: list, seconds: float, *options) -> Engine:
    """Return an engine for an assignment of these exercises, a point each."""
    cells = [new_code_cell(SETUP)]
    for one in exercises:
        cells += [cell(f"{one.name}_answer", one.model), cell(one.name, one.test, 1)]
    return Engine(Bundle(name, {name: lesson(name, cells)}, {}, seconds, *options))


@pytest.fixture(scope="module")
def engine():
    with engine_of("judged", ALL, 10) as started:
        yield started


@pytest.fixture(scope="module")
def graded(engine):
    return graded_by(engine, ALL)


def graded_by(engine, exercises: list):
    """Return found(kind, n): the errors of who gives the n-th answers."""
    known: dict = {}

    def found(kind: str, number: int) -> dict[str, str]:
        if (kind, number) not in known:
            answers = {}
            for one in exercises:
                given = getattr(one, kind)
                if number < len(given):
                    answers[f"{one.name}_answer"] = given[number]
            errors = grade(engine, answers)
            known[kind, number] = {one.name: errors[one.name] for one in exercises}
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
    found = verdict.notebooks[made.name]
    return {name: error_of(found, name) for name in made.cells}


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
def test_what_is_right_earns_all(graded, name, number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for what an answer writes
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
    made, named = lesson("order", ORDER), {"beside": ["source", "counts"]}
    with Engine(Bundle("order", {"order": made}, {}, 10, named)) as started:
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


# --- what a kernel has and this shell has not -----------------------------------------

KERNEL = """
%autosave 60
%connect_info
%store
%less no.txt
import faulthandler, sys
assert sys.stdout.fileno() >= 0 and sys.stderr.fileno() >= 0
faulthandler.enable()
assert get_ipython().kernel.shell is get_ipython()
get_ipython().kernel.session.session, get_ipython().kernel.banner
get_ipython().kernel.comm_manager.register_target("mine", print)
assert not get_ipython().parent_header
%rehashx
%clear
%edit note.py
%subshell
import ipykernel, json, os
from ipykernel.connect import get_connection_file, get_connection_info
assert os.path.isfile(get_connection_file())
assert get_connection_file() == ipykernel.get_connection_file()
assert json.loads(get_connection_info())["transport"] == "tcp"
assert get_connection_info(unpack=True)["shell_port"] == 0
get_ipython().display_pub.register_hook(lambda message: message)
assert sys.stdout.name and not sys.stdout.closed
def one():
    return 1
"""
SINGLE = "import torch\ndef net(x): return torch.ones(3) * x"
DOUBLE = "torch.set_default_dtype(torch.float64)\nscale = torch.ones(3)\n" + (
    "def net(x): return scale @ x"
)
HABITS = [
    new_code_cell("import torch\nfirst = torch.ones(3)"),
    cell("one_answer", "def one():\n    return 1"),
    cell("one", "assert one() == 1", 1),
    cell("net_answer", "scale = torch.ones(3)\ndef net(x): return scale @ x"),
    cell("double", "assert net(torch.ones(3)) == 3", 1),
    new_code_cell("weights = torch.ones(3)"),
    cell("after", "assert net(weights) == 3\nassert weights.dtype == scale.dtype", 1),
    cell("read_answer", "def read():\n    return [1]"),
    cell("read", "assert read() == [1]", 1),
    cell("kind", "assert isinstance(read(), list), 'a list'", 1),
]


@pytest.fixture(scope="module")
def habits():
    made = lesson("habits", HABITS)
    with Engine(Bundle("habits", {"habits": made}, {}, 10)) as started:
        yield started


def outcome(engine, **answers) -> dict[str, str]:
    """Return what each test says that fails, "" for the others."""
    (made,) = engine.bundle.lessons.values()
    notebook = nbformat.from_dict(made.solution)
    for one in notebook.cells:
        name = one.metadata.get("nbgrader", {}).get("grade_id")
        one.source = answers.get(name, one.source)
    verdict = engine.grade(Submission("ada", made.name, {made.name: notebook}, {}))
    assert not verdict.reason
    return {
        c.metadata.nbgrader.grade_id: "".join(
            o.evalue for o in c.outputs if o.output_type == "error"
        )
        for c in verdict.notebooks[made.name].cells
        if "nbgrader" in c.metadata
    }


def test_what_a_kernel_offers_ends_no_cell(habits):
    assert outcome(habits, one_answer=KERNEL) == dict.fromkeys(outcome(habits), "")


def test_later_cells_follow_the_students_default_type(habits):
    assert outcome(habits, net_answer=DOUBLE) == dict.fromkeys(outcome(habits), "")


OWN = "class Own:\n    def __eq__(self, other): return True\ndef read(): return Own()"


@pytest.mark.parametrize("test", ["read", "kind"])
def test_an_answer_that_cannot_be_read_is_told(habits, test):
    found = outcome(habits, read_answer=OWN)
    assert "a test reads numbers, texts, lists" in found[test]
    assert "Own" not in found[test]
    assert (
        "a test reads"
        not in outcome(habits, read_answer="def read(): return [2]")[test]
    )
