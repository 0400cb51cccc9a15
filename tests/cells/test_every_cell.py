"""What holds for every cell of the folder, found by its file: exact, differentiable, step by step."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnlab.cells import cell_classes, cell_named
from rnnlab.cells.cell import State, Weights
from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.encoder.trace import traced
from rnnlab.errors import ConfigError

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in cell_classes()),
    ("rnn", {"nonlinearity": "relu"}),
    ("lstm", {"peepholes": True}),
    ("lstm", {"coupled": True, "forget_bias": 1.0}),
    ("lstm", {"coupled": True, "peepholes": True}),
    ("mogrifier", {"inner": "gru", "rounds": 2, "forget_bias": 1.0}),
    ("mogrifier", {"rank": 2}),
    ("slstm", {"heads": 2, "initialization": "orthogonal"}),
    ("qrnn", {"window": 2, "zoneout": 0.3}),
]
every_cell = pytest.mark.parametrize(
    ("cell", "options"), VARIANTS, ids=[f"{name}{''.join(map(str, given))}" for name, given in VARIANTS]
)
LENGTHS = torch.tensor([7, 3, 1, 6])
HIDDEN = 4


def encoder_of(cell: str, options: dict[str, Any], layers: int = 2, both: bool = True) -> RecurrentEncoder:
    torch.manual_seed(1)
    return RecurrentEncoder(3, cell, HIDDEN, layers, bidirectional=both, **options).double().eval()


def state_of(encoder: RecurrentEncoder, batch: int) -> State:
    """Return the state after some tokens, as no other numbers need make sense to a cell."""
    before: State = encoder(torch.randn(batch, 2, 3, dtype=torch.float64))[1]
    return tuple(part.detach().requires_grad_() for part in before)


def walked(encoder: RecurrentEncoder, sequence: Tensor, states: list[State]) -> tuple[Tensor, list[State]]:
    """Encode one sequence ``(time, input)`` by nothing but the cell's ``step``."""
    finals = []
    for layer in encoder.stack():
        outputs = []
        for way, direction in enumerate(layer):
            state, weights = states[len(finals)], direction.weights
            read = sequence.flip(0) if way else sequence
            seen = []
            for token in read:
                given = encoder.cell.project(token[None, None], weights)[:, 0]
                step = encoder.cell.step(given, state, weights)
                state = step.states
                seen.append(step.output[0])
            outputs.append(torch.stack(seen[::-1] if way else seen))
            finals.append(state)
        sequence = torch.cat(outputs, dim=1)
    return sequence, finals


@every_cell
@pytest.mark.parametrize("numbers", [torch.bfloat16, torch.float16])
def test_a_step_under_autocast_is_the_step_within_rounding(
    cell: str, options: dict[str, Any], numbers: torch.dtype
) -> None:
    encoder = encoder_of(cell, options).float()
    direction = encoder.stack()[0][0]
    states = tuple(part[0] for part in encoder.initial_state(5))
    inputs = torch.randn(5, 6, 3)

    def read(start: State) -> Tensor:
        given, state, outputs = encoder.cell.project(inputs, direction.weights), start, []
        for token in given.unbind(1):
            step = encoder.cell.step(token, state, direction.weights)
            state = step.states
            outputs.append(step.output)
        return torch.stack(outputs)

    exact = read(states)
    with torch.autocast("cpu", numbers):
        narrow = read(states)
        narrow.float().square().sum().backward()
    assert torch.allclose(narrow.float(), exact, atol=0.05, rtol=0.05)
    assert all(
        weight.grad is not None and weight.grad.isfinite().all() for weight in direction.weights.values()
    )


