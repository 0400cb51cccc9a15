import errno
import logging
import multiprocessing
import pickle
import re
import time
from dataclasses import dataclass, field

import numpy as np
import pytest

from rnnlab.corpora.corpus import Corpus, Document, fingerprint_of
from rnnlab.errors import ConfigError, DataError, RnnlabError
from rnnlab.text import encoding_pass
from rnnlab.text.encoded import EncodedSplit, encoded_corpus
from rnnlab.text.tokenizers import BasicEnglish, BytePairs, Bytes, Characters, Whitespace

TEXTS = {
    "train": [("a b a <unk>", 0), ("", 1), ("c a b", 1)],
    "test": [("b zebra a", 0), ("yak b", None)],
    "extra": [("zebra zebra", None)],
}


@dataclass
class TinyCorpus(Corpus):
    texts: dict = field(default_factory=lambda: TEXTS)
    wait: float = 0.0
    reads: list = field(default_factory=list)

    name = "tiny"
    labels = ("bad", "good")
    unlabelled = ("extra",)

    @property
    def splits(self):
        return tuple(self.texts)

    @property
    def fingerprint(self):
        return fingerprint_of(texts=self.texts)

    def documents(self, split):
        self.reads.append(split)
        for text, label in self.texts[split]:
            time.sleep(self.wait)
            yield Document(text, label)


def encoded(corpus=None, tokenizer=None, splits=("train", "test"), **settings):
    return encoded_corpus(corpus or TinyCorpus(), tokenizer or Whitespace(), splits=splits, **settings)


def words(encoded, split):
    split = encoded.splits[split]
    return [encoded.vocabulary.decode(split[i]) for i in range(len(split))]


def cache_entries(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache" / "encoded").iterdir())


@pytest.mark.smoke
def test_documents_become_flat_ids():
    result = encoded()
    train = result.splits["train"]
    assert result.vocabulary.tokens == ("<unk>", "<eos>", "a", "b", "c")
    assert (train.tokens.dtype, train.offsets.dtype, train.labels.dtype) == (np.int32, np.int64, np.int64)
    assert train.tokens.tolist() == [2, 3, 2, 0, 1, 4, 2, 3]
    assert train.offsets.tolist() == [0, 4, 5, 8]
    assert train.lengths.tolist() == [4, 1, 3]
    assert train.labels.tolist() == [0, 1, 1]
    assert result.splits["test"].labels.tolist() == [0, -1]
    assert words(result, "test") == [["b", "<unk>", "a"], ["<unk>", "b"]]
    assert result.labels == ("bad", "good")
    assert list(result.splits) == ["train", "test"]


def test_an_empty_document_is_one_end_symbol():
    assert words(encoded(), "train")[1] == ["<eos>"]


def test_unknown_words_are_counted_by_split():
    assert encoded().out_of_vocabulary == {"train": 0.0, "test": 2 / 5}


def test_the_vocabulary_is_that_of_its_splits_alone():
    splits = ("train", "test", "extra")
    assert "zebra" not in encoded(splits=splits).vocabulary
    both = encoded(splits=splits, vocabulary_splits=("train", "extra"))
    assert "zebra" in both.vocabulary
    assert "yak" not in both.vocabulary


def test_max_size_and_min_frequency_reach_the_vocabulary():
    assert encoded(max_size=3).vocabulary.tokens == ("<unk>", "<eos>", "a")
    assert encoded(min_frequency=2).vocabulary.tokens == ("<unk>", "<eos>", "a", "b")


@pytest.mark.smoke
def test_the_second_time_nothing_is_read():
    corpus = TinyCorpus()
    first = encoded(corpus)
    assert corpus.reads == ["train", "test"]
    second = encoded(corpus)
    assert corpus.reads == ["train", "test"]
    assert second.vocabulary == first.vocabulary
    assert second.key == first.key
    assert second.out_of_vocabulary == first.out_of_vocabulary
    assert words(second, "train") == words(first, "train")


@pytest.mark.smoke
def test_whatever_changes_the_ids_changes_the_key():
    changed = {**TEXTS, "test": [("b a", 0)]}
    keys = [
        encoded().key,
        encoded(TinyCorpus(changed)).key,
        encoded(tokenizer=Characters()).key,
        encoded(splits=("train",)).key,
        encoded(vocabulary_splits=("train", "test")).key,
        encoded(max_size=4).key,
        encoded(min_frequency=2).key,
    ]
    assert len(set(keys)) == len(keys)


def test_the_order_of_the_splits_changes_nothing():
    one, other = encoded(), encoded(splits=("test", "train"))
    assert one.key == other.key
    assert list(other.splits) == ["test", "train"]
    assert words(one, "test") == words(other, "test")


def test_trained_tokenizers_learn_from_the_vocabularys_splits_and_live_in_the_cache():
    corpus = TinyCorpus({"train": [("aaaa aaaa aaaa", 0)], "test": [("zzzz zzzz zzzz é", 1)]})
    result = encoded(corpus, BytePairs(vocab_size=300), max_size=302)
    assert result.tokenizer.encode("aaaa") == ["aaaa"]
    assert result.tokenizer.encode("zz") == ["z", "z"]
    assert result.out_of_vocabulary == {"train": 0.0, "test": 0.0}
    assert len(result.vocabulary) == len(result.tokenizer.symbols) + 2
    assert result.tokenizer.decode(words(result, "test")[0]) == "zzzz zzzz zzzz é"
    again = encoded(corpus, BytePairs(vocab_size=300), max_size=302)
    assert again.tokenizer.to_dict() == result.tokenizer.to_dict()
    assert corpus.reads == ["train", "train", "test"]


def test_a_trained_tokenizer_is_not_trained_again():
    tokenizer = BytePairs(vocab_size=300).train(["zzzz zzzz"])
    corpus = TinyCorpus()
    assert encoded(corpus, tokenizer).tokenizer.to_dict() == tokenizer.to_dict()
    assert corpus.reads == ["train", "test"]


def test_no_room_for_what_a_tokenizer_learnt_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"max_size=100 has no room .* vocab_size to 98 or less"):
        encoded(tokenizer=BytePairs(vocab_size=300), max_size=100)
    assert cache_entries(tmp_path) == []


