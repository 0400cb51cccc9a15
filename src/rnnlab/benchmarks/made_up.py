"""Each task with a batch that is made up: what needs no corpus, and is the same on every device."""

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
from rnnlab.tasks.speech.batches import SpeechBatch
from rnnlab.tasks.speech.task import SpeechRecognizer
from rnnlab.tasks.task import Task

ADAM = {"_target_": "torch.optim.AdamW", "lr": 1e-2, "weight_decay": 0.01}
RAGGED = torch.tensor([5, 4, 4, 2])
ALL = torch.ones(4, dtype=torch.bool)


class MadeUp(NamedTuple):
    """A task and a batch for it."""

    task: Task
    batch: Any


def encoder(cell: str = "gru", **options: Any) -> dict[str, Any]:
    """Return the configuration of an encoder, of four units where nothing else is said."""
    target = "rnnlab.encoder.recurrent.RecurrentEncoder"
    return {"_target_": target, "cell": cell, "hidden_size": 4, **options}


def awd(**options: Any) -> dict[str, Any]:
    """Return the configuration of AWD's encoder, a small one."""
    target = "rnnlab.encoder.regularised.RegularisedEncoder"
    return {"_target_": target, "cell": "lstm", "hidden_size": 5, "output_size": 4, "layers": 2, **options}


def sentiment(model: Mapping[str, Any], classes: int = 2, lengths: Tensor = RAGGED, **options: Any) -> MadeUp:
    """Return a classifier of four documents."""
    labels = [f"class {number}" for number in range(classes)]
    given = {"vocabulary_size": 20, "labels": labels, "embedding_size": 4, "optimizer": ADAM}
    task = SentimentClassifier(model=model, **{**given, **options})
    tokens = torch.randint(2, 20, (4, int(lengths.max())))
    return MadeUp(task, Batch(tokens, lengths, torch.arange(4) % classes, ALL))


def language_model(
    model: Mapping[str, Any],
    vocabulary: int = 40,
    size: int = 4,
    columns: int = 3,
    bptt: int = 3,
    **options: Any,
) -> MadeUp:
    """Return a language model with the first window of a text."""
    given = {"vocabulary_size": vocabulary, "embedding_size": size, "optimizer": ADAM}
    task = LanguageModel(model=model, **{**given, **options})
    ids = torch.randint(0, vocabulary, (columns, bptt + 1))
    return MadeUp(task, StreamBatch(ids[:, :-1], None, ids[:, 1:], None, columns * bptt, True, 1.0))


def memory(model: Mapping[str, Any], classes: int | None = 3, lengths: Tensor = RAGGED) -> MadeUp:
    """Return a network that remembers four sequences."""
    task = MemoryTask(model=model, input_size=3, answers=2, classes=classes, optimizer=ADAM)
    wanted = torch.zeros(4, 2) if classes is None else torch.zeros(4, 2, dtype=torch.int64)
    return MadeUp(task, Batch(torch.randn(4, int(lengths.max()), 3), lengths, wanted, ALL))


def forecaster(model: Mapping[str, Any], **options: Any) -> MadeUp:
    """Return a network that forecasts two series at a time, a covariate known ahead beside them."""
    given = {"look_back": 8, "horizon": 4, "targets": ("a", "b"), "ahead": ("c",), "optimizer": ADAM}
    task = Forecaster(model=model, **{**given, **options})
    targets = torch.randint(0, 5, (3, 4, 2)).float()
    units = torch.tensor([[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]], dtype=torch.float64).repeat(3, 1, 1)
    known, numbers = torch.ones_like(targets, dtype=torch.bool), torch.arange(3)
    inputs, ahead = torch.randn(3, 8, 3), torch.randn(3, 4, 1)
    return MadeUp(task, WindowBatch(inputs, None, targets, known, ahead, units, 0 * numbers, numbers, False))


def speech(model: Mapping[str, Any], **options: Any) -> MadeUp:
    """Return a network that listens to four recordings."""
    task = SpeechRecognizer(model=model, input_size=3, symbols=["<unk>", "a", "b"], optimizer=ADAM, **options)
    texts = torch.tensor([[1, 2, 1], [2, 1, -1], [1, -1, -1], [2, -1, -1]])
    counts, inputs = torch.tensor([3, 2, 1, 1]), torch.randn(4, 5, 3)
    return MadeUp(task, SpeechBatch(inputs, RAGGED, texts, ALL, counts, torch.arange(4)))
