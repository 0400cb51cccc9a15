"""What stands around the layers of a stack: a norm before each and one at the end, and residuals.

The order is that of pre-norm blocks (Xiong et al. 2020), in which deep stacks of minGRU, LRU and xLSTM are
built, too: ``x <- x + dropout(layer(norm(x)))``. The norm is layer normalisation (Ba et al. 2016), or that by
the root mean square (Zhang and Sennrich 2019). A layer whose inputs and outputs differ in width has nothing
that could be added; its outputs go on alone.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.func import functional_call

from rnnlab.encoder.trace import fine
from rnnlab.errors import ConfigError, nearest

EPSILON = 1e-5

Norm = Callable[[Tensor], Tensor]


NORMS: dict[str, Callable[[int], nn.Module] | None] = {
    "none": None,
    "layer": partial(nn.LayerNorm, eps=EPSILON),
    "rms": partial(nn.RMSNorm, eps=EPSILON),
}


def norms_of(kind: str, sizes: Sequence[int]) -> nn.ModuleList:
    """Return a norm for each size; none at all where ``kind`` is "none".

    Raises:
        ConfigError: if the kind is unknown.
    """
    if kind not in NORMS:
        raise ConfigError(f"model.norm={kind} is unknown. {nearest(str(kind), NORMS)}")
    made = NORMS[kind]
    return nn.ModuleList() if made is None else nn.ModuleList(map(made, sizes))


def fine_norms(norms: nn.ModuleList) -> list[Norm]:
    """Return norms as they are in float64, apart from autograd."""
    copies = [{name: fine(weight) for name, weight in norm.named_parameters()} for norm in norms]
    return [partial(functional_call, norm, copy) for norm, copy in zip(norms, copies, strict=True)]


def check_residual(sizes: Sequence[int]) -> None:
    """Check that there is a layer to whose outputs its inputs can be added.

    Args:
        sizes: of the inputs, and of each layer's outputs.

    Raises:
        ConfigError: if there is none.
    """
    if all(before != after for before, after in pairwise(sizes)):
        raise ConfigError(
            f"model.residual=true adds nothing: the only layer has inputs of {sizes[0]} and outputs of "
            f"{sizes[1]}. Take model.layers=2 or more, or leave it false."
        )


def through_blocks(
    inputs: Tensor,
    lengths: Tensor | None,
    layers: Sequence[Callable[[Tensor], Tensor]],
    norms: Sequence[Norm],
    residual: bool,
) -> Tensor:
    """Return what comes out of a stack, ``(batch, time, output)`` with zeros in the padding.

    Args:
        inputs: ``(batch, time, input)``; the padding may hold anything.
        lengths: ``(batch,)`` integers from 1 to ``time``; None where every sequence fills the time axis.
        layers: what each makes of its inputs ``(batch, time, size)``, with zeros in the padding.
        norms: one for each layer's inputs and one for the outputs; none at all for no norms.
        residual: whether a layer's inputs are added to its outputs.
    """
    is_padding = None
    if lengths is not None and (residual or norms):
        steps = torch.arange(inputs.shape[1], device=inputs.device)
        is_padding = (steps >= lengths.to(inputs.device).unsqueeze(1)).unsqueeze(2)

    def zeroed(sequences: Tensor) -> Tensor:
        return sequences if is_padding is None else sequences.masked_fill(is_padding, 0)

    stream = zeroed(inputs)
    for number, layer in enumerate(layers):
        outputs = layer(norms[number](stream) if norms else stream)
        is_added = residual and outputs.shape == stream.shape
        stream = stream + outputs if is_added else outputs
    return zeroed(norms[-1](stream)) if norms else stream
