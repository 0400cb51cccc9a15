import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rnnlab import corpora
from rnnlab.corpora.corpus import Corpus, Document, check_split, fingerprint_of
from rnnlab.errors import DataError


class Two(Corpus):
    name = "two"
    labels = ("no", "yes")
    splits = ("train", "test")
    fingerprint = "2"

    def documents(self, split: str) -> Iterator[Document]:
        check_split(self, split)
        yield from (Document(f"{split} {label}", label) for label in (0, 1))


@pytest.mark.smoke
def test_several_splits_come_in_the_order_asked_for() -> None:
    assert [(split, document.text) for split, document in Two().all_documents(("test", "train"))] == [
        ("test", "test 0"),
        ("test", "test 1"),
        ("train", "train 0"),
        ("train", "train 1"),
    ]


def test_a_corpus_has_no_extra_text_and_nothing_held_out_unless_it_says_so() -> None:
    assert Two().unlabelled == ()
    assert Two().held_out == {}


def test_a_split_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(DataError, match=r"two has no split 'dev'. Choose from: test, train\."):
        list(Two().documents("dev"))


@pytest.mark.smoke
def test_fingerprints_follow_facts_and_not_their_order() -> None:
    assert fingerprint_of(a=1, b=[2]) == fingerprint_of(b=[2], a=1)
    assert len({fingerprint_of(a=1), fingerprint_of(a="1"), fingerprint_of(a=[1]), fingerprint_of(b=1)}) == 4


def test_no_corpus_imports_torch_or_what_is_below() -> None:
    folder = Path(corpora.__file__).parent
    names = [f"rnnlab.corpora.{path.stem}" for path in folder.glob("[a-z]*.py")]
    assert len(names) > 10
    check = f"import sys, {', '.join(names)}; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout))
    assert not loaded & {"torch", "lightning", "sklearn", "rnnlab.data", "rnnlab.tasks", "rnnlab.training"}
    assert not any(name.startswith("rnnlab.text") for name in loaded)
