"""Small untrained networks of every kind."""

from typing import Any

import torch

from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.tasks.sentiment.task import SentimentClassifier

WORDS = 30
PLAIN = "rnnlab.encoder.recurrent.RecurrentEncoder"
STACKED = {"_target_": "rnnlab.encoder.regularised.RegularisedEncoder", "layers": 2, "output_size": 4}

ENCODERS: list[dict[str, Any]] = [
    {"cell": "rnn"},
    {"cell": "rnn", "nonlinearity": "relu", "bidirectional": True},
    {"cell": "gru", "layers": 2},
    {"cell": "gru", "bidirectional": True},
    {"cell": "lstm", **STACKED},
    {"cell": "lstm", "layers": 2, "bidirectional": True},
]
LANGUAGE_ENCODERS: list[dict[str, Any]] = [
    {"cell": "rnn"},
    {"cell": "rnn", "nonlinearity": "relu", "layers": 2},
    {"cell": "gru", **STACKED},
    {"cell": "lstm", "layers": 2},
]


def classifier(
    encoder: dict[str, Any], pooling: str, classes: int, backward: bool = False
) -> SentimentClassifier:
    torch.manual_seed(3)
    task = SentimentClassifier(
        model={"_target_": PLAIN, "hidden_size": 5, **encoder},
        vocabulary_size=WORDS,
        labels=[f"class{i}" for i in range(classes)],
        embedding_size=4,
        pooling=pooling,
        backward=backward,
    )
    with torch.no_grad():
        task.embedding.weight.mul_(20)  # so that every word counts
    return task.eval()


def language_model(encoder: dict[str, Any], head: str, tied: bool) -> LanguageModel:
    torch.manual_seed(3)
    task = LanguageModel(
        model={"_target_": PLAIN, "hidden_size": 5, **encoder},
        vocabulary_size=WORDS,
        embedding_size=4,
        head=head,
        tie_weights=tied,
    )
    with torch.no_grad():
        task.embedding.weight.mul_(20)
    return task.eval()
