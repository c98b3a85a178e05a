"""Drawings of keypoints and descriptors: what is drawn where; the slider's parts."""

from __future__ import annotations

import math

import matplotlib
import numpy as np
import pytest
import torch

matplotlib.use("agg")
from matplotlib import pyplot as plt

from course_lib import data, plot
from course_lib.recipe import Epoch, History


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    ax.imshow(np.zeros((40, 60)))
    yield ax
    plt.close(figure)


def test_a_training_is_printed_and_drawn_in_two_curves(capsys):
    history = History(
        Epoch(n, 2.0, 0.1 * n, 2.0, 0.05 * n, 0.1, 1.0) for n in (1, 2, 3)
    )
    plot.training(history)
    assert capsys.readouterr().out == "training top-1 30.0%, validation 15.0%\n"
    drawn = [axes.lines[0].get_ydata() for axes in plt.gcf().axes]
    assert np.allclose(drawn, [[10, 20, 30], [5, 10, 15]])
    plt.close()


@pytest.mark.parametrize("epochs", [1, 2, 5, 12, 20, 100])
def test_the_axis_of_epochs_has_whole_numbers(epochs):
    figure, ax = plt.subplots(figsize=(3.2, 2.3))
    run = [Epoch(n, 2.0, 0.1, 2.0, 0.5, 0.1, 1.0) for n in range(1, epochs + 1)]
    plot.curves(ax, {"validation": run})
    ticks = ax.get_xticks()
    plt.close(figure)
    assert [*ticks] == [round(tick) for tick in ticks]


def test_a_keypoint_is_a_circle_of_six_scales_and_a_ray(ax):
    plot.keypoints(ax, torch.tensor([[10.0, 20, 2, math.pi / 2], [30, 5, 1, 0]]))
    first, second = (line.get_xydata() for line in ax.lines)
    assert first[0] == pytest.approx([10, 20])
    assert first[1] == pytest.approx([10, 32])  # y points down, as angles do
    assert np.hypot(*(first[1:] - [10, 20]).T) == pytest.approx(12)
    assert second[:2] == pytest.approx(np.array([[30, 5], [36, 5]]))
    assert (ax.get_xlim(), ax.get_ylim()) == ((-0.5, 59.5), (39.5, -0.5))


def test_a_keypoint_without_orientation_has_no_ray(ax):
    plot.keypoints(ax, torch.tensor([[10.0, 20, 2]]), "C0", lw=3)
    (circle,) = ax.lines
    assert np.hypot(*(circle.get_xydata() - [10, 20]).T) == pytest.approx(12)
    assert (circle.get_color(), circle.get_linewidth()) == ("C0", 3)


@pytest.mark.parametrize("columns", [3, 4])
def test_no_keypoints_draw_nothing(ax, columns):
    plot.keypoints(ax, torch.zeros(0, columns))
    assert len(ax.lines) == 0


def test_a_descriptor_has_a_ray_for_every_entry(ax):
    entries = torch.arange(128) / 256
    plot.descriptor(ax, entries)
    rays = [line.get_xydata() for line in ax.lines if line.get_linewidth() == 1]
    assert len(rays) == 128
    for number, ray in enumerate(rays):
        row, column, angle = np.unravel_index(number, (4, 4, 8))
        assert ray[0] == pytest.approx([column, row])
        turn = -2 * math.pi * angle / 8
        length = number / 256 * 0.5 / 0.3
        along = [math.cos(turn) * length, math.sin(turn) * length]
        assert ray[1] - ray[0] == pytest.approx(along, abs=1e-6)


def test_a_slider_draws_its_middle_and_says_what_it_is(monkeypatch):
    shown, drawn = [], []

    def keep(bundle, raw):
        shown.append(bundle)

    monkeypatch.setattr("IPython.display.display", keep)
    monkeypatch.setattr(plt, "show", lambda: drawn.append("shown"))
    plot.slider(drawn.append, "level", (1, 15), frames=0)
    (bundle,) = shown
    assert drawn == [8, "shown"]
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert (
        bundle["text/plain"] == "(in a live Jupyter: a slider for the level, 1 to 15)"
    )


def test_a_slider_stores_a_picture_of_each_limit_and_between():
    def draw(level):
        plt.subplots(figsize=(2, 1))[1].set_title(f"level {level}")

    before = plt.get_fignums()
    stored = plot.stills(draw, "level", (1, 15), 4)
    assert (stored["name"], stored["values"]) == ("level", [1, 6, 10, 15])
    assert len(set(stored["frames"])) == 4
    assert all(frame.startswith("data:image/") for frame in stored["frames"])
    assert plot.stills(draw, "level", (1, 2), 7)["values"] == [1, 2]
    assert plt.get_fignums() == before


def test_a_block_has_a_box_for_each_layer_and_a_wire_where_there_is_one(ax):
    plot.block(ax, "basic", ["conv 3×3", "BN"], ["ReLU"])
    assert [text.get_text() for text in ax.texts] == ["conv 3×3", "BN", "+", "ReLU"]
    way, wire = (line.get_xydata() for line in ax.lines)
    assert way[:, 0].tolist() == [0, 0]
    assert wire[-1].tolist() == [0, -2]  # it ends at the addition


def test_a_plain_block_has_neither_addition_nor_wire(ax):
    plot.block(ax, "plain", ["conv 3×3", "BN"], ["ReLU"], wire=False)
    assert [text.get_text() for text in ax.texts] == ["conv 3×3", "BN", "ReLU"]
    assert len(ax.lines) == 1


def test_mistakes_are_drawn_the_most_confident_first():
    pictures = data.load("digits", "val", size=8, channels=3).take(range(4))
    logits = 2 * torch.nn.functional.one_hot(pictures.labels, 10).float()
    for place, certain in ((1, 5.0), (3, 9.0)):
        logits[place, (pictures.labels[place] + 1) % 10] = certain
    figure, axes = plt.subplots(1, 3)
    plot.mistakes(axes, pictures, logits)
    drawn = [ax.images[0].get_array() for ax in axes if ax.images]
    assert len(drawn) == 2
    for picture, place in zip(drawn, (3, 1), strict=True):
        assert np.array_equal(picture, plot.drawable(pictures.images[place]))
    label = pictures.labels[3].item()
    assert axes[0].get_title().startswith(f"{label}, said {(label + 1) % 10}\n100 %")
    plt.close(figure)
