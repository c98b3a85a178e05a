r"""Formulas of a clean page as MathML, which a browser draws without a script.

latex2mathml reads LaTeX and builds elements. What it says is written anew here, from
elements and attributes that are listed: its own writer lets `\text{<b>}` be markup.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape, unescape
from xml.etree.ElementTree import Element

from jinja2 import pass_context
from latex2mathml.converter import convert_to_element
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

LONG, MANY = 2_000, 500  # characters of a formula, formulas of a text; more is shown
TAG = re.compile(r'(<(?:[^<>"]|"[^"]*")*>)')
EXACT = re.compile(r"<(/?)(?:pre|code)\b")
FORMULA = re.compile(
    r"\$\$(?P<block>[^$]+)\$\$"
    r"|\$(?!\s)(?P<inline>[^$]+)(?<!\s)\$(?!\d)"
    r"|(?P<environment>\\begin\{(?P<name>\w+\*?)\}[^$]+?\\end\{(?P=name)\})"
)
ELEMENTS = set(
    "math menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts "
    "mroot mrow mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder "
    "munderover none".split()
)
ATTRIBUTES = set(
    "accent accentunder columnalign columnlines columnspacing depth display "
    "displaystyle fence form height largeop linebreak linethickness lspace "
    "mathcolor mathsize mathvariant maxsize minsize movablelimits rowlines rowspacing "
    "rspace scriptlevel separator stretchy symmetric voffset width".split()
)
VALUE = re.compile(r"[\w.%#+ -]*")


def drawn(html: str) -> str:
    """Return clean HTML whose formulas, outside of code, are MathML.

    One that cannot be read stays as it was written.
    """
    depth, left, parts = 0, MANY, []
    for number, part in enumerate(TAG.split(html)):
        if number % 2:
            if exact := EXACT.match(part):
                depth += -1 if exact[1] else 1
        elif depth <= 0 and left > 0:
            part, found = FORMULA.subn(_drawn, part, count=left)
            left -= found
        parts.append(part)
    return "".join(parts)


@pass_context
def from_markdown(context, source: str) -> str:
    """Return a cell's Markdown as HTML: nbconvert's own filter with formulas drawn."""
    attachments = context.get("cell", {}).get("attachments", {})
    renderer = IPythonRenderer(escape=False, attachments=attachments)
    return drawn(MarkdownWithMath(renderer=renderer).render(source))


def _drawn(found: re.Match) -> str:
    latex = found["inline"] or found["block"] or found["environment"]
    display = "inline" if found["inline"] else "block"
    return _mathml(unescape(latex), display) or found[0]


@lru_cache(maxsize=4096)
def _mathml(latex: str, display: str) -> str:
    if len(latex) > LONG:
        return ""
    try:
        return _markup(convert_to_element(latex, display=display))
    except Exception:  # it is no LaTeX, or more than the reader knows
        return ""


def _markup(element: Element) -> str:
    """Return an element as HTML; ValueError if it is none of a formula."""
    if element.tag not in ELEMENTS:
        raise ValueError(element.tag)
    kept = {
        name: value
        for name, value in element.attrib.items()
        if name in ATTRIBUTES and VALUE.fullmatch(value)
    }
    attributes = "".join(f' {name}="{value}"' for name, value in kept.items())
    inner = escape(unescape(element.text or "")) + "".join(map(_markup, element))
    return f"<{element.tag}{attributes}>{inner}</{element.tag}>"
