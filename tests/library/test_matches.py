"""`check.matches` takes any right construction and finds each planted mistake.

A mistake counts as found when the message names the layer where it was planted. Beside
it stands the check that people write by hand, `allclose` of the answers with the
default weights copied over: which mistakes that misses is a fact of the table, too.
"""

import copy
import re
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import check
from course_lib.check import CheckFailed
from tests.tiers import rest_is_slow

pytestmark = pytest.mark.usefixtures("one_thread")


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


# --- four small networks, in which one thing at a time can be wrong -------------------


class Bottleneck(nn.Module):
    def __init__(self, channels, width, stride=1, **wrong):
        super().__init__()
        self.wrong = wrong
        first, second = (stride, 1) if wrong.get("stride_first") else (1, stride)
        eps, dilation = wrong.get("eps", 1e-5), wrong.get("dilation", 1)
        self.conv1 = nn.Conv2d(channels, width, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(width, eps, wrong.get("momentum", 0.1))
        self.conv2 = nn.Conv2d(
            width,
            width,
            3,
            second,
            dilation,
            dilation,
            wrong.get("groups", 1),
            bias=False,
        )
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.project = nn.Conv2d(channels, 4 * width, 1, stride, bias=False)
        self.bn4 = nn.BatchNorm2d(4 * width)

    def forward(self, x):
        residual = self.bn1(self.conv1(x)).relu()
        residual = self.bn2(self.conv2(residual)).relu()
        residual = self.bn3(self.conv3(residual))
        shortcut = self.bn4(self.project(x))
        if self.wrong.get("relu_before_addition"):
            return residual.relu() + shortcut
        if self.wrong.get("no_shortcut"):
            return residual.relu() + 0 * shortcut
        return (residual + shortcut).relu()


class Residual(nn.Module):
    """A stem, two bottlenecks and a head, as in ResNet."""

    def __init__(self, **wrong):
        super().__init__()
        first = {k: v for k, v in wrong.items() if k != "no_shortcut"}
        self.stem = nn.Conv2d(3, 8, 7, 2, wrong.get("padding", 3), bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.pool = nn.MaxPool2d(3, 2, wrong.get("pool_padding", 1))
        if wrong.get("average"):
            self.pool = nn.AvgPool2d(3, 2, 1)
        self.block1 = Bottleneck(8, 4, 2, **first)
        self.block2 = Bottleneck(16, 4, **wrong)
        self.head = nn.Linear(16, 10, bias=not wrong.get("no_bias"))
        if wrong.get("zero_head"):
            nn.init.zeros_(self.head.weight)

    def forward(self, images):
        x = self.pool(self.norm(self.stem(images)).relu())
        x = self.block2(self.block1(x))
        return self.head(x.mean((2, 3)))


class Mobile(nn.Module):
    """Inverted residuals with squeeze and excitation, as in EfficientNet."""

    def __init__(self, act=nn.SiLU, gate=nn.Sigmoid, **wrong):
        super().__init__()
        self.wrong = wrong
        self.stem = nn.Conv2d(3, 8, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(8, wrong.get("eps", 1e-3))
        self.act = act()
        self.expand = nn.Conv2d(8, 32, 1, bias=False)
        self.expand_norm = nn.BatchNorm2d(32, 1e-3)
        self.depthwise = nn.Conv2d(
            32, 32, 5, padding=2, groups=32, bias=bool(wrong.get("bias"))
        )
        self.depthwise_norm = nn.BatchNorm2d(32, 1e-3)
        self.squeeze, self.excite = nn.Conv2d(32, 2, 1), nn.Conv2d(2, 32, 1)
        self.squeeze_act = nn.ReLU() if wrong.get("squeeze_relu") else act()
        self.gate = gate()
        self.narrow = nn.Conv2d(32, 8, 1, bias=False)
        self.narrow_norm = nn.BatchNorm2d(8, 1e-3)
        self.head = nn.Linear(8, 10)

    def forward(self, images):
        x = self.act(self.norm(self.stem(images)))
        y = self.act(self.expand_norm(self.expand(x)))
        y = self.act(self.depthwise_norm(self.depthwise(y)))
        if not self.wrong.get("no_gate"):
            s = self.squeeze_act(self.squeeze(y.mean((2, 3), keepdim=True)))
            y = y * self.gate(self.excite(s))
        y = self.narrow_norm(self.narrow(y))
        if self.wrong.get("relu_after"):
            y = y.relu()
        x = y if self.wrong.get("no_shortcut") else x + y
        return self.head(x.mean((2, 3)))


class Block(nn.Module):
    def __init__(self, width, **wrong):
        super().__init__()
        self.wrong = wrong
        self.norm1 = nn.LayerNorm(width, wrong.get("eps", 1e-6))
        self.norm2 = nn.LayerNorm(width, 1e-6)
        self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def attend(self, x):
        q, k, v = (
            t.unflatten(-1, (self.wrong.get("heads", 2), -1)).transpose(1, 2)
            for t in self.qkv(x).chunk(3, -1)
        )
        scale = 1 if self.wrong.get("no_scale") else q.shape[-1] ** -0.5
        mixed = (q @ k.mT * scale).softmax(self.wrong.get("softmax", -1)) @ v
        return self.project(mixed.transpose(1, 2).flatten(2))

    def forward(self, x):
        if self.wrong.get("post_norm"):
            x = self.norm1(x + self.attend(x))
        else:
            x = x + self.attend(self.norm1(x))
        act = self.wrong.get("act", F.gelu)
        return x + self.fc2(act(self.fc1(self.norm2(x))))


class Transformer(nn.Module):
    """Patches, class token, positions, two blocks, norm and head, as in ViT."""

    def __init__(self, **wrong):
        super().__init__()
        self.wrong = wrong
        self.patch = nn.Conv2d(3, 16, 8, 8)
        self.class_token = nn.Parameter(torch.zeros(1, 1, 16))
        self.position = nn.Parameter(0.02 * torch.randn(1, 17, 16))
        self.block1, self.block2 = Block(16), Block(16, **wrong)
        self.norm = nn.LayerNorm(16, 1e-6)
        self.head = nn.Linear(16, 10)
        if wrong.get("zero_head", True):
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def forward(self, images):
        x = self.patch(images).flatten(2).mT
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1)
        if not self.wrong.get("no_position"):
            x = x + self.position
        x = self.block2(self.block1(x))
        if not self.wrong.get("no_norm"):
            x = self.norm(x)
        x = x.mean(1) if self.wrong.get("mean_token") else x[:, 0]
        return (
            self.head(x).softmax(-1)
            if self.wrong.get("probabilities")
            else self.head(x)
        )


class Early(nn.Module):
    """Response normalisation, overlapping pools, grouped convolutions: AlexNet."""

    def __init__(self, **wrong):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 5, 2)
        self.conv2 = nn.Conv2d(8, 8, 5, padding=2, groups=wrong.get("groups", 2))
        self.conv3 = nn.Conv2d(8, 8, 3, padding=1)
        self.lrn = nn.LocalResponseNorm(
            5, wrong.get("alpha", 5e-4), wrong.get("beta", 0.75), wrong.get("k", 2.0)
        )
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=wrong.get("ceil_mode", True))
        self.average = nn.AvgPool2d(
            3, 1, 1, count_include_pad=wrong.get("count_include_pad", True)
        )
        self.order, self.flip = wrong.get("order", 0), wrong.get("flip", False)
        self.act = wrong.get("act", nn.ReLU)()
        self.head = nn.Linear(8 * 4 * 4, 10)

    def forward(self, images):
        x = self.act(self.conv1(images))
        x = self.lrn(self.pool(x)) if self.order else self.pool(self.lrn(x))
        x = self.average(self.act(self.conv2(x)))
        x = F.adaptive_max_pool2d(self.act(self.conv3(x)), 4)
        return self.head(x.mT.flatten(1) if self.flip else x.flatten(1))


