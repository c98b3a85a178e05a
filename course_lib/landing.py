"""The map of the units: what `make lab` opens first, and what the web site begins with.

Nothing is written twice: a unit's title, claim, time and needs are its notebook's first
cell, its picture is the cell tagged `thumbnail`, and what it builds and reproduces is
its row in the README.
"""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from pathlib import Path

from course_lib import notebook
from course_lib.errors import CourseError
from course_lib.files import ROOT, replacing

START = ROOT / "START.md"
PICTURES = "image/png", "image/jpeg"
FIRST = """# Image classification, from SIFT to the Vision Transformer

**What to do first.** Open a unit below and run its cells from top to bottom with
Shift+Enter. New to the subject? Begin with {first} and go on in order.

**Then the assignment.** A click on it makes your copy in `work/`, once, and opens it.
Its last cell says what is right so far. In a terminal (File → New → Terminal),
`course submit a04_alexnet` makes the file that you hand in. Does something not work?
`course doctor` says what to do.
"""


@dataclass(frozen=True)
class Unit:
    """What a visitor wants to know of a unit. Texts are Markdown."""

    name: str  # "04_alexnet"
    title: str  # "04 · AlexNet"
    claim: str
    time: str
    needs: str
    builds: str
    reproduces: str
    assignment: str  # "a04_alexnet", or "" where there is none


def units() -> list[Unit]:
    """Return all units in the course's order."""
    return [unit(name) for name in notebook.units()]


def unit(name: str) -> Unit:
    """Return one unit. CourseError: its first cell or its row lacks a part."""
    first = notebook.cells(notebook.source(name).read_text("utf-8"))[0].source
    text = re.sub(r"^# ?", "", first, flags=re.M)
    row = re.search(
        rf"^\| \[{name}\]\(.*?\) \| (.*?) \| (.*?) \| (?:\[(\w+)\]|)",
        (ROOT / "README.md").read_text("utf-8"),
        re.M,
    )
    if not row:
        raise CourseError(
            f"README.md has no row for {name}; add one to its map of units"
        )
    found = {
        "title": re.search(r"^# (.+)$", text, re.M),
        "claim": re.search(r"\A# [^\n]+\n\n(.+?)\n\n", text, re.S),
        "time": re.search(r"^\| time here \| (.+?) \|$", text, re.M),
        "needs": re.search(r"\*\*You need\*\* (.+?)(?:\n\n|\Z)", text, re.S),
    }
    for what, match in found.items():
        if not match:
            raise CourseError(
                f"notebooks/{name}.py: its first cell does not say: {what}"
            )
    words = {what: " ".join(match[1].split()) for what, match in found.items()}
    builds, reproduces, assignment = row.groups()
    made = {"builds": builds, "reproduces": reproduces}
    return Unit(name, **words, **made, assignment=assignment or "")


def picture(name: str, width: int = 320) -> bytes | None:
    """Return a unit's picture as PNG, at most so many pixels wide; None without one.

    It is the first of the cell tagged `thumbnail`, or else of the notebook.
    """
    import nbformat
    from PIL import Image

    path = notebook.source(name).with_suffix(".ipynb")
    found = nbformat.read(path, 4).cells if path.exists() else []
    found.sort(key=lambda cell: "thumbnail" not in cell.metadata.get("tags", ()))
    for cell in found:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            for kind in PICTURES:
                if kind in data:
                    image = Image.open(io.BytesIO(base64.b64decode(data[kind])))
                    image = image.convert("RGB")
                    image.thumbnail((width, width))
                    small = io.BytesIO()
                    image.quantize(64).save(small, "png", optimize=True)
                    return small.getvalue()
    return None


def page() -> str:
    """Return the landing page of JupyterLab, as Markdown with the pictures inside."""
    every = units()
    lines = [FIRST.format(first=f"[{every[0].title}](notebooks/{every[0].name}.ipynb)")]
    for one in every:
        image = picture(one.name)
        link = f"notebooks/{one.name}.ipynb"
        lines += [f"## [{one.title}]({link})", one.claim]
        if image:
            code = base64.b64encode(image).decode()
            lines.append(
                f"![a figure of unit {one.title}](data:image/png;base64,{code})"
            )
        lines.append(f"- **builds** {one.builds}\n- **reproduces** {one.reproduces}")
        lines[-1] += f"\n- **needs** {one.needs}\n- **takes** {one.time}"
        if one.assignment:
            path = f"work/{one.assignment}/{one.assignment}.ipynb"  # see .jupyter/
            lines[-1] += f"\n- **assignment** [{one.assignment}]({path})"
    return "\n\n".join(lines) + "\n"


def write(path: Path = START) -> Path:
    """Write the landing page and return where it is."""
    with replacing(path) as part:
        part.write_text(page(), "utf-8")
    return path


if __name__ == "__main__":
    print(write())
