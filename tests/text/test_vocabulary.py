import json

import numpy as np
import pytest

from rnnlab.errors import DataError
from rnnlab.text.vocabulary import EOS_ID, UNK_ID, Vocabulary

COUNTS = {"b": 3, "<unk>": 50, "c": 3, "a": 3, "d": 1, "z": 9, "<eos>": 7}


def test_most_frequent_first_then_alphabetical_after_the_two_symbols():
    vocabulary = Vocabulary.build(COUNTS)
    assert vocabulary.tokens == ("<unk>", "<eos>", "z", "a", "b", "c", "d")
    assert (vocabulary.id_of("<unk>"), vocabulary.id_of("<eos>")) == (UNK_ID, EOS_ID) == (0, 1)
    assert Vocabulary.build(dict(reversed(COUNTS.items()))) == vocabulary


def test_max_size_counts_the_symbols_and_min_frequency_is_inclusive():
    assert Vocabulary.build(COUNTS, max_size=4).tokens == ("<unk>", "<eos>", "z", "a")
    assert Vocabulary.build(COUNTS, min_frequency=3).tokens == ("<unk>", "<eos>", "z", "a", "b", "c")
    assert len(Vocabulary.build(COUNTS, max_size=100)) == 7


def test_encode_and_decode():
    vocabulary = Vocabulary.build(COUNTS)
    ids = vocabulary.encode(["a", "nowhere", "<eos>", "<unk>", "z"])
    assert ids.dtype == np.int32
    assert ids.tolist() == [3, 0, 1, 0, 2]
    assert vocabulary.decode(ids) == ["a", "<unk>", "<eos>", "<unk>", "z"]
    assert vocabulary.decode([2, 3]) == ["z", "a"]
    assert vocabulary.encode([]).shape == (0,)
    assert vocabulary.decode([]) == []


@pytest.mark.parametrize("ids", [[7], [-1], np.array([0, 7])])
def test_ids_that_are_none_are_refused(ids):
    with pytest.raises(ValueError, match=r"ids must be in \[0, 7\)"):
        Vocabulary.build(COUNTS).decode(ids)


def test_missing_words_and_their_share():
    vocabulary = Vocabulary.build(COUNTS, max_size=4)
    assert vocabulary.missing(["y", "a", "b", "y", "<unk>"]) == ["y", "b"]
    assert "a" in vocabulary
    assert "b" not in vocabulary


def test_a_closed_vocabulary_refuses_what_it_lacks():
    vocabulary = Vocabulary.build(COUNTS, closed=True)
    assert vocabulary.encode(["a", "<unk>"]).tolist() == [3, 0]
    with pytest.raises(DataError, match="'nowhere' is not in the vocabulary, which is closed"):
        vocabulary.encode(["a", "nowhere"])


@pytest.mark.parametrize("settings", [{"min_frequency": 100}, {"max_size": 2}, {"max_size": 0}])
def test_nothing_but_symbols_is_refused(settings):
    with pytest.raises(DataError, match="nothing but <unk> and <eos>"):
        Vocabulary.build(COUNTS, **settings)


@pytest.mark.parametrize("tokens", [["a", "<unk>", "<eos>"], ["<unk>", "<eos>", "a", "a"]])
def test_a_list_that_is_no_vocabulary_is_refused(tokens):
    with pytest.raises(ValueError, match="tokens must"):
        Vocabulary(tokens)


def test_a_vocabulary_is_plain_data():
    vocabulary = Vocabulary.build(COUNTS, closed=True)
    again = Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict())))
    assert again == vocabulary
    assert again != Vocabulary(vocabulary.tokens)
