"""The run in words, for TensorBoard's Text tab: its configuration and its network."""

from collections.abc import Mapping
from typing import Any

import lightning
import yaml
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn

from rnnlab.figures.markdown import code, table


class RunTexts(Callback):
    """Writes the resolved configuration and a summary of the network when training starts.

    Args:
        config: the resolved configuration.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write both."""
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                written = yaml.safe_dump(dict(self.config), sort_keys=False, allow_unicode=True)
                logger.experiment.add_text("run/configuration", code(written), trainer.global_step)
                logger.experiment.add_text("run/network", summary(pl_module), trainer.global_step)


def summary(network: nn.Module) -> str:
    """Return the modules that have parameters of their own as a Markdown table; tied weights count once."""
    rows, seen, total = [], set[int](), 0
    for name, module in network.named_modules():
        own = [(key, parameter) for key, parameter in module.named_parameters(recurse=False)]
        if not own:
            continue
        new = [parameter for _, parameter in own if id(parameter) not in seen]
        seen.update(map(id, new))
        count = sum(parameter.numel() for parameter in new)
        total += count
        shapes = ", ".join(f"{key} {'x'.join(map(str, parameter.shape))}" for key, parameter in own)
        rows.append((name or "itself", type(module).__name__, shapes, f"{count:,}"))
    rows.append(("all", type(network).__name__, "", f"{total:,}"))
    return table(("part", "kind", "parameters", "numbers"), rows)
