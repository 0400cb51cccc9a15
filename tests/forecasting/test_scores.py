"""Figures against slow loops and torchmetrics, baselines, conformal bands, explanations."""

import math

import numpy as np
import pytest
import torch
import torchmetrics
from torch import Tensor

from rnnlab.tasks.forecasting import conformal
from rnnlab.tasks.forecasting.answers import explained
from rnnlab.tasks.forecasting.baselines import LinearForecast, SeenWindows, last_season, last_value, repeating
from rnnlab.tasks.forecasting.metrics import ForecastScores, figures_of

LEVELS = (0.1, 0.5, 0.9)
WINDOWS, HORIZON, TARGETS = 37, 6, 3


class Case:
    """Forecasts of two series, some of which nobody can check."""

    def __init__(self) -> None:
        chance = torch.Generator().manual_seed(4)

        def draw(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=chance)

        self.truth = draw(WINDOWS, HORIZON, TARGETS)
        self.forecast = self.truth + draw(WINDOWS, HORIZON, TARGETS)
        self.known = torch.rand(self.truth.shape, generator=chance) > 0.2
        self.truth[~self.known] = torch.nan
        self.series = torch.arange(WINDOWS) % 2
        self.quantiles = self.forecast.unsqueeze(-1) + torch.tensor([-1.0, 0.0, 1.2])
        location, scale, naive = draw(2, TARGETS), draw(2, TARGETS).abs() + 0.1, draw(2, TARGETS).abs() + 0.1
        naive[1, 2] = 0.0  # a series that never changed in training
        self.units = torch.stack((location, scale, naive), dim=1)[self.series]

    def scored(self, batch: int) -> ForecastScores:
        scores = ForecastScores(HORIZON, TARGETS, LEVELS, series=2)
        for part in torch.arange(WINDOWS).split(batch):
            scores.update(
                self.forecast[part],
                self.truth[part],
                self.known[part],
                self.units[part],
                self.series[part],
                self.quantiles[part],
            )
        return scores


@pytest.fixture(scope="module")
def case() -> Case:
    return Case()


def slow(case: Case) -> dict[str, float]:
    """Return the figures, a value at a time."""
    lists: dict[str, list[float]] = {name: [] for name in ("se", "ae", "rse", "rae", "smape", "mase", "size")}
    inside, width, lost = [], [], []
    for window, step, target in torch.argwhere(case.known).tolist():
        y, f = float(case.truth[window, step, target]), float(case.forecast[window, step, target])
        location, scale, naive = case.units[window, :, target].tolist()
        real_y, real_f = y * scale + location, f * scale + location
        lists["se"].append((y - f) ** 2)
        lists["ae"].append(abs(y - f))
        lists["rse"].append((real_y - real_f) ** 2)
        lists["rae"].append(abs(real_y - real_f))
        lists["smape"].append(2 * abs(real_y - real_f) / (abs(real_y) + abs(real_f)))
        lists["size"].append(abs(real_y))
        if naive > 0:
            lists["mase"].append(abs(real_y - real_f) / naive)
        low, _, high = quantiles = case.quantiles[window, step, target].tolist()
        inside.append(low <= y <= high)
        width.append(high - low)
        for level, quantile in zip(LEVELS, quantiles, strict=True):
            real = quantile * scale + location
            lost.append(max(level * (real_y - real), (level - 1) * (real_y - real)))
    means = {name: sum(values) / len(values) for name, values in lists.items()}
    return {
        **{"mse": means["se"], "mae": means["ae"], "real_mse": means["rse"], "real_mae": means["rae"]},
        **{"mase": means["mase"], "smape": means["smape"]},
        "wql": 2 * sum(lost) / sum(lists["size"]) / len(LEVELS),
        "coverage_80": sum(inside) / len(inside),
        "width_80": sum(width) / len(width),
    }


@pytest.mark.parametrize("batch", [1, 8, WINDOWS])
def test_all_figures_are_those_of_a_slow_loop(case: Case, batch: int) -> None:
    assert figures_of(case.scored(batch)) == pytest.approx(slow(case), rel=1e-6)


def test_where_all_is_known_they_are_torchmetrics_s(case: Case) -> None:
    truth = torch.nan_to_num(case.truth)
    scores = ForecastScores(HORIZON, TARGETS)
    plain = torch.tensor([0.0, 1.0, 1.0])[:, None].expand(WINDOWS, 3, TARGETS)
    scores.update(case.forecast, truth, torch.ones_like(truth, dtype=torch.bool), plain)
    theirs = {
        "mse": torchmetrics.MeanSquaredError(),
        "mae": torchmetrics.MeanAbsoluteError(),
        "smape": torchmetrics.SymmetricMeanAbsolutePercentageError(),
    }
    ours = figures_of(scores)
    for name, metric in theirs.items():
        assert ours[name] == pytest.approx(float(metric(case.forecast.flatten(), truth.flatten())), rel=1e-5)
    assert ours["mase"] == ours["mae"] == ours["real_mae"]


