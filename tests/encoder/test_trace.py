"""The step-by-step pass gives what the fused kernels give, but for the order of sums."""

from typing import Any

import pytest
import torch
from torch import Tensor

from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.encoder.regularised import RegularisedEncoder
from rnnlab.encoder.trace import traced

LENGTHS = torch.tensor([7, 3, 1, 6])


def padded_inputs() -> Tensor:
    torch.manual_seed(1)
    inputs = torch.randn(4, 7, 5)
    inputs[1, 3:] = torch.nan  # what lies behind a sequence's end must change nothing
    return inputs


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (2, False), (1, True), (2, True)])
@pytest.mark.parametrize("cell", ["rnn", "relu", "gru", "lstm"])
def test_outputs_are_the_encoders_own(
    cell: str, layers: int, bidirectional: bool, lengths: Tensor | None
) -> None:
    kind = {"cell": "rnn", "nonlinearity": "relu"} if cell == "relu" else {"cell": cell}
    shape: dict[str, Any] = {"hidden_size": 6, "layers": layers, "bidirectional": bidirectional}
    encoder = RecurrentEncoder(5, **kind, **shape, dropout=0.5)
    inputs = padded_inputs() if lengths is not None else torch.randn(4, 7, 5)
    expected, _ = encoder.eval()(inputs, lengths)
    trace = traced(encoder, inputs, lengths)
    torch.testing.assert_close(trace.outputs.detach().float(), expected.detach(), atol=1e-6, rtol=0)
    names = [layer.name for layer in trace.layers]
    if bidirectional:
        wanted = [f"layer{i}/{way}" for i in range(1, layers + 1) for way in ("forward", "backward")]
    else:
        wanted = [f"layer{i}" for i in range(1, layers + 1)]
    assert names == wanted
    assert all((layer.memory is not None) == (cell == "lstm") for layer in trace.layers)


def test_outputs_in_double_precision_agree_to_every_digit_that_counts() -> None:
    encoder = RecurrentEncoder(5, "lstm", 6, layers=2, bidirectional=True, backend="torch").double()
    inputs = torch.randn(4, 7, 5, dtype=torch.float64)
    trace = traced(encoder, inputs, LENGTHS)
    torch.testing.assert_close(trace.outputs, encoder(inputs, LENGTHS)[0], atol=1e-14, rtol=0)


def test_the_regularised_encoder_is_walked_without_its_dropout() -> None:
    torch.manual_seed(0)
    encoder = RegularisedEncoder(5, "gru", 6, layers=3, output_size=4, dropout=0.5, weight_dropout=0.5)
    inputs = torch.randn(2, 8, 5)
    trace = traced(encoder, inputs)
    torch.testing.assert_close(
        trace.outputs.detach().float(), encoder.eval()(inputs)[0].detach(), atol=1e-6, rtol=0
    )
    assert [len(layer.hidden[0][0]) for layer in trace.layers] == [6, 6, 4]


def test_states_and_gates_are_those_of_the_equations() -> None:
    encoder = RecurrentEncoder(5, "lstm", 6)
    inputs = torch.randn(2, 3, 5)
    (layer,) = traced(encoder, inputs).layers
    weight_ih, weight_hh, bias_ih, bias_hh = (w.detach().double() for w in encoder.network.all_weights[0])
    before = layer.hidden[1].detach()
    sums = inputs[:, 2].double() @ weight_ih.T + bias_ih + before @ weight_hh.T + bias_hh
    enter, forget, candidate, leave = sums.chunk(4, dim=1)
    torch.testing.assert_close(layer.gates["input"][:, 2], torch.sigmoid(enter))
    torch.testing.assert_close(layer.gates["forget"][:, 2], torch.sigmoid(forget))
    torch.testing.assert_close(layer.gates["output"][:, 2], torch.sigmoid(leave))
    torch.testing.assert_close(layer.squashed["candidate"][:, 2], torch.tanh(candidate))
    assert layer.memory is not None
    memory = torch.sigmoid(forget) * layer.memory[1] + torch.sigmoid(enter) * torch.tanh(candidate)
    torch.testing.assert_close(layer.memory[2], memory)
    assert list(layer.recurrent) == ["input", "forget", "candidate", "output"]
    torch.testing.assert_close(layer.recurrent["forget"], weight_hh[6:12])
