"""Every drawing that the course uses twice; looks live in course.mplstyle.

Functions draw on the axes they are given and return None; two show a whole figure.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from course_lib.data import Images
from course_lib.recipe import History

plt.style.use(Path(__file__).with_name("course.mplstyle"))

PERCENT = {"train_top1", "val_top1"}
NAMES = {
    "train_loss": "training loss (nats an image)",
    "val_loss": "validation loss (nats an image)",
    "train_top1": "training top-1 (%)",
    "val_top1": "validation top-1 (%)",
    "learning_rate": "learning rate",
}


def curves(ax: Axes, runs: dict[str, list], what: str = "val_top1") -> None:
    """Draw one field of `train.Epoch` by epoch, a line a run, each named at its end."""
    scale = 100 if what in PERCENT else 1
    ends = []
    for name, history in runs.items():
        values = [scale * getattr(epoch, what) for epoch in history]
        epochs = [epoch.epoch for epoch in history]
        (line,) = ax.plot(epochs, values, marker="." if len(values) < 30 else "")
        ends.append((epochs[-1], values[-1], name, line.get_color()))
    ax.set(xlabel="epoch", ylabel=NAMES[what])
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    name_ends(ax, ends)


def training(history: History) -> None:
    """Print a run's last top-1 and show its two curves, training and validation."""
    last = history[-1]
    print(f"training top-1 {last.train_top1:.1%}, validation {last.val_top1:.1%}")
    _, axes = plt.subplots(1, 2, figsize=(6.4, 2.3))
    curves(axes[0], {"training": history}, "train_top1")
    curves(axes[1], {"validation": history}, "val_top1")
    plt.show()


