"""A notebook file as anyone may have saved it: bytes in, a clean notebook out.

The file comes from a stranger. Whatever it holds, the answer is a notebook of format
4.5 or one sentence that says what is wrong with it.
"""

from __future__ import annotations

import json
import re

from nbformat import NotebookNode

from course_lib.errors import CourseError

LIMIT = 100 * 2**20  # bytes of one notebook, outputs and all
VALUES = 2_000_000  # in its JSON: memory grows with them, not with the bytes
CELLS = 5_000
SAVE_AGAIN = "open it in Jupyter, save it and hand it in again"
IMAGES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
KINDS = {"code": "code", "markdown": "markdown", "raw": "raw"}
KINDS |= {"heading": "markdown", "html": "markdown"}  # of format 3
PLAIN = (str, int, float, type(None))
ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")

MARKER = re.compile(r"[ \t]*(<<<<<<<|\|{7}|=======|>>>>>>>)( .*)?\r?")
NEXT = {
    ("both", "<"): "ours",
    ("ours", "|"): "base",
    ("ours", "="): "theirs",
    ("base", "="): "theirs",
    ("theirs", ">"): "both",
}


class Refused(CourseError):
    """Why something handed in cannot be graded: one sentence to the student."""


def parse(data: bytes, name: str) -> tuple[NotebookNode, list[str]]:
    """Read a notebook of format 3 or 4; return it, and a phrase for each repair.

    A cell keeps its type, source, id, images attached to its text and, of its metadata,
    `tags` (a list of str) and `nbgrader` (a dict of plain values), if they are that.
    Outputs go.
    Raises Refused, which calls the file `name`.
    """
    text, repaired = _text(data, name)
    cells, more = _cells(text, name)
    notebook = NotebookNode(nbformat=4, nbformat_minor=5, metadata=NotebookNode())
    notebook.cells = cells
    return notebook, repaired + more


def unique_ids(cells: list[NotebookNode]) -> bool:
    """Give each cell an id of its own; say whether an id was there twice.

    The first cell with an id keeps it.
    """
    taken: set[str] = set()
    without, twice = [], False
    for cell in cells:
        twice |= cell.id in taken
        if cell.id in taken or not ID.fullmatch(cell.id):
            without.append(cell)
        else:
            taken.add(cell.id)
    fresh = (f"cell-{n}" for n in range(2 * len(cells)))
    unused = (name for name in fresh if name not in taken)
    for cell in without:
        cell.id = next(unused)
    return twice


def new_cell(kind: str, source: str, id: str = "") -> NotebookNode:
    """Return a cell without outputs or metadata; kind: "code", "markdown" or "raw"."""
    cell = NotebookNode(cell_type=kind, id=id, metadata=NotebookNode(), source=source)
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell


def _text(data: bytes, name: str) -> tuple[str, list[str]]:
    if len(data) > LIMIT:
        raise Refused(
            f"{name} has {len(data) / 2**20:.0f} MB, more than {LIMIT >> 20}: "
            "clear its outputs, save it and hand it in again."
        )
    encoding = json.detect_encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise Refused(
            f"{name} is not {encoding.upper()} text (at byte {error.start}), as a "
            f"notebook must be: {SAVE_AGAIN}."
        ) from None
    if not text.strip():
        raise Refused(f"{name} is empty: {SAVE_AGAIN}.")
    if sum(map(text.count, ",[{")) > VALUES:
        raise Refused(
            f"{name} holds more than {VALUES} values: clear its outputs, save it and "
            "hand it in again."
        )
    repaired = {"utf-8": [], "utf-8-sig": [f"{name} began with a byte-order mark"]}
    return text, repaired.get(encoding, [f"{name} was {encoding.upper()}, not UTF-8"])


def _cells(text: str, name: str) -> tuple[list[NotebookNode], list[str]]:
    try:
        return _cleaned(json.loads(text), name)
    except RecursionError:
        raise Refused(
            f"{name} is nested deeper than any notebook: {SAVE_AGAIN}."
        ) from None
    except ValueError as error:
        if "<<<<<<<" in text:
            return _settled(text, name)
        raise Refused(
            f"{name} is not a notebook, or only a part of one ({error}): {SAVE_AGAIN}."
        ) from None


