"""Fine-tuning: layer by layer, and with the language model's loss beside."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from rnnlab.build import check_arguments
from rnnlab.data.batch import beside
from rnnlab.encoder.encoder import Encoder
from rnnlab.errors import ConfigError
from rnnlab.optimization.building import decayed_apart
from rnnlab.tasks.language_model.decoders import build_decoder
from rnnlab.tasks.sentiment.long_documents import ReadDocuments
from rnnlab.tasks.task import Task
from rnnlab.text.vocabulary import EOS_ID

Layers = Sequence[Sequence[nn.Parameter]]
"""Trainable parameters, each in one layer, the layers from the bottom to the top."""

# ``layers.2.network.weight_ih_l0`` is of the encoder's layer 2, ``network.weight_hh_l1_reverse`` of 1, and so
# is ``blocks.norms.2.weight``, the norm that stands on it.
_LAYER = re.compile(r"(?:^|\.)(?:layers|units)\.(\d+)\.|_l(\d+)(?:_reverse)?$|(?:^|\.)norms\.(\d+)\.")


def layers_from_bottom(task: nn.Module) -> list[list[nn.Parameter]]:
    """Return the layers of a task: its embedding, those of its encoder, and whatever else it has.

    An encoder whose parameters don't tell their layer is one layer. Tied weights belong to the lowest.

    Args:
        task: with the modules ``embedding`` and ``encoder``.
    """
    numbers: dict[nn.Parameter, int] = {}
    for parameter in task.get_submodule("embedding").parameters():
        numbers.setdefault(parameter, 0)
    for name, parameter in task.get_submodule("encoder").named_parameters():
        numbers.setdefault(parameter, 1 + layer_number(name))
    top = 1 + max(numbers.values())
    for parameter in task.parameters():
        numbers.setdefault(parameter, top)
    layers: list[list[nn.Parameter]] = [[] for _ in range(top + 1)]
    for parameter, number in numbers.items():
        if parameter.requires_grad:
            layers[number].append(parameter)
    return [layer for layer in layers if layer]


def layer_number(name: str) -> int:
    """Return the layer of an encoder that a parameter's name tells, from 0.

    >>> layer_number("layers.2.network.weight_ih_l0"), layer_number("network.bias_hh_l1_reverse")
    (2, 1)
    >>> layer_number("attention.weight"), layer_number("blocks.norms.2.weight")
    (0, 1)
    """
    found = _LAYER.search(name)
    if found is None:
        return 0
    return int(found[1] or found[2]) if found[3] is None else max(0, int(found[3]) - 1)


def discriminative_groups(layers: Layers, rate: float, factor: float) -> list[dict[str, Any]]:
    """Return parameter groups in which each layer's learning rate is that of the layer above by ``factor``.

    Args:
        layers: from the bottom to the top.
        rate: the learning rate of the top.
        factor: 2.6 in the paper.
    """
    groups = []
    for depth, layer in enumerate(reversed(layers)):
        groups += [{**group, "lr": rate / factor**depth} for group in decayed_apart(layer)]
    return [group for group in groups if group["params"]]


class GradualUnfreezing:
    """Trains the top alone at first, and one layer more after every so many epochs.

    Args:
        layers: from the bottom to the top; what is frozen already is not among them and stays so.
        epochs: between one layer and the next, at least 1.
    """

    def __init__(self, layers: Layers, epochs: int) -> None:
        self.layers = layers
        self.epochs = epochs

    def trained(self, epoch: int) -> int:
        """Return how many layers are trained in ``epoch``, counted from 0."""
        return min(len(self.layers), 1 + epoch // self.epochs)

    def enter(self, epoch: int) -> None:
        """Let only the layers of ``epoch`` have gradients; nothing is computed for those below them."""
        trained = self.trained(epoch)
        for depth, layer in enumerate(reversed(self.layers)):
            for parameter in layer:
                parameter.requires_grad = depth < trained

    def leave(self) -> None:
        """Let all layers have gradients again."""
        for layer in self.layers:
            for parameter in layer:
                parameter.requires_grad = True


class FineTunedTask(Task):
    """A task with an ``embedding`` and an ``encoder``, trained layer by layer where that is asked for.

    Args:
        optimizer: the optimizer's configuration; ``None`` for a model that only answers.
        scheduler: the learning-rate schedule's configuration, or ``None``.
        unfreezing_epochs: train the top alone for so many epochs, then one layer more from the top after
            each as many; 0 trains all from the beginning. See above.
        discriminative_factor: a layer's learning rate is that of the layer above divided by it.

    Raises:
        ConfigError: if an option is out of range.
    """

    def __init__(
        self,
        optimizer: Mapping[str, Any] | None,
        scheduler: Mapping[str, Any] | None,
        unfreezing_epochs: int = 0,
        discriminative_factor: float = 1.0,
    ) -> None:
        super().__init__(optimizer, scheduler)
        if unfreezing_epochs < 0:
            raise ConfigError(f"task.unfreezing_epochs={unfreezing_epochs}: expected at least 0.")
        if discriminative_factor < 1:
            raise ConfigError(
                f"task.discriminative_factor={discriminative_factor}: expected at least 1, one rate for all."
            )
        self.unfreezing_epochs = unfreezing_epochs
        self.discriminative_factor = discriminative_factor
        self.unfreezing: GradualUnfreezing | None = None

    def on_train_start(self) -> None:
        """Freeze what the epoch in which training begins, or goes on, does not train yet.

        Raises:
            ConfigError: if layers are to be unfrozen one by one on several processes.
        """
        if self.unfreezing_epochs == 0:
            return
        if self.trainer.world_size > 1:
            raise ConfigError(
                "task.unfreezing_epochs: several processes must agree before the first step on what is "
                "trained. Use trainer.devices=1, or task.unfreezing_epochs=0 with task.discriminative_factor."
            )
        self.unfreezing = GradualUnfreezing(layers_from_bottom(self), self.unfreezing_epochs)
        self.unfreezing.enter(self.current_epoch)

    def on_train_epoch_start(self) -> None:
        """Unfreeze what this epoch trains."""
        if self.unfreezing is not None:
            self.unfreezing.enter(self.current_epoch)

    def on_train_end(self) -> None:
        """Leave nothing frozen that was not so before."""
        if self.unfreezing is not None:
            self.unfreezing.leave()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the parameter groups: weight decay spares the biases, and each layer may have its own rate.

        Raises:
            ConfigError: if rates are to differ and the optimizer's is not given.
        """
        if self.discriminative_factor == 1:
            return super().parameter_groups()
        rate = (self.optimizer_config or {}).get("lr")
        if rate is None:
            raise ConfigError("task.discriminative_factor needs optimizer.lr, the rate of the top layer.")
        return discriminative_groups(layers_from_bottom(self), float(rate), self.discriminative_factor)


