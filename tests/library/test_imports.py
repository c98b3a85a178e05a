"""Imports run one way: the grader imports the library, and nothing runs in a circle."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = "course_lib", "course_grader"
DOORS = "course_lib/__main__.py", "course_lib/demo.py", "course_lib/doctor.py"
FUNCTIONS = ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda


def sources(root: Path = ROOT) -> dict[str, str]:
    """Every module of both packages: path below the root -> source."""
    paths = (path for name in PACKAGES for path in (root / name).rglob("*.py"))
    return {path.relative_to(root).as_posix(): path.read_text() for path in paths}


def module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def package(path: str) -> str:
    """The package that a module's relative imports begin at."""
    return path.rpartition("/")[0].replace("/", ".")


def imported(node: ast.AST, path: str) -> list[str]:
    """The dotted names that a statement or a call to `import_module` asks for."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        home = node.module or ""
        if node.level:
            parts = package(path).split(".")
            parts = parts[: len(parts) - node.level + 1]
            home = ".".join(parts + ([node.module] if node.module else []))
        return [f"{home}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and node.args:
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        word = getattr(node.args[0], "value", None)
        if called in ("import_module", "__import__") and isinstance(word, str):
            return [word]
    return []


@cache
def imports(path: str, source: str) -> list[tuple[str, bool]]:
    """All that a module imports, each with whether a function does it when called."""
    found, todo = [], [(ast.parse(source), False)]
    while todo:
        node, inside = todo.pop()
        found += [(name, inside) for name in imported(node, path)]
        inside = inside or isinstance(node, FUNCTIONS)
        todo += [(child, inside) for child in ast.iter_child_nodes(node)]
    return found


def is_door(path: str) -> bool:
    """May a function of this module, a command, call the grader?"""
    return path in DOORS or path.startswith("course_lib/commands")


def backwards(files: dict[str, str]) -> list[str]:
    """Where the library imports the grader and may not."""
    return [
        f"{path}: {name}"
        for path, source in files.items()
        if path.startswith("course_lib/")
        for name, inside in imports(path, source)
        if name.partition(".")[0] == "course_grader" and not (inside and is_door(path))
    ]


def circle(files: dict[str, str]) -> list[str]:
    """The modules of one circle among imports outside functions; [] if none is."""
    known = {module(path) for path in files}
    arrows = {
        module(path): {
            name if name in known else name.rpartition(".")[0]
            for name, inside in imports(path, source)
            if not inside
        }
        & known
        for path, source in files.items()
    }
    done: set[str] = set()

    def follow(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name not in done:
            for other in sorted(arrows[name]):
                if found := follow(other, [*way, name]):
                    return found
            done.add(name)
        return []

    return next((found for name in sorted(known) if (found := follow(name, []))), [])


def test_the_library_does_not_import_the_grader():
    assert backwards(sources()) == []


def test_no_import_runs_in_a_circle():
    assert circle(sources()) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("course_lib/train.py", "def fit():\n    import course_grader.live"),
        ("course_lib/data/readers.py", "from course_grader import live"),
        ("course_lib/check/same/a.py", "if TYPE_CHECKING:\n    import course_grader"),
        ("course_lib/demo.py", "import course_grader"),
        (
            "course_lib/x.py",
            "import importlib\nimportlib.import_module('course_grader')",
        ),
    ],
)
def test_an_arrow_back_is_found(path, source):
    assert len(backwards({path: source})) == 1


def test_a_command_may_call_the_grader():
    source = "def grade():\n    from course_grader import autograde"
    assert backwards({"course_lib/__main__.py": source}) == []
    assert backwards({"course_lib/commands/grade.py": source}) == []


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("from .b import x", "from .a import y"),
        ("from . import b", "import course_lib.room.a"),
        ("if TYPE_CHECKING:\n    from .b import x", "from course_lib.room import a"),
        ("class A:\n    from .b import x", "with a:\n    from ..room.a import y"),
    ],
)
def test_a_circle_is_found(a, b):
    files = {"course_lib/room/a.py": a, "course_lib/room/b.py": b}
    assert circle(files) == [f"course_lib.room.{name}" for name in "aba"]
    files["course_lib/room/b.py"] = f"def late():\n    {b.split(chr(10))[-1].strip()}"
    assert circle(files) == []


def test_nbgrader_comes_without_its_server_and_a_server_still_gets_it():
    code = (
        "import sys, course_grader\n"
        "course_grader.grade\n"
        "assert not any('server_extensions.' in name for name in sys.modules)\n"
        "import nbgrader\n"
        "class Server:\n"
        "    def __getattr__(self, name):\n"
        "        raise KeyError(name)\n"
        "try:\n"
        "    nbgrader.load_courses(Server())\n"
        "except KeyError as error:\n"
        "    print(error, 'nbgrader.server_extensions.course_list' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith(" True\n"), done
