"""The tool that tests the tests: which mistakes it plants, and what becomes of them."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys

import pytest

from course_grader import mutate as mutating
from course_grader.mutate import kill, plant
from course_grader.mutate.verdicts import COLUMNS, TABLE
from course_lib.errors import CourseError
from course_lib.files import ROOT

HEADER = (
    '# %% nbgrader={{"grade": {}, "grade_id": "{}", "locked": {}, {}"solution": {}}}'
)


def cell(name: str, source: str, kind: str = "solution") -> str:
    """Return a cell of a jupytext notebook, as nbgrader knows it."""
    test, answer = kind == "test", kind == "solution"
    facts = {"grade_id": name, "grade": test, "locked": not answer, "solution": answer}
    facts |= {"points": 1} if test else {}
    return f"# %% nbgrader={json.dumps(facts)}\n{source.strip()}\n"


def solved(body: str, name: str = "f", arguments: str = "x") -> str:
    lines = "\n".join("    " + line for line in body.strip().splitlines())
    region = f"    ### BEGIN SOLUTION\n{lines}\n    ### END SOLUTION"
    return cell(name, f"def {name}({arguments}):\n{region}")


@pytest.fixture
def course(tmp_path):
    """course(text): a course with one assignment, a1, whose solution this is."""

    def course(*parts: str):
        shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
        (tmp_path / "solutions").mkdir(exist_ok=True)
        text = "\n".join(["# %% [markdown]\n# ### 1 · One (1 points)\n", *parts])
        (tmp_path / "solutions" / "a1.py").write_text(text, "utf-8")
        return tmp_path

    return course


def planted(body: str) -> set[str]:
    """Return what may stand in the place of a one-line answer."""
    found = plant.Cell("f", solved(body).partition("\n")[2], "solution", 1, 1)
    return {mutant.after for mutant in plant.mutants([found])}


CHANGES = [
    ("return x < y", {"return x <= y", "return x > y"}),
    ("return x // y", {"return x / y"}),
    ("return x and y", {"return x or y", "return x", "return y"}),
    ("return not x", {"return x"}),
    ("return x[1]", {"return x[2]", "return x[0]"}),
    ("return x * 0.5", {"return x / 0.5", "return x * 1.0"}),
    ("return x.sum(dim=1)", {"return x.mean(dim=1)", "return x.sum()"}),
    ("return x.sum(1)", {"return x.sum(2)", "return x.sum(0)"}),
    ("return torch.sqrt(x)", {"return x"}),
    ("return x.detach()", {"return x"}),
    ("return torch.relu(x)", {"return torch.tanh(x)", "return x"}),
    ("return f(x, y)", {"return f(y, x)", "return f(x)"}),
    ("return x, y", {"return y, x"}),
    ("return x[::y]", {"return x[:]"}),
    ("return x if y else z", {"return x", "return z"}),
    ("return nn.BatchNorm2d(x)", {"return nn.InstanceNorm2d(x)"}),
    ("return net.eval()", {"return net.train()", "return net"}),
    ("return f(bias=False)", {"return f(bias=True)", "return f()"}),
    ("return [i for i in x if i]", {"return [i for i in x]"}),
    ("x += y", {"x -= y", "pass"}),
    ("f(x)", {"pass"}),
    ("x = f(x)\nx = g(x)", {"x = g(x) ⏎ x = f(x)", "pass"}),
    ("if x:\n    raise ValueError", {"if False:", "if True:"}),
]


@pytest.mark.parametrize(("body", "expected"), CHANGES, ids=[c[0] for c in CHANGES])
def test_mistake_is_planted(body, expected):
    assert planted(body) >= expected


def test_messages_and_what_is_given_stay_as_they_are():
    assert planted('raise ValueError(f"{x + 1}")') == set()
    source = "def f(x: int = 3):\n    y = 1\n    ### BEGIN SOLUTION\n    return x\n"
    given = plant.Cell("f", source + "    ### END SOLUTION", "solution", 1, 1)
    assert plant.mutants([given]) == []


@pytest.mark.slow
def test_the_same_mistakes_in_the_same_order_and_sample():
    file = ROOT / "solutions" / "a08_resnet.py"
    once, again = (plant.mutants(plant.cells(file)) for _ in range(2))
    assert once == again
    assert len(once) > 300
    assert len({mutant.key for mutant in once}) == len(once)
    assert [m.line for m in once] == sorted(m.line for m in once)
    lines = file.read_text("utf-8").splitlines()
    for mutant in once:
        assert lines[mutant.line - 1].strip() == mutant.before.split(" ⏎ ")[0]
    few = plant.sample(once, 9)
    assert few == plant.sample(again, 9)
    assert len(few) == 9
    assert few != plant.sample(once, 9, seed=1)


TWICE = solved("return 2 * x")
ASKS = cell("f_visible", "assert f(3) == 6", "test")


def states(outcome) -> dict[str, str]:
    return {v.mutant.after: v.killed_by for v in outcome.verdicts}


def test_killed_and_survived_are_told_apart(course):
    found = mutating.mutate("a1", course(TWICE, cell("t", "assert f(1)", "test")))
    assert states(found) == {
        "return 2 / x": "",
        "return 3 * x": "",
        "return 1 * x": "",
    }
    found = mutating.mutate("a1", course(TWICE, ASKS))
    assert set(states(found).values()) == {"f_visible"}
    assert found.rows[-1][1:] == (3, 3, 0, 0)


@pytest.mark.slow
def test_another_exercise_that_uses_the_answer_catches_its_mistake(course):
    other = (
        solved("return f(x) + 0", "g"),
        cell("g_visible", "assert g(3) == 6", "test"),
    )
    found = mutating.mutate("a1", course(TWICE, *other))
    assert states(found)["return 3 * x"] == "g_visible"


@pytest.mark.slow
def test_an_endless_mistake_is_killed_by_its_time(course, monkeypatch):
    monkeypatch.setattr(kill, "SPARE", 1)
    endless = solved("while x < 5:\n    x = x + 1\nreturn x")
    found = mutating.mutate(
        "a1", course(endless, cell("t", "assert f(3) == 5", "test"))
    )
    died = {v.mutant.after: v.reason for v in found.verdicts}
    assert died["x = x - 1"] == "it did not end, or took too much memory"
    assert died["x = x + 2"] == ""  # 3, 5: no test tells it from the solution


@pytest.mark.slow
def test_a_mistake_finds_names_and_files_as_they_were_before_its_cell(course):
    """Or a leftover of the solution's own run would save it, or kill it."""
    given = cell("seen", "from pathlib import Path\nseen = []", "given")
    writes = solved("seen.append(x)\nPath('note').write_text('1')\nreturn len(seen)")
    calls = cell("calls", "assert f(1) == 1 and f(2) == 2", "test")
    reads = cell("reads", "assert Path('note').read_text() == '1'", "test")
    folder = course(given, writes, calls, reads)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    found = mutating.mutate("a1", folder, workers=2)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    by_line = {v.mutant.before: v for v in found.verdicts if v.mutant.after == "pass"}
    assert by_line["seen.append(x)"].killed_by == "calls"
    assert by_line["Path('note').write_text('1')"].killed_by == "reads"


