"""A task measured on one batch, the task left exactly as it was."""

from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

import torch
from torch import Tensor, nn

from rnnlab.diagnostics.gradient_flow import LayerFlow, gradient_flow, only_where_read_last
from rnnlab.diagnostics.saturation import saturation, spectral_radius
from rnnlab.encoder.dry_pass import undisturbed
from rnnlab.encoder.encoder import Encoder
from rnnlab.encoder.trace import traced
from rnnlab.errors import ConfigError, nearest

SOURCES = ("last", "all")


class Measurable(Protocol):
    """What diagnostics ask of a task: its pass over a batch in two halves, the encoder between them."""

    encoder: Encoder

    def encoder_inputs(self, batch: Any) -> tuple[Tensor, Tensor | None]:
        """Return what the encoder reads of a batch: ``(batch, time, input_size)`` and lengths ``(batch,)``.

        None for the lengths where every sequence fills the time axis.
        """
        ...

    def loss_of_outputs(self, outputs: Tensor, batch: Any) -> Tensor:
        """Return the sum of the sequences' losses ``()`` from the encoder's outputs; nothing is counted."""
        ...


def is_measurable(task: object) -> TypeGuard[Measurable]:
    """Return whether a task has what diagnostics ask of it.

    From Python 3.12 on ``isinstance`` does not see a module within another, which ``encoder`` is.
    """
    return all(hasattr(task, name) for name in ("encoder", "encoder_inputs", "loss_of_outputs"))


@dataclass(frozen=True)
class LayerMeasurement:
    """One layer and direction.

    Attributes:
        flow: how far gradients reach.
        gates: for each gate its ``mean``, and the shares ``shut`` and ``open``.
        squashed: for each tanh the share of saturated values.
        spectral_radius: of each recurrent matrix, by name.
    """

    flow: LayerFlow
    gates: dict[str, dict[str, float]]
    squashed: dict[str, float]
    spectral_radius: dict[str, float]


def measure(task: Measurable, batch: Any, sources: str = "last") -> list[LayerMeasurement]:
    """Measure gradient flow, saturation and spectral radii with one backward pass.

    Nothing of the task changes: dropout is off meanwhile, and weights, gradients, metrics, carried states,
    the training flag of every module and all random states stay as they are. A language model reads its
    window from the zero state, so that distances lie within the window.

    Args:
        task: on whose loss the gradients are; a module.
        batch: as its training gets it, on the task's device.
        sources: ``last``: the gradient that enters where each direction has read everything, so that all
            of it has come through the recurrence; ``all``: the whole gradient, with what a pooling or the
            losses at other places send directly into nearer states.

    Returns:
        A measurement of each layer and direction, the lowest first.

    Raises:
        ConfigError: if the encoder does not show its states, or ``sources`` is unknown.
    """
    check_sources(sources)
    assert isinstance(task, nn.Module)
    with undisturbed(task), torch.inference_mode(False), torch.enable_grad():
        inputs, lengths = task.encoder_inputs(batch)
        trace = traced(task.encoder, inputs, lengths)
        outputs = trace.outputs.detach().to(inputs.dtype).requires_grad_()
        (slope,) = torch.autograd.grad(task.loss_of_outputs(outputs, batch), outputs)
        if sources == "last":
            slope = only_where_read_last(slope, lengths, task.encoder.is_bidirectional)
        flows = gradient_flow(trace, slope, lengths)
    return [
        LayerMeasurement(
            flow,
            *saturation(layer, lengths),
            {name: spectral_radius(matrix) for name, matrix in layer.recurrent.items()},
        )
        for flow, layer in zip(flows, trace.layers, strict=True)
    ]


def check_sources(sources: str) -> None:
    """Check where gradients are to enter.

    Raises:
        ConfigError: if it is neither ``last`` nor ``all``.
    """
    if sources not in SOURCES:
        raise ConfigError(f"callbacks.diagnostics.sources={sources} is unknown. {nearest(sources, SOURCES)}")
