"""What an encoder is asked for: its arguments checked, the cell that is named, and so many units."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from rnnlab.build import taken_by
from rnnlab.cells import cell_class, cell_named
from rnnlab.cells.cell import Cell
from rnnlab.encoder.dry_pass import check_names
from rnnlab.errors import ConfigError, nearest


def check_inputs(inputs: Tensor, input_size: int) -> None:
    """Demand ``(batch, time, input_size)``, none of them zero.

    Raises:
        ValueError: if it is anything else.
    """
    if inputs.dim() != 3 or inputs.shape[2] != input_size or 0 in inputs.shape:
        raise ValueError(
            f"inputs has shape {tuple(inputs.shape)}; expected (batch, time, {input_size}) "
            "with at least one sequence and one step."
        )


def check_lengths(lengths: Tensor, inputs: Tensor) -> None:
    """Demand one integer a sequence, on the CPU or beside ``inputs``.

    Raises:
        ValueError: if it is anything else.
    """
    batch = inputs.shape[0]
    if lengths.dim() != 1 or lengths.numel() != batch:
        raise ValueError(
            f"lengths has shape {tuple(lengths.shape)}; expected ({batch},), one for each sequence of inputs."
        )
    if lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool:
        raise ValueError(f"lengths has type {lengths.dtype}; expected integers.")
    if lengths.device.type != "cpu" and lengths.device != inputs.device:
        raise ValueError(
            f"lengths is on {lengths.device} and inputs on {inputs.device}; "
            "expected lengths on the CPU or on the device of inputs."
        )


def shortest_and_longest(lengths: Tensor, time: int) -> tuple[int, int]:
    """Return the range of ``lengths``, all of which must be from 1 to ``time``.

    Raises:
        ValueError: if one isn't.
    """
    shortest, longest = (int(bound) for bound in torch.aminmax(lengths))
    if shortest < 1:
        at = int(lengths.argmin())
        raise ValueError(f"lengths[{at}] is {shortest}; expected at least 1.")
    if longest > time:
        at = int(lengths.argmax())
        raise ValueError(f"lengths[{at}] is {longest}; expected at most {time}, the time axis of inputs.")
    return shortest, longest


def check_state(
    state: tuple[Tensor, ...], names: Sequence[str], shapes: Sequence[tuple[int, int, int]], inputs: Tensor
) -> None:
    """Demand a tensor for each of a cell's states, like ``inputs`` in type and device.

    Args:
        state: what was given.
        names: of the states.
        shapes: ``(layers * directions, batch, width)`` of each.
        inputs: what the encoder reads.

    Raises:
        ValueError: if it is anything else.
    """
    if not (isinstance(state, tuple | list) and len(state) == len(names)):
        raise ValueError(
            f"state is {_described(state)}; expected a tuple of {len(names)}: ({', '.join(names)})."
        )
    for at, (part, name, shape) in enumerate(zip(state, names, shapes, strict=True)):
        where = f"state[{at}] ({name})"
        if not isinstance(part, Tensor):
            raise ValueError(f"{where} is {_described(part)}; expected a tensor.")
        if tuple(part.shape) != shape:
            raise ValueError(
                f"{where} has shape {tuple(part.shape)}; "
                f"expected {shape}: (layers * directions, batch, hidden)."
            )
        is_as_wide = part.dtype == inputs.dtype or torch.is_autocast_enabled(inputs.device.type)
        if part.device != inputs.device or not is_as_wide:
            raise ValueError(
                f"{where} is {part.dtype} on {part.device}; "
                f"expected {inputs.dtype} on {inputs.device}, as inputs."
            )


def _described(value: object) -> str:
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"


def built_cell(encoder: type, name: str, nonlinearity: str, options: Mapping[str, Any]) -> Cell:
    """Return the cell that an encoder is to be made of.

    Args:
        encoder: whose own options are named where one is misspelt.
        name: see :func:`rnnlab.cells.cell_named`.
        nonlinearity: handed on to a cell that has a choice.
        options: handed on as they are.

    Raises:
        ConfigError: if there is no such cell, it has no such option, or one of your own breaks the contract.
    """
    cls = cell_class(name)
    known, takes_any = taken_by(cls)
    chosen = {**options, "nonlinearity": nonlinearity} if "nonlinearity" in known else dict(options)
    if chosen == options and nonlinearity != "tanh":
        raise ConfigError(
            f"model.nonlinearity={nonlinearity}: the {cls.name} cell has no choice of it. Leave it out."
        )
    unknown = [] if takes_any else [key for key in options if key not in known]
    if unknown:
        names = (known | taken_by(encoder)[0]) - {"input_size", "nonlinearity", "options"}
        lines = [f"model.{key}: {cls.name} has no such option. {nearest(key, names)}" for key in unknown]
        raise ConfigError("\n".join(lines))
    cell = cell_named(name, chosen)
    check_names(cell)
    return cell


def check_sizes(**sizes: object) -> None:
    """Check numbers of features, units or layers.

    Raises:
        ConfigError: if one is no whole number from 1.
    """
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ConfigError(f"model.{name} is {size!r}; expected a whole number from 1.")


def checked_units(cell: Cell, hidden_size: int | None) -> int:
    """Return ``hidden_size`` if a cell can have so many units.

    Raises:
        ConfigError: if it can't.
    """
    check_sizes(hidden_size=hidden_size)
    size = cast(int, hidden_size)
    if size % cell.multiple_of:
        raise ConfigError(
            f"model.hidden_size is {size}; the {cell.name} cell takes multiples of {cell.multiple_of}."
        )
    return size


def size_for(
    cell: Cell,
    parameters: int,
    hidden_size: int | None,
    input_size: int,
    layers: int,
    directions: int,
    gated: bool,
) -> int:
    """Return the hidden size at which a stack has nearest to so many parameters.

    Args:
        cell: what it is made of.
        parameters: of all layers and directions; those of norms do not count.
        hidden_size: what was asked for, which should be nothing.
        input_size: features of a token.
        layers: layers on top of one another.
        directions: 1 or 2.
        gated: whether a gated linear unit stands behind each layer.

    Raises:
        ConfigError: if a hidden size was asked for, too, or the smallest stack has more.
    """
    if hidden_size is not None:
        raise ConfigError(
            f"model.parameters={parameters} chooses the hidden size: set model.hidden_size=null beside it."
        )

    def count(size: int) -> int:
        width = cell.output_size(size) * directions
        inputs = [input_size] + [width] * (layers - 1)
        shapes = (shape for given in inputs for shape in cell.parameters(given, size).values())
        return directions * sum(map(math.prod, shapes)) + gated * layers * 2 * width**2

    step = cell.multiple_of
    if parameters < count(step):
        raise ConfigError(
            f"model.parameters={parameters}: {layers} layer{'s' * (layers > 1)} of the {cell.name} cell have "
            f"at least {count(step):,}."
        )
    top = step
    while count(2 * top) <= parameters:
        top *= 2
    sizes = range(top, 2 * top + 1, step)
    return min(sizes, key=lambda size: abs(count(size) - parameters))
