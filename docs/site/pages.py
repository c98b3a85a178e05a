"""What the site is built from: the notebooks and pages as Sphinx reads them."""

from __future__ import annotations

import ast
import base64
import csv
import html
import io
import itertools
import json
import re
from pathlib import Path

import nbformat
import numpy as np
from PIL import Image

from course_lib import landing, notebook, plot, results
from course_lib.files import ROOT
from course_lib.records import queue

WIDGET = "application/vnd.jupyter.widget-view+json"
ROOMS = ["data", "train", "results", "flops", "check", "classical", "notebook"]
ROOMS += ["plot", "page", "latency", "text"]
PACKAGES = {
    "data",
    "train",
    "flops",
    "check",
    "classical",
}  # their names are those of __all__


def unit(one: landing.Unit) -> nbformat.NotebookNode:
    """Return a unit's executed notebook as the site shows it.

    Folded cells stay folded, a slider moves through its stored pictures, and each
    picture has a text for those who do not see it.
    """
    path = notebook.source(one.name).with_suffix(".ipynb")
    book = nbformat.read(path, 4)
    section = one.title
    book.metadata.pop("widgets", None)
    for place, cell in enumerate(book.cells):
        if cell.cell_type == "markdown":
            section = (re.findall(r"^#+ (.+)$", cell.source, re.M) or [section])[-1]
            continue
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            cell.metadata.setdefault("tags", []).append("hide-input")
        words = alt(section, cell.source, book.cells[place + 1 : place + 2])
        cell.outputs = [shown(output, words) for output in cell.outputs]
    return book


def alt(section: str, code: str, after: list) -> str:
    """Return a text for a picture: its section, its axes, the sentence that follows."""
    axes = {
        name: list(dict.fromkeys(re.findall(rf'{name}label="([^"]+)"', code)))
        for name in "yx"
    }
    parts = [plain(section)]
    if axes["y"] and axes["x"]:
        text = f"{', '.join(axes['y'])} against {', '.join(axes['x'])}"
        parts.append(text[0].upper() + text[1:])
    text = after[0].source if after and after[0].cell_type == "markdown" else ""
    text = plain(text.split("\n\n")[0])
    if text and not text.startswith(("#", "|", "-")):
        parts.append(re.split(r"(?<=[.:!?]) ", text)[0].rstrip(".:"))
    return ". ".join(parts)


def plain(text: str) -> str:
    """Return Markdown as words."""
    text = re.sub(r"\]\([^)]*\)|[*`$\\\[\]]|^#+ ", "", text)
    return " ".join(text.split())


def shown(output: nbformat.NotebookNode, words: str) -> nbformat.NotebookNode:
    """Return an output of a code cell for the site."""
    data = output.get("data", {})
    picture = next((kind for kind in landing.PICTURES if kind in data), None)
    if plot.FRAMES in data:
        output.data = {"text/html": frames(data[plot.FRAMES], words)}
    elif WIDGET in data:
        del data[WIDGET]
    elif picture:
        source = f"data:{picture};base64,{data[picture].strip()}"
        image = f'<img alt="{html.escape(words)}" src="{source}">'
        output.data = {"text/html": image}
    elif "text/html" in data:
        output.data["text/html"] = data["text/html"].replace(
            "<img src=", f'<img alt="{html.escape(words)}" src='
        )
    return output


numbers = itertools.count()


def frames(stored: dict, words: str) -> str:
    """Return a figure whose slider goes through stored pictures."""
    handle = f"frames-{next(numbers)}"
    most, middle = len(stored["frames"]) - 1, len(stored["frames"]) // 2
    code = json.dumps(stored).replace("</", "<\\/")
    grid, hint = "", ""
    if stored["name"] in GRIDS:
        grid = f' data-grid="{html.escape(json.dumps(places(stored)))}"'
        hint = f"<p>{CLICK.format(len(stored['frames']))}</p>"
    name, words = html.escape(stored["name"]), html.escape(words)
    return (
        f'<figure class="frames" data-alt="{words}"{grid}>'
        f'<img alt="{words}" src="{stored["frames"][middle]}">'
        f'<label for="{handle}">{name} <input id="{handle}" type="range" min="0" '
        f'max="{most}" value="{middle}"><output>{stored["values"][middle]}</output>'
        f'</label>{hint}<script type="application/json">{code}</script></figure>'
    )


GRIDS = {"patch": (8, 8, 1)}  # slider: rows and columns of a panel, the first's number
CLICK = "Or click a patch: the nearest of the {} stored pictures is shown."


