"""What a stack is made of by its configuration: the cell that is named, and so many units."""

import math
from collections.abc import Mapping
from typing import Any, cast

from rnnlab.build import taken_by
from rnnlab.cells import cell_class, cell_named
from rnnlab.cells.cell import Cell
from rnnlab.errors import ConfigError, nearest


def built_cell(encoder: type, name: str, nonlinearity: str, options: Mapping[str, Any]) -> Cell:
    """Return the cell that an encoder is to be made of.

    Args:
        encoder: whose own options are named where one is misspelt.
        name: see :func:`rnnlab.cells.cell_named`.
        nonlinearity: handed on to a cell that has a choice.
        options: handed on as they are.

    Raises:
        ConfigError: if there is no such cell, or it has no such option.
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
    return cell_named(name, chosen)


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
