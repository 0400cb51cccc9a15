"""What a benchmark is asked to measure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rnnlab.cells import cell_classes
from rnnlab.cells.cell import TorchCell
from rnnlab.errors import ConfigError, nearest

CONTESTANTS = {"trainer": "Trainer", "bare": "bare loop", "padded": "padded", "packed": "packed"}
"""Names and titles of those that train the same model on the same documents."""


@dataclass(frozen=True)
class Settings:
    """The benchmark's own keys; see ``conf/benchmark.yaml``."""

    cells: tuple[str, ...]
    hidden_sizes: tuple[int, ...]
    contestants: tuple[str, ...]
    backend: str
    repeats: int
    turn_seconds: float
    batches_per_turn: int | None
    keras: bool
    keras_python: str | None
    keras_epochs: int
    kernels: bool
    logging: bool
    prediction: str | None
    jobs: str | None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Settings":
        """Read them from the configuration.

        Raises:
            ConfigError: naming every key with a value that makes no sense.
        """
        found = {name: config[name] for name in cls.__dataclass_fields__}
        wrong: list[str] = []
        cells = tuple(name for name, cell in cell_classes().items() if issubclass(cell, TorchCell))
        for name, choices in (("cells", cells), ("contestants", tuple(CONTESTANTS))):
            unknown = [one for one in _listed(found[name]) if one not in choices]
            wrong += [f"{name}: {one} is unknown. {nearest(str(one), choices)}" for one in unknown]
        for one in _listed(found["hidden_sizes"]):
            if not _is_count(one):
                wrong.append(f"hidden_sizes: {one!r} is no size; expected a whole number from 1.")
        for name in ("repeats", "keras_epochs", "batches_per_turn"):
            is_left_open = name == "batches_per_turn" and found[name] is None
            if not (is_left_open or _is_count(found[name])):
                wrong.append(f"{name} is {found[name]!r}; expected a whole number from 1.")
        if not (isinstance(found["turn_seconds"], int | float) and found["turn_seconds"] > 0):
            wrong.append(f"turn_seconds is {found['turn_seconds']!r}; expected a number above 0.")
        if not (found["jobs"] is None or (isinstance(found["jobs"], str) and found["jobs"].strip())):
            wrong.append(f"jobs is {found['jobs']!r}; expected words, such as jobs=\"'model=gru seed=1,2'\".")
        if wrong:
            raise ConfigError("\n".join(wrong))
        lists = ("cells", "hidden_sizes", "contestants")
        return cls(**{**found, **{name: tuple(_listed(found[name])) for name in lists}})


def _listed(value: Any) -> list[Any]:
    """Return ``value`` as a list: a person may type ``cells=gru`` for one."""
    return list(value) if isinstance(value, list | tuple) else [value]


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
