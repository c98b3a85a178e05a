"""What a class may let Python do with its objects, by short names: "call", "len"."""

from __future__ import annotations

ALONE = "call getitem setitem delitem len iter next contains enter exit index".split()
NUMBERS = "float int complex round neg pos abs invert".split()
PAIRS = "add sub mul truediv floordiv mod pow matmul and or xor".split()
SWAPPED = {f"r{word}": word for word in PAIRS}
METHODS = {word: f"__{word}__" for word in (*ALONE, *NUMBERS, *PAIRS, *SWAPPED)}


def abilities(kind: type) -> list[str]:
    """Return what Python may be asked to do with objects of a class."""
    return [word for word, name in METHODS.items() if _has(kind, name)]


def _has(kind: type, name: str) -> bool:
    """As Python looks a method up: in the class, not in the class's own class."""
    found = (vars(base)[name] for base in kind.__mro__ if name in vars(base))
    return next(found, None) is not None
