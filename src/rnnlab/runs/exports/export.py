"""A trained model for use without rnnlab, its vocabulary and tokenizer beside it as JSON."""

import json
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

import lightning

from rnnlab.atomic import write_text, written_beside
from rnnlab.errors import ConfigError, DataError, nearest
from rnnlab.named_classes import trusted_packages
from rnnlab.runs.evaluation import on_data, prepared_split
from rnnlab.runs.load import load
from rnnlab.runs.text_tables import check_output
from rnnlab.tasks.answers import TrainedModel
from rnnlab.tasks.exports import Answers, NetworkExports, OnnxAnswers
from rnnlab.terminal import console, print_table, table_of
from rnnlab.text.tokenizers import BasicEnglish, Bytes, Characters, Tokenizer, Whitespace
from rnnlab.training.processes import quieten
from rnnlab.training.score_tables import called, figure, over_all, thousands
from rnnlab.training.scoring import evaluate

DEFAULTS = {
    "onnx": "model.onnx",
    "int8": "model.int8.onnx",
    "torchscript": "model.pt",
    "safetensors": "model.safetensors",
    "keras": "model.keras",
}
"""The formats, and the file each writes where none is named."""
TIMED = 50
"""Batches by which speeds are compared."""
BASIC_ENGLISH = [['"', ""], ["<br />|[;:]", " "], ["(['.,()!?])", " \\1 "]]


def export(
    run: str,
    format: str,
    output: str | None = None,
    overwrite: bool = False,
    split: str | None = "test",
    data: Mapping[str, Any] | None = None,
    labels: str | None = None,
    trust: str | None = None,
) -> float:
    """Write a run's model to ``output`` and, beside it with the ending ``.json``, what its ids mean.

    Args:
        run: a run folder or a checkpoint file.
        format: ``onnx``, ``int8`` (ONNX, too) or ``torchscript`` (classifiers and language models),
            ``keras`` (classifiers), ``safetensors`` (the weights of any model), or ``hub`` (a folder of any
            model with weights, configuration and a card, which ``rnnlab.load`` opens).
        output: the file; None takes one of ``DEFAULTS`` in the working folder.
        overwrite: whether the files may exist.
        split: int8: the split on which it is scored beside the original; None for none.
        data: int8: the ``data`` section to score on; None takes the run's own.
        labels: int8: what that data calls the model's classes, separated by commas.
        trust: packages besides rnnlab whose classes the checkpoint may name, separated by commas.

    Returns:
        The largest difference between the file and PyTorch: of probabilities (classifiers),
        log-probabilities (language models; relative to those beyond 1), or weights (safetensors).

    Raises:
        RunError: if the run can't be used or exported so, a file exists, or the check fails.
        ConfigError: if the format is unknown, its package is not installed, or it has no such encoder.
        DataError: if the data to score on is missing.
        RnnlabError: if the disk is full.
    """
    if format == "hub":
        from rnnlab.runs.exports.hub import CARD, write_hub

        folder = Path(output or "hub")
        difference = write_hub(run, folder, overwrite, trusted_packages(trust))
        console.print(f"Folder      {folder}")
        console.print(f"Model card  {folder / CARD}: fill in the licence before it is published")
        return difference
    if format not in DEFAULTS:
        raise ConfigError(f"format={format} is unknown. {nearest(format, [*DEFAULTS, 'hub'])}")
    if split not in (None, "validation", "test"):
        raise ConfigError(f"split={split}: score on validation or test, or null.")
    target = Path(output or DEFAULTS[format])
    meaning = target.with_suffix(".json")
    check_ending(target, format)
    check_output(target, overwrite)
    model = load(run, device="cpu", trust=trusted_packages(trust))
    described = json.dumps(meanings(model), ensure_ascii=False) + "\n"
    same = described.encode(errors="backslashreplace")
    if not (meaning.is_file() and meaning.read_bytes() == same):  # beside another format of this model
        check_output(meaning, overwrite)
    names = tuple(labels.split(",")) if labels else ()
    with written_beside(target) as unfinished:
        difference = model.exports.write(format, unfinished)
        if format == "int8" and split is not None:
            compare(model, unfinished, split, data, names)
        write_text(meaning, described)
    console.print(f"Largest difference from PyTorch  {difference:.1e}")
    console.print(f"Model                            {target}")
    console.print(f"What its numbers mean            {meaning}")
    return difference


def check_ending(target: Path, format: str) -> None:
    """Check that a file's name does not say that it is something else.

    Raises:
        ConfigError: if it ends as another format's files do, or as the vocabulary beside it.
    """
    expected = Path(DEFAULTS[format]).suffix
    if target.suffix == ".json":
        raise ConfigError(f"output={target}: .json is for the vocabulary beside it; name a {expected} file.")
    others = {Path(name).suffix for name in DEFAULTS.values()} - {expected}
    if target.suffix in others:
        raise ConfigError(f"output={target}: format={format} writes a {expected} file.")


