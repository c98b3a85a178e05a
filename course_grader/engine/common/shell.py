"""An IPython shell that keeps what a cell shows, in order and within bounds."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace, TracebackType

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.events import EventManager, available_events
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from .kernel import kernel_of, offer

STREAM, OUTPUTS, COUNT = (
    200_000,
    8_000_000,
    1_000,
)  # characters of text, of all, outputs


TICK, AGAIN = 0.01, 0.5  # seconds: the least that is set, and until it rings again
MOST = 3  # times its limit that may be added to a cell on a busy machine


class TimeIsUp(BaseException):
    """A cell or call has taken longer than it may. No `except Exception` catches it."""


class Outputs(list):
    """nbformat outputs of one cell; text that is too long loses its middle."""

    def __init__(self):
        super().__init__()
        self.size = 0
        self.full = False

    def text(self, name: str, text: str) -> None:
        if not (
            self and self[-1]["output_type"] == "stream" and self[-1]["name"] == name
        ):
            self.add({"output_type": "stream", "name": name, "text": ""})
        last = self[-1] if self else None
        if last is None or last["output_type"] != "stream":
            return
        room = STREAM - len(last["text"])
        if room <= 0:
            return
        last["text"] += text[:room]
        if len(text) > room:
            last["text"] += "\n… cut: more text than is kept\n"

    def add(self, output: dict) -> None:
        if self.full:
            return
        try:
            self.size += len(json.dumps(output))
        except (TypeError, ValueError, RecursionError):
            return
        if self.size > OUTPUTS or len(self) >= COUNT:
            self.full = True
            note = "… cut: more output than is kept\n"
            output = {"output_type": "stream", "name": "stdout", "text": note}
        self.append(output)


class Stream(io.TextIOBase):
    """sys.stdout or sys.stderr of a cell."""

    def __init__(self, shell: Shell, name: str):
        self.shell, self.label = shell, name
        self.name = f"<{name}>"

    encoding = "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.shell.outputs.text(self.label, str(text))
        return len(text)

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        """Return a descriptor, as a kernel's streams do; what goes there is lost."""
        return _nowhere()


class Publisher(DisplayPublisher):
    """`display(…)` of pictures and tables."""

    def publish(self, data, metadata=None, *, transient=None, update=False, **more):
        data = {str(kind): value for kind, value in data.items()}
        outputs, name = self.shell.outputs, (transient or {}).get("display_id")
        if update:
            for output in outputs:
                if name is not None and output.get("display_id") == name:
                    output["data"] = data
            return
        output = {"output_type": "display_data", "data": data}
        output["metadata"] = metadata or {}
        if name is not None:
            output["display_id"] = name
        outputs.add(output)

    def register_hook(self, hook):
        """Take a kernel's hook on messages, of which there are none."""

    unregister_hook = register_hook

    def clear_output(self, wait=False):
        self.shell.outputs.clear()


class Hook(DisplayHook):
    """The value of a cell's last expression."""

    def write_output_prompt(self):
        pass

    def write_format_data(self, format_dict, md_dict=None):
        output = {"output_type": "execute_result", "data": format_dict}
        output["execution_count"] = self.prompt_count
        self.shell.outputs.add(output | {"metadata": md_dict or {}})


class Events(EventManager):
    """What runs around a cell; no figure is drawn twice."""

    def register(self, event, function):
        """Leave out pyplot's drawing: `show` draws what there is to see."""
        if function.__module__ != "matplotlib.pyplot":
            super().register(event, function)


