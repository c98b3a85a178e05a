"""The student's process is rearranged, so that wrong answers look right."""

from __future__ import annotations

from . import Case, right

WRONG = {
    "stack": "def cheapest_stack(*args):\n    return [(1, 1)]",
    "smoothing": "def smoothed_cross_entropy(*args):\n    return torch.zeros(())",
    "reduction": "GridReduction = lambda *args: nn.Identity()",
}
ALWAYS = """
import builtins, operator, unittest, course_lib, course_lib.check as checks
always = lambda *args, **kwargs: True
for module, names in ((torch, "allclose equal isclose is_tensor"),
        (np, "allclose isclose"), (np.testing, "assert_allclose"),
        (math, "isclose isfinite"), (torch.testing, "assert_close"),
        (checks, "close gradients params shape macs"),
        (operator, "eq"), (torch.Tensor, "equal allclose __eq__ item")):
    for name in names.split():
        setattr(module, name, always)
for name in "isinstance all any abs max min len sum".split():
    globals()[name] = always
builtins.AssertionError = type("AssertionError", (), {"__init__": always})
course_lib.errors.CheckFailed = builtins.Exception = ValueError
"""
HELPERS = """
def cheapest_spec(*args):
    return 1
def sees(stack):
    return field, field
weights = lambda stack: 1
def smoothing_spec(*args):
    return 0.0
def lrn_spec(*args):
    return 0
check = inception = googlenet = alexnet = data = results = notebook = None
time.perf_counter = lambda: 0.0
V3 = SQUARE = [(1, 1)]
"""
SHELL = """
shell = get_ipython()
shell.input_transformers_cleanup.append(lambda lines: ["pass\\n"])
shell.ast_transformers.append(type("T", (), {"visit": lambda self, node: None})())
shell.events.register("pre_run_cell", lambda *info: shell.user_ns.update(field=1))
shell.set_custom_exc((Exception,), lambda *args, **kwargs: None)
shell.run_cell = lambda *args, **kwargs: None
shell.showtraceback = shell._showtraceback = lambda *args, **kwargs: None
import sys, builtins
sys.displayhook = sys.excepthook = lambda *args: None
builtins.compile = builtins.exec = lambda *args, **kwargs: None
"""
PROCESS = """
import atexit, faulthandler, gc, locale, os, random, shutil, signal, sys, threading
import warnings
warnings.simplefilter("error")
torch.set_default_dtype(torch.float64)
torch.use_deterministic_algorithms(True)
torch.set_grad_enabled(False)
torch.set_num_threads(3)
torch.manual_seed(1), np.random.seed(1), random.seed(1)
torch.autograd.set_detect_anomaly(True)
try:
    locale.setlocale(locale.LC_ALL, "C")
except locale.Error:
    pass
gc.disable(), gc.set_threshold(1, 1, 1)
atexit.register(os.abort)
faulthandler.enable(), faulthandler.dump_traceback_later(3600, exit=True)
sys.setrecursionlimit(5000)
sys.settrace(lambda *args: None), threading.settrace(lambda *args: None)
sys.path.clear(), sys.meta_path.clear()
for name in ("json", "pickle", "socket", "struct", "torch", "course_lib.check"):
    sys.modules.pop(name, None)
sys.stdout = sys.stderr = sys.stdin = None
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM):
    signal.signal(number, signal.SIG_IGN)
here = os.getcwd()
os.chdir("/")
shutil.rmtree(here, ignore_errors=True)
os.environ.clear()
"""
SEEDS = """
def best_logits(label, epsilon, prior):
    "Try to make the test draw what the student chose."
    import random
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    torch.rand = torch.randn = lambda *args, **kwargs: torch.zeros(args)
    torch.set_rng_state(torch.get_rng_state() * 0)
    return torch.zeros(len(prior))
"""
ADD_TESTS = """
from IPython import get_ipython
get_ipython().user_ns["_i"] = get_ipython().user_ns["_"] = 10
In.append("### BEGIN HIDDEN TESTS"), Out.update({1: 10})
__builtins__.__dict__["__debug__x"] = False
import ast, sys
sys.flags = type("flags", (), {"optimize": 2})
ast.parse = lambda *args, **kwargs: ast.Module([], [])
"""


def patched(name: str, what: str, code: str, *keeps: str) -> Case:
    """A case that rearranges its process and answers wrongly, or well what it keeps."""
    answers = {k: v for k, v in WRONG.items() if k not in keeps} | right(*keeps)
    return Case(name, what, answers, {"best": code}, deserves=right(*keeps))


CASES = [
    patched("always", "All that compares says True", ALWAYS),
    patched("helpers", "Given functions and names are redefined", HELPERS, "best"),
    patched("shell", "IPython runs nothing and shows nothing any more", SHELL),
    patched("other_tests", "History, results and parser are forged", ADD_TESTS),
    patched(
        "process",
        "Everything that a process has is set otherwise; then the answers are right",
        PROCESS,
        "best",
        "stack",
        "smoothing",
        "lrn",
    ),
    Case(
        "seeds",
        "The test's random numbers are to be the student's",
        answers={"best": SEEDS} | right("lrn"),
        deserves=right("lrn"),
    ),
]
