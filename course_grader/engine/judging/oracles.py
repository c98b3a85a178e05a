"""Functions of PyTorch's that a test compares an answer with: it may not call them."""

from __future__ import annotations

import ast
from functools import cache

import torch

from course_grader.engine.plan import Step


def oracles(step: Step, names: set[str], space: dict) -> dict[str, list[str]]:
    """Return the functions of torch.nn.functional that an answer is compared with.

    `same(lrn(x), F.local_response_norm(x, 5))` asks for a function that computes what
    PyTorch's does; to call PyTorch's is to hand in the question.
    """
    found: dict[str, list[str]] = {}
    for called, function in comparisons(step.source):
        oracle = _functional(function, space) if called & names else None
        for name in called & names if oracle else ():
            found.setdefault(name, []).append(oracle)
    return found


@cache
def comparisons(source: str) -> list[tuple[frozenset[str], tuple[str, ...]]]:
    """Return what a test compares: the functions called, and the words of another.

    It depends on the test alone, so that it is worked out once for all submissions.
    """
    found = []
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return found
    for node in ast.walk(tree):
        parts = _compared(node)
        functions = [_words(part.func) for part in parts if isinstance(part, ast.Call)]
        if any(functions):
            called = frozenset().union(*map(_called, parts))
            found += [(called, words) for words in functions if words]
    return found


def _compared(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if not isinstance(node, ast.Call):
        return []
    owner = [node.func.value] if isinstance(node.func, ast.Attribute) else []
    return [*owner, *node.args]  # answer.equal(oracle) compares, too


def _called(node: ast.AST) -> set[str]:
    calls = (n for n in ast.walk(node) if isinstance(n, ast.Call))
    return {call.func.id for call in calls if isinstance(call.func, ast.Name)}


def _words(node: ast.expr) -> tuple[str, ...]:
    """Return the words of a dotted name, () of any other expression."""
    words: list[str] = []
    while isinstance(node, ast.Attribute):
        words.insert(0, node.attr)
        node = node.value
    return (node.id, *words) if isinstance(node, ast.Name) else ()


def _functional(words: tuple[str, ...], space: dict) -> str | None:
    """Return the dotted name of a function of torch.nn.functional, else None."""
    value = space.get(words[0])
    for word in words[1:]:
        value = getattr(value, word, None)
    name = getattr(value, "__name__", "")
    inside = getattr(torch.nn.functional, str(name), None) is value
    return f"torch.nn.functional.{name}" if inside and callable(value) else None