@pytest.mark.slow
def test_what_tests_need_between_the_answer_and_them_is_there(course):
    between = cell("g", "def g(x):\n    return x + 1", "given")
    test = cell("f_visible", "assert f(g(2)) == 6", "test")
    found = mutating.mutate("a1", course(TWICE, between, test))
    assert {v.reason for v in found.verdicts} == {"AssertionError: "}


@pytest.mark.slow
def test_what_an_earlier_test_binds_is_there_for_a_later_one(course):
    first = cell("g_visible", "slow = lambda x: 2 * x\nassert g(1) == 1", "test")
    last = cell("f_visible", "assert f(3) == slow(3)", "test")
    found = mutating.mutate("a1", course(solved("return x", "g"), first, TWICE, last))
    assert {v.reason for v in found.verdicts} == {"AssertionError: "}


def test_what_the_solution_imports_is_imported_once(course, monkeypatch):
    """Else each mutant waits: PyTorch's optimisers import for more than a second."""
    monkeypatch.delitem(sys.modules, "sched", raising=False)
    test = cell("f_visible", "import sched\nassert f(3) == 6", "test")
    mutating.mutate("a1", course(TWICE, test))
    assert "sched" in sys.modules


def test_a_solution_that_fails_its_own_test_is_named(course):
    folder = course(TWICE, cell("f_visible", "assert f(3) == 7", "test"))
    with pytest.raises(CourseError, match="f_visible says AssertionError"):
        mutating.mutate("a1", folder)


