"""Notebooks as modules and as pairs."""

import inspect
import pickle

import nbformat
import pytest

from course_lib import notebook
from course_lib.notebook import NotebookError

SOURCE = '''# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A title
# 100 %% of this is prose, and $x$ is no code

# %% tags=["export"]
import math


def area(radius: float) -> float:
    """Return the area of a disk."""
    return math.pi * radius**2


# %% tags=["check"]
assert area(1) == math.pi
print("area of the unit disk", round(area(1), 3))

# %% tags=["export", "other"]
def broken():
    raise ValueError("on purpose")


# %%
raise_when_run = 1
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(notebook, "NOTEBOOKS", tmp_path)
    (tmp_path / "42_disk.py").write_text(SOURCE)
    return tmp_path


def test_load_runs_exported_cells_alone(folder):
    module = notebook.load("42_disk")
    assert module.area(2) == pytest.approx(12.566, abs=1e-3)
    assert not hasattr(module, "raise_when_run")
    assert notebook.load("disk") is module
    assert notebook.load("42") is module


def test_tracebacks_and_source_point_into_the_file(folder):
    module = notebook.load("42_disk")
    with pytest.raises(ValueError, match="on purpose") as caught:
        module.broken()
    last = caught.traceback[-1]
    assert str(last.path) == str(folder / "42_disk.py")
    assert 'raise ValueError("on purpose")' in str(last.statement)
    assert "math.pi * radius**2" in inspect.getsource(module.area)


def test_what_is_loaded_pickles(folder):
    module = notebook.load("42_disk")
    assert pickle.loads(pickle.dumps(module.area)) is module.area


def test_cells_are_compiled_as_jupyter_compiles_them(folder):
    """No feature of this library's own modules, such as its annotations, leaks in."""
    module = notebook.load("42_disk")
    assert module.area.__annotations__ == {"radius": float, "return": float}


def test_a_changed_file_is_loaded_again(folder):
    first = notebook.load("42_disk")
    (folder / "42_disk.py").write_text(SOURCE.replace("math.pi * radius", "3 * radius"))
    assert notebook.load("42_disk") is not first
    assert notebook.load("42_disk").area(1) == 3


def test_an_unknown_unit_is_named_with_the_known(folder):
    with pytest.raises(NotebookError, match=r"no unit is called '42_dsk'.*42_disk"):
        notebook.load("42_dsk")


@pytest.mark.parametrize("unit", notebook.units())
def test_cells_are_those_that_jupytext_reads(unit):
    import jupytext

    path = notebook.source(unit)
    ours = notebook.cells(path.read_text())
    theirs = jupytext.read(path).cells
    assert [(c.kind, list(c.tags)) for c in ours] == [
        (c.cell_type, c.metadata.get("tags", [])) for c in theirs
    ]
    code = [(a.source, b.source) for a, b in zip(ours, theirs, strict=True)]
    for (ours_text, theirs_text), cell in zip(code, ours, strict=True):
        if cell.kind == "code" and "export" in cell.tags:
            assert ours_text.strip() == theirs_text.strip()


@pytest.mark.slow
def test_run_writes_a_twin_that_is_in_step_until_either_changes(folder):
    path = folder / "42_disk.py"
    assert "is missing" in notebook.drift("42_disk")[0]
    twin = notebook.run("42_disk")
    first = twin.read_bytes()
    assert b"area of the unit disk 3.142" in first
    assert notebook.drift("42_disk") == []
    assert notebook.run("42_disk").read_bytes() == first  # ids and outputs stay

    fold = ' jupyter={"source_hidden": true}'
    path.write_text(SOURCE.replace('tags=["check"]', 'tags=["check"]' + fold))
    assert notebook.drift("42_disk") == [
        "cell 2 is folded in one of .py and twin: `course notebooks run 42_disk`"
    ]

    path.write_text(SOURCE.replace("area(1), 3", "area(1), 4"))
    assert any("other code" in problem for problem in notebook.drift("42_disk"))
    notebook.run("42_disk")
    assert notebook.drift("42_disk") == []
    before = [cell.id for cell in nbformat.reads(first.decode(), 4).cells]
    after = [cell.id for cell in nbformat.read(twin, 4).cells]
    assert sum(a == b for a, b in zip(before, after, strict=True)) >= 4


@pytest.mark.slow
def test_a_notebook_is_verified_until_its_code_changes(folder):
    notebook.run("42_disk")
    assert notebook.is_verified("42_disk")
    source = folder / "42_disk.py"
    source.write_text(source.read_text().replace("# %%", "# %%\nmore = 1\n\n# %%", 1))
    assert not notebook.is_verified("42_disk")
    notebook.verified("42_disk")
    assert notebook.is_verified("42_disk")


@pytest.mark.slow
def test_a_notebook_that_fails_keeps_the_old_twin_and_says_which_cell(folder):
    twin = notebook.run("42_disk")
    before = twin.read_bytes()
    (folder / "42_disk.py").write_text(SOURCE.replace("== math.pi", "== 3"))
    with pytest.raises(NotebookError, match=r"42_disk.py does not run(.|\n)*area\(1\)"):
        notebook.run("42_disk")
    assert twin.read_bytes() == before
    assert sorted(p.name for p in folder.iterdir()) == ["42_disk.ipynb", "42_disk.py"]


def test_drift_sees_stderr_errors_and_cells_that_never_ran(folder):
    cell = nbformat.v4.new_code_cell("1/0", execution_count=1)
    cell.outputs = [
        nbformat.v4.new_output("error", ename="ZeroDivisionError"),
        nbformat.v4.new_output("stream", name="stderr", text="warning"),
    ]
    found = notebook.outputs_wrong(5, cell)
    assert found == [
        "cell 5 stores an error: ZeroDivisionError",
        "cell 5 wrote to stderr: 'warning'",
    ]
    cell.outputs, cell.execution_count = [], None
    assert notebook.outputs_wrong(5, cell) == ["cell 5 was not executed"]
