"""Begin a project of your own: a recipe, a cell, a corpus, a task and a test that passes."""

import random
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from rnnlab.atomic import write_text
from rnnlab.command_line import exit_by
from rnnlab.errors import ConfigError

HELP = """Write a project to begin with into a new folder.

Examples:
  rnnlab new rivers
  cd rivers && pytest
  export PYTHONPATH=. && rnnlab train --config-dir conf experiment=mine 'trust=[my_cell,my_corpus,my_task]'

What it holds: conf/experiment/mine.yaml (the recipe), my_cell.py, my_corpus.py, my_task.py, texts/ (invented
sentences of two classes), test_mine.py, README.md. Change one after the other into what you want to know."""

ABOUT = """\
# A project on rnnlab

    pip install pytest
    python -m pytest                        # does it still hold together
    export PYTHONPATH=.
    rnnlab train --config-dir conf experiment=mine 'trust=[my_cell,my_corpus,my_task]'
    rnnlab predict run=<run folder> text="a bright morning" 'trust=[my_cell,my_corpus,my_task]'

`conf/experiment/mine.yaml` is the recipe; `my_cell.py`, `my_corpus.py` and `my_task.py` are what it names.
Each can be left away: without its lines in the recipe rnnlab's own stands there.
"""
RECIPE = """\
# @package _global_
# The project's recipe:
#   rnnlab train --config-dir conf experiment=mine 'trust=[my_cell,my_corpus,my_task]'
defaults:
  - override /data: custom
  - override /model: gru

data:
  name: mine
  corpus:
    _target_: my_corpus.Lines
    folder: texts
  vocabulary:
    min_frequency: 1

model:
  cell: my_cell.MinimalGRU
  hidden_size: 16

task:
  _target_: my_task.Focal
  embedding_size: 16
  gamma: 1.0

batches:
  batch_size: 16

optimizer:
  lr: 0.01

trainer:
  max_epochs: 5
"""
CELL = '''\
"""A cell of one's own: layers, both directions, exact padding and diagnostics follow from its one step."""

import torch

from rnnlab.cells.cell import Cell, Step


class MinimalGRU(Cell):
    """Its gate and its candidate see the inputs alone (Feng et al. 2024)."""

    blocks = ("update", "candidate")  # of rows of the weights
    is_elementwise = True
    remembering_gate = "update"

    def step(self, given, states, weights):
        """Return the next state; ``given`` is weight_ih x + bias_ih, (batch, 2 hidden)."""
        (hidden,), (update, candidate) = states, given.chunk(2, dim=1)
        update = torch.sigmoid(update)
        return Step((update * hidden + (1 - update) * candidate,), {"update": update})
'''
CORPUS = '''\
"""A corpus of one's own: texts of two classes, a line a text."""

from pathlib import Path

from rnnlab.corpora.corpus import Corpus, Document, fingerprint_of


class Lines(Corpus):
    """Files such as ``texts/train.good.txt``."""

    name, labels, splits = "lines", ("bad", "good"), ("train", "validation", "test")

    def __init__(self, folder):
        self.folder = Path(folder)

    def documents(self, split):
        """Yield the split's texts, each with the number of its class."""
        for number, label in enumerate(self.labels):
            file = self.folder / f"{split}.{label}.txt"
            for line in file.read_text(encoding="utf-8").splitlines():
                yield Document(line, number)

    @property
    def fingerprint(self):
        """Another whenever the content is: it names what is kept in the cache."""
        texts = {split: [(d.text, d.label) for d in self.documents(split)] for split in self.splits}
        return fingerprint_of(**texts)
'''
TASK = '''\
"""A task of one's own: a classifier with another loss."""

import torch

from rnnlab.tasks.sentiment.task import SentimentClassifier


class Focal(SentimentClassifier):
    """What is learnt already counts less (Lin et al. 2017)."""

    def __init__(self, gamma=2.0, **options):
        super().__init__(**options)
        self.gamma = gamma

    def training_losses_of(self, logits, labels):
        """Return a loss for each text; validation and test report the usual one."""
        losses = self.losses_of(logits, labels)
        return losses * (1 - torch.exp(-losses)) ** self.gamma
'''
TEST = '''\
"""The project still holds together: its parts are what they say, and its recipe learns."""

import json
from pathlib import Path

import pytest
import torch
from my_cell import MinimalGRU
from my_corpus import Lines

import rnnlab

HERE = Path(__file__).resolve().parent
OWN = ["my_cell", "my_corpus", "my_task"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One training by the recipe."""
    room = tmp_path_factory.mktemp("run")
    words = ["experiment=mine", f"data.corpus.folder={HERE / 'texts'}", "trainer=cpu", "logger=none"]
    return rnnlab.train([*words, f"trust=[{','.join(OWN)}]"], room / "run", config_dir=HERE / "conf")


def test_the_corpus_has_both_classes():
    documents = list(Lines(HERE / "texts").documents("train"))
    assert {document.label for document in documents} == {0, 1}


def test_a_closed_gate_keeps_the_state():
    before = torch.randn(3, 4)
    given = torch.cat([torch.full((3, 4), 50.0), torch.randn(3, 4)], dim=1)
    (after,) = MinimalGRU().step(given, (before,), {}).states
    torch.testing.assert_close(after, before)


def test_it_learns(run):
    assert json.loads((run / "metrics.json").read_text(encoding="utf-8"))["test"]["accuracy"] > 0.9


def test_it_answers(run):
    model = rnnlab.load(run, trust=OWN)
    assert model.predict(["a bright morning", "a grey evening"]) == ["good", "bad"]
'''
SIGNS = {"good": ("bright", "warm", "merry"), "bad": ("grey", "cold", "weary")}
PLACES = ("morning", "evening", "river", "street", "garden", "winter", "letter", "road")
SIZES = {"train": 80, "validation": 20, "test": 20}


def files() -> Mapping[str, str]:
    """Return the files of a project, each by its path there."""
    return {
        "README.md": ABOUT,
        "conf/experiment/mine.yaml": RECIPE,
        "my_cell.py": CELL,
        "my_corpus.py": CORPUS,
        "my_task.py": TASK,
        "test_mine.py": TEST,
        **texts(),
    }


def texts() -> dict[str, str]:
    """Return invented sentences, in which one word tells the class."""
    draw = random.Random(1)
    found = {}
    for split, count in SIZES.items():
        for label, signs in SIGNS.items():
            lines = [f"a {draw.choice(signs)} {' and a '.join(draw.sample(PLACES, 2))}" for _ in range(count)]
            found[f"texts/{split}.{label}.txt"] = "\n".join([*lines, ""])
    return found


def new(words: list[str]) -> None:
    """Write the project into the folder that the words name.

    Raises:
        ConfigError: if they name none, or one that holds something.
    """
    if {"--help", "-h"} & set(words):
        print(HELP)
        return
    if len(words) != 1 or re.match(r"-|.*=", words[0]):
        raise ConfigError("Name the folder of the project: rnnlab new rivers")
    folder = Path(words[0])
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ConfigError(f"{folder} is there already. A project begins in a folder of its own.")
    for name, text in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_text(folder / name, text)
    print(f"A project is in {folder}; {folder / 'README.md'} tells what to type.")


def main() -> None:
    """Do what the words of the command line ask, and exit."""
    exit_by(lambda: new(sys.argv[1:]))
