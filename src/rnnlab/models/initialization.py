"""How the recurrent weights start: what decides how far a gradient reaches before anything is learnt."""

import torch
from torch import Tensor, nn

from rnnlab.errors import ConfigError, nearest

INITIALIZATIONS = ("uniform", "orthogonal", "identity")
REMEMBERING_GATE = {"lstm": 1, "gru": 1}
"""The place, among a cell's blocks of rows, of the gate that keeps the state where it is open.

PyTorch has an LSTM's blocks in the order input, forget, candidate, output, and a GRU's in the order reset,
update, candidate, with ``h_t = (1 - update) candidate + update h_(t-1)``.
"""


def check_initialization(initialization: str, forget_bias: float | None, cell: str) -> None:
    """Check that a cell can start so.

    Raises:
        ConfigError: if the name is unknown, or the cell has no use for it.
    """
    if initialization not in INITIALIZATIONS:
        raise ConfigError(
            f"model.initialization={initialization} is unknown. "
            f"{nearest(str(initialization), INITIALIZATIONS)}"
        )
    if initialization == "identity" and cell != "rnn":
        raise ConfigError(
            "model.initialization=identity is for the rnn cell with rectified units (Le et al. 2015; "
            f"model=irnn); the {cell} has gates for the same end: model.forget_bias=1."
        )
    if forget_bias is not None and cell not in REMEMBERING_GATE:
        raise ConfigError(
            f"model.forget_bias={forget_bias}: the {cell} cell has no gate that forgets. Leave it at null."
        )


@torch.no_grad()
def initialize(network: nn.RNNBase, initialization: str, forget_bias: float | None, cell: str) -> None:
    """Start the weights of all layers and directions.

    - ``uniform``: as PyTorch has made them, uniform within plus and minus ``1 / sqrt(hidden)``; the spectral
      radius of a recurrent block is then about 0.58.
    - ``orthogonal``: each recurrent block a random orthogonal matrix, all eigenvalues on the unit circle
      (Saxe et al. 2014).
    - ``identity``: the recurrent matrix the identity, the biases zero, the input weights normal with a
      deviation of 0.001; with rectified units, the IRNN of Le et al. 2015.

    Args:
        network: what PyTorch made.
        initialization: one of the above.
        forget_bias: the bias at which an LSTM's forget gate starts (1 in Jozefowicz et al. 2015), or a GRU's
            update gate, which keeps the state where it is open; None leaves it as it is.
        cell: "rnn", "gru" or "lstm".
    """
    hidden = network.hidden_size
    for weight_ih, weight_hh, bias_ih, bias_hh in network.all_weights:
        if initialization == "orthogonal":
            for block in torch.split(weight_hh, hidden):
                nn.init.orthogonal_(block)
        elif initialization == "identity":
            nn.init.eye_(weight_hh)
            nn.init.normal_(weight_ih, std=0.001)
            nn.init.zeros_(bias_ih)
            nn.init.zeros_(bias_hh)
        if forget_bias is not None:
            _gate(bias_ih, cell, hidden).fill_(forget_bias)
            _gate(bias_hh, cell, hidden).zero_()  # the two are added


def _gate(bias: Tensor, cell: str, hidden: int) -> Tensor:
    at = REMEMBERING_GATE[cell] * hidden
    return bias[at : at + hidden]
