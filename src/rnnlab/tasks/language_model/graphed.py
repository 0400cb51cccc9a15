"""A window's way forward and back as CUDA graphs: recorded once, launched as a whole ever after.

A small recurrent network on a GPU waits for its launches, hundreds in a step. Windows of a text are all of
one shape, so what is launched for one is launched for each. What follows the gradients (clipping, the
optimizer, schedules, the Trainer) is done as always. Dropout draws from PyTorch's own generator, which a
recording registers: each launch draws anew.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rnnlab.cells.cell import State
from rnnlab.data.streams import StreamBatch
from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.encoder.regularised import RegularisedEncoder
from rnnlab.tasks.language_model.decoders import FullDecoder

if TYPE_CHECKING:
    from rnnlab.tasks.language_model.task import LanguageModel

Record = Callable[["WindowPass", Sequence[Tensor]], Callable[..., tuple[Tensor, ...]]]
"""Makes of a pass, and of what it is given, what is called in its place."""


class WindowPass(nn.Module):
    """What a training step computes of a window, as tensors in and tensors out.

    Args:
        task: whose step it is.
    """

    def __init__(self, task: "LanguageModel") -> None:
        super().__init__()
        self.task = task

    def forward(self, inputs: Tensor, targets: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return what is made small ``()``, the sum of the tokens' losses ``()``, and the state after."""
        objective, total, after = self.task.objective(inputs, targets, state, targets.numel())
        return objective, total.detach(), *(part.detach() for part in after)


def recorded(window_pass: WindowPass, given: Sequence[Tensor]) -> Callable[..., tuple[Tensor, ...]]:
    """Record a pass, forward and back."""
    found: Callable[..., tuple[Tensor, ...]] = torch.cuda.make_graphed_callables(  # type: ignore[assignment]
        window_pass, tuple(given), allow_unused_input=True
    )
    return found


class WindowGraph:
    """Computes windows of the shape of the first one by a recording; it is made when that comes.

    Args:
        task: whose steps are recorded.
        record: how.
    """

    def __init__(self, task: "LanguageModel", record: Record = recorded) -> None:
        self.window_pass, self.record = WindowPass(task), record
        self.call: Callable[..., tuple[Tensor, ...]] | None = None
        self.shape: torch.Size | None = None

    def takes(self, batch: StreamBatch) -> bool:
        """Return whether a window is of the recorded shape, or the first; the last of a text is shorter."""
        return batch.valid is None and self.shape in (None, batch.inputs.shape)

    def __call__(self, batch: StreamBatch, state: State) -> tuple[Tensor, Tensor, State]:
        """Return what is made small, the sum of the tokens' losses, and the state after the window."""
        given = (batch.inputs, batch.targets, *state)
        if self.call is None:
            self.shape = batch.inputs.shape
            self.call = self.record(self.window_pass, [part.clone() for part in given])
        objective, total, *after = self.call(*given)
        # The next launch writes over what this one gave, and the watch keeps losses for a while.
        return objective.clone(), total, tuple(after)


def refusal(task: "LanguageModel", config: Mapping[str, Any]) -> str | None:
    """Return why a training's steps can't be recorded; None where they can.

    Args:
        task: whose.
        config: the run's.
    """
    trainer, batches = config["trainer"], config["batches"]
    encoder = task.encoder
    layers = list(encoder.layers) if isinstance(encoder, RegularisedEncoder) else [encoder]
    if batches.get("random_lengths"):
        return "batches.random_lengths=true gives each window a length of its own"
    if not isinstance(task.decoder, FullDecoder):
        return "task.head=adaptive looks which words a window has, for which the host waits"
    if str(trainer["precision"]) != "32-true":
        return f"trainer.precision={trainer['precision']} is not recorded, 32-true alone"
    if trainer.get("accumulate_grad_batches", 1) != 1:
        return "trainer.accumulate_grad_batches adds to gradients that the next launch writes over"
    if str(trainer.get("devices", 1)) != "1":
        return "trainer.devices: the processes' gradients are added within a step"
    for layer in layers:
        if not isinstance(layer, RecurrentEncoder):
            return "an encoder of your own may do anything within a step"
        if layer.cell.is_elementwise:
            return f"the {layer.cell.name} cell's scan copies numbers of the CPU within a step"
        if layer.layers > 1 and layer.dropout > 0 and layer.cell.in_torch is not None:
            return (
                "model.dropout between layers is cuDNN's own, with random numbers that no recording registers"
            )
    return None
