"""The vanishing gradient, drawn when a sweep over distances is done."""

import logging
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from rnnlab.terminal import shown

log = logging.getLogger(__name__)


class DrawWhenSwept(Callback):
    """Draws the figure when a sweep is done, into ``figures/`` of its folder; Hydra calls it."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Draw what is finished.

        Raises:
            RunError: if nothing is.
        """
        # Here, and not above: until its jobs are done, a sweep needs neither torch nor matplotlib.
        from rnnlab.runs.vanishing_gradient import draw_vanishing_gradient

        folder = Path(config.hydra.sweep.dir)
        log.info("Figure  %s", shown(draw_vanishing_gradient([folder], folder / "figures")))
