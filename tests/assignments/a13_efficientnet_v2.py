"""Wrong and right answers to a13_efficientnet_v2, and what each is worth."""

FUSED = {"fused_visible", "fused_hidden"}
ALL = FUSED | {"fused_learns"}
SCHEDULE = {"schedule_visible", "schedule_hidden"}
SEARCH = {"search_visible", "search_hidden"}
REMAINING = {"remaining_visible", "remaining_hidden"}
MISTAKES = {
    # name: cell, what stands there, what stands there instead, test cells it costs
    "squeezed from the expanded width": (
        "fused",
        "max(1, channels // 4)",
        "expansion * channels // 4",
        ALL,
    ),
    "expansion on the wrong side": (
        "fused",
        "hidden, squeezed = expansion * channels,",
        "hidden, squeezed = expansion * width,",
        {"fused_hidden", "fused_learns"},
    ),
    "depthwise": (
        "fused",
        "3, stride, padding=1, bias=False",
        "3, stride, padding=1, groups=channels, bias=False",
        ALL,
    ),
    "ReLU6 for swish": (
        "fused",
        "z = F.silu(",
        "z = F.relu6(",
        FUSED,
    ),
    "ReLU in the squeeze": (
        "fused",
        "F.silu(self.squeeze(mean))",
        "F.relu(self.squeeze(mean))",
        FUSED,
    ),
    "gate without sigmoid": (
        "fused",
        "torch.sigmoid(self.excite(F.silu(self.squeeze(mean))))",
        "self.excite(F.silu(self.squeeze(mean)))",
        FUSED,
    ),
    "no activation in the gate": (
        "fused",
        "F.silu(self.squeeze(mean))",
        "self.squeeze(mean)",
        FUSED,
    ),
    "no gate": ("fused", "self.project(gate * z)", "self.project(z)", ALL),
    "the gate added": ("fused", "gate * z", "gate + z", FUSED),
    "the sum of a map": (
        "fused",
        "z.mean(dim=(2, 3), keepdim=True)",
        "z.sum(dim=(2, 3), keepdim=True)",
        FUSED,
    ),
    "activation on the linear bottleneck": (
        "fused",
        "y = self.norm2(self.project(gate * z))",
        "y = F.silu(self.norm2(self.project(gate * z)))",
        FUSED,
    ),
    "activation after the addition": (
        "fused",
        "return x + self.drop(y) if",
        "return F.silu(x + self.drop(y)) if",
        FUSED,
    ),
    "shortcut forgotten": (
        "fused",
        "return x + self.drop(y) if self.keeps_shape else y",
        "return y",
        FUSED,
    ),
    "shortcut under stride": (
        "fused",
        "self.keeps_shape = stride == 1 and width == channels",
        "self.keeps_shape = width == channels",
        {"fused_hidden"},
    ),
    "the usual epsilon": (
        "fused",
        ", eps=1e-3)",
        ")",
        FUSED,
    ),
    "stride on the projection": (
        "fused",
        "self.project = nn.Conv2d(hidden, width, 1, bias=False)",
        "self.expand.stride = (1, 1)\n"
        "        self.project = nn.Conv2d(hidden, width, 1, stride, bias=False)",
        {"fused_hidden"},
    ),
    "a bias before the norm": (
        "fused",
        "self.project = nn.Conv2d(hidden, width, 1, bias=False)",
        "self.project = nn.Conv2d(hidden, width, 1)",
        ALL,
    ),
    "excite from the maximum": (
        "fused",
        "z.mean(dim=(2, 3), keepdim=True)",
        "z.amax(dim=(2, 3), keepdim=True)",
        FUSED,
    ),
    "drop-path at evaluation": (
        "fused",
        "return x + self.drop(y) if self.keeps_shape else y",
        "self.drop.train()\n        return x + self.drop(y) if self.keeps_shape else y",
        {"fused_visible"},
    ),
    "no drop-path": (
        "fused",
        "return x + self.drop(y) if",
        "return x + y if",
        {"fused_hidden"},
    ),
    "kept instead of dropped": (
        "fused",
        "v2.DropPath(drop)",
        "v2.DropPath(1 - drop if drop else 0.0)",
        {"fused_hidden"},
    ),
    "the whole batch dropped": (
        "fused",
        "return x + self.drop(y) if",
        "return x + self.drop(y[None])[0] if",
        {"fused_hidden"},
    ),
    "dropped without a shortcut": (
        "fused",
        "if self.keeps_shape else y",
        "if self.keeps_shape else self.drop(y)",
        {"fused_hidden"},
    ),
    "cut off from the gradient": (
        "fused",
        "self.project(gate * z)",
        "self.project(gate.detach() * z)",
        {"fused_learns"},
    ),
    "any stride accepted": (
        "fused",
        "stride not in (1, 2) or ",
        "",
        {"fused_hidden"},
    ),
    "any probability accepted": (
        "fused",
        " or not 0 <= drop < 1",
        " or drop == 1.5 or drop == -0.1",
        {"fused_hidden"},
    ),
    "rounded up": (
        "schedule",
        "/ 8 + 0.5) * 8",
        "/ 8 + 0.999) * 8",
        SCHEDULE,
    ),
    "from the end to the start": (
        "schedule",
        "for i in range(stages):\n",
        "for i in range(stages)[::-1]:\n",
        SCHEDULE,
    ),
    "strengths from the end to the start": (
        "schedule",
        "a + (b - a) * part for",
        "b + (a - b) * part for",
        SCHEDULE,
    ),
    "sizes that are floats": ("schedule", "+ 0.5) * 8", "+ 0.5) * 8.0", SCHEDULE),
    "divided by M": (
        "schedule",
        "i / (stages - 1) if stages > 1 else 1.0",
        "i / stages if stages > 1 else 1.0",
        SCHEDULE,
    ),
    "beginning at one": (
        "schedule",
        "i / (stages - 1) if stages > 1 else 1.0",
        "(i + 1) / stages",
        SCHEDULE,
    ),
    "one stage is the start": (
        "schedule",
        "else 1.0",
        "else 0.0",
        SCHEDULE,
    ),
    "regularisation that does not grow": (
        "schedule",
        "a + (b - a) * part for",
        "b for",
        SCHEDULE,
    ),
    "sizes that do not grow": (
        "schedule",
        "(sizes[0] + (sizes[1] - sizes[0]) * part)",
        "sizes[1]",
        SCHEDULE,
    ),
    "not to 8": (
        "schedule",
        "math.floor((sizes[0] + (sizes[1] - sizes[0]) * part) / 8 + 0.5) * 8",
        "math.floor(sizes[0] + (sizes[1] - sizes[0]) * part + 0.5)",
        SCHEDULE,
    ),
    "rounded down": (
        "schedule",
        "/ 8 + 0.5) * 8",
        "/ 8) * 8",
        SCHEDULE,
    ),
    "Python's round": (
        "schedule",
        "math.floor((sizes[0] + (sizes[1] - sizes[0]) * part) / 8 + 0.5) * 8",
        "round((sizes[0] + (sizes[1] - sizes[0]) * part) / 8) * 8",
        SCHEDULE,
    ),
    "the rest is lost": (
        "schedule",
        "each + (i < more)",
        "each",
        SCHEDULE,
    ),
    "the rest at the end": (
        "schedule",
        "each + (i < more)",
        "each + (i >= stages - more)",
        SCHEDULE,
    ),
    "more stages than steps accepted": (
        "schedule",
        "not 1 <= stages <= steps",
        "not 1 <= stages",
        {"schedule_hidden"},
    ),
    "tiny images accepted": (
        "schedule",
        " or min(sizes) < 8",
        "",
        {"schedule_hidden"},
    ),
    "ranked by accuracy": (
        "search",
        "v2.reward(*measure(architecture))",
        "measure(architecture)[0]",
        SEARCH,
    ),
    "worst first": (
        "search",
        "key=lambda row: -row[0]",
        "key=lambda row: row[0]",
        SEARCH,
    ),
    "not sorted": ("search", "sorted(rated, key=lambda row: -row[0])", "rated", SEARCH),
    "the architecture first": (
        "search",
        "return sorted(rated, key=lambda row: -row[0])",
        "return [row[::-1] for row in sorted(rated, key=lambda row: -row[0])]",
        SEARCH,
    ),
    "exponents without their sign": (
        "search",
        "[(v2.reward(*measure(architecture)), architecture) for",
        "[(a * s**0.07 * p**0.05, architecture) for a, s, p, architecture in "
        "[(*measure(one), one) for one in drawn]]\n    [None for",
        SEARCH,
    ),
    "step and parameters exchanged": (
        "search",
        "[(v2.reward(*measure(architecture)), architecture) for",
        "[(v2.reward(a, p, s), architecture) for a, s, p, architecture in "
        "[(*measure(one), one) for one in drawn]]\n    [None for",
        SEARCH,
    ),
    "no seed at all": (
        "search",
        "random.Random(seed)",
        "random.Random()",
        {"search_hidden"},
    ),
    "drawn with repetition": (
        "search",
        ".sample(every, trials)",
        ".choices(every, k=trials)",
        SEARCH,
    ),
    "the first ones": (
        "search",
        "random.Random(seed).sample(every, trials)",
        "every[:trials]",
        {"search_hidden"},
    ),
    "the global random state": (
        "search",
        "drawn = random.Random(seed).sample(every, trials)",
        "random.seed(seed)\n    drawn = random.sample(every, trials)",
        {"search_visible"},
    ),
    "the seed ignored": (
        "search",
        "random.Random(seed)",
        "random.Random(0)",
        {"search_hidden"},
    ),
    "measured twice": (
        "search",
        "rated = [",
        "[measure(architecture) for architecture in drawn]\n    rated = [",
        {"search_visible"},
    ),
    "too many trials accepted": (
        "search",
        "    if not 1 <= trials <= len(every):",
        "    trials = min(trials, len(every))\n    if trials < 1:",
        {"search_hidden"},
    ),
    "counted anew in each stage": (
        "remaining",
        "    for stage in stages:\n",
        "    for stage in stages:\n        number = 0\n",
        REMAINING,
    ),
    "one probability for all": (
        "remaining",
        "last * number / total",
        "last",
        REMAINING,
    ),
    "what never rests is not counted": (
        "remaining",
        "number + 1",
        "number + rests",
        REMAINING,
    ),
    "what never rests does not run": (
        "remaining",
        "if rests else 1",
        "if rests else 0",
        REMAINING,
    ),
    "divided by one less": (
        "remaining",
        "number / total if",
        "number / (total - 1) if",
        REMAINING,
    ),
    "counted from one": (
        "remaining",
        "last * number / total",
        "last * (number + 1) / total",
        REMAINING,
    ),
    "every block may rest": (
        "remaining",
        "rests = step == 1 and channels == stage.width",
        "rests = True",
        REMAINING,
    ),
    "a new width rests, too": (
        "remaining",
        "rests = step == 1 and channels == stage.width",
        "rests = step == 1",
        REMAINING,
    ),
    "a stride rests, too": (
        "remaining",
        "rests = step == 1 and channels == stage.width",
        "rests = channels == stage.width",
        REMAINING,
    ),
    "what rests": (
        "remaining",
        "1 - last * number / total if rests else 1",
        "last * number / total if rests else 0",
        REMAINING,
    ),
    "certainty accepted": (
        "remaining",
        "not 0 <= last < 1",
        "not 0 <= last <= 1",
        {"remaining_hidden"},
    ),
    "no squeeze-and-excite": (
        "expect",
        "2 * 4 * 160 * 40",
        "0",
        {"expect_hidden"},
    ),
    "squeezed from the expanded": (
        "expect",
        "2 * 4 * 160 * 40",
        "2 * 4 * 160 * 160",
        {"expect_hidden"},
    ),
    "squeeze-and-excite at every pixel": (
        "expect",
        "pixels * plain + excite",
        "pixels * (plain + excite)",
        {"expect_hidden"},
    ),
    "one layer of the gate": (
        "expect",
        "2 * 4 * 160 * 40",
        "4 * 160 * 40",
        {"expect_hidden"},
    ),
    "the depthwise forgotten": (
        "expect",
        "(160 + 9 + 160)",
        "(160 + 160)",
        {"expect_hidden"},
    ),
    "a full 3x3 in mbconv": (
        "expect",
        "(160 + 9 + 160)",
        "(160 + 9 * hidden + 160)",
        {"expect_hidden"},
    ),
    "fused without its last layer": (
        "expect",
        "(9 * 160 + 160)",
        "(9 * 160)",
        {"expect_hidden"},
    ),
    "fused and depthwise": (
        "expect",
        "(9 * 160 + 160)",
        "(9 + 160)",
        {"expect_hidden"},
    ),
    "fused with squeeze-and-excite": (
        "expect",
        "pixels * fused, plain",
        "pixels * fused + excite, plain",
        {"expect_hidden"},
    ),
    "the weights without the gate": (
        "expect",
        "pixels * fused, plain + excite",
        "pixels * fused, plain",
        {"expect_hidden"},
    ),
    "FLOPs": ("expect", "14 * 14,", "2 * 14 * 14,", {"expect_hidden"}),
}
BODIES = {
    # name: cell, another body for its function, test cells it costs
    "the weights of the blocks": (
        "expect",
        "blocks = [f(160, 160) for f in (v2.mbconv, v2.fused_mbconv)]\n"
        "weights = [sum(value.numel() for value in block.state_dict().values()\n"
        "               if value.ndim == 4) for block in blocks]\n"
        "excite = 2 * 640 * 40\n"
        "macs = 196 * (weights[0] - excite) + excite, 196 * weights[1]\n"
        "return *macs, *weights",
        {"expect_hidden"},
    ),
    "it refuses every schedule": ("schedule", "raise ValueError", SCHEDULE),
    "it refuses every search": ("search", "raise ValueError", SEARCH),
    "the paper's schedule": (
        "schedule",
        "return [(88, 128, {'dropout': 0.1, 'RandAugment': 5}),\n"
        "        (88, 184, {'dropout': 1 / 6, 'RandAugment': 25 / 3}),\n"
        "        (87, 240, {'dropout': 0.7 / 3, 'RandAugment': 35 / 3}),\n"
        "        (87, 304, {'dropout': 0.3, 'RandAugment': 15})]",
        SCHEDULE,
    ),
    "the counter": (
        "expect",
        "blocks = [build(160, 160) for build in (v2.mbconv, v2.fused_mbconv)]\n"
        "found = [flops.count(b, (1, 160, 14, 14)).macs for b in blocks]\n"
        "found += [sum(p.numel() for p in b.parameters() if p.ndim == 4)\n"
        "          for b in blocks]\n"
        "return tuple(found)",
        {"expect_hidden"},
    ),
}
SOURCES = {
    # name: cell, its whole source, test cells it costs
    "the notebook's own block": (
        "fused",
        "def FusedExcite(channels, width, stride=1, expansion=4, drop=0.0):\n"
        "    if stride not in (1, 2) or not 0 <= drop < 1: raise ValueError()\n"
        "    return v2.fused_mbconv(channels, width, stride, expansion, drop)",
        ALL,
    ),
}
RIGHT = {
    "schedule by numpy's linspace": (
        "schedule",
        "import numpy as np\n"
        "if stages < 1 or stages > steps or any(size < 8 for size in sizes):\n"
        "    raise ValueError('no')\n"
        "def line(a, b):\n"
        "    return np.linspace(a, b, stages) if stages > 1 else np.array([b])\n"
        "parts = np.array_split(np.arange(steps), stages)\n"
        "side = [8 * int((s + 4) // 8) for s in line(*sizes)]\n"
        "values = {name: line(*ends).tolist() for name, ends in strengths.items()}\n"
        "return [(len(parts[i]), side[i], {n: v[i] for n, v in values.items()})\n"
        "        for i in range(stages)]",
    ),
    "schedule by fractions": (
        "schedule",
        "from fractions import Fraction\n"
        "if not (0 < stages <= steps) or sizes[0] < 8 or sizes[1] < 8:\n"
        "    raise ValueError('no')\n"
        "answer, left = [], steps\n"
        "for i in range(stages):\n"
        "    own = -(-left // (stages - i))\n"
        "    left -= own\n"
        "    t = Fraction(i, stages - 1) if stages != 1 else Fraction(1)\n"
        "    side = (1 - t) * sizes[0] + t * sizes[1]\n"
        "    size = int((side + 4) // 8) * 8\n"
        "    mixed = {k: float(1 - t) * a + float(t) * b\n"
        "             for k, (a, b) in strengths.items()}\n"
        "    answer.append((own, size, mixed))\n"
        "return answer",
    ),
    "schedule as lists": (
        "schedule",
        "if stages < 1 or steps < stages or min(sizes) < 8:\n"
        "    raise ValueError('no')\n"
        "rows, most = [], max(stages - 1, 1)\n"
        "for i in range(stages):\n"
        "    i = i if stages > 1 else 1\n"
        "    number = i if stages > 1 else 0\n"
        "    start, end = (steps * 0, 0)\n"
        "    count = steps // stages + int(number < steps % stages)\n"
        "    size = sizes[0] * (most - i) + sizes[1] * i  # times most\n"
        "    size = (2 * size + 8 * most) // (16 * most) * 8\n"
        "    rows.append((count, size, {\n"
        "        n: (e[0] * (most - i) + e[1] * i) / most for n, e in strengths.items()}))\n"
        "return rows",
    ),
    "search by shuffled numbers": (
        "search",
        "sizes = [len(options) for options in space.values()]\n"
        "if trials < 1 or trials > math.prod(sizes):\n"
        "    raise ValueError('no')\n"
        "numbers = list(range(math.prod(sizes)))\n"
        "random.Random(f'mine{seed}').shuffle(numbers)\n"
        "answers = []\n"
        "for number in numbers[:trials]:\n"
        "    chosen = {}\n"
        "    for name, options in space.items():\n"
        "        number, place = divmod(number, len(options))\n"
        "        chosen[name] = options[place]\n"
        "    top1, step, params = measure(chosen)\n"
        "    answers.append((top1 / (step**0.07 * params**0.05), chosen))\n"
        "answers.sort(key=lambda pair: pair[0], reverse=True)\n"
        "return answers",
    ),
    "search by torch's generator": (
        "search",
        "generator = torch.Generator().manual_seed(seed)\n"
        "names = list(space)\n"
        "every = list(itertools.product(*[space[name] for name in names]))\n"
        "if not 0 < trials <= len(every):\n"
        "    raise ValueError('no')\n"
        "order = torch.randperm(len(every), generator=generator)[:trials]\n"
        "found = []\n"
        "for place in order.tolist():\n"
        "    one = {name: every[place][k] for k, name in enumerate(names)}\n"
        "    found.append((v2.reward(*measure(one)), one))\n"
        "return sorted(found, key=lambda row: row[0])[::-1]",
    ),
    "search until enough are different": (
        "search",
        "most = math.prod(len(options) for options in space.values())\n"
        "if trials < 1 or most < trials:\n"
        "    raise ValueError('no')\n"
        "rng, drawn = random.Random(seed + 1000), []\n"
        "while len(drawn) < trials:\n"
        "    one = {name: rng.choice(options) for name, options in space.items()}\n"
        "    if one not in drawn:\n"
        "        drawn.append(one)\n"
        "rewards = [v2.reward(*measure(one)) for one in drawn]\n"
        "order = sorted(range(trials), key=rewards.__getitem__, reverse=True)\n"
        "return [(rewards[i], drawn[i]) for i in order]",
    ),
    "remaining from a built network": (
        "remaining",
        "if last < 0 or last >= 1:\n"
        "    raise ValueError('no')\n"
        "with torch.device('meta'):\n"
        "    blocks = v2.EfficientNetV2(stages, 8, 2, drop=last).stages\n"
        "return float(sum(1 - b.drop.p * b.keeps_shape for b in blocks))",
    ),
    "remaining by what rests": (
        "remaining",
        "if not (last >= 0 and last < 1):\n"
        "    raise ValueError('no')\n"
        "rows = [(s, k) for s in stages for k in range(s.blocks)]\n"
        "resting, before = 0.0, stages[0].width\n"
        "for i, (stage, k) in enumerate(rows):\n"
        "    if k > 0 or (stage.stride == 1 and before == stage.width):\n"
        "        resting += i\n"
        "    before = stage.width\n"
        "return len(rows) - last * resting / len(rows)",
    ),
    "remaining stage by stage": (
        "remaining",
        "if last != min(max(last, 0), 0.9999999999):\n"
        "    raise ValueError('no')\n"
        "n, done, left = sum(s.blocks for s in stages), 0, stages[0].width\n"
        "answer = float(n)\n"
        "for s in stages:\n"
        "    first = 0 if s.stride == 1 and s.width == left else 1\n"
        "    answer -= last / n * sum(range(done + first, done + s.blocks))\n"
        "    done, left = done + s.blocks, s.width\n"
        "return answer",
    ),
    "expected layer by layer": (
        "expect",
        "def conv(channels, width, size=1, groups=1):\n"
        "    return size * size * channels * width // groups\n"
        "gate = conv(640, 40) + conv(40, 640)\n"
        "mb = conv(160, 640) + conv(640, 640, 3, 640) + conv(640, 160)\n"
        "fused = conv(160, 640, 3) + conv(640, 160)\n"
        "return [196 * mb + gate, 196 * fused, mb + gate, fused]",
    ),
    "expected by factors": (
        "expect",
        "c, t, p = 160, 4, 14**2\n"
        "mb, fused, gate = 2 * t * c * c + 9 * t * c, 10 * t * c * c, t * c * c // 2\n"
        "return p * mb + gate, p * fused, mb + gate, fused",
    ),
    "expected as numbers": (
        "expect",
        "return [41_320_960, 200_704_000, 261_760, 1_024_000]",
    ),
}
BY_HAND = """
class FusedExcite(nn.Module):
    def __init__(self, channels, width, stride=1, expansion=4, drop=0.0):
        super().__init__()
        if stride != 1 and stride != 2:
            raise ValueError("stride")
        if drop < 0 or drop >= 1:
            raise ValueError("drop")
        wide, self.p = channels * expansion, drop
        self.norm2 = nn.BatchNorm2d(width, 0.001)
        self.norm1 = nn.BatchNorm2d(wide, 0.001)
        self.project = nn.Conv2d(wide, width, 1, bias=False)
        self.expand = nn.Conv2d(channels, wide, (3, 3), (stride, stride), 1, bias=False)
        self.squeeze = nn.Conv2d(wide, channels // 4 or 1, 1)
        self.excite = nn.Conv2d(channels // 4 or 1, wide, 1)

    def forward(self, x):
        z = self.norm1(self.expand(x))
        z = z / (1 + torch.exp(-z))
        small = self.squeeze(F.adaptive_avg_pool2d(z, 1))
        z = z * self.excite(small * small.sigmoid()).sigmoid()
        y = self.norm2(self.project(z))
        if y.shape != x.shape:
            return y
        if self.training:
            kept = (torch.rand(len(x), 1, 1, 1) >= self.p).to(y)
            y = y * kept / (1 - self.p)
        return x + y
"""
WITH_TORCHVISION = """
from torchvision.ops import StochasticDepth

class FusedExcite(nn.Module):
    def __init__(self, channels, width, stride=1, expansion=4, drop=0.0):
        super().__init__()
        if stride not in {1, 2} or drop < 0.0 or drop >= 1.0:
            raise ValueError("no")
        wide, thin = channels * expansion, max(channels // 4, 1)
        for name, layer in {
            "expand": nn.Conv2d(channels, wide, 3, stride, 1, bias=False),
            "norm1": nn.BatchNorm2d(wide, 1e-3), "squeeze": nn.Conv2d(wide, thin, 1),
            "excite": nn.Conv2d(thin, wide, 1),
            "project": nn.Conv2d(wide, width, 1, bias=False),
            "norm2": nn.BatchNorm2d(width, 1e-3),
        }.items():
            self.add_module(name, layer)
        self.around = StochasticDepth(drop, "row")
        self.adds = (stride, width) == (1, channels)

    def forward(self, x):
        out = nn.SiLU()(self.norm1(self.expand(x)))
        gate = out.flatten(2).mean(2)[:, :, None, None]
        for layer, act in ((self.squeeze, F.silu), (self.excite, torch.sigmoid)):
            gate = act(layer(gate))
        out = self.norm2(self.project(out * gate))
        return self.around(out) + x if self.adds else out
"""
WITH_THE_GATE = """
class FusedExcite(nn.Module):
    def __init__(self, channels, width, stride=1, expansion=4, drop=0.0):
        super().__init__()
        if stride not in (1, 2) or not 0 <= drop < 1:
            raise ValueError("no")
        gate = v2.SqueezeExcite(expansion * channels, max(1, channels // 4))
        self.squeeze, self.excite = gate.squeeze, gate.excite
        first = v2.conv_bn(channels, expansion * channels, 3, stride)
        self.expand, self.norm1, self.act = first
        self.project, self.norm2 = v2.conv_bn(
            expansion * channels, width, 1, activate=False)
        self.drop, self.straight = v2.DropPath(drop), stride == 1 and width == channels

    def forward(self, x):
        y = self.act(self.norm1(self.expand(x)))
        y = self.norm2(self.project(v2.SqueezeExcite.forward(self, y)))
        return torch.add(self.drop(y), x) if self.straight else y
"""
RIGHT_SOURCES = {
    "drawn by hand": ("fused", BY_HAND),
    "with torchvision's drop": ("fused", WITH_TORCHVISION),
    "with the notebook's parts": ("fused", WITH_THE_GATE),
}
WORDS = [
    ("squeezed from the expanded width", "fused_visible", "*input* channels"),
    ("depthwise", "fused_visible", "no groups"),
    ("activation on the linear bottleneck", "fused_visible", "linear bottleneck"),
    ("activation after the addition", "fused_visible", "after the addition"),
    ("shortcut forgotten", "fused_visible", "the shortcut is missing"),
    ("drop-path at evaluation", "fused_visible", "drop-path at evaluation"),
    ("a bias before the norm", "fused_visible", "with a bias"),
    ("divided by M", "schedule_visible", "divide by M − 1"),
    ("beginning at one", "schedule_visible", "i begins at 0"),
    ("regularisation that does not grow", "schedule_visible", "does not grow"),
    ("not to 8", "schedule_visible", "multiples of 8"),
    ("the rest is lost", "schedule_visible", "add up"),
    ("the rest at the end", "schedule_visible", "expected [88, 88, 87, 87]"),
    ("ranked by accuracy", "search_visible", "this is the accuracy"),
    ("worst first", "search_visible", "the highest reward comes first"),
    ("drawn with repetition", "search_visible", "drawn twice"),
    ("measured twice", "search_visible", "12 times"),
    ("every block may rest", "remaining_visible", "never rests"),
    ("ReLU6 for swish", "fused_visible", "ReLU6 for swish"),
    ("ReLU in the squeeze", "fused_visible", "stands ReLU; here: swish"),
    ("no activation in the gate", "fused_visible", "no activation stands between"),
    ("gate without sigmoid", "fused_visible", "the gate has no sigmoid"),
    ("excite from the maximum", "fused_visible", "the largest number of a map"),
    ("the sum of a map", "fused_visible", "the sum of a map, not the mean"),
    ("no gate", "fused_visible", "there is no gate"),
    ("the gate added", "fused_visible", "it multiplies"),
    ("the usual epsilon", "fused_visible", "not the usual 1e-5"),
    ("the notebook's own block", "fused_visible", "no block of the notebook"),
    ("no drop-path", "fused_hidden", "0.0% of the images"),
    ("kept instead of dropped", "fused_hidden", "25 % are dropped"),
    ("the whole batch dropped", "fused_hidden", "each is drawn by itself"),
    ("dropped without a shortcut", "fused_hidden", "nothing may be dropped"),
    ("any stride accepted", "fused_hidden", "no ValueError, but gave"),
    ("sizes that do not grow", "schedule_visible", "the sizes do not grow"),
    ("rounded down", "schedule_visible", "rounded down: 300 lies halfway"),
    ("rounded up", "schedule_visible", "rounded up: the nearest"),
    ("Python's round", "schedule_visible", "Python's `round`"),
    ("one stage is the start", "schedule_visible", "as at the end"),
    ("strengths from the end to the start", "schedule_visible", "falls"),
    ("sizes that are floats", "schedule_visible", "an int each"),
    ("more stages than steps accepted", "schedule_hidden", "no ValueError, but gave"),
    ("the architecture first", "search_visible", "a row is (reward, architecture)"),
    ("not sorted", "search_visible", "sort by the reward"),
    ("exponents without their sign", "search_visible", "w and v are negative"),
    ("step and parameters exchanged", "search_visible", "w belongs to the step"),
    ("the global random state", "search_visible", "the global random state"),
    ("the first ones", "search_hidden", "every seed gives the same"),
    ("the seed ignored", "search_hidden", "every seed gives the same"),
    ("no seed at all", "search_hidden", "the same seed, and another answer"),
    ("too many trials accepted", "search_hidden", "no ValueError, but gave"),
    ("divided by one less", "remaining_visible", "not by n − 1"),
    ("counted from one", "remaining_visible", "counted from 0"),
    ("counted anew in each stage", "remaining_visible", "not anew in each"),
    ("one probability for all", "remaining_visible", "grows from block to block"),
    ("what never rests is not counted", "remaining_visible", "is counted, too"),
    ("what never rests does not run", "remaining_visible", "counts as 1"),
    ("what rests", "remaining_visible", "not of those that run"),
    ("a new width rests, too", "remaining_visible", "changes the width"),
    ("a stride rests, too", "remaining_visible", "also where it keeps the width"),
    ("certainty accepted", "remaining_hidden", "no ValueError, but gave"),
    ("no squeeze-and-excite", "expect_hidden", "squeeze-and-excite is missing"),
    ("squeezed from the expanded", "expect_hidden", "a quarter of C, not of tC"),
    ("squeeze-and-excite at every pixel", "expect_hidden", "works on one pixel"),
    ("one layer of the gate", "expect_hidden", "has two layers"),
    ("the depthwise forgotten", "expect_hidden", "the depthwise 3×3 is missing"),
    ("a full 3x3 in mbconv", "expect_hidden", "its 3×3 is depthwise"),
    ("FLOPs", "expect_hidden", "are one MAC"),
    ("fused without its last layer", "expect_hidden", "the last 1×1 is missing"),
    ("fused and depthwise", "expect_hidden", "its 3×3 is a full one"),
    ("fused with squeeze-and-excite", "expect_hidden", "has no squeeze-and-excite"),
    ("the weights without the gate", "expect_hidden", "squeeze-and-excite is missing"),
]
