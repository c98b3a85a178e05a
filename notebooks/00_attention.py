# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 00 · Attention

# %% tags=["check"]
import torch

# %% tags=["export"]
from torch import Tensor, nn


class AdditiveAttention(nn.Module):
    """Mix values by the scores v · tanh(W query + U key).

    Queries (N, T, D), keys (N, S, E) and values (N, S, V) become the mixtures (N, T, V) and the
    weights (N, T, S). Source: arXiv:1409.0473.
    """

    def __init__(self, query_width: int, key_width: int, hidden: int):
        super().__init__()
        self.query = nn.Linear(query_width, hidden)
        self.key = nn.Linear(key_width, hidden, bias=False)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(
        self, queries: Tensor, keys: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor]:
        sums = (
            self.query(queries)[:, :, None] + self.key(keys)[:, None]
        )  # (N, T, S, hidden)
        weights = self.score(torch.tanh(sums)).squeeze(-1).softmax(dim=-1)  # (N, T, S)
        return weights @ values, weights


# %% tags=["export"]
class Reverser(nn.Module):
    """Write the symbols (N, T) that were read, in the reverse order.

    fixed: the decoder sees the two last states of the encoder only, not the states of all T places.
    """

    def __init__(self, symbols: int, fixed: bool = False, width: int = 32):
        super().__init__()
        self.fixed = fixed
        self.embedding = nn.Embedding(
            symbols + 1, width
        )  # the last one begins an answer
        self.encoder = nn.GRU(width, width, bidirectional=True, batch_first=True)
        self.attention = AdditiveAttention(2 * width, 2 * width, 2 * width)
        self.decoder = nn.GRUCell(3 * width, 2 * width)
        self.head = nn.Linear(4 * width, symbols)

    def forward(
        self, tokens: Tensor, answer: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return logits (N, T, symbols) and weights (N, T, S): S is T, or 1 if `fixed`.

        answer: (N, T), what should be written, to train with; without it, the decoder reads what it
        wrote itself.
        """
        keys, last = self.encoder(self.embedding(tokens))  # (N, T, 2·width)
        state = torch.cat([last[0], last[1]], dim=1)
        if self.fixed:
            keys = state[:, None]
        before = torch.full_like(tokens[:, 0], self.embedding.num_embeddings - 1)
        logits, weights = [], []
        for step in range(tokens.shape[1]):
            context, weight = self.attention(state[:, None], keys, keys)
            state = self.decoder(
                torch.cat([self.embedding(before), context[:, 0]], dim=1), state
            )
            logits.append(self.head(torch.cat([state, context[:, 0]], dim=1)))
            weights.append(weight[:, 0])
            before = logits[-1].argmax(dim=1) if answer is None else answer[:, step]
        return torch.stack(logits, dim=1), torch.stack(weights, dim=1)


# %% tags=["export"]
def train_reverser(
    net: Reverser, length: int, steps: int, batch_size: int = 64
) -> list[float]:
    """Train on random sequences with Adam, 3e-3; return the loss (nats a symbol) of each step."""
    optimizer, losses = torch.optim.Adam(net.parameters(), lr=3e-3), []
    for _ in range(steps):
        tokens = torch.randint(net.head.out_features, (batch_size, length))
        answer = tokens.flip(1)
        loss = nn.functional.cross_entropy(
            net(tokens, answer)[0].flatten(0, 1), answer.flatten()
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% tags=["export"]
class ScaledDotProductAttention(nn.Module):
    """Mix values by the products of queries and keys, divided by √D.

    Queries (…, T, D), keys (…, S, D) and values (…, S, V) become the mixtures (…, T, V) and the
    weights (…, T, S). mask: bool, of a shape that broadcasts to (…, T, S); True where a query
    may look. A query that may look nowhere gets nan. dropout: probability for a weight.
    """

    def __init__(self, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries, keys, values, mask=None) -> tuple[Tensor, Tensor]:
        scores = (
            queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5
        )  # (…, T, S)
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        weights = self.dropout(scores.softmax(dim=-1))
        return weights @ values, weights


# %% tags=["export"]
class MultiHeadAttention(nn.Module):
    """Self-attention in several heads: (N, T, D) becomes (N, T, D), and the weights (N, h, T, T).

    heads: h, a divisor of width. mask: as in ScaledDotProductAttention.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0):
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is no multiple of {heads} heads")
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.attention = ScaledDotProductAttention(dropout)
        self.out = nn.Linear(width, width)

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (N, h, T, D/h)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        queries, keys, values = (
            self.split(part(x)) for part in (self.query, self.key, self.value)
        )
        mixed, weights = self.attention(queries, keys, values, mask)
        return self.out(mixed.transpose(1, 2).flatten(2)), weights


