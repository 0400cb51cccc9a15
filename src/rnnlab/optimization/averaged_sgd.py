"""Averaged weights: of stochastic gradient descent that stands still (NT-ASGD), and of any optimizer."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging
from torch import Tensor
from torch.optim import Optimizer

from rnnlab.build import locate_class


class AveragedSGD(Optimizer):
    """Non-monotonically triggered averaged SGD (Merity et al. 2018, algorithm 1).

    It is plain SGD until a validation loss is worse than the best before the latest ``patience`` ones; from
    then on it also keeps the running mean of the weights after each step. That mean is
    what is validated, kept in checkpoints and tested, as :class:`WeightAveraging` sees to. All of it is in
    the state dict, so that a resumed training goes on exactly.

    Args:
        params: tensors, or groups of them.
        lr: learning rate.
        weight_decay: share of a weight, times ``lr``, taken off it each step.
        patience: validations that are left out of that comparison; the paper's ``n``.

    Raises:
        ValueError: if ``lr`` or ``weight_decay`` is negative or ``patience`` is not positive.
    """

    def __init__(
        self, params: Any, lr: float = 30.0, weight_decay: float = 1.2e-6, patience: int = 5
    ) -> None:
        for name, value in (("lr", lr), ("weight_decay", weight_decay)):
            if value < 0:
                raise ValueError(f"{name}={value}: expected at least 0.")
        if patience < 1:
            raise ValueError(f"patience={patience}: expected at least 1.")
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        # In the first group, as groups are what a state dict keeps.
        self.param_groups[0].update(patience=patience, seen=[], averaged=0, averaging=False, shown=False)

    @property
    def is_averaging(self) -> bool:
        """Whether averaging has begun."""
        return bool(self.param_groups[0]["averaging"])

    def observe(self, validation_loss: float) -> None:
        """Take a validation's loss; begin to average where there was no progress."""
        shared = self.param_groups[0]
        before = shared["seen"][: -shared["patience"]]
        if before and validation_loss > min(before):
            shared["averaging"] = True
        shared["seen"].append(validation_loss)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step, and take its result into the average."""
        self.use_trained()
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            gradients = [cast(Tensor, parameter.grad) for parameter in moved]
            if group["weight_decay"]:
                gradients = list(torch._foreach_add(gradients, moved, alpha=group["weight_decay"]))
            torch._foreach_add_(moved, gradients, alpha=-group["lr"])
        if self.is_averaging:
            self._average()
        return loss

    def _average(self) -> None:
        shared = self.param_groups[0]
        shared["averaged"] += 1
        weights = self._weights()
        if shared["averaged"] == 1:
            for weight in weights:
                self.state[weight]["average"] = weight.detach().clone()
            return
        averages = [self.state[weight]["average"] for weight in weights]
        torch._foreach_lerp_(averages, weights, 1 / shared["averaged"])

    def use_average(self) -> None:
        """Put the average into the weights, where there is one; does nothing the second time."""
        shared = self.param_groups[0]
        if shared["averaged"] and not shared["shown"]:
            for weight in self._weights():
                self.state[weight]["trained"] = weight.detach().clone()
                weight.data.copy_(self.state[weight]["average"])
            shared["shown"] = True

    def use_trained(self) -> None:
        """Put the weights that are being trained back; does nothing the second time."""
        shared = self.param_groups[0]
        if shared["shown"]:
            for weight in self._weights():
                weight.data.copy_(self.state[weight].pop("trained"))
            shared["shown"] = False

    def _weights(self) -> list[Tensor]:
        return [weight for group in self.param_groups for weight in group["params"]]


class WeightAveraging(Callback):
    """Lets an :class:`AveragedSGD` average: it is told of validations, and they see the mean."""

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Go on from the weights that are being trained, not from their average."""
        cast(AveragedSGD, trainer.optimizers[0]).use_trained()

    def on_validation_epoch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Score the average, where there is one."""
        if trainer.optimizers:
            cast(AveragedSGD, trainer.optimizers[0]).use_average()

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Tell the optimizer the loss."""
        if trainer.optimizers and not trainer.sanity_checking:
            cast(AveragedSGD, trainer.optimizers[0]).observe(
                float(trainer.callback_metrics["validation/loss"])
            )


class ExponentialAverage(EMAWeightAveraging):
    """Validates, keeps and tests an exponential mean of the weights, whatever the optimizer.

    Lightning's own puts the trained weights back before a validation's end, when the best checkpoint is
    written; this one does when the next step is taken.

    Args:
        decay: the share of the mean that a step leaves as it is.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(decay=decay, use_buffers=False)
        self.is_shown = False

    def on_validation_epoch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Score the mean, of a training."""
        if self._average_model is not None and not self.is_shown:
            self._swap_models(pl_module)
            self.is_shown = True

    def on_validation_epoch_end(self, *args: Any, **options: Any) -> None:
        """Leave the mean where it is."""

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Go on from the weights that are being trained."""
        if self.is_shown:
            self._swap_models(pl_module)
            self.is_shown = False

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """End with the mean."""
        if not self.is_shown:
            super().on_train_end(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep the mean for the weights, and those that are being trained beside it."""
        if self._average_model is None or not self.is_shown:
            super().on_save_checkpoint(trainer, pl_module, checkpoint)
            return
        other = self._average_model.state_dict()
        begin = "module."
        weights = {name: value for name, value in other.items() if name.startswith(begin)}
        checkpoint["current_model_state"] = {name.removeprefix(begin): weights[name] for name in weights}
        checkpoint["averaging_state"] = {name: value for name, value in other.items() if name not in weights}


def averages(config: Mapping[str, Any]) -> bool:
    """Return whether the optimizer that a configuration describes averages weights."""
    return issubclass(locate_class(config.get("_target_", ""), Optimizer, "optimizer"), AveragedSGD)
