"""The report as HTML and Markdown. Every name in it comes from students: escape all."""

from __future__ import annotations

from base64 import b64encode
from html import escape

from course_lib.terminal import printable

PAGE = 100  # rows of a table that stand open; more are folded, so many to a fold
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto;
       padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0; }
th, td { border-bottom: 1px solid #ccc; padding: .3rem .8rem; text-align: right; }
th:first-child, td:first-child, .text td { text-align: left; }
img { max-width: 100%; }
"""
Table = tuple[list[str], list[list[str]]]  # header, rows


def sentences(found: dict) -> list[str]:
    """Return a sentence on the hardest exercise, the cost, each refusal and note."""
    return [
        *_hardest(found["exercises"]),
        *_cost(found["cost"]),
        *(
            f"{row['student']} was refused: {row['reason'].rstrip('.')}."
            for row in found["refused"]
        ),
        *(
            f"{row['student']} changed what was locked; it was put back before "
            f"grading: {'; '.join(row['what'])}."
            for row in found["tampered"]
        ),
        *(
            f"{row['student']} broke the rule of an exercise: {'; '.join(row['what'])}."
            for row in found["rule"]
        ),
        *(
            f"{r['student']}: repaired {'; '.join(r['what'])}."
            for r in found["repaired"]
        ),
    ]


def _hardest(exercises: list[dict]) -> list[str]:
    said = []
    marked = [row for row in exercises if not row["waiting"] and row["max_score"]]
    if marked:
        row = min(marked, key=lambda row: row["share"])
        name, share = row["exercise"], row["share"]
        said.append(f"Hardest exercise: {name}, {share:.0%} of its points.")
    waiting = sum(row["waiting"] for row in exercises)
    if waiting:
        said.append(f"{waiting} answers wait to be read (… in the table).")
    return said


def _cost(cost: dict) -> list[str]:
    if not cost:
        return []
    return [
        f"A submission took {cost['wall']:.2g} s, and {cost['cpu']:.2g} s of computing "
        f"(means of {cost['submissions']:,}); the largest held "
        f"{cost['memory'] / 2**20:,.0f} MiB."
    ]


def students(found: dict) -> Table:
    """Return the points of each student by exercise; … is what waits to be read."""
    most = {one["exercise"]: one["max_score"] for one in found["exercises"]}
    late = any(one["penalty"] for one in found["students"])
    header = ["student", *(f"{name} ({points:g})" for name, points in most.items())]
    header += [*(["late"] if late else []), f"total ({sum(most.values()):g})"]
    rows = []
    for one in found["students"]:
        cells = [
            f"{one['points'].get(name, 0):g}" + (" …" if name in one["waiting"] else "")
            for name in most
        ]
        penalty = [f"−{one['penalty']:g}"] if late else []
        rows.append([one["student"], *cells, *penalty, f"{one['total']:g}"])
    return header, rows


def times(found: dict) -> Table:
    header = ["cell", "median, s", "longest, s", "by"]
    rows = [
        [row["cell"], f"{row['median']:.3g}", f"{row['longest']:.3g}", row["student"]]
        for row in found["cells"]
    ]
    return header, rows


def markdown(found: dict) -> str:
    """Return the report for a terminal or a forge; a large class's rows are in JSON."""
    header, rows = students(found)
    if len(rows) > PAGE:
        table = [f"The points of {len(rows):,} students are in report.json."]
    else:
        table = [_line(header), "|" + "---|" * len(header), *map(_line, rows)]
    items = [f"- {_one_line(said)}" for said in sentences(found)]
    picture = "![points by exercise](points.png)"
    title = f"# {found['assignment']}"
    return "\n".join([title, "", *table, "", *items, "", picture]) + "\n"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(_one_line(cell) for cell in cells) + " |"


def _one_line(text: str) -> str:
    """Return text that starts no markup of Markdown's or HTML's, and ends no row."""
    safe = escape(printable(" ".join(text.split())), quote=False)
    return safe.replace("|", "\\|").replace("[", "\\[").replace("`", "\\`")


def _safe(text: str) -> str:
    """Return text as HTML shows it: no markup, no marks that turn its direction."""
    return escape(printable(text))


def html(found: dict, picture: bytes) -> str:
    """Return a page that stands alone and runs no script."""
    items = "".join(f"<li>{_safe(said)}</li>\n" for said in sentences(found))
    image = b64encode(picture).decode()
    parts = [f'<img alt="points by exercise" src="data:image/png;base64,{image}">']
    if items:
        parts.append(_folded(items, "ul", len(sentences(found))))
    parts += ["<h2>Points</h2>", as_table(*students(found))]
    if found["cells"]:
        parts += ["<h2>Time by cell</h2>", as_table(*times(found))]
    return alone(found["assignment"], "\n".join(parts))


def alone(title: str, body: str) -> str:
    """Return a whole page around clean HTML; a browser runs nothing on it."""
    name = _safe(title)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{name}</title><style>{STYLE}</style></head><body>
<h1>{name}</h1>
{body}
</body></html>
"""


def as_table(header: list[str], rows: list[list[str]]) -> str:
    """Return one table, or for many rows one to a fold, named by its first and last."""
    if len(rows) <= PAGE:
        return _rows(header, rows)
    folds = []
    for start in range(0, len(rows), PAGE):
        some = rows[start : start + PAGE]
        name = f"{_safe(some[0][0])} to {_safe(some[-1][0])}"
        table = _rows(header, some)
        folds.append(f"<details><summary>{name}</summary>\n{table}</details>")
    return "\n".join(folds)


def _rows(header: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{_safe(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{_safe(cell)}</td>" for cell in row) + "</tr>\n"
        for row in rows
    )
    return f"<table><tr>{head}</tr>\n{body}</table>\n"


def _folded(items: str, tag: str, number: int) -> str:
    plain = f"<{tag}>\n{items}</{tag}>"
    if number <= PAGE:
        return plain
    return f"<details><summary>{number:,} remarks</summary>\n{plain}</details>"
