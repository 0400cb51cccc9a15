"""Figures of forecasts show what the arrays say."""

import numpy as np
import pytest

from rnnlab.figures.forecasts import (
    DrawnForecast,
    coverage_figure,
    error_by_step_figure,
    forecasts_figure,
    residuals_figure,
)
from tests.figures.test_documents import drawn_texts


def test_a_forecast_is_drawn_over_what_happened_with_its_bands() -> None:
    times = np.datetime64("2020-01-01", "us") + np.arange(30) * np.timedelta64(1, "h")
    values, said = np.sin(np.arange(30.0)), np.cos(np.arange(10.0))
    bands = {"90 %": (said - 2, said + 2), "50 %": (said - 1, said + 1)}
    one = DrawnForecast("OT, $3", times, values, said, bands)
    figure = forecasts_figure([one, one._replace(title="counted", times=np.arange(30))], "degrees")
    first, _ = figure.axes
    truth, forecast, _ = first.lines
    assert list(truth.get_ydata()) == pytest.approx(values)
    assert list(forecast.get_ydata()) == pytest.approx(said)
    assert len(forecast.get_xdata()) == 10
    assert len(first.collections) == 2
    assert {"OT, $3", "counted", "degrees", "90 %", "50 %", "what happened"} <= set(
        drawn_texts(figure).splitlines()
    )


def test_the_error_is_drawn_by_step() -> None:
    figure = error_by_step_figure({"model": [1, 2, 3], "last value": [2, 4, 6]}, "MSE")
    assert list(figure.axes[0].lines[1].get_ydata()) == [2, 4, 6]
    assert list(figure.axes[0].lines[1].get_xdata()) == [1, 2, 3]
    assert {"model", "last value", "steps ahead", "MSE"} <= set(drawn_texts(figure).splitlines())


def test_coverage_says_how_far_it_is_off() -> None:
    figure = coverage_figure({"before": [0.2, 0.5, 0.8], "after": [0.1, 0.5, 0.91]}, [0.1, 0.5, 0.9])
    texts = drawn_texts(figure)
    assert "before: at most 10.0 points off" in texts
    assert "after: at most 1.0 points off" in texts


def test_residuals_are_drawn_by_step_and_overall() -> None:
    left = np.random.default_rng(1).standard_normal((200, 6))
    left[3, 2] = np.nan
    left[:, 5] = np.nan
    figure = residuals_figure(left, "degrees")
    by_step, overall = figure.axes
    assert list(by_step.lines[0].get_ydata()) == pytest.approx(np.nanmedian(left[:, :5], axis=0))
    assert sum(patch.get_width() for patch in overall.patches) == 999
    assert drawn_texts(figure)
