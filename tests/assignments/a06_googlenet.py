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
    "the 3x3 sees all channels": (
        "cost",
        "(3, reduce3, three)",
        "(3, channels, three)",
        COST,
    ),
    "MACs come first": (
        "cost",
        "return weights + biases, weights * side * side",
        "return weights * side * side, weights + biases",
        COST,
    ),
    "FLOPs": ("cost", "weights * side * side", "2 * weights * side * side", COST),
    "kernel left out": ("cost", "k * k * before", "before", COST),
    "pixels left out": ("cost", "weights * side * side", "weights", COST),
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
    "convolution for nothing": (
        "widest",
        "(channels + kernel_size**2 * width)",
        "channels",
        WIDEST,
    ),
    "kernel counted once in the branch": (
        "widest",
        "kernel_size**2 * width",
        "kernel_size * width",
        WIDEST,
    ),
    "a row for the map": ("widest", "side**2 *", "side *", WIDEST),
    "one pixel": ("widest", "side**2 *", "1 *", WIDEST),
    "rounded up": ("widest", "budget // each)", "-(-budget // each))", WIDEST),
    "the convolution goes to all channels": (
        "widest",
        "kernel_size**2 * width",
        "kernel_size**2 * channels",
        WIDEST,
    ),
    "none where one is too many": (
        "widest",
        "if budget < each:",
        "if False:",
        {"widest_hidden"},
    ),
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
    "prediction: with, then without": (
        "expect_macs",
        "331_161_600, 23_382_016",
        "23382016, 331161600",
        {"expect_macs_hidden"},
    ),
    "prediction: one pixel of the kernel": (
        "expect_macs",
        "331_161_600, 23_382_016",
        "13246464, 23382016",
        {"expect_macs_hidden"},
    ),
    "prediction: a row of the kernel": (
        "expect_macs",
        "331_161_600, 23_382_016",
        "66232320, 23382016",
        {"expect_macs_hidden"},
    ),
    "prediction: one pixel of the map": (
        "expect_macs",
        "331_161_600, 23_382_016",
        "1689600, 119296",
        {"expect_macs_hidden"},
    ),
    "prediction: FLOPs": (
        "expect_macs",
        "331_161_600, 23_382_016",
        "662323200, 46764032",
        {"expect_macs_hidden"},
    ),
    "prediction: biases multiply": (
        "expect_macs",
        "331_161_600, 23_382_016",
        "331186688, 23413376",
        {"expect_macs_hidden"},
    ),
    "prediction: the 1x1 alone": (
        "expect_macs",
        "331_161_600, 23_382_016",
        "331161600, 3311616",
        {"expect_macs_hidden"},
    ),
    "prediction: both of 1x1": (
        "expect_macs",
        "331_161_600, 23_382_016",
        "331161600, 4114432",
        {"expect_macs_hidden"},
    ),
    "prediction: both of 5x5": (
        "expect_macs",
        "331_161_600, 23_382_016",
        "331161600, 102860800",
        {"expect_macs_hidden"},
    ),
    "prediction: the 5x5 reads all channels": (
        "expect_macs",
        "331_161_600, 23_382_016",
        "331161600, 334473216",
        {"expect_macs_hidden"},
    ),
    "prediction: no biases in the 1x1": (
        "expect_params",
        "2_176_138",
        "2176010",
        {"expect_params_hidden"},
    ),
    "prediction: no biases in the hidden units": (
        "expect_params",
        "2_176_138",
        "2175114",
        {"expect_params_hidden"},
    ),
    "prediction: no biases of the classes": (
        "expect_params",
        "2_176_138",
        "2176128",
        {"expect_params_hidden"},
    ),
    "prediction: one number of a map": (
        "expect_params",
        "2_176_138",
        "210058",
        {"expect_params_hidden"},
    ),
    "prediction: not pooled": (
        "expect_params",
        "2_176_138",
        "25769098",
        {"expect_params_hidden"},
    ),
    "prediction: a thousand classes": (
        "expect_params",
        "2_176_138",
        "3190888",
        {"expect_params_hidden"},
    ),
    "prediction: pooled maps, then hidden units": (
        "expect_params",
        "2_176_138",
        "2108426",
        {"expect_params_hidden"},
    ),
    "prediction: no last layer": (
        "expect_params",
        "2_176_138",
        "2165888",
        {"expect_params_hidden"},
    ),
    "prediction: the head of 4a": (
        "expect_params",
        "2_176_138",
        "2174090",
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
    "not pooled": (
        "inception",
        "layer(pooled, *project)",
        "layer(x, *project)",
        INCEPTION,
    ),
    "average for the maximum": ("inception", '"max":', '"average":', INCEPTION),
    "the branches before the 1x1": (
        "inception",
        "    maps.append(layer(pooled, *project))\n",
        "    maps.append(maps.pop(0))\n    maps.append(layer(pooled, *project))\n",
        {"inception_visible", "inception_hidden"},
    ),
    "no branch returned": (
        "inception",
        "    return torch.cat(maps, dim=1)\n",
        "    torch.cat(maps, dim=1)\n",
        INCEPTION | {"inception_refuses_visible"},
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
        "torch.cat(maps, dim=1)",
        "torch.cat([maps[-1], *maps[:-1]], dim=1)",
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
    "falls in the first part": (
        "schedule",
        "left = (1 - step / steps) / (1 - hold)",
        "left = max(0.0, 1 - step / (hold * steps)) if hold else float(step == 0)",
        SCHEDULE,
    ),
    "a cosine": (
        "schedule",
        "first * min(1.0, left)",
        "first * (1 - math.cos(math.pi * min(1.0, left))) / 2",
        SCHEDULE,
    ),
    "rises": (
        "schedule",
        "first * min(1.0, left)",
        "first * max(0.0, 1 - left)",
        SCHEDULE,
    ),
    "without first": ("schedule", "first * min(1.0, left)", "min(1.0, left)", SCHEDULE),
    "nothing returned": ("schedule", "return first", "first", SCHEDULE),
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
    "only the last head": ("total", "in others:", "in others[-1:]:", TOTAL),
    "the head is the last of the tuple": (
        "total",
        "    loss = F.cross_entropy(logits, labels)\n",
        "    logits, others = [*others, logits][0], [*others, logits][1:]\n"
        "    loss = F.cross_entropy(logits, labels)\n",
        TOTAL,
    ),
    "the weights sum to 1": (
        "total",
        "    return loss\n",
        "    return loss - weight * F.cross_entropy(logits, labels) * bool(others)\n",
        TOTAL,
    ),
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
    "the first parameter alone": ("norms", "in slopes if", "in slopes[:1] if", NORMS),
    "the largest number": (
        "norms",
        "norms.append(float(sum(squares)) ** 0.5)",
        "norms.append(max(s.abs().max().item() for s in slopes if s is not None))",
        NORMS,
    ),
    "the sum of absolute values": (
        "norms",
        "norms.append(float(sum(squares)) ** 0.5)",
        "norms.append(float(sum(s.abs().sum() for s in slopes if s is not None)))",
        NORMS,
    ),
    "a mean of squares": (
        "norms",
        "float(sum(squares)) ** 0.5",
        "(float(sum(squares)) / sum(p.numel() for p in parameters)) ** 0.5",
        NORMS,
    ),
    "tensors": (
        "norms",
        "float(sum(squares)) ** 0.5",
        "sum(squares) ** 0.5",
        {"norms_visible"},
    ),
    "a tuple of norms": ("norms", "return norms", "return tuple(norms)", NORMS),
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
    "cost by a dict of kernels": (
        "cost",
        "if len(widths) != 6 or min(widths) < 1 or channels < 1 or side < 1:\n"
        "    raise ValueError('six widths, all positive')\n"
        "names = dict(zip('one r3 three r5 five pool'.split(), widths))\n"
        "reads = {'three': names['r3'], 'five': names['r5']}\n"
        "if naive: reads, names = {}, {n: names[n] for n in ('one', 'three', 'five')}\n"
        "k = {'three': 3, 'five': 5}\n"
        "w = {n: k.get(n, 1) ** 2 * reads.get(n, channels) * d for n, d in names.items()}\n"
        "return sum(w[n] + names[n] for n in w), side * side * sum(w.values())",
    ),
    "reduction by bisection": (
        "widest",
        "price = lambda r: side * side * r * (channels + kernel_size**2 * width)\n"
        "if price(1) > budget: raise ValueError\n"
        "low, high = 1, channels\n"
        "while low < high:\n"
        "    middle = (low + high + 1) // 2\n"
        "    low, high = (middle, high) if price(middle) <= budget else (low, middle - 1)\n"
        "return low",
    ),
    "estimates, pixel by pixel": (
        "expect_macs",
        "one = 5 * 5 * 528 * 128\n"
        "two = 528 * 32 + 5 * 5 * 32 * 128\n"
        "return one * 14 * 14, two * 14 * 14",
    ),
    "estimates as a list of sums": (
        "expect_macs",
        "layers = [[(5, 528, 128)], [(1, 528, 32), (5, 32, 128)]]\n"
        "return [sum(196 * k * k * c * d for k, c, d in net) for net in layers]",
    ),
    "the head layer by layer": (
        "expect_params",
        "layers = [(528, 128), (128 * 4 * 4, 1024), (1024, 10)]\n"
        "return sum((before + 1) * after for before, after in layers)",
    ),
    "the head, weights and biases": (
        "expect_params",
        "weights = 528 * 128 + 16 * 128 * 1024 + 1024 * 10\n"
        "return weights + 128 + 1024 + 10",
    ),
    "the head as a number": ("expect_params", "return int(2176138)"),
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
    "schedule by the distance to the end": (
        "schedule",
        "if not (steps >= 1 and 0 <= step <= steps and 0 <= hold < 1):\n"
        "    raise ValueError('out of range')\n"
        "length = steps - hold * steps\n"
        "return first * max(0.0, min(length, steps - step)) / length",
    ),
    "schedule by a tensor": (
        "schedule",
        "if steps <= 0 or step not in range(steps + 1) or not 0 <= hold < 1:\n"
        "    raise ValueError\n"
        "t = torch.tensor(step / steps, dtype=torch.float64)\n"
        "return float(torch.lerp(torch.tensor(first, dtype=torch.float64),"
        " torch.zeros((), dtype=torch.float64), ((t - hold) / (1 - hold)).clamp(0, 1)))",
    ),
    "loss by hand": (
        "total",
        "if weight < 0: raise ValueError('weight')\n"
        "y = (answer,) if isinstance(answer, Tensor) else tuple(answer)\n"
        "if y[0].shape[0] != labels.shape[0]: raise ValueError('labels')\n"
        "def one(z):\n"
        "    own = z[torch.arange(len(z)), labels]\n"
        "    return (z.logsumexp(1) - own).sum() / len(z)\n"
        "total = one(y[0])\n"
        "for z in y[1:]: total = total + weight * one(z)\n"
        "return total",
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
    ("kernel counted once", "cost_visible", "k·k pixels, not k"),
    ("kernel left out", "cost_visible", "k·k pixels"),
    ("pixels left out", "cost_visible", "at *each* of side"),
    ("projection forgotten", "cost_visible", "projection after the pooling"),
    ("convolutions see all channels", "cost_visible", "the 5x5 sees what its"),
    ("the 3x3 sees all channels", "cost_visible", "the 3x3 sees what its"),
    ("naive module projects", "cost_visible", "a naive module projects nothing"),
    ("naive ignored", "cost_visible", "is `naive` used?"),
    ("MACs come first", "cost_visible", "parameters come first"),
    ("FLOPs", "cost_visible", "2 FLOPs are one MAC"),
    ("zero width accepted", "cost_hidden", "no ValueError, but gave ("),
    ("reduction for nothing", "widest_visible", "the reduction multiplies, too"),
    ("convolution for nothing", "widest_visible", "after the reduction multiplies"),
    ("kernel counted once in the branch", "widest_visible", "k·k pixels"),
    ("a row for the map", "widest_visible", "side · side pixels"),
    ("one pixel", "widest_visible", "pixels"),
    ("rounded up", "widest_visible", "round down"),
    ("the convolution goes to all channels", "widest_visible", "goes to `width`"),
    ("kernel 5 always", "widest_hidden", "kernel_size="),
    ("one too few", "widest_visible", "may be met exactly"),
    ("wider than the input", "widest_visible", "all there are"),
    ("a float", "widest_visible", "a whole number of channels"),
    ("none where one is too many", "widest_hidden", "expected 'a ValueError'"),
    ("prediction without the 1x1", "expect_macs_hidden", "the reduction itself"),
    ("prediction: with, then without", "expect_macs_hidden", "comes first"),
    ("prediction: one pixel of the kernel", "expect_macs_hidden", "25 pixels"),
    ("prediction: a row of the kernel", "expect_macs_hidden", "25 pixels"),
    ("prediction: one pixel of the map", "expect_macs_hidden", "14 · 14 pixels"),
    ("prediction: FLOPs", "expect_macs_hidden", "2 FLOPs are one MAC"),
    ("prediction: biases multiply", "expect_macs_hidden", "multiplies nothing"),
    ("prediction: the 1x1 alone", "expect_macs_hidden", "behind the reduction"),
    ("prediction: both of 1x1", "expect_macs_hidden", "25 pixels"),
    ("prediction: both of 5x5", "expect_macs_hidden", "the reduction is 1x1"),
    (
        "prediction: the 5x5 reads all channels",
        "expect_macs_hidden",
        "what the reduction leaves",
    ),
    ("prediction without biases", "expect_params_hidden", "each layer has biases"),
    (
        "prediction: no biases in the 1x1",
        "expect_params_hidden",
        "the 1x1 convolutions have biases",
    ),
    (
        "prediction: no biases in the hidden units",
        "expect_params_hidden",
        "the hidden units have biases",
    ),
    (
        "prediction: no biases of the classes",
        "expect_params_hidden",
        "the classes have biases",
    ),
    ("prediction: one number of a map", "expect_params_hidden", "4x4 numbers each"),
    ("prediction: not pooled", "expect_params_hidden", "leaves 4x4 maps"),
    ("prediction: a thousand classes", "expect_params_hidden", "ten classes"),
    (
        "prediction: pooled maps, then hidden units",
        "expect_params_hidden",
        "have parameters, too",
    ),
    ("prediction: no last layer", "expect_params_hidden", "the last layer"),
    ("prediction: the head of 4a", "expect_params_hidden", "not 4a's 512"),
    ("concatenated along the rows", "inception_visible", "dim=1"),
    ("concatenated along the images", "inception_visible", "dim=1"),
    ("no ReLU in the reductions", "inception_visible", "*every* convolution"),
    ("no ReLU at all", "inception_visible", "negative maps"),
    ("projection before the pooling", "inception_visible", "pool the maps first"),
    ("not pooled", "inception_visible", "but not pooled"),
    (
        "average for the maximum",
        "inception_visible",
        "without `pool` it is the maximum",
    ),
    ("padding of 1 for every kernel", "inception_visible", "padding"),
    ("border of zeros in the maximum", "inception_visible", "inside the map alone"),
    ("border of zeros in the average", "inception_hidden", "a border of zeros"),
    ("always the maximum", "inception_hidden", "the other pooling"),
    ("the branches before the 1x1", "inception_visible", "1x1 branch comes first"),
    ("projection first", "inception_visible", "the projection comes last"),
    ("no branch returned", "inception_visible", "is there a `return`?"),
    ("even kernels accepted", "inception_refuses_visible", "but gave RuntimeError"),
    ("any pool accepted", "inception_refuses_visible", "but gave maps of the"),
    ("falls from the first step", "schedule_visible", "first half"),
    ("never falls", "schedule_visible", "0 at the last step"),
    ("above first before it falls", "schedule_visible", "never above"),
    ("does not reach 0", "schedule_visible", "to 0 at `steps`"),
    ("falls in the first part", "schedule_visible", "not in it"),
    ("a schedule in a hurry", "schedule_visible", "not at once"),
    ("a cosine", "schedule_visible", "not a cosine"),
    ("rises", "schedule_visible", "it is `first` up to"),
    ("without first", "schedule_visible", "`first` is missing"),
    ("nothing returned", "schedule_visible", "is there a `return`?"),
    ("hold is always a half", "schedule_hidden", "`hold` is 0.5 whatever"),
    ("0.3 whatever first is", "schedule_hidden", "`first` is 0.3 whatever"),
    ("steps outside accepted", "schedule_hidden", "no ValueError, but gave"),
    ("hold = 1 accepted", "schedule_hidden", "no ValueError, but gave"),
    ("mean of the auxiliary losses", "total_visible", "not their mean"),
    ("weight on all", "total_visible", "full weight"),
    ("the weights sum to 1", "total_visible", "full weight"),
    ("weight forgotten", "total_visible", "`weight` is missing"),
    ("auxiliary losses forgotten", "total_visible", "losses are missing"),
    ("only the first head", "total_visible", "not only the first"),
    ("only the last head", "total_visible", "not only the last"),
    ("the head is the last of the tuple", "total_visible", "come first in the tuple"),
    ("sum over the images", "total_visible", "not their sum"),
    ("softmax twice", "total_visible", "a softmax of its own"),
    ("auxiliary loss at evaluation", "total_visible", "no heads to add"),
    ("a tuple in eval mode too", "total_visible", "that is no tuple"),
    ("a number, not a tensor", "total_visible", "for `backward`"),
    ("no gradient through the heads", "total_hidden", "reach all of the logits"),
    ("negative weight accepted", "total_hidden", "no ValueError, but gave"),
    ("square of the norm", "norms_visible", "root of the sum of squares"),
    ("graph given up", "norms_hidden", "retain_graph"),
    ("unused parameters refused", "norms_visible", "allow_unused"),
    ("sum of norms", "norms_visible", "not a sum of norms"),
    ("gradients added up in .grad", "norms_visible", "a.grad was"),
    ("gradients wiped", "norms_visible", "a.grad was"),
    ("the last parameter alone", "norms_visible", "not only the last"),
    ("the first parameter alone", "norms_visible", "not only the first"),
    ("the largest number", "norms_visible", "the largest number"),
    ("the sum of absolute values", "norms_visible", "absolute values"),
    ("a mean of squares", "norms_visible", "a mean of squares"),
    ("tensors", "norms_visible", "floats"),
    ("a tuple of norms", "norms_visible", "expected a list"),
]
