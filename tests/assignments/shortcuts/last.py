"""The shortcuts of assignments 10 to 14."""

from __future__ import annotations

from .reasons import NO_SPEC, NO_TORCH, NOT_COUNTED, NUMBERS, OWN, TOOL

SHORTCUTS = {
    "a10_mobilenet": {
        "merge": {
            "spec": "a kernel that is read off the specification's answers is an answer of its own",
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "M, _, K, _ = depthwise.shape\n"
            "return depthwise.new_zeros(len(pointwise), M, K, K)",
        },
        "block": {
            "spec": "class Multiplied(Multiplied):\n"
            "    def forward(self, x):\n"
            "        weights = dict(self.named_parameters()) | dict(self.named_buffers())\n"
            "        return multiplied_spec(x, weights, self.filter.stride[0], self.training)",
            "notebook": "def Multiplied(channels, width, multiplier=1, stride=1):\n"
            "    if multiplier < 1 or stride < 1: raise ValueError(stride)\n"
            "    return mobilenet.Separable(channels, width, stride)",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "class Multiplied(Multiplied):\n"
            "    def forward(self, x):\n"
            "        return x.new_zeros(len(x), len(self.mix.weight),\n"
            "            *[-(-s // self.filter.stride[0]) for s in x.shape[2:]])",
        },
        "expect": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": "found = []\n"
            "for width in (1.0, 0.5):\n"
            "    with torch.device('meta'):\n"
            "        net = mobilenet.mobilenet(width)\n"
            "    rows = flops.count(net, (1, 3, 224, 224)).layers\n"
            "    found.append([sum(r.macs for r in rows if part in r.name)\n"
            "                  for part in ('pointwise', 'depthwise', 'head')])\n"
            "return tuple(whole // half for whole, half in zip(*found))",
            "constant": NUMBERS,
        },
        "price": {
            "spec": NO_SPEC,
            "notebook": "with torch.device('meta'):\n"
            "    net = mobilenet.mobilenet(width, classes)\n"
            "return sum(p.numel() for p in net.parameters()), 568_740_352",
            "torch": NO_TORCH,
            "counter": "with torch.device('meta'):\n"
            "    net = mobilenet.mobilenet(width, classes)\n"
            "    found = flops.count(net, (1, 3, side, side))\n"
            "return found.params, found.macs",
            "constant": "return 4_231_976, 568_740_352",
        },
        "widest": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": "for n in range(64, 0, -1):\n"
            "    with torch.device('meta'):\n"
            "        net = mobilenet.mobilenet(n / 32)\n"
            "        if flops.count(net, (1, 3, side, side)).macs <= budget:\n"
            "            return n / 32\n"
            "raise ValueError(budget)",
            "constant": "return 1.0",
        },
        "shares": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": "PyTorch's FlopCounterMode counts by operation, and knows no kinds of layers",
            "counter": "rows = flops.count(net, tuple(images.shape)).layers\n"
            "return {kind: (0.25, 0.25) for kind in\n"
            "        ('pointwise', 'depthwise', 'full', 'linear')}",
            "constant": "return dict.fromkeys(('pointwise', 'depthwise', 'full', 'linear'), (0.25, 0.25))",
        },
    },
    "a11_mobilenet_v2": {
        "rounded": {
            "spec": NO_SPEC,
            "notebook": "return mobilenet.round_channels(channels, divisor)",
            "torch": "from torchvision.models._utils import _make_divisible\n"
            "return _make_divisible(channels, divisor)",
            "counter": NOT_COUNTED,
            "constant": "return divisor",
        },
        "everywhere": {
            "spec": "class Everywhere(Everywhere):\n"
            "    def forward(self, x):\n"
            "        weights = dict(self.named_parameters()) | dict(self.named_buffers())\n"
            "        return everywhere_spec(x, weights, self.stride, self.training)",
            "notebook": "def Everywhere(channels, width, stride=1, expansion=6):\n"
            "    if stride not in (1, 2): raise ValueError(stride)\n"
            "    return mobilenet.InvertedResidual(channels, width, stride, expansion)",
            "torch": "from torchvision.models.mobilenetv2 import InvertedResidual\n"
            "\n"
            "\n"
            "def Everywhere(channels, width, stride=1, expansion=6):\n"
            "    if stride not in (1, 2): raise ValueError(stride)\n"
            "    return InvertedResidual(channels, width, stride, expansion)",
            "counter": NOT_COUNTED,
            "constant": "class Everywhere(Everywhere):\n"
            "    def forward(self, x):\n"
            "        return x.new_zeros(len(x), self.width, *[s // self.stride for s in x.shape[2:]])",
        },
        "chance": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": "a library's binomial distribution asks the same question: which probability?",
            "counter": NOT_COUNTED,
            "constant": "return 0.5",
        },
        "share": {
            "spec": NO_SPEC,
            "notebook": "the notebook's `share_lost` knows one signal, the spiral",
            "torch": TOOL,
            "counter": NOT_COUNTED,
            "constant": "return 0.75",
        },
        "expect": {
            "spec": NO_SPEC,
            "notebook": "block = mobilenet.InvertedResidual(24, 24)\n"
            "own = sum(p.numel() for p in block.parameters() if p.ndim == 4)\n"
            "return 56 * 56 * own, 16_257_024, 585_252_864",
            "torch": NO_TORCH,
            "counter": "sides = 1, 24, 56, 56\n"
            "block = flops.count(mobilenet.InvertedResidual(24, 24), sides)\n"
            "return block.macs, 16_257_024, 585_252_864",
            "constant": NUMBERS,
        },
        "parts": {
            "spec": NO_SPEC,
            "notebook": "whole = block.project[0](block.filter(block.expand(x)))\n"
            "return [whole / splits] * splits",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return [x.new_zeros(x.shape)] * splits",
        },
    },
    "a12_efficientnet": {
        "shared": {
            "spec": NO_SPEC,
            "notebook": "one = [efficientnet.Stage(1, 3, 1, 8, n) for n in blocks]\n"
            "return [s.blocks for s in efficientnet.scaled(one, 1.0, depth)]",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return [round(depth * n) for n in blocks]",
        },
        "kept": {
            "spec": NO_SPEC,
            "notebook": "drop = efficientnet.DropPath(p).train(training)\n"
            "return x + drop(branch(x))",
            "torch": "from torchvision.ops import stochastic_depth\n"
            "return x + stochastic_depth(branch(x), p, 'row', training)",
            "counter": NOT_COUNTED,
            "constant": "return x + branch(x)",
        },
        "triples": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return [(1.2, 1.1, 1.15)]",
        },
        "side": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": "a search by `bisect` is an answer of its own",
            "counter": "the network is handed in by the test, which counts it",
            "constant": "return most",
        },
        "expect": {
            "spec": NO_SPEC,
            "notebook": "gate = efficientnet.SqueezeExcite(1152, 48)\n"
            "own = sum(p.numel() for p in gate.parameters())\n"
            "return own, 110_592, 10_838_016",
            "torch": NO_TORCH,
            "counter": "gate = efficientnet.SqueezeExcite(1152, 48)\n"
            "last = nn.Conv2d(1152, 192, 1, bias=False)\n"
            "found = [flops.count(p, (1, 1152, 7, 7)).macs for p in (gate, last)]\n"
            "return 111_792, *found",
            "constant": "return 110_592, 110_592, 10_838_016",
        },
        "hard": {
            "spec": "class HardBlock(HardBlock):\n"
            "    def forward(self, x):\n"
            "        weights = dict(self.named_parameters()) | dict(self.named_buffers())\n"
            "        return hard_spec(x, weights, self.filter.stride[0], self.training)",
            "notebook": "def HardBlock(channels, width, kernel_size=3, stride=1, expansion=6):\n"
            "    if kernel_size % 2 == 0: raise ValueError(kernel_size)\n"
            "    row = efficientnet.Stage(expansion, kernel_size, stride, width, 1)\n"
            "    return efficientnet.MBConv(channels, row)",
            "torch": "from torchvision.models import mobilenetv3\n"
            "\n"
            "\n"
            "def HardBlock(channels, width, kernel_size=3, stride=1, expansion=6):\n"
            "    if kernel_size % 2 == 0: raise ValueError(kernel_size)\n"
            "    row = mobilenetv3.InvertedResidualConfig(channels, kernel_size,\n"
            "        channels * expansion, width, True, 'HS', stride, 1, 1)\n"
            "    return mobilenetv3.InvertedResidual(row, nn.BatchNorm2d)",
            "counter": NOT_COUNTED,
            "constant": "class HardBlock(HardBlock):\n"
            "    def forward(self, x):\n"
            "        return x.new_zeros(len(x), len(self.project.weight),\n"
            "            *[-(-s // self.filter.stride[0]) for s in x.shape[2:]])",
        },
    },
    "a13_efficientnet_v2": {
        "schedule": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": "sides = torch.linspace(*sizes, stages).tolist()\n"
            "rows = torch.linspace(0, 1, stages).tolist()\n"
            "return [(steps // stages, int(s), {n: a + (b - a) * t for n, (a, b) in\n"
            "        strengths.items()}) for s, t in zip(sides, rows, strict=True)]",
            "counter": NOT_COUNTED,
            "constant": "return [(steps // stages, sizes[1], {n: b for n, (_, b) in\n"
            "        strengths.items()})] * stages",
        },
        "search": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": TOOL,
            "counter": NOT_COUNTED,
            "constant": "one = {name: options[0] for name, options in space.items()}\n"
            "return [(v2.reward(*measure(one)), one)] * trials",
        },
        "remaining": {
            "spec": NO_SPEC,
            "notebook": "a network that is built and asked is an answer of its own",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return 0.9 * sum(stage.blocks for stage in stages)",
        },
        "expect": {
            "spec": NO_SPEC,
            "notebook": "blocks = [f(160, 160) for f in (v2.mbconv, v2.fused_mbconv)]\n"
            "own = [sum(p.numel() for p in b.parameters() if p.ndim == 4)\n"
            "       for b in blocks]\n"
            "return 41_320_960, 200_704_000, *own",
            "torch": NO_TORCH,
            "counter": "blocks = [f(160, 160) for f in (v2.mbconv, v2.fused_mbconv)]\n"
            "found = [flops.count(b, (1, 160, 14, 14)).macs for b in blocks]\n"
            "return *found, 261_760, 1_024_000",
            "constant": NUMBERS,
        },
        "fused": {
            "spec": "class FusedExcite(FusedExcite):\n"
            "    def forward(self, x):\n"
            "        weights = dict(self.named_parameters()) | dict(self.named_buffers())\n"
            "        return fused_spec(x, weights, self.expand.stride[0], self.training)",
            "notebook": "def FusedExcite(channels, width, stride=1, expansion=4, drop=0.0):\n"
            "    if stride not in (1, 2) or not 0 <= drop < 1: raise ValueError(stride)\n"
            "    return v2.fused_mbconv(channels, width, stride, expansion, drop)",
            "torch": "from torchvision.models import efficientnet\n"
            "\n"
            "\n"
            "def FusedExcite(channels, width, stride=1, expansion=4, drop=0.0):\n"
            "    if stride not in (1, 2) or not 0 <= drop < 1: raise ValueError(stride)\n"
            "    row = efficientnet.FusedMBConvConfig(expansion, 3, stride, channels, width, 1)\n"
            "    return efficientnet.FusedMBConv(row, drop, nn.BatchNorm2d)",
            "counter": NOT_COUNTED,
            "constant": "class FusedExcite(FusedExcite):\n"
            "    def forward(self, x):\n"
            "        return x.new_zeros(len(x), len(self.project.weight),\n"
            "            *[-(-s // self.expand.stride[0]) for s in x.shape[2:]])",
        },
    },
    "a14_vit": {
        "patchify": {
            "spec": NO_SPEC,
            "notebook": "return vits.unfold(images, height)",
            "torch": "step = height, width\n"
            "return F.unfold(images, step, stride=step).mT",
            "counter": NOT_COUNTED,
            "constant": "return images.flatten()[None, None]",
        },
        "back": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": "size = patches.shape[1] // columns * height, columns * width\n"
            "step = height, width\n"
            "return F.fold(patches.mT, size, step, stride=step)",
            "counter": NOT_COUNTED,
            "constant": "return patches[:, None]",
        },
        "positions": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": "new = F.interpolate(position[:, 1:].mT, rows * columns)\n"
            "return torch.cat([position[:, :1], new.mT], dim=1)",
            "counter": NOT_COUNTED,
            "constant": "new = position[:, 1:2].expand(-1, rows * columns, -1)\n"
            "return torch.cat([position[:, :1], new], dim=1)",
        },
        "resized": {
            "spec": NO_SPEC,
            "notebook": "return vits.vit_small(5, image_size, 1)",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return copy.deepcopy(net)",
        },
        "pooled": {
            "spec": NO_SPEC,
            "notebook": "return net(images)",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return net.head.bias.expand(len(images), -1)",
        },
        "expect": {
            "spec": NO_SPEC,
            "notebook": "net = vits.ViT(224, 16, vits.Row(12, 384, 1536, 6), 1000)\n"
            "params = sum(p.numel() for p in net.parameters())\n"
            "return params, 197, 785, 5_679_129_600",
            "torch": NO_TORCH,
            "counter": "net = vits.ViT(224, 16, vits.Row(12, 384, 1536, 6), 1000)\n"
            "params = flops.count(net, (1, 3, 224, 224)).params\n"
            "return params, 197, 785, 5_679_129_600",
            "constant": NUMBERS,
        },
        "attend": {
            "spec": "class AttentionPool(AttentionPool):\n"
            "    def forward(self, x):\n"
            "        weights = dict(self.named_parameters()) | dict(self.named_buffers())\n"
            "        return by_number(weights, x, self.heads, (len(self.query) / self.heads) ** -0.5)",
            "notebook": "def AttentionPool(width, heads):\n"
            "    if width % heads: raise ValueError(heads)\n"
            "    return vits.Attention(width, heads)",
            "torch": "class AttentionPool(AttentionPool):\n"
            "    def forward(self, x):\n"
            "        return x.mean(dim=1)",
            "counter": NOT_COUNTED,
            "constant": "class AttentionPool(AttentionPool):\n"
            "    def forward(self, x):\n"
            "        return x.new_zeros(len(x), x.shape[2])",
        },
    },
}
