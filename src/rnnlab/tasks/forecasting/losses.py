"""What a forecast is trained by, and what it says: a number, quantiles, or a distribution.

The head gives ``size`` numbers for each target and step. :meth:`Loss.parameters` turns them into parameters,
of which some move with a shift and a scale of the data, some with the scale alone, and some with neither.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, distributions

from rnnlab.data.batch import beside
from rnnlab.errors import ConfigError, nearest

LEAST = 1e-5
"""The least scale of a distribution: none is a certainty."""
MEDIAN = 0.5


class Loss(ABC):
    """How far a forecast is from what happened.

    Attributes:
        shifted: for each parameter whether it moves with a shift of the data.
        stretched: for each parameter whether it grows with the data's scale.
        counts: whether it is computed on whole numbers as they are, not on scaled ones.
        has_quantiles: whether a forecast says more than one number.
    """

    shifted: tuple[bool, ...] = (True,)
    stretched: tuple[bool, ...] = (True,)
    counts: ClassVar[bool] = False
    has_quantiles: ClassVar[bool] = False

    @property
    def size(self) -> int:
        """Numbers that the head gives for each target and step."""
        return len(self.shifted)

    def parameters(self, raw: Tensor) -> Tensor:
        """Return parameters ``(..., size)`` from the head's numbers ``(..., size)``."""
        return raw

    def moved(self, parameters: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        """Return the parameters ``(..., size)`` of ``shift + scale * y`` from those of ``y``.

        Args:
            parameters: ``(..., size)``.
            shift: ``(...)``, broadcast.
            scale: ``(...)``, above 0, broadcast.
        """
        stretched = beside(torch.tensor(self.stretched), parameters)
        shifted = beside(torch.tensor(self.shifted), parameters)
        factor = torch.where(stretched, scale.unsqueeze(-1), 1.0)
        return parameters * factor + torch.where(shifted, shift.unsqueeze(-1), 0.0)

    @abstractmethod
    def losses(self, parameters: Tensor, targets: Tensor) -> Tensor:
        """Return the loss ``(...)`` of parameters ``(..., size)`` where ``targets (...)`` happened."""

    def point(self, parameters: Tensor) -> Tensor:
        """Return the one number ``(...)`` that the forecast says: its mean, or its median."""
        return parameters[..., 0]

    def quantiles(self, parameters: Tensor, levels: Sequence[float]) -> Tensor:
        """Return the forecast's quantiles ``(..., levels)``, if it has any."""
        raise NotImplementedError


class SquaredError(Loss):
    """The mean of what may happen: ``(y - f)^2``."""

    def losses(self, parameters: Tensor, targets: Tensor) -> Tensor:
        """Return squared errors."""
        return (parameters[..., 0] - targets).square()


class AbsoluteError(Loss):
    """The median of what may happen: ``|y - f|``."""

    def losses(self, parameters: Tensor, targets: Tensor) -> Tensor:
        """Return absolute errors."""
        return (parameters[..., 0] - targets).abs()


class Huber(Loss):
    """Squared up to ``delta``, absolute beyond (Huber 1964), so that outliers pull less.

    Args:
        delta: on the scale of training.

    Raises:
        ConfigError: if it is not above 0.
    """

    def __init__(self, delta: float = 1.0) -> None:
        if not delta > 0:
            raise ConfigError(f"task.huber_delta={delta}: expected a number above 0.")
        self.delta = delta

    def losses(self, parameters: Tensor, targets: Tensor) -> Tensor:
        """Return Huber's errors."""
        return F.huber_loss(parameters[..., 0], targets, reduction="none", delta=self.delta)


class Quantiles(Loss):
    """Several quantiles at once, which can't cross: the median, and steps of positive size away from it.

    The loss is the mean of the levels' pinball losses (Koenker and Bassett 1978).

    Args:
        levels: between 0 and 1, ascending, the median among them.
    """

    has_quantiles = True

    def __init__(self, levels: Sequence[float]) -> None:
        self.levels = tuple(levels)
        self.middle = self.levels.index(MEDIAN)
        self.shifted = self.stretched = (True,) * len(self.levels)

    def parameters(self, raw: Tensor) -> Tensor:
        """Return the quantiles ``(..., levels)``, ascending."""
        middle = raw[..., self.middle : self.middle + 1]
        steps = F.softplus(raw)
        above = middle + steps[..., self.middle + 1 :].cumsum(-1)
        below = middle - steps[..., : self.middle].flip(-1).cumsum(-1).flip(-1)
        return torch.cat((below, middle, above), dim=-1)

    def losses(self, parameters: Tensor, targets: Tensor) -> Tensor:
        """Return the mean pinball loss over the levels."""
        levels = beside(torch.tensor(self.levels, dtype=parameters.dtype), parameters)
        return pinball(parameters, targets.unsqueeze(-1), levels).mean(-1)

    def point(self, parameters: Tensor) -> Tensor:
        """Return the median."""
        return parameters[..., self.middle]

    def quantiles(self, parameters: Tensor, levels: Sequence[float]) -> Tensor:
        """Return the quantiles: the levels are those that were trained."""
        return parameters


class Gaussian(Loss):
    """A normal distribution: mean and deviation."""

    shifted = (True, False)
    stretched = (True, True)
    has_quantiles = True

    def parameters(self, raw: Tensor) -> Tensor:
        """Return mean and deviation ``(..., 2)``."""
        return torch.stack((raw[..., 0], F.softplus(raw[..., 1]) + LEAST), dim=-1)

    def losses(self, parameters: Tensor, targets: Tensor) -> Tensor:
        """Return the negative log-likelihood, in nats."""
        mean, deviation = parameters.unbind(-1)
        found = distributions.Normal(mean, deviation, validate_args=False)
        return -found.log_prob(targets)  # type: ignore[no-untyped-call,no-any-return]

    def quantiles(self, parameters: Tensor, levels: Sequence[float]) -> Tensor:
        """Return the distribution's quantiles."""
        mean, deviation = parameters.unsqueeze(-2).unbind(-1)  # each (..., 1)
        found: Tensor = mean + deviation * torch.special.ndtri(parameters.new_tensor(levels))
        return found


class StudentT(Loss):
    """Student's distribution with a location, a scale and degrees of freedom above 2: heavier tails."""

    shifted = (True, False, False)
    stretched = (True, True, False)
    has_quantiles = True

    def parameters(self, raw: Tensor) -> Tensor:
        """Return location, scale and degrees of freedom ``(..., 3)``."""
        location, scale, freedom = raw.unbind(-1)
        return torch.stack((location, F.softplus(scale) + LEAST, 2 + F.softplus(freedom)), dim=-1)

    def losses(self, parameters: Tensor, targets: Tensor) -> Tensor:
        """Return the negative log-likelihood, in nats."""
        location, scale, freedom = parameters.unbind(-1)
        # torch.distributions writes a number into a new tensor for it, which waits for a GPU at each step.
        area = scale.log() + 0.5 * freedom.log() + 0.5 * math.log(math.pi)
        area = area + torch.lgamma(0.5 * freedom) - torch.lgamma(0.5 * (freedom + 1.0))
        off = (targets - location) / scale
        return 0.5 * (freedom + 1.0) * torch.log1p(off.square() / freedom) + area

    def quantiles(self, parameters: Tensor, levels: Sequence[float]) -> Tensor:
        """Return the distribution's quantiles."""
        from scipy.special import stdtrit

        location, scale, freedom = parameters.unsqueeze(-2).unbind(-1)  # each (..., 1)
        standard = stdtrit(freedom.detach().double().cpu().numpy(), np.asarray(levels))
        return location + scale * torch.as_tensor(standard).to(parameters)


class NegativeBinomial(Loss):
    """Counts of mean ``m`` and dispersion ``a``: their variance is ``m + a m^2`` (Salinas et al. 2020)."""

    shifted = (False, False)
    stretched = (True, False)
    counts = True
    has_quantiles = True

    def parameters(self, raw: Tensor) -> Tensor:
        """Return mean and dispersion ``(..., 2)``."""
        return F.softplus(raw) + LEAST

    def losses(self, parameters: Tensor, targets: Tensor) -> Tensor:
        """Return the negative log-likelihood of counts, in nats."""
        mean, dispersion = parameters.unbind(-1)
        total = 1 / dispersion
        found = distributions.NegativeBinomial(total, logits=(mean * dispersion).log(), validate_args=False)
        return -found.log_prob(targets)  # type: ignore[no-untyped-call,no-any-return]

    def quantiles(self, parameters: Tensor, levels: Sequence[float]) -> Tensor:
        """Return the distribution's quantiles, which are counts."""
        from scipy.stats import nbinom

        plain = parameters.detach().double().cpu().numpy()[..., None, :]
        mean, dispersion = plain[..., 0], plain[..., 1]  # each (..., 1)
        found = nbinom.ppf(np.asarray(levels), 1 / dispersion, 1 / (1 + mean * dispersion))
        return torch.as_tensor(found).to(parameters)


LOSSES: dict[str, Callable[[Sequence[float], float], Loss]] = {
    "mse": lambda levels, delta: SquaredError(),
    "mae": lambda levels, delta: AbsoluteError(),
    "huber": lambda levels, delta: Huber(delta),
    "quantile": lambda levels, delta: Quantiles(levels),
    "gaussian": lambda levels, delta: Gaussian(),
    "student_t": lambda levels, delta: StudentT(),
    "negative_binomial": lambda levels, delta: NegativeBinomial(),
}


def loss_named(name: str, levels: Sequence[float], delta: float = 1.0) -> Loss:
    """Return a loss.

    Args:
        name: of :data:`LOSSES`.
        levels: of the quantiles that are forecast.
        delta: of ``huber``.

    Raises:
        ConfigError: if there is none of this name, or an argument is out of range.
    """
    if name not in LOSSES:
        raise ConfigError(f"task.loss={name}. {nearest(name, LOSSES)}")
    check_levels(levels)
    return LOSSES[name](levels, delta)


def check_levels(levels: Sequence[float]) -> None:
    """Raise a ConfigError if these are no levels of quantiles."""
    for level in levels:
        if not 0 < level < 1:
            raise ConfigError(f"task.quantiles: {level} is not between 0 and 1, such as 0.1.")
    if MEDIAN not in levels or sorted(set(levels)) != list(levels):
        raise ConfigError(
            f"task.quantiles={list(levels)}: expected ascending levels, among them 0.5, the point forecast."
        )


def pinball(forecast: Tensor, targets: Tensor, levels: Tensor) -> Tensor:
    """Return the pinball loss of quantiles, all broadcast: ``max(q (y - f), (q - 1) (y - f))``."""
    error = targets - forecast
    return torch.maximum(levels * error, (levels - 1) * error)
