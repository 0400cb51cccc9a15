"""Texts without spaces, of which a tokenizer that goes by spaces takes lines for words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnlab.errors import DataError
from rnnlab.text.encoding_pass import advice, cut_of
from rnnlab.text.tokenizers import BasicEnglish, Characters, Whitespace
from rnnlab.training.fit import assemble_data
from tests.training.conftest import compose, reviews

__all__ = ["compose", "reviews"]

CHINESE = ["特效很好镜头很好结局很好。", "对白无聊剧情无聊镜头无聊。", "演员动人结局动人特效动人。"]
SPACED = {
    "English": ["A well-made film, and moving.", "Dull."],
    "German": ["Donaudampfschifffahrt und Nebenkriegsschauplatz sind Woerter.", "Das ist eins."],
    "Chinese in words": ["特效 很 好 镜头 很 好", "对白 无聊 剧情 无聊"],
    "Korean": ["영화가 정말 재미있었어요", "지루한 영화였습니다"],
    "emoji": ["😀", "👎 😡"],
    "yes and no": ["yes", "no", "no"],
    "nothing": [""],
}
UNSPACED = {
    "Chinese": CHINESE,
    "clauses": ["特效很好镜头很好, 结局很好演员动人, 结局动人", "对白无聊剧情, 镜头无聊节奏无聊"],
    "Japanese": ["この映画はとても面白かったです", "つまらない映画でした"],
    "Thai": ["หนังเรื่องนี้ดีมากและสนุกมาก", "นักแสดงดีมากชอบมาก"],
    "names": ["Schmidt", "Kowalski", "Yamamoto"],
}


@pytest.mark.parametrize("texts", SPACED.values(), ids=SPACED)
def test_words_are_no_lines(texts: list[str]) -> None:
    for tokenizer in (BasicEnglish(), Whitespace(), Characters()):
        assert not advice(tokenizer.name, cut_of(tokenizer.encode, texts))


@pytest.mark.parametrize("texts", UNSPACED.values(), ids=UNSPACED)
def test_lines_are_no_words(texts: list[str]) -> None:
    for tokenizer in (BasicEnglish(), Whitespace()):
        assert "a line: try tokenizer=char" in advice(tokenizer.name, cut_of(tokenizer.encode, texts))
    assert not advice("char", cut_of(Characters().encode, texts))


@pytest.mark.parametrize("task", ["sentiment", "language_model"])
@pytest.mark.parametrize("frequency", [1, 2])
def test_it_is_said_of_the_data(
    task: str,
    frequency: int,
    compose: Callable[..., dict[str, Any]],
    tmp_path: Path,
) -> None:
    """Whether the lines are in the vocabulary (frequency 1) or unknown, as what occurs once is."""
    table = tmp_path / "table.csv"
    rare = [f"{text}{number}" for number in range(30) for text in CHINESE]
    lines = [f"{text},{'ab'[number % 2]}" for number, text in enumerate([*rare, *CHINESE * 9])]
    table.write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    words = [f"task={task}", f"data.corpus.train={table}", f"data.vocabulary.min_frequency={frequency}"]
    for tokenizer, said in (("basic_english", "1 word a line: try tokenizer=char."), ("char", "")):
        data = assemble_data(compose(*words, f"tokenizer={tokenizer}"))
        data.prepare()
        assert data.advice().startswith(said)
        assert bool(data.advice()) == bool(said)


def test_where_no_line_occurs_twice_it_is_said(
    compose: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    table = tmp_path / "table.csv"
    lines = [f"{CHINESE[0]}{number},{'ab'[number % 2]}" for number in range(40)]
    table.write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    data = assemble_data(compose(f"data.corpus.train={table}", "data.vocabulary.min_frequency=2"))
    with pytest.raises(DataError, match=r"lower min_frequency.*1 word a line: try tokenizer=char"):
        data.prepare()
