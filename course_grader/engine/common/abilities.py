"""What a class may let Python do with its objects, by short names: "call", "len"."""

from __future__ import annotations

ALONE = "call getitem setitem delitem len iter next contains enter exit index".split()
NUMBERS = "float int complex round neg pos abs invert".split()
PAIRS = "add sub mul truediv floordiv mod pow matmul and or xor".split()
SWAPPED = {f"r{word}": word for word in PAIRS}
METHODS = {word: f"__{word}__" for word in (*ALONE, *NUMBERS, *PAIRS, *SWAPPED)}
NAMES = frozenset(METHODS.values())


def abilities(kind: type) -> list[str]:
    """Return what Python may be asked to do with objects of a class.

    As Python looks a method up: in the class, not in the class's own class.
    """
    found: dict[str, object] = {}
    for base in reversed(kind.__mro__):
        inside = vars(base)
        found.update((name, inside[name]) for name in NAMES.intersection(inside))
    return [word for word, name in METHODS.items() if found.get(name) is not None]
