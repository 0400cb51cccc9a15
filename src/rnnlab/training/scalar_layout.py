"""TensorBoard's custom scalars: train and validation in one chart."""

import lightning
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger

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
