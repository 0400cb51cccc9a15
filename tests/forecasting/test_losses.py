"""Losses against torch, scipy and formulas; what they say moves with the data's scale."""

import pytest
import scipy.stats
import torch
import torch.nn.functional as F

from rnnlab.errors import ConfigError
from rnnlab.tasks.forecasting.losses import LOSSES, Quantiles, loss_named, pinball

LEVELS = (0.05, 0.1, 0.5, 0.9, 0.95)
WITH_QUANTILES = ("quantile", "gaussian", "student_t", "negative_binomial")


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(3)


@pytest.mark.parametrize("name", LOSSES)
def test_the_head_s_size_is_the_loss_s_and_gradients_flow(name: str) -> None:
    loss = loss_named(name, LEVELS)
    raw = torch.randn(4, 5, 2, loss.size, requires_grad=True)
    targets = torch.randint(0, 9, (4, 5, 2)).float()
    parameters = loss.parameters(raw)
    values = loss.losses(parameters, targets)
    assert values.shape == targets.shape
    assert loss.point(parameters).shape == targets.shape
    values.sum().backward()
    assert raw.grad is not None
    assert torch.isfinite(raw.grad).all()
    assert loss.has_quantiles == (name in WITH_QUANTILES)


def test_simple_losses_are_torch_s() -> None:
    raw, targets = torch.randn(30, 1), torch.randn(30)
    for name, theirs in (("mse", F.mse_loss), ("mae", F.l1_loss)):
        ours = loss_named(name, LEVELS).losses(raw, targets).mean()
        assert ours == pytest.approx(float(theirs(raw[:, 0], targets)))
    huber = loss_named("huber", LEVELS, 0.3).losses(raw, targets).mean()
    assert huber == pytest.approx(float(F.huber_loss(raw[:, 0], targets, delta=0.3)))


def test_quantiles_never_cross_and_are_found_by_training() -> None:
    loss = Quantiles(LEVELS)
    wild = loss.parameters(50 * torch.randn(1000, len(LEVELS)))
    assert (wild.diff(dim=-1) >= 0).all()
    raw = torch.zeros(len(LEVELS), requires_grad=True)
    data = torch.randn(4000)
    optimizer = torch.optim.Adam([raw], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        loss.losses(loss.parameters(raw.expand(4000, -1)), data).mean().backward()
        optimizer.step()
    expected = torch.quantile(data, torch.tensor(LEVELS))
    assert loss.parameters(raw).detach() == pytest.approx(expected, abs=0.05)


def test_pinball_is_half_the_absolute_error_at_the_median() -> None:
    forecast, targets = torch.randn(50), torch.randn(50)
    assert torch.allclose(2 * pinball(forecast, targets, torch.tensor(0.5)), (forecast - targets).abs())


@pytest.mark.parametrize("name", ["gaussian", "student_t", "negative_binomial"])
def test_likelihoods_and_quantiles_are_scipy_s(name: str) -> None:
    loss = loss_named(name, LEVELS)
    parameters = loss.parameters(torch.randn(3, 7, loss.size, dtype=torch.float64))
    targets = torch.randint(0, 6, (3, 7)).double()
    parts = [part.numpy() for part in parameters.unbind(-1)]
    if name == "gaussian":
        theirs = scipy.stats.norm(*parts)
    elif name == "student_t":
        theirs = scipy.stats.t(parts[2], parts[0], parts[1])
    else:
        theirs = scipy.stats.nbinom(1 / parts[1], 1 / (1 + parts[0] * parts[1]))
    log = theirs.logpmf if name == "negative_binomial" else theirs.logpdf
    assert loss.losses(parameters, targets).numpy() == pytest.approx(-log(targets.numpy()), rel=1e-6)
    quantiles = loss.quantiles(parameters, LEVELS)
    assert quantiles.shape == (3, 7, len(LEVELS))
    for number, level in enumerate(LEVELS):
        assert quantiles[..., number].numpy() == pytest.approx(theirs.ppf(level), rel=1e-6, abs=1e-6)
    assert loss.point(parameters).numpy() == pytest.approx(theirs.mean(), rel=1e-6)


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"negative_binomial"}))
def test_a_moved_forecast_is_that_of_moved_data(name: str) -> None:
    loss = loss_named(name, LEVELS)
    parameters = loss.parameters(torch.randn(6, loss.size))
    shift, scale = torch.randn(6), torch.rand(6) + 0.5
    moved = loss.moved(parameters, shift, scale)
    assert torch.allclose(loss.point(moved), shift + scale * loss.point(parameters), atol=1e-5)
    if name in WITH_QUANTILES:
        expected = shift[:, None] + scale[:, None] * loss.quantiles(parameters, LEVELS)
        assert torch.allclose(loss.quantiles(moved, LEVELS), expected, atol=1e-4)


def test_counts_keep_their_dispersion() -> None:
    loss = loss_named("negative_binomial", LEVELS)
    moved = loss.moved(torch.tensor([2.0, 0.3]), torch.tensor(9.0), torch.tensor(10.0))
    assert moved.tolist() == pytest.approx([20, 0.3])


@pytest.mark.parametrize(
    ("name", "levels", "delta", "message"),
    [
        ("msee", LEVELS, 1, r"task\.loss=msee\. Did you mean mse"),
        ("quantile", (0.5, 1.0), 1, r"task\.quantiles: 1\.0 is not between 0 and 1"),
        ("gaussian", (0, 0.5), 1, r"task\.quantiles: 0 is not between 0 and 1"),
        ("quantile", (0.1, 0.9), 1, r"expected ascending levels, among them 0\.5"),
        ("quantile", (0.5, 0.1), 1, r"expected ascending levels"),
        ("huber", LEVELS, 0, r"task\.huber_delta=0: expected a number above 0"),
    ],
)
def test_what_is_no_loss_is_refused(name: str, levels: tuple[float, ...], delta: float, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        loss_named(name, levels, delta)
