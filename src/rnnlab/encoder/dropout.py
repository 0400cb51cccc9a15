"""Dropout with one mask for all time steps, and the check of shares that are dropped."""

from torch import Tensor, nn

from rnnlab.errors import ConfigError


class LockedDropout(nn.Module):
    """Drops the same components at every time step of a sequence (Gal and Ghahramani 2016).

    Args:
        share: the share of components dropped; the others are scaled so that the expectation stays.

    Raises:
        ValueError: if it is not in [0, 1).
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        if not 0 <= share < 1:
            raise ValueError(f"dropout={share}: expected at least 0 and below 1.")
        self.share = share

    def forward(self, inputs: Tensor) -> Tensor:
        """Drop components of ``inputs (batch, time, size)``; each sequence has a mask of its own."""
        if not self.training or self.share == 0:
            return inputs
        mask = inputs.new_empty(inputs.shape[0], 1, inputs.shape[2]).bernoulli_(1 - self.share)
        return inputs * mask.div_(1 - self.share)

    def extra_repr(self) -> str:
        """Show the share."""
        return f"share={self.share}"


def check_shares(section: str, **shares: float) -> None:
    """Check shares that are dropped, keys of a section of the configuration.

    Raises:
        ConfigError: if one is not in [0, 1).
    """
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise ConfigError(f"{section}.{name}={share}: expected a share from 0 to below 1.")
