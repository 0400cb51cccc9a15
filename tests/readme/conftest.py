"""Finished runs to ask, and a place where the README's commands find what they name."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rnnlab.text import tokenizers
from tests.readme.corpora import place_all
from tests.readme.text import module
from tests.runs.conftest import Finished, finish
from tests.runs.conftest import command as command  # the fixture
from tests.training.conftest import write_reviews

OWN = ("my_corpus", "my_tokenizer", "my_cell", "my_encoder", "my_task")
"""The README's modules."""


@pytest.fixture(scope="session")
def sentiment(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A classifier of the classes ``bad`` and ``good``, with what TensorBoard shows."""
    room = tmp_path_factory.mktemp("sentiment")
    table = write_reviews(room / "reviews.csv", count=120)
    kind = ["data=csv", "data.vocabulary.min_frequency=1", "model.backend=torch"]
    return finish(room, table, *kind, "logger=tensorboard")


@pytest.fixture(scope="session")
def language(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A language model."""
    room = tmp_path_factory.mktemp("language")
    text = room / "roses.txt"
    text.write_text("\n".join(["the film is red .", "the violet is blue .", ""] * 60), encoding="utf-8")
    kind = [
        "data=text",
        "task=language_model",
        "batches.batch_size=4",
        "batches.bptt=9",
        "model.backend=torch",
    ]
    return finish(room, text, *kind)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a reader who has every corpus that the README names, and its modules."""
    folder = tmp_path / "reader"
    folder.mkdir()
    place_all(folder, monkeypatch)
    for name in OWN:
        (folder / f"{name}.py").write_text(module(f"{name}.py"), encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def importable(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Python finds the README's modules; the function forgets them, as if in another process."""
    monkeypatch.syspath_prepend(str(place))
    yield forget
    forget()


def forget() -> None:
    """Let Python and rnnlab know nothing of the README's modules."""
    for name in OWN:
        sys.modules.pop(name, None)
    tokenizers._registry.pop("negated", None)
