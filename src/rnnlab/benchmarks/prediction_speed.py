"""What batching brings to prediction: a classifier asked in windows of texts, and one text at a time."""

import random
import time
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from rnnlab.benchmarks.settings import Settings
from rnnlab.benchmarks.turns import paired, summary
from rnnlab.build import build
from rnnlab.corpora.corpus import Corpus
from rnnlab.errors import RunError
from rnnlab.runs.load import load
from rnnlab.tasks.answers import WINDOW, TrainedModel

ALONE = WINDOW // 16
"""Texts that are asked about one at a time; in windows, all are."""


def measure(config: Mapping[str, Any], settings: Settings, device: str) -> dict[str, Any]:
    """Ask a run about texts of the configuration's corpus, both ways, in turns.

    Returns:
        Both ways' rates in characters per second, as the texts of a turn are not the same; how many texts
        the windows answer a second; what the windows' rate is by the other's, paired by round.

    Raises:
        RunError: if ``prediction`` names no run of a classifier.
        DataError: if the corpus can't be read.
    """
    model = load(str(settings.prediction), device=device)
    if not model.tells_classes:
        raise RunError(
            f"prediction={settings.prediction} is a run of task={model.run.task_name}, no classifier."
        )
    texts = sample(config, WINDOW)
    model.predict(texts[:ALONE])  # pays for compilation
    rates: dict[str, list[float]] = {"windows": [], "alone": []}
    for number in range(settings.repeats):
        first = number * ALONE % max(1, len(texts) - ALONE + 1)
        some = texts[first : first + ALONE]
        ways = [("windows", texts), ("alone", some)]
        for name, asked in ways if number % 2 == 0 else ways[::-1]:
            seconds = seconds_for(model, asked, alone=name == "alone")
            rates[name].append(sum(map(len, asked)) / seconds)
    characters = sum(map(len, texts)) / len(texts)
    return {
        "run": str(settings.prediction),
        "encoder": {key: value for key, value in model.run.config["model"].items() if key != "_target_"},
        "texts": len(texts),
        "characters": characters,
        "characters_per_second": {name: summary(had) for name, had in rates.items()},
        "texts_per_second": {
            name: summary([rate / characters for rate in had]) for name, had in rates.items()
        },
        "times_as_fast": paired(rates["windows"], rates["alone"]),
    }


def sample(config: Mapping[str, Any], count: int) -> list[str]:
    """Return at most ``count`` texts of the test split, chosen by the seed."""
    corpus: Corpus = build(config["data"]["corpus"], object, "data.corpus")  # type: ignore[assignment]
    texts = [document.text for document in corpus.documents("test")]
    return random.Random(config["seed"]).sample(texts, min(count, len(texts)))


def seconds_for(model: TrainedModel, texts: Sequence[str], alone: bool) -> float:
    """Return how long the answers to all the texts take."""
    began = time.perf_counter()
    asked = ([text] for text in texts) if alone else [texts]
    answers = list(chain.from_iterable(model.predictions(some) for some in asked))
    taken = time.perf_counter() - began
    assert len(answers) == len(texts)
    return taken
