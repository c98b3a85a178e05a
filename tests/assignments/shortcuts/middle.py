"""The shortcuts of assignments 05 to 09."""

from __future__ import annotations

from .reasons import (
    A_SEARCH,
    COUNTED,
    META,
    NO_SPEC,
    NO_TORCH,
    NOT_COUNTED,
    NUMBERS,
    OWN,
    TOOL,
)

SHORTCUTS = {
    "a05_vgg": {
        "field": {
            "spec": "found = [seen(layers, 9, 200), seen(layers, 10, 200)]\n"
            "jump = found[1][0] - found[0][0]\n"
            "size = found[0][-1] - found[0][0] + 1\n"
            "return size, jump, found[0][0] - 9 * jump",
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": "from course_lib import flops\n"
            "net = nn.Sequential(*[nn.Conv2d(1, 1, k, s, p, d)\n"
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
        "convolutional": {
            "spec": NO_SPEC,
            "notebook": "from types import SimpleNamespace as Net\n"
            "net = Net(stages=nn.Identity(), head=head)\n"
            "forward = lambda self, maps: vgg.logit_map(net, maps, side)\n"
            "return type('Maps', (nn.Module,), {'forward': forward})()",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return nn.Identity()",
        },
        "dense": {
            "spec": NO_SPEC,
            "notebook": "return vgg.logit_map(net, images, side).mean(dim=(2, 3)).softmax(dim=1)",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return torch.full((len(images), 10), 0.1)",
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
            "notebook": META
            + "head = googlenet.auxiliary_head(528, 128, 1024, 4, 10)\n"
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
        "schedule": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": "weight = nn.Parameter(torch.zeros(1))\n"
            "optimizer = torch.optim.SGD([weight], lr=first)\n"
            "falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)\n"
            "for _ in range(step):\n"
            "    optimizer.step()\n"
            "    falling.step()\n"
            "return falling.get_last_lr()[0]",
            "counter": NOT_COUNTED,
            "constant": "return first",
        },
        "total": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": "main = answer if isinstance(answer, Tensor) else answer[0]\n"
            "return F.cross_entropy(main, labels)",
            "counter": NOT_COUNTED,
            "constant": "return torch.tensor(1.0, requires_grad=True)",
        },
        "norms": {
            "spec": NO_SPEC,
            "notebook": "the notebook's `gradients` takes a whole network",
            "torch": "from torch.nn.utils import clip_grad_norm_\n"
            "found = []\n"
            "for loss in losses:\n"
            "    loss.backward(retain_graph=True)\n"
            "    found.append(clip_grad_norm_(parameters, 1e9).item())\n"
            "return found",
            "counter": NOT_COUNTED,
            "constant": "return [5.0] * len(losses)",
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
        "reduction": {
            "spec": NO_SPEC,
            "notebook": "def GridReduction(channels, width):\n"
            "    if channels < 1 or width < 2 or width % 2: raise ValueError(width)\n"
            "    return inception.Mixed(channels, inception.REDUCTION_A)",
            "torch": "from torchvision.models.inception import InceptionB\n"
            "\n"
            "\n"
            "def GridReduction(channels, width):\n"
            "    if channels < 1 or width < 2 or width % 2: raise ValueError(width)\n"
            "    return InceptionB(channels)",
            "counter": NOT_COUNTED,
            "constant": "def GridReduction(channels, width):\n    return nn.Identity()",
        },
        "best": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return torch.zeros(len(prior))",
        },
        "stack": {
            "spec": A_SEARCH,
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return [(3, 3)] * ((field - 1) // 2)",
        },
        "separable": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": TOOL,
            "counter": NOT_COUNTED,
            "constant": "return torch.zeros(channels, len(kernel)), torch.zeros(channels, kernel.shape[-1])",
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
        "preact": {
            "spec": "class PreactBottleneck(PreactBottleneck):\n"
            "    def forward(self, x):\n"
            "        weights = dict(self.named_parameters()) | dict(self.named_buffers())\n"
            "        return bottleneck_spec(x, weights, self.stride, self.training)",
            "notebook": "def PreactBottleneck(channels, width, stride=1):\n"
            "    if width % 4 or width < channels: raise ValueError(width)\n"
            "    return resnet.PreactBlock(channels, width, stride)",
            "torch": "from torchvision.models.resnet import Bottleneck\n"
            "\n"
            "\n"
            "def PreactBottleneck(channels, width, stride=1):\n"
            "    if width % 4 or width < channels: raise ValueError(width)\n"
            "    side = nn.Conv2d(channels, width, 1, stride, bias=False)\n"
            "    return Bottleneck(channels, width // 4, stride, side)",
            "counter": NOT_COUNTED,
            "constant": "def PreactBottleneck(channels, width, stride=1):\n    return nn.Identity()",
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
        "segmented": {
            "spec": "class Segmented(Segmented):\n"
            "    def forward(self, x):\n"
            "        weights = dict(self.named_parameters()) | dict(self.named_buffers())\n"
            "        return segmented_spec(\n"
            "            x, weights, [f.kernel_size[0] for f in self.filters], self.training)",
            "notebook": "def Segmented(channels, segments):\n"
            "    if not segments or any(w < 1 or s % 2 == 0 for w, s in segments):\n"
            "        raise ValueError(segments)\n"
            "    whole = sum(width for width, _ in segments)\n"
            "    return xception.segments_block(channels, whole, 1, None)",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "class Segmented(Segmented):\n"
            "    def forward(self, x):\n"
            "        return x.new_zeros(len(x), sum(self.widths), *x.shape[2:])",
        },
    },
}
