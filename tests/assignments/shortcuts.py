"""Ways to the points without the work: five for each answer, and none earns anything.

For each solution cell: another body for its function, or the reason why that way does
not exist. An answer that takes a way loses every test cell of LOSES.
"""

from __future__ import annotations

KINDS = (
    "spec",  # calling the given specification
    "notebook",  # the notebook's own class or function
    "torch",  # PyTorch's, torchvision's or another library's function
    "counter",  # the course's counter or checker, or a thing that is built to be counted
    "constant",  # brute force, or a constant
)
NO_SPEC = "no specification is given"
OWN = "the notebook has nothing that does this"
NO_TORCH = "no library has this function"
NOT_COUNTED = "nothing in it can be counted or checked by the course's library"
NUMBERS = "two numbers are asked for"
A_SEARCH = "a search over so few is an answer of its own"
TOOL = "the library's function is a part of the answer, which the contract leaves open"

META = "with torch.device('meta'):\n    "
COUNTED = (
    "kind = googlenet.NaiveInception if naive else googlenet.Inception\n"
    + META
    + "module = kind(channels, googlenet.Widths(*widths))\n"
    "cost = flops.count(module, (1, channels, side, side))\n"
    "return cost.params, cost.macs"
)
CONV = "nn.Conv2d(channels, width, kernel_size, groups=groups, bias={})"

