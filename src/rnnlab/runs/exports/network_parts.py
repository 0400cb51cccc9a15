"""The parts of a trained network, as an export needs them."""

from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from rnnlab.errors import ConfigError
from rnnlab.models.encoder import RecurrentEncoder
from rnnlab.models.regularised import RegularisedEncoder

MOMENTS = {
    "last": ("last",),
    "mean": ("mean",),
    "max": ("max",),
    "mean_max": ("mean", "max"),
    "last_mean_max": ("last", "mean", "max"),
    "attention": ("attention",),
}
"""What each pooling puts side by side."""


@dataclass(frozen=True)
class Direction:
    """One layer in one direction, its weights laid out as PyTorch has them.

    Attributes:
        kind: ``gru``, ``lstm``, ``tanh`` or ``relu``.
        weight_ih: ``(gates * hidden, input)``; gates in the order r z n (GRU), i f g o (LSTM).
        weight_hh: ``(gates * hidden, hidden)``.
        bias_ih: ``(gates * hidden,)``.
        bias_hh: ``(gates * hidden,)``.
    """

    kind: str
    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor
    bias_hh: Tensor

    @property
    def hidden_size(self) -> int:
        """Units."""
        return self.weight_hh.shape[1]

    @property
    def states(self) -> tuple[str, ...]:
        """The names of what is carried from step to step, ``(batch, hidden)`` each."""
        return ("hidden", "memory") if self.kind == "lstm" else ("hidden",)

    def module(self) -> nn.RNNBase:
        """Return it as a time-major module of PyTorch's."""
        kinds = {"gru": nn.GRU, "lstm": nn.LSTM}
        options = {} if self.kind in kinds else {"nonlinearity": self.kind}
        made: nn.RNNBase = kinds.get(self.kind, nn.RNN)(self.weight_ih.shape[1], self.hidden_size, **options)
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        for parameter, weight in zip(made.all_weights[0], weights, strict=True):
            parameter.data.copy_(weight.detach())
        return made.eval()


def embedding_of(table: Tensor) -> nn.Embedding:
    """Return a table of vectors ``(ids, size)`` as a module of PyTorch's."""
    made = nn.Embedding(*table.shape)
    made.weight.data.copy_(table.detach())
    return made


def stacked(encoder: nn.Module, form: str) -> list[list[Direction]]:
    """Return the directions (one or two) of each layer, from the words upwards.

    Args:
        encoder: the trained encoder.
        form: the export's name, for the error.

    Raises:
        ConfigError: if the encoder is not one of rnnlab's.
    """
    if type(encoder) is RegularisedEncoder:
        parts = [cast(RecurrentEncoder, layer) for layer in encoder.layers]
        return [layer for part in parts for layer in stacked(part, form)]
    if type(encoder) is not RecurrentEncoder:
        raise ConfigError(
            f"format={form}: only rnnlab's own encoders can be written so; this one is "
            f"{type(encoder).__name__}. Use format=safetensors."
        )
    kind = encoder.nonlinearity if encoder.cell == "rnn" else encoder.cell
    every = [Direction(kind, *weights) for weights in encoder.network.all_weights]
    return [every[at : at + encoder.directions] for at in range(0, len(every), encoder.directions)]
