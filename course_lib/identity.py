"""What makes a network that network: its layers and the code that they are made of.

Words do not count: comments, docstrings and the layout of the code are left out.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import sys
import types
from pathlib import Path

from torch import nn

from course_lib import notebook


def of_code(unit: str, name: str) -> str:
    """Return the sha256 of the exported code that a name of a unit's notebook needs.

    That is its own definition and, in turn, all that the definition names: there and
    in other notebooks that the unit loads. A recipe beside it does not count.
    """
    paths = notebook.NOTEBOOKS.glob("*.py")
    files = tuple((path, path.stat().st_mtime_ns) for path in sorted(paths))
    return _of_code(notebook.source(unit).stem, name, files)


@functools.lru_cache(maxsize=128)
def _of_code(unit: str, name: str, files: tuple) -> str:
    """Do the work of `of_code`, once as long as no file has changed."""
    found: dict[tuple[str, str], str] = {}
    reach(unit, name, found)
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


ELSEWHERE = {"torch", *sys.stdlib_module_names}  # whose code is not looked at


def of_model(model: nn.Module) -> tuple[str, str]:
    """Return the sha256 of a network's layers and settings, and that of its code.

    Layers: names and types, the shape of each tensor, which of them learn, and each
    setting that a layer keeps. Code: the functions of the classes that are not
    PyTorch's, those given to a layer, such as an activation, and all that these call.
    Two versions of Python compile the same code to other bytes.
    """
    words, seen = [], {}
    for name, layer in model.named_modules():
        words.append((name, type(layer).__qualname__))
        for field, value in sorted(vars(layer).items()):
            if not field.startswith("_") and field != "training":
                words.append((field, described(value, seen)))
        described(type(layer), seen)
    tensors = model.named_parameters(), model.named_buffers()
    for name, tensor in (pair for pairs in tensors for pair in pairs):
        shape = None if nn.parameter.is_lazy(tensor) else tuple(tensor.shape)
        words.append((name, shape, str(tensor.dtype), tensor.requires_grad))
    return digest(words), digest(sorted(seen.values()))


def digest(words: list) -> str:
    return hashlib.sha256("\n".join(map(repr, words)).encode()).hexdigest()


def described(value, seen: dict) -> str:
    """Return a value in words; functions and classes are put into `seen`, with code."""
    if isinstance(value, (bool, int, float, str, bytes, type(None))):
        return repr(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        words = [described(part, seen) for part in value]
        return repr(words if isinstance(value, (list, tuple)) else sorted(words))
    if isinstance(value, dict):
        return repr({str(k): described(part, seen) for k, part in value.items()})
    if isinstance(value, functools.partial):
        return described([value.func, value.args, value.keywords], seen)
    if isinstance(value, types.MethodType):
        value = value.__func__
    if isinstance(value, (types.FunctionType, type)):
        return defined(value, seen)
    if isinstance(value, types.BuiltinFunctionType):
        return f"{value.__module__}.{value.__qualname__}"
    return type(value).__qualname__


def defined(value, seen: dict) -> str:
    """Return the name of a function or class, and put its code into `seen`."""
    name = f"{value.__module__}.{value.__qualname__}"
    if value in seen or name.split(".")[0] in ELSEWHERE:
        return name
    seen[value] = name  # before its code, which may call it
    if isinstance(value, types.FunctionType):
        seen[value] = repr([value.__qualname__, *called(value, seen)])
        return seen[value]
    parts = [described(base, seen) for base in value.__bases__]
    for field, part in sorted(vars(value).items()):
        part = getattr(part, "fget", None) or getattr(part, "__func__", part)
        if not (field.startswith("__") and not callable(part)):
            parts.append(f"{field} {described(part, seen)}")
    seen[value] = repr([value.__qualname__, *parts])
    return name


def called(function: types.FunctionType, seen: dict) -> list[str]:
    """Return the code of a function, its defaults, and what it sees outside itself."""
    names = used(function.__code__)
    outside = [function.__globals__[name] for name in names & {*function.__globals__}]
    outside = [v for v in outside if isinstance(v, (types.FunctionType, type))]
    held = []
    for cell in function.__closure__ or ():
        try:
            held.append(described(cell.cell_contents, seen))
        except ValueError:  # nothing in it yet
            continue
    for value in outside:
        described(value, seen)
    defaults = described([function.__defaults__, function.__kwdefaults__], seen)
    return [repr(code(function.__code__, function.__doc__)), defaults, *held]


def code(compiled: types.CodeType, doc: str | None = None) -> tuple:
    """Return what a function does: bytes, names, constants; not its docstring."""
    constants = [
        code(part, docstring(part)) if isinstance(part, types.CodeType) else repr(part)
        for part in compiled.co_consts
        if not (isinstance(part, str) and part == doc)
    ]
    return compiled.co_code, compiled.co_names, compiled.co_varnames, tuple(constants)


def docstring(compiled: types.CodeType) -> str | None:
    """Return the first constant of a function, where its docstring is if it has one."""
    named = not compiled.co_name.startswith("<")
    return compiled.co_consts[0] if named and compiled.co_consts else None


def used(compiled: types.CodeType) -> set[str]:
    """Return the names that a function and those within it look up."""
    names = set(compiled.co_names)
    for part in compiled.co_consts:
        if isinstance(part, types.CodeType):
            names |= used(part)
    return names
