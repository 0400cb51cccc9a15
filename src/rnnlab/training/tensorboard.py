"""What every run writes to TensorBoard besides metrics: its words, its charts, its HParams row.

TensorBoard sorts its cards by the groups of their tags, gives every folder of event files a colour and a
name, and draws one tag of several folders in one chart. So a metric's tag is the same for both splits and its
group the first; training lies in the run folder itself, which names the run, and validation in one in it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import lightning
import yaml
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from rnnlab.figures.markdown import code, table

Layout = dict[str, dict[str, list[object]]]

CHARTS = {
    "norms by layer": {
        "gradients, before clipping": r"^gradient_norm/",
        "weights": r"^weight_norm/",
    },
}

SHOWN = ("model", "optimizer", "seed", "task", "scheduler", "batches", "data", "tokenizer", "trainer")


class RunTexts(Callback):
    """Writes the resolved configuration, a summary of the network and the charts when training starts.

    Args:
        config: the resolved configuration.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write them."""
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                written = yaml.safe_dump(dict(self.config), sort_keys=False, allow_unicode=True)
                logger.experiment.add_text("run/configuration", code(written), trainer.global_step)
                logger.experiment.add_text("run/network", summary(pl_module), trainer.global_step)
                logger.experiment.add_custom_scalars(layout())


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
        frozen = " frozen" * (not any(parameter.requires_grad for _, parameter in own))
        rows.append((name or "itself", type(module).__name__, shapes, f"{count:,}{frozen}"))
    rows.append(("all", type(network).__name__, "", f"{total:,}"))
    return table(("part", "kind", "parameters", "numbers"), rows)


def layout() -> Layout:
    """Return the charts that show several tags of a run together."""
    return {
        category: {title: ["Multiline", [tags]] for title, tags in inside.items()}
        for category, inside in CHARTS.items()
    }


def log_hyperparameters(
    writer: SummaryWriter, config: Mapping[str, Any], best: Mapping[str, float], step: int
) -> None:
    """Write the configuration and the best checkpoint's metrics, at ``step``, as one sortable row.

    Of the three records that make a row the first, which names the columns, is left out: TensorBoard takes it
    from one run for all of them. Without it every run's columns are there, first those in which the runs
    differ. The metrics' columns come in the order of their names.
    """
    values = dict(flat({section: config[section] for section in SHOWN if section in config}))
    _, row, end = hparams(values, dict(best))  # type: ignore[no-untyped-call]
    for summary in (row, end):
        writer._get_file_writer().add_summary(summary)  # type: ignore[no-untyped-call]
    for name, value in best.items():
        writer.add_scalar(name, value, step)
    writer.flush()


def flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int | float | str]]:
    """Yield dotted keys and plain values, in the forms that TensorBoard takes; class names are left out.

    >>> dict(flat({"model": {"layers": 1, "sizes": None, "bidirectional": True}}))
    {'model.layers': 1, 'model.sizes': 'null', 'model.bidirectional': 'true'}
    """
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        elif key != "_target_":
            yield f"{prefix}{key}", plain(value)


def plain(value: Any) -> int | float | str:
    """Return a value as it is typed on the command line; numbers stay numbers."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return value if isinstance(value, int | float | str) else str(value)
