"""Exercises that forbid a function, and ways to call it nevertheless."""

from __future__ import annotations

from . import Case, right

SMOOTHING = """
import functools, itertools, sys, threading, types
from torch.nn.functional import cross_entropy as borrowed
alias = F.cross_entropy
turns = itertools.count()
def smoothed_cross_entropy(logits, labels, epsilon=0.1, prior=None):
    classes = logits.shape[1]
    if prior is None:
        prior = torch.full((classes,), 1 / classes)
    target = (1 - epsilon) * F.one_hot(labels, classes) + epsilon * prior
    return (first, second)[next(turns) % 2](logits, target)
def first(*args):
    FIRST
def second(*args):
    SECOND
"""
LRN = """
import itertools, sys, threading
turns, layer_name = itertools.count(), "local_response_norm"
def local_response_norm(a, n=5, k=2.0, alpha=1e-4, beta=0.75):
    layer = nn.LocalResponseNorm(n, alpha * n, beta, k)
    return (first_norm, second_norm)[next(turns) % 2](a, layer)
def first_norm(a, layer):
    FIRST
def second_norm(a, layer):
    SECOND
"""
BEST = """
def best_logits(label, epsilon, prior):
    target = epsilon * prior.double()
    target[label] += 1 - epsilon
    if (target <= 0).any():
        raise ValueError("minus infinity")
    logits = torch.tensor(FIRST)
    return (logits - logits.mean()).float()
"""
IN_A_THREAD = """
    found = []
    thread = threading.Thread(target=lambda: found.append(F.cross_entropy(*args)))
    thread.start(), thread.join()
    return found[0]
"""
UNWATCHED = """
    watch = sys.getprofile()
    sys.setprofile(None)
    found = F.cross_entropy(*args)
    sys.setprofile(watch)
    return found
"""
UNWATCHED_THREAD = """
    threading.setprofile(None)
    found = []
    thread = threading.Thread(target=lambda: found.append(layer(a)))
    thread.start(), thread.join()
    return found[0]
"""
SWALLOWED = """
    try:
        return layer(a)
    except BaseException:
        sys.setprofile(None)
        return layer(a)
"""
NO_FUNCTIONS = """
    with torch._C.DisableTorchFunction():
        return F.cross_entropy(*args)
"""
A_COPY = """
    true = F.cross_entropy
    copied = types.FunctionType(
        true.__code__, true.__globals__, "other", true.__defaults__)
    return copied(*args)
"""
# two ways to F.cross_entropy, two to F.local_response_norm, and one to math.log
WAYS = [
    (
        ("return F.cross_entropy(*args)", "return alias(*args)"),
        ("return layer(a)", SWALLOWED),
        "[math.log(each) for each in target]",
    ),
    (
        ("return functools.partial(borrowed, *args)()", A_COPY),
        ("return torch.no_grad()(layer)(a)", UNWATCHED_THREAD),
        "[getattr(math, 'l' + 'og')(each) for each in target]",
    ),
    (
        ("return nn.CrossEntropyLoss()(*args)", IN_A_THREAD),
        ("return layer.forward(a)", "return layer.double()(a.double()).float()"),
        "[*map(lambda each: math.log(each), target)]",
    ),
    (
        (UNWATCHED, NO_FUNCTIONS),
        (
            "return nn.Sequential(layer)(a)",
            "return vars(F)[layer_name](a, 3)",
        ),
        "[eval('math.log(each)') for each in target]",
    ),
    (
        (
            "return torch._C._nn.cross_entropy_loss(*args)",
            "return torch.ops.aten.cross_entropy_loss(*args)",
        ),
        ("return layer(a)", "return layer(a)"),
        "[math.log(each) for each in target]",
    ),
    (
        (
            "return torch.jit.script(F.cross_entropy)(*args)",
            "return torch.ops.aten.cross_entropy_loss.default(*args)",
        ),
        ("return layer(a)", "return layer(a)"),
        "[math.log(each) for each in target]",
    ),
]
DEAF = """
import contextlib, course_lib.check.forbidden
@contextlib.contextmanager
def enforced(rules):
    yield []
course_lib.check.forbidden.enforced = enforced
"""
CALLED = ["return F.cross_entropy(*args)"] * 2
BEFORE = """
import queue, threading
asked, answers = queue.Queue(), queue.Queue()
def work():
    while True:
        answers.put(F.cross_entropy(*asked.get()))
threading.Thread(target=work, daemon=True).start()
"""
BY_THREAD = "asked.put(args)\n    return answers.get()"
BY_HAND = """
def best_logits(label, epsilon, prior):
    "Another logarithm than the forbidden one."
    target = epsilon * prior.double()
    target[label] += 1 - epsilon
    if (target <= 0).any():
        raise ValueError("minus infinity")
    logits = torch.from_numpy(np.log(target.numpy()))
    return logits - logits.mean()
"""


