"""A corpus as one text a split: an <eos> after each document, extra text in training, nothing of test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnlab.corpora.corpus import Corpus, Document, fingerprint_of
from rnnlab.corpora.imdb import Imdb
from rnnlab.corpora.penn_treebank import PennTreebank
from rnnlab.corpora.rotten_tomatoes import RottenTomatoes
from rnnlab.corpora.wikitext2 import WikiText2
from rnnlab.errors import ConfigError, DataError
from rnnlab.tasks.language_model.data import LanguageData
from rnnlab.text.tokenizers import BytePairs, Characters, Whitespace
from rnnlab.text.vocabulary import EOS_ID

TEXTS = {
    "train": ["a rose is", "", "a rose is a rose", "<eos>"],
    "validation": ["is a", "tulip"],
    "test": ["planted", "a rose"],
    "extra": ["more of it", ""],
}


class Garden(Corpus):
    name = "garden"
    labels: tuple[str, ...] = ()
    splits = ("train", "validation", "test", "extra")
    unlabelled = ("extra",)

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(texts=TEXTS)

    def documents(self, split: str) -> Iterator[Document]:
        return (Document(text) for text in TEXTS[split])


def garden(**options: Any) -> LanguageData:
    settings: dict[str, Any] = {
        "corpus": Garden(),
        "tokenizer": Whitespace(),
        "vocabulary": {},
        "seed": 1,
        "batch_size": 2,
        "bptt": 3,
        "evaluation_batch_size": 1,
    }
    data = LanguageData(**{**settings, **options})
    data.prepare()
    return data


def words(data: LanguageData, stage: str) -> str:
    return " ".join(data.encoded.vocabulary.decode(data.text(stage).whole()))


def test_documents_follow_one_another_each_with_an_end() -> None:
    data = garden()
    assert words(data, "train") == (
        "a rose is <eos> <eos> a rose is a rose <eos> <eos> more of it <eos> <eos>"
    )
    assert words(data, "validation") == "is a <eos> <unk> <eos>"


def test_a_place_of_a_text_is_read_without_the_others_whichever_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnlab.tasks.language_model.data.CHUNK", 5)
    for backward in (False, True):
        text = garden(backward=backward).text("train")
        ids = text.whole()
        places = np.array([[16, 0], [3, 9]])
        assert text[places].tolist() == ids[places].tolist()
        assert text.counts(9).tolist() == np.bincount(ids, minlength=9).tolist()
        assert (len(text), ids[-1]) == (17, EOS_ID)
    assert ids[-2::-1].tolist() == garden().text("train").whole()[:-1].tolist()


def test_trigrams_of_too_large_a_text_are_left_out_with_a_word(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("rnnlab.tasks.language_model.data.LARGEST_OF_TRIGRAMS", 10)
    assert garden().baselines() == {}
    assert "left out: the training text has 17 tokens, and 10 fit" in caplog.text


def test_extra_text_is_trained_on_and_the_test_text_is_not_even_in_the_vocabulary() -> None:
    data = garden()
    assert {"more", "it"} <= set(data.encoded.vocabulary.tokens)
    assert not {"planted", "tulip"} & set(data.encoded.vocabulary.tokens)


@pytest.mark.parametrize(("corpus", "extra"), [(Imdb(), "unsup"), (RottenTomatoes(), "plots")])
def test_review_corpora_lend_their_unlabelled_text(corpus: Corpus, extra: str) -> None:
    data = LanguageData(corpus=corpus, tokenizer=Whitespace(), vocabulary={}, seed=1)
    assert data.splits() == {"train": ("train", extra), "validation": ("validation",), "test": ("test",)}


def test_loaders_predict_every_token_once() -> None:
    data = garden()
    loaders = (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())
    for stage, loader in zip(("train", "validation", "test"), loaders, strict=True):
        assert sum(batch.predicted for batch in loader) == len(data.text(stage)) == loader.predicted
    first = next(iter(loaders[0]))
    assert first.inputs.tolist()[0] == [1, *data.text("train").whole()[:2].tolist()]


def test_facts_say_what_a_token_is() -> None:
    assert garden().model_arguments() == {"vocabulary_size": 8, "characters": False, "reads_backward": False}
    assert garden(tokenizer=Characters()).model_arguments()["characters"]
    assert garden(tokenizer=BytePairs(vocab_size=260)).model_arguments()["vocabulary_size"] >= 258


def test_baseline_is_computed_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    first = garden().baselines()
    assert 1 < first["Kneser-Ney trigram"]["perplexity"] < 8
    monkeypatch.setattr("rnnlab.tasks.language_model.baselines.KneserNey", None)
    assert garden().baselines() == first


def test_a_text_too_short_is_refused_with_its_name_before_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(DataError, match=r"The train text of garden has 17 tokens.*Set it to 8 or less"):
        garden(batch_size=20).model_arguments()
    monkeypatch.setitem(TEXTS, "test", ["a rose"])
    with pytest.raises(DataError, match=r"The test text of garden has 3 tokens.*Set it to 1 or less"):
        garden(evaluation_batch_size=2).model_arguments()


@pytest.mark.parametrize("name", ["batch_size", "bptt", "evaluation_batch_size"])
def test_sizes_below_one_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"batches\.{name}=0"):
        garden(**{name: 0})


COUNTS = {
    "penn_treebank": (PennTreebank, 10_000, (929_589, 73_760, 82_430)),
    "wikitext2": (WikiText2, 33_278, (2_088_628, 217_646, 245_569)),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_the_literatures(name: str, real_data: Path) -> None:
    corpus, types, counts = COUNTS[name]
    data = LanguageData(corpus=corpus(), tokenizer=Whitespace(), vocabulary={"closed": True}, seed=1)
    data.prepare()
    assert data.model_arguments()["vocabulary_size"] == types
    assert tuple(len(data.text(stage)) for stage in ("train", "validation", "test")) == counts
    assert data.test_dataloader().predicted == counts[2]
    assert np.concatenate([batch.targets.flatten() for batch in data.test_dataloader()]).max() < types