@every_cell
def test_a_ragged_batch_is_each_sequences_loop_over_steps(cell: str, options: dict[str, Any]) -> None:
    encoder = encoder_of(cell, options)
    state = state_of(encoder, 4)
    inputs = torch.randn(4, 8, 3, dtype=torch.float64)
    for row, length in enumerate(LENGTHS.tolist()):
        inputs[row, length:] = torch.nan
    inputs.requires_grad_()
    outputs, final = encoder(inputs, LENGTHS, state)
    slopes = torch.randn_like(outputs)
    end_slopes = [torch.randn_like(part) for part in final]
    wrt = [*encoder.parameters(), *state]
    found = torch.autograd.grad([outputs, *final], [*wrt, inputs], [slopes, *end_slopes])
    expected = [torch.zeros_like(part) for part in wrt]
    for row, length in enumerate(LENGTHS.tolist()):
        alone = inputs[row, :length].detach().requires_grad_()
        places = range(len(state[0]))
        walk, ends = walked(
            encoder, alone, [tuple(part[at, row : row + 1] for part in state) for at in places]
        )
        torch.testing.assert_close(outputs[row, :length], walk, rtol=0, atol=1e-10)
        assert not outputs[row, length:].any()
        ended = [torch.stack([end[kind][0] for end in ends]) for kind in range(len(state))]
        for whole, part in zip(final, ended, strict=True):
            torch.testing.assert_close(whole[:, row], part, rtol=0, atol=1e-10)
        of_ends = [slope[:, row] for slope in end_slopes]
        *own, of_inputs = torch.autograd.grad(
            [walk, *ended], [*wrt, alone], [slopes[row, :length], *of_ends], materialize_grads=True
        )
        torch.testing.assert_close(found[-1][row, :length], of_inputs, rtol=0, atol=1e-10)
        assert not found[-1][row, length:].any()
        expected = [total + part for total, part in zip(expected, own, strict=True)]
    for ours, theirs in zip(found[:-1], expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


@every_cell
def test_its_gradients_are_those_of_small_differences(cell: str, options: dict[str, Any]) -> None:
    encoder = encoder_of(cell, options, layers=1, both=False)
    names, weights = zip(*encoder.named_parameters(), strict=True)
    state = state_of(encoder, 2)
    lengths = torch.tensor([3, 2])

    def outputs(inputs: Tensor, *numbers: Tensor) -> Tensor:
        before, some = numbers[: len(state)], numbers[len(state) :]
        named = dict(zip(names, some, strict=True))
        result: Tensor = torch.func.functional_call(encoder, named, (inputs, lengths, before))[0]
        return result

    inputs = torch.randn(2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(outputs, (inputs, *state, *weights), fast_mode=True)


@every_cell
def test_a_token_at_a_time_is_the_whole_sequence(cell: str, options: dict[str, Any]) -> None:
    encoder = encoder_of(cell, options, both=False)
    inputs = torch.randn(3, 5, 3, dtype=torch.float64)
    whole, end = encoder(inputs)
    state, outputs = encoder.initial_state(3), []
    for token in inputs.split(1, dim=1):
        output, state = encoder(token, None, state)
        outputs.append(output)
    torch.testing.assert_close(torch.cat(outputs, dim=1), whole, rtol=0, atol=1e-10)
    torch.testing.assert_close(state, end, rtol=0, atol=1e-10)


@every_cell
def test_it_shows_itself_to_diagnostics(cell: str, options: dict[str, Any]) -> None:
    encoder = encoder_of(cell, options)
    inputs = torch.randn(4, 7, 3, dtype=torch.float64)
    trace = traced(encoder, inputs, LENGTHS)
    torch.testing.assert_close(trace.outputs, encoder(inputs, LENGTHS)[0], rtol=0, atol=1e-10)
    for layer in trace.layers:
        gradients = torch.autograd.grad(
            trace.outputs.square().sum(), list(layer.hidden), retain_graph=True, allow_unused=True
        )
        assert any(slope is not None and bool(slope.any()) for slope in gradients)
        assert all(float(gate.min()) >= 0 and float(gate.max()) <= 1 for gate in layer.gates.values())
        assert all(float(part.abs().max()) <= 1 for part in layer.squashed.values())
        assert all(matrix.shape == (HIDDEN, HIDDEN) for matrix in layer.recurrent.values())


@every_cell
def test_every_parameter_learns(cell: str, options: dict[str, Any]) -> None:
    encoder = encoder_of(cell, options)
    encoder(torch.randn(4, 7, 3, dtype=torch.float64), LENGTHS)[0].square().sum().backward()
    assert all(weight.grad is not None and bool(weight.grad.any()) for weight in encoder.parameters())


@pytest.mark.parametrize(
    ("cell", "options", "count"),
    [
        ("lstm", {"peepholes": True}, 4 * 8 * (5 + 8 + 2) + 3 * 8),
        ("lstm", {"coupled": True}, 3 * 8 * (5 + 8 + 2)),
        ("mogrifier", {}, 4 * 8 * (5 + 8 + 2) + 5 * 5 * 8),
        ("mogrifier", {"inner": "gru", "rounds": 4, "rank": 2}, 3 * 8 * (5 + 8 + 2) + 4 * 2 * (5 + 8)),
        ("layernorm_lstm", {}, 4 * 8 * (5 + 8 + 3) + 2 * 8),
        ("lem", {}, 4 * 8 * (5 + 8 + 1)),
        ("slstm", {"heads": 2}, 4 * 8 * (5 + 4 + 1)),
        ("mingru", {}, 2 * 8 * (5 + 1)),
        ("minlstm", {}, 3 * 8 * (5 + 1)),
        ("qrnn", {"window": 2}, 3 * 8 * (2 * 5 + 1)),
        ("sru", {}, 4 * 8 * (5 + 1)),
        ("lru", {}, 3 * 8 * 5 + 2 * 8 * 8 + 3 * 8),
    ],
)
def test_its_parameters_are_as_many_as_it_says(cell: str, options: dict[str, Any], count: int) -> None:
    encoder = RecurrentEncoder(5, cell, 8, **options)
    assert sum(weight.numel() for weight in encoder.parameters()) == count
    assert count == sum(math.prod(shape) for shape in encoder.cell.parameters(5, 8).values())


def one_step(cell: str, options: dict[str, Any], batch: int = 3) -> tuple[Weights, State, Tensor, State]:
    """Return random weights, states, tokens ``(batch, 3)`` and what a step makes of them."""
    made = cell_named(cell, options)
    shapes = made.parameters(3, HIDDEN)
    weights = {name: torch.randn(shape, dtype=torch.float64) for name, shape in shapes.items()}
    states = tuple(torch.rand(batch, HIDDEN, dtype=torch.float64) for _ in made.states)
    token = torch.randn(batch, 3, dtype=torch.float64)
    return (
        weights,
        states,
        token,
        made.step(made.project(token[:, None], weights)[:, 0], states, weights).states,
    )


def pytorchs(weights: Weights, token: Tensor, states: State) -> State:
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    after: State = torch.lstm_cell(token, states, *(weights[name] for name in names))
    return after


def test_coupled_gates_are_an_lstm_whose_input_gate_mirrors_the_forget_gate() -> None:
    weights, states, token, found = one_step("lstm", {"coupled": True})
    mirrored = {name: torch.cat((-weight[:HIDDEN], weight)) for name, weight in weights.items()}
    torch.testing.assert_close(found, pytorchs(mirrored, token, states))


def test_peepholes_see_the_memory() -> None:
    weights, (hidden, memory), token, found = one_step("lstm", {"peepholes": True})
    to_input, to_forget, to_output = weights["peepholes"].chunk(3)

    def seeing(row: int, seen: Tensor) -> State:
        """Return a step whose biases are, for one sequence, what its peepholes add."""
        bias = torch.zeros(4 * HIDDEN, dtype=torch.float64)
        bias[:HIDDEN], bias[HIDDEN : 2 * HIDDEN] = to_input * memory[row], to_forget * memory[row]
        bias[3 * HIDDEN :] = to_output * seen
        shifted = {**weights, "bias_ih": weights["bias_ih"] + bias}
        return pytorchs(shifted, token, (hidden, memory))

    for row in range(3):
        new = seeing(row, torch.zeros(HIDDEN, dtype=torch.float64))[1][row]
        torch.testing.assert_close(found[1][row], new)
        torch.testing.assert_close(found[0][row], seeing(row, new)[0][row])


def test_a_mogrifier_of_no_rounds_is_the_cell_within() -> None:
    weights, states, token, found = one_step("mogrifier", {"rounds": 0})
    torch.testing.assert_close(found, pytorchs(weights, token, states))


def test_a_mogrifier_gates_by_turns() -> None:
    weights, (hidden, memory), token, found = one_step("mogrifier", {"rounds": 3})
    first = 2 * torch.sigmoid(hidden @ weights["mogrify_1"].T) * token
    hidden = 2 * torch.sigmoid(first @ weights["mogrify_2"].T) * hidden
    second = 2 * torch.sigmoid(hidden @ weights["mogrify_3"].T) * first
    torch.testing.assert_close(found, pytorchs(weights, second, (hidden, memory)))


def test_low_rank_is_a_product_of_two() -> None:
    weights, states, token, found = one_step("mogrifier", {"rounds": 2, "rank": 2})
    whole = {n: weights[f"mogrify_{n}_left"] @ weights[f"mogrify_{n}_right"] for n in (1, 2)}
    full = cell_named("mogrifier", {"rounds": 2})
    both = {**weights, "mogrify_1": whole[1], "mogrify_2": whole[2]}
    torch.testing.assert_close(found, full.step(token, states, both).states)


def test_what_is_normalised_knows_no_scale() -> None:
    weights, states, token, found = one_step("layernorm_lstm", {})
    cell = cell_named("layernorm_lstm")
    scaled = {**weights, "weight_ih": 1e3 * weights["weight_ih"], "weight_hh": 1e3 * weights["weight_hh"]}
    again = cell.step(cell.project(token[:, None], scaled)[:, 0], states, scaled).states
    torch.testing.assert_close(again, found, rtol=1e-4, atol=1e-4)
    started = RecurrentEncoder(3, "layernorm_lstm", HIDDEN, forget_bias=1.0).stack()[0][0].weights
    assert all(bool((started[name] == 1).all()) for name in ("gain_ih", "gain_hh", "gain_memory"))
    assert started["bias_ih"].tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8


def test_exponential_gates_give_a_weighted_mean_of_candidates() -> None:
    encoder = encoder_of("slstm", {}, layers=1, both=False)
    (weights,) = (direction.weights for direction in encoder.stack()[0])
    inputs = torch.randn(1, 6, 3, dtype=torch.float64)
    hidden, memory, normaliser = (torch.zeros(HIDDEN, dtype=torch.float64) for _ in range(3))
    given = encoder.cell.project(inputs, weights)[0]
    matrices = torch.cat(list(encoder.cell.recurrent_matrices(weights).values()))
    expected = []
    for token in given:  # as equations 8 to 13 have it, without a stabiliser
        candidate, enter, forget, leave = (token + matrices @ hidden).chunk(4)
        memory = torch.sigmoid(forget) * memory + torch.exp(enter) * torch.tanh(candidate)
        normaliser = torch.sigmoid(forget) * normaliser + torch.exp(enter)
        hidden = torch.sigmoid(leave) * memory / normaliser
        expected.append(hidden)
    torch.testing.assert_close(encoder(inputs)[0][0], torch.stack(expected))


def test_exponential_gates_never_overflow() -> None:
    encoder = RecurrentEncoder(3, "slstm", HIDDEN)
    for size in (1e4, -1e4):
        outputs, _ = encoder(size * torch.randn(2, 9, 3))
        assert bool(outputs.isfinite().all())
        slopes = torch.autograd.grad(outputs.sum(), list(encoder.parameters()))
        assert all(bool(slope.isfinite().all()) for slope in slopes)


def test_heads_start_orthogonal_each_and_do_not_see_one_another() -> None:
    encoder = encoder_of("slstm", {"heads": 2, "initialization": "orthogonal"}, layers=1, both=False)
    (direction,) = encoder.stack()[0]
    for matrix in encoder.cell.recurrent_matrices(direction.weights).values():
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(HIDDEN).double(), rtol=0, atol=1e-5)
        assert not matrix[:2, 2:].any()


def test_a_window_larger_than_the_sequence_sees_zeros_before_it() -> None:
    wide, narrow = (encoder_of("qrnn", {"window": window}, 1, both=False) for window in (2, 1))
    own = wide.network.weight_ih_l0.detach()[:, :3]  # what sees the token, beside what sees the one before it
    narrow.network.load_state_dict({"weight_ih_l0": own, "bias_ih_l0": wide.network.bias_ih_l0.detach()})
    token = torch.randn(2, 1, 3, dtype=torch.float64)
    torch.testing.assert_close(wide(token)[0], narrow(token)[0])


def test_zoneout_keeps_numbers_in_training_and_a_share_of_them_afterwards() -> None:
    encoder = encoder_of("qrnn", {"zoneout": 0.25}, 1, both=False)
    plain = encoder_of("qrnn", {}, 1, both=False)
    plain.network.load_state_dict(encoder.train().network.state_dict())
    token, state = torch.randn(1, 1, 3).double().expand(4000, 1, 3), torch.randn(1, 1, HIDDEN).double()
    before = (state.expand(1, 4000, HIDDEN),)
    (after,), (free,) = encoder(token, None, before)[1], plain(token, None, before)[1]
    is_kept = (after - state).abs() < 1e-12
    torch.testing.assert_close(
        torch.where(is_kept, free, after), free
    )  # a number stays, or moves as without it
    assert abs(float(is_kept.double().mean()) - 0.25) < 0.02
    (evaluated,) = encoder.eval()(token, None, before)[1]
    torch.testing.assert_close(evaluated, free + 0.25 * (state - free))  # the mean over what may stay
    assert torch.equal(encoder(token, None, before)[1][0], evaluated)


def test_both_states_of_lem_move_between_what_they_were_and_where_they_go() -> None:
    weights, (hidden, memory), token, (output, after) = one_step("lem", {"step_size": 0.5})
    given = token @ weights["weight_ih"].T + weights["bias_ih"]
    own = hidden @ weights["weight_hh"].T
    pace, output_pace = (0.5 * torch.sigmoid((given[:, :12] + own)[:, at : at + 4]) for at in (0, 4))
    goal = torch.tanh((given[:, :12] + own)[:, 8:])
    new = (1 - pace) * memory + pace * goal
    torch.testing.assert_close(after, new)
    shown = torch.tanh(given[:, 12:] + new @ weights["weight_ch"].T)
    torch.testing.assert_close(output, (1 - output_pace) * hidden + output_pace * shown)


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        ("gru", {"peepholes": True}, "model.peepholes: gru has no such option"),
        ("lem", {"heads": 2}, "model.heads: lem has no such option"),
        ("lstm", {"peepholes": True, "backend": "fused"}, "the lstm cell has no fused scan"),
        ("lstm", {"peephole": True}, "Did you mean peepholes?"),
        ("lstm", {"coupled": "yes"}, "model.coupled=yes: expected true or false"),
        ("mogrifier", {"rounds": -1}, "model.rounds=-1: expected a whole number from 0"),
        ("mogrifier", {"rank": 0}, "model.rank=0: expected a whole number from 1, or null"),
        ("mogrifier", {"inner": "lsmt"}, "model.inner=lsmt is unknown. Did you mean lstm?"),
        ("slstm", {"heads": 3}, "model.hidden_size is 4; the slstm cell takes multiples of 3"),
        ("slstm", {"heads": 0}, "model.heads=0: expected a whole number from 1"),
        ("lem", {"step_size": 1.5}, "model.step_size=1.5: expected a number above 0 and at most 1"),
        ("lem", {"forget_bias": 1.0}, "the lem cell has no gate that forgets"),
        ("mingru", {"window": 2}, "model.window: mingru has no such option"),
        ("mingru", {"initialization": "orthogonal"}, "the mingru cell has no recurrent matrix to start so"),
        ("qrnn", {"window": 3}, "model.window=3: the qrnn cell's gates see 1 token or 2"),
        ("qrnn", {"zoneout": 1.0}, "model.zoneout=1.0: expected a share from 0 to below 1"),
        ("lru", {"r_max": 1.01}, "expected radii from 0 to 1, the second larger"),
        ("lru", {"r_min": -0.1}, "expected radii from 0 to 1, the second larger"),
        ("lru", {"r_min": 0.9, "r_max": 0.9}, "expected radii from 0 to 1, the second larger"),
        ("lru", {"max_phase": 7.0}, "model.max_phase=7.0: expected an angle above 0, up to 2 pi"),
        ("lru", {"forget_bias": 1.0}, "the lru cell has no gate that forgets"),
    ],
)
def test_what_a_cell_lacks_is_refused(cell: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        RecurrentEncoder(3, cell, HIDDEN, **options)
    assert message in str(refused.value)
