"""Diagnostics during a training, before its first step and after each epoch, and their figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import lightning
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.figure import Figure

from rnnlab.data.task_data import TaskData
from rnnlab.diagnostics.probe import check_sources, is_measurable, measure
from rnnlab.diagnostics.record import Curve, LayerRecord, Record, add_record, read_records, record
from rnnlab.encoder.trace import check_traceable
from rnnlab.errors import ConfigError
from rnnlab.figures.drawing import publish
from rnnlab.figures.gradient_flow import gradient_flow_figure, saturation_figure
from rnnlab.tasks.task import Task


def diagnostics_figures(records: Sequence[Record]) -> dict[str, Figure]:
    """Return the figures by name: for each layer and direction its gradient flow and its saturation.

    Args:
        records: by epoch; those of other layers than the last one's are left out.
    """
    found: dict[str, Figure] = {}
    for name in records[-1].layers if records else ():
        kept = [record for record in records if name in record.layers]
        epochs = [record.epoch for record in kept]
        layers = [record.layers[name] for record in kept]
        place, title = name.replace("/", "_"), name.replace("/", ", ").replace("layer", "Layer ")
        found[f"gradient_flow/{place}"] = gradient_flow_figure(
            f"{title}: hidden state", epochs, [layer.hidden.relative for layer in layers]
        )
        cells: list[Curve] = [layer.memory for layer in layers if layer.memory is not None]
        if len(cells) == len(layers):
            found[f"gradient_flow/{place}_memory_cell"] = gradient_flow_figure(
                f"{title}: memory cell", epochs, [cell.relative for cell in cells]
            )
        shares = saturation_shares(layers)
        if shares:
            found[f"saturation/{place}"] = saturation_figure(f"{title}: saturation", epochs, shares)
    return found


def saturation_shares(layers: Sequence[LayerRecord]) -> dict[str, list[float]]:
    """Return each share of saturated values over the epochs, by what it is of."""
    shares: dict[str, list[float]] = {}
    for gate in layers[-1].gates:
        for state in ("open", "shut"):
            shares[f"{gate} {state}"] = [layer.gates[gate][state] for layer in layers]
    for unit in layers[-1].squashed:
        shares[f"{unit} saturated"] = [layer.squashed[unit] for layer in layers]
    return shares


class Diagnostics(Callback):
    """Measures one fixed batch of the validation split; training is not changed by a bit.

    After each epoch ``diagnostics.json`` in the run folder and TensorBoard's scalars grow; when the training
    ends, the figures are drawn: gradient norms by distance, once as curves and once as a heat map over the
    epochs, and the saturation of gates and tanh units.

    Args:
        run: the run folder.
        task: what will be trained; its encoder must show its states.
        sequences: sequences in the batch. Time and memory grow with it, with the longest sequence and with
            the hidden size: 16 reviews of 500 tokens in an LSTM of 128 units take about 250 MB.
        sources: ``last`` or ``all``, see :func:`rnnlab.diagnostics.probe.measure`.

    Raises:
        ConfigError: if the encoder does not show its states, or ``sources`` is unknown.
    """

    def __init__(self, run: Path, task: Task, sequences: int = 16, sources: str = "last") -> None:
        if not is_measurable(task):
            raise ConfigError(
                "callbacks=diagnostics needs a task with encoder, encoder_inputs and loss_of_outputs (see "
                f"rnnlab.diagnostics.probe.Measurable); {type(task).__name__} lacks them."
            )
        check_traceable(task.encoder)
        check_sources(sources)
        self.run = run
        self.sequences = sequences
        self.sources = sources
        self.batch: Any = None

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Choose the batch; measure the untrained network."""
        if not trainer.is_global_zero:
            return
        data = cast(TaskData, trainer.datamodule)  # type: ignore[attr-defined]
        self.batch = trainer.strategy.batch_to_device(data.probe_batch(self.sequences))
        if trainer.global_step == 0:
            self.measure(trainer, pl_module, epoch=0)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Measure what the epoch has made of the network."""
        if trainer.is_global_zero:
            self.measure(trainer, pl_module, epoch=trainer.current_epoch + 1)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Draw the figures."""
        if not trainer.is_global_zero:
            return
        writer = writer_of(trainer)
        for name, figure in diagnostics_figures(read_records(self.run)).items():
            publish(figure, self.run / "figures", name, writer, trainer.global_step)

    def measure(self, trainer: lightning.Trainer, task: lightning.LightningModule, epoch: int) -> None:
        """Measure, and add it to the file and to TensorBoard."""
        assert is_measurable(task)
        found = record(measure(task, self.batch, self.sources), epoch, trainer.global_step)
        add_record(self.run, found)
        writer = writer_of(trainer)
        if writer is not None:
            for name, value in scalars(found).items():
                writer.add_scalar(name, value, trainer.global_step)


def scalars(found: Record) -> dict[str, float]:
    """Return the curves that TensorBoard shows over a training, by name.

    An effective memory beyond the longest sequence is shown as the farthest distance that was measured.
    """
    values: dict[str, float] = {}
    for name, layer in found.layers.items():
        place = name.replace("/", "_")
        farthest = float(len(layer.hidden.relative) - 1)
        values[f"effective_memory/{place}"] = min(layer.hidden.effective_memory, farthest)
        if layer.memory is not None:
            values[f"effective_memory/{place}_memory_cell"] = min(layer.memory.effective_memory, farthest)
        for gate, shares in layer.gates.items():
            for share in ("mean", "shut", "open"):
                values[f"gates/{place}_{gate}_{share}"] = shares[share]
        for unit, value in layer.squashed.items():
            values[f"saturated_tanh/{place}_{unit}"] = value
        for matrix, radius in layer.spectral_radius.items():
            values[f"spectral_radius/{place}_{matrix}"] = radius
    return values


def writer_of(trainer: lightning.Trainer) -> Any:
    """Return TensorBoard's writer, None where there is none."""
    writers = (logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger))
    return next(writers, None)
