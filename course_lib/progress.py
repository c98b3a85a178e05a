"""Show how a training goes: a bar in a terminal, a live panel in Jupyter, else nothing.

The panel is HTML that holds an SVG as a data URI: the form that survives saving,
reopening without a kernel, untrusted opening and a static web site. Nothing is ever
written to stderr, because nbgrader takes a test cell's points away for that.
"""

from __future__ import annotations

import base64
import html
import io
import math
import sys
import time
from importlib.util import find_spec
from typing import NamedTuple


class Now(NamedTuple):
    """Where a training is."""

    epoch: float  # epochs done, with fractions
    loss: float  # mean of this epoch so far, nats an image
    top1: float  # of this epoch so far, fraction
    images_per_second: float
    seconds_left: float


def show(title: str, epochs: int, history: list, device, seed: int, quiet: bool):
    """Return a context manager with `update(now)`, fit for where this runs."""
    if quiet:
        return Silent()
    if in_jupyter():
        return Panel(title, epochs, history, f"{device}, seed {seed}")
    if sys.stdout.isatty() and find_spec("rich"):
        return Bar(title, epochs, history, f"{device}, seed {seed}")
    return Silent()


def in_jupyter() -> bool:
    """Say whether a Jupyter kernel runs this process; IPython in a terminal is none."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython and ipython.get_ipython(), "kernel")


class Silent:
    """Where no one looks, nothing is shown."""

    interval = math.inf  # seconds between two updates

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def update(self, now: Now) -> None:
        pass


class Bar(Silent):
    """One line in a terminal, by rich."""

    interval = 0.2

    def __init__(self, title: str, epochs: int, history: list, where: str):
        from rich import progress
        from rich.console import Console

        self.history = history
        text = progress.TextColumn
        self.bar = progress.Progress(
            text("{task.description}"),
            progress.BarColumn(bar_width=24),
            text("epoch {task.completed:.1f}/{task.total}"),
            text("loss {task.fields[loss]:.3f}  top-1 {task.fields[top1]:.1%}"),
            text("{task.fields[speed]:,.0f} images/s"),
            text("{task.fields[left]}"),
            text("[dim]{task.fields[validation]}[/]"),
            console=Console(file=sys.stdout),
        )
        loss, top1 = history[-1][1:3] if history else (math.nan, math.nan)
        fields = {"loss": loss, "top1": top1, "speed": 0, "left": ""}
        fields |= {"completed": len(history), "validation": where}
        self.task = self.bar.add_task(title, total=epochs, **fields)

    def __enter__(self):
        self.bar.start()
        return self

    def __exit__(self, *error):
        self.bar.stop()

    def update(self, now: Now) -> None:
        fields = {"loss": now.loss, "top1": now.top1, "speed": now.images_per_second}
        if self.history and not math.isnan(self.history[-1].val_top1):
            fields["validation"] = f"val {self.history[-1].val_top1:.1%}"
        left = clock(now.seconds_left) + " left"
        self.bar.update(self.task, completed=now.epoch, left=left, **fields)


class Panel(Silent):
    """Loss and top-1 curves with a line of words, redrawn in place in Jupyter."""

    interval = 1.0

    def __init__(self, title: str, epochs: int, history: list, where: str):
        self.title, self.epochs, self.history, self.where = (
            title,
            epochs,
            history,
            where,
        )
        self.now, self.drawn, self.display = None, 0.0, None
        self.picture, self.pictured = "", 0  # of how many epochs it is
        self.started = time.perf_counter()

    def __enter__(self):
        from IPython.display import display

        self.display = display(self.content(), raw=True, display_id=True)
        return self

    def __exit__(self, *error):
        self.display.update(self.content(finished=True), raw=True)

    def update(self, now: Now) -> None:
        self.now = now
        if time.perf_counter() - self.drawn >= self.interval:
            self.display.update(self.content(), raw=True)
            self.drawn = time.perf_counter()

    def content(self, finished: bool = False) -> dict[str, str]:
        """Return the MIME bundle: HTML, and the same in words as plain text."""
        words = self.words(finished)
        safe, image = html.escape(words), ""
        if self.history:
            picture = f"data:image/svg+xml;base64,{self.curves()}"
            image = f'<img alt="{safe}" src="{picture}">'
        return {"text/plain": words, "text/html": f"{image}<p>{safe}</p>"}

    def curves(self) -> str:
        """Return the curves as SVG in base 64, drawn anew only after an epoch."""
        if self.pictured != len(self.history):
            picture = draw(self.history, self.epochs)
            self.picture = base64.b64encode(picture).decode()
            self.pictured = len(self.history)
        return self.picture

    def words(self, finished: bool) -> str:
        parts = [f"{self.title} on {self.where}"]
        if self.history:
            last = self.history[-1]
            parts.append(f"epoch {last.epoch} of {self.epochs}")
            parts.append(f"training loss {last.train_loss:.3f}")
            parts.append(f"training top-1 {last.train_top1:.1%}")
            if not math.isnan(last.val_top1):
                parts.append(f"validation top-1 {last.val_top1:.1%}")
        if self.now:
            parts.append(f"{self.now.images_per_second:,.0f} images/s")
        if finished:
            parts.append(f"{clock(time.perf_counter() - self.started)} in all")
        elif self.now:
            parts.append(f"{clock(self.now.seconds_left)} left")
        return ", ".join(parts)


def clock(seconds: float) -> str:
    """Return seconds as 0:05, 12:34 or 1:02:03."""
    if not math.isfinite(seconds):
        return "?"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def draw(history: list, epochs: int) -> bytes:
    """Return the loss and top-1 curves as SVG; the words stay text, so it is small."""
    import matplotlib
    from matplotlib.figure import Figure

    style = {"svg.fonttype": "none", "svg.hashsalt": "course", "font.size": 9}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(6.4, 2.2), layout="constrained")
        for ax, what, scale, label in zip(
            figure.subplots(1, 2),
            ("loss", "top1"),
            (1, 100),
            ("loss (nats an image)", "top-1 (%)"),
            strict=True,
        ):
            for split in ("train", "val"):
                values = [scale * getattr(e, f"{split}_{what}") for e in history]
                ax.plot([e.epoch for e in history], values, ".-", label=split)
            ax.set(xlabel="epoch", ylabel=label, xlim=(0.5, epochs + 0.5))
            ax.spines[["top", "right"]].set_visible(False)
        figure.axes[0].legend(frameon=False)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