# %% tags=["export"]
def sinusoidal_positions(length: int, width: int) -> Tensor:
    """Return (length, width): sin(t·f) in the even columns, cos(t·f) in the odd ones.

    f = 10,000^(−2i/width) for the i-th pair of columns; width is even. Source: arXiv:1706.03762,
    section 3.5.
    """
    if width % 2:
        raise ValueError(
            f"width is {width}: expected an even number, a sine and a cosine a pair"
        )
    frequency = 10_000 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(length)[:, None] * frequency  # (length, width/2)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


# %% tags=["export"]
def shift(offset: int, width: int) -> Tensor:
    """Return the (width, width) matrix that turns position t into position t + offset, for all t."""
    sin, cos = sinusoidal_positions(abs(offset) + 1, width)[-1].view(-1, 2).T
    sin = -sin if offset < 0 else sin
    turns = torch.stack([cos, sin, -sin, cos], dim=1).view(-1, 2, 2)
    return torch.block_diag(*turns)


# %% tags=["export"]
class Block(nn.Module):
    """Attention and a network of two layers for each token, each with a shortcut and a norm.

    pre_norm: normalise what enters a branch, as GPT-2 and ViT do; otherwise the sum of branch and shortcut, as in
    the first Transformer and in BERT. Dropout also acts on the weights of attention.
    """

    def __init__(
        self, width: int, heads: int, pre_norm: bool, dropout: float, eps: float
    ):
        super().__init__()
        self.pre_norm = pre_norm
        self.attention = MultiHeadAttention(width, heads, dropout)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=eps) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        first, second = self.norms
        if self.pre_norm:
            x = x + self.dropout(self.attention(first(x), mask)[0])
            return x + self.dropout(self.mlp(second(x)))
        x = first(x + self.dropout(self.attention(x, mask)[0]))
        return second(x + self.dropout(self.mlp(x)))


# %% tags=["export"]
class Encoder(nn.Module):
    """`depth` blocks: (N, T, D) becomes (N, T, D).

    With pre-norm a last norm follows, as the shortcut is never normalised before.
    """

    def __init__(self, width, depth, heads, pre_norm=True, dropout=0.0, eps=1e-5):
        super().__init__()
        shape = width, heads, pre_norm, dropout, eps
        self.blocks = nn.ModuleList(Block(*shape) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=eps) if pre_norm else nn.Identity()

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)


# %% tags=["export"]
class Embeddings(nn.Module):
    """Tokens (N, T) become (N, T, D): a vector each for word, place and segment, summed, normalised."""

    def __init__(
        self, vocabulary: int, width: int, length: int, dropout: float, eps: float
    ):
        super().__init__()
        self.word = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(length, width)
        self.segment = nn.Embedding(2, width)
        self.norm, self.dropout = nn.LayerNorm(width, eps=eps), nn.Dropout(dropout)

    def forward(self, tokens: Tensor, segments: Tensor | None = None) -> Tensor:
        segments = torch.zeros_like(tokens) if segments is None else segments
        places = self.position.weight[: tokens.shape[1]]  # (T, D)
        return self.dropout(
            self.norm(self.word(tokens) + places + self.segment(segments))
        )


def initialise(layer: nn.Module) -> None:
    """Draw embeddings with the standard deviation of PyTorch's linear layers, 1/√(3·width).

    At BERT-base's width of 768 this is 0.021; BERT draws with 0.02.
    """
    if isinstance(layer, nn.Embedding):
        nn.init.normal_(layer.weight, std=(3 * layer.embedding_dim) ** -0.5)


# %% tags=["export"]
class Bert(nn.Module):
    """Tokens (N, T) become states (N, T, D) and a summary (N, D), made from the first state.

    T is at most `length`. segments: (N, T), 0 or 1: the first or the second sentence. mask: as in
    ScaledDotProductAttention. Source: arXiv:1810.04805, section 3.
    """

    def __init__(self, vocabulary, width, depth, heads, length, dropout=0.1):
        super().__init__()
        self.stem = Embeddings(vocabulary, width, length, dropout, eps=1e-12)
        self.stages = Encoder(
            width, depth, heads, pre_norm=False, dropout=dropout, eps=1e-12
        )
        self.head = nn.Sequential(nn.Linear(width, width), nn.Tanh())
        self.apply(initialise)

    def forward(self, tokens, segments=None, mask=None) -> tuple[Tensor, Tensor]:
        states = self.stages(self.stem(tokens, segments), mask)
        return states, self.head(states[:, 0])