def places(stored: dict) -> dict:
    """Return where the panels of a slider's pictures are, as shares of their size.

    A panel is what is not white, over more than half of the height or width.
    """
    rows, columns, first = GRIDS[stored["name"]]
    data = base64.b64decode(stored["frames"][0].partition(",")[2])
    drawn = np.array(Image.open(io.BytesIO(data)).convert("RGB")).min(axis=2) < 250
    height, width = drawn.shape
    panels = [
        (left / width, top / height, (right - left) / width, (bottom - top) / height)
        for top, bottom in runs(drawn.mean(axis=1) > 0.5)
        for left, right in runs(drawn[top:bottom].mean(axis=0) > 0.5)
    ]
    return {"rows": rows, "columns": columns, "first": first, "panels": panels}


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Return where flags are true: first place, and the place after the last."""
    steps = np.flatnonzero(np.diff(np.r_[False, flags, False].astype(int)))
    return [(int(a), int(b)) for a, b in steps.reshape(-1, 2)]


def cards(every: list[landing.Unit]) -> str:
    """Return the map of the units: a card each, with its picture."""
    lines = ["::::{grid} 1 2 2 3", ":gutter: 3", ""]
    for one in every:
        lines += [
            f":::{{grid-item-card}} {one.title}",
            f":link: notebooks/{one.name}",
            ":link-type: doc",
            f":img-top: pictures/{one.name}.png",
            f":img-alt: a figure of {one.title}",
            "",
            one.claim,
            "",
            f"*{one.time}*",
            ":::",
        ]
    return "\n".join([*lines, "::::", ""])


def explored(every: list[landing.Unit]) -> str:
    """Return the page of all figures with a slider, under the units they come from."""
    lines = ["# Figures to move", "", EXPLORED, ""]
    for one in every:
        outputs = [o for cell in unit(one).cells for o in cell.get("outputs", ())]
        pages = [output.get("data", {}).get("text/html", "") for output in outputs]
        for figure in filter(re.compile("<figure").match, pages):
            words = html.unescape(re.search('data-alt="([^"]*)"', figure)[1])
            lines += [f"## {one.title}", "", f"{words}.".replace("?.", "?"), "", figure]
            lines += ["", f"[Where it is explained](notebooks/{one.name}.ipynb)", ""]
    return "\n".join(lines)


EXPLORED = """Move a slider by mouse, finger or arrow keys. Each picture was drawn by a
notebook; in JupyterLab the same slider draws every value anew."""


def reproduced(every: list[landing.Unit]) -> str:
    """Return the page of what each unit builds and reproduces, and by which command."""
    lines = ["# What is reproduced", "", REPRODUCED, ""]
    lines += ["| unit | from scratch | reproduced |", "|---|---|---|"]
    for one in every:
        link = f"[{one.title}](notebooks/{one.name}.ipynb)"
        lines.append(f"| {link} | {one.builds} | {one.reproduces} |")
    lines += ["", "## How the figures were made", "", MADE, ""]
    lines += ["| unit | question | command | runs | seeds | table |", "|" + "---|" * 6]
    for path in sorted((ROOT / "experiments").glob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
        for table in re.findall(r"data/results/(\S+?\.csv)", text):
            lines.append(experiment(path.name, text.split("\n")[0], table))
    return "\n".join([*lines, ""])


def experiment(script: str, question: str, table: str) -> str:
    """Return a row: which script made a table, of how many runs and seeds."""
    with open(results.RESULTS / table, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    unit = re.split(r"[-.]", table)[0]
    place = f"notebooks/{unit}.ipynb" if unit in notebook.units() else f"{unit}.md"
    seeds = {row["seed"] for row in rows if "seed" in row}
    parts = f"[{unit}]({place})", plain(question)
    parts += f"`python experiments/{script}`", f"{len(rows):,}", str(len(seeds) or "")
    return f"| {' | '.join(parts)} | `data/results/{table}` |"


MADE = """`course notebooks run 04_alexnet` computes all that a notebook computes live,
each with the seed that its cell names. A figure of longer trainings is drawn from a
table in `data/results/`. The command in its row made the table. A row of a table is a
run, and a run that has a row is not repeated. `course records run` makes
[the training records](records.md)."""


REPRODUCED = """Each number in a notebook is computed by a cell, and the tests compute
it again. A notebook proves four things: the full network has the published parameters
and multiply-accumulates; with the weights of a reference it gives the same outputs; a
small variant learns on real images; and the figure or table that made it famous
appears. Where a paper's table disagrees with its own text or with arithmetic, the
notebook says so."""


def records() -> str:
    """Return the table of the training records."""
    bars = {job.name: job.row.bar for job in queue.jobs()}
    lines = [
        "# Training records",
        "",
        "Each row is one training. Its weights are kept, and `course results verify`",
        "measures the score again from them. The bar is what we want to reach.",
        "",
        "| record | images | epochs | test top-1 | bar | hours | device |",
        "|---|---|---|---|---|---|---|",
    ]
    for path in sorted(results.RESULTS.glob("*.json")):
        found, bar = results.read(path), bars.get(path.stem)
        lines.append(
            f"| {path.stem} | {found.images['name']} | {found.recipe.epochs} "
            f"| {found.test_top1:.2%} | {'' if bar is None else f'{bar:.1%}'} "
            f"| {found.seconds / 3600:.2f} | {found.device} |"
        )
    return "\n".join([*lines, ""])


def reference() -> dict[str, str]:
    """Return the pages of the reference, from docstrings: name, reStructuredText."""
    pages = {}
    for name in ROOMS:
        title = f"course_lib.{name}"
        pages[name] = (
            f"{title}\n{'=' * len(title)}\n\n.. automodule:: {title}\n"
            f"   :members:\n{'   :imported-members:' if name in PACKAGES else ''}\n"
        )
    return pages


def page(path: Path, repository: str) -> str:
    """Return a page of docs/ for the site: links to files lead to the repository.

    Without the repository's address they become plain words.
    """

    def led(match: re.Match) -> str:
        words, link = match.groups()
        if "://" in link or link.startswith("#"):
            return match[0]
        target = (path.parent / link).resolve()
        if target.parent == ROOT / "docs":
            return f"[{words}]({target.name})"
        inside = target.relative_to(ROOT)
        if inside == Path("course_grader/sandbox/README.md"):
            return f"[{words}](security.md)"
        return f"[{words}]({repository}/blob/main/{inside})" if repository else words

    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", led, path.read_text("utf-8"))
