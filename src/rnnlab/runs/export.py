"""A trained model for use without rnnlab: ONNX or safetensors, its vocabulary and tokenizer beside it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rnnlab.atomic import told_when_full, write_text, written_beside
from rnnlab.errors import ConfigError, RunError, nearest
from rnnlab.runs import loaded
from rnnlab.runs.outputs import check_output
from rnnlab.runs.trained_classifier import TrainedClassifier, in_a_row
from rnnlab.runs.trained_model import TrainedModel
from rnnlab.terminal import console

FORMATS = ("onnx", "safetensors")
TOLERANCE = 1e-4
BATCHES, BATCH, LONGEST = 8, 32, 500  # of the check


def export(
    run: str, format: str, output: str | None = None, overwrite: bool = False, trust: str | None = None
) -> float:
    """Write a run's model to ``output`` and, beside it with the ending ``.json``, what its ids mean.

    Args:
        run: a run folder or a checkpoint file.
        format: ``onnx`` (sentiment models) or ``safetensors`` (the weights of any).
        output: the file; None takes ``model.onnx`` or ``model.safetensors`` in the working folder.
        overwrite: whether the files may exist.
        trust: a package besides rnnlab whose classes the checkpoint may name.

    Returns:
        The largest difference between what the file and PyTorch compute (onnx), or hold (safetensors).

    Raises:
        RunError: if the run can't be used or exported so, a file exists, or the check fails.
        ConfigError: if the format is unknown, its package is not installed, or it has no such encoder.
        RnnlabError: if the disk is full.
    """
    if format not in FORMATS:
        raise ConfigError(f"format={format} is unknown. {nearest(format, FORMATS)}")
    target = Path(output or f"model.{format}")
    meaning = target.with_suffix(".json")
    if target == meaning:
        raise ConfigError(f"output={target}: .json is for the vocabulary beside it; name a .{format} file.")
    for file in (target, meaning):
        check_output(file, overwrite)
    model = loaded.load(run, device="cpu", trust=(trust,) if trust else ())
    with told_when_full(target), written_beside(target) as unfinished:
        difference = (
            write_onnx(model, unfinished) if format == "onnx" else write_safetensors(model, unfinished)
        )
        write_text(meaning, json.dumps(meanings(model), ensure_ascii=False) + "\n")
    console.print(f"Largest difference from PyTorch  {difference:.1e}", markup=False)
    console.print(f"Model                            {target}", markup=False)
    console.print(f"Vocabulary, tokenizer, classes   {meaning}", markup=False)
    return difference


def meanings(model: TrainedModel) -> dict[str, Any]:
    """Return what it takes to make ids of a text and classes of the answer, as plain data."""
    batches = model.config["batches"]
    return {
        "vocabulary": model.vocabulary.to_dict()["tokens"],
        "tokenizer": model.tokenizer.to_dict(),
        "labels": list(model.labels),
        **{key: batches[key] for key in ("max_length", "truncate") if key in batches},
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
    """Write a classifier as ONNX; return the largest difference of its probabilities from PyTorch's.

    Raises:
        RunError: if it is no classifier, or differs by more than ``TOLERANCE``.
        ConfigError: if onnx or onnxruntime are not installed, or the encoder has no operator.
    """
    if not isinstance(model, TrainedClassifier):
        raise RunError(
            f"format=onnx is for task=sentiment; this is a run of task={model.run.task_name}. "
            "Use format=safetensors."
        )
    try:
        from rnnlab.runs.onnx_graph import onnx_model
    except ImportError as error:
        raise lacking("onnx") from error
    file.write_bytes(onnx_model(model.task, model.config["task"]["pooling"]).SerializeToString())
    difference = difference_in_onnxruntime(model, file)
    if not difference <= TOLERANCE:
        raise RunError(f"The ONNX model differs from PyTorch by {difference:.1e}; nothing was written.")
    return difference


def difference_in_onnxruntime(model: TrainedClassifier, file: Path) -> float:
    """Return the largest difference of probabilities over mixed batches of 1 to ``LONGEST`` random words."""
    try:
        from onnxruntime import InferenceSession
    except ImportError as error:
        raise lacking("onnxruntime") from error
    session = InferenceSession(str(file), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(1)
    largest = 0.0
    for _ in range(BATCHES):
        texts = [
            random.integers(len(model.vocabulary), size=length, dtype=np.int32)
            for length in random.integers(1, LONGEST + 1, size=BATCH)
        ]
        batch = model.batch(in_a_row(texts), np.arange(BATCH))
        feed = {"tokens": batch.tokens.numpy(), "lengths": batch.lengths.numpy()}
        (found,) = session.run(["probabilities"], feed)
        with torch.inference_mode():
            ours = model.task.probabilities(model.task(batch.tokens, batch.lengths)).numpy()
        largest = max(largest, float(np.abs(found - ours).max()))
    return largest


def lacking(package: str) -> ConfigError:
    """Return the error for a package that only an export needs."""
    return ConfigError(f"This export needs {package}: pip install 'rnnlab[export]' (or {package} alone).")
