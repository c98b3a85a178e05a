"""Honest students with bad luck, or habits: they keep every point."""

from __future__ import annotations

import io
from base64 import b64encode

from matplotlib import pyplot as plt
from nbformat.v4 import new_code_cell, new_markdown_cell

from course_grader.assignment.cells import grade_id

from . import POINTS, Case, right

BEST = """
    target = epsilon * prior.double()
    target[label] += 1 - epsilon
    if (target <= 0).any():
        raise ValueError("minus infinity")
"""
NOISY = f"""
import logging, sys, warnings
from tqdm import tqdm
from IPython.display import HTML, display
def best_logits(label, epsilon, prior):
    warnings.warn("careful", DeprecationWarning)
    logging.getLogger("mine").warning("to stderr")
    for _ in tqdm(range(50), file=sys.stderr):
        print(".", end="", file=sys.stderr)
    fig, ax = plt.subplots(figsize=(1, 1))  # small: what counts is that it is drawn
    ax.plot(prior.numpy())
    ax.set_axis_off()
    plt.show()
    display(HTML("<b>done</b>"), prior)
    sys.stdout.write("no newline")
{BEST}
    return (target.log() - target.log().mean()).float()
"""
TYPES = """
def cheapest_stack(field, layers, menu):
    "The model's way, but kernels come as lists of np.int64, in a generator."
    best, found = {(1, 1): (0, [])}, []
    for _ in range(layers):
        after = {}
        for (rows, columns), (cost, stack) in best.items():
            for r, c in menu:
                seen, price = (rows + r - 1, columns + c - 1), cost + r * c
                if max(seen) <= field and price < after.get(seen, (1e9,))[0]:
                    after[seen] = price, [*stack, (r, c)]
        best = after
        if (field, field) in best:
            found.append(best[field, field])
    if not found:
        raise NoStack(f"none of {layers}")
    return (list(map(np.int64, kernel)) for kernel in min(found)[1])
class NoStack(ValueError):
    "A student's own kind of error."
"""
CACHED = '''
import functools
def counted(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        global calls
        calls += 1
        return function(*args, **kwargs)
    return inner
calls = 0
class Solver:
    """A class with state, recursion and a cache of its own."""
    seen = {}
    def __init__(self, menu):
        self.menu, self.extra = tuple(menu), self
    @functools.lru_cache(maxsize=None)
    def least(self, rows, columns, layers):
        Solver.seen[rows, columns] = layers
        if (rows, columns) == (0, 0):
            best = min(((r * c, (r, c)) for r, c in self.menu if r == c == 1),
                default=None)
            return (0, ())
        if layers == 0 or min(rows, columns) < 0:
            return None
        tries = ((self.least(rows - r + 1, columns - c + 1, layers - 1), (r, c))
            for r, c in self.menu if (r, c) != (1, 1))
        sums = ((left[0] + k[0] * k[1], (*left[1], k)) for left, k in tries if left)
        return min(sums, default=None)
@counted
def cheapest_stack(field, layers, menu):
    if layers < 1:
        raise ValueError("no layer")
    if field == 1:
        if (1, 1) in menu:
            return [(1, 1)]
        raise ValueError("none")
    found = Solver(menu).least(field - 1, field - 1, layers)
    if found is None:
        raise ValueError("none")
    return found[1]
'''
LAMBDA = """
from functools import partial
def make(log):
    def inner(label, epsilon, prior):
        target = epsilon * prior.double()
        target[label] += 1 - epsilon
        return check_it(target) and (log(target) - log(target).mean()).float()
    return inner
def check_it(target):
    if (target <= 0).any():
        raise ValueError
    return True
best_logits = lambda *args: partial(make(torch.log))(*args)
best_logits.note = "a lambda with an attribute"
"""
HELPER = """
from helpers.mine import log_of
from local_names import TOLD
assert TOLD == open("notes.txt").read()
def best_logits(label, epsilon, prior):
    return log_of(label, epsilon, prior)
"""
HELPER_FILES = {
    "helpers/__init__.py": b"",
    "helpers/mine.py": f"import torch\ndef log_of(label, epsilon, prior):{BEST}"
    "    return (target.log() - target.log().mean()).float()\n".encode(),
    "local_names.py": b"TOLD = 'kept'\n",
    "notes.txt": b"kept",
}
WORKERS = f"""
import threading
from concurrent.futures import ThreadPoolExecutor
from torch.utils.data import DataLoader, TensorDataset
def best_logits(label, epsilon, prior):
    torch.manual_seed(label), np.random.seed(label)
    rows = TensorDataset(prior.double()[:, None])
    for workers in (0, 2):
        loader = DataLoader(rows, batch_size=64, num_workers=workers)
        prior = torch.cat([batch for batch, in loader]).flatten()
    with ThreadPoolExecutor(2) as pool:
        prior = pool.submit(lambda: prior).result()
{BEST}
    logits = torch.empty(len(target))
    thread = threading.Thread(target=lambda: logits.copy_(target.log()))
    thread.start(), thread.join()
    return logits - logits.mean()
"""
IN_PLACE = f"""
@torch.no_grad()
def best_logits(label, epsilon, prior):
    prior = prior.clone()
{BEST}
    logits = nn.Parameter(target.log_())
    logits -= logits.mean()
    return logits.data.float()
"""
STATEFUL = """
class Cached:
    "A callable object that remembers what it was asked."
    def __init__(self):
        self.known = {}
        self.count = 0
    def __call__(self, logits, labels, epsilon=0.1, prior=None):
        self.count += 1
        classes = logits.shape[1]
        if prior is None:
            prior = self.known.setdefault(classes, torch.full((classes,), 1 / classes))
        if not 0 <= epsilon <= 1 or labels.min() < 0 or labels.max() >= classes:
            raise ValueError
        if prior.shape != (classes,) or prior.min() < 0 or abs(prior.sum() - 1) > 1e-4:
            raise ValueError
        target = epsilon * prior.repeat(len(labels), 1)
        target[torch.arange(len(labels)), labels] += 1 - epsilon
        logp = logits - logits.logsumexp(dim=1, keepdim=True)
        return -(target * logp.masked_fill(target == 0, 0)).sum() / len(labels)
smoothed_cross_entropy = Cached()
"""
PARTS = [
    "class GridReduction(nn.Module):\n    def __init__(self, channels, width):\n"
    "        super().__init__()\n        check_sizes(channels, width)\n"
    "        self.build(channels, width)",
    "def check_sizes(channels, width):\n"
    "    if channels < 1 or width < 2 or width % 2:\n        raise ValueError(width)",
    "def build(self, channels, width):\n"
    "    def unit(before, after, side, stride=1):\n"
    "        conv = nn.Conv2d(before, after, side, stride, side // 2, bias=False)\n"
    "        return [conv, nn.BatchNorm2d(after, eps=1e-3), nn.ReLU()]\n"
    "    half = width // 2\n"
    "    self.direct = nn.Sequential(*unit(channels, width, 3, 2))\n"
    "    self.deep = nn.Sequential(*unit(channels, half, 1), *unit(half, half, 3),\n"
    "        *unit(half, width, 3, 2))\n"
    "    self.calls, self.note, self.table = 0, 'mine', {'a': [1]}\n"
    "GridReduction.build = build",
    "def forward(self, x):\n    self.calls += 1\n"
    "    pooled = F.max_pool2d(x, 3, 2, 1)\n"
    "    return torch.cat([self.direct(x), self.deep(x), pooled], 1)\n"
    "GridReduction.forward = forward",
]
LINES = """
import gc
%matplotlib inline
!echo a line of the shell
files = !ls
%cd .
gc.collect()
x = prior_of = None; del x
print("x" * 100_000)
display("text", {"a": 1})
1 / 3
"""


