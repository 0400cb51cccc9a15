"""How far a gradient reaches: its norm at each hidden state, by distance from where the loss looked."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnlab.encoder.encoder import Encoder
from rnnlab.encoder.trace import EncoderTrace, LayerTrace, traced

FALLEN = 0.01
"""The share of its first norm to which a gradient has fallen where the memory is said to end."""


@dataclass(frozen=True)
class Flow:
    """Gradient norms of one kind of state in one layer and direction.

    Attributes:
        norms: ``(batch, distance)``; distance 0 is the token that the direction reads last, and NaN stands
            where a sequence has no token so far away.
    """

    norms: Tensor

    @property
    def mean(self) -> Tensor:
        """The mean norm over the sequences that reach so far, ``(distance,)``."""
        return self.norms.nanmean(dim=0)

    @property
    def relative(self) -> Tensor:
        """The norm as a share of that at distance 0, ``(distance,)``, NaN where that is zero.

        At each distance the two are sums over the same sequences, those that reach so far; otherwise a
        padded batch, in which only some do, would seem to lose or gain gradient where short ones end.
        """
        reaches = ~self.norms.isnan()
        first = (reaches * self.norms[:, :1].nan_to_num()).sum(dim=0)
        relative = self.norms.nan_to_num().sum(dim=0) / first
        return torch.where(first > 0, relative, torch.nan)

    @property
    def effective_memory(self) -> float:
        """The distance from which on the relative norm stays at or below :data:`FALLEN`, see there."""
        return effective_memory(self.relative.tolist())


@dataclass(frozen=True)
class LayerFlow:
    """Gradient norms in one layer and direction.

    Attributes:
        name: of the layer and direction, as in the trace.
        hidden: of the loss's gradient with respect to ``h``.
        memory: with respect to the LSTM's ``c``; None for other cells.
    """

    name: str
    hidden: Flow
    memory: Flow | None


def gradient_flow(trace: EncoderTrace, slope: Tensor, lengths: Tensor | None = None) -> list[LayerFlow]:
    """Measure the norms of the loss's gradient with respect to every hidden state, in one backward pass.

    Args:
        trace: of a batch, see :func:`rnnlab.encoder.trace.traced`.
        slope: the loss's gradient with respect to the outputs, ``(batch, time, output_size)``; see
            :func:`only_where_read_last` for the part of it that a single place sends.
        lengths: ``(batch,)`` as given for the trace.

    Returns:
        The flow in every layer and direction, in the trace's order. The graph behind the trace is used up.
    """
    time = trace.outputs.shape[1]
    groups: list[Sequence[Tensor]] = []
    for layer in trace.layers:
        groups += [layer.hidden] if layer.memory is None else [layer.hidden, layer.memory]
    states = [state for group in groups for state in group]
    gradients = torch.autograd.grad(trace.outputs, states, slope.to(trace.outputs), allow_unused=True)
    norms = torch.stack(
        [
            state.new_zeros(len(state)) if gradient is None else gradient.norm(dim=1)
            for state, gradient in zip(states, gradients, strict=True)
        ],
        dim=1,
    ).detach()  # (batch, groups * time)
    parts = iter(torch.split(norms, time, dim=1))
    return [
        LayerFlow(
            name=layer.name,
            hidden=_aligned(next(parts), layer, lengths),
            memory=None if layer.memory is None else _aligned(next(parts), layer, lengths),
        )
        for layer in trace.layers
    ]


def only_where_read_last(slope: Tensor, lengths: Tensor | None, is_bidirectional: bool) -> Tensor:
    """Return the part of the loss's gradient that enters where each direction has read everything.

    That is at each sequence's own last token, and for the second half of a bidirectional encoder's features
    at its first. What a pooling over all tokens, or the other places of a language model's window, send into
    nearer states is left out: what remains reaches a far state through the recurrence alone.

    Args:
        slope: gradient with respect to the outputs, ``(batch, time, output_size)``.
        lengths: ``(batch,)``; None where every sequence fills the time axis.
        is_bidirectional: whether the second half of the features was read from the end.
    """
    batch, time, size = slope.shape
    last = torch.full((batch,), time - 1) if lengths is None else lengths.cpu() - 1
    kept = torch.zeros_like(slope)
    everyone = torch.arange(batch)
    forward = size // 2 if is_bidirectional else size
    kept[everyone, last, :forward] = slope[everyone, last, :forward]
    kept[:, 0, forward:] = slope[:, 0, forward:]
    return kept


def effective_memory(relative: Sequence[float], fallen: float = FALLEN) -> float:
    """Return the distance from which on a gradient stays at or below a share of its first norm.

    Args:
        relative: norms as shares of the first, by distance; NaN where nothing was measured.
        fallen: the share.

    Returns:
        The distance, between two of them on a logarithmic scale; infinity where the gradient is above the
        share at the farthest distance, NaN where nothing was measured.

    >>> effective_memory([1.0, 0.1, 0.01, 0.001])
    2.0
    >>> effective_memory([1.0, 0.9, 0.8])
    inf
    >>> round(effective_memory([1.0, 0.1, 0.001]), 3)
    1.5
    """
    measured = [value for value in relative if value == value]
    if not measured:
        return float("nan")
    above = [distance for distance, value in enumerate(measured) if value > fallen]
    if not above:
        return 0.0
    last = above[-1]
    if last == len(measured) - 1:
        return float("inf")
    high, low = torch.tensor([measured[last], measured[last + 1]], dtype=torch.float64).log().tolist()
    if low == -float("inf"):
        return float(last + 1)
    aim = torch.tensor(fallen, dtype=torch.float64).log().item()
    return float(last + (high - aim) / (high - low))


def _aligned(norms: Tensor, layer: LayerTrace, lengths: Tensor | None) -> Flow:
    """Turn norms ``(batch, time)`` by position into norms by distance from the token read last."""
    batch, time = norms.shape
    distances = torch.arange(time, device=norms.device).expand(batch, time)
    ends = torch.full((batch, 1), time) if lengths is None else lengths.cpu().unsqueeze(1)
    ends = ends.to(norms.device)
    positions = distances if layer.reads_backwards else ends - 1 - distances
    found = norms.gather(1, positions.clamp(min=0))
    return Flow(found.masked_fill(distances >= ends, torch.nan))


def reach(encoder: Encoder, inputs: Tensor, lengths: Tensor | None = None) -> list[LayerFlow]:
    """Return the norms of the gradients that the outputs read last send to the states before them.

    The loss is the sum of those outputs, so that nothing but the encoder and its inputs decides.

    Args:
        encoder: one that shows its states, see :func:`rnnlab.encoder.trace.traced`.
        inputs: ``(batch, time, input_size)``.
        lengths: ``(batch,)``; None where every sequence fills the time axis.

    Returns:
        The flow in every layer and direction, the lowest first.

    Raises:
        ConfigError: if the encoder does not show its states.
    """
    with torch.enable_grad():
        trace = traced(encoder, inputs, lengths)
        slope = only_where_read_last(torch.ones_like(trace.outputs), lengths, encoder.is_bidirectional)
        return gradient_flow(trace, slope, lengths)
