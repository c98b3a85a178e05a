"""Wrong and right answers to a12_efficientnet, and what each is worth."""

SHARED = {"shared_visible", "shared_hidden"}
HARD = {"hard_visible", "hard_hidden"}
ALL = HARD | {"hard_learns"}
KEPT = {"kept_visible", "kept_hidden"}
TRIPLES = {"triples_visible", "triples_hidden"}
SIDE = {"side_visible", "side_hidden"}
MISTAKES = {
    # name: cell, what stands there, what stands there instead, test cells it costs
    "each stage rounded up": (
        "shared",
        "    left = math.floor(sum(wishes) + Fraction(1, 2)) - sum(given)\n",
        "    return [math.ceil(wish) for wish in wishes]\n    left = 0\n",
        SHARED,
    ),
    "each stage rounded down": ("shared", "order[:left]", "order[:0]", SHARED),
    "the sum rounded down": (
        "shared",
        "math.floor(sum(wishes) + Fraction(1, 2))",
        "math.floor(sum(wishes))",
        SHARED,
    ),
    "the sum rounded up": (
        "shared",
        "math.floor(sum(wishes) + Fraction(1, 2))",
        "math.ceil(sum(wishes))",
        SHARED,
    ),
    "the smallest parts": (
        "shared",
        "given[i] - wishes[i]",
        "wishes[i] - given[i]",
        SHARED,
    ),
    "the last of equal parts": (
        "shared",
        "key=lambda i: given[i] - wishes[i]",
        "key=lambda i: (given[i] - wishes[i], -i)",
        SHARED,
    ),
    "the longest stages": (
        "shared",
        "given[i] - wishes[i]",
        "-blocks[i]",
        SHARED,
    ),
    "floats": (
        "shared",
        "Fraction(str(depth)) * count",
        "Fraction(depth) * count",
        SHARED,
    ),
    "each stage rounded by itself": (
        "shared",
        "    left = math.floor(sum(wishes) + Fraction(1, 2)) - sum(given)\n",
        "    return [round(wish) for wish in wishes]\n    left = 0\n",
        SHARED,
    ),
    "Python's round of the sum": (
        "shared",
        "math.floor(sum(wishes) + Fraction(1, 2))",
        "round(sum(wishes))",
        SHARED,
    ),
    "a tuple of stages": (
        "shared",
        "[count + (i in order[:left]) for i, count in enumerate(given)]",
        "tuple(count + (i in order[:left]) for i, count in enumerate(given))",
        SHARED,
    ),
    "shrinking accepted": (
        "shared",
        "depth < 1 or min(blocks) < 1",
        "min(blocks) < 1",
        {"shared_hidden"},
    ),
    "an empty stage accepted": (
        "shared",
        "depth < 1 or min(blocks) < 1",
        "depth < 1",
        {"shared_hidden"},
    ),
    "SE of the input's width": ("hard", "hidden / 4", "channels / 4", HARD),
    "squeezed width not rounded": (
        "hard",
        "efficientnet.round_channels(hidden / 4)",
        "max(1, hidden // 4)",
        ALL,
    ),
    "expansion on the wrong side": (
        "hard",
        "hidden = expansion * channels",
        "hidden = expansion * width",
        ALL,
    ),
    "ReLU6 for hswish": ("hard", "F.hardswish", "F.relu6", HARD),
    "ReLU for hswish": ("hard", "F.hardswish", "F.relu", HARD),
    "swish for hswish": ("hard", "F.hardswish", "F.silu", HARD),
    "sigmoid for hsigmoid": ("hard", "F.hardsigmoid", "torch.sigmoid", HARD),
    "no activation in the gate": (
        "hard",
        "self.squeeze(mean).relu()",
        "self.squeeze(mean)",
        HARD,
    ),
    "no gate": ("hard", "self.project(wide * gate)", "self.project(wide)", ALL),
    "the gate added": ("hard", "wide * gate", "wide + gate", HARD),
    "the gate of the expanded map": (
        "hard",
        "        mean = wide.mean(dim=(2, 3), keepdim=True)\n",
        "        mean = F.hardswish(self.norm1(self.expand(x)))"
        ".mean(dim=(2, 3), keepdim=True)\n",
        HARD,
    ),
    "the gate before the filter's activation": (
        "hard",
        "wide = F.hardswish(self.norm2(self.filter(wide)))",
        "wide = self.norm2(self.filter(wide))",
        HARD,
    ),
    "the largest for the mean": (
        "hard",
        "wide.mean(dim=(2, 3), keepdim=True)",
        "wide.amax(dim=(2, 3), keepdim=True)",
        HARD,
    ),
    "activation on the linear bottleneck": (
        "hard",
        "thin = self.norm3(self.project(wide * gate))",
        "thin = F.hardswish(self.norm3(self.project(wide * gate)))",
        HARD,
    ),
    "stride on the pointwise": (
        "hard",
        "self.project = nn.Conv2d(hidden, width, 1, bias=False)",
        "self.filter.stride = (1, 1)\n"
        "        self.project = nn.Conv2d(hidden, width, 1, stride, bias=False)",
        HARD,
    ),
    "no groups": ("hard", "groups=hidden, ", "", ALL),
    "zeros of a 3x3": ("hard", "kernel_size // 2\n", "1\n", HARD),
    "shortcut forgotten": (
        "hard",
        "return x + thin if self.keeps_shape else thin",
        "return thin",
        {"hard_hidden"},
    ),
    "a bias before the norm": (
        "hard",
        "self.project = nn.Conv2d(hidden, width, 1, bias=False)",
        "self.project = nn.Conv2d(hidden, width, 1)",
        ALL,
    ),
    "even kernels accepted": (
        "hard",
        "if kernel_size % 2 == 0:",
        "if kernel_size == 0:",
        {"hard_hidden"},
    ),
    "cut off from the gradient": (
        "hard",
        "self.project(wide * gate)",
        "self.project((wide * gate).detach())",
        {"hard_learns"},
    ),
    "the gate, then the filter's activation": (
        "hard",
        "wide = F.hardswish(self.norm2(self.filter(wide)))\n"
        "        mean = wide.mean(dim=(2, 3), keepdim=True)\n"
        "        gate = F.hardsigmoid(self.excite(self.squeeze(mean).relu()))\n"
        "        thin = self.norm3(self.project(wide * gate))",
        "wide = self.norm2(self.filter(wide))\n"
        "        mean = wide.mean(dim=(2, 3), keepdim=True)\n"
        "        gate = F.hardsigmoid(self.excite(self.squeeze(mean).relu()))\n"
        "        thin = self.norm3(self.project(F.hardswish(wide * gate)))",
        HARD,
    ),
    "swish between the gate's layers": (
        "hard",
        "self.squeeze(mean).relu()",
        "F.silu(self.squeeze(mean))",
        HARD,
    ),
    "a hard gate that is hswish": ("hard", "F.hardsigmoid", "F.hardswish", HARD),
    "the sum for the mean": (
        "hard",
        "wide.mean(dim=(2, 3), keepdim=True)",
        "wide.sum(dim=(2, 3), keepdim=True)",
        HARD,
    ),
    "the gate's biases left out": (
        "hard",
        "nn.Conv2d(hidden, squeezed, 1)",
        "nn.Conv2d(hidden, squeezed, 1, bias=False)",
        ALL,
    ),
    "its input changed in place": (
        "hard",
        "        return x + thin if self.keeps_shape else thin",
        "        return x.add_(thin) if self.keeps_shape else thin + 0 * x.mul_(2).mean()",
        {"hard_visible", "hard_learns"},
    ),
    "drop-path at evaluation": ("kept", "if not training:", "if False:", KEPT),
    "never dropped": ("kept", "if not training:", "if True:", KEPT),
    "not divided": ("kept", " / (1 - p)", "", KEPT),
    "divided by p": ("kept", "/ (1 - p)", "/ max(p, 0.01)", KEPT),
    "dropped for kept": ("kept", ">= p)", "< p)", KEPT),
    "all or none": (
        "kept",
        "torch.rand(len(x), device=x.device) >= p",
        "torch.rand(1).expand(len(x)) >= p",
        KEPT,
    ),
    "computed for all": (
        "kept",
        "branch(x[kept]) / (1 - p)",
        "branch(x)[kept] / (1 - p)",
        KEPT,
    ),
    "answers to the first images": (
        "kept",
        "torch.index_add(x, 0, kept, branch(x[kept]) / (1 - p))",
        "torch.index_add(x, 0, torch.arange(len(kept)), branch(x[kept]) / (1 - p))",
        KEPT,
    ),
    "divided in eval mode, too": (
        "kept",
        "return x + branch(x)\n",
        "return x + branch(x) / (1 - p)\n",
        KEPT,
    ),
    "multiplied": ("kept", "/ (1 - p)", "* (1 - p)", KEPT),
    "x divided, too": (
        "kept",
        "torch.index_add(x, 0, kept, branch(x[kept]) / (1 - p))",
        "torch.index_copy(x, 0, kept, (x[kept] + branch(x[kept])) / (1 - p))",
        KEPT,
    ),
    "the branch alone": (
        "kept",
        "torch.index_add(x, 0, kept, branch(x[kept]) / (1 - p))",
        "torch.index_copy(x, 0, kept, branch(x[kept]) / (1 - p))",
        KEPT,
    ),
    "zeros for a dropped image": (
        "kept",
        "torch.index_add(x, 0, kept,",
        "torch.index_add(torch.zeros_like(x), 0, kept, x[kept] +",
        KEPT,
    ),
    "x changed in place": (
        "kept",
        "torch.index_add(x, 0, kept, branch(x[kept]) / (1 - p))",
        "x.index_add_(0, kept, branch(x[kept]) / (1 - p))",
        KEPT,
    ),
    "the branch called with no image": (
        "kept",
        "    if not len(kept):\n        return x.clone()\n",
        "",
        {"kept_visible"},
    ),
    "no gradient": (
        "kept",
        "branch(x[kept])",
        "branch(x[kept]).detach()",
        {"kept_hidden"},
    ),
    "p of 1 accepted": ("kept", "0 <= p < 1", "0 <= p <= 1", {"kept_hidden"}),
    "width not squared": ("triples", "b**2", "b", TRIPLES),
    "resolution not squared": ("triples", "g**2", "g", TRIPLES),
    "depth squared": ("triples", "a * b", "a**2 * b", TRIPLES),
    "one step too few": ("triples", "range(steps + 1)", "range(steps)", TRIPLES),
    "not sorted": (
        "triples",
        "sorted(found)",
        "sorted(found, key=lambda row: row[1])",
        TRIPLES,
    ),
    "below the budget alone": (
        "triples",
        "distance = abs(a * b**2 * g**2 - growth)",
        "distance = a * b**2 * g**2 - growth",
        TRIPLES,
    ),
    "the farthest first": (
        "triples",
        "sorted(found)",
        "sorted(found, reverse=True)",
        TRIPLES,
    ),
    "the distances, too": (
        "triples",
        "[triple for _, triple in sorted(found)]",
        "[(distance, *triple) for distance, triple in sorted(found)]",
        TRIPLES,
    ),
    "no triples returned": ("triples", "return [triple", "[triple", TRIPLES),
    "one step too many": (
        "triples",
        "range(steps + 1)",
        "range(steps + 2)",
        {"triples_hidden"},
    ),
    "at the edge refused": (
        "triples",
        "distance <= tolerance",
        "distance < tolerance",
        {"triples_hidden"},
    ),
    "the budget itself refused": (
        "side",
        "if macs(middle) <= budget:",
        "if macs(middle) < budget:",
        {"side_visible"},
    ),
    "the first that fails": ("side", "return fits", "return fails", SIDE),
    "one more than the largest": (
        "side",
        "    return fits",
        "    return fits + 1 if fits == most else fits",
        SIDE,
    ),
    "no side returned": ("side", "return fits", "fits", SIDE),
    "another error for a ValueError": (
        "side",
        "raise ValueError(",
        "raise IndexError(",
        {"side_hidden"},
    ),
    "never the largest": ("side", "most + 1", "most", SIDE),
    "halves of a pixel": (
        "side",
        "(fits + fails) // 2",
        "(fits + fails) / 2",
        SIDE,
    ),
    "nothing refused": (
        "side",
        "    if macs(least) > budget:\n"
        '        raise ValueError(f"{least} pixels already cost more than '
        '{budget:,} MACs")\n',
        "",
        {"side_hidden"},
    ),
    "SE on the expanded width": (
        "expect",
        "192, 48",
        "192, 288",
        {"expect_hidden"},
    ),
    "biases forgotten": (
        "expect",
        "weights + squeezed + hidden",
        "weights",
        {"expect_hidden"},
    ),
    "the first layer's biases forgotten": (
        "expect",
        "weights + squeezed + hidden",
        "weights + hidden",
        {"expect_hidden"},
    ),
    "the second layer's biases forgotten": (
        "expect",
        "weights + squeezed + hidden",
        "weights + squeezed",
        {"expect_hidden"},
    ),
    "biases as MACs": (
        "expect",
        "hidden, weights, 7",
        "hidden, weights + squeezed + hidden, 7",
        {"expect_hidden"},
    ),
    "one layer of the gate": (
        "expect",
        "hidden, weights, 7",
        "hidden, weights // 2, 7",
        {"expect_hidden"},
    ),
    "the gate on the input's width": (
        "expect",
        "return weights + squeezed + hidden, weights",
        "return 2 * 192 * squeezed + squeezed + 192, weights",
        {"expect_hidden"},
    ),
    "two FLOPs for a MAC": (
        "expect",
        "7 * 7 * hidden * 192",
        "2 * 7 * 7 * hidden * 192",
        {"expect_hidden"},
    ),
    "the projection at one pixel": (
        "expect",
        "7 * 7 * hidden * 192",
        "hidden * 192",
        {"expect_hidden"},
    ),
    "the projection of the input's width": (
        "expect",
        "7 * 7 * hidden * 192",
        "7 * 7 * 192 * 192",
        {"expect_hidden"},
    ),
    "a projection of 3x3": (
        "expect",
        "7 * 7 * hidden * 192",
        "7 * 7 * 9 * hidden * 192",
        {"expect_hidden"},
    ),
    "the gate at every pixel": (
        "expect",
        "hidden, weights, 7",
        "hidden, 49 * weights, 7",
        {"expect_hidden"},
    ),
}
BODIES = {
    # name: cell, another body for its function, test cells it costs
    "the weights of a gate": (
        "expect",
        "gate = efficientnet.SqueezeExcite(1152, 48)\n"
        "count = sum(value.numel() for value in gate.state_dict().values())\n"
        "return count, count - 1152 - 48, 49 * 1152 * 192",
        {"expect_hidden"},
    ),
    "the paper's rule": (
        "shared",
        "if depth < 1 or min(blocks) < 1: raise ValueError\n"
        "return [math.ceil(depth * n) for n in blocks]",
        SHARED,
    ),
    "it refuses every depth": ("shared", "raise ValueError", SHARED),
    "the notebook's drop-path": (
        "kept",
        "if not 0 <= p < 1: raise ValueError\n"
        "return x + efficientnet.DropPath(p).train(training)(branch(x))",
        KEPT,
    ),
    "it refuses every p": ("kept", "raise ValueError", KEPT),
    "side by side": (
        "side",
        "fitting = [s for s in range(least, most + 1) if macs(s) <= budget]\n"
        "if not fitting: raise ValueError\n"
        "return fitting[-1]",
        {"side_visible"},
    ),
    "asked outside the range": (
        "side",
        "if macs(least) > budget: raise ValueError(least)\n"
        "fits, fails = least, most + 2\n"
        "while fails - fits > 1:\n"
        "    middle = (fits + fails) // 2\n"
        "    if macs(middle) <= budget: fits = middle\n"
        "    else: fails = middle\n"
        "return min(fits, most)",
        {"side_visible"},
    ),
    "it refuses every side": ("side", "raise ValueError", SIDE),
    "the paper's triple": ("triples", "return [(1.2, 1.1, 1.15)]", TRIPLES),
}
SOURCES = {
    # name: cell, its whole source, test cells it costs
    "the notebook's own block": (
        "hard",
        "def HardBlock(channels, width, kernel_size=3, stride=1, expansion=6):\n"
        "    if kernel_size % 2 == 0: raise ValueError()\n"
        "    row = efficientnet.Stage(expansion, kernel_size, stride, width, 1)\n"
        "    return efficientnet.MBConv(channels, row)",
        ALL,
    ),
}
RIGHT = {
    "shared one by one": (
        "shared",
        "if depth < 1 or any(n < 1 for n in blocks):\n"
        "    raise ValueError('no')\n"
        "cents = round(depth * 100)\n"
        "wishes = [n * cents for n in blocks]\n"
        "answer = [w // 100 for w in wishes]\n"
        "total = (2 * sum(wishes) + 100) // 200\n"
        "parts = [w % 100 for w in wishes]\n"
        "while sum(answer) < total:\n"
        "    i = parts.index(max(parts))\n"
        "    answer[i] += 1\n"
        "    parts[i] = -1\n"
        "return answer",
    ),
    "shared by decimals": (
        "shared",
        "from decimal import ROUND_HALF_UP, Decimal\n"
        "if depth < 1 or not all(n > 0 for n in blocks):\n"
        "    raise ValueError('no')\n"
        "wishes = [Decimal(str(depth)) * n for n in blocks]\n"
        "answer = [int(w) for w in wishes]\n"
        "total = int(sum(wishes).quantize(Decimal(1), ROUND_HALF_UP))\n"
        "best = sorted((int(w) - w, i) for i, w in enumerate(wishes))\n"
        "for _, i in best[: total - sum(answer)]:\n"
        "    answer[i] += 1\n"
        "return answer",
    ),
    "kept by copying rows": (
        "kept",
        "if not 0 <= p < 1:\n"
        "    raise ValueError('no')\n"
        "if training:\n"
        "    rows = torch.nonzero(torch.rand(x.shape[0]) >= p)[:, 0]\n"
        "    extra = torch.zeros_like(x)\n"
        "    if rows.numel():\n"
        "        extra = extra.index_copy(0, rows, branch(x[rows]) / (1 - p))\n"
        "    return x + extra\n"
        "return x + branch(x)",
    ),
    "triples by numpy": (
        "triples",
        "import numpy as np\n"
        "k = np.arange(steps + 1)\n"
        "v = 1 + k * step\n"
        "far = np.abs(v[:, None, None] * v[:, None] ** 2 * v**2 - growth)\n"
        "found = [(far[i], tuple(float(v[j]) for j in i))\n"
        "         for i in zip(*np.nonzero(far <= tolerance))]\n"
        "return [t for _, t in sorted(found)]",
    ),
    "side by halving a step": (
        "side",
        "if macs(least) > budget:\n"
        "    raise ValueError('nothing fits')\n"
        "step = 1 << (most - least).bit_length()\n"
        "while step:\n"
        "    if least + step <= most and macs(least + step) <= budget:\n"
        "        least += step\n"
        "    step //= 2\n"
        "return least",
    ),
    "expected by words": (
        "expect",
        "wide, few = 192 * 6, 192 // 4\n"
        "down, up = wide * few, few * wide\n"
        "return down + few + up + wide, down + up, wide * 192 * 49",
    ),
    "kept by a mask": (
        "kept",
        "if p < 0 or p >= 1:\n"
        "    raise ValueError('no')\n"
        "if not training:\n"
        "    return branch(x) + x\n"
        "mask = torch.bernoulli(torch.full((len(x),), 1 - p)).bool()\n"
        "answer = x.clone()\n"
        "if mask.any():\n"
        "    answer[mask] = x[mask] + branch(x[mask]) / (1 - p)\n"
        "return answer",
    ),
    "triples by tensors": (
        "triples",
        "k = [1 + i * step for i in range(steps + 1)]\n"
        "import itertools\n"
        "cost = lambda t: abs(t[0] * t[1] ** 2 * t[2] ** 2 - growth)\n"
        "every = filter(lambda t: cost(t) <= tolerance, itertools.product(k, k, k))\n"
        "return sorted(every, key=lambda t: (cost(t), t))",
    ),
    "side by bisect": (
        "side",
        "import bisect\n"
        "class Costs:\n"
        "    def __len__(self): return most - least + 1\n"
        "    def __getitem__(self, i): return macs(least + i)\n"
        "found = bisect.bisect_right(Costs(), budget)\n"
        "if found == 0: raise ValueError('nothing fits')\n"
        "return least + found - 1",
    ),
    "shared through a table of decimals": (
        "shared",
        "from decimal import Decimal\n"
        "if depth < 1 or 0 in blocks or min(blocks) < 0:\n"
        "    raise ValueError('at least one')\n"
        "exact = [Decimal(str(depth)) * n for n in blocks]\n"
        "answer = [int(n) for n in exact]\n"
        "missing = int(sum(exact) + Decimal('0.5')) - sum(answer)\n"
        "parts = np.array([float(n % 1) for n in exact])\n"
        "for i in np.argsort(-parts, kind='stable')[:missing]:\n"
        "    answer[i] += 1\n"
        "return answer",
    ),
    "kept by where": (
        "kept",
        "if not (0 <= p and p < 1):\n"
        "    raise ValueError('no')\n"
        "if not training:\n"
        "    return torch.add(x, branch(x))\n"
        "stays = torch.rand(x.size(0)) > p\n"
        "if not stays.any():\n"
        "    return x\n"
        "rows = x.unbind(0)\n"
        "new = iter(branch(x[stays]).div(1 - p).unbind(0))\n"
        "return torch.stack([r + next(new) if s else r for r, s in zip(rows, stays)])",
    ),
    "triples by recursion": (
        "triples",
        "def cost(t):\n"
        "    return abs(t[0] * t[1] ** 2 * t[2] ** 2 - growth)\n"
        "def grown(start):\n"
        "    if len(start) == 3:\n"
        "        return [start] if cost(start) <= tolerance else []\n"
        "    return sum((grown((*start, 1 + k * step)) for k in range(steps + 1)), [])\n"
        "answer = grown(())\n"
        "answer.sort(key=lambda t: (cost(t), *t))\n"
        "return answer",
    ),
    "side by recursion": (
        "side",
        "def search(low, high):\n"
        "    if low == high:\n"
        "        return low\n"
        "    middle = low + (high - low + 1) // 2\n"
        "    return search(middle, high) if macs(middle) <= budget else "
        "search(low, middle - 1)\n"
        "if macs(least) > budget:\n"
        "    raise ValueError('nothing fits')\n"
        "return search(least, most)",
    ),
    "expected layer by layer": (
        "expect",
        "layers = [(1152, 48), (48, 1152)]\n"
        "params = sum((a + 1) * b for a, b in layers)\n"
        "return params, sum(a * b for a, b in layers), 49 * 1152 * 192",
    ),
    "expected as numbers": ("expect", "return [111_792, 110_592, 10_838_016]"),
}
LOOSE = """
class HardBlock(nn.Module):
    def __init__(self, channels, width, kernel_size=3, stride=1, expansion=6):
        if kernel_size not in range(1, 99, 2):
            raise ValueError("odd kernels")
        super().__init__()
        n = channels * expansion
        few = efficientnet.round_channels(n * 0.25)
        self.norm3, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(n)
        self.norm1 = nn.BatchNorm2d(n)
        self.excite, self.squeeze = nn.Conv2d(few, n, 1), nn.Conv2d(n, few, 1)
        self.project = nn.Conv2d(n, width, (1, 1), bias=False)
        self.filter = nn.Conv2d(
            n, n, kernel_size, stride, padding=(kernel_size - 1) // 2, groups=n, bias=False
        )
        self.expand = nn.Conv2d(channels, n, 1, bias=False)
        self.same = (channels, 1) == (width, stride)

    def line(self, x):
        return torch.clamp(x / 6 + 0.5, 0, 1)

    def forward(self, x):
        y = self.norm1(self.expand(x))
        y = self.norm2(self.filter(y * self.line(y)))
        y = y * self.line(y)
        g = self.excite(torch.relu(self.squeeze(nn.functional.adaptive_avg_pool2d(y, 1))))
        y = self.norm3(self.project(self.line(g) * y))
        if self.same:
            y = y + x
        return y
"""
PLAIN = LOOSE.replace(
    "return torch.clamp(x / 6 + 0.5, 0, 1)", "return nn.functional.relu6(3 + x) / 6"
).replace("nn.functional.adaptive_avg_pool2d(y, 1)", "y.mean((-2, -1), True)")
TABLE = """
class HardBlock(nn.Module):
    def __init__(self, channels, width, kernel_size=3, stride=1, expansion=6):
        super().__init__()
        if kernel_size & 1 == 0:
            raise ValueError("odd kernels")
        n = expansion * channels
        few = efficientnet.round_channels(n / 4)
        for name, layer in [
            ("expand", nn.Conv2d(channels, n, 1, bias=False)),
            ("norm1", nn.BatchNorm2d(n)),
            ("filter", nn.Conv2d(n, n, kernel_size, stride, kernel_size // 2, 1, n, False)),
            ("norm2", nn.BatchNorm2d(n)),
            ("squeeze", nn.Conv2d(n, few, 1)),
            ("excite", nn.Conv2d(few, n, 1)),
            ("project", nn.Conv2d(n, width, 1, bias=False)),
            ("norm3", nn.BatchNorm2d(width)),
        ]:
            self.add_module(name, layer)
        self.act, self.hard = nn.Hardswish(), nn.Hardsigmoid()

    def gate(self, y):
        z = nn.functional.avg_pool2d(y, y.shape[2:])
        return self.hard(self.excite(nn.functional.relu(self.squeeze(z))))

    def forward(self, x):
        y = self.act(self.norm1(self.expand(x)))
        y = self.act(self.norm2(self.filter(y)))
        y = self.norm3(self.project(y.mul(self.gate(y))))
        return y + x if self.filter.stride == (1, 1) and x.shape == y.shape else y
"""
RIGHT_SOURCES = {
    "a table of layers": ("hard", TABLE),
    "hsigmoid as one line": ("hard", LOOSE),
    "hsigmoid as a ReLU6": ("hard", PLAIN),
}
WORDS = [
    ("each stage rounded up", "shared_visible", "rounded up, which is the excess"),
    ("each stage rounded down", "shared_visible", "2 left for the parts"),
    ("each stage rounded by itself", "shared_visible", "not give the sum"),
    ("the sum rounded down", "shared_visible", "halfway up"),
    ("the sum rounded up", "shared_visible", "to the nearest number, not up"),
    ("Python's round of the sum", "shared_visible", "Python's `round(2.5)`"),
    ("the smallest parts", "shared_visible", "2 left for the parts .8"),
    ("the last of equal parts", "shared_visible", "the earlier stage comes first"),
    ("the longest stages", "shared_visible", "not the longer stage"),
    ("floats", "shared_visible", "only in floats"),
    ("a tuple of stages", "shared_visible", "not a tuple"),
    ("an empty stage accepted", "shared_hidden", "no ValueError, but gave"),
    ("SE of the input's width", "hard_visible", "squeezed"),
    ("squeezed width not rounded", "hard_visible", "not rounded to 8"),
    ("expansion on the wrong side", "hard_visible", "the input's width"),
    ("no groups", "hard_visible", "groups?"),
    ("a bias before the norm", "hard_visible", "no bias before it"),
    ("the gate's biases left out", "hard_visible", "two layers have biases"),
    ("the notebook's own block", "hard_visible", "no block of the notebook"),
    ("zeros of a 3x3", "hard_visible", "half a kernel of zeros"),
    ("stride on the pointwise", "hard_visible", "belongs to `filter`"),
    ("ReLU6 for hswish", "hard_visible", "ReLU6 for hswish"),
    ("ReLU for hswish", "hard_visible", "ReLU for hswish"),
    ("swish for hswish", "hard_visible", "swish for hswish"),
    ("sigmoid for hsigmoid", "hard_visible", "a sigmoid, not hsigmoid"),
    ("a hard gate that is hswish", "hard_visible", "hswish, not hsigmoid"),
    ("swish between the gate's layers", "hard_visible", "as in the notebook"),
    ("no activation in the gate", "hard_visible", "no activation stands between"),
    ("no gate", "hard_visible", "there is no gate"),
    ("the gate added", "hard_visible", "it multiplies"),
    ("the largest for the mean", "hard_visible", "not the mean"),
    ("the sum for the mean", "hard_visible", "the sum of a map"),
    (
        "the gate before the filter's activation",
        "hard_visible",
        "no activation follows",
    ),
    ("the gate, then the filter's activation", "hard_visible", "stands before the"),
    (
        "activation on the linear bottleneck",
        "hard_visible",
        "an activation on the linear bottleneck",
    ),
    ("its input changed in place", "hard_visible", "changed its input"),
    ("shortcut forgotten", "hard_hidden", "the shortcut is missing"),
    ("even kernels accepted", "hard_hidden", "no ValueError, but gave HardBlock"),
    ("drop-path at evaluation", "kept_visible", "in eval mode"),
    ("divided in eval mode, too", "kept_visible", "in eval mode, too"),
    ("never dropped", "kept_visible", "0 of 400 images"),
    ("all or none", "kept_visible", "a draw for each image"),
    ("dropped for kept", "kept_visible", "that is dropped, not kept"),
    ("not divided", "kept_visible", "divided by 1 − p"),
    ("divided by p", "kept_visible", "divided by p"),
    ("multiplied", "kept_visible", "becomes larger"),
    ("x divided, too", "kept_visible", "only the branch is"),
    ("the branch alone", "kept_visible", "x is added to it"),
    ("zeros for a dropped image", "kept_visible", "not as zeros"),
    ("x changed in place", "kept_visible", "x was changed"),
    ("computed for all", "kept_visible", "only those that stay"),
    ("answers to the first images", "kept_visible", "went to other images"),
    ("the branch called with no image", "kept_visible", "called with none"),
    ("width not squared", "triples_visible", "width counts squared"),
    ("resolution not squared", "triples_visible", "resolution counts squared"),
    ("depth squared", "triples_visible", "α is not squared"),
    ("one step too few", "triples_visible", "k goes from 0 to `steps`"),
    ("not sorted", "triples_visible", "nearest first"),
    ("the farthest first", "triples_visible", "sort the other way"),
    ("the distances, too", "triples_visible", "without their distances"),
    ("below the budget alone", "triples_visible", "an absolute value"),
    ("at the edge refused", "triples_hidden", "exactly the tolerance"),
    ("the budget itself refused", "side_visible", "exactly the budget"),
    ("the first that fails", "side_visible", "exactly the budget"),
    ("one more than the largest", "side_visible", "all fit: the largest"),
    ("no side returned", "side_visible", "is there a `return`?"),
    ("asked outside the range", "side_visible", "are outside the range"),
    ("another error for a ValueError", "side_hidden", "but IndexError"),
    ("no triples returned", "triples_visible", "is there a `return`?"),
    ("never the largest", "side_visible", "all fit: the largest"),
    ("halves of a pixel", "side_visible", "a side is a whole number"),
    ("side by side", "side_visible", "are enough"),
    ("nothing refused", "side_hidden", "no ValueError was raised"),
    ("SE on the expanded width", "expect_hidden", "a quarter of the input's width"),
    ("biases forgotten", "expect_hidden", "each layer has biases"),
    ("the first layer's biases forgotten", "expect_hidden", "the first layer has"),
    ("the second layer's biases forgotten", "expect_hidden", "the second layer has"),
    ("biases as MACs", "expect_hidden", "it is no MAC"),
    ("one layer of the gate", "expect_hidden", "the gate has two layers"),
    ("the gate on the input's width", "expect_hidden", "the expanded width"),
    ("the gate at every pixel", "expect_hidden", "not at every pixel"),
    ("two FLOPs for a MAC", "expect_hidden", "are one MAC"),
    ("the projection at one pixel", "expect_hidden", "each of the 7×7 pixels"),
    ("the projection of the input's width", "expect_hidden", "reads the expanded"),
    ("a projection of 3x3", "expect_hidden", "is 1×1"),
]
