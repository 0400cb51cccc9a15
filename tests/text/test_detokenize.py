import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.text.detokenize import detokenize

WORDS = ["the", "film", "'", '"', ".", ",", "(", ")", "n't", "'s", "s", "t", "@-@", "@,@", "8", "<eos>", "$"]


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("it isn ' t good , is it ?", "it isn't good, is it?"),
        ("do n't go , it 's late", "don't go, it's late"),
        ("the players ' own ( at last ) !", "the players' own (at last)!"),
        ("he said ' hello there ' and left", "he said 'hello there' and left"),
        ('" what ? " she asked , " now "', '"what?" she asked, "now"'),
        ("`` what '' she asked", "``what'' she asked"),
        ("two @-@ year @,@ 3 @.@ 5", "two-year,3.5"),
        ("8 . 5 out of 1 , 000 . 3 more", "8.5 out of 1,000.3 more"),
        ("at 5 o ' clock", "at 5 o'clock"),
        ("$ 5 and 3 % . . .", "$5 and 3%..."),
        ("one <eos> two <unk> <eos>", "one\ntwo <unk>\n"),
        ("", ""),
    ],
)
def test_spaces_and_punctuation(tokens, text):
    assert detokenize(tokens.split()) == text


@given(st.lists(st.sampled_from(WORDS), min_size=1))
def test_a_further_token_only_adds_to_the_text(tokens):
    if tokens[-2:-1] != ["'"]:
        assert detokenize(tokens).startswith(detokenize(tokens[:-1]))


@given(st.lists(st.sampled_from(WORDS)))
def test_nothing_but_white_space_and_wikitext_marks_changes(tokens):
    plain = [token.strip("@") if token.startswith("@") else token for token in tokens if token != "<eos>"]
    assert "".join(detokenize(tokens).split()) == "".join(plain)
