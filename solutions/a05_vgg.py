# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,nbgrader,-all
#     notebook_metadata_filter: kernelspec,jupytext,-all
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Assignment 5 · VGG (20 points)
#
# The notebook `05_vgg` built six networks from one table. Here you work with them. You compute what
# a unit sees, initialise a deep network from a shallow one, and classify images that are larger
# than the training images.
#
# | | exercise | points |
# |---|---|---|
# | 1 | A receptive-field calculator | 5 |
# | 2 | A seventh configuration, estimated | 2 |
# | 3 | Stagewise initialisation | 5 |
# | 4 | Dense evaluation | 6 |
# | 5 | What did pre-training give? | 2 |
#
# Replace each `raise NotImplementedError`. The cell below it is for your own prints and drawings
# and is not graded. The *visible* tests give some of the points, and you can run them. After you
# hand in, *hidden* tests ask the same function about other inputs; the first line of a hidden test
# says which. All tests together take a few seconds.
#
# ["The paper"](https://arxiv.org/abs/1409.1556) is Simonyan and Zisserman, *Very Deep Convolutional
# Networks for Large-Scale Image Recognition*, 2014.

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import copy

import torch
from torch import Tensor, nn

from course_lib import check, notebook

vgg = notebook.load("05_vgg")

# %% [markdown]
# ### 1 · A receptive-field calculator (5 points)
#
# The notebook's formula knows kernels and strides. A layer also has a padding and a dilation. A
# kernel of size $k$ with dilation $d$ takes every $d$-th pixel and so spans $d(k-1)+1$ pixels. And
# a receptive field has a position, not only a size.
#
# **Contract.** `receptive_field(layers)` takes a list of `(kernel, stride, padding, dilation)`,
# first layer first, and returns three integers `(size, jump, start)`. Along one side of the image,
# the first pixel that output number $i$ depends on is `start + i * jump`. The last one is
# `start + i * jump + size - 1`. `start` is negative where padding reaches beyond the image. An
# empty list gives `(1, 1, 0)`. It raises `ValueError` for a kernel, stride or dilation below 1, or
# a padding below 0.
#
# The given `seen` finds the same by gradients. It is slow, and finds one output at a time. Use it
# for your prints only: your function may build no layer.
#
# *Hint:* walk through the layers and keep three numbers. Each layer changes each of them by one
# line. *To see it:* the eight pairs of kernel and stride of AlexNet's stages.


# %% nbgrader={"grade": false, "grade_id": "seen", "locked": true, "schema_version": 3, "solution": false, "task": false}
def seen(layers: list[tuple], output: int, pixels: int) -> list[int]:
    """Return the pixels of a row of `pixels` that output number `output` depends on."""
    net = nn.Sequential(
        *[nn.Conv1d(1, 1, k, stride=s, padding=p, dilation=d) for k, s, p, d in layers]
    ).double()
    for weight in net.parameters():
        nn.init.ones_(weight)  # so that nothing cancels
    row = torch.zeros(1, 1, pixels, dtype=torch.float64, requires_grad=True)
    net(row)[0, 0, output].backward()
    return row.grad[0, 0].nonzero().flatten().tolist()


# %% nbgrader={"grade": false, "grade_id": "field", "locked": false, "schema_version": 3, "solution": true, "task": false}
def receptive_field(layers: list[tuple]) -> tuple[int, int, int]:
    """Return (size, jump, start) of the receptive field, in pixels along one side.

    layers: (kernel, stride, padding, dilation) of each, first layer first.
    Output i sees the pixels start + i * jump to start + i * jump + size - 1.
    Raises ValueError for kernel, stride or dilation below 1, or padding below 0.
    """
    ### BEGIN SOLUTION
    size, jump, start = 1, 1, 0
    for kernel, stride, padding, dilation in layers:
        if min(kernel, stride, dilation) < 1 or padding < 0:
            raise ValueError(f"no layer has {(kernel, stride, padding, dilation)}")
        size += dilation * (kernel - 1) * jump
        start -= padding * jump
        jump *= stride
    return size, jump, start
    ### END SOLUTION


# %%
# Yours: for example, two 3x3 layers, and the same with a stride of 2 in the first.