class Auxiliary(nn.Module):
    """A head beside the head, that runs in training alone."""

    def __init__(self, aux=True, late=False):
        super().__init__()
        self.stem, self.middle = nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 8, 3, 2)
        self.head = nn.Linear(8, 10)
        self.aux, self.late = nn.Linear(8, 10) if aux else None, late

    def forward(self, images):
        early = self.stem(images).relu()
        late = self.middle(early).relu()
        logits = self.head(late.mean((2, 3)))
        if not self.training or self.aux is None:
            return logits
        return logits, self.aux((late if self.late else early).mean((2, 3)))


# --- the mistakes ---------------------------------------------------------------------


class Planted(NamedTuple):
    net: type
    wrong: dict
    where: str  # what the message must say, a regular expression
    train: bool = False


MISTAKES = {
    "batch-norm epsilon 1e-3": Planted(
        Residual, {"eps": 1e-3}, r"`block1.bn1`.*eps=0.001"
    ),
    "epsilon 1e-5 for 1e-3": Planted(
        Mobile, {"eps": 1e-5}, r"`norm`.*eps=1e-05 against"
    ),
    "momentum": Planted(
        Residual, {"momentum": 0.01}, r"`block1.bn1`.*momentum=0.01 against", True
    ),
    "stride in the 1x1": Planted(
        Residual,
        {"stride_first": 1},
        r"^`block1.conv1`.*same input.*stride=\(2, 2\) against \(1",
    ),
    "dilation": Planted(
        Residual, {"dilation": 2}, r"`block1.conv2`.*dilation=\(2, 2\) against"
    ),
    "groups": Planted(Residual, {"groups": 2}, r"`block1.conv2`.*groups=2 against 1"),
    "stem padding": Planted(
        Residual, {"padding": 2}, r"`stem`.*padding=\(2, 2\) against"
    ),
    "pool padding": Planted(
        Residual, {"pool_padding": 0}, r"after `norm`.*`block1.conv1`"
    ),
    "average for max pool": Planted(
        Residual, {"average": 1}, r"after `norm`.*`block1.conv1`"
    ),
    "ReLU before addition": Planted(
        Residual, {"relu_before_addition": 1}, r"after `block1.bn4`.*`block2.conv1`"
    ),
    "no shortcut": Planted(Residual, {"no_shortcut": 1}, r"after `block2.bn4`.*`head`"),
    "no bias": Planted(Residual, {"no_bias": 1}, r"`head`.*has no bias"),
    "hard-swish": Planted(Mobile, {"act": nn.Hardswish}, r"after `norm`.*`expand`"),
    "ReLU for swish": Planted(
        Mobile, {"act": nn.ReLU}, r"after `norm`.*never negative"
    ),
    "ReLU in the gate": Planted(
        Mobile, {"squeeze_relu": 1}, r"after `squeeze`.*`excite`"
    ),
    "hard sigmoid": Planted(
        Mobile, {"gate": nn.Hardsigmoid}, r"after `excite`.*`narrow`"
    ),
    "no gate": Planted(
        Mobile, {"no_gate": 1}, r"`depthwise_norm`.*theirs with `squeeze`"
    ),
    "ReLU after the bottleneck": Planted(
        Mobile, {"relu_after": 1}, r"after `narrow_norm`.*`head`"
    ),
    "no residual": Planted(Mobile, {"no_shortcut": 1}, r"after `narrow_norm`.*`head`"),
    "bias before a norm": Planted(Mobile, {"bias": 1}, r"`depthwise`.*has a bias"),
    "layer-norm epsilon": Planted(
        Transformer, {"eps": 1e-5}, r"`block2.norm1`.*eps=1e-05"
    ),
    "tanh GELU": Planted(
        Transformer,
        {"act": lambda x: F.gelu(x, approximate="tanh")},
        r"after `block2.fc1`.*`block2.fc2`.*nearly",
    ),
    "ReLU for GELU": Planted(
        Transformer, {"act": F.relu}, r"after `block2.fc1`.*negative"
    ),
    "attention unscaled": Planted(
        Transformer, {"no_scale": 1}, r"after `block2.qkv`.*`block2.project`"
    ),
    "number of heads": Planted(
        Transformer, {"heads": 4}, r"after `block2.qkv`.*`block2.project`"
    ),
    "softmax over queries": Planted(
        Transformer, {"softmax": -2}, r"after `block2.qkv`.*`block2.project`"
    ),
    "post-norm": Planted(
        Transformer,
        {"post_norm": 1},
        r"after `block1.fc2`.*`block2.qkv`.*`block2.norm1`",
    ),
    "no final norm": Planted(
        Transformer, {"no_norm": 1}, r"after `block2.fc2`.*`head`.*theirs with `norm`"
    ),
    "mean for class token": Planted(
        Transformer, {"mean_token": 1}, r"after `norm`.*`head`"
    ),
    "positions never added": Planted(
        Transformer, {"no_position": 1}, r"`block1.norm1`.*theirs with `position`"
    ),
    "probabilities": Planted(
        Transformer, {"probabilities": 1}, r"last layer, `head`.*without softmax"
    ),
    "alpha not times n": Planted(Early, {"alpha": 1e-4}, r"after `conv1`.*`conv2`"),
    "LRN k of 1": Planted(Early, {"k": 1.0}, r"after `conv1`.*`conv2`"),
    "LRN after the pool": Planted(Early, {"order": 1}, r"after `conv1`.*`conv2`"),
    "no ceil_mode": Planted(Early, {"ceil_mode": False}, r"after `conv1`.*`conv2`"),
    "padding not counted": Planted(
        Early, {"count_include_pad": False}, r"after `conv2`.*border"
    ),
    "ReLU6": Planted(Early, {"act": nn.ReLU6}, r"after `conv1`"),
    "leaky ReLU": Planted(Early, {"act": nn.LeakyReLU}, r"after `conv1`.*ReLU"),
    "one tower": Planted(Early, {"groups": 1}, r"`conv2`.*groups=1 against 2"),
    "no auxiliary head": Planted(Auxiliary, {"aux": False}, r"never run.*`aux`"),
    "auxiliary head too late": Planted(Auxiliary, {"late": True}, r"`aux`", True),
    "no auxiliary head, training": Planted(Auxiliary, {"aux": False}, r"`aux`", True),
}
PLAIN_MISSES = {  # what allclose at 1e-3 with copied default weights lets pass
    *("batch-norm epsilon 1e-3", "epsilon 1e-5 for 1e-3", "momentum", "hard sigmoid"),
    *("ReLU in the gate", "layer-norm epsilon", "tanh GELU", "ReLU for GELU"),
    *("attention unscaled", "number of heads", "softmax over queries", "post-norm"),
    *("no final norm", "mean for class token", "positions never added", "ReLU6"),
    *("alpha not times n", "LRN after the pool", "no auxiliary head"),
}


