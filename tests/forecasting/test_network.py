"""Window scaling and decoders: SegRNN written out, windows that see no future, a gradient everywhere."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnnlab.cells import cell_classes
from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.errors import ConfigError
from rnnlab.tasks.forecasting.decoders import Recursive, Segments, Shape
from rnnlab.tasks.forecasting.losses import LOSSES, loss_named
from rnnlab.tasks.forecasting.network import (
    DECODERS,
    WINDOW_SCALINGS,
    ForecastNetwork,
    WindowScaling,
    build_decoder,
)
from tests.forecasting.encoders import PlainEncoder

LEVELS = (0.1, 0.5, 0.9)
PLAIN = Shape(look_back=12, horizon=8, targets=3)


def network_of(
    decoder: str, shape: Shape = PLAIN, loss: str = "mse", scaling: str = "last", **encoder: Any
) -> ForecastNetwork:
    torch.manual_seed(1)
    chosen = loss_named(loss, LEVELS)
    sized = Shape(**{**vars(shape), "size": chosen.size})
    built = build_decoder(decoder, sized, segment=4, embedding_size=10, dropout=0.0)
    return ForecastNetwork(PlainEncoder(built.input_size, **encoder), built, chosen, scaling).eval()


def window(shape: Shape, batch: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(2)
    inputs = torch.randn(batch, shape.look_back, shape.columns)
    if shape.marks:
        inputs[:, :, shape.targets + shape.past + shape.ahead :] = 1.0
    return (
        inputs,
        torch.randn(batch, shape.horizon, shape.ahead),
        torch.randn(batch, shape.horizon, shape.targets),
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("decoder", DECODERS)
def test_each_decoder_with_each_loss_has_a_gradient_in_every_parameter(decoder: str, loss: str) -> None:
    past = 0 if decoder == "recursive" else 2
    shape = Shape(look_back=12, horizon=7, targets=2, past=past, ahead=3, marks=True)
    scaling = "none" if loss == "negative_binomial" else "revin"
    network = network_of(decoder, shape, loss, scaling).train()
    inputs, ahead, truth = window(shape)
    parameters = network(inputs, ahead, truth)
    assert parameters.shape == (5, 7, 2, network.loss.size)
    network.loss.losses(parameters, truth.abs().round()).mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("cell", [nn.RNN, nn.LSTM])
@pytest.mark.parametrize("decoder", DECODERS)
def test_any_cell_and_more_layers(decoder: str, cell: type[nn.RNNBase]) -> None:
    network = network_of(decoder, cell=cell, num_layers=2)
    inputs, ahead, _ = window(PLAIN)
    assert network(inputs, ahead).shape == (5, 8, 3, 1)


@pytest.mark.parametrize("decoder", ["direct", "segments"])
def test_an_encoder_may_read_the_look_back_both_ways(decoder: str) -> None:
    network = network_of(decoder, bidirectional=True)
    inputs, ahead, _ = window(PLAIN)
    assert network(inputs, ahead).shape == (5, 8, 3, 1)


def test_the_readout_after_both_ways_sees_the_whole_look_back() -> None:
    network = network_of("direct", bidirectional=True, scaling="none")
    inputs, ahead, _ = window(PLAIN)
    first, last = inputs.clone(), inputs.clone()
    first[:, 0] += 5
    last[:, -1] += 5
    readout = network.decoder.readout.weight
    backwards = slice(network.encoder.output_size // 2, network.encoder.output_size)
    with torch.no_grad():
        readout[:, : backwards.start] = 0  # what the way back has read is all that is left
    said = network(inputs, ahead)
    assert not torch.allclose(network(first, ahead), said)
    assert not torch.allclose(network(last, ahead), said)


def segrnn(network: ForecastNetwork, values: Tensor) -> Tensor:
    """Return the paper's parallel decoding, a segment and a channel at a time."""
    decoder, gru = network.decoder, network.encoder.network
    batch, _, channels = values.shape
    said = torch.empty(batch, PLAIN.horizon, channels)
    for channel in range(channels):
        last = values[:, -1:, channel]
        segments = (values[:, :, channel] - last).view(batch, -1, decoder.segment)
        _, state = gru(torch.relu(segments @ decoder.embed.weight.T + decoder.embed.bias))
        for place in range(PLAIN.horizon // decoder.segment):
            asked = torch.cat((decoder.positions[place], decoder.channels[channel]))
            _, after = gru(asked.expand(batch, 1, -1), state)
            part = after[0] @ decoder.readout.weight.T + decoder.readout.bias
            said[:, place * decoder.segment : (place + 1) * decoder.segment, channel] = part + last
    return said


def test_segments_are_segrnn() -> None:
    network = network_of("segments")
    inputs, ahead, _ = window(PLAIN)
    assert torch.allclose(network(inputs, ahead)[..., 0], segrnn(network, inputs), atol=1e-6)


@pytest.mark.parametrize("ahead", [0, 2])
@pytest.mark.parametrize("name", sorted(cell_classes()))
def test_segments_of_the_horizon_share_what_comes_of_the_state_alone(name: str, ahead: int) -> None:
    torch.manual_seed(1)
    encoder = RecurrentEncoder(8, cell=name, hidden_size=8, backend="torch")
    decoder = Segments(Shape(12, 10, 3, ahead=ahead), segment=4, embedding_size=8, dropout=0.0)
    decoder.attach(encoder)
    inputs, known = torch.randn(5, 12, 3 + ahead), torch.randn(5, 10, ahead)
    parameters = [*encoder.parameters(), *decoder.parameters()]

    def found() -> list[Tensor]:
        said = decoder(encoder, inputs, known, lambda raw: raw[..., 0])
        return [said, *torch.autograd.grad(said.square().sum(), parameters)]

    ours = found()
    encoder.branched = lambda *given: None  # type: ignore[method-assign]
    for one, other in zip(ours, found(), strict=True):
        assert torch.allclose(one, other, atol=1e-5, rtol=1e-4)


def test_a_horizon_need_not_be_whole_segments() -> None:
    shape = Shape(look_back=12, horizon=6, targets=3, ahead=2)
    network = network_of("segments", shape)
    inputs, ahead, _ = window(shape)
    assert network(inputs, ahead).shape == (5, 6, 3, 1)


def test_recursion_goes_on_from_its_own_forecast_and_is_taught_with_the_truth() -> None:
    shape = Shape(look_back=12, horizon=5, targets=2, ahead=3, marks=True)
    network = network_of("recursive", shape, scaling="none")
    inputs, ahead, _ = window(shape)
    said = network(inputs, ahead)[..., 0]
    taught = network(inputs, ahead, said)[..., 0]  # what it says is what happened: the same road
    assert torch.allclose(said, taught, atol=1e-6)
    decoder = network.decoder
    assert isinstance(decoder, Recursive)
    other = network(inputs, ahead, said + 1)[..., 0]
    assert torch.allclose(other[:, 0], said[:, 0], atol=1e-6)
    assert not torch.allclose(other[:, 1], said[:, 1], atol=1e-3)
    decoder.forcing = 0.0
    assert torch.allclose(network(inputs, ahead, said + 1)[..., 0], said, atol=1e-6)
    decoder.forcing = 1.0
    missing = said.clone()
    missing[:, 1] = torch.nan  # where the truth is not known, it goes on from its own forecast
    assert torch.allclose(network(inputs, ahead, missing)[..., 0], said, atol=1e-5)


def test_recursion_can_have_a_single_step() -> None:
    shape = Shape(look_back=12, horizon=1, targets=2)
    network = network_of("recursive", shape)
    inputs, ahead, truth = window(shape)
    assert torch.allclose(network(inputs, ahead), network(inputs, ahead, truth), atol=1e-6)


@pytest.mark.parametrize("decoder", DECODERS)
def test_known_ahead_means_known_ahead(decoder: str) -> None:
    shape = Shape(look_back=12, horizon=8, targets=2, ahead=1)
    network = network_of(decoder, shape)
    inputs, ahead, _ = window(shape)
    other = ahead.clone()
    other[:, 6] += 3
    changed = (network(inputs, ahead) - network(inputs, other)).abs().sum(dim=(0, 2, 3)) > 1e-7
    assert changed[6]
    if decoder == "recursive":
        assert not changed[:6].any()


@pytest.mark.parametrize("kind", WINDOW_SCALINGS)
def test_window_scaling_is_undone(kind: str) -> None:
    torch.manual_seed(1)
    scaling = WindowScaling(kind, 3)
    if kind == "revin":
        nn.init.normal_(scaling.log_gain)
        nn.init.normal_(scaling.offset)
    values = 7 + 3 * torch.randn(4, 20, 3)
    scaled, shift, scale = scaling(values)
    assert torch.allclose(shift + scale * scaled, values, atol=1e-4)
    assert (scale > 0).all()
    if kind == "last":
        assert (scaled[:, -1] == 0).all()
    if kind == "standard":
        assert torch.allclose(scaled.mean(dim=1), torch.zeros(4, 3), atol=1e-5)
        assert torch.allclose(scaled.std(dim=1, correction=0), torch.ones(4, 3), atol=1e-4)


@pytest.mark.parametrize("kind", WINDOW_SCALINGS)
def test_a_constant_window_stays_finite(kind: str) -> None:
    scaled, shift, scale = WindowScaling(kind, 1)(torch.full((2, 9, 1), 4.0))
    assert torch.isfinite(scaled).all()
    assert torch.allclose(shift + scale * scaled, torch.full((2, 9, 1), 4.0))


def test_window_scaling_leaves_out_what_is_not_known() -> None:
    values = torch.tensor([1.0, 3.0, 3.0, 5.0]).view(1, 4, 1)
    known = torch.tensor([True, True, False, True]).view(1, 4, 1)
    _, shift, scale = WindowScaling("standard", 1)(values, known)
    assert float(shift) == pytest.approx(3)
    assert float(scale) == pytest.approx((8 / 3 + 1e-5) ** 0.5)


@pytest.mark.parametrize("scaling", ["last", "standard"])
@pytest.mark.parametrize("decoder", DECODERS)
def test_what_is_said_moves_with_the_window(decoder: str, scaling: str) -> None:
    network = network_of(decoder, scaling=scaling)
    inputs, ahead, _ = window(PLAIN)
    assert torch.allclose(network(inputs + 3, ahead), network(inputs, ahead) + 3, atol=1e-4)


@pytest.mark.parametrize("decoder", DECODERS)
def test_batch_mates_change_nothing(decoder: str) -> None:
    network = network_of(decoder)
    inputs, ahead, _ = window(PLAIN)
    alone = torch.cat([network(inputs[i : i + 1], ahead[i : i + 1]) for i in range(len(inputs))])
    assert torch.allclose(network(inputs, ahead), alone, atol=1e-6)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"task\.segment=5 does not divide data\.look_back=12: take one of 3, 4, 6"
    ):
        build_decoder("segments", PLAIN, segment=5, embedding_size=4, dropout=0)
    with pytest.raises(ConfigError, match=r"task\.decoder=segment\. Did you mean segments\?"):
        build_decoder("segment", PLAIN, segment=4, embedding_size=4, dropout=0)
    with pytest.raises(ConfigError, match=r"task\.dropout=1: expected a share"):
        build_decoder("direct", PLAIN, segment=4, embedding_size=4, dropout=1)
    with pytest.raises(ConfigError, match=r"covariates in data\.corpus\.past are not known there"):
        build_decoder("recursive", Shape(12, 8, 1, past=2), segment=4, embedding_size=4, dropout=0)
    with pytest.raises(ConfigError, match=r"task\.scaling=lst\. Did you mean last"):
        network_of("direct", scaling="lst")
    with pytest.raises(ConfigError, match=r"task\.scaling=last shifts numbers below zero"):
        network_of("direct", loss="negative_binomial")
    with pytest.raises(ConfigError, match=r"Set model\.bidirectional=false, or task\.decoder=direct"):
        network_of("recursive", bidirectional=True)
