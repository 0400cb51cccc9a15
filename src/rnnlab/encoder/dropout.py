"""Dropout for recurrent networks: one mask for all time steps, and on the recurrent matrices themselves."""

from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from rnnlab.errors import ConfigError


class LockedDropout(nn.Module):
    """Drops the same components at every time step of a sequence (Gal and Ghahramani 2016).

    Args:
        share: the share of components dropped; the others are scaled so that the expectation stays.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = checked_share(share, "dropout")

    def forward(self, inputs: Tensor) -> Tensor:
        """Drop components of ``inputs (batch, time, size)``; each sequence has a mask of its own."""
        if not self.training or self.share == 0:
            return inputs
        mask = inputs.new_empty(inputs.shape[0], 1, inputs.shape[2]).bernoulli_(1 - self.share)
        return inputs * mask.div_(1 - self.share)

    def extra_repr(self) -> str:
        """Show the share."""
        return f"share={self.share}"


class Droppable(Protocol):
    """An encoder that tells of which matrices ``weight_dropout`` drops entries."""

    def droppable_matrices(self) -> dict[str, Tensor]:
        """Return them by the names that they have as its parameters."""
        ...


def with_dropped_weights(encoder: Droppable, share: float) -> dict[str, Tensor]:
    """Return the recurrent matrices with a share of their entries dropped, under their own names.

    This is DropConnect on the hidden-to-hidden weights, one mask for a whole window (Merity et al. 2018,
    section 2). Run the encoder on them with ``torch.func.functional_call``: the parameters themselves stay
    what they are and get their gradient through the mask.
    """
    return {name: F.dropout(matrix, share) for name, matrix in encoder.droppable_matrices().items()}


def checked_share(share: float, name: str) -> float:
    """Return ``share`` if something is left after dropping it.

    Raises:
        ValueError: if it is not in [0, 1).
    """
    if not 0 <= share < 1:
        raise ValueError(f"{name}={share}: expected at least 0 and below 1.")
    return share


def check_shares(**shares: float) -> None:
    """Check shares that are dropped.

    Raises:
        ConfigError: if one is not in [0, 1).
    """
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise ConfigError(f"task.{name}={share}: expected a share from 0 to below 1.")
