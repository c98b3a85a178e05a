"""Wrong and right answers to a09_xception, and what each is worth."""

WIDEST = {"widest_visible", "widest_hidden"}
SEGMENTED = {"segmented_visible", "segmented_hidden"}
ALL = SEGMENTED | {"segmented_learns"}
NEAREST = {"nearest_visible", "nearest_hidden"}
FOLDED = {"folded_visible", "folded_hidden"}
MISTAKES = {
    # name: cell, what stands there, what stands there instead, test cells it costs
    "below the budget": (
        "widest",
        "max(budget, 0)",
        "max(budget - 1, 0)",
        WIDEST,
    ),
    "nine times, not divided by the segments": (
        "widest",
        "36 * segments * max",
        "36 * segments**2 * max",
        WIDEST,
    ),
    "not a multiple": (
        "widest",
        "segments * ((root - mixed) // (18 * segments))",
        "(root - mixed) // 18",
        WIDEST,
    ),
    "a root with rounding errors": (
        "widest",
        "math.isqrt(mixed**2 + 36 * segments * max(budget, 0))",
        "math.floor((mixed**2 + 36 * segments * max(budget, 0)) ** 0.5 + 0.5)",
        {"widest_hidden"},
    ),
    "no mixing": (
        "widest",
        "mixed = channels * segments",
        "mixed = 0",
        WIDEST,
    ),
    "a segment a channel without its mixing": (
        "widest",
        "budget // (channels + 9)",
        "budget // 9",
        WIDEST,
    ),
    "rounded up": (
        "widest",
        "(root - mixed) // (18 * segments)",
        "-((mixed - root) // (18 * segments))",
        WIDEST,
    ),
    "nothing fits and nothing is said": (
        "widest",
        "if width < 1:",
        "if width < 0:",
        {"widest_hidden"},
    ),
    "no channels accepted": (
        "widest",
        "if channels < 1 or (segments",
        "if (segments",
        {"widest_hidden"},
    ),
    "the mixing in segments, too": (
        "widest",
        "mixed = channels * segments",
        "mixed = channels",
        WIDEST,
    ),
    "a float": (
        "widest",
        "    return width",
        "    return float(width)",
        {"widest_visible"},
    ),
    "activation between": (
        "segmented",
        "self.mix(x).split",
        "F.relu(self.mix(x)).split",
        SEGMENTED,
    ),
    "no norm": (
        "segmented",
        "F.relu(self.norm(torch.cat(filtered, dim=1)))",
        "F.relu(torch.cat(filtered, dim=1))",
        ALL,
    ),
    "no ReLU": (
        "segmented",
        "return F.relu(self.norm(torch.cat(filtered, dim=1)))",
        "return self.norm(torch.cat(filtered, dim=1))",
        SEGMENTED,
    ),
    "norm after the ReLU": (
        "segmented",
        "F.relu(self.norm(torch.cat(filtered, dim=1)))",
        "self.norm(F.relu(torch.cat(filtered, dim=1)))",
        SEGMENTED,
    ),
    "swish for ReLU": (
        "segmented",
        "return F.relu(",
        "return F.silu(",
        SEGMENTED,
    ),
    "depthwise filters": (
        "segmented",
        "padding=size // 2, bias=False",
        "padding=size // 2, groups=width, bias=False",
        ALL,
    ),
    "padding of a 3×3": (
        "segmented",
        "padding=size // 2",
        "padding=1",
        ALL,
    ),
    "a bias before the norm": (
        "segmented",
        "self.mix = nn.Conv2d(channels, sum(self.widths), 1, bias=False)",
        "self.mix = nn.Conv2d(channels, sum(self.widths), 1)",
        ALL,
    ),
    "every kernel 3×3": (
        "segmented",
        "nn.Conv2d(width, width, size, padding=size // 2, bias=False)",
        "nn.Conv2d(width, width, 3, padding=1, bias=False)",
        ALL,
    ),
    "segments side by side in space": (
        "segmented",
        "torch.cat(filtered, dim=1)",
        "torch.cat(filtered, dim=-1)",
        ALL,
    ),
    "segments in the wrong order": (
        "segmented",
        "        filtered = [layer(part) for layer, part in "
        "zip(self.filters, parts, strict=True)]",
        "        parts = self.mix(x).split(self.widths[::-1], dim=1)[::-1]\n"
        "        filtered = [layer(p) for layer, p in zip(self.filters, parts)]",
        SEGMENTED,
    ),
    "its input changed in place": (
        "segmented",
        "        parts = self.mix(x)",
        "        x.sub_(1)\n        parts = self.mix(x)",
        ALL,
    ),
    "filters of the whole map": (
        "segmented",
        "nn.Conv2d(width, width, size,",
        "nn.Conv2d(sum(self.widths), width, size,",
        ALL,
    ),
    "cut off from the gradient": (
        "segmented",
        "self.mix(x).split(",
        "self.mix(x).detach().split(",
        {"segmented_learns"},
    ),
    "even kernels accepted": (
        "segmented",
        " or size % 2 == 0",
        "",
        {"segmented_hidden"},
    ),
    "no segment accepted": (
        "segmented",
        "if not segments or any",
        "if any",
        {"segmented_hidden"},
    ),
    "singular values forgotten": (
        "nearest",
        "(left * values[:, None])",
        "left",
        NEAREST,
    ),
    "singular values twice": (
        "nearest",
        "filters = right[:, :patterns]",
        "filters = values[:, :patterns, None] * right[:, :patterns]",
        NEAREST,
    ),
    "rows in another order": (
        "nearest",
        "[..., :patterns].transpose(1, 2)",
        "[..., :patterns]",
        NEAREST,
    ),
    "one pattern for all": (
        "nearest",
        "torch.linalg.svd(weight.flatten(2), full_matrices=False)",
        "torch.linalg.svd(weight.mean(0, keepdim=True).expand_as(weight).flatten(2), "
        "full_matrices=False)",
        NEAREST,
    ),
    "rows by pattern, then by output": (
        "nearest",
        "mix.reshape(N * patterns, M, 1, 1)",
        "mix.transpose(0, 1).reshape(N * patterns, M, 1, 1)",
        NEAREST,
    ),
    "mix without its pixels": (
        "nearest",
        "mix.reshape(N * patterns, M, 1, 1)",
        "mix.reshape(N * patterns, M)",
        NEAREST,
    ),
    "the weight changed in place": (
        "nearest",
        "    left, values, right",
        "    weight -= weight.mean()\n    left, values, right",
        NEAREST,
    ),
    "only the channels limit": (
        "nearest",
        "patterns <= min(M, K * K)",
        "patterns <= M",
        {"nearest_hidden"},
    ),
    "no pattern accepted": (
        "nearest",
        "not 1 <= patterns",
        "not 0 <= patterns",
        {"nearest_hidden"},
    ),
    "with gradients": ("nearest", "@torch.no_grad()\n", "", {"nearest_hidden"}),
    "epsilon forgotten": (
        "folded",
        "norm.running_var + norm.eps",
        "norm.running_var",
        FOLDED,
    ),
    "the usual epsilon": (
        "folded",
        "norm.eps)",
        "1e-5)",
        FOLDED,
    ),
    "no root": (
        "folded",
        "torch.sqrt(norm.running_var + norm.eps)",
        "(norm.running_var + norm.eps)",
        FOLDED,
    ),
    "the norm left out": (
        "folded",
        "scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)",
        "scale = torch.ones_like(norm.weight)",
        FOLDED,
    ),
    "gamma forgotten": (
        "folded",
        "scale = norm.weight / ",
        "scale = 1 / ",
        FOLDED,
    ),
    "a kernel that is flipped": (
        "folded",
        "depthwise.weight.transpose(0, 1)",
        "depthwise.weight.transpose(0, 1).flip(2, 3)",
        FOLDED,
    ),
    "the mean added": (
        "folded",
        "norm.bias - scale",
        "norm.bias + scale",
        FOLDED,
    ),
    "the mean not scaled": (
        "folded",
        "norm.bias - scale * norm.running_mean",
        "norm.bias - norm.running_mean",
        FOLDED,
    ),
    "beta alone": (
        "folded",
        "norm.bias - scale * norm.running_mean",
        "norm.bias",
        FOLDED,
    ),
    "no padding": ("folded", "3, padding=1)", "3)", FOLDED),
    "always float32": (
        "folded",
        "conv.to(kernel.dtype)",
        "conv.to(torch.float32)",
        {"folded_hidden"},
    ),
    "train mode accepted": (
        "folded",
        "if norm.training:",
        "if False:",
        {"folded_visible"},
    ),
    "the layer emptied": (
        "folded",
        "    return conv",
        "    norm.running_mean.zero_()\n    return conv",
        FOLDED,
    ),
    "norms counted": (
        "expect",
        "mix, filters = 728 * 728,",
        "mix, filters = 728 * 728 + 2 * 728,",
        {"expect_hidden"},
    ),
    "one layer": ("expect", "3 * (9 * 728", "(9 * 728", {"expect_hidden"}),
    "the pointwise forgotten": (
        "expect",
        "3 * (9 * 728 + mix)",
        "3 * 9 * 728",
        {"expect_hidden"},
    ),
    "the depthwise forgotten": (
        "expect",
        "3 * (9 * 728 + mix)",
        "3 * mix",
        {"expect_hidden"},
    ),
    "biases counted": (
        "expect",
        "3 * (9 * 728 + mix)",
        "3 * (9 * 728 + mix + 728)",
        {"expect_hidden"},
    ),
    "a 1x1 before the full one": (
        "expect",
        "3 * filters",
        "3 * (mix + filters)",
        {"expect_hidden"},
    ),
    "segments without their 1x1": (
        "expect",
        "(mix + filters // 4)",
        "(filters // 4)",
        {"expect_hidden"},
    ),
    "the 1x1 in segments, too": (
        "expect",
        "(mix + filters // 4)",
        "((mix + filters) // 4)",
        {"expect_hidden"},
    ),
    "a sixteenth for four segments": (
        "expect",
        "filters // 4",
        "filters // 16",
        {"expect_hidden"},
    ),
    "four segments are four times as many": (
        "expect",
        "filters // 4",
        "filters * 4",
        {"expect_hidden"},
    ),
}
BODIES = {
    # name: cell, another body for its function, test cells it costs
    "the notebook's widths": (
        "widest",
        "return xception.WIDTHS['all' if segments is None else segments]",
        WIDEST,
    ),
    "the filters' segments forgotten": (
        "widest",
        "if segments is None:\n"
        "    return max(1, budget // (channels + 9))\n"
        "width = (math.isqrt(channels**2 + 36 * budget) - channels) // 18\n"
        "if width < segments:\n"
        "    raise ValueError\n"
        "return width // segments * segments",
        WIDEST,
    ),
    "it refuses every budget": ("widest", "raise ValueError", WIDEST),
    "the smallest patterns": (
        "nearest",
        "N, M, K, _ = weight.shape\n"
        "if not 1 <= patterns <= min(M, K * K):\n"
        "    raise ValueError\n"
        "left, values, right = torch.linalg.svd(weight.flatten(2), full_matrices=False)\n"
        "mix = (left * values[:, None])[..., -patterns:].transpose(1, 2)\n"
        "filters = right[:, -patterns:]\n"
        "return (mix.reshape(N * patterns, M, 1, 1),\n"
        "        filters.reshape(N, patterns, K, K))",
        {"nearest_visible", "nearest_hidden"},
    ),
    "the notebook's order": (
        "nearest",
        "N, M, K, _ = weight.shape\n"
        "if not 1 <= patterns <= min(M, K * K):\n"
        "    raise ValueError\n"
        "by_input = weight.transpose(0, 1).flatten(2)\n"
        "left, values, right = torch.linalg.svd(by_input, full_matrices=False)\n"
        "mix = (left * values[:, None])[..., :patterns].permute(1, 2, 0)\n"
        "filters = right[:, :patterns].mean(0, keepdim=True).expand(N, -1, -1)\n"
        "return (mix.reshape(N * patterns, M, 1, 1),\n"
        "        filters.reshape(N, patterns, K, K))",
        NEAREST,
    ),
    "the first channels": (
        "nearest",
        "N, M, K, _ = weight.shape\n"
        "if not 1 <= patterns <= min(M, K * K):\n"
        "    raise ValueError\n"
        "mix = torch.eye(M).to(weight)[:patterns].repeat(N, 1)\n"
        "return mix.view(-1, M, 1, 1), weight[:, :patterns]",
        NEAREST,
    ),
    "it refuses every kernel": ("nearest", "raise ValueError", NEAREST),
    "a sequence of two": (
        "folded",
        "if layer.training:\n    raise ValueError\nreturn layer[:2]",
        FOLDED,
    ),
    "the layer itself": (
        "folded",
        "if layer.training:\n    raise ValueError\nreturn layer",
        FOLDED,
    ),
    "the counter": (
        "expect",
        "found = []\n"
        "for some in ([(1, 1), (3, 728)], [(3, 1)], [(1, 1), (3, 4)]):\n"
        "    with torch.device('meta'):\n"
        "        convs = [nn.Conv2d(728, 728, k, groups=g) for k, g in some]\n"
        "    found.append(3 * sum(c.weight.numel() for c in convs))\n"
        "return tuple(found)",
        {"expect_hidden"},
    ),
}
SOURCES = {
    # name: cell, its whole source, test cells it costs
    "the notebook's own module": (
        "segmented",
        "def Segmented(channels, segments):\n"
        "    if not segments or any(w < 1 or k % 2 == 0 for w, k in segments):\n"
        "        raise ValueError\n"
        "    width = sum(w for w, _ in segments)\n"
        "    return xception.segments_block(channels, width, len(segments), None)",
        ALL,
    ),
}
RIGHT = {
    "widest by halving": (
        "widest",
        "if channels < 1 or (segments or 1) < 1 or segments == 0:\n"
        "    raise ValueError('no')\n"
        "step = segments or 1\n"
        "def fits(k):\n"
        "    w = k * step\n"
        "    filters = 9 * w if segments is None else 9 * w * w // segments\n"
        "    return channels * w + filters <= budget\n"
        "low, high = 0, 1\n"
        "while fits(high):\n"
        "    low, high = high, 2 * high\n"
        "while high - low > 1:\n"
        "    middle = (low + high) // 2\n"
        "    low, high = (middle, high) if fits(middle) else (low, middle)\n"
        "if low == 0:\n"
        "    raise ValueError('nothing fits')\n"
        "return low * step",
    ),
    "widest by a float, corrected": (
        "widest",
        "if min(channels, 1 if segments is None else segments) < 1 or budget < 0:\n"
        "    raise ValueError('no')\n"
        "a, b = (0, channels + 9) if segments is None else (9 * segments,\n"
        "                                                   channels * segments)\n"
        "k = int(budget / b if not a else\n"
        "        (math.sqrt(b * b + 4.0 * a * budget) - b) / (2 * a))\n"
        "while a * k * k + b * k > budget:\n"
        "    k -= 1\n"
        "while a * (k + 1) ** 2 + b * (k + 1) <= budget:\n"
        "    k += 1\n"
        "if k < 1:\n"
        "    raise ValueError('no')\n"
        "return k * (segments or 1)",
    ),
    "nearest as a product that is projected": (
        "nearest",
        "N, M, K = weight.shape[:3]\n"
        "if patterns not in range(1, min(M, K**2) + 1):\n"
        "    raise ValueError('no')\n"
        "flat = weight.detach().flatten(2).mT  # (N, K², M)\n"
        "u, s, v = torch.linalg.svd(flat)\n"
        "u = u[:, :, :patterns]\n"
        "mix = u.mT @ flat\n"
        "return (mix.reshape(-1, M, 1, 1),\n"
        "        u.mT.reshape(N, patterns, K, K).clone())",
    ),
    "nearest by eigenvectors, output by output": (
        "nearest",
        "N, M, K, K = weight.shape\n"
        "if patterns < 1 or patterns > M or patterns > K * K:\n"
        "    raise ValueError('no')\n"
        "mixes, filters = [], []\n"
        "for kernel in weight.detach().reshape(N, M, K * K):\n"
        "    _, vectors = torch.linalg.eigh(kernel.T @ kernel)\n"
        "    best = vectors[:, -patterns:].flip(1)\n"
        "    mixes.append((kernel @ best).T)\n"
        "    filters.append(best.T)\n"
        "return (torch.cat(mixes)[:, :, None, None],\n"
        "        torch.stack(filters).view(N, patterns, K, K))",
    ),
    "folded by its answers to single pixels": (
        "folded",
        "if layer.training:\n"
        "    raise ValueError('no')\n"
        "depthwise, pointwise, norm = layer\n"
        "channels = depthwise.in_channels\n"
        "points = torch.zeros(channels, channels, 5, 5, dtype=pointwise.weight.dtype)\n"
        "for c in range(channels):\n"
        "    points[c, c, 2, 2] = 1\n"
        "answers, nothing = layer(points), layer(0 * points[:1])[0, :, 0, 0]\n"
        "conv = nn.Conv2d(channels, norm.num_features, 3, padding=1,\n"
        "                 dtype=points.dtype)\n"
        "heard = answers[:, :, 1:4, 1:4] - nothing[:, None, None]\n"
        "conv.weight.data = heard.flip(2, 3).transpose(0, 1).contiguous()\n"
        "conv.bias.data = nothing.clone()\n"
        "return conv",
    ),
    "folded by PyTorch's second half": (
        "folded",
        "from torch.nn.utils.fusion import fuse_conv_bn_eval\n"
        "first, second, norm = layer\n"
        "if norm.training:\n"
        "    raise ValueError('no')\n"
        "conv = nn.Conv2d(first.in_channels, second.out_channels, 3, padding=1,\n"
        "                 bias=False, dtype=second.weight.dtype).eval()\n"
        "conv.weight.data = torch.einsum('nm,mij->nmij', second.weight[:, :, 0, 0],\n"
        "                                first.weight[:, 0])\n"
        "return fuse_conv_bn_eval(conv, norm)",
    ),
    "widest by bisect": (
        "widest",
        "import bisect\n"
        "if channels < 1 or (segments is not None and segments < 1):\n"
        "    raise ValueError('no')\n"
        "step = 1 if segments is None else segments\n"
        "def price(k):\n"
        "    w = k * step\n"
        "    return channels * w + (9 * w if segments is None else 9 * w * w // step)\n"
        "k = bisect.bisect_right(range(1, max(budget, 1) + 2), budget, key=price)\n"
        "if not k:\n"
        "    raise ValueError('nothing fits')\n"
        "return step * k",
    ),
    "nearest with a root of the values on each side": (
        "nearest",
        "import numpy as np\n"
        "N, M, K, _ = weight.shape\n"
        "if not 0 < patterns <= min(M, K * K):\n"
        "    raise ValueError('no')\n"
        "u, s, v = np.linalg.svd(weight.detach().numpy().reshape(N, M, K * K), False)\n"
        "root = np.sqrt(s[:, None])\n"
        "mix = (u * root)[:, :, :patterns].transpose(0, 2, 1).reshape(-1, M, 1, 1)\n"
        "shapes = (v * root.transpose(0, 2, 1))[:, :patterns]\n"
        "return (torch.from_numpy(mix.copy()),\n"
        "        torch.from_numpy(shapes.reshape(N, patterns, K, K).copy()))",
    ),
    "folded by loops": (
        "folded",
        "if layer.training:\n"
        "    raise ValueError('eval first')\n"
        "deep, point, norm = layer[0].weight, layer[1].weight, layer[2]\n"
        "width, channels = point.shape[:2]\n"
        "conv = nn.Conv2d(channels, width, 3, padding='same', dtype=deep.dtype)\n"
        "for w in range(width):\n"
        "    std = (norm.running_var[w] + norm.eps) ** 0.5\n"
        "    for c in range(channels):\n"
        "        conv.weight[w, c] = norm.weight[w] * point[w, c] * deep[c, 0] / std\n"
        "    conv.bias[w] = norm.bias[w] - norm.weight[w] * norm.running_mean[w] / std\n"
        "return conv",
    ),
    "expected by a formula": (
        "expect",
        "conv = lambda k, groups: k * k * 728 * 728 // groups\n"
        "return tuple(3 * n for n in (conv(3, 728) + conv(1, 1), conv(3, 1),\n"
        "                             conv(1, 1) + conv(3, 4)))",
    ),
    "expected by segments": (
        "expect",
        "w, quarter = 728, 182\n"
        "one = [9 * w + w**2, 9 * w**2, w**2 + 4 * 9 * quarter**2]\n"
        "return [n + n + n for n in one]",
    ),
    "expected as numbers": ("expect", "return [1_609_608, 14_309_568, 5_167_344]"),
}
LOOSE = """
class Segmented(nn.Module):
    def __init__(self, channels, segments):
        super().__init__()
        self.filters, self.cuts = nn.ModuleList(), [0]
        for width, size in segments:
            if size % 2 != 1 or width <= 0:
                raise ValueError("no")
            layer = nn.Conv2d(width, width, (size, size), padding="same", bias=False)
            self.filters.append(layer)
            self.cuts.append(self.cuts[-1] + width)
        if len(self.cuts) == 1:
            raise ValueError("nothing")
        self.norm = nn.BatchNorm2d(self.cuts[-1])
        self.mix = nn.Conv2d(channels, self.cuts[-1], 1, bias=False)

    def forward(self, x):
        whole = torch.einsum("nchw,dc->ndhw", x, self.mix.weight[:, :, 0, 0])
        out = torch.empty_like(whole)
        for number, layer in enumerate(self.filters):
            first, last = self.cuts[number], self.cuts[number + 1]
            out[:, first:last] = layer(whole[:, first:last])
        return self.norm(out).clamp(min=0)
"""
ONE_KERNEL = """
class Segmented(nn.Module):
    def __init__(self, channels, segments):
        super().__init__()
        if len(segments) < 1 or any(k % 2 - 1 or w < 1 for w, k in segments):
            raise ValueError("no")
        whole = sum(w for w, _ in segments)
        self.mix = nn.Conv2d(channels, whole, 1, bias=False)
        self.filters = nn.ModuleList(
            nn.Conv2d(w, w, k, padding=k // 2, bias=False) for w, k in segments)
        self.norm = nn.BatchNorm2d(whole)

    def forward(self, x):
        side = max(layer.kernel_size[0] for layer in self.filters)
        blocks = [F.pad(layer.weight, [(side - layer.kernel_size[0]) // 2] * 4)
                  for layer in self.filters]
        full = torch.stack([
            torch.block_diag(*(b[:, :, i, j] for b in blocks))
            for i in range(side) for j in range(side)], dim=-1)
        full = full.view(*full.shape[:2], side, side)
        return torch.relu(self.norm(F.conv2d(self.mix(x), full, padding=side // 2)))
"""
MIXED_APART = """
class Segmented(nn.Module):
    def __init__(self, channels, segments):
        super().__init__()
        if not segments:
            raise ValueError("no")
        layers, total = [], 0
        for width, size in segments:
            if width < 1 or not size % 2:
                raise ValueError("no")
            layers.append(nn.Conv2d(width, width, size, 1, size // 2, bias=False))
            total += width
        self.mix = nn.Conv2d(channels, total, (1, 1), bias=False)
        self.filters = nn.ModuleList(layers)
        self.norm = nn.BatchNorm2d(total)

    def forward(self, x):
        rows, maps = iter(self.mix.weight), []
        for layer in self.filters:
            own = torch.stack([next(rows) for _ in range(layer.in_channels)])
            maps.append(layer(F.conv2d(x, own)))
        return torch.maximum(self.norm(torch.cat(maps, 1)), torch.zeros(()))
"""
RIGHT_SOURCES = {
    "written into an empty map": ("segmented", LOOSE),
    "one kernel of blocks": ("segmented", ONE_KERNEL),
    "each segment mixed by itself": ("segmented", MIXED_APART),
}
WORDS = [
    ("below the budget", "widest_visible", "at most"),
    ("nine times, not divided by the segments", "widest_visible", "9·W²/S"),
    ("the filters' segments forgotten", "widest_visible", "in S segments: 9·W²/S"),
    ("the mixing in segments, too", "widest_visible", "has no segments"),
    ("no mixing", "widest_visible", "the 1×1 costs C·W, too"),
    ("rounded up", "widest_visible", "round down"),
    ("not a multiple", "widest_visible", "4 divides W"),
    ("a segment a channel without its mixing", "widest_visible", "costs C·W, too"),
    ("a float", "widest_visible", "an int, please"),
    ("a root with rounding errors", "widest_hidden", "whose roots are exact"),
    ("nothing fits and nothing is said", "widest_hidden", "no ValueError, but gave 0"),
    ("no channels accepted", "widest_hidden", "no ValueError, but gave"),
    ("activation between", "segmented_visible", "between mix and filters"),
    ("no norm", "segmented_visible", "the norm is missing"),
    ("no ReLU", "segmented_visible", "the ReLU at the end is missing"),
    ("norm after the ReLU", "segmented_visible", "the ReLU stands before the norm"),
    ("swish for ReLU", "segmented_visible", "swish for ReLU"),
    ("depthwise filters", "segmented_visible", "no groups"),
    ("filters of the whole map", "segmented_visible", "its own segment alone"),
    ("every kernel 3×3", "segmented_visible", "a kernel size of its own"),
    ("padding of a 3×3", "segmented_visible", "half a kernel"),
    ("segments side by side in space", "segmented_visible", "along the channels"),
    ("segments in the wrong order", "segmented_visible", "in the wrong order"),
    ("its input changed in place", "segmented_visible", "changed its input"),
    ("a bias before the norm", "segmented_visible", "no convolution needs a bias"),
    ("the notebook's own module", "segmented_visible", "no module of the notebook"),
    ("even kernels accepted", "segmented_hidden", "no ValueError, but gave"),
    ("no segment accepted", "segmented_hidden", "no ValueError, but gave"),
    ("singular values forgotten", "nearest_visible", "values are forgotten"),
    ("singular values twice", "nearest_visible", "in both factors"),
    ("rows in another order", "nearest_visible", "transpose before you reshape"),
    ("rows by pattern, then by output", "nearest_visible", "outputs first"),
    ("mix without its pixels", "nearest_visible", "four dimensions"),
    ("the weight changed in place", "nearest_visible", "changed the weight"),
    ("one pattern for all", "nearest_visible", "each output has its own"),
    ("the smallest patterns", "nearest_visible", "the largest come first"),
    ("the notebook's order", "nearest_visible", "each output has its own"),
    ("only the channels limit", "nearest_hidden", "no ValueError, but gave Runtime"),
    ("no pattern accepted", "nearest_hidden", "no ValueError, but gave"),
    ("with gradients", "nearest_hidden", "carries gradients"),
    ("epsilon forgotten", "folded_visible", "ε is `layer[2].eps`"),
    ("the usual epsilon", "folded_visible", "ε is `layer[2].eps`"),
    ("no root", "folded_visible", "it is its root"),
    ("gamma forgotten", "folded_visible", "γ, the norm's weight"),
    ("the norm left out", "folded_visible", "is not scaled by the norm"),
    ("a kernel that is flipped", "folded_visible", "does not flip it"),
    ("beta alone", "folded_visible", "it is β alone"),
    ("the mean not scaled", "folded_visible", "the mean is scaled, too"),
    ("the mean added", "folded_visible", "the mean is subtracted"),
    ("no padding", "folded_visible", "keeps H and W"),
    ("the layer emptied", "folded_visible", "it stays as it was"),
    ("a sequence of two", "folded_visible", "expected an nn.Conv2d"),
    ("train mode accepted", "folded_visible", "no ValueError, but gave"),
    ("norms counted", "expect_hidden", "norms do not count"),
    ("one layer", "expect_hidden", "a block has three layers"),
    ("the pointwise forgotten", "expect_hidden", "mixes all channels"),
    ("the depthwise forgotten", "expect_hidden", "9 weights a channel"),
    ("biases counted", "expect_hidden", "has a bias"),
    ("a 1x1 before the full one", "expect_hidden", "a full 3×3 alone"),
    ("segments without their 1x1", "expect_hidden", "is missing"),
    ("the 1x1 in segments, too", "expect_hidden", "the 1×1 has no segments"),
    ("a sixteenth for four segments", "expect_hidden", "there are S"),
    ("four segments are four times as many", "expect_hidden", "a quarter of the"),
]
