"""Wrong and right answers to a11_mobilenet_v2, and what each is worth."""

ROUNDED = {"rounded_visible", "rounded_hidden"}
EVERYWHERE = {"everywhere_visible", "everywhere_hidden"}
ALL = EVERYWHERE | {"everywhere_learns"}
CHANCE = {"chance_visible", "chance_hidden"}
SHARE = {"share_visible", "share_hidden"}
PARTS = {"parts_visible", "parts_hidden"}
MISTAKES = {
    # name: cell, what stands there, what stands there instead, test cells it costs
    "below 90 %": (
        "rounded",
        "return nearest + divisor if nearest < share * channels else nearest",
        "return nearest",
        ROUNDED,
    ),
    "always up": (
        "rounded",
        "channels / divisor + 0.5",
        "channels / divisor + 1",
        ROUNDED,
    ),
    "always down": (
        "rounded",
        "channels / divisor + 0.5",
        "channels / divisor",
        ROUNDED,
    ),
    "not to 8": (
        "rounded",
        "divisor: int = 8",
        "divisor: int = 4",
        {"rounded_visible"},
    ),
    "always to 8": (
        "rounded",
        "nearest = max(divisor,",
        "divisor = 8\n    nearest = max(divisor,",
        {"rounded_hidden"},
    ),
    "nothing at least": ("rounded", "max(divisor, ", "max(0, ", {"rounded_hidden"}),
    "Python's round": (
        "rounded",
        "math.floor(channels / divisor + 0.5)",
        "round(channels / divisor)",
        ROUNDED,
    ),
    "90 % for ever": (
        "rounded",
        "nearest < share *",
        "nearest < 0.9 *",
        {"rounded_hidden"},
    ),
    "no width accepted": ("rounded", "channels <= 0 or ", "", {"rounded_hidden"}),
    "no divisor accepted": ("rounded", "divisor < 1 or ", "", {"rounded_hidden"}),
    "any share accepted": (
        "rounded",
        "or not 0 <= share <= 1",
        "",
        {"rounded_hidden"},
    ),
    "exactly the share is too little": (
        "rounded",
        "nearest < share",
        "nearest <= share",
        {"rounded_hidden"},
    ),
    "a width that is a float": (
        "rounded",
        "nearest + divisor if nearest < share * channels else nearest",
        "float(nearest + divisor if nearest < share * channels else nearest)",
        {"rounded_visible"},
    ),
    "no width returned": ("rounded", "return nearest", "nearest", ROUNDED),
    "expansion on the wrong side": (
        "everywhere",
        "hidden = expansion * channels",
        "hidden = expansion * width",
        ALL,
    ),
    "no expansion": (
        "everywhere",
        "hidden = expansion * channels",
        "hidden = channels",
        ALL,
    ),
    "activation on the linear bottleneck": (
        "everywhere",
        "thin = self.norm3(self.project(filtered))",
        "thin = F.relu6(self.norm3(self.project(filtered)))",
        EVERYWHERE,
    ),
    "ReLU on the linear bottleneck": (
        "everywhere",
        "thin = self.norm3(self.project(filtered))",
        "thin = F.relu(self.norm3(self.project(filtered)))",
        EVERYWHERE,
    ),
    "activation after the addition": (
        "everywhere",
        "return thin + F.pad(way, (0, 0, 0, 0, 0, self.width - way.shape[1]))",
        "return F.relu(thin + F.pad(way, (0, 0, 0, 0, 0, self.width - way.shape[1])))",
        EVERYWHERE,
    ),
    "ReLU for ReLU6": ("everywhere", "F.relu6", "F.relu", EVERYWHERE),
    "swish for ReLU6": ("everywhere", "F.relu6", "F.silu", EVERYWHERE),
    "no activation in the middle": (
        "everywhere",
        "F.relu6(self.norm2(self.filter(wide)))",
        "self.norm2(self.filter(wide))",
        EVERYWHERE,
    ),
    "no activation after the expansion": (
        "everywhere",
        "F.relu6(self.norm1(self.expand(x)))",
        "self.norm1(self.expand(x))",
        EVERYWHERE,
    ),
    "no groups": ("everywhere", "groups=hidden, ", "", ALL),
    "stride on the projection": (
        "everywhere",
        "self.project = nn.Conv2d(hidden, width, 1, bias=False)",
        "self.filter.stride = (1, 1)\n"
        "        self.project = nn.Conv2d(hidden, width, 1, stride, bias=False)",
        {"everywhere_hidden"},  # in eval mode it is the same
    ),
    "shortcut forgotten": (
        "everywhere",
        "return thin + F.pad(way, (0, 0, 0, 0, 0, self.width - way.shape[1]))",
        "return thin",
        EVERYWHERE,
    ),
    "every second pixel": (
        "everywhere",
        "F.avg_pool2d(x, self.stride)",
        "x[:, :, :: self.stride, :: self.stride]",
        EVERYWHERE,
    ),
    "largest pixel": ("everywhere", "F.avg_pool2d", "F.max_pool2d", EVERYWHERE),
    "zeros before": (
        "everywhere",
        "(0, 0, 0, 0, 0, self.width - way.shape[1])",
        "(0, 0, 0, 0, self.width - way.shape[1], 0)",
        EVERYWHERE,
    ),
    "the first channels dropped": (
        "everywhere",
        "[:, : self.width]",
        "[:, -self.width :]",
        {"everywhere_hidden"},
    ),
    "a bias before the norm": (
        "everywhere",
        "self.project = nn.Conv2d(hidden, width, 1, bias=False)",
        "self.project = nn.Conv2d(hidden, width, 1)",
        ALL,
    ),
    "cut off from the gradient": (
        "everywhere",
        "self.project(filtered)",
        "self.project(filtered.detach())",
        {"everywhere_learns"},
    ),
    "any stride accepted": (
        "everywhere",
        "if stride not in (1, 2):",
        "if stride < 1:",
        {"everywhere_hidden"},
    ),
    "d or fewer": ("chance", "range(d)", "range(d + 1)", CHANCE),
    "exactly d": ("chance", "for k in range(d)", "for k in [d]", CHANCE),
    "the other side": (
        "chance",
        "return sum(math.comb(n, k) for k in range(d)) / 2**n",
        "return 1 - sum(math.comb(n, k) for k in range(d)) / 2**n",
        CHANCE,
    ),
    "not divided": ("chance", " / 2**n", "", CHANCE),
    "n² cases": ("chance", "2**n", "n**2", CHANCE),
    "2 n cases": ("chance", "2**n", "(2 * n)", CHANCE),
    "whole numbers divided": ("chance", "/ 2**n", "// 2**n", CHANCE),
    "percent for a probability": ("chance", "return sum", "return 100 * sum", CHANCE),
    "no active unit left out": ("chance", "range(d)", "range(1, d)", CHANCE),
    "units in their order": ("chance", "math.comb", "math.perm", CHANCE),
    "no chance returned": ("chance", "return sum", "sum", CHANCE),
    "powers of a float": ("chance", "/ 2**n", "* 0.5**n", {"chance_hidden"}),
    "of a plane alone": (
        "chance",
        "sum(math.comb(n, k) for k in range(d))",
        "(n + 1)",
        CHANCE,
    ),
    "more than all units refused": (
        "chance",
        "    return sum",
        "    if d > n:\n        raise ValueError(d)\n    return sum",
        {"chance_hidden"},
    ),
    "drawn, not added up": (
        "chance",
        "return sum(math.comb(n, k) for k in range(d)) / 2**n",
        "coins = torch.rand(2_000, n, generator=torch.Generator().manual_seed(0))\n"
        "    return ((coins < 0.5).sum(dim=1) < d).double().mean().item()",
        CHANCE,
    ),
    "counted, not ranked": (
        "share",
        "ranks = torch.linalg.matrix_rank(rows)",
        "ranks = active.sum(dim=1)",
        SHARE,
    ),
    "borders are active": ("share", "@ T.T > 0", "@ T.T >= 0", {"share_visible"}),
    "what is kept": ("share", "ranks < T", "ranks >= T", SHARE),
    "inactive rows": ("share", "x @ T.T > 0", "x @ T.T < 0", SHARE),
    "a number of points": ("share", ".double().mean()", ".double().sum()", SHARE),
    "in percent": (
        "share",
        ".double().mean().item()",
        ".double().mean().item() * 100",
        SHARE,
    ),
    "a tensor": ("share", ".mean().item()", ".mean()", {"share_visible"}),
    "the mean rank": ("share", "(ranks < T.shape[1])", "ranks", SHARE),
    "what ranks lack": (
        "share",
        "(ranks < T.shape[1]).double()",
        "(1 - ranks / T.shape[1])",
        SHARE,
    ),
    "below the number of units": ("share", "T.shape[1])", "T.shape[0])", SHARE),
    "rank of the whole": (
        "share",
        "rows = active[:, :, None] * T",
        "rows = T.expand(len(x), *T.shape)",
        SHARE,
    ),
    "a block of full convolutions": (
        "expect",
        "pixels * 144 * (24 + 9 + 24)",
        "pixels * 144 * (24 + 9 * 144 + 24)",
        {"expect_hidden"},
    ),
    "no depthwise layer": (
        "expect",
        "return pixels * 144 * (24 + 9 + 24), pixels * 9 * 24 * 24, pixels * 9 * 144 * 144",
        "return pixels * 144 * (24 + 24), pixels * 9 * 24 * 24, pixels * 9 * 144 * 144",
        {"expect_hidden"},
    ),
    "one pixel of the depthwise kernel": (
        "expect",
        "return pixels * 144 * (24 + 9 + 24), pixels * 9 * 24 * 24, pixels * 9 * 144 * 144",
        "return pixels * 144 * (24 + 1 + 24), pixels * 9 * 24 * 24, pixels * 9 * 144 * 144",
        {"expect_hidden"},
    ),
    "no projection": (
        "expect",
        "return pixels * 144 * (24 + 9 + 24), pixels * 9 * 24 * 24, pixels * 9 * 144 * 144",
        "return pixels * 144 * (24 + 9), pixels * 9 * 24 * 24, pixels * 9 * 144 * 144",
        {"expect_hidden"},
    ),
    "not expanded": (
        "expect",
        "return pixels * 144 * (24 + 9 + 24), pixels * 9 * 24 * 24, pixels * 9 * 144 * 144",
        "return pixels * 24 * (24 + 9 + 24), pixels * 9 * 24 * 24, pixels * 9 * 144 * 144",
        {"expect_hidden"},
    ),
    "norms as MACs": (
        "expect",
        "return pixels * 144 * (24 + 9 + 24), pixels * 9 * 24 * 24, pixels * 9 * 144 * 144",
        "return pixels * 144 * (24 + 9 + 24) + pixels * 312, pixels * 9 * 24 * 24, pixels * 9 * 144 * 144",
        {"expect_hidden"},
    ),
    "the last first": (
        "expect",
        "return pixels * 144 * (24 + 9 + 24), pixels * 9 * 24 * 24, pixels * 9 * 144 * 144",
        "return pixels * 9 * 144 * 144, pixels * 9 * 24 * 24, pixels * 144 * (24 + 9 + 24)",
        {"expect_hidden"},
    ),
    "weights for MACs": (
        "expect",
        "return pixels * 144 * (24 + 9 + 24), pixels * 9 * 24 * 24, pixels * 9 * 144 * 144",
        "return 144 * 57, 9 * 24 * 24, 9 * 144 * 144",
        {"expect_hidden"},
    ),
    "kernels of one pixel": (
        "expect",
        "return pixels * 144 * (24 + 9 + 24), pixels * 9 * 24 * 24, pixels * 9 * 144 * 144",
        "return pixels * 144 * (24 + 9 + 24), pixels * 24 * 24, pixels * 144 * 144",
        {"expect_hidden"},
    ),
    "grouped": (
        "expect",
        "return pixels * 144 * (24 + 9 + 24), pixels * 9 * 24 * 24, pixels * 9 * 144 * 144",
        "return pixels * 144 * (24 + 9 + 24), pixels * 9 * 24, pixels * 9 * 144",
        {"expect_hidden"},
    ),
    "FLOPs": ("expect", "pixels = 56 * 56", "pixels = 2 * 56 * 56", {"expect_hidden"}),
    "the norm in each part": (
        "parts",
        "found.append(F.conv2d(wide, block.project[0].weight[:, chosen]))",
        "found.append(\n"
        "            block.project[1](F.conv2d(wide, block.project[0].weight[:, chosen]))\n"
        "        )",
        PARTS,
    ),
    "statistics of the first group": (
        "parts",
        "getattr(norm, name)[chosen]",
        "getattr(norm, name)[:size]",
        PARTS,
    ),
    "no activation": ("parts", "return F.relu6(", "return (", PARTS),
    "ReLU in the parts": ("parts", "F.relu6(", "F.relu(", PARTS),
    "no norm": (
        "parts",
        "F.relu6(F.batch_norm(x, *numbers, eps=norm.eps))",
        "F.relu6(x)",
        PARTS,
    ),
    "each part with those before it": (
        "parts",
        "return found",
        "return [sum(found[: number + 1]) for number in range(splits)]",
        PARTS,
    ),
    "the wide parts": (
        "parts",
        "found.append(F.conv2d(wide, block.project[0].weight[:, chosen]))",
        "found.append(wide)",
        PARTS,
    ),
    "no parts returned": ("parts", "return found", "found", PARTS),
    "the sum of the parts": ("parts", "return found", "return sum(found)", PARTS),
    "every third channel": (
        "parts",
        "for first in range(0, hidden, size):\n"
        "        chosen = slice(first, first + size)",
        "for first in range(splits):\n        chosen = slice(first, None, splits)",
        {"parts_hidden"},
    ),
    "no splits accepted": ("parts", "splits < 1 or ", "", {"parts_visible"}),
    "stride forgotten": (
        "parts",
        "stride=stride, padding",
        "padding",
        {"parts_hidden"},
    ),
    "always an expansion": (
        "parts",
        "if not isinstance(block.expand, nn.Identity):",
        "if True:",
        {"parts_hidden"},
    ),
    "unequal parts accepted": (
        "parts",
        "block.training or splits < 1 or hidden % splits",
        "block.training or splits < 1",
        {"parts_visible"},
    ),
    "train mode accepted": (
        "parts",
        "block.training or splits < 1",
        "splits < 1",
        {"parts_visible"},
    ),
    "with gradients": ("parts", "@torch.no_grad()\n", "", {"parts_hidden"}),
}
BODIES = {
    # name: cell, another body for its function, test cells it costs
    "the notebook's rounding": (
        "rounded",
        "return mobilenet.round_channels(channels, divisor)",
        ROUNDED,
    ),
    "it refuses every width": ("rounded", "raise ValueError", ROUNDED),
    "the notebook's formula": (
        "chance",
        "return (n + 1) / 2**n",
        CHANCE,
    ),
    "the whole, divided": (
        "parts",
        "if block.training or splits < 1 or block.filter[0].in_channels % splits:\n"
        "    raise ValueError\n"
        "whole = block.project[0](block.filter(block.expand(x)))\n"
        "return [whole / splits] * splits",
        PARTS,
    ),
    "it refuses every block": ("parts", "raise ValueError", PARTS),
    "the block, divided": (
        "parts",
        "if block.training or splits < 1 or block.filter[0].in_channels % splits:\n"
        "    raise ValueError\n"
        "return [block(x) / splits] * splits",
        PARTS,
    ),
    "the weights of other groups wiped": (
        "parts",
        "hidden = block.filter[0].in_channels\n"
        "if block.training or splits < 1 or hidden % splits: raise ValueError\n"
        "weight = block.project[0].weight\n"
        "before, found = weight.clone(), []\n"
        "for group in torch.arange(hidden).chunk(splits):\n"
        "    weight.zero_()\n"
        "    weight[:, group] = before[:, group]\n"
        "    found.append(block.project[0](block.filter(block.expand(x))))\n"
        "return found",
        PARTS,
    ),
    "the counter": (
        "expect",
        "found = [flops.count(mobilenet.InvertedResidual(24, 24), "
        "(1, 24, 56, 56)).macs]\n"
        "for c in (24, 144):\n"
        "    net = nn.Conv2d(c, c, 3, padding=1)\n"
        "    found.append(flops.count(net, (1, c, 56, 56)).macs)\n"
        "return tuple(found)",
        {"expect_hidden"},
    ),
}
SOURCES = {
    # name: cell, its whole source, test cells it costs
    "the notebook's own block": (
        "everywhere",
        "def Everywhere(channels, width, stride=1, expansion=6):\n"
        "    if stride not in (1, 2): raise ValueError()\n"
        "    return mobilenet.InvertedResidual(channels, width, stride, expansion)",
        ALL,
    ),
}
RIGHT = {
    "rounded by candidates": (
        "rounded",
        "if not (channels > 0 and divisor > 0 and 0 <= share <= 1):\n"
        "    raise ValueError('no')\n"
        "below = int(channels // divisor) * divisor\n"
        "best = below if channels - below < divisor / 2 else below + divisor\n"
        "best = max(best, divisor)\n"
        "while best < share * channels:\n"
        "    best += divisor\n"
        "return best",
    ),
    "rounded by divmod": (
        "rounded",
        "if not 0 < channels or divisor < 1 or share < 0 or share > 1: raise ValueError\n"
        "times, rest = divmod(channels, divisor)\n"
        "times = max(1, int(times) + (2 * rest >= divisor))\n"
        "return divisor * (times + (times * divisor < share * channels))",
    ),
    "rounded to the nearest of two": (
        "rounded",
        "if channels <= 0 or divisor <= 0 or abs(share - 0.5) > 0.5: raise ValueError\n"
        "up = max(1, math.ceil(channels / divisor)) * divisor\n"
        "down = up - divisor\n"
        "keep = down and down >= share * channels and channels - down < up - channels\n"
        "return down if keep else up",
    ),
    "chance by products": (
        "chance",
        "ways, total = 1, 0\n"
        "for k in range(min(d, n + 1)):\n"
        "    total += ways\n"
        "    ways = ways * (n - k) // (k + 1)\n"
        "return total / (1 << n)",
    ),
    "chance from the other side": (
        "chance",
        "more = sum(math.comb(n, k) for k in range(max(d, 0), n + 1))\n"
        "return (2**n - more) / 2**n",
    ),
    "share by lists of rows": (
        "share",
        "lost = [bool(torch.linalg.matrix_rank(T[T @ p > 0]) < T.shape[1])\n"
        "        if (T @ p > 0).any() else T.shape[1] > 0 for p in x]\n"
        "return sum(lost) / len(lost)",
    ),
    "share in numpy": (
        "share",
        "weights, points = T.numpy(), x.numpy()\n"
        "shown = (points @ weights.T > 0)[:, :, None] * weights\n"
        "return float(np.mean(np.linalg.matrix_rank(shown) != weights.shape[1]))",
    ),
    "chance by recursion": (
        "chance",
        "from fractions import Fraction\n"
        "row = [1]\n"
        "for _ in range(n):\n"
        "    row = [a + b for a, b in zip([0, *row], [*row, 0])]\n"
        "return float(Fraction(sum(row[:d]), 2**n))",
    ),
    "share by a loop": (
        "share",
        "lost = 0\n"
        "for point in x:\n"
        "    rows = T[(T @ point) > 0]\n"
        "    singular = torch.linalg.svdvals(rows) if len(rows) else rows[:0, 0]\n"
        "    lost += int((singular > 1e-9).sum()) < T.shape[1]\n"
        "return lost / len(x)",
    ),
    "expected as numbers": ("expect", "return [25_740_288, 16_257_024, 585_252_864]"),
    "expected by a helper": (
        "expect",
        "def cost(c, d, k=1, groups=1): return 56**2 * k * k * c * d // groups\n"
        "block = cost(24, 144) + cost(144, 144, 3, 144) + cost(144, 24)\n"
        "return block, cost(24, 24, 3), cost(144, 144, 3)",
    ),
    "expected by ratios": (
        "expect",
        "thin = 3136 * 9 * 576\nreturn [3136 * 144 * 57, thin, 36 * thin]",
    ),
    "parts of the filtered map": (
        "parts",
        "wide = block.filter(block.expand(x))\n"
        "if splits < 1 or wide.shape[1] % splits or block.training: raise ValueError\n"
        "kernels = block.project[0].weight.chunk(splits, dim=1)\n"
        "maps = wide.chunk(splits, dim=1)\n"
        "return [F.conv2d(y, k) for y, k in zip(maps, kernels, strict=True)]",
    ),
    "parts by einsum": (
        "parts",
        "if block.training or splits <= 0: raise ValueError\n"
        "hidden = len(block.filter[1].weight)\n"
        "if hidden // splits * splits != hidden: raise ValueError\n"
        "maps = block.filter(block.expand(x)).unflatten(1, (splits, -1))\n"
        "mix = block.project[0].weight[:, :, 0, 0].unflatten(1, (splits, -1))\n"
        "return list(torch.einsum('nschw,dsc->sndhw', maps, mix))",
    ),
    "parts by zeros": (
        "parts",
        "hidden = block.filter[0].in_channels\n"
        "if block.training or splits <= 0 or hidden % splits != 0:\n"
        "    raise ValueError('no')\n"
        "wide = block.filter(block.expand(x))\n"
        "answer = []\n"
        "for number in range(splits):\n"
        "    mask = torch.zeros(hidden)\n"
        "    mask[number * hidden // splits : (number + 1) * hidden // splits] = 1\n"
        "    answer.append(block.project[0](wide * mask[:, None, None]))\n"
        "return answer",
    ),
}
LOOSE = """
class Everywhere(nn.Module):
    def __init__(self, channels, width, stride=1, expansion=6):
        super().__init__()
        if stride != 1 and stride != 2:
            raise ValueError("no")
        n, self.shape = channels * expansion, (channels, width, stride)
        self.norm3 = nn.BatchNorm2d(width)
        self.project = nn.Conv2d(n, width, (1, 1), bias=False)
        self.norm2, self.norm1 = nn.BatchNorm2d(n), nn.BatchNorm2d(n)
        self.filter = nn.Conv2d(n, n, 3, stride, 1, groups=n, bias=False)
        self.expand = nn.Conv2d(channels, n, 1, bias=False)

    def forward(self, x):
        channels, width, stride = self.shape
        f = self.norm1(self.expand(x)).clamp(0, 6)
        f = self.norm3(self.project(self.norm2(self.filter(f)).clamp(0, 6)))
        if stride == 2:
            x = (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2]
                 + x[..., 1::2, 1::2]) / 4
        kept = min(channels, width)
        return torch.cat([f[:, :kept] + x[:, :kept], f[:, kept:]], dim=1)
"""
STEPS = """
from collections import OrderedDict


class Everywhere(nn.Sequential):
    def __init__(self, channels, width, stride=1, expansion=6):
        if stride not in {1, 2}:
            raise ValueError(stride)
        n, self_width = expansion * channels, width
        super().__init__(OrderedDict(
            expand=nn.Conv2d(channels, n, 1, bias=False), norm1=nn.BatchNorm2d(n),
            relu1=nn.ReLU6(),
            filter=nn.Conv2d(n, n, 3, stride, 1, groups=n, bias=False),
            norm2=nn.BatchNorm2d(n), relu2=nn.ReLU6(),
            project=nn.Conv2d(n, width, 1, bias=False), norm3=nn.BatchNorm2d(width),
        ))
        self.stride, self.width = stride, self_width

    def forward(self, x):
        y = super().forward(x)
        if self.stride == 2:
            x = F.adaptive_avg_pool2d(x, y.shape[2:])
        return y + F.pad(x, (0, 0, 0, 0, 0, self.width - x.shape[1]))
"""
KERNEL = """
class Everywhere(nn.Module):
    def __init__(self, channels, width, stride=1, expansion=6):
        super().__init__()
        if not 1 <= stride <= 2:
            raise ValueError
        hidden, layers = expansion * channels, {"bias": False}
        self.stride = stride
        for i, (name, c, d, k) in enumerate([
            ("expand", channels, hidden, 1),
            ("filter", hidden, hidden, 3),
            ("project", hidden, width, 1),
        ], start=1):
            wide = {"groups": hidden, "padding": 1, "stride": stride} if k == 3 else {}
            self.add_module(name, nn.Conv2d(c, d, k, **wide, **layers))
            self.add_module(f"norm{i}", nn.BatchNorm2d(d))

    def forward(self, x):
        f = nn.functional.hardtanh(self.norm1(self.expand(x)), 0, 6)
        f = nn.functional.hardtanh(self.norm2(self.filter(f)), 0, 6)
        f, s = self.norm3(self.project(f)), self.stride
        around = torch.eye(f.shape[1], x.shape[1])[:, :, None, None]
        around = around.expand(-1, -1, s, s) / s**2
        return f + F.conv2d(x, around, stride=s)
"""
RIGHT_SOURCES = {
    "added to the channels that there are": ("everywhere", LOOSE),
    "a row of layers and a shortcut": ("everywhere", STEPS),
    "the shortcut as a fixed convolution": ("everywhere", KERNEL),
}
WORDS = [
    ("below 90 %", "rounded_visible", "less than 90 %"),
    ("always up", "rounded_visible", "a multiple stays"),
    ("always down", "rounded_visible", "not the next smaller one"),
    ("Python's round", "rounded_visible", "halfway goes up"),
    ("expansion on the wrong side", "everywhere_visible", "the *input's* channels"),
    (
        "activation on the linear bottleneck",
        "everywhere_visible",
        "an activation on the linear bottleneck",
    ),
    (
        "ReLU on the linear bottleneck",
        "everywhere_visible",
        "a ReLU on the linear bottleneck",
    ),
    ("activation after the addition", "everywhere_visible", "after the addition"),
    ("ReLU for ReLU6", "everywhere_visible", "ReLU for ReLU6"),
    ("shortcut forgotten", "everywhere_visible", "the shortcut is missing"),
    ("every second pixel", "everywhere_visible", "it averages 2×2"),
    ("largest pixel", "everywhere_visible", "it averages"),
    ("d or fewer", "chance_visible", "d active units are enough"),
    ("not divided", "chance_visible", "divide by all"),
    ("the other side", "chance_visible", "nothing is lost"),
    ("n² cases", "chance_visible", "not n²"),
    ("2 n cases", "chance_visible", "not 2 · n"),
    ("whole numbers divided", "chance_visible", "divide by /"),
    ("percent for a probability", "chance_visible", "not percent"),
    ("no active unit left out", "chance_visible", "is a case, too"),
    ("units in their order", "chance_visible", "not their order"),
    ("no chance returned", "chance_visible", "is there a `return`?"),
    ("of a plane alone", "chance_visible", "the notebook's formula"),
    ("drawn, not added up", "chance_visible", "do not draw them"),
    ("more than all units refused", "chance_hidden", "or more than n"),
    ("counted, not ranked", "share_visible", "adds no rank"),
    ("what is kept", "share_visible", "nothing"),
    ("the norm in each part", "parts_visible", "went through the last norm"),
    ("the block, divided", "parts_visible", "already hold norm and shortcut"),
    ("statistics of the first group", "parts_visible", "the group's own channels"),
    ("no activation", "parts_visible", "an activation is missing"),
    ("ReLU in the parts", "parts_visible", "ReLU for ReLU6"),
    ("no norm", "parts_visible", "norms of expansion and filter are missing"),
    ("each part with those before it", "parts_visible", "the parts before it, too"),
    ("the wide parts", "parts_visible", "after the projection"),
    ("no parts returned", "parts_visible", "is there a `return`?"),
    ("the sum of the parts", "parts_visible", "parts, expected 3"),
    ("the whole, divided", "parts_visible", "the parts are equal"),
    ("unequal parts accepted", "parts_visible", "5 splits"),
    ("no splits accepted", "parts_visible", "not ZeroDivisionError"),
    ("train mode accepted", "parts_visible", "train = True: a ValueError is expected"),
    ("stride forgotten", "parts_hidden", "does the filter stride?"),
    ("always an expansion", "parts_hidden", "`expand` is an identity"),
    ("every third channel", "parts_hidden", "consecutive channels"),
    ("the weights of other groups wiped", "parts_hidden", "of the block changed"),
    ("with gradients", "parts_hidden", "carry gradients"),
    ("always to 8", "rounded_hidden", "is `divisor` used?"),
    ("not to 8", "rounded_visible", "it is a multiple of 8"),
    ("no divisor accepted", "rounded_hidden", "not ZeroDivisionError"),
    ("any share accepted", "rounded_hidden", "a ValueError is expected, not 16"),
    ("exactly the share is too little", "rounded_hidden", "is not less than the share"),
    ("a width that is a float", "rounded_visible", "an int, please"),
    ("no width returned", "rounded_visible", "is there a `return`?"),
    ("the notebook's rounding", "rounded_visible", "round_channels"),
    ("nothing at least", "rounded_hidden", "never below the divisor"),
    ("90 % for ever", "rounded_hidden", "is `share` used?"),
    ("no width accepted", "rounded_hidden", "a ValueError is expected"),
    ("no expansion", "everywhere_visible", "nothing is expanded"),
    ("swish for ReLU6", "everywhere_visible", "Swish for ReLU6"),
    (
        "no activation in the middle",
        "everywhere_visible",
        "no activation between filter and project",
    ),
    (
        "no activation after the expansion",
        "everywhere_visible",
        "no activation between expand and filter",
    ),
    ("no groups", "everywhere_visible", "groups?"),
    ("zeros before", "everywhere_visible", "after the old channels"),
    ("a bias before the norm", "everywhere_visible", "no convolution needs a bias"),
    ("stride on the projection", "everywhere_hidden", "`filter` strides"),
    ("the first channels dropped", "everywhere_hidden", "last channels are dropped"),
    ("any stride accepted", "everywhere_hidden", "a ValueError is expected"),
    ("exactly d", "chance_visible", "exactly d are active"),
    ("powers of a float", "chance_hidden", "divide integers"),
    ("rank of the whole", "share_visible", "the rank of T itself"),
    ("borders are active", "share_visible", "not where it is 0"),
    ("FLOPs", "expect_hidden", "2 FLOPs are one MAC"),
    ("a block of full convolutions", "expect_hidden", "one kernel for each"),
    ("no depthwise layer", "expect_hidden", "the depthwise layer multiplies"),
    ("one pixel of the depthwise kernel", "expect_hidden", "a depthwise kernel has"),
    ("no projection", "expect_hidden", "both multiply"),
    ("not expanded", "expect_hidden", "6 · 24 = 144"),
    ("norms as MACs", "expect_hidden", "a norm counts no MACs"),
    ("the last first", "expect_hidden", "the block comes first"),
    ("weights for MACs", "expect_hidden", "56 · 56 pixels"),
    ("kernels of one pixel", "expect_hidden", "a kernel has 3·3"),
    ("grouped", "expect_hidden", "no groups"),
    ("inactive rows", "share_visible", "not those at rest"),
    ("a number of points", "share_visible", "not their number"),
    ("in percent", "share_visible", "not percent"),
    ("a tensor", "share_visible", "a share is a float"),
    ("the mean rank", "share_visible", "not a mean of ranks"),
    ("what ranks lack", "share_visible", "not what their ranks lack"),
    ("below the number of units", "share_visible", "with d, not with n"),
]
