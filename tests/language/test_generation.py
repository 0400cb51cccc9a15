"""Generation: what is drawn, with which state, and how it becomes text."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.errors import ConfigError, DataError
from rnnlab.tasks.language_model.generation import Sampling, TextGenerator, TextStream, familiar_prompt
from rnnlab.text.tokenizers import BasicEnglish, BytePairs, Characters, Tokenizer, Whitespace
from rnnlab.text.vocabulary import EOS_ID, SPECIALS, Vocabulary
from tests.language.streams import GRU, language_model

WORDS = ["the", "rose", "is", "red", ",", ".", "'", "s", "(", ")"]
SCORES = torch.tensor([0.1, 0.4, 0.3, 0.15, 0.05]).log()


def generator(tokenizer: Tokenizer | None = None, **options: Any) -> TextGenerator:
    torch.manual_seed(1)
    model = language_model(tie_weights=False, **options)
    torch.nn.init.normal_(model.decoder.weight, std=3)  # type: ignore[arg-type]
    return TextGenerator(model, tokenizer or Whitespace(), Vocabulary(["<unk>", "<eos>", *WORDS]))


def texts(writer: TextGenerator, prompt: str = "", **options: Any) -> list[str]:
    return ["".join(pieces) for pieces in writer.streams(prompt, **options)]


def random(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_temperature_zero_takes_the_most_probable() -> None:
    assert {Sampling(temperature=0).draw(SCORES, random(seed)) for seed in range(20)} == {1}


def test_draws_as_often_as_the_model_says() -> None:
    draw = random()
    drawn = torch.tensor([Sampling().draw(SCORES, draw) for _ in range(4000)])
    torch.testing.assert_close(drawn.bincount() / 4000, SCORES.exp(), atol=0.03, rtol=0)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.1, 0.4, 0.3, 0.15, 0.05]),
        ({"top_k": 2}, [0, 4 / 7, 3 / 7, 0, 0]),
        ({"top_k": 99}, [0.1, 0.4, 0.3, 0.15, 0.05]),
        ({"top_p": 0.39}, [0, 1, 0, 0, 0]),
        ({"top_p": 0.41}, [0, 4 / 7, 3 / 7, 0, 0]),
        ({"top_p": 1.0}, [0.1, 0.4, 0.3, 0.15, 0.05]),
        ({"temperature": 0.5, "top_k": 2}, [0, 16 / 25, 9 / 25, 0, 0]),
        ({"top_k": 3, "top_p": 0.6}, [0, 4 / 7, 3 / 7, 0, 0]),
    ],
)
def test_filters_keep_what_they_say(options: dict[str, Any], expected: list[float]) -> None:
    found = Sampling(**options).filtered(SCORES.double())
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "options",
    [{"temperature": -0.1}, {"temperature": float("nan")}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.01}],
)
def test_values_out_of_range_are_refused(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(ConfigError, match=f"{name}="):
        Sampling(**options)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("head", ["full", "adaptive"])
def test_greedy_text_is_that_of_reading_everything_anew_for_each_token(cell: str, head: str) -> None:
    writer = generator(model={**GRU, "cell": cell, "layers": 2}, head=head, cutoffs=[4])
    writer.model.eval()
    found = list(writer.ids(["the", "rose"], Sampling(temperature=0), random(), 12))
    ids = [EOS_ID, 2, 3]
    for number in found:
        hidden, _ = writer.model(torch.tensor([ids]))
        assert number == 1 + int(writer.model.decoder.log_probabilities(hidden[0, -1:])[0, 1:].argmax())
        ids.append(number)
    assert len(found) == 12


def test_a_seed_fixes_the_texts_and_samples_differ() -> None:
    writer = generator()
    first = texts(writer, "the rose", samples=3, seed=4, max_tokens=15)
    assert first == texts(writer, "the rose", samples=3, seed=4, max_tokens=15)
    assert len(set(first)) == 3
    assert first != texts(writer, "the rose", samples=3, seed=5, max_tokens=15)
    assert all(text.startswith("the rose") for text in first)


def test_the_unknown_word_is_never_written_and_training_mode_is_left_alone() -> None:
    writer = generator()
    writer.model.decoder.bias.data[0] = 50.0  # type: ignore[union-attr, operator]
    writer.model.train()
    assert "<unk>" not in texts(writer, "the", max_tokens=30)[0]
    assert writer.model.training


def test_stops_with_the_document_where_asked() -> None:
    writer = generator()
    writer.model.decoder.bias.data[EOS_ID] = 50.0  # type: ignore[union-attr, operator]
    assert texts(writer, "the rose", whole_document=True) == ["the rose"]
    assert texts(writer, "the rose", max_tokens=3) == ["the rose\n\n\n"]


def test_without_a_prompt_a_document_begins() -> None:
    assert texts(generator(), max_tokens=5)[0]


def test_unknown_words_are_reported_and_a_prompt_of_nothing_else_refused() -> None:
    writer = generator()
    assert writer.vocabulary.missing(writer.known("the tulip is a tulip")) == ["tulip", "a"]
    assert texts(writer, "the tulip", max_tokens=1)[0].startswith("the tulip")
    with pytest.raises(DataError, match="no word of the prompt 'tulip a'"):
        texts(writer, "tulip a")
    with pytest.raises(DataError, match="lower-case"):
        texts(writer, "The Rose")
    for name in ("samples", "max_tokens"):
        with pytest.raises(ConfigError, match=f"{name}=0"):
            texts(writer, "the", **{name: 0})


def pieces(tokenizer: Tokenizer, tokens: list[str]) -> Iterator[str]:
    stream = TextStream(tokenizer)
    for token in tokens:
        yield stream.add(token)
    yield stream.end()


@pytest.mark.parametrize(
    ("tokenizer", "tokens", "prompt"),
    [
        (BasicEnglish(), ["the", "film"], "The film"),
        (BasicEnglish(), [".", "der", "the", "schweiz"], "der"),
        (Characters(), [" ", "e", "T"], "e"),
        (Characters(), [*"The film"], "The film"),
        (Whitespace(), ["1", "."], ""),
    ],
)
def test_a_prompt_to_try_is_one_that_the_model_knows(
    tokenizer: Tokenizer, tokens: list[str], prompt: str
) -> None:
    tokens = list(dict.fromkeys(tokens))
    assert familiar_prompt(tokenizer, Vocabulary([*SPECIALS, *tokens])) == prompt


@given(st.lists(st.sampled_from([*WORDS, '"', "``", "''", "n't", "@-@", "it", "<eos>", "5"]), max_size=30))
def test_streamed_words_are_the_decoded_text(tokens: list[str]) -> None:
    assert "".join(pieces(BasicEnglish(), tokens)) == BasicEnglish().decode(tokens)


@given(st.text(max_size=40))
def test_streamed_characters_and_bytes_are_the_text(text: str) -> None:
    characters = Characters()
    assert "".join(pieces(characters, characters.encode(text))) == text
    bytes_ = BYTES
    assert "".join(pieces(bytes_, bytes_.encode(text))) == text


BYTES = BytePairs(vocab_size=260).train(["a rose is a rose"])


def test_a_character_is_shown_when_its_bytes_are_whole() -> None:
    shown = list(pieces(BYTES, BYTES.encode("a 玫瑰 rose")))
    assert "".join(shown) == "a 玫瑰 rose"
    assert all("\ufffd" not in piece for piece in shown)