@pytest.fixture
def weak(course):
    """A course whose test lets one mistake through, and its row in the table."""
    folder = course(solved("return max(0, x)"), cell("t", "assert f(3) == 3", "test"))
    row = ["a1", "f", "return max(0, x)", "return max(x, 0)", "max has no order"]
    return folder, row


def write(folder, *rows) -> None:
    with (folder / "solutions" / TABLE).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


def test_what_the_table_explains_is_no_survivor(weak):
    folder, row = weak
    write(folder, row)
    found = mutating.mutate("a1", folder)
    assert row[3] not in [mutant.after for mutant in found.survivors]
    assert found.rows[-1].equivalent == 1
    assert found.stale == []


@pytest.mark.slow
def test_a_row_whose_line_changed_is_stale(weak):
    folder, row = weak
    write(folder, [*row[:2], "return max(0, y)", *row[3:]])
    found = mutating.mutate("a1", folder)
    assert found.stale == [("f", "return max(0, y)", "return max(x, 0)")]


def test_a_row_without_a_reason_is_named(weak):
    folder, row = weak
    write(folder, [*row[:4], " "])
    with pytest.raises(CourseError, match=r"equivalent\.csv, line 2"):
        mutating.mutate("a1", folder)


@pytest.mark.slow
def test_command_shows_what_survives_and_ends_with_three(weak, run_course):
    folder, _ = weak
    done = run_course("mutate", "a1", "--course", str(folder), "--workers", "1")
    assert done.returncode == 3
    assert "survived a1:" in done.stdout
    assert "+ return max(x, 0)" in done.stdout
    done = run_course("mutate", "--all", "--course", str(folder), "--json")
    (facts,) = json.loads(done.stdout)
    assert facts["exercises"][-1]["planted"] == len(facts["mutants"])


@pytest.mark.slow
def test_command_ends_with_zero_where_all_are_caught(course, run_course, tmp_path):
    folder, page = course(TWICE, ASKS), tmp_path / "page.md"
    other = "| a0_other | 9 | 8 | 1 | 0 | 100.0% |"
    page.write_text(f"Before\n<!-- mutants -->\nold\n{other}\n<!-- end -->\nAfter\n")
    words = ("--course", str(folder), "--report", str(page))
    assert run_course("mutate", "a1", *words).returncode == 0
    text = page.read_text()
    assert f"{other}\n| a1 | 3 | 3 | 0 | 0 | 100.0% |\n" in text
    assert text.startswith("Before\n")
    assert text.endswith("After\n")
    assert "old" not in text


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("mutate",), 2, "name assignments, or take --all"),
        (("mutate", "a99"), 1, "a99"),
        (("mutate", "a08_resnet", "--sample", "0"), 2, "--sample"),
    ],
)
def test_wrong_usage_is_a_sentence(words, code, message, run_course):
    done = run_course(*words)
    assert done.returncode == code
    assert message in done.stderr


@pytest.mark.slow
def test_help_needs_no_parser_of_syntax():
    code = (
        "import sys; from course_lib import __main__; sys.exit('libcst' in sys.modules)"
    )
    assert subprocess.run(["python", "-c", code], cwd=ROOT).returncode == 0
