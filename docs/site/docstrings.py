"""Docstrings of the library as reStructuredText: they are plain sentences.

A line `names: what they are` is an item of a list; the lines indented below go on with
it. Everything else is a paragraph, but for what is in backticks.
"""

import re

ITEM = re.compile(r"^([A-Za-z_][\w, .*()/]*?):\s+(\S.*)$")


def marked(text: str) -> str:
    """Return a sentence with the characters escaped that mean something to Sphinx."""
    parts = re.split(r"(`[^`]+`)", text)
    escaped = [re.sub(r"([*_|\\`])", r"\\\1", part) for part in parts[::2]]
    parts[::2] = escaped
    parts[1::2] = [f"`{part}`" for part in parts[1::2]]
    return "".join(parts)


def translated(lines: list[str]) -> list[str]:
    found, listed = [], False
    for line in lines:
        item = ITEM.match(line)
        if line.startswith("    ") and listed:
            found[-1] += " " + marked(line.strip())
        elif item and (listed or not found or not found[-1]):
            found += [*([] if listed or not found else [""])]
            found.append(f"- **{marked(item[1])}**: {marked(item[2])}")
            listed = True
        else:
            found += [""] if listed and line else []
            listed = False
            found.append(marked(line.strip()))
    return [*found, ""]


def process(app, what, name, obj, options, lines):
    lines[:] = translated(lines)


def skip(app, what, name, obj, skipped, options):
    """Leave out what other packages put into our classes."""
    home = getattr(obj, "__module__", None) or getattr(
        getattr(obj, "fget", None), "__module__", "course_lib"
    )
    return True if not str(home).startswith("course_lib") else None


def setup(app):
    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
