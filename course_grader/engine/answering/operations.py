"""What the judge may ask the student's side to do with a value."""

from __future__ import annotations

import operator

OPERATIONS = {
    "call": lambda function, *args, **kwargs: function(*args, **kwargs),
    "getattr": getattr,
    "setattr": setattr,
    "delattr": delattr,
    "iter": iter,
    "next": next,
    "len": len,
    "isinstance": isinstance,
    "str": str,
    "repr": repr,
    "float": float,
    "int": int,
    "complex": complex,
    "bool": bool,
    "hash": hash,
    "round": round,
    "enter": lambda value: type(value).__enter__(value),
    "exit": lambda value, *args: type(value).__exit__(value, *args),
    **{
        name: getattr(operator, name)
        for name in (
            "getitem setitem delitem contains index eq ne lt le gt ge add sub mul "
            "truediv floordiv mod pow matmul neg pos abs invert and_ or_ xor lshift "
            "rshift"
        ).split()
    },
}