def test_a_closed_vocabulary_names_the_symbol_and_the_document(tmp_path):
    message = "tiny: 'yak' in document 2 of test is not in the vocabulary, which is closed"
    corpus = TinyCorpus({**TEXTS, "test": [("b <unk>", 0), ("yak b", 0)]})
    with pytest.raises(DataError, match=message):
        encoded(corpus, closed=True)
    assert cache_entries(tmp_path) == []
    assert encoded(corpus, splits=("train",), closed=True).vocabulary.closed


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"train": [], "test": [("a", 0)]}, "train has no documents"),
        ({"train": [("", 0)], "test": [("a", 0)]}, "nothing but <unk> and <eos>"),
    ],
)
def test_text_without_any_token_is_refused(texts, message):
    with pytest.raises(DataError, match=message):
        encoded(TinyCorpus(texts))


def test_an_empty_split_is_legal_where_no_vocabulary_comes_from_it():
    for _ in range(2):
        empty = encoded(TinyCorpus({"train": [("a", 0)], "test": []})).splits["test"]
        assert (len(empty), empty.tokens.shape, empty.lengths.shape) == (0, (0,), (0,))


def test_vocabulary_splits_must_be_encoded():
    with pytest.raises(ValueError, match="must be among splits"):
        encoded(splits=("test",))


def damage_file(folder, name, how):
    path = folder / name
    if how == "missing":
        path.unlink()
    elif how == "short":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


@pytest.mark.parametrize("how", ["missing", "short", "altered"])
@pytest.mark.parametrize("name", ["manifest.json", "facts.json", "split0.tokens.npy", "split1.offsets.npy"])
def test_a_damaged_cache_is_noticed_and_made_again(tmp_path, caplog, name, how):
    corpus = TinyCorpus()
    first = encoded(corpus)
    (entry,) = cache_entries(tmp_path)
    damage_file(tmp_path / "cache" / "encoded" / entry, name, how)
    with caplog.at_level(logging.WARNING):
        second = encoded(corpus)
    assert re.search(r"is damaged \(.*\) and is made again", caplog.text)
    assert words(second, "train") == words(first, "train")
    caplog.clear()
    encoded(corpus)
    assert len(corpus.reads) == 4
    assert not caplog.records
    assert cache_entries(tmp_path) == [entry]


