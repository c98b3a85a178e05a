"""The solutions' notebooks as instructors open them: executed, and every output true."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from course_lib.notebook import ROOT, outputs_wrong
from tests import execute
from tests.assignments import cases

pytestmark = cases.each_assignment
RENEW = "renew it: course release --execute {name}"


def test_every_cell_was_executed_and_none_failed(name):
    found = enumerate(execute.notebook(name).cells)
    wrong = [problem for at, cell in found for problem in outputs_wrong(at, cell)]
    assert not wrong, RENEW.format(name=name)


@pytest.mark.slow
@pytest.mark.by_turns(5)
def test_what_it_shows_comes_out_again(name, tmp_path):
    """In a copy: what a solution writes would be released from its own folder."""
    folder = shutil.copytree(ROOT / "solutions" / name, tmp_path / name)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, f"--rootdir={folder}", folder / f"{name}.ipynb"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:] + RENEW.format(name=name)
