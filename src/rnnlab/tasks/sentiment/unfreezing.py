"""Fine-tuning layer by layer: what lies deep in a pretrained network changes late and little.

Both are of Howard and Ruder 2018 (ULMFiT, sections 3.2 and 3.3): discriminative fine-tuning gives each layer
a smaller learning rate than the one above it, and gradual unfreezing trains the uppermost layer first and
takes in the one below it after a while.
"""

import re
from collections.abc import Sequence
from typing import Any

from torch import nn

from rnnlab.optimization.building import matrices_apart

Layers = Sequence[Sequence[nn.Parameter]]
"""Trainable parameters, each in one layer, the layers from the bottom to the top."""

# ``layers.2.network.weight_ih_l0`` is of the encoder's layer 2, ``network.weight_hh_l1_reverse`` of 1.
_LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.|_l(\d+)(?:_reverse)?$")


def layers_from_bottom(task: nn.Module) -> list[list[nn.Parameter]]:
    """Return the layers of a task: its embedding, those of its encoder, and whatever else it has.

    An encoder whose parameters don't tell their layer is one layer. Tied weights belong to the lowest.

    Args:
        task: with the modules ``embedding`` and ``encoder``.
    """
    numbers: dict[nn.Parameter, int] = {}
    for parameter in task.get_submodule("embedding").parameters():
        numbers.setdefault(parameter, 0)
    for name, parameter in task.get_submodule("encoder").named_parameters():
        numbers.setdefault(parameter, 1 + layer_number(name))
    top = 1 + max(numbers.values())
    for parameter in task.parameters():
        numbers.setdefault(parameter, top)
    layers: list[list[nn.Parameter]] = [[] for _ in range(top + 1)]
    for parameter, number in numbers.items():
        if parameter.requires_grad:
            layers[number].append(parameter)
    return [layer for layer in layers if layer]


def layer_number(name: str) -> int:
    """Return the layer of an encoder that a parameter's name tells, from 0.

    >>> layer_number("layers.2.network.weight_ih_l0"), layer_number("network.bias_hh_l1_reverse")
    (2, 1)
    >>> layer_number("attention.weight")
    0
    """
    found = _LAYER.search(name)
    return int(found[1] or found[2]) if found else 0


def discriminative_groups(layers: Layers, rate: float, factor: float) -> list[dict[str, Any]]:
    """Return parameter groups in which each layer's learning rate is that of the layer above by ``factor``.

    Args:
        layers: from the bottom to the top.
        rate: the learning rate of the top.
        factor: 2.6 in the paper.
    """
    groups = []
    for depth, layer in enumerate(reversed(layers)):
        groups += [{**group, "lr": rate / factor**depth} for group in matrices_apart(layer)]
    return [group for group in groups if group["params"]]


class GradualUnfreezing:
    """Trains the top alone at first, and one layer more after every so many epochs.

    Args:
        layers: from the bottom to the top; what is frozen already is not among them and stays so.
        epochs: between one layer and the next, at least 1.
    """

    def __init__(self, layers: Layers, epochs: int) -> None:
        self.layers = layers
        self.epochs = epochs

    def trained(self, epoch: int) -> int:
        """Return how many layers are trained in ``epoch``, counted from 0."""
        return min(len(self.layers), 1 + epoch // self.epochs)

    def enter(self, epoch: int) -> None:
        """Let only the layers of ``epoch`` have gradients; nothing is computed for those below them."""
        trained = self.trained(epoch)
        for depth, layer in enumerate(reversed(self.layers)):
            for parameter in layer:
                parameter.requires_grad = depth < trained

    def leave(self) -> None:
        """Let all layers have gradients again."""
        for layer in self.layers:
            for parameter in layer:
                parameter.requires_grad = True