# %% nbgrader={"grade": true, "grade_id": "field_visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
for layers, expected, mistake in [
    ([(3, 1, 1, 1)] * 2, (5, 1, -2), "two 3x3 layers see 5x5"),
    ([(3, 1, 1, 1)] * 3, (7, 1, -3), "three 3x3 layers see 7x7"),
    ([(3, 1, 0, 1), (2, 2, 0, 1)], (4, 2, 0), "a stride widens later layers, not its own"),
    ([(2, 2, 0, 1), (3, 1, 0, 1)], (6, 2, 0), "the pooling before doubles the 3x3's steps"),
    ([(3, 1, 0, 2)], (5, 1, 0), "with dilation 2 a kernel of 3 spans 5"),
    ([(5, 2, 2, 1), (3, 2, 1, 1)], (9, 4, -4), "padding is counted in steps of its input"),
    ([], (1, 1, 0), "without layers, an output is its pixel"),
]:
    with check.without("torch.nn.Module.__init__"):  # `seen` is not yours
        answer = receptive_field(layers)
    assert answer is not None, "your function returns None: is there a `return`?"
    size, jump, start = answer
    if size == expected[0] + 2 * expected[2] != expected[0]:
        mistake = "padding moves the field, and does not make it smaller"
    elif (size, start) == (expected[0], expected[2]):
        mistake = "the jump is the product of all strides"
    elif (size, jump) == expected[:2]:
        mistake = "each padding moves start to the left, in steps of its layer's input"
    called = f"receptive_field({layers}) is {tuple(answer)}, not {expected}"
    assert tuple(answer) == expected, f"{called}: {mistake}"
    if layers:
        found = seen(layers, 5, 60)
        ends = start + 5 * jump, start + 5 * jump + size - 1
        assert ends == (found[0], found[-1]), f"output 5 sees {found}, you say {ends}"

# %% nbgrader={"grade": true, "grade_id": "field_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: twenty random lists of one to five layers, against gradients; VGG's own lists.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(1)


def draw(low, high):
    return int(torch.randint(low, high + 1, (1,), generator=rng))


