"""The cell that fetches the course where it is not installed, as on Google Colab.

It is added to published notebooks only, as it needs the address that students clone. We
had no Colab to try it on: a test runs the cell in a Python that has no course.
"""

from __future__ import annotations

import nbformat

from course_lib.notebook import digest

OPTIONS = {"jupyter": {"source_hidden": True}, "tags": ["colab"]}
FIRST = '# %% jupyter={"source_hidden": true} tags=["colab"]\n'
SOURCE = """# On Colab this cell installs the course. Elsewhere it does nothing.
import importlib.util

if importlib.util.find_spec("course_lib") is None:
    import os
    import site
    import subprocess

    clone = ["git", "clone", "--quiet", "--depth=1", "{repository}", "course"]
    subprocess.run(clone, check=True)
    subprocess.run(["pip", "install", "--quiet", "--editable", "course"], check=True)
    site.addsitedir(site.getsitepackages()[0])  # what an installation adds, at once
    os.chdir("course/notebooks")"""


def with_colab(name: str, content: bytes, repository: str) -> bytes:
    """Return a file of the edition; a notebook, or its source, with that cell.

    It stands before the first code cell, so that the title stays on top.
    """
    if not name.startswith("notebooks/"):
        return content
    source = SOURCE.format(repository=repository)
    if name.endswith(".py"):
        return _in_text(content.decode(), source).encode()
    if name.endswith(".ipynb"):
        return _in_notebook(content.decode(), source).encode()
    return content


def _in_text(text: str, source: str) -> str:
    lines = text.splitlines(keepends=True)
    for at, line in enumerate(lines):
        if line.startswith("# %%") and "[markdown]" not in line:
            return "".join(lines[:at]) + f"{FIRST}{source}\n\n" + "".join(lines[at:])
    return text


def _in_notebook(text: str, source: str) -> str:
    notebook = nbformat.reads(text, as_version=4)
    kinds = [cell.cell_type for cell in notebook.cells]
    if "code" not in kinds:
        return text
    facts = notebook.metadata.get("course", {})
    in_step = facts.get("executed") == digest(notebook)
    cell = nbformat.v4.new_code_cell(source, id="colab", metadata=OPTIONS)
    cell.execution_count = 1  # where these outputs come from, it has nothing to do
    notebook.cells.insert(kinds.index("code"), cell)
    if in_step:
        facts["executed"] = digest(notebook)
    return nbformat.writes(notebook) + "\n"
