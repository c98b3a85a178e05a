"""Words, byte-pair encoding and counting, against loops that are obviously right."""

import random
from collections import Counter

import pytest
import torch

from course_lib import text
from course_lib.errors import CourseError

PAPER = {"low·": 5, "lower·": 2, "newest·": 6, "widest·": 3}  # · ends a word
SIGNS = "abcdeé_7 ,.(*)[]\n\t  "
LEARNED = ["the letters are abcdeé_7", "a bad, bad cab.", "(*)[]", "\n\t"]


def random_texts(count: int, longest: int, letters: str = SIGNS) -> list[str]:
    dice = random.Random(0)
    lengths = [dice.randrange(longest + 1) for _ in range(count)]
    return ["".join(dice.choices(letters, k=length)) for length in lengths]


@pytest.mark.parametrize("name", ["words", "tokens"])
def test_every_text_comes_back(name):
    vocabulary = text.Vocabulary(text.words_of(LEARNED), 40)
    for line in random_texts(300, 40):
        words = text.words_of([line])
        back = "".join(words)
        if name == "tokens":
            back = vocabulary.decode(vocabulary.encode(words))
        assert back == " " + line


def test_a_space_belongs_to_the_word_after_it():
    words = text.words_of(["a list is a list", "lists, too: is it?"])
    assert words[:3] == [" a", " list", " is"]
    assert words[5:] == [" lists", ",", " too", ":", " is", " it", "?"]


def test_a_letter_that_is_new_is_unknown():
    words = text.words_of(["a list is a list", "lists, too: is it?"])
    vocabulary = text.Vocabulary(words, 18)
    assert len(vocabulary.tokens) == 18
    assert vocabulary.tokens[-2:] == ["[UNK]", "[MASK]"]
    tokens = vocabulary.encode([" list", "€", " l€t"])
    assert (tokens == 16).sum() == 2
    assert vocabulary.decode(tokens) == " list[UNK] l[UNK]t"


def test_no_words_are_no_tokens():
    tokens = text.Vocabulary([" a"], 4).encode([])
    assert (tokens.dtype, tokens.shape) == (torch.int64, (0,))


def algorithm_1(words: dict[str, int], count: int) -> list[tuple[str, str]]:
    """Count all pairs anew after each merge, as in the paper's listing."""
    parts, merges = {word: tuple(word) for word in words}, []
    for _ in range(count):
        pairs: Counter = Counter()
        for word, n in words.items():
            for pair in zip(parts[word], parts[word][1:], strict=False):
                pairs[pair] += n
        merges.append(max(pairs, key=lambda pair: (pairs[pair], pair)))
        parts = {word: text.merge(part, merges[-1]) for word, part in parts.items()}
    return merges


def test_merges_of_the_paper_s_example():
    """est· occurs 9 times and low 7 times: the listing joins these two first, too."""
    merges = text.learn_merges(Counter(PAPER), 10)
    assert merges == algorithm_1(PAPER, 10)
    joined = ["".join(pair) for pair in merges]
    assert joined[2] == "est·"
    assert joined[4] == "low"
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    assert text.split("lowest·", ranks) == ("low", "est·")  # in no word it learned from


@pytest.mark.parametrize("seed", range(3))
def test_merges_are_those_of_counting_anew_after_each(seed):
    dice = random.Random(seed)
    words = {
        "".join(dice.choices("abn", k=dice.randint(2, 7))): dice.randint(1, 5)
        for _ in range(15)
    }
    assert text.learn_merges(Counter(words), 8) == algorithm_1(words, 8)


@pytest.mark.parametrize("seed", range(3))
def test_a_word_is_split_as_it_was_when_merges_were_learned(seed):
    dice = random.Random(seed)
    words = Counter("".join(dice.choices("abn", k=6)) for _ in range(20))
    merges = text.learn_merges(words, 9)
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    for word in words:
        parts = tuple(word)
        for pair in merges:
            parts = text.merge(parts, pair)
        assert text.split(word, ranks) == parts


