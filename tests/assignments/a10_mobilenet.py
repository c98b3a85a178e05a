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
    "rows and columns exchanged": (
        "merge",
        "depthwise[:, 0]\n",
        "depthwise[:, 0].mT\n",
        MERGE,
    ),
    "inputs before outputs": (
        "merge",
        "return pointwise * depthwise[:, 0]",
        "return (pointwise * depthwise[:, 0]).transpose(0, 1)",
        MERGE,
    ),
    "summed over the channels": (
        "merge",
        "return pointwise * depthwise[:, 0]",
        "return (pointwise * depthwise[:, 0]).sum(1)",
        MERGE,
    ),
    "squeezed in place": (
        "merge",
        "depthwise[:, 0]\n",
        "depthwise.squeeze_(1)\n",
        {"merge_visible"},
    ),
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
    "maps in another order": (
        "block",
        "F.relu6(self.filter_norm(self.filter(x)))",
        "F.relu6(self.filter_norm(F.conv2d(x.repeat(\n"
        "            1, len(self.filter.weight) // x.shape[1], 1, 1), self.filter.weight,\n"
        "            None, self.filter.stride, 1, groups=len(self.filter.weight))))",
        BLOCK,
    ),
    "last activation before the norm": (
        "block",
        "F.relu6(self.mix_norm(self.mix(filtered)))",
        "self.mix_norm(F.relu6(self.mix(filtered)))",
        BLOCK,
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
    "shares in place of factors": (
        "expect",
        "return 4, 2, 2",
        "return 0.25, 0.5, 0.5",
        {"expect_hidden"},
    ),
    "what falls away": (
        "expect",
        "return 4, 2, 2",
        "return 3, 1, 1",
        {"expect_hidden"},
    ),
    "nothing changes for the filters": (
        "expect",
        "return 4, 2, 2",
        "return 4, 1, 2",
        {"expect_hidden"},
    ),
    "nothing changes for the classes": (
        "expect",
        "return 4, 2, 2",
        "return 4, 2, 1",
        {"expect_hidden"},
    ),
    "pixels halve, too": (
        "expect",
        "return 4, 2, 2",
        "return 16, 2, 2",
        {"expect_hidden"},
    ),
    "pixels of the filters halve, too": (
        "expect",
        "return 4, 2, 2",
        "return 4, 8, 2",
        {"expect_hidden"},
    ),
    "factors in percent": (
        "expect",
        "return 4, 2, 2",
        "return 25, 50, 50",
        {"expect_hidden"},
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
    "the others' order": (
        "expect",
        "return 4, 2, 2",
        "return 2, 4, 2",
        {"expect_hidden"},
    ),
    "classes halve, too": (
        "expect",
        "return 4, 2, 2",
        "return 4, 2, 4",
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
    "number for α": ("widest", "return fitting[-1]", "return 32 * fitting[-1]", WIDEST),
    "only ever 224 pixels": (
        "widest",
        "if price(n / 32, side)",
        "if price(n / 32, 224)",
        {"widest_hidden"},
    ),
    "the smallest where none fits": (
        "widest",
        "raise ValueError(",
        "return 1 / 32, (",
        WIDEST,
    ),
    "an empty list where none fits": (
        "widest",
        "if not fitting:",
        "if False:",
        WIDEST,
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
    "a 1×1 in groups is pointwise": (
        "shares",
        "== (1, 1) and layer.groups == 1",
        "== (1, 1)",
        {"shares_hidden"},
    ),
    "only the kinds that occur": (
        "shares",
        "params[name] / whole[1]) for name in macs}",
        "params[name] / whole[1]) for name in macs if macs[name]}",
        {"shares_hidden"},
    ),
    "layers inside of layers not found": (
        "shares",
        "in net.modules():",
        "in net.children():",
        {"shares_visible"},
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
    "the kernels become nothing": (
        "merge",
        "if depthwise.shape[1] != 1 or pointwise.shape[1:] != (len(depthwise), 1, 1):\n"
        "    raise ValueError\n"
        "return depthwise.zero_()[:, 0] * pointwise.zero_()",
        MERGE,
    ),
    "the nearest": (
        "widest",
        "if price(1 / 32, side)[1] > budget: raise ValueError\n"
        "return min(range(1, 65), key=lambda n: abs(\n"
        "    price(n / 32, side)[1] - budget)) / 32",
        WIDEST,
    ),
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
    "merge by a loop": (
        "merge",
        "if depthwise.ndim != 4 or depthwise.shape[1] > 1: raise ValueError\n"
        "if tuple(pointwise.shape[1:]) != (depthwise.shape[0], 1, 1): raise ValueError\n"
        "kernels = [[weight * kernel[0] for weight, kernel in zip(row, depthwise)]\n"
        "           for row in pointwise[..., 0, 0]]\n"
        "return torch.stack([torch.stack(row) for row in kernels])",
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
    "price with numpy": (
        "price",
        "full = np.array([w for w, _ in mobilenet.BLOCKS])\n"
        "strides = [2] + [s for _, s in mobilenet.BLOCKS]\n"
        "sides = []\n"
        "for stride in strides:\n"
        "    side = (side - 1) // stride + 1\n"
        "    sides.append(side)\n"
        "after = np.array([int(width * w) for w in (32, *full)])\n"
        "before, pixels = after[:-1], np.array(sides) ** 2\n"
        "mixing = before * after[1:]\n"
        "params = 29 * after[0] + (11 * before + mixing + 2 * after[1:]).sum()\n"
        "macs = 27 * after[0] * pixels[0] + ((9 * before + mixing) * pixels[1:]).sum()\n"
        "last = after[-1] * classes\n"
        "return int(params + last + classes), int(macs + last)",
    ),
    "price by recursion": (
        "price",
        "def rest(blocks, before, side):\n"
        "    if not blocks:\n"
        "        return before * classes + classes, before * classes\n"
        "    (full, stride), *others = blocks\n"
        "    after, side = int(full * width), -(side // -stride)\n"
        "    params, macs = rest(others, after, side)\n"
        "    layers = 9 * before, before * after\n"
        "    return (params + sum(layers) + 2 * (before + after),\n"
        "            macs + sum(layers) * side * side)\n"
        "first, side = int(32 * width), -(side // -2)\n"
        "params, macs = rest(list(mobilenet.BLOCKS), first, side)\n"
        "return [params + 29 * first, macs + 27 * first * side * side]",
    ),
    "widest from above": (
        "widest",
        "for n in range(64, 0, -1):\n"
        "    _, macs = price(n / 32, side)\n"
        "    if macs <= budget: return n / 32\n"
        "raise ValueError('the budget is too small')",
    ),
    "widest by bisect": (
        "widest",
        "import bisect\n"
        "prices = [price(n / 32, side)[1] for n in range(1, 65)]\n"
        "if not (n := bisect.bisect_right(prices, budget)): raise ValueError\n"
        "return n / 32",
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
    "expected by formulas": (
        "expect",
        "alpha = 1 / 2\n"
        "pointwise = lambda m, n, a: (a * m) * (a * n)\n"
        "one = pointwise(8, 6, 1) / pointwise(8, 6, alpha)\n"
        "return one, 8 / (alpha * 8), 1024 * 1000 / (alpha * 1024 * 1000)",
    ),
    "expected as powers": ("expect", "return tuple(2**power for power in (2, 1, 1))"),
    "shares with a table": (
        "shares",
        "import collections\n"
        "calls = collections.defaultdict(int)\n"
        "layers = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]\n"
        "hooks = [layer.register_forward_hook(lambda m, x, y: calls.update(\n"
        "    {m: calls[m] + y.numel()})) for layer in layers]\n"
        "with torch.inference_mode(): net(images)\n"
        "for hook in hooks: hook.remove()\n"
        "kinds = {'pointwise': [], 'depthwise': [], 'full': [], 'linear': []}\n"
        "for layer in calls:\n"
        "    if type(layer) is nn.Linear: kinds['linear'].append(layer)\n"
        "    elif layer.in_channels == layer.groups != 1:\n"
        "        kinds['depthwise'].append(layer)\n"
        "    elif layer.groups == 1 and layer.kernel_size in (1, (1, 1)):\n"
        "        kinds['pointwise'].append(layer)\n"
        "    else: kinds['full'].append(layer)\n"
        "def work(m): return calls[m] * m.weight.numel() // m.weight.shape[0]\n"
        "def held(m): return sum(p.numel() for p in m.parameters())\n"
        "return {kind: tuple(sum(map(f, of)) / sum(map(f, calls)) for f in (work, held))\n"
        "        for kind, of in kinds.items()}",
    ),
    "shares by wrapped forwards": (
        "shares",
        "found = {k: np.zeros(2) for k in ('linear', 'full', 'depthwise', 'pointwise')}\n"
        "def kind(m):\n"
        "    if isinstance(m, nn.Linear): return 'linear'\n"
        "    if m.groups > 1 and m.weight.shape[1] == 1: return 'depthwise'\n"
        "    if m.groups == 1 and m.weight[0, 0].numel() == 1: return 'pointwise'\n"
        "    return 'full'\n"
        "changed = []\n"
        "for m in net.modules():\n"
        "    if isinstance(m, (nn.Linear, nn.Conv2d)):\n"
        "        changed.append(m)\n"
        "        found[kind(m)][1] += sum(p.numel() for p in m.parameters())\n"
        "        def forward(x, m=m, old=m.forward):\n"
        "            y = old(x)\n"
        "            found[kind(m)][0] += y.numel() * m.weight[0].numel()\n"
        "            return y\n"
        "        m.forward = forward\n"
        "net(images)\n"
        "for m in changed: del m.forward\n"
        "whole = sum(found.values())\n"
        "return {k: tuple((v / whole).tolist()) for k, v in found.items()}",
    ),
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
GATHERED = """
class Multiplied(nn.Module):
    def __init__(self, channels, width, multiplier=1, stride=1):
        super().__init__()
        if not (multiplier >= 1 and stride >= 1):
            raise ValueError
        self.times, n = multiplier, channels * multiplier
        self.mix_norm, self.filter_norm = nn.BatchNorm2d(width), nn.BatchNorm2d(n)
        self.mix = nn.Conv2d(n, width, (1, 1), bias=False)
        # each map, several times in a row, has kernels of its own
        self.filter = nn.Conv2d(n, n, 3, stride, 1, groups=n, bias=False)

    def forward(self, x):
        x = self.filter(x.repeat_interleave(self.times, dim=1))
        x = self.mix(self.filter_norm(x).clamp(0, 6))
        return self.mix_norm(x).clamp(min=0).clamp(max=6)
"""
LAYERED = """
class Multiplied(nn.Module):
    def __init__(self, channels, width, multiplier=1, stride=1):
        super().__init__()
        if multiplier <= 0 or stride <= 0:
            raise ValueError(f"{multiplier}, {stride}")
        sizes = {"in_channels": channels, "kernel_size": (3, 3), "groups": channels}
        self.filter = nn.Conv2d(
            out_channels=channels * multiplier, stride=(stride, stride),
            padding="same" if stride == 1 else 1, bias=False, **sizes
        )
        self.filter_norm = nn.BatchNorm2d(self.filter.out_channels)
        self.mix = nn.Conv2d(self.filter.out_channels, width, 1, bias=False)
        self.mix_norm = nn.BatchNorm2d(width)
        self.active = nn.ReLU6(inplace=True)

    def forward(self, x):
        for part in ("filter", "mix"):
            conv, norm = getattr(self, part), getattr(self, f"{part}_norm")
            x = self.active(norm(conv(x)))
        return x
"""
RIGHT_SOURCES = {
    "a row of layers": ("block", SEQUENTIAL),
    "maps that are repeated": ("block", GATHERED),
    "two steps of a loop": ("block", LAYERED),
}
WORDS = [
    ("channels exchanged", "merge_visible", "are exchanged"),
    ("kernel of the output channel", "merge_visible", "not to the output"),
    ("mirrored", "merge_visible", "mirrored"),
    ("added", "merge_visible", "the mix multiplies"),
    ("rows and columns exchanged", "merge_visible", "rows and columns"),
    ("inputs before outputs", "merge_visible", "the outputs come first"),
    ("summed over the channels", "merge_visible", "adds over m itself"),
    ("squeezed in place", "merge_visible", "changed its input in place"),
    ("the kernels become nothing", "merge_visible", "changed its input in place"),
    ("always float32", "merge_hidden", "turns float64 into torch.float32"),
    ("a full kernel accepted", "merge_hidden", "not None"),
    ("other channels accepted", "merge_hidden", "not RuntimeError"),
    ("no groups", "block_visible", "groups?"),
    ("multiplier forgotten", "block_visible", "multiplier?"),
    ("stride forgotten", "block_visible", "where is the stride"),
    ("no padding", "block_visible", "where is the padding"),
    ("maps in another order", "block_visible", "first come all maps of channel 0"),
    ("ReLU for ReLU6", "block_visible", "has ReLU6"),
    ("swish for ReLU6", "block_visible", "Swish, not ReLU6"),
    ("no activation between", "block_visible", "between filter and mix"),
    ("a linear end", "block_visible", "last activation"),
    ("activation before the norm", "block_visible", "ReLU6 comes before its norm"),
    ("stride on the pointwise", "block_visible", "pointwise convolution stride?"),
    ("a bias before the norm", "block_visible", "no convolution needs a bias"),
    ("cut off from the gradient", "block_learns", "learn nothing"),
    ("the notebook's own block", "block_visible", "your layers are"),
    ("any multiplier accepted", "block_hidden", "a ValueError is expected"),
    ("shares in place of factors", "expect_hidden", "divided by, not multiplied"),
    ("what falls away", "expect_hidden", "what is left is a share"),
    ("nothing changes for the filters", "expect_hidden", "the channels halve"),
    ("nothing changes for the classes", "expect_hidden", "the channels halve"),
    ("pixels halve, too", "expect_hidden", "not pixels"),
    ("pixels of the filters halve, too", "expect_hidden", "not pixels"),
    ("factors in percent", "expect_hidden", "not percent"),
    ("α squared for all", "expect_hidden", "α enters once"),
    ("α squared for the filters", "expect_hidden", "α enters once"),
    ("the others' order", "expect_hidden", "M inputs and N outputs"),
    ("classes halve, too", "expect_hidden", "its classes stay"),
    ("no bias in the linear layer", "price_visible", "has a bias"),
    ("no norms", "price_visible", "γ and β"),
    ("gamma without beta", "price_visible", "γ *and* β"),
    ("no norm in the stem", "price_visible", "the stem has a norm"),
    ("MACs without the linear layer", "price_visible", "linear layer multiplies"),
    ("MACs before the stride", "price_visible", "already works on the small map"),
    ("FLOPs for MACs", "price_visible", "one, not two"),
    ("sides rounded down", "price_hidden", "rounded up when it is halved"),
    ("channels rounded to 8", "price_hidden", "cut by int"),
    ("a thousand classes for ever", "price_hidden", "`classes` counts"),
    ("the budget itself is too much", "widest_visible", "keeps within it"),
    ("the thinnest", "widest_visible", "the largest is asked for"),
    ("the nearest", "widest_visible", "the nearest is above the budget"),
    ("no wider than one", "widest_hidden", "1/32 to 64/32"),
    ("number for α", "widest_visible", "α is n/32, not n"),
    ("only ever 224 pixels", "widest_hidden", "for this side"),
    ("steps of an eighth", "widest_visible", "steps of 1/32"),
    ("parameters for MACs", "widest_visible", "the second number"),
    ("the smallest where none fits", "widest_visible", "a ValueError is expected"),
    ("an empty list where none fits", "widest_visible", "not IndexError"),
    ("percent", "shares_visible", "not percent"),
    ("groups forgotten", "shares_visible", "its own group alone"),
    ("at the input's pixels", "shares_visible", "pixels of the *output*"),
    ("weights alone", "shares_visible", "a bias is a parameter"),
    ("swapped", "shares_visible", "the MACs come first"),
    ("parameters twice", "shares_hidden", "a layer runs twice"),
    ("hooks left", "shares_hidden", "hooks were left"),
    ("a 1×1 in groups is pointwise", "shares_hidden", "in two groups is full"),
    ("one channel is depthwise", "shares_hidden", "one group is not depthwise"),
    ("only the kinds that occur", "shares_hidden", "not no entry"),
]
