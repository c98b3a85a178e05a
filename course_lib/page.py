"""What a notebook shows besides figures: tables that a phone can read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from course_lib.errors import CourseError


def table(header: Sequence[str], rows: Iterable[Sequence]):
    """Return a table for the end of a cell, from rows as long as the header.

    Whole numbers get commas; other numbers are written by the caller, who knows how
    many digits hold. CourseError: a row that is longer or shorter than the header.
    """
    from IPython.display import Markdown

    lines = [written(header), "|".join(["", *["---"] * len(header), ""])]
    for row in rows:
        if len(row) != len(header):
            raise CourseError(
                f"a row has {len(row)} cells, the header {len(header)}: {row!r}; give "
                "each column a cell"
            )
        lines.append(written(row))
    return Markdown("\n".join(lines))


def written(row: Sequence) -> str:
    cells = [f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
