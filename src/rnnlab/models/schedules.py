"""Learning-rate schedules that PyTorch lacks."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class ConstantThenDecay(LRScheduler):
    """Constant for some epochs, then multiplied by ``decay`` at each (Zaremba et al. 2014).

    Args:
        optimizer: whose learning rate is moved.
        constant_epochs: epochs at the full learning rate.
        decay: what it is multiplied by at the start of each later epoch.
        last_epoch: as every ``LRScheduler`` has it.
    """

    def __init__(
        self, optimizer: Optimizer, constant_epochs: int = 4, decay: float = 0.5, last_epoch: int = -1
    ) -> None:
        self.constant_epochs = constant_epochs
        self.decay = decay
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """Return each group's learning rate in this epoch."""
        decays = max(0, self.last_epoch + 1 - self.constant_epochs)
        return [float(base) * self.decay**decays for base in self.base_lrs]
