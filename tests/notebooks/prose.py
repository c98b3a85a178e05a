"""What a reader reads of a notebook: its sentences, and the code that is not folded."""

from __future__ import annotations

import re

from course_lib.notebook import is_folded

DRAWS = re.compile(r"\b(plt|plot|figure|ax|axes|left|right)\b\s*[.,[=]|imshow|annotate")
ABBREVIATIONS = re.compile(r"\b(et al|e\.g|i\.e|vs|cf|Fig|Eq|No|approx)\.")
MARKS = [  # what is no prose, and what stands for it
    (r"```.*?```|<!--.*?-->", "\n\n"),
    (r"\$\$.*?\$\$", "\n\n"),
    (r"\$[^$]+\$|`[^`]*`", "X"),  # it may begin a sentence
    (r"^>.*?$", "\n\n"),  # another's words
    (r'(?:(?<=\s)|^)"[^"]{60,}"', "X"),
    (r"</?(details|summary|br|p|div|figure|li|ul)[^>]*>", "\n\n"),
    (r"<[^>]*>|[*_]{1,2}(?=\S)|(?<=\S)[*_]{1,2}", ""),
    (r"!?\[([^\]]*)\]\([^)]*\)", r"\1"),
    (r"\[\d+(, \d+)*\]", ""),
]


def paragraphs(text: str) -> list[str]:
    """Split markdown into paragraphs and items, without headings, tables and code."""
    for mark, instead in MARKS:
        text = re.sub(mark, instead, text, flags=re.S | re.M)
    lines = []
    for line in text.splitlines():
        if re.match(r"\s*(#|\||---)", line):
            line = ""
        lines.append(re.sub(r"^\s*([-*+]|\d+\.)\s", "\n\n", line))
    return [part.strip() for part in re.split(r"\n\s*\n", "\n".join(lines)) if part]


def sentences(text: str) -> list[str]:
    """Return the sentences of markdown that have four words or more.

    A formula or a name in code is a word; a colon does not end a sentence.
    """
    found = []
    for part in paragraphs(text.partition("\n## References")[0]):
        part = ABBREVIATIONS.sub(r"\1", " ".join(part.split()))
        found += re.split(r"(?<=[.!?])[\"”)]?\s+(?=[^a-z])", part)
    return [sentence for sentence in found if words(sentence) > 3]


def words(sentence: str) -> int:
    return sum(bool(re.search(r"\w", word)) for word in sentence.split())


def unreadable(cells) -> list[str]:
    """Say which sentences have more than 25 words, and whether the mean is above 15."""
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    found = [sentence for text in prose for sentence in sentences(text)]
    lengths = [words(sentence) for sentence in found]
    problems = [
        f"{n} words: {s}" for n, s in zip(lengths, found, strict=True) if n > 25
    ]
    mean = sum(lengths) / max(len(lengths), 1)
    return problems + ([f"{mean:.1f} words a sentence"] if mean > 15 else [])


def drawn_share(cells) -> float:
    """Return which part of the visible lines of code draws."""
    lines = [
        line
        for cell in cells
        if cell.cell_type == "code" and not is_folded(cell)
        for line in cell.source.splitlines()
        if line.strip()
    ]
    return sum(bool(DRAWS.search(line)) for line in lines) / max(len(lines), 1)
