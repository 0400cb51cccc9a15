"""What of the user's own code decides a result is told by a digest: of a class, and of what it uses."""

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnlab.corpora.corpus import Document, known_by
from rnnlab.corpora.labelled_subset import LabelledSubset
from rnnlab.corpora.tables import Table
from rnnlab.errors import ConfigError
from rnnlab.own_code import code_of, own_code
from rnnlab.text import tokenizers
from rnnlab.text.encoded import encoded_corpus
from rnnlab.text.tokenizer_identity import tokenizer_of
from rnnlab.text.tokenizers import BasicEnglish, Characters

Written = Callable[[str, str], Any]

CELL = """
import own_helpers
from own_package.sizes import SIZE

LIMIT = 3

def clean(x):
    return x

class Base:
    pass

class Cell(Base):
    def forward(self, x):
        return own_helpers.double(clean(x)) + SIZE

class Other:
    def forward(self, x):
        return 0
"""
FILES = {
    "own_cell.py": CELL,
    "own_helpers.py": "import own_deeper\n\ndef double(x):\n    return 2 * own_deeper.same(x)\n",
    "own_deeper.py": "def same(x):\n    return x\n",
    "own_package/__init__.py": "",
    "own_package/sizes.py": "SIZE = 1\n",
}
TOKENIZER = """
from rnnlab.text.tokenizers import BasicEnglish, register

@register
class Own(BasicEnglish):
    name = "own words"

    def encode(self, text):
        return [word for word in super().encode(text)]
"""
CORPUS = """
from rnnlab.corpora.corpus import Corpus, Document

class Own(Corpus):
    name, labels, splits, fingerprint = "own", ("bad", "good"), ("train",), "always the same"

    def documents(self, split):
        yield Document("A fine film", 1)
        yield Document("A dull film", 0)
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    """Write files of the user's; the function returns a class out of one, loaded anew."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    own: list[str] = []

    def load(target: str, source: str = "") -> Any:
        name, _, kind = target.rpartition(".")
        if source:
            (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        own.append(name)
        for module in [known for known in sys.modules if known.startswith("own_")]:
            del sys.modules[module]
        importlib.invalidate_caches()
        return getattr(importlib.import_module(name), kind)

    yield load
    for module in [known for known in sys.modules if known.startswith("own_")]:
        del sys.modules[module]
    tokenizers._registry.pop("own words", None)


@pytest.fixture
def cell(tmp_path: Path, written: Written) -> Callable[[str, str, str], str]:
    """Return the digest of the cell with some text in one of its files replaced."""

    def digest(file: str = "", old: str = "", new: str = "") -> str:
        for name, source in FILES.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(source.replace(old, new) if name == file else source)
        return code_of(written("own_cell.Cell", ""))

    return digest  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("own_cell.py", "+ SIZE", "- SIZE"),
        ("own_cell.py", "LIMIT = 3", "LIMIT = 4"),
        ("own_cell.py", "    return x\n", "    return -x\n"),
        ("own_cell.py", "class Base:\n    pass", "class Base:\n    size = 1"),
        ("own_helpers.py", "2 *", "3 *"),
        ("own_deeper.py", "return x", "return -x"),
        ("own_package/sizes.py", "1", "2"),
    ],
)
def test_an_edit_of_what_a_class_uses_changes_its_digest(cell: Any, file: str, old: str, new: str) -> None:
    assert cell() == cell()
    assert cell(file, old, new) != cell()


@pytest.mark.parametrize(
    ("old", "new"), [("return 0", "return 1"), ("LIMIT = 3", "LIMIT = 3  # words"), ("x)) +", "x))  +")]
)
def test_what_it_does_not_use_and_how_it_is_written_do_not(cell: Any, old: str, new: str) -> None:
    assert cell("own_cell.py", old, new) == cell()


def test_only_the_users_classes_have_one(written: Written) -> None:
    assert not any(map(code_of, (BasicEnglish, Table, torch.nn.GRU, torch.optim.Adam, subprocess.Popen)))
    config = {"model": {"_target_": "own_cell.Cell"}, "optimizer": {"_target_": "torch.optim.Adam"}}
    found = written("own_cell.Cell", "class Cell:\n    pass\n")
    assert own_code(config) == {"own_cell.Cell": code_of(found)}