def test_by_step_and_by_series(case: Case) -> None:
    scores = case.scored(8)
    squares = torch.where(case.known, (case.truth - case.forecast) ** 2, torch.nan).double()
    assert torch.allclose(scores.by_step("squared"), torch.nanmean(squares, dim=(0, 2)))
    found = scores.by_series()["mse"]
    for number in (0, 1):
        assert float(found[number]) == pytest.approx(float(torch.nanmean(squares[case.series == number])))
    below = case.quantiles >= case.truth.unsqueeze(-1)
    expected = [float(below[..., level][case.known].double().mean()) for level in range(3)]
    assert scores.shares_below().tolist() == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_a_scorer_can_be_emptied(case: Case) -> None:
    scores = case.scored(8)
    scores.reset()
    assert math.isnan(figures_of(scores)["mse"])


def windows(count: int, look_back: int = 24, horizon: int = 5, noise: float = 0.0) -> SeenWindows:
    """Windows of sums of two waves, which a line through the look-back forecasts exactly."""
    chance = np.random.default_rng(count)
    time = np.arange(look_back + horizon)
    phases = chance.uniform(0, 6, (count, 1, 2))
    values = np.sin(time[None, :, None] / 3 + phases) + np.cos(time[None, :, None] / 5 + 2 * phases)
    values += noise * chance.standard_normal(values.shape)
    return SeenWindows(values[:, :look_back], values[:, look_back:], np.ones((count, horizon, 2), dtype=bool))


def test_the_last_value_and_the_last_season() -> None:
    look_back = np.arange(14.0).reshape(1, 7, 2)
    assert last_value(look_back, 3)[0, :, 0].tolist() == [12, 12, 12]
    assert last_season(look_back, 5, 3)[0, :, 0].tolist() == [8, 10, 12, 8, 10]
    methods = repeating(7, 5, 3)
    assert list(methods) == ["last value", "last season (3 steps)"]
    assert methods["last season (3 steps)"](look_back)[0, :, 0].tolist() == [8, 10, 12, 8, 10]
    assert list(repeating(7, 5, 8)) == list(repeating(7, 5, 1)) == ["last value"]


def test_the_linear_forecast_is_exact_where_the_future_is_linear_in_the_past() -> None:
    linear = LinearForecast.fitted([windows(60), windows(50)], [windows(20)])
    test = windows(31)
    assert np.abs(linear.forecast(test.look_back) - test.truth).max() < 1e-3
    moved = linear.forecast(test.look_back + 7)
    assert moved == pytest.approx(linear.forecast(test.look_back) + 7)


def test_the_linear_forecast_is_least_squares_and_leaves_out_what_is_not_known() -> None:
    noisy = windows(400, noise=0.3)
    noisy.known[::7, 2, 0] = False
    noisy.truth[::7, 2, 0] = 1e6
    linear = LinearForecast.fitted([noisy], [windows(50, noise=0.3)])
    last = noisy.look_back[:, -1:]
    inputs = (noisy.look_back - last).transpose(0, 2, 1).reshape(-1, 24)
    outputs = (noisy.truth - last).transpose(0, 2, 1).reshape(-1, 5)
    whole = noisy.known.transpose(0, 2, 1).reshape(-1, 5).all(axis=1)
    with_ones = np.column_stack((inputs, np.ones(len(inputs))))[whole]
    expected, *_ = np.linalg.lstsq(with_ones, outputs[whole], rcond=None)
    exact = ((with_ones @ expected - outputs[whole]) ** 2).mean()
    ours = ((with_ones @ linear.weights - outputs[whole]) ** 2).mean()
    assert exact <= ours < 1.05 * exact


def test_a_linear_forecast_without_windows_says_the_last_value() -> None:
    nothing = windows(3)
    nothing.known[:] = False
    linear = LinearForecast.fitted([nothing], [nothing])
    assert linear.forecast(nothing.look_back) == pytest.approx(last_value(nothing.look_back, 5))


def test_conformal_bands_hold_what_they_say_whatever_the_model_said() -> None:
    chance = np.random.default_rng(0)
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)

    def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
        size = np.array([1.0, 5.0])  # errors grow with the step
        truth = chance.standard_normal((count, 2, 1)) * size[:, None] + 3
        wrong = np.array([-0.1, -0.05, 0.0, 0.01, 0.02]) + 3  # far too narrow
        return np.broadcast_to(wrong, (count, 2, 1, 5)), truth

    quantiles, truth = drawn(3000)
    adjustment = conformal.fitted(quantiles, truth, np.ones(truth.shape, dtype=bool), levels)
    assert (adjustment.shifts[..., 2] == 0).all()
    quantiles, truth = drawn(4000)
    adjusted = adjustment.adjusted(quantiles)
    shares = (truth[..., None] <= adjusted).mean(axis=0)[:, 0]
    for step in (0, 1):
        assert shares[step] == pytest.approx(levels, abs=0.03)
    assert (adjusted[..., 2] == 3).all()
    assert (np.diff(adjusted, axis=-1) >= 0).all()


