"""Norms of weights and gradients, layer by layer."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

_RECURRENT = re.compile(r"(?P<module>.*)\.(weight|bias)_(ih|hh|hr)_l(?P<layer>\d+)(?P<reverse>_reverse)?")
_UNTOLD = ("network", "layers")  # modules that only hold others


class Layer(NamedTuple):
    """A layer and its parameters."""

    name: str
    parameters: list[nn.Parameter]


def layers_of(module: nn.Module) -> list[Layer]:
    """Return the layers of a network in the order of its parameters; each parameter is in one."""
    found: dict[str, list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        found.setdefault(layer_name(name), []).append(parameter)
    return [Layer(name, parameters) for name, parameters in found.items()]


def layer_name(parameter: str) -> str:
    """Return the name of the layer that a parameter belongs to.

    >>> layer_name("encoder.network.weight_hh_l1_reverse"), layer_name("encoder.layers.2.network.bias_ih_l0")
    ('encoder.1_backward', 'encoder.2')
    >>> layer_name("embedding.weight"), layer_name("scale")
    ('embedding', 'scale')
    """
    recurrent = _RECURRENT.fullmatch(parameter)
    path = (recurrent["module"] if recurrent else parameter.rpartition(".")[0] or parameter).split(".")
    told = [part for part in path if part not in _UNTOLD]
    if recurrent is None:
        return ".".join(told)
    if not told[-1].isdigit():
        told.append(recurrent["layer"])
    return ".".join(told) + ("_backward" if recurrent["reverse"] else "")


def weight_norms(layers: Iterable[Layer]) -> dict[str, float]:
    """Return each layer's Euclidean norm of all its weights."""
    return norms({layer.name: [parameter.detach() for parameter in layer.parameters] for layer in layers})


def gradient_norms(layers: Iterable[Layer]) -> dict[str, float]:
    """Return each layer's Euclidean norm of all its gradients; layers without any are left out."""
    found = {
        layer.name: [parameter.grad for parameter in layer.parameters if parameter.grad is not None]
        for layer in layers
    }
    return norms({name: gradients for name, gradients in found.items() if gradients})


def norms(groups: Mapping[str, list[Tensor]]) -> dict[str, float]:
    """Return the norm of each group of tensors, with one wait for the device in all."""
    if not groups:
        return {}
    squares = [
        torch.stack([torch.linalg.vector_norm(tensor.float()) for tensor in tensors]).square().sum()
        for tensors in groups.values()
    ]
    return dict(zip(groups, torch.stack(squares).sqrt().tolist(), strict=True))
