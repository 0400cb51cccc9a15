"""Recurrent cells, one file each: ``gru.py`` is everything that rnnlab knows of ``model.cell=gru``."""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from typing import Any

from rnnlab.build import check_arguments, locate_class
from rnnlab.cells.cell import Cell
from rnnlab.errors import ConfigError, nearest


def cell_named(name: str, options: Mapping[str, Any] | None = None) -> Cell:
    """Return the cell that ``model.cell`` names.

    Args:
        name: a file of this folder, such as ``gru``, or the dotted name of a class of your own.
        options: of the cell.

    Raises:
        ConfigError: if there is no such cell, or it has no such option.
    """
    cls = cell_class(name)
    if inspect.isabstract(cls):
        raise ConfigError(f"model.cell={name} lacks {', '.join(sorted(cls.__abstractmethods__))}.")
    check_arguments(cls, options or {}, {}, "model")
    return cls(**(options or {}))


def cell_class(name: str) -> type[Cell]:
    """Return the class that ``model.cell`` names.

    Raises:
        ConfigError: if there is none.
    """
    if "." in str(name):
        return locate_class(name, Cell, "model", "cell")  # type: ignore[type-abstract]
    names = [module.name for module in pkgutil.iter_modules(__path__) if module.name != "cell"]
    if name not in names:
        raise ConfigError(
            f"model.cell={name} is unknown. {nearest(str(name), names)} One of your own is named by its "
            "module and class, such as my_cells.MyCell."
        )
    module = importlib.import_module(f"{__name__}.{name}")
    classes = [value for value in vars(module).values() if inspect.isclass(value)]
    # By module first: to Python 3.10 list[int] is a class, but none that may be asked for its bases.
    (found,) = (cls for cls in classes if cls.__module__ == module.__name__ and issubclass(cls, Cell))
    return found


def cell_classes() -> dict[str, type[Cell]]:
    """Return the cells of this folder by name, in the order of their papers.

    >>> list(cell_classes())[:3]
    ['rnn', 'lstm', 'gru']
    """
    names = [module.name for module in pkgutil.iter_modules(__path__) if module.name != "cell"]
    return dict(sorted(((name, cell_class(name)) for name in names), key=lambda pair: pair[1].year))