def test_a_class_typed_into_a_notebook_is_told_by_its_methods() -> None:
    def typed(source: str) -> type:
        names: dict[str, Any] = {"__name__": "typed"}
        exec(f"class Own:\n    def encode(self, text):\n        return {source}\n", names)
        return names["Own"]  # type: ignore[no-any-return]

    assert code_of(typed("text.split()")) == code_of(typed("text.split()")) != code_of(typed("list(text)"))


class Words:
    """A corpus that never changes."""

    name, labels, splits, unlabelled, held_out = "words", (), ("train",), (), {}
    fingerprint = "1"

    def documents(self, split: str) -> Iterator[Document]:
        yield Document("a fine film")

    def all_documents(self, splits: Any) -> Iterator[tuple[str, Document]]:
        return (("train", document) for document in self.documents("train"))


def tokens(corpus: Any, tokenizer: Any) -> set[str]:
    return set(encoded_corpus(corpus, tokenizer, splits=("train",)).vocabulary.tokens[2:])


def test_an_edited_tokenizer_takes_no_old_encoding(written: Written) -> None:
    assert tokens(Words(), written("own_words.Own", TOKENIZER)()) == {"a", "fine", "film"}
    edited = TOKENIZER.replace("[word for", "['NEW_' + word for")
    assert tokens(Words(), written("own_words.Own", edited)()) == {"NEW_a", "NEW_fine", "NEW_film"}


def test_an_edited_corpus_takes_no_old_encoding_though_its_fingerprint_stays(written: Written) -> None:
    before = written("own_corpus.Own", CORPUS)()
    assert tokens(before, Characters()) >= {"A"}
    after = written("own_corpus.Own", CORPUS.replace('"A ', '"a '))()
    assert tokens(after, Characters()) >= {"a"}
    assert not tokens(after, Characters()) & {"A"}
    assert known_by(LabelledSubset(before, 2, 1)) != known_by(LabelledSubset(after, 2, 1))


def test_a_taken_name_is_refused(written: Written) -> None:
    taken = TOKENIZER.replace("own words", "basic_english")
    with pytest.raises(ConfigError, match=r"own_words\.Own has the name 'basic_english', which is that of"):
        written("own_words.Own", taken)
    inherited = TOKENIZER.replace("@register", "").replace('    name = "own words"\n', "")
    with pytest.raises(ConfigError, match=r"own_words\.Own has the name 'basic_english'"):
        tokens(Words(), written("own_words.Own", inherited)())
    assert tokens(Words(), BasicEnglish()) == {"a", "fine", "film"}
    written("own_words.Own", TOKENIZER)
    with pytest.raises(ConfigError, match=r"own_others\.Own has the name 'own words', .*own_words\.Own"):
        written("own_others.Own", TOKENIZER)


def test_an_option_that_would_be_lost_is_refused(written: Written) -> None:
    lossy = TOKENIZER + "\n    def __init__(self, least=1):\n        self.least = least\n"
    kind = written("own_words.Own", lossy)
    assert tokens(Words(), kind()) == {"a", "fine", "film"}
    with pytest.raises(ConfigError, match="an option of it would be lost"):
        tokens(Words(), kind(least=2))


def test_a_tokenizer_that_draws_lots_is_refused(written: Written) -> None:
    lots = TOKENIZER.replace("super().encode(text)]", "super().encode(text) if random.random() < 0.5]")
    with pytest.raises(ConfigError, match="other tokens of the same text each time"):
        tokens(Words(), written("own_words.Own", f"import random\n{lots}")())


def test_a_checkpoint_from_before_comes_back_as_its_own_class(written: Written) -> None:
    kind = written("own_words.Own", TOKENIZER.replace("@register", "").replace("own words", "basic_english"))
    passport = {
        "config": {"tokenizer": {"_target_": "own_words.Own"}},
        "tokenizer": {"name": "basic_english"},
    }
    assert type(tokenizer_of(passport, "it")) is kind
