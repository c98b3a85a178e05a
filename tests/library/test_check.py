"""A check that holds is silent; one that does not names the planted mistake."""

import contextlib
import copy
import itertools
import math
import random
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

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


class RmsNorm(nn.Module):
    """A norm of one's own: its gain is called `scale`, and there is no shift."""

    def __init__(self, width, offset=False):
        super().__init__()
        self.scale, self.eps = nn.Parameter(torch.ones(width)), 1e-6
        self.offset = nn.Parameter(torch.zeros(width)) if offset else None

    def forward(self, x):
        return x * self.scale / (x.square().mean(-1, keepdim=True) + self.eps).sqrt()


class Odd(nn.Module):
    """Parameters of every kind that a layer may hold."""

    def __init__(self):
        super().__init__()
        self.several = nn.ParameterList([torch.ones(2), torch.ones(3)])
        self.named = nn.ParameterDict({"a": torch.ones(4)})
        self.wave = nn.Parameter(torch.ones(5, dtype=torch.complex64))
        self.one = nn.Parameter(torch.tensor(1.0))
        self.shared = nn.Linear(2, 3, bias=False)
        self.shared.weight = nn.Parameter(torch.ones(3, 2))
        self.tied = nn.Linear(2, 3)
        self.tied.weight = self.shared.weight
        self.wrapped = parametrizations.weight_norm(nn.Linear(2, 2))
        self.bare = nn.LayerNorm(4, elementwise_affine=False)


@pytest.mark.parametrize(
    ("net", "expected", "words"),
    [
        (nn.Sequential(nn.Linear(4, 4), RmsNorm(4)), 20, "the `scale` of `1` RmsNorm"),
        (
            nn.Sequential(nn.Linear(4, 4), RmsNorm(4)),
            28,
            "one more such norm",
        ),
        (nn.Sequential(RmsNorm(4, True)), 4, "the `scale` or `offset` of `0` RmsNorm"),
        (nn.Sequential(RmsNorm(4), RmsNorm(6)), 0, "of all 2 norms"),
        (nn.Sequential(nn.BatchNorm2d(4)), 12, "a gamma or beta is missing"),
        (Odd(), 27, "`several` ParameterList(2 parameters)"),
        (Odd(), 999, "no single layer explains"),
        (nn.Sequential(nn.LazyLinear(4)), 20, "`0.weight` has no size until"),
    ],
)
def test_params_of_any_layer(net, expected, words):
    assert words in failure(check.params, net, expected)


def test_macs_of_a_network_that_multiplies_nothing():
    net = nn.Sequential(nn.ReLU(), nn.Flatten())
    assert check.macs(net, (1, 3, 8, 8), 0) is None
    assert "Nothing multiplies" in failure(check.macs, net, (1, 3, 8, 8), 5)
    assert "12 multiply" in failure(check.macs, nn.Linear(3, 4), (1, 3), 0)
    assert "60 multiply" in failure(
        check.macs, nn.Bilinear(3, 4, 4), ((1, 3), (1, 4)), 61
    )


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


class Heads(nn.Module):
    """An auxiliary head that answers in eval mode, too."""

    def __init__(self, answer):
        super().__init__()
        self.layer, self.answer = nn.Linear(4, 10), answer

    def forward(self, x):
        return self.answer(self.layer(x))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda y: (y, y), "a tuple of 2: (2, 10), (2, 10), not one tensor. Auxiliary"),
        (lambda y: {"out": y, "aux": None}, "a dict of 2: (2, 10), None, not one"),
        (lambda y: [y], "a list of 1: (2, 10), not one tensor"),
        (lambda y: None, "None: is the `return` of forward missing?"),
        (lambda y: y.sum().item(), "a float, not a tensor"),
        (lambda y: y.numpy(), "a ndarray, not a tensor"),
    ],
)
def test_shape_of_an_answer_that_is_no_tensor(answer, words):
    message = failure(check.shape, Heads(answer), (2, 4), (2, 10))
    assert f"in eval mode the network answers {words}" in message
    assert "`layer` Linear" in message


def test_shape_says_an_error_without_words():
    def refuse(_):
        raise ValueError

    message = failure(check.shape, Heads(refuse), (2, 4), (2, 10))
    assert "forward cannot take what reaches it" in message
    assert "ValueError" in message


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
        (VALUES + torch.eye(3, 4), VALUES, "the answer at [0, 0] is 2, expected 1"),
    ],
)
def test_close_says_what_and_where(actual, expected, words):
    assert words in failure(check.close, actual, expected)


def test_close_takes_numbers_lists_and_infinities():
    assert check.close(1.0, 1.00001) is None
    assert check.close([1, math.inf], torch.tensor([1.0, math.inf])) is None
    assert "x is 1, expected 2" in failure(check.close, 1, 2, what="x")
    failure(check.close, [math.nan], [math.nan])


