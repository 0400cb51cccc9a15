"""A finished run's figures once more, or on other data, by the model's own vocabulary."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import numpy as np

from rnnlab.corpora.corpus import check_split
from rnnlab.tasks.memory.data import MemoryData
from rnnlab.data.text_data import TextData
from rnnlab.errors import ConfigError
from rnnlab.figures.scored_documents import ScoredDocuments
from rnnlab.tasks.sentiment.task import SentimentClassifier
from rnnlab.runs.load import OpenedRun, open_run
from rnnlab.text.encoded import EncodedSplit, encoded_corpus
from rnnlab.training.assembly import assemble_data
from rnnlab.training.encoding_progress import encoding_progress
from rnnlab.training.evaluation import evaluate
from rnnlab.training.fit import quieten
from rnnlab.training.hardware import check_accelerator
from rnnlab.tasks.sentiment.recorded_documents import RecordedDocuments

LIMITS = {"validation": "limit_val_batches", "test": "limit_test_batches"}
"""What of a split is scored, by the run's trainer."""


def evaluated(
    path: str | Path,
    split: str = "test",
    data: Mapping[str, Any] | None = None,
    labels: Sequence[str] = (),
    device: str | None = None,
    trust: Sequence[str] = (),
    scored: MutableMapping[str, ScoredDocuments] | None = None,
) -> dict[str, Any]:
    """Return a run's metrics on a split; on its own data those that training printed, digit for digit.

    Text is encoded by the model's own tokenizer and vocabulary, whatever the data.

    Args:
        path: a run folder or a checkpoint file.
        split: ``validation`` or ``test``.
        data: the ``data`` section of a configuration; None takes the run's own.
        labels: what the data calls the model's classes, in their order, where it calls them otherwise.
        device: ``auto``, ``cpu`` or ``gpu`` (``cuda`` is the same); None as in training.
        trust: packages besides rnnlab whose classes the checkpoint may name.
        scored: takes what a classifier says of each document, under the run's path.

    Returns:
        ``run``, ``checkpoint``, ``data`` (the corpus's name), ``split``, ``documents`` (or sequences),
        ``out_of_vocabulary`` (share of the tokens; None where there is no text), ``limit`` (of the batches,
        as in training: 1.0 for all), ``seed`` and ``metrics``.

    Raises:
        RunError: if the run can't be used.
        ConfigError: if the split or the device is neither, or the data's classes are not the model's.
        DataError: if the data is missing, damaged or empty.
    """
    quieten()
    if device not in (None, "auto", "cpu", "gpu", "cuda"):
        raise ConfigError(f"device={device}: choose auto, cpu or gpu.")
    run = open_run(path, trust)
    config = {**run.config, "data": run.config["data"] if data is None else dict(data)}
    trained = {key: value for key, value in config["trainer"].items() if key not in ("num_nodes", "strategy")}
    trainer = {**trained, "devices": 1, **({"accelerator": device} if device else {})}
    check_accelerator(trainer["accelerator"])
    lightning.seed_everything(config["seed"], workers=True, verbose=False)
    if run.reading is None:
        made = made_data(run, config)
        metrics = evaluate(run.task, made, split, trainer)
        documents, missed = made.sizes[split], None
    else:
        module = encoded_data(run, config, split, labels)
        recorders = recorders_of(run, module)
        metrics = evaluate(run.task, module, split, trainer, recorders)
        if scored is not None:
            scored.update((str(path), recorder.scored) for recorder in recorders)
        documents = sum(len(part) for part in module.encoded.splits.values())
        missed = max(module.encoded.out_of_vocabulary.values())
    return {
        "run": str(path),
        "checkpoint": str(run.checkpoint),
        "data": config["data"]["name"],
        "split": split,
        "documents": documents,
        "out_of_vocabulary": missed,
        "limit": trainer[LIMITS[split]],
        "seed": config["seed"],
        "metrics": metrics,
    }


def recorders_of(run: OpenedRun, data: TextData) -> list[RecordedDocuments]:
    """Return what keeps a classifier's answers; nothing for other tasks."""
    if not isinstance(run.task, SentimentClassifier):
        return []
    (documents,) = data.encoded.splits.values()
    return [RecordedDocuments(documents.lengths, run.labels)]


def made_data(run: OpenedRun, config: Mapping[str, Any]) -> MemoryData:
    """Return the sequences of a memory problem, such as the model was trained on.

    Raises:
        ConfigError: if its inputs or answers are not of the model's kind.
    """
    module, own = assemble_data(config), assemble_data(run.config)
    assert isinstance(module, MemoryData)
    if module.facts() != own.facts():
        raise ConfigError(
            f"The model was trained on {run.config['data']['name']} and {config['data']['name']} has other "
            f"inputs or answers ({own.facts()} and {module.facts()}). Another distance is fine."
        )
    return module


def encoded_data(run: OpenedRun, config: Mapping[str, Any], split: str, labels: Sequence[str]) -> TextData:
    """Return the data with one split encoded by the run's vocabulary, its classes numbered as the model's."""
    module = assemble_data(config)
    assert isinstance(module, TextData)
    if split not in module.splits():
        raise ConfigError(f"split={split}: evaluate on validation or test.")
    names = module.splits()[split]
    for name in names:
        check_split(module.corpus, name)
    with encoding_progress() as progress:
        encoded = encoded_corpus(
            module.corpus, run.tokenizer, splits=names, vocabulary=run.vocabulary, progress=progress
        )
    if run.labels:
        ids = model_ids(run.labels, encoded.labels, labels)
        encoded = replace(
            encoded,
            labels=run.labels,
            splits={name: relabelled(part, ids) for name, part in encoded.splits.items()},
        )
    module.encoded = encoded
    return module


def model_ids(model: Sequence[str], corpus: Sequence[str], named: Sequence[str]) -> list[int]:
    """Return the model's class id for each class of the corpus.

    Args:
        model: the model's classes.
        corpus: the corpus's classes.
        named: what the corpus calls the model's, in the model's order; empty where they are called the same.

    Raises:
        ConfigError: if the corpus has a class that the model has not, under the names given.
    """
    called = list(named) or list(model)
    strange = [name for name in corpus if name not in called]
    if len(called) != len(model) or len(set(called)) != len(called) or strange:
        raise ConfigError(
            f"The model tells {', '.join(model)}; the data has {', '.join(corpus)}. Say what the data calls "
            f"the model's, in the order {', '.join(model)}: labels={','.join(corpus)}, or turned round."
        )
    return [called.index(name) for name in corpus]


def relabelled(split: EncodedSplit, ids: Sequence[int]) -> EncodedSplit:
    """Return the split with class ``i`` renamed to ``ids[i]``; the text stays where it is."""
    if list(ids) == list(range(len(ids))):
        return split
    changed = np.where(split.labels < 0, -1, np.asarray(ids, dtype=np.int64)[split.labels])
    return replace(split, labels=changed, source=None)
