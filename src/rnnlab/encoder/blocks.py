"""What stands around the layers of a stack: a norm before each and one at the end, gates behind, residuals.

The order is that of pre-norm blocks (Xiong et al. 2020), in which deep stacks of minGRU, LRU and xLSTM are
built, too: ``x <- x + dropout(unit(layer(norm(x))))``. The norm is layer normalisation (Ba et al. 2016), or
that by the root mean square (Zhang and Sennrich 2019); the unit is a gated linear one (Dauphin et al. 2017)
behind a GELU, as in LRU's block (Orvieto et al. 2023). A layer whose inputs and outputs differ in width has
nothing that could be added; its outputs go on alone.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import gelu, glu

from rnnlab.data.batch import beside
from rnnlab.encoder.trace import fine
from rnnlab.errors import ConfigError, nearest

EPSILON = 1e-5
NARROW = 8
"""Inputs of fewer features are not normalised: of two numbers nothing is left but which is the larger."""

Change = Callable[[Tensor], Tensor]

NORMS: dict[str, Callable[[int], nn.Module] | None] = {
    "none": None,
    "layer": partial(nn.LayerNorm, eps=EPSILON),
    "rms": partial(nn.RMSNorm, eps=EPSILON),
}


class GatedUnit(nn.Module):
    """``W_1 u * s(W_2 u)`` with ``u = gelu(x)``, without biases: zeros in the padding stay zeros."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.project = nn.Linear(size, 2 * size, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Gate ``inputs (..., size)``."""
        return glu(self.project(gelu(inputs)))


class Blocks(nn.Module):
    """What stands around the layers of a stack.

    Args:
        widths: of the inputs, and of each layer's outputs.
        norm: of each layer's inputs, but for those of the first where they are narrow, and of the last
            outputs: "none", "layer" or "rms".
        residual: whether a layer's inputs are added to its outputs.
        gated: whether a gated linear unit stands behind each layer.

    Raises:
        ConfigError: if the norm is unknown, or there is no layer to whose outputs its inputs can be added.
    """

    def __init__(self, widths: Sequence[int], norm: str, residual: bool, gated: bool) -> None:
        super().__init__()
        if norm not in NORMS:
            raise ConfigError(f"model.norm={norm} is unknown. {nearest(str(norm), NORMS)}")
        if residual and all(before != after for before, after in pairwise(widths)):
            raise ConfigError(
                f"model.residual=true adds nothing: the only layer has inputs of {widths[0]} and outputs of "
                f"{widths[1]}. Take model.layers=2 or more, or leave it false."
            )
        made = NORMS[norm]
        self.norms = nn.ModuleList() if made is None else nn.ModuleList(map(made, widths))
        if self.norms and widths[0] < NARROW:
            self.norms[0] = nn.Identity()
        self.units = nn.ModuleList(map(GatedUnit, widths[1:])) if gated else nn.ModuleList()
        self.residual = residual

    @property
    def are_bare(self) -> bool:
        """Whether a layer reads what the one below it gives, and nothing stands between."""
        return not (self.residual or self.norms or self.units)

    def forward(
        self,
        inputs: Tensor,
        lengths: Tensor | None,
        layers: Sequence[Change],
        dropped: Change | None = None,
        finely: bool = False,
    ) -> Tensor:
        """Return what comes out of a stack, ``(batch, time, output)`` with zeros in the padding.

        Args:
            inputs: ``(batch, time, input)``; the padding may hold anything.
            lengths: ``(batch,)`` integers from 1 to ``time``; None where every sequence fills the time axis.
            layers: what each makes of its inputs ``(batch, time, size)``, with zeros in the padding.
            dropped: what becomes of a layer's outputs before the next one.
            finely: compute in float64 with the weights as they are, apart from autograd.
        """
        norms, units = (_in_float64(part) if finely else list(part) for part in (self.norms, self.units))
        is_padding = None if lengths is None or self.are_bare else _padding(inputs, lengths)
        stream = _zeroed(inputs, is_padding)
        for number, layer in enumerate(layers):
            outputs = layer(norms[number](stream) if norms else stream)
            outputs = units[number](outputs) if units else outputs
            outputs = dropped(outputs) if dropped and number + 1 < len(layers) else outputs
            is_added = self.residual and outputs.shape == stream.shape
            stream = stream + outputs if is_added else outputs
        return _zeroed(norms[-1](stream), is_padding) if norms else stream


def _in_float64(modules: nn.ModuleList) -> list[Change]:
    copies = [{name: fine(weight) for name, weight in module.named_parameters()} for module in modules]
    return [partial(functional_call, module, copy) for module, copy in zip(modules, copies, strict=True)]


def _padding(inputs: Tensor, lengths: Tensor) -> Tensor:
    steps = torch.arange(inputs.shape[1], device=inputs.device)
    return (steps >= beside(lengths, inputs).unsqueeze(1)).unsqueeze(2)


def _zeroed(sequences: Tensor, is_padding: Tensor | None) -> Tensor:
    return sequences if is_padding is None else sequences.masked_fill(is_padding, 0)
