"""Wrong and right answers to a04_alexnet, and what each is worth."""

LRN = {"lrn_visible", "lrn_hidden"}
COLOURS = {"colours_visible", "colours_hidden"}
FANCY = {"fancy_visible", "fancy_hidden"}
PRICE = {"price_visible", "price_hidden"}
HAND_IN = {"hand_in_visible", "hand_in_hidden"}
PREDICTIONS = {  # a mistake: the two numbers, what the message says of them
    "without biases": (1_327_104, 663_552, "has a bias"),
    "half of the biases": (1_327_488, 663_744, "in groups, too"),
    "two biases": (1_327_872, 664_320, "one bias"),
    "a quarter for half": (1_327_488, 332_160, "not a quarter"),
    "no groups": (1_327_488, 1_327_488, "of its group only"),
    "kernels of one place": (147_840, 74_112, "3x3 weights"),
    "kernels that are lines": (442_752, 221_568, "3x3 weights"),
    "kernels of one channel": (3_840, 3_840, "every channel of its group"),
    "two groups first": (663_936, 1_327_488, "one group comes first"),
    "bytes": (5_309_952, 2_655_744, "not their bytes"),
    "multiplications": (224_280_576, 112_140_288, "multiplications are counted later"),
}
MISTAKES = {
    # name: cell, in the solution, the mistake, test cells it costs
    "α is divided by n": ("lrn", "alpha * energy", "alpha / n * energy", LRN),
    "squares forgotten": ("lrn", "a.square()", "a", LRN),
    "β on the wrong side": ("lrn", "return a / (", "return a * (", LRN),
    "β as a factor": ("lrn", ") ** beta", ") * beta", LRN),
    "k inside the sum": ("lrn", "(k + alpha * energy)", "(alpha * (k + energy))", LRN),
    "last neighbour left out": ("lrn", "2 * half + 1)", "2 * half)", LRN),
    "window starts at the channel": (
        "lrn",
        "(0, 0, 0, 0, half, half)",
        "(0, 0, 0, 0, 0, 2 * half)",
        LRN,
    ),
    "even n as PyTorch has it": (
        "lrn",
        "range(2 * half + 1)",
        "range(n)",
        {"lrn_hidden"},
    ),
    "the channel itself left out": (
        "lrn",
        "for j in range(2 * half + 1)",
        "for j in range(2 * half + 1) if j != half",
        LRN,
    ),
    "n = 0 accepted": ("lrn", "if n < 1:", "if False:", {"lrn_refuses_visible"}),
    "any shape accepted": (
        "lrn",
        "if a.ndim != 4:",
        "if False:",
        {"lrn_refuses_visible"},
    ),
    "pixels 0 to 255": ("colours", ".div(255)", "", COLOURS),
    "mean not subtracted": (
        "colours",
        "pixels.T.cov()",
        "pixels.T @ pixels / len(pixels)",
        COLOURS,
    ),
    "channels mixed by reshape": (
        "colours",
        ".movedim(1, -1).reshape(-1, 3)",
        ".reshape(-1, 3)",
        COLOURS,
    ),
    "a correlation": ("colours", "pixels.T.cov()", "pixels.T.corrcoef()", COLOURS),
    "transposed eigenvectors": (
        "colours",
        "eigenvectors.flip(1)",
        "eigenvectors.flip(1).T",
        COLOURS,
    ),
    "smallest first": (
        "colours",
        "eigenvalues.flip(0).float(), eigenvectors.flip(1)",
        "eigenvalues.float(), eigenvectors",
        {"colours_visible"},
    ),
    "eigenvectors not reversed": (
        "colours",
        "eigenvectors.flip(1)",
        "eigenvectors",
        COLOURS,
    ),
    "standard deviations for variances": (
        "colours",
        "eigenvalues.flip(0)",
        "eigenvalues.flip(0).sqrt()",
        COLOURS,
    ),
    "grey images accepted": (
        "colours",
        "images.ndim != 4 or images.shape[1] != 3",
        "False",
        {"colours_hidden"},
    ),
    "√λ for λ": ("fancy", "alphas * eigenvalues", "alphas * eigenvalues.sqrt()", FANCY),
    "λ missing": ("fancy", "alphas * eigenvalues", "alphas", FANCY),
    "rows for columns": ("fancy", "@ eigenvectors.T", "@ eigenvectors", FANCY),
    "variance 0.1, not std": (
        "fancy",
        "0.1 * torch.randn",
        "0.1**0.5 * torch.randn",
        FANCY,
    ),
    "one draw for the whole batch": (
        "fancy",
        "torch.randn(len(images), 3",
        "torch.randn(1, 3",
        FANCY,
    ),
    "one α for the three directions": (
        "fancy",
        "torch.randn(len(images), 3",
        "torch.randn(len(images), 1",
        {"fancy_hidden"},
    ),
    "uniform α": (
        "fancy",
        "0.1 * torch.randn(len(images), 3, generator=generator)",
        "0.1 * 12**0.5 * (torch.rand(len(images), 3, generator=generator) - 0.5)",
        {"fancy_hidden"},
    ),
    "clipped": (
        "fancy",
        "images + shift[:, :, None, None]",
        "(images + shift[:, :, None, None]).clamp(0, 1)",
        {"fancy_visible"},
    ),
    "its images changed": (
        "fancy",
        "images + shift[:, :, None, None]",
        "images.add_(shift[:, :, None, None])",
        FANCY,
    ),
    "grey images shifted": (
        "fancy",
        "images.ndim != 4 or images.shape[1] != 3",
        "False",
        {"fancy_hidden"},
    ),
    "seed ignored": ("fancy", ", generator=generator", "", {"fancy_hidden"}),
    "one seed for all": (
        "fancy",
        "manual_seed(seed)",
        "manual_seed(0)",
        {"fancy_hidden"},
    ),
    # the solution's MACs call its parameters: this mistake is carried over
    "groups forgotten": (
        "price",
        "(channels // groups)",
        "channels",
        PRICE | {"price_macs_hidden"},
    ),
    "groups counted twice": (
        "price",
        "(channels // groups)",
        "(channels // groups // groups)",
        PRICE | {"price_macs_hidden"},
    ),
    "kernels are lines": (
        "price",
        "kernel_size**2",
        "kernel_size",
        PRICE | {"price_macs_hidden"},
    ),
    "bias shared by a group": (
        "price",
        "+ width * bias",
        "+ width // groups * bias",
        PRICE,
    ),
    "always a bias": (
        "price",
        "width * bias",
        "width",
        PRICE | {"price_macs_hidden"},
    ),
    "another error for a ValueError": (
        "price",
        "raise ValueError(",
        "raise IndexError(",
        {"price_hidden", "price_macs_hidden"},
    ),
    "no parameters returned": (
        "price",
        "return width",
        "width",
        PRICE | {"price_macs_hidden"},
    ),
    "bias forgotten": ("price", " + width * bias", "", PRICE),
    "a float": ("price", "channels // groups", "channels / groups", {"price_visible"}),
    "odd groups accepted": (
        "price",
        "channels % groups or width % groups",
        "False",
        {"price_hidden", "price_macs_hidden"},
    ),
    "side counted once": ("price_macs", "side**2", "side", {"price_macs_hidden"}),
    "operations, not multiplications": (
        "price_macs",
        "return side**2",
        "return 2 * side**2",
        {"price_macs_hidden"},
    ),
    "one place of the map": (
        "price_macs",
        "side**2 * ",
        "",
        {"price_macs_hidden"},
    ),
    "no MACs returned": ("price_macs", "return side", "side", {"price_macs_hidden"}),
    "a cube of places": ("price_macs", "side**2", "side**3", {"price_macs_hidden"}),
    "any groups accepted by conv_macs": (
        "price_macs",
        "conv_params(channels, width, kernel_size, groups, bias=False)",
        "(width * (channels // groups) * kernel_size**2)",
        {"price_macs_hidden"},
    ),
    "one weight of a kernel": (
        "price_macs",
        "conv_params(channels, width, kernel_size, groups, bias=False)",
        "conv_params(channels, width, 1, groups, bias=False)",
        {"price_macs_hidden"},
    ),
    "one channel of a group": (
        "price_macs",
        "conv_params(channels, width, kernel_size, groups, bias=False)",
        "(width * kernel_size**2)",
        {"price_macs_hidden"},
    ),
    "MACs without groups": (
        "price_macs",
        "kernel_size, groups, bias",
        "kernel_size, 1, bias",
        {"price_macs_hidden"},
    ),
    "MACs with groups twice": (
        "price_macs",
        "bias=False)",
        "bias=False) // groups",
        {"price_macs_hidden"},
    ),
    "biases are multiplications": (
        "price_macs",
        "bias=False",
        "bias=True",
        {"price_macs_hidden"},
    ),
    "nan in the gradient": (
        "elu",
        "x.clamp(min=0) + x.clamp(max=0).expm1()",
        "torch.where(x > 0, x, x.exp() - 1)",
        {"elu_hidden"},
    ),
    "PyTorch's own": (
        "elu",
        "x.clamp(min=0) + x.clamp(max=0).expm1()",
        "nn.ELU()(x)",
        {"elu_visible", "elu_hidden"},
    ),
    "leaky for exponential": (
        "elu",
        "x.clamp(max=0).expm1()",
        "0.01 * x.clamp(max=0)",
        {"elu_visible", "elu_hidden"},
    ),
    "one forgotten": ("elu", "expm1()", "exp()", {"elu_visible", "elu_hidden"}),
    "nothing returned by elu": (
        "elu",
        "return x.clamp",
        "x.clamp",
        {"elu_visible", "elu_hidden"},
    ),
    "a flat answer": (
        "elu",
        "x.clamp(min=0) + x.clamp(max=0).expm1()",
        "(x.clamp(min=0) + x.clamp(max=0).expm1()).flatten()",
        {"elu_visible"},
    ),
    "the negative side turned": (
        "elu",
        "+ x.clamp(max=0).expm1()",
        "- x.clamp(max=0).expm1()",
        {"elu_visible", "elu_hidden"},
    ),
    "both sides everywhere": (
        "elu",
        "x.clamp(max=0).expm1()",
        "x.exp() - 1",
        {"elu_visible", "elu_hidden"},
    ),
    "sides exchanged": (
        "elu",
        "x.clamp(min=0) + x.clamp(max=0).expm1()",
        "x.clamp(max=0) + x.clamp(min=0).expm1()",
        {"elu_visible", "elu_hidden"},
    ),
    "a schedule that ends with the epochs": (
        "race",
        'learning_rate, schedule="constant"',
        "learning_rate",
        {"race_visible"},
    ),
    "one activation for all": (
        "race",
        "ACTIVATIONS[activation]",
        'ACTIVATIONS["tanh"]',
        {"race_visible"},
    ),
    "a learning rate of its own": (
        "race",
        "batch_size, learning_rate,",
        "batch_size, 0.1,",
        {"race_visible"},
    ),
    "a batch size of its own": (
        "race",
        "batch_size, learning_rate,",
        "16, learning_rate,",
        {"race_visible"},
    ),
    "top-1 for the error": (
        "race",
        "1 - epoch.train_top1",
        "epoch.train_top1",
        {"race_visible"},
    ),
    "percent for a fraction": (
        "race",
        "1 - epoch.train_top1",
        "100 - 100 * epoch.train_top1",
        {"race_visible"},
    ),
    "runs on after the goal": (
        "race",
        "until=done, ",
        "",
        {"race_visible"},
    ),
    "stops at 25 % top-1": (
        "race",
        ">= 0.75",
        ">= 0.25",
        {"race_visible"},
    ),
    "the number of epochs": (
        "race",
        "[1 - epoch.train_top1 for epoch in history]",
        "len(history)",
        {"race_visible"},
    ),
    "other weights each time": (
        "race",
        "torch.manual_seed(0)",
        "torch.seed()",
        {"race_visible"},
    ),
    "epochs ignored": (
        "race",
        "Recipe(epochs,",
        "Recipe(3,",
        {"race_visible"},
    ),
}
MISTAKES |= {
    f"prediction: {mistake}": (
        "predict",
        "1_327_488, 663_936",
        f"{one}, {two}",
        {"predict_hidden"},
    )
    for mistake, (one, two, _) in PREDICTIONS.items()
}
BODIES = {
    # name: cell, another body for its function, test cells it costs
    "PyTorch's celu": ("elu", "return torch.celu(x)", {"elu_visible", "elu_hidden"}),
    "PyTorch's operation": (
        "elu",
        "return torch.ops.aten.elu(x)",
        {"elu_visible", "elu_hidden"},
    ),
    "it refuses everything": (
        "lrn",
        "raise ValueError",
        {"lrn_visible", "lrn_hidden", "lrn_refuses_visible"},
    ),
    "neighbours in space": (
        "lrn",
        "energy = torch.nn.functional.avg_pool2d(\n"
        "    a.square(), 2 * (n // 2) + 1, 1, n // 2, divisor_override=1)\n"
        "return a / (k + alpha * energy) ** beta",
        LRN | {"lrn_refuses_visible"},
    ),
    "window goes round the edges": (
        "lrn",
        "if a.ndim != 4 or n < 1: raise ValueError\n"
        "energy = sum(a.roll(j, 1).square() for j in range(-(n // 2), n // 2 + 1))\n"
        "return a / (k + alpha * energy) ** beta",
        LRN,
    ),
    "PyTorch's layer": (
        "lrn",
        "return torch.nn.functional.local_response_norm(a, n, alpha, beta, k)",
        LRN | {"lrn_refuses_visible"},
    ),
    "changes its input": (
        "lrn",
        "if a.ndim != 4 or n < 1: raise ValueError\n"
        "squares, channels = a.square(), a.shape[1]\n"
        "for i in range(channels):\n"
        "    energy = squares[:, max(0, i - n // 2) : i + n // 2 + 1].sum(1)\n"
        "    a[:, i] /= (k + alpha * energy) ** beta\n"
        "return a",
        LRN,
    ),
    "a covariance for each image": (
        "colours",
        "if images.ndim != 4 or images.shape[1] != 3: raise ValueError\n"
        "flat = images.double().div(255).flatten(2)\n"
        "cov = torch.stack([pixels.cov() for pixels in flat]).mean(0)\n"
        "values, vectors = torch.linalg.eigh(cov)\n"
        "return values.flip(0), vectors.flip(1)",
        {"colours_hidden"},
    ),
    "mean colours only": (
        "colours",
        "if images.ndim != 4 or images.shape[1] != 3: raise ValueError\n"
        "cov = images.double().div(255).mean((2, 3)).T.cov()\n"
        "values, vectors = torch.linalg.eigh(cov)\n"
        "return values.flip(0), vectors.flip(1)",
        COLOURS,
    ),
    "α for each pixel": (
        "fancy",
        "if images.ndim != 4 or images.shape[1] != 3: raise ValueError\n"
        "generator = torch.Generator().manual_seed(seed)\n"
        "alphas = 0.1 * torch.randn(images.movedim(1, -1).shape, generator=generator)\n"
        "shift = (alphas * eigenvalues) @ eigenvectors.T\n"
        "return images + shift.movedim(-1, 1)",
        FANCY,
    ),
    "the given specification": (
        "lrn",
        "if a.ndim != 4 or n < 1: raise ValueError\n"
        "return lrn_spec(a, n, k, alpha, beta)",
        LRN | {"lrn_refuses_visible"},
    ),
}
RIGHT = {
    "prediction as two numbers": ("predict", "return 1327488, 663936"),
    "prediction by a formula": (
        "predict",
        "return tuple(384 * (3 * 3 * (384 // groups) + 1) for groups in (1, 2))",
    ),
    "prediction by halves": (
        "predict",
        "weights = 384 * 384 * 3 * 3\nreturn weights + 384, weights // 2 + 384",
    ),
    "norm, channel by channel": (
        "lrn",
        "if len(a.shape) != 4 or n <= 0:\n"
        "    raise ValueError('no')\n"
        "b = torch.zeros_like(a)\n"
        "for i in range(a.shape[1]):\n"
        "    lo, hi = max(0, i - n // 2), min(a.shape[1] - 1, i + n // 2)\n"
        "    energy = (a[:, lo : hi + 1] ** 2).sum(1)\n"
        "    b[:, i] = a[:, i] / (k + alpha * energy) ** beta\n"
        "return b",
    ),
    "norm as a product with a band matrix": (
        "lrn",
        "if a.dim() != 4 or n < 1: raise ValueError()\n"
        "place = torch.arange(a.shape[1])\n"
        "band = ((place[:, None] - place).abs() <= n // 2).to(a)\n"
        "energy = torch.einsum('ij,njhw->nihw', band, a * a)\n"
        "return a * (k + alpha * energy).pow(-beta)",
    ),
    "norm by three-dimensional convolution": (
        "lrn",
        "if a.ndim != 4 or n < 1: raise ValueError()\n"
        "half = n // 2\n"
        "ones = torch.ones(1, 1, 2 * half + 1, 1, 1)\n"
        "energy = nn.functional.conv3d((a * a)[:, None], ones, padding=(half, 0, 0))\n"
        "return a / (k + alpha * energy[:, 0]) ** beta",
    ),
    "norm by cumulative sums in numpy": (
        "lrn",
        "if a.ndim != 4 or n < 1: raise ValueError()\n"
        "half, channels = n // 2, a.shape[1]\n"
        "total = np.cumsum(np.pad(a.double().numpy() ** 2,\n"
        "    ((0, 0), (half + 1, half), (0, 0), (0, 0))), axis=1)\n"
        "energy = total[:, 2 * half + 1 :] - total[:, :channels]\n"
        "return (a.double() / (k + alpha * torch.tensor(energy)) ** beta).float()",
    ),
    "colours by singular values": (
        "colours",
        "if images.ndim != 4 or images.shape[1] != 3: raise ValueError()\n"
        "pixels = images.permute(0, 2, 3, 1).reshape(-1, 3).numpy() / 255.0\n"
        "pixels = pixels - pixels.mean(axis=0)\n"
        "_, s, vt = np.linalg.svd(pixels, full_matrices=False)\n"
        "values = torch.tensor(s**2 / (len(pixels) - 1))\n"
        "return values.float(), torch.tensor(vt.T.copy()).float()",
    ),
    "colours by numpy's covariance, signs turned": (
        "colours",
        "if tuple(images.shape[1:2]) != (3,) or images.ndim != 4: raise ValueError()\n"
        "flat = images.double().numpy().transpose(1, 0, 2, 3).reshape(3, -1)\n"
        "values, vectors = np.linalg.eigh(np.cov(flat / 255, bias=True))\n"
        "order = np.argsort(-values)\n"
        "return torch.from_numpy(values[order]), torch.from_numpy(-vectors[:, order])",
    ),
    "colours by sums over the pixels": (
        "colours",
        "if images.ndim != 4: raise ValueError\n"
        "if images.size(1) != 3: raise ValueError\n"
        "x = images.to(torch.float64) / 255\n"
        "count = x.numel() / 3\n"
        "mean = x.mean(dim=(0, 2, 3))\n"
        "second = torch.einsum('nchw,ndhw->cd', x, x) / count\n"
        "values, vectors = torch.linalg.eig(second - torch.outer(mean, mean))\n"
        "values, order = values.real.sort(descending=True)\n"
        "return values.float(), vectors.real[:, order].float()",
    ),
    "shift by numpy, a matrix of all directions": (
        "fancy",
        "if images.ndim != 4 or images.shape[1] != 3: raise ValueError()\n"
        "drawn = np.random.RandomState(seed).randn(3, len(images)) / 10\n"
        "directions = (eigenvectors * eigenvalues).double().numpy()\n"
        "shift = torch.from_numpy(directions @ drawn).to(images)\n"
        "return (images.permute(2, 3, 1, 0) + shift).permute(3, 2, 0, 1)",
    ),
    "shift image by image": (
        "fancy",
        "if images.ndim != 4 or images.shape[1] != 3: raise ValueError()\n"
        "rng = np.random.default_rng(seed)\n"
        "shifted = []\n"
        "for image in images:\n"
        "    alpha = torch.tensor(rng.normal(0, 0.1, size=3), dtype=torch.float32)\n"
        "    shift = eigenvectors @ (alpha * eigenvalues)\n"
        "    shifted.append(image + shift.view(3, 1, 1))\n"
        "return torch.stack(shifted)",
    ),
    "shift by einsum, global seed": (
        "fancy",
        "if images.ndim != 4 or images.shape[1] != 3: raise ValueError()\n"
        "torch.manual_seed(seed)\n"
        "alphas = torch.normal(0.0, 0.1, (images.shape[0], 3))\n"
        "shift = torch.einsum('ci,i,ni->nc', eigenvectors, eigenvalues, alphas)\n"
        "return images + shift.unsqueeze(-1).unsqueeze(-1)",
    ),
    "params, a kernel at a time": (
        "price",
        "if channels % groups or width % groups: raise ValueError\n"
        "inside = channels // groups\n"
        "return sum(inside * kernel_size * kernel_size + bool(bias)\n"
        "           for kernel in range(width))",
    ),
    "params by divmod": (
        "price",
        "(inside, rest), (_, more) = divmod(channels, groups), divmod(width, groups)\n"
        "if rest or more: raise ValueError(groups)\n"
        "return (inside * kernel_size**2 + int(bias)) * width",
    ),
    "params as a product of tensors' sizes": (
        "price",
        "if channels // groups * groups != channels: raise ValueError\n"
        "if width // groups * groups != width: raise ValueError\n"
        "shape = torch.Size([width, channels // groups, kernel_size, kernel_size])\n"
        "return shape.numel() + (width if bias else 0)",
    ),
    "MACs by parameters, biases taken off": (
        "price_macs",
        "weights = conv_params(channels, width, kernel_size, groups) - width\n"
        "return weights * side * side",
    ),
    "MACs, place by place": (
        "price_macs",
        "if any(n % groups for n in (channels, width)): raise ValueError\n"
        "one = channels // groups * kernel_size**2\n"
        "return sum(width * one for row in range(side) for column in range(side))",
    ),
    "MACs group by group": (
        "price_macs",
        "if channels % groups != 0 or width % groups != 0: raise ValueError()\n"
        "return sum(side * side * (width // groups) * (channels // groups)\n"
        "    * kernel_size * kernel_size for group in range(groups))",
    ),
    "elu with the other side made safe": (
        "elu",
        "safe = torch.where(x > 0, torch.zeros_like(x), x)\n"
        "return torch.where(x > 0, x, torch.exp(safe) - 1)",
    ),
    "elu by a mask": (
        "elu",
        "answer = torch.expm1(x.clamp(max=0))\n"
        "return answer.masked_scatter(x > 0, x[x > 0])",
    ),
    "elu by relus": (
        "elu",
        "return torch.relu(x) + torch.exp(-torch.relu(-x)) - 1",
    ),
    "the race, cut where it is won": (
        "race",
        "torch.manual_seed(2)\n"
        "network = race_network(ACTIVATIONS[activation])\n"
        "recipe = Recipe(epochs, batch_size, learning_rate, schedule='constant')\n"
        "errors = []\n"
        "for epoch in fit(network, RUNNERS, None, recipe, quiet=True):\n"
        "    errors.append(1.0 - epoch.train_top1)\n"
        "    if errors[-1] <= 0.25: break\n"
        "return errors",
    ),
    "the race, its network drawn aside": (
        "race",
        "with torch.random.fork_rng():\n"
        "    torch.manual_seed(3)\n"
        "    net = race_network(ACTIVATIONS[activation])\n"
        "error = lambda epoch: 1 - epoch.train_top1\n"
        "recipe = Recipe(epochs, batch_size, learning_rate, schedule='constant')\n"
        "done = lambda epoch: error(epoch) <= 0.25\n"
        "history = fit(net, RUNNERS, None, recipe, quiet=True, until=done)\n"
        "return list(map(error, history))",
    ),
    "the race by a loop of one's own": (
        "race",
        "torch.manual_seed(1)\n"
        "net, errors = race_network(ACTIVATIONS[activation]), []\n"
        "optimizer = torch.optim.SGD(net.parameters(), learning_rate, momentum=0.9)\n"
        "while len(errors) < epochs and not (errors and errors[-1] <= 0.25):\n"
        "    wrong = 0\n"
        "    epoch = {'epoch': len(errors), 'shuffle': True}\n"
        "    for images, labels in data.batches(RUNNERS, batch_size, **epoch):\n"
        "        logits = net(images)\n"
        "        wrong += (logits.argmax(1) != labels).sum().item()\n"
        "        optimizer.zero_grad()\n"
        "        nn.functional.cross_entropy(logits, labels).backward()\n"
        "        optimizer.step()\n"
        "    errors.append(wrong / len(RUNNERS))\n"
        "return errors",
    ),
}
WORDS = [
    ("α is divided by n", "lrn_visible", "divided by n"),
    ("β on the wrong side", "lrn_visible", "the paper divides"),
    ("pixels 0 to 255", "colours_visible", "[0, 1]"),
    ("smallest first", "colours_visible", "largest eigenvalue must come first"),
    ("transposed eigenvectors", "colours_visible", "a column"),
    ("√λ for λ", "fancy_visible", "√λ stands for λ"),
    ("λ missing", "fancy_visible", "λ is missing"),
    ("one draw for the whole batch", "fancy_visible", "for each image"),
    ("groups forgotten", "price_visible", "of its group only"),
    ("bias forgotten", "price_visible", "biases are missing"),
    ("bias shared by a group", "price_visible", "whatever the groups"),
    ("a float", "price_visible", "// keeps integers"),
    ("nan in the gradient", "elu_hidden", "infinite"),
    ("squares forgotten", "lrn_visible", "are squared"),
    ("β as a factor", "lrn_visible", "β is an exponent"),
    ("k inside the sum", "lrn_visible", "k is added once"),
    ("last neighbour left out", "lrn_visible", "both ends are included"),
    ("window starts at the channel", "lrn_visible", "in the middle of it"),
    ("the channel itself left out", "lrn_visible", "belongs to its window"),
    ("even n as PyTorch has it", "lrn_hidden", "on *both* sides"),
    ("n = 0 accepted", "lrn_refuses_visible", "n = 0: a ValueError is expected"),
    ("any shape accepted", "lrn_refuses_visible", "a ValueError is expected"),
    ("neighbours in space", "lrn_visible", "not pixels"),
    ("window goes round the edges", "lrn_visible", "not closed to a ring"),
    ("changes its input", "lrn_visible", "in place"),
    ("mean not subtracted", "colours_visible", "is not subtracted"),
    ("channels mixed by reshape", "colours_visible", "mixes the channels"),
    ("a correlation", "colours_visible", "a correlation"),
    ("eigenvectors not reversed", "colours_visible", "not reversed"),
    ("standard deviations for variances", "colours_visible", "standard deviations"),
    ("grey images accepted", "colours_hidden", "a ValueError is expected"),
    ("a covariance for each image", "colours_hidden", "between images"),
    ("mean colours only", "colours_visible", "mean colours"),
    ("rows for columns", "fancy_visible", "not the rows"),
    ("variance 0.1, not std", "fancy_visible", "not its variance"),
    ("one α for the three directions", "fancy_hidden", "three independent draws"),
    ("uniform α", "fancy_hidden", "not normal"),
    ("clipped", "fancy_visible", "is clipped"),
    ("its images changed", "fancy_visible", "in place"),
    ("grey images shifted", "fancy_hidden", "a ValueError is expected"),
    ("seed ignored", "fancy_hidden", "the same seed"),
    ("one seed for all", "fancy_hidden", "another seed"),
    ("α for each pixel", "fancy_visible", "draw α once an image"),
    *(
        (f"prediction: {mistake}", "predict_hidden", words)
        for mistake, (_, _, words) in PREDICTIONS.items()
    ),
    ("groups counted twice", "price_visible", "groups are counted twice"),
    ("kernels are lines", "price_visible", "kernel_size² places"),
    ("odd groups accepted", "price_hidden", "a ValueError is expected"),
    ("always a bias", "price_visible", "there is no bias here"),
    ("another error for a ValueError", "price_hidden", "not IndexError"),
    ("no parameters returned", "price_visible", "is there a `return`?"),
    ("no MACs returned", "price_macs_hidden", "is there a `return`?"),
    ("a cube of places", "price_macs_hidden", "not side³"),
    ("any groups accepted by conv_macs", "price_macs_hidden", "a ValueError is"),
    ("one weight of a kernel", "price_macs_hidden", "kernel_size² places"),
    ("one channel of a group", "price_macs_hidden", "all channels of its group"),
    ("MACs without groups", "price_macs_hidden", "of its group only"),
    ("MACs with groups twice", "price_macs_hidden", "groups are counted twice"),
    ("side counted once", "price_macs_hidden", "side² places"),
    ("operations, not multiplications", "price_macs_hidden", "count once"),
    ("one place of the map", "price_macs_hidden", "each place"),
    ("biases are multiplications", "price_macs_hidden", "additions of a bias"),
    ("leaky for exponential", "elu_visible", "a leaky ReLU"),
    ("one forgotten", "elu_visible", "the - 1 is missing"),
    ("the negative side turned", "elu_visible", "the sign is wrong"),
    ("both sides everywhere", "elu_visible", "is positive, too"),
    ("sides exchanged", "elu_visible", "sides are exchanged"),
    ("nothing returned by elu", "elu_visible", "is there a `return`?"),
    ("a flat answer", "elu_visible", "the shape became"),
    ("PyTorch's own", "elu_visible", "torch.nn.functional.elu"),
    ("PyTorch's celu", "elu_visible", "torch.nn.functional.elu"),
    (
        "a schedule that ends with the epochs",
        "race_visible",
        "a constant learning rate",
    ),
    ("one activation for all", "race_visible", "is `activation` used?"),
    ("a learning rate of its own", "race_visible", "is `learning_rate` used?"),
    ("a batch size of its own", "race_visible", "is `batch_size` used?"),
    ("top-1 for the error", "race_visible", "which grows"),
    ("percent for a fraction", "race_visible", "not fractions"),
    ("runs on after the goal", "race_visible", "the *first* epoch"),
    ("stops at 25 % top-1", "race_visible", "0.25 or below"),
    ("the number of epochs", "race_visible", "expected a list"),
    ("other weights each time", "race_visible", "the same weights"),
    ("epochs ignored", "race_visible", "is `epochs` used?"),
]
