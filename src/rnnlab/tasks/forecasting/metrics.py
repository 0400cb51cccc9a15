"""How good forecasts are: over all windows, by step of the horizon, and by series.

Every figure is a ratio of sums over all values that are known, never a mean of batch means. torchmetrics has
the mean square and absolute errors and sMAPE, but for values that are all known and not by step; its classes
are what the tests compare with.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from rnnlab.tasks.forecasting.losses import pinball

SUMS = (
    "count",
    "squared",
    "absolute",
    "real_squared",
    "real_absolute",
    "smape",
    "mase",
    "mase_count",
    "size",
)
"""What is summed up for each step and target; ``size`` is that of what happened, in real units."""

PLAIN = ("mse", "mae", "real_mse", "real_mae", "mase", "smape")
"""Figures of a forecast of one number."""


class ForecastScores(Metric):
    """Sums from which :meth:`compute` makes all figures.

    - ``mse``, ``mae``: on the scale of training; ``real_mse``, ``real_mae``: in real units.
    - ``mase``: absolute error over that of repeating the last season in training (Hyndman and Koehler 2006).
    - ``smape``: ``2 |y - f| / (|y| + |f|)``, between 0 and 2.
    - with quantiles, ``wql``: twice the pinball loss over the size of what happened, in real units, mean over
      the levels (Salinas et al. 2020, appendix); ``coverage_80``: the share within the band that says 80 %;
      and ``width_80``: the band's mean width on the scale of training.

    Args:
        horizon: steps of a forecast.
        targets: numbers of a step.
        levels: of the quantiles; empty where none are forecast.
        series: how many series there are.
    """

    full_state_update = False
    sums: Tensor
    series_sums: Tensor
    below: Tensor
    pinballs: Tensor
    within: Tensor
    widths: Tensor

    def __init__(self, horizon: int, targets: int, levels: Sequence[float] = (), series: int = 1) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.bands = bands_of(self.levels)
        sizes = {
            "sums": (len(SUMS), horizon, targets),
            "series_sums": (3, series),
            "below": (len(self.levels), horizon, targets),
            "pinballs": (len(self.levels), horizon, targets),
            "within": (len(self.bands), horizon, targets),
            "widths": (len(self.bands), horizon, targets),
        }
        for name, size in sizes.items():
            self.add_state(name, torch.zeros(size, dtype=torch.float64), dist_reduce_fx="sum")

    def update(
        self,
        forecast: Tensor,
        truth: Tensor,
        known: Tensor,
        units: Tensor,
        series: Tensor | None = None,
        quantiles: Tensor | None = None,
    ) -> None:
        """Add a batch.

        Args:
            forecast: ``(batch, horizon, targets)`` on the scale of training.
            truth: of the same shape; anything where it is not known.
            known: bool of the same shape.
            units: of each window's series ``(batch, 3, targets)``: the real value of 0, the real size of 1,
                and the mean size of the change over a season in training, in real units; the last is 0 or
                NaN where there is none.
            series: each window's series ``(batch,)``; None where there is one.
            quantiles: ``(batch, horizon, targets, levels)``.
        """
        location, scale, naive = units.double().unsqueeze(2).unbind(1)  # each (batch, 1, targets)
        weight = known.double()
        happened = torch.where(known, truth, torch.zeros_like(truth)).double()
        said = forecast.double()
        error = (said - happened) * weight
        real, real_said = happened * scale + location, said * scale + location
        size = (real.abs() + real_said.abs()).clamp(min=torch.finfo(torch.float64).tiny)
        has_naive = (naive > 0).double() * weight
        parts = {
            "count": weight,
            "squared": error.square(),
            "absolute": error.abs(),
            "real_squared": (error * scale).square(),
            "real_absolute": (error * scale).abs(),
            "smape": 2 * (error * scale).abs() / size,
            "mase": torch.where(has_naive > 0, (error * scale).abs() / naive, torch.zeros_like(error)),
            "mase_count": has_naive,
            "size": real.abs() * weight,
        }
        self.sums += torch.stack([parts[name].sum(dim=0) for name in SUMS])
        by_window = torch.stack([parts[name].sum(dim=(1, 2)) for name in SUMS[:3]])
        numbers = torch.zeros(len(said), dtype=torch.long, device=said.device) if series is None else series
        self.series_sums.index_add_(1, numbers.to(said.device), by_window)
        if quantiles is not None and self.levels:
            self.add_quantiles(quantiles.double(), happened, weight, scale)

    def add_quantiles(self, quantiles: Tensor, truth: Tensor, weight: Tensor, scale: Tensor) -> None:
        """Add a batch's quantiles ``(batch, horizon, targets, levels)``."""
        levels = torch.tensor(self.levels, dtype=torch.float64, device=truth.device)
        happened, counted = truth.unsqueeze(-1), weight.unsqueeze(-1)
        lost = pinball(quantiles, happened, levels) * scale.unsqueeze(-1) * counted
        self.below += ((happened <= quantiles) * counted).sum(dim=0).movedim(-1, 0)
        self.pinballs += lost.sum(dim=0).movedim(-1, 0)
        for number, (low, high) in enumerate(self.bands):
            lower, upper = quantiles[..., low], quantiles[..., high]
            self.within[number] += ((truth >= lower) & (truth <= upper)).double().mul(weight).sum(dim=0)
            self.widths[number] += ((upper - lower) * weight).sum(dim=0)

    @property
    def names(self) -> tuple[str, ...]:
        """What :meth:`compute` returns."""
        return (*PLAIN, *self.of_bands)

    @property
    def of_bands(self) -> tuple[str, ...]:
        """Figures of quantiles."""
        bands = [f"{kind}_{self.percent(band)}" for band in self.bands for kind in ("coverage", "width")]
        return (*(["wql"] if self.levels else []), *bands)

    def compute(self) -> dict[str, Tensor]:
        """Return all figures; NaN where nothing was known."""
        total = dict(zip(SUMS, self.sums.sum(dim=(1, 2)), strict=True))
        count = total["count"]
        found = {
            "mse": total["squared"] / count,
            "mae": total["absolute"] / count,
            "real_mse": total["real_squared"] / count,
            "real_mae": total["real_absolute"] / count,
            "mase": total["mase"] / total["mase_count"],
            "smape": total["smape"] / count,
        }
        if self.levels:
            found["wql"] = 2 * self.pinballs.sum() / (total["size"] * len(self.levels))
        for number, band in enumerate(self.bands):
            found[f"coverage_{self.percent(band)}"] = self.within[number].sum() / count
            found[f"width_{self.percent(band)}"] = self.widths[number].sum() / count
        return found

    def by_step(self, name: str) -> Tensor:
        """Return the mean of one of :data:`SUMS` of each step ``(horizon,)``."""
        sums = self.sums.sum(dim=2)
        count = sums[SUMS.index("mase_count" if name == "mase" else "count")]
        return sums[SUMS.index(name)] / count

    def by_series(self) -> dict[str, Tensor]:
        """Return ``mse`` and ``mae`` of each series ``(series,)`` on the scale of training."""
        count, squared, absolute = self.series_sums
        return {"mse": squared / count, "mae": absolute / count}

    def shares_below(self) -> Tensor:
        """Return which share happened at or below each quantile ``(levels,)``; at best its level."""
        return self.below.sum(dim=(1, 2)) / self.sums[SUMS.index("count")].sum()

    def percent(self, band: tuple[int, int]) -> str:
        """Return how much of what happens a band says it holds, in percent.

        >>> ForecastScores(1, 1, (0.1, 0.5, 0.9)).percent((0, 2))
        '80'
        """
        return f"{100 * (self.levels[band[1]] - self.levels[band[0]]):.4g}"

    def __hash__(self) -> int:
        """Return the identity: Metric's own hash looks at states that change."""
        return id(self)


def bands_of(levels: Sequence[float]) -> list[tuple[int, int]]:
    """Return the pairs of levels that lie as far from 0 as from 1, by their numbers, the widest first.

    >>> bands_of((0.05, 0.1, 0.5, 0.9, 0.95)), bands_of((0.2, 0.5))
    ([(0, 4), (1, 3)], [])
    """
    numbers: dict[float, int] = {round(level, 6): number for number, level in enumerate(levels)}
    pairs = ((number, numbers.get(round(1 - level, 6))) for number, level in enumerate(levels) if level < 0.5)
    return [(low, high) for low, high in pairs if high is not None]


def figures_of(scores: ForecastScores) -> dict[str, float]:
    """Return all figures as plain numbers."""
    computed: dict[str, Any] = scores.compute()
    return {name: float(value) for name, value in computed.items()}
