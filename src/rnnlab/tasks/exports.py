"""In which forms a trained model can leave rnnlab; each task's has its own beside the weights alone."""

from __future__ import annotations

import copy
import io
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from rnnlab.errors import ConfigError, RunError
from rnnlab.tasks.task import Task

if TYPE_CHECKING:
    from rnnlab.tasks.answers import TrainedModel

Answers = Callable[[Tensor, Any], tuple[Tensor, Any]]
"""A network that is asked: ids ``(batch, time)``, and lengths or a state, to its answer."""

TOLERANCE = 1e-4
ROUGHEST = 0.5  # a difference that rounding weights to 8 bits does not make in a model that is of use

Trained = TypeVar("Trained", bound=Task)


class Exports:
    """A model's exports: the weights alone, which every task has.

    Args:
        model: what leaves, on the CPU.
    """

    def __init__(self, model: TrainedModel) -> None:
        self.model = model

    def write(self, format: str, file: Path) -> float:
        """Write a format; return the largest difference between the file's answers and PyTorch's.

        Raises:
            RunError: if the task has no such format, or the file differs too much.
            ConfigError: if a package is not installed, or the format has no such encoder.
        """
        if format == "safetensors":
            return self.write_safetensors(file)
        raise RunError(
            f"format={format}: task={self.model.run.task_name} has no such export of the whole network. "
            "Use format=safetensors, the weights alone."
        )

    def meanings(self) -> dict[str, Any]:
        """Return what else must be known to use a file, as plain data."""
        return {}

    def write_safetensors(self, file: Path) -> float:
        """Write every parameter under its name; return the largest difference after reading them again."""
        try:
            from safetensors.torch import load, save
        except ImportError as error:
            raise lacking("safetensors") from error
        # A tied weight is written under each of its names: the format knows no sharing.
        named = self.model.task.named_parameters(remove_duplicate=False)
        weights = {name: parameter.detach().clone().contiguous() for name, parameter in named}
        file.write_bytes(save(weights, metadata={"format": "pt"}))
        read = load(file.read_bytes())
        return max(float((read[name] - weight).abs().max()) for name, weight in weights.items())


class NetworkExports(Exports, ABC):
    """Exports of the whole network, too: ONNX in float32 or int8, and TorchScript."""

    def write(self, format: str, file: Path) -> float:
        """See :class:`Exports`."""
        if format in ("onnx", "int8"):
            return checked(self.write_onnx(file, format), ROUGHEST if format == "int8" else TOLERANCE)
        if format == "torchscript":
            return checked(self.write_torchscript(file), TOLERANCE)
        return super().write(format, file)

    def write_onnx(self, file: Path, form: str) -> float:
        """Write ONNX, in float32 (``onnx``) or computing in 8-bit integers (``int8``)."""
        file.write_bytes(self.graph(layers_named(form), form).SerializeToString())
        return self.difference(self.onnx_answers(OnnxAnswers(file)))

    def write_torchscript(self, file: Path) -> float:
        """Write TorchScript."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch would have new code use torch.export
            content = io.BytesIO()  # saving to a path, PyTorch ends the process where the disk is full
            torch.jit.save(torch.jit.script(self.scriptable().eval()), content)
            file.write_bytes(content.getvalue())
            return self.difference(scripted_answers(file))

    @abstractmethod
    def graph(self, layers: Any, form: str) -> Any:
        """Return the network as an ONNX model, its layers written by ``layers``."""

    @abstractmethod
    def scriptable(self) -> nn.Module:
        """Return the network as a module that TorchScript takes."""

    @abstractmethod
    def difference(self, exported: Any) -> float:
        """Return the largest difference between what an export and what PyTorch answers."""

    def answers(self) -> Answers:
        """Return what the trained network itself answers."""
        return self.answers_of(self.model.task)

    @staticmethod
    @abstractmethod
    def answers_of(task: Any) -> Answers:
        """Return what a network answers."""

    @staticmethod
    @abstractmethod
    def onnx_answers(exported: OnnxAnswers) -> Answers:
        """Return what an ONNX file answers to the same questions."""

    @abstractmethod
    def answering(self, answers: Answers) -> Task:
        """Return a copy of the task that counts as in training, but counts the answers given."""


class OnnxAnswers:
    """What an ONNX file answers, in onnxruntime on as many threads as PyTorch has.

    Args:
        file: the model.

    Raises:
        ConfigError: if onnxruntime is not installed.
    """

    def __init__(self, file: Path) -> None:
        try:
            from onnxruntime import InferenceSession, SessionOptions
        except ImportError as error:
            raise lacking("onnxruntime") from error
        options = SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def run(self, feed: dict[str, Tensor]) -> list[Tensor]:
        """Return every output of the graph."""
        given = {name: np.ascontiguousarray(part.numpy()) for name, part in feed.items()}
        return [torch.from_numpy(part) for part in self.session.run(None, given)]


def layers_named(form: str) -> Any:
    """Return the class that writes a network's layers as ONNX nodes: of ``onnx`` or ``int8``.

    Raises:
        ConfigError: if onnx is not installed.
    """
    try:
        from rnnlab.graphs.int8_layers import Int8Layers
        from rnnlab.graphs.layers import FloatLayers
    except ImportError as error:
        raise lacking("onnx") from error
    return Int8Layers if form == "int8" else FloatLayers


def scripted_answers(file: Path) -> Any:
    """Return what a TorchScript file answers; a language model's first state is its own to make."""
    module = torch.jit.load(str(file)).eval()  # type: ignore[no-untyped-call]

    def answers(tokens: Tensor, more: Any) -> Any:
        # Unoptimized: a few batches are not worth compiling for.
        with torch.inference_mode(), torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
            state = module.initial_state(len(tokens)) if more is None else more
            return module(tokens, list(state) if isinstance(state, tuple) else state)

    return answers


def by_pytorch(task: Trained) -> Trained:
    """Return a copy that runs on PyTorch's kernels alone, so that the check compiles nothing."""
    plain = copy.deepcopy(task)
    for module in plain.modules():
        if hasattr(module, "backend"):
            module.backend = "torch"  # type: ignore[assignment]
    return plain


def largest_of(differences: list[float]) -> float:
    """Return the largest, NaN if any is: Python's ``max`` would pass over it.

    >>> largest_of([0.0, float("nan"), 1.0])
    nan
    """
    return float(np.max(differences))


def checked(difference: float, most: float) -> float:
    """Return the difference if it is small enough.

    Raises:
        RunError: if it is not, or is no number.
    """
    if not difference <= most:
        raise RunError(f"The exported model differs from PyTorch by {difference:.1e}; nothing was written.")
    return difference


def lacking(package: str) -> ConfigError:
    """Return the error for a package that only an export needs."""
    return ConfigError(f"This export needs {package}: pip install 'rnnlab[export]' (or {package} alone).")
