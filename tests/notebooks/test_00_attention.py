"""What the notebook on attention exports, against PyTorch and Hugging Face."""

from __future__ import annotations

import csv

import pytest
import torch
from torch import nn

from course_lib import check, notebook, results
from tests.tiers import rest_is_slow

ATTENTION = notebook.load("00_attention")


def redrawn(net: nn.Module) -> nn.Module:
    """Return the network in float64 with every parameter drawn anew."""
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in net.double().parameters():
            weight.normal_(std=0.3)
    return net


def as_torch(ours) -> nn.MultiheadAttention:
    """Return PyTorch's layer with the weights of ours."""
    theirs = nn.MultiheadAttention(
        ours.out.in_features, ours.heads, batch_first=True
    ).double()
    parts = ours.query, ours.key, ours.value
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    theirs.out_proj.load_state_dict(ours.out.state_dict())
    return theirs


@pytest.mark.parametrize("heads", [1, 3, 12])
@pytest.mark.parametrize("masked", [False, True])
def test_heads_are_those_of_torch(heads, masked):
    ours = redrawn(ATTENTION.MultiHeadAttention(12, heads))
    x = torch.randn(2, 7, 12).double()
    mask = torch.ones(7, 7).tril().bool() if masked else None
    hidden = None if mask is None else ~mask  # PyTorch's is True where nobody may look
    theirs = as_torch(ours)(x, x, x, attn_mask=hidden, average_attn_weights=False)
    for mine, true in zip(ours(x, mask), theirs, strict=True):
        check.close(mine, true, 1e-9, 1e-9)


def test_a_mask_for_each_sequence_hides_its_padding():
    ours = redrawn(ATTENTION.MultiHeadAttention(12, 3))
    x = torch.randn(2, 7, 12).double()
    there = torch.arange(7) < torch.tensor([7, 4])[:, None]  # (N, T)
    mixed, weights = ours(x, there[:, None, None])
    assert weights[1, :, :, 4:].count_nonzero() == 0
    check.close(mixed[1:, :4], ours(x[1:, :4])[0], 1e-9, 1e-9)


def test_scaled_dot_products_are_those_of_torch():
    queries, keys, values = torch.randn(3, 2, 3, 5, 8).double()
    mixed, weights = ATTENTION.ScaledDotProductAttention()(queries, keys, values)
    check.close(weights.sum(dim=-1), torch.ones(2, 3, 5))
    theirs = nn.functional.scaled_dot_product_attention(queries, keys, values)
    check.close(mixed, theirs, 1e-9, 1e-9)


def test_additive_attention_is_its_formula():
    layer = redrawn(ATTENTION.AdditiveAttention(3, 4, 5))
    query, keys = torch.randn(1, 1, 3).double(), torch.randn(1, 6, 4).double()
    scores = [
        layer.score(torch.tanh(layer.query(query[0, 0]) + layer.key(key)))
        for key in keys[0]
    ]
    weights = torch.cat(scores).softmax(dim=0)
    mixed, found = layer(query, keys, keys)
    check.close(found[0, 0], weights, 1e-9, 1e-9)
    check.close(mixed[0, 0], weights @ keys[0], 1e-9, 1e-9)


def test_heads_must_divide_the_width_and_a_width_be_even():
    with pytest.raises(ValueError, match="width 10 is no multiple of 4 heads"):
        ATTENTION.MultiHeadAttention(10, 4)
    with pytest.raises(ValueError, match="width is 7"):
        ATTENTION.sinusoidal_positions(5, 7)


@pytest.mark.parametrize("offset", [-4, 0, 3])
def test_one_matrix_shifts_all_positions(offset):
    positions = ATTENTION.sinusoidal_positions(30, 8)
    check.close(positions[1, :2], [0.841471, 0.540302])
    moved = positions[5:25] @ ATTENTION.shift(offset, 8).T
    check.close(moved, positions[5 + offset : 25 + offset], atol=1e-5)


