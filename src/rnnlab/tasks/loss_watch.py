"""Stops a training whose loss is no number any more, before a checkpoint is overwritten."""

import math

import torch
from torch import Tensor, nn

from rnnlab.errors import Diverged

_ADVICE = "Lower the learning rate (optimizer.lr) or clip the gradients harder (trainer.gradient_clip_val)."

EVERY = 50


class LossWatch:
    """Looks at every loss, on a GPU only every ``EVERY`` steps so that no step waits for the device."""

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._losses: list[Tensor] = []

    def add(self, step: int, loss: Tensor) -> None:
        """Take the loss ``()`` of optimizer step ``step``, counted from one.

        Raises:
            Diverged: if a loss was infinite or not a number, naming the first such step.
        """
        if loss.device.type == "cpu":
            value = loss.item()
            if not math.isfinite(value):
                raise _no_number(value, step)
            return
        self._steps.append(step)
        self._losses.append(loss.detach())
        if len(self._losses) >= EVERY:
            self.check()

    def check(self) -> None:
        """Look at the losses not looked at yet.

        Raises:
            Diverged: if one is infinite or not a number, naming the first such step.
        """
        if not self._losses:
            return
        steps, losses = self._steps, torch.stack(self._losses)
        self._steps, self._losses = [], []
        bad = (~losses.isfinite()).nonzero().flatten().tolist()
        if bad:
            raise _no_number(losses[bad[0]].item(), steps[bad[0]])


def _no_number(loss: float, step: int) -> Diverged:
    return Diverged(f"The loss is {loss} at step {step}. {_ADVICE}")


def check_weights(module: nn.Module, step: int) -> None:
    """Look at every weight.

    Raises:
        Diverged: if one is infinite or not a number.
    """
    for name, parameter in module.named_parameters():
        if not bool(parameter.isfinite().all()):
            raise Diverged(f"After step {step} the weights of {name} are not all numbers. {_ADVICE}")
