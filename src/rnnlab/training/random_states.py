"""The random states in the checkpoint, so that a resumed run draws what the uninterrupted one would have."""

import logging
import random
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

log = logging.getLogger(__name__)


class RandomStates(Callback):
    """Saves Python's, NumPy's and PyTorch's random states; puts them back before training goes on.

    Of several GPUs it saves the one that its process computes on.
    """

    def __init__(self) -> None:
        self.loaded: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return the states as plain data."""
        version, internal, gauss = random.getstate()
        name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
        states: dict[str, Any] = {
            "python": [version, list(internal), gauss],
            "numpy": [
                str(name),
                torch.from_numpy(np.asarray(keys).astype(np.int64)),
                position,
                has_gauss,
                cached,
            ],
            "torch": torch.get_rng_state(),
        }
        if torch.cuda.is_available():
            states["cuda"] = torch.cuda.get_rng_state()
        return states

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remember the states; building the loaders may still draw numbers."""
        self.loaded = state_dict

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Put the states back, if the run goes on from a checkpoint."""
        if self.loaded is None:
            return
        version, internal, gauss = self.loaded["python"]
        random.setstate((version, tuple(internal), gauss))
        name, keys, position, has_gauss, cached = self.loaded["numpy"]
        np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
        torch.set_rng_state(self.loaded["torch"])
        if "cuda" in self.loaded:
            self._put_back_on_gpu(self.loaded["cuda"])
        self.loaded = None

    def _put_back_on_gpu(self, state: torch.Tensor) -> None:
        if torch.cuda.is_available():
            torch.cuda.set_rng_state(state)
            return
        log.warning(
            "The run was begun where there is a GPU, and there is no GPU here: it goes on with the "
            "CPU's random numbers, and will not end as it would have there."
        )