@pytest.mark.parametrize("pre_norm", [True, False])
def test_the_encoder_is_that_of_torch(pre_norm):
    ours = redrawn(ATTENTION.Encoder(12, 2, 3, pre_norm))
    layer = nn.TransformerEncoderLayer(
        12, 3, 48, 0.0, "gelu", batch_first=True, norm_first=pre_norm
    )
    norm = nn.LayerNorm(12) if pre_norm else None
    theirs = nn.TransformerEncoder(layer, 2, norm, enable_nested_tensor=False).double()
    if norm:
        theirs.norm.load_state_dict(ours.norm.state_dict())
    for mine, true in zip(ours.blocks, theirs.layers, strict=True):
        attention = as_torch(mine.attention).state_dict()
        true.self_attn.load_state_dict(attention)
        pairs = (true.linear1, mine.mlp[0]), (true.linear2, mine.mlp[2])
        pairs += (true.norm1, mine.norms[0]), (true.norm2, mine.norms[1])
        for target, source in pairs:
            target.load_state_dict(source.state_dict())
    x = torch.randn(2, 7, 12).double()
    check.close(ours(x), theirs(x), 1e-9, 1e-9)


def test_bert_base_has_its_parameters():
    with torch.device("meta"):
        check.params(ATTENTION.bert_base(), 109_482_240)


NAMES = {  # ours: Hugging Face's
    "stem.word": "bert.embeddings.word_embeddings",
    "stem.position": "bert.embeddings.position_embeddings",
    "stem.segment": "bert.embeddings.token_type_embeddings",
    "stem.norm": "bert.embeddings.LayerNorm",
    "stages.blocks": "bert.encoder.layer",
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.out": "attention.output.dense",
    "mlp.0": "intermediate.dense",
    "mlp.2": "output.dense",
    "norms.0": "attention.output.LayerNorm",
    "norms.1": "output.LayerNorm",
    "head.0": "cls.predictions.transform.dense",
    "head.2": "cls.predictions.transform.LayerNorm",
}


def theirs_called(name: str) -> str:
    if name == "bias":
        return "cls.predictions.bias"
    for mine, true in NAMES.items():
        name = name.replace(mine, true)
    return name


def hugging_face(ours, kind: str = "BertForMaskedLM", **names: str) -> nn.Module:
    """Return their network of the size 40, 24, 3 layers, 4 heads, 16 places."""
    import transformers  # takes seconds: not at the top

    config = transformers.BertConfig(
        vocab_size=40,
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=96,
        max_position_embeddings=16,
        attn_implementation="eager",
    )
    theirs = getattr(transformers, kind)(config).double()
    weights = dict(theirs.named_parameters())
    with torch.no_grad():
        for name, weight in ours.named_parameters():
            true = theirs_called(name)
            weights.pop(names.get(true, true)).copy_(weight)
    assert not weights, "weights without a counterpart"
    return theirs


TOKENS = torch.randint(40, (2, 9), generator=torch.Generator().manual_seed(0))
SEGMENTS = (torch.arange(9) > 4).long().expand(2, 9)


@pytest.mark.slow
@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
def test_logits_are_those_of_hugging_face(train):
    ours = redrawn(ATTENTION.MaskedLanguageModel(40, 24, 3, 4, 16, dropout=0.1))
    theirs = hugging_face(ours)
    there = torch.arange(9) < torch.tensor([9, 6])[:, None]
    torch.manual_seed(1)
    logits = ours.train(train)(TOKENS, SEGMENTS, there[:, None, None])
    torch.manual_seed(1)  # the same dropout, drawn in the same order
    answer = theirs.train(train)(
        TOKENS, token_type_ids=SEGMENTS, attention_mask=there.long()
    )
    check.close(logits, answer.logits, 1e-9, 1e-9)


@pytest.mark.slow
def test_the_summary_is_that_of_hugging_face():
    ours = redrawn(ATTENTION.Bert(40, 24, 3, 4, 16)).eval()
    names = {
        name: name.removeprefix("bert.")
        for name in map(theirs_called, dict(ours.named_parameters()))
    }
    dense = "cls.predictions.transform.dense"
    names |= {f"{dense}.{what}": f"pooler.dense.{what}" for what in ("weight", "bias")}
    theirs = hugging_face(ours, "BertModel", **names).eval()
    states, summary = ours(TOKENS, SEGMENTS)
    answer = theirs(TOKENS, token_type_ids=SEGMENTS)
    check.close(states, answer.last_hidden_state, 1e-9, 1e-9)
    check.close(summary, answer.pooler_output, 1e-9, 1e-9)


