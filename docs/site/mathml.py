"""Formulas as MathML: browsers draw it themselves, without scripts or fonts of ours."""

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util.math import get_node_equation_number

# what the converter does not know, in what it knows
KNOWN = {r"\tfrac": r"\frac", r"\dfrac": r"\frac", r"\lVert": r"\|", r"\rVert": r"\|"}


def mathml(tex: str, display: str) -> str:
    for old, new in KNOWN.items():
        tex = re.sub(re.escape(old) + r"(?![a-zA-Z])", lambda _, new=new: new, tex)
    return convert(tex, display=display)


def inline(self, node: nodes.math) -> None:
    self.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def block(self, node: nodes.math_block) -> None:
    number = get_node_equation_number(self, node) if node["number"] else ""
    number = f'<span class="eqno">({number})</span>' if number else ""
    formula = mathml(node.astext(), "block")
    self.body.append(f'<div class="math" tabindex="0">{number}{formula}</div>')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
