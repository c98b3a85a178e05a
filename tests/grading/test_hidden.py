"""Hidden tests stay hidden: neither they nor their helpers leave the judge unsaid."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from course_grader import grade, preview, release, tried
from course_grader.assignment.bundle import Bundle, Submission
from course_grader.engine.launcher import Engine
from course_lib.errors import CourseError

from .conftest import TEST, code, source
from .test_engine import cell, error_of, lesson

pytestmark = pytest.mark.slow


def hidden(text: str) -> str:
    return f"### BEGIN HIDDEN TESTS\n{text}\n### END HIDDEN TESTS"


SETUP = new_code_cell("import functools, inspect, torch\nfrom torch import nn")
ANSWERS = [
    SETUP,
    cell("double_answer", "def double(x, by=2):\n    return by * x"),
    cell("apply_answer", "def apply(f, *args):\n    return f(*args)"),
    cell("net_answer", "class Net(nn.Module):\n    def forward(self, x): return x"),
]
MOVES = {  # tests that need the student's own objects
    "reads_code": hidden("assert double.__code__.co_argcount == 2"),
    "reads_source": hidden("assert 'by' in inspect.getsource(double)"),
    "reads_defaults": hidden("assert double.__defaults__ == (2,)"),
    "reads_globals": hidden("assert double.__globals__['apply']"),
    "reads_class": hidden("assert 'forward' in vars(Net)"),
    "is_a_module": hidden("assert issubclass(Net, nn.Module)"),
    "hidden_and_shown": "assert double(1) == 2\n" + hidden("assert double.__code__"),
    "binds": hidden("table = [1, 2]"),
    "uses_a_hidden_name": "assert table and double.__code__",
}
STAYS = {
    "calls": hidden("assert double(3) == 6"),
    "signature": hidden("assert apply(len, 'ab') == 2"),
    "visible": "assert 'by' in inspect.getsource(double)",
}


def moving(**options) -> Engine:
    tests = [cell(name, text, 1) for name, text in {**MOVES, **STAYS}.items()]
    made = lesson("moves", [*ANSWERS, *tests])
    return Engine(Bundle("moves", {"moves": made}, {}, 20, options))


def test_no_class_is_graded_while_a_hidden_test_would_move_unsaid():
    engine = moving()
    with pytest.raises(CourseError, match="nobody was graded") as raised:
        engine.start()
    assert engine.process.poll() is not None
    said = str(raised.value)
    assert "c.CourseGrade.beside = [" in said
    named = said.rpartition("= ")[2]
    assert [name for name in MOVES if f"'{name}'" in named] == [
        name for name in MOVES if name != "binds"
    ]
    assert not [name for name in STAYS if f"'{name}'" in named]


def test_what_the_course_names_runs_there_and_only_a_visible_test_is_told():
    names = [name for name in MOVES if name != "binds"]
    with moving(beside=names) as engine:
        assert set(engine.alone) == {*names, "visible"}
        (said,) = engine.remarks()
        assert said.startswith("the test visible needs the student's own objects")
        notebook = nbformat.from_dict(engine.bundle.lessons["moves"].solution)
        verdict = engine.grade(Submission("ada", "moves", {"moves": notebook}, {}))
        tests = {**MOVES, **STAYS}
        found = {n: error_of(verdict.notebooks["moves"], n) for n in tests}
        assert found == dict.fromkeys(tests, "")


@pytest.fixture
def peeking(tiny):
    """A course one of whose hidden tests reads the answer's code; ada handed in."""
    notebook = source()
    text = "assert double(1) == 2\n" + hidden("assert double.__code__.co_argcount == 1")
    notebook.cells.append(code(text, "peeks", 1.0, **TEST))
    (there,) = tiny.glob("solutions/*/*.ipynb")
    nbformat.write(notebook, there)
    release([there.stem], tiny)
    place = tiny / "submitted" / "ada" / there.stem / there.name
    place.parent.mkdir(parents=True)
    nbformat.write(notebook, place)
    return tiny


