"""Wrong and right answers to a08_resnet, and what each is worth."""

PAD = {"pad_visible", "pad_hidden"}
PREACT = {"preact_visible", "preact_hidden"}
BUILT = PREACT | {"preact_refuses_visible"}
ZERO = {"zero_visible", "zero_hidden"}
COST = {"cost_visible", "cost_hidden"}
RESPONSES = {"responses_visible", "responses_hidden"}
MISTAKES = {
    # name: cell, what stands there, what stands there instead, test cells it costs
    "shortcut without stride": (
        "pad",
        "x = x[:, :, ::stride, ::stride]",
        "pass",
        PAD | PREACT,
    ),
    "stride along one side": (
        "pad",
        "x[:, :, ::stride, ::stride]",
        "x[:, :, ::stride]",
        PAD | PREACT,
    ),
    "first pixel left out": (
        "pad",
        "x[:, :, ::stride, ::stride]",
        "x[:, :, stride - 1 :: stride, stride - 1 :: stride]",
        PAD | PREACT,
    ),
    "averaged pixels": (
        "pad",
        "x[:, :, ::stride, ::stride]",
        "F.avg_pool2d(x, stride, ceil_mode=True)",
        PAD | PREACT,
    ),
    "zeros after alone": (
        "pad",
        "added // 2, added - added // 2)",
        "0, added)",
        PAD | PREACT,
    ),
    "odd zero before": (
        "pad",
        "added // 2, added - added // 2)",
        "added - added // 2, added // 2)",
        # in exercise 2 the numbers of new channels are even but once
        PAD | {"preact_hidden"},
    ),
    "zeros at the sides of the image": (
        "pad",
        "(0, 0, 0, 0, added // 2, added - added // 2)",
        "(added // 2, added - added // 2)",
        PAD | PREACT,
    ),
    "ones for zeros": (
        "pad",
        "added - added // 2))",
        "added - added // 2), value=1.0)",
        PAD | PREACT,
    ),
    "cut off from the gradient": (
        "pad",
        "return F.pad(x,",
        "return F.pad(x.detach(),",
        {"pad_hidden"},
    ),
    "always float32": (
        "pad",
        "return F.pad(x,",
        "return F.pad(x.float(),",
        {"pad_hidden"},
    ),
    "fewer channels accepted": (
        "pad",
        "added < 0 or stride < 1",
        "stride < 1",
        {"pad_refuses_visible"},
    ),
    "stride along the columns alone": (
        "pad",
        "x[:, :, ::stride, ::stride]",
        "x[..., ::stride]",
        PAD | PREACT,
    ),
    "largest pixels": (
        "pad",
        "x[:, :, ::stride, ::stride]",
        "F.max_pool2d(x, stride, ceil_mode=True)",
        PAD | PREACT,
    ),
    "zeros before alone": (
        "pad",
        "added // 2, added - added // 2)",
        "added, 0)",
        PAD | PREACT,
    ),
    "the stride halves x in place": (
        "pad",
        "    x = x[:, :, ::stride, ::stride]\n",
        "    y = x[:, :, ::stride, ::stride].clone()\n    x.zero_()\n    x = y\n",
        PAD | {"preact_visible"},
    ),
    "bias before BatchNorm": (
        "preact",
        "nn.Conv2d(channels, narrow, 1, bias=False)",
        "nn.Conv2d(channels, narrow, 1)",
        # handed the spec's weights, the block lacks none but has one too many
        PREACT,
    ),
    "ReLU after the addition": (
        "preact",
        "return pad_shortcut(x, self.width, self.stride) + signal",
        "return torch.relu(pad_shortcut(x, self.width, self.stride) + signal)",
        PREACT,
    ),
    "shortcut forgotten": (
        "preact",
        "return pad_shortcut(x, self.width, self.stride) + signal",
        "return signal",
        PREACT,
    ),
    "shortcut sees the ReLU": (
        "preact",
        "pad_shortcut(x, self",
        "pad_shortcut(torch.relu(x), self",
        PREACT,
    ),
    "shortcut sees the activated input": (
        "preact",
        "pad_shortcut(x, self",
        "pad_shortcut(torch.relu(self.norm1(x)), self",
        PREACT,
    ),
    "a ReLU forgotten": (
        "preact",
        "self.conv2(torch.relu(self.norm2(signal)))",
        "self.conv2(self.norm2(signal))",
        PREACT,
    ),
    "norm after the ReLU": (
        "preact",
        "self.conv3(torch.relu(self.norm3(signal)))",
        "self.conv3(self.norm3(torch.relu(signal)))",
        PREACT,
    ),
    "no padding": ("preact", "stride, padding=1, bias", "stride, bias", BUILT),
    "stride on both": (
        "preact",
        "nn.Conv2d(channels, narrow, 1, bias=False)",
        "nn.Conv2d(channels, narrow, 1, stride, bias=False)",
        PREACT,
    ),
    "stride forgotten": (
        "preact",
        "narrow, 3, stride, padding",
        "narrow, 3, 1, padding",
        PREACT,
    ),
    "stride on the first 1x1, as in the paper": (
        "preact",
        "self.conv1 = nn.Conv2d(channels, narrow, 1, bias=False)",
        "self.conv1 = nn.Conv2d(channels, narrow, 1, stride, bias=False)\n"
        "        stride = 1",
        PREACT,
    ),
    "a norm too wide": (
        "preact",
        "self.norm2 = nn.BatchNorm2d(narrow)",
        "self.norm2 = nn.BatchNorm2d(width)",
        BUILT,
    ),
    "no ReLU before conv3": (
        "preact",
        "self.conv3(torch.relu(self.norm3(signal)))",
        "self.conv3(self.norm3(signal))",
        PREACT,
    ),
    "no ReLU before conv1": (
        "preact",
        "self.conv1(torch.relu(self.norm1(x)))",
        "self.conv1(self.norm1(x))",
        PREACT,
    ),
    "a quarter of the channels": (
        "preact",
        "narrow = width // 4",
        "narrow = channels // 4",
        PREACT,
    ),
    "any width accepted": (
        "preact",
        "width % 4 or width < channels",
        "width < channels",
        {"preact_refuses_visible"},
    ),
    "all norms of the branch": (
        "zero",
        "nn.init.zeros_(last.weight)",
        "[nn.init.zeros_(x.weight) for x in block.residual.modules()\n"
        "         if isinstance(x, nn.BatchNorm2d)]",
        ZERO,
    ),
    "the first norm": (
        "zero",
        'hasattr(x, "weight")][-1]',
        "isinstance(x, nn.BatchNorm2d)][0]",
        ZERO,
    ),
    "beta too": (
        "zero",
        "nn.init.zeros_(last.weight)",
        "nn.init.zeros_(last.weight); getattr(last, 'running_mean', last.weight)"
        ".data.fill_(0.0); getattr(last, 'running_var', last.weight).data.fill_(0.0)",
        ZERO,
    ),
    "the norm's bias, too": (
        "zero",
        "nn.init.zeros_(last.weight)",
        "[nn.init.zeros_(part) for part in last.parameters()]",
        ZERO,
    ),
    "the convolution before the norm": (
        "zero",
        'hasattr(x, "weight")][-1]',
        "isinstance(x, nn.Conv2d)][-1]",
        ZERO,
    ),
    "the last block alone": (
        "zero",
        "for block in blocks:",
        "for block in blocks[-1:]:",
        ZERO,
    ),
    "norms alone": (
        "zero",
        'hasattr(x, "weight")][-1]',
        "isinstance(x, nn.BatchNorm2d)][-1]",
        {"zero_hidden"},
    ),
    "projections too": (
        "zero",
        "nn.init.zeros_(last.weight)",
        "nn.init.zeros_(last.weight)\n"
        "        for x in block.shortcut.modules():\n"
        "            if isinstance(x, nn.BatchNorm2d): nn.init.zeros_(x.weight)",
        ZERO,
    ),
    "one for zero": (
        "zero",
        "nn.init.zeros_(last.weight)",
        "nn.init.constant_(last.weight, 0.5)",
        ZERO,
    ),
    "returns nothing": ("zero", "return len(blocks)", "return None", ZERO),
    "plain networks accepted": (
        "zero",
        "if not blocks or any(isinstance(b.shortcut, resnet.Cut) for b in blocks):",
        "if not blocks:",
        {"zero_refuses_visible"},
    ),
    "refused too late": (
        "zero",
        "    if not blocks or",
        "    for block in blocks:\n"
        "        nn.init.zeros_(block.residual[-1][1].weight\n"
        "            if isinstance(block.residual[-1], nn.Sequential)\n"
        "            else torch.zeros(1))\n"
        "    if not blocks or",
        {"zero_refuses_visible"},
    ),
    "prediction without norms": (
        "predict",
        " + 2 * 2 * (16 + 32 + 64)",
        "",
        {"predict_hidden"},
    ),
    "prediction of MACs first": (
        "predict",
        "return params, macs",
        "return macs, params",
        {"predict_hidden"},
    ),
    "prediction with a norm for a block": (
        "predict",
        "+ 2 * 2 * (16",
        "+ 2 * (16",
        {"predict_hidden"},
    ),
    "prediction of half a block": (
        "predict",
        "params = 2 * 9 * (16**2 + 32**2 + 64**2) + 2 * 2 *",
        "params = 9 * (16**2 + 32**2 + 64**2) + 2 *",
        {"predict_hidden"},
    ),
    "prediction with biases": (
        "predict",
        "+ 2 * 2 * (16",
        "+ 3 * 2 * (16",
        {"predict_hidden"},
    ),
    "prediction with projections": (
        "predict",
        " + 2 * 2 * (16 + 32 + 64)",
        " + 2 * 2 * (16 + 32 + 64) + 16 * 32 + 32 * 64",
        {"predict_hidden"},
    ),
    "prediction in FLOPs": (
        "predict",
        "macs = 3 * 2 *",
        "macs = 2 * 3 * 2 *",
        {"predict_hidden"},
    ),
    "prediction of one convolution's MACs": (
        "predict",
        "macs = 3 * 2 *",
        "macs = 3 *",
        {"predict_hidden"},
    ),
    "prediction on maps of one size": (
        "predict",
        "macs = 3 * 2 * 9 * 16**2 * 32**2",
        "macs = 2 * 9 * (16**2 + 32**2 + 64**2) * 32**2",
        {"predict_hidden"},
    ),
    "prediction of one stage": ("predict", "3 * 2 * 9", "2 * 9", {"predict_hidden"}),
    "no norm in the stem": ("cost", "9 * 3 * 16 + 2 * 16,", "9 * 3 * 16,", COST),
    "no bias in the linear layer": ("cost", "(64 + 1) * classes", "64 * classes", COST),
    "norms count once": ("cost", "2 * blocks * 2 * width", "2 * blocks * width", COST),
    "MACs at the input's pixels": (
        "cost",
        "macs += weights * side**2",
        "macs += weights * side**2 + (channels < width) * 3 * side**2"
        " * 9 * channels * width",
        COST,
    ),
    "every block widens": (
        "cost",
        "9 * channels * width + 9 * (2 * blocks - 1) * width**2",
        "blocks * 9 * (channels * width + width**2)",
        COST,
    ),
    "MACs first": (
        "cost",
        "return params + (64 + 1) * classes, macs + 64 * classes",
        "return macs + 64 * classes, params + (64 + 1) * classes",
        COST,
    ),
    "no stem": (
        "cost",
        "9 * 3 * 16 + 2 * 16, 9",
        "0, 9",
        COST,
    ),
    "biases in the convolutions": (
        "cost",
        "params += weights + 2 * blocks * 2 * width",
        "params += weights + 2 * blocks * 3 * width + (width == 16) * 16",
        COST,
    ),
    "norms forgotten": (
        "cost",
        "9 * 3 * 16 + 2 * 16, 9 * 3 * 16 * 32**2",
        "9 * 3 * 16 - blocks * 448, 9 * 3 * 16 * 32**2",
        COST,
    ),
    "every convolution at its stage's width": (
        "cost",
        "9 * channels * width +",
        "9 * width * width +",
        COST,
    ),
    "projections": (
        "cost",
        "params += weights +",
        "params += weights + (channels < width) * channels * width +",
        COST,
    ),
    "FLOPs": ("cost", "macs + 64 * classes", "2 * (macs + 64 * classes)", COST),
    "MACs without the linear layer": (
        "cost",
        "macs + 64 * classes",
        "macs",
        COST,
    ),
    "ten classes for ever": (
        "cost",
        "params + (64 + 1) * classes, macs + 64 * classes",
        "params + 650, macs + 640",
        {"cost_hidden"},
    ),
    "any depth accepted": (
        "cost",
        "if depth < 8 or depth % 6 != 2:",
        "if depth < 8:",
        {"cost_hidden"},
    ),
    "works on the network itself": (
        "responses",
        "copy.deepcopy(net).train()",
        "net.train()",
        RESPONSES,
    ),
    "eval mode": (
        "responses",
        "copy.deepcopy(net).train()",
        "copy.deepcopy(net).eval()",
        RESPONSES,
    ),
    "variance for standard deviation": (
        "responses",
        "(answered.pop() / output.std()).item()",
        "(answered.pop() / output.std()).item() ** 2",
        RESPONSES,
    ),
    "not divided": (
        "responses",
        "(answered.pop() / output.std()).item()",
        "answered.pop().item()",
        RESPONSES,
    ),
    "upside down": (
        "responses",
        "(answered.pop() / output.std()).item()",
        "(output.std() / answered.pop()).item()",
        RESPONSES,
    ),
    "by the shortcut": (
        "responses",
        "def compare(module, args, output):\n",
        "def compare(module, args, output):\n        output = module.shortcut(args[0])\n",
        RESPONSES,
    ),
    "by the input": (
        "responses",
        "answered.pop() / output.std()",
        "answered.pop() / args[0].std()",
        RESPONSES,
    ),
    "no return": ("responses", "return ratios", "return None", RESPONSES),
    "last first": ("responses", "return ratios", "return ratios[::-1]", RESPONSES),
    "tensors": ("responses", ".item())", ")", {"responses_visible"}),
}
HOOKS_LEFT = (
    "ratios, answered = [], []\n"
    "modes = {m: m.training for m in net.modules()}\n"
    "state = {k: v.clone() for k, v in net.state_dict().items()}\n"
    "for block in net.modules():\n"
    "    if hasattr(block, 'residual') and hasattr(block, 'shortcut'):\n"
    "        block.residual.register_forward_hook(\n"
    "            lambda m, a, y: answered.append(y.std()))\n"
    "        block.register_forward_hook(lambda m, a, y: ratios.append(\n"
    "            (answered.pop() / y.std()).item()))\n"
    "with torch.no_grad():\n"
    "    net.train()(images)\n"
    "net.load_state_dict(state)\n"
    "for module, mode in modes.items():\n"
    "    module.training = mode\n"
    "return ratios"
)
BODIES = {
    # name: cell, another body for its function, test cells it costs
    "hooks in the test's network": (
        "responses",
        "blocks = [m for m in net.modules() if hasattr(m, 'residual')]\n"
        "for block in blocks:\n"
        "    block.residual.register_forward_hook(lambda module, args, out: out * 0)\n"
        "return [0.0] * len(blocks)",
        RESPONSES,
    ),
    "it refuses every shape": (
        "pad",
        "raise ValueError",
        PAD | PREACT | {"pad_refuses_visible", "preact_refuses_visible"},
    ),
    "it refuses every network": (
        "zero",
        "raise ValueError",
        ZERO | {"zero_refuses_visible"},
    ),
    "hooks that stay": ("responses", HOOKS_LEFT, {"responses_hidden"}),
}
SOURCES = {
    # name: cell, its whole source, test cells it costs
    "it refuses every block": (
        "preact",
        "def PreactBottleneck(channels, width, stride=1):\n    raise ValueError",
        PREACT | {"preact_refuses_visible"},
    ),
    # the notebook's projection has weights and sees the activated input
    "the notebook's own block": (
        "preact",
        "def PreactBottleneck(channels, width, stride=1):\n"
        "    if width % 4 or width < channels: raise ValueError()\n"
        "    return resnet.PreactBlock(channels, width, stride)",
        BUILT,
    ),
}
RIGHT = {
    "zero from the last layer back": (
        "zero",
        'blocks = [m for m in net.modules() if hasattr(m, "shortcut")]\n'
        "if len(blocks) == 0 or {type(b.shortcut) for b in blocks} & {resnet.Cut}:\n"
        '    raise ValueError("no")\n'
        "for block in blocks:\n"
        "    last = next(m for m in reversed(list(block.residual.modules()))\n"
        '                if getattr(m, "weight", None) is not None)\n'
        "    last.weight.data.fill_(0)\n"
        "return len(blocks)",
    ),
    "cost from the two numbers of the growth": (
        "cost",
        "blocks = (depth - 2) / 6\n"
        'if blocks < 1 or blocks != int(blocks): raise ValueError("no")\n'
        "more = predicted_growth()\n"
        "first = [74_640, 12_238_848]  # of depth 8 without the linear layer\n"
        "first = [n + (int(blocks) - 1) * m for n, m in zip(first, more, strict=True)]\n"
        "return first[0] + 65 * classes, first[1] + 64 * classes",
    ),
    "responses by a wrapped forward": (
        "responses",
        "probe, found = copy.deepcopy(net), []\n"
        "def watched(block):\n"
        "    residual, whole = block.residual.forward, block.forward\n"
        "    seen = []\n"
        "    def inner(x):\n"
        "        seen.append(residual(x)); return seen[-1]\n"
        "    def outer(x):\n"
        "        y = whole(x); found.append(float(seen.pop().std() / y.std())); return y\n"
        "    block.residual.forward, block.forward = inner, outer\n"
        "for block in probe.modules():\n"
        '    if hasattr(block, "residual"): watched(block)\n'
        "with torch.inference_mode():\n"
        "    probe.train()(images)\n"
        "return found",
    ),
    "pad into zeros": (
        "pad",
        "if len(x.shape) != 4 or width < x.shape[1] or stride <= 0:\n"
        "    raise ValueError('no')\n"
        "fine = x[..., ::stride, ::stride]\n"
        "out = torch.zeros(len(x), width, *fine.shape[2:], dtype=x.dtype)\n"
        "start = (width - x.shape[1]) // 2\n"
        "out[:, start : start + x.shape[1]] = fine\n"
        "return out",
    ),
    "pad by concatenation and pooling": (
        "pad",
        "if x.dim() != 4 or x.size(1) > width or stride < 1: raise ValueError\n"
        "x = F.max_pool2d(x, 1, stride)\n"
        "n, c, h, w = x.shape\n"
        "before = (width - c) // 2\n"
        "parts = [x.new_zeros(n, before, h, w), x,\n"
        "         x.new_zeros(n, width - c - before, h, w)]\n"
        "return torch.cat(parts, 1)",
    ),
    "pad as a 1x1 convolution with an identity kernel": (
        "pad",
        "if x.ndim != 4 or width < x.shape[1] or stride < 1: raise ValueError\n"
        "channels = x.shape[1]\n"
        "start = (width - channels) // 2\n"
        "kernel = torch.eye(width, dtype=x.dtype)[:, start : start + channels]\n"
        "return F.conv2d(x, kernel[:, :, None, None], stride=stride)",
    ),
    "pad by einsum": (
        "pad",
        "if x.ndim != 4 or width < x.shape[1] or stride < 1: raise ValueError\n"
        "start = (width - x.shape[1]) // 2\n"
        "pick = torch.eye(width, dtype=x.dtype)[start : start + x.shape[1]]\n"
        "return torch.einsum('nchw,cd->ndhw', x[:, :, ::stride, ::stride], pick)",
    ),
    "zero by a loop over names": (
        "zero",
        "last, cut = {}, False\n"
        "for name, module in net.named_modules():\n"
        "    cut = cut or type(module).__name__ == 'Cut'\n"
        "    if '.residual.' in name and getattr(module, 'weight', None) is not None:\n"
        "        last[name.split('.residual.')[0]] = module\n"
        "if cut or not last: raise ValueError('no shortcut')\n"
        "with torch.no_grad():\n"
        "    for module in last.values():\n"
        "        module.weight *= 0\n"
        "return len(last)",
    ),
    "zero by parameters": (
        "zero",
        "count = 0\n"
        "found = [m for m in net.modules() if hasattr(m, 'residual')]\n"
        "if not found or any(type(m.shortcut) is resnet.Cut for m in found):\n"
        "    raise ValueError('no')\n"
        "for block in found:\n"
        "    names = [n for n, p in block.residual.named_parameters()\n"
        "             if n.endswith('weight')]\n"
        "    block.residual.get_parameter(names[-1]).data.zero_()\n"
        "    count += 1\n"
        "return count",
    ),
    "cost as a sum over layers": (
        "cost",
        "n, rest = divmod(depth - 2, 6)\n"
        "if rest or n < 1: raise ValueError('no')\n"
        "convs = [(3, 16, 32)]\n"
        "for c, d, s in ((16, 16, 32), (16, 32, 16), (32, 64, 8)):\n"
        "    convs += [(c, d, s)] + [(d, d, s)] * (2 * n - 1)\n"
        "params = sum(9 * c * d + 2 * d for c, d, s in convs)\n"
        "macs = sum(9 * c * d * s * s for c, d, s in convs)\n"
        "return [params + 65 * classes, macs + 64 * classes]",
    ),
    "cost in closed form": (
        "cost",
        "n = (depth - 2) // 6\n"
        "if depth != 6 * n + 2 or n < 1: raise ValueError\n"
        "params = 97_216 * n - 22_576\n"
        "macs = 14_155_776 * n - 1_916_928\n"
        "return params + 65 * classes, macs + 64 * classes",
    ),
    "predicted as numbers": ("predict", "return 97_216, 14_155_776"),
    "predicted stage by stage": (
        "predict",
        "found = [0, 0]\n"
        "for width, side in [(16, 32), (32, 16), (64, 8)]:\n"
        "    kernels = 2 * (3 * 3 * width * width)\n"
        "    found[0] += kernels + 2 * (width + width)\n"
        "    found[1] += kernels * side * side\n"
        "return tuple(found)",
    ),
    "predicted as a list": (
        "predict",
        "weights = [18 * c * c for c in (16, 32, 64)]\n"
        "return [sum(weights) + 4 * 112, sum(w * 1024 // 4**i"
        " for i, w in enumerate(weights))]",
    ),
    "responses by hand, stage by stage": (
        "responses",
        "import copy\n"
        "probe, ratios = copy.deepcopy(net), []\n"
        "probe.train()\n"
        "with torch.no_grad():\n"
        "    x = probe.stem(images)\n"
        "    for stage in probe.stages:\n"
        "        for block in stage:\n"
        "            branch = copy.deepcopy(block.residual)(x)\n"
        "            x = block(x)\n"
        "            ratios.append(float(branch.std() / x.std()))\n"
        "return ratios",
    ),
    "responses with hooks that are removed": (
        "responses",
        HOOKS_LEFT.replace(
            "ratios, answered = [], []", "ratios, answered, handles = [], [], []"
        )
        .replace(
            "        block.residual.register", "        a = block.residual.register"
        )
        .replace("        block.register", "        b = block.register")
        .replace("with torch.no_grad", "        handles += [a, b]\nwith torch.no_grad")
        .replace("return ratios", "[h.remove() for h in handles]\nreturn ratios"),
    ),
}
SEQUENTIAL = """
from collections import OrderedDict


class Add(nn.Sequential):
    def __init__(self, layers, width, stride):
        super().__init__(layers)
        self.there = width, stride

    def forward(self, x):
        return super().forward(x).add(pad_shortcut(x, *self.there))


def PreactBottleneck(channels, width, stride=1):
    if width // 4 * 4 != width or channels > width:
        raise ValueError("no")
    layers, n = OrderedDict(), width // 4
    shapes = [(channels, n, 1, 1), (n, n, 3, stride), (n, width, 1, 1)]
    for number, (c, d, k, s) in enumerate(shapes, 1):
        layers[f"norm{number}"] = nn.BatchNorm2d(c)
        layers[f"relu{number}"] = nn.ReLU()
        layers[f"conv{number}"] = nn.Conv2d(c, d, k, s, k // 2, bias=False)
    return Add(layers, width, stride)
"""
FUNCTIONAL = """
class PreactBottleneck(nn.Module):
    def __init__(self, channels, width, stride=1):
        super().__init__()
        if width % 4 != 0 or width < channels:
            raise ValueError
        self.stride = stride
        inside = [channels, width // 4, width // 4, width]
        for i, k in ((3, 1), (2, 3), (1, 1)):  # registered last to first
            conv = nn.Conv2d(inside[i - 1], inside[i], k, bias=False)
            self.add_module(f"conv{i}", conv)
            self.add_module(f"norm{i}", nn.BatchNorm2d(inside[i - 1]))

    def forward(self, x):
        f = x
        for i in (1, 2, 3):
            f = getattr(self, f"norm{i}")(f).clamp(min=0)
            kernel = getattr(self, f"conv{i}").weight
            if i == 2:
                f = F.conv2d(F.pad(f, (1, 1, 1, 1)), kernel, stride=self.stride)
            else:
                f = torch.einsum("nchw,dc->ndhw", f, kernel[:, :, 0, 0])
        return f + pad_shortcut(x, f.shape[1], self.stride)
"""
MODULES = """
class PreactBottleneck(nn.Module):
    def __init__(self, channels, width, stride=1):
        if width % 4: raise ValueError("4 must divide the width")
        if channels > width: raise ValueError("no fewer channels")
        super().__init__()
        n = width // 4
        self.norm1, self.conv1 = self.pair(channels, n, 1, 1)
        self.norm2, self.conv2 = self.pair(n, n, 3, stride)
        self.norm3, self.conv3 = self.pair(n, width, 1, 1)
        self.way = lambda x: pad_shortcut(x, width, stride)

    def pair(self, channels, width, kernel, stride):
        conv = nn.Conv2d(channels, width, kernel, stride, bias=False)
        conv.padding = (kernel // 2, kernel // 2)
        return nn.BatchNorm2d(channels), conv

    def forward(self, x):
        y = self.conv1(F.relu(self.norm1(x)))
        y = self.conv2(F.relu(self.norm2(y)))
        y = self.conv3(F.relu(self.norm3(y)))
        return torch.add(y, self.way(x))
"""
RIGHT_SOURCES = {
    "a list of layers": ("preact", SEQUENTIAL),
    "functional": ("preact", FUNCTIONAL),
    "pairs of layers": ("preact", MODULES),
}
WORDS = [
    ("shortcut without stride", "pad_visible", "the stride is missing"),
    ("stride along one side", "pad_visible", "on the rows alone"),
    ("stride along the columns alone", "pad_visible", "on the columns alone"),
    ("first pixel left out", "pad_visible", "option A starts with it"),
    ("averaged pixels", "pad_visible", "averaged"),
    ("largest pixels", "pad_visible", "the largest pixels"),
    ("zeros after alone", "pad_visible", "half belong before"),
    ("zeros before alone", "pad_visible", "half belong after"),
    ("odd zero before", "pad_visible", "one more goes after"),
    ("zeros at the sides of the image", "pad_visible", "the channels are dimension 1"),
    ("ones for zeros", "pad_visible", "they are zeros"),
    ("the stride halves x in place", "pad_visible", "changed its input"),
    ("cut off from the gradient", "pad_hidden", "no gradient flows"),
    ("always float32", "pad_hidden", "turns torch.float64 into torch.float32"),
    ("fewer channels accepted", "pad_refuses_visible", "but gave an answer"),
    ("bias before BatchNorm", "preact_visible", "no convolution needs a bias"),
    ("the notebook's own block", "preact_visible", "no block of the notebook"),
    ("a quarter of the channels", "preact_visible", "a quarter of `width`"),
    ("a norm too wide", "preact_visible", "each norms what its convolution reads"),
    ("ReLU after the addition", "preact_visible", "ReLU after the addition"),
    ("shortcut forgotten", "preact_visible", "the shortcut is missing"),
    ("shortcut sees the ReLU", "preact_visible", "x itself goes around"),
    (
        "shortcut sees the activated input",
        "preact_visible",
        "what norm1 and the ReLU made",
    ),
    ("no ReLU before conv1", "preact_visible", "no ReLU before conv1"),
    ("a ReLU forgotten", "preact_visible", "no ReLU before conv2"),
    ("no ReLU before conv3", "preact_visible", "no ReLU before conv3"),
    ("norm after the ReLU", "preact_visible", "norm3 comes after its ReLU"),
    ("no padding", "preact_visible", "a padding of 1"),
    ("stride on both", "preact_visible", "only conv2 has the stride"),
    ("stride forgotten", "preact_visible", "only conv2 has the stride"),
    (
        "stride on the first 1x1, as in the paper",
        "preact_visible",
        "the stride is on conv1",
    ),
    ("any width accepted", "preact_refuses_visible", "but gave PreactBottleneck"),
    ("all norms of the branch", "zero_visible", "only the last norm's weight"),
    ("the first norm", "zero_visible", "the last norm of its branch"),
    ("beta too", "zero_visible", "only the last norm's weight"),
    ("the norm's bias, too", "zero_visible", "β, the norm's bias, is kept"),
    ("the convolution before the norm", "zero_visible", "the last norm of its"),
    ("the last block alone", "zero_visible", "still as it was"),
    ("norms alone", "zero_hidden", "norm or convolution"),
    ("projections too", "zero_visible", "must stay as it was"),
    ("one for zero", "zero_visible", "must be zero everywhere"),
    ("returns nothing", "zero_visible", "return how many layers"),
    ("plain networks accepted", "zero_refuses_visible", "but gave 3"),
    ("refused too late", "zero_refuses_visible", "must stay as it was"),
    ("prediction of MACs first", "predict_hidden", "parameters come first"),
    ("prediction without norms", "predict_hidden", "norms have parameters"),
    ("prediction with a norm for a block", "predict_hidden", "has two norms"),
    ("prediction of half a block", "predict_hidden", "two convolutions and two"),
    ("prediction with biases", "predict_hidden", "no convolution has a bias"),
    ("prediction with projections", "predict_hidden", "has no projections"),
    ("prediction of one stage", "predict_hidden", "three stages has one more"),
    ("prediction in FLOPs", "predict_hidden", "2 FLOPs are one MAC"),
    ("prediction of one convolution's MACs", "predict_hidden", "two convolutions"),
    ("prediction on maps of one size", "predict_hidden", "8×8 pixels"),
    ("MACs first", "cost_visible", "parameters come first"),
    ("no norm in the stem", "cost_visible", "the stem has a norm"),
    ("no stem", "cost_visible", "the stem is missing"),
    ("no bias in the linear layer", "cost_visible", "has a bias"),
    ("norms count once", "cost_visible", "γ and β"),
    ("norms forgotten", "cost_visible", "norms have parameters"),
    ("biases in the convolutions", "cost_visible", "no convolution has a bias"),
    ("every block widens", "cost_visible", "only the first block"),
    ("every convolution at its stage's width", "cost_visible", "reads fewer channels"),
    ("projections", "cost_visible", "no projections"),
    ("FLOPs", "cost_visible", "2 FLOPs are one MAC"),
    ("MACs without the linear layer", "cost_visible", "linear layer multiplies"),
    ("MACs at the input's pixels", "cost_visible", "at its *output* pixels"),
    ("ten classes for ever", "cost_hidden", "`classes` biases"),
    ("any depth accepted", "cost_hidden", "no ValueError, but gave ("),
    ("works on the network itself", "responses_visible", "work on a copy"),
    ("eval mode", "responses_visible", "that is eval mode"),
    ("variance for standard deviation", "responses_visible", "a ratio of variances"),
    ("not divided", "responses_visible", "are not divided"),
    ("upside down", "responses_visible", "upside down"),
    ("last first", "responses_visible", "the last block comes first"),
    ("by the shortcut", "responses_visible", "divided by the shortcut"),
    ("by the input", "responses_visible", "divided by the block's input"),
    ("tensors", "responses_visible", "a list of floats"),
    ("no return", "responses_visible", "is there a `return`?"),
    ("hooks that stay", "responses_hidden", "hooks were left"),
]