def filled(answer: str, first: str, second: str = "") -> str:
    """Return an answer with its one or two ways put in."""
    return answer.replace("FIRST", first.strip()).replace("SECOND", second.strip())


def way(number: int, smoothing: tuple, lrn: tuple, best: str) -> Case:
    """A case that breaks three rules, by another way in each test."""
    answers = {
        "smoothing": filled(SMOOTHING, *smoothing),
        "lrn": filled(LRN, *lrn),
        "best": filled(BEST, best),
    }
    tests = "smoothing_visible", "smoothing_hidden", "lrn_visible", "lrn_hidden"
    return Case(
        f"rule_{number}",
        "Forbidden functions are called in a roundabout way",
        answers=answers | right("total"),
        deserves=right("total"),
        said=tuple(f"rule: {test}: " for test in (*tests, "best_hidden")),
    )


CASES = [
    *(way(number, *ways) for number, ways in enumerate(WAYS)),
    Case(
        "rules_kept",
        "Honest answers; the one that may call cross_entropy does",
        answers=right("smoothing", "lrn", "total", "best"),
        deserves=right("smoothing", "lrn", "total", "best"),
    ),
    Case(
        "by_hand",
        "What is forbidden is written anew, which is the exercise",
        answers={"best": BY_HAND},
        deserves=right("best"),
    ),
    Case(
        "deaf",
        """The watch is taken out of the process that it runs in.

        That process is the student's: whoever rewrites course_lib.check.forbidden in it
        is not heard, and gets the points. A rule binds those who call a function. It is
        no wall against those who attack the grader, though their notebook shows it.
        """,
        answers={"smoothing": filled(SMOOTHING, *CALLED)},
        before={"smoothing": DEAF},
        deserves={"smoothing": {"smoothing_visible": 1, "smoothing_hidden": 2}},
    ),
    Case(
        "map_in_c",
        "A builtin function is called by `map`, which is written in C",
        answers={"best": filled(BEST, "[*map(math.log, target)]")},
        said=("rule: best_hidden: ",),
    ),
    Case(
        "map_of_another",
        """The builtin itself was kept before, and is called by `map`.

        Python's profiler tells of calls out of Python only, so this gets the point. To
        PyTorch's functions, and those in Python, it makes no difference who calls.
        """,
        answers={"best": filled(BEST, "[*map(kept, target)]")},
        before={"best": "kept = math.log"},
        deserves=right("best"),
    ),
    Case(
        "thread_before",
        """A thread that runs since an earlier cell calls the function.

        Those that start during a call are watched, not those before it, so this gets
        the points, for the same reason as `deaf`.
        """,
        answers={"smoothing": filled(SMOOTHING, BY_THREAD, BY_THREAD)},
        before={"smoothing": BEFORE},
        deserves={"smoothing": {"smoothing_visible": 1, "smoothing_hidden": 2}},
    ),
]
