import os
import subprocess
import sys

import pytest
import torch

from course_lib.latency import milliseconds


def test_a_call_that_is_slow_once_counts_with_its_shortest_time():
    work = iter([3, 3, 1, 2, 3])
    slow = []

    def run(_image):
        assert torch.is_inference_mode_enabled()
        slow.append(next(work))
        for _ in range(slow[-1]):
            torch.randn(400, 400) @ torch.randn(400, 400)

    assert milliseconds(run, None, repeats=4) > 0
    assert slow == [3, 3, 1, 2, 3]  # once to warm up, then four times


@pytest.mark.slow
def test_a_notebook_that_imports_it_has_no_warning_in_its_output(tmp_path):
    """torch.utils.benchmark says that no CUDA runtime is found, where a toolkit is."""
    toolkit = {"CUDA_HOME": str(tmp_path), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", "import course_lib.latency"]
    said = subprocess.run(command, env=os.environ | toolkit, capture_output=True)
    assert (said.returncode, said.stderr) == (0, b"")