@pytest.mark.parametrize(
    ("actual", "expected", "words"),
    [
        (1 + 2j, 1 + 9j, "is 1+2j, expected 1+9j"),
        (torch.tensor([1 + 2j]), [1 - 2j], "complex conjugate"),
        (torch.tensor([1.0]), [1 + 2j], "the imaginary part is not"),
        (np.array([1j]), [2j], "at [0] is 0+1j, expected 0+2j"),
        (5.0, -math.inf, "is 5, expected -inf"),
        (math.inf, -math.inf, "is inf, expected -inf"),
        ([0.0, -1e30], [0.0, -math.inf], "at [1] is -1e+30, expected -inf"),
        (-math.inf, 5.0, "is -inf, expected 5"),
        (2**53 + 1, 2**53, "is 9,007,199,254,740,993, expected 9,007,199,254,740,992"),
        (torch.tensor([2**62]), [-(2**62)], "sign is wrong"),
        (2**64, 1, "more than 63 bits"),
        (np.array([2**63], np.uint64), [1], "more than 63 bits"),
        ([True, False], [True, True], "at [1] is 0, expected 1"),
        (1.0000001, 1.0, "is 1.0000001, expected 1.0"),
        ("1.0", 1.0, "the answer is the string '1.0', not a number"),
        (None, 1.0, "the answer is None: is a `return` missing?"),
        ({}, 1.0, "the answer is a dict, not numbers"),
        ([[1, 2], [3]], [1], "the answer is no array of numbers"),
        ([torch.ones(2), torch.ones(3)], [1], "different shapes: (2,), (3,)"),
    ],
)
def test_close_takes_every_number_for_what_it_is(actual, expected, words):
    assert words in failure(check.close, actual, expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    "value",
    [
        1 + 2j,
        -math.inf,
        [complex(0, math.inf), 1],
        2**53 + 1,
        [True, False],
        np.arange(6, dtype=">f4")[::-2],
        np.float32(0.1),
        torch.tensor([0.5], dtype=torch.bfloat16),
        [[torch.ones(2), torch.zeros(2)], [torch.ones(2), torch.ones(2)]],
        torch.ones(2, requires_grad=True),
        [],
    ],
)
def test_close_takes_what_equals_itself(value):
    assert check.close(value, value, rtol=0, atol=0) is None


@pytest.mark.parametrize("number", [5.0, math.inf, -1e300, math.nan])
def test_close_to_an_infinity_is_itself_alone(number):
    assert "expected -inf" in failure(check.close, number, -math.inf)
    assert "at [1] is" in failure(check.close, [0, number], [0, -math.inf])


def test_close_keeps_the_index_apart_from_the_name():
    maps = torch.zeros(1, 4, 3, 2)
    message = failure(check.close, maps, maps + torch.eye(2)[1], what="stride = 2")
    assert message.startswith("stride = 2 at [0, 0, 0, 1] is 0, expected 1")


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


class Restless(nn.Module):
    """Its forward pass writes to everything that it can reach, and draws at random."""

    def __init__(self):
        super().__init__()
        self.net = small()
        self.frozen = nn.BatchNorm2d(3).eval().requires_grad_(False)
        self.old = nn.utils.weight_norm(nn.Linear(10, 10))
        self.new = parametrizations.weight_norm(nn.Linear(10, 10))
        self.table = nn.Embedding(10, 10, max_norm=0.01)  # renormalised when it is read
        self.register_buffer("steps", torch.zeros(()), persistent=False)
        self.register_buffer("last", torch.zeros(1))
        self.running, self.maps = torch.zeros(3), []

    def forward(self, x):
        self.steps += 1
        self.last = x.mean((1, 2, 3))
        self.running.add_(x.mean((0, 2, 3)).detach())
        self.maps.append(len(x))
        self.register_forward_hook(lambda *_: None)
        noise = torch.rand(1) + np.random.rand() + random.random()  # noqa: NPY002
        logits = self.new(self.old(self.net(self.frozen(x)))) + 0 * noise
        return logits + 0 * self.table(torch.arange(10)).sum()


def state_of(net):
    """Everything of a network that a check could change, and the random states."""
    kept = [
        (name, id(x), x.detach().clone(), x.requires_grad, x.grad)
        for name, x in [*net.named_parameters(), *net.named_buffers()]
    ]
    modes = [module.training for module in net.modules()]
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()]
    plain = net.running.clone(), list(net.maps)
    drawn = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
    return kept, modes, hooks, plain, drawn


def same_state(a, b) -> bool:
    if isinstance(a, (torch.Tensor, np.ndarray)):
        return bool((a == b).all())
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same_state, a, b))
    return a == b


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize(
    "run",
    [
        lambda net: check.shape(net, (2, 3, 8, 8), (2, 10)),
        lambda net: check.params(net, sum(p.numel() for p in net.parameters())),
        lambda net: check.macs(net, (1, 3, 8, 8), 0),
        lambda net: check.gradients(net, (2, 3, 8, 8)),
        lambda net: check.learns(net, *batch(), steps=2),
        lambda net: check.learns(net, *batch(), steps=60),
    ],
    ids=["shape", "params", "macs", "gradients", "learns not", "learns"],
)
def test_every_check_leaves_the_network_as_it_found_it(run):
    net = Restless().train()
    net.frozen.eval()
    before = state_of(net)
    with contextlib.suppress(CheckFailed):
        run(net)
    assert same_state(before, state_of(net))


def test_a_network_that_cannot_be_copied_is_said_to_be_so():
    net = nn.Linear(4, 10)
    net.lock = threading.Lock()
    assert "Linear cannot be copied" in failure(check.shape, net, (2, 4), (2, 10))


def test_gradients_of_complex_and_quiet_networks():
    wave = nn.Linear(4, 2, dtype=torch.complex64)
    with torch.no_grad():
        assert check.gradients(wave, (2, 4)) is None
        assert check.learns(small(), *batch(), steps=60) is None
    assert "has no size until" in failure(check.gradients, nn.LazyLinear(4), (2, 4))
    assert "no parameters" in failure(check.learns, nn.Flatten(), *batch())
    nothing = Heads(lambda y: None)
    images = torch.randn(4, 4)
    assert "answers None" in failure(check.learns, nothing, images, torch.arange(4))


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
