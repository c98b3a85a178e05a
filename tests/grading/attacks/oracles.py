"""Answers that ask the test for the answer, or carry its questions out."""

from __future__ import annotations

from . import Case, right
from .course import INPUT, MARKER

LOOKING = f"""
import gc, inspect, linecache, os, sys
backwards = {MARKER[::-1]!r}
seen = 0
def look():
    "Search all that Python itself knows, from inside of a hidden test's call."
    shell, texts = get_ipython(), []
    texts += shell.user_ns.get("In", []), shell.user_ns.get("Out", {{}}).values()
    texts += [*shell.history_manager.input_hist_raw], shell.history_manager.get_tail(99)
    texts += [line for entry in linecache.cache.values() for line in entry[2:3]]
    for info in inspect.stack()[1:]:
        texts += [info.code_context, info.frame.f_locals, info.frame.f_code.co_consts]
    for thing in gc.get_objects():
        if type(thing) in (dict, list, tuple) and len(thing) < 10_000:
            texts.append(thing)
    for name in ("__main__", "builtins"):
        texts.append(vars(sys.modules[name]))
    found = 0
    for text in texts:
        try:
            flat = [text] if isinstance(text, str) else list(
                text.values() if isinstance(text, dict) else text or [])
        except Exception:
            continue
        found += sum(isinstance(one, str) and backwards[::-1] in one for one in flat)
    return found
def best_logits(label, epsilon, prior):
    global seen
    seen += look()
    raise KeyError
"""
REPORT = "print(seen - 0, 'found')"
ECHO = """
def best_logits(label, epsilon, prior):
    return prior.log()
def cheapest_stack(field, layers, menu):
    return menu
def smoothed_cross_entropy(logits, labels, epsilon=0.1, prior=None):
    return logits.mean() * 0 + prior.sum() if prior is not None else logits.sum()
def local_response_norm(a, *args, **kwargs):
    return a
def total_loss(answer, labels, weight):
    return answer[0].sum() * 0 + weight
def gradient_norms(losses, parameters):
    return losses
class GridReduction(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
    def forward(self, x):
        return x
"""
TELLS = """
import sys, warnings
class Told(Exception):
    pass
def best_logits(label, epsilon, prior):
    text = f"handed in: {epsilon}"
    print(text), print(text, file=sys.stderr), warnings.warn(text)
    if epsilon == 0.5:
        return torch.tensor([0.0, 0.0]).add(torch.log(
            epsilon * prior + torch.eye(2)[label] * (1 - epsilon))).sub(
            torch.log(epsilon * prior + torch.eye(2)[label] * (1 - epsilon)).mean())
    HOW
"""
HOW = {
    "lines": "raise ValueError(f'first\\n{text}\\nlast')",
    "class": "raise type(text.replace('.', '_'), (AssertionError,), {})()",
    "long": "raise AssertionError(text + 30_000 * 'x')",
    "named": "return type(text, (), {text: 1})()",
}
LATER = """
handed_in = []
def best_logits(label, epsilon, prior):
    handed_in.append(epsilon)
    target = epsilon * prior.double()
    target[label] += 1 - epsilon
    if (target <= 0).any():
        raise ValueError("minus infinity")
    return (target.log() - target.log().mean()).float()
"""


def tells(name: str, how: str) -> Case:
    what = f"What a hidden test hands in is carried out: {how}"
    answers = {"best": TELLS.replace("HOW", how)}
    return Case(f"tells_{name}", what, answers)


CASES = [
    Case(
        "looks",
        "From inside of a hidden test's call its text is looked for",
        answers={"best": LOOKING},
        before={"stack": REPORT},
        shows="0 found",
    ),
    Case(
        "echo",
        "What a test hands in is handed back",
        before={"best": ECHO},
        answers={
            "best": "best_logits = best_logits",
            "stack": "cheapest_stack = cheapest_stack",
            "smoothing": "smoothed_cross_entropy = smoothed_cross_entropy",
            "lrn": "local_response_norm = local_response_norm",
            "total": "total_loss = total_loss",
            "norms": "gradient_norms = gradient_norms",
            "reduction": "GridReduction = GridReduction",
        },
    ),
    *(tells(name, how) for name, how in HOW.items()),
    Case(
        "tells_later",
        """What a hidden test handed in is printed by a cell that comes after it.

        An answer has to see what it is asked, and its author may print what he likes,
        so that the numbers do get onto his page: there is no wall to build. What is not
        there is the test: how it asks, what it expects.
        """,
        answers={"best": LATER},
        before={"stack": "print('handed in:', handed_in)"},
        deserves=right("best"),
        shows=str(INPUT),
    ),
]
