"""Text as tokens: words, byte-pair encoding, and guesses that only count.

Python's help pages are the text: real English that every interpreter carries. A
vocabulary is learned from it, and counting in it says what a language model must beat.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import Tensor

from course_lib.errors import CourseError

Pair = tuple[str, str]
NEW = -1  # stands for a token that no text has
CONTEXTS: dict[str, list[tuple[int, ...]]] = {
    # the places that a guess looks at; where what stands there is new, the next ones
    "unigram": [()],
    "left bigram": [(-1,), ()],
    "right bigram": [(1,), ()],
    "two-sided trigram": [(-1, 1), (-1,), (1,), ()],
}


def words_of(texts: Iterable[str]) -> list[str]:
    """Split texts into words and signs; the space before a word belongs to it.

    Joined again, the words are the texts, each with a space before it.
    """
    pattern = r" ?\w+| ?[^\w\s]+|\s"
    return [word for text in texts for word in re.findall(pattern, " " + text)]


def help_pages() -> tuple[list[str], list[str]]:
    """Return the words of Python's help pages, to train on and to validate on.

    Every tenth paragraph is for validation. Many stand in several topics; each is kept
    once, so that none is in both parts. The pages differ a little between versions.
    """
    from pydoc_data.topics import topics

    pages = [topics[name].split("\n\n") for name in sorted(topics)]
    found = [" ".join(part.split()) for page in pages for part in page]
    paragraphs = [paragraph for paragraph in dict.fromkeys(found) if paragraph]
    train = [text for place, text in enumerate(paragraphs) if place % 10]
    return words_of(train), words_of(paragraphs[::10])


def learn_merges(words: Counter[str], count: int) -> list[Pair]:
    """Return the `count` pairs that byte-pair encoding joins, the first one first.

    words: how often each occurs. Each step joins the most frequent pair of neighbours,
    of equally frequent ones the last in the alphabet. Fewer pairs are returned when
    every word is one part before. Source: arXiv:1508.07909, algorithm 1.
    """
    parts = {word: tuple(word) for word in words}
    pairs: Counter[Pair] = Counter()  # how often each pair occurs now
    where = defaultdict(set)  # the words that may hold a pair

    def add(word: str, sign: int) -> None:
        for pair in pairwise(parts[word]):
            pairs[pair] += sign * words[word]
            where[pair].add(word)

    for word in words:
        add(word, 1)
    merges: list[Pair] = []
    while len(merges) < count:
        best = max(pairs, key=lambda pair: (pairs[pair], pair), default=None)
        if best is None or not pairs[best]:
            break
        for word in where.pop(best):
            add(word, -1)
            parts[word] = merge(parts[word], best)
            add(word, 1)
        del pairs[best]
        merges.append(best)
    return merges


def merge(parts: Iterable[str], pair: Pair) -> tuple[str, ...]:
    """Return the parts of a word with each occurrence of the pair made one part."""
    merged: list[str] = []
    for part in parts:
        if merged and (merged[-1], part) == pair:
            merged[-1] += part
        else:
            merged.append(part)
    return tuple(merged)


def split(word: str, ranks: dict[Pair, int]) -> tuple[str, ...]:
    """Return the parts of a word; ranks: the place of each pair in the list of merges.

    The pair of the lowest rank is joined first, as it was when the merges were learned.
    """
    parts = tuple(word)
    while len(parts) > 1:
        pairs = list(pairwise(parts))
        first = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)))
        if first not in ranks:
            break
        parts = merge(parts, first)
    return parts


class Vocabulary:
    """`size` tokens that byte-pair encoding learned from words.

    tokens: their spelling, by number; the last two are [UNK] and [MASK]. Raises
    CourseError if the words cannot give as many tokens, or have too many letters.
    """

    def __init__(self, words: Iterable[str], size: int):
        counts = Counter(words)
        letters = sorted(set("".join(counts)))
        merges = learn_merges(counts, size - 2 - len(letters))
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.tokens = [*letters, *map("".join, merges), "[UNK]", "[MASK]"]
        self.numbers = {token: place for place, token in enumerate(self.tokens)}
        if len(self.tokens) != size:
            raise CourseError(
                f"a vocabulary of {size} tokens cannot be learned from these words: "
                f"expected {len(letters) + 2} (their letters, [UNK] and [MASK]) or "
                "more, and at most what merging all pairs gives; choose another size "
                "or give more text"
            )

    def encode(self, words: list[str]) -> Tensor:
        """Return the tokens (T,) of words, int64; what no token spells is [UNK]."""
        unknown = len(self.tokens) - 2
        parts = {
            word: [self.numbers.get(part, unknown) for part in split(word, self.ranks)]
            for word in set(words)
        }
        tokens = [token for word in words for token in parts[word]]
        return torch.tensor(tokens, dtype=torch.long)

    def decode(self, tokens: Tensor) -> str:
        """Return the text that tokens (T,) spell: the encoded words, joined."""
        return "".join(self.tokens[token] for token in tokens.tolist())


def counted(train: list[int], offsets: tuple[int, ...]) -> dict[tuple[int, ...], int]:
    """Return the most frequent token for each context, its tokens at these offsets.

    Of equally frequent ones it is the first in `train`. The first and the last token
    lack a neighbour and are not counted.
    """
    counts: dict = defaultdict(Counter)
    for place in range(1, len(train) - 1):
        counts[tuple(train[place + step] for step in offsets)][train[place]] += 1
    return {context: count.most_common(1)[0][0] for context, count in counts.items()}


def counting_accuracy(
    train: Tensor,
    val: Tensor,
    contexts: list[tuple[int, ...]],
    masked: Tensor | None = None,
) -> float:
    """Return the fraction of tokens `val` (T,) that counting in `train` (S,) guesses.

    contexts: a row of CONTEXTS; each offset is -1 or 1, and the last entry is (), which
    is never new. masked: bool (T,); only these are guessed, and as neighbours they are
    new. None: all are guessed, and all neighbours are seen. The first and the last
    token are not guessed. Raises CourseError when a text has fewer than three tokens,
    or none to guess.
    """
    for name, tokens in (("train", train), ("val", val)):
        if len(tokens) < 3:
            raise CourseError(
                f"{name} has {len(tokens)} tokens: expected 3 or more, as the first "
                "and the last are not guessed; give a longer text"
            )
    shown = val if masked is None else val.masked_fill(masked, NEW)
    asked = torch.ones_like(val) if masked is None else masked
    places = [place for place in range(1, len(val) - 1) if asked[place]]
    if not places:
        raise CourseError("no token between the first and the last is masked; mask one")
    train, val, shown, right = train.tolist(), val.tolist(), shown.tolist(), 0
    tables = [(offsets, counted(train, offsets)) for offsets in contexts]
    for place in places:
        seen = (
            (table, tuple(shown[place + step] for step in offsets))
            for offsets, table in tables
        )
        guess = next(table[context] for table, context in seen if context in table)
        right += guess == val[place]
    return right / len(places)
