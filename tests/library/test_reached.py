"""What a notebook reaches decides whether its numbers must be computed again."""

from __future__ import annotations

import pytest

from course_lib import imports

FILES = {
    "course_lib/__init__.py": "",
    "course_lib/data/__init__.py": "from course_lib.data.images import load\n",
    "course_lib/data/images.py": "def load():\n    from . import readers\n",
    "course_lib/data/readers.py": "DIGITS = 10\n",
    "course_lib/apart.py": "NOTHING = 0\n",
    "course_lib/plot.py": "SHEET = 'course.mplstyle'\n",
    "course_lib/course.mplstyle": "font.size: 9\n",
    "notebooks/01_one.py": "from course_lib import data\n",
    "notebooks/02_two.py": "import course_lib.plot\nload('01_one')\n",
    "data/results/02_two-seed0.json": "{}",
    "data/results/01_one-seed0.json": "{}",
}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setattr(imports, "ROOT", tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def reached(tree, unit):
    found = imports.reached(tree / "notebooks" / f"{unit}.py")
    return {str(path.relative_to(tree)) for path in found}


def test_imports_are_followed_relative_and_late_ones_too(tree):
    assert reached(tree, "01_one") == {
        "course_lib/__init__.py",
        "course_lib/data/__init__.py",
        "course_lib/data/images.py",
        "course_lib/data/readers.py",
        "data/results/01_one-seed0.json",
    }


def test_a_notebook_reaches_what_it_loads_and_the_sheet_of_its_plots(tree):
    more = {
        "course_lib/plot.py",
        "course_lib/course.mplstyle",
        "notebooks/01_one.py",
        "data/results/02_two-seed0.json",
    }
    assert reached(tree, "02_two") == reached(tree, "01_one") | more


@pytest.mark.parametrize(
    ("file", "text", "same"),
    [
        ("course_lib/data/readers.py", "# ten of them\nDIGITS = 10\n", True),
        ("course_lib/data/readers.py", '"""Read."""\n\nDIGITS = 10', True),
        ("course_lib/data/readers.py", "DIGITS = 11\n", False),
        ("course_lib/apart.py", "NOTHING = 1\n", True),
        ("course_lib/course.mplstyle", "font.size: 8\n", False),
        ("data/results/01_one-seed0.json", "[]", False),
        ("notebooks/01_one.py", "from course_lib import data\nx = 1", False),
    ],
)
def test_the_digest_changes_with_what_the_code_does(tree, file, text, same):
    source = tree / "notebooks" / "02_two.py"
    before = imports.digest(source)
    (tree / file).write_text(text)
    assert (imports.digest(source) == before) is same
