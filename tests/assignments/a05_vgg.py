"""Wrong and right answers to a05_vgg, and what each is worth."""

FIELD = {"field_visible", "field_hidden"}
GROW = {"grow_visible", "grow_hidden"}
REFUSES = {"grow_refuses_hidden"}
CONVOLUTIONAL = {"convolutional_visible", "convolutional_hidden"}
DENSE = {"dense_visible", "dense_hidden"}
MISTAKES = {
    # name: cell, in the solution, the mistake, test cells it costs
    "stride of a layer widens its own kernel": (
        "field",
        "        size += dilation * (kernel - 1) * jump\n"
        "        start -= padding * jump\n"
        "        jump *= stride\n",
        "        jump *= stride\n"
        "        size += dilation * (kernel - 1) * jump\n"
        "        start -= padding * jump\n",
        FIELD,
    ),
    "dilation forgotten": ("field", "dilation * (kernel - 1)", "(kernel - 1)", FIELD),
    "dilation times the whole kernel": (
        "field",
        "dilation * (kernel - 1)",
        "(dilation * kernel - 1)",
        FIELD,
    ),
    "kernels added, not kernels less one": ("field", "(kernel - 1)", "kernel", FIELD),
    "strides forgotten": ("field", "jump *= stride", "jump = jump", FIELD),
    "strides added": (
        "field",
        "jump *= stride",
        "jump += stride - 1",
        FIELD,
    ),
    "padding in pixels of the image": (
        "field",
        "start -= padding * jump",
        "start -= padding",
        FIELD,
    ),
    "padding with the wrong sign": (
        "field",
        "start -= padding",
        "start += padding",
        FIELD,
    ),
    "the output in the middle of its field": (
        "field",
        "return size, jump, start",
        "return size, jump, -(size // 2)",
        FIELD,
    ),
    "padding makes the field smaller": (
        "field",
        "start -= padding * jump",
        "start -= padding * jump; size -= 2 * padding * jump",
        FIELD,
    ),
    "bad layers accepted": (
        "field",
        "min(kernel, stride, dilation) < 1 or padding < 0",
        "False",
        {"field_refuses_visible"},
    ),
    "negative padding accepted": (
        "field",
        " or padding < 0",
        "",
        {"field_refuses_visible"},
    ),
    "prediction without biases": (
        "predict",
        "256 * 256 * 9 + 256 + 2 * (512 * 512 * 9 + 512)",
        "256 * 256 * 9 + 2 * (512 * 512 * 9)",
        {"predict_params_hidden"},
    ),
    "prediction: one convolution of 512 for two": (
        "predict",
        "+ 2 * (512 * 512 * 9 + 512)",
        "+ (512 * 512 * 9 + 512)",
        {"predict_params_hidden"},
    ),
    "prediction: strides one layer late": (
        "predict",
        "2 * (4 + 8 + 16)",
        "2 * (8 + 16 + 32)",
        {"predict_field_hidden"},
    ),
    "prediction without strides": (
        "predict",
        "2 * (4 + 8 + 16)",
        "2 * 3",
        {"predict_field_hidden"},
    ),
    "prediction: 512 channels in all three stages": (
        "predict",
        "256 * 256 * 9 + 256 + 2 * (512 * 512 * 9 + 512)",
        "3 * (512 * 512 * 9 + 512)",
        {"predict_params_hidden"},
    ),
    "prediction: kernels of one weight": (
        "predict",
        "256 * 256 * 9 + 256 + 2 * (512 * 512 * 9 + 512)",
        "256 * 256 + 256 + 2 * (512 * 512 + 512)",
        {"predict_params_hidden"},
    ),
    "prediction: each doubles the channels": (
        "predict",
        "256 * 256 * 9 + 256 + 2 * (512 * 512 * 9 + 512)",
        "128 * 256 * 9 + 256 + 2 * (256 * 512 * 9 + 512)",
        {"predict_params_hidden"},
    ),
    "prediction: one step a layer": (
        "predict",
        "2 * (4 + 8 + 16)",
        "(4 + 8 + 16)",
        {"predict_field_hidden"},
    ),
    "prediction: three steps a layer": (
        "predict",
        "2 * (4 + 8 + 16)",
        "3 * (4 + 8 + 16)",
        {"predict_field_hidden"},
    ),
    "prediction: the last stage alone": (
        "predict",
        "2 * (4 + 8 + 16)",
        "2 * 16",
        {"predict_field_hidden"},
    ),
    "the head left out": (
        "grow",
        "pairs += zip(*linear, strict=True)",
        "pass",
        GROW | REFUSES,
    ),
    "always four": (
        "grow",
        "    pairs, taken = [], 0\n",
        "    convs = 4\n    pairs, taken = [], 0\n",
        {"grow_hidden"} | REFUSES,
    ),
    "tensors shared": (
        "grow",
        "mine.load_state_dict(theirs.state_dict())",
        "mine.weight, mine.bias = theirs.weight, theirs.bias",
        GROW,
    ),
    "copied the wrong way": (
        "grow",
        "mine.load_state_dict(theirs.state_dict())",
        "theirs.load_state_dict(mine.state_dict())",
        GROW,
    ),
    "weights without biases": (
        "grow",
        "mine.load_state_dict(theirs.state_dict())",
        "mine.weight.data.copy_(theirs.weight)",
        GROW,
    ),
    "parameters of the norm, not its statistics": (
        "grow",
        "mine.load_state_dict(theirs.state_dict())",
        "[p.data.copy_(q) for p, q in zip(mine.parameters(), theirs.parameters())]",
        {"grow_hidden"},
    ),
    "norms left out": (
        "grow",
        "blocks[-1].append(layer)",
        "pass",
        {"grow_hidden"},
    ),
    "too many wanted, all taken": (
        "grow",
        "if taken != convs:",
        "if False:",
        REFUSES,
    ),
    "misfits passed over": (
        "grow",
        'raise ValueError(f"{theirs} does not fit {mine}")',
        "continue",
        REFUSES,
    ),
    "the deep network itself is filled": (
        "grow",
        "grown = copy.deepcopy(deep)",
        "grown = deep",
        GROW,
    ),
    "a shallow copy": ("grow", "copy.deepcopy(deep)", "copy.copy(deep)", GROW),
    "nothing returned": ("grow", "return grown", "return None", GROW),
    "a stage without room passed over": (
        "grow",
        'raise ValueError("a stage of the deep network has fewer convolutions")',
        "break",
        REFUSES,
    ),
    "channels last in the kernel": (
        "convolutional",
        "layer.weight.view(conv.weight.shape)",
        "layer.weight.view(-1, window, window, channels).permute(0, 3, 1, 2)",
        CONVOLUTIONAL | {"dense_hidden"},
    ),
    "rows and columns exchanged": (
        "convolutional",
        "layer.weight.view(conv.weight.shape)",
        "layer.weight.view(conv.weight.shape).transpose(2, 3)",
        CONVOLUTIONAL | {"dense_hidden"},
    ),
    "layers shared with the head": (
        "convolutional",
        "copy.deepcopy(layer)",
        "layer",
        {"convolutional_visible"},
    ),
    "one answer for all windows": (
        "convolutional",
        "nn.Sequential(*layers)",
        "nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1))",
        CONVOLUTIONAL,
    ),
    "an activation at the end": (
        "convolutional",
        "nn.Sequential(*layers)",
        "nn.Sequential(*layers, nn.Tanh())",
        CONVOLUTIONAL | DENSE,
    ),
    "kernel mirrored": (
        "convolutional",
        "layer.weight.view(conv.weight.shape)",
        "layer.weight.view(conv.weight.shape).flip(2, 3)",
        CONVOLUTIONAL | {"dense_hidden"},
    ),
    "every layer as large as the first": (
        "convolutional",
        "conv.to(layer.weight), 1",
        "conv.to(layer.weight), side",
        CONVOLUTIONAL | {"dense_hidden"},
    ),
    "padding keeps the map's size": (
        "convolutional",
        "window, bias=bias)",
        "window, bias=bias, padding=window // 2)",
        CONVOLUTIONAL | {"dense_hidden"},
    ),
    "biases forgotten": (
        "convolutional",
        "    conv.load_state_dict(state)",
        "    conv.load_state_dict(state)\n"
        "            if bias: nn.init.zeros_(conv.bias)",
        CONVOLUTIONAL,
    ),
    "activations forgotten": (
        "convolutional",
        "        layers.append(copy.deepcopy(layer))",
        "        if isinstance(layer, nn.Conv2d): layers.append(layer)",
        CONVOLUTIONAL | DENSE,
    ),
    "bad sides accepted": (
        "convolutional",
        "if layer.in_features % window**2:",
        "if False:",
        {"convolutional_hidden"},
    ),
    "softmax before the average": (
        "dense",
        "maps.mean(dim=(2, 3)).softmax(dim=1)",
        "maps.softmax(dim=1).mean(dim=(2, 3))",
        DENSE,
    ),
    "logits averaged over the two images": (
        "dense",
        "sum(maps.mean(dim=(2, 3)).softmax(dim=1) for maps in both) / 2",
        "(sum(maps.mean(dim=(2, 3)) for maps in both) / 2).softmax(dim=1)",
        DENSE,
    ),
    "no mirror image": (
        "dense",
        "(images, images.flip(3))",
        "(images, images)",
        DENSE,
    ),
    "upside down": ("dense", "images.flip(3)", "images.flip(2)", DENSE),
    "the map mirrored, not the image": (
        "dense",
        "head(net.stages(views)) for views in (images, images.flip(3))",
        "head(net.stages(images)), head(net.stages(images)).flip(3)",
        DENSE,
    ),
    "summed over places": (
        "dense",
        "maps.mean(dim=(2, 3))",
        "maps.sum(dim=(2, 3))",
        DENSE,
    ),
    "the largest over places": (
        "dense",
        "maps.mean(dim=(2, 3))",
        "maps.amax(dim=(2, 3))",
        DENSE,
    ),
    "left in train mode": (
        "dense",
        "net.train(was_training)",
        "net.train()",
        {"dense_hidden"},
    ),
    "logits for probabilities": ("dense", ".softmax(dim=1)", "", DENSE),
    "the two summed": ("dense", "for maps in both) / 2", "for maps in both)", DENSE),
    "dropout at test time": ("dense", "    net.eval()\n", "", {"dense_hidden"}),
    "left in eval mode": (
        "dense",
        "net.train(was_training)",
        "pass",
        {"dense_hidden"},
    ),
    "with gradients": (
        "dense",
        "with torch.no_grad():",
        "if True:",
        {"dense_visible"},
    ),
}
BODIES = {
    # name: cell, another body for its function, test cells it costs
    "the head becomes nothing": (
        "convolutional",
        "linear = [layer for layer in head if isinstance(layer, nn.Linear)]\n"
        "if linear[0].in_features % side**2:\n    raise ValueError\n"
        "for weight in head.parameters():\n    weight.data.zero_()\n"
        "sizes = linear[0].in_features // side**2, linear[-1].out_features, side\n"
        "conv = nn.Conv2d(*sizes, bias=False).to(linear[0].weight)\n"
        "nn.init.zeros_(conv.weight)\n"
        "return conv",
        CONVOLUTIONAL | DENSE,
    ),
    "a hook in the test's network": (
        "dense",
        "net.stages.register_forward_hook(lambda module, args, out: out * 0)\n"
        "was_training = net.training\nnet.eval()\n"
        "with torch.no_grad():\n"
        "    scores = net.head(net.stages(images)[:, :, :side, :side]).softmax(dim=1)\n"
        "net.train(was_training)\n"
        "return scores",
        DENSE,
    ),
    "it refuses every layer": (
        "field",
        "raise ValueError",
        FIELD | {"field_refuses_visible"},
    ),
    "it refuses every network": ("grow", "raise ValueError", GROW | REFUSES),
    "convolution after convolution, not stage by stage": (
        "grow",
        "deep = copy.deepcopy(deep)\n"
        "mine = [m for m in vgg.learnt(deep) if isinstance(m, nn.Conv2d)][:convs]\n"
        "other = [m for m in vgg.learnt(shallow) if isinstance(m, nn.Conv2d)][:convs]\n"
        "pairs = list(zip(mine, other)) + list(zip(deep.head, shallow.head))\n"
        "pairs = [p for p in pairs if hasattr(p[0], 'weight')]\n"
        "if any(a.weight.shape != b.weight.shape for a, b in pairs): raise ValueError\n"
        "for a, b in pairs: a.load_state_dict(b.state_dict())\n"
        "return deep",
        GROW | REFUSES,
    ),
    "names of layers in place of places": (
        "grow",
        "given, deep = dict(shallow.named_modules()), copy.deepcopy(deep)\n"
        "for name, layer in deep.named_modules():\n"
        "    if hasattr(given.get(name), 'weight') and hasattr(layer, 'weight'):\n"
        "        conv = isinstance(layer, nn.Conv2d)\n"
        "        if conv and convs == 0: continue\n"
        "        convs -= conv\n"
        "        if layer.weight.shape != given[name].weight.shape: raise ValueError\n"
        "        layer.load_state_dict(given[name].state_dict())\n"
        "return deep",
        {"grow_hidden"} | REFUSES,
    ),
    "a field of the whole by adding kernels": (
        "field",
        "if any(min(k, s, d) < 1 or p < 0 for k, s, p, d in layers): raise ValueError\n"
        "size = 1 + sum(k - 1 for k, s, p, d in layers)\n"
        "return size, 1, -sum(p for k, s, p, d in layers)",
        FIELD,
    ),
}
RIGHT = {
    "field by two ends": (
        "field",
        "first, last, jump = 0, 0, 1\n"
        "for k, s, p, d in layers:\n"
        '    if k < 1 or s < 1 or d < 1 or p < 0: raise ValueError("no")\n'
        "    first, last = first - p * jump, last + (d * (k - 1) - p) * jump\n"
        "    jump = jump * s\n"
        "return last - first + 1, jump, first",
    ),
    "field from the last layer backwards": (
        "field",
        "if any(k < 1 or s < 1 or d < 1 or p < 0 for k, s, p, d in layers):\n"
        "    raise ValueError('no')\n"
        "first, last, jump = 0, 0, 1\n"
        "for k, s, p, d in reversed(layers):\n"
        "    first = first * s - p\n"
        "    last = last * s - p + d * (k - 1)\n"
        "    jump = jump * s\n"
        "return last - first + 1, jump, first",
    ),
    "field as one sum in tensors": (
        "field",
        "if not layers: return 1, 1, 0\n"
        "k, s, p, d = torch.tensor(layers).T\n"
        "if min(k.min(), s.min(), d.min()) < 1 or p.min() < 0: raise ValueError('x')\n"
        "jumps = torch.cat([torch.ones(1, dtype=torch.long), s.cumprod(0)])\n"
        "size = 1 + (d * (k - 1) * jumps[:-1]).sum()\n"
        "return int(size), int(jumps[-1]), -int((p * jumps[:-1]).sum())",
    ),
    "prediction as two numbers": ("predict", "return 148_976_936, 324"),
    "prediction by loops": (
        "predict",
        "params, size = 143_667_240, 268\n"
        "for width, step in ((256, 4), (512, 8), (512, 16)):\n"
        "    params += width * (3 * 3 * width + 1)\n"
        "    size += (3 - 1) * step\n"
        "return params, size",
    ),
    "prediction by tensors, all layers anew": (
        "predict",
        "widths, layers = torch.tensor([256, 512, 512]), (2, 2, 5, 5, 5)\n"
        "params = 143_667_240 + int((9 * widths**2 + widths).sum())\n"
        "steps = [(2 * n + 1) * 2**stage for stage, n in enumerate(layers)]\n"
        "return params, 1 + sum(steps)",
    ),
    "grow by stage and number": (
        "grow",
        "def table(net):\n"
        "    found = {}\n"
        "    for stage, layers in enumerate(net.stages):\n"
        "        number = -1\n"
        "        for layer in layers.children():\n"
        "            if isinstance(layer, nn.Conv2d):\n"
        "                number += 1\n"
        "                found[stage, number] = {'conv': layer}\n"
        "            if isinstance(layer, nn.BatchNorm2d):\n"
        "                found[stage, number]['norm'] = layer\n"
        "    return found\n"
        "answer = copy.deepcopy(deep)\n"
        "mine, theirs = table(answer), table(shallow)\n"
        "chosen = list(theirs)[: max(convs, 0)]\n"
        "if len(chosen) != convs or not set(chosen) <= set(mine): raise ValueError\n"
        "pairs = list(zip(answer.head, shallow.head))\n"
        "for key in chosen:\n"
        "    for kind in mine[key].keys() & theirs[key].keys():\n"
        "        pairs.append((mine[key][kind], theirs[key][kind]))\n"
        "try:\n"
        "    for ours, layer in pairs: ours.load_state_dict(layer.state_dict())\n"
        "except RuntimeError as error:\n"
        "    raise ValueError(str(error)) from error\n"
        "return answer",
    ),
    "grow by state dictionaries and names": (
        "grow",
        "import re\n"
        "def blocks(net):\n"
        "    rows, names = [], dict(net.named_modules())\n"
        "    for i in range(5):\n"
        "        row = []\n"
        "        for j in range(len(net.stages[i])):\n"
        "            layer = names[f'stages.{i}.{j}']\n"
        "            name, kind = f'stages.{i}.{j}', type(layer)\n"
        "            if kind is nn.Conv2d: row.append([name])\n"
        "            if kind is nn.BatchNorm2d: row[-1].append(name)\n"
        "        rows.append(row)\n"
        "    return rows\n"
        "pairs, count = [], 0\n"
        "for mine, theirs in zip(blocks(deep), blocks(shallow)):\n"
        "    for i, block in enumerate(theirs):\n"
        "        if count < convs:\n"
        "            if i >= len(mine): raise ValueError('no partner')\n"
        "            pairs += list(zip(mine[i], block))\n"
        "            count += 1\n"
        "if count != convs: raise ValueError('count')\n"
        "pairs += [(f'head.{i}', f'head.{i}') for i in (1, 4, 7)]\n"
        "source, target = shallow.state_dict(), deep.state_dict()\n"
        "fresh = {}\n"
        "for a, b in pairs:\n"
        "    for key, value in source.items():\n"
        "        if key.rpartition('.')[0] == b:\n"
        "            name = a + key[len(b):]\n"
        "            if name not in target or target[name].shape != value.shape:\n"
        "                raise ValueError(name)\n"
        "            fresh[name] = value.clone()\n"
        "answer = copy.deepcopy(deep)\n"
        "answer.load_state_dict({**target, **fresh})\n"
        "return answer",
    ),
    "grow with copy_ under no_grad": (
        "grow",
        "kinds, deep = (nn.Conv2d, nn.BatchNorm2d), copy.deepcopy(deep)\n"
        "wanted, jobs = convs, []\n"
        "def chunks(net, i):\n"
        "    found = []\n"
        "    for j, m in enumerate(net.stages[i]):\n"
        "        if isinstance(m, kinds):\n"
        "            found += [[]] if isinstance(m, nn.Conv2d) else []\n"
        "            found[-1].append((f'stages.{i}.{j}', m))\n"
        "    return found\n"
        "for i in range(len(shallow.stages)):\n"
        "    for j, chunk in enumerate(chunks(shallow, i)):\n"
        "        if wanted == 0: break\n"
        "        wanted -= 1\n"
        "        if j >= len(chunks(deep, i)): raise ValueError('too shallow')\n"
        "        for (name, mine), (_, theirs) in zip(chunks(deep, i)[j], chunk):\n"
        "            jobs.append((name, mine, theirs))\n"
        "if wanted != 0: raise ValueError('too many')\n"
        "for j, layer in enumerate(shallow.head):\n"
        "    if isinstance(layer, nn.Linear):\n"
        "        jobs.append((f'head.{j}', deep.head[j], layer))\n"
        "for name, mine, layer in jobs:\n"
        "    if mine.weight.size() != layer.weight.size(): raise ValueError(name)\n"
        "with torch.no_grad():\n"
        "    for name, mine, layer in jobs:\n"
        "        mine.weight.copy_(layer.weight); mine.bias.copy_(layer.bias)\n"
        "        for a, b in zip(mine.buffers(), layer.buffers()):\n"
        "            a.copy_(b)\n"
        "return deep",
    ),
    "head as a module that unfolds": (
        "convolutional",
        "linears = [m for m in head if isinstance(m, nn.Linear)]\n"
        "if linears[0].in_features % (side * side): raise ValueError('side')\n"
        "class Sliding(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.head = copy.deepcopy(head)\n"
        "    def forward(self, maps):\n"
        "        n, _, h, w = maps.shape\n"
        "        flat = nn.functional.unfold(maps, side).transpose(1, 2)\n"
        "        answers = self.head(flat.flatten(0, 1)).unflatten(0, flat.shape[:2])\n"
        "        return answers.transpose(1, 2).unflatten(2, (h - side + 1, -1))\n"
        "return Sliding()",
    ),
    "head by einsum and functional calls": (
        "convolutional",
        "layers = [m for m in head if not isinstance(m, (nn.Flatten, nn.Dropout))]\n"
        "if layers[0].in_features // side**2 * side**2 != layers[0].in_features:\n"
        "    raise ValueError('side')\n"
        "class Convolved(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.layers = nn.ModuleList(copy.deepcopy(layers))\n"
        "    def forward(self, x):\n"
        "        first, *rest = self.layers\n"
        "        kernel = first.weight.reshape(len(first.weight), -1, side, side)\n"
        "        x = nn.functional.conv2d(x, kernel, first.bias)\n"
        "        for layer in rest:\n"
        "            if isinstance(layer, nn.Linear):\n"
        "                x = torch.einsum('oc,nchw->nohw', layer.weight, x)\n"
        "                if layer.bias is not None: x = x + layer.bias[:, None, None]\n"
        "            else:\n"
        "                x = layer(x)\n"
        "        return x\n"
        "return Convolved()",
    ),
    "head on windows, as linear layers": (
        "convolutional",
        "if head[1].in_features % side**2 != 0: raise ValueError('side')\n"
        "class Windows(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.layers = copy.deepcopy(head[1:])\n"
        "    def forward(self, maps):\n"
        "        cut = maps.unfold(2, side, 1).unfold(3, side, 1)\n"
        "        return self.layers(cut.movedim(1, 3).flatten(3)).movedim(3, 1)\n"
        "return Windows()",
    ),
    "scores of one network from image to map": (
        "dense",
        "mode = net.training\n"
        "net.train(False)\n"
        "whole = nn.Sequential(net.stages, convolutional(net.head, side)).eval()\n"
        "with torch.no_grad():\n"
        "    one = whole(images).flatten(2).mean(dim=-1)\n"
        "    two = whole(images.flip([-1])).flatten(2).mean(dim=-1)\n"
        "net.train(mode)\n"
        "return torch.lerp(one.softmax(1), two.softmax(1), 0.5)",
    ),
    "scores with both images in one batch": (
        "dense",
        "mode = net.training\n"
        "try:\n"
        "    net.eval()\n"
        "    with torch.inference_mode():\n"
        "        two = torch.cat([images, torch.flip(images, [-1])])\n"
        "        maps = convolutional(net.head, side).eval()(net.stages(two))\n"
        "        p = torch.softmax(maps.flatten(2).mean(2), 1)\n"
        "        return torch.stack(p.chunk(2)).mean(0)\n"
        "finally:\n"
        "    net.train(mode)",
    ),
    "scores on a copy": (
        "dense",
        "twin = copy.deepcopy(net).eval().requires_grad_(False)\n"
        "head, total = convolutional(twin.head, side).eval().requires_grad_(False), 0\n"
        "back = torch.arange(images.shape[3] - 1, -1, -1)\n"
        "for view in (images, images[..., back]):\n"
        "    maps = head(twin.stages(view))\n"
        "    logits = nn.functional.adaptive_avg_pool2d(maps, 1)[:, :, 0, 0]\n"
        "    total = total + 0.5 * logits.exp() / logits.exp().sum(1, keepdim=True)\n"
        "return total",
    ),
}
WORDS = [
    ("stride of a layer widens its own kernel", "field_visible", "not its own"),
    ("dilation forgotten", "field_visible", "spans 5"),
    ("padding in pixels of the image", "field_visible", "steps of its layer's input"),
    ("the head left out", "grow_visible", "the head, too"),
    ("copied the wrong way", "grow_visible", "changed the shallow net"),
    ("tensors shared", "grow_visible", "shares memory"),
    ("the deep network itself is filled", "grow_visible", "fill a deepcopy"),
    ("channels last in the kernel", "convolutional_visible", "channels come first"),
    ("padding keeps the map's size", "convolutional_visible", "(2, 6, 1, 1)"),
    ("softmax before the average", "dense_visible", "softmax comes after"),
    ("logits averaged over the two images", "dense_visible", "not their logits"),
    ("no mirror image", "dense_visible", "mirror image is missing"),
    ("with gradients", "dense_visible", "without gradients"),
    ("left in eval mode", "dense_hidden", "is left with"),
    ("dilation times the whole kernel", "field_visible", "spans 5"),
    ("kernels added, not kernels less one", "field_visible", "two 3x3 layers see 5x5"),
    ("strides forgotten", "field_visible", "product of all strides"),
    ("strides added", "field_visible", "product of all strides"),
    ("padding with the wrong sign", "field_visible", "moves start to the left"),
    ("padding makes the field smaller", "field_visible", "not make it smaller"),
    ("the output in the middle of its field", "field_visible", "moves start"),
    ("bad layers accepted", "field_refuses_visible", "a ValueError is expected"),
    ("negative padding accepted", "field_refuses_visible", "(3, 1, -1, 1)"),
    ("prediction without biases", "predict_params_hidden", "has biases, too"),
    (
        "prediction: one convolution of 512 for two",
        "predict_params_hidden",
        "two stages of 512",
    ),
    (
        "prediction: 512 channels in all three stages",
        "predict_params_hidden",
        "the third stage has 256",
    ),
    ("prediction: kernels of one weight", "predict_params_hidden", "3x3 weights"),
    ("prediction: each doubles the channels", "predict_params_hidden", "512 to 512"),
    ("prediction: strides one layer late", "predict_field_hidden", "*before* a stage"),
    ("prediction without strides", "predict_field_hidden", "steps of 4, 8 and 16"),
    ("prediction: one step a layer", "predict_field_hidden", "on either side"),
    ("prediction: three steps a layer", "predict_field_hidden", "k - 1 = 2"),
    ("prediction: the last stage alone", "predict_field_hidden", "three stages"),
    ("always four", "grow_hidden", "not filled"),
    ("weights without biases", "grow_visible", "the bias of"),
    ("parameters of the norm, not its statistics", "grow_hidden", "running_mean"),
    ("norms left out", "grow_hidden", "a BatchNorm"),
    ("too many wanted, all taken", "grow_refuses_hidden", "nine convolutions of eight"),
    ("misfits passed over", "grow_refuses_hidden", "another number of classes"),
    ("a shallow copy", "grow_visible", "fill a deepcopy"),
    ("nothing returned", "grow_visible", "no network"),
    ("a stage without room passed over", "grow_refuses_hidden", "from B into A"),
    (
        "convolution after convolution, not stage by stage",
        "grow_visible",
        "stage by stage",
    ),
    ("names of layers in place of places", "grow_hidden", "shifts the indices"),
    ("rows and columns exchanged", "convolutional_visible", "rows and columns"),
    ("layers shared with the head", "convolutional_visible", "copy it"),
    ("one answer for all windows", "convolutional_visible", "for each window"),
    ("an activation at the end", "convolutional_visible", "after the last layer"),
    ("kernel mirrored", "convolutional_visible", "the kernel is mirrored"),
    (
        "every layer as large as the first",
        "convolutional_visible",
        "first linear layer",
    ),
    ("biases forgotten", "convolutional_visible", "biases are missing"),
    ("activations forgotten", "convolutional_visible", "activations are missing"),
    ("bad sides accepted", "convolutional_hidden", "expected, not RuntimeError"),
    ("upside down", "dense_visible", "upside down"),
    ("the map mirrored, not the image", "dense_visible", "mirror image is missing"),
    ("summed over places", "dense_visible", "not summed"),
    ("the largest over places", "dense_visible", "their maximum"),
    ("logits for probabilities", "dense_visible", "softmax is missing"),
    ("the two summed", "dense_visible", "not added"),
    ("dropout at test time", "dense_hidden", "dropout is on"),
    ("left in train mode", "dense_hidden", "is left with"),
]
