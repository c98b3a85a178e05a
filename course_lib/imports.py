"""Which files of the course a piece of code reaches, and a digest of what they do."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from course_lib.files import ROOT

PACKAGES = ("course_lib", "course_grader")


def digest(source: Path) -> str:
    """Return the sha256 of what a source does, with all of the course that it reaches.

    A comment, a docstring or a blank line changes nothing. The training records of a
    notebook (data/results/NAME-*) belong to what it reaches.
    """
    whole = hashlib.sha256()
    for path in sorted({source, *reached(source)}):
        whole.update(os.path.relpath(path, source).encode())
        whole.update(meaning(path) if path.suffix == ".py" else path.read_bytes())
    return whole.hexdigest()


def reached(source: Path) -> set[Path]:
    """Return the files of the course that a source imports or loads, over any way."""
    found, open_ = set(), [source]
    while open_:
        for path in direct(open_.pop()):
            if path not in found:
                found.add(path)
                open_.append(path)
    return found


def direct(path: Path) -> set[Path]:
    """Return the files that one file names: modules, notebooks, records."""
    if path.suffix != ".py":
        return set()
    found = set((ROOT / "data" / "results").glob(f"{path.stem}-*"))
    for node in ast.walk(tree(path, path.stat().st_mtime_ns)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= named(node.value, path)
        for name in imported(node, path):
            found |= files_of(name)
    return found - {path}


def imported(node: ast.AST, path: Path) -> Iterator[str]:
    """Yield the full names of the modules that a statement may import."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = [node.module] if node.module else []
        if node.level:
            package = Path(os.path.relpath(path, ROOT)).parts[: -node.level]
            base = [*package, *base]
        yield ".".join(base)
        yield from (".".join([*base, alias.name]) for alias in node.names)


def files_of(name: str) -> set[Path]:
    """Return the file of a module of the course and those of the packages around it."""
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        return set()
    found = set()
    for length in range(1, len(parts) + 1):
        path = ROOT.joinpath(*parts[:length])
        found |= {path.with_suffix(".py"), path / "__init__.py"}
    return {path for path in found if path.is_file()}


def named(text: str, path: Path) -> set[Path]:
    """Return the notebook that a text names, or the file beside the source."""
    if len(text) > 80 or not text.replace("_", "").replace(".", "").isalnum():
        return set()  # a path or a sentence
    found = ROOT / "notebooks" / f"{text}.py", path.with_name(text)
    return {file for file in found if file.is_file()}


def meaning(path: Path) -> bytes:
    """Return a file's code without comments and docstrings."""
    bare = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(bare):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not is_text(part)]
    return ast.dump(bare).encode()


def is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@lru_cache(maxsize=512)
def tree(path: Path, _changed: int) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))
