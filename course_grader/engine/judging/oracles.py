"""Functions of PyTorch's that a test compares an answer with: it may not call them."""

from __future__ import annotations

import ast

import torch

from course_grader.engine.plan import Step


def oracles(step: Step, names: set[str], space: dict) -> dict[str, list[str]]:
    """Return the functions of torch.nn.functional that an answer is compared with.

    `same(lrn(x), F.local_response_norm(x, 5))` asks for a function that computes what
    PyTorch's does; to call PyTorch's is to hand in the question.
    """
    found: dict[str, list[str]] = {}
    try:
        tree = ast.parse(step.source)
    except SyntaxError:
        return found
    for node in ast.walk(tree):
        parts = _compared(node)
        answers = {name for part in parts for name in _called(part) & names}
        for part in parts:
            if isinstance(part, ast.Call) and answers:
                oracle = _functional(part.func, space)
                for name in answers if oracle else ():
                    found.setdefault(name, []).append(oracle)
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


def _functional(node: ast.expr, space: dict) -> str | None:
    """Return the dotted name of a function of torch.nn.functional, else None."""
    words = []
    while isinstance(node, ast.Attribute):
        words.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in space:
        return None
    value = space[node.id]
    for word in reversed(words):
        value = getattr(value, word, None)
    name = getattr(value, "__name__", "")
    inside = getattr(torch.nn.functional, str(name), None) is value
    return f"torch.nn.functional.{name}" if inside and callable(value) else None
