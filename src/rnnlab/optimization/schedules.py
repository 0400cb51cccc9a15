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


class SlantedTriangular(LRScheduler):
    """Straight up for a short while, then straight down (Howard and Ruder 2018, equation 3).

    It goes from ``1 / ratio`` of the learning rate to all of it and back. The way down ends exactly with the
    training, which the paper's does only where the cut falls on a whole step.

    Args:
        optimizer: whose learning rate is moved.
        total_steps: optimizer steps of the whole training.
        cut_fraction: the share of them that goes up.
        ratio: how much smaller than the highest rate the lowest is.
        last_epoch: as every ``LRScheduler`` has it.

    Raises:
        ValueError: if the share is not above 0 and below 1, or the ratio is below 1.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int,
        cut_fraction: float = 0.1,
        ratio: float = 32.0,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < cut_fraction < 1:
            raise ValueError(f"cut_fraction={cut_fraction}: expected a share above 0 and below 1.")
        if ratio < 1:
            raise ValueError(f"ratio={ratio}: expected at least 1.")
        self.total_steps = total_steps
        self.cut = max(1, int(total_steps * cut_fraction))
        self.ratio = ratio
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """Return each group's learning rate at this step."""
        step = self.last_epoch
        down = max(1, self.total_steps - self.cut)
        share = step / self.cut if step < self.cut else max(0.0, (self.total_steps - step) / down)
        return [float(base) * (1 + share * (self.ratio - 1)) / self.ratio for base in self.base_lrs]


class RangeTest(LRScheduler):
    """From ``lowest`` to ``highest`` by equal factors, over the whole training (Smith 2017).

    Args:
        optimizer: whose learning rate is moved.
        total_steps: optimizer steps of the whole training.
        lowest: the learning rate of the first step.
        highest: that of the last.
        last_epoch: as every ``LRScheduler`` has it.

    Raises:
        ValueError: if they are not above zero and in their order.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int,
        lowest: float = 1e-6,
        highest: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < lowest < highest:
            raise ValueError(f"lowest={lowest}, highest={highest}: expected 0 < lowest < highest.")
        self.total_steps, self.lowest, self.highest = total_steps, lowest, highest
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """Return each group's learning rate in this step: the same for all."""
        share = min(1.0, self.last_epoch / max(1, self.total_steps - 1))
        return [self.lowest * (self.highest / self.lowest) ** share for _ in self.base_lrs]