def _settled(text: str, name: str) -> tuple[list[NotebookNode], list[str]]:
    """Read a file with merge-conflict markers, if the conflicts are not in the code."""
    found = []
    for side, own in _sides(text):
        try:
            found.append(_cleaned(json.loads(side), name))
        except (Refused, ValueError, RecursionError):
            if own.strip():  # something is lost, and nobody knows what
                found = []
                break
    codes = [[(cell.cell_type, cell.source) for cell in cells] for cells, _ in found]
    if not codes or any(code != codes[0] for code in codes):
        raise Refused(
            f"{name} holds two versions of your answers between merge-conflict markers "
            "(<<<<<<< … >>>>>>>): keep one of them and hand it in again."
        )
    cells, repaired = found[0]
    return cells, [*repaired, f"{name} held merge conflicts, none of them in its code"]


def _sides(text: str) -> list[tuple[str, str]]:
    """Settle every conflict for one side, then for the other.

    Returns for each side the whole text, and what it alone has; [] if markers do not
    pair.
    """
    whole = {"ours": [], "theirs": []}
    own = {"ours": [], "theirs": [], "base": []}
    state = "both"
    for line in text.split("\n"):  # JSON's strings may hold other line separators
        marker = MARKER.fullmatch(line)
        if marker:
            state = NEXT.get((state, marker[1][0]))
            if state is None:
                return []
            continue
        if state != "both":
            own[state].append(line)
        for side in whole:
            if state in ("both", side):
                whole[side].append(line)
    if state != "both":
        return []
    return [("\n".join(whole[side]), "\n".join(own[side])) for side in whole]


def _cleaned(raw, name: str) -> tuple[list[NotebookNode], list[str]]:
    """Return the cells of a notebook as parsed from JSON, and what was repaired."""
    version = raw.get("nbformat") if isinstance(raw, dict) else None
    if version is None:
        raise Refused(f"{name} is not a notebook: {SAVE_AGAIN}.")
    if version not in (3, 4):
        raise Refused(
            f"{name} is of notebook format {str(version)[:20]}, not 4: {SAVE_AGAIN}."
        )
    repaired = [f"{name} was of notebook format 3"] if version == 3 else []
    cells = raw.get("cells") if version == 4 else _worksheets(raw)
    if not isinstance(cells, list):
        raise Refused(f"{name} has no list of cells: {SAVE_AGAIN}.")
    if len(cells) > CELLS:
        raise Refused(
            f"{name} has {len(cells)} cells, more than {CELLS}: delete those that you "
            "do not need and hand it in again."
        )
    good = [_cell(cell) for cell in cells if isinstance(cell, dict)]
    if len(good) < len(cells):
        repaired.append(f"{name} had {len(cells) - len(good)} cells that were none")
    if unique_ids(good):
        repaired.append(f"{name} had cells with the same id")
    return good, repaired


def _worksheets(raw: dict) -> list | None:
    sheets = raw.get("worksheets")
    if not isinstance(sheets, list):
        return None
    cells = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    return [cell for some in cells if isinstance(some, list) for cell in some]


def _cell(raw: dict) -> NotebookNode:
    said = raw.get("cell_type")
    kind = KINDS.get(said, "raw") if isinstance(said, str) else "raw"
    source = joined(raw.get("source", raw.get("input")))
    if said == "heading":
        level = raw.get("level")
        source = "#" * (level if level in range(1, 7) else 1) + " " + source
    name = raw.get("id")
    cell = new_cell(kind, source, name if isinstance(name, str) else "")
    if kind != "code" and (attached := _attached(raw.get("attachments"))):
        cell.attachments = attached
    metadata = raw.get("metadata")
    if isinstance(metadata, dict):
        if isinstance(facts := metadata.get("nbgrader"), dict):
            plain = {key: one for key, one in facts.items() if isinstance(one, PLAIN)}
            cell.metadata.nbgrader = NotebookNode(plain)
        if isinstance(metadata.get("tags"), list):
            tags = [tag for tag in metadata["tags"] if isinstance(tag, str)]
            cell.metadata.tags = tags
    return cell


def joined(text) -> str:
    """Return a JSON multi-line string as one; half a character becomes a "?"."""
    if isinstance(text, list):
        text = "".join(line for line in text if isinstance(line, str))
    if not isinstance(text, str):
        return ""
    return text.encode("utf-8", "replace").decode()


def _attached(raw) -> NotebookNode:
    """Return a cell's attached images, name -> type -> base64 text."""
    found = NotebookNode()
    for name, kinds in raw.items() if isinstance(raw, dict) else ():
        images = kinds.items() if isinstance(kinds, dict) else ()
        images = {kind: joined(data) for kind, data in images if kind in IMAGES}
        if images:
            found[joined(name)] = NotebookNode(images)
    return found
