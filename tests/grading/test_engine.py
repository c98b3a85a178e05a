"""Two processes give what one kernel gives: same values, same exceptions, same points."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course_lib.grading import sandbox
from course_lib.grading.bundle import Bundle, Lesson, Submission
from course_lib.grading.engine.launcher import Engine

from .engine_cases import CASES, SETUP

pytestmark = pytest.mark.slow


def cell(name: str, source: str, points: float | None = None):
    facts = {"grade_id": name, "schema_version": 3, "task": False}
    facts |= {"grade": points is not None, "solution": points is None, "locked": True}
    if points is not None:
        facts["points"] = points
    return new_code_cell(source, metadata={"nbgrader": facts})


def lesson(name: str, cells: list) -> Lesson:
    notebook = new_notebook(cells=cells)
    known = {c.metadata.nbgrader.grade_id: c for c in cells if "nbgrader" in c.metadata}
    return Lesson(name, known, notebook, notebook)


@pytest.fixture(scope="module")
def everything() -> Lesson:
    cells = [new_code_cell(SETUP)]
    for case in CASES:
        cells += [cell(f"{case.name}_answer", case.answer), cell(case.name, case.test, 1)]
    return lesson("all", cells)


@pytest.fixture(scope="module")
def one_kernel(tmp_path_factory) -> dict[str, str]:
    """What each test raises when answer and test share their names, "" if nothing."""
    found, before = {}, os.getcwd()
    os.chdir(tmp_path_factory.mktemp("one"))
    try:
        for case in CASES:
            space: dict = {"__name__": "__main__"}
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                try:
                    for source in (SETUP, case.answer, case.test):
                        exec(compile(source, case.name, "exec"), space)
                    found[case.name] = ""
                except Exception as error:
                    found[case.name] = type(error).__name__
    finally:
        os.chdir(before)
    return found


@pytest.fixture(scope="module")
def two_processes(everything):
    """The engine's answer for the same cells, each test with its outputs."""
    engine = Engine(Bundle("all", {"all": everything}, {}, 20))
    with engine:
        notebooks = {"all": nbformat.from_dict(everything.solution)}
        verdict = engine.grade(Submission("ada", "all", notebooks, {}))
    assert not verdict.reason
    return engine, verdict.notebooks["all"]


def error_of(notebook, name: str) -> str:
    named = {c.metadata.get("nbgrader", {}).get("grade_id"): c for c in notebook.cells}
    errors = [o.ename for o in named[name].outputs if o.output_type == "error"]
    return errors[0] if errors else ""


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_a_test_comes_out_as_in_one_kernel(name, one_kernel, two_processes):
    engine, notebook = two_processes
    unfit = engine.unfit.get(name, "").partition(":")[0]
    assert unfit == one_kernel[name], engine.unfit.get(name)
    assert error_of(notebook, name) == one_kernel[name], "after the first, which learns"


def test_names_are_all_different():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


def test_what_is_warm_costs_little_and_is_told(two_processes):
    engine, _ = two_processes
    assert engine.level in sandbox.LEVELS
    assert Path("note.txt").exists() is False, "a file of a submission came out"