for _ in range(20):
    layers = []
    for _ in range(draw(1, 5)):
        kernel, dilation = draw(1, 4), draw(1, 3)
        layers.append((kernel, draw(1, 3), draw(0, dilation * (kernel - 1)), dilation))
    with check.without("torch.nn.Module.__init__"):
        size, jump, start = receptive_field(layers)
    output = max(0, -(start // jump)) + 1  # the first whose field is inside, and one more
    pixels = 4 * (abs(start) + size + (output + 2) * jump) + 50
    found = seen(layers, output, pixels)
    ends = start + output * jump, start + output * jump + size - 1
    what = f"of {layers}, output {output} sees pixels {found[0]} to {found[-1]}"
    assert ends == (found[0], found[-1]), f"{what}, you say {ends[0]} to {ends[1]}"
    following = seen(layers, output + 1, pixels)[0] - found[0]
    assert jump == following, f"{layers}: a jump of {following} pixels, you say {jump}"
sizes = {"A": 150, "A-LRN": 150, "B": 156, "C": 156, "D": 212, "E": 268}
for config, size in sizes.items():
    layers = []
    for row in vgg.VGG_STAGES[config]:
        layers += [(k, 1, k // 2, 1) for k in row if k != vgg.LRN] + [(2, 2, 0, 1)]
    answer = receptive_field(layers)
    assert tuple(answer[:2]) == (size, 32), f"{config} sees {size} with jump 32: {answer}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "field_refuses_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for layer in [(0, 1, 0, 1), (3, 0, 0, 1), (3, 1, -1, 1), (3, 1, 0, 0)]:
    refused = None
    try:
        receptive_field([(3, 1, 1, 1), layer])
    except Exception as error:
        refused = error
    what = f"a layer {layer}: a ValueError is expected, not {refused!r}"
    assert isinstance(refused, ValueError), what
answer = receptive_field([(3, 1, 1, 1)])
assert len(answer) == 3, "what is no mistake gets three numbers"

# %% [markdown]
# ### 2 · A seventh configuration, estimated (2 points)
#
# Imagine a configuration F with 22 weight layers. It has *five* 3x3 convolutions in each of its
# last three stages, where E has four. E has 143,667,240 parameters, and its last stage sees 268
# pixels along a side. Use paper and pencil. How many parameters does F have, and how many pixels
# along a side does an output of its last stage see? Write down your two numbers; the test of these
# numbers is hidden.


# %% nbgrader={"grade": false, "grade_id": "predict", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predicted() -> tuple[int, int]:
    """Return what you expect of F: its parameters, and its receptive field in pixels."""
    ### BEGIN SOLUTION
    params = 143_667_240 + 256 * 256 * 9 + 256 + 2 * (512 * 512 * 9 + 512)
    return params, 268 + 2 * (4 + 8 + 16)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "predict_params_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: your first number, against the network itself.
### BEGIN HIDDEN TESTS
table = [(3,) * n for n in (2, 2, 5, 5, 5)]
with torch.device("meta"):
    deepest = vgg.VGG(table, vgg.WIDTHS, 7, 4096, 1000)
true = sum(p.numel() for p in deepest.parameters())
with check.without("torch.nn.Module.__init__"):  # a pencil builds no network
    mine = predicted()[0]
kernels = {256: 9 * 256**2, 512: 9 * 512**2}  # weights of an added convolution
hints = {
    true - 1280: "each added convolution has biases, too",
    true - kernels[512] - 512: "two stages of 512 channels get a convolution",
    true + kernels[512] - kernels[256] + 256: "the third stage has 256 channels, not 512",
    true - (kernels[256] + 2 * kernels[512]) * 8 // 9: "a kernel has 3x3 weights a channel",
    true - (kernels[256] + 2 * kernels[512]) // 2: "an added one maps 512 to 512 channels",
}
hint = hints.get(mine, "three convolutions are added to E")
assert mine == true, f"you expected {mine:,} parameters, F has {true:,}: {hint}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "predict_field_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: your second number.
### BEGIN HIDDEN TESTS
mine, true = predicted()[1], 1
for number, layers in enumerate((2, 2, 5, 5, 5)):
    true += (2 * layers + 1) * 2**number  # 3x3 layers, then a pooling
hints = {
    268 + 6: "a 3x3 kernel takes steps of 4, 8 and 16 pixels, after the poolings",
    268 + 2 * (8 + 16 + 32): "the steps are doubled by the poolings *before* a stage",
    268 + 28: "a 3x3 layer adds two steps, one on either side",
    268 + 3 * 28: "a 3x3 layer adds two steps, since k - 1 = 2",
    268 + 2 * 16: "three stages get a layer, not the last one alone",
}
hint = hints.get(mine, "a layer adds k - 1 = 2 steps of its input")
assert mine == true, f"you expected {mine} pixels, F sees {true}: {hint}"
### END HIDDEN TESTS

# %% [markdown]
# ### 3 · Stagewise initialisation (5 points)
#
# Section 3.1 of the paper:
#
# > … when training deeper architectures, we initialised the first four convolutional layers and
# > the last three fully-connected layers with the layers of net A (the intermediate layers were
# > initialised randomly).
#
# The first four convolutions of A have 3 → 64 channels, 64 → 128, 128 → 256 and 256 → 256. The
# first four of D have 3 → 64, 64 → 64, 64 → 128 and 128 → 128. Copied one after the other, they do
# not fit. They fit **stage by stage**: the $i$-th convolution of a stage of A becomes the $i$-th
# convolution of the same stage of D.
#
# **Contract.** `grow(deep, shallow, convs=4)` returns a new network, a copy of `deep`. In it, the
# weights and biases of two groups of layers come from `shallow`: its first `convs` convolutions and
# its three linear layers. If a copied convolution is followed by a BatchNorm in both networks, that
# BatchNorm is copied too, with its running statistics. Everything else is as in `deep`.
#
# - `deep` and `shallow` are not changed, and share no memory with the answer.
# - It raises `ValueError` if a layer has no partner, or a partner of another shape.
# - It also raises `ValueError` if `shallow` has fewer than `convs` convolutions, or `convs` is
#   below 0.
# - The notebook's `fill` may not run.
#
# *Hint:* first make a list of pairs, then compare their shapes, then copy. Do not pair layers by
# their index: a BatchNorm shifts it. *To see it:* grow A into E. Which layers of the answer differ
# from E's?


# %% nbgrader={"grade": false, "grade_id": "grow", "locked": false, "schema_version": 3, "solution": true, "task": false}
def grow(deep: nn.Module, shallow: nn.Module, convs: int = 4) -> nn.Module:
    """Return a copy of `deep`, layers of `shallow` in their places; both are kept.

    deep, shallow: networks of the notebook, with five `stages` and a `head`.
    convs: how many convolutions to take, the first ones of `shallow`; 4 in the paper.
    Raises ValueError where a layer has no partner of its shape.
    Source: section 3.1 of the paper.
    """
    ### BEGIN SOLUTION
    grown = copy.deepcopy(deep)
    pairs, taken = [], 0
    for mine, theirs in zip(grown.stages, shallow.stages, strict=True):
        ours = by_convolution(mine)
        for number, other in enumerate(by_convolution(theirs)[: max(convs - taken, 0)]):
            if number == len(ours):
                raise ValueError("a stage of the deep network has fewer convolutions")
            pairs += zip(ours[number], other, strict=False)
            taken += 1
    if taken != convs:
        raise ValueError(f"{convs} convolutions wanted, {taken} found")
    linear = [
        [layer for layer in net.head if isinstance(layer, nn.Linear)]
        for net in (grown, shallow)
    ]
    pairs += zip(*linear, strict=True)
    for mine, theirs in pairs:
        if mine.weight.shape != theirs.weight.shape:
            raise ValueError(f"{theirs} does not fit {mine}")
        mine.load_state_dict(theirs.state_dict())
    return grown


def by_convolution(stage: nn.Module) -> list[list[nn.Module]]:
    """Return each convolution of a stage, with its BatchNorm where there is one."""
    blocks = []
    for layer in stage:
        if isinstance(layer, nn.Conv2d):
            blocks.append([layer])
        elif isinstance(layer, nn.BatchNorm2d):
            blocks[-1].append(layer)
    return blocks
    ### END SOLUTION


# %%
# Yours: changed(deep.state_dict(), grow(deep, shallow).state_dict()), defined below.


# %% nbgrader={"grade": false, "grade_id": "grow_spec", "locked": true, "schema_version": 3, "solution": false, "task": false}
def state(net: nn.Module) -> dict[str, Tensor]:
    """Return a copy of all parameters and buffers by name."""
    return {name: value.clone() for name, value in net.state_dict().items()}


def changed(before: dict, after: dict) -> list[str]:
    """Return the layers, by name, of which anything differs."""
    names = [n.rpartition(".")[0] for n in before if not torch.equal(before[n], after[n])]
    return list(dict.fromkeys(names))


def drawn(config: str, seed: int, **options) -> nn.Module:
    """Return a narrow network in which no two numbers are the same."""
    torch.manual_seed(seed)
    net = vgg.VGG(vgg.VGG_STAGES[config], (2, 3, 4, 5, 5), 1, 6, **{"num_classes": 10} | options)
    for value in net.state_dict().values():
        value.copy_(torch.rand(value.shape) if value.ndim else torch.tensor(seed))
    return net


# %% nbgrader={"grade": true, "grade_id": "grow_visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
HEAD = ["head.1", "head.4", "head.7"]
shallow, deep = drawn("A", 1), drawn("D", 2)
before, from_a = state(deep), state(shallow)
try:
    with check.without("notebook_05_vgg.fill"):  # write it yourself
        answer = grow(deep, shallow)
except ValueError as error:
    fits = "A's first four convolutions fit into D, stage by stage"
    raise AssertionError(f"{fits}; your function refuses them: {error}") from error
assert isinstance(answer, nn.Module), f"your function returned {answer!r}, no network"
assert not changed(from_a, state(shallow)), "your function changed the shallow network"
assert not changed(before, state(deep)), "it filled `deep` itself: fill a deepcopy"
grown = state(answer)
assert list(grown) == list(before), "the answer has other layers than the deep network"
filled = changed(before, grown)
expected = ["stages.0.0", "stages.1.0", "stages.2.0", "stages.2.2", *HEAD]
missing = [name for name in expected if name not in filled]
hint = " (the head, too)" if set(missing) & set(HEAD) else " (stage by stage)"
assert not missing, f"not filled: {missing}{hint}"
extra = [name for name in filled if name not in expected]
assert not extra, f"filled, though the paper left it random: {extra}"
for name in filled:
    for part in ("weight", "bias"):
        what = f"the {part} of {name}"
        check.close(grown[f"{name}.{part}"], from_a[f"{name}.{part}"], what=what)
with torch.no_grad():
    for weight in answer.parameters():
        weight.zero_()
shared = changed(from_a, state(shallow)) + changed(before, state(deep))
assert not shared, "the answer shares memory with the networks it was made of: copy"

# %% nbgrader={"grade": true, "grade_id": "grow_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other numbers of convolutions; B, C and A-LRN; BatchNorm in both or in one.
### BEGIN HIDDEN TESTS
def convolutions(net):
    names = [name for name, layer in net.named_modules() if isinstance(layer, nn.Conv2d)]
    return [[name for name in names if name.startswith(f"stages.{n}.")] for n in range(5)]


def after(name):
    start, _, last = name.rpartition(".")
    return f"{start}.{int(last) + 1}"


for from_config, config, convs, norms in [
    ("A", "B", 8, ""), ("A", "B", 0, ""), ("A-LRN", "C", 6, "deep"), ("B", "D", 7, "both"),
    ("A", "A-LRN", 5, "shallow"),
]:
    called = f"grow({config}, {from_config}, {convs}), BatchNorm in {norms or 'none'}"
    shallow = drawn(from_config, 3, batch_norm=norms in ("both", "shallow"))
    deep = drawn(config, 4, batch_norm=norms in ("both", "deep"))
    before, given = state(deep), state(shallow)
    now = state(grow(deep, shallow, convs))
    both = zip(convolutions(deep), convolutions(shallow), strict=True)
    partners = [pair for stages in both for pair in zip(*stages, strict=False)][:convs]
    if norms == "both":
        partners = [p for d, s in partners for p in ((d, s), (after(d), after(s)))]
    partners += [(name, name) for name in ("head.1", "head.4", "head.7")]
    filled, asked = set(changed(before, now)), {mine for mine, _ in partners}
    hint = " (a BatchNorm shifts the indices)" * bool(norms)
    assert filled >= asked, f"{called}: not filled: {sorted(asked - filled)}{hint}"
    assert filled <= asked, f"{called}: filled, too: {sorted(filled - asked)}{hint}"
    for mine, theirs in partners:
        for key in (key for key in given if key.rpartition(".")[0] == theirs):
            name = mine + key.removeprefix(theirs)
            same = torch.equal(now[name], given[key])
            assert same, f"{called}: {name} is not {key} of the shallow net"
    assert not changed(given, state(shallow)), f"{called} changed the shallow network"
    assert not changed(before, state(deep)), f"{called} changed the deep network"
with check.without("notebook_05_vgg.fill"):
    grow(drawn("A", 5), drawn("A", 6), 1)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "grow_refuses_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: other classes, a shallower network to grow into, too many convolutions, -1.
### BEGIN HIDDEN TESTS
a, b = drawn("A", 6), drawn("B", 5)
grow(b, a, 4)  # what is no mistake is not refused
for deep, shallow, convs, what in [
    (drawn("A", 5, num_classes=7), a, 4, "another number of classes"),
    (a, b, 4, "from B into A"),
    (b, a, 9, "nine convolutions of eight"),
    (b, a, -1, "-1 convolutions"),
    (drawn("D", 5), drawn("C", 6), 7, "a 1x1 kernel into a 3x3"),
]:
    refused = None
    try:
        grow(deep, shallow, convs)
    except Exception as error:
        refused = error
    expected = f"{what}: a ValueError is expected, not {refused!r}"
    assert isinstance(refused, ValueError), expected
### END HIDDEN TESTS

# %% [markdown]
# ### 4 · Dense evaluation (6 points)
#
# The notebook wrote D's head as three convolutions. Do it for *any* head that is an `nn.Sequential`
# of one `nn.Flatten`, followed by `nn.Linear`, activations and dropout. Examples are AlexNet's
# head, with 6x6 maps, or a head with a single layer.
#
# **Contract.** `convolutional(head, side)` returns a module that maps (N, C, H, W) to (N, K,
# H - side + 1, W - side + 1). At H = W = side its output holds the logits of the head. The weights
# are the head's, and the head is not changed. It raises `ValueError` when the number of inputs of
# the first linear layer is not a multiple of side².
#
# `dense_scores(net, images, side)` evaluates a network with `stages` and a `head` as section 3.2 of
# the paper does. It averages the map of logits over its positions, and softmax turns the averages
# into probabilities. It does this for the image and for its mirror image (left and right
# exchanged), and averages the two. It returns (N, K) without gradients. Dropout is off. Afterwards
# the network is in the mode it was in before, train or eval.
#
# *Hint:* an `nn.Linear` with weight (W, C·side·side) is an `nn.Conv2d` whose weight has the shape
# (W, C, side, side). `with torch.no_grad()`. *To see it:* draw a map of the class with the highest
# score, over a collage of digits.


# %% nbgrader={"grade": false, "grade_id": "convolutional", "locked": false, "schema_version": 3, "solution": true, "task": false}
def convolutional(head: nn.Sequential, side: int) -> nn.Module:
    """Return the head as convolutions: (N, C, H, W) to a map of logits (N, K, …).

    side: height and width of the feature maps that the head was made for.
    Raises ValueError when they do not fit the first linear layer.
    Source: section 3.2 of the paper.
    """
    ### BEGIN SOLUTION
    layers, window = [], side
    for layer in head:
        if isinstance(layer, nn.Flatten):
            continue
        if isinstance(layer, nn.Linear):
            if layer.in_features % window**2:
                raise ValueError(f"{layer.in_features} inputs are no {side}x{side} maps")
            channels, bias = layer.in_features // window**2, layer.bias is not None
            conv = nn.Conv2d(channels, layer.out_features, window, bias=bias)
            state = dict(layer.state_dict())
            state["weight"] = layer.weight.view(conv.weight.shape)
            conv.load_state_dict(state)
            layer, window = conv.to(layer.weight), 1
        layers.append(copy.deepcopy(layer))
    return nn.Sequential(*layers).train(head.training)
    ### END SOLUTION


# %%
# Yours: for example, the shapes of maps for images of 224, 256 and 288 pixels.


# %% nbgrader={"grade": false, "grade_id": "heads", "locked": true, "schema_version": 3, "solution": false, "task": false}
def windows(head: nn.Sequential, maps: Tensor, side: int) -> Tensor:
    """Return (N, K, rows, columns): the head's answer to each side x side window."""
    rows, columns = maps.shape[2] - side + 1, maps.shape[3] - side + 1
    answers = [
        torch.stack([head(maps[:, :, y : y + side, x : x + side]) for x in range(columns)])
        for y in range(rows)
    ]
    return torch.stack(answers).permute(2, 3, 0, 1)


def some_head(channels: int, side: int, *widths: int, bias: bool = True) -> nn.Sequential:
    """Return linear layers with Tanh and dropout in between, in eval mode."""
    layers, inputs = [nn.Flatten()], channels * side**2
    for width in widths:
        layers += [nn.Linear(inputs, width, bias=bias), nn.Tanh(), nn.Dropout()]
        inputs = width
    return nn.Sequential(*layers[:-2]).eval()


# %% nbgrader={"grade": true, "grade_id": "convolutional_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(4)
head = some_head(5, 3, 8, 6)
before, twin = state(head), copy.deepcopy(head)
try:
    answer = convolutional(head, 3)
except ValueError as error:
    fits = "this head is for 3x3 maps, which its first linear layer alone sees"
    raise AssertionError(f"{fits}; your function refuses it: {error}") from error
assert isinstance(answer, nn.Module), f"{type(answer).__name__} is no module"
answer = answer.eval()
with torch.no_grad():
    maps = torch.randn(2, 5, 3, 3)
    expected, out = twin(maps), answer(maps.clone())
    assert out.shape == (2, 6, 1, 1), f"3x3 maps become {tuple(out.shape)}: (2, 6, 1, 1)"
    first, last = twin[1], twin[4]
    likely = {
        "channels come first in a weight: (W, C, side, side)": twin(maps.movedim(1, -1)),
        "rows and columns of the kernel are exchanged": twin(maps.transpose(2, 3)),
        "the kernel is mirrored; `nn.Conv2d` does not turn it": twin(maps.flip(2, 3)),
        "the activations are missing": last(first(maps.flatten(1))),
        "the biases are missing": (
            (maps.flatten(1) @ first.weight.T).tanh() @ last.weight.T
        ),
        "an activation after the last layer, which has none": expected.tanh(),
    }
    for mistake, wrong in likely.items():
        assert not torch.allclose(out[:, :, 0, 0], wrong, atol=1e-5), mistake
    check.close(out[:, :, 0, 0], expected, what="the answer for a 3x3 map")
    maps = torch.randn(2, 5, 4, 6)
    expected, out = windows(twin, maps, 3), answer(maps.clone())
    each = "(2, 6, 2, 4), an answer for each window"
    assert out.shape == (2, 6, 2, 4), f"4x6 maps become {tuple(out.shape)}: {each}"
    check.close(out, expected, what="the map of logits for 4x6 maps")
assert not changed(before, head.state_dict()), "your function changed the head"
answer.train()
training = [layer for layer in head.modules() if layer.training]
assert not training, f"your answer shares {training[0]} with the head: copy it"

# %% nbgrader={"grade": true, "grade_id": "convolutional_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random heads of one to four layers, no biases, float64; bad sides; VGG's head.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(5)
torch.manual_seed(5)
for number in range(8):
    side, channels, *widths = torch.randint(1, 6, (6,), generator=rng).tolist()
    widths = widths[: 1 + number % 4]
    head = some_head(channels, side, *widths, bias=number % 3 > 0).double()
    more = torch.randint(0, 4, (2,), generator=rng).tolist()
    maps = torch.randn(2, channels, side + more[0], side + more[1], dtype=torch.float64)
    with torch.no_grad():
        expected = windows(head, maps, side)
        out = convolutional(head, side).eval()(maps.clone())
    what = f"a head of {channels} channels, {side = }, {widths = }, maps {maps.shape[2:]}"
    check.close(out, expected, rtol=1e-9, what=what)
net = vgg.VGG(vgg.VGG_STAGES["A"], (4, 4, 4, 4, 4), 2, 16, 7).eval()
with torch.no_grad():
    images = torch.randn(2, 3, 64, 64)
    expected, maps = net(images), net.stages(images)
    out = convolutional(net.head, 2).eval()(maps)
    check.close(out[:, :, 0, 0], expected, what="a VGG's logits at its own size")
for channels, side, wrong in [(5, 3, 2), (1, 2, 3), (3, 2, 4)]:
    refused = None
    try:
        convolutional(some_head(channels, side, 4), wrong)
    except Exception as error:
        refused = error
    what = f"a head for {side}x{side} with side={wrong}: a ValueError is expected"
    assert isinstance(refused, ValueError), f"{what}, not {refused!r}"
### END HIDDEN TESTS


# %% nbgrader={"grade": false, "grade_id": "dense", "locked": false, "schema_version": 3, "solution": true, "task": false}
def dense_scores(net: nn.Module, images: Tensor, side: int) -> Tensor:
    """Return class probabilities (N, K): maps averaged, then image and mirror image.

    net: has `stages`, to feature maps, and a `head` for maps of side x side.
    Source: section 3.2 of the paper.
    """
    ### BEGIN SOLUTION
    was_training = net.training
    net.eval()
    with torch.no_grad():
        head = convolutional(net.head, side)
        both = [head(net.stages(views)) for views in (images, images.flip(3))]
    net.train(was_training)
    return sum(maps.mean(dim=(2, 3)).softmax(dim=1) for maps in both) / 2
    ### END SOLUTION


# %%
# Yours.

# %% nbgrader={"grade": true, "grade_id": "dense_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(6)
net = vgg.vgg_small("A").eval()
with torch.no_grad():
    for weight in net.head.parameters():
        weight.mul_(0.7)  # no logit so large that it decides alone
images = torch.randn(3, 3, 64, 96)
with torch.no_grad():
    views = images, images.flip(3), images.flip(2)
    *maps, upside_down = [windows(net.head, net.stages(view), 1) for view in views]
answer = dense_scores(net, images.clone(), 1)
assert answer.shape == (3, 10), f"the shape is {tuple(answer.shape)}, not (3, 10)"
means = [one.mean(dim=(2, 3)) for one in maps]
likely = {
    "average the probabilities of image and mirror image, not their logits": (
        sum(means).div(2).softmax(dim=1)
    ),
    "softmax comes after the average over places, not before": (
        sum(one.softmax(dim=1).mean(dim=(2, 3)) for one in maps) / 2
    ),
    "the mirror image is missing": means[0].softmax(dim=1),
    "upside down: the mirror image exchanges left and right": (
        means[0].softmax(dim=1) + upside_down.mean(dim=(2, 3)).softmax(dim=1)
    ) / 2,
    "logits are averaged over places, not summed": (
        sum(one.sum(dim=(2, 3)).softmax(dim=1) for one in maps) / 2
    ),
    "logits are averaged over places; that is their maximum": (
        sum(one.amax(dim=(2, 3)).softmax(dim=1) for one in maps) / 2
    ),
    "these are logits: softmax is missing": sum(means) / 2,
    "the two are averaged, not added": sum(one.softmax(dim=1) for one in means),
}
for mistake, wrong in likely.items():
    assert not torch.allclose(answer, wrong, atol=1e-4), mistake
expected = sum(one.softmax(dim=1) for one in means) / 2
check.close(answer, expected, rtol=1e-3, atol=1e-5, what="the scores")
assert not answer.requires_grad, "compute it without gradients"

# %% nbgrader={"grade": true, "grade_id": "dense_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: train mode before and after, dropout off; batch norm; other sizes and sides.
### BEGIN HIDDEN TESTS
for number, (config, norm, side, height, width) in enumerate([
    ("A", False, 1, 32, 32), ("A", True, 2, 96, 64), ("A-LRN", False, 1, 64, 32),
]):
    torch.manual_seed(7 + number)
    table = vgg.VGG_STAGES[config]
    net = vgg.VGG(table, (4, 6, 8, 8, 8), side, 12, 5, batch_norm=norm)
    vgg.initialise(net)
    images = torch.randn(2, 3, height, width)
    net(torch.randn(8, 3, 32 * side, 32 * side))  # running statistics move
    with torch.no_grad():
        net.eval()
        views = images, torch.stack([image.flip(2) for image in images])
        maps = [windows(net.head, net.stages(view), side) for view in views]
    expected = sum(one.mean(dim=(2, 3)).softmax(dim=1) for one in maps) / 2
    for training in (True, False):
        net.train(training)
        before = state(net)
        answer = dense_scores(net, images.clone(), side)
        again = dense_scores(net, images.clone(), side) if training else answer
        random = not torch.allclose(answer, again, atol=1e-4)
        assert not random, "two calls give two answers: dropout is on"
        modes = {layer.training for layer in net.modules()}
        assert modes == {training}, f"the network is left with training in {modes}"
        assert not changed(before, net.state_dict()), "running statistics have moved"
        what = f"the scores of {config} for {height}x{width}, train mode {training},"
        check.close(answer, expected, rtol=1e-3, atol=1e-5, what=what)
### END HIDDEN TESTS

# %% [markdown]
# ### 5 · What did pre-training give? (2 points)
#
# The paper's D did not learn from a random initialisation. With four convolutions and the head
# copied from A, it did. Later the authors found another random initialisation that works as well.
# What must the copied layers have changed, and what not? Name one measurement on the network
# *before* its first training step that would show it. What do you expect it to give for the three
# initialisations? Answer in two to four sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "pretraining_why", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# A good random initialisation works as well, so what A's layers gave cannot be knowledge of edges
# alone: it is scale. If the standard deviation of the weights is too small, each layer shrinks the
# signal and, on its way back, the gradient. Sixteen layers leave nothing. Seven trained layers
# shrink it less. Measure the standard deviation of each layer's output (or of the gradient of each
# layer's weights) for one batch. From the small random initialisation it falls by orders of
# magnitude from layer to layer. With A's layers copied it falls only in the intermediate layers.
# With variance 2 / fan-in it stays level (with Glorot's rule it falls slowly).
#
# **Marking scheme.** 1 point: size of signal or gradient as the cause, argued from the third
# initialisation, which has no pre-training. 1 point: a measurement at step 0 that can be made, with
# a right expectation for all three initialisations.
# ### END SOLUTION
