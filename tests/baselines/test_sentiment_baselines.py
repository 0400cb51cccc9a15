"""The majority class and the bag of bigrams, computed once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnlab.corpora.rotten_tomatoes import RottenTomatoes
from rnnlab.corpora.tables import Table
from rnnlab.tasks.sentiment import baselines as sentiment
from rnnlab.tasks.sentiment.baselines import sentiment_baselines
from rnnlab.text.tokenizers import BasicEnglish, Characters, Tokenizer, Whitespace
from rnnlab.training.fit import fit
from tests.training.conftest import compose, reviews, write_reviews

__all__ = ["compose", "reviews"]


class Shouting(Whitespace):
    """A tokenizer of a user's own."""

    def encode(self, text: str) -> list[str]:
        return text.upper().split()


def test_they_are_what_they_say_and_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    corpus = Table(train=str(write_reviews(tmp_path / "reviews.csv", count=400)))
    figures = sentiment_baselines(corpus, BasicEnglish(), "key")
    labels = [document.label for document in corpus.documents("test")]
    share = labels.count(0) / len(labels)
    assert figures["majority class"]["accuracy"] in (share, 1 - share)
    assert figures["bag of bigrams"]["accuracy"] > 0.75

    def never(corpus: Table, split: str) -> None:
        raise AssertionError("computed twice")

    monkeypatch.setattr(sentiment, "documents_of", never)
    assert sentiment_baselines(corpus, BasicEnglish(), "key") == figures
    monkeypatch.undo()


def test_a_damaged_copy_is_computed_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus = Table(train=str(write_reviews(tmp_path / "reviews.csv")))
    figures = sentiment_baselines(corpus, BasicEnglish(), "key")
    for kept in (tmp_path / "cache" / "baselines").iterdir():
        kept.write_text('{"majority')
    assert sentiment_baselines(corpus, BasicEnglish(), "key") == figures
    assert caplog.text.count("is damaged") == 2


SCRIPTS = {
    "Hindi": (["बहुत अच्छी फ़िल्म है", "शानदार कहानी और संगीत"], ["बहुत बेकार फ़िल्म है", "उबाऊ कहानी और संगीत"]),
    "Chinese": (
        ["特效很好\uff0c镜头很好。演员动人", "结局很好\uff0c演员动人"],
        ["对白无聊\uff0c剧情无聊", "镜头无聊\uff0c节奏无聊。对白"],
    ),
    "Thai": (["หนังเรื่องนี้ดีมากและสนุกมาก", "นักแสดงดีมากชอบมาก"], ["หนังเรื่องนี้แย่มากและน่าเบื่อ", "นักแสดงแย่มากไม่ชอบเลย"]),
    "emoji": (["😀 👍", "👍 🎉 😀", "🎉"], ["😡 👎", "👎 💩 😡", "💩"]),
    "one letter": (["a a b", "a b b"], ["c d", "d d c"]),
    "marks": ([":) ;-)", ":D :)"], [":( :/", ":( >:("]),
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("tokenizer", [BasicEnglish(), Whitespace(), Characters(), Shouting()])
def test_every_script_has_words(script: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    good, bad = SCRIPTS[script]
    lines = [
        f'"{chance}",{label}' for label, texts in (("good", good), ("bad", bad)) for chance in texts * 40
    ]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    figures = sentiment_baselines(Table(train=str(table)), tokenizer, "key")
    assert figures["bag of bigrams"]["accuracy"] == 1.0


def test_what_cant_be_had_is_left_out_with_a_note(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = tmp_path / "table.csv"
    rows = (f"once{number} only{number},{'ab'[number % 2]}" for number in range(200))
    table.write_text("\n".join(["text,label", *rows]))
    figures = sentiment_baselines(Table(train=str(table)), BasicEnglish(), "key")
    assert set(figures) == {"majority class"}
    assert "There is no bag of bigrams beside this run: After pruning" in caplog.text


ERRORS = [ValueError("no\nwords"), MemoryError(), KeyError(3), RuntimeError("x" * 9999)]


@pytest.mark.parametrize("error", ERRORS)
def test_no_failure_of_a_baseline_ends_a_run(
    error: Exception, compose: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr(sentiment, "sentiment_baselines", fail)
    metrics = fit(compose("debug=fast_dev_run", "logger=none"), tmp_path / "run")
    assert metrics["baselines"] == {}
    assert (tmp_path / "run" / "metrics.json").is_file()


def test_it_is_the_published_one(real_data: Path) -> None:
    found = sentiment_baselines(RottenTomatoes(), BasicEnglish(), "key")
    assert found["bag of bigrams"]["accuracy"] == pytest.approx(0.803, abs=0.0006)
