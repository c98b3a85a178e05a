"""A check that holds is silent; one that does not names the planted mistake."""

import copy
import itertools
import math

import pytest
import torch
from torch import nn

from course_lib import check
from course_lib.check import CheckFailed

pytestmark = pytest.mark.usefixtures("one_thread")


def small(**change) -> nn.Sequential:
    """A small network with a conv, a grouped conv, a norm and a classifier."""
    a = {"bias": True, "groups": 2, "classes": 10, "size": 3, "inputs": 256} | change
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=a["bias"]),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(
            8, 16, a["size"], stride=2, padding=a["size"] // 2, groups=a["groups"]
        ),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(a["inputs"], a["classes"]),
    )


PARAMS = sum(p.numel() for p in small().parameters())


def failure(call, *args, **options) -> str:
    with pytest.raises(CheckFailed) as caught:
        call(*args, **options)
    return str(caught.value)


class Hidden(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(4, 4)
        self.blocks = [nn.Linear(4, 4) for _ in range(3)]


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (small(bias=False), ["8 fewer", "the bias of `0` Conv2d(3, 8"]),
        (small(groups=1), ["groups=2 in `3` Conv2d(8, 16"]),
        (small(groups=8), ["groups=2 in `3` Conv2d(8, 16"]),
        (small(classes=1000), ["10 classes, where `6` Linear", "hand num_classes on"]),
        (small(size=5), ["a 3x3 kernel in `3` Conv2d"]),
        (small(inputs=144), ["256 instead of 144 inputs of `6` Linear"]),
        (
            nn.Sequential(*small(), nn.Linear(10, 10)),
            ["all of `7` Linear", "110 too many"],
        ),
        (nn.Sequential(*small()[:1], *small()[2:]), ["16 fewer"]),
        (nn.Sequential(*small(), nn.BatchNorm1d(10)), ["gamma and beta of `7` Batch"]),
    ],
)
def test_params_names_the_layer(net, words):
    message = failure(check.params, net, PARAMS)
    assert all(word in message for word in words), message


def test_params_of_alexnet_96_short():
    conv = nn.Conv2d(3, 96, 11, stride=4, bias=False)
    net = nn.ModuleDict({"stem": nn.Sequential(conv), "head": nn.Linear(9216, 1000)})
    message = failure(check.params, net, 3 * 96 * 121 + 96 + 9_217_000)
    assert "96 fewer" in message
    assert "the bias of `stem.0` Conv2d(3, 96" in message
    assert "9,217,000" in message  # the table of children


def test_params_finds_biases_that_norms_hold():
    def net(bias):
        widths = [3, 8, 16, 32]
        layers = []
        for channels, width in itertools.pairwise(widths):
            layers += [nn.Conv2d(channels, width, 3, bias=bias), nn.BatchNorm2d(width)]
        return nn.Sequential(*layers, nn.Conv2d(32, 10, 1))

    expected = sum(p.numel() for p in net(False).parameters())
    message = failure(check.params, net(True), expected)
    assert "all 3 convolutions that a norm follows" in message
    assert "bias=False" in message


def test_params_finds_modules_in_a_plain_list():
    message = failure(check.params, Hidden(), 80)
    assert "`blocks` is a plain list" in message
    assert "ModuleList" in message


def test_macs_reads_flops_and_batches():
    net = small().eval()
    macs = 64 * 8 * 27 + 16 * 16 * 4 * 9 + 2560
    assert check.macs(net, (1, 3, 8, 8), macs) is None
    assert "FLOPs" in failure(check.macs, net, (1, 3, 8, 8), 2 * macs)
    assert "the batch" in failure(check.macs, net, (4, 3, 8, 8), macs)


def test_shape_explains():
    net = small()
    assert check.shape(net, (2, 3, 8, 8), (2, 10)) is None
    assert net.training
    assert "`6`" in failure(check.shape, net, (2, 3, 9, 9), (2, 10))
    assert "num_classes" in failure(check.shape, net, (2, 3, 8, 8), (2, 1000))
    flat = nn.Flatten(0)
    assert "flatten(1)" in failure(check.shape, flat, (2, 3, 4, 4), (2, 48))
    pool = nn.AdaptiveAvgPool2d(1)
    assert "flattened" in failure(check.shape, pool, (2, 3, 4, 4), (2, 3))