def size(net: type) -> int:
    return 35 if net is Early else 32


@pytest.mark.parametrize("name", MISTAKES)
def test_planted_mistake_is_found(name):
    planted = MISTAKES[name]
    yours, theirs = planted.net(**planted.wrong), planted.net()
    images = noise(4, 3, size(planted.net), size(planted.net))
    with pytest.raises(CheckFailed) as caught:
        check.matches(yours, theirs, images, train=planted.train)
    assert re.search(planted.where, str(caught.value)), str(caught.value)


def passes_plain_check(planted: Planted) -> bool:
    """Copy the default weights that fit, then compare answers at 1e-3, as people do."""
    yours, theirs = planted.net(**planted.wrong).eval(), planted.net().eval()
    own = yours.state_dict()
    fits = {
        k: v
        for k, v in theirs.state_dict().items()
        if k in own and own[k].shape == v.shape
    }
    yours.load_state_dict(fits, strict=False)
    images = noise(4, 3, size(planted.net), size(planted.net))
    with torch.no_grad():
        return torch.allclose(yours(images), theirs(images), rtol=1e-3, atol=1e-3)


def test_a_plain_comparison_misses_many():
    missed = {name for name, planted in MISTAKES.items() if passes_plain_check(planted)}
    assert missed >= PLAIN_MISSES


