"""Wrong and right answers to a00_attention, and what each is worth."""

MASK = {"mask_visible", "mask_hidden"}
WEIGHTS = {"weights_visible", "weights_hidden"}
CROSS = {"cross_visible", "cross_hidden"}
CORRUPT = {"corrupt_visible", "corrupt_hidden"}
POSITIONS = {"positions_visible", "positions_hidden"}
LEARNS = POSITIONS | {"positions_learns"}
SOFTMAX = "scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)"
MISTAKES = {
    # name: cell, what stands there, what stands there instead, test cells it costs
    "later keys for earlier ones": (
        "mask",
        "keys <= keys[:, None]",
        "keys >= keys[:, None]",
        MASK,
    ),
    "the own place hidden": ("mask", "keys <= keys", "keys < keys", MASK),
    "one place ahead": (
        "mask",
        "keys <= keys[:, None]",
        "keys <= keys[:, None] + 1",
        MASK,
    ),
    "padding attended to": ("mask", "keys < lengths", "keys <= lengths", MASK),
    "always causal": ("mask", "if causal:", "if True:", MASK),
    "causal forgets padding": (
        "mask",
        "mask = mask & (keys <= keys[:, None])",
        "mask = (keys <= keys[:, None]).expand(len(lengths), 1, size, size)",
        MASK,
    ),
    "padded queries for padded keys": (
        "mask",
        "[:, None, None].expand",
        "[:, None, :, None].expand",
        MASK,
    ),
    "true where hidden": ("mask", "return mask", "return ~mask", MASK),
    "zeros and ones": ("mask", "return mask", "return mask.float()", {"mask_visible"}),
    "too long accepted": (
        "mask",
        "lengths.min() < 0 or lengths.max() > size",
        "lengths.min() < 0",
        {"mask_hidden"},
    ),
    "negative accepted": (
        "mask",
        "lengths.min() < 0 or lengths.max() > size",
        "lengths.max() > size",
        {"mask_hidden"},
    ),
    "a score of 0 for a hidden one": ("weights", "-torch.inf", "0.0", WEIGHTS),
    "softmax of scores times mask": (
        "weights",
        SOFTMAX,
        "(scores * mask).softmax(dim=-1)",
        WEIGHTS,
    ),
    "hidden after the softmax": (
        "weights",
        SOFTMAX,
        "scores.softmax(dim=-1)",
        WEIGHTS,
    ),
    "softmax over the queries": ("weights", "dim=-1", "dim=-2", WEIGHTS),
    "softmax over the heads": ("weights", "dim=-1", "dim=1", WEIGHTS),
    "the mask the wrong way round": (
        "weights",
        "return weights.masked_fill(~mask, 0.0)",
        "weights = scores.masked_fill(mask, -torch.inf).softmax(dim=-1)\n"
        "    return weights.masked_fill(mask, 0.0)",
        WEIGHTS,
    ),
    "nan where nothing may be looked at": (
        "weights",
        "weights.masked_fill(~mask, 0.0)",
        "weights",
        WEIGHTS,
    ),
    "a large negative number alone": (
        "weights",
        "    weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)\n",
        "    return scores.masked_fill(~mask, -1e9).softmax(dim=-1)\n",
        WEIGHTS,
    ),
    "scores changed in place": (
        "weights",
        "scores.masked_fill(",
        "scores.detach().masked_fill_(",
        {"weights_hidden", "weights_visible"},
    ),
    "cut off from the gradient": (
        "weights",
        "scores.masked_fill(",
        "scores.detach().masked_fill(",
        {"weights_hidden"},
    ),
    "exponentials that overflow": (
        "weights",
        SOFTMAX,
        "scores.exp() * mask / (scores.exp() * mask).sum(dim=-1, keepdim=True)",
        {"weights_hidden"},
    ),
    "exponentials not divided": (
        "weights",
        ".softmax(dim=-1)",
        ".exp()",
        WEIGHTS,
    ),
    "scale forgotten": ("cross", " / queries.shape[-1] ** 0.5", "", CROSS),
    "the scale of the whole width": (
        "cross",
        "queries.shape[-1] ** 0.5",
        "x.shape[-1] ** 0.5",
        CROSS,
    ),
    "no root": ("cross", "queries.shape[-1] ** 0.5", "queries.shape[-1]", CROSS),
    "multiplied by the scale": (
        "cross",
        "/ queries.shape[-1] ** 0.5",
        "* queries.shape[-1] ** 0.5",
        CROSS,
    ),
    "softmax on the wrong axis": ("cross", "softmax(dim=3)", "softmax(dim=2)", CROSS),
    "heads dealt out in turn": (
        "cross",
        "y.unflatten(-1, (self.heads, -1)).transpose(1, 2)",
        "y.unflatten(-1, (-1, self.heads)).permute(0, 3, 1, 2)",
        CROSS,
    ),
    "heads cut from the tokens": (
        "cross",
        "y.unflatten(-1, (self.heads, -1)).transpose(1, 2)",
        "y.reshape(len(y), self.heads, y.shape[1], -1)",
        CROSS,
    ),
    "heads joined in the wrong order": (
        "cross",
        "mixed.transpose(1, 2).flatten(2)",
        "mixed.permute(0, 2, 3, 1).flatten(2)",
        CROSS,
    ),
    "one head": ("cross", "self.heads = heads", "self.heads = 1", CROSS),
    "the given specification is called": (
        "cross",
        "return self.out(mixed.transpose(1, 2).flatten(2))",
        "return cross_spec(x, memory, dict(self.named_parameters()), self.heads, there)",
        CROSS | {"cross_learns"},
    ),
    "padding of the memory attended to": (
        "cross",
        "if there is not None:",
        "if False:",
        CROSS,
    ),
    "the padding alone": ("cross", "~there", "there", CROSS),
    "a score of 0 for padding": ("cross", "-torch.inf", "0.0", CROSS),
    "values before their layer": (
        "cross",
        "self.split(self.value(memory))",
        "self.split(self.key(memory))",
        CROSS | {"cross_learns"},
    ),
    "no last layer": (
        "cross",
        "self.out(mixed.transpose(1, 2).flatten(2))",
        "mixed.transpose(1, 2).flatten(2)",
        CROSS | {"cross_learns"},
    ),
    "layers without a bias": (
        "cross",
        "self.key = nn.Linear(memory_width, width)",
        "self.key = nn.Linear(memory_width, width, bias=False)",
        CROSS,
    ),
    "weights without a gradient": (
        "cross",
        "scores.softmax(dim=3)",
        "scores.detach().softmax(dim=3)",
        {"cross_learns"},
    ),
    "any number of heads accepted": (
        "cross",
        "if width % heads:",
        "if heads > width:",
        {"cross_hidden"},
    ),
    "90 per cent masked, 10 drawn": ("corrupt", "kind < 0.8", "kind < 0.9", CORRUPT),
    "80 masked, 20 drawn": ("corrupt", "kind >= 0.9", "kind >= 0.8", CORRUPT),
    "80 masked, 20 kept": (
        "corrupt",
        "kind >= 0.9",
        "kind >= 1.0",
        {"corrupt_visible", "corrupt_hidden"},
    ),
    "all masked": (
        "corrupt",
        "    return shown",
        "    shown = torch.where(chosen, mask_token, tokens)\n    return shown",
        CORRUPT,
    ),
    "a tenth of all tokens is drawn": (
        "corrupt",
        "chosen & (kind >= 0.9)",
        "(kind >= 0.9)",
        CORRUPT,
    ),
    "80 per cent of all tokens are masked": (
        "corrupt",
        "chosen & (kind < 0.8)",
        "(kind < 0.8)",
        CORRUPT,
    ),
    "special tokens chosen": ("corrupt", " & (tokens < words)", "", CORRUPT),
    "the first special token chosen": (
        "corrupt",
        "tokens < words",
        "tokens <= words",
        {"corrupt_hidden"},
    ),
    "labels of what is shown": (
        "corrupt",
        "torch.where(chosen, tokens, -100)",
        "torch.where(chosen, shown, -100)",
        CORRUPT,
    ),
    "labels everywhere": (
        "corrupt",
        "torch.where(chosen, tokens, -100)",
        "tokens",
        CORRUPT,
    ),
    "labels of masked ones alone": (
        "corrupt",
        "torch.where(chosen, tokens, -100)",
        "torch.where(shown == mask_token, tokens, -100)",
        CORRUPT,
    ),
    "special tokens drawn": (
        "corrupt",
        "torch.randint(words,",
        "torch.randint(mask_token + 1,",
        {"corrupt_hidden"},
    ),
    "one random word for all": (
        "corrupt",
        "torch.randint(words, tokens.shape)",
        "torch.randint(words, ())",
        {"corrupt_hidden"},
    ),
    "one draw for both questions": (
        "corrupt",
        "chosen = (torch.rand(tokens.shape) < share) & (tokens < words)\n"
        "    kind = torch.rand(tokens.shape)\n",
        "kind = torch.rand(tokens.shape)\n"
        "    chosen = (kind < share) & (tokens < words)\n",
        CORRUPT,
    ),
    "columns for tokens": (
        "corrupt",
        "torch.rand(tokens.shape) < share",
        "torch.rand(tokens.shape[1]) < share",
        CORRUPT,
    ),
    "rank 1 first": ("positions", "counted - 1", "counted", LEARNS),
    "padding counted": (
        "positions",
        "there.cumsum(dim=1)",
        "torch.ones_like(there).cumsum(dim=1)",
        POSITIONS,
    ),
    "counted over the batch": ("positions", "cumsum(dim=1)", "cumsum(dim=0)", LEARNS),
    "padding gets a position": ("positions", " * there[..., None]", "", POSITIONS),
    "counted from the end": (
        "positions",
        "there.cumsum(dim=1)",
        "there.flip(1).cumsum(dim=1).flip(1)",
        POSITIONS,
    ),
    "x changed in place": (
        "positions",
        "return x + self.weight",
        "return x.data.add_(0.1) + self.weight",
        {"positions_visible"},
    ),
    "x forgotten": ("positions", "return x + self", "return self", LEARNS),
    "a buffer": (
        "positions",
        "self.weight = nn.Parameter(0.02 * torch.randn(length, width))",
        'self.register_buffer("weight", 0.02 * torch.randn(length, width))',
        LEARNS,
    ),
    "one position for all": (
        "positions",
        "places = (counted - 1).clamp(min=0)",
        "places = 0 * counted",
        LEARNS,
    ),
    "positions drawn too large": (
        "positions",
        "0.02 * torch.randn",
        "torch.randn",
        {"positions_visible"},
    ),
    "positions that stay": (
        "positions",
        "nn.Parameter(0.02 * torch.randn(length, width))",
        "nn.Parameter(0.02 * torch.randn(length, width), requires_grad=False)",
        LEARNS,
    ),
    "multiplied": (
        "positions",
        "x + self.weight[places] * there[..., None]",
        "x * (1 + self.weight[places] * there[..., None])",
        LEARNS,
    ),
    "too many tokens accepted": (
        "positions",
        '            raise ValueError(f"{counted.max()} tokens: there are '
        '{len(self.weight)} places")\n        places = (counted - 1).clamp(min=0)',
        "            pass\n"
        "        places = (counted - 1).clamp(0, len(self.weight) - 1)",
        {"positions_hidden"},
    ),
    "columns refused": (
        "positions",
        "counted.max() > len(self.weight)",
        "x.shape[1] > len(self.weight)",
        {"positions_hidden"},
    ),
    "biases forgotten": (
        "expect",
        "maps + biases + norms",
        "maps + norms",
        {"expect_hidden"},
    ),
    "norms forgotten": (
        "expect",
        "maps + biases + norms",
        "maps + biases",
        {"expect_hidden"},
    ),
    "maps alone": (
        "expect",
        "maps + biases + norms",
        "maps",
        {"expect_hidden"},
    ),
    "norms without a bias": (
        "expect",
        "norms = 2 * 2 * width",
        "norms = 2 * width",
        {"expect_hidden"},
    ),
    "three maps of attention": (
        "expect",
        "maps + biases + norms, 2",
        "maps + biases + norms - width**2 - width, 2",
        {"expect_hidden"},
    ),
    "two FLOPs for a MAC": ("expect", "2 * 512**2", "4 * 512**2", {"expect_hidden"}),
    "one head alone": (
        "expect",
        "2 * 512**2 * width",
        "2 * 512**2 * width // 12",
        {"expect_hidden"},
    ),
    "equal to one product": (
        "expect",
        "maps // (2 * width)",
        "maps // width",
        {"expect_hidden"},
    ),
    "one product": ("expect", "2 * 512**2", "512**2", {"expect_hidden"}),
    "the products of each head": (
        "expect",
        "2 * 512**2 * width",
        "12 * 2 * 512**2 * width",
        {"expect_hidden"},
    ),
    "tokens not squared": ("expect", "512**2", "512", {"expect_hidden"}),
}
BODIES = {
    # name: cell, another body for its function, test cells it costs
    "the sum repaired after the softmax": (
        "weights",
        "w = scores.softmax(dim=-1) * mask\n"
        "return w / w.sum(dim=-1, keepdim=True).clamp(min=1e-30)",
        {"weights_hidden"},
    ),
    "the notebook's masks": (
        "corrupt",
        "shown, chosen = attention.mask_tokens(tokens, mask_token, share)\n"
        "return shown, torch.where(chosen, tokens, -100)",
        CORRUPT,
    ),
    "tokens changed in place": (
        "corrupt",
        "chosen = (torch.rand(tokens.shape) < share) & (tokens < words)\n"
        "labels = torch.where(chosen, tokens, -100)\n"
        "kind = torch.rand(tokens.shape)\n"
        "drawn = torch.randint(words, tokens.shape)\n"
        "tokens[chosen & (kind < 0.8)] = mask_token\n"
        "tokens[chosen & (kind >= 0.9)] = drawn[chosen & (kind >= 0.9)]\n"
        "return tokens, labels",
        {"corrupt_visible"},
    ),
    "as many in each row": (
        "corrupt",
        "chosen = torch.rand(tokens.shape).argsort(1) < round(share * tokens.shape[1])\n"
        "chosen &= tokens < words\n"
        "kind = torch.rand(tokens.shape)\n"
        "shown = torch.where(chosen & (kind < 0.8), mask_token, tokens)\n"
        "drawn = torch.randint(words, tokens.shape)\n"
        "shown = torch.where(chosen & (kind >= 0.9), drawn, shown)\n"
        "return shown, torch.where(chosen, tokens, -100)",
        {"corrupt_hidden"},
    ),
    "it refuses all lengths": ("mask", "raise ValueError", MASK),
}
SOURCES = {
    # name: cell, its whole source, test cells it costs
    "the notebook's own heads": (
        "cross",
        "class CrossAttention(attention.MultiHeadAttention):\n"
        "    def __init__(self, width, memory_width, heads):\n"
        "        super().__init__(width, heads)\n"
        "    def forward(self, x, memory, there=None):\n"
        "        return super().forward(x)[0]",
        CROSS | {"cross_learns"},
    ),
    "PyTorch's fused product": (
        "cross",
        "class CrossAttention(nn.Module):\n"
        "    def __init__(self, width, memory_width, heads):\n"
        "        super().__init__()\n"
        "        if width % heads: raise ValueError()\n"
        "        self.heads = heads\n"
        "        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)\n"
        "        self.key = nn.Linear(memory_width, width)\n"
        "        self.value = nn.Linear(memory_width, width)\n"
        "    def forward(self, x, memory, there=None):\n"
        "        parts = self.query(x), self.key(memory), self.value(memory)\n"
        "        parts = [p.unflatten(2, (self.heads, -1)).transpose(1, 2) for p in parts]\n"
        "        mask = None if there is None else there[:, None, None]\n"
        "        mixed = nn.functional.scaled_dot_product_attention(*parts, attn_mask=mask)\n"
        "        return self.out(mixed.transpose(1, 2).flatten(2))",
        CROSS | {"cross_learns"},
    ),
    "a table of sines": (
        "positions",
        "class LearnedPositions(nn.Module):\n"
        "    def __init__(self, length, width):\n"
        "        super().__init__()\n"
        "        table = attention.sinusoidal_positions(length, width + width % 2)\n"
        "        self.weight = nn.Parameter(table[:, :width])\n"
        "    def forward(self, x, there):\n"
        "        counted = there.cumsum(dim=1)\n"
        "        if counted.max() > len(self.weight): raise ValueError()\n"
        "        places = (counted - 1).clamp(min=0)\n"
        "        return x + self.weight[places] * there[..., None]",
        {"positions_visible"},
    ),
}
RIGHT = {
    "masks by loops": (
        "mask",
        "if any(not 0 <= n <= size for n in lengths.tolist()):\n"
        "    raise ValueError('no')\n"
        "rows = [[[s < n and (not causal or s <= t) for s in range(size)]\n"
        "         for t in range(size)] for n in lengths.tolist()]\n"
        "return torch.tensor(rows)[:, None]",
    ),
    "masks by a triangle": (
        "mask",
        "if (lengths < 0).any() or (lengths > size).any():\n"
        "    raise ValueError('no')\n"
        "square = torch.ones(len(lengths), 1, size, size, dtype=torch.bool)\n"
        "square = square.tril() if causal else square\n"
        "return square & (torch.arange(size) < lengths.view(-1, 1, 1, 1))",
    ),
    "weights by exponentials": (
        "weights",
        "hidden = scores.masked_fill(~mask, -torch.inf)\n"
        "top = hidden.amax(dim=-1, keepdim=True).nan_to_num(neginf=0.0).detach()\n"
        "e = (hidden - top).exp()\n"
        "return e / e.sum(dim=-1, keepdim=True).clamp(min=1e-30)",
    ),
    "weights by the lowest number": (
        "weights",
        "low = torch.finfo(scores.dtype).min\n"
        "return torch.where(mask, scores, low).softmax(dim=-1) * mask",
    ),
    "corrupted by places": (
        "corrupt",
        "shown, labels = tokens.clone(), torch.full_like(tokens, -100)\n"
        "places = ((tokens < words) & (torch.rand(tokens.shape) < share)).nonzero()\n"
        "for n, t in places.tolist():\n"
        "    labels[n, t] = tokens[n, t]\n"
        "    kind = torch.rand(()).item()\n"
        "    if kind < 0.1:\n"
        "        shown[n, t] = torch.randint(words, ())\n"
        "    elif kind >= 0.2:\n"
        "        shown[n, t] = mask_token\n"
        "return shown, labels",
    ),
    "corrupted by a table of kinds": (
        "corrupt",
        "chance = torch.tensor([0.8, 0.1, 0.1])\n"
        "chosen = torch.bernoulli(torch.full(tokens.shape, share)).bool()\n"
        "chosen = chosen & ~(tokens >= words)\n"
        "kind = torch.multinomial(chance, tokens.numel(), True).view(tokens.shape)\n"
        "drawn = (torch.rand(tokens.shape) * words).long()\n"
        "mask = torch.full_like(tokens, mask_token)\n"
        "new = torch.stack([mask, drawn, tokens]).gather(0, kind[None])[0]\n"
        "return torch.where(chosen, new, tokens), tokens.masked_fill(~chosen, -100)",
    ),
    "masks by comparing places": (
        "mask",
        "n = lengths.tolist()\n"
        "if min(n) < 0 or max(n) > size:\n"
        "    raise ValueError('no')\n"
        "mask = torch.zeros(len(n), 1, size, size, dtype=torch.bool)\n"
        "for row, length in zip(mask, n):\n"
        "    row[..., :length] = True\n"
        "later = torch.triu(torch.ones(size, size), diagonal=1).bool()\n"
        "return mask.masked_fill(later, False) if causal else mask",
    ),
    "weights with a mask that is added": (
        "weights",
        "zero = torch.zeros((), dtype=scores.dtype)\n"
        "added = torch.where(mask, zero, -torch.inf).expand(scores.shape)\n"
        "empty = ~mask.expand(scores.shape).any(dim=-1, keepdim=True)\n"
        "logits = torch.where(empty, zero, scores + added)\n"
        "return torch.softmax(logits, dim=3) * ~empty",
    ),
    "corrupted by two thresholds of one draw": (
        "corrupt",
        "real = (tokens < words).float()\n"
        "chosen = torch.bernoulli(share * real) == 1\n"
        "shown, u = tokens.clone(), torch.empty(tokens.shape).uniform_()\n"
        "masked = chosen & (u > 0.2)\n"
        "other = chosen & (u < 0.1)\n"
        "shown[masked] = mask_token\n"
        "shown[other] = torch.randint(0, words, (int(other.sum()),))\n"
        "labels = tokens.clone()\n"
        "labels[~chosen] = -100\n"
        "return shown, labels",
    ),
    "expected piece by piece": (
        "expect",
        "d = 768\n"
        "attention = 4 * (d * d + d)\n"
        "branch = d * 3072 + 3072 + 3072 * d + d\n"
        "norms = 2 * (d + d)\n"
        "tokens = (4 * d * d + 2 * d * 3072) // (d + d)\n"
        "return [attention + branch + norms, d * 512 * 512 * 2, tokens]",
    ),
    "expected as numbers": ("expect", "return 7_087_872, 402_653_184, 4_608"),
    "expected by words": (
        "expect",
        "d, wide = 768, 3072\n"
        "linear = lambda a, b: a * b + b\n"
        "block = 4 * linear(d, d) + linear(d, wide) + linear(wide, d) + 4 * d\n"
        "return block, 512 * 512 * d + 512 * 512 * d, 6 * d",
    ),
}
EINSUM = """
class CrossAttention(nn.Module):
    def __init__(self, width, memory_width, heads):
        super().__init__()
        if width // heads * heads != width:
            raise ValueError("heads")
        self.out = nn.Linear(width, width)
        self.value = nn.Linear(memory_width, width)
        self.key = nn.Linear(memory_width, width)
        self.query = nn.Linear(width, width)
        self.sizes = heads, width // heads

    def forward(self, x, memory, there=None):
        cut = lambda y: y.view(*y.shape[:2], *self.sizes)
        q, k, v = cut(self.query(x)), cut(self.key(memory)), cut(self.value(memory))
        scores = torch.einsum("nthd,nshd->nhts", q * self.sizes[1] ** -0.5, k)
        if there is not None:
            low = torch.zeros(there.shape, dtype=x.dtype)
            scores = scores + low.masked_fill(~there, -torch.inf)[:, None, None]
        mixed = torch.einsum("nhts,nshd->nthd", torch.softmax(scores, -1), v)
        return self.out(mixed.reshape(x.shape))
"""
EACH_HEAD = """
class CrossAttention(nn.Module):
    def __init__(self, width, memory_width, heads):
        super().__init__()
        if width % heads != 0:
            raise ValueError("heads")
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.key, self.value = (nn.Linear(memory_width, width) for _ in "kv")
        self.heads, self.attention = heads, attention.ScaledDotProductAttention()

    def forward(self, x, memory, there=None):
        q, k, v = self.query(x), self.key(memory), self.value(memory)
        parts = zip(*(y.chunk(self.heads, dim=2) for y in (q, k, v)))
        mask = None if there is None else there[:, None]
        mixed = [self.attention(*part, mask)[0] for part in parts]
        return self.out(torch.cat(mixed, dim=2))
"""
TABLE = """
class LearnedPositions(nn.Module):
    def __init__(self, length, width):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(length, width))
        nn.init.normal_(self.weight, 0, 0.02)

    def forward(self, x, there):
        answer = x.clone()
        for n, row in enumerate(there):
            columns = row.nonzero().flatten()
            if len(columns) > self.weight.shape[0]:
                raise ValueError("too many tokens")
            answer[n, columns] = x[n, columns] + self.weight[: len(columns)]
        return answer
"""
ONE_HOT = """
class LearnedPositions(nn.Module):
    def __init__(self, length, width):
        super().__init__()
        self.weight = nn.Parameter(torch.normal(0.0, 0.02, (length, width)))

    def forward(self, x, there):
        place = there.long().cumsum(1) * there
        if int(place.max()) > self.weight.size(0):
            raise ValueError("too many tokens")
        rows = torch.cat([torch.zeros_like(self.weight[:1]), self.weight])
        hot = nn.functional.one_hot(place, len(rows)).to(rows)
        return hot @ rows + x
"""
RESHAPED = """
class CrossAttention(nn.Module):
    def __init__(self, width, memory_width, heads):
        super().__init__()
        if heads < 1 or width % heads:
            raise ValueError("heads")
        for name, size in dict(query=width, key=memory_width, value=memory_width).items():
            setattr(self, name, nn.Linear(size, width))
        self.out, self.heads, self.size = nn.Linear(width, width), heads, width // heads

    def forward(self, x, memory, there=None):
        n, t, s = len(x), x.shape[1], memory.shape[1]
        def flat(y, length):
            y = y.reshape(n, length, self.heads, self.size).permute(0, 2, 1, 3)
            return y.reshape(n * self.heads, length, self.size)
        q, k = flat(self.query(x), t), flat(self.key(memory), s)
        scores = torch.bmm(q, k.mT).div(self.size**0.5)
        if there is not None:
            hidden = there.logical_not().repeat_interleave(self.heads, 0)[:, None]
            scores = scores.masked_fill(hidden, float("-inf"))
        mixed = torch.bmm(nn.functional.softmax(scores, 2), flat(self.value(memory), s))
        mixed = mixed.reshape(n, self.heads, t, self.size).permute(0, 2, 1, 3)
        return self.out(mixed.reshape(n, t, -1))
"""
EMBEDDED = """
class LearnedPositions(nn.Module):
    def __init__(self, length, width):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(length, width).normal_(std=0.02))

    def forward(self, x, there):
        if (there.sum(dim=1) > len(self.weight)).any():
            raise ValueError("too many tokens")
        places = torch.where(there, there.long().cumsum(1) - 1, 0)
        added = nn.functional.embedding(places, self.weight)
        return torch.where(there.unsqueeze(2), x + added, x)
"""
RIGHT_SOURCES = {
    "cross-attention with heads in the batch": ("cross", RESHAPED),
    "positions by embedding": ("positions", EMBEDDED),
    "cross-attention by einsum": ("cross", EINSUM),
    "cross-attention one head at a time": ("cross", EACH_HEAD),
    "positions row by row": ("positions", TABLE),
    "positions as a product": ("positions", ONE_HOT),
}
WORDS = [
    ("the own place hidden", "mask_visible", "its own place"),
    ("later keys for earlier ones", "mask_visible", "which comes later"),
    ("one place ahead", "mask_visible", "pairs may look"),
    ("padding attended to", "mask_visible", "is padding: nobody looks there"),
    ("always causal", "mask_visible", "it is not causal"),
    ("true where hidden", "mask_visible", "True is where a query may look"),
    ("causal forgets padding", "mask_visible", "padding stays hidden, too"),
    ("a score of 0 for a hidden one", "weights_visible", "−∞"),
    ("softmax over the queries", "weights_visible", "it is over the keys"),
    ("hidden after the softmax", "weights_visible", "do not sum to 1"),
    ("the mask the wrong way round", "weights_visible", "the wrong way round"),
    ("nan where nothing may be looked at", "weights_visible", "zeros, not nan"),
    ("scale forgotten", "cross_visible", "the scale is forgotten"),
    ("the scale of the whole width", "cross_visible", "a head has D/h channels"),
    ("no root", "cross_visible", "it is the root"),
    ("softmax on the wrong axis", "cross_visible", "sum to 1"),
    ("heads dealt out in turn", "cross_visible", "lie side by side"),
    ("one head", "cross_visible", "one head of D channels"),
    ("padding of the memory attended to", "cross_visible", "padding is attended to"),
    ("all masked", "corrupt_visible", "80 % should"),
    ("a tenth of all tokens is drawn", "corrupt_visible", "shares of the chosen"),
    ("special tokens chosen", "corrupt_visible", "a special token"),
    ("labels of what is shown", "corrupt_visible", "a label is the true token"),
    ("labels everywhere", "corrupt_visible", "every token has a label"),
    ("tokens changed in place", "corrupt_visible", "work on a copy"),
    ("rank 1 first", "positions_visible", "count from 0"),
    ("padding counted", "positions_visible", "a column of padding was counted"),
    ("padding gets a position", "positions_visible", "added to padding"),
    ("padded queries for padded keys", "mask_visible", "padding is about keys"),
    ("zeros and ones", "mask_visible", "expected torch.bool"),
    ("too long accepted", "mask_hidden", "no ValueError, but gave"),
    ("softmax of scores times mask", "weights_visible", "its part of the sum"),
    ("softmax over the heads", "weights_visible", "over the heads"),
    ("exponentials not divided", "weights_visible", "not divided by their sum"),
    ("scores changed in place", "weights_visible", "the scores were changed"),
    ("a large negative number alone", "weights_visible", "−1e9 alone"),
    ("exponentials that overflow", "weights_hidden", "subtract the largest score"),
    ("the sum repaired after the softmax", "weights_hidden", "before the softmax"),
    ("cut off from the gradient", "weights_hidden", "cut off from the gradient"),
    ("multiplied by the scale", "cross_visible", "divide by it"),
    ("heads joined in the wrong order", "cross_visible", "joined in another order"),
    ("the padding alone", "cross_visible", "False where the memory is padding"),
    ("values before their layer", "cross_visible", "from the layer `key`"),
    ("no last layer", "cross_visible", "the layer `out` is missing"),
    ("layers without a bias", "cross_visible", "the layer key has a bias"),
    ("the notebook's own heads", "cross_visible", "reads the memory"),
    ("weights without a gradient", "cross_learns", "was it cut off?"),
    ("any number of heads accepted", "cross_hidden", "no ValueError, but gave"),
    ("90 per cent masked, 10 drawn", "corrupt_visible", "[MASK], expected 80 %"),
    ("80 masked, 20 drawn", "corrupt_visible", "as they were, expected 10 %"),
    ("80 masked, 20 kept", "corrupt_visible", "10 % become a random word"),
    ("80 per cent of all tokens are masked", "corrupt_visible", "shares of the chosen"),
    ("labels of masked ones alone", "corrupt_visible", "at masked tokens alone"),
    ("one draw for both questions", "corrupt_visible", "by a second draw"),
    ("the notebook's masks", "corrupt_visible", "a special token"),
    ("special tokens drawn", "corrupt_hidden", "a random word is a special token"),
    ("as many in each row", "corrupt_hidden", "each is chosen by itself"),
    ("counted over the batch", "positions_visible", "along the sequence"),
    ("one position for all", "positions_visible", "every token gets row 0"),
    ("counted from the end", "positions_visible", "counted from the end"),
    ("x changed in place", "positions_visible", "x was changed"),
    ("x forgotten", "positions_visible", "x is lost"),
    ("multiplied", "positions_visible", "they are added"),
    ("a buffer", "positions_visible", "there is no parameter"),
    ("positions that stay", "positions_visible", "make it an nn.Parameter"),
    ("positions drawn too large", "positions_visible", "the standard deviation is"),
    ("a table of sines", "positions_visible", "the standard deviation is"),
    ("columns refused", "positions_hidden", "the *real* tokens"),
    ("too many tokens accepted", "positions_hidden", "no ValueError, but gave"),
    ("maps alone", "expect_hidden", "biases and norms are missing"),
    ("biases forgotten", "expect_hidden", "the biases are missing"),
    ("norms forgotten", "expect_hidden", "two norms are missing"),
    ("norms without a bias", "expect_hidden", "a gain and a bias a channel"),
    ("three maps of attention", "expect_hidden", "attention has four maps"),
    ("one product", "expect_hidden", "there are two products"),
    ("the products of each head", "expect_hidden", "cancels out"),
    ("one head alone", "expect_hidden", "all heads together"),
    ("two FLOPs for a MAC", "expect_hidden", "are one MAC"),
    ("tokens not squared", "expect_hidden", "512 tokens looks at 512"),
    ("equal to one product", "expect_hidden", "2·T·D in the products"),
]