def bert_base() -> Bert:
    """Return BERT-base: 109,482,240 parameters."""
    return Bert(30_522, 768, 12, 12, 512)


# %% tags=["export"]
class MaskedLanguageModel(nn.Module):
    """Tokens (N, T) become logits (N, T, vocabulary): which word stands at each place?

    The last layer shares its weights with the embedding of words. pre_norm: as in Block.
    """

    def __init__(
        self, vocabulary, width, depth, heads, length, pre_norm=False, dropout=0.0
    ):
        super().__init__()
        self.stem = Embeddings(vocabulary, width, length, dropout, eps=1e-12)
        self.stages = Encoder(width, depth, heads, pre_norm, dropout, eps=1e-12)
        norm = nn.LayerNorm(width, eps=1e-12)
        self.head = nn.Sequential(nn.Linear(width, width), nn.GELU(), norm)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.apply(initialise)

    def logits(self, states: Tensor) -> Tensor:
        """Return logits (…, vocabulary) for states (…, D) that the encoder gave."""
        return nn.functional.linear(self.head(states), self.stem.word.weight, self.bias)

    def forward(self, tokens, segments=None, mask=None) -> Tensor:
        return self.logits(self.stages(self.stem(tokens, segments), mask))


# %% tags=["export"]
from collections import Counter, defaultdict


def merge(parts: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """Return the parts of a word with each occurrence of the pair made one part."""
    merged = []
    for part in parts:
        if merged and (merged[-1], part) == pair:
            merged[-1] += part
        else:
            merged.append(part)
    return tuple(merged)


def learn_merges(words: Counter, count: int) -> list[tuple[str, str]]:
    """Return the `count` pairs that byte-pair encoding joins, the first one first.

    words: how often each occurs. Each step joins the most frequent pair of neighbours.
    """
    parts, pairs, where = (
        {word: tuple(word) for word in words},
        Counter(),
        defaultdict(set),
    )

    def add(word: str, sign: int) -> None:
        for pair in zip(parts[word], parts[word][1:], strict=False):
            pairs[pair] += sign * words[word]
            where[pair].add(word)

    for word in words:
        add(word, 1)
    merges = []
    for _ in range(count):
        merges.append(max(pairs, key=lambda pair: (pairs[pair], pair)))
        for word in where.pop(merges[-1]):
            add(word, -1)
            parts[word] = merge(parts[word], merges[-1])
            add(word, 1)
        del pairs[merges[-1]]
    return merges


# %% tags=["export"]
def mask_tokens(
    tokens: Tensor, mask_token: int, share: float = 0.15
) -> tuple[Tensor, Tensor]:
    """Return tokens with a random share replaced by `mask_token`, and which ones (bool), both (N, T)."""
    chosen = torch.rand(tokens.shape) < share
    return tokens.masked_fill(chosen, mask_token), chosen


# %% tags=["export"]
def train_masked(
    net: MaskedLanguageModel,
    tokens: Tensor,
    steps: int,
    length: int = 32,
    top: float = 5e-3,
):
    """Train on random stretches of `tokens` (T,), 64 a step, the last word [MASK]; return the losses.

    The learning rate rises to `top` for 8 % of the steps, and falls linearly to 0 from 30 %.
    Losses are nats a masked token.
    """
    optimizer = torch.optim.AdamW(net.parameters(), lr=top, weight_decay=0.01)
    pieces, losses = tokens.unfold(0, length, 1), []  # (T − length + 1, length)
    for step in range(steps):
        done = step / steps
        optimizer.param_groups[0]["lr"] = top * min(
            1, (done + 1 / steps) / 0.08, (1 - done) / 0.7
        )
        batch = pieces[torch.randint(len(pieces), (64,))]
        shown, chosen = mask_tokens(batch, len(net.bias) - 1)
        states = net.stages(net.stem(shown))[chosen]  # only the masked ones cost logits
        loss = nn.functional.cross_entropy(net.logits(states), batch[chosen])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses
