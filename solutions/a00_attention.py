# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,nbgrader,-all
#     notebook_metadata_filter: kernelspec,jupytext,-all
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
# # Assignment 0 · Attention (20 points)
#
# The notebook `00_attention` built attention with several heads and a masked language model. Here
# you write variations: masks for padding and for the future, and attention to another sequence.
# BERT's full corruption of a text and learned positions follow.
#
# | | exercise | points |
# |---|---|---|
# | 1 | Where a query may look | 5 |
# | 2 | Cross-attention | 4 |
# | 3 | 80, 10 and 10 per cent | 4 |
# | 4 | Positions that are learned | 3 |
# | 5 | What a block costs | 2 |
# | 6 | Why not always [MASK]? | 2 |
#
# Replace each `raise NotImplementedError`. The free cell after each solution is for your own prints
# and drawings; it is not graded. The *visible* tests give some of the points, and you can run them.
# After you hand in, *hidden* tests ask the same function about other inputs; the first line of a
# hidden test says which. N counts sequences, T queries, S keys, D and E are widths, h counts heads.
# All of it computes in a few seconds.
#
# "BERT" is Devlin et al., [arXiv:1810.04805](https://arxiv.org/abs/1810.04805).

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import torch
from torch import Tensor, nn

from course_lib import check, notebook

attention = notebook.load("00_attention")

# %% [markdown]
# ### 1 · Where a query may look (5 points)
#
# Sequences of a batch have different lengths. The short ones are filled up with *padding*, and no
# query may look there. A network that writes has a second rule: a query may not look at later
# places. Write the mask, and the softmax that obeys it.
#
# **Contract.** `may_look(lengths, size, causal)` takes the lengths (N,), int64, and returns
# (N, 1, size, size), bool. Entry [n, 0, t, s] is true where query t of sequence n may look at key
# s. This is where s is below `lengths[n]` and, if `causal`, not above t. It raises `ValueError`
# when a length is negative or above `size`.
#
# The second function, `masked_weights(scores, mask)`, takes scores (N, h, T, S) and a mask that
# broadcasts to them. It returns weights of the shape of the scores. They are the softmax over the
# keys that a query may look at, and exactly 0 elsewhere. A query that may look nowhere gets zeros,
# not nan. Neither argument is changed; no gradient is nan.
#
# *Hint:* what is $e^{-\infty}$, and what is 0/0 in a row where all scores are −∞? *To see it:*
# print a mask of size 4 as integers.

# %% nbgrader={"grade": false, "grade_id": "mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
def may_look(lengths: Tensor, size: int, causal: bool) -> Tensor:
    """Return (N, 1, size, size), bool: may query t of sequence n look at key s?

    lengths: (N,). Raises ValueError for a length that is not in 0, …, size.
    """
    ### BEGIN SOLUTION
    if lengths.min() < 0 or lengths.max() > size:
        raise ValueError(f"lengths {lengths.tolist()}: expected 0 to {size}")
    keys = torch.arange(size)
    mask = (keys < lengths[:, None])[:, None, None].expand(-1, 1, size, size)
    if causal:
        mask = mask & (keys <= keys[:, None])
    return mask
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "weights", "locked": false, "schema_version": 3, "solution": true, "task": false}
def masked_weights(scores: Tensor, mask: Tensor) -> Tensor:
    """Return the softmax over the keys that each query may look at, zeros elsewhere.

    scores: (N, h, T, S). mask: bool, broadcasts to the scores; True where it may look.
    """
    ### BEGIN SOLUTION
    weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)
    return weights.masked_fill(~mask, 0.0)  # nan where nothing may be looked at
    ### END SOLUTION

# %%
# Yours: for example, print(may_look(torch.tensor([2, 4]), 4, True).int()).

# %% nbgrader={"grade": true, "grade_id": "mask_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
mine = may_look(torch.tensor([2, 3]), 3, causal=False)
assert mine is not None, "your function returns None: is there a `return`?"
assert mine.shape == (2, 1, 3, 3), f"the mask is {tuple(mine.shape)}, expected (2, 1, 3, 3)"
assert mine.dtype == torch.bool, f"the mask is of {mine.dtype}, expected torch.bool"
assert not mine[0, 0, 0].equal(torch.tensor([False, False, True])), "True is where a query may look"
assert mine[0, 0, 2].any() or not mine[0, 0, :2].all(), "the padded *queries* look nowhere: padding is about keys, the last axis"
assert not mine[0, 0, :, 2].any(), "key 2 of the sequence of length 2 is padding: nobody looks there"
assert mine[1].all(), "nothing is padding in the sequence of length 3, and it is not causal"
assert mine[0, 0, 2, 0], "a padded query may look, too; its answer is not used"
mine = may_look(torch.tensor([2, 3]), 3, causal=True)
assert mine[1, 0].diagonal().all(), "a query may look at its own place"
assert not mine[1, 0, 0, 2], "query 0 looks at key 2, which comes later"
assert mine[1, 0, 2, 0], "query 2 may look back at key 0"
assert not mine[0, 0, 2, 2], "causal: padding stays hidden, too"
assert mine.sum() == 5 + 6, f"{mine.sum()} pairs may look, expected 5 and 6"

# %% nbgrader={"grade": true, "grade_id": "weights_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
scores = torch.tensor([[[[1.0, 2.0, 3.0], [1.0, 1.0, 5.0], [2.0, 0.0, 1.0]]]])
mask = torch.tensor([[True, True, False], [True, True, False], [True, True, True]])
copies = scores.clone(), mask.clone()
mine = masked_weights(scores, mask)
assert mine is not None, "your function returns None: is there a `return`?"
assert torch.equal(scores, copies[0]), "the scores were changed: work on a copy"
assert torch.equal(mask, copies[1]), "the mask was changed: work on a copy"
assert not torch.isclose(mine.sum(dim=-2), torch.ones(3)).all(), "softmax over the queries: it is over the keys"
zeroed = (scores * mask).softmax(dim=-1)
assert not torch.allclose(mine, zeroed), "a score of 0 still gets e⁰: hide with −∞ before the softmax"
assert not torch.allclose(mine, zeroed * mask), "a score of 0 takes its part of the sum, too: use −∞"
late = scores.softmax(dim=-1) * mask
assert not torch.allclose(mine, late), "hidden after the softmax: the weights that stay do not sum to 1"
shown = scores.masked_fill(mask, -torch.inf).softmax(dim=-1).nan_to_num()
assert not torch.allclose(mine, shown), "the mask is the wrong way round: True is where it may look"
alone = torch.where(mask, 1.0, 0.0)[None, None]
assert not torch.allclose(mine, alone), "softmax over the heads: it is over the keys, the last axis"
powers = scores.masked_fill(~mask, -torch.inf).exp()
assert not torch.allclose(mine, powers), "the exponentials are not divided by their sum"
check.close(mine[0, 0, 0], [0.268941, 0.731059, 0.0], what="scores 1, 2 and a hidden 3")
check.close(mine[0, 0, 2], scores[0, 0, 2].softmax(dim=0), what="a query that may look everywhere")
nowhere = masked_weights(scores, torch.zeros(3, 3).bool())
assert not nowhere.isnan().any(), "a query that may look nowhere gets zeros, not nan"
assert nowhere.count_nonzero() == 0, "a query that may look nowhere gets zeros, not equal weights: −1e9 alone is not enough"

# %% nbgrader={"grade": true, "grade_id": "mask_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: other lengths and sizes, against two loops; bad lengths.
### BEGIN HIDDEN TESTS
for lengths, size in [([0, 1, 5], 5), ([4], 4), ([3, 3, 1, 2], 7), ([1], 1)]:
    for causal in (True, False):
        mine = may_look(torch.tensor(lengths), size, causal)
        said = f"lengths {lengths}, size {size}, causal {causal}"
        assert mine.shape == (len(lengths), 1, size, size), f"{said}: {tuple(mine.shape)}"
        for n, length in enumerate(lengths):
            for t in range(size):
                true = [s < length and (s <= t or not causal) for s in range(size)]
                assert mine[n, 0, t].tolist() == true, f"{said}: [{n}, 0, {t}]"
for lengths in ([2, 6], [-1, 3]):
    try:
        found = may_look(torch.tensor(lengths), 5, False)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"lengths {lengths} of 5 raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "weights_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random scores and masks, against a loop; large scores; gradients; nothing is changed.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(0)
for shape in [(2, 3, 4, 5), (1, 1, 7, 2)]:
    scores = 3 * torch.randn(shape, generator=rng, dtype=torch.float64)
    for places in (shape, (shape[0], 1, 1, shape[3]), shape[2:]):
        mask = torch.rand(places, generator=rng) < 0.6
        copies = scores.clone(), mask.clone()
        mine = masked_weights(scores, mask)
        assert torch.equal(scores, copies[0]), "the scores were changed"
        assert torch.equal(mask, copies[1]), "the mask was changed"
        true = torch.zeros(shape, dtype=torch.float64)
        wide = mask.expand(shape)
        for place in torch.cartesian_prod(*map(torch.arange, shape[:3])).tolist():
            seen = wide[tuple(place)].nonzero().flatten()
            row = scores[tuple(place)]
            for s in seen:
                true[(*place, s)] = 1 / (row[seen] - row[s]).exp().sum()
        check.close(mine, true, 1e-9, 1e-9, what=f"scores {shape}, mask {tuple(places)}")