def test_what_is_interrupted_leaves_nothing(tmp_path):
    def interrupt(stage, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encoded(progress=interrupt)
    assert cache_entries(tmp_path) == []


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(encoding_pass, "write_split", full)
    with pytest.raises(RnnlabError, match=r"The disk is full: could not write .*RNNLAB_CACHE_DIR"):
        encoded()
    assert cache_entries(tmp_path) == []


def test_a_disk_that_spoils_what_is_written_is_not_tried_forever(monkeypatch):
    monkeypatch.setattr("rnnlab.text.sealed_folder.damage", lambda folder: "spoilt")
    with pytest.raises(RnnlabError, match="Is the disk sound"):
        encoded()


def test_one_that_comes_second_uses_what_the_first_made(tmp_path):
    """Another process puts the same entry in place while this one is still reading."""
    inner = TinyCorpus()

    def documents(split):
        encoded(inner)
        return TinyCorpus.documents(outer, split)

    outer = TinyCorpus()
    outer.documents = documents
    result = encoded(outer)
    assert words(result, "train")[2] == ["c", "a", "b"]
    assert inner.reads == outer.reads == ["train", "test"]
    assert len(cache_entries(tmp_path)) == 1


def _encode_slowly(start, results):
    start.wait()
    result = encoded(TinyCorpus(wait=0.02))
    results.put(words(result, "train"))


@pytest.mark.parametrize("how", ["nothing there", "altered"])
def test_processes_that_encode_at_once_agree(tmp_path, how):
    if how == "altered":
        damage_file(encoded().splits["train"].source.parent, "split0.tokens.npy", how)
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_encode_slowly, args=(start, results)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [results.get(timeout=300) for _ in processes]
    for process in processes:
        process.join()
    assert found[0] == found[1] == found[2] == words(encoded(), "train")
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(cache_entries(tmp_path)) == 1


def test_splits_from_the_cache_are_pickled_by_path():
    split = encoded(TinyCorpus({"train": [("a " * 50_000, 0)]}), splits=("train",)).splits["train"]
    pickled = pickle.dumps(split)
    assert len(pickled) < 1000
    again = pickle.loads(pickled)
    assert np.array_equal(again.tokens, split.tokens)
    assert not again.tokens.flags.writeable


def test_splits_in_memory_are_pickled_whole():
    split = EncodedSplit(np.arange(3, dtype=np.int32), np.array([0, 1, 3]), np.array([0, 1]))
    again = pickle.loads(pickle.dumps(split))
    assert again[1].tolist() == [1, 2]
    with pytest.raises(IndexError, match="document 2 of 2"):
        again[2]


def test_ids_are_counted_a_chunk_at_a_time(monkeypatch):
    monkeypatch.setattr("rnnlab.text.encoded.CHUNK", 4)
    asked = []
    real = np.bincount
    monkeypatch.setattr(np, "bincount", lambda ids, **how: asked.append(len(ids)) or real(ids, **how))
    split = EncodedSplit(
        np.array([1, 2, 2, 0, 5, 1, 1, 2, 1], np.int32), np.array([0, 4, 9]), np.array([0, 1])
    )
    assert split.counts(7).tolist() == [1, 4, 3, 0, 0, 1, 0]
    assert asked == [4, 4, 1]


def test_progress_is_told():
    told = []
    corpus = TinyCorpus({"train": [("a", 0)] * 1200, "test": [("a", 0)]})
    encoded(corpus, BytePairs(300), progress=lambda *report: told.append(report))
    assert told == [
        ("Training the tokenizer", 500, None),
        ("Training the tokenizer", 1000, None),
        ("Training the tokenizer", 1200, 1200),
        ("Encoding", 500, None),
        ("Encoding", 1000, None),
        ("Encoding", 1201, 1201),
    ]


def test_many_documents_are_the_same_in_parts(monkeypatch):
    corpus = TinyCorpus({"train": [(f"w{i % 7} w{i % 11} <unk>", i % 2) for i in range(500)]})
    whole = encoded(corpus, splits=("train",), max_size=9)
    monkeypatch.setattr(encoding_pass, "_CHUNK", 64)
    monkeypatch.setenv("RNNLAB_CACHE_DIR", f"{whole.splits['train'].source.parent}-parts")
    parts = encoded(corpus, splits=("train",), max_size=9)
    assert np.array_equal(parts.splits["train"].tokens, whole.splits["train"].tokens)
    assert parts.out_of_vocabulary == whole.out_of_vocabulary
    assert whole.out_of_vocabulary["train"] > 0


def test_penn_treebank_has_exactly_its_types(real_data):
    from rnnlab.corpora.penn_treebank import PennTreebank

    if not (real_data / "penn_treebank").is_dir():
        pytest.skip("no penn_treebank")
    result = encoded_corpus(
        PennTreebank(), Whitespace(), splits=("train", "validation", "test"), max_size=10_000, closed=True
    )
    assert len(result.vocabulary) == 10_000
    tokens = {name: len(split.tokens) + len(split) for name, split in result.splits.items()}
    assert tokens == {"train": 929_589, "validation": 73_760, "test": 82_430}
    assert set(result.out_of_vocabulary.values()) == {0.0}


def test_a_real_corpus_is_the_same_by_any_road(real_data):
    """Encoded as a whole, a test review is what tokenizer and vocabulary make of its text."""
    from rnnlab.corpora.rotten_tomatoes import RottenTomatoes

    try:
        corpus = RottenTomatoes()
        texts = [document.text for document in corpus.documents("test")]
    except DataError as error:
        pytest.skip(str(error))
    result = encoded_corpus(corpus, BasicEnglish(), splits=("train", "test"), max_size=5000)
    test = result.splits["test"]
    assert len(test) == len(texts)
    for i, text in enumerate(texts):
        assert np.array_equal(test[i], result.vocabulary.encode(BasicEnglish().encode(text) or ["<eos>"]))


def test_every_byte_has_its_place_in_the_vocabulary_whatever_the_text():
    found = encoded(tokenizer=Bytes(), min_frequency=5)
    assert found.vocabulary.tokens == ("<unk>", "<eos>", *map(chr, range(256)))
    assert found.splits["train"][0].tolist() == [2 + byte for byte in b"a b a <unk>"]
    assert found.out_of_vocabulary == {"train": 0.0, "test": 0.0}
    with pytest.raises(ConfigError, match=r"max_size=257 has no room for the 256 tokens .* to null\.$"):
        encoded(tokenizer=Bytes(), max_size=257)