# assignment: cell: kind: body, or why there is none
SHORTCUTS = {
    "a00_attention": {
        "mask": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": "square = nn.Transformer.generate_square_subsequent_mask(size) == 0\n"
            "return square.expand(len(lengths), 1, size, size)",
            "counter": NOT_COUNTED,
            "constant": "return torch.ones(len(lengths), 1, size, size).bool()",
        },
        "weights": {
            "spec": NO_SPEC,
            "notebook": "eye = torch.eye(scores.shape[-1], dtype=scores.dtype)\n"
            "layer = attention.ScaledDotProductAttention()\n"
            "root = scores.shape[-1] ** 0.5\n"
            "return layer(root * scores, eye, eye, mask)[1]",
            "torch": "eye = torch.eye(scores.shape[-1], dtype=scores.dtype)\n"
            "eye = eye.expand(*scores.shape[:2], -1, -1)\n"
            "return nn.functional.scaled_dot_product_attention(\n"
            "    scores, eye, eye, mask.float(), scale=1.0)",
            "counter": NOT_COUNTED,
            "constant": "return mask / mask.sum(dim=-1, keepdim=True).expand(scores.shape)",
        },
        "corrupt": {
            "spec": NO_SPEC,
            "notebook": "shown, chosen = attention.mask_tokens(tokens, mask_token, share)\n"
            "return shown, torch.where(chosen, tokens, -100)",
            "torch": "kept = nn.functional.dropout(torch.ones(tokens.shape), share)\n"
            "return torch.where(kept > 0, tokens, mask_token), tokens",
            "counter": NOT_COUNTED,
            "constant": "return tokens, torch.full_like(tokens, -100)",
        },
        "expect": {
            "spec": NO_SPEC,
            "notebook": "block = attention.Block(768, 12, False, 0.1, 1e-12)\n"
            "own = sum(weight.numel() for weight in block.parameters())\n"
            "return own, 402_653_184, 4_608",
            "torch": "block = nn.TransformerEncoderLayer(768, 12, 3072)\n"
            "own = sum(weight.numel() for weight in block.parameters())\n"
            "return own, 402_653_184, 4_608",
            "counter": "from course_lib import flops\n"
            "block = attention.Block(768, 12, False, 0.1, 1e-12)\n"
            "own = flops.count(block, (1, 512, 768)).params\n"
            "return own, 402_653_184, 4_608",
            "constant": "return 7_087_872, 402_653_184, 768",
        },
    },
    "a01_imagenet": {
        "topk": {
            "spec": NO_SPEC,
            "notebook": "the notebook's measure is `torch.topk`: see `torch`",
            "torch": "found = logits.topk(k).indices == labels[:, None]\n"
            "return 1 - found.any(dim=1).double().mean().item()",
            "counter": NOT_COUNTED,
            "constant": "return 0.5",
        },
        "center": {
            "spec": NO_SPEC,
            "notebook": "the notebook crops by torchvision: see `torch`",
            "torch": "from torchvision.transforms import functional\n"
            "if not 1 <= side <= min(images.shape[2:]): raise ValueError(side)\n"
            "return functional.center_crop(images, side)",
            "counter": NOT_COUNTED,
            "constant": "return images[:, :, :side, :side]",
        },
        "ten": {
            "spec": NO_SPEC,
            "notebook": "the notebook crops by torchvision: see `torch`",
            "torch": "from torchvision.transforms.v2 import functional\n"
            "if not 1 <= side <= min(images.shape[2:]): raise ValueError(side)\n"
            "five = torch.stack(functional.five_crop(images, side))\n"
            "return torch.cat([five, five.flip(-1)])",
            "counter": NOT_COUNTED,
            "constant": "return images[:, :, :side, :side].expand(10, -1, -1, -1, -1)",
        },
        "average": {
            "spec": NO_SPEC,
            "notebook": "return network(center_crop(images, side)).softmax(dim=1)",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return torch.full((len(images), 4), 0.25)",
        },
        "expect": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": "masks that are added up are an answer of its own",
            "constant": "return 50_176, 4_096, 501_760",
        },
    },
    "a02_sift": {
        "fit": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return cubes.new_zeros(len(cubes), 3), cubes[:, 1, 1, 1]",
        },
        "refine": {
            "spec": NO_SPEC,
            "notebook": "return (*map(float, place[::-1]), differences[place].item())",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return None",
        },
        "keep": {
            "spec": "return keep_spec(value, curvature, contrast, edge)",
            "notebook": "the notebook's `survivors` takes levels and places",
            "torch": TOOL,
            "counter": NOT_COUNTED,
            "constant": "return torch.ones(len(value), dtype=torch.bool)",
        },
        "peaks": {
            "spec": NO_SPEC,
            "notebook": "return histogram.argmax()[None] * (2 * math.pi / len(histogram))",
            "torch": "from scipy.signal import find_peaks\n"
            "top, _ = find_peaks(histogram.numpy(), height=0.8 * histogram.max().item())\n"
            "return torch.tensor(top * 2 * math.pi / len(histogram))",
            "counter": NOT_COUNTED,
            "constant": "return torch.zeros(1)",
        },
        "normalise": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": "return F.normalize(entries, dim=1)",
            "counter": NOT_COUNTED,
            "constant": "return torch.zeros_like(entries)",
        },
        "ratio": {
            "spec": NO_SPEC,
            "notebook": "return sift.match(first, second)",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return torch.zeros(0, 2, dtype=torch.int64)",
        },
        "curve": {
            "spec": NO_SPEC,
            "notebook": "pairs = sift.match(first[1], second[1])\n"
            "error = sift.errors(first[0][pairs[:, 0]], second[0][pairs[:, 1]],\n"
            "                    homography)\n"
            "return [(len(pairs), int((error < 3).sum()))] * len(ratios)",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return [(2, 2)] * len(ratios)",
        },
    },
    "a03_codebooks": {
        "soft": {
            "spec": "return soft_spec(descriptors, codebook, sigma)",
            "notebook": "return codebooks.histogram(descriptors, codebook)",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return torch.full((len(codebook),), 1 / len(codebook)).to(\n"
            "    descriptors)",
        },
    },
    "a04_alexnet": {
        "lrn": {
            "spec": "return lrn_spec(a, n, k, alpha, beta)",
            "notebook": "return alexnet.LocalResponseNorm(n, k, alpha, beta)(a)",
            "torch": "n = 2 * (n // 2) + 1\n"
            "return nn.functional.local_response_norm(a, n, alpha * n, beta, k)",
            "counter": NOT_COUNTED,
            "constant": "return a / k**beta",
        },
        "predict": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": "return tuple(\n"
            "    sum(p.numel() for p in nn.Conv2d(384, 384, 3, groups=g).parameters())\n"
            "    for g in (1, 2))",
            "constant": NUMBERS,
        },
        "price": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": f"layer = {CONV.format('bias')}\n"
            "return sum(p.numel() for p in layer.parameters())",
            "constant": "return 34_944",
        },
        "price_macs": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": f"layer = {CONV.format('False')}\n"
            "return side**2 * sum(p.numel() for p in layer.parameters())",
            "constant": "return 105_415_200",
        },
        "elu": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": "return nn.functional.elu(x)",
            "counter": NOT_COUNTED,
            "constant": "return x.clamp(min=-1)",
        },
        "race": {
            "spec": NO_SPEC,
            "notebook": "network = alexnet.race_network(ACTIVATIONS[activation])\n"
            "recipe = Recipe(1, 16, learning_rate, schedule='constant')\n"
            "return [alexnet.epochs_to(fit(network, RUNNERS, None, recipe))]",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return [0.8] * (epochs - 1) + [0.2]",
        },
    },
    "a05_vgg": {
        "field": {
            "spec": "found = [seen(layers, 9, 200), seen(layers, 10, 200)]\n"
            "jump = found[1][0] - found[0][0]\n"
            "size = found[0][-1] - found[0][0] + 1\n"
            "return size, jump, found[0][0] - 9 * jump",
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": "net = nn.Sequential(*[nn.Conv2d(1, 1, k, s, p, d)\n"
            "                      for k, s, p, d in layers])\n"
            "flops.count(net, (1, 1, 200, 200))\n"
            "return 1, 1, 0",
            "constant": "return 5, 1, -2",
        },
        "predict": {
            "spec": NO_SPEC,
            "notebook": META + "net = vgg.VGG([(3,) * n for n in (2, 2, 5, 5, 5)],\n"
            "                  vgg.WIDTHS, 7, 4096, 1000)\n"
            "return sum(p.numel() for p in net.parameters()), 0",
            "torch": NO_TORCH,
            "counter": "the notebook's network, counted: see there",
            "constant": NUMBERS,
        },
        "grow": {
            "spec": NO_SPEC,
            "notebook": "grown = copy.deepcopy(deep)\n"
            "vgg.fill(grown, shallow)\nreturn grown",
            "torch": "grown = copy.deepcopy(deep)\n"
            "grown.load_state_dict(shallow.state_dict(), strict=False)\nreturn grown",
            "counter": NOT_COUNTED,
            "constant": "return copy.deepcopy(deep)",
        },
    },
    "a06_googlenet": {
        "cost": {
            "spec": NO_SPEC,
            "notebook": "the notebook's modules, counted: see `counter`",
            "torch": NO_TORCH,
            "counter": COUNTED,
            "constant": "return 163_696, 128_051_968",
        },
        "widest": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": A_SEARCH,
            "constant": "return channels",
        },
        "expect_macs": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": META
            + "layer = nn.Conv2d(528, 128, 5, padding=2)\n"
            + META
            + "pair = nn.Sequential(nn.Conv2d(528, 32, 1), nn.Conv2d(32, 128, 5,\n"
            "                         padding=2))\n"
            "return tuple(flops.count(n, (1, 528, 14, 14)).macs for n in (layer, pair))",
            "constant": NUMBERS,
        },
        "expect_params": {
            "spec": NO_SPEC,
            "notebook": META + "head = googlenet.auxiliary_head(528, 10)\n"
            "return sum(p.numel() for p in head.parameters())",
            "torch": NO_TORCH,
            "counter": "the notebook's head, counted: see there",
            "constant": NUMBERS,
        },
        "inception": {
            "spec": NO_SPEC,
            "notebook": "the notebook's module has three branches of its own weights",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return torch.zeros(len(x), 9, *x.shape[2:])",
        },
    },
    "a07_inception": {
        "smoothing": {
            "spec": "prior = [1 / logits.shape[1]] * logits.shape[1] if prior is None\\\n"
            "    else prior\n"
            "return torch.tensor(smoothing_spec(logits, labels, epsilon, prior))",
            "notebook": OWN,
            "torch": "return F.cross_entropy(logits, labels, label_smoothing=epsilon)",
            "counter": NOT_COUNTED,
            "constant": "return logits.sum() * 0 + 1",
        },
        "predict": {
            "spec": NO_SPEC,
            "notebook": "branch = inception.Mixed(768, inception.module_b(160)).branches\n"
            "found = [p for p in branch[2].parameters() if p.ndim == 4][1:]\n"
            "return sum(p.numel() for p in found), 2_759_680",
            "torch": NO_TORCH,
            "counter": "the notebook's branch, counted: see there",
            "constant": NUMBERS,
        },
    },
    "a08_resnet": {
        "pad": {
            "spec": "return shortcut_spec(x, width, stride)",
            "notebook": "added = width - x.shape[1]\n"
            "y = resnet.PadShortcut(added, stride)(x)\n"
            "return y.roll(added // 2, 1)",
            "torch": "from torchvision.transforms.functional import resize\n"
            "return resize(x, [-(-s // stride) for s in x.shape[2:]])",
            "counter": NOT_COUNTED,
            "constant": "return x.new_zeros(len(x), width, *[-(-s // stride)\n"
            "                                      for s in x.shape[2:]])",
        },
        "zero": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": "return sum(nn.init.zeros_(m.weight) is not None\n"
            "           for m in net.modules() if isinstance(m, nn.BatchNorm2d))",
            "counter": NOT_COUNTED,
            "constant": "return 6",
        },
        "predict": {
            "spec": NO_SPEC,
            "notebook": "the notebook's networks, counted: see `counter`",
            "torch": NO_TORCH,
            "counter": "a, b = (flops.count(resnet.resnet_small(d), (1, 3, 32, 32))\n"
            "        for d in (26, 20))\n"
            "return a.params - b.params, a.macs - b.macs",
            "constant": NUMBERS,
        },
        "cost": {
            "spec": NO_SPEC,
            "notebook": "the notebook's networks, counted: see `counter`",
            "torch": NO_TORCH,
            "counter": META + "net = resnet.resnet_small(depth, classes)\n"
            "cost = flops.count(net, (1, 3, 32, 32))\n"
            "return cost.params, cost.macs",
            "constant": "return 269_722, 40_551_040",
        },
        "responses": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return [0.5] * sum(hasattr(m, 'residual') for m in net.modules())",
        },
    },
    "a09_xception": {
        "widest": {
            "spec": NO_SPEC,
            "notebook": "return xception.WIDTHS['all' if segments is None else segments]",
            "torch": NO_TORCH,
            "counter": "no module with a budget of 10¹⁵ weights can be built",
            "constant": "return 80",
        },
        "nearest": {
            "spec": NO_SPEC,
            "notebook": "the notebook's `with_patterns` has the other order, and no parts",
            "torch": TOOL,
            "counter": NOT_COUNTED,
            "constant": "N, M, K, _ = weight.shape\n"
            "return weight.new_zeros(N * patterns, M, 1, 1), weight.new_zeros(\n"
            "    N, patterns, K, K)",
        },
        "folded": {
            "spec": NO_SPEC,
            "notebook": "return layer",
            "torch": "from torch.nn.utils.fusion import fuse_conv_bn_eval\n"
            "return fuse_conv_bn_eval(layer[1], layer[2])",
            "counter": NOT_COUNTED,
            "constant": "return nn.Conv2d(layer[0].in_channels, layer[1].out_channels, 3,\n"
            "                 padding=1)",
        },
        "expect": {
            "spec": NO_SPEC,
            "notebook": "block = xception.Block(728, (728,) * 3)\n"
            "own = sum(p.numel() for p in block.parameters() if p.ndim == 4)\n"
            "return own, 14_309_568, 5_167_344",
            "torch": NO_TORCH,
            "counter": "found = []\n"
            "for some in ([(1, 1), (3, 728)], [(3, 1)], [(1, 1), (3, 4)]):\n"
            "    " + META.replace("    ", "        ") + "convs = [\n"
            "            nn.Conv2d(728, 728, k, groups=g) for k, g in some]\n"
            "    found.append(3 * sum(c.weight.numel() for c in convs))\n"
            "return tuple(found)",
            "constant": NUMBERS,
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
    },
}