VALUES = torch.arange(1.0, 13).view(3, 4) ** 2
SQUARE = VALUES[:, :3]


@pytest.mark.parametrize(
    ("actual", "expected", "words"),
    [
        (VALUES * 5, VALUES, "5 times"),
        (-VALUES, VALUES, "sign is wrong"),
        (SQUARE.T, SQUARE, "transposed"),
        (VALUES.roll(1, 1), VALUES, "shifted by one along axis 1"),
        (VALUES.flip(0), VALUES, "reversed along axis 0"),
        (VALUES + 3, VALUES, "larger by 3 everywhere"),
        (VALUES / 0 * 0, VALUES, "12 values are nan"),
        (VALUES[:, :3], VALUES, "shape (3, 3), expected (3, 4)"),
        (VALUES + torch.eye(3, 4), VALUES, "the answer[0, 0] is 2, expected 1"),
    ],
)
def test_close_says_what_and_where(actual, expected, words):
    assert words in failure(check.close, actual, expected)


def test_close_takes_numbers_lists_and_infinities():
    assert check.close(1.0, 1.00001) is None
    assert check.close([1, math.inf], torch.tensor([1.0, math.inf])) is None
    assert "x is 1, expected 2" in failure(check.close, 1, 2, what="x")
    failure(check.close, [math.nan], [math.nan])


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.idle = nn.Linear(4, 4), nn.Linear(4, 4)
        self.cut = nn.Linear(4, 4)

    def forward(self, x):
        return self.used(x + self.cut(x).detach())


def test_gradients_names_what_learns_nothing():
    assert check.gradients(small(), (2, 3, 8, 8)) is None
    message = failure(check.gradients, Unused(), (2, 4))
    assert "4 of 6" in message
    assert "`idle.weight`" in message
    assert "`cut.bias`" in message
    assert "`used" not in message


def test_gradients_looks_behind_a_zero_head():
    net = small()
    nn.init.zeros_(net[-1].weight)
    assert check.gradients(net, (2, 3, 8, 8)) is None
    assert net[-1].weight.count_nonzero() == 0
    assert "is 0 everywhere" in failure(
        check.gradients, nn.Sequential(nn.Linear(4, 1), nn.Softmax(1)), (2, 4)
    )


def batch(images=16, classes=10):
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(images) % classes
    return torch.randn(images, 3, 8, 8, generator=generator), labels


def test_learns_and_leaves_no_trace():
    net = small().eval()
    before = copy.deepcopy(net.state_dict())
    random = torch.get_rng_state()
    assert check.learns(net, *batch()) is None
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert not net.training
    assert all(p.grad is None for p in net.parameters())
    assert torch.equal(random, torch.get_rng_state())


def zeroed():
    net = small()
    for weight in net.parameters():
        nn.init.zeros_(weight)
    return net


class NoGradient(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = small()

    def forward(self, x):
        return self.net(x).detach()


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (nn.Sequential(small(), nn.Softmax(dim=1)), "softmax stands before"),
        (zeroed(), "zero-initialised"),
        (NoGradient(), "no gradient reaches"),
        (nn.Sequential(small(), nn.LogSigmoid(), nn.Threshold(9, 0)), "no image gets"),
    ],
)
def test_learns_says_why_not(net, words):
    torch.manual_seed(0)
    assert words in failure(check.learns, net, *batch(), steps=60)


def test_learns_sees_labels_that_do_not_belong():
    torch.manual_seed(0)
    images, labels = batch()
    same = images[:1].repeat(16, 1, 1, 1)
    assert "same but have different labels" in failure(
        check.learns, small(), torch.cat([same[:8], images[:8]]), labels, steps=20
    )
    assert "labels run from 1 to 10" in failure(
        check.learns, small(), images, labels + 1
    )
