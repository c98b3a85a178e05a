"""How a training shows itself, in a terminal and in Jupyter; never on stderr."""

import base64
import os
import re
import subprocess
import sys

import nbformat
import pytest

from course_lib import progress

TRAINING = """
from course_lib import data, train
from torch import nn
import torch
torch.manual_seed(0)
images = [data.load("digits", split, size=8) for split in ("train", "val")]
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
recipe = train.Recipe(epochs=3, batch_size=64, learning_rate=0.1)
history = train.fit(model, *images, recipe, title="a linear model")
"""


def test_clock():
    assert [progress.clock(s) for s in (5, 754, 3723)] == ["0:05", "12:34", "1:02:03"]
    assert progress.clock(float("inf")) == "?"


@pytest.mark.slow
def test_without_a_terminal_nothing_is_printed():
    done = subprocess.run(
        [sys.executable, "-c", TRAINING], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_shows_loss_top1_speed_and_time_left():
    import pty

    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": "160", "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINING],
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=environment,
    )
    os.close(theirs)
    shown = b""
    while chunk := read(ours):
        shown += chunk
    assert process.stderr.read() == b""
    assert process.wait() == 0
    text = re.sub(rb"\x1b\[[\d;?]*[a-zA-Z]", b"", shown).decode()
    assert "a linear model" in text
    last = text.replace("\r", "\n").strip().splitlines()[-1]
    assert re.search(r"epoch 3\.0/3.*loss \d\.\d+.*top-1 \d+\.\d%.*images/s", last), (
        last
    )
    assert "0:00 left" in last


def read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end is closed
        return b""


@pytest.mark.slow
def test_the_panel_in_jupyter_is_what_a_static_reader_can_show():
    """One HTML output with an SVG picture as data, alt text and words; no stderr."""
    from nbclient import NotebookClient

    cell = nbformat.v4.new_code_cell(TRAINING)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    (output,) = cell.outputs
    assert output.output_type == "display_data"
    html, words = output.data["text/html"], output.data["text/plain"]
    image = re.search(r'<img alt="(.*?)" src="data:image/svg\+xml;base64,(.*?)">', html)
    assert image.group(1) == words
    assert b"<svg" in base64.b64decode(image.group(2))
    assert not re.search(r"<script|<svg|<style|javascript", html)
    for said in ("a linear model on cpu, seed 0", "epoch 3 of 3", "validation top-1"):
        assert said in words
    assert re.search(r"[\d,]+ images/s, 0:\d\d in all", words)
    assert len(html) < 60_000
