"""How far a gradient reaches into an encoder by itself, before or after any training."""

import torch
from torch import Tensor

from rnnlab.diagnostics.gradient_flow import LayerFlow, gradient_flow, only_where_read_last
from rnnlab.encoder.encoder import Encoder
from rnnlab.encoder.trace import traced


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