def test_the_share_of_masked_tokens_is_the_one_asked_for():
    torch.manual_seed(0)
    tokens = torch.arange(20_000).view(100, 200) % 7
    shown, chosen = ATTENTION.mask_tokens(tokens, 7, 0.15)
    assert abs(chosen.float().mean() - 0.15) < 0.01
    assert (shown[chosen] == 7).all()
    assert torch.equal(shown[~chosen], tokens[~chosen])


@pytest.mark.parametrize("fixed", rest_is_slow([False, True]))
def test_the_reverser_trains_on_what_it_should_write(fixed):
    torch.manual_seed(0)
    net = ATTENTION.Reverser(4, fixed, width=8)
    tokens = torch.randint(4, (3, 5))
    logits, weights = net(tokens)
    assert logits.shape == (3, 5, 4)
    assert weights.shape == (3, 5, 1 if fixed else 5)
    own = logits.argmax(dim=2)  # what it wrote, given as the answer, changes nothing
    check.close(net(tokens, own)[0], logits)
    losses = ATTENTION.train_reverser(net, 4, 60)
    assert losses[-1] < losses[0]


def test_the_two_reversers_have_equal_parameters():
    sizes = {
        sum(weight.numel() for weight in ATTENTION.Reverser(20, fixed).parameters())
        for fixed in (False, True)
    }
    assert len(sizes) == 1


def test_masked_accuracy_is_that_of_a_net_that_always_says_the_same():
    net = ATTENTION.MaskedLanguageModel(12, 8, 1, 2, 16)
    with torch.no_grad():
        net.bias[3] = 1e6
    assert ATTENTION.masked_accuracy(net, torch.full((480,), 3)) == 1
    assert ATTENTION.masked_accuracy(net, torch.full((480,), 4)) == 0
    state = torch.get_rng_state()
    ATTENTION.masked_accuracy(net, torch.full((480,), 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert net.training
    keeps = []  # whether a pass keeps what a gradient would need
    net.register_forward_hook(lambda *_: keeps.append(torch.is_grad_enabled()))
    ATTENTION.masked_accuracy(net, torch.full((480,), 4))
    assert keeps == [False]


@pytest.mark.slow
def test_the_masked_model_learns_a_text_that_repeats():
    torch.manual_seed(0)
    net = ATTENTION.MaskedLanguageModel(8, 16, 1, 2, 8, pre_norm=True)
    tokens = torch.arange(6).repeat(50)
    losses = ATTENTION.train_masked(net, tokens, 150, length=8, top=1e-2)
    assert len(losses) == 150
    assert ATTENTION.masked_accuracy(net, tokens, 8) > 0.9


def rows(name: str) -> list[dict]:
    path = results.RESULTS / f"00_attention-{name}.csv"
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_of_reversals_is_whole_and_says_what_the_notebook_says():
    found = rows("reverse")
    arms = sorted((row["fixed"], row["seed"]) for row in found)
    assert arms == [(fixed, seed) for fixed in ("False", "True") for seed in "012"]
    for row in found:
        share = float(row["symbols_right"])
        assert share < 0.5 if row["fixed"] == "True" else share > 0.99
    beside = [float(row["beside"]) for row in found if row["fixed"] == "False"]
    assert sum(share > 0.8 for share in beside) == 2


def test_the_table_of_masked_models_has_each_length_with_each_share():
    short = [row for row in rows("masked") if row["steps"] == "700"]
    arms = sorted((row["length"], row["share"]) for row in short)
    assert arms == [(n, share) for n in ("16", "32") for share in ("0.15", "0.3")]


def test_the_long_runs_beat_the_trigram_that_sees_what_they_see():
    long = [row for row in rows("masked") if int(row["steps"]) > 700]
    assert len(long) == 2
    for row in long:
        assert float(row["alone"]) > float(row["trigram"]) + 0.08


@pytest.mark.slow
def test_cells_that_check_run_without_data(monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    names: dict = {}
    for cell in notebook.cells(notebook.source("00_attention").read_text("utf-8")):
        if {"export", "check"} & set(cell.tags):
            exec(cell.source, names)
    assert names["bert"]