scores = torch.tensor([[[[300.0, -200.0, 1e4], [-1e5, -1e5, 0.0]]]], requires_grad=True)
mask = torch.tensor([[True, True, False], [True, True, False]])
mine = masked_weights(scores, mask)
assert not mine.isnan().any(), "e¹⁰⁰⁰⁰ is infinite: subtract the largest score, as softmax does"
assert mine[0, 0, 0, 0] > 0, "a hidden key has the largest score, and took all of the sum: hide it before the softmax"
check.close(mine, [[[[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]]], what="a hidden key has the largest score")
scores = torch.randn(1, 2, 3, 4, generator=rng, requires_grad=True)
mask = torch.tensor([[True, False, True, True], [False] * 4, [True] * 4])
mine = masked_weights(scores, mask)
assert mine.requires_grad, "the weights are cut off from the gradient: detach or item?"
(mine * torch.arange(4.0)).sum().backward()
assert not scores.grad.isnan().any(), "a gradient is nan"
assert scores.grad[0, :, 0, 1].count_nonzero() == 0, "a hidden score has a gradient"
assert scores.grad[0, :, 2].count_nonzero() > 0, "the scores get no gradient"
### END HIDDEN TESTS

# %% [markdown]
# ### 2 · Cross-attention (4 points)
#
# In the notebook's layer, tokens look at tokens of their own sequence. A decoder that translates
# also looks at *another* sequence, the encoder's states. Its queries come from x, its keys and
# values from the *memory*, which may have another length and another width.
#
# **Contract.** `CrossAttention(width, memory_width, heads)` is an `nn.Module` with four `nn.Linear`
# layers. The layers `query` and `out` go from D to D, `key` and `value` from E to D. Its
# `forward(x, memory, there=None)` takes x (N, T, D), the memory (N, S, E) and `there` (N, S), bool,
# which is false where the memory is padding. It returns (N, T, D). Each head has D/h channels that
# lie side by side, as in the notebook. Scores are divided by √(D/h). Each sequence has at least one
# token that is no padding. It raises `ValueError` when `heads` does not divide `width`. The given
# `cross_spec` computes the same slowly. Without `there`, nothing is padding. PyTorch's attention
# functions and layers are forbidden here, and so is a call of `cross_spec`.
#
# *Hint:* `unflatten` and `transpose`, as in the notebook's `split`. *To see it:* draw the weights
# of a head for T = 3, S = 7.

# %% nbgrader={"grade": false, "grade_id": "cross_spec", "locked": true, "schema_version": 3, "solution": false, "task": false}
def cross_spec(x, memory, weights: dict, heads: int, there=None, scale=None) -> Tensor:
    """The layer, one query and one head at a time; weights by name as in `state_dict()`."""
    def linear(name: str, y: Tensor) -> Tensor:
        return y @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    size = x.shape[-1] // heads
    answer = torch.zeros_like(x)
    for n, t in torch.cartesian_prod(*map(torch.arange, x.shape[:2])).tolist():
        seen = range(memory.shape[1]) if there is None else there[n].nonzero().flatten()
        mixed = []
        for head in range(heads):
            mine = slice(head * size, (head + 1) * size)
            query = linear("query", x[n, t])[mine]
            scores = torch.stack([query @ linear("key", memory[n, s])[mine] for s in seen])
            share = (scores / (scale or size**0.5)).softmax(dim=0)
            values = torch.stack([linear("value", memory[n, s])[mine] for s in seen])
            mixed.append(share @ values)
        answer[n, t] = linear("out", torch.cat(mixed))
    return answer


# what an answer does without; the specification stands on the first
NOT_YOURS = (
    "torch.cartesian_prod",
    "torch.nn.functional.scaled_dot_product_attention",
    "torch.nn.functional.multi_head_attention_forward",
)


def redrawn(layer: nn.Module, seed: int) -> nn.Module:
    """Return the layer in float64 with other weights, in eval mode."""
    rng = torch.Generator().manual_seed(seed)
    layer = layer.double().eval()
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(torch.randn(weight.shape, generator=rng))
    return layer

# %% nbgrader={"grade": false, "grade_id": "cross", "locked": false, "schema_version": 3, "solution": true, "task": false}
class CrossAttention(nn.Module):
    """Attention of x (N, T, D) to a memory (N, S, E) in several heads: (N, T, D).

    there: (N, S), bool, False where the memory is padding. Raises ValueError when
    `heads` does not divide `width`.
    """
    ### BEGIN SOLUTION
    def __init__(self, width: int, memory_width: int, heads: int):
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is no multiple of {heads} heads")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(memory_width, width)
        self.value = nn.Linear(memory_width, width)
        self.out = nn.Linear(width, width)

    def split(self, y: Tensor) -> Tensor:
        return y.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (N, h, T, D/h)

    def forward(self, x: Tensor, memory: Tensor, there: Tensor | None = None) -> Tensor:
        queries = self.split(self.query(x))
        keys, values = self.split(self.key(memory)), self.split(self.value(memory))
        scores = queries @ keys.transpose(2, 3) / queries.shape[-1] ** 0.5
        if there is not None:
            scores = scores.masked_fill(~there[:, None, None], -torch.inf)
        mixed = scores.softmax(dim=3) @ values  # (N, h, T, D/h)
        return self.out(mixed.transpose(1, 2).flatten(2))
    ### END SOLUTION

# %%
# Yours: for example, CrossAttention(8, 6, 2)(torch.randn(1, 3, 8), torch.randn(1, 7, 6)).shape.

# %% nbgrader={"grade": true, "grade_id": "cross_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(1)
layer = redrawn(CrossAttention(8, 6, 2), 1)
named = {name: tuple(weight.shape) for name, weight in layer.state_dict().items()}
for name, shape in [("query", (8, 8)), ("key", (8, 6)), ("value", (8, 6)), ("out", (8, 8))]:
    found = named.get(f"{name}.weight")
    assert found != (8, 8) or found == shape, f"{name} reads the memory, which is 6 wide, not x"
    assert found == shape, f"{name}.weight should be {shape}: there are {named}"
    assert named.get(f"{name}.bias") == (8,), f"the layer {name} has a bias: there are {named}"
assert len(named) == 8, f"four layers have 8 tensors: there are {named}"
x, memory = torch.randn(2, 2, 8).double() / 3, torch.randn(2, 5, 6).double() / 3
there = torch.tensor([[True] * 5, [True, True, False, True, False]])
one = memory[:, :1].expand(2, 5, 6)
with check.without(*NOT_YOURS):
    mine, equal = layer(x, memory, there), layer(x, one)
assert mine is not None, "forward returns None: is there a `return`?"
assert mine.shape == (2, 2, 8), f"the answer is {tuple(mine.shape)}, expected (2, 2, 8)"
weights = layer.state_dict()
true = cross_spec(x, memory, weights, 2, there)
bare = {"out.weight": torch.eye(8).double(), "out.bias": torch.zeros(8).double()}
keys = {f"value.{part}": weights[f"key.{part}"] for part in ("weight", "bias")}
order = torch.arange(8).view(2, 4).T.flatten()  # channels that are dealt out in turn
dealt = {k: v if k.startswith("out") else v[order.argsort()] for k, v in weights.items()}
joined = [{"out.weight": weights["out.weight"][:, o]} for o in (order, order.argsort())]
for wrong, words in [
    (cross_spec(x, memory, weights | bare, 2, there), "the layer `out` is missing at the end"),
    (cross_spec(x, memory, weights | keys, 2, there), "the values come from the layer `key`: they have their own"),
    (cross_spec(x, memory, weights, 2, there, scale=0.5), "multiplied by √(D/h): divide by it"),
    (cross_spec(x, memory, weights, 2), "padding is attended to"),
    (cross_spec(x, memory, weights, 2, there, scale=1.0), "the scale is forgotten: divide by √(D/h)"),
    (cross_spec(x, memory, weights, 2, there, scale=8**0.5), "divided by √D: a head has D/h channels"),
    (cross_spec(x, memory, weights, 2, there, scale=4.0), "divided by D/h: it is the root"),
    (cross_spec(x, memory, weights, 1, there), "one head of D channels, not h heads"),
    *((cross_spec(x, memory, w, 2, there), "channels of a head lie side by side: unflatten to (h, D/h), not (D/h, h)") for w in (dealt, dealt | joined[1])),
    *((cross_spec(x, memory, weights | w, 2, there), "the heads are joined in another order than they were cut: transpose back, then flatten") for w in joined),
]:
    assert not torch.allclose(mine, wrong), words
check.close(equal, cross_spec(x, one[:, :1], weights, 2), 1e-6, 1e-6, what="a memory of equal tokens: the weights over the keys sum to 1, so each answer is one token's")
assert not mine.isnan().any(), "nan: all keys are hidden; `there` is False where the memory is padding"
check.close(mine, true, 1e-6, 1e-6, what="two heads with a padded memory")
assert mine.dtype == x.dtype, f"the answer is of {mine.dtype}, expected {x.dtype}"

# %% nbgrader={"grade": true, "grade_id": "cross_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other widths, heads and lengths, with and without padding; no library's attention; bad heads.
### BEGIN HIDDEN TESTS
torch.manual_seed(2)
for seed, (width, memory_width, heads, t, s) in enumerate([(12, 5, 3, 3, 4), (6, 6, 6, 2, 3), (4, 7, 1, 4, 1), (8, 8, 4, 1, 2)]):
    layer = redrawn(CrossAttention(width, memory_width, heads), seed)
    x, memory = torch.randn(3, t, width).double(), torch.randn(3, s, memory_width).double()
    there = torch.arange(s) < torch.tensor([s, max(1, s - 1), 1])[:, None]
    there[2] = there[2].flip(0)  # padded on the left
    for real in (there, None)[: 2 - seed % 2]:
        with check.without(*NOT_YOURS):
            mine = layer(x, memory, real)
        true = cross_spec(x, memory, layer.state_dict(), heads, real)
        check.close(mine, true, 1e-6, 1e-6, what=f"width {width}, memory {memory_width}, {heads} heads")
layer = CrossAttention(8, 6, 2)
for width, heads in ((8, 3), (10, 4)):
    try:
        found = CrossAttention(width, 6, heads)
    except ValueError:
        continue
    except Exception as error:
        found = error
    raise AssertionError(f"{heads} heads for width {width} raised no ValueError, but gave {found!r}")
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "cross_learns", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(3)
layer = CrossAttention(8, 6, 2)
x, memory = torch.randn(4, 3, 8, requires_grad=True), torch.randn(4, 5, 6, requires_grad=True)
with check.without(*NOT_YOURS):
    layer(x, memory).square().sum().backward()
for name, weight in layer.named_parameters():
    if name != "key.bias":  # it moves all scores of a query alike
        assert weight.grad is not None, f"{name} gets no gradient: was it cut off?"
        assert weight.grad.count_nonzero() > 0, f"the gradient of {name} is 0"
for name, tensor in (("x", x), ("the memory", memory)):
    assert tensor.grad is not None, f"{name} gets no gradient"
    assert tensor.grad.count_nonzero() > 0, f"the gradient of {name} is 0"

# %% [markdown]
# ### 3 · 80, 10 and 10 per cent (4 points)
#
# The notebook replaces each chosen token by `[MASK]`. BERT does so for 80 % of the chosen tokens.
# 10 % become a random word, and 10 % stay as they are. The network must name *all* chosen ones. A
# visible word may be one of them, so it cannot trust any token blindly.
#
# **Contract.** `corrupt(tokens, words, mask_token, share)` takes tokens (N, T), int64. Numbers from
# 0 to `words` − 1 are words; numbers from `words` on are special, such as `[PAD]` or `mask_token`,
# and are never chosen. Each word is chosen by itself with probability `share`. Of the chosen ones,
# each by itself, 80 % become `mask_token`, 10 % a random word, each of the `words` equally likely,
# and 10 % stay. The function returns what is shown to the network and the labels, both (N, T),
# int64. The label of a chosen token is the token itself. Elsewhere it is −100, which
# `cross_entropy` leaves out. The argument `tokens` is not changed.
#
# *Hint:* one draw says *whether*, a second one says *what*. *To see it:* count the three kinds
# among 10,000 tokens.

# %% nbgrader={"grade": false, "grade_id": "corrupt", "locked": false, "schema_version": 3, "solution": true, "task": false}
def corrupt(tokens: Tensor, words: int, mask_token: int, share: float) -> tuple[Tensor, Tensor]:
    """Return what is shown to the network and the labels, −100 where none is asked for.

    tokens: (N, T), words below `words`, special ones from there on.
    Source: arXiv:1810.04805, appendix A.1.
    """
    ### BEGIN SOLUTION
    chosen = (torch.rand(tokens.shape) < share) & (tokens < words)
    kind = torch.rand(tokens.shape)
    drawn = torch.randint(words, tokens.shape)
    shown = torch.where(chosen & (kind < 0.8), mask_token, tokens)
    shown = torch.where(chosen & (kind >= 0.9), drawn, shown)
    return shown, torch.where(chosen, tokens, -100)
    ### END SOLUTION

# %%
# Yours: for example, the share of each kind among 10,000 tokens.

# %% nbgrader={"grade": true, "grade_id": "corrupt_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(4)
tokens = torch.randint(50, (200, 100))
tokens[:, 80:] = 51  # padding
before = tokens.clone()
mine = corrupt(tokens, 50, 52, 0.2)
assert mine is not None, "your function returns None: is there a `return`?"
assert len(mine) == 2, "two tensors are asked for: what is shown, and the labels"
shown, labels = mine
assert torch.equal(tokens, before), "`tokens` were changed: work on a copy"
assert shown.shape == labels.shape == tokens.shape, f"shapes {tuple(shown.shape)} and {tuple(labels.shape)}"
assert shown.dtype == labels.dtype == torch.int64, f"{shown.dtype} and {labels.dtype}, expected int64"
chosen = labels != -100
assert not chosen.all(), "every token has a label: it is −100 where the token was not chosen"
assert (labels[chosen] == tokens[chosen]).all(), "a label is the true token, not what is shown"
assert not chosen[:, 80:].any(), "a special token, which is padding here, was chosen"
same = torch.equal(shown[~chosen], tokens[~chosen])
assert same or not torch.equal(chosen, shown == 52), "labels stand at masked tokens alone: the random and the unchanged ones are asked for, too"
assert same, "a token that was not chosen is shown changed: 80, 10 and 10 are shares of the chosen ones"
found = chosen[:, :80].float().mean().item()
assert 0.17 < found < 0.23, f"{found:.0%} of the words were chosen, expected 20 %"
masked = (shown == 52)[chosen].float().mean().item()
assert masked < 0.97, "all chosen tokens become [MASK]: 80 % should, by a second draw"
assert 0.76 < masked < 0.84, f"{masked:.0%} of the chosen tokens are [MASK], expected 80 %"
kept = (shown == tokens)[chosen].float().mean().item()
assert 0.07 < kept < 0.13, f"{kept:.0%} of the chosen tokens are as they were, expected 10 %; another 10 % become a random word"

# %% nbgrader={"grade": true, "grade_id": "corrupt_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: other vocabularies and shares; which words are drawn; each token by itself; nothing to choose.
### BEGIN HIDDEN TESTS
torch.manual_seed(5)
for words, mask_token, share in [(7, 7, 0.15), (30, 35, 0.5), (4, 9, 0.9)]:
    tokens = torch.randint(words + 3, (800, 100))
    tokens[tokens >= words] += 10 * (tokens[tokens >= words] == mask_token)
    shown, labels = corrupt(tokens.clone(), words, mask_token, share)
    chosen, real = labels != -100, tokens < words
    said = f"{words} words, share {share}"
    assert not (chosen & ~real).any(), f"{said}: a special token was chosen"
    assert torch.equal(labels[chosen], tokens[chosen]), f"{said}: a label is not the token"
    assert torch.equal(shown[~chosen], tokens[~chosen]), f"{said}: changed, but not chosen"
    found = chosen[real].float().mean().item()
    assert abs(found - share) < 0.02, f"{said}: {found:.1%} of the words were chosen"
    masked = (shown == mask_token)[chosen].float().mean().item()
    assert abs(masked - 0.8) < 0.02, f"{said}: {masked:.1%} are [MASK]"
    other = chosen & (shown != mask_token)
    assert (shown[other] < words).all(), f"{said}: a random word is a special token"
    same = (shown == tokens)[chosen].float().mean().item()
    assert abs(same - (0.1 + 0.1 / words)) < 0.02, f"{said}: {same:.1%} are as they were"
    drawn = shown[other & (shown != tokens)]
    counts = torch.bincount(drawn, minlength=words) / len(drawn)
    assert (counts - 1 / words).abs().max() < 0.35 / words + 0.01, f"{said}: not each word is equally likely"
_, labels = corrupt(torch.full((400, 50), 3), 9, 9, 0.3)
several = (labels != -100).float().sum(dim=1)
assert several.std() > 1, "each row has as many chosen tokens: each is chosen by itself"
tokens = torch.full((50, 60), 3)
shown, labels = corrupt(tokens, 1000, 1000, 1.0)
rare = shown[(shown != 1000) & (shown != 3)]
assert len(rare) > 150, "share 1: a tenth of the tokens becomes a random word"
assert len(rare.unique()) > 100, "all random words of a call are the same"
shown, labels = corrupt(torch.full((3, 4), 9), 9, 10, 1.0)
assert (shown == 9).all(), "special tokens alone: nothing is changed"
assert (labels == -100).all(), "special tokens alone: nothing is asked for"
### END HIDDEN TESTS

# %% [markdown]
# ### 4 · Positions that are learned (3 points)
#
# BERT learns a vector for each place. When sequences are padded on the *left*, as in texts that are
# to be continued, the first real token should still have the first position. So count real tokens,
# not columns.
#
# **Contract.** `LearnedPositions(length, width)` is an `nn.Module` with one parameter, `weight`
# (length, width), drawn from a normal distribution with mean 0 and standard deviation 0.02. Its
# `forward(x, there)` takes x (N, T, D) and `there` (N, T), bool, false for padding. It returns x
# plus, for the k-th real token of a sequence, row k of the weight, counted from 0. Padding stays as
# it is. x is not changed. It raises `ValueError` when a sequence has more than `length` real
# tokens; T may be larger.
#
# *Hint:* `cumsum`. *To see it:* print the places of `[[False, True, True]]`.

# %% nbgrader={"grade": false, "grade_id": "positions", "locked": false, "schema_version": 3, "solution": true, "task": false}
class LearnedPositions(nn.Module):
    """Add a learned vector to each real token of x (N, T, D), by its place among them.

    there: (N, T), bool, False for padding. Raises ValueError for too many real tokens.
    """
    ### BEGIN SOLUTION
    def __init__(self, length: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(length, width))

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        counted = there.cumsum(dim=1)
        if counted.max() > len(self.weight):
            raise ValueError(f"{counted.max()} tokens: there are {len(self.weight)} places")
        places = (counted - 1).clamp(min=0)  # (N, T); padding before the first has none
        return x + self.weight[places] * there[..., None]
    ### END SOLUTION

# %%
# Yours: for example, LearnedPositions(4, 2)(torch.zeros(1, 3, 2), torch.tensor([[False, True, True]])).

# %% nbgrader={"grade": true, "grade_id": "positions_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(6)
layer = LearnedPositions(40, 50)
named = {name: tuple(weight.shape) for name, weight in layer.named_parameters()}
assert named, "there is no parameter: a plain tensor or a buffer does not learn; make it an nn.Parameter"
assert named == {"weight": (40, 50)}, f"one parameter, weight (40, 50): there are {named}"
assert layer.weight.requires_grad, "the weight does not learn: make it an nn.Parameter"
spread = layer.weight.std().item()
assert 0.018 < spread < 0.022, f"the standard deviation is {spread:.3f}, expected 0.02"
x = torch.randn(2, 4, 50)
before = x.clone()
mine = layer(x, torch.tensor([[True] * 4, [False, True, False, True]]))
assert mine is not None, "forward returns None: is there a `return`?"
assert torch.equal(x, before), "x was changed"
assert mine.shape == x.shape, f"the answer is {tuple(mine.shape)}, expected {tuple(x.shape)}"
added = (mine - x).detach()
assert not torch.allclose(added[0, 0], layer.weight[1], atol=1e-5), "the first token gets row 1: count from 0"
for wrong, words in [
    (layer.weight[:1].expand(4, -1), "every token gets row 0: count along the sequence, axis 1"),
    (layer.weight[:4].flip(0), "counted from the end: the first token has place 0"),
    (x[0] * layer.weight[:4], "the positions are multiplied: they are added"),
    (layer.weight[:4] - x[0], "x is lost: the positions are added to it"),
]:
    assert not torch.allclose(added[0], wrong, atol=1e-5), words
check.close(added[0], layer.weight[:4], 1e-2, 1e-5, what="without padding, rows 0 to 3")
assert not torch.allclose(added[1, 1], layer.weight[1], atol=1e-5), "a column of padding was counted: the first real token has place 0"
assert added[1, [0, 2]].count_nonzero() == 0, "something is added to padding"
check.close(added[1, [1, 3]], layer.weight[:2], 1e-2, 1e-5, what="the real tokens of a padded sequence")
assert mine.dtype == x.dtype, f"the answer is of {mine.dtype}, expected {x.dtype}"

# %% nbgrader={"grade": true, "grade_id": "positions_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: other sizes and paddings, against a loop; too many tokens; T above length; gradients.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(7)
for length, width, n, t in [(5, 3, 4, 5), (6, 2, 3, 15), (1, 4, 2, 1), (9, 1, 5, 4)]:
    layer = redrawn(LearnedPositions(length, width), 7)
    x = torch.randn(n, t, width, generator=rng).double()
    there = torch.rand(n, t, generator=rng) < (0.6 if t <= length else 0.25)
    there[0] = False
    there[:, length:] &= there[:, length:].cumsum(1) + there[:, :length].sum(1, keepdim=True) <= length
    try:
        mine = layer(x, there)
    except ValueError as error:
        raise AssertionError(f"{t} columns and {length} places: {error}; the *real* tokens are no more than {length}") from error
    true = x.clone()
    for row, column in there.nonzero().tolist():
        true[row, column] += layer.weight[there[row, :column].sum()].detach()
    check.close(mine, true, 1e-6, 1e-6, what=f"{t} columns and {length} places")
layer = LearnedPositions(3, 2)
layer(torch.zeros(1, 4, 2), torch.tensor([[True, True, False, False]])).sum().backward()
check.close(layer.weight.grad, [[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]], what="the gradient of the weight")
try:
    found = layer(torch.zeros(1, 4, 2), torch.ones(1, 4).bool())
except ValueError:
    found = None
except Exception as error:
    found = error
assert found is None, f"4 tokens for 3 places raised no ValueError, but gave {found!r}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "positions_learns", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Trained here: an encoder writes four symbols in the reverse order, which needs positions.
torch.manual_seed(0)
positions = LearnedPositions(4, 32)
stem, stages, head = nn.Embedding(5, 32), attention.Encoder(32, 1, 2), nn.Linear(32, 5)
nn.init.normal_(stem.weight, std=0.02)  # as BERT does
parts = nn.ModuleList([positions, stem, stages, head])
optimizer, there = torch.optim.Adam(parts.parameters(), lr=1e-2), torch.ones(32, 4).bool()
right, reached, start = [], 0.0, positions.weight.detach().clone()
while reached < 0.8 and len(right) < 60:
    tokens = torch.randint(5, (32, 4))
    logits = head(stages(positions(stem(tokens), there)))
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens.flip(1).flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    right.append((logits.argmax(dim=2) == tokens.flip(1)).float().mean().item())
    reached = sum(right[-3:]) / 3
assert not torch.equal(positions.weight, start), "the weight is not used: it did not move"
assert reached >= 0.8, f"{reached:.0%} of the symbols are right after 60 steps, expected 80 %: are the positions trained?"

# %% [markdown]
# ### 5 · What a block costs (2 points)
#
# **Expect, then compute.** A block of BERT-base has width 768; its second branch is 3,072 channels
# wide. How many parameters does the block have, norms and biases included? Its six linear maps cost
# MACs, and so do two products of attention: queries by keys, and weights by values. How many MACs
# (multiply-accumulates: one multiplication and one addition) do these *two products* cost for one
# sequence of 512 tokens, all heads together? And at which number of tokens do they cost as much as
# the six linear maps? Write the three numbers down, as arithmetic.
#
# *Hint:* the heads divide the channels, so their number cancels out. *To see it:* draw both costs
# over the number of tokens.

# %% nbgrader={"grade": false, "grade_id": "expect", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expected_costs() -> tuple[int, int, int]:
    """Return the block's parameters, the MACs of its products, the tokens of equal cost."""
    ### BEGIN SOLUTION
    width = 768
    maps = 4 * width**2 + 2 * width * 4 * width  # weights: 12 · width²
    biases = 4 * width + 4 * width + width
    norms = 2 * 2 * width
    return maps + biases + norms, 2 * 512**2 * width, maps // (2 * width)
    ### END SOLUTION

# %%
# Yours: did you expect it?

# %% nbgrader={"grade": true, "grade_id": "expect_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: your three numbers, against a block that is counted.
### BEGIN HIDDEN TESTS
with torch.device("meta"):
    block = attention.Block(768, 12, False, 0.1, 1e-12)
params = sum(weight.numel() for weight in block.parameters())
maps = sum(weight.numel() for weight in block.parameters() if weight.ndim == 2)
true = params, 2 * 512 * 512 * 768, maps * 512 // (2 * 512 * 768)
with check.without("course_lib.flops.count", "torch.nn.Module.parameters"):
    mine = list(expected_costs())
names = "parameters of the block", "MACs of the two products", "tokens of equal cost"
D = 768
likely = {
    maps: "biases and norms are missing",
    params - 9 * D: "the biases are missing",
    params - 4 * D: "two norms are missing, with a gain and a bias a channel",
    params - 2 * D: "each of the two norms has a gain and a bias a channel",
    params - D * D - D: "attention has four maps: queries, keys, values and the last one",
    params - 4 * D * D: "the second branch has two maps: to 3,072 channels and back",
    512**2 * D: "there are two products: queries by keys, and weights by values",
    12 * 2 * 512**2 * D: "the heads divide the channels: their number cancels out",
    2 * 512**2 * D // 12: "all heads together cost as much as one of the whole width",
    4 * 512**2 * D: "a multiplication and an addition are one MAC",
    2 * 512 * D: "each of the 512 tokens looks at 512",
    12 * D: "a token costs 2·T·D in the products, not T·D",
    3 * D: "a token costs 2·T·D in the products, and 12·D² in the maps",
    2 * D: "six maps are 12·D² weights: four of D², and two of 4·D²",
}
for name, found, number in zip(names, mine, true, strict=True):
    said = f"{name}: you expected {found:,}, there are {number:,}"
    assert found == number, f"{said}: {likely.get(found, 'write down each map, bias and norm')}"
### END HIDDEN TESTS

# %% [markdown]
# ### 6 · Why not always [MASK]? (2 points)
#
# Suppose that all chosen tokens were masked. What would a network learn, and not learn, about
# tokens that are *not* `[MASK]`? What do the 10 % that stay and the 10 % that are random change?
# What is different when the network is used later? Answer in two to four sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "why", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# The loss is taken at chosen places alone. If all of these were `[MASK]`, the states of visible
# tokens would only have to help their neighbours. The network would never be asked about a token
# that it sees. Texts that it is used for later hold no `[MASK]` at all, so training and use would
# differ. With 10 % unchanged it must keep the token that it sees, and with 10 % random it must
# check that token against its context.
#
# **Marking scheme.** 1 point: `[MASK]` does not occur in later use (or: the loss never asks about
# visible tokens). 1 point: unchanged tokens keep the identity of what is seen, and random ones
# force a check against the context.
# ### END SOLUTION
