"""What a notebook can hold besides answers: magics, metadata, odd text, many cells."""

from __future__ import annotations

import json

from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell

from . import Case, right
from .course import NAME

MAGICS = [
    "%%writefile left.py\nx = 1",
    "%run left.py",
    "%load left.py",
    "%%capture out\nprint('kept')",
    "%load_ext autoreload\n%autoreload 2",
    "%matplotlib inline",
    "%%time\nsum(range(10))",
    "%timeit -n1 -r1 1 + 1",
    "%%bash\nrm -rf / --no-preserve-root 2> /dev/null; echo done",
    "!rm -rf COURSE_PATH /tmp/* ~ ; kill -9 -1",
    "%%python\nimport os; os.system('rm -rf COURSE_PATH')",
    "%%javascript\nalert(1)",
    "%%html\n<script>alert(1)</script>",
    "%%script sh --bg\nsleep 3600",
    "%env HOME=/",
    "%cd /",
    "%config InteractiveShell.ast_node_interactivity = 'all'",
    "%xmode Minimal",
    "%no_such_magic",
    "%%no_such_magic\n1",
    "?print\nprint??",
    "a = !ls\n%time b = 1",
    "import asyncio\nawait asyncio.sleep(0.01)",
    "input('points? ')",
    "get_ipython().system('true'); get_ipython().run_line_magic('pinfo', 'print')",
    "%debug",
    "%reset -f nothing_like_this",
]
AFTER_RESET = "from torch import Tensor, nn\nimport torch"


def magics(notebook, folder) -> None:
    """Put a cell of each magic before the answers."""
    course = str(folder.parents[2])
    sources = [source.replace("COURSE_PATH", course) for source in MAGICS]
    notebook.cells[4:4] = [new_code_cell(source) for source in sources]


def many(notebook, folder) -> None:
    """Put a thousand cells before the answers, and a very long one."""
    notebook.cells[4:4] = [new_code_cell(f"x{n} = {n}\nx{n}") for n in range(1000)]
    long = "\n".join(
        f"y{n} = 'a line of a long cell, as if someone had pasted data'"
        for n in range(30_000)
    )
    notebook.cells.insert(4, new_code_cell(long))


ODD = [
    "x = 1\x0c\ny = 2",
    "x = 'a\x00b'",
    "\ufeffx = 1",
    "x = 1\r\ny = 2\rz = 3",
    "\tx = 1\n        y = 2",
    "x = '\u202e\u2066'",
    "# -*- coding: utf-7 -*-\nx = 1",
    "\u2028x = 1",
    "def f(:\n",
    "x = " + "(" * 300 + ")" * 300,
    "x = " + "+".join(["1"] * 20_000),
    "'''" + "### BEGIN HIDDEN TESTS\n" * 3 + "'''",
    "assert False, '### END HIDDEN TESTS'",
    "",
    "   ",
    "\n\n#\n",
    "from __future__ import annotations, braces",
    "return 5",
    "yield 5",
    "raise SystemExit('10')",
    "10",
    "get_ipython().ask_exit(); exit; quit()",
]


def odd(notebook, folder) -> None:
    """Put cells of odd text before the answers."""
    notebook.cells[4:4] = [new_code_cell(source) for source in ODD]


def metadata(notebook, folder) -> None:
    """Say in the metadata whatever could change what is run, and how."""
    by_name = {
        c.metadata.get("nbgrader", {}).get("grade_id"): c for c in notebook.cells
    }
    by_name["best_hidden"].cell_type = "raw"
    by_name["stack_hidden"].cell_type = "markdown"
    by_name["lrn_hidden"].metadata["nbgrader"]["task"] = True
    by_name["lrn_visible"].metadata |= {
        "tags": ["raises-exception", "remove-cell", "skip-execution", "parameters"],
        "execution": {"timeout": 0},
        "editable": False,
        "deletable": False,
    }
    result = new_output("execute_result", {"text/plain": "2"}, execution_count=1)
    by_name["stack_refuses_visible"].outputs = [result]
    by_name["stack_visible"].metadata["course"] = {"remote": False}
    own = new_code_cell("5")
    own.metadata["nbgrader"] = {
        "grade": True,
        "grade_id": "extra",
        "locked": True,
        "points": 100,
        "schema_version": 3,
        "solution": False,
        "task": False,
    }
    twin = new_code_cell("", metadata=own.metadata | {"tags": []})
    twin.metadata["nbgrader"] = own.metadata["nbgrader"] | {"grade_id": "best_hidden"}
    notebook.cells += [own, twin, new_raw_cell("<script>"), new_markdown_cell("# $x$")]
    notebook.metadata |= {
        "kernelspec": {"name": "bash", "display_name": "Bash", "language": "bash"},
        "language_info": {"name": "bash"},
        "nbgrader": {"points": 100},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}},
        "deep": json.loads("[" * 200 + "]" * 200),
    }


def torn(notebook, folder) -> None:
    """Write the notebook with fields of the wrong kinds."""
    data = json.loads(json.dumps(notebook))
    for cell in data["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)
        cell["execution_count"] = "x"
        cell["id"] = 5
    data["cells"] += [None, 5, {"cell_type": "heading", "source": "x", "level": "y"}]
    data["nbformat_minor"] = "5"
    (folder / f"{NAME}.ipynb").write_text(json.dumps(data))


HOMOGLYPHS = """
def best_l\u043egits(label, epsilon, prior):
    "A Cyrillic o: another function."
    return prior
def \uff42est_logits(label, epsilon, prior):
    "A full-width b, which Python reads as b."
    target = epsilon * prior.double()
    target[label] += 1 - epsilon
    if (target <= 0).any():
        raise ValueError("minus infinity")
    return (target.log() - target.log().mean()).float()
"""

CASES = [
    Case(
        "magics",
        "Every magic that could do harm, and then right answers",
        answers=right("best", "stack"),
        deserves=right("best", "stack"),
        change=magics,
    ),
    Case(
        "many_cells",
        "A thousand cells, and one of two megabytes",
        answers=right("best"),
        deserves=right("best"),
        change=many,
    ),
    Case(
        "odd_text",
        "Null bytes, form feeds, syntax errors, marks of nbgrader's",
        answers=right("best"),
        deserves=right("best"),
        change=odd,
    ),
    Case(
        "metadata",
        "Tests that call themselves text, cells that give themselves points",
        answers=right("smoothing"),
        deserves=right("smoothing"),
        change=metadata,
        said=("tampered: ",),
    ),
    Case(
        "torn",
        "A notebook whose fields are of the wrong kinds",
        answers=right("best"),
        deserves=right("best"),
        change=torn,
    ),
    Case(
        "homoglyphs",
        "Names that look like others",
        answers={"best": HOMOGLYPHS},
        deserves=right("best"),
    ),
]
