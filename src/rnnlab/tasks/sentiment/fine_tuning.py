"""A task whose layers may begin to learn one after another, and each at a rate of its own."""

from collections.abc import Mapping
from typing import Any

from rnnlab.errors import ConfigError
from rnnlab.tasks.task import Task
from rnnlab.tasks.sentiment.unfreezing import GradualUnfreezing, discriminative_groups, layers_from_bottom


class FineTunedTask(Task):
    """A task with an ``embedding`` and an ``encoder``, trained layer by layer where that is asked for.

    Args:
        optimizer: the optimizer's configuration; ``None`` for a model that only answers.
        scheduler: the learning-rate schedule's configuration, or ``None``.
        unfreezing_epochs: train the top alone for so many epochs, then one layer more from the top after
            each as many; 0 trains all from the beginning. See :mod:`rnnlab.tasks.sentiment.unfreezing`.
        discriminative_factor: a layer's learning rate is that of the layer above divided by it.

    Raises:
        ConfigError: if an option is out of range.
    """

    def __init__(
        self,
        optimizer: Mapping[str, Any] | None,
        scheduler: Mapping[str, Any] | None,
        unfreezing_epochs: int = 0,
        discriminative_factor: float = 1.0,
    ) -> None:
        super().__init__(optimizer, scheduler)
        if unfreezing_epochs < 0:
            raise ConfigError(f"task.unfreezing_epochs={unfreezing_epochs}: expected at least 0.")
        if discriminative_factor < 1:
            raise ConfigError(
                f"task.discriminative_factor={discriminative_factor}: expected at least 1, one rate for all."
            )
        self.unfreezing_epochs = unfreezing_epochs
        self.discriminative_factor = discriminative_factor
        self.unfreezing: GradualUnfreezing | None = None

    def on_train_start(self) -> None:
        """Freeze what the epoch in which training begins, or goes on, does not train yet.

        Raises:
            ConfigError: if layers are to be unfrozen one by one on several processes.
        """
        if self.unfreezing_epochs == 0:
            return
        if self.trainer.world_size > 1:
            raise ConfigError(
                "task.unfreezing_epochs: several processes must agree before the first step on what is "
                "trained. Use trainer.devices=1, or task.unfreezing_epochs=0 with task.discriminative_factor."
            )
        self.unfreezing = GradualUnfreezing(layers_from_bottom(self), self.unfreezing_epochs)
        self.unfreezing.enter(self.current_epoch)

    def on_train_epoch_start(self) -> None:
        """Unfreeze what this epoch trains."""
        if self.unfreezing is not None:
            self.unfreezing.enter(self.current_epoch)

    def on_train_end(self) -> None:
        """Leave nothing frozen that was not so before."""
        if self.unfreezing is not None:
            self.unfreezing.leave()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the parameter groups: weight decay spares the biases, and each layer may have its own rate.

        Raises:
            ConfigError: if rates are to differ and the optimizer's is not given.
        """
        if self.discriminative_factor == 1:
            return super().parameter_groups()
        rate = (self.optimizer_config or {}).get("lr")
        if rate is None:
            raise ConfigError("task.discriminative_factor needs optimizer.lr, the rate of the top layer.")
        return discriminative_groups(layers_from_bottom(self), float(rate), self.discriminative_factor)