@pytest.mark.parametrize("net", [Residual, Mobile, Transformer, Early, Auxiliary])
@pytest.mark.parametrize("train", [False, True])
def test_a_network_matches_itself_with_other_weights(net, train):
    yours, theirs = net(), net()
    before = copy.deepcopy(theirs.state_dict())
    random = torch.get_rng_state()
    match = check.matches(yours, theirs, noise(4, 3, size(net), size(net)), train=train)
    assert match.error < 1e-9
    if train or net is not Auxiliary:
        assert match.params == sum(p.numel() for p in theirs.parameters())
    assert (
        repr(match) == f"Match({len(match.layers)} layers, {match.params:,} parameters)"
    )
    assert all(torch.equal(before[k], v) for k, v in theirs.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())


def test_a_zero_head_hides_nothing():
    images = noise(2, 3, 32, 32)
    yours, theirs = Transformer(act=F.relu), Transformer()
    assert torch.equal(yours(images), theirs(images))  # a zero head answers 0
    with pytest.raises(CheckFailed):
        check.matches(yours, theirs, images)
    wide = Transformer()
    wide.head = nn.Linear(16, 12)
    with pytest.raises(CheckFailed, match="head"):
        check.matches(wide, theirs, images)


# --- right constructions: each is a Transformer, Early or Mobile in other clothes -----


