"""Wrong and right answers to a14_vit, and what each is worth."""

PATCHIFY = {"patchify_visible", "patchify_hidden"}
BACK = {"back_visible", "back_hidden"}
POSITIONS = {"positions_visible", "positions_hidden"}
RESIZED = {"resized_visible", "resized_hidden"}
POOLED = {"pooled_visible", "pooled_hidden"}
ATTEND = {"attend_visible", "attend_hidden"}
ALL = ATTEND | {"attend_learns"}
MISTAKES = {
    # name: cell, what stands there, what stands there instead, test cells it costs
    "channels first": (
        "patchify",
        "permute(0, 2, 4, 3, 5, 1)",
        "permute(0, 2, 4, 1, 3, 5)",
        PATCHIFY,
    ),
    "columns before rows in a patch": (
        "patchify",
        "permute(0, 2, 4, 3, 5, 1)",
        "permute(0, 2, 4, 5, 3, 1)",
        PATCHIFY,
    ),
    "patches column by column": (
        "patchify",
        "permute(0, 2, 4, 3, 5, 1)",
        "permute(0, 4, 2, 3, 5, 1)",
        PATCHIFY,
    ),
    "no permutation": (
        "patchify",
        ".permute(0, 2, 4, 3, 5, 1)",
        "",
        PATCHIFY,
    ),
    "channels between rows and columns": (
        "patchify",
        "permute(0, 2, 4, 3, 5, 1)",
        "permute(0, 2, 4, 3, 1, 5)",
        PATCHIFY,
    ),
    "tokens last": (
        "patchify",
        "reshape(count, -1, height * width * channels)",
        "reshape(count, -1, height * width * channels).mT",
        PATCHIFY,
    ),
    "images and patches in one axis": (
        "patchify",
        "reshape(count, -1, height * width * channels)",
        "reshape(-1, height * width * channels)",
        PATCHIFY,
    ),
    "patches that do not fill the width": (
        "patchify",
        "rows % height or columns % width",
        "rows % height",
        {"patchify_hidden"},
    ),
    "height for width": (
        "patchify",
        "cut = images",
        "height, width = width, height\n    cut = images",
        PATCHIFY,
    ),
    "patches that do not fill the height": (
        "patchify",
        "rows % height or columns % width",
        "columns % width",
        {"patchify_hidden"},
    ),
    "back with channels first": (
        "back",
        "columns, height, width, -1)\n",
        "columns, -1, height, width).permute(0, 1, 2, 4, 5, 3)\n",
        BACK,
    ),
    "rows for columns": (
        "back",
        "cut = patches",
        "columns = tokens // columns\n    cut = patches",
        BACK,
    ),
    "back with columns before rows in a patch": (
        "back",
        "columns, height, width, -1)\n",
        "columns, width, height, -1).transpose(3, 4)\n",
        BACK,
    ),
    "back with patches column by column": (
        "back",
        "cut = patches.reshape(count, tokens // columns, columns, height, width, -1)",
        "cut = patches.reshape(count, columns, tokens // columns, height, width, -1)"
        ".transpose(1, 2)",
        BACK,
    ),
    "back without a permutation": (
        "back",
        "cut.permute(0, 5, 1, 3, 2, 4)",
        "cut",
        BACK,
    ),
    "back with width for height": (
        "back",
        "cut = patches",
        "height, width = width, height\n    cut = patches",
        BACK,
    ),
    "channels at the end of an image": (
        "back",
        "cut.permute(0, 5, 1, 3, 2, 4).reshape(count, -1, *side)",
        "cut.permute(0, 1, 3, 2, 4, 5).reshape(count, *side, -1)",
        BACK,
    ),
    "patches in reverse": (
        "back",
        "cut = patches.reshape",
        "cut = patches.flip(1).reshape",
        BACK,
    ),
    "patches that fill no row": (
        "back",
        "tokens % columns or ",
        "",
        {"back_hidden"},
    ),
    "patches of any length": (
        "back",
        " or length % (height * width)",
        "",
        {"back_hidden"},
    ),
    "positions as one line": (
        "positions",
        'F.interpolate(grid, (rows, columns), mode="bilinear", align_corners=False)',
        'F.interpolate(grid.flatten(2), rows * columns, mode="linear").unsqueeze(3)',
        POSITIONS,
    ),
    "the nearest position": (
        "positions",
        'mode="bilinear", align_corners=False',
        'mode="nearest"',
        POSITIONS,
    ),
    "aligned corners": (
        "positions",
        "align_corners=False",
        "align_corners=True",
        POSITIONS,
    ),
    "bicubic": (
        "positions",
        'mode="bilinear"',
        'mode="bicubic"',
        POSITIONS,
    ),
    "smoothed when it shrinks": (
        "positions",
        "align_corners=False",
        "align_corners=False, antialias=True",
        POSITIONS,
    ),
    "the class token's position is lost": (
        "positions",
        "torch.cat([position[:, :1], grid.flatten(2).mT], dim=1)",
        "grid.flatten(2).mT",
        POSITIONS | RESIZED,
    ),
    "the class token comes last": (
        "positions",
        "[position[:, :1], grid.flatten(2).mT]",
        "[grid.flatten(2).mT, position[:, :1]]",
        POSITIONS,
    ),
    "the class token's position is zero": (
        "positions",
        "[position[:, :1], grid",
        "[0 * position[:, :1], grid",
        POSITIONS,
    ),
    "rows and columns exchanged": (
        "positions",
        "(grid, (rows, columns)",
        "(grid, (columns, rows)",
        POSITIONS,
    ),
    "width in place of places": (
        "positions",
        "position[:, 1:].mT.unflatten(2, (side, side))",
        "position[:, 1:].reshape(1, -1, side, side)",
        POSITIONS,
    ),
    "no square accepted": (
        "positions",
        "side**2 != position.shape[1] - 1 or ",
        "",
        {"positions_hidden"},
    ),
    "the old network is changed": (
        "resized",
        "copy.deepcopy(net), image_size",
        "net, image_size",
        RESIZED,
    ),
    "a shallow copy": (
        "resized",
        "copy.deepcopy(net), image_size",
        "copy.copy(net), image_size",
        RESIZED,
    ),
    "frozen positions": (
        "resized",
        "net.stem.position.detach(), side, side))",
        "net.stem.position.detach(), side, side), False)",
        {"resized_visible"},
    ),
    "positions as a buffer": (
        "resized",
        "    new.stem.position = nn.Parameter(resize_positions("
        "net.stem.position.detach(), side, side))\n",
        "    del new.stem.position\n"
        '    new.stem.register_buffer("position", resize_positions('
        "net.stem.position.detach(), side, side))\n",
        {"resized_visible"},
    ),
    "a class token that is drawn anew": (
        "resized",
        "    return new",
        "    nn.init.normal_(new.stem.class_token)\n    return new",
        RESIZED,
    ),
    "positions drawn anew": (
        "resized",
        "resize_positions(net.stem.position.detach(), side, side)",
        "0.02 * torch.randn(1, side**2 + 1, net.head.in_features)",
        RESIZED,
    ),
    "the new size is not written down": (
        "resized",
        "    new.stem.image_size = image_size\n",
        "",
        RESIZED,
    ),
    "pixels for patches": (
        "resized",
        "image_size // patch_size",
        "image_size",
        RESIZED,
    ),
    "any size accepted": (
        "resized",
        "if image_size % patch_size:",
        "if image_size < patch_size:",
        {"resized_hidden"},
    ),
    "no norm": (
        "pooled",
        "net.stages(net.stem(images))",
        "net.stages[:-1](net.stem(images))",
        POOLED,
    ),
    "all without the class token": (
        "pooled",
        '"all": lambda: tokens.mean(dim=1)',
        '"all": lambda: tokens[:, 1:].mean(dim=1)',
        POOLED,
    ),
    "the linear layer before the maximum": (
        "pooled",
        "    pools = {",
        "    tokens, net = net.head(tokens), nn.Module()\n"
        "    net.head = nn.Identity()\n    pools = {",
        POOLED,
    ),
    "no linear layer": (
        "pooled",
        "net.head(pools[pool]())",
        "pools[pool]()",
        POOLED,
    ),
    "the norm after the pool": (
        "pooled",
        "net.head(pools[pool]())",
        "net.head(net.stages[-1](pools[pool]()))",
        POOLED,
    ),
    "the class token in the mean": (
        "pooled",
        '"mean": lambda: tokens[:, 1:].mean(dim=1)',
        '"mean": lambda: tokens.mean(dim=1)',
        POOLED,
    ),
    "the class token in the maximum": (
        "pooled",
        "tokens[:, 1:].amax(dim=1)",
        "tokens.amax(dim=1)",
        POOLED,
    ),
    "the last token for the class": (
        "pooled",
        "tokens[:, 0]",
        "tokens[:, -1]",
        POOLED,
    ),
    "any word is the class": (
        "pooled",
        "    if pool not in pools:",
        "    if pool == 'class ':",
        {"pooled_hidden"},
    ),
    "scale forgotten": (
        "attend",
        " / query.shape[-1] ** 0.5",
        "",
        ATTEND,
    ),
    "scale of the whole width": (
        "attend",
        "query.shape[-1] ** 0.5",
        "tokens.shape[-1] ** 0.5",
        ATTEND,
    ),
    "scale without the root": (
        "attend",
        "query.shape[-1] ** 0.5",
        "query.shape[-1]",
        ATTEND,
    ),
    "multiplied by the scale": (
        "attend",
        "/ query.shape[-1] ** 0.5",
        "* query.shape[-1] ** 0.5",
        ATTEND,
    ),
    "one head": ("attend", "self.heads = heads", "self.heads = 1", ATTEND),
    "softmax on the wrong axis": (
        "attend",
        "scores.softmax(dim=1)",
        "scores.softmax(dim=0)",
        ATTEND,
    ),
    "softmax over the heads": (
        "attend",
        "scores.softmax(dim=1)",
        "scores.softmax(dim=2)",
        ATTEND,
    ),
    "heads split in the wrong order": (
        "attend",
        "(x.unflatten(-1, (self.heads, -1)) for x",
        "(x.unflatten(-1, (-1, self.heads)).mT for x",
        ATTEND,
    ),
    "heads merged in the wrong order": (
        "attend",
        ".sum(dim=1).flatten(1))",
        ".sum(dim=1).mT.flatten(1))",
        ATTEND,
    ),
    "values before keys": (
        "attend",
        "keys, values = self.key_value",
        "values, keys = self.key_value",
        ATTEND,
    ),
    "keys and values interleaved": (
        "attend",
        "self.key_value(tokens).chunk(2, dim=-1)",
        "self.key_value(tokens).unflatten(-1, (-1, 2)).unbind(-1)",
        ATTEND,
    ),
    "project forgotten": (
        "attend",
        "return self.project((weights[..., None] * values).sum(dim=1).flatten(1))",
        "return (weights[..., None] * values).sum(dim=1).flatten(1)",
        ALL,
    ),
    "a mean": (
        "attend",
        "scores.softmax(dim=1)",
        "torch.ones_like(scores) / scores.shape[1]",
        ALL,
    ),
    "no gradient to the query": (
        "attend",
        "query = self.query.unflatten",
        "query = self.query.detach().unflatten",
        ALL,
    ),
    "a large query": (
        "attend",
        "0.02 * torch.randn(width)",
        "torch.randn(width)",
        {"attend_hidden"},
    ),
    "any number of heads": (
        "attend",
        "if width % heads:",
        "if heads < 1:",
        {"attend_hidden"},
    ),
    "no layer norms": ("expect", "2 * 2 * width", "0", {"expect_hidden"}),
    "one bias for q, k and v": (
        "expect",
        "+ 3 * width + width * width",
        "+ width + width * width",
        {"expect_hidden"},
    ),
    "no class token": (
        "expect",
        "1 + 14 * 14, 1 + 28 * 28",
        "14 * 14, 28 * 28",
        {"expect_hidden"},
    ),
    "no final norm": (
        "expect",
        "12 * block + 2 * width",
        "12 * block",
        {"expect_hidden"},
    ),
    "no positions": ("expect", " + small * width", "", {"expect_hidden"}),
    "no biases in the head": (
        "expect",
        "1000 * width + 1000",
        "1000 * width",
        {"expect_hidden"},
    ),
    "no patch embedding": (
        "expect",
        "stem = 3 * 16 * 16 * width + width + ",
        "stem = ",
        {"expect_hidden"},
    ),
    "twice as many tokens": (
        "expect",
        "1 + 28 * 28",
        "2 * (1 + 14 * 14)",
        {"expect_hidden"},
    ),
    "two FLOPs for a MAC": (
        "expect",
        "12 * 2 * large",
        "12 * 4 * large",
        {"expect_hidden"},
    ),
    "one block": ("expect", "12 * 2 * large", "2 * large", {"expect_hidden"}),
    "tokens not squared": (
        "expect",
        "large * large * width",
        "large * width",
        {"expect_hidden"},
    ),
    "scores alone": (
        "expect",
        "12 * 2 * large",
        "12 * large",
        {"expect_hidden"},
    ),
    "heads counted twice": (
        "expect",
        "12 * 2 * large",
        "12 * 2 * 6 * large",
        {"expect_hidden"},
    ),
}
BODIES = {
    # name: cell, another body for its function, test cells it costs
    "the notebook's patches": (
        "patchify",
        "return vits.unfold(images, height)",
        PATCHIFY,
    ),
    "it refuses every image": ("patchify", "raise ValueError", PATCHIFY),
    "it refuses every grid": ("positions", "raise ValueError", POSITIONS | RESIZED),
    "the network itself": (
        "resized",
        "return net",
        RESIZED,
    ),
    "the norm after the pool alone": (
        "pooled",
        "x = net.stages[:-1](net.stem(images))\n"
        "reads = {'class': x[:, 0], 'mean': x[:, 1:].mean(1), 'all': x.mean(1),\n"
        "         'max': x[:, 1:].amax(1)}\n"
        "if pool not in reads: raise ValueError\n"
        "return net.head(net.stages[-1](reads[pool]))",
        POOLED,
    ),
    "the network's own logits": ("pooled", "return net(images)", POOLED),
    "the weights of a network": (
        "expect",
        "net = vits.ViT(224, 16, vits.Row(12, 384, 1536, 6), 1000)\n"
        "params = sum(value.numel() for value in net.state_dict().values())\n"
        "return params, 197, 785, 24 * 785**2 * 384",
        {"expect_hidden"},
    ),
    "the counter": (
        "expect",
        "row = vits.Row(12, 384, 1536, 6)\n"
        "net = vits.ViT(224, 16, row, 1000)\n"
        "params = flops.count(net, (1, 3, 224, 224)).params\n"
        "return params, 197, 785, 24 * 785**2 * 384",
        {"expect_hidden"},
    ),
}
SOURCES = {
    # name: cell, its whole source, test cells it costs
    "the notebook's attention": (
        "attend",
        "class AttentionPool(nn.Module):\n"
        "    def __init__(self, width, heads):\n"
        "        super().__init__()\n"
        "        if width % heads: raise ValueError()\n"
        "        self.attention = vits.Attention(width, heads)\n"
        "    def forward(self, tokens):\n"
        "        return self.attention(tokens).mean(dim=1)\n",
        ALL,
    ),
    "PyTorch's attention": (
        "attend",
        "class AttentionPool(nn.Module):\n"
        "    def __init__(self, width, heads):\n"
        "        super().__init__()\n"
        "        if width % heads: raise ValueError()\n"
        "        self.query = nn.Parameter(0.02 * torch.randn(width))\n"
        "        self.layer = nn.MultiheadAttention(width, heads, batch_first=True)\n"
        "    def forward(self, tokens):\n"
        "        query = self.query.expand(len(tokens), 1, -1)\n"
        "        return self.layer(query, tokens, tokens)[0][:, 0]\n",
        ALL,
    ),
}
RIGHT = {
    "patchify with unfold": (
        "patchify",
        "if images.shape[2] % height or images.shape[3] % width:\n"
        "    raise ValueError('no')\n"
        "rows = F.unfold(images, (height, width), stride=(height, width)).mT\n"
        "return rows.unflatten(2, (images.shape[1], -1)).mT.flatten(2)",
    ),
    "patchify patch by patch": (
        "patchify",
        "N, C, H, W = images.shape\n"
        "if H / height != H // height or W / width != W // width:\n"
        "    raise ValueError('no')\n"
        "parts = [part for row in images.split(height, dim=2)\n"
        "         for part in row.split(width, dim=3)]\n"
        "return torch.stack([p.movedim(1, -1).flatten(1) for p in parts], 1)",
    ),
    "patchify by indices": (
        "patchify",
        "N, C, H, W = images.shape\n"
        "if H % height or W % width:\n"
        "    raise ValueError('no')\n"
        "y = torch.arange(H).view(-1, 1, height, 1)\n"
        "x = torch.arange(W).view(1, -1, 1, width)\n"
        "return images.permute(0, 2, 3, 1)[:, y, x].flatten(3).flatten(1, 2)",
    ),
    "back with fold": (
        "back",
        "N, T, L = patches.shape\n"
        "if T % columns or L % (height * width):\n"
        "    raise ValueError('no')\n"
        "size = (T // columns * height, columns * width)\n"
        "rows = patches.unflatten(2, (height * width, -1)).mT.flatten(2)\n"
        "step = (height, width)\n"
        "return F.fold(rows.mT, size, step, stride=step)",
    ),
    "back patch by patch": (
        "back",
        "N, T, L = patches.shape\n"
        "if T % columns != 0 or L % (height * width) != 0:\n"
        "    raise ValueError('no')\n"
        "parts = [p.reshape(N, height, width, -1) for p in patches.unbind(1)]\n"
        "rows = [torch.cat(parts[i : i + columns], 2) for i in range(0, T, columns)]\n"
        "return torch.cat(rows, 1).permute(0, 3, 1, 2)",
    ),
    "back by assignment": (
        "back",
        "N, T, L = patches.shape\n"
        "if T // columns * columns != T or L // (height * width) * height * width != L:\n"
        "    raise ValueError('no')\n"
        "out = patches.new_zeros(N, L // (height * width), T // columns * height,\n"
        "                        columns * width)\n"
        "for n in range(L // (height * width)):\n"
        "    for p in range(height * width):\n"
        "        own = patches[:, :, p * out.shape[1] + n].view(N, -1, columns)\n"
        "        out[:, n, p // width :: height, p % width :: width] = own\n"
        "return out",
    ),
    "positions with a matrix for each axis": (
        "positions",
        "G = round((position.shape[1] - 1) ** 0.5)\n"
        "if G * G + 1 != position.shape[1] or min(rows, columns) < 1:\n"
        "    raise ValueError('no')\n"
        "def matrix(n):\n"
        "    place = ((torch.arange(n) + 0.5) * G / n - 0.5).clamp(0, G - 1)\n"
        "    apart = (place[:, None] - torch.arange(G)).abs()\n"
        "    return (1 - apart).clamp(min=0).to(position)\n"
        "grid = position[0, 1:].view(G, G, -1)\n"
        "new = torch.einsum('ig,jh,ghd->ijd', matrix(rows), matrix(columns), grid)\n"
        "return torch.cat([position[:, :1], new.reshape(1, rows * columns, -1)], 1)",
    ),
    "positions by upsample": (
        "positions",
        "old = position.shape[1] - 1\n"
        "G = next((g for g in range(old + 1) if g * g == old), None)\n"
        "if G is None or rows <= 0 or columns <= 0:\n"
        "    raise ValueError('no')\n"
        "image = position[:, 1:].reshape(1, G, G, -1).permute(0, 3, 1, 2)\n"
        "up = nn.Upsample(size=(rows, columns), mode='bilinear')(image)\n"
        "up = up.permute(0, 2, 3, 1).reshape(1, rows * columns, -1)\n"
        "return torch.cat((position[:, 0:1], up), dim=1)",
    ),
    "positions one axis after the other": (
        "positions",
        "G = int((position.shape[1] - 1) ** 0.5 + 0.5)\n"
        "if G**2 != position.shape[1] - 1 or not (rows >= 1 and columns >= 1):\n"
        "    raise ValueError('no')\n"
        "grid = position[0, 1:].reshape(G, G, -1)\n"
        "wide = F.interpolate(grid.permute(0, 2, 1), columns, mode='linear')\n"
        "tall = F.interpolate(wide.permute(2, 1, 0), rows, mode='linear')\n"
        "flat = tall.permute(2, 0, 1).reshape(1, rows * columns, -1)\n"
        "return torch.cat([position[:, :1], flat], dim=1)",
    ),
    "a network built anew": (
        "resized",
        "P, D = net.stem.project.kernel_size[0], net.head.in_features\n"
        "if image_size % P:\n"
        "    raise ValueError('no')\n"
        "blocks = net.stages[:-1]\n"
        "row = vits.Row(len(blocks), D, blocks[0].mlp[0].out_features,\n"
        "               blocks[0].attention.heads)\n"
        "new = vits.ViT(image_size, P, row, net.head.out_features)\n"
        "state, G = net.state_dict(), image_size // P\n"
        "state['stem.position'] = resize_positions(state['stem.position'], G, G)\n"
        "new.load_state_dict(state)\n"
        "return new.train(net.training)",
    ),
    "a new stem in a copy": (
        "resized",
        "P, D = net.stem.project.stride[0], net.stem.class_token.shape[-1]\n"
        "stem = vits.PatchEmbedding(image_size, P, D)\n"
        "new, G = copy.deepcopy(net), image_size // P\n"
        "with torch.no_grad():\n"
        "    stem.class_token.copy_(net.stem.class_token)\n"
        "    stem.project.load_state_dict(net.stem.project.state_dict())\n"
        "    stem.position.copy_(resize_positions(net.stem.position, G, G))\n"
        "new.stem = stem\n"
        "return new",
    ),
    "the data of a copy's positions": (
        "resized",
        "new = copy.deepcopy(net)\n"
        "G, rest = divmod(image_size, new.stem.project.kernel_size[1])\n"
        "if rest:\n"
        "    raise ValueError('no')\n"
        "new.stem.image_size = image_size\n"
        "new.stem.position.data = resize_positions(new.stem.position.data, G, G)\n"
        "return new",
    ),
    "pools with an if for each": (
        "pooled",
        "x = net.stem(images)\n"
        "for layer in net.stages:\n"
        "    x = layer(x)\n"
        "if pool == 'class':\n"
        "    return net.head(x[:, 0, :])\n"
        "elif pool == 'mean':\n"
        "    return net.head(x[:, 1:].sum(1) / (x.shape[1] - 1))\n"
        "elif pool == 'all':\n"
        "    return net.head(x.mean(-2))\n"
        "elif pool == 'max':\n"
        "    return net.head(x[:, 1:].max(dim=1).values)\n"
        "raise ValueError('no')",
    ),
    "pools after the linear layer where they may": (
        "pooled",
        "z = net.stages(net.stem(images))\n"
        "if pool == 'max':\n"
        "    return net.head(F.adaptive_max_pool1d(z[:, 1:].mT, 1)[:, :, 0])\n"
        "logits = net.head(z)\n"
        "first = {'class': 0, 'mean': 1, 'all': 0}\n"
        "if pool not in first:\n"
        "    raise ValueError('no')\n"
        "last = 1 if pool == 'class' else None\n"
        "return logits[:, first[pool] : last].mean(dim=1)",
    ),
    "pools as weights of tokens": (
        "pooled",
        "z = net.stages(net.stem(images))\n"
        "T = z.shape[1]\n"
        "weights = {'class': [1.0] + [0.0] * (T - 1), 'all': [1 / T] * T,\n"
        "           'mean': [0.0] + [1 / (T - 1)] * (T - 1)}\n"
        "if pool == 'max':\n"
        "    return net.head(torch.stack([t[1:].amax(0) for t in z]))\n"
        "if pool not in weights:\n"
        "    raise ValueError('no')\n"
        "return net.head(torch.tensor(weights[pool]) @ z)",
    ),
    "expected as numbers": (
        "expect",
        "return [22_050_664, 197, 785, 5_679_129_600]",
    ),
    "expected with one bias more a layer": (
        "expect",
        "linear = lambda a, b: (a + 1) * b\n"
        "norm, d = 2 * 384, 384\n"
        "block = 2 * norm + 4 * linear(d, d) + linear(d, 1536) + linear(1536, d)\n"
        "few, many = [n * n + 1 for n in (14, 28)]\n"
        "ends = linear(768, d) + d + few * d + norm + linear(d, 1000)\n"
        "return ends + 12 * block, few, many, 24 * many * many * d",
    ),
    "expected from a list of layers": (
        "expect",
        "D = 384\n"
        "layers = 12 * [(D, 3 * D), (D, D), (D, 4 * D), (4 * D, D)]\n"
        "layers += [(3 * 16**2, D), (D, 1000)]\n"
        "params = sum((before + 1) * after for before, after in layers)\n"
        "tokens = [(side // 16) ** 2 + 1 for side in (224, 448)]\n"
        "params += 25 * 2 * D + (1 + tokens[0]) * D\n"
        "return params, *tokens, 12 * 2 * D * tokens[1] ** 2",
    ),
}
WITH_LIBRARY = """
class AttentionPool(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        if width // heads * heads != width:
            raise ValueError("no")
        self.h = heads
        self.project = nn.Linear(width, width)
        self.key_value = nn.Linear(width, width * 2)
        self.query = nn.Parameter(torch.empty(width).normal_(0, 0.02))

    def forward(self, tokens):
        N, T, D = tokens.shape
        kv = self.key_value(tokens).view(N, T, 2, self.h, D // self.h)
        k, v = kv.permute(2, 0, 3, 1, 4)
        q = self.query.view(1, self.h, 1, -1).expand(N, -1, -1, -1)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.project(y.reshape(N, D))
"""
HEAD_BY_HEAD = """
class AttentionPool(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        if width % heads != 0:
            raise ValueError("no")
        self.width, self.heads = width, heads
        self.query = nn.Parameter(torch.randn(width).mul(0.02))
        self.key_value = nn.Linear(width, 2 * width, bias=True)
        self.project = nn.Linear(width, width, bias=True)

    def forward(self, tokens):
        both, own, mixed = self.key_value(tokens), self.width // self.heads, []
        for first in range(0, self.width, own):
            k = both[:, :, first : first + own]
            v = both[:, :, self.width + first : self.width + first + own]
            scores = k @ self.query[first : first + own] * own**-0.5
            p = torch.exp(scores - scores.max(dim=1, keepdim=True).values)
            p = p / p.sum(dim=1, keepdim=True)
            mixed.append((p[:, None, :] @ v)[:, 0])
        return self.project(torch.cat(mixed, dim=1))
"""
WITH_EINSUM = """
class AttentionPool(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        if width % heads > 0:
            raise ValueError("no")
        self.heads = heads
        self.register_parameter("query", nn.Parameter(torch.randn(width) / 50))
        self.key_value, self.project = nn.Linear(width, 2 * width), nn.Linear(width, width)

    def forward(self, tokens):
        kv = self.key_value(tokens).unflatten(-1, (2, self.heads, -1))
        q = self.query.unflatten(0, (self.heads, -1))
        scores = torch.einsum("hd,nthd->nht", q / q.shape[1] ** 0.5, kv[:, :, 0])
        y = torch.einsum("nht,nthd->nhd", scores.softmax(-1), kv[:, :, 1])
        return self.project(y.flatten(1))
"""
RIGHT_SOURCES = {
    "a pool with PyTorch's function": ("attend", WITH_LIBRARY),
    "a pool head by head": ("attend", HEAD_BY_HEAD),
    "a pool with einsum": ("attend", WITH_EINSUM),
}
WORDS = [
    ("channels first", "patchify_visible", "here they come last"),
    ("columns before rows in a patch", "patchify_visible", "row by row"),
    ("patches column by column", "patchify_visible", "to the right of the first"),
    ("rows for columns", "back_visible", "2 columns of patches"),
    ("back with channels first", "back_visible", "the channels come last"),
    ("positions as one line", "positions_visible", "interpolated in 2-D"),
    ("the nearest position", "positions_visible", "no interpolation"),
    ("aligned corners", "positions_visible", "`align_corners`"),
    ("the class token comes last", "positions_visible", "stays as it is"),
    ("the old network is changed", "resized_visible", "leave the old one"),
    ("a shallow copy", "resized_visible", "the old network has changed"),
    ("no norm", "pooled_visible", "the norm is missing"),
    ("the class token in the mean", "pooled_visible", "the class token is no patch"),
    ("scale forgotten", "attend_visible", "is forgotten"),
    ("scale of the whole width", "attend_visible", "not √D"),
    ("softmax on the wrong axis", "attend_visible", "on the wrong axis"),
    ("a mean", "attend_visible", "the same weight"),
    ("no permutation", "patchify_visible", "reshape alone"),
    ("channels between rows and columns", "patchify_visible", "stand between rows"),
    ("tokens last", "patchify_visible", "the tokens come before"),
    ("images and patches in one axis", "patchify_visible", "have an axis each"),
    ("height for width", "patchify_visible", "does `height` cut the rows"),
    ("the notebook's patches", "patchify_visible", "need not be square"),
    ("patches that do not fill the height", "patchify_hidden", "no ValueError, but"),
    ("patches that do not fill the width", "patchify_hidden", "no ValueError, but"),
    ("back with columns before rows in a patch", "back_visible", "row by row"),
    ("back with patches column by column", "back_visible", "to the right of the"),
    ("back without a permutation", "back_visible", "reshape alone"),
    ("back with width for height", "back_visible", "2 high and 3 wide"),
    ("channels at the end of an image", "back_visible", "come before its rows"),
    ("patches in reverse", "back_visible", "in reverse"),
    ("patches that fill no row", "back_hidden", "no ValueError, but gave Runtime"),
    ("patches of any length", "back_hidden", "no ValueError, but gave Runtime"),
    ("bicubic", "positions_visible", "bilinear is asked for"),
    ("smoothed when it shrinks", "positions_visible", "no `antialias`"),
    ("the class token's position is lost", "positions_visible", "is lost"),
    ("the class token's position is zero", "positions_visible", "stays as it is"),
    ("rows and columns exchanged", "positions_visible", "are exchanged"),
    ("width in place of places", "positions_visible", "were torn apart"),
    ("no square accepted", "positions_hidden", "no ValueError, but gave Runtime"),
    ("positions drawn anew", "resized_visible", "were they drawn anew?"),
    ("the new size is not written down", "resized_visible", "the old image_size"),
    ("pixels for patches", "resized_visible", "count patches"),
    ("frozen positions", "resized_visible", "they are frozen"),
    ("positions as a buffer", "resized_visible", "make them an nn.Parameter"),
    ("a class token that is drawn anew", "resized_visible", "copy all weights"),
    ("the network itself", "resized_visible", "leave the old one"),
    ("any size accepted", "resized_hidden", "no ValueError, but gave"),
    ("the norm after the pool alone", "pooled_visible", "comes before the pool"),
    ("the norm after the pool", "pooled_visible", "the norm is applied twice"),
    ("the class token in the maximum", "pooled_visible", "max: the class token is no"),
    ("the last token for the class", "pooled_visible", "this is the last token"),
    ("all without the class token", "pooled_visible", "the class token counts, too"),
    ("the linear layer before the maximum", "pooled_visible", "comes after the pool"),
    ("no linear layer", "pooled_visible", "the linear layer is missing"),
    ("the network's own logits", "pooled_visible", "mean: this is the class token"),
    ("any word is the class", "pooled_hidden", "no ValueError, but gave KeyError"),
    ("scale without the root", "attend_visible", "not D/h itself"),
    ("multiplied by the scale", "attend_visible", "divide by it"),
    ("one head", "attend_visible", "one head over the whole width"),
    ("heads split in the wrong order", "attend_visible", "numbers side by side"),
    ("heads merged in the wrong order", "attend_visible", "joined in another order"),
    ("values before keys", "attend_visible", "values come before keys"),
    ("keys and values interleaved", "attend_visible", "keys and values in turn"),
    ("project forgotten", "attend_visible", "the layer `project` is missing"),
    ("no gradient to the query", "attend_visible", "the query gets no gradient"),
    ("the notebook's attention", "attend_visible", "of a library or the notebook"),
    ("PyTorch's attention", "attend_visible", "of a library or the notebook"),
    ("a large query", "attend_hidden", "the query's standard deviation"),
    ("any number of heads", "attend_hidden", "no ValueError, but gave 'Atten"),
    ("no layer norms", "expect_hidden", "a block has two layer norms"),
    ("one bias for q, k and v", "expect_hidden", "have a bias each"),
    ("no final norm", "expect_hidden", "the final norm"),
    ("no positions", "expect_hidden", "the positions are learned"),
    ("no biases in the head", "expect_hidden", "the head has biases"),
    ("no patch embedding", "expect_hidden", "the patch embedding is missing"),
    ("twice as many tokens", "expect_hidden", "four times as many patches"),
    ("scores alone", "expect_hidden", "two products"),
    ("heads counted twice", "expect_hidden", "their number cancels out"),
    ("two FLOPs for a MAC", "expect_hidden", "are one MAC"),
    ("one block", "expect_hidden", "twelve blocks, not one"),
    ("tokens not squared", "expect_hidden", "paired with all 785"),
]
