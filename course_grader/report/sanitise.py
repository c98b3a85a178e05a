"""Markup that a student wrote or printed, made harmless for whoever opens the page.

Whether a page runs it is not left to the page: what may be seen is listed here, and all
else is dropped or shown as the text that it is.
"""

from __future__ import annotations

import re
from html import escape, unescape

import nh3
from nbconvert.filters.markdown_mistune import MarkdownWithMath, markdown2html_mistune
from nbformat import NotebookNode

MARKUP = ("text/html", "text/markdown")
PICTURES = ("image/png", "image/jpeg", "image/gif")
# Characters; of what is longer, which could keep the grader for minutes, the text is
# shown. "&" two million times takes nh3 over a minute, a hundred thousand times 0.1 s.
LONG_MARKDOWN, LONG_HTML, LONG_NOTEBOOK = 20_000, 100_000, 300_000
TAGS = nh3.ALLOWED_TAGS - {"area", "map", "wbr"}  # MathJax 3 reads across <wbr>
ATTRIBUTES = {
    "a": {"href", "title", "class"},
    "div": {"class"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "span": {"class"},
    "table": {"border", "class"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "align"},
}
CODE = "codespan"
LINK = re.compile(r"(https?://|mailto:|#)", re.I)
PICTURE = re.compile(  # in the page itself, or a file beside it
    r"data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/=\s]*"
    r"|(?!.*\.\.)\w([\w ./-]|%20)*\.(png|jpe?g|gif)",
    re.I | re.S,
)
CLASS = re.compile(
    r"highlight|dataframe|anchor-link|[a-z]{1,2}\d?"
)  # as Pygments names
PLAIN_TAG = re.compile(
    r"</?(b|i|u|s|em|strong|sub|sup|small|code|kbd|br|hr)\s*/?>", re.I
)
MACROS = re.compile(  # of MathJax 2 to 4, that reach out of a formula: a link, a style,
    # an identity, a font, an attribute of MathML, a tip, a button, an extension
    r"\\(?=(href|url|class|cssId|style|data|html[A-Za-z]*|unicode|mmlToken|bbox|enclose"
    r"|mathtip|texttip|tip|toggle|require|autoload|includegraphics|img)(?![A-Za-z]))"
)


def html(text: str) -> str:
    """Return markup without scripts, styles, forms, frames and what others serve."""
    if len(text) > LONG_HTML:
        return f"<pre>{escape(text[:LONG_HTML])}</pre>"
    clean = nh3.clean(
        text,
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes={"http", "https", "mailto", "data"},
    )
    return formulas(clean)


def _attribute(tag: str, name: str, value: str) -> str | None:
    rules = {("a", "href"): LINK.match, ("img", "src"): PICTURE.fullmatch}
    rule = CLASS.fullmatch if name == "class" else rules.get((tag, name))
    return value if rule is None or rule(value.strip()) else None


def formulas(text: str) -> str:
    r"""Turn \href and its like, which MathJax obeys, into letters of the formula."""
    return MACROS.sub(r"\\ ", text)


def markdown(source: str, attachments: dict | None = None) -> str:
    """Return Markdown as it is where its markup is harmless, else as a block of text.

    For pages that are not ours, which render it and clean nothing.
    """
    if len(source) <= LONG_MARKDOWN:
        try:
            tokens = MarkdownWithMath(renderer=None)(source)
        except Exception:  # a parser may stumble over what was made to make it
            return as_text(source)
        if all(_harmless(token, attachments or {}) for token in tokens):
            return source
    return as_text(source)


def as_text(source: str) -> str:
    """Return a Markdown block that shows the source, letter by letter."""
    runs = re.findall("`+", source)
    fence = "`" * max(3, 1 + max(map(len, runs), default=0))
    return f"{fence}text\n{source}\n{fence}"


def _harmless(token: dict, attachments: dict) -> bool:
    kind, facts = token["type"], token.get("attrs", {})
    if kind in ("inline_html", "block_html"):
        return "<" not in PLAIN_TAG.sub("", token["raw"])
    if kind == "block_code":  # nbconvert writes such a diagram unescaped
        return not (facts or {}).get("info", "").startswith("mermaid")
    children = token.get("children") or ()
    parts = (one.get("raw", "") for one in (token, *children) if one["type"] != CODE)
    if MACROS.search(unescape("".join(parts))):
        return False
    if kind == "link" and not LINK.match(facts["url"]):
        return False
    if kind == "image" and not _is_picture(facts["url"], attachments):
        return False
    return all(_harmless(child, attachments) for child in children)


def _is_picture(url: str, attachments: dict) -> bool:
    start, _, name = url.partition("attachment:")
    return bool(PICTURE.fullmatch(url)) if start or not name else name in attachments


def attached(attachments: object) -> dict:
    """Return the attached pictures, and nothing else that was attached."""
    found = {}
    for name, data in attachments.items() if isinstance(attachments, dict) else ():
        kept = {kind: data[kind] for kind in PICTURES if _is_base64(data.get(kind))}
        if kept:
            found[name] = kept
    return found


def _is_base64(data: object) -> bool:
    return isinstance(data, str) and not re.search(r"[^A-Za-z0-9+/=\s]", data)


def heavy(notebook: NotebookNode) -> bool:
    """Is there so much markup among the outputs that it is shown as text?"""
    outputs = (o for cell in notebook.cells for o in cell.get("outputs", []))
    data = (output.get("data", {}) for output in outputs)
    sizes = (len(d.get(kind, "")) for d in data for kind in MARKUP)
    return sum(sizes) > LONG_NOTEBOOK


def outputs(found: list[NotebookNode], text: bool = False) -> list[NotebookNode]:
    """Return a cell's outputs without what a browser could run; text stays exact.

    text: of markup, too, show the text.
    """
    return [_output(output, text) for output in found]


def _output(output: NotebookNode, text: bool) -> NotebookNode:
    if output.output_type not in ("display_data", "execute_result"):
        return NotebookNode({k: v for k, v in output.items() if k != "metadata"})
    data, shown = output.data, NotebookNode()
    if isinstance(data.get("text/plain"), str):
        shown["text/plain"] = data["text/plain"]
    shown |= {kind: data[kind] for kind in PICTURES if _is_base64(data.get(kind))}
    if isinstance(data.get("text/latex"), str):
        shown["text/latex"] = formulas(data["text/latex"])
    if text:
        shown.setdefault("text/plain", "(too much markup to show)")
    elif isinstance(data.get("text/html"), str):
        shown["text/html"] = html(data["text/html"])
    elif isinstance(data.get("text/markdown"), str):
        shown["text/html"] = rendered(data["text/markdown"])
    if not shown:
        shown["text/plain"] = f"(not shown here: {', '.join(sorted(data))})"
    sizes = {k: _sizes(v) for k, v in output.metadata.items() if k in shown}
    return NotebookNode(output, data=shown, metadata=NotebookNode(sizes))


def rendered(source: str) -> str:
    """Return the clean HTML of Markdown; what cannot be parsed is shown as text."""
    try:
        return html(markdown2html_mistune(source[:LONG_MARKDOWN]))
    except Exception:  # as above; also a picture that is not attached
        return html(markdown2html_mistune(as_text(source[:LONG_MARKDOWN])))


def _sizes(facts: object) -> NotebookNode:
    facts = facts if isinstance(facts, dict) else {}
    kept = {k: facts.get(k) for k in ("width", "height")}
    return NotebookNode({k: v for k, v in kept.items() if type(v) in (int, float)})