class Unfolded(Transformer):
    """Patches by unfold and a linear layer; positions from an embedding."""

    def __init__(self):
        super().__init__()
        del self.position
        self.patch, self.position = nn.Linear(192, 16), nn.Embedding(17, 16)

    def embed(self, images):
        return self.patch(F.unfold(images, 8, stride=8).mT)

    def forward(self, images):
        x = torch.cat(
            [self.class_token.expand(len(images), -1, -1), self.embed(images)], 1
        )
        x = x + self.position(torch.arange(17))
        return self.head(self.norm(self.block2(self.block1(x)))[:, 0])


class Reshaped(Unfolded):
    """Patches by reshape, flattened (y, x, c), which permutes the weight's columns."""

    def embed(self, images):
        x = images.unflatten(2, (4, 8)).unflatten(4, (4, 8))  # (N, C, 4, 8, 4, 8)
        return self.patch(x.permute(0, 2, 4, 3, 5, 1).reshape(len(images), 16, 192))


class Separate(Block):
    """Three projections, in the order k, q, v."""

    def __init__(self, width):
        super().__init__(width)
        del self.qkv
        self.k, self.q, self.v = (nn.Linear(width, width) for _ in range(3))

    def attend(self, x):
        k, q, v = (
            t.unflatten(-1, (2, -1)).transpose(1, 2)
            for t in (self.k(x), self.q(x), self.v(x))
        )
        return self.project(
            F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        )


class Interleaved(Block):
    """One projection whose outputs lie head by head: q, k, v of the first, ..."""

    def attend(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (2, 3, -1)).permute(3, 0, 2, 1, 4)
        return self.project(
            F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        )


