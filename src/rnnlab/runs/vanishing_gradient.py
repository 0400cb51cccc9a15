"""The vanishing gradient out of a folder of finished runs on a memory problem."""

from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from rnnlab.cells import cell_class, cell_classes
from rnnlab.diagnostics.record import read_records
from rnnlab.errors import RunError
from rnnlab.figures.drawing import save
from rnnlab.figures.gradient_flow import Remembered, vanishing_gradient_figure
from rnnlab.files.bounded import damaged
from rnnlab.files.plain_file import NUMBER, NotPlainError, check_shape
from rnnlab.training.run_folder import RunFolder

NAME = "vanishing_gradient"
MEMORY_CONFIG = {
    "data": {"name": str, "distance": int},
    "model": {**{f"{key}?": str for key in ("cell", "_target_", "nonlinearity")}, "forget_bias?": NUMBER},
    "trainer": {"gradient_clip_val?": NUMBER},
}
PLAIN = {"initialization": "uniform", "residual": False, "norm": "none", "gated": False, "layers": 1}
"""Options that any cell's stack has, as they are where nobody chose."""
MEMORY_METRICS = {"test": {"accuracy": NUMBER}, "baselines": {str: {"accuracy": NUMBER}}}
"""What the figure takes of a run's files."""


def draw_vanishing_gradient(folders: Sequence[Path], target: Path) -> Path:
    """Draw what the runs under some folders remember, and write it as PNG and SVG.

    Args:
        folders: of runs, such as a sweep's; every finished run on a memory problem below them is taken.
        target: the folder for ``vanishing_gradient.png`` and ``.svg``.

    Returns:
        The bitmap.

    Raises:
        RunError: if there is no such run, or they are of several problems.
    """
    save(figure_of_memory(folders), target, NAME)
    return target / f"{NAME}.png"


def figure_of_memory(folders: Sequence[str | Path]) -> Figure:
    """Return what the runs under some folders remember, and the gradients that say why, as a figure.

    Args:
        folders: as :func:`draw_vanishing_gradient` takes them.

    Raises:
        RunError: if there is no such run, or they are of several problems.
    """
    found: list[Remembered] = []
    problems: set[str] = set()
    blind = 0.0
    for folder in finished_runs([Path(folder) for folder in folders]):
        config = folder.config()
        if "distance" not in (config.get("data") or {}):  # it is no memory problem's
            continue
        metrics = folder.metrics()
        try:
            check_shape(config, MEMORY_CONFIG)
            check_shape(metrics, MEMORY_METRICS)
        except NotPlainError as error:
            raise damaged(folder.path, error, "Remove that run, or train it anew.") from error
        problems.add(config["data"]["name"])
        found.append(remembered(folder, config, metrics))
        blind = max([blind, *(figures["accuracy"] for figures in metrics["baselines"].values())])
    if not found:
        listed = ", ".join(map(str, folders))
        raise RunError(f"There is no finished run of task=memory under {listed}.")
    if len(problems) > 1:
        raise RunError(
            f"The runs are of several problems, {' and '.join(sorted(problems))}: draw them apart."
        )
    order = list(cell_classes())  # plain cells before those that were helped
    place = {name: number for number, name in enumerate(order)}
    found.sort(key=lambda run: (place.get(run.network, len(order)), run.network, run.distance))
    return vanishing_gradient_figure(problems.pop(), found, blind)


def finished_runs(folders: Sequence[Path]) -> list[RunFolder]:
    """Return the runs under some folders that have their figures, in the order of their paths."""
    files = sorted({file for folder in folders for file in folder.rglob("metrics.json")})
    return [RunFolder(file.parent) for file in files if RunFolder(file.parent).config_file.is_file()]


def remembered(folder: RunFolder, config: Mapping[str, Any], metrics: Mapping[str, Any]) -> Remembered:
    """Return what the figure shows of a run: of its gradients those in the top layer's hidden states."""
    records = read_records(folder.path)
    curves = [list(record.layers.values())[-1].hidden.relative for record in records]
    return Remembered(
        network=network_name(config),
        distance=int(config["data"]["distance"]),
        accuracy=float(metrics["test"]["accuracy"]),
        before=curves[0] if records and records[0].epoch == 0 else [],
        after=curves[-1] if records else [],
    )


def network_name(config: Mapping[str, Any]) -> str:
    """Return a run's cell and what was done against vanishing or exploding gradients.

    >>> network_name({"model": {"cell": "lstm", "forget_bias": 1.0}, "trainer": {}})
    'lstm, forget bias 1'
    >>> network_name({"model": {"cell": "rnn", "nonlinearity": "relu"}, "trainer": {"gradient_clip_val": 1}})
    'rnn, relu, clipped at 1'
    >>> network_name({"model": {"cell": "lstm", "peepholes": True, "coupled": False}, "trainer": {}})
    'lstm, peepholes'
    """
    model = config["model"]
    parts = [str(model.get("cell", model.get("_target_", "network").rpartition(".")[2]))]
    plain = {**options_of(parts[0]), **PLAIN}
    parts += [variant(key, model[key]) for key, value in plain.items() if model.get(key, value) != value]
    if model.get("forget_bias") is not None:
        parts.append(f"forget bias {model['forget_bias']:g}")
    if config["trainer"].get("gradient_clip_val") is not None:
        parts.append(f"clipped at {config['trainer']['gradient_clip_val']:g}")
    return ", ".join(parts)


def options_of(cell: str) -> dict[str, Any]:
    """Return the options of a cell with their defaults; none of one's own, which is not imported."""
    if cell not in cell_classes():
        return {}
    return {name: option.default for name, option in signature(cell_class(cell)).parameters.items()}


def variant(key: str, value: Any) -> str:
    """Return what an option makes of a network.

    >>> variant("peepholes", True), variant("window", 2), variant("nonlinearity", "relu")
    ('peepholes', 'window 2', 'relu')
    """
    if value is True:
        return key
    if key in ("nonlinearity", "initialization", "inner"):
        return str(value)
    return f"{key} {f'{value:g}' if isinstance(value, float) else value}"