def name_ends(ax: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Write names, given as (x, y, name, color), beside their points, moved apart."""
    low, high = ax.get_ylim()
    gap, floor = 0.07 * (high - low), -math.inf
    for x, y, name, color in sorted(ends, key=lambda end: end[1]):
        floor = max(y, floor + gap)
        ax.annotate(
            f" {name}", (x, y), (x, floor), color=color, va="center", clip_on=False
        )
    ax.margins(x=0.02)


def images(
    axes: Axes | Sequence[Axes], batch: Tensor, titles: Sequence[str] = ()
) -> None:
    """Draw images (N, C, H, W), uint8 or float in [0, 1].

    On one axes they form a row of tiles; on a sequence of axes, an image each.
    """
    pictures = [drawable(image) for image in batch]
    if isinstance(axes, Axes):
        height = pictures[0].shape[0]
        gap = np.ones((height, max(1, height // 16), *pictures[0].shape[2:]))
        tiles = [part for picture in pictures for part in (gap, picture)][1:]
        axes, pictures = [axes], [np.concatenate(tiles, axis=1)]
    axes = np.ravel(axes)
    for ax, picture in zip(axes, pictures, strict=False):
        ax.imshow(picture, vmin=0, vmax=1)
    for ax, title in zip(axes, titles, strict=False):
        ax.set_title(title)
    for ax in axes:
        ax.set_axis_off()


def drawable(image: Tensor) -> np.ndarray:
    """Return (H, W) or (H, W, 3) in [0, 1] for an image (C, H, W)."""
    image = torch.as_tensor(image).detach().cpu()
    picture = image / 255 if image.dtype == torch.uint8 else image.float()
    return picture.clamp(0, 1).permute(1, 2, 0).squeeze(2).numpy()


def filters(ax: Axes, weight: Tensor, columns: int = 16) -> None:
    """Draw convolution kernels (width, C, k, k) as a grid of tiles.

    Kernels of three channels are drawn in colour, others as the mean over channels;
    each is stretched to the full range on its own: only patterns can be compared.
    """
    weight = weight.detach().cpu().float()
    if weight.shape[1] != 3:
        weight = weight.mean(dim=1, keepdim=True)
    low, high = (
        weight.amin((1, 2, 3), keepdim=True),
        weight.amax((1, 2, 3), keepdim=True),
    )
    weight = (weight - low) / (high - low).clamp_min(1e-12)
    missing = -len(weight) % columns
    weight = torch.cat([weight, weight.new_ones(missing, *weight.shape[1:])])
    tiles = torch.nn.functional.pad(weight, (1, 1, 1, 1), value=1.0)  # (n, C, k+2, k+2)
    rows = [torch.cat([*row], dim=2) for row in tiles.split(columns)]
    ax.imshow(drawable(torch.cat(rows, dim=1)), vmin=0, vmax=1)
    ax.set_axis_off()


def confusion(ax: Axes, matrix: Tensor, classes: Sequence[str]) -> None:
    """Draw a matrix of counts (true class, predicted class) as percent of its row."""
    matrix = torch.as_tensor(matrix, dtype=torch.float64)
    percent = 100 * matrix / matrix.sum(dim=1, keepdim=True).clamp_min(1)
    ax.imshow(percent, vmin=0, vmax=100, cmap="Blues")
    for row, column in percent.round().nonzero().tolist():
        value = percent[row, column].item()
        color = "white" if value > 50 else "black"
        style = {"ha": "center", "va": "center", "color": color, "fontsize": 7}
        ax.text(column, row, f"{value:.0f}", **style)
    ax.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    ax.set_yticks(range(len(classes)), classes)
    ax.set(xlabel="predicted class", ylabel="true class (rows sum to 100 %)")
    ax.grid(False)


def keypoints(ax: Axes, points: Tensor, color: str = "C1", **line) -> None:
    """Draw keypoints (n, 3 or 4) on a photo: x, y, scale and, if there, orientation.

    The circle lies in the square of SIFT's descriptor, six scales from its centre; a
    ray says where the orientation (radians) points. The axes keep their limits.
    """
    limits = {"xlim": ax.get_xlim(), "ylim": ax.get_ylim()}
    points = torch.as_tensor(points).detach().cpu()
    x, y, scale = points.T[:3]
    turn = points[:, 3] if points.shape[1] == 4 else torch.zeros(len(points))
    angle = torch.linspace(0, 2 * math.pi, 33)[:, None] + turn  # (33, n)
    u, v = 6 * scale * angle.cos(), 6 * scale * angle.sin()
    if points.shape[1] == 4:  # from the centre to the edge, then around
        u, v = (torch.nn.functional.pad(part, (0, 0, 1, 0)) for part in (u, v))
    ax.plot(x + u, y + v, color=color, **line)
    ax.set(**limits)


def descriptor(ax: Axes, entries: Tensor) -> None:
    """Draw SIFT's 128 numbers: in each of 4x4 cells, 8 rays as long as the entries.

    An entry of 0.3 reaches from the centre of its cell to the edge.
    """
    for line in (-0.5, 0.5, 1.5, 2.5, 3.5):
        ax.plot([line, line], [-0.5, 3.5], "0.6", lw=0.6)
        ax.plot([-0.5, 3.5], [line, line], "0.6", lw=0.6)
    length = torch.as_tensor(entries).detach().cpu().view(4, 4, 8) * (0.5 / 0.3)
    row, column, number = torch.meshgrid(*map(torch.arange, (4, 4, 8)), indexing="ij")
    angle = -number * (2 * math.pi / 8)  # counter-clockwise on the screen
    x = torch.stack([column + 0 * length, column + length * angle.cos()])
    y = torch.stack([row + 0 * length, row + length * angle.sin()])
    ax.plot(x.flatten(1), y.flatten(1), "C0", lw=1)
    ax.set(xlim=(-0.55, 3.55), ylim=(3.55, -0.55), aspect="equal")
    ax.set_axis_off()


FRAMES = "application/vnd.course.frames+json"  # the web site's slider: docs/site


def slider(
    draw: Callable[[int], None], name: str, limits: tuple[int, int], frames: int = 7
) -> None:
    """Show what `draw(number)` draws with pyplot, and a slider that draws it anew.

    For exploring alone: without a live Jupyter there may be no picture, so draw a still
    one, too. The web site, which has no kernel, shows `frames` stored pictures instead.
    """
    import ipywidgets
    from IPython.display import display

    def shown(number: int) -> None:
        draw(number)
        plt.show()

    handle = ipywidgets.IntSlider(sum(limits) // 2, *limits, continuous_update=False)
    handle.description = name
    widget = ipywidgets.interactive(shown, number=handle)
    plain = f"(in a live Jupyter: a slider for the {name}, {limits[0]} to {limits[1]})"
    stored = {FRAMES: stills(draw, name, limits, frames), "text/plain": plain}
    display(widget._repr_mimebundle_() | stored, raw=True)


def stills(
    draw: Callable[[int], None], name: str, limits: tuple[int, int], count: int
) -> dict:
    """Return what `draw` draws at `count` numbers, both limits among them, as URLs."""
    steps = torch.linspace(*limits, min(count, limits[1] - limits[0] + 1))
    values, urls = [round(step) for step in steps.tolist()], []
    for value in values:
        draw(value)
        urls.append(url(plt.gcf()))
        plt.close()
    return {"name": name, "values": values, "frames": urls}


def url(figure: Figure) -> str:
    """Return a figure as a data URL of few bytes: PNG of 64 colours, or JPEG."""
    from PIL import Image

    drawn, encoded = io.BytesIO(), {}
    figure.savefig(drawn, format="png", dpi=80, bbox_inches="tight")
    image = Image.open(drawn).convert("RGB")
    for kind, still in {"png": image.quantize(64), "jpeg": image}.items():
        small = io.BytesIO()
        still.save(small, kind, optimize=True, quality=60)
        encoded[kind] = small.getvalue()
    kind = min(encoded, key=lambda kind: len(encoded[kind]))
    return f"data:image/{kind};base64,{base64.b64encode(encoded[kind]).decode()}"


PARTS = {"conv": "#9ecae1", "BN": "#c7e9c0", "ReLU": "#fdd0a2", "+": "white"}


def block(
    ax: Axes, title: str, residual: list[str], after: Sequence[str] = (), wire=True
) -> None:
    """Draw a block of a network from top to bottom, its shortcut beside it.

    residual, after: the layers in words, before and after the addition; a box has the
    colour of its first word. wire: whether there is a shortcut.
    """
    boxes, end = [*residual, *(["+"] if wire else []), *after], -len(residual)
    ax.plot([0, 0], [0.8, -len(boxes) + 0.2], color="0.5", zorder=0)
    for row, word in enumerate(boxes):
        box = {"boxstyle": "round", "fc": PARTS[word.split()[0]], "ec": "0.5"}
        ax.text(0, -row, word, ha="center", va="center", bbox=box, fontsize=8)
    if wire:
        ax.plot([0, 1, 1, 0], [0.6, 0.6, end, end], color="k", lw=1.5, zorder=0)
    ax.set(xlim=(-1, 1.2), ylim=(-len(boxes), 1))
    ax.set_title(title, fontsize=9)
    ax.set_axis_off()


def mistakes(axes: Sequence[Axes], pictures: Images, logits: Tensor) -> None:
    """Draw the images that a network gets wrong, the most confident mistake first.

    logits: (N, K), of the N pictures. There are as many as axes, or fewer.
    """
    sure, said = logits.softmax(dim=1).max(dim=1)
    wrong = (said != pictures.labels).nonzero().flatten()
    worst = wrong[sure[wrong].argsort(descending=True, stable=True)][: len(axes)]
    images(axes, pictures.images[worst])
    for ax, place in zip(axes, worst.tolist(), strict=False):
        pair = pictures.labels[place], said[place]
        is_, taken = (pictures.classes[number] for number in pair)
        ax.set_title(f"{is_}, said {taken}\n{100 * sure[place]:.0f} %", fontsize=9)
