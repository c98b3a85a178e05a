"""The project's own files agree with each other, and imports stay light."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONDA_NAMES = {"pytorch": "torch"}


def pyproject_ranges() -> dict[str, str]:
    """The dependencies and those of the test extra, name -> range."""
    text = (ROOT / "pyproject.toml").read_text()
    lists = re.findall(r"^(?:dependencies|test) = \[(.*?)\]", text, re.M | re.S)
    assert len(lists) == 2
    return dict(
        re.fullmatch(r"([\w-]+)(.*)", spec).groups()
        for spec in re.findall(r'"([^"]+)"', "".join(lists))
    )


def conda_ranges() -> dict[str, str]:
    lines = re.findall(r"^  - ([\w-]+)(>=[\d.]+)", environment(), re.M)
    return {CONDA_NAMES.get(name, name): version for name, version in lines}


def environment() -> str:
    return (ROOT / "environment.yml").read_text()


def test_conda_and_pip_ask_for_the_same():
    ranges = conda_ranges()
    python = re.search(
        r'requires-python = "(.*)"', (ROOT / "pyproject.toml").read_text()
    )
    assert ranges.pop("python") == python.group(1)
    assert ranges == pyproject_ranges()


def test_conda_takes_no_dead_channel():
    channels = environment().partition("channels:")[2].partition("dependencies:")[0]
    assert re.findall(r"- (\S+)", channels) == ["conda-forge", "nodefaults"]


def test_every_dependency_is_pinned_for_every_python():
    pinned = (ROOT / "constraints.txt").read_text()
    for name in pyproject_ranges():
        versions = re.findall(rf"^{name}==\S+(?: ; (.*))?$", pinned, re.M)
        assert versions, f"{name} is not in constraints.txt: make constraints"
        assert "" in versions or len(versions) > 1


def test_no_file_names_a_host_of_a_registry():
    names = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org"]
    names += ["anaconda" + ".org", "download.pytorch" + ".org"]
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in tracked.stdout.split("\0")[:-1]:
        text = (ROOT / name).read_bytes().decode("utf-8", "ignore")
        assert not [host for host in names if host in text], name


LIGHT = ["data", "train", "flops", "check", "results", "notebook", "progress"]
LIGHT += ["networks"]
HEAVY = ["torchvision", "sklearn", "matplotlib", "IPython", "nbgrader", "jupytext"]
HEAVY += ["nbformat", "pandas", "timm", "PIL", "scipy", "rich"]


@pytest.mark.slow
def test_importing_the_library_brings_nothing_heavier_than_torch():
    modules = ", ".join(f"course_lib.{name}" for name in LIGHT)
    code = (
        f"import sys, torch; before = set(sys.modules); import {modules}; "
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not set(done.stdout.split()) & set(HEAVY)


def test_the_package_itself_imports_nothing():
    code = "import sys; before = set(sys.modules); import course_lib; "
    code += "print(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["course_lib"]
