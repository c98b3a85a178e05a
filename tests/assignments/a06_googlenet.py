"""Wrong and right answers to a06_googlenet, and what each is worth."""

COST = {"cost_visible", "cost_hidden"}
WIDEST = {"widest_visible", "widest_hidden"}
INCEPTION = {"inception_visible", "inception_hidden"}
SCHEDULE = {"schedule_visible", "schedule_hidden"}
TOTAL = {"total_visible", "total_hidden"}
NORMS = {"norms_visible", "norms_hidden"}
MISTAKES = {
    # name: cell, in the solution, the mistake, test cells it costs
    "biases forgotten": ("cost", "weights + biases,", "weights,", COST),
    "biases multiply": (
        "cost",
        "weights * side * side",
        "(weights + biases) * side * side",
        COST,
    ),
    "side counted once": ("cost", "weights * side * side", "weights * side", COST),
    "kernel counted once": ("cost", "k * k * before", "k * before", COST),
    "projection forgotten": (
        "cost",
        "        (1, channels, project),\n",
        "",
        COST,
    ),
    "convolutions see all channels": (
        "cost",
        "(5, reduce5, five)",
        "(5, channels, five)",
        COST,
    ),
    "naive module projects": (
        "cost",
        "(5, channels, five)]",
        "(5, channels, five), (1, channels, project)]",
        COST,
    ),
    "naive ignored": ("cost", "if naive:", "if False:", COST),
    "zero width accepted": (
        "cost",
        "len(widths) != 6 or min(channels, side, *widths) < 1",
        "len(widths) != 6",
        {"cost_hidden"},
    ),
    "reduction for nothing": (
        "widest",
        "(channels + kernel_size**2 * width)",
        "kernel_size**2 * width",
        WIDEST,
    ),
    "kernel 5 always": ("widest", "kernel_size**2", "25", {"widest_hidden"}),
    "one too few": ("widest", "budget // each)", "(budget - 1) // each)", WIDEST),
    "wider than the input": (
        "widest",
        "min(channels, budget // each)",
        "budget // each",
        WIDEST,
    ),
    "a float": ("widest", "budget // each", "budget / each", WIDEST),
    "prediction without the 1x1": (
        "expect_macs",
        "23_382_016",
        "20_070_400",
        {"expect_macs_hidden"},
    ),
    "prediction without biases": (
        "expect_params",
        "2_176_138",
        "2_174_976",
        {"expect_params_hidden"},
    ),
    "concatenated along the rows": ("inception", "dim=1", "dim=2", INCEPTION),
    "concatenated along the images": ("inception", "dim=1", "dim=0", INCEPTION),
    "no ReLU in the reductions": (
        "inception",
        "layer(layer(x, *reduction), *convolution)",
        "layer(F.conv2d(x, *reduction), *convolution)",
        INCEPTION,
    ),
    "no ReLU at all": ("inception", ".relu()", "", INCEPTION),
    "projection before the pooling": (
        "inception",
        "maps.append(layer(pooled, *project))",
        "maps.append(F.max_pool2d(layer(x, *project), 3, 1, 1))",
        INCEPTION,
    ),
    "padding of 1 for every kernel": (
        "inception",
        "weight.shape[-1] // 2).relu()",
        "int(weight.shape[-1] > 1)).relu()",
        INCEPTION,
    ),
    "border of zeros in the maximum": (
        "inception",
        "F.max_pool2d(x, 3, stride=1, padding=1)",
        "F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, stride=1)",
        INCEPTION,
    ),
    "border of zeros in the average": (
        "inception",
        ", count_include_pad=False",
        "",
        {"inception_hidden"},
    ),
    "always the maximum": (
        "inception",
        'if pool == "max":',
        "if True:",
        {"inception_hidden"},
    ),
    "projection first": (
        "inception",
        "    maps = [layer(x, *one)]\n",
        "    maps = [layer(pooled, *project), layer(x, *one)]\n",
        INCEPTION,
    ),
    "even kernels accepted": (
        "inception",
        "weight.shape[-1] % 2 == 0",
        "False",
        {"inception_refuses_visible"},
    ),
    "any pool accepted": (
        "inception",
        'pool not in ("max", "average")',
        "False",
        {"inception_refuses_visible"},
    ),
    "falls from the first step": (
        "schedule",
        "min(1.0, left)",
        "(1 - step / steps)",
        SCHEDULE,
    ),
    "never falls": ("schedule", "min(1.0, left)", "1", SCHEDULE),
    "above first before it falls": ("schedule", "min(1.0, left)", "left", SCHEDULE),
    "does not reach 0": (
        "schedule",
        "(1 - step / steps) / (1 - hold)",
        "(1.1 - step / steps) / (1.1 - hold)",
        SCHEDULE,
    ),
    "hold is always a half": ("schedule", "(1 - hold)", "0.5", {"schedule_hidden"}),
    "0.3 whatever first is": ("schedule", "first *", "0.3 *", {"schedule_hidden"}),
    "steps outside accepted": (
        "schedule",
        "steps < 1 or not 0 <= step <= steps",
        "steps == 0",
        {"schedule_hidden"},
    ),
    "hold = 1 accepted": (
        "schedule",
        "if not 0 <= hold < 1:",
        "if not 0 <= hold <= 1:",
        {"schedule_hidden"},
    ),
    "mean of the auxiliary losses": (
        "total",
        "loss + weight *",
        "loss + weight / len(others) *",
        TOTAL,
    ),
    "weight on all": (
        "total",
        "loss = F.cross_entropy(logits, labels)",
        "loss = weight * F.cross_entropy(logits, labels)",
        TOTAL,
    ),
    "weight forgotten": ("total", "loss + weight *", "loss +", TOTAL),
    "auxiliary losses forgotten": ("total", "in others:", "in ():", TOTAL),
    "only the first head": ("total", "in others:", "in others[:1]:", TOTAL),
    "auxiliary loss at evaluation": (
        "total",
        "(answer,) if isinstance(answer, Tensor) else answer",
        "(answer,) * 3 if isinstance(answer, Tensor) else answer",
        TOTAL,
    ),
    "a tuple in eval mode too": (
        "total",
        "(answer,) if isinstance(answer, Tensor) else answer",
        "answer",
        TOTAL,
    ),
    "no gradient through the heads": (
        "total",
        "F.cross_entropy(other,",
        "F.cross_entropy(other.detach(),",
        {"total_hidden"},
    ),
    "sum over the images": (
        "total",
        "(other, labels)",
        "(other, labels, reduction='sum')",
        TOTAL,
    ),
    "softmax twice": (
        "total",
        "F.cross_entropy(logits,",
        "F.cross_entropy(logits.softmax(1),",
        TOTAL,
    ),
    "a number, not a tensor": ("total", "return loss", "return loss.item()", TOTAL),
    "negative weight accepted": ("total", "if weight < 0:", "if 0:", {"total_hidden"}),
    "square of the norm": ("norms", " ** 0.5", "", NORMS),
    "graph given up": (
        "norms",
        '"retain_graph": True',
        '"retain_graph": loss is not losses[-1]',
        {"norms_hidden"},
    ),
    "graph given up at once": (
        "norms",
        '"retain_graph": True, ',
        "",
        {"norms_hidden"},
    ),
    "unused parameters refused": (
        "norms",
        ', "allow_unused": True',
        "",
        NORMS,
    ),
    "the last parameter alone": ("norms", "in slopes if", "in slopes[-1:] if", NORMS),
}
BODIES = {
    # name: cell, another body for its function, test cells it costs
    "what it is asked becomes nothing": (
        "inception",
        "layers = one, project, *(layer for pair in branches for layer in pair)\n"
        "for part in (x, *(part for layer in layers for part in layer)):\n"
        "    part.zero_()\n"
        "width = len(one[0]) + sum(len(pair[1][0]) for pair in branches)\n"
        "shape = len(x), width + len(project[0]), *x.shape[2:]\n"
        "return torch.zeros(shape, dtype=x.dtype)",
        INCEPTION | {"inception_refuses_visible"},
    ),
    "it refuses everything": (
        "inception",
        "raise ValueError",
        INCEPTION | {"inception_refuses_visible"},
    ),
    "gradients added up in .grad": (
        "norms",
        "norms = []\n"
        "for loss in losses:\n"
        "    loss.backward(retain_graph=True)\n"
        "    norms.append(float(sum(p.grad.square().sum() for p in parameters"
        " if p.grad is not None)) ** 0.5)\n"
        "return norms",
        NORMS,
    ),
    "gradients wiped": (
        "norms",
        "norms = []\n"
        "for loss in losses:\n"
        "    for p in parameters:\n"
        "        p.grad = torch.zeros_like(p)\n"
        "    loss.backward(retain_graph=True)\n"
        "    norms.append(float(sum(p.grad.square().sum() for p in parameters))"
        " ** 0.5)\n"
        "return norms",
        NORMS,
    ),
    "sum of norms": (
        "norms",
        "return [sum(s.norm().item() for s in torch.autograd.grad(loss, parameters,"
        " retain_graph=True, allow_unused=True) if s is not None)"
        " for loss in losses]",
        NORMS,
    ),
    "a schedule in a hurry": (
        "schedule",
        "if steps < 1 or step < 0 or step > steps or hold < 0 or hold >= 1:\n"
        "    raise ValueError\n"
        "return first if step < hold * steps else 0.0",
        SCHEDULE,
    ),
}
RIGHT = {
    "norms by a long vector": (
        "norms",
        "found = []\n"
        "for loss in losses:\n"
        "    slopes = torch.autograd.grad(loss, parameters, retain_graph=True,\n"
        "                                 allow_unused=True)\n"
        "    flat = [torch.zeros(1)] + [s.flatten() for s in slopes if s is not None]\n"
        "    found.append(torch.cat(flat).norm().item())\n"
        "return found",
    ),
    "cost, layer by layer": (
        "cost",
        "if len(widths) != 6: raise ValueError()\n"
        "if any(n <= 0 for n in (channels, side) + tuple(widths)): raise ValueError()\n"
        "pairs = {0: channels, 1: channels, 2: widths[1], 3: channels, 4: widths[3],\n"
        "         5: channels}\n"
        "if naive: pairs = {0: channels, 2: channels, 4: channels}\n"
        "params = macs = 0\n"
        "for place, before in pairs.items():\n"
        "    kernel = {2: 9, 4: 25}.get(place, 1) * before * widths[place]\n"
        "    params += kernel + widths[place]\n"
        "    macs += kernel * side**2\n"
        "return params, macs",
    ),
    "cost, branch by branch": (
        "cost",
        "if len(widths) != 6 or not all(w >= 1 for w in [channels, side, *widths]):\n"
        "    raise ValueError('bad')\n"
        "a, b, c, d, e, f = widths\n"
        "if naive:\n"
        "    w = channels * (a + 9 * c + 25 * e)\n"
        "    return w + a + c + e, side ** 2 * w\n"
        "w = channels * (a + b + d + f) + 9 * b * c + 25 * d * e\n"
        "return w + sum(widths), side ** 2 * w",
    ),
    "reduction by search": (
        "widest",
        "best = 0\n"
        "for r in range(1, channels + 1):\n"
        "    if side * side * r * (channels + kernel_size * kernel_size * width)"
        " <= budget:\n"
        "        best = r\n"
        "if best == 0: raise ValueError('too dear')\n"
        "return best",
    ),
    "reduction by the cost of two layers": (
        "widest",
        "r = channels\n"
        "while r and side**2 * (channels * r + kernel_size**2 * r * width) > budget:\n"
        "    r -= 1\n"
        "if not r: raise ValueError('too dear')\n"
        "return r",
    ),
    "estimates, computed": (
        "expect_macs",
        "return [14**2 * 25 * 528 * 128, 14**2 * (528 * 32 + 25 * 32 * 128)]",
    ),
    "module by modules": (
        "inception",
        "if pool not in ['max', 'average']: raise ValueError()\n"
        "def block(weight, bias):\n"
        "    width, channels, k, _ = weight.shape\n"
        "    if k % 2 == 0: raise ValueError()\n"
        "    conv = nn.Conv2d(channels, width, k, padding='same').to(weight.dtype)\n"
        "    conv.weight.data, conv.bias.data = weight, bias\n"
        "    return nn.Sequential(conv, nn.ReLU())\n"
        "pools = nn.MaxPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1, False, False)\n"
        "parts = [block(*one)]\n"
        "parts += [nn.Sequential(block(*a), block(*b)) for a, b in branches]\n"
        "parts.append(nn.Sequential(pools[pool == 'average'], block(*project)))\n"
        "return torch.concat([part(x) for part in parts], 1).detach()",
    ),
    "module by einsum and unfold": (
        "inception",
        "if pool not in ('max', 'average'): raise ValueError()\n"
        "n, c, h, w = x.shape\n"
        "def conv(x, weight, bias):\n"
        "    k = weight.shape[-1]\n"
        "    if k % 2 != 1: raise ValueError()\n"
        "    cols = F.unfold(x, k, padding=k // 2).view(n, x.shape[1], k * k, h, w)\n"
        "    y = torch.einsum('ncphw,ocp->nohw', cols, weight.flatten(2))\n"
        "    return torch.clamp(y + bias.view(1, -1, 1, 1), min=0)\n"
        "edge = float('-inf') if pool == 'max' else float('nan')\n"
        "wide = F.pad(x, (1, 1, 1, 1), value=edge).unfold(2, 3, 1).unfold(3, 3, 1)\n"
        "pooled = wide.flatten(4).amax(4) if pool == 'max' else"
        " wide.flatten(4).nanmean(4)\n"
        "inner = [conv(conv(x, *r), *k) for r, k in branches]\n"
        "return torch.cat([conv(x, *one)] + inner + [conv(pooled, *project)], -3)",
    ),
    "module into one buffer": (
        "inception",
        "if pool != 'max' and pool != 'average': raise ValueError()\n"
        "sizes = [len(one[0])] + [len(k[0]) for _, k in branches] + [len(project[0])]\n"
        "y = x.new_empty(x.shape[0], sum(sizes), *x.shape[2:])\n"
        "ones = F.avg_pool2d(torch.ones_like(x), 3, 1, 1)\n"
        "pooled = F.max_pool2d(x, 3, 1, 1) if pool == 'max' else"
        " F.avg_pool2d(x, 3, 1, 1) / ones\n"
        "paths = [(x, [one]), *((x, list(b)) for b in branches)]\n"
        "paths += [(pooled, [project])]\n"
        "for part, (maps, layers) in zip(y.split(sizes, 1), paths):\n"
        "    for weight, bias in layers:\n"
        "        k = weight.shape[2]\n"
        "        if not k & 1: raise ValueError()\n"
        "        maps = torch.relu(F.conv2d(maps, weight, bias, 1, (k - 1) // 2))\n"
        "    part.copy_(maps)\n"
        "return y",
    ),
    "schedule with an if": (
        "schedule",
        "if steps < 1 or step < 0 or step > steps or hold < 0 or hold >= 1:\n"
        "    raise ValueError('no')\n"
        "start = steps * hold\n"
        "if step <= start:\n"
        "    return first\n"
        "return first - first * (step - start) / (steps - start)",
    ),
    "loss by log-softmax": (
        "total",
        "if weight < 0: raise ValueError()\n"
        "answers = [answer] if torch.is_tensor(answer) else list(answer)\n"
        "if len(answers[0]) != labels.numel(): raise ValueError()\n"
        "losses = [-y.log_softmax(-1).gather(1, labels[:, None]).mean()"
        " for y in answers]\n"
        "return losses[0] + weight * sum(losses[1:], torch.zeros(()))",
    ),
    "loss by one stacked cross-entropy": (
        "total",
        "if weight < 0: raise ValueError()\n"
        "y = torch.stack(answer) if isinstance(answer, (tuple, list)) else"
        " answer.unsqueeze(0)\n"
        "if y.shape[1] != len(labels): raise ValueError()\n"
        "each = F.cross_entropy(y.flatten(0, 1), labels.repeat(len(y)),"
        " reduction='none')\n"
        "means = each.view(len(y), -1).mean(1)\n"
        "return means[0] * (1 - weight) + weight * means.sum()",
    ),
    "norms by backward, put back": (
        "norms",
        "kept = [p.grad for p in parameters]\n"
        "norms = []\n"
        "for loss in losses:\n"
        "    for p in parameters:\n"
        "        p.grad = None\n"
        "    loss.backward(retain_graph=True, inputs=list(parameters))\n"
        "    found = [p.grad.flatten() for p in parameters if p.grad is not None]\n"
        "    norms.append(torch.cat(found).norm().item() if found else 0.0)\n"
        "for p, grad in zip(parameters, kept):\n"
        "    p.grad = grad\n"
        "return norms",
    ),
    "norms of materialised gradients": (
        "norms",
        "slopes = [torch.autograd.grad(loss, parameters, retain_graph=True,"
        " materialize_grads=True) for loss in losses]\n"
        "return [math.sqrt(sum(float((s ** 2).sum()) for s in each))"
        " for each in slopes]",
    ),
}
WORDS = [
    ("biases forgotten", "cost_visible", "biases are missing"),
    ("biases multiply", "cost_visible", "adding a bias multiplies nothing"),
    ("side counted once", "cost_visible", "side · side"),
    ("projection forgotten", "cost_visible", "projection after the pooling"),
    ("one too few", "widest_visible", "cost 12,443,648"),
    ("wider than the input", "widest_visible", "all there are"),
    ("concatenated along the rows", "inception_visible", "dim=1"),
    ("concatenated along the images", "inception_visible", "dim=1"),
    ("no ReLU in the reductions", "inception_visible", "*every* convolution"),
    ("no ReLU at all", "inception_visible", "negative maps"),
    ("projection before the pooling", "inception_visible", "pool the maps first"),
    ("padding of 1 for every kernel", "inception_visible", "padding"),
    ("falls from the first step", "schedule_visible", "first half"),
    ("never falls", "schedule_visible", "0 at the last step"),
    ("above first before it falls", "schedule_visible", "never above"),
    ("mean of the auxiliary losses", "total_visible", "not their mean"),
    ("weight on all", "total_visible", "full weight"),
    ("weight forgotten", "total_visible", "`weight` is missing"),
    ("auxiliary loss at evaluation", "total_visible", "no heads to add"),
    ("a number, not a tensor", "total_visible", "for `backward`"),
    ("square of the norm", "norms_visible", "root of the sum of squares"),
    ("graph given up", "norms_hidden", "retain_graph"),
    ("sum of norms", "norms_visible", "not a sum of norms"),
]
