"""What stands in for torchtext where there is none is equal to it, where there is one to ask."""

import copy
import gzip
import pickle
import subprocess
import sys
from functools import partial
from importlib import import_module

import pytest
import torch

from rnnlab.text import torchtext_compat, torchtext_parts

LINES = [["the", "film", "the", "é", "<unk>"], ["a", "film", "", "the", "日本"], ["zwölf", "a"]]
OWN = torchtext_parts.modules()
needs_original = pytest.mark.skipif(sys.version_info >= (3, 13), reason="this Python has no torchtext")


@pytest.fixture
def original():
    torchtext_compat.enable()
    names = ("torchtext.data.utils", "torchtext.vocab", "torchtext.prototype.vectors")
    return {name: import_module(name) for name in names}


def outcome(ask):
    try:
        return ask()
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        return type(error)


@needs_original
@pytest.mark.parametrize(
    "content",
    [
        "the 1 2 3\nfilm 4 5.5 -6e-1\nthe 7 8 9\n",
        "2 3\nthe 1 2 3 \nfilm 4 5 6\n",
        "a\u00a0b 1 2 3\nfilm 4 5 6",
        b"the 1 2 3\n\xff 7 8 9\nfilm 4 5 6\n",
        "the 1 2 3\nfilm 4 5\n",
        "the one two three\n",
        "",
        "\n",
    ],
)
@pytest.mark.parametrize("ending", [".txt", ".gz"])
def test_vectors_are_read_alike(content, ending, original, tmp_path):
    content = content if isinstance(content, bytes) else content.encode()
    file = tmp_path / f"vectors{ending}"
    file.write_bytes(gzip.compress(content) if ending == ".gz" else content)

    def asked(module, room, **options):
        for _ in range(2):  # the second time from what was kept
            vectors = module.Vectors(str(file), cache=str(tmp_path / room), **options)
        words = ["film", "The", "nowhere"]
        return (
            *(vectors.itos[:2], vectors.dim, "film" in vectors, vectors["film"].tolist()),
            *(vectors.get_vecs_by_tokens(words, backup).tolist() for backup in (False, True)),
            vectors.get_vecs_by_tokens("the").tolist(),
        )

    for number, options in enumerate([{}, {"max_vectors": 1}, {"unk_init": torch.Tensor.zero_}]):
        theirs = outcome(partial(asked, original["torchtext.vocab"], f"theirs{number}", **options))
        ours = outcome(partial(asked, OWN["torchtext.vocab"], f"ours{number}", **options))
        assert ours == theirs


@needs_original
def test_names_of_published_vectors_are_the_same(original):
    theirs = original["torchtext.vocab"].pretrained_aliases
    ours = torchtext_parts.pretrained_aliases
    assert set(theirs) - set(ours) == {"charngram.100d"}
    for alias, made in ours.items():
        assert made.keywords == theirs[alias].keywords
        assert made.func.__name__ == theirs[alias].func.__name__
    assert torchtext_parts.GloVe.url == original["torchtext.vocab"].GloVe.url
    assert torchtext_parts.FastText.url_base == original["torchtext.vocab"].FastText.url_base
    published = original["torchtext.prototype.vectors"]
    assert torchtext_parts.CHECKSUMS_GLOVE == published.CHECKSUMS_GLOVE
    assert torchtext_parts.CHECKSUMS_FAST_TEXT.items() <= published.CHECKSUMS_FAST_TEXT.items()


@needs_original
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"specials": ["<unk>", "<pad>"]},
        {"specials": ["<unk>"], "special_first": False},
        {"min_freq": 2, "specials": ["<unk>"]},
        {"max_tokens": 3, "specials": ["<unk>"]},
        {"max_tokens": 1, "specials": ["<unk>"]},
        {"specials": ["<unk>", "<unk>"]},
    ],
)
def test_vocabularies_are_built_alike(options, original):
    def asked(module):
        made = module.build_vocab_from_iterator(iter(LINES), **options)
        made.set_default_index(0)
        made.append_token("new")
        made.insert_token("newer", 1)
        for one in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
            assert one.get_itos() == made.get_itos()
        return (
            *(made.get_itos(), made.get_stoi(), made(["the", "nowhere"]), made["film"], len(made)),
            *("the" in made, made.lookup_token(1), made.lookup_tokens([0, 2]), made.get_default_index()),
        )

    assert outcome(lambda: asked(OWN["torchtext.vocab"])) == outcome(
        lambda: asked(original["torchtext.vocab"])
    )


@needs_original
def test_texts_are_split_alike(original):
    text = "It's \"good\", isn't it?<br />Yes; no: maybe (8.5/10)!\tİ\xa0K"
    ours, theirs = (modules["torchtext.data.utils"] for modules in (OWN, original))
    for name in (None, "basic_english", str.upper):
        assert ours.get_tokenizer(name)(text) == theirs.get_tokenizer(name)(text)
    words = text.split()
    assert [*ours.ngrams_iterator(words, 3)] == [*theirs.ngrams_iterator(words, 3)]
    assert outcome(lambda: ours.get_tokenizer("basic_english", "de")) is ValueError


def test_it_takes_the_name_where_there_is_no_torchtext(tmp_path):
    """In a Python of its own that can't find torchtext and says that it is 3.13."""
    code = """
import importlib.util, sys
known = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name.startswith("torchtext") else known(name, *rest)
from rnnlab.text import torchtext_compat, torchtext_parts
from rnnlab.text.vectors import initial_embedding
from rnnlab.text.vocabulary import Vocabulary
before, sys.version_info = sys.version_info, (3, 13, 0, "final", 0)
assert torchtext_compat.enable() is False
assert torchtext_compat.enable() is False
sys.version_info = before
from torchtext.data.utils import get_tokenizer
from torchtext.vocab import GloVe, build_vocab_from_iterator
assert GloVe.__module__ == "rnnlab.text.torchtext_parts"
assert known("torchtext").name == "torchtext"
print(initial_embedding(Vocabulary(["<unk>", "<eos>", "film"]), "tiny.txt", 3, seed=1).weight[2].tolist())
"""
    (tmp_path / "tiny.txt").write_text("film 4 5 6\n")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[4.0, 5.0, 6.0]"
