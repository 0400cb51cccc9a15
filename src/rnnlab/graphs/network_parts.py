"""The parts of a trained network, as an export needs them."""

from typing import TypeVar

from torch import Tensor, nn

from rnnlab.encoder.blocks import Blocks
from rnnlab.encoder.pooling import Pooling
from rnnlab.encoder.recurrent import Direction
from rnnlab.errors import ConfigError

Found = TypeVar("Found")


def stacked(encoder: object, form: str) -> list[list[Direction]]:
    """Return the directions (one or two) of each layer, from the words upwards.

    Args:
        encoder: the trained encoder.
        form: the export's name, for the error.

    Raises:
        ConfigError: if the encoder is not one of rnnlab's, or something stands between its layers.
    """
    stack = getattr(encoder, "stack", None)
    if stack is None:
        raise ConfigError(
            f"format={form}: only rnnlab's own encoders can be written so; this one is "
            f"{type(encoder).__name__}. Use format=safetensors."
        )
    blocks = getattr(encoder, "blocks", None)
    if isinstance(blocks, Blocks) and not blocks.are_bare:
        raise ConfigError(
            f"format={form}: what stands between the layers (model.norm, model.residual, model.gated) can't "
            "be written so. Use format=safetensors."
        )
    found: list[list[Direction]] = stack()
    return found


def moments_of(pooling: nn.Module, form: str) -> tuple[str, ...]:
    """Return what a pooling puts side by side: last, mean, max, attention.

    Raises:
        ConfigError: if the pooling is not one of rnnlab's.
    """
    if not isinstance(pooling, Pooling) or not pooling.moments:
        raise ConfigError(
            f"format={form}: only rnnlab's own poolings can be written so; this one is "
            f"{type(pooling).__name__}. Use format=safetensors."
        )
    return pooling.moments


def needed(part: Found | None, direction: Direction, form: str) -> Found:
    """Return what a cell has for a format.

    Raises:
        ConfigError: if it is None, as the cell has nothing.
    """
    if part is None:
        raise ConfigError(
            f"format={form}: the {direction.cell.name} cell can't be written so. Use format=safetensors."
        )
    return part


def module_of(direction: Direction) -> nn.RNNBase:
    """Return one layer in one direction as a time-major module of PyTorch's.

    Raises:
        ConfigError: if PyTorch has none of its cell.
    """
    torch_cell = needed(direction.cell.in_torch, direction, "torchscript")
    made = torch_cell.torch_module(direction.weights["weight_ih"].shape[1], direction.hidden_size)
    for parameter, weight in zip(made.all_weights[0], direction.weights.values(), strict=True):
        parameter.data.copy_(weight.detach())
    return made.eval()


def embedding_of(table: Tensor) -> nn.Embedding:
    """Return a table of vectors ``(ids, size)`` as a module of PyTorch's."""
    made = nn.Embedding(*table.shape)
    made.weight.data.copy_(table.detach())
    return made
