"""What goes along when a test hands a function of its own to an answer.

A function is sent with the names that its code uses and the variables it has kept. The
student's process then holds them, and a hostile answer could read them.
"""

from __future__ import annotations

import dis
import types

SCALARS = int, float, complex, str, bytes, type(None)
BY_NAME = "LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"


def along(function: types.FunctionType, concealed: set[str]) -> list[str]:
    """Return what goes along with a function that is not told of by its name.

    concealed: names that only hidden parts of tests bind. Of variables that a function
    has kept, numbers and texts are the question, and not counted.
    """
    space = function.__globals__
    if space.get("__name__") != "__main__":
        return []
    used = _names(function.__code__) & concealed - {function.__name__}
    found = {name for name in used if name in space and _is_sent(space[name])}
    pairs = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in pairs if concealed else ():
        try:
            value = cell.cell_contents
        except ValueError:  # nothing is in it yet: it is defined further down
            continue
        if not isinstance(value, SCALARS) and value is not function and _is_sent(value):
            found.add(name)
    return sorted(found)


def _is_sent(value) -> bool:
    """Does a value go along itself, and not only its module's name and its own?"""
    if isinstance(value, types.ModuleType):
        return False
    by_name = isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType))
    return not by_name or value.__module__ == "__main__"


def _names(code: types.CodeType) -> set[str]:
    """Return the global names that code uses, and code inside it."""
    found = {i.argval for i in dis.get_instructions(code) if i.opname in BY_NAME}
    inner = (one for one in code.co_consts if isinstance(one, types.CodeType))
    return found.union(*map(_names, inner))
