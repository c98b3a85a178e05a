"""Code that does not end, ends its process, or fills what there is to fill."""

from __future__ import annotations

from nbformat.v4 import new_code_cell

from . import Case, right

HANGING = """
def best_logits(*args):
    import signal, time
    {}
"""
SWALLOW = """while True:
        try:
            time.sleep(60)
        except BaseException:
            pass"""
NO_TIMER = """signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    time.sleep(600)"""
SLEEPY = "time.sleep(4)"


def hangs(name: str, what: str, body: str, **more) -> Case:
    """A case whose `best_logits` keeps its test waiting; `stack` is right."""
    answers = {"best": HANGING.format(body)} | right("stack")
    return Case(name, what, answers, deserves=right("stack"), **more)


def ends(name: str, what: str, code: str, **more) -> Case:
    """A case in which a cell, and then an answer, does this; `stack` is right."""
    body = "\n".join(f"    {line}" for line in code.strip().splitlines())
    answer = f"import os, sys, signal, time\ndef f():\n{body}\n"
    answers = {"best": f"{answer}best_logits = lambda *args: f()"} | right("stack")
    before = {"stack": "f()"}
    return Case(name, what, answers, before, deserves=right("stack"), **more)


DAEMON = """
for _ in range(3):
    if os.fork() == 0:
        try:
            if os.fork() == 0:
                for number in (1, 2, 13, 14, 15):
                    signal.signal(number, signal.SIG_IGN)
                os.closerange(0, 3)
                os.setsid()
                time.sleep(3600)
        finally:
            os._exit(0)
return [(3, 3)]
"""
BOMB = """
while True:
    try:
        if os.fork() == 0:
            continue
    except OSError:
        time.sleep(3600)
"""
THREADS = """
import threading
stop = threading.Event()
while True:
    try:
        threading.Thread(target=stop.wait, daemon=bool(stop)).start()
    except RuntimeError:
        return [(3, 3)]
"""
OVERFLOW = """
sys.setrecursionlimit(10**9)
class Deep:
    def __getattr__(self, name):
        return getattr(self, name)
Deep().x
"""
MEMORY = """
import torch
kept = []
try:
    while True:
        kept.append(b"x" * (64 << 20))
except MemoryError:
    kept.clear()
    return torch.empty(2**26).expand(2**20, -1)
"""
RAISES = """
global turn
turn = globals().get("turn", 0) + 1
raise (SystemExit(0), KeyboardInterrupt, GeneratorExit)[turn % 3]
"""
KILLS = """
for number in (9, 19, 15):
    for pid in (os.getpid(), os.getppid(), 0, 1, -1):
        try:
            os.kill(pid, number)
        except (OSError, ProcessLookupError):
            pass
return 1
"""
FLOOD = """
import sys
from IPython.display import HTML, display
print("x" * 50_000_000)
print("\\x1b[2J\\x1b]0;owned\\x07" * 1000, file=sys.stderr)
for _ in range(2000):
    display(HTML("<script>alert(1)</script>" * 100))
for number in range(2000):
    print(number, file=[sys.stdout, sys.stderr][number % 2])
os.write(1, b"y" * 1_000_000), os.write(2, b"z" * 1_000_000)
raise RuntimeError("r" * 100_000_000)
"""
WORDS = """
import signal, time
class Odd(Exception):
    pass
Odd.__name__ = "<img src=x onerror=alert(1)>"
class Never(Exception):
    def __str__(self):
        while True:
            time.sleep(1)
class Raises(Exception):
    def __str__(self):
        raise SystemExit
    __repr__ = __str__
class NoText(Exception):
    def __str__(self):
        return 5
def best_logits(*args):
    raise Odd("\\x1b[2J<script>alert(1)</script>\\ud800\\0" + "</pre>" * 1000)
def local_response_norm(*args, **kwargs):
    raise Never
def smoothed_cross_entropy(*args, **kwargs):
    first, second = Raises(), NoText()
    first.__cause__, second.__cause__ = second, first
    first.__context__ = first
    raise first
def total_loss(*args):
    raise getattr(__builtins__, "ExceptionGroup", Odd)("\\ud800", [Odd(), Raises()])
def gradient_norms(*args):
    error = ValueError("x")
    error.__notes__ = ["\\x1b[31m", 5, object()]
    error.args = (Odd,)
    raise error
print("\\ud800 alone, \\0, \\x1b[2J, \\ufeff, \\u202e")
"""
RESTARTED = "import os\nos._exit(1)"


def many_ends(notebook, folder) -> None:
    """Put twenty cells before the first that each end the process."""
    notebook.cells[1:1] = [new_code_cell(RESTARTED) for _ in range(20)]


CASES = [
    hangs("swallow", "The end of time is caught and swallowed", SWALLOW),
    hangs("no_timer", "The timer is switched off", NO_TIMER),
    hangs("sleepy", "Each call takes nearly as long as it may", SLEEPY),
    ends("exit", "It exits at once", "os._exit(0)"),
    ends("raises", "It raises what ends a program", RAISES),
    ends("kills", "It stops and kills itself, its parent, and all", KILLS),
    ends("aborts", "It aborts", "os.abort()"),
    ends("overflow", "It recurses until the stack is full", OVERFLOW),
    ends("memory", "It takes all memory that it can get", MEMORY),
    ends("daemons", "It leaves processes that ignore signals", DAEMON),
    ends("bomb", "It forks without end", BOMB),
    ends("threads", "It starts all threads that it may", THREADS),
    ends("flood", "It prints, displays and raises a hundred megabytes", FLOOD),
    Case(
        "words",
        "Exceptions whose text never ends, raises, or is markup",
        answers={
            "best": WORDS,
            "lrn": "local_response_norm = local_response_norm",
            "smoothing": "smoothed_cross_entropy = None",
            "total": "total_loss = total_loss",
            "norms": "gradient_norms = gradient_norms",
        }
        | right("stack"),
        deserves=right("stack"),
    ),
    Case(
        "restarted",
        "Twenty cells end the process: from the thirteenth on it gets no new one",
        answers=right("best"),
        change=many_ends,
    ),
]