def test_a_pair_that_overlaps_itself_is_joined_from_the_left():
    assert text.merge("newest", ("e", "s")) == ("n", "e", "w", "es", "t")
    assert text.merge("aaa", ("a", "a")) == ("aa", "a")
    assert text.merge("aaaa", ("a", "a")) == ("aa", "aa")


def test_merges_end_where_every_word_is_one_part():
    assert text.learn_merges(Counter({"ab": 2, "c": 1}), 5) == [("a", "b")]
    assert text.learn_merges(Counter(), 5) == []


@pytest.mark.parametrize("size", [-1, 4, 7])
def test_a_vocabulary_of_another_size_is_refused(size):
    """Letters a, b and c, ab, [UNK] and [MASK] are 5 or 6 tokens."""
    assert len(text.Vocabulary(["ab", "c"], 5).tokens) == 5
    assert len(text.Vocabulary(["ab", "c"], 6).tokens) == 6
    with pytest.raises(CourseError, match=f"of {size} tokens .* expected 5 .* size"):
        text.Vocabulary(["ab", "c"], size)


def test_help_pages_share_no_paragraph():
    train, val = text.help_pages()
    assert len(train) > 8 * len(val) > 10_000
    assert text.help_pages() == (train, val)


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("unigram", 3 / 6),  # it says 1
        ("left bigram", 5 / 6),  # 0 1, 1 2, 2 0
        ("right bigram", 4 / 6),  # 1 2, 2 0, 0 1
        ("two-sided trigram", 5 / 6),  # 1 ? 2 is new: it takes 1 2
    ],
)
def test_counting_guesses_by_hand(name, share):
    train = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 1, 0])
    val = torch.tensor([0, 1, 2, 0, 1, 1, 2, 2])
    assert text.counting_accuracy(train, val, text.CONTEXTS[name]) == share


def guess(train: list[int], val: list[int], place: int, contexts: list) -> int:
    """Look through all of the training text for each guess."""
    for offsets in contexts:
        found = [
            train[at]
            for at in range(1, len(train) - 1)
            if all(train[at + step] == val[place + step] for step in offsets)
        ]
        if found:
            return max(dict.fromkeys(found), key=found.count)
    raise AssertionError("no token at all")


@pytest.mark.parametrize("name", text.CONTEXTS)
@pytest.mark.parametrize("tokens", [3, 12])
def test_counts_are_those_of_a_slow_loop(name, tokens):
    draw = torch.Generator().manual_seed(tokens)
    train, val = (torch.randint(tokens, (n,), generator=draw) for n in (150, 60))
    slow, contexts = (train.tolist(), val.tolist()), text.CONTEXTS[name]
    right = [guess(*slow, n, contexts) == slow[1][n] for n in range(1, 59)]
    assert text.counting_accuracy(train, val, contexts) == sum(right) / 58


@pytest.mark.parametrize("name", text.CONTEXTS)
def test_at_equal_sight_a_masked_neighbour_is_hidden(name):
    draw = torch.Generator().manual_seed(5)
    train, val = (torch.randint(4, (n,), generator=draw) for n in (150, 60))
    masked = torch.rand(60, generator=draw) < 0.5
    shown, contexts = val.masked_fill(masked, 9), text.CONTEXTS[name]
    places = [n for n in range(1, 59) if masked[n]]
    right = [
        guess(train.tolist(), shown.tolist(), n, contexts) == val[n] for n in places
    ]
    found = text.counting_accuracy(train, val, contexts, masked)
    assert found == sum(right) / len(places)
    with pytest.raises(CourseError, match="no token between"):
        text.counting_accuracy(train, val, contexts, torch.zeros(60, dtype=torch.bool))


@pytest.mark.parametrize(("sizes", "name"), [((2, 9), "train"), ((9, 0), "val")])
def test_a_text_without_neighbours_is_refused(sizes, name):
    train, val = (torch.zeros(size, dtype=torch.long) for size in sizes)
    with pytest.raises(
        CourseError, match=f"{name} has {min(sizes)} tokens: expected 3"
    ):
        text.counting_accuracy(train, val, [()])
