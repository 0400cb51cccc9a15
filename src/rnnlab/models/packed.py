"""The same pass through ``PackedSequence``: PyTorch's own answer, and cuDNN's native one."""

from typing import cast

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnnlab.models.scans import State


def packed_pass(
    network: nn.RNNBase, inputs: Tensor, lengths: Tensor, state: State | None
) -> tuple[Tensor, State]:
    """Run ``network`` over right-padded sequences, each to its own end.

    On CUDA this is one cuDNN call for all layers and directions, which walks only real tokens; the scans
    would be one call each and gathers between them. On a CPU it runs step by step and is many times slower
    than the scans.

    Args:
        network: an ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM`` with ``batch_first=True``.
        inputs: ``(batch, time, input)``.
        lengths: ``(batch,)`` from 1 to ``time``, on the CPU.
        state: before the first token, or None for zeros.

    Returns:
        Outputs ``(batch, time, output)``, zero in the padding, and the state after the last token.
    """
    # In the order of bucketed batches nothing is to be sorted, for which a CUDA device would have to wait.
    falls = bool((lengths[:-1] >= lengths[1:]).all())
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=falls)
    outputs, final = network(packed, state)
    padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.shape[1])
    return padded, cast(State, final)