def test_neither_grade_nor_a_dry_run_is_silent(peeking, run_course):
    for ask in (grade, tried):
        with pytest.raises(CourseError, match=r"nobody was graded.*peeks"):
            ask("tiny", peeking)
    assert not (peeking / "autograded").exists()
    assert [row.status for row in preview("tiny", peeking)] == ["to grade"]
    done = run_course("grade", "tiny", "--course", str(peeking), "--dry-run")
    assert done.returncode == 1
    assert "nobody was graded" in done.stderr
    with open(peeking / "nbgrader_config.py", "a") as file:
        file.write('c.CourseGrade.beside = ["peeks"]\n')
    assert tried("tiny", peeking) == []
    (row,) = grade("tiny", peeking)
    assert (row.status, row.score) == ("graded", 10)


# --- functions that a test hands to an answer -----------------------------------------

TAKES_ALONG = {  # the test: what a hostile answer could read
    "a_global": ("REF = [1]\nassert apply(lambda x: x in REF, 1)", "REF"),
    "a_helper": (
        "def truth(x): return 2 * x\ndef ask(x): return truth(x)\n"
        "assert apply(ask, 2) == 4",
        "truth",
    ),
    "two_deep": (
        "deep = {4: 2}\ndef inner(x): return deep[x]\ndef outer(x): return inner(x)\n"
        "assert apply(outer, 4) == 2",
        "deep, inner",
    ),
    "a_closure": (
        "def made():\n    kept = torch.ones(2)\n    return lambda x: x + kept\n"
        "assert apply(made(), 1).sum() == 4",
        "kept",
    ),
    "a_method": (
        "ANS = (7,)\nclass Asks:\n    def __call__(self, x): return x in ANS\n"
        "assert apply(Asks(), 7)",
        "ANS",
    ),
    "a_partial": (
        "key = 3\ndef near(x, by): return x == key\n"
        "assert apply(functools.partial(near, by=1), 3)",
        "key",
    ),
    "a_default_of_ones_own": (
        "limit = [5]\ndef below(x):\n    def inner(y): return y < limit[0]\n"
        "    return inner(x)\nassert apply(below, 4)",
        "limit",
    ),
    "in_a_list": (
        "marks = {1}\nassert apply(lambda fs: fs[0](1), [lambda x: x in marks])",
        "marks",
    ),
    "as_an_attribute": (
        "vault = [9]\nlayer = nn.Identity()\nlayer.hook = lambda x: x in vault\n"
        "assert apply(lambda net: net.hook(9), layer)",
        "vault",
    ),
    "a_hook": (
        "seen = []\nlayer2 = nn.Identity()\n"
        "layer2.register_forward_hook(lambda *a: seen.append(1))\n"
        "assert apply(lambda net: net(1), layer2) == 1",
        "seen",
    ),
}
TAKES_NOTHING = {
    "plain": "assert apply(lambda x: x + 1, 1) == 2",
    "a_library_s": "assert apply(torch.relu, torch.ones(1)) == 1",
    "a_module_s_name": "import math\nassert apply(lambda x: math.sqrt(x), 4) == 2",
    "a_number_kept": "def add(n): return lambda x: x + n\nassert apply(add(2), 1) == 3",
    "its_own_name": "def down(n): return n and down(n - 1)\nassert apply(down, 3) == 0",
    "a_visible_name": "assert apply(lambda x: shown(x), 1) == 1",
    "defined_further_down": "def whole():\n    def first(x): return x or later()\n"
    "    found = apply(first, 1)\n    def later(): return 0\n    return found\n"
    "assert whole() == 1",
    "called_before": "WANT = [4]\nassert [apply(lambda x: x, 4)] == WANT",
}


@pytest.fixture(scope="module")
def remarks() -> list[str]:
    texts = {name: text for name, (text, _) in TAKES_ALONG.items()} | TAKES_NOTHING
    shown = new_code_cell("def shown(x):\n    return x")
    tests = [cell(name, hidden(text), 1) for name, text in texts.items()]
    made = lesson("along", [*ANSWERS, shown, *tests])
    with Engine(Bundle("along", {"along": made}, {}, 20)) as engine:
        assert engine.unfit == engine.alone == {}
        return engine.remarks()


@pytest.mark.parametrize("name", TAKES_ALONG)
def test_what_goes_along_with_a_function_is_told(remarks, name):
    start = f"the test {name} hands the answer a function that takes along "
    (said,) = [one for one in remarks if one.startswith(start)]
    assert said.startswith(f"{start}{TAKES_ALONG[name][1]}, which only hidden")


@pytest.mark.parametrize("name", TAKES_NOTHING)
def test_a_function_that_takes_nothing_along_is_no_remark(remarks, name):
    assert not [one for one in remarks if f" {name} " in one]
