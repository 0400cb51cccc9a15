"""How fast the scans are, beside PyTorch's networks and beside the machine's own matrix product.

All are timed in turns, so that what else the machine does meanwhile falls on all of them alike, and the
figures are medians. A multiplication and an addition are two operations; going back costs twice what going
forward does. Padding counts as no work.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rnnlab.kernels.scans import FusedScans, State

GATES = {"tanh": 1, "relu": 1, "gru": 3, "lstm": 4}
SHAPES = (
    (32, 32, 128, 240),
    (64, 64, 128, 240),
    (100, 128, 128, 240),
    (100, 128, 32, 240),
    (200, 200, 20, 35),
)
"""Input, hidden, batch, time: the sentiment networks, and language models of Penn Treebank's size."""


@dataclass(frozen=True)
class Speed:
    """One row of the table: one layer in one direction, forwards, or forwards and back.

    Attributes:
        cell: "tanh", "relu", "gru" or "lstm".
        input_size: features of a token.
        hidden_size: units.
        batch: rows.
        time: steps of the longest row.
        tokens: of all rows, padding not counted.
        is_training: whether gradients are computed too.
        fused_tokens_per_second: of the fused scan.
        torch_tokens_per_second: of ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM`` on the padded batch.
        ratio: of the two, the median over the turns.
        fused_gflops: billions of operations a second of the fused scan.
        matmul_gflops: of a product of large matrices.
        matmul_share: of the two, the median over the turns.
    """

    cell: str
    input_size: int
    hidden_size: int
    batch: int
    time: int
    tokens: int
    is_training: bool
    fused_tokens_per_second: float
    torch_tokens_per_second: float
    ratio: float
    fused_gflops: float
    matmul_gflops: float
    matmul_share: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


def measure(
    cell: str, input_size: int, hidden_size: int, batch: int, time_steps: int,
    lengths: Tensor | None = None, turns: int = 5,
) -> list[Speed]:  # fmt: skip
    """Time one shape, forwards alone and forwards and back.

    Args:
        cell: "tanh", "relu", "gru" or "lstm".
        input_size: features of a token.
        hidden_size: units.
        batch: rows.
        time_steps: of the padded batch.
        lengths: ``(batch,)``; None means that all rows fill the time axis. PyTorch's network runs over the
            whole padded batch, which is the fastest that it offers (``PackedSequence`` is slower).
        turns: how often each is timed.
    """
    network = _network(cell, input_size, hidden_size)
    inputs = torch.randn(batch, time_steps, input_size, requires_grad=True)
    slope = torch.randn(batch, time_steps, hidden_size)
    zeros = torch.zeros(1, batch, hidden_size)
    state: State = (zeros, zeros) if cell == "lstm" else zeros
    weights = (network.weight_ih_l0, network.weight_hh_l0, network.bias_ih_l0, network.bias_hh_l0)
    tokens = batch * time_steps if lengths is None else int(lengths.sum())
    flops = 2 * GATES[cell] * hidden_size * (input_size + hidden_size) * tokens

    def fused() -> Tensor:
        scans = FusedScans(cell, lengths, inputs)
        outputs: Tensor = scans.scan(inputs, state, weights, reverse=False)[0]
        return outputs

    def torch_network() -> Tensor:
        outputs: Tensor = network(inputs)[0]
        return outputs

    def inference(run: Callable[[], Tensor]) -> Callable[[], None]:
        def work() -> None:
            with torch.no_grad():
                run()

        return work

    def training(run: Callable[[], Tensor]) -> Callable[[], None]:
        return lambda: torch.autograd.backward(run(), slope)

    speeds = []
    for is_training, mode, work in ((False, inference, flops), (True, training, 3 * flops)):
        fused_seconds, torch_seconds, product_gflops = _in_turns(mode(fused), mode(torch_network), turns)
        gflops = [work / seconds / 1e9 for seconds in fused_seconds]
        speeds.append(
            Speed(
                cell,
                input_size,
                hidden_size,
                batch,
                time_steps,
                tokens,
                is_training,
                fused_tokens_per_second=tokens / statistics.median(fused_seconds),
                torch_tokens_per_second=tokens / statistics.median(torch_seconds),
                ratio=statistics.median(b / a for a, b in zip(fused_seconds, torch_seconds, strict=True)),
                fused_gflops=statistics.median(gflops),
                matmul_gflops=statistics.median(product_gflops),
                matmul_share=statistics.median(a / b for a, b in zip(gflops, product_gflops, strict=True)),
            )
        )
    return speeds


def table(speeds: Sequence[Speed]) -> str:
    """Return the speeds as a Markdown table."""
    lines = [
        "| cell | input, hidden, batch, time | pass | nn.*, thousand tokens/s | fused | GFLOP/s "
        "| share of matmul | ratio |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {speed.cell} | {speed.input_size}, {speed.hidden_size}, {speed.batch}, {speed.time} "
        f"| {'forward + backward' if speed.is_training else 'forward'} "
        f"| {speed.torch_tokens_per_second / 1e3:,.0f} | {speed.fused_tokens_per_second / 1e3:,.0f} "
        f"| {speed.fused_gflops:.0f} | {100 * speed.matmul_share:.0f} % | {speed.ratio:.2f} |"
        for speed in speeds
    ]
    return "\n".join(lines)


def _network(cell: str, input_size: int, hidden_size: int) -> nn.RNNBase:
    if cell in ("tanh", "relu"):
        return nn.RNN(input_size, hidden_size, nonlinearity=cell, batch_first=True)
    network: nn.RNNBase = {"gru": nn.GRU, "lstm": nn.LSTM}[cell](input_size, hidden_size, batch_first=True)
    return network


def _in_turns(
    fused: Callable[[], None], torch_network: Callable[[], None], turns: int
) -> tuple[list[float], list[float], list[float]]:
    """Return seconds of both and the matrix product's GFLOP/s, turn by turn; the first turn only warms up."""
    size = 1024
    left, right = torch.randn(size, size), torch.randn(size, size)
    fused_seconds, torch_seconds, gflops = [], [], []
    for turn in range(turns + 1):
        seconds = [_seconds(fused), _seconds(torch_network), _seconds(lambda: left @ right)]
        if turn > 0:
            fused_seconds.append(seconds[0])
            torch_seconds.append(seconds[1])
            gflops.append(2 * size**3 / seconds[2] / 1e9)
    return fused_seconds, torch_seconds, gflops


def _seconds(work: Callable[[], object]) -> float:
    """Return the mean time of as many calls as fill 20 ms."""
    started, calls = time.perf_counter(), 0
    while calls == 0 or time.perf_counter() - started < 0.02:
        work()
        calls += 1
    return (time.perf_counter() - started) / calls