def meanings(model: TrainedModel) -> dict[str, Any]:
    """Return what it takes to make ids of a text and classes of the answer, as plain data."""
    text: dict[str, Any] = {}
    if model.run.reading is not None:
        tokens = model.vocabulary.to_dict()["tokens"]
        text = {"vocabulary": tokens, "tokenizer": tokenizing(model.tokenizer)}
    batches = model.config["batches"]
    return {
        **text,
        **model.exports.meanings(),
        "labels": list(model.labels),
        **{key: batches[key] for key in ("max_length", "truncate", "backward") if key in batches},
        "config": {key: model.config[key] for key in ("task", "model")},
    }


def compare(
    model: TrainedModel, file: Path, split: str, data: Mapping[str, Any] | None, labels: Sequence[str]
) -> None:
    """Print figures, size and speed of the trained network and of the ONNX file made of it.

    Raises:
        ConfigError: if the data's classes are not the model's.
        DataError: if the data is missing, damaged or empty.
    """
    quieten()
    config = on_data(model.config, data)
    trainer = {**config["trainer"], "accelerator": "cpu", "devices": 1, "precision": "32-true"}
    lightning.seed_everything(config["seed"], workers=True, verbose=False)
    try:
        batches = prepared_split(model.run, config, split, labels)
    except DataError as error:
        raise DataError(
            f"{error} An int8 export is scored beside the original: name other data (data=…), or pass "
            "split=null to go without."
        ) from error
    exports = cast(NetworkExports, model.exports)  # what was written came of them
    ours, theirs = exports.answers(), exports.onnx_answers(OnnxAnswers(file))
    metrics = [evaluate(exports.answering(answers), batches, split, trainer) for answers in (ours, theirs)]
    rates = speeds(batches.loader_of(split), ours, theirs)
    weights = sum(weight.numel() * weight.element_size() for weight in model.task.parameters())
    names = over_all(metrics[0], model.run.labels)
    columns = [*(called(name, model.run.labels) for name in names), "MB", "tokens/s"]
    table = table_of(f"{split} split of {config['data']['name']}", "", columns)
    titles, sizes = ("PyTorch, float32", "ONNX, int8"), (weights, file.stat().st_size)
    for title, found, size, rate in zip(titles, metrics, sizes, rates, strict=True):
        table.add_row(
            title, *(figure(key, found[key]) for key in names), f"{size / 1e6:.2f}", thousands(rate)
        )
    print_table(table)


def speeds(loader: Any, *contestants: Answers) -> list[float]:
    """Return how many real tokens a second each of the contestants answers, the network alone.

    They take turns batch by batch, so that what else the machine does slows all of them; each batch is first
    answered once without being timed: what is compiled or laid out for its shape is not speed.

    Args:
        loader: batches of the split, of which at most ``TIMED`` are taken, evenly spaced.
        contestants: the networks.
    """
    seconds, tokens = [0.0] * len(contestants), 0
    for batch in islice(loader, 0, None, -(-len(loader) // TIMED)):
        more = batch.lengths
        tokens += batch.inputs.numel() if more is None else int(more.sum())
        for number, answers in enumerate(contestants):
            answers(batch.inputs, more)
            started = time.perf_counter()
            answers(batch.inputs, more)
            seconds[number] += time.perf_counter() - started
    return [tokens / max(spent, 1e-9) for spent in seconds]


def tokenizing(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return how text becomes tokens as plain data, so that another program can do it without rnnlab.

    Besides what :meth:`Tokenizer.to_dict` gives: ``lowercase`` (put the text in lower case first),
    ``replace`` (pairs of a regular expression and what to put in its place, in this order) and ``split``
    (then take what stands between white space, ``whitespace``, every character, ``characters``, or every byte
    of its UTF-8, ``bytes``, a token being the character of that number). For byte pairs ``model`` is the
    content of a ``tokenizer.json`` for Hugging Face's ``tokenizers``, which does all.
    Of a tokenizer of the user's own nothing is known but what its ``to_dict`` gives.
    """
    plain = tokenizer.to_dict()
    if type(tokenizer) is BasicEnglish:
        return {**plain, "lowercase": True, "replace": BASIC_ENGLISH, "split": "whitespace"}
    splits: dict[type, str] = {Whitespace: "whitespace", Characters: "characters", Bytes: "bytes"}
    split = splits.get(type(tokenizer))
    return {**plain, "lowercase": False, "replace": [], "split": split} if split else plain
