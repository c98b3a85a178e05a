"""Wrong and right answers to a07_inception, and what each is worth."""

VALUES = {"reduction_hidden", "reduction_eval_hidden"}
REDUCTION = {"reduction_visible"} | VALUES
REFUSES = {"reduction_refuses_visible"}
SMOOTHING = {"smoothing_visible", "smoothing_hidden"}
STACK = {"stack_visible", "stack_hidden"}
SEPARABLE = {"separable_visible", "separable_hidden"}
PREDICTED = "752_640, 2_759_680"
PREDICTIONS = {  # a mistake: the two numbers, what the message says of them
    "without the last kernel's width": (716_800, 2_759_680, "192 outputs, not 160"),
    "three kernels": (537_600, 2_759_680, "the fourth kernel is missing"),
    "four kernels of 49": (5_268_480, 2_759_680, "7 places, not 49"),
    "one place of a column": (107_520, 2_759_680, "has 7 places"),
    "one input of the pairs": (4_704, 2_759_680, "reads 160 channels"),
    "with the 1×1": (875_520, 2_759_680, "the 1×1 before them"),
    "biases of the pairs": (753_312, 2_759_680, "no convolution has a bias"),
    "norms of the pairs": (753_984, 2_759_680, "batch normalisation does not count"),
    "the 7×7 first": (2_759_680, 752_640, "the four kernels come first"),
    "one 7×7": (752_640, 1_505_280, "that with 160 outputs"),
    "the first 7×7 alone": (752_640, 1_254_400, "that with 192 outputs"),
    "160 outputs twice": (752_640, 2_508_800, "192 outputs, not 160"),
    "seven places": (752_640, 394_240, "a 7×7 kernel has 49 places"),
    "one input of the 7×7": (752_640, 17_248, "reads 160 channels"),
    "biases of the 7×7": (752_640, 2_760_032, "no convolution has a bias"),
}
MISTAKES = {
    # name: cell, in the solution, the mistake, test cells it costs
    "direct branch without padding": (
        "reduction",
        "inception.conv_bn(channels, width, 3, stride=2, padding=1)",
        'inception.conv_bn(channels, width, 3, stride=2, padding="valid")',
        REDUCTION,
    ),
    "pooling without padding": (
        "reduction",
        "nn.MaxPool2d(3, stride=2, padding=1)",
        "nn.MaxPool2d(3, stride=2)",
        REDUCTION,
    ),
    "no padding at all": ("reduction", "padding=1", "padding=0", REDUCTION),
    "no padding beside the strides": (
        "reduction",
        "stride=2, padding=1",
        "stride=2, padding=0",
        REDUCTION,
    ),
    "means for maxima": ("reduction", "nn.MaxPool2d", "nn.AvgPool2d", REDUCTION),
    "pooling with zeros around": (
        "reduction",
        "nn.MaxPool2d(3, stride=2, padding=1)",
        "nn.Sequential(nn.ZeroPad2d(1), nn.MaxPool2d(3, stride=2))",
        REDUCTION,
    ),
    "windows of two": (
        "reduction",
        "nn.MaxPool2d(3, stride=2, padding=1)",
        "nn.MaxPool2d(2, stride=2, ceil_mode=True)",
        REDUCTION,
    ),
    "joined in another order": (
        "reduction",
        "self.direct, self.deep, self.pooled",
        "self.pooled, self.direct, self.deep",
        REDUCTION,
    ),
    "deep before direct": (
        "reduction",
        "self.direct, self.deep, self.pooled",
        "self.deep, self.direct, self.pooled",
        VALUES,
    ),
    "joined along the rows": ("reduction", "dim=1", "dim=2", REDUCTION),
    "stride in the second kernel": (
        "reduction",
        "inception.conv_bn(width // 2, width // 2, 3, padding=1),\n"
        "            inception.conv_bn(width // 2, width, 3, stride=2, padding=1)",
        "inception.conv_bn(width // 2, width // 2, 3, stride=2, padding=1),\n"
        "            inception.conv_bn(width // 2, width, 3, padding=1)",
        VALUES,
    ),
    "one kernel of the deep branch left out": (
        "reduction",
        "            inception.conv_bn(width // 2, width // 2, 3, padding=1),\n",
        "",
        REDUCTION,
    ),
    "deep branch not thinned": (
        "reduction",
        "inception.conv_bn(channels, width // 2, 1),\n"
        "            inception.conv_bn(width // 2, width // 2, 3, padding=1),\n"
        "            inception.conv_bn(width // 2, width",
        "inception.conv_bn(channels, width, 1),\n"
        "            inception.conv_bn(width, width, 3, padding=1),\n"
        "            inception.conv_bn(width, width",
        REDUCTION,
    ),
    "last ReLU forgotten": (
        "reduction",
        "stride=2, padding=1),\n        )",
        "stride=2, padding=1)[:2],\n        )",
        REDUCTION,
    ),
    "ReLU before the module": (
        "reduction",
        "[branch(x) for branch in branches]",
        "[branch(x.relu()) for branch in branches]",
        REDUCTION,
    ),
    "odd width accepted": ("reduction", " or width % 2", "", REFUSES),
    "no channels accepted": ("reduction", "channels < 1 or ", "", REFUSES),
    "sum for mean": ("smoothing", ".sum(dim=1).mean()", ".sum()", SMOOTHING),
    "mean over the classes too": (
        "smoothing",
        ".sum(dim=1).mean()",
        ".mean()",
        SMOOTHING,
    ),
    "sign forgotten": ("smoothing", "return -(", "return (", SMOOTHING),
    "ε and 1 - ε exchanged": (
        "smoothing",
        "(1 - epsilon) * F.one_hot(labels, classes) + epsilon * prior",
        "epsilon * F.one_hot(labels, classes) + (1 - epsilon) * prior",
        SMOOTHING,
    ),
    "label keeps all of its weight": (
        "smoothing",
        "(1 - epsilon) * F.one_hot(labels, classes)",
        "F.one_hot(labels, classes)",
        SMOOTHING,
    ),
    "prior ignored": (
        "smoothing",
        "+ epsilon * prior",
        "+ epsilon / classes",
        SMOOTHING,
    ),
    "logarithm of the softmax": (
        "smoothing",
        "logits.log_softmax(dim=1)",
        "logits.softmax(dim=1).log()",
        {"smoothing_hidden"},
    ),
    "softmax over the images": (
        "smoothing",
        "log_softmax(dim=1)",
        "log_softmax(dim=0)",
        SMOOTHING,
    ),
    "gradient cut": (
        "smoothing",
        "logits.log_softmax(dim=1)",
        "logits.detach().log_softmax(dim=1)",
        {"smoothing_hidden"},
    ),
    "any ε accepted": (
        "smoothing",
        "not 0 <= epsilon <= 1",
        "False",
        {"smoothing_refuses_visible"},
    ),
    "any sum of the prior accepted": (
        "smoothing",
        " or abs(prior.sum() - 1) > 1e-4",
        "",
        {"smoothing_refuses_visible"},
    ),
    "negative prior accepted": (
        "smoothing",
        " or (prior < 0).any()",
        "",
        {"smoothing_refuses_visible"},
    ),
    "ε of 1 refused": (
        "smoothing",
        "not 0 <= epsilon <= 1",
        "not 0 <= epsilon < 1",
        {"smoothing_hidden"},
    ),
    "mean not subtracted": (
        "best",
        "(logits - logits.mean())",
        "logits",
        {"best_hidden"},
    ),
    "probabilities for logits": (
        "best",
        "target.log()",
        "target",
        {"best_hidden"},
    ),
    "uniform prior in best_logits": (
        "best",
        "epsilon * prior.double()",
        "torch.full_like(prior.double(), epsilon / len(prior))",
        {"best_hidden"},
    ),
    "ε and 1 - ε exchanged in best_logits": (
        "best",
        "epsilon * prior.double()\n    target[label] += 1 - epsilon",
        "(1 - epsilon) * prior.double()\n    target[label] += epsilon",
        {"best_hidden"},
    ),
    "prior changed in place": (
        "best",
        "epsilon * prior.double()",
        "prior.mul_(epsilon)",
        {"best_hidden"},
    ),
    "infinite logits accepted": (
        "best",
        "if (target <= 0).any():",
        "if False:",
        {"best_hidden"},
    ),
    "an assertion for a ValueError": (
        "best",
        "if (target <= 0).any():\n        raise ValueError(",
        "assert (target > 0).all(), (",
        {"best_hidden"},
    ),
    "logarithms to base 2": ("best", "target.log()", "target.log2()", {"best_hidden"}),
    "the sign of the logarithm": (
        "best",
        "target.log()",
        "-target.log()",
        {"best_hidden"},
    ),
    "the label's share of the prior overwritten": (
        "best",
        "target[label] += 1",
        "target[label] = 1",
        {"best_hidden"},
    ),
    "the label keeps all of its weight in best_logits": (
        "best",
        "+= 1 - epsilon",
        "+= 1",
        {"best_hidden"},
    ),
    "the label left out": (
        "best",
        "epsilon * prior.double()\n    target[label] += 1 - epsilon",
        "prior.double()",
        {"best_hidden"},
    ),
    "logits in a list": ("best", ").float()", ").tolist()", {"best_hidden"}),
    "no logits returned": ("best", "return (logits", "(logits", {"best_hidden"}),
    "kernels add r pixels": (
        "stack",
        "rows + r - 1, columns + c - 1",
        "rows + r, columns + c",
        STACK | {"stack_refuses_visible"},
    ),
    "one layer too many": (
        "stack",
        "in range(layers)",
        "in range(layers + 1)",
        STACK | {"stack_refuses_visible"},
    ),
    "only just so many layers": (
        "stack",
        "found.append(best[field, field])",
        "found = [best[field, field]]",
        {"stack_visible", "stack_hidden"},
    ),
    "fewest layers, not weights": (
        "stack",
        "min(found)[1]",
        "found[0][1]",
        STACK,
    ),
    "rows added for multiplied in the price": (
        "stack",
        "cost + r * c",
        "cost + r + c",
        STACK,
    ),
    "one side of the field alone": (
        "stack",
        "if (field, field) in best:\n            found.append(best[field, field])",
        "found += [best[s] for s in best if s[0] == field]",
        STACK,
    ),
    "the dearest of the cheapest": ("stack", "min(found)[1]", "max(found)[1]", STACK),
    "weights for kernels": ("stack", "min(found)[1]", "min(found)[0]", STACK),
    "no stack returned": (
        "stack",
        "return min(",
        "min(",
        STACK | {"stack_refuses_visible"},
    ),
    "square kernels alone": (
        "stack",
        "if max(seen) <= field and",
        "if r == c and max(seen) <= field and",
        STACK,
    ),
    "no kernel twice": (
        "stack",
        "if max(seen) <= field and",
        "if (r, c) not in stack and max(seen) <= field and",
        STACK,
    ),
    "no layer for a field of 1": (
        "stack",
        "    found = []\n",
        "    found = [best[1, 1]] if field == 1 else []\n",
        {"stack_visible"},
    ),
    "a column and a row, whatever the menu": (
        "stack",
        "return min(found)[1]",
        "return [(field, 1), (1, field)][:layers]",
        STACK,
    ),
    "more than the field": (
        "stack",
        "if max(seen) <= field and price",
        "seen = min(seen[0], field), min(seen[1], field)\n                if price",
        STACK | {"stack_refuses_visible"},
    ),
    "the menu used up": (
        "stack",
        "    found = []\n",
        "    found = []\n    if (1, 1) in menu:\n        menu.remove((1, 1))\n",
        {"stack_visible"},
    ),
    "rows forgotten in the price": ("stack", "cost + r * c", "cost + c", STACK),
    "nothing found is an empty list": (
        "stack",
        'raise ValueError(f"no {layers} of these kernels see {field} x {field}")',
        "return []",
        {"stack_hidden", "stack_refuses_visible"},
    ),
    "rows of V for its columns": (
        "separable",
        "vt[:channels]",
        "vt.T[:channels, : kernel.shape[1]]",
        SEPARABLE,
    ),
    "any kernel accepted": (
        "separable",
        "kernel.ndim != 2 or ",
        "",
        {"separable_hidden"},
    ),
    "singular values left out": ("separable", "(u * s).T", "u.T", SEPARABLE),
    "one root of the singular values": (
        "separable",
        "(u * s).T",
        "(u * s.sqrt()).T",
        SEPARABLE,
    ),
    "rows for columns": (
        "separable",
        "return columns, rows",
        "return rows, columns",
        SEPARABLE,
    ),
    "the sum for the pairs": (
        "separable",
        "return columns, rows",
        "return columns.T @ rows",
        SEPARABLE,
    ),
    "no pairs returned": (
        "separable",
        "return columns, rows",
        "columns, rows",
        SEPARABLE,
    ),
    "the first pair alone": (
        "separable",
        "(u * s).T[:channels], vt[:channels]",
        "(u * s).T[:1], vt[:1]",
        SEPARABLE,
    ),
    "full matrices": ("separable", ", full_matrices=False", "", SEPARABLE),
    "more channels than needed refused": (
        "separable",
        "kernel.ndim != 2 or channels < 1",
        "kernel.ndim != 2 or not 1 <= channels <= min(kernel.shape)",
        {"separable_hidden"},
    ),
    "singular values twice": (
        "separable",
        "vt[:channels]",
        "(s[:, None] * vt)[:channels]",
        SEPARABLE,
    ),
    "columns for rows of u": ("separable", "(u * s).T", "(u * s)", SEPARABLE),
    "smallest first": (
        "separable",
        "(u * s).T[:channels], vt[:channels]",
        "(u * s).T.flip(0)[:channels], vt.flip(0)[:channels]",
        SEPARABLE,
    ),
    "too few pairs where the kernel is small": (
        "separable",
        "if missing > 0:",
        "if False:",
        {"separable_hidden"},
    ),
    "no channels accepted by separable": (
        "separable",
        " or channels < 1",
        "",
        {"separable_hidden"},
    ),
}
MISTAKES |= {
    f"prediction: {mistake}": (
        "predict",
        PREDICTED,
        f"{pairs}, {whole}",
        {"predict_hidden"},
    )
    for mistake, (pairs, whole, _) in PREDICTIONS.items()
}
HEAD = """class GridReduction(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        if channels < 1 or width < 2 or width % 2:
            raise ValueError("no")
"""
SOURCES = {
    # name: cell, its whole source, test cells it costs
    "it refuses every width": (
        "reduction",
        "def GridReduction(channels, width):\n    raise ValueError",
        REDUCTION | REFUSES,
    ),
    "biases, and no norm": (
        "reduction",
        HEAD
        + """        half = width // 2
        self.direct = nn.Sequential(nn.Conv2d(channels, width, 3, 2, 1), nn.ReLU())
        self.deep = nn.Sequential(
            nn.Conv2d(channels, half, 1), nn.ReLU(),
            nn.Conv2d(half, half, 3, padding=1), nn.ReLU(),
            nn.Conv2d(half, width, 3, 2, 1), nn.ReLU(),
        )
        self.pool = nn.MaxPool2d(3, 2, 1)
    def forward(self, x):
        return torch.cat([self.direct(x), self.deep(x), self.pool(x)], 1)
""",
        REDUCTION,
    ),
    "the batch's moments at test time too": (
        "reduction",
        HEAD
        + """        half = width // 2
        def layer(*sizes):
            norm = nn.BatchNorm2d(sizes[1], eps=1e-3, track_running_stats=False)
            conv = nn.Conv2d(*sizes, padding=sizes[2] // 2, bias=False)
            return nn.Sequential(conv, norm, nn.ReLU())
        self.direct = layer(channels, width, 3, 2)
        self.deep = nn.Sequential(
            layer(channels, half, 1), layer(half, half, 3), layer(half, width, 3, 2))
        self.pool = nn.MaxPool2d(3, 2, 1)
    def forward(self, x):
        return torch.cat([self.direct(x), self.deep(x), self.pool(x)], 1)
""",
        {"reduction_eval_hidden"},
    ),
    "ReLU before the norm": (
        "reduction",
        HEAD
        + """        half = width // 2
        def layer(*sizes):
            norm = nn.BatchNorm2d(sizes[1], eps=1e-3)
            conv = nn.Conv2d(*sizes, padding=sizes[2] // 2, bias=False)
            return nn.Sequential(conv, nn.ReLU(), norm)
        self.direct = layer(channels, width, 3, 2)
        self.deep = nn.Sequential(
            layer(channels, half, 1), layer(half, half, 3), layer(half, width, 3, 2))
        self.pool = nn.MaxPool2d(3, 2, 1)
    def forward(self, x):
        return torch.cat([self.direct(x), self.deep(x), self.pool(x)], 1)
""",
        REDUCTION,
    ),
    "nothing returned": (
        "reduction",
        HEAD
        + """        half = width // 2
        self.direct = inception.conv_bn(channels, width, 3, 2, 1)
    def forward(self, x):
        self.direct(x)
""",
        REDUCTION,
    ),
}
BODIES = {
    # name: cell, another body for its function, test cells it costs
    "the kernel becomes nothing": (
        "separable",
        "if kernel.ndim != 2 or channels < 1:\n    raise ValueError\n"
        "kernel.zero_()\n"
        "return tuple(torch.zeros(channels, size) for size in kernel.shape)",
        SEPARABLE,
    ),
    "it refuses every stack": (
        "stack",
        "raise ValueError",
        STACK | {"stack_refuses_visible"},
    ),
    "it refuses every label": (
        "smoothing",
        "raise ValueError",
        SMOOTHING | {"smoothing_refuses_visible"},
    ),
    "PyTorch's own smoothing": (
        "smoothing",
        "return F.cross_entropy(logits, labels, label_smoothing=epsilon)",
        SMOOTHING | {"smoothing_refuses_visible"},
    ),
    "most weights": (
        "stack",
        "every = [s for n in range(1, layers + 1)\n"
        "         for s in itertools.combinations_with_replacement(menu, n)\n"
        "         if sees(s) == (field, field)]\n"
        "if not every: raise ValueError(field)\n"
        "return list(max(every, key=weights))",
        STACK,
    ),
    "greedy: the dearest kernel that fits": (
        "stack",
        "stack, seen = [], (1, 1)\n"
        "for kernel in sorted(menu, key=lambda k: -k[0] * k[1]):\n"
        "    while len(stack) < layers and kernel != (1, 1) and (\n"
        "        max(seen[0] + kernel[0], seen[1] + kernel[1]) - 1 <= field):\n"
        "        stack.append(kernel)\n"
        "        seen = seen[0] + kernel[0] - 1, seen[1] + kernel[1] - 1\n"
        "if seen != (field, field) or not stack: raise ValueError()\n"
        "return stack",
        STACK,
    ),
    "the first row and column": (
        "separable",
        "if kernel.ndim != 2 or channels < 1: raise ValueError()\n"
        "columns = torch.zeros(channels, kernel.shape[0])\n"
        "rows = torch.zeros(channels, kernel.shape[1])\n"
        "columns[0], rows[0] = kernel[:, 0], kernel[0]\n"
        "return columns, rows",
        SEPARABLE,
    ),
}
WORDS = [
    ("no padding beside the strides", "reduction_visible", "pad the 3×3 windows"),
    ("pooling without padding", "reduction_visible", "are all branches padded"),
    ("joined along the rows", "reduction_visible", "joined along dim=1?"),
    ("means for maxima", "reduction_visible", "maxima, not means"),
    ("pooling with zeros around", "reduction_visible", "let the pooling pad"),
    ("windows of two", "reduction_visible", "not of 2×2"),
    ("joined in another order", "reduction_visible", "which come last"),
    ("deep before direct", "reduction_hidden", "deep branch comes before"),
    ("stride in the second kernel", "reduction_hidden", "its last layer strides"),
    (
        "one kernel of the deep branch left out",
        "reduction_visible",
        "the deep branch has three layers",
    ),
    ("deep branch not thinned", "reduction_visible", "1×1 to width / 2"),
    ("last ReLU forgotten", "reduction_visible", "a ReLU is missing"),
    ("ReLU before the module", "reduction_visible", "no ReLU comes before"),
    ("odd width accepted", "reduction_refuses_visible", "not None"),
    (
        "biases, and no norm",
        "reduction_visible",
        "biases in place of batch normalisation",
    ),
    (
        "the batch's moments at test time too",
        "reduction_eval_hidden",
        "the running statistics are used",
    ),
    ("sum for mean", "smoothing_visible", "not the mean"),
    ("mean over the classes too", "smoothing_visible", "divides by the classes"),
    ("sign forgotten", "smoothing_visible", "the sign is wrong"),
    ("prior ignored", "smoothing_visible", "the prior is ignored"),
    ("ε and 1 - ε exchanged", "smoothing_visible", "are exchanged"),
    ("label keeps all of its weight", "smoothing_visible", "it has 1 − ε"),
    ("softmax over the images", "smoothing_visible", "goes over the classes"),
    ("logarithm of the softmax", "smoothing_hidden", "use log_softmax"),
    ("gradient cut", "smoothing_hidden", "no gradient flows back"),
    ("any ε accepted", "smoothing_refuses_visible", "a ValueError is expected"),
    ("PyTorch's own smoothing", "smoothing_refuses_visible", "not RuntimeError"),
    ("probabilities for logits", "best_hidden", "logits are their logarithms"),
    ("mean not subtracted", "best_hidden", "subtract the mean"),
    ("uniform prior in best_logits", "best_hidden", "the prior is ignored"),
    ("ε and 1 - ε exchanged in best_logits", "best_hidden", "are exchanged"),
    ("prior changed in place", "best_hidden", "changed the prior in place"),
    ("infinite logits accepted", "best_hidden", "a class has the target 0"),
    ("an assertion for a ValueError", "best_hidden", "is due, not AssertionError"),
    ("logarithms to base 2", "best_hidden", "softmax takes powers of e"),
    ("the sign of the logarithm", "best_hidden", "the sign is wrong"),
    (
        "the label's share of the prior overwritten",
        "best_hidden",
        "*and* its share of the prior",
    ),
    (
        "the label keeps all of its weight in best_logits",
        "best_hidden",
        "it has 1 − ε",
    ),
    ("the label left out", "best_hidden", "the label is ignored"),
    ("logits in a list", "best_hidden", "not a tensor"),
    ("no logits returned", "best_hidden", "is there a `return`?"),
    ("kernels add r pixels", "stack_visible", "adds r - 1"),
    ("one layer too many", "stack_visible", "at most 2 are allowed"),
    ("fewest layers, not weights", "stack_visible", "not the fewest weights"),
    (
        "rows added for multiplied in the price",
        "stack_visible",
        "not the fewest weights",
    ),
    ("rows forgotten in the price", "stack_visible", "not the fewest weights"),
    ("only just so many layers", "stack_visible", "fewer layers than allowed"),
    ("most weights", "stack_visible", "these are the most weights"),
    ("weights for kernels", "stack_visible", "name the kernels"),
    ("no stack returned", "stack_visible", "is there a `return`?"),
    ("square kernels alone", "stack_visible", "not square count, too"),
    ("no kernel twice", "stack_visible", "may occur several times"),
    ("no layer for a field of 1", "stack_visible", "no layer sees nothing"),
    ("a column and a row, whatever the menu", "stack_visible", "not on the menu"),
    ("more than the field", "stack_visible", "exactly the field"),
    ("the menu used up", "stack_visible", "changed the menu"),
    ("it refuses every stack", "stack_visible", "weights: a kernel of r rows"),
    (
        "nothing found is an empty list",
        "stack_refuses_visible",
        "a ValueError is expected, not []",
    ),
    ("singular values left out", "separable_visible", "values are missing"),
    ("singular values twice", "separable_visible", "enter twice"),
    ("one root of the singular values", "separable_visible", "it belongs to both"),
    ("smallest first", "separable_visible", "the largest matter"),
    ("columns for rows of u", "separable_visible", "rows of U"),
    ("rows of V for its columns", "separable_visible", "columns of V"),
    ("rows for columns", "separable_visible", "come first"),
    ("the sum for the pairs", "separable_visible", "not one tensor"),
    ("no pairs returned", "separable_visible", "is there a `return`?"),
    ("the first pair alone", "separable_visible", "only the first pair"),
    ("the first row and column", "separable_visible", "not the best pair"),
    ("full matrices", "separable_visible", "full_matrices=False"),
    ("the kernel becomes nothing", "separable_visible", "changed the kernel"),
    (
        "too few pairs where the kernel is small",
        "separable_hidden",
        "not needed are zeros",
    ),
    (
        "more channels than needed refused",
        "separable_hidden",
        "more than needed are no mistake",
    ),
    ("any kernel accepted", "separable_hidden", "a ValueError is expected"),
    *(
        (f"prediction: {mistake}", "predict_hidden", words)
        for mistake, (_, _, words) in PREDICTIONS.items()
    ),
]
RIGHT = {
    "prediction, kernel by kernel": (
        "predict",
        "rows = [(7, 160, 160)] * 3 + [(7, 160, 192)], [(49, 160, 160), (49, 160, 192)]\n"
        "return tuple(sum(k * c * d for k, c, d in row) for row in rows)",
    ),
    "prediction by outputs": (
        "predict",
        "one = 7 * 160\nreturn one * (3 * 160 + 192), 7 * one * (160 + 192)",
    ),
    "prediction by a ratio": (
        "predict",
        "pairs = 7 * 160 * 672\nreturn [pairs, pairs * 7 * 352 // 672]",
    ),
    "stack by recursion that remembers": (
        "stack",
        "import functools\n"
        "@functools.cache\n"
        "def least(rows, columns, left):\n"
        "    answers = [(0, ())] if rows == columns == 1 else []\n"
        "    for r, c in menu if left else ():\n"
        "        if (r, c) != (1, 1) and rows - r >= 0 and columns - c >= 0:\n"
        "            rest = least(rows - r + 1, columns - c + 1, left - 1)\n"
        "            if rest: answers.append((r * c + rest[0], ((r, c), *rest[1])))\n"
        "    return min(answers, default=None)\n"
        "if field == 1 and (1, 1) in menu and layers: return [(1, 1)]\n"
        "answer = least(field, field, layers) if layers and field > 1 else None\n"
        "if answer is None: raise ValueError('no')\n"
        "return list(answer[1])",
    ),
    "stack as a shortest path, lists for tuples": (
        "stack",
        "import heapq\n"
        "heap, done = [(0, 0, 1, 1, [])], {}\n"
        "while heap:\n"
        "    cost, depth, rows, columns, stack = heapq.heappop(heap)\n"
        "    if stack and (rows, columns) == (field, field): return stack\n"
        "    if done.get((rows, columns), layers + 1) <= depth and stack: continue\n"
        "    done[rows, columns] = depth\n"
        "    for r, c in menu:\n"
        "        if depth < layers and max(rows + r, columns + c) - 1 <= field:\n"
        "            seen = rows + r - 1, columns + c - 1\n"
        "            heapq.heappush(\n"
        "                heap, (cost + r * c, depth + 1, *seen, [*stack, [r, c]]))\n"
        "raise ValueError('none')",
    ),
    "smoothing as a mixture of two losses": (
        "smoothing",
        "n, k = logits.shape\n"
        "if prior is None: prior = torch.ones(k) / k\n"
        "if epsilon < 0 or epsilon > 1: raise ValueError('epsilon')\n"
        "if len(prior) != k or min(prior) < 0: raise ValueError('prior')\n"
        "if abs(float(sum(prior)) - 1) > 1e-3: raise ValueError('sum')\n"
        "if any(not 0 <= int(y) < k for y in labels): raise ValueError('labels')\n"
        "hard = F.cross_entropy(logits, labels)\n"
        "soft = F.cross_entropy(logits, prior.expand(n, k))\n"
        "return (1 - epsilon) * hard + epsilon * soft",
    ),
    "smoothing by einsum and logsumexp": (
        "smoothing",
        "k = logits.size(1)\n"
        "u = torch.ones(k).div(k) if prior is None else prior\n"
        "good = 0 <= epsilon <= 1 and u.numel() == k and bool((u >= 0).all())\n"
        "good = good and abs(u.sum().item() - 1) < 1e-3\n"
        "if not good or labels.min() < 0 or labels.max() >= k: raise ValueError()\n"
        "q = epsilon * u.repeat(len(labels), 1)\n"
        "q[range(len(labels)), labels] += 1 - epsilon\n"
        "z = logits - logits.logsumexp(1, keepdim=True)\n"
        "return torch.einsum('nk,nk->', q, z) / -len(labels)",
    ),
    "smoothing by a loop": (
        "smoothing",
        "rows, k = logits.log_softmax(-1), logits.shape[1]\n"
        "u = [1 / k] * k if prior is None else prior.tolist()\n"
        "if len(u) != k or min(u) < 0 or not 0.999 < sum(u) < 1.001: raise ValueError\n"
        "if epsilon > 1 or epsilon < 0: raise ValueError\n"
        "if not set(labels.tolist()) <= set(range(k)): raise ValueError\n"
        "total = 0\n"
        "for row, label in zip(rows, labels):\n"
        "    total = total - (1 - epsilon) * row[label]\n"
        "    for share, value in zip(u, row): total = total - epsilon * share * value\n"
        "return total / len(labels)",
    ),
    "best logits by subtraction in logarithms": (
        "best",
        "target = prior.clone() * epsilon\n"
        "target[label] = target[label] + (1 - epsilon)\n"
        "if target.min() <= 0: raise ValueError('a target of 0')\n"
        "z = torch.log_softmax(target.log(), dim=0)\n"
        "return z - z.sum() / z.numel()",
    ),
    "best logits one by one": (
        "best",
        "logits = []\n"
        "for k, share in enumerate(prior.tolist()):\n"
        "    target = epsilon * share + (1 - epsilon) * (k == label)\n"
        "    if not target: raise ValueError(f'class {k}')\n"
        "    logits.append(math.log(target))\n"
        "return torch.tensor([z - sum(logits) / len(logits) for z in logits])",
    ),
    "stack by a table of numbers, walked back": (
        "stack",
        "best = {(1, 1, 0): 0}\n"
        "for depth in range(layers):\n"
        "    for (rows, columns, d), cost in list(best.items()):\n"
        "        for r, c in menu if d == depth else ():\n"
        "            place = rows + r - 1, columns + c - 1, depth + 1\n"
        "            if max(place[:2]) <= field:\n"
        "                best[place] = min(best.get(place, 9e9), cost + r * c)\n"
        "ends = [(best[e], e[2]) for e in best if e[:2] == (field, field) and e[2]]\n"
        "if not ends: raise ValueError('no stack')\n"
        "stack, (cost, depth), place = [], min(ends), (field, field)\n"
        "while depth:\n"
        "    depth -= 1\n"
        "    for r, c in menu:\n"
        "        before = place[0] - r + 1, place[1] - c + 1, depth\n"
        "        if best.get(before) == cost - r * c:\n"
        "            cost, place = cost - r * c, before[:2]\n"
        "            stack.append((r, c))\n"
        "            break\n"
        "return stack",
    ),
    "separable into zeros": (
        "separable",
        "if len(kernel.shape) != 2 or not channels > 0: raise ValueError\n"
        "u, s, v = torch.svd(kernel.double())\n"
        "n = min(channels, len(s))\n"
        "columns = kernel.new_zeros(channels, len(kernel))\n"
        "rows = kernel.new_zeros(channels, kernel.shape[1])\n"
        "columns[:n], rows[:n] = u.T[:n], (v * s).T[:n]\n"
        "return columns, rows",
    ),
    "best logits in numpy": (
        "best",
        "q = epsilon * np.asarray(prior, dtype=float)\n"
        "q[label] += 1 - epsilon\n"
        "if np.any(q == 0): raise ValueError('zero')\n"
        "return torch.tensor(np.log(q) - np.log(q).mean())",
    ),
    "separable in numpy, signs turned": (
        "separable",
        "if kernel.dim() != 2 or channels <= 0: raise ValueError('shape')\n"
        "u, s, vt = np.linalg.svd(kernel.numpy())\n"
        "columns = np.zeros((channels, kernel.shape[0]), dtype=np.float32)\n"
        "rows = np.zeros((channels, kernel.shape[1]), dtype=np.float32)\n"
        "for i in range(min(channels, len(s))):\n"
        "    columns[i], rows[i] = -u[:, i] * s[i] ** 0.5, -vt[i] * s[i] ** 0.5\n"
        "return torch.from_numpy(columns), torch.from_numpy(rows)",
    ),
    "separable by eigenvectors": (
        "separable",
        "if kernel.ndim != 2 or channels < 1: raise ValueError('shape')\n"
        "n, m = kernel.shape\n"
        "_, vectors = torch.linalg.eigh((kernel.T @ kernel).double())\n"
        "rows = vectors.flip(1).T[:channels].float()\n"
        "rows = torch.cat([rows, torch.zeros(max(0, channels - m), m)])\n"
        "return rows @ kernel.T, rows",
    ),
}
RIGHT_SOURCES = {
    "functional, layer by layer": (
        "reduction",
        HEAD
        + """        half = width // 2
        self.a = nn.Conv2d(channels, width, 3, 2, 1, bias=False)
        self.b = nn.Conv2d(channels, half, 1, bias=False)
        self.c = nn.Conv2d(half, half, 3, padding="same", bias=False)
        self.d = nn.Conv2d(half, width, 3, 2, 1, bias=False)
        widths = width, half, half, width
        self.norms = nn.ModuleList(nn.BatchNorm2d(w, 1e-3) for w in widths)
    def forward(self, x):
        na, nb, nc, nd = self.norms
        y = torch.relu(nb(self.b(x)))
        y = torch.relu(nc(self.c(y)))
        y = torch.relu(nd(self.d(y)))
        z = F.pad(x, (1, 1, 1, 1), value=-torch.inf)
        return torch.cat((F.relu(na(self.a(x))), y, F.max_pool2d(z, 3, 2)), -3)
""",
    ),
    "the direct and pooled ways in a list, conv_bn by keywords": (
        "reduction",
        """class GridReduction(nn.ModuleList):
    def __init__(self, channels, width):
        if not channels > 0 or width not in range(2, width + 1, 2):
            raise ValueError(width)
        half = width // 2
        wide = {"kernel_size": 3, "padding": 1, "stride": 2}
        deep = [inception.conv_bn(channels, half), inception.conv_bn(half, half, 3)]
        super().__init__([
            inception.conv_bn(channels, width, **wide),
            nn.Sequential(*deep, inception.conv_bn(half, width, **wide)),
            nn.MaxPool2d(**wide),
        ])
    def forward(self, x):
        return torch.cat([branch(x) for branch in self], -3)
""",
    ),
    "a loop, and one more way to join": (
        "reduction",
        HEAD
        + """        rows = [(channels, width, 3, 2)], [
            (channels, width // 2, 1, 1), (width // 2, width // 2, 3, 1),
            (width // 2, width, 3, 2)]
        self.branches = nn.ModuleDict()
        for name, branch in zip(("direct", "deep"), rows):
            layers = []
            for c, w, k, s in branch:
                layers.append(nn.Conv2d(c, w, k, s, (k - 1) // 2, bias=False))
                layers.append(nn.BatchNorm2d(w, eps=0.001))
                layers.append(nn.ReLU(inplace=True))
            self.branches[name] = nn.Sequential(*layers)
    def forward(self, x):
        made = [self.branches["direct"](x), self.branches["deep"](x)]
        made.append(nn.functional.max_pool2d(x, kernel_size=3, stride=2, padding=1))
        return torch.hstack(made)
""",
    ),
}
