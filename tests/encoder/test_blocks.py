"""Norms and residuals around the layers of a stack: exact as the layers are, and seen by everybody."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.encoder.regularised import RegularisedEncoder
from rnnlab.encoder.trace import traced
from rnnlab.errors import ConfigError
from rnnlab.graphs.network_parts import stacked
from rnnlab.tasks.sentiment.fine_tuning import layer_number

LENGTHS = torch.tensor([7, 3, 1, 6])
BLOCKS = [
    {"residual": True},
    {"norm": "layer"},
    {"norm": "rms", "residual": True, "bidirectional": True},
    {"norm": "layer", "residual": True, "backend": "torch", "gated": True},
    {"gated": True, "bidirectional": True},
]
every_block = pytest.mark.parametrize("options", BLOCKS, ids=lambda options: "-".join(options))
every_cell = pytest.mark.parametrize("cell", ["gru", "lstm", "slstm"])


def encoder_of(cell: str, options: dict[str, Any]) -> RecurrentEncoder:
    torch.manual_seed(1)
    encoder = RecurrentEncoder(4, cell, 4, 3, **options).double()
    for norm in encoder.blocks.norms:
        for weight in norm.parameters():
            nn.init.normal_(weight)
    return encoder


@every_block
@every_cell
def test_padding_and_batch_mates_change_nothing(cell: str, options: dict[str, Any]) -> None:
    encoder = encoder_of(cell, options)
    inputs = torch.randn(4, 8, 4, dtype=torch.float64)
    for row, length in enumerate(LENGTHS.tolist()):
        inputs[row, length:] = torch.nan
    inputs.requires_grad_()
    outputs, state = encoder(inputs, LENGTHS)
    slopes = torch.randn_like(outputs)
    weights = list(encoder.parameters())
    of_inputs, *found = torch.autograd.grad(outputs, [inputs, *weights], slopes)
    expected = [torch.zeros_like(weight) for weight in weights]
    for row, length in enumerate(LENGTHS.tolist()):
        alone = inputs[row : row + 1, :length].detach().requires_grad_()
        output, end = encoder(alone)
        torch.testing.assert_close(outputs[row : row + 1, :length], output, rtol=0, atol=1e-10)
        assert not outputs[row, length:].any()
        for part, ended in zip(state, end, strict=True):
            torch.testing.assert_close(part[:, row], ended[:, 0], rtol=0, atol=1e-10)
        slope, *own = torch.autograd.grad(output, [alone, *weights], slopes[row : row + 1, :length])
        torch.testing.assert_close(of_inputs[row, :length], slope[0], rtol=0, atol=1e-10)
        assert not of_inputs[row, length:].any()
        expected = [total + part for total, part in zip(expected, own, strict=True)]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


@every_block
@every_cell
def test_diagnostics_see_the_same(cell: str, options: dict[str, Any]) -> None:
    encoder = encoder_of(cell, options)
    inputs = torch.randn(4, 7, 4, dtype=torch.float64)
    trace = traced(encoder, inputs, LENGTHS)
    torch.testing.assert_close(trace.outputs, encoder(inputs, LENGTHS)[0], rtol=0, atol=1e-10)
    (slope,) = torch.autograd.grad(trace.outputs.sum(), [trace.layers[0].hidden[0]])
    assert bool(slope.any())


@every_cell
def test_a_token_at_a_time_is_the_whole_sequence(cell: str) -> None:
    encoder = encoder_of(cell, {"norm": "rms", "residual": True})
    inputs = torch.randn(3, 5, 4, dtype=torch.float64)
    whole, end = encoder(inputs)
    state, outputs = encoder.initial_state(3), []
    for token in inputs.split(1, dim=1):
        output, state = encoder(token, None, state)
        outputs.append(output)
    torch.testing.assert_close(torch.cat(outputs, dim=1), whole, rtol=0, atol=1e-10)
    torch.testing.assert_close(state, end, rtol=0, atol=1e-10)


def test_a_gated_unit_stands_behind_the_layer() -> None:
    encoder = RecurrentEncoder(4, "gru", 4, gated=True)
    layer = RecurrentEncoder(4, "gru", 4)
    layer.network.load_state_dict(encoder.network.state_dict())
    inputs = torch.randn(3, 5, 4)
    moved = nn.functional.gelu(layer(inputs)[0]) @ encoder.blocks.units[0].project.weight.T
    torch.testing.assert_close(encoder(inputs)[0], moved[..., :4] * torch.sigmoid(moved[..., 4:]))


@pytest.mark.parametrize("width", [8, 12])
def test_it_is_the_sum_of_layers_of_normalised_inputs(width: int) -> None:
    encoder = RecurrentEncoder(width, "gru", 8, 2, norm="layer", residual=True)
    with torch.no_grad():
        for norm in encoder.blocks.norms:
            norm.bias.normal_()
    inputs = torch.randn(3, 5, width)
    layers = [RecurrentEncoder(size, "gru", 8) for size in (width, 8)]
    for number, layer in enumerate(layers):
        layer.network.load_state_dict(
            {
                name.replace(f"_l{number}", "_l0"): weight
                for name, weight in encoder.network.state_dict().items()
                if name.endswith(f"_l{number}")
            }
        )
    first = layers[0](encoder.blocks.norms[0](inputs))[0] + (inputs if width == 8 else 0)
    second = layers[1](encoder.blocks.norms[1](first))[0] + first
    torch.testing.assert_close(encoder(inputs)[0], encoder.blocks.norms[2](second))


def test_dropout_spares_the_sum_below_and_the_last_layer() -> None:
    torch.manual_seed(2)
    inputs = torch.randn(64, 3, 8)
    encoder = RecurrentEncoder(8, "gru", 8, 2, dropout=0.5, residual=True)
    seen: list[Tensor] = []
    layer = RecurrentEncoder(8, "gru", 8)
    own = {name: weight for name, weight in encoder.network.state_dict().items() if name.endswith("_l0")}
    layer.network.load_state_dict(own)
    for _ in range(2):
        seen.append(encoder(inputs)[0])
    assert not torch.equal(*seen)
    encoder.eval()
    assert torch.equal(encoder(inputs)[0], encoder(inputs)[0])
    top = RecurrentEncoder(8, "gru", 8)
    above = {
        name.replace("_l1", "_l0"): weight
        for name, weight in encoder.network.state_dict().items()
        if name.endswith("_l1")
    }
    top.network.load_state_dict(above)
    first = inputs + layer(inputs)[0]
    torch.testing.assert_close(encoder(inputs)[0], first + top(first)[0])


@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_two_numbers_keep_their_sizes(norm: str) -> None:
    encoder = RecurrentEncoder(2, "gru", 8, norm=norm)
    inputs = torch.randn(3, 5, 2)
    assert (encoder(inputs)[0] - encoder(2 * inputs)[0]).abs().max() > 1e-3
    assert next(iter(dict(encoder.blocks.named_parameters()))).startswith("norms.1")


def test_without_them_nothing_is_added_to_a_checkpoint() -> None:
    plain = RecurrentEncoder(4, "lstm", 4, 2)
    assert plain.blocks.are_bare
    assert all(name.startswith("network.") for name in plain.state_dict())


def test_a_norm_is_tuned_with_the_layer_that_it_stands_on() -> None:
    encoder = RecurrentEncoder(8, "lstm", 4, 3, norm="rms", gated=True)
    numbers = [layer_number(name) for name, _ in encoder.named_parameters() if name.startswith("blocks")]
    assert numbers == [0, 0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "batch"}, "model.norm=batch is unknown"),
        ({"norm": "layr"}, "Did you mean layer?"),
        (
            {"residual": True},
            "model.residual=true adds nothing: the only layer has inputs of 4 and outputs of 6",
        ),
        ({"parameters": 100}, "set model.hidden_size=null beside it"),
        ({"parameters": 10, "hidden_size": None}, "1 layer of the gru cell have at least 21"),
        ({"hidden_size": None}, "model.hidden_size is None; expected a whole number from 1"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        RecurrentEncoder(4, **{"cell": "gru", "hidden_size": 6, **options})
    assert message in str(refused.value)


def test_awds_encoder_has_its_own_way() -> None:
    for option in ({"residual": True}, {"gated": True}, {"norm": "rms"}, {"parameters": 1000}):
        with pytest.raises(ConfigError, match="lstm has no such option"):
            RegularisedEncoder(4, "lstm", 4, **option)


@pytest.mark.parametrize("form", ["onnx", "int8", "torchscript"])
def test_an_export_that_would_lose_them_is_refused(form: str) -> None:
    with pytest.raises(ConfigError, match=f"format={form}: what stands between the layers"):
        stacked(RecurrentEncoder(4, "gru", 4, 2, norm="layer"), form)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "mogrifier", "layernorm_lstm", "lem", "slstm"])
def test_a_size_is_chosen_for_so_many_parameters(cell: str, layers: int, directions: int) -> None:
    encoder = RecurrentEncoder(16, cell, None, layers, bidirectional=directions == 2, parameters=200_000)
    count = sum(weight.numel() for weight in encoder.parameters())
    assert abs(count - 200_000) < 0.04 * 200_000
    step = encoder.cell.multiple_of
    for other in (encoder.hidden_size - step, encoder.hidden_size + step):
        neighbour = RecurrentEncoder(16, cell, other, layers, bidirectional=directions == 2)
        assert abs(sum(weight.numel() for weight in neighbour.parameters()) - 200_000) >= abs(count - 200_000)


def test_gated_units_count_among_the_parameters() -> None:
    encoder = RecurrentEncoder(16, "gru", None, 2, bidirectional=True, gated=True, parameters=200_000)
    count = sum(weight.numel() for weight in encoder.parameters())
    assert abs(count - 200_000) < 0.02 * 200_000
