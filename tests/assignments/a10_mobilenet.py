"""Wrong and right answers to a10_mobilenet, and what each is worth."""

MERGE = {"merge_visible", "merge_hidden"}
BLOCK = {"block_visible", "block_hidden"}
PRICE = {"price_visible", "price_hidden"}
WIDEST = {"widest_visible", "widest_hidden"}
SHARES = {"shares_visible", "shares_hidden"}
MISTAKES = {
    # name: cell, what stands there, what stands there instead, test cells it costs
    "channels exchanged": (
        "merge",
        "return pointwise * depthwise[:, 0]",
        "return pointwise.transpose(0, 1) * depthwise[:, 0]",
        MERGE,
    ),
    "kernel of the output channel": (
        "merge",
        "return pointwise * depthwise[:, 0]",
        "return pointwise * depthwise",
        MERGE,
    ),
    "mirrored": (
        "merge",
        "depthwise[:, 0]\n",
        "depthwise[:, 0].flip(1, 2)\n",
        MERGE,
    ),
    "added": ("merge", "pointwise * depth", "pointwise + depth", MERGE),
    "always float32": (
        "merge",
        "return pointwise * depthwise[:, 0]",
        "return (pointwise * depthwise[:, 0]).float()",
        {"merge_hidden"},
    ),
    "a full kernel accepted": (
        "merge",
        "depthwise.ndim != 4 or depthwise.shape[1] != 1",
        "depthwise.ndim != 4",
        {"merge_hidden"},
    ),
    "other channels accepted": (
        "merge",
        "pointwise.shape[1:] != (len(depthwise), 1, 1)",
        "pointwise.shape[2:] != (1, 1)",
        {"merge_hidden"},
    ),
    "no groups": ("block", "groups=channels, ", "", BLOCK | {"block_learns"}),
    "multiplier forgotten": (
        "block",
        "maps = channels * multiplier",
        "maps = channels",
        BLOCK | {"block_learns"},
    ),
    "stride on the pointwise": (
        "block",
        "self.mix = nn.Conv2d(maps, width, 1, bias=False)",
        "self.mix = nn.Conv2d(maps, width, 1, stride, bias=False)\n"
        "        self.filter.stride = (1, 1)",
        BLOCK,
    ),
    "stride forgotten": (
        "block",
        "channels, maps, 3, stride, padding",
        "channels, maps, 3, 1, padding",
        BLOCK,
    ),
    "no padding": ("block", "stride, padding=1", "stride", BLOCK),
    "ReLU for ReLU6": ("block", "F.relu6", "F.relu", BLOCK),
    "swish for ReLU6": ("block", "F.relu6", "F.silu", BLOCK),
    "no activation between": (
        "block",
        "F.relu6(self.filter_norm(self.filter(x)))",
        "self.filter_norm(self.filter(x))",
        BLOCK,
    ),
    "a linear end": (
        "block",
        "return F.relu6(self.mix_norm(self.mix(filtered)))",
        "return self.mix_norm(self.mix(filtered))",
        BLOCK,
    ),
    "activation before the norm": (
        "block",
        "F.relu6(self.filter_norm(self.filter(x)))",
        "self.filter_norm(F.relu6(self.filter(x)))",
        BLOCK,
    ),
    "a bias before the norm": (
        "block",
        "groups=channels, bias=False",
        "groups=channels",
        BLOCK | {"block_learns"},
    ),
    "cut off from the gradient": (
        "block",
        "self.mix(filtered)",
        "self.mix(filtered.detach())",
        {"block_learns"},
    ),
    "any multiplier accepted": (
        "block",
        "if multiplier < 1 or stride < 1:",
        "if stride < 1:",
        {"block_hidden"},
    ),
    "α squared for the filters": (
        "expect",
        "return 4, 2, 2",
        "return 4, 4, 2",
        {"expect_hidden"},
    ),
    "α squared for all": (
        "expect",
        "return 4, 2, 2",
        "return 4, 4, 4",
        {"expect_hidden"},
    ),
    "no bias in the linear layer": (
        "price",
        "(channels + 1) * classes",
        "channels * classes",
        PRICE,
    ),
    "no norms": (
        "price",
        "weights + 2 * channels + 2 * wide",
        "weights",
        PRICE,
    ),
    "no norm in the stem": (
        "price",
        "27 * channels + 2 * channels,",
        "27 * channels,",
        PRICE,
    ),
    "gamma without beta": (
        "price",
        "weights + 2 * channels + 2 * wide",
        "weights + channels + wide",
        PRICE,
    ),
    "MACs without the linear layer": (
        "price",
        "macs + channels * classes",
        "macs",
        PRICE | WIDEST,
    ),
    "MACs before the stride": (
        "price",
        "macs += weights * side**2",
        "macs += weights * side**2 + 9 * channels * (stride**2 - 1) * side**2",
        PRICE | WIDEST,
    ),
    "FLOPs for MACs": (
        "price",
        "macs + channels * classes",
        "2 * (macs + channels * classes)",
        PRICE | WIDEST,
    ),
    "sides rounded down": (
        "price",
        "int(full * width), -(-side // stride)",
        "int(full * width), side // stride",
        {"price_hidden", "widest_hidden"},
    ),
    "channels rounded to 8": (
        "price",
        "int(full * width), -(",
        "max(8, int(full * width + 4) // 8 * 8), -(",
        {"price_hidden"},
    ),
    "a thousand classes for ever": (
        "price",
        "(channels + 1) * classes",
        "(channels + 1) * 1000",
        {"price_hidden"},
    ),
    "the budget itself is too much": ("widest", "<= budget", "< budget", WIDEST),
    "the thinnest": ("widest", "fitting[-1]", "fitting[0]", WIDEST),
    "no wider than one": (
        "widest",
        "range(1, 65)",
        "range(1, 33)",
        {"widest_hidden"},
    ),
    "steps of an eighth": ("widest", "range(1, 65)", "range(4, 65, 4)", WIDEST),
    "parameters for MACs": (
        "widest",
        "price(n / 32, side)[1]",
        "price(n / 32, side)[0]",
        WIDEST,
    ),
    "percent": (
        "shares",
        "(macs[name] / whole[0], params",
        "(100 * macs[name] / whole[0], 100 * params",
        SHARES,
    ),
    "groups forgotten": (
        "shares",
        "output.numel() * layer.weight[0].numel()",
        "output.numel() * layer.weight[0].numel() * getattr(layer, 'groups', 1)",
        SHARES,
    ),
    "at the input's pixels": (
        "shares",
        "output.numel() * layer",
        "args[0].numel() * layer",
        SHARES,
    ),
    "weights alone": (
        "shares",
        "sum(p.numel() for p in layer.parameters())",
        "layer.weight.numel()",
        SHARES,
    ),
    "parameters twice": (
        "shares",
        "if layer not in seen:",
        "if True:",
        {"shares_hidden"},
    ),
    "hooks left": ("shares", "hook.remove()", "pass", {"shares_hidden"}),
    "every group is depthwise": (
        "shares",
        "1 < layer.groups == layer.in_channels",
        "1 < layer.groups",
        {"shares_hidden"},
    ),
    "one channel is depthwise": (
        "shares",
        "1 < layer.groups == layer.in_channels",
        "layer.groups == layer.in_channels",
        {"shares_hidden"},
    ),
    "swapped": (
        "shares",
        "(macs[name] / whole[0], params[name] / whole[1])",
        "(params[name] / whole[1], macs[name] / whole[0])",
        SHARES,
    ),
}
BODIES = {
    # name: cell, another body for its function, test cells it costs
    "it refuses every kernel": ("merge", "raise ValueError", MERGE),
    "it refuses every budget": ("widest", "raise ValueError", WIDEST),
    "the network itself, counted": (
        "price",
        'with torch.device("meta"):\n'
        "    net = mobilenet.mobilenet(width, classes)\n"
        "    found = flops.count(net, (1, 3, side, side))\n"
        "return found.params, found.macs",
        PRICE | WIDEST,
    ),
    "a constant": (
        "price",
        "known = {1.0: (4_231_976, 568_740_352), 0.5: (1_331_592, 49_160_192)}\n"
        "return known.get(width, (0, 0))",
        {"price_hidden"} | WIDEST,
    ),
    "the course's counter": (
        "shares",
        "layers = flops.count(net, tuple(images.shape)).layers\n"
        "return {kind: (0.25, 0.25) for kind in "
        "('pointwise', 'depthwise', 'full', 'linear')}",
        SHARES,
    ),
}
SOURCES = {
    # name: cell, its whole source, test cells it costs
    "the notebook's own block": (
        "block",
        "def Multiplied(channels, width, multiplier=1, stride=1):\n"
        "    if multiplier < 1 or stride < 1: raise ValueError()\n"
        "    return mobilenet.Separable(channels, width, stride)",
        BLOCK | {"block_learns"},
    ),
    "it refuses every block": (
        "block",
        "def Multiplied(channels, width, multiplier=1, stride=1):\n    raise ValueError",
        BLOCK | {"block_learns"},
    ),
}
RIGHT = {
    "merge by einsum": (
        "merge",
        "if depthwise.shape[1:2] != (1,) or pointwise.shape[2:] != (1, 1):\n"
        "    raise ValueError('no')\n"
        "if len(depthwise) != pointwise.shape[1]:\n"
        "    raise ValueError('no')\n"
        "return torch.einsum('mij,nm->nmij', depthwise.squeeze(1), "
        "pointwise[:, :, 0, 0])",
    ),
    "merge from impulses": (
        "merge",
        "m, one, side, _ = depthwise.shape\n"
        "if one != 1 or pointwise.shape[1:] != (m, 1, 1):\n"
        "    raise ValueError('no')\n"
        "x = torch.zeros(m, m, 2 * side - 1, 2 * side - 1, dtype=depthwise.dtype)\n"
        "for i in range(m):\n"
        "    x[i, i, side - 1, side - 1] = 1\n"
        "return separable_spec(x, depthwise, pointwise).transpose(0, 1).flip(2, 3)",
    ),
    "price layer by layer": (
        "price",
        "p = q = 0\n"
        "c = 3\n"
        "s = side\n"
        "layers = [(int(32 * width), 3, 2, 1)]\n"
        "for full, stride in mobilenet.BLOCKS:\n"
        "    layers += [(None, 3, stride, 0), (int(full * width), 1, 1, 1)]\n"
        "for w, k, stride, mixes in layers:\n"
        "    s = (s + stride - 1) // stride\n"
        "    w = w or c\n"
        "    n = k * k * w * (c if mixes else 1)\n"
        "    p, q, c = p + n + 2 * w, q + n * s * s, w\n"
        "return p + c * classes + classes, q + c * classes",
    ),
    "widest by bisection": (
        "widest",
        "low, high = 0, 64\n"
        "while low < high:\n"
        "    middle = (low + high + 1) // 2\n"
        "    if price(middle / 32, side)[1] <= budget:\n"
        "        low = middle\n"
        "    else:\n"
        "        high = middle - 1\n"
        "if low == 0:\n"
        "    raise ValueError('too little')\n"
        "return low / 32",
    ),
    "expected as a list": ("expect", "return [4, 2, 2]"),
    "shares from shapes": (
        "shares",
        "work = {k: [0, 0] for k in ('pointwise', 'depthwise', 'full', 'linear')}\n"
        "once, handles = [], []\n"
        "def seen(layer, args, y):\n"
        "    if isinstance(layer, nn.Linear):\n"
        "        name, each = 'linear', layer.in_features\n"
        "    else:\n"
        "        h, w = layer.kernel_size\n"
        "        each = h * w * layer.in_channels // layer.groups\n"
        "        name = 'full'\n"
        "        if layer.groups == layer.in_channels and layer.groups > 1:\n"
        "            name = 'depthwise'\n"
        "        elif h == w == 1 and layer.groups == 1:\n"
        "            name = 'pointwise'\n"
        "    work[name][0] += each * y.numel()\n"
        "    if not any(layer is other for other in once):\n"
        "        once.append(layer)\n"
        "        bias = 0 if layer.bias is None else layer.bias.numel()\n"
        "        work[name][1] += layer.weight.numel() + bias\n"
        "for layer in net.modules():\n"
        "    if isinstance(layer, nn.Conv2d | nn.Linear):\n"
        "        handles.append(layer.register_forward_hook(seen))\n"
        "net(images)\n"
        "[handle.remove() for handle in handles]\n"
        "total = [sum(row[i] for row in work.values()) for i in (0, 1)]\n"
        "return {k: (a / total[0], b / total[1]) for k, (a, b) in work.items()}",
    ),
}
SEQUENTIAL = """
from collections import OrderedDict


def Multiplied(channels, width, multiplier=1, stride=1):
    if min(multiplier, stride) <= 0:
        raise ValueError("no")
    n = multiplier * channels
    layers = OrderedDict()
    layers["filter"] = nn.Conv2d(channels, n, 3, stride, 1, groups=channels, bias=False)
    layers["filter_norm"] = nn.BatchNorm2d(n)
    layers["relu1"] = nn.ReLU6()
    layers["mix"] = nn.Conv2d(n, width, 1, bias=False)
    layers["mix_norm"] = nn.BatchNorm2d(width)
    layers["relu2"] = nn.Hardtanh(0, 6)
    return nn.Sequential(layers)
"""
RIGHT_SOURCES = {"a row of layers": ("block", SEQUENTIAL)}
WORDS = [
    ("channels exchanged", "merge_visible", "are exchanged"),
    ("kernel of the output channel", "merge_visible", "not to the output"),
    ("mirrored", "merge_visible", "mirrored"),
    ("added", "merge_visible", "the mix multiplies"),
    ("no groups", "block_visible", "groups?"),
    ("multiplier forgotten", "block_visible", "multiplier?"),
    ("stride forgotten", "block_visible", "where is the stride"),
    ("ReLU for ReLU6", "block_visible", "ReLU6"),
    ("no activation between", "block_visible", "between filter and mix"),
    ("a linear end", "block_visible", "last activation"),
    ("stride on the pointwise", "block_visible", "pointwise convolution stride?"),
    ("no bias in the linear layer", "price_visible", "has a bias"),
    ("no norms", "price_visible", "γ and β"),
    ("MACs without the linear layer", "price_visible", "linear layer multiplies"),
    ("MACs before the stride", "price_visible", "already works on the small map"),
    ("FLOPs for MACs", "price_visible", "one, not two"),
    ("the budget itself is too much", "widest_visible", "keeps within it"),
    ("percent", "shares_visible", "not percent"),
]