class LanguageLoss(nn.Module):
    """The mean negative log-probability of each document's next tokens, the ``<eos>`` at its end included.

    Args:
        input_size: components of a hidden state.
        embedding: the matrix ``(vocabulary, size)`` that tokens are read by.
        head: ``full`` or ``adaptive``, see :mod:`rnnlab.tasks.language_model.decoders`.
        cutoffs: where the adaptive head's clusters begin.
        tie_weights: predict tokens by the vectors they are read by.
    """

    def __init__(
        self,
        input_size: int,
        embedding: nn.Parameter,
        head: str = "full",
        cutoffs: Sequence[int] | None = None,
        tie_weights: bool = True,
    ) -> None:
        super().__init__()
        self.decoder = build_decoder(
            head,
            input_size=input_size,
            vocabulary_size=len(embedding),
            tied=embedding if tie_weights else None,
            cutoffs=cutoffs,
        )

    def forward(self, parts: list[ReadDocuments], tokens: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum of the losses ``()`` in nats, and of how many tokens.

        Args:
            parts: the batch as it was read.
            tokens: ids ``(batch, time)`` in the order in which they were read.
            valid: ``(batch,)`` False for a document that only fills a distributed step.
        """
        totals, numbers = [], []
        for part in parts:
            chosen = slice(None) if part.numbers is None else beside(part.numbers, tokens)
            lengths = beside(part.lengths, tokens).unsqueeze(1)
            of_part = tokens[chosen][:, : part.outputs.shape[1]]
            steps = torch.arange(of_part.shape[1], device=tokens.device)
            kept = ((steps < lengths) & valid[chosen].unsqueeze(1)).flatten()
            targets = following(of_part, lengths).flatten()
            losses = self.decoder.losses(part.outputs.flatten(0, 1), targets)
            totals.append((losses * kept).sum())
            numbers.append(kept.sum())
        return torch.stack(totals).sum(), torch.stack(numbers).sum()


def following(tokens: Tensor, lengths: Tensor) -> Tensor:
    """Return what follows each token ``(batch, time)``: ``<eos>`` after a document's last.

    Args:
        tokens: ids ``(batch, time)``, right-padded.
        lengths: ``(batch, 1)``.
    """
    steps = torch.arange(tokens.shape[1], device=tokens.device)
    return pad(tokens[:, 1:], (0, 1)).masked_fill(steps == lengths - 1, EOS_ID)


def build_language_loss(
    options: Mapping[str, Any], encoder: Encoder, embedding: nn.Parameter
) -> tuple[LanguageLoss | None, float]:
    """Return the loss that ``task.language_loss`` asks for, None where its weight is 0, and the weight.

    Raises:
        ConfigError: if an option is unknown or out of range, or the encoder reads both ways.
    """
    weight = float(options.get("weight", 0.0))
    others = {key: value for key, value in options.items() if key != "weight"}
    facts: dict[str, Any] = {"input_size": encoder.output_size, "embedding": embedding}
    check_arguments(LanguageLoss, others, facts, "task.language_loss")
    if weight < 0:
        raise ConfigError(f"task.language_loss.weight={weight}: expected at least 0.")
    if weight == 0:
        return None, 0.0
    if encoder.is_bidirectional:
        raise ConfigError(
            "task.language_loss predicts each word from those before it; a bidirectional encoder has already "
            "read it. Set model.bidirectional=false or task.language_loss.weight=0."
        )
    return LanguageLoss(**facts, **others), weight