def test_conformal_ranks_are_those_of_the_paper() -> None:
    errors = np.arange(1.0, 10)  # nine of them: (9 + 1) * 0.9 is the ninth
    quantiles = np.zeros((9, 1, 1, 3))
    known = np.ones((9, 1, 1), dtype=bool)
    found = conformal.fitted(quantiles, errors.reshape(9, 1, 1), known, LEVELS).shifts[0, 0]
    assert found.tolist() == [1, 0, 9]
    known[4:] = False  # of four, the last is all there is
    found = conformal.fitted(quantiles, errors.reshape(9, 1, 1), known, LEVELS).shifts[0, 0]
    assert found.tolist() == [1, 0, 4]
    known[:] = False
    assert not conformal.fitted(quantiles, errors.reshape(9, 1, 1), known, LEVELS).shifts.any()


def tracked(
    truth: np.ndarray, start: conformal.Conformal, rate: float, every: int, missing: int | None = None
) -> np.ndarray:
    """Return tracked quantiles around 0 of one target from every so many origins."""
    tracker, found = conformal.Tracker(start, rate), []
    horizon = len(start.shifts)
    for origin in range(0, len(truth) - horizon + 1, every):
        later = truth[origin : origin + horizon, None]
        known = np.arange(origin, origin + horizon)[:, None] != missing
        found.append(tracker.follow(0, origin, np.zeros((horizon, 1, 1)), later, known))
    return np.stack(found)[:, :, 0]


@pytest.mark.parametrize("every", [1, 2, 5])
def test_quantiles_follow_what_is_known_before_each_origin(every: int) -> None:
    chance = np.random.default_rng(2)
    truth, missing, rate = chance.standard_normal(60), 20, 0.1
    start = conformal.Conformal(LEVELS, np.array([[[-0.5, 0.0, 1.0]]] * 4))
    found = tracked(truth, start, rate, every, missing)
    slow = []
    for number in range(len(found)):
        shifts = start.shifts[:, 0].copy()
        for earlier in range(number):
            for step in range(4):
                time = earlier * every + step
                if time < number * every and time != missing:
                    below = truth[time] <= slow[earlier][step]
                    shifts[step] += rate * 1.5 * (np.array(LEVELS) - below) * [1, 0, 1]
        slow.append(np.stack((shifts[:, 0].clip(max=0), shifts[:, 1], shifts[:, 2].clip(min=0)), axis=1))
    assert found == pytest.approx(np.stack(slow))
    other = truth.copy()
    other[31:] += 100  # the origins up to there know nothing of it
    until = 31 // every + 1
    again = tracked(other, start, rate, every, missing)
    assert np.array_equal(again[:until], found[:until])
    assert not np.array_equal(again[until:], found[until:])


def test_tracked_bands_hold_what_they_say_where_the_future_is_not_like_validation() -> None:
    truth = np.random.default_rng(3).standard_normal(4000) * np.repeat([0.5, 2.0], 2000)
    start = conformal.Conformal(LEVELS, np.array([[[-1.28, 0.0, 1.28]]] * 3))
    for rate, within in ((0.0, False), (0.02, True)):
        found = tracked(truth, start, rate, 1)
        for part in (slice(500, 2000), slice(2500, None)):
            held = [
                (found[:, step, 0] <= later) & (later <= found[:, step, 2])
                for step, later in enumerate(truth[step : step + len(found)] for step in range(3))
            ]
            assert (abs(np.mean([one[part] for one in held]) - 0.8) < 0.03) == within


def test_adjusted_quantiles_leave_the_median_and_do_not_cross() -> None:
    shifts = np.array([2.0, 0.0, -3.0])
    adjusted = conformal.Conformal(LEVELS, shifts).adjusted(np.array([-1.0, 0.0, 1.0]))
    assert adjusted.tolist() == [0, 0, 0]


def test_shares_of_an_explanation_add_up_and_are_zero_where_nothing_is_read() -> None:
    torch.manual_seed(1)
    weights, later = torch.randn(6, 2), torch.randn(3, 1)
    weights[:, 1] = 0

    def score(inputs: Tensor, ahead: Tensor) -> Tensor:
        return (inputs * weights).sum(dim=(1, 2)).tanh() + (ahead * later).sum(dim=(1, 2))

    inputs, ahead = torch.randn(6, 2), torch.randn(3, 1)
    of_inputs, of_ahead = explained(score, inputs, ahead)
    assert of_inputs.shape == (6, 2)
    assert (of_inputs[:, 1] == 0).all()
    assert torch.allclose(of_ahead, ahead * later, atol=1e-5)
    total = float(of_inputs.sum() + of_ahead.sum())
    assert total == pytest.approx(float(score(inputs[None], ahead[None])), rel=0.01)
    _, nothing = explained(lambda x, _: x.sum(dim=(1, 2)), inputs, torch.empty(3, 0))
    assert nothing.shape == (3, 0)