class Library(Block):
    """nn.MultiheadAttention; a norm by hand; matrix products with bare parameters."""

    def __init__(self, width, batch_first=True):
        super().__init__(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=batch_first)
        del self.qkv, self.project, self.norm2, self.fc1
        self.gain, self.shift = (
            nn.Parameter(torch.ones(width)),
            nn.Parameter(torch.ones(width)),
        )
        self.w = nn.Parameter(torch.randn(width, 2 * width))
        self.b = nn.Parameter(torch.randn(2 * width))

    def forward(self, x):
        y = self.norm1(x)
        if not self.attention.batch_first:
            y = y.transpose(0, 1)
        y = self.attention(y, y, y, need_weights=False)[0]
        x = x + (y if self.attention.batch_first else y.transpose(0, 1))
        y = x - x.mean(-1, keepdim=True)
        y = y / (y.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return x + self.fc2(F.gelu((y * self.gain + self.shift) @ self.w + self.b))


class Einsum(Block):
    """A weight (heads, D, 3, D / heads), as in the papers' code; 1x1 convolutions."""

    def __init__(self, width):
        super().__init__(width)
        del self.qkv
        self.w = nn.Parameter(torch.randn(3, width, 2, width // 2))
        self.b = nn.Parameter(torch.randn(3, 1, 2, 1, width // 2))
        self.fc1, self.fc2 = (
            nn.Conv1d(width, 2 * width, 1),
            nn.Conv2d(2 * width, width, 1),
        )

    def attend(self, x):
        q, k, v = torch.einsum("ntd,kdhe->knhte", x, self.w) + self.b
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.project(mixed.transpose(1, 2).flatten(2))

    def forward(self, x):
        x = x + self.attend(self.norm1(x))
        y = F.gelu(self.fc1(self.norm2(x).mT))
        return x + self.fc2(y[..., None])[..., 0].mT


def with_blocks(block, **options):
    def build():
        net = Transformer()
        net.block1, net.block2 = block(16, **options), block(16, **options)
        return net

    return build


class Towers(Early):
    """Grouped convolution as two towers; a convolution for a head; functional calls."""

    def __init__(self):
        super().__init__()
        del self.conv2, self.conv3
        self.upper, self.lower = (nn.Conv2d(4, 4, 5, padding=2) for _ in range(2))
        self.kernel, self.bias = (
            nn.Parameter(torch.randn(8, 8, 3, 3)),
            nn.Parameter(torch.ones(8)),
        )
        self.head = nn.Conv2d(8, 10, 4)

    def forward(self, images):
        upper, lower = self.pool(self.lrn(self.conv1(images).relu())).chunk(2, 1)
        x = torch.cat([self.upper(upper).relu(), self.lower(lower).relu()], 1)
        x = F.conv2d(
            F.pad(self.average(x), (1, 1, 1, 1)), self.kernel, self.bias
        ).relu()
        return self.head(F.adaptive_max_pool2d(x, 4)).flatten(1)


class Swapped(Early):
    """Towers joined the other way round; patches of the third convolution by unfold."""

    def __init__(self):
        super().__init__()
        self.conv3 = nn.Linear(72, 8)

    def forward(self, images):
        x = self.conv2(self.pool(self.lrn(self.conv1(images).relu()))).relu()
        x = torch.cat(x.chunk(2, 1)[::-1], 1)
        x = self.average(x)
        y = self.conv3(F.unfold(x, 3, padding=1).mT).mT.relu().reshape_as(x)
        return self.head(F.adaptive_max_pool2d(y, 4).permute(0, 2, 3, 1).flatten(1))


class Gated(Mobile):
    """Squeeze and excitation of linear layers; a depthwise product of shifted maps."""

    def __init__(self):
        super().__init__()
        self.squeeze, self.excite = nn.Linear(32, 2), nn.Linear(2, 32)

    def forward(self, images):
        x = F.silu(self.norm(self.stem(images)), inplace=True)
        y = F.silu(self.expand_norm(self.expand(x)), inplace=True)
        y = F.silu(self.depthwise_norm(self.depthwise(y)), inplace=True)
        s = self.excite(F.silu(self.squeeze(y.mean((2, 3))))).sigmoid()
        y = self.narrow_norm(self.narrow(y * s[:, :, None, None]))
        x += y
        return self.head(F.dropout(x.mean((2, 3)), 0.5, self.training))


class Branches(nn.Module):
    """Four branches over one input, joined; `order` is how they are run and joined."""

    def __init__(self, order=(0, 1, 2, 3)):
        super().__init__()
        self.order = order
        self.stem = nn.Conv2d(3, 8, 3, 2)
        self.first = nn.ModuleList(nn.Conv2d(8, 6, 1, bias=False) for _ in range(4))
        self.norms = nn.ModuleList(nn.BatchNorm2d(6) for _ in range(4))
        self.second = nn.ModuleList(nn.Conv2d(6, 6, k) for k in (1, 3, 3, 5))
        self.head = nn.Conv2d(24, 10, 1)

    def branch(self, i, x):
        x = self.second[i](self.norms[i](self.first[i](x)).relu())
        return F.adaptive_avg_pool2d(x, 5).relu()

    def forward(self, images):
        x = self.stem(images).relu()
        x = torch.cat([self.branch(i, x) for i in self.order], 1)
        return self.head(x).amax((2, 3))


CONSTRUCTIONS = {
    "unfold and linear": (Unfolded, Transformer),
    "reshape and linear": (Reshaped, Transformer),
    "separate k, q, v": (with_blocks(Separate), Transformer),
    "heads interleaved": (with_blocks(Interleaved), Transformer),
    "nn.MultiheadAttention": (with_blocks(Library), Transformer),
    "tokens first": (with_blocks(Library, batch_first=False), Transformer),
    "einsum": (with_blocks(Einsum), Transformer),
    "two towers": (Towers, Early),
    "towers swapped, unfold": (Swapped, Early),
    "linear gate, in place": (Gated, Mobile),
    "branches in another order": (lambda: Branches((2, 0, 3, 1)), Branches),
}


@pytest.mark.parametrize("back", rest_is_slow([False, True]), ids=["", "back"])
@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_right_construction_matches(name, train, back):
    yours, theirs = CONSTRUCTIONS[name][::-1] if back else CONSTRUCTIONS[name]
    side = size(Early if "tower" in name else Transformer)
    match = check.matches(yours(), theirs(), noise(4, 3, side, side), train=train)
    assert match.error < 1e-9


@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_images_with_black_borders_match_too(name):
    yours, theirs = CONSTRUCTIONS[name]
    side = size(Early if "tower" in name else Transformer)
    images = torch.zeros(4, 3, side, side)
    images[:, :, 8:24, 8:24] = noise(4, 3, 16, 16)
    assert check.matches(yours(), theirs(), images).error < 1e-9


class Other(nn.Module):
    """Parameters that are used in rarer ways, and a table that is no parameter."""

    def __init__(self, phase=0.0, standardise=True):
        super().__init__()
        self.kernel, self.standardise = (
            nn.Parameter(torch.randn(8, 3, 3, 3)),
            standardise,
        )
        self.norm = nn.BatchNorm2d(8, affine=False)
        self.slope, self.log_scale = nn.PReLU(8), nn.Parameter(torch.zeros(()))
        self.head = nn.Linear(8, 4)
        self.register_buffer("table", torch.sin(torch.arange(8.0) + phase))

    def forward(self, images):
        kernel = self.kernel
        if self.standardise:
            kernel = kernel - kernel.mean((1, 2, 3), keepdim=True)
        x = self.slope(self.norm(F.conv2d(images, kernel))).mean((2, 3))
        return self.head(x * self.log_scale.exp() + self.table)


@pytest.mark.parametrize("train", [False, True])
def test_rarer_uses_of_parameters(train):
    images = noise(4, 3, 16, 16)
    check.matches(Other(), Other(), images, train=train)
    for wrong in ({"phase": 0.1}, {"standardise": False}):
        with pytest.raises(CheckFailed):
            check.matches(Other(**wrong), Other(), images, train=train)


def test_shared_layers_are_not_separate_layers():
    shared = Transformer()
    shared.block2 = shared.block1
    images = noise(2, 3, 32, 32)
    check.matches(shared, copy.deepcopy(shared), images)
    with pytest.raises(CheckFailed, match="shares parameters"):
        check.matches(shared, Transformer(), images)
    with pytest.raises(CheckFailed, match="shared between layers"):
        check.matches(Transformer(), shared, images)


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (nn.Sequential(nn.LazyConv2d(3, 1)), "`0.weight` has no size until"),
        (nn.Conv2d(3, 3, 1, dtype=torch.complex64), "real numbers alone"),
    ],
)
def test_networks_that_cannot_be_compared_are_refused(net, words):
    with pytest.raises(CheckFailed, match=words):
        check.matches(net, nn.Conv2d(3, 3, 1), noise(2, 3, 8, 8))


def test_images_that_show_nothing_are_refused():
    with pytest.raises(ValueError, match="two or more different images"):
        check.matches(Early(), Early(), torch.zeros(2, 3, 35, 35))


# --- networks of full size: torchvision's against timm's ------------------------------

PUBLISHED = {  # torchvision's name: (timm's, options of each, image size, parameters)
    "resnet18": ("resnet18", {}, {}, 64, 11_689_512),
    "resnet50": ("resnet50", {}, {}, 64, 25_557_032),
    "resnet152": ("resnet152", {}, {}, 64, 60_192_808),
    "resnext50_32x4d": ("resnext50_32x4d", {}, {}, 64, 25_028_904),
    "densenet121": ("densenet121", {}, {}, 64, 7_978_856),
    "mobilenet_v2": ("mobilenetv2_100", {}, {}, 64, 3_504_872),
    "efficientnet_b0": ("efficientnet_b0", {}, {}, 64, 5_288_548),
    "convnext_tiny": ("convnext_tiny", {}, {}, 64, 28_589_128),
    "vgg11": ("vgg11", {}, {}, 32, 132_863_336),
    "inception_v3": (
        *("inception_v3", {"aux_logits": False, "init_weights": False}, {}),
        *(128, 23_834_568),
    ),
    "vit_b_16": (
        *("vit_base_patch16_224", {"image_size": 32}, {"img_size": 32}),
        *(32, 86_420_200),
    ),
}


def published(name: str) -> tuple[nn.Module, nn.Module, Tensor]:
    import timm
    from torchvision import models

    other, options, timm_options, side, _ = PUBLISHED[name]
    ours = getattr(models, name)(**options)
    return ours, timm.create_model(other, **timm_options), noise(2, 3, side, side)


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_torchvision_and_timm_build_the_same(name):
    yours, theirs, images = published(name)
    match = check.matches(yours, theirs, images)
    assert match.error < 1e-9
    assert match.params == PUBLISHED[name][-1]


def replace(net: nn.Module, path: str, layer: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(net.get_submodule(parent), name, layer)


FULL_SIZE = {  # network, the layer that is replaced, by what, what the message must say
    "resnet50": (
        "layer3.0.bn2",
        nn.BatchNorm2d(256, 1e-3),
        r"`layer3.0.bn2`.*eps=0.001",
    ),
    "resnet152": (
        *("layer3.35.relu", nn.ReLU6()),
        r"after `layer3.3[45].(bn|conv)\d`.*`layer3.35.conv2`",
    ),
    "mobilenet_v2": (
        "features.9.conv.1.2",
        nn.ReLU(),
        r"`features.9.conv.1.1`.*`.*9.conv.2",
    ),
    "efficientnet_b0": (
        *("features.4.1.block.2.activation", nn.ReLU()),
        r"`features.4.1.block.2.fc1`.*`features.4.1.block.2.fc2`",
    ),
    "vit_b_16": (
        *("encoder.layers.encoder_layer_7.ln_2", nn.LayerNorm(768, 1e-5)),
        r"`encoder.layers.encoder_layer_7.ln_2`.*eps=1e-05 against 1e-06",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FULL_SIZE)
def test_one_wrong_layer_in_a_published_network_is_found(name):
    path, layer, where = FULL_SIZE[name]
    yours, theirs, images = published(name)
    replace(yours, path, layer)
    with pytest.raises(CheckFailed) as caught:
        check.matches(yours, theirs, images)
    assert re.search(where, str(caught.value)), str(caught.value)
