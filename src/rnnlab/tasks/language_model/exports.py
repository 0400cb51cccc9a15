"""A language model's exports: how each is written, and how far its answers are from PyTorch's."""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rnnlab.cells.cell import State
from rnnlab.tasks.exports import (
    Answers,
    NetworkExports,
    OnnxAnswers,
    by_pytorch,
    largest_of,
)
from rnnlab.tasks.language_model.answers import TrainedLanguageModel
from rnnlab.tasks.language_model.task import LanguageModel

WINDOWS = (35, 1, 7)  # tokens that are read one after another, the state carried


class LanguageModelExports(NetworkExports):
    """A language model as ONNX, in float32 or int8, and as TorchScript; each takes and returns its state."""

    model: TrainedLanguageModel

    def graph(self, layers: Any, form: str) -> Any:
        """See :class:`NetworkExports`."""
        from rnnlab.tasks.language_model.onnx import language_model

        return language_model(self.model.task, layers, form)

    def scriptable(self) -> nn.Module:
        """See :class:`NetworkExports`."""
        from rnnlab.tasks.language_model.torchscript import PlainLanguageModel

        return PlainLanguageModel(self.model.task)

    @staticmethod
    def answers_of(task: LanguageModel) -> Answers:
        """Return log-probabilities ``(batch, time, ids)`` and a state, of ids and a state (None at first)."""

        def answers(tokens: Tensor, state: State | None) -> tuple[Tensor, State]:
            with torch.inference_mode():
                hidden, after = task(tokens, state)
                found = task.decoder.log_probabilities(hidden.flatten(0, 1))
                return found.view(*tokens.shape, -1), after

        return answers

    @staticmethod
    def onnx_answers(exported: OnnxAnswers) -> Answers:
        """See :class:`NetworkExports`."""

        def answers(tokens: Tensor, state: tuple[Tensor, ...] | None) -> tuple[Tensor, Any]:
            _, *inputs = exported.session.get_inputs()
            before = state or [torch.zeros(len(tokens), given.shape[1]) for given in inputs]
            named = {given.name: part for given, part in zip(inputs, before, strict=True)}
            found, *after = exported.run({"tokens": tokens, **named})
            return found, tuple(after)

        return answers

    def answering(self, answers: Answers) -> LanguageModel:
        """See :class:`NetworkExports`."""
        task = copy.deepcopy(self.model.task)
        task.forward = answers  # type: ignore[method-assign, assignment]
        task.decoder = Scored()  # type: ignore[assignment]
        return task

    def difference(self, exported: Any) -> float:
        """Return the largest difference of log-probabilities, relative to those beyond 1, the state carried.

        A probability is one of thousands in a vocabulary: too small for its difference to tell anything.
        """
        ours = self.answers_of(by_pytorch(self.model.task))
        random = np.random.default_rng(1)
        differences: list[float] = []
        states: list[Any] = [None, None]
        for window in WINDOWS:
            tokens = torch.from_numpy(random.integers(len(self.model.vocabulary), size=(4, window)))
            found, states[0] = exported(tokens, states[0])
            expected, states[1] = ours(tokens, states[1])
            differences.append(float(((found - expected).abs() / expected.abs().clamp(min=1)).max()))
        return largest_of(differences)


class Scored(nn.Module):
    """Stands in for a decoder where the network has answered with log-probabilities already."""

    def losses_and_best(self, log_probabilities: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses and the most probable id at each position, both ``(positions,)``."""
        losses = -log_probabilities.gather(1, targets.unsqueeze(1)).squeeze(1)
        return losses, log_probabilities.argmax(dim=1)
