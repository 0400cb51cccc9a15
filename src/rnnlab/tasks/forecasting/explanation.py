"""Which steps and which columns made a forecast: integrated gradients on what the network reads."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from rnnlab.encoder.attribution import integrated_gradients

MOST_STEPS = 512


class ForecastExplanation(NamedTuple):
    """Each input's share of a forecast.

    Attributes:
        look_back: shares ``(look_back, columns)``.
        ahead: shares of what was known ahead of time ``(horizon, ahead)``.
        difference: what the shares add up to: the forecast minus that of a window in which every input is the
            mean of training.
        steps: in how many steps the integral was taken.
    """

    look_back: Tensor
    ahead: Tensor
    difference: float
    steps: int


def explained(
    score: Callable[[Tensor, Tensor], Tensor], inputs: Tensor, ahead: Tensor, most_steps: int = MOST_STEPS
) -> ForecastExplanation:
    """Return each input's share of a score.

    Args:
        score: windows ``(batch, look_back, columns)`` and what is known ahead ``(batch, horizon, ahead)`` to
            the number ``(batch,)`` to be explained.
        inputs: of one window ``(look_back, columns)``.
        ahead: of one window ``(horizon, ahead)``.
        most_steps: the most steps of the integral.
    """
    border = inputs.numel()

    def of_one_row(points: Tensor) -> Tensor:
        flat = points[..., 0]  # (batch, inputs and ahead)
        return score(
            flat[:, :border].reshape(len(flat), *inputs.shape),
            flat[:, border:].reshape(len(flat), *ahead.shape),
        )

    # To the integral every input is a step of its own with one feature.
    row = inputs.new_empty(border + ahead.numel(), 1)
    row[:border, 0], row[border:, 0] = inputs.flatten(), ahead.flatten()
    found = integrated_gradients(of_one_row, row, most_steps)
    shares = found.shares
    return ForecastExplanation(
        shares[:border].view_as(inputs), shares[border:].view_as(ahead), found.difference, found.steps
    )
