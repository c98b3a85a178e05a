"""The shortcuts of assignments 00 to 04."""

from __future__ import annotations

from .reasons import CONV, NO_SPEC, NO_TORCH, NOT_COUNTED, NUMBERS, OWN, TOOL

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
        "cross": {
            "spec": "class CrossAttention(CrossAttention):\n"
            "    def forward(self, x, memory, there=None):\n"
            "        weights = dict(self.named_parameters()) | dict(self.named_buffers())\n"
            "        return cross_spec(x, memory, weights, self.heads, there)",
            "notebook": "def CrossAttention(width, memory_width, heads):\n"
            "    if width % heads: raise ValueError(heads)\n"
            "    return attention.MultiHeadAttention(width, heads)",
            "torch": "class CrossAttention(CrossAttention):\n"
            "    def forward(self, x, memory, there=None):\n"
            "        one, two, three = map(self.split, (self.query(x), self.key(memory),\n"
            "                                           self.value(memory)))\n"
            "        there = None if there is None else there[:, None, None]\n"
            "        mixed = nn.functional.scaled_dot_product_attention(one, two, three, there)\n"
            "        return self.out(mixed.transpose(1, 2).flatten(2))",
            "counter": NOT_COUNTED,
            "constant": "class CrossAttention(CrossAttention):\n"
            "    def forward(self, x, memory, there=None):\n"
            "        return x.detach().clone().requires_grad_()",
        },
        "positions": {
            "spec": NO_SPEC,
            "notebook": "class LearnedPositions(LearnedPositions):\n"
            "    def forward(self, x, there):\n"
            "        return x + attention.sinusoidal_positions(*x.shape[1:])",
            "torch": "nn.Embedding looks rows up: the places are the exercise",
            "counter": NOT_COUNTED,
            "constant": "class LearnedPositions(LearnedPositions):\n"
            "    def forward(self, x, there):\n"
            "        return x + 0",
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
        "moments": {
            "spec": "`two_pass` is for pixels that are in memory at once, which a stream is not",
            "notebook": "the notebook works on images in memory",
            "torch": "a function of all pixels at once: see `spec`",
            "counter": NOT_COUNTED,
            "constant": "class RunningMoments(RunningMoments):\n"
            "    def update(self, images):\n"
            "        self.count, self.center = 1, torch.zeros(len(self.center)).double()\n"
            "        return None",
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
        "cell": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return torch.zeros(len(keypoints), dtype=torch.int64)",
        },
        "pyramid": {
            "spec": NO_SPEC,
            "notebook": "return codebooks.histogram(words[:, None].float(),\n"
            "                            torch.arange(K)[:, None].float()).double()",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return torch.zeros(K * (4 ** (finest + 1) - 1) // 3, dtype=torch.float64)",
        },
        "intersection": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": "from sklearn.metrics.pairwise import manhattan_distances\n"
            "apart = torch.tensor(manhattan_distances(left, right)).to(left)\n"
            "return (2 - apart) / 2",
            "counter": NOT_COUNTED,
            "constant": "return torch.ones(len(left), len(right)).to(left)",
        },
        "normalise": {
            "spec": NO_SPEC,
            "notebook": "the notebook's `vlad` begins with descriptors",
            "torch": "return torch.nn.functional.normalize(residuals.flatten(), dim=0)",
            "counter": NOT_COUNTED,
            "constant": "return torch.ones(residuals.numel()).to(residuals)",
        },
        "energy": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return share",
        },
        "curve": {
            "spec": NO_SPEC,
            "notebook": "rows = torch.stack([codebooks.vlad(rows, codebook) for rows in sets])\n"
            "return [energy(rows, share)] * len(powers)",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return [share] * len(powers)",
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
            "notebook": "network = race_network(ACTIVATIONS[activation])\n"
            "recipe = Recipe(1, 16, learning_rate, schedule='constant')\n"
            "return [alexnet.epochs_to(fit(network, RUNNERS, None, recipe))]",
            "torch": NO_TORCH,
            "counter": NOT_COUNTED,
            "constant": "return [0.8] * (epochs - 1) + [0.2]",
        },
        "colours": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": "pixels = images.float().div(255).movedim(1, -1).reshape(-1, 3)\n"
            "_, values, vectors = torch.pca_lowrank(pixels)\n"
            "return values, vectors",
            "counter": NOT_COUNTED,
            "constant": "return torch.tensor([3.0, 2.0, 1.0]), torch.eye(3)",
        },
        "fancy": {
            "spec": NO_SPEC,
            "notebook": OWN,
            "torch": "from torchvision.transforms import ColorJitter\n"
            "return ColorJitter(0.1, 0.1, 0.1)(images)",
            "counter": NOT_COUNTED,
            "constant": "return images + 0.1",
        },
    },
}
