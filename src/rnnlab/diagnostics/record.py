"""What was measured during a training: ``diagnostics.json`` in the run folder, whole after each epoch."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from rnnlab.atomic import write_text
from rnnlab.diagnostics.gradient_flow import Flow, effective_memory
from rnnlab.diagnostics.probe import LayerMeasurement
from rnnlab.files.plain_file import read_json

FILE = "diagnostics.json"
FORMAT = 1
_LARGEST = 256 << 20
_VALUE = (int, float, type(None))
_CURVE = {"norm": [_VALUE], "relative": [_VALUE]}
_LAYER = {
    **{"hidden": _CURVE, "memory?": _CURVE, "gates": {str: {str: _VALUE}}},
    **{"squashed": {str: _VALUE}, "spectral_radius": {str: _VALUE}},
}
_SHAPE = {"epochs": [{"epoch": int, "step": int, "layers": {str: _LAYER}}]}


@dataclass(frozen=True)
class Curve:
    """Gradient norms by distance.

    Attributes:
        norm: mean over the sequences that reach so far.
        relative: as a share of that at distance 0; NaN where that is zero.
    """

    norm: list[float]
    relative: list[float]

    @property
    def effective_memory(self) -> float:
        """The distance from which on the gradient stays below a hundredth of its first norm."""
        return effective_memory(self.relative)


@dataclass(frozen=True)
class LayerRecord:
    """One layer and direction after an epoch.

    Attributes:
        hidden: gradient with respect to the hidden state.
        memory: with respect to the LSTM's memory cell; None for other cells.
        gates: for each gate its ``mean``, and the shares ``shut`` and ``open``.
        squashed: for each tanh the share of saturated values.
        spectral_radius: of each recurrent matrix.
    """

    hidden: Curve
    memory: Curve | None
    gates: dict[str, dict[str, float]]
    squashed: dict[str, float]
    spectral_radius: dict[str, float]


@dataclass(frozen=True)
class Record:
    """All layers after an epoch.

    Attributes:
        epoch: how many epochs were done; 0 is before the first step.
        step: how many optimizer steps were done.
        layers: by name, the lowest first.
    """

    epoch: int
    step: int
    layers: dict[str, LayerRecord]


def record(measured: Sequence[LayerMeasurement], epoch: int, step: int) -> Record:
    """Return a measurement as plain numbers, norms to six digits."""
    layers = {
        layer.flow.name: LayerRecord(
            hidden=_curve(layer.flow.hidden),
            memory=None if layer.flow.memory is None else _curve(layer.flow.memory),
            gates=layer.gates,
            squashed=layer.squashed,
            spectral_radius=layer.spectral_radius,
        )
        for layer in measured
    }
    return Record(epoch, step, layers)


def read_records(run: Path) -> list[Record]:
    """Return what was measured in a run, by epoch; nothing where nothing was.

    Raises:
        DamagedFileError: if the file is damaged.
    """
    file = run / FILE
    try:
        content = read_json(file, _SHAPE, largest=_LARGEST, mend="Remove it: what comes is measured anew.")
    except FileNotFoundError:
        return []
    return [
        Record(
            int(found["epoch"]),
            int(found["step"]),
            {name: _layer_from_plain(layer) for name, layer in found["layers"].items()},
        )
        for found in content["epochs"]
    ]


def add_record(run: Path, new: Record) -> None:
    """Add an epoch to a run's file; later ones, of a training cut off, go.

    Raises:
        RnnlabError: if the file is damaged, or the disk is full.
    """
    records = [old for old in read_records(run) if old.epoch < new.epoch] + [new]
    plain = {"format": FORMAT, "epochs": [_without_nan(asdict(found)) for found in records]}
    write_text(run / FILE, json.dumps(plain, allow_nan=False) + "\n")


def _curve(flow: Flow) -> Curve:
    return Curve(_digits(flow.mean), _digits(flow.relative))


def _digits(values: Tensor) -> list[float]:
    return [float(f"{value:.6g}") for value in values.tolist()]


def _without_nan(value: Any) -> Any:
    """Return plain data with None for what is no finite number: JSON has no word for it."""
    if isinstance(value, Mapping):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _layer_from_plain(plain: Mapping[str, Any]) -> LayerRecord:
    memory = plain.get("memory")
    return LayerRecord(
        _curve_from_plain(plain["hidden"]),
        None if memory is None else _curve_from_plain(memory),
        *(_with_nan(plain[key]) for key in ("gates", "squashed", "spectral_radius")),
    )


def _curve_from_plain(plain: Mapping[str, Any]) -> Curve:
    return Curve(*(_with_nan(plain[key]) for key in ("norm", "relative")))


def _with_nan(value: Any) -> Any:
    """Undo :func:`_without_nan`, all numbers floats."""
    if isinstance(value, Mapping):
        return {key: _with_nan(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_nan(part) for part in value]
    return math.nan if value is None else float(value)
