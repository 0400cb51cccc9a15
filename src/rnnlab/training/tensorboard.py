"""What every run writes to TensorBoard besides metrics: its words, its charts, its HParams row."""

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

UNCHARTED = ("tokens",)  # counts that never change

WITHIN_EPOCHS = {
    "within the epochs": {
        "loss": r"^step/loss$",
        "learning rate": r"^optimizer/learning_rate",
        "real tokens a second": r"^step/tokens_per_second$",
        "share of padding": r"^step/padding_share$",
    },
    "norms by layer": {
        "gradients, before clipping": r"^gradient_norm/",
        "weights": r"^weight_norm/",
    },
}

SHOWN = ("model", "optimizer", "seed", "task", "scheduler", "batches", "data", "tokenizer", "trainer")


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


class ScalarLayout(Callback):
    """Writes the layout once the metrics are known: after the first epoch, or at the end."""

    def __init__(self) -> None:
        self.is_written = False

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write it after the first epoch that this process has trained to its end."""
        self.write(trainer)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write it if there was only one epoch."""
        self.write(trainer)

    def write(self, trainer: lightning.Trainer) -> None:
        """Write the layout if it is not written yet and the metrics of both splits are known."""
        known = [name for name in trainer.callback_metrics if name.startswith(("train/", "validation/"))]
        if self.is_written or not any(name.startswith("train/") for name in known):
            return
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_custom_scalars(layout(known))
        self.is_written = True


def layout(names: list[str]) -> Layout:
    """Return charts that show each metric of training and validation together, then what is within epochs.

    Args:
        names: such as ``train/loss`` and ``validation/loss``.
    """
    metrics = dict.fromkeys(name.partition("/")[2] for name in names)
    shared = [metric for metric in metrics if {f"train/{metric}", f"validation/{metric}"} <= set(names)]
    others = [metric for metric in metrics if metric not in (*shared, *UNCHARTED)]
    charts: Layout = {
        "train and validation": {
            metric: ["Multiline", [rf"^(train|validation)/{metric}$"]] for metric in [*shared, *others]
        }
    }
    for category, inside in WITHIN_EPOCHS.items():
        charts[category] = {title: ["Multiline", [tags]] for title, tags in inside.items()}
    return charts


def log_hyperparameters(
    writer: SummaryWriter, config: Mapping[str, Any], best: Mapping[str, float], step: int
) -> None:
    """Write the configuration and the best checkpoint's metrics, at ``step``, as one sortable row.

    Of the three records that make a row the first, which names the columns, is left out: TensorBoard takes it
    from one run for all of them. Without it every run's columns are there, first those in which the runs
    differ. The metrics' columns come in the order of their names, those of ``best/`` first.
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
