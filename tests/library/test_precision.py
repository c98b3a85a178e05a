"""In what numbers a training computes: mixed precision, and what it leaves out."""

import pytest
import torch
from torch import nn

from course_lib.precision import autocast
from course_lib.recipe import Recipe

CPU = torch.device("cpu")


def result(layer: nn.Module, channels: int, **recipe) -> torch.dtype:
    with autocast(Recipe(**recipe), CPU):
        return layer(torch.randn(2, channels, 8, 8)).dtype


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Conv2d(8, 8, 3, groups=8, stride=2), torch.float32),
        (nn.Conv2d(8, 16, 3, groups=8, stride=(1, 2)), torch.float32),
        (nn.Conv2d(8, 8, 5, groups=8, padding="same"), torch.float32),
        (nn.Conv2d(8, 8, 3, groups=8), torch.bfloat16),
        (nn.Conv2d(8, 8, 5, stride=2), torch.bfloat16),
        (nn.Conv2d(8, 8, 3, groups=2, stride=2), torch.bfloat16),
        (nn.Conv2d(1, 8, 5, stride=2), torch.bfloat16),  # one channel, not depthwise
    ],
)
def test_slow_depthwise_convolutions_run_in_float32(layer, expected):
    channels = layer.in_channels
    assert result(layer, channels, precision="bfloat16") is expected
    assert result(layer, channels, precision="float32") is torch.float32


def test_what_float32_gives_goes_back_to_bfloat16_and_gradients_arrive():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, groups=8, stride=2), nn.Conv2d(8, 4, 1)
    )
    assert result(net, 3, precision="bfloat16") is torch.bfloat16
    with autocast(Recipe(precision="bfloat16"), CPU):
        net(torch.randn(2, 3, 8, 8)).float().square().sum().backward()
    assert all(p.grad.dtype is torch.float32 for p in net.parameters())
    assert all(p.grad.abs().sum() > 0 for p in net.parameters())
