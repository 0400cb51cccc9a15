"""A trained model for use without rnnlab, its vocabulary and tokenizer beside it as JSON."""

import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from rnnlab.atomic import told_when_full, write_text, written_beside
from rnnlab.errors import ConfigError, RunError, nearest
from rnnlab.named_classes import trusted_packages
from rnnlab.runs import loaded
from rnnlab.runs.exports import likeness
from rnnlab.runs.exports.answers import OnnxAnswers, lacking, scripted_answers
from rnnlab.runs.exports.tokenizing import tokenizing
from rnnlab.runs.outputs import check_output
from rnnlab.runs.trained_classifier import TrainedClassifier
from rnnlab.runs.trained_language_model import TrainedLanguageModel
from rnnlab.runs.trained_model import TrainedModel
from rnnlab.terminal import console

DEFAULTS = {
    "onnx": "model.onnx",
    "int8": "model.int8.onnx",
    "torchscript": "model.pt",
    "safetensors": "model.safetensors",
}
"""The formats, and the file each writes where none is named."""
TOLERANCE = 1e-4
ROUGHEST = 0.5  # a difference that rounding weights to 8 bits does not make in a model that is of use


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
        format: ``onnx``, ``int8`` (ONNX, too) or ``torchscript`` (classifiers and language models), or
            ``safetensors`` (the weights of any model).
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
    if format not in DEFAULTS:
        raise ConfigError(f"format={format} is unknown. {nearest(format, DEFAULTS)}")
    if split not in (None, "validation", "test"):
        raise ConfigError(f"split={split}: score on validation or test, or null.")
    target = Path(output or DEFAULTS[format])
    meaning = target.with_suffix(".json")
    check_ending(target, format)
    for file in (target, meaning):
        check_output(file, overwrite)
    model = loaded.load(run, device="cpu", trust=trusted_packages(trust))
    names = tuple(labels.split(",")) if labels else ()
    with told_when_full(target), written_beside(target) as unfinished:
        difference = WRITERS[format](model, unfinished)
        if format == "int8" and split is not None:
            compare(model, unfinished, split, data, names)
        write_text(meaning, json.dumps(meanings(model), ensure_ascii=False) + "\n")
    console.print(f"Largest difference from PyTorch  {difference:.1e}", markup=False)
    console.print(f"Model                            {target}", markup=False)
    console.print(f"Vocabulary, tokenizer, classes   {meaning}", markup=False)
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
        text = {
            "vocabulary": model.vocabulary.to_dict()["tokens"],
            "tokenizer": tokenizing(model.tokenizer),
        }
    batches = model.config["batches"]
    return {
        **text,
        "labels": list(model.labels),
        **{key: batches[key] for key in ("max_length", "truncate", "backward") if key in batches},
        "config": {key: model.config[key] for key in ("task", "model")},
    }


def write_safetensors(model: TrainedModel, file: Path) -> float:
    """Write every parameter under its name; return the largest difference after reading them again."""
    try:
        from safetensors.torch import load, save
    except ImportError as error:
        raise lacking("safetensors") from error
    # A tied weight is written under each of its names: the format knows no sharing.
    named = model.task.named_parameters(remove_duplicate=False)
    weights = {name: parameter.detach().clone().contiguous() for name, parameter in named}
    file.write_bytes(save(weights, metadata={"format": "pt"}))
    read = load(file.read_bytes())
    return max(float((read[name] - weight).abs().max()) for name, weight in weights.items())


def write_onnx(model: TrainedModel, file: Path) -> float:
    """Write ONNX in float32; return the largest difference from PyTorch's answers.

    Raises:
        RunError: if it is neither classifier nor language model, or differs by more than ``TOLERANCE``.
        ConfigError: if onnx or onnxruntime are not installed, or the encoder is not one of rnnlab's.
    """
    return checked(write_graph(model, file, "onnx"), TOLERANCE)


def write_int8(model: TrainedModel, file: Path) -> float:
    """Write ONNX that computes in 8-bit integers; see :func:`write_onnx`."""
    return checked(write_graph(model, file, "int8"), ROUGHEST)


def write_graph(model: TrainedModel, file: Path, form: str) -> float:
    """Write an ONNX graph and return its difference from PyTorch."""
    check_exportable(model, form)
    try:
        from rnnlab.runs.exports.int8_layers import Int8Layers
        from rnnlab.runs.exports.layers import FloatLayers
        from rnnlab.runs.exports.onnx_classifier import classifier_model
        from rnnlab.runs.exports.onnx_language_model import language_model
    except ImportError as error:
        raise lacking("onnx") from error
    layers = Int8Layers if form == "int8" else FloatLayers
    if isinstance(model, TrainedClassifier):
        graph = classifier_model(model.task, layers, form)
        file.write_bytes(graph.SerializeToString())
        return likeness.classifier_difference(model, OnnxAnswers(file).of_classifier)
    assert isinstance(model, TrainedLanguageModel)
    file.write_bytes(language_model(model.task, layers, form).SerializeToString())
    return likeness.language_difference(model, OnnxAnswers(file).of_language_model)


def write_torchscript(model: TrainedModel, file: Path) -> float:
    """Write TorchScript; see :func:`write_onnx`."""
    from rnnlab.runs.exports.scripted_classifier import PlainClassifier
    from rnnlab.runs.exports.scripted_language_model import PlainLanguageModel

    check_exportable(model, "torchscript")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch would have new code use torch.export
        if isinstance(model, TrainedClassifier):
            plain: torch.nn.Module = PlainClassifier(model.task)
        else:
            assert isinstance(model, TrainedLanguageModel)
            plain = PlainLanguageModel(model.task)
        torch.jit.script(plain.eval()).save(str(file))  # type: ignore[no-untyped-call]
        answers = scripted_answers(file)
        if isinstance(model, TrainedClassifier):
            return checked(likeness.classifier_difference(model, answers), TOLERANCE)
        return checked(likeness.language_difference(model, answers), TOLERANCE)


def check_exportable(model: TrainedModel, form: str) -> None:
    """Check that the model is of a task whose graph can be written.

    Raises:
        RunError: if it is not.
    """
    if not isinstance(model, (TrainedClassifier, TrainedLanguageModel)):
        raise RunError(
            f"format={form} is for task=sentiment and task=language_model; this is a run of "
            f"task={model.run.task_name}. Use format=safetensors."
        )


def checked(difference: float, most: float) -> float:
    """Return the difference if it is small enough.

    Raises:
        RunError: if it is not, or is no number.
    """
    if not difference <= most:
        raise RunError(f"The exported model differs from PyTorch by {difference:.1e}; nothing was written.")
    return difference


def compare(
    model: TrainedModel, file: Path, split: str, data: Mapping[str, Any] | None, labels: tuple[str, ...]
) -> None:
    """Print figures, size and speed beside the original's."""
    from rnnlab.runs.exports.comparison import compared, show

    section = model.config["data"] if data is None else data
    show(compared(model, file, split, data, labels), split, section["name"])


WRITERS: dict[str, Callable[[TrainedModel, Path], float]] = {
    "onnx": write_onnx,
    "int8": write_int8,
    "torchscript": write_torchscript,
    "safetensors": write_safetensors,
}
