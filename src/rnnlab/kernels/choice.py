"""When the fused scans are faster than PyTorch's kernels on a CPU.

Measured by ``scripts/benchmark.py kernels=true`` and short scans of the same kind (two cores with AVX-512,
torch 2.15, forward and backward):

* RNN and GRU: the fused scan wins from 32 to 650 units, 3.5 to 5 times at 32 and 1.5 to 2.5 times at 650.
* LSTM: PyTorch hands it to oneDNN. On full batches the fused scan wins up to 128 units (about 1.9 times) and
  is level or behind above; where a sixth of the batch is padding, which it does not compute, it wins again.
* In mixed precision (bfloat16, on a processor with units for it) the fused scans go on in float32, and win
  for RNN and GRU up to 256 units: 2.8 and 5 times at 32, 1.8 and 1.9 times at 128. Above, and for the LSTM,
  PyTorch's products in bfloat16 win.
* A few time steps, as in generation one token at a time: PyTorch's one call has less to set up.
"""

FEW_STEPS = 8
LARGEST_LSTM = 128
LARGEST_MIXED = 256
PADDING_THAT_PAYS = 1 / 6


def fused_is_faster(kind: str, hidden_size: int, time: int, padding: float, is_mixed: bool = False) -> bool:
    """Return whether the fused scan is the faster.

    Args:
        kind: "gru", "lstm", "tanh" or "relu".
        hidden_size: units of the layer.
        time: steps of the longest sequence.
        padding: share of the batch's positions that hold no token.
        is_mixed: whether ``torch.autocast`` is on.

    >>> fused_is_faster("gru", 512, 240, 0.0), fused_is_faster("lstm", 512, 240, 0.0)
    (True, False)
    >>> fused_is_faster("lstm", 512, 240, 0.5), fused_is_faster("gru", 128, 1, 0.0)
    (True, False)
    >>> [fused_is_faster("gru", units, 240, 0.0, is_mixed=True) for units in (128, 512)]
    [True, False]
    """
    if time < FEW_STEPS:
        return False
    if is_mixed:
        return kind != "lstm" and hidden_size <= LARGEST_MIXED
    return kind != "lstm" or hidden_size <= LARGEST_LSTM or padding > PADDING_THAT_PAYS
