"""Each task, small, with a batch of its own."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rnnlab.data.batch import Batch
from rnnlab.data.streams import StreamBatch
from rnnlab.tasks.forecasting.data import WindowBatch
from rnnlab.tasks.forecasting.task import Forecaster
from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.tasks.memory.task import MemoryTask
from rnnlab.tasks.sentiment.task import SentimentClassifier
from rnnlab.tasks.speech.data import SpeechBatch
from rnnlab.tasks.speech.task import SpeechRecognizer
from rnnlab.tasks.task import Task

ADAM = {"_target_": "torch.optim.AdamW", "lr": 1e-2, "weight_decay": 0.01}
RAGGED = torch.tensor([5, 4, 4, 2])
ALL = torch.ones(4, dtype=torch.bool)


class Tiny(NamedTuple):
    """A task and a batch for it."""

    task: Task
    batch: Any


def encoder(cell: str = "gru", **options: Any) -> dict[str, Any]:
    """Return the configuration of an encoder of four units."""
    target = "rnnlab.encoder.recurrent.RecurrentEncoder"
    return {"_target_": target, "cell": cell, "hidden_size": 4, **options}


def awd(**options: Any) -> dict[str, Any]:
    """Return the configuration of AWD's encoder."""
    return {
        "_target_": "rnnlab.encoder.regularised.RegularisedEncoder",
        **{"cell": "lstm", "hidden_size": 5, "output_size": 4, "layers": 2, **options},
    }


def sentiment(model: Mapping[str, Any], classes: int = 2, lengths: Tensor = RAGGED, **options: Any) -> Tiny:
    """Return a classifier."""
    labels = [f"class {number}" for number in range(classes)]
    task = SentimentClassifier(
        model=model, vocabulary_size=20, labels=labels, embedding_size=4, optimizer=ADAM, **options
    )
    tokens = torch.randint(2, 20, (4, int(lengths.max())))
    return Tiny(task, Batch(tokens, lengths, torch.arange(4) % classes, ALL))


def language_model(model: Mapping[str, Any], starts: bool = True, **options: Any) -> Tiny:
    """Return a language model."""
    options = {"optimizer": ADAM, **options}
    task = LanguageModel(model=model, vocabulary_size=40, embedding_size=4, **options)
    ids = torch.randint(0, 40, (3, 4))
    return Tiny(task, StreamBatch(ids[:, :-1], None, ids[:, 1:], None, 9, starts, 1.0))


def memory(model: Mapping[str, Any], classes: int | None = 3, lengths: Tensor = RAGGED) -> Tiny:
    """Return a network that remembers."""
    task = MemoryTask(model=model, input_size=3, answers=2, classes=classes, optimizer=ADAM)
    wanted = torch.zeros(4, 2) if classes is None else torch.zeros(4, 2, dtype=torch.int64)
    return Tiny(task, Batch(torch.randn(4, int(lengths.max()), 3), lengths, wanted, ALL))


def forecaster(model: Mapping[str, Any], **options: Any) -> Tiny:
    """Return a network that forecasts two series at a time, a covariate known ahead beside them."""
    task = Forecaster(
        model=model, look_back=8, horizon=4, targets=("a", "b"), ahead=("c",), optimizer=ADAM, **options
    )
    targets = torch.randint(0, 5, (3, 4, 2)).float()
    units = torch.tensor([[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]], dtype=torch.float64).expand(3, 3, 2)
    known = torch.ones_like(targets, dtype=torch.bool)
    numbers = torch.arange(3)
    inputs, ahead = torch.randn(3, 8, 3), torch.randn(3, 4, 1)
    return Tiny(task, WindowBatch(inputs, None, targets, known, ahead, units, 0 * numbers, numbers, False))


def speech(model: Mapping[str, Any], **options: Any) -> Tiny:
    """Return a network that listens."""
    task = SpeechRecognizer(model=model, input_size=3, symbols=["<unk>", "a", "b"], optimizer=ADAM, **options)
    texts = torch.tensor([[1, 2, 1], [2, 1, -1], [1, -1, -1], [2, -1, -1]])
    counts = torch.tensor([3, 2, 1, 1])
    return Tiny(task, SpeechBatch(torch.randn(4, 5, 3), RAGGED, texts, ALL, counts, torch.arange(4)))