def in_parts(notebook, folder) -> None:
    """Spread an exercise over cells of one's own, one of them far away."""
    notebook.cells[1:1] = [new_code_cell(PARTS[1])]
    for place, cell in enumerate(notebook.cells):
        if grade_id(cell) == "reduction":
            notebook.cells[place + 1 : place + 1] = map(new_code_cell, PARTS[2:])
            break


def untidy(notebook, folder) -> None:
    """Cells as they are after a long night: counts out of order, notes, pictures."""
    file = io.BytesIO()
    plt.imsave(file, [[0.5]])
    dot = b64encode(file.getvalue()).decode()
    note = new_markdown_cell("## My notes\n![a dot](attachment:dot.png) $x^2$")
    note["attachments"] = {"dot.png": {"image/png": dot}}
    notebook.cells[2:2] = [note, new_code_cell(LINES), new_code_cell("# nothing")]
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            cell.execution_count = 100 - number
            cell.metadata |= {"scrolled": True, "collapsed": False}
            cell.metadata["ExecuteTime"] = {"start_time": "2024-01-01"}
    notebook.cells.append(new_code_cell("raise ValueError('left over')"))


MINE = right("best", "stack", "smoothing")


def honest(name: str, what: str, **answers) -> Case:
    return Case(name, what, answers, deserves=right(*answers))


CASES = [
    honest("everything", "The model solutions", **right(*POINTS)),
    honest("noisy", "Progress bars, warnings, a figure for each call", best=NOISY),
    honest("types", "Lists of NumPy's numbers, a generator", stack=TYPES),
    honest("cached", "Decorators, a cache, recursion, global state", stack=CACHED),
    honest("lambdas", "Closures, partial functions, lambdas", best=LAMBDA),
    honest("workers", "Threads, and data loaders with workers", best=WORKERS),
    honest("in_place", "In place, but on copies, and without gradients", best=IN_PLACE),
    honest("stateful", "An object in the place of a function", smoothing=STATEFUL),
    Case(
        "helper_files",
        "Modules and a text beside the notebook",
        answers={"best": HELPER},
        files=HELPER_FILES,
        deserves=right("best"),
    ),
    Case(
        "recursion",
        "A free cell that calls itself for ever, and then a right answer",
        answers=right("best"),
        before={"best": "def f(n):\n    return f(n + 1)\n\nf(0)"},
        deserves=right("best"),
    ),
    Case(
        "in_parts",
        "A class spread over four cells",
        answers={"reduction": PARTS[0]},
        deserves=right("reduction"),
        change=in_parts,
    ),
    Case(
        "untidy",
        "Magics, shell lines, pictures, an error at the end",
        answers=MINE,
        deserves=MINE,
        change=untidy,
    ),
]