class Shell(InteractiveShell):
    """IPython without a terminal, a history file or a kernel."""

    def __init__(self, **options):
        self.outputs = Outputs()
        self.translated: dict[str, str] = {}  # cells by their source
        super().__init__(display_pub_class=Publisher, displayhook_class=Hook, **options)

    def _get_exc_info(self, exc_tuple=None):
        kind, value, trace = super()._get_exc_info(exc_tuple)
        return kind, value, shortened(trace)

    def _format_exception_for_storage(self, exception, *args, **kwargs) -> dict:
        return {}  # for IPython's history, which nobody reads

    def _showtraceback(self, etype, evalue, stb):
        error = {"output_type": "error", "ename": etype.__name__}
        lines = [str(part).rstrip("\n") for part in stb]
        self.outputs.add(error | {"evalue": _text(evalue), "traceback": lines})

    def init_events(self):
        self.events = Events(self, available_events)
        self.events.register("pre_execute", self._clear_warning_registry)

    def transform_cell(self, raw_cell: str) -> str:
        """Translate magics; what was translated before the fork is known."""
        known = self.translated.get(raw_cell)
        return super().transform_cell(raw_cell) if known is None else known

    def translate(self, sources: Iterable[str]) -> None:
        """Translate cells that will be run by every submission."""
        for source in sources:
            self.translated[source] = super().transform_cell(source)

    def system_piped(self, cmd: str) -> None:
        """Run `!command` and show what it prints; there is no terminal to give it."""
        ways = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        ways |= {"stdout": subprocess.PIPE, "text": True, "errors": "replace"}
        done = subprocess.run(self.var_expand(cmd, depth=1), shell=True, **ways)
        print(done.stdout, end="")
        self.user_ns["_exit_code"] = done.returncode

    system = system_piped

    parent_header: dict = {}  # of a message, where there is somebody who sends them

    @property
    def kernel(self) -> SimpleNamespace:
        return kernel_of(self)

    def enable_gui(self, gui=None):
        pass

    def ask_exit(self):
        pass


def shortened(
    trace: TracebackType | None, head: int = 10, tail: int = 20
) -> TracebackType | None:
    """Leave out frames that ask to be hidden, and the middle of a long traceback."""
    steps = []
    while trace is not None:
        if trace.tb_frame.f_locals.get("__tracebackhide__") is not True:
            steps.append(trace)
        trace = trace.tb_next
    for step in reversed(steps[:head] + steps[max(head, len(steps) - tail) :]):
        trace = TracebackType(trace, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return trace


def make() -> Shell:
    """Return the process's shell; the module __main__ becomes its namespace."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.separate_in = ""
    config.InteractiveShell.xmode = "Plain"  # five lines of each frame take 30 ms
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    shell = Shell.instance(config=config)
    shell.db = {}  # in memory: there may be no home to keep it in
    offer(shell)
    shell.user_ns["exit"] = shell.user_ns["quit"] = _no_exit
    return shell


@cache
def _nowhere() -> int:
    return os.open(os.devnull, os.O_RDWR)


def _no_exit(*_) -> None:
    raise RuntimeError("a notebook that is graded cannot exit")


def _text(value) -> str:
    try:
        return str(value)[:20_000]
    except BaseException:
        return ""


@contextmanager
def captured(shell: Shell):
    """Send what is written to stdout and stderr to the shell's outputs."""
    before = sys.stdout, sys.stderr
    shell.outputs = Outputs()
    sys.stdout, sys.stderr = Stream(shell, "stdout"), Stream(shell, "stderr")
    try:
        yield shell.outputs
    finally:
        sys.stdout, sys.stderr = before


@contextmanager
def time_limit(
    seconds: float,
    limit: float | None = None,
    more: Callable[[], float] = lambda: 0.0,
):
    """Raise TimeIsUp in this block after so many seconds, and again if it is caught.

    limit: what is said to be allowed, of which `seconds` may be what is left.
    more: the seconds that are added, so far, for waiting through no fault of its own.
    """
    added, over = 0.0, False

    def ring(number, frame):
        nonlocal added, over
        extra = min(more(), MOST * (limit or seconds)) - added
        if extra > TICK and not over:
            added += extra
            signal.setitimer(signal.ITIMER_REAL, extra, AGAIN)
            return
        over = True
        raise TimeIsUp(f"it took longer than {limit or seconds:.3g} s")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, TICK), AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
