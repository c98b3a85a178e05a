"""What makes a network that network: the code that it is made of, as one digest.

Words do not count: comments, docstrings and the layout of the code are left out.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from pathlib import Path

from course_lib import notebook


def of_code(unit: str, name: str) -> str:
    """Return the sha256 of the exported code that a name of a unit's notebook needs.

    That is its own definition and, in turn, all that the definition names: there and
    in other notebooks that the unit loads. A recipe beside it does not count.
    """
    found: dict[tuple[str, str], str] = {}
    reach(notebook.source(unit).stem, name, found)
    text = "\n".join(f"{key}\n{found[key]}" for key in sorted(found))
    return hashlib.sha256(text.encode()).hexdigest()


def reach(unit: str, name: str, found: dict) -> None:
    """Put into `found` what defines `name`, and what that needs."""
    path = notebook.source(unit)
    known = definitions(path, path.stat().st_mtime_ns)
    if (unit, name) in found or name not in known:
        return
    found[unit, name] = "\n".join(map(ast.unparse, known[name]))
    for statement in known[name]:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                reach(unit, node.id, found)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                other = loaded(known.get(node.value.id, []))
                if other:
                    reach(other, node.attr, found)


@functools.lru_cache(maxsize=32)
def definitions(path: Path, changed: int) -> dict[str, list[ast.stmt]]:
    """Return the exported statements of a notebook by the names that they bind.

    changed: when the file did, so that a change is seen.
    """
    cells = notebook.cells(path.read_text(encoding="utf-8"))
    exported = [cell.source for cell in cells if "export" in cell.tags]
    found: dict[str, list[ast.stmt]] = {}
    for statement in Wordless().visit(ast.parse("\n".join(exported))).body:
        for name in bound(statement):
            found.setdefault(name, []).append(statement)
    return found


def bound(statement: ast.stmt) -> set[str]:
    """Return the names to which a statement gives a value."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    nodes = list(ast.walk(statement))
    names = {(n.asname or n.name) for n in nodes if isinstance(n, ast.alias)}
    stored = (ast.Store, ast.Del)
    return names | {
        n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, stored)
    }


def loaded(statements: list[ast.stmt]) -> str | None:
    """Return the unit that `NAME = notebook.load("unit")` loads, if it is that."""
    for statement in statements:
        match getattr(statement, "value", None):
            case ast.Call(ast.Attribute(attr="load"), [ast.Constant(str(unit))]):
                return notebook.source(unit).stem
    return None


class Wordless(ast.NodeTransformer):
    """Take docstrings out."""

    def visit(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        match getattr(node, "body", None):
            case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                node.body = rest or [ast.Pass()]
        return node
