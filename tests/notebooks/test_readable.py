"""Prose in short sentences, and drawing code out of sight."""

from functools import cache

import jupytext
import nbformat
import pytest

from course_lib import notebook
from course_lib.files import ROOT
from tests.notebooks import prose
from tests.rules import rule

PAGES = {path.stem: path for path in sorted((ROOT / "notebooks").glob("[0-9]*.py"))}
SHEETS = {path.stem: path for path in sorted((ROOT / "solutions").glob("a*.py"))}


@cache
def cells(name: str) -> list:
    return jupytext.read((PAGES | SHEETS)[name]).cells


@pytest.mark.parametrize("name", [*PAGES, *SHEETS])
def test_sentences_are_short(name):
    problems = prose.unreadable(cells(name))
    assert problems == [], f"{problems}: " + rule(
        "A sentence has at most 25 words, and the mean is at most 15."
    )


@pytest.mark.parametrize("name", PAGES)
def test_at_most_a_fifth_of_the_visible_code_draws(name):
    assert prose.drawn_share(cells(name)) <= 0.2, rule(
        "At most a fifth of the visible code draws"
    )


def test_every_unit_is_read():
    assert set(PAGES) == set(notebook.units())


def cell(kind: str, source: str, **metadata) -> nbformat.NotebookNode:
    return nbformat.from_dict(
        {"cell_type": kind, "source": source, "metadata": metadata}
    )


def test_a_sentence_of_26_words_is_found_and_one_of_25_is_not():
    long, right = (" ".join(["Word"] * n) + "." for n in (26, 25))
    short = "These four words stand. " * 40
    assert prose.unreadable([cell("markdown", short + right)]) == []
    assert prose.unreadable([cell("markdown", short + long)]) == [f"26 words: {long}"]


def test_a_mean_above_15_words_is_found():
    text = (" ".join(["Word"] * 20) + ". ") * 5
    assert prose.unreadable([cell("markdown", text)]) == ["20.0 words a sentence"]


def test_what_is_no_prose_does_not_count():
    text = """
# A heading of a few words is no sentence

| a | table | of | many | words |
|---|---|---|---|---|

$$x = y, \\text{ a formula of words}$$

```
a block of code. With two sentences.
```
- The first item has `some code of words` in it.
- The second $x + y$ is, as He et al. say, short.

> Another's words are many and they are not ours to make shorter, so they do not count.

"A quotation that has more than sixty characters counts as a word" here, too, of course.
`name` begins this one.

<details><summary>Answer</summary>
It says a few words. (Another says so, too.)
</details>

## References

1. A book that nobody has to read.
"""
    found = prose.sentences(text)
    assert [prose.words(sentence) for sentence in found] == [7, 10, 5, 4, 5, 4]


def test_folded_lines_and_blank_ones_do_not_count_as_visible():
    drawing, other = "ax.plot([1])\nplt.show()\n\n", "x = 1\ny = 2\n"
    folded = cell("code", drawing, jupyter={"source_hidden": True})
    assert prose.drawn_share([folded, cell("code", other)]) == 0
    assert prose.drawn_share([cell("code", drawing), cell("code", other)]) == 0.5
