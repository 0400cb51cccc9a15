import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.build import build
from rnnlab.errors import ConfigError
from rnnlab.text import torchtext_compat
from rnnlab.text.tokenizers import (
    BasicEnglish,
    BytePairs,
    Bytes,
    Characters,
    TrainedTokenizer,
    Whitespace,
    readable,
    registered,
)
from rnnlab.text.vocabulary import EOS

TEXTS = ["the cat sat on the mat", "the cat ate the hat", "The hat, the mat: é 日本!"] * 3


@pytest.fixture(scope="module")
def byte_pairs():
    return BytePairs(vocab_size=280).train(TEXTS)


@given(st.text(alphabet=st.sampled_from("aBİé'\".<br />,()!?;:\t\n\u00a0\u2028\x1c")))
def test_basic_english_is_torchtexts(text):
    torchtext_compat.enable()
    from torchtext.data.utils import get_tokenizer

    assert BasicEnglish().encode(text) == get_tokenizer("basic_english")(text)


def test_basic_english_is_torchtexts_on_reviews(real_data):
    torchtext_compat.enable()
    from torchtext.data.utils import get_tokenizer

    from rnnlab.corpora.imdb import Imdb

    if not (real_data / "aclImdb_v1.tar.gz").is_file():
        pytest.skip("no aclImdb_v1.tar.gz")
    theirs, ours = get_tokenizer("basic_english"), BasicEnglish()
    reviews = Imdb().documents("train")
    for _ in range(500):
        text = next(reviews).text
        assert ours.encode(text) == theirs(text)


def test_whitespace_splits_and_nothing_else():
    assert Whitespace().encode(" The  film's\t<unk> (N) \n") == ["The", "film's", "<unk>", "(N)"]
    assert Whitespace().decode(["the", "film", "'s", "end", "."]) == "the film's end."


@given(st.text())
def test_characters_are_themselves(text):
    assert Characters().encode(text) == list(text)
    assert Characters().decode(list(text)) == text
    assert Characters().decode(["a", "<eos>", "<unk>"]) == "a\n<unk>"


@given(st.text() | st.text(alphabet="aé\n\ud800\udc80"))
def test_bytes_bring_every_text_back(text):
    tokens = Bytes().encode(text)
    assert Bytes().decode(tokens) == text
    assert [Bytes.symbols.index(token) for token in tokens] == list(text.encode("utf-8", "surrogatepass"))


def test_bytes_that_are_no_text_and_symbols_are_shown():
    assert Bytes().decode(["a", EOS, "<unk>", "\xc3", "b"]) == "a\n<unk>\ufffdb"
    assert readable(Bytes(), ["a", *"é".encode().decode("latin-1"), EOS]) == ("a", "\\xc3", "\\xa9", EOS)


@given(st.text())
def test_byte_pairs_bring_every_text_back(byte_pairs, text):
    tokens = byte_pairs.encode(text)
    assert byte_pairs.decode(tokens) == text
    assert set(tokens) <= set(byte_pairs.symbols)


def test_byte_pairs_learn_from_the_text(byte_pairs):
    assert len(byte_pairs.symbols) == 280
    assert byte_pairs.encode("the cat the") == ["the", "Ġcat", "Ġthe"]
    assert byte_pairs.encode_batch(TEXTS) == [byte_pairs.encode(text) for text in TEXTS]
    assert BytePairs(vocab_size=280).train(TEXTS).to_dict() == byte_pairs.to_dict()
    assert byte_pairs.decode(["the", "<eos>", "<unk>", "Ġcat"]) == "the\n<unk> cat"


def test_byte_pairs_in_lower_case():
    tokenizer = BytePairs(vocab_size=280, lowercase=True).train(TEXTS)
    assert tokenizer.decode(tokenizer.encode("THE Cat")) == "the cat"


def test_byte_pairs_need_training_and_room():
    with pytest.raises(ValueError, match="not trained"):
        BytePairs().encode("the")
    with pytest.raises(ConfigError, match=r"tokenizer\.vocab_size=100: there are 256 bytes"):
        BytePairs(vocab_size=100)


@pytest.mark.parametrize("name", ["basic_english", "whitespace", "char", "byte", "bpe"])
@pytest.mark.smoke
def test_a_tokenizer_is_plain_data(name, byte_pairs):
    tokenizer = byte_pairs if name == "bpe" else registered(name).from_dict({"name": name})
    again = registered(name).from_dict(json.loads(json.dumps(tokenizer.to_dict())))
    assert type(again) is type(tokenizer)
    assert again.encode("The cat, isn't it?") == tokenizer.encode("The cat, isn't it?")
    assert isinstance(again, TrainedTokenizer) is (name == "bpe")


def test_an_untrained_tokenizer_is_plain_data_too():
    assert BytePairs.from_dict(BytePairs(300).to_dict()).symbols is None


def test_text_needs_no_torch():
    code = (
        "import sys, rnnlab.text.encoded as encoded; from rnnlab.text.tokenizers import BytePairs;"
        "BytePairs(300).train(['a']).encode('a'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_tokenizer_names_the_nearest():
    with pytest.raises(ConfigError, match=r"none named 'basic_englsh'\. Did you mean basic_english\?"):
        registered("basic_englsh")


@pytest.mark.parametrize("name", ["basic_english", "whitespace", "char", "byte", "bpe"])
def test_every_choice_of_the_config_group_builds(name, pytestconfig):
    from omegaconf import OmegaConf

    config = OmegaConf.load(pytestconfig.rootpath / "conf" / "tokenizer" / f"{name}.yaml")
    assert build(OmegaConf.to_container(config), object, "tokenizer").name == name


def test_symbols_keep_their_names_when_tokens_are_shown() -> None:
    pairs = BytePairs(vocab_size=256).train(["the film"])
    assert readable(pairs, [*pairs.encode(" a"), EOS]) == (" ", "a", EOS)
